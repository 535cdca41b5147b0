/*
 * udp.h - UDP endpoints, for the inside of the stack.
 */
#pragma once
#include "netstack/core/ep.h"

struct udp_ep {
	struct ep ep;
	u16 gso_size;                   /* UDP_SEGMENT */
	bool port_chosen;       /* by us: goes with a disconnect */
	bool gro, corked;
	bool from6;             /* a dual-stack socket whose first peer was one of IPv6 */
	struct pktbuf *cork;            /* UDP_CORK, MSG_MORE: what is waiting */
	struct net_sa cork_dst;
	bool cork_has_dst;
};

static inline struct udp_ep *udp_of(struct ep *e) { return container_of(e, struct udp_ep, ep); }

void udp_rx(struct nic *n, struct pktbuf *p);
