/*
 * key_change.c - what keyctl(2) does to one key: its end, its owner, its rights, reading it; see keys.h.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/ipc/keys_int.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

static struct keys *lock(struct task *t) NO_TSA
{
	mutex_lock(&t->kernel->keys->mu);
	return t->kernel->keys;
}

/* @k NULL is fine. */
static long drop_unlock(struct keys *ks, struct key *k, long r) NO_TSA
{
	key_drop(ks, k);
	mutex_unlock(&ks->mu);
	return r;
}

static void empty(struct keys *ks, struct key *k)
{
	ring_clear(ks, k);
	kfree(k->data);
	k->data = NULL;
	k->len = 0;
	(void)!key_recharge(ks, k, 0);
}

long keys_revoke(struct task *t, s32 id)
{
	struct keys *ks = lock(t);
	struct key_ref k = { 0 };
	long r = key_lookup(ks, t, id, 0, NEED_WRITE, &k);

	if (r == -EACCES)
		r = key_lookup(ks, t, id, 0, NEED_SETATTR, &k);
	if (r == 0) {
		k.key->revoked = true;
		k.key->dead_at = key_now(t);
		empty(ks, k.key);
	}
	return drop_unlock(ks, k.key, r);
}

/* Gone from every ring at once; who has it as one of his own rings keeps a name for nothing. */
long keys_invalidate(struct task *t, s32 id)
{
	struct keys *ks = lock(t);
	struct key_ref k = { 0 };
	long r = key_lookup(ks, t, id, 0, NEED_SEARCH, &k);

	if (r == 0) {
		k.key->invalid = true;
		while (!list_empty(&k.key->uses))
			ring_unlink(ks, list_first(&k.key->uses, struct key_link, in_key));
		empty(ks, k.key);
	}
	return drop_unlock(ks, k.key, r);
}

/* @uid and @gid are ours; ID_NONE: as it is. */
static long chown_key(struct keys *ks, struct task *t, struct key *k, u32 uid, u32 gid)
{
	bool privileged = (uid != ID_NONE && uid != k->uid) ||
			  (gid != ID_NONE && gid != k->gid && !cred_in_group(task_cred(t), gid));
	long r = 0;

	if (privileged && !capable(t, CAP_SYS_ADMIN))
		return -EACCES;
	if (uid != ID_NONE && uid != k->uid)
		r = key_give(ks, k, uid);
	if (r == 0 && gid != ID_NONE)
		k->gid = gid;
	return r;
}

long keys_chown(struct task *t, s32 id, u32 uid, u32 gid)
{
	const struct user_ns *u = task_user_ns(t);
	u32 ours = uid == ID_NONE ? uid : user_ns_uid(u, uid), ourg = gid == ID_NONE ? gid : user_ns_gid(u, gid);
	struct key_ref k = { 0 };
	struct keys *ks;
	long r;

	if ((uid != ID_NONE && ours == ID_NONE) || (gid != ID_NONE && ourg == ID_NONE))
		return -EINVAL;
	if (uid == ID_NONE && gid == ID_NONE)
		return 0;
	ks = lock(t);
	r = key_lookup(ks, t, id, LOOKUP_CREATE, NEED_SETATTR, &k);
	if (r == 0)
		r = chown_key(ks, t, k.key, ours, ourg);
	return drop_unlock(ks, k.key, r);
}

long keys_setperm(struct task *t, s32 id, u32 perm)
{
	struct key_ref k = { 0 };
	struct keys *ks;
	long r;

	if (perm & ~(NEED_ALL * 0x01010101u))
		return -EINVAL;
	ks = lock(t);
	r = key_lookup(ks, t, id, LOOKUP_CREATE, NEED_SETATTR, &k);
	if (r == 0 && k.key->uid != task_cred(t)->fsuid && !capable(t, CAP_SYS_ADMIN))
		r = -EACCES;
	if (r == 0)
		k.key->perm = perm;
	return drop_unlock(ks, k.key, r);
}

long keys_set_timeout(struct task *t, s32 id, u32 seconds)
{
	struct keys *ks = lock(t);
	struct key_ref k = { 0 };
	long r = key_lookup(ks, t, id, LOOKUP_CREATE, NEED_SETATTR, &k);

	if (r == 0)
		k.key->expiry = seconds ? key_now(t) + seconds : 0;
	return drop_unlock(ks, k.key, r);
}

long keys_check_view(struct task *t, s32 id)
{
	struct keys *ks = lock(t);
	struct key_ref k = { 0 };
	long r = key_lookup(ks, t, id, 0, NEED_VIEW, &k);

	return drop_unlock(ks, k.key, r);
}

static long describe(struct task *t, const struct key *k, size_t max, void **ret)
{
	const struct user_ns *u = task_user_ns(t);
	auto_strbuf s = { 0 };
	long n;

	strbuf_init(&s);
	strbuf_printf(&s, "%s;%d;%d;%08x;%s", key_kind_name(k->kind), (int)user_ns_show_uid(u, k->uid),
		      key_shown_gid(t, k), k->perm, k->desc);
	if (strbuf_err(&s) < 0)
		return -ENOMEM;
	n = (long)s.len + 1;
	if ((size_t)n > max)
		return n;
	*ret = strbuf_take(&s);
	return *ret ? n : -ENOMEM;
}

long keys_describe(struct task *t, s32 id, size_t max, void **ret)
{
	struct keys *ks = lock(t);
	struct key_ref k = { 0 };
	long r = key_lookup(ks, t, id, 0, NEED_VIEW, &k);

	*ret = NULL;
	if (r == 0)
		r = describe(t, k.key, max, ret);
	return drop_unlock(ks, k.key, r);
}

/* A ring's content is the ids of its keys. */
static long content(const struct key *k, size_t max, void **ret)
{
	size_t n = k->kind == KEY_RING ? k->nlinks * sizeof(s32) : k->len;
	struct key_link *l;
	s32 *id;

	if (n == 0 || n > max)
		return (long)n;
	*ret = kbuf_alloc(n);
	if (!*ret)
		return -ENOMEM;
	if (k->kind != KEY_RING) {
		memcpy(*ret, k->data, n);
		return (long)n;
	}
	id = *ret;
	list_for_each(l, &k->links, in_ring)
		*id++ = l->key->serial;
	return (long)n;
}

/* Who possesses a key may read it whatever its permissions say. */
long keys_read(struct task *t, s32 id, size_t max, void **ret)
{
	struct keys *ks = lock(t);
	struct key_ref k = { 0 };
	long r = key_lookup(ks, t, id, 0, NEED_LATER, &k);

	*ret = NULL;
	if (r < 0)
		return drop_unlock(ks, NULL, -ENOKEY);
	r = k.possessed ? 0 : key_permit(t, k.key, false, NEED_READ);
	if (r == 0 && k.key->kind == KEY_LOGON)
		r = -EOPNOTSUPP;
	if (r == 0)
		r = key_valid(k.key, key_now(t));
	if (r == 0)
		r = content(k.key, max, ret);
	return drop_unlock(ks, k.key, r);
}
