/* Pipes and FIFOs. */
#include <poll.h>
#include <sys/uio.h>
#include <sys/eventfd.h>
#include "tests/lib/harness.h"

TEST(bytes_come_out_in_order)
{
	char buf[16] = "";
	int p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_EQ(write(p[1], "abc", 3), 3);
	EXPECT_EQ(write(p[1], "def", 3), 3);
	EXPECT_EQ(read(p[0], buf, 4), 4);
	EXPECT_STR(buf, "abcd");
	EXPECT_EQ(read(p[0], buf, sizeof(buf)), 2);
	EXPECT_OK(close(p[1]));
	EXPECT_EQ(read(p[0], buf, sizeof(buf)), 0);
	EXPECT_ERR(write(p[0], "x", 1), EBADF);
}

TEST(pipe2_takes_flags)
{
	int p[2];
	char c;

	REQUIRE_OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	EXPECT_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	EXPECT_ERR(read(p[0], &c, 1), EAGAIN);
	EXPECT_ERR(pipe2(p, O_CREAT), EINVAL);
	EXPECT_ERR(syscall(SYS_pipe2, BAD_PTR, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_pipe, BAD_PTR), EFAULT);
	EXPECT_EQ(dup(0), p[1] + 1);            /* the failures left no descriptor */
}

TEST(writing_without_a_reader_is_sigpipe_and_epipe)
{
	int p[2], status;
	pid_t pid;

	REQUIRE_OK(pipe(p));
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	EXPECT_ERR(write(p[1], "x", 1), EPIPE);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		(void)!write(p[1], "x", 1);
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

TEST(a_reader_waits_for_a_writer)
{
	char c = 0;
	int p[2];
	pid_t pid;

	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		sleep_ms(50);
		_exit(write(p[1], "x", 1) == 1 ? 0 : 1);
	}
	close(p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(c, 'x');
	EXPECT_EQ(read(p[0], &c, 1), 0);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(a_full_pipe_blocks_its_writer)
{
	static char block[4096];
	int p[2], q[2], n = 0;
	char c = 0;

	REQUIRE_OK(pipe2(p, O_NONBLOCK));
	while (write(p[1], block, sizeof(block)) == (ssize_t)sizeof(block))
		n++;
	EXPECT_EQ(errno, EAGAIN);
	EXPECT_EQ(n, 16);
	EXPECT_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	REQUIRE_OK(pipe(q));
	EXPECT_OK(fcntl(p[1], F_SETFL, 0));
	if (fork() == 0) {
		EXPECT_EQ(write(p[1], "z", 1), 1);
		EXPECT_EQ(write(q[1], "d", 1), 1);
		_exit(test_failures);
	}
	sleep_ms(30);
	EXPECT_OK(fcntl(q[0], F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(q[0], &c, 1), EAGAIN);
	EXPECT_EQ(read(p[0], block, sizeof(block)), sizeof(block));
	EXPECT_OK(fcntl(q[0], F_SETFL, 0));
	EXPECT_EQ(read(q[0], &c, 1), 1);
	EXPECT_EQ(c, 'd');
}

TEST(large_writes_go_through_in_pieces)
{
	enum { N = 1 << 20 };
	char *buf = malloc(N);
	size_t got = 0;
	int p[2], status;
	ssize_t n;
	pid_t pid;

	REQUIRE(buf);
	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < N; i++)
			buf[i] = (char)(i / 1000);
		close(p[0]);
		_exit(write(p[1], buf, N) == N ? 0 : 1);
	}
	close(p[1]);
	while ((n = read(p[0], buf, 70000)) > 0) {
		for (ssize_t i = 0; i < n; i += 999)
			if (buf[i] != (char)((got + (size_t)i) / 1000))
				FAIL("wrong byte at %zu", got + (size_t)i);
		got += (size_t)n;
	}
	EXPECT_EQ(got, N);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(a_bad_read_buffer_does_not_eat_data)
{
	char buf[8] = "";
	int p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_EQ(write(p[1], "keep", 4), 4);
	EXPECT_ERR(read(p[0], BAD_PTR, 4), EFAULT);
	EXPECT_EQ(read(p[0], buf, sizeof(buf)), 4);
	EXPECT_STR(buf, "keep");
	EXPECT_ERR(write(p[1], BAD_PTR, 4), EFAULT);
	EXPECT_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(p[0], buf, 1), EAGAIN);
}

TEST(poll_sees_both_ends)
{
	struct pollfd f[2];
	int p[2];

	REQUIRE_OK(pipe(p));
	f[0] = (struct pollfd){ .fd = p[0], .events = POLLIN };
	f[1] = (struct pollfd){ .fd = p[1], .events = POLLOUT };
	EXPECT_EQ(poll(f, 2, 0), 1);
	EXPECT_EQ(f[0].revents, 0);
	EXPECT_EQ(f[1].revents, POLLOUT);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(poll(f, 2, 0), 2);
	close(p[1]);
	EXPECT_EQ(poll(f, 1, 0), 1);
	EXPECT_EQ(f[0].revents, POLLIN | POLLHUP);
	REQUIRE_OK(pipe(p));
	close(p[0]);
	f[1].fd = p[1];
	EXPECT_EQ(poll(f + 1, 1, 0), 1);
	EXPECT_EQ(f[1].revents, POLLOUT | POLLERR);
}

TEST(size_can_be_set)
{
	int p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_EQ(fcntl(p[0], F_SETPIPE_SZ, 100000), 131072);
	EXPECT_EQ(fcntl(p[1], F_GETPIPE_SZ), 131072);
	EXPECT_EQ(fcntl(p[0], F_SETPIPE_SZ, 1), 4096);
	EXPECT_ERR(fcntl(0 + open("/dev/null", O_RDONLY), F_GETPIPE_SZ), EBADF);
}

TEST(small_writes_are_atomic)
{
	enum { KIDS = 4, EACH = 200, LEN = 512 };
	char buf[LEN];
	int p[2], n = 0;

	REQUIRE_OK(pipe(p));
	for (int k = 0; k < KIDS; k++) {
		if (fork() == 0) {
			memset(buf, 'a' + k, LEN);
			for (int i = 0; i < EACH; i++)
				if (write(p[1], buf, LEN) != LEN)
					_exit(1);
			_exit(0);
		}
	}
	close(p[1]);
	for (;;) {
		size_t have = 0;
		ssize_t r = 1;

		while (have < LEN && (r = read(p[0], buf + have, LEN - have)) > 0)
			have += (size_t)r;
		if (have == 0)
			break;
		EXPECT_EQ(have, LEN);
		for (size_t i = 1; i < have; i++)
			if (buf[i] != buf[0])
				FAIL("mixed");
		n++;
	}
	EXPECT_EQ(n, KIDS * EACH);
	while (wait(NULL) > 0)
		;
}

TEST(fifos_connect_processes_by_name)
{
	char buf[8] = "";
	int fd;

	EXPECT_OK(mkfifo("p", 0600));
	if (fork() == 0) {
		fd = open("p", O_WRONLY);
		EXPECT_OK(fd);
		EXPECT_EQ(write(fd, "hi", 2), 2);
		_exit(test_failures);
	}
	fd = open("p", O_RDONLY);
	REQUIRE_OK(fd);
	EXPECT_EQ(read(fd, buf, sizeof(buf)), 2);
	EXPECT_STR(buf, "hi");
	EXPECT_EQ(read(fd, buf, sizeof(buf)), 0);
	wait(NULL);
	fd = open("p", O_RDWR);
	EXPECT_EQ(write(fd, "x", 1), 1);
	EXPECT_EQ(read(fd, buf, 1), 1);
}

TEST(splice_and_tee_move_between_pipes_and_files)
{
	char buf[16] = "";
	loff_t off = 1;
	int p[2], q[2], fd;

	put_file("f", "0123456789");
	fd = open("f", O_RDWR);
	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(q));
	EXPECT_EQ(splice(fd, &off, p[1], NULL, 4, 0), 4);
	EXPECT_EQ(off, 5);
	EXPECT_EQ(tee(p[0], q[1], 16, 0), 4);
	EXPECT_EQ(read(q[0], buf, 16), 4);
	EXPECT_STR(buf, "1234");
	off = 8;
	EXPECT_EQ(splice(p[0], NULL, fd, &off, 16, 0), 4);
	EXPECT_STR(get_file("f"), "012345671234");
	EXPECT_ERR(splice(fd, NULL, fd, NULL, 4, 0), EINVAL);
	EXPECT_ERR(splice(fd, NULL, p[1], &off, 4, 0), ESPIPE);
	EXPECT_ERR(splice(BAD_FD, NULL, p[1], NULL, 4, 0), EBADF);
	EXPECT_ERR(tee(fd, p[1], 4, 0), EINVAL);
	EXPECT_ERR(splice(p[0], NULL, fd, NULL, 4, SPLICE_F_NONBLOCK), EAGAIN);
	EXPECT_EQ(vmsplice(p[1], &(struct iovec){ "vm", 2 }, 1, 0), 2);
	EXPECT_EQ(read(p[0], buf, 16), 2);
}

TEST(vmsplice_takes_what_fits_and_waits_for_no_more)
{
	static char buf[3 << 16], got[3 << 16];
	struct iovec v = { buf, sizeof(buf) };
	ssize_t n;
	int p[2];

	REQUIRE_OK(pipe(p));
	n = vmsplice(p[1], &v, 1, 0);
	EXPECT(n > 0 && n <= 1 << 16);
	EXPECT_ERR(vmsplice(p[1], &v, 1, SPLICE_F_NONBLOCK), EAGAIN);
	EXPECT_EQ(read(p[0], got, sizeof(got)), n);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	EXPECT_ERR(vmsplice(p[1], &v, 1, 0), EPIPE);
}

TEST(splice_and_tee_refuse_one_pipe_and_what_cannot_be_spliced)
{
	int p[2], q[2], dir = open(".", O_RDONLY), ev = eventfd(8, 0);

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(q));
	REQUIRE(write(p[1], "abc", 3) == 3);
	EXPECT_ERR(tee(p[0], p[1], 3, 0), EINVAL);
	EXPECT_ERR(splice(p[0], NULL, p[1], NULL, 3, 0), EINVAL);
	EXPECT_ERR(splice(dir, NULL, p[1], NULL, 3, 0), EINVAL);
	EXPECT_ERR(splice(ev, NULL, p[1], NULL, 8, 0), EINVAL);
	EXPECT_ERR(splice(q[0], NULL, ev, NULL, 8, 0), EINVAL);
}

TEST(a_position_is_refused_before_the_mode)
{
	char c;
	int p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_ERR(pwrite(p[0], "x", 1, 0), ESPIPE);
	EXPECT_ERR(pread(p[1], &c, 1, 0), ESPIPE);
	EXPECT_ERR(sync_file_range(p[0], 0, 1, SYNC_FILE_RANGE_WRITE), ESPIPE);
	EXPECT_ERR(sync_file_range(open("/dev/null", O_RDWR), 0, 1, SYNC_FILE_RANGE_WRITE), ESPIPE);
	EXPECT_ERR(sync_file_range(p[0], -1, 1, SYNC_FILE_RANGE_WRITE), EINVAL);
}

TEST_MAIN()
