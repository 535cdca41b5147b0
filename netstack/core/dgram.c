/*
 * dgram.c - datagrams on the receive queue, and the error queue.
 *
 * A datagram is charged what Linux would charge for it, so that SO_RCVBUF holds as many here; its
 * blocks are of a size with it, so what it really holds is at most two and a half times that.  The reader looks at the head
 * under mu, copies under rd_mu alone, and takes the packet off only when the
 * copy went well: a fault loses nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "netstack/core/ep.h"
#include "netstack/core/errqueue.h"
#include "netstack/core/optnum.h"
#include "netstack/ip/ip.h"

#define ERRQ_MAX 64
#define STAMPS_MAX 512
#define PATIENCE 8              /* times that whoever receives waits for a reader who reads nothing */

/* A datagram alone in a block of the largest size moves to one that fits, lest it pin ten times its size. */
static void compact(struct pktbuf *p)
{
	struct pblock *b;

	if (p->nfrags != 1 || p->hdr_len || p->frag[0].b->cls != PBLOCK_BIG || p->len > PBLOCK_MID_CAP)
		return;
	b = pblock_new(p->pool, p->len);
	if (!b)
		return;
	pkt_copy(p, 0, b->data, p->len);
	b->used = p->len;
	pblock_unref(p->frag[0].b);
	p->frag[0] = (struct pfrag){ b, 0, p->len };
	p->truesize = (u32)sizeof(*p) + b->cap + (p->ext ? p->ext->cap : 0);
}

/* Linux: 256 bytes of sk_buff, and 576 or a power of two for headers, data and skb_shared_info. */
static u32 charge(const struct pktbuf *p)
{
	u32 bytes = p->len + 60 + 320, room = 1024;

	if (bytes <= 576)
		room = 576;
	while (room < bytes && room < p->truesize)
		room *= 2;
	return MAX(MIN(room + 256, p->truesize), p->truesize / 5 * 2);
}

bool dgram_queue(struct ep *e, struct pktbuf *p)
{
	compact(p);
	p->truesize = charge(p);
	if (e->rmem + p->truesize > e->o.rcvbuf && e->rmem) {
		e->drops++;
		pkt_free(p);
		return false;
	}
	if (!p->stamp && (e->o.timestamp || e->o.timestampns || e->o.laststamp || (e->o.tsflags & TS_RX_SOFTWARE)))
		p->stamp = e->stack->ops->realtime(e->stack->ctx);
	e->rmem += p->truesize;
	list_add_tail(&p->node, &e->dgrams);
	ep_wake(e, POLLIN | POLLRDNORM);
	return true;
}

void dgram_behind(struct ep *e)
{
	if (e->rmem > e->o.rcvbuf / 2 && e->patience) {
		e->patience--;
		atomic_store_explicit(&e->stack->rx_behind, true, memory_order_relaxed);
	}
}

bool dgram_filter_queue(struct ep *e, struct pktbuf *p, u32 hdr)
{
	u32 keep = filter_run(e, p);

	if (keep == 0) {
		pkt_free(p);
		return false;
	}
	if (keep < p->len)
		pkt_trim(p, MAX(keep, hdr));
	pkt_pull(p, hdr);
	return dgram_queue(e, p);
}

u32 dgram_poll(struct ep *e)
{
	u32 ev = 0;

	if (!list_empty(&e->dgrams))
		ev |= POLLIN | POLLRDNORM;
	if (e->shut & 1)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (e->shut == 3)
		ev |= POLLHUP;
	if (e->err || e->nerrq)
		ev |= POLLERR;
	return ev | POLLOUT | POLLWRNORM | POLLWRBAND;
}

long dgram_inq(struct ep *e)
{
	long n;

	mutex_lock(&e->mu);
	n = list_empty(&e->dgrams) ? 0 : (long)list_first(&e->dgrams, struct pktbuf, node)->len;
	mutex_unlock(&e->mu);
	return n;
}

long dgram_outq(struct ep *e, bool unsent)
{
	(void)e;
	(void)unsent;
	return 0;
}

void dgram_out_opts(struct ep *e, const struct send_ctl *c, struct ip_tx *t)
{
	bool v4 = ip_is4(&t->dst), mc = ip_is_multicast(&t->dst);
	const struct net_sysctl *y = &e->stack->sysctl;
	u8 disc = v4 ? e->o.pmtudisc : e->o.pmtudisc6;

	t->tos = c->tos >= 0 ? (u8)c->tos : v4 ? e->o.tos : e->o.tclass;
	if (c->ttl >= 0)
		t->ttl = (u8)c->ttl;
	else if (v4)
		t->ttl = mc ? e->o.mc_ttl : (u8)(e->o.ttl >= 0 ? e->o.ttl : y->ttl[0]);
	else if (mc)
		t->ttl = (u8)(e->o.mc_hlim6 >= 0 ? e->o.mc_hlim6 : 1);
	else
		t->ttl = (u8)(e->o.hlim >= 0 ? e->o.hlim : y->hlim[0]);
	if (!v4 && !t->flowlabel)
		t->flowlabel = flowlabel_auto(e, &t->src, &t->dst, (u32)e->lport << 16 | e->rport, t->proto);
	t->mc_loop = v4 ? e->o.mc_loop : e->o.mc_loop6;
	t->df = disc == IP_PMTUDISC_DO || disc == IP_PMTUDISC_PROBE || c->dontfrag || (!v4 && e->o.dontfrag6);
}

void dgram_hdrs(struct ep *e, const struct send_ctl *c, struct ip_tx *t, struct dgram_hdrs *h, struct ipaddr *ret_via)
{
	h->end = t->dst;
	if (ip_is4(&t->dst)) {
		if (c->has_opts4)
			h->opts = c->opts4;
		else if (e->opts4)
			h->opts = *e->opts4;
		if (h->opts.srr)
			t->dst = ip_from4(h->opts.hop);
	} else if (ip6ext_len(&c->ext)) {
		h->ext = ip6ext_sent(&c->ext);
	} else if (e->ext6) {
		ref_get(&e->ext6->ref);
		h->held = e->ext6;
		h->ext = ip6ext_sent(&h->held->x);
	}
	*ret_via = h->ext.h[IP6EXT_RT] ? ip_from6(ip6ext_hop(&h->ext)) : t->dst;
}

void dgram_hdrs_put(struct ep *e, struct dgram_hdrs *h, struct ip_tx *t)
{
	if (h->opts.len)
		ip4opt_put(e->stack, &h->opts, &h->end, t, h->room);
	if (ip6ext_len(&h->ext))
		t->ext = &h->ext;
}

void dgram_hdrs_done(struct dgram_hdrs *h) { ip6ext_unref(h->held); }

/* The flow label that a message asks for, by control message, by its name, or as connect() did.  mu held. */
int dgram_label(struct ep *e, const struct net_msg *m, const struct send_ctl *c, u32 *ret)
{
	int r = m->name ? flowlabel_given(e, m->name, ret) : 0;

	if (!m->name)
		*ret = e->flowlabel;
	if (r < 0 || !c->has_flow)
		return r;
	if (*ret && *ret != c->flow)
		return -EINVAL;
	*ret = c->flow;
	return flowlabel_usable(e, c->flow);
}

/* Copy @n bytes from @off of a packet to the caller, block by block. */
static int copy_packet(struct pktbuf *p, size_t off, size_t n, struct net_io *io)
{
	struct iovec iov[PKT_FRAGS + 1];
	int i, k = pkt_iov(p, iov, PKT_FRAGS + 1);

	for (i = 0; i < k && n; i++) {
		size_t l;
		int r;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		l = MIN(n, iov[i].iov_len - off);
		r = io->copy(io, (u8 *)iov[i].iov_base + off, l);
		if (r < 0)
			return r;
		n -= l;
		off = 0;
	}
	return 0;
}

static struct pktbuf *head(struct ep *e)
{
	return list_empty(&e->dgrams) ? NULL : list_first(&e->dgrams, struct pktbuf, node);
}

/* SO_PEEK_OFF counts over datagrams: the one where it ends, *@off being what is left. mu held. */
static struct pktbuf *skip_peeked(struct ep *e, struct pktbuf *p, u32 *off)
{
	while (p && *off && *off >= p->len) {
		*off -= p->len;
		p = p->node.next == &e->dgrams ? NULL : container_of(p->node.next, struct pktbuf, node);
	}
	return p;
}

/* The next datagram, or an error. rd_mu held. */
static int peek(struct ep *e, u32 flags, struct pktbuf **ret, u32 *off)
{
	struct pktbuf *p;
	int r = 0;

	*off = 0;
	mutex_lock(&e->mu);
	p = head(e);
	if ((flags & MSG_PEEK) && e->o.peek_off_on) {
		*off = e->o.peek_off;
		p = skip_peeked(e, p, off);
	}
	if (e->err)
		r = ep_take_err(e);
	else if (!p)
		/* Linux looks at shutdown() only when it is about to sleep. */
		r = (e->shut & 1) && !(flags & MSG_DONTWAIT) ? 0 : -EAGAIN;
	mutex_unlock(&e->mu);
	*ret = r == 0 ? p : NULL;
	return r;
}

static void move_peek_off(struct ep *e, bool peeked, u32 n)
{
	if (e->o.peek_off_on)
		e->o.peek_off = peeked ? e->o.peek_off + n : e->o.peek_off - MIN(n, e->o.peek_off);
}

ssize_t dgram_recv(struct ep *e, struct net_msg *m,
		   void (*fill)(struct ep *e, struct pktbuf *p, struct net_msg *m))
{
	bool keep = m->flags & MSG_PEEK;
	struct pktbuf *p;
	size_t n;
	ssize_t r;
	u32 off;

	mutex_lock(&e->rd_mu);
	r = peek(e, m->flags, &p, &off);
	if (r < 0 || !p) {
		mutex_unlock(&e->rd_mu);
		m->ctl_len = 0;
		return r;
	}
	n = MIN(p->len - off, m->io->len);
	r = copy_packet(p, off, n, m->io);
	if (r == 0) {
		fill(e, p, m);
		r = (ssize_t)n;
		if (n < p->len - off) {
			m->ret_flags |= MSG_TRUNC;
			if (m->flags & MSG_TRUNC)
				r = (ssize_t)p->len;
		}
		mutex_lock(&e->mu);
		if (p->stamp)
			e->last_stamp = p->stamp;
		move_peek_off(e, keep, (u32)(keep ? n : (size_t)r));
		if (keep) {
			p = NULL;
		} else {
			list_del_init(&p->node);
			e->rmem -= p->truesize;
			e->patience = PATIENCE;
		}
		mutex_unlock(&e->mu);
		pkt_free(p);
	}
	mutex_unlock(&e->rd_mu);
	return r;
}

int dgram_gather(struct ep *e, struct net_io *io, size_t len, struct pktbuf **ret)
{
	struct pktbuf *p;
	int r = 0;
	u8 *d;

	if (len == 0)
		p = pkt_new(e->stack->pool);
	else
		p = pkt_room(e->stack->pool, len, &d);
	if (!p)
		return -ENOBUFS;
	if (len)
		r = io->copy(io, d, len);
	if (r < 0) {
		pkt_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

/* ------------------------------------------------------------- error queue */

/* mu held.  The packet's own fields carry the error until it is read. */
void errq_add(struct ep *e, struct pktbuf *payload, int err, u8 origin, u8 type, u8 code,
	      u32 info, const struct ipaddr *offender, const struct net_sa *dst)
{
	struct pktbuf *p;

	if (e->nerrq >= (origin == EE_ORIGIN_STAMP ? STAMPS_MAX : ERRQ_MAX))
		return;
	p = payload ? pkt_clone(payload) : pkt_new(e->stack->pool);
	if (!p)
		return;
	p->seq = (u32)err;
	p->end_seq = (u32)origin << 16 | (u32)type << 8 | code;
	p->tsval = info;
	p->flow = 0;
	p->src = offender ? *offender : ip_any4();
	p->dst = dst->ip;
	p->dport = dst->port;
	list_add_tail(&p->node, &e->errq);
	e->nerrq++;
	ep_wake(e, POLLERR);
}

/* The sends @id of MSG_ZEROCOPY are over (we copied); neighbours share an entry. */
void errq_zerocopy(struct ep *e, u32 id)
{
	struct pktbuf *p = list_empty(&e->errq) ? NULL : list_last(&e->errq, struct pktbuf, node);
	struct net_sa none = { .ip = ip_any4() };

	if (p && p->end_seq >> 16 == EE_ORIGIN_ZEROCOPY && p->flow + 1 == id) {
		p->flow = id;
		ep_wake(e, POLLERR);
		return;
	}
	errq_add(e, NULL, 0, EE_ORIGIN_ZEROCOPY, 0, EE_CODE_ZEROCOPY_COPIED, id, NULL, &none);
	p = list_empty(&e->errq) ? NULL : list_last(&e->errq, struct pktbuf, node);
	if (p && p->end_seq >> 16 == EE_ORIGIN_ZEROCOPY && p->tsval == id)
		p->flow = id;
}

void errq_stamp(struct ep *e, struct pktbuf *payload, u32 what, u32 id)
{
	struct net_sa none = { .ip = ip_any4() };
	u32 before = e->nerrq;

	errq_add(e, payload, ENOMSG, EE_ORIGIN_STAMP, 0, 0, what, NULL, &none);
	if (e->nerrq == before)
		return;
	list_last(&e->errq, struct pktbuf, node)->stamp = e->stack->ops->realtime(e->stack->ctx);
	list_last(&e->errq, struct pktbuf, node)->flow = id;
}

static bool is_icmp(const struct pktbuf *p)
{
	return p->end_seq >> 16 == EE_ORIGIN_ICMP || p->end_seq >> 16 == EE_ORIGIN_ICMP6;
}

static void errq_ctl(struct ep *e, struct pktbuf *p, struct net_msg *m)
{
	struct { struct net_ext_err ee; u8 addr[28]; } v;
	struct epmsg_out c = { m->ctl, m->ctl_len, 0, false };
	size_t n = sizeof(v.ee) + (e->family == AF_INET ? 16 : 28);
	u16 af = e->family;

	memset(&v, 0, sizeof(v));
	v.ee.err = p->seq;
	v.ee.origin = (u8)(p->end_seq >> 16);
	v.ee.type = (u8)(p->end_seq >> 8);
	v.ee.code = (u8)p->end_seq;
	v.ee.info = p->tsval;
	v.ee.data = p->flow;
	if (is_icmp(p)) {
		memcpy(v.addr, &af, 2);
		if (af == AF_INET)
			memcpy(v.addr + 4, p->src.b + 12, 4);
		else
			memcpy(v.addr + 8, p->src.b, 16);
	}
	if (m->ctl && (p->end_seq >> 16) == EE_ORIGIN_STAMP)
		tstamp_put(e, p->stamp, &c);
	if (m->ctl)
		epmsg_put(&c, af == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
			 af == AF_INET ? IP_RECVERR : IPV6_RECVERR, &v, n);
	m->ctl_len = c.used;
	if (c.trunc)
		m->ret_flags |= MSG_CTRUNC;
}

ssize_t errq_recv(struct ep *e, struct net_msg *m)
{
	struct pktbuf *p = NULL, *next;
	ssize_t r = -EAGAIN;

	mutex_lock(&e->mu);
	if (!list_empty(&e->errq)) {
		p = list_first(&e->errq, struct pktbuf, node);
		list_del_init(&p->node);
		e->nerrq--;
		/* SO_ERROR is the next ICMP error of the queue. */
		next = list_empty(&e->errq) ? NULL : list_first(&e->errq, struct pktbuf, node);
		if (next && is_icmp(next))
			e->err = (int)next->seq;
		else if (is_icmp(p))
			e->err = 0;
	}
	mutex_unlock(&e->mu);
	if (!p) {
		m->ctl_len = 0;
		return r;
	}
	r = copy_packet(p, 0, MIN(p->len, m->io->len), m->io);
	if (r == 0) {
		r = (ssize_t)MIN(p->len, m->io->len);
		if ((size_t)r < p->len)
			m->ret_flags |= MSG_TRUNC;
		m->ret_flags |= MSG_ERRQUEUE;
		if (m->name && p->end_seq >> 16 == EE_ORIGIN_STAMP)
			m->name->family = 0;
		else if (m->name)
			ep_fill_name(e, &p->dst, p->dport, m->name);
		errq_ctl(e, p, m);
	}
	pkt_free(p);
	return r;
}
