/*
 * sys_aio.c - io_setup, io_destroy, io_submit, io_cancel, io_getevents, io_pgetevents.
 *
 * A request is checked as far as Linux does before it queues it; from then on its result, good or
 * bad, comes as an event.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stddef.h>
#include <sys/uio.h>

#include "platform/base/alloc.h"
#include "sentry/core/iobuf.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/sigset_arg.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/aio.h"

#define RW_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

long sys_io_setup(struct task *t, const struct sysargs *a)
{
	u32 nr = arg_u32(a, 0);
	gaddr_t id;
	u64 was;
	int r;

	r = copy_in(t, &was, arg_addr(a, 1), sizeof(was));
	if (r < 0)
		return r;
	if (was || nr == 0 || nr > 0x8000000u / sizeof(struct io_event))
		return -EINVAL;
	r = aio_setup(t, nr, &id);
	if (r < 0)
		return r;
	r = copy_out(t, arg_addr(a, 1), &id.v, sizeof(id.v));
	if (r < 0)
		(void)!aio_destroy(t, id);
	return r;
}

long sys_io_destroy(struct task *t, const struct sysargs *a)
{
	return aio_destroy(t, arg_addr(a, 0));
}

/* ---- submitting ---- */

struct submission {
	struct iocb cb;
	struct file *f, *resfd;                 /* references */
	struct aio_req *req;
};

/* Is the range possible at all?  Whether it is mapped is seen when bytes move. */
static bool range_absurd(u64 base, u64 len)
{
	u64 end;

	return add_overflows(base, len, &end) || end > (1ull << 47);
}

static ssize_t move(struct task *t, const struct iocb *cb, struct file *f, struct iobuf *b, bool write)
{
	u32 how = (cb->aio_rw_flags & RWF_NOWAIT ? WRITE_NOWAIT : 0) | (cb->aio_rw_flags & RWF_APPEND ? WRITE_APPEND : 0);
	s64 at = cb->aio_offset, *pos = f->kind & FILE_STREAM ? NULL : &at;
	ssize_t n = write ? file_write(t, f, b, pos, how) : file_read(t, f, b, pos, how & WRITE_NOWAIT);

	/* It cannot be restarted: the request is gone. */
	return n <= -ERESTARTSYS ? -EINTR : n;
}

static int do_rw(struct task *t, struct submission *s, bool write, bool vector)
{
	const struct iocb *cb = &s->cb;
	struct giovec *iov = NULL;
	struct iobuf b;
	u32 mode = file_flags(s->f) & O_ACCMODE;
	ssize_t n;

	if (cb->aio_rw_flags & ~RW_KNOWN)
		return -EOPNOTSUPP;
	if ((s->f->kind & FILE_PATH) || mode == (write ? O_RDONLY : O_WRONLY))
		return -EBADF;
	if (cb->aio_offset < 0 || !(write ? s->f->ops->write : s->f->ops->read))
		return -EINVAL;
	if (vector) {
		n = iov_copy_in(t, GADDR(cb->aio_buf), cb->aio_nbytes, &iov);
		if (n < 0)
			return (int)n;
		iobuf_user_iov(&b, t, iov, cb->aio_nbytes);
	} else {
		if (range_absurd(cb->aio_buf, cb->aio_nbytes))
			return -EFAULT;
		iobuf_user(&b, t, GADDR(cb->aio_buf), cb->aio_nbytes);
	}
	n = move(t, cb, s->f, &b, write);
	kfree(iov);
	aio_req_done(s->req, n);
	return 0;
}

static int do_sync(struct task *t, struct submission *s, bool data_only)
{
	const struct iocb *cb = &s->cb;

	if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags || !s->f->ops->fsync)
		return -EINVAL;
	aio_req_done(s->req, file_fsync(t, s->f, data_only));
	return 0;
}

static int do_poll_op(struct submission *s)
{
	const struct iocb *cb = &s->cb;
	u32 events;

	if ((u16)cb->aio_buf != cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags)
		return -EINVAL;
	events = (u32)cb->aio_buf | POLLERR | POLLHUP;
	/* Nobody wakes those who wait for this kind; and an eventfd can't be written from a wake-up. */
	if ((!s->f->wq || s->resfd) && !(file_poll(s->f) & events))
		return -EINVAL;
	aio_req_poll(s->req, s->f, events);
	return 0;
}

static int start(struct task *t, struct submission *s)
{
	switch (s->cb.aio_lio_opcode) {
	case IOCB_CMD_PREAD:
		return do_rw(t, s, false, false);
	case IOCB_CMD_PWRITE:
		return do_rw(t, s, true, false);
	case IOCB_CMD_PREADV:
		return do_rw(t, s, false, true);
	case IOCB_CMD_PWRITEV:
		return do_rw(t, s, true, true);
	case IOCB_CMD_FSYNC:
		return do_sync(t, s, false);
	case IOCB_CMD_FDSYNC:
		return do_sync(t, s, true);
	case IOCB_CMD_POLL:
		return do_poll_op(s);
	default:
		return -EINVAL;
	}
}

static int prepare(struct task *t, struct submission *s, gaddr_t addr)
{
	const u32 key = 0;

	if (s->cb.aio_flags & IOCB_FLAG_RESFD) {
		s->resfd = fd_get(t, (int)s->cb.aio_resfd);
		if (!s->resfd)
			return -EBADF;
		if (!file_is_eventfd(s->resfd))
			return -EINVAL;
	}
	return copy_out(t, gaddr_add(addr, offsetof(struct iocb, aio_key)), &key, sizeof(key));
}

static int submit_one(struct task *t, struct aio_ring *ring, gaddr_t addr)
{
	struct submission s = { 0 };
	int r;

	r = copy_in(t, &s.cb, addr, sizeof(s.cb));
	if (r < 0)
		return r;
	if (s.cb.aio_reserved2 || (s64)s.cb.aio_nbytes < 0)
		return -EINVAL;
	r = aio_req_new(ring, s.cb.aio_data, addr.v, &s.req);
	if (r < 0)
		return r;
	s.f = fd_get(t, (int)s.cb.aio_fildes);
	r = s.f ? prepare(t, &s, addr) : -EBADF;
	if (r == 0)
		r = start(t, &s);
	if (r < 0)
		aio_req_drop(s.req);
	else if (s.resfd)
		eventfd_signal(s.resfd);
	file_unref(s.resfd);
	file_unref(s.f);
	return r;
}

long sys_io_submit(struct task *t, const struct sysargs *a)
{
	auto_aio *ring = NULL;
	long nr = arg_long(a, 1), n;
	int r = 0;

	if (nr < 0)
		return -EINVAL;
	ring = aio_find(t, arg_addr(a, 0));
	if (!ring)
		return -EINVAL;
	for (n = 0; n < nr && !t->killed; n++) {
		u64 addr;

		r = copy_in(t, &addr, gaddr_add(arg_addr(a, 2), (u64)n * sizeof(addr)), sizeof(addr));
		if (r == 0)
			r = submit_one(t, ring, GADDR(addr));
		if (r < 0)
			break;
	}
	return n ? n : r;
}

long sys_io_cancel(struct task *t, const struct sysargs *a)
{
	auto_aio *ring = NULL;
	u32 key;
	int r;

	r = copy_in(t, &key, gaddr_add(arg_addr(a, 1), offsetof(struct iocb, aio_key)), sizeof(key));
	if (r < 0)
		return r;
	if (key)
		return -EINVAL;
	ring = aio_find(t, arg_addr(a, 0));
	return ring ? aio_cancel(ring, arg_addr(a, 1).v) : -EINVAL;
}

/* ---- fetching ---- */

/* Unlike other timeouts: one that makes no sense is one in the past. */
static int deadline_arg(struct task *t, gaddr_t addr, ktime_t *ret)
{
	struct timespec ts;
	int r;

	*ret = KTIME_MAX;
	if (!addr.v)
		return 0;
	r = copy_in(t, &ts, addr, sizeof(ts));
	if (r < 0)
		return r;
	if (ts.tv_sec < 0 || (ts.tv_sec == 0 && ts.tv_nsec <= 0))
		*ret = 0;
	else if (ts.tv_sec < KTIME_MAX / 1000000000)
		*ret = ktime_add(ktime_mono(t->kernel), ktime_add(ts.tv_sec * 1000000000, ts.tv_nsec));
	return 0;
}

static long do_fetch(struct task *t, const struct sysargs *a, ktime_t deadline)
{
	auto_aio *ring = aio_find(t, arg_addr(a, 0));
	long min = arg_long(a, 1), max = arg_long(a, 2);

	if (!ring || min < 0 || min > max)
		return -EINVAL;
	return aio_fetch(t, ring, min, max, arg_addr(a, 3), deadline);
}

long sys_io_getevents(struct task *t, const struct sysargs *a)
{
	ktime_t deadline;
	long r = deadline_arg(t, arg_addr(a, 4), &deadline);

	if (r == 0)
		r = do_fetch(t, a, deadline);
	return r == -ERESTARTSYS ? -EINTR : r;
}

long sys_io_pgetevents(struct task *t, const struct sysargs *a)
{
	struct { gaddr_t set; u64 size; } sig = { GADDR(0), 0 };
	ktime_t deadline;
	long r = deadline_arg(t, arg_addr(a, 4), &deadline);

	if (r == 0 && arg_addr(a, 5).v)
		r = copy_in(t, &sig, arg_addr(a, 5), sizeof(sig));
	if (r == 0)
		r = sigset_arg_use(t, sig.set, sig.size);
	if (r == 0)
		r = do_fetch(t, a, deadline);
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}
