/*
 * net_show_mc.c - texts of proc(5) "net" about multicast: igmp, igmp6, dev_mcast.
 */
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/str.h"
#include "sentry/socket/net.h"
#include "sentry/socket/net_show.h"

static bool is_v4(const struct ipaddr *ip)
{
	static const u8 prefix[12] = { [10] = 0xff, 0xff };

	return !memcmp(ip->b, prefix, sizeof(prefix));
}

static void igmp_row(struct strbuf *out, const u8 group[4], u32 users)
{
	u32 g;

	memcpy(&g, group, sizeof(g));
	strbuf_printf(out, "\t\t\t\t%08X %5u %d:%08X\t\t%d\n", g, users, 0, 0, 0);
}

void net_show_igmp(struct net *n, struct strbuf *out)
{
	static const u8 all[4] = { 224, 0, 0, 1 };
	struct stack *st = net_stack(n);
	struct link_info l = { 0 };
	struct ipaddr g;
	u32 users, cnt;

	strbuf_puts(out, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	while (st && link_next(st, l.ifindex, &l) == 0) {
		if (!(l.flags & IFF_UP))
			continue;
		cnt = 1;
		for (unsigned i = 0; link_group_nth(st, l.ifindex, i, &g, &users) == 0; i++)
			cnt += is_v4(&g);
		strbuf_printf(out, "%u\t%-10s: %5u %7s\n", l.ifindex, l.name, cnt, "V3");
		for (unsigned i = 0; link_group_nth(st, l.ifindex, i, &g, &users) == 0; i++)
			if (is_v4(&g))
				igmp_row(out, g.b + 12, users);
		igmp_row(out, all, 1);
	}
}

static void igmp6_row(struct strbuf *out, const struct link_info *l, const struct ipaddr *g, u32 users)
{
	strbuf_printf(out, "%-4u %-15s ", l->ifindex, l->name);
	for (int i = 0; i < 16; i++)
		strbuf_printf(out, "%02x", g->b[i]);
	strbuf_printf(out, " %5u %08X %d\n", users, 0xc, 0);
}

void net_show_igmp6(struct net *n, struct strbuf *out)
{
	static const struct ipaddr all[] = { { { 0xff, 2, [15] = 1 } }, { { 0xff, 1, [15] = 1 } } };
	struct stack *st = net_stack(n);
	struct link_info l = { 0 };
	struct ipaddr g;
	u32 users;

	while (st && link_next(st, l.ifindex, &l) == 0) {
		if (!(l.flags & IFF_UP))
			continue;
		for (unsigned i = 0; link_group_nth(st, l.ifindex, i, &g, &users) == 0; i++)
			if (!is_v4(&g))
				igmp6_row(out, &l, &g, users);
		igmp6_row(out, &l, &all[0], 1);
		igmp6_row(out, &l, &all[1], 1);
	}
}

/* The link addresses that groups are sent to (RFC 1112, RFC 2464). */
void net_show_dev_mcast(struct net *n, struct strbuf *out)
{
	struct stack *st = net_stack(n);
	struct link_info l = { 0 };
	struct ipaddr g;
	u32 users;

	while (st && link_next(st, l.ifindex, &l) == 0) {
		if (!(l.flags & IFF_UP) || l.arphrd != ARPHRD_ETHER)
			continue;
		strbuf_printf(out, "%-4u %-15s %-5d %-5d %s\n", l.ifindex, l.name, 1, 0, "01005e000001");
		strbuf_printf(out, "%-4u %-15s %-5d %-5d %s\n", l.ifindex, l.name, 1, 0, "333300000001");
		for (unsigned i = 0; link_group_nth(st, l.ifindex, i, &g, &users) == 0; i++) {
			strbuf_printf(out, "%-4u %-15s %-5u %-5d ", l.ifindex, l.name, users, 0);
			if (is_v4(&g))
				strbuf_printf(out, "01005e%02x%02x%02x\n", g.b[13] & 0x7f, g.b[14], g.b[15]);
			else
				strbuf_printf(out, "3333%02x%02x%02x%02x\n", g.b[12], g.b[13], g.b[14], g.b[15]);
		}
	}
}
