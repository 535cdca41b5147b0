/*
 * eth.h - Ethernet II headers.
 */
#pragma once
#include "netstack/wire/bytes.h"

#define ETH_HLEN        14
#define ETH_T_IP4       0x0800
#define ETH_T_ARP       0x0806
#define ETH_T_IP6       0x86dd
#define ETH_T_ALL       0x0003          /* a packet socket that wants everything */

struct eth_hdr {
	u8 dst[6], src[6];
	u16 type;
};

static inline bool must_check eth_parse(const u8 *p, size_t len, struct eth_hdr *ret)
{
	if (len < ETH_HLEN)
		return false;
	memcpy(ret->dst, p, 6);
	memcpy(ret->src, p + 6, 6);
	ret->type = get_be16(p + 12);
	return true;
}

static inline void eth_emit(u8 *p, const u8 *dst, const u8 *src, u16 type)
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	put_be16(p + 12, type);
}

static inline bool mac_is_multicast(const u8 *m) { return m[0] & 1; }

static inline bool mac_is_broadcast(const u8 *m)
{
	return (m[0] & m[1] & m[2] & m[3] & m[4] & m[5]) == 0xff;
}
