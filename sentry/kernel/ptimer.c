/*
 * ptimer.c - POSIX timers; see ptimer.h.
 *
 * A periodic timer is not re-armed when it expires but when its signal is
 * taken from the queue; the periods between count as overruns.  So a short
 * period costs nothing while the program is slow.  A timer whose signal was dropped
 * (ignored, or merged with another of its kind) is re-armed at once, no faster than FLOOR.
 *
 * The expiry function compares the expiry again under tg->mu: one that lost a
 * race against settime does nothing.  Deletion unlinks first, then waits for a running one.
 */
#include "sentry/kernel/ptimer.h"

#include <errno.h>
#include <linux/capability.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/clocks.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task_int.h"

#define FLOOR 1000000           /* ns */
#define MAX_TIMERS 4096

struct ptimer {
	struct list_head node;
	struct ktimer tm;
	struct tgroup *tg;                      /* borrowed: outlives its timers */
	int id;
	clockid_t clock;
	int notify, signo;
	u64 value;
	struct task *target;                    /* SIGEV_THREAD_ID: a reference */
	struct cpu_clock cpu;                   /* of a CPU clock; immutable */
	ktime_t expiry, interval;               /* on the clock; expiry 0 = off */
	bool queued;                            /* its signal is pending */
	s64 overrun, overrun_last;
};

static ktime_t now_of(struct ptimer *p)
{
	ktime_t now = 0;

	if (clock_is_cpu(p->clock))
		return cpu_clock_now(&p->cpu);
	return ktime_get(p->tg->kernel, p->clock, &now) < 0 ? 0 : now;
}

/* tg->mu held.  @now: of the timer's clock. */
static void arm(struct ptimer *p, ktime_t now)
{
	struct kernel *k = p->tg->kernel;
	u32 speed = p->cpu.tg && p->cpu.tg != p->tg ? k->ncpus : p->tg->nthreads;       /* of a CPU clock, at most */

	if (p->expiry == 0 || p->notify == SIGEV_NONE)
		ktimer_arm(k, &p->tm, KTIME_MAX);
	else if (clock_is_cpu(p->clock))
		ktimer_arm(k, &p->tm, ktime_add(ktime_mono(k), MAX((p->expiry - now) /
						MAX(speed, 1u), FLOOR)));
	else
		ktimer_arm(k, &p->tm, clock_to_mono(k, p->clock, p->expiry));
}

/* Move a periodic timer past @now; the number of periods skipped beyond the first. */
static s64 forward(struct ptimer *p, ktime_t now)
{
	s64 n;

	if (p->expiry > now)
		return 0;
	n = (now - p->expiry) / p->interval;
	p->expiry = ktime_add(p->expiry, ktime_add(n * p->interval, p->interval));
	return n;
}

static bool in_queue(const struct sigpending *q, const struct ptimer *p)
{
	const struct sigqueue *s;

	list_for_each(s, &q->queue, node)
		if (s->info.code == SI_TIMER && s->info.timer.tid == p->id)
			return true;
	return false;
}

static void fire(struct ptimer *p)
{
	struct tgroup *tg = p->tg;
	struct lx_siginfo si;

	siginfo_kernel(&si, p->signo, SI_TIMER);
	si.timer.tid = p->id;
	si.timer.value = p->value;
	(void)!signal_send_locked(tg, p->target, p->signo, &si);
	p->queued = in_queue(p->target ? &p->target->pending : &tg->pending, p);
}

static void expired(struct ktimer *tm)
{
	struct ptimer *p = container_of(tm, struct ptimer, tm);
	struct tgroup *tg = p->tg;
	ktime_t now = now_of(p);

	mutex_lock(&tg->mu);
	if (p->expiry == 0 || list_empty(&p->node))
		goto out;
	if (p->expiry > now) {
		arm(p, now);
		goto out;
	}
	if (!p->queued)
		fire(p);
	if (p->interval == 0) {
		p->expiry = 0;
	} else if (!p->queued) {
		forward(p, now);
		p->expiry = MAX(p->expiry, now + FLOOR);
		arm(p, now);
	}
out:
	mutex_unlock(&tg->mu);
}

/* The signal of a timer leaves the queue: tell the overruns, start the next period. */
void ptimers_signal_dequeued_locked(struct tgroup *tg, struct lx_siginfo *si)
{
	struct ptimer *p;

	list_for_each(p, &tg->ptimers, node) {
		ktime_t now;

		if (p->id != si->timer.tid || !p->queued)
			continue;
		p->queued = false;
		p->overrun_last = p->overrun;
		p->overrun = 0;
		if (p->expiry != 0 && p->interval != 0 && !clock_is_cpu(p->clock)) {
			now = now_of(p);
			p->overrun_last += forward(p, now);
			arm(p, now);
		} else if (p->expiry != 0 && p->interval != 0) {
			/* CPU clocks need tg->mu to be read: skip one period blindly. */
			p->expiry = ktime_add(p->expiry, p->interval);
			ktimer_arm(tg->kernel, &p->tm, ktime_mono(tg->kernel) + FLOOR);
		}
		si->timer.overrun = (s32)MIN(p->overrun_last, (s64)INT32_MAX);
		return;
	}
}

void ptimers_signal_lost_locked(struct tgroup *tg)
{
	struct ptimer *p;

	list_for_each(p, &tg->ptimers, node) {
		if (!p->queued || in_queue(p->target ? &p->target->pending : &tg->pending, p))
			continue;
		p->queued = false;
		if (p->expiry != 0)
			ktimer_arm(tg->kernel, &p->tm, ktime_mono(tg->kernel) + FLOOR);
	}
}

static struct ptimer *find_locked(struct tgroup *tg, int id)
{
	struct ptimer *p;

	list_for_each(p, &tg->ptimers, node)
		if (p->id == id)
			return p;
	return NULL;
}

static int check_clock(struct task *t, clockid_t clock)
{
	ktime_t now;

	if (clock_is_cpu(clock))
		return 0;               /* clock_cpu_of() will tell */
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return capable(t, CAP_WAKE_ALARM) ? 0 : -EPERM; /* nothing here ever suspends */
	}
	/* Coarse and raw clocks exist but cannot have timers. */
	return clock_read(t, clock, &now) == 0 ? -EOPNOTSUPP : -EINVAL;
}

/* Who gets the signal; checks of timer_create(2). */
static int set_target(struct task *t, struct ptimer *p, const struct ptimer_event *ev)
{
	int notify = ev->notify & ~SIGEV_THREAD_ID;

	if (notify != SIGEV_SIGNAL && notify != SIGEV_NONE && notify != SIGEV_THREAD)
		return -EINVAL;
	if ((ev->notify & SIGEV_THREAD_ID) && notify != SIGEV_SIGNAL)
		return -EINVAL;
	if (notify != SIGEV_NONE && (ev->signo < 1 || ev->signo > NSIG_GUEST))
		return -EINVAL;
	if (ev->notify & SIGEV_THREAD_ID) {
		auto_task *x = task_find_nr(t, ev->tid);

		if (!x || x->tg != t->tg)
			return -EINVAL;
		p->target = task_ref(x);
	}
	p->notify = notify;
	p->signo = ev->signo;
	p->value = ev->value;
	return 0;
}

static void ptimer_free(struct ptimer *p)
{
	ktimer_cancel(p->tg->kernel, &p->tm);
	task_unref(p->target);
	cpu_clock_done(&p->cpu);
	kfree(p);
}

int ptimer_create(struct task *t, clockid_t clock, const struct ptimer_event *ev)
{
	struct tgroup *tg = t->tg;
	struct ptimer *p;
	int r = check_clock(t, clock), id;

	if (r < 0)
		return r;
	p = knew(struct ptimer);
	if (!p)
		return -EAGAIN;
	list_init(&p->node);
	ktimer_init(&p->tm, expired);
	p->tg = tg;
	p->clock = clock;
	p->notify = SIGEV_SIGNAL;
	p->signo = SIGALRM;
	r = clock_is_cpu(clock) ? clock_cpu_of(t, clock, &p->cpu) : 0;
	if (r == 0 && ev)
		r = set_target(t, p, ev);
	if (r < 0) {
		ptimer_free(p);
		return r;
	}
	mutex_lock(&tg->mu);
	id = tg->next_ptimer;
	while (find_locked(tg, id))
		id = (id + 1) & INT32_MAX;
	if (tg->nptimers >= MAX_TIMERS) {
		mutex_unlock(&tg->mu);
		ptimer_free(p);
		return -EAGAIN;
	}
	p->id = id;
	if (!ev)
		p->value = (u64)id;
	tg->nptimers++;
	tg->next_ptimer = (id + 1) & INT32_MAX;
	list_add_tail(&p->node, &tg->ptimers);
	mutex_unlock(&tg->mu);
	return id;
}

static void get_locked(struct ptimer *p, ktime_t now, struct ptimer_spec *ret)
{
	ret->interval = p->interval;
	if (p->expiry != 0 && p->interval != 0 && p->expiry <= now && (p->notify == SIGEV_NONE || p->queued))
		p->overrun += forward(p, now);
	if (p->expiry == 0 || (p->expiry <= now && p->notify == SIGEV_NONE))
		ret->value = 0;
	else
		ret->value = MAX(p->expiry - now, 1);
}

/* Clocks of CPU time cannot be read with tg->mu held, so timers are looked up twice. */
static int read_clock_of(struct tgroup *tg, int id, ktime_t *ret_now)
{
	struct ptimer *p, copy;
	ktime_t now;

	mutex_lock(&tg->mu);
	p = find_locked(tg, id);
	if (!p) {
		mutex_unlock(&tg->mu);
		return -EINVAL;
	}
	copy = *p;
	if (copy.cpu.task)
		task_ref(copy.cpu.task);
	if (copy.cpu.tg)
		tgroup_ref(copy.cpu.tg);
	mutex_unlock(&tg->mu);
	now = now_of(&copy);
	cpu_clock_done(&copy.cpu);
	*ret_now = now;
	return 0;
}

int ptimer_settime(struct task *t, int id, bool absolute, const struct ptimer_spec *v, struct ptimer_spec *old)
{
	struct tgroup *tg = t->tg;
	struct ptimer *p;
	ktime_t now;
	int r = read_clock_of(tg, id, &now);

	if (r < 0)
		return r;
	mutex_lock(&tg->mu);
	p = find_locked(tg, id);
	if (!p) {
		mutex_unlock(&tg->mu);
		return -EINVAL;
	}
	if (old)
		get_locked(p, now, old);
	p->interval = v->value == 0 && !clock_is_cpu(p->clock) ? 0 : v->interval;
	p->overrun = 0;
	p->overrun_last = 0;
	p->expiry = v->value == 0 ? 0 : absolute ? v->value : ktime_add(now, v->value);
	arm(p, now);
	mutex_unlock(&tg->mu);
	return 0;
}

int ptimer_gettime(struct task *t, int id, struct ptimer_spec *ret)
{
	struct tgroup *tg = t->tg;
	struct ptimer *p;
	ktime_t now;
	int r = read_clock_of(tg, id, &now);

	if (r < 0)
		return r;
	mutex_lock(&tg->mu);
	p = find_locked(tg, id);
	if (p)
		get_locked(p, now, ret);
	mutex_unlock(&tg->mu);
	return p ? 0 : -EINVAL;
}

int ptimer_getoverrun(struct task *t, int id)
{
	struct ptimer *p;
	int r = -EINVAL;

	mutex_lock(&t->tg->mu);
	p = find_locked(t->tg, id);
	if (p)
		r = (int)MIN(p->overrun_last, (s64)INT32_MAX);
	mutex_unlock(&t->tg->mu);
	return r;
}

int ptimer_delete(struct task *t, int id)
{
	struct tgroup *tg = t->tg;
	struct ptimer *p;

	mutex_lock(&tg->mu);
	p = find_locked(tg, id);
	if (p) {
		list_del_init(&p->node);
		tg->nptimers--;
	}
	mutex_unlock(&tg->mu);
	if (!p)
		return -EINVAL;
	ptimer_free(p);
	return 0;
}

void ptimers_delete_all(struct tgroup *tg)
{
	struct list_head all;

	list_init(&all);
	mutex_lock(&tg->mu);
	list_splice_tail_init(&tg->ptimers, &all);
	tg->nptimers = 0;
	mutex_unlock(&tg->mu);
	while (!list_empty(&all)) {
		struct ptimer *p = list_first(&all, struct ptimer, node);

		mutex_lock(&tg->mu);
		list_del_init(&p->node);
		p->expiry = 0;
		mutex_unlock(&tg->mu);
		ptimer_free(p);
	}
}
