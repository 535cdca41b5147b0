/*
 * nic.c - links: creation, settings, the way of a packet in and out.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/raw/raw.h"
#include "netstack/wire/eth.h"

#define NAMES_MAX 4096          /* numbers that are tried for a %d */

static bool name_taken(struct stack *s, const char *name)
{
	struct nic *n;

	list_for_each(n, &s->nics, node)
		if (strcmp(n->name, name) == 0)
			return true;
	return false;
}

int nic_name_locked(struct stack *s, const char *pattern, char name[NET_IFNAMSIZ])
{
	const char *d = strstr(pattern, "%d");

	memset(name, 0, NET_IFNAMSIZ);
	if (!d) {
		memcpy(name, pattern, strnlen(pattern, NET_IFNAMSIZ - 1));
		return name_taken(s, name) ? -EEXIST : 0;
	}
	for (int i = 0; i < NAMES_MAX; i++) {
		int l = snprintf(name, NET_IFNAMSIZ, "%.*s%d%s", (int)(d - pattern), pattern, i, d + 2);

		if (l >= NET_IFNAMSIZ)
			return -EINVAL;
		if (!name_taken(s, name))
			return 0;
	}
	return -ENFILE;
}

/* What a link is when it begins; cfg_mu held unless it is nobody else's yet. */
static void begin(struct nic *n, const struct link_cfg *cfg)
{
	n->mtu = cfg->mtu;
	nic_set_mac(n, cfg->mac);
	n->flags = cfg->arphrd == ARPHRD_LOOPBACK ? IFF_LOOPBACK :
		   cfg->arphrd == ARPHRD_ETHER ? IFF_BROADCAST | IFF_MULTICAST :
						 IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
}

/* Round and round, as in Linux. */
static u32 next_index(struct stack *s)
{
	u32 index;

	do {
		index = s->next_ifindex;
		s->next_ifindex = index >= INT32_MAX ? 2 : index + 1;
	} while (nic_by_index_locked(s, index));
	return index;
}

/* A name and an index, and it is there; cfg_mu held. */
static int publish(struct nic *n, const struct link_cfg *cfg)
{
	struct stack *s = n->stack;
	char name[NET_IFNAMSIZ];
	u32 index = cfg->ifindex ? cfg->ifindex : next_index(s);
	int r = nic_name_locked(s, cfg->name, name);

	if (r < 0)
		return r;
	if (index > INT32_MAX || nic_by_index_locked(s, index))
		return -EEXIST;
	memcpy(n->name, name, sizeof(n->name));
	n->ifindex = index;
	list_add_tail(&n->node, &s->nics);
	stack_changed(s);
	return 0;
}

struct nic *nic_create(struct stack *s, const struct link_cfg *cfg, const struct nic_ops *ops,
		       void *priv, int *ret_err)
{
	struct nic *n = knew(struct nic);

	*ret_err = -ENOMEM;
	if (!n)
		return NULL;
	n->stack = s;
	n->ops = ops;
	n->priv = priv;
	n->arphrd = cfg->arphrd;
	n->features = cfg->features;
	begin(n, cfg);
	if (ops->made)
		ops->made(n);
	list_init(&n->groups);
	*ret_err = neightab_init(&n->neigh, n);
	if (*ret_err < 0) {
		kfree(n);
		return NULL;
	}
	mutex_lock(&s->cfg_mu);
	*ret_err = publish(n, cfg);
	mutex_unlock(&s->cfg_mu);
	if (*ret_err < 0) {
		neightab_done(&n->neigh, n);
		kfree(n);
		return NULL;
	}
	return n;
}

static void clear_stats(struct nic_stats *st)
{
	st->rx_packets = st->rx_bytes = st->rx_errors = st->rx_dropped = st->multicast = 0;
	st->tx_packets = st->tx_bytes = st->tx_errors = st->tx_dropped = 0;
}

struct nic *nic_revive(struct stack *s, const struct link_cfg *cfg, const struct nic_ops *ops, int *ret_err)
{
	struct nic *n, *found = NULL;

	*ret_err = 0;
	mutex_lock(&s->cfg_mu);
	list_for_each(n, &s->dead_nics, node)
		if (n->idle && n->ops == ops && list_empty(&n->groups))    /* no socket still thinks of it */
			found = n;
	if (found) {
		list_del_init(&found->node);
		*ret_err = publish(found, cfg);
		if (*ret_err < 0)
			list_add(&found->node, &s->dead_nics);
	}
	if (found && *ret_err == 0) {   /* arphrd and features are those of its kind */
		begin(found, cfg);
		clear_stats(&found->stats);
		found->no_carrier = false;
		found->idle = false;
		found->dead = false;
	}
	mutex_unlock(&s->cfg_mu);
	return *ret_err < 0 ? NULL : found;
}

void nic_idle(struct nic *n)
{
	if (atomic_exchange(&n->orphan, false))
		atomic_fetch_sub(&n->stack->norphans, 1);
	n->idle = true;
}

void nic_orphan(struct nic *n)
{
	if (atomic_exchange(&n->orphan, true))
		return;
	atomic_fetch_add(&n->stack->norphans, 1);
	n->stack->ops->kick(n->stack->ctx);
}

struct nic *nic_by_index_locked(struct stack *s, u32 ifindex)
{
	struct nic *n;

	list_for_each(n, &s->nics, node)
		if (n->ifindex == ifindex)
			return n;
	return NULL;
}

struct nic *nic_by_index(struct stack *s, u32 ifindex)
{
	struct nic *n;

	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	mutex_unlock(&s->cfg_mu);
	return n;
}

static void count_rx(struct nic *n, const struct pktbuf *p)
{
	atomic_fetch_add_explicit(&n->stats.rx_packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&n->stats.rx_bytes, p->len, memory_order_relaxed);
}

/* Take off the Ethernet header; false: not for us. */
static bool rx_ether(struct nic *n, struct pktbuf *p)
{
	struct eth_hdr h;

	if (!pkt_may_pull(p, ETH_HLEN) || !eth_parse(pkt_data(p), p->len, &h))
		return false;
	p->ethertype = h.type;
	memcpy(p->ll_src, h.src, 6);
	if (mac_is_broadcast(h.dst)) {
		p->pkttype = PACKET_BROADCAST;
		p->flags |= PKT_BCAST;
	} else if (mac_is_multicast(h.dst)) {
		p->pkttype = PACKET_MULTICAST;
		p->flags |= PKT_MCAST;
		atomic_fetch_add_explicit(&n->stats.multicast, 1, memory_order_relaxed);
	} else {
		p->pkttype = memcmp(h.dst, nic_mac(n).b, 6) == 0 ? PACKET_HOST : PACKET_OTHERHOST;
	}
	return true;
}

void nic_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct nic *master;
	u32 l2 = 0;

	p->nic = n;
	p->ifindex = n->ifindex;
	if (p->pkttype == PACKET_OUTGOING) {
		packet_tap_later(n, p);
		return;
	}
	if (!nic_up(n) || n->dead) {
		pkt_free(p);
		return;
	}
	count_rx(n, p);
	if (n->arphrd == ARPHRD_ETHER && !(p->flags & PKT_LOOPED)) {
		if (!rx_ether(n, p)) {
			atomic_fetch_add(&n->stats.rx_errors, 1);
			pkt_free(p);
			return;
		}
		l2 = ETH_HLEN;
	} else if (p->ethertype == 0 && p->len) {
		if (!pkt_may_pull(p, 1)) {
			pkt_free(p);
			return;
		}
		p->ethertype = pkt_data(p)[0] >> 4 == 6 ? ETH_T_IP6 : ETH_T_IP4;
	}
	if (s->npackets && !(p->flags & PKT_NO_TAP))
		packet_tap(n, p, l2, false);
	master = atomic_load_explicit(&n->master, memory_order_relaxed);
	if (unlikely(master) && l2) {   /* not our own, looped back */
		master->ops->port_rx(master, n, p);
		return;
	}
	if (p->pkttype == PACKET_OTHERHOST) {
		pkt_free(p);
		return;
	}
	pkt_pull(p, l2);
	p->flags &= (u16)~PKT_CSUM_PARTIAL;     /* a veth's: it counts as right */
	if (p->ethertype == ETH_T_IP4)
		ip4_rx(n, p);
	else if (p->ethertype == ETH_T_IP6)
		ip6_rx(n, p);
	else if (p->ethertype == ETH_T_ARP)
		arp_rx(n, p);
	else
		pkt_free(p);
}

u32 nic_gso_max(const struct nic *n, u8 gso_type)
{
	u32 need = gso_type == GSO_TCP4 ? LINK_F_TSO4 : gso_type == GSO_TCP6 ? LINK_F_TSO6 : LINK_F_USO;

	return n->features & need ? 65535 : 0;
}

static int tx_raw(struct nic *n, struct pktbuf *p)
{
	u32 len = p->len;
	int r;

	if ((p->flags & PKT_CSUM_PARTIAL) && !(n->features & LINK_F_CSUM) && !pkt_csum_finish(p)) {
		pkt_free(p);
		return -ENOMEM;
	}
	r = n->ops->tx(n, p);
	if (r < 0) {
		atomic_fetch_add_explicit(&n->stats.tx_dropped, 1, memory_order_relaxed);
		return r;
	}
	atomic_fetch_add_explicit(&n->stats.tx_packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&n->stats.tx_bytes, len, memory_order_relaxed);
	return 0;
}

int nic_tx_frame(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	u32 l2 = n->arphrd == ARPHRD_ETHER ? ETH_HLEN : 0;

	if (!nic_up(n) || n->dead) {
		pkt_free(p);
		return -ENETDOWN;
	}
	if (s->npackets)
		packet_tap(n, p, l2, true);
	if (p->gso_size && !nic_gso_max(n, p->gso_type))
		return gso_segment(p, l2, tx_raw, n);
	return tx_raw(n, p);
}

int nic_tx_mac(struct nic *n, struct pktbuf *p, const u8 mac[6], u16 ethertype)
{
	p->ethertype = ethertype;
	if (n->arphrd == ARPHRD_ETHER)
		eth_emit(pkt_push(p, ETH_HLEN), mac, nic_mac(n).b, ethertype);
	return nic_tx_frame(n, p);
}

int nic_tx(struct nic *n, struct pktbuf *p, const struct ipaddr *hop)
{
	bool v4 = ip_is4(hop);
	u16 type = v4 ? ETH_T_IP4 : ETH_T_IP6;
	u8 mac[6];

	if (n->arphrd != ARPHRD_ETHER) {
		p->ethertype = type;
		return nic_tx_frame(n, p);
	}
	if (ip_is_multicast(hop)) {
		if (v4) {
			memcpy(mac, (u8[]){ 0x01, 0x00, 0x5e }, 3);
			memcpy(mac + 3, hop->b + 13, 3);
			mac[3] &= 0x7f;
		} else {
			mac[0] = mac[1] = 0x33;
			memcpy(mac + 2, hop->b + 12, 4);
		}
	} else if (p->flags & PKT_BCAST) {
		memset(mac, 0xff, 6);
	} else if (!neigh_resolve(n, hop, p, mac)) {
		return 0;
	}
	return nic_tx_mac(n, p, mac, type);
}
