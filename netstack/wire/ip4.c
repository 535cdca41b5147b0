/*
 * ip4.c - IPv4 header parse and emit.
 */
#include <errno.h>
#include "netstack/wire/ip4.h"

int ip4_parse(const u8 *p, size_t len, struct ip4_hdr *ret)
{
	struct ip4_hdr h;

	if (len < IP4_HLEN || p[0] >> 4 != 4)
		return -EINVAL;
	h.hlen = (u8)((p[0] & 15) * 4);
	h.tos = p[1];
	h.len = get_be16(p + 2);
	h.id = get_be16(p + 4);
	h.frag = get_be16(p + 6);
	h.ttl = p[8];
	h.proto = p[9];
	memcpy(h.src, p + 12, 4);
	memcpy(h.dst, p + 16, 4);
	if (h.hlen < IP4_HLEN || h.len < h.hlen || h.len > len)
		return -EINVAL;
	*ret = h;
	return 0;
}

void ip4_emit(u8 *p, const struct ip4_hdr *h)
{
	u16 sum;

	p[0] = (u8)(0x40 | h->hlen / 4);
	p[1] = h->tos;
	put_be16(p + 2, h->len);
	put_be16(p + 4, h->id);
	put_be16(p + 6, h->frag);
	p[8] = h->ttl;
	p[9] = h->proto;
	p[10] = p[11] = 0;
	memcpy(p + 12, h->src, 4);
	memcpy(p + 16, h->dst, 4);
	sum = csum_fold(csum_bytes(p, h->hlen, 0));
	memcpy(p + 10, &sum, 2);
}
