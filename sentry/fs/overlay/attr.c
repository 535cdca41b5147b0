/*
 * attr.c - attributes of an overlay: those of the visible layer, under one
 * device number and a number that a copy does not change.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/fs/overlay/overlay_int.h"
#include "sentry/vfs/posix_acl.h"

int ovl_getattr(struct task *t, struct inode *i, struct kstat *ret)
{
	struct onode *n = onode_of(i);
	int r = inode_getattr(t, onode_real(n), ret);

	if (r < 0)
		return r;
	__atomic_store_n(&i->mode, ret->mode, __ATOMIC_RELAXED);
	__atomic_store_n(&i->uid, ret->uid, __ATOMIC_RELAXED);
	__atomic_store_n(&i->gid, ret->gid, __ATOMIC_RELAXED);
	__atomic_store_n(&i->size, ret->size, __ATOMIC_RELAXED);
	ret->ino = i->ino;
	ret->dev_major = 0;
	ret->dev_minor = i->sb->dev_minor;
	/* Links of merged directories cannot be counted cheaply: 1 means "do not rely on it". */
	if (S_ISDIR(ret->mode) && onode_upper(n) && n->nlower)
		ret->nlink = 1;
	return 0;
}

int ovl_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	struct onode *n = onode_of(i);
	struct inode *u;
	int r = ovl_copy_up(t, n, !((a->valid & IATTR_SIZE) && a->size == 0));

	if (r < 0)
		return r;
	u = onode_upper(n);
	r = u->ops->setattr ? u->ops->setattr(t, u, a) : -EPERM;
	return r < 0 ? r : onode_refresh(t, n);
}

ssize_t ovl_readlink(struct task *t, struct inode *i, char *buf, size_t cap)
{
	struct inode *real = onode_real(onode_of(i));

	return real->ops->readlink ? real->ops->readlink(t, real, buf, cap) : -EINVAL;
}

ssize_t ovl_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t cap)
{
	struct inode *real = onode_real(onode_of(i));

	if (str_starts(name, overlay_of(i)->marks->prefix))
		return -ENODATA;
	return real->ops->getxattr ? real->ops->getxattr(t, real, name, buf, cap) : -EOPNOTSUPP;
}

int ovl_setxattr(struct task *t, struct inode *i, const char *name, const void *v, size_t len, int flags)
{
	struct onode *n = onode_of(i);
	struct inode *u;
	int r;

	if (str_starts(name, overlay_of(i)->marks->prefix))
		return -EPERM;
	r = ovl_copy_up(t, n, true);
	if (r < 0)
		return r;
	u = onode_upper(n);
	return u->ops->setxattr ? u->ops->setxattr(t, u, name, v, len, flags) : -EOPNOTSUPP;
}

int ovl_removexattr(struct task *t, struct inode *i, const char *name)
{
	struct onode *n = onode_of(i);
	struct inode *u;
	ssize_t has = ovl_getxattr(t, i, name, NULL, 0);
	int r;

	if (has < 0)
		return (int)has;
	r = ovl_copy_up(t, n, true);
	if (r < 0)
		return r;
	u = onode_upper(n);
	return u->ops->removexattr ? u->ops->removexattr(t, u, name) : -EOPNOTSUPP;
}

int ovl_get_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl **ret)
{
	return inode_get_acl(t, onode_real(onode_of(i)), type, ret);
}

int ovl_set_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl *a)
{
	struct onode *n = onode_of(i);
	auto_acl *old = NULL;
	struct inode *u;
	int r = a || onode_upper(n) ? 0 : ovl_get_acl(t, i, type, &old);

	if (r == 0 && !a && !onode_upper(n) && !old)
		r = -ENODATA;           /* nothing to remove: no reason for a copy */
	if (r == 0)
		r = ovl_copy_up(t, n, true);
	if (r < 0)
		return r;
	u = onode_upper(n);
	r = u->ops->set_acl ? u->ops->set_acl(t, u, type, a) : -EOPNOTSUPP;
	return r < 0 ? r : onode_refresh(t, n);
}

/* Our own marks are not shown; a size asked for may be larger than the list. */
ssize_t ovl_listxattr(struct task *t, struct inode *i, char *buf, size_t cap)
{
	struct inode *real = onode_real(onode_of(i));
	ssize_t n;
	size_t out = 0;

	if (!real->ops->listxattr)
		return -EOPNOTSUPP;
	n = real->ops->listxattr(t, real, buf, cap);
	if (n <= 0 || cap == 0)
		return n;
	for (size_t at = 0; at < (size_t)n;) {
		size_t len = strnlen(buf + at, (size_t)n - at) + 1;

		if (!str_starts(buf + at, overlay_of(i)->marks->prefix)) {
			memmove(buf + out, buf + at, len);
			out += len;
		}
		at += len;
	}
	return (ssize_t)out;
}
