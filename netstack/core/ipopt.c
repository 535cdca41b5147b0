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
#include "netstack/core/optnum.h"

#define IP4_MTU_MAX 65535u

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

int ipopt_set4(struct ep *e, int opt, const void *val, size_t len)
{
	int v, r = ipopt_int(val, len, &v);

	if (r < 0)
		return r;
	switch (opt) {
	case IP_TOS:
		set_tos(e, (u8)v);
		return 0;
	case IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		e->o.ttl = (s16)v;
		return 0;
	case IP_MULTICAST_TTL:
		if (e->type == SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		e->o.mc_ttl = v == -1 ? 1 : (u8)v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		e->o.pmtudisc = (u8)v;
		return 0;
	case IP_MINTTL:
		if (v < 0 || v > 255)
			return -EINVAL;
		e->o.minttl = (u8)v;
		return 0;
	case IP_HDRINCL:
		if (e->type != SOCK_RAW)
			return -ENOPROTOOPT;
		e->o.hdrincl = v != 0;
		return 0;
	case IP_NODEFRAG:
		return e->type == SOCK_RAW ? 0 : -ENOPROTOOPT;
	case IP_UNICAST_IF: case OPT_IP_LOCAL_PORT_RANGE:
		return 0;
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
	case IP_HDRINCL:
		v = e->o.hdrincl;
		break;
	case IP_MULTICAST_IF:
		return epopt_put(val, len, e->o.mc_src.b + 12, 4);
	case IP_MTU:
		mutex_lock(&e->mu);
		v = !e->connected || ep_route(e) < 0 ? -ENOTCONN : (int)MIN(e->rt.mtu, IP4_MTU_MAX);
		mutex_unlock(&e->mu);
		if (v < 0)
			return v;
		break;
	case IP_OPTIONS:
		*len = 0;
		return 0;
	case OPT_IP_PROTOCOL:
		v = e->type == SOCK_RAW ? e->proto : e->lport;  /* so it is on Linux */
		break;
	case IP_NODEFRAG: case IP_UNICAST_IF: case OPT_IP_LOCAL_PORT_RANGE:
		v = 0;
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

int ipopt_set6(struct ep *e, int opt, const void *val, size_t len)
{
	int v, r;

	if (e->family != AF_INET6)
		return -ENOPROTOOPT;
	r = epopt_int(val, len, &v);
	if (r < 0)
		return r;
	switch (opt) {
	case IPV6_V6ONLY:
		if (e->lport || e->bind.hashed)
			return -EINVAL;
		e->o.v6only = v != 0;
		return 0;
	case IPV6_UNICAST_HOPS:
		if (v < -1 || v > 255)
			return -EINVAL;
		e->o.hlim = (s16)v;
		return 0;
	case IPV6_MULTICAST_HOPS:
		if (v < -1 || v > 255)
			return -EINVAL;
		e->o.mc_hlim6 = (s16)v;
		return 0;
	case IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		e->o.tclass = v < 0 ? 0 : (u8)v;
		return 0;
	case IPV6_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		e->o.pmtudisc6 = (u8)v;
		return 0;
	case OPT_IPV6_MINHOPCOUNT:
		if (v < 0 || v > 255)
			return -EINVAL;
		e->o.minttl = (u8)v;
		return 0;
	case IPV6_MTU: case IPV6_ADDR_PREFERENCES: case IPV6_CHECKSUM: case IPV6_UNICAST_IF:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int ipopt_get6(struct ep *e, int opt, void *val, size_t *len)
{
	int v;

	if (e->family != AF_INET6)
		return -ENOPROTOOPT;
	switch (opt) {
	case IPV6_V6ONLY:
		return epopt_put_int(val, len, e->o.v6only);
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
	case IPV6_ADDR_PREFERENCES: case IPV6_CHECKSUM: case IPV6_UNICAST_IF:
		return epopt_put_int(val, len, 0);
	default:
		return -ENOPROTOOPT;
	}
}
