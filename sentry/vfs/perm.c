/*
 * perm.c - permission rules on inodes (path_resolution(7), capabilities(7), acl(5)).
 *
 * Mode bits and access lists with the fs ids, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
 * CAP_FOWNER, CAP_CHOWN, CAP_FSETID, and the sticky bit.  Pure checks: nothing
 * here changes an inode.
 */
#include "sentry/vfs/perm.h"
#include <linux/capability.h>
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/posix_acl.h"
#include "sentry/vfs/vfs.h"

static bool cred_capable(const struct cred *c, const struct inode *i, int cap)
{
	return ((c->cap_eff >> cap) & 1) && user_ns_from_uid(c->user_ns, i->uid) != ID_NONE &&
	       user_ns_from_gid(c->user_ns, i->gid) != ID_NONE;
}

bool inode_capable(struct task *t, struct inode *i, int cap)
{
	return cred_capable(task_cred(t), i, cap);
}

/* What the mode refuses, a capability may allow. */
static bool overridden(const struct cred *c, const struct inode *i, u32 mode, int mask)
{
	if (S_ISDIR(mode))
		return (!(mask & MAY_WRITE) && cred_capable(c, i, CAP_DAC_READ_SEARCH)) ||
		       cred_capable(c, i, CAP_DAC_OVERRIDE);
	return (mask == MAY_READ && cred_capable(c, i, CAP_DAC_READ_SEARCH)) ||
	       ((!(mask & MAY_EXEC) || (mode & 0111)) && cred_capable(c, i, CAP_DAC_OVERRIDE));
}

/* Of somebody who is not the owner. */
static u32 class_bits(const struct cred *c, const struct inode *i, u32 mode)
{
	return c->fsgid == i->gid || cred_in_group(c, i->gid) ? mode >> 3 : mode;
}

/* There may be a list.  To find out may cost a request: those who may anyway are let pass first. */
static int check_acl(struct task *t, struct inode *i, u32 mode, int mask)
{
	const struct cred *c = task_cred(t);
	auto_acl *a = NULL;
	int r;

	if (overridden(c, i, mode, mask))
		return 0;
	r = inode_get_acl(t, i, ACL_ACCESS, &a);
	if (r < 0)
		return r;
	if (a)
		return acl_check(a, c, i->uid, i->gid, mask);
	return (class_bits(c, i, mode) & (u32)mask) == (u32)mask ? 0 : -EACCES;
}

static int check_mode(const struct cred *c, const struct inode *i, u32 mode, int mask)
{
	u32 bits = c->fsuid == i->uid ? mode >> 6 : class_bits(c, i, mode);

	if ((bits & (u32)mask) == (u32)mask)
		return 0;
	return overridden(c, i, mode, mask) ? 0 : -EACCES;
}

static u32 mode_now(const struct inode *i) { return __atomic_load_n(&i->mode, __ATOMIC_ACQUIRE); }

int inode_mode_permission(const struct cred *c, const struct inode *i, int mask)
{
	return check_mode(c, i, mode_now(i), mask);
}

int inode_permission(struct task *t, struct inode *i, int mask)
{
	const struct cred *c = task_cred(t);
	u32 mode = mode_now(i);

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (i->ops->permission)
		return i->ops->permission(t, i, mask);
	if (c->fsuid != i->uid && (mode & S_IRWXG) && atomic_load_explicit(&i->acl[ACL_ACCESS], memory_order_relaxed))
		return check_acl(t, i, mode, mask);
	return check_mode(c, i, mode, mask);
}

int perm_want_write(const struct path *p)
{
	return mount_flags(p->mnt) & MNT_READONLY ? -EROFS : 0;
}

bool inode_owner_or_capable(struct task *t, struct inode *i)
{
	return task_cred(t)->fsuid == i->uid || inode_capable(t, i, CAP_FOWNER);
}

int perm_may_create(struct task *t, struct inode *dir)
{
	return inode_permission(t, dir, MAY_WRITE | MAY_EXEC);
}

int perm_may_delete(struct task *t, struct inode *dir, struct inode *victim, bool want_dir)
{
	u32 fsuid = task_cred(t)->fsuid;
	int r = inode_permission(t, dir, MAY_WRITE | MAY_EXEC);

	if (r < 0)
		return r;
	if ((dir->mode & S_ISVTX) && victim->uid != fsuid && dir->uid != fsuid && !inode_capable(t, victim, CAP_FOWNER))
		return -EPERM;
	if (want_dir)
		return S_ISDIR(victim->mode) ? 0 : -ENOTDIR;
	return S_ISDIR(victim->mode) ? -EISDIR : 0;
}

static bool may_chgrp(struct task *t, struct inode *i, u32 gid)
{
	const struct cred *c = task_cred(t);

	if (inode_capable(t, i, CAP_CHOWN))
		return true;
	return c->fsuid == i->uid && (gid == i->gid || gid == c->fsgid || cred_in_group(c, gid));
}

int perm_setattr(struct task *t, struct inode *i, struct iattr *a)
{
	if (((a->valid & IATTR_UID) && a->uid == ID_NONE) || ((a->valid & IATTR_GID) && a->gid == ID_NONE))
		return -EINVAL;
	if ((a->valid & IATTR_UID) && !inode_capable(t, i, CAP_CHOWN) &&
	    (task_cred(t)->fsuid != i->uid || a->uid != i->uid))
		return -EPERM;
	if ((a->valid & IATTR_GID) && !may_chgrp(t, i, a->gid))
		return -EPERM;
	if (a->valid & IATTR_MODE) {
		u32 gid = a->valid & IATTR_GID ? a->gid : i->gid;

		if (!(a->valid & (IATTR_UID | IATTR_GID)) && !inode_owner_or_capable(t, i))
			return -EPERM;
		if ((a->mode & S_ISGID) && task_cred(t)->fsgid != gid &&
		    !cred_in_group(task_cred(t), gid) && !inode_capable(t, i, CAP_FSETID))
			a->mode &= ~(u32)S_ISGID;
	}
	if ((a->valid & (IATTR_ATIME | IATTR_MTIME)) && !inode_owner_or_capable(t, i))
		return -EPERM;
	/* Setting both to now needs write permission only. */
	if ((a->valid & (IATTR_ATIME_NOW | IATTR_MTIME_NOW)) && !inode_owner_or_capable(t, i)) {
		if ((a->valid & (IATTR_ATIME_NOW | IATTR_MTIME_NOW)) != (IATTR_ATIME_NOW | IATTR_MTIME_NOW))
			return -EPERM;
		return inode_permission(t, i, MAY_WRITE);
	}
	return 0;
}
