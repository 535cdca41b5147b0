/*
 * How many writes a pipe holds: Linux counts pages, not bytes, and joins what is written to the last page only if it fits there.
 */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include "tests/lib/harness.h"

static char buf[1 << 17];

static void make(int p[2], int flags)
{
	REQUIRE_OK(pipe2(p, O_NONBLOCK | flags));
}

/* Whole writes of @len until there is no room. */
static int fit(int fd, size_t len)
{
	int n = 0;

	while (write(fd, buf, len) == (ssize_t)len)
		n++;
	return n;
}

static int held(int fd)
{
	int n = -1;

	EXPECT_OK(ioctl(fd, FIONREAD, &n));
	return n;
}

static bool room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

TEST(writes_of_odd_sizes_take_a_page_each)
{
	static const struct { size_t len; int fits; } rows[] = {
		{ 1, 65536 }, { 2048, 32 }, { 1365, 48 }, { 1366, 32 }, { 2049, 16 }, { 3000, 16 }, { 4095, 16 }, { 4096, 16 },
		{ 4097, 10 }, { 5000, 10 }, { 7000, 8 }, { 8192, 8 }, { 20000, 3 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int p[2];

		make(p, 0);
		EXPECT_EQ(fit(p[1], rows[i].len), rows[i].fits);
		close(p[0]);
		close(p[1]);
	}
}

TEST(a_full_pipe_may_hold_few_bytes)
{
	int p[2];

	make(p, 0);
	EXPECT_EQ(fit(p[1], 2049), 16);
	EXPECT_EQ(held(p[0]), 16 * 2049);
	EXPECT(!room(p[1]));
	EXPECT_ERR(write(p[1], buf, 2048), EAGAIN);
	EXPECT_EQ(write(p[1], buf, 2047), 2047);        /* fits in the last page */
	EXPECT_ERR(write(p[1], buf, 1), EAGAIN);
	EXPECT_EQ(held(p[0]), 16 * 2049 + 2047);
}

TEST(a_page_read_in_part_gives_no_room_back)
{
	int p[2];

	make(p, 0);
	EXPECT_EQ(write(p[1], buf, 100000), 65536);
	EXPECT_EQ(read(p[0], buf, 4095), 4095);
	EXPECT(!room(p[1]));
	EXPECT_ERR(write(p[1], buf, 1), EAGAIN);
	EXPECT_EQ(read(p[0], buf, 1), 1);
	EXPECT(room(p[1]));
	EXPECT_EQ(write(p[1], buf, 5000), 4096);
	EXPECT_EQ(held(p[0]), 65536);
}

TEST(the_odd_part_of_a_write_joins_the_last_page)
{
	int p[2];

	make(p, 0);
	for (int i = 0; i < (int)sizeof(buf); i++)
		buf[i] = (char)(i * 31 >> 3);
	EXPECT_EQ(write(p[1], buf, 904), 904);
	EXPECT_EQ(write(p[1], buf + 904, 5000), 5000);
	EXPECT_EQ(held(p[0]), 5904);
	EXPECT_EQ(fit(p[1], 4096), 14);
	EXPECT_EQ(write(p[1], buf, 100000), -1);
	EXPECT_EQ(read(p[0], buf + 65536, 5904), 5904);
	EXPECT_EQ(memcmp(buf, buf + 65536, 5904), 0);
	EXPECT_EQ(fit(p[1], 4096), 2);
}

TEST(a_pipe_shrinks_to_the_pages_in_use_and_no_further)
{
	int p[2];

	make(p, 0);
	EXPECT_EQ(fcntl(p[1], F_SETPIPE_SZ, 5000), 8192);
	EXPECT_EQ(fcntl(p[1], F_SETPIPE_SZ, 0), 4096);
	EXPECT_EQ(fcntl(p[1], F_SETPIPE_SZ, 65537), 131072);
	EXPECT_ERR(fcntl(p[1], F_SETPIPE_SZ, -1), EINVAL);
	EXPECT_EQ(write(p[1], "aa", 2), 2);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(write(p[1], buf, 3000), 3000);
	EXPECT_EQ(write(p[1], buf, 3000), 3000);
	EXPECT_ERR(fcntl(p[1], F_SETPIPE_SZ, 8192), EBUSY);
	EXPECT_EQ(fcntl(p[1], F_SETPIPE_SZ, 12288), 16384);
	EXPECT_EQ(fcntl(p[0], F_GETPIPE_SZ), 16384);
	EXPECT_EQ(held(p[0]), 9002);
	EXPECT_EQ(read(p[0], buf, 9002), 9002);
	EXPECT_EQ(buf[0], 'a');
	EXPECT_EQ(fcntl(p[1], F_SETPIPE_SZ, 4096), 4096);
	EXPECT_EQ(fit(p[1], 4096), 1);
}

TEST(a_page_that_faults_is_not_written)
{
	struct iovec iov[2] = { { buf, 10 }, { BAD_PTR, 10 } };
	int p[2];

	make(p, 0);
	EXPECT_ERR(writev(p[1], iov, 2), EFAULT);
	EXPECT_EQ(held(p[0]), 0);
	iov[0].iov_len = 5000;
	EXPECT_EQ(writev(p[1], iov, 2), 4096);
	EXPECT_EQ(held(p[0]), 4096);
	EXPECT_EQ(write(p[1], buf, 100), 100);
	iov[0].iov_len = 10;
	EXPECT_ERR(writev(p[1], iov, 2), EFAULT);
	EXPECT_EQ(held(p[0]), 4196);
}

TEST(a_read_ends_with_the_first_packet)
{
	int p[2];

	make(p, O_DIRECT);
	EXPECT_EQ(write(p[1], "packet", 6), 6);
	EXPECT_EQ(write(p[1], "second", 6), 6);
	REQUIRE_OK(fcntl(p[1], F_SETFL, O_NONBLOCK));
	EXPECT_EQ(write(p[1], "more", 4), 4);
	EXPECT_EQ(read(p[0], buf, 3), 3);               /* the rest is lost */
	EXPECT_EQ(read(p[0], buf, 100), 6);
	EXPECT_EQ(memcmp(buf, "second", 6), 0);
	EXPECT_EQ(read(p[0], buf, 100), 4);
	EXPECT_EQ(fit(p[1], 4096), 16);
	EXPECT_EQ(read(p[0], buf, 4096), 4096);
	REQUIRE_OK(fcntl(p[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	EXPECT_EQ(write(p[1], "packet", 6), 6);
	EXPECT_EQ(read(p[0], buf, 65536 - 4096 + 3), 65536 - 4096 + 3);
	EXPECT_ERR(read(p[0], buf, 100), EAGAIN);
}

TEST(a_small_packet_joins_what_was_written_before_as_bytes)
{
	int p[2];

	make(p, 0);
	EXPECT_EQ(write(p[1], "plain", 5), 5);
	REQUIRE_OK(fcntl(p[1], F_SETFL, O_DIRECT | O_NONBLOCK));
	EXPECT_EQ(write(p[1], "packet", 6), 6);
	EXPECT_EQ(read(p[0], buf, 8), 8);
	EXPECT_EQ(read(p[0], buf, 100), 3);
}

TEST(packets_take_a_page_each)
{
	int p[2];

	make(p, O_DIRECT);
	EXPECT_EQ(fit(p[1], 1), 16);
	EXPECT_EQ(held(p[0]), 16);
	EXPECT_EQ(read(p[0], buf, 100), 1);
	EXPECT_EQ(write(p[1], buf, 10000), 4096);
}

TEST_MAIN()
