/*
 * netlink_route.c - rtnetlink(7), the questions: links, addresses, routes, neighbours, rules.
 *
 * Dumps walk the stack's tables by index (d->pos), so a table that changes meanwhile may show a
 * row twice or not at all, as on Linux without NLM_F_DUMP_INTR.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/capability.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include "netstack/api.h"
#include "sentry/kernel/cred.h"
#include "sentry/socket/net.h"
#include "sentry/socket/netlink.h"
#include "sentry/socket/netlink_local.h"

#define OPER_UNKNOWN 0
#define OPER_DOWN    2
#define OPER_LOWER_DOWN 3
#define OPER_UP      6

static bool is_v4(const struct ipaddr *ip)
{
	static const u8 prefix[12] = { [10] = 0xff, 0xff };

	return !memcmp(ip->b, prefix, sizeof(prefix));
}

static void put_ip(struct nl_buf *b, u16 type, const struct ipaddr *ip, bool v4)
{
	nl_attr(b, type, v4 ? ip->b + 12 : ip->b, v4 ? 4 : 16);
}

static bool is_zero_v4(const struct ipaddr *ip)
{
	static const u8 zero[4];

	return !memcmp(ip->b + 12, zero, 4);
}

static bool is_zero(const struct ipaddr *ip)
{
	static const u8 zero[16];

	return !memcmp(ip->b, zero, 16);
}

/* ---- links ---- */

static void put_stats(struct nl_buf *b, const struct link_info *l)
{
	struct rtnl_link_stats64 s = {
		.rx_packets = l->rx_packets, .tx_packets = l->tx_packets, .rx_bytes = l->rx_bytes,
		.tx_bytes = l->tx_bytes, .rx_errors = l->rx_errors, .tx_errors = l->tx_errors,
		.rx_dropped = l->rx_dropped, .tx_dropped = l->tx_dropped, .multicast = l->multicast,
	};
	struct rtnl_link_stats old = {
		.rx_packets = (u32)s.rx_packets, .tx_packets = (u32)s.tx_packets, .rx_bytes = (u32)s.rx_bytes,
		.tx_bytes = (u32)s.tx_bytes, .rx_errors = (u32)s.rx_errors, .tx_errors = (u32)s.tx_errors,
		.rx_dropped = (u32)s.rx_dropped, .tx_dropped = (u32)s.tx_dropped, .multicast = (u32)s.multicast,
	};

	nl_attr(b, IFLA_STATS64, &s, sizeof(s));
	nl_attr(b, IFLA_STATS, &old, sizeof(old));
}

/* The other end of a link, and in which namespace it is; what a link is. */
static void put_kind(struct nl_buf *b, const struct link_info *l, struct net *n)
{
	bool here = l->link_ctx == n;
	int id = l->link && !here ? net_nsid(n, l->link_ctx, true) : -1;
	u32 at;

	if (l->master)
		nl_attr_u32(b, IFLA_MASTER, l->master);
	if (!l->kind && !l->slave_kind)
		return;
	if (l->link && (here || id >= 0))
		nl_attr_u32(b, IFLA_LINK, l->link);
	if (id >= 0)
		nl_attr_u32(b, IFLA_LINK_NETNSID, (u32)id);
	at = nl_nest(b, IFLA_LINKINFO);
	if (l->kind)
		nl_attr_str(b, IFLA_INFO_KIND, l->kind);
	if (l->slave_kind)
		nl_attr_str(b, IFLA_INFO_SLAVE_KIND, l->slave_kind);
	nl_nest_end(b, at);
}

static u8 operstate(const struct link_info *l, const struct net *n)
{
	if (l->arphrd == ARPHRD_LOOPBACK && (l->flags & IFF_RUNNING))
		return OPER_UNKNOWN;
	if ((l->flags & IFF_UP) && !(l->flags & IFF_RUNNING) && l->link_ctx == n && l->link)
		return OPER_LOWER_DOWN;
	return l->flags & IFF_RUNNING ? OPER_UP : OPER_DOWN;
}

static bool put_link(struct nl_buf *b, u16 flags, u32 seq, u32 portid, const struct link_info *l, struct net *net)
{
	static const u8 ones[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, zeros[6];
	bool lo = l->arphrd == ARPHRD_LOOPBACK, up = l->flags & IFF_RUNNING;
	struct ifinfomsg m = { .ifi_type = l->arphrd, .ifi_index = (int)l->ifindex, .ifi_flags = l->flags };

	nl_begin(b, RTM_NEWLINK, flags, seq, portid, &m, sizeof(m));
	nl_attr_str(b, IFLA_IFNAME, l->name);
	nl_attr_u32(b, IFLA_TXQLEN, l->txqlen);
	nl_attr_u8(b, IFLA_OPERSTATE, operstate(l, net));
	nl_attr_u8(b, IFLA_LINKMODE, 0);
	nl_attr_u32(b, IFLA_MTU, l->mtu);
	nl_attr_u32(b, IFLA_MIN_MTU, lo ? 0 : 68);
	nl_attr_u32(b, IFLA_MAX_MTU, lo ? 0 : 65535);
	nl_attr_u32(b, IFLA_GROUP, 0);
	nl_attr_u32(b, IFLA_PROMISCUITY, (l->flags & IFF_PROMISC ? 1 : 0) + (l->master ? 1 : 0));
	nl_attr_u32(b, IFLA_NUM_TX_QUEUES, 1);
	nl_attr_u32(b, IFLA_NUM_RX_QUEUES, 1);
	nl_attr_u8(b, IFLA_CARRIER, up ? 1 : 0);
	nl_attr_str(b, IFLA_QDISC, "noqueue");
	if (l->arphrd != ARPHRD_NONE) {
		nl_attr(b, IFLA_ADDRESS, lo ? zeros : l->mac, 6);
		nl_attr(b, IFLA_BROADCAST, lo ? zeros : ones, 6);
	}
	put_stats(b, l);
	put_kind(b, l, net);
	return nl_end(b);
}

static int dump_links(struct nl_dump *d, struct nl_buf *b)
{
	struct link_info l;

	while (link_next(d->st, d->pos, &l) == 0) {
		if (!put_link(b, NLM_F_MULTI | d->flags, d->seq, d->portid, &l, d->net))
			return 1;
		d->pos = l.ifindex;
	}
	return 0;
}

static int get_link(struct nl_req *q)
{
	struct ifinfomsg m;
	struct link_info l;
	u32 len;
	const char *name = nl_find(q, sizeof(m), IFLA_IFNAME, 1, &len);
	int r;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return -EINVAL;
	if (!name)
		name = nl_find(q, sizeof(m), IFLA_ALT_IFNAME, 1, &len);
	if (m.ifi_index > 0) {
		r = link_get(q->st, (u32)m.ifi_index, &l);
	} else if (name) {
		char buf[NET_IFNAMSIZ] = { 0 };

		if (strnlen(name, len) >= sizeof(buf))
			return -ENODEV;
		memcpy(buf, name, strnlen(name, len));
		r = link_by_name(q->st, buf, &l);
	} else {
		return -EINVAL;
	}
	if (r < 0)
		return -ENODEV;
	(void)put_link(q->reply, 0, q->h.nlmsg_seq, q->portid, &l, q->net);
	return 0;
}

/* ---- addresses ---- */

static bool put_addr(struct nl_dump *d, struct nl_buf *b, const struct addr_info *a)
{
	bool v4 = is_v4(&a->ip), peer = memcmp(&a->ip, &a->peer, sizeof(a->ip)) != 0 && !is_zero(&a->peer);
	struct ifaddrmsg m = {
		.ifa_family = v4 ? AF_INET : AF_INET6, .ifa_prefixlen = a->plen, .ifa_flags = (u8)a->flags,
		.ifa_scope = a->scope, .ifa_index = a->ifindex,
	};
	struct ifa_cacheinfo ci = { .ifa_prefered = a->preferred_s, .ifa_valid = a->valid_s };

	nl_begin(b, RTM_NEWADDR, NLM_F_MULTI | d->flags, d->seq, d->portid, &m, sizeof(m));
	put_ip(b, IFA_ADDRESS, peer ? &a->peer : &a->ip, v4);
	if (v4 || peer)
		put_ip(b, IFA_LOCAL, &a->ip, v4);
	if (v4 && !is_zero(&a->brd))
		put_ip(b, IFA_BROADCAST, &a->brd, v4);
	if (v4 && a->label[0])
		nl_attr_str(b, IFA_LABEL, a->label);
	if (v4)                         /* Linux' order */
		nl_attr_u32(b, IFA_FLAGS, a->flags);
	nl_attr(b, IFA_CACHEINFO, &ci, sizeof(ci));
	if (!v4)
		nl_attr_u32(b, IFA_FLAGS, a->flags);
	return nl_end(b);
}

static int dump_addrs(struct nl_dump *d, struct nl_buf *b)
{
	struct addr_info a;

	for (; addr_nth(d->st, d->pos, &a) == 0; d->pos++) {
		if (d->family && d->family != (is_v4(&a.ip) ? AF_INET : AF_INET6))
			continue;
		if (d->ifindex && d->ifindex != a.ifindex)
			continue;
		if (!put_addr(d, b, &a))
			return 1;
	}
	return 0;
}

/* ---- routes ---- */

static bool put_route(struct nl_buf *b, u16 nlflags, u32 seq, u32 portid, const struct route_info *r, bool query)
{
	bool v4 = r->family == AF_INET;
	u8 full = v4 ? 32 : 128;
	struct rtmsg m = {
		.rtm_family = (u8)r->family, .rtm_dst_len = query ? full : r->plen, .rtm_tos = r->tos,
		.rtm_table = r->table, .rtm_protocol = r->proto, .rtm_scope = r->scope, .rtm_type = r->type,
		.rtm_flags = r->flags | (query ? RTM_F_CLONED : 0),
	};
	struct rta_cacheinfo ci = { 0 };

	nl_begin(b, RTM_NEWROUTE, nlflags, seq, portid, &m, sizeof(m));
	nl_attr_u32(b, RTA_TABLE, r->table);
	if (m.rtm_dst_len)
		put_ip(b, RTA_DST, &r->dst, v4);
	if (r->metric || !v4)
		nl_attr_u32(b, RTA_PRIORITY, r->metric);
	if (r->has_src)
		put_ip(b, RTA_PREFSRC, &r->src, v4);
	if (r->has_gw)
		put_ip(b, RTA_GATEWAY, &r->gw, v4);
	if (r->ifindex)
		nl_attr_u32(b, RTA_OIF, r->ifindex);
	if (r->mtu) {
		u32 at = nl_nest(b, RTA_METRICS);

		nl_attr_u32(b, RTAX_MTU, r->mtu);
		nl_nest_end(b, at);
	}
	if (!v4 || query)
		nl_attr(b, RTA_CACHEINFO, &ci, sizeof(ci));
	if (!v4)
		nl_attr_u8(b, RTA_PREF, 0);
	return nl_end(b);
}

#define LOCAL_POS (1u << 24)            /* positions from here on are of the table of local routes */

static bool told(const struct nl_dump *d, const struct route_info *r)
{
	return (!d->family || d->family == r->family) && (!d->ifindex || d->ifindex == r->ifindex) && (!d->table || d->table == r->table);
}

static int dump_local(struct nl_dump *d, struct nl_buf *b)
{
	u32 pos = d->pos < LOCAL_POS ? 0 : d->pos - LOCAL_POS;
	struct route_info r;

	while (local_route_next(d->st, &pos, &r)) {
		d->pos = LOCAL_POS + pos;
		if (told(d, &r) && !put_route(b, NLM_F_MULTI | d->flags, d->seq, d->portid, &r, false))
			return 1;
		local_route_told(&pos, &r);
	}
	return 0;
}

static int dump_routes(struct nl_dump *d, struct nl_buf *b)
{
	struct route_info r;

	for (; d->pos < LOCAL_POS && route_nth(d->st, d->pos, &r) == 0; d->pos++) {
		if (!told(d, &r))
			continue;
		if (!put_route(b, NLM_F_MULTI | d->flags, d->seq, d->portid, &r, false))
			return 1;
	}
	return dump_local(d, b);
}

static bool find_ip(const struct nl_req *q, u16 type, bool v4, struct ipaddr *ret)
{
	const void *p = nl_find(q, sizeof(struct rtmsg), type, v4 ? 4 : 16, NULL);

	memset(ret, 0, sizeof(*ret));
	if (v4)
		ret->b[10] = ret->b[11] = 0xff;
	if (p)
		memcpy(v4 ? ret->b + 12 : ret->b, p, v4 ? 4 : 16);
	return p != NULL;
}

static u32 find_u32(const struct nl_req *q, size_t fixed, u16 type)
{
	const void *p = nl_find(q, fixed, type, 4, NULL);
	u32 v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static int get_route(struct nl_req *q)
{
	struct route_info r;
	struct ipaddr dst, src;
	struct rtmsg m;
	bool v4, has_src;
	int e;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return -EINVAL;
	if (m.rtm_family != AF_INET && m.rtm_family != AF_INET6)
		return -EOPNOTSUPP;
	v4 = m.rtm_family == AF_INET;
	(void)find_ip(q, RTA_DST, v4, &dst);
	has_src = find_ip(q, RTA_SRC, v4, &src);
	if (v4 && is_zero_v4(&dst))     /* no address is our own */
		memcpy(dst.b + 12, "\x7f\0\0\1", 4);
	e = route_query(q->st, &dst, has_src ? &src : NULL, find_u32(q, sizeof(m), RTA_OIF), &r);
	if (e < 0)
		return e;
	r.family = m.rtm_family;
	r.dst = dst;
	(void)put_route(q->reply, 0, q->h.nlmsg_seq, q->portid, &r, true);
	return 0;
}

/* ---- neighbours and rules ---- */

static bool put_neigh(struct nl_dump *d, struct nl_buf *b, const struct neigh_info *n)
{
	bool v4 = is_v4(&n->ip);
	struct ndmsg m = {
		.ndm_family = v4 ? AF_INET : AF_INET6, .ndm_ifindex = (int)n->ifindex, .ndm_state = n->state,
		.ndm_type = RTN_UNICAST,
	};
	struct nda_cacheinfo ci = { 0 };

	nl_begin(b, RTM_NEWNEIGH, NLM_F_MULTI | d->flags, d->seq, d->portid, &m, sizeof(m));
	put_ip(b, NDA_DST, &n->ip, v4);
	if (n->state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT))
		nl_attr(b, NDA_LLADDR, n->mac, 6);
	nl_attr_u32(b, NDA_PROBES, 0);
	nl_attr(b, NDA_CACHEINFO, &ci, sizeof(ci));
	return nl_end(b);
}

static int get_neigh(struct nl_req *q)
{
	struct nl_dump d = { .seq = q->h.nlmsg_seq, .portid = q->portid };
	struct neigh_info n;
	struct ipaddr dst;
	struct link_info l;
	struct nlmsghdr h;
	struct ndmsg m;
	bool v4;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return nl_refuse(q, -EINVAL, "Invalid header for neighbor get request");
	if (m.ndm_state || m.ndm_type || m.ndm_pad1 || m.ndm_pad2)
		return nl_refuse(q, -EINVAL, "Invalid values in header for neighbor get request");
	if (m.ndm_flags & ~NTF_PROXY)
		return nl_refuse(q, -EINVAL, "Invalid flags in header for neighbor get request");
	if (!m.ndm_ifindex)
		return nl_refuse(q, -EINVAL, "No device specified");
	v4 = m.ndm_family == AF_INET;
	if (!v4 && m.ndm_family != AF_INET6)
		return nl_refuse(q, -EAFNOSUPPORT, "Unsupported family in header for neighbor get request");
	if (!nl_find(q, sizeof(m), NDA_DST, 0, NULL))
		return nl_refuse(q, -EINVAL, "Network address not specified");
	if (!find_ip(q, NDA_DST, v4, &dst))
		return nl_refuse(q, -EINVAL, "Invalid network address in neighbor get request");
	if (link_get(q->st, (u32)m.ndm_ifindex, &l) < 0)
		return nl_refuse(q, -ENODEV, "Unknown device ifindex");
	for (unsigned i = 0; neigh_nth(q->st, i, &n) == 0; i++) {
		if (n.ifindex != (u32)m.ndm_ifindex || memcmp(&n.ip, &dst, sizeof(dst)) != 0)
			continue;
		if (put_neigh(&d, q->reply, &n)) {
			memcpy(&h, q->reply->p, sizeof(h));
			h.nlmsg_flags = 0;
			memcpy(q->reply->p, &h, sizeof(h));
		}
		return 0;
	}
	return nl_refuse(q, -ENOENT, "Neighbour entry not found");
}

static int dump_neighs(struct nl_dump *d, struct nl_buf *b)
{
	struct neigh_info n;

	for (; neigh_nth(d->st, d->pos, &n) == 0; d->pos++) {
		if (d->family && d->family != (is_v4(&n.ip) ? AF_INET : AF_INET6))
			continue;
		if (d->ifindex && d->ifindex != n.ifindex)
			continue;
		if (!put_neigh(d, b, &n))
			return 1;
	}
	return 0;
}

/* The stack has no rules of its own: those that every namespace begins with. */
static int dump_rules(struct nl_dump *d, struct nl_buf *b)
{
	static const struct { u8 family, table; u32 prio; } rules[] = {
		{ AF_INET, RT_TABLE_LOCAL, 0 }, { AF_INET, RT_TABLE_MAIN, 32766 },
		{ AF_INET, RT_TABLE_DEFAULT, 32767 },
		{ AF_INET6, RT_TABLE_LOCAL, 0 }, { AF_INET6, RT_TABLE_MAIN, 32766 },
	};

	for (; d->pos < ARRAY_SIZE(rules); d->pos++) {
		struct fib_rule_hdr m = {
			.family = rules[d->pos].family, .table = rules[d->pos].table, .action = FR_ACT_TO_TBL,
		};

		if (d->family && d->family != m.family)
			continue;
		nl_begin(b, RTM_NEWRULE, NLM_F_MULTI | d->flags, d->seq, d->portid, &m, sizeof(m));
		nl_attr_u32(b, FRA_TABLE, m.table);
		nl_attr_u32(b, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
		nl_attr_u8(b, FRA_PROTOCOL, RTPROT_KERNEL);
		if (rules[d->pos].prio)
			nl_attr_u32(b, FRA_PRIORITY, rules[d->pos].prio);
		if (!nl_end(b))
			return 1;
	}
	return 0;
}

int nl_dump_nothing(struct nl_dump *d, struct nl_buf *b)
{
	(void)d;
	(void)b;
	return 0;
}

/* ---- changes, told to groups ---- */

/* The message is one of a dump but for its header, which says what became of the object. */
static void noted(struct nl_req *q, u32 group)
{
	struct nlmsghdr h;

	u8 *p = q->note->p + q->note->start;

	if (q->note->len < q->note->start + sizeof(h))
		return;
	memcpy(&h, p, sizeof(h));
	h.nlmsg_type = q->h.nlmsg_type == RTM_SETLINK ? RTM_NEWLINK : q->h.nlmsg_type;
	h.nlmsg_flags = 0;
	memcpy(p, &h, sizeof(h));
	q->note_group = group;
}

void netlink_note_link(struct nl_req *q, u32 ifindex)
{
	struct link_info l;

	if (link_get(q->st, ifindex, &l) == 0 && put_link(q->note, 0, q->h.nlmsg_seq, q->portid, &l, q->net))
		noted(q, RTNLGRP_LINK);
}

void netlink_note_addr(struct nl_req *q, const struct addr_info *a)
{
	struct nl_dump d = { .seq = q->h.nlmsg_seq, .portid = q->portid };

	if (put_addr(&d, q->note, a))
		noted(q, is_v4(&a->ip) ? RTNLGRP_IPV4_IFADDR : RTNLGRP_IPV6_IFADDR);
}

void netlink_note_route(struct nl_req *q, const struct route_info *r)
{
	if (put_route(q->note, 0, q->h.nlmsg_seq, q->portid, r, false))
		noted(q, r->family == AF_INET ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE);
}

void netlink_note_neigh(struct nl_req *q, const struct neigh_info *n)
{
	struct nl_dump d = { .seq = q->h.nlmsg_seq, .portid = q->portid };

	if (put_neigh(&d, q->note, n))
		noted(q, RTNLGRP_NEIGH);
}

/* ---- dispatch ---- */

/* The main table is always there, others while they have routes. */
static bool has_table(struct stack *st, u8 family, u32 table)
{
	struct route_info r;

	for (unsigned i = 0; route_nth(st, i, &r) == 0; i++)
		if (r.family == family && r.table == table)
			return true;
	return table == RT_TABLE_MAIN || table == RT_TABLE_LOCAL;
}

/* Which interface or table only: asked for by a strict request. */
static int dump_filters(struct nl_req *q, struct nl_dump *d)
{
	struct link_info l;
	struct ifaddrmsg am;
	struct rtmsg rm;

	if (q->h.nlmsg_type == RTM_GETADDR && nl_fixed(q, &am, sizeof(am), sizeof(am)))
		d->ifindex = am.ifa_index;
	if (q->h.nlmsg_type == RTM_GETROUTE && nl_fixed(q, &rm, sizeof(rm), sizeof(rm))) {
		d->ifindex = find_u32(q, sizeof(rm), RTA_OIF);
		d->table = find_u32(q, sizeof(rm), RTA_TABLE);
		if (!d->table)
			d->table = rm.rtm_table;
		if (d->table && rm.rtm_family && !has_table(q->st, rm.rtm_family, d->table))
			return nl_refuse(q, -ENOENT, rm.rtm_family == AF_INET6 ? "ipv6: FIB table does not exist" :
					 "ipv4: FIB table does not exist");
	}
	if (q->h.nlmsg_type == RTM_GETNEIGH)
		d->ifindex = find_u32(q, sizeof(struct ndmsg), NDA_IFINDEX);
	if (d->ifindex || d->table)
		d->flags = NLM_F_DUMP_FILTERED;
	return d->ifindex && q->h.nlmsg_type != RTM_GETNEIGH && link_get(q->st, d->ifindex, &l) < 0 ? -ENODEV : 0;
}

/* As in Linux a dump that is refused is one that ends at once. */
static int end_dump(struct nl_req *q, int error)
{
	q->dump->err = error;
	q->dump->why = q->ext.msg;
	q->dump->fill = nl_dump_nothing;
	return NL_DUMP;
}

/* A family that has no such objects asks for those of all. */
static u8 family_of_dump(const struct nl_req *q)
{
	u8 family = q->body[0];
	bool each = q->h.nlmsg_type == RTM_GETADDR || q->h.nlmsg_type == RTM_GETROUTE;

	return each && family != AF_INET && family != AF_INET6 && family < RTNL_FAMILY_IPMR && family != AF_BRIDGE &&
		family != AF_MPLS ? AF_UNSPEC : family;
}

static int start_dump(struct nl_req *q)
{
	struct nl_dump *d = q->dump;
	int r = q->strict ? netlink_check_strict(q) : 0;
	struct rtmsg rm;

	d->st = q->st;
	d->net = q->net;
	d->family = family_of_dump(q);
	switch (q->h.nlmsg_type) {
	case RTM_GETLINK:
		d->fill = dump_links;
		break;
	case RTM_GETADDR:
		d->fill = dump_addrs;
		break;
	case RTM_GETROUTE:
		/* Cloned ones are a cache of routes, which there is not. */
		d->fill = nl_fixed(q, &rm, sizeof(rm), sizeof(rm)) && (rm.rtm_flags & RTM_F_CLONED) ?
			  nl_dump_nothing : dump_routes;
		break;
	case RTM_GETNEIGH:
		d->fill = dump_neighs;
		break;
	case RTM_GETRULE:
		d->fill = dump_rules;
		break;
	case RTM_GETNSID: case RTM_GETNEXTHOP:
		d->fill = nl_dump_nothing;
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (d->family == AF_BRIDGE)
		d->fill = q->h.nlmsg_type == RTM_GETLINK ? netlink_dump_ports : q->h.nlmsg_type == RTM_GETNEIGH ? netlink_dump_fdb : nl_dump_nothing;
	if (r == 0 && q->strict)
		r = dump_filters(q, d);
	return r < 0 ? end_dump(q, r) : NL_DUMP;
}

int netlink_route(struct nl_req *q)
{
	bool get = (q->h.nlmsg_type & 3) == 2;
	int r;

	if (q->h.nlmsg_type > RTM_MAX)
		return -EOPNOTSUPP;
	if (q->len < sizeof(struct rtgenmsg))
		return 0;
	if (!get && !net_capable(q->t, q->net, CAP_NET_ADMIN))
		return -EPERM;
	if (get && (q->h.nlmsg_flags & NLM_F_DUMP))
		return start_dump(q);
	r = get && q->strict ? netlink_check_strict(q) : 0;
	if (r == 0)
		r = netlink_check_lengths(q);
	if (r < 0)
		return r;
	if (!get)
		return netlink_route_change(q);
	if (q->h.nlmsg_type == RTM_GETNEIGH)
		return get_neigh(q);
	if (q->h.nlmsg_type == RTM_GETLINK)
		return get_link(q);
	if (q->h.nlmsg_type == RTM_GETNSID)
		return netlink_get_nsid(q);
	return q->h.nlmsg_type == RTM_GETROUTE ? get_route(q) : -EOPNOTSUPP;
}
