/*
 * signal_deliver.c - acting on pending signals at the end of a trap.
 *
 * One signal a turn: stop, die, or build a handler frame, until nothing is
 * pending.  Interrupted calls are turned into EINTR or a restart here and
 * nowhere else (Linux: arch_do_signal_or_restart).  The task has a frame.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/wait.h>

#include "platform/platform.h"
#include "platform/base/log.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/coredump.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task_int.h"
#include "sentry/syscalls/syscall.h"

#define HANDLER_DFL 0
#define HANDLER_IGN 1

enum verdict { SIG_NONE, SIG_HANDLE, SIG_AGAIN, SIG_DIE, SIG_DUMP };

/* Stop signals of the terminal do nothing to an orphaned group; that needs kernel->mu, so no lock is held here. */
static bool stop_allowed(struct task *t, int sig)
{
	struct kernel *k = t->kernel;
	bool orphaned;

	if (sig == SIGSTOP)
		return true;
	mutex_lock(&k->mu);
	orphaned = pgrp_is_orphaned_locked(k, t->tg->pgid);
	mutex_unlock(&k->mu);
	return !orphaned;
}

/* tg->mu is held on entry and on return, and may be dropped between. */
static enum verdict default_action(struct task *t, int sig) REQUIRES(t->tg->mu)
{
	struct tgroup *tg = t->tg;

	if (signal_default_ignores(sig))
		return SIG_AGAIN;
	if (tg->unkillable && !(SIGBIT(sig) & SIG_UNBLOCKABLE))
		return SIG_AGAIN;
	if (signal_default_stops(sig)) {
		bool ok;

		mutex_unlock(&tg->mu);
		ok = stop_allowed(t, sig);
		mutex_lock(&tg->mu);
		/* A SIGCONT meanwhile has cancelled it only if it came after; Linux has the same window. */
		if (ok)
			signal_begin_stop_locked(t, sig);
		return SIG_AGAIN;
	}
	if (coredump_wanted_locked(tg, sig) && !tg->dumping) {
		tg->dumping = true;
		return SIG_DUMP;
	}
	tgroup_exit_locked(tg, sig, t);
	return SIG_DIE;
}

static enum verdict dump(struct task *t, const struct lx_siginfo *si, const struct user_regs *regs)
{
	int flag = coredump(t, si, regs) ? WCOREFLAG : 0;

	mutex_lock(&t->tg->mu);
	tgroup_exit_locked(t->tg, si->signo | flag, t);
	mutex_unlock(&t->tg->mu);
	return SIG_DIE;
}

/* tg->mu is dropped and taken again. The signal to act on, 0: none. */
static int tell_tracer(struct task *t, int sig, struct lx_siginfo *si, struct user_regs *regs) NO_TSA
{
	mutex_unlock(&t->tg->mu);
	signal_info_out(t, si);
	sig = ptrace_signal(t, sig, si, regs);
	/* One that is blocked now waits like any other. */
	if (sig && sig != SIGKILL && (signal_mask(t) & SIGBIT(sig))) {
		(void)!signal_send_task(t, sig, si);
		sig = 0;
	}
	if (sig == SIGKILL)
		tgroup_exit(t->tg, SIGKILL);
	mutex_lock(&t->tg->mu);
	return sig;
}

static enum verdict next(struct task *t, struct lx_siginfo *si, struct lx_sigaction *act, struct user_regs *regs)
{
	struct tgroup *tg = t->tg;
	enum verdict v = SIG_AGAIN;
	struct lx_sigaction *a;
	int sig;

	mutex_lock(&tg->mu);
	if (tg->group_exit || task_killed(t)) {
		v = SIG_DIE;
	} else if (t->stop_pending) {
		sig = tg->stop_signal;
		mutex_unlock(&tg->mu);
		if (!ptrace_group_stop(t, sig, regs))
			signal_stop_here(t);
		return SIG_AGAIN;
	} else if (ptrace_trap_pending_locked(t)) {
		mutex_unlock(&tg->mu);
		ptrace_trap(t, regs);
		return SIG_AGAIN;
	} else if (atomic_load(&tg->freeze)) {
		mutex_unlock(&tg->mu);
		cgroup_freeze_here(t);
		return SIG_AGAIN;
	} else if (!(sig = signal_dequeue_locked(t, ~signal_blocked_locked(t), si))) {
		v = SIG_NONE;
	} else if (sig != SIGKILL && ptrace_on(t->pt) && (sig = tell_tracer(t, sig, si, regs)) == 0) {
		v = SIG_AGAIN;
	} else if (tg->group_exit || task_killed(t)) {
		v = SIG_DIE;
	} else {
		a = &tg->sighand->act[sig - 1];
		*act = *a;
		if (a->handler == HANDLER_DFL) {
			v = default_action(t, sig);
		} else if (a->handler != HANDLER_IGN) {
			if (a->flags & SA_RESETHAND)
				a->handler = HANDLER_DFL;
			v = SIG_HANDLE;
		}
	}
	mutex_unlock(&tg->mu);
	if (v == SIG_HANDLE || v == SIG_DUMP)
		signal_info_out(t, si);
	return v == SIG_DUMP ? dump(t, si, regs) : v;
}

/*
 * futex(2) waits run natively, and an interrupt has already ended or rewound
 * the wait.  If it was rewound onto its syscall instruction and a handler without
 * SA_RESTART is to run, the wait must end with EINTR as Linux's would.
 */
static void end_native_futex(struct task *t, struct user_regs *r, const struct lx_sigaction *act)
{
	u32 op = (u32)r->si & FUTEX_CMD_MASK;
	bool fresh = r->ax == SYSNO_futex_waitv || r->ax == SYSNO_futex_wait;
	u8 insn[2];

	if (!fresh && (r->ax != SYSNO_futex || (op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET)))
		return;
	/* Timed waits do not restart after a handler (ERESTART_RESTARTBLOCK), but for the newer calls. */
	if ((act->flags & SA_RESTART) && (fresh || r->r10 == 0))
		return;
	if (copy_in(t, insn, GADDR(r->ip), 2) < 0 || insn[0] != 0x0f || insn[1] != 0x05)
		return;
	r->ax = (u64)-EINTR;
	r->ip += 2;
}

/* Undo the call so that it is made again, or give EINTR.  @act NULL: no handler runs. */
static void settle_call(struct task *t, struct user_regs *r, long result, const struct lx_sigaction *act)
{
	u64 nr = task_call_ax(t);

	switch (result) {
	case -ERESTART_RESTARTBLOCK:
		if (act)
			goto eintr;
		nr = SYSNO_restart_syscall;
		break;
	case -ERESTARTNOHAND:
		if (act)
			goto eintr;
		break;
	case -ERESTARTSYS:
		if (act && !(act->flags & SA_RESTART))
			goto eintr;
		break;
	case -ERESTARTNOINTR:
		break;
	default:
		r->ax = (u64)result;
		return;
	}
	r->ax = nr;
	r->ip -= 2;
	return;
eintr:
	r->ax = (u64)-EINTR;
}

static void segv(struct task *t)
{
	struct lx_siginfo si;

	log_debug("task %d (%s): a signal frame cannot be made or read", t->tid, t->comm);
	siginfo_kernel(&si, SIGSEGV, SI_KERNEL);
	signal_force(t, &si);
}

/* Make the frame and block what the action says.  *frame: what may be lent of it. */
static void run_handler(struct task *t, struct user_regs *r, const struct lx_siginfo *si,
			const struct lx_sigaction *act, struct sigframe_at *frame)
{
	sigmask_t mask = signal_mask(t), old = t->restore_blocked ? t->saved_blocked : mask;

	frame->uc = GADDR(0);
	if (sigframe_setup(t, r, si, act, old, frame) < 0) {
		/* A frame for SIGSEGV itself that cannot be built is the end. */
		if (si->signo == SIGSEGV) {
			mutex_lock(&t->tg->mu);
			t->tg->sighand->act[SIGSEGV - 1].handler = HANDLER_DFL;
			mutex_unlock(&t->tg->mu);
		}
		segv(t);
		return;
	}
	t->restore_blocked = false;
	if (!(act->flags & SA_NODEFER))
		mask |= SIGBIT(si->signo);
	signal_set_mask(t, mask | act->mask);
}

void signal_deliver(struct task *t, long call_result)
{
	struct user_regs regs;
	struct lx_siginfo si;
	struct lx_sigaction act;
	bool settled = call_result == INT64_MIN;
	bool call = !settled;
	struct sigframe_at frame = { GADDR(0), 0, { 0 } };

	if (ctx_get_regs(t->ctx, &regs) < 0) {
		tgroup_exit(t->tg, SIGKILL);
		task_exit_killed(t);
		return;
	}
	for (;;) {
		enum verdict v;

		regs.orig_ax = settled ? (u64)-1 : task_call_ax(t);
		if (!settled)
			regs.ax = (u64)call_result;
		v = next(t, &si, &act, &regs);
		/* A tracer that wrote the registers has the last word about the call. */
		if (t->pt && t->pt->regs_set) {
			t->pt->regs_set = false;
			if (!settled && (s32)regs.orig_ax == -1)
				settled = call = true;
			else if (!settled)
				call_result = (long)regs.ax;
		}

		if (v == SIG_DIE) {
			task_exit_killed(t);
			return;
		}
		if (v == SIG_NONE)
			break;
		if (v == SIG_AGAIN)
			continue;
		if (!settled)
			settle_call(t, &regs, call_result, &act);
		else if (!call)
			end_native_futex(t, &regs, &act);
		settled = true;
		call = true;
		run_handler(t, &regs, &si, &act, &frame);
	}
	if (!settled)
		settle_call(t, &regs, call_result, NULL);
	if (t->restore_blocked) {
		t->restore_blocked = false;
		signal_set_mask(t, t->saved_blocked);
	}
	if (ctx_set_regs(t->ctx, &regs) < 0)
		segv(t);
	else if (frame.uc.v)
		own_frame_lend(t, &frame);
}
