/* Attributes of files: stat, chmod, chown, times, access. */
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include "tests/lib/harness.h"

TEST(stat_tells_what_a_file_is)
{
	struct stat a, b;
	int fd, p[2];

	put_file("f", "12345");
	EXPECT_OK(stat("f", &a));
	EXPECT(S_ISREG(a.st_mode));
	EXPECT_EQ(a.st_size, 5);
	EXPECT_EQ(a.st_uid, getuid());
	EXPECT_EQ(a.st_gid, getgid());
	EXPECT(a.st_ino != 0 && a.st_blksize > 0);
	fd = open("f", O_RDONLY);
	EXPECT_OK(fstat(fd, &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_OK(stat(".", &b));
	EXPECT(S_ISDIR(b.st_mode) && b.st_ino != a.st_ino && b.st_dev == a.st_dev);
	REQUIRE_OK(pipe(p));
	EXPECT_OK(fstat(p[0], &b));
	EXPECT(S_ISFIFO(b.st_mode));
	EXPECT_OK(stat("/dev/null", &b));
	EXPECT(S_ISCHR(b.st_mode) && b.st_rdev == makedev(1, 3));
	EXPECT_ERR(stat("none", &a), ENOENT);
	EXPECT_ERR(stat("f/x", &a), ENOTDIR);
	EXPECT_ERR(syscall(SYS_newfstatat, AT_FDCWD, "f", BAD_PTR, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_newfstatat, AT_FDCWD, BAD_PTR, &a, 0), EFAULT);
	EXPECT_ERR(fstat(BAD_FD, &a), EBADF);
	EXPECT_ERR(fstatat(AT_FDCWD, "f", &a, 0x40000000), EINVAL);
}

TEST(statx_agrees_with_stat)
{
	struct statx x;
	struct stat st;

	put_file("f", "123");
	EXPECT_OK(stat("f", &st));
	EXPECT_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	EXPECT_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	EXPECT_EQ(x.stx_ino, st.st_ino);
	EXPECT_EQ(x.stx_size, 3);
	EXPECT_EQ(x.stx_mode, st.st_mode);
	EXPECT_EQ(x.stx_nlink, 1);
	EXPECT_EQ(makedev(x.stx_dev_major, x.stx_dev_minor), st.st_dev);
	EXPECT_EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	EXPECT_EQ(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	EXPECT_OK(statx(open("f", O_RDONLY), "", AT_EMPTY_PATH, STATX_SIZE, &x));
	EXPECT_EQ(x.stx_size, 3);
	EXPECT_ERR(statx(AT_FDCWD, "f", 0, 0x80000000, &x), EINVAL);
	EXPECT_ERR(statx(AT_FDCWD, "none", 0, STATX_SIZE, &x), ENOENT);
}

TEST(modes_can_be_changed)
{
	struct stat st;
	int fd;

	put_file("f", "");
	EXPECT_OK(chmod("f", 04751));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_mode, S_IFREG | 04751);
	fd = open("f", O_RDONLY);
	EXPECT_OK(fchmod(fd, 0400));
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_mode, S_IFREG | 0400);
	EXPECT_OK(symlink("f", "l"));
	EXPECT_OK(chmod("l", 0600));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_mode & 07777, 0600);
	EXPECT_ERR(chmod("none", 0600), ENOENT);
	EXPECT_ERR(fchmod(BAD_FD, 0600), EBADF);
	EXPECT_OK(fchmodat(AT_FDCWD, "f", 0644, 0));
}

TEST(owners_can_be_changed_by_root)
{
	struct stat st;

	put_file("f", "");
	EXPECT_OK(chmod("f", 06755));
	EXPECT_OK(chown("f", 1000, 1001));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_uid, 1000);
	EXPECT_EQ(st.st_gid, 1001);
	EXPECT_EQ(st.st_mode & 07777, 0755);    /* set-id bits are dropped */
	EXPECT_OK(chown("f", -1, 5));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_uid, 1000);
	EXPECT_EQ(st.st_gid, 5);
	EXPECT_OK(symlink("f", "l"));
	EXPECT_OK(lchown("l", 7, 8));
	EXPECT_OK(lstat("l", &st));
	EXPECT_EQ(st.st_uid, 7);
	EXPECT_OK(fchown(open("f", O_RDONLY), 0, 0));
	EXPECT_ERR(chown("none", 0, 0), ENOENT);
}

static void as_user(void)
{
	EXPECT_OK(setresgid(1000, 1000, 1000));
	EXPECT_OK(setresuid(1000, 1000, 1000));
	EXPECT_ERR(open("root-only", O_RDONLY), EACCES);
	EXPECT_ERR(access("root-only", R_OK), EACCES);
	EXPECT_ERR(open("readable", O_WRONLY), EACCES);
	EXPECT_OK(open("readable", O_RDONLY));
	EXPECT_ERR(chmod("readable", 0777), EPERM);
	EXPECT_ERR(chown("readable", 1000, -1), EPERM);
	EXPECT_ERR(open("closed/f", O_RDONLY), EACCES);
	EXPECT_ERR(open("readable-dir/new", O_CREAT | O_WRONLY, 0600), EACCES);
	EXPECT_ERR(unlink("readable-dir/f"), EACCES);
	EXPECT_OK(open("open-dir/new", O_CREAT | O_WRONLY, 0600));
	EXPECT_ERR(unlink("open-dir/roots"), EPERM);    /* sticky */
	EXPECT_OK(unlink("open-dir/new"));
	EXPECT_ERR(utimensat(AT_FDCWD, "readable", (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0), EPERM);
	EXPECT_ERR(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
	EXPECT_ERR(mknod("open-dir/dev", S_IFCHR | 0666, makedev(1, 3)), EPERM);
	EXPECT_ERR(chroot("/"), EPERM);
}

TEST(permissions_bind_unprivileged_users)
{
	umask(0);
	EXPECT_OK(chmod(".", 0755));
	put_file("root-only", "");
	EXPECT_OK(chmod("root-only", 0600));
	put_file("readable", "");
	EXPECT_OK(chmod("readable", 0644));
	mkdir("closed", 0700);
	put_file("closed/f", "");
	mkdir("readable-dir", 0755);
	put_file("readable-dir/f", "");
	mkdir("open-dir", 01777);
	put_file("open-dir/roots", "");
	EXPECT_EQ(in_child(as_user), 0);
	EXPECT_OK(open("closed/f", O_RDONLY));
}

TEST(access_asks_for_the_real_user)
{
	put_file("f", "");
	EXPECT_OK(chmod("f", 0600));
	EXPECT_OK(access("f", F_OK));
	EXPECT_OK(access("f", R_OK | W_OK));
	EXPECT_ERR(access("f", X_OK), EACCES);  /* root too needs one x bit */
	EXPECT_OK(chmod("f", 0601));
	EXPECT_OK(access("f", X_OK));
	EXPECT_ERR(access("none", F_OK), ENOENT);
	EXPECT_ERR(access("f", 8), EINVAL);
	EXPECT_OK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
	EXPECT_ERR(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 1), EINVAL);
}

TEST(times_can_be_set_to_the_nanosecond)
{
	struct timespec ts[2] = { { 1000000000, 123456789 }, { 1111111111, 987654321 } };
	struct stat st;

	put_file("f", "");
	EXPECT_OK(utimensat(AT_FDCWD, "f", ts, 0));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_atim.tv_sec, 1000000000);
	EXPECT_EQ(st.st_atim.tv_nsec, 123456789);
	EXPECT_EQ(st.st_mtim.tv_sec, 1111111111);
	EXPECT_EQ(st.st_mtim.tv_nsec, 987654321);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	EXPECT_OK(utimensat(AT_FDCWD, "f", ts, 0));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_atim.tv_nsec, 123456789);
	EXPECT(st.st_mtim.tv_sec > 1111111111);
	ts[0].tv_nsec = 1000000000;
	EXPECT_ERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	EXPECT_OK(futimens(open("f", O_RDONLY), NULL));
	EXPECT_ERR(utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
}

TEST(writing_moves_mtime_and_ctime)
{
	struct timespec old[2] = { { 5, 0 }, { 5, 0 } };
	struct stat st;
	int fd;

	put_file("f", "");
	EXPECT_OK(utimensat(AT_FDCWD, "f", old, 0));
	fd = open("f", O_WRONLY);
	EXPECT_EQ(write(fd, "x", 1), 1);
	close(fd);
	EXPECT_OK(stat("f", &st));
	EXPECT(st.st_mtim.tv_sec > 5);
	EXPECT(st.st_ctim.tv_sec > 5);
	mkdir("d", 0700);
	EXPECT_OK(utimensat(AT_FDCWD, "d", old, 0));
	put_file("d/f", "");
	EXPECT_OK(stat("d", &st));
	EXPECT(st.st_mtim.tv_sec > 5);
}

TEST(statfs_describes_the_file_system)
{
	struct statfs a, b;

	EXPECT_OK(statfs(".", &a));
	EXPECT_OK(fstatfs(open(".", O_RDONLY), &b));
	EXPECT_EQ(a.f_type, b.f_type);
	EXPECT(a.f_bsize > 0 && a.f_namelen == 255);
	EXPECT_ERR(statfs("none", &a), ENOENT);
	EXPECT_ERR(fstatfs(BAD_FD, &a), EBADF);
	EXPECT_ERR(statfs(".", BAD_PTR), EFAULT);
}

TEST(fallocate_makes_room_and_holes)
{
	struct stat st;
	char c = 0;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(fd);
	EXPECT_OK(fallocate(fd, 0, 0, 8192));
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 8192);
	EXPECT_EQ(pwrite(fd, "x", 1, 0), 1);
	EXPECT_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8192, 4096));
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 8192);
	EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	EXPECT_EQ(pread(fd, &c, 1, 0), 1);
	EXPECT_EQ(c, 0);
	EXPECT_ERR(fallocate(fd, 0, -1, 10), EINVAL);
	EXPECT_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	EXPECT_ERR(fallocate(BAD_FD, 0, 0, 10), EBADF);
}

TEST(who_is_not_of_the_group_cannot_set_its_bit_on_a_directory_either)
{
	struct stat st;

	REQUIRE_OK(chmod(".", 0755));
	REQUIRE_OK(mkdir("d", 0777));
	REQUIRE_OK(chown("d", 65534, 4242));
	REQUIRE_OK(setegid(65534));
	REQUIRE_OK(seteuid(65534));
	EXPECT_OK(chmod("d", 02777));
	EXPECT_OK(stat("d", &st));
	EXPECT_EQ(st.st_mode & 07777, 0777);
}

TEST(times_without_a_name_are_the_descriptors)
{
	struct timeval tv[2] = { { 1000, 0 }, { 2000, 0 } };
	struct timespec ts[2] = { { 1000, 0 }, { 2000, 0 } };
	struct stat st;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	EXPECT_OK(syscall(SYS_futimesat, fd, NULL, tv));
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_mtime, 2000);
	EXPECT_ERR(syscall(SYS_futimesat, BAD_FD, NULL, tv), EBADF);
	EXPECT_ERR(syscall(SYS_futimesat, AT_FDCWD, NULL, tv), EFAULT);
	EXPECT_ERR(syscall(SYS_utimes, NULL, tv), EFAULT);
	EXPECT_ERR(syscall(SYS_utimensat, AT_FDCWD, NULL, ts, 0), EFAULT);
}

TEST(ustat_goes_by_device)
{
	struct { int tfree; unsigned long tinode; char fname[6], fpack[6]; } u = { .tfree = -1, .fname = "x" };
	struct statfs sf;
	struct stat st;

	REQUIRE_OK(stat("/dev/shm", &st));
	REQUIRE_OK(statfs("/dev/shm", &sf));
	EXPECT_OK(syscall(SYS_ustat, (unsigned)st.st_dev, &u));
	EXPECT(u.tinode > 0 && u.fname[0] == 0);
	EXPECT_ERR(syscall(SYS_ustat, (unsigned)st.st_dev, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_ustat, -1, &u), EINVAL);
}

TEST_MAIN()
