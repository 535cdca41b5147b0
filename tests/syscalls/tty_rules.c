/*
 * Rules of terminals that show in sequences of calls.  Each was found by comparing random sequences with Linux, where
 * bytes cross a pty by way of a worker: so every test waits for what it wants to see.
 */
#define termios libc_termios            /* the kernel's, with the speeds beside it, is in asm/termbits.h */
#include <poll.h>
#include <sys/ioctl.h>
#undef termios
#include <asm/termbits.h>
#include "tests/lib/harness.h"

struct line { int m, s; char name[32]; };

static struct line open_line(void)
{
	struct line l = { .m = open("/dev/ptmx", O_RDWR | O_NOCTTY) };
	int no = 0, n = -1;

	REQUIRE(l.m >= 0);
	REQUIRE_OK(ioctl(l.m, TIOCSPTLCK, &no));
	REQUIRE_OK(ioctl(l.m, TIOCGPTN, &n));
	snprintf(l.name, sizeof(l.name), "/dev/pts/%d", n);
	l.s = open(l.name, O_RDWR | O_NOCTTY);
	REQUIRE(l.s >= 0);
	return l;
}

static struct termios2 get(int fd)
{
	struct termios2 t;

	REQUIRE_OK(ioctl(fd, TCGETS2, &t));
	return t;
}

static void wait_readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	REQUIRE(poll(&p, 1, -1) == 1);
}

/* Exactly what comes next at @fd, however it is cut. */
static void expect_text(int fd, const char *text, int line)
{
	char buf[128] = "";
	size_t have = 0, want = strlen(text);

	while (have < want) {
		ssize_t n = read(fd, buf + have, want - have);

		if (n <= 0)
			break;
		have += (size_t)n;
	}
	buf[have] = '\0';
	if (strcmp(buf, text) != 0)
		test_fail(__FILE__, line, "got \"%s\", not \"%s\"", buf, text);
}

#define EXPECT_TEXT(fd, text) expect_text(fd, text, __LINE__)
/* One byte of packet mode. */
#define EXPECT_STATUS(fd, st) do { char c_ = 0; EXPECT_EQ(read(fd, &c_, 1), 1); EXPECT_EQ(c_, st); } while (0)
#define PUT(fd, text) REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text))

TEST(output_that_is_stopped_is_not_written_but_what_was_written_arrives)
{
	struct line l = open_line();
	struct pollfd p = { l.s, POLLOUT, 0 };

	REQUIRE_OK(fcntl(l.s, F_SETFL, O_NONBLOCK));
	PUT(l.s, "before");
	wait_readable(l.m);
	EXPECT_OK(ioctl(l.s, TCXONC, TCOOFF));
	EXPECT_EQ(poll(&p, 1, 0), 0);
	EXPECT_ERR(write(l.s, "x", 1), EAGAIN);
	EXPECT_TEXT(l.m, "before");
	EXPECT_OK(ioctl(l.s, TCXONC, TCOON));
	EXPECT_EQ(poll(&p, 1, 0), 1);
	PUT(l.s, "after");
	EXPECT_TEXT(l.m, "after");
	EXPECT_OK(ioctl(l.s, TCXONC, TCIOFF));
	EXPECT_OK(ioctl(l.s, TCXONC, TCION));
	EXPECT_TEXT(l.m, "\023\021");
}

TEST(an_interrupt_and_a_flush_leave_what_the_master_has_got)
{
	struct line l = open_line();
	int n = -1;

	PUT(l.s, "out");
	wait_readable(l.m);
	EXPECT_OK(ioctl(l.s, TIOCOUTQ, &n));
	EXPECT_EQ(n, 0);
	EXPECT_OK(ioctl(l.s, TCFLSH, TCOFLUSH));
	PUT(l.m, "\003");
	EXPECT_TEXT(l.m, "out^C");
}

TEST(a_tab_is_erased_by_going_back)
{
	struct line l = open_line();

	PUT(l.m, "ab\t\177c\177");
	EXPECT_TEXT(l.m, "ab\t\b\b\b\b\b\bc\b \b");
}

TEST(without_lines_an_echoed_newline_is_shown_as_a_control_character)
{
	struct line l = open_line();
	struct termios2 t = get(l.s);

	t.c_lflag &= ~(unsigned)ICANON;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	PUT(l.m, "a\n");
	EXPECT_TEXT(l.m, "a^J");
	PUT(l.m, "\r");
	EXPECT_TEXT(l.m, "\r\n");
}

TEST(what_was_typed_without_lines_is_a_line_when_they_come_back)
{
	struct line l = open_line();
	struct termios2 t = get(l.s);
	char buf[8];

	t.c_lflag &= ~(unsigned)(ICANON | ECHO);
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	PUT(l.m, "END");
	wait_readable(l.s);
	t.c_lflag |= ICANON;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	EXPECT_EQ(read(l.s, buf, sizeof(buf)), 3);
}

TEST(a_read_that_wants_nothing_and_waits_for_nothing_gives_nothing)
{
	struct line l = open_line();
	struct termios2 t = get(l.s);
	char c;

	REQUIRE_OK(fcntl(l.s, F_SETFL, O_NONBLOCK));
	t.c_lflag &= ~(unsigned)ICANON;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	EXPECT_ERR(read(l.s, &c, 1), EAGAIN);
	t.c_cc[VMIN] = 0;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	EXPECT_EQ(read(l.s, &c, 1), 0);
}

TEST(input_waits_for_who_opens_the_terminal_next)
{
	struct line l = open_line();

	close(l.s);
	PUT(l.m, "kept\n");
	l.s = open(l.name, O_RDWR | O_NOCTTY);
	REQUIRE(l.s >= 0);
	EXPECT_TEXT(l.s, "kept\n");
}

TEST(a_master_in_packet_mode_hears_of_flow_control_and_flushes)
{
	struct line l = open_line();
	struct termios2 t = get(l.s);
	int yes = 1;

	EXPECT_OK(ioctl(l.m, TIOCPKT, &yes));
	t.c_iflag &= ~(unsigned)IXON;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	EXPECT_STATUS(l.m, TIOCPKT_NOSTOP);
	t.c_iflag |= IXON;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	EXPECT_STATUS(l.m, TIOCPKT_DOSTOP);
	EXPECT_OK(ioctl(l.s, TCSETSF2, &t));
	EXPECT_STATUS(l.m, TIOCPKT_FLUSHREAD);
	EXPECT_OK(ioctl(l.s, TCXONC, TCOOFF));
	EXPECT_OK(ioctl(l.m, TIOCPKT, &yes));
	EXPECT_STATUS(l.m, TIOCPKT_STOP);
}

TEST(speeds_follow_the_bits_that_name_them)
{
	struct line l = open_line();
	struct termios2 t = get(l.s);

	t.c_cflag = (t.c_cflag & ~(unsigned)CBAUD) | B9600;
	t.c_ospeed = t.c_ispeed = 1234;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	t = get(l.s);
	EXPECT_EQ(t.c_ospeed, 9600);
	EXPECT_EQ(t.c_ispeed, 9600);
	t.c_cflag = (t.c_cflag & ~(unsigned)CBAUD) | BOTHER;
	t.c_ospeed = t.c_ispeed = 1234;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	t = get(l.s);
	EXPECT_EQ(t.c_ospeed, 1234);
	t.c_cflag = (t.c_cflag & ~(unsigned)CBAUD) | B0;
	EXPECT_OK(ioctl(l.s, TCSETS2, &t));
	EXPECT_EQ(get(l.s).c_ospeed, 0);
}

TEST(requests_that_do_nothing_or_are_none)
{
	struct line l = open_line();
	int v = 1, bad = 99, pid = getpid();

	EXPECT_OK(ioctl(l.s, TIOCSSOFTCAR, &v));
	v = 0;
	EXPECT_OK(ioctl(l.s, TIOCGSOFTCAR, &v));
	EXPECT_EQ(v, 1);
	EXPECT_OK(ioctl(l.s, TIOCSBRK, 0));
	EXPECT_OK(ioctl(l.s, TIOCCBRK, 0));
	EXPECT_ERR(ioctl(l.s, TIOCSETD, &bad), EINVAL);
	EXPECT_ERR(ioctl(l.m, TIOCSIG, SIGWINCH), EINVAL);
	EXPECT_OK(ioctl(l.m, TIOCSIG, SIGINT));
	EXPECT_ERR(ioctl(l.s, TIOCGPTPEER, 0), EIO);
	EXPECT_ERR(ioctl(l.m, TIOCSPGRP, &pid), ENOTTY);
}

TEST_MAIN()
