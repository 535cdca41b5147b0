/*
 * tstamp.c - SO_TIMESTAMPING of a stream: the last byte of every send that asked is told of when it is handed to
 * the link (SCHED and SND at once: there is no queue between) and when it is acknowledged.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "netstack/core/optnum.h"
#include "netstack/tcp/tcp.h"

#define WAITING_MAX 1024u               /* more at a time go without */

int tcp_tskey(struct ep *e, bool from_queued)
{
	struct tcp_ep *t = tcp(e);

	if (in_states(t, STATE_BIT(TCPS_LISTEN) | STATE_BIT(TCPS_CLOSE)))
		return -EINVAL;
	e->tskey = from_queued ? t->write_seq : t->snd_una;
	return 0;
}

void ts_note(struct tcp_ep *t)
{
	u32 flags = t->ep.o.tsflags & (TS_TX_SCHED | TS_TX_SOFTWARE | TS_TX_ACK);
	struct ts_wait *w = flags && t->n_tsq < WAITING_MAX ? knew(struct ts_wait) : NULL;

	if (!w)
		return;
	w->last = t->write_seq - 1;
	w->flags = flags;
	list_add_tail(&w->node, &t->tsq);
	t->n_tsq++;
}

/* A stamp, with the bytes of a segment that ends with @last unless only the stamp is wanted. */
static void tell(struct tcp_ep *t, u32 what, u32 last)
{
	u32 id = t->ep.o.tsflags & TS_OPT_ID ? last - t->ep.tskey : 0, from = last + 1 - t->mss;
	struct pktbuf *p = t->ep.o.tsflags & TS_OPT_TSONLY ? NULL : pkt_new(t->ep.stack->pool);

	if (seq_lt(from, t->snd_una))
		from = t->snd_una;
	if (p && !list_empty(&t->chunks))
		(void)sndq_gather(t, p, from, last + 1 - from);
	errq_stamp(&t->ep, p, what, id);
	pkt_free(p);
}

static void done(struct tcp_ep *t, struct ts_wait *w)
{
	list_del_init(&w->node);
	t->n_tsq--;
	kfree(w);
}

void ts_sent(struct tcp_ep *t)
{
	struct ts_wait *w, *n;

	list_for_each_safe(w, n, &t->tsq, node) {
		if (!seq_lt(w->last, t->snd_nxt))
			return;
		if (w->flags & TS_TX_SCHED)
			tell(t, STAMP_SCHED, w->last);
		if (w->flags & TS_TX_SOFTWARE)
			tell(t, STAMP_SND, w->last);
		w->flags &= TS_TX_ACK;
		if (!w->flags)
			done(t, w);
	}
}

void ts_acked(struct tcp_ep *t, u32 una)
{
	struct ts_wait *w, *n;

	list_for_each_safe(w, n, &t->tsq, node) {
		if (!seq_lt(w->last, una))
			return;
		if (w->flags & TS_TX_ACK)
			tell(t, STAMP_ACK, w->last);
		done(t, w);
	}
}

void ts_purge(struct tcp_ep *t)
{
	struct ts_wait *w, *n;

	list_for_each_safe(w, n, &t->tsq, node)
		done(t, w);
}
