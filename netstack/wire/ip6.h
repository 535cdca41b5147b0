/*
 * ip6.h - IPv6 headers (RFC 8200): checked parse, extension chain walk, emit.
 */
#pragma once
#include "netstack/wire/bytes.h"

#define IP6_HLEN        40
#define IP6_FRAG_HLEN   8

enum {
	IP6_NH_HOPOPTS = 0, IP6_NH_ROUTING = 43, IP6_NH_FRAGMENT = 44,
	IP6_NH_NONE = 59, IP6_NH_DSTOPTS = 60,
};

struct ip6_hdr {
	u8  tclass, nh, hlim;
	u16 plen;
	u32 flow;               /* 20 bits */
	u8  src[16], dst[16];
};

/* What is behind the fixed header. */
struct ip6_chain {
	u8  proto;              /* upper protocol, or IP6_NH_FRAGMENT / IP6_NH_NONE */
	u32 off;                /* of that header, from the start of the packet */
	u32 nh_off;             /* where the byte naming it stands (ICMP pointer, fragments) */
	bool router_alert;
};

/* Why a chain is refused, in the terms of ICMPv6 Parameter Problem. */
struct ip6_problem {
	bool send;              /* tell the sender */
	u8   code;              /* 0 field, 1 next header, 2 option */
	u32  ptr;
};

int ip6_parse(const u8 *p, size_t len, struct ip6_hdr *ret) must_check;
/* Walk extension headers; @p starts with the fixed header.  -EINVAL fills @prob. */
int ip6_walk(const u8 *p, size_t len, bool mcast, struct ip6_chain *ret,
	     struct ip6_problem *prob) must_check;
void ip6_emit(u8 *p, const struct ip6_hdr *h);
