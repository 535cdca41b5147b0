/*
 * stack.h - struct stack: everything that one network namespace has.
 *
 * Locks: cfg_mu (RANK_STACK) guards links, addresses, routes and sysctl
 * writes; each table below has its own lock of the same rank, and no two are
 * ever held together.  cfg_gen changes with every change of configuration:
 * endpoints cache routes and drop them when it moved.
 *
 * Life: links live until the stack dies (link_del only unhooks them), so a
 * struct nic pointer never dangles.
 */
#pragma once
#include <stdatomic.h>
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "netstack/api.h"
#include "netstack/core/backlog.h"
#include "netstack/core/flowlabel.h"
#include "netstack/core/frag.h"
#include "netstack/core/mib.h"
#include "netstack/core/pktbuf.h"
#include "netstack/core/port.h"
#include "netstack/core/siphash.h"
#include "netstack/core/sysctl.h"
#include "netstack/core/timer.h"
#include "netstack/netfilter/nf.h"
#include "netstack/tcp/conntab.h"
#include "netstack/tcp/fastopen.h"

struct nic;

/* Tokens that refill with time: one a message, up to a second's worth. */
struct ratelimit {
	struct mutex mu;                /* RANK_LEAF */
	u64 stamp;
	u64 tokens;
};

struct stack {
	const struct stack_ops *ops;    /* immutable */
	void *ctx;
	struct sipkey key_isn, key_port, key_hash, key_cookie;  /* immutable, never saved */

	struct pkt_pool *pool;          /* immutable; its packets may be in other stacks, and outlive us there */
	struct timers timers;
	struct mib mib;
	struct net_sysctl sysctl;

	struct mutex cfg_mu;            /* RANK_STACK */
	_Atomic u32 cfg_gen;
	u32 next_ifindex;
	struct list_head nics, dead_nics;       /* struct nic */
	_Atomic u32 norphans;                   /* links whose other end is gone: stack_run() deletes them */
	struct list_head addrs;                 /* struct nicaddr */
	struct list_head routes;                /* struct route, longest prefix first */
	struct list_head pmtus;                 /* struct pmtu, newest first */
	u32 naddrs, nroutes, npmtus;
	struct ntimer addr_timer;               /* the next lifetime that ends; addrlife.c */
	struct nic *lo;                         /* immutable */

	struct backlog backlog;
	struct porttab ports;
	struct conntab conns;
	struct tfo tfo;
	struct fragtab frags;
	struct flowlabels labels;
	struct nf nf;
	struct ratelimit icmp_limit, chal_limit;
	_Atomic u32 ip_id;
	u8 *_Atomic reserved_ports;     /* reserved.h */
	_Atomic u64 cookies;
	_Atomic s64 tcp_mem;                    /* bytes in all TCP queues */
	_Atomic bool rx_behind;                 /* stack_rx_behind() */

	struct mutex eps_mu;            /* RANK_STACK: the lists below */
	struct list_head eps;           /* every endpoint, by all_node */
	struct list_head raws;          /* raw and ping endpoints, by kind_node */
	struct list_head packets;       /* packet sockets, by kind_node */
	struct list_head fanouts;       /* groups of them: raw/fanout.h */
	_Atomic u32 nraws, npackets;    /* so that the fast path need not look */
};

static inline u64 stack_now(struct stack *s) { return s->ops->now(s->ctx); }
static inline u32 stack_gen(struct stack *s)
{
	return atomic_load_explicit(&s->cfg_gen, memory_order_acquire);
}
static inline void stack_changed(struct stack *s)
{
	atomic_fetch_add_explicit(&s->cfg_gen, 1, memory_order_release);
}
u32 stack_rand32(struct stack *s);
void nics_reap(struct stack *s);         /* delete the orphans: link.c */
/* True when one more message may go, @per_sec a second. */
bool ratelimit_ok(struct stack *s, struct ratelimit *r, u32 per_sec);

/* Parts that stack_free() takes down. */
void route_tables_done(struct stack *s);
void nics_stack_ends(struct stack *s);
void mc_nic_done(struct nic *n);
void tcp_stack_done(struct stack *s);

#define MIB(s, name) mib_inc(&(s)->mib, MIB_##name)
