/*
 * link.c - looking at links and changing them (api.h, "links").
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include "netstack/core/nic.h"
#include "netstack/core/stack.h"
#include "netstack/core/ipaddr.h"
#include "netstack/ip/ip.h"

static void fill(struct nic *n, struct link_info *i)
{
	memset(i, 0, sizeof(*i));
	i->ifindex = n->ifindex;
	i->flags = n->flags;
	i->kind = n->ops->kind;
	i->master = n->master ? (u32)n->master->ifindex : 0;
	i->slave_kind = n->master ? n->master->ops->kind : NULL;
	if ((n->flags & IFF_UP) && !n->no_carrier)
		i->flags |= IFF_RUNNING | 0x10000;      /* IFF_LOWER_UP */
	i->mtu = n->mtu;
	i->features = n->features;
	i->arphrd = n->arphrd;
	memcpy(i->mac, nic_mac(n).b, 6);
	memcpy(i->name, n->name, sizeof(i->name));
	i->txqlen = 1000;
	i->rx_packets = n->stats.rx_packets;
	i->rx_bytes = n->stats.rx_bytes;
	i->rx_errors = n->stats.rx_errors;
	i->rx_dropped = n->stats.rx_dropped;
	i->tx_packets = n->stats.tx_packets;
	i->tx_bytes = n->stats.tx_bytes;
	i->tx_errors = n->stats.tx_errors;
	i->tx_dropped = n->stats.tx_dropped;
	i->multicast = n->stats.multicast;
	if (n->ops->info)
		n->ops->info(n, i);
}

int link_get(struct stack *s, u32 ifindex, struct link_info *ret)
{
	struct nic *n;

	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	if (n)
		fill(n, ret);
	mutex_unlock(&s->cfg_mu);
	return n ? 0 : -ENODEV;
}

int link_by_name(struct stack *s, const char *name, struct link_info *ret)
{
	struct nic *n;
	int r = -ENODEV;

	mutex_lock(&s->cfg_mu);
	list_for_each(n, &s->nics, node)
		if (strcmp(n->name, name) == 0) {
			fill(n, ret);
			r = 0;
			break;
		}
	mutex_unlock(&s->cfg_mu);
	return r;
}

int link_next(struct stack *s, u32 after, struct link_info *ret)
{
	struct nic *n, *best = NULL;

	mutex_lock(&s->cfg_mu);
	list_for_each(n, &s->nics, node)
		if (n->ifindex > after && (!best || n->ifindex < best->ifindex))
			best = n;
	if (best)
		fill(best, ret);
	mutex_unlock(&s->cfg_mu);
	return best ? 0 : -ENODEV;
}

static void lo_addresses(struct stack *s)
{
	struct addr_info a = { .ifindex = 1, .plen = 8, .scope = 254, .flags = 0x80, .label = "lo" };
	int r;

	a.valid_s = a.preferred_s = UINT32_MAX;
	a.ip = a.peer = ip_from4n(0x7f000001);
	r = addr_add(s, &a);
	if (!s->sysctl.disable_ip6[0]) {
		a.ip = a.peer = ip_any6();
		a.ip.b[15] = a.peer.b[15] = 1;
		a.plen = 128;
		r = addr_add(s, &a);
	}
	(void)r;        /* -EEXIST: set before */
}

int link_set_flags(struct stack *s, u32 ifindex, u32 flags, u32 mask)
{
	u32 may = IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP | IFF_MULTICAST | IFF_DYNAMIC |
		  IFF_NOTRAILERS | IFF_DEBUG;
	struct nic *n;
	u32 old = 0, now = 0;

	mask &= may;
	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	if (n) {
		old = n->flags;
		now = (old & ~mask) | (flags & mask);
		n->flags = now;
		stack_changed(s);
	}
	mutex_unlock(&s->cfg_mu);
	if (!n)
		return -ENODEV;
	if ((old ^ now) & IFF_UP) {
		if (n->ops->changed)
			n->ops->changed(n);
		if (!(now & IFF_UP))
			neigh_flush(n);
		else if (n->arphrd == ARPHRD_LOOPBACK)
			lo_addresses(s);
		else
			ip6_link_up(n);
	}
	backlog_drain(s);
	return 0;
}

/* Who depends on the address or the size of the link hears of it; cfg_mu held. */
static void adjusted(struct nic *n, bool mac)
{
	struct nic *m = n->master ? n->master : n;

	if (m->ops->adjusted)
		m->ops->adjusted(m, n, mac);
}

int link_set_mtu(struct stack *s, u32 ifindex, u32 mtu)
{
	struct nic *n;
	bool bad;

	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	bad = n && (mtu < 68 || mtu > (n->ops->kind ? 65535 : 65536));
	if (n && !bad) {
		n->mtu = mtu;
		adjusted(n, false);
	}
	stack_changed(s);
	mutex_unlock(&s->cfg_mu);
	return !n ? -ENODEV : bad ? -EINVAL : 0;
}

int link_set_mac(struct stack *s, u32 ifindex, const u8 mac[6])
{
	struct nic *n;

	if (mac[0] & 1)
		return -EADDRNOTAVAIL;
	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	if (n) {
		nic_set_mac(n, mac);
		adjusted(n, true);
	}
	stack_changed(s);
	mutex_unlock(&s->cfg_mu);
	return n ? 0 : -ENODEV;
}

bool link_name_ok(const char *name)
{
	size_t l = strnlen(name, NET_IFNAMSIZ);
	const char *pct = strchr(name, '%');

	if (l == 0 || l >= NET_IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	if (pct && (pct[1] != 'd' || strchr(pct + 2, '%')))
		return false;
	return !strpbrk(name, "/: \t\n\v\f\r");
}

int link_set_name(struct stack *s, u32 ifindex, const char *name)
{
	char fresh[NET_IFNAMSIZ];
	struct nic *n;
	int r = 0;

	if (!link_name_ok(name))
		return -EINVAL;
	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	if (!n)
		r = -ENODEV;
	else if (strcmp(n->name, name) != 0)
		r = nic_name_locked(s, name, fresh);
	if (r == 0 && (n->flags & IFF_UP))
		r = -EBUSY;
	if (r == 0 && strcmp(n->name, name) != 0)
		memcpy(n->name, fresh, sizeof(n->name));
	mutex_unlock(&s->cfg_mu);
	return r;
}

/* Take the link out of sight, with all that is its own; false: somebody else did. */
static bool unhook(struct stack *s, struct nic *n, u32 ifindex)
{
	struct addr_info a;
	unsigned i = 0;
	bool mine;

	while (addr_nth(s, i, &a) == 0)
		if (a.ifindex != ifindex || addr_del(s, &a) < 0)
			i++;
	route_flush_nic(n);
	mutex_lock(&s->cfg_mu);
	mine = nic_by_index_locked(s, ifindex) == n;
	if (mine) {
		list_del_init(&n->node);
		list_add(&n->node, &s->dead_nics);
		if (n->master)
			n->master->ops->port_gone(n->master, n);
		n->dead = true;
		n->flags &= ~(u32)IFF_UP;
		stack_changed(s);
	}
	mutex_unlock(&s->cfg_mu);
	neigh_flush(n);
	return mine;
}

int link_del(struct stack *s, u32 ifindex)
{
	struct nic *n;

	if (ifindex == 1)
		return -EOPNOTSUPP;
	n = nic_by_index(s, ifindex);
	if (!n || !unhook(s, n, ifindex))
		return -ENODEV;
	if (n->ops->gone)
		n->ops->gone(n, false);
	return 0;
}

static u32 an_orphan(struct stack *s)
{
	struct nic *n;
	u32 index = 0;

	mutex_lock(&s->cfg_mu);
	list_for_each(n, &s->nics, node)
		if (n->orphan)
			index = n->ifindex;
	mutex_unlock(&s->cfg_mu);
	return index;
}

void nics_reap(struct stack *s)
{
	u32 index;

	while ((index = an_orphan(s)) && link_del(s, index) == 0)
		;
}

void nics_stack_ends(struct stack *s)
{
	struct nic *n;

	list_for_each(n, &s->nics, node)
		if (n->ops->gone)
			n->ops->gone(n, true);
}
