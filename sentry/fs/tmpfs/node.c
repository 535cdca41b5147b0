/*
 * node.c - nodes of a tmpfs: making, attributes, symlinks, special files.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/tmpfs/tmpfs_int.h"
#include "sentry/kernel/kernel.h"
#include "sentry/vfs/posix_acl.h"

void tmpfs_node_release(struct inode *i)
{
	struct tnode *n = tnode_of(i);
	struct tmpfs *ts = tmpfs_of(i);

	if (S_ISDIR(i->mode))
		tmpfs_dir_done(n);
	if (S_ISREG(i->mode))
		tmpfs_file_done(n);
	tmpfs_xattr_done(n);
	mutex_lock(&ts->mu);
	ts->inodes--;
	mutex_unlock(&ts->mu);
	kfree(n->target);
	kfree(n->anon_name);
	inode_done(i);
	kfree(n);
}

int tmpfs_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	int r = 0;

	(void)t;
	mutex_lock(&i->mu);
	if ((a->valid & IATTR_SIZE) && S_ISREG(i->mode))
		r = tmpfs_resize_locked(tnode_of(i), a->size);
	if (r == 0 && (a->valid & IATTR_MODE))
		r = inode_acl_chmod(i, a->mode);
	if (r == 0)
		inode_apply_attr(i, a);
	mutex_unlock(&i->mu);
	return r;
}

static ssize_t tmpfs_readlink(struct task *t, struct inode *i, char *buf, size_t cap)
{
	size_t len = strlen(tnode_of(i)->target);

	(void)t;
	len = MIN(len, cap);
	memcpy(buf, tnode_of(i)->target, len);
	return (ssize_t)len;
}

static int special_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	return S_ISCHR(i->mode) ? chardev_open(t, i, p, flags, ret) : -ENXIO;
}

#define COMMON_OPS \
	.setattr = tmpfs_setattr, .getxattr = tmpfs_getxattr, .setxattr = tmpfs_setxattr, \
	.listxattr = tmpfs_listxattr, .removexattr = tmpfs_removexattr, .release = tmpfs_node_release

const struct inode_ops tmpfs_file_ops = { .open = tmpfs_file_open, .set_acl = inode_set_acl_here, COMMON_OPS };
const struct inode_ops tmpfs_link_ops = { .readlink = tmpfs_readlink, COMMON_OPS };
const struct inode_ops tmpfs_special_ops = { .open = special_open, .set_acl = inode_set_acl_here, COMMON_OPS };

static const struct inode_ops *ops_for(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return &tmpfs_dir_ops;
	case S_IFREG:
		return &tmpfs_file_ops;
	case S_IFLNK:
		return &tmpfs_link_ops;
	default:
		return &tmpfs_special_ops;
	}
}

int tnode_new(struct tmpfs *ts, u32 mode, u32 uid, u32 gid, struct tnode **ret)
{
	struct tnode *n = knew(struct tnode);
	bool full;

	if (!n)
		return -ENOMEM;
	mutex_lock(&ts->mu);
	full = ts->max_inodes && ts->inodes >= ts->max_inodes;
	if (!full)
		ts->inodes++;
	mutex_unlock(&ts->mu);
	if (full) {
		kfree(n);
		return -ENOSPC;
	}
	inode_init(&n->i, ops_for(mode), &ts->sb, ts->ino_base + kernel_next_ino(ts->sb.kernel), mode, uid, gid);
	n->fd = HOSTFD_NONE;
	htable_init(&n->names);
	n->next_cookie = 2;
	if (S_ISDIR(mode))
		n->i.size = 2 * DIRENT_SIZE;    /* "." and ".." */
	list_init(&n->xattrs);
	*ret = n;
	return 0;
}
