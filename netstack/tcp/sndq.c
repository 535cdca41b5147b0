/*
 * sndq.c - bytes that wait to be sent or acknowledged.
 *
 * A list of chunks, each a part of a block; segments refer to the same blocks,
 * so data is copied once, from the caller.  Blocks are filled without the
 * lock, then appended; small writes are gathered in the last block.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/tcp/tcp.h"

#define SMALL_WRITE  2048u
#define FILL_BLOCKS  4                  /* of the caller's bytes copied at a time */
#define ROUND_MAX    (256u * 1024)      /* reserved and copied at a time */

static u32 queued(const struct tcp_ep *t) { return t->write_seq - t->snd_una; }

u32 sndq_space(const struct tcp_ep *t)
{
	u32 used = queued(t) + t->reserved;

	return used < t->ep.o.sndbuf ? t->ep.o.sndbuf - used : 0;
}

static void append(struct tcp_ep *t, struct chunk *c)
{
	c->seq = t->write_seq;
	t->write_seq += c->len;
	list_add_tail(&c->node, &t->chunks);
}

/* Put a small write behind the last bytes, when nobody else can own that room. */
static u32 append_small(struct tcp_ep *t, const u8 *d, u32 n)
{
	struct chunk *c = list_empty(&t->chunks) ? NULL : list_last(&t->chunks, struct chunk, node);
	u32 room, k;

	if (c && !c->eor && c->off + c->len == c->b->used) {
		room = c->b->cap - c->b->used;
		k = MIN(room, n);
		memcpy(c->b->data + c->b->used, d, k);
		c->b->used += k;
		c->len += k;
		t->write_seq += k;
		return k;
	}
	return 0;
}

static int append_copy(struct tcp_ep *t, const u8 *d, u32 n)
{
	u32 k = append_small(t, d, n);
	struct chunk *c;

	if (k == n)
		return 0;
	c = knew(struct chunk);
	if (!c)
		return -ENOMEM;
	c->b = pblock_new(t->ep.stack->pool, queued(t) > 8192 ? PBLOCK_MID_CAP : n - k);
	if (!c->b) {
		kfree(c);
		return -ENOMEM;
	}
	memcpy(c->b->data, d + k, n - k);
	c->len = c->b->used = n - k;
	append(t, c);
	return 0;
}

u32 sndq_gather(struct tcp_ep *t, struct pktbuf *p, u32 seq, u32 len)
{
	struct chunk *c = t->cursor;
	u32 got = 0;

	if (!c || seq_lt(seq, c->seq))
		c = list_first(&t->chunks, struct chunk, node);
	for (; &c->node != &t->chunks && got < len; c = list_entry(c->node.next, struct chunk, node)) {
		u32 skip = seq + got - c->seq, n;

		if (skip >= c->len)
			continue;
		n = MIN(len - got, c->len - skip);
		if (!pkt_add_frag(p, c->b, c->off + skip, n))
			break;
		got += n;
		t->cursor = c;
	}
	return got;
}

u32 sndq_record(const struct tcp_ep *t, u32 seq, u32 len)
{
	struct chunk *c = t->cursor;

	if (!c || seq_lt(seq, c->seq))
		c = list_first(&t->chunks, struct chunk, node);
	for (; &c->node != &t->chunks && seq_lt(c->seq, seq + len);
	     c = list_entry(c->node.next, struct chunk, node))
		if (c->eor && seq_gt(c->seq + c->len, seq))
			return MIN(len, c->seq + c->len - seq);
	return len;
}

u32 tcp_notsent_lowat(const struct tcp_ep *t)
{
	return t->notsent_lowat ? t->notsent_lowat : (u32)t->ep.stack->sysctl.tcp_notsent[0];
}

/* What TCP_NOTSENT_LOWAT leaves room for: one piece of half a window is always let in whole. */
static u32 notsent_room(const struct tcp_ep *t)
{
	u32 unsent = t->write_seq + t->reserved - t->snd_nxt;
	u32 goal = MAX(MIN(t->max_wnd / 2, 65000u) / MAX(t->mss, 1) * t->mss, (u32)t->mss);

	if (tcp_notsent_lowat(t) == UINT32_MAX)
		return UINT32_MAX;
	if (unsent < goal)
		return goal - unsent;
	return unsent < tcp_notsent_lowat(t) ? goal : 0;
}

void sndq_ack(struct tcp_ep *t, u32 una)
{
	while (!list_empty(&t->chunks)) {
		struct chunk *c = list_first(&t->chunks, struct chunk, node);
		u32 n = una - c->seq;

		if (seq_le(una, c->seq))
			return;
		if (n < c->len) {
			c->off += n;
			c->len -= n;
			c->seq = una;
			return;
		}
		if (t->cursor == c)
			t->cursor = NULL;
		list_del_init(&c->node);
		pblock_unref(c->b);
		kfree(c);
	}
}

void zc_done(struct tcp_ep *t, u32 una)
{
	while (!list_empty(&t->zc)) {
		struct zc_wait *z = list_first(&t->zc, struct zc_wait, node);

		if (seq_gt(z->end, una))
			return;
		list_del_init(&z->node);
		errq_zerocopy(&t->ep, z->id);
		kfree(z);
	}
}

/* A MSG_ZEROCOPY send took its last byte: it is numbered, and told of once acknowledged. */
void zc_note(struct tcp_ep *t, const struct net_msg *m)
{
	struct zc_wait *z;

	if (!(m->flags & MSG_ZEROCOPY) || !t->ep.o.zerocopy)
		return;
	z = knew(struct zc_wait);
	if (!z) {
		errq_zerocopy(&t->ep, t->zc_next++);
		return;
	}
	z->end = t->write_seq;
	z->id = t->zc_next++;
	list_add_tail(&z->node, &t->zc);
	zc_done(t, t->snd_una);
}

void sndq_purge(struct tcp_ep *t)
{
	struct chunk *c, *n;

	list_for_each_safe(c, n, &t->chunks, node) {
		list_del_init(&c->node);
		pblock_unref(c->b);
		kfree(c);
	}
	t->cursor = NULL;
}

/* May this connection take bytes? 1 yes, 0 not yet, or -errno. */
static int can_send(struct tcp_ep *t)
{
	if (t->ep.err)
		return ep_take_err(&t->ep);
	if (t->ep.shut & 2)
		return -EPIPE;
	if (t->state == TCPS_SYN_SENT || (t->state == TCPS_SYN_RECV && !t->fo.child))
		return 0;
	if (t->fo.child && t->state == TCPS_SYN_RECV)
		return 1;
	return in_states(t, STATES_CAN_SEND) ? 1 : -EPIPE;
}

/* Take room in the queue: bytes, 0 when full, or -errno. */
static ssize_t reserve(struct tcp_ep *t, size_t want)
{
	ssize_t r;

	mutex_lock(&t->ep.mu);
	r = can_send(t);
	if (r > 0) {
		r = (ssize_t)MIN(MIN(want, (size_t)sndq_space(t)), (size_t)ROUND_MAX);
		r = (ssize_t)MIN((size_t)r, (size_t)notsent_room(t));
		t->reserved += (u32)r;
	}
	if (r == 0)
		t->ep.nospace = true;
	mutex_unlock(&t->ep.mu);
	return r;
}

/* Empty blocks for the caller's @n bytes, as chunks; how many of the bytes fit. */
static size_t room_for(struct tcp_ep *t, size_t n, struct list_head *out, struct iovec *v, size_t *ret_n)
{
	size_t room = 0;

	for (*ret_n = 0; room < n && *ret_n < FILL_BLOCKS; ++*ret_n) {
		struct chunk *c = knew(struct chunk);
		size_t k = MIN(n - room, (size_t)PBLOCK_BIG_CAP);

		if (c)
			c->b = pblock_new(t->ep.stack->pool, k);
		if (!c || !c->b) {
			kfree(c);
			break;
		}
		c->len = c->b->used = (u32)k;
		v[*ret_n] = (struct iovec){ c->b->data, k };
		list_add_tail(&c->node, out);
		room += k;
	}
	return room;
}

/* The last @n bytes of the chunks were not filled. */
static void unfilled(struct list_head *out, size_t n)
{
	while (n) {
		struct chunk *c = list_last(out, struct chunk, node);
		u32 k = (u32)MIN(n, (size_t)c->len);

		n -= k;
		c->len -= k;
		c->b->used -= k;
		if (c->len)
			return;
		list_del_init(&c->node);
		pblock_unref(c->b);
		kfree(c);
	}
}

/* Blocks filled with the caller's bytes; what was copied before a fault counts. */
ssize_t sndq_fill(struct tcp_ep *t, struct net_io *io, size_t n, struct list_head *out)
{
	struct iovec v[FILL_BLOCKS];
	size_t done = 0, room, got, k;

	while (done < n) {
		room = room_for(t, n - done, out, v, &k);
		if (!room)
			return done ? (ssize_t)done : -ENOMEM;
		if (k > 1 && io->copy_pieces)
			got = io->copy_pieces(io, v, k);
		else
			for (got = 0; k && io->copy(io, v[got / PBLOCK_BIG_CAP].iov_base, v[got / PBLOCK_BIG_CAP].iov_len) == 0; k--)
				got += v[got / PBLOCK_BIG_CAP].iov_len;
		done += got;
		unfilled(out, room - got);
		if (got < room)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

void sndq_drop(struct list_head *l)
{
	struct chunk *c, *n;

	list_for_each_safe(c, n, l, node) {
		pblock_unref(c->b);
		kfree(c);
	}
}

void sndq_append(struct tcp_ep *t, struct list_head *l)
{
	struct chunk *c;

	while (!list_empty(l)) {
		c = list_first(l, struct chunk, node);
		list_del_init(&c->node);
		append(t, c);
	}
}

/* One reserved stretch: copy, append, send.  Bytes or -errno. */
static ssize_t send_round(struct tcp_ep *t, struct net_msg *m, size_t n, bool last)
{
	u8 small[SMALL_WRITE];
	struct list_head l;
	ssize_t r;

	list_init(&l);
	if (n <= SMALL_WRITE)
		r = m->io->copy(m->io, small, n) < 0 ? -EFAULT : (ssize_t)n;
	else
		r = sndq_fill(t, m->io, n, &l);
	mutex_lock(&t->ep.mu);
	t->reserved -= (u32)n;
	if (r > 0) {
		int ok = can_send(t);

		if (ok <= 0)
			r = ok < 0 ? ok : -EPIPE;
	}
	if (r > 0 && n <= SMALL_WRITE) {
		int e = append_copy(t, small, (u32)n);

		if (e < 0)
			r = e;
	} else if (r > 0) {
		sndq_append(t, &l);
	}
	if (r > 0) {
		if (last || (m->flags & MSG_DONTWAIT))
			zc_note(t, m);
		if (t->ep.o.tsflags && (last || (m->flags & MSG_DONTWAIT)))
			ts_note(t);
		if ((m->flags & MSG_EOR) && last && !list_empty(&t->chunks)) {
			list_last(&t->chunks, struct chunk, node)->eor = true;
			t->has_eor = true;
		}
		if ((m->flags & MSG_OOB) && last) {
			t->snd_up = t->write_seq;
			t->urg_out = true;
		}
		t->more_now = (m->flags & MSG_MORE) && last;
		if (!t->more_now)
			t->push_seq = t->write_seq;
		tcp_output(t);
		t->more_now = false;
	}
	mutex_unlock(&t->ep.mu);
	sndq_drop(&l);
	return r;
}

ssize_t tcp_send(struct ep *e, struct net_msg *m)
{
	struct tcp_ep *t = tcp(e);
	size_t left = m->io->len, done = 0;
	struct send_ctl c;
	ssize_t r;

	if ((m->flags & MSG_FASTOPEN) || t->fo.deferred)
		return tfo_send(t, m);
	if (m->ctl_len && in_states(t, STATES_CAN_SEND)) {      /* looked at for its form only */
		r = epmsg_parse(e, m, &c);
		if (r < 0)
			return -EINVAL;
	}
	do {
		r = reserve(t, left);
		if (left == 0 && r >= 0)
			return 0;
		if (r <= 0) {
			if (r == 0)
				r = -EAGAIN;
			break;
		}
		r = send_round(t, m, (size_t)r, (size_t)r == left);
		if (r < 0)
			break;
		done += (size_t)r;
		left -= (size_t)r;
		backlog_drain(e->stack);
	} while (left);
	return done ? (ssize_t)done : r;
}
