/*
 * pool.h - memory that is freed all at once: everything a parsed config.json is made of.
 *
 * A struct that came from a pool points only into the same pool, so there
 * is one owner and one free.
 */
#pragma once
#include "platform/base/compiler.h"

struct pool_chunk;

struct pool {
	struct pool_chunk *chunks;
	size_t used;            /* in the newest chunk */
};

void pool_init(struct pool *p);
void pool_done(struct pool *p);
/* Zeroed and aligned to 8.  NULL: no memory, or the product overflows. */
void *pool_alloc(struct pool *p, size_t n, size_t elem) must_check;
char *pool_strdup(struct pool *p, const char *s) must_check;
char *pool_strndup(struct pool *p, const char *s, size_t n) must_check;
