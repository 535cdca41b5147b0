/*
 * arp.h - ARP for IPv4 over Ethernet (RFC 826).
 */
#pragma once
#include "netstack/wire/bytes.h"

#define ARP_LEN         28
#define ARP_OP_REQUEST  1
#define ARP_OP_REPLY    2

struct arp_pkt {
	u16 op;
	u8 smac[6], tmac[6];
	u8 sip[4], tip[4];
};

static inline bool must_check arp_parse(const u8 *p, size_t len, struct arp_pkt *ret)
{
	if (len < ARP_LEN || get_be16(p) != 1 || get_be16(p + 2) != 0x0800 || p[4] != 6 || p[5] != 4)
		return false;
	ret->op = get_be16(p + 6);
	memcpy(ret->smac, p + 8, 6);
	memcpy(ret->sip, p + 14, 4);
	memcpy(ret->tmac, p + 18, 6);
	memcpy(ret->tip, p + 24, 4);
	return true;
}

static inline void arp_emit(u8 *p, const struct arp_pkt *a)
{
	put_be16(p, 1);
	put_be16(p + 2, 0x0800);
	p[4] = 6;
	p[5] = 4;
	put_be16(p + 6, a->op);
	memcpy(p + 8, a->smac, 6);
	memcpy(p + 14, a->sip, 4);
	memcpy(p + 18, a->tmac, 6);
	memcpy(p + 24, a->tip, 4);
}
