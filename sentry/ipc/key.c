/*
 * key.c - keys: making, finding, who pays for them, who may do what with them; see keys_int.h.
 */
#include <errno.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "sentry/ipc/keys_int.h"
#include "sentry/kernel/settings.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

static const char *const kind_names[KEY_KINDS] = { "user", "logon", "keyring" };

struct keys *keys_new(const struct settings *s)
{
	struct keys *ks = knew(struct keys);

	if (ks) {
		ks->settings = s;
		mutex_init(&ks->mu, RANK_LEAF);
		list_init(&ks->users);
		list_init(&ks->rings);
		list_init(&ks->dead);
		list_init(&ks->level);
		list_init(&ks->next_level);
	}
	return ks;
}

int key_kind_of(const char *type)
{
	for (int i = 0; i < KEY_KINDS; i++)
		if (!strcmp(type, kind_names[i]))
			return i;
	return -ENODEV;
}

const char *key_kind_name(enum key_kind kind) { return kind_names[kind]; }

s64 key_now(struct task *t)
{
	return ktime_real(t->kernel) / NSEC_PER_SEC;
}

/* ---- who pays ---- */

u32 key_quota_keys(const struct keys *ks, u32 uid)
{
	return setting_get(ks->settings, uid == 0 ? SETTING_ROOT_KEYS : SETTING_KEYS);
}

u64 key_quota_bytes(const struct keys *ks, u32 uid)
{
	return setting_get(ks->settings, uid == 0 ? SETTING_ROOT_KEY_BYTES : SETTING_KEY_BYTES);
}

static struct key_user *user_get(struct keys *ks, u32 uid)
{
	struct key_user *u;

	list_for_each(u, &ks->users, node)
		if (u->uid == uid)
			return u;
	u = knew(struct key_user);
	if (u) {
		u->uid = uid;
		list_add_tail(&u->node, &ks->users);
	}
	return u;
}

static void user_put(struct key_user *u)
{
	if (u->nkeys)
		return;
	list_del_init(&u->node);
	kfree(u);
}

static bool fits(const struct keys *ks, const struct key_user *u, u32 keys, u64 bytes)
{
	return u->nkeys + keys <= key_quota_keys(ks, u->uid) && u->nbytes + bytes <= key_quota_bytes(ks, u->uid);
}

static u64 cost(const struct key *k)
{
	return (u64)k->desc_len + 1 + k->charged;
}

int key_recharge(struct keys *ks, struct key *k, u32 bytes)
{
	if (bytes > k->charged) {
		u64 more = bytes - k->charged;

		if (k->user->nbytes + more > key_quota_bytes(ks, k->user->uid) || ks->nbytes + more > KEYS_BYTES)
			return -EDQUOT;
	}
	k->user->nbytes = k->user->nbytes - k->charged + bytes;
	ks->nbytes = ks->nbytes - k->charged + bytes;
	k->charged = bytes;
	return 0;
}

int key_give(struct keys *ks, struct key *k, u32 uid)
{
	struct key_user *to = user_get(ks, uid), *from = k->user;

	if (!to)
		return -ENOMEM;
	if (!fits(ks, to, 1, cost(k))) {
		user_put(to);
		return -EDQUOT;
	}
	to->nkeys++;
	to->nbytes += cost(k);
	from->nkeys--;
	from->nbytes -= cost(k);
	user_put(from);
	k->user = to;
	k->uid = uid;
	return 0;
}

/* ---- the table ---- */

/* Where @serial is, or would be. */
static u32 position(const struct keys *ks, s32 serial)
{
	u32 lo = 0, hi = ks->n;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (ks->all[mid]->serial < serial)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct key *key_find(struct keys *ks, s32 serial)
{
	u32 i = position(ks, serial);

	return i < ks->n && ks->all[i]->serial == serial ? ks->all[i] : NULL;
}

static int make_room(struct keys *ks)
{
	struct key **more;
	u32 cap = MAX(ks->cap * 2, 16u);

	if (ks->n < ks->cap)
		return 0;
	more = kbuf_realloc(ks->all, cap * sizeof(*more));
	if (!more)
		return -ENOMEM;
	ks->all = more;
	ks->cap = cap;
	return 0;
}

static void table_add(struct keys *ks, struct key *k)
{
	u32 i;

	do {
		k->serial = (s32)(rand_u64() & INT32_MAX);
	} while (k->serial < 3 || key_find(ks, k->serial));
	i = position(ks, k->serial);
	memmove(&ks->all[i + 1], &ks->all[i], (ks->n - i) * sizeof(*ks->all));
	ks->all[i] = k;
	ks->n++;
}

static void table_del(struct keys *ks, struct key *k)
{
	u32 i = position(ks, k->serial);

	ks->n--;
	memmove(&ks->all[i], &ks->all[i + 1], (ks->n - i) * sizeof(*ks->all));
}

/* ---- life ---- */

static int check_spec(const struct key_spec *s)
{
	const char *colon;

	if (!s->desc || !*s->desc)
		return -EINVAL;
	if (s->kind == KEY_LOGON) {
		colon = strchr(s->desc, ':');
		if (!colon || colon == s->desc)
			return -EINVAL;
	}
	return 0;
}

static int charge(struct keys *ks, struct key_user *u, const struct key_spec *s, u64 bytes)
{
	if (ks->n >= KEYS_ALL || ks->nbytes + bytes > KEYS_BYTES || (!s->overrun && !fits(ks, u, 1, bytes)))
		return -EDQUOT;
	u->nkeys++;
	u->nbytes += bytes;
	ks->nbytes += bytes;
	return 0;
}

static void free_key(struct keys *ks, struct key *k)
{
	k->user->nkeys--;
	k->user->nbytes -= cost(k);
	ks->nbytes -= cost(k);
	user_put(k->user);
	kfree(k->data);
	kfree(k->desc);
	kfree(k);
}

static void fill(struct key *k, struct task *t, const struct key_spec *s)
{
	k->refs = 1;
	k->kind = s->kind;
	k->ns = task_user_ns(t)->ns.ino;
	k->uid = s->uid;
	k->gid = s->gid;
	k->perm = s->perm;
	list_init(&k->links);
	list_init(&k->uses);
	list_init(&k->queue);
	list_init(&k->deeper);
	list_init(&k->dead);
}

int key_new(struct keys *ks, struct task *t, const struct key_spec *s, struct key **ret)
{
	struct key_user *u;
	struct key *k;
	size_t len;
	int r = check_spec(s);

	if (r < 0)
		return r;
	len = strlen(s->desc);
	if (len >= KEY_DESC_MAX || s->len > KEY_DATA_MAX)
		return -EINVAL;
	if (make_room(ks) < 0)
		return -ENOMEM;
	u = user_get(ks, s->uid);
	if (!u)
		return -ENOMEM;
	r = charge(ks, u, s, len + 1 + s->len);
	if (r < 0) {
		user_put(u);
		return r;
	}
	k = knew(struct key);
	if (!k) {
		u->nkeys--;
		u->nbytes -= len + 1 + s->len;
		ks->nbytes -= len + 1 + s->len;
		user_put(u);
		return -ENOMEM;
	}
	fill(k, t, s);
	k->user = u;
	k->desc_len = (u32)len;
	k->len = k->charged = s->len;
	k->desc = kbuf_strdup(s->desc);
	k->data = s->len ? kbuf_alloc(s->len) : NULL;
	if (!k->desc || (s->len && !k->data)) {
		free_key(ks, k);
		return -ENOMEM;
	}
	if (s->len)
		memcpy(k->data, s->data, s->len);
	table_add(ks, k);
	*ret = k;
	return 0;
}

/* A ring that dies drops what it links, which may be rings: the outermost call frees them all. */
void key_drop(struct keys *ks, struct key *k)
{
	if (!k || --k->refs)
		return;
	table_del(ks, k);
	list_add_tail(&k->dead, &ks->dead);
	if (ks->reaping)
		return;
	ks->reaping = true;
	while (!list_empty(&ks->dead)) {
		k = list_first(&ks->dead, struct key, dead);
		list_del_init(&k->dead);
		ring_clear(ks, k);
		free_key(ks, k);
	}
	ks->reaping = false;
}

/* ---- state and rights ---- */

/* The rings of users have no group. */
int key_shown_gid(struct task *t, const struct key *k)
{
	return (int)(k->gid == ID_NONE ? ID_OVERFLOW : user_ns_show_gid(task_user_ns(t), k->gid));
}

int key_valid(const struct key *k, s64 now)
{
	if (k->invalid)
		return -ENOKEY;
	if (k->revoked)
		return -EKEYREVOKED;
	return k->expiry && now >= k->expiry ? -EKEYEXPIRED : 0;
}

int key_permit(struct task *t, const struct key *k, bool possessed, u32 need)
{
	const struct cred *c = task_cred(t);
	u32 have;

	if (need & (NEED_NOTHING | NEED_LATER))
		return 0;
	if (k->uid == c->fsuid)
		have = k->perm >> 16;
	else if (k->gid != ID_NONE && (k->perm & (NEED_ALL << 8)) && cred_in_group(c, k->gid))
		have = k->perm >> 8;
	else
		have = k->perm;
	if (possessed)
		have |= k->perm >> 24;
	return need & ~have & NEED_ALL ? -EACCES : 0;
}
