/*
 * rcvq.c - data arrives: trimming, order, windows, the receive buffer.
 *
 * rcvq holds bytes from copied_seq to rcv_nxt without a hole; oooq holds what
 * came early, sorted and without overlaps, bounded in number and memory.  Small
 * segments are copied together so that they cannot pin a block each.
 */
#include <poll.h>
#include <sys/socket.h>
#include "netstack/tcp/tcp.h"

#define COALESCE_MAX  1024u
#define SQUEEZE_MAX   (PBLOCK_MID_CAP / 2)      /* when memory runs short */

static bool short_of_memory(const struct tcp_ep *t) { return t->ep.rmem >= t->ep.o.rcvbuf / 4; }

/* Half of the buffer is for bytes, half for what they cost (Linux' tcp_adv_win_scale 1). */
static u32 capacity(const struct tcp_ep *t)
{
	u32 c = t->ep.o.rcvbuf / 2;

	return t->window_clamp ? MIN(c, t->window_clamp) : c;
}

u32 rcv_clamp(const struct tcp_ep *t) { return capacity(t); }

static u32 space(const struct tcp_ep *t)
{
	u32 cap = capacity(t), used = t->rcvq_len;

	if (t->ep.rmem > t->ep.o.rcvbuf + t->ep.o.rcvbuf / 2)
		return 0;
	return cap > used ? cap - used : 0;
}

u32 rcv_window(struct tcp_ep *t) { return MIN(space(t), t->rcv_ssthresh); }

/* As much as there is room, rounded so that scaling loses nothing, and no silly window. */
u32 rcv_fresh_window(struct tcp_ep *t)
{
	u32 cap = capacity(t), win = MIN(space(t), 65535u << t->rcv_wscale);
	u32 unit = 1u << t->rcv_wscale, mss = MIN(t->rcv_mss, cap), had;

	if (win < cap / 2) {
		win = ALIGN_DOWN(win, unit);
		if (win < cap / 16 || win < mss)
			return 0;
	}
	win = MIN(win, t->rcv_ssthresh);
	if (t->rcv_wscale)
		return MIN(ALIGN_UP(win, unit), 65535u << t->rcv_wscale);
	/* A multiple of segments, but an offer within one of the room stays. */
	had = t->rcv_adv - t->last_ack_sent;
	return had + mss <= win || had > win ? win / mss * mss : had;
}

u32 rcv_select_window(struct tcp_ep *t)
{
	u32 cur = seq_gt(t->rcv_adv, t->rcv_nxt) ? t->rcv_adv - t->rcv_nxt : 0;
	u32 win = rcv_fresh_window(t);

	if (win < cur)
		win = ALIGN_UP(cur, 1u << t->rcv_wscale);
	if (seq_gt(t->rcv_nxt + win, t->rcv_adv))
		t->rcv_adv = t->rcv_nxt + win;
	return win;
}

void rcv_init(struct tcp_ep *t)
{
	u32 space = MAX((u32)t->ep.stack->sysctl.tcp_rmem[2], (u32)t->ep.stack->sysctl.rmem_max[0]);

	t->rcv_wscale = 0;
	if (t->ep.stack->sysctl.tcp_wscale[0])
		while (t->rcv_wscale < 14 && (space >> t->rcv_wscale) > 65535)
			t->rcv_wscale++;
	t->quickack = t->last_seg = t->pushed = 0;
	t->ato = 0;
	t->pingpong = false;
	t->rcv_mss = TCP_MSS_DEFAULT;
	t->rcv_ssthresh = 65535;
}

/* Data came in order: let the window grow, as far as the buffer goes. */
static void grow_window(struct tcp_ep *t, u32 len)
{
	u32 cap = capacity(t), room = cap > t->rcv_ssthresh ? cap - t->rcv_ssthresh : 0;

	if (len >= 128)
		t->rcv_ssthresh += MIN(room, 2 * MAX(len, t->rcv_mss));
}

static void charge(struct tcp_ep *t, struct pktbuf *p) { t->ep.rmem += p->truesize; }
static void uncharge(struct tcp_ep *t, struct pktbuf *p) { t->ep.rmem -= MIN(t->ep.rmem, p->truesize); }

void rcv_purge(struct tcp_ep *t)
{
	pkt_purge(&t->rcvq);
	pkt_purge(&t->oooq);
	t->rcvq_len = t->ooo_n = t->ooo_mem = 0;
	t->ep.rmem = 0;
}

/* Copy a small segment behind the last one when its block has room of our own. */
static bool coalesce(struct tcp_ep *t, struct pktbuf *p)
{
	struct pktbuf *last;
	struct pfrag *f;

	if (list_empty(&t->rcvq) || p->len > (short_of_memory(t) ? SQUEEZE_MAX : COALESCE_MAX))
		return false;
	last = list_last(&t->rcvq, struct pktbuf, node);
	if (!last->nfrags)
		return false;
	f = &last->frag[last->nfrags - 1];
	/* flow marks blocks that we allocated for this: nobody else appends to them. */
	if (last->flow != UINT32_MAX || f->off + f->len != f->b->used || f->b->cap - f->b->used < p->len)
		return false;
	pkt_copy(p, 0, f->b->data + f->b->used, p->len);
	f->b->used += p->len;
	f->len += p->len;
	last->len += p->len;
	last->end_seq = p->end_seq;
	pkt_free(p);
	return true;
}

/* A small payload that has a block for itself moves to one that has room for more of them. */
static struct pktbuf *compact(struct tcp_ep *t, struct pktbuf *p)
{
	struct pktbuf *c;
	u8 *d;

	if (p->len > SQUEEZE_MAX || list_empty(&t->rcvq) || !short_of_memory(t))
		return p;
	c = pkt_room(t->ep.stack->pool, p->len > COALESCE_MAX ? PBLOCK_BIG_CAP : PBLOCK_MID_CAP, &d);
	if (!c)
		return p;
	pkt_copy(p, 0, d, p->len);
	pkt_trim(c, p->len);
	c->frag[0].b->used = p->len;
	c->seq = p->seq;
	c->end_seq = p->end_seq;
	c->stamp = p->stamp;
	c->flow = UINT32_MAX;
	pkt_free(p);
	return c;
}

static void append(struct tcp_ep *t, struct pktbuf *p)
{
	u32 n = p->len;

	p->flow = 0;
	t->rcv_nxt = p->end_seq;
	t->rcvq_len += n;
	t->st.bytes_received += n;
	if (n == 0) {
		pkt_free(p);
		return;
	}
	if (coalesce(t, p))
		return;
	p = compact(t, p);
	charge(t, p);
	list_add_tail(&p->node, &t->rcvq);
}

/* SACK blocks for the next ACK: the one with the newest segment first (RFC 2018). */
static void note_sack(struct tcp_ep *t, u32 start, u32 end)
{
	u32 i, n = 1;
	struct { u32 start, end; } nb[TCP_SACK_MAX];

	for (i = 0; i < t->n_rx_sack; i++) {
		u32 s = t->rx_sack[i].start, e = t->rx_sack[i].end;

		if (seq_le(s, end) && seq_ge(e, start)) {
			start = seq_min(start, s);
			end = seq_max(end, e);
		} else if (n < TCP_SACK_MAX) {
			nb[n].start = s;
			nb[n++].end = e;
		}
	}
	nb[0].start = start;
	nb[0].end = end;
	memcpy(t->rx_sack, nb, sizeof(t->rx_sack));
	t->n_rx_sack = (u8)n;
}

static void forget_sack(struct tcp_ep *t)
{
	u32 i, n = 0;

	for (i = 0; i < t->n_rx_sack; i++)
		if (seq_gt(t->rx_sack[i].end, t->rcv_nxt))
			t->rx_sack[n++] = t->rx_sack[i];
	t->n_rx_sack = (u8)n;
}

void rcv_dsack(struct tcp_ep *t, u32 start, u32 end)
{
	if (!t->sack_ok || !t->ep.stack->sysctl.tcp_dsack[0])
		return;
	t->has_dsack = true;
	t->dsack.start = start;
	t->dsack.end = end;
	MIB(t->ep.stack, TcpExt_TCPDSACKOldSent);
}

static void ooo_drop(struct tcp_ep *t, struct pktbuf *x)
{
	list_del_init(&x->node);
	t->ooo_n--;
	t->ooo_mem -= x->truesize;
	uncharge(t, x);
	pkt_free(x);
}

void rcv_purge_ooo(struct tcp_ep *t)
{
	while (!list_empty(&t->oooq))
		ooo_drop(t, list_first(&t->oooq, struct pktbuf, node));
}

static void trim_front(struct pktbuf *p, u32 seq)
{
	u32 n = seq - p->seq;

	pkt_pull(p, MIN(n, p->len));
	p->seq = seq;
}

/* Keep an early segment.  Takes p. */
static void ooo_add(struct tcp_ep *t, struct pktbuf *p)
{
	struct pktbuf *at, *n;

	MIB(t->ep.stack, TcpExt_TCPOFOQueue);
	/* Room runs out: what lies farthest ahead goes, never what fills the next hole. */
	while (t->ooo_n >= TCP_OOO_MAX || (t->ooo_n && t->ep.rmem + p->truesize > t->ep.o.rcvbuf * 2)) {
		at = list_last(&t->oooq, struct pktbuf, node);
		MIB(t->ep.stack, TcpExt_OfoPruned);
		if (seq_ge(p->seq, at->seq)) {
			pkt_free(p);
			return;
		}
		ooo_drop(t, at);
		t->n_rx_sack = 0;
	}
	/* Usually it belongs at the end. */
	for (at = list_last(&t->oooq, struct pktbuf, node); &at->node != &t->oooq;
	     at = list_last(&at->node, struct pktbuf, node))
		if (seq_le(at->seq, p->seq))
			break;
	if (&at->node != &t->oooq && seq_gt(at->end_seq, p->seq)) {
		if (seq_ge(at->end_seq, p->end_seq)) {
			rcv_dsack(t, p->seq, p->end_seq);
			pkt_free(p);
			return;
		}
		rcv_dsack(t, p->seq, at->end_seq);
		trim_front(p, at->end_seq);
	}
	list_add(&p->node, &at->node);
	t->ooo_n++;
	t->ooo_mem += p->truesize;
	charge(t, p);
	note_sack(t, p->seq, p->end_seq);
	/* What it covers behind it is not needed twice. */
	while (p->node.next != &t->oooq) {
		n = list_entry(p->node.next, struct pktbuf, node);
		if (seq_ge(n->seq, p->end_seq))
			break;
		if (seq_gt(n->end_seq, p->end_seq)) {
			trim_front(n, p->end_seq);
			break;
		}
		if (n->end_seq == p->end_seq)
			p->tcp_flags |= n->tcp_flags & TH_FIN;
		ooo_drop(t, n);
	}
}

/* The stream ends here, whatever a peer that lies has sent from beyond it. */
static void got_fin(struct tcp_ep *t)
{
	rcv_purge_ooo(t);
	t->n_rx_sack = 0;
	t->fin_rcvd = true;
	t->rcv_nxt++;
	t->st.bytes_received++;         /* Linux counts it */
	t->ep.shut |= 1;
	t->ack_now = true;
}

/* The hole was filled: move what follows over. */
static void ooo_drain(struct tcp_ep *t)
{
	while (!list_empty(&t->oooq)) {
		struct pktbuf *p = list_first(&t->oooq, struct pktbuf, node);
		u32 end = p->seq + p->len;
		bool fin = p->tcp_flags & TH_FIN;

		if (seq_gt(p->seq, t->rcv_nxt))
			break;
		list_del_init(&p->node);
		t->ooo_n--;
		t->ooo_mem -= p->truesize;
		uncharge(t, p);
		if (seq_le(end, t->rcv_nxt) && !fin) {
			pkt_free(p);
			continue;
		}
		if (seq_gt(t->rcv_nxt, p->seq))
			trim_front(p, t->rcv_nxt);
		p->end_seq = p->seq + p->len;
		append(t, p);
		if (fin)
			got_fin(t);
	}
	forget_sack(t);
}

/* Strip headers, cut to the window; false: nothing of it is new. */
static bool trim(struct tcp_ep *t, struct pktbuf *p, struct tcp_seg *g)
{
	u32 wnd_end = t->rcv_nxt + MAX(rcv_window(t), t->rcv_adv - t->rcv_nxt);

	pkt_pull(p, p->l4_off + g->h.hlen);
	p->seq = g->h.seq;
	p->tcp_flags = g->h.flags & TH_FIN;
	if (seq_lt(p->seq, t->rcv_nxt)) {
		rcv_dsack(t, p->seq, seq_min(t->rcv_nxt, p->seq + p->len));
		t->ack_now = true;
		trim_front(p, t->rcv_nxt);
		if (p->len == 0 && !(p->tcp_flags & TH_FIN && g->end == t->rcv_nxt + 1))
			return false;
	}
	if (seq_gt(p->seq + p->len, wnd_end)) {
		t->ack_now = true;
		p->tcp_flags &= (u8)~TH_FIN;
		if (seq_ge(p->seq, wnd_end))
			return false;
		pkt_trim(p, wnd_end - p->seq);
	}
	p->end_seq = p->seq + p->len;
	return p->len || (p->tcp_flags & TH_FIN);
}

void rcv_data(struct tcp_ep *t, struct pktbuf *p, struct tcp_seg *g)
{
	u32 len, gso = p->gso_size;
	bool psh = g->h.flags & TH_PSH;

	if (t->fin_rcvd || !trim(t, p, g)) {
		if (g->len || (g->h.flags & TH_FIN))
			t->ack_now = true;
		pkt_free(p);
		return;
	}
	len = p->len;
	t->st.data_segs_in += gso ? (len + gso - 1) / gso : 1;
	if (p->hdr_len) {                       /* a payload that begins in the header area */
		struct pktbuf *c = NULL;
		u8 *d;

		if (len <= PBLOCK_BIG_CAP)
			c = pkt_room(t->ep.stack->pool, len, &d);
		if (c) {
			pkt_copy(p, 0, d, len);
			c->seq = p->seq;
			c->end_seq = p->end_seq;
			c->tcp_flags = p->tcp_flags;
		}
		pkt_free(p);
		if (!c)
			return;
		p = c;
	}
	if (p->seq != t->rcv_nxt) {
		t->ack_now = true;
		p->end_seq = p->seq + p->len;
		if (p->len == 0) {              /* a lone FIN ahead of its time: it will come again */
			pkt_free(p);
			return;
		}
		ooo_add(t, p);
		return;
	}
	if (t->ep.rmem > t->ep.o.rcvbuf * 2) {  /* far over: the window was ignored */
		MIB(t->ep.stack, TcpExt_TCPRcvQDrop);
		t->ack_now = true;
		pkt_free(p);
		return;
	}
	{
		bool fin = p->tcp_flags & TH_FIN;

		append(t, p);
		if (fin)
			got_fin(t);
	}
	if (t->ooo_n)
		ooo_drain(t);
	if (len) {
		grow_window(t, len);
		ack_data_received(t, len, gso, psh);
	}
}

void rcv_urgent(struct tcp_ep *t, struct pktbuf *p, const struct tcp_seg *g)
{
	u32 up = g->h.seq + g->h.urg - 1, off;

	if (!g->h.urg || seq_lt(up, t->copied_seq))
		return;
	if (!t->urg_valid || seq_gt(up, t->urg_seq)) {
		/* The reader stands on the last one, which nobody gets any more: the mark is to be where he is when he comes to the new one. */
		if (t->urg_valid && t->urg_seq == t->copied_seq && t->rcvq_len && !t->ep.o.oobinline)
			rcv_consume(t, 1);
		t->urg_valid = true;
		t->urg_have = false;
		t->urg_seq = up;
		ep_wake(&t->ep, POLLPRI);
	}
	off = t->urg_seq - g->h.seq;
	if (!t->urg_have && off < g->len) {
		pkt_copy(p, p->l4_off + g->h.hlen + off, &t->urg_byte, 1);
		t->urg_have = true;
		ep_wake(&t->ep, POLLPRI);
	}
}

/* Dynamic right-sizing: as much as the reader takes in a round trip, twice. */
void rcv_tune(struct tcp_ep *t)
{
	u64 now = tcp_now(t), rtt = MAX(t->rtt.valid ? t->rtt.min : NSEC_MS, 200000ull);
	u32 copied;

	if (now - t->drs.at < rtt)
		return;
	copied = t->copied_seq - t->drs.seq;
	t->drs.seq = t->copied_seq;
	t->drs.at = now;
	if (copied <= t->drs.space || t->ep.o.rcvbuf_locked || !t->ep.stack->sysctl.tcp_moderate[0])
		return;
	t->drs.space = copied;
	t->ep.o.rcvbuf = tcp_tuned(t, t->ep.o.rcvbuf, MIN(copied, 1u << 28) * 4 + 32 * t->rcv_mss, t->ep.stack->sysctl.tcp_rmem);
}
