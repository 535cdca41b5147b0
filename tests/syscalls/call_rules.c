/*
 * Rules of signals, timers, identities, pipes and local sockets that show in sequences of calls.  Each was found by
 * comparing random sequences with Linux.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "tests/lib/harness.h"

static volatile int caught;

static void on_signal(int sig)
{
	caught = sig;
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	REQUIRE_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

/* ---- signals and timers ---- */

TEST(a_signal_that_the_mask_of_ppoll_lets_in_interrupts_it_even_without_a_timeout)
{
	struct timespec now = { 0, 0 };
	sigset_t none;

	sigemptyset(&none);
	signal(SIGUSR1, on_signal);
	block(SIGUSR1);
	raise(SIGUSR1);
	EXPECT_ERR(ppoll(NULL, 0, &now, &none), EINTR);
	EXPECT_EQ(caught, SIGUSR1);
	EXPECT_EQ(ppoll(NULL, 0, &now, &none), 0);
	caught = 0;
	raise(SIGUSR1);
	EXPECT_ERR(pselect(0, NULL, NULL, NULL, &now, &none), EINTR);
	EXPECT_EQ(caught, SIGUSR1);
	EXPECT_EQ(pselect(0, NULL, NULL, NULL, &now, &none), 0);
}

TEST(who_ignores_sigchld_is_not_told_of_stops_even_while_it_is_blocked)
{
	sigset_t pending;
	int st;
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	block(SIGCHLD);
	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		pause();
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &st, WUNTRACED), pid);
	EXPECT(WIFSTOPPED(st));
	sigpending(&pending);
	EXPECT_EQ(sigismember(&pending, SIGCHLD), 0);
	kill(pid, SIGKILL);
}

TEST(a_timer_that_is_disarmed_has_no_interval_left)
{
	struct itimerval it = { { 3, 0 }, { 1000, 0 } }, got;
	struct itimerspec ts = { { 3, 0 }, { 0, 0 } }, now;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t t;

	EXPECT_OK(setitimer(ITIMER_REAL, &it, NULL));
	it.it_value.tv_sec = 0;
	EXPECT_OK(setitimer(ITIMER_REAL, &it, NULL));
	EXPECT_OK(getitimer(ITIMER_REAL, &got));
	EXPECT_EQ(got.it_interval.tv_sec, 0);
	REQUIRE_OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	EXPECT_OK(timer_settime(t, 0, &ts, NULL));
	EXPECT_OK(timer_gettime(t, &now));
	EXPECT_EQ(now.it_interval.tv_sec, 0);
	ts.it_value.tv_sec = 1000;
	EXPECT_OK(timer_settime(t, 0, &ts, NULL));
	EXPECT_OK(timer_gettime(t, &now));
	EXPECT_EQ(now.it_interval.tv_sec, 3);
}

/* ---- identities ---- */

TEST(setting_the_same_ids_again_leaves_those_of_the_file_system)
{
	REQUIRE(setfsuid(1000) == 0);
	REQUIRE(setfsgid(1000) == 0);
	EXPECT_OK(syscall(SYS_setresuid, -1, -1, -1));
	EXPECT_OK(syscall(SYS_setresuid, 0, -1, 0));
	EXPECT_OK(syscall(SYS_setresgid, 0, -1, -1));
	EXPECT_EQ(setfsuid((uid_t)-1), 1000);
	EXPECT_EQ(setfsgid((gid_t)-1), 1000);
	EXPECT_OK(syscall(SYS_setresuid, -1, 0, -1));
	EXPECT_OK(syscall(SYS_setresgid, -1, 0, -1));
	EXPECT_EQ(setfsuid((uid_t)-1), 0);
	EXPECT_EQ(setfsgid((gid_t)-1), 0);
}

/* ---- pipes, eventfd, epoll ---- */

TEST(a_write_of_more_than_a_packet_to_a_packet_pipe_becomes_several)
{
	static char big[10000];
	int p[2];

	REQUIRE_OK(pipe2(p, O_DIRECT | O_NONBLOCK));
	EXPECT_EQ(write(p[1], big, sizeof(big)), sizeof(big));
	EXPECT_EQ(read(p[0], big, sizeof(big)), 4096);
	EXPECT_EQ(read(p[0], big, sizeof(big)), 4096);
	EXPECT_EQ(read(p[0], big, sizeof(big)), sizeof(big) - 8192);
	EXPECT_ERR(read(p[0], big, sizeof(big)), EAGAIN);
}

TEST(an_eventfd_is_ready_in_the_two_plain_ways_only)
{
	int fd = eventfd(1, EFD_NONBLOCK), ep = epoll_create1(0);
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, 0 };

	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN | POLLOUT);
	EXPECT_ERR(ioctl(ep, FIONREAD, &fd), EINVAL);
}

/* ---- local sockets ---- */

TEST(a_reset_comes_before_the_packets_that_came_earlier)
{
	char buf[16];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	EXPECT_EQ(write(s[0], "unread", 6), 6);
	EXPECT_EQ(write(s[1], "abc", 3), 3);
	close(s[1]);
	EXPECT_ERR(read(s[0], buf, sizeof(buf)), ECONNRESET);
	EXPECT_EQ(read(s[0], buf, sizeof(buf)), 3);
	EXPECT_EQ(read(s[0], buf, sizeof(buf)), 0);
}

TEST(a_stream_gives_what_came_before_its_reset)
{
	char buf[16];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_EQ(write(s[0], "unread", 6), 6);
	EXPECT_EQ(write(s[1], "abc", 3), 3);
	close(s[1]);
	EXPECT_EQ(read(s[0], buf, sizeof(buf)), 3);
	EXPECT_ERR(read(s[0], buf, sizeof(buf)), ECONNRESET);
	EXPECT_EQ(read(s[0], buf, sizeof(buf)), 0);
}

TEST(who_learns_that_a_datagram_peer_is_gone_loses_what_it_had_sent)
{
	char buf[16];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
	EXPECT_EQ(write(s[1], "abc", 3), 3);
	close(s[1]);
	EXPECT_ERR(write(s[0], "x", 1), ECONNREFUSED);
	EXPECT_ERR(read(s[0], buf, sizeof(buf)), EAGAIN);
	EXPECT_ERR(write(s[0], "x", 1), ENOTCONN);
}

TEST(a_listener_that_is_shut_refuses_only_those_who_would_wait)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	sa_family_t unnamed = AF_UNIX;

	REQUIRE_OK(bind(s, (struct sockaddr *)&unnamed, sizeof(unnamed)));
	REQUIRE_OK(listen(s, 1));
	REQUIRE_OK(shutdown(s, SHUT_RDWR));
	EXPECT_ERR(accept(s, NULL, NULL), EINVAL);
	REQUIRE_OK(fcntl(s, F_SETFL, O_NONBLOCK));
	EXPECT_ERR(accept(s, NULL, NULL), EAGAIN);
}

TEST_MAIN()
