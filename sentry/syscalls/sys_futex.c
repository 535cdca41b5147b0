/*
 * sys_futex.c - what of futex(2) comes to the sentry, and the robust list.
 *
 * WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP and the BITSET forms run natively.
 */
#include <errno.h>
#include <linux/futex.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/clocks.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

/* LOCK_PI's timeout is absolute, on CLOCK_REALTIME; LOCK_PI2's on the clock that the flag names. */
static int pi_deadline(struct task *t, gaddr_t addr, bool realtime, ktime_t *ret)
{
	struct timespec ts;
	ktime_t when;
	int r;

	*ret = KTIME_MAX;
	if (!addr.v)
		return 0;
	if (copy_in(t, &ts, addr, sizeof(ts)) < 0)
		return -EFAULT;
	r = ktime_from_timespec(&ts, &when);
	if (r == 0)
		*ret = realtime ? clock_to_mono(t->kernel, CLOCK_REALTIME, when) : when;
	return r;
}

long sys_futex(struct task *t, const struct sysargs *a)
{
	u32 op = arg_u32(a, 1), cmd = op & (u32)FUTEX_CMD_MASK;
	ktime_t deadline;
	int r;

	if (cmd != FUTEX_LOCK_PI && cmd != FUTEX_LOCK_PI2 && cmd != FUTEX_TRYLOCK_PI && cmd != FUTEX_UNLOCK_PI)
		return -ENOSYS;
	if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_LOCK_PI2)
		return -ENOSYS;
	if (!task_has_frame(t))
		return -ENEEDFRAME;
	switch (cmd) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		r = pi_deadline(t, arg_addr(a, 3), cmd == FUTEX_LOCK_PI || (op & FUTEX_CLOCK_REALTIME), &deadline);
		return r < 0 ? r : futex_lock_pi(t, arg_addr(a, 0), deadline, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(t, arg_addr(a, 0), KTIME_MAX, true);
	}
	return futex_unlock_pi(t, arg_addr(a, 0));
}

/* They run natively; only a guest that is traced comes here. */
long sys_futex_native(struct task *t unused_ok, const struct sysargs *a unused_ok)
{
	return -ENOSYS;
}

long sys_set_robust_list(struct task *t, const struct sysargs *a)
{
	if (arg_size(a, 1) != 24)
		return -EINVAL;
	t->robust_list = arg_addr(a, 0);
	t->robust_len = 24;
	return 0;
}

long sys_get_robust_list(struct task *t, const struct sysargs *a)
{
	auto_task *x = arg_s32(a, 0) == 0 ? task_ref(t) : task_find_nr(t, arg_s32(a, 0));
	u64 head, len = 24;

	if (!x)
		return -ESRCH;
	if (!task_may_access(t, x))
		return -EPERM;
	head = x->robust_list.v;
	if (copy_out(t, arg_addr(a, 2), &len, sizeof(len)) < 0)
		return -EFAULT;
	return copy_out(t, arg_addr(a, 1), &head, sizeof(head));
}
