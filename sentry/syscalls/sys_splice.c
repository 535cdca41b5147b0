/*
 * sys_splice.c - bytes from one descriptor to another: sendfile,
 * copy_file_range, splice, tee, vmsplice.
 *
 * All move through a buffer of the sentry.  Bytes leave their source only after
 * the sink took them: files are read at a position that moves by what was
 * written, pipes are peeked and then consumed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/core/iobuf.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/pipe/pipe.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/clonefile.h"
#include "sentry/vfs/file.h"
#include "sentry/vfs/vfs.h"

#define CHUNK (128u << 10)

/* File at @pos to @out (at *opos, or its own position), through @buf. */
static ssize_t pump(struct task *t, struct file *in, s64 *ipos, struct file *out, s64 *opos, size_t n,
                    u8 *buf, bool nowait)
{
	ssize_t done = 0;

	while ((size_t)done < n) {
		s64 at = *ipos;
		struct iobuf b;
		ssize_t got, put;

		iobuf_kernel(&b, buf, MIN(n - (size_t)done, (size_t)CHUNK));
		got = file_read(t, in, &b, &at, false);
		if (got <= 0)
			return done > 0 ? done : got;
		iobuf_kernel(&b, buf, (size_t)got);
		put = file_write(t, out, &b, opos, nowait);
		if (put <= 0)
			return done > 0 ? done : put;
		*ipos += put;
		done += put;
		usercopy_elsewhere(t, (size_t)put);
		if (put < got || task_killed(t))
			break;
	}
	return done;
}

static ssize_t pump_alloc(struct task *t, struct file *in, s64 *ipos, struct file *out, s64 *opos, size_t n,
                          bool nowait)
{
	u8 *buf = kbuf_alloc(MIN(MAX(n, 1), (size_t)CHUNK));
	ssize_t r;

	if (!buf)
		return -ENOMEM;
	r = pump(t, in, ipos, out, opos, n, buf, nowait);
	kfree(buf);
	return r;
}

/* An offset argument: *use tells that there is one. */
static int off_in(struct task *t, gaddr_t p, s64 *off, bool *use)
{
	*use = p.v != 0;
	if (!*use)
		return 0;
	if (copy_in(t, off, p, sizeof(*off)) < 0)
		return -EFAULT;
	return *off < 0 ? -EINVAL : 0;
}

/* That of its place: an overlay's file may have the inode of a layer. */
static struct super *super_of(const struct file *f)
{
	return f->path.dentry ? path_inode(&f->path)->sb : f->inode->sb;
}

/* Linux: generic_copy_file_checks().  No more is copied than the source has now: a file may be appended to itself. */
static int check_range(struct task *t, struct file *in, struct file *out, s64 ipos, s64 opos, size_t *n)
{
	struct kstat st;
	u64 left;
	int r;

	if (!in->inode || !out->inode)
		return -EINVAL;
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if ((file_flags(out) & O_APPEND) || (out->flags & O_ACCMODE) == O_RDONLY ||
	    (in->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if (super_of(in) != super_of(out))
		return -EXDEV;
	if ((u64)ipos + *n < *n || (u64)opos + *n < *n)
		return -EOVERFLOW;
	r = inode_getattr(t, in->inode, &st);
	if (r < 0)
		return r;
	left = (u64)ipos < st.size ? st.size - (u64)ipos : 0;
	*n = (size_t)MIN(MIN((u64)*n, left), (u64)MAX_RW_COUNT);
	if (in->inode == out->inode && (u64)ipos < (u64)opos + *n && (u64)opos < (u64)ipos + *n)
		return -EINVAL;
	return ipos < 0 || opos < 0 ? -EINVAL : 0;
}

int clonefile(struct task *t, int src_fd, struct file *dst)
{
	auto_file *src = fd_get(t, src_fd);

	if (!src)
		return -EBADF;
	if (!src->inode || !dst->inode)
		return file_anon(src) == file_anon(dst) ? -EINVAL : -EXDEV;
	if (super_of(src) != super_of(dst))
		return -EXDEV;
	if (S_ISDIR(src->inode->mode) || S_ISDIR(dst->inode->mode))
		return -EISDIR;
	if (!S_ISREG(src->inode->mode) || !S_ISREG(dst->inode->mode))
		return -EINVAL;
	if ((file_flags(dst) & O_APPEND) || file_check_io(dst, true, false) < 0 || file_check_io(src, false, false) < 0)
		return -EBADF;
	return -EOPNOTSUPP;
}

long sys_copy_file_range(struct task *t, const struct sysargs *a)
{
	auto_file *in = fd_get(t, arg_fd(a, 0)), *out = fd_get(t, arg_fd(a, 2));
	bool use_in, use_out;
	size_t n = arg_size(a, 4);
	s64 ipos = 0, opos = 0;
	ssize_t r;

	if (!in || !out)
		return -EBADF;
	if (off_in(t, arg_addr(a, 1), &ipos, &use_in) == -EFAULT || off_in(t, arg_addr(a, 3), &opos, &use_out) == -EFAULT)
		return -EFAULT;
	if (arg_u32(a, 5))
		return -EINVAL;
	if (!use_in)
		ipos = MAX(file_lseek(t, in, 0, SEEK_CUR), 0);
	if (!use_out)
		opos = MAX(file_lseek(t, out, 0, SEEK_CUR), 0);
	r = check_range(t, in, out, ipos, opos, &n);
	if (r < 0)
		return r;
	r = pump_alloc(t, in, &ipos, out, &opos, n, false);
	if (r <= 0)
		return r;
	if (use_in ? copy_out(t, arg_addr(a, 1), &ipos, 8) < 0 : file_lseek(t, in, ipos, SEEK_SET) < 0)
		return -EFAULT;
	if (use_out ? copy_out(t, arg_addr(a, 3), &opos, 8) < 0 : file_lseek(t, out, opos, SEEK_SET) < 0)
		return -EFAULT;
	return r;
}

/* ---- pipes ---- */

static int wait_for(struct task *t, struct file *pipe, u32 event, bool nowait)
{
	if (nowait || (file_flags(pipe) & O_NONBLOCK))
		return -EAGAIN;
	return file_wait(t, pipe, event, KTIME_MAX);
}

/* Peek at the pipe, hand on, and consume what was taken (unless @keep: tee). */
static ssize_t from_pipe(struct task *t, struct file *in, struct file *out, s64 *opos, size_t n, u8 *buf,
                         bool nowait, bool keep)
{
	struct iobuf b;
	ssize_t got, put;

	for (;;) {
		got = pipe_peek(in, buf, MIN(n, (size_t)CHUNK));
		if (got != -EAGAIN)
			break;
		got = wait_for(t, in, POLLIN, nowait);
		if (got < 0)
			return got;
	}
	if (got <= 0)
		return got;
	iobuf_kernel(&b, buf, (size_t)got);
	put = file_write(t, out, &b, opos, nowait);
	if (put > 0 && !keep)
		pipe_drop(in, (size_t)put);
	return put;
}

static ssize_t to_pipe(struct task *t, struct file *in, s64 *ipos, struct file *out, size_t n, u8 *buf,
                       bool nowait)
{
	struct iobuf b;
	ssize_t r;
	size_t room;

	while ((room = pipe_room(out)) == 0) {
		r = wait_for(t, out, POLLOUT, nowait);
		if (r < 0)
			return r;
	}
	n = MIN(n, MIN(room, (size_t)CHUNK));
	if (ipos)
		return pump(t, in, ipos, out, NULL, n, buf, nowait);
	if (inet_at_mark(in))
		return 0;
	iobuf_kernel(&b, buf, n);
	r = file_read(t, in, &b, NULL, nowait);
	if (r <= 0)
		return r;
	/* A stream's bytes are ours now: they go in whole, even if another writer took the room. */
	iobuf_kernel(&b, buf, (size_t)r);
	return file_write(t, out, &b, NULL, false);
}

/* /dev/null gives nothing by splice, and /dev/full takes nothing: not even an error of its own. */
static bool device_splices(const struct file *f, bool out)
{
	return !f->inode || !S_ISCHR(f->inode->mode) || f->inode->rdev_major != 1 || f->inode->rdev_minor != (out ? 7 : 3);
}

/* Can it be spliced at all?  On Linux eventfds, timers and such cannot, though they read and write. */
static bool splices(const struct file *f, bool out)
{
	if (f->inode && S_ISDIR(f->inode->mode))
		return false;
	if (f->anon_name && strncmp(f->anon_name, "anon_inode", 10) == 0)
		return false;
	return device_splices(f, out) && (out ? f->ops->write : f->ops->read);
}

#define SPLICE_KNOWN (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

static ssize_t do_splice(struct task *t, struct file *in, s64 *ipos, struct file *out, s64 *opos, size_t n,
                         bool nowait)
{
	u8 *buf = kbuf_alloc(MIN(MAX(n, 1), (size_t)CHUNK));
	ssize_t r;

	if (!buf)
		return -ENOMEM;
	if (file_is_pipe(in))
		r = from_pipe(t, in, out, opos, n, buf, nowait, false);
	else
		r = to_pipe(t, in, ipos, out, n, buf, nowait);
	kfree(buf);
	return r;
}

/* sendfile(2) to a pipe is a splice, and takes what has no position, too. */
static ssize_t stream_to_pipe(struct task *t, struct file *in, struct file *out, size_t n)
{
	if (!file_is_pipe(out) || file_is_pipe(in) || !splices(in, false))
		return -EINVAL;
	return n ? do_splice(t, in, NULL, out, NULL, n, file_flags(out) & O_NONBLOCK) : 0;
}

long sys_sendfile(struct task *t, const struct sysargs *a)
{
	auto_file *out = fd_get(t, arg_fd(a, 0)), *in = fd_get(t, arg_fd(a, 1));
	size_t n = MIN(arg_size(a, 3), MAX_RW_COUNT);
	bool use_off;
	s64 pos = 0;
	ssize_t r = off_in(t, arg_addr(a, 2), &pos, &use_off);

	if (r == -EFAULT)
		return r;
	if (!in || (in->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if ((in->kind & FILE_STREAM) && use_off)
		return -ESPIPE;
	if (r < 0)
		return r;
	if (!out || (out->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (in->kind & FILE_STREAM)
		return stream_to_pipe(t, in, out, n);
	if ((in->inode && S_ISDIR(in->inode->mode)) || !device_splices(in, false) || !device_splices(out, true))
		return -EINVAL;
	if (out->inode && S_ISREG(out->inode->mode) && (file_flags(out) & O_APPEND))
		return -EINVAL;
	if (!use_off) {
		pos = file_lseek(t, in, 0, SEEK_CUR);
		if (pos < 0)
			return pos;
	}
	r = pump_alloc(t, in, &pos, out, NULL, n, false);
	if (use_off && copy_out(t, arg_addr(a, 2), &pos, sizeof(pos)) < 0)
		return -EFAULT;
	if (!use_off && r > 0 && file_lseek(t, in, pos, SEEK_SET) < 0)
		return -EIO;
	return r;
}

long sys_splice(struct task *t, const struct sysargs *a)
{
	auto_file *in = fd_get(t, arg_fd(a, 0)), *out = fd_get(t, arg_fd(a, 2));
	size_t n = MIN(arg_size(a, 4), MAX_RW_COUNT);
	bool use_in, use_out, own_pos;
	s64 ipos = 0, opos = 0;
	ssize_t r;

	if (arg_u32(a, 5) & ~(u32)SPLICE_KNOWN)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (!in || !out)
		return -EBADF;
	if ((arg_addr(a, 1).v && file_is_pipe(in)) || (arg_addr(a, 3).v && file_is_pipe(out)))
		return -ESPIPE;
	r = off_in(t, arg_addr(a, 3), &opos, &use_out);
	if (r != -EFAULT)
		r = MIN(off_in(t, arg_addr(a, 1), &ipos, &use_in), r);
	if (r == -EFAULT)
		return r;
	if ((in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (r < 0)
		return r;
	if ((!file_is_pipe(in) && !file_is_pipe(out)) || pipe_is_same(in, out))
		return -EINVAL;
	if ((use_in && (in->kind & FILE_STREAM)) || (use_out && (out->kind & FILE_STREAM)))
		return -EINVAL;
	if (!file_is_pipe(out) && (file_flags(out) & O_APPEND))
		return -EINVAL;
	if (!splices(in, false) || !splices(out, true))
		return -EINVAL;
	own_pos = !use_in && !(in->kind & FILE_STREAM);
	if (own_pos)
		ipos = MAX(file_lseek(t, in, 0, SEEK_CUR), 0);
	r = do_splice(t, in, in->kind & FILE_STREAM ? NULL : &ipos, out, use_out ? &opos : NULL, n,
	              arg_u32(a, 5) & SPLICE_F_NONBLOCK);
	if (r <= 0)
		return r;
	if (own_pos && file_lseek(t, in, ipos, SEEK_SET) < 0)
		return -EIO;
	if (use_in && copy_out(t, arg_addr(a, 1), &ipos, 8) < 0)
		return -EFAULT;
	if (use_out && copy_out(t, arg_addr(a, 3), &opos, 8) < 0)
		return -EFAULT;
	return r;
}

long sys_tee(struct task *t, const struct sysargs *a)
{
	auto_file *in = fd_get(t, arg_fd(a, 0)), *out = fd_get(t, arg_fd(a, 1));
	size_t n = MIN(arg_size(a, 2), MAX_RW_COUNT);
	ssize_t r;
	u8 *buf;

	if (arg_u32(a, 3) & ~(u32)SPLICE_KNOWN)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (!in || !out)
		return -EBADF;
	if ((in->flags & O_ACCMODE) == O_WRONLY || (out->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (!file_is_pipe(in) || !file_is_pipe(out) || pipe_is_same(in, out))
		return -EINVAL;
	buf = kbuf_alloc(MIN(n, (size_t)CHUNK));
	if (!buf)
		return -ENOMEM;
	r = from_pipe(t, in, out, NULL, n, buf, arg_u32(a, 3) & SPLICE_F_NONBLOCK, true);
	kfree(buf);
	return r;
}

/* Unlike write(2) it takes what there is room for and waits for no more. */
static ssize_t fill_pipe(struct task *t, struct file *f, struct iobuf *b, bool nowait)
{
	ssize_t n;

	if (b->left == 0)
		return 0;
	for (;;) {
		struct iobuf part = *b;

		iobuf_limit(&part, MAX(pipe_room(f), 1));
		n = file_write(t, f, &part, NULL, true);
		if (n == -EAGAIN)
			n = wait_for(t, f, POLLOUT, nowait);
		if (n != 0)
			return n;
	}
}

long sys_vmsplice(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	bool nowait = arg_u32(a, 3) & SPLICE_F_NONBLOCK;
	struct giovec *iov = NULL;
	struct iobuf b;
	ssize_t n;

	if (arg_u32(a, 3) & ~(u32)SPLICE_KNOWN)
		return -EINVAL;
	if (!f)
		return -EBADF;
	n = iov_copy_in(t, arg_addr(a, 1), arg_size(a, 2), &iov);
	if (n < 0)
		return n;
	iobuf_user_iov(&b, t, iov, arg_size(a, 2));
	if (b.left == 0)
		n = 0;
	else if (!file_is_pipe(f))
		n = -EBADF;
	else if ((f->flags & O_ACCMODE) == O_RDONLY)
		n = file_read(t, f, &b, NULL, nowait);
	else
		n = fill_pipe(t, f, &b, nowait);
	kfree(iov);
	return n;
}
