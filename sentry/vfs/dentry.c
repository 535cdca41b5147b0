/*
 * dentry.c - the name cache; see dentry.h for what it promises.
 *
 * A hashed dentry holds one reference for the cache, so its count reaches
 * zero only after it was unhashed: freeing needs no lock.  References are
 * never dropped under dcache.mu, as the last one may call into a file system.
 */
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/notify.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "platform/base/alloc.h"

#define DCACHE_MAX 32768        /* names kept per file system when nobody holds them */
#define PRUNE_SCAN 64

void dcache_init(struct dcache *dc)
{
	mutex_init(&dc->mu, RANK_DCACHE);
	htable_init(&dc->names);
	hash_key_init(&dc->key);
	list_init(&dc->lru);
	dc->max = DCACHE_MAX;
}

void dcache_done(struct dcache *dc)
{
	htable_done(&dc->names);
}

struct dentry *dentry_ref(struct dentry *d)
{
	ref_get(&d->ref);
	return d;
}

/* A loop, not a recursion: freeing a leaf may free its whole chain of parents. */
struct dentry *dentry_unref(struct dentry *d)
{
	while (d && ref_put(&d->ref)) {
		struct dentry *parent = d->parent;

		if (!parent) {
			struct dcache *dc = &d->sb->dcache;

			mutex_lock(&dc->mu);
			if (dc->root == d)
				dc->root = NULL;
			mutex_unlock(&dc->mu);
		}
		if (d->deleted && d->inode && !S_ISDIR(d->inode->mode) && d->inode->nlink == 0)
			notify_inode(d->inode, IN_DELETE_SELF);
		inode_unref(d->inode);
		if (d->name != d->inl)
			kfree(d->name);
		kfree(d);
		d = parent;
	}
	return NULL;
}

static u64 name_hash(struct dcache *dc, const struct dentry *parent, const char *name, size_t len)
{
	return hash_bytes(&dc->key, name, len) ^ ((u64)(uintptr_t)parent * 0x9e3779b97f4a7c15ull);
}

static struct dentry *dentry_new(struct super *sb, struct dentry *parent, const char *name, size_t len,
                                 struct inode *inode)
{
	struct dentry *d = knew(struct dentry);

	if (!d)
		return NULL;
	d->name = d->inl;
	if (len >= DENTRY_INLINE) {
		d->name = kbuf_alloc(len + 1);
		if (!d->name) {
			kfree(d);
			return NULL;
		}
	}
	memcpy(d->name, name, len);
	d->len = (u32)len;
	ref_init(&d->ref);
	list_init(&d->lru);
	d->sb = sb;
	d->parent = parent ? dentry_ref(parent) : NULL;
	d->inode = inode ? inode_ref(inode) : NULL;
	return d;
}

int dentry_root(struct super *sb, struct inode *root, struct dentry **ret)
{
	struct dcache *dc = &sb->dcache;
	struct dentry *d = NULL, *fresh = dentry_new(sb, NULL, "", 0, root);

	if (!fresh)
		return -ENOMEM;
	mutex_lock(&dc->mu);
	if (dc->root && dc->root->inode == root && ref_get_unless_zero(&dc->root->ref))
		d = dc->root;
	else
		dc->root = fresh;
	mutex_unlock(&dc->mu);
	if (d)
		dentry_unref(fresh);
	*ret = d ? d : fresh;
	return 0;
}

static struct dentry *find_locked(struct dcache *dc, const struct dentry *parent, const char *name,
                                  size_t len, u64 hash)
{
	for (struct hnode *n = htable_find(&dc->names, hash); n; n = htable_find_next(n)) {
		struct dentry *d = hnode_entry(n, struct dentry, node);

		if (d->parent == parent && d->len == len && memcmp(d->name, name, len) == 0)
			return d;
	}
	return NULL;
}

static void hash_locked(struct dcache *dc, struct dentry *d)
{
	htable_add(&dc->names, &d->node, name_hash(dc, d->parent, d->name, d->len));
	list_add_tail(&d->lru, &dc->lru);
	d->hashed = true;
	dc->count++;
	ref_get(&d->ref);
}

/* The cache's reference goes to @gone, to be dropped after the lock. */
static void unhash_locked(struct dcache *dc, struct dentry *d, struct list_head *gone)
{
	htable_del(&dc->names, &d->node);
	list_del_init(&d->lru);
	list_add_tail(&d->lru, gone);
	d->hashed = false;
	dc->count--;
}

static void put_gone(struct list_head *gone)
{
	while (!list_empty(gone)) {
		struct dentry *d = list_first(gone, struct dentry, lru);

		list_del_init(&d->lru);
		dentry_unref(d);
	}
}

/* Second chance: an entry used since the last look, or held by anybody, goes to the back. */
static void prune_locked(struct dcache *dc, struct list_head *gone)
{
	for (int i = 0; i < PRUNE_SCAN && dc->count > dc->max; i++) {
		struct dentry *d = list_first(&dc->lru, struct dentry, lru);

		if (!d->used && atomic_load(&d->ref.n) == 1 && atomic_load(&d->nmounts) == 0) {
			unhash_locked(dc, d, gone);
			continue;
		}
		d->used = false;
		list_del_init(&d->lru);
		list_add_tail(&d->lru, &dc->lru);
	}
}

void dcache_shrink(struct super *sb)
{
	struct dcache *dc = &sb->dcache;
	struct list_head gone = LIST_INIT(gone);
	struct dentry *d, *next;

	mutex_lock(&dc->mu);
	list_for_each_safe(d, next, &dc->lru, lru)
		if (atomic_load(&d->ref.n) == 1 && atomic_load(&d->nmounts) == 0)
			unhash_locked(dc, d, &gone);
	mutex_unlock(&dc->mu);
	put_gone(&gone);
}

void dcache_drop_all(struct super *sb)
{
	struct dcache *dc = &sb->dcache;
	struct list_head gone = LIST_INIT(gone);
	struct hnode *n;

	super_ref(sb);
	mutex_lock(&dc->mu);
	while ((n = htable_any(&dc->names)))
		unhash_locked(dc, hnode_entry(n, struct dentry, node), &gone);
	mutex_unlock(&dc->mu);
	put_gone(&gone);
	super_unref(sb);
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len)
{
	struct dcache *dc = &parent->sb->dcache;
	u64 hash = name_hash(dc, parent, name, len);
	struct dentry *d;

	mutex_lock(&dc->mu);
	d = find_locked(dc, parent, name, len, hash);
	if (d) {
		d->used = true;
		ref_get(&d->ref);
	}
	mutex_unlock(&dc->mu);
	return d;
}

int dentry_add(struct dentry *parent, const char *name, size_t len, struct inode *inode, u32 changes,
               struct dentry **ret)
{
	struct dcache *dc = &parent->sb->dcache;
	struct list_head gone = LIST_INIT(gone);
	struct dentry *d = dentry_new(parent->sb, parent, name, len, inode), *other;

	if (!d)
		return -ENOMEM;
	if (parent->sb->nodcache) {
		*ret = d;
		return 0;
	}
	mutex_lock(&dc->mu);
	other = find_locked(dc, parent, name, len, name_hash(dc, parent, name, len));
	if (other) {
		ref_get(&other->ref);
	} else if (atomic_load(&parent->changes) == changes && !parent->deleted) {
		hash_locked(dc, d);
		prune_locked(dc, &gone);
	} else if (!parent->deleted) {
		mutex_unlock(&dc->mu);
		dentry_unref(d);
		return -EAGAIN;
	}
	mutex_unlock(&dc->mu);
	put_gone(&gone);
	if (other)
		dentry_unref(d);
	*ret = other ? other : d;
	return 0;
}

int dentry_nameless(struct dentry *parent, struct inode *inode, struct dentry **ret)
{
	char name[32];
	int len = snprintf(name, sizeof(name), "#%" PRIu64, inode->ino);
	struct dentry *d = dentry_new(parent->sb, parent, name, (size_t)len, inode);

	if (!d)
		return -ENOMEM;
	d->deleted = true;
	*ret = d;
	return 0;
}

int dentry_create(struct dentry *parent, const char *name, size_t len, struct inode *inode,
                  struct dentry **ret)
{
	struct dcache *dc = &parent->sb->dcache;
	struct list_head gone = LIST_INIT(gone);
	struct dentry *d = dentry_new(parent->sb, parent, name, len, inode), *old;

	if (!d)
		return -ENOMEM;
	mutex_lock(&dc->mu);
	atomic_fetch_add(&parent->changes, 1);
	old = find_locked(dc, parent, name, len, name_hash(dc, parent, name, len));
	if (old)
		unhash_locked(dc, old, &gone);
	if (!parent->sb->nodcache && !parent->deleted) {
		hash_locked(dc, d);
		prune_locked(dc, &gone);
	}
	mutex_unlock(&dc->mu);
	put_gone(&gone);
	*ret = d;
	return 0;
}

void dentry_drop(struct dentry *d, bool deleted)
{
	struct dcache *dc = &d->sb->dcache;
	struct list_head gone = LIST_INIT(gone);

	mutex_lock(&dc->mu);
	if (d->hashed)
		unhash_locked(dc, d, &gone);
	d->deleted |= deleted;
	if (d->parent)
		atomic_fetch_add(&d->parent->changes, 1);
	mutex_unlock(&dc->mu);
	put_gone(&gone);
}

char *dentry_name_new(const char *name, size_t len)
{
	char *p = kbuf_alloc(len + 1);

	if (p)
		memcpy(p, name, len);
	return p;
}

void dentry_move(struct dentry *d, struct dentry *parent, char *name, size_t len)
{
	struct dcache *dc = &d->sb->dcache;
	struct list_head gone = LIST_INIT(gone);
	struct dentry *old_parent, *old;
	char *old_name;
	bool hashed;

	mutex_lock(&dc->mu);
	old = find_locked(dc, parent, name, len, name_hash(dc, parent, name, len));
	if (old && old != d) {
		unhash_locked(dc, old, &gone);
		old->deleted = old->inode != NULL;
	}
	hashed = d->hashed;
	if (hashed)
		htable_del(&dc->names, &d->node);
	old_parent = d->parent;
	old_name = d->name;
	d->parent = dentry_ref(parent);
	d->name = name;
	d->len = (u32)len;
	if (hashed)
		htable_add(&dc->names, &d->node, name_hash(dc, parent, name, len));
	atomic_fetch_add(&parent->changes, 1);
	if (old_parent)
		atomic_fetch_add(&old_parent->changes, 1);
	mutex_unlock(&dc->mu);
	put_gone(&gone);
	if (old_name != d->inl)
		kfree(old_name);
	dentry_unref(old_parent);
}

/* Each takes the other's name and parent, with the reference to it. */
static void swap_names_locked(struct dentry *a, struct dentry *b)
{
	char *a_own = a->name != a->inl ? a->name : NULL, *b_own = b->name != b->inl ? b->name : NULL;
	struct dentry *parent = a->parent;
	char inl[DENTRY_INLINE];
	u32 len = a->len;

	memcpy(inl, a->inl, sizeof(inl));
	memcpy(a->inl, b->inl, sizeof(inl));
	memcpy(b->inl, inl, sizeof(inl));
	a->name = b_own ? b_own : a->inl;
	b->name = a_own ? a_own : b->inl;
	a->len = b->len;
	b->len = len;
	a->parent = b->parent;
	b->parent = parent;
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct list_head gone = LIST_INIT(gone);
	struct dcache *dc = &a->sb->dcache;
	struct dentry *pair[] = { a, b };
	bool both;

	/* If one is not cached its place is looked up anew, and so is the other's. */
	mutex_lock(&dc->mu);
	both = a->hashed && b->hashed;
	for (int i = 0; i < 2; i++) {
		if (both)
			htable_del(&dc->names, &pair[i]->node);
		else if (pair[i]->hashed)
			unhash_locked(dc, pair[i], &gone);
		if (pair[i]->parent)
			atomic_fetch_add(&pair[i]->parent->changes, 1);
	}
	swap_names_locked(a, b);
	for (int i = 0; both && i < 2; i++)
		htable_add(&dc->names, &pair[i]->node, name_hash(dc, pair[i]->parent, pair[i]->name, pair[i]->len));
	mutex_unlock(&dc->mu);
	put_gone(&gone);
}

struct dentry *dentry_parent(struct dentry *d)
{
	struct dcache *dc = &d->sb->dcache;
	struct dentry *p;

	mutex_lock(&dc->mu);
	p = d->parent ? dentry_ref(d->parent) : NULL;
	mutex_unlock(&dc->mu);
	return p;
}

bool dentry_is_root(struct dentry *d)
{
	struct dcache *dc = &d->sb->dcache;
	bool r;

	mutex_lock(&dc->mu);
	r = !d->parent;
	mutex_unlock(&dc->mu);
	return r;
}

bool dentry_is_deleted(struct dentry *d)
{
	struct dcache *dc = &d->sb->dcache;
	bool r;

	mutex_lock(&dc->mu);
	r = d->deleted;
	mutex_unlock(&dc->mu);
	return r;
}

bool dentry_is_below(struct dentry *d, struct dentry *anc)
{
	struct dcache *dc = &d->sb->dcache;
	bool r = false;

	if (d->sb != anc->sb)
		return false;
	mutex_lock(&dc->mu);
	for (; d && !r; d = d->parent)
		r = d == anc;
	mutex_unlock(&dc->mu);
	return r;
}

void dentry_pin_path(struct dentry *d)
{
	struct dcache *dc = &d->sb->dcache;

	mutex_lock(&dc->mu);
	for (; d->parent; d = d->parent)
		if (!d->hashed && !d->deleted &&
		    !find_locked(dc, d->parent, d->name, d->len, name_hash(dc, d->parent, d->name, d->len)))
			hash_locked(dc, d);
	mutex_unlock(&dc->mu);
}

ssize_t dentry_name(struct dentry *d, char *buf, size_t cap)
{
	struct dcache *dc = &d->sb->dcache;
	ssize_t n = -ERANGE;

	mutex_lock(&dc->mu);
	if (d->len < cap) {
		memcpy(buf, d->name, d->len);
		buf[d->len] = 0;
		n = d->len;
	}
	mutex_unlock(&dc->mu);
	return n;
}
