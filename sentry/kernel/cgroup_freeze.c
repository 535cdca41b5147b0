/*
 * cgroup_freeze.c - cgroup.freeze: groups whose processes do not run (admin-guide/cgroup-v2.rst).
 *
 * A group is to be frozen if it or one around it is told so: cg->nfreeze counts these.  Each process knows it by
 * tg->freeze; its threads come to cgroup_freeze_here() on their way back to the application, as for a stop.
 * A thread that rests (there, in a stop, with its tracer, for a vfork child) is "held"; a process is frozen when all
 * of its threads are, and a group when all its processes are.
 *
 * Locks: tg->held and tg->nheld under tg->mu; nfreeze, nfrozen and tg->frozen under kernel->cgroups.mu, which
 *        is taken within it.  tg->freeze changes under the latter and is read anywhere; its threads look
 *        once somebody has been at tg->mu since.
 */
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task_int.h"

static struct mutex *tree_mu(const struct cgroup *cg) { return &cg->kernel->cgroups.mu; }

/* ---- who is held ---- */

/* True: that changed whether the process is frozen, in a group that is to be. */
bool cgroup_count_held_locked(struct tgroup *tg)
{
	bool frozen = tg->nthreads && tg->nheld >= tg->nthreads, changed;

	mutex_lock(&tg->kernel->cgroups.mu);
	changed = tg->frozen != frozen && tg->in_cgroup;
	if (changed) {
		tg->frozen = frozen;
		cgroup_count_frozen_locked(tg->cgroup, frozen ? 1 : -1);
		changed = tg->cgroup->nfreeze != 0;
	}
	mutex_unlock(&tg->kernel->cgroups.mu);
	return changed;
}

void cgroup_tell_frozen(struct tgroup *tg)
{
	auto_cgroup *cg = tgroup_cgroup(tg);

	cgroup_tell(cg);
}

static void set_held(struct task *t, bool held)
{
	struct tgroup *tg = t->tg;
	bool changed;

	mutex_lock(&tg->mu);
	tg->nheld += held ? 1 : -1u;
	changed = cgroup_count_held_locked(tg);
	mutex_unlock(&tg->mu);
	if (changed)
		cgroup_tell_frozen(tg);
}

void cgroup_enter_frozen(struct task *t) { set_held(t, true); }
void cgroup_leave_frozen(struct task *t) { set_held(t, false); }

/* Other stops go first: who asked for them waits for them. */
static bool must_rest(struct task *t)
{
	struct tgroup *tg = t->tg;
	bool rest;

	mutex_lock(&tg->mu);
	rest = atomic_load(&tg->freeze) && !task_killed(t) && !tg->group_exit && !t->stop_pending && !ptrace_trap_pending_locked(t);
	mutex_unlock(&tg->mu);
	return rest;
}

void cgroup_freeze_here(struct task *t)
{
	cgroup_enter_frozen(t);
	while (must_rest(t))
		(void)!task_sleep_killable(t, KTIME_MAX);
	cgroup_leave_frozen(t);
	mutex_lock(&t->tg->mu);
	task_attention_locked(t);
	mutex_unlock(&t->tg->mu);
}

/* ---- groups ---- */

void cgroup_freeze_changed(struct tgroup *tg)
{
	struct task *t;

	mutex_lock(&tg->mu);
	list_for_each(t, &tg->threads, thread_node) {
		if (t->exiting)
			continue;
		task_attention_locked(t);
		task_kick(t);
	}
	mutex_unlock(&tg->mu);
}

/* The one after @c of those at and below @top, each before what is below it; NULL: no more. */
static struct cgroup *next_below_locked(const struct cgroup *top, struct cgroup *c)
{
	if (!list_empty(&c->children))
		return list_first(&c->children, struct cgroup, sibling);
	while (c != top && c->sibling.next == &c->parent->children)
		c = c->parent;
	return c == top ? NULL : list_first(&c->sibling, struct cgroup, sibling);
}

/* Each process at and below it that is to freeze or thaw.  No other comes meanwhile: publishing needs kernel->mu. */
static void freeze_processes(struct cgroup *cg)
{
	struct kernel *k = cg->kernel;

	mutex_lock(&k->mu);
	for (struct tgroup *tg = pid_next_tgroup_locked(k, 1); tg; tg = pid_next_tgroup_locked(k, tg->tgid + 1)) {
		bool changed;

		mutex_lock(tree_mu(cg));
		changed = cgroup_is_below(tg->cgroup, cg) && cgroup_set_freeze_locked(tg);
		mutex_unlock(tree_mu(cg));
		if (changed)
			cgroup_freeze_changed(tg);
	}
	mutex_unlock(&k->mu);
}

/* One at or below @cg whose watchers know something else: a reference, or NULL. */
static struct cgroup *find_untold(struct cgroup *cg)
{
	struct cgroup *c;

	mutex_lock(tree_mu(cg));
	for (c = cg; c && !cgroup_untold_locked(c);)
		c = next_below_locked(cg, c);
	if (c)
		cgroup_ref(c);
	mutex_unlock(tree_mu(cg));
	return c;
}

void cgroup_freeze(struct cgroup *cg, bool on)
{
	bool changed;

	mutex_lock(tree_mu(cg));
	changed = cg->freeze != on && !cg->dead;
	cg->freeze = on;
	for (struct cgroup *c = cg; changed && c; c = next_below_locked(cg, c))
		c->nfreeze += on ? 1 : -1u;
	mutex_unlock(tree_mu(cg));
	if (!changed)
		return;
	freeze_processes(cg);
	for (struct cgroup *c = find_untold(cg); c; c = find_untold(cg)) {
		cgroup_tell(c);
		cgroup_unref(c);
	}
}
