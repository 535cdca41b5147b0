/*
 * fuzz_wire.c - hostile frames into a stack that has sockets of every kind.
 *
 * The input is a list of records: one byte of kind and two of length, then the
 * frame.  Kind bits choose: raw bytes; or an IPv4 or IPv6 TCP segment whose
 * addresses, ports and checksums are made right, so that the fuzzer gets past
 * the first checks; or time going by.
 */
#include <netinet/in.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "netstack/api.h"
#include "netstack/core/ipaddr.h"
#include "netstack/link/fault.h"
#include "netstack/wire/csum.h"
#include "platform/base/alloc.h"

struct world { u64 now, rnd; struct stack *a, *b; struct fault_wire *w; u32 ia, ib; };

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

static int drop_bytes(struct net_io *io, void *k, size_t n)
{
	(void)io;
	(void)k;
	(void)n;
	return 0;
}

static void add(struct stack *s, u32 ifi, struct ipaddr ip, u8 plen)
{
	struct addr_info a = { .ifindex = ifi, .ip = ip, .peer = ip, .plen = plen };

	if (addr_add(s, &a) < 0 || link_set_flags(s, ifi, IFF_UP, IFF_UP) < 0)
		abort();
}

static struct ep *sock(struct stack *s, int fam, int type, int proto, u16 port, bool listen)
{
	struct net_sa sa = { .family = (u16)fam, .port = port };
	struct ep *e;

	sa.ip = fam == AF_INET ? ip_any4() : ip_any6();
	if (ep_new(s, fam, type, proto, NULL, NULL, &e) < 0)
		abort();
	if ((port && ep_bind(e, &sa) < 0) || (listen && ep_listen(e, 4) < 0))
		abort();
	return e;
}

/* Put right what random bytes never get right. */
static void repair(u8 *f, size_t n, bool v6)
{
	size_t l4 = v6 ? 54 : 34, hl = v6 ? 40 : 20;
	u64 sum;
	u16 c;

	if (n < l4 + 20)
		return;
	memcpy(f, (u8[]){ 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, v6 ? 0x86 : 8, v6 ? 0xdd : 0 }, 14);
	if (v6) {
		struct ipaddr s = { { 0xfd, [15] = 2 } }, d = { { 0xfd, [15] = 1 } };

		f[14] = 0x60;
		put_be16(f + 18, (u16)(n - 54));
		f[20] = 6;
		memcpy(f + 22, s.b, 16);
		memcpy(f + 38, d.b, 16);
		put_be16(f + 56, 80);
		memset(f + l4 + 16, 0, 2);
		sum = csum_add(csum_bytes(f + l4, n - l4, 0), csum_pseudo(s.b, d.b, 16, 6, (u32)(n - l4)));
	} else {
		f[14] = 0x45;
		put_be16(f + 16, (u16)(n - 14));
		put_be16(f + 20, get_be16(f + 20) & 0x4000);
		f[23] = 6;
		memcpy(f + 26, (u8[]){ 10, 0, 0, 2, 10, 0, 0, 1 }, 8);
		memset(f + 24, 0, 2);
		c = csum_fold(csum_bytes(f + 14, hl, 0));
		memcpy(f + 24, &c, 2);
		put_be16(f + 36, 80);
		memset(f + l4 + 16, 0, 2);
		sum = csum_add(csum_bytes(f + l4, n - l4, 0),
			       csum_pseudo(f + 26, f + 30, 4, 6, (u32)(n - l4)));
	}
	c = csum_fold(sum);
	memcpy(f + l4 + 16, &c, 2);
}

static void feed(struct world *w, const u8 *p, size_t n)
{
	u8 buf[70000];

	while (n >= 3) {
		u8 kind = p[0];
		size_t len = p[1] | (size_t)p[2] << 8;

		p += 3;
		n -= 3;
		len = len < n ? len : n;
		memcpy(buf, p, len);
		if ((kind & 3) == 1 || (kind & 3) == 2)
			repair(buf, len, (kind & 3) == 2);
		if ((kind & 3) == 3) {
			w->now += (u64)(kind >> 2) * 100000000 + 1000000;
			stack_run(w->a);
			stack_run(w->b);
		} else {
			stack_rx(w->a, w->ia, buf, len);
		}
		fault_pump(w->w, w->now);
		p += len;
		n -= len;
	}
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	static bool ready;
	struct fault_cfg fc = { .mtu = 1500 };
	struct world w = { .now = 1000000000 };
	struct ipaddr a6 = { { 0xfd, [15] = 1 } }, b6 = { { 0xfd, [15] = 2 } };
	struct net_sa to = { .family = AF_INET, .port = 90, .ip = ip_from4n(0x0a000002) };
	struct net_io io = { .len = 65536, .copy = drop_bytes };
	struct net_msg m = { .io = &io };
	struct ep *e[8], *kid[64];
	int i, nk = 0, r;

	if (!ready && alloc_init(1ull << 32) < 0)
		abort();
	ready = true;
	if (stack_new(&ops, &w, &w.a) < 0 || stack_new(&ops, &w, &w.b) < 0 ||
	    fault_connect(w.a, w.b, &fc, &w.w, &w.ia, &w.ib) < 0)
		abort();
	add(w.a, w.ia, ip_from4n(0x0a000001), 24);
	add(w.a, w.ia, a6, 64);
	add(w.b, w.ib, ip_from4n(0x0a000002), 24);
	add(w.b, w.ib, b6, 64);
	e[0] = sock(w.a, AF_INET6, SOCK_STREAM, 0, 80, true);
	e[1] = sock(w.a, AF_INET6, SOCK_DGRAM, 0, 53, false);
	e[2] = sock(w.a, AF_INET, SOCK_RAW, IPPROTO_ICMP, 0, false);
	e[3] = sock(w.a, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, 0, false);
	e[4] = sock(w.a, AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 7, false);
	e[5] = sock(w.a, AF_PACKET, SOCK_RAW, __builtin_bswap16(3), 0, false);
	e[6] = sock(w.a, AF_INET, SOCK_STREAM, 0, 0, false);
	e[7] = sock(w.b, AF_INET, SOCK_STREAM, 0, 90, true);
	r = ep_connect(e[6], &to);
	feed(&w, p, n);
	while (nk < 64 && ep_accept(e[0], NULL, &kid[nk]) == 0)
		nk++;
	for (i = 0; i < nk; i++) {
		ssize_t k = ep_recv(kid[i], &m);

		(void)k;
		ep_close(kid[i]);
	}
	(void)r;
	for (i = 0; i < 8; i++)
		ep_close(e[i]);
	w.now += 100000000000ull;
	stack_run(w.a);
	stack_run(w.b);
	stack_free(w.a);
	stack_free(w.b);
	fault_free(w.w);
	return 0;
}
