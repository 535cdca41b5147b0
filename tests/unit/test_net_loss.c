/* What is lost, what waits, where a stream ends: one behaviour a test, against a scripted peer. */
#include "tests/unit/net_script.h"
#include "netstack/tcp/tcp.h"

static const u8 sack_ok[] = { 2, 4, 3, 232, 4, 2, 1, 1 };      /* MSS 1000 */

/* A connection whose peer takes segments of 1000 bytes and SACK. */
static struct ep *sack_handshake(struct script *s, struct ep *l)
{
	struct ep *e = NULL;

	inject(s, (struct seg){ .flags = TH_SYN, .seq = s->ours, .opt = sack_ok, .nopt = sizeof(sack_ok) });
	s->theirs = s->last.seq + 1;
	s->ours++;
	rig_run(&s->r, 9 * MS);
	inject(s, (struct seg){ .flags = TH_ACK, .seq = s->ours, .ack = s->theirs });
	assert_int_equal(ep_accept(l, NULL, &e), 0);
	return e;
}

/* An ACK of @una bytes, with up to two blocks (in bytes from the beginning; 0, 0: none). */
static void sack(struct script *s, u32 una, u32 a, u32 b, u32 c, u32 d)
{
	u8 o[20] = { 1, 1, 5, (u8)(c == d ? 10 : 18) };

	put_be32(o + 4, s->theirs + a);
	put_be32(o + 8, s->theirs + b);
	put_be32(o + 12, s->theirs + c);
	put_be32(o + 16, s->theirs + d);
	inject(s, (struct seg){ .flags = TH_ACK, .seq = s->ours, .ack = s->theirs + una, .opt = o,
				.nopt = (u8)(a == b ? 0 : c == d ? 12 : 20) });
}

static void send_bytes(struct ep *e, size_t n, u32 flags)
{
	static u8 data[20000];

	assert_int_equal(rig_sendto(e, data, n, flags, NULL), n);
}

/* RFC 9293 3.10.7.4: FIN is the end; what a peer has sent from beyond it is never given to the reader. */
static void nothing_follows_a_fin(void **state)
{
	struct script s;
	struct ep *l, *e;
	char b[32];

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l, 0);
	inject(&s, (struct seg){ .flags = TH_ACK, .seq = s.ours + 3, .ack = s.theirs, .data = "beyond the end" });
	inject(&s, (struct seg){ .flags = TH_ACK | TH_FIN, .seq = s.ours, .ack = s.theirs, .data = "abcdef" });
	assert_int_equal(s.last.ack, s.ours + 7);
	assert_int_equal(rig_recv(e, b, sizeof(b)), 6);
	assert_memory_equal(b, "abcdef", 6);
	assert_int_equal(rig_recv(e, b, sizeof(b)), 0);
	finish(&s, l, e);
}

/* RFC 9293 3.4: a FIN counts where it stood, not at the end of a longer segment that covers it. */
static void a_covered_fin_does_not_move(void **state)
{
	struct script s;
	struct ep *l, *e;
	char b[32];

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = handshake(&s, l, 0);
	inject(&s, (struct seg){ .flags = TH_ACK | TH_FIN, .seq = s.ours + 4, .ack = s.theirs, .data = "ef" });
	inject(&s, (struct seg){ .flags = TH_ACK, .seq = s.ours + 2, .ack = s.theirs, .data = "cdefghij" });
	inject(&s, (struct seg){ .flags = TH_ACK, .seq = s.ours, .ack = s.theirs, .data = "ab" });
	assert_int_equal(rig_recv(e, b, sizeof(b)), 10);
	assert_memory_equal(b, "abcdefghij", 10);
	assert_int_equal(rig_recv(e, b, sizeof(b)), -EAGAIN);
	finish(&s, l, e);
}

/*
 * RFC 8985 6.2 step 5: a segment is lost when it has been out for longer than the round trip of what was delivered
 * last.  Here that is an original, which took 22 ms: one sent with it is no more late than it.
 */
static void rack_compares_with_the_round_trip_seen_last(void **state)
{
	struct script s;
	struct ep *l, *e;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = sack_handshake(&s, l);
	send_bytes(e, 10000, 0);
	rig_run(&s.r, 7 * MS);
	sack(&s, 0, 1000, 2000, 0, 0);
	sack(&s, 0, 1000, 3000, 0, 0);
	sack(&s, 0, 1000, 3000, 8000, 9000);
	assert_int_equal(s.last.seq, s.theirs);                 /* the first goes again */
	rig_run(&s.r, 12 * MS);
	sack(&s, 4000, 8000, 9000, 0, 0);
	assert_int_equal(s.last.seq, s.theirs + 6000);          /* 4000 to 7000 were known to be lost */
	assert_int_equal(tcp(e)->lost, 4000);                   /* and 9000 to 10000 is not */
	rig_run(&s.r, 40 * MS);
	assert_true(tcp(e)->lost > 4000);                       /* not yet, that is (step 5: the timer) */
	finish(&s, l, e);
}

/* MSG_MORE holds the last part of a write back, not the whole segments before it. */
static void more_to_come_holds_the_tail_only(void **state)
{
	struct script s;
	struct ep *l, *e;

	(void)state;
	begin(&s);
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = sack_handshake(&s, l);
	send_bytes(e, 3100, MSG_MORE);
	rig_run(&s.r, MS);
	assert_int_equal(s.max_end, s.theirs + 3000);
	rig_run(&s.r, 250 * MS);
	assert_int_equal(s.max_end, s.theirs + 3100);           /* 200 ms at the longest */
	finish(&s, l, e);
}

/* Rounds of ten segments, all acknowledged one by one after @rtt ms; the window then, in segments. */
static u32 round_of(struct script *s, struct ep *e, u32 *una, u32 rtt)
{
	u32 end = s->max_end - s->theirs;

	rig_run(&s->r, (rtt - 1) * MS);
	s->still = true;
	while (*una < end) {
		*una += 1000;
		sack(s, *una, 0, 0, 0, 0);
	}
	s->still = false;
	rig_run(&s->r, MS);
	return tcp(e)->cwnd / 1000;
}

/* RFC 9406 4.2: longer round trips make slow start conservative, five such rounds end it, shorter ones resume it. */
static void slow_start_slows_down_when_round_trips_grow(void **state)
{
	static u8 data[3000000];
	struct script s;
	struct ep *l, *e;
	u32 una = 0, before, after, i, v = sizeof(data);

	(void)state;
	begin(&s);
	assert_int_equal(stack_sysctl_set(s.r.s[0], "ipv4/tcp_early_retrans", "0"), 0);       /* no probes */
	l = rig_listen(s.r.s[0], ip_any4(), 80);
	e = sack_handshake(&s, l);
	assert_int_equal(ep_setsockopt(e, SOL_SOCKET, SO_SNDBUFFORCE, &v, sizeof(v)), 0);
	assert_true(rig_send(e, data, sizeof(data)) > 1000000);
	rig_run(&s.r, MS);
	assert_int_equal(round_of(&s, e, &una, 40), 20);
	assert_int_equal(round_of(&s, e, &una, 40), 40);        /* doubled, as ever */
	assert_false(tcp(e)->hy.css);
	/* 40 / 8 = 5 ms more: a queue builds.  The first such round still has some of the last one's samples. */
	(void)round_of(&s, e, &una, 50);
	before = round_of(&s, e, &una, 50);
	assert_true(tcp(e)->hy.css);
	after = round_of(&s, e, &una, 50);
	assert_in_range(after, before + 1, before + before / 4);
	(void)round_of(&s, e, &una, 30);                        /* it was none: the old pace */
	assert_false(tcp(e)->hy.css);
	assert_true(tcp(e)->ssthresh == UINT32_MAX);
	for (i = 0; i < 8 && tcp(e)->ssthresh == UINT32_MAX; i++)
		(void)round_of(&s, e, &una, 50);
	assert_in_range(i, 4, 7);
	assert_true(tcp(e)->ssthresh <= tcp(e)->cwnd);
	finish(&s, l, e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_follows_a_fin),
		cmocka_unit_test(a_covered_fin_does_not_move),
		cmocka_unit_test(rack_compares_with_the_round_trip_seen_last),
		cmocka_unit_test(more_to_come_holds_the_tail_only),
		cmocka_unit_test(slow_start_slows_down_when_round_trips_grow),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
