/*
 * pid_ns.c - numbers of processes inside pid namespaces; see pid_ns.h.
 */
#include "sentry/kernel/pid_ns.h"

#include <errno.h>

#include "platform/base/alloc.h"
#include "platform/base/bug.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

#define CHUNK 256
#define PID_NS_DEPTH 32
#define RESERVED 300

static void release(struct ns *ns)
{
	struct pid_ns *p = container_of(ns, struct pid_ns, ns);
	struct pid_ns *parent = p->parent;

	for (int i = 0; i < PID_MAX / CHUNK; i++)
		kfree(p->chunk[i]);
	ns_done(ns);
	kfree(p);
	if (parent)
		ns_unref(&parent->ns);
}

static int make(struct kernel *k, struct pid_ns *parent, struct user_ns *owner, struct ns **ret)
{
	struct pid_ns *p = knew(struct pid_ns);
	int r;

	if (!p)
		return -ENOMEM;
	r = ns_init(&p->ns, k, NS_PID, owner, release);
	if (r < 0) {
		kfree(p);
		return r;
	}
	if (parent) {
		ns_ref(&parent->ns);
		p->parent = parent;
		p->level = parent->level + 1;
	}
	*ret = &p->ns;
	return 0;
}

int pid_ns_first(struct kernel *k, struct ns **ret)
{
	return make(k, NULL, k->user_ns, ret);
}

int pid_ns_new(struct task *t, struct user_ns *owner, struct ns **ret)
{
	struct pid_ns *parent = t->tg->pid_ns;

	/* Once: children may not be put into a namespace that the caller has left behind. */
	if (task_pid_ns_for_children(t) != parent)
		return -EINVAL;
	return parent->level >= PID_NS_DEPTH ? -ENOSPC : make(t->kernel, parent, owner, ret);
}

struct pid_ns *pid_ns_of(struct ns *ns)
{
	return container_of(ns, struct pid_ns, ns);
}

struct ns *tgroup_pid_ns_get(struct tgroup *tg)
{
	return ns_ref(&tg->pid_ns->ns);
}

struct pid_ns *task_pid_ns_for_children(struct task *t)
{
	return pid_ns_of(t->nsset->of[NS_PID]);
}

/* The ancestor of @ns at @level, itself if it is there already. */
static struct pid_ns *at_level(struct pid_ns *ns, u32 level)
{
	while (ns && ns->level > level)
		ns = ns->parent;
	return ns;
}

void pid_ns_end(struct pid_ns *ns, int sig)
{
	struct kernel *k = ns->ns.kernel;
	struct tgroup *init;

	mutex_lock(&k->mu);
	init = ns->init ? tgroup_ref(ns->init) : NULL;
	mutex_unlock(&k->mu);
	if (init)
		tgroup_exit(init, sig);
	tgroup_unref(init);
}

bool pid_ns_within(struct ns *ns, struct tgroup *tg)
{
	return at_level(pid_ns_of(ns), tg->pid_ns->level) == tg->pid_ns;
}

/* ---- numbers of one entry ---- */

static u16 *slot(struct pid_ns *ns, int nr)
{
	u16 *c = nr > 0 && nr < PID_MAX ? ns->chunk[nr / CHUNK] : NULL;

	return c ? &c[nr % CHUNK] : NULL;
}

static int take_number(struct pid_ns *ns, int pid, int want)
{
	int nr = want ? want : ns->last;

	for (int i = 0; i < PID_MAX && !want; i++) {
		if (++nr >= PID_MAX)
			nr = RESERVED;
		if (!slot(ns, nr) || !*slot(ns, nr))
			break;
	}
	if (nr >= PID_MAX || nr < 1)
		return -EINVAL;
	if (!ns->chunk[nr / CHUNK])
		ns->chunk[nr / CHUNK] = kbuf_array(CHUNK, sizeof(u16));
	if (!slot(ns, nr))
		return -ENOMEM;
	if (*slot(ns, nr))
		return want ? -EEXIST : -EAGAIN;
	*slot(ns, nr) = (u16)pid;
	if (!want || nr > ns->last)
		ns->last = nr;
	return nr;
}

void pid_nums_free_locked(struct pid_nums *p)
{
	if (!p)
		return;
	for (struct pid_ns *ns = p->ns; ns->level > 0; ns = ns->parent)
		if (p->nr[ns->level])
			*slot(ns, p->nr[ns->level]) = 0;
	ns_unref(&p->ns->ns);
	kfree(p);
}

int pid_nums_make_locked(struct pid_ns *ns, int pid, const int *want, u32 nwant, struct pid_nums **ret)
{
	struct pid_nums *p;

	*ret = NULL;
	if (ns->level == 0)
		return 0;
	if (ns->dead || (!ns->init && ns->last))
		return -ENOMEM;
	/* The first of a namespace is its init. */
	if (nwant && !ns->init && want[0] != 1)
		return -EINVAL;
	p = kbuf_alloc(sizeof(*p) + (ns->level + 1) * sizeof(p->nr[0]));
	if (!p)
		return -ENOMEM;
	ns_ref(&ns->ns);
	p->ns = ns;
	for (struct pid_ns *n = ns; n->level > 0; n = n->parent) {
		u32 out = ns->level - n->level;
		int nr = take_number(n, pid, out < nwant ? want[out] : 0);

		if (nr < 0) {
			pid_nums_free_locked(p);
			return nr;
		}
		p->nr[n->level] = nr;
	}
	*ret = p;
	return 0;
}

int pid_nums_in(const struct pid_nums *p, const struct pid_ns *ns)
{
	return p && p->ns->level >= ns->level && at_level(p->ns, ns->level) == ns ? p->nr[ns->level] : 0;
}

/* ---- translation ---- */

int pid_nr_in_locked(struct pid_ns *ns, int pid)
{
	return !ns || ns->level == 0 || pid <= 0 ? pid : pid_nums_in(pid_nums_locked(ns->ns.kernel, pid), ns);
}

int pid_nr_in(struct pid_ns *ns, int pid)
{
	int nr;

	if (!ns || ns->level == 0)
		return pid;
	mutex_lock(&ns->ns.kernel->mu);
	nr = pid_nr_in_locked(ns, pid);
	mutex_unlock(&ns->ns.kernel->mu);
	return nr;
}

int pid_nr(struct task *t, int pid)
{
	return pid_nr_in(t->tg->pid_ns, pid);
}

int pid_from_nr_in_locked(struct pid_ns *ns, int nr)
{
	u16 *s;

	if (!ns || ns->level == 0 || nr <= 0)
		return nr;
	s = slot(ns, nr);
	return s ? *s : 0;
}

int pid_from_nr_in(struct pid_ns *ns, int nr)
{
	int pid;

	if (!ns || ns->level == 0)
		return nr;
	mutex_lock(&ns->ns.kernel->mu);
	pid = pid_from_nr_in_locked(ns, nr);
	mutex_unlock(&ns->ns.kernel->mu);
	return pid;
}

int pid_from_nr(struct task *t, int nr)
{
	return pid_from_nr_in(t->tg->pid_ns, nr);
}

struct task *task_find_nr(struct task *t, int nr)
{
	return nr > 0 ? task_find(t->kernel, pid_from_nr(t, nr)) : NULL;
}

struct tgroup *tgroup_find_nr(struct task *t, int nr)
{
	return nr > 0 ? tgroup_find(t->kernel, pid_from_nr(t, nr)) : NULL;
}
