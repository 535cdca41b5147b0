/*
 * cubic.c - CUBIC (RFC 9438): the window as a cubic function of time since loss.
 *
 * W(t) = C (t - K)^3 + Wmax with C = 0.4 segments/s^3 and beta = 0.7.  Windows
 * are bytes; time is milliseconds inside the cube, so that (t - K)^3 of an hour
 * still fits 64 bits.  A Reno estimate is the floor.
 */
#include "netstack/tcp/cc.h"
#include "netstack/tcp/tcp.h"

static void cubic_init(struct tcp_ep *t)
{
	memset(&t->cub, 0, sizeof(t->cub));
	hystart_init(t);
}

static u64 cube_root(u64 x)
{
	u64 r = 0, bit;

	for (bit = 1ull << 20; bit; bit >>= 1)
		if ((r | bit) * (r | bit) * (r | bit) <= x)
			r |= bit;
	return r;
}

/* K in ms: cube root of (Wmax - cwnd) / C, windows in segments. */
static u64 find_k(u32 gap_bytes, u32 mss)
{
	/* segs / 0.4 s^3 = segs * 2.5e9 ms^3 */
	return cube_root((u64)gap_bytes / mss * 2500000000ull);
}

static void new_epoch(struct tcp_ep *t, u64 now)
{
	t->cub.epoch = now;
	t->cub.acc = 0;
	t->cub.west = t->cwnd;
	if (t->cub.wmax > t->cwnd) {
		t->cub.k = find_k(t->cub.wmax - t->cwnd, t->mss);
		t->cub.origin = t->cub.wmax;
	} else {
		t->cub.k = 0;
		t->cub.origin = t->cwnd;
	}
}

static u32 target(struct tcp_ep *t, u64 now)
{
	u64 ms = (now - t->cub.epoch + t->rtt.srtt) / NSEC_MS, d, off;

	ms = MIN(ms, 1000000ull);
	d = ms > t->cub.k ? ms - t->cub.k : t->cub.k - ms;
	d = MIN(d, 1000000ull);
	/* 0.4 * d^3 / 1e9 segments */
	off = d * d / 1000 * d / 1000 * 4 / 10000 * t->mss;
	if (ms < t->cub.k)
		return off < t->cub.origin ? (u32)(t->cub.origin - off) : t->mss;
	return (u32)MIN(t->cub.origin + off, (u64)1 << 30);
}

static void cubic_grow(struct tcp_ep *t, u32 acked, u64 now)
{
	u32 want, segs;

	if (t->cwnd < t->ssthresh) {
		u32 g = MIN(acked, t->ssthresh - t->cwnd);

		t->cwnd += hystart_growth(t, g);
		acked -= g;
	}
	if (!acked)
		return;
	if (!t->cub.epoch)
		new_epoch(t, now);
	/* Reno-friendly estimate: 3 (1 - beta) / (1 + beta) = 0.53 segments a window. */
	t->cub.west += (u32)((u64)t->mss * acked * 53 / 100 / MAX(t->cwnd, 1u));
	want = MAX(target(t, now), t->cub.west);
	want = MIN(want, t->cwnd + t->cwnd / 2);
	if (want <= t->cwnd)
		return;
	/* Reach @want in about one window of ACKs. */
	t->cub.acc += acked;
	segs = (u32)((u64)(want - t->cwnd) * t->cub.acc / t->cwnd);
	if (segs >= t->mss) {
		t->cwnd += segs;
		t->cub.acc = 0;
	}
}

static u32 cubic_ssthresh(struct tcp_ep *t, u64 now)
{
	(void)now;
	t->cub.epoch = 0;
	/* Fast convergence: leave room for newcomers. */
	t->cub.wmax = t->cwnd < t->cub.last_max ? (u32)((u64)t->cwnd * 85 / 100) : t->cwnd;
	t->cub.last_max = t->cwnd;
	return MAX((u32)((u64)t->cwnd * 7 / 10), 2u * t->mss);
}

static void cubic_restart(struct tcp_ep *t) { t->cub.epoch = 0; }

const struct cc_ops cc_cubic = {
	.name = "cubic", .init = cubic_init, .acked = hystart_ack, .grow = cubic_grow,
	.ssthresh = cubic_ssthresh, .restart = cubic_restart,
};
