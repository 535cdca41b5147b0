/*
 * unshare.c - see unshare.h.
 *
 * Everything is made first; publishing cannot fail.  A new user namespace comes before the others:
 * it owns them, and gives the right to make them.
 */
#include "sentry/kernel/unshare.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>

#include "sentry/ipc/ipc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/vfs.h"

static int new_user_ns(struct task *t, struct cred **ret)
{
	struct user_ns *u;
	struct cred *c;
	int r = user_ns_new(t, &u);

	if (r < 0)
		return r;
	c = cred_dup(task_cred(t));
	if (c)
		cred_enter_user_ns(c, u);
	user_ns_unref(u);
	*ret = c;
	return c ? 0 : -ENOMEM;
}

int ns_parts_make(struct task *t, u64 flags, struct fs *fs, struct ns_parts *ret)
{
	const struct cred *c;
	int r = 0;

	*ret = (struct ns_parts){ 0 };
	if (!(flags & NS_FLAGS))
		return 0;
	if (flags & CLONE_NEWUSER)
		r = new_user_ns(t, &ret->cred);
	if (r < 0)
		return r;
	c = ret->cred ? ret->cred : task_cred(t);
	if ((flags & NS_FLAGS & ~(u64)CLONE_NEWUSER) && !cred_ns_capable(c, c->user_ns, CAP_SYS_ADMIN))
		r = -EPERM;
	if (r == 0 && (flags & NS_FLAGS & ~(u64)(CLONE_NEWUSER | CLONE_NEWNS)))
		r = nsset_copy(t, flags, c, &ret->set);
	if (r == 0 && (flags & CLONE_NEWNS))
		r = mnt_ns_copy(t, t->mnt_ns, c->user_ns, fs, &ret->mnt);
	if (r < 0)
		ns_parts_drop(ret);
	return r;
}

void ns_parts_drop(struct ns_parts *p)
{
	cred_unref(p->cred);
	nsset_unref(p->set);
	mnt_ns_unref(p->mnt);
	*p = (struct ns_parts){ 0 };
}

int task_unshare(struct task *t, u64 flags)
{
	struct fdtable *nft = flags & CLONE_FILES ? fdtable_copy(t->files) : NULL, *oft = t->files;
	bool own_fs = flags & (CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER);
	struct fs *nfs = own_fs ? fs_copy(t->fs) : NULL, *ofs = t->fs;
	struct nsset *oset = t->nsset;
	struct mnt_ns *omnt = t->mnt_ns;
	struct ns_parts p = { 0 };
	int r = ((flags & CLONE_FILES) && !nft) || (own_fs && !nfs) ? -ENOMEM : 0;

	if (r == 0)
		r = ns_parts_make(t, flags, nfs, &p);
	if (r < 0) {
		if (nft)
			fdtable_unref(t, nft);
		if (nfs)
			fs_unref(nfs);
		return r;
	}
	if (flags & (CLONE_NEWIPC | CLONE_SYSVSEM))
		ipc_exit(t->tg, task_ipc_ns(t));
	mutex_lock(&t->mu);
	if (nft)
		t->files = nft;
	if (nfs)
		t->fs = nfs;
	if (p.mnt)
		t->mnt_ns = p.mnt;
	if (p.set)
		t->nsset = p.set;
	mutex_unlock(&t->mu);
	if (nft)
		fdtable_unref(t, oft);
	if (nfs)
		fs_unref(ofs);
	if (p.mnt)
		mnt_ns_unref(omnt);
	if (p.set)
		nsset_unref(oset);
	if (p.cred)
		task_set_cred(t, p.cred);
	return 0;
}
