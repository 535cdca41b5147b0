/*
 * task_run.c - THE LOOP: from a trap of an application thread to its resumption.
 *
 * A worker takes whichever context trapped, serves its task to the end, and
 * hands the context back.  Between the two the task is "owned" by the worker.
 *
 * An ordinary call comes without registers.  If its result asks for a restart,
 * or a signal waits, a frame is needed: the result is kept (has_result), the
 * context is resumed only to trap again at once, and the work is done then.
 *
 * No signal is lost between the last look and the resumption: in_app is set before
 * looking, and senders look at in_app after setting attention, so one sees the other; an interrupt
 * sent to a context about to be resumed stays pending in the platform.
 */
#include <errno.h>

#include "platform/base/log.h"
#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task_int.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/fasync.h"

void task_worker(struct kernel *k)
{
	struct ctx *c = NULL;
	struct trap trap;

	for (;;) {
		struct task *t;

		c = platform_switch(k->platform, c, &trap);
		if (!c)
			return;
		t = ctx_owner(c);
		task_ref(t);
		c = task_handle(t, &trap);
		task_unref(t);
	}
}

static bool is_restart(long r)
{
	return r == -ERESTARTSYS || r == -ERESTARTNOINTR || r == -ERESTARTNOHAND ||
	       r == -ERESTART_RESTARTBLOCK;
}

static void take_result(struct task *t, long r)
{
	if (!t->ctx || r == -ENOFRAME_RESULT)
		return;
	t->call_result = r;
	t->has_result = true;
	if (!t->result_in_frame)
		ctx_set_result(t->ctx, is_restart(r) ? -EINTR : r);
}

/* A call is done: its tracer may have asked at its beginning, or at an event within it, to see that. */
static void call_done(struct task *t, long r)
{
	if (unlikely(t->pt != NULL) && t->ctx && ptrace_wants_call_ends(t) && ctx_has_frame(t->ctx)) {
		t->result_in_frame = true;
		r = ptrace_call_exit(t, r);
	}
	take_result(t, r);
	if (unlikely(t->pt != NULL) && t->ctx)
		ptrace_step_done(t);
}

/* A call of which a tracer sees the beginning, or which a filter leaves to it. There is a frame. */
static void traced_call(struct task *t)
{
	struct user_regs regs;
	struct sysargs a;
	bool go = true;
	long r = 0;

	t->result_in_frame = true;
	if (ptrace_wants_calls(t))
		go = ptrace_call_entry(t, &t->call_nr, t->call_args, &r) && !task_killed(t);
	if (go) {
		for (int i = 0; i < 6; i++)
			a.v[i] = t->call_args[i];
		r = ctx_get_regs(t->ctx, &regs) < 0 ? -EFAULT : sys_enter(t, t->call_nr, regs.ip, &a);
	}
	call_done(t, r);
}

/* The second half of a call that asked for a frame: its arguments are those of the first. */
static void redo_call(struct task *t)
{
	struct sysargs a;

	t->call_again = false;
	if (t->traced_call) {
		t->traced_call = false;
		traced_call(t);
		return;
	}
	for (int i = 0; i < 6; i++)
		a.v[i] = t->call_args[i];
	t->result_in_frame = true;
	call_done(t, sys_dispatch(t, t->call_nr, &a));
}

/* A tracer or a log is to see the end of each call. */
static bool may_park(const struct task *t) { return !t->pt && !t->kernel->strace; }

/* A handler has returned. */
static void call_returned(struct task *t, long r)
{
	usercopy_end(t);
	t->park.waits = r == -EPARKED;
	task_park_done(t);
	t->call_again = r == -ENEEDFRAME && t->ctx;
	if (t->park.waits)
		return;
	if (!t->call_again)
		call_done(t, r);
	else if (ctx_has_frame(t->ctx))
		redo_call(t);
}

/* It was set aside, and what it waits for may be there. */
static void unparked_call(struct task *t)
{
	struct sysargs a;

	for (int i = 0; i < 6; i++)
		a.v[i] = t->call_args[i];
	t->park.may = may_park(t);
	usercopy_begin(t, t->call_nr, a.v);
	call_returned(t, sys_dispatch(t, t->call_nr, &a));
}

static void handle_call(struct task *t, const struct trap *trap)
{
	struct sysargs a;

	t->call_nr = (u32)trap->nr;
	t->call_high = (u32)(trap->nr >> 32);
	for (int i = 0; i < 6; i++)
		t->call_args[i] = a.v[i] = trap->args[i];
	t->result_in_frame = false;
	if (unlikely(t->pt != NULL) && ptrace_wants_calls(t)) {
		if (ctx_has_frame(t->ctx))
			traced_call(t);
		else
			t->call_again = t->traced_call = true;
		return;
	}
	t->park.may = may_park(t);
	usercopy_begin(t, t->call_nr, a.v);
	call_returned(t, sys_enter(t, t->call_nr, trap->ip, &a));
}

static void handle_fault(struct task *t, const struct trap *trap)
{
	struct lx_siginfo si;

	t->fault_addr = trap->fault.addr;
	t->fault_trapno = trap->fault.trapno;
	t->fault_err = trap->fault.err;
	log_debug("task %d (%s): signal %d, code %d, trap %lu, error %#lx at address %#lx, ip %#lx", t->tid, t->comm,
		  trap->fault.signo, trap->fault.code, trap->fault.trapno, trap->fault.err, trap->fault.addr, trap->ip);
	siginfo_kernel(&si, trap->fault.signo, trap->fault.code);
	si.fault.addr = trap->fault.addr;
	if (trap->fault.signo < 1 || trap->fault.signo > NSIG_GUEST)
		si.signo = SIGSEGV;
	signal_force(t, &si);
}

static void handle_start(struct task *t)
{
	s32 tid = pid_nr(t, t->tid);

	if (t->set_child_tid.v != 0)
		(void)!copy_out(t, t->set_child_tid, &tid, sizeof(tid));
}

/* A call that swapped the mask ended without a handler to run: the old mask comes back. */
static void restore_mask(struct task *t)
{
	if (!t->restore_blocked)
		return;
	t->restore_blocked = false;
	signal_set_mask(t, t->saved_blocked);
}

/* Everything that is due before the application goes on. */
static void finish(struct task *t)
{
	for (;;) {
		bool has_result = t->has_result;
		bool settle = has_result && (t->result_in_frame || is_restart(t->call_result));

		atomic_store(&t->in_app, true);
		if (!settle && !t->call_again && !signal_pending(t)) {
			if (!t->restore_blocked)
				break;
			restore_mask(t);
			continue;
		}
		atomic_store(&t->in_app, false);
		if (task_killed(t) && (ctx_has_frame(t->ctx) || !task_exit_needs_frame(t))) {
			task_exit_killed(t);
			return;
		}
		if (!ctx_has_frame(t->ctx)) {
			ctx_need_frame(t->ctx);
			return;
		}
		t->has_result = false;
		signal_deliver(t, has_result ? t->call_result : INT64_MIN);
		if (!t->ctx)
			return;
	}
	t->has_result = false;
	task_account(t, false);
}

struct ctx *task_handle(struct task *t, struct trap *trap)
{
	bool from_app = atomic_exchange(&t->in_app, false);

	if (trap->kind != TRAP_START && trap->kind != TRAP_AGAIN)
		task_account(t, from_app);
	switch (trap->kind) {
	case TRAP_SYSCALL:
		t->has_result = false;
		handle_call(t, trap);
		break;
	case TRAP_FAULT:
		t->has_result = false;
		handle_fault(t, trap);
		break;
	case TRAP_INTERRUPT:
		if (trap->site && t->mm)
			mm_hot_site(t, trap->site);
		if (t->call_again)
			redo_call(t);
		break;
	case TRAP_START:
		handle_start(t);
		break;
	case TRAP_AGAIN:
		task_unpark(t);
		unparked_call(t);
		break;
	case TRAP_DEAD:
		tgroup_exit(t->tg, SIGKILL);
		task_exit_killed(t);
		return t->ctx;
	}
	if (unlikely(sigio_pending(t->kernel)))
		sigio_flush(t->kernel);
	if (t->park.waits) {
		t->park.waits = false;
		task_park(t);
		return NULL;
	}
	if (t->ctx)
		finish(t);
	return t->ctx;
}
