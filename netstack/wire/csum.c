/*
 * csum.c - the Internet checksum over 8-byte words.
 *
 * Addition in one's complement does not care about word size or byte order,
 * so 64-bit adds with end-around carry do the work of four 16-bit ones.
 */
#include "netstack/wire/csum.h"

u64 csum_bytes(const void *buf, size_t n, u64 sum)
{
	const u8 *p = buf;
	u64 w[4], tail = 0;

	while (n >= 32) {
		memcpy(w, p, 32);
		sum = csum_add(sum, w[0]);
		sum = csum_add(sum, w[1]);
		sum = csum_add(sum, w[2]);
		sum = csum_add(sum, w[3]);
		p += 32;
		n -= 32;
	}
	while (n >= 8) {
		memcpy(w, p, 8);
		sum = csum_add(sum, w[0]);
		p += 8;
		n -= 8;
	}
	if (n) {
		memcpy(&tail, p, n);
		sum = csum_add(sum, tail);
	}
	return sum;
}

u64 csum_pseudo(const void *src, const void *dst, size_t alen, u8 proto, u32 len)
{
	u8 t[8] = { 0 };
	u64 sum;

	put_be32(t, len);
	t[7] = proto;
	sum = csum_bytes(src, alen, 0);
	sum = csum_bytes(dst, alen, sum);
	return csum_bytes(t, sizeof(t), sum);
}
