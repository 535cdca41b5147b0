/* Descriptor numbers: dup, fcntl, close-on-exec, limits. */
#include <sys/ioctl.h>
#include <sys/resource.h>
#include "tests/lib/harness.h"

TEST(dup_takes_the_lowest_free_number)
{
	int a = open("/dev/null", O_RDONLY), b, c;

	REQUIRE_OK(a);
	b = dup(a);
	EXPECT_EQ(b, a + 1);
	c = dup(a);
	EXPECT_EQ(c, a + 2);
	EXPECT_OK(close(b));
	EXPECT_EQ(dup(a), b);
	EXPECT_ERR(dup(BAD_FD), EBADF);
	EXPECT_ERR(dup(-1), EBADF);
	EXPECT_EQ(open("/dev/null", O_RDONLY), a + 3);
}

TEST(dup2_and_dup3_replace_a_number)
{
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b;

	REQUIRE_OK(a);
	EXPECT_EQ(dup2(a, 50), 50);
	EXPECT_EQ(fcntl(50, F_GETFD), 0);
	EXPECT_EQ(dup2(a, a), a);
	EXPECT_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	EXPECT_ERR(dup2(BAD_FD, 51), EBADF);
	EXPECT_ERR(dup2(a, -1), EBADF);
	EXPECT_ERR(dup2(a, 1 << 28), EBADF);
	EXPECT_EQ(dup3(a, 52, O_CLOEXEC), 52);
	EXPECT_EQ(fcntl(52, F_GETFD), FD_CLOEXEC);
	EXPECT_ERR(dup3(a, a, 0), EINVAL);
	EXPECT_ERR(dup3(a, 53, 1), EINVAL);
	b = open(".", O_RDONLY);
	EXPECT_EQ(dup2(b, 50), 50);
	EXPECT_OK(fchdir(50));
}

TEST(fcntl_moves_and_flags_descriptors)
{
	int a = open("/dev/null", O_RDWR);

	REQUIRE_OK(a);
	EXPECT_EQ(fcntl(a, F_DUPFD, 30), 30);
	EXPECT_EQ(fcntl(a, F_DUPFD, 30), 31);
	EXPECT_EQ(fcntl(a, F_DUPFD_CLOEXEC, 40), 40);
	EXPECT_EQ(fcntl(40, F_GETFD), FD_CLOEXEC);
	EXPECT_OK(fcntl(40, F_SETFD, 0));
	EXPECT_EQ(fcntl(40, F_GETFD), 0);
	EXPECT_ERR(fcntl(a, F_DUPFD, -1), EINVAL);
	EXPECT_ERR(fcntl(BAD_FD, F_GETFD), EBADF);
	EXPECT_ERR(fcntl(a, 9999), EINVAL);
}

TEST(status_flags_belong_to_the_description)
{
	int p[2], q;

	REQUIRE_OK(pipe(p));
	q = dup(p[0]);
	EXPECT_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	EXPECT_EQ(fcntl(q, F_GETFL), O_RDONLY | O_NONBLOCK);
	EXPECT_EQ(fcntl(p[1], F_GETFL), O_WRONLY);
	EXPECT_ERR(read(q, &p[1], 1), EAGAIN);
	int on = 0;
	EXPECT_OK(ioctl(q, FIONBIO, &on));
	EXPECT_EQ(fcntl(p[0], F_GETFL), O_RDONLY);
	/* The access mode cannot change. */
	EXPECT_OK(fcntl(p[0], F_SETFL, O_RDWR));
	EXPECT_EQ(fcntl(p[0], F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST(fionread_counts_bytes)
{
	int p[2], n = -1;

	REQUIRE_OK(pipe(p));
	EXPECT_EQ(write(p[1], "abc", 3), 3);
	EXPECT_OK(ioctl(p[0], FIONREAD, &n));
	EXPECT_EQ(n, 3);
	put_file("f", "12345");
	EXPECT_OK(ioctl(open("f", O_RDONLY), FIONREAD, &n));
	EXPECT_EQ(n, 5);
	EXPECT_ERR(ioctl(p[0], 0xdeadbeef, &n), ENOTTY);
	EXPECT_ERR(ioctl(BAD_FD, FIONREAD, &n), EBADF);
	n = 0;
	EXPECT_OK(ioctl(open("f", O_RDONLY), 2 /* FIGETBSZ */, &n));
	EXPECT(n >= 512);
	EXPECT_OK(ioctl(open(".", O_RDONLY), 2, &n));
	EXPECT_OK(ioctl(p[0], 2, &n));
	EXPECT_EQ(n, 4096);
	EXPECT_ERR(ioctl(p[0], 2, BAD_PTR), EFAULT);
}

TEST(close_range_closes_and_marks)
{
	int a = open("/dev/null", O_RDONLY);

	REQUIRE_OK(a);
	for (int i = 60; i < 70; i++)
		EXPECT_EQ(dup2(a, i), i);
	EXPECT_OK(syscall(SYS_close_range, 60, 62, 0));
	EXPECT_ERR(fcntl(61, F_GETFD), EBADF);
	EXPECT_EQ(fcntl(63, F_GETFD), 0);
	EXPECT_OK(syscall(SYS_close_range, 64, 65, 4)); /* CLOEXEC */
	EXPECT_EQ(fcntl(65, F_GETFD), FD_CLOEXEC);
	EXPECT_ERR(syscall(SYS_close_range, 10, 5, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_close_range, 5, 10, 1), EINVAL);
	EXPECT_OK(syscall(SYS_close_range, 60, ~0u, 0));
	EXPECT_ERR(fcntl(69, F_GETFD), EBADF);
}

TEST(the_limit_on_descriptors_is_emfile)
{
	struct rlimit rl = { 20, 20 };
	int fd, last = -1, p[2];

	EXPECT_OK(setrlimit(RLIMIT_NOFILE, &rl));
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	EXPECT_EQ(errno, EMFILE);
	EXPECT_EQ(last, 19);
	EXPECT_ERR(dup(0), EMFILE);
	EXPECT_ERR(dup2(0, 20), EBADF);
	EXPECT_ERR(fcntl(0, F_DUPFD, 20), EINVAL);
	EXPECT_ERR(pipe(p), EMFILE);
	EXPECT_OK(close(10));
	EXPECT_ERR(pipe(p), EMFILE);
	EXPECT_EQ(open("/dev/null", O_RDONLY), 10);
}

TEST(devices_behave)
{
	char buf[64];
	int z = open("/dev/zero", O_RDWR), n = open("/dev/null", O_RDWR);
	int f = open("/dev/full", O_RDWR), u = open("/dev/urandom", O_RDONLY);

	REQUIRE(z >= 0 && n >= 0 && f >= 0 && u >= 0);
	memset(buf, 1, sizeof(buf));
	EXPECT_EQ(read(z, buf, sizeof(buf)), sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++)
		EXPECT_EQ(buf[i], 0);
	EXPECT_EQ(read(n, buf, sizeof(buf)), 0);
	EXPECT_EQ(write(n, buf, sizeof(buf)), sizeof(buf));
	EXPECT_EQ(write(z, buf, sizeof(buf)), sizeof(buf));
	EXPECT_EQ(read(f, buf, sizeof(buf)), sizeof(buf));
	EXPECT_ERR(write(f, buf, 1), ENOSPC);
	EXPECT_EQ(read(u, buf, sizeof(buf)), sizeof(buf));
	EXPECT_ERR(read(z, BAD_PTR, 4), EFAULT);
}

TEST(an_open_knows_whether_it_made_the_file)
{
	int made = open("f", O_RDWR | O_CREAT, 0600), found = open("f", O_RDWR | O_CREAT, 0600);
	int r = fcntl(made, 1028 /* F_CREATED_QUERY */, 0);

	if (r < 0)
		SKIP("before Linux 6.12");
	EXPECT_EQ(r, 1);
	EXPECT_EQ(fcntl(found, 1028, 0), 0);
}

TEST(the_random_device_tells_how_full_it_is)
{
	int bits = 0, fd = open("/dev/random", O_RDONLY);

	EXPECT_OK(ioctl(fd, 0x80045200 /* RNDGETENTCNT */, &bits));
	EXPECT_EQ(bits, 256);
	EXPECT_ERR(ioctl(fd, 0x80045200, BAD_PTR), EFAULT);
}

TEST(files_without_a_position_stay_at_0)
{
	int e = syscall(SYS_eventfd2, 0, 0), ep = syscall(SYS_epoll_create1, 0), p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_EQ(lseek(e, 10, SEEK_SET), 0);
	EXPECT_EQ(lseek(ep, 0, SEEK_CUR), 0);
	EXPECT_ERR(lseek(ep, 0, 99), EINVAL);
	EXPECT_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	EXPECT_ERR(lseek(p[0], 0, 99), EINVAL);
	EXPECT_ERR(fcntl(ep, F_SETFL, O_DIRECT), EINVAL);
	EXPECT_OK(fcntl(p[0], F_SETFL, O_DIRECT));
}

TEST(hints_of_lifetime_are_kept_with_the_file)
{
	uint64_t hint = 2, got = 9, bad = 6;
	int fd = open("f", O_CREAT | O_RDWR, 0600), other = open("f", O_RDONLY);

	REQUIRE_OK(fd);
	REQUIRE_OK(other);
	EXPECT_OK(fcntl(fd, F_GET_RW_HINT, &got));
	EXPECT_EQ(got, 0);
	EXPECT_OK(fcntl(fd, F_SET_RW_HINT, &hint));
	EXPECT_OK(fcntl(other, F_GET_RW_HINT, &got));
	EXPECT_EQ(got, 2);
	EXPECT_ERR(fcntl(fd, F_SET_RW_HINT, &bad), EINVAL);
	EXPECT_ERR(fcntl(fd, F_SET_RW_HINT, BAD_PTR), EFAULT);
}

TEST_MAIN()
