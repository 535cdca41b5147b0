/*
 * ip4opt.h - options of IPv4 headers (RFC 791): what a socket sends, what a packet brings, what an answer carries back.
 *
 * Options are compiled once, when they are set or when a packet arrives, and then stand in order: every length in data[] was checked, and
 * srr, rr and ts say where the options that change on the way are.
 */
#pragma once
#include "netstack/api.h"

#define IP4OPT_MAX 40

struct stack;
struct ip_tx;

struct ip4_opts {
	u8 len;                         /* a multiple of 4 */
	u8 srr, rr, ts;                 /* place in data[] and one; 0: there is none */
	bool rr_addr, ts_addr, ts_time; /* still to be filled in by who sends or forwards it */
	u8 hop[4];                      /* srr of a sender: where it goes first */
	u8 data[IP4OPT_MAX];
};

/* A sender's options: 0, -EINVAL, or -EPERM for a source route without @net_raw, CAP_NET_RAW.  @n is at most IP4OPT_MAX. */
int ip4opt_set(struct stack *s, const void *opts, size_t n, bool net_raw, struct ip4_opts *ret) must_check;
/* As the sender set them.  For what is told, of a copy. */
void ip4opt_undo(struct ip4_opts *o);
/* Those of a packet, filled in by us as @own: 0, or where in the IP header the bad byte is. */
u8 ip4opt_rx(struct stack *s, const struct ipaddr *own, struct ip4_opts *o) must_check;
/* What an answer to a packet with @rx carries; false: it cannot. */
bool ip4opt_echo(struct stack *s, const struct ip4_opts *rx, struct ip4_opts *ret) must_check;
/* A packet with @rx goes on by a link of ours with the address @own. */
void ip4opt_forward(struct stack *s, const struct ipaddr *own, struct ip4_opts *rx);
/* Put them into @t, whose addresses are set: @room holds the bytes and must live as long.  @end: where a source route ends. */
void ip4opt_put(struct stack *s, const struct ip4_opts *o, const struct ipaddr *end, struct ip_tx *t, u8 room[IP4OPT_MAX]);
/* What fragments but the first do not carry becomes no-ops. */
void ip4opt_strip(u8 *opts, size_t n);
