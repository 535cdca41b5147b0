/*
 * mtuprobe.c - packetization-layer path MTU discovery (RFC 4821, RFC 8899), for paths that swallow what is too long without a word.
 *
 * ipv4/tcp_mtu_probing as in Linux: 0 never, 1 once a black hole is suspected, 2 always.  While it is on, segments stay below `low`, a size
 * that passed (at first tcp_base_mss), and now and then one segment of new data is made as long as the middle between
 * `low` and `high`: acknowledged, it is the new `low`; lost alone, `high` is below it, and the window stays as it is.  After tcp_retries1
 * timeouts in a row the path counts as a black hole: `low` is halved.  Sizes are those of IP packets.
 *
 * All under ep.mu.
 */
#include "netstack/tcp/tcp.h"

#define PROBE_FLOOR   48u       /* the least payload that a black hole leads to: tcp_mtu_probe_floor */
#define PROBE_CWND    11u       /* segments that the window must have: losing one must not cost a timeout */
#define LOW_MAX       65535u

static u32 headers(const struct tcp_ep *t)
{
	return (ip_is4(&t->ep.raddr) ? 20u : 40u) + 20;
}

static u32 opts(const struct tcp_ep *t) { return t->ts_ok ? 12 : 0; }

/* The largest that may be tried: what the link and the peer take. */
static u32 ceiling(const struct tcp_ep *t)
{
	u32 peer = t->peer_mss ? t->peer_mss : TCP_MSS_DEFAULT;

	if (t->user_mss)
		peer = MIN(peer, (u32)t->user_mss);
	return MIN(peer + headers(t), t->pmtu);
}

void mtup_begin(struct tcp_ep *t)
{
	struct mtup *m = &t->mtup;

	m->on = t->ep.stack->sysctl.tcp_mtu_probing[0] > 1;
	m->low = MIN((u32)t->ep.stack->sysctl.tcp_base_mss[0], LOW_MAX) + headers(t);
	m->high = ceiling(t);
	m->size = 0;
	m->at = tcp_now(t);
	tcp_sync_mss(t);
}

u32 mtup_limit(struct tcp_ep *t, u32 mtu)
{
	struct mtup *m = &t->mtup;

	if (!m->on)
		return mtu;
	m->high = MIN(m->high, mtu);
	return MIN(mtu, m->low);
}

void mtup_black_hole(struct tcp_ep *t)
{
	const struct net_sysctl *y = &t->ep.stack->sysctl;
	struct mtup *m = &t->mtup;
	u32 mss;

	if (!y->tcp_mtu_probing[0] || t->retries <= (u32)y->tcp_retries1[0])
		return;
	if (!m->on) {
		m->on = true;
		m->at = tcp_now(t);
	} else {
		mss = MIN((u32)y->tcp_base_mss[0], (m->low - headers(t)) / 2);
		m->low = MAX(mss, MAX(PROBE_FLOOR, TCP_MSS_MIN)) + headers(t);
	}
	tcp_sync_mss(t);
}

/* Nothing more to find out; after tcp_probe_interval the path may have become another. */
static void maybe_again(struct tcp_ep *t, u64 now)
{
	struct mtup *m = &t->mtup;

	if (now - m->at < (u64)t->ep.stack->sysctl.tcp_probe_interval[0] * NSEC_S)
		return;
	m->low = t->mss + opts(t) + headers(t);
	m->high = ceiling(t);
	m->at = now;
}

/* The payload of the next probe; 0: none is due. */
static u32 next_size(struct tcp_ep *t)
{
	struct mtup *m = &t->mtup;
	u32 mtu;

	if (!m->on || m->size || t->ca != CA_OPEN || t->sacked || t->n_rx_sack || t->has_dsack || t->cwnd < PROBE_CWND * t->mss ||
	    t->has_eor)
		return 0;
	mtu = (m->low + m->high) / 2;
	if (m->high < m->low + (u32)t->ep.stack->sysctl.tcp_probe_threshold[0]) {
		maybe_again(t, tcp_now(t));
		return 0;
	}
	mtu -= headers(t) + opts(t);
	return mtu > t->mss ? mtu : 0;
}

/* Enough behind it must follow that its loss shows without a timeout. */
enum mtup_next mtup_probe(struct tcp_ep *t, u32 *ret_len)
{
	u32 len = next_size(t), need, left = t->write_seq - t->snd_nxt, flight = tcp_flight(t);

	if (!len)
		return MTUP_NONE;
	need = len + (t->reordering + 1) * t->mss;
	if (left < need || t->snd_wnd < need)
		return MTUP_NONE;
	if (seq_gt(t->snd_nxt + need, t->snd_una + t->snd_wnd))
		return MTUP_WAIT;
	if (flight + len + t->mss > t->cwnd)
		return flight ? MTUP_WAIT : MTUP_NONE;
	*ret_len = len;
	return MTUP_SEND;
}

void mtup_sent(struct tcp_ep *t, u32 len)
{
	t->mtup.size = len + headers(t) + opts(t);
	t->mtup.start = t->snd_nxt - len;
	t->mtup.end = t->snd_nxt;
}

void mtup_acked(struct tcp_ep *t)
{
	struct mtup *m = &t->mtup;

	if (!m->size || seq_lt(t->snd_una, m->end))
		return;
	m->low = m->size;
	m->size = 0;
	tcp_sync_mss(t);
}

bool mtup_lost(struct tcp_ep *t)
{
	struct mtup *m = &t->mtup;

	if (!m->size || t->ca > CA_CWR || t->snd_una != m->start || t->lost > m->end - m->start)
		return false;
	m->high = m->size - 1;
	m->size = 0;
	m->ssthresh = t->ssthresh;
	t->ssthresh = t->cwnd;
	t->ca = CA_LOSS;
	t->recover = t->snd_nxt;
	t->undo_cwnd = 0;
	t->tlp_out = false;
	tcp_timer_off(t, TT_PTO);
	return true;
}

void mtup_repaired(struct tcp_ep *t)
{
	t->ssthresh = MAX(t->ssthresh, t->mtup.ssthresh);
	t->mtup.ssthresh = 0;
}
