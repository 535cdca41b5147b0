/*
 * sys_timer.c - alarm, interval timers, POSIX timers.
 */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/clocks.h"
#include "sentry/kernel/itimer.h"
#include "sentry/kernel/ptimer.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

long sys_alarm(struct task *t, const struct sysargs *a)
{
	struct itimer_val v = { .value = (ktime_t)arg_u32(a, 0) * NSEC_PER_SEC }, old;
	int r = itimer_set(t->tg, ITIMER_REAL, &v, &old);

	if (r < 0)
		return r;
	/* A pending alarm never reads as none. */
	if (old.value > 0 && old.value < NSEC_PER_SEC)
		return 1;
	return (old.value + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
}

static int from_timeval(const struct timeval *tv, ktime_t *ret)
{
	struct timespec ts = { .tv_sec = tv->tv_sec };

	if (tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return -EINVAL;
	ts.tv_nsec = tv->tv_usec * 1000;
	return ktime_from_timespec(&ts, ret);
}

static long put_itimer(struct task *t, gaddr_t addr, const struct itimer_val *v)
{
	struct itimerval out = {
		.it_value = { v->value / NSEC_PER_SEC, v->value % NSEC_PER_SEC / 1000 },
		.it_interval = { v->interval / NSEC_PER_SEC, v->interval % NSEC_PER_SEC / 1000 },
	};

	return copy_out(t, addr, &out, sizeof(out));
}

long sys_getitimer(struct task *t, const struct sysargs *a)
{
	struct itimer_val v;
	int r = itimer_get(t->tg, arg_s32(a, 0), &v);

	return r < 0 ? r : put_itimer(t, arg_addr(a, 1), &v);
}

long sys_setitimer(struct task *t, const struct sysargs *a)
{
	struct itimer_val v = { 0 }, old;
	struct itimerval in;
	int r = 0;

	if (arg_addr(a, 1).v) {
		if (copy_in(t, &in, arg_addr(a, 1), sizeof(in)) < 0)
			return -EFAULT;
		r = from_timeval(&in.it_value, &v.value);
		if (r == 0)
			r = from_timeval(&in.it_interval, &v.interval);
	}
	if (r == 0)
		r = itimer_set(t->tg, arg_s32(a, 0), &v, &old);
	if (r < 0)
		return r;
	return arg_addr(a, 2).v ? put_itimer(t, arg_addr(a, 2), &old) : 0;
}

/* ---- POSIX timers ---- */

struct lx_sigevent { u64 value; s32 signo, notify, tid; s32 pad[11]; };
_Static_assert(sizeof(struct lx_sigevent) == 64, "sigevent");

long sys_timer_create(struct task *t, const struct sysargs *a)
{
	struct ptimer_event ev;
	struct lx_sigevent se;
	int id;

	if (arg_addr(a, 1).v) {
		if (copy_in(t, &se, arg_addr(a, 1), sizeof(se)) < 0)
			return -EFAULT;
		ev = (struct ptimer_event){ .notify = se.notify, .signo = se.signo, .tid = se.tid,
					    .value = se.value };
	}
	id = ptimer_create(t, arg_s32(a, 0), arg_addr(a, 1).v ? &ev : NULL);
	if (id < 0)
		return id;
	if (copy_out(t, arg_addr(a, 2), &id, sizeof(id)) < 0) {
		(void)!ptimer_delete(t, id);
		return -EFAULT;
	}
	return 0;
}

static long put_spec(struct task *t, gaddr_t addr, const struct ptimer_spec *v)
{
	struct itimerspec out = {
		.it_value = ktime_to_timespec(v->value),
		.it_interval = ktime_to_timespec(v->interval),
	};

	return copy_out(t, addr, &out, sizeof(out));
}

long sys_timer_settime(struct task *t, const struct sysargs *a)
{
	struct ptimer_spec v, old;
	struct itimerspec in;
	int r;

	if (!arg_addr(a, 2).v)
		return -EINVAL;
	if (copy_in(t, &in, arg_addr(a, 2), sizeof(in)) < 0)
		return -EFAULT;
	r = ktime_from_timespec(&in.it_value, &v.value);
	if (r == 0)
		r = ktime_from_timespec(&in.it_interval, &v.interval);
	if (r == 0)
		r = ptimer_settime(t, arg_s32(a, 0), arg_u32(a, 1) & TIMER_ABSTIME, &v, &old);
	if (r < 0)
		return r;
	return arg_addr(a, 3).v ? put_spec(t, arg_addr(a, 3), &old) : 0;
}

long sys_timer_gettime(struct task *t, const struct sysargs *a)
{
	struct ptimer_spec v;
	int r = ptimer_gettime(t, arg_s32(a, 0), &v);

	return r < 0 ? r : put_spec(t, arg_addr(a, 1), &v);
}

long sys_timer_getoverrun(struct task *t, const struct sysargs *a)
{
	return ptimer_getoverrun(t, arg_s32(a, 0));
}

long sys_timer_delete(struct task *t, const struct sysargs *a)
{
	return ptimer_delete(t, arg_s32(a, 0));
}
