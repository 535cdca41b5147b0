/*
 * futex_pi.c - priority-inheriting futexes (futex(2), FUTEX_LOCK_PI and friends).
 *
 * The word holds the owner's guest thread id, which the host does not know, so
 * these come to the sentry.  There are no priorities to inherit; what matters
 * is the protocol: an unlock that finds waiters leaves the word without an owner but with
 * FUTEX_WAITERS, so that nobody takes it past the sentry, and wakes them all to compete.
 *
 * Waiters queue by (address space, address).  A waiter in another process that
 * shares the word is not found by the unlocker, so every waiter also looks again now and then.
 *
 * The caller has a frame: the word is changed by compare-and-swap in the application.
 */
#include <errno.h>
#include <linux/futex.h>

#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/task.h"

#define LOOK_AGAIN (50 * 1000000ll)     /* ns: for waiters that only another process could wake */

struct pi_waiter {
	struct list_head node;
	struct task *t;
	u64 addr;
};

struct futex_table {
	struct mutex mu;                        /* RANK_LEAF */
	struct list_head waiters GUARDED_BY(mu);
};

struct futex_table *futex_table_new(void)
{
	struct futex_table *ft = knew(struct futex_table);

	if (ft) {
		mutex_init(&ft->mu, RANK_LEAF);
		list_init(&ft->waiters);
	}
	return ft;
}

static int cas(struct task *t, gaddr_t a, u32 old, u32 new_val, bool *ret_done)
{
	u32 found = old;
	int r = aspace_cas_u32(t->ctx, a, &found, new_val);

	*ret_done = r == 0 && found == old;
	return r;
}

/*
 * Try once: 0 = taken, 1 = held by somebody who now knows that there are
 * waiters, -EAGAIN = the word moved, or another error.
 */
static int try_lock(struct task *t, gaddr_t a, bool mark)
{
	u32 val, owner;
	bool done;
	int r;

	if (copy_in(t, &val, a, sizeof(val)) < 0)
		return -EFAULT;
	owner = val & FUTEX_TID_MASK;
	if (owner == (u32)t->tid)
		return -EDEADLK;
	if (owner == 0) {
		r = cas(t, a, val, (val & (FUTEX_WAITERS | FUTEX_OWNER_DIED)) | (u32)t->tid, &done);
		return r < 0 ? r : done ? 0 : -EAGAIN;
	}
	if (!mark || (val & FUTEX_WAITERS))
		return 1;
	r = cas(t, a, val, val | FUTEX_WAITERS, &done);
	return r < 0 ? r : done ? 1 : -EAGAIN;
}

static bool owner_exists(struct task *t, gaddr_t a)
{
	u32 val;
	auto_task *x = NULL;

	if (copy_in(t, &val, a, sizeof(val)) < 0 || (val & FUTEX_TID_MASK) == 0)
		return true;
	x = task_find(t->kernel, (int)(val & FUTEX_TID_MASK));
	return x != NULL;
}

/* 0 = look again. */
static int wait_turn(struct task *t, ktime_t deadline)
{
	ktime_t now = ktime_mono(t->kernel);
	int r = task_sleep(t, MIN(deadline, ktime_add(now, LOOK_AGAIN)));

	return r == -ETIMEDOUT && deadline > ktime_mono(t->kernel) ? 0 : r;
}

long futex_lock_pi(struct task *t, gaddr_t a, ktime_t deadline, bool try_only)
{
	struct futex_table *ft = t->kernel->futexes;
	struct pi_waiter w = { .t = t, .addr = a.v };
	int r;

	if (a.v & 3)
		return -EINVAL;
	list_init(&w.node);
	if (!try_only) {
		mutex_lock(&ft->mu);
		list_add_tail(&w.node, &ft->waiters);
		mutex_unlock(&ft->mu);
	}
	for (;;) {
		r = try_lock(t, a, !try_only);
		if (r == -EAGAIN)
			continue;
		if (r == 1 && try_only)
			r = -EAGAIN;
		else if (r == 1 && !owner_exists(t, a))
			r = -ESRCH;
		if (r != 1)
			break;
		r = wait_turn(t, deadline);
		if (r < 0)
			break;
	}
	if (!try_only) {
		mutex_lock(&ft->mu);
		list_del_init(&w.node);
		mutex_unlock(&ft->mu);
	}
	return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

/* Wake the waiters for this word (or only tell whether there are any). */
static bool wake_waiters(struct task *t, gaddr_t a, bool wake)
{
	struct futex_table *ft = t->kernel->futexes;
	struct pi_waiter *w;
	bool any = false;

	mutex_lock(&ft->mu);
	list_for_each(w, &ft->waiters, node) {
		if (w->addr != a.v || w->t->mm != t->mm)
			continue;
		any = true;
		if (wake)
			task_wake(w->t);
	}
	mutex_unlock(&ft->mu);
	return any;
}

long futex_unlock_pi(struct task *t, gaddr_t a)
{
	bool done, waiters;
	u32 val;
	int r;

	if (a.v & 3)
		return -EINVAL;
	do {
		if (copy_in(t, &val, a, sizeof(val)) < 0)
			return -EFAULT;
		if ((val & FUTEX_TID_MASK) != (u32)t->tid)
			return -EPERM;
		waiters = wake_waiters(t, a, false);
		r = cas(t, a, val, waiters ? FUTEX_WAITERS : 0, &done);
	} while (r == 0 && !done);
	if (r == 0 && waiters)
		wake_waiters(t, a, true);
	return r;
}
