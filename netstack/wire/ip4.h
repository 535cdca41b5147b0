/*
 * ip4.h - IPv4 headers (RFC 791): checked parse and emit.
 */
#pragma once
#include "netstack/wire/csum.h"

#define IP4_HLEN        20
#define IP4_HLEN_MAX    60
#define IP4_DF          0x4000
#define IP4_MF          0x2000
#define IP4_OFFMASK     0x1fff

struct ip4_hdr {
	u8  tos, ttl, proto;
	u8  hlen;               /* bytes, 20..60 */
	u16 len;                /* whole datagram */
	u16 id;
	u16 frag;               /* flags and offset in 8-byte units, host order */
	u8  src[4], dst[4];
};

/* 0, or -EINVAL: short, wrong version, lengths that do not fit @len.  Not the checksum. */
int ip4_parse(const u8 *p, size_t len, struct ip4_hdr *ret) must_check;
/* 20 bytes (or h->hlen with options already behind it), checksum included. */
void ip4_emit(u8 *p, const struct ip4_hdr *h);
