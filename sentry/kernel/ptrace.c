/*
 * ptrace.c - tracers and tracees: attaching, resuming, waiting; see ptrace.h.
 */
#include "sentry/kernel/ptrace.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/rusage.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/kernel/wait.h"
#include "sentry/vfs/landlock.h"

#define PT_OPTIONS 0x3000ffu

static struct ptrace *get(struct task *x)
{
	struct ptrace *fresh, *none = NULL;

	if (__atomic_load_n(&x->pt, __ATOMIC_ACQUIRE))
		return x->pt;
	fresh = knew(struct ptrace);
	if (!fresh)
		return NULL;
	fresh->task = x;
	list_init(&fresh->node);
	if (__atomic_compare_exchange_n(&x->pt, &none, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fresh;
	kfree(fresh);
	return none;
}

/* Its last thread has left: what it traces is let go at once (ptrace_tracer_exit()), and nothing may come after that. kernel->mu held. */
static bool has_ended(struct tgroup *tg)
{
	bool ended;

	mutex_lock(&tg->mu);
	ended = tg->nthreads == 0;
	mutex_unlock(&tg->mu);
	return ended;
}

/* kernel->mu held. */
static int link_locked(struct task *x, struct tgroup *tracer, bool seize, u32 options)
{
	struct ptrace *pt = x->pt;

	if (pt->tracer || x->exiting || has_ended(tracer))
		return -EPERM;
	mutex_lock(&x->tg->mu);
	pt->seized = seize;
	pt->exited = pt->stopped = pt->reported = pt->resumed = pt->trap_pending = pt->listening = false;
	pt->options = options;
	pt->message = 0;
	own_calls_forget_locked(x);
	mutex_unlock(&x->tg->mu);
	list_add_tail(&pt->node, &tracer->tracees);
	task_ref(x);
	__atomic_store_n(&pt->tracer, tracer, __ATOMIC_RELEASE);
	return 0;
}

/* kernel->mu held: the list's reference is the caller's. */
static struct task *unlink_locked(struct task *x)
{
	list_del_init(&x->pt->node);
	__atomic_store_n(&x->pt->tracer, (struct tgroup *)NULL, __ATOMIC_RELEASE);
	return x;
}

static void resume_locked(struct task *x, enum pt_mode mode, int sig)
{
	struct ptrace *pt = x->pt;

	pt->mode = mode;
	pt->resume_sig = sig;
	pt->listening = false;
	pt->resumed = true;
	pt->stopped = false;
	task_wake(x);
}

/* May the process of @x trace @arg? Linux asks the thread that forked it: any of them makes the requests. */
static int may_be_tracer(void *arg, struct task *x)
{
	const struct cred *c = task_cred(arg), *xc = task_cred_get(x);
	bool ok = c->user_ns == xc->user_ns && (c->cap_prm & ~xc->cap_prm) == 0;

	ok = (ok || cred_ns_capable(xc, c->user_ns, CAP_SYS_PTRACE)) && landlock_may_trace(xc, c);
	cred_unref(xc);
	return ok ? 0 : -EPERM;
}

int ptrace_traceme(struct task *t)
{
	struct kernel *k = t->kernel;
	struct tgroup *parent;
	int r;

	if (!get(t))
		return -ENOMEM;
	mutex_lock(&k->mu);
	parent = t->tg->parent ? tgroup_ref(t->tg->parent) : NULL;
	mutex_unlock(&k->mu);
	if (!parent)
		return 0;
	r = tgroup_for_each_task(parent, may_be_tracer, t);
	mutex_lock(&k->mu);
	/* One that has just ended traces nobody. */
	if (r == 0)
		r = t->tg->parent == parent ? link_locked(t, parent, false, 0) : -EPERM;
	mutex_unlock(&k->mu);
	tgroup_unref(parent);
	return r;
}

/* Who is stopped by job control stops for the tracer instead. */
static void leave_stop(struct task *x)
{
	mutex_lock(&x->tg->mu);
	if (x->in_stop) {
		x->in_stop = false;
		if (x->tg->nstopped > 0)
			x->tg->nstopped--;
		x->stop_pending = true;
		task_attention_locked(x);
		task_wake(x);
	}
	mutex_unlock(&x->tg->mu);
}

int ptrace_adopt(struct task *t, struct task *n)
{
	int r = -ESRCH;

	if (!get(n))
		return -ENOMEM;
	mutex_lock(&t->kernel->mu);
	if (t->pt->tracer)
		r = link_locked(n, t->pt->tracer, t->pt->seized, t->pt->options);
	mutex_unlock(&t->kernel->mu);
	return r;
}

bool ptrace_is_stopped(struct task *x)
{
	bool stopped;

	mutex_lock(&x->tg->mu);
	stopped = x->pt->stopped && !x->pt->listening;
	mutex_unlock(&x->tg->mu);
	return stopped;
}

void ptrace_continued_locked(struct task *x)
{
	struct ptrace *pt = x->pt;

	if (!ptrace_on(pt) || !pt->seized)
		return;
	pt->trap_pending = true;
	if (pt->stopped && pt->listening)
		resume_locked(x, pt->mode, 0);
}

int ptrace_attach(struct task *t, struct task *x, bool seize, u32 options)
{
	struct lx_siginfo si;
	int r;

	if (x->tg == t->tg || !task_may_access(t, x))
		return -EPERM;
	if (!get(x))
		return -ENOMEM;
	mutex_lock(&t->kernel->mu);
	r = link_locked(x, t->tg, seize, options);
	mutex_unlock(&t->kernel->mu);
	if (r == 0)
		leave_stop(x);
	if (r == 0 && !seize) {
		siginfo_user(&si, t, SIGSTOP, SI_USER);
		(void)!signal_send_task(x, SIGSTOP, &si);
	}
	return r;
}

bool ptrace_is_tracer(struct task *t, struct task *x)
{
	struct ptrace *pt = __atomic_load_n(&x->pt, __ATOMIC_ACQUIRE);

	return pt && __atomic_load_n(&pt->tracer, __ATOMIC_ACQUIRE) == t->tg && !pt->exited;
}

int ptrace_tracer_pid(struct task *x)
{
	struct ptrace *pt = __atomic_load_n(&x->pt, __ATOMIC_ACQUIRE);
	int pid = 0;

	if (!pt)
		return 0;
	mutex_lock(&x->kernel->mu);
	if (pt->tracer)
		pid = pt->tracer->tgid;
	mutex_unlock(&x->kernel->mu);
	return pid;
}

int ptrace_detach(struct task *t, struct task *x, int sig)
{
	struct task *held = NULL;
	int r = -ESRCH;

	if (sig < 0 || sig > NSIG_GUEST)
		return -EIO;
	mutex_lock(&t->kernel->mu);
	if (ptrace_is_tracer(t, x)) {
		mutex_lock(&x->tg->mu);
		if (x->pt->stopped) {
			resume_locked(x, PTM_RUN, sig);
			r = 0;
		}
		mutex_unlock(&x->tg->mu);
		if (r == 0)
			held = unlink_locked(x);
	}
	mutex_unlock(&t->kernel->mu);
	task_unref(held);
	return r;
}

int ptrace_resume(struct task *t unused_ok, struct task *x, enum pt_mode mode, int sig)
{
	int r = -ESRCH;

	if (sig < 0 || sig > NSIG_GUEST)
		return -EIO;
	mutex_lock(&x->tg->mu);
	if (x->pt->stopped) {
		resume_locked(x, mode, sig);
		r = 0;
	}
	mutex_unlock(&x->tg->mu);
	return r;
}

int ptrace_check_options(struct task *t, u64 options)
{
	if (options & ~(u64)PT_OPTIONS)
		return -EINVAL;
	/* Who is filtered itself, or was let off, lets nobody off. */
	if ((options & PTRACE_O_SUSPEND_SECCOMP) &&
	    (!capable(t, CAP_SYS_ADMIN) || t->seccomp_mode != 0 || ptrace_suspends_seccomp(t)))
		return -EPERM;
	return 0;
}

int ptrace_set_options(struct task *t unused_ok, struct task *x, u32 options)
{
	int r = -ESRCH;

	mutex_lock(&x->tg->mu);
	if (x->pt->stopped) {
		x->pt->options = options;
		r = 0;
	}
	mutex_unlock(&x->tg->mu);
	return r;
}

int ptrace_interrupt(struct task *t unused_ok, struct task *x)
{
	struct ptrace *pt = x->pt;

	if (!pt->seized)
		return -EIO;
	mutex_lock(&x->tg->mu);
	pt->trap_pending = true;
	if (pt->stopped && pt->listening)
		resume_locked(x, pt->mode, 0);
	task_attention_locked(x);
	task_kick(x);
	mutex_unlock(&x->tg->mu);
	return 0;
}

int ptrace_listen(struct task *t unused_ok, struct task *x)
{
	struct ptrace *pt = x->pt;
	int r = -EIO;

	mutex_lock(&x->tg->mu);
	if (pt->seized && pt->stopped && pt->stop_code >> 8 == PTRACE_EVENT_STOP) {
		pt->listening = true;
		pt->reported = true;
		/* A SIGCONT that came before is told now. */
		if (pt->trap_pending)
			resume_locked(x, pt->mode, 0);
		r = 0;
	}
	mutex_unlock(&x->tg->mu);
	return r;
}

/* Who is killed does not sleep; but what it waits for may need its worker, as the tracee's stub may make calls. */
static void yield_worker(struct platform *p)
{
	(void)platform_block_begin(p);
	sched_yield();
	platform_block_end(p, false);
}

long ptrace_ask(struct task *x, struct pt_request *q)
{
	struct ptrace *pt = x->pt;
	struct tgroup *tg = x->tg;
	bool wait = true;

	q->taken = q->done = false;
	q->result = -ESRCH;
	mutex_lock(&tg->mu);
	/* One tracer, but any thread of it may ask. */
	if (!pt->stopped || pt->listening || pt->request) {
		mutex_unlock(&tg->mu);
		return -ESRCH;
	}
	pt->request = q;
	task_wake(x);
	while (wait) {
		mutex_unlock(&tg->mu);
		if (task_sleep_killable(q->by, KTIME_MAX) < 0)
			yield_worker(x->kernel->platform);
		mutex_lock(&tg->mu);
		wait = !q->done;
		/* Killed, or the tracee was: what nobody has begun is taken back. */
		if (pt->request == q && (task_killed(q->by) || !pt->stopped)) {
			pt->request = NULL;
			wait = false;
		}
	}
	mutex_unlock(&tg->mu);
	return q->result;
}

int ptrace_siginfo(struct task *x, struct lx_siginfo *si, bool set)
{
	struct ptrace *pt = x->pt;
	int r = -ESRCH;

	mutex_lock(&x->tg->mu);
	if (pt->stopped && pt->info.signo == 0) {
		r = -EINVAL;
	} else if (pt->stopped) {
		if (set)
			pt->info = *si;
		else
			*si = pt->info;
		pt->info_set |= set;
		r = 0;
	}
	mutex_unlock(&x->tg->mu);
	return r;
}

int ptrace_message(struct task *x, u64 *ret)
{
	int r = -ESRCH;

	mutex_lock(&x->tg->mu);
	if (x->pt->stopped) {
		*ret = x->pt->message;
		r = 0;
	}
	mutex_unlock(&x->tg->mu);
	return r;
}

/* ---- ends ---- */

void ptrace_tracer_exit(struct tgroup *tg)
{
	struct kernel *k = tg->kernel;

	for (;;) {
		struct task *x = NULL;
		bool kill = false;

		mutex_lock(&k->mu);
		if (!list_empty(&tg->tracees)) {
			x = unlink_locked(list_first(&tg->tracees, struct ptrace, node)->task);
			mutex_lock(&x->tg->mu);
			kill = (x->pt->options & PTRACE_O_EXITKILL) && !x->pt->exited;
			if (x->pt->stopped)
				resume_locked(x, PTM_RUN, 0);
			mutex_unlock(&x->tg->mu);
		}
		mutex_unlock(&k->mu);
		if (!x)
			return;
		if (kill)
			tgroup_exit(x->tg, SIGKILL);
		task_unref(x);
	}
}

struct task *ptrace_exited_locked(struct task *t, int wstatus)
{
	struct ptrace *pt = t->pt;
	struct tgroup *tracer = pt ? pt->tracer : NULL;

	if (!tracer)
		return NULL;
	/* A child's end is told as such. */
	if (tracer == t->tg->parent && t == t->tg->leader)
		return unlink_locked(t);
	pt->exited = true;
	pt->exit_status = wstatus;
	waitq_wake(&tracer->wait_children, POLLIN);
	return NULL;
}

struct task *ptrace_replaced_locked(struct task *x)
{
	struct tgroup *tracer = x->pt ? x->pt->tracer : NULL;

	if (!tracer)
		return NULL;
	waitq_wake(&tracer->wait_children, POLLIN);
	return unlink_locked(x);
}

/* ---- wait ---- */

static bool matches(const struct wait_req *q, const struct task *x)
{
	if (q->which == CHILD_PID && x->tid != q->id)
		return false;
	return q->which != CHILD_PGID || x->tg->pgid == q->id;
}

static bool take_event(struct task *t, struct wait_req *q, struct task *x, bool *ret_gone)
{
	struct ptrace *pt = x->pt;
	const struct cred *c;
	bool found = false;
	int st;

	mutex_lock(&x->tg->mu);
	if (pt->exited) {
		st = pt->exit_status;
		found = q->options & WEXITED;
		q->code = (st & 0x7f) == 0 ? CLD_EXITED : (st & 0x80) ? CLD_DUMPED : CLD_KILLED;
		q->status = st;
		*ret_gone = found && !(q->options & WNOWAIT);
	} else if (pt->stopped && !pt->reported && !task_killed(x)) {
		found = true;
		q->code = CLD_TRAPPED;
		q->status = (int)(pt->stop_code << 8 | 0x7f);
		pt->reported = !(q->options & WNOWAIT);
	}
	mutex_unlock(&x->tg->mu);
	if (!found)
		return false;
	c = task_cred_get(x);
	q->pid = pid_nr_in_locked(t->tg->pid_ns, x->tid);
	q->uid = user_ns_show_uid(task_user_ns(t), c->uid);
	cred_unref(c);
	rusage_of_both(x->tg, &q->ru);
	return true;
}

int ptrace_wait_locked(struct task *t, struct wait_req *q, struct task **ret_gone)
{
	struct ptrace *pt;
	int r = -ECHILD;

	list_for_each(pt, &t->tg->tracees, node) {
		struct task *x = pt->task;
		bool gone = false;

		if (!matches(q, x))
			continue;
		r = 0;
		if (!take_event(t, q, x, &gone))
			continue;
		if (gone)
			*ret_gone = unlink_locked(x);
		return 1;
	}
	return r;
}
