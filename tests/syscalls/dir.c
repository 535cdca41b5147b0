/* Directories, names, links. */
#include <dirent.h>
#include "tests/lib/harness.h"

TEST(directories_are_made_and_removed)
{
	struct stat st;

	umask(0);
	EXPECT_OK(mkdir("d", 0750));
	EXPECT_OK(stat("d", &st));
	EXPECT_EQ(st.st_mode, S_IFDIR | 0750);
	EXPECT_ERR(mkdir("d", 0700), EEXIST);
	EXPECT_ERR(mkdir("no/d", 0700), ENOENT);
	put_file("f", "");
	EXPECT_ERR(mkdir("f", 0700), EEXIST);
	EXPECT_ERR(mkdir("f/d", 0700), ENOTDIR);
	EXPECT_OK(mkdir("d/e", 0700));
	EXPECT_ERR(rmdir("d"), ENOTEMPTY);
	EXPECT_ERR(rmdir("f"), ENOTDIR);
	EXPECT_ERR(rmdir("none"), ENOENT);
	EXPECT_ERR(rmdir("d/."), EINVAL);
	EXPECT_ERR(rmdir("d/e/.."), ENOTEMPTY);
	EXPECT_OK(rmdir("d/e/"));
	EXPECT_OK(rmdir("d"));
	EXPECT_OK(mkdir("d/", 0700));
}

TEST(link_counts_follow_subdirectories_and_links)
{
	struct stat st;

	put_file("f", "x");
	EXPECT_OK(link("f", "g"));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_nlink, 2);
	EXPECT_OK(unlink("f"));
	EXPECT_OK(stat("g", &st));
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT_STR(get_file("g"), "x");
	EXPECT_ERR(link("none", "h"), ENOENT);
	EXPECT_ERR(link("g", "g"), EEXIST);
	mkdir("d", 0700);
	EXPECT_ERR(link("d", "e"), EPERM);
}

TEST(unlink_refuses_directories)
{
	mkdir("d", 0700);
	EXPECT_ERR(unlink("d"), EISDIR);
	EXPECT_ERR(unlink("none"), ENOENT);
	EXPECT_ERR(unlink(""), ENOENT);
	put_file("f", "");
	EXPECT_ERR(unlink("f/"), ENOTDIR);
	EXPECT_ERR(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
	EXPECT_OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
	EXPECT_ERR(unlinkat(AT_FDCWD, "f", 0x8000), EINVAL);
	EXPECT_OK(unlinkat(AT_FDCWD, "f", 0));
}

TEST(rename_replaces_and_moves)
{
	struct stat st;

	put_file("a", "A");
	put_file("b", "B");
	mkdir("d", 0700);
	EXPECT_OK(rename("a", "b"));
	EXPECT_STR(get_file("b"), "A");
	EXPECT_ERR(stat("a", &st), ENOENT);
	EXPECT_OK(rename("b", "d/c"));
	EXPECT_STR(get_file("d/c"), "A");
	EXPECT_ERR(rename("none", "x"), ENOENT);
	EXPECT_ERR(rename("d", "d/sub"), EINVAL);
	put_file("f", "");
	EXPECT_ERR(rename("d", "f"), ENOTDIR);
	EXPECT_ERR(rename("f", "d"), EISDIR);
	mkdir("e", 0700);
	EXPECT_ERR(rename("e", "d"), ENOTEMPTY);
	EXPECT_OK(rename("d", "e"));
	EXPECT_STR(get_file("e/c"), "A");
	EXPECT_OK(rename("e", "e"));
	EXPECT_OK(link("f", "g"));
	EXPECT_OK(rename("f", "g"));    /* two names of one file: nothing happens */
	EXPECT_OK(stat("f", &st));
	EXPECT_ERR(rename(".", "x"), EBUSY);
}

TEST(renameat2_knows_noreplace_and_exchange)
{
	put_file("a", "A");
	put_file("b", "B");
	EXPECT_ERR(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1), EEXIST);
	EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 1));
	EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "c", AT_FDCWD, "b", 2));
	EXPECT_STR(get_file("c"), "B");
	EXPECT_STR(get_file("b"), "A");
	EXPECT_ERR(syscall(SYS_renameat2, AT_FDCWD, "c", AT_FDCWD, "none", 2), ENOENT);
	EXPECT_ERR(syscall(SYS_renameat2, AT_FDCWD, "c", AT_FDCWD, "b", 3), EINVAL);
}

TEST(symlinks_are_followed_and_read)
{
	char buf[16] = "";
	struct stat st;

	put_file("f", "text");
	EXPECT_OK(symlink("f", "l"));
	EXPECT_STR(get_file("l"), "text");
	EXPECT_EQ(readlink("l", buf, sizeof(buf)), 1);
	EXPECT_EQ(readlink("l", buf, 0) < 0 ? errno : 0, EINVAL);
	EXPECT_ERR(readlink("f", buf, sizeof(buf)), EINVAL);
	EXPECT_OK(lstat("l", &st));
	EXPECT(S_ISLNK(st.st_mode));
	EXPECT_EQ(st.st_size, 1);
	EXPECT_OK(stat("l", &st));
	EXPECT(S_ISREG(st.st_mode));
	EXPECT_ERR(symlink("x", "l"), EEXIST);
	EXPECT_ERR(symlink("", "m"), ENOENT);
	EXPECT_OK(symlink("none", "dangling"));
	EXPECT_ERR(open("dangling", O_RDONLY), ENOENT);
	EXPECT_ERR(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
	EXPECT_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	EXPECT_OK(open("dangling", O_CREAT | O_WRONLY, 0600));
	EXPECT_OK(stat("none", &st));
	EXPECT_EQ(readlink("dangling", buf, 2), 2);
	EXPECT(memcmp(buf, "no", 2) == 0);
}

TEST(symlink_loops_end_in_eloop)
{
	struct stat st;
	char name[16], target[16];

	EXPECT_OK(symlink("b", "a"));
	EXPECT_OK(symlink("a", "b"));
	EXPECT_ERR(stat("a", &st), ELOOP);
	EXPECT_ERR(open("a/x", O_RDONLY), ELOOP);
	put_file("n0", "");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		snprintf(target, sizeof(target), "n%d", i - 1);
		EXPECT_OK(symlink(target, name));
	}
	EXPECT_OK(stat("n40", &st));
	EXPECT_ERR(stat("n41", &st), ELOOP);
}

TEST(symlinks_in_the_middle_of_a_path)
{
	mkdir("d", 0700);
	mkdir("d/e", 0700);
	put_file("d/e/f", "deep");
	EXPECT_OK(symlink("d/e", "s"));
	EXPECT_OK(symlink("../e/../../s", "d/e/back"));
	EXPECT_STR(get_file("s/f"), "deep");
	EXPECT_STR(get_file("s/back/f"), "deep");
	EXPECT_STR(get_file("s/../e/f"), "deep");
	EXPECT_STR(get_file(".//d/./e///f"), "deep");
	EXPECT_ERR(open("s/f/", O_RDONLY), ENOTDIR);
	EXPECT_ERR(open("s/f/..", O_RDONLY), ENOTDIR);
}

TEST(names_have_a_limit_of_255_bytes)
{
	char name[300];
	struct stat st;

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	put_file(name, "long");
	EXPECT_STR(get_file(name), "long");
	EXPECT_OK(unlink(name));
	name[255] = 'n';
	name[256] = '\0';
	EXPECT_ERR(stat(name, &st), ENAMETOOLONG);
	EXPECT_ERR(open(name, O_CREAT | O_WRONLY, 0600), ENAMETOOLONG);
	EXPECT_ERR(mkdir(name, 0700), ENAMETOOLONG);
}

TEST(paths_have_a_limit_of_4095_bytes)
{
	char path[5000];
	struct stat st;

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? '/' : '.';
	path[4095] = '\0';
	EXPECT_OK(stat(path, &st));
	path[4095] = '/';
	path[4096] = '\0';
	EXPECT_ERR(stat(path, &st), ENAMETOOLONG);
}

TEST(cwd_can_be_changed_and_told)
{
	char here[PATH_MAX], now[PATH_MAX];
	int fd;

	REQUIRE(getcwd(here, sizeof(here)));
	mkdir("d", 0700);
	EXPECT_OK(chdir("d"));
	REQUIRE(getcwd(now, sizeof(now)));
	EXPECT_EQ(strncmp(now, here, strlen(here)), 0);
	EXPECT_STR(now + strlen(here), "/d");
	EXPECT_EQ(syscall(SYS_getcwd, now, sizeof(now)), strlen(here) + 3);
	EXPECT_ERR(syscall(SYS_getcwd, now, 3), ERANGE);
	EXPECT_OK(chdir(".."));
	fd = open("d", O_RDONLY);
	EXPECT_OK(fchdir(fd));
	put_file("f", "");
	EXPECT_ERR(chdir("f"), ENOTDIR);
	EXPECT_ERR(chdir("none"), ENOENT);
	EXPECT_ERR(fchdir(open("f", O_RDONLY)), ENOTDIR);
	EXPECT_ERR(fchdir(BAD_FD), EBADF);
	EXPECT_OK(unlink("f"));
	EXPECT_OK(rmdir("../d"));
	EXPECT_ERR(syscall(SYS_getcwd, now, sizeof(now)), ENOENT);
	EXPECT_ERR(open("f", O_CREAT | O_WRONLY, 0600), ENOENT);
}

struct entry64 { uint64_t ino; int64_t off; unsigned short len; unsigned char type; char name[]; };

TEST(getdents_lists_every_entry_once)
{
	char buf[512], name[32];
	bool seen[100] = { false };
	int fd, n = 0, dots = 0;
	long r;

	mkdir("d", 0700);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d/file-%d", i);
		put_file(name, "");
	}
	fd = open("d", O_RDONLY | O_DIRECTORY);
	REQUIRE_OK(fd);
	while ((r = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (long pos = 0; pos < r;) {
			struct entry64 *e = (struct entry64 *)(buf + pos);
			int k;

			if (e->name[0] == '.') {
				dots++;
				EXPECT_EQ(e->type, DT_DIR);
			} else if (sscanf(e->name, "file-%d", &k) == 1 && k >= 0 && k < 100) {
				EXPECT(!seen[k]);
				EXPECT(e->type == DT_REG || e->type == DT_UNKNOWN);
				seen[k] = true;
				n++;
			}
			EXPECT(e->len % 8 == 0 && e->ino != 0);
			pos += e->len;
		}
	}
	EXPECT_EQ(r, 0);
	EXPECT_EQ(n, 100);
	EXPECT_EQ(dots, 2);
	EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
	EXPECT(syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
	EXPECT_ERR(syscall(SYS_getdents64, fd, buf, 8), EINVAL);
	put_file("f", "");
	EXPECT_ERR(syscall(SYS_getdents64, open("f", O_RDONLY), buf, sizeof(buf)), ENOTDIR);
	EXPECT_ERR(syscall(SYS_getdents64, BAD_FD, buf, sizeof(buf)), EBADF);
}

TEST(telldir_and_seekdir_come_back)
{
	char name[32], at[NAME_MAX + 1];
	struct dirent *e;
	DIR *d;
	long pos;

	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_file(name, "");
	}
	d = opendir(".");
	REQUIRE(d);
	for (int i = 0; i < 10; i++)
		REQUIRE(readdir(d));
	pos = telldir(d);
	e = readdir(d);
	REQUIRE(e);
	strcpy(at, e->d_name);
	while (readdir(d))
		;
	seekdir(d, pos);
	e = readdir(d);
	REQUIRE(e);
	EXPECT_STR(e->d_name, at);
	closedir(d);
}

TEST(files_deleted_while_listing_do_not_disturb)
{
	struct dirent *e;
	char name[32];
	int n = 0;
	DIR *d;

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put_file(name, "");
	}
	d = opendir(".");
	REQUIRE(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		EXPECT_OK(unlink(e->d_name));
		n++;
	}
	EXPECT_EQ(n, 200);
	closedir(d);
	EXPECT_OK(chdir(".."));
}

TEST(at_calls_start_from_their_directory)
{
	struct stat st;
	int d, f;

	mkdir("d", 0700);
	d = open("d", O_RDONLY | O_DIRECTORY);
	REQUIRE_OK(d);
	f = openat(d, "f", O_CREAT | O_RDWR, 0600);
	REQUIRE_OK(f);
	EXPECT_OK(fstatat(d, "f", &st, 0));
	EXPECT_OK(mkdirat(d, "e", 0700));
	EXPECT_OK(symlinkat("f", d, "l"));
	EXPECT_OK(fstatat(d, "l", &st, AT_SYMLINK_NOFOLLOW));
	EXPECT(S_ISLNK(st.st_mode));
	EXPECT_OK(linkat(d, "f", AT_FDCWD, "g", 0));
	EXPECT_OK(renameat(d, "f", d, "h"));
	EXPECT_OK(fstatat(f, "", &st, AT_EMPTY_PATH));
	EXPECT_ERR(fstatat(f, "", &st, 0), ENOENT);
	EXPECT_ERR(openat(f, "x", O_RDONLY), ENOTDIR);
	EXPECT_ERR(openat(BAD_FD, "x", O_RDONLY), EBADF);
	EXPECT_OK(fstatat(BAD_FD, "/", &st, 0));
	EXPECT_OK(linkat(f, "", AT_FDCWD, "again", AT_EMPTY_PATH));
	EXPECT_OK(linkat(d, "l", AT_FDCWD, "l2", 0));
	EXPECT_OK(lstat("l2", &st));
	EXPECT(S_ISLNK(st.st_mode));
}

TEST(o_path_descriptors_only_name)
{
	char c;
	int p;

	put_file("f", "x");
	p = open("f", O_PATH);
	REQUIRE_OK(p);
	EXPECT_ERR(read(p, &c, 1), EBADF);
	EXPECT_ERR(ftruncate(p, 0), EBADF);
	EXPECT_ERR(fchmod(p, 0600), EBADF);
	EXPECT_EQ(fcntl(p, F_GETFL) & O_PATH, O_PATH);
	EXPECT_OK(close(p));
	EXPECT_OK(symlink("f", "l"));
	p = open("l", O_PATH | O_NOFOLLOW);
	REQUIRE_OK(p);
	EXPECT_EQ(readlinkat(p, "", &c, 1), 1);
	p = open(".", O_PATH);
	EXPECT_OK(openat(p, "f", O_RDONLY));
	EXPECT_OK(fchdir(p));
}

TEST(tmpfile_has_no_name_until_linked)
{
	char path[64], link[300];
	struct stat st;
	ssize_t n;
	int fd = open(".", O_TMPFILE | O_RDWR, 0604);

	REQUIRE_OK(fd);
	EXPECT_EQ(fcntl(fd, F_GETFL) & O_TMPFILE, O_TMPFILE);
	EXPECT_EQ(write(fd, "t", 1), 1);
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0604);
	EXPECT_EQ(st.st_size, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	EXPECT(n > 10 && memcmp(link + n - 10, " (deleted)", 10) == 0);
	EXPECT_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	EXPECT_STR(get_file("named"), "t");
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT_EQ(write(fd, "u", 1), 1);
	EXPECT_STR(get_file("named"), "tu");
	EXPECT_OK(linkat(AT_FDCWD, "named", AT_FDCWD, "again", 0));
	EXPECT_OK(unlink("named"));
	EXPECT_OK(unlink("again"));
	EXPECT_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "late", AT_SYMLINK_FOLLOW), ENOENT);
	EXPECT_OK(close(fd));
}

TEST(exclusive_tmpfile_is_never_linked)
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);

	REQUIRE_OK(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), ENOENT);
	EXPECT_EQ(write(fd, "t", 1), 1);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 1);
	EXPECT_OK(ftruncate(fd, 100));
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 100);
}

static void tmpfile_as_nobody(void)
{
	REQUIRE_OK(setuid(65534));
	EXPECT_ERR(open("d", O_TMPFILE | O_RDWR, 0600), EACCES);
}

TEST(tmpfile_wants_a_directory_and_writing)
{
	put_file("f", "");
	EXPECT_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	EXPECT_ERR(open(".", O_TMPFILE | O_RDWR | O_CREAT, 0600), EINVAL);
	EXPECT_ERR(open(".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600), EINVAL);
	EXPECT_ERR(open("f", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	EXPECT_ERR(open("none", O_TMPFILE | O_RDWR, 0600), ENOENT);
	EXPECT_ERR(open("/proc", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
	mkdir("d", 0555);
	EXPECT_EQ(in_child(tmpfile_as_nobody), 0);
}

TEST(fifos_are_made_by_mknod)
{
	struct stat st;

	umask(0);
	EXPECT_OK(mknod("p", S_IFIFO | 0644, 0));
	EXPECT_OK(stat("p", &st));
	EXPECT_EQ(st.st_mode, S_IFIFO | 0644);
	EXPECT_ERR(mknod("p", S_IFIFO | 0644, 0), EEXIST);
	EXPECT_OK(mknod("r", S_IFREG | 0600, 0));
	EXPECT_STR(get_file("r"), "");
	EXPECT_ERR(mknod("d", S_IFDIR | 0600, 0), EPERM);
	EXPECT_ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
	EXPECT_OK(open("p", O_RDONLY | O_NONBLOCK));
	EXPECT_OK(open("p", O_WRONLY | O_NONBLOCK));
}

TEST(openat2_tells_magic_links_from_links_of_proc)
{
	struct { uint64_t flags, mode, resolve; } how = { O_RDONLY, 0, 2 };     /* RESOLVE_NO_MAGICLINKS */
	int proc = open("/proc", O_PATH);

	EXPECT_OK(syscall(SYS_openat2, proc, "self/status", &how, sizeof(how)));
	EXPECT_OK(syscall(SYS_openat2, proc, "thread-self/status", &how, sizeof(how)));
	EXPECT_ERR(syscall(SYS_openat2, proc, "self/exe", &how, sizeof(how)), ELOOP);
	how.resolve = 8;                                                        /* RESOLVE_BENEATH */
	EXPECT_OK(syscall(SYS_openat2, proc, "self/status", &how, sizeof(how)));
	EXPECT_ERR(syscall(SYS_openat2, proc, "self/cwd", &how, sizeof(how)), EXDEV);
	how.flags = O_PATH | O_NOFOLLOW;
	how.resolve = 2;
	EXPECT_OK(syscall(SYS_openat2, proc, "self/exe", &how, sizeof(how)));
}

TEST(openat2_can_confine_a_path)
{
	struct { uint64_t flags, mode, resolve; } how = { .flags = O_RDONLY, .resolve = 8 };

	mkdir("d", 0700);
	put_file("f", "");
	put_file("d/g", "");
	EXPECT_OK(symlink("../f", "d/up"));
	EXPECT_OK(syscall(SYS_openat2, open("d", O_PATH), "g", &how, sizeof(how)));
	EXPECT_ERR(syscall(SYS_openat2, open("d", O_PATH), "../f", &how, sizeof(how)), EXDEV);
	EXPECT_ERR(syscall(SYS_openat2, open("d", O_PATH), "up", &how, sizeof(how)), EXDEV);
	EXPECT_ERR(syscall(SYS_openat2, open("d", O_PATH), "/", &how, sizeof(how)), EXDEV);
	how.resolve = 4;                /* RESOLVE_NO_SYMLINKS */
	EXPECT_ERR(syscall(SYS_openat2, open("d", O_PATH), "up", &how, sizeof(how)), ELOOP);
	how.resolve = 1 << 20;
	EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how)), EINVAL);
	how.resolve = 0;
	EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, "f", &how, 8), EINVAL);
}

TEST_MAIN()
