/*
 * cachestat(2): how much of a file is in memory.
 */
#include "tests/lib/harness.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#define PAGE 4096ul

struct range { uint64_t off, len; };
struct counts { uint64_t cache, dirty, writeback, evicted, recently; };

static long ask(int fd, uint64_t off, uint64_t len, struct counts *c)
{
	struct range r = { off, len };

	return syscall(SYS_cachestat, fd, &r, c, 0);
}

static void need(void)
{
	if (syscall(SYS_cachestat, -1, NULL, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("this kernel has none");
}

TEST(pages_of_a_file_in_memory_are_counted)
{
	int fd = (int)syscall(SYS_memfd_create, "x", 0);
	struct counts c;
	char page[PAGE];

	need();
	memset(page, 1, sizeof(page));
	EXPECT_OK(ftruncate(fd, 200 * PAGE));
	EXPECT_OK(ask(fd, 0, 0, &c));
	EXPECT_EQ(c.cache, 0);
	EXPECT_EQ(pwrite(fd, page, PAGE, 10 * PAGE), PAGE);
	EXPECT_EQ(pwrite(fd, page, PAGE, 11 * PAGE), PAGE);
	EXPECT_EQ(pwrite(fd, page, PAGE, 150 * PAGE), PAGE);
	EXPECT_OK(ask(fd, 0, 0, &c));
	EXPECT_EQ(c.cache, 3);
	EXPECT_OK(ask(fd, 0, 12 * PAGE, &c));
	EXPECT_EQ(c.cache, 2);
	/* A part of a page counts as all of it. */
	EXPECT_OK(ask(fd, 11 * PAGE + 5, 1, &c));
	EXPECT_EQ(c.cache, 1);
	EXPECT_OK(ask(fd, 12 * PAGE, 10 * PAGE, &c));
	EXPECT_EQ(c.cache, 0);
	EXPECT_OK(ask(fd, 100 * PAGE, (uint64_t)-1, &c));
	EXPECT_EQ(c.cache, 0);
	EXPECT_OK(ask(fd, 100 * PAGE, 0, &c));
	EXPECT_EQ(c.cache, 1);
	EXPECT_OK(ask(fd, 1000 * PAGE, PAGE, &c));
	EXPECT_EQ(c.cache, 0);
	EXPECT_EQ(c.dirty + c.writeback, 0);
}

TEST(a_file_that_was_just_written_is_there)
{
	struct counts c;
	char page[PAGE];
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	need();
	memset(page, 1, sizeof(page));
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(write(fd, page, PAGE), PAGE);
	EXPECT_OK(ask(fd, 0, 4 * PAGE, &c));
	EXPECT_EQ(c.cache, 4);
}

TEST(other_files_have_nothing)
{
	const char *names[] = { "/dev/zero", "/dev/null", "/proc" };
	struct counts c;

	need();
	for (int i = 0; i < 3; i++) {
		int fd = open(names[i], O_RDONLY);

		c.cache = 7;
		EXPECT_OK(ask(fd, 0, 0, &c));
		EXPECT_EQ(c.cache, 0);
	}
}

TEST(cachestat_checks_its_arguments)
{
	int fd = (int)syscall(SYS_memfd_create, "x", 0);
	struct range r = { 0, 0 };
	struct counts c;

	need();
	EXPECT_ERR(syscall(SYS_cachestat, -1, BAD_PTR, &c, 1), EBADF);
	EXPECT_ERR(syscall(SYS_cachestat, fd, BAD_PTR, &c, 1), EFAULT);
	EXPECT_ERR(syscall(SYS_cachestat, fd, &r, &c, 1), EINVAL);
	EXPECT_ERR(syscall(SYS_cachestat, fd, &r, BAD_PTR, 0), EFAULT);
}

TEST_MAIN()
