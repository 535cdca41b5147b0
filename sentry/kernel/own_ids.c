/*
 * own_ids.c - see own_ids.h.
 */
#include "sentry/kernel/own_ids.h"

#include <sys/syscall.h>
#include "platform/platform.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task.h"

void own_ids_tell(struct task *t)
{
	int pid = pid_nr(t, t->tg->tgid), tid = pid_nr(t, t->tid);

	if (t->kernel->strace)
		return;
	mutex_lock(&t->tg->mu);
	if (!__atomic_load_n(&t->pt, __ATOMIC_ACQUIRE) && seccomp_passes(t, SYS_getpid) && seccomp_passes(t, SYS_gettid))
		ctx_tell_ids(t->ctx, (u32)pid, (u32)tid);
	mutex_unlock(&t->tg->mu);
}

void own_ids_forget_locked(struct task *t)
{
	if (t->ctx)
		ctx_tell_ids(t->ctx, 0, 0);
}
