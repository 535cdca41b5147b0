/*
 * mcast.c - multicast groups: which endpoints and which links joined them.
 *
 * An endpoint has a list of (group, link) with a source filter; a link counts
 * how many endpoints want each group.  Joining and the last leaving tell the
 * routers (IGMP, MLD).  Endpoint lists under e->mu, link lists under cfg_mu.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/ip/ip.h"

#define SOURCES_MAX 16
#define GROUPS_MAX  256                 /* of one link */

struct mcgroup {
	struct list_head node;
	struct ipaddr group;
	u32 users;
};

struct mcmember {
	struct list_head node;
	struct ipaddr group;
	struct nic *nic;
	bool include;                   /* only from src[]; else all but src[] */
	u32 nsrc;
	struct ipaddr src[SOURCES_MAX];
};

static struct mcgroup *group_locked(struct nic *n, const struct ipaddr *g)
{
	struct mcgroup *x;

	list_for_each(x, &n->groups, node)
		if (ip_eq(&x->group, g))
			return x;
	return NULL;
}

static void report(struct nic *n, const struct ipaddr *g, bool join)
{
	if (n == n->stack->lo || !nic_up(n))
		return;
	if (ip_is4(g))
		igmp_report(n, g, join);
	else
		mld_report(n, g, join);
}

static int nic_join(struct nic *n, const struct ipaddr *g)
{
	struct mcgroup *x, *fresh = knew(struct mcgroup);
	u32 cnt = 0;
	int r = 0;

	if (!fresh)
		return -ENOMEM;
	mutex_lock(&n->stack->cfg_mu);
	x = group_locked(n, g);
	if (x) {
		x->users++;
	} else {
		struct mcgroup *y;

		list_for_each(y, &n->groups, node)
			cnt++;
		if (cnt >= GROUPS_MAX) {
			r = -ENOBUFS;
		} else {
			fresh->group = *g;
			fresh->users = 1;
			list_add_tail(&fresh->node, &n->groups);
		}
	}
	mutex_unlock(&n->stack->cfg_mu);
	if (x || r < 0)
		kfree(fresh);
	else
		report(n, g, true);
	return r;
}

static void nic_leave(struct nic *n, const struct ipaddr *g)
{
	struct mcgroup *x;

	mutex_lock(&n->stack->cfg_mu);
	x = group_locked(n, g);
	if (x && --x->users)
		x = NULL;
	if (x)
		list_del_init(&x->node);
	mutex_unlock(&n->stack->cfg_mu);
	if (x)
		report(n, g, false);
	kfree(x);
}

void mc_nic_done(struct nic *n)
{
	struct mcgroup *x, *t;

	list_for_each_safe(x, t, &n->groups, node)
		kfree(x);
	list_init(&n->groups);
}

bool mc_nic_joined(struct nic *n, const struct ipaddr *g)
{
	static const u8 all_nodes[16] = { 0xff, 2, [15] = 1 }, all_if[16] = { 0xff, 1, [15] = 1 };
	struct nicaddr *a;
	bool yes;

	if (ip_is4(g) ? ip_v4(g) == 0xe0000001 :
	    (memcmp(g->b, all_nodes, 16) == 0 || memcmp(g->b, all_if, 16) == 0))
		return true;
	mutex_lock(&n->stack->cfg_mu);
	yes = group_locked(n, g) != NULL;
	/* Solicited-node addresses of our own, without a list entry each. */
	if (!yes && g->b[0] == 0xff && g->b[1] == 2 && g->b[11] == 1 && g->b[12] == 0xff)
		list_for_each(a, &n->stack->addrs, node)
			if (a->nic == n && !ip_is4(&a->a.ip) && memcmp(a->a.ip.b + 13, g->b + 13, 3) == 0)
				yes = true;
	mutex_unlock(&n->stack->cfg_mu);
	return yes;
}

bool mc_nth_group(struct nic *n, unsigned i, struct ipaddr *ret)
{
	struct mcgroup *x;
	bool hit = false;

	mutex_lock(&n->stack->cfg_mu);
	list_for_each(x, &n->groups, node)
		if (i-- == 0) {
			*ret = x->group;
			hit = true;
			break;
		}
	mutex_unlock(&n->stack->cfg_mu);
	return hit;
}

int link_group_nth(struct stack *s, u32 ifindex, unsigned i, struct ipaddr *ret, u32 *ret_users)
{
	struct nic *n = nic_by_index(s, ifindex);
	struct mcgroup *x;
	int r = -ENOENT;

	if (!n)
		return -ENODEV;
	mutex_lock(&s->cfg_mu);
	list_for_each(x, &n->groups, node)
		if (i-- == 0) {
			*ret = x->group;
			*ret_users = x->users;
			r = 0;
			break;
		}
	mutex_unlock(&s->cfg_mu);
	return r;
}

static struct mcmember *member(struct ep *e, const struct ipaddr *g, struct nic *n)
{
	struct mcmember *m;

	list_for_each(m, &e->members, node)
		if (ip_eq(&m->group, g) && (!n || m->nic == n))
			return m;
	return NULL;
}

bool mc_ep_wants(struct ep *e, struct nic *n, const struct ipaddr *g)
{
	if (member(e, g, n))
		return true;
	/* Linux' default: what any socket of the host joined reaches all bound to the port. */
	return (ip_is4(g) ? e->o.mc_all : e->o.mc_all6) && !member(e, g, NULL);
}

bool mc_ep_source_ok(struct ep *e, struct nic *n, const struct ipaddr *g, const struct ipaddr *src)
{
	struct mcmember *m = member(e, g, n);
	u32 i;

	if (!m)
		return true;
	for (i = 0; i < m->nsrc; i++)
		if (ip_eq(&m->src[i], src))
			return m->include;
	return !m->include;
}

static struct nic *find_nic(struct ep *e, u32 ifindex, const struct ipaddr *addr,
			    const struct ipaddr *group)
{
	struct rt rt;

	if (ifindex)
		return nic_by_index(e->stack, ifindex);
	if (addr && !ip_is_any(addr))
		return addr_nic(e->stack, addr);
	if (rt_lookup(e->stack, group, NULL, e->o.bound_if, 0, &rt) < 0)
		return NULL;
	return rt.nic;
}

static int join(struct ep *e, const struct ipaddr *g, struct nic *n, const struct ipaddr *src)
{
	struct mcmember *m;
	int r = 0;

	if (!ip_is_multicast(g))
		return -EINVAL;
	if (!n)
		return -ENODEV;
	m = knew(struct mcmember);
	if (!m)
		return -ENOMEM;
	m->group = *g;
	m->nic = n;
	if (src) {
		m->include = true;
		m->src[m->nsrc++] = *src;
	}
	mutex_lock(&e->mu);
	if (member(e, g, n))
		r = -EADDRINUSE;
	else if (e->nmembers >= (u32)e->stack->sysctl.igmp_max[0])
		r = -ENOBUFS;
	if (r == 0) {
		list_add_tail(&m->node, &e->members);
		e->nmembers++;
	}
	mutex_unlock(&e->mu);
	if (r < 0) {
		kfree(m);
		return r;
	}
	return nic_join(n, g);
}

static int leave(struct ep *e, const struct ipaddr *g, struct nic *n)
{
	struct mcmember *m;

	mutex_lock(&e->mu);
	m = member(e, g, n);
	if (m) {
		list_del_init(&m->node);
		e->nmembers--;
	}
	mutex_unlock(&e->mu);
	if (!m)
		return -EADDRNOTAVAIL;
	nic_leave(m->nic, &m->group);
	kfree(m);
	return 0;
}

void mc_leave_all(struct ep *e)
{
	struct list_head gone;
	struct mcmember *m, *t;

	list_init(&gone);
	mutex_lock(&e->mu);
	list_splice_tail_init(&e->members, &gone);
	e->nmembers = 0;
	mutex_unlock(&e->mu);
	list_for_each_safe(m, t, &gone, node) {
		nic_leave(m->nic, &m->group);
		kfree(m);
	}
}

/* Add or drop one source of a membership; @include: it is an allow-list. */
static int change_source(struct ep *e, const struct ipaddr *g, struct nic *n,
			 const struct ipaddr *src, bool include, bool add)
{
	struct mcmember *m;
	bool empty = false;
	u32 i;
	int r = 0;

	mutex_lock(&e->mu);
	m = member(e, g, n);
	if (!m) {
		mutex_unlock(&e->mu);
		return include && add ? join(e, g, n, src) : -EINVAL;
	}
	for (i = 0; i < m->nsrc && !ip_eq(&m->src[i], src); i++)
		;
	if (m->include != include && m->nsrc)
		r = -EINVAL;
	else if (add && i < m->nsrc)
		r = -EADDRNOTAVAIL;
	else if (add && m->nsrc == SOURCES_MAX)
		r = -ENOBUFS;
	else if (!add && i == m->nsrc)
		r = -EADDRNOTAVAIL;
	else if (add)
		m->src[m->nsrc++] = *src;
	else
		m->src[i] = m->src[--m->nsrc];
	empty = r == 0 && include && m->nsrc == 0;
	mutex_unlock(&e->mu);
	return empty ? leave(e, g, n) : r;
}

static int set_if4(struct ep *e, const void *val, size_t len)
{
	struct ip_mreqn mr = { 0 };
	struct ipaddr a;
	struct nic *n;

	if (len < sizeof(struct in_addr))
		return -EINVAL;
	if (len >= sizeof(mr))
		memcpy(&mr, val, sizeof(mr));
	else if (len >= sizeof(struct ip_mreq))
		memcpy(&mr, val, sizeof(struct ip_mreq));
	else
		memcpy(&mr.imr_address, val, sizeof(mr.imr_address));
	a = ip_from4(&mr.imr_address);
	n = mr.imr_ifindex ? nic_by_index(e->stack, (u32)mr.imr_ifindex) :
	    ip_is_any(&a)  ? NULL :
			     addr_nic(e->stack, &a);
	if (!n && (mr.imr_ifindex || !ip_is_any(&a)))
		return -EADDRNOTAVAIL;
	mutex_lock(&e->mu);
	e->o.mc_if = n ? n->ifindex : 0;
	e->o.mc_src = a;
	e->rt.valid = false;
	mutex_unlock(&e->mu);
	return 0;
}

static int set4(struct ep *e, int opt, const void *val, size_t len)
{
	struct ip_mreqn mr = { 0 };
	struct ip_mreq_source ms;
	struct ipaddr g, a, src;
	struct nic *n;

	if (opt == IP_MULTICAST_IF)
		return e->type == SOCK_STREAM ? -EINVAL : set_if4(e, val, len);
	if (opt == IP_ADD_MEMBERSHIP || opt == IP_DROP_MEMBERSHIP) {
		if (e->type == SOCK_STREAM)
			return -EPROTO;
		if (len < sizeof(struct ip_mreq))
			return -EINVAL;
		memcpy(&mr, val, MIN(len, sizeof(mr)));
		g = ip_from4(&mr.imr_multiaddr);
		a = ip_from4(&mr.imr_address);
		n = find_nic(e, (u32)mr.imr_ifindex, &a, &g);
		if (opt == IP_ADD_MEMBERSHIP)
			return join(e, &g, n, NULL);
		if (!mr.imr_ifindex && ip_is_any(&a))
			return n ? leave(e, &g, NULL) : -ENODEV;
		return leave(e, &g, n);
	}
	if (len != sizeof(ms))
		return -EINVAL;
	if (e->type == SOCK_STREAM)
		return -EPROTO;
	memcpy(&ms, val, sizeof(ms));
	g = ip_from4(&ms.imr_multiaddr);
	a = ip_from4(&ms.imr_interface);
	src = ip_from4(&ms.imr_sourceaddr);
	return change_source(e, &g, find_nic(e, 0, &a, &g), &src,
			     opt == IP_ADD_SOURCE_MEMBERSHIP || opt == IP_DROP_SOURCE_MEMBERSHIP,
			     opt == IP_ADD_SOURCE_MEMBERSHIP || opt == IP_BLOCK_SOURCE);
}

static int ss_to_ip(const struct sockaddr_storage *ss, struct ipaddr *ret)
{
	if (ss->ss_family == AF_INET)
		*ret = ip_from4(&((const struct sockaddr_in *)ss)->sin_addr);
	else if (ss->ss_family == AF_INET6)
		*ret = ip_from6(&((const struct sockaddr_in6 *)ss)->sin6_addr);
	else
		return -EINVAL;
	return 0;
}

/* The RFC 3678 options, same for both families. */
static int set_generic(struct ep *e, int opt, const void *val, size_t len)
{
	struct group_source_req gs = { 0 };
	bool plain = opt == MCAST_JOIN_GROUP || opt == MCAST_LEAVE_GROUP;
	size_t need = plain ? sizeof(struct group_req) : sizeof(gs);
	struct ipaddr g, src;
	struct nic *n;
	int r;

	if (len < need)
		return -EINVAL;
	if (e->type == SOCK_STREAM)
		return -EPROTO;
	memcpy(&gs, val, need);         /* struct group_req is its front */
	r = ss_to_ip(&gs.gsr_group, &g);
	if (r < 0)
		return r;
	n = find_nic(e, gs.gsr_interface, NULL, &g);
	if (opt == MCAST_JOIN_GROUP)
		return join(e, &g, n, NULL);
	if (opt == MCAST_LEAVE_GROUP)
		return leave(e, &g, gs.gsr_interface ? n : NULL);
	r = ss_to_ip(&gs.gsr_source, &src);
	if (r < 0)
		return r;
	return change_source(e, &g, n, &src,
			     opt == MCAST_JOIN_SOURCE_GROUP || opt == MCAST_LEAVE_SOURCE_GROUP,
			     opt == MCAST_JOIN_SOURCE_GROUP || opt == MCAST_BLOCK_SOURCE);
}

static int set6(struct ep *e, int opt, const void *val, size_t len)
{
	struct ipv6_mreq mr;
	struct ipaddr g;
	int v;

	if (opt == IPV6_MULTICAST_IF) {
		if (e->type == SOCK_STREAM)
			return -ENOPROTOOPT;
		if (epopt_int(val, len, &v) < 0)
			return -EINVAL;
		if (v && !nic_by_index(e->stack, (u32)v))
			return -ENODEV;
		e->o.mc_if = (u32)v;
		e->rt.valid = false;
		return 0;
	}
	if (len < sizeof(mr))
		return -EINVAL;
	if (e->type == SOCK_STREAM)
		return -EPROTO;
	memcpy(&mr, val, sizeof(mr));
	g = ip_from6(&mr.ipv6mr_multiaddr);
	if (opt == IPV6_JOIN_GROUP)
		return join(e, &g, find_nic(e, mr.ipv6mr_interface, NULL, &g), NULL);
	return leave(e, &g, mr.ipv6mr_interface ? nic_by_index(e->stack, mr.ipv6mr_interface) : NULL);
}

int mc_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len)
{
	if (opt >= MCAST_JOIN_GROUP && opt <= MCAST_LEAVE_SOURCE_GROUP)
		return set_generic(e, opt, val, len);
	if (level == IPPROTO_IP)
		return set4(e, opt, val, len);
	return set6(e, opt, val, len);
}
