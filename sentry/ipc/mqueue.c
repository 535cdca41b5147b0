/*
 * mqueue.c - POSIX message queues: their open files, messages and notification.
 *
 * A file is the same whether mq_open made it or open(2) in a mounted mqueue file system (mqueue_fs.c).
 * See mqueue_int.h for life and locks.
 *
 * SIGEV_THREAD is libc's: its thread reads cookies from a netlink socket, into which the caller of mq_notify_on() lets us post.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/mqueue_int.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/vfs.h"


static const struct file_ops mq_ops;

static struct mq *mq_of(struct file *f) { return f->ops == &mq_ops ? mq_of_inode(f->inode) : NULL; }
static struct mutex *lock_of(const struct mq *q) { return &mqfs_of(&q->i)->mu; }

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

void mq_empty(struct mq *q)
{
	struct taken n = take_notify(q);

	while (!list_empty(&q->msgs)) {
		struct mq_msg *m = list_first(&q->msgs, struct mq_msg, node);

		list_del_init(&m->node);
		kfree(m);
	}
	drop_notify(&n);
}

/* Using a queue counts as reading it, and messages as writing. */
static void touch(struct mq *q, bool data)
{
	mutex_lock(&q->i.mu);
	q->i.atime = q->i.ctime = inode_now(&q->i);
	if (data)
		q->i.mtime = q->i.ctime;
	mutex_unlock(&q->i.mu);
}

/* ---- the file ---- */

static ssize_t mq_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct mq *q = mq_of(f);
	int how = 0, signo = 0, pid = 0;
	char text[80];
	u64 bytes;
	ssize_t n;

	mutex_lock(lock_of(q));
	bytes = q->bytes;
	if (q->notify_tg) {
		how = q->notify.se.notify;
		signo = how == SIGEV_SIGNAL ? q->notify.se.signo : 0;
		pid = q->notify_tg->tgid;
	}
	mutex_unlock(lock_of(q));
	n = snprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", bytes, how, signo,
		     pid ? pid_nr(t, pid) : 0);
	if (*pos >= n)
		return 0;
	n = iobuf_put(b, text + *pos, MIN(b->left, (size_t)(n - *pos)));
	if (n > 0) {
		*pos += n;
		touch(q, false);
	}
	return n;
}

static u32 mq_poll(struct file *f)
{
	struct mq *q = mq_of(f);
	u32 ev = 0;

	mutex_lock(lock_of(q));
	if (q->curmsgs)
		ev |= POLLIN | POLLRDNORM;
	if (q->curmsgs < q->maxmsg)
		ev |= POLLOUT | POLLWRNORM;
	mutex_unlock(lock_of(q));
	return ev;
}

/* Closing a queue ends the process's registration, whichever descriptor made it. */
static int mq_flush(struct task *t, struct file *f)
{
	struct mq *q = mq_of(f);
	struct taken gone = { 0 };

	mutex_lock(lock_of(q));
	if (t && q->notify_tg == t->tg)
		gone = take_notify(q);
	mutex_unlock(lock_of(q));
	drop_notify(&gone);
	return 0;
}

static void mq_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

static const struct file_ops mq_ops = {
	.name = "mqueue", .read = mq_read, .poll = mq_poll, .flush = mq_flush, .release = mq_release,
};

int mq_open_inode(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct mq *q = mq_of_inode(i);
	struct file *f = knew(struct file);

	if (!f)
		return -ENOMEM;
	file_init(f, &mq_ops, flags, 0, p, i, task_cred(t));
	f->wq = &q->wq;
	f->anon_name = q->path;
	*ret = f;
	return 0;
}

/* ---- messages ---- */

static int check_access(struct file *f, int not_allowed)
{
	return !mq_of(f) || (int)(f->flags & O_ACCMODE) == not_allowed ? -EBADF : 0;
}

/* Sleep for room or a message. Lock held on entry and return. */
static int sleep_on(struct task *t, struct file *f, struct mq *q, u32 events, ktime_t deadline)
{
	struct task_waiter tw;
	int r;

	if (file_flags(f) & O_NONBLOCK)
		return -EAGAIN;
	task_waiter_init(&tw, t, events);
	waitq_add(&q->wq, &tw.w);
	q->receivers += events == POLLIN;
	mutex_unlock(lock_of(q));
	r = task_sleep(t, deadline);
	waitq_del(&q->wq, &tw.w);
	mutex_lock(lock_of(q));
	q->receivers -= events == POLLIN;
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
	q->bytes += m->len;
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
	struct mq *q = mq_of(f);
	struct taken tell = { 0 };
	struct mq_msg *m;
	int r = check_access(f, O_RDONLY);

	if (r < 0)
		return r;
	if (len > (size_t)q->msgsize)
		return -EMSGSIZE;
	m = kbuf_alloc(sizeof(*m) + len);
	if (!m)
		return -ENOMEM;
	m->prio = prio;
	m->len = len;
	r = copy_in(t, m->data, buf, len);
	mutex_lock(lock_of(q));
	while (r == 0 && q->curmsgs >= q->maxmsg)
		r = sleep_on(t, f, q, POLLOUT, deadline);
	if (r == 0) {
		insert(q, m);
		if (q->curmsgs == 1 && q->notify_tg && !q->receivers)
			tell = take_notify(q);
	}
	mutex_unlock(lock_of(q));
	if (r < 0) {
		kfree(m);
		return r;
	}
	touch(q, true);
	waitq_wake(&q->wq, POLLIN | POLLRDNORM);
	if (tell.tg)
		notify(t, &tell);
	return 0;
}

long mq_receive_msg(struct task *t, struct file *f, gaddr_t buf, size_t len, gaddr_t prio, ktime_t deadline)
{
	struct mq *q = mq_of(f);
	struct mq_msg *m = NULL;
	int r = check_access(f, O_WRONLY);

	if (r < 0)
		return r;
	if (len < (size_t)q->msgsize)
		return -EMSGSIZE;
	mutex_lock(lock_of(q));
	while (r == 0 && list_empty(&q->msgs))
		r = sleep_on(t, f, q, POLLIN, deadline);
	if (r == 0) {
		m = list_first(&q->msgs, struct mq_msg, node);
		list_del_init(&m->node);
		q->curmsgs--;
		q->bytes -= m->len;
	}
	mutex_unlock(lock_of(q));
	if (r < 0)
		return r;
	touch(q, true);
	waitq_wake(&q->wq, POLLOUT | POLLWRNORM);
	len = m->len;
	r = copy_out(t, buf, m->data, len);
	if (r == 0 && prio.v)
		r = copy_out(t, prio, &m->prio, sizeof(m->prio));
	kfree(m);
	return r < 0 ? r : (long)len;
}

int mq_notify_on(struct task *t, struct file *f, const struct mq_event *ev)
{
	struct mq *q = mq_of(f);
	struct taken gone = { 0 };
	int r = 0;

	if (!q)
		return -EBADF;
	mutex_lock(lock_of(q));
	if (!ev && q->notify_tg == t->tg) {
		gone = take_notify(q);
	} else if (ev && q->notify_tg) {
		r = -EBUSY;
	} else if (ev) {
		q->notify_tg = tgroup_ref(t->tg);
		q->notify = *ev;
		if (ev->sock)
			file_ref(ev->sock);
	}
	mutex_unlock(lock_of(q));
	drop_notify(&gone);
	return r;
}

int mq_attr(struct file *f, const struct lx_mq_attr *set, struct lx_mq_attr *ret_old)
{
	struct mq *q = mq_of(f);

	if (!q)
		return -EBADF;
	*ret_old = (struct lx_mq_attr){ .flags = file_flags(f) & O_NONBLOCK, .maxmsg = q->maxmsg,
					.msgsize = q->msgsize };
	mutex_lock(lock_of(q));
	ret_old->curmsgs = q->curmsgs;
	mutex_unlock(lock_of(q));
	return set ? file_set_flags(f, (u32)set->flags, O_NONBLOCK) : 0;
}
