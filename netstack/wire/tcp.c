/*
 * tcp.c - TCP header and option parse and emit.
 */
#include <errno.h>
#include "netstack/wire/tcp.h"

enum { OPT_END, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_SACKOK, OPT_SACK, OPT_TS = 8, OPT_FASTOPEN = 34, OPT_EXP = 254 };

#define FO_MAGIC 0xf989

int tcp_parse(const u8 *p, size_t len, struct tcp_hdr *ret)
{
	struct tcp_hdr h;

	if (len < TCP_HLEN)
		return -EINVAL;
	h.sport = get_be16(p);
	h.dport = get_be16(p + 2);
	h.seq = get_be32(p + 4);
	h.ack = get_be32(p + 8);
	h.hlen = (u8)((p[12] >> 4) * 4);
	h.flags = p[13];
	h.wnd = get_be16(p + 14);
	h.urg = get_be16(p + 18);
	if (h.hlen < TCP_HLEN || h.hlen > len)
		return -EINVAL;
	*ret = h;
	return 0;
}

static void parse_sack(const u8 *p, size_t n, struct tcp_opts *o)
{
	o->nsack = 0;
	while (n >= 8 && o->nsack < TCP_SACK_MAX) {
		o->sack[o->nsack].start = get_be32(p);
		o->sack[o->nsack].end = get_be32(p + 4);
		o->nsack++;
		p += 8;
		n -= 8;
	}
}

static void parse_one(const u8 *p, size_t l, struct tcp_opts *o)
{
	if (p[0] == OPT_MSS && l == 4) {
		o->has_mss = true;
		o->mss = get_be16(p + 2);
	} else if (p[0] == OPT_WSCALE && l == 3) {
		o->has_wscale = true;
		o->wscale = p[2] > 14 ? 14 : p[2];      /* RFC 7323, 2.3 */
	} else if (p[0] == OPT_SACKOK && l == 2) {
		o->sack_ok = true;
	} else if (p[0] == OPT_SACK && l >= 10 && (l - 2) % 8 == 0) {
		parse_sack(p + 2, l - 2, o);
	} else if (p[0] == OPT_TS && l == 10) {
		o->has_ts = true;
		o->tsval = get_be32(p + 2);
		o->tsecr = get_be32(p + 6);
	} else if (p[0] == OPT_FASTOPEN && l % 2 == 0) {
		o->has_fo = true;
		o->fo_exp = false;
		o->fo_cookie = p + 2;
		o->fo_len = (u8)(l - 2);
	} else if (p[0] == OPT_EXP && l >= 4 && l % 2 == 0 && get_be16(p + 2) == FO_MAGIC) {
		o->has_fo = o->fo_exp = true;
		o->fo_cookie = p + 4;
		o->fo_len = (u8)(l - 4);
	}
}

void tcp_parse_opts(const u8 *p, size_t n, struct tcp_opts *ret)
{
	size_t i = 0;

	memset(ret, 0, sizeof(*ret));
	while (i < n && p[i] != OPT_END) {
		size_t l;

		if (p[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (n - i < 2)
			return;
		l = p[i + 1];
		if (l < 2 || l > n - i)
			return;
		parse_one(p + i, l, ret);
		i += l;
	}
}

void tcp_emit(u8 *p, const struct tcp_hdr *h)
{
	put_be16(p, h->sport);
	put_be16(p + 2, h->dport);
	put_be32(p + 4, h->seq);
	put_be32(p + 8, h->ack);
	p[12] = (u8)(h->hlen / 4 << 4);
	p[13] = h->flags;
	put_be16(p + 14, h->wnd);
	p[16] = p[17] = 0;
	put_be16(p + 18, h->urg);
}

static size_t emit_sack(u8 *p, const struct tcp_opts *o, size_t room)
{
	size_t n = MIN((size_t)o->nsack, (room - 4) / 8), i;

	p[0] = p[1] = OPT_NOP;
	p[2] = OPT_SACK;
	p[3] = (u8)(2 + n * 8);
	for (i = 0; i < n; i++) {
		put_be32(p + 4 + i * 8, o->sack[i].start);
		put_be32(p + 8 + i * 8, o->sack[i].end);
	}
	return 4 + n * 8;
}

static size_t emit_fo(u8 *p, const struct tcp_opts *o)
{
	size_t h = o->fo_exp ? 4 : 2, n = h + o->fo_len;

	p[0] = o->fo_exp ? OPT_EXP : OPT_FASTOPEN;
	p[1] = (u8)n;
	if (o->fo_exp)
		put_be16(p + 2, FO_MAGIC);
	if (o->fo_len)
		memcpy(p + h, o->fo_cookie, o->fo_len);
	while (n % 4)
		p[n++] = OPT_NOP;
	return n;
}

size_t tcp_emit_opts(u8 *p, const struct tcp_opts *o)
{
	size_t n = 0;

	if (o->has_mss) {
		p[n] = OPT_MSS;
		p[n + 1] = 4;
		put_be16(p + n + 2, o->mss);
		n += 4;
	}
	if (o->has_ts) {
		/* The pad in front is SACK-permitted when there is one to send: 4 bytes saved. */
		p[n] = o->sack_ok ? OPT_SACKOK : OPT_NOP;
		p[n + 1] = o->sack_ok ? 2 : OPT_NOP;
		p[n + 2] = OPT_TS;
		p[n + 3] = 10;
		put_be32(p + n + 4, o->tsval);
		put_be32(p + n + 8, o->tsecr);
		n += 12;
	} else if (o->sack_ok) {
		p[n] = p[n + 1] = OPT_NOP;
		p[n + 2] = OPT_SACKOK;
		p[n + 3] = 2;
		n += 4;
	}
	if (o->has_wscale) {
		p[n] = OPT_NOP;
		p[n + 1] = OPT_WSCALE;
		p[n + 2] = 3;
		p[n + 3] = o->wscale;
		n += 4;
	}
	if (o->nsack && n + 12 <= 40)
		n += emit_sack(p + n, o, 40 - n);
	if (o->has_fo && n + 4 + ALIGN_UP((size_t)o->fo_len, 4) <= 40)
		n += emit_fo(p + n, o);
	return n;
}
