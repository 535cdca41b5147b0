/*
 * attributes.c - small attributes of a task that prctl(2) sets, each under its lock.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <string.h>

#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

void task_set_comm(struct task *t, const char *name)
{
	mutex_lock(&t->mu);
	memcpy(t->comm, name, sizeof(t->comm));
	mutex_unlock(&t->mu);
}

void task_set_dumpable(struct task *t, bool on)
{
	mutex_lock(&t->tg->mu);
	t->tg->dumpable = on;
	mutex_unlock(&t->tg->mu);
	t->mm->dumpable = on;
}

void tgroup_set_subreaper(struct tgroup *tg, bool on)
{
	mutex_lock(&tg->kernel->mu);
	tg->is_subreaper = on;
	mutex_unlock(&tg->kernel->mu);
}

/* As far as programs use it to change their title. */
long task_set_mm(struct task *t, u64 opt, u64 addr)
{
	struct mm *mm = t->mm;
	long r = 0;

	if (!capable(t, CAP_SYS_RESOURCE))
		return -EPERM;
	mutex_lock(&mm->mu);
	switch (opt) {
	case PR_SET_MM_ARG_START:
		mm->arg_start = addr;
		break;
	case PR_SET_MM_ARG_END:
		mm->arg_end = addr;
		break;
	case PR_SET_MM_ENV_START:
		mm->env_start = addr;
		break;
	case PR_SET_MM_ENV_END:
		mm->env_end = addr;
		break;
	default:
		r = -EINVAL;
	}
	mutex_unlock(&mm->mu);
	return r;
}
