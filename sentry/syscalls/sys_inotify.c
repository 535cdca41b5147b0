/*
 * sys_inotify.c - inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/inotify.h>
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/inotify.h"
#include "sentry/vfs/vfs.h"

#define MASK_KNOWN (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
                    IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)

static long do_init(struct task *t, u32 flags)
{
	auto_file *f = NULL;
	int r;

	if (flags & ~(u32)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	r = inotify_create(t, flags, &f);
	return r < 0 ? r : fd_install(t, f, flags & IN_CLOEXEC);
}

long sys_inotify_init(struct task *t, const struct sysargs *a)
{
	(void)a;
	return do_init(t, 0);
}

long sys_inotify_init1(struct task *t, const struct sysargs *a)
{
	return do_init(t, arg_u32(a, 0));
}

long sys_inotify_add_watch(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_file *f = fd_get(t, arg_fd(a, 0));
	auto_path p = { 0 };
	u32 mask = arg_u32(a, 2), look;
	int r;

	if ((mask & ~(u32)MASK_KNOWN) || !(mask & MASK_KNOWN))
		return -EINVAL;
	if (!f)
		return -EBADF;
	if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE))
		return -EINVAL;
	if (!file_is_inotify(f))
		return -EINVAL;
	look = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
	r = path_arg(t, a, 1, name);
	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, name, look, &p);
	if (r == 0)
		r = inode_permission(t, path_inode(&p), R_OK);
	return r < 0 ? r : inotify_watch_path(f, &p, mask);
}

long sys_inotify_rm_watch(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	if (!f)
		return -EBADF;
	return file_is_inotify(f) ? inotify_unwatch(f, arg_s32(a, 1)) : -EINVAL;
}
