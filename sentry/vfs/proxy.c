/*
 * proxy.c - places for open files that have none.
 *
 * Following /proc/PID/fd/N must end at a place even for a pipe.  Each time, a super block,
 * an inode that stands for the open file, and a mount in no tree are made for it; they live as long as
 * the walk or an O_PATH file holds them.  Rare enough to be cheap.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/vfs.h"

#define ANON_MAGIC 0x09041934

struct proxy {
	struct inode inode;
	struct file *file;              /* immutable; a reference */
};

static struct file *proxied(struct inode *i) { return container_of(i, struct proxy, inode)->file; }

static int proxy_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f = proxied(i);

	if (f->ops->reopen)
		return f->ops->reopen(t, f, flags, ret);
	if (f->inode && f->inode->ops->open)
		return f->inode->ops->open(t, f->inode, p, flags, ret);
	return -ENXIO;
}

static int proxy_getattr(struct task *t, struct inode *i, struct kstat *ret)
{
	return file_getattr(t, proxied(i), ret);
}

static int proxy_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	struct inode *real = proxied(i)->inode;

	return real && real->ops->setattr ? real->ops->setattr(t, real, a) : -EPERM;
}

/* Only what has an inode after all (memfds) may have attributes. */
static struct inode *attributed(struct inode *i)
{
	struct inode *real = proxied(i)->inode;

	return real && real->ops->getxattr ? real : NULL;
}

static ssize_t proxy_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t cap)
{
	struct inode *real = attributed(i);

	return real ? real->ops->getxattr(t, real, name, buf, cap) : -EOPNOTSUPP;
}

static int proxy_setxattr(struct task *t, struct inode *i, const char *name, const void *v, size_t n, int flags)
{
	struct inode *real = attributed(i);

	return real && real->ops->setxattr ? real->ops->setxattr(t, real, name, v, n, flags) : -EOPNOTSUPP;
}

static ssize_t proxy_listxattr(struct task *t, struct inode *i, char *buf, size_t cap)
{
	struct inode *real = attributed(i);

	return real && real->ops->listxattr ? real->ops->listxattr(t, real, buf, cap) : 0;
}

static int proxy_removexattr(struct task *t, struct inode *i, const char *name)
{
	struct inode *real = attributed(i);

	return real && real->ops->removexattr ? real->ops->removexattr(t, real, name) : -EOPNOTSUPP;
}

static void proxy_release(struct inode *i)
{
	struct proxy *px = container_of(i, struct proxy, inode);

	inode_done(i);
	file_unref(px->file);
	kfree(px);
}

static const struct inode_ops proxy_ops = {
	.open = proxy_open, .getattr = proxy_getattr, .setattr = proxy_setattr, .release = proxy_release,
	.getxattr = proxy_getxattr, .setxattr = proxy_setxattr, .listxattr = proxy_listxattr, .removexattr = proxy_removexattr,
};

static void proxy_super_release(struct super *sb) { kfree(sb); }
static const struct super_ops proxy_super_ops = { .fstype = "anon", .release = proxy_super_release };

bool vfs_is_proxy(const struct inode *i) { return i->ops == &proxy_ops; }

static struct inode *proxy_inode(struct task *t, struct super *sb, struct file *f)
{
	struct proxy *px;
	struct kstat st;

	if (file_getattr(t, f, &st) < 0)
		return NULL;
	px = knew(struct proxy);
	if (!px)
		return NULL;
	inode_init(&px->inode, &proxy_ops, sb, st.ino, st.mode, st.uid, st.gid);
	px->inode.size = st.size;
	px->file = file_ref(f);
	return &px->inode;
}

int vfs_proxy_place(struct task *t, struct file *f, struct path *ret)
{
	struct super *sb = knew(struct super);
	struct inode *i;
	int r;

	if (!sb)
		return -ENOMEM;
	super_init(sb, &proxy_super_ops, t->kernel, ANON_MAGIC);
	sb->source = "anon";
	i = proxy_inode(t, sb, f);
	r = mount_alone(sb, i, ret);
	inode_unref(i);
	super_unref(sb);
	return r;
}
