/*
 * fuzz_frag.c - hostile fragments, IPv4 and IPv6, into reassembly.
 *
 * The input is a list of pieces of datagrams: kind, datagram, offset, length, time.  A piece carries the
 * bytes that its datagram has at that offset, so whatever a socket is given in the end must be those
 * bytes, however the pieces overlapped or were repeated; the table must stay within its
 * bounds, and be empty when the timers have run.
 */
#include "netstack/core/stack.h"
#include "tests/fuzz/fuzz_net.h"

#define PORT 53
#define PROTO 253               /* no checksum: raw sockets see it all */

/* The byte of datagram @id at @off: a UDP header, then a pattern. */
static u8 byte_at(u16 id, size_t off)
{
	static const u8 hdr[8] = { 0, 99, 0, PORT };

	return off < 8 ? hdr[off] : (u8)(off ^ off >> 8 ^ id * 29u);
}

struct piece { u8 kind; u16 id; u32 off, len; };

/* What of the input says; the total length of datagram @id is known to its header only. */
static void emit(struct fuzz_net *n, const struct piece *k, const u8 *raw, size_t nraw)
{
	u8 p[4096];
	bool v6 = k->kind & 1, more = k->kind & 2, bent = k->kind & 16;
	u8 proto = k->kind & 4 ? PROTO : k->id & 1 ? IPPROTO_UDP : v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	size_t h;

	if (v6) {
		h = fuzz_ip_hdr(p, true, 44, 8 + k->len, 0, 0);
		memset(p + h, 0, 8);
		p[h] = k->kind & 8 ? 44 : proto;        /* a fragment in a fragment */
		put_be16(p + h + 2, (u16)((k->off & 0xfff8) | more));
		put_be32(p + h + 4, k->id);
		h += 8;
	} else {
		h = fuzz_ip_hdr(p, false, proto, k->len, k->id, (u16)((k->off >> 3 & 0x1fff) | (more ? 0x2000 : 0)));
	}
	for (size_t i = 0; i < k->len; i++)
		p[h + i] = byte_at(k->id, (k->off & 0xfff8) + i);
	/* The UDP length: the first piece says that of the datagram which ends where the kind tells. */
	if (!(k->off & 0xfff8) && k->len >= 8)
		put_be16(p + h + 4, (u16)(k->id << 5 | 8));
	for (size_t i = 0; bent && i < nraw && i < h + k->len; i++)
		p[i] ^= raw[i];
	fuzz_net_rx(n, p, h + k->len);
	fuzz_must(n->s->frags.mem <= FRAG_MEM_MAX + 65536);
}

/* All that arrived is what was sent; the bytes of offset 8 and later begin at @skip. */
static void drain(struct ep *e, size_t skip, bool bent)
{
	static u8 buf[70000];
	ssize_t r;

	for (;;) {
		struct fuzz_io io = { { sizeof(buf), fuzz_copy_out, NULL }, buf, sizeof(buf) };
		struct net_msg m = { .io = &io.io };

		r = ep_recv(e, &m);
		if (r < 0)
			return;
		/* The first of them tells which datagram it was: 53 is the inverse of 29. */
		u8 id = (u8)((buf[skip] ^ 8) * 53u);

		for (size_t i = 0; !bent && i + skip < (size_t)r; i++)
			fuzz_must(buf[skip + i] == byte_at(id, i + 8));
	}
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	struct fuzz_net w = { .rnd = n };
	struct ep *e[4];
	static const size_t skip[3] = { 0, 8, 28 };
	bool bent = false;

	fuzz_net_init(&w);
	e[0] = fuzz_sock(&w, false, SOCK_DGRAM, 0, PORT);
	e[1] = fuzz_sock(&w, true, SOCK_RAW, PROTO, 0);
	e[2] = fuzz_sock(&w, false, SOCK_RAW, PROTO, 0);
	e[3] = fuzz_sock(&w, true, SOCK_DGRAM, 0, PORT + 1);
	for (; n >= 6; p += 6, n -= 6) {
		struct piece k = { p[0], p[1], (u32)(p[2] | p[3] << 8), p[4] * 8u + (p[5] & 7) };

		if (k.kind & 16)
			bent = true;
		if ((k.kind & 0xe0) == 0xe0)
			fuzz_net_time(&w, (u64)k.id * 200000000);
		else
			emit(&w, &k, p + 6, n - 6);
		for (int i = 0; i < 3; i++)
			drain(e[i], skip[i], bent);
	}
	fuzz_net_time(&w, 61000000000ull);
	fuzz_must(w.s->frags.n == 0 && w.s->frags.mem == 0);
	for (int i = 0; i < 4; i++)
		ep_close(e[i]);
	stack_free(w.s);
	return 0;
}
