/*
 * ktimer.h - callbacks at a time.
 *
 * One thread per kernel sleeps until the earliest deadline (no tick: idle
 * costs nothing).  fn runs on that thread without the queue's lock and may
 * take locks of rank above TGROUP's users' documented needs; it must not
 * sleep.  ktimer_cancel() returns after a running fn has finished, so
 * it must not be called from fn or with a lock that fn takes.
 */
#pragma once
#include "platform/base/rbtree.h"
#include "sentry/time/ktime.h"

struct kernel;

struct ktimer {
	struct rb_node node;                    /* guarded by the queue */
	ktime_t deadline;                       /* CLOCK_MONOTONIC; guarded by the queue */
	bool queued;                            /* guarded by the queue */
	void (*fn)(struct ktimer *tm);          /* immutable */
};

int ktimers_start(struct kernel *k) must_check;         /* boot: make the queue and its thread */
void ktimer_init(struct ktimer *tm, void (*fn)(struct ktimer *));
/* (Re)arm for @deadline; never fails. */
void ktimer_arm(struct kernel *k, struct ktimer *tm, ktime_t deadline);
/* Make the thread send what is in kernel->sigio: may be called with any lock. */
void ktimers_poke(struct kernel *k);
/* True if it was still queued.  Waits for a running fn. */
bool ktimer_cancel(struct kernel *k, struct ktimer *tm);
