/*
 * notify.c - from an event on a dentry to the marks of its inode and directory.
 */
#include "sentry/vfs/notify.h"
#include <limits.h>
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/inotify.h"

void notify_inode_slow(struct inode *i, u32 mask)
{
	bool told = mask & (IN_DELETE_SELF | IN_MOVE_SELF);     /* Linux shows no IN_ISDIR with these */

	marks_send(i, mask | (S_ISDIR(i->mode) && !told ? IN_ISDIR : 0), NULL, 0, 0);
	if (mask & IN_DELETE_SELF)
		marks_drop(i);
}

void notify_child_slow(struct inode *dir, struct inode *child, const char *name, size_t len, u32 mask, u32 cookie)
{
	(void)child;
	marks_send(dir, mask, name, len, cookie);
}

/* The directory in which it has a name, then the object itself. */
void notify_dentry_slow(struct dentry *d, u32 mask)
{
	char name[NAME_MAX + 1];
	auto_dentry *up = NULL;
	ssize_t len;

	if (!d->inode)
		return;
	if (S_ISDIR(d->inode->mode))
		mask |= IN_ISDIR;
	up = dentry_parent(d);
	/* Unlinked files are still heard of where they were. */
	if (up && up->inode->marks) {
		len = dentry_name(d, name, sizeof(name));
		if (len > 0)
			marks_send_child(up->inode, mask, name, (size_t)len, dentry_is_deleted(d));
	}
	marks_send(d->inode, mask, NULL, 0, 0);
}

void notify_forget(struct inode *i)
{
	marks_free(i);
}
