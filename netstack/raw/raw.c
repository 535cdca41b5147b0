/*
 * raw.c - raw IP sockets and ping sockets.
 *
 * A raw socket of a protocol sees a copy of every datagram of that protocol:
 * with the IP header for IPv4, without for IPv6.  A ping socket (SOCK_DGRAM,
 * IPPROTO_ICMP) sends echo requests with an identifier that is its port, and
 * sees the replies to it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "netstack/core/ep.h"
#include "netstack/core/errqueue.h"
#include "netstack/core/nic.h"
#include "netstack/core/optnum.h"
#include "netstack/core/rtnl.h"
#include "netstack/ip/ip.h"
#include "netstack/raw/raw.h"
#include "netstack/wire/csum.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip4.h"

struct raw_ep {
	struct ep ep;
	s32 csum_off;           /* IPV6_CHECKSUM; -1 none */
	u32 icmp_filter;        /* types not wanted */
	u32 icmp6_filter[8];
};

static inline struct raw_ep *raw(struct ep *e) { return container_of(e, struct raw_ep, ep); }

static int raw_init(struct ep *e)
{
	struct stack *s = e->stack;

	raw(e)->csum_off = e->family == AF_INET6 && e->proto == IPPROTO_ICMPV6 ? 2 : -1;
	if (e->proto == IPPROTO_RAW)
		e->o.hdrincl = true;
	mutex_lock(&s->eps_mu);
	list_add_tail(&e->kind_node, &s->raws);
	mutex_unlock(&s->eps_mu);
	atomic_fetch_add(&s->nraws, 1);
	return 0;
}

static void raw_release(struct ep *e) { atomic_fetch_sub(&e->stack->nraws, 1); }

/* The owner left: no more packets. */
static void raw_close(struct ep *e)
{
	mutex_lock(&e->stack->eps_mu);
	list_del_init(&e->kind_node);
	mutex_unlock(&e->stack->eps_mu);
}

static int raw_bind(struct ep *e, const struct net_sa *sa)
{
	struct ipaddr a;
	int r = ep_check_bind(e, sa, &a);

	if (r < 0)
		return r;
	mutex_lock(&e->mu);
	e->laddr = a;
	e->addr_bound = !ip_is_any(&a);
	mutex_unlock(&e->mu);
	return 0;
}

static int raw_connect(struct ep *e, const struct net_sa *sa)
{
	struct ipaddr dst;
	u32 oif, label = 0;
	int r = 0;

	mutex_lock(&e->mu);
	e->rt.valid = false;
	if (sa->family == AF_UNSPEC) {
		e->connected = false;
		e->raddr = e->family == AF_INET ? ip_any4() : ip_any6();
		if (!e->addr_bound)
			e->laddr = e->raddr;
	} else {
		struct rt rt;

		r = sa->family != e->family ? -EAFNOSUPPORT : ep_check_dst(e, sa, &dst, &oif);
		if (r == 0)
			r = flowlabel_given(e, sa, &label);
		if (r == 0)
			r = rt_lookup(e->stack, &dst, e->addr_bound ? &e->laddr : NULL, oif, 0, &rt);
		if (r == 0) {
			e->raddr = dst;
			e->rport = sa->port;
			e->flowlabel = label;
			e->connected = true;
			if (!e->addr_bound)
				e->laddr = rt.src;
		}
	}
	mutex_unlock(&e->mu);
	return r;
}

static int raw_shutdown(struct ep *e, int how)
{
	int r;

	mutex_lock(&e->mu);
	r = e->connected ? 0 : -ENOTCONN;
	e->shut |= (u8)(how + 1);
	ep_wake(e, POLLIN | POLLOUT | POLLRDHUP);
	mutex_unlock(&e->mu);
	return r;
}

/* Route and options of one message; dgram_hdrs_done(@h) afterwards.  mu held. */
static int prepare(struct ep *e, const struct net_msg *m, const struct send_ctl *c, struct rt *rt,
		   struct ip_tx *t, struct dgram_hdrs *h)
{
	struct ipaddr src = c->has_src ? c->src : e->laddr, via;
	u32 oif = e->o.bound_if;
	int r;

	if (e->shut & 2)
		return -EPIPE;
	if (e->err)
		return ep_take_err(e);
	if (m->name) {
		if (e->family == AF_INET6 && (m->name->family != AF_INET6 || (m->name->port && m->name->port != e->proto)))
			return -EINVAL;
		r = ep_check_dst(e, m->name, &t->dst, &oif);
		if (r < 0)
			return r;
	} else if (e->connected) {
		t->dst = e->raddr;
	} else {
		return -EDESTADDRREQ;
	}
	r = dgram_label(e, m, c, &t->flowlabel);
	if (r < 0)
		return r;
	if (c->oif)
		oif = c->oif;
	dgram_hdrs(e, c, t, h, &via);
	if (h->opts.len && e->o.hdrincl)
		return -EINVAL;         /* the header is the caller's */
	r = rt_lookup(e->stack, &via, &src, oif, e->o.hdrincl ? RT_NO_SRC_CHECK : 0, rt);
	if (r < 0)
		return r;
	if (rt->type == RTN_BROADCAST && !e->o.broadcast)
		return -EACCES;
	t->src = rt->src;
	t->proto = (u8)e->proto;
	dgram_out_opts(e, c, t);
	dgram_hdrs_put(e, h, t);
	return 0;
}

/* The caller's own header: length, checksum, id and source are completed as Linux does. */
static int fix_header(struct stack *s, struct pktbuf *p, const struct rt *rt)
{
	struct ip4_hdr h;
	u8 *d;

	if (!pkt_may_pull(p, IP4_HLEN))
		return -EINVAL;
	d = pkt_data(p);
	if (d[0] >> 4 != 4 || (d[0] & 15) < 5 || (d[0] & 15) * 4u > p->len)
		return -EINVAL;
	put_be16(d + 2, (u16)p->len);
	if (ip4_parse(d, p->len, &h) < 0 || !pkt_may_pull(p, h.hlen))
		return -EINVAL;
	d = pkt_data(p);
	if (get_be32(d + 12) == 0)
		memcpy(h.src, rt->src.b + 12, 4);
	if (h.id == 0)
		h.id = (u16)atomic_fetch_add(&s->ip_id, 1);
	ip4_emit(d, &h);
	return 0;
}

static int put_csum6(struct raw_ep *r, struct pktbuf *p, const struct ip_tx *t)
{
	u64 sum;
	u16 f = 0;

	if (r->csum_off < 0)
		return 0;
	if ((u32)r->csum_off + 2 > p->len || !pkt_may_pull(p, (u32)r->csum_off + 2))
		return -EINVAL;
	memcpy(pkt_data(p) + r->csum_off, &f, 2);
	sum = csum_add(pkt_csum(p, 0, p->len), ip_pseudo(&t->src, &t->dst, t->proto, p->len));
	f = csum_fold(sum);
	memcpy(pkt_data(p) + r->csum_off, &f, 2);
	return 0;
}

static ssize_t raw_send(struct ep *e, struct net_msg *m)
{
	struct ip_tx t = { 0 };
	struct dgram_hdrs h = { .held = NULL };
	struct send_ctl c;
	struct pktbuf *p;
	struct rt rt;
	size_t len = m->io->len;
	int r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len > 65535)
		return -EMSGSIZE;
	r = epmsg_parse(e, m, &c);
	if (r < 0)
		return r;
	r = dgram_gather(e, m->io, len, &p);
	if (r < 0)
		return r;
	mutex_lock(&e->mu);
	r = prepare(e, m, &c, &rt, &t, &h);
	mutex_unlock(&e->mu);
	ep_sign(e, p);
	if (r == 0 && !ip_is4(&t.dst))
		r = put_csum6(raw(e), p, &t);
	if (r == 0 && e->o.hdrincl && ip_is4(&t.dst)) {
		r = fix_header(e->stack, p, &rt);
		if (r == 0) {
			r = ip_output_raw(e->stack, &rt, p);
			return r < 0 ? r : (ssize_t)len;
		}
	}
	if (r < 0)
		pkt_free(p);
	else
		r = ip_output(e->stack, &rt, p, &t);
	dgram_hdrs_done(&h);
	return r < 0 ? r : (ssize_t)len;
}

static void fill_msg(struct ep *e, struct pktbuf *p, struct net_msg *m)
{
	if (m->name) {
		ep_fill_name(e, &p->src, 0, m->name);
		if (ip_needs_scope(&p->src))
			m->name->scope = p->ifindex;
	}
	epmsg_fill(e, p, m);
}

static ssize_t raw_recv(struct ep *e, struct net_msg *m)
{
	return m->flags & MSG_OOB ? -EOPNOTSUPP : dgram_recv(e, m, fill_msg);
}

#define ICMP_FILTER_OPT   1
#define ICMPV6_FILTER_OPT 1
#define SOL_RAW_LEVEL     255

/* At level IPPROTO_IPV6 and at the level of raw sockets. */
static bool is_raw6_opt(int opt) { return opt == IPV6_CHECKSUM || opt == OPT_IPV6_HDRINCL; }

static int raw_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len)
{
	int v, r;

	if (level == SOL_RAW_LEVEL && opt == ICMP_FILTER_OPT && e->proto == IPPROTO_ICMP) {
		memcpy(&raw(e)->icmp_filter, val, MIN(len, sizeof(raw(e)->icmp_filter)));
		return 0;
	}
	if (level == IPPROTO_ICMPV6 && opt == ICMPV6_FILTER_OPT && e->proto == IPPROTO_ICMPV6) {
		memcpy(raw(e)->icmp6_filter, val, MIN(len, sizeof(raw(e)->icmp6_filter)));
		return 0;
	}
	if (level == SOL_RAW_LEVEL && opt == ICMP_FILTER_OPT && e->family == AF_INET)
		return -EOPNOTSUPP;
	if (e->family != AF_INET6 || (level != SOL_RAW_LEVEL && (level != IPPROTO_IPV6 || !is_raw6_opt(opt))))
		return -ENOPROTOOPT;
	r = epopt_int(val, len, &v);
	if (r < 0 || !is_raw6_opt(opt))
		return r < 0 ? r : -ENOPROTOOPT;
	if (opt == OPT_IPV6_HDRINCL) {
		e->o.hdrincl = v != 0;
		return 0;
	}
	if ((e->proto == IPPROTO_ICMPV6 && level == IPPROTO_IPV6) || (v > 0 && v & 1))
		return -EINVAL;
	raw(e)->csum_off = v < 0 ? -1 : v;
	return 0;
}

static int raw_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len)
{
	if (level == SOL_RAW_LEVEL && opt == ICMP_FILTER_OPT && e->proto == IPPROTO_ICMP)
		return epopt_put(val, len, &raw(e)->icmp_filter, sizeof(raw(e)->icmp_filter));
	if (level == IPPROTO_ICMPV6 && opt == ICMPV6_FILTER_OPT)
		return epopt_put(val, len, raw(e)->icmp6_filter, sizeof(raw(e)->icmp6_filter));
	if (level == SOL_RAW_LEVEL && opt == ICMP_FILTER_OPT && e->family == AF_INET)
		return -EOPNOTSUPP;
	if (e->family == AF_INET6 && (level == IPPROTO_IPV6 || level == SOL_RAW_LEVEL) && is_raw6_opt(opt))
		return epopt_put_int(val, len, opt == IPV6_CHECKSUM ? raw(e)->csum_off : e->o.hdrincl);
	return -ENOPROTOOPT;
}

static bool filtered(struct ep *e, struct pktbuf *p)
{
	u8 type;

	if ((p->proto != IPPROTO_ICMP && p->proto != IPPROTO_ICMPV6) || p->len <= p->l4_off)
		return false;
	pkt_copy(p, p->l4_off, &type, 1);
	if (p->proto == IPPROTO_ICMP)
		return type < 32 && (raw(e)->icmp_filter >> type & 1);
	return raw(e)->icmp6_filter[type >> 5] >> (type & 31) & 1;
}

static bool wants(struct ep *e, struct nic *n, struct pktbuf *p)
{
	bool v4 = ip_is4(&p->dst);

	if (e->ops != &raw_ops || e->proto != p->proto || (e->family == AF_INET) != v4)
		return false;
	if (e->o.bound_if && e->o.bound_if != n->ifindex)
		return false;
	if (!ip_is_any(&e->laddr) && !ip_eq(&e->laddr, &p->dst))
		return false;
	if (e->connected && !ip_eq(&e->raddr, &p->src))
		return false;
	return !filtered(e, p) && !(e->shut & 1);
}

#define RAW_FANOUT 32

bool raw_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct ep *e, *hit[RAW_FANOUT];
	int i, cnt = 0;

	mutex_lock(&s->eps_mu);
	list_for_each(e, &s->raws, kind_node)
		if (cnt < RAW_FANOUT && wants(e, n, p) && ref_get_unless_zero(&e->ref))
			hit[cnt++] = e;
	mutex_unlock(&s->eps_mu);
	for (i = 0; i < cnt; i++) {
		struct pktbuf *c = pkt_clone(p);

		if (c) {
			if (!ip_is4(&p->dst))
				pkt_pull(c, c->l4_off);
			mutex_lock(&hit[i]->mu);
			dgram_filter_queue(hit[i], c, 0);
			mutex_unlock(&hit[i]->mu);
		}
		ep_unref(hit[i]);
	}
	return cnt > 0;
}

void raw_icmp(struct stack *s, struct pktbuf *p, u8 proto, const struct icmp_news *w)
{
	struct net_sa dst = { .ip = p->dst };
	struct ep *e, *hit[RAW_FANOUT];
	int i, cnt = 0;

	if (w->err == EMSGSIZE && w->info)
		pmtu_learn(s, &p->dst, w->info);
	mutex_lock(&s->eps_mu);
	list_for_each(e, &s->raws, kind_node)
		if (cnt < RAW_FANOUT && e->proto == proto &&
		    (e->ops == &raw_ops || (p->len >= ICMP_HLEN && e->lport == get_be16(pkt_data(p) + 4))) &&
		    ref_get_unless_zero(&e->ref))
			hit[cnt++] = e;
	mutex_unlock(&s->eps_mu);
	for (i = 0; i < cnt; i++) {
		e = hit[i];
		mutex_lock(&e->mu);
		if (e->o.recverr || e->o.recverr6)
			errq_add(e, p, w->err, ip_is4(&p->dst) ? EE_ORIGIN_ICMP : EE_ORIGIN_ICMP6, w->type,
				 w->code, w->info, &w->from, &dst);
		if (e->o.recverr || e->o.recverr6 || (e->connected && w->hard))
			ep_set_err(e, w->err);
		mutex_unlock(&e->mu);
		ep_unref(e);
	}
}

/* ------------------------------------------------------------- ping sockets */

static bool id_taken(struct stack *s, struct ep *me, u16 id)
{
	struct ep *e;

	list_for_each(e, &s->raws, kind_node)
		if (e != me && e->ops == &ping_ops && e->proto == me->proto && e->lport == id)
			return true;
	return false;
}

/* An identifier of our own: asked for, or any that is free. */
static int take_id(struct ep *e, u16 want)
{
	struct stack *s = e->stack;
	u16 id = want ? want : (u16)stack_rand32(s);
	int i, r = -EADDRINUSE;

	mutex_lock(&s->eps_mu);
	for (i = 0; i < 65536; i++, id++) {
		if (id && !id_taken(s, e, id)) {
			e->lport = id;
			r = 0;
			break;
		}
		if (want)
			break;
	}
	mutex_unlock(&s->eps_mu);
	return r;
}

static int ping_bind(struct ep *e, const struct net_sa *sa)
{
	int r = raw_bind(e, sa);

	return r < 0 ? r : take_id(e, sa->port);
}

static ssize_t ping_send(struct ep *e, struct net_msg *m)
{
	u8 want = e->family == AF_INET ? ICMP4_ECHO : ICMP6_ECHO;
	struct ip_tx t = { 0 };
	struct dgram_hdrs h = { .held = NULL };
	struct send_ctl c;
	struct pktbuf *p;
	struct rt rt;
	size_t len = m->io->len;
	u64 sum;
	u16 f;
	u8 *d;
	int r;

	if (len < ICMP_HLEN)
		return -EINVAL;
	if (len > 65507)
		return -EMSGSIZE;
	r = epmsg_parse(e, m, &c);
	if (r == 0)
		r = dgram_gather(e, m->io, len, &p);
	if (r < 0)
		return r;
	d = pkt_data(p);
	mutex_lock(&e->mu);
	r = d[0] != want || d[1] != 0 ? -EINVAL : prepare(e, m, &c, &rt, &t, &h);
	mutex_unlock(&e->mu);
	if (r == 0 && !e->lport)
		r = take_id(e, 0);
	if (r < 0) {
		dgram_hdrs_done(&h);
		pkt_free(p);
		return r;
	}
	put_be16(d + 4, e->lport);
	d[2] = d[3] = 0;
	sum = pkt_csum(p, 0, p->len);
	if (e->family == AF_INET6)
		sum = csum_add(sum, ip_pseudo(&t.src, &t.dst, IPPROTO_ICMPV6, p->len));
	f = csum_fold(sum);
	memcpy(d + 2, &f, 2);
	ep_sign(e, p);
	r = ip_output(e->stack, &rt, p, &t);
	dgram_hdrs_done(&h);
	return r < 0 ? r : (ssize_t)len;
}

void ping_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct ep *e, *hit = NULL;
	struct pktbuf *c;
	u8 h[ICMP_HLEN];

	if (!s->nraws)
		return;
	pkt_copy(p, p->l4_off, h, sizeof(h));
	mutex_lock(&s->eps_mu);
	list_for_each(e, &s->raws, kind_node)
		if (e->ops == &ping_ops && e->proto == p->proto && e->lport == get_be16(h + 4) &&
		    (!e->o.bound_if || e->o.bound_if == n->ifindex) && ref_get_unless_zero(&e->ref)) {
			hit = e;
			break;
		}
	mutex_unlock(&s->eps_mu);
	if (!hit)
		return;
	c = pkt_clone(p);
	if (c) {
		pkt_pull(c, c->l4_off);
		mutex_lock(&hit->mu);
		dgram_filter_queue(hit, c, 0);
		mutex_unlock(&hit->mu);
	}
	ep_unref(hit);
}

const struct ep_ops raw_ops = {
	.name = "raw",
	.size = sizeof(struct raw_ep),
	.init = raw_init,
	.bind = raw_bind,
	.connect = raw_connect,
	.shutdown = raw_shutdown,
	.poll = dgram_poll,
	.send = raw_send,
	.recv = raw_recv,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.inq = dgram_inq,
	.outq = dgram_outq,
	.close = raw_close,
	.release = raw_release,
};

const struct ep_ops ping_ops = {
	.name = "ping",
	.size = sizeof(struct raw_ep),
	.init = raw_init,
	.bind = ping_bind,
	.connect = raw_connect,
	.shutdown = raw_shutdown,
	.poll = dgram_poll,
	.send = ping_send,
	.recv = raw_recv,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.inq = dgram_inq,
	.outq = dgram_outq,
	.close = raw_close,
	.release = raw_release,
};
