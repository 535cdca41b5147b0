/* Leases on files, and dnotify: F_SETLEASE, F_GETLEASE, F_NOTIFY. */
#include <poll.h>
#include <sys/time.h>
#include "tests/lib/harness.h"

static sigset_t waited;

static void block(int a, int b)
{
	sigemptyset(&waited);
	sigaddset(&waited, a);
	sigaddset(&waited, b);
	sigprocmask(SIG_BLOCK, &waited, NULL);
}

static int next_in(siginfo_t *si, int secs)
{
	struct timespec ts = { secs, 0 };
	int sig;

	memset(si, 0, sizeof(*si));
	sig = sigtimedwait(&waited, si, &ts);
	return sig < 0 ? 0 : sig;
}

TEST(leases_are_set_asked_and_given_up)
{
	int r, w;

	put_file("f", "x");
	REQUIRE_OK(r = open("f", O_RDONLY));
	EXPECT_EQ(fcntl(r, F_GETLEASE), F_UNLCK);
	EXPECT_ERR(fcntl(r, F_SETLEASE, F_UNLCK), EAGAIN);
	EXPECT_ERR(fcntl(r, F_SETLEASE, 7), EINVAL);
	EXPECT_OK(fcntl(r, F_SETLEASE, F_RDLCK));
	EXPECT_EQ(fcntl(r, F_GETLEASE), F_RDLCK);
	EXPECT_EQ(fcntl(r, F_GETOWN), getpid());
	EXPECT_OK(fcntl(r, F_SETLEASE, F_WRLCK));
	EXPECT_EQ(fcntl(r, F_GETLEASE), F_WRLCK);
	EXPECT_OK(fcntl(r, F_SETLEASE, F_RDLCK));
	EXPECT_EQ(fcntl(r, F_GETLEASE), F_RDLCK);
	EXPECT_OK(fcntl(r, F_SETLEASE, F_UNLCK));
	EXPECT_EQ(fcntl(r, F_GETLEASE), F_UNLCK);
	EXPECT_EQ(fcntl(r, F_GETOWN), 0);
	REQUIRE_OK(w = open("f", O_RDWR));
	EXPECT_ERR(fcntl(r, F_SETLEASE, F_RDLCK), EAGAIN);
	EXPECT_ERR(fcntl(w, F_SETLEASE, F_RDLCK), EAGAIN);
	EXPECT_ERR(fcntl(w, F_SETLEASE, F_WRLCK), EAGAIN);
	EXPECT_OK(close(r));
	EXPECT_OK(fcntl(w, F_SETLEASE, F_WRLCK));
	EXPECT_EQ(fcntl(w, F_GETLEASE), F_WRLCK);
	EXPECT_OK(close(w));
	REQUIRE_OK(r = open("f", O_RDONLY));
	EXPECT_EQ(fcntl(r, F_GETLEASE), F_UNLCK);
}

TEST(only_regular_files_of_ones_own_have_leases)
{
	int p[2], d, f;

	REQUIRE_OK(pipe(p));
	EXPECT_ERR(fcntl(p[0], F_SETLEASE, F_RDLCK), EINVAL);
	REQUIRE_OK(d = open("/dev/null", O_RDONLY));
	EXPECT_ERR(fcntl(d, F_SETLEASE, F_RDLCK), EINVAL);
	put_file("f", "x");
	REQUIRE_OK(f = open("f", O_RDONLY));
	REQUIRE_OK(f = open("f", O_PATH));
	EXPECT_ERR(fcntl(f, F_SETLEASE, F_RDLCK), EBADF);
	EXPECT_ERR(fcntl(f, F_GETLEASE), EBADF);
	EXPECT_ERR(fcntl(BAD_FD, F_GETLEASE), EBADF);
}

static void as_somebody(void)
{
	int f = open("f", O_RDONLY);

	REQUIRE_OK(f);
	REQUIRE_OK(setresuid(1000, 1000, 1000));
	EXPECT_ERR(fcntl(f, F_SETLEASE, F_RDLCK), EACCES);
}

TEST(others_files_need_cap_lease)
{
	if (getuid())
		SKIP("not root");
	put_file("f", "x");
	EXPECT_EQ(in_child(as_somebody), 0);
}

TEST(two_may_read_but_only_one_may_write)
{
	int a, b;

	put_file("f", "x");
	REQUIRE_OK(a = open("f", O_RDONLY));
	REQUIRE_OK(b = open("f", O_RDONLY));
	EXPECT_OK(fcntl(a, F_SETLEASE, F_RDLCK));
	EXPECT_OK(fcntl(b, F_SETLEASE, F_RDLCK));
	EXPECT_ERR(fcntl(b, F_SETLEASE, F_WRLCK), EAGAIN);
}

static void opens_for_writing(void)
{
	EXPECT_ERR(open("f", O_WRONLY | O_NONBLOCK), EAGAIN);
	REQUIRE_OK(open("f", O_WRONLY));
}

TEST(a_writer_waits_until_the_lease_is_given_up)
{
	int r, status;
	siginfo_t si;
	pid_t c;

	block(SIGIO, SIGRTMIN);
	put_file("f", "x");
	REQUIRE_OK(r = open("f", O_RDONLY));
	EXPECT_OK(fcntl(r, F_SETSIG, SIGRTMIN));
	EXPECT_OK(fcntl(r, F_SETLEASE, F_RDLCK));
	EXPECT_OK(close(open("f", O_RDONLY)));  /* readers do not matter */
	EXPECT_EQ(next_in(&si, 0), 0);
	c = fork();
	if (c == 0) {
		opens_for_writing();
		_exit(test_failures != 0);
	}
	EXPECT_EQ(next_in(&si, 10), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_MSG);
	EXPECT_EQ(si.si_fd, r);
	EXPECT_EQ(si.si_band, POLLIN | POLLRDNORM | POLLMSG);
	EXPECT_EQ(fcntl(r, F_GETLEASE), F_UNLCK);
	usleep(100000);
	EXPECT_EQ(waitpid(c, &status, WNOHANG), 0);
	EXPECT_OK(fcntl(r, F_SETLEASE, F_UNLCK));
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
}

TEST(a_reader_only_makes_a_write_lease_a_read_lease)
{
	int w, status;
	siginfo_t si;
	pid_t c;

	block(SIGIO, SIGRTMIN);
	put_file("f", "x");
	REQUIRE_OK(w = open("f", O_RDONLY));
	EXPECT_OK(fcntl(w, F_SETLEASE, F_WRLCK));
	c = fork();
	if (c == 0)
		_exit(open("f", O_RDONLY) < 0);
	EXPECT_EQ(next_in(&si, 10), SIGIO);
	EXPECT_EQ(fcntl(w, F_GETLEASE), F_RDLCK);
	EXPECT_OK(fcntl(w, F_SETLEASE, F_RDLCK));
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(fcntl(w, F_GETLEASE), F_RDLCK);
	EXPECT_EQ(next_in(&si, 0), 0);
}

TEST(truncate_breaks_a_lease_and_close_ends_it)
{
	int r, status;
	siginfo_t si;
	pid_t c;

	block(SIGIO, SIGRTMIN);
	put_file("f", "x");
	REQUIRE_OK(r = open("f", O_RDONLY | O_CLOEXEC));
	EXPECT_OK(fcntl(r, F_SETLEASE, F_RDLCK));
	c = fork();
	if (c == 0) {
		close(r);
		_exit(truncate("f", 0) != 0);
	}
	EXPECT_EQ(next_in(&si, 10), SIGIO);
	usleep(50000);
	EXPECT_EQ(waitpid(c, &status, WNOHANG), 0);
	EXPECT_OK(close(r));
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
}

static void on_alarm(int sig) { (void)sig; }

TEST(a_signal_ends_the_wait_for_a_lease)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int r, status;
	pid_t c;

	block(SIGIO, SIGRTMIN);
	put_file("f", "x");
	REQUIRE_OK(r = open("f", O_RDONLY));
	EXPECT_OK(fcntl(r, F_SETLEASE, F_RDLCK));
	c = fork();
	if (c == 0) {
		struct itimerval it = { .it_value = { 0, 100000 }, .it_interval = { 0, 100000 } };

		sigaction(SIGALRM, &sa, NULL);
		setitimer(ITIMER_REAL, &it, NULL);
		EXPECT_ERR(open("f", O_RDWR), EINTR);
		_exit(test_failures != 0);
	}
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
}

/* ---- dnotify ---- */

TEST(a_directory_tells_once_of_what_was_asked)
{
	siginfo_t si;
	int d;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(mkdir("d", 0700));
	REQUIRE_OK(d = open("d", O_RDONLY | O_DIRECTORY));
	EXPECT_OK(fcntl(d, F_SETSIG, SIGRTMIN));
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_CREATE));
	EXPECT_EQ(fcntl(d, F_GETOWN), getpid());
	put_file("d/a", "x");
	EXPECT_EQ(next_in(&si, 5), SIGRTMIN);
	EXPECT_EQ(si.si_code, POLL_MSG);
	EXPECT_EQ(si.si_fd, d);
	put_file("d/b", "x");
	EXPECT_EQ(next_in(&si, 0), 0);
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	put_file("d/c", "x");
	EXPECT_EQ(next_in(&si, 5), SIGRTMIN);
	put_file("d/e", "x");
	EXPECT_EQ(next_in(&si, 5), SIGRTMIN);
	EXPECT_OK(unlink("d/e"));
	EXPECT_EQ(next_in(&si, 0), 0);
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_DELETE));       /* one more */
	EXPECT_OK(unlink("d/c"));
	EXPECT_EQ(next_in(&si, 5), SIGRTMIN);
	EXPECT_OK(fcntl(d, F_NOTIFY, 0));
	EXPECT_OK(unlink("d/b"));
	EXPECT_EQ(next_in(&si, 0), 0);
}

TEST(a_directory_tells_of_modes_contents_and_names)
{
	siginfo_t si;
	char c;
	int d, f;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(mkdir("d", 0700));
	put_file("d/a", "x");
	REQUIRE_OK(f = open("d/a", O_RDWR));
	REQUIRE_OK(d = open("d", O_RDONLY | O_DIRECTORY));
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_MODIFY));
	EXPECT_EQ(write(f, "y", 1), 1);
	EXPECT_EQ(next_in(&si, 5), SIGIO);
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_ATTRIB));
	EXPECT_OK(chmod("d/a", 0600));
	EXPECT_EQ(next_in(&si, 5), SIGIO);
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_ACCESS));
	EXPECT_EQ(pread(f, &c, 1, 0), 1);
	EXPECT_EQ(next_in(&si, 5), SIGIO);
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_RENAME));
	EXPECT_OK(rename("d/a", "d/b"));
	EXPECT_EQ(next_in(&si, 5), SIGIO);
	EXPECT_EQ(next_in(&si, 0), 0);
}

TEST(closing_any_descriptor_of_it_ends_the_watch)
{
	siginfo_t si;
	int d, e;

	block(SIGIO, SIGRTMIN);
	REQUIRE_OK(mkdir("d", 0700));
	REQUIRE_OK(d = open("d", O_RDONLY | O_DIRECTORY));
	e = dup(d);
	EXPECT_OK(fcntl(d, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	EXPECT_OK(close(e));
	put_file("d/a", "x");
	EXPECT_EQ(next_in(&si, 0), 0);
	put_file("f", "x");
	REQUIRE_OK(e = open("f", O_RDONLY));
	EXPECT_ERR(fcntl(e, F_NOTIFY, DN_CREATE), ENOTDIR);
}

TEST_MAIN()
