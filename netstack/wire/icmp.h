/*
 * icmp.h - numbers of ICMPv4 (RFC 792), ICMPv6 (RFC 4443) and NDP (RFC 4861).
 *
 * Both headers are type, code, checksum and four bytes of rest.
 */
#pragma once
#include "netstack/wire/bytes.h"

#define ICMP_HLEN 8

enum {
	ICMP4_ECHOREPLY = 0, ICMP4_UNREACH = 3, ICMP4_QUENCH = 4, ICMP4_REDIRECT = 5,
	ICMP4_ECHO = 8, ICMP4_TIMEX = 11, ICMP4_PARAM = 12, ICMP4_TSTAMP = 13, ICMP4_TSTAMPREPLY = 14,
};
enum {
	ICMP4_UNREACH_NET = 0, ICMP4_UNREACH_HOST = 1, ICMP4_UNREACH_PROTO = 2,
	ICMP4_UNREACH_PORT = 3, ICMP4_UNREACH_NEEDFRAG = 4, ICMP4_UNREACH_SRCFAIL = 5,
	ICMP4_UNREACH_MAX = 15,
};
enum {
	ICMP6_UNREACH = 1, ICMP6_TOOBIG = 2, ICMP6_TIMEX = 3, ICMP6_PARAM = 4,
	ICMP6_ECHO = 128, ICMP6_ECHOREPLY = 129,
	MLD_QUERY = 130, MLD_REPORT = 131, MLD_DONE = 132,
	NDP_RS = 133, NDP_RA = 134, NDP_NS = 135, NDP_NA = 136, NDP_REDIRECT = 137,
	MLD2_REPORT = 143,
};
enum {
	ICMP6_UNREACH_NOROUTE = 0, ICMP6_UNREACH_ADMIN = 1, ICMP6_UNREACH_SCOPE = 2,
	ICMP6_UNREACH_ADDR = 3, ICMP6_UNREACH_PORT = 4,
};
enum { NDP_OPT_SLLA = 1, NDP_OPT_TLLA = 2, NDP_OPT_PREFIX = 3, NDP_OPT_MTU = 5 };
enum { NDP_NA_ROUTER = 0x80, NDP_NA_SOLICITED = 0x40, NDP_NA_OVERRIDE = 0x20 };

struct icmp_hdr {
	u8  type, code;
	u32 rest;               /* id<<16|seq, MTU, pointer ... by type */
};

static inline bool must_check icmp_parse(const u8 *p, size_t len, struct icmp_hdr *ret)
{
	if (len < ICMP_HLEN)
		return false;
	ret->type = p[0];
	ret->code = p[1];
	ret->rest = get_be32(p + 4);
	return true;
}

/* Checksum zero. */
static inline void icmp_emit(u8 *p, u8 type, u8 code, u32 rest)
{
	p[0] = type;
	p[1] = code;
	p[2] = p[3] = 0;
	put_be32(p + 4, rest);
}

/* The NDP option of @type with at least @min bytes, or NULL; malformed lists give NULL. */
static inline const u8 *ndp_option(const u8 *p, size_t n, u8 type, size_t min)
{
	while (n >= 8) {
		size_t l = p[1] * 8u;

		if (l == 0 || l > n)
			return NULL;
		if (p[0] == type)
			return l >= min ? p : NULL;
		p += l;
		n -= l;
	}
	return NULL;
}

/* False when an option has length 0 or sticks out (RFC 4861, 6.1: discard the message). */
static inline bool ndp_options_ok(const u8 *p, size_t n)
{
	while (n) {
		size_t l;

		if (n < 2)
			return false;
		l = p[1] * 8u;
		if (l == 0 || l > n)
			return false;
		p += l;
		n -= l;
	}
	return true;
}
