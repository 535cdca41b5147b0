/*
 * packet.h - what packet.c and ring.c share.
 */
#pragma once
#include "netstack/core/ep.h"

/* Guarded by the endpoint's mu. */
struct packet_ring {
	struct packet_ring_cfg c;
	u32 version;                    /* TPACKET_V1, TPACKET_V2 */
	u32 reserve;                    /* PACKET_RESERVE: room in front of each frame's data */
	u32 per_block, head;
	bool on;
};

/* mu held in all. */
int ring_set(struct packet_ring *r, const struct packet_ring_cfg *c, u32 reserve) must_check;
bool ring_ready(const struct packet_ring *r);
/* Write a packet with a link header of @l2 bytes; false: no frame is free. */
bool ring_put(struct ep *e, struct packet_ring *r, const struct pktbuf *p, u32 keep, u32 l2, bool losing);
