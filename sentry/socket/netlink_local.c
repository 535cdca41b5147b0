/*
 * netlink_local.c - the table of local routes (RT_TABLE_LOCAL), which follows from the addresses and is nowhere kept.
 *
 * As Linux has them: each address to itself; of IPv4 its broadcast addresses and, on loopback, its whole prefix, while the
 * link is up; of IPv6 all groups by each link.
 */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include "netstack/api.h"
#include "sentry/socket/netlink_local.h"

#define IPV4_KINDS 4            /* at most, of one address */
#define LINK_BASE (1u << 20)    /* numbers from here on are links' */

static u32 word4(const struct ipaddr *a)
{
	return (u32)a->b[12] << 24 | (u32)a->b[13] << 16 | (u32)a->b[14] << 8 | a->b[15];
}

static struct ipaddr addr4(u32 v)
{
	return (struct ipaddr){ { [10] = 0xff, 0xff, (u8)(v >> 24), (u8)(v >> 16), (u8)(v >> 8), (u8)v } };
}

static bool is4(const struct addr_info *a)
{
	static const u8 mapped[12] = { [10] = 0xff, 0xff };

	return memcmp(a->ip.b, mapped, sizeof(mapped)) == 0;
}

/* The @kind-th route of an address of IPv4; false: there is none. */
static bool local4(const struct addr_info *a, const struct link_info *l, u32 kind, struct route_info *r)
{
	u32 ip = word4(&a->ip), mask = a->plen ? UINT32_MAX << (32 - a->plen) : 0, brd = word4(&a->brd), last = ip | ~mask;
	bool up = l->flags & IFF_UP, net = up && (ip & mask) >> 24 && !(a->flags & IFA_F_SECONDARY) && a->plen < 32;

	*r = (struct route_info){ .family = AF_INET, .plen = 32, .table = RT_TABLE_LOCAL, .proto = RTPROT_KERNEL, .type = RTN_BROADCAST,
				  .scope = RT_SCOPE_LINK, .has_src = true, .src = a->ip, .ifindex = a->ifindex };
	switch (kind) {
	case 0:
		if (!net || !(l->flags & IFF_LOOPBACK))
			return false;
		r->dst = addr4(ip & mask);
		r->plen = a->plen;
		break;
	case 1:
		r->dst = a->ip;
		break;
	case 2:
		r->dst = addr4(last);
		return net && a->plen < 31;
	default:
		r->dst = a->brd;
		return up && brd && brd != UINT32_MAX && (brd != last || !net || a->plen >= 31);
	}
	r->type = RTN_LOCAL;
	r->scope = RT_SCOPE_HOST;
	return true;
}

static bool local6(const struct addr_info *a, u32 kind, struct route_info *r)
{
	*r = (struct route_info){ .family = AF_INET6, .plen = 128, .table = RT_TABLE_LOCAL, .proto = RTPROT_KERNEL, .type = RTN_LOCAL,
				  .ifindex = a->ifindex, .dst = a->ip };
	return kind == 0 && !(a->flags & IFA_F_TENTATIVE);
}

static bool groups6(const struct link_info *l, struct route_info *r)
{
	*r = (struct route_info){ .family = AF_INET6, .plen = 8, .table = RT_TABLE_LOCAL, .proto = RTPROT_KERNEL, .type = RTN_MULTICAST,
				  .ifindex = l->ifindex, .dst = { { 0xff } }, .metric = 256 };
	return (l->flags & IFF_UP) && !(l->flags & IFF_LOOPBACK);
}

bool local_route_next(struct stack *st, u32 *pos, struct route_info *ret)
{
	struct link_info l = { 0 };
	struct addr_info a;

	for (; *pos < LINK_BASE && addr_nth(st, *pos / IPV4_KINDS, &a) == 0; ++*pos) {
		if (link_get(st, a.ifindex, &l) < 0)
			continue;
		if (is4(&a) ? local4(&a, &l, *pos % IPV4_KINDS, ret) : local6(&a, *pos % IPV4_KINDS, ret))
			return true;
	}
	if (*pos < LINK_BASE)
		*pos = LINK_BASE;
	/* From here on *pos is beyond the link that was told last. */
	while (link_next(st, *pos - LINK_BASE, &l) == 0 && l.ifindex < UINT32_MAX - LINK_BASE) {
		if (groups6(&l, ret))
			return true;
		*pos = LINK_BASE + l.ifindex;
	}
	return false;
}

void local_route_told(u32 *pos, const struct route_info *r) { *pos = *pos < LINK_BASE ? *pos + 1 : LINK_BASE + r->ifindex; }
