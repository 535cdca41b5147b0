/*
 * access.c - may one task look into another? (Linux: ptrace_may_access)
 *
 * Same process; or all ids equal the caller's and the target is dumpable; or CAP_SYS_PTRACE.
 * A target with capabilities that the caller lacks is out of reach.
 */
#include <linux/capability.h>

#include "sentry/kernel/task.h"

bool task_may_access(struct task *by, struct task *x)
{
	const struct cred *c = task_cred(by), *xc;
	bool ok;

	if (by->tg == x->tg || capable(by, CAP_SYS_PTRACE))
		return true;
	xc = task_cred_get(x);
	ok = c->fsuid == xc->uid && c->fsuid == xc->euid && c->fsuid == xc->suid &&
	     c->fsgid == xc->gid && c->fsgid == xc->egid && c->fsgid == xc->sgid &&
	     (xc->cap_prm & ~c->cap_prm) == 0;
	cred_unref(xc);
	return ok && x->tg->dumpable;
}
