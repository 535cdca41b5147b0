/* Terminals: pseudo-terminal pairs, line discipline, job control. */
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "tests/lib/harness.h"

static int master;
static char slave[64];

static int open_pair(void)
{
	int s;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	REQUIRE_OK(master);
	REQUIRE_OK(grantpt(master));
	REQUIRE_OK(unlockpt(master));
	REQUIRE(ptsname_r(master, slave, sizeof(slave)) == 0);
	s = open(slave, O_RDWR | O_NOCTTY);
	REQUIRE_OK(s);
	return s;
}

static const char *get(int fd)
{
	static char buf[512];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void set_lflag(int fd, tcflag_t set, tcflag_t clear)
{
	struct termios t;

	REQUIRE_OK(tcgetattr(fd, &t));
	t.c_lflag = (t.c_lflag & ~clear) | set;
	REQUIRE_OK(tcsetattr(fd, TCSANOW, &t));
}

TEST(a_pair_connects_and_is_a_tty)
{
	struct stat st;
	int s = open_pair(), unlocked = posix_openpt(O_RDWR | O_NOCTTY);
	char name[64];

	EXPECT_EQ(isatty(s), 1);
	EXPECT_EQ(isatty(master), 1);
	EXPECT_STR(ttyname(s), slave);
	EXPECT_OK(fstat(s, &st));
	EXPECT(S_ISCHR(st.st_mode));
	EXPECT_EQ(st.st_rdev >> 8, 136);
	EXPECT_EQ(ptsname_r(unlocked, name, sizeof(name)), 0);
	EXPECT_ERR(open(name, O_RDWR | O_NOCTTY), EIO);         /* still locked */
	put_file("f", "");
	EXPECT_ERR(tcgetattr(open("f", O_RDONLY), &(struct termios){ 0 }), ENOTTY);
}

TEST(canonical_input_comes_by_lines_and_is_echoed)
{
	int s = open_pair();

	EXPECT_EQ(write(master, "hel", 3), 3);
	EXPECT_OK(fcntl(s, F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(s, slave, 1), EAGAIN);
	EXPECT_EQ(write(master, "lo\n", 3), 3);
	EXPECT_OK(fcntl(s, F_SETFL, 0));
	EXPECT_STR(get(s), "hello\n");
	EXPECT_STR(get(master), "hello\r\n");
	EXPECT_EQ(write(master, "a\nb\n", 4), 4);
	EXPECT_STR(get(s), "a\n");
	EXPECT_STR(get(s), "b\n");
	EXPECT_EQ(write(master, "\r", 1), 1);   /* ICRNL */
	EXPECT_STR(get(s), "\n");
}

TEST(editing_characters_work)
{
	int s = open_pair();

	set_lflag(s, 0, ECHO);
	EXPECT_EQ(write(master, "abX\177c\n", 6), 6);
	EXPECT_STR(get(s), "abc\n");
	EXPECT_EQ(write(master, "gone\025kept\n", 10), 10);
	EXPECT_STR(get(s), "kept\n");
	EXPECT_EQ(write(master, "one two\027three\n", 14), 14);
	EXPECT_STR(get(s), "one three\n");
	EXPECT_EQ(write(master, "\026\003\n", 3), 3);   /* ^V ^C: literally */
	EXPECT_STR(get(s), "\003\n");
	EXPECT_EQ(write(master, "part\004", 5), 5);
	EXPECT_STR(get(s), "part");
	EXPECT_EQ(write(master, "\004", 1), 1);
	EXPECT_EQ(read(s, slave, 10), 0);       /* end of file, once */
	EXPECT_EQ(write(master, "more\n", 5), 5);
	EXPECT_STR(get(s), "more\n");
}

TEST(raw_input_comes_at_once)
{
	struct termios t;
	int s = open_pair();
	char c;

	REQUIRE_OK(tcgetattr(s, &t));
	cfmakeraw(&t);
	REQUIRE_OK(tcsetattr(s, TCSANOW, &t));
	EXPECT_EQ(write(master, "\003x\r", 3), 3);
	EXPECT_STR(get(s), "\003x\r");
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 1;
	REQUIRE_OK(tcsetattr(s, TCSANOW, &t));
	EXPECT_EQ(read(s, &c, 1), 0);
	EXPECT_OK(fcntl(master, F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(master, &c, 1), EAGAIN);
	EXPECT_EQ(write(s, "a\nb", 3), 3);
	EXPECT_STR(get(master), "a\nb");        /* no OPOST */
}

TEST(output_newlines_become_crlf)
{
	int s = open_pair();

	EXPECT_EQ(write(s, "x\ny\n", 4), 4);
	EXPECT_STR(get(master), "x\r\ny\r\n");
}

TEST(settings_are_kept_and_told)
{
	struct termios t, u;
	int s = open_pair();

	REQUIRE_OK(tcgetattr(s, &t));
	EXPECT(t.c_lflag & ICANON && t.c_lflag & ECHO && t.c_lflag & ISIG);
	EXPECT(t.c_iflag & ICRNL && t.c_oflag & OPOST && t.c_oflag & ONLCR);
	EXPECT_EQ(t.c_cc[VINTR], 3);
	EXPECT_EQ(t.c_cc[VEOF], 4);
	EXPECT_EQ(t.c_cc[VERASE], 0177);
	t.c_cc[VINTR] = 7;
	t.c_lflag &= ~(tcflag_t)ECHO;
	EXPECT_OK(tcsetattr(master, TCSAFLUSH, &t));    /* either end */
	REQUIRE_OK(tcgetattr(s, &u));
	EXPECT_EQ(u.c_cc[VINTR], 7);
	EXPECT_EQ(u.c_lflag, t.c_lflag);
}

TEST(the_old_settings_call_keeps_what_it_does_not_know)
{
	/* struct termio, whose header clashes with termios.h */
	struct { unsigned short iflag, oflag, cflag, lflag; unsigned char line, cc[8], pad; } o = { 0 };
	struct termios before, after;
	int s = open_pair();

	REQUIRE_OK(tcgetattr(s, &before));
	EXPECT_OK(ioctl(s, 0x5405 /* TCGETA */, &o));
	EXPECT_EQ(o.lflag, before.c_lflag & 0xffff);
	EXPECT_EQ(o.cc[VINTR], before.c_cc[VINTR]);
	o.lflag &= (unsigned short)~ECHO;
	o.cc[VINTR] = 1;
	EXPECT_OK(ioctl(s, 0x5406 /* TCSETA */, &o));
	EXPECT_OK(tcgetattr(s, &after));
	EXPECT_EQ(after.c_lflag, before.c_lflag & ~(tcflag_t)ECHO);
	EXPECT_EQ(after.c_cc[VINTR], 1);
	EXPECT_EQ(after.c_cc[VSUSP], before.c_cc[VSUSP]);
	EXPECT_ERR(ioctl(s, 0x5405, BAD_PTR), EFAULT);
	EXPECT_ERR(ioctl(s, 0x5407 /* TCSETAW */, BAD_PTR), EFAULT);
}

static volatile sig_atomic_t winch;

static void on_winch(int sig)
{
	(void)sig;
	winch++;
}

TEST(locked_settings_stay)
{
	struct termios lock = { 0 }, want, got;
	int s = open_pair();

	REQUIRE_OK(tcgetattr(s, &want));
	lock.c_lflag = ECHO;
	lock.c_cc[VINTR] = 1;
	if (ioctl(s, TIOCSLCKTRMIOS, &lock) < 0) {
		EXPECT_EQ(errno, EPERM);
		return;
	}
	memset(&got, 0xff, sizeof(got));
	EXPECT_OK(ioctl(s, TIOCGLCKTRMIOS, &got));
	EXPECT_EQ(got.c_lflag, ECHO);
	EXPECT_EQ(got.c_cc[VINTR], 1);
	EXPECT_EQ(got.c_iflag, 0);
	want.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	want.c_cc[VINTR] = 'X';
	want.c_cc[VQUIT] = 'Y';
	EXPECT_OK(tcsetattr(s, TCSANOW, &want));
	EXPECT_OK(tcgetattr(s, &got));
	EXPECT_EQ(got.c_lflag & (ECHO | ISIG), ECHO);
	EXPECT_EQ(got.c_cc[VINTR], 3);
	EXPECT_EQ(got.c_cc[VQUIT], 'Y');
	EXPECT_ERR(ioctl(s, TIOCSLCKTRMIOS, NULL), EFAULT);
}

TEST(window_sizes_are_told_with_a_signal)
{
	struct winsize w = { 25, 80, 0, 0 }, got;
	int s = open_pair(), p[2], status;
	pid_t pid;
	char c;

	EXPECT_OK(ioctl(s, TIOCGWINSZ, &got));
	EXPECT_EQ(got.ws_row, 0);
	EXPECT_OK(ioctl(master, TIOCSWINSZ, &w));
	EXPECT_OK(ioctl(s, TIOCGWINSZ, &got));
	EXPECT(got.ws_row == 25 && got.ws_col == 80);
	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		setsid();
		signal(SIGWINCH, on_winch);
		EXPECT_OK(ioctl(s, TIOCSCTTY, 0));
		(void)!write(p[1], "x", 1);
		while (!winch)
			sleep_ms(1);
		_exit(test_failures);
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	w.ws_col = 100;
	EXPECT_OK(ioctl(master, TIOCSWINSZ, &w));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* A session with the slave as its controlling terminal; @fn runs in its leader. */
static int in_session(int s, void (*fn)(int s))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		EXPECT_OK(setsid());
		EXPECT_OK(ioctl(s, TIOCSCTTY, 0));
		fn(s);
		_exit(test_failures);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void control_c_interrupts(int s)
{
	pid_t pid;
	int status;

	EXPECT_EQ(tcgetpgrp(s), getpid());
	EXPECT_EQ(tcgetsid(s), getpid());
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(pid, pid);
	EXPECT_OK(tcsetpgrp(s, pid));
	EXPECT_EQ(tcgetpgrp(s), pid);
	EXPECT_EQ(write(master, "\003", 1), 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(pid, pid);
	signal(SIGTTOU, SIG_IGN);
	EXPECT_OK(tcsetpgrp(s, pid));
	EXPECT_EQ(write(master, "\032", 1), 1);
	EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_OK(open("/dev/tty", O_RDWR));
}

TEST(control_characters_signal_the_foreground_group)
{
	EXPECT_EQ(in_session(open_pair(), control_c_interrupts), 0);
}

static void background_reader_stops(int s)
{
	char c;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		(void)!read(s, &c, 1);
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	set_lflag(s, TOSTOP, 0);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		(void)!write(s, "x", 1);
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST(background_groups_are_stopped_at_the_terminal)
{
	EXPECT_EQ(in_session(open_pair(), background_reader_stops), 0);
}

TEST(closing_the_master_hangs_up)
{
	int s = open_pair(), p[2], status;
	pid_t pid;
	char c;

	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		close(master);
		setsid();
		ioctl(s, TIOCSCTTY, 0);
		(void)!write(p[1], "x", 1);
		for (;;)
			pause();
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	close(master);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
	EXPECT_EQ(read(s, &c, 1), 0);
	EXPECT_ERR(write(s, "x", 1), EIO);
}

TEST(closing_the_slave_is_eio_for_the_master)
{
	struct pollfd f = { .events = POLLIN };
	int s = open_pair();
	char c;

	EXPECT_EQ(write(s, "z", 1), 1);
	close(s);
	EXPECT_EQ(read(master, &c, 1), 1);
	EXPECT_ERR(read(master, &c, 1), EIO);
	f.fd = master;
	EXPECT_EQ(poll(&f, 1, 0), 1);
	EXPECT(f.revents & POLLHUP);
	EXPECT_OK(open(slave, O_RDWR | O_NOCTTY));
	EXPECT_EQ(poll(&f, 1, 0), 0);
}

TEST(there_is_no_terminal_without_a_session)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		EXPECT_ERR(open("/dev/tty", O_RDWR), ENXIO);
		_exit(test_failures);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(queue_lengths_and_flushing)
{
	int s = open_pair(), n = -1;

	set_lflag(s, 0, ECHO);
	EXPECT_EQ(write(master, "12345\n", 6), 6);
	EXPECT_EQ(poll(&(struct pollfd){ .fd = s, .events = POLLIN }, 1, -1), 1);
	EXPECT_OK(ioctl(s, FIONREAD, &n));
	EXPECT_EQ(n, 6);
	EXPECT_OK(tcflush(s, TCIFLUSH));
	EXPECT_OK(ioctl(s, FIONREAD, &n));
	EXPECT_EQ(n, 0);
	EXPECT_OK(tcdrain(s));
}

TEST_MAIN()
