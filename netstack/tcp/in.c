/*
 * in.c - a segment arrives (RFC 9293 3.10.7).
 *
 * tcp_rx() finds what it belongs to; tcp_input() runs the state machine of a
 * connection.  The order of checks is the RFC's: sequence, RST, SYN, ACK,
 * urgent, data, FIN; with RFC 5961's challenges and RFC 7323's PAWS.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include "netstack/core/nic.h"
#include "netstack/ip/ip.h"
#include "netstack/tcp/tcp.h"

#define OOW_ACK_MS 500

static bool parse(struct pktbuf *p, struct tcp_seg *g)
{
	u32 off = p->l4_off, hl;

	if (!pkt_may_pull(p, off + TCP_HLEN))
		return false;
	hl = (pkt_data(p)[off + 12] >> 4) * 4u;
	if (hl < TCP_HLEN || !pkt_may_pull(p, off + hl) ||
	    tcp_parse(pkt_data(p) + off, p->len - off, &g->h) < 0)
		return false;
	tcp_parse_opts(pkt_data(p) + off + TCP_HLEN, hl - TCP_HLEN, &g->o);
	g->len = p->len - off - hl;
	g->end = g->h.seq + g->len + !!(g->h.flags & TH_SYN) + !!(g->h.flags & TH_FIN);
	g->wnd = g->h.wnd;
	return true;
}

static void to_listener(struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	struct port_key k = { p->dst, p->src, g->h.dport, g->h.sport, n->ifindex };
	struct ep *e = port_lookup(n->stack, PORT_TCP, &k, true);

	if (e) {
		listen_input(tcp(e), n, p, g);
		ep_unref(e);
	} else {
		tcp_rst_stray(n, p, g);
		pkt_free(p);
	}
}

void tcp_rx(struct nic *n, struct pktbuf *p)
{
	struct stack *s = n->stack;
	struct connnode *c;
	struct tcp_seg g;
	struct connkey k;
	bool again = false;

	MIB(s, Tcp_InSegs);
	if ((p->flags & (PKT_MCAST | PKT_BCAST)) || !parse(p, &g))
		goto bad;
	if (!ip_csum_ok(p, IPPROTO_TCP)) {
		MIB(s, Tcp_InCsumErrors);
		goto bad;
	}
	k = (struct connkey){ p->dst, p->src, g.h.dport, g.h.sport };
	c = conn_lookup(s, &k);
	if (c) {
		if (c->kind == CONN_EP)
			tcp_input(tcp_of_conn(c), n, p, &g);
		else if (c->kind == CONN_REQ)
			req_input(container_of(c, struct synreq, conn), n, p, &g);
		else
			tw_input(n, container_of(c, struct tcp_tw, conn), p, &g, &again);
		conn_unref(c);
		if (!again)
			return;
	}
	to_listener(n, p, &g);
	return;
bad:
	MIB(s, Tcp_InErrs);
	pkt_free(p);
}

void tcp_challenge_ack(struct tcp_ep *t)
{
	struct stack *s = t->ep.stack;
	u64 now = tcp_now(t);

	if (t->last_oow_ack && now - t->last_oow_ack < (u64)s->sysctl.tcp_invalid_ms[0] * NSEC_MS)
		return;
	if (!ratelimit_ok(s, &s->chal_limit, (u32)s->sysctl.tcp_chal_limit[0]))
		return;
	t->last_oow_ack = now;
	MIB(s, TcpExt_TCPChallengeACK);
	tcp_send_ack(t);
}

static void fin_received(struct tcp_ep *t)
{
	ep_wake(&t->ep, POLLIN | POLLRDNORM | POLLRDHUP);
	switch (t->state) {
	case TCPS_SYN_RECV:
	case TCPS_ESTABLISHED:
		tcp_set_state(t, TCPS_CLOSE_WAIT);
		t->pingpong = true;
		break;
	case TCPS_FIN_WAIT1:
		tcp_set_state(t, TCPS_CLOSING);
		ep_wake(&t->ep, POLLHUP);
		break;
	case TCPS_FIN_WAIT2:
		tcp_send_ack(t);
		tcp_time_wait(t);
		break;
	default:
		break;
	}
}

/* What the network marked, and whether the sender reacted (RFC 3168, 6.1.3). */
static void ecn_data(struct tcp_ep *t, u8 mark, const struct tcp_seg *g)
{
	if (g->h.flags & TH_CWR) {
		t->ecn_echo = false;
		if (g->len)
			t->ack_now = true;      /* its window may be one segment now */
	}
	if (mark == 3) {
		if (!t->ecn_echo)
			ack_quickly(t);
		t->ecn_echo = true;
	}
	if (mark)
		t->ecn_seen = true;
}

/* Takes p. */
static void data(struct tcp_ep *t, struct pktbuf *p, struct tcp_seg *g)
{
	u32 before = t->rcvq_len, nxt = t->rcv_nxt;
	bool had_fin = t->fin_rcvd;

	if (t->ecn_ok)
		ecn_data(t, p->tos & 3, g);
	if (g->h.flags & TH_URG)
		rcv_urgent(t, p, g);
	rcv_data(t, p, g);
	if (t->rcv_nxt != nxt && t->rcvq_len > before && t->rcvq_len >= t->ep.o.rcvlowat)
		ep_wake(&t->ep, POLLIN | POLLRDNORM);
	if (t->fin_rcvd && !had_fin)
		fin_received(t);
	ack_check(t);
}

/* ------------------------------------------------------------------ SYN_SENT */

static void agree_options(struct tcp_ep *t, const struct tcp_seg *g)
{
	struct stack *s = t->ep.stack;

	t->peer_mss = g->o.has_mss ? MAX(g->o.mss, (u16)64) : TCP_MSS_DEFAULT;
	t->ts_ok = g->o.has_ts && s->sysctl.tcp_ts[0];
	t->sack_ok = g->o.sack_ok && s->sysctl.tcp_sack[0];
	t->ecn_ok = t->ecn_asked && (g->h.flags & (TH_ECE | TH_CWR)) == TH_ECE;
	t->wscale_ok = g->o.has_wscale && s->sysctl.tcp_wscale[0];
	if (t->wscale_ok)
		t->snd_wscale = g->o.wscale;
	else
		t->rcv_wscale = t->snd_wscale = 0;
	if (t->ts_ok) {
		t->ts_recent = g->o.tsval;
		t->ts_recent_at = tcp_now(t);
	}
	tcp_sync_mss(t);
	t->rcv_mss = MIN((u32)t->mss, TCP_MSS_DEFAULT);
	mtup_begin(t);
}

/* An echo that we cannot have sent since the first SYN (as Linux: RFC 7323 is silent). */
static bool echo_bad(struct tcp_ep *t, const struct tcp_seg *g)
{
	u32 now = tcp_tsval(t->ep.stack, t->ts_off);

	return g->o.has_ts && g->o.tsecr && t->syn_tsval &&
	       g->o.tsecr - t->syn_tsval > now - t->syn_tsval;
}

/* Fast Open: what the SYN-ACK itself carries.  Takes p. */
static void synack_data(struct tcp_ep *t, struct pktbuf *p, struct tcp_seg *g)
{
	g->h.seq++;
	g->h.flags &= (u8)~TH_SYN;
	data(t, p, g);
}

/* Takes p. */
static void syn_sent(struct tcp_ep *t, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	u8 f = g->h.flags;
	bool again;

	if (f & TH_ACK) {
		if (seq_le(g->h.ack, t->iss) || seq_gt(g->h.ack, t->snd_nxt) || echo_bad(t, g)) {
			tcp_rst_stray(n, p, g);
			goto drop;
		}
		if (f & TH_RST) {
			tcp_done(t, ECONNREFUSED);
			goto drop;
		}
	} else if (f & TH_RST) {
		goto drop;
	}
	if (!(f & TH_SYN) || t->fo.deferred || t->fo.taking)
		goto drop;
	t->irs = g->h.seq;
	t->rcv_nxt = t->copied_seq = t->rcv_adv = g->h.seq + 1;
	t->drs.seq = t->copied_seq;
	agree_options(t, g);
	t->snd_wl1 = g->h.seq;
	t->snd_wnd = t->max_wnd = g->h.wnd;     /* never scaled in a SYN */
	t->last_recv = tcp_now(t);
	if (f & TH_ACK) {
		struct ack_info a = { .now = tcp_now(t) };

		txr_ack(t, g->h.ack, &a);
		if (a.rtt && !t->total_retrans)
			tcp_rtt_sample(t, a.rtt);
		sndq_ack(t, g->h.ack);
		t->snd_una = t->snd_wl2 = g->h.ack;
		zc_done(t, t->snd_una);
		again = tfo_synack(t, g);
		t->retries = t->rtt.backoff = 0;
		t->first_retry = 0;
		tcp_timer_off(t, TT_REXMIT);
		tcp_established(t);
		if (t->fo.asked && (g->len || (f & TH_FIN)) && !again) {
			synack_data(t, p, g);
			return;
		}
		if (t->fo.more) {               /* the writer's next bytes take the ACK along */
			ack_quickly(t);
			ack_later(t);
		} else {
			t->ack_now = true;
		}
		goto drop;
	}
	/* Simultaneous open. */
	tcp_set_state(t, TCPS_SYN_RECV);
	tcp_send_syn(t, true, 0);
	tcp_rearm_rexmit(t);
drop:
	pkt_free(p);
}

/* ----------------------------------------------------------- synchronised */

/* RFC 9293 3.10.7.4, first check. */
static bool acceptable(struct tcp_ep *t, const struct tcp_seg *g)
{
	u32 wnd = MAX(rcv_window(t), t->rcv_adv - t->rcv_nxt);

	/* Everything up to the right edge; one beyond when the window is shut (probes). */
	return seq_ge(g->end, seq_min(t->last_ack_sent, t->rcv_nxt)) &&
	       seq_le(g->h.seq, t->rcv_nxt + wnd);
}

static void oow_ack(struct tcp_ep *t, const struct tcp_seg *g)
{
	u64 now = tcp_now(t);

	/* Two stacks that keep acknowledging each other's old segments must stop. */
	if (!g->len && !(g->h.flags & TH_SYN) && t->last_oow_ack &&
	    now - t->last_oow_ack < OOW_ACK_MS * NSEC_MS)
		return;
	if (!g->len)
		t->last_oow_ack = now;
	tcp_send_ack(t);
}

/* PAWS (RFC 7323, 5.3): true when the timestamp is too old. */
static bool paws_reject(struct tcp_ep *t, const struct tcp_seg *g)
{
	if (!t->ts_ok || !g->o.has_ts || (g->h.flags & TH_RST))
		return false;
	if ((s32)(g->o.tsval - t->ts_recent) >= 0)
		return false;
	/* 24 days without news make ts_recent worthless. */
	if (tcp_now(t) - t->ts_recent_at > 24ull * 86400 * NSEC_S)
		return false;
	/* A reordered pure ACK is harmless. */
	if (!g->len && !(g->h.flags & (TH_SYN | TH_FIN)) && g->h.seq == t->rcv_nxt &&
	    g->h.ack == t->snd_una)
		return false;
	MIB(t->ep.stack, TcpExt_PAWSEstab);
	return true;
}

/* False: done with the segment. */
static bool check_sequence(struct tcp_ep *t, struct tcp_seg *g)
{
	if (t->state == TCPS_SYN_RECV && g->h.seq == t->irs && (g->h.flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN) {
		tcp_send_syn(t, true, 0);       /* our SYN-ACK was lost */
		return false;
	}
	if (paws_reject(t, g)) {
		if (!(g->h.flags & TH_RST))
			oow_ack(t, g);
		return false;
	}
	if (!acceptable(t, g)) {
		if (!(g->h.flags & TH_RST)) {
			oow_ack(t, g);
		}
		return false;
	}
	if (g->h.flags & TH_RST) {
		/* RFC 5961 3.2: only the exact number kills. */
		if (g->h.seq == t->rcv_nxt)
			tcp_done(t, t->state == TCPS_CLOSE_WAIT ? EPIPE : ECONNRESET);
		else
			tcp_challenge_ack(t);
		return false;
	}
	if (g->h.flags & TH_SYN) {
		MIB(t->ep.stack, TcpExt_TCPSYNChallenge);
		if (t->state == TCPS_SYN_RECV && g->h.seq == t->irs && (g->h.flags & TH_ACK))
			return true;            /* the other half of a simultaneous open */
		tcp_challenge_ack(t);
		return false;
	}
	return g->h.flags & TH_ACK;
}

static void update_ts_recent(struct tcp_ep *t, const struct tcp_seg *g)
{
	if (t->ts_ok && g->o.has_ts && seq_le(g->h.seq, t->last_ack_sent) &&
	    (s32)(g->o.tsval - t->ts_recent) >= 0) {
		t->ts_recent = g->o.tsval;
		t->ts_recent_at = tcp_now(t);
	}
}

/* What an acknowledged FIN changes; false: the connection is gone. */
static bool fin_acked(struct tcp_ep *t)
{
	if (!t->fin_sent || t->snd_una != t->snd_nxt)
		return true;
	switch (t->state) {
	case TCPS_FIN_WAIT1:
		tcp_set_state(t, TCPS_FIN_WAIT2);
		ep_wake(&t->ep, POLLOUT | POLLWRNORM);
		if (!t->ep.owned) {
			s32 l = t->linger2 ? t->linger2 : t->ep.stack->sysctl.tcp_fin_timeout[0];

			if (l < 0) {
				tcp_done(t, 0);
				return false;
			}
			tcp_timer_set(t, TT_LINGER, tcp_now(t) + (u64)l * NSEC_S);
		}
		return true;
	case TCPS_CLOSING:
		tcp_time_wait(t);
		return false;
	case TCPS_LAST_ACK:
		tcp_done(t, 0);
		return false;
	default:
		return true;
	}
}

/* Data for an owner that is gone cannot be delivered: reset (RFC 2525, 2.17). */
static bool nobody_reads(struct tcp_ep *t, struct nic *n, struct pktbuf *p, const struct tcp_seg *g)
{
	if (t->ep.owned || t->parent || !g->len || !seq_gt(g->h.seq + g->len, t->rcv_nxt))
		return false;
	MIB(t->ep.stack, TcpExt_TCPAbortOnData);
	tcp_rst_stray(n, p, g);
	tcp_done(t, 0);
	return true;
}

static void synchronised(struct tcp_ep *t, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	g->wnd = (u32)g->h.wnd << t->snd_wscale;
	if (!check_sequence(t, g))
		goto drop;
	update_ts_recent(t, g);
	if (t->state == TCPS_SYN_RECV) {
		if (seq_le(g->h.ack, t->snd_una) || seq_gt(g->h.ack, t->snd_nxt)) {
			u32 nxt = t->snd_nxt;

			t->snd_nxt = g->h.ack;
			tcp_send_rst(t);
			t->snd_nxt = nxt;
			goto drop;
		}
		t->snd_wnd = t->max_wnd = g->h.flags & TH_SYN ? g->h.wnd : g->wnd;
		t->snd_wl1 = g->h.seq;
		tcp_established(t);
	}
	t->probes = 0;
	if (!tcp_ack(t, g) || !fin_acked(t) || t->state == TCPS_CLOSE || nobody_reads(t, n, p, g))
		goto drop;
	if (g->len || (g->h.flags & TH_FIN)) {
		if (g->h.flags & TH_SYN)
			goto drop;
		if (in_states(t, STATE_BIT(TCPS_ESTABLISHED) | STATE_BIT(TCPS_FIN_WAIT1) |
				 STATE_BIT(TCPS_FIN_WAIT2))) {
			data(t, p, g);
			return;
		}
		t->ack_now = true;
	} else {
		t->last_recv = tcp_now(t);
		if (g->h.flags & TH_SYN) {      /* the other SYN-ACK of a simultaneous open */
			rcv_dsack(t, t->irs, t->irs + 1);
			t->ack_now = true;
		}
	}
drop:
	pkt_free(p);
}

void tcp_input(struct tcp_ep *t, struct nic *n, struct pktbuf *p, struct tcp_seg *g)
{
	pkt_drop_ext(p);                /* nobody asks for it any more; what waits should not hold it */
	mutex_lock(&t->ep.mu);
	t->st.segs_in += p->gso_size && g->len ? (g->len + p->gso_size - 1) / p->gso_size : 1;
	if (t->ep.o.minttl && p->ttl < t->ep.o.minttl) {
		pkt_free(p);
	} else if (t->state == TCPS_CLOSE) {
		pkt_free(p);
	} else if (t->state == TCPS_SYN_SENT) {
		syn_sent(t, n, p, g);
	} else {
		synchronised(t, n, p, g);
	}
	if (t->state != TCPS_CLOSE) {
		tcp_output(t);
		if (t->ack_now)
			tcp_send_ack(t);
	}
	mutex_unlock(&t->ep.mu);
}

/* A router could not pass what we sent: shorter segments, and what was too long again. */
static void path_shrank(struct tcp_ep *t, const struct pktbuf *p, u32 mtu)
{
	struct txr *x;

	pmtu_learn(t->ep.stack, &p->dst, mtu);
	t->ep.rt.valid = false;
	if (tcp_route(t) < 0)
		return;
	if (t->state == TCPS_SYN_SENT) {
		if (t->fo.data) {               /* it was the data in the SYN */
			t->retries++;
			t->total_retrans++;
			tcp_send_syn(t, false, 0);
			tcp_rearm_rexmit(t);
		}
		return;
	}
	list_for_each(x, &t->txrs, node)
		if (x->end - x->seq > t->mss && !(x->flags & TXR_SACKED))
			txr_mark_lost(t, x);
	tcp_output(t);
}

void tcp_icmp(struct stack *s, struct pktbuf *p, const struct icmp_news *w)
{
	struct connkey k = { p->src, p->dst, get_be16(pkt_data(p)), get_be16(pkt_data(p) + 2) };
	u32 seq = get_be32(pkt_data(p) + 4);
	struct connnode *c = conn_lookup(s, &k);
	struct tcp_ep *t;

	if (!c)
		return;
	if (c->kind == CONN_REQ)
		req_icmp(container_of(c, struct synreq, conn), seq, w->type == 3 ? w->code <= 1 :
			 w->type == 1 && (w->code == 0 || w->code == 3));
	if (c->kind != CONN_EP) {
		conn_unref(c);
		return;
	}
	t = tcp_of_conn(c);
	mutex_lock(&t->ep.mu);
	/* Only about something that is in flight (RFC 5927). */
	if (t->state == TCPS_CLOSE || seq_lt(seq, t->snd_una) || seq_gt(seq, t->snd_nxt)) {
		MIB(s, TcpExt_OutOfWindowIcmps);
		mutex_unlock(&t->ep.mu);
		conn_unref(c);
		return;
	}
	if (w->err == EMSGSIZE) {
		if (w->info < t->pmtu)
			path_shrank(t, p, w->info);
	} else if (in_states(t, STATE_BIT(TCPS_SYN_SENT) | STATE_BIT(TCPS_SYN_RECV))) {
		if (w->hard || w->type == 3 || w->type == 1)
			tcp_done(t, w->err);
	} else if (t->ep.o.recverr && w->hard) {
		ep_set_err(&t->ep, w->err);
	}
	mutex_unlock(&t->ep.mu);
	conn_unref(c);
}
