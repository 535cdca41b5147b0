/* Signals that files send: O_ASYNC, F_SETOWN, F_SETSIG, SIGIO, SIGURG. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include "tests/lib/harness.h"

#define GETOWNER_UIDS 17

static sigset_t waited;

static void block(int a, int b)
{
	sigemptyset(&waited);
	sigaddset(&waited, a);
	sigaddset(&waited, b);
	sigprocmask(SIG_BLOCK, &waited, NULL);
}

/* The next of the blocked signals that is pending already, or 0. */
static int next_now(siginfo_t *si)
{
	struct timespec none = { 0, 0 };
	int sig;

	memset(si, 0, sizeof(*si));
	sig = sigtimedwait(&waited, si, &none);
	return sig < 0 ? 0 : sig;
}

static int next(siginfo_t *si)
{
	struct timespec ten = { 10, 0 };
	int sig;

	memset(si, 0, sizeof(*si));
	sig = sigtimedwait(&waited, si, &ten);
	return sig < 0 ? 0 : sig;
}

static int async_on(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC); }

TEST(a_pipe_tells_its_reader_of_each_write)
{
	siginfo_t si;
	char c;
	int p[2];

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(fcntl(p[0], F_GETOWN), 0);
	EXPECT_OK(fcntl(p[0], F_SETOWN, getpid()));
	EXPECT_EQ(fcntl(p[0], F_GETOWN), getpid());
	EXPECT_EQ(write(p[1], "a", 1), 1);
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_OK(async_on(p[0]));
	EXPECT_EQ(fcntl(p[0], F_GETFL), O_RDONLY | O_ASYNC);
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_EQ(write(p[1], "b", 1), 1);
	EXPECT_EQ(next_now(&si), SIGIO);
	EXPECT_EQ(si.si_code, SI_KERNEL);
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_OK(fcntl(p[0], F_SETSIG, SIGRTMIN));
	EXPECT_EQ(fcntl(p[0], F_GETSIG), SIGRTMIN);
	EXPECT_EQ(write(p[1], "c", 1), 1);
	EXPECT_EQ(write(p[1], "d", 1), 1);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(next_now(&si), SIGRTMIN);
		EXPECT_EQ(si.si_code, POLL_IN);
		EXPECT_EQ(si.si_band, POLLIN | POLLRDNORM);
		EXPECT_EQ(si.si_fd, p[0]);
	}
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_OK(close(p[1]));
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_OK(fcntl(p[0], F_SETFL, 0));
	EXPECT_EQ(fcntl(p[0], F_GETFL), O_RDONLY);
}

TEST(a_pipe_tells_its_writer_of_each_read_and_of_the_end)
{
	siginfo_t si;
	char buf[10];
	int p[2];

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(pipe(p));
	EXPECT_OK(fcntl(p[1], F_SETOWN, getpid()));
	EXPECT_OK(fcntl(p[1], F_SETSIG, SIGRTMIN));
	EXPECT_OK(async_on(p[1]));
	EXPECT_EQ(write(p[1], "abc", 3), 3);
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_EQ(read(p[0], buf, 2), 2);
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_OUT);
	EXPECT_EQ(si.si_band, POLLOUT | POLLWRNORM | POLLWRBAND);
	EXPECT_EQ(si.si_fd, p[1]);
	EXPECT_OK(close(p[0]));
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_OUT);
}

TEST(a_second_writer_that_leaves_is_no_news)
{
	siginfo_t si;
	int p[2], q;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(pipe(p));
	REQUIRE_OK(q = open("/proc/self/fd/0", O_RDONLY) < 0 ? 0 : dup(p[1]));
	REQUIRE_OK(mkfifo("ff", 0600));
	int r = open("ff", O_RDONLY | O_NONBLOCK), w = open("ff", O_WRONLY), w2 = open("ff", O_WRONLY);
	REQUIRE_OK(r); REQUIRE_OK(w); REQUIRE_OK(w2);
	EXPECT_OK(fcntl(r, F_SETOWN, getpid()));
	EXPECT_OK(async_on(r));
	EXPECT_OK(close(w2));
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_EQ(write(w, "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGIO);
	EXPECT_OK(close(w));
	EXPECT_EQ(next_now(&si), SIGIO);
}

TEST(only_some_kinds_of_files_know_it)
{
	int fd, one = 1, zero = 0, e;

	REQUIRE_OK(fd = open("f", O_CREAT | O_RDWR, 0600));
	EXPECT_OK(async_on(fd));
	EXPECT_EQ(fcntl(fd, F_GETFL) & O_ASYNC, 0);
	EXPECT_ERR(ioctl(fd, FIOASYNC, &one), ENOTTY);
	EXPECT_OK(ioctl(fd, FIOASYNC, &zero));
	EXPECT_ERR(ioctl(fd, FIOASYNC, BAD_PTR), EFAULT);
	EXPECT_ERR(ioctl(fd, FIOSETOWN, &one), ENOTTY);
	EXPECT_OK(fcntl(fd, F_SETOWN, getpid()));
	REQUIRE_OK(e = syscall(SYS_eventfd2, 0, 0));
	EXPECT_OK(async_on(e));
	EXPECT_EQ(fcntl(e, F_GETFL) & O_ASYNC, 0);
	EXPECT_ERR(ioctl(e, FIOASYNC, &one), ENOTTY);
	REQUIRE_OK(e = syscall(SYS_epoll_create1, 0));
	EXPECT_ERR(ioctl(e, FIOASYNC, &one), ENOTTY);
}

TEST(fioasync_turns_it_on_and_off)
{
	int s[2], one = 1, zero = 0;
	siginfo_t si;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_OK(ioctl(s[0], FIOASYNC, &one));
	EXPECT_EQ(fcntl(s[0], F_GETFL) & O_ASYNC, O_ASYNC);
	EXPECT_EQ(write(s[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), 0);            /* nobody owns it */
	EXPECT_OK(fcntl(s[0], F_SETOWN, getpid()));
	EXPECT_EQ(write(s[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGIO);
	EXPECT_OK(ioctl(s[0], FIOASYNC, &zero));
	EXPECT_EQ(write(s[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), 0);
}

TEST(owners_are_processes_threads_and_groups)
{
	struct f_owner_ex own = { 99, 0 };
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_OK(fcntl(s[0], F_GETOWN_EX, &own));
	EXPECT_EQ(own.type, F_OWNER_TID);
	EXPECT_EQ(own.pid, 0);
	EXPECT_OK(fcntl(s[0], F_SETOWN, getpid()));
	EXPECT_OK(fcntl(s[0], F_GETOWN_EX, &own));
	EXPECT_EQ(own.type, F_OWNER_PID);
	EXPECT_EQ(own.pid, getpid());
	EXPECT_OK(setpgid(0, 0));
	EXPECT_OK(fcntl(s[0], F_SETOWN, -getpid()));
	EXPECT_EQ(syscall(SYS_fcntl, s[0], F_GETOWN_EX, &own), 0);
	EXPECT_EQ(own.type, F_OWNER_PGRP);
	EXPECT_EQ(own.pid, getpid());
	own.type = F_OWNER_TID;
	EXPECT_OK(fcntl(s[0], F_SETOWN_EX, &own));
	EXPECT_EQ(fcntl(s[0], F_GETOWN), getpid());
	own.pid = 0;
	EXPECT_OK(fcntl(s[0], F_SETOWN_EX, &own));
	EXPECT_EQ(fcntl(s[0], F_GETOWN), 0);
	own.pid = 4194303;
	EXPECT_ERR(fcntl(s[0], F_SETOWN_EX, &own), ESRCH);
	own.type = 7;
	EXPECT_ERR(fcntl(s[0], F_SETOWN_EX, &own), EINVAL);
	EXPECT_ERR(fcntl(s[0], F_SETOWN_EX, BAD_PTR), EFAULT);
	EXPECT_ERR(fcntl(s[0], F_GETOWN_EX, BAD_PTR), EFAULT);
	EXPECT_ERR(fcntl(s[0], F_SETOWN, 4194303), ESRCH);
	EXPECT_ERR(fcntl(s[0], F_SETOWN, -4194303), ESRCH);
	EXPECT_ERR(fcntl(s[0], F_SETOWN, INT_MIN), EINVAL);
	EXPECT_ERR(fcntl(s[0], F_SETSIG, 65), EINVAL);
	EXPECT_ERR(fcntl(s[0], F_SETSIG, -1), EINVAL);
	EXPECT_OK(fcntl(s[0], F_SETSIG, 64));
	EXPECT_EQ(fcntl(s[0], F_GETSIG), 64);
}

TEST(sockets_take_their_owner_by_ioctl_too)
{
	int s[2], pid = getpid(), got = 0, bad = 4194303, group;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	EXPECT_OK(ioctl(s[0], FIOSETOWN, &pid));
	EXPECT_OK(ioctl(s[0], SIOCGPGRP, &got));
	EXPECT_EQ(got, pid);
	EXPECT_OK(setpgid(0, 0));
	group = -pid;
	EXPECT_OK(ioctl(s[0], SIOCSPGRP, &group));
	EXPECT_OK(ioctl(s[0], FIOGETOWN, &got));
	EXPECT_EQ(got, -pid);
	EXPECT_ERR(ioctl(s[0], FIOSETOWN, &bad), ESRCH);
	EXPECT_ERR(ioctl(s[0], FIOSETOWN, BAD_PTR), EFAULT);
	EXPECT_ERR(ioctl(s[0], FIOGETOWN, BAD_PTR), EFAULT);
}

TEST(an_owner_that_has_gone_is_nobody)
{
	int p[2];
	pid_t c;

	REQUIRE_OK(pipe(p));
	c = fork();
	if (c == 0)
		pause();
	EXPECT_OK(fcntl(p[0], F_SETOWN, c));
	EXPECT_EQ(fcntl(p[0], F_GETOWN), c);
	EXPECT_OK(async_on(p[0]));
	kill(c, SIGKILL);
	EXPECT_EQ(waitpid(c, NULL, 0), c);
	EXPECT_EQ(fcntl(p[0], F_GETOWN), 0);
	EXPECT_EQ(write(p[1], "x", 1), 1);
}

TEST(a_group_is_told_as_a_whole)
{
	int p[2], ready[2], n = 0, status;
	pid_t c[3];
	char b;

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(ready));
	block(SIGIO, SIGRTMIN);
	EXPECT_OK(setpgid(0, 0));
	for (int i = 0; i < 3; i++) {
		c[i] = fork();
		if (c[i] == 0) {
			siginfo_t si;

			if (i == 2)
				setpgid(0, 0);
			EXPECT_EQ(write(ready[1], "r", 1), 1);
			if (i == 2) {
				usleep(200000);
				_exit(next_now(&si) != 0);
			}
			_exit(next(&si) != SIGIO);
		}
	}
	for (int i = 0; i < 3; i++)
		n += (int)read(ready[0], &b, 1);
	EXPECT_EQ(n, 3);
	EXPECT_OK(fcntl(p[0], F_SETOWN, -getpid()));
	EXPECT_OK(async_on(p[0]));
	EXPECT_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(waitpid(c[i], &status, 0), c[i]);
		EXPECT_EQ(status, 0);
	}
}

TEST(the_rights_of_who_set_the_owner_count)
{
	int p[2], status;
	siginfo_t si;
	pid_t c;

	if (getuid() != 0)
		SKIP("not root");
	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(pipe(p));
	c = fork();
	if (c == 0) {           /* somebody else names us as the owner: we are not told */
		if (setresuid(1000, 1000, 1000) < 0)
			_exit(1);
		if (fcntl(p[0], F_SETOWN, getppid()) < 0 || async_on(p[0]) < 0)
			_exit(2);
		_exit(0);
	}
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
	uid_t ids[2] = { 9, 9 };
	EXPECT_OK(fcntl(p[0], GETOWNER_UIDS, ids));
	EXPECT_EQ(ids[0], 1000);
	EXPECT_EQ(ids[1], 1000);
	EXPECT_EQ(fcntl(p[0], F_GETOWN), getpid());
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), 0);
	EXPECT_OK(fcntl(p[0], F_SETOWN, getpid()));
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGIO);
}

TEST(a_full_queue_makes_it_a_plain_sigio)
{
	siginfo_t si;
	int p[2], n = 0, io = 0, sig;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(pipe(p));
	EXPECT_OK(fcntl(p[0], F_SETOWN, getpid()));
	EXPECT_OK(fcntl(p[0], F_SETSIG, SIGRTMIN));
	EXPECT_OK(async_on(p[0]));
	for (int i = 0; i < 300; i++)
		EXPECT_EQ(write(p[1], "x", 1), 1);
	while ((sig = next_now(&si)) != 0) {
		if (sig == SIGRTMIN)
			n++;
		else
			io++;
	}
	EXPECT(n == 300);
	EXPECT_EQ(io, 0);
}

TEST(signals_with_codes_of_their_own_say_si_sigio)
{
	siginfo_t si;
	int p[2];

	block(SIGBUS, SIGUSR1);
	REQUIRE_OK(pipe(p));
	EXPECT_OK(fcntl(p[0], F_SETOWN, getpid()));
	EXPECT_OK(fcntl(p[0], F_SETSIG, SIGBUS));
	EXPECT_OK(async_on(p[0]));
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGBUS);
	EXPECT_EQ(si.si_code, SI_SIGIO);
	EXPECT_OK(fcntl(p[0], F_SETSIG, SIGUSR1));
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGUSR1);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_EQ(si.si_fd, p[0]);
}

TEST(a_unix_stream_tells_of_data_room_and_the_end)
{
	char buf[65536];
	siginfo_t si;
	int s[2], n = 0;

	block(SIGIO, SIGRTMIN);
	memset(buf, 1, sizeof(buf));
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	EXPECT_OK(fcntl(s[0], F_SETOWN, getpid()));
	EXPECT_OK(fcntl(s[0], F_SETSIG, SIGRTMIN));
	EXPECT_OK(async_on(s[0]));
	EXPECT_EQ(write(s[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_EQ(si.si_fd, s[0]);
	/* Room is told only to who has found none. */
	EXPECT_EQ(write(s[0], buf, 100), 100);
	EXPECT_EQ(read(s[1], buf, 100), 100);
	EXPECT_EQ(next_now(&si), 0);
	while (write(s[0], buf, sizeof(buf)) > 0)
		;
	EXPECT_EQ(next_now(&si), 0);
	while (read(s[1], buf, sizeof(buf)) > 0)
		;
	while (next_now(&si) == SIGRTMIN) {
		EXPECT_EQ(si.si_code, POLL_OUT);
		n++;
	}
	EXPECT(n == 1);
	EXPECT_OK(shutdown(s[1], SHUT_WR));
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_OK(close(s[1]));
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_HUP);
	EXPECT_EQ(si.si_band, POLLHUP | POLLERR);
	EXPECT_EQ(next_now(&si), 0);
}

TEST(a_listener_tells_of_connections)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
	siginfo_t si;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(bind(l, (struct sockaddr *)&un, sizeof(un)));
	REQUIRE_OK(listen(l, 5));
	EXPECT_OK(fcntl(l, F_SETOWN, getpid()));
	EXPECT_OK(fcntl(l, F_SETSIG, SIGRTMIN));
	EXPECT_OK(async_on(l));
	EXPECT_OK(connect(c, (struct sockaddr *)&un, sizeof(un)));
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_EQ(si.si_fd, l);
}

static void tcp_pair(int *l, int *c, int *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	*l = socket(AF_INET, SOCK_STREAM, 0);
	*c = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE_OK(bind(*l, (struct sockaddr *)&in, sizeof(in)));
	REQUIRE_OK(listen(*l, 5));
	REQUIRE_OK(getsockname(*l, (struct sockaddr *)&in, &len));
	REQUIRE_OK(connect(*c, (struct sockaddr *)&in, sizeof(in)));
	REQUIRE_OK(*a = accept(*l, NULL, NULL));
}

TEST(tcp_tells_of_data_and_the_end)
{
	int l, c, a;
	siginfo_t si;

	block(SIGIO, SIGRTMIN);
	tcp_pair(&l, &c, &a);
	EXPECT_OK(fcntl(a, F_SETOWN, getpid()));
	EXPECT_OK(fcntl(a, F_SETSIG, SIGRTMIN));
	EXPECT_OK(async_on(a));
	EXPECT_EQ(write(c, "x", 1), 1);
	EXPECT_EQ(next(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_EQ(si.si_fd, a);
	EXPECT_OK(shutdown(c, SHUT_WR));
	EXPECT_EQ(next(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
}

TEST(udp_tells_of_datagrams)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int u = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(in);
	siginfo_t si;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(bind(u, (struct sockaddr *)&in, sizeof(in)));
	REQUIRE_OK(getsockname(u, (struct sockaddr *)&in, &len));
	EXPECT_OK(fcntl(u, F_SETOWN, getpid()));
	EXPECT_OK(async_on(u));
	EXPECT_EQ(sendto(u, "x", 1, 0, (struct sockaddr *)&in, len), 1);
	EXPECT_EQ(next(&si), SIGIO);
	EXPECT_EQ(si.si_code, SI_KERNEL);
}

TEST(urgent_data_is_a_sigurg)
{
	int l, c, a;
	siginfo_t si;

	block(SIGURG, SIGIO);
	tcp_pair(&l, &c, &a);
	EXPECT_OK(fcntl(a, F_SETOWN, getpid()));
	EXPECT_EQ(send(c, "u", 1, MSG_OOB), 1);
	EXPECT_EQ(next(&si), SIGURG);
	EXPECT_EQ(si.si_code, SI_KERNEL);
}

TEST(inotify_tells_of_events)
{
	int in = inotify_init1(IN_NONBLOCK);
	siginfo_t si;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(in);
	REQUIRE_OK(inotify_add_watch(in, ".", IN_CREATE));
	EXPECT_OK(fcntl(in, F_SETOWN, getpid()));
	EXPECT_OK(fcntl(in, F_SETSIG, SIGRTMIN));
	EXPECT_OK(async_on(in));
	EXPECT_OK(mkdir("d", 0700));
	EXPECT_EQ(next(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_EQ(si.si_fd, in);
}

TEST(a_terminal_finds_its_owner_itself)
{
	int m, s, pid;
	siginfo_t si;
	struct termios tio;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(openpty(&m, &s, NULL, NULL, NULL));
	EXPECT_OK(async_on(s));
	pid = fcntl(s, F_GETOWN);
	EXPECT_EQ(pid, getpid());
	EXPECT_EQ(write(m, "a", 1), 1);
	usleep(50000);
	EXPECT_EQ(next_now(&si), 0);            /* no line yet */
	EXPECT_EQ(write(m, "\n", 1), 1);
	EXPECT_EQ(next(&si), SIGIO);
	EXPECT_OK(tcgetattr(s, &tio));
	cfmakeraw(&tio);
	EXPECT_OK(tcsetattr(s, TCSANOW, &tio));
	EXPECT_OK(fcntl(s, F_SETSIG, SIGRTMIN));
	EXPECT_EQ(write(m, "a", 1), 1);
	EXPECT_EQ(next(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_EQ(si.si_fd, s);
	EXPECT_OK(async_on(m));
	EXPECT_OK(fcntl(m, F_SETSIG, SIGRTMIN));
	EXPECT_EQ(write(s, "out", 3), 3);
	EXPECT_EQ(next(&si), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_IN);
	EXPECT_EQ(si.si_fd, m);
}

TEST(a_controlling_terminal_tells_its_foreground_group)
{
	int m, s, status;
	siginfo_t si;
	pid_t c;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(openpty(&m, &s, NULL, NULL, NULL));
	c = fork();
	if (c == 0) {
		setsid();
		EXPECT_OK(ioctl(s, TIOCSCTTY, 0));
		EXPECT_OK(async_on(s));
		EXPECT_EQ(fcntl(s, F_GETOWN), -getpid());
		EXPECT_EQ(write(m, "x\n", 2), 2);
		EXPECT_EQ(next(&si), SIGIO);
		_exit(test_failures != 0);
	}
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
}

TEST(the_number_told_is_the_one_it_was_set_by)
{
	siginfo_t si;
	int p[2], q;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(pipe(p));
	q = dup2(p[0], 77);
	EXPECT_OK(fcntl(q, F_SETOWN, getpid()));
	EXPECT_OK(fcntl(p[0], F_SETSIG, SIGRTMIN));
	EXPECT_OK(async_on(q));
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_fd, 77);
	/* It is on already: nothing changes. */
	EXPECT_OK(async_on(p[0]));
	EXPECT_OK(close(q));
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(next_now(&si), SIGRTMIN);
	EXPECT_EQ(si.si_fd, 77);
}

TEST_MAIN()
