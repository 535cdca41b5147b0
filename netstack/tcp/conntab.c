/*
 * conntab.c - the table of TCP connections, half-open requests and TIME_WAITs.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "netstack/core/ipaddr.h"
#include "netstack/core/stack.h"
#include "netstack/tcp/conntab.h"
#include "netstack/tcp/tcp.h"

int conntab_init(struct conntab *t)
{
	int i;

	for (i = 0; i < CONN_LOCKS; i++)
		mutex_init(&t->mu[i], RANK_STACK);
	t->bucket = kbuf_array(CONN_BUCKETS, sizeof(*t->bucket));
	return t->bucket ? 0 : -ENOMEM;
}

void conntab_done(struct conntab *t)
{
	kfree(t->bucket);
	t->bucket = NULL;
}

static bool key_eq(const struct connkey *a, const struct connkey *b)
{
	return a->lport == b->lport && a->rport == b->rport && ip_eq(&a->laddr, &b->laddr) &&
	       ip_eq(&a->raddr, &b->raddr);
}

u32 conn_hash(struct stack *s, const struct connkey *k)
{
	u8 b[36];

	memcpy(b, k->laddr.b, 16);
	memcpy(b + 16, k->raddr.b, 16);
	put_be16(b + 32, k->lport);
	put_be16(b + 34, k->rport);
	return (u32)siphash(&s->key_hash, b, sizeof(b));
}

static struct mutex *lock_of(struct stack *s, u32 hash) { return &s->conns.mu[hash % CONN_LOCKS]; }
static struct connnode **bucket_of(struct stack *s, u32 hash)
{
	return &s->conns.bucket[hash % CONN_BUCKETS];
}

void conn_ref(struct connnode *n)
{
	if (n->kind == CONN_EP)
		ep_ref(&tcp_of_conn(n)->ep);
	else
		ref_get(conn_mini_ref(n));
}

void conn_unref(struct connnode *n)
{
	if (n->kind == CONN_EP)
		ep_unref(&tcp_of_conn(n)->ep);
	else if (ref_put(conn_mini_ref(n)))
		conn_mini_free(n);
}

static void link_locked(struct stack *s, struct connnode *n)
{
	struct connnode **b = bucket_of(s, n->hash);

	n->next = *b;
	if (*b)
		(*b)->prev = &n->next;
	n->prev = b;
	*b = n;
	n->hashed = true;
}

static bool unlink_locked(struct connnode *n)
{
	if (!n->hashed)
		return false;
	*n->prev = n->next;
	if (n->next)
		n->next->prev = n->prev;
	n->hashed = false;
	return true;
}

static struct connnode *find_locked(struct stack *s, const struct connkey *k, u32 h)
{
	struct connnode *n;

	for (n = *bucket_of(s, h); n; n = n->next)
		if (n->hash == h && key_eq(&n->key, k))
			return n;
	return NULL;
}

int conn_insert(struct stack *s, struct connnode *n)
{
	struct mutex *mu;
	int r = 0;

	n->hash = conn_hash(s, &n->key);
	mu = lock_of(s, n->hash);
	mutex_lock(mu);
	if (find_locked(s, &n->key, n->hash))
		r = -EADDRINUSE;
	else
		link_locked(s, n);
	mutex_unlock(mu);
	return r;
}

bool conn_replace(struct stack *s, struct connnode *old, struct connnode *n)
{
	struct mutex *mu = lock_of(s, old->hash);
	bool ok;

	n->hash = old->hash;
	mutex_lock(mu);
	ok = unlink_locked(old);
	if (ok)
		link_locked(s, n);
	mutex_unlock(mu);
	return ok;
}

bool conn_remove(struct stack *s, struct connnode *n)
{
	struct mutex *mu = lock_of(s, n->hash);
	bool was;

	mutex_lock(mu);
	was = unlink_locked(n);
	mutex_unlock(mu);
	return was;
}

struct connnode *conn_lookup(struct stack *s, const struct connkey *k)
{
	u32 h = conn_hash(s, k);
	struct mutex *mu = lock_of(s, h);
	struct connnode *n;

	mutex_lock(mu);
	n = find_locked(s, k, h);
	if (n)
		conn_ref(n);
	mutex_unlock(mu);
	return n;
}

int conn_bucket_nodes(struct stack *s, u32 bucket, int skip, struct connnode **ret, int max)
{
	struct mutex *mu = lock_of(s, bucket);
	struct connnode *n;
	int cnt = 0;

	mutex_lock(mu);
	for (n = s->conns.bucket[bucket]; n && cnt < max; n = n->next) {
		if (skip-- > 0)
			continue;
		conn_ref(n);
		ret[cnt++] = n;
	}
	mutex_unlock(mu);
	return cnt;
}
