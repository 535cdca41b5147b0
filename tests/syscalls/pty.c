/* Pseudo terminals: line discipline, job control, hangup. */
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "tests/lib/harness.h"

static int master, slave;

static void open_pair(void)
{
	char name[32];
	int n, zero = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0)
		SKIP("no /dev/ptmx");
	REQUIRE_OK(ioctl(master, TIOCGPTN, &n));
	REQUIRE_OK(ioctl(master, TIOCSPTLCK, &zero));
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	slave = open(name, O_RDWR | O_NOCTTY);
	REQUIRE(slave >= 0);
}

static const char *get(int fd)
{
	static char buf[4096];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n = 0;

	if (poll(&p, 1, 5000) == 1)
		n = read(fd, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = 0;
	return buf;
}

static void type(const char *s)
{
	REQUIRE(write(master, s, strlen(s)) == (ssize_t)strlen(s));
}

static void set_flags(tcflag_t off, tcflag_t on)
{
	struct termios t;

	REQUIRE_OK(tcgetattr(slave, &t));
	t.c_lflag = (t.c_lflag & ~off) | on;
	REQUIRE_OK(tcsetattr(slave, TCSANOW, &t));
}

TEST(lines_are_edited_and_echoed)
{
	open_pair();
	EXPECT(isatty(slave));
	type("hellp\177o\n");
	EXPECT_STR(get(slave), "hello\n");
	EXPECT_STR(get(master), "hellp\b \bo\r\n");
	type("one two\027three\n");
	EXPECT_STR(get(slave), "one three\n");
	type("gone\025kept\n");
	EXPECT_STR(get(slave), "kept\n");
}

TEST(output_is_processed)
{
	open_pair();
	EXPECT_EQ(write(slave, "a\nb", 3), 3);
	EXPECT_STR(get(master), "a\r\nb");
}

TEST(an_unfinished_line_is_not_readable)
{
	struct pollfd p;
	int n;

	open_pair();
	p = (struct pollfd){ .fd = slave, .events = POLLIN };
	type("abc");
	EXPECT_EQ(poll(&p, 1, 20), 0);
	EXPECT_OK(ioctl(slave, FIONREAD, &n));
	EXPECT_EQ(n, 0);
	type("\004");
	EXPECT_STR(get(slave), "abc");
	type("\004");
	EXPECT_EQ(read(slave, &n, 1), 0);
}

TEST(raw_mode_passes_bytes)
{
	struct termios t;

	open_pair();
	REQUIRE_OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	REQUIRE_OK(tcsetattr(slave, TCSAFLUSH, &t));
	type("a\003\r");
	EXPECT_STR(get(slave), "a\003\r");
	EXPECT_EQ(write(slave, "x\n", 2), 2);
	EXPECT_STR(get(master), "x\n");
}

TEST(vmin_and_vtime_bound_a_read)
{
	struct termios t;
	char buf[8];

	open_pair();
	REQUIRE_OK(tcgetattr(slave, &t));
	cfmakeraw(&t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	REQUIRE_OK(tcsetattr(slave, TCSANOW, &t));
	EXPECT_EQ(read(slave, buf, 8), 0);
	type("ab");
	EXPECT_EQ(read(slave, buf, 8), 2);
	t.c_cc[VMIN] = 3;
	t.c_cc[VTIME] = 0;
	REQUIRE_OK(tcsetattr(slave, TCSANOW, &t));
	if (fork() == 0) {
		for (int i = 0; i < 3; i++) {
			sleep_ms(10);
			type("x");
		}
		_exit(0);
	}
	EXPECT_EQ(read(slave, buf, 8), 3);
	wait(NULL);
}

TEST(window_size_is_kept)
{
	struct winsize w = { 40, 100, 0, 0 }, v;

	open_pair();
	EXPECT_OK(ioctl(master, TIOCSWINSZ, &w));
	EXPECT_OK(ioctl(slave, TIOCGWINSZ, &v));
	EXPECT_EQ(v.ws_row, 40);
	EXPECT_EQ(v.ws_col, 100);
}

TEST(noecho_and_nonblock)
{
	char c;

	open_pair();
	set_flags(ECHO, 0);
	EXPECT_OK(fcntl(slave, F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(slave, &c, 1), EAGAIN);
	type("secret\n");
	EXPECT_STR(get(slave), "secret\n");
	EXPECT_OK(fcntl(master, F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(master, &c, 1), EAGAIN);
}

static volatile sig_atomic_t got_signal;

static void note(int sig)
{
	got_signal = sig;
}

/* In a session of its own with the terminal: what happens to the foreground. */
static void in_session(void)
{
	struct winsize w = { 10, 10, 0, 0 };

	EXPECT(setsid() > 0);
	EXPECT_OK(ioctl(slave, TIOCSCTTY, 0));
	EXPECT_EQ(tcgetpgrp(slave), getpgrp());
	EXPECT_EQ(tcgetsid(slave), getsid(0));
	EXPECT(open("/dev/tty", O_RDWR) >= 0);
	signal(SIGINT, note);
	signal(SIGWINCH, note);
	signal(SIGHUP, note);
	type("\003");
	for (int i = 0; i < 10000 && got_signal != SIGINT; i++)
		sleep_ms(2);
	EXPECT_EQ(got_signal, SIGINT);
	EXPECT_OK(ioctl(master, TIOCSWINSZ, &w));
	for (int i = 0; i < 10000 && got_signal != SIGWINCH; i++)
		sleep_ms(2);
	EXPECT_EQ(got_signal, SIGWINCH);
	close(master);
	for (int i = 0; i < 10000 && got_signal != SIGHUP; i++)
		sleep_ms(2);
	EXPECT_EQ(got_signal, SIGHUP);
	EXPECT_EQ(read(slave, &w, 1), 0);
	EXPECT_ERR(write(slave, "x", 1), EIO);
}

TEST(signals_of_the_terminal_reach_the_foreground)
{
	int status;
	pid_t pid;

	open_pair();
	pid = fork();
	if (pid == 0) {
		in_session();
		_exit(test_failures);
	}
	close(master);          /* so that the child's is the last */
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

static void read_tty(void)
{
	char c;

	(void)!read(slave, &c, 1);
}

static void background(void)
{
	int status;
	pid_t pid;

	EXPECT(setsid() > 0);
	EXPECT_OK(ioctl(slave, TIOCSCTTY, 0));
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		read_tty();
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
	EXPECT(WIFSTOPPED(status));
	EXPECT_EQ(WSTOPSIG(status), SIGTTIN);
	signal(SIGTTOU, SIG_IGN);
	EXPECT_OK(tcsetpgrp(slave, pid));
	EXPECT_EQ(tcgetpgrp(slave), pid);
	type("x\n");
	kill(pid, SIGCONT);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status));
	EXPECT_OK(tcsetpgrp(slave, getpgrp()));
	EXPECT_ERR(tcsetpgrp(slave, 30000), ESRCH);
}

TEST(background_readers_are_stopped)
{
	open_pair();
	EXPECT_EQ(in_child(background), 0);
}

TEST(closing_the_slave_is_a_hangup_for_the_master)
{
	struct pollfd p;
	char c;

	open_pair();
	p = (struct pollfd){ .fd = master, .events = POLLIN };
	EXPECT_EQ(poll(&p, 1, 0), 0);
	EXPECT_EQ(write(slave, "bye", 3), 3);
	close(slave);
	EXPECT_STR(get(master), "bye");
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLHUP);
	EXPECT_ERR(read(master, &c, 1), EIO);
}

TEST(a_slave_has_a_name_and_a_device)
{
	char name[64], link[64];
	struct stat a, b;
	ssize_t n;

	open_pair();
	REQUIRE_OK(ttyname_r(slave, name, sizeof(name)) == 0 ? 0 : -1);
	EXPECT_OK(stat(name, &a));
	EXPECT_OK(fstat(slave, &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(a.st_rdev, b.st_rdev);
	EXPECT(S_ISCHR(a.st_mode));
	EXPECT_EQ(a.st_rdev >> 8 & 0xff, 136);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", slave);
	n = readlink(link, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	EXPECT_STR(link, name);
}

TEST(packet_mode_tells_of_flushes)
{
	char buf[8];
	int one = 1;

	open_pair();
	EXPECT_OK(ioctl(master, TIOCPKT, &one));
	EXPECT_EQ(write(slave, "ab", 2), 2);
	EXPECT_EQ(read(master, buf, 8), 3);
	EXPECT_EQ(buf[0], 0);
	EXPECT_OK(tcflush(slave, TCIFLUSH));
	EXPECT_EQ(read(master, buf, 8), 1);
	EXPECT_EQ(buf[0], TIOCPKT_FLUSHREAD);
}

TEST(a_terminal_is_refused_what_it_cannot_do)
{
	int v;

	open_pair();
	EXPECT_ERR(lseek(slave, 0, SEEK_SET), ESPIPE);
	EXPECT_ERR(ioctl(slave, 0x1234, &v), ENOTTY);
	EXPECT_ERR(tcgetpgrp(slave), ENOTTY);
	EXPECT_ERR(ioctl(slave, TIOCGPTN, &v), ENOTTY);
	EXPECT_ERR(tcflush(slave, 77), EINVAL);
}

TEST_MAIN()
