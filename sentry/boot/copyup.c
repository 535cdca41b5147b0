/*
 * copyup.c - the mount option tmpcopyup: a tmpfs begins with what it covers.
 *
 * As runc does it, but inside: the tree below the mount point is copied inode by inode into the new file system before it is
 * mounted, so no name is resolved and nothing of it is looked up twice.  The image may be hostile: depth and number of entries are
 * bounded, and what cannot be read or does not fit fails the start.  Hard links become files of their own.
 *
 * Runs on the boot thread, before there is a process; locks only what the operations ask for (dir->mu).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/base/alloc.h"
#include "sentry/boot/boot_int.h"
#include "sentry/core/iobuf.h"
#include "sentry/vfs/posix_acl.h"

#define CHUNK       (256u << 10)
#define DEPTH_MAX   64
#define ENTRIES_MAX (1u << 20)
#define XATTR_MAX   65536u

struct copying {
	struct task *t;
	u8 *buf;                        /* CHUNK bytes */
	u32 entries;                    /* copied so far */
};

/* The names of one directory, one after another, each with its NUL. */
struct names {
	struct dir_ctx c;
	char *text;
	size_t len, cap;
	bool progressed;
	int err;
};

static bool collect(struct dir_ctx *c, const char *name, size_t len, u64 ino, unsigned type, s64 next)
{
	struct names *n = container_of(c, struct names, c);

	(void)ino;
	(void)type;
	(void)next;
	n->progressed = true;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return true;
	if (n->cap - n->len < len + 1) {
		size_t cap = (n->cap + len + 1) * 2;
		char *p = cap <= (size_t)ENTRIES_MAX * 64 ? kbuf_realloc(n->text, cap) : NULL;

		if (!p) {
			n->err = -ENOMEM;
			return false;
		}
		n->text = p;
		n->cap = cap;
	}
	memcpy(n->text + n->len, name, len);
	n->text[n->len + len] = 0;
	n->len += len + 1;
	return true;
}

static int list(struct task *t, struct inode *dir, struct names *n)
{
	auto_file *f = NULL;
	int r = dir->ops->open(t, dir, NULL, O_RDONLY | O_DIRECTORY, &f);

	if (r < 0)
		return r;
	if (!f->ops->readdir)
		return -ENOTDIR;
	n->c.emit = collect;
	do {
		n->progressed = false;
		r = f->ops->readdir(t, f, &n->c);
	} while (r >= 0 && n->progressed && n->err == 0);
	return r < 0 ? r : n->err;
}

static int copy_bytes(struct copying *x, struct file *from, struct file *to)
{
	s64 rpos = 0, wpos = 0;

	for (;;) {
		struct iobuf b;
		ssize_t n, w;

		iobuf_kernel(&b, x->buf, CHUNK);
		n = from->ops->read(x->t, from, &b, &rpos);
		if (n <= 0)
			return (int)n;
		for (ssize_t done = 0; done < n; done += w) {
			iobuf_kernel(&b, x->buf + done, (size_t)(n - done));
			w = to->ops->write(x->t, to, &b, &wpos);
			if (w <= 0)
				return w < 0 ? (int)w : -EIO;
		}
	}
}

static int copy_content(struct copying *x, struct inode *from, struct inode *to)
{
	auto_file *rd = NULL, *wr = NULL;
	int r = from->ops->open(x->t, from, NULL, O_RDONLY, &rd);

	if (r == 0)
		r = to->ops->open(x->t, to, NULL, O_WRONLY, &wr);
	return r < 0 ? r : copy_bytes(x, rd, wr);
}

/* Those that a tmpfs cannot keep are left behind; access control lists are not among these. */
static int copy_xattrs(struct copying *x, struct inode *from, struct inode *to)
{
	auto_kfree char *names = NULL;
	ssize_t n;

	if (!from->ops->listxattr || !from->ops->getxattr || !to->ops->setxattr)
		return 0;
	n = from->ops->listxattr(x->t, from, NULL, 0);
	if (n <= 0 || n > (ssize_t)XATTR_MAX)
		return 0;
	names = kbuf_alloc((size_t)n + 1);
	if (!names)
		return -ENOMEM;
	n = from->ops->listxattr(x->t, from, names, (size_t)n);
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		int list = acl_type_of(names + at), r;
		ssize_t len;

		if (list >= 0) {
			r = inode_copy_acl(x->t, from, to, (enum acl_type)list);
			if (r < 0)
				return r;
			continue;
		}
		len = from->ops->getxattr(x->t, from, names + at, x->buf, XATTR_MAX);
		if (len >= 0 && to->ops->setxattr(x->t, to, names + at, x->buf, (size_t)len, 0) < 0)
			continue;
	}
	return 0;
}

/* Mode, owner and times as they were: last, as all before changes them. */
static int copy_attrs(struct copying *x, struct inode *to, const struct kstat *st)
{
	struct iattr a = {
		.valid = IATTR_UID | IATTR_GID | IATTR_ATIME | IATTR_MTIME | (S_ISLNK(st->mode) ? 0 : IATTR_MODE),
		.mode = st->mode & 07777, .uid = st->uid, .gid = st->gid, .atime = st->atime, .mtime = st->mtime,
	};

	return to->ops->setattr ? to->ops->setattr(x->t, to, &a) : 0;
}

static int make_like(struct copying *x, struct inode *from, const struct kstat *st, struct inode *dir, const char *name,
                     struct inode **ret)
{
	const struct inode_ops *ops = dir->ops;
	size_t len = strlen(name);
	ssize_t n = 0;
	int r;

	if (S_ISLNK(st->mode)) {
		n = from->ops->readlink(x->t, from, (char *)x->buf, CHUNK - 1);
		if (n < 0)
			return (int)n;
		x->buf[n] = 0;
	}
	mutex_lock(&dir->mu);
	switch (st->mode & S_IFMT) {
	case S_IFDIR:
		r = ops->mkdir(x->t, dir, name, len, st->mode, ret);
		break;
	case S_IFLNK:
		r = ops->symlink(x->t, dir, name, len, (char *)x->buf, ret);
		break;
	case S_IFREG:
		r = ops->create(x->t, dir, name, len, st->mode, ret);
		break;
	default:
		r = ops->mknod(x->t, dir, name, len, st->mode, st->rdev_major, st->rdev_minor, ret);
	}
	mutex_unlock(&dir->mu);
	return r;
}

static int copy_tree(struct copying *x, struct inode *from, struct inode *to, int depth);

static int copy_entry(struct copying *x, struct inode *dir, const char *name, struct inode *to, int depth)
{
	auto_inode *from = NULL, *made = NULL;
	struct kstat st;
	int r = dir->ops->lookup(x->t, dir, name, strlen(name), &from);

	if (r == 0)
		r = inode_getattr(x->t, from, &st);
	if (r < 0)
		return r == -ENOENT ? 0 : r;            /* a host process removed it */
	if (++x->entries > ENTRIES_MAX)
		return -E2BIG;
	r = make_like(x, from, &st, to, name, &made);
	if (r == 0 && S_ISREG(st.mode) && st.size > 0)
		r = copy_content(x, from, made);
	if (r == 0 && S_ISDIR(st.mode))
		r = copy_tree(x, from, made, depth + 1);
	if (r < 0)
		return r;
	r = copy_xattrs(x, from, made);
	return r < 0 ? r : copy_attrs(x, made, &st);
}

static int copy_tree(struct copying *x, struct inode *from, struct inode *to, int depth)
{
	struct names n = { 0 };
	int r = depth < DEPTH_MAX ? list(x->t, from, &n) : -ELOOP;

	for (size_t at = 0; r == 0 && at < n.len; at += strlen(n.text + at) + 1)
		r = copy_entry(x, from, n.text + at, to, depth);
	kfree(n.text);
	return r;
}

int boot_copy_up(struct boot *b, struct inode *from, struct inode *to)
{
	struct copying x = { .t = b->hands, .buf = kbuf_alloc(CHUNK) };
	struct kstat st;
	int r = x.buf ? inode_getattr(b->hands, from, &st) : -ENOMEM;

	if (r == 0 && S_ISDIR(st.mode))
		r = copy_tree(&x, from, to, 0);
	if (r == 0)
		r = copy_xattrs(&x, from, to);
	if (r == 0)
		r = copy_attrs(&x, to, &st);
	kfree(x.buf);
	return r;
}
