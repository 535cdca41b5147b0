/*
 * own_ids.h - getpid and gettid without a trap.
 *
 * A thread that asks is told once what to answer itself (ctx_tell_ids()), unless somebody looks at its calls: a tracer, a
 * seccomp filter that does not simply let them pass, --strace.  Whoever begins to look makes it forget.
 * Neither number changes but by exec, which begins with a new context.
 *
 * Locks: tgroup.mu orders telling and forgetting, and keeps the context in place.
 */
#pragma once

struct task;

void own_ids_tell(struct task *t);              /* the caller is @t */
void own_ids_forget_locked(struct task *t);     /* any caller, tgroup.mu held */
