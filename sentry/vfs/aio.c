/*
 * aio.c - see aio.h.
 *
 * A poll request is queued on its file's waitq until it is fetched; the first wake-up that
 * concerns it makes it a result.  Wake-ups that do not say of what (events 0) make it one
 * whose answer is asked for when it is fetched.
 *
 * Locks: mm->mu guards the list of contexts.  r->mu (READY, as callbacks run under a waitq)
 *        guards lists and counts; r->fetch_mu (EPOLL) is held over the copy to the guest, so that
 *        results stay in order and a fault loses none.
 */
#include "sentry/vfs/aio.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

struct aio_ring {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	struct list_head node;                  /* guarded by mm->mu */
	u64 id;                                 /* immutable */
	u32 max, charged;                       /* immutable: requests it takes; its part of kernel->aio_nr */
	struct mutex fetch_mu;                  /* RANK_EPOLL */
	struct mutex mu;                        /* RANK_READY */
	bool dead GUARDED_BY(mu);
	u32 nreqs GUARDED_BY(mu);
	struct list_head polls GUARDED_BY(mu);  /* those that wait */
	struct list_head done GUARDED_BY(mu);   /* those with a result */
	struct waitq wq;
};

struct aio_req {
	struct list_head node;                  /* guarded by ring->mu: polls or done */
	struct aio_ring *ring;                  /* immutable */
	struct io_event ev;                     /* res: guarded by ring->mu */
	bool waits, ask;                        /* same: in polls; ask the file for the result */
	bool held;                              /* same: poll_arm() is not done with it: it can't be fetched */
	struct file *f;                         /* poll only: a reference, queued on its waitq; immutable */
	u32 events;                             /* immutable */
	struct waiter w;
};

/* ---- contexts ---- */

static bool charge(struct kernel *k, u32 nr)
{
	u32 old = atomic_load(&k->aio_nr);

	do {
		if (nr > AIO_MAX_NR || old > AIO_MAX_NR - nr)
			return false;
	} while (!atomic_compare_exchange_weak(&k->aio_nr, &old, old + nr));
	return true;
}

/* What fits Linux's ring for @nr events on this machine: programs notice when they may submit fewer. */
static u32 ring_room(struct kernel *k, u32 nr)
{
	u64 bytes = 32 + 32 * (2 * (u64)MAX(nr, 4 * k->ncpus) + 2);

	return (u32)((ALIGN_UP(bytes, PAGE_SIZE) - 32) / 32);
}

int aio_setup(struct task *t, u32 nr, gaddr_t *ret_id)
{
	struct kernel *k = t->kernel;
	struct aio_ring *r;
	long addr;

	if (!charge(k, nr))
		return -EAGAIN;
	r = knew(struct aio_ring);
	/* The page stays empty: libaio looks for Linux's ring in it, finds none, and calls. */
	addr = r ? mm_mmap(t, GADDR(0), PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) : -ENOMEM;
	if (addr < 0) {
		kfree(r);
		atomic_fetch_sub(&k->aio_nr, nr);
		return (int)addr;
	}
	ref_init(&r->ref);
	r->kernel = k;
	r->id = (u64)addr;
	r->max = ring_room(k, nr);
	r->charged = nr;
	mutex_init(&r->fetch_mu, RANK_EPOLL);
	mutex_init(&r->mu, RANK_READY);
	list_init(&r->polls);
	list_init(&r->done);
	waitq_init(&r->wq);
	*ret_id = GADDR(r->id);
	/*
	 * First in the list: should the guest have unmapped the page of an older one, this one has the name now.
	 * And from here on another thread that guesses the name may destroy it.
	 */
	mutex_lock(&t->mm->mu);
	list_add(&r->node, &t->mm->aio);
	mutex_unlock(&t->mm->mu);
	return 0;
}

static struct aio_ring *find_locked(struct mm *mm, u64 id) REQUIRES(mm->mu)
{
	struct aio_ring *r;

	list_for_each(r, &mm->aio, node)
		if (r->id == id)
			return r;
	return NULL;
}

struct aio_ring *aio_find(struct task *t, gaddr_t id)
{
	struct aio_ring *r;

	mutex_lock(&t->mm->mu);
	r = find_locked(t->mm, id.v);
	if (r)
		ref_get(&r->ref);
	mutex_unlock(&t->mm->mu);
	return r;
}

static void req_free(struct aio_req *q)
{
	if (q->f) {
		waitq_del(q->f->wq, &q->w);
		file_unref(q->f);
	}
	kfree(q);
}

/* May be the last reference to files of any kind, whose ends take any lock: the caller holds none. */
static void free_all(struct list_head *reqs)
{
	while (!list_empty(reqs)) {
		struct aio_req *q = list_first(reqs, struct aio_req, node);

		list_del_init(&q->node);
		req_free(q);
	}
}

void aio_unref(struct aio_ring *r)
{
	if (!r || !ref_put(&r->ref))
		return;
	list_splice_tail_init(&r->polls, &r->done);
	free_all(&r->done);
	kfree(r);
}

/* No request fires from now on; its list is the last reference's to free. */
static void kill_ring(struct aio_ring *r)
{
	mutex_lock(&r->mu);
	r->dead = true;
	mutex_unlock(&r->mu);
	atomic_fetch_sub(&r->kernel->aio_nr, r->charged);
	waitq_wake(&r->wq, POLLIN);
	aio_unref(r);
}

int aio_destroy(struct task *t, gaddr_t id)
{
	struct aio_ring *r;

	mutex_lock(&t->mm->mu);
	r = find_locked(t->mm, id.v);
	if (r)
		list_del_init(&r->node);
	mutex_unlock(&t->mm->mu);
	if (!r)
		return -EINVAL;
	kill_ring(r);
	(void)!mm_munmap(t, id, PAGE_SIZE);
	return 0;
}

void aio_exit(struct mm *mm)
{
	while (!list_empty(&mm->aio)) {
		struct aio_ring *r = list_first(&mm->aio, struct aio_ring, node);

		list_del_init(&r->node);
		kill_ring(r);
	}
}

/* ---- requests ---- */

int aio_req_new(struct aio_ring *r, u64 data, u64 obj, struct aio_req **ret)
{
	struct aio_req *q = knew(struct aio_req);
	int err = 0;

	if (!q)
		return -EAGAIN;
	mutex_lock(&r->mu);
	if (r->dead)
		err = -EINVAL;
	else if (r->nreqs >= r->max)
		err = -EAGAIN;
	else
		r->nreqs++;
	mutex_unlock(&r->mu);
	if (err) {
		kfree(q);
		return err;
	}
	list_init(&q->node);
	q->ring = r;
	q->ev.data = data;
	q->ev.obj = obj;
	*ret = q;
	return 0;
}

static void uncharge(struct aio_req *q)
{
	struct aio_ring *r = q->ring;

	mutex_lock(&r->mu);
	r->nreqs--;
	mutex_unlock(&r->mu);
}

void aio_req_drop(struct aio_req *q)
{
	uncharge(q);
	req_free(q);
}

void aio_req_done(struct aio_req *q, s64 res)
{
	struct aio_ring *r = q->ring;

	mutex_lock(&r->mu);
	q->ev.res = res;
	list_add_tail(&q->node, &r->done);
	mutex_unlock(&r->mu);
	waitq_wake(&r->wq, POLLIN);
}

/* It waited: now it has an answer, or (@ask) its file is to be asked. Is it so? */
static bool fire_locked(struct aio_req *q, u32 answer, bool ask) REQUIRES(q->ring->mu)
{
	if (!q->waits || q->ring->dead)
		return false;
	q->waits = false;
	q->ask = ask;
	q->ev.res = answer;
	list_del_init(&q->node);
	list_add_tail(&q->node, &q->ring->done);
	return true;
}

static bool fire(struct aio_req *q, u32 answer, bool ask)
{
	struct aio_ring *r = q->ring;
	bool fired;

	mutex_lock(&r->mu);
	fired = fire_locked(q, answer, ask);
	mutex_unlock(&r->mu);
	return fired && waitq_wake(&r->wq, POLLIN);
}

static bool poll_callback(struct waiter *w, u32 events)
{
	struct aio_req *q = container_of(w, struct aio_req, w);

	if (events && !(events & q->events))
		return false;
	return fire(q, events, !events);        /* all that it said, as Linux */
}

/* (Again) waiting; what happened before that is seen by asking after. */
static void poll_arm(struct aio_req *q)
{
	struct aio_ring *r = q->ring;
	u32 now;
	bool fired;

	mutex_lock(&r->mu);
	q->waits = q->held = true;
	list_add_tail(&q->node, &r->polls);
	mutex_unlock(&r->mu);
	now = file_poll(q->f) & q->events;
	mutex_lock(&r->mu);
	if (now)
		(void)fire_locked(q, now, false);
	fired = !q->waits;
	q->held = false;                /* from here another thread may fetch and free it */
	mutex_unlock(&r->mu);
	if (fired)
		waitq_wake(&r->wq, POLLIN);
}

void aio_req_poll(struct aio_req *q, struct file *f, u32 events)
{
	q->f = file_ref(f);
	q->events = events;
	q->w.interest = events;
	q->w.fn = poll_callback;
	list_init(&q->w.node);
	waitq_add(f->wq, &q->w);
	poll_arm(q);
}

int aio_cancel(struct aio_ring *r, u64 obj)
{
	struct aio_req *q;
	bool found = false;

	mutex_lock(&r->mu);
	list_for_each(q, &r->polls, node) {
		if (q->ev.obj != obj)
			continue;
		found = fire_locked(q, 0, false);
		break;
	}
	mutex_unlock(&r->mu);
	if (!found)
		return -EINVAL;
	waitq_wake(&r->wq, POLLIN);
	return -EINPROGRESS;
}

/* ---- results ---- */

static struct aio_req *pop(struct aio_ring *r)
{
	struct aio_req *q, *got = NULL;

	mutex_lock(&r->mu);
	list_for_each(q, &r->done, node) {
		if (q->held)
			continue;
		list_del_init(&q->node);
		got = q;
		break;
	}
	mutex_unlock(&r->mu);
	return got;
}

static void push_back(struct aio_req *q)
{
	mutex_lock(&q->ring->mu);
	list_add(&q->node, &q->ring->done);
	mutex_unlock(&q->ring->mu);
}

/* Hand out up to @max of what is there. How many, or -EFAULT. */
static long hand_out(struct task *t, struct aio_ring *r, long max, gaddr_t dst)
{
	struct list_head used = LIST_INIT(used);
	struct aio_req *q;
	long n = 0;
	int err = 0;

	mutex_lock(&r->fetch_mu);
	while (n < max && (q = pop(r))) {
		if (q->ask) {
			q->ask = false;
			q->ev.res = file_poll(q->f) & q->events;
			if (!q->ev.res) {
				poll_arm(q);
				continue;
			}
		}
		err = copy_out(t, gaddr_add(dst, (u64)n * sizeof(q->ev)), &q->ev, sizeof(q->ev));
		if (err < 0) {
			push_back(q);
			break;
		}
		n++;
		uncharge(q);
		list_add_tail(&q->node, &used);
	}
	mutex_unlock(&r->fetch_mu);
	free_all(&used);
	return n ? n : err;
}

static bool is_dead(struct aio_ring *r)
{
	bool dead;

	mutex_lock(&r->mu);
	dead = r->dead;
	mutex_unlock(&r->mu);
	return dead;
}

long aio_fetch(struct task *t, struct aio_ring *r, long min, long max, gaddr_t dst, ktime_t deadline)
{
	struct task_waiter tw;
	long n = 0, got;
	int s = 0;

	task_waiter_init(&tw, t, POLLIN);
	waitq_add(&r->wq, &tw.w);
	for (;;) {
		got = hand_out(t, r, max - n, gaddr_add(dst, (u64)n * sizeof(struct io_event)));
		if (got < 0)
			break;
		n += got;
		if (is_dead(r))
			got = -EINVAL;
		if (got < 0 || n >= min || s < 0 || deadline <= ktime_mono(t->kernel))
			break;
		s = task_sleep(t, deadline);
	}
	waitq_del(&r->wq, &tw.w);
	if (n || got < 0)
		return n ? n : got;
	return s < 0 && s != -ETIMEDOUT ? s : 0;
}
