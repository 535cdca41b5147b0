/*
 * netlink_diag.c - sock_diag(7): TCP and UDP sockets for ss(8).
 *
 * Dumps only; AF_UNIX is -ENOENT, as on a kernel without that module: readers fall back to /proc.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include "netstack/api.h"
#include "sentry/socket/netlink.h"

struct walk { struct nl_dump *d; struct nl_buf *b; u32 i; bool full; };

static void put_ip(__be32 *dst, const struct ipaddr *ip, bool v4)
{
	memcpy(dst, v4 ? ip->b + 12 : ip->b, v4 ? 4 : 16);
}

static int one(void *arg, const struct ep_info *e)
{
	struct walk *w = arg;
	bool v4 = e->family == AF_INET;
	struct inet_diag_msg m = {
		.idiag_family = (u8)e->family, .idiag_state = e->state, .idiag_timer = e->timer,
		.idiag_retrans = (u8)MIN(e->retrans, 255u), .idiag_expires = (u32)(e->timer_ns / 1000000),
		.idiag_rqueue = e->rqueue, .idiag_wqueue = e->wqueue, .idiag_uid = e->uid, .idiag_inode = (u32)e->ino,
	};

	if (w->i++ < w->d->pos)
		return 0;
	if (e->family == w->d->family && e->state < 32 && (w->d->states & (1u << e->state))) {
		m.id.idiag_sport = htons(e->local.port);
		m.id.idiag_dport = htons(e->remote.port);
		m.id.idiag_if = e->ifindex;
		m.id.idiag_cookie[0] = (u32)e->cookie;
		m.id.idiag_cookie[1] = (u32)(e->cookie >> 32);
		put_ip(m.id.idiag_src, &e->local.ip, v4);
		put_ip(m.id.idiag_dst, &e->remote.ip, v4);
		nl_begin(w->b, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, w->d->seq, w->d->portid, &m, sizeof(m));
		nl_attr_u8(w->b, INET_DIAG_SHUTDOWN, e->shutdown);
		w->full = !nl_end(w->b);
		if (w->full)
			return 1;
	}
	w->d->pos = w->i;
	return 0;
}

static int dump_inet(struct nl_dump *d, struct nl_buf *b)
{
	struct walk w = { .d = d, .b = b };

	(void)!ep_dump(d->st, (int)d->proto, one, &w);
	return w.full;
}

int netlink_sock_diag(struct nl_req *q)
{
	struct inet_diag_req_v2 m;

	if (q->h.nlmsg_type != SOCK_DIAG_BY_FAMILY || !nl_fixed(q, &m, sizeof(m), 2))
		return -EINVAL;
	if (m.sdiag_family != AF_INET && m.sdiag_family != AF_INET6)
		return -ENOENT;
	if (q->len < sizeof(m))
		return -EINVAL;
	if (m.sdiag_protocol != IPPROTO_TCP && m.sdiag_protocol != IPPROTO_UDP)
		return -ENOENT;
	if (!(q->h.nlmsg_flags & NLM_F_DUMP))
		return -EOPNOTSUPP;
	q->dump->fill = dump_inet;
	q->dump->st = q->st;
	q->dump->family = m.sdiag_family;
	q->dump->proto = m.sdiag_protocol;
	q->dump->states = m.idiag_states;
	return NL_DUMP;
}
