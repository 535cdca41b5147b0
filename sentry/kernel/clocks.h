/*
 * clocks.h - every clock a task may name, CPU-time clocks included (clock_gettime(2)).
 */
#pragma once
#include "sentry/time/ktime.h"

struct task;
struct tgroup;

/* 0, or -EINVAL for a clock that does not exist (or whose process does not). */
int clock_read(struct task *t, clockid_t id, ktime_t *ret) must_check;
int clock_resolution(struct task *t, clockid_t id, ktime_t *ret) must_check;
/* Does the clock count CPU time? */
bool clock_is_cpu(clockid_t id);
/* Is it one behind a descriptor?  There are none such here. */
bool clock_is_dynamic(clockid_t id);
/*
 * The CLOCK_MONOTONIC moment at which wall clock @id will show @when.  A later
 * step of the realtime clock is not followed: nothing in a sandbox can step it.
 */
ktime_t clock_to_mono(struct kernel *k, clockid_t id, ktime_t when);
/* Whose time a CPU clock counts: a thread of the caller's process, or a process.  References. */
struct cpu_clock {
	struct task *task;
	struct tgroup *tg;                      /* task NULL */
	bool user;                              /* not the kernel's part */
};
int clock_cpu_of(struct task *t, clockid_t id, struct cpu_clock *ret) must_check;       /* -EINVAL: nobody's */
ktime_t cpu_clock_now(const struct cpu_clock *c);
void cpu_clock_done(struct cpu_clock *c);
ktime_t process_cpu_time(struct tgroup *tg, bool user_only);
