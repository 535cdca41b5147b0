/*
 * loadavg.c - see loadavg.h.
 *
 * Linux samples every 5 seconds; an idle sandbox must not wake up for that.  So the averages are brought up to date when
 * somebody asks: between two questions the load was the CPU time used by it, and more than there are CPUs only if all
 * were busy: then what runs now stands for it.
 */
#include "sentry/kernel/loadavg.h"

#include "sentry/kernel/task.h"

#define STEP_NS  (5 * NSEC_PER_SEC)
#define FIX      20                     /* bits after the point */

static int add_cpu(void *arg, struct tgroup *tg)
{
	u64 user, sys;

	tgroup_times(tg, &user, &sys);
	*(u64 *)arg += user + sys;
	return 0;
}

static u64 decay(u64 x, u64 n)
{
	u64 r = 1ull << FIX;

	for (; n; n >>= 1) {
		if (n & 1)
			r = r * x >> FIX;
		x = x * x >> FIX;
	}
	return r;
}

void loadavg_get(struct kernel *k, u64 running, u64 ret[3])
{
	static const u64 keep[3] = { 964736, 1031244, 1042767 };        /* e^(-5/60), e^(-5/300), e^(-5/900) */
	u64 cpu = atomic_load(&k->ended_utime) + atomic_load(&k->ended_stime), n, active;
	ktime_t now = ktime_mono(k);

	(void)tgroup_for_each(k, add_cpu, &cpu);
	mutex_lock(&k->load.mu);
	if (!k->load.at)
		k->load.at = k->boot_mono;
	n = now > k->load.at ? (u64)(now - k->load.at) / (u64)STEP_NS : 0;
	if (n) {
		active = (cpu - MIN(cpu, k->load.cpu)) / 1000 * LOAD_ONE / ((u64)(now - k->load.at) / 1000);
		active = MIN(active, (u64)k->ncpus * LOAD_ONE);
		if (active * 10 >= (u64)k->ncpus * LOAD_ONE * 9)
			active = MAX(active, running * LOAD_ONE);
		for (int i = 0; i < 3; i++) {
			u64 old = decay(keep[i], n);

			k->load.avg[i] = (k->load.avg[i] * old + active * ((1ull << FIX) - old)) >> FIX;
		}
		k->load.at += (ktime_t)(n * (u64)STEP_NS);
		k->load.cpu = cpu;
	}
	for (int i = 0; i < 3; i++)
		ret[i] = k->load.avg[i];
	mutex_unlock(&k->load.mu);
}
