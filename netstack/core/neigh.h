/*
 * neigh.h - who has which link address (RFC 826, RFC 4861 section 7.3).
 *
 * One table a link, bounded; when full, the entry used longest ago goes.  An
 * unresolved entry holds a few packets.  Probing stops when nobody sends, so
 * an idle table sets no timer.
 *
 * Lock: nt->mu (RANK_STACK).  Packets and probes are sent after it is dropped.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "netstack/api.h"
#include "netstack/core/timer.h"

#define NEIGH_BUCKETS   64
#define NEIGH_MAX       1024
#define NEIGH_QUEUE_MAX 16

struct nic;
struct pktbuf;

struct neigh {
	struct list_head node;
	struct ipaddr ip;
	u8  mac[6];
	u16 state;              /* NUD_* */
	u8  probes;
	bool router;
	u64 confirmed, used;    /* ns */
	u64 due;                /* when its state must be looked at; NET_NEVER: not */
	struct list_head queue; /* packets */
	u32 nqueue;
};

struct neightab {
	struct mutex mu;        /* RANK_STACK */
	struct list_head *bucket;       /* NULL until the first entry */
	u32 n;
	struct ntimer timer;
};

int neightab_init(struct neightab *t, struct nic *n) must_check;
void neightab_done(struct neightab *t, struct nic *n);

/* The link address of @ip: true and *mac, or the packet is kept (or dropped) meanwhile. */
bool neigh_resolve(struct nic *n, const struct ipaddr *ip, struct pktbuf *p, u8 mac[6]);
/* News from ARP or NDP.  @create: make an entry when there is none. */
struct neigh_news {
	struct ipaddr ip;
	const u8 *mac;          /* NULL: none given */
	bool create, solicited, override, is_router, set_router;
};
void neigh_update(struct nic *n, const struct neigh_news *news);
/* A packet from @ip proved that it is reachable (TCP progress). */
void neigh_confirm(struct nic *n, const struct ipaddr *ip);
void neigh_flush(struct nic *n);
