/*
 * procfs.h - proc as a file system type, for sentry/fs/fstypes.c.
 */
#pragma once
#include "sentry/vfs/vfs.h"

int procfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
                struct super **ret_sb, struct inode **ret_root) must_check;
