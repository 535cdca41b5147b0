/*
 * inet_urgent.c - the urgent byte of TCP streams: how far reading and peeking go, and where the mark is.
 */
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include "tests/lib/inet.h"

struct ends { int in, out; };

static struct ends connected(int inline_it)
{
	int fd[2];

	tcp_pair(AF_INET, fd);
	REQUIRE_OK(setsockopt(fd[1], SOL_SOCKET, SO_OOBINLINE, &inline_it, sizeof(inline_it)));
	return (struct ends){ .in = fd[1], .out = fd[0] };
}

static void wait_for(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

static void put(struct ends e, const char *s, int flags) { EXPECT_EQ(send(e.out, s, strlen(s), flags), (long)strlen(s)); }

/* Nothing more comes, and all that was sent has come. */
static void end(struct ends e)
{
	EXPECT_OK(shutdown(e.out, SHUT_WR));
	wait_for(e.in, POLLRDHUP);
}

static const char *got(int fd, size_t n, int flags)
{
	static char buf[64];
	ssize_t r = recv(fd, buf, n, flags | MSG_DONTWAIT);

	if (r < 0)
		return errno == EAGAIN ? "-" : errno == EINVAL ? "?" : "!";
	buf[r] = 0;
	return buf;
}

static int mark(int fd)
{
	int v = -1;

	EXPECT_OK(ioctl(fd, SIOCATMARK, &v));
	return v;
}

TEST(who_peeks_stops_at_the_mark_too)
{
	struct ends e = connected(0);

	put(e, "hello", MSG_OOB);
	put(e, "world", 0);
	end(e);
	EXPECT_STR(got(e.in, 20, MSG_PEEK), "hell");
	EXPECT_STR(got(e.in, 20, MSG_PEEK), "hell");
	EXPECT_STR(got(e.in, 2, MSG_PEEK), "he");
	EXPECT_STR(got(e.in, 20, 0), "hell");
	EXPECT_EQ(mark(e.in), 1);
	EXPECT_STR(got(e.in, 3, MSG_PEEK), "wor");
	EXPECT_STR(got(e.in, 20, MSG_PEEK), "world");
	EXPECT_EQ(mark(e.in), 1);
	EXPECT_STR(got(e.in, 20, MSG_OOB), "o");
	EXPECT_STR(got(e.in, 20, MSG_PEEK), "world");
	EXPECT_STR(got(e.in, 20, 0), "world");
	EXPECT_EQ(mark(e.in), 0);
	close(e.in);
	close(e.out);
}

TEST(an_inline_byte_is_where_the_second_part_begins)
{
	struct ends e = connected(1);

	put(e, "hello", MSG_OOB);
	put(e, "world", 0);
	end(e);
	EXPECT_STR(got(e.in, 20, MSG_PEEK), "hell");
	EXPECT_STR(got(e.in, 20, 0), "hell");
	EXPECT_EQ(mark(e.in), 1);
	EXPECT_STR(got(e.in, 20, MSG_PEEK), "oworld");
	EXPECT_EQ(mark(e.in), 1);
	EXPECT_STR(got(e.in, 20, MSG_OOB), "?");
	EXPECT_STR(got(e.in, 20, 0), "oworld");
	EXPECT_EQ(mark(e.in), 0);
	close(e.in);
	close(e.out);
}

TEST(a_second_urgent_byte_behind_one_that_was_taken)
{
	struct ends e = connected(0);

	put(e, "x", MSG_OOB);
	wait_for(e.in, POLLPRI);
	EXPECT_STR(got(e.in, 9, MSG_OOB), "x");
	EXPECT_EQ(mark(e.in), 1);
	put(e, "y", MSG_OOB);
	end(e);
	EXPECT_EQ(mark(e.in), 1);
	EXPECT_STR(got(e.in, 9, MSG_OOB), "y");
	EXPECT_STR(got(e.in, 9, 0), "");
	EXPECT_EQ(mark(e.in), 0);
	close(e.in);
	close(e.out);
}

TEST(nothing_but_an_urgent_byte_can_be_peeked_at)
{
	struct ends e = connected(0);

	put(e, "x", MSG_OOB);
	wait_for(e.in, POLLPRI);
	EXPECT_STR(got(e.in, 9, MSG_PEEK), "-");
	EXPECT_EQ(mark(e.in), 1);
	EXPECT_STR(got(e.in, 9, MSG_OOB | MSG_PEEK), "x");
	EXPECT_STR(got(e.in, 9, MSG_OOB), "x");
	EXPECT_STR(got(e.in, 9, MSG_OOB), "?");
	close(e.in);
	close(e.out);
}

TEST_MAIN()
