/*
 * fault.h - a wire between two stacks that loses, repeats, swaps and spoils
 * frames by a seed, and can write what passes to a pcap stream.  For tests.
 *
 * Frames wait on the wire until fault_pump() is called with a clock that has
 * reached their time; so a test under a fake clock is deterministic.
 */
#pragma once
#include "netstack/api.h"

struct fault_cfg {
	u32 drop, dup, reorder, corrupt;        /* of 1000 frames */
	u64 delay_ns, jitter_ns;                /* jitter reorders, too */
	u64 bytes_per_s;                        /* 0: no limit */
	u32 limit;                              /* frames on the wire, 0: 1000 */
	u32 swallow;                            /* frames longer than this vanish, 0: none do */
	u32 mtu, features;                      /* of both ends */
	u64 seed;
	void (*pcap)(void *ctx, const void *rec, size_t n);     /* NULL: no capture */
	void *pcap_ctx;
};

struct fault_wire;

/* Both ends become a link "eth0"; *ret_if_* get the indices. */
int fault_connect(struct stack *a, struct stack *b, const struct fault_cfg *cfg,
		  struct fault_wire **ret, u32 *ret_if_a, u32 *ret_if_b) must_check;
void fault_free(struct fault_wire *w);          /* after both stacks are gone */
void fault_set(struct fault_wire *w, const struct fault_cfg *cfg);
/* Deliver what is due by @now; the time of the next frame or NET_NEVER. */
u64 fault_pump(struct fault_wire *w, u64 now);
