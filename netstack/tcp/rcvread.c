/*
 * rcvread.c - the user takes bytes off the receive queue.
 *
 * rd_mu makes one reader at a time.  It notes a few stretches of bytes with
 * references under mu, copies them without mu, and only then takes them off:
 * a fault loses nothing, and segments keep arriving meanwhile.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "netstack/tcp/optnum.h"
#include "netstack/tcp/tcp.h"

#define VIEWS     16
#define FEW_BYTES 4096u          /* fewer may travel without a copy by the host, each piece for itself */

struct views { struct iovec v[VIEWS]; struct pblock *b[VIEWS]; int n; u32 bytes; };

/* Where the urgent byte stops or splits reading: bytes we may take from @seq. */
static u32 until_mark(const struct tcp_ep *t, u32 seq, u32 n)
{
	if (!t->urg_valid || !seq_gt(t->urg_seq, seq))
		return n;
	return MIN(n, t->urg_seq - seq);
}

/* Note up to @want bytes from @off bytes behind copied_seq.  mu held. */
static void collect(struct tcp_ep *t, u32 off, u32 want, struct views *vs)
{
	struct pktbuf *p;
	u32 i;

	vs->n = 0;
	vs->bytes = 0;
	list_for_each(p, &t->rcvq, node) {
		if (off >= p->len) {
			off -= p->len;
			continue;
		}
		for (i = 0; i < p->nfrags && want; i++) {
			struct pfrag *f = &p->frag[i];
			u32 n;

			if (off >= f->len) {
				off -= f->len;
				continue;
			}
			if (vs->n == VIEWS)
				return;
			n = MIN(want, f->len - off);
			vs->b[vs->n] = pblock_ref(f->b);
			vs->v[vs->n++] = (struct iovec){ f->b->data + f->off + off, n };
			vs->bytes += n;
			want -= n;
			off = 0;
		}
		if (!want)
			return;
	}
}

/* Copy what was noted; bytes copied, fewer when a fault stops it (then *ret_fault). */
static u32 copy_views(struct views *vs, struct net_io *io, bool discard, bool *ret_fault)
{
	bool together = !discard && vs->n > 1 && vs->bytes > FEW_BYTES && io->copy_pieces;
	u32 done = together ? (u32)io->copy_pieces(io, vs->v, (size_t)vs->n) : 0;
	int i;

	for (i = 0; i < vs->n; i++) {
		if (!together && !*ret_fault && !discard && io->copy(io, vs->v[i].iov_base, vs->v[i].iov_len) < 0)
			*ret_fault = true;
		if (!together && !*ret_fault)
			done += (u32)vs->v[i].iov_len;
		pblock_unref(vs->b[i]);
	}
	*ret_fault |= done < vs->bytes;
	return done;
}

void rcv_consume(struct tcp_ep *t, u32 n)
{
	n = MIN(n, t->rcvq_len);
	t->copied_seq += n;
	t->rcvq_len -= n;
	while (n) {
		struct pktbuf *p = list_first(&t->rcvq, struct pktbuf, node);

		if (n < p->len) {
			pkt_pull(p, n);
			p->seq += n;
			return;
		}
		n -= p->len;
		list_del_init(&p->node);
		t->ep.rmem -= MIN(t->ep.rmem, p->truesize);
		pkt_free(p);
	}
}

/* Why there is nothing to read: 0 end of stream, or -errno.  mu held. */
static int nothing(struct tcp_ep *t)
{
	if (t->state == TCPS_LISTEN)
		return -ENOTCONN;
	if (t->fin_rcvd)                /* the end was reached before anything went wrong */
		return 0;
	if (t->ep.err)
		return ep_take_err(&t->ep);
	if (t->ep.shut & 1)
		return 0;
	return t->state == TCPS_CLOSE ? -ENOTCONN : -EAGAIN;
}

static ssize_t recv_oob(struct tcp_ep *t, struct net_msg *m)
{
	ssize_t r;
	u8 b = 0;

	mutex_lock(&t->ep.mu);
	if (t->state == TCPS_LISTEN)
		r = -ENOTCONN;
	else if (t->ep.o.oobinline || !t->urg_valid)
		r = -EINVAL;
	else if (!t->urg_have && seq_lt(t->urg_seq, t->rcv_nxt))
		r = -EINVAL;            /* has been read */
	else if (!t->urg_have)
		r = t->state == TCPS_CLOSE || (t->ep.shut & 1) ? 0 : -EAGAIN;
	else
		r = 1;
	b = t->urg_byte;
	if (r == 1 && !(m->flags & MSG_PEEK))
		t->urg_have = false;
	mutex_unlock(&t->ep.mu);
	if (r != 1)
		return r;
	m->ret_flags |= MSG_OOB;
	if (m->io->len == 0)
		return 0;
	return m->io->copy(m->io, &b, 1) < 0 ? -EFAULT : 1;
}

static bool at_mark(const struct tcp_ep *t, u32 off) { return t->urg_valid && t->urg_seq == t->copied_seq + off; }

/* Skip the urgent byte when the reader stands on it, @off bytes on; who only peeks leaves it there.  mu held. */
static u32 skip_urgent(struct tcp_ep *t, u32 off, bool peek)
{
	if (!at_mark(t, off) || t->rcvq_len <= off)
		return off;
	if (peek)
		return t->ep.o.oobinline ? off : off + 1;
	if (!t->ep.o.oobinline)
		rcv_consume(t, 1);
	t->urg_valid = false;
	return off;
}

/* SO_PEEK_OFF goes on with what was looked at, and back with what was taken. */
static void move_peek_off(struct tcp_ep *t, bool peek, u32 n)
{
	struct sockopts *o = &t->ep.o;

	mutex_lock(&t->ep.mu);
	o->peek_off = peek ? MIN(o->peek_off + n, (u32)INT32_MAX) : o->peek_off - MIN(n, o->peek_off);
	mutex_unlock(&t->ep.mu);
}

static ssize_t recv_bytes(struct tcp_ep *t, struct net_msg *m)
{
	bool peek = m->flags & MSG_PEEK, fault = false;
	u32 off = peek && t->ep.o.peek_off_on ? t->ep.o.peek_off : 0;
	size_t left = m->io->len, done = 0;
	struct views vs;
	u32 n, want;
	int r = 0;

	while (left && !fault) {
		mutex_lock(&t->ep.mu);
		/* Never across the mark. */
		if (done && at_mark(t, off)) {
			mutex_unlock(&t->ep.mu);
			break;
		}
		off = skip_urgent(t, off, peek);
		want = (u32)MIN(left, (size_t)1 << 30);
		want = MIN(want, until_mark(t, t->copied_seq + off, want));
		collect(t, off, want, &vs);
		if (!vs.bytes)
			r = done ? 0 : nothing(t);
		mutex_unlock(&t->ep.mu);
		if (!vs.bytes)
			break;
		n = copy_views(&vs, m->io, m->flags & MSG_TRUNC, &fault);
		if (peek) {
			off += n;
		} else if (n) {
			mutex_lock(&t->ep.mu);
			rcv_consume(t, n);
			rcv_tune(t);
			ack_after_read(t, n);
			mutex_unlock(&t->ep.mu);
			backlog_drain(t->ep.stack);
		}
		done += n;
		left -= n;
	}
	if (done && t->ep.o.peek_off_on)
		move_peek_off(t, peek, (u32)MIN(done, (size_t)INT32_MAX));
	if (done)
		return (ssize_t)done;
	return fault ? -EFAULT : r;
}

/* TCP_INQ: how much more there is, as a control message. */
static void tell_inq(struct tcp_ep *t, struct net_msg *m, size_t room)
{
	struct epmsg_out c = { m->ctl, room, 0, false };
	int n;

	mutex_lock(&t->ep.mu);
	n = (int)t->rcvq_len;
	if (!n && t->fin_rcvd)
		n = 1;                  /* "read on": what comes is the end */
	mutex_unlock(&t->ep.mu);
	epmsg_put(&c, IPPROTO_TCP, TCP_CM_INQ, &n, sizeof(n));
	m->ctl_len = c.used;
	if (c.trunc)
		m->ret_flags |= MSG_CTRUNC;
}

ssize_t tcp_recv(struct ep *e, struct net_msg *m)
{
	struct tcp_ep *t = tcp(e);
	size_t room = m->ctl ? m->ctl_len : 0;
	ssize_t r;

	m->ctl_len = 0;
	if (m->name)
		m->name->family = 0;
	if (m->flags & MSG_OOB)
		return recv_oob(t, m);
	if (m->io->len == 0) {
		mutex_lock(&e->mu);
		r = t->rcvq_len ? 0 : nothing(t);
		mutex_unlock(&e->mu);
		return r;
	}
	mutex_lock(&e->rd_mu);
	r = recv_bytes(t, m);
	mutex_unlock(&e->rd_mu);
	if (t->inq && room && r >= 0)
		tell_inq(t, m, room);
	return r;
}
