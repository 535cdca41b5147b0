/*
 * mqueue_fs.c - the mqueue file system: POSIX message queues as files, and mq_open on the same objects.
 */
#include <dirent.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include "tests/lib/harness.h"

#define MAGIC 0x19800202

/* A mount "q" of a namespace of our own. */
static void own_queues(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no namespaces");
	REQUIRE_OK(mkdir("q", 0700));
	REQUIRE_OK(mount("none", "q", "mqueue", MS_NOSUID, NULL));
}

static int names(const char *dir, char *out, size_t cap)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	out[0] = '\0';
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		EXPECT_EQ(e->d_type, DT_REG);
		snprintf(out + strlen(out), cap - strlen(out), "%.40s ", e->d_name);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

/* In the mount: its parents may be closed to the user. */
static void become_user(void)
{
	REQUIRE_OK(chdir("q"));
	REQUIRE_OK(setgid(1000));
	REQUIRE_OK(setuid(1000));
}

TEST(the_mount_says_what_it_is)
{
	struct statfs st;
	struct stat s;
	FILE *f;
	char line[512];
	bool found = false;

	own_queues();
	REQUIRE_OK(statfs("q", &st));
	EXPECT_EQ(st.f_type, MAGIC);
	EXPECT_EQ(st.f_bsize, 4096);
	EXPECT_EQ(st.f_namelen, 255);
	EXPECT_EQ(st.f_blocks, 0);
	REQUIRE_OK(stat("q", &s));
	EXPECT_EQ(s.st_mode, S_IFDIR | 01777);
	EXPECT_EQ(s.st_uid, 0);
	EXPECT_EQ(s.st_nlink, 2);
	EXPECT_EQ(s.st_size, 40);
	f = fopen("/proc/self/mounts", "r");
	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "/q mqueue rw,nosuid,relatime 0 0") && !strncmp(line, "none ", 5))
			found = true;
	fclose(f);
	EXPECT(found);
	f = fopen("/proc/filesystems", "r");
	REQUIRE(f != NULL);
	found = false;
	while (fgets(line, sizeof(line), f))
		found |= !strcmp(line, "nodev\tmqueue\n");
	fclose(f);
	EXPECT(found);
}

TEST(a_mount_takes_no_options)
{
	own_queues();
	REQUIRE_OK(mkdir("r", 0700));
	EXPECT_ERR(mount("none", "r", "mqueue", 0, "mode=755"), EINVAL);
}

TEST(queues_are_files)
{
	char buf[256];
	struct stat s;
	mqd_t q;

	own_queues();
	umask(022);
	q = mq_open("/a", O_CREAT | O_RDWR, 0666, NULL);
	REQUIRE_OK(q);
	REQUIRE_OK(stat("q/a", &s));
	EXPECT_EQ(s.st_mode, S_IFREG | 0644);
	EXPECT_EQ(s.st_size, 80);
	EXPECT_EQ(s.st_nlink, 1);
	EXPECT_EQ(s.st_uid, 0);
	EXPECT_EQ(names("q", buf, sizeof(buf)), 1);
	EXPECT_STR(buf, "a ");
	EXPECT_OK(stat("q", &s));
	EXPECT_EQ(s.st_size, 60);
	EXPECT_STR(get_file("q/a"), "QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	EXPECT_OK(mq_send(q, "hello", 5, 0));
	EXPECT_OK(mq_send(q, "you", 3, 4));
	EXPECT_STR(get_file("q/a"), "QSIZE:8          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	EXPECT_OK(mq_unlink("/a"));
	EXPECT_ERR(stat("q/a", &s), ENOENT);
	EXPECT_OK(stat("q", &s));
	EXPECT_EQ(s.st_size, 40);
	EXPECT_EQ(names("q", buf, sizeof(buf)), 0);
	EXPECT_OK(mq_send(q, "on", 2, 0));
	EXPECT_OK(fstat((int)q, &s));
	EXPECT_EQ(s.st_nlink, 0);
}

TEST(reading_tells_who_is_told)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	char want[128];
	mqd_t q;

	own_queues();
	signal(SIGUSR1, SIG_IGN);
	q = mq_open("/a", O_CREAT | O_RDWR, 0600, NULL);
	REQUIRE_OK(q);
	REQUIRE_OK(mq_notify(q, &ev));
	snprintf(want, sizeof(want), "QSIZE:0          NOTIFY:0     SIGNO:%-5d NOTIFY_PID:%-6d\n", SIGUSR1, getpid());
	EXPECT_EQ(open("q/b", O_RDONLY), -1);
	{
		char got[128] = "";
		int fd = open("q/a", O_RDONLY);

		REQUIRE_OK(fd);
		EXPECT_EQ(read(fd, got, sizeof(got)), (int)strlen(want));
		EXPECT_STR(got, want);
		/* This close ends the registration of the process, whichever descriptor made it. */
		EXPECT_OK(close(fd));
	}
	EXPECT_STR(get_file("q/a"), "QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
	ev.sigev_notify = SIGEV_NONE;
	REQUIRE_OK(mq_notify(q, &ev));
	snprintf(want, sizeof(want), "QSIZE:0          NOTIFY:1     SIGNO:0     NOTIFY_PID:%-6d\n", getpid());
	EXPECT_STR(get_file("q/a"), want);
}

TEST(a_file_is_read_by_position)
{
	char buf[128];
	int fd;

	own_queues();
	fd = open("q/a", O_CREAT | O_RDWR, 0600);
	REQUIRE_OK(fd);
	EXPECT_EQ(read(fd, buf, 6), 6);
	EXPECT(!memcmp(buf, "QSIZE:", 6));
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 6);
	EXPECT_EQ(pread(fd, buf, 7, 17), 7);
	EXPECT(!memcmp(buf, "NOTIFY:", 7));
	EXPECT_EQ(pread(fd, buf, 10, 1000), 0);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 80);
	EXPECT_EQ(read(fd, buf, 10), 0);
	EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
	EXPECT_ERR(read(fd, BAD_PTR, 10), EFAULT);
	EXPECT_EQ(read(fd, buf, sizeof(buf)), 60);
	EXPECT_ERR(write(fd, "x", 1), EINVAL);
	EXPECT_ERR(pwrite(fd, "x", 1, 0), EINVAL);
	EXPECT_ERR(fsync(fd), EINVAL);
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENODEV);
	EXPECT_ERR(fallocate(fd, 0, 0, 10), EOPNOTSUPP);
}

TEST(open_makes_a_queue_with_the_default_size)
{
	struct mq_attr a;
	struct stat s;
	char buf[8192];
	mqd_t q;
	int fd;

	own_queues();
	umask(027);
	fd = open("q/made", O_CREAT | O_EXCL | O_RDWR, 0666);
	REQUIRE_OK(fd);
	EXPECT_ERR(open("q/made", O_CREAT | O_EXCL | O_RDWR, 0666), EEXIST);
	EXPECT_OK(fstat(fd, &s));
	EXPECT_EQ(s.st_mode, S_IFREG | 0640);
	EXPECT_OK(mq_getattr(fd, &a));
	EXPECT_EQ(a.mq_maxmsg, 10);
	EXPECT_EQ(a.mq_msgsize, 8192);
	EXPECT_OK(mq_send(fd, "abc", 3, 0));
	q = mq_open("/made", O_RDONLY | O_NONBLOCK);
	REQUIRE_OK(q);
	EXPECT_EQ(mq_receive(q, buf, sizeof(buf), NULL), 3);
	EXPECT_ERR(mq_receive(q, buf, sizeof(buf), NULL), EAGAIN);
	EXPECT_ERR(mq_send(q, "x", 1, 0), EBADF);
	EXPECT_OK(unlink("q/made"));
	EXPECT_ERR(mq_open("/made", O_RDONLY), ENOENT);
	EXPECT_ERR(mq_unlink("/made"), ENOENT);
	EXPECT_OK(mknod("q/node", S_IFREG | 0600, 0));
	EXPECT_OK(mq_unlink("/node"));
	EXPECT_ERR(stat("q/node", &s), ENOENT);
}

TEST(a_queue_polls)
{
	struct pollfd p = { .events = POLLIN | POLLOUT };
	struct mq_attr a = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	char buf[8];
	mqd_t q;

	own_queues();
	q = mq_open("/p", O_CREAT | O_RDWR, 0600, &a);
	REQUIRE_OK(q);
	p.fd = open("q/p", O_RDONLY);
	REQUIRE_OK(p.fd);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT);
	EXPECT_OK(mq_send(q, "x", 1, 0));
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN);
	EXPECT_EQ(mq_receive(p.fd, buf, 8, NULL), 1);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT);
	if (fork() == 0) {
		sleep_ms(30);
		_exit(mq_send(q, "y", 1, 0) == 0 ? 0 : 1);
	}
	p.events = POLLIN;
	EXPECT_EQ(poll(&p, 1, -1), 1);
	EXPECT_EQ(p.revents, POLLIN);
}

TEST(only_queues_live_there)
{
	own_queues();
	REQUIRE_OK(mknod("q/a", S_IFREG | 0600, 0));
	EXPECT_ERR(mkdir("q/d", 0700), EPERM);
	EXPECT_ERR(symlink("a", "q/s"), EPERM);
	EXPECT_ERR(link("q/a", "q/l"), EPERM);
	EXPECT_ERR(rename("q/a", "q/b"), EPERM);
	EXPECT_ERR(mknod("q/f", S_IFIFO | 0600, 0), EPERM);
	EXPECT_ERR(rmdir("q/a"), ENOTDIR);
	EXPECT_ERR(open("q", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
	EXPECT_ERR(open("q/a/b", O_RDONLY), ENOTDIR);
	EXPECT_ERR(setxattr("q/a", "user.x", "1", 1, 0), EOPNOTSUPP);
	EXPECT_ERR(unlink("q/none"), ENOENT);
}

TEST(modes_and_owners_count_for_both_ways_in)
{
	struct stat s;

	own_queues();
	REQUIRE_OK(mq_open("/mine", O_CREAT | O_RDWR, 0600, NULL));
	EXPECT_OK(chmod("q/mine", 0604));
	EXPECT_OK(stat("q/mine", &s));
	EXPECT_EQ(s.st_mode, S_IFREG | 0604);
	if (fork() == 0) {
		become_user();
		EXPECT_OK(mq_open("/mine", O_RDONLY));
		EXPECT_OK(open("mine", O_RDONLY));
		EXPECT_ERR(mq_open("/mine", O_RDWR), EACCES);
		EXPECT_ERR(open("mine", O_WRONLY), EACCES);
		EXPECT_ERR(chmod("mine", 0777), EPERM);
		EXPECT_ERR(unlink("mine"), EPERM);
		EXPECT_ERR(syscall(SYS_mq_unlink, "mine"), EPERM);
		_exit(test_failures ? 1 : 0);
	} else {
		int status;

		REQUIRE(wait(&status) > 0);
		EXPECT_EQ(status, 0);
	}
	EXPECT_OK(chown("q/mine", 1000, 1000));
	EXPECT_OK(chmod("q/mine", 0600));
	if (fork() == 0) {
		become_user();
		EXPECT_OK(mq_open("/mine", O_RDWR));
		EXPECT_OK(mq_unlink("/mine"));
		_exit(test_failures ? 1 : 0);
	} else {
		int status;

		REQUIRE(wait(&status) > 0);
		EXPECT_EQ(status, 0);
	}
	EXPECT_ERR(stat("q/mine", &s), ENOENT);
}

static void no_room_for_a_user(void)
{
	become_user();
	EXPECT_ERR(mq_open("/u", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	EXPECT_ERR(open("u", O_CREAT | O_RDWR, 0600), EACCES);
	EXPECT_OK(mq_open("/r", O_RDONLY));
}

TEST(the_directory_decides_who_makes_queues)
{
	own_queues();
	REQUIRE_OK(mq_open("/r", O_CREAT | O_RDWR, 0644, NULL));
	EXPECT_OK(chmod("q/r", 0644));
	EXPECT_OK(chmod("q", 0755));
	EXPECT_EQ(in_child(no_room_for_a_user), 0);
}

TEST(names_go_up_to_255_bytes)
{
	char name[300] = "/", path[320];
	struct stat s;

	own_queues();
	memset(name + 1, 'n', 255);
	snprintf(path, sizeof(path), "q%s", name);
	REQUIRE_OK(mq_open(name, O_CREAT | O_RDWR, 0600, NULL));
	EXPECT_OK(stat(path, &s));
	EXPECT_OK(unlink(path));
	EXPECT_OK(open(path, O_CREAT | O_RDWR, 0600));
	EXPECT_OK(mq_unlink(name));
	name[256] = 'n';
	snprintf(path, sizeof(path), "q%s", name);
	EXPECT_ERR(mq_open(name, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
	EXPECT_ERR(open(path, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	EXPECT_ERR(syscall(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	EXPECT_ERR(syscall(SYS_mq_open, ".", O_CREAT | O_RDWR, 0600, NULL), EACCES);
	EXPECT_ERR(syscall(SYS_mq_open, "", O_CREAT | O_RDWR, 0600, NULL), ENOENT);
}

static void a_users_room(void)
{
	struct rlimit rl = { 200000, 200000 };
	int a, b;

	become_user();
	REQUIRE_OK(setrlimit(RLIMIT_MSGQUEUE, &rl));
	a = open("a", O_CREAT | O_RDWR, 0600);
	EXPECT_OK(a);
	b = mq_open("/b", O_CREAT | O_RDWR, 0600, NULL);
	EXPECT_OK(b);
	EXPECT_ERR(open("c", O_CREAT | O_RDWR, 0600), EMFILE);
	EXPECT_ERR(mq_open("/c", O_CREAT | O_RDWR, 0600, NULL), EMFILE);
	EXPECT_OK(mq_unlink("/a"));
	EXPECT_ERR(mq_open("/c", O_CREAT | O_RDWR, 0600, NULL), EMFILE);        /* still open */
	EXPECT_OK(close(a));
	EXPECT_OK(mq_open("/c", O_CREAT | O_RDWR, 0600, NULL));
	EXPECT_OK(mq_open("/b", O_CREAT | O_RDWR, 0600, NULL));                 /* which is there */
	EXPECT_ERR(mq_open("/d", O_CREAT | O_RDWR, 0600, NULL), EMFILE);
}

TEST(what_a_users_queues_take_is_limited)
{
	own_queues();
	EXPECT_EQ(in_child(a_users_room), 0);
}

TEST(names_change_on_both_sides_at_once)
{
	struct stat a, b;

	own_queues();
	for (int i = 0; i < 20; i++) {
		mqd_t q = mq_open("/x", O_CREAT | O_EXCL | O_RDWR, 0600, NULL);

		REQUIRE_OK(q);
		EXPECT_OK(stat("q/x", &a));
		EXPECT_OK(fstat((int)q, &b));
		EXPECT_EQ(a.st_ino, b.st_ino);
		EXPECT_EQ(a.st_dev, b.st_dev);
		EXPECT_OK(i & 1 ? mq_unlink("/x") : unlink("q/x"));
		EXPECT_ERR(stat("q/x", &a), ENOENT);
		EXPECT_OK(close((int)q));
	}
}

TEST(every_mount_shows_the_same_queues)
{
	struct stat a, b;
	char buf[64];

	own_queues();
	REQUIRE_OK(mkdir("r", 0700));
	REQUIRE_OK(mount("x", "r", "mqueue", 0, NULL));
	REQUIRE_OK(mknod("r/a", S_IFREG | 0600, 0));
	EXPECT_OK(stat("r/a", &a));
	EXPECT_OK(stat("q/a", &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_OK(umount("q"));
	EXPECT_OK(umount("r"));
	EXPECT_OK(mq_send(mq_open("/a", O_RDWR), "x", 1, 0));
	EXPECT_OK(mount("x", "r", "mqueue", 0, NULL));
	EXPECT_EQ(names("r", buf, sizeof(buf)), 1);
	EXPECT_OK(unshare(CLONE_NEWIPC));
	EXPECT_ERR(mq_open("/a", O_RDWR), ENOENT);
	EXPECT_OK(mount("x", "q", "mqueue", 0, NULL));
	EXPECT_EQ(names("q", buf, sizeof(buf)), 0);
	EXPECT_OK(mq_open("/b", O_CREAT | O_RDWR, 0600, NULL));
	EXPECT_EQ(names("q", buf, sizeof(buf)), 1);
	EXPECT_STR(buf, "b ");
}

TEST(nothing_is_made_where_the_namespace_is_gone)
{
	own_queues();
	REQUIRE_OK(unshare(CLONE_NEWIPC));
	for (int i = 0; i < 100 && access("q/a", F_OK) < 0; i++) {
		int fd = open("q/a", O_CREAT | O_RDWR, 0600);

		if (fd < 0)
			break;
		close(fd);
		unlink("q/a");
		sleep_ms(20);
	}
	EXPECT_ERR(open("q/a", O_CREAT | O_RDWR, 0600), EACCES);
}

TEST(a_read_only_mount_takes_no_names)
{
	own_queues();
	REQUIRE_OK(mknod("q/a", S_IFREG | 0600, 0));
	REQUIRE_OK(mount(NULL, "q", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	EXPECT_ERR(open("q/b", O_CREAT | O_RDWR, 0600), EROFS);
	EXPECT_ERR(unlink("q/a"), EROFS);
	EXPECT_OK(mq_unlink("/a"));
}

TEST(descriptors_name_their_queue)
{
	char buf[64] = "";
	mqd_t q;

	own_queues();
	q = mq_open("/seen", O_CREAT | O_RDWR, 0600, NULL);
	REQUIRE_OK(q);
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", (int)q);
	{
		char to[64] = "";
		struct statfs st;
		struct stat s;
		int again;

		EXPECT_OK(readlink(buf, to, sizeof(to) - 1));
		EXPECT_STR(to, "/seen");
		EXPECT_OK(fstatfs((int)q, &st));
		EXPECT_EQ(st.f_type, MAGIC);
		EXPECT_OK(fchmod((int)q, 0400));
		EXPECT_OK(stat("q/seen", &s));
		EXPECT_EQ(s.st_mode, S_IFREG | 0400);
		again = open(buf, O_RDWR);
		EXPECT_OK(again);
		EXPECT_OK(mq_send(again, "x", 1, 0));
	}
}

TEST(watchers_hear_of_both)
{
	char buf[4096] __attribute__((aligned(8)));
	int in = inotify_init1(IN_NONBLOCK);
	uint32_t seen[4] = { 0 };
	ssize_t n;
	int i = 0;

	own_queues();
	REQUIRE_OK(in);
	REQUIRE_OK(inotify_add_watch(in, "q", IN_CREATE | IN_DELETE));
	REQUIRE_OK(mq_open("/a", O_CREAT | O_RDWR, 0600, NULL));
	REQUIRE_OK(mq_unlink("/a"));
	REQUIRE_OK(open("q/b", O_CREAT | O_RDWR, 0600));
	REQUIRE_OK(unlink("q/b"));
	n = read(in, buf, sizeof(buf));
	for (char *p = buf; n > 0 && p < buf + n && i < 4; i++) {
		struct inotify_event *e = (struct inotify_event *)p;

		seen[i] = e->mask;
		p += sizeof(*e) + e->len;
	}
	EXPECT_EQ(seen[0], IN_CREATE);
	EXPECT_EQ(seen[1], IN_DELETE);
	EXPECT_EQ(seen[2], IN_CREATE);
	EXPECT_EQ(seen[3], IN_DELETE);
}

TEST(truncation_changes_only_what_stat_says)
{
	struct stat s;
	mqd_t q;

	own_queues();
	q = mq_open("/a", O_CREAT | O_RDWR, 0600, NULL);
	REQUIRE_OK(q);
	REQUIRE_OK(mq_send(q, "abc", 3, 0));
	EXPECT_OK(close(open("q/a", O_WRONLY | O_TRUNC)));
	EXPECT_OK(stat("q/a", &s));
	EXPECT_EQ(s.st_size, 0);
	EXPECT_OK(truncate("q/a", 10));
	EXPECT_OK(stat("q/a", &s));
	EXPECT_EQ(s.st_size, 10);
	EXPECT_STR(get_file("q/a"), "QSIZE:3          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
}

static void mount_as_a_user(void)
{
	become_user();
	EXPECT_ERR(mount("x", "/", "mqueue", 0, NULL), EPERM);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		SKIP("no user namespaces");
	EXPECT_ERR(mount("x", "/", "mqueue", 0, NULL), EPERM);  /* the queues are not ours */
}

TEST(mounting_takes_power_over_the_queues)
{
	int r;

	own_queues();
	r = in_child(mount_as_a_user);
	EXPECT(r == 0 || r == TEST_EXIT_SKIP);
}

TEST_MAIN()
