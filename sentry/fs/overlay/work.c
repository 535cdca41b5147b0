/*
 * work.c - changes of the upper layer that are there whole or not at all.
 *
 * A draft is an entry in the making.  With a work directory (an upper layer that outlives the sandbox) it is
 * made there, under a name of no meaning, and renamed to its place when it is complete, so that whoever is
 * killed meanwhile leaves the tree as it was before or after.  Without one (memory) it is
 * made in place.  What a killed sandbox left in the work directory is removed when the next one starts.
 *
 * Locks: the work directory's own and the target's (RANK_INODE), taken here; the caller holds
 *        the overlay directory's lock or copy_mu, so that the target's entries stay.
 */
#include <errno.h>
#include <linux/fs.h>
#include "platform/base/log.h"
#include "platform/base/str.h"
#include "sentry/fs/overlay/overlay_int.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/posix_acl.h"

#define TRIES 1000

int ovl_make_entry(struct task *t, struct inode *dir, const char *name, size_t len, const struct ovl_make *m,
                   struct inode **ret)
{
	const struct inode_ops *ops = dir->ops;

	switch (m->mode & S_IFMT) {
	case S_IFREG:
		return ops->create(t, dir, name, len, m->mode, ret);
	case S_IFDIR:
		return ops->mkdir(t, dir, name, len, m->mode, ret);
	case S_IFLNK:
		return ops->symlink(t, dir, name, len, m->target, ret);
	default:
		return ops->mknod(t, dir, name, len, m->mode, m->major, m->minor, ret);
	}
}

static int drop_entry(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *i)
{
	return S_ISDIR(i->mode) ? dir->ops->rmdir(t, dir, name, len, i) : dir->ops->unlink(t, dir, name, len, i);
}

static void temp_name(struct overlay *ov, struct draft *d)
{
	struct strbuf s;

	strbuf_fixed(&s, d->temp, sizeof(d->temp));
	strbuf_printf(&s, "#%llx", (unsigned long long)atomic_fetch_add(&ov->work_seq, 1));
	d->name = d->temp;
	d->len = s.len;
}

int ovl_draft(struct task *t, struct overlay *ov, struct inode *udir, const char *name, size_t len,
              const struct ovl_make *m, struct draft *ret)
{
	struct draft *d = ret;
	int r = -EEXIST;

	*d = (struct draft){ .dir = ov->work ? ov->work : udir, .name = name, .len = len };
	mutex_lock(&d->dir->mu);
	for (int i = 0; r == -EEXIST && i < (ov->work ? TRIES : 1); i++) {
		if (ov->work)
			temp_name(ov, d);
		if (m->link)
			r = d->dir->ops->link ? d->dir->ops->link(t, d->dir, d->name, d->len, m->link) : -EPERM;
		else
			r = ovl_make_entry(t, d->dir, d->name, d->len, m, &d->made);
	}
	mutex_unlock(&d->dir->mu);
	if (r == 0 && m->link)
		d->made = inode_ref(m->link);
	return r;
}

void ovl_draft_done(struct draft *d)
{
	d->made = inode_unref(d->made);
}

int ovl_draft_acls(struct task *t, struct draft *d, const struct acl_heritage *want)
{
	struct inode *i = d->made;
	auto_acl *inherited = NULL;
	int types = S_ISLNK(i->mode) ? 0 : S_ISDIR(i->mode) ? ACL_TYPES : 1;
	int r = types ? inode_get_acl(t, d->dir, ACL_DEFAULT, &inherited) : 0;

	for (int type = 0; r == 0 && type < types; type++)
		if (want->acl[type] || inherited)
			r = i->ops->set_acl ? i->ops->set_acl(t, i, (enum acl_type)type, want->acl[type]) : -EOPNOTSUPP;
	return r;
}

int ovl_draft_drop(struct task *t, struct draft *d)
{
	int r;

	mutex_lock(&d->dir->mu);
	r = drop_entry(t, d->dir, d->name, d->len, d->made);
	mutex_unlock(&d->dir->mu);
	return r;
}

int ovl_draft_place(struct task *t, struct draft *d, struct inode *udir, const char *name, size_t len,
                    struct inode *old)
{
	bool swap = old && (S_ISDIR(old->mode) || S_ISDIR(d->made->mode));
	int r;

	if (d->dir == udir)
		return 0;
	mutex_lock_pair(&d->dir->mu, &udir->mu);
	r = d->dir->ops->rename(t, d->dir, d->name, d->len, d->made, udir, name, len, old, swap ? RENAME_EXCHANGE : 0);
	/* The new state is there; what is left of the old one here is in nobody's way. */
	if (r == 0 && swap && drop_entry(t, d->dir, d->name, d->len, old) < 0)
		log_debug("overlay: %s stays in the work directory", d->name);
	mutex_unlock_pair(&d->dir->mu, &udir->mu);
	return r;
}
