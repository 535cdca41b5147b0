/*
 * dentry.h - names: an entry of a directory, as the walk and mounts know it.
 *
 * The cache of a super block (struct dcache) finds a hashed dentry by (parent,
 * name) and owns one reference to it; a dentry owns one to its parent and one to its
 * inode.  No inode: a negative entry, "this name does not exist".  What a dentry stands
 * for never changes: a file created over a negative one gets a new dentry, a
 * removed one is unhashed and marked deleted (its holders keep the old name).
 *
 * Identity matters: mounts, working directories and roots compare dentry
 * pointers.  So one place in the tree has one hashed dentry, except in file
 * systems with sb->nodcache, which get a fresh one for each walk until
 * something is mounted there.
 *
 * Locks: sb->dcache.mu (RANK_DCACHE) guards name, parent and the flags below.
 */
#pragma once
#include "sentry/vfs/inode.h"

#define DENTRY_INLINE 40

struct dentry {
	struct ref ref;
	struct super *sb;               /* immutable; alive through the inode of some ancestor */
	struct inode *inode;            /* immutable; a reference; NULL = negative */
	struct dentry *parent;          /* guarded by dcache.mu; a reference; NULL for a root */
	struct hnode node;              /* guarded by dcache.mu */
	struct list_head lru;           /* guarded by dcache.mu */
	bool hashed, deleted, used;     /* guarded by dcache.mu */
	_Atomic u32 nmounts;            /* mounts on this place */
	_Atomic u32 changes;            /* of entries in this directory: guards cached answers against races */
	u32 len;                        /* guarded by dcache.mu */
	char *name;                     /* guarded by dcache.mu; inl or a buffer of its own */
	char inl[DENTRY_INLINE];
};

void dcache_init(struct dcache *dc);
void dcache_done(struct dcache *dc);
/* Forget every cached name of @sb that nobody else holds: its inodes are needed elsewhere. */
void dcache_shrink(struct super *sb);
/* Forget every cached name of @sb (last umount). */
void dcache_drop_all(struct super *sb);

struct dentry *dentry_ref(struct dentry *d);
struct dentry *dentry_unref(struct dentry *d);          /* NULL is fine; returns NULL */
static inline void dentry_unref_p(struct dentry **p) { dentry_unref(*p); }
#define auto_dentry cleanup_with(dentry_unref_p) struct dentry

/* The dentry of a super block's root directory: one as long as anybody holds it. */
int dentry_root(struct super *sb, struct inode *root, struct dentry **ret) must_check;

/* The hashed entry of that name (maybe negative), with a reference; NULL = not known. */
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len) must_check;
/*
 * Enter what a lookup found (@inode NULL: nothing).  If another thread entered the name
 * meanwhile, its dentry is returned.  @changes: parent->changes before the
 * lookup; if it has moved on, -EAGAIN and the caller looks up again.
 */
int dentry_add(struct dentry *parent, const char *name, size_t len, struct inode *inode, u32 changes,
               struct dentry **ret) must_check;
/* After create, mkdir...: what is cached under the name gives way. */
int dentry_create(struct dentry *parent, const char *name, size_t len, struct inode *inode,
                  struct dentry **ret) must_check;
/* A place for a file that never had a name: "#number", deleted from the start. */
int dentry_nameless(struct dentry *parent, struct inode *inode, struct dentry **ret) must_check;
/* The name is gone (unlink, rmdir) or can no longer be trusted (revalidate: @deleted false). */
void dentry_drop(struct dentry *d, bool deleted);
/* rename: @d is now @name in @parent; what was cached there is dropped. Cannot fail: see dentry_name_new. */
void dentry_move(struct dentry *d, struct dentry *parent, char *name, size_t len);
void dentry_exchange(struct dentry *a, struct dentry *b);
/* A copy of a name that dentry_move takes over. */
char *dentry_name_new(const char *name, size_t len) must_check;

/* The parent (a reference), or NULL for a root. */
struct dentry *dentry_parent(struct dentry *d) must_check;
bool dentry_is_deleted(struct dentry *d);
/* Has it no parent?  What is mounted is such a one, or (bind mounts) lies below one. */
bool dentry_is_root(struct dentry *d);
/* Is @d @anc or below it? */
bool dentry_is_below(struct dentry *d, struct dentry *anc);
/* Something is to be mounted here: the place must be found again by name. */
void dentry_pin_path(struct dentry *d);
/* Copy the name; its length, or -ERANGE. */
ssize_t dentry_name(struct dentry *d, char *buf, size_t cap) must_check;
