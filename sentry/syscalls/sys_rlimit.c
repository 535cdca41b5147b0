/*
 * sys_rlimit.c - resource limits and what was used: getrlimit, prlimit64, getrusage, times.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/times.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/rlimit.h"
#include "sentry/kernel/rusage.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

#define NS_PER_TICK 10000000ull         /* USER_HZ is 100 */

long sys_getrlimit(struct task *t, const struct sysargs *a)
{
	struct rlimit64_g old;
	int r = rlimit_change(t, t->tg, arg_u32(a, 0), NULL, &old);

	return r < 0 ? r : copy_out(t, arg_addr(a, 1), &old, sizeof(old));
}

long sys_setrlimit(struct task *t, const struct sysargs *a)
{
	struct rlimit64_g lim, old;

	if (copy_in(t, &lim, arg_addr(a, 1), sizeof(lim)) < 0)
		return -EFAULT;
	return rlimit_change(t, t->tg, arg_u32(a, 0), &lim, &old);
}

/* Another process's limits: all ids must match, or CAP_SYS_RESOURCE. */
static int may_prlimit(struct task *t, struct task *x)
{
	const struct cred *c = task_cred(t), *xc;
	bool ok;

	if (x->tg == t->tg || capable(t, CAP_SYS_RESOURCE))
		return 0;
	xc = task_cred_get(x);
	ok = c->uid == xc->uid && c->uid == xc->euid && c->uid == xc->suid &&
	     c->gid == xc->gid && c->gid == xc->egid && c->gid == xc->sgid;
	cred_unref(xc);
	return ok ? 0 : -EPERM;
}

long sys_prlimit64(struct task *t, const struct sysargs *a)
{
	gaddr_t in = arg_addr(a, 2), out = arg_addr(a, 3);
	auto_task *x = arg_s32(a, 0) == 0 ? task_ref(t) : task_find_nr(t, arg_s32(a, 0));
	struct rlimit64_g lim, old;
	int r;

	if (in.v && copy_in(t, &lim, in, sizeof(lim)) < 0)
		return -EFAULT;
	if (!x)
		return -ESRCH;
	r = may_prlimit(t, x);
	if (r == 0)
		r = rlimit_change(t, x->tg, arg_u32(a, 1), in.v ? &lim : NULL, &old);
	if (r < 0)
		return r;
	return out.v ? copy_out(t, out, &old, sizeof(old)) : 0;
}

long sys_getrusage(struct task *t, const struct sysargs *a)
{
	struct rusage ru;

	task_account_now(t);
	switch (arg_s32(a, 0)) {
	case RUSAGE_SELF:
		rusage_of_process(t->tg, &ru);
		break;
	case RUSAGE_THREAD:
		rusage_of_task(t, &ru);
		break;
	case RUSAGE_CHILDREN:
		rusage_of_children(t->tg, &ru);
		break;
	default:
		return -EINVAL;
	}
	return copy_out(t, arg_addr(a, 1), &ru, sizeof(ru));
}

static s64 tv_ticks(const struct timeval *tv)
{
	return tv->tv_sec * 100 + tv->tv_usec / 10000;
}

long sys_times(struct task *t, const struct sysargs *a)
{
	struct rusage self, kids;
	struct tms tms;

	task_account_now(t);
	rusage_of_process(t->tg, &self);
	rusage_of_children(t->tg, &kids);
	tms = (struct tms){ tv_ticks(&self.ru_utime), tv_ticks(&self.ru_stime),
			    tv_ticks(&kids.ru_utime), tv_ticks(&kids.ru_stime) };
	if (arg_addr(a, 0).v && copy_out(t, arg_addr(a, 0), &tms, sizeof(tms)) < 0)
		return -EFAULT;
	return (long)((u64)ktime_boot(t->kernel) / NS_PER_TICK);
}
