/* Calls that wait: what ends them, what they keep, and everything at once. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include "tests/lib/harness.h"

struct waiting {
	pthread_t thread;
	_Atomic pid_t tid;
	int fd, n;
	char buf[8];
	ssize_t got;
	int err;
};

/* Wait until that thread is in call @nr. */
static void wait_in_call(const struct waiting *w, long nr)
{
	char path[64], line[256];

	for (;;) {
		pid_t tid = atomic_load(&w->tid);
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
		f = tid ? fopen(path, "r") : NULL;
		if (f && fgets(line, sizeof(line), f) && line[0] >= '0' && line[0] <= '9' && atol(line) == nr) {
			fclose(f);
			return;
		}
		if (f)
			fclose(f);
		sched_yield();
	}
}

static void *reads(void *arg)
{
	struct waiting *w = arg;

	atomic_store(&w->tid, gettid());
	w->got = read(w->fd, w->buf, sizeof(w->buf));
	w->err = errno;
	return NULL;
}

static void nothing(int sig) { (void)sig; }

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = nothing, .sa_flags = flags };

	REQUIRE_OK(sigaction(sig, &sa, NULL));
}

TEST(a_read_goes_on_with_the_file_that_it_began_with)
{
	struct waiting w = { 0 };
	int a[2], b[2];

	REQUIRE_OK(pipe(a));
	REQUIRE_OK(pipe(b));
	w.fd = a[0];
	REQUIRE(pthread_create(&w.thread, NULL, reads, &w) == 0);
	wait_in_call(&w, SYS_read);
	REQUIRE_OK(dup2(b[0], a[0]));
	EXPECT_EQ(write(b[1], "b", 1), 1);
	EXPECT_EQ(write(a[1], "a", 1), 1);
	pthread_join(w.thread, NULL);
	EXPECT_EQ(w.got, 1);
	EXPECT_EQ(w.buf[0], 'a');
}

TEST(a_read_whose_descriptor_is_closed_goes_on)
{
	struct waiting w = { 0 };
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	w.fd = s[0];
	REQUIRE(pthread_create(&w.thread, NULL, reads, &w) == 0);
	wait_in_call(&w, SYS_read);
	close(s[0]);
	EXPECT_EQ(write(s[1], "a", 1), 1);
	pthread_join(w.thread, NULL);
	EXPECT_EQ(w.got, 1);
	EXPECT_ERR(send(s[1], "a", 1, MSG_NOSIGNAL), EPIPE);
}

static void signalled(int flags, ssize_t want, int err)
{
	struct waiting w = { 0 };
	int p[2];

	handle(SIGUSR1, flags);
	REQUIRE_OK(pipe(p));
	w.fd = p[0];
	REQUIRE(pthread_create(&w.thread, NULL, reads, &w) == 0);
	wait_in_call(&w, SYS_read);
	EXPECT_EQ(pthread_kill(w.thread, SIGUSR1), 0);
	if (want > 0)
		wait_in_call(&w, SYS_read);
	else
		pthread_join(w.thread, NULL);
	EXPECT_EQ(write(p[1], "ab", 2), 2);
	if (want > 0)
		pthread_join(w.thread, NULL);
	EXPECT_EQ(w.got, want);
	if (want < 0)
		EXPECT_EQ(w.err, err);
}

TEST(a_signal_interrupts_a_read) { signalled(0, -1, EINTR); }
TEST(a_read_is_restarted_after_a_signal) { signalled(SA_RESTART, 2, 0); }

static void *waits(void *arg)
{
	struct waiting *w = arg;
	struct epoll_event ev;
	sigset_t none, now;

	sigemptyset(&none);
	atomic_store(&w->tid, gettid());
	w->got = epoll_pwait(w->fd, &ev, 1, w->n, &none);
	w->err = errno;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	w->buf[0] = sigismember(&now, SIGUSR1) ? 'b' : 'u';
	return NULL;
}

static void *polls(void *arg)
{
	struct waiting *w = arg;
	struct pollfd p[3] = { { w->fd, POLLIN, 0 }, { -1, POLLIN, 0 }, { w->fd, POLLPRI, 0 } };
	sigset_t none, now;
	struct timespec ts = { w->n / 1000, w->n % 1000 * 1000000 };

	sigemptyset(&none);
	atomic_store(&w->tid, gettid());
	w->got = syscall(SYS_ppoll, p, 3, w->n < 0 ? NULL : &ts, &none, 8);
	w->err = errno;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	w->buf[0] = sigismember(&now, SIGUSR1) ? 'b' : 'u';
	w->buf[1] = w->n >= 0 && ts.tv_sec == 0 && ts.tv_nsec == 0 ? '0' : '+';
	return NULL;
}

static int epoll_of(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events };
	int ep = epoll_create1(0);

	REQUIRE(ep >= 0);
	REQUIRE_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return ep;
}

/* Events that somebody else takes away wake the waiter for nothing. */
static void disturb(int efd, int times)
{
	uint64_t one = 1;

	for (int i = 0; i < times; i++) {
		EXPECT_EQ(write(efd, &one, 8), 8);
		(void)!read(efd, &one, 8);
	}
}

TEST(a_mask_is_swapped_once_however_often_the_waiter_is_woken)
{
	struct waiting w = { .n = -1 };
	int efd = eventfd(0, EFD_NONBLOCK), out = eventfd(0, EFD_NONBLOCK);
	sigset_t usr;

	REQUIRE(efd >= 0 && out >= 0);
	handle(SIGUSR1, SA_RESTART);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	REQUIRE(pthread_sigmask(SIG_BLOCK, &usr, NULL) == 0);
	/* EPOLLOUT of a full one: each read of it wakes, and it is full again. */
	uint64_t full = UINT64_MAX - 1, got;

	EXPECT_EQ(write(out, &full, 8), 8);
	w.fd = epoll_of(out, EPOLLIN | EPOLLET);
	(void)!epoll_wait(w.fd, &(struct epoll_event){ 0 }, 1, 0);
	REQUIRE(pthread_create(&w.thread, NULL, waits, &w) == 0);
	wait_in_call(&w, SYS_epoll_pwait);
	for (int i = 0; i < 50; i++)
		EXPECT_EQ(read(out, &got, 8) + write(out, &full, 8), 16);
	EXPECT_EQ(pthread_kill(w.thread, SIGUSR1), 0);
	pthread_join(w.thread, NULL);
	EXPECT_EQ(w.buf[0], 'b');
}

static void timed(void *(*fn)(void *), int fd, int efd, long nr, char left)
{
	struct waiting w = { .n = 300, .fd = fd };
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	REQUIRE(pthread_create(&w.thread, NULL, fn, &w) == 0);
	wait_in_call(&w, nr);
	disturb(efd, 20);
	pthread_join(w.thread, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	EXPECT_EQ(w.got, 0);
	EXPECT((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 >= 299);
	EXPECT(!left || w.buf[1] == left);
}

TEST(a_timeout_is_not_prolonged_by_wakes_for_nothing)
{
	int efd = eventfd(0, EFD_NONBLOCK);

	REQUIRE(efd >= 0);
	timed(waits, epoll_of(efd, EPOLLPRI), efd, SYS_epoll_pwait, 0);
	timed(polls, epoll_of(efd, EPOLLPRI), efd, SYS_ppoll, '0');
}

TEST(a_poll_restores_its_mask_and_is_not_restarted)
{
	struct waiting w = { .n = -1, .fd = eventfd(0, 0) };
	sigset_t usr;

	handle(SIGUSR1, SA_RESTART);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	REQUIRE(pthread_sigmask(SIG_BLOCK, &usr, NULL) == 0);
	REQUIRE(pthread_create(&w.thread, NULL, polls, &w) == 0);
	wait_in_call(&w, SYS_ppoll);
	EXPECT_EQ(pthread_kill(w.thread, SIGUSR1), 0);
	pthread_join(w.thread, NULL);
	EXPECT_EQ(w.got, -1);
	EXPECT_EQ(w.err, EINTR);
	EXPECT_EQ(w.buf[0], 'b');
}

TEST(timeouts_and_events_race)
{
	int p[2], ep, got = 0;
	struct epoll_event ev;
	char c;

	REQUIRE_OK(pipe2(p, O_NONBLOCK));
	ep = epoll_of(p[0], EPOLLIN);
	if (fork() == 0) {
		for (int i = 0; i < 300; i++) {
			usleep(900);
			(void)!write(p[1], "x", 1);
		}
		_exit(0);
	}
	while (got < 300) {
		int n = epoll_wait(ep, &ev, 1, 1);

		REQUIRE(n == 0 || n == 1);
		if (n == 1)
			while (read(p[0], &c, 1) == 1)
				got++;
	}
	wait(NULL);
}

/* ---- who is woken ---- */

struct ep_waiter { struct waiting w; struct epoll_event *to, ev; };

static void *ep_waits(void *arg)
{
	struct ep_waiter *e = arg;

	atomic_store(&e->w.tid, gettid());
	e->w.got = epoll_wait(e->w.fd, e->to, 1, -1);
	e->w.err = errno;
	return NULL;
}

TEST(what_stays_ready_wakes_all_who_wait)
{
	struct ep_waiter e[3] = { 0 };
	int p[2];

	REQUIRE_OK(pipe(p));
	e[0].w.fd = epoll_of(p[0], EPOLLIN);
	for (int i = 0; i < 3; i++) {
		e[i].w.fd = e[0].w.fd;
		e[i].to = &e[i].ev;
		REQUIRE(pthread_create(&e[i].w.thread, NULL, ep_waits, &e[i]) == 0);
		wait_in_call(&e[i].w, SYS_epoll_wait);
	}
	EXPECT_EQ(write(p[1], "x", 1), 1);
	for (int i = 0; i < 3; i++) {
		pthread_join(e[i].w.thread, NULL);
		EXPECT_EQ(e[i].w.got, 1);
	}
}

TEST(an_event_that_could_not_be_told_is_the_next_threads)
{
	struct ep_waiter e[3] = { 0 };
	int p[2], ep;

	REQUIRE_OK(pipe(p));
	ep = epoll_of(p[0], EPOLLIN | EPOLLET);
	/* Whoever is first, by age or by youth, has a bad buffer. */
	for (int i = 0; i < 3; i++) {
		void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		e[i].w.fd = ep;
		e[i].to = i == 1 ? &e[i].ev : m;
		REQUIRE(pthread_create(&e[i].w.thread, NULL, ep_waits, &e[i]) == 0);
		wait_in_call(&e[i].w, SYS_epoll_wait);
	}
	munmap(e[0].to, 4096);
	munmap(e[2].to, 4096);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	pthread_join(e[1].w.thread, NULL);
	EXPECT_EQ(e[1].w.got, 1);
}

/* ---- what was read of the caller's memory and state when the call began holds ---- */

static struct timespec shared_ts = { 0, 300000000 };

static void *pwaits2(void *arg)
{
	struct waiting *w = arg;
	struct epoll_event ev;

	atomic_store(&w->tid, gettid());
	w->got = syscall(SYS_epoll_pwait2, w->fd, &ev, 1, &shared_ts, NULL, 8);
	w->err = errno;
	return NULL;
}

TEST(a_timeout_is_read_once)
{
	struct waiting w = { 0 };
	int efd = eventfd(0, EFD_NONBLOCK);

	w.fd = epoll_of(efd, EPOLLPRI);
	REQUIRE(pthread_create(&w.thread, NULL, pwaits2, &w) == 0);
	wait_in_call(&w, SYS_epoll_pwait2);
	shared_ts.tv_nsec = -1;
	disturb(efd, 3);
	pthread_join(w.thread, NULL);
	EXPECT_EQ(w.got, 0);
}

static struct pollfd shared_poll[2];
static fd_set shared_set;

static void *polls_shared(void *arg)
{
	struct waiting *w = arg;

	atomic_store(&w->tid, gettid());
	w->got = w->n ? select(w->n, &shared_set, NULL, NULL, NULL) : poll(shared_poll, 2, -1);
	w->err = errno;
	return NULL;
}

TEST(what_is_polled_is_read_once)
{
	int a = eventfd(0, EFD_NONBLOCK), b = eventfd(1, EFD_NONBLOCK);
	struct waiting w = { 0 }, s = { .n = a + 1 };

	shared_poll[0] = (struct pollfd){ a, POLLIN, 0 };
	shared_poll[1] = (struct pollfd){ -1, POLLIN, 0 };
	FD_ZERO(&shared_set);
	FD_SET(a, &shared_set);
	REQUIRE(pthread_create(&w.thread, NULL, polls_shared, &w) == 0);
	REQUIRE(pthread_create(&s.thread, NULL, polls_shared, &s) == 0);
	wait_in_call(&w, SYS_poll);
	wait_in_call(&s, SYS_pselect6);
	shared_poll[1].fd = b;          /* it is ready, but nobody asked for it in time */
	FD_CLR(a, &shared_set);
	disturb(a, 3);
	EXPECT_EQ(write(a, &(uint64_t){ 1 }, 8), 8);
	pthread_join(w.thread, NULL);
	pthread_join(s.thread, NULL);
	EXPECT_EQ(w.got, 1);
	EXPECT_EQ(shared_poll[0].revents, POLLIN);
	EXPECT_EQ(shared_poll[1].revents, 0);
	EXPECT_EQ(s.got, 1);
	EXPECT(FD_ISSET(a, &shared_set));
}

static void *waits_for_group(void *arg)
{
	struct waiting *w = arg;

	atomic_store(&w->tid, gettid());
	w->got = wait4(0, NULL, 0, NULL);
	w->err = errno;
	return NULL;
}

TEST(wait4_waits_for_the_group_that_it_was_called_in)
{
	struct waiting w = { 0 };
	int p[2], child;
	char c;

	REQUIRE_OK(pipe(p));
	child = fork();
	if (child == 0) {
		close(p[1]);
		(void)!read(p[0], &c, 1);
		_exit(0);
	}
	REQUIRE(pthread_create(&w.thread, NULL, waits_for_group, &w) == 0);
	wait_in_call(&w, SYS_wait4);
	EXPECT_OK(setpgid(0, 0));
	close(p[1]);
	pthread_join(w.thread, NULL);
	EXPECT_EQ(w.got, child);
}

/* Two wait, one gets the byte: the other one waits on, whatever became of the socket meanwhile. */
static void two_receivers(bool nonblock)
{
	struct timeval tv = { 0, 1000 };
	struct waiting w[2] = { 0 };
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	for (int i = 0; i < 2; i++) {
		w[i].fd = s[0];
		REQUIRE(pthread_create(&w[i].thread, NULL, reads, &w[i]) == 0);
		wait_in_call(&w[i], SYS_read);
	}
	if (nonblock)
		EXPECT_OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
	else
		EXPECT_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	EXPECT_EQ(write(s[1], "x", 1), 1);
	sleep_ms(20);                   /* for the fault to show; right without */
	EXPECT_EQ(write(s[1], "y", 1), 1);
	close(s[1]);
	pthread_join(w[0].thread, NULL);
	pthread_join(w[1].thread, NULL);
	EXPECT(w[0].got >= 0);
	EXPECT(w[1].got >= 0);
	EXPECT_EQ(w[0].got + w[1].got, 2);
}

TEST(who_waits_does_not_become_nonblocking) { two_receivers(true); }
TEST(a_receive_timeout_is_for_later_calls) { two_receivers(false); }

/* ---- everything at once ---- */

static void *storms(void *arg)
{
	struct waiting *w = arg;
	struct epoll_event ev;
	sigset_t none;
	char c;

	sigemptyset(&none);
	for (int i = 0;; i++) {
		if (i % 3 == 0)
			(void)!read(w->fd, &c, 1);
		else
			(void)epoll_pwait(w->n, &ev, 1, i % 3, i % 2 ? &none : NULL);
	}
	return NULL;
}

/* Waits that are ended by data, signals and deadlines; then all die, are killed, or exec. */
TEST(waits_end_by_everything_at_once)
{
	for (int round = 0; round < 12; round++) {
		int child = fork(), status;

		if (child == 0) {
			char *argv[] = { "blocked", "no such test", NULL };
			struct waiting w[6] = { 0 };
			int p[2];

			handle(SIGUSR1, 0);
			REQUIRE_OK(pipe(p));
			for (int i = 0; i < 6; i++) {
				w[i].fd = p[0];
				w[i].n = i % 2 ? epoll_of(p[0], EPOLLIN) : i ? w[i - 1].n : epoll_of(p[0], EPOLLIN);
				REQUIRE(pthread_create(&w[i].thread, NULL, storms, &w[i]) == 0);
			}
			for (int i = 0; i < 400; i++) {
				(void)!write(p[1], "xx", 2);
				pthread_kill(w[i % 6].thread, SIGUSR1);
				if (i % 50 == 49)
					sleep_ms(1);
			}
			if (round % 3 == 0)
				_exit(7);
			if (round % 3 == 1)
				kill(getpid(), SIGKILL);
			execv("/proc/self/exe", argv);
			_exit(8);
		}
		EXPECT_EQ(waitpid(child, &status, 0), child);
		EXPECT(round % 3 == 0 ? WEXITSTATUS(status) == 7 : round % 3 == 1 ? WIFSIGNALED(status) : status == 0);
	}
}

static struct { int fd; _Atomic long got; } shared;

static void *takes(void *arg)
{
	struct waiting *w = arg;
	char c;

	atomic_store(&w->tid, gettid());
	for (;;) {
		ssize_t n = w->n ? recv(shared.fd, &c, 1, 0) : read(shared.fd, &c, 1);

		if (n == 1)
			atomic_fetch_add(&shared.got, 1);
		else if (n == 0)
			return NULL;
		else
			FAIL("read: errno %d", errno);
	}
}

/* Each byte goes to one of those who wait, however they are disturbed. */
static void everybody(int in, int out, bool recv)
{
	struct waiting w[6] = { 0 };
	long sent = 0;

	handle(SIGUSR1, SA_RESTART);
	shared.fd = in;
	atomic_store(&shared.got, 0);
	for (int i = 0; i < 6; i++) {
		w[i].n = recv;
		REQUIRE(pthread_create(&w[i].thread, NULL, takes, &w[i]) == 0);
	}
	for (int i = 0; i < 1500; i++) {
		sent += write(out, "xyz", i % 3 + 1);
		if (i % 4 == 0)
			pthread_kill(w[i / 4 % 6].thread, SIGUSR1);
		if (i % 16 == 0)
			sched_yield();
	}
	close(out);
	for (int i = 0; i < 6; i++)
		pthread_join(w[i].thread, NULL);
	EXPECT_EQ(atomic_load(&shared.got), sent);
}

TEST(readers_of_a_pipe_share_it)
{
	int p[2];

	REQUIRE_OK(pipe(p));
	everybody(p[0], p[1], false);
}

TEST(readers_of_a_socket_share_it)
{
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	everybody(s[0], s[1], true);
}

/* A process with threads in every kind of wait. */
static void many_waits(void)
{
	static struct waiting w[12];
	static const long nr[4] = { SYS_read, SYS_read, SYS_epoll_pwait, SYS_ppoll };
	int p[2], s[2];

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	for (int i = 0; i < 12; i++) {
		w[i].fd = i % 4 == 0 ? p[0] : i % 4 == 2 ? epoll_of(p[0], EPOLLIN) : s[0];
		w[i].n = -1;
		REQUIRE(pthread_create(&w[i].thread, NULL, i % 4 == 3 ? polls : i % 4 == 2 ? waits : reads, &w[i]) == 0);
	}
	for (int i = 0; i < 12; i++)
		wait_in_call(&w[i], nr[i % 4]);
}

static void ends_itself(void)
{
	many_waits();
	_exit(7);
}

static void is_replaced(void)
{
	char *argv[] = { "blocked", "no such test", NULL };

	many_waits();
	execv("/proc/self/exe", argv);
}

TEST(exit_ends_all_waits)
{
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(in_child(ends_itself), 7);
}

TEST(exec_ends_all_waits)
{
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(in_child(is_replaced), 0);
}

TEST(a_kill_ends_all_waits)
{
	for (int i = 0; i < 20; i++) {
		int p[2], status;
		pid_t pid;
		char c;

		REQUIRE_OK(pipe(p));
		pid = fork();
		if (pid == 0) {
			many_waits();
			(void)!write(p[1], "r", 1);
			(void)!read(p[0], &c, 0);
			pause();
		}
		EXPECT_EQ(read(p[0], &c, 1), 1);
		EXPECT_OK(kill(pid, SIGKILL));
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		close(p[0]);
		close(p[1]);
	}
}

static void *awaits(void *arg)
{
	struct waiting *w = arg;
	int status = 0;

	w->got = waitpid(w->fd, &status, 0);
	w->n = WEXITSTATUS(status);
	return NULL;
}

TEST(each_thread_gets_its_child)
{
	struct waiting w[8] = { 0 };

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++) {
			w[i].fd = fork();
			if (w[i].fd == 0)
				_exit(i + 1);
			REQUIRE(pthread_create(&w[i].thread, NULL, awaits, &w[i]) == 0);
		}
		for (int i = 0; i < 8; i++) {
			pthread_join(w[i].thread, NULL);
			EXPECT_EQ(w[i].got, w[i].fd);
			EXPECT_EQ(w[i].n, i + 1);
		}
	}
}

TEST_MAIN()
