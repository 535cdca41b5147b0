/*
 * dnotify.h - F_NOTIFY of fcntl(2), what there was before inotify.
 */
#pragma once
#include "sentry/vfs/inode.h"

/* DN_*; 0: no more. */
long dnotify_set(struct task *t, struct file *f, int fd, u64 events) must_check;
/* A descriptor of @table is closed (NULL: the file goes). */
void dnotify_close(struct file *f, const void *table);
/* An event of inotify's on an entry of directory @i, or itself. vfs->notify_mu is held. */
void dnotify_tell_locked(struct inode *i, struct list_head *watches, u32 mask);
