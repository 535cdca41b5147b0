/*
 * arp.c - ARP: answers for our addresses, learns of others (RFC 826, 5227).
 */
#include <net/if.h>
#include <net/if_arp.h>
#include "netstack/core/ipaddr.h"
#include "netstack/core/nic.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/wire/arp.h"
#include "netstack/wire/eth.h"

static const u8 bcast_mac[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void send_arp(struct nic *n, const struct arp_pkt *a, const u8 *dst)
{
	struct pktbuf *p = pkt_new(n->stack->pool);

	if (!p)
		return;
	arp_emit(pkt_push(p, ARP_LEN), a);
	nic_tx_mac(n, p, dst, ETH_T_ARP);
}

void arp_request(struct nic *n, const struct ipaddr *target, const u8 *unicast)
{
	struct arp_pkt a = { .op = ARP_OP_REQUEST };
	struct ipaddr src = ip_any4();

	/* An address of the same prefix, so that the neighbour accepts us. */
	addr_pick(n->stack, n, target, &src);
	memcpy(a.smac, nic_mac(n).b, 6);
	memcpy(a.sip, src.b + 12, 4);
	memcpy(a.tip, target->b + 12, 4);
	if (unicast)
		memcpy(a.tmac, unicast, 6);
	send_arp(n, &a, unicast ? unicast : bcast_mac);
}

void arp_rx(struct nic *n, struct pktbuf *p)
{
	struct ipaddr sip, tip;
	struct arp_pkt a;
	bool ours;

	if (n->arphrd != ARPHRD_ETHER || (n->flags & IFF_NOARP) || !pkt_may_pull(p, ARP_LEN) ||
	    !arp_parse(pkt_data(p), p->len, &a))
		goto out;
	sip = ip_from4(a.sip);
	tip = ip_from4(a.tip);
	if (mac_is_multicast(a.smac) || ip_is_multicast(&sip) || ip_is_loopback(&tip) ||
	    memcmp(a.smac, nic_mac(n).b, 6) == 0)
		goto out;
	ours = addr_type(n->stack, n, &tip) == RTN_LOCAL;
	if (!ip_is_any(&sip)) {
		struct neigh_news w = { .ip = sip, .mac = a.smac, .override = true };

		w.create = ours && a.op == ARP_OP_REQUEST;
		w.solicited = ours && a.op == ARP_OP_REPLY;
		neigh_update(n, &w);
	}
	if (ours && a.op == ARP_OP_REQUEST) {
		struct arp_pkt r = { .op = ARP_OP_REPLY };

		memcpy(r.smac, nic_mac(n).b, 6);
		memcpy(r.sip, a.tip, 4);
		memcpy(r.tmac, a.smac, 6);
		memcpy(r.tip, a.sip, 4);
		send_arp(n, &r, a.smac);
	}
out:
	pkt_free(p);
}
