/*
 * Rules of files that show in sequences of calls: which error wins, what watchers are told and when, what names follow.
 * Each was found by comparing random sequences with Linux.
 */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include "tests/lib/harness.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* The next event of @fd, read one at a time. */
static void expect(int fd, uint32_t mask, const char *name, int line)
{
	static char buf[4096] __attribute__((aligned(8)));
	static ssize_t have, at;
	struct inotify_event *e;

	if (at >= have) {
		have = read(fd, buf, sizeof(buf));
		at = 0;
	}
	if (have <= 0) {
		test_fail(__FILE__, line, "no event, not %#x %s", mask, name);
		return;
	}
	e = (struct inotify_event *)(buf + at);
	at += (ssize_t)(sizeof(*e) + e->len);
	if (e->mask != mask || strcmp(e->len ? e->name : "", name) != 0)
		test_fail(__FILE__, line, "event %#x \"%s\", not %#x \"%s\"", e->mask, e->len ? e->name : "", mask, name);
}

#define EXPECT_EVENT(fd, mask, name) expect(fd, mask, name, __LINE__)
#define EXPECT_NO_EVENT(fd) EXPECT_ERR(read(fd, (char[512]){ 0 }, 512), EAGAIN)

/* The end of what /proc says of a descriptor or of the working directory. */
static const char *tail_of(const char *link)
{
	static char buf[PATH_MAX];
	ssize_t n = readlink(link, buf, sizeof(buf) - 1);

	REQUIRE(n > 0);
	buf[n] = '\0';
	return strrchr(buf, '/');
}

TEST(open_files_and_working_directories_follow_an_exchange)
{
	char link[64];
	int f;

	REQUIRE_OK(mkdir("d", 0755));
	put_file("f", "x");
	f = open("f", O_RDONLY);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f);
	REQUIRE_OK(chdir("d"));
	EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "../d", AT_FDCWD, "../f", RENAME_EXCHANGE));
	EXPECT_STR(tail_of(link), "/d");
	EXPECT_STR(tail_of("/proc/self/cwd"), "/f");
	REQUIRE_OK(chdir(".."));
	EXPECT_STR(get_file("d"), "x");
	EXPECT_OK(rmdir("f"));
	EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "a name that is longer than the others: more than forty", 0));
	put_file("g", "y");
	EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "g", AT_FDCWD, "a name that is longer than the others: more than forty",
	                  RENAME_EXCHANGE));
	EXPECT_STR(tail_of(link), "/g");
	EXPECT_STR(get_file("a name that is longer than the others: more than forty"), "y");
}

TEST(an_exchange_is_told_both_ways)
{
	int in = inotify_init1(IN_NONBLOCK);

	put_file("a", "x");
	put_file("b", "y");
	REQUIRE_OK(inotify_add_watch(in, ".", IN_MOVE));
	EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	EXPECT_EVENT(in, IN_MOVED_FROM, "a");
	EXPECT_EVENT(in, IN_MOVED_TO, "b");
	EXPECT_EVENT(in, IN_MOVED_FROM, "b");
	EXPECT_EVENT(in, IN_MOVED_TO, "a");
	EXPECT_NO_EVENT(in);
}

TEST(a_deleted_file_ends_for_watchers_when_nobody_has_it_open)
{
	int in = inotify_init1(IN_NONBLOCK), f;

	put_file("f", "x");
	f = open("f", O_RDONLY);
	REQUIRE_OK(inotify_add_watch(in, ".", IN_DELETE));
	REQUIRE_OK(inotify_add_watch(in, "f", IN_ATTRIB | IN_DELETE_SELF | IN_CLOSE_NOWRITE));
	EXPECT_OK(unlink("f"));
	EXPECT_EVENT(in, IN_ATTRIB, "");
	EXPECT_EVENT(in, IN_DELETE, "f");
	EXPECT_NO_EVENT(in);
	close(f);
	EXPECT_EVENT(in, IN_CLOSE_NOWRITE, "");
	EXPECT_EVENT(in, IN_DELETE_SELF, "");
	EXPECT_EVENT(in, IN_IGNORED, "");
	put_file("g", "x");
	REQUIRE_OK(inotify_add_watch(in, "g", IN_ATTRIB | IN_DELETE_SELF));
	EXPECT_OK(unlink("g"));
	EXPECT_EVENT(in, IN_ATTRIB, "");
	EXPECT_EVENT(in, IN_DELETE_SELF, "");
	EXPECT_EVENT(in, IN_IGNORED, "");
	EXPECT_EVENT(in, IN_DELETE, "g");
	EXPECT_NO_EVENT(in);
}

TEST(a_file_that_is_replaced_while_open_ends_later)
{
	int in = inotify_init1(IN_NONBLOCK), f;

	put_file("f", "x");
	put_file("g", "y");
	f = open("f", O_RDONLY);
	REQUIRE_OK(inotify_add_watch(in, "f", IN_ATTRIB | IN_DELETE_SELF));
	EXPECT_OK(rename("g", "f"));
	EXPECT_EVENT(in, IN_ATTRIB, "");
	EXPECT_NO_EVENT(in);
	close(f);
	EXPECT_EVENT(in, IN_DELETE_SELF, "");
	EXPECT_EVENT(in, IN_IGNORED, "");
}

TEST(watchers_are_told_of_one_time_as_of_the_access_it_stands_for)
{
	struct timespec atime[2] = { { 5, 0 }, { 0, UTIME_OMIT } }, mtime[2] = { { 0, UTIME_OMIT }, { 5, 0 } };
	struct timespec both[2] = { { 6, 0 }, { 6, 0 } };
	int in = inotify_init1(IN_NONBLOCK);

	put_file("f", "x");
	REQUIRE_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS & ~IN_OPEN));
	EXPECT_OK(utimensat(AT_FDCWD, "f", atime, 0));
	EXPECT_EVENT(in, IN_ACCESS, "");
	EXPECT_OK(utimensat(AT_FDCWD, "f", mtime, 0));
	EXPECT_EVENT(in, IN_MODIFY, "");
	EXPECT_OK(utimensat(AT_FDCWD, "f", both, 0));
	EXPECT_EVENT(in, IN_ATTRIB, "");
	EXPECT_OK(chown("f", (uid_t)-1, (gid_t)-1));
	EXPECT_NO_EVENT(in);
}

TEST(an_open_that_truncates_is_told_as_an_open_first)
{
	int in = inotify_init1(IN_NONBLOCK);

	put_file("f", "x");
	REQUIRE_OK(inotify_add_watch(in, "f", IN_OPEN | IN_MODIFY));
	REQUIRE_OK(open("f", O_WRONLY | O_TRUNC));
	EXPECT_EVENT(in, IN_OPEN, "");
	EXPECT_EVENT(in, IN_MODIFY, "");
}

TEST(a_file_may_be_appended_to_itself)
{
	off_t from = 0, to = 4;
	int f = open("f", O_RDWR | O_CREAT, 0644);

	REQUIRE(write(f, "abcd", 4) == 4);
	EXPECT_EQ(copy_file_range(f, &from, f, &to, 100, 0), 4);
	EXPECT_STR(get_file("f"), "abcdabcd");
	EXPECT_EQ(lseek(f, 0, SEEK_END), 8);
	EXPECT_EQ(copy_file_range(f, NULL, f, NULL, 100, 0), 0);
	from = 0, to = 4;
	EXPECT_ERR(copy_file_range(f, &from, f, &to, 5, 0), EINVAL);
	to = -1;
	EXPECT_ERR(copy_file_range(f, &from, f, &to, 100, 0), EOVERFLOW);
}

TEST(nothing_written_at_the_end_moves_no_position)
{
	int f;

	put_file("f", "abc");
	f = open("f", O_WRONLY | O_APPEND);
	EXPECT_EQ(write(f, "", 0), 0);
	EXPECT_EQ(lseek(f, 0, SEEK_CUR), 0);
}

static void link_own(void)
{
	int own;

	REQUIRE_OK(setgid(54321));
	REQUIRE_OK(setuid(54321));
	own = open("own", O_RDWR | O_CREAT, 0600);
	REQUIRE_OK(own);
	EXPECT_OK(linkat(own, "", AT_FDCWD, "own2", AT_EMPTY_PATH));
	EXPECT_ERR(linkat(3, "", AT_FDCWD, "own3", AT_EMPTY_PATH), ENOENT);
	EXPECT_ERR(linkat(BAD_FD, "", AT_FDCWD, "own3", AT_EMPTY_PATH), EBADF);
}

TEST(a_plain_user_links_by_descriptor_what_he_opened_himself)
{
	struct stat st;
	int f;

	REQUIRE_OK(chmod(".", 0777));
	put_file("f", "x");
	REQUIRE_OK(chmod("f", 0666));
	f = open("f", O_RDWR);
	REQUIRE(dup2(f, 3) == 3);
	f = open("t", O_RDWR | O_CREAT, 0600);
	if (linkat(f, "", AT_FDCWD, "t2", AT_EMPTY_PATH) < 0)
		SKIP("not even for root");
	EXPECT_EQ(in_child(link_own), 0);
	EXPECT_OK(stat("own2", &st));
	EXPECT_EQ(st.st_nlink, 2);
}

TEST(of_two_errors_of_names_the_one_that_is_found_first_is_told)
{
	struct timespec bad[2] = { { 0, 1000000000 }, { 0, 0 } };
	struct sockaddr_un sa = { AF_UNIX, "s" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	put_file("f", "x");
	REQUIRE_OK(mkdir("d", 0755));
	REQUIRE_OK(bind(s, (struct sockaddr *)&sa, sizeof(sa)));
	EXPECT_ERR(utimensat(AT_FDCWD, "none", bad, 0), ENOENT);
	EXPECT_ERR(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
	EXPECT_ERR(open("d", O_RDONLY | O_TRUNC), EISDIR);
	EXPECT_ERR(open(".", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	EXPECT_ERR(open(".", O_RDWR | O_CREAT, 0600), EISDIR);
	EXPECT_ERR(link("d", "f"), EEXIST);
	EXPECT_ERR(link("d", "g"), EPERM);
	EXPECT_ERR(link("d", "g/"), ENOENT);
	EXPECT_ERR(syscall(SYS_renameat2, AT_FDCWD, "f/", AT_FDCWD, "d", RENAME_NOREPLACE), EEXIST);
	EXPECT_ERR(open("s", O_RDWR), ENXIO);
	EXPECT_ERR(setxattr("f", "user.", "x", 1, 0), EINVAL);
}

static void without_rights(void)
{
	REQUIRE_OK(setuid(54321));
	EXPECT_ERR(open("s", O_RDWR), EACCES);
	EXPECT_ERR(removexattr("f", "bad"), EACCES);
	EXPECT_ERR(removexattr("f", "user."), EACCES);
}

TEST(rights_are_looked_at_before_sockets_and_names_of_attributes)
{
	struct sockaddr_un sa = { AF_UNIX, "s" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	REQUIRE_OK(bind(s, (struct sockaddr *)&sa, sizeof(sa)));
	put_file("f", "x");
	REQUIRE_OK(chmod("s", 0755));
	REQUIRE_OK(chmod("f", 0644));
	REQUIRE_OK(chmod(".", 0755));
	EXPECT_EQ(in_child(without_rights), 0);
}

TEST(of_two_errors_of_descriptors_the_one_that_is_found_first_is_told)
{
	struct iovec none = { NULL, 0 }, one = { "x", 1 };
	off_t before = -1;
	int r, w, d;

	put_file("f", "x");
	r = open("f", O_RDONLY);
	w = open("f", O_WRONLY);
	d = open(".", O_RDONLY);
	EXPECT_ERR(fallocate(r, 0, 0, 0), EINVAL);
	EXPECT_ERR(fallocate(r, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
	EXPECT_ERR(fallocate(r, 0, 0, 1), EBADF);
	EXPECT_ERR(syscall(SYS_preadv2, BAD_FD, &one, 1, 0, 0, 0x1000), EBADF);
	EXPECT_ERR(syscall(SYS_preadv2, w, &one, 1, 0, 0, 0x1000), EBADF);
	EXPECT_ERR(syscall(SYS_preadv2, r, &one, 1, 0, 0, 0x1000), EOPNOTSUPP);
	EXPECT_EQ(syscall(SYS_preadv2, r, &none, 1, 0, 0, 0x1000), 0);
	EXPECT_ERR(sendfile(w, BAD_FD, &before, 1), EBADF);
	EXPECT_ERR(sendfile(BAD_FD, r, &before, 1), EINVAL);
	EXPECT_ERR(sendfile(w, d, NULL, 1), EINVAL);
	EXPECT_ERR(copy_file_range(w, &before, r, NULL, 1, 0), EBADF);
}

TEST_MAIN()
