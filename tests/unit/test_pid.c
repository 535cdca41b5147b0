/*
 * test_pid.c - the pid table gives back what numbers that are gone took, after any number of laps, and keeps those in use.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task_int.h"
#include "tests/unit/unit.h"

static struct kernel *k;

static int setup(void **state)
{
	(void)state;
	k = kernel_new(NULL);
	return k ? 0 : -1;
}

static int take(int wanted)
{
	struct pid_ns *ns = pid_ns_of(k->nsset->of[NS_PID]);
	int pid = pid_alloc_locked(k, ns, &wanted, wanted ? 1 : 0);

	if (pid > 0) {
		pid_set_task_locked(k, pid, (struct task *)k);          /* whose does not matter here */
		assert_ptr_equal(pid_task_locked(k, pid), k);
	}
	return pid;
}

static void give(int pid)
{
	assert_ptr_equal(pid_clear_task_locked(k, pid), k);
	pid_uncount_locked(k);
}

/* Three laps of the whole circle, one number at a time. */
static void one_after_the_other_needs_no_more_than_one(void **state)
{
	u64 live;

	(void)state;
	mutex_lock(&k->mu);
	give(take(0));
	live = alloc_live();
	for (int i = 0; i < 3 * PID_MAX; i++) {
		int pid = take(0);

		assert_true(pid > 0);
		give(pid);
		assert_true(alloc_live() <= live + 1);
	}
	mutex_unlock(&k->mu);
}

static void all_at_once_and_back(void **state)
{
	static int pids[PID_MAX];
	u64 live;
	int n = 0;

	(void)state;
	mutex_lock(&k->mu);
	give(take(0));
	live = alloc_live();
	while ((pids[n] = take(0)) > 0)
		n++;
	assert_int_equal(pids[n], -EAGAIN);
	assert_in_range(n, PID_MAX - 301, PID_MAX - 1);         /* not those below 300 */
	for (int i = 0; i < n; i++)
		give(pids[i]);
	assert_true(alloc_live() <= live + 1);
	mutex_unlock(&k->mu);
}

/* Held as the number of a group: the entry outlives its task. */
static void what_is_held_stays(void **state)
{
	int pid, other;

	(void)state;
	mutex_lock(&k->mu);
	pid = take(20000);
	assert_int_equal(pid, 20000);
	pid_hold_locked(k, pid);
	give(pid);
	assert_int_equal(take(20000), -EEXIST);
	other = take(29000);
	assert_int_equal(other, 29000);
	give(other);
	assert_int_equal(take(20000), -EEXIST);
	pid_unhold_locked(k, pid);
	pid = take(20000);
	assert_int_equal(pid, 20000);
	give(pid);
	mutex_unlock(&k->mu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other_needs_no_more_than_one),
		cmocka_unit_test(all_at_once_and_back),
		cmocka_unit_test(what_is_held_stays),
	};

	if (alloc_init(1ul << 30) < 0)
		return 1;
	return cmocka_run_group_tests(tests, setup, NULL);
}
