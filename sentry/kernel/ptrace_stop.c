/*
 * ptrace_stop.c - the tracee's side of ptrace(2): stops, in its own worker; see ptrace.h.
 *
 * A stop shows the tracer a copy of the registers that its caller owns and will act
 * on.  Single steps are the TF flag, which is never shown and set again when the tracee goes on.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/ptrace.h>

#include "platform/platform.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task_int.h"

#define FLAG_TF 0x100ull

static bool steps(const struct ptrace *pt) { return pt->mode == PTM_STEP || pt->mode == PTM_EMU_STEP; }

static void tell_tracer(struct task *t)
{
	struct ptrace *pt = t->pt;
	struct lx_siginfo si;
	struct tgroup *tracer;

	siginfo_kernel(&si, SIGCHLD, CLD_TRAPPED);
	si.chld.pid = t->tid;
	si.chld.uid = task_cred(t)->uid;
	si.chld.status = (s32)(pt->stop_code & 0x7f);
	mutex_lock(&t->kernel->mu);
	tracer = pt->tracer;
	if (tracer) {
		mutex_lock(&tracer->mu);
		if (signal_tells_stops(tracer))
			(void)!signal_send_locked(tracer, NULL, SIGCHLD, &si);
		mutex_unlock(&tracer->mu);
		waitq_wake(&tracer->wait_children, POLLIN);
	}
	mutex_unlock(&t->kernel->mu);
}

/* Do what is asked until the tracer lets go, or somebody kills. */
static void serve(struct task *t)
{
	struct ptrace *pt = t->pt;
	struct pt_request *q;
	bool done = false;

	while (!done) {
		mutex_lock(&t->tg->mu);
		q = pt->request;
		pt->request = NULL;
		if (q)
			q->taken = true;
		else
			done = pt->resumed || task_killed(t);
		if (done)
			pt->stopped = false;    /* whoever asks from now on is told so */
		mutex_unlock(&t->tg->mu);
		if (q) {
			q->result = q->fn(t, q);
			mutex_lock(&t->tg->mu);
			q->done = true;
			task_wake(q->by);
			mutex_unlock(&t->tg->mu);
		} else if (!done) {
			(void)!task_sleep_killable(t, KTIME_MAX);
		}
	}
}

/* The signal that the tracer sends along, or 0. */
static int stop(struct task *t, u32 code, const struct lx_siginfo *info, struct user_regs *regs)
{
	struct ptrace *pt = t->pt;
	int old = atomic_load(&t->state);

	pt->regs_set = regs->flags & FLAG_TF && steps(pt);
	if (pt->regs_set)
		regs->flags &= ~FLAG_TF;
	mutex_lock(&t->tg->mu);
	if (!ptrace_on(pt) || task_killed(t)) {
		mutex_unlock(&t->tg->mu);
		pt->mode = PTM_RUN;
		return 0;
	}
	pt->regs = regs;
	pt->stop_code = code;
	pt->info = info ? *info : (struct lx_siginfo){ 0 };
	pt->info_set = pt->reported = pt->resumed = pt->listening = false;
	pt->resume_sig = 0;
	pt->mode = PTM_RUN;
	pt->stopped = true;
	atomic_store(&t->state, TASK_TRACED);
	mutex_unlock(&t->tg->mu);
	tell_tracer(t);
	cgroup_enter_frozen(t);
	serve(t);
	cgroup_leave_frozen(t);
	atomic_store(&t->state, old);
	pt->regs = NULL;
	if (steps(pt) && ptrace_on(pt)) {
		regs->flags |= FLAG_TF;
		pt->regs_set = true;
	}
	return task_killed(t) ? 0 : pt->resume_sig;
}

/* A stop between two instructions of the sentry's choosing: registers come from the context and go back. */
static void stop_here(struct task *t, u32 code, const struct lx_siginfo *info)
{
	struct user_regs regs;
	int sig;

	if (!t->ctx || !ctx_has_frame(t->ctx) || ctx_get_regs(t->ctx, &regs) < 0)
		return;
	regs.orig_ax = task_call_ax(t);
	sig = stop(t, code, info, &regs);
	if (t->pt->regs_set)
		(void)!ctx_set_regs(t->ctx, &regs);
	if (sig)
		(void)!signal_send_task(t, sig, NULL);
}

/* ---- signals ---- */

int ptrace_signal(struct task *t, int sig, struct lx_siginfo *si, struct user_regs *regs)
{
	int now = stop(t, (u32)sig, si, regs);

	if (now == 0)
		return 0;
	if (t->pt->info_set)
		*si = t->pt->info;
	if (now != sig)
		siginfo_kernel(si, now, SI_USER);
	si->signo = now;
	return now;
}

bool ptrace_group_stop(struct task *t, int sig, struct user_regs *regs)
{
	struct ptrace *pt = t->pt;

	if (!ptrace_on(pt))
		return false;
	mutex_lock(&t->tg->mu);
	t->stop_pending = false;
	task_attention_locked(t);
	mutex_unlock(&t->tg->mu);
	if (pt->seized)
		(void)stop(t, (u32)sig | PTRACE_EVENT_STOP << 8, &(struct lx_siginfo){ .signo = SIGTRAP,
			   .code = sig | PTRACE_EVENT_STOP << 8 }, regs);
	else
		(void)stop(t, (u32)sig, NULL, regs);
	return true;
}

bool ptrace_trap_pending_locked(struct task *t)
{
	return ptrace_on(t->pt) && t->pt->trap_pending;
}

void ptrace_trap(struct task *t, struct user_regs *regs)
{
	struct lx_siginfo si;
	int sig;

	mutex_lock(&t->tg->mu);
	t->pt->trap_pending = false;
	sig = t->tg->stop_signal ? t->tg->stop_signal : SIGTRAP;
	task_attention_locked(t);
	mutex_unlock(&t->tg->mu);
	siginfo_kernel(&si, SIGTRAP, sig | PTRACE_EVENT_STOP << 8);
	(void)stop(t, (u32)sig | PTRACE_EVENT_STOP << 8, &si, regs);
}

/* ---- calls ---- */

bool ptrace_wants_calls(struct task *t)
{
	const struct ptrace *pt = t->pt;

	return ptrace_on(pt) && (pt->mode == PTM_CALLS || pt->mode == PTM_EMU || pt->mode == PTM_EMU_STEP);
}

bool ptrace_wants_call_ends(struct task *t)
{
	return ptrace_on(t->pt) && t->pt->mode == PTM_CALLS;
}

static int call_stop(struct task *t, enum pt_call which, struct user_regs *regs)
{
	struct ptrace *pt = t->pt;
	struct lx_siginfo si;
	int sig, code = SIGTRAP | (pt->options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0);

	siginfo_kernel(&si, SIGTRAP, code);
	pt->call = pt->options & PTRACE_O_TRACESYSGOOD ? which : PT_NO_CALL;
	mutex_lock(&t->tg->mu);
	pt->message = which == PT_ENTRY ? 1 : 2;        /* PTRACE_EVENTMSG_SYSCALL_* */
	mutex_unlock(&t->tg->mu);
	sig = stop(t, (u32)code, &si, regs);
	pt->call = PT_NO_CALL;
	return sig;
}

/* What the tracer made of the call, if anything. */
static void take_call(struct task *t, const struct user_regs *r, u64 *nr, u64 args[6])
{
	if (!t->pt->regs_set)
		return;
	*nr = (u32)r->orig_ax;
	t->call_high = (u32)(r->orig_ax >> 32);
	args[0] = r->di;
	args[1] = r->si;
	args[2] = r->dx;
	args[3] = r->r10;
	args[4] = r->r8;
	args[5] = r->r9;
	(void)!ctx_set_regs(t->ctx, r);
}

bool ptrace_call_entry(struct task *t, u64 *nr, u64 args[6], long *ret)
{
	bool emulated = t->pt->mode != PTM_CALLS;
	struct user_regs r;
	int sig;

	if (ctx_get_regs(t->ctx, &r) < 0)
		return true;
	r.orig_ax = (u64)t->call_high << 32 | *nr;
	r.ax = (u64)-ENOSYS;
	sig = call_stop(t, PT_ENTRY, &r);
	if (sig)
		(void)!signal_send_task(t, sig, NULL);
	take_call(t, &r, nr, args);
	*ret = (long)r.ax;
	return !emulated && (s32)*nr != -1;
}

bool ptrace_seccomp(struct task *t, u64 *nr, u64 args[6], u32 data, long *ret)
{
	u32 code = SIGTRAP | PTRACE_EVENT_SECCOMP << 8;
	struct lx_siginfo si;
	struct user_regs r;
	int sig;

	if (ctx_get_regs(t->ctx, &r) < 0)
		return false;
	r.orig_ax = (u64)t->call_high << 32 | *nr;
	r.ax = (u64)-ENOSYS;
	siginfo_kernel(&si, SIGTRAP, (int)code);
	mutex_lock(&t->tg->mu);
	t->pt->message = data;
	mutex_unlock(&t->tg->mu);
	t->pt->call = PT_SECCOMP;
	sig = stop(t, code, &si, &r);
	t->pt->call = PT_NO_CALL;
	if (sig)
		(void)!signal_send_task(t, sig, NULL);
	take_call(t, &r, nr, args);
	*ret = (long)r.ax;
	return !task_killed(t) && (s32)*nr >= 0;
}

bool ptrace_suspends_seccomp(const struct task *t)
{
	return ptrace_on(t->pt) && (__atomic_load_n(&t->pt->options, __ATOMIC_RELAXED) & PTRACE_O_SUSPEND_SECCOMP);
}

long ptrace_call_exit(struct task *t, long result)
{
	bool has = result != -ENOFRAME_RESULT;
	struct user_regs r;
	int sig;

	if (ctx_get_regs(t->ctx, &r) < 0)
		return result;
	r.orig_ax = task_call_ax(t);
	if (has)
		r.ax = (u64)result;
	t->pt->call_result = (long)r.ax;
	sig = call_stop(t, PT_EXIT, &r);
	if (sig)
		(void)!signal_send_task(t, sig, NULL);
	if (t->pt->regs_set)
		(void)!ctx_set_regs(t->ctx, &r);
	return has ? (long)r.ax : result;
}

void ptrace_step_done(struct task *t)
{
	struct lx_siginfo si;

	if (!ptrace_on(t->pt) || t->pt->mode != PTM_STEP)
		return;
	siginfo_kernel(&si, SIGTRAP, TRAP_TRACE);
	(void)!signal_send_task(t, SIGTRAP, &si);
}

/* ---- events ---- */

bool ptrace_wants_event(struct task *t, int event)
{
	return ptrace_on(t->pt) && (__atomic_load_n(&t->pt->options, __ATOMIC_RELAXED) & (1u << event));
}

void ptrace_event(struct task *t, int event, u64 message)
{
	struct lx_siginfo si;
	u32 code = SIGTRAP | (u32)event << 8;

	if (!ptrace_wants_event(t, event))
		return;
	siginfo_kernel(&si, SIGTRAP, (int)code);
	mutex_lock(&t->tg->mu);
	t->pt->message = message;
	mutex_unlock(&t->tg->mu);
	stop_here(t, code, &si);
}

void ptrace_exit_event(struct task *t, int wstatus)
{
	if (!t->pt || t->pt->exit_told)
		return;
	t->pt->exit_told = true;
	ptrace_event(t, PTRACE_EVENT_EXIT, (u64)wstatus);
}

void ptrace_exec(struct task *t, int old_tid)
{
	struct lx_siginfo si;

	if (!ptrace_on(t->pt))
		return;
	if (steps(t->pt))
		t->pt->mode = t->pt->mode == PTM_STEP ? PTM_RUN : PTM_EMU;
	if (ptrace_wants_event(t, PTRACE_EVENT_EXEC)) {
		ptrace_event(t, PTRACE_EVENT_EXEC, (u64)old_tid);
	} else if (!t->pt->seized) {
		siginfo_user(&si, t, SIGTRAP, SI_USER);
		(void)!signal_send_task(t, SIGTRAP, &si);
	}
}

int ptrace_clone(struct task *t, struct task *n, u64 flags, int exit_signal)
{
	int event = flags & CLONE_VFORK ? PTRACE_EVENT_VFORK :
		    exit_signal == SIGCHLD && !(flags & CLONE_THREAD) ? PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;

	if ((flags & CLONE_UNTRACED) || (!ptrace_wants_event(t, event) && !(flags & CLONE_PTRACE)))
		return 0;
	if (!ptrace_on(t->pt) || ptrace_adopt(t, n) < 0)
		return 0;
	if (n->pt->seized) {
		mutex_lock(&n->tg->mu);
		n->pt->trap_pending = true;
		task_attention_locked(n);
		mutex_unlock(&n->tg->mu);
	} else {
		(void)!signal_send_task(n, SIGSTOP, NULL);
	}
	return ptrace_wants_event(t, event) ? event : 0;
}
