/*
 * siphash.c - SipHash-2-4 (Aumasson, Bernstein).
 */
#include <string.h>
#include "netstack/core/siphash.h"

static inline u64 rotl(u64 x, int b) { return x << b | x >> (64 - b); }

static inline void sip_round(u64 v[4])
{
	v[0] += v[1]; v[1] = rotl(v[1], 13); v[1] ^= v[0]; v[0] = rotl(v[0], 32);
	v[2] += v[3]; v[3] = rotl(v[3], 16); v[3] ^= v[2];
	v[0] += v[3]; v[3] = rotl(v[3], 21); v[3] ^= v[0];
	v[2] += v[1]; v[1] = rotl(v[1], 17); v[1] ^= v[2]; v[2] = rotl(v[2], 32);
}

u64 siphash(const struct sipkey *key, const void *buf, size_t n)
{
	u64 v[4] = { 0x736f6d6570736575ull ^ key->k[0], 0x646f72616e646f6dull ^ key->k[1],
		     0x6c7967656e657261ull ^ key->k[0], 0x7465646279746573ull ^ key->k[1] };
	const u8 *p = buf;
	u64 m, last = (u64)n << 56;
	size_t i;

	for (i = n / 8; i; i--, p += 8) {
		memcpy(&m, p, 8);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (i = 0; i < n % 8; i++)
		last |= (u64)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
