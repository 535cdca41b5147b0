/*
 * netfilter.h - iptables' socket options: permission, sizes, the guest's memory.
 *
 * The rules themselves are netstack/netfilter's.
 */
#pragma once
#include "platform/base/compiler.h"

struct socket;
struct strbuf;
struct net;
struct task;

/* Is it one of ours on this socket? */
bool netfilter_opt(const struct socket *s, int level, int opt);
/* What the value may be long, or -EPERM. */
int netfilter_optlen(struct task *t, const struct socket *s, int opt) must_check;
int netfilter_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n) must_check;
/* @v holds what the caller put there. Bytes. */
int netfilter_getsockopt(struct task *t, struct socket *s, int level, int opt, void *v, size_t n) must_check;

/* /proc/net/ip_tables_names and its kin; @what: 0 tables, 1 matches, 2 targets. */
void net_show_tables(struct net *n, struct strbuf *out, bool v6, int what);
