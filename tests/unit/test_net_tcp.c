/* TCP against a scripted peer: states, RFC 5961, floods, windows. */
#include "tests/unit/net_rig.h"
#include "netstack/wire/csum.h"
#include "netstack/wire/tcp.h"

struct script {
	struct rig r;
	struct fault_cfg cfg;
	u32 ours, theirs;       /* our next sequence number, and the stack's as we saw it */
	u16 sport;
	struct tcp_hdr last;    /* the last segment that the stack sent */
	u32 last_len, count;
};

/* Every frame on the wire comes by here. */
static void on_frame(void *ctx, const void *rec, size_t n)
{
	struct script *s = ctx;
	const u8 *f = rec;

	if (n < 54 || f[12] != 8 || f[13] != 0 || f[23] != 6)
		return;
	if (tcp_parse(f + 34, n - 34, &s->last) == 0) {
		s->last_len = get_be16(f + 16) - 20u - s->last.hlen;
		s->count++;
	}
}

static void inject(struct script *s, u8 flags, u32 seq, u32 ack, const char *data, u16 wnd)
{
	u8 f[200] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45 };
	size_t n = data ? strlen(data) : 0;
	struct tcp_hdr h = { .sport = s->sport, .dport = 80, .seq = seq, .ack = ack, .hlen = 20,
			     .flags = flags, .wnd = wnd };
	u64 sum;
	u16 c;

	put_be16(f + 16, (u16)(40 + n));
	f[22] = 64;
	f[23] = 6;
	memcpy(f + 26, (u8[]){ 10, 0, 0, 9, 10, 0, 0, 1 }, 8);
	c = csum_fold(csum_bytes(f + 14, 20, 0));
	memcpy(f + 24, &c, 2);
	if (n)
		memcpy(f + 54, data, n);
	tcp_emit(f + 34, &h);
	sum = csum_add(csum_bytes(f + 34, 20 + n, 0), csum_pseudo(f + 26, f + 30, 4, 6, (u32)(20 + n)));
	c = csum_fold(sum);
	memcpy(f + 50, &c, 2);
	stack_rx(s->r.s[0], s->r.ifi[0], f, 54 + n);
	rig_run(&s->r, 1000000);
}

static void begin(struct script *s)
{
	struct neigh_info ni = { .ip = ip_from4n(0x0a000009), .mac = { 2, 0, 0, 0, 0, 9 } };

	memset(s, 0, sizeof(*s));
	s->cfg.seed = 9;
	s->cfg.pcap = on_frame;
	s->cfg.pcap_ctx = s;
	s->sport = 1234;
	rig_pair(&s->r, &s->cfg);
	ni.ifindex = s->r.ifi[0];
	assert_int_equal(neigh_set(s->r.s[0], &ni), 0);
	rig_run(&s->r, 1000000000);
}

static struct ep *handshake(struct script *s, struct ep *l)
{
	struct ep *e = NULL;

	s->ours = 1000;
	inject(s, TH_SYN, s->ours, 0, NULL, 60000);
	assert_int_equal(s->last.flags, TH_SYN | TH_ACK);
	assert_int_equal(s->last.ack, s->ours + 1);
	s->theirs = s->last.seq + 1;
	s->ours++;
	inject(s, TH_ACK, s->ours, s->theirs, NULL, 60000);
	assert_int_equal(ep_accept(l, NULL, &e), 0);
	return e;
}

static void finish(struct script *s)
{
	rig_run(&s->r, 400ull * 1000000000);
	rig_done(&s->r);
}

static void a_reset_must_have_the_exact_number(void **state)
{
	struct script s;
	struct ep *l, *e;
	char b[8];
	u32 n;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l);
	n = s.count;
	inject(&s, TH_RST, s.ours + 100, 0, NULL, 0);           /* in the window: a challenge */
	assert_int_equal(s.count, n + 1);
	assert_int_equal(s.last.flags, TH_ACK);
	assert_int_equal(rig_recv(e, b, 8), -EAGAIN);
	rig_run(&s.r, 1000000000);
	n = s.count;
	inject(&s, TH_RST, s.ours + 3000000000u, 0, NULL, 0);   /* outside: silence */
	assert_int_equal(s.count, n);
	inject(&s, TH_SYN, s.ours + 50, 0, NULL, 0);            /* SYN inside: a challenge */
	assert_int_equal(s.count, n + 1);
	assert_int_equal(rig_recv(e, b, 8), -EAGAIN);
	inject(&s, TH_RST, s.ours, 0, NULL, 0);
	assert_int_equal(rig_recv(e, b, 8), -ECONNRESET);
	ep_close(e);
	ep_close(l);
	finish(&s);
}

static void data_is_put_in_order_and_overlaps_vanish(void **state)
{
	struct script s;
	struct ep *l, *e;
	char b[32] = { 0 };

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l);
	inject(&s, TH_ACK, s.ours + 6, s.theirs, "world", 60000);
	assert_int_equal(s.last.ack, s.ours);
	inject(&s, TH_ACK, s.ours + 4, s.theirs, "o wo", 60000);
	inject(&s, TH_ACK, s.ours + 500000, s.theirs, "beyond", 60000);
	assert_int_equal(rig_recv(e, b, 32), -EAGAIN);
	inject(&s, TH_ACK, s.ours, s.theirs, "hello", 60000);
	assert_int_equal(s.last.ack, s.ours + 11);
	assert_int_equal(rig_recv(e, b, 32), 11);
	assert_string_equal(b, "hello world");
	inject(&s, TH_ACK, s.ours, s.theirs, "hello", 60000);   /* old: acknowledged, not delivered */
	assert_int_equal(s.last.ack, s.ours + 11);
	assert_int_equal(rig_recv(e, b, 32), -EAGAIN);
	/* FIN ahead of a hole waits for it. */
	inject(&s, TH_ACK | TH_FIN, s.ours + 12, s.theirs, "!", 60000);
	assert_int_equal(rig_recv(e, b, 32), -EAGAIN);
	inject(&s, TH_ACK, s.ours + 11, s.theirs, "?", 60000);
	assert_int_equal(s.last.ack, s.ours + 14);
	assert_int_equal(rig_recv(e, b, 32), 2);
	assert_int_equal(rig_recv(e, b, 32), 0);
	ep_close(e);
	ep_close(l);
	finish(&s);
}

static void a_shut_window_is_probed(void **state)
{
	struct script s;
	struct ep *l, *e;
	u32 n;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l);
	inject(&s, TH_ACK, s.ours, s.theirs, NULL, 0);
	assert_int_equal(rig_send(e, "abc", 3), 3);
	assert_int_equal(ep_outq_unsent(e), 3);
	n = s.count;
	rig_run(&s.r, 5000000000);
	assert_true(s.count > n);
	assert_int_equal(s.last_len, 0);
	assert_int_equal(s.last.seq, s.theirs - 1);
	inject(&s, TH_ACK, s.ours, s.theirs, NULL, 1000);
	assert_int_equal(s.last_len, 3);
	inject(&s, TH_ACK, s.ours, s.theirs + 3, NULL, 1000);
	assert_int_equal(ep_outq(e), 0);
	ep_close(e);
	ep_close(l);
	finish(&s);
}

static void a_flood_of_syns_does_not_keep_others_out(void **state)
{
	struct net_sa sa = rig_sa(rig_ip(0), 80);
	struct ep *l, *c, *e;
	struct script s;
	char b[8];
	int i;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	for (i = 0; i < 3000; i++) {
		s.sport = (u16)(2000 + i);
		inject(&s, TH_SYN, (u32)i * 77, 0, NULL, 1000);
	}
	c = rig_sock(s.r.s[1], AF_INET, SOCK_STREAM);
	assert_int_equal(ep_connect(c, &sa), -EINPROGRESS);
	rig_run(&s.r, 10000000);
	assert_int_equal(ep_error(c), 0);
	assert_int_equal(ep_accept(l, NULL, &e), 0);
	assert_int_equal(rig_send(c, "hi", 2), 2);
	rig_run(&s.r, 10000000);
	assert_int_equal(rig_recv(e, b, 8), 2);
	/* A made-up ACK is no cookie. */
	s.sport = 999;
	inject(&s, TH_ACK, 5, 12345, NULL, 1000);
	assert_int_equal(s.last.flags, TH_RST);
	ep_close(c);
	ep_close(e);
	ep_close(l);
	finish(&s);
}

static void the_side_that_closes_first_waits(void **state)
{
	struct script s;
	struct ep *l, *e;
	u32 n;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l);
	ep_close(e);
	assert_int_equal(s.last.flags & TH_FIN, TH_FIN);
	inject(&s, TH_ACK, s.ours, s.theirs + 1, NULL, 1000);
	inject(&s, TH_ACK | TH_FIN, s.ours, s.theirs + 1, NULL, 1000);
	assert_int_equal(s.last.ack, s.ours + 1);
	n = s.count;
	inject(&s, TH_ACK | TH_FIN, s.ours, s.theirs + 1, NULL, 1000);  /* our ACK was lost */
	assert_int_equal(s.count, n + 1);
	assert_int_equal(s.last.ack, s.ours + 1);
	inject(&s, TH_SYN, s.ours + 1000, 0, NULL, 1000);               /* a new one takes over */
	assert_int_equal(s.last.flags, TH_SYN | TH_ACK);
	ep_close(l);
	finish(&s);
}

static void a_socket_may_connect_to_itself(void **state)
{
	struct net_sa sa = rig_sa(ip_from4n(0x7f000001), 4000);
	struct ep *e;
	struct rig r;
	char b[4];

	(void)state;
	rig_init(&r, 5);
	e = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(ep_bind(e, &sa), 0);
	assert_int_equal(ep_connect(e, &sa), 0);        /* simultaneous open */
	assert_int_equal(rig_send(e, "me", 2), 2);
	assert_int_equal(rig_recv(e, b, 4), 2);
	ep_close(e);
	rig_run(&r, 200ull * 1000000000);
	rig_done(&r);
}

static void ports_of_connections_that_wait_are_not_tried_again(void **state)
{
	struct net_sa sa = rig_sa(ip_from4n(0x7f000001), 4000), name;
	struct ep *l, *c, *e;
	struct rig r;
	u32 last = 0, step;

	(void)state;
	rig_init(&r, 5);
	l = rig_listen(r.s[0], sa.ip, 4000);
	for (int i = 0; i < 600; i++) {
		c = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
		(void)!ep_connect(c, &sa);
		rig_run(&r, 1000000);
		assert_int_equal(ep_name(c, false, &name), 0);
		/* From where the one before it ended, and a few further now and then. */
		step = (name.port - last + 28232) % 28232;
		assert_true(i == 0 || (step > 0 && step <= 16));
		last = name.port;
		assert_int_equal(ep_accept(l, NULL, &e), 0);
		ep_close(c);                    /* first: it stays in TIME_WAIT */
		ep_close(e);
		rig_run(&r, 1000000);
	}
	ep_close(l);
	rig_run(&r, 200ull * 1000000000);
	rig_done(&r);
}

static void connecting_to_nobody_times_out(void **state)
{
	struct fault_cfg c = { .seed = 3 };
	struct net_sa sa = rig_sa(ip_from4n(0x0a000063), 80);
	struct ep *e;
	struct rig r;

	(void)state;
	rig_pair(&r, &c);
	e = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(ep_connect(e, &sa), -EINPROGRESS);
	rig_run(&r, 20ull * 1000000000);
	assert_int_equal(ep_error(e), -EHOSTUNREACH);   /* nobody answers ARP */
	ep_close(e);
	sa.ip = rig_ip(1);
	e = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	c.drop = 1000;
	rig_run(&r, 1000000000);
	fault_set(r.w, &c);
	assert_int_equal(ep_connect(e, &sa), -EINPROGRESS);
	rig_run(&r, 300ull * 1000000000);
	assert_true(ep_error(e) < 0);
	ep_close(e);
	rig_run(&r, 300ull * 1000000000);
	rig_done(&r);
}

static void urgent_data_is_kept_apart(void **state)
{
	struct net_sa sa = rig_sa(ip_from4n(0x7f000001), 4001);
	struct ep *l, *c, *e;
	struct rig r;
	char b[8];

	(void)state;
	rig_init(&r, 6);
	l = rig_listen(r.s[0], sa.ip, 4001);
	c = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(ep_connect(c, &sa), 0);
	assert_int_equal(ep_accept(l, NULL, &e), 0);
	assert_int_equal(rig_sendto(c, "abX", 3, MSG_OOB, NULL), 3);
	assert_int_equal(rig_send(c, "cd", 2), 2);
	assert_int_equal(ep_poll(e) & POLLPRI, POLLPRI);
	assert_int_equal(rig_recv(e, b, 8), 2);
	assert_memory_equal(b, "ab", 2);
	assert_int_equal(ep_atmark(e), 1);
	assert_int_equal(rig_recvfrom(e, b, 8, MSG_OOB, NULL), 1);
	assert_int_equal(b[0], 'X');
	assert_int_equal(rig_recv(e, b, 8), 2);
	assert_memory_equal(b, "cd", 2);
	ep_close(c);
	ep_close(e);
	ep_close(l);
	rig_run(&r, 200ull * 1000000000);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_reset_must_have_the_exact_number),
		cmocka_unit_test(data_is_put_in_order_and_overlaps_vanish),
		cmocka_unit_test(a_shut_window_is_probed),
		cmocka_unit_test(a_flood_of_syns_does_not_keep_others_out),
		cmocka_unit_test(the_side_that_closes_first_waits),
		cmocka_unit_test(a_socket_may_connect_to_itself),
		cmocka_unit_test(ports_of_connections_that_wait_are_not_tried_again),
		cmocka_unit_test(connecting_to_nobody_times_out),
		cmocka_unit_test(urgent_data_is_kept_apart),
	};

	return cmocka_run_group_tests(t, unit_setup, NULL);
}
