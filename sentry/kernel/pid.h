/*
 * pid.h - numbers of tasks, processes, groups and sessions.
 *
 * One table maps a number to the task and the process that bear it.  A number
 * is free when neither exists and no process group or session uses it (holds).
 * The table has a reference on each task and tgroup in it.
 *
 * Locks: kernel->mu (RANK_KERNEL) guards all of it; every function needs it held.
 */
#pragma once
#include "platform/base/compiler.h"
#include "sentry/kernel/kernel.h"

#define PID_MAX 32768

struct task;
struct tgroup;
struct pid_table;
struct pid_ns;
struct pid_nums;

struct pid_table *pid_table_new(void) must_check;

/*
 * Reserve a number for a task of @ns and count the task against the limit.  @n numbers are wanted: in @ns, and in
 * those around it; else it is the next free one.  The number, -EAGAIN (limit, or none free), -EEXIST, -ENOMEM (@ns is dead, too).
 */
int pid_alloc_locked(struct kernel *k, struct pid_ns *ns, const int *want, u32 n) must_check;
/* Its numbers in namespaces: borrowed, NULL: none. */
const struct pid_nums *pid_nums_locked(struct kernel *k, int pid);

void pid_set_task_locked(struct kernel *k, int pid, struct task *t);      /* takes over a reference */
void pid_set_tgroup_locked(struct kernel *k, int pid, struct tgroup *tg); /* takes over a reference */
/* The caller gets the table's reference back (NULL if there was none). */
struct task *pid_clear_task_locked(struct kernel *k, int pid) must_check;
struct tgroup *pid_clear_tgroup_locked(struct kernel *k, int pid) must_check;
/* The tasks there are, zombies too, and how many there may be (0: any number). */
void pid_count(struct kernel *k, u32 *ret_now, u32 *ret_max);
void pid_limit(struct kernel *k, u64 max);
/* A task has gone for good: the limit's count. */
void pid_uncount_locked(struct kernel *k);

struct task *pid_task_locked(struct kernel *k, int pid);                  /* borrowed */
struct tgroup *pid_tgroup_locked(struct kernel *k, int pid);              /* borrowed */
/* The first process with a number >= @from, or NULL: for walks. */
struct tgroup *pid_next_tgroup_locked(struct kernel *k, int from);

/* A process joins or leaves a group or session with this number. */
void pid_hold_locked(struct kernel *k, int pid);
void pid_unhold_locked(struct kernel *k, int pid);
