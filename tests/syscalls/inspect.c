/*
 * inspect.c - looking into other processes: process_vm_*, kcmp, pidfd_getfd, capabilities, credentials' side doors.
 */
#include <sys/ioctl.h>
#include <linux/kcmp.h>
#include <sys/epoll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/lib/harness.h"

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(memory_of_a_child_can_be_read_and_written)
{
	static char secret[16] = "before";
	char got[16] = "";
	struct iovec l[2] = { { got, 4 }, { got + 4, 12 } }, r = { secret, 16 };
	pid_t pid = sleeper();

	EXPECT_EQ(process_vm_readv(pid, l, 2, &r, 1, 0), 16);
	EXPECT(strcmp(got, "before") == 0);
	strcpy(got, "after");
	EXPECT_EQ(process_vm_writev(pid, l, 2, &r, 1, 0), 16);
	EXPECT(strcmp(secret, "before") == 0);
	memset(got, 0, sizeof(got));
	EXPECT_EQ(process_vm_readv(pid, l, 2, &r, 1, 0), 16);
	EXPECT(strcmp(got, "after") == 0);
	end(pid);
}

TEST(bad_ranges_and_processes_have_their_errno)
{
	char c;
	struct iovec l = { &c, 1 }, r = { BAD_PTR, 1 };
	pid_t pid = sleeper();

	EXPECT_ERR(process_vm_readv(pid, &l, 1, &r, 1, 0), EFAULT);
	EXPECT_ERR(process_vm_readv(pid, &l, 1, &l, 1, 1), EINVAL);
	EXPECT_EQ(process_vm_readv(pid, &l, 0, &l, 1, 0), 0);
	EXPECT_EQ(process_vm_readv(pid, &l, 1, &l, 0, 0), 0);
	end(pid);
	EXPECT_ERR(process_vm_readv(pid, &l, 1, &l, 1, 0), ESRCH);
}

TEST(kcmp_tells_what_is_shared)
{
	int a = dup(0);
	pid_t me = getpid(), pid = sleeper();

	EXPECT_EQ(syscall(SYS_kcmp, me, me, KCMP_FILE, 0, a), 0);
	EXPECT_EQ(syscall(SYS_kcmp, me, pid, KCMP_FILE, 0, 0), 0);
	EXPECT(syscall(SYS_kcmp, me, pid, KCMP_VM, 0, 0) > 0);
	EXPECT_EQ(syscall(SYS_kcmp, me, me, KCMP_VM, 0, 0), 0);
	EXPECT_ERR(syscall(SYS_kcmp, me, pid, KCMP_FILE, 999, 0), EBADF);
	EXPECT_ERR(syscall(SYS_kcmp, me, pid, 99, 0, 0), EINVAL);
	end(pid);
}

TEST(pidfd_getfd_takes_a_descriptor)
{
	int p[2], pfd, fd;
	char c = 0;
	pid_t pid;

	REQUIRE(pipe(p) == 0);
	pid = sleeper();
	close(p[1]);
	pfd = (int)syscall(SYS_pidfd_open, pid, 0);
	EXPECT_OK(pfd);
	fd = (int)syscall(SYS_pidfd_getfd, pfd, p[1], 0);
	EXPECT_OK(fd);
	EXPECT_EQ(write(fd, "x", 1), 1);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(c, 'x');
	EXPECT_ERR(syscall(SYS_pidfd_getfd, pfd, 999, 0), EBADF);
	EXPECT_ERR(syscall(SYS_pidfd_getfd, 0, 0, 0), EBADF);
	end(pid);
}

TEST(pidfd_signals_and_reports_bad_arguments)
{
	pid_t pid = sleeper();
	int pfd = (int)syscall(SYS_pidfd_open, pid, 0), status;

	EXPECT_OK(syscall(SYS_pidfd_send_signal, pfd, 0, NULL, 0));
	EXPECT_ERR(syscall(SYS_pidfd_send_signal, pfd, 99, NULL, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_pidfd_open, -1, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_pidfd_open, 1 << 21, 0), ESRCH);
	EXPECT_OK(syscall(SYS_pidfd_send_signal, pfd, SIGTERM, NULL, 0));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	EXPECT_ERR(syscall(SYS_pidfd_send_signal, pfd, 0, NULL, 0), ESRCH);
}

TEST(robust_lists_are_told)
{
	struct { long a[3]; } head;
	void *got = NULL;
	size_t len = 0;

	EXPECT_OK(syscall(SYS_set_robust_list, &head, 24));
	EXPECT_OK(syscall(SYS_get_robust_list, 0, &got, &len));
	EXPECT(got == (void *)&head && len == 24);
	EXPECT_ERR(syscall(SYS_set_robust_list, &head, 23), EINVAL);
	EXPECT_OK(syscall(SYS_set_robust_list, NULL, 24));
}

TEST(names_and_flags_of_prctl)
{
	char name[16] = "";
	int v = 0;

	EXPECT_OK(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
	EXPECT_OK(prctl(PR_GET_NAME, name));
	EXPECT(strcmp(name, "a-name-that-is-") == 0);
	EXPECT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	EXPECT_OK(prctl(PR_GET_PDEATHSIG, &v));
	EXPECT_EQ(v, SIGUSR1);
	EXPECT_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	EXPECT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	EXPECT_OK(prctl(PR_GET_CHILD_SUBREAPER, &v));
	EXPECT_EQ(v, 1);
	EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
	EXPECT_OK(prctl(PR_SET_DUMPABLE, 0));
	EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
	EXPECT_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	EXPECT_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	EXPECT_ERR(prctl(12345), EINVAL);
}

TEST(the_bounding_set_and_ambient_capabilities)
{
	EXPECT_EQ(prctl(PR_CAPBSET_READ, 0), 1);
	EXPECT_ERR(prctl(PR_CAPBSET_READ, 63), EINVAL);
	EXPECT_OK(prctl(PR_CAPBSET_DROP, 0));
	EXPECT_EQ(prctl(PR_CAPBSET_READ, 0), 0);
	EXPECT_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 0, 0), 0);
	/* Not inheritable, so it cannot be raised. */
	EXPECT_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 5, 0, 0), EPERM);
	EXPECT_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

TEST(limits_of_another_process_can_be_set)
{
	struct rlimit lim = { 17, 18 }, got;
	pid_t pid = sleeper();

	EXPECT_OK(prlimit(pid, RLIMIT_NOFILE, &lim, NULL));
	EXPECT_OK(prlimit(pid, RLIMIT_NOFILE, NULL, &got));
	EXPECT(got.rlim_cur == 17 && got.rlim_max == 18);
	lim.rlim_cur = 19;
	EXPECT_ERR(prlimit(pid, RLIMIT_NOFILE, &lim, NULL), EINVAL);
	EXPECT_ERR(prlimit(pid, 99, NULL, &got), EINVAL);
	end(pid);
	EXPECT_ERR(prlimit(pid, RLIMIT_NOFILE, NULL, &got), ESRCH);
}

TEST(unshare_of_what_is_shared)
{
	EXPECT_OK(unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM));
	EXPECT_OK(unshare(0));
	EXPECT_ERR(unshare(1), EINVAL);
}

struct info { unsigned long long mask, cgroup; unsigned pid, tgid, ppid, ids[8]; int exit_code; };
#define GET_INFO _IOWR(0xff, 11, struct info)

TEST(pidfds_tell_who_it_is_and_how_it_ended)
{
	struct info i = { .mask = 8 };
	int pfd, status;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	pfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ioctl(pfd, GET_INFO, &i) < 0 && (errno == ENOTTY || errno == EINVAL))
		SKIP("no PIDFD_GET_INFO");
	EXPECT_EQ(i.mask & 11, 3);
	EXPECT(i.pid == (unsigned)pid && i.tgid == i.pid && i.ppid == (unsigned)getpid() && i.ids[0] == getuid());
	EXPECT_ERR(ioctl(pfd, _IOWR(0xff, 11, int), &i), ENOTTY);
	EXPECT_ERR(ioctl(pfd, GET_INFO, NULL), EINVAL);
	EXPECT_ERR(ioctl(pfd, GET_INFO, BAD_PTR), EFAULT);
	kill(pid, SIGTERM);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	i.mask = 8;
	EXPECT_OK(ioctl(pfd, GET_INFO, &i));
	if (!(i.mask & 8))
		SKIP("no PIDFD_INFO_EXIT");
	EXPECT_EQ(i.exit_code, status);
	i.mask = 0;
	EXPECT_ERR(ioctl(pfd, GET_INFO, &i), ESRCH);
}

static volatile sig_atomic_t got_code;
static void note_code(int sig, siginfo_t *si, void *uc) { (void)sig; (void)uc; got_code = si->si_code; }

TEST(signals_by_pidfd_have_a_scope)
{
	struct sigaction sa = { .sa_sigaction = note_code, .sa_flags = SA_SIGINFO };
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), proc = open("/proc/self", O_RDONLY | O_DIRECTORY), fd;

	EXPECT_OK(sigaction(SIGUSR1, &sa, NULL));
	EXPECT_OK(syscall(SYS_pidfd_send_signal, proc, SIGUSR1, NULL, 0));
	EXPECT_EQ(got_code, SI_USER);
	fd = openat(proc, "status", O_RDONLY);
	EXPECT_ERR(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0), EBADF);
	EXPECT_ERR(syscall(SYS_pidfd_send_signal, self, SIGUSR1, NULL, 3), EINVAL);
	EXPECT_ERR(syscall(SYS_pidfd_send_signal, self, SIGUSR1, NULL, 8), EINVAL);
	if (syscall(SYS_pidfd_send_signal, self, SIGUSR1, NULL, 1) < 0 && errno == EINVAL)
		SKIP("no PIDFD_SIGNAL_THREAD");
	EXPECT_EQ(got_code, SI_TKILL);
	EXPECT_OK(setpgid(0, 0));
	got_code = 1;
	EXPECT_OK(syscall(SYS_pidfd_send_signal, self, SIGUSR1, NULL, 4));
	EXPECT_EQ(got_code, SI_USER);
}

TEST(kcmp_looks_into_epolls)
{
	struct kcmp_epoll_slot slot;
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), p[2], q[2], a, b;
	pid_t me = getpid();

	REQUIRE(ep >= 0 && pipe(p) == 0 && pipe(q) == 0);
	a = p[0];
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, a, &ev));
	slot = (struct kcmp_epoll_slot){ (unsigned)ep, (unsigned)a, 0 };
	EXPECT_EQ(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, &slot), 0);
	EXPECT(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, q[0], &slot) > 0);
	/* The number now means another file; the watch is still of the first. */
	b = dup(a);
	EXPECT_EQ(dup2(q[0], a), a);
	EXPECT_EQ(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, b, &slot), 0);
	EXPECT(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, &slot) > 0);
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, a, &ev));
	slot.toff = 1;
	EXPECT_OK(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, &slot));
	slot.toff = 2;
	EXPECT_ERR(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, &slot), ENOENT);
	slot.toff = 0;
	slot.tfd = BAD_FD;
	EXPECT_ERR(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, &slot), ENOENT);
	slot.efd = (unsigned)p[1];
	EXPECT_ERR(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, &slot), EINVAL);
	slot.efd = BAD_FD;
	EXPECT_ERR(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, &slot), EBADF);
	EXPECT_ERR(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, BAD_FD, &slot), EBADF);
	EXPECT_ERR(syscall(SYS_kcmp, me, me, KCMP_EPOLL_TFD, a, BAD_PTR), EFAULT);
}

TEST_MAIN()
