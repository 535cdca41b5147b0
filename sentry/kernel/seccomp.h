/*
 * seccomp.h - the guest's own system call filters (seccomp(2)).
 *
 * They confine one guest program against itself, inside the sandbox; the
 * sandbox's boundary is the platform's.  Programs are classic BPF, checked when
 * they are attached and interpreted for every call of the task.  A chain of
 * filters is immutable and shared by the tasks that inherited it.
 */
#pragma once
#include "platform/base/compiler.h"

struct task;
struct seccomp_prog;
struct sock_filter;

#define SECCOMP_ALLOW_WORDS 8           /* numbers below 512 */

/* Does @nr need no look, whatever its arguments? */
bool seccomp_passes(const struct task *t, u64 nr);
/*
 * May the call go on?  false: *ret_result is its result (or the task was killed or signalled).  A tracer may
 * change the call; then there is a frame (-ENEEDFRAME before).
 */
bool seccomp_check(struct task *t, u64 *nr, u64 ip, u64 args[6], long *ret_result);
long seccomp_set_strict(struct task *t);
long seccomp_set_filter(struct task *t, u32 flags, gaddr_t prog);
struct seccomp_prog *seccomp_ref(struct seccomp_prog *p);        /* NULL is fine */
void seccomp_unref(struct seccomp_prog *p);
u32 seccomp_count(const struct seccomp_prog *p);                 /* for /proc/PID/status */
/* PTRACE_SECCOMP_GET_FILTER and _GET_METADATA: of @x's filters the one after @nth others, the oldest first. */
long seccomp_dump(struct task *t, struct task *x, u64 nth, gaddr_t to);
long seccomp_metadata(struct task *t, struct task *x, u64 size, gaddr_t at);
/* A first filter from the sandbox's description; NULL: no memory, or not valid. */
struct seccomp_prog *seccomp_new(const struct sock_filter *f, u32 n) must_check;
/* To a new task that nobody else sees: a reference to @p (NULL: none), and the mode. */
void seccomp_give(struct task *t, struct seccomp_prog *p, int mode);
/* To a new task @n what its maker @t has; and again, tg->mu of @t held, when others get to see it: what another thread gave @t since. */
void seccomp_inherit(struct task *n, struct task *t);
void seccomp_follow_locked(struct task *n, struct task *t);
