/*
 * perm.h - who may do what to files: private to sentry/vfs.
 */
#pragma once
#include "sentry/vfs/inode.h"

struct path;

#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4

/* 0 or -EROFS: the mount of @p takes changes. */
int perm_want_write(const struct path *p) must_check;
/* May entries of @dir be added? */
int perm_may_create(struct task *t, struct inode *dir) must_check;
/* May @victim, an entry of @dir, be removed or replaced? */
int perm_may_delete(struct task *t, struct inode *dir, struct inode *victim, bool want_dir) must_check;
/* May the attributes be set?  Adjusts @a as Linux's setattr_prepare does (set-gid lost by outsiders). */
int perm_setattr(struct task *t, struct inode *i, struct iattr *a) must_check;
/* A capability over an inode: held in a user namespace that knows its owner and group. */
bool inode_capable(struct task *t, struct inode *i, int cap);
