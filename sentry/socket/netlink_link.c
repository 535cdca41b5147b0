/*
 * netlink_link.c - rtnetlink(7), the orders about links: settings, making and deleting veths and bridges, moving them to other
 * namespaces, ports of bridges.  What more can be set of a bridge is taken and has no effect.
 *
 * The caller has checked CAP_NET_ADMIN over the socket's namespace; netlink_target() does for others.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include "netstack/api.h"
#include "sentry/socket/net.h"
#include "sentry/socket/netlink.h"

#define FIXED sizeof(struct ifinfomsg)
#define MTU_MIN 68
#define MTU_MAX 65535

/* The link that a request is about, by index or by name. */
static int find(struct nl_req *q, const struct ifinfomsg *m, struct link_info *ret)
{
	char name[NET_IFNAMSIZ];

	if (m->ifi_index > 0)
		return link_get(q->st, (u32)m->ifi_index, ret);
	if (!nl_find_name(q, FIXED, IFLA_IFNAME, name) && !nl_find_name(q, FIXED, IFLA_ALT_IFNAME, name))
		return -EINVAL;
	return link_by_name(q->st, name, ret);
}

/* ---- settings ---- */

static int set_flags(struct stack *st, u32 ifindex, const struct ifinfomsg *m)
{
	if (!m->ifi_flags && !m->ifi_change)
		return 0;
	return link_set_flags(st, ifindex, m->ifi_flags, (m->ifi_change ? m->ifi_change : UINT32_MAX) &
			      (IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP));
}

static int set_mac(struct nl_req *q, struct stack *st, u32 ifindex)
{
	static const u8 none[6];
	const u8 *mac = nl_find(q, FIXED, IFLA_ADDRESS, 6, NULL);

	if (!mac)
		return nl_find(q, FIXED, IFLA_ADDRESS, 0, NULL) ? -EINVAL : 0;
	return memcmp(mac, none, 6) == 0 ? -EADDRNOTAVAIL : link_set_mac(st, ifindex, mac);
}

static int set_master(struct nl_req *q, struct stack *st, u32 ifindex)
{
	u32 master;
	int r = nl_find_u32(q, FIXED, IFLA_MASTER, &master) ? link_set_master(st, ifindex, master) : 0;

	return r == -ELOOP ? nl_refuse(q, r, "Can not enslave a bridge to a bridge") : r;
}

/* As Linux: first it goes where it should be, and the rest is done there. */
static int set_link(struct nl_req *q, const struct ifinfomsg *m, const struct link_info *l)
{
	u32 mtu, ifindex = l->ifindex;
	struct stack *st = q->st;
	char name[NET_IFNAMSIZ];
	bool named = m->ifi_index > 0 && nl_find_name(q, FIXED, IFLA_IFNAME, name);
	struct link_info now;
	struct net *to;
	int r = netlink_target(q, FIXED, &to);

	if (r == 0 && named && !link_name_ok(name))
		r = -EINVAL;
	if (r == 0 && to && to != q->net) {
		r = link_move(st, l->ifindex, net_stack(to), named ? name : NULL, &ifindex);
		if (r == -EINVAL)
			return nl_refuse(q, r, "The interface netns is immutable");
		if (r < 0)
			return r;
		st = net_stack(to);
	}
	if (r == 0)
		r = set_mac(q, st, ifindex);
	if (r == 0 && nl_find_u32(q, FIXED, IFLA_MTU, &mtu))
		r = link_set_mtu(st, ifindex, mtu);
	if (r == 0 && named && link_get(st, ifindex, &now) == 0 && strcmp(name, now.name) != 0)
		r = link_set_name(st, ifindex, name);
	if (r == 0)
		r = set_master(q, st, ifindex);
	if (r == 0)
		r = set_flags(st, ifindex, m);
	if (r == 0 && st == q->st)
		netlink_note_link(q, ifindex);
	return r;
}

/* ---- making ---- */

/* What a message says of a link to be made; its name is like @any unless given. */
static int config(struct nl_req *q, struct link_cfg *c, const char *any)
{
	static const u8 none[6];
	u32 len, index;
	const u8 *mac = nl_find(q, FIXED, IFLA_ADDRESS, 0, &len);
	struct ifinfomsg m;

	memset(c, 0, sizeof(*c));
	c->mtu = 1500;
	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return -EINVAL;
	index = (u32)m.ifi_index;
	if (m.ifi_index < 0)
		return nl_refuse(q, -EINVAL, "ifindex can't be negative");
	c->ifindex = index;
	if (mac && len != 6)
		return -EINVAL;
	if (mac && ((mac[0] & 1) || memcmp(mac, none, 6) == 0))
		return -EADDRNOTAVAIL;
	if (mac)
		memcpy(c->mac, mac, 6);
	if (nl_find_u32(q, FIXED, IFLA_MTU, &c->mtu) && (c->mtu < MTU_MIN || c->mtu > MTU_MAX))
		return -EINVAL;
	if (!nl_find_name(q, FIXED, IFLA_IFNAME, c->name))
		memcpy(c->name, any, strlen(any));
	else if (!link_name_ok(c->name))
		return -EINVAL;
	return 0;
}

static int new_veth(struct nl_req *q, struct nl_req *info, const struct ifinfomsg *m)
{
	struct nl_req data, peer = *q;
	struct net *to[2] = { NULL, NULL };
	struct stack *st[2];
	struct link_cfg c[2];
	struct ifinfomsg pm = { 0 };
	u32 index[2];
	bool has_peer = nl_within(info, 0, IFLA_INFO_DATA, &data) && nl_within(&data, 0, VETH_INFO_PEER, &peer);
	int r = config(q, &c[0], "veth%d");

	if (r == 0)
		r = netlink_target(q, FIXED, &to[0]);
	if (r == 0 && has_peer)
		r = config(&peer, &c[1], "veth%d");
	if (r == 0 && has_peer)
		r = netlink_target(&peer, FIXED, &to[1]);
	if (r < 0)
		return r;
	if (has_peer) {
		(void)nl_fixed(&peer, &pm, sizeof(pm), sizeof(pm));
	} else {
		c[1] = c[0];
		memcpy(c[1].name, "veth%d", 7);
		memset(c[1].mac, 0, sizeof(c[1].mac));
		c[1].ifindex = 0;
	}
	for (int i = 0; i < 2; i++)
		st[i] = to[i] ? net_stack(to[i]) : q->st;
	r = link_add_veth(st, c, index);
	if (r < 0)
		return r;
	r = set_flags(st[1], index[1], &pm);
	if (r == 0)
		r = set_flags(st[0], index[0], m);
	if (r == 0)
		r = set_master(q, st[0], index[0]);
	for (int i = 1; i >= 0; i--)
		if (st[i] == q->st)
			netlink_note_link(q, index[i]);
	return r;
}

static int new_bridge(struct nl_req *q, const struct ifinfomsg *m)
{
	struct stack *st = q->st;
	struct link_cfg c;
	struct net *to;
	int index, r = config(q, &c, "bridge%d");

	if (r == 0)
		r = netlink_target(q, FIXED, &to);
	if (r < 0)
		return r;
	if (to)
		st = net_stack(to);
	index = link_add_bridge(st, &c);
	if (index < 0)
		return index;
	r = set_flags(st, (u32)index, m);
	if (st == q->st)
		netlink_note_link(q, (u32)index);
	return r;
}

static int new_link(struct nl_req *q, const struct ifinfomsg *m)
{
	struct nl_req info;
	char kind[16] = "";

	if (nl_within(q, FIXED, IFLA_LINKINFO, &info))
		(void)nl_find_name(&info, 0, IFLA_INFO_KIND, kind);
	if (strcmp(kind, "veth") == 0)
		return new_veth(q, &info, m);
	if (strcmp(kind, "bridge") == 0)
		return new_bridge(q, m);
	return nl_refuse(q, -EOPNOTSUPP, "Unknown device type");
}

int netlink_change_link(struct nl_req *q)
{
	struct nl_req info, data;
	char kind[16];
	struct ifinfomsg m;
	struct link_info l;
	bool create = q->h.nlmsg_type == RTM_NEWLINK && (q->h.nlmsg_flags & NLM_F_CREATE);
	int r;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return -EINVAL;
	r = find(q, &m, &l);
	if (r < 0 && create)
		return new_link(q, &m);
	if (r < 0)
		return r == -EINVAL && q->h.nlmsg_type == RTM_SETLINK ? -EINVAL : -ENODEV;
	if (q->h.nlmsg_type == RTM_NEWLINK && (q->h.nlmsg_flags & NLM_F_EXCL))
		return -EEXIST;
	if (q->h.nlmsg_type == RTM_NEWLINK && (q->h.nlmsg_flags & NLM_F_REPLACE))
		return -EOPNOTSUPP;
	if (nl_within(q, FIXED, IFLA_LINKINFO, &info) && nl_find_name(&info, 0, IFLA_INFO_KIND, kind) &&
	    (!l.kind || strcmp(kind, l.kind) != 0 || (strcmp(kind, "veth") == 0 && nl_within(&info, 0, IFLA_INFO_DATA, &data))))
		return -EOPNOTSUPP;
	return set_link(q, &m, &l);
}

/* Devices stay; of others both ends go, and listeners here hear of both. */
int netlink_delete_link(struct nl_req *q)
{
	struct ifinfomsg m;
	struct link_info l;
	int r;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)))
		return -EINVAL;
	r = find(q, &m, &l);
	if (r < 0)
		return r == -EINVAL && m.ifi_index <= 0 ? -EINVAL : -ENODEV;
	if (!l.kind)
		return -EOPNOTSUPP;
	netlink_note_link(q, l.ifindex);
	if (l.link && l.link_ctx == q->net)
		netlink_note_link(q, l.link);
	r = link_del(q->st, l.ifindex);
	if (r < 0)
		q->note_group = 0;
	return r;
}
