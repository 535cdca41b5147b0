/*
 * sys_mqueue.c - mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr.
 *
 * Timeouts are absolute on CLOCK_REALTIME.  Names come from libc without their slash.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/mqueue.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/netlink.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/file.h"

long sys_mq_open(struct task *t, const struct sysargs *a)
{
	auto_kfree char *name = NULL;
	auto_file *f = NULL;
	struct lx_mq_attr attr, *given = NULL;
	int flags = arg_s32(a, 1), r;

	r = copy_in_path(t, arg_addr(a, 0), &name);
	if (r == 0 && arg_addr(a, 3).v && (flags & O_CREAT)) {
		r = copy_in(t, &attr, arg_addr(a, 3), sizeof(attr));
		given = &attr;
	}
	if (r < 0)
		return r;
	r = mq_file_open(t, name, flags, arg_u32(a, 2), given, &f);
	return r < 0 ? r : fd_install(t, f, true);      /* always close-on-exec */
}

long sys_mq_unlink(struct task *t, const struct sysargs *a)
{
	auto_kfree char *name = NULL;
	int r = copy_in_path(t, arg_addr(a, 0), &name);

	return r < 0 ? r : mq_remove(t, name);
}

static int deadline_arg(struct task *t, gaddr_t addr, ktime_t *ret)
{
	struct timespec ts;
	ktime_t at;
	int r;

	*ret = KTIME_MAX;
	if (!addr.v)
		return 0;
	r = copy_in(t, &ts, addr, sizeof(ts));
	if (r == 0)
		r = ktime_from_timespec(&ts, &at);
	if (r == 0 && at != KTIME_MAX)
		*ret = ktime_add(ktime_mono(t->kernel), MAX(at - ktime_real(t->kernel), 0));
	return r;
}

long sys_mq_timedsend(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	ktime_t deadline;
	int r = deadline_arg(t, arg_addr(a, 4), &deadline);

	if (r < 0)
		return r;
	if (arg_u32(a, 3) >= MQ_PRIOS)
		return -EINVAL;
	return !f ? -EBADF : mq_send_msg(t, f, arg_addr(a, 1), arg_size(a, 2), arg_u32(a, 3), deadline);
}

long sys_mq_timedreceive(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	ktime_t deadline;
	int r = deadline_arg(t, arg_addr(a, 4), &deadline);

	if (r < 0)
		return r;
	return !f ? -EBADF : mq_receive_msg(t, f, arg_addr(a, 1), arg_size(a, 2), arg_addr(a, 3), deadline);
}

/* All that can be wrong with an event is told before the queue is looked at.  *ret_sock: a reference. */
static int event_in(struct task *t, gaddr_t addr, struct mq_event *ev, struct file **ret_sock)
{
	const struct lx_sigevent *se = &ev->se;

	if (copy_in(t, &ev->se, addr, sizeof(ev->se)) < 0)
		return -EFAULT;
	if (se->notify == SIGEV_SIGNAL)
		return se->signo < 0 || se->signo > NSIG_GUEST ? -EINVAL : 0;
	if (se->notify != SIGEV_THREAD)
		return se->notify == SIGEV_NONE ? 0 : -EINVAL;
	if (copy_in(t, ev->cookie, GADDR(se->value), sizeof(ev->cookie)) < 0)
		return -EFAULT;
	*ret_sock = fd_get(t, se->signo);
	if (!*ret_sock)
		return -EBADF;
	ev->sock = *ret_sock;
	ev->post = netlink_post;
	return netlink_is(ev->sock) ? 0 : socket_of(ev->sock) ? -EINVAL : -ENOTSOCK;
}

long sys_mq_notify(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL, *sock = NULL;
	struct mq_event ev = { 0 };
	int r = arg_addr(a, 1).v ? event_in(t, arg_addr(a, 1), &ev, &sock) : 0;

	if (r < 0)
		return r;
	f = fd_get(t, arg_fd(a, 0));
	return f ? mq_notify_on(t, f, arg_addr(a, 1).v ? &ev : NULL) : -EBADF;
}

long sys_mq_getsetattr(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct lx_mq_attr set, old;
	int r = 0;

	if (arg_addr(a, 1).v)
		r = copy_in(t, &set, arg_addr(a, 1), sizeof(set));
	if (r == 0 && arg_addr(a, 1).v && (set.flags & ~(s64)O_NONBLOCK))
		r = -EINVAL;
	if (r == 0 && !f)
		r = -EBADF;
	if (r == 0)
		r = mq_attr(f, arg_addr(a, 1).v ? &set : NULL, &old);
	if (r == 0 && arg_addr(a, 2).v)
		r = copy_out(t, arg_addr(a, 2), &old, sizeof(old));
	return r;
}
