/*
 * ip6.c - IPv6 header parse and emit, and the walk over extension headers.
 *
 * The walk stops at a fragment header, at an upper protocol or at "none".
 * It looks at no more than eight headers, and eight options of each: longer chains are hostile.
 */
#include <errno.h>
#include "netstack/wire/ip6.h"

#define EXT_MAX 8
#define OPTIONS_MAX 8
#define PAD_MAX 7               /* bytes in a row: no more are ever needed */

int ip6_parse(const u8 *p, size_t len, struct ip6_hdr *ret)
{
	struct ip6_hdr h;
	u32 w;

	if (len < IP6_HLEN || p[0] >> 4 != 6)
		return -EINVAL;
	w = get_be32(p);
	h.tclass = (u8)(w >> 20);
	h.flow = w & 0xfffff;
	h.plen = get_be16(p + 4);
	h.nh = p[6];
	h.hlim = p[7];
	memcpy(h.src, p + 8, 16);
	memcpy(h.dst, p + 24, 16);
	if (h.plen > len - IP6_HLEN)
		return -EINVAL;
	*ret = h;
	return 0;
}

void ip6_emit(u8 *p, const struct ip6_hdr *h)
{
	put_be32(p, 6u << 28 | (u32)h->tclass << 20 | (h->flow & 0xfffff));
	put_be16(p + 4, h->plen);
	p[6] = h->nh;
	p[7] = h->hlim;
	memcpy(p + 8, h->src, 16);
	memcpy(p + 24, h->dst, 16);
}

/* Options of hop-by-hop and destination headers (RFC 8200, 4.2): 0, or -EINVAL with *prob. */
static int walk_options(const u8 *p, u32 off, u32 end, bool mcast, struct ip6_chain *c,
			struct ip6_problem *prob)
{
	u32 pad = 0, count = 0;

	while (off < end) {
		u8 type = p[off];
		u32 n, i;

		if (type == 0) {                        /* Pad1 */
			if (++pad > PAD_MAX)
				return -EINVAL;
			off++;
			continue;
		}
		if (off + 2 > end || p[off + 1] > end - off - 2)
			return -EINVAL;
		n = p[off + 1];
		if (type == 1) {                        /* PadN */
			pad += n + 2;
			for (i = 0; i < n && pad <= PAD_MAX; i++)
				if (p[off + 2 + i])
					return -EINVAL;
			if (pad > PAD_MAX)
				return -EINVAL;
			off += 2 + n;
			continue;
		}
		pad = 0;
		if (++count > OPTIONS_MAX)
			return -EINVAL;
		if (type == 5 && n == 2) {
			c->router_alert = true;
		} else if (type >> 6) {                 /* unknown, and not "skip" */
			prob->send = type >> 6 == 2 || (type >> 6 == 3 && !mcast);
			prob->code = 2;
			prob->ptr = off;
			return -EINVAL;
		}
		off += 2 + n;
	}
	return 0;
}

int ip6_walk(const u8 *p, size_t len, bool mcast, struct ip6_chain *ret, struct ip6_problem *prob)
{
	struct ip6_chain c = { .proto = p[6], .off = IP6_HLEN, .nh_off = 6 };
	int n, r;

	memset(prob, 0, sizeof(*prob));
	for (n = 0; n < EXT_MAX; n++) {
		u32 hlen;

		if (c.proto != IP6_NH_HOPOPTS && c.proto != IP6_NH_DSTOPTS && c.proto != IP6_NH_ROUTING) {
			*ret = c;
			return 0;
		}
		if (c.proto == IP6_NH_HOPOPTS && c.off != IP6_HLEN) {
			*prob = (struct ip6_problem){ true, 1, c.nh_off };
			return -EINVAL;
		}
		if (c.off + 8 > len)
			return -EINVAL;
		hlen = (p[c.off + 1] + 1u) * 8;
		if (hlen > len - c.off)
			return -EINVAL;
		if (c.proto == IP6_NH_ROUTING) {
			u8 type = p[c.off + 2];

			if (type >= 2 && type <= 4)             /* mobile nodes, RPL, segments: we are none of their routers */
				return -EINVAL;
			if (p[c.off + 3]) {             /* segments left: we route for nobody */
				*prob = (struct ip6_problem){ true, 0, c.off + 2 };
				return -EINVAL;
			}
		} else {
			r = walk_options(p, c.off + 2, c.off + hlen, mcast, &c, prob);
			if (r < 0)
				return r;
		}
		c.proto = p[c.off];
		c.nh_off = c.off;
		c.off += hlen;
	}
	return -EINVAL;
}
