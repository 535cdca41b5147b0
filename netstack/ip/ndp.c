/*
 * ndp.c - neighbour discovery and autoconfiguration (RFC 4861, 4862).
 *
 * Messages count only with hop limit 255 and sane options.  Router
 * advertisements give a default route and, for /64 prefixes with the A flag,
 * an EUI-64 address, which lives as long as they say (addrlife.c).  Duplicate address detection is one probe: an answer
 * marks the address as failed and it is taken away.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include "netstack/core/ipaddr.h"
#include "netstack/core/nic.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/wire/eth.h"
#include "netstack/wire/icmp.h"

static struct ipaddr solicited_node(const struct ipaddr *t)
{
	struct ipaddr a = { { 0xff, 2, [11] = 1, [12] = 0xff } };

	memcpy(a.b + 13, t->b + 13, 3);
	return a;
}

static void eui64(const u8 *mac, u8 *id)
{
	memcpy(id, mac, 3);
	id[0] ^= 2;
	id[3] = 0xff;
	id[4] = 0xfe;
	memcpy(id + 5, mac + 3, 3);
}

void ndp_solicit(struct nic *n, const struct ipaddr *target, const struct ipaddr *dst)
{
	struct ipaddr src = ip_any6(), to = dst ? *dst : solicited_node(target);
	u8 m[32] = { NDP_NS };

	memcpy(m + 8, target->b, 16);
	m[24] = NDP_OPT_SLLA;
	m[25] = 1;
	memcpy(m + 26, nic_mac(n).b, 6);
	addr_pick(n->stack, n, target, &src);
	icmp6_send(n, &src, &to, 255, m, ip_is_any(&src) ? 24 : 32, false);
}

static void advertise(struct nic *n, const struct ipaddr *target, const struct ipaddr *to, bool sol)
{
	u8 m[32] = { NDP_NA };

	m[4] = (u8)((sol ? NDP_NA_SOLICITED : 0) | NDP_NA_OVERRIDE |
		    (n->stack->sysctl.ip6_forward[0] ? NDP_NA_ROUTER : 0));
	memcpy(m + 8, target->b, 16);
	m[24] = NDP_OPT_TLLA;
	m[25] = 1;
	memcpy(m + 26, nic_mac(n).b, 6);
	icmp6_send(n, target, to, 255, m, sizeof(m), false);
}

/* Somebody else has or wants a tentative address of ours: give it up. */
static bool dad_conflict(struct nic *n, const struct ipaddr *t)
{
	struct stack *s = n->stack;
	struct nicaddr *x;
	bool hit = false;

	mutex_lock(&s->cfg_mu);
	list_for_each(x, &s->addrs, node)
		if (x->nic == n && x->tentative && ip_eq(&x->a.ip, t)) {
			x->a.flags |= IFA_F_DADFAILED;
			hit = true;
		}
	mutex_unlock(&s->cfg_mu);
	return hit;
}

static void rx_ns(struct nic *n, struct pktbuf *p, const u8 *d, u32 len)
{
	struct ipaddr target, all = { { 0xff, 2, [15] = 1 } };
	const u8 *ll;

	if (len < 24 || !ndp_options_ok(d + 24, len - 24))
		return;
	target = ip_from6(d + 8);
	if (ip_is_multicast(&target))
		return;
	ll = ndp_option(d + 24, len - 24, NDP_OPT_SLLA, 8);
	if (ip_is_any(&p->src)) {
		if (ll || dad_conflict(n, &target))
			return;
		if (addr_type(n->stack, n, &target) == RTN_LOCAL)
			advertise(n, &target, &all, false);
		return;
	}
	if (addr_type(n->stack, n, &target) != RTN_LOCAL)
		return;
	if (ll) {
		struct neigh_news w = { .ip = p->src, .mac = ll + 2, .create = true, .override = true };

		neigh_update(n, &w);
	}
	advertise(n, &target, &p->src, true);
}

static void rx_na(struct nic *n, struct pktbuf *p, const u8 *d, u32 len)
{
	struct neigh_news w = { 0 };
	const u8 *ll;

	if (len < 24 || !ndp_options_ok(d + 24, len - 24))
		return;
	w.ip = ip_from6(d + 8);
	if (ip_is_multicast(&w.ip) || ((p->flags & PKT_MCAST) && (d[4] & NDP_NA_SOLICITED)) ||
	    dad_conflict(n, &w.ip))
		return;
	ll = ndp_option(d + 24, len - 24, NDP_OPT_TLLA, 8);
	w.mac = ll ? ll + 2 : NULL;
	w.solicited = d[4] & NDP_NA_SOLICITED;
	w.override = d[4] & NDP_NA_OVERRIDE;
	w.set_router = true;
	w.is_router = d[4] & NDP_NA_ROUTER;
	neigh_update(n, &w);
}

static void prefix(struct nic *n, const u8 *o)
{
	struct addr_info a = { .ifindex = n->ifindex, .plen = 64, .flags = 0 };
	u32 valid = get_be32(o + 4), pref = get_be32(o + 8);
	int r;

	if (!(o[3] & 0x40) || o[2] != 64 || pref > valid || n->arphrd != ARPHRD_ETHER)
		return;
	a.ip = ip_from6(o + 16);
	if (ip_is_linklocal(&a.ip) || ip_is_multicast(&a.ip))
		return;
	eui64(nic_mac(n).b, a.ip.b + 8);
	a.peer = a.ip;
	a.valid_s = valid;
	a.preferred_s = pref;
	if (addr_advertised(n->stack, n->ifindex, &a.ip, valid, pref) || !valid)
		return;
	r = addr_add(n->stack, &a);
	(void)r;        /* no room: the next advertisement tries again */
}

static void rx_ra(struct nic *n, struct pktbuf *p, const u8 *d, u32 len)
{
	struct stack *s = n->stack;
	struct route_info ri = { .family = 10, .table = RT_TABLE_MAIN, .proto = RTPROT_RA,
				 .type = RTN_UNICAST, .has_gw = true, .metric = 1024 };
	const u8 *o, *end = d + len;
	u32 mtu;
	int r;

	if (len < 16 || !ip_is_linklocal(&p->src) || !ndp_options_ok(d + 16, len - 16))
		return;
	if (!s->sysctl.accept_ra[0] || (s->sysctl.ip6_forward[0] && s->sysctl.accept_ra[0] < 2))
		return;
	ri.gw = p->src;
	ri.ifindex = n->ifindex;
	ri.dst = ip_any6();
	if (get_be16(d + 6))
		r = route_add(s, &ri, true);
	else
		r = route_del(s, &ri);
	(void)r;
	for (o = d + 16; o < end; o += o[1] * 8) {
		if (o[0] == NDP_OPT_PREFIX && o[1] == 4)
			prefix(n, o);
		if (o[0] == NDP_OPT_SLLA && o[1] == 1) {
			struct neigh_news w = { .ip = p->src, .mac = o + 2, .create = true, .override = true,
						.set_router = true, .is_router = true };

			neigh_update(n, &w);
		}
		if (o[0] == NDP_OPT_MTU && o[1] == 1) {
			mtu = get_be32(o + 4);
			if (mtu >= 1280 && mtu < n->mtu)
				r = link_set_mtu(s, n->ifindex, mtu);
		}
	}
}

void ndp_rx(struct nic *n, struct pktbuf *p, u8 type)
{
	u32 len = p->len - p->l4_off;
	u8 msg[PKT_HDR_MAX * 4];
	const u8 *d;

	if (p->ttl != 255 || len > sizeof(msg))
		return;
	pkt_copy(p, p->l4_off, msg, len);
	d = msg;
	if (d[1] != 0)
		return;
	if (type == NDP_NS)
		rx_ns(n, p, d, len);
	else if (type == NDP_NA)
		rx_na(n, p, d, len);
	else if (type == NDP_RA)
		rx_ra(n, p, d, len);
}

/* A link came up: its link-local address, and a call for routers. */
void ip6_link_up(struct nic *n)
{
	struct stack *s = n->stack;
	struct addr_info a = { .ifindex = n->ifindex, .plen = 64, .scope = RT_SCOPE_LINK,
			       .flags = IFA_F_PERMANENT };
	struct ipaddr routers = { { 0xff, 2, [15] = 2 } };
	u8 rs[16] = { NDP_RS };
	int r;

	if (s->sysctl.disable_ip6[0] || s->sysctl.disable_ip6_def[0] || n->arphrd != ARPHRD_ETHER ||
	    n->mtu < 1280)
		return;
	a.ip = ip_any6();
	a.ip.b[0] = 0xfe;
	a.ip.b[1] = 0x80;
	eui64(nic_mac(n).b, a.ip.b + 8);
	a.peer = a.ip;
	a.valid_s = a.preferred_s = UINT32_MAX;
	r = addr_add(s, &a);
	if (r < 0 && r != -EEXIST)
		return;
	if (!s->sysctl.accept_ra[0] || s->sysctl.ip6_forward[0])
		return;
	rs[8] = NDP_OPT_SLLA;
	rs[9] = 1;
	memcpy(rs + 10, nic_mac(n).b, 6);
	icmp6_send(n, &a.ip, &routers, 255, rs, sizeof(rs), false);
}
