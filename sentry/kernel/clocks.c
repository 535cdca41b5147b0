/*
 * clocks.c - see clocks.h.
 */
#include "sentry/kernel/clocks.h"

#include <errno.h>

#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task_int.h"

/* Clock ids made of a pid: (~pid << 3) | bits. */
#define CPUCLOCK_PERTHREAD 4
#define CPUCLOCK_KIND      3
#define CPUCLOCK_VIRT      1
#define CPUCLOCK_FD        3

bool clock_is_cpu(clockid_t id)
{
	return id < 0 || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID;
}

ktime_t process_cpu_time(struct tgroup *tg, bool user_only)
{
	u64 ut, st;

	tgroup_times(tg, &ut, &st);
	return (ktime_t)(user_only ? ut : ut + st);
}

static ktime_t thread_cpu_time(struct task *t, bool user_only)
{
	u64 ut, st;

	task_times(t, &ut, &st);
	return (ktime_t)(user_only ? ut : ut + st);
}

/* The clock of another thread of this process, or of any process. */
static int read_by_pid(struct task *t, clockid_t id, ktime_t *ret)
{
	int pid = (int)~((u32)id >> 3 | 0xe0000000u);
	bool user = (id & CPUCLOCK_KIND) == CPUCLOCK_VIRT;

	if ((id & CPUCLOCK_KIND) == CPUCLOCK_FD)
		return -EINVAL;
	if (id & CPUCLOCK_PERTHREAD) {
		auto_task *x = pid == 0 ? task_ref(t) : task_find_nr(t, pid);

		if (!x || x->tg != t->tg)
			return -EINVAL;
		*ret = thread_cpu_time(x, user);
	} else {
		auto_tgroup *tg = pid == 0 ? tgroup_ref(t->tg) : tgroup_find_nr(t, pid);

		if (!tg)
			return -EINVAL;
		*ret = process_cpu_time(tg, user);
	}
	return 0;
}

int clock_read(struct task *t, clockid_t id, ktime_t *ret)
{
	if (id < 0)
		return read_by_pid(t, id, ret);
	if (clock_is_cpu(id))
		task_account(t, false);
	if (id == CLOCK_PROCESS_CPUTIME_ID) {
		*ret = process_cpu_time(t->tg, false);
		return 0;
	}
	if (id == CLOCK_THREAD_CPUTIME_ID) {
		*ret = thread_cpu_time(t, false);
		return 0;
	}
	return ktime_get(t->kernel, id, ret);
}

int clock_resolution(struct task *t, clockid_t id, ktime_t *ret)
{
	ktime_t now;
	int r = clock_read(t, id, &now);

	if (r < 0)
		return r;
	*ret = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE ? 4000000 : 1;
	return 0;
}

ktime_t clock_to_mono(struct kernel *k, clockid_t id, ktime_t when)
{
	ktime_t now, d;

	if (when == KTIME_MAX || ktime_get(k, id, &now) < 0)
		return KTIME_MAX;
	if (sub_overflows(when, now, &d))
		return KTIME_MAX;
	return ktime_add(ktime_mono(k), d);
}
