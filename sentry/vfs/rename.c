/*
 * rename.c - rename(2) and renameat2(2).
 *
 * Locks: sb->rename_mu when the parents differ (so that no two moves of
 * directories can make a loop), then both parents' inode locks in address order.
 * The names are looked up before and checked again under the locks by the file
 * system, which knows what it holds.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/perm.h"

struct renaming {
	struct task *t;
	struct walk *from, *to;
	struct dentry *victim;          /* a reference */
	struct dentry *target;          /* a reference, or NULL */
	u32 flags;
};

static int check_types(const struct renaming *rn)
{
	bool is_dir = S_ISDIR(rn->victim->inode->mode);

	if (rn->target && (rn->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (rn->from->must_be_dir && !is_dir)
		return -ENOTDIR;
	if (!rn->target)
		return rn->to->must_be_dir && !is_dir ? -ENOTDIR : 0;
	if (rn->flags & RENAME_EXCHANGE)
		return rn->to->must_be_dir && !S_ISDIR(rn->target->inode->mode) ? -ENOTDIR : 0;
	if (rn->to->must_be_dir && !is_dir)
		return -ENOTDIR;
	return 0;
}

/* A directory is not moved below itself, nor over one of its ancestors. */
static int check_loop(const struct renaming *rn)
{
	if (S_ISDIR(rn->victim->inode->mode) && dentry_is_below(rn->to->cur.dentry, rn->victim))
		return -EINVAL;
	if (rn->target && dentry_is_below(rn->from->cur.dentry, rn->target))
		return rn->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int check_rights(const struct renaming *rn)
{
	struct inode *odir = rn->from->cur.dentry->inode, *ndir = rn->to->cur.dentry->inode;
	struct inode *victim = rn->victim->inode, *target = rn->target ? rn->target->inode : NULL;
	bool is_dir = S_ISDIR(victim->mode);
	int r = perm_want_write(&rn->from->cur);

	if (r == 0)
		r = perm_may_delete(rn->t, odir, victim, is_dir);
	if (r < 0)
		return r;
	if (!target)
		r = perm_may_create(rn->t, ndir);
	else if (rn->flags & RENAME_EXCHANGE)
		r = perm_may_delete(rn->t, ndir, target, S_ISDIR(target->mode));
	else
		r = perm_may_delete(rn->t, ndir, target, is_dir);
	/* ".." of a directory that moves changes. */
	if (r == 0 && is_dir && odir != ndir)
		r = inode_permission(rn->t, victim, MAY_WRITE);
	if (r == 0 && (rn->flags & RENAME_EXCHANGE) && target && S_ISDIR(target->mode) && odir != ndir)
		r = inode_permission(rn->t, target, MAY_WRITE);
	if (r == 0 && (atomic_load(&rn->victim->nmounts) > 0 ||
	               (rn->target && atomic_load(&rn->target->nmounts) > 0)))
		r = -EBUSY;
	return r;
}

/* Looks at mounts: before rename_mu, which is of the same rank as their lock. */
static int check_landlock(const struct renaming *rn)
{
	struct landlock_move mv = {
		.from = &rn->from->cur, .to = &rn->to->cur, .moved = rn->victim->inode,
		.over = rn->target ? rn->target->inode : NULL, .remove = true, .exchange = rn->flags & RENAME_EXCHANGE,
	};

	return landlock_move(rn->t, &mv);
}

static void tell_one(const struct renaming *rn, struct inode *i, const struct walk *from, const struct walk *to)
{
	struct inode *odir = from->cur.dentry->inode, *ndir = to->cur.dentry->inode;
	struct inode *gone = rn->target && !(rn->flags & RENAME_EXCHANGE) ? rn->target->inode : NULL;
	u32 isdir = S_ISDIR(i->mode) ? IN_ISDIR : 0;
	u32 cookie = (u32)kernel_next_ino(rn->t->kernel);

	notify_child(odir, i, from->last, from->last_len, IN_MOVED_FROM | isdir, cookie);
	notify_child(ndir, i, to->last, to->last_len, IN_MOVED_TO | isdir, cookie);
	if (gone)
		notify_inode(gone, IN_ATTRIB);
	notify_inode(i, IN_MOVE_SELF);
	if (gone && S_ISDIR(gone->mode))
		notify_removed(gone);
}

static void tell(const struct renaming *rn)
{
	struct walk *from = rn->from, *to = rn->to;

	tell_one(rn, rn->victim->inode, from, to);
	if (rn->flags & RENAME_EXCHANGE)
		tell_one(rn, rn->target->inode, to, from);
}

static int apply(const struct renaming *rn)
{
	struct dentry *odir = rn->from->cur.dentry, *ndir = rn->to->cur.dentry;
	char *name = dentry_name_new(rn->to->last, rn->to->last_len);
	int r;

	if (!name)
		return -ENOMEM;
	mutex_lock_pair(&odir->inode->mu, &ndir->inode->mu);
	r = odir->inode->ops->rename(rn->t, odir->inode, rn->from->last, rn->from->last_len,
	                             rn->victim->inode, ndir->inode, rn->to->last, rn->to->last_len,
	                             rn->target ? rn->target->inode : NULL, rn->flags);
	if (r == 0 && (rn->flags & RENAME_EXCHANGE)) {
		dentry_exchange(rn->victim, rn->target);
	} else if (r == 0) {
		if (rn->target)
			dentry_drop(rn->target, true);
		dentry_move(rn->victim, ndir, name, rn->to->last_len);
		name = NULL;
	}
	mutex_unlock_pair(&odir->inode->mu, &ndir->inode->mu);
	kfree(name);
	if (r == 0)
		tell(rn);
	return r;
}

/* proc makes an inode for each walk. */
static bool same_file(const struct inode *a, const struct inode *b)
{
	return a == b || (a->sb == b->sb && a->sb->nodcache && a->ino == b->ino);
}

static int rename_last(struct renaming *rn)
{
	struct super *sb = rn->from->cur.dentry->sb;
	bool far = rn->from->cur.dentry != rn->to->cur.dentry;
	int r = walk_last(rn->from, &rn->victim);

	if (r < 0)
		return r;
	r = walk_last(rn->to, &rn->target);
	if (r == -ENOENT && !(rn->flags & RENAME_EXCHANGE))
		r = 0;
	if (r == 0)
		r = check_types(rn);
	if (r < 0)
		return r;
	r = check_landlock(rn);
	if (r < 0)
		return r;
	if (rn->target && same_file(rn->target->inode, rn->victim->inode))
		return 0;       /* two names of one file: nothing happens */
	if (far)
		mutex_lock(&sb->rename_mu);
	r = check_loop(rn);
	if (r == 0)
		r = check_rights(rn);
	if (r == 0 && !rn->from->cur.dentry->inode->ops->rename)
		r = -EPERM;
	if (r == 0 && dentry_is_deleted(rn->to->cur.dentry))
		r = -ENOENT;
	if (r == 0)
		r = apply(rn);
	if (far)
		mutex_unlock(&sb->rename_mu);
	return r;
}

int vfs_rename(struct task *t, int odirfd, const char *oname, int ndirfd, const char *nname, u32 flags)
{
	struct walk from no_init, to no_init;
	struct renaming rn = { .t = t, .from = &from, .to = &to, .flags = flags };
	int r = walk_init(&from, t, odirfd, oname, 0);

	if (r < 0)
		return r;
	r = walk_init(&to, t, ndirfd, nname, 0);
	if (r < 0)
		goto out_from;
	r = walk_parent(&from);
	if (r == 0)
		r = walk_parent(&to);
	if (r == 0 && from.cur.mnt != to.cur.mnt)
		r = -EXDEV;
	if (r == 0 && from.last_kind != LAST_NAME)
		r = -EBUSY;
	if (r == 0 && to.last_kind != LAST_NAME)
		r = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (r == 0)
		r = rename_last(&rn);
	dentry_unref(rn.victim);
	dentry_unref(rn.target);
	walk_done(&to);
out_from:
	walk_done(&from);
	return r;
}
