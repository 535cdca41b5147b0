/*
 * key_show.c - /proc/keys: what the reader may view; /proc/key-users: what users have of their quota.
 */
#include <stdio.h>

#include "platform/base/str.h"
#include "sentry/ipc/keys_int.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

static void remaining(const struct key *k, s64 now, char *buf, size_t cap)
{
	static const struct { s64 unit; char name; } units[] = {
		{ 604800, 'w' }, { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' },
	};
	s64 left = k->expiry - now;

	(void)snprintf(buf, cap, "%s", k->expiry ? "expd" : "perm");
	for (size_t i = 0; k->expiry && left > 0 && i < ARRAY_SIZE(units); i++)
		if (left >= units[i].unit) {
			(void)snprintf(buf, cap, "%lu%c", (u64)(left / units[i].unit), units[i].name);
			return;
		}
}

static void show_key(struct task *t, const struct key *k, s64 now, struct strbuf *out)
{
	const struct user_ns *u = task_user_ns(t);
	char left[24];

	remaining(k, now, left, sizeof(left));
	strbuf_printf(out, "%08x I%c-Q--%c %5u %4s %08x %5d %5d %-9.9s %s", (u32)k->serial, k->revoked ? 'R' : '-',
		      k->invalid ? 'i' : '-', k->refs, left, k->perm, (int)user_ns_show_uid(u, k->uid),
		      key_shown_gid(t, k), key_kind_name(k->kind), k->desc);
	if (k->kind != KEY_RING)
		strbuf_printf(out, ": %u\n", k->len);
	else if (k->nlinks)
		strbuf_printf(out, ": %u\n", k->nlinks);
	else
		strbuf_puts(out, ": empty\n");
}

void keys_show(struct task *t, struct strbuf *out)
{
	struct keys *ks = t->kernel->keys;
	s64 now = key_now(t);

	mutex_lock(&ks->mu);
	process_mark(ks, t);
	for (u32 i = 0; i < ks->n && strbuf_err(out) == 0; i++) {
		const struct key *k = ks->all[i];

		if (user_ns_from_uid(task_user_ns(t), k->uid) != ID_NONE &&
		    key_permit(t, k, k->mark == ks->mark, NEED_VIEW) == 0)
			show_key(t, k, now, out);
	}
	mutex_unlock(&ks->mu);
}

void key_users_show(struct task *t, struct strbuf *out)
{
	const struct user_ns *ns = task_user_ns(t);
	struct keys *ks = t->kernel->keys;
	struct key_user *u;

	mutex_lock(&ks->mu);
	list_for_each(u, &ks->users, node) {
		u32 uid = user_ns_from_uid(ns, u->uid);

		if (uid != ID_NONE && strbuf_err(out) == 0)
			strbuf_printf(out, "%5u: %5u %u/%u %u/%u %lu/%lu\n", uid, u->nkeys, u->nkeys, u->nkeys,
				      u->nkeys, key_quota_keys(ks, u->uid), u->nbytes, key_quota_bytes(ks, u->uid));
	}
	mutex_unlock(&ks->mu);
}
