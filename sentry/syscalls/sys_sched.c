/*
 * sys_sched.c - scheduling parameters (sched(7)).
 *
 * The host schedules; what a program sets is kept and told back, with Linux's checks, but
 * not enforced.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/sched.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

#define SCHED_EXT_POLICY 7
#define RR_INTERVAL_NS 100000000
#define DEADLINE_MIN 1024                /* ns */

struct lx_sched_attr {
	u32 size, policy;
	u64 flags;
	s32 nice;
	u32 priority;
	u64 runtime, deadline, period;
	u32 util_min, util_max;
};

static bool realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static struct task *find(struct task *t, int pid, int *ret_err)
{
	struct task *x = NULL;

	*ret_err = pid < 0 ? -EINVAL : -ESRCH;
	if (pid == 0)
		x = task_ref(t);
	else if (pid > 0)
		x = task_find_nr(t, pid);
	return x;
}

static bool may_change(struct task *t, struct task *x)
{
	const struct cred *c = task_cred(t), *xc = task_cred_get(x);
	bool ok = c->euid == xc->uid || c->euid == xc->euid || capable(t, CAP_SYS_NICE);

	cred_unref(xc);
	return ok;
}

long sys_sched_yield(struct task *t unused_ok, const struct sysargs *a unused_ok)
{
	return 0;
}

static int check_policy(int policy, int prio)
{
	if (realtime(policy))
		return prio >= 1 && prio <= 99 ? 0 : -EINVAL;
	if (policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE)
		return prio == 0 ? 0 : -EINVAL;
	return -EINVAL;
}

static long set_policy(struct task *t, int pid, int policy, int prio)
{
	bool reset = policy >= 0 && (policy & SCHED_RESET_ON_FORK);
	auto_task *x = NULL;
	int r;

	if (pid < 0)
		return -EINVAL;
	x = find(t, pid, &r);
	if (!x)
		return r;
	if (policy < 0) {
		policy = x->sched_policy;
		reset = x->sched_reset_on_fork;
	} else {
		policy &= ~SCHED_RESET_ON_FORK;
	}
	r = check_policy(policy, prio);
	if (r < 0)
		return r;
	if (!may_change(t, x))
		return -EPERM;
	if (x->sched_reset_on_fork && !reset && !capable(t, CAP_SYS_NICE))
		return -EPERM;
	if (realtime(policy) && !capable(t, CAP_SYS_NICE) && (u64)prio > task_rlimit(x, RLIMIT_RTPRIO))
		return -EPERM;
	x->sched_policy = policy;
	x->sched_prio = prio;
	x->sched_reset_on_fork = reset;
	return 0;
}

long sys_sched_setscheduler(struct task *t, const struct sysargs *a)
{
	s32 prio;

	if (arg_s32(a, 1) < 0 || !arg_addr(a, 2).v)
		return -EINVAL;
	if (copy_in(t, &prio, arg_addr(a, 2), sizeof(prio)) < 0)
		return -EFAULT;
	return set_policy(t, arg_s32(a, 0), arg_s32(a, 1), prio);
}

long sys_sched_setparam(struct task *t, const struct sysargs *a)
{
	s32 prio;

	if (!arg_addr(a, 1).v)
		return -EINVAL;
	if (copy_in(t, &prio, arg_addr(a, 1), sizeof(prio)) < 0)
		return -EFAULT;
	return set_policy(t, arg_s32(a, 0), -1, prio);
}

long sys_sched_getscheduler(struct task *t, const struct sysargs *a)
{
	int r;
	auto_task *x = find(t, arg_s32(a, 0), &r);

	return x ? x->sched_policy | (x->sched_reset_on_fork ? SCHED_RESET_ON_FORK : 0) : r;
}

long sys_sched_getparam(struct task *t, const struct sysargs *a)
{
	int r;
	auto_task *x = find(t, arg_s32(a, 0), &r);
	s32 prio;

	if (!arg_addr(a, 1).v)
		return -EINVAL;
	if (!x)
		return r;
	prio = x->sched_prio;
	return copy_out(t, arg_addr(a, 1), &prio, sizeof(prio));
}

long sys_sched_get_priority_max(struct task *t unused_ok, const struct sysargs *a)
{
	int p = arg_s32(a, 0);

	if (realtime(p))
		return 99;
	return check_policy(p, 0) == 0 || p == SCHED_DEADLINE_POLICY || p == SCHED_EXT_POLICY ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(struct task *t unused_ok, const struct sysargs *a)
{
	int p = arg_s32(a, 0);

	if (realtime(p))
		return 1;
	return check_policy(p, 0) == 0 || p == SCHED_DEADLINE_POLICY || p == SCHED_EXT_POLICY ? 0 : -EINVAL;
}

long sys_sched_rr_get_interval(struct task *t, const struct sysargs *a)
{
	int r;
	auto_task *x = find(t, arg_s32(a, 0), &r);
	struct timespec ts = { 0 };

	if (!x)
		return r;
	ts.tv_nsec = x->sched_policy == SCHED_FIFO ? 0 : x->sched_policy == SCHED_RR ? RR_INTERVAL_NS : 4000000;
	return copy_out(t, arg_addr(a, 1), &ts, sizeof(ts));
}

long sys_sched_getattr(struct task *t, const struct sysargs *a)
{
	u32 size = arg_u32(a, 2), n;
	struct lx_sched_attr at = { 0 };
	auto_task *x = NULL;
	int r;

	if (!arg_addr(a, 1).v || arg_u32(a, 3) || size < 48 || size > 4096)
		return -EINVAL;
	x = find(t, arg_s32(a, 0), &r);
	if (!x)
		return r;
	n = MIN(size, (u32)sizeof(at));
	at.size = n;
	at.policy = (u32)x->sched_policy;
	at.flags = x->sched_reset_on_fork ? 1 : 0;
	at.nice = x->nice;
	at.priority = (u32)x->sched_prio;
	if (x->sched_policy == SCHED_DEADLINE_POLICY) {
		at.runtime = x->sched_dl[0];
		at.deadline = x->sched_dl[1];
		at.period = x->sched_dl[2];
	}
	at.util_max = 1024;
	return copy_out(t, arg_addr(a, 1), &at, n);
}

/* Of all classes the one that promises something: kept and told like the others, with Linux's checks. */
static long set_deadline(struct task *t, int pid, const struct lx_sched_attr *at)
{
	u64 period = at->period ? at->period : at->deadline;
	auto_task *x = NULL;
	int r;

	x = find(t, pid, &r);
	if (!x)
		return r;
	if (at->priority || !at->deadline || at->runtime < DEADLINE_MIN || at->runtime > at->deadline ||
	    at->deadline > period || (at->deadline | period) >> 63)
		return -EINVAL;
	if (!capable(t, CAP_SYS_NICE))
		return -EPERM;
	x->sched_policy = SCHED_DEADLINE_POLICY;
	x->sched_prio = 0;
	x->sched_reset_on_fork = at->flags & 1;
	x->sched_dl[0] = at->runtime;
	x->sched_dl[1] = at->deadline;
	x->sched_dl[2] = period;
	return 0;
}

long sys_sched_setattr(struct task *t, const struct sysargs *a)
{
	struct lx_sched_attr at = { 0 };
	u32 size;
	int r;

	if (!arg_addr(a, 1).v || arg_s32(a, 0) < 0 || arg_u32(a, 2))
		return -EINVAL;
	if (copy_in(t, &size, arg_addr(a, 1), sizeof(size)) < 0)
		return -EFAULT;
	if (size == 0)
		size = 48;
	if (size < 48 || size > sizeof(at))
		return -E2BIG;
	if (copy_in(t, &at, arg_addr(a, 1), size) < 0)
		return -EFAULT;
	if (at.flags & ~1ull)
		return -EINVAL;
	if (at.policy == SCHED_DEADLINE_POLICY)
		return set_deadline(t, arg_s32(a, 0), &at);
	r = (int)set_policy(t, arg_s32(a, 0), (int)(at.policy | (at.flags & 1 ? SCHED_RESET_ON_FORK : 0)),
			    (int)at.priority);
	if (r < 0 || realtime((int)at.policy))
		return r;
	r = sched_set_nice(t, arg_s32(a, 0), at.nice);
	return r == -EACCES ? -EPERM : r;
}

/* ---- affinity ---- */

static u32 mask_bytes(struct task *t)
{
	return t->kernel->ncpus > 64 ? 16 : 8;
}

long sys_sched_getaffinity(struct task *t, const struct sysargs *a)
{
	u32 len = arg_u32(a, 1), n = mask_bytes(t);
	auto_task *x = NULL;
	int r;

	if ((u64)len * 8 < t->kernel->ncpus || (len & 7))
		return -EINVAL;
	x = find(t, arg_s32(a, 0), &r);
	if (!x)
		return r == -EINVAL ? -ESRCH : r;
	n = MIN(n, len);
	return copy_out(t, arg_addr(a, 2), x->cpu_mask, n) < 0 ? -EFAULT : (long)n;
}

long sys_sched_setaffinity(struct task *t, const struct sysargs *a)
{
	u64 mask[2] = { 0 }, all[2];
	auto_task *x = NULL;
	int r;

	if (copy_in(t, mask, arg_addr(a, 2), MIN((size_t)arg_u32(a, 1), sizeof(mask))) < 0)
		return -EFAULT;
	x = find(t, arg_s32(a, 0), &r);
	if (!x)
		return r == -EINVAL ? -ESRCH : r;
	if (!may_change(t, x))
		return -EPERM;
	sched_all_cpus(t->kernel, all);
	mask[0] &= all[0];
	mask[1] &= all[1];
	if (!mask[0] && !mask[1])
		return -EINVAL;
	x->cpu_mask[0] = mask[0];
	x->cpu_mask[1] = mask[1];
	return 0;
}

/* The host's CPU number is not the sandbox's business: the first one that the task may use. */
long sys_getcpu(struct task *t, const struct sysargs *a)
{
	u32 cpu = t->cpu_mask[0] ? (u32)__builtin_ctzll(t->cpu_mask[0]) : 0, node = 0;

	if (arg_addr(a, 0).v && copy_out(t, arg_addr(a, 0), &cpu, sizeof(cpu)) < 0)
		return -EFAULT;
	if (arg_addr(a, 1).v && copy_out(t, arg_addr(a, 1), &node, sizeof(node)) < 0)
		return -EFAULT;
	return 0;
}

/* ---- nice ---- */

long sys_getpriority(struct task *t, const struct sysargs *a)
{
	return sched_get_priority(t, arg_s32(a, 0), arg_s32(a, 1));
}

long sys_setpriority(struct task *t, const struct sysargs *a)
{
	return sched_set_priority(t, arg_s32(a, 0), arg_s32(a, 1), arg_s32(a, 2));
}

#define IOPRIO_RT 1
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_WHO_USER 3

long sys_ioprio_get(struct task *t, const struct sysargs *a)
{
	int which = arg_s32(a, 0);

	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	return sched_get_ioprio(t, which - IOPRIO_WHO_PROCESS, arg_s32(a, 1));
}

/* Classes: none (which has no level), real-time, best effort, idle; levels 0 to 7, hints above them. */
static bool ioprio_ok(int class, int level, int v)
{
	return v >= 0 && class >= 0 && class <= 3 && (class != 0 || level == 0);
}

long sys_ioprio_set(struct task *t, const struct sysargs *a)
{
	int which = arg_s32(a, 0), v = arg_s32(a, 2), class = v >> 13;

	if (class == IOPRIO_RT && !capable(t, CAP_SYS_ADMIN) && !capable(t, CAP_SYS_NICE))
		return -EPERM;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER || !ioprio_ok(class, v & 7, v))
		return -EINVAL;
	return sched_set_ioprio(t, which - IOPRIO_WHO_PROCESS, arg_s32(a, 1), v);
}
