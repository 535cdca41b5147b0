/*
 * sys_eventfd.c - eventfd, eventfd2, timerfd_*, signalfd, signalfd4.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

static long do_eventfd(struct task *t, u32 count, u32 flags)
{
	auto_file *f = NULL;
	int r = eventfd_create(t, count, flags, &f);

	return r < 0 ? r : fd_install(t, f, flags & EFD_CLOEXEC);
}

long sys_eventfd(struct task *t, const struct sysargs *a) { return do_eventfd(t, arg_u32(a, 0), 0); }
long sys_eventfd2(struct task *t, const struct sysargs *a) { return do_eventfd(t, arg_u32(a, 0), arg_u32(a, 1)); }

long sys_timerfd_create(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	int r = timerfd_create_file(t, arg_s32(a, 0), arg_u32(a, 1), &f);

	return r < 0 ? r : fd_install(t, f, arg_u32(a, 1) & O_CLOEXEC);
}

long sys_timerfd_settime(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	struct itimerspec its, old;
	int r;

	r = copy_in(t, &its, arg_addr(a, 2), sizeof(its));
	if (r < 0)
		return r;
	r = timerfd_check(arg_s32(a, 1), &its);
	if (r < 0)
		return r;
	f = fd_get(t, arg_fd(a, 0));
	if (!f)
		return -EBADF;
	r = timerfd_set(f, arg_s32(a, 1), &its, &old);
	if (r == 0 && arg_addr(a, 3).v)
		r = copy_out(t, arg_addr(a, 3), &old, sizeof(old));
	return r;
}

long sys_timerfd_gettime(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct itimerspec its;
	int r;

	if (!f)
		return -EBADF;
	r = timerfd_get(f, &its);
	return r < 0 ? r : copy_out(t, arg_addr(a, 1), &its, sizeof(its));
}

static long do_signalfd(struct task *t, int fd, gaddr_t mask_addr, size_t size, u32 flags)
{
	auto_file *f = NULL;
	sigmask_t mask;
	int r;

	if (size != sizeof(mask))
		return -EINVAL;
	r = copy_in(t, &mask, mask_addr, sizeof(mask));
	if (r < 0)
		return r;
	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	if (fd == -1) {
		r = signalfd_create(t, mask, flags, &f);
		return r < 0 ? r : fd_install(t, f, flags & SFD_CLOEXEC);
	}
	f = fd_get(t, fd);
	if (!f)
		return -EBADF;
	r = signalfd_set_mask(t, f, mask);
	return r < 0 ? r : fd;
}

long sys_signalfd(struct task *t, const struct sysargs *a)
{
	return do_signalfd(t, arg_fd(a, 0), arg_addr(a, 1), arg_size(a, 2), 0);
}

long sys_signalfd4(struct task *t, const struct sysargs *a)
{
	return do_signalfd(t, arg_fd(a, 0), arg_addr(a, 1), arg_size(a, 2), arg_u32(a, 3));
}
