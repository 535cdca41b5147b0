/*
 * bitmap.h - sets of small numbers in arrays of u64.
 *
 * The caller brings storage (BITMAP_WORDS) and lock.  Searches return @nbits
 * when there is nothing to find.
 */
#pragma once
#include "platform/base/compiler.h"

#define BITMAP_WORDS(nbits) (((nbits) + 63) / 64)

static inline bool bitmap_test(const u64 *map, size_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(u64 *map, size_t bit)
{
	map[bit / 64] |= (u64)1 << (bit % 64);
}

static inline void bitmap_clear(u64 *map, size_t bit)
{
	map[bit / 64] &= ~((u64)1 << (bit % 64));
}

/* First bit >= @from in the map xor @flip; flip is 0 (set bits) or ~0 (clear bits). */
static inline size_t bitmap_scan(const u64 *map, size_t nbits, size_t from, u64 flip)
{
	for (size_t w = from / 64; from < nbits; from = ++w * 64) {
		u64 v = (map[w] ^ flip) & (~(u64)0 << (from % 64));

		if (v) {
			size_t bit = w * 64 + (size_t)__builtin_ctzll(v);

			return bit < nbits ? bit : nbits;
		}
	}
	return nbits;
}

static inline size_t bitmap_next_set(const u64 *map, size_t nbits, size_t from)
{
	return bitmap_scan(map, nbits, from, 0);
}

static inline size_t bitmap_next_clear(const u64 *map, size_t nbits, size_t from)
{
	return bitmap_scan(map, nbits, from, ~(u64)0);
}

static inline size_t bitmap_count(const u64 *map, size_t nbits)
{
	size_t n = 0;

	for (size_t b = bitmap_next_set(map, nbits, 0); b < nbits; b = bitmap_next_set(map, nbits, b + 1))
		n++;
	return n;
}
