/*
 * recovery.c - reacting to loss: fast recovery with PRR (RFC 6937), timeouts
 * (RFC 5681, 6298), and taking it back when the loss was none.
 */
#include "netstack/tcp/tcp.h"

/* The window comes down over a round trip. */
static void reduce(struct tcp_ep *t, u64 now, enum tcp_ca ca)
{
	t->undo_cwnd = t->cwnd;
	t->undo_ssthresh = t->ssthresh;
	if (t->ca == CA_OPEN)
		t->ssthresh = t->cc->ssthresh(t, now);
	t->ca = (u8)ca;
	t->recover = t->snd_nxt;
	t->prr_delivered = t->prr_out = 0;
	t->prr_flight = MAX(t->cwnd, (u32)t->mss);
	t->ecn_cwr = t->ecn_ok;
}

/* Once a window: what was in flight when it was told has left (RFC 3168, 6.1.2). */
void recovery_cwr(struct tcp_ep *t, u64 now)
{
	if (t->ca != CA_OPEN)
		return;
	reduce(t, now, CA_CWR);
	t->undo_cwnd = 0;
}

void recovery_enter(struct tcp_ep *t, u64 now)
{
	reduce(t, now, CA_RECOVERY);
	t->tlp_out = false;
	tcp_timer_off(t, TT_PTO);
	if (t->sack_ok)
		MIB(t->ep.stack, TcpExt_TCPSackRecovery);
	else
		MIB(t->ep.stack, TcpExt_TCPRenoRecovery);
	MIB(t->ep.stack, TcpExt_TCPFastRetrans);
}

static void leave(struct tcp_ep *t)
{
	t->ca = CA_OPEN;
	t->cwnd = MAX(MIN(t->ssthresh, MAX(t->cwnd, 2u * t->mss)), 2u * t->mss);
	if (t->ssthresh > t->cwnd)
		t->cwnd = t->ssthresh;
	t->dupacks = 0;
	mtup_repaired(t);
}

/* The peer says that our retransmissions were not needed (RFC 3708). */
static void undo(struct tcp_ep *t)
{
	if (!t->undo_cwnd)
		return;
	t->cwnd = MAX(t->cwnd, t->undo_cwnd);
	t->ssthresh = MAX(t->ssthresh, t->undo_ssthresh);
	t->undo_cwnd = 0;
	if (t->cc->restart)
		t->cc->restart(t);
}

/* Proportional rate reduction: as much goes out as what arrived, scaled. */
static void prr(struct tcp_ep *t, const struct ack_info *a, bool lost)
{
	u32 flight = tcp_flight(t), sent;
	u64 quota;

	t->prr_delivered += a->newly;
	if (flight > t->ssthresh) {
		quota = ((u64)t->prr_delivered * t->ssthresh + t->prr_flight - 1) / t->prr_flight;
		sent = quota > t->prr_out ? (u32)(quota - t->prr_out) : 0;
	} else {
		sent = t->prr_delivered > t->prr_out ? t->prr_delivered - t->prr_out : 0;
		sent = MAX(sent, a->newly) + (a->progress && !lost ? t->mss : 0);
		sent = MIN(sent, t->ssthresh - flight);
	}
	/* The first retransmission always goes (fast retransmit). */
	if (t->prr_out == 0)
		sent = MAX(sent, (u32)t->mss);
	t->cwnd = flight + sent;
}

void recovery_step(struct tcp_ep *t, const struct ack_info *a, bool lost)
{
	if (a->dsack && t->ca == CA_OPEN)
		undo(t);
	if (t->ca != CA_OPEN && seq_ge(t->snd_una, t->recover)) {
		leave(t);
		lost = lost && t->lost;
	}
	if (lost && t->ca <= CA_CWR && !mtup_lost(t))
		recovery_enter(t, a->now);
	switch (t->ca) {
	case CA_CWR:
		prr(t, a, lost);
		break;
	case CA_RECOVERY:
		/* Without SACK a partial ACK says where the next hole is (RFC 6582). */
		if (!t->sack_ok && a->acked && !list_empty(&t->txrs))
			txr_mark_lost(t, list_first(&t->txrs, struct txr, node));
		prr(t, a, lost);
		break;
	case CA_OPEN:
		if (a->acked && a->was_limited)
			t->cc->grow(t, a->acked, a->now);
		break;
	case CA_LOSS:
		if (a->acked)
			t->cc->grow(t, a->acked, a->now);
		break;
	}
	t->cwnd = MIN(t->cwnd, 1u << 30);
}

/* Retransmission timeout: everything in flight counts as lost. */
void recovery_timeout(struct tcp_ep *t, u64 now)
{
	struct txr *x;

	if (t->ca != CA_LOSS || t->retries <= 1) {
		if (t->ca == CA_OPEN) {
			t->undo_cwnd = t->cwnd;
			t->undo_ssthresh = t->ssthresh;
		}
		t->ssthresh = t->cc->ssthresh(t, now);
	}
	t->ca = CA_LOSS;
	t->mtup.size = t->mtup.ssthresh = 0;    /* says nothing about a probe's size */
	t->recover = t->snd_nxt;
	t->tlp_out = false;
	t->dupacks = 0;
	t->rack_sent = 0;
	t->reordering = MIN(t->reordering, (u32)t->ep.stack->sysctl.tcp_reordering[0]);
	list_for_each(x, &t->txrs, node)
		txr_mark_lost(t, x);
	t->cwnd = tcp_flight(t) + t->mss;
	tcp_timer_off(t, TT_PTO);
	tcp_timer_off(t, TT_REO);
}
