/*
 * attr.c - attributes of places: chmod, chown, utimes, truncate, access,
 * readlink, statfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/statfs.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/lease.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/perm.h"

/* chown(2) by anybody takes set-id bits from files (and so does root's). */
static void shed_on_chown(struct inode *i, struct iattr *a)
{
	u32 mode = a->valid & IATTR_MODE ? a->mode : i->mode & 07777;
	u32 kept = mode & ~(u32)S_ISUID;

	if (S_ISDIR(i->mode) || !(a->valid & (IATTR_UID | IATTR_GID)))
		return;
	if (mode & S_IXGRP)
		kept &= ~(u32)S_ISGID;
	if (kept == mode)
		return;
	a->valid |= IATTR_MODE;
	a->mode = kept;
}

int inode_setattr(struct task *t, struct inode *i, const struct iattr *want)
{
	struct iattr a = *want;
	int r = perm_setattr(t, i, &a);

	if (r < 0)
		return r;
	shed_on_chown(i, &a);
	if (!i->ops->setattr)
		return -EPERM;
	r = i->ops->setattr(t, i, &a);
	return r < 0 ? r : 0;
}

/* One time alone changed: as reading or writing would have told. */
static u32 changed_mask(u32 valid)
{
	bool atime = valid & (IATTR_ATIME | IATTR_ATIME_NOW), mtime = valid & (IATTR_MTIME | IATTR_MTIME_NOW);
	u32 mask = valid & (IATTR_MODE | IATTR_UID | IATTR_GID) || (atime && mtime) ? IN_ATTRIB : 0;

	if (atime != mtime)
		mask |= atime ? IN_ACCESS : IN_MODIFY;
	return mask | (valid & IATTR_SIZE ? IN_MODIFY : 0);
}

int vfs_setattr(struct task *t, const struct path *p, const struct iattr *a)
{
	int r = perm_want_write(p);

	if (r == 0)
		r = inode_setattr(t, path_inode(p), a);
	if (r == 0)
		notify_dentry(path_inode(p)->sb, p->dentry, changed_mask(a->valid));
	return r;
}

int vfs_truncate(struct task *t, const struct path *p, u64 size)
{
	struct inode *i = path_inode(p);
	struct iattr a = { .valid = IATTR_SIZE, .size = size };
	int r;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	r = perm_want_write(p);
	if (r == 0)
		r = landlock_path(t, p, LL_TRUNCATE);
	if (r == 0)
		r = inode_permission(t, i, MAY_WRITE);
	if (r == 0 && !i->ops->setattr)
		r = -EPERM;
	if (r == 0)
		r = lease_break(t, i, O_WRONLY);
	if (r < 0)
		return r;
	if (size > task_rlimit(t, RLIMIT_FSIZE)) {
		signal_send_task(t, SIGXFSZ, NULL);
		return -EFBIG;
	}
	if (!inode_add_writer(i))
		return -ETXTBSY;
	mutex_lock(&i->wr_mu);
	r = i->ops->setattr(t, i, &a);
	mutex_unlock(&i->wr_mu);
	inode_drop_writer(i);
	if (r == 0)
		notify_dentry(i->sb, p->dentry, IN_MODIFY);
	return r;
}

/* ---- access(2): the real ids, and the capabilities they would have ---- */

static struct cred *real_cred(const struct cred *c)
{
	struct cred *n = cred_dup(c);

	if (!n)
		return NULL;
	n->fsuid = n->uid;
	n->fsgid = n->gid;
	n->cap_eff = user_ns_is_root(n->user_ns, n->uid) ? n->cap_prm : 0;
	return n;
}

static int check_access(struct task *t, const struct path *p, int mode)
{
	struct inode *i = path_inode(p);

	if ((mode & X_OK) && S_ISREG(i->mode) && (mount_flags(p->mnt) & MNT_NOEXEC))
		return -EACCES;
	if ((mode & W_OK) && (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)) &&
	    perm_want_write(p) < 0)
		return -EROFS;
	return mode ? inode_permission(t, i, mode) : 0;
}

static int access_at(struct task *t, int dirfd, const char *name, int mode, u32 at_flags)
{
	u32 look = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
	           (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	auto_path p = { 0 };
	int r = vfs_lookup(t, dirfd, name, look, &p);

	return r < 0 ? r : check_access(t, &p, mode);
}

int vfs_access(struct task *t, int dirfd, const char *name, int mode, u32 at_flags)
{
	const struct cred *c = task_cred(t), *saved;
	bool as_is = c->uid == c->fsuid && c->gid == c->fsgid &&
	             (user_ns_is_root(c->user_ns, c->uid) ? c->cap_eff == c->cap_prm : c->cap_eff == 0);
	struct cred *real;
	int r;

	if ((at_flags & AT_EACCESS) || as_is)
		return access_at(t, dirfd, name, mode, at_flags);
	real = real_cred(c);
	if (!real)
		return -ENOMEM;
	saved = cred_ref(c);
	task_set_cred(t, real);
	r = access_at(t, dirfd, name, mode, at_flags);
	/* task_set_cred takes a mutable one; nobody edits a published cred. */
	task_set_cred(t, (struct cred *)(uintptr_t)saved);
	return r;
}

/* ---- symlinks and file systems ---- */

ssize_t vfs_readlink(struct task *t, const struct path *p, char *buf, size_t cap)
{
	struct inode *i = path_inode(p);

	if (!S_ISLNK(i->mode))
		return -EINVAL;
	if (!i->ops->readlink)
		return -EINVAL;
	return i->ops->readlink(t, i, buf, cap);
}

static long st_flags(u32 flags)
{
	static const struct { u32 mnt; long st; } map[] = {
		{ MNT_READONLY, 1 }, { MNT_NOSUID, 2 }, { MNT_NODEV, 4 }, { MNT_NOEXEC, 8 },
		{ MNT_NOATIME, 0x400 }, { MNT_NODIRATIME, 0x800 }, { MNT_RELATIME, 0x1000 },
		{ MNT_NOSYMFOLLOW, 0x2000 },
	};
	long r = 0x20;          /* ST_VALID */

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (flags & map[i].mnt)
			r |= map[i].st;
	return r;
}

int vfs_statfs(struct task *t, struct super *sb, u32 mnt_flags, struct statfs *ret)
{
	int r = 0;

	*ret = (struct statfs){
		.f_type = (__fsword_t)sb->magic, .f_bsize = 4096, .f_frsize = 4096, .f_namelen = 255,
	};
	ret->f_fsid.__val[0] = (int)sb->dev_minor;
	if (sb->ops->statfs)
		r = sb->ops->statfs(t, sb, ret);
	ret->f_flags = st_flags(mnt_flags);
	return r;
}

/* The minor number as stat(2) lays it out; the major is 0. */
static u32 minor_of(u32 dev) { return (dev & 0xff) | (dev >> 12 & ~0xffu); }

int vfs_statfs_dev(struct task *t, u32 dev, struct statfs *ret)
{
	struct vfs *v = t->kernel->vfs;
	struct mount *m, *found = NULL;
	int r = -EINVAL;

	if (dev & 0xfff00)
		return -EINVAL;
	mutex_lock(&v->mu);
	list_for_each(m, &t->mnt_ns->mounts, ns_node)
		if (m->sb->dev_minor == minor_of(dev)) {
			found = mount_ref(m);
			break;
		}
	mutex_unlock(&v->mu);
	if (found)
		r = vfs_statfs(t, found->sb, 0, ret);
	mount_unref(found);
	return r;
}
