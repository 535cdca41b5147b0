/*
 * icmp4.c - ICMP for IPv4: echo, errors both ways (RFC 792, 1122, 1812).
 *
 * Errors are never sent about errors, fragments but the first, multicast and
 * broadcast, and no faster than the sysctls say.
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/core/ep.h"
#include "netstack/core/errqueue.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/ip4opt.h"
#include "netstack/raw/raw.h"
#include "netstack/tcp/tcp.h"
#include "netstack/udp/udp.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip4.h"

/* Options that an answer to @p carries; false: it cannot be given. */
static bool echoed(struct stack *s, const struct pktbuf *p, struct ip4_opts *ret)
{
	*ret = (struct ip4_opts){ 0 };
	return !p->ext || ip4opt_echo(s, (const struct ip4_opts *)(const void *)p->ext->data, ret);
}

static void send_icmp(struct stack *s, const struct rt *rt, const struct ipaddr *dst, u8 tos, const struct ip4_opts *o,
		      struct pktbuf *p)
{
	struct ip_tx t = { .src = rt->src, .dst = *dst, .proto = IPPROTO_ICMP, .tos = tos };
	u16 sum = csum_fold(pkt_csum(p, 0, p->len));
	u8 room[IP4OPT_MAX];

	if (o->len)
		ip4opt_put(s, o, dst, &t, room);
	t.ttl = (u8)s->sysctl.ttl[0];
	memcpy(pkt_data(p) + 2, &sum, 2);
	MIB(s, Icmp_OutMsgs);
	ip_output(s, rt, p, &t);
}

void icmp4_error(struct nic *n, struct pktbuf *p, u8 type, u8 code, u32 rest)
{
	struct stack *s = n->stack;
	struct ip4_hdr h;
	struct ip4_opts o;
	struct pktbuf *r;
	struct rt rt;
	u32 quote;
	u8 *d;

	if ((p->flags & (PKT_MCAST | PKT_BCAST)) || p->pkttype != 0)
		return;
	if (!pkt_may_pull(p, IP4_HLEN) || ip4_parse(pkt_data(p), p->len, &h) < 0)
		return;
	if ((h.frag & IP4_OFFMASK) || ip_is_any(&p->src) || ip_is_multicast(&p->src))
		return;
	if (h.proto == IPPROTO_ICMP) {
		u8 t;

		if (p->len < h.hlen + 1u)
			return;
		pkt_copy(p, h.hlen, &t, 1);
		if (t != ICMP4_ECHO && t != ICMP4_TSTAMP && t != ICMP4_ECHOREPLY)
			return;
	}
	if (n != s->lo && !ratelimit_ok(s, &s->icmp_limit, (u32)s->sysctl.icmp_per_sec[0])) {
		MIB(s, Icmp_OutRateLimitGlobal);
		return;
	}
	if (rt_lookup(s, &p->src, addr_is_local(s, &p->dst) ? &p->dst : NULL, 0, 0, &rt) < 0)
		return;
	if (!echoed(s, p, &o))
		return;
	quote = MIN(p->len, 576u - IP4_HLEN - ICMP_HLEN - o.len);
	r = pkt_room(s->pool, ICMP_HLEN + quote, &d);
	if (!r)
		return;
	icmp_emit(d, type, code, rest);
	pkt_copy(p, 0, d + ICMP_HLEN, quote);
	if (type == ICMP4_UNREACH)
		MIB(s, Icmp_OutDestUnreachs);
	else if (type == ICMP4_TIMEX)
		MIB(s, Icmp_OutTimeExcds);
	send_icmp(s, &rt, &p->src, (u8)(p->tos & 0x1e) | 0xc0, &o, r);
}

void icmp_port_unreach(struct nic *n, struct pktbuf *p)
{
	if (ip_is4(&p->dst))
		icmp4_error(n, p, ICMP4_UNREACH, ICMP4_UNREACH_PORT, 0);
	else
		icmp6_error(n, p, ICMP6_UNREACH, ICMP6_UNREACH_PORT, 0);
}

void icmp_to_transport(struct stack *s, struct nic *n, struct pktbuf *inner, u8 proto, int err,
		       bool hard, u32 info, const u8 tc[2], const struct ipaddr *from)
{
	struct icmp_news w = { .err = err, .hard = hard, .info = info, .type = tc[0], .code = tc[1],
			       .from = *from, .nic = n };

	if (proto == IPPROTO_TCP)
		tcp_icmp(s, inner, &w);
	else if (proto == IPPROTO_UDP)
		udp_icmp(s, inner, &w);
	else
		raw_icmp(s, inner, proto, &w);
}

/* errno and hardness by code of Destination Unreachable (Linux' icmp_err_convert). */
static const struct { u8 err; bool hard; } unreach[ICMP4_UNREACH_MAX + 1] = {
	{ ENETUNREACH, false }, { EHOSTUNREACH, false }, { ENOPROTOOPT, true }, { ECONNREFUSED, true },
	{ EMSGSIZE, false }, { EOPNOTSUPP, false }, { ENETUNREACH, true }, { EHOSTDOWN, true },
	{ ENONET, true }, { ENETUNREACH, true }, { EHOSTUNREACH, true }, { ENETUNREACH, false },
	{ EHOSTUNREACH, false }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true }, { EHOSTUNREACH, true },
};

/* Next lower plateau of RFC 1191 when a router does not tell its MTU. */
static u32 guess_mtu(u32 len)
{
	static const u16 plateau[] = { 32000, 17914, 8166, 4352, 2002, 1492, 576, 296, 216, 128, 68 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(plateau); i++)
		if (plateau[i] < len)
			return plateau[i];
	return 68;
}

static void rx_error(struct nic *n, struct pktbuf *p, const struct icmp_hdr *h)
{
	struct ipaddr from = p->src;
	u8 tc[2] = { h->type, h->code };
	struct ip4_hdr q;
	u32 info = 0;
	int err = EPROTO;
	bool hard = false;

	pkt_pull(p, p->l4_off + ICMP_HLEN);
	if (!pkt_may_pull(p, IP4_HLEN) || pkt_data(p)[0] >> 4 != 4)
		return;
	/* The quoted packet is cut off, so its length field does not matter. */
	q.hlen = (u8)((pkt_data(p)[0] & 15) * 4);
	if (q.hlen < IP4_HLEN || !pkt_may_pull(p, q.hlen + 8u))
		return;
	q.len = get_be16(pkt_data(p) + 2);
	q.proto = pkt_data(p)[9];
	p->src = ip_from4(pkt_data(p) + 12);
	p->dst = ip_from4(pkt_data(p) + 16);
	if (h->type == ICMP4_UNREACH) {
		if (h->code > ICMP4_UNREACH_MAX)
			return;
		err = unreach[h->code].err;
		hard = unreach[h->code].hard;
		if (h->code == ICMP4_UNREACH_NEEDFRAG) {
			info = h->rest & 0xffff;
			if (info == 0)
				info = guess_mtu(q.len);
			info = MAX(info, 552u);         /* Linux' min_pmtu */
		}
	} else if (h->type == ICMP4_TIMEX) {
		err = EHOSTUNREACH;
	} else {
		info = h->rest >> 24;
		hard = true;
	}
	pkt_pull(p, q.hlen);
	icmp_to_transport(n->stack, n, p, q.proto, err, hard, info, tc, &from);
}

static void echo(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct ipaddr to = p->src;
	struct ip4_opts o;
	struct pktbuf *r;
	struct rt rt;
	u8 hdr[ICMP_HLEN];

	MIB(s, Icmp_InEchos);
	if (s->sysctl.echo_ignore_all[0] ||
	    ((p->flags & (PKT_MCAST | PKT_BCAST)) && s->sysctl.echo_ignore_bcast[0]))
		return;
	if (!echoed(s, p, &o) || rt_lookup(s, &to, (p->flags & (PKT_MCAST | PKT_BCAST)) ? NULL : &p->dst, 0, 0, &rt) < 0)
		return;
	pkt_copy(p, p->l4_off, hdr, sizeof(hdr));
	r = pkt_slice(p, p->l4_off + ICMP_HLEN, p->len - p->l4_off - ICMP_HLEN);
	if (!r)
		return;
	r->gso_size = 0;
	r->flags = 0;
	icmp_emit(pkt_push(r, ICMP_HLEN), ICMP4_ECHOREPLY, 0, get_be32(hdr + 4));
	MIB(s, Icmp_OutEchoReps);
	send_icmp(s, &rt, &to, p->tos, &o, r);
}

void icmp4_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct icmp_hdr h;

	MIB(s, Icmp_InMsgs);
	if (!pkt_may_pull(p, p->l4_off + ICMP_HLEN) ||
	    !icmp_parse(pkt_data(p) + p->l4_off, p->len - p->l4_off, &h)) {
		MIB(s, Icmp_InErrors);
		return;
	}
	if (!(p->flags & PKT_LOOPED) && csum_fold(pkt_csum(p, p->l4_off, p->len - p->l4_off)) != 0) {
		MIB(s, Icmp_InCsumErrors);
		return;
	}
	switch (h.type) {
	case ICMP4_ECHO:
		echo(n, p);
		break;
	case ICMP4_ECHOREPLY:
		MIB(s, Icmp_InEchoReps);
		ping_rx(n, p);
		break;
	case ICMP4_UNREACH:
		MIB(s, Icmp_InDestUnreachs);
		rx_error(n, p, &h);
		break;
	case ICMP4_TIMEX:
		MIB(s, Icmp_InTimeExcds);
		rx_error(n, p, &h);
		break;
	case ICMP4_PARAM:
		rx_error(n, p, &h);
		break;
	default:
		break;          /* redirects are not obeyed; the rest is history */
	}
}

void icmp_host_unreach(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct ipaddr from;
	u8 tc4[2] = { ICMP4_UNREACH, ICMP4_UNREACH_HOST }, tc6[2] = { ICMP6_UNREACH, ICMP6_UNREACH_ADDR };
	bool v4;
	u8 *d, proto;
	u32 hl;

	if (!pkt_may_pull(p, IP4_HLEN))
		return;
	d = pkt_data(p);
	v4 = d[0] >> 4 == 4;
	if (!v4 && !pkt_may_pull(p, 40))
		return;
	d = pkt_data(p);
	hl = v4 ? (d[0] & 15) * 4u : 40;
	proto = v4 ? d[9] : d[6];
	p->src = v4 ? ip_from4(d + 12) : ip_from6(d + 8);
	p->dst = v4 ? ip_from4(d + 16) : ip_from6(d + 24);
	if (!addr_is_local(s, &p->src)) {
		if (v4)
			icmp4_error(n, p, ICMP4_UNREACH, ICMP4_UNREACH_HOST, 0);
		else
			icmp6_error(n, p, ICMP6_UNREACH, ICMP6_UNREACH_ADDR, 0);
		return;
	}
	if (!pkt_may_pull(p, hl + 8))
		return;
	from = p->src;
	pkt_pull(p, hl);
	icmp_to_transport(s, n, p, proto, EHOSTUNREACH, false, 0, v4 ? tc4 : tc6, &from);
}
