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

bool clock_is_dynamic(clockid_t id)
{
	return id < 0 && (id & CPUCLOCK_KIND) == CPUCLOCK_FD && (id & CPUCLOCK_PERTHREAD) == 0;
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

int clock_cpu_of(struct task *t, clockid_t id, struct cpu_clock *ret)
{
	int pid = (int)~((u32)id >> 3 | 0xe0000000u);

	*ret = (struct cpu_clock){ .user = id < 0 && (id & CPUCLOCK_KIND) == CPUCLOCK_VIRT };
	if (id >= 0) {
		ret->task = id == CLOCK_THREAD_CPUTIME_ID ? task_ref(t) : NULL;
		ret->tg = id == CLOCK_PROCESS_CPUTIME_ID ? tgroup_ref(t->tg) : NULL;
	} else if ((id & CPUCLOCK_KIND) == CPUCLOCK_FD) {
		return -EINVAL;
	} else if (id & CPUCLOCK_PERTHREAD) {
		auto_task *x = pid == 0 ? task_ref(t) : task_find_nr(t, pid);

		ret->task = x && x->tg == t->tg ? task_ref(x) : NULL;
	} else {
		ret->tg = pid == 0 ? tgroup_ref(t->tg) : tgroup_find_nr(t, pid);
	}
	return ret->task || ret->tg ? 0 : -EINVAL;
}

void cpu_clock_done(struct cpu_clock *c)
{
	task_unref(c->task);
	if (c->tg)
		tgroup_unref(c->tg);
	*c = (struct cpu_clock){ 0 };
}

ktime_t cpu_clock_now(const struct cpu_clock *c)
{
	return c->task ? thread_cpu_time(c->task, c->user) : process_cpu_time(c->tg, c->user);
}

int clock_read(struct task *t, clockid_t id, ktime_t *ret)
{
	struct cpu_clock c;
	int r;

	if (!clock_is_cpu(id))
		return ktime_get(t->kernel, id, ret);
	if (id >= 0)
		task_account(t, false);
	r = clock_cpu_of(t, id, &c);
	if (r == 0)
		*ret = cpu_clock_now(&c);
	cpu_clock_done(&c);
	return r;
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
