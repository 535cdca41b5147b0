/*
 * xattr.c - extended attributes of a tmpfs node: a short list under i.mu.
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/tmpfs/tmpfs_int.h"
#include "sentry/vfs/posix_acl.h"

#define XATTR_BYTES_MAX (128u << 10)    /* per node: names and values */

static struct txattr *find_locked(struct tnode *n, const char *name)
{
	struct txattr *x;

	list_for_each(x, &n->xattrs, node)
		if (str_eq(x->name, name))
			return x;
	return NULL;
}

static void xattr_free(struct txattr *x)
{
	if (!x)
		return;
	kfree(x->name);
	kfree(x->value);
	kfree(x);
}

static struct txattr *xattr_new(const char *name, const void *v, size_t n)
{
	struct txattr *x = knew(struct txattr);

	if (!x)
		return NULL;
	x->name = kbuf_strdup(name);
	x->value = kbuf_alloc(MAX(n, 1));
	if (!x->name || !x->value) {
		xattr_free(x);
		return NULL;
	}
	memcpy(x->value, v, n);
	x->size = n;
	list_init(&x->node);
	return x;
}

static size_t weight(const struct txattr *x)
{
	return strlen(x->name) + 1 + x->size;
}

ssize_t tmpfs_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t cap)
{
	ssize_t r = -ENODATA;
	struct txattr *x;

	(void)t;
	mutex_lock(&i->mu);
	x = find_locked(tnode_of(i), name);
	if (x) {
		r = (ssize_t)x->size;
		if (cap > 0 && x->size > cap)
			r = -ERANGE;
		else if (cap > 0)
			memcpy(buf, x->value, x->size);
	}
	mutex_unlock(&i->mu);
	return r;
}

int tmpfs_setxattr(struct task *t, struct inode *i, const char *name, const void *v, size_t n, int flags)
{
	struct tnode *tn = tnode_of(i);
	struct txattr *x = xattr_new(name, v, n), *old;
	int r = 0;

	(void)t;
	if (!x)
		return -ENOMEM;
	mutex_lock(&i->mu);
	old = find_locked(tn, name);
	if (old && (flags & XATTR_CREATE))
		r = -EEXIST;
	else if (!old && (flags & XATTR_REPLACE))
		r = -ENODATA;
	else if (tn->xattr_bytes - (old ? weight(old) : 0) + weight(x) > XATTR_BYTES_MAX)
		r = -ENOSPC;
	if (r == 0) {
		if (old) {
			tn->xattr_bytes -= weight(old);
			list_del_init(&old->node);
		}
		tn->xattr_bytes += weight(x);
		list_add_tail(&x->node, &tn->xattrs);
		i->ctime = inode_now(i);
		x = old;
	}
	mutex_unlock(&i->mu);
	xattr_free(x);
	return r;
}

/* One more name at *at of @cap bytes; with none of them, its length only. */
static int put_name(char *buf, size_t cap, size_t *at, const char *name)
{
	size_t len = strlen(name) + 1;

	if (cap > 0 && *at + len > cap)
		return -ERANGE;
	if (cap > 0)
		memcpy(buf + *at, name, len);
	*at += len;
	return 0;
}

ssize_t tmpfs_listxattr(struct task *t, struct inode *i, char *buf, size_t cap)
{
	struct tnode *tn = tnode_of(i);
	struct txattr *x;
	size_t n = 0;
	int r = 0;

	(void)t;
	mutex_lock(&i->mu);
	for (int type = 0; r == 0 && type < ACL_TYPES; type++)
		if (atomic_load(&i->acl[type]))
			r = put_name(buf, cap, &n, acl_xattr_name[type]);
	list_for_each(x, &tn->xattrs, node) {
		if (r == 0)
			r = put_name(buf, cap, &n, x->name);
	}
	mutex_unlock(&i->mu);
	return r < 0 ? r : (ssize_t)n;
}

int tmpfs_removexattr(struct task *t, struct inode *i, const char *name)
{
	struct tnode *tn = tnode_of(i);
	struct txattr *x;
	int r = -ENODATA;

	(void)t;
	mutex_lock(&i->mu);
	x = find_locked(tn, name);
	if (x) {
		r = 0;
		list_del_init(&x->node);
		tn->xattr_bytes -= weight(x);
		i->ctime = inode_now(i);
	}
	mutex_unlock(&i->mu);
	xattr_free(x);
	return r;
}

void tmpfs_xattr_done(struct tnode *n)
{
	while (!list_empty(&n->xattrs)) {
		struct txattr *x = list_first(&n->xattrs, struct txattr, node);

		list_del_init(&x->node);
		xattr_free(x);
	}
}
