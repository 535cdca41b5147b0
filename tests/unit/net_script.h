/*
 * net_script.h - one stack and a scripted TCP peer at 10.0.0.9: what it says goes in by inject(), the last segment
 * that the stack sent is in s->last.
 */
#pragma once
#include "tests/unit/net_rig.h"
#include "netstack/tcp/optnum.h"
#include "netstack/wire/csum.h"
#include "netstack/wire/tcp.h"

#define MS 1000000ull

struct script {
	struct rig r;
	struct fault_cfg cfg;
	u32 ours, theirs;
	u16 sport, dport;
	struct tcp_hdr last;
	u32 last_len, count;
	bool still;                     /* no time goes by after inject() */
	u32 max_end;                    /* the end of all that was sent */
	u8 last_tos, optb[40];
	struct tcp_opts opts;
};

static inline void on_frame(void *ctx, const void *rec, size_t n)
{
	struct script *s = ctx;
	const u8 *f = rec;

	if (n < 54 || f[12] != 8 || f[13] != 0 || f[23] != 6 || tcp_parse(f + 34, n - 34, &s->last) < 0)
		return;
	s->last_len = get_be16(f + 16) - 20u - s->last.hlen;
	s->last_tos = f[15];
	memcpy(s->optb, f + 54, s->last.hlen - 20u);
	tcp_parse_opts(s->optb, s->last.hlen - 20u, &s->opts);
	s->count++;
	if (!s->max_end || (s32)(s->last.seq + s->last_len - s->max_end) > 0)
		s->max_end = s->last.seq + s->last_len;
}

struct seg { u8 flags, tos, nopt; u32 seq, ack; const u8 *opt; const char *data; };

static inline void inject(struct script *s, struct seg g)
{
	u8 f[400] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45 };
	size_t n = g.data ? strlen(g.data) : 0, hl = 20u + g.nopt;
	struct tcp_hdr h = { .sport = s->sport, .dport = s->dport, .seq = g.seq, .ack = g.ack,
			     .hlen = (u8)hl, .flags = g.flags, .wnd = 60000 };
	u64 sum;
	u16 c;

	f[15] = g.tos;
	put_be16(f + 16, (u16)(20 + hl + n));
	f[22] = 64;
	f[23] = 6;
	memcpy(f + 26, (u8[]){ 10, 0, 0, 9, 10, 0, 0, 1 }, 8);
	c = csum_fold(csum_bytes(f + 14, 20, 0));
	memcpy(f + 24, &c, 2);
	if (g.nopt)
		memcpy(f + 54, g.opt, g.nopt);
	if (n)
		memcpy(f + 34 + hl, g.data, n);
	tcp_emit(f + 34, &h);
	sum = csum_add(csum_bytes(f + 34, hl + n, 0), csum_pseudo(f + 26, f + 30, 4, 6, (u32)(hl + n)));
	c = csum_fold(sum);
	memcpy(f + 50, &c, 2);
	stack_rx(s->r.s[0], s->r.ifi[0], f, 34 + hl + n);
	if (!s->still)
		rig_run(&s->r, MS);
}

static inline void begin(struct script *s)
{
	struct neigh_info ni = { .ip = ip_from4n(0x0a000009), .mac = { 2, 0, 0, 0, 0, 9 } };

	memset(s, 0, sizeof(*s));
	s->cfg.seed = 9;
	s->cfg.pcap = on_frame;
	s->cfg.pcap_ctx = s;
	s->sport = 1234;
	s->dport = 80;
	s->ours = 1000;
	rig_pair(&s->r, &s->cfg);
	ni.ifindex = s->r.ifi[0];
	assert_int_equal(neigh_set(s->r.s[0], &ni), 0);
	rig_run(&s->r, 1000 * MS);
}

static inline struct ep *handshake(struct script *s, struct ep *l, u8 ecn)
{
	struct ep *e = NULL;

	inject(s, (struct seg){ .flags = TH_SYN | ecn, .seq = s->ours });
	s->theirs = s->last.seq + 1;
	s->ours++;
	inject(s, (struct seg){ .flags = TH_ACK, .seq = s->ours, .ack = s->theirs });
	assert_int_equal(ep_accept(l, NULL, &e), 0);
	return e;
}

static inline void finish(struct script *s, struct ep *l, struct ep *e)
{
	ep_close(e);
	ep_close(l);
	rig_run(&s->r, 400000 * MS);
	rig_done(&s->r);
}
