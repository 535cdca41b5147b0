/*
 * key_process.c - the rings of threads and of users, and what special ids name; see keys_int.h.
 *
 * A thread has up to three rings (task->keys): its own, which nobody inherits; its process's, which
 * later threads inherit; its session's, which all children inherit.  exec drops the first two.  A user has
 * two in each user namespace, made when they are first asked for.
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/ipc/keys_int.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

/* ---- life of a task ---- */

static struct key *share(struct key *k)
{
	return k ? key_hold(k) : NULL;
}

void keys_inherit(struct task *from, struct task *to, bool thread)
{
	struct keys *ks = from->kernel->keys;

	mutex_lock(&ks->mu);
	to->keys.process = thread ? share(from->keys.process) : NULL;
	to->keys.session = share(from->keys.session);
	to->keys.reqkey = from->keys.reqkey;
	/* A further thread has a ring of its own if its maker had; without, if there is no memory. */
	if (thread && from->keys.thread)
		(void)!process_install(ks, to, KEY_SPEC_THREAD_KEYRING);
	mutex_unlock(&ks->mu);
}

static void drop_own(struct keys *ks, struct task *t)
{
	key_drop(ks, t->keys.thread);
	key_drop(ks, t->keys.process);
	t->keys.thread = t->keys.process = NULL;
}

void keys_exec(struct task *t)
{
	struct keys *ks = t->kernel->keys;

	mutex_lock(&ks->mu);
	drop_own(ks, t);
	mutex_unlock(&ks->mu);
}

void keys_drop(struct task *t)
{
	struct keys *ks = t->kernel->keys;

	mutex_lock(&ks->mu);
	drop_own(ks, t);
	key_drop(ks, t->keys.session);
	t->keys.session = NULL;
	mutex_unlock(&ks->mu);
}

/* Its ring stays its own; who paid goes on paying. */
void keys_ids_changed(struct task *t)
{
	struct keys *ks = t->kernel->keys;

	mutex_lock(&ks->mu);
	if (t->keys.thread) {
		t->keys.thread->uid = task_cred(t)->fsuid;
		t->keys.thread->gid = task_cred(t)->fsgid;
	}
	mutex_unlock(&ks->mu);
}

/* ---- rings of users ---- */

static struct user_rings *find_user(struct keys *ks, struct task *t)
{
	struct user_rings *u;
	u64 ns = task_user_ns(t)->ns.ino;

	list_for_each(u, &ks->rings, node)
		if (u->ns == ns && u->uid == task_cred(t)->uid)
			return u;
	return NULL;
}

static void free_user(struct keys *ks, struct user_rings *u)
{
	list_del_init(&u->node);
	key_drop(ks, u->session);
	key_drop(ks, u->user);
	kfree(u);
}

void keys_forget_ns(struct kernel *k, u64 ns)
{
	struct keys *ks = k->keys;
	struct user_rings *u, *next;

	mutex_lock(&ks->mu);
	list_for_each_safe(u, next, &ks->rings, node)
		if (u->ns == ns)
			free_user(ks, u);
	mutex_unlock(&ks->mu);
}

static int new_user_ring(struct keys *ks, struct task *t, const char *prefix, struct key **ret)
{
	u32 uid = task_cred(t)->uid;
	char name[32];
	struct key_spec s = {
		.kind = KEY_RING, .desc = name, .uid = uid, .gid = ID_NONE,
		.perm = PERM(NEED_ALL & ~NEED_SETATTR, NEED_ALL),
	};
	int r;

	(void)snprintf(name, sizeof(name), "%s.%u", prefix, user_ns_show_uid(task_user_ns(t), uid));
	r = key_new(ks, t, &s, ret);
	if (r == 0)
		(*ret)->uid_ring = true;
	return r;
}

static int get_user(struct keys *ks, struct task *t, struct user_rings **ret)
{
	struct user_rings *u = find_user(ks, t);
	int r;

	if (u) {
		*ret = u;
		return 0;
	}
	u = knew(struct user_rings);
	if (!u)
		return -ENOMEM;
	u->ns = task_user_ns(t)->ns.ino;
	u->uid = task_cred(t)->uid;
	list_add_tail(&u->node, &ks->rings);
	r = new_user_ring(ks, t, "_uid", &u->user);
	if (r == 0)
		r = new_user_ring(ks, t, "_uid_ses", &u->session);
	if (r == 0)
		r = ring_link(ks, u->session, u->user);
	if (r < 0) {
		free_user(ks, u);
		return r;
	}
	*ret = u;
	return 0;
}

/* ---- rings of threads ---- */

static void set_session(struct keys *ks, struct task *t, struct key *ring_take)
{
	struct key *old = t->keys.session;

	t->keys.session = ring_take;
	key_drop(ks, old);
}

static int new_ring(struct keys *ks, struct task *t, const char *name, u32 usr, bool overrun, struct key **ret)
{
	const struct cred *c = task_cred(t);
	struct key_spec s = {
		.kind = KEY_RING, .desc = name, .uid = c->uid, .gid = c->gid,
		.perm = PERM(NEED_ALL, usr), .overrun = overrun,
	};

	return key_new(ks, t, &s, ret);
}

int process_install(struct keys *ks, struct task *t, s32 id)
{
	bool thread = id == KEY_SPEC_THREAD_KEYRING;
	struct key **slot = thread ? &t->keys.thread : &t->keys.process;

	return *slot ? 0 : new_ring(ks, t, thread ? "_tid" : "_pid", NEED_VIEW, true, slot);
}

/* A ring of that name which may be searched. */
static struct key *find_named(struct keys *ks, struct task *t, const char *name)
{
	struct user_ns *u = task_user_ns(t);

	for (u32 i = 0; i < ks->n; i++) {
		struct key *k = ks->all[i];

		if (k->kind == KEY_RING && k->ns == u->ns.ino && !k->revoked && k->desc[0] != '.' &&
		    !strcmp(k->desc, name) && user_ns_from_uid(u, k->user->uid) != ID_NONE &&
		    key_permit(t, k, false, NEED_SEARCH) == 0)
			return k;
	}
	return NULL;
}

int process_join(struct keys *ks, struct task *t, const char *name)
{
	struct key *k = name ? find_named(ks, t, name) : NULL;
	int r = 0;

	if (name && name[0] == '.')             /* the kernel's own */
		return -EPERM;
	if (k && k == t->keys.session)
		return 0;
	if (k)
		key_hold(k);
	else if (name)
		r = new_ring(ks, t, name, NEED_VIEW | NEED_READ | NEED_LINK, false, &k);
	else
		r = new_ring(ks, t, "_ses", NEED_VIEW | NEED_READ, !t->keys.session, &k);
	if (r < 0)
		return r;
	set_session(ks, t, k);
	return k->serial;
}

/* ---- searching all of them ---- */

static struct key *session_or_users(struct keys *ks, struct task *t)
{
	struct user_rings *u = t->keys.session ? NULL : find_user(ks, t);

	return t->keys.session ? t->keys.session : u ? u->session : NULL;
}

/* Nothing found counts more than what is wrong with one that was. */
int process_search(struct keys *ks, struct task *t, struct key_search *s)
{
	struct key *ring[3] = { t->keys.thread, t->keys.process, session_or_users(ks, t) };
	int err = -EAGAIN, none = 0, r;

	for (int i = 0; i < 3; i++) {
		if (!ring[i])
			continue;
		r = ring_search(ks, t, ring[i], true, s);
		if (r == 0)
			return 0;
		if (r == -EAGAIN)
			none = r;
		else
			err = r;
	}
	return none ? none : err;
}

void process_mark(struct keys *ks, struct task *t)
{
	struct key *ring[3] = { t->keys.thread, t->keys.process, session_or_users(ks, t) };

	ks->mark++;
	for (int i = 0; i < 3; i++)
		if (ring[i])
			ring_mark(ks, t, ring[i]);
}

bool process_has(struct keys *ks, struct task *t, const struct key *k)
{
	struct key_search s = { .want = k };

	return process_search(ks, t, &s) == 0;
}

/* ---- what an id names ---- */

static int lookup_session(struct keys *ks, struct task *t, u32 flags, struct key **ret)
{
	struct user_rings *u;
	int r = 0;

	if (!t->keys.session) {
		r = get_user(ks, t, &u);
		if (r == 0 && (flags & LOOKUP_CREATE))
			r = process_join(ks, t, NULL);
		else if (r == 0)
			set_session(ks, t, key_hold(u->session));
	} else if (t->keys.session->uid_ring && (flags & LOOKUP_CREATE)) {
		r = process_join(ks, t, NULL);
	}
	*ret = t->keys.session;
	return r < 0 ? r : 0;
}

/* *ret: borrowed. */
static int lookup_special(struct keys *ks, struct task *t, s32 id, u32 flags, struct key **ret)
{
	struct user_rings *u;
	int r;

	switch (id) {
	case KEY_SPEC_THREAD_KEYRING:
	case KEY_SPEC_PROCESS_KEYRING:
		r = flags & LOOKUP_CREATE ? process_install(ks, t, id) : 0;
		*ret = id == KEY_SPEC_THREAD_KEYRING ? t->keys.thread : t->keys.process;
		return r < 0 ? r : *ret ? 0 : -ENOKEY;
	case KEY_SPEC_SESSION_KEYRING:
		return lookup_session(ks, t, flags, ret);
	case KEY_SPEC_USER_KEYRING:
	case KEY_SPEC_USER_SESSION_KEYRING:
		r = get_user(ks, t, &u);
		if (r == 0)
			*ret = id == KEY_SPEC_USER_KEYRING ? u->user : u->session;
		return r;
	case KEY_SPEC_REQKEY_AUTH_KEY:
	case KEY_SPEC_REQUESTOR_KEYRING:
		return -ENOKEY;         /* only who builds a key has them */
	default:
		return -EINVAL;
	}
}

int key_lookup(struct keys *ks, struct task *t, s32 id, u32 flags, u32 need, struct key_ref *ret)
{
	struct key_ref ref = { .possessed = id < 0 };
	s64 now = key_now(t);
	int r = 0;

	if (id > 0) {
		ref.key = key_find(ks, id);
		if (!ref.key)
			return -ENOKEY;
		ref.possessed = process_has(ks, t, ref.key);
	} else {
		r = lookup_special(ks, t, id, flags, &ref.key);
		if (r < 0)
			return r;
	}
	if (!(need & (NEED_NOTHING | NEED_LATER)))
		r = key_valid(ref.key, now);
	if (r == 0)
		r = key_permit(t, ref.key, ref.possessed, need);
	if (r < 0)
		return r;
	if (ref.key->kind == KEY_RING)
		ring_prune(ks, ref.key, now);
	key_hold(ref.key);
	*ret = ref;
	return 0;
}
