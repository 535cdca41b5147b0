/*
 * test_firststub.c - the first stub is killed at some moment of its start.
 *
 * A child makes a platform while we kill the process that it forks, each round a few
 * microseconds later.  Either the platform is made before, or it is an error: never a hang.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tests/unit/unit.h"
#include "platform/base/alloc.h"
#include "platform/platform.h"

#define ROUNDS  120
#define STEP_NS 10000

static noreturn_fn void make(const char *name)
{
	const struct platform_config cfg = { .name = name };
	struct platform *p;

	alarm(20);
	if (alloc_init(1ull << 32) < 0)
		_exit(2);
	_exit(platform_new(&cfg, &p) < 0);
}

/* A child of @pid, or 0. */
static pid_t child_of(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%d", &child) != 1)
		child = 0;
	fclose(f);
	return child;
}

/* The first process that @pid forks, or 0 if it ends first. */
static pid_t first_child(pid_t pid)
{
	siginfo_t si = { .si_pid = 0 };
	pid_t child = 0;

	while (!child && waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && !si.si_pid)
		child = child_of(pid);
	return child;
}

static void spin(long ns)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < ns);
}

static void killed_while(const char *name)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);       /* what it leaves is ours to end */
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = fork(), stub;
		int st;

		assert_true(pid >= 0);
		if (pid == 0)
			make(name);
		stub = first_child(pid);
		spin(i * STEP_NS);
		if (stub > 0)
			kill(stub, SIGKILL);
		assert_int_equal(waitpid(pid, &st, 0), pid);
		assert_true(WIFEXITED(st));
		assert_in_range(WEXITSTATUS(st), 0, 1);
		while ((stub = child_of(getpid())) > 0) {
			kill(stub, SIGKILL);
			waitpid(stub, NULL, 0);
		}
	}
}

static void systrap_is_made_or_fails(void **state)
{
	(void)state;
	killed_while("systrap");
}

static void ptrace_is_made_or_fails(void **state)
{
	(void)state;
	killed_while("ptrace");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(systrap_is_made_or_fails),
		cmocka_unit_test(ptrace_is_made_or_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
