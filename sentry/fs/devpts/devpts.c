/*
 * devpts.c - /dev/pts: numbers of pseudo terminals and their nodes.
 *
 * One instance a sandbox: every mount shows the same super block.  A number
 * lives from the opening of its master to its closing; its inode is made when
 * it is first looked up and keeps owner and mode as long as the terminal exists.
 *
 * Locks: dp->mu (LEAF) guards the table of numbers and pty->inode.
 */
#include "sentry/fs/devpts/devpts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/tty/pty.h"
#include "sentry/kernel/task.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTS_MAX      4096
#define PTS_MAJOR    136
#define TTY_GROUP    5
#define INO_ROOT     1
#define INO_PTMX     2
#define INO_PTS      3

struct devpts {
	struct super sb;
	struct inode *root, *ptmx;              /* immutable; references */
	struct mutex mu;                        /* RANK_LEAF */
	struct pty *pts[PTS_MAX] GUARDED_BY(mu);
	u32 next;                               /* guarded by mu: one above the highest number in use */
};

struct pts_inode {
	struct inode inode;
	struct pty *pty;                        /* immutable; a reference; NULL: root or ptmx */
};

static const struct inode_ops root_ops, ptmx_ops, pts_ops;

static struct devpts *dp_of(struct super *sb) { return container_of(sb, struct devpts, sb); }

static void node_release(struct inode *i)
{
	struct pts_inode *pi = container_of(i, struct pts_inode, inode);
	struct pty *p = pi->pty;

	inode_done(i);
	kfree(pi);
	pty_unref(p);
}

static struct pts_inode *node_new(struct devpts *dp, const struct inode_ops *ops, u64 ino, u32 mode, u32 gid)
{
	struct pts_inode *pi = knew(struct pts_inode);

	if (pi) {
		inode_init(&pi->inode, ops, &dp->sb, ino, mode, 0, gid);
		pi->inode.nlink = 1;
	}
	return pi;
}

static void devpts_release(struct super *sb unused_ok) { }      /* lives as long as the sandbox */

static void devpts_show(struct super *sb unused_ok, struct strbuf *out)
{
	strbuf_puts(out, ",gid=5,mode=620,ptmxmode=666");
}

static const struct super_ops devpts_super_ops = {
	.fstype = "devpts",
	.show_options = devpts_show,
	.release = devpts_release,
};

/* Made on first use, once. */
static int devpts_get(struct kernel *k, struct devpts **ret)
{
	struct devpts *dp = __atomic_load_n(&k->devpts, __ATOMIC_ACQUIRE), *won = NULL;
	struct pts_inode *root, *ptmx;

	if (dp) {
		*ret = dp;
		return 0;
	}
	dp = kbuf_alloc(sizeof(*dp));
	if (!dp)
		return -ENOMEM;
	super_init(&dp->sb, &devpts_super_ops, k, DEVPTS_MAGIC);
	dp->sb.source = "devpts";
	dp->sb.nodcache = true;
	mutex_init(&dp->mu, RANK_LEAF);
	root = node_new(dp, &root_ops, INO_ROOT, S_IFDIR | 0755, 0);
	ptmx = root ? node_new(dp, &ptmx_ops, INO_PTMX, S_IFCHR | 0666, 0) : NULL;
	if (!ptmx)
		return -ENOMEM;
	root->inode.nlink = 2;
	ptmx->inode.rdev_major = 5;
	ptmx->inode.rdev_minor = 2;
	dp->root = &root->inode;
	dp->ptmx = &ptmx->inode;
	if (!__atomic_compare_exchange_n(&k->devpts, &won, dp, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		dp = won;               /* two first users at once: the loser's few bytes stay */
	*ret = dp;
	return 0;
}

int devpts_add(struct pty *p)
{
	struct devpts *dp;
	int r = devpts_get(p->kernel, &dp);

	if (r < 0)
		return r;
	r = -ENOSPC;
	mutex_lock(&dp->mu);
	for (u32 n = 0; n < PTS_MAX; n++) {
		if (dp->pts[n])
			continue;
		dp->pts[n] = p;
		p->index = n;
		dp->next = MAX(dp->next, n + 1);
		r = 0;
		break;
	}
	mutex_unlock(&dp->mu);
	return r;
}

void devpts_remove(struct pty *p)
{
	struct devpts *dp = p->kernel->devpts;

	mutex_lock(&dp->mu);
	if (dp->pts[p->index] == p)
		dp->pts[p->index] = NULL;
	while (dp->next && !dp->pts[dp->next - 1])
		dp->next--;
	mutex_unlock(&dp->mu);
}

int devpts_find(struct kernel *k, u32 index, struct pty **ret)
{
	struct devpts *dp;
	struct pty *p = NULL;
	int r = devpts_get(k, &dp);

	if (r < 0)
		return r;
	mutex_lock(&dp->mu);
	if (index < PTS_MAX && dp->pts[index] && ref_get_unless_zero(&dp->pts[index]->link.ref))
		p = dp->pts[index];
	mutex_unlock(&dp->mu);
	if (!p)
		return -ENOENT;
	*ret = p;
	return 0;
}

static bool pty_forget_inode(struct inode *i)
{
	struct pts_inode *pi = container_of(i, struct pts_inode, inode);
	struct devpts *dp = dp_of(i->sb);
	struct pty *p = pi->pty;

	mutex_lock(&dp->mu);
	if (p->inode == i)
		p->inode = NULL;
	mutex_unlock(&dp->mu);
	return true;
}

static void pts_release(struct inode *i)
{
	(void)pty_forget_inode(i);
	node_release(i);
}

int devpts_inode(struct pty *p, struct inode **ret)
{
	struct devpts *dp = p->kernel->devpts;
	struct pts_inode *pi;
	struct inode *i = NULL;

	mutex_lock(&dp->mu);
	if (p->inode && ref_get_unless_zero(&p->inode->ref))
		i = p->inode;
	mutex_unlock(&dp->mu);
	if (i) {
		*ret = i;
		return 0;
	}
	pi = node_new(dp, &pts_ops, INO_PTS + p->index, S_IFCHR | 0620, TTY_GROUP);
	if (!pi)
		return -ENOMEM;
	pi->pty = pty_ref(p);
	pi->inode.rdev_major = PTS_MAJOR + p->index / 256;
	pi->inode.rdev_minor = p->index & 0xff;
	mutex_lock(&dp->mu);
	if (!p->inode)
		p->inode = &pi->inode;
	mutex_unlock(&dp->mu);
	*ret = &pi->inode;
	return 0;
}

/* ---- the directory ---- */

static int root_lookup(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret)
{
	struct devpts *dp = dp_of(dir->sb);
	char text[8];
	struct pty *p;
	u64 n;
	int r;

	if (len == 4 && !memcmp(name, "ptmx", 4)) {
		*ret = inode_ref(dp->ptmx);
		return 0;
	}
	if (len >= sizeof(text) || (len > 1 && name[0] == '0'))
		return -ENOENT;
	memcpy(text, name, len);
	text[len] = 0;
	if (str_to_u64(text, 10, &n) < 0 || n >= PTS_MAX)
		return -ENOENT;
	r = devpts_find(t->kernel, (u32)n, &p);
	if (r < 0)
		return r;
	r = devpts_inode(p, ret);
	pty_unref(p);
	return r;
}

static bool emit_fixed(struct dir_ctx *c, s64 at, const char *name, u64 ino, unsigned type)
{
	if (c->pos > at)
		return true;
	if (!c->emit(c, name, strlen(name), ino, type, at + 1))
		return false;
	c->pos = at + 1;
	return true;
}

static int root_readdir(struct task *t, struct file *f, struct dir_ctx *c)
{
	struct devpts *dp = dp_of(f->inode->sb);

	(void)t;
	if (!emit_fixed(c, 0, ".", INO_ROOT, DT_DIR) || !emit_fixed(c, 1, "..", INO_ROOT, DT_DIR) ||
	    !emit_fixed(c, 2, "ptmx", INO_PTMX, DT_CHR))
		return 0;
	for (u32 n = (u32)(c->pos - 3); n < PTS_MAX; n++) {
		char name[8];
		bool there;

		mutex_lock(&dp->mu);
		there = dp->pts[n] != NULL;
		if (n >= dp->next)
			n = PTS_MAX;
		mutex_unlock(&dp->mu);
		if (!there)
			continue;
		(void)snprintf(name, sizeof(name), "%u", n);
		if (!emit_fixed(c, (s64)n + 3, name, INO_PTS + n, DT_CHR))
			break;
	}
	return 0;
}

static void dir_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

static const struct file_ops dir_ops = { .name = "devpts", .readdir = root_readdir, .release = dir_release };

static int root_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f = knew(struct file);

	if (!f)
		return -ENOMEM;
	file_init(f, &dir_ops, flags, 0, p, i, task_cred(t));
	*ret = f;
	return 0;
}

static int pts_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	return pty_open_slave(t, container_of(i, struct pts_inode, inode)->pty, p, i, flags, ret);
}

static int node_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	(void)t;
	mutex_lock(&i->mu);
	inode_apply_attr(i, a);
	mutex_unlock(&i->mu);
	return 0;
}

static int node_truncate(struct task *t unused_ok, struct inode *i unused_ok) { return 0; }

static const struct inode_ops root_ops = {
	.lookup = root_lookup, .open = root_open, .setattr = node_setattr, .release = node_release,
};
static const struct inode_ops ptmx_ops = {
	.open = ptmx_open, .setattr = node_setattr, .truncate_open = node_truncate, .release = node_release,
};
static const struct inode_ops pts_ops = {
	.open = pts_open, .setattr = node_setattr, .truncate_open = node_truncate, .release = pts_release,
};

int devpts_make(struct task *t, struct kernel *k, const char *source, const char *opts, struct super **ret_sb,
		struct inode **ret_root)
{
	struct devpts *dp;
	int r = devpts_get(k, &dp);

	(void)t, (void)source, (void)opts;
	if (r < 0)
		return r;
	*ret_sb = super_ref(&dp->sb);
	*ret_root = inode_ref(dp->root);
	return 0;
}
