/*
 * rusage.c - see rusage.h.
 */
#include "sentry/kernel/rusage.h"

#include "sentry/kernel/task_int.h"
#include "sentry/mm/mm.h"

static struct timeval ns_to_tv(u64 ns)
{
	return (struct timeval){ .tv_sec = (time_t)(ns / 1000000000),
				 .tv_usec = (long)(ns / 1000 % 1000000) };
}

static void tv_add(struct timeval *to, const struct timeval *from)
{
	to->tv_sec += from->tv_sec;
	to->tv_usec += from->tv_usec;
	if (to->tv_usec >= 1000000) {
		to->tv_usec -= 1000000;
		to->tv_sec++;
	}
}

/* No more than that of @t's memory is resident, in KiB: to count it at each end of a process would take longer than the end. */
static u64 rss_kb(struct task *t)
{
	struct mm *mm = task_mm_get(t);
	u64 kb = mm ? mm_resident_bound(mm) >> 10 : 0;

	mm_unref(mm);
	return kb;
}

void rusage_image_ends(struct tgroup *tg, struct mm *mm)
{
	u64 kb = mm_resident_bound(mm) >> 10;

	mutex_lock(&tg->mu);
	tg->maxrss_kb = MAX(tg->maxrss_kb, kb);
	mutex_unlock(&tg->mu);
}

void rusage_of_task(struct task *t, struct rusage *ret)
{
	u64 ut, st;

	*ret = (struct rusage){ 0 };
	task_times(t, &ut, &st);
	ret->ru_utime = ns_to_tv(ut);
	ret->ru_stime = ns_to_tv(st);
	ret->ru_nvcsw = (long)t->nvcsw;
	ret->ru_nivcsw = (long)t->nivcsw;
	ret->ru_maxrss = (long)MAX(rss_kb(t), t->tg->maxrss_kb);
}

void rusage_of_process(struct tgroup *tg, struct rusage *ret)
{
	struct task *leader = NULL, *t;
	u64 ut, st, rss = 0;

	*ret = (struct rusage){ 0 };
	tgroup_times(tg, &ut, &st);
	ret->ru_utime = ns_to_tv(ut);
	ret->ru_stime = ns_to_tv(st);
	mutex_lock(&tg->mu);
	ret->ru_nvcsw = (long)tg->dead_nvcsw;
	ret->ru_nivcsw = (long)tg->dead_nivcsw;
	list_for_each(t, &tg->threads, thread_node)
		if (!t->exiting)
			ret->ru_nvcsw += (long)t->nvcsw;
	if (tg->leader)
		leader = task_ref(tg->leader);
	mutex_unlock(&tg->mu);
	if (leader)
		rss = rss_kb(leader);
	task_unref(leader);
	ret->ru_maxrss = (long)MAX(rss, tg->maxrss_kb);
}

void rusage_add(struct rusage *to, const struct rusage *from)
{
	tv_add(&to->ru_utime, &from->ru_utime);
	tv_add(&to->ru_stime, &from->ru_stime);
	to->ru_maxrss = MAX(to->ru_maxrss, from->ru_maxrss);
	to->ru_minflt += from->ru_minflt;
	to->ru_majflt += from->ru_majflt;
	to->ru_inblock += from->ru_inblock;
	to->ru_oublock += from->ru_oublock;
	to->ru_nvcsw += from->ru_nvcsw;
	to->ru_nivcsw += from->ru_nivcsw;
}

void rusage_of_children(struct tgroup *tg, struct rusage *ret)
{
	mutex_lock(&tg->mu);
	*ret = tg->child_rusage;
	mutex_unlock(&tg->mu);
}

void rusage_of_both(struct tgroup *tg, struct rusage *ret)
{
	struct rusage kids;

	rusage_of_process(tg, ret);
	rusage_of_children(tg, &kids);
	rusage_add(ret, &kids);
}

void task_account_now(struct task *t)
{
	task_account(t, false);
}
