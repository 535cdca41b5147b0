/*
 * nic.h - one link of a stack, as the layers above see it.
 *
 * A link below supplies nic_ops; it calls nic_rx() with packets that start
 * with the link header (none on loopback and ARPHRD_NONE).  nic_tx() takes
 * packets that start with the IP header and finishes what the link cannot do:
 * checksums, segmentation, the Ethernet header.
 */
#pragma once
#include <stdatomic.h>
#include <string.h>
#include "netstack/core/neigh.h"
#include "netstack/core/pktbuf.h"

struct stack;

/* Ops consume the packet.  tx: 0 or -errno (dropped). */
struct nic_ops {
	const char *name;
	int  (*tx)(struct nic *n, struct pktbuf *p);
	int  (*poll)(struct nic *n, int budget);        /* NULL: nothing to read */
	void (*free)(struct nic *n);                    /* NULL: no private data */
	void (*made)(struct nic *n);                    /* before anybody sees it.  NULL: nothing to do */
	/* What follows is called without locks.  Up or down; NULL: does not matter. */
	void (*changed)(struct nic *n);
	/* It was deleted, or (@ends) its stack is about to be: nobody comes to it from outside any more.  May come twice. */
	void (*gone)(struct nic *n, bool ends);
	/* Adds to what link_get() tells; under cfg_mu.  NULL: nothing. */
	void (*info)(struct nic *n, struct link_info *i);
	/*
	 * Of a link that has others as its ports (n->master): a frame came in by @port, its link header in front.  Takes it.
	 * Under cfg_mu: @port is deleted; the address (@mac) or the size of @which, a port or the link itself, was set.
	 */
	void (*port_rx)(struct nic *n, struct nic *port, struct pktbuf *p);
	void (*port_gone)(struct nic *n, struct nic *port);
	void (*adjusted)(struct nic *n, const struct nic *which, bool mac);
	const char *kind;                               /* rtnetlink's: IFLA_INFO_KIND; NULL: a device, which nobody deletes */
};

/* Six bytes in a word, so that who looks without a lock sees a whole address. */
struct mac { u8 b[8]; };

struct nic_stats {
	_Atomic u64 rx_packets, rx_bytes, rx_errors, rx_dropped, multicast;
	_Atomic u64 tx_packets, tx_bytes, tx_errors, tx_dropped;
};

struct nic {
	struct list_head node;          /* guarded by stack->cfg_mu */
	struct stack *stack;            /* immutable, like all without a word */
	const struct nic_ops *ops;
	void *priv;
	_Atomic u32 ifindex;            /* of a link that lives again: another */
	u16 arphrd;
	u32 features;                   /* LINK_F_* */
	_Atomic u32 mtu;
	_Atomic u32 flags;              /* IFF_* */
	_Atomic bool dead;              /* link_del() was called */
	_Atomic bool idle;              /* dead, and may live again: nic_revive() */
	struct nic *_Atomic master;     /* whose port it is, or NULL; changed under cfg_mu */
	_Atomic bool no_carrier;        /* nobody is at the other end */
	_Atomic bool orphan;            /* to be deleted; counted in stack->norphans */
	_Atomic u64 mac;                /* nic_mac() */
	char name[NET_IFNAMSIZ];        /* guarded by cfg_mu */
	struct nic_stats stats;
	struct neightab neigh;
	struct list_head groups;        /* struct mcgroup, guarded by cfg_mu */
	struct list_head mctimers;
	u32 dad_pending;
	u32 ra_seen;
};

static inline struct mac nic_mac(const struct nic *n)
{
	u64 v = atomic_load_explicit(&n->mac, memory_order_relaxed);
	struct mac m;

	memcpy(&m, &v, sizeof(m));
	return m;
}

static inline void nic_set_mac(struct nic *n, const u8 mac[6])
{
	u64 v = 0;

	memcpy(&v, mac, 6);
	atomic_store_explicit(&n->mac, v, memory_order_relaxed);
}

/* @cfg's name may have one %d. */
struct nic *nic_create(struct stack *s, const struct link_cfg *cfg, const struct nic_ops *ops,
		       void *priv, int *ret_err) must_check;
/* @pattern, its %d replaced by the first number that makes it free; cfg_mu held.  -EEXIST. */
int nic_name_locked(struct stack *s, const char *pattern, char name[NET_IFNAMSIZ]) must_check;
/*
 * A dead link of @ops lives again, as @cfg says; NULL: there is none (*ret_err is 0), or -errno as of nic_create().
 * Its private data is the old one.
 */
struct nic *nic_revive(struct stack *s, const struct link_cfg *cfg, const struct nic_ops *ops, int *ret_err) must_check;
/* Nobody has anything to do with the dead link any more. */
void nic_idle(struct nic *n);
/* The other end of the link is gone for good: let its stack delete it. */
void nic_orphan(struct nic *n);
struct nic *nic_by_index(struct stack *s, u32 ifindex);         /* NULL when gone */
struct nic *nic_by_index_locked(struct stack *s, u32 ifindex);

/* A packet came in from the link.  Takes it. */
void nic_rx(struct nic *n, struct pktbuf *p);
/* Send an IP packet to @nexthop (resolves it).  Takes it. */
int nic_tx(struct nic *n, struct pktbuf *p, const struct ipaddr *nexthop);
/* Send with the link address already known, or a complete frame. */
int nic_tx_mac(struct nic *n, struct pktbuf *p, const u8 mac[6], u16 ethertype);
int nic_tx_frame(struct nic *n, struct pktbuf *p);
/* Largest super-frame payload this link takes for @gso_type; 0: none. */
u32 nic_gso_max(const struct nic *n, u8 gso_type);
static inline bool nic_up(const struct nic *n) { return n->flags & 1; }  /* IFF_UP */

/* The longest of the packets that a super-frame stands for, its IP header in front and l4_off set; of another packet its length. */
u32 gso_longest(const struct pktbuf *p);
/* Cut a super-frame into packets of gso_size; each goes to fn(). Takes p. gso.c */
int gso_segment(struct pktbuf *p, u32 l2, int (*fn)(struct nic *, struct pktbuf *), struct nic *n);
