/*
 * id_map.c - ids of a user namespace, inwards and outwards; see user_ns.h.
 */
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

/* ---- translation ---- */

static u32 inwards(struct id_map *m, u32 id)
{
	for (u32 i = 0; m && i < m->n; i++)
		if (id >= m->e[i].first && id - m->e[i].first < m->e[i].count)
			return m->e[i].outer + (id - m->e[i].first);
	return ID_NONE;
}

static u32 outwards(struct id_map *m, u32 id)
{
	for (u32 i = 0; m && i < m->n; i++)
		if (id >= m->e[i].outer && id - m->e[i].outer < m->e[i].count)
			return m->e[i].first + (id - m->e[i].outer);
	return ID_NONE;
}

u32 user_ns_uid(const struct user_ns *u, u32 id)
{
	return !u || u->level == 0 ? id : inwards(atomic_load(&u->uids), id);
}

u32 user_ns_gid(const struct user_ns *u, u32 id)
{
	return !u || u->level == 0 ? id : inwards(atomic_load(&u->gids), id);
}

u32 user_ns_from_uid(const struct user_ns *u, u32 id)
{
	return !u || u->level == 0 ? id : outwards(atomic_load(&u->uids), id);
}

u32 user_ns_from_gid(const struct user_ns *u, u32 id)
{
	return !u || u->level == 0 ? id : outwards(atomic_load(&u->gids), id);
}

u32 user_ns_show_uid(const struct user_ns *u, u32 id)
{
	u32 shown = user_ns_from_uid(u, id);

	return u && u->level != 0 && shown == ID_NONE ? ID_OVERFLOW : shown;
}

u32 user_ns_show_gid(const struct user_ns *u, u32 id)
{
	u32 shown = user_ns_from_gid(u, id);

	return u && u->level != 0 && shown == ID_NONE ? ID_OVERFLOW : shown;
}

bool user_ns_is_root(const struct user_ns *u, u32 id)
{
	return user_ns_from_uid(u, id) == 0;
}

bool user_ns_within(const struct user_ns *u, const struct user_ns *anc)
{
	while (u && u != anc)
		u = u->parent;
	return u != NULL;
}

struct user_ns *task_user_ns(struct task *t)
{
	return t->cred->user_ns;
}
