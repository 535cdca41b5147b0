/* Reading and writing regular files. */
#include <sys/uio.h>
#include "tests/lib/harness.h"

TEST(what_is_written_can_be_read)
{
	char buf[16] = "";
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, "hello world", 11), 11);
	EXPECT_EQ(lseek(fd, 6, SEEK_SET), 6);
	EXPECT_EQ(read(fd, buf, sizeof(buf)), 5);
	EXPECT_STR(buf, "world");
	EXPECT_EQ(read(fd, buf, sizeof(buf)), 0);
	EXPECT_OK(close(fd));
	EXPECT_ERR(close(fd), EBADF);
}

TEST(open_flags_decide_creation_and_truncation)
{
	struct stat st;
	int fd;

	EXPECT_ERR(open("f", O_RDONLY), ENOENT);
	EXPECT_ERR(open("no/f", O_RDONLY | O_CREAT, 0600), ENOENT);
	fd = open("f", O_WRONLY | O_CREAT | O_EXCL, 0640);
	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, "abc", 3), 3);
	EXPECT_ERR(read(fd, &st, 1), EBADF);
	close(fd);
	EXPECT_ERR(open("f", O_WRONLY | O_CREAT | O_EXCL, 0640), EEXIST);
	EXPECT_ERR(open("f/x", O_RDONLY), ENOTDIR);
	EXPECT_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	EXPECT_ERR(open(".", O_WRONLY), EISDIR);
	EXPECT_ERR(open(".", O_RDWR | O_CREAT, 0600), EISDIR);
	EXPECT_ERR(open("", O_RDONLY), ENOENT);
	EXPECT_ERR(open(BAD_PTR, O_RDONLY), EFAULT);
	fd = open("f", O_WRONLY | O_TRUNC);
	REQUIRE_OK(fd);
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 0);
	close(fd);
}

TEST(mode_of_a_new_file_obeys_the_umask)
{
	struct stat st;

	umask(027);
	close(open("f", O_WRONLY | O_CREAT, 0666));
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_mode, S_IFREG | 0640);
	EXPECT_EQ(umask(022), 027);
}

TEST(seeking_knows_all_whences)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, "0123456789", 10), 10);
	EXPECT_EQ(lseek(fd, -3, SEEK_END), 7);
	EXPECT_EQ(lseek(fd, 2, SEEK_CUR), 9);
	EXPECT_ERR(lseek(fd, -100, SEEK_CUR), EINVAL);
	EXPECT_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	EXPECT_ERR(lseek(fd, 0, 99), EINVAL);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 9);
	EXPECT_EQ(lseek(fd, 1000, SEEK_SET), 1000);
	EXPECT_EQ(lseek(fd, 3, SEEK_DATA), 3);
	EXPECT_EQ(lseek(fd, 0, SEEK_HOLE), 10);
	EXPECT_ERR(lseek(fd, 10, SEEK_DATA), ENXIO);
	EXPECT_ERR(lseek(BAD_FD, 0, SEEK_SET), EBADF);
}

TEST(writing_past_the_end_leaves_zeroes)
{
	char buf[8] = "xxxxxxx";
	struct stat st;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(fd);
	EXPECT_EQ(pwrite(fd, "z", 1, 5), 1);
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 6);
	EXPECT_EQ(pread(fd, buf, 6, 0), 6);
	EXPECT(memcmp(buf, "\0\0\0\0\0z", 6) == 0);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(positioned_io_checks_its_offset)
{
	char c;
	int fd = open("f", O_RDWR | O_CREAT, 0600), p[2];

	REQUIRE_OK(fd);
	EXPECT_ERR(pread(fd, &c, 1, -1), EINVAL);
	EXPECT_ERR(pwrite(fd, &c, 1, -1), EINVAL);
	EXPECT_EQ(pread(fd, &c, 1, 1 << 20), 0);
	REQUIRE_OK(pipe(p));
	EXPECT_ERR(pread(p[0], &c, 1, 0), ESPIPE);
	EXPECT_ERR(pwrite(p[1], &c, 1, 0), ESPIPE);
	EXPECT_ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
}

TEST(append_always_writes_at_the_end)
{
	int a = open("f", O_WRONLY | O_CREAT | O_APPEND, 0600);
	int b = open("f", O_WRONLY);

	REQUIRE(a >= 0 && b >= 0);
	EXPECT_EQ(write(b, "12345", 5), 5);
	EXPECT_EQ(write(a, "ab", 2), 2);
	EXPECT_EQ(lseek(a, 0, SEEK_CUR), 7);
	EXPECT_EQ(lseek(a, 0, SEEK_SET), 0);
	EXPECT_EQ(write(a, "c", 1), 1);
	EXPECT_EQ(pwrite(a, "d", 1, 0), 1);     /* Linux: appends in spite of the offset */
	EXPECT_STR(get_file("f"), "12345abcd");
}

TEST(bad_buffers_give_efault_and_lose_nothing)
{
	char buf[8] = "";
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, "data", 4), 4);
	EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
	EXPECT_ERR(syscall(SYS_read, fd, BAD_PTR, 4), EFAULT);
	EXPECT_ERR(syscall(SYS_write, fd, BAD_PTR, 4), EFAULT);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(read(fd, buf, 8), 4);
	EXPECT_STR(buf, "data");
	EXPECT_EQ(read(fd, BAD_PTR, 0), 0);
	EXPECT_ERR(read(BAD_FD, buf, 1), EBADF);
	EXPECT_ERR(read(-1, buf, 1), EBADF);
	EXPECT_ERR(write(BAD_FD, buf, 1), EBADF);
}

TEST(vectors_are_read_and_written_in_order)
{
	char a[3] = "", b[5] = "";
	struct iovec out[3] = { { "ab", 2 }, { "", 0 }, { "cdef", 4 } };
	struct iovec in[2] = { { a, 2 }, { b, 4 } };
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(fd);
	EXPECT_EQ(writev(fd, out, 3), 6);
	EXPECT_EQ(preadv(fd, in, 2, 0), 6);
	EXPECT_STR(a, "ab");
	EXPECT_STR(b, "cdef");
	EXPECT_EQ(pwritev(fd, out, 1, 6), 2);
	EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
	EXPECT_EQ(readv(fd, in, 2), 6);
	EXPECT_EQ(readv(fd, in, 2), 2);
	EXPECT_ERR(syscall(SYS_readv, fd, in, -1), EINVAL);
	EXPECT_ERR(syscall(SYS_readv, fd, in, 1025), EINVAL);
	EXPECT_ERR(syscall(SYS_readv, fd, BAD_PTR, 2), EFAULT);
	EXPECT_EQ(syscall(SYS_readv, fd, in, 0), 0);
	in[0].iov_len = (size_t)-1;
	EXPECT_ERR(readv(fd, in, 1), EINVAL);
	EXPECT_EQ(preadv2(fd, in + 1, 1, 0, 0), 4);
	EXPECT_ERR(preadv2(fd, in + 1, 1, 0, 0x40000000), EOPNOTSUPP);
}

TEST(directories_cannot_be_read_as_files)
{
	char c;
	int fd = open(".", O_RDONLY);

	REQUIRE_OK(fd);
	EXPECT_ERR(read(fd, &c, 1), EISDIR);
	EXPECT_ERR(write(fd, &c, 1), EBADF);
	EXPECT_ERR(pread(fd, &c, 1, 0), EISDIR);
}

TEST(truncation_cuts_and_extends)
{
	struct stat st;
	char buf[8];
	int fd;

	put_file("f", "0123456789");
	EXPECT_OK(truncate("f", 4));
	EXPECT_STR(get_file("f"), "0123");
	fd = open("f", O_RDWR);
	REQUIRE_OK(fd);
	EXPECT_OK(ftruncate(fd, 6));
	EXPECT_EQ(pread(fd, buf, 8, 0), 6);
	EXPECT(memcmp(buf, "0123\0\0", 6) == 0);
	EXPECT_ERR(ftruncate(fd, -1), EINVAL);
	close(fd);
	fd = open("f", O_RDONLY);
	EXPECT_ERR(ftruncate(fd, 0), EINVAL);
	EXPECT_ERR(truncate("none", 0), ENOENT);
	EXPECT_ERR(truncate(".", 0), EISDIR);
	EXPECT_ERR(truncate("f", -1), EINVAL);
	EXPECT_ERR(ftruncate(BAD_FD, 0), EBADF);
	EXPECT_OK(stat("f", &st));
	EXPECT_EQ(st.st_size, 6);
}

TEST(a_deleted_file_lives_while_it_is_open)
{
	char buf[4] = "";
	struct stat st;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE_OK(fd);
	EXPECT_OK(unlink("f"));
	EXPECT_ERR(open("f", O_RDONLY), ENOENT);
	EXPECT_EQ(write(fd, "abc", 3), 3);
	EXPECT_EQ(pread(fd, buf, 3, 0), 3);
	EXPECT_STR(buf, "abc");
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(st.st_size, 3);
}

TEST(one_description_shares_its_offset_over_fork)
{
	char c = 0;
	int fd, status;
	pid_t pid;

	put_file("f", "abcdef");
	fd = open("f", O_RDONLY);
	REQUIRE_OK(fd);
	pid = fork();
	if (pid == 0) {
		EXPECT_EQ(read(fd, &c, 1), 1);
		EXPECT_EQ(lseek(fd, 1, SEEK_CUR), 2);
		_exit(test_failures);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(read(fd, &c, 1), 1);
	EXPECT_EQ(c, 'c');
}

TEST(large_transfers_are_whole)
{
	size_t n = 3 << 20;
	char *a = malloc(n), *b = malloc(n);
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE(fd >= 0 && a && b);
	for (size_t i = 0; i < n; i++)
		a[i] = (char)(i * 7 + i / 4096);
	EXPECT_EQ(write(fd, a, n), n);
	EXPECT_EQ(pread(fd, b, n, 0), n);
	EXPECT(memcmp(a, b, n) == 0);
	EXPECT_EQ(pread(fd, b, 10000, (off_t)n - 5000), 5000);
	EXPECT(memcmp(b, a + n - 5000, 5000) == 0);
}

TEST(sync_calls_accept_files)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), p[2];

	REQUIRE_OK(fd);
	EXPECT_OK(fsync(fd));
	EXPECT_OK(fdatasync(fd));
	EXPECT_OK(syncfs(fd));
	EXPECT_ERR(fsync(BAD_FD), EBADF);
	REQUIRE_OK(pipe(p));
	EXPECT_ERR(fsync(p[0]), EINVAL);
	EXPECT_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
}

TEST(one_write_can_append)
{
	struct iovec v = { "cd", 2 };
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	REQUIRE(write(fd, "ab", 2) == 2);
	REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
	EXPECT_EQ(pwritev2(fd, &v, 1, 0, RWF_APPEND), 2);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(pwritev2(fd, &v, 1, -1, RWF_APPEND), 2);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 6);
	EXPECT_STR(get_file("f"), "abcdcd");
	v.iov_base = (char[2]){ 0 };
	EXPECT_EQ(preadv2(fd, &v, 1, 4, RWF_APPEND), 2);       /* means nothing */
}

TEST(one_write_can_go_elsewhere_than_the_end)
{
	const int noappend = 0x20;      /* RWF_NOAPPEND */
	struct iovec v = { "XY", 2 };
	int fd = open("f", O_RDWR | O_CREAT | O_APPEND, 0600);

	REQUIRE(write(fd, "abcd", 4) == 4);
	if (pwritev2(fd, &v, 1, 1, noappend) < 0 && errno == EOPNOTSUPP)
		SKIP("RWF_NOAPPEND");
	EXPECT_STR(get_file("f"), "aXYd");
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
	REQUIRE(lseek(fd, 2, SEEK_SET) == 2);
	EXPECT_EQ(pwritev2(fd, &v, 1, -1, noappend), 2);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
	EXPECT_STR(get_file("f"), "aXXY");
	EXPECT_EQ(pwritev2(fd, &v, 1, 0, 0), 2);        /* only that once */
	EXPECT_STR(get_file("f"), "aXXYXY");
	EXPECT_EQ(pwritev2(fd, &v, 1, 8, noappend), 2);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 10);
	EXPECT_ERR(pwritev2(fd, &v, 1, 0, noappend | RWF_APPEND), EINVAL);
	v.iov_base = (char[2]){ 0 };
	EXPECT_EQ(preadv2(fd, &v, 1, 4, noappend), 2);  /* means nothing */
	EXPECT_ERR(preadv2(fd, &v, 1, 4, noappend | RWF_APPEND), EINVAL);
	EXPECT_ERR(preadv2(fd, &v, 1, 4, 0x40000000), EOPNOTSUPP);
}

TEST_MAIN()
