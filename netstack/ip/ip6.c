/*
 * ip6.c - an IPv6 packet arrives: extension headers, reassembly, delivery.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include "netstack/core/ep.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip6.h"

static void forward6(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct pktbuf *c;
	struct rt rt;
	u8 hdr[IP6_HLEN];
	bool big;

	if (!s->sysctl.ip6_forward[0] || (p->flags & (PKT_MCAST | PKT_BCAST | PKT_LOOPED)) ||
	    ip_is_linklocal(&p->src) || ip_is_linklocal(&p->dst))
		goto drop;
	if (p->ttl <= 1) {
		icmp6_error(n, p, ICMP6_TIMEX, 0, 0);
		goto drop;
	}
	if (rt_lookup(s, &p->dst, &p->src, 0, RT_NO_SRC_CHECK, &rt) < 0 || rt.type != RTN_UNICAST) {
		icmp6_error(n, p, ICMP6_UNREACH, ICMP6_UNREACH_NOROUTE, 0);
		goto drop;
	}
	big = gso_longest(p) > rt.mtu;
	if (big && (p->gso_size || !(p->flags & PKT_DEFRAG))) {
		icmp6_error(n, p, ICMP6_TOOBIG, 0, rt.mtu);
		goto drop;
	}
	if (nf_on(&s->nf, true, NF_FWD) && !nf_pass(s, NF_FWD, n, rt.nic, p))
		return;
	pkt_copy(p, 0, hdr, sizeof(hdr));
	hdr[7]--;
	c = pkt_slice(p, IP6_HLEN, p->len - IP6_HLEN);
	if (!c)
		goto drop;
	memcpy(pkt_push(c, IP6_HLEN), hdr, sizeof(hdr));
	c->csum_start = p->csum_start;
	ip_csum_renew(c);
	if (nf_on(&s->nf, true, NF_POST) && !nf_pass(s, NF_POST, NULL, rt.nic, c))
		goto drop;
	if (big)
		ip_refragment(s, &rt, c);
	else
		nic_tx(rt.nic, c, &rt.nexthop);
drop:
	pkt_free(p);
}

static bool for_us6(struct nic *n, struct pktbuf *p, bool *ret_fwd)
{
	struct stack *s = n->stack;

	*ret_fwd = false;
	if (ip_is_multicast(&p->src) || ip_is4(&p->src) || ip_is4(&p->dst))
		return false;
	if (n == s->lo && !ip_is_multicast(&p->dst))
		return true;
	if (!(p->flags & PKT_LOOPED) && (ip_is_loopback(&p->src) || ip_is_loopback(&p->dst)))
		return false;
	switch (addr_type(s, n, &p->dst)) {
	case RTN_LOCAL:
		return true;
	case RTN_MULTICAST:
		p->flags |= PKT_MCAST;
		return mc_nic_joined(n, &p->dst) || (n->flags & IFF_ALLMULTI);
	default:
		/* Answers to our own duplicate address detection come to tentative addresses. */
		*ret_fwd = true;
		return false;
	}
}

static struct pktbuf *reassemble6(struct nic *n, struct pktbuf *p, const struct ip6_hdr *h,
				  const struct ip6_chain *c)
{
	struct frag_in f = { .src = p->src, .dst = p->dst };
	struct ip6_hdr nh = *h;
	struct pktbuf *w;
	u16 off;
	u8 d[IP6_FRAG_HLEN], proto;

	if (p->len < c->off + IP6_FRAG_HLEN) {
		pkt_free(p);
		return NULL;
	}
	pkt_copy(p, c->off, d, sizeof(d));
	proto = d[0];
	if (p->ext)
		p->ext->data[c->nh_off] = proto;
	off = get_be16(d + 2);
	f.id = get_be32(d + 4);
	f.off = off & 0xfff8;
	f.more = off & 1;
	f.hdr = c->off + IP6_FRAG_HLEN;
	f.len = p->len - f.hdr;
	if (f.more && f.len % 8) {
		icmp6_error(n, p, ICMP6_PARAM, 0, 4);
		pkt_free(p);
		return NULL;
	}
	p->proto = proto;
	MIB(n->stack, Ip6_ReasmReqds);
	if (f.off == 0 && !f.more) {            /* RFC 6946: an atomic fragment stands alone */
		pkt_pull(p, f.hdr);
		w = p;
	} else {
		w = frag_add(n->stack, p, &f);
	}
	if (!w)
		return NULL;
	MIB(n->stack, Ip6_ReasmOKs);
	nh.nh = w->proto;
	nh.plen = (u16)w->len;
	w->ethertype = 0x86dd;
	ip6_emit(pkt_push(w, IP6_HLEN), &nh);
	w->l4_off = IP6_HLEN;
	return w;
}

static bool has_ext(u8 nh)
{
	return nh == IP6_NH_HOPOPTS || nh == IP6_NH_DSTOPTS || nh == IP6_NH_ROUTING || nh == IP6_NH_FRAGMENT;
}

/*
 * Rules see whole datagrams and what is behind extension headers, also of packets that only pass.  What is wrong
 * with a chain of headers is told later, if the packet is ours.  NULL: it is gone, or waits for its other pieces.
 */
static struct pktbuf *prerouting6(struct nic *n, struct pktbuf *p, struct ip6_hdr *h)
{
	u8 front[PKT_HDR_MAX];
	u32 k = MIN(p->len, (u32)sizeof(front));
	struct ip6_problem prob;
	struct ip6_chain c;

	if (ip_is4(&p->src) || ip_is4(&p->dst)) {
		pkt_free(p);
		return NULL;
	}
	pkt_copy(p, 0, front, k);
	if (has_ext(h->nh) && ip6_walk(front, k, p->flags & PKT_MCAST, &c, &prob) == 0) {
		p->proto = c.proto;
		p->l4_off = (u16)c.off;
		if (c.proto == IP6_NH_FRAGMENT) {
			p = reassemble6(n, p, h, &c);
			if (!p || ip6_parse(pkt_data(p), p->len, h) < 0) {
				pkt_free(p);
				return NULL;
			}
			p->flags |= PKT_DEFRAG;
		}
	}
	return !nf_on(&n->stack->nf, true, NF_PRE) || nf_pass(n->stack, NF_PRE, n, NULL, p) ? p : NULL;
}

/* Keep what stood in front of the transport, for who asks for it; behind a reassembly, what comes on top of the pieces' own. */
static void keep_ext(struct pktbuf *p, const struct ip6_chain *c)
{
	struct pblock *had = p->ext;
	u32 old = had ? had->used : 0, from = had ? IP6_HLEN : 0, n = c->off - from;
	struct pblock *b = c->off > IP6_HLEN && old + n <= PBLOCK_MID_CAP ? pblock_new(p->pool, old + n) : NULL;

	if (!b)
		return;
	if (had)
		memcpy(b->data, had->data, old);
	pkt_copy(p, from, b->data + old, n);
	b->used = old + n;
	pkt_drop_ext(p);
	p->ext = b;
	p->truesize += b->cap;
}

/* The headers behind the fixed one; false: they are nonsense, or more than anybody honest sends. */
static bool extensions6(struct nic *n, struct pktbuf *p, struct ip6_chain *c)
{
	u8 front[PKT_HDR_MAX], *at = front;
	u32 k = MIN(p->len, (u32)sizeof(front));
	struct pblock *b = NULL;
	struct ip6_problem prob;
	int r;

	pkt_copy(p, 0, front, k);
	r = ip6_walk(front, k, p->flags & PKT_MCAST, c, &prob);
	if (r < 0 && !prob.send && p->len > k) {
		k = MIN(p->len, PBLOCK_MID_CAP);
		b = pblock_new(p->pool, k);
		if (!b)
			return false;
		at = b->data;
		pkt_copy(p, 0, at, k);
		r = ip6_walk(at, k, p->flags & PKT_MCAST, c, &prob);
	}
	if (b)
		pblock_unref(b);
	if (r < 0) {
		if (prob.send)
			icmp6_error(n, p, ICMP6_PARAM, prob.code, prob.ptr);
		return false;
	}
	p->proto = c->proto;
	p->l4_off = (u16)c->off;
	keep_ext(p, c);
	return true;
}

#define FRONT_MAX 120                   /* what transports look at together with their own header */

/* Behind long extension headers the transport's could not be looked at in one piece: they go, but for p->ext. */
static void shorten(struct pktbuf *p)
{
	u8 hdr[IP6_HLEN];

	if (p->l4_off <= FRONT_MAX)
		return;
	pkt_copy(p, 0, hdr, sizeof(hdr));
	pkt_pull(p, p->l4_off);
	hdr[6] = p->proto;
	put_be16(hdr + 4, (u16)p->len);
	memcpy(pkt_push(p, IP6_HLEN), hdr, sizeof(hdr));
	p->l4_off = IP6_HLEN;
}

void ip6_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct ip6_chain c;
	struct ip6_hdr h;
	bool fwd;

	MIB(s, Ip6_InReceives);
	pkt_drop_ext(p);                /* of a packet that this one was made from */
	if (s->sysctl.disable_ip6[0] || !pkt_may_pull(p, IP6_HLEN) ||
	    ip6_parse(pkt_data(p), p->len, &h) < 0)
		goto bad;
	pkt_trim(p, IP6_HLEN + h.plen);
	p->src = ip_from6(h.src);
	p->dst = ip_from6(h.dst);
	p->ttl = h.hlim;
	p->tos = h.tclass;
	p->flowlabel = h.flow;
	p->proto = h.nh;
	p->l4_off = IP6_HLEN;
	if (nf_bits(&s->nf, true, 1u << NF_PRE | 1u << NF_FWD | 1u << NF_POST)) {
		p = prerouting6(n, p, &h);
		if (!p)
			return;
	}
	if (!for_us6(n, p, &fwd)) {
		if (fwd)
			forward6(n, p);
		else
			pkt_free(p);
		return;
	}
	if (has_ext(h.nh) && !extensions6(n, p, &c))
		goto bad;
	if (p->proto == IP6_NH_FRAGMENT) {
		p = reassemble6(n, p, &h, &c);
		if (!p)
			return;
		if (p->proto == IP6_NH_FRAGMENT || p->proto == IP6_NH_HOPOPTS)
			goto bad;
		if (has_ext(p->proto) && (!extensions6(n, p, &c) || p->proto == IP6_NH_FRAGMENT))
			goto bad;
	}
	shorten(p);
	if (!nf_on(&s->nf, true, NF_IN) || nf_pass(s, NF_IN, n, NULL, p))
		ip_deliver(n, p);
	return;
bad:
	MIB(s, Ip6_InHdrErrors);
	pkt_free(p);
}
