/*
 * list.c - what a directory of an overlay contains.
 *
 * With one layer only, its own listing is passed on.  A merged directory is
 * read whole when a listing starts (position 0): names of upper layers first,
 * hiding those below; positions are then indexes into that list.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/hash.h"
#include "sentry/fs/overlay/overlay_int.h"
#include "sentry/kernel/task.h"

#define ENTRIES_MAX (1u << 20)

struct mentry {
	struct hnode node;
	u64 ino;
	u32 len;
	u8 type;
	bool white;
	char name[];
};

struct merged {
	struct hash_key key;
	struct htable names;
	struct mentry **list;           /* in order */
	size_t n, cap;
	int err;
};

/* Collects one layer's entries. */
struct collector {
	struct dir_ctx c;
	struct merged *m;
	struct task *t;
	struct inode *layer;
	bool progressed;
};

static void merged_done(struct merged *m)
{
	for (size_t i = 0; i < m->n; i++) {
		htable_del(&m->names, &m->list[i]->node);
		kfree(m->list[i]);
	}
	htable_done(&m->names);
	kfree(m->list);
	m->list = NULL;
	m->n = m->cap = 0;
}

static void merged_init(struct merged *m)
{
	*m = (struct merged){ 0 };
	hash_key_init(&m->key);
	htable_init(&m->names);
}

static bool known(struct merged *m, const char *name, size_t len, u64 h)
{
	for (struct hnode *n = htable_find(&m->names, h); n; n = htable_find_next(n)) {
		struct mentry *e = hnode_entry(n, struct mentry, node);

		if (e->len == len && memcmp(e->name, name, len) == 0)
			return true;
	}
	return false;
}

static int add(struct merged *m, const char *name, size_t len, u64 ino, unsigned type, u64 h)
{
	struct mentry *e;

	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 64;
		struct mentry **p = cap <= ENTRIES_MAX ? kbuf_realloc(m->list, cap * sizeof(*p)) : NULL;

		if (!p)
			return -ENOMEM;
		m->list = p;
		m->cap = cap;
	}
	e = kbuf_alloc(sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, len);
	e->len = (u32)len;
	e->ino = ino;
	e->type = (u8)type;
	htable_add(&m->names, &e->node, h);
	m->list[m->n++] = e;
	return 0;
}

static bool collect(struct dir_ctx *c, const char *name, size_t len, u64 ino, unsigned type, s64 next)
{
	struct collector *co = container_of(c, struct collector, c);
	u64 h = hash_bytes(&co->m->key, name, len);

	(void)next;
	co->progressed = true;
	if (!known(co->m, name, len, h))
		co->m->err = add(co->m, name, len, ino, type, h);
	return co->m->err == 0;
}

/* A character device may be a whiteout: ask, outside of the listing. */
static void mark_whiteouts(struct task *t, struct inode *layer, struct merged *m, size_t from)
{
	for (size_t i = from; i < m->n; i++) {
		struct mentry *e = m->list[i];
		auto_inode *x = NULL;

		if (e->type != DT_CHR && e->type != DT_UNKNOWN)
			continue;
		if (layer->ops->lookup(t, layer, e->name, e->len, &x) < 0)
			x = NULL;
		e->white = x && is_whiteout(x);
	}
}

static int read_layer(struct task *t, struct inode *layer, struct merged *m)
{
	struct collector co = { .c.emit = collect, .m = m, .t = t, .layer = layer };
	auto_file *f = NULL;
	size_t from = m->n;
	int r = layer->ops->open(t, layer, NULL, O_RDONLY | O_DIRECTORY, &f);

	if (r < 0)
		return r;
	if (!f->ops->readdir)
		return -ENOTDIR;
	do {
		co.progressed = false;
		r = f->ops->readdir(t, f, &co.c);
	} while (r >= 0 && co.progressed && m->err == 0);
	if (r >= 0)
		r = m->err;
	if (r >= 0)
		mark_whiteouts(t, layer, m, from);
	return r;
}

static int merge(struct task *t, struct onode *n, struct merged *m)
{
	struct inode *u = onode_upper(n);
	int r = u ? read_layer(t, u, m) : 0;

	for (u32 i = 0; r >= 0 && i < n->nlower; i++)
		r = read_layer(t, n->lower[i], m);
	return r;
}

static bool is_dots(const struct mentry *e)
{
	return e->name[0] == '.' && (e->len == 1 || (e->len == 2 && e->name[1] == '.'));
}

int ovl_check_empty(struct task *t, struct onode *dir)
{
	struct merged m;
	int r;

	merged_init(&m);
	r = merge(t, dir, &m);
	for (size_t i = 0; r >= 0 && i < m.n; i++)
		if (!m.list[i]->white && !is_dots(m.list[i]))
			r = -ENOTEMPTY;
	merged_done(&m);
	return r < 0 ? r : 0;
}

int ovl_clear_whiteouts(struct task *t, struct inode *upper_dir)
{
	struct merged m;
	int r;

	merged_init(&m);
	r = read_layer(t, upper_dir, &m);
	mutex_lock(&upper_dir->mu);
	for (size_t i = 0; r >= 0 && i < m.n; i++) {
		auto_inode *x = NULL;

		if (!m.list[i]->white)
			continue;
		r = upper_dir->ops->lookup(t, upper_dir, m.list[i]->name, m.list[i]->len, &x);
		if (r == 0)
			r = upper_dir->ops->unlink(t, upper_dir, m.list[i]->name, m.list[i]->len, x);
	}
	mutex_unlock(&upper_dir->mu);
	merged_done(&m);
	return r < 0 ? r : 0;
}

static int clear_entry(struct task *t, struct inode *dir, const struct mentry *e)
{
	auto_inode *x = NULL;
	int r = dir->ops->lookup(t, dir, e->name, e->len, &x);

	if (r == 0 && S_ISDIR(x->mode))
		r = ovl_clear_whiteouts(t, x);
	if (r < 0)
		return r;
	mutex_lock(&dir->mu);
	r = S_ISDIR(x->mode) ? dir->ops->rmdir(t, dir, e->name, e->len, x) :
	                       dir->ops->unlink(t, dir, e->name, e->len, x);
	mutex_unlock(&dir->mu);
	return r;
}

int ovl_clear_dir(struct task *t, struct inode *upper_dir)
{
	struct merged m;
	int r, first = 0;

	merged_init(&m);
	r = read_layer(t, upper_dir, &m);
	for (size_t i = 0; r >= 0 && i < m.n; i++) {
		int one = is_dots(m.list[i]) ? 0 : clear_entry(t, upper_dir, m.list[i]);

		if (first == 0)
			first = one;
	}
	merged_done(&m);
	return r < 0 ? r : first;
}

/* ---- open directories ---- */

struct odir {
	struct file f;
	struct merged m;                /* guarded by f.pos_mu */
	bool loaded;                    /* guarded by f.pos_mu */
	struct file *only;              /* immutable: the one layer's directory, or NULL */
};

static struct odir *odir_of(struct file *f) { return container_of(f, struct odir, f); }

/* One layer is the whole truth; it stays so while nothing is copied up into it. */
static bool single(struct onode *n)
{
	return onode_upper(n) ? n->nlower == 0 : n->nlower == 1 && !overlay_of(&n->i)->many;
}

static int odir_readdir(struct task *t, struct file *f, struct dir_ctx *c)
{
	struct odir *od = odir_of(f);
	int r;

	if (od->only && single(onode_of(f->inode)))
		return od->only->ops->readdir(t, od->only, c);
	if (c->pos == 0 || !od->loaded) {
		merged_done(&od->m);
		merged_init(&od->m);
		r = merge(t, onode_of(f->inode), &od->m);
		if (r < 0)
			return r;
		od->loaded = true;
	}
	for (; c->pos >= 0 && (u64)c->pos < od->m.n; c->pos++) {
		struct mentry *e = od->m.list[c->pos];

		if (!e->white && !c->emit(c, e->name, e->len, e->ino, e->type, c->pos + 1))
			break;
	}
	return 0;
}

static s64 odir_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	if (whence == SEEK_CUR && !add_overflows(f->pos, off, &off))
		whence = SEEK_SET;
	return whence == SEEK_SET && off >= 0 ? off : -EINVAL;
}

static int odir_fsync(struct task *t, struct file *f, bool data_only)
{
	struct file *only = odir_of(f)->only;

	return only && only->ops->fsync ? only->ops->fsync(t, only, data_only) : 0;
}

static void odir_release(struct file *f)
{
	struct odir *od = odir_of(f);

	merged_done(&od->m);
	file_unref(od->only);
	file_done(f);
	kfree(od);
}

static const struct file_ops odir_ops = {
	.name = "overlay-dir",
	.readdir = odir_readdir,
	.lseek = odir_lseek,
	.fsync = odir_fsync,
	.release = odir_release,
};

int ovl_open_dir(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct onode *n = onode_of(i);
	struct odir *od = knew(struct odir);

	if (!od)
		return -ENOMEM;
	merged_init(&od->m);
	if (single(n)) {
		struct inode *real = onode_real(n);
		int r = real->ops->open(t, real, NULL, flags, &od->only);

		if (r < 0) {
			kfree(od);
			return r;
		}
	}
	file_init(&od->f, &odir_ops, flags, 0, p, i, task_cred(t));
	*ret = &od->f;
	return 0;
}
