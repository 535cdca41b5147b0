/* Many threads over loopback: no deadlock, no lost byte, no leak. */
#include <linux/if_ether.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include "tests/unit/net_rig.h"

enum { PAIRS = 4, BYTES = 3 << 20 };

struct live {
	struct stack *s;
	_Atomic bool stop;
	_Atomic u32 kicks;
};

static u64 live_now(void *c)
{
	struct timespec t;

	(void)c;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static void live_random(void *c, void *p, size_t n)
{
	static _Atomic u64 x = 88172645463325252ull;
	u8 *d = p;

	(void)c;
	while (n--)
		*d++ = (u8)((x += 0x9e3779b97f4a7c15ull) >> 33);
}

static void live_kick(void *c) { ((struct live *)c)->kicks++; }

static const struct stack_ops live_ops = { live_now, live_now, live_random, live_kick, NULL, NULL };

static void *timers(void *arg)
{
	struct live *l = arg;
	struct timespec ms = { 0, 1000000 };

	while (!l->stop) {
		stack_run(l->s);
		nanosleep(&ms, NULL);
	}
	return NULL;
}

struct job { struct live *l; u16 port; bool bad; };

static void *server(void *arg)
{
	struct job *j = arg;
	struct ep *l = NULL, *e = NULL;
	struct net_sa sa = rig_sa(ip_any4(), j->port);
	static _Thread_local u8 buf[50000];
	size_t got = 0;
	ssize_t n;
	int r;

	r = ep_new(j->l->s, AF_INET, SOCK_STREAM, 0, NULL, NULL, &l);
	r = r ? r : ep_bind(l, &sa);
	r = r ? r : ep_listen(l, 5);
	while (r == 0 && ep_accept(l, NULL, &e) == -EAGAIN)
		sched_yield();
	for (;;) {
		n = rig_recv(e, buf, sizeof(buf));
		if (n == -EAGAIN) {
			sched_yield();
			continue;
		}
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != (u8)((got + (size_t)i) * 13))
				j->bad = true;
		got += (size_t)n;
		/* Talk back, so that both directions meet. */
		r = rig_send(e, buf, 10) > 0 ? 0 : -1;
	}
	if (n != 0 || got != BYTES)
		j->bad = true;
	ep_close(e);
	ep_close(l);
	return NULL;
}

static void *client(void *arg)
{
	struct job *j = arg;
	struct net_sa sa = rig_sa(ip_from4n(0x7f000001), j->port);
	struct ep *e = NULL;
	static _Thread_local u8 buf[40000];
	size_t sent = 0, i;
	ssize_t n;
	int r;

	do {
		ep_close(e);
		r = ep_new(j->l->s, AF_INET, SOCK_STREAM, 0, NULL, NULL, &e);
		r = r ? r : ep_connect(e, &sa);
		/* Another thread may be draining the loopback: the answer comes later. */
		if (r == -EINPROGRESS) {
			while (!(ep_poll(e) & (POLLOUT | POLLERR | POLLHUP)))
				sched_yield();
			r = ep_error(e);
		}
	} while (r == -ECONNREFUSED);
	while (sent < BYTES) {
		size_t want = 1 + (sent * 7 + 11) % sizeof(buf);

		want = want < BYTES - sent ? want : BYTES - sent;
		for (i = 0; i < want; i++)
			buf[i] = (u8)((sent + i) * 13);
		n = rig_send(e, buf, want);
		if (n > 0)
			sent += (size_t)n;
		else if (n == -EAGAIN)
			sched_yield();
		else
			break;
		n = rig_recv(e, buf, 1000);
	}
	if (ep_shutdown(e, SHUT_WR) < 0)
		j->bad = true;
	while ((n = rig_recv(e, buf, sizeof(buf))) != 0)
		if (n == -EAGAIN)
			sched_yield();
		else if (n < 0)
			break;
	if (n)
		j->bad = true;
	ep_close(e);
	return NULL;
}

static void *datagrams(void *arg)
{
	struct job *j = arg;
	struct net_sa sa = rig_sa(ip_from4n(0x7f000001), 7000);
	struct ep *e = NULL;
	char buf[100];

	if (ep_new(j->l->s, AF_INET, SOCK_DGRAM, 0, NULL, NULL, &e) < 0 || ep_connect(e, &sa) < 0)
		j->bad = true;
	for (int i = 0; i < 20000; i++) {
		ssize_t n = rig_send(e, buf, 50);

		n = rig_recv(e, buf, 100);
		(void)n;
	}
	ep_close(e);
	return NULL;
}

static void threads_share_a_stack(void **state)
{
	struct live l = { 0 };
	struct job j[PAIRS + 2];
	pthread_t t[2 * PAIRS + 3];
	int i, n = 0;

	(void)state;
	assert_int_equal(stack_new(&live_ops, &l, &l.s), 0);
	rig_lo_up(l.s);
	pthread_create(&t[n++], NULL, timers, &l);
	for (i = 0; i < PAIRS + 2; i++) {
		j[i] = (struct job){ &l, (u16)(8000 + i), false };
		if (i >= PAIRS) {
			pthread_create(&t[n++], NULL, datagrams, &j[i]);
			continue;
		}
		pthread_create(&t[n++], NULL, server, &j[i]);
		pthread_create(&t[n++], NULL, client, &j[i]);
	}
	for (i = 1; i < n; i++)
		pthread_join(t[i], NULL);
	l.stop = true;
	pthread_join(t[0], NULL);
	for (i = 0; i < PAIRS + 2; i++)
		assert_false(j[i].bad);
	stack_free(l.s);
}

static int look(void *arg, const struct ep_info *i)
{
	*(u64 *)arg += i->cookie != 0;
	return 0;
}

static void *lists(void *arg)
{
	struct live *l = arg;
	u64 seen = 0;

	while (!l->stop)
		(void)!ep_dump(l->s, IPPROTO_TCP, look, &seen);
	return NULL;
}

static void *makes(void *arg)
{
	struct live *l = arg;
	struct ep *e = NULL;

	for (int i = 0; i < 20000; i++) {
		if (ep_new(l->s, AF_INET, SOCK_STREAM, 0, NULL, NULL, &e) < 0)
			return l;
		ep_close(e);
	}
	return NULL;
}

static void sockets_are_listed_while_others_are_made(void **state)
{
	struct live l = { 0 };
	pthread_t lister, maker[2];
	void *bad[2];

	(void)state;
	assert_int_equal(stack_new(&live_ops, &l, &l.s), 0);
	pthread_create(&lister, NULL, lists, &l);
	for (int i = 0; i < 2; i++)
		pthread_create(&maker[i], NULL, makes, &l);
	for (int i = 0; i < 2; i++)
		pthread_join(maker[i], &bad[i]);
	l.stop = true;
	pthread_join(lister, NULL);
	assert_null(bad[0]);
	assert_null(bad[1]);
	stack_free(l.s);
}

static void *ranges(void *arg)
{
	static const char *const r[] = { "1000 1999", "2000 2999" };
	struct live *l = arg;

	for (u32 i = 0; !l->stop; i++)
		if (stack_sysctl_set(l->s, "ipv4/ip_local_port_range", r[i % 2]) < 0)
			return arg;
	return NULL;
}

/* With the end of one range and the beginning of the other there were no ports to choose from. */
static void a_port_is_chosen_while_the_range_changes(void **state)
{
	struct net_sa sa = rig_sa(ip_any4(), 0), got;
	struct live l = { 0 };
	pthread_t changer;
	void *bad;

	(void)state;
	assert_int_equal(stack_new(&live_ops, &l, &l.s), 0);
	assert_int_equal(stack_sysctl_set(l.s, "ipv4/ip_local_port_range", "1000 1999"), 0);
	pthread_create(&changer, NULL, ranges, &l);
	for (int i = 0; i < 20000; i++) {
		struct ep *e = NULL;

		assert_int_equal(ep_new(l.s, AF_INET, SOCK_DGRAM, 0, NULL, NULL, &e), 0);
		assert_int_equal(ep_bind(e, &sa), 0);
		assert_int_equal(ep_name(e, false, &got), 0);
		assert_in_range(got.port, 1000, 2999);
		ep_close(e);
	}
	l.stop = true;
	pthread_join(changer, &bad);
	assert_null(bad);
	stack_free(l.s);
}

struct ring_memory { _Atomic bool gone, late; _Atomic u32 used; };

static void use_ring(struct ring_memory *m)
{
	m->used++;
	if (m->gone)
		m->late = true;
}

static void write_ring(void *ctx, u64 off unused_ok, const void *buf unused_ok, size_t n unused_ok) { use_ring(ctx); }

static u32 read_ring(void *ctx, u64 off unused_ok)
{
	use_ring(ctx);
	return 0;
}

static const struct packet_ring_ops watched_ring = { .write = write_ring, .read32 = read_ring };

static void *sends(void *arg)
{
	struct net_sa sa = rig_sa(ip_from4n(0x7f000001), 7000);
	struct live *l = arg;
	struct ep *e = NULL;

	if (ep_new(l->s, AF_INET, SOCK_DGRAM, 0, NULL, NULL, &e) < 0 || ep_connect(e, &sa) < 0)
		return l;
	while (!l->stop)
		(void)!rig_send(e, "x", 1);
	ep_close(e);
	return NULL;
}

/* Its memory may be gone when ep_close() returns. */
static void a_ring_is_left_alone_once_its_socket_is_closed(void **state)
{
	static struct ring_memory m[2000];
	struct live l = { 0 };
	pthread_t sender;
	void *bad;

	(void)state;
	assert_int_equal(stack_new(&live_ops, &l, &l.s), 0);
	rig_lo_up(l.s);
	pthread_create(&sender, NULL, sends, &l);
	for (size_t i = 0; i < ARRAY_SIZE(m); i++) {
		struct packet_ring_cfg c = { .ops = &watched_ring, .ctx = &m[i], .block_size = 4096, .block_nr = 1,
					     .frame_size = 2048, .frame_nr = 2 };
		struct ep *e = NULL;

		assert_int_equal(ep_new(l.s, AF_PACKET, SOCK_RAW, __builtin_bswap16(ETH_P_ALL), NULL, NULL, &e), 0);
		assert_int_equal(ep_packet_ring(e, &c), 0);
		while (m[i].used == 0)
			sched_yield();
		ep_close(e);
		m[i].gone = true;
	}
	l.stop = true;
	pthread_join(sender, &bad);
	assert_null(bad);
	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		assert_false(m[i].late);
	stack_free(l.s);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(threads_share_a_stack), cmocka_unit_test(sockets_are_listed_while_others_are_made),
		cmocka_unit_test(a_port_is_chosen_while_the_range_changes),
		cmocka_unit_test(a_ring_is_left_alone_once_its_socket_is_closed),
	};

	return cmocka_run_group_tests(t, unit_setup, NULL);
}
