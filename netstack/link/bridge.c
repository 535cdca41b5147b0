/*
 * bridge.c - a switch of the links of one stack, which is a link of that stack itself (IEEE 802.1D without its spanning tree).
 *
 * What comes in by a port does not go up there but here (port_rx): its sender is learned; frames to the bridge's own address, and those to
 * many, go up as the bridge's; the others, and those to many, leave by the port that the address is behind, or by all.  What the stack sends by
 * the bridge does the same.  Blocks are shared, not copied.
 *
 * No port is a bridge, and every port either queues what it is given (veth, TUN/TAP, loopback's way) or hands it to the host, so this goes no
 * deeper than one bridge.  Cables in a circle make a storm, as in Linux without STP: it fills bounded queues, and takes the time of the
 * thread that runs the stacks, a bounded part at a time.
 *
 * Locks: ports come and go under the stack's cfg_mu and br->mu (RANK_NOTIFY) both; br->mu guards the ports and the table of addresses, and is not
 * held while a frame is sent.  A struct bridge belongs to its link, and is used again with it.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/stack.h"
#include "netstack/link/fdb.h"
#include "netstack/link/link.h"
#include "netstack/wire/eth.h"

#define BRIDGES_MAX 64          /* of one stack, dead ones counted */
#define PORTS_MAX   256

struct bridge {
	struct nic *nic;                /* immutable */
	struct mutex mu;
	struct fdb fdb;
	struct nic *port[PORTS_MAX];
	u32 nports;
	bool mac_set, mtu_set;          /* by hand; guarded by cfg_mu */
};

static struct bridge *bridge_of(struct nic *n) { return n->priv; }

/* ---- frames ---- */

static bool sends(const struct nic *port) { return nic_up(port) && !port->no_carrier && !port->dead; }

/* Takes the packet. */
static void out_by(struct nic *port, struct pktbuf *p)
{
	int r = -1;

	if (sends(port) && (p->gso_size || p->len <= port->mtu + ETH_HLEN))
		r = nic_tx_frame(port, p);
	else
		pkt_free(p);
	(void)r;        /* counted as dropped there */
}

/* By all ports but @in.  The packet stays the caller's. */
static void flood(struct bridge *b, const struct nic *in, const struct pktbuf *p)
{
	struct nic *to[PORTS_MAX];
	struct pktbuf *c;
	u32 n;

	mutex_lock(&b->mu);
	n = b->nports;
	memcpy(to, b->port, n * sizeof(to[0]));
	mutex_unlock(&b->mu);
	for (u32 i = 0; i < n; i++) {
		c = to[i] != in && sends(to[i]) ? pkt_clone(p) : NULL;
		if (c)
			out_by(to[i], c);
	}
}

static struct nic *lookup(struct bridge *b, const u8 mac[6])
{
	struct nic *port;

	mutex_lock(&b->mu);
	port = fdb_port(&b->fdb, mac, stack_now(b->nic->stack));
	mutex_unlock(&b->mu);
	return port;
}

static int bridge_tx(struct nic *n, struct pktbuf *p)
{
	struct bridge *b = bridge_of(n);
	struct eth_hdr h;
	struct nic *to;

	if (!pkt_may_pull(p, ETH_HLEN) || !eth_parse(pkt_data(p), p->len, &h)) {
		pkt_free(p);
		return -EINVAL;
	}
	to = h.dst[0] & 1 ? NULL : lookup(b, h.dst);
	if (to) {
		out_by(to, p);
		return 0;
	}
	flood(b, NULL, p);
	pkt_free(p);
	return 0;
}

static void learn(struct bridge *b, struct nic *port, const u8 mac[6])
{
	mutex_lock(&b->mu);
	if (port->master == b->nic)
		fdb_learn(&b->fdb, mac, port, stack_now(b->nic->stack));
	mutex_unlock(&b->mu);
}

/* 01-80-C2-00-00-0x: never passed on by a bridge. */
static bool is_reserved(const u8 mac[6]) { return !memcmp(mac, "\x01\x80\xc2\x00\x00", 5) && mac[5] <= 15; }

static void bridge_port_rx(struct nic *n, struct nic *port, struct pktbuf *p)
{
	struct bridge *b = bridge_of(n);
	struct nic *to = NULL;
	struct eth_hdr h;

	if (!nic_up(n) || !eth_parse(pkt_data(p), p->len, &h) || is_reserved(h.dst)) {
		pkt_free(p);
		return;
	}
	p->pkttype = 0;
	p->flags &= (u16)~(PKT_MCAST | PKT_BCAST);
	learn(b, port, h.src);
	if (!(h.dst[0] & 1) && memcmp(h.dst, nic_mac(n).b, 6) != 0) {
		to = lookup(b, h.dst);
		if (!to)
			flood(b, port, p);
		if (to && to != port)
			out_by(to, p);
		else
			pkt_free(p);
		return;
	}
	if (h.dst[0] & 1)
		flood(b, port, p);
	nic_rx(n, p);
}

/* ---- ports ---- */

/* The address is the least of the ports', and so is the size, unless they were set; cfg_mu held. */
static void adapt(struct bridge *b)
{
	struct mac least = { { 0 } }, m;
	u32 mtu = 65535;

	for (u32 i = 0; i < b->nports; i++) {
		m = nic_mac(b->port[i]);
		if (i == 0 || memcmp(m.b, least.b, 6) < 0)
			least = m;
		mtu = MIN(mtu, (u32)b->port[i]->mtu);
	}
	if (b->nports && !b->mac_set)
		nic_set_mac(b->nic, least.b);
	if (!b->mtu_set)
		b->nic->mtu = b->nports ? mtu : 1500;
	stack_changed(b->nic->stack);
}

/* cfg_mu held. */
static void release(struct bridge *b, struct nic *port)
{
	mutex_lock(&b->mu);
	for (u32 i = 0; i < b->nports; i++)
		if (b->port[i] == port) {
			b->port[i] = b->port[--b->nports];
			break;
		}
	port->master = NULL;
	fdb_flush(&b->fdb, port);
	mutex_unlock(&b->mu);
	adapt(b);
}

static int enslave(struct bridge *b, struct nic *port)
{
	if (b->nports == PORTS_MAX)
		return -EXFULL;
	mutex_lock(&b->mu);
	b->port[b->nports++] = port;
	port->master = b->nic;
	mutex_unlock(&b->mu);
	adapt(b);
	return 0;
}

static void bridge_port_gone(struct nic *n, struct nic *port) { release(bridge_of(n), port); }

/* Of the bridge itself, or of a port. */
static void bridge_adjusted(struct nic *n, const struct nic *which, bool mac)
{
	struct bridge *b = bridge_of(n);

	if (which == n && mac)
		b->mac_set = true;
	else if (which == n)
		b->mtu_set = true;
	adapt(b);
}

static void bridge_gone(struct nic *n, bool ends)
{
	struct bridge *b = bridge_of(n);

	if (ends)
		return;
	mutex_lock(&n->stack->cfg_mu);
	while (b->nports)
		release(b, b->port[0]);
	mutex_lock(&b->mu);
	fdb_done(&b->fdb);
	mutex_unlock(&b->mu);
	mutex_unlock(&n->stack->cfg_mu);
	neigh_flush(n);
	nic_idle(n);
}

static void bridge_info(struct nic *n, struct link_info *i)
{
	struct bridge *b = bridge_of(n);
	bool any = false;

	for (u32 k = 0; k < b->nports; k++)
		any |= sends(b->port[k]);
	if (!any)
		i->flags &= ~(u32)(IFF_RUNNING | 0x10000);      /* IFF_LOWER_UP */
}

static void bridge_free(struct nic *n)
{
	fdb_done(&bridge_of(n)->fdb);
	kfree(n->priv);
}

static void bridge_made(struct nic *n) { bridge_of(n)->nic = n; }

static const struct nic_ops bridge_ops = {
	.name = "bridge", .kind = "bridge", .tx = bridge_tx, .free = bridge_free, .gone = bridge_gone, .info = bridge_info,
	.made = bridge_made, .port_rx = bridge_port_rx, .port_gone = bridge_port_gone, .adjusted = bridge_adjusted,
};

/* ---- making ---- */

static u32 count(struct stack *s)
{
	struct nic *n;
	u32 k = 0;

	mutex_lock(&s->cfg_mu);
	list_for_each(n, &s->nics, node)
		k += n->ops == &bridge_ops;
	mutex_unlock(&s->cfg_mu);
	return k;
}

int link_add_bridge(struct stack *s, const struct link_cfg *cfg)
{
	struct link_cfg c = *cfg;
	bool mac_set = link_any_mac(s, c.mac);
	struct bridge *b;
	struct nic *n;
	int r;

	if (count(s) >= BRIDGES_MAX)
		return -ENOSPC;
	c.arphrd = ARPHRD_ETHER;
	c.features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_USO | LINK_F_RXCSUM;
	n = nic_revive(s, &c, &bridge_ops, &r);
	if (!n && r < 0)
		return r;
	if (!n) {
		b = kbuf_alloc(sizeof(*b));
		if (!b)
			return -ENOMEM;
		mutex_init(&b->mu, RANK_NOTIFY);
		n = nic_create(s, &c, &bridge_ops, b, &r);
		if (!n) {
			kfree(b);
			return r;
		}
	}
	mutex_lock(&s->cfg_mu);
	b = bridge_of(n);
	b->mac_set = mac_set;
	b->mtu_set = false;
	mutex_unlock(&s->cfg_mu);
	return (int)n->ifindex;
}

int link_set_master(struct stack *s, u32 ifindex, u32 master)
{
	struct nic *n, *m;
	int r = 0;

	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	m = master ? nic_by_index_locked(s, master) : NULL;
	if (!n)
		r = -ENODEV;
	else if (master && !m)
		r = -EINVAL;
	else if (m && m->ops != &bridge_ops)
		r = -EOPNOTSUPP;
	else if (m && n->ops == &bridge_ops)
		r = -ELOOP;
	else if (m && n->arphrd != ARPHRD_ETHER)
		r = -EINVAL;
	if (r == 0 && n->master && n->master != m)
		release(bridge_of(n->master), n);
	if (r == 0 && m && n->master != m)
		r = enslave(bridge_of(m), n);
	mutex_unlock(&s->cfg_mu);
	return r;
}

int fdb_get(struct stack *s, u32 i, struct fdb_info *ret)
{
	const struct fdb_entry *e = NULL;
	struct nic *n;

	mutex_lock(&s->cfg_mu);
	list_for_each(n, &s->nics, node) {
		struct bridge *b = n->ops == &bridge_ops ? bridge_of(n) : NULL;

		if (!b || e)
			continue;
		mutex_lock(&b->mu);
		e = fdb_nth(&b->fdb, &i, stack_now(s));
		if (e) {
			*ret = (struct fdb_info){ .ifindex = e->port->ifindex, .master = n->ifindex };
			memcpy(ret->mac, e->mac, 6);
		}
		mutex_unlock(&b->mu);
	}
	mutex_unlock(&s->cfg_mu);
	return e ? 0 : -ENOENT;
}
