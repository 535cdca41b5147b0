/* The machine and its limits: uname, sysinfo, rlimits, priorities, affinity, random numbers, architecture. */
#include <sched.h>
#include <sys/prctl.h>
#include <asm/prctl.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include "tests/lib/harness.h"

TEST(uname_is_a_linux)
{
	struct utsname u;
	int major = 0;

	EXPECT_OK(uname(&u));
	EXPECT_STR(u.sysname, "Linux");
	EXPECT_STR(u.machine, "x86_64");
	EXPECT_EQ(sscanf(u.release, "%d.", &major), 1);
	EXPECT(major >= 5);
	EXPECT_ERR(syscall(SYS_uname, BAD_PTR), EFAULT);
}

/* kB of one line of /proc/meminfo, 0 if it is not there. */
static unsigned long meminfo(const char *key)
{
	char line[128];
	unsigned long v = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && !v && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			v = strtoul(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return v;
}

/* free(1) subtracts; what busybox's takes from the call and what from the file must fit together. */
TEST(free_and_cached_memory_fit_into_all)
{
	struct sysinfo si;

	EXPECT_OK(sysinfo(&si));
	EXPECT_EQ(meminfo("MemTotal:"), si.totalram * si.mem_unit >> 10);
	EXPECT(meminfo("MemFree:") + meminfo("Cached:") + meminfo("AnonPages:") <= meminfo("MemTotal:"));
	EXPECT((si.freeram * si.mem_unit >> 10) + meminfo("Cached:") <= meminfo("MemTotal:"));
	EXPECT(meminfo("MemAvailable:") <= meminfo("MemTotal:"));
}

TEST(sysinfo_knows_memory)
{
	struct sysinfo si;

	EXPECT_OK(sysinfo(&si));
	EXPECT(si.totalram > 0 && si.freeram <= si.totalram && si.mem_unit > 0 && si.procs > 0);
	EXPECT_ERR(syscall(SYS_sysinfo, BAD_PTR), EFAULT);
}

TEST(limits_can_be_read_and_lowered)
{
	struct rlimit rl, old;

	for (int r = 0; r < 16; r++)
		EXPECT_OK(getrlimit(r, &rl));
	EXPECT_ERR(getrlimit(16, &rl), EINVAL);
	EXPECT_OK(getrlimit(RLIMIT_NOFILE, &old));
	rl = (struct rlimit){ 100, 200 };
	EXPECT_OK(setrlimit(RLIMIT_NOFILE, &rl));
	EXPECT_OK(prlimit(0, RLIMIT_NOFILE, NULL, &rl));
	EXPECT(rl.rlim_cur == 100 && rl.rlim_max == 200);
	rl = (struct rlimit){ 300, 200 };
	EXPECT_ERR(setrlimit(RLIMIT_NOFILE, &rl), EINVAL);
	EXPECT_ERR(prlimit(999999, RLIMIT_NOFILE, NULL, &rl), ESRCH);
	EXPECT_ERR(syscall(SYS_setrlimit, RLIMIT_NOFILE, BAD_PTR), EFAULT);
}

static void user_cannot_raise(void)
{
	struct rlimit rl = { 10, 10 };

	EXPECT_OK(setresuid(1000, 1000, 1000));
	EXPECT_OK(setrlimit(RLIMIT_FSIZE, &rl));
	rl.rlim_max = 20;
	EXPECT_ERR(setrlimit(RLIMIT_FSIZE, &rl), EPERM);
}

static void on_xfsz(int sig)
{
	_exit(sig == SIGXFSZ ? 55 : 1);
}

static void file_too_large(void)
{
	struct rlimit rl = { 10, 10 };
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	EXPECT_OK(setrlimit(RLIMIT_FSIZE, &rl));
	EXPECT_EQ(write(fd, "01234567890123", 14), 10);
	signal(SIGXFSZ, SIG_IGN);
	EXPECT_ERR(write(fd, "x", 1), EFBIG);
	EXPECT_ERR(ftruncate(fd, 11), EFBIG);
	signal(SIGXFSZ, on_xfsz);
	(void)!write(fd, "x", 1);
	FAIL("no signal");
}

TEST(limits_bind)
{
	EXPECT_EQ(in_child(user_cannot_raise), 0);
	EXPECT_EQ(in_child(file_too_large), 55);
}

TEST(priorities_and_scheduling_can_be_asked)
{
	cpu_set_t set;

	errno = 0;
	EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 0);
	EXPECT_OK(setpriority(PRIO_PROCESS, 0, 5));
	EXPECT_EQ(getpriority(PRIO_PROCESS, 0), 5);
	EXPECT_EQ(nice(3), 8);
	EXPECT_ERR(getpriority(99, 0), EINVAL);
	EXPECT_ERR(setpriority(PRIO_PROCESS, 999999, 0), ESRCH);
	EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
	EXPECT_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	EXPECT_EQ(sched_get_priority_min(SCHED_FIFO), 1);
	EXPECT_ERR(sched_get_priority_max(99), EINVAL);
	EXPECT_OK(sched_yield());
	CPU_ZERO(&set);
	EXPECT_OK(sched_getaffinity(0, sizeof(set), &set));
	EXPECT(CPU_COUNT(&set) > 0);
	EXPECT_OK(sched_setaffinity(0, sizeof(set), &set));
	EXPECT_ERR(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
	EXPECT_ERR(sched_getaffinity(999999, sizeof(set), &set), ESRCH);
	CPU_ZERO(&set);
	EXPECT_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
}

TEST(getcpu_is_within_the_affinity)
{
	unsigned int cpu = 9999, node = 9999;
	cpu_set_t set;

	EXPECT_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	EXPECT_OK(sched_getaffinity(0, sizeof(set), &set));
	EXPECT(CPU_ISSET(cpu, &set));
	EXPECT(sched_getcpu() >= 0);
}

TEST(random_bytes_are_given)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };

	EXPECT_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
	EXPECT_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
	EXPECT(memcmp(a, b, sizeof(a)) != 0);
	EXPECT_ERR(getrandom(a, sizeof(a), 0x100), EINVAL);
	EXPECT_ERR(syscall(SYS_getrandom, BAD_PTR, 8, 0), EFAULT);
}

static int magic = 4242;

TEST(segment_bases_can_be_set)
{
	unsigned long old = 0, now = 0;
	int got;

	EXPECT_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &old));
	EXPECT(old != 0);
	EXPECT_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, &magic));
	__asm__ volatile("movl %%gs:0, %0" : "=r"(got));
	EXPECT_EQ(got, 4242);
	EXPECT_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &now));
	EXPECT_EQ(now, &magic);
	getppid();
	__asm__ volatile("movl %%gs:0, %0" : "=r"(got));
	EXPECT_EQ(got, 4242);
	EXPECT_ERR(syscall(SYS_arch_prctl, ARCH_SET_FS, 1ul << 63), EPERM);
	EXPECT_ERR(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
}

TEST(security_modules_keep_no_attributes)
{
	uint64_t ids[32], ctx[4] = { 0 };
	uint32_t size = sizeof(ids);
	long n = syscall(461, ids, &size, 0);
	bool found = false;

	if (n < 0 && errno == ENOSYS)
		SKIP("before Linux 6.8");
	REQUIRE(n >= 1);
	EXPECT_EQ(size, n * 8);
	for (long i = 0; i < n; i++)
		found |= ids[i] == 100; /* capability */
	EXPECT(found);
	size = 1;
	EXPECT_ERR(syscall(461, ids, &size, 0), E2BIG);
	EXPECT_EQ(size, n * 8);
	EXPECT_ERR(syscall(461, ids, BAD_PTR, 0), EFAULT);
	EXPECT_ERR(syscall(461, ids, &size, 1), EINVAL);
	EXPECT_ERR(syscall(459, 0, ctx, &size, 0), EINVAL);
	EXPECT_ERR(syscall(459, 100, ctx, NULL, 0), EINVAL);
	EXPECT_ERR(syscall(459, 100, ctx, BAD_PTR, 0), EFAULT);
	EXPECT_ERR(syscall(459, 100, ctx, &size, 2), EINVAL);
	EXPECT_ERR(syscall(459, 100, ctx, &size, 1), EINVAL);
	EXPECT_ERR(syscall(460, 100, ctx, 31, 0), EINVAL);
	EXPECT_ERR(syscall(460, 100, ctx, 4097, 0), E2BIG);
	EXPECT_ERR(syscall(460, 100, BAD_PTR, 32, 0), EFAULT);
	EXPECT_ERR(syscall(460, 100, ctx, 32, 1), EINVAL);
}

TEST(pages_are_on_the_one_node)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[3] = { p, p + 4096, BAD_PTR };
	int nodes[3] = { 0, 0, 0 }, status[3] = { 9, 9, 9 };
	unsigned long mask = 1;

	p[0] = p[4096] = 1;
	EXPECT_EQ(syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0), 0);
	EXPECT(status[0] == 0 && status[1] == 0 && status[2] == -EFAULT);
	EXPECT_EQ(syscall(SYS_move_pages, getpid(), 2, pages, nodes, status, 2), 0);
	EXPECT(status[0] == 0 && status[1] == 0);
	nodes[1] = 700;
	EXPECT_ERR(syscall(SYS_move_pages, 0, 2, pages, nodes, status, 2), ENODEV);
	EXPECT_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 0x100), EINVAL);
	EXPECT_ERR(syscall(SYS_move_pages, 0, 1, BAD_PTR, NULL, status, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_move_pages, 0, 1, pages, NULL, BAD_PTR, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_move_pages, 4190000, 1, pages, NULL, status, 0), ESRCH);
	if (syscall(SYS_mbind, p, 8192, 2, &mask, 64, 0) < 0)
		SKIP("no memory policies");
	EXPECT_EQ(syscall(450, p, 8192, 0, 0), 0);
	EXPECT_ERR(syscall(450, p + 1, 8192, 0, 0), EINVAL);
	EXPECT_ERR(syscall(450, p, 8192, 9999, 0), EINVAL);
	EXPECT_ERR(syscall(450, p, 8192, 0, 1), EINVAL);
	EXPECT_ERR(syscall(450, p, -8192l, 0, 0), EINVAL);
}

TEST(a_32_bit_personality_has_another_machine)
{
	struct utsname u;

	EXPECT_OK(personality(PER_LINUX32));
	REQUIRE_OK(uname(&u));
	EXPECT_STR(u.machine, "i686");
	EXPECT_OK(personality(PER_LINUX));
	REQUIRE_OK(uname(&u));
	EXPECT_STR(u.machine, "x86_64");
}

TEST(personality_can_be_asked)
{
	EXPECT_EQ(personality(0xffffffff), 0);
}

#define LX_GET_REGISTRATIONS (1 << 9)

TEST(membarrier_offers_private_expedited)
{
	long q = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (q < 0 && errno == ENOSYS)
		SKIP("membarrier");
	EXPECT(q & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	if (q & LX_GET_REGISTRATIONS)
		EXPECT_EQ(syscall(SYS_membarrier, LX_GET_REGISTRATIONS, 0, 0), MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
	EXPECT_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
}

TEST(unknown_numbers_are_enosys)
{
	EXPECT_ERR(syscall(337), ENOSYS);
	EXPECT_ERR(syscall(423), ENOSYS);
	EXPECT_ERR(syscall(999), ENOSYS);
	EXPECT_ERR(syscall(0x7fffffff), ENOSYS);
	EXPECT_ERR(syscall(-2l), ENOSYS);
	EXPECT_ERR(syscall(SYS_create_module), ENOSYS);
	EXPECT_ERR(syscall(SYS_tuxcall), ENOSYS);
}

TEST(host_and_domain_names_can_be_set)
{
	char buf[65];

	if (unshare(CLONE_NEWUTS) < 0)
		SKIP("unshare of the uts namespace");
	EXPECT_OK(sethostname("new-name", 8));
	EXPECT_OK(gethostname(buf, sizeof(buf)));
	EXPECT_STR(buf, "new-name");
	EXPECT_ERR(sethostname("x", 65), EINVAL);
	EXPECT_ERR(sethostname("x", -1), EINVAL);
}

struct deadline_attr { unsigned size, policy; unsigned long long flags; int nice; unsigned prio; unsigned long long runtime, deadline, period; };

TEST(deadline_scheduling_is_checked_and_told)
{
	struct deadline_attr a = { .size = sizeof(a), .policy = 6, .runtime = 10000000, .deadline = 30000000, .period = 30000000 };
	struct deadline_attr got = { 0 };

	a.runtime = 40000000;
	EXPECT_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a.runtime = 1000;
	EXPECT_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
	a.runtime = 10000000;
	EXPECT_ERR(syscall(SYS_sched_setattr, 999999, &a, 0), ESRCH);
	if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
		SKIP("the host grants no SCHED_DEADLINE");
	EXPECT_EQ(sched_getscheduler(0), 6);
	EXPECT_OK(syscall(SYS_sched_getattr, 0, &got, sizeof(got), 0));
	EXPECT(got.policy == 6 && got.runtime == a.runtime && got.deadline == a.deadline && got.period == a.period);
	EXPECT_ERR(fork(), EAGAIN);             /* unless it is reset for the child */
}

TEST(io_priorities_have_levels)
{
	EXPECT_OK(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3));
	EXPECT_EQ(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | 3);
	EXPECT_ERR(syscall(SYS_ioprio_set, 1, 0, 0 << 13 | 3), EINVAL);
	EXPECT_ERR(syscall(SYS_ioprio_set, 1, 0, 4 << 13), EINVAL);
	EXPECT_ERR(syscall(SYS_ioprio_set, 4, 0, 2 << 13), EINVAL);
}

TEST(timer_slack_starts_from_the_parents)
{
	EXPECT_OK(prctl(PR_SET_TIMERSLACK, 70000));
	EXPECT_EQ(strtol(get_file("/proc/self/timerslack_ns"), NULL, 10), 70000);
	if (fork() == 0) {
		EXPECT_OK(prctl(PR_SET_TIMERSLACK, 5));
		EXPECT_OK(prctl(PR_SET_TIMERSLACK, 0));
		EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 70000);
		put_file("/proc/self/timerslack_ns", "123\n");
		EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 123);
		_exit(0);
	}
	wait(NULL);
	EXPECT_OK(prctl(PR_SET_TIMERSLACK, 0));
	EXPECT_EQ(prctl(PR_GET_TIMERSLACK), 50000);
}

TEST(barriers_that_the_query_tells_work)
{
	long have = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (have < 0 || !(have & MEMBARRIER_CMD_GLOBAL))
		SKIP("no membarrier");
	EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
	EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
	EXPECT_ERR(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 1, 0), EINVAL);
}

TEST(ports_and_levels_are_checked_first)
{
	EXPECT_ERR(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	if (syscall(SYS_iopl, 4) < 0 && errno == ENOSYS)
		SKIP("no iopl");
	EXPECT_ERR(syscall(SYS_iopl, 4), EINVAL);
	EXPECT_OK(syscall(SYS_iopl, 0));
	EXPECT_ERR(syscall(SYS_ioperm, 65535, 2, 1), EINVAL);
	EXPECT_ERR(syscall(SYS_ioperm, 10, 0, 1), EINVAL);
}

TEST(children_leave_their_largest_size)
{
	struct rusage ru;
	size_t n = 20u << 20;

	if (fork() == 0) {
		volatile char *p = malloc(n);

		for (size_t i = 0; i < n; i += 4096)
			p[i] = 1;
		_exit(0);
	}
	wait(NULL);
	EXPECT_OK(getrusage(RUSAGE_CHILDREN, &ru));
	EXPECT(ru.ru_maxrss >= 20 << 10);
}

/* The lines of what a fresh image of `prog` maps that tell where its stack is. */
static void stack_line(const char *to)
{
	char buf[8192], *p = buf;
	int fd = open("/proc/self/maps", O_RDONLY);
	ssize_t n = 0, r;

	while ((r = read(fd, buf + n, sizeof(buf) - 1 - (size_t)n)) > 0)
		n += r;
	buf[n] = 0;
	close(fd);
	p = strstr(buf, "[stack]");
	while (p && p > buf && p[-1] != '\n')
		p--;
	if (p)
		*strchr(p, ' ') = 0;
	put_file(to, p ? p : "none");
}

__attribute__((constructor)) static void image_of_stack_test(void)
{
	const char *to = getenv("STACK_LINE_TO");

	if (!to)
		return;
	stack_line(to);
	_exit(0);
}

static void exec_fixed(void)
{
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		_exit(2);
	execl("/proc/self/exe", "system", NULL);
	_exit(3);
}

TEST(without_randomisation_two_images_lie_alike)
{
	char first[64], second[64];

	setenv("STACK_LINE_TO", "one", 1);
	EXPECT_EQ(in_child(exec_fixed), 0);
	setenv("STACK_LINE_TO", "two", 1);
	EXPECT_EQ(in_child(exec_fixed), 0);
	snprintf(first, sizeof(first), "%.60s", get_file("one"));
	snprintf(second, sizeof(second), "%.60s", get_file("two"));
	EXPECT_STR(second, first);
	EXPECT(strcmp(first, "none") != 0);
}

static void read_is_execute(void)
{
	volatile unsigned char *p;

	if (personality(READ_IMPLIES_EXEC) < 0)
		_exit(2);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(3);
	p[0] = 0xc3;            /* ret */
	((void (*)(void))p)();
}

TEST(read_implies_exec_if_asked)
{
	EXPECT_EQ(in_child(read_is_execute), 0);
}

TEST_MAIN()
