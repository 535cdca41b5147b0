/*
 * reject.c - REJECT: the sender is told, by an ICMP error or a reset.
 *
 * The answer goes the way of any packet of ours, so rules see it; errors about errors are not sent (ip/icmp4.c).
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/core/rtnl.h"
#include "netstack/ip/ip.h"
#include "netstack/netfilter/nf_int.h"
#include "netstack/tcp/tcp.h"
#include "netstack/wire/icmp.h"

static void reset(struct nf_pkt *k)
{
	struct pktbuf *p = k->p;
	struct tcp_reply r = { .flags = TH_RST };
	struct rt rt = { 0 };
	struct tcp_hdr h;
	u8 b[TCP_HLEN];
	u32 len;

	if (p->proto != IPPROTO_TCP || !nf_l4(k, b, 0, sizeof(b)) || (p->flags & (PKT_MCAST | PKT_BCAST)))
		return;
	len = p->len - p->l4_off;
	h.sport = get_be16(b);
	h.dport = get_be16(b + 2);
	h.seq = get_be32(b + 4);
	h.ack = get_be32(b + 8);
	h.hlen = (u8)((b[12] >> 4) * 4);
	h.flags = b[13];
	if ((h.flags & TH_RST) || h.hlen < TCP_HLEN || h.hlen > len)
		return;
	r.key = (struct connkey){ p->dst, p->src, h.dport, h.sport };
	if (h.flags & TH_ACK) {
		r.seq = h.ack;
	} else {
		r.flags |= TH_ACK;
		r.ack = h.seq + (len - h.hlen) + !!(h.flags & TH_SYN) + !!(h.flags & TH_FIN);
	}
	if (ip_needs_scope(&p->src) && k->in &&
	    rt_lookup(k->s, &p->src, &p->dst, k->in->ifindex, RT_NO_SRC_CHECK, &rt) < 0)
		return;
	tcp_send_reply(k->s, &rt, &r);
}

enum nf_verdict nf_reject(struct nf_pkt *k, u32 what)
{
	struct nic *n = k->in ? k->in : k->s->lo;

	if (what == REJ_TCP_RESET)
		reset(k);
	else if (k->v6)
		icmp6_error(n, k->p, ICMP6_UNREACH, (u8)what, 0);
	else
		icmp4_error(n, k->p, ICMP4_UNREACH, (u8)what, 0);
	return NF_V_DROP;
}
