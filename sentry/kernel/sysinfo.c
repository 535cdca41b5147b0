/*
 * sysinfo.c - see sysinfo.h.
 */
#include "sentry/kernel/sysinfo.h"

#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

static int add_process(void *arg, struct tgroup *tg)
{
	struct sys_totals *s = arg;
	struct mm_usage u = { 0 };
	struct task *leader;
	struct mm *mm;

	mutex_lock(&tg->mu);
	leader = tg->leader ? task_ref(tg->leader) : NULL;
	s->ntasks += tg->nthreads;
	mutex_unlock(&tg->mu);
	mm = leader ? task_mm_get(leader) : NULL;
	task_unref(leader);
	if (mm) {
		mm_resident(mm, &u);
		mm_unref(mm);
	}
	s->rss += u.rss_anon + u.rss_shmem;
	s->rss_shmem += u.rss_shmem;
	return 0;
}

void sys_totals(struct kernel *k, struct sys_totals *ret)
{
	*ret = (struct sys_totals){ 0 };
	(void)!tgroup_for_each(k, add_process, ret);
}
