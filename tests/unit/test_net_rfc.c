/* TCP ideas one by one against a scripted peer: Fast Open, ECN, delayed ACKs, records, completions. */
#include "tests/unit/net_script.h"
#include "netstack/core/errqueue.h"

static void a_cookie_is_asked_for_then_opens_at_once(void **state)
{
	struct net_sa to = rig_sa(rig_ip(1), 80);
	struct fault_cfg cfg = { .seed = 3 };
	struct ep *l, *c, *a = NULL;
	struct tcp_info ti;
	size_t n = sizeof(ti);
	struct rig r;
	char b[8];

	(void)state;
	rig_pair(&r, &cfg);
	assert_int_equal(stack_sysctl_set(r.s[1], "ipv4/tcp_fastopen", "0x402"), 0);
	l = rig_listen(r.s[1], ip_any4(), 80);
	c = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(rig_sendto(c, "abc", 3, MSG_FASTOPEN | MSG_DONTWAIT, &to), -EINPROGRESS);
	rig_run(&r, 500 * MS);
	assert_int_equal(ep_accept(l, NULL, &a), 0);
	assert_int_equal(rig_recv(a, b, 8), -EAGAIN);           /* nothing went into that SYN */
	ep_close(a);
	ep_close(c);
	c = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	{
		struct memio m = { { .len = 3, .copy = memio_send }, (u8 *)"xyz", 0 };
		struct net_msg msg = { .io = &m.io, .flags = MSG_FASTOPEN | MSG_DONTWAIT, .name = &to };

		assert_int_equal(ep_send(c, &msg), -EINPROGRESS);
		assert_int_equal(msg.taken, 3);
	}
	rig_run(&r, 500 * MS);
	assert_int_equal(ep_accept(l, NULL, &a), 0);
	assert_int_equal(rig_recv(a, b, 8), 3);
	assert_memory_equal(b, "xyz", 3);
	assert_int_equal(ep_getsockopt(c, IPPROTO_TCP, TCP_INFO, &ti, &n), 0);
	assert_true(ti.tcpi_options & TCPI_OPT_SYN_DATA);
	ep_close(a);
	ep_close(c);
	ep_close(l);
	rig_run(&r, 400000 * MS);
	rig_done(&r);
}

static void a_forged_cookie_opens_nothing(void **state)
{
	static const u8 forged[] = { 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1 };
	struct script s;
	struct ep *l, *e = NULL;
	u8 good[12] = { 34, 10, [10] = 1, [11] = 1 };
	char b[8];

	(void)state;
	begin(&s);
	assert_int_equal(stack_sysctl_set(s.r.s[0], "ipv4/tcp_fastopen", "0x402"), 0);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	inject(&s, (struct seg){ TH_SYN, 0, sizeof(forged), 1000, 0, forged, "data" });
	assert_int_equal(s.last.ack, 1001);                     /* the data was not taken */
	assert_int_equal(ep_accept(l, NULL, &e), -EAGAIN);
	assert_true(s.opts.has_fo && s.opts.fo_len == 8);       /* but a cookie is offered */
	memcpy(good + 2, s.opts.fo_cookie, 8);
	s.sport++;
	inject(&s, (struct seg){ TH_SYN, 0, sizeof(good), 5000, 0, good, "data" });
	assert_int_equal(s.last.ack, 5005);
	assert_int_equal(s.last.flags, TH_SYN | TH_ACK);
	assert_int_equal(ep_accept(l, NULL, &e), 0);            /* before the handshake is done */
	assert_int_equal(rig_recv(e, b, 8), 4);
	assert_int_equal(rig_send(e, "reply", 5), 5);
	rig_run(&s.r, MS);
	assert_int_equal(s.last_len, 5);
	inject(&s, (struct seg){ .flags = TH_RST, .seq = 5005 });
	assert_int_equal(rig_recv(e, b, 8), -ECONNRESET);
	finish(&s, l, e);
}

static void data_of_a_lost_fast_syn_goes_again_after_a_plain_one(void **state)
{
	struct net_sa to = rig_sa(ip_from4n(0x0a000009), 80);
	static const u8 cookie[] = { 34, 6, 9, 9, 9, 9, 1, 1 };
	struct script s;
	struct ep *c;

	(void)state;
	begin(&s);
	c = rig_sock(s.r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(rig_sendto(c, "abc", 3, MSG_FASTOPEN | MSG_DONTWAIT, &to), -EINPROGRESS);
	rig_run(&s.r, MS);
	assert_true(s.opts.has_fo && s.opts.fo_len == 0);
	s.dport = s.last.sport;
	s.sport = 80;
	inject(&s, (struct seg){ TH_SYN | TH_ACK, 0, sizeof(cookie), 7000, s.last.seq + 1, cookie, NULL });
	ep_close(c);
	c = rig_sock(s.r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(rig_sendto(c, "abc", 3, MSG_FASTOPEN | MSG_DONTWAIT, &to), -EINPROGRESS);
	rig_run(&s.r, MS);
	assert_int_equal(s.last_len, 3);
	assert_int_equal(s.last.flags, TH_SYN);
	rig_run(&s.r, 1000 * MS);
	assert_int_equal(s.last_len, 0);                        /* no data, no cookie the second time */
	assert_false(s.opts.has_fo);
	s.dport = s.last.sport;
	inject(&s, (struct seg){ .flags = TH_SYN | TH_ACK, .seq = 7000, .ack = s.last.seq + 1 });
	assert_int_equal(s.last_len, 3);
	assert_int_equal(s.last.flags, TH_ACK | TH_PSH);
	ep_close(c);
	rig_run(&s.r, 2000000 * MS);
	rig_done(&s.r);
}

static void a_congestion_mark_is_echoed_until_cwr(void **state)
{
	struct script s;
	struct ep *l, *e;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	inject(&s, (struct seg){ .flags = TH_SYN | TH_ECE | TH_CWR, .seq = s.ours });
	assert_int_equal(s.last.flags, TH_SYN | TH_ACK | TH_ECE);
	s.sport++;
	e = handshake(&s, l, TH_ECE | TH_CWR);
	inject(&s, (struct seg){ TH_ACK, 3, 0, s.ours, s.theirs, NULL, "marked" });
	s.ours += 6;
	assert_true(s.last.flags & TH_ECE);
	inject(&s, (struct seg){ TH_ACK, 2, 0, s.ours, s.theirs, NULL, "plain" });
	s.ours += 5;
	rig_run(&s.r, 300 * MS);
	assert_true(s.last.flags & TH_ECE);
	inject(&s, (struct seg){ TH_ACK | TH_CWR, 2, 0, s.ours, s.theirs, NULL, "slower" });
	s.ours += 6;
	assert_false(s.last.flags & TH_ECE);
	finish(&s, l, e);
}

static void an_echo_halves_the_window_once_and_is_answered_by_cwr(void **state)
{
	struct tcp_info a, b;
	size_t n = sizeof(a);
	struct script s;
	struct ep *l, *e;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l, TH_ECE | TH_CWR);
	assert_int_equal(rig_send(e, "one", 3), 3);
	rig_run(&s.r, MS);
	assert_int_equal(s.last_tos & 3, 2);                    /* ECT(0) on data */
	assert_int_equal(ep_getsockopt(e, IPPROTO_TCP, TCP_INFO, &a, &n), 0);
	inject(&s, (struct seg){ .flags = TH_ACK | TH_ECE, .seq = s.ours, .ack = s.theirs + 3 });
	assert_int_equal(ep_getsockopt(e, IPPROTO_TCP, TCP_INFO, &b, &n), 0);
	assert_true(b.tcpi_snd_ssthresh < a.tcpi_snd_cwnd);
	assert_int_equal(rig_send(e, "two", 3), 3);
	rig_run(&s.r, MS);
	assert_true(s.last.flags & TH_CWR);
	inject(&s, (struct seg){ .flags = TH_ACK, .seq = s.ours, .ack = s.theirs + 6 });
	assert_int_equal(rig_send(e, "three", 5), 5);
	rig_run(&s.r, MS);
	assert_false(s.last.flags & TH_CWR);
	finish(&s, l, e);
}

static void an_answer_takes_the_acknowledgement_along(void **state)
{
	struct script s;
	struct ep *l, *e;
	char b[16];
	u32 n;
	int i;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l, 0);
	n = s.count;
	inject(&s, (struct seg){ TH_ACK | TH_PSH, 0, 0, s.ours, s.theirs, NULL, "ask" });
	assert_int_equal(s.count, n + 1);                       /* a new connection is answered at once */
	for (i = 0; i < 3; i++) {                               /* it talks back and forth from here on */
		assert_int_equal(rig_recv(e, b, 16), 3);
		assert_int_equal(rig_send(e, "tell", 4), 4);
		rig_run(&s.r, MS);
		s.ours += 3;
		s.theirs += 4;
		n = s.count;
		inject(&s, (struct seg){ TH_ACK | TH_PSH, 0, 0, s.ours, s.theirs, NULL, "ask" });
		assert_int_equal(s.count, n);                   /* the answer will say it */
	}
	rig_run(&s.r, 100 * MS);
	assert_int_equal(s.count, n + 1);                       /* unless none comes for 40 ms */
	finish(&s, l, e);
}

static void a_record_ends_its_segment(void **state)
{
	struct script s;
	struct ep *l, *e;
	int on = 1;
	u32 n;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l, 0);
	assert_int_equal(ep_setsockopt(e, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(rig_sendto(e, "wait", 4, MSG_MORE, NULL), 4);
	rig_run(&s.r, MS);
	n = s.count;
	assert_int_equal(rig_sendto(e, "end", 3, MSG_EOR | MSG_MORE, NULL), 3);
	assert_int_equal(rig_send(e, "next", 4), 4);
	rig_run(&s.r, MS);
	assert_int_equal(s.count, n + 2);
	assert_int_equal(s.last_len, 4);
	assert_int_equal(s.last.seq, s.theirs + 7);
	finish(&s, l, e);
}

static void completions_of_zerocopy_sends_are_told_in_ranges(void **state)
{
	struct script s;
	struct ep *l, *e;
	int on = 1, i;
	u8 ctl[128];
	struct memio m = { { .copy = memio_recv }, ctl, 0 };
	struct net_msg msg = { .io = &m.io, .flags = MSG_ERRQUEUE, .ctl = ctl, .ctl_len = sizeof(ctl) };
	struct net_ext_err ee;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l, 0);
	assert_int_equal(ep_setsockopt(e, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(rig_sendto(e, "data", 4, MSG_ZEROCOPY, NULL), 4);
	rig_run(&s.r, MS);
	assert_int_equal(ep_recv(e, &msg), -EAGAIN);            /* not acknowledged */
	inject(&s, (struct seg){ .flags = TH_ACK, .seq = s.ours, .ack = s.theirs + 4 });
	inject(&s, (struct seg){ .flags = TH_ACK, .seq = s.ours, .ack = s.theirs + 12 });
	assert_true(ep_poll(e) & POLLERR);
	msg.ctl_len = sizeof(ctl);
	assert_int_equal(ep_recv(e, &msg), 0);
	memcpy(&ee, ctl + sizeof(struct cmsghdr), sizeof(ee));
	assert_int_equal(ee.origin, EE_ORIGIN_ZEROCOPY);
	assert_int_equal(ee.info, 0);
	assert_int_equal(ee.data, 2);
	finish(&s, l, e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_is_asked_for_then_opens_at_once),
		cmocka_unit_test(a_forged_cookie_opens_nothing),
		cmocka_unit_test(data_of_a_lost_fast_syn_goes_again_after_a_plain_one),
		cmocka_unit_test(a_congestion_mark_is_echoed_until_cwr),
		cmocka_unit_test(an_echo_halves_the_window_once_and_is_answered_by_cwr),
		cmocka_unit_test(an_answer_takes_the_acknowledgement_along),
		cmocka_unit_test(a_record_ends_its_segment),
		cmocka_unit_test(completions_of_zerocopy_sends_are_told_in_ranges),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
