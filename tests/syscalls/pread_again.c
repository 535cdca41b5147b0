/*
 * The same parts of files read by pread again and again, so often that a sandbox may let the program copy them itself: always what
 * is in the file now, and never more than its descriptors allow.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include "tests/lib/harness.h"

#define MANY 300
#define PART 0x200000
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static char page[4096], buf[16384];

static char *pattern(char *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + (i >> 8) + seed);
	return p;
}

/* A file of @pages pages, each with a pattern of its own. */
static int make_file(const char *name, unsigned pages, unsigned seed)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	REQUIRE(fd >= 0);
	for (unsigned i = 0; i < pages; i++)
		REQUIRE(write(fd, pattern(page, sizeof(page), seed + i), sizeof(page)) == sizeof(page));
	return fd;
}

/* How many of MANY reads of page @n do not give what make_file() wrote. */
static long wrong(int fd, unsigned n, unsigned seed)
{
	long bad = 0;

	pattern(page, sizeof(page), seed + n);
	for (int i = 0; i < MANY; i++) {
		memset(buf, 0, sizeof(page));
		bad += pread(fd, buf, 4096, n * 4096L) != 4096 || memcmp(buf, page, 4096);
	}
	return bad;
}

TEST(a_page_stays_what_it_is)
{
	int fd = make_file("f", 8, 1);

	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(wrong(fd, i, 1), 0);
}

TEST(what_was_written_is_read)
{
	int fd = make_file("f", 2, 1), other = open("f", O_WRONLY);
	long bad = 0;

	EXPECT_EQ(wrong(fd, 0, 1), 0);
	for (int i = 0; i < MANY; i++) {
		char c = (char)i;

		bad += pwrite(i % 2 ? fd : other, &c, 1, 4095) != 1;
		bad += pread(fd, buf, 4096, 0) != 4096 || buf[4095] != c;
	}
	EXPECT_EQ(bad, 0);
}

TEST(ends_of_the_file_and_odd_places)
{
	int fd = make_file("f", 4, 3);
	static char whole[4 * 4096];

	EXPECT_EQ(wrong(fd, 3, 3), 0);
	EXPECT_EQ(pread(fd, whole, sizeof(whole), 0), sizeof(whole));
	for (size_t n = 1000; n < 9000; n += 517)
		for (size_t off = 0; off < 8192; off += 1023) {
			memset(buf, 0x55, sizeof(buf));
			EXPECT_EQ(pread(fd, buf + off % 64, n, (off_t)off), MIN(n, sizeof(whole) - off));
			EXPECT(!memcmp(buf + off % 64, whole + off, MIN(n, sizeof(whole) - off)));
			EXPECT_EQ((unsigned char)buf[off % 64 + n], 0x55);
		}
	EXPECT_EQ(pread(fd, buf, 4096, 4 * 4096 - 2000), 2000);
	EXPECT_EQ(pread(fd, buf, 4096, 4 * 4096), 0);
	EXPECT_ERR(pread(fd, buf, 4096, -1), EINVAL);
	EXPECT_ERR(pread(fd, (void *)8, 4096, 0), EFAULT);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4 * 4096);
}

TEST(across_the_bounds_of_parts)
{
	int fd = make_file("f", 2, 5);
	long bad = 0;

	REQUIRE_OK(ftruncate(fd, 3 * PART));
	for (int i = 0; i < 3; i++) {
		off_t at = i * (off_t)PART + PART - 2048;

		pattern(page, 4096, (unsigned)i);
		EXPECT_EQ(pwrite(fd, page, 4096, at), 4096);
		for (int k = 0; k < MANY; k++) {
			bad += pread(fd, buf, 4096, at) != 4096 || memcmp(buf, page, 4096);
			bad += pread(fd, buf, 2048, at) != 2048 || memcmp(buf, page, 2048);
		}
	}
	EXPECT_EQ(bad, 0);
}

TEST(a_shorter_file)
{
	int fd = make_file("f", 8, 1);

	EXPECT_EQ(wrong(fd, 7, 1), 0);
	REQUIRE_OK(ftruncate(fd, 7 * 4096 + 1500));
	EXPECT_EQ(pread(fd, buf, 4096, 7 * 4096), 1500);
	REQUIRE_OK(ftruncate(fd, 4096));
	EXPECT_EQ(pread(fd, buf, 4096, 7 * 4096), 0);
	REQUIRE_OK(ftruncate(fd, 8 * 4096));
	memset(page, 0, sizeof(page));
	EXPECT_EQ(pread(fd, buf, 4096, 7 * 4096), 4096);
	EXPECT(!memcmp(buf, page, 4096));
}

static _Atomic int stop;

static void *shorten(void *arg)
{
	int fd = *(int *)arg;

	while (!stop)
		if (ftruncate(fd, 0) || ftruncate(fd, 65536))
			return "ftruncate";
	return NULL;
}

TEST(a_file_that_is_shortened_while_it_is_read)
{
	int fd = make_file("f", 16, 0);
	long bad = 0;
	pthread_t th;
	void *r;

	stop = 0;
	REQUIRE(pthread_create(&th, NULL, shorten, &fd) == 0);
	for (int i = 0; i < 20 * MANY; i++) {
		ssize_t n = pread(fd, buf, 4096, (i & 15) * 4096);

		bad += n != 4096 && n != 0;
	}
	stop = 1;
	pthread_join(th, &r);
	EXPECT(!r);
	EXPECT_EQ(bad, 0);
}

static void *remap(void *at)
{
	while (!stop) {
		if (mmap(at, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
			return "mmap";
		munmap(at, 8192);
	}
	return NULL;
}

TEST(memory_that_goes_away_while_it_is_read_to)
{
	char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = make_file("f", 4, 0);
	long bad = 0;
	pthread_t th;
	void *r;

	stop = 0;
	EXPECT_EQ(wrong(fd, 1, 0), 0);
	REQUIRE(pthread_create(&th, NULL, remap, at) == 0);
	for (int i = 0; i < 10 * MANY; i++) {
		ssize_t n = pread(fd, at + 100, 4096, 4096);

		bad += n != 4096 && !(n < 0 && errno == EFAULT) && !(n > 0 && n < 4096);
	}
	stop = 1;
	pthread_join(th, &r);
	EXPECT(!r);
	EXPECT_EQ(bad, 0);
}

TEST(the_same_number_for_another_file)
{
	long bad = 0;

	for (unsigned i = 0; i < 12; i++) {
		char name[8] = { 'f', (char)('a' + i), 0 };
		int fd = make_file(name, 2, i);

		if (i == 5)
			REQUIRE_OK(unlink(name));
		bad += wrong(fd, 1, i);
		close(fd);
		EXPECT_ERR(pread(fd, buf, 4096, 0), EBADF);
	}
	EXPECT_EQ(bad, 0);
}

TEST(dup2_over_it)
{
	int a = make_file("a", 2, 1), b = make_file("b", 2, 9);

	EXPECT_EQ(wrong(a, 1, 1), 0);
	EXPECT_EQ(wrong(b, 1, 9), 0);
	EXPECT_EQ(dup2(b, a), a);
	EXPECT_EQ(wrong(a, 1, 9), 0);
	close(b);
	EXPECT_EQ(wrong(a, 0, 9), 0);
}

TEST(more_files_than_anybody_keeps)
{
	int fd[40];
	long bad = 0;

	for (unsigned i = 0; i < 40; i++) {
		char name[8] = { 'f', (char)('0' + i), 0 };

		fd[i] = make_file(name, 1, i);
	}
	for (int round = 0; round < 3; round++)
		for (unsigned i = 0; i < 40; i++)
			bad += wrong(fd[i], 0, i);
	for (int k = 0; k < 10000; k++) {
		unsigned i = (unsigned)(k * 7919) % 40;

		bad += pread(fd[i], buf, 4096, 0) != 4096 || memcmp(buf, pattern(page, sizeof(page), i), 4096);
	}
	EXPECT_EQ(bad, 0);
}

TEST(a_fork_reads_for_itself)
{
	int fd = make_file("f", 4, 2), status;

	for (int i = 0; i < 5; i++) {
		pid_t pid;

		EXPECT_EQ(wrong(fd, 2, 2), 0);
		pid = fork();
		if (pid == 0)
			_exit(wrong(fd, 2, 2) || wrong(fd, 3, 2) ? 8 : 7);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(WEXITSTATUS(status), 7);
	}
}

struct reader { int fd; unsigned seed; long bad; };

static void *reads(void *arg)
{
	struct reader *r = arg;
	char want[4096], got[4096];

	for (unsigned k = 0; k < 20; k++) {
		pattern(want, sizeof(want), r->seed + k % 4);
		for (int i = 0; i < MANY; i++)
			r->bad += pread(r->fd, got, 4096, k % 4 * 4096) != 4096 || memcmp(got, want, 4096);
		if (k % 8 == 7)
			close(dup(r->fd));
	}
	return NULL;
}

TEST(several_threads)
{
	struct reader r[4];
	pthread_t th[4];

	for (unsigned i = 0; i < 4; i++) {
		char name[8] = { 'f', (char)('0' + i / 2), 0 };

		r[i] = (struct reader){ .seed = i / 2 };
		r[i].fd = i % 2 ? open(name, O_RDONLY) : make_file(name, 4, i / 2);
		REQUIRE(r[i].fd >= 0);
	}
	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&th[i], NULL, reads, &r[i]) == 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(th[i], NULL);
		EXPECT_EQ(r[i].bad, 0);
	}
}

static _Atomic int ticks;
static void tick(int sig) { (void)sig; ticks++; }

TEST(signals_meanwhile)
{
	struct itimerval it = { { 0, 500 }, { 0, 500 } };
	struct sigaction sa = { .sa_handler = tick, .sa_flags = SA_RESTART };
	int fd = make_file("f", 4, 2);

	REQUIRE_OK(sigaction(SIGALRM, &sa, NULL));
	REQUIRE_OK(setitimer(ITIMER_REAL, &it, NULL));
	while (ticks < 200)
		EXPECT_EQ(wrong(fd, 1, 2), 0);
}

TEST_MAIN()
