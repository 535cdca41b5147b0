/*
 * ktimer.c - the timer queue and its one thread; see ktimer.h.
 *
 * The thread sleeps on q->seq until the first deadline (q->until, which may be that of a timer cancelled since:
 * most are, and armed again for later); arming an earlier one bumps seq.  A canceller that meets its running timer waits on q->done_seq,
 * which the thread bumps after each fn.
 */
#include "sentry/time/ktimer.h"

#include <errno.h>

#include "platform/base/alloc.h"
#include "platform/base/lock.h"
#include "platform/host/futex.h"
#include "platform/host/hthread.h"
#include "sentry/kernel/kernel.h"

struct ktimers {
	struct kernel *kernel;                  /* immutable */
	struct mutex mu;                        /* RANK_TIMER */
	struct rb_root tree GUARDED_BY(mu);     /* by deadline */
	struct ktimer *running GUARDED_BY(mu);
	ktime_t until GUARDED_BY(mu);           /* when the thread looks again, at the latest */
	_Atomic u32 seq;                        /* the first deadline may have changed */
	_Atomic u32 done_seq;                   /* a callback has returned */
};

static bool earlier(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, const struct ktimer, node)->deadline <
	       rb_entry(b, const struct ktimer, node)->deadline;
}

/* Run the first timer if it is due; else *ret_next = when to look again. */
static bool run_one(struct ktimers *q, ktime_t *ret_next)
{
	struct rb_node *n;
	struct ktimer *tm;

	mutex_lock(&q->mu);
	n = rb_first(&q->tree);
	tm = n ? rb_entry(n, struct ktimer, node) : NULL;
	if (!tm || tm->deadline > ktime_mono(q->kernel)) {
		*ret_next = q->until = tm ? tm->deadline : KTIME_MAX;
		mutex_unlock(&q->mu);
		return false;
	}
	rb_erase(&q->tree, &tm->node);
	tm->queued = false;
	q->running = tm;
	mutex_unlock(&q->mu);

	tm->fn(tm);

	mutex_lock(&q->mu);
	q->running = NULL;
	mutex_unlock(&q->mu);
	atomic_fetch_add(&q->done_seq, 1);
	host_futex_wake(&q->done_seq, INT32_MAX);
	return true;
}

static void *timer_thread(void *arg)
{
	struct ktimers *q = arg;

	for (;;) {
		u32 seq = atomic_load(&q->seq);
		ktime_t next;

		if (atomic_load(&q->kernel->sigio.n))
			q->kernel->sigio.flush(q->kernel);
		if (run_one(q, &next))
			continue;
		host_futex_wait(&q->seq, seq, next == KTIME_MAX ? next : next - q->kernel->mono_offset);
	}
	return NULL;
}

int ktimers_start(struct kernel *k)
{
	struct ktimers *q = knew(struct ktimers);
	int r;

	if (!q)
		return -ENOMEM;
	q->kernel = k;
	mutex_init(&q->mu, RANK_TIMER);
	q->tree = RB_ROOT;
	r = hthread_start(timer_thread, q, 256 << 10, HTHREAD_NO_SIGNALS);
	if (r < 0) {
		kfree(q);
		return r;
	}
	k->timers = q;
	return 0;
}

void ktimers_poke(struct kernel *k)
{
	atomic_fetch_add(&k->timers->seq, 1);
	host_futex_wake(&k->timers->seq, 1);
}

void ktimer_init(struct ktimer *tm, void (*fn)(struct ktimer *))
{
	rb_init_node(&tm->node);
	tm->deadline = KTIME_MAX;
	tm->queued = false;
	tm->fn = fn;
}

void ktimer_arm(struct kernel *k, struct ktimer *tm, ktime_t deadline)
{
	struct ktimers *q = k->timers;
	bool sooner;

	mutex_lock(&q->mu);
	if (tm->queued)
		rb_erase(&q->tree, &tm->node);
	tm->deadline = deadline;
	tm->queued = deadline != KTIME_MAX;
	if (tm->queued)
		rb_add(&q->tree, &tm->node, earlier);
	sooner = tm->queued && deadline < q->until;
	if (sooner)
		q->until = deadline;
	mutex_unlock(&q->mu);
	if (sooner) {
		atomic_fetch_add(&q->seq, 1);
		host_futex_wake(&q->seq, 1);
	}
}

bool ktimer_cancel(struct kernel *k, struct ktimer *tm)
{
	struct ktimers *q = k->timers;
	bool was;

	mutex_lock(&q->mu);
	was = tm->queued;
	if (was) {
		rb_erase(&q->tree, &tm->node);
		tm->queued = false;
	}
	while (q->running == tm) {
		u32 seq = atomic_load(&q->done_seq);

		mutex_unlock(&q->mu);
		host_futex_wait(&q->done_seq, seq, INT64_MAX);
		mutex_lock(&q->mu);
		/* It may have armed itself again. */
		if (tm->queued) {
			rb_erase(&q->tree, &tm->node);
			tm->queued = false;
			was = true;
		}
	}
	mutex_unlock(&q->mu);
	return was;
}
