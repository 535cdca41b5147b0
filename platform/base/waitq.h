/*
 * waitq.h - a list of those who want to know when something changes.
 *
 * An object that can become ready embeds a struct waitq and calls
 * waitq_wake(q, events) after each change (events are POLL* bits).  A waiter
 * says which events it wants; its fn runs under the queue's lock, in the
 * waker's thread, so it may only set a word, wake a futex or take a lock of
 * rank READY or above, or wake a queue further out (epolls that watch epolls).  It says
 * whether anybody was waiting behind it: if not, the next exclusive waiter is told too.  waitq_del() returns after any running fn.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"

struct waiter {
	struct list_head node;                          /* guarded by the queue's mu */
	u32 interest;                                   /* POLL* bits; immutable while queued */
	bool exclusive;                                 /* wake at most one of these a time */
	bool *by_net;                                   /* set while on a queue that the network wakes; NULL: not told */
	bool (*fn)(struct waiter *w, u32 events);       /* immutable */
};

struct waitq {
	struct mutex mu;                                /* RANK_WAITQ */
	bool by_net;                                    /* what comes by a network link wakes it; only ever set */
	struct list_head waiters GUARDED_BY(mu);
};

void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waiter *w);      /* q NULL: nothing happens */
void waitq_del(struct waitq *q, struct waiter *w);      /* harmless when not queued */
bool waitq_wake(struct waitq *q, u32 events);           /* did it wake anybody? */
