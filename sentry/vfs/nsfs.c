/*
 * nsfs.c - files that stand for namespaces: /proc/PID/ns/X, and what is bind-mounted from there.
 *
 * A place is made each time one is asked for, as in proxy.c; its super block, mount and inode live as long
 * as the file, or the mount made of it, which keeps the namespace alive.
 * ioctl_ns(2) leads from one namespace to its owner and parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/mount_int.h"

#define NSFS_MAGIC 0x6e736673
#define NSFS_MINOR 0xfff04

struct ns_inode {
	struct inode inode;
	struct ns *ns;                  /* immutable; a reference */
};

static const struct file_ops ns_file_ops;
static const struct inode_ops ns_inode_ops;

static struct ns *ns_of(struct inode *i) { return container_of(i, struct ns_inode, inode)->ns; }

struct ns *nsfs_ns(struct file *f)
{
	return f->ops == &ns_file_ops ? ns_of(f->inode) : NULL;
}

bool nsfs_is(const struct inode *i) { return i->ops == &ns_inode_ops; }

const char *nsfs_text(const struct inode *i, char *buf, size_t cap)
{
	const struct ns *ns = container_of(i, struct ns_inode, inode)->ns;

	(void)snprintf(buf, cap, "%s:[%lu]", ns_name(ns->kind), ns->ino);
	return buf;
}

const struct ns *nsfs_mnt_ns(const struct inode *i)
{
	const struct ns *ns = nsfs_is(i) ? container_of(i, struct ns_inode, inode)->ns : NULL;

	return ns && ns->kind == NS_MNT ? ns : NULL;
}

bool nsfs_may_bind(const struct inode *i, const struct mnt_ns *into)
{
	const struct ns *ns = nsfs_mnt_ns(i);

	return !ns || ns->ino > into->ns.ino;
}

/* ---- files ---- */

static int install(struct task *t, struct ns *ns)
{
	auto_file *f = NULL;
	struct path p;
	int r = nsfs_place(t, ns, &p);

	if (r < 0)
		return r;
	r = vfs_open_path(t, &p, O_RDONLY, false, &f);
	path_put(&p);
	return r < 0 ? r : fd_install(t, f, true);
}

/* Only what the caller is in, or above, is shown. */
static long get_userns(struct task *t, struct user_ns *u)
{
	return u && user_ns_within(u, task_user_ns(t)) ? install(t, &u->ns) : -EPERM;
}

static long get_parent(struct task *t, struct ns *ns)
{
	if (ns->kind == NS_USER)
		return get_userns(t, container_of(ns, struct user_ns, ns)->parent);
	if (ns->kind == NS_PID) {
		struct pid_ns *up = pid_ns_of(ns)->parent;

		return up && pid_ns_within(&up->ns, t->tg) ? install(t, &up->ns) : -EPERM;
	}
	return -EINVAL;
}

static long ns_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct ns *ns = ns_of(f->inode);
	u32 uid;

	switch (cmd) {
	case NS_GET_USERNS:
		return get_userns(t, ns->kind == NS_USER ? container_of(ns, struct user_ns, ns)->parent : ns->owner);
	case NS_GET_PARENT:
		return get_parent(t, ns);
	case NS_GET_NSTYPE:
		return (long)ns_flag(ns->kind);
	case NS_GET_OWNER_UID:
		if (ns->kind != NS_USER)
			return -EINVAL;
		uid = user_ns_show_uid(task_user_ns(t), container_of(ns, struct user_ns, ns)->uid);
		return copy_out(t, arg, &uid, sizeof(uid));
	}
	return -ENOTTY;
}

static void ns_file_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

static const struct file_ops ns_file_ops = { .name = "nsfs", .ioctl = ns_ioctl, .release = ns_file_release };

static int ns_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f;

	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EPERM;
	f = knew(struct file);
	if (!f)
		return -ENOMEM;
	file_init(f, &ns_file_ops, flags, 0, p, i, task_cred(t));
	*ret = f;
	return 0;
}

/* ---- the place ---- */

static void inode_release(struct inode *i)
{
	struct ns_inode *n = container_of(i, struct ns_inode, inode);

	inode_done(i);
	ns_unref(n->ns);
	kfree(n);
}

static const struct inode_ops ns_inode_ops = { .open = ns_open, .release = inode_release };

static void super_release(struct super *sb) { kfree(sb); }
static const struct super_ops ns_super_ops = { .fstype = "nsfs", .release = super_release };

static struct inode *make_inode(struct super *sb, struct ns *ns)
{
	struct ns_inode *n = knew(struct ns_inode);

	if (!n)
		return NULL;
	inode_init(&n->inode, &ns_inode_ops, sb, ns->ino, S_IFREG | 0444, 0, 0);
	n->ns = ns_ref(ns);
	return &n->inode;
}

int nsfs_place(struct task *t, struct ns *ns, struct path *ret)
{
	struct super *sb = knew(struct super);
	auto_inode *i = NULL;
	int r;

	if (!sb)
		return -ENOMEM;
	super_init(sb, &ns_super_ops, t->kernel, NSFS_MAGIC);
	sb->source = "nsfs";
	sb->dev_minor = NSFS_MINOR;     /* the same for all: (st_dev, st_ino) is what names a namespace */
	i = make_inode(sb, ns);
	r = mount_alone(sb, i, ret);
	super_unref(sb);
	return r;
}
