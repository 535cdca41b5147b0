/* Two stacks at a wire that loses, repeats and swaps: every byte arrives all the same. */
#include "tests/unit/net_rig.h"

struct pump { struct ep *e; u8 seed; size_t sent, got, total; bool fin, eof; };

static u8 byte_at(u8 seed, size_t i) { return (u8)(seed + i * 31 + (i >> 8) * 7 + (i >> 16)); }

static void pump_out(struct pump *p)
{
	u8 buf[20000];
	size_t n = p->total - p->sent, i;
	ssize_t r;

	if (n == 0) {
		if (!p->fin)
			assert_int_equal(ep_shutdown(p->e, SHUT_WR), 0);
		p->fin = true;
		return;
	}
	n = n < sizeof(buf) ? n : sizeof(buf);
	for (i = 0; i < n; i++)
		buf[i] = byte_at(p->seed, p->sent + i);
	r = rig_send(p->e, buf, n);
	if (r > 0)
		p->sent += (size_t)r;
	else
		assert_int_equal(r, -EAGAIN);
}

static void pump_in(struct pump *p, u8 seed)
{
	u8 buf[30000];
	ssize_t r = rig_recv(p->e, buf, sizeof(buf));
	ssize_t i;

	if (r == 0)
		p->eof = true;
	if (r <= 0) {
		assert_true(r == 0 || r == -EAGAIN);
		return;
	}
	for (i = 0; i < r; i++)
		if (buf[i] != byte_at(seed, p->got + (size_t)i))
			fail_msg("byte %zu is wrong", p->got + (size_t)i);
	p->got += (size_t)r;
}

static void connect_pair(struct rig *r, bool v6, struct ep **c, struct ep **s)
{
	struct net_sa sa = rig_sa(v6 ? rig_ip6(1) : rig_ip(1), 80), peer;
	struct ep *l = rig_listen(r->s[1], sa.ip, 80);
	int i, e;

	*c = rig_sock(r->s[0], sa.family, SOCK_STREAM);
	assert_int_equal(ep_connect(*c, &sa), -EINPROGRESS);
	assert_int_equal(ep_connect(*c, &sa), -EALREADY);
	for (i = 0; i < 100000 && (e = ep_accept(l, &peer, s)) == -EAGAIN; i++)
		assert_true(rig_step(r));
	assert_int_equal(e, 0);
	ep_close(l);
}

/* Both directions at once; returns the simulated time it took. */
static u64 exchange(const struct fault_cfg *cfg, bool v6, size_t total)
{
	struct pump a = { .seed = 1, .total = total }, b = { .seed = 77, .total = total };
	struct fault_cfg clean = *cfg;
	u64 start, guard = 0;
	struct rig r;

	/* ARP has no checksum: spoiled frames begin once the neighbours are known. */
	clean.corrupt = 0;
	rig_pair(&r, &clean);
	connect_pair(&r, v6, &a.e, &b.e);
	fault_set(r.w, cfg);
	start = r.now;
	while (!a.eof || !b.eof) {
		pump_out(&a);
		pump_out(&b);
		pump_in(&a, b.seed);
		pump_in(&b, a.seed);
		if (!rig_step(&r))
			fail_msg("stuck: a sent %zu got %zu, b sent %zu got %zu", a.sent, a.got, b.sent, b.got);
		if (++guard > 50000000)
			fail_msg("too long");
	}
	assert_int_equal(a.got, total);
	assert_int_equal(b.got, total);
	start = r.now - start;
	ep_close(a.e);
	ep_close(b.e);
	rig_run(&r, 300ull * 1000000000);
	rig_done(&r);
	return start;
}

static void a_clean_wire_is_used_well(void **state)
{
	struct fault_cfg c = { .delay_ns = 5000000, .seed = 1, .limit = 4000 };
	u64 t = exchange(&c, false, 4 << 20);

	(void)state;
	/* 10 ms round trips, 4 MB each way: slow start needs about a dozen of them. */
	assert_true(t < 600000000ull);
}

static void nothing_is_lost_with_thirty_percent_drops(void **state)
{
	struct fault_cfg c = { .drop = 300, .delay_ns = 1000000, .seed = 2 };

	(void)state;
	exchange(&c, false, 300000);
	c.seed = 3;
	exchange(&c, true, 200000);
}

static void nothing_is_lost_with_reordering_and_duplicates(void **state)
{
	struct fault_cfg c = { .reorder = 300, .dup = 300, .delay_ns = 1000000, .seed = 4 };

	(void)state;
	exchange(&c, false, 2 << 20);
	c.jitter_ns = 3000000;
	exchange(&c, true, 2 << 20);
}

static void nothing_is_lost_with_everything_at_once(void **state)
{
	struct fault_cfg c = { .drop = 100, .reorder = 300, .dup = 300, .corrupt = 100,
			       .delay_ns = 1000000, .jitter_ns = 500000 };
	int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		c.seed = (u64)(10 + i);
		exchange(&c, i & 1, 300000);
	}
	c.drop = 300;
	exchange(&c, false, 100000);
}

static void super_frames_pass_whole(void **state)
{
	struct fault_cfg c = { .delay_ns = 100000, .seed = 20, .drop = 20,
			       .features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_TSO6 };

	(void)state;
	exchange(&c, false, 4 << 20);
	exchange(&c, true, 4 << 20);
}

static void a_slow_line_with_small_buffer(void **state)
{
	struct fault_cfg c = { .delay_ns = 20000000, .seed = 30, .bytes_per_s = 1250000, .limit = 40 };
	u64 t = exchange(&c, false, 2 << 20);

	(void)state;
	/* 2 MB both ways at 10 Mbit/s is 1.7 s; losses may cost as much again. */
	assert_true(t < 4000000000ull);
}

static void reno_works_as_well(void **state)
{
	struct fault_cfg c = { .drop = 50, .delay_ns = 1000000, .seed = 40 };
	struct pump a = { .seed = 5, .total = 500000 }, b = { 0 };
	struct rig r;
	int i;

	(void)state;
	rig_pair(&r, &c);
	for (i = 0; i < 2; i++) {
		assert_int_equal(stack_sysctl_set(r.s[i], "ipv4/tcp_sack", "0"), 0);
		assert_int_equal(stack_sysctl_set(r.s[i], "ipv4/tcp_timestamps", "0"), 0);
		assert_int_equal(stack_sysctl_set(r.s[i], "ipv4/tcp_window_scaling", "0"), 0);
		assert_int_equal(stack_sysctl_set(r.s[i], "ipv4/tcp_congestion_control", "reno"), 0);
	}
	connect_pair(&r, false, &a.e, &b.e);
	while (!b.eof) {
		pump_out(&a);
		pump_in(&b, 5);
		assert_true(rig_step(&r));
	}
	assert_int_equal(b.got, a.total);
	ep_close(a.e);
	ep_close(b.e);
	rig_run(&r, 300ull * 1000000000);
	rig_done(&r);
}

static void large_datagrams_are_cut_and_joined(void **state)
{
	struct fault_cfg c = { .reorder = 300, .dup = 200, .delay_ns = 1000000, .seed = 50 };
	u8 *out = malloc(60000), *in = malloc(65536);
	struct net_sa to;
	struct ep *a, *b;
	struct rig r;
	int i, v6;

	(void)state;
	for (i = 0; i < 60000; i++)
		out[i] = byte_at(3, (size_t)i);
	for (v6 = 0; v6 < 2; v6++) {
		rig_pair(&r, &c);
		to = rig_sa(v6 ? rig_ip6(1) : rig_ip(1), 5000);
		a = rig_sock(r.s[0], to.family, SOCK_DGRAM);
		b = rig_sock(r.s[1], to.family, SOCK_DGRAM);
		assert_int_equal(ep_bind(b, &to), 0);
		for (i = 0; i < 20; i++) {
			/* The first is lost to the bounded queue while the address is resolved. */
			assert_int_equal(rig_sendto(a, out, 60000, 0, &to), 60000);
			rig_run(&r, 2000000000);
		}
		assert_int_equal(rig_recv(b, in, 65536), 60000);
		assert_memory_equal(in, out, 60000);
		ep_close(a);
		ep_close(b);
		rig_run(&r, 100ull * 1000000000);
		rig_done(&r);
	}
	free(out);
	free(in);
}

static void a_dead_peer_is_noticed(void **state)
{
	struct fault_cfg c = { .delay_ns = 1000000, .seed = 60 };
	struct ep *a, *b;
	struct rig r;
	char buf[4];
	int v = 1, five = 5;

	(void)state;
	rig_pair(&r, &c);
	connect_pair(&r, false, &a, &b);
	assert_int_equal(ep_setsockopt(a, SOL_SOCKET, SO_KEEPALIVE, &v, 4), 0);
	assert_int_equal(ep_setsockopt(a, IPPROTO_TCP, 4, &five, 4), 0);
	assert_int_equal(ep_setsockopt(a, IPPROTO_TCP, 5, &v, 4), 0);
	assert_int_equal(ep_setsockopt(a, IPPROTO_TCP, 6, &five, 4), 0);
	rig_run(&r, 60ull * 1000000000);
	assert_int_equal(rig_recv(a, buf, 4), -EAGAIN);
	c.drop = 1000;
	fault_set(r.w, &c);
	rig_run(&r, 60ull * 1000000000);
	assert_int_equal(rig_recv(a, buf, 4), -ETIMEDOUT);
	ep_close(a);
	ep_close(b);
	rig_run(&r, 2000ull * 1000000000);
	rig_done(&r);
}

static void an_idle_connection_sets_no_timer(void **state)
{
	struct fault_cfg c = { .delay_ns = 1000000, .seed = 61 };
	struct ep *a, *b;
	struct rig r;

	(void)state;
	rig_pair(&r, &c);
	connect_pair(&r, false, &a, &b);
	rig_run(&r, 60ull * 1000000000);
	assert_true(stack_run(r.s[0]) == NET_NEVER);
	assert_true(stack_run(r.s[1]) == NET_NEVER);
	ep_close(a);
	ep_close(b);
	rig_run(&r, 100ull * 1000000000);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_clean_wire_is_used_well),
		cmocka_unit_test(nothing_is_lost_with_thirty_percent_drops),
		cmocka_unit_test(nothing_is_lost_with_reordering_and_duplicates),
		cmocka_unit_test(nothing_is_lost_with_everything_at_once),
		cmocka_unit_test(super_frames_pass_whole),
		cmocka_unit_test(a_slow_line_with_small_buffer),
		cmocka_unit_test(reno_works_as_well),
		cmocka_unit_test(large_datagrams_are_cut_and_joined),
		cmocka_unit_test(a_dead_peer_is_noticed),
		cmocka_unit_test(an_idle_connection_sets_no_timer),
	};

	return cmocka_run_group_tests(t, unit_setup, NULL);
}
