/* Threads that come after others: nothing of an ended thread is left in the next, and ending is clean. */
#include <asm/prctl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/rseq.h>

static void reentry(int argc, char **argv);
#define TEST_REENTRY(argc, argv) reentry(argc, argv)
#include "tests/lib/harness.h"

static void reentry(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "@exit") == 0)
		_exit(9);
}

#define STACK 65536

static uint32_t mxcsr(void)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}

static void set_mxcsr(uint32_t v) { __asm__ volatile("ldmxcsr %0" :: "m"(v)); }

static uint16_t x87(void)
{
	uint16_t v;

	__asm__ volatile("fnstcw %0" : "=m"(v));
	return v;
}

static void set_x87(uint16_t v) { __asm__ volatile("fldcw %0" :: "m"(v)); }

static void *spoil(void *arg)
{
	static __thread char stack[8192];
	stack_t st = { .ss_sp = stack, .ss_size = sizeof(stack) };
	sigset_t set;

	(void)arg;
	set_mxcsr(0x7f80);
	set_x87(0xc7f);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigaltstack(&st, NULL) < 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
	    syscall(SYS_arch_prctl, ARCH_SET_GS, 0x12345000ul) < 0)
		return "spoil";
	__asm__ volatile("fldpi; fldpi; fldpi; fldpi" ::: "st", "st(1)", "st(2)", "st(3)");
	return NULL;
}

static void *look(void *arg)
{
	unsigned long gs = 1;
	uint16_t status;
	sigset_t set;
	stack_t st;

	(void)arg;
	__asm__ volatile("fnstsw %0" : "=m"(status));
	if (mxcsr() != 0x3f80 || x87() != 0x77f)
		return "the control words are not the parent's";
	if (status & 0x3800)
		return "the x87 stack is not the parent's";
	if (sigaltstack(NULL, &st) < 0 || st.ss_flags != SS_DISABLE)
		return "there is an alternate stack";
	if (pthread_sigmask(SIG_BLOCK, NULL, &set) != 0 || sigismember(&set, SIGUSR1))
		return "SIGUSR1 is blocked";
	if (syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) < 0 || gs != 0)
		return "GS has a base";
	return NULL;
}

TEST(a_thread_starts_as_its_parent_not_as_the_last_one)
{
	uint32_t old = mxcsr();
	uint16_t old_cw = x87();
	const char *wrong = NULL;
	void *ret;
	pthread_t t;

	for (int i = 0; i < 20 && !wrong; i++) {
		if (pthread_create(&t, NULL, spoil, NULL) == 0 && pthread_join(t, &ret) == 0)
			wrong = ret;
		set_mxcsr(0x3f80);
		set_x87(0x77f);
		if (!wrong && pthread_create(&t, NULL, look, NULL) == 0 && pthread_join(t, &ret) == 0)
			wrong = ret;
		set_mxcsr(old);
		set_x87(old_cw);
	}
	EXPECT_STR(wrong ? wrong : "", "");
}

/* ---- threads without the C library, on stacks that go as soon as the word is clear ---- */

static char *area;              /* the raw thread's stack, and its rseq area at the start */
static volatile int word;
static int lies;

static int raw_thread(void *arg)
{
	long r = __rseq_size ? 0 : -1;

	(void)arg;
	/* 32 bytes aligned to 32: what every kernel with rseq takes. */
	if (!r)
		r = syscall(SYS_rseq, area, 32, 0, 0x1234);
	if (lies)
		(void)syscall(SYS_rseq, area + 64, 32, 0, 0x4321);
	syscall(SYS_exit, 0);
	return 0;
}

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static int raw_run(volatile int *clear)
{
	int tid;

	area = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return -1;
	word = 1;
	tid = clone(raw_thread, area + STACK, THREAD_FLAGS | CLONE_CHILD_CLEARTID, NULL, NULL, NULL, clear);
	if (tid < 0)
		return -1;
	if (clear != &word)
		return tid;
	while (word)
		syscall(SYS_futex, &word, FUTEX_WAIT, 1, NULL, NULL, 0);
	return munmap(area, STACK);
}

TEST(a_stack_can_go_as_soon_as_the_word_is_clear)
{
	int bad = 0;

	for (int i = 0; i < 200; i++)
		bad += raw_run(&word) < 0;
	EXPECT_EQ(bad, 0);
}

TEST(a_second_rseq_area_that_is_refused_leaves_the_thread_sound)
{
	int bad = 0;

	lies = 1;
	for (int i = 0; i < 10; i++)
		bad += raw_run(&word) < 0;
	lies = 0;
	for (int i = 0; i < 10; i++)
		bad += raw_run(&word) < 0;
	EXPECT_EQ(bad, 0);
}

static int gone(int tid)
{
	for (int i = 0; i < 30000; i++) {
		if (syscall(SYS_tgkill, getpid(), tid, 0) < 0 && errno == ESRCH)
			return 1;
		usleep(1000);
	}
	return 0;
}

TEST(a_word_that_cannot_be_cleared_is_left)
{
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static char odd[12] __attribute__((aligned(8)));
	int v;

	EXPECT(gone(raw_run((volatile int *)ro)));
	EXPECT(gone(raw_run((volatile int *)(ro + 4094))));
	EXPECT_OK(munmap(ro, 4096));
	EXPECT(gone(raw_run((volatile int *)ro)));
	memset(odd, 0xff, sizeof(odd));
	EXPECT(gone(raw_run((volatile int *)(odd + 1))));
	memcpy(&v, odd + 1, 4);
	EXPECT_EQ(v, 0);
	EXPECT_EQ(raw_run(&word), 0);
}

/* ---- many ---- */

static void *number(void *arg) { return (void *)((long)arg + 1); }

static int wave(int n)
{
	pthread_t t[16];
	int bad = 0;
	void *ret;

	for (long i = 0; i < n; i++)
		bad += pthread_create(&t[i], NULL, number, (void *)i) != 0;
	for (long i = 0; i < n; i++)
		bad += pthread_join(t[i], &ret) != 0 || (long)ret != i + 1;
	return bad;
}

TEST(threads_come_in_waves)
{
	int bad = 0;

	for (int i = 0; i < 20; i++)
		bad += wave(i % 16 + 1);
	EXPECT_EQ(bad, 0);
}

TEST(a_fork_after_threads_have_ended_can_make_its_own)
{
	for (int i = 0; i < 10; i++) {
		int status;
		pid_t pid;

		EXPECT_EQ(wave(3), 0);
		pid = fork();
		if (pid == 0)
			_exit(wave(12) ? 1 : 7);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(WEXITSTATUS(status), 7);
	}
}

TEST(spawned_programs_and_threads_take_turns)
{
	char *argv[] = { "/proc/self/exe", "@exit", NULL }, *envp[] = { NULL };

	for (int i = 0; i < 20; i++) {
		int status = -1;
		pid_t pid;

		EXPECT_EQ(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, envp), 0);
		EXPECT_EQ(wave(2), 0);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(WEXITSTATUS(status), 9);
	}
}

/* ---- contents that are dropped ---- */

TEST(dropped_contents_read_as_zero_in_every_kind_of_range)
{
	char *m = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(m, 1, 8 * 4096);
	EXPECT_OK(mprotect(m + 4096, 4096, PROT_READ));
	EXPECT_OK(madvise(m, 3 * 4096, MADV_DONTNEED));
	EXPECT_EQ(m[0] + m[4096] + m[2 * 4096], 0);
	EXPECT_EQ(m[3 * 4096], 1);
	EXPECT_OK(mprotect(m + 4 * 4096, 4096, PROT_READ | PROT_EXEC));
	EXPECT_OK(madvise(m + 4 * 4096, 4096, MADV_DONTNEED));
	EXPECT_EQ(m[4 * 4096], 0);
	EXPECT_OK(munmap(m + 5 * 4096, 4096));
	EXPECT_ERR(madvise(m + 3 * 4096, 5 * 4096, MADV_DONTNEED), ENOMEM);
	EXPECT_EQ(m[3 * 4096] + m[7 * 4096], 0);
	EXPECT_ERR(madvise(m + 1, 4096, MADV_DONTNEED), EINVAL);
	EXPECT_OK(madvise(m, 4096, MADV_FREE));
	EXPECT_OK(madvise(m, 4096, MADV_WILLNEED));
	munmap(m, 8 * 4096);
}

TEST_MAIN()
