/*
 * netlink_diag.c - sock_diag(7): TCP and UDP sockets for ss(8).
 *
 * With what the request's idiag_ext asks for: TCP_INFO (ss -i), congestion control, memory (ss -m), TOS.
 * Dumps are of those that the request's program (diag_filter.h) chooses; one socket may be asked for, and broken off
 * (SOCK_DESTROY, with CAP_NET_ADMIN), by its ends.  AF_UNIX is -ENOENT, as on a kernel without that module: readers fall back to /proc.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "sentry/kernel/cred.h"
#include "sentry/socket/diag_filter.h"
#include "sentry/socket/net.h"
#include "sentry/socket/netlink.h"

struct walk { struct nl_dump *d; struct nl_buf *b; u32 i; bool full; };

static void put_ip(__be32 *dst, const struct ipaddr *ip, bool v4)
{
	memcpy(dst, v4 ? ip->b + 12 : ip->b, v4 ? 4 : 16);
}

static bool wants(const struct nl_dump *d, int attr) { return d->ext & (1u << (attr - 1)); }

static void put_extras(struct nl_buf *b, const struct nl_dump *d, const struct ep_info *e)
{
	u32 sk[SK_MEMINFO_VARS] = {
		[SK_MEMINFO_RMEM_ALLOC] = e->rmem, [SK_MEMINFO_RCVBUF] = e->rcvbuf, [SK_MEMINFO_WMEM_ALLOC] = e->wmem,
		[SK_MEMINFO_SNDBUF] = e->sndbuf, [SK_MEMINFO_WMEM_QUEUED] = e->wmem, [SK_MEMINFO_DROPS] = e->drops,
	};
	struct inet_diag_meminfo mem = { .idiag_rmem = e->rmem, .idiag_wmem = e->wmem };

	nl_attr_u8(b, INET_DIAG_SHUTDOWN, e->shutdown);
	if (wants(d, INET_DIAG_TOS))
		nl_attr_u8(b, INET_DIAG_TOS, e->tos);
	if (wants(d, INET_DIAG_TCLASS) && e->family == AF_INET6)
		nl_attr_u8(b, INET_DIAG_TCLASS, e->tclass);
	if (wants(d, INET_DIAG_MEMINFO))
		nl_attr(b, INET_DIAG_MEMINFO, &mem, sizeof(mem));
	if (wants(d, INET_DIAG_SKMEMINFO))
		nl_attr(b, INET_DIAG_SKMEMINFO, sk, sizeof(sk));
	if (wants(d, INET_DIAG_CONG) && e->cong[0])
		nl_attr_str(b, INET_DIAG_CONG, e->cong);
	if (wants(d, INET_DIAG_INFO) && e->tcp_info_len)
		nl_attr(b, INET_DIAG_INFO, e->tcp_info, e->tcp_info_len);
}

static bool chosen(const struct nl_dump *d, const struct ep_info *e)
{
	if (e->family != d->family || e->state >= 32 || !(d->states & (1u << e->state)))
		return false;
	if ((d->sport && d->sport != e->local.port) || (d->dport && d->dport != e->remote.port))
		return false;
	return !d->code || diag_filter_run(d->code, d->code_len, e);
}

/* One message; false: no room. */
static bool put_socket(struct nl_buf *b, const struct nl_dump *d, u16 flags, const struct ep_info *e)
{
	bool v4 = e->family == AF_INET;
	struct inet_diag_msg m = {
		.idiag_family = (u8)e->family, .idiag_state = e->state, .idiag_timer = e->timer,
		.idiag_retrans = (u8)MIN(e->retrans, 255u), .idiag_expires = (u32)(e->timer_ns / 1000000),
		.idiag_rqueue = e->rqueue, .idiag_wqueue = e->wqueue, .idiag_uid = e->uid, .idiag_inode = (u32)e->ino,
	};

	m.id.idiag_sport = htons(e->local.port);
	m.id.idiag_dport = htons(e->remote.port);
	m.id.idiag_if = e->ifindex;
	m.id.idiag_cookie[0] = (u32)e->cookie;
	m.id.idiag_cookie[1] = (u32)(e->cookie >> 32);
	put_ip(m.id.idiag_src, &e->local.ip, v4);
	put_ip(m.id.idiag_dst, &e->remote.ip, v4);
	nl_begin(b, SOCK_DIAG_BY_FAMILY, flags, d->seq, d->portid, &m, sizeof(m));
	put_extras(b, d, e);
	return nl_end(b);
}

static int one(void *arg, const struct ep_info *e)
{
	struct walk *w = arg;

	if (w->i++ < w->d->pos)
		return 0;
	if (chosen(w->d, e)) {
		w->full = !put_socket(w->b, w->d, NLM_F_MULTI, e);
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

/* The request's program, a copy that the dump keeps. */
static int take_program(struct nl_req *q)
{
	u32 len;
	const u8 *code = nl_find(q, sizeof(struct inet_diag_req_v2), INET_DIAG_REQ_BYTECODE, 0, &len);
	int r;

	if (!code)
		return 0;
	r = diag_filter_check(code, len, net_capable(q->t, q->net, CAP_NET_ADMIN));
	if (r < 0)
		return r;
	q->dump->code = kbuf_alloc(len);
	if (!q->dump->code)
		return -ENOMEM;
	memcpy(q->dump->code, code, len);
	q->dump->code_len = len;
	return 0;
}

/* ---- one socket, by its ends ---- */

struct search {
	const struct inet_diag_req_v2 *m;
	struct ep_info *found;
	int best;                       /* 0 nothing, 1 bound to any address, 2 to this one, 3 and connected */
};

static bool is_any(const struct ep_info *e)
{
	static const u8 zero[16];

	return memcmp(e->family == AF_INET ? e->local.ip.b + 12 : e->local.ip.b, zero, e->family == AF_INET ? 4 : 16) == 0;
}

static int look(void *arg, const struct ep_info *e)
{
	struct search *s = arg;
	const struct inet_diag_sockid *id = &s->m->id;
	bool v4 = e->family == AF_INET, here, there;
	__be32 ip[4] = { 0 };
	int n = v4 ? 4 : 16, good;

	if (e->family != s->m->sdiag_family || !e->cookie || e->local.port != ntohs(id->idiag_sport) ||
	    (e->ifindex && e->ifindex != id->idiag_if))
		return 0;
	put_ip(ip, &e->local.ip, v4);
	here = memcmp(ip, id->idiag_src, (size_t)n) == 0;
	put_ip(ip, &e->remote.ip, v4);
	there = e->remote.port == ntohs(id->idiag_dport) && memcmp(ip, id->idiag_dst, (size_t)n) == 0;
	good = here && there && e->remote.port ? 3 : e->remote.port ? 0 : here ? 2 : is_any(e) ? 1 : 0;
	if (good > s->best) {
		s->best = good;
		*s->found = *e;
	}
	return 0;
}

/* 0, or -ENOENT: also when it is another one than the caller has seen. */
static int find_one(struct nl_req *q, const struct inet_diag_req_v2 *m, struct ep_info *ret)
{
	struct search s = { .m = m, .found = ret };

	(void)!ep_dump(q->st, m->sdiag_protocol, look, &s);
	if (!s.best)
		return -ENOENT;
	if ((m->id.idiag_cookie[0] != UINT32_MAX || m->id.idiag_cookie[1] != UINT32_MAX) &&
	    (m->id.idiag_cookie[0] != (u32)ret->cookie || m->id.idiag_cookie[1] != (u32)(ret->cookie >> 32)))
		return -ENOENT;
	return 0;
}

static int exact(struct nl_req *q, const struct inet_diag_req_v2 *m)
{
	struct nl_dump d = { .seq = q->h.nlmsg_seq, .portid = q->portid, .ext = m->idiag_ext };
	struct ep_info e;
	int r = find_one(q, m, &e);

	if (r < 0)
		return r;
	if (q->h.nlmsg_type == SOCK_DESTROY)
		return net_capable(q->t, q->net, CAP_NET_ADMIN) ? ep_destroy(q->st, e.cookie) : -EPERM;
	(void)put_socket(q->reply, &d, 0, &e);
	return 0;
}

int netlink_sock_diag(struct nl_req *q)
{
	struct inet_diag_req_v2 m;
	int r;

	if ((q->h.nlmsg_type != SOCK_DIAG_BY_FAMILY && q->h.nlmsg_type != SOCK_DESTROY) || !nl_fixed(q, &m, sizeof(m), 2))
		return -EINVAL;
	if (m.sdiag_family != AF_INET && m.sdiag_family != AF_INET6)
		return -ENOENT;
	if (q->len < sizeof(m))
		return -EINVAL;
	if (m.sdiag_protocol != IPPROTO_TCP && m.sdiag_protocol != IPPROTO_UDP)
		return -ENOENT;
	if (q->h.nlmsg_type == SOCK_DESTROY || !(q->h.nlmsg_flags & NLM_F_DUMP))
		return exact(q, &m);
	q->dump->fill = dump_inet;
	q->dump->st = q->st;
	q->dump->family = m.sdiag_family;
	q->dump->proto = m.sdiag_protocol;
	q->dump->states = m.idiag_states;
	q->dump->ext = m.idiag_ext;
	q->dump->sport = ntohs(m.id.idiag_sport);
	q->dump->dport = ntohs(m.id.idiag_dport);
	r = take_program(q);
	if (r < 0)
		return r;
	return NL_DUMP;
}
