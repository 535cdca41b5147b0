/*
 * itimer.c - see itimer.h.
 *
 * Expiry functions run on the timer thread and take tg->mu; they compare the
 * expiry again under it, so one that lost a race against itimer_set() does nothing.
 */
#include "sentry/kernel/itimer.h"

#include <errno.h>
#include <sys/time.h>

#include "sentry/kernel/clocks.h"
#include "sentry/kernel/task_int.h"

#define FLOOR 100000            /* ns: nobody makes the timer thread spin */

/* The next expiry of a periodic timer; missed ones merge. */
static ktime_t next_expiry(ktime_t expiry, ktime_t interval, ktime_t now)
{
	ktime_t n;

	if (interval == 0)
		return 0;
	interval = MAX(interval, FLOOR);
	n = ktime_add(expiry, interval);
	return n > now ? n : ktime_add(now, interval);
}

static void real_expired(struct ktimer *tm)
{
	struct tgroup *tg = container_of(tm, struct tgroup, itimer_real);
	ktime_t now = ktime_mono(tg->kernel);

	mutex_lock(&tg->mu);
	if (tg->itimer_real_expiry != 0 && tg->itimer_real_expiry <= now) {
		tg->itimer_real_expiry = next_expiry(tg->itimer_real_expiry, tg->itimer_real_interval, now);
		(void)!signal_send_locked(tg, NULL, SIGALRM, NULL);
	}
	if (tg->itimer_real_expiry != 0)
		ktimer_arm(tg->kernel, tm, tg->itimer_real_expiry);
	mutex_unlock(&tg->mu);
}

/* Look again when the process could have used @left more, at the earliest. */
static void arm_cpu(struct itimer_cpu *it, ktime_t left)
{
	struct tgroup *tg = it->tg;
	u32 n = MAX(tg->nthreads, 1u);

	ktimer_arm(tg->kernel, &it->tm, ktime_add(ktime_mono(tg->kernel), MAX(left / n, 1000000)));
}

static void cpu_expired(struct ktimer *tm)
{
	struct itimer_cpu *it = container_of(tm, struct itimer_cpu, tm);
	struct tgroup *tg = it->tg;
	bool virt = it == &tg->itimer_virt;
	ktime_t used = process_cpu_time(tg, virt);

	mutex_lock(&tg->mu);
	if (it->expiry != 0 && used >= it->expiry) {
		it->expiry = next_expiry(it->expiry, it->interval, used);
		(void)!signal_send_locked(tg, NULL, virt ? SIGVTALRM : SIGPROF, NULL);
	}
	if (it->expiry != 0)
		arm_cpu(it, it->expiry - used);
	mutex_unlock(&tg->mu);
}

void itimers_init(struct tgroup *tg)
{
	ktimer_init(&tg->itimer_real, real_expired);
	ktimer_init(&tg->itimer_virt.tm, cpu_expired);
	ktimer_init(&tg->itimer_prof.tm, cpu_expired);
	tg->itimer_virt.tg = tg;
	tg->itimer_prof.tg = tg;
}

void itimer_stop(struct tgroup *tg)
{
	struct kernel *k = tg->kernel;
	bool any;

	mutex_lock(&tg->mu);
	any = tg->itimer_real_expiry || tg->itimer_virt.expiry || tg->itimer_prof.expiry;
	tg->itimer_real_expiry = 0;
	tg->itimer_virt.expiry = 0;
	tg->itimer_prof.expiry = 0;
	mutex_unlock(&tg->mu);
	/* A timer that has expired for the last time may still be running. */
	if (!any && tg->itimer_real.deadline == KTIME_MAX && tg->itimer_virt.tm.deadline == KTIME_MAX &&
	    tg->itimer_prof.tm.deadline == KTIME_MAX)
		return;
	ktimer_cancel(k, &tg->itimer_real);
	ktimer_cancel(k, &tg->itimer_virt.tm);
	ktimer_cancel(k, &tg->itimer_prof.tm);
}

static struct itimer_cpu *cpu_timer(struct tgroup *tg, int which)
{
	return which == ITIMER_VIRTUAL ? &tg->itimer_virt : &tg->itimer_prof;
}

static void get_locked(struct tgroup *tg, int which, ktime_t now, struct itimer_val *ret)
{
	ktime_t expiry;

	if (which == ITIMER_REAL) {
		expiry = tg->itimer_real_expiry;
		ret->interval = tg->itimer_real_interval;
	} else {
		expiry = cpu_timer(tg, which)->expiry;
		ret->interval = cpu_timer(tg, which)->interval;
	}
	/* Due but not yet delivered still counts as running. */
	ret->value = expiry == 0 ? 0 : MAX(expiry - now, 1000);
}

static int now_of(struct tgroup *tg, int which, ktime_t *ret)
{
	if (which == ITIMER_REAL)
		*ret = ktime_mono(tg->kernel);
	else if (which == ITIMER_VIRTUAL || which == ITIMER_PROF)
		*ret = process_cpu_time(tg, which == ITIMER_VIRTUAL);
	else
		return -EINVAL;
	return 0;
}

int itimer_get(struct tgroup *tg, int which, struct itimer_val *ret)
{
	ktime_t now;
	int r = now_of(tg, which, &now);

	if (r < 0)
		return r;
	mutex_lock(&tg->mu);
	get_locked(tg, which, now, ret);
	mutex_unlock(&tg->mu);
	return 0;
}

int itimer_set(struct tgroup *tg, int which, const struct itimer_val *v, struct itimer_val *old)
{
	struct kernel *k = tg->kernel;
	ktime_t now, expiry;
	int r = now_of(tg, which, &now);

	if (r < 0)
		return r;
	expiry = v->value == 0 ? 0 : ktime_add(now, v->value);
	mutex_lock(&tg->mu);
	if (old)
		get_locked(tg, which, now, old);
	if (which == ITIMER_REAL) {
		tg->itimer_real_expiry = expiry;
		tg->itimer_real_interval = expiry ? v->interval : 0;    /* Linux keeps that of the other two */
		ktimer_arm(k, &tg->itimer_real, expiry ? expiry : KTIME_MAX);
	} else {
		struct itimer_cpu *it = cpu_timer(tg, which);

		it->expiry = expiry;
		it->interval = v->interval;
		if (expiry)
			arm_cpu(it, v->value);
		else
			ktimer_arm(k, &it->tm, KTIME_MAX);
	}
	mutex_unlock(&tg->mu);
	return 0;
}
