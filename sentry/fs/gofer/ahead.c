/*
 * ahead.c - looking up what is about to be asked for.
 *
 * Programs that read a directory go on to stat its entries in order (ls -l, tar,
 * rm -r), or those of some type (find).  When a second name of a listing is
 * missed, further down than the first, the next ones of the types seen are
 * fetched with it in one call.  What was found so is kept by a ring of references, as nobody
 * else holds it yet.  A name that a valid listing lacks needs no call at all.
 */
#include "platform/base/alloc.h"
#include "sentry/fs/gofer/gofer_int.h"

struct batch {
	const char *names[GOFER_AHEAD];
	u8 len[GOFER_AHEAD];
	struct gw_node nodes[GOFER_AHEAD];
	u32 n;
};

/* The first entry of its type. */
static bool begins_row(const struct glist *l, u32 at)
{
	for (u32 i = 0; i < at; i++)
		if (l->e[i].type == l->e[at].type)
			return false;
	return true;
}

/* Note the miss of entry @at; is it the second of a row, or where a row would begin? */
static bool in_a_row(struct ginode *dir, const struct glist *l, u32 at, u32 *ret_types)
{
	bool r;

	mutex_lock(&dir->c->mu);
	if (dir->ahead_at == 0)
		dir->ahead_types = 0;
	r = dir->ahead_at != 0 ? at >= dir->ahead_at : begins_row(l, at);
	dir->ahead_at = at + 1;
	dir->ahead_types |= 1u << (l->e[at].type & 15);
	*ret_types = dir->ahead_types;
	mutex_unlock(&dir->c->mu);
	return r;
}

/* Entry @at, and those after it that are of the types and not cached. */
static void choose(struct ginode *dir, const struct glist *l, u32 at, u32 types, struct batch *b)
{
	for (u32 i = at; i < l->n && b->n < GOFER_AHEAD && i - at < 8 * GOFER_AHEAD; i++) {
		const struct glist_entry *e = &l->e[i];

		if (i > at && (!(types & 1u << (e->type & 15)) || gname_known(dir, l->text + e->name, e->len)))
			continue;
		b->names[b->n] = l->text + e->name;
		b->len[b->n++] = e->len;
	}
}

static void keep(struct gofer_conn *c, struct ginode *g)
{
	struct ginode *old;

	mutex_lock(&c->mu);
	old = c->ahead[c->ahead_next % GOFER_AHEAD_KEPT];
	c->ahead[c->ahead_next++ % GOFER_AHEAD_KEPT] = g;
	mutex_unlock(&c->mu);
	if (old)
		inode_unref(&old->i);
}

void gahead_drop(struct ginode *g)
{
	struct gofer_conn *c = g->c;
	u32 n = 0;

	mutex_lock(&c->mu);
	for (u32 i = 0; i < GOFER_AHEAD_KEPT; i++)
		if (c->ahead[i] == g) {
			c->ahead[i] = NULL;
			n++;
		}
	mutex_unlock(&c->mu);
	while (n-- > 0)
		inode_unref(&g->i);
}

void gahead_drop_all(struct gofer_conn *c)
{
	struct ginode *g;

	for (u32 i = 0; i < GOFER_AHEAD_KEPT; i++) {
		mutex_lock(&c->mu);
		g = c->ahead[i];
		c->ahead[i] = NULL;
		mutex_unlock(&c->mu);
		if (g)
			inode_unref(&g->i);
	}
}

/* Enter the answers; the first is the one that was asked for. */
static struct ginode *enter(struct ginode *dir, const struct batch *b, u64 seq, u64 changes)
{
	struct ginode *first = NULL, *g;

	for (u32 i = 0; i < b->n; i++) {
		const struct gw_node *n = &b->nodes[i];

		if (n->err < 0)
			continue;
		if (ginode_get(gsuper_of(dir->i.sb), n, true, changes, true, &g) < 0)
			continue;
		gname_learn(dir, b->names[i], b->len[i], g, seq);
		if (i == 0)
			first = g;
		else
			keep(dir->c, g);
	}
	return first;
}

/* All of @b in one call; the first, or NULL. */
static struct ginode *fetch(struct task *t, struct ginode *dir, struct batch *b)
{
	bool watched, before;
	u64 seq = gdir_names_seq(dir, &before), changes = gconn_changes(dir->c);
	int r = grpc_walk(&dir->c->rpc, dir->handle, b->names, b->n, GW_WALK_SIBLINGS | gwalk_flags(t), b->nodes, &watched);

	if (r < 0)
		return NULL;
	if (watched && before)
		return enter(dir, b, seq, changes);
	for (u32 i = 0; i < b->n; i++)
		if (b->nodes[i].err == 0)
			grpc_close(&dir->c->rpc, b->nodes[i].handle, false);
	return NULL;
}

enum ahead gdir_ahead(struct task *t, struct ginode *dir, const char *name, size_t len, struct ginode **ret)
{
	struct glist *l = gdir_kept(dir);
	enum ahead a = AHEAD_UNKNOWN;
	struct batch *b;
	u32 types, hint;
	int at;

	if (!l)
		return AHEAD_UNKNOWN;
	hint = __atomic_load_n(&dir->ahead_at, __ATOMIC_RELAXED);
	at = glist_find(l, name, len, hint);
	if (at < 0)
		a = AHEAD_NOTHING;
	b = at >= 0 && in_a_row(dir, l, (u32)at, &types) ? knew(struct batch) : NULL;
	if (b) {
		choose(dir, l, (u32)at, types, b);
		*ret = b->n > 1 ? fetch(t, dir, b) : NULL;
		if (*ret)
			a = AHEAD_FOUND;
		kfree(b);
	}
	glist_unref(l);
	return a;
}
