/* Path MTU by probing (mtuprobe.c), over a wire that swallows long frames, and the timers of the tail. */
#include "tests/unit/net_rig.h"
#include <netinet/tcp.h>

#define MS 1000000ull

enum { ETH = 14, HDR4 = 40, HDR6 = 60, TS = 12 };

struct path {
	struct rig r;
	struct ep *l, *a, *b;           /* a sends to b */
	struct fault_cfg cfg;
};

static void connect_over(struct path *p, const char *probing, int six)
{
	struct net_sa to = rig_sa(six ? rig_ip6(1) : rig_ip(1), 80);

	memset(p, 0, sizeof(*p));
	p->cfg = (struct fault_cfg){ .seed = 5, .delay_ns = 5 * MS };
	rig_pair(&p->r, &p->cfg);
	assert_int_equal(stack_sysctl_set(p->r.s[0], "ipv4/tcp_mtu_probing", probing), 0);
	p->l = rig_listen(p->r.s[1], six ? (struct ipaddr){ 0 } : ip_any4(), 80);
	p->a = rig_sock(p->r.s[0], six ? AF_INET6 : AF_INET, SOCK_STREAM);
	assert_int_equal(ep_connect(p->a, &to), -EINPROGRESS);
	rig_run(&p->r, 100 * MS);
	assert_int_equal(ep_accept(p->l, NULL, &p->b), 0);
}

static void finish(struct path *p)
{
	ep_close(p->a);
	ep_close(p->b);
	ep_close(p->l);
	rig_run(&p->r, 400000 * MS);
	rig_done(&p->r);
}

/* @n bytes, for at most @ms; how many arrived, each where it belongs. */
static size_t carry(struct path *p, size_t n, u64 ms)
{
	static u8 out[1 << 20], in[65536];
	size_t sent = 0, got = 0;
	u64 end = p->r.now + ms * MS;

	for (size_t i = 0; i < n; i++)
		out[i] = (u8)(i * 7 + i / 251);
	while (got < n && p->r.now < end) {
		ssize_t k = sent < n ? rig_sendto(p->a, out + sent, n - sent, MSG_DONTWAIT, NULL) : 0;

		sent += (size_t)(k > 0 ? k : 0);
		rig_run(&p->r, MS);
		while ((k = rig_recv(p->b, in, sizeof(in))) > 0) {
			assert_memory_equal(in, out + got, k);
			got += (size_t)k;
		}
	}
	return got;
}

static struct tcp_info info(struct path *p)
{
	struct tcp_info ti = { 0 };
	size_t n = sizeof(ti);

	assert_int_equal(ep_getsockopt(p->a, IPPROTO_TCP, TCP_INFO, &ti, &n), 0);
	return ti;
}

static void narrow(struct path *p, u32 packet)
{
	p->cfg.swallow = packet + ETH;
	fault_set(p->r.w, &p->cfg);
}

static void a_path_that_swallows_long_segments_is_a_dead_end_without_probing(void **state)
{
	struct path p;

	(void)state;
	connect_over(&p, "0", 0);
	narrow(&p, 1200);
	assert_int_equal(carry(&p, 100000, 60000), 0);
	finish(&p);
}

static void a_black_hole_is_found_after_retries_and_passed(void **state)
{
	(void)state;
	for (int six = 0; six < 2; six++) {
		u32 hdr = (six ? HDR6 : HDR4) + TS;
		struct tcp_info ti;
		struct path p;

		connect_over(&p, "1", six);
		assert_int_equal(carry(&p, 100000, 10000), 100000);
		assert_int_equal(info(&p).tcpi_snd_mss, 1500 - hdr);    /* nothing is tried before */
		narrow(&p, 1200);
		assert_int_equal(carry(&p, 1000000, 60000), 1000000);
		ti = info(&p);
		assert_true(ti.tcpi_snd_mss + hdr <= 1200);
		assert_true(ti.tcpi_snd_mss + hdr > 1200 - 16);         /* and then found out by probing */
		assert_int_equal(ti.tcpi_pmtu, 1500);
		finish(&p);
	}
}

static void a_narrower_hole_halves_the_size_again(void **state)
{
	struct path p;

	(void)state;
	connect_over(&p, "1", 0);
	narrow(&p, 300);
	assert_int_equal(carry(&p, 20000, 400000), 20000);
	assert_true(info(&p).tcpi_snd_mss + HDR4 + TS <= 300);
	finish(&p);
}

static void with_2_it_begins_small_and_finds_the_whole_mtu(void **state)
{
	struct tcp_info ti;
	struct path p;

	(void)state;
	connect_over(&p, "2", 0);
	assert_int_equal(info(&p).tcpi_snd_mss, 1024 - TS);
	assert_int_equal(carry(&p, 400000, 20000), 400000);
	ti = info(&p);
	assert_true(ti.tcpi_snd_mss + HDR4 + TS > 1500 - 16 && ti.tcpi_snd_mss + HDR4 + TS <= 1500);
	assert_int_equal(ti.tcpi_total_retrans, 0);
	finish(&p);
}

static void a_lost_probe_costs_no_window_and_no_timeout(void **state)
{
	struct tcp_info ti;
	struct path p;
	u32 ssthresh;

	(void)state;
	connect_over(&p, "2", 0);
	ssthresh = info(&p).tcpi_snd_ssthresh;
	narrow(&p, 1200);
	assert_int_equal(carry(&p, 400000, 20000), 400000);
	rig_run(&p.r, 1000 * MS);
	ti = info(&p);
	assert_true(ti.tcpi_snd_mss + HDR4 + TS > 1200 - 16 && ti.tcpi_snd_mss + HDR4 + TS <= 1200);
	assert_true(ti.tcpi_snd_ssthresh >= ssthresh);
	assert_true(ti.tcpi_total_retrans > 0 && ti.tcpi_total_retrans < 16);
	finish(&p);
}

static void the_path_is_tried_again_after_the_interval(void **state)
{
	struct path p;
	u32 was;

	(void)state;
	connect_over(&p, "2", 0);
	assert_int_equal(stack_sysctl_set(p.r.s[0], "ipv4/tcp_probe_interval", "60"), 0);
	narrow(&p, 1200);
	assert_int_equal(carry(&p, 1000000, 20000), 1000000);
	rig_run(&p.r, 1000 * MS);
	was = info(&p).tcpi_snd_mss;
	narrow(&p, 9000);
	assert_int_equal(carry(&p, 400000, 20000), 400000);
	assert_int_equal(info(&p).tcpi_snd_mss, was);
	rig_run(&p.r, 61000 * MS);
	assert_int_equal(carry(&p, 1000000, 40000), 1000000);
	assert_true(info(&p).tcpi_snd_mss + HDR4 + TS > 1500 - 16);
	finish(&p);
}

/* Whoever runs the timers may be late: probe and timeout of the tail are then both due. */
static void a_late_tail_probe_goes_instead_of_the_timeout(void **state)
{
	struct tcp_info ti;
	struct path p;

	(void)state;
	connect_over(&p, "0", 0);
	assert_int_equal(carry(&p, 20000, 1000), 20000);
	rig_run(&p.r, 1000 * MS);
	p.cfg.drop = 1000;
	fault_set(p.r.w, &p.cfg);
	assert_int_equal(rig_send(p.a, "tail", 4), 4);
	p.r.now += 2000 * MS;
	(void)!stack_run(p.r.s[0]);
	ti = info(&p);
	assert_int_equal(ti.tcpi_total_retrans, 1);
	assert_int_equal(ti.tcpi_retransmits, 0);       /* no timeout */
	assert_int_equal(ti.tcpi_ca_state, 0);
	p.cfg.drop = 0;
	fault_set(p.r.w, &p.cfg);
	finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_that_swallows_long_segments_is_a_dead_end_without_probing),
		cmocka_unit_test(a_black_hole_is_found_after_retries_and_passed),
		cmocka_unit_test(a_narrower_hole_halves_the_size_again),
		cmocka_unit_test(with_2_it_begins_small_and_finds_the_whole_mtu),
		cmocka_unit_test(a_lost_probe_costs_no_window_and_no_timeout),
		cmocka_unit_test(the_path_is_tried_again_after_the_interval),
		cmocka_unit_test(a_late_tail_probe_goes_instead_of_the_timeout),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
