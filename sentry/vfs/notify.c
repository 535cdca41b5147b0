/*
 * notify.c - from an event on a dentry to the marks of its inode and directory.
 */
#include "sentry/vfs/notify.h"
#include "sentry/vfs/dentry.h"

void notify_inode_slow(struct inode *i, u32 mask)
{
	(void)i;
	(void)mask;
}

void notify_child_slow(struct inode *dir, struct inode *child, const char *name, size_t len, u32 mask, u32 cookie)
{
	(void)dir;
	(void)child;
	(void)name;
	(void)len;
	(void)mask;
	(void)cookie;
}

void notify_dentry_slow(struct dentry *d, u32 mask)
{
	(void)d;
	(void)mask;
}

void notify_forget(struct inode *i)
{
	(void)i;
}
