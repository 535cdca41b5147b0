/*
 * hash.c - SipHash-1-3 (Aumasson and Bernstein) and the table over it.
 */
#include "platform/base/hash.h"

#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/bug.h"
#include "platform/base/rand.h"

#define MAX_BUCKETS ((size_t)1 << 20)

struct sip { u64 v0, v1, v2, v3; };

void hash_key_init(struct hash_key *key)
{
	rand_bytes(key, sizeof(*key));
}

static inline u64 rotl(u64 x, int b)
{
	return x << b | x >> (64 - b);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline struct sip sip_start(const struct hash_key *key)
{
	return (struct sip){
		.v0 = key->k[0] ^ 0x736f6d6570736575u,
		.v1 = key->k[1] ^ 0x646f72616e646f6du,
		.v2 = key->k[0] ^ 0x6c7967656e657261u,
		.v3 = key->k[1] ^ 0x7465646279746573u,
	};
}

static inline void sip_word(struct sip *s, u64 m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

static inline u64 sip_finish(struct sip *s)
{
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

u64 hash_bytes(const struct hash_key *key, const void *p, size_t n)
{
	struct sip s = sip_start(key);
	const char *c = p;
	u64 m, last = (u64)n << 56;
	size_t left = n;

	for (; left >= 8; left -= 8, c += 8) {
		memcpy(&m, c, 8);
		sip_word(&s, m);
	}
	m = 0;
	if (left > 0)
		memcpy(&m, c, left);
	sip_word(&s, last | m);
	return sip_finish(&s);
}

u64 hash_u64(const struct hash_key *key, u64 v)
{
	struct sip s = sip_start(key);

	sip_word(&s, v);
	sip_word(&s, (u64)8 << 56);
	return sip_finish(&s);
}

void htable_init(struct htable *t)
{
	*t = (struct htable){ 0 };
	t->bucket = &t->one;
}

void htable_done(struct htable *t)
{
	if (t->bucket != &t->one)
		kfree(t->bucket);
	htable_init(t);
}

static void grow(struct htable *t)
{
	size_t n = MAX((t->mask + 1) * 4, (size_t)8);
	struct hnode **b, *node, *next;

	if (n > MAX_BUCKETS)
		return;
	b = kbuf_array(n, sizeof(*b));
	if (!b)
		return;
	for (size_t i = 0; i <= t->mask; i++) {
		for (node = t->bucket[i]; node; node = next) {
			next = node->next;
			node->next = b[node->hash & (n - 1)];
			b[node->hash & (n - 1)] = node;
		}
	}
	if (t->bucket != &t->one)
		kfree(t->bucket);
	t->bucket = b;
	t->mask = n - 1;
}

void htable_add(struct htable *t, struct hnode *n, u64 hash)
{
	if (t->count > t->mask * 2)
		grow(t);
	n->hash = hash;
	n->next = t->bucket[hash & t->mask];
	t->bucket[hash & t->mask] = n;
	t->count++;
}

void htable_del(struct htable *t, struct hnode *n)
{
	struct hnode **link = &t->bucket[n->hash & t->mask];

	while (*link && *link != n)
		link = &(*link)->next;
	BUG_ON(!*link);
	*link = n->next;
	n->next = NULL;
	t->count--;
}

static struct hnode *same_hash(struct hnode *n, u64 hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

struct hnode *htable_find(const struct htable *t, u64 hash)
{
	return same_hash(t->bucket[hash & t->mask], hash);
}

struct hnode *htable_find_next(const struct hnode *n)
{
	return same_hash(n->next, n->hash);
}

static struct hnode *first_from(const struct htable *t, size_t i)
{
	for (; i <= t->mask; i++)
		if (t->bucket[i])
			return t->bucket[i];
	return NULL;
}

struct hnode *htable_first(const struct htable *t)
{
	return first_from(t, 0);
}

struct hnode *htable_next(const struct htable *t, const struct hnode *n)
{
	return n->next ? n->next : first_from(t, (n->hash & t->mask) + 1);
}

struct hnode *htable_any(const struct htable *t)
{
	return t->count > 0 ? htable_first(t) : NULL;
}
