/*
 * fstypes.c - the file system types that mount(2) and config.json can name.
 */
#include <string.h>
#include "sentry/fs/cgroup/cgroupfs.h"
#include "sentry/fs/devpts/devpts.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/proc/procfs.h"
#include "sentry/fs/sysfs/sysfs.h"
#include "sentry/vfs/vfs.h"

static const struct fstype types[] = {
	{ .name = "tmpfs", .nodev = true, .make = tmpfs_make },
	{ .name = "overlay", .nodev = true, .make = overlay_make },
	{ .name = "ramfs", .nodev = true, .make = tmpfs_make },
	{ .name = "devpts", .nodev = true, .make = devpts_make },
	{ .name = "mqueue", .nodev = true, .make = mqfs_make },
	{ .name = "proc", .nodev = true, .make = procfs_make },
	{ .name = "sysfs", .nodev = true, .make = sysfs_make },
	{ .name = "cgroup2", .nodev = true, .make = cgroupfs_make },
	{ .name = "cgroup", .nodev = true, .make = cgroupfs_make },
};

const struct fstype *fstype_at(size_t i) { return i < ARRAY_SIZE(types) ? &types[i] : NULL; }

const struct fstype *fstype_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}
