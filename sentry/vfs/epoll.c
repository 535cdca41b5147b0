/*
 * epoll.c - see epoll.h.
 *
 * Each watched (file, number) pair is an item, queued for ever on the file's
 * waitq.  A wake-up puts the item on the ready list; eventpoll_wait() takes items off,
 * asks each file again and puts level-triggered ones back.
 *
 * Life:  an item holds no reference to its file (closing the last descriptor ends the
 *        watch): it is in f->epitems, and file_unref() calls epoll_file_gone() before the file
 *        is released.  Items are made and freed under ep->mu, so a file reached
 *        through an item under ep->mu is still whole, if perhaps without references.
 * Locks: ep->mu (EPOLL) guards the tree and item->file; ready_mu (READY) the ready
 *        list and item->events, as callbacks run under the file's waitq.  Epolls that watch
 *        epolls take the same ranks twice, inner after outer; kernel->epoll_nest_mu makes adds
 *        between them one at a time, so that the checks for loops, and for how many epolls one event wakes, hold.
 */
#include "sentry/vfs/epoll.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/epoll.h>

#include "platform/base/alloc.h"
#include "platform/base/rbtree.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"

#define EP_PRIVATE   (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EP_EXCL_OK   (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define EP_MAX_NESTS 4
#define EP_MAX_ITEMS (1u << 20)
#define EP_MAX_WAYS  128                /* epolls that an event in an epoll may wake */
#define EP_MAX_BELOW 1024               /* epolls beneath one that is watched by another */
#define BATCH 64

struct eventpoll {
	struct file f;
	struct kernel *kernel;                  /* immutable */
	struct mutex mu;                        /* RANK_EPOLL */
	struct rb_root items GUARDED_BY(mu);    /* epitem.node, by (file, fd) */
	u32 nitems;                             /* guarded by mu */
	struct mutex ready_mu;                  /* RANK_READY */
	struct list_head ready GUARDED_BY(ready_mu);    /* epitem.ready_node */
	struct waitq wq;                        /* epoll_wait, and those who poll this file */
	u64 walk;                               /* guarded by kernel->epoll_nest_mu, like below: the last walk that met it */
	int below;                              /* what that found: depth_below() */
};

struct epitem {
	struct rb_node node;                    /* guarded by ep->mu */
	struct list_head ready_node;            /* guarded by ep->ready_mu */
	struct list_head file_node;             /* f->epitems, guarded by file->mu */
	struct waiter w;
	struct eventpoll *ep;                   /* immutable */
	struct file *file;                      /* immutable; see Life */
	struct waitq *wq;                       /* immutable: where it is queued: that of who added it */
	struct tgroup *by;                      /* immutable: a reference that keeps wq, if that is not the file's */
	int fd;                                 /* immutable */
	u32 events;                             /* guarded by ep->ready_mu */
	u64 data;                               /* guarded by ep->mu */
};

struct item_key { const struct file *file; int fd; };

static const struct file_ops epoll_ops;

static struct eventpoll *ep_of(struct file *f) { return container_of(f, struct eventpoll, f); }
bool file_is_epoll(const struct file *f) { return f->ops == &epoll_ops; }

static bool key_less(const struct file *fa, int a, const struct file *fb, int b)
{
	return fa != fb ? (uintptr_t)fa < (uintptr_t)fb : a < b;
}

static bool item_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct epitem *x = rb_entry(a, struct epitem, node), *y = rb_entry(b, struct epitem, node);

	return key_less(x->file, x->fd, y->file, y->fd);
}

static bool item_from(const struct rb_node *n, const void *key)
{
	const struct epitem *it = rb_entry(n, struct epitem, node);
	const struct item_key *k = key;

	return !key_less(it->file, it->fd, k->file, k->fd);
}

static struct epitem *item_find(struct eventpoll *ep, const struct file *f, int fd) REQUIRES(ep->mu)
{
	struct item_key key = { f, fd };
	struct rb_node *n = rb_find_first(&ep->items, &key, item_from);
	struct epitem *it = n ? rb_entry(n, struct epitem, node) : NULL;

	return it && it->file == f && it->fd == fd ? it : NULL;
}

static struct epitem *item_find_any(struct eventpoll *ep, const struct file *f) REQUIRES(ep->mu)
{
	struct item_key key = { f, INT_MIN };
	struct rb_node *n = rb_find_first(&ep->items, &key, item_from);
	struct epitem *it = n ? rb_entry(n, struct epitem, node) : NULL;

	return it && it->file == f ? it : NULL;
}

/* ---- readiness ---- */

static bool ep_wake(struct eventpoll *ep) { return waitq_wake(&ep->wq, POLLIN | POLLRDNORM); }

static bool item_callback(struct waiter *w, u32 events)
{
	struct epitem *it = container_of(w, struct epitem, w);
	struct eventpoll *ep = it->ep;
	bool told = false;

	mutex_lock(&ep->ready_mu);
	if ((it->events & ~EP_PRIVATE) && (!events || (events & it->events))) {
		if (list_empty(&it->ready_node))
			list_add_tail(&it->ready_node, &ep->ready);
		told = true;
	}
	mutex_unlock(&ep->ready_mu);
	return told && ep_wake(ep);
}

/* As @t sees it; NULL: nobody in particular. */
static u32 item_poll(struct task *t, struct epitem *it, u32 events)
{
	return file_poll_for(t, it->file, NULL) & events & ~EP_PRIVATE;
}

static bool item_make_ready(struct epitem *it)
{
	struct eventpoll *ep = it->ep;
	bool added = false;

	mutex_lock(&ep->ready_mu);
	if (list_empty(&it->ready_node)) {
		list_add_tail(&it->ready_node, &ep->ready);
		added = true;
	}
	mutex_unlock(&ep->ready_mu);
	return added;
}

static struct epitem *pop(struct eventpoll *ep, struct list_head *from, u32 *ret_events)
{
	struct epitem *it = NULL;

	mutex_lock(&ep->ready_mu);
	if (!list_empty(from)) {
		it = list_first(from, struct epitem, ready_node);
		list_del_init(&it->ready_node);
		*ret_events = it->events;
	}
	mutex_unlock(&ep->ready_mu);
	return it;
}

static void take_ready(struct eventpoll *ep, struct list_head *to)
{
	list_init(to);
	mutex_lock(&ep->ready_mu);
	list_splice_tail_init(&ep->ready, to);
	mutex_unlock(&ep->ready_mu);
}

/* Put @first (not looked at yet) before, and @last after, what became ready meanwhile. */
static void give_back(struct eventpoll *ep, struct list_head *first, struct list_head *last)
{
	mutex_lock(&ep->ready_mu);
	list_splice_tail_init(&ep->ready, first);
	list_splice_tail_init(last, first);
	list_splice_tail_init(first, &ep->ready);
	mutex_unlock(&ep->ready_mu);
}

/* Is anything on the ready list really ready?  Drops what is not. */
static bool ep_any_ready(struct task *t, struct eventpoll *ep)
{
	struct list_head todo, keep;
	struct epitem *it;
	bool found = false;
	u32 events = 0;

	list_init(&keep);
	mutex_lock(&ep->mu);
	take_ready(ep, &todo);
	while (!found && (it = pop(ep, &todo, &events))) {
		if (!item_poll(t, it, events))
			continue;
		found = true;
		mutex_lock(&ep->ready_mu);
		if (list_empty(&it->ready_node))
			list_add(&it->ready_node, &todo);
		mutex_unlock(&ep->ready_mu);
	}
	give_back(ep, &todo, &keep);
	mutex_unlock(&ep->mu);
	return found;
}

static u32 epoll_poll_for(struct file *f, struct task *t, struct waitq **ret_wq)
{
	struct eventpoll *ep = ep_of(f);
	bool some;

	*ret_wq = &ep->wq;
	mutex_lock(&ep->ready_mu);
	some = !list_empty(&ep->ready);
	mutex_unlock(&ep->ready_mu);
	return some && ep_any_ready(t, ep) ? POLLIN | POLLRDNORM : 0;
}

static u32 epoll_poll(struct file *f)
{
	struct waitq *wq;

	return epoll_poll_for(f, NULL, &wq);
}

/* ---- epoll_wait ---- */

struct batch {
	struct lx_epoll_event ev[BATCH];
	struct epitem *it[BATCH];
	u32 was[BATCH];                         /* events before a ONESHOT disarmed it */
	int n;
};

/* Fill @b from @todo; level-triggered ones go to @again. ep->mu held. */
static void collect(struct task *t, struct eventpoll *ep, struct list_head *todo, struct list_head *again,
		    struct batch *b, int room)
{
	struct epitem *it;
	u32 events = 0, got;

	b->n = 0;
	while (b->n < MIN(room, BATCH) && (it = pop(ep, todo, &events))) {
		got = item_poll(t, it, events);
		if (!got)
			continue;
		b->ev[b->n] = (struct lx_epoll_event){ .events = got, .data = it->data };
		b->it[b->n] = it;
		b->was[b->n++] = events;
		mutex_lock(&ep->ready_mu);
		if (events & EPOLLONESHOT)
			it->events &= EP_PRIVATE;
		else if (!(events & EPOLLET) && list_empty(&it->ready_node))
			list_add_tail(&it->ready_node, again);
		mutex_unlock(&ep->ready_mu);
	}
}

/* The guest could not be told: as if these had never been taken. */
static void uncollect(struct eventpoll *ep, struct batch *b)
{
	mutex_lock(&ep->ready_mu);
	for (int i = 0; i < b->n; i++) {
		b->it[i]->events = b->was[i];
		if (list_empty(&b->it[i]->ready_node))
			list_add_tail(&b->it[i]->ready_node, &ep->ready);
	}
	mutex_unlock(&ep->ready_mu);
}

static int send_events(struct task *t, struct eventpoll *ep, gaddr_t dst, int max)
{
	struct list_head todo, again;
	struct batch b;
	int sent = 0, r = 0;
	bool more;

	list_init(&again);
	mutex_lock(&ep->mu);
	take_ready(ep, &todo);
	while (sent < max) {
		collect(t, ep, &todo, &again, &b, max - sent);
		if (!b.n)
			break;
		r = copy_out_late(t, gaddr_add(dst, (u64)sent * sizeof(b.ev[0])), b.ev,
			     (size_t)b.n * sizeof(b.ev[0]));
		if (r < 0) {
			uncollect(ep, &b);
			break;
		}
		sent += b.n;
	}
	/* Somebody else can have what is left over. */
	more = !list_empty(&todo);
	give_back(ep, &todo, &again);
	mutex_unlock(&ep->mu);
	if (more)
		ep_wake(ep);
	return sent ? sent : r;
}

static bool ready_list_empty(struct eventpoll *ep)
{
	bool empty;

	mutex_lock(&ep->ready_mu);
	empty = list_empty(&ep->ready);
	mutex_unlock(&ep->ready_mu);
	return empty;
}

/* Set the call aside.  0: it must sleep. */
static int wait_parked(struct task *t, struct file *f, gaddr_t dst, int max, ktime_t deadline)
{
	struct eventpoll *ep = ep_of(f);
	long r;

	task_park_on(t, &(struct park_on){ .file = f, .wq = &ep->wq, .interest = POLLIN, .exclusive = true, .deadline = deadline });
	r = ready_list_empty(ep) ? 0 : send_events(t, ep, dst, max);
	r = task_park_result(t, r ? r : -EAGAIN);
	if (r != -EPARKED && !ready_list_empty(ep))
		ep_wake(ep);
	return r == -EAGAIN ? 0 : r == -ERESTARTSYS ? -EINTR : (int)r;
}

int eventpoll_wait(struct task *t, struct file *f, gaddr_t dst, int max, ktime_t deadline)
{
	struct eventpoll *ep = ep_of(f);
	struct task_waiter tw;
	int r, s = 0;

	r = ready_list_empty(ep) ? 0 : send_events(t, ep, dst, max);
	if (r || deadline <= ktime_mono(t->kernel)) {
		/* We were set aside, and may have been woken in place of another waiter. */
		if (task_call_again(t) && !ready_list_empty(ep))
			ep_wake(ep);
		return r;
	}
	if (task_can_park(t)) {
		r = wait_parked(t, f, dst, max, deadline);
		if (r)
			return r;
	}
	task_waiter_init(&tw, t, POLLIN);
	tw.w.exclusive = true;
	waitq_add(&ep->wq, &tw.w);
	for (;;) {
		r = ready_list_empty(ep) ? 0 : send_events(t, ep, dst, max);
		if (r || s < 0)
			break;
		s = task_sleep(t, deadline);
	}
	waitq_del(&ep->wq, &tw.w);
	/* We may have been woken in place of another waiter. */
	if (!ready_list_empty(ep))
		ep_wake(ep);
	if (!r && s < 0 && s != -ETIMEDOUT)
		r = -EINTR;
	return r;
}

/* ---- items ---- */

/* Unlink and free. ep->mu held; the file is still whole. A reference (or NULL) to drop without locks. */
static struct tgroup *item_remove(struct eventpoll *ep, struct epitem *it) REQUIRES(ep->mu)
{
	struct tgroup *by = it->by;

	waitq_del(it->wq, &it->w);
	mutex_lock(&it->file->mu);
	list_del_init(&it->file_node);
	mutex_unlock(&it->file->mu);
	mutex_lock(&ep->ready_mu);
	list_del_init(&it->ready_node);
	mutex_unlock(&ep->ready_mu);
	rb_erase(&ep->items, &it->node);
	ep->nitems--;
	kfree(it);
	return by;
}

void epoll_file_gone(struct file *f)
{
	for (;;) {
		struct eventpoll *ep = NULL;
		struct epitem *it;
		bool empty;

		mutex_lock(&f->mu);
		empty = list_empty(&f->epitems);
		if (!empty) {
			it = list_first(&f->epitems, struct epitem, file_node);
			if (ref_get_unless_zero(&it->ep->f.ref))
				ep = it->ep;
		}
		mutex_unlock(&f->mu);
		if (empty)
			return;
		if (!ep) {
			sched_yield();          /* its release is under way and will unlink the item */
			continue;
		}
		do {
			struct tgroup *by = NULL;

			mutex_lock(&ep->mu);
			it = item_find_any(ep, f);
			if (it)
				by = item_remove(ep, it);
			mutex_unlock(&ep->mu);
			tgroup_unref(by);
		} while (it);
		file_unref(&ep->f);
	}
}

/* An epoll that is about to be watched by another one.  All under kernel->epoll_nest_mu. */
struct nesting {
	struct eventpoll *ep, *target;          /* who will watch whom */
	u64 walk;
	struct eventpoll **below;               /* @target and those beneath it, once each: references */
	u32 nbelow;
};

/* How many epolls lie one beneath another from @ep on, itself included; -ELOOP if @n->ep is one, or if there are too many. */
static int depth_below(struct nesting *n, struct eventpoll *ep, int level)
{
	int deepest = 0;

	if (ep == n->ep || level > EP_MAX_NESTS)
		return -ELOOP;
	if (ep->walk == n->walk)
		return ep->below;
	if (n->nbelow == EP_MAX_BELOW)
		return -EINVAL;
	if (!ref_get_unless_zero(&ep->f.ref))
		return 0;                       /* it ends */
	n->below[n->nbelow++] = ep;
	mutex_lock(&ep->mu);
	for (struct rb_node *i = rb_first(&ep->items); i; i = rb_next(i)) {
		struct epitem *it = rb_entry(i, struct epitem, node);
		int d = file_is_epoll(it->file) ? depth_below(n, ep_of(it->file), level + 1) : 0;

		if (d < 0) {
			deepest = d;
			break;
		}
		deepest = MAX(deepest, d);
	}
	mutex_unlock(&ep->mu);
	if (deepest < 0)
		return deepest;
	ep->walk = n->walk;
	ep->below = deepest + 1;
	return ep->below;
}

/*
 * How many epolls will watch @ep one above the other.  *ways: how many there are in all, each as often as there are ways to
 * it, since every one of them is told of an event; beyond EP_MAX_WAYS it is not counted on.
 */
static int depth_above(const struct nesting *n, struct eventpoll *ep, int level, u32 *ways)
{
	struct eventpoll *up[EP_MAX_WAYS + 1];
	struct epitem *it;
	u32 k = 0;
	int highest = 0;

	if (level > EP_MAX_NESTS)
		return level;
	if (ep == n->target) {
		file_ref(&n->ep->f);
		up[k++] = n->ep;
	}
	mutex_lock(&ep->f.mu);
	list_for_each(it, &ep->f.epitems, file_node)
		if (k < ARRAY_SIZE(up) && ref_get_unless_zero(&it->ep->f.ref))
			up[k++] = it->ep;
	mutex_unlock(&ep->f.mu);
	*ways += k;
	for (u32 i = 0; i < k; i++) {
		if (*ways <= EP_MAX_WAYS)
			highest = MAX(highest, depth_above(n, up[i], level + 1, ways) + 1);
		file_unref(&up[i]->f);
	}
	return highest;
}

static int check_ways(const struct nesting *n, int below)
{
	u32 ways = 0;

	if (below + depth_above(n, n->ep, 0, &ways) > EP_MAX_NESTS)
		return -ELOOP;
	for (u32 i = 0; i < n->nbelow; i++) {
		ways = 0;
		(void)depth_above(n, n->below[i], 0, &ways);
		if (ways > EP_MAX_WAYS)
			return -EINVAL;
	}
	return 0;
}

static int check_nesting(struct eventpoll *ep, struct file *target)
{
	struct nesting n = {
		.ep = ep, .target = ep_of(target), .walk = ++ep->kernel->epoll_walks,
		.below = kbuf_array(EP_MAX_BELOW, sizeof(struct eventpoll *)),
	};
	int r = n.below ? depth_below(&n, n.target, 1) : -ENOMEM;

	if (r >= 0)
		r = check_ways(&n, r);
	while (n.nbelow)
		file_unref(&n.below[--n.nbelow]->f);
	kfree(n.below);
	return r;
}

static int item_add(struct task *t, struct eventpoll *ep, int fd, struct file *target, const struct lx_epoll_event *ev)
	REQUIRES(ep->mu)
{
	struct epitem *it;

	if (item_find(ep, target, fd))
		return -EEXIST;
	if (ep->nitems >= EP_MAX_ITEMS)
		return -ENOSPC;
	it = knew(struct epitem);
	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = target;
	it->fd = fd;
	it->data = ev->data;
	it->events = ev->events | EPOLLERR | EPOLLHUP;
	list_init(&it->ready_node);
	it->w.fn = item_callback;
	it->w.exclusive = ev->events & EPOLLEXCLUSIVE;
	it->w.interest = it->w.exclusive ? it->events & ~EP_PRIVATE : ~0u;
	rb_add(&ep->items, &it->node, item_less);
	ep->nitems++;
	mutex_lock(&target->mu);
	list_add_tail(&it->file_node, &target->epitems);
	mutex_unlock(&target->mu);
	(void)file_poll_for(t, target, &it->wq);
	if (it->wq != target->wq)
		it->by = tgroup_ref(t->tg);
	waitq_add(it->wq, &it->w);
	if (it->wq && __atomic_load_n(&it->wq->by_net, __ATOMIC_RELAXED))
		__atomic_store_n(&ep->wq.by_net, true, __ATOMIC_RELAXED);
	if (item_poll(t, it, it->events) && item_make_ready(it))
		ep_wake(ep);
	return 0;
}

static int item_modify(struct task *t, struct eventpoll *ep, struct epitem *it, const struct lx_epoll_event *ev)
	REQUIRES(ep->mu)
{
	u32 events = ev->events | EPOLLERR | EPOLLHUP;

	if (it->w.exclusive)
		return -EINVAL;
	it->data = ev->data;
	mutex_lock(&ep->ready_mu);
	it->events = events;
	mutex_unlock(&ep->ready_mu);
	if (item_poll(t, it, events) && item_make_ready(it))
		ep_wake(ep);
	return 0;
}

static int ctl_locked(struct task *t, struct eventpoll *ep, int op, int fd, struct file *target,
		      const struct lx_epoll_event *ev, struct tgroup **ret_by) REQUIRES(ep->mu)
{
	struct epitem *it;

	if (op == EPOLL_CTL_ADD)
		return item_add(t, ep, fd, target, ev);
	it = item_find(ep, target, fd);
	if (!it)
		return -ENOENT;
	if (op == EPOLL_CTL_MOD)
		return item_modify(t, ep, it, ev);
	*ret_by = item_remove(ep, it);
	return 0;
}

int eventpoll_ctl(struct task *t, struct file *f, int op, int fd, struct file *target,
	      const struct lx_epoll_event *ev)
{
	struct eventpoll *ep = ep_of(f);
	bool nest = op == EPOLL_CTL_ADD && file_is_epoll(target);
	struct tgroup *by = NULL;
	int r = 0;

	if (!target->ops->poll)
		return -EPERM;
	if (f == target || !file_is_epoll(f))
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && (ev->events & EPOLLEXCLUSIVE) &&
	    (op == EPOLL_CTL_MOD || file_is_epoll(target) || (ev->events & ~(u32)EP_EXCL_OK)))
		return -EINVAL;
	if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
		return -EINVAL;
	if (nest) {
		mutex_lock(&ep->kernel->epoll_nest_mu);
		r = check_nesting(ep, target);
	}
	if (r == 0) {
		mutex_lock(&ep->mu);
		r = ctl_locked(t, ep, op, fd, target, ev, &by);
		mutex_unlock(&ep->mu);
		tgroup_unref(by);
	}
	if (nest)
		mutex_unlock(&ep->kernel->epoll_nest_mu);
	return r;
}

int eventpoll_target(struct file *f, int fd, u32 nth, const struct file **ret)
{
	struct eventpoll *ep = ep_of(f);
	int r = -ENOENT;

	if (!file_is_epoll(f))
		return -EINVAL;
	mutex_lock(&ep->mu);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		if (it->fd != fd || nth-- > 0)
			continue;
		*ret = it->file;
		r = 0;
		break;
	}
	mutex_unlock(&ep->mu);
	return r;
}

/* ---- the file ---- */

static void epoll_release(struct file *f)
{
	struct eventpoll *ep = ep_of(f);
	struct rb_node *n;

	do {
		struct tgroup *by = NULL;

		mutex_lock(&ep->mu);
		n = rb_first(&ep->items);
		if (n)
			by = item_remove(ep, rb_entry(n, struct epitem, node));
		mutex_unlock(&ep->mu);
		tgroup_unref(by);
	} while (n);
	file_done(f);
	kfree(ep);
}

static void epoll_fdinfo(struct file *f, struct strbuf *out)
{
	struct eventpoll *ep = ep_of(f);

	mutex_lock(&ep->mu);
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epitem *it = rb_entry(n, struct epitem, node);

		strbuf_printf(out, "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%lx sdev:%x\n",
			      it->fd, it->events, (unsigned long long)it->data, 0ll, 0ul, 0u);
	}
	mutex_unlock(&ep->mu);
}

/* Settings of busy polling, which is not there; Linux says so of any other, too. */
static long epoll_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	(void)t, (void)f, (void)cmd, (void)arg;
	return -EINVAL;
}

static const struct file_ops epoll_ops = {
	.lseek = file_lseek_none,
	.name = "eventpoll",
	.ioctl = epoll_ioctl,
	.poll = epoll_poll,
	.poll_for = epoll_poll_for,
	.fdinfo = epoll_fdinfo,
	.release = epoll_release,
};

int eventpoll_create(struct task *t, u32 flags, struct file **ret)
{
	struct eventpoll *ep = knew(struct eventpoll);

	if (!ep)
		return -ENOMEM;
	file_init(&ep->f, &epoll_ops, O_RDWR | (flags & O_NONBLOCK), FILE_STREAM, NULL, NULL, task_cred(t));
	ep->f.anon_name = "anon_inode:[eventpoll]";
	ep->f.wq = &ep->wq;
	ep->kernel = t->kernel;
	ep->items = RB_ROOT;
	mutex_init(&ep->mu, RANK_EPOLL);
	mutex_init(&ep->ready_mu, RANK_READY);
	list_init(&ep->ready);
	waitq_init(&ep->wq);
	*ret = &ep->f;
	return 0;
}
