/*
 * sys_read_write.c - read, write and their vector and positioned forms, lseek.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include "platform/base/alloc.h"
#include "sentry/core/iobuf.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/file.h"

#define LX_RWF_NOAPPEND 0x20

/* access_ok(): such a range cannot be an application's. */
static bool absurd(gaddr_t base, size_t len)
{
	u64 end;

	return add_overflows(base.v, len, &end) || end > (1ull << 47);
}

static long do_read(struct task *t, const struct sysargs *a, s64 *pos)
{
	auto_file *f = task_call_file(t, arg_fd(a, 0));
	struct iobuf b;

	if (!f)
		return -EBADF;
	if (absurd(arg_addr(a, 1), arg_size(a, 2))) {
		int r = file_check_io(f, false, pos);

		return r < 0 ? r : -EFAULT;
	}
	iobuf_user(&b, t, arg_addr(a, 1), arg_size(a, 2));
	b.again = pos;
	b.parks = !pos;
	return file_read(t, f, &b, pos, false);
}

static long do_write(struct task *t, const struct sysargs *a, s64 *pos)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct iobuf b;

	if (!f)
		return -EBADF;
	if (absurd(arg_addr(a, 1), arg_size(a, 2))) {
		int r = file_check_io(f, true, pos);

		return r < 0 ? r : -EFAULT;
	}
	iobuf_user(&b, t, arg_addr(a, 1), arg_size(a, 2));
	return file_write(t, f, &b, pos, false);
}

long sys_read(struct task *t, const struct sysargs *a) { return do_read(t, a, NULL); }
long sys_write(struct task *t, const struct sysargs *a) { return do_write(t, a, NULL); }

long sys_pread64(struct task *t, const struct sysargs *a)
{
	s64 pos = arg_long(a, 3);

	return pos < 0 ? -EINVAL : do_read(t, a, &pos);
}

long sys_pwrite64(struct task *t, const struct sysargs *a)
{
	s64 pos = arg_long(a, 3);

	return pos < 0 ? -EINVAL : do_write(t, a, &pos);
}

/* ---- vectors ---- */

/* @how: WRITE_*, of which reads know NOWAIT; or an error of the flags, which is told only if there is anything to do. */
static long do_vector(struct task *t, const struct sysargs *a, s64 *pos, long how, bool write)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct giovec *iov = NULL;
	struct iobuf b;
	ssize_t n;

	if (!f)
		return -EBADF;
	n = file_check_io(f, write, pos);
	if (n == 0)
		n = iov_copy_in(t, arg_addr(a, 1), arg_size(a, 2), &iov);
	if (n < 0)
		return n;
	iobuf_user_iov(&b, t, iov, arg_size(a, 2));
	if (b.left == 0)
		n = 0;          /* nothing: the kind is not asked */
	else if (how < 0)
		n = how;
	else
		n = write ? file_write(t, f, &b, pos, (u32)how) : file_read(t, f, &b, pos, how & WRITE_NOWAIT);
	kfree(iov);
	if (n == 0)
		notify_file(f, write ? IN_MODIFY : IN_ACCESS);  /* unlike read and write */
	return n;
}

long sys_readv(struct task *t, const struct sysargs *a) { return do_vector(t, a, NULL, 0, false); }
long sys_writev(struct task *t, const struct sysargs *a) { return do_vector(t, a, NULL, 0, true); }

long sys_preadv(struct task *t, const struct sysargs *a)
{
	s64 pos = arg_long(a, 3);

	return pos < 0 ? -EINVAL : do_vector(t, a, &pos, 0, false);
}

long sys_pwritev(struct task *t, const struct sysargs *a)
{
	s64 pos = arg_long(a, 3);

	return pos < 0 ? -EINVAL : do_vector(t, a, &pos, 0, true);
}

/* Offset -1: the file's own position. */
static long do_vector2(struct task *t, const struct sysargs *a, bool write)
{
	const int known = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | LX_RWF_NOAPPEND;
	s64 pos = arg_long(a, 3);
	int flags = arg_s32(a, 5);
	long how;

	if (pos < -1)
		return -EINVAL;
	if (flags & ~known)
		how = -EOPNOTSUPP;
	else if ((flags & RWF_APPEND) && (flags & LX_RWF_NOAPPEND))
		how = -EINVAL;
	else
		how = (flags & RWF_NOWAIT ? WRITE_NOWAIT : 0) | (flags & RWF_APPEND ? WRITE_APPEND : 0) |
		      (flags & LX_RWF_NOAPPEND ? WRITE_NOAPPEND : 0);
	return do_vector(t, a, pos == -1 ? NULL : &pos, how, write);
}

long sys_preadv2(struct task *t, const struct sysargs *a) { return do_vector2(t, a, false); }
long sys_pwritev2(struct task *t, const struct sysargs *a) { return do_vector2(t, a, true); }

long sys_lseek(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	return f ? file_lseek(t, f, arg_long(a, 1), arg_s32(a, 2)) : -EBADF;
}
