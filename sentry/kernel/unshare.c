/*
 * unshare.c - see unshare.h.
 */
#include "sentry/kernel/unshare.h"

#include <errno.h>

#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/vfs.h"

bool task_is_alone(struct task *t)
{
	bool alone;

	mutex_lock(&t->tg->mu);
	alone = t->tg->nthreads == 1;
	mutex_unlock(&t->tg->mu);
	return alone;
}

int task_unshare(struct task *t, bool files, bool fs, bool mounts)
{
	struct fdtable *nft = files ? fdtable_copy(t->files) : NULL, *oft = t->files;
	struct fs *nfs = fs ? fs_copy(t->fs) : NULL, *ofs = t->fs;
	struct mnt_ns *nns = NULL, *ons = t->mnt_ns;
	int r = (files && !nft) || (fs && !nfs) ? -ENOMEM : 0;

	if (r == 0 && mounts)
		r = mnt_ns_copy(t, ons, nfs, &nns);
	if (r < 0) {
		if (nft)
			fdtable_unref(t, nft);
		if (nfs)
			fs_unref(nfs);
		return r;
	}
	mutex_lock(&t->mu);
	if (nft)
		t->files = nft;
	if (nfs)
		t->fs = nfs;
	if (nns)
		t->mnt_ns = nns;
	mutex_unlock(&t->mu);
	if (nft)
		fdtable_unref(t, oft);
	if (nfs)
		fs_unref(ofs);
	if (nns)
		mnt_ns_unref(ons);
	return 0;
}
