/*
 * mqueue.c - POSIX message queues, found by name in the sandbox's one namespace.
 *
 * Life:  a queue has one reference from its name and one per open file.
 * Locks: the ipc_ns lock (RANK_FILE) guards names and queues.  Copies, signals and
 *        wake-ups happen outside it.
 *
 * SIGEV_THREAD is libc's: its thread reads cookies from a netlink socket, into which the caller of mq_notify_on() lets us post.
 */
#include "sentry/ipc/mqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/vfs.h"

#define HARD_MAXMSG 65536
#define HARD_SIZE   (16 << 20)
#define MAX_BYTES   (64u << 20)
#define HARD_QUEUES 4096u
#define MQ_PRIOS    32768u
#define NAME_LEN    255

struct mq_msg {
	struct list_head node;
	u32 prio;
	size_t len;
	u8 data[];
};

struct mq {
	struct ref ref;
	struct list_head node;                  /* ipc_mq_list(); empty once unlinked */
	char name[NAME_LEN + 1];                /* immutable */
	u32 mode, uid, gid;                     /* immutable */
	s64 maxmsg, msgsize;                    /* immutable */
	s64 curmsgs;
	struct list_head msgs;                  /* highest priority first, oldest first in it */
	u32 receivers;                          /* asleep for a message */
	struct waitq wq;
	struct tgroup *notify_tg;               /* a reference; NULL: nobody asked */
	struct mq_event notify;                 /* its sock is a reference of ours */
};

struct mq_file {
	struct file f;
	struct mq *mq;                          /* immutable; a reference */
	struct ipc_ns *ns;                      /* immutable; held */
};

static const struct file_ops mq_ops;

static struct mq_file *mf_of(struct file *f) { return f->ops == &mq_ops ? container_of(f, struct mq_file, f) : NULL; }

/* A registration out of its queue. */
struct taken { struct tgroup *tg; struct mq_event ev; };

static struct taken take_notify(struct mq *q)
{
	struct taken n = { q->notify_tg, q->notify };

	q->notify_tg = NULL;
	q->notify.sock = NULL;
	return n;
}

/* Libc's thread hears that it is over: the last byte of the cookie says what happened. */
static void tell_thread(struct mq_event *ev, u8 what)
{
	ev->cookie[MQ_COOKIE - 1] = what;
	ev->post(ev->sock, ev->cookie, MQ_COOKIE);
	file_unref(ev->sock);
}

/* Nothing has come; without the lock. */
static void drop_notify(struct taken *n)
{
	if (!n->tg)
		return;
	if (n->ev.sock)
		tell_thread(&n->ev, MQ_REMOVED);
	tgroup_unref(n->tg);
}

static void mq_unref(struct mq *q)
{
	struct taken n;

	if (!ref_put(&q->ref))
		return;
	while (!list_empty(&q->msgs)) {
		struct mq_msg *m = list_first(&q->msgs, struct mq_msg, node);

		list_del_init(&m->node);
		kfree(m);
	}
	n = take_notify(q);
	drop_notify(&n);
	kfree(q);
}

void mq_forget_all(struct ipc_ns *ns)
{
	while (!list_empty(ipc_mq_list(ns))) {
		struct mq *q = list_first(ipc_mq_list(ns), struct mq, node);

		list_del_init(&q->node);
		mq_unref(q);
	}
}

/* ---- the file ---- */

static u32 mq_poll(struct file *f)
{
	struct mq_file *mf = mf_of(f);
	u32 ev = 0;

	mutex_lock(ipc_lock(mf->ns));
	if (mf->mq->curmsgs)
		ev |= POLLIN | POLLRDNORM;
	if (mf->mq->curmsgs < mf->mq->maxmsg)
		ev |= POLLOUT | POLLWRNORM;
	mutex_unlock(ipc_lock(mf->ns));
	return ev;
}

/* Closing a queue ends the process's registration, whichever descriptor made it. */
static int mq_flush(struct task *t, struct file *f)
{
	struct mq_file *mf = mf_of(f);
	struct taken gone = { 0 };

	mutex_lock(ipc_lock(mf->ns));
	if (t && mf->mq->notify_tg == t->tg)
		gone = take_notify(mf->mq);
	mutex_unlock(ipc_lock(mf->ns));
	drop_notify(&gone);
	return 0;
}

static void mq_release(struct file *f)
{
	struct mq_file *mf = mf_of(f);

	mq_unref(mf->mq);
	ipc_ns_drop(mf->ns);
	file_done(f);
	kfree(mf);
}

static const struct file_ops mq_ops = { .name = "mqueue", .poll = mq_poll, .flush = mq_flush, .release = mq_release };

/* ---- names ---- */

static int check_name(const char *name)
{
	if (!*name)
		return -EINVAL;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return strlen(name) > NAME_LEN ? -ENAMETOOLONG : 0;
}

static struct mq *find_locked(struct ipc_ns *ns, const char *name, u32 *ret_count)
{
	struct mq *q, *found = NULL;

	*ret_count = 0;
	list_for_each(q, ipc_mq_list(ns), node) {
		(*ret_count)++;
		if (!strcmp(q->name, name))
			found = q;
	}
	return found;
}

static int check_attr(struct task *t, struct ipc_ns *ns, const struct lx_mq_attr *a)
{
	bool big = capable(t, CAP_SYS_RESOURCE);
	u64 bytes;

	if (a->maxmsg <= 0 || a->msgsize <= 0)
		return -EINVAL;
	if ((u64)a->maxmsg > (big ? HARD_MAXMSG : ipc_limit(ns, LIM_MQ_MSGS)) ||
	    (u64)a->msgsize > (big ? HARD_SIZE : ipc_limit(ns, LIM_MQ_SIZE)))
		return -EINVAL;
	if (mul_overflows((u64)a->maxmsg, (u64)a->msgsize, &bytes) || bytes > MAX_BYTES)
		return -ENOMEM;
	return 0;
}

static int mq_new(struct task *t, const char *name, u32 mode, const struct lx_mq_attr *attr, struct mq **ret)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	struct mq *q;
	int r = attr ? check_attr(t, ns, attr) : 0;

	if (r < 0)
		return r;
	mutex_lock(&t->fs->mu);
	mode &= ~t->fs->umask;
	mutex_unlock(&t->fs->mu);
	q = knew(struct mq);
	if (!q)
		return -ENOMEM;
	ref_init(&q->ref);
	list_init(&q->node);
	list_init(&q->msgs);
	waitq_init(&q->wq);
	(void)str_copy(q->name, sizeof(q->name), name);
	q->mode = mode;
	q->uid = task_cred(t)->fsuid;
	q->gid = task_cred(t)->fsgid;
	q->maxmsg = attr ? attr->maxmsg : (s64)MIN(ipc_limit(ns, LIM_MQ_MSGS), ipc_limit(ns, LIM_MQ_DEF_MSGS));
	q->msgsize = attr ? attr->msgsize : (s64)MIN(ipc_limit(ns, LIM_MQ_SIZE), ipc_limit(ns, LIM_MQ_DEF_SIZE));
	*ret = q;
	return 0;
}

static int permit(struct task *t, const struct mq *q, int flags)
{
	static const u32 need[4] = { 4, 2, 6, 6 };
	const struct cred *c = task_cred(t);
	u32 mode = q->mode;

	if (c->fsuid == q->uid)
		mode >>= 6;
	else if (cred_in_group(c, q->gid))
		mode >>= 3;
	return need[flags & O_ACCMODE] & ~mode && !capable(t, CAP_DAC_OVERRIDE) ? -EACCES : 0;
}

/* The queue of that name, or the new one put in its place. A reference. */
static int find_or_add(struct task *t, struct ipc_ns *ns, const char *name, int flags, struct mq *fresh,
		       struct mq **ret)
{
	u32 count;
	struct mq *q;
	int r = 0;

	mutex_lock(ipc_lock(ns));
	q = find_locked(ns, name, &count);
	if (q && (flags & O_CREAT) && (flags & O_EXCL)) {
		r = -EEXIST;
	} else if (q) {
		r = permit(t, q, flags);
	} else if (!fresh) {
		r = -ENOENT;
	} else if (count >= HARD_QUEUES || (count >= ipc_limit(ns, LIM_MQ_QUEUES) && !capable(t, CAP_SYS_RESOURCE))) {
		r = -ENOSPC;
	} else {
		q = fresh;
		ref_get(&q->ref);               /* the name's */
		list_add_tail(&q->node, ipc_mq_list(ns));
	}
	if (r == 0) {
		ref_get(&q->ref);
		*ret = q;
	}
	mutex_unlock(ipc_lock(ns));
	return r;
}

int mq_file_open(struct task *t, const char *name, int flags, u32 mode, const struct lx_mq_attr *attr,
		 struct file **ret)
{
	struct mq *q = NULL, *fresh = NULL;
	struct mq_file *mf;
	struct ipc_ns *ns = task_ipc_ns(t);
	int r = check_name(name);

	if (r == 0 && (flags & O_CREAT))
		r = mq_new(t, name, mode & 0777, attr, &fresh);
	if (r == 0)
		r = find_or_add(t, ns, name, flags, fresh, &q);
	if (fresh)
		mq_unref(fresh);
	if (r < 0)
		return r;
	mf = knew(struct mq_file);
	if (!mf) {
		mq_unref(q);
		return -ENOMEM;
	}
	file_init(&mf->f, &mq_ops, (u32)flags & (O_ACCMODE | O_NONBLOCK), FILE_STREAM, NULL, NULL, task_cred(t));
	mf->f.wq = &q->wq;
	mf->f.anon_name = q->name;
	mf->mq = q;
	mf->ns = ns;
	ipc_ns_hold(ns);
	*ret = &mf->f;
	return 0;
}

int mq_remove(struct task *t, const char *name)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	struct mq *q;
	u32 count;
	int r = check_name(name);

	if (r < 0)
		return r;
	mutex_lock(ipc_lock(ns));
	q = find_locked(ns, name, &count);
	if (!q)
		r = -ENOENT;
	else if (task_cred(t)->fsuid != q->uid && !capable(t, CAP_FOWNER))
		r = -EACCES;
	else
		list_del_init(&q->node);
	mutex_unlock(ipc_lock(ns));
	if (r == 0)
		mq_unref(q);
	return r;
}

/* ---- messages ---- */

static int check_access(struct file *f, int not_allowed)
{
	return !mf_of(f) || (int)(f->flags & O_ACCMODE) == not_allowed ? -EBADF : 0;
}

/* Sleep for room or a message. Lock held on entry and return. */
static int sleep_on(struct task *t, struct mq_file *mf, u32 events, ktime_t deadline)
{
	struct task_waiter tw;
	int r;

	if (file_flags(&mf->f) & O_NONBLOCK)
		return -EAGAIN;
	task_waiter_init(&tw, t, events);
	waitq_add(&mf->mq->wq, &tw.w);
	mf->mq->receivers += events == POLLIN;
	mutex_unlock(ipc_lock(mf->ns));
	r = task_sleep(t, deadline);
	waitq_del(&mf->mq->wq, &tw.w);
	mutex_lock(ipc_lock(mf->ns));
	mf->mq->receivers -= events == POLLIN;
	return r;
}

static void insert(struct mq *q, struct mq_msg *m)
{
	struct mq_msg *p;

	list_for_each(p, &q->msgs, node)
		if (p->prio < m->prio)
			break;
	list_add_tail(&m->node, &p->node);      /* before p; the head: at the end */
	q->curmsgs++;
}

/* A message has come for @n, from @t. */
static void notify(struct task *t, struct taken *n)
{
	const struct lx_sigevent *ev = &n->ev.se;
	struct lx_siginfo si = { .signo = ev->signo, .code = SI_MESGQ };

	si.rt.pid = t->tg->tgid;
	si.pad = 1;
	si.rt.uid = task_cred(t)->uid;
	si.rt.value = ev->value;
	if (ev->notify == SIGEV_SIGNAL && ev->signo)
		(void)!signal_send_tgroup(n->tg, ev->signo, &si);
	if (n->ev.sock)
		tell_thread(&n->ev, MQ_WOKENUP);
	tgroup_unref(n->tg);
}

int mq_send_msg(struct task *t, struct file *f, gaddr_t buf, size_t len, u32 prio, ktime_t deadline)
{
	struct mq_file *mf = mf_of(f);
	struct taken tell = { 0 };
	struct mq_msg *m;
	int r = prio >= MQ_PRIOS ? -EINVAL : check_access(f, O_RDONLY);

	if (r < 0)
		return r;
	if (len > (size_t)mf->mq->msgsize)
		return -EMSGSIZE;
	m = kbuf_alloc(sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	m->prio = prio;
	m->len = len;
	r = copy_in(t, m->data, buf, len);
	mutex_lock(ipc_lock(mf->ns));
	while (r == 0 && mf->mq->curmsgs >= mf->mq->maxmsg)
		r = sleep_on(t, mf, POLLOUT, deadline);
	if (r == 0) {
		insert(mf->mq, m);
		if (mf->mq->curmsgs == 1 && mf->mq->notify_tg && !mf->mq->receivers)
			tell = take_notify(mf->mq);
	}
	mutex_unlock(ipc_lock(mf->ns));
	if (r < 0) {
		kfree(m);
		return r;
	}
	waitq_wake(&mf->mq->wq, POLLIN | POLLRDNORM);
	if (tell.tg)
		notify(t, &tell);
	return 0;
}

long mq_receive_msg(struct task *t, struct file *f, gaddr_t buf, size_t len, gaddr_t prio, ktime_t deadline)
{
	struct mq_file *mf = mf_of(f);
	struct mq_msg *m = NULL;
	int r = check_access(f, O_WRONLY);

	if (r < 0)
		return r;
	if (len < (size_t)mf->mq->msgsize)
		return -EMSGSIZE;
	mutex_lock(ipc_lock(mf->ns));
	while (r == 0 && list_empty(&mf->mq->msgs))
		r = sleep_on(t, mf, POLLIN, deadline);
	if (r == 0) {
		m = list_first(&mf->mq->msgs, struct mq_msg, node);
		list_del_init(&m->node);
		mf->mq->curmsgs--;
	}
	mutex_unlock(ipc_lock(mf->ns));
	if (r < 0)
		return r;
	waitq_wake(&mf->mq->wq, POLLOUT | POLLWRNORM);
	len = m->len;
	r = copy_out(t, buf, m->data, len);
	if (r == 0 && prio.v)
		r = copy_out(t, prio, &m->prio, sizeof(m->prio));
	kfree(m);
	return r < 0 ? r : (long)len;
}

int mq_notify_on(struct task *t, struct file *f, const struct mq_event *ev)
{
	struct mq_file *mf = mf_of(f);
	struct taken gone = { 0 };
	int r = 0;

	if (!mf)
		return -EBADF;
	mutex_lock(ipc_lock(mf->ns));
	if (!ev && mf->mq->notify_tg == t->tg) {
		gone = take_notify(mf->mq);
	} else if (ev && mf->mq->notify_tg) {
		r = -EBUSY;
	} else if (ev) {
		mf->mq->notify_tg = tgroup_ref(t->tg);
		mf->mq->notify = *ev;
		if (ev->sock)
			file_ref(ev->sock);
	}
	mutex_unlock(ipc_lock(mf->ns));
	drop_notify(&gone);
	return r;
}

int mq_attr(struct file *f, const struct lx_mq_attr *set, struct lx_mq_attr *ret_old)
{
	struct mq_file *mf = mf_of(f);

	if (!mf)
		return -EBADF;
	if (set && (set->flags & ~(s64)O_NONBLOCK))
		return -EINVAL;
	*ret_old = (struct lx_mq_attr){ .flags = file_flags(f) & O_NONBLOCK, .maxmsg = mf->mq->maxmsg,
					.msgsize = mf->mq->msgsize };
	mutex_lock(ipc_lock(mf->ns));
	ret_old->curmsgs = mf->mq->curmsgs;
	mutex_unlock(ipc_lock(mf->ns));
	return set ? file_set_flags(f, (u32)set->flags, O_NONBLOCK) : 0;
}
