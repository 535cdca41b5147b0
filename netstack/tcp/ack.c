/*
 * ack.c - what an acceptable ACK means (RFC 9293 3.10.7.4, RFC 5961 section 5).
 */
#include <net/if_arp.h>
#include <poll.h>
#include "netstack/core/nic.h"
#include "netstack/tcp/tcp.h"

static void update_window(struct tcp_ep *t, const struct tcp_seg *g)
{
	u32 ack = g->h.ack, old = t->snd_wnd;

	if (!(seq_lt(t->snd_wl1, g->h.seq) || (t->snd_wl1 == g->h.seq && seq_le(t->snd_wl2, ack)) ||
	      (seq_gt(ack, t->snd_una))))
		return;
	t->snd_wnd = g->wnd;
	t->snd_wl1 = g->h.seq;
	t->snd_wl2 = ack;
	t->max_wnd = MAX(t->max_wnd, g->wnd);
	if (old != g->wnd && g->wnd)
		t->probes = 0;
}

u32 tcp_tuned(const struct tcp_ep *t, u32 now, u32 want, const s32 *limits)
{
	bool loop = t->ep.rt.valid && t->ep.rt.nic->arphrd == ARPHRD_LOOPBACK;

	want = MIN(want, loop ? MIN((u32)limits[2], TCP_LOOP_BUF) : (u32)limits[2]);
	return MAX(want, now);
}

/* Send buffer autotuning: twice what is in flight, within tcp_wmem. */
static void tune_sndbuf(struct tcp_ep *t)
{
	if (!t->ep.o.sndbuf_locked)
		t->ep.o.sndbuf = tcp_tuned(t, t->ep.o.sndbuf, MIN(t->cwnd, 1u << 29) * 2, t->ep.stack->sysctl.tcp_wmem);
}

void tcp_write_space(struct tcp_ep *t)
{
	u32 space = sndq_space(t);

	if (!t->ep.nospace || space < t->ep.o.sndbuf / 3)
		return;
	if ((u64)(t->write_seq - t->snd_nxt) * 2 >= tcp_notsent_lowat(t))
		return;
	t->ep.nospace = false;
	ep_wake(&t->ep, POLLOUT | POLLWRNORM);
}

/* Duplicate ACK by RFC 5681: nothing new in it, and something is in flight. */
static bool is_dupack(const struct tcp_ep *t, const struct tcp_seg *g, u32 old_wnd)
{
	return g->h.ack == t->snd_una && g->len == 0 && !(g->h.flags & (TH_SYN | TH_FIN)) &&
	       t->snd_nxt != t->snd_una && g->wnd == old_wnd;
}

static void rtt_from(struct tcp_ep *t, const struct tcp_seg *g, const struct ack_info *a)
{
	u32 ms;

	if (a->rtt) {
		tcp_rtt_sample(t, a->rtt);
	} else if (a->acked && t->ts_ok && g->o.has_ts && g->o.tsecr) {
		/* Only timestamps tell original from copy (RFC 7323, 4.1). */
		ms = tcp_tsval(t->ep.stack, t->ts_off) - g->o.tsecr;
		if (ms < 0x7fffffff && ms < 600000)
			tcp_rtt_sample(t, MAX((u64)ms * NSEC_MS, NSEC_MS));
	}
}

/* The probe of the tail was answered; it repaired a loss unless a D-SACK says otherwise. */
static void tlp_ack(struct tcp_ep *t, const struct tcp_seg *g, const struct ack_info *a)
{
	if (!t->tlp_out || seq_lt(g->h.ack, t->tlp_end))
		return;
	t->tlp_out = false;
	if (!a->dsack) {
		recovery_enter(t, a->now);
		t->ca = CA_OPEN;
		t->cwnd = t->ssthresh;
	}
}

static bool dup_threshold(struct tcp_ep *t, const struct tcp_seg *g, u32 old_wnd)
{
	if (t->sack_ok || !is_dupack(t, g, old_wnd))
		return false;
	t->dupacks++;
	if (t->ca == CA_RECOVERY)
		t->prr_delivered += t->mss;
	if (t->dupacks != 3 || t->ca != CA_OPEN || list_empty(&t->txrs))
		return false;
	txr_split(t, list_first(&t->txrs, struct txr, node), t->snd_una + t->mss);
	txr_mark_lost(t, list_first(&t->txrs, struct txr, node));
	return true;
}

static void new_ack(struct tcp_ep *t, u32 ack, struct ack_info *a)
{
	a->acked = ack - t->snd_una;
	a->progress = true;
	if (t->n_tsq)
		ts_acked(t, ack);
	t->st.bytes_acked += a->acked;
	txr_ack(t, ack, a);
	sndq_ack(t, ack);
	t->snd_una = ack;
	mtup_acked(t);
	zc_done(t, ack);
	if (t->urg_out && seq_ge(ack, t->snd_up))
		t->urg_out = false;
	t->retries = 0;
	t->probes = 0;
	t->first_retry = 0;
	t->rtt.backoff = 0;
	t->dupacks = 0;
	tcp_timer_off(t, TT_REXMIT);
	tcp_timer_off(t, TT_PTO);
}

bool tcp_ack(struct tcp_ep *t, const struct tcp_seg *g)
{
	struct ack_info a = { .now = tcp_now(t), .prior_flight = tcp_flight(t) };
	u32 ack = g->h.ack, old_wnd = t->snd_wnd;
	u64 before = t->delivered;
	bool lost;

	if (seq_gt(ack, t->snd_nxt)) {
		tcp_challenge_ack(t);
		return false;
	}
	/* RFC 5961 5.2: an ACK too old to be true. */
	if (seq_lt(ack, t->snd_una - t->max_wnd)) {
		tcp_challenge_ack(t);
		return false;
	}
	if (seq_lt(ack, t->snd_una)) {
		if (t->sack_ok && g->o.nsack)
			sack_process(t, g, &a);
		return true;
	}
	/* Growing makes sense only when the window was what held us back. */
	a.was_limited = tcp_window_limited(t);
	update_window(t, g);
	if (t->sack_ok && g->o.nsack)
		sack_process(t, g, &a);
	if (ack != t->snd_una)
		new_ack(t, ack, &a);
	if (a.acked || a.sacked)
		rtt_from(t, g, &a);
	if (a.acked && t->cc->acked)
		t->cc->acked(t, a.rtt);
	if (t->ecn_ok && (g->h.flags & (TH_ECE | TH_SYN)) == TH_ECE)
		recovery_cwr(t, a.now);
	if (a.dsack && t->reo_mult < 20)
		t->reo_mult++;
	lost = dup_threshold(t, g, old_wnd);
	if (t->sack_ok && (a.acked || a.sacked))
		lost = rack_detect(t, a.now) || lost;
	tlp_ack(t, g, &a);
	a.newly = (u32)(t->delivered - before);
	recovery_step(t, &a, lost);
	if (a.acked) {
		tune_sndbuf(t);
		tcp_write_space(t);
		/* Forward progress proves the neighbour (RFC 4861, 7.3.1). */
		if (t->ep.rt.valid && t->ep.rt.nic->arphrd == 1)
			neigh_confirm(t->ep.rt.nic, &t->ep.rt.nexthop);
	}
	return true;
}
