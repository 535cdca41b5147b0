/*
 * delack.c - when to acknowledge (RFC 1122 4.2.3.2, RFC 5681 4.2), with Linux' refinements.
 *
 * Two segments or a one-time reason (ack_now) are acknowledged at once; so is
 * everything while the sender is taken to be in slow start (quickack).  A
 * connection that answers what it receives is interactive (pingpong): its ACKs
 * wait for the answer.  Otherwise the delay follows the gap between segments.
 */
#include "netstack/core/nic.h"
#include "netstack/tcp/tcp.h"

#define QUICKACKS   16u
#define ATO_MAX     (200 * NSEC_MS)
#define DATA_PUSHED 1           /* a short segment, or one with PSH, waits to be read */
#define DATA_AGAIN  2           /* and another one since */

static u32 offered(const struct tcp_ep *t) { return t->rcv_adv - t->last_ack_sent; }

static void quickacks(struct tcp_ep *t)
{
	u32 n = offered(t) / (2 * MAX(t->rcv_mss, 1u));

	n = MIN(MAX(n, 2u), QUICKACKS);
	t->quickack = MAX(t->quickack, n);
}

void ack_quickly(struct tcp_ep *t)
{
	quickacks(t);
	t->pingpong = false;
	t->ato = TCP_DELACK;
}

static void schedule(struct tcp_ep *t, u64 now)
{
	u64 ato = t->ato ? t->ato : TCP_DELACK, max;

	if (ato > TCP_DELACK) {
		max = t->pingpong || t->pushed ? ATO_MAX : NSEC_S / 2;
		if (t->rtt.valid)
			max = MIN(max, MAX(t->rtt.srtt, TCP_DELACK));
		ato = MIN(ato, max);
	}
	if (t->due[TT_DELACK] == NET_NEVER)
		tcp_timer_set(t, TT_DELACK, now + MIN(ato, ATO_MAX));
}

void ack_later(struct tcp_ep *t)
{
	t->ack_pending = true;
	schedule(t, tcp_now(t));
}

/* What segments of the peer hold, so that two of them can be told from one. */
static void measure(struct tcp_ep *t, u32 len, u32 gso, bool psh)
{
	u32 seg = gso ? gso : len;

	if (seg >= t->rcv_mss) {
		t->rcv_mss = MIN(seg, MAX(t->ep.rt.valid ? (u32)t->ep.rt.nic->mtu : 1500u, TCP_MSS_DEFAULT));
		if (psh)
			t->pushed |= DATA_PUSHED;
		return;
	}
	if (seg >= TCP_MSS_DEFAULT || (seg >= TCP_MSS_MIN && !psh)) {
		if (seg == t->last_seg) {
			t->rcv_mss = seg;
			return;
		}
		t->last_seg = seg;
	}
	t->pushed |= t->pushed & DATA_PUSHED ? DATA_AGAIN : DATA_PUSHED;
}

void ack_data_received(struct tcp_ep *t, u32 len, u32 gso, bool psh)
{
	u64 now = tcp_now(t), gap = now - t->last_data;

	t->ack_pending = true;
	measure(t, len, gso, psh);
	if (!t->ato) {
		quickacks(t);
		t->ato = TCP_DELACK;
	} else if (gap <= TCP_DELACK / 2) {
		t->ato = t->ato / 2 + TCP_DELACK / 2;
	} else if (gap < t->ato) {
		t->ato = MIN(t->ato / 2 + gap, tcp_rto(t));
	} else if (gap > tcp_rto(t)) {
		quickacks(t);           /* it starts over, it seems, and wants ACKs */
	}
	t->last_data = t->last_recv = now;
}

void ack_check(struct tcp_ep *t)
{
	bool two = t->rcv_nxt - t->last_ack_sent > t->rcv_mss &&
		   (t->rcvq_len < t->ep.o.rcvlowat || rcv_fresh_window(t) >= offered(t));

	if (!t->ack_pending || t->ack_now)
		return;
	if (two || (t->quickack && !t->pingpong) || t->ooo_n)
		t->ack_now = true;
	else
		schedule(t, tcp_now(t));
}

void ack_sent(struct tcp_ep *t)
{
	t->ack_now = t->ack_pending = false;
	t->pushed = 0;
	tcp_timer_off(t, TT_DELACK);
	if (t->quickack && --t->quickack == 0)
		t->ato = TCP_DELACK;
}

/* Data goes out soon after data came in: an answer. */
void ack_data_sent(struct tcp_ep *t)
{
	u64 now = tcp_now(t);

	if (t->ato && now - t->last_data < t->ato)
		t->pingpong = true;
	t->last_send = now;
}

void ack_timeout(struct tcp_ep *t)
{
	if (!t->ack_pending)
		return;
	MIB(t->ep.stack, TcpExt_DelayedACKs);
	if (t->pingpong) {
		t->pingpong = false;
		t->ato = TCP_DELACK;
	} else {
		t->ato = MIN(t->ato * 2, tcp_rto(t));
	}
	tcp_send_ack(t);
}

/* The user took @copied bytes: an ACK that waited, or a window that opened (RFC 9293 3.8.6.2.2). */
void ack_after_read(struct tcp_ep *t, u32 copied)
{
	u32 left = seq_gt(t->rcv_adv, t->rcv_nxt) ? t->rcv_adv - t->rcv_nxt : 0, fresh;
	bool now = false;

	if (!in_states(t, STATES_SYNCED))
		return;
	if (t->ack_pending)
		now = t->rcv_nxt - t->last_ack_sent > t->rcv_mss ||
		      (copied && !t->rcvq_len &&
		       ((t->pushed & DATA_AGAIN) || ((t->pushed & DATA_PUSHED) && !t->pingpong)));
	if (!now && copied && !t->fin_rcvd && 2 * left <= rcv_clamp(t)) {
		fresh = rcv_fresh_window(t);
		now = fresh && fresh >= 2 * left;
	}
	if (now)
		tcp_send_ack(t);
}

void ack_set_quick(struct tcp_ep *t, int v)
{
	if (!v) {
		t->pingpong = true;
		return;
	}
	t->pingpong = false;
	if (t->ack_pending && in_states(t, STATES_CAN_SEND)) {
		t->pushed |= DATA_PUSHED;
		ack_after_read(t, 1);
		if (!(v & 1))
			t->pingpong = true;
	}
}
