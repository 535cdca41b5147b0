/* Pairs of links between stacks, and bridges of them: what passes, what goes when, and many threads at once. */
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

/* ---- bridges ---- */

/* s[0] has a bridge, with 10.0.0.1, of two pairs; s[1] has the other ends, "x" and "y". */
static u32 bridge_of_two(struct rig *r, u32 x[2], u32 y[2])
{
	struct link_cfg c = { .name = "br0", .mtu = 1500 };
	int br;

	begin(r);
	br = link_add_bridge(r->s[0], &c);
	assert_true(br > 1);
	assert_int_equal(make(r, "px", "x", x), 0);
	assert_int_equal(make(r, "py", "y", y), 0);
	assert_int_equal(link_set_master(r->s[0], x[0], (u32)br), 0);
	assert_int_equal(link_set_master(r->s[0], y[0], (u32)br), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(link_set_flags(r->s[i], x[i], IFF_UP, IFF_UP), 0);
		assert_int_equal(link_set_flags(r->s[i], y[i], IFF_UP, IFF_UP), 0);
	}
	assert_int_equal(link_set_flags(r->s[0], (u32)br, IFF_UP, IFF_UP), 0);
	rig_addr(r->s[0], (u32)br, rig_ip(0), 24);
	return (u32)br;
}

static u64 received(struct stack *s, u32 index)
{
	struct link_info l;

	assert_int_equal(link_get(s, index, &l), 0);
	return l.rx_packets;
}

static void frame(u8 f[64], const u8 dst[6], u8 src)
{
	memset(f, 0, 64);
	memcpy(f, dst, 6);
	f[6] = 2;
	f[11] = src;
	f[12] = 0x88;
	f[13] = 0xb5;
}

static void a_bridge_learns_and_forgets(void **state)
{
	static const u8 to_a[6] = { 2, 0, 0, 0, 0, 0xa }, all[6] = { 255, 255, 255, 255, 255, 255 };
	struct rig r;
	u32 x[2], y[2], br;
	struct fdb_info fi;
	u64 before;
	u8 f[64];

	(void)state;
	br = bridge_of_two(&r, x, y);
	rig_run(&r, 1000000000);
	/* As if from x: unknown, so y gets it, and x does not. */
	frame(f, to_a, 0xb);
	before = received(r.s[1], y[1]);
	stack_rx(r.s[0], x[0], f, sizeof(f));
	stack_run(r.s[1]);
	assert_int_equal(received(r.s[1], y[1]), before + 1);
	/* Now A is known to be behind x: a frame to it from y goes to x, one from x nowhere. */
	frame(f, all, 0xa);
	stack_rx(r.s[0], x[0], f, sizeof(f));
	stack_run(r.s[1]);
	assert_int_equal(received(r.s[1], y[1]), before + 2);
	frame(f, to_a, 0xc);
	stack_rx(r.s[0], x[0], f, sizeof(f));
	stack_run(r.s[1]);
	assert_int_equal(received(r.s[1], y[1]), before + 2);
	assert_int_equal(fdb_get(r.s[0], 0, &fi), 0);
	assert_int_equal(fi.master, br);
	/* After five minutes nobody knows. */
	r.now += 301000000000ull;
	stack_rx(r.s[0], x[0], f, sizeof(f));
	stack_run(r.s[1]);
	assert_true(received(r.s[1], y[1]) > before + 2);
	assert_int_equal(link_set_master(r.s[0], x[0], 0), 0);
	assert_int_equal(fdb_get(r.s[0], 0, &fi), -ENOENT);
	rig_done(&r);
}

static void a_table_of_addresses_is_bounded(void **state)
{
	static const u8 all[6] = { 255, 255, 255, 255, 255, 255 };
	struct fdb_info fi;
	struct rig r;
	u32 x[2], y[2];
	u8 f[64];

	(void)state;
	(void)bridge_of_two(&r, x, y);
	for (int i = 0; i < 20000; i++) {
		frame(f, all, 1);
		f[8] = (u8)(i >> 8);
		f[9] = (u8)i;
		stack_rx(r.s[0], x[0], f, sizeof(f));
		stack_run(r.s[1]);
	}
	assert_int_equal(fdb_get(r.s[0], 4090, &fi), 0);
	assert_int_equal(fdb_get(r.s[0], 4096, &fi), -ENOENT);
	rig_done(&r);
}

/* Two cables between two bridges: a storm, which ends with a cable, and takes a bounded time of each run. */
static void a_circle_of_cables_is_survived(void **state)
{
	struct link_cfg c = { .name = "br1", .mtu = 1500 };
	struct rig r;
	u32 x[2], y[2];
	int other;
	u8 f[64];

	(void)state;
	(void)bridge_of_two(&r, x, y);
	other = link_add_bridge(r.s[1], &c);
	assert_true(other > 1);
	assert_int_equal(link_set_flags(r.s[1], (u32)other, IFF_UP, IFF_UP), 0);
	assert_int_equal(link_set_master(r.s[1], x[1], (u32)other), 0);
	assert_int_equal(link_set_master(r.s[1], y[1], (u32)other), 0);
	frame(f, (const u8[6]){ 255, 255, 255, 255, 255, 255 }, 3);
	stack_rx(r.s[0], x[0], f, sizeof(f));
	for (int i = 0; i < 100; i++) {
		(void)stack_run(r.s[0]);
		(void)stack_run(r.s[1]);
	}
	assert_true(received(r.s[1], y[1]) > 50);
	assert_int_equal(link_del(r.s[1], x[1]), 0);
	for (int i = 0; i < 10; i++) {
		(void)stack_run(r.s[0]);
		(void)stack_run(r.s[1]);
	}
	assert_int_equal(link_del(r.s[1], (u32)other), 0);
	rig_done(&r);
}

static void a_bridge_is_what_its_ports_are(void **state)
{
	struct stack *both[2];
	struct link_cfg c[2] = { { .name = "m", .mtu = 1400, .mac = { 2, 0, 0, 0, 0, 1 } }, { .name = "n", .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 9 } } };
	struct link_info l;
	struct rig r;
	u32 x[2], y[2], z[2], br;

	(void)state;
	br = bridge_of_two(&r, x, y);
	both[0] = both[1] = r.s[0];
	assert_int_equal(link_add_veth(both, c, z), 0);
	assert_int_equal(link_set_master(r.s[0], z[0], br), 0);
	assert_int_equal(link_set_master(r.s[0], z[1], br), 0);         /* both ends of one cable */
	assert_int_equal(link_get(r.s[0], br, &l), 0);
	assert_memory_equal(l.mac, c[0].mac, 6);
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(link_set_flags(r.s[0], z[0], IFF_UP, IFF_UP), 0);
	assert_int_equal(link_set_flags(r.s[0], z[1], IFF_UP, IFF_UP), 0);
	for (int i = 0; i < 20; i++)
		(void)stack_run(r.s[0]);
	assert_int_equal(link_del(r.s[0], z[0]), 0);
	assert_int_equal(link_get(r.s[0], br, &l), 0);
	assert_int_equal(l.mtu, 1500);
	assert_int_equal(link_set_master(r.s[0], br, br), -ELOOP);
	assert_int_equal(link_set_master(r.s[0], 1, br), -EINVAL);
	assert_int_equal(link_set_master(r.s[0], x[0], 999), -EINVAL);
	assert_int_equal(link_set_master(r.s[0], x[0], y[0]), -EOPNOTSUPP);
	assert_int_equal(link_set_mac(r.s[0], br, (const u8[6]){ 2, 9, 9, 9, 9, 9 }), 0);
	assert_int_equal(link_set_master(r.s[0], x[0], 0), 0);
	assert_int_equal(link_get(r.s[0], br, &l), 0);
	assert_int_equal(l.mac[1], 9);
	assert_int_equal(link_set_flags(r.s[0], y[0], 0, IFF_UP), 0);
	assert_false(running(r.s[0], br));
	assert_int_equal(link_del(r.s[0], br), 0);
	assert_int_equal(link_get(r.s[0], y[0], &l), 0);
	assert_int_equal(l.master, 0);
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
	struct link_cfg br = { .name = "br%d", .mtu = 1500 };
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
			r = link_set_master(b->r->s[0], index[0], (u32)link_add_bridge(b->r->s[0], &br));
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
		cmocka_unit_test(a_bridge_learns_and_forgets),
		cmocka_unit_test(a_table_of_addresses_is_bounded),
		cmocka_unit_test(a_circle_of_cables_is_survived),
		cmocka_unit_test(a_bridge_is_what_its_ports_are),
		cmocka_unit_test(changes_while_packets_pass),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
