/*
 * tgroup.c - processes: making, counting and finding them; see task.h.
 *
 * A tgroup is referenced by the pid table until it has been waited for, by
 * each of its tasks, and by lookups.  Membership of process group and session holds those numbers.
 */
#include "sentry/kernel/task_int.h"

#include "platform/base/alloc.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/pid_ns.h"

struct tgroup *tgroup_new(struct kernel *k)
{
	struct tgroup *tg = knew(struct tgroup);

	if (!tg)
		return NULL;
	ref_init(&tg->ref);
	tg->kernel = k;
	list_init(&tg->children);
	list_init(&tg->sibling);
	list_init(&tg->tracees);
	waitq_init(&tg->wait_children);
	waitq_init(&tg->signal_wq);
	waitq_init(&tg->exit_wq);
	mutex_init(&tg->mu, RANK_TGROUP);
	list_init(&tg->threads);
	sigpending_init(&tg->pending);
	itimers_init(tg);
	cpulimit_init(tg);
	overdue_init(tg);
	list_init(&tg->ptimers);
	tg->start_time = ktime_boot(k);
	tg->dumpable = true;
	return tg;
}

struct tgroup *tgroup_ref(struct tgroup *tg)
{
	ref_get(&tg->ref);
	return tg;
}

void tgroup_unref(struct tgroup *tg)
{
	if (!tg || !ref_put(&tg->ref))
		return;
	sigpending_flush(&tg->pending, ~0ull);
	if (tg->sighand)
		sighand_unref(tg->sighand);
	if (tg->pid_ns)
		ns_unref(&tg->pid_ns->ns);
	cgroup_unref(tg->cgroup);
	kfree(tg);
}

void tgroup_add_thread_locked(struct tgroup *tg, struct task *t)
{
	if (!tg->leader)
		tg->leader = t;
	list_add_tail(&t->thread_node, &tg->threads);
	tg->nthreads++;
	if (atomic_load(&tg->freeze))
		atomic_store(&t->attention, true);
}

void tgroup_join_locked(struct tgroup *tg, int pgid, struct session *s)
{
	struct session *old = tg->session;
	int old_pgid = tg->pgid;

	pid_hold_locked(tg->kernel, pgid);
	pid_hold_locked(tg->kernel, s->sid);
	tg->pgid = pgid;
	tg->session = session_ref(s);
	if (old) {
		pid_unhold_locked(tg->kernel, old_pgid);
		pid_unhold_locked(tg->kernel, old->sid);
		session_unref(old);
	}
}

void tgroup_set_pgid_locked(struct tgroup *tg, int pgid)
{
	pid_hold_locked(tg->kernel, pgid);
	pid_unhold_locked(tg->kernel, tg->pgid);
	tg->pgid = pgid;
}

void tgroup_leave_locked(struct tgroup *tg)
{
	if (!tg->session)
		return;
	pid_unhold_locked(tg->kernel, tg->pgid);
	pid_unhold_locked(tg->kernel, tg->session->sid);
	session_unref(tg->session);
	tg->session = NULL;
	tg->pgid = 0;
}

bool tgroup_is_dying(struct tgroup *tg)
{
	bool dying;

	mutex_lock(&tg->mu);
	dying = tg->group_exit || tg->nthreads == 0;
	mutex_unlock(&tg->mu);
	return dying;
}

bool tgroup_is_single(struct tgroup *tg)
{
	bool alone;

	mutex_lock(&tg->mu);
	alone = tg->nthreads == 1;
	mutex_unlock(&tg->mu);
	return alone;
}

struct tgroup *tgroup_find(struct kernel *k, int tgid)
{
	struct tgroup *tg;

	mutex_lock(&k->mu);
	tg = pid_tgroup_locked(k, tgid);
	if (tg)
		tgroup_ref(tg);
	mutex_unlock(&k->mu);
	return tg;
}

int tgroup_ppid(struct tgroup *tg)
{
	int pid;

	mutex_lock(&tg->kernel->mu);
	pid = tg->parent ? tg->parent->tgid : 0;
	mutex_unlock(&tg->kernel->mu);
	return pid;
}

int tgroup_for_each(struct kernel *k, int (*fn)(void *arg, struct tgroup *tg), void *arg)
{
	int pid = 0, r = 0;

	while (r == 0) {
		struct tgroup *tg;

		mutex_lock(&k->mu);
		tg = pid_next_tgroup_locked(k, pid + 1);
		if (tg)
			tgroup_ref(tg);
		mutex_unlock(&k->mu);
		if (!tg)
			break;
		pid = tg->tgid;
		r = fn(arg, tg);
		tgroup_unref(tg);
	}
	return r;
}

int tgroup_for_each_task(struct tgroup *tg, int (*fn)(void *arg, struct task *t), void *arg)
{
	struct task **all, *t;
	u32 n = 0, max;
	int r = 0;

	mutex_lock(&tg->mu);
	max = tg->nthreads + 1;         /* a dead leader stays in the list */
	mutex_unlock(&tg->mu);
	all = kbuf_array((size_t)max + 16, sizeof(*all));
	if (!all)
		return -ENOMEM;
	mutex_lock(&tg->mu);
	list_for_each(t, &tg->threads, thread_node)
		if (n < max + 16)
			all[n++] = task_ref(t);
	mutex_unlock(&tg->mu);
	for (u32 i = 0; i < n; i++) {
		if (r == 0)
			r = fn(arg, all[i]);
		task_unref(all[i]);
	}
	kfree(all);
	return r;
}
