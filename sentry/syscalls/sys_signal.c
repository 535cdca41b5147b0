/*
 * sys_signal.c - actions, masks, waiting for signals.  Sending is in sys_kill.c.
 */
#include <errno.h>
#include <string.h>

#include "platform/arch/x86_64/regs.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/sigset_arg.h"
#include "sentry/syscalls/syscall.h"

#define SS_AUTODISARM_FLAG ((s32)(1u << 31))

struct lx_kernel_sigaction { u64 handler, flags, restorer; sigmask_t mask; };

long sys_rt_sigaction(struct task *t, const struct sysargs *a)
{
	int sig = arg_s32(a, 0), r;
	struct lx_kernel_sigaction in, out;
	struct lx_sigaction act, old;

	if (arg_size(a, 3) != sizeof(sigmask_t))
		return -EINVAL;
	if (arg_addr(a, 1).v && copy_in(t, &in, arg_addr(a, 1), sizeof(in)) < 0)
		return -EFAULT;
	if (sig < 1 || sig > NSIG_GUEST || (arg_addr(a, 1).v && (SIGBIT(sig) & SIG_UNBLOCKABLE)))
		return -EINVAL;
	if (arg_addr(a, 1).v)
		act = (struct lx_sigaction){ in.handler, in.flags, in.restorer, in.mask & ~SIG_UNBLOCKABLE };
	signal_action(t, sig, arg_addr(a, 1).v ? &act : NULL, &old);
	if (!arg_addr(a, 2).v)
		return 0;
	out = (struct lx_kernel_sigaction){ old.handler, old.flags, old.restorer, old.mask };
	r = copy_out(t, arg_addr(a, 2), &out, sizeof(out));
	return r;
}

long sys_rt_sigprocmask(struct task *t, const struct sysargs *a)
{
	sigmask_t old = signal_mask(t), set, mask;

	if (arg_size(a, 3) != sizeof(sigmask_t))
		return -EINVAL;
	if (arg_addr(a, 1).v) {
		if (copy_in(t, &set, arg_addr(a, 1), sizeof(set)) < 0)
			return -EFAULT;
		switch (arg_s32(a, 0)) {
		case SIG_BLOCK:
			mask = old | set;
			break;
		case SIG_UNBLOCK:
			mask = old & ~set;
			break;
		case SIG_SETMASK:
			mask = set;
			break;
		default:
			return -EINVAL;
		}
		signal_set_mask(t, mask);
	}
	own_mask_lend(t);
	if (arg_addr(a, 2).v)
		return copy_out(t, arg_addr(a, 2), &old, sizeof(old));
	return 0;
}

long sys_rt_sigpending(struct task *t, const struct sysargs *a)
{
	sigmask_t set = signal_pending_mask(t) & signal_mask(t);

	if (arg_size(a, 1) > sizeof(set))
		return -EINVAL;
	return copy_out(t, arg_addr(a, 0), &set, arg_size(a, 1));
}

static long wait_for_handler(struct task *t)
{
	while (!signal_pending(t))
		(void)!task_sleep(t, KTIME_MAX);
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(struct task *t, const struct sysargs *a)
{
	int r;

	if (arg_size(a, 1) != sizeof(sigmask_t))
		return -EINVAL;
	if (!arg_addr(a, 0).v)
		return -EFAULT;
	r = sigset_arg_use(t, arg_addr(a, 0), arg_size(a, 1));
	return r < 0 ? r : wait_for_handler(t);
}

long sys_pause(struct task *t, const struct sysargs *a unused_ok)
{
	return wait_for_handler(t);
}

long sys_rt_sigtimedwait(struct task *t, const struct sysargs *a)
{
	struct lx_siginfo si;
	ktime_t deadline;
	sigmask_t set;
	int sig;

	if (arg_size(a, 3) != sizeof(set))
		return -EINVAL;
	if (copy_in(t, &set, arg_addr(a, 0), sizeof(set)) < 0)
		return -EFAULT;
	sig = timeout_arg(t, arg_addr(a, 2), &deadline);
	if (sig < 0)
		return sig;
	sig = signal_wait(t, set & ~SIG_UNBLOCKABLE, deadline, &si);
	if (sig <= 0)
		return sig;
	if (arg_addr(a, 1).v && copy_out(t, arg_addr(a, 1), &si, sizeof(si)) < 0)
		return -EFAULT;
	return sig;
}

long sys_rt_sigreturn(struct task *t, const struct sysargs *a unused_ok)
{
	struct lx_siginfo si;

	if (sigframe_restore(t) < 0) {
		siginfo_kernel(&si, SIGSEGV, SI_KERNEL);
		signal_force(t, &si);
	}
	return -ENOFRAME_RESULT;
}

/* The stack pointer matters only while a stack is set; without a frame it cannot be inside one's use. */
static int current_sp(struct task *t, u64 *ret)
{
	struct user_regs r;
	int err;

	*ret = 0;
	if (t->altstack.size == 0)
		return 0;
	err = task_get_regs(t, &r);
	*ret = r.sp;
	return err;
}

long sys_sigaltstack(struct task *t, const struct sysargs *a)
{
	struct lx_sigaltstack ss, old = t->altstack;
	u64 sp;
	int r;

	if (arg_addr(a, 0).v && copy_in(t, &ss, arg_addr(a, 0), sizeof(ss)) < 0)
		return -EFAULT;
	r = current_sp(t, &sp);
	if (r < 0)
		return r;
	old.flags &= SS_AUTODISARM_FLAG;
	if (t->altstack.size == 0)
		old.flags |= SS_DISABLE;
	else if (sigstack_is_on(&t->altstack, sp))
		old.flags |= SS_ONSTACK;
	if (arg_addr(a, 0).v) {
		r = sigstack_set(t, &ss, sp);
		if (r < 0)
			return r;
		own_frame_forget(t);
	}
	if (arg_addr(a, 1).v)
		return copy_out(t, arg_addr(a, 1), &old, sizeof(old));
	return 0;
}

/* A call that asked for it with ERESTART_RESTARTBLOCK goes on where it was. */
long sys_restart_syscall(struct task *t, const struct sysargs *a unused_ok)
{
	long (*fn)(struct task *) = t->restart_fn;

	t->restart_fn = NULL;
	return fn ? fn(t) : -EINTR;
}
