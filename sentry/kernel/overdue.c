/*
 * overdue.c - processes that were killed and do not end.
 *
 * A process that obeys ends at once: each of its threads traps, and leaves its memory as Linux would (robust futexes, the
 * word that is cleared).  Hostile code may know a way not to trap any more.  So some time after a fatal
 * signal the platform is told of every thread that is still there; it ends those on the host that run (ctx_overdue()).
 *
 * tg->mu guards it all.  Once overdue_stop() has set over, nobody arms the timer again.
 */
#include "platform/platform.h"
#include "sentry/kernel/task_int.h"

/* Long enough for a machine that is busy; who is late all the same loses only what ending in order would have done. */
#define PATIENCE (10 * NSEC_PER_SEC)

static void arm_locked(struct tgroup *tg) REQUIRES(tg->mu)
{
	tg->overdue.armed = true;
	ktimer_arm(tg->kernel, &tg->overdue.tm, ktime_add(ktime_mono(tg->kernel), PATIENCE));
}

static void look(struct ktimer *tm)
{
	struct overdue *o = container_of(tm, struct overdue, tm);
	struct tgroup *tg = container_of(o, struct tgroup, overdue);
	struct task *t;

	mutex_lock(&tg->mu);
	list_for_each(t, &tg->threads, thread_node)
		if (!o->over && t->ctx)
			ctx_overdue(t->ctx);
	/* Again: with threads that were only being made, or with another process that shares its memory. */
	if (!o->over)
		arm_locked(tg);
	mutex_unlock(&tg->mu);
}

void overdue_init(struct tgroup *tg)
{
	ktimer_init(&tg->overdue.tm, look);
}

void overdue_watch_locked(struct tgroup *tg)
{
	if (!tg->overdue.armed && !tg->overdue.over)
		arm_locked(tg);
}

void overdue_stop(struct tgroup *tg)
{
	bool armed;

	mutex_lock(&tg->mu);
	tg->overdue.over = true;
	armed = tg->overdue.armed;
	mutex_unlock(&tg->mu);
	if (armed)
		ktimer_cancel(tg->kernel, &tg->overdue.tm);
}
