/*
 * fuzz_sockopt.c - a hostile guest at the stack's socket calls: options, names, control messages, filters.
 *
 * The input is a list of calls: operation, endpoint, three bytes of arguments, a length, bytes.  Levels and
 * option numbers are small so that most of them exist.  Loopback carries what is sent.
 */
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "netstack/api.h"
#include "netstack/core/ipaddr.h"
#include "platform/base/alloc.h"

#define EPS 12

struct world { u64 now, rnd; struct stack *s; struct ep *e[EPS]; };

static u64 w_now(void *c) { return ((struct world *)c)->now; }
static void w_kick(void *c) { (void)c; }

static void w_random(void *c, void *p, size_t n)
{
	struct world *w = c;
	u8 *d = p;

	while (n--) {
		w->rnd = w->rnd * 6364136223846793005ull + 1;
		*d++ = (u8)(w->rnd >> 40);
	}
}

static const struct stack_ops ops = { w_now, w_now, w_random, w_kick, NULL, NULL };

struct memio { struct net_io io; const u8 *p; size_t left; };

static int copy(struct net_io *io, void *k, size_t n)
{
	struct memio *m = container_of(io, struct memio, io);

	if (!m->p)
		return 0;               /* receiving: the bytes go nowhere */
	if (n > m->left)
		return -14;
	memcpy(k, m->p, n);
	m->p += n;
	m->left -= n;
	return 0;
}

static void ring_write(void *ctx, u64 off, const void *b, size_t n)
{
	memcpy((u8 *)ctx + off, b, n);          /* ASAN sees what is outside */
}

static u32 ring_read32(void *ctx, u64 off)
{
	u32 v;

	memcpy(&v, (u8 *)ctx + off, sizeof(v));
	return v & 0x80000000u;                 /* mostly free */
}

static const struct packet_ring_ops ring_ops = { ring_write, ring_read32 };
static u8 ring_mem[64 * 1024];

static void call_ring(struct ep *e, const u8 *a, const u8 *p, size_t n)
{
	struct packet_ring_cfg c = { .ops = &ring_ops, .ctx = ring_mem, .block_size = 4096u << (a[0] & 3),
				     .block_nr = 1 + (a[1] & 1), .frame_size = (u32)a[2] * 16 };
	u16 v[2] = { 0 };
	int r;

	memcpy(v, p, n < 4 ? n : 4);
	if (v[1] & 1)
		c.frame_size = v[0];
	if (c.frame_size)
		c.frame_nr = c.block_size / c.frame_size * c.block_nr;
	r = ep_packet_ring(e, a[0] & 128 ? NULL : &c);
	(void)r;
}

static int level_of(u8 b)
{
	static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, SOL_PACKET,
				      IPPROTO_ICMPV6, 255 };

	return levels[b & 7];
}

static struct net_sa name_of(const u8 *a, const u8 *p, size_t n)
{
	static const u16 families[] = { AF_INET, AF_INET6, AF_PACKET, AF_UNSPEC };
	struct net_sa sa = { .family = families[a[0] & 3], .port = a[1], .scope = a[2] & 3,
			     .flowinfo = (u32)(a[2] & 7) << 24 };

	sa.ip = sa.family == AF_INET ? ip_from4n(0x7f000001) : ip_any6();
	if (a[0] & 4)
		memcpy(sa.ip.b, p, n < 16 ? n : 16);
	else if (sa.family == AF_INET6)
		sa.ip.b[15] = 1;
	return sa;
}

static void call_send(struct ep *e, const u8 *a, u8 *p, size_t n)
{
	static const u8 data[40000];
	struct net_sa sa = name_of(a, p, n);
	struct memio m = { { (size_t)a[2] * 150, copy, NULL }, data, sizeof(data) };
	struct net_msg g = { .io = &m.io, .flags = (u32)a[0] << 4 & (MSG_MORE | MSG_OOB | MSG_DONTWAIT),
			     .name = a[0] & 8 ? &sa : NULL, .ctl = p, .ctl_len = n, .net_raw = a[1] & 1 };
	ssize_t r = ep_send(e, &g);

	(void)r;
}

static void call_recv(struct ep *e, const u8 *a)
{
	u8 ctl[300];
	struct net_sa sa;
	struct memio m = { { (size_t)a[2] * 10, copy, NULL }, NULL, 0 };
	struct net_msg g = { .io = &m.io, .flags = (u32)a[0] << 8 | (a[1] & 0x7f), .name = &sa, .ctl = ctl,
			     .ctl_len = a[1] };
	ssize_t r = ep_recv(e, &g);

	(void)r;
}

static void call(struct world *w, u8 op, struct ep **slot, const u8 *a, u8 *p, size_t n)
{
	struct ep *e = *slot, *kid;
	struct filter *f;
	struct net_sa sa = name_of(a, p, n);
	u8 out[256];
	size_t len = a[2];
	int r = 0;

	switch (op & 15) {
	case 0: case 1: case 2: case 3: case 4:
		if ((op & 16) && level_of(a[0]) == IPPROTO_IP && a[1] == IP_OPTIONS)
			r = ep_set_ip_options(e, p, n, true);
		else if ((op & 16) && level_of(a[0]) == IPPROTO_IPV6 && a[1] == 6)     /* IPV6_2292PKTOPTIONS */
			r = ep_set_ip6_options(e, p, n, true);
		else
			r = ep_setsockopt(e, level_of(a[0]), a[1], p, n);
		break;
	case 5: case 6:
		memcpy(out, p, n < sizeof(out) ? n : sizeof(out));
		r = ep_getsockopt(e, level_of(a[0]), a[1], out, &len);
		break;
	case 7: r = ep_bind(e, &sa); break;
	case 8: r = ep_connect_start(e, &sa); break;
	case 9: call_send(e, a, p, n); break;
	case 10: call_recv(e, a); break;
	case 11: r = a[0] & 1 ? ep_listen(e, a[1]) : ep_shutdown(e, a[1] & 3); break;
	case 12:
		if (ep_accept(e, NULL, &kid) == 0)
			ep_close(kid);
		break;
	case 13: call_ring(e, a, p, n); break;
	case 14:
		r = ep_setsockopt(e, SOL_SOCKET, SO_ATTACH_FILTER, p, n & ~(size_t)7);
		if (net_filter_new(p, n & ~(size_t)7, &f) == 0) {
			r = (int)net_filter_run(f, p, (u32)n);
			kfree(f);
		}
		break;
	default:
		if (op & 16) {
			r = ep_flowlabel(e, p, n & 63, &(struct flow_caller){ a[0] & 3, a[1] & 3, a[2] & 1 });
			break;
		}
		(void)(ep_poll(e) + (u32)ep_inq(e) + (u32)ep_outq(e));
		w->now += (u64)a[0] * 10000000;
		stack_run(w->s);
	}
	(void)r;
}

static void make(struct world *w, int i, int family, int type, int proto)
{
	if (ep_new(w->s, family, type, proto, NULL, NULL, &w->e[i]) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	static bool ready;
	struct world w = { .now = 1000000000 };
	struct addr_info a4 = { .ifindex = 1, .ip = ip_from4n(0x7f000001), .peer = ip_from4n(0x7f000001), .plen = 8 };
	struct addr_info a6 = { .ifindex = 1, .ip = { { [15] = 1 } }, .peer = { { [15] = 1 } }, .plen = 128 };
	int i;

	if (!ready && alloc_init(1ull << 32) < 0)
		abort();
	ready = true;
	if (stack_new(&ops, &w, &w.s) < 0 || link_set_flags(w.s, 1, IFF_UP, IFF_UP) < 0)
		abort();
	/* The addresses of loopback may be there already. */
	i = addr_add(w.s, &a4) + addr_add(w.s, &a6);
	for (i = 0; i < 2; i++) {
		make(&w, i, AF_INET, SOCK_STREAM, 0);
		make(&w, 2 + i, AF_INET6, SOCK_DGRAM, 0);
	}
	make(&w, 4, AF_INET, SOCK_DGRAM, 0);
	make(&w, 5, AF_INET6, SOCK_STREAM, 0);
	make(&w, 6, AF_INET, SOCK_RAW, IPPROTO_ICMP);
	make(&w, 7, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	make(&w, 8, AF_INET, SOCK_RAW, IPPROTO_RAW);
	make(&w, 9, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	make(&w, 10, AF_PACKET, SOCK_RAW, 0x0300);
	make(&w, 11, AF_PACKET, SOCK_DGRAM, 0x0008);
	while (n >= 6) {
		const u8 *rec = p;
		size_t len = rec[5] < n - 6 ? rec[5] : n - 6;
		u8 buf[256];

		memset(buf, 0, sizeof(buf));
		memcpy(buf, rec + 6, len);
		call(&w, rec[0], &w.e[rec[1] % EPS], rec + 2, buf, len);
		p += 6 + len;
		n -= 6 + len;
	}
	for (i = 0; i < EPS; i++)
		ep_close(w.e[i]);
	w.now += 1000ull * 1000000000;
	stack_run(w.s);
	stack_free(w.s);
	return 0;
}
