/* fsopen, fsconfig, fsmount, open_tree, move_mount, mount_setattr, and what a user namespace may not undo. */
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include "tests/lib/harness.h"

#define TREE_CLONE 1
#define REC 0x8000
#define FROM_EMPTY 4
#define TO_EMPTY 0x40

struct mattr { uint64_t set, clear, prop, userns; };

static int sys_fsopen(const char *type, unsigned flags) { return (int)syscall(430, type, flags); }
static int sys_fsconfig(int fd, unsigned cmd, const char *k, const void *v, int aux) { return (int)syscall(431, fd, cmd, k, v, aux); }
static int sys_fsmount(int fd, unsigned flags, unsigned attr) { return (int)syscall(432, fd, flags, attr); }
static int sys_open_tree(int dfd, const char *p, unsigned flags) { return (int)syscall(428, dfd, p, flags); }
static int sys_move_mount(int a, const char *b, int c, const char *d, unsigned f) { return (int)syscall(429, a, b, c, d, f); }
static int sys_setattr(int dfd, const char *p, unsigned flags, struct mattr *m) { return (int)syscall(442, dfd, p, flags, m, sizeof(*m)); }

/* A mount namespace of its own, in which the test's directory is a mount. */
static void own_mounts(void)
{
	REQUIRE_OK(unshare(CLONE_NEWNS));
	REQUIRE_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static int make_tmpfs(void)
{
	int fs = sys_fsopen("tmpfs", 1), m;

	REQUIRE_OK(fs);
	EXPECT_OK(sys_fsconfig(fs, 1, "source", "mysource", 0));
	EXPECT_OK(sys_fsconfig(fs, 1, "size", "1m", 0));
	EXPECT_OK(sys_fsconfig(fs, 1, "mode", "0711", 0));
	EXPECT_OK(sys_fsconfig(fs, 6, NULL, NULL, 0));
	m = sys_fsmount(fs, 1, 0);
	REQUIRE_OK(m);
	EXPECT_ERR(sys_fsmount(fs, 1, 0), EBUSY);
	close(fs);
	return m;
}

TEST(a_file_system_is_made_and_placed_by_descriptor)
{
	struct stat st;
	struct statvfs v;
	int m, fd;

	own_mounts();
	m = make_tmpfs();
	/* It can be used before it is anywhere. */
	fd = openat(m, "early", O_CREAT | O_WRONLY, 0644);
	EXPECT_OK(fd);
	close(fd);
	mkdir("d", 0755);
	EXPECT_OK(sys_move_mount(m, "", AT_FDCWD, "d", FROM_EMPTY));
	EXPECT_OK(stat("d/early", &st));
	EXPECT_OK(stat("d", &st));
	EXPECT_EQ(st.st_mode & 07777, 0711);
	EXPECT_OK(statvfs("d", &v));
	EXPECT_EQ(v.f_blocks * v.f_frsize, 1 << 20);
	EXPECT_ERR(umount("d"), EBUSY);
	close(m);
	EXPECT_OK(umount("d"));
	EXPECT_ERR(stat("d/early", &st), ENOENT);
}

TEST(an_unplaced_mount_dies_with_its_descriptor)
{
	int m;

	own_mounts();
	m = make_tmpfs();
	EXPECT_OK(close(m));
}

TEST(fsopen_and_fsconfig_check_what_they_get)
{
	char buf[8];
	int fs;

	own_mounts();
	EXPECT_ERR(sys_fsopen("nothing-like-it", 0), ENODEV);
	EXPECT_ERR(sys_fsopen("tmpfs", 8), EINVAL);
	EXPECT_ERR(sys_fsopen(NULL, 0), EFAULT);
	fs = sys_fsopen("tmpfs", 0);
	EXPECT_ERR(sys_fsmount(fs, 0, 0), EINVAL);
	EXPECT_ERR(sys_fsconfig(fs, 99, "a", "b", 0), EOPNOTSUPP);
	EXPECT_ERR(sys_fsconfig(fs, 1, NULL, "b", 0), EINVAL);
	EXPECT_ERR(sys_fsconfig(fs, 0, "a", "b", 0), EINVAL);
	EXPECT_ERR(sys_fsconfig(-1, 1, "a", "b", 0), EINVAL);
	EXPECT_ERR(sys_fsconfig(0, 1, "a", "b", 0), EINVAL);
	EXPECT_ERR(read(fs, buf, sizeof(buf)), ENODATA);
	EXPECT_ERR(sys_fsmount(fs, 0, 0x8000000), EINVAL);
}

static void *close_trees(void *arg)
{
	_Atomic int *slot = arg;

	for (;;) {
		int fd = *slot;

		if (fd == -2)
			return NULL;
		if (fd >= 0) {
			close(fd);
			*slot = -1;
		}
	}
}

/* The tree is dissolved when its descriptor is closed, or it is somewhere by then. */
TEST(a_tree_is_placed_while_its_descriptor_is_closed)
{
	_Atomic int slot = -1;
	pthread_t closer;

	own_mounts();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	REQUIRE(pthread_create(&closer, NULL, close_trees, (void *)&slot) == 0);
	for (int i = 0; i < 1500; i++) {
		int t = sys_open_tree(AT_FDCWD, "a", TREE_CLONE | O_CLOEXEC), here;

		REQUIRE_OK(t);
		here = openat(t, ".", O_PATH | O_DIRECTORY);
		REQUIRE_OK(here);
		slot = t;
		if (sys_move_mount(here, "", AT_FDCWD, "b", FROM_EMPTY) == 0)
			EXPECT_OK(umount2("b", MNT_DETACH));
		else
			EXPECT_EQ(errno, EINVAL);
		close(here);
		while (slot != -1)
			sched_yield();
	}
	slot = -2;
	pthread_join(closer, NULL);
}

TEST(open_tree_clones_a_tree)
{
	struct stat st;
	int t;

	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	REQUIRE_OK(mount("x", "a", "tmpfs", 0, NULL));
	put_file("a/f", "1");
	t = sys_open_tree(AT_FDCWD, "a", TREE_CLONE | O_CLOEXEC);
	REQUIRE_OK(t);
	EXPECT_OK(fstatat(t, "f", &st, 0));
	EXPECT_OK(sys_move_mount(t, "", AT_FDCWD, "b", FROM_EMPTY));
	EXPECT_STR(get_file("b/f"), "1");
	/* Without CLONE it is a place. */
	t = sys_open_tree(AT_FDCWD, "b", O_CLOEXEC);
	REQUIRE_OK(t);
	EXPECT_EQ(fcntl(t, F_GETFL) & O_PATH, O_PATH);
	mkdir("c", 0755);
	EXPECT_OK(sys_move_mount(t, "", AT_FDCWD, "c", FROM_EMPTY));
	EXPECT_STR(get_file("c/f"), "1");
	EXPECT_ERR(stat("b/f", &st), ENOENT);
	EXPECT_ERR(sys_open_tree(AT_FDCWD, "c", REC), EINVAL);
	EXPECT_ERR(sys_open_tree(AT_FDCWD, "none", 0), ENOENT);
	EXPECT_ERR(sys_move_mount(AT_FDCWD, "c/f", AT_FDCWD, "b", 0), EINVAL);
}

TEST(mount_setattr_sets_and_clears)
{
	struct mattr m = { .set = 1 };
	struct statvfs v;
	int t;

	own_mounts();
	mkdir("a", 0755);
	REQUIRE_OK(mount("x", "a", "tmpfs", 0, NULL));
	mkdir("a/sub", 0755);
	REQUIRE_OK(mount("y", "a/sub", "tmpfs", 0, NULL));
	EXPECT_OK(sys_setattr(AT_FDCWD, "a", 0, &m));
	EXPECT_ERR(open("a/n", O_CREAT | O_WRONLY, 0600), EROFS);
	EXPECT_OK(open("a/sub/n", O_CREAT | O_WRONLY, 0600));
	m = (struct mattr){ .set = 2 | 4 };
	EXPECT_OK(sys_setattr(AT_FDCWD, "a", REC, &m));
	EXPECT_OK(statvfs("a/sub", &v));
	EXPECT_EQ(v.f_flag & (ST_NOSUID | ST_NODEV | ST_RDONLY), ST_NOSUID | ST_NODEV);
	m = (struct mattr){ .clear = 1 };
	EXPECT_OK(sys_setattr(AT_FDCWD, "a", 0, &m));
	EXPECT_OK(open("a/n", O_CREAT | O_WRONLY, 0600));
	m = (struct mattr){ .set = 0x10 };
	EXPECT_ERR(sys_setattr(AT_FDCWD, "a", 0, &m), EINVAL);
	m = (struct mattr){ .set = 0x10, .clear = 0x70 };
	EXPECT_OK(sys_setattr(AT_FDCWD, "a", 0, &m));
	m = (struct mattr){ .set = 1ull << 40 };
	EXPECT_ERR(sys_setattr(AT_FDCWD, "a", 0, &m), EINVAL);
	EXPECT_ERR(syscall(442, AT_FDCWD, "a", 0, &m, 8), EINVAL);
	EXPECT_ERR(syscall(442, AT_FDCWD, "a", 0, &m, 8192), E2BIG);
	/* A tree on its way can be prepared. */
	t = sys_open_tree(AT_FDCWD, "a/sub", TREE_CLONE);
	m = (struct mattr){ .set = 1 };
	EXPECT_OK(sys_setattr(t, "", AT_EMPTY_PATH, &m));
	EXPECT_ERR(openat(t, "q", O_CREAT | O_WRONLY, 0600), EROFS);
}

static void in_user_ns(void)
{
	struct mattr m = { .clear = 1 };

	REQUIRE_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	EXPECT_ERR(umount("a"), EINVAL);
	EXPECT_ERR(mount("none", "a", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
	EXPECT_ERR(sys_setattr(AT_FDCWD, "a", 0, &m), EPERM);
	EXPECT_ERR(mount(".", "b", NULL, MS_BIND, NULL), EINVAL);      /* it would bare what a covers */
	EXPECT_OK(mount(".", "b", NULL, MS_BIND | MS_REC, NULL));
	EXPECT_ERR(umount("b/a"), EINVAL);
	EXPECT_OK(umount2("b", MNT_DETACH));
	EXPECT_OK(mount("x", "b", "tmpfs", 0, NULL));
	EXPECT_OK(umount("b"));
}

TEST(a_user_namespace_cannot_undo_mounts_of_its_maker)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	REQUIRE_OK(mount("x", "a", "tmpfs", MS_RDONLY, NULL));
	EXPECT_EQ(in_child(in_user_ns), 0);
}

static int here_fd;

static int there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0;
}

/* "a" and "c" are mounts over directories that hold the file "secret". */
static void looks_below_its_makers_mounts(void)
{
	REQUIRE_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	/* By a directory of the namespace that was left. */
	EXPECT_ERR(sys_open_tree(here_fd, "", TREE_CLONE | AT_EMPTY_PATH), EINVAL);
	EXPECT_ERR(sys_open_tree(here_fd, "", TREE_CLONE | AT_EMPTY_PATH | REC), EINVAL);
	/* By leaving out what cannot be bound. */
	EXPECT_OK(mount(NULL, "a", NULL, MS_UNBINDABLE, NULL));
	EXPECT_ERR(mount(".", "b", NULL, MS_BIND | MS_REC, NULL), EPERM);
	EXPECT_OK(mount(NULL, "a", NULL, MS_PRIVATE, NULL));
	EXPECT_OK(mount(".", "b", NULL, MS_BIND | MS_REC, NULL));
	EXPECT_EQ(there(AT_FDCWD, "b/a/secret"), 0);
	EXPECT_OK(umount2("b", MNT_DETACH));
	/* By making it the root. */
	EXPECT_ERR(syscall(SYS_pivot_root, "c", "c/old"), EINVAL);
}

TEST(a_user_namespace_does_not_see_what_mounts_of_its_maker_cover)
{
	own_mounts();
	REQUIRE_OK(mount("x", ".", "tmpfs", 0, NULL));
	REQUIRE_OK(chdir(getcwd((char[PATH_MAX]){ 0 }, PATH_MAX)));
	for (char name[2] = "a"; *name <= 'c'; (*name)++) {
		mkdir(name, 0755);
		REQUIRE_OK(chdir(name));
		REQUIRE_OK(close(open("secret", O_CREAT | O_WRONLY, 0644)));
		REQUIRE_OK(chdir(".."));
	}
	REQUIRE_OK(mount("x", "a", "tmpfs", 0, NULL));
	REQUIRE_OK(mount("x", "c", "tmpfs", 0, NULL));
	REQUIRE_OK(mkdir("c/old", 0755));
	here_fd = open(".", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(in_child(looks_below_its_makers_mounts), 0);
}

static void put_own(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	REQUIRE_OK(fd);
	REQUIRE_OK(write(fd, text, strlen(text)));
	close(fd);
}

static void takes_off_its_root(void)
{
	REQUIRE_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	put_own("/proc/self/uid_map", "0 0 1");
	put_own("/proc/self/setgroups", "deny");
	put_own("/proc/self/gid_map", "0 0 1");
	REQUIRE_OK(chroot("."));
	here_fd = open(".", O_RDONLY | O_DIRECTORY);
	REQUIRE_OK(mount("x", "b", "tmpfs", 0, NULL));
	REQUIRE_OK(mkdir("b/old", 0755));
	REQUIRE_OK(syscall(SYS_pivot_root, "b", "b/old"));
	REQUIRE_OK(chdir("/"));
	EXPECT_EQ(there(here_fd, "a/secret"), 0);
	REQUIRE_OK(umount2("/old", MNT_DETACH));
	EXPECT_EQ(there(here_fd, "a/secret"), 0);
	EXPECT_EQ(there(here_fd, "a"), 1);
	EXPECT_EQ(there(here_fd, "b/secret"), 1);
	close(here_fd);
	/* The new root has taken the old one's place, for good. */
	EXPECT_ERR(umount2("/", MNT_DETACH), EINVAL);
}

TEST(what_was_covered_stays_covered_in_a_tree_that_is_taken_off)
{
	own_mounts();
	REQUIRE_OK(mount("x", ".", "tmpfs", 0, NULL));
	REQUIRE_OK(chdir(getcwd((char[PATH_MAX]){ 0 }, PATH_MAX)));
	mkdir("a", 0755);
	mkdir("b", 0755);
	REQUIRE_OK(close(open("a/secret", O_CREAT | O_WRONLY, 0644)));
	REQUIRE_OK(close(open("b/secret", O_CREAT | O_WRONLY, 0644)));
	REQUIRE_OK(mount("x", "a", "tmpfs", 0, NULL));
	EXPECT_EQ(in_child(takes_off_its_root), 0);
}

static void as_nobody(void)
{
	struct mattr m = { .set = 1 };

	REQUIRE_OK(setuid(65534));
	EXPECT_ERR(sys_fsopen("tmpfs", 0), EPERM);
	EXPECT_ERR(sys_open_tree(AT_FDCWD, ".", TREE_CLONE), EPERM);
	EXPECT_ERR(sys_move_mount(AT_FDCWD, ".", AT_FDCWD, ".", 0), EPERM);
	EXPECT_ERR(sys_setattr(AT_FDCWD, ".", 0, &m), EPERM);
	EXPECT_OK(sys_open_tree(AT_FDCWD, "/", 0));
}

TEST(the_calls_want_privilege)
{
	EXPECT_EQ(in_child(as_nobody), 0);
}

TEST_MAIN()
