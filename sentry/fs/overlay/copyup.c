/*
 * copyup.c - what is changed moves to the upper layer first.
 *
 * Under copy_mu: the parents, then the object itself with content, owner,
 * mode, xattrs and times.  The new upper inode is published last; a copy that
 * fails is removed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/iobuf.h"
#include "sentry/fs/overlay/overlay_int.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/posix_acl.h"

#define CHUNK (256u << 10)
#define XATTR_MAX 65536u

static int copy_bytes(struct task *t, struct file *from, struct file *to, u8 *buf)
{
	s64 rpos = 0, wpos = 0;

	for (;;) {
		struct iobuf b;
		ssize_t n, w;

		iobuf_kernel(&b, buf, CHUNK);
		n = from->ops->read(t, from, &b, &rpos);
		if (n <= 0)
			return (int)n;
		for (ssize_t done = 0; done < n; done += w) {
			iobuf_kernel(&b, buf + done, (size_t)(n - done));
			w = to->ops->write(t, to, &b, &wpos);
			if (w <= 0)
				return w < 0 ? (int)w : -EIO;
		}
	}
}

static int copy_content(struct task *t, struct inode *lower, struct inode *upper)
{
	auto_file *from = NULL, *to = NULL;
	auto_kfree u8 *buf = kbuf_alloc(CHUNK);
	int r;

	if (!buf)
		return -ENOMEM;
	r = lower->ops->open(t, lower, NULL, O_RDONLY, &from);
	if (r == 0)
		r = upper->ops->open(t, upper, NULL, O_WRONLY, &to);
	if (r == 0 && (!from->ops->read || !to->ops->write))
		r = -EINVAL;
	return r < 0 ? r : copy_bytes(t, from, to, buf);
}

/*
 * Those that the upper layer cannot keep are left behind, as on Linux.  *ret: the access control lists among them, which
 * are never.
 */
static int copy_xattrs(struct task *t, const struct overlay *ov, struct inode *lower, struct inode *upper,
                       struct acl_heritage *ret)
{
	auto_kfree char *names = NULL, *value = NULL;
	ssize_t n;

	if (!lower->ops->listxattr || !lower->ops->getxattr || !upper->ops->setxattr)
		return 0;
	n = lower->ops->listxattr(t, lower, NULL, 0);
	if (n <= 0 || n > (ssize_t)XATTR_MAX)
		return 0;
	names = kbuf_alloc((size_t)n + 1);
	value = kbuf_alloc(XATTR_MAX);
	if (!names || !value)
		return -ENOMEM;
	n = lower->ops->listxattr(t, lower, names, (size_t)n);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		int type = acl_type_of(names + at), r = 0;
		ssize_t len;

		if (type >= 0 && !ret->acl[type])
			r = inode_get_acl(t, lower, (enum acl_type)type, &ret->acl[type]);
		if (r < 0)
			return r;
		if (type >= 0 || str_starts(names + at, ov->marks->prefix))
			continue;
		len = lower->ops->getxattr(t, lower, names + at, value, XATTR_MAX);
		if (len >= 0 && upper->ops->setxattr(t, upper, names + at, value, (size_t)len, 0) < 0)
			continue;
	}
	return 0;
}

static int draft_upper(struct task *t, struct onode *n, const struct kstat *st, struct draft *ret)
{
	struct ovl_make m = { .mode = st->mode, .major = st->rdev_major, .minor = st->rdev_minor };
	struct inode *lower = n->lower[0];
	char target[4096];
	ssize_t len;

	if (S_ISLNK(st->mode)) {
		len = lower->ops->readlink(t, lower, target, sizeof(target) - 1);
		if (len < 0)
			return (int)len;
		target[len] = 0;
		m.target = target;
	}
	return ovl_draft(t, overlay_of(&n->i), onode_upper(n->parent), n->name, n->len, &m, ret);
}

static int copy_attrs(struct task *t, struct inode *upper, const struct kstat *st)
{
	struct iattr a = {
		.valid = IATTR_UID | IATTR_GID | IATTR_ATIME | IATTR_MTIME,
		.mode = st->mode & 07777, .uid = st->uid, .gid = st->gid, .atime = st->atime, .mtime = st->mtime,
	};

	if (!S_ISLNK(st->mode))
		a.valid |= IATTR_MODE;
	return upper->ops->setattr ? upper->ops->setattr(t, upper, &a) : 0;
}

/* The directory has its upper inode already. */
static int copy_one(struct task *t, struct onode *n, bool data)
{
	struct inode *lower = n->lower[0];
	auto_heritage acls = { 0 };
	auto_draft d = { 0 };
	struct kstat st;
	int r = inode_getattr(t, lower, &st);

	if (r == 0)
		r = draft_upper(t, n, &st, &d);
	if (r < 0)
		return r;
	if (S_ISREG(st.mode) && data && st.size > 0)
		r = copy_content(t, lower, d.made);
	if (r == 0)
		r = copy_xattrs(t, overlay_of(&n->i), lower, d.made, &acls);
	if (r == 0)
		r = ovl_draft_acls(t, &d, &acls);
	if (r == 0)
		r = copy_attrs(t, d.made, &st);
	if (r == 0)
		r = ovl_draft_place(t, &d, onode_upper(n->parent), n->name, n->len, NULL);
	if (r < 0)
		return ovl_draft_drop(t, &d) < 0 ? -EIO : r;
	atomic_store(&n->upper, inode_ref(d.made));
	return 0;
}

static int copy_locked(struct task *t, struct onode *n, bool data)
{
	/* From the highest that is missing downwards: no recursion, depth comes from the guest. */
	while (!onode_upper(n)) {
		struct onode *top = n;
		int r;

		while (top->parent && !onode_upper(top->parent))
			top = top->parent;
		if (!top->parent)
			return -EROFS;
		r = copy_one(t, top, top == n ? data : true);
		if (r < 0)
			return r;
	}
	return 0;
}

int ovl_copy_up(struct task *t, struct onode *n, bool data)
{
	struct overlay *ov = overlay_of(&n->i);
	int r;

	if (onode_upper(n))
		return 0;
	if (!ov->writable)
		return -EROFS;
	mutex_lock(&ov->copy_mu);
	r = copy_locked(t, n, data);
	mutex_unlock(&ov->copy_mu);
	return r;
}
