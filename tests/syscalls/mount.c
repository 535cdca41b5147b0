/*
 * mount.c - tmpfs, bind mounts, moves, read-only mounts, pivot_root, in a namespace of the test's own.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include "tests/lib/harness.h"

static void own_namespace(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
}

TEST(a_tmpfs_covers_and_uncovers)
{
	struct statfs st;

	own_namespace();
	REQUIRE_OK(mkdir("m", 0755));
	put_file("m/below", "x");
	REQUIRE_OK(mount("t", "m", "tmpfs", 0, "size=64k,mode=700"));
	EXPECT_ERR(access("m/below", F_OK), ENOENT);
	put_file("m/above", "y");
	EXPECT_OK(statfs("m", &st));
	EXPECT_EQ(st.f_blocks, 16);
	EXPECT_ERR(rmdir("m"), EBUSY);
	EXPECT_OK(umount("m"));
	EXPECT_OK(access("m/below", F_OK));
	EXPECT_ERR(umount("m"), EINVAL);
}

TEST(a_deep_tree_goes_away_with_its_mount)
{
	int top;

	own_namespace();
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(mount("t", "m", "tmpfs", 0, NULL));
	top = open(".", O_RDONLY);
	REQUIRE_OK(chdir("m"));
	for (int i = 0; i < 4000; i++)
		REQUIRE(mkdir("n", 0755) == 0 && chdir("n") == 0);
	REQUIRE_OK(fchdir(top));
	EXPECT_OK(umount2("m", MNT_DETACH));
	EXPECT_ERR(access("m/n", F_OK), ENOENT);
}

TEST(a_full_tmpfs_says_so)
{
	static char page[4096];
	int fd, n = 0;

	own_namespace();
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(mount("t", "m", "tmpfs", 0, "size=64k,nr_inodes=3"));
	fd = open("m/f", O_CREAT | O_WRONLY, 0644);
	REQUIRE_OK(fd);
	while (write(fd, page, sizeof(page)) == (ssize_t)sizeof(page))
		n++;
	EXPECT_EQ(errno, ENOSPC);
	EXPECT_EQ(n, 16);
	EXPECT_OK(mkdir("m/d", 0755));
	EXPECT_ERR(mkdir("m/e", 0755), ENOSPC);
	EXPECT_OK(ftruncate(fd, 0));
	EXPECT_EQ(pwrite(fd, page, sizeof(page), 0), 4096);
}

/* MS_NOSYMFOLLOW, Linux 5.10: links can be made and read, not followed. */
TEST(a_mount_whose_links_nobody_follows)
{
	char text[16] = "";
	struct statfs st;
	struct stat s;

	own_namespace();
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(mount("t", "m", "tmpfs", 256, NULL));
	EXPECT_OK(statfs("m", &st));
	EXPECT_EQ(st.f_flags & 0x2000, 0x2000);
	put_file("m/f", "x");
	REQUIRE_OK(mkdir("m/d", 0755));
	EXPECT_OK(symlink("f", "m/l"));
	EXPECT_OK(symlink("m/f", "into"));
	EXPECT_OK(symlink("..", "m/d/up"));
	EXPECT_EQ(readlink("m/l", text, sizeof(text)), 1);
	EXPECT_OK(lstat("m/l", &s));
	EXPECT_ERR(stat("m/l", &s), ELOOP);
	EXPECT_ERR(open("m/l", O_RDONLY), ELOOP);
	EXPECT_ERR(access("m/d/up/f", F_OK), ELOOP);
	EXPECT_OK(access("into", F_OK));
	EXPECT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL));
	EXPECT_OK(stat("m/l", &s));
}

TEST(bind_mounts_show_the_same_files)
{
	struct stat a, b;

	own_namespace();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	REQUIRE_OK(mkdir("a/sub", 0755));
	REQUIRE_OK(mount("t", "a/sub", "tmpfs", 0, NULL));
	put_file("a/f", "x");
	put_file("a/sub/g", "x");
	EXPECT_OK(mount("a", "b", NULL, MS_BIND, NULL));
	EXPECT_OK(stat("a/f", &a));
	EXPECT_OK(stat("b/f", &b));
	EXPECT(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	EXPECT_ERR(access("b/sub/g", F_OK), ENOENT);
	EXPECT_ERR(rename("a/f", "b/f2"), EXDEV);
	EXPECT_ERR(link("a/f", "b/f2"), EXDEV);
	EXPECT_OK(umount("b"));
	EXPECT_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	EXPECT_OK(access("b/sub/g", F_OK));
	EXPECT_ERR(umount("b"), EBUSY);
	EXPECT_OK(umount2("b", MNT_DETACH));
	put_file("file", "one");
	put_file("other", "two");
	EXPECT_OK(mount("other", "file", NULL, MS_BIND, NULL));
	EXPECT_OK(stat("file", &a));
	EXPECT_OK(stat("other", &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_ERR(mount("a", "file", NULL, MS_BIND, NULL), ENOTDIR);
}

TEST(read_only_mounts_refuse_changes)
{
	own_namespace();
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(mount("t", "m", "tmpfs", 0, NULL));
	put_file("m/f", "x");
	REQUIRE_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	EXPECT_ERR(open("m/f", O_WRONLY), EROFS);
	EXPECT_ERR(open("m/new", O_CREAT | O_WRONLY, 0644), EROFS);
	EXPECT_ERR(mkdir("m/d", 0755), EROFS);
	EXPECT_ERR(unlink("m/f"), EROFS);
	EXPECT_ERR(chmod("m/f", 0600), EROFS);
	EXPECT_ERR(truncate("m/f", 0), EROFS);
	EXPECT_ERR(access("m/f", W_OK), EROFS);
	EXPECT_OK(access("m/f", R_OK));
	EXPECT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL));
	EXPECT_OK(unlink("m/f"));
}

TEST(mounts_can_be_moved)
{
	own_namespace();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	REQUIRE_OK(mount("t", "a", "tmpfs", 0, NULL));
	put_file("a/f", "x");
	REQUIRE_OK(mkdir("a/in", 0755));
	EXPECT_ERR(mount("a", "a/in", NULL, MS_MOVE, NULL), ELOOP);
	EXPECT_OK(mount("a", "b", NULL, MS_MOVE, NULL));
	EXPECT_OK(access("b/f", F_OK));
	EXPECT_ERR(access("a/f", F_OK), ENOENT);
}

TEST(dotdot_leaves_a_mount_and_stops_at_the_root)
{
	char cwd[PATH_MAX], now[PATH_MAX];

	own_namespace();
	REQUIRE(getcwd(cwd, sizeof(cwd)));
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(mount("t", "m", "tmpfs", 0, NULL));
	REQUIRE_OK(chdir("m"));
	EXPECT_OK(chdir(".."));
	REQUIRE(getcwd(now, sizeof(now)));
	EXPECT_STR(now, cwd);
	EXPECT_OK(chdir("m"));
	EXPECT_OK(chroot("."));
	EXPECT_OK(chdir("../../.."));
	REQUIRE(getcwd(now, sizeof(now)));
	EXPECT_STR(now, "/");
	EXPECT_ERR(access("/m", F_OK), ENOENT);
}

TEST(dotdot_ends_for_what_was_moved_out_of_a_bind_mount)
{
	int in, deep;

	own_namespace();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("a/in", 0755));
	REQUIRE_OK(mkdir("a/in/deep", 0755));
	REQUIRE_OK(mkdir("a/in/deep/er", 0755));
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(mount("a/in", "m", NULL, MS_BIND, NULL));
	REQUIRE_OK(in = open("m/deep", O_PATH));
	REQUIRE_OK(deep = open("m/deep/er", O_PATH));
	REQUIRE_OK(rename("a/in/deep", "a/deep"));
	EXPECT_ERR(openat(in, "..", O_PATH), ENOENT);
	EXPECT_ERR(openat(deep, "..", O_PATH), ENOENT);
	EXPECT_OK(openat(in, "er", O_PATH));
	EXPECT_OK(openat(in, ".", O_PATH));
	EXPECT_ERR(openat(in, "er/..", O_PATH), ENOENT);
	EXPECT_OK(open("a/deep/er/../..", O_PATH));
	REQUIRE_OK(rename("a/deep", "a/in/deep"));
	EXPECT_OK(openat(deep, "../..", O_PATH));
	EXPECT_OK(openat(deep, "../../../a", O_PATH));
}

TEST(pivot_root_wants_a_new_root_below_the_old_one)
{
	own_namespace();
	REQUIRE_OK(mkdir("n", 0755));
	REQUIRE_OK(mount("n", "n", "tmpfs", 0, NULL));
	REQUIRE_OK(chdir("n"));
	REQUIRE_OK(mkdir("r", 0755));
	REQUIRE_OK(mount("r", "r", "tmpfs", 0, NULL));
	REQUIRE_OK(chroot("r"));
	EXPECT_ERR(syscall(SYS_pivot_root, ".", "."), EINVAL);
	EXPECT_OK(access("r", F_OK));
}

TEST(pivot_root_swaps_the_root)
{
	char now[PATH_MAX];

	own_namespace();
	REQUIRE_OK(mkdir("new", 0755));
	REQUIRE_OK(mount("t", "new", "tmpfs", 0, NULL));
	REQUIRE_OK(mkdir("new/old", 0755));
	put_file("new/mark", "x");
	if (syscall(SYS_pivot_root, "new", "new/old") < 0 && errno == EINVAL)
		SKIP("the root is no mount that can be moved");
	EXPECT_OK(chdir("/"));
	EXPECT_OK(access("/mark", F_OK));
	EXPECT_OK(access("/old/", F_OK));
	EXPECT_OK(umount2("/old", MNT_DETACH));
	EXPECT_ERR(access("/old/proc", F_OK), ENOENT);
	REQUIRE(getcwd(now, sizeof(now)));
	EXPECT_STR(now, "/");
}

TEST(mounts_need_their_arguments)
{
	own_namespace();
	REQUIRE_OK(mkdir("m", 0755));
	EXPECT_ERR(mount("t", "m", "nonesuch", 0, NULL), ENODEV);
	EXPECT_ERR(mount("t", "none", "tmpfs", 0, NULL), ENOENT);
	EXPECT_ERR(mount("none", "m", NULL, MS_BIND, NULL), ENOENT);
	EXPECT_ERR(mount("t", "m", "tmpfs", 0, "size=many"), EINVAL);
	EXPECT_ERR(mount("t", "m", "tmpfs", 0, "nonesuch=1"), EINVAL);
}

static void nobody_mounts(void)
{
	REQUIRE_OK(setuid(65534));
	EXPECT_ERR(mount("t", "m", "tmpfs", 0, NULL), EPERM);
	EXPECT_ERR(umount("/"), EPERM);
}

TEST(only_administrators_mount)
{
	REQUIRE_OK(chmod(".", 0755));
	REQUIRE_OK(mkdir("m", 0755));
	EXPECT_EQ(in_child(nobody_mounts), 0);
}

TEST(a_change_of_the_mounts_can_be_waited_for)
{
	struct pollfd p = { .events = POLLPRI };
	struct epoll_event ev = { .events = EPOLLPRI };
	int ep = epoll_create1(0), status;
	pid_t pid;

	own_namespace();
	REQUIRE_OK(mkdir("m", 0755));
	p.fd = open("/proc/self/mountinfo", O_RDONLY);
	REQUIRE(p.fd >= 0);
	EXPECT_EQ(poll(&p, 1, 0), 0);
	REQUIRE_OK(mount("t", "m", "tmpfs", 0, NULL));
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLPRI | POLLERR);
	EXPECT_EQ(poll(&p, 1, 0), 0);
	REQUIRE_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &ev));
	pid = fork();
	if (pid == 0) {
		wait_until_asleep(getppid());
		_exit(umount("m") < 0);
	}
	EXPECT_EQ(epoll_wait(ep, &ev, 1, -1), 1);
	EXPECT(ev.events & EPOLLPRI);
	REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
	EXPECT_ERR(lseek(p.fd, 0, SEEK_END), EINVAL);
}

TEST(nothing_is_mounted_on_a_magic_link)
{
	char path[64];
	int fd, link;

	own_namespace();
	put_file("f", "x");
	put_file("g", "y");
	fd = open("f", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	link = open(path, O_PATH | O_NOFOLLOW);
	REQUIRE(link >= 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), link);
	if (mount("g", path, NULL, MS_BIND, NULL) == 0)
		SKIP("before Linux 6.12");
	EXPECT_EQ(errno, ENOENT);
}

TEST(file_system_types_have_numbers)
{
	char name[64] = "";
	long n = syscall(SYS_sysfs, 3), i;

	if (n < 0 && errno == ENOSYS)
		SKIP("no CONFIG_SYSFS_SYSCALL");
	EXPECT(n > 1);
	i = syscall(SYS_sysfs, 1, "proc");
	EXPECT(i >= 0 && i < n);
	EXPECT_OK(syscall(SYS_sysfs, 2, i, name));
	EXPECT_STR(name, "proc");
	EXPECT_ERR(syscall(SYS_sysfs, 1, "no such"), EINVAL);
	EXPECT_ERR(syscall(SYS_sysfs, 1, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_sysfs, 2, n, name), EINVAL);
	EXPECT_ERR(syscall(SYS_sysfs, 2, i, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_sysfs, 4), EINVAL);
}

TEST_MAIN()
