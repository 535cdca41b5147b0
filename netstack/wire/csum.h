/*
 * csum.h - the Internet checksum (RFC 1071), as running sums.
 *
 * A running sum is a u64 in host byte order of 16-bit words in memory order;
 * csum_fold() gives the 16 bits to store as they are (memcpy, no swap).
 * A block that starts at an odd offset is added with csum_block_add().
 */
#pragma once
#include "netstack/wire/bytes.h"

u64 csum_bytes(const void *p, size_t n, u64 sum);

static inline u64 csum_add(u64 a, u64 b)
{
	a += b;
	return a + (a < b);
}

static inline u16 csum_fold(u64 s)
{
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (u16)~s;
}

/* Add the sum of a block that starts @off bytes into the whole. */
static inline u64 csum_block_add(u64 sum, u64 part, size_t off)
{
	u16 f = (u16)~csum_fold(part);

	if (off & 1)
		f = __builtin_bswap16(f);
	return csum_add(sum, f);
}

/* Pseudo header: addresses are 4 or 16 bytes as on the wire. */
u64 csum_pseudo(const void *src, const void *dst, size_t alen, u8 proto, u32 len);
