/*
 * task.c - threads: making, counting and finding them; see task.h.
 *
 * References to a task are held by the pid table until it is released
 * (thread: at exit; leader: when waited for), by its platform context while it
 * lives, and by lookups.
 */
#include "sentry/kernel/task.h"

#include "platform/base/alloc.h"
#include "sentry/ipc/keys.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task_int.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/vfs.h"

struct task *task_new(struct kernel *k, struct tgroup *tg)
{
	struct task *t = knew(struct task);

	if (!t)
		return NULL;
	ref_init(&t->ref);
	t->kernel = k;
	t->tg = tgroup_ref(tg);
	list_init(&t->thread_node);
	mutex_init(&t->mu, RANK_TASK);
	sigpending_init(&t->pending);
	ktimer_init(&t->park.tm, task_park_timer);
	t->timer_slack = t->timer_slack_def = 50000;
	t->cpu_mask[0] = k->ncpus >= 64 ? ~0ull : (1ull << k->ncpus) - 1;
	t->cpu_mask[1] = k->ncpus <= 64 ? 0 : (k->ncpus >= 128 ? ~0ull : (1ull << (k->ncpus - 64)) - 1);
	t->start_time = ktime_boot(k);
	t->acct_mark = ktime_mono(k);
	atomic_init(&t->state, TASK_RUNNING);
	return t;
}

struct task *task_ref(struct task *t)
{
	ref_get(&t->ref);
	return t;
}

struct task *task_unref(struct task *t)
{
	if (t && ref_put(&t->ref)) {
		sigpending_flush(&t->pending, ~0ull);
		kfree(t->pt);
		if (t->cred)
			cred_unref(t->cred);
		tgroup_unref(t->tg);
		kfree(t);
	}
	return NULL;
}

void task_drop_shared(struct task *t)
{
	struct mm *mm;
	struct fdtable *files;
	struct fs *fs;
	struct mnt_ns *ns;
	struct nsset *set;

	/* Descriptors go while t->files is still there for ops that look at it. */
	files = t->files;
	mutex_lock(&t->mu);
	t->files = NULL;
	mm = t->mm;
	t->mm = NULL;
	fs = t->fs;
	t->fs = NULL;
	ns = t->mnt_ns;
	t->mnt_ns = NULL;
	set = t->nsset;
	t->nsset = NULL;
	mutex_unlock(&t->mu);
	if (files)
		fdtable_unref(t, files);
	if (fs)
		fs_unref(fs);
	if (ns)
		mnt_ns_unref(ns);
	nsset_unref(set);
	keys_drop(t);
	if (mm)
		mm_unref(mm);
}

struct task *task_find(struct kernel *k, int tid)
{
	struct task *t;

	mutex_lock(&k->mu);
	t = pid_task_locked(k, tid);
	if (t)
		task_ref(t);
	mutex_unlock(&k->mu);
	return t;
}

struct mm *task_mm_get(struct task *t)
{
	struct mm *mm;

	mutex_lock(&t->mu);
	mm = t->mm ? mm_ref(t->mm) : NULL;
	mutex_unlock(&t->mu);
	return mm;
}

struct fdtable *task_files_get(struct task *t)
{
	struct fdtable *ft;

	mutex_lock(&t->mu);
	ft = t->files ? fdtable_ref(t->files) : NULL;
	mutex_unlock(&t->mu);
	return ft;
}

struct fs *task_fs_get(struct task *t)
{
	struct fs *fs;

	mutex_lock(&t->mu);
	fs = t->fs ? fs_ref(t->fs) : NULL;
	mutex_unlock(&t->mu);
	return fs;
}

/* Lock-free: descriptor tables ask with their lock held. */
u64 task_rlimit(struct task *t, int resource)
{
	return __atomic_load_n(&t->tg->rlim[resource].cur, __ATOMIC_RELAXED);
}

static bool task_waiter_fn(struct waiter *w, u32 events unused_ok)
{
	task_wake(container_of(w, struct task_waiter, w)->t);
	return true;
}

void task_waiter_init(struct task_waiter *tw, struct task *t, u32 interest)
{
	*tw = (struct task_waiter){ .t = t };
	list_init(&tw->w.node);
	tw->w.interest = interest;
	tw->w.by_net = &t->by_net;
	tw->w.fn = task_waiter_fn;
}
