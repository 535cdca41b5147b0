/*
 * net.h - the sandbox's network: one stack of netstack/ and the thread that runs it.
 *
 * Verbs on endpoints do their own work in the caller's thread; the thread here
 * only runs what is due later (retransmission, delayed acknowledgements, what a verb put off).
 * It sleeps until the next deadline: an idle network costs nothing.
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct stack;
struct net;
struct netlink_table;

/* Boot: a stack with "lo" up, 127.0.0.1/8 and ::1. Sets kernel->net. */
int net_start(struct kernel *k) must_check;
/* NULL without a network: the families are then EAFNOSUPPORT. */
struct stack *net_stack(struct kernel *k);
/* Ports of AF_NETLINK; NULL without a network. */
struct netlink_table *net_netlink(struct kernel *k);

struct link_cfg;
/*
 * A link over a packet socket with virtio-net headers, and the thread that receives from it.
 * @fd is taken over on success. The interface index or -errno.
 */
int net_add_link(struct kernel *k, const struct link_cfg *cfg, hostfd_t fd) must_check;
