/*
 * addr.c - the addresses of links: adding, deleting, finding.
 *
 * Adding an address adds the route to its prefix, as Linux does; deleting it
 * takes the route along.  Everything under stack->cfg_mu.
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
#include "netstack/ip/ip.h"

#define ADDRS_MAX 1024

struct nicaddr *addr_find_locked(struct stack *s, u32 ifindex, const struct ipaddr *ip)
{
	struct nicaddr *x;

	list_for_each(x, &s->addrs, node)
		if ((!ifindex || x->a.ifindex == ifindex) && ip_eq(&x->a.ip, ip))
			return x;
	return NULL;
}

static bool plen_ok(const struct ipaddr *ip, u8 plen) { return plen <= (ip_is4(ip) ? 32 : 128); }

/* The route that an address implies; false when it implies none. */
static bool prefix_route(const struct addr_info *a, struct route_info *ret)
{
	bool v4 = ip_is4(&a->ip), p2p = !ip_eq(&a->ip, &a->peer) && !ip_is_any(&a->peer);
	struct route_info r = { .family = v4 ? 2 : 10, .table = RT_TABLE_MAIN, .proto = RTPROT_KERNEL,
				.type = RTN_UNICAST, .ifindex = a->ifindex };

	if ((a->flags & IFA_F_NOPREFIXROUTE) || ip_is_loopback(&a->ip))
		return false;
	r.plen = a->plen;
	if (!p2p && v4 && a->plen >= 32)
		return false;
	r.dst = p2p ? a->peer : a->ip;
	r.dst = ip_mask(&r.dst, r.plen);
	r.scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	r.metric = v4 ? 0 : 256;
	r.has_src = v4;
	r.src = a->ip;
	*ret = r;
	return true;
}

int addr_add(struct stack *s, const struct addr_info *a)
{
	struct nicaddr *x;
	struct route_info r;
	struct nic *n;
	int e = 0;

	if (!plen_ok(&a->ip, a->plen) || ip_is_any(&a->ip) || ip_is_multicast(&a->ip))
		return -EINVAL;
	x = knew(struct nicaddr);
	if (!x)
		return -ENOMEM;
	x->a = *a;
	if (ip_is_any(&x->a.peer))
		x->a.peer = x->a.ip;
	if (x->a.valid_s == 0)
		x->a.valid_s = x->a.preferred_s = UINT32_MAX;
	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, a->ifindex);
	if (!n)
		e = -ENODEV;
	else if (addr_find_locked(s, a->ifindex, &a->ip))
		e = -EEXIST;
	else if (s->naddrs >= ADDRS_MAX)
		e = -ENOSPC;
	if (e == 0) {
		x->nic = n;
		if (!x->a.label[0])
			memcpy(x->a.label, n->name, sizeof(x->a.label));
		list_add_tail(&x->node, &s->addrs);
		s->naddrs++;
		addr_life_begin_locked(s, x);
	}
	mutex_unlock(&s->cfg_mu);
	if (e < 0) {
		kfree(x);
		return e;
	}
	if (prefix_route(a, &r))
		e = route_add(s, &r, false);
	return e == -EEXIST ? 0 : e;
}

/* Does another address of the link still need the route to @a's prefix?  cfg_mu held. */
static bool prefix_shared(struct stack *s, const struct addr_info *a)
{
	struct nicaddr *x;

	list_for_each(x, &s->addrs, node)
		if (x->a.ifindex == a->ifindex && x->a.plen == a->plen && ip_is4(&x->a.ip) == ip_is4(&a->ip) &&
		    ip_in_prefix(&x->a.ip, &a->ip, a->plen))
			return true;
	return false;
}

int addr_del(struct stack *s, const struct addr_info *a)
{
	bool shared = false;
	struct nicaddr *x;
	struct addr_info old;
	struct route_info r;

	mutex_lock(&s->cfg_mu);
	x = addr_find_locked(s, a->ifindex, &a->ip);
	if (x && a->plen && a->plen != x->a.plen)
		x = NULL;
	if (x) {
		list_del_init(&x->node);
		s->naddrs--;
		old = x->a;
		shared = prefix_shared(s, &old);
		stack_changed(s);
	}
	mutex_unlock(&s->cfg_mu);
	if (!x)
		return -EADDRNOTAVAIL;
	kfree(x);
	if (!shared && prefix_route(&old, &r)) {
		int e = route_del(s, &r);

		(void)e;        /* -ESRCH: the administrator was faster */
	}
	return 0;
}

int addr_nth(struct stack *s, unsigned i, struct addr_info *ret)
{
	struct nicaddr *x;
	int r = -ENOENT;

	mutex_lock(&s->cfg_mu);
	list_for_each(x, &s->addrs, node)
		if (i-- == 0) {
			*ret = x->a;
			addr_life_left(x, stack_now(s), ret);
			if (x->tentative)
				ret->flags |= IFA_F_TENTATIVE;
			r = 0;
			break;
		}
	mutex_unlock(&s->cfg_mu);
	return r;
}

/* Is @ip one of ours; any address of a loopback link's IPv4 prefix is. */
static struct nicaddr *local_locked(struct stack *s, const struct ipaddr *ip)
{
	struct nicaddr *x, *around = NULL;

	list_for_each(x, &s->addrs, node) {
		if (x->tentative)
			continue;
		if (ip_eq(&x->a.ip, ip))
			return x;
		if (!around && x->nic->arphrd == ARPHRD_LOOPBACK && ip_is4(&x->a.ip) && ip_is4(ip) &&
		    ip_in_prefix(ip, &x->a.ip, x->a.plen) && !addr_is_directed_bcast(x, ip))
			around = x;
	}
	return around;
}

struct nicaddr *addr_local_locked(struct stack *s, const struct ipaddr *ip)
{
	return local_locked(s, ip);
}

bool addr_is_local(struct stack *s, const struct ipaddr *ip)
{
	bool r;

	mutex_lock(&s->cfg_mu);
	r = local_locked(s, ip) != NULL;
	mutex_unlock(&s->cfg_mu);
	return r;
}

struct nic *addr_nic(struct stack *s, const struct ipaddr *ip)
{
	struct nicaddr *x;
	struct nic *n = NULL;

	mutex_lock(&s->cfg_mu);
	x = local_locked(s, ip);
	if (x)
		n = x->nic;
	mutex_unlock(&s->cfg_mu);
	return n;
}

/* The directed broadcast address of an IPv4 prefix. */
bool addr_is_directed_bcast(const struct nicaddr *x, const struct ipaddr *ip)
{
	u32 a, m;

	if (!ip_is4(&x->a.ip) || !ip_is4(ip) ||
	    (x->nic->arphrd != ARPHRD_ETHER && x->nic->arphrd != ARPHRD_LOOPBACK))
		return false;
	if (!ip_is_any(&x->a.brd) && ip_eq(&x->a.brd, ip))
		return true;
	if (x->a.plen == 0 || x->a.plen > 30)
		return false;
	m = UINT32_MAX >> x->a.plen;
	a = ip_v4(&x->a.ip);
	return ip_v4(ip) == (a | m);
}

bool addr_is_group_locked(struct stack *s, const struct ipaddr *ip)
{
	struct nicaddr *x;

	if (ip_is_multicast(ip) || ip_is_bcast(ip))
		return true;
	list_for_each(x, &s->addrs, node)
		if (addr_is_directed_bcast(x, ip))
			return true;
	return false;
}

bool addr_is_group(struct stack *s, const struct ipaddr *ip)
{
	bool yes;

	mutex_lock(&s->cfg_mu);
	yes = addr_is_group_locked(s, ip);
	mutex_unlock(&s->cfg_mu);
	return yes;
}

int addr_type(struct stack *s, struct nic *in, const struct ipaddr *dst)
{
	struct nicaddr *x;
	int type = RTN_UNICAST;

	if (ip_is_multicast(dst))
		return RTN_MULTICAST;
	if (ip_is_bcast(dst))
		return RTN_BROADCAST;
	mutex_lock(&s->cfg_mu);
	x = local_locked(s, dst);
	if (x) {
		type = RTN_LOCAL;
		/* A link-local address belongs to its link only. */
		if (ip_needs_scope(dst) && in != x->nic && in != s->lo) {
			struct nicaddr *y = addr_find_locked(s, in->ifindex, dst);

			if (!y || y->tentative)
				type = RTN_UNICAST;
		}
	} else {
		list_for_each(x, &s->addrs, node)
			if (x->nic == in && addr_is_directed_bcast(x, dst))
				type = RTN_BROADCAST;
	}
	mutex_unlock(&s->cfg_mu);
	return type;
}

static int scope_of(const struct ipaddr *a)
{
	if (ip_is_loopback(a))
		return 0;
	return ip_is_linklocal(a) ? 1 : 2;
}

static unsigned common_bits(const struct ipaddr *a, const struct ipaddr *b)
{
	unsigned i, n = 0;

	for (i = 0; i < 16 && a->b[i] == b->b[i]; i++)
		n += 8;
	if (i < 16)
		n += (unsigned)__builtin_clz((unsigned)(a->b[i] ^ b->b[i])) - 24;
	return n;
}

/* RFC 6724 as far as it matters: right family and scope, same prefix, not deprecated. */
struct nicaddr *addr_pick_locked(struct stack *s, struct nic *n, const struct ipaddr *dst)
{
	bool v4 = ip_is4(dst);
	struct nicaddr *x, *best = NULL;
	int best_score = -1;

	list_for_each(x, &s->addrs, node) {
		int score;

		if (ip_is4(&x->a.ip) != v4 || x->tentative)
			continue;
		if (x->nic != n && (ip_is_linklocal(&x->a.ip) || x->nic == s->lo))
			continue;
		score = x->nic == n ? 4000 : 0;
		if (scope_of(&x->a.ip) >= scope_of(dst))
			score += 2000;
		if (!v4 && scope_of(&x->a.ip) == scope_of(dst))
			score += 1000;
		if (!(x->a.flags & IFA_F_DEPRECATED))
			score += 500;
		if (!v4)
			score += (int)common_bits(&x->a.ip, dst);
		else if (ip_in_prefix(dst, &x->a.ip, x->a.plen))
			score += 200;
		if (score > best_score) {
			best = x;
			best_score = score;
		}
	}
	return best;
}

bool addr_pick(struct stack *s, struct nic *n, const struct ipaddr *dst, struct ipaddr *ret)
{
	struct nicaddr *x;

	mutex_lock(&s->cfg_mu);
	x = addr_pick_locked(s, n, dst);
	if (x)
		*ret = x->a.ip;
	mutex_unlock(&s->cfg_mu);
	return x != NULL;
}
