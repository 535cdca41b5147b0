/*
 * sys_namespace.c - unshare and setns.
 *
 * A sandbox has one namespace of each kind but for mounts; asking for others is
 * refused as where unprivileged namespaces are switched off.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>

#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/unshare.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/file.h"

#define SHARED_STATE (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)
#define KNOWN (SHARED_STATE | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_NEWNS | CLONE_NEWUTS | \
	       CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | 0x80)

long sys_unshare(struct task *t, const struct sysargs *a)
{
	u64 flags = arg_u64(a, 0);

	if (flags & ~(u64)KNOWN)
		return -EINVAL;
	if ((flags & SHARED_STATE) && !task_is_alone(t))
		return -EINVAL;
	if (flags & ~(u64)(SHARED_STATE | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_NEWNS))
		return -EPERM;
	if ((flags & CLONE_NEWNS) && !capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	return task_unshare(t, flags & CLONE_FILES, flags & (CLONE_FS | CLONE_NEWNS), flags & CLONE_NEWNS);
}

long sys_setns(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	if (!f)
		return -EBADF;
	return -EINVAL;
}
