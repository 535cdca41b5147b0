/*
 * inet_name.c - names of sockets: the guest's sockaddr_in, sockaddr_in6 and sockaddr_ll, the stack's net_sa.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stddef.h>
#include <string.h>

#include "netstack/api.h"
#include "sentry/socket/inet.h"

static const u8 v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static int ll_in(const void *name, u32 len, struct net_sa *ret)
{
	struct sockaddr_ll ll;

	if (len < sizeof(ll))
		return -EINVAL;
	memcpy(&ll, name, sizeof(ll));
	if (ll.sll_family != AF_PACKET)
		return -EINVAL;
	ret->port = ntohs(ll.sll_protocol);
	ret->scope = (u32)ll.sll_ifindex;
	ret->ll_hatype = ll.sll_hatype;
	ret->ll_pkttype = ll.sll_pkttype;
	ret->ll_halen = ll.sll_halen;
	memcpy(ret->ll_addr, ll.sll_addr, sizeof(ret->ll_addr));
	return 0;
}

/* getsockname() shows no more of the address than there is. */
static int ll_out(const struct net_sa *sa, bool full, void *name)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(sa->port), .sll_ifindex = (int)sa->scope,
		.sll_hatype = sa->ll_hatype, .sll_pkttype = sa->ll_pkttype, .sll_halen = sa->ll_halen,
	};

	memcpy(ll.sll_addr, sa->ll_addr, sizeof(sa->ll_addr));
	memcpy(name, &ll, sizeof(ll));
	return full ? (int)sizeof(ll) : (int)offsetof(struct sockaddr_ll, sll_addr) + sa->ll_halen;
}

int inet_sa_in(int own, const void *name, u32 len, struct net_sa *ret)
{
	struct sockaddr_in6 in6 = { 0 };
	struct sockaddr_in in;
	sa_family_t family;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, name, sizeof(family));
	memset(ret, 0, sizeof(*ret));
	ret->family = family;
	if (own == AF_PACKET)
		return ll_in(name, len, ret);
	if (family != AF_UNSPEC && family != AF_INET && len < (own == AF_INET ? sizeof(in) : SA_IN6_OLD))
		return -EINVAL;
	switch (family) {
	case AF_UNSPEC:
		return 0;
	case AF_INET:
		if (len < sizeof(in))
			return -EINVAL;
		memcpy(&in, name, sizeof(in));
		ret->port = ntohs(in.sin_port);
		memcpy(ret->ip.b, v4_prefix, sizeof(v4_prefix));
		memcpy(ret->ip.b + sizeof(v4_prefix), &in.sin_addr, 4);
		return 0;
	case AF_INET6:
		if (len < SA_IN6_OLD)
			return own == AF_INET ? -EAFNOSUPPORT : -EINVAL;
		memcpy(&in6, name, MIN((size_t)len, sizeof(in6)));
		ret->port = ntohs(in6.sin6_port);
		ret->flowinfo = in6.sin6_flowinfo;
		ret->scope = in6.sin6_scope_id;
		memcpy(ret->ip.b, &in6.sin6_addr, 16);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

int inet_sa_out(int family, const struct net_sa *sa, bool full, void *name)
{
	if (family == AF_PACKET)
		return ll_out(sa, full, name);
	if (family == AF_INET) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(sa->port) };

		memcpy(&in.sin_addr, sa->ip.b + 12, 4);
		memcpy(name, &in, sizeof(in));
		return sizeof(in);
	}
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(sa->port), .sin6_flowinfo = sa->flowinfo,
		.sin6_scope_id = sa->scope,
	};

	memcpy(&in6.sin6_addr, sa->ip.b, 16);
	memcpy(name, &in6, sizeof(in6));
	return sizeof(in6);
}
