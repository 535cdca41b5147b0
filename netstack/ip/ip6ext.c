/*
 * ip6ext.c - extension headers that a socket's packets carry: checked, kept, put in front of a packet.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "netstack/core/pktbuf.h"
#include "netstack/ip/ip6ext.h"
#include "netstack/wire/ip6.h"

enum { RT_TYPE2 = 2, RT_SEGMENTS = 4 };
enum { RT_HLEN = 8, ADDR = 16 };
#define HDR_ROOM 80     /* that the headers in front of these may still need in a packet's own area */

static u32 hdr_len(const u8 *h) { return (h[1] + 1u) * 8; }

int ip6ext_add(struct ip6_ext *x, int kind, const u8 *h, size_t n)
{
	if (n < 8 || hdr_len(h) > n)
		return -EINVAL;
	x->h[kind] = h;
	x->len[kind] = (u16)hdr_len(h);
	return 0;
}

/* RFC 8754: the list of segments, and behind it values that say how long they are. */
static bool segments_ok(const u8 *h, size_t n)
{
	size_t at;

	if (hdr_len(h) != n || h[3] > h[4] || h[1] < 2 || h[4] > h[1] / 2 - 1)
		return false;
	at = RT_HLEN + (h[4] + 1u) * ADDR;
	while (at < n) {
		if (n - at < 2 || h[at + 1] + 2u > n - at)
			return false;
		at += h[at + 1] + 2u;
	}
	return true;
}

bool ip6ext_rt_ok(const u8 *h, size_t n, bool sticky)
{
	if (h[2] == RT_TYPE2)
		return h[1] == 2 && h[3] == 1 && n >= hdr_len(h);
	return sticky && h[2] == RT_SEGMENTS && segments_ok(h, n);
}

const u8 *ip6ext_hop(const struct ip6_ext *x)
{
	const u8 *h = x->h[IP6EXT_RT];

	if (!h)
		return NULL;
	return h + RT_HLEN + (h[2] == RT_SEGMENTS ? h[3] * (u32)ADDR : 0);
}

struct ip6_sticky *ip6ext_keep(const struct ip6_ext *x)
{
	struct ip6_sticky *s = kbuf_alloc(sizeof(*s) + ip6ext_len(x));
	u8 *d;
	int i;

	if (!s)
		return NULL;
	ref_init(&s->ref);
	d = s->data;
	for (i = 0; i < IP6EXT_KINDS; i++) {
		if (!x->h[i])
			continue;
		memcpy(d, x->h[i], x->len[i]);
		s->x.h[i] = d;
		s->x.len[i] = x->len[i];
		d += x->len[i];
	}
	return s;
}

void ip6ext_unref(struct ip6_sticky *s)
{
	if (s && ref_put(&s->ref))
		kfree(s);
}

struct ip6_ext ip6ext_sent(const struct ip6_ext *x)
{
	struct ip6_ext r = *x;

	if (!r.h[IP6EXT_RT]) {
		r.h[IP6EXT_DST0] = NULL;
		r.len[IP6EXT_DST0] = 0;
	}
	return r;
}

/* A routing header as it leaves: the first hop stands in the IPv6 header, the end of the way last in the list. */
static void turn_route(u8 *h, const struct ipaddr *end)
{
	u32 hops = h[1] / 2;

	if (h[2] == RT_SEGMENTS) {
		memcpy(h + RT_HLEN, end->b, ADDR);
		return;
	}
	memmove(h + RT_HLEN, h + RT_HLEN + ADDR, (hops - 1) * ADDR);
	memcpy(h + RT_HLEN + (hops - 1) * ADDR, end->b, ADDR);
}

static bool push_one(struct pktbuf *p, const struct ip6_ext *x, int kind, const struct ipaddr *end, u8 *proto)
{
	static const u8 nh[IP6EXT_KINDS] = { IP6_NH_HOPOPTS, IP6_NH_DSTOPTS, IP6_NH_ROUTING, IP6_NH_DSTOPTS };
	u8 h[IP6EXT_LEN_MAX];
	u32 n = x->len[kind];

	if (!x->h[kind])
		return true;
	memcpy(h, x->h[kind], n);
	h[0] = *proto;
	if (kind == IP6EXT_RT)
		turn_route(h, end);
	*proto = nh[kind];
	if (n + HDR_ROOM > p->hdr_off)
		return pkt_push_block(p, h, n);
	memcpy(pkt_push(p, n), h, n);
	return true;
}

bool ip6ext_push(struct pktbuf *p, const struct ip6_ext *x, bool shared, const struct ipaddr *end, u8 *proto)
{
	if (!shared)
		return push_one(p, x, IP6EXT_DST1, end, proto);
	return push_one(p, x, IP6EXT_RT, end, proto) && push_one(p, x, IP6EXT_DST0, end, proto) &&
	       push_one(p, x, IP6EXT_HOP, end, proto);
}
