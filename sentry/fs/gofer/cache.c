/*
 * cache.c - what is believed about the host's files, and how events end the belief.
 *
 * See gofer_int.h for the rules.  Names are found by (directory, name) in one
 * table of the connection and thrown away oldest first; they hold no
 * references, only numbers.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/vfs/posix_acl.h"
#include "sentry/vfs/notify.h"

#define NAMES_MAX 24576
#define ATTR_NS 2000000                 /* attributes whose changes aren't told are good for so long */
#define SMALL_FILE 65536                /* its space may wait until other handles go back as well */
#define GONE_MAX 64                     /* more mounts of one directory than there are roots */

int gcache_init(struct gofer_conn *c)
{
	hash_key_init(&c->key);
	mutex_init(&c->mu, RANK_RPC);
	htable_init(&c->inodes);
	htable_init(&c->names);
	list_init(&c->name_lru);
	list_init(&c->idle);
	return 0;
}

/* Names went with their directories, inodes with their super blocks: the tables are empty. */
void gcache_done(struct gofer_conn *c)
{
	htable_done(&c->inodes);
	htable_done(&c->names);
}

/* ---- inodes ---- */

static u64 inode_hash(const struct gofer_conn *c, u64 dev, u64 ino)
{
	return hash_u64(&c->key, ino ^ dev * 0x9e3779b97f4a7c15ull);
}

/* A reference, or NULL.  One that is being released doesn't count. */
static struct ginode *inode_find_locked(struct gofer_conn *c, const struct super *sb, u64 dev, u64 ino)
{
	for (struct hnode *n = htable_find(&c->inodes, inode_hash(c, dev, ino)); n; n = htable_find_next(n)) {
		struct ginode *g = hnode_entry(n, struct ginode, node);

		if (g->i.sb == sb && g->dev == dev && g->i.ino == ino && ref_get_unless_zero(&g->i.ref))
			return g;
	}
	return NULL;
}

static void set_fields(struct ginode *g, const struct gw_attr *a)
{
	struct inode *i = &g->i;

	i->mode = (i->mode & S_IFMT) | (a->mode & 07777);
	i->uid = a->uid;
	i->gid = a->gid;
	i->nlink = a->nlink;
	i->size = a->size;
	i->atime = a->atime;
	i->mtime = a->mtime;
	i->ctime = a->ctime;
	if (a->btime != GW_TIME_NONE) {
		i->btime = a->btime;
		g->has_btime = true;
	}
	g->blocks = a->blocks;
	g->blksize = a->blksize;
	g->attributes = a->attributes;
}

static const struct inode_ops *ops_for(u32 mode)
{
	if (S_ISDIR(mode))
		return &gofer_dir_ops;
	return S_ISLNK(mode) ? &gofer_link_ops : &gofer_node_ops;
}

static s64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static struct ginode *ginode_new(struct gsuper *gs, const struct gw_node *n)
{
	struct ginode *g = knew(struct ginode);

	if (!g)
		return NULL;
	inode_init(&g->i, ops_for(n->attr.mode), &gs->sb, n->attr.ino, n->attr.mode, n->attr.uid, n->attr.gid);
	g->i.rdev_major = n->attr.rdev_major;
	g->i.rdev_minor = n->attr.rdev_minor;
	g->c = gs->c;
	g->dev = n->attr.dev;
	g->handle = n->handle;
	g->rfd = g->wfd = HOSTFD_NONE;
	mutex_init(&g->fd_mu, RANK_MAPPABLE);
	list_init(&g->names);
	list_init(&g->idle);
	g->watched = n->flags & GW_NODE_WATCHED;
	set_fields(g, &n->attr);
	inode_forget_acls(&g->i);
	return g;
}

static void put_new(struct ginode *g)
{
	inode_done(&g->i);
	kfree(g);
}

/* Lists are believed only while changes are told. */
static void set_coherent_locked(struct ginode *g, bool coherent)
{
	g->coherent = coherent;
	if (!coherent)
		inode_forget_acls(&g->i);
}

static void told_acl_locked(struct ginode *g, const struct gw_node *n, bool quiet)
{
	if (quiet && g->coherent && (n->flags & GW_NODE_NO_ACL))
		inode_keep_acl(&g->i, ACL_ACCESS, NULL);
}

/* Known already: what was told is as good as what is remembered, unless something happened meanwhile. */
static void refresh_known(struct ginode *g, const struct gw_node *n, bool watched, u64 changes, bool may_lock)
{
	struct gofer_conn *c = g->c;
	bool quiet;
	u64 inval;

	mutex_lock(&c->mu);
	quiet = c->changes == changes;
	inval = g->inval;
	if (!S_ISDIR(n->attr.mode))
		set_coherent_locked(g, watched && n->attr.nlink == 1);
	told_acl_locked(g, n, quiet);
	mutex_unlock(&c->mu);
	grpc_close(&c->rpc, n->handle, false);
	if (quiet && may_lock)
		ginode_apply(g, &n->attr, inval);
	else
		ginode_stale(g);
}

int ginode_get(struct gsuper *gs, const struct gw_node *n, bool watched, u64 changes, bool may_lock,
               struct ginode **ret)
{
	struct gofer_conn *c = gs->c;
	struct ginode *fresh = NULL, *g;
	s64 now = now_ns();

	mutex_lock(&c->mu);
	g = inode_find_locked(c, &gs->sb, n->attr.dev, n->attr.ino);
	mutex_unlock(&c->mu);
	if (!g) {
		fresh = ginode_new(gs, n);
		if (!fresh) {
			grpc_close(&c->rpc, n->handle, false);
			return -ENOMEM;
		}
		mutex_lock(&c->mu);
		g = inode_find_locked(c, &gs->sb, n->attr.dev, n->attr.ino);
		if (!g) {
			htable_add(&c->inodes, &fresh->node, inode_hash(c, n->attr.dev, n->attr.ino));
			fresh->coherent = S_ISDIR(n->attr.mode) ? fresh->watched : watched && n->attr.nlink == 1;
			fresh->fresh = c->changes == changes;
			fresh->asked = now;
			fresh->mode_stale = !fresh->fresh;
			told_acl_locked(fresh, n, fresh->fresh);
		}
		mutex_unlock(&c->mu);
	}
	*ret = g ? g : fresh;
	if (g && fresh)
		put_new(fresh);
	if (g)
		refresh_known(g, n, watched, changes, may_lock);
	return 0;
}

static void stale_locked(struct ginode *g, bool mode_too)
{
	g->fresh = false;
	g->mode_stale |= mode_too;
	if (mode_too)
		inode_forget_acls(&g->i);
	g->inval++;
	g->c->changes++;
}

/*
 * Events tell of names: without one, changes of what it named reach us no
 * more.  (Directories are watched themselves.)
 */
static void name_free_locked(struct gofer_conn *c, struct gname *n)
{
	struct hnode *h = n->dev || n->ino ? htable_find(&c->inodes, inode_hash(c, n->dev, n->ino)) : NULL;

	for (; h; h = htable_find_next(h)) {
		struct ginode *g = hnode_entry(h, struct ginode, node);

		if (g->dev != n->dev || g->i.ino != n->ino)
			continue;
		stale_locked(g, true);
		if (!S_ISDIR(g->i.mode))
			set_coherent_locked(g, false);
	}
	htable_del(&c->names, &n->node);
	list_del_init(&n->lru);
	list_del_init(&n->of_dir);
	kfree(n);
}

void ginode_release(struct inode *i)
{
	struct ginode *g = ginode_of(i);
	struct gofer_conn *c = g->c;

	mutex_lock(&c->mu);
	htable_del(&c->inodes, &g->node);
	while (!list_empty(&g->names))
		name_free_locked(c, list_first(&g->names, struct gname, of_dir));
	if (!list_empty(&g->idle)) {
		list_del_init(&g->idle);
		c->nidle--;
	}
	mutex_unlock(&c->mu);
	gfile_done(g);
	glist_unref(g->list);
	if (!atomic_load(&g->handle_gone))
		grpc_close(&c->rpc, g->handle, atomic_load(&g->unlinked) && i->size > SMALL_FILE);
	kfree(g->target);
	inode_done(i);
	kfree(g);
}

u64 ginode_inval(struct ginode *g)
{
	u64 v;

	mutex_lock(&g->c->mu);
	v = g->inval;
	mutex_unlock(&g->c->mu);
	return v;
}

bool ginode_valid(struct ginode *g)
{
	s64 asked;
	bool fresh, coherent;

	mutex_lock(&g->c->mu);
	fresh = g->fresh;
	coherent = g->coherent;
	asked = g->asked;
	mutex_unlock(&g->c->mu);
	return fresh && (coherent || now_ns() - asked < ATTR_NS);
}

u64 gconn_changes(struct gofer_conn *c)
{
	u64 v;

	mutex_lock(&c->mu);
	v = c->changes;
	mutex_unlock(&c->mu);
	return v;
}

void ginode_apply(struct ginode *g, const struct gw_attr *a, u64 inval)
{
	s64 now = now_ns();

	mutex_lock(&g->i.mu);
	mutex_lock(&g->c->mu);
	if (g->inval == inval) {
		set_fields(g, a);
		g->fresh = true;
		g->asked = now;
		g->mode_stale = false;
		if (!S_ISDIR(a->mode) && a->nlink != 1)
			set_coherent_locked(g, false);
	}
	mutex_unlock(&g->c->mu);
	mutex_unlock(&g->i.mu);
}

void ginode_apply_data(struct ginode *g, const struct gw_attr *a, u64 inval)
{
	bool owner_known;

	mutex_lock(&g->c->mu);
	owner_known = g->coherent && !g->mode_stale;
	if (!owner_known)
		stale_locked(g, false);
	mutex_unlock(&g->c->mu);
	if (owner_known)
		ginode_apply(g, a, inval);
}

void ginode_keep_acl(struct ginode *g, enum acl_type type, struct posix_acl *a, u64 inval)
{
	mutex_lock(&g->c->mu);
	if (g->inval == inval && g->coherent)
		inode_keep_acl(&g->i, type, acl_ref(a));
	mutex_unlock(&g->c->mu);
}

void ginode_stale(struct ginode *g)
{
	mutex_lock(&g->c->mu);
	stale_locked(g, true);
	mutex_unlock(&g->c->mu);
}

/* ---- names ---- */

static u64 name_hash(const struct gofer_conn *c, const struct ginode *dir, const char *name, size_t len)
{
	return hash_bytes(&c->key, name, len) ^ (u64)(uintptr_t)dir * 0x9e3779b97f4a7c15ull;
}

static struct gname *name_find_locked(struct ginode *dir, const char *name, size_t len)
{
	struct gofer_conn *c = dir->c;

	for (struct hnode *n = htable_find(&c->names, name_hash(c, dir, name, len)); n; n = htable_find_next(n)) {
		struct gname *gn = hnode_entry(n, struct gname, node);

		if (gn->dir == dir && gn->len == len && memcmp(gn->name, name, len) == 0)
			return gn;
	}
	return NULL;
}

enum gname_answer gname_find(struct ginode *dir, const char *name, size_t len, struct ginode **ret)
{
	struct gofer_conn *c = dir->c;
	enum gname_answer a = GNAME_UNKNOWN;
	struct gname *n;

	*ret = NULL;
	mutex_lock(&c->mu);
	n = dir->watched ? name_find_locked(dir, name, len) : NULL;
	if (n) {
		a = n->ino || n->dev ? GNAME_KNOWN : GNAME_NOTHING;
		list_del_init(&n->lru);
		list_add_tail(&n->lru, &c->name_lru);
	}
	if (a == GNAME_KNOWN)
		*ret = inode_find_locked(c, dir->i.sb, n->dev, n->ino);
	mutex_unlock(&c->mu);
	return a;
}

bool gname_agrees(struct ginode *dir, const char *name, size_t len, struct ginode *g, bool *ret_stale)
{
	struct gname *n;
	bool r = false;

	mutex_lock(&dir->c->mu);
	n = dir->watched ? name_find_locked(dir, name, len) : NULL;
	if (n)
		r = g ? n->ino == g->i.ino && n->dev == g->dev : !n->ino && !n->dev;
	*ret_stale = g && g->mode_stale;
	mutex_unlock(&dir->c->mu);
	return r;
}

bool gname_known(struct ginode *dir, const char *name, size_t len)
{
	bool r;

	mutex_lock(&dir->c->mu);
	r = name_find_locked(dir, name, len) != NULL;
	mutex_unlock(&dir->c->mu);
	return r;
}

u64 gdir_names_seq(struct ginode *dir, bool *ret_watched)
{
	u64 seq;

	mutex_lock(&dir->c->mu);
	seq = dir->names_seq;
	*ret_watched = dir->watched;
	mutex_unlock(&dir->c->mu);
	return seq;
}

void gdir_set_watched(struct ginode *dir, bool watched)
{
	mutex_lock(&dir->c->mu);
	if (dir->watched != watched) {
		/* What was learned before cannot be trusted, nor what is being asked right now. */
		while (!list_empty(&dir->names))
			name_free_locked(dir->c, list_first(&dir->names, struct gname, of_dir));
		stale_locked(dir, true);
		dir->watched = watched;
		set_coherent_locked(dir, watched);
	}
	mutex_unlock(&dir->c->mu);
}

static struct gname *name_new(const char *name, size_t len, const struct ginode *g)
{
	struct gname *n = kbuf_alloc(sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	list_init(&n->lru);
	list_init(&n->of_dir);
	n->len = (u8)len;
	memcpy(n->name, name, len);
	if (g) {
		n->dev = g->dev;
		n->ino = g->i.ino;
	}
	return n;
}

static void name_enter_locked(struct ginode *dir, struct gname *n)
{
	struct gofer_conn *c = dir->c;

	n->dir = dir;
	htable_add(&c->names, &n->node, name_hash(c, dir, n->name, n->len));
	list_add_tail(&n->lru, &c->name_lru);
	list_add_tail(&n->of_dir, &dir->names);
	if (c->names.count > NAMES_MAX)
		name_free_locked(c, list_first(&c->name_lru, struct gname, lru));
}

/* An entry of the same inode gives way without any doubt about it. */
static void name_replace_locked(struct ginode *dir, struct gname *n, struct ginode *g)
{
	struct gname *old = name_find_locked(dir, n->name, n->len);

	if (old && old->dev == n->dev && old->ino == n->ino)
		old->dev = old->ino = 0;
	if (old)
		name_free_locked(dir->c, old);
	name_enter_locked(dir, n);
	if (g && !S_ISDIR(g->i.mode))
		set_coherent_locked(g, g->i.nlink == 1);
}

void gname_learn(struct ginode *dir, const char *name, size_t len, struct ginode *g, u64 seq)
{
	struct gname *n = name_new(name, len, g);

	mutex_lock(&dir->c->mu);
	if (n && dir->watched && dir->names_seq == seq) {
		name_replace_locked(dir, n, g);
		n = NULL;
	} else if (g && !S_ISDIR(g->i.mode)) {
		set_coherent_locked(g, false);
	}
	mutex_unlock(&dir->c->mu);
	kfree(n);
}

static void names_changed_locked(struct ginode *dir)
{
	dir->names_seq++;
	stale_locked(dir, false);
}

void gname_set(struct ginode *dir, const char *name, size_t len, struct ginode *g)
{
	struct gname *n = name_new(name, len, g), *old;

	mutex_lock(&dir->c->mu);
	names_changed_locked(dir);
	gnotice_mine(dir);
	if (n && dir->watched) {
		name_replace_locked(dir, n, g);
		n = NULL;
	} else {
		old = name_find_locked(dir, name, len);
		if (old)
			name_free_locked(dir->c, old);
		if (g && !S_ISDIR(g->i.mode))
			set_coherent_locked(g, false);
	}
	mutex_unlock(&dir->c->mu);
	kfree(n);
}

void gname_forget(struct ginode *dir, const char *name, size_t len)
{
	struct gname *n;

	mutex_lock(&dir->c->mu);
	names_changed_locked(dir);
	n = name_find_locked(dir, name, len);
	if (n)
		name_free_locked(dir->c, n);
	mutex_unlock(&dir->c->mu);
}

/* ---- events ---- */

static void forget_all_locked(struct gofer_conn *c)
{
	struct hnode *n;

	while ((n = htable_any(&c->names)))
		name_free_locked(c, hnode_entry(n, struct gname, node));
	for (n = htable_first(&c->inodes); n; n = htable_next(&c->inodes, n)) {
		struct ginode *g = hnode_entry(n, struct ginode, node);

		stale_locked(g, true);
		g->names_seq++;
	}
}

void gcache_forget_all(struct gofer_conn *c)
{
	mutex_lock(&c->mu);
	forget_all_locked(c);
	mutex_unlock(&c->mu);
}

/* A name that is not remembered names nothing whose attributes are believed. */
static void attr_event_locked(struct ginode *dir, const char *name, size_t len, bool mode_too)
{
	struct gofer_conn *c = dir->c;
	struct gname *n = name_find_locked(dir, name, len);

	if (!n)
		return;
	for (struct hnode *h = htable_find(&c->inodes, inode_hash(c, n->dev, n->ino)); h; h = htable_find_next(h)) {
		struct ginode *g = hnode_entry(h, struct ginode, node);

		if (g->dev == n->dev && g->i.ino == n->ino)
			stale_locked(g, mode_too);
	}
}

/* Returns what the name stood for, with a reference, if it was removed. */
static struct ginode *dir_event_locked(struct ginode *dir, const struct gw_event *ev, const char *name)
{
	struct ginode *was = NULL;
	struct gname *n;

	if (ev->what & GW_EV_SELF)
		stale_locked(dir, true);
	if (ev->what & GW_EV_NAME) {
		names_changed_locked(dir);
		n = name_find_locked(dir, name, ev->namelen);
		if (n && (ev->what & GW_EV_GONE) && (n->dev || n->ino))
			was = inode_find_locked(dir->c, dir->i.sb, n->dev, n->ino);
		if (n)
			name_free_locked(dir->c, n);
	}
	if (ev->what & (GW_EV_ATTR | GW_EV_DATA))
		attr_event_locked(dir, name, ev->namelen, ev->what & GW_EV_ATTR);
	return was;
}

/*
 * Somebody on the host removed a name of @g.  If it was the last one and nobody
 * has the file open, let go of it, so that its space is freed: whoever still
 * knows the place is told ESTALE.
 */
static void let_go(struct ginode *g)
{
	struct gw_attr a;
	bool watched;

	if (S_ISREG(g->i.mode) && !gfile_in_use(g) &&
	    grpc_getattr(&g->c->rpc, g->handle, false, &a, &watched) == 0 && a.nlink == 0) {
		atomic_store(&g->unlinked, true);
		gahead_drop(g);
		if (gfile_let_go(g) && !atomic_exchange(&g->handle_gone, true))
			grpc_close(&g->c->rpc, g->handle, true);
	}
	inode_unref(&g->i);
}

void gcache_each_locked(struct gofer_conn *c, u64 dev, u64 ino, struct gnotice *ret)
{
	for (struct hnode *h = htable_find(&c->inodes, inode_hash(c, dev, ino)); h; h = htable_find_next(h)) {
		struct ginode *g = hnode_entry(h, struct ginode, node);

		if (g->dev == dev && g->i.ino == ino && ret->n < GNOTICE_MAX && notify_wanted(g->i.sb) &&
		    ref_get_unless_zero(&g->i.ref))
			ret->v[ret->n++].dir = g;
	}
}

void gcache_event(void *conn, const struct gw_event *ev, const char *name)
{
	struct gofer_conn *c = conn;
	struct ginode *gone[GONE_MAX], *was;
	struct gnotice notice;
	u32 n = 0;

	gnotice_begin(c, ev, name, &notice);
	mutex_lock(&c->mu);
	c->changes++;
	if (ev->what & GW_EV_OVERFLOW)
		forget_all_locked(c);
	/* One directory may be in several mounts. */
	for (struct hnode *h = htable_find(&c->inodes, inode_hash(c, ev->dev, ev->ino)); h; h = htable_find_next(h)) {
		struct ginode *dir = hnode_entry(h, struct ginode, node);

		if (dir->dev != ev->dev || dir->i.ino != ev->ino)
			continue;
		was = dir_event_locked(dir, ev, name);
		if (was)
			gone[n++] = was;
		if (n == GONE_MAX)
			break;
	}
	mutex_unlock(&c->mu);
	gnotice_end(&notice, ev, name);
	while (n-- > 0)
		let_go(gone[n]);
}
