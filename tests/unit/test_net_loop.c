#include "tests/unit/unit.h"

/* Endpoints over loopback: UDP, TCP, their states and errors. */
#include <errno.h>
#include "tests/unit/net_rig.h"

static const struct ipaddr *lo4(void)
{
	static struct ipaddr a;

	a = ip_from4n(0x7f000001);
	return &a;
}

static void udp_datagram_arrives_with_its_sender(void **state)
{
	struct rig r;
	struct net_sa to = rig_sa(*lo4(), 53), from;
	struct ep *a, *b;
	char buf[32];

	(void)state;
	rig_init(&r, 1);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	b = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(b, &to), 0);
	assert_int_equal(rig_recv(b, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(rig_sendto(a, "hello", 5, 0, &to), 5);
	assert_int_equal(ep_poll(b) & POLLIN, POLLIN);
	assert_int_equal(ep_inq(b), 5);
	assert_int_equal(rig_recvfrom(b, buf, sizeof(buf), MSG_PEEK, &from), 5);
	assert_int_equal(rig_recvfrom(b, buf, 3, MSG_TRUNC, &from), 5);
	assert_memory_equal(buf, "hel", 3);
	assert_true(ip_eq(&from.ip, lo4()));
	assert_int_equal(rig_sendto(b, "", 0, 0, &from), 0);
	assert_int_equal(rig_recv(a, buf, sizeof(buf)), 0);
	ep_close(a);
	ep_close(b);
	rig_done(&r);
}

static void memory_of_packets_goes_back_when_it_is_not_needed(void **state)
{
	struct rig r;
	struct net_sa to = rig_sa(*lo4(), 53);
	static char buf[1448];
	u64 before, busy;
	struct ep *a, *b;

	(void)state;
	rig_init(&r, 1);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	b = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(b, &to), 0);
	before = alloc_live();
	for (int i = 0; i < 40; i++)
		assert_int_equal(rig_sendto(a, buf, sizeof(buf), 0, &to), sizeof(buf));
	while (rig_recv(b, buf, sizeof(buf)) > 0)
		;
	busy = alloc_live();
	assert_true(busy > before + 20);
	assert_true(stack_trim(r.s[0]));                /* it was needed a moment ago */
	assert_true(alloc_live() == busy);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_sendto(a, buf, 1, 0, &to), 1);
		assert_int_equal(rig_recv(b, buf, sizeof(buf)), 1);
		assert_true(stack_trim(r.s[0]));        /* what one datagram takes stays, ... */
	}
	assert_true(alloc_live() < before + 8);
	assert_false(stack_trim(r.s[0]));               /* ... until nothing is sent */
	assert_true(alloc_live() <= before);
	ep_close(a);
	ep_close(b);
	rig_done(&r);
}

static void udp_receive_buffer_holds_as_many_as_on_linux(void **state)
{
	static const struct { size_t len; int held; } want[] = { { 18, 256 }, { 500, 166 }, { 1448, 92 } };     /* 212992 bytes by 832, 1280, 2304 */
	struct rig r;
	struct net_sa to = rig_sa(*lo4(), 53);
	static char buf[1448];
	struct ep *a, *b;

	(void)state;
	rig_init(&r, 1);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	b = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(b, &to), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		int n = 0;

		for (int k = 0; k < 400; k++)
			assert_int_equal(rig_sendto(a, buf, want[i].len, 0, &to), want[i].len);
		while (rig_recv(b, buf, sizeof(buf)) > 0)
			n++;
		assert_int_equal(n, want[i].held);
	}
	ep_close(a);
	ep_close(b);
	rig_done(&r);
}

/* Whoever receives is asked to wait only for a socket that is half full and read, and not for ever. */
static void udp_reader_that_falls_behind_is_told_of(void **state)
{
	struct rig r;
	struct net_sa to = rig_sa(*lo4(), 53);
	static char buf[1448];
	struct ep *a, *b;
	int told = 0;

	(void)state;
	rig_init(&r, 1);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	b = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(b, &to), 0);
	for (int k = 0; k < 60; k++)
		assert_int_equal(rig_sendto(a, buf, sizeof(buf), 0, &to), sizeof(buf));
	assert_false(stack_rx_behind(r.s[0]));
	assert_int_equal(rig_recv(b, buf, sizeof(buf)), sizeof(buf));
	for (int k = 0; k < 30; k++) {
		assert_int_equal(rig_sendto(a, buf, sizeof(buf), 0, &to), sizeof(buf));
		told += stack_rx_behind(r.s[0]);
	}
	assert_int_equal(told, 8);
	ep_close(a);
	ep_close(b);
	rig_done(&r);
}

static void count_ready(void *n) { ++*(int *)n; }

static void a_tun_carries_packets_both_ways_and_comes_again(void **state)
{
	struct link_cfg cfg = { .name = "t%d", .arphrd = 0xfffe, .mtu = 1500 };
	struct net_sa to = rig_sa(rig_ip(1), 53), me = rig_sa(rig_ip(0), 77);
	u8 b[200], sw[4];
	struct memio out = { { .len = sizeof(b), .copy = memio_recv }, b, 0 }, in = { { .copy = memio_send }, b, 0 };
	struct link_info l;
	int ready = 0, ifi;
	struct tun *t, *u;
	struct rig r;
	struct ep *e;

	(void)state;
	rig_init(&r, 1);
	ifi = link_add_tun(r.s[0], &cfg, count_ready, &ready, &t);
	assert_true(ifi > 1);
	assert_int_equal(tun_write(t, false, 0, &in.io), -EINVAL);
	rig_addr(r.s[0], (u32)ifi, rig_ip(0), 24);
	assert_int_equal(link_set_flags(r.s[0], (u32)ifi, IFF_UP, IFF_UP), 0);
	while (tun_read(t, false, 0, &out.io) > 0)      /* what a link says that comes up */
		out.p = b;
	ready = 0;
	e = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(e, &me), 0);
	assert_int_equal(rig_sendto(e, "ping", 4, 0, &to), 4);
	assert_int_equal(ready, 1);
	out.p = b;
	assert_int_equal(tun_read(t, true, 10, &out.io), 4 + 10 + 32);
	assert_int_equal(tun_read(t, true, 10, &out.io), -EAGAIN);
	assert_int_equal(b[2] << 8 | b[3], 0x0800);
	memcpy(sw, b + 14 + 12, 4);
	memmove(b + 14 + 12, b + 14 + 16, 4);
	memcpy(b + 14 + 16, sw, 4);
	memcpy(sw, b + 14 + 20, 2);
	memmove(b + 14 + 20, b + 14 + 22, 2);
	memcpy(b + 14 + 22, sw, 2);
	in.io.len = 4 + 10 + 32;
	assert_int_equal(tun_write(t, true, 10, &in.io), 4 + 10 + 32);
	assert_int_equal(rig_recv(e, b, sizeof(b)), 4);
	assert_memory_equal(b, "ping", 4);
	assert_int_equal(link_add_tun(r.s[0], &(struct link_cfg){ .name = "t0", .mtu = 1500 }, count_ready, &ready, &u), -EBUSY);
	tun_close(t);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(link_add_tun(r.s[0], &cfg, count_ready, &ready, &t), ifi);
		tun_info(t, &l);
		assert_string_equal(l.name, "t0");
		tun_close(t);
	}
	ep_close(e);
	rig_done(&r);
}

static void udp_refused_by_icmp_reaches_a_connected_sender(void **state)
{
	struct rig r;
	struct net_sa to = rig_sa(*lo4(), 9);
	struct ep *a;
	char buf[4];

	(void)state;
	rig_init(&r, 2);
	a = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_connect(a, &to), 0);
	assert_int_equal(rig_send(a, "x", 1), 1);
	assert_int_equal(rig_recv(a, buf, 4), -ECONNREFUSED);
	assert_int_equal(rig_recv(a, buf, 4), -EAGAIN);
	ep_close(a);
	rig_done(&r);
}

static void tcp_connect(struct rig *r, struct ipaddr ip, struct ep **c, struct ep **s)
{
	struct net_sa sa = rig_sa(ip, 80), peer;
	struct ep *l = rig_listen(r->s[0], ip, 80);

	*c = rig_sock(r->s[0], sa.family, SOCK_STREAM);
	assert_int_equal(ep_accept(l, &peer, s), -EAGAIN);
	assert_int_equal(ep_connect(*c, &sa), 0);
	assert_int_equal(ep_poll(l) & POLLIN, POLLIN);
	assert_int_equal(ep_accept(l, &peer, s), 0);
	assert_true(ip_eq(&peer.ip, &ip));
	ep_close(l);
}

static void tcp_says_hello_and_goodbye(void **state)
{
	struct ipaddr six = { { [15] = 1 } };
	struct ep *c, *s;
	struct rig r;
	char buf[16];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		rig_init(&r, 3);
		tcp_connect(&r, i ? six : *lo4(), &c, &s);
		assert_int_equal(rig_send(c, "ping", 4), 4);
		assert_int_equal(rig_recv(s, buf, sizeof(buf)), 4);
		assert_memory_equal(buf, "ping", 4);
		assert_int_equal(rig_recv(s, buf, sizeof(buf)), -EAGAIN);
		assert_int_equal(ep_shutdown(c, SHUT_WR), 0);
		assert_int_equal(rig_send(c, "x", 1), -EPIPE);
		assert_int_equal(rig_recv(s, buf, sizeof(buf)), 0);
		assert_int_equal(ep_poll(s) & POLLRDHUP, POLLRDHUP);
		assert_int_equal(rig_send(s, "pong!", 5), 5);
		assert_int_equal(rig_recv(c, buf, sizeof(buf)), 5);
		ep_close(s);
		assert_int_equal(rig_recv(c, buf, sizeof(buf)), 0);
		ep_close(c);
		rig_run(&r, 100ull * 1000000000);
		rig_done(&r);
	}
}

static void tcp_refuses_where_nobody_listens(void **state)
{
	struct net_sa sa = rig_sa(*lo4(), 81);
	struct ep *c;
	struct rig r;

	(void)state;
	rig_init(&r, 4);
	c = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(ep_connect(c, &sa), -ECONNREFUSED);
	ep_close(c);
	rig_done(&r);
}

static void tcp_moves_megabytes_and_fills_buffers(void **state)
{
	enum { TOTAL = 8 << 20 };
	u8 *out = malloc(TOTAL), *in = malloc(TOTAL);
	size_t sent = 0, got = 0;
	struct ep *c, *s;
	struct rig r;
	ssize_t n;
	int i;

	(void)state;
	for (i = 0; i < TOTAL; i++)
		out[i] = (u8)(i * 7 + (i >> 9));
	rig_init(&r, 5);
	tcp_connect(&r, *lo4(), &c, &s);
	while (got < TOTAL) {
		n = sent < TOTAL ? rig_send(c, out + sent, TOTAL - sent) : 0;
		if (n > 0)
			sent += (size_t)n;
		else if (n < 0)
			assert_int_equal(n, -EAGAIN);
		n = rig_recv(s, in + got, 100000);
		if (n > 0) {
			got += (size_t)n;
		} else {
			assert_int_equal(n, -EAGAIN);
			assert_true(rig_step(&r));
		}
	}
	assert_memory_equal(in, out, TOTAL);
	rig_run(&r, 1000000000);
	assert_int_equal(ep_outq(c), 0);
	ep_close(c);
	ep_close(s);
	rig_run(&r, 100ull * 1000000000);
	rig_done(&r);
	free(out);
	free(in);
}

static void closing_with_unread_data_resets(void **state)
{
	struct ep *c, *s;
	struct rig r;
	char buf[4];

	(void)state;
	rig_init(&r, 6);
	tcp_connect(&r, *lo4(), &c, &s);
	assert_int_equal(rig_send(c, "data", 4), 4);
	ep_close(s);
	assert_int_equal(ep_poll(c) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
	assert_int_equal(rig_recv(c, buf, 4), -ECONNRESET);
	assert_int_equal(rig_send(c, "x", 1), -EPIPE);
	ep_close(c);
	rig_done(&r);
}

static void a_fault_while_reading_loses_nothing(void **state)
{
	struct memio m = { { .len = 4, .copy = memio_recv }, NULL, 1 };
	struct net_msg msg = { .io = &m.io };
	struct ep *c, *s;
	struct rig r;
	char buf[4];

	(void)state;
	rig_init(&r, 7);
	tcp_connect(&r, *lo4(), &c, &s);
	assert_int_equal(rig_send(c, "data", 4), 4);
	assert_int_equal(ep_recv(s, &msg), -EFAULT);
	assert_int_equal(rig_recv(s, buf, 4), 4);
	ep_close(s);
	ep_close(c);
	rig_run(&r, 100ull * 1000000000);
	rig_done(&r);
}

static void binding_twice_needs_the_options(void **state)
{
	struct net_sa sa = rig_sa(ip_any4(), 8080);
	struct ep *a, *b, *l;
	struct rig r;
	int one = 1;

	(void)state;
	rig_init(&r, 8);
	a = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	b = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(ep_bind(a, &sa), 0);
	assert_int_equal(ep_bind(b, &sa), -EADDRINUSE);
	ep_close(a);
	l = rig_listen(r.s[0], ip_any4(), 8080);
	assert_int_equal(ep_setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &one, 4), 0);
	assert_int_equal(ep_bind(b, &sa), -EADDRINUSE);
	ep_close(l);
	assert_int_equal(ep_bind(b, &sa), 0);
	ep_close(b);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(udp_datagram_arrives_with_its_sender),
		cmocka_unit_test(memory_of_packets_goes_back_when_it_is_not_needed),
		cmocka_unit_test(udp_receive_buffer_holds_as_many_as_on_linux),
		cmocka_unit_test(udp_reader_that_falls_behind_is_told_of),
		cmocka_unit_test(a_tun_carries_packets_both_ways_and_comes_again),
		cmocka_unit_test(udp_refused_by_icmp_reaches_a_connected_sender),
		cmocka_unit_test(tcp_says_hello_and_goodbye),
		cmocka_unit_test(tcp_refuses_where_nobody_listens),
		cmocka_unit_test(tcp_moves_megabytes_and_fills_buffers),
		cmocka_unit_test(closing_with_unread_data_resets),
		cmocka_unit_test(a_fault_while_reading_loses_nothing),
		cmocka_unit_test(binding_twice_needs_the_options),
	};

	return cmocka_run_group_tests(t, unit_setup, NULL);
}
