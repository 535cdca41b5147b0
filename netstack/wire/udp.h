/*
 * udp.h - UDP headers (RFC 768).
 */
#pragma once
#include "netstack/wire/bytes.h"

#define UDP_HLEN 8

struct udp_hdr {
	u16 sport, dport, len, csum;
};

/* False when short or longer than @len; super-frames (len 0 in the field) are not ours. */
static inline bool must_check udp_parse(const u8 *p, size_t len, struct udp_hdr *ret)
{
	if (len < UDP_HLEN)
		return false;
	ret->sport = get_be16(p);
	ret->dport = get_be16(p + 2);
	ret->len = get_be16(p + 4);
	ret->csum = get_be16(p + 6);
	return ret->len >= UDP_HLEN && ret->len <= len;
}

static inline void udp_emit(u8 *p, u16 sport, u16 dport, u16 len)
{
	put_be16(p, sport);
	put_be16(p + 2, dport);
	put_be16(p + 4, len);
	p[6] = p[7] = 0;
}
