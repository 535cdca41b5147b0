/*
 * cpulimit.c - RLIMIT_CPU: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one.
 *
 * A timer looks when the process could have used up what is left, at the earliest; a process that
 * uses nothing is looked at less and less often.  The soft limit moves on with each signal, as on Linux.
 *
 * tg->mu guards it all.  Once cpulimit_stop() has set over, nobody arms the timer again: other
 * processes may still set limits (prlimit) of one that ends.
 */
#include <sys/resource.h>

#include "sentry/kernel/clocks.h"
#include "sentry/kernel/task_int.h"

#define LOOK_MIN (4 * 1000000)
#define LOOK_MAX (500 * 1000000)

static ktime_t limit_ns(u64 seconds)
{
	return seconds > (u64)(KTIME_MAX / NSEC_PER_SEC) ? KTIME_MAX : (ktime_t)seconds * NSEC_PER_SEC;
}

static void arm_locked(struct tgroup *tg, ktime_t used) REQUIRES(tg->mu)
{
	struct cpu_limit *l = &tg->cpu_limit;
	ktime_t left = MIN(limit_ns(tg->rlim[RLIMIT_CPU].cur), limit_ns(tg->rlim[RLIMIT_CPU].max)) - used;

	l->pause = used > l->used ? LOOK_MIN : MIN(l->pause * 2, LOOK_MAX);
	l->used = used;
	ktimer_arm(tg->kernel, &l->tm, ktime_add(ktime_mono(tg->kernel), MAX(left / MAX(tg->nthreads, 1u), l->pause)));
}

static void look(struct ktimer *tm)
{
	struct cpu_limit *l = container_of(tm, struct cpu_limit, tm);
	struct tgroup *tg = container_of(l, struct tgroup, cpu_limit);
	struct rlimit64_g *lim = &tg->rlim[RLIMIT_CPU];
	ktime_t used = process_cpu_time(tg, false);

	mutex_lock(&tg->mu);
	if (l->over || (lim->cur == RLIM64_INFINITY && lim->max == RLIM64_INFINITY))
		goto out;
	if (used >= limit_ns(lim->max)) {
		(void)!signal_send_locked(tg, NULL, SIGKILL, NULL);
		goto out;
	}
	if (used >= limit_ns(lim->cur)) {
		(void)!signal_send_locked(tg, NULL, SIGXCPU, NULL);
		__atomic_store_n(&lim->cur, lim->cur + 1, __ATOMIC_RELAXED);
	}
	arm_locked(tg, used);
out:
	mutex_unlock(&tg->mu);
}

void cpulimit_init(struct tgroup *tg)
{
	ktimer_init(&tg->cpu_limit.tm, look);
}

void cpulimit_set_locked(struct tgroup *tg)
{
	tg->cpu_limit.pause = LOOK_MIN;
	if (!tg->cpu_limit.over && tg->rlim[RLIMIT_CPU].cur != RLIM64_INFINITY)
		ktimer_arm(tg->kernel, &tg->cpu_limit.tm, ktime_add(ktime_mono(tg->kernel), LOOK_MIN));
}

void cpulimit_stop(struct tgroup *tg)
{
	bool never;

	mutex_lock(&tg->mu);
	tg->cpu_limit.over = true;
	never = tg->cpu_limit.pause == 0;
	mutex_unlock(&tg->mu);
	if (!never)
		ktimer_cancel(tg->kernel, &tg->cpu_limit.tm);
}
