/*
 * ip4opt.c - options of IPv4 headers: checked, filled in, turned round.
 */
#include <errno.h>
#include "netstack/core/ipaddr.h"
#include "netstack/core/route.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/ip4opt.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/ip4.h"

enum { OPT_END = 0, OPT_NOP = 1, OPT_RR = 7, OPT_TS = 68, OPT_LSRR = 131, OPT_SSRR = 137, OPT_RA = 148, OPT_COPIED = 0x80 };
enum { TS_ONLY = 0, TS_ADDR = 1, TS_PRESPEC = 3 };
enum { TS_OVERFLOW_MAX = 15 };

/* Who compiles: a packet's (own is set) or a sender's. */
struct by {
	struct stack *s;
	const struct ipaddr *own;
	bool net_raw;
};

/* Milliseconds since midnight UTC, as it stands in an option. */
static void put_time(struct stack *s, u8 *at)
{
	put_be32(at, (u32)(s->ops->realtime(s->ctx) / 1000000 % 86400000));
}

/* Somebody else's address. */
static bool is_foreign(struct stack *s, const u8 *at)
{
	struct ipaddr a = ip_from4(at);

	return !ip_is_any(&a) && !addr_is_local(s, &a) && !addr_is_group(s, &a);
}

/* In all of these: @o of @n bytes; 0, or one more than the offset of the byte that is wrong. */
static u8 compile_srr(const struct by *b, struct ip4_opts *r, u8 *o, u8 n)
{
	if (n < 3)
		return 2;
	if (o[2] < 4)
		return 3;
	if (r->srr)
		return 1;
	if (!b->own) {
		if (o[2] != 4 || n < 7 || (n - 3) % 4)
			return 2;
		memcpy(r->hop, o + 3, 4);
		memmove(o + 3, o + 7, n - 7u);
	}
	r->srr = (u8)(o - r->data + 1);
	return 0;
}

static u8 compile_rr(const struct by *b, struct ip4_opts *r, u8 *o, u8 n)
{
	if (r->rr)
		return 1;
	if (n < 3)
		return 2;
	if (o[2] < 4)
		return 3;
	if (o[2] <= n) {
		if (o[2] + 3 > n)
			return 3;
		if (b->own)
			memcpy(o + o[2] - 1, b->own->b + 12, 4);
		o[2] += 4;
		r->rr_addr = true;
	}
	r->rr = (u8)(o - r->data + 1);
	return 0;
}

/* There is room for four bytes at least. */
static u8 stamp(const struct by *b, struct ip4_opts *r, u8 *o, u8 n)
{
	u8 *at = o + o[2] - 1, kind = o[3] & 15;

	if (kind == TS_ONLY) {
		if (b->own)
			put_time(b->s, at);
		r->ts_time = true;
		o[2] += 4;
		return 0;
	}
	if (kind != TS_ADDR && kind != TS_PRESPEC)
		return b->own || b->net_raw ? 0 : 4;
	if (o[2] + 7 > n)
		return 3;
	if (kind == TS_PRESPEC && is_foreign(b->s, at))
		return 0;
	if (kind == TS_ADDR) {
		if (b->own)
			memcpy(at, b->own->b + 12, 4);
		r->ts_addr = true;
	}
	if (b->own)
		put_time(b->s, at + 4);
	r->ts_time = true;
	o[2] += 8;
	return 0;
}

static u8 compile_ts(const struct by *b, struct ip4_opts *r, u8 *o, u8 n)
{
	u8 bad = 0;

	if (r->ts)
		return 1;
	if (n < 4)
		return 2;
	if (o[2] < 5)
		return 3;
	if (o[2] <= n) {
		if (o[2] + 3 > n)
			return 3;
		bad = stamp(b, r, o, n);
	} else if ((o[3] & 15) != TS_PRESPEC) {
		if (o[3] >> 4 == TS_OVERFLOW_MAX)
			return 4;
		if (b->own)
			o[3] += 16;
	}
	r->ts = (u8)(o - r->data + 1);
	return bad;
}

static u8 compile_one(const struct by *b, struct ip4_opts *r, u8 *o, u8 n)
{
	switch (o[0]) {
	case OPT_SSRR: case OPT_LSRR:
		return compile_srr(b, r, o, n);
	case OPT_RR:
		return compile_rr(b, r, o, n);
	case OPT_TS:
		return compile_ts(b, r, o, n);
	case OPT_RA:
		return n < 4 ? 2 : 0;
	default:
		return b->own || b->net_raw ? 0 : 1;
	}
}

/* 0, or one more than the place in data[] of what is wrong. */
static u8 compile(const struct by *b, struct ip4_opts *r)
{
	u8 i = 0, n, bad;

	while (i < r->len) {
		u8 *o = r->data + i;

		if (*o == OPT_END) {
			memset(o, OPT_END, r->len - i);
			return 0;
		}
		if (*o == OPT_NOP) {
			i++;
			continue;
		}
		if (r->len - i < 2 || o[1] < 2 || o[1] > r->len - i)
			return (u8)(i + 1);
		n = o[1];
		bad = compile_one(b, r, o, n);
		if (bad)
			return (u8)(i + bad);
		i = (u8)(i + n);
	}
	return 0;
}

int ip4opt_set(struct stack *s, const void *opts, size_t n, bool net_raw, struct ip4_opts *ret)
{
	const struct by b = { .s = s, .net_raw = net_raw };
	struct ip4_opts o = { .len = (u8)ALIGN_UP(n, 4u) };

	if (n > IP4OPT_MAX)
		return -EINVAL;
	memcpy(o.data, opts, n);
	if (compile(&b, &o))
		return -EINVAL;
	if (o.srr && !net_raw)
		return -EPERM;
	*ret = o;
	return 0;
}

u8 ip4opt_rx(struct stack *s, const struct ipaddr *own, struct ip4_opts *o)
{
	const struct by b = { .s = s, .own = own, .net_raw = true };
	u8 bad = compile(&b, o);

	return bad ? (u8)(IP4_HLEN + bad - 1) : 0;
}

/* Take the last four bytes back out of a list that grew. */
static void take_back(u8 *o)
{
	o[2] -= 4;
	memset(o + o[2] - 1, 0, 4);
}

void ip4opt_undo(struct ip4_opts *o)
{
	u8 *p;

	if (o->srr) {
		p = o->data + o->srr - 1;
		memmove(p + 7, p + 3, p[1] - 7u);
		memcpy(p + 3, o->hop, 4);
	}
	if (o->rr_addr)
		take_back(o->data + o->rr - 1);
	if (!o->ts)
		return;
	p = o->data + o->ts - 1;
	if (o->ts_time) {
		take_back(p);
		if ((p[3] & 15) == TS_PRESPEC)
			p[2] -= 4;
	}
	if (o->ts_addr)
		take_back(p);
}

/* @o is a copy of the packet's; false: what was recorded does not fit to what it says. */
static bool echo_ts(struct stack *s, const struct ip4_opts *rx, u8 *o, struct ip4_opts *r)
{
	u8 n = o[1], at = o[2];

	if (at > n)
		return true;
	if (rx->ts_addr) {
		if (at + 3 > n)
			return false;
		r->ts_addr = true;
		at += 4;
	}
	if (rx->ts_time) {
		if (at + 3 > n)
			return false;
		if ((o[3] & 15) != TS_PRESPEC) {
			r->ts_time = true;
			at += 4;
		} else if (at + 7 <= n && !is_foreign(s, o + at - 1)) {
			r->ts_time = true;
			at += 8;
		}
	}
	o[2] = at;
	return true;
}

bool ip4opt_echo(struct stack *s, const struct ip4_opts *rx, struct ip4_opts *ret)
{
	struct ip4_opts r = { 0 };
	const u8 *o;
	u8 *d;

	if (rx->rr) {
		o = rx->data + rx->rr - 1;
		d = r.data;
		memcpy(d, o, o[1]);
		r.rr = 1;
		if (rx->rr_addr && d[2] <= d[1]) {
			if (d[2] + 3 > d[1])
				return false;
			d[2] += 4;
			r.rr_addr = true;
		}
		r.len = o[1];
	}
	if (rx->ts) {
		o = rx->data + rx->ts - 1;
		d = r.data + r.len;
		memcpy(d, o, o[1]);
		r.ts = (u8)(r.len + 1);
		if (!echo_ts(s, rx, d, &r))
			return false;
		r.len = (u8)(r.len + o[1]);
	}
	r.len = (u8)ALIGN_UP(r.len, 4u);
	*ret = r;
	return true;
}

/* @o[2] stands behind what is to be filled in. */
static void fill(struct stack *s, const struct ipaddr *own, const struct ip4_opts *o, u8 *data)
{
	u8 *p;

	if (o->rr_addr) {
		p = data + o->rr - 1;
		memcpy(p + p[2] - 5, own->b + 12, 4);
	}
	if (!o->ts)
		return;
	p = data + o->ts - 1;
	if (o->ts_addr)
		memcpy(p + p[2] - 9, own->b + 12, 4);
	if (o->ts_time)
		put_time(s, p + p[2] - 5);
}

void ip4opt_forward(struct stack *s, const struct ipaddr *own, struct ip4_opts *rx) { fill(s, own, rx, rx->data); }

void ip4opt_put(struct stack *s, const struct ip4_opts *o, const struct ipaddr *end, struct ip_tx *t, u8 room[IP4OPT_MAX])
{
	memcpy(room, o->data, o->len);
	if (o->srr)
		memcpy(room + o->srr - 1 + o->data[o->srr] - 4, end->b + 12, 4);
	fill(s, &t->src, o, room);
	t->opts = room;
	t->opts_len = o->len;
}

void ip4opt_strip(u8 *opts, size_t n)
{
	size_t i = 0, l;

	while (i < n && opts[i] != OPT_END) {
		if (opts[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (n - i < 2 || opts[i + 1] < 2 || opts[i + 1] > n - i)
			return;
		l = opts[i + 1];
		if (!(opts[i] & OPT_COPIED))
			memset(opts + i, OPT_NOP, l);
		i += l;
	}
}
