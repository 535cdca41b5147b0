/*
 * aio.c - native asynchronous I/O: io_setup, io_submit, io_getevents, io_cancel, io_destroy, io_pgetevents.
 */
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "tests/lib/harness.h"

static long setup(unsigned nr, aio_context_t *ctx) { return syscall(SYS_io_setup, nr, ctx); }
static long destroy(aio_context_t ctx) { return syscall(SYS_io_destroy, ctx); }
static long submit1(aio_context_t ctx, struct iocb *cb) { return syscall(SYS_io_submit, ctx, 1L, &cb); }

static long fetch(aio_context_t ctx, long min, long max, struct io_event *ev, struct timespec *ts)
{
	return syscall(SYS_io_getevents, ctx, min, max, ev, ts);
}

static struct iocb request(int op, int fd, void *buf, size_t n, long long off)
{
	return (struct iocb){ .aio_data = 77, .aio_key = 1, .aio_lio_opcode = (unsigned short)op, .aio_fildes = (unsigned)fd,
			      .aio_buf = (unsigned long)buf, .aio_nbytes = n, .aio_offset = off };
}

/* Submit it and return its result. */
static long long result_of(aio_context_t ctx, struct iocb cb)
{
	struct io_event ev = { 0 };

	REQUIRE(submit1(ctx, &cb) == 1);
	REQUIRE(fetch(ctx, 1, 1, &ev, NULL) == 1);
	EXPECT_EQ(ev.data, 77);
	EXPECT_EQ(ev.obj, (unsigned long)&cb);
	EXPECT_EQ(cb.aio_key, 0);
	return ev.res;
}

TEST(contexts_are_made_once_and_destroyed_once)
{
	aio_context_t ctx = 0, old;

	EXPECT_ERR(setup(0, &ctx), EINVAL);
	EXPECT_ERR(setup(0x40000000, &ctx), EINVAL);
	EXPECT_ERR(setup(0x400001, &ctx), EINVAL);
	EXPECT_ERR(setup(0x300000, &ctx), EAGAIN);
	EXPECT_ERR(setup(1, BAD_PTR), EFAULT);
	REQUIRE_OK(setup(1, &ctx));
	EXPECT(ctx != 0);
	EXPECT_ERR(setup(1, &ctx), EINVAL);
	EXPECT_EQ(*(volatile char *)ctx & 0, 0);       /* programs look into the ring */
	old = ctx;
	EXPECT_OK(destroy(ctx));
	EXPECT_ERR(destroy(old), EINVAL);
	EXPECT_ERR(destroy(0), EINVAL);
	EXPECT_ERR(fetch(old, 0, 1, NULL, NULL), EINVAL);
}

TEST(a_context_belongs_to_its_address_space)
{
	aio_context_t ctx = 0;
	int status;
	pid_t pid;

	REQUIRE_OK(setup(4, &ctx));
	pid = fork();
	if (pid == 0)
		_exit(destroy(ctx) == -1 && errno == EINVAL ? 0 : 1);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(status, 0);
	EXPECT_OK(destroy(ctx));
}

TEST(reads_writes_and_syncs_tell_their_results)
{
	char buf[16] = "";
	struct iovec iov[2] = { { buf, 2 }, { buf + 4, 3 } };
	aio_context_t ctx = 0;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(setup(8, &ctx));
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_PWRITE, fd, "hello world", 11, 0)), 11);
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_PREAD, fd, buf, 5, 6)), 5);
	EXPECT_STR(buf, "world");
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_PREADV, fd, iov, 2, 0)), 5);
	EXPECT(memcmp(buf, "herlllo", 7) == 0);
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_PWRITEV, fd, iov, 2, 20)), 5);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 25);
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_FSYNC, fd, NULL, 0, 0)), 0);
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_FDSYNC, fd, NULL, 0, 0)), 0);
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_PREAD, fd, buf, 5, 100)), 0);
	EXPECT_EQ(result_of(ctx, request(IOCB_CMD_PREAD, fd, BAD_PTR, 5, 0)), -EFAULT);
}

TEST(bad_requests_are_refused_at_once)
{
	char buf[8];
	struct iocb good, cb, *two[2] = { &good, &cb }, *null[1] = { NULL };
	aio_context_t ctx = 0;
	int fd = open("f", O_RDONLY | O_CREAT, 0600), p[2];

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(setup(8, &ctx));
	cb = request(IOCB_CMD_PWRITE, fd, buf, 1, 0);
	EXPECT_ERR(submit1(ctx, &cb), EBADF);
	cb = request(IOCB_CMD_PREAD, BAD_FD, buf, 1, 0);
	EXPECT_ERR(submit1(ctx, &cb), EBADF);
	cb = request(99, fd, buf, 1, 0);
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, (size_t)-1, 0);
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 1, 0);
	cb.aio_reserved2 = 1;
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 1, 0);
	cb.aio_rw_flags = 0x8000;
	EXPECT_ERR(submit1(ctx, &cb), EOPNOTSUPP);
	cb = request(IOCB_CMD_PREAD, fd, buf, 1, 0);
	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)p[0];
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_FSYNC, fd, buf, 0, 0);
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_FSYNC, p[1], NULL, 0, 0);
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_PREAD, fd, buf, 1, -1);
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_POLL, fd, (void *)POLLPRI, 0, 0);
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	cb = request(IOCB_CMD_POLL, p[0], (void *)0x10001, 0, 0);
	EXPECT_ERR(submit1(ctx, &cb), EINVAL);
	EXPECT_ERR(syscall(SYS_io_submit, ctx, -1L, two), EINVAL);
	EXPECT_ERR(syscall(SYS_io_submit, ctx, 1L, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_io_submit, ctx, 1L, null), EFAULT);
	EXPECT_ERR(syscall(SYS_io_submit, (aio_context_t)0, 1L, two), EINVAL);
	EXPECT_EQ(syscall(SYS_io_submit, ctx, 0L, NULL), 0);
	/* What came before the bad one was submitted. */
	good = request(IOCB_CMD_PREAD, fd, buf, 1, 0);
	cb = request(99, fd, buf, 1, 0);
	EXPECT_EQ(syscall(SYS_io_submit, ctx, 2L, two), 1);
}

TEST(a_full_context_says_EAGAIN_and_a_fault_loses_no_result)
{
	char buf[8];
	struct io_event ev[8], none;
	struct timespec zero = { 0, 0 }, soon = { 0, 20000000 };
	struct iocb cb = request(IOCB_CMD_PREAD, open("f", O_RDONLY | O_CREAT, 0600), buf, 1, 0);
	aio_context_t ctx = 0;
	long n = 0;

	REQUIRE_OK(setup(1, &ctx));
	while (n < 100000 && submit1(ctx, &cb) == 1)
		n++;
	EXPECT_EQ(errno, EAGAIN);
	EXPECT(n >= 1 && n < 100000);
	EXPECT_ERR(fetch(ctx, 1, 1, BAD_PTR, NULL), EFAULT);
	EXPECT_ERR(fetch(ctx, 2, 1, ev, NULL), EINVAL);
	EXPECT_ERR(fetch(ctx, -1, 1, ev, NULL), EINVAL);
	EXPECT_ERR(fetch(ctx, 1, 1, ev, BAD_PTR), EFAULT);
	while (n > 0) {
		long got = fetch(ctx, 1, 8, ev, &zero);

		REQUIRE(got > 0);
		n -= got;
	}
	EXPECT_EQ(fetch(ctx, 1, 1, &none, &zero), 0);
	EXPECT_EQ(fetch(ctx, 1, 1, &none, &soon), 0);
	EXPECT_EQ(submit1(ctx, &cb), 1);
}

TEST(a_poll_ends_when_its_file_is_ready)
{
	struct timespec zero = { 0, 0 };
	struct io_event ev = { 0 };
	struct iocb cb;
	aio_context_t ctx = 0;
	int p[2], status;
	pid_t pid;

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(setup(8, &ctx));
	cb = request(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0);
	REQUIRE(submit1(ctx, &cb) == 1);
	EXPECT_EQ(fetch(ctx, 0, 1, &ev, &zero), 0);
	pid = fork();
	if (pid == 0) {
		wait_until_asleep(getppid());
		_exit(write(p[1], "x", 1) != 1);
	}
	EXPECT_EQ(fetch(ctx, 1, 1, &ev, NULL), 1);
	EXPECT(ev.res & POLLIN);
	REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
	cb.aio_fildes = (unsigned)open("f", O_RDONLY | O_CREAT, 0600);
	EXPECT_EQ(result_of(ctx, cb), POLLIN);
	/* Ready already; and hanging up counts unasked. */
	cb.aio_fildes = (unsigned)p[0];
	EXPECT_EQ(result_of(ctx, cb), POLLIN);
	close(p[1]);
	cb.aio_buf = 0;
	EXPECT_EQ(read(p[0], &status, 1), 1);
	EXPECT_EQ(result_of(ctx, cb), POLLHUP);
}

static void *fetch_all(void *arg)
{
	struct io_event ev[4];
	long n = 0, r;

	while (n < 2000) {
		r = fetch(*(aio_context_t *)arg, 1, 4, ev, NULL);
		if (r < 0)
			return (void *)(long)errno;
		for (long i = 0; i < r; i++)
			if (ev[i].data != 77 || !(ev[i].res & POLLIN))
				return (void *)-1l;
		n += r;
	}
	return NULL;
}

static void *make_ready_and_not(void *arg)
{
	uint64_t one = 1;

	for (int fd = *(int *)arg; write(fd, &one, 8) == 8; )
		(void)!read(fd, &one, 8);
	return NULL;
}

/* Polls end at every moment of their submission. */
TEST(polls_of_a_file_that_turns_ready_all_the_time)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	aio_context_t ctx = 0;
	pthread_t fetcher, writer;
	void *r;

	REQUIRE(fd >= 0);
	REQUIRE_OK(setup(64, &ctx));
	REQUIRE(pthread_create(&fetcher, NULL, fetch_all, &ctx) == 0);
	REQUIRE(pthread_create(&writer, NULL, make_ready_and_not, &fd) == 0);
	for (int n = 0; n < 2000; ) {
		struct iocb cb = request(IOCB_CMD_POLL, fd, (void *)POLLIN, 0, 0);

		if (submit1(ctx, &cb) == 1)
			n++;
		else
			sched_yield();
	}
	pthread_join(fetcher, &r);
	EXPECT_EQ((long)r, 0);
}

TEST(a_poll_can_be_cancelled_and_may_be_left_behind)
{
	struct io_event ev = { 0 };
	struct iocb cb, other;
	aio_context_t ctx = 0;
	int p[2];

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(setup(8, &ctx));
	other = cb = request(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0);
	REQUIRE(submit1(ctx, &cb) == 1);
	EXPECT_ERR(syscall(SYS_io_cancel, ctx, BAD_PTR, &ev), EFAULT);
	EXPECT_ERR(syscall(SYS_io_cancel, (aio_context_t)0, &cb, &ev), EINVAL);
	EXPECT_ERR(syscall(SYS_io_cancel, ctx, &other, &ev), EINVAL);
	EXPECT_ERR(syscall(SYS_io_cancel, ctx, &cb, &ev), EINPROGRESS);
	EXPECT_EQ(fetch(ctx, 1, 1, &ev, NULL), 1);
	EXPECT_EQ(ev.res, 0);
	EXPECT_ERR(syscall(SYS_io_cancel, ctx, &cb, &ev), EINVAL);
	signal(SIGPIPE, SIG_IGN);
	REQUIRE(submit1(ctx, &other) == 1);
	close(p[0]);
	EXPECT_OK(destroy(ctx));
	EXPECT_ERR(write(p[1], "x", 1), EPIPE);
}

/* The end of a file may take any lock, so it comes after the results are handed out. */
TEST(a_poll_is_the_last_to_hold_a_terminal)
{
	struct io_event ev = { 0 };
	struct iocb cb;
	aio_context_t ctx = 0;
	int zero = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY), slave;

	if (master < 0)
		SKIP("no terminals");
	REQUIRE_OK(setup(8, &ctx));
	REQUIRE_OK(ioctl(master, TIOCSPTLCK, &zero));
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	REQUIRE_OK(slave);
	EXPECT_EQ(write(slave, "x", 1), 1);
	cb = request(IOCB_CMD_POLL, master, (void *)POLLIN, 0, 0);
	REQUIRE(submit1(ctx, &cb) == 1);
	close(master);
	EXPECT_EQ(fetch(ctx, 1, 1, &ev, NULL), 1);
	EXPECT(ev.res & POLLIN);
	EXPECT_ERR(write(slave, "x", 1), EIO);
}

TEST(results_count_in_an_eventfd)
{
	char buf[4];
	struct iocb cb = request(IOCB_CMD_PREAD, open("f", O_RDONLY | O_CREAT, 0600), buf, 1, 0);
	aio_context_t ctx = 0;
	uint64_t count = 0;

	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)eventfd(0, EFD_NONBLOCK);
	REQUIRE_OK(setup(8, &ctx));
	EXPECT_EQ(submit1(ctx, &cb), 1);
	EXPECT_EQ(submit1(ctx, &cb), 1);
	EXPECT_EQ(read((int)cb.aio_resfd, &count, 8), 8);
	EXPECT_EQ(count, 2);
}

static void on_alarm(int sig) { (void)sig; }

TEST(signals_end_the_wait_and_pgetevents_masks_them)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct timespec soon = { 0, 100000000 };
	struct { const void *set; size_t size; } sig;
	struct io_event ev;
	aio_context_t ctx = 0;
	sigset_t set;

	REQUIRE_OK(setup(8, &ctx));
	sigaction(SIGALRM, &sa, NULL);
	ualarm(50000, 0);
	EXPECT_ERR(fetch(ctx, 1, 1, &ev, NULL), EINTR);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sig.set = &set;
	sig.size = 8;
	ualarm(20000, 0);
	EXPECT_EQ(syscall(SYS_io_pgetevents, ctx, 1L, 1L, &ev, &soon, &sig), 0);
	sig.size = 4;
	EXPECT_ERR(syscall(SYS_io_pgetevents, ctx, 1L, 1L, &ev, &soon, &sig), EINVAL);
	EXPECT_ERR(syscall(SYS_io_pgetevents, ctx, 1L, 1L, &ev, &soon, BAD_PTR), EFAULT);
}

static void *wait_for_one(void *arg)
{
	struct io_event ev;
	long r = fetch(*(aio_context_t *)arg, 1, 1, &ev, NULL);

	return (void *)(r < 0 ? -(long)errno : r);
}

TEST(destroying_a_context_ends_those_who_wait)
{
	aio_context_t ctx = 0;
	pthread_t th;
	void *r;

	REQUIRE_OK(setup(8, &ctx));
	REQUIRE(pthread_create(&th, NULL, wait_for_one, &ctx) == 0);
	sleep_ms(50);
	EXPECT_OK(destroy(ctx));
	pthread_join(th, &r);
	EXPECT_EQ((long)r, -EINVAL);
}

TEST(an_eventfd_that_runs_over_says_so)
{
	char buf[4];
	aio_context_t ctx = 0;
	int efd = eventfd(0, EFD_NONBLOCK), fd = open("f", O_RDONLY | O_CREAT, 0600);
	struct iocb cb = request(IOCB_CMD_PREAD, fd, buf, 4, 0);
	struct pollfd p = { .fd = efd, .events = POLLIN | POLLOUT };
	uint64_t n = UINT64_MAX - 1;

	cb.aio_flags = IOCB_FLAG_RESFD;
	cb.aio_resfd = (unsigned)efd;
	REQUIRE_OK(setup(8, &ctx));
	EXPECT_EQ(write(efd, &n, 8), 8);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN);
	EXPECT_EQ(submit1(ctx, &cb), 1);
	EXPECT_EQ(submit1(ctx, &cb), 1);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN | POLLERR);
	n = 1;
	EXPECT_ERR(write(efd, &n, 8), EAGAIN);
	EXPECT_EQ(read(efd, &n, 8), 8);
	EXPECT_EQ(n, UINT64_MAX);
}

TEST_MAIN()
