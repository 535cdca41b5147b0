/*
 * lookup.c - nodes of an overlay: what one name shows through the layers.
 */
#include "sentry/fs/overlay/overlay_int.h"
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/kernel.h"
#include "sentry/vfs/posix_acl.h"

static void put_layers(struct inode **lower, u32 n)
{
	for (u32 i = 0; i < n; i++)
		inode_unref(lower[i]);
	kfree(lower);
}

/* A loop, not a recursion: one node may hold its whole chain of parents. */
void ovl_release(struct inode *i)
{
	struct onode *n = onode_of(i), *parent;

	for (; n; n = parent && ref_put(&parent->i.ref) ? parent : NULL) {
		parent = n->parent;
		inode_unref(onode_upper(n));
		put_layers(n->lower, n->nlower);
		kfree(n->name);
		inode_done(&n->i);
		kfree(n);
	}
}

int onode_refresh(struct task *t, struct onode *n)
{
	struct kstat st;
	int r = inode_getattr(t, onode_real(n), &st);

	if (r < 0)
		return r;
	__atomic_store_n(&n->i.mode, st.mode, __ATOMIC_RELAXED);
	__atomic_store_n(&n->i.uid, st.uid, __ATOMIC_RELAXED);
	__atomic_store_n(&n->i.gid, st.gid, __ATOMIC_RELAXED);
	__atomic_store_n(&n->i.nlink, st.nlink, __ATOMIC_RELAXED);
	__atomic_store_n(&n->i.size, st.size, __ATOMIC_RELAXED);
	return 0;
}

int onode_new(struct task *t, struct overlay *ov, struct onode *parent, const char *name, size_t len,
              struct inode *upper, struct inode **lower, u32 nlower, struct onode **ret)
{
	struct onode *n = knew(struct onode);
	struct inode *real = upper ? upper : lower[0];
	int r = n ? 0 : -ENOMEM;

	if (n) {
		n->name = kbuf_alloc(len + 1);
		r = n->name ? 0 : -ENOMEM;
	}
	if (r < 0) {
		kfree(n);
		put_layers(lower, nlower);
		return r;
	}
	memcpy(n->name, name, len);
	n->len = len;
	/* A number of the lower layer survives the copy. */
	inode_init(&n->i, S_ISDIR(real->mode) ? &ovl_dir_ops : &ovl_file_ops, &ov->sb,
	           nlower ? lower[0]->ino : upper->ino, real->mode, real->uid, real->gid);
	mutex_init(&n->i.mu, RANK_OVERLAY);
	inode_forget_acls(&n->i);               /* the layer has them */
	n->i.rdev_major = real->rdev_major;
	n->i.rdev_minor = real->rdev_minor;
	atomic_init(&n->upper, upper ? inode_ref(upper) : NULL);
	n->lower = lower;
	n->nlower = nlower;
	if (parent) {
		n->parent = parent;
		inode_ref(&parent->i);
	}
	r = onode_refresh(t, n);
	if (r < 0) {
		inode_unref(&n->i);
		return r;
	}
	*ret = n;
	return 0;
}

static int is_opaque(struct task *t, const struct overlay *ov, struct inode *i)
{
	char v;

	return i->ops->getxattr && i->ops->getxattr(t, i, ov->marks->opaque, &v, 1) == 1 && v == 'y';
}

int upper_entry(struct task *t, struct onode *dir, const char *name, size_t len, struct inode **ret)
{
	struct inode *u = onode_upper(dir);
	int r;

	*ret = NULL;
	if (!u)
		return 0;
	r = u->ops->lookup(t, u, name, len, ret);
	if (r < 0)
		*ret = NULL;
	return r == -ENOENT ? 0 : r;
}

/* One lower layer's answer. 0 with *ret NULL: nothing there. */
static int lower_entry(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret)
{
	int r = dir->ops->lookup ? dir->ops->lookup(t, dir, name, len, ret) : -ENOTDIR;

	if (r < 0)
		*ret = NULL;
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

int lower_has(struct task *t, struct onode *dir, const char *name, size_t len, bool *ret)
{
	*ret = false;
	for (u32 i = 0; i < dir->nlower; i++) {
		auto_inode *x = NULL;
		int r = lower_entry(t, dir->lower[i], name, len, &x);

		if (r < 0)
			return r;
		if (x) {
			*ret = !is_whiteout(x);
			return 0;
		}
	}
	return 0;
}

/*
 * Gather what lies below @upper (maybe NULL).  A file is hidden by anything
 * above it; directories pile up until one is opaque or a file ends it.
 */
static int gather(struct task *t, struct onode *dir, const char *name, size_t len, struct inode *upper,
                  struct inode **lower, u32 *n)
{
	const struct overlay *ov = overlay_of(&dir->i);

	for (u32 i = 0; i < dir->nlower; i++) {
		auto_inode *x = NULL;
		bool is_dir;
		int r = lower_entry(t, dir->lower[i], name, len, &x);

		if (r < 0)
			return r;
		if (!x)
			continue;
		is_dir = S_ISDIR(x->mode);
		if (is_whiteout(x) || ((upper || *n > 0) && !is_dir))
			return 0;
		lower[(*n)++] = inode_ref(x);
		if (!is_dir || (ov->many && is_opaque(t, ov, x)))
			return 0;
	}
	return 0;
}

static int lookup_locked(struct task *t, struct onode *dir, const char *name, size_t len, struct inode **ret)
{
	auto_inode *upper = NULL;
	struct inode **lower = NULL;
	struct overlay *ov = overlay_of(&dir->i);
	struct onode *n;
	u32 nlower = 0;
	int r = upper_entry(t, dir, name, len, &upper);

	if (r < 0)
		return r;
	if (upper && is_whiteout(upper))
		return -ENOENT;
	if (dir->nlower && (!upper || (S_ISDIR(upper->mode) && !is_opaque(t, ov, upper)))) {
		lower = kbuf_array(dir->nlower, sizeof(*lower));
		if (!lower)
			return -ENOMEM;
		r = gather(t, dir, name, len, upper, lower, &nlower);
	}
	if (r == 0 && !upper && nlower == 0)
		r = -ENOENT;
	if (r < 0) {
		put_layers(lower, nlower);
		return r;
	}
	r = onode_new(t, ov, dir, name, len, upper, lower, nlower, &n);
	if (r == 0)
		*ret = &n->i;
	return r;
}

int ovl_lookup(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret)
{
	int r;

	mutex_lock(&dir->mu);
	r = lookup_locked(t, onode_of(dir), name, len, ret);
	mutex_unlock(&dir->mu);
	return r;
}

/* Does this layer still believe that it has @x (NULL: nothing) there? */
static bool layer_knows(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *x, bool attrs)
{
	return !dir->ops->revalidate || dir->ops->revalidate(t, dir, name, len, x, attrs);
}

/*
 * Only what a lower layer shows can change behind our back.  A layer that is not sure is asked: a directory
 * of which all is as it was must stay the same one, as there may be mounts below it.
 */
bool ovl_revalidate(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *i, bool attrs)
{
	struct onode *d = onode_of(dir), *n = i ? onode_of(i) : NULL;
	u32 had = n ? n->nlower : 0, seen = 0;

	if (n && onode_upper(n))
		return true;
	for (u32 l = 0; l < d->nlower && (!n || seen < had); l++) {
		struct inode *ld = d->lower[l], *want = n && n->lower[seen]->sb == ld->sb ? n->lower[seen] : NULL;
		auto_inode *x = NULL;

		if (want && layer_knows(t, ld, name, len, want, attrs))
			seen++;
		else if (!layer_knows(t, ld, name, len, NULL, attrs)) {
			if (lower_entry(t, ld, name, len, &x) < 0 || (x && x != want))
				return !n && x && is_whiteout(x);
			seen += x != NULL;
		}
	}
	return seen == had;
}
