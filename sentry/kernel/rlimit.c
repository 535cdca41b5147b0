/*
 * rlimit.c - see rlimit.h.
 *
 * Written under tg->mu; task_rlimit() reads the soft limits without it.
 */
#include "sentry/kernel/rlimit.h"

#include <errno.h>
#include <linux/capability.h>

#include "sentry/kernel/task_int.h"

#define NR_OPEN_MAX (1u << 20)          /* fs.nr_open */

int rlimit_change(struct task *by, struct tgroup *tg, u32 resource, const struct rlimit64_g *lim,
		  struct rlimit64_g *ret_old)
{
	struct rlimit64_g *cur;
	int r = 0;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (lim && lim->cur > lim->max)
		return -EINVAL;
	if (lim && resource == RLIMIT_NOFILE && lim->max > NR_OPEN_MAX)
		return -EPERM;
	mutex_lock(&tg->mu);
	cur = &tg->rlim[resource];
	*ret_old = *cur;
	if (lim && lim->max > cur->max && !capable(by, CAP_SYS_RESOURCE)) {
		r = -EPERM;
	} else if (lim) {
		__atomic_store_n(&cur->max, lim->max, __ATOMIC_RELAXED);
		__atomic_store_n(&cur->cur, lim->cur, __ATOMIC_RELAXED);
		if (resource == RLIMIT_CPU)
			cpulimit_set_locked(tg);
	}
	mutex_unlock(&tg->mu);
	return r;
}
