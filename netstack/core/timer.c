/*
 * timer.c - a binary heap of timers.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "platform/base/bug.h"
#include "netstack/core/timer.h"
#include "netstack/api.h"

#define RUN_MAX 4096            /* timers fired by one call, so that callers come back */

void timers_init(struct timers *ts, void (*kick)(void *ctx), void *ctx)
{
	mutex_init(&ts->mu, RANK_TIMER);
	ts->kick = kick;
	ts->ctx = ctx;
	ts->announced = NET_NEVER;
}

void timers_done(struct timers *ts)
{
	kfree(ts->heap);
	ts->heap = NULL;
}

int timers_reserve(struct timers *ts)
{
	int r = 0;

	mutex_lock(&ts->mu);
	if (ts->reserved + 1 > ts->cap) {
		u32 cap = ts->cap ? ts->cap * 2 : 16;
		struct ntimer **h = kbuf_realloc(ts->heap, cap * sizeof(*h));

		if (h) {
			ts->heap = h;
			ts->cap = cap;
		} else {
			r = -ENOMEM;
		}
	}
	if (r == 0)
		ts->reserved++;
	mutex_unlock(&ts->mu);
	return r;
}

void timers_unreserve(struct timers *ts)
{
	mutex_lock(&ts->mu);
	ts->reserved--;
	mutex_unlock(&ts->mu);
}

static void place(struct timers *ts, u32 i, struct ntimer *t)
{
	ts->heap[i] = t;
	t->pos = i + 1;
}

static void sift_up(struct timers *ts, u32 i, struct ntimer *t)
{
	while (i) {
		u32 up = (i - 1) / 2;

		if (ts->heap[up]->due <= t->due)
			break;
		place(ts, i, ts->heap[up]);
		i = up;
	}
	place(ts, i, t);
}

static void sift_down(struct timers *ts, u32 i, struct ntimer *t)
{
	for (;;) {
		u32 c = 2 * i + 1;

		if (c >= ts->n)
			break;
		if (c + 1 < ts->n && ts->heap[c + 1]->due < ts->heap[c]->due)
			c++;
		if (ts->heap[c]->due >= t->due)
			break;
		place(ts, i, ts->heap[c]);
		i = c;
	}
	place(ts, i, t);
}

static void heap_del(struct timers *ts, struct ntimer *t)
{
	u32 i = t->pos - 1;
	struct ntimer *last = ts->heap[--ts->n];

	t->pos = 0;
	if (last == t)
		return;
	if (i && ts->heap[(i - 1) / 2]->due > last->due)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

static bool set(struct timers *ts, struct ntimer *t, u64 due, bool only_earlier)
{
	bool fresh, kick = false;

	mutex_lock(&ts->mu);
	fresh = t->pos == 0;
	if (fresh || !only_earlier || due < t->due) {
		if (!fresh)
			heap_del(ts, t);
		BUG_ON(ts->n >= ts->cap);
		t->due = due;
		ts->n++;
		sift_up(ts, ts->n - 1, t);
		if (due < ts->announced) {
			ts->announced = due;
			kick = true;
		}
	}
	mutex_unlock(&ts->mu);
	if (kick && ts->kick)
		ts->kick(ts->ctx);
	return fresh;
}

bool ntimer_set(struct timers *ts, struct ntimer *t, u64 due) { return set(ts, t, due, false); }

bool ntimer_set_before(struct timers *ts, struct ntimer *t, u64 due)
{
	return set(ts, t, due, true);
}

bool ntimer_cancel(struct timers *ts, struct ntimer *t)
{
	bool was;

	mutex_lock(&ts->mu);
	was = t->pos != 0;
	if (was)
		heap_del(ts, t);
	mutex_unlock(&ts->mu);
	return was;
}

u64 timers_run(struct timers *ts, u64 now)
{
	struct ntimer *t;
	u64 next;
	int i;

	for (i = 0; i < RUN_MAX; i++) {
		t = NULL;
		mutex_lock(&ts->mu);
		if (ts->n && ts->heap[0]->due <= now) {
			t = ts->heap[0];
			heap_del(ts, t);
		}
		mutex_unlock(&ts->mu);
		if (!t)
			break;
		t->fn(t);
	}
	mutex_lock(&ts->mu);
	next = ts->n ? ts->heap[0]->due : NET_NEVER;
	ts->announced = next;
	mutex_unlock(&ts->mu);
	return next;
}
