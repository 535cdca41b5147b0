/*
 * unix_oob.c - the urgent byte of an AF_UNIX stream (unix(7), MSG_OOB; Linux 5.15 and later). See unix_int.h.
 *
 * The last byte of a send with MSG_OOB is a packet of its own in the queue, and u->oob points to the latest.
 * A reader stops in front of it (the mark).  Its next read passes over the byte, unless SO_OOBINLINE
 * makes it an ordinary one; MSG_OOB reads it at any time before, and leaves a packet without
 * bytes where the mark is.  A later urgent byte makes those before it ordinary ones.
 */
#include <errno.h>

#include "sentry/socket/unix_int.h"

struct unix_pkt *unix_pkt_next(struct unix_sock *u, struct unix_pkt *p)
{
	return p->node.next == &u->rq ? NULL : list_entry(p->node.next, struct unix_pkt, node);
}

void unix_pkt_unqueue(struct unix_sock *u, struct unix_pkt *p, struct list_head *done)
{
	list_del_init(&p->node);
	u->rq_len--;
	u->rq_bytes -= unix_pkt_left(p);
	list_add_tail(&p->node, done);
}

/*
 * What of the queue from @p on a reader may have, who has @taken something already: NULL, nothing
 * now.  What is passed for good goes to @done.
 */
struct unix_pkt *unix_oob_pass(struct unix_sock *u, struct unix_pkt *p, bool peek, bool inl, bool taken,
			       struct list_head *done)
{
	struct unix_pkt *next = unix_pkt_next(u, p);

	if (!unix_pkt_left(p)) {
		if (taken && !u->oob)
			return NULL;
		if (!peek)
			unix_pkt_unqueue(u, p, done);
		p = next;
		if (!p)
			return NULL;
		next = unix_pkt_next(u, p);
	}
	if (p != u->oob)
		return p;
	if (taken)
		return NULL;
	if (!peek)
		u->oob = NULL;
	if (inl)
		return p;
	if (!peek)
		unix_pkt_unqueue(u, p, done);
	return next;
}

/* recv() with MSG_OOB. As on Linux the byte is gone even if it could not be copied. */
ssize_t unix_oob_recv(struct unix_sock *u, struct sock_msg *m, bool inl, struct list_head *done)
{
	struct unix_pkt *p = u->oob, *before;
	ssize_t n = 0;

	if (u->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (inl || !p)
		return -EINVAL;
	if (m->b->left)
		n = iobuf_put(m->b, p->data + p->off, 1);
	if (!(m->flags & MSG_PEEK)) {
		u->oob = NULL;
		p->off++;
		u->rq_bytes--;
		/* Of marks in a row the last is enough. */
		if (p->node.prev != &u->rq) {
			before = list_entry(p->node.prev, struct unix_pkt, node);
			if (!unix_pkt_left(before))
				unix_pkt_unqueue(u, before, done);
		}
	}
	if (n < 0)
		return n;
	m->ret_flags |= MSG_OOB;
	return 1;
}

bool unix_at_mark(struct unix_sock *u)
{
	struct unix_pkt *p;

	if (list_empty(&u->rq))
		return false;
	p = list_first(&u->rq, struct unix_pkt, node);
	return p == u->oob || (!unix_pkt_left(p) && (!u->oob || unix_pkt_next(u, p) == u->oob));
}
