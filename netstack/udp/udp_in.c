/*
 * udp_in.c - a UDP datagram or an ICMP error about one arrives.
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/core/errqueue.h"
#include "netstack/core/nic.h"
#include "netstack/ip/ip.h"
#include "netstack/udp/udp.h"
#include "netstack/wire/udp.h"

#define FANOUT_MAX 64

/* @p begins with @hdr bytes that the socket's filter may see and the reader may not. */
static void deliver(struct ep *e, struct pktbuf *p, u32 hdr)
{
	struct stack *s = e->stack;
	bool ok = true;

	mutex_lock(&e->mu);
	if (p->flags & PKT_MCAST)
		ok = mc_ep_wants(e, p->nic, &p->dst) && mc_ep_source_ok(e, p->nic, &p->dst, &p->src);
	if (e->o.minttl && p->ttl < e->o.minttl)
		ok = false;
	if (!ok) {
		pkt_free(p);
	} else if (dgram_filter_queue(e, p, hdr)) {
		MIB(s, Udp_InDatagrams);
		dgram_behind(e);
	} else {
		MIB(s, Udp_RcvbufErrors);
		MIB(s, Udp_InErrors);
	}
	mutex_unlock(&e->mu);
}

/* A UDP super-frame from our own side: every piece is a datagram of its own. */
static void deliver_gso(struct ep *e, struct pktbuf *p)
{
	u32 off, seg = p->gso_size;

	pkt_pull(p, UDP_HLEN);
	for (off = 0; off < p->len; off += seg) {
		struct pktbuf *c = pkt_slice(p, off, MIN(seg, p->len - off));

		if (!c)
			break;
		c->gso_size = 0;
		deliver(e, c, 0);
	}
	pkt_free(p);
}

static void deliver_many(struct stack *s, struct pktbuf *p, const struct port_key *k)
{
	struct ep *e[FANOUT_MAX];
	int i, n = port_lookup_all(s, PORT_UDP, k, e, FANOUT_MAX);

	for (i = 0; i < n; i++) {
		struct pktbuf *c = pkt_clone(p);

		if (c)
			deliver(e[i], c, UDP_HLEN);
		ep_unref(e[i]);
	}
	pkt_free(p);
}

void udp_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct port_key k;
	struct udp_hdr h;
	struct ep *e;
	bool v4 = ip_is4(&p->dst);

	if (!pkt_may_pull(p, p->l4_off + UDP_HLEN) ||
	    !udp_parse(pkt_data(p) + p->l4_off, p->len - p->l4_off, &h))
		goto bad;
	pkt_trim(p, p->l4_off + h.len);
	if (h.csum == 0 ? !v4 && !(p->flags & PKT_CSUM_OK) : !ip_csum_ok(p, IPPROTO_UDP)) {
		MIB(s, Udp_InCsumErrors);
		goto bad;
	}
	k = (struct port_key){ p->dst, p->src, h.dport, h.sport, n->ifindex };
	p->sport = h.sport;
	p->dport = h.dport;
	if (p->flags & (PKT_MCAST | PKT_BCAST)) {
		pkt_pull(p, p->l4_off);
		deliver_many(s, p, &k);
		return;
	}
	e = port_lookup(s, PORT_UDP, &k, false);
	if (!e) {
		MIB(s, Udp_NoPorts);
		icmp_port_unreach(n, p);
		pkt_free(p);
		return;
	}
	pkt_pull(p, p->l4_off);
	if (!p->gso_size || p->gso_type != GSO_UDP || udp_of(e)->gro)
		deliver(e, p, UDP_HLEN);
	else
		deliver_gso(e, p);
	ep_unref(e);
	return;
bad:
	MIB(s, Udp_InErrors);
	pkt_free(p);
}

void udp_icmp(struct stack *s, struct pktbuf *p, const struct icmp_news *w)
{
	struct port_key k = { .laddr = p->src, .raddr = p->dst, .ifindex = w->nic->ifindex };
	struct net_sa dst = { .family = 0 };
	bool v4 = ip_is4(&p->dst), report;
	struct ep *e;
	u8 *d = pkt_data(p);

	k.lport = get_be16(d);
	k.rport = get_be16(d + 2);
	if (w->err == EMSGSIZE && w->info)
		pmtu_learn(s, &p->dst, w->info);
	e = port_lookup(s, PORT_UDP, &k, false);
	if (!e)
		return;
	pkt_pull(p, MIN(p->len, (u32)UDP_HLEN));
	dst.ip = k.raddr;
	dst.port = k.rport;
	mutex_lock(&e->mu);
	report = v4 ? e->o.recverr : e->o.recverr6 || e->o.recverr;
	if (report)
		errq_add(e, p, w->err, v4 ? EE_ORIGIN_ICMP : EE_ORIGIN_ICMP6, w->type, w->code, w->info,
			 &w->from, &dst);
	if (report || (e->connected && w->hard))
		ep_set_err(e, w->err);
	mutex_unlock(&e->mu);
	ep_unref(e);
}
