/*
 * pipe.c - pipes and FIFOs (pipe(7), fifo(7)).
 *
 * A pipe is a ring of bytes, plus the length of each packet while an O_DIRECT
 * writer made some.  Reads and writes move what they can and say -EAGAIN when that
 * is nothing; sleeping is vfs's (FILE_WRITE_ALL: a blocking write goes on).  A write
 * of at most PIPE_BUF bytes goes in whole or not at all.
 *
 * Life:  both ends, and for a FIFO its inode's users, share the pipe: each open
 *        file holds a reference.  A FIFO's pipe exists while it is open anywhere.
 * Locks: pp->mu (RANK_FILE) guards everything; inode->mu guards inode->fifo.
 *        Wake-ups and signals are sent after it was dropped.
 */
#include "sentry/fs/pipe/pipe.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <limits.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/fasync.h"

#define PIPE_DEFAULT (64u << 10)
#define PIPE_MAX     (1u << 20)         /* without CAP_SYS_RESOURCE */
#define PIPE_LIMIT   (64u << 20)
#define PACKETS_MAX  4096u

struct pipe {
	struct ref ref;
	struct mutex mu;                /* RANK_FILE */
	u8 *ring GUARDED_BY(mu);        /* allocated by the first write */
	u32 size, head, used;           /* guarded by mu: capacity, first byte, bytes */
	u32 readers, writers;           /* guarded by mu: open ends */
	u32 opened_r, opened_w;         /* guarded by mu: counts of opens ever, for FIFO openers */
	u32 *packets;                   /* guarded by mu: lengths, a ring of PACKETS_MAX; NULL: bytes only */
	u32 pk_head, pk_n;              /* guarded by mu */
	struct waitq wq;
};

struct pipe_file {
	struct file f;
	struct pipe *pp;                /* a reference */
};

static struct pipe *pipe_of(const struct file *f)
{
	return container_of(f, struct pipe_file, f)->pp;
}

static bool can_read(const struct file *f) { return (f->flags & O_ACCMODE) != O_WRONLY; }
static bool can_write(const struct file *f) { return (f->flags & O_ACCMODE) != O_RDONLY; }

static struct pipe *pipe_alloc(void)
{
	struct pipe *pp = knew(struct pipe);

	if (!pp)
		return NULL;
	ref_init(&pp->ref);
	mutex_init(&pp->mu, RANK_FILE);
	waitq_init(&pp->wq);
	pp->size = PIPE_DEFAULT;
	return pp;
}

static void pipe_unref(struct pipe *pp)
{
	if (!pp || !ref_put(&pp->ref))
		return;
	kfree(pp->ring);
	kfree(pp->packets);
	kfree(pp);
}

/* ---- the ring ---- */

/* Bytes that lie in one piece from ring offset @at. */
static u32 run_at(const struct pipe *pp, u32 at, u32 n)
{
	return MIN(n, pp->size - at);
}

static ssize_t ring_out_locked(struct pipe *pp, struct iobuf *b, u32 n)
{
	u32 done = 0;

	while (done < n) {
		u32 at = (pp->head + done) % pp->size;
		u32 part = run_at(pp, at, n - done);
		ssize_t r = iobuf_put(b, pp->ring + at, part);

		if (r <= 0)
			return done > 0 ? (ssize_t)done : r;
		done += (u32)r;
		if ((u32)r < part)
			break;
	}
	return (ssize_t)done;
}

/* Bytes are taken from the writer's memory but not yet visible: the caller adds to used. */
static ssize_t ring_in_locked(struct pipe *pp, struct iobuf *b, u32 n)
{
	u32 done = 0;

	while (done < n) {
		u32 at = (u32)(((u64)pp->head + pp->used + done) % pp->size);
		u32 part = run_at(pp, at, n - done);
		ssize_t r = iobuf_get(b, pp->ring + at, part);

		if (r <= 0)
			return done > 0 ? (ssize_t)done : r;
		done += (u32)r;
		if ((u32)r < part)
			break;
	}
	return (ssize_t)done;
}

static void drop_head_locked(struct pipe *pp, u32 n)
{
	pp->head = (pp->head + n) % pp->size;
	pp->used -= n;
	if (pp->used == 0)
		pp->head = 0;
}

/* ---- reading ---- */

static u32 packet_at(const struct pipe *pp)
{
	return pp->packets[pp->pk_head];
}

/* One packet: what does not fit is lost, as pipe(2) says. */
static ssize_t read_packet_locked(struct pipe *pp, struct iobuf *b)
{
	u32 len = packet_at(pp);
	ssize_t r = ring_out_locked(pp, b, (u32)MIN((size_t)len, b->left));

	if (r < 0)
		return r;
	drop_head_locked(pp, len);
	pp->pk_head = (pp->pk_head + 1) % PACKETS_MAX;
	pp->pk_n--;
	return r;
}

/* Bytes written before the first packet are plain. */
static u32 plain_bytes_locked(const struct pipe *pp)
{
	u64 packed = 0;

	if (!pp->packets)
		return pp->used;
	for (u32 i = 0; i < pp->pk_n; i++)
		packed += pp->packets[(pp->pk_head + i) % PACKETS_MAX];
	return pp->used - (u32)packed;
}

static ssize_t pipe_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct pipe *pp = pipe_of(f);
	ssize_t n;

	(void)t;
	(void)pos;
	if (b->left == 0)
		return 0;
	mutex_lock(&pp->mu);
	if (pp->used == 0) {
		n = pp->writers > 0 ? -EAGAIN : 0;
		/* A FIFO opened without a writer yet reads as end of file, not as "wait". */
	} else if (pp->pk_n > 0 && plain_bytes_locked(pp) == 0) {
		n = read_packet_locked(pp, b);
	} else {
		n = ring_out_locked(pp, b, (u32)MIN((size_t)plain_bytes_locked(pp), b->left));
		if (n > 0)
			drop_head_locked(pp, (u32)n);
	}
	mutex_unlock(&pp->mu);
	if (n > 0)
		waitq_wake(&pp->wq, POLLOUT | POLLWRNORM | ASYNC_OUT);
	return n;
}

/* ---- writing ---- */

static int prepare_locked(struct pipe *pp, bool packet)
{
	if (!pp->ring) {
		pp->ring = kbuf_alloc(pp->size);
		if (!pp->ring)
			return -ENOMEM;
	}
	if (packet && !pp->packets) {
		pp->packets = kbuf_array(PACKETS_MAX, sizeof(u32));
		if (!pp->packets)
			return -ENOMEM;
	}
	return 0;
}

static ssize_t write_locked(struct pipe *pp, struct iobuf *b, bool packet)
{
	u32 room = pp->size - pp->used;
	size_t want = b->left;
	ssize_t n;
	int r;

	if (packet)
		want = MIN(want, (size_t)PIPE_BUF);
	if (room == 0 || (want <= PIPE_BUF && room < want))
		return -EAGAIN;
	/* Plain bytes may not follow packets in the ring: wait until those are read. */
	if (packet ? pp->pk_n == PACKETS_MAX : pp->pk_n > 0)
		return -EAGAIN;
	r = prepare_locked(pp, packet);
	if (r < 0)
		return r;
	n = ring_in_locked(pp, b, (u32)MIN(want, (size_t)room));
	if (n <= 0)
		return n;
	pp->used += (u32)n;
	if (packet) {
		pp->packets[(pp->pk_head + pp->pk_n) % PACKETS_MAX] = (u32)n;
		pp->pk_n++;
	}
	return n;
}

static ssize_t pipe_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	bool packets = file_flags(f) & O_DIRECT;
	struct pipe *pp = pipe_of(f);
	ssize_t n;

	(void)pos;
	if (b->left == 0)
		return 0;
	mutex_lock(&pp->mu);
	n = pp->readers == 0 ? -EPIPE : write_locked(pp, b, packets);
	/* More than one packet holds becomes several. */
	for (ssize_t more = n; packets && more > 0 && b->left > 0;) {
		more = write_locked(pp, b, true);
		n += MAX(more, 0);
	}
	mutex_unlock(&pp->mu);
	if (n == -EPIPE)
		signal_send_task(t, SIGPIPE, NULL);
	if (n > 0)
		waitq_wake(&pp->wq, POLLIN | POLLRDNORM | ASYNC_IN);
	return n;
}

/* ---- the rest ---- */

static u32 pipe_poll(struct file *f)
{
	struct pipe *pp = pipe_of(f);
	u32 ev = 0;

	mutex_lock(&pp->mu);
	if (can_read(f)) {
		if (pp->used > 0)
			ev |= POLLIN | POLLRDNORM;
		if (pp->writers == 0 && (pp->opened_w > 0 || !f->inode))
			ev |= POLLHUP;
	}
	if (can_write(f)) {
		if (pp->used < pp->size && pp->size - pp->used >= PIPE_BUF)
			ev |= POLLOUT | POLLWRNORM;
		if (pp->readers == 0)
			ev |= POLLERR;
	}
	mutex_unlock(&pp->mu);
	return ev;
}

static long pipe_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct pipe *pp = pipe_of(f);
	int n;

	if (cmd != 0x541b)      /* FIONREAD */
		return -ENOTTY;
	mutex_lock(&pp->mu);
	n = (int)pp->used;
	mutex_unlock(&pp->mu);
	return copy_out(t, arg, &n, sizeof(n));
}

/* One open end, @i its FIFO or NULL, is gone. */
static NO_TSA void leave(struct pipe *pp, struct inode *i, u32 flags)
{
	bool one_sided;

	if (i)
		mutex_lock(&i->mu);
	mutex_lock(&pp->mu);
	if ((flags & O_ACCMODE) != O_WRONLY)
		pp->readers--;
	if ((flags & O_ACCMODE) != O_RDONLY)
		pp->writers--;
	if (pp->readers == 0 && pp->writers == 0 && i && i->fifo == pp)
		i->fifo = NULL;         /* what was not read is gone */
	one_sided = !pp->readers != !pp->writers;
	mutex_unlock(&pp->mu);
	if (i)
		mutex_unlock(&i->mu);
	if (one_sided)
		waitq_wake(&pp->wq, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLHUP | POLLERR | ASYNC_IN | ASYNC_OUT);
}

static void pipe_release(struct file *f)
{
	struct pipe_file *pf = container_of(f, struct pipe_file, f);
	struct pipe *pp = pf->pp;

	leave(pp, f->inode, f->flags);
	file_done(f);
	pipe_unref(pp);
	kfree(pf);
}

static int pipe_reopen(struct task *t, struct file *f, u32 flags, struct file **ret);

static const struct file_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.reopen = pipe_reopen,
	.release = pipe_release,
};

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}

int pipe_get_size(struct file *f)
{
	struct pipe *pp = pipe_of(f);
	int n;

	mutex_lock(&pp->mu);
	n = (int)pp->size;
	mutex_unlock(&pp->mu);
	return n;
}

int pipe_set_size(struct task *t, struct file *f, u32 want)
{
	struct pipe *pp = pipe_of(f);
	u32 size = 4096, at = 0;
	int r = 0;
	u8 *ring;

	if (want > PIPE_LIMIT)
		return -EINVAL;
	while (size < want)
		size *= 2;
	if (size > PIPE_MAX && !capable(t, CAP_SYS_RESOURCE))
		return -EPERM;
	ring = kbuf_alloc(size);
	if (!ring)
		return -ENOMEM;
	mutex_lock(&pp->mu);
	if (pp->used > size) {
		r = -EBUSY;
	} else {
		while (at < pp->used) {
			u32 from = (pp->head + at) % pp->size;
			u32 part = run_at(pp, from, pp->used - at);

			memcpy(ring + at, pp->ring + from, part);
			at += part;
		}
		kfree(pp->ring);
		pp->ring = ring;
		pp->head = 0;
		pp->size = size;
		ring = NULL;
	}
	mutex_unlock(&pp->mu);
	kfree(ring);
	if (r < 0)
		return r;
	waitq_wake(&pp->wq, POLLOUT | POLLWRNORM);
	return (int)size;
}

/* Copy without taking: tee(2) and splice between pipes. */
ssize_t pipe_peek(struct file *f, void *buf, size_t n)
{
	struct pipe *pp = pipe_of(f);
	struct iobuf b;
	ssize_t r;

	iobuf_kernel(&b, buf, n);
	mutex_lock(&pp->mu);
	if (pp->used == 0)
		r = pp->writers > 0 ? -EAGAIN : 0;
	else
		r = ring_out_locked(pp, &b, (u32)MIN((size_t)pp->used, n));
	mutex_unlock(&pp->mu);
	return r;
}

bool pipe_is_same(struct file *a, struct file *b)
{
	return file_is_pipe(a) && file_is_pipe(b) && pipe_of(a) == pipe_of(b);
}

size_t pipe_room(struct file *f)
{
	struct pipe *pp = pipe_of(f);
	size_t n;

	mutex_lock(&pp->mu);
	n = pp->size - pp->used;
	mutex_unlock(&pp->mu);
	return n;
}

/* ---- making ---- */

static struct pipe_file *end_new(struct task *t, struct pipe *pp, const struct path *p, struct inode *i,
                                 u32 flags)
{
	struct pipe_file *pf = knew(struct pipe_file);

	if (!pf)
		return NULL;
	file_init(&pf->f, &pipe_ops, flags, FILE_STREAM | FILE_WRITE_ALL | FILE_ASYNC, p, i, task_cred(t));
	pf->f.wq = &pp->wq;
	pf->pp = pp;
	ref_get(&pp->ref);
	return pf;
}

int pipe_create(struct task *t, u32 flags, struct file **ret_read, struct file **ret_write)
{
	struct pipe *pp = pipe_alloc();
	struct pipe_file *rd, *wr;
	u64 ino = kernel_next_ino(t->kernel);

	if (!pp)
		return -ENOMEM;
	flags &= O_NONBLOCK | O_DIRECT;
	rd = end_new(t, pp, NULL, NULL, O_RDONLY | flags);
	if (rd)
		pp->readers = 1;
	wr = rd ? end_new(t, pp, NULL, NULL, O_WRONLY | flags) : NULL;
	if (wr)
		pp->writers = pp->opened_r = pp->opened_w = 1;
	pipe_unref(pp);
	if (!wr) {
		if (rd)
			file_unref(&rd->f);
		return -ENOMEM;
	}
	rd->f.anon_name = wr->f.anon_name = "pipe:";
	rd->f.anon_ino = wr->f.anon_ino = ino;
	*ret_read = &rd->f;
	*ret_write = &wr->f;
	return 0;
}

/* A pipe(2) pipe opened through /proc/PID/fd: one more end of it, in the direction asked for. */
static int pipe_reopen(struct task *t, struct file *f, u32 flags, struct file **ret)
{
	struct pipe *pp = pipe_of(f);
	struct pipe_file *pf = end_new(t, pp, NULL, NULL, flags);

	if (!pf)
		return -ENOMEM;
	mutex_lock(&pp->mu);
	if ((flags & O_ACCMODE) != O_WRONLY)
		pp->readers++;
	if ((flags & O_ACCMODE) != O_RDONLY)
		pp->writers++;
	mutex_unlock(&pp->mu);
	pf->f.anon_name = f->anon_name;
	pf->f.anon_ino = f->anon_ino;
	*ret = &pf->f;
	return 0;
}

/* The FIFO's pipe with this opener counted in, or NULL. */
static struct pipe *fifo_join(struct inode *i, u32 flags)
{
	struct pipe *pp;

	mutex_lock(&i->mu);
	pp = i->fifo;
	if (pp)
		ref_get(&pp->ref);
	else
		pp = i->fifo = pipe_alloc();
	if (pp) {
		mutex_lock(&pp->mu);
		if ((flags & O_ACCMODE) != O_WRONLY) {
			pp->readers++;
			pp->opened_r++;
		}
		if ((flags & O_ACCMODE) != O_RDONLY) {
			pp->writers++;
			pp->opened_w++;
		}
		mutex_unlock(&pp->mu);
	}
	mutex_unlock(&i->mu);
	return pp;
}

/* Wait until the other side was opened since @seen. */
static int wait_partner(struct task *t, struct pipe *pp, bool for_writer, u32 seen)
{
	struct task_waiter tw;
	int r = 0;

	task_waiter_init(&tw, t, POLLIN | POLLOUT | POLLHUP | POLLERR);
	waitq_add(&pp->wq, &tw.w);
	for (;;) {
		bool there;

		mutex_lock(&pp->mu);
		there = for_writer ? pp->writers > 0 || pp->opened_w != seen : pp->readers > 0 || pp->opened_r != seen;
		mutex_unlock(&pp->mu);
		if (there)
			break;
		r = task_sleep(t, KTIME_MAX);
		if (r < 0)
			break;
	}
	waitq_del(&pp->wq, &tw.w);
	return r;
}

int fifo_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	u32 acc = flags & O_ACCMODE, seen_r, seen_w;
	struct pipe *pp;
	struct pipe_file *pf;
	bool readers, writers;
	int r = 0;

	if (acc != O_RDONLY && acc != O_WRONLY && acc != O_RDWR)
		return -EINVAL;
	pp = fifo_join(i, flags);
	if (!pp)
		return -ENOMEM;
	pf = end_new(t, pp, p, i, flags);
	if (!pf) {
		leave(pp, i, flags);
		pipe_unref(pp);
		return -ENOMEM;
	}
	mutex_lock(&pp->mu);
	readers = pp->readers > 0;
	writers = pp->writers > 0;
	seen_r = pp->opened_r;
	seen_w = pp->opened_w;
	mutex_unlock(&pp->mu);
	waitq_wake(&pp->wq, POLLIN | POLLOUT | POLLHUP | POLLERR);
	if (acc == O_WRONLY && !readers)
		r = flags & O_NONBLOCK ? -ENXIO : wait_partner(t, pp, false, seen_r);
	else if (acc == O_RDONLY && !writers && !(flags & O_NONBLOCK))
		r = wait_partner(t, pp, true, seen_w);
	pipe_unref(pp);
	if (r < 0) {
		file_unref(&pf->f);
		return r;
	}
	*ret = &pf->f;
	return 0;
}
