/*
 * seccomp_notify.c - see seccomp_notify.h.
 *
 * Locks: l->mu (RANK_FILE) guards the list, every request in it and the descriptors given to each.  A request and an addition
 *        live on the stacks of the tasks that wait for them; both leave only after they have been taken out under the lock.
 */
#include "sentry/kernel/seccomp_notify.h"

#include <asm/ioctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/file.h"

#define IOC_SIZE(cmd) ((cmd) >> 16 & 0x3fff)
#define LX_ADDFD_SIZE 24
#define LX_ID_VALID_WRONG 0x80082102u   /* as older headers have it */

enum state { ASKED, TOLD, ANSWERED };

struct addition {
	struct list_head node;                  /* in request->adds, until the task has taken it */
	struct task *supervisor;                /* waits */
	struct file *file;                      /* the supervisor's reference */
	u32 newfd, flags;
	bool cloexec, done;
	int result;
};

struct request {
	struct list_head node;
	u64 id;
	enum state state;
	struct task *task;                      /* waits */
	struct seccomp_data data;
	s64 val;
	s32 error;
	u32 flags;
	struct list_head adds;
};

struct listener {
	struct ref ref;
	struct mutex mu;                        /* RANK_FILE */
	struct list_head requests;
	u64 next_id;
	bool closed, unused;
	bool killable;                          /* immutable: what has been told of is not interrupted */
	struct waitq wq;
};

struct listener_file { struct file f; struct listener *l; };

static struct listener *listener_of(struct file *f)
{
	return container_of(f, struct listener_file, f)->l;
}

static void listener_unref(struct listener *l)
{
	if (ref_put(&l->ref))
		kfree(l);
}

/* ---- the task that asks ---- */

/* Give the task what its supervisor wants it to have: in its own context. l->mu held, dropped meanwhile. */
static void take_additions(struct listener *l, struct request *q)
{
	while (!list_empty(&q->adds)) {
		struct addition *a = list_first(&q->adds, struct addition, node);
		int r;

		list_del_init(&a->node);
		mutex_unlock(&l->mu);
		if (a->flags & SECCOMP_ADDFD_FLAG_SETFD)
			r = fd_put_at(q->task, a->file, (int)a->newfd, a->cloexec);
		else
			r = fd_install(q->task, a->file, a->cloexec);
		mutex_lock(&l->mu);
		if (a->flags & SECCOMP_ADDFD_FLAG_SEND) {
			q->state = r >= 0 ? ANSWERED : TOLD;
			q->val = r;
		}
		a->result = r;
		a->done = true;
		task_wake(a->supervisor);
	}
}

/* l->mu held. The request goes; who wanted to add to it hears so. */
static void withdraw(struct request *q)
{
	list_del_init(&q->node);
	while (!list_empty(&q->adds)) {
		struct addition *a = list_first(&q->adds, struct addition, node);

		list_del_init(&a->node);
		a->result = -ESRCH;
		a->done = true;
		task_wake(a->supervisor);
	}
}

/* 0 once it is answered, -ENOSYS without a supervisor, -ERESTARTSYS. The request is in no list then. */
static int await(struct listener *l, struct request *q)
{
	int r = 0;

	for (;;) {
		bool patient;

		/* An answer that came together with a signal counts. */
		mutex_lock(&l->mu);
		take_additions(l, q);
		if (q->state == ANSWERED)
			r = 0;
		else if (l->closed)
			r = -ENOSYS;
		if (q->state == ANSWERED || r == -ENOSYS || r == -ERESTARTSYS) {
			withdraw(q);
			mutex_unlock(&l->mu);
			return r;
		}
		patient = l->killable && q->state == TOLD;
		mutex_unlock(&l->mu);
		r = patient ? task_sleep_killable(q->task, KTIME_MAX) : task_sleep(q->task, KTIME_MAX);
	}
}

bool listener_ask(struct listener *l, struct task *t, const struct seccomp_data *d, long *ret_result)
{
	struct request q = { .task = t, .data = *d };
	int r;

	list_init(&q.adds);
	mutex_lock(&l->mu);
	q.id = l->next_id++;
	list_add_tail(&q.node, &l->requests);
	mutex_unlock(&l->mu);
	(void)waitq_wake(&l->wq, POLLIN);
	r = await(l, &q);
	if (r < 0) {
		*ret_result = r;
		return false;
	}
	if (q.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return true;
	*ret_result = q.error ? q.error : q.val;
	return false;
}

/* ---- the supervisor ---- */

static struct request *find_locked(struct listener *l, u64 id)
{
	struct request *q;

	list_for_each(q, &l->requests, node)
		if (q->id == id)
			return q;
	return NULL;
}

static struct request *next_locked(struct listener *l)
{
	struct request *q;

	list_for_each(q, &l->requests, node)
		if (q->state == ASKED)
			return q;
	return NULL;
}

static u32 listener_poll(struct file *f)
{
	struct listener *l = listener_of(f);
	struct request *q;
	u32 ev = 0;

	mutex_lock(&l->mu);
	list_for_each(q, &l->requests, node)
		ev |= q->state == ASKED ? POLLIN | POLLRDNORM : q->state == TOLD ? POLLOUT | POLLWRNORM : 0;
	if (l->unused)
		ev |= POLLHUP;
	mutex_unlock(&l->mu);
	return ev;
}

static long receive(struct task *t, struct file *f, gaddr_t arg)
{
	struct listener *l = listener_of(f);
	struct seccomp_notif n, zero = { 0 };
	struct request *q;
	int r, tid = 0;

	if (copy_in(t, &n, arg, sizeof(n)) < 0)
		return -EFAULT;
	if (memcmp(&n, &zero, sizeof(n)) != 0)
		return -EINVAL;
	r = file_wait(t, f, POLLIN, KTIME_MAX);
	if (r < 0)
		return r;
	mutex_lock(&l->mu);
	q = next_locked(l);
	if (q) {
		q->state = TOLD;
		n.id = q->id;
		n.data = q->data;
		tid = q->task->tid;
	}
	r = q ? 0 : -ENOENT;
	mutex_unlock(&l->mu);
	if (r < 0)
		return r;
	n.pid = (u32)pid_nr(t, tid);
	if (copy_out(t, arg, &n, sizeof(n)) < 0) {
		mutex_lock(&l->mu);
		q = find_locked(l, n.id);
		if (q && q->state == TOLD)
			q->state = ASKED;
		mutex_unlock(&l->mu);
		(void)waitq_wake(&l->wq, POLLIN);
		return -EFAULT;
	}
	(void)waitq_wake(&l->wq, POLLOUT);
	return 0;
}

static long answer(struct task *t, struct listener *l, gaddr_t arg)
{
	struct seccomp_notif_resp a;
	struct request *q;
	int r = 0;

	if (copy_in(t, &a, arg, sizeof(a)) < 0)
		return -EFAULT;
	if ((a.flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE) || (a.flags && (a.error || a.val)))
		return -EINVAL;
	mutex_lock(&l->mu);
	q = find_locked(l, a.id);
	if (!q || q->state != TOLD) {
		r = q ? -EINPROGRESS : -ENOENT;
	} else {
		q->state = ANSWERED;
		q->val = a.val;
		q->error = a.error;
		q->flags = a.flags;
		task_wake(q->task);
	}
	mutex_unlock(&l->mu);
	return r;
}

static long id_valid(struct task *t, struct listener *l, gaddr_t arg)
{
	struct request *q;
	u64 id;
	bool ok;

	if (copy_in(t, &id, arg, sizeof(id)) < 0)
		return -EFAULT;
	mutex_lock(&l->mu);
	q = find_locked(l, id);
	ok = q && q->state == TOLD;
	mutex_unlock(&l->mu);
	return ok ? 0 : -ENOENT;
}

/* @a is in the list of a request; until it is done, or a signal comes before the task has taken it. */
static long await_addition(struct listener *l, struct addition *a)
{
	for (;;) {
		int r = task_sleep(a->supervisor, KTIME_MAX);
		bool done;

		mutex_lock(&l->mu);
		done = a->done;
		if (!done && r == -ERESTARTSYS && !list_empty(&a->node)) {
			list_del_init(&a->node);
			mutex_unlock(&l->mu);
			return r;
		}
		mutex_unlock(&l->mu);
		if (done)
			return a->result;
		/* Being carried out at this moment. */
		if (r == -ERESTARTSYS)
			(void)!task_sleep_killable(a->supervisor, ktime_mono(a->supervisor->kernel) + 1000000);
	}
}

static long add_fd(struct task *t, struct listener *l, u32 size, gaddr_t arg)
{
	struct seccomp_notif_addfd x;
	struct addition a = { .supervisor = t };
	auto_file *f = NULL;
	struct request *q;
	int r;

	if (size < LX_ADDFD_SIZE || size >= PAGE_SIZE)
		return -EINVAL;
	r = copy_struct_in(t, &x, sizeof(x), arg, size);
	if (r < 0)
		return r;
	if ((x.newfd_flags & ~(u32)O_CLOEXEC) || (x.flags & ~(u32)(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) ||
	    (x.newfd && !(x.flags & SECCOMP_ADDFD_FLAG_SETFD)))
		return -EINVAL;
	f = fd_get(t, (int)x.srcfd);
	if (!f)
		return -EBADF;
	a.file = f;
	a.newfd = x.newfd;
	a.flags = x.flags;
	a.cloexec = x.newfd_flags & O_CLOEXEC;
	mutex_lock(&l->mu);
	q = find_locked(l, x.id);
	if (!q || q->state != TOLD)
		r = q ? -EINPROGRESS : -ENOENT;
	else if ((x.flags & SECCOMP_ADDFD_FLAG_SEND) && !list_empty(&q->adds))
		r = -EBUSY;
	if (r == 0) {
		list_add_tail(&a.node, &q->adds);
		task_wake(q->task);
	}
	mutex_unlock(&l->mu);
	return r < 0 ? r : await_addition(l, &a);
}

static long listener_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct listener *l = listener_of(f);

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return receive(t, f, arg);
	case SECCOMP_IOCTL_NOTIF_SEND:
		return answer(t, l, arg);
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
	case LX_ID_VALID_WRONG:
		return id_valid(t, l, arg);
	}
	if ((cmd & 0xc000ffff) == (SECCOMP_IOCTL_NOTIF_ADDFD & 0xc000ffff))
		return add_fd(t, l, IOC_SIZE(cmd), arg);
	return -EINVAL;
}

static void listener_release(struct file *f)
{
	struct listener *l = listener_of(f);
	struct request *q;

	mutex_lock(&l->mu);
	l->closed = true;
	list_for_each(q, &l->requests, node)
		task_wake(q->task);
	mutex_unlock(&l->mu);
	file_done(f);
	listener_unref(l);
	kfree(container_of(f, struct listener_file, f));
}

static const struct file_ops listener_ops = {
	.name = "seccomp-notify", .poll = listener_poll, .ioctl = listener_ioctl, .release = listener_release,
};

int listener_new(struct task *t, bool killable, struct listener **ret, struct file **ret_file)
{
	struct listener_file *lf = knew(struct listener_file);
	struct listener *l = lf ? knew(struct listener) : NULL;

	if (!l) {
		kfree(lf);
		return -ENOMEM;
	}
	ref_init(&l->ref);
	ref_get(&l->ref);
	mutex_init(&l->mu, RANK_FILE);
	list_init(&l->requests);
	waitq_init(&l->wq);
	l->killable = killable;
	lf->l = l;
	file_init(&lf->f, &listener_ops, O_RDWR, FILE_STREAM, NULL, NULL, task_cred(t));
	lf->f.wq = &l->wq;
	lf->f.anon_name = "anon_inode:seccomp notify";
	*ret = l;
	*ret_file = &lf->f;
	return 0;
}

void listener_unused(struct listener *l)
{
	if (!l)
		return;
	mutex_lock(&l->mu);
	l->unused = true;
	mutex_unlock(&l->mu);
	(void)waitq_wake(&l->wq, POLLHUP);
	listener_unref(l);
}
