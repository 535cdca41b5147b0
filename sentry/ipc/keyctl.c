/*
 * keyctl.c - add_key(2), request_key(2), and what keyctl(2) does to rings; see keys.h.
 *
 * Each call is one critical section; what it looks up it holds (auto_* cannot: a drop needs the registry).
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/ipc/keys_int.h"
#include "sentry/kernel/task.h"

static struct keys *lock(struct task *t) NO_TSA
{
	mutex_lock(&t->kernel->keys->mu);
	return t->kernel->keys;
}

static long unlock(struct keys *ks, long r) NO_TSA
{
	mutex_unlock(&ks->mu);
	return r;
}

/* New content for a "user" or "logon" key, and a new life if it had an end. */
static int replace_data(struct keys *ks, struct key *k, const void *data, size_t n)
{
	void *fresh, *old = k->data;
	int r;

	if (n == 0 || n > KEY_DATA_MAX)
		return -EINVAL;
	r = n > k->charged ? key_recharge(ks, k, (u32)n) : 0;
	if (r < 0)
		return r;
	fresh = kbuf_alloc(n);
	if (!fresh) {
		(void)!key_recharge(ks, k, k->len);
		return -ENOMEM;
	}
	memcpy(fresh, data, n);
	k->data = fresh;
	k->len = (u32)n;
	(void)!key_recharge(ks, k, (u32)n);     /* no more than it has by now */
	k->expiry = 0;
	kfree(old);
	return 0;
}

static bool has_data(enum key_kind kind)
{
	return kind != KEY_RING;
}

static long add(struct keys *ks, struct task *t, const struct key_spec *s, struct key_ref ring, size_t n)
{
	struct key_link *l;
	struct key *k;
	long r;

	if (ring.key->kind != KEY_RING)
		return -ENOTDIR;
	if (!s->desc || (has_data(s->kind) ? n == 0 || n > KEY_DATA_MAX : n != 0))
		return -EINVAL;
	r = ring_may_link(ks, ring.key, &(struct key){ .kind = s->kind, .desc = (char *)(uintptr_t)s->desc });
	if (r < 0)
		return r;
	l = has_data(s->kind) ? ring_find(ring.key, s->kind, s->desc) : NULL;
	if (l && !l->key->revoked && !l->key->invalid) {
		k = l->key;
		r = key_permit(t, k, ring.possessed, NEED_WRITE);
		if (r == 0)
			r = replace_data(ks, k, s->data, n);
		return r < 0 ? r : k->serial;
	}
	r = key_new(ks, t, s, &k);
	if (r < 0)
		return r;
	r = ring_link(ks, ring.key, k);
	if (r == 0)
		r = k->serial;
	key_drop(ks, k);
	return r;
}

long keys_add(struct task *t, struct key_name name, const void *data, size_t n, s32 id)
{
	struct keys *ks = lock(t);
	struct key_spec s = {
		.desc = name.desc, .data = data, .len = n <= KEY_DATA_MAX ? (u32)n : 0,
		.uid = task_cred(t)->fsuid, .gid = task_cred(t)->fsgid,
	};
	struct key_ref ring;
	long r = key_lookup(ks, t, id, LOOKUP_CREATE, NEED_WRITE, &ring);
	int kind = key_kind_of(name.type);

	if (r < 0)
		return unlock(ks, r);
	s.kind = kind < 0 ? KEY_USER : (enum key_kind)kind;
	s.perm = PERM(s.kind == KEY_LOGON ? NEED_ALL & ~NEED_READ : NEED_ALL, NEED_VIEW);
	r = kind < 0 ? kind : add(ks, t, &s, ring, n);
	key_drop(ks, ring.key);
	return unlock(ks, r);
}

/* ---- finding ---- */

/* What was found, also in @dest if there is one. */
static long found(struct keys *ks, struct task *t, struct key *k, bool possessed, struct key *dest)
{
	long r = 0;

	if (dest) {
		r = key_permit(t, k, possessed, NEED_LINK);
		if (r == 0)
			r = ring_link(ks, dest, k);
	}
	return r < 0 ? r : k->serial;
}

static long lookup_dest(struct keys *ks, struct task *t, s32 id, struct key_ref *ret)
{
	*ret = (struct key_ref){ 0 };
	return id ? key_lookup(ks, t, id, LOOKUP_CREATE, NEED_WRITE, ret) : 0;
}

/* Where a key that is built without a destination would go: Linux looks for the right to do so first. */
static long may_build(struct task *t)
{
	struct key *ring[] = { t->keys.thread, t->keys.process, t->keys.session };
	int first = MAX(t->keys.reqkey, KEY_REQKEY_DEFL_THREAD_KEYRING) - KEY_REQKEY_DEFL_THREAD_KEYRING;

	for (int i = first; i < (int)ARRAY_SIZE(ring); i++)
		if (ring[i])
			return key_permit(t, ring[i], true, NEED_WRITE);
	return 0;
}

long keys_request(struct task *t, struct key_name name, s32 dest_id, bool build)
{
	struct keys *ks = lock(t);
	struct key_search s = { .desc = name.desc, .skip_expired = true };
	int kind = key_kind_of(name.type);
	struct key_ref dest;
	long r = lookup_dest(ks, t, dest_id, &dest);

	if (r == 0 && kind < 0)
		r = -ENOKEY;
	if (r == 0) {
		s.kind = (enum key_kind)kind;
		r = process_search(ks, t, &s);
	}
	if (r == 0)
		r = found(ks, t, s.found, true, dest.key);
	if (r == -EAGAIN && build && !dest.key)
		r = may_build(t);
	key_drop(ks, dest.key);
	return unlock(ks, r == -EAGAIN || r == 0 ? -ENOKEY : r);
}

long keys_search(struct task *t, s32 id, struct key_name name, s32 dest_id)
{
	struct keys *ks = lock(t);
	struct key_search s = { .desc = name.desc };
	int kind = key_kind_of(name.type);
	struct key_ref ring, dest;
	long r = key_lookup(ks, t, id, 0, NEED_SEARCH, &ring);

	if (r < 0)
		return unlock(ks, r);
	r = lookup_dest(ks, t, dest_id, &dest);
	if (r == 0 && kind < 0)
		r = -ENOKEY;
	if (r == 0) {
		s.kind = (enum key_kind)kind;
		r = ring_search(ks, t, ring.key, ring.possessed, &s);
	}
	if (r == 0)
		r = found(ks, t, s.found, ring.possessed, dest.key);
	key_drop(ks, dest.key);
	key_drop(ks, ring.key);
	return unlock(ks, r == -EAGAIN ? -ENOKEY : r);
}

long keys_ring_id(struct task *t, s32 id, bool create)
{
	struct keys *ks = lock(t);
	struct key_ref k;
	long r = key_lookup(ks, t, id, create ? LOOKUP_CREATE : 0, NEED_SEARCH, &k);

	if (r == 0) {
		r = k.key->serial;
		key_drop(ks, k.key);
	}
	return unlock(ks, r);
}

long keys_join_session(struct task *t, const char *name)
{
	struct keys *ks = lock(t);

	return unlock(ks, process_join(ks, t, name));
}

/* ---- links ---- */

long keys_clear(struct task *t, s32 id)
{
	struct keys *ks = lock(t);
	struct key_ref ring;
	long r = key_lookup(ks, t, id, LOOKUP_CREATE, NEED_WRITE, &ring);

	if (r < 0)
		return unlock(ks, r);
	if (ring.key->kind == KEY_RING)
		ring_clear(ks, ring.key);
	else
		r = -ENOTDIR;
	key_drop(ks, ring.key);
	return unlock(ks, r);
}

long keys_link(struct task *t, s32 id, s32 ring_id)
{
	struct keys *ks = lock(t);
	struct key_ref ring, k;
	long r = key_lookup(ks, t, ring_id, LOOKUP_CREATE, NEED_WRITE, &ring);

	if (r < 0)
		return unlock(ks, r);
	r = key_lookup(ks, t, id, LOOKUP_CREATE, NEED_LINK, &k);
	if (r == 0) {
		r = ring_link(ks, ring.key, k.key);
		key_drop(ks, k.key);
	}
	key_drop(ks, ring.key);
	return unlock(ks, r);
}

static long unlink_from(struct keys *ks, struct key *ring, const struct key *k)
{
	struct key_link *l;

	if (ring->kind != KEY_RING)
		return -ENOTDIR;
	l = ring_has(ring, k);
	if (!l)
		return -ENOENT;
	ring_unlink(ks, l);
	return 0;
}

long keys_unlink(struct task *t, s32 id, s32 ring_id)
{
	struct keys *ks = lock(t);
	struct key_ref ring, k;
	long r = key_lookup(ks, t, ring_id, 0, NEED_WRITE, &ring);

	if (r < 0)
		return unlock(ks, r);
	r = key_lookup(ks, t, id, 0, NEED_NOTHING, &k);
	if (r == 0) {
		r = unlink_from(ks, ring.key, k.key);
		key_drop(ks, k.key);
	}
	key_drop(ks, ring.key);
	return unlock(ks, r);
}

static long move(struct keys *ks, struct key *k, struct key *from, struct key *to, u32 flags)
{
	long r;

	if (from == to)
		return 0;
	if (from->kind != KEY_RING || to->kind != KEY_RING)
		return -ENOTDIR;
	if (!ring_has(from, k))
		return -ENOENT;
	if ((flags & KEYCTL_MOVE_EXCL) && ring_find(to, k->kind, k->desc))
		return -EEXIST;
	r = ring_link(ks, to, k);
	return r < 0 ? r : unlink_from(ks, from, k);
}

long keys_move(struct task *t, s32 id, s32 from_id, s32 to_id, u32 flags)
{
	struct keys *ks = lock(t);
	struct key_ref k = { 0 }, from = { 0 }, to = { 0 };
	long r = key_lookup(ks, t, id, LOOKUP_CREATE, NEED_LINK, &k);

	if (r == 0)
		r = key_lookup(ks, t, from_id, 0, NEED_WRITE, &from);
	if (r == 0)
		r = key_lookup(ks, t, to_id, LOOKUP_CREATE, NEED_WRITE, &to);
	if (r == 0)
		r = move(ks, k.key, from.key, to.key, flags);
	key_drop(ks, to.key);
	key_drop(ks, from.key);
	key_drop(ks, k.key);
	return unlock(ks, r);
}

long keys_restrict(struct task *t, s32 id, const char *type)
{
	struct keys *ks = lock(t);
	struct key_ref ring;
	long r = key_lookup(ks, t, id, 0, NEED_SETATTR, &ring);

	if (r < 0)
		return unlock(ks, r);
	if (ring.key->kind != KEY_RING)
		r = -ENOTDIR;
	else if (type)
		r = key_kind_of(type) < 0 ? -ENOKEY : -ENOENT;  /* none of our types can restrict */
	else if (ring.key->restricted)
		r = -EEXIST;
	else
		ring.key->restricted = true;
	key_drop(ks, ring.key);
	return unlock(ks, r);
}

/* Where built keys would go: nobody builds any, but the choice is kept. */
long keys_set_reqkey(struct task *t, s32 which)
{
	struct keys *ks = lock(t);
	long old = t->keys.reqkey, r = 0;

	switch (which) {
	case KEY_REQKEY_DEFL_NO_CHANGE:
		return unlock(ks, old);
	case KEY_REQKEY_DEFL_THREAD_KEYRING:
		r = process_install(ks, t, KEY_SPEC_THREAD_KEYRING);
		break;
	case KEY_REQKEY_DEFL_PROCESS_KEYRING:
		r = process_install(ks, t, KEY_SPEC_PROCESS_KEYRING);
		break;
	case KEY_REQKEY_DEFL_DEFAULT:
	case KEY_REQKEY_DEFL_SESSION_KEYRING:
	case KEY_REQKEY_DEFL_USER_KEYRING:
	case KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
		break;
	default:
		r = -EINVAL;
	}
	if (r == 0)
		t->keys.reqkey = which;
	return unlock(ks, r < 0 ? r : old);
}

long keys_update(struct task *t, s32 id, const void *data, size_t n)
{
	struct keys *ks = lock(t);
	struct key_ref k;
	long r = key_lookup(ks, t, id, 0, NEED_WRITE, &k);

	if (r < 0)
		return unlock(ks, r);
	r = has_data(k.key->kind) ? replace_data(ks, k.key, data, n) : -EOPNOTSUPP;
	key_drop(ks, k.key);
	return unlock(ks, r);
}
