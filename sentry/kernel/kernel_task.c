/*
 * kernel_task.c - a task that runs no application code: boot's hands in the file system.
 *
 * It has all capabilities, no limits, no number, and is in no table, so nothing can signal it
 * and it is never interrupted.  Only the thread that made it uses it.
 */
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/vfs.h"

struct task *task_new_kernel(struct kernel *k, struct fs *fs, struct mnt_ns *ns, struct fdtable *files)
{
	struct cred *cred = cred_new();
	struct tgroup *tg = cred ? tgroup_new(k) : NULL;
	struct task *t = tg ? task_new(k, tg) : NULL;

	if (!t) {
		tgroup_unref(tg);
		if (cred)
			cred_unref(cred);
		return NULL;
	}
	tgroup_unref(tg);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		tg->rlim[i] = (struct rlimit64_g){ ~0ull, ~0ull };
	cred->cap_prm = cred->cap_eff = cred->cap_bnd = (1ull << 41) - 1;
	if (k->user_ns)
		cred->user_ns = user_ns_ref(k->user_ns);
	if (k->nsset) {
		t->nsset = nsset_ref(k->nsset);
		tg->pid_ns = pid_ns_of(ns_ref(k->nsset->of[NS_PID]));
	}
	t->cred = cred;
	t->fs = fs ? fs_ref(fs) : NULL;
	t->mnt_ns = ns ? mnt_ns_ref(ns) : NULL;
	t->files = files ? fdtable_ref(files) : NULL;
	memcpy(t->comm, "kernel", 7);
	return t;
}

void task_enter_kernel(struct task *t, struct nsset *set)
{
	struct pid_ns *old = t->tg->pid_ns;

	nsset_unref(t->nsset);
	t->nsset = nsset_ref(set);
	t->tg->pid_ns = pid_ns_of(ns_ref(set->of[NS_PID]));
	if (old)
		ns_unref(&old->ns);
}

void task_free_kernel(struct task *t)
{
	task_drop_shared(t);
	task_unref(t);
}
