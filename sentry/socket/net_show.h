/*
 * net_show.h - the network as text: what /proc/net and /proc/sys/net show of the stack.
 *
 * For callers that do not know netstack/.  Without a network every text is empty
 * but for its heading, and there are no settings.
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct strbuf;

void net_show_dev(struct kernel *k, struct strbuf *out);
void net_show_tcp(struct kernel *k, struct strbuf *out, bool v6);
void net_show_udp(struct kernel *k, struct strbuf *out, bool v6);
void net_show_raw(struct kernel *k, struct strbuf *out, bool v6);
void net_show_route(struct kernel *k, struct strbuf *out);
void net_show_route6(struct kernel *k, struct strbuf *out);
void net_show_if_inet6(struct kernel *k, struct strbuf *out);
void net_show_arp(struct kernel *k, struct strbuf *out);
void net_show_sockstat(struct kernel *k, struct strbuf *out, bool v6);
/* IPv4's counters: of the extended groups (netstat) or of the others (snmp); IPv6's (snmp6). */
void net_show_counters(struct kernel *k, struct strbuf *out, bool ext);
void net_show_counters6(struct kernel *k, struct strbuf *out);

/* Settings, by path below /proc/sys/net; NULL after the last. */
const char *net_sysctl_name(struct kernel *k, unsigned i);
int net_sysctl_show(struct kernel *k, const char *name, struct strbuf *out) must_check;
int net_sysctl_store(struct kernel *k, const char *name, const char *text) must_check;
