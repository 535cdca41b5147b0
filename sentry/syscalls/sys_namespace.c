/*
 * sys_namespace.c - unshare and setns.
 */
#include <errno.h>
#include <sched.h>

#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/pidfd.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/unshare.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

#define SHARED_STATE (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)
#define KNOWN (SHARED_STATE | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | NS_FLAGS)
#define LX_NEWTIME 0x80ull

long sys_unshare(struct task *t, const struct sysargs *a)
{
	u64 flags = arg_u64(a, 0);

	/* Without offsets of its own a time namespace would be one in name only. */
	if ((flags & ~(u64)KNOWN) || (flags & LX_NEWTIME))
		return -EINVAL;
	if ((flags & (SHARED_STATE | CLONE_NEWUSER)) && !tgroup_is_single(t->tg))
		return -EINVAL;
	return task_unshare(t, flags);
}

/* A pidfd stands for the namespaces of a process, those of @flags. */
static long join_process(struct task *t, struct file *f, u64 flags)
{
	auto_tgroup *tg = pidfd_tgroup(f);
	struct ns *list[NS_KINDS];
	auto_task *x = NULL;
	int n = 0, r = 0;

	if (!tg || !flags || (flags & ~(u64)NS_FLAGS))
		return -EINVAL;
	x = task_find(t->kernel, tg->tgid);
	if (!x || x->tg != tg)
		return -ESRCH;
	if (!task_may_access(t, x))
		return -EPERM;
	for (int k = 0; k < NS_KINDS && r == 0; k++) {
		if (!(flags & ns_flag((enum ns_kind)k)))
			continue;
		list[n] = k == NS_PID ? tgroup_pid_ns_get(tg) : task_ns_get(x, (enum ns_kind)k);
		if (list[n])
			n++;
		else
			r = -ESRCH;
	}
	if (r == 0)
		r = task_setns(t, list, n);
	while (n > 0)
		ns_unref(list[--n]);
	return r;
}

long sys_setns(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	u64 flags = arg_u32(a, 1);
	struct ns *ns;

	if (!f)
		return -EBADF;
	ns = nsfs_ns(f);
	if (!ns)
		return join_process(t, f, flags);
	if (flags && flags != ns_flag(ns->kind))
		return -EINVAL;
	return task_setns(t, &ns, 1);
}
