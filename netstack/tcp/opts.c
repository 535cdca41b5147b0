/*
 * opts.c - socket options at level IPPROTO_TCP.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include "netstack/tcp/optnum.h"
#include "netstack/tcp/tcp.h"

static int set_congestion(struct tcp_ep *t, const void *val, size_t len)
{
	char name[17] = { 0 };
	const struct cc_ops *cc;

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, MIN(len, sizeof(name) - 1));
	cc = cc_find(name);
	if (!cc)
		return -ENOENT;
	mutex_lock(&t->ep.mu);
	t->cc = cc;
	cc->init(t);
	mutex_unlock(&t->ep.mu);
	return 0;
}

static int set_range(u32 *dst, int v, int lo, int hi)
{
	if (v < lo || v > hi)
		return -EINVAL;
	*dst = (u32)v;
	return 0;
}

static void release_cork(struct tcp_ep *t)
{
	bool cork = t->cork;

	t->cork = false;
	tcp_output(t);
	t->cork = cork;
}

/* As in Linux a number of retransmissions is kept, and told as the time they take: 1, 3, 7 ... at most 120 s apart. */
static u32 defer_secs(int want)
{
	u32 gap = 1, sum = want > 0, n = 1;

	for (; want > 0 && (u32)want > sum && n < 255; n++) {
		gap = MIN(gap * 2, 120u);
		sum += gap;
	}
	return sum;
}

/* 0 or 1, kept and shown without effect. */
static int set_shown(bool *dst, int v, int max)
{
	if (v < 0 || v > max)
		return -EINVAL;
	*dst = v != 0;
	return 0;
}

static int set_locked(struct tcp_ep *t, int opt, int v)
{
	int r = 0;

	switch (opt) {
	case TCP_NODELAY:
		t->nodelay = v != 0;
		if (v)
			release_cork(t);
		break;
	case TCP_CORK:
		t->cork = v != 0;
		if (!v)
			release_cork(t);
		break;
	case TCP_MAXSEG:
		if (v && (v < (int)TCP_MSS_MIN || v > 32767))
			return -EINVAL;
		t->user_mss = (u16)v;
		break;
	case TCP_KEEPIDLE:
		r = set_range(&t->keep_idle, v, 1, 32767);
		tcp_keepalive_arm(t);
		break;
	case TCP_KEEPINTVL:
		return set_range(&t->keep_intvl, v, 1, 32767);
	case TCP_KEEPCNT:
		return set_range(&t->keep_cnt, v, 1, 127);
	case TCP_SYNCNT:
		return set_range(&t->syn_cnt, v, 1, 127);
	case TCP_USER_TIMEOUT:
		return set_range(&t->user_timeout_ms, v, 0, INT32_MAX);
	case TCP_LINGER2:
		t->linger2 = v > 120 ? 120 : v < 0 ? -1 : v;
		break;
	case TCP_DEFER_ACCEPT:
		t->defer_s = defer_secs(v);
		break;
	case TCP_WINDOW_CLAMP:
		if (!v && t->state != TCPS_CLOSE)
			return -EINVAL;
		t->window_clamp = v ? (u32)MAX(v, 1152) : 0;
		break;
	case TCP_QUICKACK:
		ack_set_quick(t, v);
		break;
	case TCP_NOTSENT_LOWAT:
		t->notsent_lowat = (u32)v;
		tcp_write_space(t);
		break;
	case TCP_INQ:
		if (v < 0 || v > 1)
			return -EINVAL;
		t->inq = v;
		break;
	case TCP_THIN_LINEAR_TIMEOUTS:
		return set_shown(&t->thin, v, 1);
	case TCP_THIN_DUPACK:
		return v < 0 || v > 1 ? -EINVAL : 0;
	case TCP_SAVE_SYN: case TCP_TX_DELAY:
		return v < 0 || (opt == TCP_SAVE_SYN && v > 2) ? -EINVAL : 0;   /* of no use here */
	case TCP_FASTOPEN:
		if (v < 0 || !in_states(t, STATE_BIT(TCPS_CLOSE) | STATE_BIT(TCPS_LISTEN)))
			return -EINVAL;
		t->fo.backlog = MIN((u32)v, (u32)t->ep.stack->sysctl.somaxconn[0]);
		break;
	case TCP_FASTOPEN_CONNECT:
		if (v < 0 || v > 1)
			return -EINVAL;
		if (!(t->ep.stack->sysctl.tcp_fastopen[0] & TFO_CLIENT))
			return -EOPNOTSUPP;
		if (t->state != TCPS_CLOSE)
			return -EINVAL;
		t->fo.connect = v;
		break;
	case TCP_FASTOPEN_NO_COOKIE:
		if (v < 0 || v > 1 || !in_states(t, STATE_BIT(TCPS_CLOSE) | STATE_BIT(TCPS_LISTEN)))
			return -EINVAL;
		t->fo.no_cookie = v;
		break;
	case TCP_REPAIR: case TCP_REPAIR_QUEUE: case TCP_TIMESTAMP: case TCP_REPAIR_WINDOW:
		return -EPERM;
	case TCP_QUEUE_SEQ:
		return t->state != TCPS_CLOSE ? -EPERM : -EINVAL;
	default:
		return -ENOPROTOOPT;
	}
	return r;
}

static int set_fo_key(struct tcp_ep *t, const void *val, size_t len)
{
	if (len != 16 && len != 32)
		return -EINVAL;
	mutex_lock(&t->ep.mu);
	t->fo.nkeys = (u8)(len / 16);
	tfo_keys_load(t->fo.key, val, t->fo.nkeys);
	mutex_unlock(&t->ep.mu);
	return 0;
}

static int get_fo_key(struct tcp_ep *t, void *val, size_t *len)
{
	struct tfo *f = &t->ep.stack->tfo;
	u8 b[32], n;

	mutex_lock(&t->ep.mu);
	n = t->fo.nkeys;
	tfo_keys_store(t->fo.key, b, n);
	mutex_unlock(&t->ep.mu);
	if (!n) {
		mutex_lock(&f->mu);
		n = f->nkeys;
		tfo_keys_store(f->key, b, n);
		mutex_unlock(&f->mu);
	}
	return epopt_put(val, len, b, n * 16u);
}

int tcp_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len)
{
	struct tcp_ep *t = tcp(e);
	int v, r;

	if (level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	if (opt == TCP_CONGESTION)
		return set_congestion(t, val, len);
	if (opt == TCP_ULP)
		return len ? -ENOENT : -EINVAL;
	if (opt == TCP_FASTOPEN_KEY)
		return set_fo_key(t, val, len);
	r = epopt_int(val, len, &v);
	if (r < 0)
		return r;
	mutex_lock(&e->mu);
	r = set_locked(t, opt, v);
	mutex_unlock(&e->mu);
	return r;
}

static void fill_chrono(struct tcp_ep *t, struct tcp_info *i)
{
	u64 ns[CHRONO_MAX];

	memcpy(ns, t->chrono.ns, sizeof(ns));
	ns[t->chrono_now] += tcp_now(t) - t->chrono.since;
	i->tcpi_busy_time = (ns[CHRONO_BUSY] + ns[CHRONO_RWND] + ns[CHRONO_SNDBUF]) / 1000;
	i->tcpi_rwnd_limited = ns[CHRONO_RWND] / 1000;
	i->tcpi_sndbuf_limited = ns[CHRONO_SNDBUF] / 1000;
}

/* Linux counts segments where we count bytes. */
static void count_segs(struct tcp_ep *t, struct tcp_info *i)
{
	struct txr *x;

	list_for_each(x, &t->txrs, node) {
		u32 n = (x->end - x->seq + t->mss - 1) / MAX(t->mss, 1);

		i->tcpi_unacked += n;
		i->tcpi_sacked += x->flags & TXR_SACKED ? n : 0;
		i->tcpi_lost += x->flags & TXR_LOST ? n : 0;
		i->tcpi_retrans += x->flags & TXR_RETRANS ? n : 0;
	}
}

void tcp_fill_info(struct tcp_ep *t, struct tcp_info *i)
{
	u64 now = tcp_now(t);

	memset(i, 0, sizeof(*i));
	i->tcpi_state = t->state;
	i->tcpi_ca_state = t->ca == CA_OPEN ? (t->sacked || t->dupacks ? 1 : 0) : t->ca == CA_CWR ? 2 :
			   t->ca == CA_RECOVERY ? 3 : 4;
	i->tcpi_retransmits = (u8)t->retries;
	i->tcpi_probes = (u8)t->probes;
	i->tcpi_backoff = (u8)t->rtt.backoff;
	i->tcpi_options = (u8)((t->ts_ok ? TCPI_OPT_TIMESTAMPS : 0) | (t->sack_ok ? TCPI_OPT_SACK : 0) |
			       (t->wscale_ok ? TCPI_OPT_WSCALE : 0) |
			       (t->ecn_ok ? TCPI_OPT_ECN : 0) | (t->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) |
			       (t->fo.data_acked ? TCPI_OPT_SYN_DATA : 0));
	i->tcpi_snd_wscale = t->snd_wscale;
	i->tcpi_rcv_wscale = t->rcv_wscale;
	i->tcpi_rto = (u32)(tcp_rto(t) / 1000);
	i->tcpi_ato = (u32)(t->ato / 1000);
	i->tcpi_snd_mss = t->mss;
	i->tcpi_rcv_mss = t->rcv_mss;
	i->tcpi_pmtu = t->pmtu;
	i->tcpi_advmss = t->mss + (t->ts_ok ? 12 : 0);
	i->tcpi_rtt = (u32)(t->rtt.srtt / 1000);
	i->tcpi_rttvar = (u32)(t->rtt.var / 1000);
	i->tcpi_snd_ssthresh = t->ssthresh == UINT32_MAX ? INT32_MAX : t->ssthresh / MAX(t->mss, 1);
	i->tcpi_snd_cwnd = t->cwnd / MAX(t->mss, 1);
	i->tcpi_rcv_rtt = (u32)(t->rtt.min / 1000);
	i->tcpi_rcv_space = t->drs.space;
	i->tcpi_rcv_ssthresh = rcv_window(t);
	i->tcpi_total_retrans = (u32)t->total_retrans;
	/* Nothing so far: since the handshake, near enough. */
	i->tcpi_last_data_sent = (u32)((now - (t->last_send ? t->last_send : t->last_recv)) / NSEC_MS);
	i->tcpi_last_data_recv = (u32)((now - (t->last_data ? t->last_data : t->last_recv)) / NSEC_MS);
	i->tcpi_last_ack_recv = (u32)((now - t->last_recv) / NSEC_MS);
	i->tcpi_reordering = t->reordering;
	i->tcpi_reord_seen = t->reord_seen;
	i->tcpi_pacing_rate = tcp_pacing_rate(t);
	i->tcpi_max_pacing_rate = t->ep.o.pacing;
	i->tcpi_bytes_acked = t->st.bytes_acked;
	i->tcpi_bytes_received = t->st.bytes_received;
	i->tcpi_segs_out = t->st.segs_out;
	i->tcpi_segs_in = t->st.segs_in;
	i->tcpi_notsent_bytes = t->write_seq - seq_min(t->snd_nxt, t->write_seq);
	i->tcpi_min_rtt = (u32)(t->rtt.min / 1000);
	i->tcpi_data_segs_in = t->st.data_segs_in;
	i->tcpi_data_segs_out = t->st.data_segs_out;
	i->tcpi_delivered = t->ndelivered;
	i->tcpi_bytes_sent = t->st.bytes_sent;
	i->tcpi_bytes_retrans = t->st.bytes_retrans;
	fill_chrono(t, i);
	i->tcpi_rcv_wnd = t->rcv_adv - t->rcv_nxt;
	i->tcpi_dsack_dups = t->st.dsacks;
	i->tcpi_snd_wnd = t->snd_wnd;
	if (t->state == TCPS_LISTEN) {
		i->tcpi_unacked = t->aq->n;
		i->tcpi_sacked = t->aq->max;
		return;
	}
	count_segs(t, i);
}

static int get_info(struct tcp_ep *t, void *val, size_t *len)
{
	struct tcp_info i;

	_Static_assert(offsetof(struct tcp_info, tcpi_pacing_rate) == 104, "Linux' layout");
	mutex_lock(&t->ep.mu);
	tcp_fill_info(t, &i);
	mutex_unlock(&t->ep.mu);
	return epopt_put(val, len, &i, sizeof(i));
}

static int get_int(struct tcp_ep *t, int opt, int *v)
{
	const struct net_sysctl *y = &t->ep.stack->sysctl;

	switch (opt) {
	case TCP_NODELAY:
		*v = t->nodelay;
		return 0;
	case TCP_CORK:
		*v = t->cork;
		return 0;
	case TCP_MAXSEG:
		*v = t->state == TCPS_CLOSE || t->state == TCPS_LISTEN ?
			     (t->user_mss ? t->user_mss : (int)TCP_MSS_DEFAULT) : t->mss;
		return 0;
	case TCP_KEEPIDLE:
		*v = t->keep_idle ? (int)t->keep_idle : y->tcp_keep_time[0];
		return 0;
	case TCP_KEEPINTVL:
		*v = t->keep_intvl ? (int)t->keep_intvl : y->tcp_keep_intvl[0];
		return 0;
	case TCP_KEEPCNT:
		*v = t->keep_cnt ? (int)t->keep_cnt : y->tcp_keep_probes[0];
		return 0;
	case TCP_SYNCNT:
		*v = t->syn_cnt ? (int)t->syn_cnt : y->tcp_syn_retries[0];
		return 0;
	case TCP_USER_TIMEOUT:
		*v = (int)t->user_timeout_ms;
		return 0;
	case TCP_LINGER2:
		*v = t->linger2 ? t->linger2 : y->tcp_fin_timeout[0];
		return 0;
	case TCP_DEFER_ACCEPT:
		*v = (int)t->defer_s;
		return 0;
	case TCP_WINDOW_CLAMP:
		*v = (int)t->window_clamp;
		return 0;
	case TCP_QUICKACK:
		*v = !t->pingpong;
		return 0;
	case TCP_NOTSENT_LOWAT:
		*v = (int)t->notsent_lowat;
		return 0;
	case TCP_FASTOPEN:
		*v = (int)t->fo.backlog;
		return 0;
	case TCP_FASTOPEN_CONNECT:
		*v = t->fo.connect;
		return 0;
	case TCP_FASTOPEN_NO_COOKIE:
		*v = t->fo.no_cookie;
		return 0;
	case TCP_TIMESTAMP:
		*v = (int)tcp_tsval(t->ep.stack, t->ts_off);
		return 0;
	case TCP_INQ:
		*v = t->inq;
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
		*v = t->thin;
		return 0;
	case TCP_SAVE_SYN: case TCP_THIN_DUPACK: case OPT_TCP_IS_MPTCP:
	case TCP_REPAIR: case TCP_TX_DELAY:
		*v = 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int tcp_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len)
{
	struct tcp_ep *t = tcp(e);
	int v, r;

	if (level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	switch (opt) {
	case TCP_INFO:
		return get_info(t, val, len);
	case TCP_CONGESTION: {
		char name[16] = { 0 };

		memcpy(name, t->cc->name, strlen(t->cc->name));
		return epopt_put(val, len, name, sizeof(name));
	}
	case TCP_FASTOPEN_KEY:
		return get_fo_key(t, val, len);
	case TCP_ULP: case TCP_CC_INFO: case TCP_SAVED_SYN:
		*len = 0;
		return 0;
	}
	mutex_lock(&e->mu);
	r = get_int(t, opt, &v);
	mutex_unlock(&e->mu);
	return r < 0 ? r : epopt_put_int(val, len, v);
}
