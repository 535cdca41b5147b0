/*
 * listen.c - listeners: half-open requests, the accept queue.
 *
 * A request (struct synreq) stands in the connection table until its handshake
 * is done; then a full endpoint takes its place and waits in the accept queue
 * with one reference.  Requests and queue are guarded by the listener's mu.
 * Bounds: backlog for each of them; beyond it SYN cookies.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include "platform/base/alloc.h"
#include "netstack/core/nic.h"
#include "netstack/ip/ip.h"
#include "netstack/tcp/tcp.h"

static void req_timer(struct ntimer *n);

void req_free(struct synreq *q)
{
	timers_unreserve(&q->stack->timers);
	atomic_fetch_sub(&q->stack->conns.n_req, 1);
	ep_unref(&q->listener->ep);
	kfree(q->opts4);
	kfree(q);
}

/* listener->mu held; the caller holds a reference. */
void req_kill(struct synreq *q)
{
	q->dead = true;
	if (q->in_list) {
		list_del_init(&q->node);
		q->in_list = false;
		q->listener->aq->nreq--;
	}
	if (ntimer_cancel(&q->stack->timers, &q->timer))
		conn_unref(&q->conn);
	if (conn_remove(q->stack, &q->conn))
		conn_unref(&q->conn);
}

static u16 reply_mss(const struct rt *rt, const struct connkey *k)
{
	u32 mtu = MIN((u32)rt->nic->mtu, 65535u), h = ip_is4(&k->raddr) ? 40 : 60;

	return (u16)(mtu > h + TCP_MSS_MIN ? mtu - h : TCP_MSS_MIN);
}

static void send_synack(struct synreq *q)
{
	struct tcp_reply r = { .key = q->conn.key, .seq = q->iss, .ack = q->irs + 1,
			       .flags = TH_SYN | TH_ACK, .tos = q->tos, .opts4 = q->opts4 };
	u32 win = q->listener->ep.o.rcvbuf / 2;
	struct ip6_ext x;

	if (q->listener->ep.ext6) {
		x = ip6ext_sent(&q->listener->ep.ext6->x);
		r.ext6 = &x;
	}
	if (q->ecn_ok)
		r.flags |= TH_ECE;
	r.wnd = (u16)MIN(win, 65535u);
	r.o.has_mss = true;
	r.o.mss = reply_mss(&q->rt, &q->conn.key);
	if (q->listener->user_mss)
		r.o.mss = MIN(r.o.mss, q->listener->user_mss);
	r.o.sack_ok = q->sack_ok;
	r.o.has_wscale = q->wscale_ok;
	r.o.wscale = q->rcv_wscale;
	if (q->ts_ok) {
		r.o.has_ts = true;
		r.o.tsval = tcp_tsval(q->stack, q->ts_off);
		r.o.tsecr = q->ts_recent;
	}
	if (!q->retries)
		tfo_put(&r.o, &q->fo);
	tcp_send_reply(q->stack, &q->rt, &r);
}

static void req_arm(struct synreq *q, u64 now)
{
	if (ntimer_set(&q->stack->timers, &q->timer, now + (TCP_RTO_INIT << MIN(q->retries, 7))))
		conn_ref(&q->conn);
}

static void req_timer(struct ntimer *n)
{
	struct synreq *q = container_of(n, struct synreq, timer);
	struct tcp_ep *l = q->listener;

	mutex_lock(&l->ep.mu);
	if (!q->dead) {
		if (q->retries >= q->stack->sysctl.tcp_synack_retries[0]) {
			req_kill(q);
		} else {
			q->retries++;
			if (!q->acked || q->retries > 1)
				send_synack(q);
			MIB(q->stack, Tcp_RetransSegs);
			req_arm(q, stack_now(q->stack));
		}
	}
	mutex_unlock(&l->ep.mu);
	conn_unref(&q->conn);
}

static void send_cookie(struct tcp_ep *l, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	struct stack *s = n->stack;
	struct ip4_opts opts;
	struct tcp_reply r = { .flags = TH_SYN | TH_ACK, .ack = g->h.seq + 1, .opts4 = &opts };
	struct rt rt;

	r.key = (struct connkey){ p->dst, p->src, g->h.dport, g->h.sport };
	if (!tcp_opts_echo(s, p, &opts) ||
	    rt_lookup(s, &p->src, &p->dst, ip_needs_scope(&p->src) ? n->ifindex : 0, RT_NO_SRC_CHECK, &rt) < 0)
		return;
	r.seq = cookie_make(s, &r.key, g->h.seq, g->o.has_mss ? g->o.mss : TCP_MSS_DEFAULT);
	r.wnd = (u16)MIN(l->ep.o.rcvbuf / 2, 65535u);
	r.o.has_mss = true;
	r.o.mss = reply_mss(&rt, &r.key);
	MIB(s, TcpExt_SyncookiesSent);
	tcp_send_reply(s, &rt, &r);
}

/* Without memory, or a way to turn them round, an answer goes without. */
static void keep_opts(struct synreq *q, const struct pktbuf *p)
{
	struct ip4_opts o;

	if (!p->ext || !tcp_opts_echo(q->stack, p, &o) || !o.len)
		return;
	q->opts4 = knew(struct ip4_opts);
	if (q->opts4)
		*q->opts4 = o;
}

static struct synreq *req_new(struct tcp_ep *l, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	struct stack *s = n->stack;
	struct synreq *q = knew(struct synreq);
	const struct net_sysctl *y = &s->sysctl;

	if (!q)
		return NULL;
	if (timers_reserve(&s->timers) < 0) {
		kfree(q);
		return NULL;
	}
	q->stack = s;
	q->listener = l;
	ep_ref(&l->ep);
	atomic_fetch_add(&s->conns.n_req, 1);
	ref_init(&q->ref);
	list_init(&q->node);
	q->timer.fn = req_timer;
	q->conn.kind = CONN_REQ;
	q->conn.key = (struct connkey){ p->dst, p->src, g->h.dport, g->h.sport };
	q->irs = g->h.seq;
	q->iss = tcp_isn(s, &q->conn.key);
	q->ts_off = tcp_ts_offset(s, &q->conn.key);
	q->mss = g->o.has_mss ? MAX(g->o.mss, (u16)64) : TCP_MSS_DEFAULT;
	q->ts_ok = g->o.has_ts && y->tcp_ts[0];
	q->ts_recent = g->o.tsval;
	q->sack_ok = g->o.sack_ok && y->tcp_sack[0];
	q->wscale_ok = g->o.has_wscale && y->tcp_wscale[0];
	q->snd_wscale = q->wscale_ok ? g->o.wscale : 0;
	q->rcv_wscale = q->wscale_ok ? l->rcv_wscale : 0;
	q->tos = ip_is4(&p->src) ? l->ep.o.tos : l->ep.o.tclass;
	q->ecn_ok = (g->h.flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR) && !(p->tos & 3) &&
		    (y->tcp_ecn[0] == 1 || y->tcp_ecn[0] == 2);
	q->ifindex = n->ifindex;
	q->fo.len = -1;
	q->sent = stack_now(s);
	keep_opts(q, p);
	return q;
}

/* The endpoint that a finished handshake becomes.  listener->mu held. */
struct tcp_ep *req_to_child(struct synreq *q)
{
	struct tcp_ep *l = q->listener, *t = tcp_new_child(l);
	const struct connkey *k = &q->conn.key;

	if (!t)
		return NULL;
	t->conn.key = *k;
	t->ep.laddr = k->laddr;
	t->ep.lport = k->lport;
	t->ep.raddr = k->raddr;
	t->ep.rport = k->rport;
	t->ep.connected = true;
	t->ep.rt = q->rt;
	if (ip_needs_scope(&k->raddr))
		t->ep.o.bound_if = q->ifindex;
	t->iss = t->snd_una = q->iss;
	t->snd_nxt = t->write_seq = t->push_seq = q->iss + 1;
	t->snd_sml = t->high_sacked = q->iss;
	t->irs = q->irs;
	t->rcv_nxt = t->copied_seq = t->last_ack_sent = q->irs + 1;
	t->drs.seq = t->copied_seq;
	t->peer_mss = q->mss;
	t->ts_ok = q->ts_ok;
	t->ts_recent = q->ts_recent;
	t->ts_off = q->ts_off;
	t->ts_recent_at = t->last_recv = stack_now(q->stack);
	t->sack_ok = q->sack_ok;
	t->ecn_ok = q->ecn_ok;
	t->wscale_ok = q->wscale_ok;
	t->snd_wscale = q->snd_wscale;
	t->rcv_wscale = q->rcv_wscale;
	t->rcv_adv = t->rcv_nxt + MIN(l->ep.o.rcvbuf / 2, 65535u);
	t->state = TCPS_SYN_RECV;
	t->ep.opts4 = q->opts4;
	q->opts4 = NULL;
	t->ep.ext6 = l->ep.ext6;
	if (t->ep.ext6)
		ref_get(&t->ep.ext6->ref);
	tcp_sync_mss(t);
	t->rcv_mss = MIN((u32)t->mss, TCP_MSS_DEFAULT);
	mtup_begin(t);
	if (q->sent && !q->retries)
		tcp_rtt_sample(t, stack_now(q->stack) - q->sent);
	t->ep.bind.laddr = k->laddr;
	t->ep.bind.raddr = k->raddr;
	t->ep.bind.lport = k->lport;
	t->ep.bind.rport = k->rport;
	t->ep.bind.flags |= l->ep.bind.flags & BIND_SERVICE;
	return t;
}

/* Put a child where its request was and in the accept queue.  listener->mu held. */
static bool adopt(struct tcp_ep *l, struct synreq *q, struct tcp_ep *t)
{
	struct stack *s = l->ep.stack;

	ep_ref(&t->ep);                         /* the table's */
	if (q->conn.hashed ? !conn_replace(s, &q->conn, &t->conn) : conn_insert(s, &t->conn) < 0) {
		ep_unref(&t->ep);
		ep_unref(&t->ep);
		return false;
	}
	t->in_table = true;
	t->conn.hash = conn_hash(s, &t->conn.key);
	port_bind_kid(s, &t->ep.bind);
	t->parent = l;
	ep_ref(&l->ep);
	list_add_tail(&t->acc_node, &l->aq->ready);
	l->aq->n++;
	MIB(s, Tcp_PassiveOpens);
	return true;
}

/* Deliver the handshake's last segment to the child, then tell the listener.  Takes p. */
static void start_child(struct tcp_ep *l, struct tcp_ep *t, struct nic *n, struct pktbuf *p,
			struct tcp_seg *g)
{
	tcp_input(t, n, p, g);
	ep_unref(&t->ep);
	mutex_lock(&l->ep.mu);
	if (l->state == TCPS_LISTEN)
		ep_wake(&l->ep, POLLIN | POLLRDNORM);
	mutex_unlock(&l->ep.mu);
}

/* Fast Open: the child exists before its handshake is done.  mu held. */
static struct tcp_ep *fast_child(struct tcp_ep *l, struct synreq *q, struct tcp_seg *g)
{
	struct tcp_ep *t = l->aq->n <= l->aq->max ? req_to_child(q) : NULL;

	if (!t)
		return NULL;
	t->fo.child = true;
	t->fo.listener = l;
	ep_ref(&l->ep);
	atomic_fetch_add(&l->aq->fo_pending, 1);
	t->fo.cookie = q->fo;
	t->snd_una = t->iss;
	t->snd_wnd = t->max_wnd = g->h.wnd;     /* never scaled in a SYN */
	t->snd_wl1 = g->h.seq;
	t->ep.connected = true;
	tcp_start_sending(t);
	txr_add(t, t->iss, t->iss + 1);
	if (!adopt(l, q, t)) {
		tfo_handshake_done(t);
		return NULL;
	}
	ep_ref(&t->ep);
	return t;
}

/* Take the SYN's data and answer.  Takes p. */
static void start_fast_child(struct tcp_ep *l, struct tcp_ep *t, struct pktbuf *p, struct tcp_seg *g)
{
	bool data = g->len != 0;

	g->h.seq++;
	g->h.flags &= (u8)~TH_SYN;
	mutex_lock(&t->ep.mu);
	t->fo.data_acked = data;
	if (data || (g->h.flags & TH_FIN))
		rcv_data(t, p, g);
	else
		pkt_free(p);
	tcp_send_syn(t, true, 0);
	tcp_rearm_rexmit(t);
	mutex_unlock(&t->ep.mu);
	ep_unref(&t->ep);
	mutex_lock(&l->ep.mu);
	if (l->state == TCPS_LISTEN)
		ep_wake(&l->ep, POLLIN | POLLRDNORM);
	mutex_unlock(&l->ep.mu);
}

/* A SYN for a listener; mu held.  A child by Fast Open (with a reference), or NULL. */
static struct tcp_ep *on_syn(struct tcp_ep *l, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	struct stack *s = n->stack;
	struct synreq *q;
	bool full = l->aq->nreq >= l->aq->max ||
		    atomic_load(&s->conns.n_req) >= MAX((u32)s->sysctl.tcp_syn_backlog[0], l->aq->max) * 4;

	if (l->aq->n > l->aq->max) {
		MIB(s, TcpExt_ListenOverflows);
		MIB(s, TcpExt_ListenDrops);
		return NULL;
	}
	if (s->sysctl.tcp_syncookies[0] == 2 || (full && s->sysctl.tcp_syncookies[0])) {
		MIB(s, TcpExt_TCPReqQFullDoCookies);
		send_cookie(l, n, p, g);
		return NULL;
	}
	if (full) {
		MIB(s, TcpExt_TCPReqQFullDrop);
		return NULL;
	}
	q = req_new(l, n, p, g);
	if (!q)
		return NULL;
	if (rt_lookup(s, &p->src, &p->dst, ip_needs_scope(&p->src) ? n->ifindex : l->ep.o.bound_if,
		      RT_NO_SRC_CHECK, &q->rt) < 0) {
		conn_unref(&q->conn);
		return NULL;
	}
	if (tfo_accepts(l, &q->conn.key, g, &q->fo)) {
		struct tcp_ep *t;

		q->sent = 0;
		t = fast_child(l, q, g);
		conn_unref(&q->conn);
		return t;
	}
	if (conn_insert(s, &q->conn) < 0) {
		conn_unref(&q->conn);
		return NULL;
	}
	list_add_tail(&q->node, &l->aq->reqs);
	q->in_list = true;
	l->aq->nreq++;
	req_arm(q, q->sent);
	send_synack(q);
	return NULL;
}

/* The last ACK of a handshake whose SYN was answered with a cookie.  Drops mu; takes p. */
static void on_cookie_ack(struct tcp_ep *l, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
	RELEASES(l->ep.mu)
{
	struct stack *s = n->stack;
	struct connkey k = { p->dst, p->src, g->h.dport, g->h.sport };
	struct synreq *q;
	struct tcp_ep *t = NULL;
	u16 mss;

	if (!s->sysctl.tcp_syncookies[0] || !cookie_check(s, &k, g->h.seq - 1, g->h.ack - 1, &mss)) {
		if (s->sysctl.tcp_syncookies[0])
			MIB(s, TcpExt_SyncookiesFailed);
		mutex_unlock(&l->ep.mu);
		tcp_rst_stray(n, p, g);
		pkt_free(p);
		return;
	}
	MIB(s, TcpExt_SyncookiesRecv);
	if (l->aq->n <= l->aq->max) {
		q = req_new(l, n, p, g);
		if (q) {
			q->irs = g->h.seq - 1;
			q->iss = g->h.ack - 1;
			q->mss = mss;
			q->ts_ok = q->sack_ok = q->wscale_ok = q->ecn_ok = false;
			q->snd_wscale = q->rcv_wscale = 0;
			q->sent = 0;
			if (rt_lookup(s, &p->src, &p->dst, 0, RT_NO_SRC_CHECK, &q->rt) == 0)
				t = req_to_child(q);
			if (t && !adopt(l, q, t))
				t = NULL;
			if (t)
				ep_ref(&t->ep);
			conn_unref(&q->conn);
		}
	}
	mutex_unlock(&l->ep.mu);
	if (t)
		start_child(l, t, n, p, g);
	else
		pkt_free(p);
}

void listen_input(struct tcp_ep *l, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	struct tcp_ep *t = NULL;

	mutex_lock(&l->ep.mu);
	if (l->state != TCPS_LISTEN) {
		mutex_unlock(&l->ep.mu);
		tcp_rst_stray(n, p, g);
		pkt_free(p);
		return;
	}
	if (g->h.flags & TH_RST) {
		mutex_unlock(&l->ep.mu);
		pkt_free(p);
		return;
	}
	if (g->h.flags & TH_ACK) {
		if (!(g->h.flags & (TH_SYN | TH_FIN))) {
			on_cookie_ack(l, n, p, g);
			return;
		}
		mutex_unlock(&l->ep.mu);
		tcp_rst_stray(n, p, g);
		pkt_free(p);
		return;
	}
	if ((g->h.flags & (TH_SYN | TH_FIN)) == TH_SYN)
		t = on_syn(l, n, p, g);
	mutex_unlock(&l->ep.mu);
	if (t)
		start_fast_child(l, t, p, g);
	else
		pkt_free(p);
}

enum req_verdict { REQ_DROP, REQ_RST, REQ_CHILD };

/* What a segment for a half-open request leads to.  listener->mu held. */
static enum req_verdict req_judge(struct synreq *q, struct tcp_seg *g)
{
	struct tcp_ep *l = q->listener;
	struct stack *s = q->stack;

	if (q->dead || l->state != TCPS_LISTEN)
		return REQ_DROP;
	if (g->h.flags & TH_RST) {
		if (g->h.seq == q->irs + 1)
			req_kill(q);
		return REQ_DROP;
	}
	if (g->h.flags & TH_SYN) {
		if (g->h.seq == q->irs && !(g->h.flags & TH_ACK))
			send_synack(q);
		return REQ_DROP;
	}
	if (!(g->h.flags & TH_ACK))
		return REQ_DROP;
	if (g->h.ack != q->iss + 1)
		return REQ_RST;
	if (q->ts_ok && g->o.has_ts && (s32)(g->o.tsval - q->ts_recent) < 0)
		return REQ_DROP;
	if (seq_lt(g->end, q->irs + 1) || seq_gt(g->h.seq, q->irs + 1 + l->ep.o.rcvbuf / 2)) {
		send_synack(q);
		return REQ_DROP;
	}
	if (l->defer_s && !g->len && !(g->h.flags & TH_FIN) && !q->acked) {
		q->acked = true;
		return REQ_DROP;
	}
	if (l->aq->n > l->aq->max) {
		MIB(s, TcpExt_ListenOverflows);
		q->acked = true;
		if (s->sysctl.tcp_abort_overflow[0]) {
			req_kill(q);
			return REQ_RST;
		}
		return REQ_DROP;
	}
	return REQ_CHILD;
}

void req_input(struct synreq *q, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	struct tcp_ep *l = q->listener, *t = NULL;
	enum req_verdict v;

	mutex_lock(&l->ep.mu);
	v = req_judge(q, g);
	if (v == REQ_CHILD) {
		t = req_to_child(q);
		if (t && adopt(l, q, t)) {
			ep_ref(&t->ep);
			conn_unref(&q->conn);   /* the table's */
			req_kill(q);
		} else {
			t = NULL;
		}
	}
	mutex_unlock(&l->ep.mu);
	if (t) {
		start_child(l, t, n, p, g);
		return;
	}
	if (v == REQ_RST)
		tcp_rst_stray(n, p, g);
	pkt_free(p);
}

/* An ICMP error quotes our SYN-ACK. */
void req_icmp(struct synreq *q, u32 seq, bool hard)
{
	struct tcp_ep *l = q->listener;

	mutex_lock(&l->ep.mu);
	if (seq != q->iss)
		MIB(q->stack, TcpExt_OutOfWindowIcmps);
	else if (hard && !q->dead)
		req_kill(q);
	mutex_unlock(&l->ep.mu);
}

int tcp_listen(struct ep *e, int backlog)
{
	struct tcp_ep *t = tcp(e);
	struct stack *s = e->stack;
	u32 max = (u32)MIN((u32)backlog, (u32)s->sysctl.somaxconn[0]);
	int r = 0;

	mutex_lock(&e->mu);
	if (t->state == TCPS_LISTEN) {
		t->aq->max = max;
		goto out;
	}
	r = -EINVAL;
	if (t->state != TCPS_CLOSE || t->ss != SS_FREE)
		goto out;
	if (!t->aq) {
		r = -ENOMEM;
		t->aq = knew(struct accept_q);
		if (!t->aq)
			goto out;
		list_init(&t->aq->ready);
		list_init(&t->aq->reqs);
	}
	t->aq->max = max;
	if (!e->bind.hashed) {
		e->bind.laddr = e->laddr;
		e->bind.flags = ep_bind_flags(e);
		e->bind.ifindex = e->o.bound_if;
		r = port_bind(s, &e->bind, 0);
		if (r < 0)
			goto out;
		e->lport = e->bind.lport;
	}
	r = port_listen(s, &e->bind);
	if (!t->fo.backlog && (s->sysctl.tcp_fastopen[0] & TFO_SERVER) &&
	    (s->sysctl.tcp_fastopen[0] & TFO_SERVER_ALWAYS))
		t->fo.backlog = max;
	if (r == 0)
		t->state = TCPS_LISTEN;
out:
	mutex_unlock(&e->mu);
	return r;
}

int tcp_accept(struct ep *e, struct net_sa *peer, struct ep **ret)
{
	struct tcp_ep *l = tcp(e), *t = NULL;
	int r = 0;

	mutex_lock(&e->mu);
	if (l->state != TCPS_LISTEN)
		r = -EINVAL;
	else if (list_empty(&l->aq->ready))
		r = -EAGAIN;            /* an error from before it listened is SO_ERROR's to tell */
	if (r == 0) {
		t = list_first(&l->aq->ready, struct tcp_ep, acc_node);
		list_del_init(&t->acc_node);
		l->aq->n--;
	}
	mutex_unlock(&e->mu);
	if (r < 0)
		return r;
	mutex_lock(&t->ep.mu);
	t->ep.owned = true;
	t->ss = SS_CONNECTED;
	t->parent = NULL;
	if (peer)
		ep_fill_name(&t->ep, &t->ep.raddr, t->ep.rport, peer);
	mutex_unlock(&t->ep.mu);
	ep_unref(e);
	*ret = &t->ep;
	return 0;
}

/* The listener goes: nobody will ever accept what waits.  mu held. */
void listen_stop(struct tcp_ep *l)
{
	struct synreq *q;

	while (!list_empty(&l->aq->reqs)) {
		q = list_first(&l->aq->reqs, struct synreq, node);
		conn_ref(&q->conn);
		req_kill(q);
		conn_unref(&q->conn);
	}
}
