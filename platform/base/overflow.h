/*
 * overflow.h - questions about ranges whose bounds come from a guest.
 *
 * add_overflows() and its kin are in compiler.h; these are the shapes that
 * come up again and again with them.
 */
#pragma once
#include "platform/base/compiler.h"

/* [start, start + len) lies within [0, limit), without wrapping. */
static inline bool range_ok(u64 start, u64 len, u64 limit)
{
	return start <= limit && len <= limit - start;
}

/* Round up to a power of two; true when the result does not fit. */
static inline bool align_up_overflows(u64 x, u64 align, u64 *ret)
{
	u64 sum;

	if (add_overflows(x, align - 1, &sum))
		return true;
	*ret = sum & ~(align - 1);
	return false;
}

/* Saturating arithmetic for sizes that meet an allocator's limit anyway. */
static inline size_t size_add(size_t a, size_t b)
{
	size_t r;

	return add_overflows(a, b, &r) ? SIZE_MAX : r;
}

static inline size_t size_mul(size_t a, size_t b)
{
	size_t r;

	return mul_overflows(a, b, &r) ? SIZE_MAX : r;
}
