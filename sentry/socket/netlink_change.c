/*
 * netlink_change.c - rtnetlink(7), the orders: addresses, routes, neighbours; those about links are in netlink_link.c.
 *
 * The caller has checked CAP_NET_ADMIN.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include "netstack/api.h"
#include "sentry/socket/netlink.h"

static bool attr_ip(const struct nl_req *q, size_t fixed, u16 type, bool v4, struct ipaddr *ret)
{
	const void *p = nl_find(q, fixed, type, v4 ? 4 : 16, NULL);

	memset(ret, 0, sizeof(*ret));
	if (!p)
		return false;
	if (v4)
		ret->b[10] = ret->b[11] = 0xff;
	memcpy(v4 ? ret->b + 12 : ret->b, p, v4 ? 4 : 16);
	return true;
}

static bool same_net(const struct ipaddr *a, const struct ipaddr *b, u8 plen4)
{
	u32 x, y;

	memcpy(&x, a->b + 12, sizeof(x));
	memcpy(&y, b->b + 12, sizeof(y));
	return plen4 == 0 || (ntohl(x ^ y) >> (32 - plen4)) == 0;
}

/* Which address of IPv4 a request to delete means: the first with all that it names. */
static int addr_named(struct nl_req *q, const struct ifaddrmsg *m, struct addr_info *ret)
{
	char label[NET_IFNAMSIZ];
	struct ipaddr local, peer;
	bool by_local = attr_ip(q, sizeof(*m), IFA_LOCAL, true, &local), by_peer = attr_ip(q, sizeof(*m), IFA_ADDRESS, true, &peer);
	bool by_label = nl_find_name(q, sizeof(*m), IFA_LABEL, label);

	for (unsigned i = 0; addr_nth(q->st, i, ret) == 0; i++) {
		static const u8 v4[12] = { [10] = 0xff, [11] = 0xff };

		if (ret->ifindex != m->ifa_index || memcmp(ret->ip.b, v4, sizeof(v4)) != 0)
			continue;
		if (by_local && memcmp(&local, &ret->ip, sizeof(local)) != 0)
			continue;
		if (by_label && strcmp(label, ret->label) != 0)
			continue;
		if (!by_peer || (ret->plen == m->ifa_prefixlen && same_net(&peer, &ret->peer, ret->plen)))
			return 0;
	}
	return nl_refuse(q, -EADDRNOTAVAIL, "ipv4: Address not found");
}

static int delete_addr(struct nl_req *q, const struct ifaddrmsg *m)
{
	bool v4 = m->ifa_family == AF_INET;
	struct addr_info a = { .ifindex = m->ifa_index, .plen = m->ifa_prefixlen };
	struct link_info l;
	int r;

	if (!v4 && !attr_ip(q, sizeof(*m), IFA_LOCAL, v4, &a.ip) && !attr_ip(q, sizeof(*m), IFA_ADDRESS, v4, &a.ip))
		return -EINVAL;
	if (!v4 && m->ifa_prefixlen > 128)
		return nl_refuse(q, -EINVAL, "ipv6: Invalid prefix length");
	if (link_get(q->st, m->ifa_index, &l) < 0)
		return nl_refuse(q, -ENODEV, v4 ? "ipv4: Device not found" : "ipv6: Unable to find the interface");
	r = v4 ? addr_named(q, m, &a) : 0;
	if (r == 0)
		r = addr_del(q->st, &a);
	if (r == 0)
		netlink_note_addr(q, &a);
	return r == -EADDRNOTAVAIL && !v4 ? nl_refuse(q, r, "ipv6: address not found") : r;
}

/* What IPv6 gives to no interface, or only to the loopback one. */
static bool unfit6(const struct ipaddr *ip, const struct link_info *l)
{
	static const struct ipaddr any, lo = { .b = { [15] = 1 } };

	return ip->b[0] == 0xff || memcmp(ip, &any, sizeof(any)) == 0 ||
		(memcmp(ip, &lo, sizeof(lo)) == 0 && !(l->flags & IFF_LOOPBACK));
}

static int change_addr(struct nl_req *q, bool add)
{
	struct addr_info a = { .valid_s = UINT32_MAX, .preferred_s = UINT32_MAX };
	struct ifa_cacheinfo ci;
	struct ifaddrmsg m;
	struct link_info l;
	const void *p;
	bool v4, local, peer;
	int r;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return nl_refuse(q, -EINVAL, "Invalid header length");
	if (m.ifa_family != AF_INET && m.ifa_family != AF_INET6)
		return -EOPNOTSUPP;
	if (!add)
		return delete_addr(q, &m);
	v4 = m.ifa_family == AF_INET;
	local = attr_ip(q, sizeof(m), IFA_LOCAL, v4, &a.ip);
	peer = attr_ip(q, sizeof(m), IFA_ADDRESS, v4, &a.peer);
	if (v4 && m.ifa_prefixlen > 32)
		return nl_refuse(q, -EINVAL, "ipv4: Invalid prefix length");
	if (!local && (!peer || v4))
		return nl_refuse(q, -EINVAL, v4 ? "ipv4: Local address is not supplied" : NULL);
	if (!local)
		a.ip = a.peer;
	if (!peer)
		a.peer = a.ip;
	(void)attr_ip(q, sizeof(m), IFA_BROADCAST, v4, &a.brd);
	a.ifindex = m.ifa_index;
	a.plen = m.ifa_prefixlen;
	a.scope = m.ifa_scope;
	a.flags = m.ifa_flags;
	(void)nl_find_u32(q, sizeof(m), IFA_FLAGS, &a.flags);
	a.flags |= IFA_F_PERMANENT;
	p = nl_find(q, sizeof(m), IFA_CACHEINFO, sizeof(ci), NULL);
	if (p) {
		memcpy(&ci, p, sizeof(ci));
		if (!ci.ifa_valid || ci.ifa_prefered > ci.ifa_valid)
			return nl_refuse(q, -EINVAL, v4 ? "ipv4: address lifetime invalid" : "ipv6: address lifetime invalid");
		a.valid_s = ci.ifa_valid;
		a.preferred_s = ci.ifa_prefered;
		if (ci.ifa_valid != UINT32_MAX)
			a.flags &= ~(u32)IFA_F_PERMANENT;
	}
	if (link_get(q->st, m.ifa_index, &l) < 0)
		return nl_refuse(q, -ENODEV, v4 ? "ipv4: Device not found" : "ipv6: Unable to find the interface");
	if (m.ifa_prefixlen > 128)
		return nl_refuse(q, -EINVAL, "ipv6: Invalid prefix length");
	if (!v4 && unfit6(&a.ip, &l))
		return -EADDRNOTAVAIL;
	if (v4 && !nl_find_name(q, sizeof(m), IFA_LABEL, a.label))
		memcpy(a.label, l.name, NET_IFNAMSIZ);
	r = addr_add(q->st, &a);
	if (r == -EEXIST && (q->h.nlmsg_flags & NLM_F_REPLACE))
		r = addr_set_life(q->st, a.ifindex, &a.ip, a.valid_s, a.preferred_s);
	if (r == 0)
		netlink_note_addr(q, &a);
	if (r == -EEXIST)
		return nl_refuse(q, r, v4 ? "ipv4: Address already assigned" : "ipv6: address already assigned");
	return r;
}

static u32 route_mtu(const struct nl_req *q)
{
	u32 len;
	const u8 *p = nl_find(q, sizeof(struct rtmsg), RTA_METRICS, 0, &len);
	struct nl_req in = { .body = p, .len = p ? len : 0 };
	u32 mtu = 0;

	if (p)
		(void)nl_find_u32(&in, 0, RTAX_MTU, &mtu);
	return mtu;
}

/* The stack's own idea of a route that a request names in part. */
static struct route_info find_route(struct stack *st, const struct route_info *want)
{
	struct route_info r;

	for (unsigned i = 0; route_nth(st, i, &r) == 0; i++)
		if (r.family == want->family && r.plen == want->plen && r.table == want->table &&
		    !memcmp(&r.dst, &want->dst, sizeof(r.dst)) &&
		    (!want->has_gw || (r.has_gw && !memcmp(&r.gw, &want->gw, sizeof(r.gw)))) &&
		    (!want->ifindex || want->ifindex == r.ifindex))
			return r;
	return *want;
}

/* Bits of an IPv4 network beyond its prefix. */
static bool stray_bits(const struct ipaddr *ip, u8 plen)
{
	u32 bits = (u32)ip->b[12] << 24 | (u32)ip->b[13] << 16 | (u32)ip->b[14] << 8 | ip->b[15];

	return plen < 32 && bits << plen;
}

static int change_route(struct nl_req *q, bool add)
{
	struct route_info r = { 0 }, full;
	struct rtmsg m;
	u32 table;
	bool v4;
	int e;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return -EINVAL;
	if (m.rtm_family != AF_INET && m.rtm_family != AF_INET6)
		return -EOPNOTSUPP;
	v4 = m.rtm_family == AF_INET;
	if (m.rtm_dst_len > (v4 ? 32 : 128))
		return nl_refuse(q, -EINVAL, "Invalid prefix length");
	if (m.rtm_src_len)
		return -EINVAL;
	if (nl_find(q, sizeof(m), RTA_MULTIPATH, 0, NULL) || nl_find(q, sizeof(m), RTA_ENCAP, 0, NULL))
		return -EOPNOTSUPP;
	table = m.rtm_table;
	(void)nl_find_u32(q, sizeof(m), RTA_TABLE, &table);
	if (table > UINT8_MAX)
		return -EOPNOTSUPP;
	if (!attr_ip(q, sizeof(m), RTA_DST, v4, &r.dst)) {
		if (m.rtm_dst_len)
			return -EINVAL;
		if (v4)
			r.dst.b[10] = r.dst.b[11] = 0xff;
	}
	if (v4 && stray_bits(&r.dst, m.rtm_dst_len))
		return nl_refuse(q, -EINVAL, "Invalid prefix for given prefix length");
	r.family = m.rtm_family;
	r.plen = m.rtm_dst_len;
	r.table = table ? (u8)table : RT_TABLE_MAIN;
	r.proto = m.rtm_protocol;
	r.scope = m.rtm_scope;
	r.type = m.rtm_type;
	r.tos = m.rtm_tos;
	r.flags = m.rtm_flags & RTNH_F_ONLINK;
	r.has_gw = attr_ip(q, sizeof(m), RTA_GATEWAY, v4, &r.gw);
	r.has_src = attr_ip(q, sizeof(m), RTA_PREFSRC, v4, &r.src);
	(void)nl_find_u32(q, sizeof(m), RTA_OIF, &r.ifindex);
	(void)nl_find_u32(q, sizeof(m), RTA_PRIORITY, &r.metric);
	r.mtu = route_mtu(q);
	if (!add)
		full = find_route(q->st, &r);
	e = add ? route_add(q->st, &r, q->h.nlmsg_flags & NLM_F_REPLACE) : route_del(q->st, &r);
	if (add)
		full = find_route(q->st, &r);
	if (e == 0)
		netlink_note_route(q, &full);
	return e == -ENETUNREACH && add && r.has_gw ? nl_refuse(q, e, "Nexthop has invalid gateway") : e;
}

static int change_neigh(struct nl_req *q, bool add)
{
	struct neigh_info n = { 0 };
	struct link_info l;
	struct ndmsg m;
	const void *mac;
	int r;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return -EINVAL;
	if (!nl_find(q, sizeof(m), NDA_DST, 0, NULL))
		return nl_refuse(q, -EINVAL, "Network address not specified");
	if (m.ndm_ifindex && link_get(q->st, (u32)m.ndm_ifindex, &l) < 0)
		return -ENODEV;
	mac = nl_find(q, sizeof(m), NDA_LLADDR, sizeof(n.mac), NULL);
	if (add && m.ndm_ifindex && !mac && nl_find(q, sizeof(m), NDA_LLADDR, 0, NULL))
		return nl_refuse(q, -EINVAL, "Invalid link address");
	if (m.ndm_family != AF_INET && m.ndm_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (!attr_ip(q, sizeof(m), NDA_DST, m.ndm_family == AF_INET, &n.ip))
		return nl_refuse(q, -EINVAL, "Invalid network address");
	if (!m.ndm_ifindex)
		return m.ndm_flags & NTF_PROXY && !add ? -ENOENT : -EINVAL;
	n.ifindex = (u32)m.ndm_ifindex;
	n.state = m.ndm_state;
	if (mac)
		memcpy(n.mac, mac, sizeof(n.mac));
	else if (add)
		return -EOPNOTSUPP;
	r = add ? neigh_set(q->st, &n) : neigh_del(q->st, &n);
	if (r == 0)
		netlink_note_neigh(q, &n);
	return r;
}

int netlink_route_change(struct nl_req *q)
{
	switch (q->h.nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return change_addr(q, q->h.nlmsg_type == RTM_NEWADDR);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return change_route(q, q->h.nlmsg_type == RTM_NEWROUTE);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return change_neigh(q, q->h.nlmsg_type == RTM_NEWNEIGH);
	case RTM_NEWLINK:
	case RTM_SETLINK:
		return netlink_change_link(q);
	case RTM_DELLINK:
		return netlink_delete_link(q);
	default:
		return -EOPNOTSUPP;
	}
}
