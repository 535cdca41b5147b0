/* fork, wait, exit, process groups and sessions. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "tests/lib/harness.h"

TEST(fork_copies_memory_and_returns_twice)
{
	volatile int v = 1;
	int status;
	pid_t me = getpid(), pid = fork();

	if (pid == 0) {
		v = 2;
		EXPECT_EQ(getppid(), me);
		EXPECT(getpid() != me);
		_exit(test_failures ? 1 : 7);
	}
	REQUIRE_OK(pid);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 7);
	EXPECT_EQ(v, 1);
	EXPECT_ERR(waitpid(pid, &status, 0), ECHILD);
	EXPECT_ERR(wait(NULL), ECHILD);
}

TEST(exit_codes_are_cut_to_a_byte)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0x1234);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0x3400);
}

TEST(wait_reports_the_signal_that_killed)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	EXPECT_OK(kill(pid, SIGTERM));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	EXPECT_OK(setrlimit(RLIMIT_CORE, &none));
	pid = fork();
	if (pid == 0)
		abort();
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST(wnohang_does_not_wait)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	EXPECT_EQ(waitpid(-1, &status, WNOHANG), 0);
	EXPECT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitpid(-1, &status, 0), pid);
	EXPECT_ERR(waitpid(-1, &status, WNOHANG), ECHILD);
	EXPECT_ERR(waitpid(pid, &status, 0x100), EINVAL);
}

TEST(waitid_tells_all_and_can_peek)
{
	siginfo_t si;
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	memset(&si, 0, sizeof(si));
	EXPECT_OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	EXPECT_EQ(si.si_pid, pid);
	EXPECT_EQ(si.si_code, CLD_EXITED);
	EXPECT_EQ(si.si_status, 3);
	EXPECT_EQ(si.si_signo, SIGCHLD);
	EXPECT_OK(waitid(P_ALL, 0, &si, WEXITED));
	EXPECT_ERR(waitid(P_PID, (id_t)pid, &si, WEXITED), ECHILD);
	EXPECT_ERR(waitid(P_PID, (id_t)pid, &si, 0), EINVAL);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	si.si_pid = 99;
	EXPECT_OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG));
	EXPECT_EQ(si.si_pid, 0);
	kill(pid, SIGKILL);
	EXPECT_OK(waitid(P_PID, (id_t)pid, &si, WEXITED));
	EXPECT_EQ(si.si_code, CLD_KILLED);
	EXPECT_EQ(si.si_status, SIGKILL);
}

TEST(stopped_and_continued_children_are_reported)
{
	siginfo_t si;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	/* SIGTSTP does nothing to an orphaned group, which is what ours may be. */
	EXPECT_OK(setpgid(pid, pid));
	EXPECT_OK(kill(pid, SIGSTOP));
	EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	EXPECT_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	EXPECT_OK(kill(pid, SIGCONT));
	EXPECT_EQ(waitpid(pid, &status, WCONTINUED), pid);
	EXPECT(WIFCONTINUED(status));
	EXPECT_OK(kill(pid, SIGTSTP));
	EXPECT_OK(waitid(P_PID, (id_t)pid, &si, WSTOPPED));
	EXPECT_EQ(si.si_code, CLD_STOPPED);
	EXPECT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(ignored_sigchld_reaps_by_itself)
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		if (fork() == 0)
			_exit(0);
	EXPECT_ERR(wait(NULL), ECHILD);
}

TEST(many_children_can_be_alive)
{
	int p[2], alive = 0, reaped = 0;
	char c;

	REQUIRE_OK(pipe(p));
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			close(p[1]);
			_exit(read(p[0], &c, 1) == 0 ? 0 : 1);
		}
		alive += pid > 0;
	}
	EXPECT_EQ(alive, 50);
	close(p[1]);
	for (int status; wait(&status) > 0;)
		reaped += status == 0;
	EXPECT_EQ(reaped, 50);
}

TEST(orphans_go_to_a_subreaper)
{
	pid_t child, seen = 0;
	int p[2], status;

	EXPECT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	REQUIRE_OK(pipe(p));
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			pid_t me = getpid();

			while (getppid() == child || getppid() == 0)
				sleep_ms(1);
			(void)!write(p[1], &me, sizeof(me));
			_exit(5);
		}
		_exit(0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(read(p[0], &seen, sizeof(seen)), sizeof(seen));
	EXPECT_EQ(waitpid(-1, &status, 0), seen);
	EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST(vfork_runs_the_child_first_in_shared_memory)
{
	static volatile int touched;
	int status;
	pid_t pid;

	touched = 0;
	pid = vfork();
	if (pid == 0) {
		touched = 42;
		_exit(9);
	}
	EXPECT_EQ(touched, 42);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 9);
}

TEST(shared_memory_stays_shared_over_fork)
{
	volatile int *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	REQUIRE(m != MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		m[0] = 77;
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
	EXPECT_EQ(m[0], 77);
}

TEST(process_groups_can_be_made_and_joined)
{
	int status, p[2], q[2];
	pid_t pid;
	char c;

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(q));
	EXPECT_EQ(getpgid(0), getpgrp());
	pid = fork();
	if (pid == 0) {
		EXPECT_OK(setpgid(0, 0));
		EXPECT_EQ(getpgrp(), getpid());
		(void)!write(p[1], "r", 1);
		(void)!read(q[0], &c, 1);
		_exit(test_failures);
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(getpgid(pid), pid);
	EXPECT_EQ(waitpid(0, &status, WNOHANG) < 0 ? errno : 0, ECHILD);       /* not in our group */
	EXPECT_EQ(waitpid(-pid, &status, WNOHANG), 0);
	EXPECT_OK(setpgid(pid, getpgrp()));
	EXPECT_EQ(getpgid(pid), getpgrp());
	EXPECT_OK(write(q[1], "x", 1));
	EXPECT_EQ(waitpid(0, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_ERR(setpgid(999999, 0), ESRCH);
	EXPECT_ERR(setpgid(0, -1), EINVAL);
	EXPECT_ERR(setpgid(0, 999999), EPERM);
	EXPECT_ERR(getpgid(999999), ESRCH);
}

static void new_session(void)
{
	EXPECT_EQ(setsid(), getpid());
	EXPECT_EQ(getsid(0), getpid());
	EXPECT_EQ(getpgrp(), getpid());
	EXPECT_ERR(setsid(), EPERM);
	EXPECT_ERR(setpgid(0, 0), EPERM);       /* a session leader */
}

TEST(sessions_have_one_leader)
{
	EXPECT_EQ(in_child(new_session), 0);
	EXPECT_ERR(getsid(999999), ESRCH);
}

TEST(kill_reaches_groups_and_checks_its_target)
{
	int status, n = 0, p[2];
	pid_t leader, other;
	char c;

	REQUIRE_OK(pipe(p));
	leader = fork();
	if (leader == 0) {
		setpgid(0, 0);
		(void)!write(p[1], "x", 1);
		for (;;)
			pause();
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	other = fork();
	if (other == 0) {
		setpgid(0, leader);
		(void)!write(p[1], "x", 1);
		for (;;)
			pause();
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_OK(kill(leader, 0));
	EXPECT_OK(kill(-leader, SIGUSR1));
	for (; waitpid(-1, &status, 0) > 0; n++)
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	EXPECT_EQ(n, 2);
	EXPECT_ERR(kill(leader, 0), ESRCH);
	EXPECT_ERR(kill(-leader, SIGTERM), ESRCH);
	EXPECT_ERR(kill(getpid(), 65), EINVAL);
	EXPECT_ERR(kill(getpid(), -1), EINVAL);
}

TEST(zombies_can_still_be_signalled)
{
	siginfo_t si;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	EXPECT_OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	EXPECT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(pdeathsig_follows_the_parents_death)
{
	int p[2], status;
	pid_t mid;
	char c;

	REQUIRE_OK(pipe(p));
	mid = fork();
	if (mid == 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(p[0]);
			(void)!write(p[1], "r", 1);
			for (;;)
				pause();
		}
		pause();
		_exit(0);
	}
	close(p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	kill(mid, SIGKILL);
	EXPECT_EQ(waitpid(mid, &status, 0), mid);
	EXPECT_EQ(read(p[0], &c, 1), 0);        /* the grandchild is gone too */
}

TEST(wait4_gives_resource_usage)
{
	struct rusage ru;
	pid_t pid = fork();

	if (pid == 0) {
		for (volatile long i = 0; i < 20000000; i++)
			;
		_exit(0);
	}
	memset(&ru, 0xff, sizeof(ru));
	EXPECT_EQ(wait4(pid, NULL, 0, &ru), pid);
	EXPECT(ru.ru_utime.tv_sec >= 0 && ru.ru_utime.tv_usec >= 0);
	EXPECT_OK(getrusage(RUSAGE_CHILDREN, &ru));
	EXPECT_OK(getrusage(RUSAGE_SELF, &ru));
	EXPECT_ERR(getrusage(99, &ru), EINVAL);
}

static void deep(int n)
{
	int status;
	pid_t pid;

	if (n == 0)
		_exit(11);
	pid = fork();
	if (pid == 0)
		deep(n - 1);
	if (waitpid(pid, &status, 0) != pid)
		_exit(1);
	_exit(WEXITSTATUS(status));
}

TEST(forks_can_nest)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		deep(20);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 11);
}

TEST(pidfds_name_processes)
{
	siginfo_t si;
	int fd, status;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	REQUIRE_OK(fd);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	EXPECT_OK(waitid(3 /* P_PIDFD */, (id_t)fd, &si, WEXITED | WNOWAIT));
	EXPECT_EQ(si.si_pid, pid);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	EXPECT_ERR(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
	EXPECT_ERR(syscall(SYS_pidfd_open, 999999, 0), ESRCH);
	EXPECT_ERR(syscall(SYS_pidfd_open, 0, 0), EINVAL);
}

TEST(a_child_that_shares_its_io_context_has_the_same)
{
	int status;
	pid_t me = getpid(), pid = (pid_t)syscall(SYS_clone, 0x80000000ul | SIGCHLD, NULL, NULL, NULL, NULL);  /* CLONE_IO */

	REQUIRE_OK(pid);
	if (pid == 0)
		_exit((int)syscall(SYS_kcmp, me, getpid(), 5, 0, 0) & 0x7f);     /* KCMP_IO */
	REQUIRE(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(WEXITSTATUS(status), 0);
}

static void hang_up(void)
{
	REQUIRE_OK(setsid());
	EXPECT_OK(vhangup());
	REQUIRE_OK(setuid(54321));
	EXPECT_ERR(vhangup(), EPERM);
}

TEST(hanging_up_needs_a_capability_but_no_terminal)
{
	EXPECT_EQ(in_child(hang_up), 0);
}

TEST_MAIN()
