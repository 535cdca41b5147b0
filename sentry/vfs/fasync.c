/*
 * fasync.c - owners of files, and the signals that they get; see fasync.h.
 */
#include "sentry/vfs/fasync.h"

#include <errno.h>
#include <fcntl.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/time/ktimer.h"
#include "sentry/vfs/landlock.h"

#define EVENTS_MAX 4096u        /* queued: beyond, one that is like another is dropped */
#define REASON_URG 0x100        /* SIGURG, by nobody's F_SETSIG */

struct io_event {
	struct list_head node;
	struct fowner *fo;              /* a reference */
	int fd, reason;
};

void sigio_init(struct kernel *k)
{
	mutex_init(&k->sigio.mu, RANK_LEAF);
	mutex_init(&k->sigio.flush_mu, RANK_FPOS);
	list_init(&k->sigio.queue);
	k->sigio.flush = sigio_flush;
}

bool sigio_pending(struct kernel *k)
{
	return atomic_load_explicit(&k->sigio.n, memory_order_acquire) != 0;
}

/* ---- the owner ---- */

struct target { int type; struct task *task; struct tgroup *tg; int pgid; struct landlock *by; struct tgroup *by_tg; };

/* All that is referenced; fo->mu is held, or nobody else knows @fo. */
static struct target target_of(const struct fowner *fo)
{
	return (struct target){ .task = fo->task, .tg = fo->tg, .by = fo->by, .by_tg = fo->by_tg };
}

static void target_put(struct target *g)
{
	landlock_unref(g->by);
	if (g->by_tg)
		tgroup_unref(g->by_tg);
	if (g->task)
		task_unref(g->task);
	if (g->tg)
		tgroup_unref(g->tg);
}

static void fowner_unref(struct fowner *fo)
{
	struct target last;

	if (!fo || !ref_put(&fo->ref))
		return;
	last = target_of(fo);
	target_put(&last);
	kfree(fo);
}

static void queue_event(struct fowner *fo, int fd, int reason)
{
	struct sigio *s = &fo->kernel->sigio;
	struct io_event *e = atomic_load(&s->n) < EVENTS_MAX ? knew(struct io_event) : NULL;

	if (!e)
		return;
	ref_get(&fo->ref);
	*e = (struct io_event){ .fo = fo, .fd = fd, .reason = reason };
	mutex_lock(&s->mu);
	list_add_tail(&e->node, &s->queue);
	atomic_fetch_add(&s->n, 1);
	mutex_unlock(&s->mu);
	ktimers_poke(fo->kernel);
}

static bool heard(struct waiter *w, u32 events)
{
	struct fowner *fo = container_of(w, struct fowner, w);
	bool on, urg;
	int fd;

	mutex_lock(&fo->mu);
	on = fo->on;
	fd = fo->fd;
	urg = on && fo->sig;
	mutex_unlock(&fo->mu);
	if (events & ASYNC_URG) {
		queue_event(fo, fd, REASON_URG);
		if (urg)
			queue_event(fo, fd, POLL_PRI);
	}
	if (!on)
		return false;
	if (events & w->interest & ASYNC_IN)
		queue_event(fo, fd, POLL_IN);
	if (events & w->interest & ASYNC_ERR)
		queue_event(fo, fd, POLL_ERR);
	if (events & w->interest & ASYNC_HUP)
		queue_event(fo, fd, POLL_HUP);
	if ((events & w->interest & ASYNC_OUT) ||
	    ((events & ASYNC_SPACE) && __atomic_exchange_n(&fo->no_room, false, __ATOMIC_RELAXED)))
		queue_event(fo, fd, POLL_OUT);
	return false;
}

/* That of @f, made if need be; NULL: no memory. It lives as long as @f. */
static struct fowner *owner_of(struct task *t, struct file *f)
{
	struct fowner *fo = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE), *none = NULL;
	u32 acc = f->flags & O_ACCMODE;

	if (fo)
		return fo;
	fo = knew(struct fowner);
	if (!fo)
		return NULL;
	ref_init(&fo->ref);
	mutex_init(&fo->mu, RANK_LEAF);
	fo->kernel = t->kernel;
	fo->file = f;
	fo->w.fn = heard;
	fo->w.interest = ASYNC_SPACE | ASYNC_ERR | ASYNC_HUP | ASYNC_URG | (acc != O_WRONLY ? ASYNC_IN : 0) |
			 (acc != O_RDONLY ? ASYNC_OUT : 0);
	list_init(&fo->w.node);
	if (!__atomic_compare_exchange_n(&f->owner, &none, fo, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		fowner_unref(fo);
		return none;
	}
	if (f->kind & FILE_ASYNC)
		waitq_add(f->wq, &fo->w);
	return fo;
}

void fowner_file_gone(struct file *f)
{
	struct fowner *fo = f->owner;

	if (!fo)
		return;
	if (f->kind & FILE_ASYNC)
		waitq_del(f->wq, &fo->w);
	f->owner = NULL;
	fowner_unref(fo);
}

void fasync_no_room(struct file *f)
{
	struct fowner *fo = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE);

	if (fo)
		__atomic_store_n(&fo->no_room, true, __ATOMIC_RELAXED);
}

void fowner_tell(struct file *f, int fd, int reason)
{
	struct fowner *fo = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE);

	if (fo)
		queue_event(fo, fd, reason);
}

/* ---- sending ---- */

static bool may_tell(struct fowner *fo, struct task *to)
{
	const struct cred *c = task_cred_get(to);
	bool ok;

	mutex_lock(&fo->mu);
	ok = fo->euid == 0 || fo->euid == c->suid || fo->euid == c->uid || fo->uid == c->suid || fo->uid == c->uid;
	ok = ok && (to->tg == fo->by_tg || !landlock_scoped(fo->by, c->landlock, LL_SCOPE_SIGNAL));
	mutex_unlock(&fo->mu);
	cred_unref(c);
	return ok;
}

static long band_of(int reason)
{
	switch (reason) {
	case POLL_IN: return POLLIN | POLLRDNORM;
	case POLL_OUT: return POLLOUT | POLLWRNORM | POLLWRBAND;
	case POLL_MSG: return POLLIN | POLLRDNORM | POLLMSG;
	case POLL_ERR: return POLLERR;
	case POLL_PRI: return POLLPRI | POLLRDBAND;
	default: return POLLHUP | POLLERR;
	}
}

/* Its si_code would mean something else with them. */
static bool has_own_codes(int sig)
{
	return sig == SIGILL || sig == SIGFPE || sig == SIGSEGV || sig == SIGBUS || sig == SIGTRAP ||
	       sig == SIGCHLD || sig == SIGSYS;
}

struct telling { struct io_event *e; int sig; struct lx_siginfo si; };

static void telling_of(struct io_event *e, struct telling *ret)
{
	ret->e = e;
	if (e->reason == REASON_URG) {
		ret->sig = SIGURG;
		return;
	}
	mutex_lock(&e->fo->mu);
	ret->sig = e->fo->sig ? e->fo->sig : SIGIO;
	if (e->fo->sig)
		siginfo_kernel(&ret->si, ret->sig, has_own_codes(ret->sig) ? SI_SIGIO : e->reason);
	mutex_unlock(&e->fo->mu);
	ret->si.poll.band = band_of(e->reason);
	ret->si.poll.fd = e->fd;
}

/* @to NULL: the process. A full queue makes it a plain SIGIO, as fcntl(2) says. */
static void send_one(const struct telling *m, struct tgroup *tg, struct task *to)
{
	const struct lx_siginfo *si = m->si.signo ? &m->si : NULL;

	if ((to ? signal_send_task(to, m->sig, si) : signal_send_tgroup(tg, m->sig, si)) == -EAGAIN)
		(void)!(to ? signal_send_task(to, SIGIO, NULL) : signal_send_tgroup(tg, SIGIO, NULL));
}

/* With kernel->mu held, if it is one of a group. */
static void tell_process(void *arg, struct tgroup *tg, struct task *any)
{
	struct telling *m = arg;

	if (may_tell(m->e->fo, any))
		send_one(m, tg, NULL);
}

static void tell(struct io_event *e)
{
	struct telling m = { 0 };
	struct fowner *fo = e->fo;
	struct target g;

	telling_of(e, &m);
	mutex_lock(&fo->mu);
	g = (struct target){ .task = fo->task ? task_ref(fo->task) : NULL, .tg = fo->tg ? tgroup_ref(fo->tg) : NULL,
			     .pgid = fo->pgid };
	mutex_unlock(&fo->mu);
	if (g.task && may_tell(fo, g.task))
		send_one(&m, NULL, g.task);
	if (g.tg)
		signal_visit_tgroup(g.tg, tell_process, &m);
	if (g.pgid)
		signal_visit_pgrp(fo->kernel, g.pgid, tell_process, &m);
	target_put(&g);
}

void sigio_flush(struct kernel *k)
{
	struct sigio *s = &k->sigio;
	struct list_head done;
	struct io_event *e;

	list_init(&done);
	mutex_lock(&s->flush_mu);
	for (;;) {
		mutex_lock(&s->mu);
		e = list_empty(&s->queue) ? NULL : list_first(&s->queue, struct io_event, node);
		if (e)
			list_del_init(&e->node);
		mutex_unlock(&s->mu);
		if (!e)
			break;
		tell(e);
		atomic_fetch_sub(&s->n, 1);
		list_add_tail(&e->node, &done);
	}
	mutex_unlock(&s->flush_mu);
	/* The last reference may end layers of landlock, and those files. */
	while (!list_empty(&done)) {
		e = list_first(&done, struct io_event, node);
		list_del_init(&e->node);
		fowner_unref(e->fo);
		kfree(e);
	}
}

/* ---- fcntl(2) ---- */

static void note_member(void *arg, struct tgroup *tg, struct task *any)
{
	(void)tg;
	(void)any;
	*(bool *)arg = true;
}

/* @nr as @t counts; 0: nobody. -ESRCH. */
static int find_target(struct task *t, int type, int nr, struct target *ret)
{
	struct task *x;

	*ret = (struct target){ .type = type };
	if (nr == 0)
		return 0;
	x = nr > 0 ? task_find_nr(t, nr) : NULL;
	if (type == F_OWNER_PGRP) {
		bool there = x != NULL;

		ret->pgid = nr > 0 ? pid_from_nr(t, nr) : 0;
		if (x)
			task_unref(x);
		if (!there)
			signal_visit_pgrp(t->kernel, ret->pgid, note_member, &there);
		return there ? 0 : -ESRCH;
	}
	if (!x)
		return -ESRCH;
	if (type == F_OWNER_TID) {
		ret->task = x;
		return 0;
	}
	ret->tg = tgroup_ref(x->tg);
	task_unref(x);
	return 0;
}

/* Takes over the references of @g. */
static int put_target(struct task *t, struct file *f, struct target *g, bool force)
{
	struct fowner *fo = owner_of(t, f);
	const struct cred *c = task_cred(t);
	struct target old;

	if (c->landlock) {
		g->by = landlock_ref(c->landlock);
		g->by_tg = tgroup_ref(t->tg);
	}
	old = *g;
	if (!fo) {
		target_put(g);
		return -ENOMEM;
	}
	mutex_lock(&fo->mu);
	if (force || (!fo->task && !fo->tg && !fo->pgid)) {
		old = target_of(fo);
		fo->type = g->type;
		fo->by = g->by;
		fo->by_tg = g->by_tg;
		fo->task = g->task;
		fo->tg = g->tg;
		fo->pgid = g->pgid;
		fo->uid = c->uid;
		fo->euid = c->euid;
	}
	mutex_unlock(&fo->mu);
	target_put(&old);
	return 0;
}

static int set_owner(struct task *t, struct file *f, int type, int nr)
{
	struct target g;
	int r = find_target(t, type, nr, &g);

	return r < 0 ? r : put_target(t, f, &g, true);
}

int fowner_default(struct task *t, struct file *f, int pgid)
{
	struct target g = { .type = pgid ? F_OWNER_PGRP : F_OWNER_PID, .pgid = pgid };

	if (!pgid)
		g.tg = tgroup_ref(t->tg);
	return put_target(t, f, &g, false);
}

int fowner_set(struct task *t, struct file *f, int who)
{
	if (who == INT32_MIN)
		return -EINVAL;
	return who < 0 ? set_owner(t, f, F_OWNER_PGRP, -who) : set_owner(t, f, F_OWNER_PID, who);
}

void fowner_clear(struct file *f)
{
	struct fowner *fo = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE);
	struct target old;

	if (!fo)
		return;
	mutex_lock(&fo->mu);
	old = target_of(fo);
	fo->task = NULL;
	fo->tg = fo->by_tg = NULL;
	fo->by = NULL;
	fo->pgid = fo->sig = 0;
	mutex_unlock(&fo->mu);
	target_put(&old);
}

/* Type and number as @t counts; 0 when nobody, or nobody any more. */
static struct f_owner_ex get_owner(struct task *t, struct file *f)
{
	struct fowner *fo = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE);
	struct f_owner_ex own = { .type = F_OWNER_TID };
	struct kernel *k = t->kernel;
	int nr = 0;

	if (!fo)
		return own;
	mutex_lock(&k->mu);
	mutex_lock(&fo->mu);
	own.type = (enum __pid_type)fo->type;
	if (fo->task && pid_task_locked(k, fo->task->tid) == fo->task)
		nr = fo->task->tid;
	if (fo->tg && pid_tgroup_locked(k, fo->tg->tgid) == fo->tg)
		nr = fo->tg->tgid;
	if (fo->pgid)
		nr = fo->pgid;
	mutex_unlock(&fo->mu);
	mutex_unlock(&k->mu);
	own.pid = nr ? pid_nr(t, nr) : 0;
	return own;
}

int fowner_get(struct task *t, struct file *f)
{
	struct f_owner_ex own = get_owner(t, f);

	return own.type == F_OWNER_PGRP ? -own.pid : own.pid;
}

static int set_owner_ex(struct task *t, struct file *f, gaddr_t arg)
{
	struct f_owner_ex own;

	if (copy_in(t, &own, arg, sizeof(own)) < 0)
		return -EFAULT;
	if (own.type != F_OWNER_TID && own.type != F_OWNER_PID && own.type != F_OWNER_PGRP)
		return -EINVAL;
	return set_owner(t, f, (int)own.type, own.pid);
}

static int set_signal(struct task *t, struct file *f, u64 sig)
{
	struct fowner *fo;

	if (sig > NSIG_GUEST)
		return -EINVAL;
	fo = owner_of(t, f);
	if (!fo)
		return -ENOMEM;
	mutex_lock(&fo->mu);
	fo->sig = (int)sig;
	mutex_unlock(&fo->mu);
	return 0;
}

static int get_uids(struct task *t, struct file *f, gaddr_t arg)
{
	struct fowner *fo = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE);
	struct user_ns *u = task_user_ns(t);
	u32 ids[2] = { 0, 0 };

	if (fo) {
		mutex_lock(&fo->mu);
		ids[0] = fo->uid;
		ids[1] = fo->euid;
		mutex_unlock(&fo->mu);
	}
	ids[0] = user_ns_show_uid(u, ids[0]);
	ids[1] = user_ns_show_uid(u, ids[1]);
	return copy_out(t, arg, ids, sizeof(ids));
}

long fowner_fcntl(struct task *t, struct file *f, int cmd, u64 arg)
{
	struct fowner *fo = __atomic_load_n(&f->owner, __ATOMIC_ACQUIRE);
	struct f_owner_ex own;

	switch (cmd) {
	case F_SETOWN:
		return fowner_set(t, f, (s32)arg);
	case F_GETOWN:
		return fowner_get(t, f);
	case F_SETOWN_EX:
		return set_owner_ex(t, f, GADDR(arg));
	case F_GETOWN_EX:
		own = get_owner(t, f);
		return copy_out(t, GADDR(arg), &own, sizeof(own));
	case F_SETSIG:
		return set_signal(t, f, arg);
	case F_GETSIG:
		return fo ? fo->sig : 0;
	case LX_F_GETOWNER_UIDS:
		return get_uids(t, f, GADDR(arg));
	default:
		return -EINVAL;
	}
}

int fasync_set(struct task *t, struct file *f, int fd, bool on)
{
	struct fowner *fo;
	int r = 0;

	if (!(f->kind & FILE_ASYNC) || on == !!(file_flags(f) & O_ASYNC))
		return 0;
	fo = on || f->owner ? owner_of(t, f) : NULL;
	if (on && !fo)
		return -ENOMEM;
	if (fo) {
		mutex_lock(&fo->mu);
		fo->on = on;
		fo->fd = fd;
		mutex_unlock(&fo->mu);
	}
	if (on && !(file_poll(f) & POLLOUT))
		fasync_no_room(f);
	if (on && f->ops->async)
		r = f->ops->async(t, f);
	return r < 0 ? r : file_set_flags(f, on ? O_ASYNC : 0, O_ASYNC);
}
