/*
 * dirops.c - calls that make and remove names: mkdir, mknod, symlink, link,
 * unlink, rmdir and the socket of bind(2).
 *
 * Each walks to the directory, checks, calls the file system with the
 * directory's lock held, and then tells the name cache and the watchers.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include "sentry/kernel/cgroup_bpf.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/perm.h"
#include "sentry/vfs/posix_acl.h"

/* What is to be made. */
struct making {
	u32 mode;               /* with type bits, without the umask */
	u32 major, minor;
	bool device;            /* it takes the right to make one */
	const char *target;     /* symlink */
	struct inode *link_to;  /* hard link */
	const struct path *link_dir;    /* where it has been */
};

static int make_in(struct task *t, struct inode *dir, const char *name, size_t len, const struct making *m,
                   struct inode **ret)
{
	const struct inode_ops *ops = dir->ops;
	u32 mode = m->mode;
	int r;

	if (m->link_to) {
		r = ops->link ? ops->link(t, dir, name, len, m->link_to) : -EPERM;
		if (r == 0)
			*ret = inode_ref(m->link_to);
		return r;
	}
	r = S_ISLNK(mode) ? 0 : acl_umask(t, dir, &mode);
	if (r < 0)
		return r;
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return ops->mkdir ? ops->mkdir(t, dir, name, len, mode, ret) : -EPERM;
	case S_IFLNK:
		return ops->symlink ? ops->symlink(t, dir, name, len, m->target, ret) : -EPERM;
	case S_IFREG:
		return ops->create ? ops->create(t, dir, name, len, mode, ret) : -EACCES;
	default:
		return ops->mknod ? ops->mknod(t, dir, name, len, mode, m->major, m->minor, ret) : -EPERM;
	}
}

static int may_make(struct walk *w, const struct making *m)
{
	struct landlock_move mv = { .from = m->link_dir, .to = &w->cur, .moved = m->link_to };

	return m->link_to ? landlock_move(w->t, &mv) : landlock_make(w->t, &w->cur, m->mode);
}

/* w stands before the last component. */
static int make_last(struct walk *w, const struct making *m, struct dentry **ret)
{
	struct inode *dir = w->cur.dentry->inode;
	auto_dentry *old = NULL;
	auto_inode *made = NULL;
	bool is_dir = S_ISDIR(m->mode);
	int r;

	if (w->last_kind != LAST_NAME)
		return -EEXIST;
	r = walk_last(w, &old);
	if (r == 0)
		return -EEXIST;
	if (r != -ENOENT)
		return r;
	if (w->must_be_dir && (!is_dir || m->link_to))
		return -ENOENT;
	r = perm_want_write(&w->cur);
	if (r == 0 && super_knows_all_names(dir->sb))
		r = -ENOENT;            /* proc: its lookup's answer is the last word */
	if (r == 0)
		r = may_make(w, m);
	if (r == 0)
		r = perm_may_create(w->t, dir);
	if (r == 0 && m->link_to && is_dir)
		r = -EPERM;
	if (r == 0 && m->device &&
	    (!capable(w->t, CAP_MKNOD) || cgroup_may_use_device(w->t, m->mode, m->major, m->minor, BPF_DEVCG_ACC_MKNOD) < 0))
		r = -EPERM;
	if (r == 0 && dentry_is_deleted(w->cur.dentry))
		r = -ENOENT;
	if (r < 0)
		return r;
	mutex_lock(&dir->mu);
	r = make_in(w->t, dir, w->last, w->last_len, m, &made);
	if (r == 0)
		r = dentry_create(w->cur.dentry, w->last, w->last_len, made, ret);
	mutex_unlock(&dir->mu);
	if (r == 0 && m->link_to)
		notify_inode(m->link_to, IN_ATTRIB);
	if (r == 0)
		notify_child(dir, made, w->last, w->last_len, IN_CREATE | (is_dir ? IN_ISDIR : 0), 0);
	return r;
}

static int make_at(struct task *t, int dirfd, const char *name, const struct making *m, struct path *ret)
{
	struct walk w no_init;
	auto_dentry *d = NULL;
	int r = walk_init(&w, t, dirfd, name, 0);

	if (r < 0)
		return r;
	r = walk_parent(&w);
	if (r == 0)
		r = make_last(&w, m, &d);
	if (r == 0 && ret) {
		*ret = (struct path){ w.cur.mnt, d };
		path_get(ret);
	}
	walk_done(&w);
	return r;
}

int vfs_mkdir(struct task *t, int dirfd, const char *name, u32 mode)
{
	struct making m = { .mode = S_IFDIR | (mode & 01777) };

	return make_at(t, dirfd, name, &m, NULL);
}

int vfs_mknod_type(u32 mode)
{
	switch (mode & S_IFMT) {
	case 0: case S_IFREG: case S_IFIFO: case S_IFSOCK: case S_IFCHR: case S_IFBLK:
		return 0;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int vfs_mknod(struct task *t, int dirfd, const char *name, u32 mode, u32 major, u32 minor)
{
	struct making m = { .mode = mode, .major = major, .minor = minor };

	switch (mode & S_IFMT) {
	case 0:
		m.mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		/* A whiteout (0, 0) is harmless; anything else is a device. */
		if (!S_ISBLK(mode) && !major && !minor)
			break;
		m.device = true;
		break;
	default:
		return vfs_mknod_type(mode);
	}
	m.mode &= S_IFMT | 07777;
	return make_at(t, dirfd, name, &m, NULL);
}

int vfs_symlink(struct task *t, const char *target, int dirfd, const char *name)
{
	struct making m = { .mode = S_IFLNK | 0777, .target = target };

	if (!*target)
		return -ENOENT;
	return make_at(t, dirfd, name, &m, NULL);
}

/* Here the umask counts even where a default list is inherited, as in Linux. */
int vfs_bind_socket(struct task *t, const char *name, u32 mode, struct path *ret)
{
	struct making m = { .mode = S_IFSOCK | (mode & 07777 & ~fs_umask(t->fs)) };
	int r = make_at(t, AT_FDCWD, name, &m, ret);

	return r == -EEXIST ? -EADDRINUSE : r;
}

/* Linux's protected_hardlinks: what one may neither own nor write is not linked. */
static int may_link(struct task *t, struct inode *i)
{
	if (inode_owner_or_capable(t, i))
		return 0;
	if (!S_ISREG(i->mode) || (i->mode & S_ISUID) ||
	    (i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return inode_permission(t, i, MAY_READ | MAY_WRITE) < 0 ? -EPERM : 0;
}

int vfs_link(struct task *t, int odirfd, const char *oname, int ndirfd, const char *nname, u32 at_flags)
{
	struct walk w no_init;
	auto_path from = { 0 };
	auto_dentry *d = NULL;
	struct making m = { 0 };
	u32 look = (at_flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
	           (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	int r = vfs_lookup(t, odirfd, oname, look, &from);

	if (r < 0)
		return r;
	m.link_to = path_inode(&from);
	m.mode = m.link_to->mode;
	r = walk_init(&w, t, ndirfd, nname, 0);
	if (r < 0)
		return r;
	r = walk_parent(&w);
	if (r == 0 && w.last_kind != LAST_NAME)
		r = -EEXIST;
	if (r == 0) {
		r = w.cur.mnt != from.mnt ? -EXDEV : may_link(t, m.link_to);
		if (r == 0 && m.link_to->nlink == 0 && !atomic_load(&m.link_to->linkable))
			r = -ENOENT;
		/* What is wrong with the new name is seen first. */
		if (r < 0 && walk_last(&w, &d) == 0)
			r = -EEXIST;
		else if (r < 0 && w.must_be_dir)
			r = -ENOENT;
	}
	if (r == 0) {
		bool top = from.dentry == from.mnt->root;
		struct path dir = { from.mnt, top ? NULL : dentry_parent(from.dentry) };

		m.link_dir = dir.dentry ? &dir : &from;
		r = make_last(&w, &m, &d);
		dentry_unref(dir.dentry);
	}
	if (r == 0)
		atomic_store(&m.link_to->linkable, false);
	walk_done(&w);
	return r;
}

/* ---- removing ---- */

static int remove_from(struct task *t, struct inode *dir, struct dentry *d, const char *name, size_t len,
                       bool is_dir)
{
	int (*op)(struct task *, struct inode *, const char *, size_t, struct inode *) =
		is_dir ? dir->ops->rmdir : dir->ops->unlink;
	int r;

	if (!op)
		return -EPERM;
	mutex_lock(&dir->mu);
	r = op(t, dir, name, len, d->inode);
	if (r == 0)
		dentry_drop(d, true);
	mutex_unlock(&dir->mu);
	return r;
}

static int remove_last(struct walk *w, bool want_dir)
{
	struct inode *dir = w->cur.dentry->inode;
	auto_dentry *d = NULL;
	int r = walk_last_to_remove(w, &d);

	if (r < 0)
		return r;
	if (w->must_be_dir && !want_dir)
		return S_ISDIR(d->inode->mode) ? -EISDIR : -ENOTDIR;
	r = perm_want_write(&w->cur);
	if (r == 0)
		r = landlock_remove(w->t, &w->cur, S_ISDIR(d->inode->mode));
	if (r == 0)
		r = perm_may_delete(w->t, dir, d->inode, want_dir);
	if (r == 0 && atomic_load(&d->nmounts) > 0)
		r = -EBUSY;
	if (r == 0)
		r = remove_from(w->t, dir, d, w->last, w->last_len, want_dir);
	if (r < 0)
		return r;
	notify_removed(d->inode);
	d = dentry_unref(d);            /* the last holder of a file's name tells its end */
	notify_child(dir, NULL, w->last, w->last_len, IN_DELETE | (want_dir ? IN_ISDIR : 0), 0);
	return 0;
}

int vfs_unlink(struct task *t, int dirfd, const char *name)
{
	struct walk w no_init;
	int r = walk_init(&w, t, dirfd, name, 0);

	if (r < 0)
		return r;
	r = walk_parent(&w);
	if (r == 0)
		r = w.last_kind == LAST_NAME ? remove_last(&w, false) : -EISDIR;
	walk_done(&w);
	return r;
}

int vfs_rmdir(struct task *t, int dirfd, const char *name)
{
	struct walk w no_init;
	int r = walk_init(&w, t, dirfd, name, 0);

	if (r < 0)
		return r;
	r = walk_parent(&w);
	if (r == 0) {
		switch (w.last_kind) {
		case LAST_NAME:
			r = remove_last(&w, true);
			break;
		case LAST_DOT:
			r = -EINVAL;
			break;
		case LAST_DOTDOT:
			r = -ENOTEMPTY;
			break;
		case LAST_ROOT:
			r = -EBUSY;
			break;
		}
	}
	walk_done(&w);
	return r;
}
