/*
 * cgroupfs.h - the sandbox's own cgroup as a file system, for sentry/fs/fstypes.c.
 */
#pragma once
#include "sentry/vfs/vfs.h"

int cgroupfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
                  struct super **ret_sb, struct inode **ret_root) must_check;
