/* poll, select, epoll, eventfd, signalfd. */
#include <sys/personality.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include "tests/lib/harness.h"

static void on_signal(int sig)
{
	(void)sig;
}

static void write_later(int fd)
{
	pid_t me = getpid();

	if (fork() == 0) {
		wait_until_asleep(me);
		(void)!write(fd, "x", 1);
		_exit(0);
	}
}

static void poke_later(int sig)
{
	pid_t me = getpid();

	if (fork() == 0) {
		wait_until_asleep(me);
		kill(me, sig);
		_exit(0);
	}
}

TEST(poll_waits_for_the_first_event)
{
	struct pollfd f[3];
	int p[2], q[2];

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(q));
	f[0] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	f[1] = (struct pollfd){ .fd = q[0], .events = POLLIN };
	f[2] = (struct pollfd){ .fd = -1, .events = POLLIN, .revents = 7 };
	EXPECT_EQ(poll(f, 3, 0), 0);
	EXPECT_EQ(poll(f, 3, 10), 0);
	EXPECT_EQ(f[2].revents, 0);
	write_later(q[1]);
	EXPECT_EQ(poll(f, 3, -1), 1);
	EXPECT_EQ(f[0].revents, 0);
	EXPECT_EQ(f[1].revents, POLLIN);
	f[0].fd = BAD_FD;
	EXPECT_EQ(poll(f, 1, -1), 1);
	EXPECT_EQ(f[0].revents, POLLNVAL);
	EXPECT_EQ(poll(NULL, 0, 1), 0);
	EXPECT_ERR(syscall(SYS_poll, BAD_PTR, 1, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_poll, f, 0x7fffffff, 0), EINVAL);
	wait(NULL);
}

TEST(poll_is_interrupted_by_handlers)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int p[2];

	REQUIRE_OK(pipe(p));
	sigaction(SIGUSR1, &sa, NULL);
	poke_later(SIGUSR1);
	struct pollfd f = { .fd = p[0], .events = POLLIN };
	EXPECT_ERR(poll(&f, 1, -1), EINTR);     /* even with SA_RESTART */
	wait(NULL);
}

TEST(ppoll_swaps_the_mask)
{
	struct timespec ts = { 5, 0 };
	sigset_t block, none;

	signal(SIGUSR1, on_signal);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	EXPECT_EQ(poll(NULL, 0, 1), 0);
	EXPECT_ERR(ppoll(NULL, 0, &ts, &none), EINTR);
	ts.tv_sec = -1;
	EXPECT_ERR(ppoll(NULL, 0, &ts, NULL), EINVAL);
}

TEST(select_fills_its_sets)
{
	struct timeval tv = { 0, 1000 };
	fd_set r, w, e;
	int p[2];

	REQUIRE_OK(pipe(p));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	EXPECT_EQ(select(p[1] + 1, &r, &w, &e, NULL), 1);
	EXPECT(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	FD_SET(p[0], &r);
	EXPECT_EQ(select(p[0] + 1, &r, NULL, NULL, &tv), 0);
	EXPECT(!FD_ISSET(p[0], &r));
	FD_SET(p[0], &r);
	write_later(p[1]);
	EXPECT_EQ(select(p[0] + 1, &r, NULL, NULL, NULL), 1);
	EXPECT(FD_ISSET(p[0], &r));
	FD_SET(60, &r);
	EXPECT_ERR(select(61, &r, NULL, NULL, NULL), EBADF);
	EXPECT_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	tv.tv_sec = -1;
	EXPECT_ERR(select(0, NULL, NULL, NULL, &tv), EINVAL);
	wait(NULL);
}

TEST(pselect_does_not_touch_its_timeout)
{
	struct timespec ts = { 0, 1000000 };

	EXPECT_EQ(pselect(0, NULL, NULL, NULL, &ts, NULL), 0);
	EXPECT_EQ(ts.tv_nsec, 1000000);
}

TEST(files_are_always_ready)
{
	struct pollfd f = { .events = POLLIN | POLLOUT };

	f.fd = open("f", O_RDWR | O_CREAT, 0600);
	EXPECT_EQ(poll(&f, 1, -1), 1);
	EXPECT_EQ(f.revents, POLLIN | POLLOUT);
}

static int ep_add(int ep, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = (uint64_t)fd | 0x123400000000 };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

TEST(epoll_level_triggered_repeats)
{
	struct epoll_event ev[4];
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2];
	char c;

	REQUIRE_OK(ep);
	REQUIRE_OK(pipe(p));
	EXPECT_OK(ep_add(ep, p[0], EPOLLIN));
	EXPECT_EQ(epoll_wait(ep, ev, 4, 0), 0);
	EXPECT_EQ(write(p[1], "ab", 2), 2);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(epoll_wait(ep, ev, 4, -1), 1);
		EXPECT_EQ(ev[0].events, EPOLLIN);
		EXPECT_EQ(ev[0].data.u64, (uint64_t)p[0] | 0x123400000000);
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(epoll_wait(ep, ev, 4, 0), 1);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(epoll_wait(ep, ev, 4, 0), 0);
	close(p[1]);
	EXPECT_EQ(epoll_wait(ep, ev, 4, -1), 1);
	EXPECT_EQ(ev[0].events, EPOLLHUP);
	close(p[0]);
	EXPECT_EQ(epoll_wait(ep, ev, 4, 0), 0);
}

TEST(epoll_edge_triggered_tells_once_a_change)
{
	struct epoll_event ev[4];
	int ep = epoll_create1(0), p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_OK(ep_add(ep, p[0], EPOLLIN | EPOLLET));
	EXPECT_EQ(write(p[1], "a", 1), 1);
	EXPECT_EQ(epoll_wait(ep, ev, 4, -1), 1);
	EXPECT_EQ(epoll_wait(ep, ev, 4, 0), 0);
	EXPECT_EQ(write(p[1], "b", 1), 1);
	EXPECT_EQ(epoll_wait(ep, ev, 4, -1), 1);
	EXPECT_EQ(epoll_wait(ep, ev, 4, 0), 0);
}

TEST(epoll_oneshot_needs_rearming)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT }, out[4];
	int ep = epoll_create1(0), p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	EXPECT_EQ(write(p[1], "a", 1), 1);
	EXPECT_EQ(epoll_wait(ep, out, 4, -1), 1);
	EXPECT_EQ(epoll_wait(ep, out, 4, 0), 0);
	EXPECT_EQ(write(p[1], "a", 1), 1);
	EXPECT_EQ(epoll_wait(ep, out, 4, 0), 0);
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev));
	EXPECT_EQ(epoll_wait(ep, out, 4, -1), 1);
}

TEST(epoll_ctl_checks)
{
	struct epoll_event ev = { .events = EPOLLIN }, out[2];
	int ep = epoll_create1(0), p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_OK(ep_add(ep, p[0], EPOLLIN));
	EXPECT_ERR(ep_add(ep, p[0], EPOLLIN), EEXIST);
	EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &ev), ENOENT);
	EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &ev), ENOENT);
	EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
	EXPECT_ERR(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &ev), EINVAL);
	EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, BAD_FD, &ev), EBADF);
	EXPECT_ERR(epoll_ctl(BAD_FD, EPOLL_CTL_ADD, p[0], &ev), EBADF);
	EXPECT_ERR(epoll_ctl(ep, 99, p[0], &ev), EINVAL);
	EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, open("f", O_RDWR | O_CREAT, 0600), &ev), EPERM);
	EXPECT_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], BAD_PTR), EFAULT);
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	EXPECT_ERR(epoll_wait(ep, out, 0, 0), EINVAL);
	EXPECT_ERR(epoll_wait(ep, out, -1, 0), EINVAL);
	EXPECT_ERR(epoll_wait(p[0], out, 1, 0), EINVAL);
	EXPECT_ERR(epoll_create(0), EINVAL);
	EXPECT_ERR(epoll_create1(1), EINVAL);
}

TEST(epolls_nest_but_not_in_circles)
{
	struct epoll_event ev = { .events = EPOLLIN }, out[2];
	int a = epoll_create1(0), b = epoll_create1(0), p[2];
	struct pollfd f = { .events = POLLIN };

	REQUIRE_OK(pipe(p));
	EXPECT_OK(ep_add(a, p[0], EPOLLIN));
	EXPECT_OK(ep_add(b, a, EPOLLIN));
	EXPECT_ERR(epoll_ctl(a, EPOLL_CTL_ADD, b, &ev), ELOOP);
	f.fd = b;
	EXPECT_EQ(poll(&f, 1, 0), 0);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(poll(&f, 1, -1), 1);
	EXPECT_EQ(epoll_wait(b, out, 2, -1), 1);
	EXPECT_EQ(epoll_wait(a, out, 2, -1), 1);
}

/* An event goes every way up: with a few hundred epolls there could be billions of them. */
TEST(there_are_not_ever_more_ways_between_epolls)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep[3][20], refused = 0, p[2];

	REQUIRE_OK(pipe(p));
	for (int level = 0; level < 3; level++)
		for (int i = 0; i < 20; i++) {
			ep[level][i] = epoll_create1(0);
			for (int k = 0; k < (level ? 20 : 1); k++)
				if (epoll_ctl(ep[level][i], EPOLL_CTL_ADD, level ? ep[level - 1][k] : p[0], &ev) < 0) {
					EXPECT_EQ(errno, EINVAL);
					refused++;
				}
		}
	EXPECT(refused > 0);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(epoll_wait(ep[0][19], &ev, 1, -1), 1);
	EXPECT_EQ(epoll_wait(ep[1][0], &ev, 1, -1), 1);
}

TEST(epoll_returns_events_fairly)
{
	struct epoll_event ev[2];
	int ep = epoll_create1(0), p[8][2], seen = 0;

	for (int i = 0; i < 8; i++) {
		REQUIRE_OK(pipe(p[i]));
		EXPECT_EQ(write(p[i][1], "x", 1), 1);
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[i][0], &e));
	}
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(epoll_wait(ep, ev, 2, 0), 2);
		seen |= 1 << ev[0].data.u32 | 1 << ev[1].data.u32;
	}
	EXPECT_EQ(seen, 0xff);
}

static int ep_shared;

static void *ep_waiter(void *arg)
{
	struct epoll_event ev;

	*(int *)arg = epoll_wait(ep_shared, &ev, 1, -1);
	return NULL;
}

TEST(epoll_can_change_while_another_thread_waits)
{
	pthread_t t;
	int got = -5, p[2];

	ep_shared = epoll_create1(0);
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(pthread_create(&t, NULL, ep_waiter, &got), 0);
	sleep_ms(20);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_OK(ep_add(ep_shared, p[0], EPOLLIN));
	pthread_join(t, NULL);
	EXPECT_EQ(got, 1);
}

TEST(epoll_pwait_is_interrupted)
{
	struct epoll_event ev;
	struct timespec ts = { 0, 1000000 };
	int ep = epoll_create1(0);
	sigset_t none;

	signal(SIGUSR1, on_signal);
	sigemptyset(&none);
	poke_later(SIGUSR1);
	EXPECT_ERR(epoll_pwait(ep, &ev, 1, -1, &none), EINTR);
	EXPECT_EQ(syscall(SYS_epoll_pwait2, ep, &ev, 1, &ts, NULL, 0), 0);
	wait(NULL);
}

TEST(eventfds_count)
{
	uint64_t v = 0;
	int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC), sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	struct pollfd f = { .fd = fd, .events = POLLIN | POLLOUT };

	REQUIRE(fd >= 0 && sem >= 0);
	EXPECT_EQ(read(fd, &v, 8), 8);
	EXPECT_EQ(v, 3);
	EXPECT_ERR(read(fd, &v, 8), EAGAIN);
	v = 5;
	EXPECT_EQ(write(fd, &v, 8), 8);
	EXPECT_EQ(write(fd, &v, 8), 8);
	EXPECT_EQ(poll(&f, 1, 0), 1);
	EXPECT_EQ(f.revents, POLLIN | POLLOUT);
	EXPECT_EQ(read(fd, &v, 8), 8);
	EXPECT_EQ(v, 10);
	v = ~0ull;
	EXPECT_ERR(write(fd, &v, 8), EINVAL);
	v = ~0ull - 1;
	EXPECT_EQ(write(fd, &v, 8), 8);
	EXPECT_ERR(write(fd, &(uint64_t){ 1 }, 8), EAGAIN);
	EXPECT_EQ(poll(&f, 1, 0), 1);
	EXPECT_EQ(f.revents, POLLIN);
	EXPECT_ERR(read(fd, &v, 4), EINVAL);
	EXPECT_ERR(write(fd, &v, 4), EINVAL);
	EXPECT_EQ(read(sem, &v, 8), 8);
	EXPECT_EQ(v, 1);
	EXPECT_EQ(read(sem, &v, 8), 8);
	EXPECT_ERR(read(sem, &v, 8), EAGAIN);
	EXPECT_ERR(eventfd(0, 0x100), EINVAL);
}

TEST(an_eventfd_reader_waits)
{
	uint64_t v = 9;
	int fd = eventfd(0, 0);
	pid_t me = getpid();

	if (fork() == 0) {
		wait_until_asleep(me);
		(void)!write(fd, &v, 8);
		_exit(0);
	}
	v = 0;
	EXPECT_EQ(read(fd, &v, 8), 8);
	EXPECT_EQ(v, 9);
	wait(NULL);
}

TEST(signalfd_reads_pending_signals)
{
	struct signalfd_siginfo si[2];
	struct pollfd f = { .events = POLLIN };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	REQUIRE_OK(fd);
	f.fd = fd;
	EXPECT_ERR(read(fd, si, sizeof(si)), EAGAIN);
	EXPECT_EQ(poll(&f, 1, 0), 0);
	raise(SIGUSR1);
	EXPECT_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 4 }));
	EXPECT_EQ(poll(&f, 1, -1), 1);
	EXPECT_EQ(read(fd, si, sizeof(si)), sizeof(si));
	EXPECT_EQ(si[0].ssi_signo, SIGUSR1);
	EXPECT_EQ(si[0].ssi_pid, getpid());
	EXPECT_EQ(si[1].ssi_signo, SIGRTMIN);
	EXPECT_EQ(si[1].ssi_int, 4);
	EXPECT_ERR(read(fd, si, 10), EINVAL);
	EXPECT_ERR(signalfd(0, &set, 0), EINVAL);
	EXPECT_ERR(signalfd(BAD_FD, &set, 0), EBADF);
	EXPECT_EQ(signalfd(fd, &set, 0), fd);
	fd = epoll_create1(0);
	EXPECT_OK(ep_add(fd, f.fd, EPOLLIN));
	poke_later(SIGUSR1);
	EXPECT_EQ(epoll_wait(fd, &(struct epoll_event){ 0 }, 1, -1), 1);
	wait(NULL);
}

/* Waits in an epoll of its own, says so, and comes back when woken. */
static void exclusive_waiter(int fd, int tell)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE };
	int ep = epoll_create1(0);

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0 && epoll_wait(ep, &ev, 1, -1) == 1)
		(void)!write(tell, "x", 1);
	pause();                                /* its epoll stays, with nobody waiting in it */
}

TEST(an_exclusive_wakeup_goes_to_an_epoll_in_which_somebody_waits)
{
	pid_t pid[4];
	int p[2], tell[2];
	char c;

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(tell));
	for (int i = 0; i < 4; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			exclusive_waiter(p[0], tell[1]);
	}
	for (int i = 0; i < 4; i++)
		wait_until_asleep(pid[i]);
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(write(p[1], "x", 1), 1);
		EXPECT_EQ(read(tell[0], &c, 1), 1);
		EXPECT_EQ(read(p[0], &c, 1), 1);
	}
	for (int i = 0; i < 4; i++)
		kill(pid[i], SIGKILL);
}

TEST(select_leaves_the_timeout_alone_on_request)
{
	struct timeval tv = { 0, 2000 };

	EXPECT_EQ(syscall(SYS_select, 0, NULL, NULL, NULL, &tv), 0);
	EXPECT_EQ(tv.tv_usec, 0);
	EXPECT(personality(STICKY_TIMEOUTS) >= 0);
	tv.tv_usec = 2000;
	EXPECT_EQ(syscall(SYS_select, 0, NULL, NULL, NULL, &tv), 0);
	EXPECT_EQ(tv.tv_usec, 2000);
}

/* ---- a signalfd that was inherited ---- */

static int inherited_sfd;

static void poll_inherited(void)
{
	struct pollfd p = { inherited_sfd, POLLIN, 0 };
	struct signalfd_siginfo si;
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	pid_t pid, me = getpid();

	EXPECT_EQ(poll(&p, 1, 0), 0);           /* the parent's signals are not ours */
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, inherited_sfd, &ev));
	EXPECT_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	pid = fork();
	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR2);
		_exit(0);
	}
	EXPECT_EQ(epoll_wait(ep, &ev, 1, 20000), 1);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(read(inherited_sfd, &si, sizeof(si)), sizeof(si));
	EXPECT_EQ(si.ssi_signo, SIGUSR2);
	EXPECT_EQ(poll(&p, 1, 0), 0);
	EXPECT_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	waitpid(pid, NULL, 0);
	pid = fork();
	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		_exit(0);
	}
	EXPECT_EQ(poll(&p, 1, 20000), 1);
	EXPECT_EQ(read(inherited_sfd, &si, sizeof(si)), sizeof(si));
	waitpid(pid, NULL, 0);
	pid = fork();
	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		_exit(0);
	}
	EXPECT_EQ(fcntl(inherited_sfd, F_SETFL, 0), 0);
	EXPECT_EQ(read(inherited_sfd, &si, sizeof(si)), sizeof(si));
	waitpid(pid, NULL, 0);
	/* Left in the epoll: both go with the process. */
}

TEST(an_inherited_signalfd_tells_of_the_poller)
{
	struct pollfd p;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	inherited_sfd = signalfd(-1, &set, SFD_NONBLOCK);
	REQUIRE(inherited_sfd >= 0);
	kill(getpid(), SIGUSR1);
	p = (struct pollfd){ inherited_sfd, POLLIN, 0 };
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(in_child(poll_inherited), 0);
	EXPECT_EQ(poll(&p, 1, 0), 1);
}

static int inherited_ep;

static void add_and_end(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	EXPECT_OK(epoll_ctl(inherited_ep, EPOLL_CTL_ADD, inherited_sfd, &ev));
}

TEST(an_epoll_outlives_who_added_a_signalfd)
{
	struct epoll_event ev;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	inherited_sfd = signalfd(-1, &set, SFD_NONBLOCK);
	inherited_ep = epoll_create1(0);
	REQUIRE(inherited_sfd >= 0 && inherited_ep >= 0);
	EXPECT_EQ(in_child(add_and_end), 0);
	EXPECT_EQ(epoll_wait(inherited_ep, &ev, 1, 0), 0);
	kill(getpid(), SIGUSR1);
	EXPECT_OK(epoll_ctl(inherited_ep, EPOLL_CTL_DEL, inherited_sfd, NULL));
	EXPECT_EQ(in_child(add_and_end), 0);
	close(inherited_sfd);
	EXPECT_EQ(epoll_wait(inherited_ep, &ev, 1, 0), 0);
	close(inherited_ep);
}

TEST_MAIN()
