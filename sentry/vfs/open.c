/*
 * open.c - open(2): find or create, check, then ask the file system.
 *
 * Order as in Linux: the walk, creation, may-open checks, the file system's
 * open, truncation.  FIFOs are the same everywhere and are opened here; O_PATH
 * files are only a place and never reach a file system.
 */
#include <fcntl.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/cgroup_bpf.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/namei.h"
#include "sentry/vfs/lease.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/perm.h"
#include "sentry/vfs/posix_acl.h"

#define KEPT_FLAGS (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_DIRECT | O_NOATIME | \
                    O_DIRECTORY | O_NOFOLLOW | LX_LARGEFILE | O_ASYNC)
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

/* ---- O_PATH ---- */

static void path_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

static const struct file_ops path_ops = { .name = "path", .release = path_release };

static int open_place(struct task *t, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f = knew(struct file);

	if (!f)
		return -ENOMEM;
	file_init(f, &path_ops, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW), FILE_PATH, p, path_inode(p),
	          task_cred(t));
	*ret = f;
	return 0;
}

int vfs_open_place(struct task *t, const struct path *p, struct file **ret) { return open_place(t, p, O_PATH, ret); }

/* ---- checks ---- */

static int access_mask(u32 flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return MAY_READ;
	case O_WRONLY:
		return MAY_WRITE;
	default:
		return MAY_READ | MAY_WRITE;
	}
}

static int may_open_type(const struct path *p, struct inode *i, u32 flags)
{
	int mask = access_mask(flags);

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		return mask & MAY_WRITE || flags & (O_CREAT | O_TRUNC) ? -EISDIR : 0;
	case S_IFSOCK:
		return 0;               /* open_by_kind() */
	case S_IFBLK:
	case S_IFCHR:
		if (vfs_is_proxy(i))
			return 0;
		return mount_flags(p->mnt) & MNT_NODEV ? -EACCES : 0;
	case S_IFIFO:
		return 0;
	default:
		return mask & MAY_WRITE || flags & O_TRUNC ? perm_want_write(p) : 0;
	}
}

static int may_open_device(struct task *t, struct inode *i, int mask)
{
	u32 access = (mask & MAY_READ ? BPF_DEVCG_ACC_READ : 0) | (mask & MAY_WRITE ? BPF_DEVCG_ACC_WRITE : 0);

	return cgroup_may_use_device(t, i->mode, i->rdev_major, i->rdev_minor, access);
}

static int may_open(struct task *t, const struct path *p, u32 flags)
{
	struct inode *i = path_inode(p);
	int r = may_open_type(p, i, flags);

	if (r < 0)
		return r;
	if ((flags & O_DIRECTORY) && !S_ISDIR(i->mode))
		return -ENOTDIR;
	r = inode_permission(t, i, access_mask(flags) | (flags & O_TRUNC ? MAY_WRITE : 0));
	if (r == 0 && (S_ISCHR(i->mode) || S_ISBLK(i->mode)) && !vfs_is_proxy(i))
		r = may_open_device(t, i, access_mask(flags));
	if (r < 0)
		return r;
	if ((flags & O_NOATIME) && !inode_owner_or_capable(t, i))
		return -EPERM;
	return 0;
}

static int truncate_opened(struct task *t, struct inode *i)
{
	struct iattr a = { .valid = IATTR_SIZE };
	int r = 0;

	if (!inode_add_writer(i))
		return -ETXTBSY;
	mutex_lock(&i->wr_mu);
	if (i->ops->truncate_open)
		r = i->ops->truncate_open(t, i);
	else if (i->ops->setattr)
		r = i->ops->setattr(t, i, &a);
	mutex_unlock(&i->wr_mu);
	inode_drop_writer(i);
	return r;
}

static int open_by_kind(struct task *t, const struct path *p, u32 flags, struct file **ret)
{
	struct inode *i = path_inode(p);

	if (S_ISFIFO(i->mode) && !vfs_is_proxy(i))
		return fifo_open(t, i, p, flags, ret);
	if (S_ISSOCK(i->mode))
		return -ENXIO;
	return i->ops->open ? i->ops->open(t, i, p, flags, ret) : -ENXIO;
}

/* The place is known and allowed.  @exec: to run it, which exec_check() decides. */
static int open_found(struct task *t, const struct path *p, u32 flags, bool created, bool exec, struct file **ret)
{
	struct inode *i = path_inode(p);
	bool writes = (flags & O_ACCMODE) != O_RDONLY && S_ISREG(i->mode);
	u32 denied = 0;
	auto_file *f = NULL;
	int r = exec ? 0 : landlock_open(t, p, created ? flags & ~(u32)O_TRUNC : flags, &denied);

	if (r < 0)
		return r;
	if (writes && !inode_add_writer(i))
		return -ETXTBSY;
	r = open_by_kind(t, p, (flags & KEPT_FLAGS) | LX_LARGEFILE, &f);
	/* An overlay's file may belong to another inode; from here on the count is the file's to give back. */
	if (r == 0 && writes && f->inode == i && !(f->kind & FILE_WRITER))
		f->kind |= FILE_WRITER;
	else if (writes)
		inode_drop_writer(i);
	/* Those who can do it: regular files, but for proc's. */
	if (r == 0 && (flags & O_DIRECT) && (!S_ISREG(i->mode) || (f->kind & FILE_COMMAND)))
		r = -EINVAL;
	if (r < 0)
		return r;
	if (S_ISREG(i->mode) && !writes && f->inode == i && !(f->kind & FILE_READER)) {
		f->kind |= FILE_READER;
		atomic_fetch_add(&i->readers, 1);
	}
	r = lease_break(t, i, flags);
	if (r < 0)
		return r;
	if (created)
		f->kind |= FILE_CREATED;
	f->kind |= denied;
	notify_file(f, IN_OPEN);
	if ((flags & O_TRUNC) && !created && S_ISREG(i->mode)) {
		r = truncate_opened(t, i);
		if (r < 0)
			return r;
		notify_file(f, IN_MODIFY);
	}
	*ret = f;
	f = NULL;
	return 0;
}

int vfs_open_path(struct task *t, const struct path *p, u32 flags, bool nocheck, struct file **ret)
{
	int r;

	if (flags & O_PATH)
		return open_place(t, p, flags, ret);
	r = nocheck ? may_open_type(p, path_inode(p), flags) : may_open(t, p, flags);
	return r < 0 ? r : open_found(t, p, flags, false, nocheck, ret);
}

/* ---- creating ---- */

/* walk->cur/last does not exist: make it. -EEXIST when another was faster. */
static int create_last(struct walk *w, u32 mode, struct dentry **ret)
{
	struct inode *dir = w->cur.dentry->inode;
	auto_inode *made = NULL;
	int r = perm_want_write(&w->cur);

	if (r == 0)
		r = super_knows_all_names(dir->sb) ? -ENOENT : landlock_make(w->t, &w->cur, S_IFREG);
	if (r == 0)
		r = perm_may_create(w->t, dir);
	if (r == 0 && dentry_is_deleted(w->cur.dentry))
		r = -ENOENT;
	if (r == 0 && !dir->ops->create)
		r = -EACCES;
	if (r < 0)
		return r;
	mode = S_IFREG | (mode & 07777);
	mutex_lock(&dir->mu);
	r = acl_umask(w->t, dir, &mode);
	if (r == 0)
		r = dir->ops->create(w->t, dir, w->last, w->last_len, mode, &made);
	if (r == 0)
		r = dentry_create(w->cur.dentry, w->last, w->last_len, made, ret);
	mutex_unlock(&dir->mu);
	if (r == 0)
		notify_child(dir, made, w->last, w->last_len, IN_CREATE, 0);
	return r;
}

/* With O_EXCL the name is most likely new: then no lookup is needed.  Failures are the lookup's to explain. */
static bool create_unseen(struct walk *w, u32 flags, u32 mode, struct dentry **ret)
{
	auto_dentry *known = NULL;

	if (!(flags & O_EXCL) || !w->cur.dentry->inode->sb->slow_lookup)
		return false;
	known = dentry_find(w->cur.dentry, w->last, w->last_len);
	return !known && create_last(w, mode, ret) == 0;
}

static int find_or_create(struct walk *w, u32 flags, u32 mode, struct dentry **ret, bool *created)
{
	int r = walk_last(w, ret);

	if (r == 0 && (flags & O_EXCL))
		return -EEXIST;
	if (r != -ENOENT)
		return r;
	r = create_last(w, mode, ret);
	*created = r == 0;
	if (r == -EEXIST && !(flags & O_EXCL))
		r = walk_last(w, ret);
	return r;
}

/*
 * One try at the last component with O_CREAT.  0: w->cur is the place.
 * 1: it was a symlink, whose text is to be walked.
 */
static int open_last(struct walk *w, u32 flags, u32 mode, bool *created)
{
	auto_dentry *d = NULL;
	int r = 0;

	if (w->last_kind == LAST_ROOT && w->links)
		return 0;
	if (w->last_kind != LAST_NAME)
		return flags & O_EXCL ? -EEXIST : -EISDIR;
	if (w->must_be_dir)
		return -EISDIR;
	*created = create_unseen(w, flags, mode, &d);
	if (!*created)
		r = find_or_create(w, flags, mode, &d, created);
	if (r < 0)
		return r;
	if (S_ISLNK(d->inode->mode)) {
		if (flags & O_NOFOLLOW)
			return -ELOOP;
		r = walk_follow_last(w, d);
		return r < 0 ? r : 1;
	}
	dentry_unref(w->cur.dentry);
	w->cur.dentry = d;
	d = NULL;
	if (atomic_load(&w->cur.dentry->nmounts) > 0)
		mount_cross(&w->cur);
	return 0;
}

static int open_create(struct walk *w, u32 flags, u32 mode, struct file **ret)
{
	bool created = false;
	int r;

	do {
		r = walk_parent(w);
		if (r == 0)
			r = open_last(w, flags, mode, &created);
	} while (r == 1);
	if (r < 0)
		return r;
	if (!created)
		r = may_open(w->t, &w->cur, flags);
	return r < 0 ? r : open_found(w->t, &w->cur, flags, created, false, ret);
}

/* O_TMPFILE: w->cur is the directory.  O_EXCL: it never gets a name. */
static int open_nameless(struct walk *w, u32 flags, u32 mode, struct file **ret)
{
	struct inode *dir = path_inode(&w->cur);
	auto_inode *made = NULL;
	auto_dentry *d = NULL;
	struct path p;
	int r = perm_want_write(&w->cur);

	if (r == 0)
		r = perm_may_create(w->t, dir);
	if (r == 0 && !dir->ops->tmpfile)
		r = -EOPNOTSUPP;
	if (r < 0)
		return r;
	mode = S_IFREG | (mode & 07777);
	mutex_lock(&dir->mu);
	r = acl_umask(w->t, dir, &mode);
	if (r == 0)
		r = dir->ops->tmpfile(w->t, dir, mode, &made);
	mutex_unlock(&dir->mu);
	if (r == 0)
		r = dentry_nameless(w->cur.dentry, made, &d);
	if (r < 0)
		return r;
	atomic_store(&made->linkable, !(flags & O_EXCL));
	p = (struct path){ w->cur.mnt, d };
	r = open_found(w->t, &p, flags & ~(u32)O_DIRECTORY, true, false, ret);
	if (r == 0) {
		__atomic_fetch_or(&(*ret)->flags, O_TMPFILE, __ATOMIC_RELAXED);         /* F_GETFL tells */
		(*ret)->kind &= ~(u32)FILE_CREATED;
	}
	return r;
}

int vfs_open_flags(u32 flags)
{
	if (flags & O_PATH)
		return 0;
	if ((flags & TMPFILE_BIT) &&
	    ((flags & (O_TMPFILE | O_CREAT)) != O_TMPFILE || !(access_mask(flags) & MAY_WRITE)))
		return -EINVAL;
	return (flags & O_CREAT) && (flags & O_DIRECTORY) ? -EINVAL : 0;
}

int vfs_open(struct task *t, int dirfd, const char *name, u32 flags, u32 mode, u32 resolve,
             struct file **ret)
{
	struct walk w no_init;
	u32 lookup = resolve;
	int r = vfs_open_flags(flags);

	if (r < 0)
		return r;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (!(flags & O_NOFOLLOW))
		lookup |= LOOKUP_FOLLOW;
	if (flags & O_DIRECTORY)
		lookup |= LOOKUP_DIRECTORY;
	r = walk_init(&w, t, dirfd, name, lookup);
	if (r < 0)
		return r;
	if (flags & O_CREAT) {
		r = open_create(&w, flags, mode, ret);
	} else {
		r = walk_to_end(&w);
		if (r == 0 && (flags & TMPFILE_BIT))
			r = open_nameless(&w, flags, mode, ret);
		else if (r == 0)
			r = vfs_open_path(t, &w.cur, flags, false, ret);
	}
	walk_done(&w);
	return r;
}
