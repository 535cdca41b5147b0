/*
 * seccomp.c - the guest's own filters: strict mode, verdicts, inheritance, checks.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "tests/lib/harness.h"

#define LOAD_NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define VERDICT(nr, v) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, v)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int attach(struct sock_filter *f, unsigned short n, unsigned flags)
{
	struct sock_fprog p = { .len = n, .filter = f };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* A filter that gives @verdict to getppid and allows the rest. */
static void on_getppid(unsigned verdict)
{
	struct sock_filter f[] = { LOAD_NR, VERDICT(SYS_getppid, verdict), ALLOW };

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(attach(f, 4, 0) == 0);
}

TEST(a_filter_can_return_errno)
{
	on_getppid(SECCOMP_RET_ERRNO | 77);
	EXPECT_ERR(syscall(SYS_getppid), 77);
	EXPECT_OK(getpid());
	EXPECT_EQ(prctl(PR_GET_SECCOMP), 2);
}

TEST(the_strictest_of_several_filters_counts)
{
	on_getppid(SECCOMP_RET_ERRNO | 77);
	on_getppid(SECCOMP_RET_ERRNO | 78);
	EXPECT_ERR(syscall(SYS_getppid), 78);
	on_getppid(SECCOMP_RET_ALLOW);
	EXPECT_ERR(syscall(SYS_getppid), 78);
}

TEST(filters_are_inherited_by_fork)
{
	int status;
	pid_t pid;

	on_getppid(SECCOMP_RET_ERRNO | 5);
	pid = fork();
	if (pid == 0)
		_exit(syscall(SYS_getppid) == -1 && errno == 5 ? 42 : 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(kill_process_looks_like_sigsys)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		on_getppid(SECCOMP_RET_KILL_PROCESS);
		syscall(SYS_getppid);
		_exit(1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static volatile int seen_nr, seen_errno, seen_code;
static volatile unsigned seen_arch;

static void on_sigsys(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	seen_nr = si->si_syscall;
	seen_errno = si->si_errno;
	seen_code = si->si_code;
	seen_arch = si->si_arch;
}

TEST(trap_sends_sigsys_with_the_call)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	EXPECT_OK(sigaction(SIGSYS, &sa, NULL));
	on_getppid(SECCOMP_RET_TRAP | 33);
	syscall(SYS_getppid);
	EXPECT_EQ(seen_nr, SYS_getppid);
	EXPECT_EQ(seen_errno, 33);
	EXPECT_EQ(seen_code, 1);
	EXPECT_EQ(seen_arch, AUDIT_ARCH_X86_64);
}

TEST(arguments_can_be_tested)
{
	struct sock_filter f[] = {
		LOAD_NR,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 10, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 61),
		ALLOW,
	};

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(attach(f, 6, 0) == 0);
	EXPECT_OK(kill(getpid(), 0));
	EXPECT_ERR(syscall(SYS_kill, getpid(), 12), 61);
}

TEST(strict_mode_kills)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		if (write(1, "", 0) == 0)
			syscall(SYS_getpid);
		syscall(SYS_exit, 1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(strict_mode_leaves_exit)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		syscall(SYS_exit, 9);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

TEST(bad_programs_are_refused)
{
	struct sock_filter no_ret[] = { LOAD_NR };
	struct sock_filter far_jump[] = { BPF_STMT(BPF_JMP | BPF_JA, 5), ALLOW };
	struct sock_filter odd_load[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW };
	struct sock_filter outside[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW };
	struct sock_filter by_zero[] = { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW };
	struct sock_filter fine[] = { ALLOW };

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT_ERR(attach(no_ret, 1, 0), EINVAL);
	EXPECT_ERR(attach(far_jump, 2, 0), EINVAL);
	EXPECT_ERR(attach(odd_load, 2, 0), EINVAL);
	EXPECT_ERR(attach(outside, 2, 0), EINVAL);
	EXPECT_ERR(attach(by_zero, 2, 0), EINVAL);
	EXPECT_ERR(attach(fine, 0, 0), EINVAL);
	EXPECT_ERR(attach(fine, 1, 1u << 30), EINVAL);
	EXPECT_ERR(attach(BAD_PTR, 1, 0), EFAULT);
	EXPECT_OK(attach(fine, 1, 0));
}

static void *ask(void *arg)
{
	int *go = arg;

	while (!__atomic_load_n(go, __ATOMIC_ACQUIRE))
		usleep(1000);
	return (void *)(long)(syscall(SYS_getppid) == -1 && errno == 5);
}

TEST(tsync_reaches_running_threads)
{
	struct sock_filter f[] = { LOAD_NR, VERDICT(SYS_getppid, SECCOMP_RET_ERRNO | 5), ALLOW };
	pthread_t th;
	void *filtered;
	int go = 0;

	EXPECT_EQ(pthread_create(&th, NULL, ask, &go), 0);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT_EQ(attach(f, 4, SECCOMP_FILTER_FLAG_TSYNC), 0);
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	pthread_join(th, &filtered);
	EXPECT(filtered != NULL);
}

struct meeting { _Atomic int made; _Atomic bool filtered; };

static void *has_filter(void *arg)
{
	struct meeting *m = arg;

	while (!m->filtered)
		sched_yield();
	return (void *)(long)(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER);
}

static void *make_threads(void *arg)
{
	struct meeting *m = arg;
	pthread_t t[6];
	void *has = NULL;
	long n = 0;

	for (int i = 0; i < 6; i++, m->made++)
		REQUIRE(pthread_create(&t[i], NULL, has_filter, m) == 0);
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], &has);
		n += has != NULL;
	}
	return (void *)n;
}

TEST(tsync_reaches_threads_that_are_just_being_made)
{
	struct sock_filter f[] = { ALLOW };

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			struct meeting m = { 0 };
			pthread_t maker;
			void *n = NULL;

			REQUIRE(pthread_create(&maker, NULL, make_threads, &m) == 0);
			while (m.made < i % 5)
				sched_yield();
			REQUIRE(attach(f, 1, SECCOMP_FILTER_FLAG_TSYNC) == 0);
			m.filtered = true;
			pthread_join(maker, &n);
			_exit((long)n != 6);
		}
		REQUIRE(waitpid(pid, &status, 0) == pid);
		EXPECT_EQ(status, 0);
	}
}

static void *ask_no_new_privs(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		usleep(1000);
	return (void *)(long)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

TEST(tsync_takes_new_privileges_from_other_threads_too)
{
	struct sock_filter f[] = { ALLOW };
	pthread_t th;
	void *none = NULL;
	int go = 0;

	REQUIRE(pthread_create(&th, NULL, ask_no_new_privs, &go) == 0);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT_EQ(attach(f, 1, SECCOMP_FILTER_FLAG_TSYNC), 0);
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	pthread_join(th, &none);
	EXPECT_EQ((long)none, 1);
}

static void *die(void *arg)
{
	(void)arg;
	syscall(SYS_getppid);
	return (void *)1;
}

TEST(a_killed_thread_can_be_joined)
{
	struct sock_filter f[] = { LOAD_NR, VERDICT(SYS_getppid, SECCOMP_RET_KILL_THREAD), ALLOW };
	pthread_t th[8];
	void *ret = NULL;

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(attach(f, 4, 0) == 0);
	for (int i = 0; i < 8; i++)
		REQUIRE(pthread_create(&th[i], NULL, die, NULL) == 0);
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(pthread_join(th[i], &ret), 0);
		EXPECT(ret != (void *)1);
	}
}

TEST(actions_can_be_asked_for)
{
	unsigned ok = SECCOMP_RET_TRAP, unknown = 0x12340000;

	EXPECT_OK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &ok));
	EXPECT_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
	EXPECT_ERR(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
}

static void bad_filter_without_privilege(void)
{
	EXPECT_OK(setresuid(1000, 1000, 1000));
	EXPECT_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, BAD_PTR), EFAULT);
}

TEST(a_filter_out_of_reach_is_told_before_lack_of_privilege)
{
	EXPECT_EQ(in_child(bad_filter_without_privilege), 0);
}

TEST_MAIN()
