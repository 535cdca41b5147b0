/*
 * net_show.h - the network as text: what /proc/net and /proc/sys/net show of the stack.
 *
 * For callers that do not know netstack/.  Without a network every text is empty
 * but for its heading, and there are no settings.
 */
#pragma once
#include "platform/base/compiler.h"

struct net;
struct strbuf;

void net_show_dev(struct net *n, struct strbuf *out);
void net_show_tcp(struct net *n, struct strbuf *out, bool v6);
void net_show_udp(struct net *n, struct strbuf *out, bool v6);
void net_show_raw(struct net *n, struct strbuf *out, bool v6);
void net_show_route(struct net *n, struct strbuf *out);
void net_show_route6(struct net *n, struct strbuf *out);
void net_show_if_inet6(struct net *n, struct strbuf *out);
void net_show_arp(struct net *n, struct strbuf *out);
void net_show_sockstat(struct net *n, struct strbuf *out, bool v6);
void net_show_protocols(struct net *n, struct strbuf *out);
/* IPv4's counters: of the extended groups (netstat) or of the others (snmp); IPv6's (snmp6). */
void net_show_counters(struct net *n, struct strbuf *out, bool ext);
void net_show_counters6(struct net *n, struct strbuf *out);

/* Settings, by path below /proc/sys/net; NULL after the last. */
const char *net_sysctl_name(struct net *n, unsigned i);
int net_sysctl_show(struct net *n, const char *name, struct strbuf *out) must_check;
int net_sysctl_store(struct net *n, const char *name, const char *text) must_check;

/* net_show_mc.c */
void net_show_igmp(struct net *n, struct strbuf *out);
void net_show_igmp6(struct net *n, struct strbuf *out);
void net_show_dev_mcast(struct net *n, struct strbuf *out);
