/*
 * ep.c - endpoints: birth, death, names, and the verbs of api.h.
 *
 * Every verb ends with backlog_drain(): what it sent to ourselves is received
 * before it returns, with no lock held.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/core/rtnl.h"

#define PROTO_MAX 263                   /* IPPROTO_MPTCP is the last that Linux knows */

static void default_opts(struct ep *e)
{
	struct net_sysctl *y = &e->stack->sysctl;

	e->o.rcvbuf = (u32)y->rmem_default[0];
	e->o.sndbuf = (u32)y->wmem_default[0];
	e->o.rcvlowat = 1;
	e->o.ttl = e->o.hlim = e->o.mc_hlim6 = -1;
	e->o.mc_ttl = 1;
	e->o.mc_loop = e->o.mc_loop6 = e->o.mc_all6 = true;
	e->o.mc_all = e->family == AF_INET;
	e->o.autoflow = true;
	e->o.incoming_cpu = -1;
	e->o.pacing = UINT64_MAX;
	e->o.pmtudisc = y->no_pmtu_disc[0] ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
	e->o.pmtudisc6 = IP_PMTUDISC_WANT;
	e->o.v6only = e->family == AF_INET6 && y->bindv6only[0];
	e->o.reuseaddr = e->ops == &raw_ops || e->ops == &ping_ops;
}

struct ep *ep_alloc(struct stack *s, const struct ep_ops *ops, int family, int type, int proto)
{
	struct ep *e = kmem_zalloc(ops->size, ops->name);

	if (!e)
		return NULL;
	e->ops = ops;
	ref_init(&e->ref);
	e->stack = s;
	e->family = (u16)family;
	e->type = (u16)type;
	e->proto = (u16)proto;
	mutex_init(&e->rd_mu, RANK_FILE);
	mutex_init(&e->mu, RANK_SOCK);
	e->laddr = e->raddr = family == AF_INET ? ip_any4() : ip_any6();
	e->bind.ep = e;
	e->bind.proto = proto == IPPROTO_TCP ? PORT_TCP : PORT_UDP;
	e->bind.laddr = e->bind.raddr = e->laddr;
	list_init(&e->bind.node);
	list_init(&e->dgrams);
	list_init(&e->errq);
	list_init(&e->members);
	list_init(&e->labels);
	list_init(&e->all_node);
	list_init(&e->kind_node);
	default_opts(e);
	return e;
}

void ep_list(struct ep *e)
{
	struct stack *s = e->stack;

	mutex_lock(&s->eps_mu);
	e->cookie = atomic_fetch_add(&s->cookies, 1) + 1;       /* the list is in the order of cookies: dump.c */
	list_add_tail(&e->all_node, &s->eps);
	mutex_unlock(&s->eps_mu);
}

void ep_unlist(struct ep *e)
{
	mutex_lock(&e->stack->eps_mu);
	list_del_init(&e->all_node);
	list_del_init(&e->kind_node);
	mutex_unlock(&e->stack->eps_mu);
}

struct ep *ep_unref(struct ep *e)
{
	if (!e || !ref_put(&e->ref))
		return NULL;
	ep_unlist(e);
	if (e->ops->release)
		e->ops->release(e);
	pkt_purge(&e->dgrams);
	pkt_purge(&e->errq);
	kfree(e->filter);
	kfree(e->opts4);
	ip6ext_unref(e->ext6);
	kfree(e);
	return NULL;
}

static const struct ep_ops *ops_for(int family, int type, int *proto)
{
	if (family == AF_PACKET && (type == SOCK_RAW || type == SOCK_DGRAM))
		return &packet_ops;
	if (family != AF_INET && family != AF_INET6)
		return NULL;
	switch (type) {
	case SOCK_STREAM:
		if (*proto == 0)
			*proto = IPPROTO_TCP;
		return *proto == IPPROTO_TCP ? &tcp_ops : NULL;
	case SOCK_DGRAM:
		if (*proto == 0)
			*proto = IPPROTO_UDP;
		if (*proto == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			return &ping_ops;
		return *proto == IPPROTO_UDP ? &udp_ops : NULL;
	case SOCK_RAW:
		return *proto > 0 && *proto < 256 ? &raw_ops : NULL;
	default:
		return NULL;
	}
}

int ep_new(struct stack *s, int family, int type, int proto, ep_ready_fn *fn, void *opaque,
	   struct ep **ret)
{
	const struct ep_ops *ops;
	struct ep *e;
	int r;

	if (family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
		return -ESOCKTNOSUPPORT;
	if (proto < 0 || (family != AF_PACKET && proto >= PROTO_MAX))
		return -EINVAL;
	ops = ops_for(family, type, &proto);
	if (!ops)
		return family == AF_PACKET ? -ESOCKTNOSUPPORT : -EPROTONOSUPPORT;
	e = ep_alloc(s, ops, family, type, proto);
	if (!e)
		return -ENOMEM;
	e->owned = true;
	e->ready = fn;
	e->opaque = opaque;
	r = ops->init ? ops->init(e) : 0;
	if (r < 0) {
		ep_unref(e);
		return r;
	}
	ep_list(e);
	*ret = e;
	return 0;
}

void ep_close(struct ep *e)
{
	struct stack *s;

	if (!e)
		return;
	s = e->stack;
	mutex_lock(&e->mu);
	e->ready = NULL;
	mutex_unlock(&e->mu);
	mc_leave_all(e);
	flowlabel_drop_all(e);
	if (e->ops->close)
		e->ops->close(e);
	if (e->ops != &tcp_ops && e->bind.hashed)
		port_unbind(s, &e->bind);
	ep_unref(e);
	backlog_drain(s);
}

void ep_set_ready(struct ep *e, ep_ready_fn *fn, void *opaque)
{
	mutex_lock(&e->mu);
	e->ready = fn;
	e->opaque = opaque;
	mutex_unlock(&e->mu);
}

void ep_set_ident(struct ep *e, u32 uid, u32 gid, u64 ino)
{
	e->uid = uid;
	e->gid = gid;
	e->bind.uid = uid;
	e->ino = ino;
}

void ep_set_err(struct ep *e, int err)
{
	e->err = err;
	ep_wake(e, POLLERR | POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

int ep_take_err(struct ep *e)
{
	int r = -e->err;

	e->err = 0;
	return r;
}

int ep_error(struct ep *e)
{
	int r;

	mutex_lock(&e->mu);
	r = ep_take_err(e);
	mutex_unlock(&e->mu);
	return r;
}

/* ------------------------------------------------------------------ names */

void ep_fill_name(const struct ep *e, const struct ipaddr *ip, u16 port, struct net_sa *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->family = e->family;
	ret->port = port;
	ret->ip = *ip;
	if (e->family == AF_INET6) {
		if (ip_needs_scope(ip))
			ret->scope = e->o.bound_if;
	} else if (!ip_is4(ip)) {
		ret->ip = ip_any4();
	}
}

int ep_name(struct ep *e, bool peer, struct net_sa *ret)
{
	int r = 0;

	if (e->ops == &packet_ops)
		return packet_name(e, peer, ret);
	mutex_lock(&e->mu);
	/* Who has a peer without a port, as raw sockets mostly, has none to tell. */
	if (peer && (!e->connected || !e->rport || (e->ops->closed && e->ops->closed(e))))
		r = -ENOTCONN;
	else if (peer)
		ep_fill_name(e, &e->raddr, e->rport, ret);
	else    /* a raw socket's port is its protocol */
		ep_fill_name(e, &e->laddr, e->ops == &raw_ops ? e->proto : e->lport, ret);
	if (r == 0 && peer && e->family == AF_INET6 && e->o.flowinfo_send)
		ret->flowinfo = htonl(e->flowlabel);
	mutex_unlock(&e->mu);
	return r;
}

void ep_peer_was(struct ep *e, struct net_sa *ret)
{
	mutex_lock(&e->mu);
	ep_fill_name(e, &e->raddr, e->rport, ret);
	mutex_unlock(&e->mu);
}

int ep_check_bind(struct ep *e, const struct net_sa *sa, struct ipaddr *ret)
{
	struct stack *s = e->stack;
	struct ipaddr a = sa->ip;

	if (sa->family != e->family) {
		/* Linux takes AF_UNSPEC for INADDR_ANY. */
		if (e->family != AF_INET || sa->family != AF_UNSPEC || !ip_is_any(&a))
			return e->family == AF_INET && sa->family != AF_INET6 ? -EAFNOSUPPORT : -EINVAL;
		a = ip_any4();
	}
	if (e->family == AF_INET6 && e->bind.hashed)    /* here, unlike for IPv4, it is seen before the address is */
		return -EINVAL;
	if (e->family == AF_INET6 && ip_is4(&a) && e->o.v6only)
		return -EINVAL;
	if (ip_is_multicast(&a) && ip_needs_scope(&a) && !ip_is4(&a) && !sa->scope && !e->o.bound_if)
		return -EINVAL;
	if (!ip_is_any(&a) && !addr_is_group(s, &a) && !e->o.freebind &&
	    !e->o.transparent && !s->sysctl.nonlocal_bind[0]) {
		if (ip_needs_scope(&a) && !sa->scope && !e->o.bound_if)
			return -EINVAL;
		if (ip_needs_scope(&a) && sa->scope && !nic_by_index(s, sa->scope))
			return -ENODEV;
		if (!addr_is_local(s, &a))
			return -EADDRNOTAVAIL;
	}
	if (ip_needs_scope(&a) && sa->scope) {
		if (e->o.bound_if && e->o.bound_if != sa->scope)
			return -EINVAL;
		if (!nic_by_index(s, sa->scope))
			return -ENODEV;
		e->o.bound_if = sa->scope;
	}
	*ret = a;
	return 0;
}

/* Where an endpoint that is bound to no interface would like to send to @a from: 0, anywhere. */
static u32 preferred_if(const struct ep *e, const struct ipaddr *a)
{
	if (ip_is_multicast(a))
		return e->o.mc_if;
	return e->type == SOCK_STREAM ? 0 : ip_is4(a) ? e->o.uc_if : e->o.uc_if6;
}

int ep_check_dst(struct ep *e, const struct net_sa *sa, struct ipaddr *ret, u32 *ret_oif)
{
	struct ipaddr a = sa->ip;
	u32 oif = e->o.bound_if;

	if (sa->family != e->family) {
		if (e->family == AF_INET6 && sa->family == AF_INET && !e->o.v6only)
			;       /* v4 on a dual-stack socket, as Linux' udpv6_sendmsg */
		else
			return e->family == AF_INET6 && sa->family == AF_INET ? -ENETUNREACH : -EAFNOSUPPORT;
	}
	if (e->family == AF_INET6 && ip_is4(&a) && e->o.v6only)
		return -ENETUNREACH;
	if (ip_is_any(&a)) {
		if (ip_is4(&a) || ip_is4(&e->laddr))
			a = ip_from4n(0x7f000001);
		else
			a.b[15] = 1;
	}
	if (ip_is4(&e->laddr) && ip_is_any(&e->laddr) && !ip_is4(&a))
		return -EAFNOSUPPORT;
	/* A source that connect() chose for IPv6 keeps no datagram from IPv4. */
	if (ip_is4(&a) && !ip_is4(&e->laddr) && !ip_is_any(&e->laddr) && (e->addr_bound || e->ops != &udp_ops))
		return -ENETUNREACH;
	if (ip_needs_scope(&a) && sa->scope) {
		if (oif && oif != sa->scope)
			return -EINVAL;
		oif = sa->scope;
	}
	if (!oif)
		oif = preferred_if(e, &a);
	*ret = a;
	*ret_oif = oif;
	return 0;
}

int ep_route(struct ep *e)
{
	struct rt rt;
	struct ipaddr to = e->raddr;
	u32 oif = e->o.bound_if;
	int r;

	if (e->rt.valid && e->rt.gen == stack_gen(e->stack))
		return 0;
	if (e->opts4 && e->opts4->srr && ip_is4(&to))
		to = ip_from4(e->opts4->hop);
	if (e->ext6 && e->ext6->x.h[IP6EXT_RT] && !ip_is4(&to))
		to = ip_from6(ip6ext_hop(&e->ext6->x));
	if (!oif)
		oif = preferred_if(e, &e->raddr);
	r = rt_lookup(e->stack, &to, &e->laddr, oif,
		      (e->o.dontroute ? RT_DONTROUTE : 0) | (e->o.freebind ? RT_NO_SRC_CHECK : 0), &rt);
	if (r < 0)
		return r;
	e->rt = rt;
	return 0;
}

u32 ep_bind_flags(const struct ep *e)
{
	return (e->o.reuseaddr ? BIND_REUSEADDR : 0) | (e->o.reuseport ? BIND_REUSEPORT : 0) |
	       (e->o.v6only ? BIND_V6ONLY : 0) | (e->family == AF_INET6 ? BIND_V6 : 0) |
	       (e->o.service ? BIND_SERVICE : 0);
}

/* ------------------------------------------------------------------ verbs */

int ep_bind(struct ep *e, const struct net_sa *sa)
{
	return e->ops->bind ? e->ops->bind(e, sa) : -EOPNOTSUPP;
}

int ep_bind_addr(struct ep *e, const struct net_sa *sa)
{
	struct ipaddr a;

	return ep_check_bind(e, sa, &a);
}

int ep_bind_service(struct ep *e, const struct net_sa *sa)
{
	mutex_lock(&e->mu);
	e->o.service = true;
	mutex_unlock(&e->mu);
	return ep_bind(e, sa);
}

int ep_connect_start(struct ep *e, const struct net_sa *sa)
{
	int r = e->ops->connect ? e->ops->connect(e, sa) : -EOPNOTSUPP;

	backlog_drain(e->stack);
	return r;
}

int ep_connect_result(struct ep *e) { return e->ops == &tcp_ops ? tcp_connect_result(e) : ep_error(e); }

int ep_connect(struct ep *e, const struct net_sa *sa)
{
	int r = ep_connect_start(e, sa);

	/* Over loopback the handshake is done already. */
	return r == -EINPROGRESS ? ep_connect_result(e) : r;
}

int ep_listen(struct ep *e, int backlog)
{
	return e->ops->listen ? e->ops->listen(e, backlog) : -EOPNOTSUPP;
}

int ep_accept(struct ep *e, struct net_sa *peer, struct ep **ret)
{
	return e->ops->accept ? e->ops->accept(e, peer, ret) : -EOPNOTSUPP;
}

int ep_shutdown(struct ep *e, int how)
{
	int r;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	r = e->ops->shutdown ? e->ops->shutdown(e, how) : -EOPNOTSUPP;
	backlog_drain(e->stack);
	return r;
}

u32 ep_poll(struct ep *e)
{
	u32 ev;

	mutex_lock(&e->mu);
	ev = e->ops->poll(e);
	mutex_unlock(&e->mu);
	return ev;
}

/* A Fast Open send whose handshake is done already (loopback): the rest follows. */
static ssize_t send_rest(struct ep *e, struct net_msg *m)
{
	size_t taken = m->taken;
	ssize_t r = tcp_connect_result(e);

	if (r < 0 || taken == m->io->len)
		return r < 0 ? r : (ssize_t)taken;
	m->flags &= ~(u32)MSG_FASTOPEN;
	m->io->len -= taken;
	r = e->ops->send(e, m);
	backlog_drain(e->stack);
	return r >= 0 ? r + (ssize_t)taken : taken ? (ssize_t)taken : r;
}

ssize_t ep_send(struct ep *e, struct net_msg *m)
{
	ssize_t r;

	m->taken = 0;
	r = e->ops->send ? e->ops->send(e, m) : -EOPNOTSUPP;
	backlog_drain(e->stack);
	return r == -EINPROGRESS && e->ops == &tcp_ops ? send_rest(e, m) : r;
}

ssize_t ep_recv(struct ep *e, struct net_msg *m)
{
	ssize_t r;

	m->ret_flags = 0;
	if (m->flags & MSG_ERRQUEUE)
		return errq_recv(e, m);
	r = e->ops->recv(e, m);
	backlog_drain(e->stack);
	return r;
}

int ep_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len)
{
	int r = e->ops->setsockopt ? e->ops->setsockopt(e, level, opt, val, len) : -ENOPROTOOPT;

	if (r == -ENOPROTOOPT)
		r = epopt_set(e, level, opt, val, len);
	backlog_drain(e->stack);
	return r;
}

int ep_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len)
{
	int r = e->ops->getsockopt ? e->ops->getsockopt(e, level, opt, val, len) : -ENOPROTOOPT;

	/* An option that a protocol does not know on its own level. */
	if (r == -ENOPROTOOPT && (e->type == SOCK_RAW ? level == SOL_RAW : level == (int)e->proto))
		return r;
	return r == -ENOPROTOOPT ? epopt_get(e, level, opt, val, len) : r;
}

u64 ep_rcvtimeo(struct ep *e) { return __atomic_load_n(&e->o.rcvtimeo, __ATOMIC_RELAXED); }
u64 ep_sndtimeo(struct ep *e) { return __atomic_load_n(&e->o.sndtimeo, __ATOMIC_RELAXED); }

long ep_inq(struct ep *e) { return e->ops->inq ? e->ops->inq(e) : -EOPNOTSUPP; }
long ep_outq(struct ep *e) { return e->ops->outq ? e->ops->outq(e, false) : -EOPNOTSUPP; }
long ep_outq_unsent(struct ep *e) { return e->ops->outq ? e->ops->outq(e, true) : -EOPNOTSUPP; }
int ep_atmark(struct ep *e) { return e->ops == &tcp_ops ? tcp_atmark(e) : -ENOTTY; }

u64 ep_last_stamp(struct ep *e)
{
	u64 t;

	mutex_lock(&e->mu);
	t = e->last_stamp;
	e->o.laststamp = true;
	mutex_unlock(&e->mu);
	return t;
}
