/*
 * ip.h - the IP layer: arrival, departure, ICMP, ARP and NDP.
 *
 * Out: a transport hands a packet that starts with its own header, and says
 * where it goes with struct ip_tx.  In: ip4_rx()/ip6_rx() check, reassemble
 * and hand the packet to its transport, p->l4_off telling where that starts.
 */
#pragma once
#include "netstack/core/nic.h"
#include "netstack/core/route.h"

struct ip4_hdr;
struct ip6_ext;

struct ip_tx {
	struct ipaddr src, dst;
	u8  proto, ttl, tos;
	bool df;                /* never fragment */
	bool nofrag_err;        /* and tell the sender: -EMSGSIZE */
	bool mc_loop;
	bool router_alert;
	u32 flowlabel;
	const u8 *opts;         /* IPv4 options, padded to 4 */
	u8  opts_len;
	const struct ip6_ext *ext;      /* IPv6: extension headers; NULL: none */
};

/* Takes p.  0 or -errno. */
int ip_output(struct stack *s, const struct rt *rt, struct pktbuf *p, const struct ip_tx *t);
/* A packet that has its IP header already (IP_HDRINCL). */
int ip_output_raw(struct stack *s, const struct rt *rt, struct pktbuf *p);

/* A packet that is forwarded and whose checksum the link below vouched for may never have had one: for the next link to fill in. */
void ip_csum_renew(struct pktbuf *p);
/* A datagram that was put together on its way, its header in front, goes on in pieces. */
int ip_refragment(struct stack *s, const struct rt *rt, struct pktbuf *p);

void ip4_rx(struct nic *n, struct pktbuf *p);
void ip6_rx(struct nic *n, struct pktbuf *p);
/* Local delivery of a whole datagram; p starts with the IP header.  Takes p. */
void ip_deliver(struct nic *n, struct pktbuf *p);

/* Sum of the pseudo header of a parsed packet, for @len bytes of transport. */
u64 ip_pseudo(const struct ipaddr *src, const struct ipaddr *dst, u8 proto, u32 len);
/* True when the transport checksum at l4_off holds (or is vouched for). */
bool ip_csum_ok(struct pktbuf *p, u8 proto);
/* Prepare the checksum at @off of a transport header at the front: for the link to finish. */
void ip_csum_begin(struct pktbuf *p, u16 off, const struct ipaddr *src, const struct ipaddr *dst,
		   u8 proto);

/* icmp4.c, icmp6.c */
void icmp4_rx(struct nic *n, struct pktbuf *p);
void icmp6_rx(struct nic *n, struct pktbuf *p);
/* Tell the sender of @p (which starts with its IP header) about an error; does not take p. */
void icmp4_error(struct nic *n, struct pktbuf *p, u8 type, u8 code, u32 rest);
void icmp6_error(struct nic *n, struct pktbuf *p, u8 type, u8 code, u32 rest);
void icmp_port_unreach(struct nic *n, struct pktbuf *p);
/* @p (IP header in front) found no neighbour: EHOSTUNREACH to a local sender. */
void icmp_host_unreach(struct nic *n, struct pktbuf *p);
/* Send an ICMPv6 message (checksum computed here). */
void icmp6_send(struct nic *n, const struct ipaddr *src, const struct ipaddr *dst, u8 hlim,
		const u8 *msg, size_t len, bool router_alert);
/* What an ICMP error says, for the transport whose packet is quoted. */
struct icmp_news {
	int err;                /* positive errno */
	bool hard;              /* fatal for a connection that is being made */
	u32 info;               /* path MTU for EMSGSIZE */
	u8  type, code;
	struct ipaddr from;
	struct nic *nic;
};
/* @inner starts with the quoted transport header (8 bytes at least); src and dst are set. */
void tcp_icmp(struct stack *s, struct pktbuf *inner, const struct icmp_news *w);
void udp_icmp(struct stack *s, struct pktbuf *inner, const struct icmp_news *w);
void raw_icmp(struct stack *s, struct pktbuf *inner, u8 proto, const struct icmp_news *w);
/* Hand an error to the endpoint whose packet is quoted at @p's front. */
void icmp_to_transport(struct stack *s, struct nic *n, struct pktbuf *inner, u8 proto, int err,
		       bool hard, u32 info, const u8 tc[2], const struct ipaddr *from);

/* arp.c */
void arp_rx(struct nic *n, struct pktbuf *p);
void arp_request(struct nic *n, const struct ipaddr *target, const u8 *unicast);

/* ndp.c */
void ndp_rx(struct nic *n, struct pktbuf *p, u8 type);
void ndp_solicit(struct nic *n, const struct ipaddr *target, const struct ipaddr *dst);
void ip6_link_up(struct nic *n);

/* igmp.c, mld.c */
void igmp_rx(struct nic *n, struct pktbuf *p);
void mld_rx(struct nic *n, struct pktbuf *p, u8 type);
void igmp_report(struct nic *n, const struct ipaddr *group, bool join);
void mld_report(struct nic *n, const struct ipaddr *group, bool join);
