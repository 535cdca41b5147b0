/*
 * namei.h - the walk along a path: private to sentry/vfs.
 *
 * walk_init() decides where to start, walk_parent() goes to the directory that
 * holds the last component and leaves that component in last/last_len;
 * walk_to_end() goes all the way.  Creating calls look at the last component
 * themselves, with walk_last().
 */
#pragma once
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/vfs.h"

#define MAX_SYMLINKS 40

enum last_kind { LAST_NAME, LAST_ROOT, LAST_DOT, LAST_DOTDOT };

struct walk {
	struct task *t;
	struct path cur;                /* counted */
	struct path root;               /* counted; never left upwards */
	u32 flags;                      /* LOOKUP_* */
	u32 links;                      /* symlinks followed */
	u32 depth;                      /* of rest[] */
	u32 nbufs;
	bool must_be_dir;               /* a trailing slash was seen at the end */
	bool scoped;                    /* BENEATH or IN_ROOT: root is where we started */
	enum last_kind last_kind;
	const char *p;                  /* what is left of the current text */
	const char *last;               /* points into the current text */
	size_t last_len;
	const char *rest[MAX_SYMLINKS]; /* what is left of the outer texts */
	char *bufs[MAX_SYMLINKS];       /* texts of symlinks, owned */
};

/* @name must outlive the walk. 0, or -errno with nothing held. */
int walk_init(struct walk *w, struct task *t, int dirfd, const char *name, u32 flags) must_check;
void walk_done(struct walk *w);
int walk_parent(struct walk *w) must_check;
int walk_to_end(struct walk *w) must_check;
/*
 * The entry that walk_parent stopped at: 0 with *ret counted (a symlink is not
 * followed, mounts are not crossed), or -ENOENT.  LAST_NAME only.
 */
int walk_last(struct walk *w, struct dentry **ret) must_check;
/* The same; its attributes may be out of date where removing it does not need them. */
int walk_last_to_remove(struct walk *w, struct dentry **ret) must_check;
/* The last component is the symlink @link: take its text (or place) as the rest of the walk. */
int walk_follow_last(struct walk *w, struct dentry *link) must_check;
/* Does a walk that ends at symlink @i go on into it? */
bool walk_follows(const struct walk *w, const struct inode *i);

/* One name in one directory, through the cache. 0 or -ENOENT, ... */
int lookup_one(struct task *t, struct dentry *dir, const char *name, size_t len, struct dentry **ret) must_check;
