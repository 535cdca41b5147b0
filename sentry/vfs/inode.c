/*
 * inode.c - life and attributes of inodes and super blocks.
 *
 * Attribute fields are read without i->mu where one torn set of fields does no harm
 * (permission checks read mode, uid and gid as Linux does under RCU); they are
 * written under it.
 */
#include "sentry/vfs/inode.h"
#include <linux/capability.h>
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/lease.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/posix_acl.h"
#include "sentry/vfs/vfs.h"

void super_init(struct super *sb, const struct super_ops *ops, struct kernel *k, u32 magic)
{
	sb->ops = ops;
	ref_init(&sb->ref);
	sb->magic = magic;
	sb->kernel = k;
	sb->dev_minor = atomic_fetch_add(&k->next_dev, 1) + 1;
	mutex_init(&sb->rename_mu, RANK_MOUNT);
	mutex_init(&sb->acl_mu, RANK_LEAF);
	dcache_init(&sb->dcache);
}

struct super *super_ref(struct super *sb)
{
	ref_get(&sb->ref);
	return sb;
}

void super_unref(struct super *sb)
{
	if (!sb || !ref_put(&sb->ref))
		return;
	dcache_done(&sb->dcache);
	sb->ops->release(sb);
}

ktime_t inode_now(struct inode *i)
{
	return ktime_real(i->sb->kernel);
}

void inode_init(struct inode *i, const struct inode_ops *ops, struct super *sb, u64 ino, u32 mode,
                u32 uid, u32 gid)
{
	i->ops = ops;
	i->sb = super_ref(sb);
	ref_init(&i->ref);
	i->ino = ino;
	mutex_init(&i->wr_mu, RANK_IWRITE);
	mutex_init(&i->mu, RANK_INODE);
	i->mode = mode;
	i->uid = uid;
	i->gid = gid;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->atime = i->mtime = i->ctime = i->btime = inode_now(i);
}

void inode_done(struct inode *i)
{
	notify_forget(i);
	locks_free(i);
	lease_free(i);
	inode_acls_done(i);
	super_unref(i->sb);
	i->sb = NULL;
}

struct inode *inode_ref(struct inode *i)
{
	ref_get(&i->ref);
	return i;
}

struct inode *inode_unref(struct inode *i)
{
	if (i && ref_put(&i->ref))
		i->ops->release(i);
	return NULL;
}

static bool count_writers(struct inode *i, s32 by)
{
	s32 n = atomic_load(&i->writers);

	do {
		if (by > 0 ? n < 0 : n > 0)
			return false;
	} while (!atomic_compare_exchange_weak(&i->writers, &n, n + by));
	return true;
}

bool inode_add_writer(struct inode *i) { return count_writers(i, 1); }
void inode_drop_writer(struct inode *i) { atomic_fetch_sub(&i->writers, 1); }
bool inode_deny_writers(struct inode *i) { return count_writers(i, -1); }
void inode_allow_writers(struct inode *i) { atomic_fetch_add(&i->writers, 1); }

int inode_getattr(struct task *t, struct inode *i, struct kstat *ret)
{
	if (i->ops->getattr)
		return i->ops->getattr(t, i, ret);
	inode_fields(i, ret);
	return 0;
}

void inode_fields(struct inode *i, struct kstat *ret)
{
	mutex_lock(&i->mu);
	*ret = (struct kstat){
		.ino = i->ino, .size = i->size, .blocks = i->blocks, .mode = i->mode,
		.nlink = i->nlink, .uid = i->uid, .gid = i->gid, .blksize = 4096,
		.dev_minor = i->sb->dev_minor, .rdev_major = i->rdev_major, .rdev_minor = i->rdev_minor,
		.atime = i->atime, .mtime = i->mtime, .ctime = i->ctime, .btime = i->btime, .has_btime = true,
	};
	mutex_unlock(&i->mu);
}

void inode_apply_attr(struct inode *i, const struct iattr *a)
{
	ktime_t now = inode_now(i);

	if (a->valid & IATTR_UID)
		i->uid = a->uid;
	if (a->valid & IATTR_GID)
		i->gid = a->gid;
	if (a->valid & IATTR_MODE)
		i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
	if (a->valid & IATTR_SIZE) {
		i->size = a->size;
		i->mtime = now;
	}
	if (a->valid & (IATTR_ATIME | IATTR_ATIME_NOW))
		i->atime = a->valid & IATTR_ATIME_NOW ? now : a->atime;
	if (a->valid & (IATTR_MTIME | IATTR_MTIME_NOW))
		i->mtime = a->valid & IATTR_MTIME_NOW ? now : a->mtime;
	i->ctime = now;
}

void inode_new_owner(struct task *t, struct inode *dir, u32 *mode, u32 *ret_uid, u32 *ret_gid)
{
	const struct cred *c = task_cred(t);

	*ret_uid = c->fsuid;
	*ret_gid = c->fsgid;
	if (!(dir->mode & S_ISGID))
		return;
	*ret_gid = dir->gid;
	if (S_ISDIR(*mode))
		*mode |= S_ISGID;
	else if ((*mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !cred_in_group(c, dir->gid) &&
	         !self_capable(t, CAP_FSETID))
		*mode &= ~(u32)S_ISGID;
}

void inode_touch_atime(struct inode *i, u32 mnt_flags)
{
	ktime_t now;

	if (i->ops->getattr || (mnt_flags & (MNT_NOATIME | MNT_READONLY)))
		return;
	if (S_ISDIR(i->mode) && (mnt_flags & MNT_NODIRATIME))
		return;
	now = inode_now(i);
	mutex_lock(&i->mu);
	if (i->atime <= i->mtime || i->atime <= i->ctime || now - i->atime >= 86400 * NSEC_PER_SEC)
		i->atime = now;
	mutex_unlock(&i->mu);
}
