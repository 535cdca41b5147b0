/*
 * cookie.c - SYN cookies: a half-open connection without memory (RFC 4987).
 *
 * The ISN carries a 6-bit minute counter, a 2-bit MSS class and a 24-bit keyed
 * hash over the 4-tuple, the peer's ISN and the counter.  Window scale and
 * SACK are given up while under attack.
 */
#include "netstack/tcp/tcp.h"

#define TICK_NS (60 * NSEC_S)
#define MAX_AGE 2

static const u16 mss_class[4] = { 536, 1300, 1440, 1460 };

static u32 hash(struct stack *s, const struct connkey *k, u32 irs, u32 tick)
{
	u8 b[44];

	memcpy(b, k->laddr.b, 16);
	memcpy(b + 16, k->raddr.b, 16);
	put_be16(b + 32, k->lport);
	put_be16(b + 34, k->rport);
	put_be32(b + 36, irs);
	put_be32(b + 40, tick);
	return (u32)siphash(&s->key_cookie, b, sizeof(b)) & 0xffffff;
}

u32 cookie_make(struct stack *s, const struct connkey *k, u32 irs, u16 mss)
{
	u32 tick = (u32)(stack_now(s) / TICK_NS), c = 3;

	while (c && mss_class[c] > mss)
		c--;
	return (tick & 63) << 26 | c << 24 | hash(s, k, irs, tick);
}

bool cookie_check(struct stack *s, const struct connkey *k, u32 irs, u32 cookie, u16 *ret_mss)
{
	u32 now = (u32)(stack_now(s) / TICK_NS), age = ((now & 63) - (cookie >> 26)) & 63;

	if (age > MAX_AGE || hash(s, k, irs, now - age) != (cookie & 0xffffff))
		return false;
	*ret_mss = mss_class[cookie >> 24 & 3];
	return true;
}
