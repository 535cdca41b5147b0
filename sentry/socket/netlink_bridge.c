/*
 * netlink_bridge.c - rtnetlink(7) of AF_BRIDGE, the questions: ports of bridges, and the addresses behind them.
 */
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include "netstack/api.h"
#include "sentry/socket/netlink.h"

static bool put_port(struct nl_dump *d, struct nl_buf *b, const struct link_info *l)
{
	struct ifinfomsg m = {
		.ifi_family = AF_BRIDGE, .ifi_type = l->arphrd, .ifi_index = (int)l->ifindex, .ifi_flags = l->flags,
	};
	u32 at;

	nl_begin(b, RTM_NEWLINK, NLM_F_MULTI | d->flags, d->seq, d->portid, &m, sizeof(m));
	nl_attr_str(b, IFLA_IFNAME, l->name);
	nl_attr_u32(b, IFLA_MASTER, l->master);
	nl_attr_u32(b, IFLA_MTU, l->mtu);
	nl_attr_u8(b, IFLA_OPERSTATE, l->flags & IFF_RUNNING ? 6 : 2);
	nl_attr(b, IFLA_ADDRESS, l->mac, sizeof(l->mac));
	at = nl_nest(b, IFLA_PROTINFO | NLA_F_NESTED);
	nl_attr_u8(b, IFLA_BRPORT_STATE, l->flags & IFF_RUNNING ? BR_STATE_FORWARDING : BR_STATE_DISABLED);
	nl_attr(b, IFLA_BRPORT_PRIORITY, &(u16){ 32 }, sizeof(u16));
	nl_attr_u32(b, IFLA_BRPORT_COST, 2);
	nl_attr_u8(b, IFLA_BRPORT_LEARNING, 1);
	nl_attr_u8(b, IFLA_BRPORT_UNICAST_FLOOD, 1);
	nl_nest_end(b, at);
	return nl_end(b);
}

int netlink_dump_ports(struct nl_dump *d, struct nl_buf *b)
{
	struct link_info l;

	for (; link_next(d->st, d->pos, &l) == 0; d->pos = l.ifindex)
		if (l.master && !put_port(d, b, &l))
			return 1;
	return 0;
}

int netlink_dump_fdb(struct nl_dump *d, struct nl_buf *b)
{
	struct nda_cacheinfo ci = { 0 };
	struct fdb_info f;

	for (; fdb_get(d->st, d->pos, &f) == 0; d->pos++) {
		struct ndmsg m = { .ndm_family = AF_BRIDGE, .ndm_ifindex = (int)f.ifindex, .ndm_state = NUD_REACHABLE };

		nl_begin(b, RTM_NEWNEIGH, NLM_F_MULTI | d->flags, d->seq, d->portid, &m, sizeof(m));
		nl_attr(b, NDA_LLADDR, f.mac, sizeof(f.mac));
		nl_attr_u32(b, NDA_MASTER, f.master);
		nl_attr(b, NDA_CACHEINFO, &ci, sizeof(ci));
		if (!nl_end(b))
			return 1;
	}
	return 0;
}
