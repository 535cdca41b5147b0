/*
 * hash.h - keyed hashing and a chained hash table, embedded in what it holds.
 *
 * Keys that a guest chooses (names, addresses, ports) are hashed with a
 * secret, so that nobody can make one long chain.  Adding cannot fail: when a
 * larger table cannot be had, chains get longer.  The caller brings the lock.
 */
#pragma once
#include "platform/base/compiler.h"

struct hash_key { u64 k[2]; };

void hash_key_init(struct hash_key *key);       /* random */
u64 hash_bytes(const struct hash_key *key, const void *p, size_t n);    /* SipHash-1-3 */
u64 hash_u64(const struct hash_key *key, u64 v);

struct hnode {
	struct hnode *next;
	u64 hash;               /* set by htable_add */
};

struct htable {
	struct hnode **bucket;  /* &one until the first growth */
	size_t mask;            /* buckets - 1 */
	size_t count;
	struct hnode *one;
};

void htable_init(struct htable *t);
void htable_done(struct htable *t);             /* frees the buckets; nodes are the caller's */
void htable_add(struct htable *t, struct hnode *n, u64 hash);
void htable_del(struct htable *t, struct hnode *n);     /* must be in the table */
/* Nodes whose whole hash equals @hash: the caller compares keys. NULL at the end. */
struct hnode *htable_find(const struct htable *t, u64 hash);
struct hnode *htable_find_next(const struct hnode *n);
/* Every node, in no order; the table must not change meanwhile (but see htable_any). */
struct hnode *htable_first(const struct htable *t);
struct hnode *htable_next(const struct htable *t, const struct hnode *n);
/* Some node, for emptying a table: while ((n = htable_any(t))) htable_del(t, n); */
struct hnode *htable_any(const struct htable *t);

#define hnode_entry(p, T, m) container_of(p, T, m)
