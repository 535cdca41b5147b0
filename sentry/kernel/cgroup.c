/*
 * cgroup.c - the tree of control groups, and which process is where; see cgroup.h.
 */
#include "sentry/kernel/cgroup.h"

#include <errno.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/bug.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/cgroup_bpf.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/task.h"

static struct mutex *tree_mu(const struct cgroup *cg) { return &cg->kernel->cgroups.mu; }

/* ---- groups ---- */

static struct cgroup *group_new(struct kernel *k, const char *name, size_t len, u64 id)
{
	struct cgroup *cg = knew(struct cgroup);
	char *copy = kbuf_alloc(len + 1);

	if (!cg || !copy) {
		kfree(cg);
		kfree(copy);
		return NULL;
	}
	memcpy(copy, name, len);
	ref_init(&cg->ref);
	cg->kernel = k;
	cg->name = copy;
	cg->id = id;
	list_init(&cg->children);
	list_init(&cg->sibling);
	cg->pids_max = cg->max_depth = cg->max_below = UINT32_MAX;
	return cg;
}

int cgroup_first(struct kernel *k)
{
	mutex_init(&k->cgroups.mu, RANK_LEAF);
	list_init(&k->cgroups.progs);
	k->cgroups.last_id = CGROUP_ROOT_ID;
	k->cgroups.root = group_new(k, "", 0, CGROUP_ROOT_ID);
	return k->cgroups.root ? 0 : -ENOMEM;
}

struct cgroup *cgroup_ref(struct cgroup *cg)
{
	ref_get(&cg->ref);
	return cg;
}

void cgroup_unref(struct cgroup *cg)
{
	while (cg && ref_put(&cg->ref)) {
		struct cgroup *up = cg->parent;

		cgroup_bpf_drop(cg);
		kfree((void *)(uintptr_t)cg->name);
		kfree(cg);
		cg = up;
	}
}

/* May @up have one more below it?  Each group around it has a say. */
static int check_room_locked(const struct cgroup *up)
{
	u32 depth = 1;

	if (up->dead)
		return -ENODEV;
	if (up->level >= CGROUP_LEVELS)
		return -EAGAIN;
	for (const struct cgroup *c = up; c; c = c->parent, depth++)
		if (c->nbelow >= c->max_below || depth > c->max_depth || (!c->parent && c->nbelow >= CGROUP_GROUPS))
			return -EAGAIN;
	return 0;
}

static void count_below_locked(struct cgroup *from, int n)
{
	for (struct cgroup *c = from; c; c = c->parent)
		c->nbelow += (u32)n;
}

int cgroup_mkdir(struct cgroup *up, const char *name, size_t len, struct cgroup **ret)
{
	struct cgroup_tree *tree = &up->kernel->cgroups;
	struct cgroup *cg;
	int r;

	mutex_lock(&tree->mu);
	r = check_room_locked(up);
	cg = r == 0 ? group_new(up->kernel, name, len, tree->last_id + 1) : NULL;
	if (cg) {
		tree->last_id++;
		cg->parent = cgroup_ref(up);
		cg->level = up->level + 1;
		cg->nfreeze = up->nfreeze;
		cg->told = cgroup_events_locked(cg);
		list_add_tail(&cg->sibling, &up->children);
		count_below_locked(up, 1);
	}
	mutex_unlock(&tree->mu);
	if (r < 0)
		return r;
	*ret = cg;
	return cg ? 0 : -ENOMEM;
}

int cgroup_rmdir(struct cgroup *cg)
{
	int r = -EBUSY;

	mutex_lock(tree_mu(cg));
	if (cg->dead)
		r = -ENODEV;
	else if (cg->parent && !cg->nlive && list_empty(&cg->children))
		r = 0;
	if (r == 0) {
		cg->dead = true;
		list_del_init(&cg->sibling);
		count_below_locked(cg->parent, -1);
	}
	mutex_unlock(tree_mu(cg));
	return r;
}

bool cgroup_is_below(const struct cgroup *cg, const struct cgroup *up)
{
	while (cg && cg != up)
		cg = cg->parent;
	return cg != NULL;
}

struct cgroup *cgroup_common(struct cgroup *a, struct cgroup *b)
{
	while (!cgroup_is_below(b, a))
		a = a->parent;
	return a;
}

void cgroup_path(struct strbuf *s, struct cgroup *root, struct cgroup *cg)
{
	const struct cgroup *common = cgroup_common(root, cg), *names[CGROUP_LEVELS + 1];
	size_t n = 0;
	bool dead;

	for (const struct cgroup *c = root; c != common; c = c->parent)
		strbuf_puts(s, "/..");
	for (const struct cgroup *c = cg; c != common; c = c->parent)
		names[n++] = c;
	if (root == cg)
		strbuf_putc(s, '/');
	while (n)
		strbuf_printf(s, "/%s", names[--n]->name);
	mutex_lock(tree_mu(cg));
	dead = cg->dead;
	mutex_unlock(tree_mu(cg));
	if (dead)
		strbuf_puts(s, " (deleted)");
}

u32 cgroup_controllers_locked(const struct cgroup *cg)
{
	return cg->parent ? cg->parent->controls : CGROUP_CTLS;
}

int cgroup_control(struct cgroup *cg, u32 on, u32 off)
{
	struct cgroup *c;
	int r = 0;

	mutex_lock(tree_mu(cg));
	if (cg->dead)
		r = -ENODEV;
	else if (on & ~cgroup_controllers_locked(cg))
		r = -ENOENT;
	else if ((on & ~cg->controls) && cg->nprocs)
		r = -EBUSY;
	list_for_each(c, &cg->children, sibling)
		if (r == 0 && (c->controls & off))
			r = -EBUSY;
	if (r == 0)
		cg->controls = (cg->controls | on) & ~off;
	mutex_unlock(tree_mu(cg));
	return r;
}

/* ---- processes ---- */

/* One that is being made may have none yet. */
static struct cgroup *group_of_locked(const struct tgroup *tg)
{
	return tg->cgroup ? tg->cgroup : tg->kernel->cgroups.root;
}

struct cgroup *tgroup_cgroup(struct tgroup *tg)
{
	struct cgroup *cg;

	mutex_lock(&tg->kernel->cgroups.mu);
	cg = cgroup_ref(group_of_locked(tg));
	mutex_unlock(&tg->kernel->cgroups.mu);
	return cg;
}

/* May one task more be at @cg?  The limit that is in the way counts it. */
static bool charge_locked(struct cgroup *cg)
{
	for (struct cgroup *c = cg; c; c = c->parent)
		if (c->ntasks >= c->pids_max) {
			c->pids_refused++;
			return false;
		}
	return true;
}

static void count_tasks_locked(struct cgroup *cg, int n)
{
	for (struct cgroup *c = cg; c; c = c->parent) {
		c->ntasks += (u32)n;
		c->peak = MAX(c->peak, c->ntasks);
	}
}

static void count_process_locked(struct cgroup *cg, int n)
{
	cg->nprocs += (u32)n;
	for (struct cgroup *c = cg; c; c = c->parent)
		c->nlive += (u32)n;
}

void cgroup_count_frozen_locked(struct cgroup *from, int n)
{
	for (struct cgroup *c = from; c; c = c->parent)
		c->nfrozen += (u32)n;
}

bool cgroup_set_freeze_locked(struct tgroup *tg)
{
	bool freeze = tg->cgroup->nfreeze != 0;

	return atomic_exchange(&tg->freeze, freeze) != freeze;
}

/* Processes live in leaves: a group that hands controllers on has none. */
static int may_join_locked(const struct cgroup *cg)
{
	if (cg->dead)
		return -ENODEV;
	return cg->controls ? -EBUSY : 0;
}

int cgroup_add_task(struct tgroup *tg, struct tgroup *from, struct cgroup *into)
{
	struct cgroup_tree *tree = &tg->kernel->cgroups;
	bool fresh = !tg->cgroup;
	struct cgroup *cg;
	int r = 0;

	mutex_lock(&tree->mu);
	cg = !fresh ? tg->cgroup : into ? into : from->cgroup;
	if (fresh && into)
		r = may_join_locked(into);
	if (r == 0 && !charge_locked(cg))
		r = -EAGAIN;
	if (r == 0) {
		count_tasks_locked(cg, 1);
		tg->cgroup_tasks++;
	}
	if (r == 0 && fresh) {
		tg->cgroup = cgroup_ref(cg);
		tg->in_cgroup = true;
		count_process_locked(cg, 1);
		(void)cgroup_set_freeze_locked(tg);
	}
	mutex_unlock(&tree->mu);
	return r;
}

void cgroup_drop_task(struct tgroup *tg)
{
	mutex_lock(&tg->kernel->cgroups.mu);
	BUG_ON(tg->cgroup_tasks == 0);
	tg->cgroup_tasks--;
	count_tasks_locked(tg->cgroup, -1);
	if (tg->cgroup_tasks == 0 && tg->in_cgroup) {           /* an add that is undone */
		tg->in_cgroup = false;
		count_process_locked(tg->cgroup, -1);
	}
	mutex_unlock(&tg->kernel->cgroups.mu);
}

void cgroup_process_ended(struct tgroup *tg)
{
	u64 ut, st;

	tgroup_times(tg, &ut, &st);
	mutex_lock(&tg->kernel->cgroups.mu);
	tg->in_cgroup = false;
	count_process_locked(tg->cgroup, -1);
	for (struct cgroup *c = tg->cgroup; c; c = c->parent) {
		c->utime += ut;
		c->stime += st;
	}
	mutex_unlock(&tg->kernel->cgroups.mu);
}

int cgroup_attach(struct cgroup *cg, struct tgroup *tg, const struct cgroup *from)
{
	struct cgroup *old = NULL;
	bool freeze = false;
	int r;

	mutex_lock(tree_mu(cg));
	r = group_of_locked(tg) == from ? may_join_locked(cg) : -ESTALE;
	if (r == 0 && tg->in_cgroup && tg->cgroup != cg) {      /* one that has ended stays where it was */
		old = tg->cgroup;
		count_process_locked(old, -1);
		count_tasks_locked(old, -(int)tg->cgroup_tasks);
		tg->cgroup = cgroup_ref(cg);
		count_process_locked(cg, 1);
		count_tasks_locked(cg, (int)tg->cgroup_tasks);
		if (tg->frozen) {
			cgroup_count_frozen_locked(old, -1);
			cgroup_count_frozen_locked(cg, 1);
		}
		freeze = cgroup_set_freeze_locked(tg);
	}
	mutex_unlock(tree_mu(cg));
	if (freeze)
		cgroup_freeze_changed(tg);
	if (old) {
		cgroup_tell(old);
		cgroup_tell(cg);
		cgroup_unref(old);
	}
	return r;
}

void cgroup_kill(struct cgroup *cg)
{
	struct kernel *k = cg->kernel;

	/* Nobody is published meanwhile, and who is killed publishes nobody. */
	mutex_lock(&k->mu);
	for (struct tgroup *tg = pid_next_tgroup_locked(k, 1); tg; tg = pid_next_tgroup_locked(k, tg->tgid + 1)) {
		struct cgroup *at = tgroup_cgroup(tg);

		if (cgroup_is_below(at, cg))
			tgroup_kill(tg);
		cgroup_unref(at);
	}
	mutex_unlock(&k->mu);
}

u32 cgroup_events_locked(const struct cgroup *cg)
{
	return (cg->nlive ? CGROUP_POPULATED : 0) | (cg->nfreeze && cg->nfrozen == cg->nlive ? CGROUP_FROZEN : 0);
}

void cgroup_tell(struct cgroup *cg)
{
	for (;;) {
		struct cgroup *c;

		mutex_lock(tree_mu(cg));
		for (c = cg; c && !cgroup_untold_locked(c);)
			c = c->parent;
		if (c) {
			c->told = cgroup_events_locked(c);
			cgroup_ref(c);
		}
		mutex_unlock(tree_mu(cg));
		if (!c)
			return;
		cgroupfs_events_changed(c);
		cgroup_unref(c);
	}
}

struct cgroup *cgroup_for_exec(struct kernel *k)
{
	struct cgroup *cg = k->cgroups.root;

	mutex_lock(&k->mu);
	mutex_lock(&k->cgroups.mu);
	if (cg->controls && k->init)
		cg = k->init->cgroup;
	cgroup_ref(cg);
	mutex_unlock(&k->cgroups.mu);
	mutex_unlock(&k->mu);
	return cg;
}

/* ---- namespaces ---- */

struct cgroup_ns {
	struct ns ns;
	struct cgroup *root;            /* immutable: a reference */
};

static void cgroup_ns_release(struct ns *ns)
{
	struct cgroup_ns *c = container_of(ns, struct cgroup_ns, ns);

	ns_done(ns);
	cgroup_unref(c->root);
	kfree(c);
}

int cgroup_ns_new(struct kernel *k, struct cgroup *root, struct user_ns *owner, struct ns **ret)
{
	struct cgroup_ns *c = knew(struct cgroup_ns);
	int r;

	if (!c)
		return -ENOMEM;
	r = ns_init(&c->ns, k, NS_CGROUP, owner, cgroup_ns_release);
	if (r < 0) {
		kfree(c);
		return r;
	}
	c->root = cgroup_ref(root);
	*ret = &c->ns;
	return 0;
}

struct cgroup *task_cgroup_root(struct task *t)
{
	return container_of(t->nsset->of[NS_CGROUP], struct cgroup_ns, ns)->root;
}
