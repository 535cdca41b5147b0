/*
 * waitq.c - add, remove and wake waiters, all under the queue's lock.
 *
 * Waiters are served in order of arrival.  Every interested ordinary waiter is
 * woken, but of the interested exclusive ones only the first, so that one
 * event does not start a herd of which all but one go back to sleep.
 */
#include "platform/base/waitq.h"

void waitq_init(struct waitq *q)
{
	mutex_init(&q->mu, RANK_WAITQ);
	list_init(&q->waiters);
}

void waitq_add(struct waitq *q, struct waiter *w)
{
	list_init(&w->node);
	if (!q)
		return;
	mutex_lock(&q->mu);
	list_add_tail(&w->node, &q->waiters);
	mutex_unlock(&q->mu);
	if (w->by_net && __atomic_load_n(&q->by_net, __ATOMIC_RELAXED))
		*w->by_net = true;
}

void waitq_del(struct waitq *q, struct waiter *w)
{
	if (!q)
		return;
	mutex_lock(&q->mu);
	list_del_init(&w->node);
	mutex_unlock(&q->mu);
	if (w->by_net)
		*w->by_net = false;
}

bool waitq_wake(struct waitq *q, u32 events)
{
	struct waiter *w, *next;
	bool woke = false, woke_exclusive = false, one;

	mutex_lock(&q->mu);
	/* Safe iteration: fn may unlink its own node. */
	list_for_each_safe(w, next, &q->waiters, node) {
		if (!(w->interest & events))
			continue;
		if (w->exclusive && woke_exclusive)
			continue;
		/* An epoll in which nobody waits has only noted it: another one may have somebody. */
		one = w->fn(w, events);
		woke |= one;
		woke_exclusive |= one && w->exclusive;
	}
	mutex_unlock(&q->mu);
	return woke;
}
