/*
 * cmsg.c - control messages of datagrams, in Linux' layout.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include "netstack/core/ep.h"
#include "netstack/core/optnum.h"

#ifndef SO_RXQ_OVFL
#define SO_RXQ_OVFL 40
#endif

void epmsg_put(struct epmsg_out *c, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };
	size_t room = c->room - c->used, take = len;

	if (room < sizeof(h)) {
		c->trunc = true;
		return;
	}
	if (room < CMSG_LEN(len)) {
		c->trunc = true;
		take = room - sizeof(h);
		h.cmsg_len = CMSG_LEN(take);
	}
	memcpy(c->buf + c->used, &h, sizeof(h));
	memcpy(c->buf + c->used + sizeof(h), data, take);
	c->used += MIN(CMSG_SPACE(take), room);
}

static void put_int(struct epmsg_out *c, int level, int type, int v)
{
	epmsg_put(c, level, type, &v, sizeof(v));
}

static void fill_stamp(struct ep *e, struct pktbuf *p, struct epmsg_out *c)
{
	if (!p->stamp)
		return;
	if (e->o.timestampns) {
		struct timespec t = { (time_t)(p->stamp / 1000000000), (long)(p->stamp % 1000000000) };

		epmsg_put(c, SOL_SOCKET, e->o.stamp_new ? OPT_SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS, &t, sizeof(t));
	} else if (e->o.timestamp) {
		struct timeval t = { (time_t)(p->stamp / 1000000000),
				     (suseconds_t)(p->stamp % 1000000000 / 1000) };

		epmsg_put(c, SOL_SOCKET, e->o.stamp_new ? OPT_SO_TIMESTAMP_NEW : SO_TIMESTAMP, &t, sizeof(t));
	}
	tstamp_put(e, p->stamp, c);
}

static void fill4(struct ep *e, struct pktbuf *p, struct epmsg_out *c)
{
	if (e->o.pktinfo) {
		struct in_pktinfo i = { .ipi_ifindex = (int)p->ifindex };

		memcpy(&i.ipi_addr, p->dst.b + 12, 4);
		memcpy(&i.ipi_spec_dst, p->dst.b + 12, 4);
		epmsg_put(c, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i));
	}
	if (e->o.recvttl)
		put_int(c, IPPROTO_IP, IP_TTL, p->ttl);
	if (e->o.recvtos)
		epmsg_put(c, IPPROTO_IP, IP_TOS, &p->tos, 1);
	hdropt_fill4(e, p, c);
	if (e->o.origdst) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(p->dport) };

		memcpy(&a.sin_addr, p->dst.b + 12, 4);
		epmsg_put(c, IPPROTO_IP, IP_RECVORIGDSTADDR, &a, sizeof(a));
	}
}

static void fill6(struct ep *e, struct pktbuf *p, struct epmsg_out *c)
{
	if (e->o.pktinfo6) {
		struct in6_pktinfo i = { .ipi6_ifindex = p->ifindex };

		memcpy(&i.ipi6_addr, p->dst.b, 16);
		epmsg_put(c, IPPROTO_IPV6, IPV6_PKTINFO, &i, sizeof(i));
	}
	if (e->o.recvhlim)
		put_int(c, IPPROTO_IPV6, IPV6_HOPLIMIT, p->ttl);
	if (e->o.recvtclass)
		put_int(c, IPPROTO_IPV6, IPV6_TCLASS, p->tos);
	if (e->o.recvflow && (p->flowlabel || p->tos)) {
		u32 info = htonl((u32)p->tos << 20 | p->flowlabel);

		epmsg_put(c, IPPROTO_IPV6, OPT_IPV6_FLOWINFO, &info, sizeof(info));
	}
	hdropt_fill6(e, p, c);
	if (e->o.opktinfo6) {
		struct in6_pktinfo i = { .ipi6_ifindex = p->ifindex };

		memcpy(&i.ipi6_addr, p->dst.b, 16);
		epmsg_put(c, IPPROTO_IPV6, OPT_IPV6_2292PKTINFO, &i, sizeof(i));
	}
	if (e->o.ohlim)
		put_int(c, IPPROTO_IPV6, OPT_IPV6_2292HOPLIMIT, p->ttl);
	hdropt_fill6_old(e, p, c);
}

static bool wants_ext(const struct ep *e, const struct pktbuf *p)
{
	if (ip_is4(&p->dst))
		return e->o.recvopts || e->o.retopts;
	return e->o.recvhopopts || e->o.recvdstopts || e->o.recvrthdr || e->o.ohopopts || e->o.odstopts || e->o.orthdr;
}

void epmsg_fill(struct ep *e, struct pktbuf *p, struct net_msg *m)
{
	struct epmsg_out c = { m->ctl, m->ctl_len, 0, false };

	if (m->ctl) {
		fill_stamp(e, p, &c);
		if (e->o.rxq_ovfl && e->drops)
			epmsg_put(&c, SOL_SOCKET, SO_RXQ_OVFL, &e->drops, sizeof(e->drops));
		if (e->o.rcvmark)
			epmsg_put(&c, SOL_SOCKET, SO_MARK, &p->mark, sizeof(p->mark));
		if (e->o.rcvprio)
			epmsg_put(&c, SOL_SOCKET, SO_PRIORITY, &p->priority, sizeof(p->priority));
		if (e->family == AF_INET6)
			fill6(e, p, &c);
		if (e->family == AF_INET || ip_is4(&p->dst))
			fill4(e, p, &c);
		if (p->gso_size && e->ops == &udp_ops)
			put_int(&c, IPPROTO_UDP, OPT_UDP_GRO, p->gso_size);
		if (c.trunc)
			m->ret_flags |= MSG_CTRUNC;
	} else if (e->o.pktinfo || e->o.pktinfo6 || e->o.recvttl || e->o.recvhlim || e->o.timestamp ||
		   e->o.timestampns || e->o.tsflags || e->o.recvtos || e->o.recvtclass || e->o.origdst ||
		   e->o.recvflow || (p->ext && wants_ext(e, p))) {
		m->ret_flags |= MSG_CTRUNC;
	}
	m->ctl_len = c.used;
}

static int get_int(const u8 *d, size_t n, int *ret)
{
	if (n != sizeof(int))
		return -EINVAL;
	memcpy(ret, d, sizeof(int));
	return 0;
}

static int parse_ip4(const struct ep *ep, bool net_raw, int type, const u8 *d, size_t n, struct send_ctl *r)
{
	struct in_pktinfo i;
	int v, e;

	switch (type) {
	case IP_PKTINFO:
		if (n != sizeof(i))
			return -EINVAL;
		memcpy(&i, d, sizeof(i));
		if (i.ipi_ifindex)
			r->oif = (u32)i.ipi_ifindex;
		if (i.ipi_spec_dst.s_addr) {
			r->src = ip_from4(&i.ipi_spec_dst);
			r->has_src = true;
		}
		return 0;
	case IP_TTL:
		e = get_int(d, n, &v);
		if (e < 0 || v < 1 || v > 255)
			return -EINVAL;
		r->ttl = (s16)v;
		return 0;
	case IP_TOS:
		if (n == 1)
			r->tos = d[0];
		else if (get_int(d, n, &r->tos) < 0 || r->tos < 0 || r->tos > 255)
			return -EINVAL;
		return 0;
	case IP_RETOPTS:
		r->has_opts4 = true;
		return ip4opt_set(ep->stack, d, MIN(n, (size_t)IP4OPT_MAX), net_raw, &r->opts4);
	default:
		return -EINVAL;
	}
}

/* Extension headers stay where they are: the view points there. */
static int parse_ext(bool net_raw, int type, const u8 *d, size_t n, struct ip6_ext *x)
{
	int kind = type == IPV6_HOPOPTS || type == OPT_IPV6_2292HOPOPTS ? IP6EXT_HOP : type == IPV6_RTHDRDSTOPTS ? IP6EXT_DST0 :
		   type == IPV6_RTHDR || type == OPT_IPV6_2292RTHDR ? IP6EXT_RT : IP6EXT_DST1;
	struct ip6_ext one = { { NULL }, { 0 } };

	if ((kind == IP6EXT_HOP && x->h[kind]) || (kind == IP6EXT_RT && (n < 4 || !ip6ext_rt_ok(d, n, false))))
		return -EINVAL;
	if (ip6ext_add(&one, kind, d, n) < 0)
		return -EINVAL;
	if (kind != IP6EXT_RT && !net_raw)
		return -EPERM;
	if (x->h[kind])
		return -EINVAL;
	x->h[kind] = one.h[kind];
	x->len[kind] = one.len[kind];
	if (type == OPT_IPV6_2292RTHDR && x->h[IP6EXT_DST1]) {         /* those options come before it */
		x->h[IP6EXT_DST0] = x->h[IP6EXT_DST1];
		x->len[IP6EXT_DST0] = x->len[IP6EXT_DST1];
		x->h[IP6EXT_DST1] = NULL;
		x->len[IP6EXT_DST1] = 0;
	}
	return 0;
}

static int parse_ip6(bool net_raw, int type, const u8 *d, size_t n, struct send_ctl *r)
{
	struct in6_pktinfo i;
	int v;

	switch (type) {
	case IPV6_HOPOPTS: case OPT_IPV6_2292HOPOPTS: case IPV6_RTHDRDSTOPTS: case IPV6_DSTOPTS: case OPT_IPV6_2292DSTOPTS:
	case IPV6_RTHDR: case OPT_IPV6_2292RTHDR:
		return parse_ext(net_raw, type, d, n, &r->ext);
	case IPV6_PKTINFO: case OPT_IPV6_2292PKTINFO:
		if (n < sizeof(i))
			return -EINVAL;
		memcpy(&i, d, sizeof(i));
		if (i.ipi6_ifindex)
			r->oif = i.ipi6_ifindex;
		r->src = ip_from6(&i.ipi6_addr);
		r->has_src = !ip_is_any(&r->src);
		return 0;
	case IPV6_HOPLIMIT: case OPT_IPV6_2292HOPLIMIT:
		if (get_int(d, n, &v) < 0 || v < -1 || v > 255)
			return -EINVAL;
		r->ttl = (s16)v;
		return 0;
	case IPV6_TCLASS:
		if (get_int(d, n, &v) < 0 || v < -1 || v > 255)
			return -EINVAL;
		r->tos = v;
		return 0;
	case OPT_IPV6_FLOWINFO:
		if (n < sizeof(u32))
			return -EINVAL;
		r->flow = get_be32(d) & FLOWLABEL_MASK;
		r->has_flow = true;
		return 0;
	case IPV6_DONTFRAG:
		if (get_int(d, n, &v) < 0)
			return -EINVAL;
		r->dontfrag = v;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_socket(const struct ep *e, int type, const u8 *d, size_t n, struct send_ctl *r)
{
	u32 ts;

	switch (type) {
	case SCM_RIGHTS: case SCM_CREDENTIALS:
		return 0;               /* of UNIX sockets, although the level is this */
	case SO_MARK:
		if (n != sizeof(r->mark))
			return -EINVAL;
		memcpy(&r->mark, d, sizeof(r->mark));
		return 0;
	case SO_PRIORITY:
		return n == sizeof(u32) ? 0 : -EINVAL;
	case SO_TXTIME:
		return e->o.txtime && n == sizeof(u64) ? 0 : -EINVAL;
	case SO_TIMESTAMPING: case OPT_SO_TIMESTAMPING_NEW:
		if (n != sizeof(ts))
			return -EINVAL;
		memcpy(&ts, d, sizeof(ts));
		if (ts & ~(u32)TS_TX_ANY)
			return -EINVAL;
		r->tsflags = ts;
		return 0;
	default:
		return -EINVAL;
	}
}

/* As in Linux a level that is not of the way that the message goes is passed over. */
static int parse_one(const struct ep *e, bool v4, bool net_raw, const struct cmsghdr *h, const u8 *d, size_t n,
		     struct send_ctl *r)
{
	u16 seg;

	switch (h->cmsg_level) {
	case SOL_SOCKET:
		return parse_socket(e, h->cmsg_type, d, n, r);
	case IPPROTO_IP:
		return v4 ? parse_ip4(e, net_raw, h->cmsg_type, d, n, r) : 0;
	case IPPROTO_IPV6:
		return e->family == AF_INET6 ? parse_ip6(net_raw, h->cmsg_type, d, n, r) : 0;
	case IPPROTO_UDP:
		if (e->ops != &udp_ops)
			return 0;
		if (h->cmsg_type != OPT_UDP_SEGMENT || n != sizeof(seg))
			return -EINVAL;
		memcpy(&seg, d, sizeof(seg));
		r->gso_size = seg;
		return 0;
	default:
		return 0;
	}
}

/* @ip: messages of other levels than SOL_SOCKET mean something. */
static int parse_all(struct ep *e, const struct net_msg *m, bool ip, struct send_ctl *ret)
{
	struct send_ctl c = { .ttl = -1, .tos = -1, .mark = e->o.mark, .tsflags = e->o.tsflags & TS_TX_ANY };
	bool v4 = e->family == AF_INET || ip_is4(m->name ? &m->name->ip : &e->raddr);
	const u8 *p = m->ctl;
	size_t left = m->ctl ? m->ctl_len : 0;

	while (left >= sizeof(struct cmsghdr)) {
		struct cmsghdr h;
		size_t step;
		int r;

		memcpy(&h, p, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > left)
			return -EINVAL;
		r = 0;
		if (ip || h.cmsg_level == SOL_SOCKET)
			r = parse_one(e, v4, m->net_raw, &h, p + sizeof(h), h.cmsg_len - sizeof(h), &c);
		if (r < 0)
			return r;
		step = ALIGN_UP(h.cmsg_len, sizeof(size_t));
		if (step >= left)
			break;
		p += step;
		left -= step;
	}
	*ret = c;
	return 0;
}

int epmsg_parse(struct ep *e, const struct net_msg *m, struct send_ctl *ret)
{
	return parse_all(e, m, e->type != SOCK_STREAM, ret);
}

int epmsg_parse_sticky(struct ep *e, const struct net_msg *m, struct send_ctl *ret) { return parse_all(e, m, true, ret); }
