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
#include "sentry/vfs/posix_acl.h"

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

static int set_opaque(struct task *t, const struct overlay *ov, struct inode *upper)
{
	return upper->ops->setxattr ? upper->ops->setxattr(t, upper, ov->marks->opaque, "y", 1, 0) : -EOPNOTSUPP;
}

/* Not as a member of the directory, but with the owner that one would have. */
static int own_as_in(struct task *t, struct inode *udir, u32 mode, struct inode *made)
{
	struct iattr a = { .valid = IATTR_UID | IATTR_GID | IATTR_MODE, .mode = mode };

	if (!(udir->mode & S_ISGID))
		return 0;
	inode_new_owner(t, udir, &a.mode, &a.uid, &a.gid);
	a.mode &= 07777;
	if (S_ISLNK(mode))
		a.valid &= ~(u32)IATTR_MODE;
	return made->ops->setattr ? made->ops->setattr(t, made, &a) : 0;
}

/* Over a whiteout, by way of the work directory: there is no moment at which the lower name shows. */
static int make_over(struct task *t, struct overlay *ov, struct place *p, const char *name, size_t len,
                     const struct ovl_make *m, struct inode **ret)
{
	auto_draft d = { 0 };
	auto_heritage h = { 0 };
	struct ovl_make own = *m;
	int r = m->link ? 0 : acl_inherit(t, p->udir, &own.mode, &h);

	if (r == 0)
		r = ovl_draft(t, ov, p->udir, name, len, &own, &d);
	if (r < 0)
		return r;
	if (!m->link)
		r = own_as_in(t, p->udir, own.mode, d.made);
	if (r == 0 && !m->link)
		r = ovl_draft_acls(t, &d, &h);
	if (r == 0 && p->hides && S_ISDIR(m->mode))
		r = set_opaque(t, ov, d.made);
	if (r == 0)
		r = ovl_draft_place(t, &d, p->udir, name, len, p->old);
	if (r < 0)
		return ovl_draft_drop(t, &d) < 0 ? -EIO : r;
	if (ret)
		*ret = inode_ref(d.made);
	return 0;
}

static int make_locked(struct task *t, struct place *p, const char *name, size_t len, const struct ovl_make *m,
                       struct inode **ret)
{
	int r = drop_whiteout(t, p, name, len);

	if (r < 0)
		return r;
	if (m->link)
		r = p->udir->ops->link ? p->udir->ops->link(t, p->udir, name, len, m->link) : -EPERM;
	else
		r = ovl_make_entry(t, p->udir, name, len, m, ret);
	if (r < 0 && p->old && put_whiteout(t, p->udir, name, len) < 0)
		return -EIO;
	return r;
}

/* A new directory shows nothing of a lower one.  vfs keeps others from it until this is done. */
static int finish_dir(struct task *t, struct overlay *ov, struct place *p, const char *name, size_t len,
                      struct inode *made)
{
	int r = set_opaque(t, ov, made);

	if (r == 0)
		return 0;
	mutex_lock(&p->udir->mu);
	if (p->udir->ops->rmdir(t, p->udir, name, len, made) < 0 || put_whiteout(t, p->udir, name, len) < 0)
		r = -EIO;
	mutex_unlock(&p->udir->mu);
	return r;
}

/* In the upper layer: a new entry where there is none, or a whiteout. */
static int make_upper(struct task *t, struct overlay *ov, struct place *p, const char *name, size_t len,
                      const struct ovl_make *m, struct inode **ret)
{
	int r;

	if (p->old && !is_whiteout(p->old))
		return -EEXIST;
	if (p->old && ov->work)
		return make_over(t, ov, p, name, len, m, ret);
	mutex_lock(&p->udir->mu);
	r = make_locked(t, p, name, len, m, ret);
	mutex_unlock(&p->udir->mu);
	if (r == 0 && S_ISDIR(m->mode) && p->hides)
		r = finish_dir(t, ov, p, name, len, *ret);
	return r;
}

static int make(struct task *t, struct inode *dir, const char *name, size_t len, const struct ovl_make *m,
                struct inode **ret)
{
	struct overlay *ov = overlay_of(dir);
	auto_inode *made = NULL;
	auto_place p = { 0 };
	struct onode *n;
	int r = place_of(t, dir, name, len, &p);

	if (r == 0)
		r = make_upper(t, ov, &p, name, len, m, &made);
	if (r == 0)
		r = onode_new(t, ov, onode_of(dir), name, len, made, NULL, 0, &n);
	if (r == 0)
		*ret = &n->i;
	return r;
}

static int ovl_create(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode,
                      struct inode **ret)
{
	return make(t, dir, name, len, &(struct ovl_make){ .mode = mode }, ret);
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
	return make(t, dir, name, len, &(struct ovl_make){ .mode = mode, .major = major, .minor = minor }, ret);
}

static int ovl_symlink(struct task *t, struct inode *dir, const char *name, size_t len, const char *target,
                       struct inode **ret)
{
	return make(t, dir, name, len, &(struct ovl_make){ .mode = S_IFLNK | 0777, .target = target }, ret);
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
	r = make_upper(t, overlay_of(dir), &p, name, len, &(struct ovl_make){ .link = onode_upper(n) }, NULL);
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

/* The whiteout takes the entry's place at once. */
static int remove_over(struct task *t, struct overlay *ov, struct place *p, const char *name, size_t len)
{
	auto_draft d = { 0 };
	int r = ovl_draft(t, ov, p->udir, name, len, &(struct ovl_make){ .mode = S_IFCHR }, &d);

	if (r < 0)
		return r;
	r = ovl_draft_place(t, &d, p->udir, name, len, p->old);
	if (r < 0 && ovl_draft_drop(t, &d) < 0)
		return -EIO;
	return r;
}

/* A directory that shows nothing becomes one that has nothing. */
static int empty_dir(struct task *t, struct overlay *ov, struct place *p)
{
	int r = p->hides ? set_opaque(t, ov, p->old) : 0;

	return r < 0 ? r : ovl_clear_whiteouts(t, p->old);
}

static int remove_name(struct task *t, struct inode *dir, const char *name, size_t len)
{
	struct overlay *ov = overlay_of(dir);
	auto_place p = { 0 };
	int r = place_of(t, dir, name, len, &p);

	if (r < 0)
		return r;
	if (p.old && is_whiteout(p.old))
		return -ENOENT;
	if (p.old && S_ISDIR(p.old->mode))
		r = empty_dir(t, ov, &p);
	if (r < 0)
		return r;
	if (p.old && p.hides && ov->work)
		return remove_over(t, ov, &p, name, len);
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

/*
 * The upper layer does it, and leaves a whiteout where the lower name would show.  A directory does not
 * replace a whiteout, which is a file: they change places, and it may be just what is wanted there.
 */
static int rename_locked(struct task *t, struct place *from, const char *oname, size_t olen, struct place *to,
                         const char *nname, size_t nlen, bool white)
{
	struct inode *od = from->udir, *nd = to->udir;
	bool swap = to->old && is_whiteout(to->old) && S_ISDIR(from->old->mode);
	int r = od->ops->rename(t, od, oname, olen, from->old, nd, nname, nlen, to->old,
	                        swap ? RENAME_EXCHANGE : white ? RENAME_WHITEOUT : 0);

	if (r == 0 && swap && !white)
		return od->ops->unlink(t, od, oname, olen, to->old);
	if (r != -EINVAL || swap || !white)
		return r;
	/* The host's file system does not know whiteouts. */
	r = od->ops->rename(t, od, oname, olen, from->old, nd, nname, nlen, to->old, 0);
	return r < 0 ? r : put_whiteout(t, od, oname, olen);
}

static int rename_upper(struct task *t, struct overlay *ov, struct place *from, const char *oname, size_t olen,
                        struct place *to, const char *nname, size_t nlen, u32 flags)
{
	int r = 0;

	if (S_ISDIR(from->old->mode) && to->hides)
		r = set_opaque(t, ov, from->old);
	if (r < 0)
		return r;
	mutex_lock_pair(&from->udir->mu, &to->udir->mu);
	r = rename_locked(t, from, oname, olen, to, nname, nlen, from->hides || (flags & RENAME_WHITEOUT));
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
		r = empty_dir(t, overlay_of(ndir), &to);
	if (r == 0)
		r = rename_upper(t, overlay_of(ndir), &from, oname, olen, &to, nname, nlen, flags);
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
	.get_acl = ovl_get_acl,
	.set_acl = ovl_set_acl,
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
	.get_acl = ovl_get_acl,
	.set_acl = ovl_set_acl,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.release = ovl_release,
};
