/*
 * icmp6.c - ICMPv6: echo, errors both ways (RFC 4443); NDP and MLD go on to theirs.
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/core/ep.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/raw/raw.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip6.h"
#include "netstack/wire/csum.h"

static void finish(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t)
{
	u64 sum = csum_add(pkt_csum(p, 0, p->len), ip_pseudo(&t->src, &t->dst, IPPROTO_ICMPV6, p->len));
	u16 f = csum_fold(sum);

	memcpy(pkt_data(p) + 2, &f, 2);
	MIB(s, Icmp6_OutMsgs);
	ip_output(s, rt, p, t);
}

void icmp6_send(struct nic *n, const struct ipaddr *src, const struct ipaddr *dst, u8 hlim,
		const u8 *msg, size_t len, bool router_alert)
{
	struct ip_tx t = { .src = *src, .dst = *dst, .proto = IPPROTO_ICMPV6, .ttl = hlim,
			   .router_alert = router_alert };
	struct rt rt = { .nic = n, .src = *src, .nexthop = *dst, .mtu = n->mtu, .valid = true };
	struct pktbuf *p = pkt_from(n->stack->pool, msg, len);

	if (!p)
		return;
	rt.type = ip_is_multicast(dst) ? RTN_MULTICAST : RTN_UNICAST;
	finish(n->stack, &rt, p, &t);
}

void icmp6_error(struct nic *n, struct pktbuf *p, u8 type, u8 code, u32 rest)
{
	struct stack *s = n->stack;
	struct ip_tx t = { .dst = p->src, .proto = IPPROTO_ICMPV6 };
	struct pktbuf *r;
	struct rt rt;
	u32 quote;
	u8 *d;

	if ((p->flags & (PKT_MCAST | PKT_BCAST)) && type != ICMP6_TOOBIG &&
	    !(type == ICMP6_PARAM && code == 2))
		return;
	if (ip_is_any(&p->src) || ip_is_multicast(&p->src) || p->len < IP6_HLEN)
		return;
	if (p->proto == IPPROTO_ICMPV6) {
		u8 it;

		if (p->len <= p->l4_off)
			return;
		pkt_copy(p, p->l4_off, &it, 1);
		if (it < 128 || it == NDP_REDIRECT)
			return;
	}
	if (n != s->lo && !ratelimit_ok(s, &s->icmp_limit, (u32)s->sysctl.icmp_per_sec[0]))
		return;
	if (rt_lookup(s, &p->src, addr_is_local(s, &p->dst) ? &p->dst : NULL,
		      ip_needs_scope(&p->src) ? n->ifindex : 0, 0, &rt) < 0)
		return;
	quote = MIN(p->len, 1280u - IP6_HLEN - ICMP_HLEN);
	r = pkt_room(s->pool, ICMP_HLEN + quote, &d);
	if (!r)
		return;
	icmp_emit(d, type, code, rest);
	pkt_copy(p, 0, d + ICMP_HLEN, quote);
	t.src = rt.src;
	t.ttl = (u8)s->sysctl.hlim[0];
	finish(s, &rt, r, &t);
}

enum { REFLECT_ECHO = 4 };              /* of flowlabel_reflect */

static void echo(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct ip_tx t = { .dst = p->src, .proto = IPPROTO_ICMPV6, .tos = p->tos };
	struct pktbuf *r;
	struct rt rt;
	u8 hdr[ICMP_HLEN];

	if (s->sysctl.echo_ignore_all[0] || ip_is_any(&p->src))
		return;
	if (rt_lookup(s, &p->src, (p->flags & PKT_MCAST) ? NULL : &p->dst,
		      ip_needs_scope(&p->src) ? n->ifindex : 0, 0, &rt) < 0)
		return;
	pkt_copy(p, p->l4_off, hdr, sizeof(hdr));
	r = pkt_slice(p, p->l4_off + ICMP_HLEN, p->len - p->l4_off - ICMP_HLEN);
	if (!r)
		return;
	r->gso_size = 0;
	r->flags = 0;
	icmp_emit(pkt_push(r, ICMP_HLEN), ICMP6_ECHOREPLY, 0, get_be32(hdr + 4));
	t.src = rt.src;
	t.ttl = (u8)s->sysctl.hlim[0];
	if (s->sysctl.flowlabel_reflect[0] & REFLECT_ECHO)
		t.flowlabel = p->flowlabel;
	finish(s, &rt, r, &t);
}

static void rx_error(struct nic *n, struct pktbuf *p, const struct icmp_hdr *h)
{
	static const u8 unreach[] = { ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED,
				      EACCES, EACCES };
	struct ipaddr from = p->src;
	u8 tc[2] = { h->type, h->code };
	struct ip6_problem prob;
	struct ip6_chain c;
	u8 front[PKT_HDR_MAX];
	u32 info = 0, k;
	int err = EPROTO;
	bool hard = false;

	pkt_pull(p, p->l4_off + ICMP_HLEN);
	k = MIN(p->len, (u32)sizeof(front));
	pkt_copy(p, 0, front, k);
	if (k < IP6_HLEN || front[0] >> 4 != 6 || ip6_walk(front, k, false, &c, &prob) < 0)
		return;
	if (c.proto == IP6_NH_FRAGMENT) {
		if (c.off + IP6_FRAG_HLEN > k || get_be16(front + c.off + 2) & 0xfff8)
			return;
		c.proto = front[c.off];
		c.off += IP6_FRAG_HLEN;
	}
	if (!pkt_may_pull(p, c.off + 8u))
		return;
	p->src = ip_from6(front + 8);
	p->dst = ip_from6(front + 24);
	if (h->type == ICMP6_UNREACH) {
		err = h->code < sizeof(unreach) ? unreach[h->code] : EPROTO;
		hard = h->code == ICMP6_UNREACH_PORT || h->code == ICMP6_UNREACH_ADMIN || h->code >= 5;
	} else if (h->type == ICMP6_TOOBIG) {
		err = EMSGSIZE;
		info = MAX(h->rest, 1280u);
	} else if (h->type == ICMP6_TIMEX) {
		err = EHOSTUNREACH;
	} else {
		info = h->rest;
		hard = h->code == 1;
	}
	pkt_pull(p, c.off);
	icmp_to_transport(n->stack, n, p, c.proto, err, hard, info, tc, &from);
}

void icmp6_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct icmp_hdr h;

	MIB(s, Icmp6_InMsgs);
	if (!pkt_may_pull(p, p->l4_off + ICMP_HLEN) ||
	    !icmp_parse(pkt_data(p) + p->l4_off, p->len - p->l4_off, &h) ||
	    (!(p->flags & PKT_LOOPED) && !ip_csum_ok(p, IPPROTO_ICMPV6))) {
		MIB(s, Icmp6_InErrors);
		return;
	}
	switch (h.type) {
	case ICMP6_ECHO:
		echo(n, p);
		break;
	case ICMP6_ECHOREPLY:
		ping_rx(n, p);
		break;
	case ICMP6_UNREACH: case ICMP6_TOOBIG: case ICMP6_TIMEX: case ICMP6_PARAM:
		rx_error(n, p, &h);
		break;
	case NDP_RS: case NDP_RA: case NDP_NS: case NDP_NA: case NDP_REDIRECT:
		ndp_rx(n, p, h.type);
		break;
	case MLD_QUERY:
		mld_rx(n, p, h.type);
		break;
	default:
		break;
	}
}
