/*
 * keyring.c - rings: links, searches, no cycles; see keys_int.h.
 *
 * A ring has at most one key of a type and description.  Walks go breadth first; within one, a
 * ring is looked into once (mark), so that rings which share rings cost their links and no more.
 */
#include <errno.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/ipc/keys_int.h"
#include "sentry/kernel/settings.h"
#include "sentry/kernel/task.h"

struct key_link *ring_find(struct key *ring, enum key_kind kind, const char *desc)
{
	struct key_link *l;

	list_for_each(l, &ring->links, in_ring)
		if (l->key->kind == kind && !strcmp(l->key->desc, desc))
			return l;
	return NULL;
}

struct key_link *ring_has(struct key *ring, const struct key *k)
{
	struct key_link *l;

	list_for_each(l, &ring->links, in_ring)
		if (l->key == k)
			return l;
	return NULL;
}

/* The key may go with it, the ring does not. */
static void cut(struct keys *ks, struct key_link *l)
{
	struct key *k = l->key;

	list_del_init(&l->in_ring);
	list_del_init(&l->in_key);
	l->ring->nlinks--;
	ks->nlinks--;
	kfree(l);
	key_drop(ks, k);
}

/* Never more than before: cannot fail. */
static void charge_links(struct keys *ks, struct key *ring)
{
	(void)!key_recharge(ks, ring, ring->nlinks * KEY_LINK_BYTES);
}

void ring_unlink(struct keys *ks, struct key_link *l)
{
	struct key *ring = l->ring;

	cut(ks, l);
	charge_links(ks, ring);
}

void ring_clear(struct keys *ks, struct key *ring)
{
	if (ring->kind != KEY_RING)
		return;
	while (!list_empty(&ring->links))
		cut(ks, list_first(&ring->links, struct key_link, in_ring));
	charge_links(ks, ring);
}

void ring_prune(struct keys *ks, struct key *ring, s64 now)
{
	struct key_link *l, *next;

	list_for_each_safe(l, next, &ring->links, in_ring) {
		const struct key *k = l->key;
		s64 since = k->revoked ? k->dead_at : k->expiry;

		if (since && now >= since + setting_get(ks->settings, SETTING_KEY_GC_DELAY))
			ring_unlink(ks, l);
	}
}

/*
 * Would a link from @ring to @below make a cycle, or is @below too deep?  A ring counts once per
 * level, as the longest way to it is what matters.
 */
static int check_cycle(struct keys *ks, const struct key *ring, struct key *below)
{
	struct list_head *now = &ks->level, *next = &ks->next_level;
	struct key_link *l;
	int r = ring == below ? -EDEADLK : 0;

	list_add_tail(&below->queue, now);
	for (u32 depth = 0; r == 0 && !list_empty(now); depth++) {
		ks->mark++;
		while (!list_empty(now)) {
			struct key *k = list_first(now, struct key, queue);

			list_del_init(&k->queue);
			list_for_each(l, &k->links, in_ring) {
				if (l->key->kind != KEY_RING || l->key->mark == ks->mark || r < 0)
					continue;
				r = l->key == ring ? -EDEADLK : depth >= RING_DEPTH ? -ELOOP : 0;
				l->key->mark = ks->mark;
				list_add_tail(&l->key->deeper, next);
			}
		}
		while (!list_empty(next)) {
			struct key *k = list_first(next, struct key, deeper);

			list_del_init(&k->deeper);
			list_add_tail(&k->queue, now);
		}
	}
	while (!list_empty(now))
		list_del_init(now->next);
	return r;
}

int ring_may_link(struct keys *ks, struct key *ring, const struct key *k)
{
	if (ring->kind != KEY_RING)
		return -ENOTDIR;
	if (!ring_find(ring, k->kind, k->desc) &&
	    (ring->user->nbytes + KEY_LINK_BYTES > key_quota_bytes(ks, ring->user->uid) || ks->nlinks >= KEYS_LINKS ||
	     ks->nbytes + KEY_LINK_BYTES > KEYS_BYTES))
		return -EDQUOT;
	return ring->restricted ? -EPERM : 0;
}

int ring_link(struct keys *ks, struct key *ring, struct key *k)
{
	struct key_link *l, *old;
	int r = ring_may_link(ks, ring, k);

	if (r == 0 && k->kind == KEY_RING)
		r = check_cycle(ks, ring, k);
	if (r < 0)
		return r;
	old = ring_find(ring, k->kind, k->desc);
	if (old && old->key == k)
		return 0;
	if (!old) {
		r = key_recharge(ks, ring, (ring->nlinks + 1) * KEY_LINK_BYTES);
		if (r < 0)
			return r;
	}
	l = knew(struct key_link);
	if (!l) {
		charge_links(ks, ring);
		return -ENOMEM;
	}
	l->ring = ring;
	l->key = key_hold(k);
	list_add_tail(&l->in_ring, &ring->links);
	list_add_tail(&l->in_key, &k->uses);
	ring->nlinks++;
	ks->nlinks++;
	if (old)
		cut(ks, old);
	return 0;
}

/* Is @k what is searched for?  0 yes, -EAGAIN no, or what is wrong with it. */
static int examine(struct task *t, struct key_search *s, struct key *k, bool possessed)
{
	s64 now = key_now(t);

	if (s->want ? k != s->want : k->kind != s->kind || strcmp(k->desc, s->desc))
		return -EAGAIN;
	if (!s->want) {
		if (k->invalid || k->revoked)
			return -EKEYREVOKED;
		if (k->expiry && now >= k->expiry)
			return s->skip_expired ? -EAGAIN : -EKEYEXPIRED;
	}
	if (key_permit(t, k, possessed, NEED_SEARCH) < 0)
		return -EACCES;
	s->found = k;
	return 0;
}

static bool may_enter(struct task *t, const struct key *k, bool possessed)
{
	return k->kind == KEY_RING && !k->invalid && !k->revoked && key_permit(t, k, possessed, NEED_SEARCH) == 0;
}

/* One walk from @ring, with ks->mark as it is; @s NULL: only mark what could be found. */
static int walk(struct keys *ks, struct task *t, struct key *ring, bool possessed, struct key_search *s)
{
	struct list_head *todo = &ks->level;
	struct key_link *l;
	int err = -EAGAIN, r;

	ring->mark = ks->mark;
	ring->depth = 0;
	list_add_tail(&ring->queue, todo);
	while (!list_empty(todo)) {
		struct key *k = list_first(todo, struct key, queue);

		list_del_init(&k->queue);
		list_for_each(l, &k->links, in_ring) {
			struct key *c = l->key;

			r = s ? examine(t, s, c, possessed) : -EAGAIN;
			if (r != -EAGAIN)
				err = r;
			if (r == 0)
				goto out;
			if (c->mark == ks->mark)
				continue;
			if (!s && key_permit(t, c, possessed, NEED_SEARCH) == 0)
				c->mark = ks->mark;
			if (k->depth >= RING_DEPTH || !may_enter(t, c, possessed))
				continue;
			c->mark = ks->mark;
			c->depth = k->depth + 1;
			list_add_tail(&c->queue, todo);
		}
	}
out:
	while (!list_empty(todo))
		list_del_init(todo->next);
	return err;
}

int ring_search(struct keys *ks, struct task *t, struct key *ring, bool possessed, struct key_search *s)
{
	int r;

	if (ring->kind != KEY_RING)
		return -ENOTDIR;
	if (key_permit(t, ring, possessed, NEED_SEARCH) < 0)
		return -EACCES;
	r = examine(t, s, ring, possessed);
	if (r != -EAGAIN)
		return r;
	ks->mark++;
	return walk(ks, t, ring, possessed, s);
}

void ring_mark(struct keys *ks, struct task *t, struct key *ring)
{
	if (ring->mark != ks->mark && key_permit(t, ring, true, NEED_SEARCH) == 0)
		(void)!walk(ks, t, ring, true, NULL);
}
