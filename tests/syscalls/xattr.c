/*
 * xattr.c - extended attributes of files on a tmpfs, where every kind of name works.
 */
#include <sys/mount.h>
#include <sys/xattr.h>
#include "tests/lib/harness.h"

/* A tmpfs of our own: what the host's /tmp keeps is its own business. */
static void own_tmpfs(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("m", 0755));
	if (mount("tmpfs", "m", "tmpfs", 0, "size=1m") < 0)
		SKIP("no tmpfs");
	REQUIRE_OK(chdir("m"));
}

TEST(trusted_attributes_are_set_read_listed_and_removed)
{
	char v[16];

	own_tmpfs();
	put_file("f", "");
	EXPECT_OK(setxattr("f", "trusted.a", "one", 3, 0));
	EXPECT_EQ(getxattr("f", "trusted.a", v, sizeof(v)), 3);
	EXPECT(memcmp(v, "one", 3) == 0);
	EXPECT_EQ(getxattr("f", "trusted.a", NULL, 0), 3);
	EXPECT_ERR(getxattr("f", "trusted.a", v, 2), ERANGE);
	EXPECT_ERR(setxattr("f", "trusted.a", "two", 3, XATTR_CREATE), EEXIST);
	EXPECT_OK(setxattr("f", "trusted.a", "four", 4, XATTR_REPLACE));
	EXPECT_ERR(setxattr("f", "trusted.b", "x", 1, XATTR_REPLACE), ENODATA);
	EXPECT_EQ(listxattr("f", NULL, 0), 10);
	EXPECT_EQ(listxattr("f", v, sizeof(v)), 10);
	EXPECT_STR(v, "trusted.a");
	EXPECT_OK(removexattr("f", "trusted.a"));
	EXPECT_ERR(getxattr("f", "trusted.a", v, sizeof(v)), ENODATA);
	EXPECT_ERR(removexattr("f", "trusted.a"), ENODATA);
}

TEST(names_are_checked)
{
	own_tmpfs();
	put_file("f", "");
	EXPECT_ERR(setxattr("f", "", "x", 1, 0), ERANGE);
	EXPECT_ERR(setxattr("f", "nonsense.a", "x", 1, 0), EOPNOTSUPP);
	EXPECT_ERR(setxattr("f", "trusted.a", "x", 1, 4), EINVAL);
	EXPECT_ERR(setxattr("f", "trusted.a", "x", 65537, 0), E2BIG);
	EXPECT_ERR(setxattr("none", "trusted.a", "x", 1, 0), ENOENT);
}

static void as_nobody(void)
{
	char v[16];

	REQUIRE_OK(setgid(65534));
	REQUIRE_OK(setuid(65534));
	EXPECT_ERR(getxattr("f", "trusted.a", v, sizeof(v)), ENODATA);
	EXPECT_ERR(setxattr("f", "trusted.a", "x", 1, 0), EPERM);
	EXPECT_EQ(listxattr("f", v, sizeof(v)), 0);
}

TEST(trusted_attributes_are_hidden_from_others)
{
	own_tmpfs();
	EXPECT_OK(chmod(".", 0755));
	put_file("f", "");
	EXPECT_OK(chmod("f", 0666));
	EXPECT_OK(setxattr("f", "trusted.a", "one", 3, 0));
	EXPECT_EQ(in_child(as_nobody), 0);
}

struct xattr_at { uint64_t value; uint32_t size, flags; };

static long set_at(int dir, const char *path, unsigned at, const char *name, const char *v, uint32_t n, uint32_t flags, size_t usize)
{
	struct { struct xattr_at x; uint64_t more; } s = { { (uintptr_t)v, n, flags }, 0 };

	return syscall(463, dir, path, at, name, &s, usize);
}

static long get_at(int dir, const char *path, unsigned at, const char *name, char *v, uint32_t n, uint32_t flags)
{
	struct xattr_at x = { (uintptr_t)v, n, flags };

	return syscall(464, dir, path, at, name, &x, sizeof(x));
}

TEST(the_calls_relative_to_a_directory)
{
	int dir, fd, pfd;
	char v[32];

	if (syscall(465, -1, "", 0xffff, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("before Linux 6.13");
	own_tmpfs();
	REQUIRE_OK(mkdir("d", 0755));
	put_file("d/f", "");
	REQUIRE_OK(symlink("f", "d/l"));
	dir = open("d", O_RDONLY | O_DIRECTORY);
	fd = open("d/f", O_RDONLY);
	pfd = open("d/f", O_PATH);
	EXPECT_OK(set_at(dir, "l", 0, "trusted.a", "one", 3, 0, 16));
	EXPECT_EQ(getxattr("d/f", "trusted.a", v, sizeof(v)), 3);
	EXPECT_OK(set_at(dir, "l", AT_SYMLINK_NOFOLLOW, "trusted.l", "x", 1, 0, 16));
	EXPECT_EQ(lgetxattr("d/l", "trusted.l", v, sizeof(v)), 1);
	EXPECT_EQ(get_at(fd, "", AT_EMPTY_PATH, "trusted.a", v, sizeof(v), 0), 3);
	EXPECT_EQ(get_at(fd, NULL, AT_EMPTY_PATH, "trusted.a", v, sizeof(v), 0), 3);
	EXPECT_EQ(syscall(465, fd, "", AT_EMPTY_PATH, v, sizeof(v)), 10);
	EXPECT_EQ(syscall(465, dir, "l", 0, NULL, 0), 10);
	EXPECT_OK(syscall(466, dir, "f", 0, "trusted.a"));
	EXPECT_ERR(get_at(AT_FDCWD, "d/f", 0, "trusted.a", v, sizeof(v), 0), ENODATA);
	EXPECT_ERR(get_at(pfd, "", AT_EMPTY_PATH, "trusted.a", v, sizeof(v), 0), EBADF);
	EXPECT_ERR(get_at(fd, "", 0, "trusted.a", v, sizeof(v), 0), ENOENT);
	EXPECT_ERR(get_at(BAD_FD, "", AT_EMPTY_PATH, "trusted.a", v, sizeof(v), 0), EBADF);
}

TEST(their_arguments_are_checked)
{
	char v[32];

	if (syscall(465, -1, "", 0xffff, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("before Linux 6.13");
	own_tmpfs();
	put_file("f", "");
	EXPECT_ERR(set_at(AT_FDCWD, "f", 0x100000, "trusted.a", "x", 1, 0, 16), EINVAL);
	EXPECT_ERR(set_at(AT_FDCWD, "f", 0, "trusted.a", "x", 1, 0, 15), EINVAL);
	EXPECT_OK(set_at(AT_FDCWD, "f", 0, "trusted.a", "x", 1, 0, 24));
	EXPECT_ERR(set_at(AT_FDCWD, "f", 0, "trusted.a", "x", 1, 0, 4097), E2BIG);
	EXPECT_ERR(set_at(AT_FDCWD, "f", 0, "trusted.a", "x", 1, 4, 16), EINVAL);
	EXPECT_ERR(set_at(AT_FDCWD, "f", 0, "trusted.a", "x", 65537, 0, 16), E2BIG);
	EXPECT_ERR(get_at(AT_FDCWD, "f", 0, "trusted.a", v, sizeof(v), 1), EINVAL);
	EXPECT_ERR(syscall(464, AT_FDCWD, "f", 0, "trusted.a", BAD_PTR, 16), EFAULT);
	EXPECT_ERR(syscall(465, AT_FDCWD, BAD_PTR, 0, v, sizeof(v)), EFAULT);
	EXPECT_ERR(syscall(466, AT_FDCWD, "f", 0, ""), ERANGE);
}

TEST_MAIN()
