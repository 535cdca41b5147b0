/*
 * futex_pi.c - priority-inheriting futexes (futex(2), FUTEX_LOCK_PI and friends).
 *
 * The word holds the owner's guest thread id, which the host does not know, so
 * these come to the sentry.  There are no priorities to inherit; what matters
 * is the protocol: an unlock that finds waiters leaves the word without an owner but with
 * FUTEX_WAITERS, so that nobody takes it past the sentry, and wakes them all to compete.
 *
 * Waiters queue by (address space, address), or by (file, offset) where the word is
 * in shared memory.  Whoever may make the word free wakes them: the unlocker, and a task that
 * dies (its robust list, or, as with Linux's pi_state, any wait for that thread).
 *
 * The caller has a frame: the word is changed by compare-and-swap in the application.
 */
#include <errno.h>
#include <linux/futex.h>

#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

struct pi_key { const void *obj; u64 at; };      /* compared only: obj may be gone */

struct pi_waiter {
	struct list_head node;
	struct task *t;
	struct pi_key key;
	u32 owner;                              /* guarded by ft->mu: whom it waits for, as the word says */
	int owner_tid;                          /* same, as the first pid namespace counts */
};

struct futex_table {
	struct mutex mu;                        /* RANK_WAITQ: task_wake() under it */
	struct list_head waiters GUARDED_BY(mu);
};

struct futex_table *futex_table_new(void)
{
	struct futex_table *ft = knew(struct futex_table);

	if (ft) {
		mutex_init(&ft->mu, RANK_WAITQ);
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
	u32 val, owner, self = (u32)pid_nr(t, t->tid);
	bool done;
	int r;

	if (copy_in(t, &val, a, sizeof(val)) < 0)
		return -EFAULT;
	owner = val & FUTEX_TID_MASK;
	if (owner == self)
		return -EDEADLK;
	if (owner == 0) {
		r = cas(t, a, val, (val & (FUTEX_WAITERS | FUTEX_OWNER_DIED)) | self, &done);
		return r < 0 ? r : done ? 0 : -EAGAIN;
	}
	if (!mark || (val & FUTEX_WAITERS))
		return 1;
	r = cas(t, a, val, val | FUTEX_WAITERS, &done);
	return r < 0 ? r : done ? 1 : -EAGAIN;
}

static struct pi_key key_of(struct task *t, gaddr_t a)
{
	struct pi_key k = { t->mm, a.v };

	(void)!mm_shared_key(t->mm, a.v, &k.obj, &k.at);
	return k;
}

/* Who owns the word according to it; false: that thread is gone or going. */
static bool owner_lives(struct task *t, gaddr_t a, u32 *ret_val)
{
	auto_task *x = NULL;

	if (copy_in(t, ret_val, a, sizeof(*ret_val)) < 0 || (*ret_val & FUTEX_TID_MASK) == 0)
		return true;
	x = task_find_nr(t, (int)(*ret_val & FUTEX_TID_MASK));
	return x && !__atomic_load_n(&x->exiting, __ATOMIC_SEQ_CST);
}

static void set_owner(struct task *t, struct pi_waiter *w, u32 val)
{
	struct futex_table *ft = t->kernel->futexes;
	int pid = pid_from_nr(t, (int)(val & FUTEX_TID_MASK));

	mutex_lock(&ft->mu);
	w->owner = val & FUTEX_TID_MASK;
	w->owner_tid = pid;
	mutex_unlock(&ft->mu);
}

/*
 * The word is held, and marked.  0: look again; 1: sleep; -ESRCH: its owner never
 * was; a dead one that was waited for leaves the lock to us.
 */
static int check_owner(struct task *t, gaddr_t a, struct pi_waiter *w)
{
	u32 val = 0, want, seen = w->owner;
	bool done;
	int r;

	/* First said, then looked: an owner that dies between wakes us. */
	if (copy_in(t, &val, a, sizeof(val)) < 0)
		return -EFAULT;
	set_owner(t, w, val);
	if (owner_lives(t, a, &val))
		return (val & FUTEX_TID_MASK) == w->owner && (val & FUTEX_WAITERS) ? 1 : 0;
	if (seen == 0 || seen != (val & FUTEX_TID_MASK))
		return -ESRCH;
	want = FUTEX_WAITERS | FUTEX_OWNER_DIED | (u32)pid_nr(t, t->tid);
	r = cas(t, a, val, want, &done);
	return r < 0 ? r : done ? 2 : 0;
}

static int lock_loop(struct task *t, gaddr_t a, ktime_t deadline, bool try_only, struct pi_waiter *w)
{
	int r;

	for (;;) {
		r = try_lock(t, a, !try_only);
		if (r == -EAGAIN)
			continue;
		if (r == 1 && try_only)
			return -EAGAIN;
		if (r != 1)
			return r;
		r = check_owner(t, a, w);
		if (r == 2)
			return 0;
		if (r == 1)
			r = task_sleep(t, deadline);
		if (r < 0)
			return r;
	}
}

long futex_lock_pi(struct task *t, gaddr_t a, ktime_t deadline, bool try_only)
{
	struct futex_table *ft = t->kernel->futexes;
	struct pi_waiter w = { .t = t };
	int r;

	if (a.v & 3)
		return -EINVAL;
	if (try_only)
		return lock_loop(t, a, deadline, true, &w);
	w.key = key_of(t, a);
	mutex_lock(&ft->mu);
	list_add_tail(&w.node, &ft->waiters);
	mutex_unlock(&ft->mu);
	r = lock_loop(t, a, deadline, false, &w);
	mutex_lock(&ft->mu);
	list_del_init(&w.node);
	mutex_unlock(&ft->mu);
	return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

/* Wake the waiters for this word (or only tell whether there are any). */
static bool wake_waiters(struct task *t, gaddr_t a, bool wake)
{
	struct futex_table *ft = t->kernel->futexes;
	struct pi_key key = key_of(t, a);
	struct pi_waiter *w;
	bool any = false;

	mutex_lock(&ft->mu);
	list_for_each(w, &ft->waiters, node) {
		if (w->key.obj != key.obj || w->key.at != key.at)
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
		if ((val & FUTEX_TID_MASK) != (u32)pid_nr(t, t->tid))
			return -EPERM;
		waiters = wake_waiters(t, a, false);
		r = cas(t, a, val, waiters ? FUTEX_WAITERS : 0, &done);
	} while (r == 0 && !done);
	if (r == 0 && waiters)
		wake_waiters(t, a, true);
	return r;
}

void futex_pi_died(struct task *t, gaddr_t a)
{
	(void)wake_waiters(t, a, true);
}

void futex_pi_exit(struct task *t)
{
	struct futex_table *ft = t->kernel->futexes;
	struct pi_waiter *w;

	mutex_lock(&ft->mu);
	list_for_each(w, &ft->waiters, node)
		if (w->owner_tid == t->tid)
			task_wake(w->t);
	mutex_unlock(&ft->mu);
}
