/*
 * sysinfo.c - see sysinfo.h.
 */
#include "sentry/kernel/sysinfo.h"

#include <string.h>

#include "platform/base/str.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

void uts_get(struct kernel *k, char ret[6][65])
{
	struct uts *u = &k->uts;

	mutex_lock(&u->mu);
	memcpy(ret[0], u->sysname, 65);
	memcpy(ret[1], u->nodename, 65);
	memcpy(ret[2], u->release, 65);
	memcpy(ret[3], u->version, 65);
	memcpy(ret[4], u->machine, 65);
	memcpy(ret[5], u->domainname, 65);
	mutex_unlock(&u->mu);
}

void uts_set(struct kernel *k, bool domain, const char *name)
{
	struct uts *u = &k->uts;
	char *dst = domain ? u->domainname : u->nodename;

	mutex_lock(&u->mu);
	memset(dst, 0, 65);
	str_copy(dst, 65, name);
	mutex_unlock(&u->mu);
}

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
		mm_usage(mm, &u);
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
