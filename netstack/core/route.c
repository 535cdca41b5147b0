/*
 * route.c - the routing table and the path MTUs learned.
 *
 * One list, longest prefix first, then lowest metric.  Tables are remembered
 * for display only; there are no policy rules.  Under stack->cfg_mu.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include "platform/base/alloc.h"
#include "netstack/core/ipaddr.h"
#include "netstack/core/nic.h"
#include "netstack/core/route.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"

#define ROUTES_MAX  4096
#define PMTU_MAX    256
#define PMTU_TTL_NS (600ull * 1000000000)

struct pmtu {
	struct list_head node;
	struct ipaddr dst;
	u32 mtu;
	u64 expires;
};

static bool same_key(const struct route_info *a, const struct route_info *b)
{
	return a->family == b->family && a->plen == b->plen && a->metric == b->metric &&
	       a->tos == b->tos && a->table == b->table && ip_eq(&a->dst, &b->dst);
}

static bool same_hop(const struct route_info *a, const struct route_info *b)
{
	return a->ifindex == b->ifindex && a->has_gw == b->has_gw &&
	       (!a->has_gw || ip_eq(&a->gw, &b->gw));
}

static void insert_locked(struct stack *s, struct route *x)
{
	struct route *y;

	list_for_each(y, &s->routes, node)
		if (y->r.plen < x->r.plen ||
		    (y->r.plen == x->r.plen && y->r.metric > x->r.metric))
			break;
	list_add_tail(&x->node, &y->node);
	s->nroutes++;
	stack_changed(s);
}

/* Find the link of a route with a gateway but no interface given. */
static struct nic *gw_nic_locked(struct stack *s, const struct ipaddr *gw)
{
	struct route *y;

	list_for_each(y, &s->routes, node)
		if (!y->r.has_gw && y->nic && ip_is4(&y->r.dst) == ip_is4(gw) &&
		    ip_in_prefix(gw, &y->r.dst, y->r.plen))
			return y->nic;
	return NULL;
}

static int check_locked(struct stack *s, struct route *x)
{
	bool v4 = x->r.family == 2;

	if (x->r.plen > (v4 ? 32 : 128) || ip_is4(&x->r.dst) != v4)
		return -EINVAL;
	if (x->r.type != RTN_UNICAST && x->r.type != RTN_LOCAL && x->r.type != RTN_BROADCAST) {
		if (x->r.type < RTN_BLACKHOLE || x->r.type > RTN_PROHIBIT)
			return -EINVAL;
		return 0;
	}
	if (x->r.ifindex) {
		x->nic = nic_by_index_locked(s, x->r.ifindex);
		if (!x->nic)
			return -ENODEV;
	}
	if (x->r.has_gw) {
		struct nic *via = gw_nic_locked(s, &x->r.gw);

		if (ip_is4(&x->r.gw) != v4)
			return -EINVAL;
		if (!v4 && ip_is_linklocal(&x->r.gw))
			via = x->nic;
		if (!(x->r.flags & RTNH_F_ONLINK) && (!via || (x->nic && via != x->nic)))
			return v4 ? -ENETUNREACH : -EHOSTUNREACH;
		if (!x->nic)
			x->nic = via;
	}
	if (!x->nic)
		return -ENODEV;
	x->r.ifindex = x->nic->ifindex;
	if (!nic_up(x->nic) && x->r.proto != RTPROT_KERNEL)
		return -ENETDOWN;
	return 0;
}

int route_add(struct stack *s, const struct route_info *r, bool replace)
{
	struct route *x = knew(struct route), *y, *old = NULL;
	int e;

	if (!x)
		return -ENOMEM;
	x->r = *r;
	x->r.dst = ip_mask(&r->dst, r->plen);
	if (!x->r.table)
		x->r.table = RT_TABLE_MAIN;
	if (!x->r.type)
		x->r.type = RTN_UNICAST;
	if (r->family == 10 && x->r.metric == 0)
		x->r.metric = 1024;
	mutex_lock(&s->cfg_mu);
	e = check_locked(s, x);
	if (e == 0) {
		list_for_each(y, &s->routes, node)
			if (same_key(&y->r, &x->r) && (r->family == 2 || replace || same_hop(&y->r, &x->r))) {
				old = y;
				break;
			}
		if (old && !replace)
			e = -EEXIST;
		else if (!old && s->nroutes >= ROUTES_MAX)
			e = -ENOSPC;
	}
	if (e == 0) {
		if (old) {
			list_del_init(&old->node);
			s->nroutes--;
		}
		insert_locked(s, x);
	}
	mutex_unlock(&s->cfg_mu);
	kfree(e < 0 ? x : old);
	return e;
}

int route_del(struct stack *s, const struct route_info *r)
{
	struct ipaddr dst = ip_mask(&r->dst, r->plen);
	struct route *y, *hit = NULL;

	mutex_lock(&s->cfg_mu);
	list_for_each(y, &s->routes, node) {
		if (y->r.family != r->family || y->r.plen != r->plen || !ip_eq(&y->r.dst, &dst))
			continue;
		if ((r->table && r->table != y->r.table) || (r->metric && r->metric != y->r.metric) ||
		    (r->ifindex && r->ifindex != y->r.ifindex) || (r->type && r->type != y->r.type) ||
		    (r->has_gw && (!y->r.has_gw || !ip_eq(&r->gw, &y->r.gw))))
			continue;
		hit = y;
		list_del_init(&y->node);
		s->nroutes--;
		stack_changed(s);
		break;
	}
	mutex_unlock(&s->cfg_mu);
	kfree(hit);
	return hit ? 0 : -ESRCH;
}

int route_nth(struct stack *s, unsigned i, struct route_info *ret)
{
	struct route *y;
	int r = -ENOENT;

	mutex_lock(&s->cfg_mu);
	list_for_each(y, &s->routes, node)
		if (i-- == 0) {
			*ret = y->r;
			r = 0;
			break;
		}
	mutex_unlock(&s->cfg_mu);
	return r;
}

void route_flush_nic(struct nic *n)
{
	struct stack *s = n->stack;
	struct route *y, *t;

	mutex_lock(&s->cfg_mu);
	list_for_each_safe(y, t, &s->routes, node)
		if (y->nic == n) {
			list_del_init(&y->node);
			s->nroutes--;
			kfree(y);
		}
	stack_changed(s);
	mutex_unlock(&s->cfg_mu);
}

void route_tables_done(struct stack *s)
{
	struct nicaddr *a, *ta;
	struct route *r, *tr;
	struct pmtu *p, *tp;

	list_for_each_safe(a, ta, &s->addrs, node)
		kfree(a);
	list_for_each_safe(r, tr, &s->routes, node)
		kfree(r);
	list_for_each_safe(p, tp, &s->pmtus, node)
		kfree(p);
}

static u32 pmtu_locked(struct stack *s, const struct ipaddr *dst, u32 mtu)
{
	struct pmtu *p;
	u64 now;

	if (list_empty(&s->pmtus))
		return mtu;
	now = stack_now(s);
	list_for_each(p, &s->pmtus, node)
		if (ip_eq(&p->dst, dst) && p->expires > now)
			return MIN(mtu, p->mtu);
	return mtu;
}

void pmtu_learn(struct stack *s, const struct ipaddr *dst, u32 mtu)
{
	struct pmtu *p, *hit = NULL;

	mutex_lock(&s->cfg_mu);
	list_for_each(p, &s->pmtus, node)
		if (ip_eq(&p->dst, dst))
			hit = p;
	if (!hit && s->npmtus >= PMTU_MAX)
		hit = list_last(&s->pmtus, struct pmtu, node);
	if (!hit) {
		hit = knew(struct pmtu);
		if (hit)
			s->npmtus++;
	} else {
		list_del_init(&hit->node);
	}
	if (hit) {
		hit->dst = *dst;
		hit->mtu = mtu;
		hit->expires = stack_now(s) + PMTU_TTL_NS;
		list_add(&hit->node, &s->pmtus);
		stack_changed(s);
	}
	mutex_unlock(&s->cfg_mu);
}

/* The first link that could carry a multicast packet when nothing says which. */
static struct nic *any_nic_locked(struct stack *s)
{
	struct nic *n;

	list_for_each(n, &s->nics, node)
		if (nic_up(n) && n != s->lo)
			return n;
	return NULL;
}

static struct route *match_locked(struct stack *s, const struct ipaddr *dst, u32 oif)
{
	struct route *y;

	list_for_each(y, &s->routes, node) {
		if (y->r.table == RT_TABLE_LOCAL || ip_is4(&y->r.dst) != ip_is4(dst))
			continue;
		if (y->nic && (!nic_up(y->nic) || (oif && y->nic->ifindex != oif)))
			continue;
		if (ip_in_prefix(dst, &y->r.dst, y->r.plen))
			return y;
	}
	return NULL;
}

/* Broadcast, multicast and scoped addresses: the link is what matters. */
static int special_locked(struct stack *s, const struct ipaddr *dst, const struct ipaddr *src, u32 oif, struct rt *rt)
{
	struct nicaddr *own = src && !ip_is_any(src) ? addr_local_locked(s, src) : NULL;
	struct route *y;

	rt->nexthop = *dst;
	rt->type = ip_is_multicast(dst) ? RTN_MULTICAST : ip_is_bcast(dst) ? RTN_BROADCAST : RTN_UNICAST;
	if (oif) {
		rt->nic = nic_by_index_locked(s, oif);
		if (rt->nic == s->lo && rt->type == RTN_UNICAST)
			return -ENETUNREACH;    /* nobody there but ourselves */
		return rt->nic ? 0 : -ENODEV;
	}
	y = match_locked(s, dst, 0);
	if (ip_is4(dst))                /* who says from where says over which link; else there must be a route */
		rt->nic = own ? own->nic : y ? y->nic : NULL;
	else
		rt->nic = y && y->nic ? y->nic : any_nic_locked(s);
	return rt->nic ? 0 : -ENETUNREACH;
}

static int unicast_locked(struct stack *s, const struct ipaddr *dst, u32 oif, u32 flags,
			  struct rt *rt, struct ipaddr *ret_src)
{
	struct route *y = match_locked(s, dst, oif);
	struct nicaddr *x;

	if (!y) {
		struct nic *n = oif ? nic_by_index_locked(s, oif) : NULL;

		/* A socket bound to a link may talk to anybody on it. */
		if (!n || !nic_up(n) || !ip_is4(dst))
			return -ENETUNREACH;
		rt->nic = n;
		rt->nexthop = *dst;
		rt->type = RTN_UNICAST;
		return 0;
	}
	if (y->r.type == RTN_BLACKHOLE)
		return -EINVAL;
	if (y->r.type == RTN_UNREACHABLE)
		return -EHOSTUNREACH;
	if (y->r.type == RTN_PROHIBIT)
		return -EACCES;
	if ((flags & RT_DONTROUTE) && y->r.has_gw)
		return -ENETUNREACH;
	rt->nic = y->nic;
	rt->nexthop = y->r.has_gw ? y->r.gw : *dst;
	rt->type = RTN_UNICAST;
	rt->plen = y->r.plen;
	if (y->r.mtu)
		rt->mtu = MIN(rt->mtu, y->r.mtu);
	if (y->r.has_src)
		*ret_src = y->r.src;
	if (!y->r.has_gw)
		list_for_each(x, &s->addrs, node)
			if (x->nic == rt->nic && addr_is_directed_bcast(x, dst))
				rt->type = RTN_BROADCAST;
	return 0;
}

/* 127.255.255.255 and its like. */
static bool loopback_bcast_locked(struct stack *s, const struct ipaddr *dst)
{
	struct nicaddr *x;

	if (!ip_is4(dst) || !ip_is_loopback(dst))
		return false;
	list_for_each(x, &s->addrs, node)
		if (x->nic == s->lo && addr_is_directed_bcast(x, dst))
			return true;
	return false;
}

static int lookup_locked(struct stack *s, const struct ipaddr *dst, const struct ipaddr *from, u32 oif, u32 flags,
			 struct rt *rt, struct ipaddr *src)
{
	struct nicaddr *x;
	int r;

	rt->mtu = UINT32_MAX;
	if (oif && !nic_by_index_locked(s, oif))
		return -ENODEV;
	if (ip_is_multicast(dst) || ip_is_bcast(dst))
		return special_locked(s, dst, from, oif, rt);
	if (loopback_bcast_locked(s, dst)) {
		rt->nic = s->lo;
		rt->nexthop = *dst;
		rt->type = RTN_BROADCAST;
		return nic_up(s->lo) ? 0 : -ENETUNREACH;
	}
	x = addr_local_locked(s, dst);
	if (x && (!ip_needs_scope(dst) || !oif || oif == x->nic->ifindex || oif == s->lo->ifindex)) {
		if (!nic_up(s->lo))
			return -ENETUNREACH;
		rt->nic = s->lo;
		rt->nexthop = *dst;
		rt->type = RTN_LOCAL;
		*src = ip_is4(dst) ? x->a.ip : *dst;    /* to 127.0.0.2 from 127.0.0.1 */
		return 0;
	}
	if (ip_is_loopback(dst))
		return ip_is4(dst) && nic_up(s->lo) ? -EINVAL : -ENETUNREACH;
	if (ip_needs_scope(dst))
		r = special_locked(s, dst, from, oif, rt);
	else
		r = unicast_locked(s, dst, oif, flags, rt, src);
	return r;
}

int rt_lookup(struct stack *s, const struct ipaddr *dst, const struct ipaddr *src, u32 oif,
	      u32 flags, struct rt *ret)
{
	struct rt rt = { .gen = stack_gen(s), .valid = true };
	struct ipaddr pref = ip_is4(dst) ? ip_any4() : ip_any6();
	struct nicaddr *x;
	int r;

	mutex_lock(&s->cfg_mu);
	r = lookup_locked(s, dst, src, oif, flags, &rt, &pref);
	if (r == 0 && !nic_up(rt.nic))
		r = -ENETDOWN;
	if (r == 0) {
		/* Who is bound to a group or a broadcast address sends from the link's own. */
		bool given = src && !ip_is_any(src), own = given && addr_local_locked(s, src);

		if (own || (given && !addr_is_group_locked(s, src))) {
			if (!own && !(flags & RT_NO_SRC_CHECK))
				r = ip_is4(src) ? -ENETUNREACH : -EINVAL;
			rt.src = *src;
		} else {
			if (ip_is_any(&pref)) {
				x = addr_pick_locked(s, rt.nic, dst);
				if (x)
					pref = x->a.ip;
				else if (!ip_is4(dst) && rt.type == RTN_UNICAST)
					r = -EADDRNOTAVAIL;
			}
			rt.src = pref;
		}
		rt.mtu = MIN(rt.mtu, (u32)rt.nic->mtu);
		rt.mtu = pmtu_locked(s, dst, rt.mtu);
	}
	mutex_unlock(&s->cfg_mu);
	if (r == 0 && src && !ip_is_any(src) && ip_is4(src) && !ip_is4(dst))
		r = -EAFNOSUPPORT;
	if (r == 0)
		*ret = rt;
	return r;
}

int route_query(struct stack *s, const struct ipaddr *dst, const struct ipaddr *src, u32 oif,
		struct route_info *ret)
{
	struct rt rt;
	int r = rt_lookup(s, dst, src, oif, 0, &rt);

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	ret->family = ip_is4(dst) ? 2 : 10;
	ret->plen = ip_is4(dst) ? 32 : 128;
	ret->dst = *dst;
	ret->type = rt.type;
	ret->table = rt.type == RTN_LOCAL ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
	ret->has_src = true;
	ret->src = rt.src;
	ret->has_gw = !ip_eq(&rt.nexthop, dst);
	ret->gw = rt.nexthop;
	ret->ifindex = rt.nic->ifindex;
	ret->mtu = rt.mtu < rt.nic->mtu ? rt.mtu : 0;
	return 0;
}
