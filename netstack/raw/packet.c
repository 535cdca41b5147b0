/*
 * packet.c - AF_PACKET endpoints inside the stack: sniffing and raw frames.
 *
 * Copies are made as frames pass nic_rx() and nic_tx_frame().  A sender may be
 * holding its own endpoint's lock there, and a packet endpoint's is of the same
 * rank, so outgoing copies go to the backlog and are delivered from there.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/socket.h>
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/raw/raw.h"
#include "netstack/wire/eth.h"

#define PACKET_FANOUT_MAX 16

struct packet_ep {
	struct ep ep;
	u16 ethertype;          /* host order; 0: not bound, ETH_T_ALL: everything */
	u32 ifindex;            /* 0: every link */
	u32 packets;
	bool auxdata;
};

static inline struct packet_ep *pk(struct ep *e) { return container_of(e, struct packet_ep, ep); }

static int packet_init(struct ep *e)
{
	struct stack *s = e->stack;

	/* proto is in network order, as socket(2) has it. */
	pk(e)->ethertype = __builtin_bswap16(e->proto);
	mutex_lock(&s->eps_mu);
	list_add_tail(&e->kind_node, &s->packets);
	mutex_unlock(&s->eps_mu);
	atomic_fetch_add(&s->npackets, 1);
	return 0;
}

static void packet_close(struct ep *e)
{
	mutex_lock(&e->stack->eps_mu);
	list_del_init(&e->kind_node);
	mutex_unlock(&e->stack->eps_mu);
	atomic_fetch_sub(&e->stack->npackets, 1);
}

static int packet_bind(struct ep *e, const struct net_sa *sa)
{
	struct link_info l;

	if (sa->family != AF_PACKET)
		return -EINVAL;
	if (sa->scope && link_get(e->stack, sa->scope, &l) < 0)
		return -ENODEV;
	mutex_lock(&e->mu);
	pk(e)->ifindex = sa->scope;
	if (sa->port)
		pk(e)->ethertype = sa->port;
	mutex_unlock(&e->mu);
	return 0;
}

int packet_name(struct ep *e, bool peer, struct net_sa *ret)
{
	struct link_info l = { 0 };

	if (peer)
		return -EOPNOTSUPP;
	memset(ret, 0, sizeof(*ret));
	mutex_lock(&e->mu);
	ret->family = AF_PACKET;
	ret->port = pk(e)->ethertype;
	ret->scope = pk(e)->ifindex;
	mutex_unlock(&e->mu);
	if (ret->scope && link_get(e->stack, ret->scope, &l) == 0) {
		ret->ll_hatype = l.arphrd;
		ret->ll_halen = l.arphrd == ARPHRD_ETHER || l.arphrd == ARPHRD_LOOPBACK ? 6 : 0;
		memcpy(ret->ll_addr, l.mac, 6);
	}
	return 0;
}

static ssize_t packet_send(struct ep *e, struct net_msg *m)
{
	u32 ifindex = m->name && m->name->scope ? m->name->scope : pk(e)->ifindex;
	u16 type = m->name && m->name->port ? m->name->port : pk(e)->ethertype;
	struct nic *n = ifindex ? nic_by_index(e->stack, ifindex) : NULL;
	size_t len = m->io->len, max;
	struct pktbuf *p;
	int r;

	if (m->name && m->name->family != AF_PACKET)
		return -EINVAL;
	if (!n)
		return -ENXIO;
	if (!nic_up(n))
		return -ENETDOWN;
	max = n->mtu + (e->type == SOCK_RAW ? ETH_HLEN : 0u);
	if (len > max || len > PBLOCK_BIG_CAP)
		return -EMSGSIZE;
	if (e->type == SOCK_RAW && n->arphrd == ARPHRD_ETHER && len < ETH_HLEN)
		return -EINVAL;
	r = dgram_gather(e, m->io, len, &p);
	if (r < 0)
		return r;
	if (e->type == SOCK_RAW)
		r = nic_tx_frame(n, p);
	else
		r = nic_tx_mac(n, p, m->name ? m->name->ll_addr : (const u8[6]){ 0 }, type);
	return r < 0 ? r : (ssize_t)len;
}

static void fill_msg(struct ep *e, struct pktbuf *p, struct net_msg *m)
{
	(void)e;
	if (m->name) {
		memset(m->name, 0, sizeof(*m->name));
		m->name->family = AF_PACKET;
		m->name->port = p->ethertype;
		m->name->scope = p->ifindex;
		m->name->ll_hatype = p->nic->arphrd;
		m->name->ll_pkttype = p->pkttype;
		m->name->ll_halen = 6;
		memcpy(m->name->ll_addr, p->ll_src, 6);
	}
	epmsg_fill(e, p, m);
}

static ssize_t packet_recv(struct ep *e, struct net_msg *m) { return dgram_recv(e, m, fill_msg); }

static int packet_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len)
{
	int v, r;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (opt) {
	case PACKET_ADD_MEMBERSHIP:
	case PACKET_DROP_MEMBERSHIP:
		return len < sizeof(struct packet_mreq) ? -EINVAL : 0;  /* links pass all they get */
	case PACKET_AUXDATA:
		r = epopt_int(val, len, &v);
		if (r == 0)
			pk(e)->auxdata = v != 0;
		return r;
	default:
		return -ENOPROTOOPT;
	}
}

static int packet_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len)
{
	struct tpacket_stats { u32 packets, drops; } st;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (opt != PACKET_STATISTICS)
		return -ENOPROTOOPT;
	mutex_lock(&e->mu);
	st.packets = pk(e)->packets;
	st.drops = e->drops;
	pk(e)->packets = e->drops = 0;
	mutex_unlock(&e->mu);
	return epopt_put(val, len, &st, sizeof(st));
}

static long packet_inq(struct ep *e)
{
	long n;

	mutex_lock(&e->mu);
	n = list_empty(&e->dgrams) ? 0 : (long)list_first(&e->dgrams, struct pktbuf, node)->len;
	mutex_unlock(&e->mu);
	return n;
}

/* Deliver a copy to everybody who listens; no endpoint lock held. */
static void deliver(struct nic *n, struct pktbuf *p, u32 l2)
{
	struct stack *s = n->stack;
	struct ep *e, *hit[PACKET_FANOUT_MAX];
	int i, cnt = 0;

	mutex_lock(&s->eps_mu);
	list_for_each(e, &s->packets, kind_node) {
		u16 t = pk(e)->ethertype;

		if (!t || (t != ETH_T_ALL && (t != p->ethertype || p->pkttype == PACKET_OUTGOING)))
			continue;
		if (pk(e)->ifindex && pk(e)->ifindex != n->ifindex)
			continue;
		if (cnt < PACKET_FANOUT_MAX && ref_get_unless_zero(&e->ref))
			hit[cnt++] = e;
	}
	mutex_unlock(&s->eps_mu);
	for (i = 0; i < cnt; i++) {
		struct pktbuf *c = pkt_clone(p);

		e = hit[i];
		if (c) {
			c->nic = n;
			c->ifindex = n->ifindex;
			if (e->type == SOCK_DGRAM)
				pkt_pull(c, MIN(l2, c->len));
			mutex_lock(&e->mu);
			if (dgram_queue(e, c))
				pk(e)->packets++;
			mutex_unlock(&e->mu);
		}
		ep_unref(e);
	}
}

void packet_tap(struct nic *n, struct pktbuf *p, u32 l2, bool out)
{
	struct pktbuf *c;

	/* Loopback shows every packet once, when it arrives; it has no link header. */
	if (!out) {
		deliver(n, p, l2);
		return;
	}
	if (n == n->stack->lo)
		return;
	c = pkt_clone(p);
	if (!c)
		return;
	c->nic = n;
	c->pkttype = PACKET_OUTGOING;
	memcpy(c->ll_src, n->mac, 6);
	backlog_add(n->stack, c);
}

void packet_tap_later(struct nic *n, struct pktbuf *p)
{
	p->ifindex = n->ifindex;
	deliver(n, p, n->arphrd == ARPHRD_ETHER ? ETH_HLEN : 0);
	pkt_free(p);
}

const struct ep_ops packet_ops = {
	.name = "packet",
	.size = sizeof(struct packet_ep),
	.init = packet_init,
	.bind = packet_bind,
	.poll = dgram_poll,
	.send = packet_send,
	.recv = packet_recv,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.inq = packet_inq,
	.close = packet_close,
};
