/*
 * mincore: which pages are there, and what puts pages there: touching, locking, populating.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/lib/harness.h"

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 8

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* Private memory that no neighbour is merged with. */
static char *island(void)
{
	char *m = mmap(NULL, (NPAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(m != MAP_FAILED);
	EXPECT_OK(mprotect(m + PAGE, NPAGES * PAGE, RW));
	return m + PAGE;
}

/* What is there of the first pages at @m, as a string of . and x. */
static const char *present(const char *m)
{
	static char s[NPAGES + 1];
	unsigned char vec[NPAGES];

	EXPECT_OK(mincore((void *)m, NPAGES * PAGE, vec));
	for (int i = 0; i < NPAGES; i++)
		s[i] = vec[i] == 1 ? 'x' : vec[i] == 0 ? '.' : '?';
	s[NPAGES] = 0;
	return s;
}

static int temp_file(size_t size)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0666);

	EXPECT_OK(fd);
	EXPECT_OK(ftruncate(fd, (off_t)size));
	return fd;
}

TEST(private_memory_is_there_once_it_is_touched)
{
	char *m = island();

	EXPECT_STR(present(m), "........");
	m[2 * PAGE] = 1;
	EXPECT_EQ(((volatile char *)m)[5 * PAGE], 0);
	EXPECT_STR(present(m), "..x..x..");
	EXPECT_OK(madvise(m + 2 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_STR(present(m), ".....x..");
	EXPECT_OK(munmap(m + 5 * PAGE, PAGE));
	EXPECT(mmap(m + 5 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m + 5 * PAGE);
	EXPECT_STR(present(m), "........");
}

TEST(what_a_call_writes_to_is_there)
{
	char *m = island();
	int p[2];

	EXPECT_OK(pipe(p));
	EXPECT_EQ(write(p[1], "ab", 2), 2);
	EXPECT_EQ(read(p[0], m + PAGE, 2), 2);
	EXPECT_STR(present(m), ".x......");
}

static char *at;                /* what the child looks at */

static void look_and_touch(void)
{
	EXPECT_STR(present(at), "...x....");
	at[4 * PAGE] = 1;
	EXPECT_STR(present(at), "...xx...");
}

TEST(fork_copies_what_is_there)
{
	at = island();
	at[3 * PAGE] = 1;
	EXPECT_EQ(in_child(look_and_touch), 0);
	EXPECT_STR(present(at), "...x....");
}

TEST(moved_memory_takes_its_pages_along)
{
	char *m = island(), *to = island();

	m[1 * PAGE] = 1;
	EXPECT(mremap(m, NPAGES * PAGE, NPAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	EXPECT_STR(present(to), ".x......");
}

TEST(memory_without_access_can_be_asked_about)
{
	char *m = island();

	m[0] = 1;
	EXPECT_OK(mprotect(m, NPAGES * PAGE, PROT_NONE));
	EXPECT_STR(present(m), "x.......");
}

static void touch(void) { at[6 * PAGE] = 1; }

TEST(shared_memory_is_there_once_anybody_has_touched_it)
{
	char *m = mmap(NULL, NPAGES * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "........");
	at = m;
	EXPECT_EQ(in_child(touch), 0);
	EXPECT_STR(present(m), "......x.");
	/* The page stays with the object. */
	EXPECT_OK(madvise(m, NPAGES * PAGE, MADV_DONTNEED));
	EXPECT_STR(present(m), "......x.");
	EXPECT_OK(madvise(m + 6 * PAGE, PAGE, MADV_REMOVE));
	EXPECT_STR(present(m), "........");
}

TEST(a_file_in_memory_is_there_where_it_was_written)
{
	int fd = (int)syscall(SYS_memfd_create, "x", 0);
	char *m;

	EXPECT_OK(fd);
	EXPECT_OK(ftruncate(fd, 6 * PAGE));
	EXPECT_EQ(pwrite(fd, "x", 1, 2 * PAGE), 1);
	m = mmap(NULL, NPAGES * PAGE, RW, MAP_PRIVATE, fd, 0);
	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "..x.....");
	m[4 * PAGE] = 1;
	EXPECT_EQ(pwrite(fd, "y", 1, PAGE), 1);
	EXPECT_STR(present(m), ".xx.x...");
}

static void look_as_a_stranger(void)
{
	EXPECT_OK(setgid(1000));
	EXPECT_OK(setuid(1000));
	EXPECT_STR(present(at), "xxxxxxxx");
}

TEST(who_cannot_write_to_a_file_sees_all_of_it)
{
	int fd = temp_file(NPAGES * PAGE);
	char *m;

	EXPECT_OK(fchmod(fd, 0444));
	m = mmap(NULL, NPAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT(m != MAP_FAILED);
	at = m;
	EXPECT_EQ(in_child(look_as_a_stranger), 0);
}

TEST(long_ranges_are_told_in_pieces)
{
	size_t n = 9000;
	unsigned char *vec = malloc(n);
	char *m = mmap(NULL, n * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t found = 0;

	EXPECT(m != MAP_FAILED);
	EXPECT_OK(madvise(m, n * PAGE, MADV_NOHUGEPAGE));
	EXPECT_OK(mprotect(m + 4000 * PAGE, 2 * PAGE, PROT_READ));
	m[0] = m[4095 * PAGE] = m[4096 * PAGE] = m[8999 * PAGE] = 1;
	memset(vec, 7, n);
	EXPECT_OK(mincore(m, n * PAGE, vec));
	for (size_t i = 0; i < n; i++)
		found += vec[i];
	EXPECT_EQ(found, 4);
	EXPECT(vec[0] && vec[4095] && vec[4096] && vec[8999]);
}

TEST(a_hole_ends_it)
{
	char *m = island();
	unsigned char vec[NPAGES];

	memset(vec, 7, sizeof(vec));
	m[0] = 1;
	EXPECT_OK(munmap(m + 4 * PAGE, PAGE));
	EXPECT_ERR(mincore(m, NPAGES * PAGE, vec), ENOMEM);
	EXPECT(vec[0] == 1 && vec[3] == 0 && vec[4] == 7 && vec[5] == 7);
	EXPECT_ERR(mincore(m + 4 * PAGE, PAGE, vec), ENOMEM);
	EXPECT_OK(mincore(m + 5 * PAGE, PAGE, vec));
}

TEST(mincore_checks_its_arguments)
{
	char *m = island();
	unsigned char vec[NPAGES];
	unsigned char *edge;

	EXPECT_ERR(mincore(m + 1, PAGE, vec), EINVAL);
	EXPECT_ERR(mincore(m + 1, 0, vec), EINVAL);
	EXPECT_OK(mincore(m, 0, vec));
	EXPECT_OK(mincore(NULL, 0, NULL));
	EXPECT_ERR(mincore(NULL, PAGE, vec), ENOMEM);
	EXPECT_ERR(mincore(m, PAGE, NULL), EFAULT);
	EXPECT_ERR(mincore(m, PAGE, BAD_PTR), EFAULT);
	EXPECT_ERR(mincore(m, (size_t)-1, vec), ENOMEM);
	EXPECT_ERR(mincore(m, (size_t)-PAGE, vec), ENOMEM);
	EXPECT_ERR(mincore((void *)0xffffffffff600000ul, PAGE, vec), ENOMEM);
	/* A length within a page counts as all of it. */
	memset(vec, 7, sizeof(vec));
	EXPECT_OK(mincore(m, PAGE + 1, vec));
	EXPECT(vec[1] == 0 && vec[2] == 7);
	edge = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_OK(mprotect(edge + PAGE, PAGE, PROT_NONE));
	EXPECT_ERR(mincore(m, NPAGES * PAGE, edge + PAGE - 2), EFAULT);
}

TEST(locked_memory_is_there)
{
	char *m = island();

	EXPECT_OK(mlock(m + PAGE, 2 * PAGE));
	EXPECT_STR(present(m), ".xx.....");
	EXPECT_OK(munlock(m, NPAGES * PAGE));
	EXPECT_STR(present(m), ".xx.....");
	EXPECT_OK(syscall(SYS_mlock2, m + 4 * PAGE, 3 * PAGE, 1));      /* MLOCK_ONFAULT */
	EXPECT_STR(present(m), ".xx.....");
	m[5 * PAGE] = 1;
	EXPECT_STR(present(m), ".xx..x..");
	EXPECT_OK(syscall(SYS_mlock2, m, NPAGES * PAGE, 0));
	EXPECT_STR(present(m), "xxxxxxxx");
}

TEST(memory_without_access_can_be_locked_but_not_be_made_present)
{
	char *m = island();

	EXPECT_OK(mprotect(m + 2 * PAGE, PAGE, PROT_NONE));
	EXPECT_ERR(mlock(m, NPAGES * PAGE), ENOMEM);
	EXPECT_STR(present(m), "xx......");
	EXPECT_ERR(madvise(m, NPAGES * PAGE, MADV_DONTNEED), EINVAL);
	/* Access comes, and the pages with it. */
	EXPECT_OK(mprotect(m + 2 * PAGE, PAGE, RW));
	EXPECT_STR(present(m), "xxx.....");
}

TEST(a_file_map_cannot_be_locked_beyond_its_end)
{
	int fd = temp_file(3 * PAGE);
	char *m = mmap(NULL, NPAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	EXPECT(m != MAP_FAILED);
	EXPECT_OK(mlock(m, 3 * PAGE));
	EXPECT_ERR(mlock(m, 4 * PAGE), ENOMEM);
}

TEST(mlockall_reaches_what_is_there_and_what_comes)
{
	char *m = island(), *n;

	EXPECT_OK(mlockall(MCL_CURRENT));
	EXPECT_STR(present(m), "xxxxxxxx");
	n = island();
	EXPECT_STR(present(n), "........");
	EXPECT_OK(munlockall());
	EXPECT_OK(mlockall(MCL_FUTURE));
	EXPECT_STR(present(n), "........");
	n = mmap(NULL, NPAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(n != MAP_FAILED);
	EXPECT_STR(present(n), "xxxxxxxx");
	EXPECT_OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
	n = mmap(NULL, NPAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(n != MAP_FAILED);
	EXPECT_STR(present(n), "........");
}

TEST(locked_memory_that_grows_is_there)
{
	char *m = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *old = sbrk(0);

	EXPECT(m != MAP_FAILED);
	EXPECT_OK(mlock(m, 2 * PAGE));
	m = mremap(m, 2 * PAGE, NPAGES * PAGE, MREMAP_MAYMOVE);
	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "xxxxxxxx");
	EXPECT_OK(mlockall(MCL_FUTURE));
	old = (char *)(((unsigned long)old + PAGE - 1) & -PAGE);
	EXPECT_OK(brk(old + (NPAGES + 1) * PAGE));
	EXPECT_STR(present(old), "xxxxxxxx");
}

TEST(map_populate_and_map_locked_make_pages_present)
{
	char *m = mmap(NULL, NPAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "xxxxxxxx");
	m = mmap(NULL, NPAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "xxxxxxxx");
	m = mmap(NULL, NPAGES * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "xxxxxxxx");
	m = mmap(NULL, NPAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "........");
	m = mmap(NULL, NPAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	EXPECT(m != MAP_FAILED);
	EXPECT_STR(present(m), "........");
}

TEST(madvise_populates)
{
	char *m = island();

	if (madvise(m, PAGE, MADV_POPULATE_READ) < 0 && errno == EINVAL)
		SKIP("this kernel cannot");
	EXPECT_STR(present(m), "x.......");
	EXPECT_OK(madvise(m + 2 * PAGE, 2 * PAGE, MADV_POPULATE_WRITE));
	EXPECT_STR(present(m), "x.xx....");
	EXPECT_OK(mprotect(m, NPAGES * PAGE, PROT_READ));
	EXPECT_ERR(madvise(m, NPAGES * PAGE, MADV_POPULATE_WRITE), EINVAL);
	EXPECT_OK(madvise(m, NPAGES * PAGE, MADV_POPULATE_READ));
	EXPECT_STR(present(m), "xxxxxxxx");
	EXPECT_OK(mprotect(m, NPAGES * PAGE, PROT_NONE));
	EXPECT_ERR(madvise(m, PAGE, MADV_POPULATE_READ), EINVAL);
	EXPECT_ERR(madvise(m, PAGE, MADV_POPULATE_WRITE), EINVAL);
	EXPECT_OK(munmap(m + PAGE, PAGE));
	EXPECT_ERR(madvise(m + PAGE, PAGE, MADV_POPULATE_READ), ENOMEM);
}

TEST_MAIN()
