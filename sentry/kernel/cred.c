/*
 * cred.c - credentials: copies, references, and the questions asked of them; see cred.h.
 *
 * Changes of ids and capabilities are in cred_change.c, those of execve in loader/exec_cred.c.
 */
#include "sentry/kernel/cred.h"

#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/landlock.h"

struct cred *cred_new(void)
{
	struct cred *c = knew(struct cred);

	if (c)
		ref_init(&c->ref);
	return c;
}

struct cred *cred_dup(const struct cred *from)
{
	struct cred *c = cred_new();

	if (!c)
		return NULL;
	*c = *from;
	ref_init(&c->ref);
	if (c->user_ns)
		user_ns_ref(c->user_ns);
	landlock_ref(c->landlock);
	c->groups = NULL;
	if (from->ngroups != 0) {
		c->groups = kbuf_array(from->ngroups, sizeof(u32));
		if (!c->groups) {
			user_ns_unref(c->user_ns);
			landlock_unref(c->landlock);
			kfree(c);
			return NULL;
		}
		memcpy(c->groups, from->groups, from->ngroups * sizeof(u32));
	}
	return c;
}

const struct cred *cred_ref(const struct cred *c)
{
	ref_get(&((struct cred *)(uintptr_t)c)->ref);
	return c;
}

void cred_unref(const struct cred *c)
{
	struct cred *m = (struct cred *)(uintptr_t)c;

	if (!m || !ref_put(&m->ref))
		return;
	kfree(m->groups);
	user_ns_unref(m->user_ns);
	landlock_unref(m->landlock);
	kfree(m);
}

const struct cred *task_cred(struct task *t)
{
	return t->cred;
}

const struct cred *task_cred_get(struct task *t)
{
	const struct cred *c;

	mutex_lock(&t->mu);
	c = cred_ref(t->cred);
	mutex_unlock(&t->mu);
	return c;
}

void task_set_cred(struct task *t, struct cred *c)
{
	const struct cred *old;

	mutex_lock(&t->mu);
	old = t->cred;
	t->cred = c;
	mutex_unlock(&t->mu);
	cred_unref(old);
}

static u32 level_of(const struct user_ns *u)
{
	return u ? u->level : 0;
}

bool cred_ns_capable(const struct cred *c, const struct user_ns *u, int cap)
{
	u32 mine = level_of(c->user_ns);

	for (;; u = u->parent) {
		if (u == c->user_ns || (level_of(u) == 0 && mine == 0))
			return (c->cap_eff >> cap) & 1;
		if (level_of(u) <= mine)
			return false;
		/* Its maker, in the namespace above, has all of them. */
		if ((u->parent == c->user_ns || (u->level == 1 && mine == 0)) && u->uid == c->euid)
			return true;
	}
}

bool ns_capable(struct task *t, const struct user_ns *u, int cap)
{
	return cred_ns_capable(t->cred, u, cap);
}

bool self_capable(struct task *t, int cap)
{
	return (t->cred->cap_eff >> cap) & 1;
}

bool capable(struct task *t, int cap)
{
	return level_of(t->cred->user_ns) == 0 && ((t->cred->cap_eff >> cap) & 1);
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	if (c->fsgid == gid)
		return true;
	for (u32 i = 0; i < c->ngroups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

void cred_take_groups(struct cred *c, u32 n, u32 *groups)
{
	kfree(c->groups);
	c->ngroups = n;
	c->groups = groups;
}
