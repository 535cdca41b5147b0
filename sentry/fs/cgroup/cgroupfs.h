/*
 * cgroupfs.h - the sandbox's control groups as a file system, for sentry/fs/fstypes.c.
 */
#pragma once
#include "sentry/vfs/vfs.h"

/* The tree from the root of @t's cgroup namespace on. */
int cgroupfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
                  struct super **ret_sb, struct inode **ret_root) must_check;
