/*
 * timer.h - one heap of deadlines a stack.
 *
 * Users re-arm lazily: a timer whose deadline moved away stays where it is,
 * fires early and is set again, so that the common "push the retransmission
 * timer out" costs nothing.  An idle stack has an empty heap.
 *
 * Every timer that may be set at once needs a slot (timers_reserve), so that
 * setting never fails.  fn runs without the lock and with the timer out of the
 * heap; whoever embeds the timer holds a reference while it is queued.
 */
#pragma once
#include "platform/base/lock.h"

struct ntimer {
	u64 due;                                /* guarded by ts->mu */
	u32 pos;                                /* place in the heap + 1; 0: not queued */
	void (*fn)(struct ntimer *t);           /* immutable */
};

struct timers {
	struct mutex mu;                        /* RANK_TIMER */
	struct ntimer **heap;
	u32 n, cap, reserved;
	u64 announced;                          /* what the owner sleeps until */
	void (*kick)(void *ctx);
	void *ctx;
};

void timers_init(struct timers *ts, void (*kick)(void *ctx), void *ctx);
void timers_done(struct timers *ts);
int timers_reserve(struct timers *ts) must_check;
void timers_unreserve(struct timers *ts);

/* True when it was not queued before (the caller takes a reference for the heap). */
bool ntimer_set(struct timers *ts, struct ntimer *t, u64 due) must_check;
/* True when it was queued (the caller drops the heap's reference). */
bool ntimer_cancel(struct timers *ts, struct ntimer *t) must_check;
/* Like ntimer_set, but leaves an earlier deadline alone. */
bool ntimer_set_before(struct timers *ts, struct ntimer *t, u64 due) must_check;

/* Fire what is due; the next deadline or NET_NEVER. */
u64 timers_run(struct timers *ts, u64 now);
