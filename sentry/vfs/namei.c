/*
 * namei.c - the walk (path_resolution(7), openat2(2), symlink(7)).
 *
 * One loop takes components from a text; a symlink's target becomes the text
 * and what was left goes on a stack, so nothing recurses and a chain of links is
 * bounded by MAX_SYMLINKS.  A walk over cached names takes one dcache lock per
 * component and allocates nothing.
 */
#include "sentry/vfs/namei.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/perm.h"

#define RETRIES 64              /* look-ups that raced with changes of the directory */

/* ---- one name ---- */

static int lookup_slow(struct task *t, struct dentry *dir, const char *name, size_t len,
                       struct dentry **ret)
{
	struct inode *d = dir->inode;
	int r;

	if (!d->ops->lookup)
		return -ENOTDIR;
	for (int i = 0; i < RETRIES; i++) {
		auto_inode *found = NULL;
		auto_dentry *entry = NULL;
		u32 changes = atomic_load(&dir->changes);

		r = d->ops->lookup(t, d, name, len, &found);
		if (r == -ENOENT && d->sb->nodcache)
			return r;
		if (r < 0 && r != -ENOENT)
			return r;
		r = dentry_add(dir, name, len, r < 0 ? NULL : found, changes, &entry);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		if (!entry->inode)
			return -ENOENT;
		*ret = entry;
		entry = NULL;
		return 0;
	}
	return -ESTALE;
}

/* The file system no longer trusts @entry: ask it what is there now. */
static int lookup_again(struct task *t, struct dentry *dir, struct dentry *entry, const char *name,
                        size_t len, struct dentry **ret)
{
	auto_inode *found = NULL;
	struct inode *d = dir->inode;
	int r = d->ops->lookup(t, d, name, len, &found);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT)
		found = NULL;
	if (found == entry->inode) {
		*ret = entry->inode ? dentry_ref(entry) : NULL;
		return entry->inode ? 0 : -ENOENT;
	}
	dentry_drop(entry, entry->inode != NULL);
	return lookup_slow(t, dir, name, len, ret);
}

static int lookup_entry(struct task *t, struct dentry *dir, const char *name, size_t len, bool attrs, struct dentry **ret)
{
	const struct inode_ops *ops = dir->inode->ops;
	auto_dentry *d = NULL;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	d = dentry_find(dir, name, len);
	if (!d)
		return lookup_slow(t, dir, name, len, ret);
	if (ops->revalidate && atomic_load(&d->nmounts) == 0 &&
	    !ops->revalidate(t, dir->inode, name, len, d->inode, attrs))
		return lookup_again(t, dir, d, name, len, ret);
	if (!d->inode)
		return -ENOENT;
	*ret = d;
	d = NULL;
	return 0;
}

int lookup_one(struct task *t, struct dentry *dir, const char *name, size_t len, struct dentry **ret)
{
	return lookup_entry(t, dir, name, len, true, ret);
}

/* ---- moving ---- */

static bool same_place(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}

static void set_cur(struct walk *w, struct path *p)     /* takes *p */
{
	path_put(&w->cur);
	w->cur = *p;
	*p = (struct path){ 0 };
}

static int cross(struct walk *w)
{
	struct mount *before = w->cur.mnt;

	if (likely(atomic_load_explicit(&w->cur.dentry->nmounts, memory_order_relaxed) == 0))
		return 0;
	if (mount_cross(&w->cur) && (w->flags & LOOKUP_NO_XDEV) && w->cur.mnt != before)
		return -EXDEV;
	return 0;
}

static int to_root(struct walk *w)
{
	struct path p = w->root;

	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	if ((w->flags & LOOKUP_NO_XDEV) && p.mnt != w->cur.mnt)
		return -EXDEV;
	path_get(&p);
	set_cur(w, &p);
	return 0;
}

/* Was what is below @d moved out of what a bind mount shows? */
static bool moved_out(const struct mount *m, struct dentry *d)
{
	return !dentry_is_root(m->root) && !dentry_is_below(d, m->root);
}

static int to_parent(struct walk *w)
{
	for (;;) {
		struct dentry *up;

		if (same_place(&w->cur, &w->root))
			return w->flags & LOOKUP_BENEATH ? -EXDEV : 0;
		if (w->cur.dentry != w->cur.mnt->root) {
			up = dentry_parent(w->cur.dentry);
			if (!up)
				return 0;
			if (moved_out(w->cur.mnt, up)) {
				dentry_unref(up);
				return -ENOENT;
			}
			dentry_unref(w->cur.dentry);
			w->cur.dentry = up;
			return cross(w);
		}
		if (w->flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		if (!mount_up(&w->cur))
			return 0;
	}
}

/* ---- symlinks ---- */

static int link_text(struct walk *w, struct inode *i, char **ret)
{
	char buf[PATH_MAX] no_init;
	ssize_t n;
	char *s;

	if (!i->ops->readlink)
		return -EINVAL;
	n = i->ops->readlink(w->t, i, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ENOENT;
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	s = kbuf_alloc((size_t)n + 1);
	if (!s)
		return -ENOMEM;
	memcpy(s, buf, (size_t)n);
	*ret = s;
	return 0;
}

/* A place instead of a text: /proc/PID/{cwd,root,exe,fd/N,ns/X}. */
static int follow_magic(struct walk *w, struct inode *i)
{
	struct path p = { 0 };
	int r = i->ops->follow(w->t, i, &p);

	if (r < 0)
		return r;
	if (w->flags & LOOKUP_NO_MAGICLINKS)
		r = -ELOOP;
	else if (w->scoped || ((w->flags & LOOKUP_NO_XDEV) && p.mnt != w->cur.mnt))
		r = -EXDEV;
	if (r < 0) {
		path_put(&p);
		return r;
	}
	set_cur(w, &p);
	return 1;
}

/*
 * Enter the symlink @i found in w->cur.  1: cur is now its place.  0: its text
 * is the current text, and what was left of the old one is on the stack.
 */
static int enter_link(struct walk *w, struct inode *i)
{
	char *text;
	int r;

	if ((w->flags & LOOKUP_NO_SYMLINKS) || w->links >= MAX_SYMLINKS || (mount_flags(w->cur.mnt) & MNT_NOSYMFOLLOW))
		return -ELOOP;
	w->links++;
	if (i->ops->follow) {
		r = follow_magic(w, i);
		if (r != -EINVAL)       /* this one is followed by its text */
			return r;
	}
	r = link_text(w, i, &text);
	if (r < 0)
		return r;
	w->bufs[w->nbufs++] = text;
	if (*w->p)
		w->rest[w->depth++] = w->p;
	w->p = text;
	return *text == '/' ? to_root(w) : 0;
}

bool walk_follows(const struct walk *w, const struct inode *i)
{
	return S_ISLNK(i->mode) && ((w->flags & LOOKUP_FOLLOW) || w->must_be_dir);
}

/* ---- the loop ---- */

/* Take the next component into last*; false at the end of everything. */
static bool next_component(struct walk *w)
{
	for (;;) {
		while (*w->p == '/')
			w->p++;
		if (*w->p)
			break;
		if (w->depth == 0)
			return false;
		w->p = w->rest[--w->depth];
	}
	w->last = w->p;
	w->p = strchrnul(w->p, '/');
	w->last_len = (size_t)(w->p - w->last);
	w->last_kind = LAST_NAME;
	if (w->last[0] == '.' && w->last_len == 1)
		w->last_kind = LAST_DOT;
	else if (w->last[0] == '.' && w->last[1] == '.' && w->last_len == 2)
		w->last_kind = LAST_DOTDOT;
	return true;
}

/* Nothing but slashes follows; notes a trailing one. */
static bool at_end(struct walk *w)
{
	const char *q = w->p;

	while (*q == '/')
		q++;
	if (*q || w->depth > 0)
		return false;
	if (q != w->p)
		w->must_be_dir = true;
	w->p = q;
	return true;
}

static int check_dir(struct walk *w)
{
	struct inode *i = w->cur.dentry->inode;

	if (!S_ISDIR(i->mode))
		return -ENOTDIR;
	return inode_permission(w->t, i, MAY_EXEC);
}

/* cur/last becomes cur.  1: a symlink's text was entered instead. */
static int step(struct walk *w, bool final)
{
	auto_dentry *d = NULL;
	int r;

	if (w->last_kind == LAST_DOT)
		return 0;
	if (w->last_kind == LAST_DOTDOT)
		return to_parent(w);
	r = lookup_one(w->t, w->cur.dentry, w->last, w->last_len, &d);
	if (r < 0)
		return r;
	if (S_ISLNK(d->inode->mode) && (!final || walk_follows(w, d->inode))) {
		r = enter_link(w, d->inode);
		return r < 0 ? r : r == 0;
	}
	dentry_unref(w->cur.dentry);
	w->cur.dentry = d;
	d = NULL;
	return cross(w);
}

int walk_parent(struct walk *w)
{
	int r;

	w->last_kind = LAST_ROOT;
	while (next_component(w)) {
		r = check_dir(w);
		if (r < 0)
			return r;
		if (at_end(w))
			return w->last_len > NAME_MAX ? -ENAMETOOLONG : 0;
		r = step(w, false);
		if (r < 0)
			return r;
	}
	w->last_kind = LAST_ROOT;       /* "/", or a magic link: cur is the place itself */
	return 0;
}

int walk_to_end(struct walk *w)
{
	int r;

	while (next_component(w)) {
		r = check_dir(w);
		if (r < 0)
			return r;
		r = step(w, at_end(w));
		if (r < 0)
			return r;
	}
	if ((w->must_be_dir || (w->flags & LOOKUP_DIRECTORY)) && !S_ISDIR(w->cur.dentry->inode->mode))
		return -ENOTDIR;
	return 0;
}

int walk_last(struct walk *w, struct dentry **ret)
{
	return lookup_one(w->t, w->cur.dentry, w->last, w->last_len, ret);
}

int walk_last_to_remove(struct walk *w, struct dentry **ret)
{
	struct inode *dir = w->cur.dentry->inode;
	/* Who owns it matters in a sticky directory, how many names it has to watchers. */
	bool attrs = (dir->mode & S_ISVTX) || notify_wanted(dir->sb);

	return lookup_entry(w->t, w->cur.dentry, w->last, w->last_len, attrs, ret);
}

int walk_follow_last(struct walk *w, struct dentry *link)
{
	int r = enter_link(w, link->inode);

	return r < 0 ? r : 0;
}

/* ---- the ends ---- */

static int start_at(struct walk *w, int dirfd, const char *name)
{
	auto_file *f = NULL;

	if (*name == '/' && !(w->flags & LOOKUP_IN_ROOT))
		return 0;
	if (dirfd == AT_FDCWD) {
		w->cur = fs_cwd(w->t->fs);
		return 0;
	}
	f = fd_get_path(w->t, dirfd);
	if (!f)
		return -EBADF;
	if (!f->path.dentry)            /* fexecve of a memfd, for one */
		return *name ? -ENOTDIR : vfs_proxy_place(w->t, f, &w->cur);
	if (*name && !S_ISDIR(f->path.dentry->inode->mode))
		return -ENOTDIR;
	w->cur = f->path;
	path_get(&w->cur);
	return 0;
}

int walk_init(struct walk *w, struct task *t, int dirfd, const char *name, u32 flags)
{
	int r;

	w->t = t;
	w->cur = w->root = (struct path){ 0 };
	w->flags = flags;
	w->links = w->depth = w->nbufs = 0;
	w->must_be_dir = false;
	w->scoped = flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT);
	w->p = name;
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	r = start_at(w, dirfd, name);
	if (r < 0)
		return r;
	if (w->scoped && w->cur.dentry) {
		w->root = w->cur;
		path_get(&w->root);
	} else {
		w->root = fs_root(t->fs);
	}
	if (*name == '/') {
		if ((flags & LOOKUP_BENEATH) && !(flags & LOOKUP_IN_ROOT)) {
			walk_done(w);
			return -EXDEV;
		}
		if (!w->cur.dentry) {
			w->cur = w->root;
			path_get(&w->cur);
		}
	}
	return 0;
}

void walk_done(struct walk *w)
{
	while (w->nbufs > 0)
		kfree(w->bufs[--w->nbufs]);
	if (w->cur.dentry)
		path_put(&w->cur);
	if (w->root.dentry)
		path_put(&w->root);
}

int vfs_lookup(struct task *t, int dirfd, const char *name, u32 flags, struct path *ret)
{
	struct walk w no_init;
	int r = walk_init(&w, t, dirfd, name, flags);

	if (r < 0)
		return r;
	r = walk_to_end(&w);
	if (r == 0) {
		*ret = w.cur;
		w.cur = (struct path){ 0 };
	}
	walk_done(&w);
	return r;
}
