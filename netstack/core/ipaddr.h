/*
 * ipaddr.h - questions about addresses.  IPv4 is kept as ::ffff:a.b.c.d.
 */
#pragma once
#include "netstack/api.h"
#include "netstack/wire/bytes.h"

static inline struct ipaddr ip_any6(void) { return (struct ipaddr){ { 0 } }; }

static inline struct ipaddr ip_from4(const void *p)
{
	struct ipaddr a = { { [10] = 0xff, [11] = 0xff } };

	memcpy(a.b + 12, p, 4);
	return a;
}

static inline struct ipaddr ip_from4n(u32 host_order)
{
	u8 w[4];

	put_be32(w, host_order);
	return ip_from4(w);
}

static inline struct ipaddr ip_from6(const void *p)
{
	struct ipaddr a;

	memcpy(a.b, p, 16);
	return a;
}

static inline struct ipaddr ip_any4(void) { return ip_from4n(0); }

static inline bool ip_is4(const struct ipaddr *a)
{
	u64 hi;
	u32 mid;

	memcpy(&hi, a->b, 8);
	memcpy(&mid, a->b + 8, 4);
	return hi == 0 && mid == __builtin_bswap32(0x0000ffff);
}

static inline u32 ip_v4(const struct ipaddr *a) { return get_be32(a->b + 12); }

static inline bool ip_eq(const struct ipaddr *a, const struct ipaddr *b)
{
	return memcmp(a, b, 16) == 0;
}

static inline bool ip_is_any(const struct ipaddr *a)
{
	static const u8 zero[16];

	return ip_is4(a) ? ip_v4(a) == 0 : memcmp(a, zero, 16) == 0;
}

static inline bool ip_is_loopback(const struct ipaddr *a)
{
	static const u8 one[16] = { [15] = 1 };

	return ip_is4(a) ? ip_v4(a) >> 24 == 127 : memcmp(a, one, 16) == 0;
}

static inline bool ip_is_multicast(const struct ipaddr *a)
{
	return ip_is4(a) ? ip_v4(a) >> 28 == 14 : a->b[0] == 0xff;
}

static inline bool ip_is_bcast(const struct ipaddr *a)
{
	return ip_is4(a) && ip_v4(a) == 0xffffffff;
}

static inline bool ip_is_linklocal(const struct ipaddr *a)
{
	return ip_is4(a) ? ip_v4(a) >> 16 == 0xa9fe : a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Multicast scope ff02 (link) or smaller. */
static inline bool ip_is_ll_mcast6(const struct ipaddr *a)
{
	return a->b[0] == 0xff && (a->b[1] & 15) <= 2;
}

/* Needs an interface to mean anything. */
static inline bool ip_needs_scope(const struct ipaddr *a)
{
	return !ip_is4(a) && (ip_is_linklocal(a) || ip_is_ll_mcast6(a));
}

/* @plen counts in the address' own family. */
static inline bool ip_in_prefix(const struct ipaddr *a, const struct ipaddr *net, unsigned plen)
{
	unsigned bits = ip_is4(net) ? plen + 96 : plen, n = bits / 8;

	if (bits > 128 || memcmp(a->b, net->b, n))
		return false;
	return bits % 8 == 0 || ((a->b[n] ^ net->b[n]) & (0xff00 >> bits % 8) & 0xff) == 0;
}

static inline struct ipaddr ip_mask(const struct ipaddr *a, unsigned plen)
{
	unsigned bits = ip_is4(a) ? plen + 96 : plen, i;
	struct ipaddr r = *a;

	for (i = 0; i < 16; i++) {
		if (i * 8 >= bits)
			r.b[i] = 0;
		else if (bits - i * 8 < 8)
			r.b[i] &= (u8)(0xff00 >> (bits - i * 8));
	}
	return r;
}

/* Pointer and length of the address as it stands on the wire. */
static inline const u8 *ip_wire(const struct ipaddr *a) { return ip_is4(a) ? a->b + 12 : a->b; }
static inline size_t ip_wire_len(const struct ipaddr *a) { return ip_is4(a) ? 4 : 16; }
