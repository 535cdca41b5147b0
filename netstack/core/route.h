/*
 * route.h - addresses of links, the routing table, and the look-up of both.
 *
 * Two kinds of question: is this address ours (rx), and where does a packet to
 * it go (tx).  All under stack->cfg_mu; answers are copies.
 */
#pragma once
#include "platform/base/list.h"
#include "netstack/api.h"

struct nic;
struct stack;

struct nicaddr {
	struct list_head node;
	struct addr_info a;
	struct nic *nic;
	u64 since;              /* ns, when the lifetimes in a began */
	bool tentative;
};

struct route {
	struct list_head node;
	struct route_info r;
	struct nic *nic;
};

/* Where a packet goes. */
struct rt {
	struct nic *nic;
	struct ipaddr src;      /* preferred source */
	struct ipaddr nexthop;
	u32 mtu;                /* of the path as far as known */
	u32 gen;                /* cfg_gen at the time of the question */
	u8  type;               /* RTN_UNICAST, LOCAL, BROADCAST, MULTICAST */
	u8  plen;
	bool valid;
};

enum { RT_HOST = 0, RT_DONTROUTE = 1, RT_NO_SRC_CHECK = 2 };

/* 0, -ENETUNREACH, -EHOSTUNREACH, -EINVAL (source not ours), -ENODEV. @src any: choose. */
int rt_lookup(struct stack *s, const struct ipaddr *dst, const struct ipaddr *src, u32 oif,
	      u32 flags, struct rt *ret) must_check;

/* RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST or RTN_UNICAST for an arriving destination. */
int addr_type(struct stack *s, struct nic *in, const struct ipaddr *dst);
/* Link with this address, or NULL. */
struct nic *addr_nic(struct stack *s, const struct ipaddr *ip);
/* A source address of @n for @dst; false when there is none. */
bool addr_pick(struct stack *s, struct nic *n, const struct ipaddr *dst, struct ipaddr *ret);

/* cfg_mu held; the pointer is good until it is dropped. */
struct nicaddr *addr_local_locked(struct stack *s, const struct ipaddr *ip);
struct nicaddr *addr_pick_locked(struct stack *s, struct nic *n, const struct ipaddr *dst);
struct nicaddr *addr_find_locked(struct stack *s, u32 ifindex, const struct ipaddr *ip);
/* Nobody's own: a group, or a broadcast address of a link here. */
bool addr_is_group(struct stack *s, const struct ipaddr *ip);
bool addr_is_group_locked(struct stack *s, const struct ipaddr *ip);
bool addr_is_directed_bcast(const struct nicaddr *x, const struct ipaddr *ip);

/* addrlife.c */
int addr_life_init(struct stack *s) must_check;
void addr_life_done(struct stack *s);
void addr_life_begin_locked(struct stack *s, struct nicaddr *x);
void addr_life_left(const struct nicaddr *x, u64 now, struct addr_info *ret);   /* what is left of the lifetimes */
/* A router says how long @ip may live; false: there is no such address. */
bool addr_advertised(struct stack *s, u32 ifindex, const struct ipaddr *ip, u32 valid, u32 preferred);

/* Every route over a link that goes away. */
void route_flush_nic(struct nic *n);

/* Path MTU learned from ICMP: remembered as a host route with an MTU for ten minutes. */
void pmtu_learn(struct stack *s, const struct ipaddr *dst, u32 mtu);
