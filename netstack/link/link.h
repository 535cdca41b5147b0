/*
 * link.h - the kinds of link, for the inside of the stack.
 */
#pragma once
#include "netstack/core/nic.h"

extern const struct nic_ops loopback_ops;

/* An address that was not given: any; was it given? */
bool link_any_mac(struct stack *s, u8 mac[6]);

/* fd.c: struct virtio_net_hdr, in our byte order. */
struct vnet_hdr {
	u8 flags, gso_type;
	u16 hdr_len, gso_size, csum_start, csum_offset;
};
void vnet_fill(const struct pktbuf *p, struct vnet_hdr *v);
/* What the header says about a received frame; false: nonsense. */
bool vnet_take(struct pktbuf *p, const struct vnet_hdr *v) must_check;
