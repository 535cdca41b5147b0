/* pool.c - see pool.h.  Chunks are a list; each is at least CHUNK bytes. */
#include "runsc-cli/oci/pool.h"
#include <string.h>
#include "platform/base/alloc.h"

#define CHUNK 16384

struct pool_chunk {
	struct pool_chunk *next;
	size_t cap;
	u8 mem[] __attribute__((aligned(16)));
};

void pool_init(struct pool *p)
{
	p->chunks = NULL;
	p->used = 0;
}

void pool_done(struct pool *p)
{
	while (p->chunks) {
		struct pool_chunk *c = p->chunks;

		p->chunks = c->next;
		kfree(c);
	}
}

void *pool_alloc(struct pool *p, size_t n, size_t elem)
{
	struct pool_chunk *c = p->chunks;
	size_t bytes, cap, total;
	void *ret;

	if (mul_overflows(n, elem, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	bytes = ALIGN_UP(MAX(bytes, (size_t)1), (size_t)8);
	if (!c || c->cap - p->used < bytes) {
		cap = MAX(bytes, (size_t)CHUNK);
		if (add_overflows(cap, sizeof(*c), &total))
			return NULL;
		c = kbuf_alloc(total);
		if (!c)
			return NULL;
		c->cap = cap;
		c->next = p->chunks;
		p->chunks = c;
		p->used = 0;
	}
	ret = c->mem + p->used;
	p->used += bytes;
	return ret;
}

char *pool_strndup(struct pool *p, const char *s, size_t n)
{
	char *d = pool_alloc(p, n + 1, 1);

	if (d)
		memcpy(d, s, n);
	return d;
}

char *pool_strdup(struct pool *p, const char *s)
{
	return pool_strndup(p, s, strlen(s));
}
