/*
 * cputime.c - CPU time: the places that tell it agree, what sleeps uses none, RLIMIT_CPU ends who uses too much.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/wait.h>
#include "tests/lib/harness.h"

static double clock_s(clockid_t c)
{
	struct timespec ts;

	REQUIRE_OK(clock_gettime(c, &ts));
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double tv_s(const struct timeval *tv) { return (double)tv->tv_sec + (double)tv->tv_usec / 1e6; }

/* Compute until this process has used @s seconds more. */
static void spin(double s)
{
	double end = clock_s(CLOCK_PROCESS_CPUTIME_ID) + s;

	while (clock_s(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 200000; i++)
			;
}

static double rusage_s(int who)
{
	struct rusage ru;

	REQUIRE_OK(getrusage(who, &ru));
	return tv_s(&ru.ru_utime) + tv_s(&ru.ru_stime);
}

/* Fields of /proc/PID/stat after the name, from 3 (the state) on. */
static long stat_field(const char *path, int field)
{
	char *p = strrchr(get_file(path), ')');

	REQUIRE(p != NULL);
	for (p += 2; field > 3; field--)
		p = strchr(p, ' ') + 1;
	return *p >= 'A' ? *p : atol(p);
}

static double stat_s(const char *path)
{
	return (double)(stat_field(path, 14) + stat_field(path, 15)) / (double)sysconf(_SC_CLK_TCK);
}

/*
 * No figure here is compared with the time that passes: a machine may stop anywhere for as long as it likes.  What is
 * asked between two readings lies between them, give or take the kernel's tick (TICK); what one process is known to
 * have used is a lower bound; "no time" is less than half of what was slept.
 */
#define TICK 0.021

static void between(const char *what, double v, double low, double high)
{
	if (v < low - TICK || v > high + TICK)
		FAIL("%s: %.3f, not %.3f to %.3f", what, v, low, high);
}

static double used(void) { return clock_s(CLOCK_PROCESS_CPUTIME_ID); }

/* @v must lie between what this process had used at @low and what it has used now. */
static void since(const char *what, double v, double low) { between(what, v, low, used()); }

TEST(all_that_tell_a_process_time_agree)
{
	double wall = clock_s(CLOCK_MONOTONIC), cpu, before = used();
	struct tms tms;

	spin(0.3);
	cpu = used();
	EXPECT(clock_s(CLOCK_MONOTONIC) - wall >= cpu - before - TICK);
	since("getrusage", rusage_s(RUSAGE_SELF), cpu);
	since("RUSAGE_THREAD", rusage_s(RUSAGE_THREAD), cpu);
	since("CLOCK_THREAD_CPUTIME_ID", clock_s(CLOCK_THREAD_CPUTIME_ID), cpu);
	since("/proc/self/stat", stat_s("/proc/self/stat"), cpu);
	EXPECT(times(&tms) != -1);
	since("times", (double)(tms.tms_utime + tms.tms_stime) / 100, cpu);
	since("clock", (double)clock() / CLOCKS_PER_SEC, cpu);
	EXPECT_EQ(tms.tms_cutime + tms.tms_cstime, 0);
}

TEST(computing_is_user_time)
{
	struct rusage ru;

	spin(0.3);
	REQUIRE_OK(getrusage(RUSAGE_SELF, &ru));
	EXPECT(tv_s(&ru.ru_utime) + tv_s(&ru.ru_stime) >= 0.3 - TICK);
	EXPECT(tv_s(&ru.ru_utime) > 2 * tv_s(&ru.ru_stime));
}

static void *sleeper(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	return NULL;
}

TEST(who_sleeps_or_waits_uses_no_time)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	double cpu = used();
	pthread_t th;
	char c;
	int p[2];

	REQUIRE_OK(pipe(p));
	pthread_mutex_lock(&m);
	REQUIRE(pthread_create(&th, NULL, sleeper, &m) == 0);
	sleep_ms(300);
	struct timespec ts = { 0, 200000000 };
	EXPECT_EQ(poll(&(struct pollfd){ p[0], POLLIN, 0 }, 1, 200), 0);
	EXPECT_OK(nanosleep(&ts, NULL));
	if (fork() == 0) {
		sleep_ms(200);
		_exit(write(p[1], "x", 1) != 1);
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	wait(NULL);
	pthread_mutex_unlock(&m);
	pthread_join(th, NULL);
	between("used", used(), cpu, cpu + 0.45);
	between("children", rusage_s(RUSAGE_CHILDREN), 0, 0.1);
	between("stat", stat_s("/proc/self/stat"), cpu, cpu + 0.45);
}

TEST(what_children_used_counts_once_they_are_waited_for)
{
	double total, self;
	struct tms tms;
	struct rusage ru;
	int p[2];
	pid_t pid;

	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			spin(0.2);
			_exit(0);
		}
		wait(NULL);
		spin(0.2);
		self = used();
		_exit(write(p[1], &self, sizeof(self)) != sizeof(self));
	}
	EXPECT_EQ(read(p[0], &self, sizeof(self)), sizeof(self));
	EXPECT(self >= 0.2);
	REQUIRE_OK(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT));
	between("not yet waited for", rusage_s(RUSAGE_CHILDREN), 0, 0);
	EXPECT_EQ(wait4(pid, NULL, 0, &ru), pid);
	total = tv_s(&ru.ru_utime) + tv_s(&ru.ru_stime);
	EXPECT(total >= self + 0.2 - TICK);
	between("RUSAGE_CHILDREN", rusage_s(RUSAGE_CHILDREN), total, total);
	times(&tms);
	between("times", (double)(tms.tms_cutime + tms.tms_cstime) / 100, total, total);
	between("stat", (double)(stat_field("/proc/self/stat", 16) + stat_field("/proc/self/stat", 17)) / 100, total, total);
}

static void *spinner(void *arg)
{
	spin(0.2);
	*(double *)arg = clock_s(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

TEST(threads_that_have_ended_still_count)
{
	double each[3] = { 0 }, before = used();
	pthread_t th[3];

	for (int i = 0; i < 3; i++) {
		REQUIRE(pthread_create(&th[i], NULL, spinner, &each[i]) == 0);
		pthread_join(th[i], NULL);
		EXPECT(each[i] > 0.1);
	}
	EXPECT(used() >= before + 0.6 - TICK);
	since("stat", stat_s("/proc/self/stat"), before + 0.6);
}

TEST(a_thread_that_waits_uses_no_time_while_others_do)
{
	double its;
	pthread_t th;

	REQUIRE(pthread_create(&th, NULL, spinner, &its) == 0);
	pthread_join(th, NULL);
	between("this thread", clock_s(CLOCK_THREAD_CPUTIME_ID), 0, its / 2);
}

TEST(the_machine_s_counters_grow_with_what_ended)
{
	long user[2], sys[2], nice, forks[2];

	for (int i = 0; i < 2; i++) {
		const char *s = get_file("/proc/stat"), *nl;

		EXPECT_EQ(sscanf(s, "cpu %ld %ld %ld", &user[i], &nice, &sys[i]), 3);
		nl = strstr(s, "\nprocesses ");
		REQUIRE(nl != NULL);
		forks[i] = atol(nl + 11);
		if (i == 0 && fork() == 0) {
			spin(0.3);
			_exit(0);
		}
		if (i == 0)
			wait(NULL);
	}
	EXPECT(user[1] + sys[1] > user[0] + sys[0]);
	EXPECT(forks[1] > forks[0]);
}

TEST(another_process_clock_and_start_are_told)
{
	clockid_t c;
	char path[64];
	pid_t pid;
	double before = clock_s(CLOCK_BOOTTIME), after, cpu;

	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			;
	}
	after = clock_s(CLOCK_BOOTTIME);
	sleep_ms(300);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	REQUIRE(clock_getcpuclockid(pid, &c) == 0);
	while (clock_s(c) < 0.1)
		sleep_ms(20);
	cpu = clock_s(c);
	double told = stat_s(path);
	between("its stat", told, cpu, clock_s(c));
	while (stat_field(path, 3) != 'R')      /* here it is told from what was used since the last look: a stopped machine is 'S' once */
		sleep_ms(20);
	between("its start", (double)stat_field(path, 22) / 100, before, after);
	kill(pid, SIGSTOP);
	REQUIRE_OK(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WSTOPPED));
	EXPECT_EQ(stat_field(path, 3), 'T');
	cpu = clock_s(c);
	sleep_ms(100);
	between("stopped", clock_s(c), cpu, cpu);
	kill(pid, SIGKILL);
	REQUIRE_OK(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT));
	EXPECT_EQ(stat_field(path, 3), 'Z');
	between("as a zombie", stat_s(path), cpu, cpu);
	waitpid(pid, NULL, 0);
}

/* What is executed below. */
__attribute__((constructor)) static void tell_after_exec(void)
{
	double now;

	if (!getenv("TELL_CPU_TIME"))
		return;
	now = used();
	_exit(write(1, &now, sizeof(now)) != sizeof(now));
}

TEST(exec_goes_on_counting)
{
	double then;
	pid_t pid;
	int p[2];

	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		setenv("TELL_CPU_TIME", "1", 1);
		spin(0.2);
		dup2(p[1], 1);
		execl("/proc/self/exe", "cputime", NULL);
		_exit(1);
	}
	EXPECT_EQ(read(p[0], &then, sizeof(then)), sizeof(then));
	EXPECT(then >= 0.2 - TICK);
	waitpid(pid, NULL, 0);
}

/* ---- RLIMIT_CPU ---- */

static volatile int xcpu;
static double xcpu_at;

static void on_xcpu(int sig)
{
	(void)sig;
	xcpu++;
	xcpu_at = used();
}

TEST(the_soft_limit_signals_and_moves_on_and_the_hard_one_kills)
{
	struct { int n; double at; struct rlimit rl; } got;
	int p[2], status;
	pid_t pid;

	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		struct rlimit rl = { 1, 2 };

		signal(SIGXCPU, on_xcpu);
		setrlimit(RLIMIT_CPU, &rl);
		while (!xcpu)
			;
		got.n = xcpu;
		got.at = xcpu_at;
		getrlimit(RLIMIT_CPU, &got.rl);
		(void)!write(p[1], &got, sizeof(got));
		signal(SIGXCPU, SIG_IGN);
		for (;;)
			;
	}
	EXPECT_EQ(read(p[0], &got, sizeof(got)), sizeof(got));
	EXPECT_EQ(got.n, 1);
	EXPECT(got.at >= 0.5);          /* the limit counts whole ticks, found running or not: far from exact */
	EXPECT_EQ(got.rl.rlim_cur, 2);
	EXPECT_EQ(got.rl.rlim_max, 2);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT(rusage_s(RUSAGE_CHILDREN) > got.at);
}

TEST(another_may_set_the_limit_and_the_default_action_ends)
{
	struct rlimit rl = { 0, RLIM_INFINITY };
	int status;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			;
	sleep_ms(50);
	REQUIRE_OK(prlimit(pid, RLIMIT_CPU, &rl, NULL));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
	EXPECT_ERR(prlimit(pid, RLIMIT_CPU, &rl, NULL), ESRCH);
}

TEST(children_inherit_the_limit_but_not_the_use)
{
	struct rlimit rl = { 2, 2 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CPU, &rl);
		spin(1.2);
		pid = fork();
		if (pid == 0) {
			spin(1.1);      /* together they have more than the limit */
			if (fork() == 0)
				for (;;)
					;
			wait(&status);
			_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 7 : 1);
		}
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TEST(sleeping_does_not_use_the_limit_up)
{
	struct rlimit rl = { 1, 1 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CPU, &rl);
		sleep_ms(1300);
		_exit(3);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

TEST_MAIN()
