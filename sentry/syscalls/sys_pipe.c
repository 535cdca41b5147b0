/*
 * sys_pipe.c - pipe and pipe2: both ends appear or neither does.
 *
 * Numbers are reserved, told to the guest, and only then given files, so no failure
 * path has to close a descriptor that another guest thread may already be using.
 */
#include <errno.h>
#include <fcntl.h>
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

static long do_pipe(struct task *t, gaddr_t dst, u32 flags)
{
	auto_file *rd = NULL, *wr = NULL;
	int fd[2], r;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	r = pipe_create(t, flags, &rd, &wr);
	if (r < 0)
		return r;
	r = fd[0] = fd_reserve(t, 0, flags & O_CLOEXEC);
	if (r < 0)
		return r;
	r = fd[1] = fd_reserve(t, 0, flags & O_CLOEXEC);
	if (r < 0)
		goto unreserve_rd;
	r = copy_out(t, dst, fd, sizeof(fd));
	if (r < 0)
		goto unreserve_wr;
	fd_publish(t, fd[0], rd);
	fd_publish(t, fd[1], wr);
	return 0;

unreserve_wr:
	fd_unreserve(t, fd[1]);
unreserve_rd:
	fd_unreserve(t, fd[0]);
	return r;
}

long sys_pipe(struct task *t, const struct sysargs *a) { return do_pipe(t, arg_addr(a, 0), 0); }
long sys_pipe2(struct task *t, const struct sysargs *a) { return do_pipe(t, arg_addr(a, 0), arg_u32(a, 1)); }
