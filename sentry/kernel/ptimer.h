/*
 * ptimer.h - POSIX per-process timers (timer_create(2)).
 *
 * Life:  a timer belongs to its process: timer_delete, exec and exit end it.
 * Locks: tg->mu guards the list and every timer in it.
 */
#pragma once
#include "sentry/time/ktime.h"

struct task;

struct ptimer_spec { ktime_t value, interval; };

struct ptimer_event {
	int notify, signo, tid;                 /* SIGEV_* */
	u64 value;
};

/* The id, or -EINVAL, -EAGAIN.  @ev NULL: SIGEV_SIGNAL, SIGALRM, value = id. */
int ptimer_create(struct task *t, clockid_t clock, const struct ptimer_event *ev) must_check;
int ptimer_settime(struct task *t, int id, bool absolute, const struct ptimer_spec *v,
		   struct ptimer_spec *old) must_check;
int ptimer_gettime(struct task *t, int id, struct ptimer_spec *ret) must_check;
int ptimer_getoverrun(struct task *t, int id) must_check;
int ptimer_delete(struct task *t, int id) must_check;
