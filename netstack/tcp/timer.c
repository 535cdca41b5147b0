/*
 * timer.c - the timers of a connection: one heap entry, several deadlines.
 *
 * Moving a deadline away costs nothing: the entry fires early, finds nothing
 * due and is set to the nearest one.  A queued entry holds a reference.
 */
#include <errno.h>
#include "netstack/tcp/tcp.h"

void tcp_timer_set(struct tcp_ep *t, enum tcp_timer which, u64 due)
{
	t->due[which] = due;
	if (ntimer_set_before(&t->ep.stack->timers, &t->timer, due))
		ep_ref(&t->ep);
}

void tcp_rearm_rexmit(struct tcp_ep *t)
{
	tcp_timer_set(t, TT_REXMIT, tcp_now(t) + tcp_rto(t));
}

void tcp_keepalive_arm(struct tcp_ep *t)
{
	u32 idle = t->keep_idle ? t->keep_idle : (u32)t->ep.stack->sysctl.tcp_keep_time[0];

	if (t->ep.o.keepalive && in_states(t, STATES_SYNCED))
		tcp_timer_set(t, TT_KEEP, MAX(t->last_recv, t->last_send) + idle * NSEC_S);
	else
		tcp_timer_off(t, TT_KEEP);
}

/* How often an unanswered segment is repeated before we give up. */
static u32 max_retries(const struct tcp_ep *t)
{
	const struct net_sysctl *y = &t->ep.stack->sysctl;

	if (t->state == TCPS_SYN_SENT)
		return t->syn_cnt ? t->syn_cnt : (u32)y->tcp_syn_retries[0];
	if (t->state == TCPS_SYN_RECV)
		return (u32)y->tcp_synack_retries[0];
	if (!t->ep.owned && !t->parent)
		return y->tcp_orphan_retries[0] ? (u32)y->tcp_orphan_retries[0] : 8;
	return (u32)y->tcp_retries2[0];
}

static bool user_timeout_over(const struct tcp_ep *t, u64 now)
{
	return t->user_timeout_ms && t->first_retry &&
	       now - t->first_retry >= t->user_timeout_ms * NSEC_MS;
}

static void on_rexmit(struct tcp_ep *t, u64 now)
{
	if (t->snd_una == t->snd_nxt)
		return;
	MIB(t->ep.stack, TcpExt_TCPTimeouts);
	if (!t->first_retry)
		t->first_retry = now;
	t->retries++;
	if (t->retries > max_retries(t) || user_timeout_over(t, now)) {
		MIB(t->ep.stack, TcpExt_TCPAbortOnTimeout);
		tcp_done(t, ETIMEDOUT);
		return;
	}
	if (t->retries >= 3)
		t->ep.rt.valid = false;         /* perhaps another route answers */
	mtup_black_hole(t);
	t->rtt.backoff++;
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECV) {
		tcp_send_syn(t, t->state == TCPS_SYN_RECV, 0);
		t->total_retrans++;
		MIB(t->ep.stack, Tcp_RetransSegs);
		tcp_rearm_rexmit(t);
		return;
	}
	recovery_timeout(t, now);
	tcp_rearm_rexmit(t);
	tcp_output(t);
	if (t->due[TT_REXMIT] == NET_NEVER && t->snd_una != t->snd_nxt)
		tcp_rearm_rexmit(t);
}

static void on_persist(struct tcp_ep *t, u64 now)
{
	u32 max = t->ep.owned ? (u32)t->ep.stack->sysctl.tcp_retries2[0] : 8;

	if (t->snd_wnd) {
		/* MSG_MORE or TCP_CORK waited long enough. */
		t->force_out = true;
		t->push_seq = t->write_seq;
		tcp_output(t);
		t->force_out = false;
		return;
	}
	if (!t->first_retry)
		t->first_retry = now;
	if (++t->probes > max || user_timeout_over(t, now)) {
		MIB(t->ep.stack, TcpExt_TCPAbortOnTimeout);
		tcp_done(t, ETIMEDOUT);
		return;
	}
	t->rtt.backoff = MIN(t->rtt.backoff + 1, 10u);
	tcp_send_probe(t);
	tcp_timer_set(t, TT_PERSIST, now + tcp_rto(t));
}

/* Tail loss probe: new data if there is any, else the last range again. */
static void on_pto(struct tcp_ep *t)
{
	struct txr *x;
	u32 before = t->snd_nxt;

	if (t->snd_una == t->snd_nxt || t->ca > CA_CWR || t->tlp_out)
		return;
	t->tlp_out = true;
	t->cwnd += t->mss;
	tcp_output(t);
	t->cwnd -= t->mss;
	if (t->snd_nxt == before) {
		x = list_last(&t->txrs, struct txr, node);
		if (&x->node == &t->txrs || (x->flags & TXR_SACKED))
			return;
		if (x->end - x->seq > t->mss) {
			struct txr *y = txr_split(t, x, x->end - t->mss);

			x = y ? y : x;
		}
		if (!tcp_retransmit(t, x))
			return;
		x->sent = tcp_now(t);
		x->flags |= TXR_EVER;
		MIB(t->ep.stack, TcpExt_TCPLossProbes);
	}
	t->tlp_end = t->snd_nxt;
	tcp_rearm_rexmit(t);
}

static void on_reo(struct tcp_ep *t, u64 now)
{
	struct ack_info a = { .now = now };

	if (rack_detect(t, now)) {
		recovery_step(t, &a, true);
		tcp_output(t);
	}
}

static void on_keepalive(struct tcp_ep *t, u64 now)
{
	u32 idle = t->keep_idle ? t->keep_idle : (u32)t->ep.stack->sysctl.tcp_keep_time[0];
	u32 intvl = t->keep_intvl ? t->keep_intvl : (u32)t->ep.stack->sysctl.tcp_keep_intvl[0];
	u32 cnt = t->keep_cnt ? t->keep_cnt : (u32)t->ep.stack->sysctl.tcp_keep_probes[0];
	u64 since = MAX(t->last_recv, t->last_send), silent = now - t->last_recv;
	bool over;

	if (!t->ep.o.keepalive || !in_states(t, STATES_SYNCED))
		return;
	/* Data in flight: the retransmission timer watches. */
	if (t->snd_nxt != t->snd_una || now - since < idle * NSEC_S) {
		u64 at = t->snd_nxt != t->snd_una ? now + idle * NSEC_S : since + idle * NSEC_S;

		if (!t->probes || t->snd_nxt != t->snd_una) {
			tcp_timer_set(t, TT_KEEP, at);
			return;
		}
	}
	over = t->user_timeout_ms ? silent >= t->user_timeout_ms * NSEC_MS && t->probes > 0 :
				    t->probes >= cnt;
	if (over) {
		MIB(t->ep.stack, TcpExt_TCPAbortOnTimeout);
		tcp_send_rst(t);
		tcp_done(t, ETIMEDOUT);
		return;
	}
	t->probes++;
	MIB(t->ep.stack, TcpExt_TCPKeepAlive);
	tcp_send_probe(t);
	tcp_timer_set(t, TT_KEEP, now + intvl * NSEC_S);
}

static void run(struct tcp_ep *t, enum tcp_timer which, u64 now)
{
	switch (which) {
	case TT_REXMIT:
		on_rexmit(t, now);
		break;
	case TT_PERSIST:
		on_persist(t, now);
		break;
	case TT_PTO:
		on_pto(t);
		break;
	case TT_REO:
		on_reo(t, now);
		break;
	case TT_DELACK:
		ack_timeout(t);
		break;
	case TT_KEEP:
		on_keepalive(t, now);
		break;
	case TT_PACE:
		tcp_output(t);
		break;
	case TT_LINGER:                 /* FIN_WAIT2 without an owner */
		tcp_done(t, 0);
		break;
	case TT_MAX:
		break;
	}
}

void tcp_timer_fire(struct ntimer *n)
{
	struct tcp_ep *t = container_of(n, struct tcp_ep, timer);
	u64 now, next = NET_NEVER;
	int i;

	mutex_lock(&t->ep.mu);
	now = tcp_now(t);
	for (i = 0; i < TT_MAX && t->state != TCPS_CLOSE; i++)
		if (t->due[i] <= now) {
			t->due[i] = NET_NEVER;
			run(t, i, now);
		}
	if (t->state != TCPS_CLOSE)
		for (i = 0; i < TT_MAX; i++)
			next = MIN(next, t->due[i]);
	if (next != NET_NEVER && ntimer_set_before(&t->ep.stack->timers, &t->timer, next))
		ep_ref(&t->ep);
	mutex_unlock(&t->ep.mu);
	ep_unref(&t->ep);
}
