/* What a platform that runs guest code natively gets wrong first; docs/testing.md lists the others. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include "tests/lib/harness.h"

#define PAGE 4096
#define MXCSR 0x7f80u
#define X87_CW 0x27fu

static bool modes_are_set(void)
{
	unsigned int mxcsr = 0;
	unsigned short cw = 0;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(cw));
	return (mxcsr & ~0x3fu) == MXCSR && cw == X87_CW;
}

static void *ask_modes(void *arg)
{
	*(bool *)arg = modes_are_set();
	return NULL;
}

TEST(new_threads_and_children_begin_with_their_parents_fp_modes)
{
	unsigned int mxcsr = MXCSR;
	unsigned short cw = X87_CW;
	bool in_thread = false;
	pthread_t t;
	int st;

	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(cw));
	EXPECT_EQ(pthread_create(&t, NULL, ask_modes, &in_thread), 0);
	pthread_join(t, NULL);
	EXPECT(in_thread);
	if (fork() == 0)
		_exit(modes_are_set() ? 0 : 1);
	wait(&st);
	EXPECT_EQ(st, 0);
	EXPECT(modes_are_set());
}

TEST(a_forked_child_has_the_vectors_of_its_parent)
{
	unsigned long in = 0x0123456789abcdef, out = 0;
	register long rax __asm__("rax") = SYS_fork;
	int st;

	__asm__ volatile("movq %2, %%xmm9\n\tsyscall\n\tmovq %%xmm9, %0"
			 : "=r"(out), "+r"(rax) : "r"(in) : "rcx", "r11", "xmm9", "memory");
	if (rax == 0)
		_exit(out == in ? 0 : 1);
	EXPECT_EQ(out, in);
	EXPECT_EQ(waitpid((pid_t)rax, &st, 0), rax);
	EXPECT_EQ(st, 0);
}

/* ---- the order of racing changes ---- */

static pthread_barrier_t together;
static char *shared_page;

static void *protect(void *arg)
{
	for (int i = 0; i < 300; i++) {
		pthread_barrier_wait(&together);
		(void)mprotect(shared_page, PAGE, (int)(long)arg);
		pthread_barrier_wait(&together);
		pthread_barrier_wait(&together);
	}
	return NULL;
}

/* Does /proc/self/maps say that the page can be written? */
static bool said_writable(void)
{
	char line[512], perm[8];
	unsigned long from, to;
	FILE *f = fopen("/proc/self/maps", "r");
	bool w = false;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) == 3 && (unsigned long)shared_page - from < to - from)
			w = perm[1] == 'w';
	if (f)
		fclose(f);
	return w;
}

TEST(racing_mprotects_leave_the_page_as_maps_says)
{
	pthread_t a, b;
	int p[2], differ = 0;

	shared_page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(shared_page != MAP_FAILED);
	REQUIRE_OK(pipe(p));
	pthread_barrier_init(&together, NULL, 3);
	pthread_create(&a, NULL, protect, (void *)(long)PROT_READ);
	pthread_create(&b, NULL, protect, (void *)(long)(PROT_READ | PROT_WRITE));
	for (int i = 0; i < 300; i++) {
		bool said, is;

		pthread_barrier_wait(&together);
		pthread_barrier_wait(&together);
		said = said_writable();
		(void)!write(p[1], "x", 1);
		is = read(p[0], shared_page, 1) == 1;
		differ += said != is;
		if (!is) {      /* the byte is still there: a failed read loses nothing */
			char c;

			EXPECT_EQ(read(p[0], &c, 1), 1);
		}
		pthread_barrier_wait(&together);
	}
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	EXPECT_EQ(differ, 0);
}

/* ---- each thread maps the file that it named ---- */

static void *map_own(void *arg)
{
	long n = (long)arg, bad = 0;
	char name[32], data[PAGE];
	int fd;

	snprintf(name, sizeof(name), "own%ld", n);
	fd = open(name, O_CREAT | O_RDWR, 0600);
	memset(data, (int)('a' + n), sizeof(data));
	(void)!write(fd, data, sizeof(data));
	for (int i = 0; i < 200; i++) {
		char *m = mmap(NULL, PAGE, PROT_READ, i % 2 ? MAP_SHARED : MAP_PRIVATE, fd, 0);

		if (m == MAP_FAILED || m[0] != data[0] || m[PAGE - 1] != data[0])
			bad++;
		if (m != MAP_FAILED)
			munmap(m, PAGE);
	}
	close(fd);
	unlink(name);
	return (void *)bad;
}

TEST(threads_that_map_at_once_get_their_own_files)
{
	pthread_t t[4];
	void *bad;

	for (long i = 0; i < 4; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, map_own, (void *)i), 0);
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(pthread_join(t[i], &bad), 0);
		EXPECT_EQ((long)bad, 0);
	}
}

/* ---- addresses ---- */

static unsigned long stack_of_a_program(void)
{
	char line[512];
	unsigned long at = 0;
	FILE *f = popen("exec /bin/busybox cat /proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "[stack]"))
			at = strtoul(line, NULL, 16);
	if (f)
		pclose(f);
	return at;
}

TEST(each_program_has_other_addresses)
{
	unsigned long a = stack_of_a_program(), b = stack_of_a_program(), c = stack_of_a_program();

	EXPECT(a != 0);
	EXPECT(a != b && b != c);
}

TEST(the_vsyscall_page_works_where_maps_shows_it)
{
	bool shown = false;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	int st;

	while (f && fgets(line, sizeof(line), f))
		shown |= strstr(line, "[vsyscall]") != NULL;
	if (f)
		fclose(f);
	if (fork() == 0) {
		long t = ((long (*)(long *))0xffffffffff600400ul)(NULL);

		_exit(t - time(NULL) <= 1 && time(NULL) - t <= 1 ? 0 : 1);
	}
	wait(&st);
	EXPECT(st == 0 || (st == SIGSEGV && !shown));
}

static long made(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	register uint64_t r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = 0;
	long r;

	asm volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
}

/* Linux looks at 32 bits of rax. */
TEST(only_the_low_half_of_a_number_counts)
{
	static const uint64_t high[] = { 0, 1ul << 32, 0x7fffffff00000000, 0x8000000000000000, 0xffffffff00000000 };
	struct timespec none = { 0, 0 };
	int word = 0, p[2];

	REQUIRE_OK(pipe(p));
	for (int round = 0; round < 40; round++)        /* a site that is used often is treated otherwise */
		for (unsigned i = 0; i < sizeof(high) / sizeof(*high); i++) {
			uint64_t h = high[i];
			long m;

			EXPECT_EQ(made(h | SYS_getpid, 0, 0, 0, 0, 0), getpid());
			EXPECT_EQ(made(h | SYS_getppid, 0, 0, 0, 0, 0), getppid());
			EXPECT_EQ(made(h | SYS_write, (uint64_t)p[1], (uint64_t)"x", 1, 0, 0), 1);
			EXPECT_EQ(made(h | SYS_read, (uint64_t)p[0], (uint64_t)&(char){ 0 }, 1, 0, 0), 1);
			EXPECT_EQ(made(h | SYS_sched_yield, 0, 0, 0, 0, 0), 0);
			EXPECT_EQ(made(h | SYS_futex, (uint64_t)&word, 1 /* WAKE */, 1, 0, 0), 0);
			EXPECT_EQ(made(h | SYS_futex, (uint64_t)&word, 0 /* WAIT */, 1, (uint64_t)&none, 0), -EAGAIN);
			EXPECT_EQ(made(h | SYS_nanosleep, (uint64_t)&none, 0, 0, 0, 0), 0);
			EXPECT_EQ(made(h | SYS_ioctl, BAD_FD, 0, 0, 0, 0), -EBADF);
			m = made(h | SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1);
			REQUIRE(m > 0);
			*(volatile char *)m = 1;
			EXPECT_EQ(made(h | SYS_munmap, (uint64_t)m, 4096, 0, 0, 0), 0);
		}
}

TEST(numbers_of_other_calls_are_refused)
{
	static const uint32_t low[] = { 512, 547, 999, 0x40000000, 0x40000000 | SYS_getpid, 0x40000203, 0x7fffffff, 0x80000000,
		0xbfffffff, 0xffffffc0, 0xfffffffe, 0xffffffff };

	for (unsigned i = 0; i < sizeof(low) / sizeof(*low); i++) {
		EXPECT_EQ(made(low[i], 0, 0, 0, 0, 0), -ENOSYS);
		EXPECT_EQ(made(0xffffffff00000000 | low[i], 0, 0, 0, 0, 0), -ENOSYS);
		EXPECT_EQ(made(1ul << 32 | low[i], 0, 0, 0, 0, 0), -ENOSYS);
	}
}

TEST_MAIN()
