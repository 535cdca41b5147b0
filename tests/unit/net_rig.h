/*
 * net_rig.h - stacks under a fake clock, alone or at the two ends of a faulty wire.
 */
#pragma once
#include "tests/unit/unit.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "netstack/api.h"
#include "netstack/core/ipaddr.h"
#include "netstack/link/fault.h"

struct rig {
	u64 now, rnd;
	struct stack *s[2];
	u32 ifi[2];
	struct fault_wire *w;
};

static inline u64 rig_now(void *c) { return ((struct rig *)c)->now; }
static inline u64 rig_real(void *c) { return 1700000000000000000ull + ((struct rig *)c)->now; }
static inline void rig_kick(void *c) { (void)c; }

static inline void rig_random(void *c, void *p, size_t n)
{
	struct rig *r = c;
	u8 *d = p;

	while (n--) {
		r->rnd = r->rnd * 6364136223846793005ull + 1442695040888963407ull;
		*d++ = (u8)(r->rnd >> 40);
	}
}

static const struct stack_ops rig_ops = { rig_now, rig_real, rig_random, rig_kick, NULL, NULL };

static inline void rig_lo_up(struct stack *s)
{
	assert_int_equal(link_set_flags(s, 1, IFF_UP, IFF_UP), 0);
}

static inline void rig_init(struct rig *r, u64 seed)
{
	memset(r, 0, sizeof(*r));
	r->now = 1000000000;
	r->rnd = seed;
	assert_int_equal(stack_new(&rig_ops, r, &r->s[0]), 0);
	rig_lo_up(r->s[0]);
}

static inline struct ipaddr rig_ip(int end) { return ip_from4n(0x0a000001 + (u32)end); }

static inline struct ipaddr rig_ip6(int end)
{
	struct ipaddr a = { { 0xfd, [15] = (u8)(1 + end) } };

	return a;
}

static inline void rig_addr(struct stack *s, u32 ifi, struct ipaddr ip, u8 plen)
{
	struct addr_info a = { .ifindex = ifi, .ip = ip, .peer = ip, .plen = plen };

	assert_int_equal(addr_add(s, &a), 0);
}

static inline void rig_pair(struct rig *r, const struct fault_cfg *cfg)
{
	int i;

	rig_init(r, cfg->seed + 1);
	assert_int_equal(stack_new(&rig_ops, r, &r->s[1]), 0);
	rig_lo_up(r->s[1]);
	assert_int_equal(fault_connect(r->s[0], r->s[1], cfg, &r->w, &r->ifi[0], &r->ifi[1]), 0);
	for (i = 0; i < 2; i++) {
		rig_addr(r->s[i], r->ifi[i], rig_ip(i), 24);
		rig_addr(r->s[i], r->ifi[i], rig_ip6(i), 64);
		assert_int_equal(link_set_flags(r->s[i], r->ifi[i], IFF_UP, IFF_UP), 0);
	}
}

static inline void rig_done(struct rig *r)
{
	stack_free(r->s[0]);
	stack_free(r->s[1]);
	if (r->w)
		fault_free(r->w);
}

/* Run everything that is due; false when nothing will ever happen again. */
static inline bool rig_step(struct rig *r)
{
	u64 next = NET_NEVER, t;
	int i;

	for (i = 0; i < 2; i++)
		if (r->s[i]) {
			t = stack_run(r->s[i]);
			next = t < next ? t : next;
		}
	if (r->w) {
		t = fault_pump(r->w, r->now);
		next = t < next ? t : next;
	}
	/* Deliveries may have set earlier timers; look once more before the clock moves. */
	for (i = 0; i < 2; i++)
		if (r->s[i]) {
			t = stack_run(r->s[i]);
			next = t < next ? t : next;
		}
	if (r->w) {
		t = fault_pump(r->w, r->now);
		next = t < next ? t : next;
	}
	if (next == NET_NEVER)
		return false;
	if (next > r->now)
		r->now = next;
	return true;
}

static inline void rig_run(struct rig *r, u64 ns)
{
	u64 end = r->now + ns;

	while (r->now < end) {
		u64 before = r->now;

		if (!rig_step(r) || r->now > end) {
			r->now = end;
			rig_step(r);
			r->now = r->now > end ? end : r->now;
			return;
		}
		if (r->now == before)
			continue;
	}
}

/* Kernel memory as a net_io. */
struct memio { struct net_io io; u8 *p; size_t fail_after; };

static inline int memio_send(struct net_io *io, void *k, size_t n)
{
	struct memio *m = container_of(io, struct memio, io);

	if (m->fail_after && m->fail_after < n)
		return -EFAULT;
	if (m->fail_after)
		m->fail_after -= n;
	memcpy(k, m->p, n);
	m->p += n;
	return 0;
}

static inline int memio_recv(struct net_io *io, void *k, size_t n)
{
	struct memio *m = container_of(io, struct memio, io);

	if (m->fail_after && m->fail_after < n)
		return -EFAULT;
	if (m->fail_after)
		m->fail_after -= n;
	memcpy(m->p, k, n);
	m->p += n;
	return 0;
}

static inline ssize_t rig_sendto(struct ep *e, const void *p, size_t n, u32 flags, struct net_sa *to)
{
	struct memio m = { { .len = n, .copy = memio_send }, (u8 *)p, 0 };
	struct net_msg msg = { .io = &m.io, .flags = flags, .name = to };

	return ep_send(e, &msg);
}

static inline ssize_t rig_recvfrom(struct ep *e, void *p, size_t n, u32 flags, struct net_sa *from)
{
	struct memio m = { { .len = n, .copy = memio_recv }, p, 0 };
	struct net_msg msg = { .io = &m.io, .flags = flags, .name = from };

	return ep_recv(e, &msg);
}

static inline ssize_t rig_send(struct ep *e, const void *p, size_t n) { return rig_sendto(e, p, n, 0, NULL); }
static inline ssize_t rig_recv(struct ep *e, void *p, size_t n) { return rig_recvfrom(e, p, n, 0, NULL); }

static inline struct net_sa rig_sa(struct ipaddr ip, u16 port)
{
	return (struct net_sa){ .family = ip_is4(&ip) ? AF_INET : AF_INET6, .port = port, .ip = ip };
}

static inline struct ep *rig_sock(struct stack *s, int family, int type)
{
	struct ep *e = NULL;

	assert_int_equal(ep_new(s, family, type, 0, NULL, NULL, &e), 0);
	return e;
}

static inline struct ep *rig_listen(struct stack *s, struct ipaddr ip, u16 port)
{
	struct net_sa sa = rig_sa(ip, port);
	struct ep *e = rig_sock(s, sa.family, SOCK_STREAM);

	assert_int_equal(ep_bind(e, &sa), 0);
	assert_int_equal(ep_listen(e, 16), 0);
	return e;
}
