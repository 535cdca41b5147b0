/*
 * sigset_arg.c - see sigset_arg.h.
 */
#include "sentry/syscalls/sigset_arg.h"

#include <errno.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"

int sigset_arg_use(struct task *t, gaddr_t addr, size_t size)
{
	sigmask_t mask;
	int r;

	if (!addr.v)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	r = copy_in(t, &mask, addr, sizeof(mask));
	if (r == 0)
		signal_swap_mask(t, mask);
	return r;
}

int timeout_of(struct task *t, const struct timespec *ts, ktime_t *ret)
{
	ktime_t rel;
	int r = ktime_from_timespec(ts, &rel);

	if (r == 0)
		*ret = rel ? ktime_add(ktime_mono(t->kernel), rel) : 0;
	return r;
}

int timeout_arg(struct task *t, gaddr_t addr, ktime_t *ret)
{
	struct timespec ts;
	int r;

	if (!addr.v) {
		*ret = KTIME_MAX;
		return 0;
	}
	r = copy_in(t, &ts, addr, sizeof(ts));
	return r < 0 ? r : timeout_of(t, &ts, ret);
}
