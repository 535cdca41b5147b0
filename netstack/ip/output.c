/*
 * output.c - a packet leaves: IP header, fragments, copies to ourselves.
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/core/ep.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/ip4opt.h"
#include "netstack/ip/ip6ext.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"

u64 ip_pseudo(const struct ipaddr *src, const struct ipaddr *dst, u8 proto, u32 len)
{
	return csum_pseudo(ip_wire(src), ip_wire(dst), ip_wire_len(dst), proto, len);
}

bool ip_csum_ok(struct pktbuf *p, u8 proto)
{
	u32 len = p->len - p->l4_off;
	u64 sum;

	if (p->flags & PKT_CSUM_OK)
		return true;
	sum = csum_add(pkt_csum(p, p->l4_off, len), ip_pseudo(&p->src, &p->dst, proto, len));
	if (csum_fold(sum) != 0)
		return false;
	p->flags |= PKT_CSUM_OK;
	return true;
}

void ip_csum_begin(struct pktbuf *p, u16 off, const struct ipaddr *src, const struct ipaddr *dst,
		   u8 proto)
{
	u16 f = (u16)~csum_fold(ip_pseudo(src, dst, proto, p->len));

	memcpy(pkt_data(p) + off, &f, 2);
	p->csum_start = 0;
	p->csum_off = off;
	p->flags |= PKT_CSUM_PARTIAL;
}

static u16 next_id(struct stack *s)
{
	return (u16)atomic_fetch_add_explicit(&s->ip_id, 1, memory_order_relaxed);
}

/* One finished packet to the link; multicast and broadcast also come back to us. */
static int xmit(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t)
{
	if (rt->type == RTN_BROADCAST)
		p->flags |= PKT_BCAST;
	if (rt->type == RTN_MULTICAST)
		p->flags |= PKT_MCAST;
	if (rt->nic != s->lo && ((rt->type == RTN_MULTICAST && t->mc_loop && mc_nic_joined(rt->nic, &t->dst)) ||
				 rt->type == RTN_BROADCAST)) {
		struct pktbuf *c = pkt_clone(p);

		if (c) {
			c->nic = rt->nic;
			c->ethertype = ip_is4(&t->dst) ? 0x0800 : 0x86dd;
			c->flags |= PKT_LOOPED | PKT_CSUM_OK | PKT_NO_TAP;
			c->flags &= (u16)~PKT_CSUM_PARTIAL;
			backlog_add(s, c);
		}
	}
	if (rt->type == RTN_MULTICAST && t->ttl == 0) {
		pkt_free(p);
		return 0;
	}
	return nic_tx(rt->nic, p, &rt->nexthop);
}

/* Each piece of an IPv4 datagram that is too long gets its own header. */
static int fragment4(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t,
		     struct ip4_hdr *h)
{
	u32 room = (rt->mtu - h->hlen) & ~7u, off, total = p->len;
	u8 opts[IP4OPT_MAX];
	int r = 0;

	if (rt->mtu < h->hlen + 8u || !pkt_csum_finish(p)) {
		pkt_free(p);
		return rt->mtu < h->hlen + 8u ? -EMSGSIZE : -ENOMEM;
	}
	if (t->opts_len)
		memcpy(opts, t->opts, t->opts_len);
	for (off = 0; off < total && r == 0; off += room) {
		u32 n = MIN(room, total - off);
		struct pktbuf *c = pkt_slice(p, off, n);
		u8 *d;

		if (!c) {
			r = -ENOBUFS;
			break;
		}
		h->len = (u16)(h->hlen + n);
		h->frag = (u16)(off / 8 | (off + n < total ? IP4_MF : 0));
		d = pkt_push(c, h->hlen);
		memcpy(d + IP4_HLEN, opts, t->opts_len);
		ip4opt_strip(opts, t->opts_len);
		ip4_emit(d, h);
		MIB(s, Ip_FragCreates);
		r = xmit(s, rt, c, t);
	}
	pkt_free(p);
	if (r == 0)
		MIB(s, Ip_FragOKs);
	return r;
}

static int output4(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t)
{
	struct ip4_hdr h = { .tos = t->tos, .ttl = t->ttl, .proto = t->proto };
	bool looped = rt->nic == s->lo;
	u32 len;
	u8 *d;

	h.hlen = (u8)(IP4_HLEN + t->opts_len);
	len = p->len + h.hlen;
	if (len > 65535)
		goto too_big;
	memcpy(h.src, t->src.b + 12, 4);
	memcpy(h.dst, t->dst.b + 12, 4);
	h.id = t->df && !p->gso_size ? 0 : next_id(s);
	if (p->gso_size)
		atomic_fetch_add_explicit(&s->ip_id, p->len / p->gso_size, memory_order_relaxed);
	MIB(s, Ip_OutRequests);
	if (len > rt->mtu && !p->gso_size) {
		if (t->df)
			goto too_big;
		return fragment4(s, rt, p, t, &h);
	}
	h.frag = t->df ? IP4_DF : 0;
	h.len = (u16)len;
	d = pkt_push(p, h.hlen);
	if (t->opts_len)
		memcpy(d + IP4_HLEN, t->opts, t->opts_len);
	ip4_emit(d, &h);
	p->ethertype = looped ? 0x0800 : 0;
	return xmit(s, rt, p, t);
too_big:
	MIB(s, Ip_FragFails);
	pkt_free(p);
	return -EMSGSIZE;
}

/* @proto: what @p begins with; the headers of @t->ext that all pieces share are still to come. */
static int fragment6(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t,
		     struct ip6_hdr *h, u8 proto)
{
	u32 mtu = MAX(rt->mtu, 1280u), shared = t->ext ? ip6ext_len(t->ext) - t->ext->len[IP6EXT_DST1] : 0;
	u32 room, off, total = p->len, id = stack_rand32(s);
	int r = 0;

	if (mtu < IP6_HLEN + shared + IP6_FRAG_HLEN + 8u || !pkt_csum_finish(p)) {
		pkt_free(p);
		return mtu < IP6_HLEN + shared + IP6_FRAG_HLEN + 8u ? -EMSGSIZE : -ENOMEM;
	}
	room = (mtu - IP6_HLEN - shared - IP6_FRAG_HLEN) & ~7u;
	for (off = 0; off < total && r == 0; off += room) {
		u32 n = MIN(room, total - off);
		struct pktbuf *c = pkt_slice(p, off, n);
		u8 *d;

		if (!c) {
			r = -ENOBUFS;
			break;
		}
		d = pkt_push(c, IP6_FRAG_HLEN);
		d[0] = proto;
		d[1] = 0;
		put_be16(d + 2, (u16)(off | (off + n < total)));
		put_be32(d + 4, id);
		h->nh = IP6_NH_FRAGMENT;
		if (shared && !ip6ext_push(c, t->ext, true, &t->dst, &h->nh)) {
			pkt_free(c);
			r = -ENOBUFS;
			break;
		}
		h->plen = (u16)c->len;
		ip6_emit(pkt_push(c, IP6_HLEN), h);
		MIB(s, Ip6_FragCreates);
		r = xmit(s, rt, c, t);
	}
	pkt_free(p);
	if (r == 0)
		MIB(s, Ip6_FragOKs);
	return r;
}

static const u8 router_alert[8] = { 0, 0, 5, 2, 0, 0, 1, 0 };
static const struct ip6_ext alert_ext = { { [IP6EXT_HOP] = router_alert }, { [IP6EXT_HOP] = sizeof(router_alert) } };

#define EXT_GSO_MAX 64                  /* headers of a super-frame stay in the packet's own area */

static int output6(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t)
{
	struct ip6_hdr h = { .tclass = t->tos, .nh = t->proto, .hlim = t->ttl, .flow = t->flowlabel };
	const struct ip6_ext *x = t->ext ? t->ext : t->router_alert ? &alert_ext : NULL;
	u32 ext = x ? ip6ext_len(x) : 0;

	if (p->len + ext > 65535 || (p->gso_size && ext > EXT_GSO_MAX))
		goto too_big;
	memcpy(h.src, t->src.b, 16);
	memcpy(h.dst, x && x->h[IP6EXT_RT] ? ip6ext_hop(x) : t->dst.b, 16);
	MIB(s, Ip6_OutRequests);
	if (t->ext && !p->gso_size && !pkt_csum_finish(p))
		goto no_memory;
	if (t->ext && !ip6ext_push(p, x, false, &t->dst, &h.nh))
		goto no_memory;
	if (p->len + ext - (t->ext ? x->len[IP6EXT_DST1] : 0) + IP6_HLEN > rt->mtu && !p->gso_size) {
		if (t->df && rt->mtu >= 1280)
			goto too_big;
		return fragment6(s, rt, p, t, &h, h.nh);
	}
	if (x && !ip6ext_push(p, x, true, &t->dst, &h.nh))
		goto no_memory;
	h.plen = (u16)p->len;
	ip6_emit(pkt_push(p, IP6_HLEN), &h);
	p->ethertype = rt->nic == s->lo ? 0x86dd : 0;
	return xmit(s, rt, p, t);
no_memory:
	pkt_free(p);
	return -ENOBUFS;
too_big:
	MIB(s, Ip6_FragFails);
	pkt_free(p);
	return -EMSGSIZE;
}

void ip_csum_renew(struct pktbuf *p)
{
	u32 at = p->proto == IPPROTO_TCP ? 16 : p->proto == IPPROTO_UDP ? 6 : 0, len = p->len - p->l4_off;
	u16 f = (u16)~csum_fold(ip_pseudo(&p->src, &p->dst, p->proto, len));
	u8 *d;

	if (!(p->flags & PKT_CSUM_OK) || (p->flags & PKT_CSUM_PARTIAL) || !at || len < at + 2)
		return;
	d = nf_pull(p, p->l4_off + at + 2u);
	if (!d || (p->proto == IPPROTO_UDP && get_be16(d + p->l4_off + at) == 0))
		return;
	memcpy(d + p->l4_off + at, &f, 2);
	p->csum_start = p->l4_off;
	p->csum_off = (u16)at;
	p->flags |= PKT_CSUM_PARTIAL;
}

int ip_refragment(struct stack *s, const struct rt *rt, struct pktbuf *p)
{
	struct ip_tx t = { .dst = p->dst };
	struct ip4_hdr h4;
	struct ip6_hdr h6;

	if (ip_is4(&p->dst) && ip4_parse(pkt_data(p), p->len, &h4) == 0) {
		h4.hlen = IP4_HLEN;
		pkt_pull(p, p->l4_off);
		return fragment4(s, rt, p, &t, &h4);
	}
	if (!ip_is4(&p->dst) && ip6_parse(pkt_data(p), p->len, &h6) == 0) {
		t.proto = h6.nh;
		pkt_pull(p, IP6_HLEN);
		return fragment6(s, rt, p, &t, &h6, t.proto);
	}
	pkt_free(p);
	return -EINVAL;
}

/* The same past the rules, which may send it elsewhere. */
static int output_ruled(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t)
{
	struct ip_tx t2 = *t;
	struct rt rt2 = *rt;
	int r = nf_output(s, &rt2, p, &t2);

	if (r < 0)
		return r;
	return ip_is4(&t2.dst) ? output4(s, &rt2, p, &t2) : output6(s, &rt2, p, &t2);
}

int ip_output(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t)
{
	if (nf_out_on(&s->nf, !ip_is4(&t->dst)))
		return output_ruled(s, rt, p, t);
	return ip_is4(&t->dst) ? output4(s, rt, p, t) : output6(s, rt, p, t);
}

int ip_output_raw(struct stack *s, const struct rt *rt, struct pktbuf *p)
{
	struct ip_tx t = { .dst = rt->nexthop, .ttl = 1 };
	struct rt rt2 = *rt;
	int r = nf_out_on(&s->nf, false) ? nf_output_raw(s, &rt2, p) : 0;

	if (r < 0)
		return r;
	if (p->len > rt2.mtu) {
		pkt_free(p);
		return -EMSGSIZE;
	}
	t.dst = rt2.nexthop;
	return xmit(s, &rt2, p, &t);
}
