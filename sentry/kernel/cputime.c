/*
 * cputime.c - CPU time of processes and threads.
 *
 * Time in application code is the host's account of the address space's own process
 * (aspace_cpu_time), so native waits cost nothing.  It is counted from the moment
 * the image was taken over (cpu_base); cpu_done has what earlier images used, and cpu_seen the
 * latest sum, which stays when the process is gone.  The sentry's own work for a
 * task is measured by task_account() and counts as system time.
 *
 * One thread's user time is only estimated when there are or were several: the time between
 * resumption and trap, native waits included, as the host tells of processes only.
 */
#include <pthread.h>
#include "platform/host/cputime.h"
#include "sentry/kernel/task_int.h"
#include "sentry/mm/mm.h"

#define LONG_NS 300000

/*
 * A worker that had to wait for a CPU has used less than went by.  What its thread used since it was last
 * looked at is a bound for all that was charged since: looked at only when a stretch is long.
 */
static u64 really_used(struct task *t, u64 d)
{
	u64 cpu, used;

	t->acct_sum += d;
	if (d < LONG_NS)
		return d;
	cpu = host_thread_cpu_time();
	used = pthread_equal(t->acct_worker, pthread_self()) ? cpu - t->acct_cpu : cpu;
	if (t->acct_sum > used)
		d -= MIN(d, t->acct_sum - used);
	t->acct_worker = pthread_self();
	t->acct_cpu = cpu;
	t->acct_sum = 0;
	return d;
}

void task_account(struct task *t, bool user)
{
	ktime_t now = ktime_mono(t->kernel), d = now - t->acct_mark;

	t->acct_mark = now;
	if (d <= 0)
		return;
	if (user)
		atomic_fetch_add_explicit(&t->utime_ns, (u64)d, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&t->stime_ns, really_used(t, (u64)d), memory_order_relaxed);
}

/* A thread that computes has not been charged since it was resumed. */
u64 task_utime(struct task *t, ktime_t now)
{
	u64 ut = atomic_load_explicit(&t->utime_ns, memory_order_relaxed);
	ktime_t mark = atomic_load_explicit(&t->acct_mark, memory_order_relaxed);

	return atomic_load(&t->in_app) && now > mark ? ut + (u64)(now - mark) : ut;
}

void tgroup_cpu_sample_locked(struct tgroup *tg, struct aspace *as)
{
	u64 v = aspace_cpu_time(as);

	if (v > tg->cpu_base)
		tg->cpu_seen = MAX(tg->cpu_seen, tg->cpu_done + v - tg->cpu_base);
}

void tgroup_cpu_new_image_locked(struct tgroup *tg, struct aspace *old, struct aspace *fresh)
{
	if (old)
		tgroup_cpu_sample_locked(tg, old);
	tg->cpu_done = tg->cpu_seen;
	tg->cpu_base = aspace_cpu_time(fresh);
}

/* Look at the present image through any live thread. */
static void sample_locked(struct tgroup *tg) REQUIRES(tg->mu)
{
	struct task *t;

	list_for_each(t, &tg->threads, thread_node) {
		bool found;

		mutex_lock(&t->mu);
		found = t->mm != NULL;
		if (found)
			tgroup_cpu_sample_locked(tg, t->mm->as);
		mutex_unlock(&t->mu);
		if (found)
			return;
	}
}

void tgroup_times(struct tgroup *tg, u64 *ret_utime, u64 *ret_stime)
{
	ktime_t now = ktime_mono(tg->kernel);
	struct task *t;
	u64 ut, st;

	mutex_lock(&tg->mu);
	ut = tg->dead_utime;
	st = tg->dead_stime;
	list_for_each(t, &tg->threads, thread_node) {
		if (t->exiting)
			continue;
		ut += task_utime(t, now);
		st += atomic_load_explicit(&t->stime_ns, memory_order_relaxed);
	}
	sample_locked(tg);
	*ret_utime = tg->cpu_seen ? tg->cpu_seen : ut;
	*ret_stime = st;
	mutex_unlock(&tg->mu);
}

void task_times(struct task *t, u64 *ret_utime, u64 *ret_stime)
{
	u64 all_ut, all_st;
	bool alone;

	mutex_lock(&t->tg->mu);
	alone = t->tg->nthreads == 1 && t->tg->dead_utime + t->tg->dead_stime == 0;
	mutex_unlock(&t->tg->mu);
	if (alone) {
		tgroup_times(t->tg, ret_utime, ret_stime);
		return;
	}
	*ret_utime = task_utime(t, ktime_mono(t->kernel));
	*ret_stime = atomic_load(&t->stime_ns);
	tgroup_times(t->tg, &all_ut, &all_st);
	*ret_utime = MIN(*ret_utime, all_ut);
}

/* Threads that wait in a native futex are in application code, but their process uses no time. */
bool task_runs(struct task *t)
{
	struct tgroup *tg = t->tg;
	ktime_t now, d;
	bool idle;

	if (atomic_load(&t->state) != TASK_RUNNING)
		return false;
	if (!atomic_load(&t->in_app))
		return true;
	now = ktime_mono(t->kernel);
	mutex_lock(&tg->mu);
	d = now - tg->look_at;
	if (d >= 1000000) {
		sample_locked(tg);
		tg->look_idle = tg->look_at != 0 && (tg->cpu_seen - tg->look_cpu) * 20 < (u64)d;
		tg->look_at = now;
		tg->look_cpu = tg->cpu_seen;
	}
	idle = tg->look_idle;
	mutex_unlock(&tg->mu);
	return !idle;
}
