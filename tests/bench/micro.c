/*
 * micro.c - one static program that times single operations: micro DIR [ROW...] prints "row nanoseconds" each,
 * the median of several batches.  Files are made in DIR.  It runs natively and inside every sandbox alike.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 7

static int fd, p[2], q[2];
static char page[4096], path_f[256], path_new[256];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void reap(pid_t pid)
{
	must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork, waitpid");
}

static void do_getpid(long n) { while (n--) syscall(SYS_getpid); }
/* The least that a trap costs, where getpid needs none. */
static void do_getppid(long n) { while (n--) syscall(SYS_getppid); }
static void do_pread(long n) { while (n--) must(pread(fd, page, 4096, 0) == 4096, "pread"); }

static void do_stat(long n)
{
	struct stat st;

	while (n--)
		must(stat(path_f, &st) == 0, "stat");
}

static void do_open(long n)
{
	while (n--)
		close(open(path_f, O_RDONLY));
}

static void do_pipe(long n)
{
	char c = 0;

	while (n--)
		must(write(p[1], &c, 1) == 1 && read(p[0], &c, 1) == 1, "pipe");
}

static void do_pingpong(long n)
{
	char c = 0;
	pid_t pid = fork();

	if (pid == 0) {
		for (long i = 0; i < n; i++)
			if (read(p[0], &c, 1) != 1 || write(q[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	for (long i = 0; i < n; i++)
		must(write(p[1], &c, 1) == 1 && read(q[0], &c, 1) == 1, "pipe");
	reap(pid);
}

static void do_futex(long n)
{
	int word = 0;

	while (n--)
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void do_touch(long n)
{
	char *m = mmap(NULL, (size_t)n * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(m != MAP_FAILED, "mmap");
	madvise(m, (size_t)n * 4096, MADV_NOHUGEPAGE);
	for (long i = 0; i < n; i++)
		m[i * 4096] = 1;
	munmap(m, (size_t)n * 4096);
}

static void do_mmap(long n)
{
	while (n--) {
		char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(m != MAP_FAILED, "mmap");
		for (int i = 0; i < 16; i++)
			m[i * 4096] = 1;
		munmap(m, 65536);
	}
}

static void do_fork(long n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		reap(pid);
	}
}

static void do_exec(long n)
{
	char *argv[] = { "micro", "@true", NULL }, *envp[] = { NULL };

	while (n--) {
		pid_t pid = fork();

		if (pid == 0) {
			execve("/proc/self/exe", argv, envp);
			_exit(1);
		}
		reap(pid);
	}
}

static void *nothing(void *arg) { return arg; }

static void do_thread(long n)
{
	pthread_t t;

	while (n--)
		must(pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0, "thread");
}

static void on_signal(int sig) { (void)sig; }

static void do_signal(long n)
{
	signal(SIGUSR1, on_signal);
	while (n--)
		raise(SIGUSR1);
}

static void do_create(long n)
{
	while (n--) {
		int f = open(path_new, O_CREAT | O_WRONLY, 0600);

		must(f >= 0 && write(f, "x", 1) == 1, "create");
		close(f);
		unlink(path_new);
	}
}

static const struct row { const char *name; void (*fn)(long); long n; } rows[] = {
	{ "getpid", do_getpid, 20000 }, { "getppid", do_getppid, 20000 }, { "pread-4k", do_pread, 10000 },
	{ "stat", do_stat, 5000 },
	{ "open-close", do_open, 3000 }, { "pipe", do_pipe, 5000 }, { "pipe-ping-pong", do_pingpong, 2000 },
	{ "futex-wake", do_futex, 20000 }, { "page-touch", do_touch, 10000 }, { "mmap-64k", do_mmap, 500 },
	{ "fork", do_fork, 100 }, { "fork-exec", do_exec, 50 }, { "thread", do_thread, 200 },
	{ "signal", do_signal, 5000 }, { "create-write-unlink", do_create, 500 },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	double t[BATCHES];

	if (argc > 1 && strcmp(argv[1], "@true") == 0)
		return 0;
	must(argc > 1 && strlen(argv[1]) < 200, "usage: micro DIR [ROW...]");
	mkdir(argv[1], 0700);
	snprintf(path_f, sizeof(path_f), "%s/f", argv[1]);
	snprintf(path_new, sizeof(path_new), "%s/new", argv[1]);
	fd = open(path_f, O_RDWR | O_CREAT, 0600);
	must(fd >= 0 && write(fd, page, 4096) == 4096 && pipe(p) == 0 && pipe(q) == 0, "setup");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int wanted = argc < 3;

		for (int k = 2; k < argc; k++)
			wanted |= strcmp(argv[k], rows[i].name) == 0;
		if (!wanted)
			continue;
		rows[i].fn(rows[i].n / 10 + 1);
		for (int b = 0; b < BATCHES; b++) {
			double start = now();

			rows[i].fn(rows[i].n);
			t[b] = (now() - start) / (double)rows[i].n;
		}
		qsort(t, BATCHES, sizeof(t[0]), by_value);
		printf("%s %.0f\n", rows[i].name, t[BATCHES / 2]);
		fflush(stdout);
	}
	unlink(path_f);
	rmdir(argv[1]);
	return 0;
}
