/* Autoconfigured addresses and their lifetimes (RFC 4862), under the fake clock. */
#include "tests/unit/net_rig.h"
#include "netstack/core/rtnl.h"
#include "netstack/wire/csum.h"

#define S 1000000000ull

static const struct ipaddr auto_ip = { { 0xfd, 0x77, [8] = 0, 0, 0, 0xff, 0xfe, 0, 0, 1 } };

/* A router advertisement with one prefix, fd77::/64 (RFC 4861, 4.2 and 4.6.2). */
static void advertise(struct rig *r, u32 valid, u32 preferred)
{
	u8 f[102] = { 0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd, 0x60 };
	u16 c;

	put_be16(f + 18, 48);
	f[20] = 58;
	f[21] = 255;
	f[22] = 0xfe;
	f[23] = 0x80;
	f[37] = 9;
	f[38] = 0xff;
	f[39] = 2;
	f[53] = 1;
	f[54] = 134;
	f[70] = 3;
	f[71] = 4;
	f[72] = 64;
	f[73] = 0xc0;
	put_be32(f + 74, valid);
	put_be32(f + 78, preferred);
	f[86] = 0xfd;
	f[87] = 0x77;
	c = csum_fold(csum_add(csum_bytes(f + 54, 48, 0), csum_pseudo(f + 22, f + 38, 16, 58, 48)));
	memcpy(f + 56, &c, 2);
	stack_rx(r->s[0], r->ifi[0], f, sizeof(f));
}

/* The address, as `ip addr` would show it; false: there is none. */
static bool shown(struct rig *r, struct addr_info *ret)
{
	for (unsigned i = 0; addr_nth(r->s[0], i, ret) == 0; i++)
		if (ip_eq(&ret->ip, &auto_ip))
			return true;
	return false;
}

static void begin(struct rig *r)
{
	struct fault_cfg cfg = { .seed = 2 };

	rig_pair(r, &cfg);
	assert_int_equal(link_set_mac(r->s[0], r->ifi[0], (const u8[]){ 2, 0, 0, 0, 0, 1 }), 0);
}

/* 5.5.4: preferred, then deprecated, then gone with its route. */
static void an_address_is_deprecated_and_then_expires(void **state)
{
	struct route_info ri;
	struct addr_info a;
	struct rig r;
	unsigned i;

	(void)state;
	begin(&r);
	advertise(&r, 100, 40);
	assert_true(shown(&r, &a));
	assert_int_equal(a.valid_s, 100);
	assert_int_equal(a.flags & (IFA_F_PERMANENT | IFA_F_DEPRECATED), 0);
	rig_run(&r, 30 * S);
	assert_true(shown(&r, &a));
	assert_in_range(a.valid_s, 70, 71);
	assert_in_range(a.preferred_s, 10, 11);
	rig_run(&r, 11 * S);
	assert_true(shown(&r, &a));
	assert_int_equal(a.flags & IFA_F_DEPRECATED, IFA_F_DEPRECATED);
	assert_int_equal(a.preferred_s, 0);
	rig_run(&r, 60 * S);
	assert_false(shown(&r, &a));
	for (i = 0; route_nth(r.s[0], i, &ri) == 0; i++)
		assert_false(ri.family == AF_INET6 && ri.dst.b[1] == 0x77);
	rig_done(&r);
}

/* 5.5.3 e: advertisements lengthen a life; they shorten it to two hours at least. */
static void a_forged_advertisement_does_not_end_an_address(void **state)
{
	struct addr_info a;
	struct rig r;

	(void)state;
	begin(&r);
	advertise(&r, 100000, 50000);
	advertise(&r, 200000, 100000);
	assert_true(shown(&r, &a));
	assert_int_equal(a.valid_s, 200000);
	advertise(&r, 10, 5);
	assert_true(shown(&r, &a));
	assert_int_equal(a.valid_s, 7200);
	assert_int_equal(a.preferred_s, 5);             /* the preferred one follows, whatever it is */
	rig_run(&r, 100 * S);
	advertise(&r, 0, 0);
	assert_true(shown(&r, &a));
	assert_in_range(a.valid_s, 7100, 7101);         /* 2: below two hours it is left alone */
	assert_int_equal(a.flags & IFA_F_DEPRECATED, IFA_F_DEPRECATED);
	advertise(&r, 7200, 3600);
	assert_true(shown(&r, &a));
	assert_int_equal(a.valid_s, 7200);
	assert_int_equal(a.flags & IFA_F_DEPRECATED, 0);
	rig_done(&r);
}

/* 5.5.3 d: no address from a prefix with a valid lifetime of zero; c: none when preferred is the longer one. */
static void impossible_lifetimes_make_no_address(void **state)
{
	struct addr_info a;
	struct rig r;

	(void)state;
	begin(&r);
	advertise(&r, 0, 0);
	assert_false(shown(&r, &a));
	advertise(&r, 10, 11);
	assert_false(shown(&r, &a));
	advertise(&r, UINT32_MAX, UINT32_MAX);
	assert_true(shown(&r, &a));
	assert_int_equal(a.valid_s, UINT32_MAX);
	rig_run(&r, 1000000 * S);
	assert_true(shown(&r, &a));
	rig_done(&r);
}

/* RFC 6724 rule 3: a deprecated address is not the source of what begins now, if there is another. */
static void a_deprecated_address_is_not_chosen(void **state)
{
	struct route_info q;
	struct ipaddr dst = { { 0xfd, 0x77, [15] = 0x55 } };
	struct addr_info b = { .plen = 64, .valid_s = UINT32_MAX, .preferred_s = UINT32_MAX };
	struct rig r;

	(void)state;
	begin(&r);
	advertise(&r, 1000, 10);
	b.ifindex = r.ifi[0];
	b.ip = b.peer = (struct ipaddr){ { 0xfd, 0x77, [8] = 0x80, [15] = 1 } };
	assert_int_equal(addr_add(r.s[0], &b), 0);
	assert_int_equal(route_query(r.s[0], &dst, NULL, 0, &q), 0);
	assert_true(ip_eq(&q.src, &auto_ip));           /* more bits in common */
	rig_run(&r, 11 * S);
	assert_int_equal(route_query(r.s[0], &dst, NULL, 0, &q), 0);
	assert_true(ip_eq(&q.src, &b.ip));
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_deprecated_and_then_expires),
		cmocka_unit_test(a_forged_advertisement_does_not_end_an_address),
		cmocka_unit_test(impossible_lifetimes_make_no_address),
		cmocka_unit_test(a_deprecated_address_is_not_chosen),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
