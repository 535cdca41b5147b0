/*
 * udp.c - UDP (RFC 768, 8085): endpoints, sending.  Receiving is in udp_in.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "netstack/core/errqueue.h"
#include "netstack/core/nic.h"
#include "netstack/core/optnum.h"
#include "netstack/core/rtnl.h"
#include "netstack/ip/ip.h"
#include "netstack/udp/udp.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"
#include "netstack/wire/udp.h"

#define UDP_MAX     65507u              /* IPv4 payload */
#define UDP_MAX6    65527u
#define GSO_SEGS    128u

static int claim_port(struct ep *e, const struct ipaddr *a, u16 port)
{
	int r;

	e->bind.laddr = *a;
	e->bind.flags = ep_bind_flags(e);
	e->bind.ifindex = e->o.bound_if;
	r = port_bind(e->stack, &e->bind, port);
	if (r == 0) {
		e->lport = e->bind.lport;
		udp_of(e)->port_chosen = port == 0;
	}
	return r;
}

static int udp_bind(struct ep *e, const struct net_sa *sa)
{
	struct ipaddr a;
	int r = ep_check_bind(e, sa, &a);

	if (r < 0)
		return r;
	mutex_lock(&e->mu);
	if (e->lport)
		r = -EINVAL;
	else if (sa->port || !e->o.bind_noport)
		r = claim_port(e, &a, sa->port);
	if (r == 0) {
		e->laddr = a;
		e->addr_bound = !ip_is_any(&a);
	}
	mutex_unlock(&e->mu);
	return r;
}

/* AF_UNSPEC: forget the peer; an address and a port that were not asked for go as well. */
static int disconnect(struct ep *e)
{
	struct ipaddr none = e->family == AF_INET ? ip_any4() : ip_any6();

	mutex_lock(&e->mu);
	e->connected = false;
	udp_of(e)->from6 = false;
	e->raddr = none;
	e->rport = 0;
	if (!e->addr_bound)
		e->laddr = none;
	e->rt.valid = false;
	if (e->bind.hashed)
		port_rekey(e->stack, &e->bind, &e->laddr, &none, 0, e->bind.flags);
	if (udp_of(e)->port_chosen && e->bind.hashed) {
		port_unbind(e->stack, &e->bind);
		e->lport = 0;
	}
	mutex_unlock(&e->mu);
	return 0;
}

/* Who is bound to an address of IPv6 has none of IPv4. */
static bool only6(const struct ep *e) { return e->o.v6only || (e->addr_bound && !ip_is4(&e->laddr)); }

static int udp_connect(struct ep *e, const struct net_sa *sa)
{
	struct ipaddr dst, had;
	struct rt rt;
	u32 oif, label = 0;
	bool keep;
	int r = 0;

	if (sa->family == AF_UNSPEC)
		return disconnect(e);
	mutex_lock(&e->mu);
	if (!e->lport)
		r = claim_port(e, &e->laddr, 0) < 0 ? -EAGAIN : 0;
	had = e->laddr;
	if (!e->addr_bound && (e->family == AF_INET || !ip_is4(&had)))
		e->laddr = e->family == AF_INET ? ip_any4() : ip_any6();
	if (r == 0)
		r = sa->family == AF_INET && e->family == AF_INET6 && only6(e) ? -EAFNOSUPPORT : ep_check_dst(e, sa, &dst, &oif);
	if (r == 0)
		r = flowlabel_given(e, sa, &label);
	if (r == 0 && !ip_is4(&dst) && ip_needs_scope(&dst) && !oif)
		r = -EINVAL;
	/*
	 * The source of a connection before this one stays, but for one of IPv6 that is given up for IPv4. As on Linux
	 * only who began with IPv6 may come back to it.
	 */
	keep = ip_is4(&dst) ? ip_is4(&had) : !ip_is4(&had) || !udp_of(e)->from6;
	if (r == 0)
		r = rt_lookup(e->stack, &dst, keep ? &had : NULL, oif, 0, &rt);
	if (r == 0 && rt.type == RTN_BROADCAST && !e->o.broadcast)
		r = -EACCES;
	e->laddr = had;
	if (r == 0) {
		udp_of(e)->from6 |= !ip_is4(&had) && !ip_is_any(&had);
		if (!e->addr_bound)
			e->laddr = rt.src;
		e->raddr = dst;
		e->rport = sa->port;
		e->flowlabel = label;
		e->connected = true;
		if (ip_needs_scope(&dst))
			e->o.bound_if = oif;
		e->rt = rt;
		port_rekey(e->stack, &e->bind, &e->laddr, &e->raddr, e->rport, e->bind.flags);
	}
	mutex_unlock(&e->mu);
	return r;
}

/* SOCK_DESTROY */
static int udp_abort(struct ep *e, int err)
{
	mutex_lock(&e->mu);
	ep_set_err(e, err);
	mutex_unlock(&e->mu);
	return disconnect(e);
}

static int udp_shutdown(struct ep *e, int how)
{
	int r = 0;

	mutex_lock(&e->mu);
	if (!e->connected)
		r = -ENOTCONN;
	e->shut |= (u8)(how + 1);
	if (r == 0 || (e->shut & 1))
		ep_wake(e, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	mutex_unlock(&e->mu);
	return r;
}

/* Everything a datagram needs to leave, gathered under the lock. */
struct out {
	struct rt rt;
	struct ip_tx t;
	u16 sport, dport;
	u16 gso;
	u32 flow;
	struct dgram_hdrs h;
};

static void out_opts(struct ep *e, const struct send_ctl *c, struct out *o)
{
	o->t.proto = IPPROTO_UDP;
	dgram_out_opts(e, c, &o->t);
	/* PROBE ignores what was learned; INTERFACE and OMIT fragment by the link's MTU. */
	if ((ip_is4(&o->t.dst) ? e->o.pmtudisc : e->o.pmtudisc6) >= IP_PMTUDISC_PROBE)
		o->rt.mtu = o->rt.nic->mtu;
}

/* Before anything else of a message is looked at: a port of one's own, and a destination.  mu held. */
static int dest_given(struct ep *e, const struct net_msg *m)
{
	int r = e->lport ? 0 : claim_port(e, &e->laddr, 0);

	if (r < 0)
		return r == -EADDRINUSE ? -EAGAIN : r;
	if (m->name && e->family == AF_INET && m->name->family == AF_INET6)
		return -EAFNOSUPPORT;
	if (m->name && e->family == AF_INET6 && e->o.v6only && ip_is4(&m->name->ip))
		return -ENETUNREACH;
	if (m->name)
		return m->name->port ? 0 : -EINVAL;
	return e->connected || udp_of(e)->cork ? 0 : -EDESTADDRREQ;
}

/* What Linux looks at last, when it takes memory for the packet.  mu held. */
static int may_go(struct ep *e)
{
	if (e->err)
		return ep_take_err(e);
	return e->shut & 2 ? -EPIPE : 0;
}

/* mu held */
static int prepare(struct ep *e, const struct net_msg *m, const struct send_ctl *c, struct out *o)
{
	struct ipaddr src = e->laddr, via;
	u32 oif;
	int r;

	r = dest_given(e, m);
	if (r < 0)
		return r;
	if (m->name) {
		r = ep_check_dst(e, m->name, &o->t.dst, &oif);
		if (r < 0)
			return r;
		o->dport = m->name->port;
	} else {
		o->t.dst = e->raddr;
		o->dport = e->rport;
		oif = e->o.bound_if;
	}
	r = dgram_label(e, m, c, &o->t.flowlabel);
	if (r < 0)
		return r;
	if (c->oif)
		oif = c->oif;
	if (c->has_src)
		src = c->src;
	if (ip_is4(&o->t.dst) && !ip_is4(&src) && !c->has_src)
		src = ip_any4();
	if (!ip_is4(&o->t.dst) && ip_is4(&src) && !c->has_src && udp_of(e)->from6)
		src = ip_any6();
	dgram_hdrs(e, c, &o->t, &o->h, &via);
	if (!m->name && !c->has_src && !c->oif && ip_eq(&via, &e->raddr)) {
		r = ep_route(e);
		o->rt = e->rt;
	} else {
		if (ip_is_any(&src) && ip_is_multicast(&o->t.dst) && !ip_is_any(&e->o.mc_src))
			src = e->o.mc_src;
		r = rt_lookup(e->stack, &via, &src, oif, e->o.freebind ? RT_NO_SRC_CHECK : 0, &o->rt);
	}
	if (r < 0)
		return r;
	if (o->rt.type == RTN_BROADCAST && !e->o.broadcast)
		return -EACCES;
	o->t.src = o->rt.src;
	o->sport = e->lport;
	o->gso = c->gso_size ? c->gso_size : udp_of(e)->gso_size;
	o->flow = (u32)o->sport << 16 ^ o->dport;
	out_opts(e, c, o);
	return 0;
}

static int transmit(struct ep *e, struct out *o, struct pktbuf *p)
{
	struct stack *s = e->stack;
	u32 len = p->len + UDP_HLEN;
	int r;

	if (len > 65535) {
		pkt_free(p);
		return -EMSGSIZE;
	}
	udp_emit(pkt_push(p, UDP_HLEN), o->sport, o->dport, (u16)len);
	p->flow = o->flow;
	ep_sign(e, p);
	dgram_hdrs_put(e, &o->h, &o->t);
	if (o->gso && len - UDP_HLEN > o->gso) {
		p->gso_size = o->gso;
		p->gso_type = GSO_UDP;
	}
	if (!e->o.no_check || !ip_is4(&o->t.dst) || p->gso_size)
		ip_csum_begin(p, 6, &o->t.src, &o->t.dst, IPPROTO_UDP);
	MIB(s, Udp_OutDatagrams);
	r = ip_output(s, &o->rt, p, &o->t);
	return r == -ENOBUFS || r == -ENOMEM ? -ENOBUFS : r;
}

/* Add to what MSG_MORE or UDP_CORK holds back; *ret_go is the whole when it is time to send. */
static int cork(struct ep *e, struct net_msg *m, struct pktbuf *p, struct pktbuf **ret_go)
{
	struct udp_ep *u = udp_of(e);
	bool more = u->corked || (m->flags & MSG_MORE);
	struct pktbuf *all;
	u8 *d;

	*ret_go = NULL;
	if (!u->cork) {
		if (!more) {
			*ret_go = p;
			return 0;
		}
		u->cork = p;
		u->cork_has_dst = m->name != NULL;
		if (m->name)
			u->cork_dst = *m->name;
		return 0;
	}
	if (u->cork->len + p->len > UDP_MAX) {
		pkt_free(p);
		return -EMSGSIZE;
	}
	all = pkt_room(e->stack->pool, u->cork->len + p->len, &d);
	if (!all) {
		pkt_free(p);
		return -ENOBUFS;
	}
	pkt_copy(u->cork, 0, d, u->cork->len);
	pkt_copy(p, 0, d + u->cork->len, p->len);
	pkt_free(u->cork);
	pkt_free(p);
	u->cork = more ? all : NULL;
	if (!more)
		*ret_go = all;
	return 0;
}

/* May this datagram leave, in pieces if that is allowed? */
static bool fits(const struct out *o, const struct pktbuf *p)
{
	bool v4 = ip_is4(&o->t.dst);
	size_t more = dgram_hdrs_len(&o->h), hdr = (v4 ? IP4_HLEN : IP6_HLEN) + more, len = p->len + UDP_HLEN;

	if (len + more > (v4 ? UDP_MAX : UDP_MAX6) + UDP_HLEN)
		return false;
	return !o->t.df || o->gso || len + hdr <= o->rt.mtu;
}

/* IP_RECVERR tells of it, with the path's MTU; mu held. */
static int report_size(struct ep *e, struct out *o)
{
	struct net_sa dst = { .ip = o->t.dst, .port = o->dport };

	if (ip_is4(&o->t.dst) ? e->o.recverr : e->o.recverr6)
		errq_add(e, NULL, EMSGSIZE, EE_ORIGIN_LOCAL, 0, 0, o->rt.mtu - dgram_hdrs_len(&o->h), NULL, &dst);
	return -EMSGSIZE;
}

/* More than any datagram takes: IPv4 says so at once, IPv6 when it knows where to. */
static int too_long(struct ep *e, struct net_msg *m)
{
	struct send_ctl c = { .ttl = -1, .tos = -1 };
	struct out o = { 0 };
	int r = -EMSGSIZE;

	mutex_lock(&e->mu);
	if (e->family == AF_INET6)
		r = prepare(e, m, &c, &o);
	if (r == 0)
		r = report_size(e, &o);
	mutex_unlock(&e->mu);
	dgram_hdrs_done(&o.h);
	return r;
}

static ssize_t udp_send(struct ep *e, struct net_msg *m)
{
	size_t len = m->io->len;
	struct net_msg mm = *m;
	struct out o = { 0 };
	struct pktbuf *p, *copy = NULL;
	struct send_ctl c;
	int r;

	if ((m->flags & MSG_OOB) && e->family == AF_INET)
		return -EOPNOTSUPP;
	if (len > (e->family == AF_INET ? UDP_MAX : UDP_MAX6))
		return too_long(e, m);
	mutex_lock(&e->mu);
	r = dest_given(e, m);
	mutex_unlock(&e->mu);
	if (r == 0)
		r = epmsg_parse(e, m, &c);
	if (r < 0)
		return r;
	r = dgram_gather(e, m->io, len, &p);
	if (r < 0)
		return r;
	mutex_lock(&e->mu);
	r = cork(e, m, p, &p);
	if (r < 0 || !p) {
		mutex_unlock(&e->mu);
		return r < 0 ? r : (ssize_t)len;
	}
	if (!mm.name && udp_of(e)->cork_has_dst && p->len > len)
		mm.name = &udp_of(e)->cork_dst;
	r = prepare(e, &mm, &c, &o);
	if (r == 0 && o.gso && (p->len > (size_t)o.gso * GSO_SEGS || o.gso + UDP_HLEN + 48u > o.rt.mtu))
		r = -EINVAL;
	if (r == 0 && !fits(&o, p))
		r = report_size(e, &o);
	if (r == 0 && !(m->flags & MSG_PROXY))
		r = may_go(e);
	mutex_unlock(&e->mu);
	if (r < 0 || (m->flags & MSG_PROXY)) {  /* MSG_PROBE: only see whether it could go */
		dgram_hdrs_done(&o.h);
		pkt_free(p);
		return r < 0 ? r : (ssize_t)len;
	}
	if (c.tsflags && !(e->o.tsflags & TS_OPT_TSONLY))
		copy = pkt_clone(p);
	r = transmit(e, &o, p);
	dgram_hdrs_done(&o.h);
	if (c.tsflags && r >= 0) {
		mutex_lock(&e->mu);
		tstamp_sent(e, copy, c.tsflags);
		mutex_unlock(&e->mu);
	}
	pkt_free(copy);
	return r < 0 ? r : (ssize_t)len;
}

static int flush_cork(struct ep *e)
{
	struct net_msg m = { .name = udp_of(e)->cork_has_dst ? &udp_of(e)->cork_dst : NULL };
	struct send_ctl c = { .ttl = -1, .tos = -1 };
	struct out o = { 0 };
	struct pktbuf *p;
	int r;

	mutex_lock(&e->mu);
	udp_of(e)->corked = false;
	p = udp_of(e)->cork;
	udp_of(e)->cork = NULL;
	r = p ? prepare(e, &m, &c, &o) : 0;
	if (p && r == 0)
		r = may_go(e);
	mutex_unlock(&e->mu);
	if (!p)
		return 0;
	if (r < 0)
		pkt_free(p);
	else
		r = transmit(e, &o, p);
	dgram_hdrs_done(&o.h);
	return r;
}

static int udp_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len)
{
	int v, r;

	if (level != IPPROTO_UDP)
		return -ENOPROTOOPT;
	r = epopt_int(val, len, &v);
	if (r < 0)
		return r;
	switch (opt) {
	case OPT_UDP_CORK:
		if (!v)
			return flush_cork(e);
		mutex_lock(&e->mu);
		udp_of(e)->corked = true;
		mutex_unlock(&e->mu);
		return 0;
	case OPT_UDP_SEGMENT:
		if (v < 0 || v > 65535)
			return -EINVAL;
		udp_of(e)->gso_size = (u16)v;
		return 0;
	case OPT_UDP_GRO:
		udp_of(e)->gro = v != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len)
{
	if (level != IPPROTO_UDP)
		return -ENOPROTOOPT;
	switch (opt) {
	case OPT_UDP_CORK:
		return epopt_put_int(val, len, udp_of(e)->corked);
	case OPT_UDP_SEGMENT:
		return epopt_put_int(val, len, udp_of(e)->gso_size);
	case OPT_UDP_GRO:
		return epopt_put_int(val, len, udp_of(e)->gro);
	default:
		return -ENOPROTOOPT;
	}
}

static void fill_msg(struct ep *e, struct pktbuf *p, struct net_msg *m)
{
	if (m->name) {
		ep_fill_name(e, &p->src, p->sport, m->name);
		if (ip_needs_scope(&p->src))
			m->name->scope = p->ifindex;
	}
	epmsg_fill(e, p, m);
}

static ssize_t udp_recv(struct ep *e, struct net_msg *m)
{
	return dgram_recv(e, m, fill_msg);      /* MSG_OOB means nothing here */
}

static void udp_release(struct ep *e) { pkt_free(udp_of(e)->cork); }

static void udp_rekey(struct ep *e)
{
	if (e->bind.hashed)
		port_rekey(e->stack, &e->bind, &e->bind.laddr, &e->bind.raddr, e->bind.rport,
			   ep_bind_flags(e) | (e->bind.flags & BIND_DUAL));
}

const struct ep_ops udp_ops = {
	.name = "udp",
	.abort = udp_abort,
	.size = sizeof(struct udp_ep),
	.bind = udp_bind,
	.connect = udp_connect,
	.shutdown = udp_shutdown,
	.poll = dgram_poll,
	.send = udp_send,
	.recv = udp_recv,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.inq = dgram_inq,
	.outq = dgram_outq,
	.release = udp_release,
	.rekey = udp_rekey,
};
