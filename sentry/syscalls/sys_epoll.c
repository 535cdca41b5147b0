/*
 * sys_epoll.c - epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/sigset_arg.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/epoll.h"

#define EP_MAX_EVENTS (INT_MAX / (int)sizeof(struct lx_epoll_event))

static long do_create(struct task *t, u32 flags)
{
	auto_file *f = NULL;
	int r = eventpoll_create(t, 0, &f);

	return r < 0 ? r : fd_install(t, f, flags & O_CLOEXEC);
}

long sys_epoll_create(struct task *t, const struct sysargs *a)
{
	return arg_s32(a, 0) <= 0 ? -EINVAL : do_create(t, 0);
}

long sys_epoll_create1(struct task *t, const struct sysargs *a)
{
	return arg_u32(a, 0) & ~(u32)EPOLL_CLOEXEC ? -EINVAL : do_create(t, arg_u32(a, 0));
}

long sys_epoll_ctl(struct task *t, const struct sysargs *a)
{
	auto_file *ep = NULL, *target = NULL;
	struct lx_epoll_event ev = { 0 };
	int op = arg_s32(a, 1), fd = arg_fd(a, 2), r;

	if (op != EPOLL_CTL_DEL) {
		r = copy_in(t, &ev, arg_addr(a, 3), sizeof(ev));
		if (r < 0)
			return r;
	}
	ep = fd_get(t, arg_fd(a, 0));
	if (!ep)
		return -EBADF;
	target = fd_get(t, fd);
	if (!target)
		return -EBADF;
	return eventpoll_ctl(t, ep, op, fd, target, &ev);
}

static long do_wait(struct task *t, const struct sysargs *a, ktime_t deadline)
{
	auto_file *ep = NULL;
	int max = arg_s32(a, 2);

	ep = task_call_file(t, arg_fd(a, 0));
	if (!ep)
		return -EBADF;
	if (max <= 0 || max > EP_MAX_EVENTS)
		return -EINVAL;
	if (!file_is_epoll(ep))
		return -EINVAL;
	return eventpoll_wait(t, ep, arg_addr(a, 1), max, deadline);
}

static ktime_t from_ms(struct task *t, int ms)
{
	if (ms < 0)
		return KTIME_MAX;
	return ms ? task_call_deadline(t, ktime_add(ktime_mono(t->kernel), ms * 1000000ll)) : 0;
}

long sys_epoll_wait(struct task *t, const struct sysargs *a)
{
	return do_wait(t, a, from_ms(t, arg_s32(a, 3)));
}

long sys_epoll_pwait(struct task *t, const struct sysargs *a)
{
	int r = task_call_again(t) ? 0 : sigset_arg_use(t, arg_addr(a, 4), arg_size(a, 5));

	return r < 0 ? r : do_wait(t, a, from_ms(t, arg_s32(a, 3)));
}

long sys_epoll_pwait2(struct task *t, const struct sysargs *a)
{
	ktime_t deadline = task_call_deadline(t, KTIME_MAX);
	int r = 0;

	if (!task_call_again(t)) {
		r = timeout_arg(t, arg_addr(a, 3), &deadline);
		if (r == 0)
			r = sigset_arg_use(t, arg_addr(a, 4), arg_size(a, 5));
	}
	return r < 0 ? r : do_wait(t, a, deadline);
}
