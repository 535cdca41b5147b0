/*
 * sysv_msg.c - System V message queues (msgget(2), msgop(2), msgctl(2)). See ipc.h.
 *
 * Senders and receivers sleep on one waitq (POLLOUT: room, POLLIN: a message).
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"

#define MSG_HARD (16u << 20)            /* of one message, and of a queue */

struct msg {
	struct list_head node;
	s64 type;
	size_t len;
	u8 data[];
};

struct msgq {
	struct ipc_obj o;
	struct waitq wq;
	struct list_head msgs;                  /* msg.node */
	u64 cbytes, qbytes;
	u32 qnum;
	s64 stime, rtime, ctime;
	s32 lspid, lrpid;
};

static struct msgq *to_q(struct ipc_obj *o) { return container_of(o, struct msgq, o); }

static void q_free(struct ipc_obj *o)
{
	struct msgq *q = to_q(o);

	while (!list_empty(&q->msgs)) {
		struct msg *m = list_first(&q->msgs, struct msg, node);

		list_del_init(&m->node);
		kfree(m);
	}
	kfree(q);
}

static int q_make(struct task *t, void *arg unused_ok, struct ipc_obj **ret)
{
	struct msgq *q = knew(struct msgq);

	if (!q)
		return -ENOMEM;
	q->o.free = q_free;
	waitq_init(&q->wq);
	list_init(&q->msgs);
	q->qbytes = MIN(ipc_limit(task_ipc_ns(t), LIM_MSGMNB), (u64)MSG_HARD);
	q->ctime = ipc_seconds(t->kernel);
	*ret = &q->o;
	return 0;
}

static int q_check(struct ipc_obj *o unused_ok, void *arg unused_ok) { return 0; }

long msg_get(struct task *t, s32 key, int flags)
{
	return ipc_get(t, &(struct ipc_get){ IPC_MSG, key, flags, NULL, q_make, q_check });
}

/* Sleep until the queue changes. Lock held on entry and return. */
static int sleep_on(struct task *t, struct ipc_ns *ns, struct msgq *q, u32 events)
{
	struct task_waiter tw;
	int r;

	task_waiter_init(&tw, t, events | POLLHUP);
	waitq_add(&q->wq, &tw.w);
	mutex_unlock(ipc_lock(ns));
	r = task_sleep(t, KTIME_MAX);
	waitq_del(&q->wq, &tw.w);
	mutex_lock(ipc_lock(ns));
	if (q->o.gone)
		return -EIDRM;
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

static bool has_room(const struct msgq *q, size_t n)
{
	return q->cbytes + n <= q->qbytes && q->qnum + 1 <= q->qbytes;
}

static int send_locked(struct task *t, struct ipc_ns *ns, struct msgq *q, struct msg *m, int flags)
{
	int r = ipc_permit(t, &q->o, 0222);

	while (r == 0 && !has_room(q, m->len))
		r = flags & IPC_NOWAIT ? -EAGAIN : sleep_on(t, ns, q, POLLOUT);
	if (r < 0)
		return r;
	list_add_tail(&m->node, &q->msgs);
	q->cbytes += m->len;
	q->qnum++;
	q->lspid = t->tg->tgid;
	q->stime = ipc_seconds(t->kernel);
	return 0;
}

long msg_send(struct task *t, int id, gaddr_t addr, size_t n, int flags)
{
	struct ipc_obj *o;
	struct ipc_ns *ns;
	struct msg *m;
	s64 type;
	int r;

	r = copy_in(t, &type, addr, sizeof(type));
	if (r < 0)
		return r;
	if (n > MIN(ipc_limit(task_ipc_ns(t), LIM_MSGMAX), (u64)MSG_HARD) || id < 0 || type < 1)
		return -EINVAL;
	m = kbuf_alloc(sizeof(*m) + n);
	if (!m)
		return -ENOMEM;
	m->type = type;
	m->len = n;
	r = copy_in(t, m->data, gaddr_add(addr, sizeof(type)), n);
	if (r == 0)
		r = ipc_find_lock(t, IPC_MSG, id, &ns, &o);
	if (r < 0) {
		kfree(m);
		return r;
	}
	r = send_locked(t, ns, to_q(o), m, flags);
	mutex_unlock(ipc_lock(ns));
	if (r == 0)
		waitq_wake(&to_q(o)->wq, POLLIN);
	else
		kfree(m);
	ipc_put(o);
	return r;
}

static struct msg *pick(struct msgq *q, s64 type, int flags)
{
	struct msg *m, *best = NULL;

	list_for_each(m, &q->msgs, node) {
		if (type == 0)
			return m;
		if (type > 0 && (m->type == type) != ((flags & MSG_EXCEPT) != 0))
			return m;
		if (type < 0 && m->type <= -type && (!best || m->type < best->type))
			best = m;
	}
	return best;
}

/* MSG_COPY: a copy of message number @n, which stays. */
static int copy_locked(struct task *t, struct msgq *q, size_t room, s64 n, int flags, struct msg **ret)
{
	int r = ipc_permit(t, &q->o, 0444);
	struct msg *m, *copy;

	list_for_each(m, &q->msgs, node)
		if (r < 0 || n-- == 0)
			break;
	if (r < 0)
		return r;
	if (&m->node == &q->msgs)
		return -ENOMSG;
	if (m->len > room && !(flags & MSG_NOERROR))
		return -E2BIG;
	copy = kbuf_alloc(sizeof(*copy) + m->len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, m, sizeof(*m) + m->len);
	*ret = copy;
	return 0;
}

static int receive_locked(struct task *t, struct ipc_ns *ns, struct msgq *q, size_t n, s64 type, int flags,
			  struct msg **ret)
{
	int r = ipc_permit(t, &q->o, 0444);
	struct msg *m = NULL;

	while (r == 0 && !(m = pick(q, type, flags)))
		r = flags & IPC_NOWAIT ? -ENOMSG : sleep_on(t, ns, q, POLLIN);
	if (r < 0)
		return r;
	if (m->len > n && !(flags & MSG_NOERROR))
		return -E2BIG;
	list_del_init(&m->node);
	q->cbytes -= m->len;
	q->qnum--;
	q->lrpid = t->tg->tgid;
	q->rtime = ipc_seconds(t->kernel);
	*ret = m;
	return 0;
}

long msg_receive(struct task *t, int id, gaddr_t addr, size_t n, long type, int flags)
{
	struct msg *m = NULL;
	struct ipc_obj *o;
	struct ipc_ns *ns;
	int r;

	if ((ssize_t)n < 0 || id < 0)
		return -EINVAL;
	if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	if (type == LONG_MIN)
		type = -LONG_MAX;
	r = ipc_find_lock(t, IPC_MSG, id, &ns, &o);
	if (r < 0)
		return r;
	r = flags & MSG_COPY ? copy_locked(t, to_q(o), n, type, flags, &m)
		: receive_locked(t, ns, to_q(o), n, type, flags, &m);
	mutex_unlock(ipc_lock(ns));
	if (r == 0) {
		waitq_wake(&to_q(o)->wq, POLLOUT);
		n = MIN(n, m->len);
		r = copy_out(t, addr, &m->type, sizeof(m->type));
		if (r == 0)
			r = copy_out(t, gaddr_add(addr, sizeof(m->type)), m->data, n);
		kfree(m);
	}
	ipc_put(o);
	return r < 0 ? r : (long)n;
}

/* ---- msgctl ---- */

static long q_info(struct task *t, int cmd, gaddr_t buf)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	int mnb = (int)ipc_limit(ns, LIM_MSGMNB), mni = (int)ipc_limit(ns, LIM_MSGMNI);
	struct msginfo mi = { .msgpool = (int)((s64)mni * mnb / 1024), .msgmap = mnb, .msgmnb = mnb, .msgmni = mni,
			      .msgmax = (int)ipc_limit(ns, LIM_MSGMAX), .msgssz = 16, .msgtql = mnb, .msgseg = 0xffff };
	u32 used;
	int high, r;

	mutex_lock(ipc_lock(ns));
	high = ipc_highest_locked(ns, IPC_MSG, &used);
	if (cmd == MSG_INFO) {
		mi.msgpool = (int)used;
		mi.msgmap = mi.msgtql = 0;
		for (int i = 0; i <= high; i++) {
			struct ipc_obj *o = ipc_slot_locked(ns, IPC_MSG, (u32)i);

			if (!o)
				continue;
			mi.msgmap += (int)to_q(o)->qnum;
			mi.msgtql += (int)to_q(o)->cbytes;
		}
	}
	mutex_unlock(ipc_lock(ns));
	r = copy_out(t, buf, &mi, sizeof(mi));
	return r < 0 ? r : MAX(high, 0);
}

static long q_stat(struct task *t, int id, int cmd, gaddr_t buf)
{
	struct msqid_ds ds = { 0 };
	struct ipc_obj *o;
	struct ipc_ns *ns;
	struct msgq *q;
	int ret = ipc_stat_lock(t, IPC_MSG, id, cmd, &ns, &o), r;

	if (ret < 0)
		return ret;
	q = to_q(o);
	ipc_fill_perm(o, &ds.msg_perm);
	ds.msg_stime = q->stime;
	ds.msg_rtime = q->rtime;
	ds.msg_ctime = q->ctime;
	ds.__msg_cbytes = q->cbytes;
	ds.msg_qnum = q->qnum;
	ds.msg_qbytes = q->qbytes;
	ds.msg_lspid = q->lspid;
	ds.msg_lrpid = q->lrpid;
	ipc_put_unlock(ns, o);
	r = copy_out(t, buf, &ds, sizeof(ds));
	return r < 0 ? r : ret;
}

static long q_change(struct task *t, int id, int cmd, gaddr_t buf)
{
	struct msqid_ds ds = { 0 };
	bool resource = capable(t, CAP_SYS_RESOURCE);
	struct ipc_obj *o;
	struct ipc_ns *ns;
	int r = cmd == IPC_SET ? copy_in(t, &ds, buf, sizeof(ds)) : 0;

	if (r == 0)
		r = ipc_change_lock(t, IPC_MSG, id, &ns, &o);
	if (r < 0)
		return r;
	if (r == 0 && cmd == IPC_SET && ds.msg_qbytes > ipc_limit(ns, LIM_MSGMNB) && !resource)
		r = -EPERM;
	if (r == 0 && cmd == IPC_SET) {
		ipc_set_perm(o, &ds.msg_perm);
		to_q(o)->qbytes = MIN(ds.msg_qbytes, (u64)MSG_HARD);
		to_q(o)->ctime = ipc_seconds(t->kernel);
	} else if (r == 0) {
		ipc_remove_locked(ns, IPC_MSG, o);
	}
	mutex_unlock(ipc_lock(ns));
	if (r == 0)
		waitq_wake(&to_q(o)->wq, POLLIN | POLLOUT | POLLHUP);
	if (r == 0 && cmd == IPC_RMID)
		ipc_put(o);
	ipc_put(o);
	return r;
}

void msg_show(struct task *t, struct strbuf *out)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	u32 used;
	int high;

	strbuf_puts(out, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
			 "      stime      rtime      ctime\n");
	mutex_lock(ipc_lock(ns));
	high = ipc_highest_locked(ns, IPC_MSG, &used);
	for (int i = 0; i <= high; i++) {
		struct ipc_obj *o = ipc_slot_locked(ns, IPC_MSG, (u32)i);
		const struct msgq *q = o ? to_q(o) : NULL;

		if (q)
			strbuf_printf(out, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lld %10lld %10lld\n",
				      o->key, o->id, o->mode, (unsigned long)q->cbytes, (unsigned long)q->qnum,
				      (u32)q->lspid, (u32)q->lrpid, o->uid, o->gid, o->cuid, o->cgid,
				      (long long)q->stime, (long long)q->rtime, (long long)q->ctime);
	}
	mutex_unlock(ipc_lock(ns));
}

long msg_ctl(struct task *t, int id, int cmd, gaddr_t buf)
{
	switch (cmd) {
	case IPC_INFO:
	case MSG_INFO:
		return q_info(t, cmd, buf);
	case IPC_STAT:
	case MSG_STAT:
	case IPC_MSG_STAT_ANY:
		return q_stat(t, id, cmd, buf);
	case IPC_SET:
	case IPC_RMID:
		return q_change(t, id, cmd, buf);
	default:
		return -EINVAL;
	}
}
