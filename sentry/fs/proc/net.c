/*
 * net.c - /proc/PID/net: the network of that process's namespace.
 */
#include "sentry/fs/proc/proc.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/socket/net_show.h"
#include "sentry/socket/netfilter.h"

#define SHOW(fn, call) \
	static int fn(struct task *t, struct pseudo_node *n, struct strbuf *out) \
	{ \
		struct ns *ns = task_ns_get(n->task ? n->task : t, NS_NET); \
		struct net *net = net_of_ns(ns); \
		call; \
		ns_unref(ns); \
		return 0; \
	}
SHOW(show_arp, net_show_arp(net, out))
SHOW(show_dev, net_show_dev(net, out))
SHOW(show_if_inet6, net_show_if_inet6(net, out))
SHOW(show_igmp, net_show_igmp(net, out))
SHOW(show_igmp6, net_show_igmp6(net, out))
SHOW(show_dev_mcast, net_show_dev_mcast(net, out))
SHOW(show_netstat, net_show_counters(net, out, true))
SHOW(show_raw, net_show_raw(net, out, false))
SHOW(show_raw6, net_show_raw(net, out, true))
SHOW(show_route, net_show_route(net, out))
SHOW(show_route6, net_show_route6(net, out))
SHOW(show_snmp, net_show_counters(net, out, false))
SHOW(show_snmp6, net_show_counters6(net, out))
SHOW(show_sockstat, net_show_sockstat(net, out, false))
SHOW(show_sockstat6, net_show_sockstat(net, out, true))
SHOW(show_protocols, net_show_protocols(net, out))
SHOW(show_tcp, net_show_tcp(net, out, false))
SHOW(show_tcp6, net_show_tcp(net, out, true))
SHOW(show_udp, net_show_udp(net, out, false))
SHOW(show_udp6, net_show_udp(net, out, true))

SHOW(show_ip_tables, net_show_tables(net, out, false, 0))
SHOW(show_ip_matches, net_show_tables(net, out, false, 1))
SHOW(show_ip_targets, net_show_tables(net, out, false, 2))
SHOW(show_ip6_tables, net_show_tables(net, out, true, 0))
SHOW(show_ip6_matches, net_show_tables(net, out, true, 1))
SHOW(show_ip6_targets, net_show_tables(net, out, true, 2))

#define ROOT(nm, fn) { .name = nm, .mode = S_IFREG | 0440, .show = fn }
#define ROW(nm, fn) { .name = nm, .mode = S_IFREG | 0444, .show = fn }
#define TEXT(nm, tx) { .name = nm, .mode = S_IFREG | 0444, .text = tx }

static const struct pseudo_entry entries[] = {
	ROW("arp", show_arp), ROW("dev", show_dev), ROW("if_inet6", show_if_inet6), ROW("ipv6_route", show_route6),
	TEXT("netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"),
	ROW("igmp", show_igmp), ROW("igmp6", show_igmp6), ROW("dev_mcast", show_dev_mcast),
	ROOT("ip_tables_names", show_ip_tables), ROOT("ip_tables_matches", show_ip_matches),
	ROOT("ip_tables_targets", show_ip_targets), ROOT("ip6_tables_names", show_ip6_tables),
	ROOT("ip6_tables_matches", show_ip6_matches), ROOT("ip6_tables_targets", show_ip6_targets),
	ROW("netstat", show_netstat),
	TEXT("packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
	ROW("protocols", show_protocols), ROW("raw", show_raw), ROW("raw6", show_raw6), ROW("route", show_route), ROW("snmp", show_snmp),
	ROW("snmp6", show_snmp6),
	ROW("sockstat", show_sockstat), ROW("sockstat6", show_sockstat6), ROW("tcp", show_tcp), ROW("tcp6", show_tcp6),
	ROW("udp", show_udp), ROW("udp6", show_udp6),
	TEXT("unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"),
};

const struct pseudo_dir proc_net_dir = { .entries = entries, .n = ARRAY_SIZE(entries) };
