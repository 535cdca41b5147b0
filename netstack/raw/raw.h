/*
 * raw.h - what the IP layer and links tell raw, ping and packet sockets.
 */
#pragma once
#include "netstack/core/pktbuf.h"

struct nic;

/* A datagram for this stack: p starts with the IP header, l4_off set.  True: someone took a copy. */
bool raw_rx(struct nic *n, struct pktbuf *p);
/* An echo reply for a ping socket; same packet.  Does not take p. */
void ping_rx(struct nic *n, struct pktbuf *p);
/* A frame passes: copies for packet sockets.  @l2: length of its link header. */
void packet_tap(struct nic *n, struct pktbuf *p, u32 l2, bool out);
/* The copy of an outgoing frame, off the backlog.  Takes p. */
void packet_tap_later(struct nic *n, struct pktbuf *p);
