/*
 * notify.c - from an event on a dentry to the marks of its inode and directory.
 */
#include "sentry/vfs/notify.h"
#include "sentry/vfs/dentry.h"
