/* Parsers of headers and options, and the checksum. */
#include "tests/unit/unit.h"

#include "netstack/core/ipaddr.h"
#include "netstack/wire/arp.h"
#include "netstack/wire/csum.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"
#include "netstack/wire/tcp.h"

static void the_checksum_agrees_with_its_definition(void **state)
{
	u8 b[200];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(b); i++)
		b[i] = (u8)(i * 91 + 7);
	for (n = 0; n < sizeof(b); n++) {
		u32 sum = 0;
		u16 want, got;

		for (i = 0; i + 1 < n; i += 2)
			sum += (u32)b[i] << 8 | b[i + 1];
		if (n & 1)
			sum += (u32)b[n - 1] << 8;
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		want = (u16)~sum;
		got = csum_fold(csum_bytes(b, n, 0));
		assert_int_equal(__builtin_bswap16(got), want);
		/* In two parts, the second at an odd place. */
		i = n / 3 | 1;
		if (i < n) {
			u64 s = csum_block_add(csum_bytes(b, i, 0), csum_bytes(b + i, n - i, 0), i);

			assert_int_equal(csum_fold(s), got);
		}
	}
}

static void an_ip4_header_survives_and_bad_ones_do_not(void **state)
{
	struct ip4_hdr h = { .ttl = 9, .proto = 17, .hlen = 20, .len = 28, .id = 77, .src = { 1, 2, 3, 4 } };
	struct ip4_hdr g;
	u8 p[28];

	(void)state;
	ip4_emit(p, &h);
	assert_int_equal(csum_fold(csum_bytes(p, 20, 0)), 0);
	assert_int_equal(ip4_parse(p, 28, &g), 0);
	assert_int_equal(g.id, 77);
	assert_true(ip4_parse(p, 27, &g) < 0);          /* cut off */
	assert_true(ip4_parse(p, 19, &g) < 0);
	p[0] = 0x44;
	assert_true(ip4_parse(p, 28, &g) < 0);          /* header of 16 bytes */
	p[0] = 0x65;
	assert_true(ip4_parse(p, 28, &g) < 0);          /* version 6 */
}

static void tcp_options_survive_and_malformed_ones_end_the_scan(void **state)
{
	struct tcp_opts o = { .has_mss = true, .mss = 1460, .has_ts = true, .tsval = 5, .tsecr = 6,
			      .sack_ok = true, .has_wscale = true, .wscale = 7 }, r;
	u8 b[40];
	size_t n;

	(void)state;
	n = tcp_emit_opts(b, &o);
	assert_int_equal(n % 4, 0);
	tcp_parse_opts(b, n, &r);
	assert_true(r.has_mss && r.has_ts && r.sack_ok && r.has_wscale);
	assert_int_equal(r.mss, 1460);
	assert_int_equal(r.tsecr, 6);
	o = (struct tcp_opts){ .has_ts = true, .nsack = 4 };
	n = tcp_emit_opts(b, &o);
	assert_true(n <= 40);
	tcp_parse_opts(b, n, &r);
	assert_int_equal(r.nsack, 3);                   /* what fits beside timestamps */
	tcp_parse_opts((u8[]){ 2, 0, 5, 180 }, 4, &r);
	assert_false(r.has_mss);
	tcp_parse_opts((u8[]){ 2, 4, 5 }, 3, &r);
	assert_false(r.has_mss);
	tcp_parse_opts((u8[]){ 3, 3, 99, 0 }, 4, &r);
	assert_int_equal(r.wscale, 14);
	tcp_parse_opts((u8[]){ 8 }, 1, &r);
	assert_false(r.has_ts);
}

static void long_or_broken_ip6_chains_are_refused(void **state)
{
	u8 p[200] = { 0x60 };
	struct ip6_problem prob;
	struct ip6_chain c;
	int i;

	(void)state;
	p[6] = 60;
	p[40] = 6;
	p[42] = 1;              /* PadN */
	p[43] = 4;
	assert_int_equal(ip6_walk(p, 68, false, &c, &prob), 0);
	assert_int_equal(c.proto, 6);
	assert_int_equal(c.off, 48);
	p[42] = 0xc3;           /* unknown, tell the sender */
	assert_true(ip6_walk(p, 68, false, &c, &prob) < 0);
	assert_true(prob.send);
	assert_int_equal(prob.ptr, 42);
	p[43] = 9;              /* sticks out */
	assert_true(ip6_walk(p, 68, false, &c, &prob) < 0);
	for (i = 40; i < 200; i += 8) {
		memset(p + i, 0, 8);
		p[i] = 60;
		p[i + 2] = 1;
		p[i + 3] = 4;
	}
	assert_true(ip6_walk(p, 200, false, &c, &prob) < 0);
}

static void ndp_option_lists_are_checked(void **state)
{
	u8 o[16] = { 1, 1, 2, 3, 4, 5, 6, 7, 3, 0 };

	(void)state;
	assert_non_null(ndp_option(o, 8, 1, 8));
	assert_true(ndp_options_ok(o, 8));
	assert_false(ndp_options_ok(o, 16));            /* a length of zero */
	o[9] = 2;
	assert_false(ndp_options_ok(o, 16));            /* sticks out */
}

static void prefixes_match_to_the_bit(void **state)
{
	struct ipaddr a = ip_from4n(0x0a0000ff), n = ip_from4n(0x0a000080), m;

	(void)state;
	assert_true(ip_in_prefix(&a, &n, 25));
	assert_false(ip_in_prefix(&a, &n, 26));
	assert_true(ip_in_prefix(&a, &n, 0));
	m = ip_mask(&a, 25);
	assert_true(ip_eq(&m, &n));
	m = ip_any6();
	assert_false(ip_in_prefix(&m, &n, 0) && !ip_is4(&m));
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(the_checksum_agrees_with_its_definition),
		cmocka_unit_test(an_ip4_header_survives_and_bad_ones_do_not),
		cmocka_unit_test(tcp_options_survive_and_malformed_ones_end_the_scan),
		cmocka_unit_test(long_or_broken_ip6_chains_are_refused),
		cmocka_unit_test(ndp_option_lists_are_checked),
		cmocka_unit_test(prefixes_match_to_the_bit),
	};

	return cmocka_run_group_tests(t, unit_setup, NULL);
}
