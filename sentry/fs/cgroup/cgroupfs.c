/*
 * cgroupfs.c - directories of the cgroup file system: a group each (see cgroup_int.h).
 *
 * vfs holds the directory's inode lock over mkdir and rmdir, and has checked permissions.  Names are
 * cached, but asked about each time (revalidate): files come and go with controllers, and one group may be
 * seen below several mounts.
 */
#include "sentry/fs/cgroup/cgroupfs.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/cgroup/cgroup_int.h"
#include "sentry/fs/fs.h"
#include "sentry/vfs/notify.h"

#define CGROUP2_MAGIC 0x63677270
#define FILE_COOKIES 2                          /* of the first file, after "." and ".." */
#define GROUP_COOKIES 1000                      /* plus the group's number */

struct cg_dir {
	struct inode i;
	struct cgroup *cg;                      /* immutable: a reference */
};

static const struct inode_ops dir_inode_ops;

static struct cgroup *group_of(const struct inode *i) { return container_of(i, struct cg_dir, i)->cg; }
static struct mutex *tree_mu(const struct cgroup *cg) { return &cg->kernel->cgroups.mu; }

/* ---- nodes ---- */

static void nodes_free(struct cgroup_nodes *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < CG_NROWS; i++)
		inode_unref(n->file[i]);
	inode_unref(n->dir);
	kfree(n);
}

/* Give @cg its directory, unless it has one. */
static int nodes_make(struct super *sb, struct cgroup *cg, u32 mode, u32 uid, u32 gid)
{
	struct cgroup_nodes *n = knew(struct cgroup_nodes);
	struct cg_dir *d = knew(struct cg_dir);

	if (!n || !d) {
		kfree(n);
		kfree(d);
		return -ENOMEM;
	}
	inode_init(&d->i, &dir_inode_ops, sb, cg->id, S_IFDIR | mode, uid, gid);
	d->i.nlink = 2;
	d->cg = cgroup_ref(cg);
	n->dir = &d->i;
	mutex_lock(tree_mu(cg));
	if (!cg->nodes) {
		cg->nodes = n;
		n = NULL;
	}
	mutex_unlock(tree_mu(cg));
	nodes_free(n);
	return 0;
}

static void dir_release(struct inode *i)
{
	struct cgroup *cg = group_of(i);

	inode_done(i);
	kfree(container_of(i, struct cg_dir, i));
	cgroup_unref(cg);
}

int cg_file_inode(struct cgroup *cg, int row, struct inode **ret)
{
	struct inode *i = NULL, *dir = NULL, *fresh = NULL;

	for (int pass = 0; pass < 2 && !i; pass++) {
		mutex_lock(tree_mu(cg));
		if (cg->nodes) {
			if (!cg->nodes->file[row] && fresh)
				cg->nodes->file[row] = inode_ref(fresh);
			i = cg->nodes->file[row] ? inode_ref(cg->nodes->file[row]) : NULL;
			dir = pass == 0 ? inode_ref(cg->nodes->dir) : dir;
		}
		mutex_unlock(tree_mu(cg));
		if (!dir)
			return -ENODEV;
		if (i || pass)
			break;
		fresh = pseudo_new_cgroup(dir->sb, &cg_rows[row].e, cg, dir->uid, dir->gid);
		if (!fresh)
			break;
	}
	inode_unref(dir);
	inode_unref(fresh);
	*ret = i;
	return i ? 0 : fresh ? -ENODEV : -ENOMEM;
}

void cgroupfs_events_changed(struct cgroup *cg)
{
	static const char name[] = "cgroup.events";
	struct inode *dir = NULL, *file = NULL;
	int row = cg_row_find(name, sizeof(name) - 1);

	mutex_lock(tree_mu(cg));
	if (cg->nodes) {
		dir = inode_ref(cg->nodes->dir);
		file = cg->nodes->file[row] ? inode_ref(cg->nodes->file[row]) : NULL;
	}
	mutex_unlock(tree_mu(cg));
	if (file)
		notify_inode(file, IN_MODIFY);
	if (dir)
		notify_child(dir, file, name, sizeof(name) - 1, IN_MODIFY, 0);
	inode_unref(file);
	inode_unref(dir);
}

struct cgroup *cgroupfs_group(const struct file *f)
{
	return f->inode && f->inode->ops == &dir_inode_ops ? group_of(f->inode) : NULL;
}

/* ---- names ---- */

static struct cgroup *child_locked(struct cgroup *up, const char *name, size_t len)
{
	struct cgroup *c;

	list_for_each(c, &up->children, sibling)
		if (strlen(c->name) == len && !memcmp(c->name, name, len))
			return c;
	return NULL;
}

static bool has_row(struct cgroup *cg, int row)
{
	bool there;

	if (row < 0)
		return false;
	mutex_lock(tree_mu(cg));
	there = cg_row_is_in_locked(&cg_rows[row], cg);
	mutex_unlock(tree_mu(cg));
	return there;
}

static int dir_lookup(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret)
{
	struct cgroup *cg = group_of(dir), *c;
	int row = cg_row_find(name, len), r = -ENOENT;

	(void)t;
	if (has_row(cg, row)) {
		r = cg_file_inode(cg, row, ret);
		return r == -ENODEV ? -ENOENT : r;
	}
	mutex_lock(tree_mu(cg));
	c = child_locked(cg, name, len);
	if (c && c->nodes) {
		*ret = inode_ref(c->nodes->dir);
		r = 0;
	}
	mutex_unlock(tree_mu(cg));
	return r;
}

static bool dir_revalidate(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *i, bool attrs)
{
	struct cgroup *cg = group_of(dir), *c;
	int row = cg_row_find(name, len);
	struct inode *now = NULL;

	(void)t;
	(void)attrs;
	mutex_lock(tree_mu(cg));
	c = child_locked(cg, name, len);
	if (row >= 0 && cg->nodes && cg_row_is_in_locked(&cg_rows[row], cg))
		now = cg->nodes->file[row];
	else if (c && c->nodes)
		now = c->nodes->dir;
	mutex_unlock(tree_mu(cg));
	return now == i && (i || row < 0);
}

static int dir_mkdir(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, struct inode **ret)
{
	struct cgroup *up = group_of(dir), *cg = NULL;
	int r;

	if (memchr(name, '\n', len))
		return -EINVAL;
	if (cg_row_find(name, len) >= 0)
		return -EEXIST;
	r = cgroup_mkdir(up, name, len, &cg);
	if (r < 0)
		return r;
	r = nodes_make(dir->sb, cg, mode & 07777, task_cred(t)->fsuid, task_cred(t)->fsgid);
	if (r < 0) {
		(void)!cgroup_rmdir(cg);
	} else {
		__atomic_fetch_add(&dir->nlink, 1, __ATOMIC_RELAXED);
		*ret = inode_ref(cg->nodes->dir);
	}
	cgroup_unref(cg);
	return r;
}

static int dir_rmdir(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	struct cgroup *cg;
	struct cgroup_nodes *n;
	int r;

	(void)t;
	(void)name;
	(void)len;
	if (victim->ops != &dir_inode_ops)
		return -ENOTDIR;
	cg = group_of(victim);
	r = cgroup_rmdir(cg);
	if (r < 0)
		return r == -ENODEV ? -ENOENT : r;
	mutex_lock(tree_mu(cg));
	n = cg->nodes;
	cg->nodes = NULL;
	mutex_unlock(tree_mu(cg));
	__atomic_fetch_sub(&dir->nlink, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&victim->nlink, 0, __ATOMIC_RELAXED);
	for (size_t i = 0; i < CG_NROWS; i++)
		if (n->file[i])
			notify_inode(n->file[i], IN_DELETE_SELF);
	nodes_free(n);
	return 0;
}

static int dir_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	(void)t;
	mutex_lock(&i->mu);
	inode_apply_attr(i, a);
	mutex_unlock(&i->mu);
	return 0;
}

/* ---- listing ---- */

/* A file is listed before anybody has looked it up: its number is made of its name. */
static bool emit_file(struct dir_ctx *c, struct cgroup *cg, int row)
{
	const char *name = cg_rows[row].e.name;
	size_t len = strlen(name);

	return c->emit(c, name, len, pseudo_ino(cg->id, name, len), DT_REG, FILE_COOKIES + row + 1);
}

static bool emit_files(struct dir_ctx *c, struct cgroup *cg)
{
	for (int row = (int)c->pos - FILE_COOKIES; row < CG_NROWS; row++) {
		if (has_row(cg, row) && !emit_file(c, cg, row))
			return false;
		c->pos = FILE_COOKIES + row + 1;
	}
	return true;
}

static int dir_readdir(struct task *t, struct file *f, struct dir_ctx *c)
{
	struct cgroup *cg = group_of(f->inode), *child;

	(void)t;
	for (; c->pos < FILE_COOKIES; c->pos++)
		if (!c->emit(c, "..", c->pos ? 2 : 1, c->pos && cg->parent ? cg->parent->id : cg->id, DT_DIR, c->pos + 1))
			return 0;
	if (c->pos < GROUP_COOKIES && !emit_files(c, cg))
		return 0;
	c->pos = MAX(c->pos, (s64)GROUP_COOKIES);
	mutex_lock(tree_mu(cg));
	list_for_each(child, &cg->children, sibling) {
		s64 next = GROUP_COOKIES + (s64)child->id + 1;

		if (next <= c->pos)
			continue;
		if (!c->emit(c, child->name, strlen(child->name), child->id, DT_DIR, next))
			break;
		c->pos = next;
	}
	mutex_unlock(tree_mu(cg));
	return 0;
}

static s64 dir_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	if (whence == SEEK_CUR && !add_overflows(f->pos, off, &off))
		whence = SEEK_SET;
	return whence == SEEK_SET && off >= 0 ? off : -EINVAL;
}

static void dir_file_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

static const struct file_ops dir_file_ops = {
	.name = "cgroup-dir",
	.readdir = dir_readdir,
	.lseek = dir_lseek,
	.release = dir_file_release,
};

static int dir_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f = knew(struct file);

	if (!f)
		return -ENOMEM;
	file_init(f, &dir_file_ops, flags, 0, p, i, task_cred(t));
	*ret = f;
	return 0;
}

static const struct inode_ops dir_inode_ops = {
	.lookup = dir_lookup,
	.revalidate = dir_revalidate,
	.mkdir = dir_mkdir,
	.rmdir = dir_rmdir,
	.open = dir_open,
	.setattr = dir_setattr,
	.release = dir_release,
};

/* ---- mounting ---- */

static const struct super_ops cgroup_super = { .fstype = "cgroup2", .release = pseudo_super_release };

/* The one super block: a reference.  It stays for as long as the kernel does. */
static int super_get(struct kernel *k, struct super **ret)
{
	struct super *sb = atomic_load(&k->cgroups.sb), *won = NULL;

	if (!sb) {
		sb = knew(struct super);
		if (!sb)
			return -ENOMEM;
		super_init(sb, &cgroup_super, k, CGROUP2_MAGIC);
		sb->source = cgroup_super.fstype;
		if (!atomic_compare_exchange_strong(&k->cgroups.sb, &won, sb)) {
			super_unref(sb);
			sb = won;
		}
	}
	*ret = super_ref(sb);
	return 0;
}

int cgroupfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
                  struct super **ret_sb, struct inode **ret_root)
{
	struct cgroup *cg = task_cgroup_root(t);
	struct super *sb;
	int r = super_get(k, &sb);

	(void)source;
	(void)opts;
	if (r < 0)
		return r;
	if (!cg->parent)
		r = nodes_make(sb, cg, 0755, 0, 0);
	if (r == 0) {
		mutex_lock(tree_mu(cg));
		*ret_root = cg->nodes ? inode_ref(cg->nodes->dir) : NULL;
		mutex_unlock(tree_mu(cg));
		r = *ret_root ? 0 : -ENODEV;
	}
	if (r < 0)
		super_unref(sb);
	else
		*ret_sb = sb;
	return r;
}
