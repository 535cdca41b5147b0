/*
 * itimer.h - the three interval timers of a process (setitimer(2), alarm(2)).
 *
 * ITIMER_REAL is a ktimer.  The other two count CPU time: a ktimer looks again when the
 * time could have been used up at the earliest, which is exact for a single busy thread.
 */
#pragma once
#include "sentry/time/ktime.h"

struct tgroup;

struct itimer_val { ktime_t value, interval; };

/* @which: ITIMER_*. value 0 = off. @old may be NULL. */
int itimer_get(struct tgroup *tg, int which, struct itimer_val *ret) must_check;
int itimer_set(struct tgroup *tg, int which, const struct itimer_val *v, struct itimer_val *old) must_check;
