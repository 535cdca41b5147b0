/*
 * xattr.c - extended attributes: the rules of each name space (xattr(7)).
 *
 * user.      files and directories only, by the file's permissions
 * trusted.   CAP_SYS_ADMIN; otherwise as if absent
 * security.  read by all; set with CAP_SYS_ADMIN (capability: CAP_SETFCAP)
 * system.    the two access control lists (posix_acl.h), and nothing else
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/perm.h"
#include "sentry/vfs/posix_acl.h"
#include "sentry/vfs/vfs.h"

static int check_name(struct task *t, struct inode *i, const char *name, bool write)
{
	bool user;
	int r;

	if (str_starts(name, "trusted."))
		return capable(t, CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
	if (str_starts(name, "security.")) {
		if (!write)
			return 0;
		return capable(t, str_eq(name, "security.capability") ? CAP_SETFCAP : CAP_SYS_ADMIN) ? 0 : -EPERM;
	}
	user = str_starts(name, "user.");
	if (user && !S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return write ? -EPERM : -ENODATA;
	if (user && write && S_ISDIR(i->mode) && (i->mode & S_ISVTX) && !inode_owner_or_capable(t, i))
		return -EPERM;
	r = inode_permission(t, i, write ? MAY_WRITE : MAY_READ);
	if (r < 0)
		return r;
	return !user || !i->ops->getxattr ? -EOPNOTSUPP : name[5] ? 0 : -EINVAL;
}

ssize_t vfs_getxattr(struct task *t, const struct path *p, const char *name, void *buf, size_t cap)
{
	struct inode *i = path_inode(p);
	int list = acl_type_of(name);
	int r;

	if (list >= 0)
		return acl_getxattr(t, i, (enum acl_type)list, buf, cap);
	r = check_name(t, i, name, false);
	if (r < 0)
		return r;
	return i->ops->getxattr ? i->ops->getxattr(t, i, name, buf, cap) : -EOPNOTSUPP;
}

static int set(struct task *t, struct inode *i, const char *name, const void *v, size_t n, int flags)
{
	int r = check_name(t, i, name, true);

	if (r < 0)
		return r;
	return i->ops->setxattr ? i->ops->setxattr(t, i, name, v, n, flags) : -EOPNOTSUPP;
}

static int unset(struct task *t, struct inode *i, const char *name)
{
	int r = check_name(t, i, name, true);

	if (r < 0)
		return r;
	return i->ops->removexattr ? i->ops->removexattr(t, i, name) : -EOPNOTSUPP;
}

/* Capabilities of a file, in one of the two formats that can be set. */
static bool is_capability(const void *v, size_t n)
{
	u32 magic;

	if (n < sizeof(magic))
		return false;
	memcpy(&magic, v, sizeof(magic));
	magic &= VFS_CAP_REVISION_MASK;
	return (n == XATTR_CAPS_SZ_2 && magic == VFS_CAP_REVISION_2) || (n == XATTR_CAPS_SZ_3 && magic == VFS_CAP_REVISION_3);
}

int vfs_setxattr(struct task *t, const struct path *p, const char *name, const void *v, size_t n, int flags)
{
	struct inode *i = path_inode(p);
	int list = acl_type_of(name);
	int r = perm_want_write(p);

	if (r == 0 && n > 0 && str_eq(name, "security.capability") && !is_capability(v, n))
		r = -EINVAL;
	if (r == 0)
		r = list >= 0 ? acl_setxattr(t, i, (enum acl_type)list, v, n) : set(t, i, name, v, n, flags);
	if (r == 0)
		notify_dentry(i->sb, p->dentry, IN_ATTRIB);
	return r;
}

int vfs_removexattr(struct task *t, const struct path *p, const char *name)
{
	struct inode *i = path_inode(p);
	int list = acl_type_of(name);
	int r = perm_want_write(p);

	if (r == 0)
		r = list >= 0 ? acl_setxattr(t, i, (enum acl_type)list, NULL, 0) : unset(t, i, name);
	if (r == 0)
		notify_dentry(i->sb, p->dentry, IN_ATTRIB);
	return r;
}

/* Names that the caller may not even know of are left out. */
static size_t hide_trusted(char *buf, size_t n)
{
	size_t out = 0;

	for (size_t in = 0; in < n;) {
		size_t len = strnlen(buf + in, n - in) + 1;

		if (in + len > n)
			break;
		if (!str_starts(buf + in, "trusted.")) {
			memmove(buf + out, buf + in, len);
			out += len;
		}
		in += len;
	}
	return out;
}

ssize_t vfs_listxattr(struct task *t, const struct path *p, char *buf, size_t cap)
{
	struct inode *i = path_inode(p);
	ssize_t n;

	if (!i->ops->listxattr)
		return 0;
	n = i->ops->listxattr(t, i, buf, cap);
	if (n > 0 && buf && (size_t)n <= cap && !capable(t, CAP_SYS_ADMIN))
		n = (ssize_t)hide_trusted(buf, (size_t)n);
	return n;
}
