/*
 * mangle.c - rewriting addresses and ports of a packet, its checksums, and those of a packet quoted by an ICMP error.
 *
 * Data blocks may be shared, headers in p->hdr are the packet's own: what is written is moved there first.
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/ip/ip.h"
#include "netstack/netfilter/nf_int.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"
#include "netstack/wire/tcp.h"
#include "netstack/wire/udp.h"

#define PULL_MAX (PKT_HDR_MAX - 24)     /* leaves room for a link header */

u8 *nf_pull(struct pktbuf *p, size_t n)
{
	if (n > p->len)
		return NULL;
	if (p->hdr_len < n) {
		if (n > PULL_MAX)
			return NULL;
		pkt_into_hdr(p, n);
	}
	return p->hdr + p->hdr_off;
}

/* @n even bytes @old are @new now. @partial: the field is a pseudo header's sum, not its complement. */
static void fix(u8 *field, const void *old, const void *new, size_t n, bool partial)
{
	u16 f, was = csum_fold(csum_bytes(old, n, 0));         /* the complement of old's sum */
	u64 sum;

	memcpy(&f, field, 2);
	sum = partial ? f : (u16)~f;
	sum = csum_add(sum, was);
	sum = csum_add(sum, csum_bytes(new, n, 0));
	f = csum_fold(sum);
	if (partial)
		f = (u16)~f;
	memcpy(field, &f, 2);
}

struct change {
	u8 old_ip[16], new_ip[16];
	size_t n;
	u8 old_port[2], new_port[2];
	bool ports;
};

/* The IP header at @d: one address. */
static void set_addr(u8 *d, bool v4, const struct ipaddr *ip, int manip, struct change *c)
{
	u8 *at = d + (v4 ? 12 : 8) + (manip == MANIP_DST ? (v4 ? 4 : 16) : 0);
	u16 sum;

	c->n = v4 ? 4 : 16;
	memcpy(c->old_ip, at, c->n);
	memcpy(at, ip_wire(ip), c->n);
	memcpy(c->new_ip, at, c->n);
	if (!v4)
		return;
	d[10] = d[11] = 0;
	sum = csum_fold(csum_bytes(d, (d[0] & 15) * 4u, 0));
	memcpy(d + 10, &sum, 2);
}

/* Where protocol @proto has its checksum; 0: nowhere. */
static u32 csum_at(u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP: return 16;
	case IPPROTO_UDP: case IPPROTO_UDPLITE: case IPPROTO_DCCP: return 6;
	case IPPROTO_ICMP: case IPPROTO_ICMPV6: return 2;
	default: return 0;
	}
}

/* The transport header at @d, of which @n bytes are there. */
static void set_port(u8 *d, size_t n, const struct nfct_tuple *to, int manip, bool error, bool partial, struct change *c)
{
	bool icmp = to->proto == IPPROTO_ICMP || to->proto == IPPROTO_ICMPV6;
	u32 at = csum_at(to->proto), port = icmp ? 4 : manip == MANIP_SRC ? 0 : 2;
	u8 *sum = at && at + 2 <= n ? d + at : NULL;

	if (sum && to->proto == IPPROTO_UDP && !partial && (sum[0] | sum[1]) == 0)
		sum = NULL;
	if ((at || to->proto == IPPROTO_SCTP) && port + 2 <= n && !error) {
		memcpy(c->old_port, d + port, 2);
		put_be16(d + port, icmp || manip == MANIP_SRC ? to->sport : to->dport);
		memcpy(c->new_port, d + port, 2);
		if (sum && !partial)
			fix(sum, c->old_port, c->new_port, 2, false);
	}
	if (sum && to->proto != IPPROTO_ICMP)
		fix(sum, c->old_ip, c->new_ip, c->n, partial);
	if (sum && to->proto == IPPROTO_UDP && !partial && (sum[0] | sum[1]) == 0)
		sum[0] = sum[1] = 0xff;
}

bool nf_rewrite(struct pktbuf *p, const struct nfct_tuple *to, int manip)
{
	const struct ipaddr *ip = manip == MANIP_SRC ? &to->src : &to->dst;
	bool error = nfct_is_icmp_error(p), v4 = ip_is4(ip);
	struct nfct_tuple t = *to;
	struct change c = { 0 };
	u32 n = MIN(p->len, p->l4_off + 20u);
	u8 *d;

	if (v4 != ip_is4(&p->src) || p->l4_off > p->len)
		return false;
	d = nf_pull(p, n);
	if (!d)
		return false;
	t.proto = p->proto;
	set_addr(d, v4, ip, manip, &c);
	set_port(d + p->l4_off, n - p->l4_off, &t, manip, error, p->flags & PKT_CSUM_PARTIAL, &c);
	if (manip == MANIP_SRC)
		p->src = *ip;
	else
		p->dst = *ip;
	return true;
}

bool nf_rewrite_inner(struct pktbuf *p, const struct nfct_tuple *to, int manip)
{
	const struct ipaddr *ip = manip == MANIP_SRC ? &to->src : &to->dst;
	struct change c = { 0 };
	struct nfct_inner in;
	u64 sum;
	u32 n;
	u16 f;
	u8 *d;

	if (!nfct_inner(p, &in) || ip_is4(ip) != ip_is4(&p->src))
		return false;
	n = MIN(p->len, in.l4 + 20);
	d = nf_pull(p, n);
	if (!d)
		return false;
	set_addr(d + in.ip, ip_is4(ip), ip, manip, &c);
	if (in.l4 < n)
		set_port(d + in.l4, n - in.l4, to, manip, false, false, &c);
	d[p->l4_off + 2] = d[p->l4_off + 3] = 0;
	sum = pkt_csum(p, p->l4_off, p->len - p->l4_off);
	if (p->proto == IPPROTO_ICMPV6)
		sum = csum_add(sum, ip_pseudo(&p->src, &p->dst, IPPROTO_ICMPV6, p->len - p->l4_off));
	f = csum_fold(sum);
	memcpy(d + p->l4_off + 2, &f, 2);
	return true;
}
