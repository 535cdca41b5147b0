/* Advisory locks, sendfile and copy_file_range, inotify, extended attributes. */
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <sys/socket.h>
#include "tests/lib/harness.h"

TEST(flock_belongs_to_the_description)
{
	int a = open("f", O_RDWR | O_CREAT, 0600), b = open("f", O_RDWR), c = dup(a);

	EXPECT_OK(flock(a, LOCK_SH));
	EXPECT_OK(flock(b, LOCK_SH | LOCK_NB));
	EXPECT_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	EXPECT_OK(flock(c, LOCK_UN));
	EXPECT_OK(flock(b, LOCK_EX | LOCK_NB));
	EXPECT_ERR(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(b);
	EXPECT_OK(flock(a, LOCK_EX | LOCK_NB));
	EXPECT_OK(flock(c, LOCK_EX | LOCK_NB));
	EXPECT_ERR(flock(a, 0), EINVAL);
	EXPECT_ERR(flock(BAD_FD, LOCK_SH), EBADF);
}

static struct flock fl(short type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
}

TEST(record_locks_belong_to_the_process)
{
	struct flock l = fl(F_WRLCK, 10, 10);
	int fd = open("f", O_RDWR | O_CREAT, 0600), status;
	pid_t pid;

	EXPECT_OK(fcntl(fd, F_SETLK, &l));
	pid = fork();
	if (pid == 0) {
		l = fl(F_WRLCK, 15, 1);
		EXPECT_ERR(fcntl(fd, F_SETLK, &l), EAGAIN);
		EXPECT_OK(fcntl(fd, F_GETLK, &l));
		EXPECT_EQ(l.l_type, F_WRLCK);
		EXPECT_EQ(l.l_start, 10);
		EXPECT_EQ(l.l_len, 10);
		EXPECT_EQ(l.l_pid, getppid());
		l = fl(F_WRLCK, 20, 0);
		EXPECT_OK(fcntl(fd, F_SETLK, &l));
		l = fl(F_RDLCK, 0, 10);
		EXPECT_OK(fcntl(fd, F_SETLK, &l));
		_exit(test_failures);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	l = fl(F_WRLCK, 0, 0);
	EXPECT_OK(fcntl(fd, F_SETLK, &l));      /* the child's are gone */
	close(open("f", O_RDONLY));             /* any close drops ours */
	pid = fork();
	if (pid == 0) {
		l = fl(F_WRLCK, 0, 0);
		_exit(fcntl(fd, F_SETLK, &l) == 0 ? 0 : 1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	l = fl(99, 0, 0);
	EXPECT_ERR(fcntl(fd, F_SETLK, &l), EINVAL);
	l = fl(F_WRLCK, -5, 1);
	EXPECT_ERR(fcntl(fd, F_SETLK, &l), EINVAL);
	fd = open("f", O_RDONLY);
	l = fl(F_WRLCK, 0, 1);
	EXPECT_ERR(fcntl(fd, F_SETLK, &l), EBADF);
}

TEST(a_blocked_lock_is_granted_on_release)
{
	struct flock l = fl(F_WRLCK, 0, 1);
	int fd = open("f", O_RDWR | O_CREAT, 0600), status;
	pid_t pid;

	EXPECT_OK(fcntl(fd, F_SETLK, &l));
	pid = fork();
	if (pid == 0)
		_exit(fcntl(fd, F_SETLKW, &l) == 0 ? 0 : 1);
	wait_until_asleep(pid);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	l.l_type = F_UNLCK;
	EXPECT_OK(fcntl(fd, F_SETLK, &l));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(open_description_locks)
{
	struct flock l = fl(F_WRLCK, 0, 10);
	int a = open("f", O_RDWR | O_CREAT, 0600), b = open("f", O_RDWR);

	EXPECT_OK(fcntl(a, F_OFD_SETLK, &l));
	EXPECT_ERR(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
	EXPECT_OK(fcntl(b, F_OFD_GETLK, &l));
	EXPECT_EQ(l.l_pid, -1);
	close(a);
	l = fl(F_WRLCK, 0, 10);
	EXPECT_OK(fcntl(b, F_OFD_SETLK, &l));
	l.l_pid = 1;
	EXPECT_ERR(fcntl(b, F_OFD_SETLK, &l), EINVAL);
}

TEST(sendfile_copies_and_moves_the_offset)
{
	off_t off = 2;
	int in, out = open("out", O_RDWR | O_CREAT, 0600), p[2];
	char buf[8] = "";

	put_file("in", "0123456789");
	in = open("in", O_RDONLY);
	EXPECT_EQ(sendfile(out, in, &off, 4), 4);
	EXPECT_EQ(off, 6);
	EXPECT_EQ(lseek(in, 0, SEEK_CUR), 0);
	EXPECT_EQ(sendfile(out, in, NULL, 100), 10);
	EXPECT_EQ(sendfile(out, in, NULL, 100), 0);
	EXPECT_STR(get_file("out"), "23450123456789");
	REQUIRE_OK(pipe(p));
	off = 8;
	EXPECT_EQ(sendfile(p[1], in, &off, 100), 2);
	EXPECT_EQ(read(p[0], buf, 8), 2);
	EXPECT_STR(buf, "89");
	EXPECT_ERR(sendfile(in, out, NULL, 1), EBADF);
	EXPECT_ERR(sendfile(out, BAD_FD, NULL, 1), EBADF);
	off = -1;
	EXPECT_ERR(sendfile(out, in, &off, 1), EINVAL);
}

TEST(copy_file_range_copies_within_the_kernel)
{
	loff_t a = 1, b = 3;
	int in, out = open("out", O_RDWR | O_CREAT, 0600);

	put_file("in", "0123456789");
	in = open("in", O_RDONLY);
	EXPECT_EQ(copy_file_range(in, &a, out, &b, 4, 0), 4);
	EXPECT_EQ(a, 5);
	EXPECT_EQ(b, 7);
	EXPECT_EQ(memcmp(get_file("out"), "\0\0\0001234", 7), 0);
	EXPECT_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 10);
	EXPECT_EQ(copy_file_range(in, NULL, out, NULL, 100, 0), 0);
	EXPECT_ERR(copy_file_range(in, NULL, out, NULL, 1, 1), EINVAL);
	EXPECT_ERR(copy_file_range(out, NULL, in, NULL, 1, 0), EBADF);
}

static uint32_t next_event(int fd, char *name, size_t cap)
{
	static char buf[4096] __attribute__((aligned(8)));
	static ssize_t have, pos;
	struct inotify_event *e;

	if (pos >= have) {
		have = read(fd, buf, sizeof(buf));
		pos = 0;
		if (have <= 0)
			return 0;
	}
	e = (struct inotify_event *)(buf + pos);
	pos += (ssize_t)(sizeof(*e) + e->len);
	snprintf(name, cap, "%s", e->len ? e->name : "");
	return e->mask;
}

TEST(inotify_tells_what_happens_in_a_directory)
{
	char name[NAME_MAX + 1];
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), wd;

	REQUIRE_OK(fd);
	wd = inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_MODIFY);
	REQUIRE_OK(wd);
	EXPECT_EQ(next_event(fd, name, sizeof(name)), 0);
	put_file("f", "x");
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_CREATE);
	EXPECT_STR(name, "f");
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_MODIFY);
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_CLOSE_WRITE);
	EXPECT_OK(rename("f", "g"));
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_MOVED_FROM);
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_MOVED_TO);
	EXPECT_STR(name, "g");
	mkdir("d", 0700);
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_CREATE | IN_ISDIR);
	EXPECT_OK(unlink("g"));
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_DELETE);
	EXPECT_OK(inotify_rm_watch(fd, wd));
	EXPECT_EQ(next_event(fd, name, sizeof(name)), IN_IGNORED);
	EXPECT_ERR(inotify_rm_watch(fd, wd), EINVAL);
	EXPECT_ERR(inotify_add_watch(fd, "none", IN_CREATE), ENOENT);
	EXPECT_ERR(inotify_add_watch(fd, ".", 0), EINVAL);
	EXPECT_ERR(inotify_add_watch(0, ".", IN_CREATE), EINVAL);
}

TEST(extended_attributes_are_kept)
{
	char buf[64] = "";

	put_file("f", "");
	if (setxattr("f", "user.a", "value", 5, 0) < 0 && errno == EOPNOTSUPP)
		SKIP("no user attributes on this file system");
	EXPECT_EQ(getxattr("f", "user.a", buf, sizeof(buf)), 5);
	EXPECT_STR(buf, "value");
	EXPECT_EQ(getxattr("f", "user.a", NULL, 0), 5);
	EXPECT_ERR(getxattr("f", "user.a", buf, 2), ERANGE);
	EXPECT_ERR(getxattr("f", "user.none", buf, 2), ENODATA);
	EXPECT_ERR(setxattr("f", "user.a", "x", 1, XATTR_CREATE), EEXIST);
	EXPECT_ERR(setxattr("f", "user.b", "x", 1, XATTR_REPLACE), ENODATA);
	EXPECT_EQ(listxattr("f", buf, sizeof(buf)), 7);
	EXPECT_STR(buf, "user.a");
	EXPECT_OK(removexattr("f", "user.a"));
	EXPECT_ERR(removexattr("f", "user.a"), ENODATA);
	EXPECT_ERR(setxattr("f", "nodot", "x", 1, 0), EOPNOTSUPP);
}

/* ---- files that have no name ---- */

TEST(pipes_and_sockets_have_record_locks)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 }, got;
	int p[2], s[2], status;
	pid_t c;

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_ERR(fcntl(p[0], F_SETLK, &fl), EBADF);   /* not open for writing */
	EXPECT_OK(fcntl(p[1], F_SETLK, &fl));
	EXPECT_OK(fcntl(s[0], F_SETLK, &fl));
	EXPECT_OK(fcntl(s[0], F_OFD_SETLK, &(struct flock){ .l_type = F_RDLCK, .l_start = 20, .l_len = 1 }));
	c = fork();
	if (c == 0) {
		got = (struct flock){ .l_type = F_RDLCK, .l_len = 5 };
		EXPECT_OK(fcntl(p[0], F_GETLK, &got));  /* both ends are one file */
		EXPECT_EQ(got.l_type, F_WRLCK);
		EXPECT_EQ(got.l_pid, getppid());
		got = (struct flock){ .l_type = F_RDLCK, .l_len = 5 };
		EXPECT_ERR(fcntl(s[0], F_SETLK, &got), EAGAIN);
		EXPECT_OK(fcntl(s[1], F_SETLK, &got));
		_exit(test_failures != 0);
	}
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
	EXPECT_OK(close(dup(p[1])));                    /* any close gives them up */
	c = fork();
	if (c == 0)
		_exit(fcntl(p[0], F_SETLK, &(struct flock){ .l_type = F_RDLCK }) != 0);
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
}

TEST(any_descriptor_can_be_flocked)
{
	int p[2], again, status;
	char path[64];
	pid_t c;

	REQUIRE_OK(pipe(p));
	EXPECT_OK(flock(p[0], LOCK_EX | LOCK_NB));
	EXPECT_OK(flock(p[0], LOCK_EX | LOCK_NB));
	EXPECT_ERR(flock(p[1], LOCK_SH | LOCK_NB), EAGAIN);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	REQUIRE_OK(again = open(path, O_RDONLY));
	EXPECT_ERR(flock(again, LOCK_EX | LOCK_NB), EAGAIN);
	c = fork();
	if (c == 0)
		_exit(flock(p[0], LOCK_UN) != 0);
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
	EXPECT_OK(flock(again, LOCK_EX | LOCK_NB));
	EXPECT_OK(close(again));
	EXPECT_OK(flock(p[1], LOCK_EX | LOCK_NB));
	EXPECT_OK(flock(syscall(SYS_eventfd2, 0, 0), LOCK_SH | LOCK_NB));
	EXPECT_OK(flock(p[1], 32 | LOCK_SH));           /* LOCK_MAND */
}

TEST(a_wait_for_a_pipes_lock_ends_when_it_is_closed)
{
	int p[2], again, status;
	char path[64];
	pid_t c;

	REQUIRE_OK(pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	REQUIRE_OK(again = open(path, O_RDONLY));
	EXPECT_OK(flock(again, LOCK_EX));
	c = fork();
	if (c == 0) {
		close(again);
		_exit(flock(p[0], LOCK_EX) != 0);
	}
	usleep(50000);
	EXPECT_EQ(waitpid(c, &status, WNOHANG), 0);
	EXPECT_OK(close(again));
	EXPECT_EQ(waitpid(c, &status, 0), c);
	EXPECT_EQ(status, 0);
}

TEST_MAIN()
