/*
 * signal_stop.c - stopping and continuing whole processes (job control).
 *
 * A stop signal marks every thread stop_pending.  Each thread comes to
 * signal_stop_here() and sleeps; the last one tells the parent.  SIGCONT ends
 * the stop in the sender's context; a thread that wakes from it tells the
 * parent, because that needs kernel->mu, which senders may not take.
 */
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task_int.h"

void signal_begin_stop_locked(struct task *t, int sig)
{
	struct tgroup *tg = t->tg;
	struct task *x;

	if (tg->group_exit || tg->stop_signal)
		return;
	tg->stop_signal = sig;
	tg->nstopped = 0;
	tg->continued = false;
	list_for_each(x, &tg->threads, thread_node) {
		if (x->exiting)
			continue;
		x->stop_pending = true;
		atomic_store(&x->attention, true);
		if (x != t)
			task_kick(x);
	}
}

void signal_continue_locked(struct tgroup *tg)
{
	struct task *t;

	if (tg->stop_signal == 0)
		return;
	tg->stop_signal = 0;
	tg->nstopped = 0;
	if (tg->stopped) {
		tg->stopped = false;
		tg->continued = true;
		tg->tell_continued = true;
	}
	list_for_each(t, &tg->threads, thread_node) {
		t->stop_pending = false;
		t->in_stop = false;
		ptrace_continued_locked(t);
		task_attention_locked(t);
		task_wake(t);
	}
}

/* All live threads have stopped: mark it. True: the parent is to be told. */
bool signal_stop_complete_locked(struct tgroup *tg)
{
	if (tg->stop_signal == 0 || tg->stopped || tg->nthreads == 0 || tg->nstopped < tg->nthreads)
		return false;
	tg->stopped = true;
	tg->stop_reported = false;
	return true;
}

static bool still_stopped(struct task *t)
{
	bool s;

	mutex_lock(&t->tg->mu);
	s = t->in_stop;
	mutex_unlock(&t->tg->mu);
	return s && !task_killed(t);
}

void signal_stop_here(struct task *t)
{
	struct tgroup *tg = t->tg;
	bool tell;

	mutex_lock(&tg->mu);
	if (!t->stop_pending || task_killed(t)) {
		mutex_unlock(&tg->mu);
		return;
	}
	t->stop_pending = false;
	t->in_stop = true;
	tg->nstopped++;
	tell = signal_stop_complete_locked(tg);
	mutex_unlock(&tg->mu);
	if (tell)
		notify_parent_stop(tg, CLD_STOPPED);

	cgroup_enter_frozen(t);
	while (still_stopped(t))
		(void)!task_sleep_killable(t, KTIME_MAX);
	cgroup_leave_frozen(t);

	mutex_lock(&tg->mu);
	t->in_stop = false;
	tell = tg->tell_continued;
	tg->tell_continued = false;
	task_attention_locked(t);
	mutex_unlock(&tg->mu);
	if (tell)
		notify_parent_stop(tg, CLD_CONTINUED);
}

/* tg->mu held.  Who ignores SIGCHLD, or wants none for stops, gets none even if it is blocked. */
bool signal_tells_stops(const struct tgroup *tg)
{
	const struct lx_sigaction *act = tg->sighand ? &tg->sighand->act[SIGCHLD - 1] : NULL;

	return act && !(act->flags & SA_NOCLDSTOP) && act->handler != (u64)(uintptr_t)SIG_IGN;
}

void notify_parent_stop(struct tgroup *tg, int why)
{
	struct kernel *k = tg->kernel;
	struct lx_siginfo si;
	struct tgroup *parent;
	struct task *t;
	u64 ut, st;

	tgroup_times(tg, &ut, &st);
	siginfo_kernel(&si, SIGCHLD, why);
	si.chld.pid = tg->tgid;
	si.chld.utime = (s64)(ut / 10000000);
	si.chld.stime = (s64)(st / 10000000);
	mutex_lock(&tg->mu);
	si.chld.status = why == CLD_CONTINUED ? SIGCONT : tg->stop_signal;
	t = tg->leader;
	si.chld.uid = t ? t->cred->uid : 0;
	mutex_unlock(&tg->mu);

	mutex_lock(&k->mu);
	parent = tg->parent;
	if (parent) {
		mutex_lock(&parent->mu);
		if (signal_tells_stops(parent))
			(void)!signal_send_locked(parent, NULL, SIGCHLD, &si);
		mutex_unlock(&parent->mu);
		waitq_wake(&parent->wait_children, POLLIN);
	}
	mutex_unlock(&k->mu);
}
