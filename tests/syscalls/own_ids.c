/*
 * getpid and gettid, asked so often that a sandbox may answer them on the spot: always who asks, and never behind the back of
 * a filter or a tracer that came later.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include "tests/lib/forbid.h"
#include "tests/lib/harness.h"

#define MANY 3000

/* How many of MANY answers are wrong. */
static long wrong(long pid, long tid)
{
	long bad = 0;

	for (int i = 0; i < MANY; i++)
		bad += syscall(SYS_getpid) != pid || syscall(SYS_gettid) != tid;
	return bad;
}

static void ids_after_exec(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "@ids") == 0)
		_exit(wrong(atol(argv[2]), atol(argv[2])) == 0 ? 5 : 6);
}
#undef TEST_REENTRY
#define TEST_REENTRY(argc, argv) ids_after_exec(argc, argv)

TEST(a_child_answers_for_itself)
{
	long pid = getpid();
	int status, p[2];
	pid_t child;

	REQUIRE_OK(pipe(p));
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(wrong(pid, pid), 0);
		child = fork();
		if (child == 0) {
			REQUIRE(read(p[0], &child, sizeof(child)) == sizeof(child));
			_exit(wrong(child, child) == 0 ? 7 : 8);
		}
		EXPECT_EQ(write(p[1], &child, sizeof(child)), sizeof(child));
		EXPECT_EQ(waitpid(child, &status, 0), child);
		EXPECT_EQ(WEXITSTATUS(status), 7);
	}
}

static void *answers(void *bad)
{
	/* Told in another way than by gettid. */
	char link[64], *tid;
	ssize_t n = readlink("/proc/thread-self", link, sizeof(link) - 1);

	REQUIRE(n > 0);
	link[n] = '\0';
	tid = strrchr(link, '/');
	REQUIRE(tid != NULL);
	*(long *)bad += wrong(getpid(), atol(tid + 1));
	return NULL;
}

TEST(threads_answer_for_themselves_one_after_another)
{
	pthread_t t[3];
	long bad[3] = { 0 };

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++)
			REQUIRE(pthread_create(&t[i], NULL, answers, &bad[i]) == 0);
		for (int i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
	}
	EXPECT_EQ(bad[0] + bad[1] + bad[2], 0);
}

static void *asks_and_executes(void *arg)
{
	char pid[16];

	(void)arg;
	(void)wrong(1, 1);
	snprintf(pid, sizeof(pid), "%d", getpid());
	execl("/proc/self/exe", "own_ids", "@ids", pid, NULL);
	_exit(9);
}

TEST(a_thread_that_executes_becomes_the_process)
{
	pthread_t t;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)wrong(1, 1);
		pthread_create(&t, NULL, asks_and_executes, NULL);
		for (;;)
			(void)wrong(1, 1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST(a_filter_is_asked_from_then_on)
{
	long pid = getpid();
	int status;

	EXPECT_EQ(wrong(pid, pid), 0);
	EXPECT_EQ(forbid(SYS_getpid, 0), 0);
	for (int i = 0; i < MANY; i++) {
		if (syscall(SYS_getpid) != -1 || errno != EPERM || syscall(SYS_gettid) != pid) {
			FAIL("call %d was not filtered", i);
			break;
		}
	}
	if (fork() == 0)
		_exit(syscall(SYS_getpid) == -1 && errno == EPERM ? 3 : 4);
	wait(&status);
	EXPECT_EQ(WEXITSTATUS(status), 3);
}

static volatile bool asked;

static void *asks_until_refused(void *arg)
{
	(void)arg;
	for (long n = 0; syscall(SYS_getpid) != -1; n++)
		asked |= n > MANY;
	return NULL;
}

TEST(a_filter_of_all_threads_is_asked_from_then_on)
{
	pthread_t t;

	REQUIRE(pthread_create(&t, NULL, asks_until_refused, NULL) == 0);
	while (!asked)
		sched_yield();
	EXPECT_EQ(forbid(SYS_getpid, SECCOMP_FILTER_FLAG_TSYNC), 0);
	EXPECT_EQ(pthread_join(t, NULL), 0);
}

TEST(a_tracer_sees_the_calls_from_then_on)
{
	volatile int *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct user_regs_struct regs;
	int status;
	pid_t pid;

	REQUIRE(n != MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		for (;;) {
			syscall(SYS_getpid);
			++*n;
		}
	}
	while (*n < MANY)
		sched_yield();
	REQUIRE_OK(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD));
	REQUIRE_OK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 6; i++) {
		REQUIRE_OK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		REQUIRE(WIFSTOPPED(status));
		EXPECT_EQ(WSTOPSIG(status), SIGTRAP | 0x80);
		REQUIRE_OK(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
		EXPECT_EQ(regs.orig_rax, SYS_getpid);
		if (i & 1)
			EXPECT_EQ(regs.rax, pid);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST_MAIN()
