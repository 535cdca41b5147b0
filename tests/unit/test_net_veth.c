/* Pairs of links between stacks: what passes, what goes when, and many threads at once. */
#include <pthread.h>
#include <sched.h>
#include "tests/unit/net_rig.h"

/* Two stacks, and a pair between them with 10.0.0.1 and .2. */
static void begin(struct rig *r)
{
	rig_init(r, 11);
	assert_int_equal(stack_new(&rig_ops, r, &r->s[1]), 0);
}

static int make(struct rig *r, const char *a, const char *b, u32 index[2])
{
	struct link_cfg c[2] = { { .mtu = 1500 }, { .mtu = 1500 } };

	memcpy(c[0].name, a, strlen(a));
	memcpy(c[1].name, b, strlen(b));
	return link_add_veth(r->s, c, index);
}

static void raise_pair(struct rig *r, const u32 index[2])
{
	for (int i = 0; i < 2; i++) {
		rig_addr(r->s[i], index[i], rig_ip(i), 24);
		assert_int_equal(link_set_flags(r->s[i], index[i], IFF_UP, IFF_UP), 0);
	}
}

static bool running(struct stack *s, u32 index)
{
	struct link_info l;

	return link_get(s, index, &l) == 0 && (l.flags & IFF_RUNNING);
}

static bool there(struct stack *s, u32 index)
{
	struct link_info l;

	return link_get(s, index, &l) == 0;
}

static void a_carrier_needs_both_ends(void **state)
{
	struct rig r;
	u32 index[2];

	(void)state;
	begin(&r);
	assert_int_equal(make(&r, "a", "b", index), 0);
	assert_int_equal(link_set_flags(r.s[0], index[0], IFF_UP, IFF_UP), 0);
	assert_false(running(r.s[0], index[0]));
	assert_int_equal(link_set_flags(r.s[1], index[1], IFF_UP, IFF_UP), 0);
	assert_true(running(r.s[0], index[0]));
	assert_true(running(r.s[1], index[1]));
	assert_int_equal(link_set_flags(r.s[0], index[0], 0, IFF_UP), 0);
	assert_false(running(r.s[1], index[1]));
	rig_done(&r);
}

static size_t pump(struct rig *r, struct ep *from, struct ep *to, size_t bytes)
{
	static u8 buf[65536];
	size_t sent = 0, got = 0;
	int idle = 0;

	while (got < bytes && idle < 1000) {
		ssize_t n = sent < bytes ? rig_send(from, buf, MIN(sizeof(buf), bytes - sent)) : 0;

		sent += n > 0 ? (size_t)n : 0;
		rig_run(r, 1000000);
		idle++;
		while ((n = rig_recv(to, buf, sizeof(buf))) > 0) {
			got += (size_t)n;
			idle = 0;
		}
	}
	return got;
}

static void a_stream_passes(void **state)
{
	struct net_sa sa = rig_sa(rig_ip(1), 80), peer;
	struct ep *l, *c, *a = NULL;
	struct link_info i;
	struct rig r;
	u32 index[2];

	(void)state;
	begin(&r);
	assert_int_equal(make(&r, "a", "b", index), 0);
	raise_pair(&r, index);
	l = rig_listen(r.s[1], rig_ip(1), 80);
	c = rig_sock(r.s[0], AF_INET, SOCK_STREAM);
	assert_int_equal(ep_connect(c, &sa), -EINPROGRESS);
	rig_run(&r, 10000000);
	assert_int_equal(ep_accept(l, &peer, &a), 0);
	assert_int_equal(pump(&r, c, a, 3 << 20), 3 << 20);
	assert_int_equal(pump(&r, a, c, 1 << 20), 1 << 20);
	assert_int_equal(link_get(r.s[1], index[1], &i), 0);
	assert_true(i.rx_packets < 3000);       /* super-frames stay what they are */
	ep_close(a);
	ep_close(c);
	ep_close(l);
	rig_done(&r);
}

static void packets_outlive_the_stack_that_made_them(void **state)
{
	struct net_sa sa = rig_sa(rig_ip(1), 9);
	struct ep *c, *d;
	struct rig r;
	u32 index[2];
	char buf[32];

	(void)state;
	begin(&r);
	assert_int_equal(make(&r, "a", "b", index), 0);
	raise_pair(&r, index);
	c = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	d = rig_sock(r.s[1], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(d, &sa), 0);
	assert_int_equal(rig_sendto(c, "one", 3, 0, &sa), 3);
	rig_run(&r, 10000000);
	assert_int_equal(rig_sendto(c, "two", 3, 0, &sa), 3);   /* waits in the other stack */
	ep_close(c);
	stack_free(r.s[0]);
	r.s[0] = NULL;
	assert_int_equal(rig_recv(d, buf, sizeof(buf)), 3);
	stack_run(r.s[1]);
	assert_false(there(r.s[1], index[1]));
	stack_run(r.s[1]);
	ep_close(d);
	rig_done(&r);
}

static void both_ends_go_together(void **state)
{
	struct rig r;
	u32 index[2];

	(void)state;
	begin(&r);
	assert_int_equal(make(&r, "a", "b", index), 0);
	raise_pair(&r, index);
	assert_int_equal(link_del(r.s[1], index[1]), 0);
	assert_false(there(r.s[0], index[0]));
	assert_int_equal(link_del(r.s[0], index[0]), -ENODEV);
	assert_int_equal(make(&r, "a", "b", index), 0);
	assert_int_equal(make(&r, "a", "c", index), -EEXIST);
	assert_int_equal(make(&r, "c", "b", index), -EEXIST);
	assert_int_equal(make(&r, "c", "c", index), 0);
	rig_done(&r);
}

static void a_link_moves_with_its_wire(void **state)
{
	struct net_sa sa = rig_sa(rig_ip(1), 9);
	struct stack *both[2];
	struct ep *c, *d;
	struct link_cfg cfg[2] = { { .name = "a", .mtu = 1500 }, { .name = "b", .mtu = 1400 } };
	struct link_info l;
	struct rig r;
	u32 index[2], other[2], moved;
	char buf[32];

	(void)state;
	begin(&r);
	both[0] = both[1] = r.s[0];
	assert_int_equal(link_add_veth(both, cfg, index), 0);
	rig_addr(r.s[0], index[1], rig_ip(5), 24);
	assert_int_equal(link_set_flags(r.s[0], index[1], IFF_UP, IFF_UP), 0);
	assert_int_equal(link_move(r.s[0], 1, r.s[1], NULL, &moved), -EINVAL);
	assert_int_equal(link_move(r.s[0], 77, r.s[1], NULL, &moved), -ENODEV);
	assert_int_equal(make(&r, "x", "b", other), 0);
	assert_int_equal(link_move(r.s[0], index[1], r.s[1], NULL, &moved), -EEXIST);
	assert_int_equal(link_move(r.s[0], index[1], r.s[1], "lo", &moved), -EEXIST);
	assert_int_equal(link_move(r.s[0], index[1], r.s[1], "eth%d", &moved), 0);
	assert_false(there(r.s[0], index[1]));
	assert_false(addr_is_local(r.s[0], &(struct ipaddr){ { [10] = 0xff, 0xff, 10, 0, 0, 6 } }));
	assert_int_equal(link_get(r.s[1], moved, &l), 0);
	assert_string_equal(l.name, "eth0");
	assert_int_equal(l.mtu, 1400);
	assert_false(l.flags & IFF_UP);
	index[1] = moved;
	raise_pair(&r, index);
	c = rig_sock(r.s[0], AF_INET, SOCK_DGRAM);
	d = rig_sock(r.s[1], AF_INET, SOCK_DGRAM);
	assert_int_equal(ep_bind(d, &sa), 0);
	assert_int_equal(rig_sendto(c, "one", 3, 0, &sa), 3);
	rig_run(&r, 10000000);
	assert_int_equal(rig_recv(d, buf, sizeof(buf)), 3);
	ep_close(c);
	ep_close(d);
	rig_done(&r);
}

static void links_are_bounded_and_used_again(void **state)
{
	struct stack *both[2];
	struct link_cfg cfg[2] = { { .name = "v%d", .mtu = 1500 }, { .name = "v%d", .mtu = 1500 } };
	struct rig r;
	u32 index[2], first = 0, n = 0;
	u64 objects = 0;

	(void)state;
	begin(&r);
	both[0] = both[1] = r.s[0];
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(link_add_veth(both, cfg, index), 0);
		assert_int_equal(link_del(r.s[0], index[0]), 0);
		if (i == 10)
			objects = alloc_live();
		first = index[0];
	}
	assert_int_equal(alloc_live(), objects);
	assert_true(first > 5000);      /* numbers are not */
	while (link_add_veth(both, cfg, index) == 0)
		n++;
	assert_in_range(n, 100, 600);
	assert_int_equal(link_add_veth(both, cfg, index), -ENOSPC);
	rig_done(&r);
}

/* ---- threads ---- */

/* As the rig's, for many threads. */
static void shared_random(void *c, void *p, size_t n)
{
	static _Atomic u64 x = 88172645463325252ull;
	u8 *d = p;

	(void)c;
	while (n--)
		*d++ = (u8)((x += 0x9e3779b97f4a7c15ull) >> 33);
}

static const struct stack_ops shared_ops = { rig_now, rig_real, shared_random, rig_kick, NULL, NULL };

struct busy {
	struct rig *r;
	_Atomic bool stop;
	_Atomic u32 sent, made;
};

static void *sends(void *arg)
{
	struct busy *b = arg;
	struct net_sa sa = rig_sa(rig_ip(1), 9);
	struct ep *e = rig_sock(b->r->s[0], AF_INET, SOCK_DGRAM);

	while (!b->stop) {
		b->sent += rig_sendto(e, "hello", 5, MSG_DONTWAIT, &sa) == 5;
		sched_yield();
	}
	ep_close(e);
	return NULL;
}

static void *runs(void *arg)
{
	struct busy *b = arg;

	while (!b->stop) {
		stack_run(b->r->s[0]);
		stack_run(b->r->s[1]);
		sched_yield();
	}
	return NULL;
}

/* Makes pairs, raises them, moves one end here and there and deletes one or the other end, which others do at the same time. */
static void *changes(void *arg)
{
	struct busy *b = arg;
	u32 index[2], moved, after;
	struct link_info l;

	for (int i = 0; i < 300; i++) {
		struct stack *s = b->r->s[i & 1];
		int r = make(b->r, "a", "b", index);

		if (r == 0) {
			struct addr_info a = { .ifindex = index[0], .ip = rig_ip(0), .peer = rig_ip(0), .plen = 24 };

			b->made++;
			r = link_set_flags(b->r->s[0], index[0], IFF_UP, IFF_UP);
			r = link_set_flags(b->r->s[1], index[1], IFF_UP, IFF_UP);
			r = addr_add(b->r->s[0], &a);
			r = link_move(b->r->s[1], index[1], b->r->s[0], "m%d", &moved);
			r = link_move(b->r->s[0], moved, b->r->s[1], "b%d", &moved);
		}
		for (after = 1; link_next(s, after, &l) == 0; after = l.ifindex)
			r = link_del(s, l.ifindex);
		(void)r;        /* anything may be gone already */
	}
	return NULL;
}

static void changes_while_packets_pass(void **state)
{
	struct busy b = { 0 };
	pthread_t t[4];
	struct rig r;

	(void)state;
	memset(&r, 0, sizeof(r));
	r.now = 1000000000;
	for (int i = 0; i < 2; i++)
		assert_int_equal(stack_new(&shared_ops, &r, &r.s[i]), 0);
	b.r = &r;
	assert_int_equal(pthread_create(&t[0], NULL, sends, &b), 0);
	assert_int_equal(pthread_create(&t[1], NULL, runs, &b), 0);
	assert_int_equal(pthread_create(&t[2], NULL, changes, &b), 0);
	assert_int_equal(pthread_create(&t[3], NULL, changes, &b), 0);
	pthread_join(t[2], NULL);
	pthread_join(t[3], NULL);
	b.stop = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	assert_true(b.made > 0);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_carrier_needs_both_ends),
		cmocka_unit_test(a_stream_passes),
		cmocka_unit_test(packets_outlive_the_stack_that_made_them),
		cmocka_unit_test(both_ends_go_together),
		cmocka_unit_test(a_link_moves_with_its_wire),
		cmocka_unit_test(links_are_bounded_and_used_again),
		cmocka_unit_test(changes_while_packets_pass),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
