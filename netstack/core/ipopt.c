/*
 * ipopt.c - options of levels IPPROTO_IP and IPPROTO_IPV6 that are more than a boolean.
 *
 * Called from sockopt.c, which has the booleans.  Single words are written without
 * the endpoint's lock: a racing sender uses the old or the new value.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/core/optnum.h"

#define IP4_MTU_MAX 65535u
#define IP6_MTU_MIN 1280

/* IP-level options take one byte as well. */
int ipopt_int(const void *val, size_t len, int *ret)
{
	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(int))
		return epopt_int(val, len, ret);
	*ret = *(const u8 *)val;
	return 0;
}

bool ipopt_is_mcast(int level, int opt)
{
	if (opt >= MCAST_JOIN_GROUP && opt <= MCAST_LEAVE_SOURCE_GROUP)
		return true;
	if (level == IPPROTO_IP)
		return opt == IP_ADD_MEMBERSHIP || opt == IP_DROP_MEMBERSHIP || opt == IP_MULTICAST_IF ||
		       (opt >= IP_UNBLOCK_SOURCE && opt <= IP_DROP_SOURCE_MEMBERSHIP);
	return opt == IPV6_JOIN_GROUP || opt == IPV6_LEAVE_GROUP || opt == IPV6_MULTICAST_IF;
}

/* Priority follows TOS, as in Linux' rt_tos2priority(); its ECN bits are TCP's own. */
static void set_tos(struct ep *e, u8 tos)
{
	static const u8 prio[4] = { 0, 2, 6, 4 };

	if (e->type == SOCK_STREAM)
		tos = (u8)((tos & ~3u) | (e->o.tos & 3));
	e->o.tos = tos;
	e->o.priority = prio[tos >> 3 & 3];
}

/* Ports to choose from: low in the lower half, high in the upper one, 0: no limit at that end. */
static int set_port_range(struct ep *e, const void *val, size_t len)
{
	u32 v;

	if (len != sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if ((v & 0xffff) && v >> 16 && (v & 0xffff) > v >> 16)
		return -EINVAL;
	e->o.port_range = v;
	return 0;
}

/* IP_UNICAST_IF and IPV6_UNICAST_IF: the index comes in network order. */
static int set_unicast_if(struct ep *e, const void *val, size_t len, u32 *dst)
{
	u32 v;

	if (len != sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	v = ntohl(v);
	if (v && !nic_by_index(e->stack, v))
		return -EADDRNOTAVAIL;
	if (v && e->o.bound_if)
		return -EINVAL;
	*dst = v;
	return 0;
}

/* Kept only: no packet is handed to those who asked for alerts alone. */
static int set_router_alert(struct ep *e, bool on)
{
	if (e->o.ra == on)
		return on ? -EADDRINUSE : -ENOBUFS;
	e->o.ra = on;
	return 0;
}

/* What has a length of its own; -ENOPROTOOPT: the rest. */
static int set4_sized(struct ep *e, int opt, const void *val, size_t len)
{
	switch (opt) {
	case OPT_IP_LOCAL_PORT_RANGE:
		return set_port_range(e, val, len);
	case IP_UNICAST_IF:
		return set_unicast_if(e, val, len, &e->o.uc_if);
	case IP_OPTIONS:
		return hdropt_set4(e, val, len, false);
	default:
		return -ENOPROTOOPT;
	}
}

int ipopt_set4(struct ep *e, int opt, const void *val, size_t len)
{
	int v = 0, r = set4_sized(e, opt, val, len);

	if (r != -ENOPROTOOPT)
		return r;
	/* Nothing is 0 where that makes sense; for an option that nobody knows the length does not matter. */
	r = len ? ipopt_int(val, len, &v) : 0;
	if (r < 0)
		return r;
	switch (opt) {
	case IP_TOS:
		set_tos(e, (u8)v);
		return 0;
	case IP_TTL:
		if (len == 0 || (v != -1 && (v < 1 || v > 255)))
			return -EINVAL;
		e->o.ttl = (s16)v;
		return 0;
	case IP_MULTICAST_TTL:
		if (len == 0 || e->type == SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		e->o.mc_ttl = v == -1 ? 1 : (u8)v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		e->o.pmtudisc = (u8)v;
		return 0;
	case IP_MINTTL:
		if (len == 0 || v < 0 || v > 255)
			return -EINVAL;
		e->o.minttl = (u8)v;
		return 0;
	case IP_ROUTER_ALERT:
		return e->type != SOCK_RAW || e->proto == IPPROTO_RAW ? -EINVAL : set_router_alert(e, v != 0);
	default:
		return -ENOPROTOOPT;
	}
}

int ipopt_get4(struct ep *e, int opt, void *val, size_t *len)
{
	int v;

	switch (opt) {
	case IP_TOS:
		v = e->o.tos;
		break;
	case IP_TTL:
		v = e->o.ttl == -1 ? e->stack->sysctl.ttl[0] : e->o.ttl;
		break;
	case IP_MULTICAST_TTL:
		v = e->o.mc_ttl;
		break;
	case IP_MTU_DISCOVER:
		v = e->o.pmtudisc;
		break;
	case IP_MINTTL:
		v = e->o.minttl;
		break;
	case IP_ROUTER_ALERT:
		v = e->o.ra;
		break;
	case IP_MULTICAST_IF:
		return epopt_put(val, len, e->o.mc_src.b + 12, 4);
	case IP_MTU:
		mutex_lock(&e->mu);
		v = !e->connected || ep_route(e) < 0 ? -ENOTCONN :
						       (int)MIN(e->rt.mtu, ip_is4(&e->raddr) ? IP4_MTU_MAX : UINT32_MAX);
		mutex_unlock(&e->mu);
		if (v < 0)
			return v;
		break;
	case IP_PKTOPTIONS:
		if (e->type != SOCK_STREAM)
			return -ENOPROTOOPT;
		*len = 0;
		return 0;
	case IP_OPTIONS:
		return hdropt_get4(e, val, len);
	case OPT_IP_PROTOCOL:
		/* So it is on Linux. */
		v = e->type == SOCK_RAW ? e->proto : e->type == SOCK_STREAM && !e->bind.hashed ? 0 : e->lport;
		break;
	case IP_UNICAST_IF:
		v = (int)htonl(e->o.uc_if);
		break;
	case OPT_IP_LOCAL_PORT_RANGE:
		v = (int)e->o.port_range;
		break;
	default:
		return -ENOPROTOOPT;
	}
	/* One byte when that is all the room there is, as Linux. */
	if (*len >= 1 && *len < sizeof(int) && v >= 0 && v <= 255) {
		*(u8 *)val = (u8)v;
		*len = 1;
		return 0;
	}
	return epopt_put_int(val, len, v);
}

enum { PREFER_TMP = 1, PREFER_PUBLIC = 2, PREFER_COA = 4, PREFER_CGA = 8, PREFER_DEFAULT = 0x100, PREFER_HOME = 0x400,
       PREFER_NONCGA = 0x800 };

/* RFC 5014: of each group one or none, which is the default.  There are no temporary or care-of addresses to prefer. */
static int set_addr_prefs(struct ep *e, u32 v)
{
	u32 which = v & (PREFER_TMP | PREFER_PUBLIC | PREFER_DEFAULT), home = v & (PREFER_HOME | PREFER_COA);

	if ((which & (which - 1)) || (home & (home - 1)) || (v & (PREFER_CGA | PREFER_NONCGA)) == (PREFER_CGA | PREFER_NONCGA))
		return -EINVAL;
	e->o.addr_prefs = (u16)(v & (PREFER_TMP | PREFER_PUBLIC | PREFER_COA));
	return 0;
}

static int get_addr_prefs(const struct ep *e)
{
	u32 p = e->o.addr_prefs;

	return (int)(p | (p & (PREFER_TMP | PREFER_PUBLIC) ? 0 : PREFER_DEFAULT) | (p & PREFER_COA ? 0 : PREFER_HOME));
}

/* What has a length of its own; -ENOPROTOOPT: the rest. */
static int set6_sized(struct ep *e, int opt, const void *val, size_t len)
{
	switch (opt) {
	case IPV6_UNICAST_IF:
		return set_unicast_if(e, val, len, &e->o.uc_if6);
	case IPV6_HOPOPTS: case IPV6_RTHDRDSTOPTS: case IPV6_RTHDR: case IPV6_DSTOPTS:
		return hdropt_set6(e, opt, val, len);
	case OPT_IPV6_2292PKTOPTIONS:
		return hdropt_set6_all(e, val, len, false);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_addrform(struct ep *e, int v)
{
	if (v != AF_INET)
		return -EINVAL;
	if (e->type == SOCK_RAW)
		return -ENOPROTOOPT;
	return e->connected ? -EADDRNOTAVAIL : -ENOTCONN;       /* nobody becomes a socket of IPv4 */
}

static int set6_int(struct ep *e, int opt, int v)
{
	switch (opt) {
	case OPT_IPV6_ADDRFORM:
		return set_addrform(e, v);
	case IPV6_V6ONLY:
		if ((e->lport && e->type != SOCK_STREAM) || e->bind.hashed || e->type == SOCK_RAW)
			return -EINVAL;
		e->o.v6only = v != 0;
		return 0;
	case IPV6_UNICAST_HOPS:
		e->o.hlim = (s16)v;
		return 0;
	case IPV6_MULTICAST_HOPS:
		e->o.mc_hlim6 = (s16)v;
		return 0;
	case IPV6_TCLASS:
		v = MAX(v, 0);
		e->o.tclass = (u8)(e->type == SOCK_STREAM ? (v & ~3) | (e->o.tclass & 3) : v);  /* ECN is TCP's own */
		return 0;
	case IPV6_MTU_DISCOVER:
		e->o.pmtudisc6 = (u8)v;
		return 0;
	case OPT_IPV6_MINHOPCOUNT:
		e->o.minttl = (u8)v;
		return 0;
	case IPV6_ADDR_PREFERENCES:
		return set_addr_prefs(e, (u32)v);
	case IPV6_ROUTER_ALERT:
		return e->type != SOCK_RAW || e->proto != IPPROTO_RAW ? -ENOPROTOOPT : set_router_alert(e, v >= 0);
	default:                /* IPV6_MTU: packets are never larger than the link's */
		return 0;
	}
}

static const struct { s16 opt; s32 lo, hi; } ranges6[] = {
	{ OPT_IPV6_ADDRFORM, INT32_MIN, INT32_MAX }, { IPV6_V6ONLY, INT32_MIN, INT32_MAX }, { IPV6_UNICAST_HOPS, -1, 255 },
	{ IPV6_MULTICAST_HOPS, -1, 255 }, { IPV6_TCLASS, -1, 255 }, { IPV6_MTU_DISCOVER, 0, 5 }, { OPT_IPV6_MINHOPCOUNT, 0, 255 },
	{ IPV6_ADDR_PREFERENCES, INT32_MIN, INT32_MAX }, { IPV6_ROUTER_ALERT, INT32_MIN, INT32_MAX }, { IPV6_MTU, 0, INT32_MAX },
};

int ipopt_set6(struct ep *e, int opt, const void *val, size_t len)
{
	int v, r = set6_sized(e, opt, val, len);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ranges6) && ranges6[i].opt != opt; i++)
		;
	if (r != -ENOPROTOOPT || i == ARRAY_SIZE(ranges6))
		return r;
	if (e->type == SOCK_STREAM && opt == IPV6_MULTICAST_HOPS)
		return -ENOPROTOOPT;
	if (epopt_int(val, len, &v) < 0 || v < ranges6[i].lo || v > ranges6[i].hi || (opt == IPV6_MTU && v && v < IP6_MTU_MIN))
		return -EINVAL;
	return set6_int(e, opt, v);
}

/* struct ip6_mtuinfo: where to, and how much goes there at once. */
static int get_path_mtu(struct ep *e, void *val, size_t *len)
{
	struct ip6_mtuinfo i = { 0 };
	int r;

	if (*len < sizeof(i))
		return -EINVAL;
	mutex_lock(&e->mu);
	r = !e->connected || ep_route(e) < 0 ? -ENOTCONN : 0;
	i.ip6m_mtu = e->rt.mtu;
	mutex_unlock(&e->mu);
	return r < 0 ? r : epopt_put(val, len, &i, sizeof(i));
}

static int get6_other(struct ep *e, int opt, void *val, size_t *len)
{
	switch (opt) {
	case OPT_IPV6_ADDRFORM:
		return e->type == SOCK_RAW && e->proto != IPPROTO_UDP && e->proto != IPPROTO_TCP ? -ENOPROTOOPT :
		       !e->connected || e->type == SOCK_RAW ? -ENOTCONN : epopt_put_int(val, len, e->family);
	case OPT_IPV6_2292PKTOPTIONS:
		if (e->type != SOCK_STREAM)
			return -ENOPROTOOPT;
		*len = 0;
		return 0;
	case IPV6_HOPOPTS: case IPV6_RTHDRDSTOPTS: case IPV6_RTHDR: case IPV6_DSTOPTS:
		return hdropt_get6(e, opt, val, len);
	case OPT_IPV6_FLOWLABEL_MGR:
		return flowlabel_get(e, val, len);
	case IPV6_PATHMTU:
		return get_path_mtu(e, val, len);
	case IPV6_ROUTER_ALERT:
		return epopt_put_int(val, len, e->o.ra);
	case IPV6_UNICAST_IF:
		return epopt_put_int(val, len, (int)htonl(e->o.uc_if6));
	case IPV6_ADDR_PREFERENCES:
		return epopt_put_int(val, len, get_addr_prefs(e));
	default:
		return -ENOPROTOOPT;
	}
}

int ipopt_get6(struct ep *e, int opt, void *val, size_t *len)
{
	int v;

	switch (opt) {
	case IPV6_V6ONLY:
		/* Who is bound to an address of IPv6 gets nothing else. */
		return epopt_put_int(val, len, e->o.v6only || (e->addr_bound && e->type != SOCK_RAW && !ip_is4(&e->laddr)));
	case IPV6_UNICAST_HOPS:
		return epopt_put_int(val, len, e->o.hlim < 0 ? e->stack->sysctl.hlim[0] : e->o.hlim);
	case IPV6_MULTICAST_HOPS:
		return epopt_put_int(val, len, e->o.mc_hlim6 < 0 ? 1 : e->o.mc_hlim6);
	case IPV6_MULTICAST_IF:
		return epopt_put_int(val, len, (int)e->o.mc_if);
	case IPV6_TCLASS:
		return epopt_put_int(val, len, e->o.tclass);
	case IPV6_MTU_DISCOVER:
		return epopt_put_int(val, len, e->o.pmtudisc6);
	case OPT_IPV6_MINHOPCOUNT:
		return epopt_put_int(val, len, e->o.minttl);
	case IPV6_MTU:
		mutex_lock(&e->mu);
		v = !e->connected || ep_route(e) < 0 ? -ENOTCONN : (int)e->rt.mtu;
		mutex_unlock(&e->mu);
		return v < 0 ? v : epopt_put_int(val, len, v);
	default:
		return get6_other(e, opt, val, len);
	}
}
