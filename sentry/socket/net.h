/*
 * net.h - network namespaces: a stack of netstack/ each, and the one thread that runs them all.
 *
 * Sockets hold the namespace that they were made in; so do tasks (nsset).
 *
 * Verbs on endpoints do their own work in the caller's thread; the thread here
 * only runs what is due later (retransmission, delayed acknowledgements, what a verb put off).
 * It sleeps until the next deadline: an idle network costs nothing.
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct task;
struct ns;
struct user_ns;
struct stack;
struct net;
struct netlink_table;

/* Boot: a stack with "lo" up, 127.0.0.1/8 and ::1, in the first network namespace. */
int net_start(struct kernel *k) must_check;
/* A namespace with a "lo" that is down. */
int net_ns_new(struct kernel *k, struct user_ns *owner, struct ns **ret) must_check;
/* That of the task: borrowed. NULL without a network: the families are then EAFNOSUPPORT. */
struct net *task_net(struct task *t);
struct net *net_ref(struct net *n);
void net_unref(struct net *n);                  /* NULL is fine */
struct stack *net_stack(struct net *n);         /* NULL for NULL */
struct netlink_table *net_netlink(struct net *n);       /* ports of AF_NETLINK; NULL for NULL */
u64 net_ns_number(const struct net *n);         /* 0 for NULL */
/*
 * How @n calls another one (IFLA_LINK_NETNSID), which @peer is if it still lives; else, or when it knows too many, or has no
 * number for it and is to give none (@give), -1.
 */
int net_nsid(struct net *n, const void *peer, bool give);
struct net *net_of_ns(struct ns *ns);          /* NULL for NULL */
struct net *net_first(struct kernel *k);        /* the sandbox's own: borrowed */
/* Does the task have the capability in the network namespace @n? */
bool net_capable(struct task *t, const struct net *n, int cap);

struct link_cfg;
struct host_xdp;
/*
 * A link over a packet socket, TAP or macvtap with virtio-net headers, or, with @xdp, over an AF_XDP socket (@fd is the same one, to
 * wait at); the first one starts the thread that receives.  @fd is taken over on success; HOSTFD_NONE: a link that is only
 * shown, and loses what is sent.  The interface index or -errno.
 */
int net_add_link(struct kernel *k, const struct link_cfg *cfg, hostfd_t fd, struct host_xdp *xdp) must_check;

struct netop;
/*
 * From now on the sockets of @n, the sandbox's own namespace, are the host's (hostinet.c).  @fd, the broker's
 * socket, is taken over on success. -EBUSY.
 */
int net_use_broker(struct net *n, hostfd_t fd) must_check;
bool net_has_broker(const struct net *n);
/* One request (platform/host/netop.h), about the socket @pass. */
int net_ask_broker(struct net *n, struct netop *op, hostfd_t pass, hostfd_t *ret_fd) must_check;
