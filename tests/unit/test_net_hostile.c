/*
 * test_net_hostile.c - a million of everything from one peer: memory stays bounded and a second peer is served.
 *
 * Peer one is frames made here; peer two is a whole stack at the other end of the wire.
 */
#include <linux/in6.h>
#include "tests/unit/net_rig.h"
#include "netstack/core/stack.h"
#include "netstack/tcp/tcp.h"
#include "netstack/wire/csum.h"
#include "netstack/wire/tcp.h"

/* ThreadSanitizer is some thirty times slower: enough for it to see every path. */
#ifdef CONFIG_TSAN
#define MILLION   30000u
#else
#define MILLION   1000000u
#endif
#define LIVE_MAX  (12 << 20)            /* bytes of packet data that one stack may hold */
#define NS_MS     1000000ull

struct world { struct rig r; struct fault_cfg cfg; u64 rnd; u32 synack; u8 from; };       /* from: 10.0.0.x */

static u32 rnd(struct world *w)
{
	w->rnd = w->rnd * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(w->rnd >> 32);
}

/* Note the number of each SYN-ACK on the wire. */
static void on_frame(void *ctx, const void *rec, size_t n)
{
	struct tcp_hdr h;
	const u8 *f = rec;

	if (n >= 54 && f[12] == 8 && f[13] == 0 && f[23] == 6 && tcp_parse(f + 34, n - 34, &h) == 0 &&
	    (h.flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK))
		((struct world *)ctx)->synack = h.seq;
}

static void begin(struct world *w)
{
	struct neigh_info ni = { .ip = ip_from4n(0x0a000009), .mac = { 2, 0, 0, 0, 0, 9 } };

	memset(w, 0, sizeof(*w));
	w->from = 9;
	w->cfg.seed = 5;
	w->cfg.pcap = on_frame;
	w->cfg.pcap_ctx = w;
	rig_pair(&w->r, &w->cfg);
	ni.ifindex = w->r.ifi[0];
	assert_int_equal(neigh_set(w->r.s[0], &ni), 0);
	rig_run(&w->r, 3000 * NS_MS);
}

static void finish(struct world *w)
{
	rig_run(&w->r, 400000 * NS_MS);
	rig_done(&w->r);
}

/* Time goes by now and then, so that timers and the wire have work; nothing grows beyond its limit. */
static void tick(struct world *w, u32 i)
{
	if (i % 512 == 0)
		rig_run(&w->r, NS_MS);
	if (i % 4096 == 4095) {
		assert_true(w->r.s[0]->pool->live_bytes < LIVE_MAX);
		assert_true(w->r.s[0]->frags.mem <= FRAG_MEM_MAX);
	}
}

/* An IPv4 frame from 10.0.0.9 (or w->from) to us; the payload is behind 34 bytes of @f already. */
static void inject4(struct world *w, u8 *f, u8 proto, u16 id, u16 frag, u32 n)
{
	u16 c;

	memcpy(f, (u8[]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0 }, 16);
	put_be16(f + 16, (u16)(20 + n));
	put_be16(f + 18, id);
	put_be16(f + 20, frag);
	f[22] = 64;
	f[23] = proto;
	memset(f + 24, 0, 2);
	memcpy(f + 26, (u8[]){ 10, 0, 0, w->from, 10, 0, 0, 1 }, 8);
	c = csum_fold(csum_bytes(f + 14, 20, 0));
	memcpy(f + 24, &c, 2);
	stack_rx(w->r.s[0], w->r.ifi[0], f, 34 + n);
}

static void inject_tcp(struct world *w, u16 sport, u8 flags, u32 seq, u32 ack, u32 n)
{
	struct tcp_hdr h = { .sport = sport, .dport = 80, .seq = seq, .ack = ack, .hlen = 20, .flags = flags,
			     .wnd = 60000 };
	u8 f[200] = { 0 };
	u64 sum;
	u16 c;

	tcp_emit(f + 34, &h);
	sum = csum_add(csum_bytes(f + 34, 20 + n, 0),
		       csum_pseudo((u8[]){ 10, 0, 0, 9 }, (u8[]){ 10, 0, 0, 1 }, 4, 6, 20 + n));
	c = csum_fold(sum);
	memcpy(f + 50, &c, 2);
	inject4(w, f, 6, 0, 0, 20 + n);
}

/* Peer two connects to port 80 and a message gets through. */
static void second_peer_is_served(struct world *w, struct ep *l)
{
	struct net_sa sa = rig_sa(rig_ip(0), 80);
	struct ep *c = rig_sock(w->r.s[1], AF_INET, SOCK_STREAM), *e;
	struct net_sa peer;
	char b[8];

	assert_int_equal(ep_connect(c, &sa), -EINPROGRESS);
	rig_run(&w->r, 10000 * NS_MS);
	assert_int_equal(ep_error(c), 0);
	do
		assert_int_equal(ep_accept(l, &peer, &e), 0);
	while (!ip_eq(&peer.ip, &(struct ipaddr[]){ rig_ip(1) }[0]));
	assert_int_equal(rig_send(c, "hi", 2), 2);
	rig_run(&w->r, 1000 * NS_MS);
	assert_int_equal(rig_recv(e, b, 8), 2);
	ep_close(c);
	ep_close(e);
}

static void a_million_syns(void **state)
{
	struct world w;
	struct ep *l;
	u32 i;

	(void)state;
	begin(&w);
	l = rig_listen(w.r.s[0], ip_any4(), 80);
	for (i = 0; i < MILLION; i++) {
		inject_tcp(&w, (u16)rnd(&w), TH_SYN, rnd(&w), 0, 0);
		tick(&w, i);
		assert_true(w.r.s[0]->conns.n_req <= 1024);
	}
	second_peer_is_served(&w, l);
	ep_close(l);
	finish(&w);
}

/* A piece of peer two's datagram of 16 + 16 bytes, as if it came a little at a time. */
static void half_of_peer_two(struct world *w, bool last)
{
	u8 f[80] = { 0 };

	put_be16(f + 36, 53);
	put_be16(f + 38, 32);
	w->from = 2;
	inject4(w, f, 17, 7, last ? 2 : 0x2000, 16);
	w->from = 9;
}

static void a_million_fragments(void **state)
{
	static u8 big[4000], got[4000];
	struct net_sa sa = rig_sa(ip_any4(), 53), to = rig_sa(rig_ip(0), 53);
	struct ep *u, *c;
	struct world w;
	u8 f[200] = { 0 };
	u32 i;

	(void)state;
	begin(&w);
	u = rig_sock(w.r.s[0], AF_INET, SOCK_DGRAM);
	c = rig_sock(w.r.s[1], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(u, &sa), 0);
	for (i = 0; i < MILLION; i++) {
		/* Never the last piece; every kind of overlap. */
		inject4(&w, f, 17, (u16)rnd(&w), (u16)(0x2000 | rnd(&w) % 8000), 8 * (1 + rnd(&w) % 16));
		tick(&w, i);
		/* What peer two has sent so far is not pushed out. */
		if (i % 10000 == 100)
			half_of_peer_two(&w, false);
		if (i % 10000 == 9100) {
			half_of_peer_two(&w, true);
			assert_int_equal(rig_recv(u, got, sizeof(got)), 24);
		}
	}
	assert_int_equal(rig_sendto(c, big, sizeof(big), 0, &to), sizeof(big));
	rig_run(&w.r, 100 * NS_MS);
	assert_int_equal(rig_recv(u, got, sizeof(got)), sizeof(big));
	rig_run(&w.r, 61000 * NS_MS);
	assert_int_equal(w.r.s[0]->frags.n, 0);
	assert_int_equal(w.r.s[0]->frags.mem, 0);
	ep_close(u);
	ep_close(c);
	finish(&w);
}

/* RFC 791 3.2: pieces that lie beyond the last one fit no datagram, also when their bytes add up. */
static void no_piece_beyond_the_last(void **state)
{
	struct net_sa sa = rig_sa(ip_any4(), 53);
	struct world w;
	struct ep *u;
	u8 f[200] = { 0 }, b[64];

	(void)state;
	begin(&w);
	u = rig_sock(w.r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(u, &sa), 0);
	put_be16(f + 36, 53);
	put_be16(f + 38, 32);
	inject4(&w, f, 17, 9, 0x2000, 8);
	inject4(&w, f, 17, 9, 0x2000 | 64, 16);
	inject4(&w, f, 17, 9, 3, 8);                    /* 8 + 16 + 8 bytes: the 32 that end there */
	assert_int_equal(rig_recv(u, b, sizeof(b)), -EAGAIN);
	assert_int_equal(w.r.s[0]->frags.n, 0);
	ep_close(u);
	finish(&w);
}

static void a_million_neighbours(void **state)
{
	struct net_sa sa = rig_sa(ip_any4(), 53), to = rig_sa(rig_ip(0), 53);
	struct neigh_info ni;
	struct ep *u, *c;
	struct world w;
	u8 f[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9 };
	char b[4];
	u32 i, n;

	(void)state;
	begin(&w);
	u = rig_sock(w.r.s[0], AF_INET, SOCK_DGRAM);
	c = rig_sock(w.r.s[1], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(u, &sa), 0);
	memcpy(f + 38, (u8[]){ 10, 0, 0, 1 }, 4);
	for (i = 0; i < MILLION; i++) {
		f[21] = (u8)(1 + i % 2);                /* requests and answers that nobody asked for */
		put_be32(f + 28, 0x0a000000 | rnd(&w) % 0x1000000);
		put_be32(f + 24, rnd(&w));
		if (get_be32(f + 28) != 0x0a000002)
			stack_rx(w.r.s[0], w.r.ifi[0], f, sizeof(f));
		tick(&w, i);
	}
	for (n = 0; neigh_nth(w.r.s[0], n, &ni) == 0; n++)
		;
	assert_true(n <= 2048);
	assert_int_equal(rig_sendto(c, "ab", 2, 0, &to), 2);
	rig_run(&w.r, 5000 * NS_MS);
	assert_int_equal(rig_recvfrom(u, b, 4, 0, &to), 2);
	/* And back: this asks for peer two's address if it was pushed out. */
	assert_int_equal(rig_sendto(u, "cd", 2, 0, &to), 2);
	rig_run(&w.r, 5000 * NS_MS);
	assert_int_equal(rig_recv(c, b, 4), 2);
	ep_close(u);
	ep_close(c);
	finish(&w);
}

/* A neighbour solicitation for us from fd::@who, with its address (RFC 4861). */
static void solicit(struct world *w, u32 who)
{
	u8 f[86] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd, 0x60 };
	u16 c;

	put_be16(f + 18, 32);
	f[20] = 58;
	f[21] = 255;
	f[22] = 0xfd;
	put_be32(f + 34, who);
	f[38] = f[62] = 0xfd;
	f[53] = f[77] = 1;
	f[54] = 135;
	f[78] = 1;
	f[79] = 1;
	put_be32(f + 82, who);
	c = csum_fold(csum_add(csum_bytes(f + 54, 32, 0), csum_pseudo(f + 22, f + 38, 16, 58, 32)));
	memcpy(f + 56, &c, 2);
	stack_rx(w->r.s[0], w->r.ifi[0], f, sizeof(f));
}

static void a_million_ipv6_neighbours(void **state)
{
	struct net_sa sa = rig_sa(ip_any6(), 53), to = rig_sa(rig_ip6(0), 53);
	struct neigh_info ni;
	struct ep *u, *c;
	struct world w;
	char b[4];
	u32 i, n;

	(void)state;
	begin(&w);
	u = rig_sock(w.r.s[0], AF_INET6, SOCK_DGRAM);
	c = rig_sock(w.r.s[1], AF_INET6, SOCK_DGRAM);
	assert_int_equal(ep_bind(u, &sa), 0);
	for (i = 0; i < MILLION / 4; i++) {
		solicit(&w, 0x10000 + rnd(&w) % 0x1000000);
		tick(&w, i);
	}
	for (n = 0; neigh_nth(w.r.s[0], n, &ni) == 0; n++)
		;
	assert_in_range(n, 500, 2048);
	assert_int_equal(rig_sendto(c, "ab", 2, 0, &to), 2);
	rig_run(&w.r, 5000 * NS_MS);
	assert_int_equal(rig_recvfrom(u, b, 4, 0, &to), 2);
	assert_int_equal(rig_sendto(u, "cd", 2, 0, &to), 2);
	rig_run(&w.r, 5000 * NS_MS);
	assert_int_equal(rig_recv(c, b, 4), 2);
	ep_close(u);
	ep_close(c);
	finish(&w);
}

static void a_million_segments_out_of_order(void **state)
{
	struct ep *l, *e;
	struct world w;
	u32 i;

	(void)state;
	begin(&w);
	l = rig_listen(w.r.s[0], ip_any4(), 80);
	inject_tcp(&w, 4000, TH_SYN, 1000, 0, 0);
	rig_run(&w.r, 10 * NS_MS);
	inject_tcp(&w, 4000, TH_ACK, 1001, w.synack + 1, 0);
	assert_int_equal(ep_accept(l, NULL, &e), 0);
	for (i = 0; i < MILLION; i++) {
		/* Never the byte that is missing; the same bytes often, with other borders. */
		inject_tcp(&w, 4000, TH_ACK, 1002 + rnd(&w) % 60000, w.synack + 1, 1 + rnd(&w) % 100);
		tick(&w, i);
		assert_true(tcp(e)->ooo_n <= TCP_OOO_MAX);
	}
	second_peer_is_served(&w, l);
	ep_close(e);
	ep_close(l);
	finish(&w);
}

/* A guest, not a peer: the leases of one socket have an end, and go with it. */
static void a_label_leased_again_and_again(void **state)
{
	const struct flow_caller who = { 1, 0, true };
	struct in6_flowlabel_req q = { .flr_dst.s6_addr = { 0xfd }, .flr_label = htonl(5), .flr_share = IPV6_FL_S_ANY,
	                               .flr_flags = IPV6_FL_F_CREATE };
	struct world w;
	struct ep *e;
	int n = 0, r;

	(void)state;
	begin(&w);
	e = rig_sock(w.r.s[0], AF_INET6, SOCK_DGRAM);
	while ((r = ep_flowlabel(e, &q, sizeof(q), &who)) == 0 && n < 100000)
		n++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(n, 4096);
	ep_close(e);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_syns),
		cmocka_unit_test(a_million_fragments),
		cmocka_unit_test(no_piece_beyond_the_last),
		cmocka_unit_test(a_million_neighbours),
		cmocka_unit_test(a_million_ipv6_neighbours),
		cmocka_unit_test(a_million_segments_out_of_order),
		cmocka_unit_test(a_label_leased_again_and_again),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
