/*
 * inotify.c - watches on directories and files, and what they report.
 */
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include "tests/lib/harness.h"

static char buf[8192] __attribute__((aligned(8)));
static ssize_t have, at;

/* The next event, or NULL when there is none. */
static struct inotify_event *next(int fd)
{
	struct inotify_event *e;

	if (at >= have) {
		have = read(fd, buf, sizeof(buf));
		at = 0;
		if (have <= 0)
			return NULL;
	}
	e = (struct inotify_event *)(buf + at);
	at += (ssize_t)(sizeof(*e) + e->len);
	return e;
}

static void expect(int fd, uint32_t mask, const char *name, int line)
{
	struct inotify_event *e = next(fd);

	if (!e)
		test_fail(__FILE__, line, "no event, not %#x %s", mask, name);
	else if (e->mask != mask || strcmp(e->len ? e->name : "", name) != 0)
		test_fail(__FILE__, line, "event %#x \"%s\", not %#x \"%s\"", e->mask, e->len ? e->name : "", mask, name);
}

#define EXPECT_EVENT(fd, mask, name) expect(fd, mask, name, __LINE__)

TEST(a_directory_reports_what_happens_to_its_entries)
{
	int fd = inotify_init1(IN_NONBLOCK), f;

	REQUIRE_OK(fd);
	REQUIRE_OK(inotify_add_watch(fd, ".", IN_ALL_EVENTS & ~IN_ACCESS));
	f = open("a", O_CREAT | O_WRONLY, 0644);
	EXPECT_EVENT(fd, IN_CREATE, "a");
	EXPECT_EVENT(fd, IN_OPEN, "a");
	EXPECT_EQ(write(f, "x", 1), 1);
	EXPECT_EVENT(fd, IN_MODIFY, "a");
	close(f);
	EXPECT_EVENT(fd, IN_CLOSE_WRITE, "a");
	EXPECT_OK(chmod("a", 0600));
	EXPECT_EVENT(fd, IN_ATTRIB, "a");
	EXPECT_OK(mkdir("d", 0755));
	EXPECT_EVENT(fd, IN_CREATE | IN_ISDIR, "d");
	EXPECT_OK(unlink("a"));
	EXPECT_EVENT(fd, IN_DELETE, "a");
	EXPECT_OK(rmdir("d"));
	EXPECT_EVENT(fd, IN_DELETE | IN_ISDIR, "d");
	EXPECT_ERR(read(fd, buf, sizeof(buf)), EAGAIN);
}

TEST(moves_share_a_cookie)
{
	int fd = inotify_init1(IN_NONBLOCK);
	struct inotify_event *e;
	uint32_t cookie;

	put_file("a", "x");
	REQUIRE_OK(inotify_add_watch(fd, ".", IN_MOVE));
	EXPECT_OK(rename("a", "b"));
	e = next(fd);
	REQUIRE(e && e->mask == IN_MOVED_FROM && strcmp(e->name, "a") == 0);
	cookie = e->cookie;
	e = next(fd);
	REQUIRE(e && e->mask == IN_MOVED_TO && strcmp(e->name, "b") == 0);
	EXPECT(cookie != 0 && e->cookie == cookie);
}

TEST(a_watched_file_ends_with_ignored)
{
	int fd = inotify_init1(IN_NONBLOCK), wd;

	put_file("a", "x");
	wd = inotify_add_watch(fd, "a", IN_DELETE_SELF | IN_ATTRIB);
	REQUIRE_OK(wd);
	EXPECT_OK(unlink("a"));
	EXPECT_EVENT(fd, IN_ATTRIB, "");
	EXPECT_EVENT(fd, IN_DELETE_SELF, "");
	EXPECT_EVENT(fd, IN_IGNORED, "");
	EXPECT_ERR(inotify_rm_watch(fd, wd), EINVAL);
}

TEST(watches_are_changed_and_removed)
{
	int fd = inotify_init1(IN_NONBLOCK), wd;

	put_file("a", "x");
	wd = inotify_add_watch(fd, "a", IN_ATTRIB);
	REQUIRE_OK(wd);
	EXPECT_EQ(inotify_add_watch(fd, "a", IN_MODIFY | IN_MASK_ADD), wd);
	EXPECT_ERR(inotify_add_watch(fd, "a", IN_MODIFY | IN_MASK_CREATE), EEXIST);
	EXPECT_OK(chmod("a", 0600));
	EXPECT_OK(truncate("a", 5));
	EXPECT_EVENT(fd, IN_ATTRIB, "");
	EXPECT_EVENT(fd, IN_MODIFY, "");
	EXPECT_OK(inotify_rm_watch(fd, wd));
	EXPECT_EVENT(fd, IN_IGNORED, "");
	EXPECT_OK(chmod("a", 0644));
	EXPECT_ERR(read(fd, buf, sizeof(buf)), EAGAIN);
}

TEST(one_shot_watches_fire_once)
{
	int fd = inotify_init1(IN_NONBLOCK);

	put_file("a", "x");
	REQUIRE_OK(inotify_add_watch(fd, "a", IN_ATTRIB | IN_ONESHOT));
	EXPECT_OK(chmod("a", 0600));
	EXPECT_OK(chmod("a", 0644));
	EXPECT_EVENT(fd, IN_ATTRIB, "");
	EXPECT_EVENT(fd, IN_IGNORED, "");
	EXPECT_ERR(read(fd, buf, sizeof(buf)), EAGAIN);
}

TEST(equal_events_in_a_row_are_one)
{
	int fd = inotify_init1(IN_NONBLOCK);
	int n = 0;

	put_file("a", "x");
	REQUIRE_OK(inotify_add_watch(fd, "a", IN_ATTRIB));
	for (int i = 0; i < 5; i++)
		EXPECT_OK(chmod("a", 0600));
	while (next(fd))
		n++;
	EXPECT_EQ(n, 1);
}

TEST(readiness_and_sizes_are_told)
{
	int fd = inotify_init1(IN_NONBLOCK), n = -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	REQUIRE_OK(inotify_add_watch(fd, ".", IN_CREATE));
	EXPECT_EQ(poll(&p, 1, 0), 0);
	put_file("name", "");
	EXPECT_EQ(poll(&p, 1, -1), 1);
	EXPECT_OK(ioctl(fd, FIONREAD, &n));
	EXPECT_EQ(n, 32);
	EXPECT_ERR(read(fd, buf, 20), EINVAL);
	EXPECT_EQ(read(fd, buf, sizeof(buf)), 32);
}

TEST(bad_arguments_are_refused)
{
	int fd = inotify_init1(IN_NONBLOCK), fds[2];

	REQUIRE_OK(pipe(fds));
	put_file("a", "x");
	EXPECT_ERR(inotify_init1(1), EINVAL);
	EXPECT_ERR(inotify_add_watch(fd, "a", 0), EINVAL);
	EXPECT_ERR(inotify_add_watch(fd, "nothing", IN_ATTRIB), ENOENT);
	EXPECT_ERR(inotify_add_watch(fd, "a", IN_ATTRIB | IN_ONLYDIR), ENOTDIR);
	EXPECT_ERR(inotify_add_watch(BAD_FD, "a", IN_ATTRIB), EBADF);
	EXPECT_ERR(inotify_add_watch(fds[0], "a", IN_ATTRIB), EINVAL);
	EXPECT_ERR(inotify_rm_watch(fds[0], 1), EINVAL);
}

TEST(an_unlinked_file_is_heard_of_unless_that_is_not_wanted)
{
	struct inotify_event *ev = (struct inotify_event *)(char[4096]){ 0 };
	int all = inotify_init1(IN_NONBLOCK), linked = inotify_init1(IN_NONBLOCK), fd;

	put_file("f", "x");
	REQUIRE(inotify_add_watch(all, ".", IN_MODIFY) > 0);
	REQUIRE(inotify_add_watch(linked, ".", IN_MODIFY | IN_EXCL_UNLINK) > 0);
	fd = open("f", O_WRONLY);
	REQUIRE_OK(unlink("f"));
	EXPECT_EQ(write(fd, "y", 1), 1);
	EXPECT(read(all, ev, 4096) > 0 && ev->mask == IN_MODIFY);
	EXPECT_STR(ev->name, "f");
	EXPECT_ERR(read(linked, ev, 4096), EAGAIN);
}

static void open_many(void)
{
	int max = atoi(get_file("/proc/sys/fs/inotify/max_user_instances")), n = 0, fd, first = -1;

	REQUIRE_OK(setuid(54327));
	while ((fd = inotify_init1(0)) >= 0 && ++n <= max)
		first = first < 0 ? fd : first;
	EXPECT_EQ(errno, EMFILE);
	EXPECT_EQ(n, max);
	close(first);
	EXPECT_OK(inotify_init1(0));
	EXPECT_ERR(inotify_init1(0), EMFILE);
}

TEST(a_user_has_so_many_instances_and_another_has_his_own)
{
	if (atoi(get_file("/proc/sys/fs/inotify/max_user_instances")) > 900)
		SKIP("more than there are descriptors");
	EXPECT_EQ(in_child(open_many), 0);
	EXPECT_EQ(in_child(open_many), 0);
	EXPECT_OK(inotify_init1(0));
}

TEST_MAIN()
