/*
 * sched.h - nice values, kept and told back but not enforced (setpriority(2)).
 */
#pragma once
#include "platform/base/compiler.h"

#define SCHED_DEADLINE_POLICY 6         /* glibc has it under other names */

struct kernel;
struct task;

/* How a process made from outside begins; zeros are Linux's default. */
struct sched_start {
	bool reset_on_fork;
	int policy, prio, nice, ioprio;
	u64 deadline[3];
	u64 cpus[2];                    /* 0: all */
};
/* Before @t is published. -EINVAL: there is no such policy or priority, or none of those CPUs. */
int sched_begin(struct task *t, const struct sched_start *s) must_check;

void sched_all_cpus(struct kernel *k, u64 ret[2]);
int sched_set_nice(struct task *t, int pid, int nice) must_check;
/* @which: PRIO_*. 20 - the lowest nice value found (1..40), or -ESRCH, -EINVAL. */
long sched_get_priority(struct task *t, int which, int who) must_check;
/* The same of I/O priorities (ioprio_set(2)): class and level.  Of several the best is told, and what was not set is by the nice value. */
long sched_get_ioprio(struct task *t, int which, int who) must_check;
long sched_set_ioprio(struct task *t, int which, int who, int ioprio) must_check;
long sched_set_priority(struct task *t, int which, int who, int nice) must_check;
