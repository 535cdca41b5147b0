/*
 * harness.h - tests that run unchanged on Linux and in the sandbox.
 *
 * A program is one file of TEST(name) { ... } bodies and ends with
 * TEST_MAIN().  Each test runs in a child of its own, in a fresh directory
 * below $TMPDIR or /tmp that is removed afterwards, with 60 s to live.  One
 * line a test goes to stdout ("ok name", "not ok name", "skip name"); why goes
 * to stderr.  So two runs agree when their stdout is the same.  No test may
 * assert an upper bound on time: machines are loaded.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test_entry {
	const char *name;
	void (*fn)(void);
	struct test_entry *next;
};

static struct test_entry *test_first, **test_last = &test_first;
static int test_failures;       /* in the child */

enum { TEST_EXIT_FAIL = 1, TEST_EXIT_SKIP = 77 };

#define TEST(tname) \
	static void test_##tname(void); \
	static struct test_entry entry_##tname = { #tname, test_##tname, NULL }; \
	__attribute__((constructor)) static void add_##tname(void) \
	{ \
		*test_last = &entry_##tname; \
		test_last = &entry_##tname.next; \
	} \
	static void test_##tname(void)

__attribute__((format(printf, 3, 4), unused))
static void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "# %s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	test_failures++;
}

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(why) do { fprintf(stderr, "# skip: %s\n", why); _exit(TEST_EXIT_SKIP); } while (0)

#define EXPECT(c) do { if (!(c)) FAIL("%s (errno %d)", #c, errno); } while (0)
/* Without this the rest of the test makes no sense. */
#define REQUIRE(c) \
	do { \
		if (!(c)) { \
			FAIL("%s (errno %d: %s)", #c, errno, strerror(errno)); \
			_exit(TEST_EXIT_FAIL); \
		} \
	} while (0)
#define EXPECT_EQ(a, b) \
	do { \
		long long a_ = (long long)(a), b_ = (long long)(b); \
		if (a_ != b_) \
			FAIL("%s is %lld (errno %d), not %s = %lld", #a, a_, errno, #b, b_); \
	} while (0)
#define EXPECT_STR(a, b) \
	do { \
		const char *a_ = (a), *b_ = (b); \
		if (strcmp(a_, b_) != 0) \
			FAIL("%s is \"%s\", not \"%s\"", #a, a_, b_); \
	} while (0)
#define EXPECT_OK(call) \
	do { \
		if ((long)(call) < 0) \
			FAIL("%s: errno %d (%s)", #call, errno, strerror(errno)); \
	} while (0)
#define EXPECT_ERR(call, err) \
	do { \
		long r_; \
		errno = 0; \
		r_ = (long)(call); \
		if (r_ != -1) \
			FAIL("%s returned %ld, not %s", #call, r_, #err); \
		else if (errno != (err)) \
			FAIL("%s: errno %d (%s), not %s", #call, errno, strerror(errno), #err); \
	} while (0)
#define REQUIRE_OK(call) REQUIRE((long)(call) >= 0)

/* ---- helpers ---- */

#define BAD_PTR ((void *)8)     /* an address that is never mapped */
#define BAD_FD  9999

/* Hide a value from the compiler, which knows that some calls must not get it. */
#define OPAQUE(v) ({ __typeof__(v) volatile o_ = (v); o_; })

/* Run @fn in a child; its exit code, or 128 + signal. */
__attribute__((unused)) static int in_child(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		test_failures = 0;
		fn();
		_exit(test_failures ? TEST_EXIT_FAIL : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

__attribute__((unused)) static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* A new file with this text. */
__attribute__((unused)) static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* Up to 4095 bytes of a file, as a string. */
__attribute__((unused)) static const char *get_file(const char *path)
{
	static char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	REQUIRE(fd >= 0);
	n = read(fd, buf, sizeof(buf) - 1);
	REQUIRE(n >= 0);
	buf[n] = '\0';
	close(fd);
	return buf;
}

/* Wait, without a limit of our own, until thread or process @tid sleeps in a call. */
__attribute__((unused)) static void wait_until_asleep(pid_t tid)
{
	char path[64], buf[512], *p;
	ssize_t n;
	int fd;

	for (int i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "/proc/%d/stat", tid);
		fd = open(path, O_RDONLY);
		if (fd < 0) {
			sleep_ms(100);  /* no proc: guess */
			return;
		}
		n = read(fd, buf, sizeof(buf) - 1);
		close(fd);
		buf[n > 0 ? n : 0] = '\0';
		p = strrchr(buf, ')');
		if (p && p[1] && (p[2] == 'S' || p[2] == 'T'))
			return;
		sleep_ms(2);
	}
}

/* ---- running ---- */

static int test_rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void test_child(struct test_entry *t, const char *dir)
{
	signal(SIGALRM, SIG_DFL);
	alarm(60);
	if (chdir(dir) < 0) {
		perror(dir);
		_exit(TEST_EXIT_FAIL);
	}
	t->fn();
	fflush(NULL);
	_exit(test_failures ? TEST_EXIT_FAIL : 0);
}

static int test_run(struct test_entry *t)
{
	char dir[PATH_MAX];
	int status;
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s/csb.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(dir)) {
		perror(dir);
		printf("not ok %s\n", t->name);
		return 1;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		test_child(t, dir);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("fork, waitpid");
		status = TEST_EXIT_FAIL << 8;
	}
	nftw(dir, test_rm_one, 16, FTW_DEPTH | FTW_PHYS);
	if (WIFSIGNALED(status))
		fprintf(stderr, "# %s: died of signal %d\n", t->name, WTERMSIG(status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == TEST_EXIT_SKIP) {
		printf("skip %s\n", t->name);
		return 0;
	}
	if (status == 0)
		printf("ok %s\n", t->name);
	else
		printf("not ok %s\n", t->name);
	return status != 0;
}

/* With arguments: only the tests so named. */
static int test_main(int argc, char **argv)
{
	int failed = 0;

	for (struct test_entry *t = test_first; t; t = t->next) {
		bool wanted = argc < 2;

		for (int i = 1; i < argc; i++)
			wanted |= strcmp(argv[i], t->name) == 0;
		if (wanted)
			failed += test_run(t);
	}
	fflush(stdout);
	return failed ? 1 : 0;
}

/* A program that needs to be called back (exec) defines TEST_REENTRY(argc, argv) first. */
#ifndef TEST_REENTRY
#define TEST_REENTRY(argc, argv) ((void)0)
#endif

#define TEST_MAIN() \
	int main(int argc, char **argv) \
	{ \
		TEST_REENTRY(argc, argv); \
		return test_main(argc, argv); \
	}
