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

TEST_MAIN()
