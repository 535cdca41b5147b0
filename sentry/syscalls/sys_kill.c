/*
 * sys_kill.c - sending signals: kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo.
 */
#include <errno.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

static bool valid(int sig)
{
	return sig >= 0 && sig <= NSIG_GUEST;
}

/* To a process, named by any thread's id, as kill(2) finds it. */
static int send_process(struct task *t, int pid, int sig, const struct lx_siginfo *si)
{
	auto_task *to = task_find_nr(t, pid);
	int r;

	if (!to)
		return -ESRCH;
	r = signal_may_send(t, to, sig);
	return r < 0 ? r : signal_send_tgroup(to->tg, sig, si);
}

long sys_kill(struct task *t, const struct sysargs *a)
{
	int pid = arg_s32(a, 0), sig = arg_s32(a, 1);
	struct lx_siginfo si;

	if (!valid(sig))
		return -EINVAL;
	siginfo_user(&si, t, sig, SI_USER);
	if (pid > 0)
		return send_process(t, pid, sig, &si);
	if (pid == -1)
		return signal_send_all(t, sig, &si);
	if (pid == INT32_MIN)
		return -ESRCH;
	return signal_send_pgrp(t, pid == 0 ? t->tg->pgid : pid_from_nr(t, -pid), sig, &si);
}

/* @tgid 0: any process. */
static int send_thread(struct task *t, int tgid, int tid, int sig, const struct lx_siginfo *si)
{
	auto_task *to = task_find_nr(t, tid);
	int r;

	if (!to || (tgid != 0 && to->tg->tgid != pid_from_nr(t, tgid)))
		return -ESRCH;
	r = signal_may_send(t, to, sig);
	if (r < 0)
		return r;
	return signal_send_task(to, sig, si);
}

long sys_tkill(struct task *t, const struct sysargs *a)
{
	int tid = arg_s32(a, 0), sig = arg_s32(a, 1);
	struct lx_siginfo si;

	if (tid <= 0 || !valid(sig))
		return -EINVAL;
	siginfo_user(&si, t, sig, SI_TKILL);
	return send_thread(t, 0, tid, sig, &si);
}

long sys_tgkill(struct task *t, const struct sysargs *a)
{
	int tgid = arg_s32(a, 0), tid = arg_s32(a, 1), sig = arg_s32(a, 2);
	struct lx_siginfo si;

	if (tgid <= 0 || tid <= 0 || !valid(sig))
		return -EINVAL;
	siginfo_user(&si, t, sig, SI_TKILL);
	return send_thread(t, tgid, tid, sig, &si);
}

/* A program may not pretend to be the kernel or kill(2) towards others. */
static int get_info(struct task *t, gaddr_t addr, int sig, int to, struct lx_siginfo *si)
{
	if (copy_in(t, si, addr, sizeof(*si)) < 0)
		return -EFAULT;
	si->signo = sig;
	signal_info_in(t, si);
	if ((si->code >= 0 || si->code == SI_TKILL) && pid_from_nr(t, to) != t->tg->tgid)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(struct task *t, const struct sysargs *a)
{
	int pid = arg_s32(a, 0), sig = arg_s32(a, 1), r;
	struct lx_siginfo si;

	r = get_info(t, arg_addr(a, 2), sig, pid, &si);
	if (r < 0)
		return r;
	if (!valid(sig))
		return -EINVAL;
	return send_process(t, pid, sig, &si);
}

long sys_rt_tgsigqueueinfo(struct task *t, const struct sysargs *a)
{
	int tgid = arg_s32(a, 0), tid = arg_s32(a, 1), sig = arg_s32(a, 2), r;
	struct lx_siginfo si;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	r = get_info(t, arg_addr(a, 3), sig, tgid, &si);
	if (r < 0)
		return r;
	if (!valid(sig))
		return -EINVAL;
	return send_thread(t, tgid, tid, sig, &si);
}
