/*
 * own_calls.c - see own_calls.h.
 */
#include "sentry/kernel/own_calls.h"

#include <sys/syscall.h>
#include "platform/platform.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task.h"

static bool is_seen(struct task *t, u32 nr)
{
	return t->kernel->strace || __atomic_load_n(&t->pt, __ATOMIC_ACQUIRE) || !seccomp_passes(t, nr);
}

void own_ids_tell(struct task *t)
{
	int pid = pid_nr(t, t->tg->tgid), tid = pid_nr(t, t->tid);

	mutex_lock(&t->tg->mu);
	if (!is_seen(t, SYS_getpid) && !is_seen(t, SYS_gettid))
		ctx_tell_ids(t->ctx, (u32)pid, (u32)tid);
	mutex_unlock(&t->tg->mu);
}

void own_mask_lend_locked(struct task *t)
{
	if (!t->mask_lent && !(t->pending.set | t->tg->pending.set) && !is_seen(t, SYS_rt_sigprocmask))
		t->mask_lent = ctx_lend_mask(t->ctx, t->blocked);
}

void own_mask_lend(struct task *t)
{
	mutex_lock(&t->tg->mu);
	own_mask_lend_locked(t);
	mutex_unlock(&t->tg->mu);
}

void own_frame_lend(struct task *t, const struct sigframe_at *f)
{
	mutex_lock(&t->tg->mu);
	own_mask_lend_locked(t);
	ctx_lend_frame(t->ctx, t->mask_lent && !is_seen(t, SYS_rt_sigreturn) ? f : NULL);
	mutex_unlock(&t->tg->mu);
}

void own_frame_forget(struct task *t)
{
	mutex_lock(&t->tg->mu);
	ctx_lend_frame(t->ctx, NULL);
	mutex_unlock(&t->tg->mu);
}

void own_mask_recall_locked(struct task *t)
{
	if (!t->mask_lent)
		return;
	t->mask_lent = false;
	t->blocked = ctx_recall_mask(t->ctx) & ~SIG_UNBLOCKABLE;
}

void own_calls_forget_locked(struct task *t)
{
	if (!t->ctx)
		return;
	ctx_tell_ids(t->ctx, 0, 0);
	ctx_lend_frame(t->ctx, NULL);
	own_mask_recall_locked(t);
}
