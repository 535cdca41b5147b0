/*
 * rt_sigprocmask, called so often that a sandbox may change the mask on the spot: always as Linux does, no signal is lost or
 * handled while it is blocked, and nobody who looks at the mask, or at the calls, is deceived.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include "tests/lib/forbid.h"
#include "tests/lib/harness.h"

#define MANY 3000
#define BIT(sig) (1ull << ((sig) - 1))
#define NEVER (BIT(SIGKILL) | BIT(SIGSTOP))

typedef uint64_t mask_t;

/* One call site for all. */
static long change(int how, const void *set, void *old)
{
	return syscall(SYS_rt_sigprocmask, how, set, old, sizeof(mask_t));
}

static mask_t mask_now(void)
{
	mask_t m = ~0ull;

	EXPECT_EQ(change(SIG_BLOCK, NULL, &m), 0);
	return m;
}

static void set_mask(mask_t m)
{
	EXPECT_EQ(change(SIG_SETMASK, &m, NULL), 0);
}

/* So often that the site is known. */
static void warm_up(void)
{
	mask_t m = 0;

	for (int i = 0; i < MANY; i++)
		(void)change(SIG_BLOCK, &m, NULL);
}

static mask_t after(mask_t was, int how, mask_t set)
{
	switch (how) {
	case SIG_BLOCK:
		was |= set;
		break;
	case SIG_UNBLOCK:
		was &= ~set;
		break;
	default:
		was = set;
	}
	return was & ~NEVER;
}

static void shown_in_proc(mask_t want)
{
	char line[200];
	mask_t m = 0;
	FILE *f = fopen("/proc/thread-self/status", "r");

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "SigBlk:", 7) == 0)
			m = strtoull(line + 7, NULL, 16);
	fclose(f);
	EXPECT_EQ(m, want);
}

TEST(every_way_to_change_it)
{
	mask_t model = mask_now(), x = 88172645463325252ull, set, old;
	long bad = 0;

	for (int i = 0; i < 5 * MANY; i++) {
		int how = i % 3;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		set = x;
		old = ~0ull;
		switch (i % 5) {
		case 0:         /* nothing to set: how does not matter */
			bad += change(how == 2 ? 77 : how, NULL, &old) != 0 || old != model;
			continue;
		case 1:         /* the same place for both */
			bad += change(how, &set, &set) != 0 || set != model;
			break;
		case 2:
			bad += change(how, &set, NULL) != 0;
			break;
		default:
			bad += change(how, &set, &old) != 0 || old != model;
		}
		model = after(model, how, x);
	}
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(mask_now(), model);
	EXPECT_EQ(change(SIG_BLOCK, NULL, NULL), 0);
	shown_in_proc(model);
}

TEST(what_linux_refuses)
{
	char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *fixed = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mask_t one = BIT(SIGUSR1), two_bits = one | BIT(SIGUSR2);

	REQUIRE(two != MAP_FAILED && fixed != MAP_FAILED);
	REQUIRE_OK(mprotect(two + 4096, 4096, PROT_NONE));
	warm_up();
	for (int i = 0; i < 50; i++) {
		set_mask(one);
		EXPECT_ERR(change(3, &two_bits, NULL), EINVAL);
		EXPECT_ERR(change(-1, &two_bits, NULL), EINVAL);
		EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &two_bits, NULL, 4), EINVAL);
		EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &two_bits, NULL, (1ull << 32) + 8), EINVAL);
		EXPECT_ERR(change(SIG_BLOCK, BAD_PTR, NULL), EFAULT);
		EXPECT_ERR(change(SIG_BLOCK, two + 4092, NULL), EFAULT);
		EXPECT_EQ(mask_now(), one);
		/* The mask is changed all the same. */
		EXPECT_ERR(change(SIG_SETMASK, &two_bits, BAD_PTR), EFAULT);
		EXPECT_EQ(mask_now(), two_bits);
		EXPECT_ERR(change(SIG_SETMASK, &one, two + 4092), EFAULT);
		EXPECT_EQ(mask_now(), one);
		EXPECT_ERR(change(SIG_SETMASK, &two_bits, fixed), EFAULT);
		EXPECT_EQ(mask_now(), two_bits);
		EXPECT_ERR(change(SIG_SETMASK, NULL, fixed), EFAULT);
		EXPECT_EQ(change(SIG_SETMASK, &one, two + 4088), 0);
	}
}

static volatile sig_atomic_t blocked_now, wrongly;
static volatile long handled;

static void counts(int sig)
{
	(void)sig;
	wrongly += blocked_now;
	handled++;
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = counts, .sa_flags = flags };

	REQUIRE_OK(sigaction(sig, &sa, NULL));
}

/* Block, look, unblock: the handler never runs in between. */
static void flip(mask_t set)
{
	mask_t old;

	(void)change(SIG_BLOCK, &set, &old);
	blocked_now = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	wrongly += (mask_now() & set) != set;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	blocked_now = 0;
	(void)change(SIG_SETMASK, &old, NULL);
}

TEST(a_timer_meets_it_anywhere)
{
	struct itimerval it = { { 0, 170 }, { 0, 170 } };

	warm_up();
	handle(SIGALRM, SA_RESTART);
	REQUIRE_OK(setitimer(ITIMER_REAL, &it, NULL));
	while (handled < 1000)
		flip(BIT(SIGALRM));
	it = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &it, NULL);
	EXPECT_EQ(wrongly, 0);
	EXPECT_EQ(mask_now() & BIT(SIGALRM), 0);
}

static volatile bool done;

static void *flips(void *arg)
{
	warm_up();
	for (long n = 1; !done; n++) {
		flip(BIT(SIGUSR1));
		if (n % 64 == 0)
			sched_yield();
	}
	return arg;
}

TEST(each_signal_of_another_thread_arrives)
{
	pthread_t t;
	mask_t all = ~0ull;

	handle(SIGUSR1, 0);
	REQUIRE(pthread_create(&t, NULL, flips, NULL) == 0);
	(void)change(SIG_SETMASK, &all, NULL);
	for (long n = 1; n <= 500; n++) {
		REQUIRE(pthread_kill(t, SIGUSR1) == 0);
		while (handled != n)
			sched_yield();
	}
	done = true;
	pthread_join(t, NULL);
	EXPECT_EQ(wrongly, 0);
}

static __thread int mine_blocked;

static void counts_own(int sig)
{
	(void)sig;
	wrongly += mine_blocked;
	__atomic_fetch_add(&handled, 1, __ATOMIC_SEQ_CST);
}

static void *flips_own(void *arg)
{
	mask_t set = BIT(SIGUSR1);
	long n = 0;

	while (!done) {
		(void)change(SIG_BLOCK, &set, NULL);
		mine_blocked = 1;
		for (int i = 0; i < 50; i++)
			__atomic_signal_fence(__ATOMIC_SEQ_CST);
		mine_blocked = 0;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		(void)change(SIG_UNBLOCK, &set, NULL);
		if (++n % 64 == 0)
			sched_yield();
	}
	return arg;
}

TEST(each_signal_of_the_process_is_taken_by_some_thread)
{
	struct sigaction sa = { .sa_handler = counts_own };
	pthread_t t[2];
	mask_t all = ~0ull;

	REQUIRE_OK(sigaction(SIGUSR1, &sa, NULL));
	for (int i = 0; i < 2; i++)
		REQUIRE(pthread_create(&t[i], NULL, flips_own, NULL) == 0);
	(void)change(SIG_SETMASK, &all, NULL);
	for (long n = 1; n <= 300; n++) {
		REQUIRE_OK(kill(getpid(), SIGUSR1));
		while (__atomic_load_n(&handled, __ATOMIC_SEQ_CST) != n)
			sched_yield();
	}
	done = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(wrongly, 0);
}

TEST(a_pending_one_comes_with_the_unblocking)
{
	mask_t set = BIT(SIGUSR1), pending = 0;

	handle(SIGUSR1, 0);
	warm_up();
	for (long n = 1; n <= 500; n++) {
		(void)change(SIG_BLOCK, &set, NULL);
		if (n & 1)
			raise(SIGUSR1);
		else
			kill(getpid(), SIGUSR1);
		EXPECT_EQ(handled, n - 1);
		EXPECT_OK(syscall(SYS_rt_sigpending, &pending, sizeof(pending)));
		EXPECT_EQ(pending, set);
		(void)change(SIG_UNBLOCK, &set, NULL);
		if (handled != n) {
			FAIL("signal %ld did not come", n);
			break;
		}
	}
}

TEST(waiting_with_another_mask_gives_it_back)
{
	mask_t set = BIT(SIGUSR1), none = 0, none_but = ~BIT(SIGUSR2);
	pid_t pid = getpid();

	handle(SIGUSR1, 0);
	handle(SIGUSR2, 0);
	warm_up();
	for (long n = 0; n < 200; n++) {
		set_mask(set);
		kill(pid, SIGUSR1);
		EXPECT_ERR(syscall(SYS_rt_sigsuspend, &none, sizeof(none)), EINTR);
		EXPECT_EQ(mask_now(), set);
		set_mask(set | BIT(SIGUSR2));
		kill(pid, SIGUSR2);
		EXPECT_ERR(syscall(SYS_ppoll, NULL, 0, NULL, &none_but, sizeof(none)), EINTR);
		EXPECT_EQ(mask_now(), set | BIT(SIGUSR2));
		EXPECT_EQ(handled, 2 * n + 2);
	}
}

static void mask_after_exec(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "@mask") == 0)
		_exit(mask_now() == strtoull(argv[2], NULL, 16) ? 5 : 6);
}
#undef TEST_REENTRY
#define TEST_REENTRY(argc, argv) mask_after_exec(argc, argv)

static void *has_mask(void *arg)
{
	mask_t want = *(mask_t *)arg;

	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(mask_now(), want);
		shown_in_proc(want);
		want ^= BIT(SIGUSR2);
		set_mask(want);
	}
	return NULL;
}

TEST(threads_forks_and_programs_inherit_it)
{
	mask_t want = BIT(SIGHUP) | BIT(40);
	char hex[20];
	pthread_t t;
	int status;

	warm_up();
	for (int i = 0; i < 10; i++) {
		want ^= BIT(SIGWINCH);
		set_mask(want);
		REQUIRE(pthread_create(&t, NULL, has_mask, &want) == 0);
		pthread_join(t, NULL);
		EXPECT_EQ(mask_now(), want);
		if (fork() == 0) {
			snprintf(hex, sizeof(hex), "%llx", (unsigned long long)want);
			if (mask_now() == want)
				execl("/proc/self/exe", "own_mask", "@mask", hex, NULL);
			_exit(7);
		}
		EXPECT_OK(wait(&status));
		EXPECT_EQ(WEXITSTATUS(status), 5);
	}
}

static volatile bool warm;

static void *changes_until_refused(void *arg)
{
	mask_t m = BIT(SIGUSR1);

	for (long n = 0; change((n & 1) ? SIG_UNBLOCK : SIG_BLOCK, &m, NULL) == 0; n++)
		warm |= n > MANY;
	return arg;
}

TEST(a_filter_is_asked_from_then_on)
{
	pthread_t t;

	warm_up();
	set_mask(BIT(SIGHUP));
	REQUIRE(pthread_create(&t, NULL, changes_until_refused, NULL) == 0);
	while (!warm)
		sched_yield();
	EXPECT_EQ(forbid(SYS_rt_sigprocmask, SECCOMP_FILTER_FLAG_TSYNC), 0);
	EXPECT_EQ(pthread_join(t, NULL), 0);
	EXPECT_ERR(change(SIG_SETMASK, NULL, NULL), EPERM);
	shown_in_proc(BIT(SIGHUP));
}

TEST(a_tracer_sees_and_changes_it)
{
	volatile int *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mask_t m = 0, set = BIT(SIGUSR1) | BIT(50);
	struct user_regs_struct regs;
	int status;
	pid_t pid;

	REQUIRE(n != MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		set_mask(set);
		for (;;) {
			(void)change(SIG_BLOCK, NULL, &m);
			n[1] = m == BIT(SIGHUP);
			++*n;
		}
	}
	while (*n < MANY)
		sched_yield();
	REQUIRE_OK(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD));
	REQUIRE_OK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_OK(ptrace(PTRACE_GETSIGMASK, pid, sizeof(m), &m));
	EXPECT_EQ(m, set);
	for (int i = 0; i < 4; i++) {
		REQUIRE_OK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(WSTOPSIG(status), SIGTRAP | 0x80);
		REQUIRE_OK(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
		EXPECT_EQ(regs.orig_rax, SYS_rt_sigprocmask);
	}
	m = BIT(SIGHUP);
	EXPECT_OK(ptrace(PTRACE_SETSIGMASK, pid, sizeof(m), &m));
	EXPECT_OK(ptrace(PTRACE_DETACH, pid, NULL, NULL));
	while (!n[1])
		sched_yield();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST_MAIN()
