/*
 * fuzz_tcp_seq.c - live TCP connections, whose peer is hostile: sequences of segments, ACKs, options, errors.
 *
 * The input begins with how the handshake goes; records follow: a segment whose numbers are relative to
 * what the stack has sent and acknowledged, a call of the socket's owner, an ICMP error, time.
 * Every byte of a stream is a function of its place, both ways: what a reader gets
 * and what the stack sends must be those bytes, and the scoreboard must add up after every record.
 */
#include "netstack/core/stack.h"
#include "netstack/tcp/optnum.h"
#include "netstack/tcp/tcp.h"
#include "tests/fuzz/fuzz_net.h"

#define CONNS 4                 /* IPv4 and IPv6, that they and that we opened */

struct peer {
	bool v6;
	u16 port, lport;                /* ours (the hostile end), the stack's */
	u32 iss, irs;                   /* ours, the stack's */
	u32 acked, seen;                /* what the stack acknowledged; the end of what it has sent */
	u32 tsecr, tsval;
	bool syn, ts, twice, urgent;    /* twice, urgent: the oracles do not hold any more */
	struct ep *e;
	u32 put, got;                   /* bytes of the owner's streams */
};

struct world { struct fuzz_net n; struct peer p[CONNS]; u32 segs; };

static u8 byte_at(u32 off) { return (u8)(off ^ off >> 8 ^ off >> 16); }

/* ---- what the stack sends ---- */

static void take_tcp(struct world *w, const u8 *p, size_t n)
{
	struct tcp_hdr h;
	struct tcp_opts o;
	struct peer *c;
	u32 off;
	int i;

	fuzz_must(tcp_parse(p, n, &h) == 0);
	for (i = 0; i < CONNS && (w->p[i].port != h.dport || (w->p[i].lport && w->p[i].lport != h.sport)); i++)
		;
	if (i == CONNS)
		return;
	c = &w->p[i];
	memset(&o, 0, sizeof(o));
	tcp_parse_opts(p + TCP_HLEN, h.hlen - TCP_HLEN, &o);
	c->lport = h.sport;
	if (h.flags & TH_RST)
		return;
	if ((h.flags & TH_SYN) && (!c->syn || c->irs != h.seq)) {
		c->twice = c->twice || c->syn;
		c->syn = true;
		c->irs = h.seq;
		c->seen = h.seq + 1;
		c->ts = o.has_ts;
	}
	if (o.has_ts)
		c->tsecr = o.tsval;
	if (h.flags & TH_ACK)
		c->acked = h.ack;
	n -= h.hlen;
	off = h.seq - c->irs - 1;
	for (size_t k = 0; !c->twice && !(h.flags & TH_SYN) && off < 1u << 30 && k < n && off + k < c->put; k++)
		fuzz_must(p[h.hlen + k] == byte_at(off + (u32)k));
	c->seen = seq_max(c->seen, h.seq + (u32)n + (h.flags & (TH_SYN | TH_FIN) ? 1 : 0));
}

static void sent(struct fuzz_net *n, const u8 *p, size_t len)
{
	struct world *w = container_of(n, struct world, n);
	size_t h = p[0] >> 4 == 6 ? 40 : 20;

	/* A record causes so many packets, no more: a window of small segments. */
	fuzz_must(++w->segs < 50000);
	if (len >= h + TCP_HLEN && p[h == 40 ? 6 : 9] == IPPROTO_TCP)
		take_tcp(w, p + h, len - h);
}

/* ---- the peer ---- */

/* @olen bytes of options (a multiple of 4) and @len of the stream from @seq on. */
static void segment(struct world *w, struct peer *c, u32 seq, u32 ack, u8 flags, u16 wnd, const u8 *opt, size_t olen,
		    size_t len)
{
	u8 p[40 + 60 + 16384];
	size_t h = fuzz_ip_hdr(p, c->v6, IPPROTO_TCP, TCP_HLEN + olen + len, 1, 0x4000);
	struct tcp_hdr t = { .sport = c->port, .dport = c->lport, .seq = seq, .ack = ack, .flags = flags,
			     .hlen = (u8)(TCP_HLEN + olen), .wnd = wnd, .urg = flags & TH_URG ? wnd & 15 : 0 };

	memset(p + h, 0, TCP_HLEN);
	memcpy(p + h + TCP_HLEN, opt, olen);
	tcp_emit(p + h, &t);
	for (size_t i = 0; i < len; i++)
		p[h + t.hlen + i] = byte_at(seq + !!(flags & TH_SYN) + (u32)i - c->iss - 1);
	fuzz_net_rx(&w->n, p, h + t.hlen + len);
}

/* A signed distance: six bits, in bytes, segments, windows or quarters of the whole space. */
static u32 distance(u8 b)
{
	static const u32 unit[4] = { 1, 1000, 65536, 1u << 26 };

	return (u32)((signed char)(u8)(b << 2) >> 2) * unit[b >> 6];
}

static size_t options(struct peer *c, u8 *o, u8 what, u8 arg, const u8 *raw, size_t nraw)
{
	struct tcp_opts t = { .has_ts = c->ts != !!(what & 8), .tsval = c->tsval, .tsecr = c->tsecr };
	int i;

	memset(o, 0, 40);
	switch (what & 7) {
	case 1:
		t.tsval += distance(arg);
		break;
	case 2:
		t.tsecr += distance(arg);
		break;
	case 3: case 4:         /* blocks above what is acknowledged, of what was sent */
		t.nsack = (u8)(1 + (what >> 4 & (t.has_ts ? 1 : 3)));
		for (i = 0; i < t.nsack; i++) {
			t.sack[i].start = c->seen - (u32)(arg & 15) * 1000u - (u32)i * 3000u;
			t.sack[i].end = t.sack[i].start + (arg >> 4) * 1000u;
		}
		break;
	case 5: case 6:         /* whatever the input has */
		nraw = MIN(nraw, (size_t)(arg % 40)) & ~(size_t)3;
		memcpy(o, raw, nraw);
		return nraw;
	default:
		break;
	}
	return tcp_emit_opts(o, &t);
}

static void record_segment(struct world *w, struct peer *c, const u8 *r, const u8 *raw, size_t nraw)
{
	u8 opt[40], flags = r[0] ^ TH_ACK;
	size_t n;

	c->tsval++;
	c->urgent = c->urgent || (flags & TH_URG);
	n = options(c, opt, r[5], r[6], raw, nraw);
	segment(w, c, c->acked + distance(r[1]), c->seen + distance(r[2]), flags,
		r[4] & 128 ? (u16)(r[4] & 127) : (u16)(r[4] << 8 | 255), opt, n, r[3] * 41u);
}

static void record_icmp(struct world *w, struct peer *c, const u8 *r)
{
	u8 p[128] = { 0 }, inner[64] = { 0 };
	size_t h, ih = fuzz_ip_hdr(inner, c->v6, IPPROTO_TCP, TCP_HLEN, 1, 0);
	struct tcp_hdr t = { .sport = c->lport, .dport = c->port, .seq = c->seen + distance(r[1]), .hlen = TCP_HLEN };
	size_t al = c->v6 ? 16 : 4, at = c->v6 ? 8 : 12;
	u8 tmp[16];

	/* The packet that the stack sent: its ends are the other way round. */
	memcpy(tmp, inner + at, al);
	memmove(inner + at, inner + at + al, al);
	memcpy(inner + at + al, tmp, al);
	tcp_emit(inner + ih, &t);
	h = fuzz_ip_hdr(p, c->v6, c->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 8 + ih + TCP_HLEN, 1, 0);
	p[h] = c->v6 ? 1 + (r[2] & 3) : r[2] & 1 ? 3 : 11;
	p[h + 1] = r[3] & 15;
	put_be32(p + h + 4, (u32)r[4] << (r[5] & 7));
	memcpy(p + h + 8, inner, ih + TCP_HLEN);
	fuzz_net_rx(&w->n, p, h + 8 + ih + TCP_HLEN);
}

/* ---- the owner ---- */

static void owner_reads(struct peer *c, size_t n, u32 flags)
{
	static u8 buf[65536];
	struct fuzz_io io = { { n, fuzz_copy_out, NULL }, buf, sizeof(buf) };
	struct net_msg m = { .io = &io.io, .flags = flags };
	ssize_t r = ep_recv(c->e, &m);

	if (r <= 0 || flags & MSG_OOB)
		return;
	for (ssize_t i = 0; !c->urgent && i < r; i++)
		fuzz_must(buf[i] == byte_at(c->got + (u32)i));
	if (!(flags & MSG_PEEK))
		c->got += (u32)r;
}

static void owner_writes(struct peer *c, size_t n, u32 flags)
{
	static u8 buf[65536];
	struct fuzz_io io = { { n, fuzz_copy_in, NULL }, buf, n };
	struct net_msg m = { .io = &io.io, .flags = flags | MSG_NOSIGNAL };
	u32 before = c->put;
	ssize_t r;

	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(c->put + (u32)i);
	/* The first bytes leave before the call returns. */
	c->put += (u32)n;
	r = ep_send(c->e, &m);
	c->put = before + (r > 0 ? (u32)r : 0);
}

static void record_owner(struct world *w, struct peer *c, const u8 *r)
{
	static const int opt[8] = { TCP_NODELAY, TCP_CORK, TCP_QUICKACK, TCP_WINDOW_CLAMP, TCP_NOTSENT_LOWAT,
				    TCP_USER_TIMEOUT, TCP_MAXSEG, TCP_LINGER2 };
	int v = r[3] * (r[4] & 1 ? 50 : 1), e = 0;

	(void)w;
	switch (r[1] & 7) {
	case 0: case 1: owner_reads(c, r[2] * 250u, r[3] & 1 ? MSG_PEEK : r[3] & 2 ? MSG_OOB : 0); break;
	case 2: case 3: case 4:
		owner_writes(c, r[2] * 250u, r[3] & 1 ? MSG_MORE : r[3] & 2 ? MSG_OOB : r[3] & 4 ? MSG_EOR : 0);
		break;
	case 5: e = ep_setsockopt(c->e, IPPROTO_TCP, opt[r[2] & 7], &v, sizeof(v)); break;
	case 6: v = r[3] * 1000; e = ep_setsockopt(c->e, SOL_SOCKET, r[2] & 1 ? SO_RCVBUF : SO_SNDBUF, &v, sizeof(v)); break;
	default: e = ep_shutdown(c->e, r[2] % 3);
	}
	(void)e;
}

/* ---- what must hold ---- */

static void check_scoreboard(struct tcp_ep *t)
{
	u32 sacked = 0, lost = 0, retrans = 0, n = 0, at = t->snd_una;
	struct txr *x;

	if (!in_states(t, STATES_SYNCED))
		return;
	fuzz_must(seq_le(t->snd_una, t->snd_nxt));
	list_for_each(x, &t->txrs, node) {
		u32 len = x->end - x->seq;

		fuzz_must(len && seq_ge(x->seq, at) && seq_le(x->end, t->snd_nxt));
		at = x->end;
		n++;
		sacked += x->flags & TXR_SACKED ? len : 0;
		lost += x->flags & TXR_LOST ? len : 0;
		retrans += x->flags & TXR_RETRANS ? len : 0;
	}
	fuzz_must(n == t->ntxr && sacked == t->sacked && lost == t->lost && retrans == t->retrans);
	fuzz_must(t->cwnd >= t->mss && t->mss >= TCP_MSS_MIN - 40 && t->ooo_n <= TCP_OOO_MAX);
}

static void check(struct world *w)
{
	for (int i = 0; i < CONNS; i++) {
		u32 mem[9];
		size_t n = sizeof(mem);

		if (!w->p[i].e)
			continue;
		check_scoreboard(tcp(w->p[i].e));
		fuzz_must(ep_getsockopt(w->p[i].e, SOL_SOCKET, SO_MEMINFO, mem, &n) == 0 && n >= 8);
		fuzz_must(mem[0] <= 4 * MAX(mem[1], 1u << 17) + (1u << 18));
	}
}

/* ---- set-up ---- */

static void handshake(struct world *w, struct peer *c, struct ep *l, u8 how)
{
	struct tcp_opts t = { .has_mss = true, .mss = 1000, .has_wscale = how & 1, .wscale = how >> 5,
			      .sack_ok = how & 2, .has_ts = how & 4, .tsval = c->tsval };
	struct net_sa sa = { .family = c->v6 ? AF_INET6 : AF_INET, .port = c->port, .ip = fuzz_ip(c->v6, 2) };
	u8 opt[40] = { 0 }, ecn = how & 8 ? TH_ECE | TH_CWR : 0;
	u16 wnd = how & 16 ? 100 : 65535;
	size_t n;

	if (!l) {
		c->e = fuzz_sock(&w->n, c->v6, SOCK_STREAM, 0, 0);
		fuzz_must(ep_connect(c->e, &sa) == -EINPROGRESS && c->syn);
		t.tsecr = c->tsecr;
		t.has_ts = t.has_ts && c->ts;
		c->ts = t.has_ts;
		n = tcp_emit_opts(opt, &t);
		segment(w, c, c->iss, c->seen, TH_SYN | TH_ACK | (ecn & TH_ECE), wnd, opt, n, 0);
		fuzz_must(ep_connect_result(c->e) == 0);
		return;
	}
	n = tcp_emit_opts(opt, &t);
	segment(w, c, c->iss, 0, TH_SYN | ecn, wnd, opt, n, 0);
	fuzz_must(c->syn);
	t = (struct tcp_opts){ .has_ts = c->ts, .tsval = c->tsval, .tsecr = c->tsecr };
	n = tcp_emit_opts(opt, &t);
	segment(w, c, c->iss + 1, c->seen, TH_ACK, wnd, opt, n, 0);
	fuzz_must(ep_accept(l, NULL, &c->e) == 0);
}

static struct ep *listener(struct fuzz_net *n)
{
	struct ep *l = fuzz_sock(n, true, SOCK_STREAM, 0, 80);

	fuzz_must(ep_listen(l, 8) == 0);
	return l;
}

static void feed(struct world *w, const u8 *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		struct peer *c = &w->p[p[0] & 3];

		w->segs = 0;
		switch (p[0] >> 2 & 7) {
		case 0: case 1: case 2: case 3:
			record_segment(w, c, p + 1, p + 8, n - 8);
			break;
		case 4: case 5:
			if (c->e)
				record_owner(w, c, p);
			break;
		case 6:
			record_icmp(w, c, p);
			break;
		default:
			if (c->e && p[1] == 0xee) {
				ep_close(c->e);
				c->e = NULL;
			}
			fuzz_net_time(&w->n, ((u64)p[2] << (p[3] & 31)) * 1000);
		}
		check(w);
	}
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	struct world w = { .n = { .sent = sent } };
	struct ep *l, *kid;

	if (n < CONNS)
		return 0;
	fuzz_net_init(&w.n);
	l = listener(&w.n);
	for (u32 i = 0; i < CONNS; i++) {
		struct peer *c = &w.p[i];

		*c = (struct peer){ .v6 = i & 1, .port = (u16)(1000 + i), .lport = i & 2 ? 0 : 80, .iss = 0u - i * 5000u,
				    .tsval = 1000 };
		handshake(&w, c, i & 2 ? NULL : l, p[i]);
	}
	feed(&w, p + CONNS, n - CONNS);
	for (int i = 0; i < CONNS; i++)
		if (w.p[i].e)
			ep_close(w.p[i].e);
	while (ep_accept(l, NULL, &kid) == 0)
		ep_close(kid);
	ep_close(l);
	w.segs = 0;
	fuzz_net_time(&w.n, 1000000000000ull);
	stack_free(w.n.s);
	return 0;
}
