/*
 * Call sites that are used often: a sandbox may change their code so that calls cost less.
 * Nothing of that may be seen: results, registers, signals, threads, forks, code that moves or is read.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>
#include "tests/lib/harness.h"

#define MANY 3000

/* One call with a value in each register that a call leaves alone; false if one has changed. */
static bool call_keeps_registers(long nr, long want)
{
	long ok;
	double x = 1.5, y;

	__asm__ volatile(
		"movsd	%[x], %%xmm7\n"
		"mov	$0x1111111111111111, %%rbx\n"
		"mov	$0x22222222, %%r12d\n"
		"mov	$0x33333333, %%r13d\n"
		"mov	$0x44444444, %%r14d\n"
		"mov	$0x55555555, %%r15d\n"
		"mov	$0x66666666, %%r8d\n"
		"mov	$0x77777777, %%r9d\n"
		"mov	$0x88888888, %%r10d\n"
		"mov	$1, %%edi\n"
		"mov	$2, %%esi\n"
		"mov	$3, %%edx\n"
		"mov	%[nr], %%rax\n"
		"jmp	2f\n"
		".balign 16\n"
		"2: syscall\n"
		"cmp	%[want], %%rax\n"
		"jne	1f\n"
		"movabs	$0x1111111111111111, %%rax\n"
		"cmp	%%rax, %%rbx\n"
		"jne	1f\n"
		"cmp	$0x22222222, %%r12\n"
		"jne	1f\n"
		"cmp	$0x33333333, %%r13\n"
		"jne	1f\n"
		"cmp	$0x44444444, %%r14\n"
		"jne	1f\n"
		"cmp	$0x55555555, %%r15\n"
		"jne	1f\n"
		"cmp	$0x66666666, %%r8\n"
		"jne	1f\n"
		"cmp	$0x77777777, %%r9\n"
		"jne	1f\n"
		"cmp	$3, %%edx\n"
		"jne	1f\n"
		"cmp	$2, %%esi\n"
		"jne	1f\n"
		"cmp	$1, %%edi\n"
		"jne	1f\n"
		"mov	$1, %%eax\n"
		"jmp	3f\n"
		"1: xor	%%eax, %%eax\n"
		"3: movsd %%xmm7, %[y]\n"
		: "=&a"(ok), [y] "=m"(y)
		: [nr] "m"(nr), [want] "m"(want), [x] "m"(x)
		: "rbx", "r12", "r13", "r14", "r15", "r8", "r9", "r10", "r11", "rcx", "rdi", "rsi", "rdx",
		  "xmm7", "memory", "cc");
	return ok && y == x;
}

TEST(results_and_registers_stay_right)
{
	long pid = getpid(), ppid = getppid(), bad = 0;

	for (int i = 0; i < MANY; i++) {
		bad += syscall(SYS_getpid) != pid;
		bad += getppid() != ppid;
		bad += !call_keeps_registers(SYS_getpid, pid);
		bad += !call_keeps_registers(SYS_getppid, ppid);
	}
	EXPECT_EQ(bad, 0);
}

TEST(reads_and_writes_at_hot_sites)
{
	int p[2], fd = open("f", O_RDWR | O_CREAT, 0600), bad = 0;
	char b[64], c;

	REQUIRE(fd >= 0 && pipe(p) == 0);
	for (int i = 0; i < 64; i++)
		b[i] = (char)i;
	EXPECT_EQ(pwrite(fd, b, sizeof(b), 0), sizeof(b));
	for (int i = 0; i < MANY; i++) {
		bad += pread(fd, &c, 1, i % 64) != 1 || c != i % 64;
		c = (char)(i * 7);
		bad += write(p[1], &c, 1) != 1;
		c = 0;
		bad += read(p[0], &c, 1) != 1 || c != (char)(i * 7);
		bad += read(-1, &c, 1) != -1 || errno != EBADF;
		errno = 0;
	}
	EXPECT_EQ(bad, 0);
}

static volatile long nsig, handler_bad, main_pid, main_ppid;

static void on_alarm(int sig)
{
	(void)sig;
	nsig++;
	handler_bad += syscall(SYS_getpid) != main_pid;
	handler_bad += syscall(SYS_getppid) != main_ppid;
}

TEST(signals_at_any_moment)
{
	struct itimerval it = { { 0, 700 }, { 0, 700 } }, off = { 0 };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	long bad = 0, n = 0;

	main_pid = getpid();
	main_ppid = getppid();
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	while (nsig < 300) {
		bad += !call_keeps_registers(SYS_getpid, main_pid);
		bad += !call_keeps_registers(SYS_getppid, main_ppid);
		bad += syscall(SYS_getpid) != main_pid;
		bad += syscall(SYS_getppid) != main_ppid;
		n++;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(handler_bad, 0);
}

static void on_usr1(int sig) { (void)sig; nsig++; }

TEST(a_signal_to_oneself_comes_before_the_call_returns)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	long bad = 0, tid = syscall(SYS_gettid), pid = getpid();

	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < MANY / 3; i++) {
		long before = nsig;

		bad += syscall(SYS_tgkill, pid, tid, SIGUSR1) != 0 || nsig != before + 1;
	}
	EXPECT_EQ(bad, 0);
}

static volatile bool stop;
static volatile long thread_bad;

static void *hammer(void *arg)
{
	long pid = getpid(), tid = syscall(SYS_gettid);
	int fd = open("/dev/zero", O_RDONLY);
	char c;

	(void)arg;
	while (!stop) {
		if (syscall(SYS_getpid) != pid || syscall(SYS_gettid) != tid || getppid() == pid ||
		    pread(fd, &c, 1, 0) != 1 || close(-1) != -1)
			thread_bad++;
	}
	close(fd);
	return NULL;
}

TEST(threads_and_forks_share_hot_sites)
{
	pthread_t t[4];
	int status;

	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&t[i], NULL, hammer, NULL) == 0);
	for (int i = 0; i < 25; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			long me = getpid(), bad = 0;

			for (int k = 0; k < 300; k++)
				bad += syscall(SYS_getpid) != me || lseek(-1, 0, SEEK_SET) != -1;
			_exit(bad != 0);
		}
		REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
		EXPECT_EQ(status, 0);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(thread_bad, 0);
}

/* Code of our own in a file: long f(void) { return nr(); }, followed by padding as compilers make it. */
static int code_file(const char *name, unsigned char nr)
{
	unsigned char code[4096] = { 0xb8, nr, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	unsigned char pad[4096];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0700);

	memset(code + 8, 0xcc, 1024);
	memcpy(pad, code, sizeof(pad));
	/* The same at 64, with the number set elsewhere: no room before the call, but after it. */
	memcpy(code + 64, (const unsigned char[]){ 0x31, 0xc0, 0xb0, nr, 0x0f, 0x05, 0xc3 }, 7);
	if (fd < 0 || write(fd, code, sizeof(code)) != sizeof(code) || write(fd, pad, sizeof(pad)) != sizeof(pad))
		return -1;
	return fd;
}

static long hot(void *at, int n, long want)
{
	long (*f)(void) = (long (*)(void))at, bad = 0;

	while (n--)
		bad += f() != want;
	return bad;
}

TEST(code_that_is_replaced_or_moved)
{
	int a = code_file("a", SYS_getpid), b = code_file("b", SYS_getppid);
	long pid = getpid(), ppid = getppid();
	char *at, *to;

	REQUIRE(a >= 0 && b >= 0);
	at = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, a, 0);
	REQUIRE(at != MAP_FAILED);
	EXPECT_EQ(hot(at, MANY, pid), 0);
	EXPECT_EQ(hot(at + 64, MANY, pid), 0);
	/* Another file in its place. */
	REQUIRE(mmap(at, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, b, 0) == at);
	EXPECT_EQ(hot(at, MANY, ppid), 0);
	EXPECT_EQ(hot(at + 64, MANY, ppid), 0);
	/* Elsewhere, far away. */
	to = mmap((void *)0x10000000000, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	REQUIRE(to != MAP_FAILED);
	REQUIRE(mremap(at, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	EXPECT_EQ(hot(to, MANY, ppid), 0);
	EXPECT_EQ(hot(to + 64, MANY, ppid), 0);
	EXPECT_EQ(munmap(to, 8192), 0);
	close(a);
	close(b);
}

TEST(code_made_writable_is_what_the_file_says)
{
	int fd = code_file("c", SYS_getpid);
	unsigned char file[4096];
	char *at;

	REQUIRE(fd >= 0);
	at = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	REQUIRE(at != MAP_FAILED);
	EXPECT_EQ(hot(at, MANY, getpid()), 0);
	EXPECT_EQ(mprotect(at, 8192, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_EQ(pread(fd, file, sizeof(file), 0), sizeof(file));
	EXPECT_EQ(memcmp(at, file, 64), 0);
	at[1] = SYS_getppid;
	EXPECT_EQ(hot(at, MANY, getppid()), 0);
	/* The file itself never changes. */
	EXPECT_EQ(pread(fd, file, sizeof(file), 0), sizeof(file));
	EXPECT_EQ(file[0], 0xb8);
	EXPECT_EQ(file[1], SYS_getpid);
	close(fd);
}

/* Two threads in the same code while it becomes hot. */
static void *run_code(void *at) { return (void *)hot(at, MANY * 4, getppid()); }

TEST(threads_in_code_that_becomes_hot)
{
	for (int round = 0; round < 5; round++) {
		int fd = code_file("d", SYS_getppid);
		pthread_t t[3];
		void *bad;
		char *at;

		REQUIRE(fd >= 0);
		at = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		REQUIRE(at != MAP_FAILED);
		for (int i = 0; i < 3; i++)
			REQUIRE(pthread_create(&t[i], NULL, run_code, i < 2 ? at : at + 64) == 0);
		for (int i = 0; i < 3; i++) {
			pthread_join(t[i], &bad);
			EXPECT_EQ((long)bad, 0);
		}
		munmap(at, 8192);
		close(fd);
	}
}

TEST(gs_belongs_to_the_program)
{
	static long area[8] = { 77 };
	unsigned long got = 0;
	long pid = getpid(), bad = 0, v;

	for (int i = 0; i < MANY; i++)
		bad += syscall(SYS_getpid) != pid;
	EXPECT_EQ(syscall(SYS_arch_prctl, 0x1004, &got), 0);
	EXPECT_EQ(got, 0);
	EXPECT_EQ(syscall(SYS_arch_prctl, 0x1001, area), 0);
	for (int i = 0; i < MANY; i++) {
		bad += syscall(SYS_getpid) != pid;
		__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
		bad += v != 77;
	}
	EXPECT_EQ(syscall(SYS_arch_prctl, 0x1004, &got), 0);
	EXPECT_EQ(got, (long)area);
	EXPECT_EQ(syscall(SYS_arch_prctl, 0x1001, 0), 0);
	for (int i = 0; i < MANY; i++)
		bad += syscall(SYS_getpid) != pid;
	EXPECT_EQ(bad, 0);
}

TEST(calls_that_block_at_hot_sites)
{
	int p[2], q[2], status;
	char c = 0;
	long bad = 0;
	pid_t pid;

	REQUIRE(pipe(p) == 0 && pipe(q) == 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < MANY / 2; i++)
			if (read(p[0], &c, 1) != 1 || write(q[1], &c, 1) != 1)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < MANY / 2; i++) {
		char d = (char)i;

		bad += write(p[1], &d, 1) != 1 || read(q[0], &c, 1) != 1 || c != d;
	}
	EXPECT_EQ(bad, 0);
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

TEST(a_hot_thread_keeps_nobody_waiting)
{
	volatile int *over = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stat st;
	int status;
	pid_t pid;

	REQUIRE(over != MAP_FAILED);
	pid = fork();
	if (pid == 0) {
		while (!*over)
			syscall(SYS_getppid);
		_exit(0);
	}
	for (int i = 0; i < 200; i++) {
		EXPECT_EQ(stat(".", &st), 0);
		usleep(500);
	}
	*over = 1;
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(every_kind_of_call_through_one_hot_site)
{
	long pid = getppid(), bad = 0;
	int word = 0;

	for (int i = 0; i < MANY / 10; i++) {
		void *m;

		for (int k = 0; k < 30; k++)
			bad += syscall(SYS_getppid) != pid;
		/* These need registers, change memory, or are the host's. */
		m = (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		bad += m == MAP_FAILED || *(char *)m != 0;
		bad += syscall(SYS_munmap, m, 4096) != 0;
		bad += syscall(SYS_futex, &word, 1, 1, NULL, NULL, 0) != 0;
		bad += syscall(SYS_sched_yield) != 0;
	}
	EXPECT_EQ(bad, 0);
}

/* A page that can be used, followed by one that cannot. */
static char *page_before_nothing(void)
{
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || mprotect(m + 4096, 4096, PROT_NONE) < 0)
		abort();
	return m;
}

TEST(bad_pointers_at_hot_sites)
{
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *m = page_before_nothing(), *m2 = page_before_nothing(), c[64], name[300];
	struct stat st;
	long bad = 0;
	int p[2], fd;

	fd = open("bad", O_RDWR | O_CREAT, 0600);
	if (fd < 0 || pipe(p) < 0 || write(fd, m, 100) != 100)
		abort();
	memcpy(m + 4096 - 5, "/tmp/", 5);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	memcpy(name, "/tmp/", 5);
	for (int i = 0; i < MANY / 4; i++) {
		bad += syscall(SYS_stat, "/tmp", &st) != 0 || !S_ISDIR(st.st_mode);
		bad += syscall(SYS_stat, NULL, &st) != -1 || errno != EFAULT;
		bad += syscall(SYS_stat, m + 4096, &st) != -1 || errno != EFAULT;
		bad += syscall(SYS_stat, m + 4096 - 5, &st) != -1 || errno != EFAULT;
		bad += syscall(SYS_stat, (char *)0x8000000000000000ul, &st) != -1 || errno != EFAULT;
		bad += syscall(SYS_stat, name, &st) != -1 || errno != ENAMETOOLONG;
		bad += syscall(SYS_stat, "/tmp", ro) != -1 || errno != EFAULT;
		bad += syscall(SYS_stat, "/tmp", m2 + 4096 - 16) != -1 || errno != EFAULT;
		bad += syscall(SYS_stat, "/tmp", NULL) != -1 || errno != EFAULT;
		bad += syscall(SYS_pread64, fd, m2 + 4096 - 10, 50, 0L) != 10;
		bad += syscall(SYS_pread64, fd, ro, 50, 0L) != -1 || errno != EFAULT;
		bad += syscall(SYS_pread64, fd, c, 50, 0L) != 50;
		bad += syscall(SYS_write, p[1], m + 4096 - 5, 5) != 5;
		bad += syscall(SYS_write, p[1], m + 4096, 5) != -1 || errno != EFAULT;
		/* What cannot be delivered stays. */
		bad += syscall(SYS_read, p[0], ro, 5) != -1 || errno != EFAULT;
		bad += syscall(SYS_read, p[0], c, 64) != 5 || memcmp(c, "/tmp/", 5) != 0;
	}
	EXPECT_EQ(bad, 0);
	close(p[0]);
	close(p[1]);
	close(fd);
	unlink("bad");
	munmap(m, 8192);
	munmap(m2, 8192);
	munmap(ro, 4096);
}

/* Of every length, at every alignment, next to a page that is not there. */
TEST(data_of_every_length_at_hot_sites)
{
	char *m = page_before_nothing(), in[1200], out[1300];
	long bad = 0;
	int p[2];

	if (pipe(p) < 0)
		abort();
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7 + 1);
	for (size_t n = 1; n <= sizeof(in); n += n < 300 ? 1 : 37) {
		memcpy(m + 4096 - n % 256, in, n % 256);
		memset(out, 0, sizeof(out));
		bad += syscall(SYS_write, p[1], in, n) != (long)n;
		bad += syscall(SYS_read, p[0], out + n % 9, n > 1190 ? 1190 : n) != (long)(n > 1190 ? 1190 : n);
		bad += memcmp(out + n % 9, in, n > 1190 ? 1190 : n) != 0 || out[n % 9 + n] != 0;
		if (n > 1190)
			bad += syscall(SYS_read, p[0], out, n - 1190) != (long)n - 1190;
		if (n % 256 == 0)
			continue;
		bad += syscall(SYS_write, p[1], m + 4096 - n % 256, n % 256) != (long)(n % 256);
		memset(m + 4096 - n % 256, 0, n % 256);
		bad += syscall(SYS_read, p[0], m + 4096 - n % 256, n % 256) != (long)(n % 256);
		bad += memcmp(m + 4096 - n % 256, in, n % 256) != 0;
	}
	EXPECT_EQ(bad, 0);
	close(p[0]);
	close(p[1]);
	munmap(m, 8192);
}

/* Names of 1 to 300 bytes: some fit where they are put for the call, some do not. */
TEST(names_of_every_length_at_hot_sites)
{
	char name[400];
	long bad = 0;

	for (int round = 0; round < 4; round++)
		for (size_t n = 1; n <= 300; n++) {
			size_t at = 2;

			memcpy(name, "./", 2);
			while (at + 2 < 2 + n)
				at += (size_t)sprintf(name + at, "./");
			while (at < 2 + n)
				name[at++] = 'x';
			name[at] = 0;
			bad += syscall(SYS_mkdir, name, 0700) != 0;
			bad += syscall(SYS_access, name, X_OK) != 0;
			bad += syscall(SYS_rmdir, name) != 0;
			bad += syscall(SYS_access, name, F_OK) != -1 || errno != ENOENT;
		}
	EXPECT_EQ(bad, 0);
}

static volatile int nsigs;
static void on_own(int sig, siginfo_t *si, void *uc)
{
	struct stat st;

	(void)uc;
	nsigs += sig == SIGUSR1 && si->si_code == SI_TKILL && syscall(SYS_stat, "/tmp", &st) == 0;
}

/* Frames of handlers are built from what a hot thread shows of its registers. */
TEST(handlers_at_hot_sites_keep_everything)
{
	struct sigaction sa = { .sa_sigaction = on_own, .sa_flags = SA_SIGINFO }, old;
	long bad = 0;
	double a = 1.25, b = 3.5;

	sigaction(SIGUSR1, &sa, &old);
	nsigs = 0;
	for (int i = 0; i < MANY; i++) {
		double c, one = a * i;

		__asm__ volatile("movsd %1, %%xmm9\n"
				 "mov %2, %%eax\n"
				 "mov %3, %%edi\n"
				 "mov %4, %%esi\n"
				 "mov %5, %%edx\n"
				 "syscall\n"
				 "movsd %%xmm9, %0\n"
				 : "=m"(c) : "m"(one), "i"(SYS_tgkill), "r"(getpid()), "r"(gettid()), "i"(SIGUSR1)
				 : "rax", "rdi", "rsi", "rdx", "rcx", "r11", "xmm9", "memory");
		bad += c != one || b != 3.5;
	}
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(nsigs, MANY);
	sigaction(SIGUSR1, &old, NULL);
}

TEST_MAIN()
