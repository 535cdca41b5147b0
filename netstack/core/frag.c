/*
 * frag.c - putting fragments together.
 *
 * Pieces are kept sorted; any overlap that is not an exact repetition drops
 * the datagram (RFC 5722, and Linux for IPv4 too).
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "netstack/core/frag.h"
#include "netstack/core/ipaddr.h"
#include "netstack/core/nic.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"

#define LIFE_NS 30000000000ull

struct piece {
	struct list_head node;
	u32 off, len;
	struct pktbuf *p;               /* payload only */
};

struct fragq {
	struct list_head node, lru;
	struct ipaddr src, dst;
	u32 id;
	u8  proto;
	bool has_last;
	u32 total, have, mem, npieces;
	u64 due;
	struct nic *nic;
	struct pktbuf *first;           /* a copy of the first fragment, for the ICMP error */
	struct list_head pieces;
};

static void on_timer(struct ntimer *t);

int fragtab_init(struct stack *s)
{
	int i;

	mutex_init(&s->frags.mu, RANK_STACK);
	for (i = 0; i < FRAG_BUCKETS; i++)
		list_init(&s->frags.bucket[i]);
	list_init(&s->frags.lru);
	s->frags.timer.fn = on_timer;
	return timers_reserve(&s->timers);
}

static void drop_locked(struct fragtab *t, struct fragq *q)
{
	struct piece *c, *n;

	list_for_each_safe(c, n, &q->pieces, node) {
		pkt_free(c->p);
		kfree(c);
	}
	list_del_init(&q->node);
	list_del_init(&q->lru);
	t->mem -= q->mem;
	t->n--;
	pkt_free(q->first);
	kfree(q);
}

void fragtab_done(struct stack *s)
{
	struct fragq *q, *n;
	bool was = ntimer_cancel(&s->timers, &s->frags.timer);

	(void)was;
	list_for_each_safe(q, n, &s->frags.lru, lru)
		drop_locked(&s->frags, q);
	timers_unreserve(&s->timers);
}

static struct list_head *bucket_of(struct stack *s, const struct frag_in *f)
{
	struct { struct ipaddr s, d; u32 id; u32 proto; } k = { f->src, f->dst, f->id, f->proto };

	return &s->frags.bucket[siphash(&s->key_hash, &k, sizeof(k)) % FRAG_BUCKETS];
}

/* Make room: first from the same source when that is the one who has too much. */
static void limit_locked(struct stack *s, const struct frag_in *f)
{
	struct fragtab *t = &s->frags;
	struct fragq *q, *n;
	u32 mem = 0, cnt = 0;

	list_for_each(q, &t->lru, lru)
		if (ip_eq(&q->src, &f->src)) {
			mem += q->mem;
			cnt++;
		}
	list_for_each_safe(q, n, &t->lru, lru) {
		if (mem <= FRAG_SRC_MEM && cnt < FRAG_SRC_MAX)
			break;
		if (!ip_eq(&q->src, &f->src))
			continue;
		mem -= q->mem;
		cnt--;
		MIB(s, Ip_ReasmFails);
		drop_locked(t, q);
	}
	while (t->mem > FRAG_MEM_MAX && !list_empty(&t->lru)) {
		MIB(s, Ip_ReasmFails);
		drop_locked(t, list_first(&t->lru, struct fragq, lru));
	}
}

static struct fragq *get_locked(struct stack *s, const struct frag_in *f, struct nic *nic)
{
	struct list_head *b = bucket_of(s, f);
	struct fragq *q;
	bool fresh;

	list_for_each(q, b, node)
		if (q->id == f->id && q->proto == f->proto && ip_eq(&q->src, &f->src) &&
		    ip_eq(&q->dst, &f->dst))
			return q;
	limit_locked(s, f);
	q = knew(struct fragq);
	if (!q)
		return NULL;
	q->src = f->src;
	q->dst = f->dst;
	q->id = f->id;
	q->proto = f->proto;
	q->nic = nic;
	q->due = stack_now(s) + LIFE_NS;
	list_init(&q->pieces);
	list_add(&q->node, b);
	list_add_tail(&q->lru, &s->frags.lru);
	s->frags.n++;
	fresh = ntimer_set_before(&s->timers, &s->frags.timer, q->due);
	(void)fresh;
	return q;
}

/* 1 added, 0 a repetition, -EINVAL overlap or impossible. */
static int insert_locked(struct stack *s, struct fragq *q, struct pktbuf *p, const struct frag_in *f)
{
	struct piece *c, *x;
	u32 end = f->off + f->len;

	if (!f->more) {
		if (q->has_last && q->total != end)
			return -EINVAL;
		q->has_last = true;
		q->total = end;
		/* Nothing may lie beyond the end, whichever came first. */
		x = list_empty(&q->pieces) ? NULL : list_last(&q->pieces, struct piece, node);
		if (x && x->off + x->len > end)
			return -EINVAL;
	}
	if (q->has_last && end > q->total)
		return -EINVAL;
	if (q->npieces >= FRAG_PIECES_MAX)
		return -EINVAL;
	list_for_each(x, &q->pieces, node) {
		if (x->off == f->off && x->len == f->len)
			return 0;
		if (x->off >= end)
			break;
		if (x->off + x->len > f->off)
			return -EINVAL;
	}
	c = knew(struct piece);
	if (!c)
		return -EINVAL;
	c->off = f->off;
	c->len = f->len;
	c->p = p;
	list_add_tail(&c->node, &x->node);
	q->npieces++;
	q->have += f->len;
	q->mem += p->truesize;
	s->frags.mem += p->truesize;
	return 1;
}

/* All pieces into one packet behind the first fragment's headers. */
static struct pktbuf *join_locked(struct stack *s, struct fragq *q)
{
	struct pktbuf *first = list_first(&q->pieces, struct piece, node)->p, *r;
	struct piece *c;
	u32 off = 0;
	u8 *d;

	r = pkt_room(s->pool, MIN(q->total, PBLOCK_BIG_CAP), &d);
	if (!r)
		return NULL;
	list_for_each(c, &q->pieces, node) {
		pkt_copy(c->p, 0, d + off, c->len);
		off += c->len;
	}
	r->src = first->src;
	r->dst = first->dst;
	r->proto = first->proto;
	r->ttl = first->ttl;
	r->tos = first->tos;
	r->nic = first->nic;
	r->ifindex = first->ifindex;
	r->pkttype = first->pkttype;
	r->ethertype = first->ethertype;
	r->flow = first->flow;
	r->ext = first->ext;
	if (r->ext) {
		pblock_ref(r->ext);
		r->truesize += r->ext->cap;
	}
	r->flags = first->flags & (PKT_MCAST | PKT_BCAST | PKT_LOOPED);
	return r;
}

struct pktbuf *frag_add(struct stack *s, struct pktbuf *p, const struct frag_in *f)
{
	struct fragtab *t = &s->frags;
	struct pktbuf *whole = NULL;
	struct fragq *q;
	int r;

	MIB(s, Ip_ReasmReqds);
	if (f->len == 0 || f->off + f->len > 65535 || (f->more && f->len % 8)) {
		pkt_free(p);
		return NULL;
	}
	mutex_lock(&t->mu);
	q = get_locked(s, f, p->nic);
	if (!q) {
		mutex_unlock(&t->mu);
		pkt_free(p);
		return NULL;
	}
	if (f->off == 0 && !q->first)
		q->first = pkt_clone(p);
	pkt_pull(p, f->hdr);
	r = insert_locked(s, q, p, f);
	if (r < 0) {
		MIB(s, Ip_ReasmFails);
		drop_locked(t, q);
	} else if (q->has_last && q->have == q->total) {
		whole = join_locked(s, q);
		if (whole)
			MIB(s, Ip_ReasmOKs);
		drop_locked(t, q);
	}
	mutex_unlock(&t->mu);
	if (r <= 0)
		pkt_free(p);
	return whole;
}

static void time_exceeded(struct fragq *q)
{
	if (!q->first || (q->first->flags & (PKT_MCAST | PKT_BCAST)))
		return;
	if (ip_is4(&q->src))
		icmp4_error(q->nic, q->first, 11, 1, 0);
	else
		icmp6_error(q->nic, q->first, 3, 1, 0);
}

static void on_timer(struct ntimer *timer)
{
	struct fragtab *t = container_of(timer, struct fragtab, timer);
	struct stack *s = container_of(t, struct stack, frags);
	u64 now = stack_now(s);

	for (;;) {
		struct fragq *q = NULL, tell = { 0 };
		bool fresh;

		mutex_lock(&t->mu);
		if (!list_empty(&t->lru)) {
			q = list_first(&t->lru, struct fragq, lru);
			if (q->due > now) {
				fresh = ntimer_set_before(&s->timers, timer, q->due);
				(void)fresh;
				q = NULL;
			}
		}
		if (q) {
			tell.src = q->src;
			tell.nic = q->nic;
			tell.first = q->first;
			q->first = NULL;
			MIB(s, Ip_ReasmTimeout);
			MIB(s, Ip_ReasmFails);
			drop_locked(t, q);
		}
		mutex_unlock(&t->mu);
		if (!q)
			return;
		time_exceeded(&tell);
		pkt_free(tell.first);
	}
}
