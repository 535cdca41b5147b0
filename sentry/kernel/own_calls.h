/*
 * own_calls.h - calls that a thread answers itself, without a trap: getpid, gettid, rt_sigprocmask, rt_sigreturn.
 *
 * A thread that makes one is told once what to answer (ctx_tell_ids()), or lent its mask (ctx_lend_mask()), unless somebody
 * looks at its calls: a tracer, a seccomp filter that does not simply let them pass, --strace.  Whoever begins to
 * look makes it forget.
 *
 * The ids never change but by exec, which begins with a new context.  A lent mask is the thread's to change until it is taken
 * back.  Who has a signal for it, or wants to know for sure what it blocks, does so (signal_blocked_locked()); it is lent
 * anew by an rt_sigprocmask that traps with no signal pending.  So with one pending each change of the mask is seen.
 *
 * A handler begins with its mask lent, too, and with its frame (ctx_lend_frame()), so that its end needs no trap: then nothing changes
 * in the sentry but the mask, as long as the alternate stack stays what the frame says.
 *
 * Locks: tgroup.mu orders telling, lending and forgetting, and keeps the context in place.
 */
#pragma once

struct sigframe_at;
struct task;

void own_ids_tell(struct task *t);              /* the caller is @t */
void own_mask_lend(struct task *t);             /* the same */
void own_mask_lend_locked(struct task *t);      /* @t is the caller, or did not run yet; tgroup.mu held */
void own_frame_lend(struct task *t, const struct sigframe_at *f);       /* the same as own_mask_lend(), and the mask */
void own_frame_forget(struct task *t);          /* the caller is @t, whose alternate stack changes */
void own_mask_recall_locked(struct task *t);    /* any caller, tgroup.mu held: task.blocked is the mask again */
void own_calls_forget_locked(struct task *t);   /* any caller, tgroup.mu held */
