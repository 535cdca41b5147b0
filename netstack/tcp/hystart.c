/*
 * hystart.c - HyStart++ (RFC 9406): the first slow start slows down when round trips grow, before it loses.
 *
 * A round ends when what was sent at its beginning is acknowledged.  When the shortest round trip of a
 * round is an eighth longer than the last one's (by 4 to 16 ms), growth is a quarter of what it was
 * (conservative slow start).  It returns to the old pace if round trips shorten again, else slow start is over
 * after five rounds.  No limit a round on stretch ACKs (4.2's L): super-frames are acknowledged in one.
 */
#include "netstack/tcp/tcp.h"

#define SAMPLES         8
#define THRESH_MIN      (4 * NSEC_MS)
#define THRESH_MAX      (16 * NSEC_MS)
#define CSS_DIVISOR     4
#define CSS_ROUNDS      5

void hystart_init(struct tcp_ep *t)
{
	memset(&t->hy, 0, sizeof(t->hy));
	t->hy.last_min = t->hy.cur_min = UINT64_MAX;
}

static bool rtt_grew(const struct tcp_ep *t)
{
	u64 th = t->hy.last_min / 8;

	if (t->hy.samples < SAMPLES || t->hy.last_min == UINT64_MAX)
		return false;
	th = MIN(MAX(th, THRESH_MIN), THRESH_MAX);
	return t->hy.cur_min >= t->hy.last_min + th;
}

void hystart_ack(struct tcp_ep *t, u64 rtt)
{
	if (t->ssthresh != UINT32_MAX)
		return;                         /* only before the first loss */
	if (rtt) {
		t->hy.cur_min = MIN(t->hy.cur_min, rtt);
		t->hy.samples++;
	}
	if (t->hy.css) {
		/* It was no queue after all. */
		if (t->hy.samples >= SAMPLES && t->hy.cur_min < t->hy.css_min)
			t->hy.css = false;
	} else if (rtt_grew(t)) {
		t->hy.css = true;
		t->hy.css_rounds = 0;
		t->hy.css_min = t->hy.cur_min;
	}
	if (t->hy.begun && seq_lt(t->snd_una, t->hy.end))
		return;
	if (t->hy.begun && t->hy.css && ++t->hy.css_rounds >= CSS_ROUNDS) {
		t->ssthresh = t->cwnd;
		return;
	}
	t->hy.begun = true;
	t->hy.end = t->snd_nxt;
	t->hy.last_min = t->hy.cur_min;
	t->hy.cur_min = UINT64_MAX;
	t->hy.samples = 0;
}

u32 hystart_growth(const struct tcp_ep *t, u32 acked)
{
	return t->hy.css && t->ssthresh == UINT32_MAX ? acked / CSS_DIVISOR : acked;
}
