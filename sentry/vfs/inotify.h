/*
 * inotify.h - watches on inodes and the files that events are read from (inotify(7)).
 */
#pragma once
#include "sentry/vfs/inode.h"

int inotify_create(struct task *t, u32 flags, struct file **ret) must_check;
bool file_is_inotify(const struct file *f);
/* The watch descriptor. */
int inotify_watch(struct file *f, struct inode *i, u32 mask) must_check;
/* The same for what has a name: its file system learns of it. */
int inotify_watch_path(struct file *f, const struct path *p, u32 mask) must_check;
int inotify_unwatch(struct file *f, int wd) must_check;

/* For notify.c: an event on @i; @name (may be NULL) is of an entry of that directory. */
void marks_send(struct inode *i, u32 mask, const char *name, size_t len, u32 cookie);
/* To a directory, of what happened to an entry; @unlinked: it has no name any more. */
void marks_send_child(struct inode *dir, u32 mask, const char *name, size_t len, bool unlinked);
/* The object is gone: every watch ends with IN_IGNORED. */
void marks_drop(struct inode *i);
/* The list of dnotify.c beside the marks of @i; NULL: none yet (@make: no memory). */
struct list_head *marks_dnotify(struct inode *i, bool make);
void marks_free(struct inode *i);
