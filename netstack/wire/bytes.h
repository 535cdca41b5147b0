/*
 * bytes.h - big-endian loads and stores at any alignment.
 */
#pragma once
#include <string.h>
#include "platform/base/compiler.h"

static inline u16 get_be16(const void *p)
{
	u16 v;

	memcpy(&v, p, 2);
	return __builtin_bswap16(v);
}

static inline u32 get_be32(const void *p)
{
	u32 v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline void put_be16(void *p, u16 v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, 2);
}

static inline void put_be32(void *p, u32 v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}
