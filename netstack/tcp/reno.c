/*
 * reno.c - NewReno congestion avoidance (RFC 5681), and the list of algorithms.
 */
#include <string.h>
#include "netstack/tcp/cc.h"
#include "netstack/tcp/tcp.h"

static void reno_init(struct tcp_ep *t) { t->cub.acc = 0; }

/* Appropriate byte counting (RFC 3465) in both phases. */
static void reno_grow(struct tcp_ep *t, u32 acked, u64 now)
{
	(void)now;
	if (t->cwnd < t->ssthresh) {
		u32 g = MIN(acked, t->ssthresh - t->cwnd);

		t->cwnd += g;
		acked -= g;
	}
	if (!acked)
		return;
	t->cub.acc += acked;
	if (t->cub.acc >= t->cwnd) {
		t->cub.acc -= t->cwnd;
		t->cwnd += t->mss;
	}
}

static u32 reno_ssthresh(struct tcp_ep *t, u64 now)
{
	(void)now;
	t->cub.acc = 0;
	return MAX(t->cwnd / 2, 2u * t->mss);
}

const struct cc_ops cc_reno = {
	.name = "reno", .init = reno_init, .grow = reno_grow, .ssthresh = reno_ssthresh,
	.restart = reno_init,
};

const struct cc_ops *cc_find(const char *name)
{
	if (strcmp(name, "reno") == 0)
		return &cc_reno;
	return strcmp(name, "cubic") == 0 ? &cc_cubic : NULL;
}
