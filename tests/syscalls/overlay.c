/*
 * overlay.c - an overlay of two directories on a tmpfs: copies, whiteouts, opaque directories.
 */
#include <dirent.h>
#include <sys/mount.h>
#include "tests/lib/harness.h"

static void make_overlay(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("t", 0755));
	REQUIRE_OK(mount("t", "t", "tmpfs", 0, NULL));
	REQUIRE_OK(chdir("t"));
	REQUIRE_OK(mkdir("low", 0755));
	REQUIRE_OK(mkdir("up", 0755));
	REQUIRE_OK(mkdir("wk", 0755));
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(mkdir("low/d", 0755));
	put_file("low/d/x", "x");
	put_file("low/d/y", "y");
	put_file("low/f", "lower");
	REQUIRE_OK(symlink("f", "low/s"));
	if (mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=wk") < 0)
		SKIP("no overlay here");
	REQUIRE_OK(chdir("m"));
}

/* Names of a directory in order, joined. */
static const char *names(const char *dir)
{
	static char out[512];
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort);

	out[0] = 0;
	for (int i = 0; i < n; i++) {
		if (list[i]->d_name[0] != '.') {
			strcat(out, list[i]->d_name);
			strcat(out, " ");
		}
		free(list[i]);
	}
	free(list);
	return out;
}

static const char *content(const char *path)
{
	static char out[64];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, sizeof(out) - 1);

	close(fd);
	out[n > 0 ? n : 0] = 0;
	return n < 0 ? "?" : out;
}

TEST(the_layers_are_seen_as_one)
{
	make_overlay();
	put_file("new", "n");
	EXPECT_STR(names("."), "d f new s ");
	EXPECT_STR(content("s"), "lower");
	EXPECT_STR(content("../up/new"), "n");
	EXPECT_ERR(access("../low/new", F_OK), ENOENT);
}

TEST(writing_copies_a_file_up)
{
	struct stat before, after;
	char buf[16] = "";
	int old, fd;

	make_overlay();
	REQUIRE_OK(chmod("../low/f", 0640));
	REQUIRE_OK(stat("f", &before));
	old = open("f", O_RDONLY);
	fd = open("f", O_WRONLY | O_APPEND);
	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, "!", 1), 1);
	EXPECT_STR(content("f"), "lower!");
	EXPECT_STR(content("../low/f"), "lower");
	EXPECT_STR(content("../up/f"), "lower!");
	EXPECT_EQ(pread(old, buf, sizeof(buf), 0), 6);
	REQUIRE_OK(stat("f", &after));
	EXPECT_EQ(after.st_ino, before.st_ino);
	EXPECT_EQ(after.st_mode, before.st_mode);
	REQUIRE_OK(fstat(old, &before));
	EXPECT_EQ(after.st_ino, before.st_ino);
}

TEST(attributes_copy_up_with_their_parents)
{
	struct stat st;

	make_overlay();
	EXPECT_OK(chmod("d/x", 0600));
	EXPECT_OK(stat("../up/d/x", &st));
	EXPECT_EQ(st.st_mode & 0777, 0600);
	EXPECT_STR(content("../up/d/x"), "x");
	EXPECT_STR(names("d"), "x y ");
	EXPECT_STR(names("../up/d"), "x ");
}

TEST(removed_names_are_covered_by_whiteouts)
{
	struct stat st;

	make_overlay();
	EXPECT_OK(unlink("f"));
	EXPECT_ERR(access("f", F_OK), ENOENT);
	EXPECT_STR(names("."), "d s ");
	EXPECT_OK(lstat("../up/f", &st));
	EXPECT(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	EXPECT_ERR(unlink("f"), ENOENT);
	put_file("f", "again");
	EXPECT_STR(content("f"), "again");
	EXPECT_STR(content("../low/f"), "lower");
	EXPECT_OK(unlink("f"));
	EXPECT_ERR(access("f", F_OK), ENOENT);
}

TEST(a_directory_made_again_is_empty)
{
	make_overlay();
	EXPECT_ERR(rmdir("d"), ENOTEMPTY);
	EXPECT_OK(unlink("d/x"));
	EXPECT_STR(names("d"), "y ");
	EXPECT_OK(unlink("d/y"));
	EXPECT_STR(names("d"), "");
	EXPECT_OK(rmdir("d"));
	EXPECT_ERR(access("d", F_OK), ENOENT);
	EXPECT_OK(mkdir("d", 0755));
	EXPECT_STR(names("d"), "");
	EXPECT_ERR(access("d/x", F_OK), ENOENT);
	put_file("d/z", "z");
	EXPECT_STR(names("d"), "z ");
}

TEST(files_are_renamed_and_linked)
{
	struct stat st;

	make_overlay();
	EXPECT_OK(rename("f", "g"));
	EXPECT_ERR(access("f", F_OK), ENOENT);
	EXPECT_STR(content("g"), "lower");
	EXPECT_OK(rename("g", "d/x"));
	EXPECT_STR(content("d/x"), "lower");
	EXPECT_STR(content("../low/d/x"), "x");
	EXPECT_STR(names("."), "d s ");
	EXPECT_OK(link("d/y", "y2"));
	EXPECT_OK(stat("y2", &st));
	EXPECT_EQ(st.st_nlink, 2);
	EXPECT_OK(mkdir("n", 0755));
	EXPECT_OK(rename("n", "n2"));
	EXPECT_STR(names("."), "d n2 s y2 ");
	EXPECT_OK(rename("y2", "n2/y3"));
	EXPECT_STR(content("n2/y3"), "y");
}

TEST(truncation_and_symlinks)
{
	make_overlay();
	EXPECT_OK(truncate("f", 2));
	EXPECT_STR(content("f"), "lo");
	EXPECT_STR(content("s"), "lo");
	EXPECT_OK(close(open("f", O_WRONLY | O_TRUNC)));
	EXPECT_STR(content("f"), "");
	EXPECT_OK(unlink("s"));
	EXPECT_OK(symlink("d/x", "s"));
	EXPECT_STR(content("s"), "x");
}

TEST(tmpfile_is_made_in_the_upper_layer)
{
	char path[64];
	struct stat st;
	int fd;

	make_overlay();
	fd = open(".", O_TMPFILE | O_RDWR, 0640);
	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, "t", 1), 1);
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_nlink, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	EXPECT_STR(get_file("named"), "t");
	EXPECT_STR(content("../up/named"), "t");
	EXPECT_OK(close(fd));
}

/* What comes of it is not defined, but the file is there, once. */
TEST(a_directory_of_the_upper_layer_gets_another_name_underneath)
{
	int old, new;

	make_overlay();
	REQUIRE_OK(mkdir("n", 0755));
	put_file("n/f", "text");
	old = open("n", O_RDONLY | O_DIRECTORY);
	REQUIRE_OK(old);
	REQUIRE_OK(rename("../up/n", "../up/o"));
	new = open("o", O_RDONLY | O_DIRECTORY);
	(void)!renameat(old, "f", new, "f");
	EXPECT_STR(content("../up/o/f"), "text");
	EXPECT_STR(names("../up/o"), "f ");
}

/* What the overlay knows of its directories is not true any more: the upper layer stays a tree. */
TEST(directories_moved_underneath_are_not_put_into_themselves)
{
	int a;

	make_overlay();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	a = open("a", O_RDONLY | O_DIRECTORY);
	REQUIRE_OK(a);
	REQUIRE_OK(rename("../up/a", "../up/b/a"));
	EXPECT(renameat(AT_FDCWD, "b", a, "b") < 0);
	EXPECT_STR(names("../up/b"), "a ");
	EXPECT_OK(rename("../up/b/a", "../up/a"));
	EXPECT_STR(names("../up"), "a b ");
}

TEST(the_upper_layer_must_take_every_kind_of_change)
{
	make_overlay();
	REQUIRE_OK(mkdir("../p", 0755));
	REQUIRE_OK(mkdir("../q", 0755));
	if (mount("p", "../p", "proc", 0, NULL) < 0)
		SKIP("no proc here");
	EXPECT_ERR(mount("o", "../q", "overlay", 0, "lowerdir=../low,upperdir=../p,workdir=../wk"), EINVAL);
	EXPECT(mkdir("../q/new", 0755) == 0);
}

TEST(overlays_lie_upon_each_other_twice_and_no_deeper)
{
	make_overlay();
	REQUIRE_OK(chdir(".."));
	REQUIRE_OK(mkdir("m2", 0755));
	REQUIRE_OK(mkdir("m3", 0755));
	REQUIRE_OK(mount("o", "m2", "overlay", 0, "lowerdir=m:low/d"));
	EXPECT_STR(names("m2"), "d f s x y ");
	EXPECT_STR(content("m2/f"), "lower");
	EXPECT_ERR(access("m2/none", F_OK), ENOENT);
	EXPECT_ERR(mount("o", "m3", "overlay", 0, "lowerdir=m2:low"), EINVAL);
}

/* The second overlay holds a directory deep in the first, and that its parents. */
TEST(an_upper_layer_needs_a_work_directory_beside_it)
{
	struct stat st;

	make_overlay();
	REQUIRE_OK(chdir(".."));
	REQUIRE_OK(mkdir("m2", 0755));
	REQUIRE_OK(mkdir("up2", 0755));
	REQUIRE_OK(mkdir("up2/wk", 0755));
	EXPECT_ERR(mount("o", "m2", "overlay", 0, "lowerdir=low,upperdir=up2"), EINVAL);
	EXPECT_ERR(mount("o", "m2", "overlay", 0, "lowerdir=low,upperdir=up2,workdir=up2/wk"), EINVAL);
	EXPECT_ERR(mount("o", "m2", "overlay", 0, "lowerdir=low,upperdir=up2,workdir=/proc"), EINVAL);
	EXPECT_OK(stat("wk/work", &st));
	EXPECT_EQ(st.st_mode & S_IFMT, (mode_t)S_IFDIR);
}

/* The layers lie where the test runs, in several directories of one file system, as an engine's images do. */
TEST(a_mount_below_a_directory_of_a_deep_layer_stays)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	REQUIRE_OK(mkdir("c", 0755));
	REQUIRE_OK(mkdir("c/etc", 0755));
	REQUIRE_OK(mkdir("c/etc/deep", 0755));
	put_file("c/etc/deep/f", "below");
	put_file("src", "mounted");
	REQUIRE_OK(mkdir("m", 0755));
	if (mount("o", "m", "overlay", 0, "lowerdir=a:b:c") < 0)
		SKIP("no overlay here");
	EXPECT_STR(content("m/etc/deep/f"), "below");
	REQUIRE_OK(mount("src", "m/etc/deep/f", NULL, MS_BIND, NULL));
	EXPECT_STR(content("m/etc/deep/f"), "mounted");
	EXPECT_ERR(access("m/etc/none", F_OK), ENOENT);
	EXPECT_STR(content("m/etc/deep/f"), "mounted");
	EXPECT_OK(umount("m/etc/deep/f"));
	EXPECT_STR(content("m/etc/deep/f"), "below");
}

TEST(a_deep_layer_outlives_its_overlay)
{
	char m2[4096], low[4096], opts[5000];
	int top;

	make_overlay();
	top = open("..", O_RDONLY);
	REQUIRE_OK(mkdir("../m2", 0755));
	REQUIRE(realpath("../m2", m2) != NULL && realpath("../low", low) != NULL);
	snprintf(opts, sizeof(opts), "lowerdir=.:%s", low);
	for (int i = 0; i < 4000; i++)
		REQUIRE(mkdir("n", 0755) == 0 && chdir("n") == 0);
	put_file("deep", "down");
	REQUIRE_OK(mount("o", m2, "overlay", 0, opts));
	REQUIRE_OK(fchdir(top));
	EXPECT_OK(umount2("m", MNT_DETACH));
	EXPECT_STR(content("m2/deep"), "down");
	EXPECT_OK(umount("m2"));
	EXPECT_ERR(access("m2/deep", F_OK), ENOENT);
}

TEST_MAIN()
