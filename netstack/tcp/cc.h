/*
 * cc.h - congestion control: how the window grows and shrinks.
 *
 * Loss detection, recovery and pacing of retransmissions are the same for all
 * (rack.c, recovery.c); an algorithm answers two questions.  Windows are in
 * bytes.  Called under the endpoint's lock.
 */
#pragma once
#include "platform/base/compiler.h"

struct tcp_ep;

struct cc_ops {
	const char *name;
	void (*init)(struct tcp_ep *t);
	/* An ACK of new data; @rtt: its round trip, 0 when there is none.  NULL: not wanted. */
	void (*acked)(struct tcp_ep *t, u64 rtt);
	/* @acked bytes left the network and the window was in use. */
	void (*grow)(struct tcp_ep *t, u32 acked, u64 now);
	/* A loss: the new slow start threshold. */
	u32  (*ssthresh)(struct tcp_ep *t, u64 now);
	/* The loss was none (undo), or a new start after idleness. */
	void (*restart)(struct tcp_ep *t);
};

extern const struct cc_ops cc_reno, cc_cubic;
const struct cc_ops *cc_find(const char *name);         /* NULL: no such */
