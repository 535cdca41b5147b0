/*
 * The errors of calls of memory, time and processes that lie beside the usual ways: which of two wins, and what is no error.
 */
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include "tests/lib/harness.h"

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#define CLOCK_OF(n, bits) ((int)(~(unsigned)(n) << 3 | (bits)))
#define DYNAMIC_CLOCK CLOCK_OF(99, 3)           /* of that descriptor */
#define NOBODYS_CLOCK CLOCK_OF(99999, 2)
#define OWN_CLOCK CLOCK_OF(0, 2)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static char *map(int pages)
{
	char *m = mmap(NULL, (size_t)pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(m != MAP_FAILED);
	return m;
}

static void as_nobody(void)
{
	REQUIRE_OK(setgid(1000));
	REQUIRE_OK(setuid(1000));
}

/* ---- memory ---- */

TEST(lengths_that_wrap)
{
	char *m = map(2);

	/* Rounded up these are nothing. */
	EXPECT_OK(mlock(m, (size_t)-1));
	EXPECT_OK(munlock(m, (size_t)-1));
	EXPECT_OK(msync(m, (size_t)-1, MS_SYNC));
	EXPECT_ERR(mlock(m, (size_t)-PAGE), EINVAL);
	EXPECT_ERR(munlock(m, (size_t)-PAGE), EINVAL);
	EXPECT_ERR(mlock((void *)-PAGE, 2 * PAGE), EINVAL);
	EXPECT_ERR(msync(m, (size_t)-PAGE, MS_SYNC), ENOMEM);
}

static void lock_too_much(void)
{
	struct rlimit r = { 64 << 10, 64 << 10 };
	char *m = map(2);

	as_nobody();
	EXPECT_OK(setrlimit(RLIMIT_MEMLOCK, &r));
	EXPECT_ERR(mlock(m, (size_t)-PAGE), ENOMEM);
	EXPECT_ERR(munlock(m, (size_t)-PAGE), EINVAL);
}

TEST(the_limit_of_locked_memory_is_looked_at_first) { EXPECT_EQ(in_child(lock_too_much), 0); }

TEST(remap_file_pages_wants_a_file_open_for_writing)
{
	int fd, rfd;
	char *m;

	put_file("f", "x");
	fd = open("f", O_RDWR);
	rfd = open("f", O_RDONLY);
	EXPECT_OK(ftruncate(fd, 2 * PAGE));
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, rfd, 0);
	EXPECT(m != MAP_FAILED);
	EXPECT_ERR(syscall(SYS_remap_file_pages, m, PAGE, 0, 1, 0), EINVAL);
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT_OK(syscall(SYS_remap_file_pages, m, PAGE, 0, 1, 0));
}

static char *guarded;

static void touch_guard(void) { *(volatile char *)(guarded + PAGE) = 1; }

TEST(guard_pages_can_be_had_and_given_back)
{
	char *m = guarded = map(4);
	int p[2];

	m[PAGE] = 1;
	if (madvise(m + PAGE, PAGE, MADV_GUARD_INSTALL) < 0 && errno == EINVAL)
		SKIP("this kernel has none");
	EXPECT_EQ(in_child(touch_guard), 128 + SIGSEGV);
	EXPECT_OK(pipe(p));
	EXPECT_EQ(write(p[1], "ab", 2), 2);
	EXPECT_ERR(read(p[0], m + PAGE, 1), EFAULT);
	EXPECT_ERR(write(p[1], m + PAGE, 1), EFAULT);
	EXPECT_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, m + PAGE), EFAULT);
	EXPECT_EQ(read(p[0], m + 2 * PAGE, 2), 2);
	EXPECT_OK(madvise(m, 4 * PAGE, MADV_DONTNEED));
	EXPECT_EQ(in_child(touch_guard), 128 + SIGSEGV);
	EXPECT_OK(madvise(m, 4 * PAGE, MADV_GUARD_REMOVE));
	EXPECT_EQ(in_child(touch_guard), 0);
	EXPECT_EQ(m[PAGE], 0);
	EXPECT_OK(mlock(m, PAGE));
	EXPECT_ERR(madvise(m, PAGE, MADV_GUARD_INSTALL), EINVAL);
	EXPECT_OK(munlock(m, PAGE));
	EXPECT_OK(munmap(m, PAGE));
	EXPECT_ERR(madvise(m, PAGE, MADV_GUARD_INSTALL), ENOMEM);
}

/* ---- time ---- */

TEST(which_clocks_can_be_slept_on)
{
	struct timespec ts = { 0, 1000000000 };

	EXPECT_EQ(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL) < 0 ? errno : 0, EOPNOTSUPP);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, BAD_PTR, NULL), EOPNOTSUPP);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, BAD_PTR, NULL), EOPNOTSUPP);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, DYNAMIC_CLOCK, 0, BAD_PTR, NULL), EOPNOTSUPP);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, NOBODYS_CLOCK, 0, BAD_PTR, NULL), EFAULT);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, OWN_CLOCK, 0, &ts, NULL), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_nanosleep, 12, 0, BAD_PTR, NULL), EINVAL);
}

TEST(setting_a_clock_looks_at_the_time_first)
{
	struct timespec ts = { 0, 0 };

	EXPECT_ERR(syscall(SYS_clock_settime, CLOCK_MONOTONIC, BAD_PTR), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_settime, CLOCK_TAI, BAD_PTR), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_settime, CLOCK_REALTIME, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_clock_settime, OWN_CLOCK, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_clock_settime, OWN_CLOCK, &ts), EPERM);
	EXPECT_ERR(syscall(SYS_clock_settime, NOBODYS_CLOCK, &ts), EINVAL);
}

TEST(settimeofday_looks_at_both_arguments_first)
{
	struct timeval tv = { 0, 1000000 };

	EXPECT_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
	tv.tv_usec = -1;
	EXPECT_ERR(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
	tv.tv_usec = 0;
	EXPECT_ERR(syscall(SYS_settimeofday, NULL, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_settimeofday, BAD_PTR, NULL), EFAULT);
}

static void adjust_as_nobody(void)
{
	struct timex tx = { .modes = ADJ_TICK, .tick = 1 };

	as_nobody();
	EXPECT_ERR(syscall(SYS_adjtimex, &tx), EPERM);
	tx = (struct timex){ .modes = 0x8000 };
	EXPECT_ERR(syscall(SYS_adjtimex, &tx), EINVAL);
	tx = (struct timex){ .modes = ADJ_OFFSET_SINGLESHOT };
	EXPECT_ERR(syscall(SYS_adjtimex, &tx), EPERM);
	tx = (struct timex){ .modes = ADJ_OFFSET_SS_READ };
	EXPECT_OK(syscall(SYS_adjtimex, &tx));
	tx = (struct timex){ 0 };
	EXPECT_OK(syscall(SYS_adjtimex, &tx));
}

TEST(what_adjtimex_refuses)
{
	struct timex tx = { .modes = 0x8000 };

	EXPECT_ERR(syscall(SYS_adjtimex, &tx), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &tx), EOPNOTSUPP);
	EXPECT_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_clock_adjtime, 12, &tx), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_adjtime, DYNAMIC_CLOCK, &tx), EINVAL);
	EXPECT_ERR(syscall(SYS_clock_adjtime, NOBODYS_CLOCK, &tx), EOPNOTSUPP);
	EXPECT_EQ(in_child(adjust_as_nobody), 0);
}

TEST(only_a_signal_can_go_to_one_thread)
{
	int kinds[] = { SIGEV_NONE, SIGEV_THREAD }, id;

	for (int i = 0; i < 2; i++) {
		struct sigevent se = { .sigev_notify = kinds[i] | 4, .sigev_signo = SIGUSR1 };

		se._sigev_un._tid = (int)syscall(SYS_gettid);
		EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &se, &id), EINVAL);
		se.sigev_notify = kinds[i];
		EXPECT_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &se, &id));
	}
}

TEST(timerfd_settime_looks_at_the_descriptor_last)
{
	struct itimerspec it = { .it_value = { 0, 1000000000 } };

	EXPECT_ERR(timerfd_settime(-1, 0, &it, NULL), EINVAL);
	it.it_value.tv_nsec = 0;
	EXPECT_ERR(timerfd_settime(-1, 8, &it, NULL), EINVAL);
	EXPECT_ERR(timerfd_settime(-1, 0, &it, NULL), EBADF);
}

/* ---- processes ---- */

TEST(a_negative_process_has_no_group)
{
	EXPECT_ERR(setpgid(-1, 0), EINVAL);
	EXPECT_ERR(setpgid(0, -1), EINVAL);
	EXPECT_ERR(setpgid(1 << 29, 0), ESRCH);
}

TEST(clone_takes_any_exit_signal)
{
	int sigs[] = { 65, 128, 255 }, st;

	for (int i = 0; i < 3; i++) {
		long pid = syscall(SYS_clone, sigs[i], NULL, NULL, NULL, 0);

		if (pid == 0)
			_exit(3);
		EXPECT(pid > 0);
		EXPECT_ERR(waitpid((pid_t)pid, &st, 0), ECHILD);
		EXPECT_EQ(waitpid((pid_t)pid, &st, __WCLONE), pid);
		EXPECT(WIFEXITED(st) && WEXITSTATUS(st) == 3);
	}
}

static long clone3_tids(unsigned long flags, const int *tids, size_t n)
{
	struct clone_args a = { .flags = flags, .exit_signal = SIGCHLD, .set_tid = (uintptr_t)tids, .set_tid_size = n };

	return syscall(SYS_clone3, &a, sizeof(a));
}

/* The first process of a namespace: its child opens another one in it. */
static void in_a_fresh_namespace(void)
{
	int tids[3] = { 1, 42, 0 }, st;
	long pid = clone3_tids(CLONE_NEWPID, tids, 2);

	if (pid == 0)
		_exit(getpid() == 1 ? 5 : 6);
	EXPECT_EQ(pid, 42);
	EXPECT_EQ(waitpid((pid_t)pid, &st, 0), pid);
	EXPECT(WIFEXITED(st) && WEXITSTATUS(st) == 5);
	tids[0] = 7;
	EXPECT_ERR(clone3_tids(CLONE_NEWPID, tids, 2), EINVAL);         /* the first one is number 1 */
	tids[0] = 1;
	EXPECT_ERR(clone3_tids(0, tids, 1), EEXIST);
	tids[0] = 1 << 30;
	EXPECT_ERR(clone3_tids(0, tids, 1), EINVAL);
	tids[0] = 43;
	tids[1] = 0;
	EXPECT_ERR(clone3_tids(0, tids, 2), EINVAL);
}

TEST(a_child_gets_its_numbers_in_several_namespaces)
{
	int tids[33], status;
	pid_t pid;

	memset(tids, 0, sizeof(tids));
	REQUIRE_OK(unshare(CLONE_NEWPID));
	pid = fork();
	if (pid == 0) {
		test_failures = 0;
		in_a_fresh_namespace();
		_exit(test_failures ? TEST_EXIT_FAIL : 0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_ERR(clone3_tids(0, tids, 34), EINVAL);
	EXPECT_ERR(clone3_tids(0, NULL, 1), EINVAL);
	EXPECT_ERR(clone3_tids(0, tids, 0), EINVAL);
	EXPECT_ERR(clone3_tids(0, BAD_PTR, 1), EFAULT);
}

TEST(clone3_wants_an_open_cgroup)
{
	struct clone_args a = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = BAD_FD };

	EXPECT_ERR(syscall(SYS_clone3, &a, sizeof(a)), EBADF);
	a.cgroup = (unsigned)-1;
	EXPECT_ERR(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
}

static void without_rights(void)
{
	struct { unsigned size, policy; unsigned long flags; int nice; unsigned prio; unsigned long dl[3]; } sa = { .size = 48 };
	int prio = 0, tid = 1 << 30;

	as_nobody();
	EXPECT_ERR(syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0), EPERM);
	EXPECT_ERR(clone3_tids(0, &tid, 1), EINVAL);
	EXPECT_ERR(prctl(PR_CAPBSET_DROP, 99, 0, 0, 0), EPERM);
	EXPECT_ERR(syscall(SYS_ioprio_set, 9, 0, 1 << 13), EPERM);
	EXPECT_OK(setpriority(PRIO_PROCESS, 0, 5));
	EXPECT_ERR(setpriority(PRIO_PROCESS, 0, 0), EACCES);
	EXPECT_ERR(syscall(SYS_sched_setattr, 0, &sa, 0), EPERM);
	/* Reset on fork is for good. */
	EXPECT_OK(syscall(SYS_sched_setscheduler, 0, 0x40000000, &prio));
	EXPECT_ERR(syscall(SYS_sched_setscheduler, 0, 0, &prio), EPERM);
	EXPECT_OK(syscall(SYS_sched_setparam, 0, &prio));
	EXPECT_EQ(syscall(SYS_sched_getscheduler, 0), 0x40000000);
}

TEST(what_is_refused_without_rights) { EXPECT_EQ(in_child(without_rights), 0); }

TEST(prctl_without_arguments_wants_none)
{
	EXPECT_ERR(prctl(PR_MCE_KILL_GET, 1, 0, 0, 0), EINVAL);
	EXPECT_ERR(prctl(PR_MCE_KILL_GET, 0, 0, 0, 7), EINVAL);
	EXPECT_OK(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	EXPECT_ERR(prctl(PR_CAPBSET_READ, 99, 0, 0, 0), EINVAL);
}

TEST(io_priorities_of_groups)
{
	int st;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	EXPECT_OK(setpgid(pid, pid));
	EXPECT_ERR(syscall(SYS_ioprio_get, 2, 1 << 29), ESRCH);
	EXPECT_ERR(syscall(SYS_ioprio_get, 3, 12345), ESRCH);
	EXPECT_ERR(syscall(SYS_ioprio_set, 2, 1 << 29, 0), ESRCH);
	EXPECT_OK(syscall(SYS_ioprio_set, 1, pid, 0));
	EXPECT_EQ(syscall(SYS_ioprio_get, 1, pid) >> 13, 0);
	EXPECT_OK(syscall(SYS_ioprio_set, 2, pid, 2 << 13 | 6));
	EXPECT_EQ(syscall(SYS_ioprio_get, 2, pid), 2 << 13 | 6);
	EXPECT_EQ(syscall(SYS_ioprio_get, 1, pid), 2 << 13 | 6);
	EXPECT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitpid(pid, &st, 0), pid);
}

TEST_MAIN()
