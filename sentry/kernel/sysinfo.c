/*
 * sysinfo.c - see sysinfo.h.
 */
#include "sentry/kernel/sysinfo.h"

#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

static int add_task(void *arg, struct task *it)
{
	struct sys_totals *s = arg;

	s->running += task_runs(it);
	s->tasks++;
	return 0;
}

static int add_process(void *arg, struct tgroup *tg)
{
	struct sys_totals *s = arg;
	struct mm_usage u = { 0 };
	struct task *leader;
	struct mm *mm;
	u64 ut, st;

	mutex_lock(&tg->mu);
	leader = tg->leader ? task_ref(tg->leader) : NULL;
	mutex_unlock(&tg->mu);
	mm = leader ? task_mm_get(leader) : NULL;
	task_unref(leader);
	if (mm) {
		mm_resident(mm, &u);
		mm_unref(mm);
	}
	s->rss_anon += u.rss_anon;
	s->rss_shmem += u.rss_shmem;
	s->rss_file += u.rss_file;
	tgroup_times(tg, &ut, &st);
	s->utime += ut;
	s->stime += st;
	return tgroup_for_each_task(tg, add_task, s);
}

struct sys_totals sys_totals(struct kernel *k)
{
	struct sys_totals s = { .utime = atomic_load(&k->ended_utime), .stime = atomic_load(&k->ended_stime) };

	(void)!tgroup_for_each(k, add_process, &s);
	return s;
}

/* What is mapped by many is counted as often: the sums may be more than there is. */
struct sys_memory sys_memory(const struct kernel *k, const struct sys_totals *s)
{
	u64 left = k->mem_total;
	struct sys_memory m = { .total = left, .anon = MIN(s->rss_anon, left) };

	left -= m.anon;
	m.shmem = MIN(s->rss_shmem, left);
	left -= m.shmem;
	m.avail = left;
	m.file = MIN(s->rss_file, left);
	m.free = left - m.file;
	return m;
}
