/*
 * ip4.c - an IPv4 packet arrives: checks, reassembly, delivery, forwarding.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include "netstack/core/ep.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/ip4opt.h"
#include "netstack/raw/raw.h"
#include "netstack/tcp/tcp.h"
#include "netstack/udp/udp.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip4.h"

void ip_deliver(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	bool v4 = ip_is4(&p->dst), raw = false;

	if (v4)
		MIB(s, Ip_InDelivers);
	else
		MIB(s, Ip6_InDelivers);
	if (s->nraws)
		raw = raw_rx(n, p);
	switch (p->proto) {
	case IPPROTO_TCP:
		tcp_rx(n, p);
		return;
	case IPPROTO_UDP:
		udp_rx(n, p);
		return;
	case IPPROTO_ICMP:
		if (v4)
			icmp4_rx(n, p);
		break;
	case IPPROTO_IGMP:
		if (v4)
			igmp_rx(n, p);
		break;
	case IPPROTO_ICMPV6:
		if (!v4)
			icmp6_rx(n, p);
		break;
	case IPPROTO_NONE:
		if (!v4)
			break;
		/* fallthrough */
	default:
		if (raw)
			break;
		MIB(s, Ip_InUnknownProtos);
		if (v4)
			icmp4_error(n, p, ICMP4_UNREACH, ICMP4_UNREACH_PROTO, 0);
		else
			icmp6_error(n, p, ICMP6_PARAM, 1, 6);
	}
	pkt_free(p);
}

/* We are the next of those that are recorded. */
static void forward_opts(struct stack *s, const struct rt *rt, struct pktbuf *p, u8 *opts)
{
	struct ip4_opts *o = (struct ip4_opts *)(void *)p->ext->data;
	struct ipaddr own = ip_any4();

	addr_pick(s, rt->nic, &p->dst, &own);
	ip4opt_forward(s, &own, o);
	memcpy(opts, o->data, o->len);
}

static void forward4(struct nic *n, struct pktbuf *p, const struct ip4_hdr *h)
{
	struct stack *s = n->stack;
	struct rt rt;
	struct pktbuf *c;
	u8 hdr[IP4_HLEN_MAX];
	bool big;
	u16 sum;

	if (!s->sysctl.ip_forward[0] || (p->flags & (PKT_MCAST | PKT_BCAST)) || (p->flags & PKT_LOOPED)) {
		MIB(s, Ip_InAddrErrors);
		goto drop;
	}
	if (h->ttl <= 1) {
		icmp4_error(n, p, ICMP4_TIMEX, 0, 0);
		goto drop;
	}
	if (rt_lookup(s, &p->dst, &p->src, 0, RT_NO_SRC_CHECK, &rt) < 0 || rt.type != RTN_UNICAST) {
		MIB(s, Ip_OutNoRoutes);
		icmp4_error(n, p, ICMP4_UNREACH, ICMP4_UNREACH_NET, 0);
		goto drop;
	}
	big = gso_longest(p) > rt.mtu;
	if (big && (p->gso_size || !(p->flags & PKT_DEFRAG))) {
		icmp4_error(n, p, ICMP4_UNREACH, ICMP4_UNREACH_NEEDFRAG, rt.mtu);
		goto drop;
	}
	if (nf_on(&s->nf, false, NF_FWD) && !nf_pass(s, NF_FWD, n, rt.nic, p))
		return;
	pkt_copy(p, 0, hdr, h->hlen);
	if (p->ext)
		forward_opts(s, &rt, p, hdr + IP4_HLEN);
	hdr[8]--;
	hdr[10] = hdr[11] = 0;
	sum = csum_fold(csum_bytes(hdr, h->hlen, 0));
	memcpy(hdr + 10, &sum, 2);
	c = pkt_slice(p, h->hlen, p->len - h->hlen);
	if (!c)
		goto drop;
	memcpy(pkt_push(c, h->hlen), hdr, h->hlen);
	c->csum_start = p->csum_start;
	if (!(h->frag & (IP4_MF | IP4_OFFMASK)))
		ip_csum_renew(c);
	MIB(s, Ip_ForwDatagrams);
	if (nf_on(&s->nf, false, NF_POST) && !nf_pass(s, NF_POST, NULL, rt.nic, c))
		goto drop;
	if (big)
		ip_refragment(s, &rt, c);
	else
		nic_tx(rt.nic, c, &rt.nexthop);
drop:
	pkt_free(p);
}

/* False: not ours or not sane; dropped or forwarded by the caller as *ret_fwd says. */
static bool for_us4(struct nic *n, struct pktbuf *p, bool *ret_fwd)
{
	struct stack *s = n->stack;

	*ret_fwd = false;
	if (n == s->lo && !ip_is_multicast(&p->dst) && !ip_is_bcast(&p->dst))
		return true;
	if (ip_is_multicast(&p->src) || ip_is_bcast(&p->src))
		return false;
	if (!(p->flags & PKT_LOOPED) && (ip_is_loopback(&p->src) || ip_is_loopback(&p->dst)))
		return false;
	switch (addr_type(s, n, &p->dst)) {
	case RTN_LOCAL:
		return !ip_is_any(&p->src) || p->proto == IPPROTO_UDP;
	case RTN_BROADCAST:
		p->flags |= PKT_BCAST;
		MIB(s, IpExt_InBcastPkts);
		return true;
	case RTN_MULTICAST:
		p->flags |= PKT_MCAST;
		MIB(s, IpExt_InMcastPkts);
		return mc_nic_joined(n, &p->dst) || (n->flags & IFF_ALLMULTI);
	default:
		*ret_fwd = true;
		return false;
	}
}

/* Fragments: the whole datagram with a made-up header in front, or NULL. */
static struct pktbuf *reassemble4(struct nic *n, struct pktbuf *p, const struct ip4_hdr *h)
{
	struct frag_in f = { .src = p->src, .dst = p->dst, .id = h->id, .proto = h->proto };
	struct ip4_hdr nh = *h;
	struct pktbuf *w;

	f.off = (h->frag & IP4_OFFMASK) * 8u;
	f.len = p->len - h->hlen;
	f.hdr = h->hlen;
	f.more = h->frag & IP4_MF;
	w = frag_add(n->stack, p, &f);
	if (!w)
		return NULL;
	if (w->len + IP4_HLEN > 65535) {
		pkt_free(w);
		return NULL;
	}
	nh.hlen = IP4_HLEN;
	nh.frag = 0;
	nh.len = (u16)(w->len + IP4_HLEN);
	w->ethertype = 0x0800;
	ip4_emit(pkt_push(w, IP4_HLEN), &nh);
	w->l4_off = IP4_HLEN;
	return w;
}

/* Rules see whole datagrams.  NULL: it is gone, or waits for its other pieces. */
static struct pktbuf *prerouting4(struct nic *n, struct pktbuf *p, struct ip4_hdr *h)
{
	if (h->frag & (IP4_MF | IP4_OFFMASK)) {
		p = reassemble4(n, p, h);
		if (!p || ip4_parse(pkt_data(p), p->len, h) < 0) {
			pkt_free(p);
			return NULL;
		}
		p->flags |= PKT_DEFRAG;
	}
	return nf_pass(n->stack, NF_PRE, n, NULL, p) ? p : NULL;
}

/*
 * The options of an arriving packet, ours filled in, in its header and in p->ext.  False: they are nonsense, or name a route,
 * which nobody takes here (net.ipv4.conf.all.accept_source_route).
 */
static bool options4(struct nic *n, struct pktbuf *p, const struct ip4_hdr *h)
{
	struct stack *s = n->stack;
	struct ipaddr own = p->dst;
	struct ip4_opts *o;
	u8 bad;

	p->ext = pblock_new(p->pool, sizeof(*o));
	if (!p->ext)
		return false;
	p->truesize += p->ext->cap;
	o = (struct ip4_opts *)(void *)p->ext->data;
	memset(o, 0, sizeof(*o));
	o->len = (u8)(h->hlen - IP4_HLEN);
	pkt_copy(p, IP4_HLEN, o->data, o->len);
	if (!addr_is_local(s, &own) && !addr_pick(s, n, &p->src, &own))
		own = ip_any4();
	bad = ip4opt_rx(s, &own, o);
	if (bad) {
		pkt_drop_ext(p);
		icmp4_error(n, p, ICMP4_PARAM, 0, (u32)bad << 24);
		MIB(s, Ip_InHdrErrors);
		return false;
	}
	if (o->srr)
		return false;
	if (p->hdr_len < h->hlen)
		pkt_into_hdr(p, h->hlen);       /* blocks may be shared */
	memcpy(pkt_data(p) + IP4_HLEN, o->data, o->len);
	return true;
}

void ip4_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct ip4_hdr h;
	bool ours, fwd;
	u8 *d;

	MIB(s, Ip_InReceives);
	pkt_drop_ext(p);                /* of a packet that this one was made from */
	if (!pkt_may_pull(p, IP4_HLEN) || !pkt_may_pull(p, (pkt_data(p)[0] & 15) * 4u))
		goto bad;
	d = pkt_data(p);
	if (ip4_parse(d, p->len, &h) < 0)
		goto bad;
	if (!(p->flags & PKT_LOOPED) && csum_fold(csum_bytes(d, h.hlen, 0)) != 0)
		goto bad;
	pkt_trim(p, h.len);
	p->src = ip_from4(h.src);
	p->dst = ip_from4(h.dst);
	p->proto = h.proto;
	p->ttl = h.ttl;
	p->tos = h.tos;
	p->l4_off = h.hlen;
	if (nf_on(&s->nf, false, NF_PRE)) {
		p = prerouting4(n, p, &h);
		if (!p)
			return;
	}
	ours = for_us4(n, p, &fwd);
	if (h.hlen > IP4_HLEN && (ours || fwd) && !options4(n, p, &h)) {
		pkt_free(p);
		return;
	}
	if (!ours) {
		if (fwd)
			forward4(n, p, &h);
		else
			pkt_free(p);
		return;
	}
	if (h.frag & (IP4_MF | IP4_OFFMASK)) {
		p = reassemble4(n, p, &h);
		if (!p)
			return;
	}
	if (!nf_on(&s->nf, false, NF_IN) || nf_pass(s, NF_IN, n, NULL, p))
		ip_deliver(n, p);
	return;
bad:
	MIB(s, Ip_InHdrErrors);
	pkt_free(p);
}
