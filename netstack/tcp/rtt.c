/*
 * rtt.c - round-trip estimate and retransmission timeout (RFC 6298).
 */
#include "netstack/tcp/tcp.h"

#define MIN_RTT_WINDOW (300 * NSEC_S)

void tcp_rtt_sample(struct tcp_ep *t, u64 ns)
{
	struct rtt_est *r = &t->rtt;
	u64 now = tcp_now(t), d;

	if (ns == 0)
		ns = 1000;
	if (!r->min || ns <= r->min || now - r->min_at > MIN_RTT_WINDOW) {
		r->min = ns;
		r->min_at = now;
	}
	if (!r->valid) {
		r->valid = true;
		r->srtt = ns;
		r->var = ns / 2;
	} else {
		d = ns > r->srtt ? ns - r->srtt : r->srtt - ns;
		r->var += (d >> 2) - (r->var >> 2);
		r->srtt += (ns >> 3) - (r->srtt >> 3);
	}
	r->rto = r->srtt + MAX(4 * r->var, TCP_RTO_MIN);
	r->rto = MIN(r->rto, TCP_RTO_MAX);
}

u64 tcp_rto(const struct tcp_ep *t)
{
	u64 rto = t->rtt.valid ? t->rtt.rto : t->rtt.rto ? t->rtt.rto : TCP_RTO_INIT;

	if (t->rtt.backoff >= 10)
		return TCP_RTO_MAX;
	return MIN(rto << t->rtt.backoff, TCP_RTO_MAX);
}
