/*
 * out.c - what may be sent now: windows, Nagle, corking, silly windows.
 *
 * tcp_output() is called whenever something changed: new data, an ACK, a
 * timer.  It first repairs losses as far as recovery allows, then sends new
 * data in the largest pieces that windows and the link permit.
 */
#include "netstack/core/nic.h"
#include "netstack/tcp/tcp.h"

/* Bytes never sent; a FIN that went out stands one behind the last of them. */
static u32 unsent(const struct tcp_ep *t) { return t->fin_sent ? 0 : t->write_seq - t->snd_nxt; }

static u32 cwnd_room(const struct tcp_ep *t)
{
	u32 f = tcp_flight(t);

	return t->cwnd > f ? t->cwnd - f : 0;
}

/* By default twice the window a round trip in slow start, 1.2 times later. */
u64 tcp_pacing_rate(const struct tcp_ep *t)
{
	const struct net_sysctl *y = &t->ep.stack->sysctl;
	u64 r = (u64)MIN(MAX(t->cwnd, t->snd_nxt - t->snd_una), 1u << 30);

	r = r * (u32)(t->cwnd < t->ssthresh / 2 ? y->tcp_pace_ss[0] : y->tcp_pace_ca[0]) / 100;
	r = t->rtt.valid ? r * 1000000 / MAX(t->rtt.srtt / 1000, 1ull) : UINT32_MAX;
	return MIN(r, t->ep.o.pacing);
}

/* SO_MAX_PACING_RATE was set: not yet the next one's turn?  Then the timer goes on. */
static bool pace(struct tcp_ep *t)
{
	if (!t->ep.o.paced || t->pace_next <= tcp_now(t))
		return false;
	tcp_timer_set(t, TT_PACE, t->pace_next);
	return true;
}

/* @n bytes left: when the next may.  As Linux: the first ten segments are free, and what a late timer cost is half made good. */
static void pace_sent(struct tcp_ep *t, u32 n)
{
	u64 rate = tcp_pacing_rate(t), now = tcp_now(t), ns, credit;

	if (!t->ep.o.paced)
		return;
	credit = now > t->pace_next ? now - t->pace_next : 0;
	t->pace_next = MAX(t->pace_next, now);
	if (!rate || rate >= UINT32_MAX || t->st.data_segs_out < TCP_INIT_CWND)
		return;
	ns = n * NSEC_S / rate;
	t->pace_next += ns - MIN(ns / 2, credit);
}

/* A millisecond's worth, more when the path is short: what goes in one piece. */
static u32 autosize(const struct tcp_ep *t, u32 max)
{
	u64 n = tcp_pacing_rate(t) >> 10, r = t->rtt.valid ? t->rtt.min / 512000 : 64;

	if (r < 32)
		n += max >> r;
	return (u32)MIN(MAX(n, (u64)t->ep.stack->sysctl.tcp_min_tso[0] * t->mss), (u64)max);
}

/* Largest piece for one call of tcp_xmit(). */
static u32 piece_max(const struct tcp_ep *t)
{
	u32 max = nic_gso_max(t->ep.rt.nic, ip_is4(&t->ep.raddr) ? GSO_TCP4 : GSO_TCP6);

	if (max <= t->mss + 120u || t->ep.ext6)
		return t->mss;
	max = autosize(t, max - 120) / t->mss * t->mss;
	return MAX(max, (u32)t->mss);
}

/* Lost ranges go first, one window's worth. */
static bool repair(struct tcp_ep *t)
{
	struct txr *x, *n;
	u64 now = tcp_now(t);

	if (!t->lost || t->lost == t->retrans)
		return true;
	list_for_each_safe(x, n, &t->txrs, node) {
		if (!(x->flags & TXR_LOST) || (x->flags & TXR_RETRANS))
			continue;
		if (cwnd_room(t) == 0 || pace(t))
			return false;
		if (!tcp_retransmit(t, x))
			return false;
		pace_sent(t, x->end - x->seq);
		txr_sent_again(t, x, now);
		t->prr_out += x->end - x->seq;
		/* A split left the rest right behind. */
		n = list_entry(x->node.next, struct txr, node);
	}
	return true;
}

/* RFC 896, 1122: hold a small last piece while something is in flight. */
static bool hold_small(const struct tcp_ep *t, u32 seq, u32 len, u32 left)
{
	bool final = t->fin_queued;

	if (len >= t->mss)
		return false;
	if (t->force_out)
		return false;
	if (len < left)                         /* the window cuts it: wait for more window */
		return len < t->max_wnd / 2 || t->snd_nxt != t->snd_una;
	if (final || (t->urg_out && seq_gt(t->snd_up, seq)))
		return false;
	if (t->cork || t->more_now)
		return true;
	/* Only while another small one is out (Minshall's variant). */
	return !t->nodelay && seq_gt(t->snd_sml, t->snd_una) && seq_le(t->snd_sml, t->snd_nxt);
}

/*
 * Every ACK opens the window a little.  Small pieces at each cost as much as large ones; with two thirds of
 * the window in flight more ACKs are on their way, so wait until a third may go at once.
 */
static bool better_later(const struct tcp_ep *t, u32 room)
{
	u64 now;

	if (t->ca != CA_OPEN || list_empty(&t->txrs))
		return false;
	/* Only while things move fast, and an ACK is due soon (as Linux). */
	now = stack_now(t->ep.stack);
	if (now - t->last_send > NSEC_MS ||
	    now - list_first(&t->txrs, struct txr, node)->sent < t->rtt.srtt / 2)
		return false;
	return room < MIN(t->cwnd, t->snd_wnd) / 3 && room < piece_max(t);
}

/* @n bytes of new data left, perhaps with the FIN. */
static bool note_sent(struct tcp_ep *t, u32 n, u8 flags)
{
	u32 end = t->snd_nxt + n + (flags & TH_FIN ? 1 : 0);
	struct txr *x = txr_add(t, t->snd_nxt, end);

	if (!x)
		return false;                   /* out of memory: it will be sent again */
	if (n % t->mss)
		t->snd_sml = t->snd_nxt + n;
	if (flags & TH_PSH)
		x->flags |= TXR_PSH;
	if (t->ca != CA_OPEN)
		t->prr_out += end - t->snd_nxt;
	t->snd_nxt = end;
	if (flags & TH_FIN)
		t->fin_sent = true;
	pace_sent(t, n);
	if (t->n_tsq)
		ts_sent(t);
	return true;
}

/* One piece of new data; false when no more may go. */
static bool send_new(struct tcp_ep *t)
{
	u32 left = unsent(t), wnd_end = t->snd_una + t->snd_wnd, len, room, tail;
	bool fin = t->fin_queued && !t->fin_sent, cut = false;
	u8 flags = TH_ACK;
	int r;

	if ((!left && !fin) || pace(t))
		return false;
	room = seq_gt(wnd_end, t->snd_nxt) ? wnd_end - t->snd_nxt : 0;
	if (left && !room)
		return false;
	if (t->has_eor) {
		len = sndq_record(t, t->snd_nxt, left);
		cut = len < left;
		if (cut)
			left = len;
	}
	len = MIN(left, room);
	len = MIN(len, t->ecn_cwr ? (u32)t->mss : piece_max(t));        /* CWR: on one segment only */
	if (len) {
		u32 c = cwnd_room(t), half = MAX(t->cwnd / 2, (u32)t->mss);

		if (c >= len && len > half && t->mss < half)
			c = half;               /* two pieces in flight at least */
		else if (c < len) {
			t->cwnd_limited = true;
			c = MIN(c, half);
		}
		if (c < len) {
			/* Whole segments only, except that one may always stick out. */
			c = c / t->mss * t->mss;
			if (!c || better_later(t, c))
				return false;
			len = MIN(len, c);
		}
		if (len > t->mss && len < left)
			len = len / t->mss * t->mss;
		/* Whole segments need not wait for a tail that must. */
		tail = len % t->mss;
		if (tail && tail < len && len == left && !cut && hold_small(t, t->snd_nxt + len - tail, tail, tail))
			len -= tail;
		if (!(cut && len == left) && hold_small(t, t->snd_nxt, len, left))
			return false;
	}
	if (len == left && fin && !cut && (room > len || left == 0))
		flags |= TH_FIN;
	if (len && len == left && (cut || t->push_seq == t->write_seq))
		flags |= TH_PSH;
	if (len == 0 && !(flags & TH_FIN))
		return false;
	r = tcp_xmit(t, t->snd_nxt, len, flags);
	if (r < 0)
		return false;
	if ((u32)r < len || (len && r == 0)) {
		flags &= (u8)~TH_FIN;
		if (r == 0)
			return false;
	}
	return note_sent(t, (u32)r, flags);
}

/* A longer segment than any so far, now and then; false: nothing else may go before it. */
static bool send_probe(struct tcp_ep *t)
{
	u16 mss = t->mss;
	u32 len = 0;
	bool ok;

	switch (mtup_probe(t, &len)) {
	case MTUP_NONE: return true;
	case MTUP_WAIT: return false;
	case MTUP_SEND: break;
	}
	if (pace(t))
		return false;
	t->mss = (u16)len;
	ok = tcp_xmit(t, t->snd_nxt, len, TH_ACK) == (int)len && note_sent(t, len, TH_ACK);
	t->mss = mss;
	if (ok)
		mtup_sent(t, len);
	return ok;
}

/* RFC 5681 4.1: after idleness the old window means nothing. */
static void after_idle(struct tcp_ep *t)
{
	u64 now, idle, rto;
	u32 init;

	if (t->snd_nxt != t->snd_una || !t->last_send || !t->ep.stack->sysctl.tcp_ss_idle[0])
		return;
	now = tcp_now(t);
	idle = now - t->last_send;
	rto = tcp_rto(t);
	if (idle <= rto)
		return;
	t->ssthresh = MAX(t->ssthresh, t->cwnd / 4 * 3);
	init = MIN(t->cwnd, TCP_INIT_CWND * t->mss);
	for (; idle > rto && t->cwnd > init; idle -= rto)
		t->cwnd /= 2;
	t->cwnd = MAX(t->cwnd, init);
	t->last_send = now;
	if (t->cc->restart)
		t->cc->restart(t);
}

static void arm(struct tcp_ep *t)
{
	u64 now;

	if (t->snd_nxt != t->snd_una) {
		tcp_timer_off(t, TT_PERSIST);
		if (t->due[TT_REXMIT] == NET_NEVER)
			tcp_rearm_rexmit(t);
		return;
	}
	tcp_timer_off(t, TT_REXMIT);
	tcp_timer_off(t, TT_PTO);
	tcp_timer_off(t, TT_REO);
	/* Something to send but no window: ask now and then (RFC 9293, 3.8.6.1). */
	if (unsent(t)) {
		if (t->due[TT_PERSIST] == NET_NEVER) {
			now = tcp_now(t);
			/* Also the longest that MSG_MORE and TCP_CORK may hold bytes back: 200 ms. */
			tcp_timer_set(t, TT_PERSIST, now + (t->snd_wnd ? TCP_RTO_MIN : tcp_rto(t)));
		}
	} else {
		tcp_timer_off(t, TT_PERSIST);
	}
}

/* How full the window has been lately (RFC 7661 in spirit): only a window that was used may grow. */
static void validate(struct tcp_ep *t)
{
	u32 out = tcp_flight(t);

	if (!seq_lt(t->snd_una, t->max_out_end) || t->cwnd_limited || out > t->max_out) {
		t->max_out = out;
		t->max_out_end = t->snd_nxt;
		t->was_limited = t->cwnd_limited;
	}
}

bool tcp_window_limited(const struct tcp_ep *t)
{
	return t->was_limited || (t->cwnd < t->ssthresh && t->cwnd < 2 * t->max_out);
}

void tcp_chrono_set(struct tcp_ep *t, enum tcp_chrono what)
{
	u64 now;

	if (t->chrono_now == what)
		return;
	now = tcp_now(t);
	t->chrono.ns[t->chrono_now] += now - t->chrono.since;
	t->chrono.since = now;
	t->chrono_now = (u8)what;
}

static void note_limits(struct tcp_ep *t)
{
	u32 left = unsent(t), wnd_end = t->snd_una + t->snd_wnd;
	enum tcp_chrono c = CHRONO_BUSY;

	if (t->snd_una == t->write_seq)
		c = CHRONO_IDLE;
	else if (left && !t->cwnd_limited && seq_gt(t->snd_nxt + MIN(left, (u32)t->mss), wnd_end))
		c = CHRONO_RWND;
	else if (t->ep.nospace && (t->chrono_now == CHRONO_SNDBUF || (!left && !t->cwnd_limited)))
		c = CHRONO_SNDBUF;
	tcp_chrono_set(t, c);
}

void tcp_output(struct tcp_ep *t)
{
	u32 bits = STATES_CAN_SEND | (t->fo.child ? STATE_BIT(TCPS_SYN_RECV) : 0) | STATE_BIT(TCPS_FIN_WAIT1) | STATE_BIT(TCPS_LAST_ACK) |
		   STATE_BIT(TCPS_CLOSING);
	bool before = t->snd_nxt == t->snd_una;

	if (!in_states(t, bits))
		return;
	if (tcp_route(t) < 0 && t->snd_nxt == t->snd_una && !unsent(t))
		return;
	if (!t->ep.rt.valid)
		return;
	after_idle(t);
	t->cwnd_limited = false;
	if (repair(t) && send_probe(t))
		while (send_new(t))
			;
	tcp_write_space(t);                     /* what was unsent is less now */
	validate(t);
	note_limits(t);
	arm(t);
	if (t->ca <= CA_CWR && t->snd_nxt != t->snd_una && (before || !t->tlp_out))
		tcp_arm_tlp(t);
}

/* Tail loss probe (RFC 8985, 7.2): when nothing comes back in two round trips. */
void tcp_arm_tlp(struct tcp_ep *t)
{
	u64 pto, now = tcp_now(t), rto = tcp_rto(t);
	struct txr *first;
	s32 on = t->ep.stack->sysctl.tcp_early[0];

	if ((on != 3 && on != 4) || list_empty(&t->txrs) || !t->sack_ok || t->tlp_out || t->ca > CA_CWR || t->sacked || !t->rtt.valid) {
		tcp_timer_off(t, TT_PTO);
		return;
	}
	pto = 2 * t->rtt.srtt + (tcp_flight(t) <= t->mss ? TCP_RTO_MIN : 2 * NSEC_MS);
	/* Never later than the timeout would come; the probe goes instead of it. */
	first = list_first(&t->txrs, struct txr, node);
	if (now + pto > first->sent + rto)
		pto = MAX(first->sent + rto, now + NSEC_MS) - now;
	tcp_timer_set(t, TT_PTO, now + pto);
	if (t->due[TT_REXMIT] <= now + pto)
		tcp_timer_set(t, TT_REXMIT, now + pto + 1);
}
