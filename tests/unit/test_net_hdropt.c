/* Options of IP headers on the wire: recorded routes and stamps, answers that carry them back, what a router does with them. */
#include "tests/unit/net_rig.h"
#include "netstack/wire/csum.h"

#define MS 1000000ull

struct wire {
	struct rig r;
	struct fault_cfg cfg;
	u8 last[2000];          /* the last frame of IPv4 that was sent */
	size_t n;
	u32 count;
	u8 opts[8][40];         /* of each of them */
};

static void on_frame(void *ctx, const void *rec, size_t n)
{
	struct wire *w = ctx;
	const u8 *f = rec;

	if (n < 34 || f[12] != 8 || f[13] != 0)
		return;
	w->n = n < sizeof(w->last) ? n : sizeof(w->last);
	memcpy(w->last, f, w->n);
	memcpy(w->opts[w->count++ % 8], f + 34, ((f[14] & 15u) - 5) * 4);
}

static void begin(struct wire *w)
{
	struct neigh_info ni = { .ip = ip_from4n(0x0a000009), .mac = { 2, 0, 0, 0, 0, 9 } };

	memset(w, 0, sizeof(*w));
	w->cfg = (struct fault_cfg){ .seed = 5, .pcap = on_frame, .pcap_ctx = w };
	rig_pair(&w->r, &w->cfg);
	ni.ifindex = w->r.ifi[0];
	assert_int_equal(neigh_set(w->r.s[0], &ni), 0);
	ni.ip = ip_from4n(0x0a000008);
	assert_int_equal(neigh_set(w->r.s[0], &ni), 0);
	rig_run(&w->r, 1000 * MS);
	w->count = 0;
}

static void end(struct wire *w)
{
	rig_run(&w->r, 100000 * MS);
	rig_done(&w->r);
}

/* A datagram of UDP with @opts from 10.0.0.9 to @dst port 9. */
static void inject(struct wire *w, u32 dst, const u8 *opts, size_t on)
{
	u8 f[200] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, (u8)(0x45 + on / 4) };
	size_t l4 = 34 + on;
	u16 c;

	put_be16(f + 16, (u16)(20 + on + 8));
	f[22] = 64;
	f[23] = 17;
	memcpy(f + 26, (u8[]){ 10, 0, 0, 9 }, 4);
	put_be32(f + 30, dst);
	memcpy(f + 34, opts, on);
	c = csum_fold(csum_bytes(f + 14, 20 + on, 0));
	memcpy(f + 24, &c, 2);
	put_be16(f + l4, 1234);
	put_be16(f + l4 + 2, 9);
	put_be16(f + l4 + 4, 8);
	stack_rx(w->r.s[0], w->r.ifi[0], f, l4 + 8);
	rig_run(&w->r, MS);
}

#define RR(...) ((const u8[]){ 7, 11, 4, __VA_ARGS__, 0 })

static void an_error_brings_the_options_back(void **state)
{
	static const u8 want[] = { 7, 11, 12, 10, 0, 0, 1, 10, 0, 0, 1, 0 };
	struct wire w;

	(void)state;
	begin(&w);
	inject(&w, 0x0a000001, RR(0, 0, 0, 0, 0, 0, 0, 0), 12);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.last[14], 0x48);
	assert_int_equal(w.last[14 + 32], 3);                   /* no such port */
	assert_memory_equal(w.opts[0], want, 12);
	assert_int_equal(csum_fold(csum_bytes(w.last + 14, 32, 0)), 0);
	end(&w);
}

static void nonsense_is_told_with_its_place(void **state)
{
	static const struct { u8 o[8], at; } bad[] = {
		{ { 1, 7, 9, 4 }, 21 }, { { 7, 4, 3, 0 }, 22 }, { { 7, 7, 6, 0, 0, 0, 0, 0 }, 22 }, { { 68, 4, 4, 0 }, 22 },
		{ { 68, 4, 5, 0xf0 }, 23 }, { { 148, 3, 0, 0 }, 21 }, { { 131, 3, 3, 0 }, 22 }, { { 1, 1, 1, 7 }, 23 },
		{ { 7, 3, 4, 7, 3, 4, 0, 0 }, 23 },
	};
	struct wire w;
	size_t i;

	(void)state;
	begin(&w);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		w.count = 0;
		inject(&w, 0x0a000001, bad[i].o, bad[i].at > 23 || bad[i].o[4] || i == 2 || i == 8 ? 8 : 4);
		assert_int_equal(w.count, 1);
		assert_int_equal(w.last[34], 12);
		assert_int_equal(w.last[35], 0);
		assert_int_equal(w.last[38], bad[i].at);
	}
	end(&w);
}

static void a_source_route_is_dropped(void **state)
{
	struct wire w;

	(void)state;
	begin(&w);
	inject(&w, 0x0a000001, (const u8[]){ 131, 7, 4, 10, 0, 0, 8, 0 }, 8);
	inject(&w, 0x0a000001, (const u8[]){ 137, 7, 8, 10, 0, 0, 8, 0 }, 8);
	assert_int_equal(w.count, 0);
	end(&w);
}

static void a_router_records_itself(void **state)
{
	static const u8 want[] = { 7, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0 };
	struct wire w;

	(void)state;
	begin(&w);
	assert_int_equal(stack_sysctl_set(w.r.s[0], "ipv4/ip_forward", "1"), 0);
	inject(&w, 0x0a000008, RR(0, 0, 0, 0, 0, 0, 0, 0), 12);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.last[22], 63);
	assert_memory_equal(w.opts[0], want, 12);
	assert_int_equal(csum_fold(csum_bytes(w.last + 14, 32, 0)), 0);
	end(&w);
}

static void later_fragments_carry_what_is_copied(void **state)
{
	static const u8 set[] = { 7, 3, 4, 1, 148, 4, 0, 0 }, rest[] = { 1, 1, 1, 1, 148, 4, 0, 0 };
	struct net_sa to = rig_sa(rig_ip(1), 9);
	static u8 big[3000];
	struct wire w;
	struct ep *e;

	(void)state;
	begin(&w);
	e = rig_sock(w.r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_setsockopt(e, IPPROTO_IP, IP_OPTIONS, set, sizeof(set)), 0);
	assert_int_equal(rig_sendto(e, "x", 1, 0, &to), 1);     /* finds the neighbour */
	rig_run(&w.r, 100 * MS);
	w.count = 0;
	assert_int_equal(rig_sendto(e, big, sizeof(big), 0, &to), sizeof(big));
	rig_run(&w.r, MS / 10);
	assert_true(w.count >= 3);
	assert_memory_equal(w.opts[0], set, 8);
	assert_memory_equal(w.opts[1], rest, 8);
	assert_memory_equal(w.opts[2], rest, 8);
	ep_close(e);
	end(&w);
}

static void a_first_hop_takes_a_source_route(void **state)
{
	static const u8 set[] = { 131, 11, 4, 10, 0, 0, 9, 10, 0, 0, 8 }, want[] = { 131, 11, 4, 10, 0, 0, 8, 192, 168, 1, 1, 0 };
	struct net_sa to = rig_sa(ip_from4n(0xc0a80101), 9);
	u8 told[40];
	size_t n = sizeof(told);
	struct wire w;
	struct ep *e;

	(void)state;
	begin(&w);
	e = rig_sock(w.r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_setsockopt(e, IPPROTO_IP, IP_OPTIONS, set, sizeof(set)), -EPERM);
	assert_int_equal(ep_set_ip_options(e, set, sizeof(set), true), 0);
	assert_int_equal(rig_sendto(e, "x", 1, 0, &to), 1);
	rig_run(&w.r, MS);
	assert_int_equal(w.count, 1);
	assert_memory_equal(w.last + 30, ((u8[]){ 10, 0, 0, 9 }), 4);
	assert_memory_equal(w.opts[0], want, 12);
	assert_int_equal(ep_getsockopt(e, IPPROTO_IP, IP_OPTIONS, told, &n), 0);
	assert_int_equal(n, 12);
	assert_memory_equal(told, set, sizeof(set));
	ep_close(e);
	end(&w);
}

/* ---- IPv6 ---- */

static void on_frame6(void *ctx, const void *rec, size_t n)
{
	struct wire *w = ctx;
	const u8 *f = rec;
	u8 *opts;

	if (n < 54 || f[12] != 0x86 || f[13] != 0xdd || f[20] == 58)
		return;
	w->n = n < sizeof(w->last) ? n : sizeof(w->last);
	memcpy(w->last, f, w->n);
	opts = w->opts[w->count++ % 8];
	memset(opts, 0, 40);
	memcpy(opts, f + 54, n - 54 < 40 ? n - 54 : 40);
}

static struct ep *begin6(struct wire *w)
{
	struct net_sa to = rig_sa(rig_ip6(1), 9);
	struct ep *e;

	begin(w);
	w->cfg.pcap = on_frame6;
	fault_set(w->r.w, &w->cfg);
	e = rig_sock(w->r.s[0], AF_INET6, SOCK_DGRAM);
	assert_int_equal(rig_sendto(e, "x", 1, 0, &to), 1);     /* finds the neighbour */
	rig_run(&w->r, 3000 * MS);
	w->count = 0;
	return e;
}

#define HOP 0, 0, 0x1e, 4, 1, 2, 3, 4

static void every_piece_has_the_headers_that_all_share(void **state)
{
	static const u8 hop[] = { HOP }, dst[] = { 0, 0, 0x1e, 4, 5, 6, 7, 8 };
	struct net_sa to = rig_sa(rig_ip6(1), 9);
	static u8 big[3000], got[4000];
	struct wire w;
	struct ep *e, *peer;
	int i;

	(void)state;
	e = begin6(&w);
	peer = rig_sock(w.r.s[1], AF_INET6, SOCK_DGRAM);
	assert_int_equal(ep_bind(peer, &(struct net_sa){ .family = AF_INET6, .port = 9, .ip = ip_any6() }), 0);
	assert_int_equal(ep_setsockopt(e, IPPROTO_IPV6, IPV6_HOPOPTS, hop, sizeof(hop)), 0);
	assert_int_equal(ep_setsockopt(e, IPPROTO_IPV6, IPV6_DSTOPTS, dst, sizeof(dst)), 0);
	memset(big, 3, sizeof(big));
	assert_int_equal(rig_sendto(e, big, sizeof(big), 0, &to), sizeof(big));
	rig_run(&w.r, 10 * MS);
	assert_int_equal(w.count, 3);
	for (i = 0; i < 3; i++) {
		assert_memory_equal(w.opts[i], ((u8[]){ 44, 0, 0x1e, 4 }), 4);
		assert_int_equal(w.opts[i][8], 60);             /* the fragment's header: options come first */
		assert_int_equal(get_be16(w.opts[i] + 10) & 1, i < 2);
	}
	assert_memory_equal(w.opts[0] + 16, ((u8[]){ 17, 0, 0x1e, 4, 5, 6, 7, 8 }), 8);
	assert_int_equal(rig_recv(peer, got, sizeof(got)), sizeof(big));
	assert_memory_equal(got, big, sizeof(big));
	ep_close(peer);
	ep_close(e);
	end(&w);
}

static void a_list_of_segments_leaves_with_its_end_first(void **state)
{
	u8 srh[40] = { 0, 4, 4, 1, 1, [24] = 0xfd, [39] = 2 };        /* by fd00::2 */
	struct net_sa to = rig_sa(rig_ip6(77), 9);
	struct wire w;
	struct ep *e;

	(void)state;
	e = begin6(&w);
	assert_int_equal(ep_setsockopt(e, IPPROTO_IPV6, IPV6_RTHDR, srh, sizeof(srh)), 0);
	assert_int_equal(rig_sendto(e, "x", 1, 0, &to), 1);
	rig_run(&w.r, 10 * MS);
	assert_int_equal(w.count, 1);
	assert_memory_equal(w.last + 38, rig_ip6(1).b, 16);
	assert_memory_equal(w.last + 54, ((u8[]){ 17, 4, 4, 1, 1, 0, 0, 0 }), 8);
	assert_memory_equal(w.last + 62, rig_ip6(77).b, 16);
	assert_memory_equal(w.last + 78, rig_ip6(1).b, 16);
	ep_close(e);
	end(&w);
}

static void a_home_address_leaves_behind_the_first_hop(void **state)
{
	u8 rt[24] = { 0, 2, 2, 1, [8] = 0xfd, [23] = 2 }, dst0[] = { 0, 0, 0x1e, 4, 9, 9, 9, 9 };
	struct net_sa to = rig_sa(rig_ip6(77), 9);
	struct wire w;
	struct ep *e;

	(void)state;
	e = begin6(&w);
	assert_int_equal(ep_setsockopt(e, IPPROTO_IPV6, IPV6_RTHDR, rt, sizeof(rt)), 0);
	assert_int_equal(ep_setsockopt(e, IPPROTO_IPV6, IPV6_RTHDRDSTOPTS, dst0, sizeof(dst0)), 0);
	assert_int_equal(rig_sendto(e, "x", 1, 0, &to), 1);
	rig_run(&w.r, 10 * MS);
	assert_int_equal(w.count, 1);
	assert_memory_equal(w.last + 38, rig_ip6(1).b, 16);
	assert_memory_equal(w.last + 54, ((u8[]){ 43, 0, 0x1e, 4, 9, 9, 9, 9, 17, 2, 2, 1 }), 12);
	assert_memory_equal(w.last + 70, rig_ip6(77).b, 16);
	ep_close(e);
	end(&w);
}

static void long_headers_go_over_the_wire_under_tcp(void **state)
{
	static u8 h[1000], big[20000], in[20000];
	struct net_sa to = rig_sa(rig_ip6(1), 80);
	struct wire w;
	struct ep *e, *l, *a = NULL;
	size_t got = 0, i;
	ssize_t n;

	(void)state;
	ep_close(begin6(&w));
	l = rig_listen(w.r.s[1], ip_any6(), 80);
	e = rig_sock(w.r.s[0], AF_INET6, SOCK_STREAM);
	h[1] = sizeof(h) / 8 - 1;
	for (i = 2; i < sizeof(h); i += 2 + h[i + 1]) {
		h[i] = 0x1e;
		h[i + 1] = (u8)(sizeof(h) - i - 2 > 255 ? 253 : sizeof(h) - i - 2);
	}
	assert_int_equal(ep_setsockopt(e, IPPROTO_IPV6, IPV6_DSTOPTS, h, sizeof(h)), 0);
	assert_int_equal(ep_connect(e, &to), -EINPROGRESS);
	rig_run(&w.r, 100 * MS);
	assert_int_equal(ep_accept(l, NULL, &a), 0);
	for (i = 0; i < sizeof(big); i++)
		big[i] = (u8)(i * 7 + i / 251);
	assert_int_equal(rig_send(e, big, sizeof(big)), sizeof(big));
	while (got < sizeof(in)) {
		rig_run(&w.r, 100 * MS);
		n = rig_recv(a, in + got, sizeof(in) - got);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(in, big, sizeof(in));
	ep_close(e);
	ep_close(a);
	ep_close(l);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_brings_the_options_back),
		cmocka_unit_test(nonsense_is_told_with_its_place),
		cmocka_unit_test(a_source_route_is_dropped),
		cmocka_unit_test(a_router_records_itself),
		cmocka_unit_test(later_fragments_carry_what_is_copied),
		cmocka_unit_test(a_first_hop_takes_a_source_route),
		cmocka_unit_test(every_piece_has_the_headers_that_all_share),
		cmocka_unit_test(a_list_of_segments_leaves_with_its_end_first),
		cmocka_unit_test(a_home_address_leaves_behind_the_first_hop),
		cmocka_unit_test(long_headers_go_over_the_wire_under_tcp),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
