/*
 * fuzz_net.h - one stack under a fake clock with one link, for fuzzers that are its peer.
 *
 * The link carries IP packets without a link header and vouches for transport checksums, so
 * that a fuzzer spends its bytes on what comes after them.  What the stack sends is handed to @sent.
 * Time moves from deadline to deadline: a timer that never lets it pass is a finding.
 */
#pragma once
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "netstack/api.h"
#include "netstack/core/ipaddr.h"
#include "netstack/wire/csum.h"
#include "platform/base/alloc.h"

#define FUZZ_MTU 1500

struct fuzz_net {
	u64 now, rnd;
	struct stack *s;
	u32 ifi;
	const u8 *rx;                   /* the packet that the link reads now */
	size_t rx_len;
	u64 ntx;
	void (*sent)(struct fuzz_net *n, const u8 *p, size_t len);      /* NULL: lost */
};

/* What a fuzzer claims; abort() is the finding. */
static inline void fuzz_claim(bool ok, const char *file, int line, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}
#define fuzz_must(x) fuzz_claim(x, __FILE__, __LINE__, #x)

static inline u64 fuzz_now(void *c) { return ((struct fuzz_net *)c)->now; }
static inline void fuzz_kick(void *c) { (void)c; }

static inline void fuzz_random(void *c, void *p, size_t n)
{
	struct fuzz_net *w = c;
	u8 *d = p;

	while (n--) {
		w->rnd = w->rnd * 6364136223846793005ull + 1;
		*d++ = (u8)(w->rnd >> 40);
	}
}

static inline ssize_t fuzz_readv(void *c, const struct iovec *iov, int n)
{
	struct fuzz_net *w = c;
	size_t len = w->rx_len;

	if (!w->rx || n != 1 || len > iov[0].iov_len)
		return -EAGAIN;
	memcpy(iov[0].iov_base, w->rx, len);
	w->rx = NULL;
	return (ssize_t)len;
}

static inline ssize_t fuzz_writev(void *c, const struct iovec *iov, int n)
{
	struct fuzz_net *w = c;
	u8 buf[FUZZ_MTU];
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		fuzz_must(iov[i].iov_len <= sizeof(buf) - len);         /* never more than the link takes */
		memcpy(buf + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	w->ntx++;
	if (w->sent)
		w->sent(w, buf, len);
	return (ssize_t)len;
}

static inline struct ipaddr fuzz_ip(bool v6, u8 last)
{
	struct ipaddr a = { { 0xfd, [15] = last } };

	return v6 ? a : ip_from4n(0x0a000000u + last);
}

static inline void fuzz_addr(struct stack *s, u32 ifi, bool v6)
{
	struct addr_info a = { .ifindex = ifi, .ip = fuzz_ip(v6, 1), .peer = fuzz_ip(v6, 1), .plen = v6 ? 64 : 24,
			       .flags = 0x80 | 0x02 /* permanent, nodad */ };

	fuzz_must(addr_add(s, &a) == 0);
}

static inline void fuzz_net_init(struct fuzz_net *n)
{
	static const struct stack_ops ops = { fuzz_now, fuzz_now, fuzz_random, fuzz_kick, NULL, NULL };
	static const struct link_fd_ops io = { fuzz_readv, fuzz_writev };
	static bool ready;
	struct link_cfg c = { .name = "tun0", .arphrd = ARPHRD_NONE, .mtu = FUZZ_MTU, .features = LINK_F_RXCSUM };
	int r;

	if (!ready)
		fuzz_must(alloc_init(1ull << 32) == 0);
	ready = true;
	n->now = 1000000000;
	fuzz_must(stack_new(&ops, n, &n->s) == 0);
	r = link_add_fd(n->s, &c, &io, n, false);
	fuzz_must(r > 0);
	n->ifi = (u32)r;
	fuzz_addr(n->s, n->ifi, false);
	fuzz_addr(n->s, n->ifi, true);
	fuzz_must(link_set_flags(n->s, 1, IFF_UP, IFF_UP) == 0 && link_set_flags(n->s, n->ifi, IFF_UP, IFF_UP) == 0);
}

/* Let @ns pass; what is due runs at its time, as long as that is not too often. */
static inline void fuzz_net_time(struct fuzz_net *n, u64 ns)
{
	u64 end = n->now + ns, next, at = 0;
	int steps = 0, still = 0;

	while ((next = stack_run(n->s)) <= end && steps++ < 2000) {
		still = next <= n->now ? still + 1 : 0;
		fuzz_must(still < 1000);
		n->now = MAX(n->now, next);
		at = n->now;
	}
	(void)at;
	n->now = end;
	stack_run(n->s);
}

static inline void fuzz_net_rx(struct fuzz_net *n, const u8 *p, size_t len)
{
	n->rx = p;
	n->rx_len = len;
	(void)!link_fd_rx(n->s, n->ifi, 1);
	stack_run(n->s);
}

/* An IP header for @len bytes behind it; returns its size. */
static inline size_t fuzz_ip_hdr(u8 *p, bool v6, u8 proto, size_t len, u16 id, u16 frag)
{
	struct ipaddr s = fuzz_ip(true, 2), d = fuzz_ip(true, 1);
	u16 c;

	if (v6) {
		memset(p, 0, 40);
		p[0] = 0x60;
		put_be16(p + 4, (u16)len);
		p[6] = proto;
		p[7] = 64;
		memcpy(p + 8, s.b, 16);
		memcpy(p + 24, d.b, 16);
		return 40;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	put_be16(p + 2, (u16)(20 + len));
	put_be16(p + 4, id);
	put_be16(p + 6, frag);
	p[8] = 64;
	p[9] = proto;
	memcpy(p + 12, (u8[]){ 10, 0, 0, 2, 10, 0, 0, 1 }, 8);
	c = csum_fold(csum_bytes(p, 20, 0));
	memcpy(p + 10, &c, 2);
	return 20;
}

/* Kernel memory as the caller's buffer. */
struct fuzz_io { struct net_io io; u8 *p; size_t left; };

static inline int fuzz_copy_in(struct net_io *io, void *k, size_t n)
{
	struct fuzz_io *m = container_of(io, struct fuzz_io, io);

	fuzz_must(n <= m->left);
	memcpy(k, m->p, n);
	m->p += n;
	m->left -= n;
	return 0;
}

static inline int fuzz_copy_out(struct net_io *io, void *k, size_t n)
{
	struct fuzz_io *m = container_of(io, struct fuzz_io, io);

	fuzz_must(n <= m->left);
	memcpy(m->p, k, n);
	m->p += n;
	m->left -= n;
	return 0;
}

static inline struct ep *fuzz_sock(struct fuzz_net *n, bool v6, int type, int proto, u16 port)
{
	struct net_sa sa = { .family = v6 ? AF_INET6 : AF_INET, .port = port, .ip = v6 ? ip_any6() : ip_any4() };
	struct ep *e;

	fuzz_must(ep_new(n->s, sa.family, type, proto, NULL, NULL, &e) == 0);
	fuzz_must(!port || ep_bind(e, &sa) == 0);
	return e;
}
