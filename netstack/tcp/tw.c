/*
 * tw.c - TIME_WAIT: a small stand-in for a connection that closed first.
 *
 * It answers late segments for 60 s, and may be recycled early by a SYN that
 * is provably newer (RFC 6191).  Bounded by tcp_max_tw_buckets.
 */
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/nic.h"
#include "netstack/tcp/tcp.h"

struct ref *conn_mini_ref(struct connnode *n)
{
	if (n->kind == CONN_TW)
		return &container_of(n, struct tcp_tw, conn)->ref;
	return &container_of(n, struct synreq, conn)->ref;
}

/* A port that somebody bound stays taken; one that connect() chose need not. */
static void tw_hold_port(struct tcp_tw *w, const struct bindnode *b)
{
	if (!b->hashed || (b->flags & BIND_AUTO))
		return;
	w->bind = (struct bindnode){
		.laddr = w->conn.key.laddr, .raddr = w->conn.key.raddr, .lport = b->lport, .rport = b->rport,
		.ifindex = b->ifindex, .uid = b->uid, .flags = b->flags & ~(u32)BIND_LISTEN, .proto = b->proto,
	};
	port_bind_kid(w->stack, &w->bind);
}

static void tw_free(struct tcp_tw *w)
{
	struct stack *s = w->stack;

	timers_unreserve(&s->timers);
	atomic_fetch_sub(&s->conns.n_tw, 1);
	kfree(w);
}

void conn_mini_free(struct connnode *n)
{
	if (n->kind == CONN_TW)
		tw_free(container_of(n, struct tcp_tw, conn));
	else
		req_free(container_of(n, struct synreq, conn));
}

/* Out of the table, timer off. */
static void tw_kill(struct tcp_tw *w)
{
	if (ntimer_cancel(&w->stack->timers, &w->timer))
		conn_unref(&w->conn);
	port_unbind(w->stack, &w->bind);
	if (conn_remove(w->stack, &w->conn))
		conn_unref(&w->conn);
}

static void tw_expire(struct ntimer *n)
{
	struct tcp_tw *w = container_of(n, struct tcp_tw, timer);

	port_unbind(w->stack, &w->bind);
	if (conn_remove(w->stack, &w->conn))
		conn_unref(&w->conn);
	conn_unref(&w->conn);
}

static void tw_arm(struct tcp_tw *w)
{
	w->due = stack_now(w->stack) + TCP_TW_NS;
	if (ntimer_set(&w->stack->timers, &w->timer, w->due))
		conn_ref(&w->conn);
}

void tcp_time_wait(struct tcp_ep *t)
{
	struct stack *s = t->ep.stack;
	struct tcp_tw *w = NULL;

	if (atomic_load(&s->conns.n_tw) < (u32)s->sysctl.tcp_max_tw[0] && timers_reserve(&s->timers) == 0) {
		w = knew(struct tcp_tw);
		if (!w)
			timers_unreserve(&s->timers);
	}
	if (w) {
		u32 win = rcv_select_window(t) >> t->rcv_wscale;

		atomic_fetch_add(&s->conns.n_tw, 1);
		MIB(s, TcpExt_TW);
		w->conn.kind = CONN_TW;
		w->conn.key = t->conn.key;
		ref_init(&w->ref);              /* the table's */
		w->stack = s;
		w->timer.fn = tw_expire;
		w->snd_nxt = t->snd_nxt;
		w->rcv_nxt = t->rcv_nxt;
		w->ts_ok = t->ts_ok;
		w->ts_recent = t->ts_recent;
		w->ts_off = t->ts_off;
		w->ts_at = stack_now(s);
		w->wnd = (u16)MIN(win, 65535u);
		w->uid = t->ep.uid;
		w->v6 = t->ep.family == AF_INET6;
		w->rt = t->ep.rt;
		tw_hold_port(w, &t->ep.bind);
		if (conn_replace(s, &t->conn, &w->conn)) {
			t->in_table = false;
			tw_arm(w);
			ep_unref(&t->ep);       /* the table's reference of the connection */
		} else {
			port_unbind(w->stack, &w->bind);
			conn_unref(&w->conn);
		}
	}
	tcp_done(t, 0);
}

static void tw_ack(struct tcp_tw *w)
{
	struct tcp_reply r = { .key = w->conn.key, .seq = w->snd_nxt, .ack = w->rcv_nxt,
			       .flags = TH_ACK, .wnd = w->wnd };

	if (w->ts_ok) {
		r.o.has_ts = true;
		r.o.tsval = tcp_tsval(w->stack, w->ts_off);
		r.o.tsecr = w->ts_recent;
	}
	tcp_send_reply(w->stack, &w->rt, &r);
}

void tw_input(struct nic *n, struct tcp_tw *w, struct pktbuf *p, struct tcp_seg *g, bool *ret_again)
{
	bool newer = w->ts_ok && g->o.has_ts && (s32)(g->o.tsval - w->ts_recent) > 0;

	(void)n;
	/* A new connection may take over when its numbers cannot be mistaken. */
	if ((g->h.flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN &&
	    (newer || seq_gt(g->h.seq, w->rcv_nxt))) {
		tw_kill(w);
		*ret_again = true;
		return;
	}
	if (g->h.flags & TH_RST) {
		if (g->h.seq == w->rcv_nxt)
			tw_kill(w);             /* RFC 1337 hazards are the sender's own */
	} else if (g->h.flags & (TH_SYN | TH_FIN) || g->len || g->h.seq != w->rcv_nxt) {
		if ((g->h.flags & TH_FIN) && g->end == w->rcv_nxt)
			tw_arm(w);              /* our last ACK was lost: wait anew */
		tw_ack(w);
	}
	pkt_free(p);
}

/* connect() to a 4-tuple in TIME_WAIT: allowed after a second when timestamps protect. */
bool tw_recycle(struct stack *s, const struct connkey *k, u32 *ret_isn)
{
	struct connnode *c = conn_lookup(s, k);
	struct tcp_tw *w;
	bool ok = false, lo;

	if (!c)
		return true;
	if (c->kind == CONN_TW) {
		w = container_of(c, struct tcp_tw, conn);
		lo = ip_is_loopback(&k->raddr);
		if ((s->sysctl.tcp_tw_reuse[0] == 1 || (s->sysctl.tcp_tw_reuse[0] == 2 && lo)) && w->ts_ok &&
		    stack_now(s) - w->ts_at > NSEC_S) {
			*ret_isn = w->snd_nxt + 65535 + 2;
			tw_kill(w);
			ok = true;
		}
	}
	conn_unref(c);
	return ok;
}

/* Half-open requests and TIME_WAITs for ep_dump(). */
int tcp_dump_mini(struct stack *s, ep_dump_fn *fn, void *arg)
{
	struct connnode *c[16];
	u32 b;
	int i, n, skip, r = 0;

	for (b = 0; b < CONN_BUCKETS && r == 0; b++)
		for (skip = 0; r == 0; skip += n) {
			n = conn_bucket_nodes(s, b, skip, c, ARRAY_SIZE(c));
			for (i = 0; i < n; i++) {
				struct ep_info x = { .type = SOCK_STREAM, .proto = 6 };
				const struct connkey *k = &c[i]->key;

				if (c[i]->kind != CONN_EP && r == 0) {
					x.family = ip_is4(&k->laddr) ? AF_INET : AF_INET6;
					x.state = c[i]->kind == CONN_TW ? TCPS_TIME_WAIT : TCPS_SYN_RECV;
					x.local = (struct net_sa){ .family = x.family, .port = k->lport, .ip = k->laddr };
					x.remote = (struct net_sa){ .family = x.family, .port = k->rport, .ip = k->raddr };
					if (c[i]->kind == CONN_TW) {
						struct tcp_tw *w = container_of(c[i], struct tcp_tw, conn);
						u64 now = stack_now(s);

						x.timer = 3;
						x.timer_ns = w->due > now ? w->due - now : 0;
						x.uid = w->uid;
						if (w->v6)
							x.family = x.local.family = x.remote.family = AF_INET6;
					}
					r = fn(arg, &x);
				}
				conn_unref(c[i]);
			}
			if (n < (int)ARRAY_SIZE(c))
				break;
		}
	return r;
}

void tcp_stack_done(struct stack *s)
{
	struct connnode *c;
	u32 b;

	for (b = 0; b < CONN_BUCKETS; b++)
		while (conn_bucket_nodes(s, b, 0, &c, 1) == 1) {
			if (c->kind == CONN_TW) {
				tw_kill(container_of(c, struct tcp_tw, conn));
			} else if (c->kind == CONN_EP) {
				struct tcp_ep *t = tcp_of_conn(c);

				mutex_lock(&t->ep.mu);
				tcp_done(t, 0);
				mutex_unlock(&t->ep.mu);
			} else {
				req_kill(container_of(c, struct synreq, conn));
			}
			conn_unref(c);
		}
}
