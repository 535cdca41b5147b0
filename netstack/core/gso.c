/*
 * gso.c - cutting super-frames for links that cannot carry them.
 *
 * The frame is [link header][IP][TCP or UDP][payload]; each piece gets a copy
 * of the headers with lengths, IP id, sequence number and flags put right, and
 * references to its part of the payload.
 */
#include <errno.h>
#include "netstack/core/nic.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"
#include "netstack/wire/tcp.h"
#include "netstack/wire/udp.h"

struct gso {
	u32 l2, l4, hlen;       /* offsets: IP header, transport header, payload */
	bool v4, udp;
	u32 index, off, len;    /* this piece */
	bool last;
};

static void fix_headers(u8 *h, const struct gso *g)
{
	u8 *ip = h + g->l2, *l4 = h + g->l4;
	u32 l4len = g->hlen - g->l4 + g->len;
	u64 sum;
	u16 f;

	if (g->v4) {
		put_be16(ip + 2, (u16)(g->l4 - g->l2 + l4len));
		put_be16(ip + 4, (u16)(get_be16(ip + 4) + g->index));
		ip[10] = ip[11] = 0;
		f = csum_fold(csum_bytes(ip, g->l4 - g->l2, 0));
		memcpy(ip + 10, &f, 2);
		sum = csum_pseudo(ip + 12, ip + 16, 4, g->udp ? 17 : 6, l4len);
	} else {
		put_be16(ip + 4, (u16)(g->l4 - g->l2 - IP6_HLEN + l4len));
		sum = csum_pseudo(ip + 8, ip + 24, 16, g->udp ? 17 : 6, l4len);
	}
	f = (u16)~csum_fold(sum);
	if (g->udp) {
		put_be16(l4 + 4, (u16)l4len);
		memcpy(l4 + 6, &f, 2);
		return;
	}
	put_be32(l4 + 4, get_be32(l4 + 4) + g->off);
	if (!g->last)
		l4[13] &= (u8)~(TH_FIN | TH_PSH);
	if (g->index)
		l4[13] &= (u8)~TH_CWR;
	memcpy(l4 + 16, &f, 2);
}

int gso_segment(struct pktbuf *p, u32 l2, int (*fn)(struct nic *, struct pktbuf *), struct nic *n)
{
	struct gso g = { .l2 = l2, .l4 = p->csum_start };
	u8 hdr[PKT_HDR_MAX];
	int r = 0;

	g.udp = p->gso_type == GSO_UDP;
	if (!(p->flags & PKT_CSUM_PARTIAL) || !pkt_may_pull(p, g.l4 + TCP_HLEN - 12u * g.udp))
		goto bad;
	g.v4 = pkt_data(p)[l2] >> 4 == 4;
	g.hlen = g.l4 + (g.udp ? UDP_HLEN : (pkt_data(p)[g.l4 + 12] >> 4) * 4u);
	if (g.hlen > p->len || g.hlen > sizeof(hdr) || !p->gso_size)
		goto bad;
	pkt_copy(p, 0, hdr, g.hlen);
	for (g.off = 0; g.hlen + g.off < p->len && r == 0; g.off += g.len, g.index++) {
		struct pktbuf *c;
		u8 *h;

		g.len = MIN((u32)p->gso_size, p->len - g.hlen - g.off);
		g.last = g.hlen + g.off + g.len == p->len;
		c = pkt_slice(p, g.hlen + g.off, g.len);
		if (!c) {
			r = -ENOMEM;
			break;
		}
		h = pkt_push(c, g.hlen);
		memcpy(h, hdr, g.hlen);
		fix_headers(h, &g);
		c->gso_size = 0;
		c->csum_start = (u16)g.l4;
		c->csum_off = p->csum_off;
		c->flags |= PKT_CSUM_PARTIAL;
		r = fn(n, c);
	}
	pkt_free(p);
	return r;
bad:
	pkt_free(p);
	return -EINVAL;
}

u32 gso_longest(const struct pktbuf *p)
{
	u32 hdr = UDP_HLEN;
	u8 off;

	if (!p->gso_size || p->len < (u32)p->l4_off + TCP_HLEN)
		return p->len;
	if (p->gso_type != GSO_UDP) {
		pkt_copy(p, p->l4_off + 12u, &off, 1);
		hdr = (off >> 4) * 4u;
	}
	return MIN(p->len, p->l4_off + hdr + p->gso_size);
}
