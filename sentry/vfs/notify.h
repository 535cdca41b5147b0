/*
 * notify.h - where the VFS tells watchers what happened (inotify(7)).
 *
 * Costs one load when no inode of the file system is watched: callers need no
 * check of their own.  Events are queued, never waited for.
 */
#pragma once
#include <sys/inotify.h>
#include "sentry/vfs/inode.h"

struct dentry;

void notify_dentry_slow(struct dentry *d, u32 mask);
void notify_child_slow(struct inode *dir, struct inode *child, const char *name, size_t len, u32 mask, u32 cookie);
void notify_inode_slow(struct inode *i, u32 mask);
/* The last name or inode of a watched object is gone, or its file system: IN_IGNORED. */
void notify_forget(struct inode *i);

static inline bool notify_wanted(const struct super *sb)
{
	return atomic_load_explicit(&sb->nmarks, memory_order_relaxed) != 0;
}

/* Something happened to @i itself, seen also by watchers of its directory. */
static inline void notify_dentry(struct super *sb, struct dentry *d, u32 mask)
{
	if (unlikely(notify_wanted(sb)))
		notify_dentry_slow(d, mask);
}

static inline void notify_file(struct file *f, u32 mask)
{
	if (f->path.dentry && f->inode && unlikely(notify_wanted(f->inode->sb)))
		notify_dentry_slow(f->path.dentry, mask);
}

/* An entry of @dir appeared, went or moved.  @child may be NULL. */
static inline void notify_child(struct inode *dir, struct inode *child, const char *name, size_t len,
                                u32 mask, u32 cookie)
{
	if (unlikely(notify_wanted(dir->sb)))
		notify_child_slow(dir, child, name, len, mask, cookie);
}

/* A name of @i is gone: a directory's end, else its link count changed (its end: dentry_unref). */
static inline void notify_removed(struct inode *i)
{
	if (unlikely(notify_wanted(i->sb)))
		notify_inode_slow(i, S_ISDIR(i->mode) ? IN_DELETE_SELF : IN_ATTRIB);
}

static inline void notify_inode(struct inode *i, u32 mask)
{
	if (unlikely(notify_wanted(i->sb)))
		notify_inode_slow(i, mask);
}
