/*
 * rack.c - RACK: a segment is lost when one sent sufficiently later arrived
 * (RFC 8985), and the three-duplicate rule when there is no SACK.
 */
#include "netstack/tcp/tcp.h"

/* A range was delivered: remember its round trip, and the latest sent one (step 2). */
void rack_seen(struct tcp_ep *t, const struct txr *x, u64 now)
{
	u64 rtt = now - x->sent;

	/* An ACK faster than any round trip belongs to the original, not the copy. */
	if ((x->flags & TXR_EVER) && rtt < t->rtt.min)
		return;
	t->rack_rtt = rtt;
	if (x->sent > t->rack_sent || (x->sent == t->rack_sent && seq_gt(x->end, t->rack_end))) {
		t->rack_sent = x->sent;
		t->rack_end = x->end;
	}
}

static u64 reo_window(struct tcp_ep *t)
{
	if (!t->rack_reordered && (t->ca >= CA_RECOVERY || t->sacked >= t->reordering * t->mss))
		return 0;
	return MIN((u64)MAX(t->reo_mult, 1) * t->rtt.min / 4, t->rtt.srtt);
}

bool rack_detect(struct tcp_ep *t, u64 now)
{
	u64 wnd = reo_window(t), wait = 0;
	struct txr *x;
	bool any = false;

	tcp_timer_off(t, TT_REO);
	if (!t->rack_sent)
		return false;
	list_for_each(x, &t->txrs, node) {
		u64 deadline;

		if ((x->flags & TXR_SACKED) || ((x->flags & TXR_LOST) && !(x->flags & TXR_RETRANS)))
			continue;
		/* Sent after the latest delivered one: nothing known. */
		if (x->sent > t->rack_sent || (x->sent == t->rack_sent && seq_ge(x->end, t->rack_end)))
			continue;
		/* Step 5: lost when it took longer than what was delivered last, and then some. */
		deadline = x->sent + t->rack_rtt + wnd;
		if (deadline <= now) {
			if (x->flags & TXR_RETRANS)
				MIB(t->ep.stack, TcpExt_TCPLostRetransmit);
			txr_mark_lost(t, x);
			any = true;
		} else if (!wait || deadline < wait) {
			wait = deadline;
		}
	}
	if (wait)
		tcp_timer_set(t, TT_REO, wait);
	return any;
}
