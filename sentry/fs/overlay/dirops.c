/*
 * dirops.c - making and removing names in an overlay.
 *
 * vfs holds the overlay directory's lock; the upper directory's own is taken
 * around each call into the layer.  A name that a lower layer would still show is
 * covered by a whiteout; a new directory over such a name is opaque.
 */
#include <errno.h>
#include <linux/fs.h>
#include "sentry/fs/overlay/overlay_int.h"
#include "sentry/kernel/task.h"

/* What one change works with. */
struct place {
	struct inode *udir;             /* borrowed: the upper directory */
	bool hides;                     /* a lower layer has this name */
	struct inode *old;              /* a reference: the upper entry, or NULL */
};

static void place_done(struct place *p) { inode_unref(p->old); }
#define auto_place cleanup_with(place_done) struct place

static int place_of(struct task *t, struct inode *dir, const char *name, size_t len, struct place *ret)
{
	struct onode *d = onode_of(dir);
	int r = ovl_copy_up(t, d, true);

	if (r < 0)
		return r;
	ret->udir = onode_upper(d);
	r = lower_has(t, d, name, len, &ret->hides);
	return r < 0 ? r : upper_entry(t, d, name, len, &ret->old);
}

static int put_whiteout(struct task *t, struct inode *udir, const char *name, size_t len)
{
	struct inode *w = NULL;
	int r = udir->ops->mknod(t, udir, name, len, S_IFCHR, 0, 0, &w);

	inode_unref(w);
	return r;
}

static int drop_whiteout(struct task *t, struct place *p, const char *name, size_t len)
{
	if (!p->old)
		return 0;
	return is_whiteout(p->old) ? p->udir->ops->unlink(t, p->udir, name, len, p->old) : -EEXIST;
}

static int set_opaque(struct task *t, struct inode *upper)
{
	return upper->ops->setxattr ? upper->ops->setxattr(t, upper, OVL_OPAQUE, "y", 1, 0) : -EOPNOTSUPP;
}

static int make_locked(struct task *t, struct place *p, const char *name, size_t len, u32 mode,
                       const char *target, u32 major, u32 minor, struct inode **ret)
{
	const struct inode_ops *ops = p->udir->ops;
	int r = drop_whiteout(t, p, name, len);

	if (r < 0)
		return r;
	switch (mode & S_IFMT) {
	case S_IFREG:
		r = ops->create(t, p->udir, name, len, mode, ret);
		break;
	case S_IFDIR:
		r = ops->mkdir(t, p->udir, name, len, mode, ret);
		break;
	case S_IFLNK:
		r = ops->symlink(t, p->udir, name, len, target, ret);
		break;
	default:
		r = ops->mknod(t, p->udir, name, len, mode, major, minor, ret);
		break;
	}
	if (r < 0 && p->old && put_whiteout(t, p->udir, name, len) < 0)
		return -EIO;
	return r;
}

/* A new directory shows nothing of a lower one.  vfs keeps others from it until this is done. */
static int finish_dir(struct task *t, struct place *p, const char *name, size_t len, struct inode *made)
{
	int r = set_opaque(t, made);

	if (r == 0)
		return 0;
	mutex_lock(&p->udir->mu);
	if (p->udir->ops->rmdir(t, p->udir, name, len, made) < 0 || put_whiteout(t, p->udir, name, len) < 0)
		r = -EIO;
	mutex_unlock(&p->udir->mu);
	return r;
}

static int make(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, const char *target,
                u32 major, u32 minor, struct inode **ret)
{
	auto_inode *made = NULL;
	auto_place p = { 0 };
	struct onode *n;
	int r = place_of(t, dir, name, len, &p);

	if (r < 0)
		return r;
	mutex_lock(&p.udir->mu);
	r = make_locked(t, &p, name, len, mode, target, major, minor, &made);
	mutex_unlock(&p.udir->mu);
	if (r == 0 && S_ISDIR(mode) && p.hides)
		r = finish_dir(t, &p, name, len, made);
	if (r == 0)
		r = onode_new(t, overlay_of(dir), onode_of(dir), name, len, made, NULL, 0, &n);
	if (r == 0)
		*ret = &n->i;
	return r;
}

static int ovl_create(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode,
                      struct inode **ret)
{
	return make(t, dir, name, len, mode, NULL, 0, 0, ret);
}

static int ovl_tmpfile(struct task *t, struct inode *dir, u32 mode, struct inode **ret)
{
	struct inode *udir;
	auto_inode *made = NULL;
	struct onode *n;
	int r = ovl_copy_up(t, onode_of(dir), true);

	if (r < 0)
		return r;
	udir = onode_upper(onode_of(dir));
	if (!udir->ops->tmpfile)
		return -EOPNOTSUPP;
	mutex_lock(&udir->mu);
	r = udir->ops->tmpfile(t, udir, mode, &made);
	mutex_unlock(&udir->mu);
	if (r == 0)
		r = onode_new(t, overlay_of(dir), onode_of(dir), "", 0, made, NULL, 0, &n);
	if (r == 0)
		*ret = &n->i;
	return r;
}

static int ovl_mknod(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, u32 major,
                     u32 minor, struct inode **ret)
{
	if (S_ISCHR(mode) && major == 0 && minor == 0)
		return -EPERM;          /* it would be a whiteout */
	return make(t, dir, name, len, mode, NULL, major, minor, ret);
}

static int ovl_symlink(struct task *t, struct inode *dir, const char *name, size_t len, const char *target,
                       struct inode **ret)
{
	return make(t, dir, name, len, S_IFLNK | 0777, target, 0, 0, ret);
}

static int ovl_link(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *target)
{
	struct onode *n = onode_of(target);
	auto_place p = { 0 };
	int r = ovl_copy_up(t, n, true);

	if (r == 0)
		r = place_of(t, dir, name, len, &p);
	if (r < 0)
		return r;
	if (!p.udir->ops->link)
		return -EPERM;
	mutex_lock(&p.udir->mu);
	r = drop_whiteout(t, &p, name, len);
	if (r == 0) {
		r = p.udir->ops->link(t, p.udir, name, len, onode_upper(n));
		if (r < 0 && p.old && put_whiteout(t, p.udir, name, len) < 0)
			r = -EIO;
	}
	mutex_unlock(&p.udir->mu);
	return r < 0 ? r : onode_refresh(t, n);
}

/* ---- removing ---- */

/* @p.old, if any, is a real entry: take it away and leave what hides the lower one. */
static int remove_locked(struct task *t, struct place *p, const char *name, size_t len)
{
	int r = 0;

	if (p->old)
		r = S_ISDIR(p->old->mode) ? p->udir->ops->rmdir(t, p->udir, name, len, p->old) :
		                            p->udir->ops->unlink(t, p->udir, name, len, p->old);
	return r == 0 && p->hides ? put_whiteout(t, p->udir, name, len) : r;
}

static int remove_name(struct task *t, struct inode *dir, const char *name, size_t len)
{
	auto_place p = { 0 };
	int r = place_of(t, dir, name, len, &p);

	if (r < 0)
		return r;
	if (p.old && is_whiteout(p.old))
		return -ENOENT;
	if (p.old && S_ISDIR(p.old->mode))
		r = ovl_clear_whiteouts(t, p.old);
	if (r < 0)
		return r;
	mutex_lock(&p.udir->mu);
	r = remove_locked(t, &p, name, len);
	mutex_unlock(&p.udir->mu);
	return r;
}

static int ovl_unlink(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	int r = remove_name(t, dir, name, len);

	if (r == 0 && onode_upper(onode_of(victim)))
		return onode_refresh(t, onode_of(victim));
	if (r == 0)
		__atomic_store_n(&victim->nlink, 0, __ATOMIC_RELAXED);
	return r;
}

static int ovl_rmdir(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	int r = ovl_check_empty(t, onode_of(victim));

	if (r == 0)
		r = remove_name(t, dir, name, len);
	if (r == 0)
		__atomic_store_n(&victim->nlink, 0, __ATOMIC_RELAXED);
	return r;
}

/* ---- rename ---- */

/* The upper layer does it; before, what is in the way is made harmless. */
static int rename_upper(struct task *t, struct place *from, const char *oname, size_t olen, struct place *to,
                        const char *nname, size_t nlen, u32 flags)
{
	int r = 0;

	if (S_ISDIR(from->old->mode) && to->hides)
		r = set_opaque(t, from->old);
	if (r < 0)
		return r;
	mutex_lock_pair(&from->udir->mu, &to->udir->mu);
	/* A directory does not replace a whiteout, which is a file. */
	if (to->old && is_whiteout(to->old) && S_ISDIR(from->old->mode)) {
		r = to->udir->ops->unlink(t, to->udir, nname, nlen, to->old);
		to->old = inode_unref(to->old);
	}
	if (r == 0)
		r = from->udir->ops->rename(t, from->udir, oname, olen, from->old, to->udir, nname, nlen, to->old,
		                            flags & ~(u32)RENAME_WHITEOUT);
	if (r == 0 && (from->hides || (flags & RENAME_WHITEOUT)))
		r = put_whiteout(t, from->udir, oname, olen);
	mutex_unlock_pair(&from->udir->mu, &to->udir->mu);
	return r;
}

static int ovl_rename(struct task *t, struct inode *odir, const char *oname, size_t olen, struct inode *victim,
                      struct inode *ndir, const char *nname, size_t nlen, struct inode *target, u32 flags)
{
	auto_place from = { 0 }, to = { 0 };
	struct onode *n = onode_of(victim);
	int r;

	if ((S_ISDIR(victim->mode) && n->nlower) || (flags & RENAME_EXCHANGE))
		return -EXDEV;
	if (target && S_ISDIR(target->mode)) {
		r = ovl_check_empty(t, onode_of(target));
		if (r < 0)
			return r;
	}
	r = ovl_copy_up(t, n, true);
	if (r == 0)
		r = place_of(t, odir, oname, olen, &from);
	if (r == 0)
		r = place_of(t, ndir, nname, nlen, &to);
	if (r == 0 && (!from.old || is_whiteout(from.old)))
		r = -ENOENT;
	if (r == 0 && to.old && S_ISDIR(to.old->mode))
		r = ovl_clear_whiteouts(t, to.old);
	if (r == 0)
		r = rename_upper(t, &from, oname, olen, &to, nname, nlen, flags);
	if (r == 0 && target && onode_upper(onode_of(target)))
		return onode_refresh(t, onode_of(target));
	return r;
}

const struct inode_ops ovl_dir_ops = {
	.lookup = ovl_lookup,
	.revalidate = ovl_revalidate,
	.create = ovl_create,
	.tmpfile = ovl_tmpfile,
	.mkdir = ovl_create,
	.mknod = ovl_mknod,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.open = ovl_open_dir,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.release = ovl_release,
};

const struct inode_ops ovl_file_ops = {
	.open = ovl_open,
	.readlink = ovl_readlink,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.release = ovl_release,
};
