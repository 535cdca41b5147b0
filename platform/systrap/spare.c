/*
 * spare.c - a pristine stub in reserve, so that an execve need not wait for one.
 *
 * One address space at most is kept, forked from the zygote ahead of need by a thread of its own, which sleeps
 * otherwise.  It is asked for once a program was executed by a process of the application's (the first address
 * space is init's: a sandbox that executes nothing keeps nothing), and only when a
 * process ends, which is after that execve has let go of the old image, and a while later: so not on its way, nor on that
 * of others that follow it closely.  Who finds none forks from the zygote as ever.
 *
 * Each lane has one of its own.
 *
 * Locks: the zygote's busy word orders forks; the lanes' mu guards what is kept.  Only the reaper starts the thread.
 */
#include "platform/systrap/systrap.h"

#include <time.h>
#include "platform/host/futex.h"
#include "platform/host/hthread.h"

/* The program that was just executed starts, and maybe many follow it: forking beside them slows them. */
#define AFTER_NS 20000000

static bool take(struct systrap *p, struct spare *ret)
{
	mutex_lock(&p->lanes->mu);
	*ret = p->spare;
	p->spare = (struct spare){ NULL, NULL };
	mutex_unlock(&p->lanes->mu);
	return ret->as != NULL;
}

bool spare_take(struct systrap *p, struct aspace **ret_as, struct ctx **ret_ctx)
{
	struct spare s;

	if (atomic_fetch_add(&p->lanes->nfresh, 1) > 0)
		atomic_store(&p->spare_due, true);
	if (!take(p, &s))
		return false;
	if (atomic_load(&to_as(s.as)->dead)) {  /* killed from outside */
		systrap_ctx_free(s.ctx);
		aspace_unref(s.as);
		return false;
	}
	*ret_as = s.as;
	*ret_ctx = s.ctx;
	return true;
}

static void fill(struct systrap *p)
{
	struct spare s, old;

	busy_lock(p, &p->zygote_busy);
	if (as_from_zygote(p, &s.as, &s.ctx) == 0) {
		mutex_lock(&p->lanes->mu);
		old = p->spare;
		p->spare = s;
		mutex_unlock(&p->lanes->mu);
		BUG_ON(old.as);                 /* we alone put one there, when there is none */
	}
	busy_unlock(&p->zygote_busy);
}

static bool empty(struct systrap *p)
{
	bool none;

	mutex_lock(&p->lanes->mu);
	none = !p->spare.as;
	mutex_unlock(&p->lanes->mu);
	return none;
}

static void *filler_main(void *arg)
{
	struct systrap *p = arg;
	_Atomic u32 never = 0;
	struct timespec now;

	for (;;) {
		while (!atomic_load(&p->spare_wake))
			(void)host_futex_wait(&p->spare_wake, 0, INT64_MAX);
		clock_gettime(CLOCK_MONOTONIC, &now);
		(void)host_futex_wait(&never, 0, now.tv_sec * 1000000000ll + now.tv_nsec + AFTER_NS);
		atomic_store(&p->spare_wake, 0);
		if (empty(p))
			fill(p);
	}
	return NULL;
}

void spare_ended(struct systrap *p)
{
	int r = 0;

	if (!atomic_load(&p->spare_due) || !atomic_exchange(&p->spare_due, false))
		return;
	if (!p->filler) {
		r = hthread_start(filler_main, p, 64 * 1024, HTHREAD_TAKES_SIGNALS);
		p->filler = r == 0;
	}
	if (r < 0)
		return;
	atomic_store(&p->spare_wake, 1);
	host_futex_wake(&p->spare_wake, 1);
}
