/*
 * dump.c - listing endpoints for /proc/net and sock_diag.
 *
 * Endpoints are snapshotted a few at a time with references, and shown without
 * any lock held, so that a long listing disturbs nobody.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "netstack/core/ep.h"
#include "netstack/tcp/tcp.h"

#define BATCH 32

static void generic_info(struct ep *e, struct ep_info *i)
{
	memset(i, 0, sizeof(*i));
	i->family = e->family;
	i->type = e->type;
	i->proto = e->proto;
	i->shutdown = e->shut;
	ep_fill_name(e, &e->laddr, e->lport, &i->local);
	ep_fill_name(e, &e->raddr, e->rport, &i->remote);
	i->state = e->connected ? 1 : 7;
	i->ifindex = e->o.bound_if;
	i->mark = e->o.mark;
	i->uid = e->uid;
	i->ino = e->ino;
	i->cookie = e->cookie;
	i->rqueue = i->rmem = e->rmem;
	i->wmem = i->wqueue = e->wmem;
	i->rcvbuf = e->o.rcvbuf;
	i->sndbuf = e->o.sndbuf;
	i->drops = e->drops;
	i->tos = e->o.tos;
	i->tclass = e->o.tclass;
	i->port_chosen = !e->bind.hashed || (e->bind.flags & BIND_AUTO);
}

static void ep_info_fill(struct ep *e, struct ep_info *i)
{
	mutex_lock(&e->mu);
	generic_info(e, i);
	if (e->ops->info)
		e->ops->info(e, i);
	mutex_unlock(&e->mu);
}

static bool wanted(const struct ep *e, int proto)
{
	if (proto == 0)
		return e->ops == &packet_ops;
	if (proto == IPPROTO_RAW)
		return e->ops == &raw_ops;
	if (proto == IPPROTO_TCP)
		return e->ops == &tcp_ops;
	if (proto == IPPROTO_UDP)
		return e->ops == &udp_ops;
	return e->ops == &ping_ops && e->proto == proto;
}

/* Up to BATCH endpoints with cookies above @after, in list order. */
static int batch(struct stack *s, int proto, u64 after, struct ep **ret)
{
	struct ep *e;
	int n = 0;

	mutex_lock(&s->eps_mu);
	list_for_each(e, &s->eps, all_node) {
		if (e->cookie <= after || !wanted(e, proto))
			continue;
		if (!ref_get_unless_zero(&e->ref))
			continue;
		ret[n++] = e;
		if (n == BATCH)
			break;
	}
	mutex_unlock(&s->eps_mu);
	return n;
}

int ep_dump(struct stack *s, int proto, ep_dump_fn *fn, void *arg)
{
	struct ep *e[BATCH];
	struct ep_info info;
	u64 after = 0;
	int n, i, r = 0;

	do {
		n = batch(s, proto, after, e);
		for (i = 0; i < n; i++) {
			after = e[i]->cookie;
			if (r == 0) {
				ep_info_fill(e[i], &info);
				if (proto != IPPROTO_TCP || info.state != 7)
					r = fn(arg, &info);
			}
			ep_unref(e[i]);
		}
	} while (n == BATCH && r == 0);
	if (r == 0 && proto == IPPROTO_TCP)
		r = tcp_dump_mini(s, fn, arg);
	return r;
}

int ep_destroy(struct stack *s, u64 cookie)
{
	struct ep *e, *hit = NULL;
	int r = -ENOENT;

	mutex_lock(&s->eps_mu);
	list_for_each(e, &s->eps, all_node) {
		if (e->cookie == cookie && ref_get_unless_zero(&e->ref)) {
			hit = e;
			break;
		}
	}
	mutex_unlock(&s->eps_mu);
	if (hit)
		r = hit->ops->abort ? hit->ops->abort(hit, ECONNABORTED) : -EOPNOTSUPP;
	ep_unref(hit);
	backlog_drain(s);
	return r;
}
