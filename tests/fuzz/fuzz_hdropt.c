/*
 * fuzz_hdropt.c - options of IP headers and the programs of sock_diag, each by itself: what a check lets pass is then used in every way.
 *
 * The input is a byte that says which, and the bytes of one.  Buffers are as long as they must be, so that ASAN sees what is outside.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/stack.h"
#include "netstack/core/ipaddr.h"
#include "netstack/core/pktbuf.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/ip4opt.h"
#include "netstack/ip/ip6ext.h"
#include "netstack/wire/ip6.h"
#include "sentry/socket/diag_filter.h"

static u64 w_now(void *c) { return c ? 1 : 2; }
static void w_kick(void *c) { (void)c; }
static void w_random(void *c, void *p, size_t n) { memset(p, c ? 1 : 2, n); }
static const struct stack_ops ops = { w_now, w_now, w_random, w_kick, NULL, NULL };

static void use4(struct stack *s, const struct ip4_opts *o)
{
	struct ip_tx t = { .src = ip_from4n(0x0a000001), .dst = ip_from4n(0x0a000002) };
	struct ipaddr own = t.src;
	struct ip4_opts undone = *o, back, forth = *o;
	u8 room[IP4OPT_MAX];

	ip4opt_undo(&undone);
	ip4opt_put(s, o, &t.dst, &t, room);
	ip4opt_strip(room, t.opts_len);
	ip4opt_forward(s, &own, &forth);
	if (ip4opt_echo(s, o, &back)) {
		if (back.len > IP4OPT_MAX || back.len % 4)
			abort();
		ip4opt_put(s, &back, &t.dst, &t, room);
		ip4opt_undo(&back);
	}
}

static void options4(struct stack *s, const u8 *p, size_t n, bool net_raw)
{
	struct ipaddr own = ip_from4n(0x0a000001);
	struct ip4_opts o;

	if (n > IP4OPT_MAX)
		return;
	if (ip4opt_set(s, p, n, net_raw, &o) == 0)
		use4(s, &o);
	o = (struct ip4_opts){ .len = (u8)ALIGN_UP(n, 4u) };
	memcpy(o.data, p, n);
	if (ip4opt_rx(s, &own, &o) == 0 && !o.srr)
		use4(s, &o);
}

/* Headers one after another, the first byte of each saying which. */
static void headers6(struct stack *s, const u8 *p, size_t n)
{
	struct ip6_ext x = { { NULL }, { 0 } };
	const struct ipaddr end = { { 0xfd } };
	struct pktbuf *k = pkt_from(s->pool, "payload", 7);
	struct ip6_chain c;
	struct ip6_problem prob;
	u8 proto = IPPROTO_UDP, *flat;
	struct ip6_sticky *st;

	while (n >= 8) {
		int kind = p[0] & 3;

		if (x.h[kind] || ip6ext_add(&x, kind, p, n) < 0 || (kind == IP6EXT_RT && !ip6ext_rt_ok(p, x.len[kind], p[0] & 4))) {
			x.h[kind] = NULL;
			x.len[kind] = 0;
			break;
		}
		p += x.len[kind];
		n -= x.len[kind];
	}
	st = ip6ext_keep(&x);
	if (k && st && ip6ext_push(k, &st->x, false, &end, &proto) && ip6ext_push(k, &st->x, true, &end, &proto)) {
		if (k->len != 7 + ip6ext_len(&x))
			abort();
		flat = calloc(1, IP6_HLEN + k->len);
		if (!flat)
			abort();
		flat[6] = proto;
		pkt_copy(k, 0, flat + IP6_HLEN, k->len);
		(void)!ip6_walk(flat, IP6_HLEN + k->len, false, &c, &prob);
		free(flat);
	}
	ip6ext_unref(st);
	pkt_free(k);
}

static void program(const u8 *p, size_t n)
{
	struct ep_info e = { .family = AF_INET6, .local = { .port = 80, .ip = ip_from4n(0x7f000001) }, .remote = { .port = 9 } };
	bool yes;

	if (diag_filter_check(p, (u32)n, true) < 0)
		return;
	yes = diag_filter_run(p, (u32)n, &e);
	e.family = AF_INET;
	yes = diag_filter_run(p, (u32)n, &e) || yes;
	(void)yes;
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	static struct stack *s;
	u8 *copy;

	if (!s && (alloc_init(1ull << 32) < 0 || stack_new(&ops, NULL, &s) < 0))
		abort();
	if (n < 2)
		return 0;
	copy = malloc(n - 1);
	if (!copy)
		abort();
	memcpy(copy, p + 1, n - 1);
	switch (p[0] & 3) {
	case 0: options4(s, copy, n - 1, p[0] & 4); break;
	case 1: headers6(s, copy, n - 1); break;
	default: program(copy, n - 1);
	}
	free(copy);
	return 0;
}
