/*
 * access.c - may one task look into another? (Linux: ptrace_may_access)
 *
 * Same process; or all ids equal the caller's and the target is dumpable; or CAP_SYS_PTRACE.
 * A target with capabilities that the caller lacks is out of reach.
 */
#include <linux/capability.h>

#include "sentry/kernel/task.h"
#include "sentry/vfs/landlock.h"

bool task_may_access(struct task *by, struct task *x)
{
	const struct cred *c = task_cred(by), *xc;
	bool ok;

	if (by->tg == x->tg)
		return true;
	xc = task_cred_get(x);
	ok = c->fsuid == xc->uid && c->fsuid == xc->euid && c->fsuid == xc->suid &&
	     c->fsgid == xc->gid && c->fsgid == xc->egid && c->fsgid == xc->sgid &&
	     c->user_ns == xc->user_ns && (xc->cap_prm & ~c->cap_prm) == 0 && x->tg->dumpable;
	ok = ok || cred_ns_capable(c, xc->user_ns, CAP_SYS_PTRACE);
	ok = ok && landlock_may_trace(c, xc);
	cred_unref(xc);
	return ok;
}
