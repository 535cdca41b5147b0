/*
 * inode_acl.c - the access control lists of inodes: who keeps them, how they are read, set and inherited.
 */
#include <errno.h>
#include <linux/capability.h>
#include "platform/base/str.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/perm.h"
#include "sentry/vfs/posix_acl.h"
#include "sentry/vfs/vfs.h"

const char *const acl_xattr_name[ACL_TYPES] = { "system.posix_acl_access", "system.posix_acl_default" };

int acl_type_of(const char *name)
{
	for (int i = 0; i < ACL_TYPES; i++)
		if (str_eq(name, acl_xattr_name[i]))
			return i;
	return -1;
}

/* ---- keeping ---- */

int inode_get_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl **ret)
{
	struct posix_acl *a = atomic_load_explicit(&i->acl[type], memory_order_acquire);

	*ret = NULL;
	if (!a)
		return 0;
	if (a != ACL_UNKNOWN) {
		mutex_lock(&i->sb->acl_mu);
		a = atomic_load(&i->acl[type]);
		if (a != ACL_UNKNOWN)
			*ret = acl_ref(a);
		mutex_unlock(&i->sb->acl_mu);
	}
	return a == ACL_UNKNOWN ? i->ops->get_acl(t, i, type, ret) : 0;
}

void inode_keep_acl(struct inode *i, enum acl_type type, struct posix_acl *a)
{
	struct posix_acl *old;

	mutex_lock(&i->sb->acl_mu);
	old = atomic_exchange(&i->acl[type], a);
	mutex_unlock(&i->sb->acl_mu);
	if (old != ACL_UNKNOWN)
		acl_unref(old);
}

void inode_forget_acls(struct inode *i)
{
	int types = S_ISLNK(i->mode) ? 0 : S_ISDIR(i->mode) ? ACL_TYPES : 1;

	for (int type = 0; type < types; type++)
		if (atomic_load(&i->acl[type]) != ACL_UNKNOWN)
			inode_keep_acl(i, (enum acl_type)type, ACL_UNKNOWN);
}

void inode_acls_done(struct inode *i)
{
	for (int type = 0; type < ACL_TYPES; type++)
		if (atomic_load(&i->acl[type]))
			inode_keep_acl(i, (enum acl_type)type, NULL);
}

/* ---- setting ---- */

bool inode_keeps_setgid(struct task *t, struct inode *i)
{
	const struct cred *c = task_cred(t);

	return c->fsgid == i->gid || cred_in_group(c, i->gid) || inode_capable(t, i, CAP_FSETID);
}

int inode_set_acl_here(struct task *t, struct inode *i, enum acl_type type, struct posix_acl *a)
{
	u32 mode;

	mutex_lock(&i->mu);
	mode = i->mode;
	if (type == ACL_ACCESS && a && acl_to_mode(a, &mode))
		a = NULL;
	if (type == ACL_ACCESS && !inode_keeps_setgid(t, i))
		mode &= ~(u32)S_ISGID;
	/* Who looks meanwhile sees a mask without its list at no time. */
	if (a)
		inode_keep_acl(i, type, acl_ref(a));
	__atomic_store_n(&i->mode, mode, __ATOMIC_RELEASE);
	if (!a)
		inode_keep_acl(i, type, NULL);
	i->ctime = inode_now(i);
	mutex_unlock(&i->mu);
	return 0;
}

int inode_acl_chmod(struct inode *i, u32 mode)
{
	struct posix_acl *old = atomic_load(&i->acl[ACL_ACCESS]), *a;

	if (!old)
		return 0;
	a = acl_chmod(old, mode);
	if (!a)
		return -ENOMEM;
	inode_keep_acl(i, ACL_ACCESS, a);
	return 0;
}

int inode_copy_acl(struct task *t, struct inode *from, struct inode *to, enum acl_type type)
{
	auto_acl *a = NULL;
	int r = inode_get_acl(t, from, type, &a);

	if (r < 0 || !a)
		return r;
	return to->ops->set_acl ? to->ops->set_acl(t, to, type, a) : -EOPNOTSUPP;
}

/* ---- making ---- */

int acl_umask(struct task *t, struct inode *dir, u32 *mode)
{
	auto_acl *a = NULL;
	int r = inode_get_acl(t, dir, ACL_DEFAULT, &a);

	if (r == 0 && !a)
		*mode &= ~fs_umask(t->fs);
	return r;
}

int acl_inherit(struct task *t, struct inode *dir, u32 *mode, struct acl_heritage *ret)
{
	auto_acl *dflt = NULL, *a = NULL;
	int r = S_ISLNK(*mode) ? 0 : inode_get_acl(t, dir, ACL_DEFAULT, &dflt);

	*ret = (struct acl_heritage){ 0 };
	if (r < 0 || !dflt)
		return r;
	a = acl_for_new(dflt, mode);
	if (!a)
		return -ENOMEM;
	if (!acl_to_mode(a, &(u32){ 0 }))
		ret->acl[ACL_ACCESS] = acl_ref(a);
	if (S_ISDIR(*mode))
		ret->acl[ACL_DEFAULT] = acl_ref(dflt);
	return 0;
}

/* ---- extended attributes ---- */

ssize_t acl_getxattr(struct task *t, struct inode *i, enum acl_type type, void *buf, size_t cap)
{
	auto_acl *a = NULL;
	int r;

	if (!i->ops->set_acl || S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	r = inode_get_acl(t, i, type, &a);
	if (r < 0)
		return r;
	if (!a)
		return -ENODATA;
	if (cap > 0 && cap < acl_size(a))
		return -ERANGE;
	if (cap > 0)
		acl_format(task_user_ns(t), a, buf);
	return (ssize_t)acl_size(a);
}

static int set_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl *a)
{
	if (!i->ops->set_acl || S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (type == ACL_DEFAULT && !S_ISDIR(i->mode))
		return a ? -EACCES : 0;
	if (!inode_owner_or_capable(t, i))
		return -EPERM;
	if (a && !acl_valid(a))
		return -EINVAL;
	return i->ops->set_acl(t, i, type, a);
}

int acl_setxattr(struct task *t, struct inode *i, enum acl_type type, const void *v, size_t n)
{
	auto_acl *a = NULL;
	int r = n ? acl_parse(task_user_ns(t), v, n, &a) : 0;

	return r < 0 ? r : set_acl(t, i, type, a);
}
