/*
 * ip6ext.h - extension headers that a socket's packets carry (RFC 3542): hop-by-hop options, destination options before and
 * after a routing header, and that.
 *
 * A view (struct ip6_ext) points to headers that somebody else keeps: those of a socket, by a reference (struct ip6_sticky), or
 * the control messages of a call.  Each header in a view has the length that it says, a multiple of 8 up to IP6EXT_LEN_MAX.
 */
#pragma once
#include "platform/base/ref.h"
#include "netstack/api.h"

struct pktbuf;

#define IP6EXT_LEN_MAX 2048

/* In the order of the wire; what is from IP6EXT_DST1 on is cut into fragments. */
enum { IP6EXT_HOP, IP6EXT_DST0, IP6EXT_RT, IP6EXT_DST1, IP6EXT_KINDS };

struct ip6_ext {
	const u8 *h[IP6EXT_KINDS];      /* NULL: none */
	u16 len[IP6EXT_KINDS];
};

struct ip6_sticky {
	struct ref ref;
	struct ip6_ext x;               /* into data */
	u8 data[];
};

static inline u32 ip6ext_len(const struct ip6_ext *x)
{
	return (u32)x->len[0] + x->len[1] + x->len[2] + x->len[3];
}

/* One header for a view, of @n bytes there: 0, or -EINVAL. */
int ip6ext_add(struct ip6_ext *x, int kind, const u8 *h, size_t n) must_check;
/* A routing header that may be sent: @sticky allows segment routing's, too. */
bool ip6ext_rt_ok(const u8 *h, size_t n, bool sticky) must_check;
/* Where a packet with a routing header goes first. */
const u8 *ip6ext_hop(const struct ip6_ext *x);
/* A copy of a view with a reference, or NULL: no memory. */
struct ip6_sticky *ip6ext_keep(const struct ip6_ext *x) must_check;
void ip6ext_unref(struct ip6_sticky *s);        /* NULL is fine */
/* What is sent of a view: without a routing header no options before it. */
struct ip6_ext ip6ext_sent(const struct ip6_ext *x);
/*
 * Put headers in front of @p, those that fragments share (@shared) or the others.  *proto is what is behind them, and then what begins.
 * @end: where a routing header ends.  False: no memory.
 */
bool ip6ext_push(struct pktbuf *p, const struct ip6_ext *x, bool shared, const struct ipaddr *end, u8 *proto) must_check;
