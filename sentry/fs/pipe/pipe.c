/*
 * pipe.c - pipes and FIFOs (pipe(7), fifo(7)).
 *
 * A pipe is a ring of bytes, and beside it a ring of slots which says what Linux's pages would hold of
 * them: room is counted in slots.  The odd part of a write joins the last slot if it fits
 * there whole; all else begins new slots, each of a page at most.  So a write of at most PIPE_BUF bytes goes in whole or
 * not at all, and there are never more bytes than slots' pages.  A slot that an O_DIRECT writer filled is a packet.
 * Reads and writes move what they can and say -EAGAIN when that
 * is nothing; sleeping is vfs's (FILE_WRITE_ALL: a blocking write goes on).
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
#define SLOT         4096u

struct slot {
	u16 len;                        /* bytes still in it: never 0 */
	u16 end;                        /* how far its page is filled: what was read gives no room back */
	bool packet;
};

struct pipe {
	struct ref ref;
	struct mutex mu;                /* RANK_FILE */
	u8 *ring GUARDED_BY(mu);        /* allocated by the first write */
	u32 size, head, used;           /* guarded by mu: capacity, first byte, bytes */
	u32 readers, writers;           /* guarded by mu: open ends */
	u32 opened_r, opened_w;         /* guarded by mu: counts of opens ever, for FIFO openers */
	struct slot *slots;             /* guarded by mu: a ring of size / SLOT, allocated with that of bytes */
	u32 first, nslots;              /* guarded by mu: those in use */
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
	kfree(pp->slots);
	kfree(pp);
}

/* ---- the rings ---- */

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

static u32 slots_of(const struct pipe *pp) { return pp->size / SLOT; }

static struct slot *slot_at(const struct pipe *pp, u32 i)
{
	return &pp->slots[(pp->first + i) & (slots_of(pp) - 1)];
}

static void drop_head_locked(struct pipe *pp, u32 n)
{
	pp->head = (pp->head + n) % pp->size;
	pp->used -= n;
	if (pp->used == 0)
		pp->head = 0;
	while (n > 0) {
		struct slot *s = slot_at(pp, 0);
		u32 part = MIN(n, (u32)s->len);

		s->len = (u16)(s->len - part);
		n -= part;
		if (s->len > 0)
			break;
		pp->first = (pp->first + 1) & (slots_of(pp) - 1);
		pp->nslots--;
	}
}

/* ---- reading ---- */

/* What one read may take, and what goes with it: a packet ends it, and the part of it that does not fit is lost, as pipe(2) says. */
static u32 readable_locked(const struct pipe *pp, size_t room, u32 *ret_lost)
{
	u32 n = 0;

	*ret_lost = 0;
	for (u32 i = 0; i < pp->nslots && n < room; i++) {
		const struct slot *s = slot_at(pp, i);
		u32 part = (u32)MIN(room - n, (size_t)s->len);

		n += part;
		if (s->packet) {
			*ret_lost = s->len - part;
			break;
		}
	}
	return n;
}

static ssize_t pipe_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct pipe *pp = pipe_of(f);
	u32 want, lost;
	ssize_t n;

	(void)t;
	(void)pos;
	if (b->left == 0)
		return 0;
	mutex_lock(&pp->mu);
	if (pp->used == 0) {
		n = pp->writers > 0 ? -EAGAIN : 0;
		/* A FIFO opened without a writer yet reads as end of file, not as "wait". */
	} else {
		want = readable_locked(pp, b->left, &lost);
		n = ring_out_locked(pp, b, want);
		if (n > 0)
			drop_head_locked(pp, (u32)n + ((u32)n == want ? lost : 0));
	}
	mutex_unlock(&pp->mu);
	if (n > 0)
		waitq_wake(&pp->wq, POLLOUT | POLLWRNORM | ASYNC_OUT);
	return n;
}

/* ---- writing ---- */

static int prepare_locked(struct pipe *pp)
{
	if (pp->ring)
		return 0;
	pp->slots = kbuf_array(slots_of(pp), sizeof(*pp->slots));
	pp->ring = pp->slots ? kbuf_alloc(pp->size) : NULL;
	if (pp->ring)
		return 0;
	kfree(pp->slots);
	pp->slots = NULL;
	return -ENOMEM;
}

/* @n bytes came in behind used. */
static void fill_slots_locked(struct pipe *pp, u32 n, bool packet)
{
	pp->used += n;
	while (n > 0) {
		u32 part = MIN(n, SLOT);

		*slot_at(pp, pp->nslots++) = (struct slot){ .len = (u16)part, .end = (u16)part, .packet = packet };
		n -= part;
	}
}

static ssize_t write_locked(struct pipe *pp, struct iobuf *b, bool packet)
{
	u32 odd = (u32)(b->left % SLOT), want, pages;
	struct slot *last = pp->nslots ? slot_at(pp, pp->nslots - 1) : NULL;
	ssize_t n;
	int r;

	if (!last || last->packet || last->end + odd > SLOT)
		odd = 0;
	pages = (slots_of(pp) - pp->nslots) * SLOT;
	want = odd + (u32)MIN(b->left - odd, (size_t)pages);
	if (want == 0)
		return -EAGAIN;
	r = prepare_locked(pp);
	if (r < 0)
		return r;
	n = ring_in_locked(pp, b, want);
	if (n > 0 && (u32)n < want)
		n = (u32)n < odd ? 0 : odd + ALIGN_DOWN((u32)n - odd, SLOT);    /* a page that faulted is not there */
	if (n <= 0)
		return n < 0 ? n : -EFAULT;
	if (odd) {
		last->len = (u16)(last->len + odd);
		last->end = (u16)(last->end + odd);
		pp->used += odd;
	}
	fill_slots_locked(pp, (u32)n - odd, packet);
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
		if (pp->nslots < slots_of(pp))
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

/* What is in @pp, from the beginning of the new rings. */
static void move_locked(struct pipe *pp, u8 *ring, struct slot *slots)
{
	u32 at = 0;

	while (at < pp->used) {
		u32 from = (pp->head + at) % pp->size;
		u32 part = run_at(pp, from, pp->used - at);

		memcpy(ring + at, pp->ring + from, part);
		at += part;
	}
	for (u32 i = 0; i < pp->nslots; i++)
		slots[i] = *slot_at(pp, i);
}

int pipe_set_size(struct task *t, struct file *f, u32 want)
{
	struct pipe *pp = pipe_of(f);
	u32 size = SLOT;
	struct slot *slots;
	int r = 0;
	u8 *ring;

	if (want > 1u << 31)
		return -EINVAL;
	if (want > PIPE_MAX && want > (u32)pipe_get_size(f) && !capable(t, CAP_SYS_RESOURCE))
		return -EPERM;
	if (want > PIPE_LIMIT)
		return -ENOMEM;
	while (size < want)
		size *= 2;
	ring = kbuf_alloc(size);
	slots = ring ? kbuf_array(size / SLOT, sizeof(*slots)) : NULL;
	mutex_lock(&pp->mu);
	if (!slots) {
		r = -ENOMEM;
	} else if (pp->nslots > size / SLOT) {
		r = -EBUSY;
	} else {
		u8 *old_ring = pp->ring;
		struct slot *old_slots = pp->slots;

		move_locked(pp, ring, slots);
		pp->ring = ring;
		pp->slots = slots;
		pp->head = pp->first = 0;
		pp->size = size;
		ring = old_ring;
		slots = old_slots;
	}
	mutex_unlock(&pp->mu);
	kfree(ring);
	kfree(slots);
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
	u32 lost;
	ssize_t r;

	iobuf_kernel(&b, buf, n);
	mutex_lock(&pp->mu);
	if (pp->used == 0)
		r = pp->writers > 0 ? -EAGAIN : 0;
	else
		r = ring_out_locked(pp, &b, readable_locked(pp, n, &lost));
	mutex_unlock(&pp->mu);
	return r;
}

/* Nothing is lost of a packet that was taken in part. */
void pipe_drop(struct file *f, size_t n)
{
	struct pipe *pp = pipe_of(f);

	mutex_lock(&pp->mu);
	drop_head_locked(pp, (u32)MIN(n, (size_t)pp->used));
	mutex_unlock(&pp->mu);
	waitq_wake(&pp->wq, POLLOUT | POLLWRNORM | ASYNC_OUT);
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
	n = (size_t)(slots_of(pp) - pp->nslots) * SLOT;
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
