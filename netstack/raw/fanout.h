/*
 * fanout.h - PACKET_FANOUT: groups of packet sockets that share packets out among themselves.
 *
 * A group lives as long as it has members; the list of groups, their members and what a group knows of its packets are guarded by the
 * stack's eps_mu.  Members hold no references: who is closed leaves first.
 */
#pragma once
#include "platform/base/list.h"
#include "netstack/core/ep.h"

enum { FANOUT_IGNORE_OUTGOING = 0x40 }; /* of flags: Linux' 0x4000, which older headers lack */

struct fanout {
	struct list_head node;          /* stack->fanouts */
	u16 id;
	u8  type, flags;
	u16 ethertype;                  /* what all its members listen for */
	u32 ifindex;
	u32 max, n, room;               /* members: allowed, there, places in arr */
	u32 turn;                       /* PACKET_FANOUT_LB */
	struct filter *prog;            /* PACKET_FANOUT_CBPF; NULL: none */
	struct ep **arr;
};

/* A member's own part. */
struct fanout_member {
	struct fanout *f;               /* guarded by eps_mu; NULL: in no group */
	bool rolls;                     /* has the three below; set once, with f */
	u32 next;                       /* where it looked last */
	u64 all, failed;                /* PACKET_ROLLOVER_STATS; guarded by eps_mu */
};

/* What a socket listens for, as its group's others must. */
struct fanout_join { u16 ethertype; u32 ifindex; };

int fanout_add(struct ep *e, struct fanout_member *m, const struct fanout_join *j, const void *val, size_t len) must_check;
void fanout_leave(struct ep *e, struct fanout_member *m);
bool fanout_has(struct ep *e, const struct fanout_member *m) must_check;
int fanout_get(struct ep *e, const struct fanout_member *m) must_check;
/* PACKET_FANOUT_DATA: a program, which is the array of instructions itself. */
int fanout_program(struct ep *e, struct fanout_member *m, const void *insns, size_t len) must_check;
/* The member that gets @p, whose network header is at @l2; eps_mu held. */
struct ep *fanout_choose(struct stack *s, struct fanout *f, const struct pktbuf *p, u32 l2);
/* packet.c: how much a member has room for @p. */
enum fanout_room { FANOUT_FULL, FANOUT_LOW, FANOUT_ROOM };
enum fanout_room packet_room(const struct ep *e, const struct pktbuf *p);
struct fanout_member *packet_fanout(struct ep *e);
