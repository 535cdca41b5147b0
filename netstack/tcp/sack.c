/*
 * sack.c - the scoreboard: what is in flight, sacked, lost, sent again
 * (RFC 2018, 2883, 6675).
 *
 * One struct txr a transmission, in sequence order.  t->sacked, lost and
 * retrans are the byte sums over the list; a range counts as "gone" when
 * sacked or lost, and as in flight again when retransmitted.
 */
#include "platform/base/alloc.h"
#include "netstack/tcp/tcp.h"

struct txr *txr_add(struct tcp_ep *t, u32 seq, u32 end)
{
	struct txr *last = list_empty(&t->txrs) ? NULL : list_last(&t->txrs, struct txr, node), *x;
	u64 now = tcp_now(t);

	/* Small segments sent in one go are one range. */
	if (last && last->end == seq && last->sent == now && last->flags == 0 &&
	    end - last->seq <= 4u * t->mss) {
		last->end = end;
		return last;
	}
	x = knew(struct txr);
	if (!x)
		return NULL;
	x->seq = seq;
	x->end = end;
	x->sent = now;
	list_add_tail(&x->node, &t->txrs);
	t->ntxr++;
	return x;
}

static void add_counts(struct tcp_ep *t, const struct txr *x, int sign)
{
	u32 n = (x->end - x->seq) * (u32)sign;

	if (x->flags & TXR_SACKED)
		t->sacked += n;
	if (x->flags & TXR_LOST)
		t->lost += n;
	if (x->flags & TXR_RETRANS)
		t->retrans += n;
}

static void drop(struct tcp_ep *t, struct txr *x)
{
	add_counts(t, x, -1);
	list_del_init(&x->node);
	t->ntxr--;
	kfree(x);
}

void txr_purge(struct tcp_ep *t)
{
	while (!list_empty(&t->txrs))
		drop(t, list_first(&t->txrs, struct txr, node));
}

struct txr *txr_split(struct tcp_ep *t, struct txr *x, u32 at)
{
	struct txr *y;

	if (seq_le(at, x->seq) || seq_ge(at, x->end))
		return NULL;
	y = knew(struct txr);
	if (!y)
		return NULL;
	y->seq = at;
	y->end = x->end;
	y->sent = x->sent;
	y->flags = x->flags;
	x->flags &= (u8)~TXR_PSH;
	x->end = at;
	list_add(&y->node, &x->node);
	t->ntxr++;
	return y;
}

void txr_mark_lost(struct tcp_ep *t, struct txr *x)
{
	if (x->flags & TXR_SACKED)
		return;
	add_counts(t, x, -1);
	x->flags |= TXR_LOST;
	x->flags &= (u8)~TXR_RETRANS;
	add_counts(t, x, 1);
}

void txr_sent_again(struct tcp_ep *t, struct txr *x, u64 now)
{
	add_counts(t, x, -1);
	x->flags |= TXR_LOST | TXR_RETRANS | TXR_EVER;
	x->sent = now;
	add_counts(t, x, 1);
}

/* A range reached the peer: samples for RTT and RACK. */
static void delivered(struct tcp_ep *t, const struct txr *x, struct ack_info *a)
{
	if (!(x->flags & TXR_EVER)) {
		u64 rtt = a->now - x->sent;

		if (!a->rtt || rtt < a->rtt)
			a->rtt = MAX(rtt, 1ull);
	} else {
		a->retrans_acked = true;
	}
	rack_seen(t, x, a->now);
	t->delivered += x->end - x->seq;
	t->ndelivered += (x->end - x->seq + t->mss - 1) / MAX(t->mss, 1);
}

/* @x arrived, never sent twice, after bytes sent later had: how far did they overtake it? */
static void reordered(struct tcp_ep *t, const struct txr *x)
{
	u32 n;

	if ((x->flags & TXR_EVER) || !seq_gt(t->high_sacked, x->end) || !t->sack_ok)
		return;
	n = (t->high_sacked - x->seq + t->mss - 1) / MAX(t->mss, 1);
	t->rack_reordered = true;
	if (n > t->reordering) {
		t->reordering = MIN(n, 300u);
		t->reord_seen++;
	}
}

static void mark_sacked(struct tcp_ep *t, struct txr *x, struct ack_info *a)
{
	add_counts(t, x, -1);
	x->flags |= TXR_SACKED;
	delivered(t, x, a);
	a->sacked += x->end - x->seq;
	x->flags &= (u8)~(TXR_LOST | TXR_RETRANS);
	add_counts(t, x, 1);
	t->high_sacked = seq_max(t->high_sacked, t->snd_una);
	reordered(t, x);
	t->high_sacked = seq_max(t->high_sacked, x->end);
}

static void apply_block(struct tcp_ep *t, u32 start, u32 end, struct ack_info *a)
{
	struct txr *x, *n;

	list_for_each_safe(x, n, &t->txrs, node) {
		if (seq_ge(x->seq, end))
			return;
		if (seq_le(x->end, start) || (x->flags & TXR_SACKED))
			continue;
		if (seq_lt(x->seq, start)) {
			x = txr_split(t, x, start);
			if (!x)
				return;
			n = list_entry(x->node.next, struct txr, node);
		}
		if (seq_gt(x->end, end)) {
			if (!txr_split(t, x, end))
				return;
			n = list_entry(x->node.next, struct txr, node);
		}
		mark_sacked(t, x, a);
	}
}

u32 sack_process(struct tcp_ep *t, const struct tcp_seg *g, struct ack_info *a)
{
	u32 i, before = t->sacked;

	for (i = 0; i < g->o.nsack; i++) {
		u32 s = g->o.sack[i].start, e = g->o.sack[i].end;

		if (!seq_lt(s, e))
			continue;
		/* RFC 2883: the first block may report a duplicate. */
		if (i == 0 && (seq_le(e, g->h.ack) ||
			       (g->o.nsack > 1 && seq_ge(s, g->o.sack[1].start) &&
				seq_le(e, g->o.sack[1].end)))) {
			a->dsack = true;
			t->st.dsacks++;
			MIB(t->ep.stack, TcpExt_TCPDSACKRecv);
			continue;
		}
		if (seq_le(e, t->snd_una) || seq_lt(s, t->snd_una) || seq_gt(e, t->snd_nxt))
			continue;       /* stale or invented */
		apply_block(t, s, e, a);
	}
	return t->sacked - before;
}

void txr_ack(struct tcp_ep *t, u32 ack, struct ack_info *a)
{
	while (!list_empty(&t->txrs)) {
		struct txr *x = list_first(&t->txrs, struct txr, node);

		if (seq_ge(x->seq, ack))
			return;
		if (seq_gt(x->end, ack)) {
			/* Part of it: the front leaves with the range's marks. */
			struct txr front = *x;

			front.end = ack;
			if (!(x->flags & TXR_SACKED))
				delivered(t, &front, a);
			add_counts(t, x, -1);
			x->seq = ack;
			add_counts(t, x, 1);
			return;
		}
		if (!(x->flags & TXR_SACKED)) {
			reordered(t, x);
			delivered(t, x, a);
		}
		drop(t, x);
	}
}
