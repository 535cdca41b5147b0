/*
 * dir.c - reading directories: a listing is fetched whole and kept with the inode
 * as long as nothing in the directory changes.
 *
 * An open directory reads from the listing that it began with, so entries
 * that come and go meanwhile neither repeat nor hide others.  Positions are
 * 0 and 1 for dot and dotdot, then the index in the listing plus 2.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/kernel/cred.h"
#include "sentry/vfs/dentry.h"

#define LIST_MAX (1u << 22)             /* entries */
#define TEXT_MAX (1u << 28)

struct gdir {
	struct file f;
	struct glist *list;             /* guarded by pos_mu: a reference, or NULL until read */
};

struct glist *glist_ref(struct glist *l)
{
	ref_get(&l->ref);
	return l;
}

void glist_unref(struct glist *l)
{
	if (!l || !ref_put(&l->ref))
		return;
	kfree(l->e);
	kfree(l->text);
	kfree(l);
}

static bool room_for(struct glist *l, size_t len)
{
	if (l->n == l->cap) {
		u32 cap = l->cap ? l->cap * 2 : 32;
		void *p = cap <= LIST_MAX ? kbuf_realloc(l->e, cap * sizeof(*l->e)) : NULL;

		if (!p)
			return false;
		l->e = p;
		l->cap = cap;
	}
	if (l->text_cap - l->text_len < len + 1) {
		u32 cap = l->text_cap ? l->text_cap * 2 : 1024;
		void *p = cap <= TEXT_MAX ? kbuf_realloc(l->text, cap) : NULL;

		if (!p)
			return false;
		l->text = p;
		l->text_cap = cap;
	}
	return true;
}

static int add_entry(void *arg, const char *name, size_t len, u64 ino, u8 type)
{
	struct glist *l = arg;

	if (!room_for(l, len))
		return -ENOMEM;
	l->e[l->n++] = (struct glist_entry){ ino, l->text_len, type, (u8)len };
	memcpy(l->text + l->text_len, name, len);
	l->text[l->text_len + len] = '\0';
	l->text_len += (u32)len + 1;
	return 0;
}

/* Read the whole directory from the host. */
static int fetch(struct ginode *dir, struct glist **ret)
{
	struct glist *l = knew(struct glist);
	auto_kfree void *buf = kbuf_alloc(GRPC_DIR_BUF);
	bool watched = false, before;
	s64 cookie = 0;
	u64 seq;
	int r;

	if (!l || !buf) {
		kfree(l);
		return -ENOMEM;
	}
	ref_init(&l->ref);
	seq = gdir_names_seq(dir, &before);
	do
		r = grpc_readdir(&dir->c->rpc, dir->handle, &cookie, &watched, buf, add_entry, l);
	while (r > 0);
	if (r < 0) {
		glist_unref(l);
		return r;
	}
	if (watched != before)
		gdir_set_watched(dir, watched);
	if (watched) {
		struct glist *old = l;

		mutex_lock(&dir->c->mu);
		if (dir->names_seq == seq) {
			old = dir->list;
			dir->list = glist_ref(l);
			dir->list_seq = seq;
		}
		mutex_unlock(&dir->c->mu);
		if (old != l)
			glist_unref(old);
	}
	*ret = l;
	return 0;
}

struct glist *gdir_kept(struct ginode *dir)
{
	struct glist *l = NULL;

	mutex_lock(&dir->c->mu);
	if (dir->watched && dir->list && dir->list_seq == dir->names_seq)
		l = glist_ref(dir->list);
	mutex_unlock(&dir->c->mu);
	return l;
}

static bool entry_is(const struct glist *l, u32 i, const char *name, size_t len)
{
	return l->e[i].len == len && memcmp(l->text + l->e[i].name, name, len) == 0;
}

int glist_find(const struct glist *l, const char *name, size_t len, u32 hint)
{
	for (u32 i = hint; i < l->n && i < hint + 4; i++)
		if (entry_is(l, i, name, len))
			return (int)i;
	for (u32 i = 0; i < l->n; i++)
		if (entry_is(l, i, name, len))
			return (int)i;
	return -1;
}

/* Dot and dotdot: true when both have been told (or had been before). */
static bool tell_dots(struct file *f, struct dir_ctx *c)
{
	struct dentry *up;
	u64 ino = f->inode->ino;

	if (c->pos == 0) {
		if (!c->emit(c, ".", 1, ino, DT_DIR, 1))
			return false;
		c->pos = 1;
	}
	if (c->pos == 1) {
		up = f->path.dentry ? dentry_parent(f->path.dentry) : NULL;
		if (up && up->inode)
			ino = up->inode->ino;
		dentry_unref(up);
		if (!c->emit(c, "..", 2, ino, DT_DIR, 2))
			return false;
		c->pos = 2;
	}
	return true;
}

static int gdir_readdir(struct task *t, struct file *f, struct dir_ctx *c)
{
	struct gdir *d = container_of(f, struct gdir, f);
	struct ginode *dir = ginode_of(f->inode);
	int r;

	(void)t;
	if (c->pos == 0 || !d->list) {
		glist_unref(d->list);
		d->list = gdir_kept(dir);
		r = d->list ? 0 : fetch(dir, &d->list);
		if (r < 0) {
			d->list = NULL;
			return r;
		}
	}
	if (!tell_dots(f, c))
		return 0;
	while (c->pos >= 2 && c->pos - 2 < d->list->n) {
		const struct glist_entry *e = &d->list->e[c->pos - 2];

		if (!c->emit(c, d->list->text + e->name, e->len, e->ino, e->type, c->pos + 1))
			break;
		c->pos++;
	}
	return 0;
}

static int gdir_fsync(struct task *t, struct file *f, bool data_only)
{
	struct ginode *g = ginode_of(f->inode);

	(void)t;
	return grpc_fsync(&g->c->rpc, g->handle, data_only);
}

static void gdir_release(struct file *f)
{
	struct gdir *d = container_of(f, struct gdir, f);

	glist_unref(d->list);
	file_done(f);
	kfree(d);
}

static const struct file_ops gdir_ops = {
	.name = "gofer-dir", .readdir = gdir_readdir, .fsync = gdir_fsync, .release = gdir_release,
};

int gdir_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct gdir *d = knew(struct gdir);

	if (!d)
		return -ENOMEM;
	file_init(&d->f, &gdir_ops, flags, 0, p, i, task_cred(t));
	*ret = &d->f;
	return 0;
}
