/*
 * ep.c - TCP endpoints: birth, bind, connect, shutdown, close, poll.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/nic.h"
#include "netstack/core/rtnl.h"
#include "netstack/tcp/optnum.h"
#include "netstack/tcp/tcp.h"

u32 tcp_isn(struct stack *s, const struct connkey *k)
{
	u8 b[36];

	memcpy(b, k->laddr.b, 16);
	memcpy(b + 16, k->raddr.b, 16);
	put_be16(b + 32, k->lport);
	put_be16(b + 34, k->rport);
	/* RFC 6528, with a clock of 64 ns. */
	return (u32)siphash(&s->key_isn, b, sizeof(b)) + (u32)(stack_now(s) >> 6);
}

u32 tcp_ts_offset(struct stack *s, const struct connkey *k)
{
	u8 b[33] = { 0 };

	memcpy(b, k->laddr.b, 16);
	memcpy(b + 16, k->raddr.b, 16);
	return (u32)siphash(&s->key_isn, b, sizeof(b));
}

void tcp_connkey(const struct tcp_ep *t, struct connkey *ret)
{
	*ret = (struct connkey){ t->ep.laddr, t->ep.raddr, t->ep.lport, t->ep.rport };
}

/* A fresh state machine; options that the user set stay. */
void tcp_init_fields(struct tcp_ep *t)
{
	int i;

	t->state = TCPS_CLOSE;
	t->auto_label = 0;
	t->conn.kind = CONN_EP;
	t->ssthresh = UINT32_MAX;
	t->reo_mult = 1;
	t->rcv_nxt = t->rcv_adv = t->copied_seq = 0;
	t->fin_queued = t->fin_sent = t->fin_rcvd = t->urg_out = false;
	t->urg_valid = t->urg_have = false;
	t->retries = t->probes = t->dupacks = 0;
	t->first_retry = t->last_send = 0;
	t->total_retrans = 0;
	t->ndelivered = 0;
	t->fo.deferred = t->fo.taking = t->fo.asked = t->fo.data = t->fo.data_acked = t->fo.more = false;
	t->fo.cookie.len = -1;
	t->ecn_asked = t->ecn_ok = t->ecn_seen = t->ecn_echo = t->ecn_cwr = false;
	t->ca = CA_OPEN;
	t->rack_sent = 0;
	t->rack_reordered = t->has_eor = false;
	t->reordering = (u32)t->ep.stack->sysctl.tcp_reordering[0];
	t->reord_seen = 0;
	t->tlp_out = false;
	memset(&t->rtt, 0, sizeof(t->rtt));
	for (i = 0; i < TT_MAX; i++)
		t->due[i] = NET_NEVER;
	rcv_init(t);
	t->cc->init(t);
}

static int tcp_init(struct ep *e)
{
	struct tcp_ep *t = tcp(e);
	int r = timers_reserve(&e->stack->timers);

	list_init(&t->chunks);
	list_init(&t->txrs);
	list_init(&t->rcvq);
	list_init(&t->oooq);
	list_init(&t->acc_node);
	list_init(&t->zc);
	list_init(&t->tsq);
	t->timer.fn = tcp_timer_fire;
	t->cc = e->stack->sysctl.tcp_cc;
	e->o.rcvbuf = (u32)e->stack->sysctl.tcp_rmem[1];
	e->o.sndbuf = (u32)e->stack->sysctl.tcp_wmem[1];
	tcp_init_fields(t);
	if (r < 0)
		t->timer.fn = NULL;     /* tells release that nothing was reserved */
	return r;
}

struct tcp_ep *tcp_new_child(struct tcp_ep *l)
{
	struct ep *e = ep_alloc(l->ep.stack, &tcp_ops, l->ep.family, SOCK_STREAM, IPPROTO_TCP);
	struct tcp_ep *t;

	if (!e)
		return NULL;
	t = tcp(e);
	if (tcp_init(e) < 0) {
		ep_unref(e);
		return NULL;
	}
	e->o = l->ep.o;
	e->uid = l->ep.uid;
	e->bind.uid = l->ep.bind.uid;
	e->bind.flags = l->ep.bind.flags & ~(u32)BIND_LISTEN;
	e->addr_bound = l->ep.addr_bound;
	t->cc = l->cc;
	t->nodelay = l->nodelay;
	t->cork = l->cork;
	t->keep_idle = l->keep_idle;
	t->keep_intvl = l->keep_intvl;
	t->keep_cnt = l->keep_cnt;
	t->user_timeout_ms = l->user_timeout_ms;
	t->user_mss = l->user_mss;
	t->linger2 = l->linger2;
	t->notsent_lowat = l->notsent_lowat;
	t->window_clamp = l->window_clamp;
	t->pingpong = l->pingpong;
	ep_list(e);
	return t;
}

static void tcp_release(struct ep *e)
{
	struct tcp_ep *t = tcp(e);

	sndq_purge(t);
	ts_purge(t);
	txr_purge(t);
	rcv_purge(t);
	kfree(t->aq);
	if (t->timer.fn)
		timers_unreserve(&e->stack->timers);
}

void tcp_set_state(struct tcp_ep *t, enum tcp_state st) { t->state = st; }

/* A Fast Open child's SYN-ACK was acknowledged, or the child is gone. */
void tfo_handshake_done(struct tcp_ep *t)
{
	struct tcp_ep *l = t->fo.listener;

	t->fo.child = false;
	if (!l)
		return;
	t->fo.listener = NULL;
	atomic_fetch_sub(&l->aq->fo_pending, 1);
	ep_unref(&l->ep);
}

/* Payload, headers and skb_shared_info, rounded up to a power of two, and 256 bytes of sk_buff. */
static u32 charge(u32 mss)
{
	u32 room = 1024;

	while (room < mss + 640)
		room *= 2;
	return room + 256;
}

void tcp_start_sending(struct tcp_ep *t)
{
	u64 now = tcp_now(t);

	t->cwnd = TCP_INIT_CWND * t->mss;
	if (!t->ep.o.sndbuf_locked)     /* room for twice that, by what Linux charges for a packet */
		t->ep.o.sndbuf = tcp_tuned(t, t->ep.o.sndbuf, 2 * TCP_INIT_CWND * charge(t->mss), t->ep.stack->sysctl.tcp_wmem);
	t->drs.at = now;
	t->drs.seq = t->copied_seq;
	t->drs.space = t->ep.o.rcvbuf / 4;
}

void tcp_established(struct tcp_ep *t)
{
	if (t->fo.child)
		tfo_handshake_done(t);
	else
		tcp_start_sending(t);
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECV)
		t->state = TCPS_ESTABLISHED;
	t->ep.connected = true;
	t->last_recv = t->last_data = tcp_now(t);
	tcp_keepalive_arm(t);
	ep_wake(&t->ep, POLLOUT | POLLWRNORM);
}

void tcp_done(struct tcp_ep *t, int err)
{
	struct ep *e = &t->ep;
	struct stack *s = e->stack;
	int i;

	if (t->state == TCPS_CLOSE)
		return;
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECV)
		MIB(s, Tcp_AttemptFails);
	else if (err == ECONNRESET)
		MIB(s, Tcp_EstabResets);
	t->state = TCPS_CLOSE;
	for (i = 0; i < TT_MAX; i++)
		t->due[i] = NET_NEVER;
	if (ntimer_cancel(&s->timers, &t->timer))
		ep_unref(e);
	tfo_handshake_done(t);
	zc_done(t, t->write_seq);
	ts_purge(t);
	sndq_purge(t);
	txr_purge(t);
	t->snd_una = t->snd_nxt = t->write_seq;
	rcv_purge_ooo(t);
	if (!e->owned && !t->parent)
		rcv_purge(t);
	if (t->in_table && conn_remove(s, &t->conn)) {
		t->in_table = false;
		ep_unref(e);
	}
	t->in_table = false;
	/* A port that nobody asked for is free now; lport goes on to show it, as in Linux. */
	if (e->bind.hashed && (!e->owned || !t->port_asked)) {
		port_unbind(s, &e->bind);
		e->bind.flags &= ~(u32)(BIND_AUTO | BIND_LISTEN | BIND_DUAL);
	}
	e->shut = 3;
	if (err)
		e->err = err;
	ep_wake(e, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP | POLLHUP | (err ? POLLERR : 0));
}

static int tcp_bind(struct ep *e, const struct net_sa *sa)
{
	struct tcp_ep *t = tcp(e);
	struct ipaddr a;
	bool group;
	int r = ep_check_bind(e, sa, &a);

	if (r < 0)
		return r;
	group = addr_is_group(e->stack, &a);
	if (group && !ip_is4(&a))
		return -EINVAL;
	mutex_lock(&e->mu);
	if (t->state != TCPS_CLOSE || e->bind.hashed) {
		r = -EINVAL;
	} else if (sa->port == 0 && e->o.bind_noport) {
		e->laddr = a;
		e->lport = 0;
		e->addr_bound = !ip_is_any(&a) && !group;
	} else {
		e->bind.laddr = a;
		e->bind.flags = ep_bind_flags(e);
		e->bind.ifindex = e->o.bound_if;
		r = port_bind(e->stack, &e->bind, sa->port);
		if (r == 0) {
			e->laddr = a;
			e->lport = e->bind.lport;
			e->addr_bound = !ip_is_any(&a) && !group;        /* of a group there is no source address */
			t->port_asked = sa->port != 0;
		}
	}
	mutex_unlock(&e->mu);
	return r;
}

static bool tuple_free(struct bindnode *n, u16 port)
{
	struct connkey k = { n->ep->laddr, n->ep->raddr, port, n->ep->rport };
	struct connnode *c = conn_lookup(n->ep->stack, &k);

	if (c)
		conn_unref(c);
	return !c;
}

/* Take the 4-tuple: a port if there is none, and the place in the table. */
static int claim(struct tcp_ep *t, u32 *isn)
{
	struct ep *e = &t->ep;
	struct stack *s = e->stack;
	struct connkey k;
	int r;

	if (!e->bind.hashed) {
		e->bind.laddr = e->laddr;
		e->bind.raddr = e->raddr;
		e->bind.rport = e->rport;
		e->bind.flags = ep_bind_flags(e);
		r = port_auto(s, &e->bind, tuple_free);
		if (r < 0)
			return r;
		e->lport = e->bind.lport;
	}
	tcp_connkey(t, &k);
	if (!tw_recycle(s, &k, isn))
		return -EADDRNOTAVAIL;
	t->conn.key = k;
	ep_ref(e);
	r = conn_insert(s, &t->conn);
	if (r < 0) {
		ep_unref(e);
		return -EADDRNOTAVAIL;
	}
	t->in_table = true;
	return 0;
}

/* Children that nobody will accept. */
static void drop_children(struct tcp_ep *l, struct list_head *q)
{
	while (!list_empty(q)) {
		struct tcp_ep *t = list_first(q, struct tcp_ep, acc_node);

		list_del_init(&t->acc_node);
		mutex_lock(&t->ep.mu);
		t->parent = NULL;
		if (in_states(t, STATES_SYNCED))
			tcp_send_rst(t);
		tcp_done(t, 0);
		mutex_unlock(&t->ep.mu);
		ep_unref(&t->ep);
		ep_unref(&l->ep);
	}
}

/* The peer is owed a RST when we break off. */
static bool needs_reset(const struct tcp_ep *t)
{
	return in_states(t, STATES_CAN_SEND | STATE_BIT(TCPS_FIN_WAIT1) | STATE_BIT(TCPS_FIN_WAIT2) | STATE_BIT(TCPS_SYN_RECV)) ||
	       (t->snd_nxt != t->write_seq && in_states(t, STATE_BIT(TCPS_CLOSING) | STATE_BIT(TCPS_LAST_ACK)));
}

/* AF_UNSPEC, or shutdown() of a listener: back to the beginning.  @kids: for drop_children(), once nothing is locked. */
static void disconnect(struct tcp_ep *t, struct list_head *kids)
{
	struct ep *e = &t->ep;
	struct ipaddr none = e->family == AF_INET ? ip_any4() : ip_any6();
	bool broken = needs_reset(t) || t->state == TCPS_SYN_SENT;

	if (t->state == TCPS_LISTEN) {
		listen_stop(t);
		list_splice_tail_init(&t->aq->ready, kids);
		t->aq->n = 0;
		e->bind.flags &= ~(u32)BIND_LISTEN;
	} else if (needs_reset(t)) {
		tcp_send_rst(t);
	}
	tcp_done(t, broken ? ECONNRESET : 0);
	t->ss = SS_FREE;
	e->shut = 0;
	e->connected = false;
	e->raddr = none;
	e->rport = 0;
	if (!e->addr_bound)
		e->laddr = none;
	e->rt.valid = false;
	rcv_purge(t);
	tcp_init_fields(t);
}

/* Why the connection that was asked for is not there; telling it leaves a socket as if new. */
static int tell_failed(struct tcp_ep *t)
{
	int r = t->ep.err ? ep_take_err(&t->ep) : -ECONNABORTED;
	struct list_head none;

	list_init(&none);
	disconnect(t, &none);           /* closed: it was no listener */
	return r;
}

/* What a further connect() comes to by the socket's state: 0 it may begin, 1 the one before has succeeded, or -errno. */
int tcp_connect_state(struct tcp_ep *t)
{
	switch (t->ss) {
	case SS_CONNECTED:
		return -EISCONN;
	case SS_DISCONNECTING:
		return -EINVAL;
	case SS_CONNECTING:
		if (t->state == TCPS_CLOSE)
			return tell_failed(t);
		if (in_states(t, STATE_BIT(TCPS_SYN_SENT) | STATE_BIT(TCPS_SYN_RECV)))
			return t->fo.deferred ? -EISCONN : -EALREADY;
		t->ss = SS_CONNECTED;
		return 1;
	default:
		return t->state == TCPS_CLOSE ? 0 : -EISCONN;
	}
}

int tcp_prepare(struct tcp_ep *t, const struct net_sa *sa)
{
	struct ep *e = &t->ep;
	struct ipaddr dst, old = e->laddr;
	u32 oif, label, isn = 0;
	int r = ep_check_dst(e, sa, &dst, &oif);

	if (r < 0)
		return r;
	if (ip_is_multicast(&dst) || ip_is_bcast(&dst))
		return -ENETUNREACH;
	if (!ip_is4(&dst) && ip_needs_scope(&dst) && !oif)
		return -EINVAL;
	r = flowlabel_given(e, sa, &label);
	if (r < 0)
		return r;
	r = rt_lookup(e->stack, &dst, e->addr_bound ? &e->laddr : NULL, oif,
		      e->o.freebind ? RT_NO_SRC_CHECK : 0, &e->rt);
	if (r < 0)
		return r;
	if (e->rt.type == RTN_BROADCAST)
		return -ENETUNREACH;
	tcp_init_fields(t);
	if (!e->addr_bound)
		e->laddr = e->rt.src;
	if ((e->opts4 && e->opts4->srr) || (e->ext6 && e->ext6->x.h[IP6EXT_RT]))
		e->rt.valid = false;            /* it goes another way */
	e->raddr = dst;
	e->rport = sa->port;
	e->flowlabel = label;
	if (ip_needs_scope(&dst))
		e->o.bound_if = oif;
	r = claim(t, &isn);
	if (r < 0) {
		e->laddr = old;
		e->raddr = e->family == AF_INET ? ip_any4() : ip_any6();
		e->rport = 0;
		return r;
	}
	if (e->bind.hashed && !(e->bind.flags & BIND_AUTO))
		port_rekey(e->stack, &e->bind, &e->laddr, &e->raddr, e->rport, e->bind.flags);
	e->err = 0;
	t->ss = SS_CONNECTING;
	t->ts_off = tcp_ts_offset(e->stack, &t->conn.key);
	t->iss = isn ? isn : tcp_isn(e->stack, &t->conn.key);
	t->snd_una = t->iss;
	t->snd_nxt = t->write_seq = t->push_seq = t->iss + 1;
	t->snd_sml = t->high_sacked = t->iss;
	t->ts_recent = 0;
	t->peer_mss = 0;
	t->state = TCPS_SYN_SENT;
	tcp_sync_mss(t);
	MIB(e->stack, Tcp_ActiveOpens);
	return 0;
}

void tcp_launch(struct tcp_ep *t, u32 len)
{
	t->fo.deferred = t->fo.taking = false;
	t->fo.data = len != 0;
	struct txr *x;

	t->snd_nxt = t->iss + 1 + len;
	x = txr_add(t, t->iss, t->snd_nxt);
	if (x && len)
		x->flags |= TXR_PSH;
	tcp_send_syn(t, false, len);
	tcp_rearm_rexmit(t);
}

static int start_connect(struct tcp_ep *t, const struct net_sa *sa)
{
	u16 mss = UINT16_MAX;
	int r = tcp_prepare(t, sa);

	if (r < 0)
		return r;
	if (t->fo.connect && (t->ep.stack->sysctl.tcp_fastopen[0] & TFO_CLIENT)) {
		t->fo.deferred = tfo_client(t, &t->fo.cookie, &mss);
		if (t->fo.deferred)
			return 0;
		t->fo.cookie.len = 0;           /* ask for one */
		t->fo.asked = true;
		t->fo.exp = t->fo.cookie.exp;
	}
	tcp_launch(t, 0);
	return -EINPROGRESS;
}

static int tcp_connect(struct ep *e, const struct net_sa *sa)
{
	struct tcp_ep *t = tcp(e);
	struct list_head kids;
	int r;

	list_init(&kids);
	mutex_lock(&e->mu);
	if (sa->family == AF_UNSPEC) {
		disconnect(t, &kids);
		r = 0;
	} else {
		r = tcp_connect_state(t);
		r = r == 0 ? start_connect(t, sa) : MIN(r, 0);
	}
	mutex_unlock(&e->mu);
	drop_children(t, &kids);
	return r;
}

/* SOCK_DESTROY */
static int tcp_abort(struct ep *e, int err)
{
	struct tcp_ep *t = tcp(e);
	struct list_head kids;
	int r = 0;

	list_init(&kids);
	mutex_lock(&e->mu);
	if (t->state == TCPS_LISTEN) {
		listen_stop(t);
		list_splice_tail_init(&t->aq->ready, &kids);
		t->aq->n = 0;
		e->bind.flags &= ~(u32)BIND_LISTEN;
	} else if (needs_reset(t)) {
		tcp_send_rst(t);
	}
	if (t->state == TCPS_CLOSE)
		r = -ENOENT;
	else
		tcp_done(t, err);
	mutex_unlock(&e->mu);
	drop_children(t, &kids);
	return r;
}

int tcp_connect_result(struct ep *e)
{
	struct tcp_ep *t = tcp(e);
	int r;

	mutex_lock(&e->mu);
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECV)
		r = -EINPROGRESS;
	else if (t->state == TCPS_CLOSE)
		r = tell_failed(t);
	else
		r = 0;
	if (r == 0)
		t->ss = SS_CONNECTED;
	mutex_unlock(&e->mu);
	return r;
}

/* No more data from us: FIN after what is queued. */
static void send_fin(struct tcp_ep *t)
{
	if (t->fin_queued)
		return;
	t->fin_queued = true;
	t->push_seq = t->write_seq;
	t->state = t->state == TCPS_CLOSE_WAIT ? TCPS_LAST_ACK : TCPS_FIN_WAIT1;
	tcp_output(t);
}

static int tcp_shutdown(struct ep *e, int how)
{
	const u32 halfway = STATE_BIT(TCPS_SYN_SENT) | STATE_BIT(TCPS_SYN_RECV);
	struct tcp_ep *t = tcp(e);
	struct list_head kids;
	int r = 0;

	list_init(&kids);
	mutex_lock(&e->mu);
	if (t->ss == SS_CONNECTING)
		t->ss = in_states(t, halfway | STATE_BIT(TCPS_CLOSE)) ? SS_DISCONNECTING : SS_CONNECTED;
	if (t->state == TCPS_SYN_SENT || (t->state == TCPS_LISTEN && how != SHUT_WR)) {
		disconnect(t, &kids);
	} else if (t->state != TCPS_LISTEN) {
		r = t->state == TCPS_CLOSE ? -ENOTCONN : 0;
		e->shut |= (u8)(how + 1);       /* also for the connection that there may be one day */
		if ((how + 1) & 2 && in_states(t, STATES_CAN_SEND | STATE_BIT(TCPS_SYN_RECV)))
			send_fin(t);
	}
	ep_wake(e, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP |
		   (e->shut == 3 || t->state == TCPS_CLOSE ? POLLHUP : 0));
	mutex_unlock(&e->mu);
	drop_children(t, &kids);
	return r;
}

/* The owner is gone: say goodbye by FIN, or RST when that would be a lie. */
static void orphan(struct tcp_ep *t)
{
	struct ep *e = &t->ep;
	bool unread = t->rcvq_len != 0 && !(t->fin_rcvd && t->rcvq_len == 0);

	if (in_states(t, STATES_SYNCED) && (unread || (e->o.linger_on && !e->o.linger_s))) {
		if (unread)
			MIB(e->stack, TcpExt_TCPAbortOnClose);
		tcp_send_rst(t);
		tcp_done(t, 0);
		return;
	}
	switch (t->state) {
	case TCPS_SYN_SENT:
		tcp_done(t, 0);
		break;
	case TCPS_SYN_RECV:
	case TCPS_ESTABLISHED:
	case TCPS_CLOSE_WAIT:
		e->shut = 3;
		send_fin(t);
		break;
	case TCPS_FIN_WAIT2:
		tcp_timer_set(t, TT_LINGER, tcp_now(t) +
			(u64)(t->linger2 > 0 ? t->linger2 : e->stack->sysctl.tcp_fin_timeout[0]) * NSEC_S);
		break;
	default:
		break;
	}
}

static void tcp_close(struct ep *e)
{
	struct tcp_ep *t = tcp(e);
	struct list_head kids;

	list_init(&kids);
	mutex_lock(&e->mu);
	e->owned = false;
	if (t->state == TCPS_LISTEN) {
		listen_stop(t);
		tcp_done(t, 0);
	} else {
		orphan(t);
	}
	if (t->aq) {
		list_splice_tail_init(&t->aq->ready, &kids);
		t->aq->n = 0;
	}
	if (t->state == TCPS_CLOSE) {
		rcv_purge(t);
		if (e->bind.hashed)
			port_unbind(e->stack, &e->bind);
	}
	mutex_unlock(&e->mu);
	drop_children(t, &kids);
}

static u32 tcp_poll(struct ep *e)
{
	struct tcp_ep *t = tcp(e);
	u32 ev = 0;

	if (t->state == TCPS_LISTEN)
		return list_empty(&t->aq->ready) ? 0 : POLLIN | POLLRDNORM;
	if (e->shut == 3 || t->state == TCPS_CLOSE)
		ev |= POLLHUP;
	if (e->shut & 1)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (t->fo.deferred)
		ev |= POLLOUT | POLLWRNORM;
	if (t->state != TCPS_SYN_SENT && (t->state != TCPS_SYN_RECV || t->fo.child)) {
		if (t->rcvq_len && (t->rcvq_len >= e->o.rcvlowat || t->fin_rcvd))
			ev |= POLLIN | POLLRDNORM;
		if (e->shut & 2)
			ev |= POLLOUT | POLLWRNORM;
		else if (sndq_space(t) >= e->o.sndbuf / 3 &&
			 (u64)(t->write_seq - t->snd_nxt) * 2 < tcp_notsent_lowat(t))
			ev |= POLLOUT | POLLWRNORM;
		else
			e->nospace = true;
		if (t->urg_valid && t->urg_have)
			ev |= POLLPRI;
	}
	if (e->err || e->nerrq)
		ev |= POLLERR;
	return ev;
}

static long tcp_inq(struct ep *e)
{
	struct tcp_ep *t = tcp(e);
	long n;

	mutex_lock(&e->mu);
	if (t->state == TCPS_LISTEN)
		n = -EINVAL;
	else if (t->urg_valid && seq_gt(t->urg_seq, t->copied_seq) && !e->o.oobinline)
		n = (long)MIN(t->rcvq_len, t->urg_seq - t->copied_seq);
	else
		n = (long)t->rcvq_len;
	mutex_unlock(&e->mu);
	return n;
}

static long tcp_outq(struct ep *e, bool unsent)
{
	struct tcp_ep *t = tcp(e);
	long n;

	mutex_lock(&e->mu);
	if (t->state == TCPS_LISTEN)
		n = -EINVAL;
	else if (t->state == TCPS_CLOSE || t->state == TCPS_SYN_SENT)
		n = 0;
	else
		n = (long)(t->write_seq + t->fin_queued - (unsent ? seq_min(t->snd_nxt, t->write_seq + t->fin_queued) : t->snd_una));
	mutex_unlock(&e->mu);
	return n;
}

int tcp_atmark(struct ep *e)
{
	struct tcp_ep *t = tcp(e);
	int r;

	mutex_lock(&e->mu);
	r = t->urg_valid && t->copied_seq == t->urg_seq;
	mutex_unlock(&e->mu);
	return r;
}

static void tcp_info_row(struct ep *e, struct ep_info *i)
{
	static const u8 kind[TT_MAX] = { [TT_REXMIT] = 1, [TT_PERSIST] = 4, [TT_PTO] = 1, [TT_REO] = 1,
					 [TT_KEEP] = 2, [TT_LINGER] = 2 };
	struct tcp_ep *t = tcp(e);
	u64 now = tcp_now(t), best = NET_NEVER;
	struct tcp_info ti;
	int k;

	_Static_assert(sizeof(ti) <= sizeof(i->tcp_info), "room for struct tcp_info");
	tcp_fill_info(t, &ti);
	memcpy(i->tcp_info, &ti, sizeof(ti));
	i->tcp_info_len = sizeof(ti);
	memcpy(i->cong, t->cc->name, strlen(t->cc->name) + 1);
	i->state = t->state;
	i->rqueue = t->state == TCPS_LISTEN ? t->aq->n : t->rcvq_len;
	i->wqueue = t->state == TCPS_LISTEN ? t->aq->max : t->write_seq - t->snd_una;
	i->wmem = t->write_seq - t->snd_una;
	i->backlog = t->aq ? t->aq->max : 0;
	i->retrans = t->retries;
	for (k = 0; k < TT_MAX; k++)
		if (kind[k] && t->due[k] < best) {
			best = t->due[k];
			i->timer = kind[k];
		}
	i->timer_ns = best == NET_NEVER ? 0 : best > now ? best - now : 0;
}

static void tcp_rekey(struct ep *e)
{
	struct tcp_ep *t = tcp(e);

	tcp_keepalive_arm(t);
	if (e->bind.hashed)
		port_rekey(e->stack, &e->bind, &e->bind.laddr, &e->bind.raddr, e->bind.rport,
			   ep_bind_flags(e) |
				   (e->bind.flags & (BIND_LISTEN | BIND_AUTO | BIND_KID | BIND_DUAL)));
}

/* To Linux' sockets a connection in TIME_WAIT is gone. */
static bool tcp_closed(const struct ep *e)
{
	const struct tcp_ep *t = container_of(e, struct tcp_ep, ep);

	return t->state == TCPS_CLOSE || t->state == TCPS_TIME_WAIT;
}

const struct ep_ops tcp_ops = {
	.name = "tcp",
	.abort = tcp_abort,
	.size = sizeof(struct tcp_ep),
	.init = tcp_init,
	.bind = tcp_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.shutdown = tcp_shutdown,
	.poll = tcp_poll,
	.send = tcp_send,
	.recv = tcp_recv,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.inq = tcp_inq,
	.outq = tcp_outq,
	.closed = tcp_closed,
	.info = tcp_info_row,
	.close = tcp_close,
	.release = tcp_release,
	.rekey = tcp_rekey,
};
