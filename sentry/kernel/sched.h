/*
 * sched.h - nice values, kept and told back but not enforced (setpriority(2)).
 */
#pragma once
#include "platform/base/compiler.h"

#define SCHED_DEADLINE_POLICY 6         /* glibc has it under other names */

struct kernel;
struct task;

void sched_all_cpus(struct kernel *k, u64 ret[2]);
int sched_set_nice(struct task *t, int pid, int nice) must_check;
/* @which: PRIO_*. 20 - the lowest nice value found (1..40), or -ESRCH, -EINVAL. */
long sched_get_priority(struct task *t, int which, int who) must_check;
long sched_set_priority(struct task *t, int which, int who, int nice) must_check;
