/*
 * task_exit.c - the end of threads and processes (exit(2), exit_group(2), fatal signals).
 *
 * The dying thread runs its own exit, as owner: it tells the application's
 * memory (robust futexes, clear_child_tid), drops what it shares, frees its
 * context, and leaves its process.  The last one out makes the process a
 * zombie: children go to a subreaper or init, groups that lose their last outside
 * parent are hung up, and the parent hears SIGCHLD or reaps nothing.
 *
 * Order: a task is "exiting" under tg->mu before anything is torn down, so
 * nobody hands it signals any more; the family tree changes under kernel->mu.
 */
#include <errno.h>

#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/rusage.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task_int.h"
#include "sentry/mm/mm.h"

/* ---- vfork ---- */

void vfork_done_unref(struct vfork_done *vd)
{
	if (!vd || !ref_put(&vd->ref))
		return;
	task_unref(vd->parent);
	kfree(vd);
}

void vfork_complete(struct task *t)
{
	struct vfork_done *vd = t->vfork_done;

	if (!vd)
		return;
	t->vfork_done = NULL;
	atomic_store(&vd->done, true);
	task_wake(vd->parent);
	vfork_done_unref(vd);
}

/* ---- what the application's memory is told ---- */

/* With nobody outside the ending process in this memory, nobody can look. */
static bool memory_outlives(struct task *t)
{
	struct tgroup *tg = t->tg;
	u32 users = atomic_load(&t->mm->ref.n), ending = 1;

	if (users == 1)
		return false;
	mutex_lock(&tg->mu);
	if (tg->group_exit)
		ending = tg->nthreads;
	mutex_unlock(&tg->mu);
	return users > ending;
}

bool task_exit_needs_frame(struct task *t)
{
	if (!t->mm)
		return false;
	return (t->clear_child_tid.v != 0 && memory_outlives(t)) || futex_robust_held(t);
}

void task_release_memory(struct task *t)
{
	if (!t->mm)
		return;
	futex_exit_robust(t);
	if (t->exiting)
		futex_pi_exit(t);
	if (t->clear_child_tid.v != 0 && memory_outlives(t)) {
		gaddr_t a = t->clear_child_tid;

		t->clear_child_tid = GADDR(0);
		ctx_retire(t->ctx, a);
	}
	vfork_complete(t);
}

/* ---- the family ---- */

/* Who takes the children of @tg: the nearest living subreaper above, else init, both of its pid namespace. */
static struct tgroup *reaper_of(struct tgroup *tg)
{
	struct tgroup *init = tg->pid_ns->init;

	for (struct tgroup *p = tg->parent; p && p != init && p->pid_ns == tg->pid_ns; p = p->parent)
		if (p->is_subreaper && !p->zombie)
			return p;
	return init != tg ? init : NULL;
}

/* @parent stops being what ties the group of @tg to the session (Linux: kill_orphaned_pgrp). */
static void hangup_if_orphaned(struct tgroup *tg, struct tgroup *parent, struct tgroup *ignored)
{
	struct kernel *k = tg->kernel;

	if (!parent || parent->pgid == tg->pgid || parent->session != tg->session)
		return;
	if (tg->pgid == 0 || !pgrp_orphaned_without_locked(k, tg->pgid, ignored) ||
	    !pgrp_has_stopped_locked(k, tg->pgid))
		return;
	signal_pgrp_locked(k, tg->pgid, SIGHUP);
	signal_pgrp_locked(k, tg->pgid, SIGCONT);
}

static void pdeath(struct tgroup *child, struct tgroup *dead) NO_TSA
{
	struct lx_siginfo si;
	struct task *t;

	mutex_lock(&child->mu);
	list_for_each(t, &child->threads, thread_node) {
		if (t->pdeath_signal == 0 || t->exiting)
			continue;
		siginfo_kernel(&si, t->pdeath_signal, SI_USER);
		si.rt.pid = dead->tgid;
		(void)!signal_send_locked(child, t, t->pdeath_signal, &si);
	}
	mutex_unlock(&child->mu);
}

static bool autoreaps(struct tgroup *parent)
{
	const struct lx_sigaction *a = &parent->sighand->act[SIGCHLD - 1];

	return a->handler == (u64)(uintptr_t)SIG_IGN || (a->flags & SA_NOCLDWAIT);
}

static void fill_chld(struct tgroup *tg, struct lx_siginfo *si, int sig)
{
	const struct cred *c = task_cred_get(tg->leader);
	u64 ut, st;

	tgroup_times(tg, &ut, &st);
	siginfo_kernel(si, sig, (tg->wstatus & 0x7f) == 0 ? CLD_EXITED :
		       (tg->wstatus & 0x80) ? CLD_DUMPED : CLD_KILLED);
	si->chld.pid = tg->tgid;
	si->chld.uid = c->uid;
	si->chld.status = (tg->wstatus & 0x7f) == 0 ? (tg->wstatus >> 8) & 0xff : tg->wstatus & 0x7f;
	si->chld.utime = (s64)(ut / 10000000);
	si->chld.stime = (s64)(st / 10000000);
	cred_unref(c);
}

/*
 * Tell the parent that @tg is a zombie.  True: nobody will wait for it, the
 * caller releases it.  kernel->mu held.
 */
static bool notify_parent_exit(struct tgroup *tg)
{
	struct tgroup *parent = tg->parent;
	int sig = tg->exit_signal <= NSIG_GUEST ? tg->exit_signal : 0;
	struct lx_siginfo si;
	bool reap = false;

	if (!parent || parent->zombie)
		return true;
	if (sig != 0)
		fill_chld(tg, &si, sig);
	mutex_lock(&parent->mu);
	if (sig == SIGCHLD && autoreaps(parent))
		reap = true;
	if (sig != 0 && !(sig == SIGCHLD && parent->sighand->act[SIGCHLD - 1].handler ==
			  (u64)(uintptr_t)SIG_IGN))
		(void)!signal_send_locked(parent, NULL, sig, &si);
	mutex_unlock(&parent->mu);
	waitq_wake(&parent->wait_children, POLLIN);
	return reap;
}

struct tgroup *tgroup_release_locked(struct tgroup *tg)
{
	struct kernel *k = tg->kernel;
	struct task *leader = pid_clear_task_locked(k, tg->tgid);
	u64 ut, st;

	tgroup_times(tg, &ut, &st);
	atomic_fetch_add(&k->ended_utime, ut);
	atomic_fetch_add(&k->ended_stime, st);
	tg->reaped = true;
	list_del_init(&tg->sibling);
	tgroup_leave_locked(tg);
	pid_uncount_locked(k);
	cgroup_drop_task(tg);
	mutex_lock(&tg->mu);
	tg->leader = NULL;
	list_del_init(&leader->thread_node);
	mutex_unlock(&tg->mu);
	atomic_store(&leader->state, TASK_DEAD);
	task_unref(leader);
	return pid_clear_tgroup_locked(k, tg->tgid);
}

static void reparent_children(struct tgroup *tg, struct list_head *ret_dead)
{
	struct tgroup *heir = reaper_of(tg), *c, *n;

	list_for_each_safe(c, n, &tg->children, sibling) {
		struct tgroup *dead;

		list_del_init(&c->sibling);
		c->parent = heir;
		if (heir)
			list_add_tail(&c->sibling, &heir->children);
		pdeath(c, tg);
		c->exit_signal = SIGCHLD;
		if (c->zombie && notify_parent_exit(c)) {
			dead = tgroup_release_locked(c);
			list_add_tail(&dead->sibling, ret_dead);
		} else {
			hangup_if_orphaned(c, tg, NULL);
		}
	}
}

/* Init is gone: nothing in its pid namespace, or below, survives it, and nobody comes. */
static void kill_everybody(struct pid_ns *ns)
{
	struct kernel *k = ns->ns.kernel;

	ns->init = NULL;
	ns->dead = ns->level > 0;
	for (struct tgroup *tg = pid_next_tgroup_locked(k, 1); tg;
	     tg = pid_next_tgroup_locked(k, tg->tgid + 1))
		if (pid_nr_in_locked(ns, tg->tgid) > 0)
			tgroup_kill(tg);
}

/* The last thread has left: zombie, or gone at once. */
static void process_end(struct tgroup *tg, struct nsset *set)
{
	struct kernel *k = tg->kernel;
	bool is_init, reaped = false;
	auto_cgroup *left = NULL;
	struct task *traced;
	struct list_head dead;
	int wstatus;

	ipc_exit(tg, ipc_ns_of(set->of[NS_IPC]));
	ptrace_tracer_exit(tg);
	itimer_stop(tg);
	cpulimit_stop(tg);
	overdue_stop(tg);
	ptimers_delete_all(tg);
	if (tg->session && tg->session->leader == tg)
		session_leader_exit(tg);

	list_init(&dead);
	mutex_lock(&k->mu);
	is_init = k->init == tg;
	mutex_lock(&tg->mu);
	tg->wstatus = tg->group_exit ? tg->exit_code : tg->leader->exit_status;
	wstatus = tg->wstatus;
	mutex_unlock(&tg->mu);
	traced = ptrace_exited_locked(tg->leader, wstatus);
	if (is_init)
		k->init = NULL;
	if (tg->pid_ns->init == tg)
		kill_everybody(tg->pid_ns);
	reparent_children(tg, &dead);
	if (tg->session && tg->session->leader == tg)
		tg->session->leader = NULL;
	hangup_if_orphaned(tg, tg->parent, tg);
	left = tgroup_cgroup(tg);
	atomic_store(&tg->leader->state, TASK_ZOMBIE);
	tg->zombie = true;
	cgroup_process_ended(tg);
	waitq_wake(&tg->exit_wq, POLLIN);
	if (!is_init && notify_parent_exit(tg)) {
		reaped = true;
		(void)!tgroup_release_locked(tg);
	}
	mutex_unlock(&k->mu);

	cgroup_tell(left);
	task_unref(traced);
	while (!list_empty(&dead)) {
		struct tgroup *d = list_first(&dead, struct tgroup, sibling);

		list_del_init(&d->sibling);
		tgroup_unref(d);
	}
	if (tg->exec_leader && k->on_task_exit)
		k->on_task_exit(k, tg->tgid, wstatus);
	if (is_init && k->on_init_exit)
		k->on_init_exit(k, wstatus);
	if (reaped)
		tgroup_unref(tg);
}

/* Leave the thread list. True: this was the last live thread. */
static bool leave_group(struct task *t)
{
	struct tgroup *tg = t->tg;
	bool last, tell_stop, exec_waits, tell_frozen;
	struct task *execing = NULL;

	mutex_lock(&tg->mu);
	tg->nthreads--;
	last = tg->nthreads == 0;
	tg->dead_utime += atomic_load(&t->utime_ns);
	tg->dead_stime += atomic_load(&t->stime_ns);
	tg->dead_nvcsw += t->nvcsw;
	tg->dead_nivcsw += t->nivcsw;
	tell_stop = signal_stop_complete_locked(tg);
	tell_frozen = tg->nheld && cgroup_count_held_locked(tg);
	exec_waits = tg->execing && tg->execing != t && tg->nthreads == 1;
	if (exec_waits)
		execing = task_ref(tg->execing);
	if (t != tg->leader)
		list_del_init(&t->thread_node);
	mutex_unlock(&tg->mu);
	if (tell_stop)
		notify_parent_stop(tg, CLD_STOPPED);
	if (tell_frozen)
		cgroup_tell_frozen(tg);
	if (execing) {
		task_wake(execing);
		task_unref(execing);
	}
	return last;
}

static void mark_exiting(struct task *t)
{
	mutex_lock(&t->tg->mu);
	t->exiting = true;
	t->stop_pending = false;
	if (t->in_stop) {
		t->in_stop = false;
		if (t->tg->nstopped > 0)
			t->tg->nstopped--;
	}
	signal_retarget_locked(t, ~signal_blocked_locked(t));
	mutex_unlock(&t->tg->mu);
}

void task_exit(struct task *t, int wstatus)
{
	struct kernel *k = t->kernel;
	struct tgroup *tg = tgroup_ref(t->tg);
	struct seccomp_prog *filters;
	struct nsset *set;
	struct ctx *c;
	bool leader, last;

	t->exit_status = wstatus;
	ptrace_exit_event(t, wstatus);
	mark_exiting(t);
	task_release_memory(t);
	if (t->mm) {
		if (tgroup_is_single(tg))
			rusage_image_ends(tg, t->mm);
		mutex_lock(&tg->mu);
		tgroup_cpu_sample_locked(tg, t->mm->as);
		mutex_unlock(&tg->mu);
	}
	set = nsset_ref(t->nsset);
	task_drop_shared(t);
	mutex_lock(&tg->mu);
	filters = t->seccomp;           /* a tracer may be reading them */
	t->seccomp = NULL;
	own_mask_recall_locked(t);
	c = t->ctx;
	t->ctx = NULL;
	leader = tg->leader == t;
	mutex_unlock(&tg->mu);
	seccomp_unref(filters);
	ctx_set_owner(c, NULL);
	ctx_free(c);
	atomic_store(&t->state, leader ? TASK_ZOMBIE : TASK_DEAD);

	if (!leader) {
		struct task *held;

		struct task *traced;

		mutex_lock(&k->mu);
		held = pid_clear_task_locked(k, t->tid);
		pid_uncount_locked(k);
		cgroup_drop_task(t->tg);
		traced = ptrace_exited_locked(t, wstatus);
		mutex_unlock(&k->mu);
		task_unref(traced);
		task_unref(held);
	}
	last = leave_group(t);
	if (last)
		process_end(tg, set);
	nsset_unref(set);
	task_unref(t);          /* the context's */
	tgroup_unref(tg);
}

void task_exit_killed(struct task *t)
{
	struct tgroup *tg = t->tg;
	int wstatus = SIGKILL;

	mutex_lock(&tg->mu);
	if (tg->group_exit)
		wstatus = tg->exit_code;
	mutex_unlock(&tg->mu);
	task_exit(t, wstatus);
}
