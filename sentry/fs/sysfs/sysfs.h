/*
 * sysfs.h - sysfs as a file system type, for sentry/fs/fstypes.c.
 */
#pragma once
#include "sentry/vfs/vfs.h"

int sysfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
               struct super **ret_sb, struct inode **ret_root) must_check;

/* net.c: /sys/class/net and /sys/devices/virtual/net. */
struct pseudo_dir;
extern const struct pseudo_dir sysfs_net_class, sysfs_net_devices;
