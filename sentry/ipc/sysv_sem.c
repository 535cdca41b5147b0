/*
 * sysv_sem.c - System V semaphore sets (semget(2), semop(2), semctl(2)). See ipc.h.
 *
 * An operation list is tried whole under the lock and leaves no trace if it cannot
 * be done; the caller then sleeps on the set and tries again after every change.
 *
 * SEM_UNDO: one struct sem_undo per (process, set), in the namespace's list; a process
 * that ends adds its adjustments back.  (Linux keys them by CLONE_SYSVSEM, which all threads have.)
 */
#include <errno.h>
#include <poll.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"

#define SEM_HARD 65536u                 /* semaphores of a set, and operations of a call */
#define SEMVMX 32767

struct sem { s32 val; s32 pid; };

struct sem_set {
	struct ipc_obj o;
	struct waitq wq;
	struct list_head waiting;               /* sem_wait.node */
	s64 otime, ctime;
	u32 nsems;                              /* immutable */
	struct sem sem[];
};

struct sem_wait {                               /* a sleeper, for GETNCNT and GETZCNT */
	struct list_head node;
	u16 num;
	bool zero;
};

struct sem_undo {
	struct list_head node;                  /* ipc_undo_list */
	struct tgroup *tg;                      /* borrowed: ipc_exit() removes us */
	struct sem_set *set;                    /* a reference */
	s16 adj[];
};

static struct sem_set *to_set(struct ipc_obj *o) { return container_of(o, struct sem_set, o); }

static void set_free(struct ipc_obj *o) { kfree(to_set(o)); }

static int set_make(struct task *t, void *arg, struct ipc_obj **ret)
{
	int n = *(int *)arg;
	struct sem_set *s;

	if (n <= 0)
		return -EINVAL;
	s = kbuf_alloc(sizeof(*s) + (size_t)n * sizeof(s->sem[0]));
	if (!s)
		return -ENOMEM;
	s->o.free = set_free;
	waitq_init(&s->wq);
	list_init(&s->waiting);
	s->nsems = (u32)n;
	s->ctime = ipc_seconds(t->kernel);
	*ret = &s->o;
	return 0;
}

static int set_check(struct ipc_obj *o, void *arg)
{
	return (u32)*(int *)arg > to_set(o)->nsems ? -EINVAL : 0;
}

long sem_get(struct task *t, s32 key, int nsems, int flags)
{
	if (nsems < 0 || (u64)nsems > MIN(ipc_limit(task_ipc_ns(t), LIM_SEMMSL), (u64)SEM_HARD))
		return -EINVAL;
	return ipc_get(t, &(struct ipc_get){ IPC_SEM, key, flags, &nsems, set_make, set_check });
}

/* ---- undo ---- */

static struct sem_undo *undo_find(struct ipc_ns *ns, struct tgroup *tg, struct sem_set *s)
{
	struct sem_undo *u;

	list_for_each(u, ipc_undo_list(ns), node)
		if (u->tg == tg && u->set == s)
			return u;
	return NULL;
}

/* Make sure there is one. Lock held; dropped and taken again. */
static int undo_prepare(struct ipc_ns *ns, struct tgroup *tg, struct sem_set *s)
{
	struct sem_undo *u;

	if (undo_find(ns, tg, s))
		return 0;
	mutex_unlock(ipc_lock(ns));
	u = kbuf_alloc(sizeof(*u) + s->nsems * sizeof(u->adj[0]));
	mutex_lock(ipc_lock(ns));
	if (!u)
		return -ENOMEM;
	if (undo_find(ns, tg, s)) {
		kfree(u);
		return 0;
	}
	u->tg = tg;
	u->set = s;
	ref_get(&s->o.ref);
	list_add_tail(&u->node, ipc_undo_list(ns));
	return 0;
}

/* Take those of @s (or of @tg) out of the list, for undo_free(). */
static void undo_take(struct ipc_ns *ns, struct tgroup *tg, struct sem_set *s, struct list_head *to)
{
	struct sem_undo *u, *next;

	list_for_each_safe(u, next, ipc_undo_list(ns), node) {
		if (u->tg != tg && u->set != s)
			continue;
		list_del_init(&u->node);
		list_add_tail(&u->node, to);
	}
}

static void undo_free(struct list_head *from)
{
	while (!list_empty(from)) {
		struct sem_undo *u = list_first(from, struct sem_undo, node);

		list_del_init(&u->node);
		ipc_put(&u->set->o);
		kfree(u);
	}
}

void sem_forget_all(struct ipc_ns *ns)
{
	undo_free(ipc_undo_list(ns));
}

void ipc_exit(struct tgroup *tg, struct ipc_ns *ns)
{
	struct list_head mine;
	struct sem_undo *u;

	list_init(&mine);
	mutex_lock(ipc_lock(ns));
	undo_take(ns, tg, NULL, &mine);
	list_for_each(u, &mine, node) {
		struct sem_set *s = u->set;

		if (s->o.gone)
			continue;
		for (u32 i = 0; i < s->nsems; i++) {
			if (!u->adj[i])
				continue;
			s->sem[i].val = MIN(MAX(s->sem[i].val + u->adj[i], 0), SEMVMX);
			s->sem[i].pid = tg->tgid;
		}
		s->otime = ipc_seconds(tg->kernel);
	}
	mutex_unlock(ipc_lock(ns));
	list_for_each(u, &mine, node)
		waitq_wake(&u->set->wq, POLLIN);
	undo_free(&mine);
}

/* ---- semop ---- */

/* All of it or nothing. 0, -EAGAIN (*ret_blocker: which), -ERANGE. */
static int try_ops(struct sem_set *s, const struct sembuf *ops, size_t n, struct sem_undo *u, s32 pid,
		   size_t *ret_blocker)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n; i++) {
		s32 *val = &s->sem[ops[i].sem_num].val, op = ops[i].sem_op;
		s32 adj = u && (ops[i].sem_flg & SEM_UNDO) ? u->adj[ops[i].sem_num] - op : 0;

		if ((op == 0 && *val != 0) || *val + op < 0)
			r = -EAGAIN;
		else if (*val + op > SEMVMX || adj < -SEMVMX - 1 || adj > SEMVMX)
			r = -ERANGE;
		if (r < 0)
			break;
		*val += op;
		if (u && (ops[i].sem_flg & SEM_UNDO))
			u->adj[ops[i].sem_num] = (s16)adj;
	}
	if (r == 0) {
		for (i = 0; i < n; i++)
			s->sem[ops[i].sem_num].pid = pid;
		return 0;
	}
	*ret_blocker = i;
	while (i-- > 0) {
		s->sem[ops[i].sem_num].val -= ops[i].sem_op;
		if (u && (ops[i].sem_flg & SEM_UNDO))
			u->adj[ops[i].sem_num] = (s16)(u->adj[ops[i].sem_num] + ops[i].sem_op);
	}
	return r;
}

struct op_list { const struct sembuf *ops; size_t n; bool undo, alters; };

static int check_ops(struct task *t, struct sem_set *s, struct op_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->ops[i].sem_num >= s->nsems)
			return -EFBIG;
		l->undo |= (l->ops[i].sem_flg & SEM_UNDO) != 0;
		l->alters |= l->ops[i].sem_op != 0;
	}
	return ipc_permit(t, &s->o, l->alters ? 0222 : 0444);
}

/* Sleep until the set changes. Lock held on entry and return. */
static int sleep_on(struct task *t, struct ipc_ns *ns, struct sem_set *s, const struct sembuf *op,
		    ktime_t deadline)
{
	struct sem_wait w = { .num = op->sem_num, .zero = op->sem_op == 0 };
	struct task_waiter tw;
	int r;

	list_add_tail(&w.node, &s->waiting);
	task_waiter_init(&tw, t, POLLIN);
	waitq_add(&s->wq, &tw.w);               /* under the lock: a change after our try wakes us */
	mutex_unlock(ipc_lock(ns));
	r = task_sleep(t, deadline);
	waitq_del(&s->wq, &tw.w);
	mutex_lock(ipc_lock(ns));
	list_del_init(&w.node);
	if (s->o.gone)
		return -EIDRM;
	return r == -ETIMEDOUT ? -EAGAIN : r == -ERESTARTSYS ? -EINTR : r;
}

static long ops_locked(struct task *t, struct ipc_ns *ns, struct sem_set *s, struct op_list *l, ktime_t deadline)
{
	struct sem_undo *u = NULL;
	size_t blocker = 0;
	int r = check_ops(t, s, l);

	if (r == 0 && l->undo)
		r = undo_prepare(ns, t->tg, s);
	while (r == 0) {
		if (s->o.gone)
			return -EIDRM;
		u = l->undo ? undo_find(ns, t->tg, s) : NULL;
		r = try_ops(s, l->ops, l->n, u, t->tg->tgid, &blocker);
		if (r != -EAGAIN || (l->ops[blocker].sem_flg & IPC_NOWAIT))
			break;
		r = sleep_on(t, ns, s, &l->ops[blocker], deadline);
	}
	if (r == 0)
		s->otime = ipc_seconds(t->kernel);
	return r;
}

long sem_op(struct task *t, int id, gaddr_t sops, size_t n, ktime_t deadline)
{
	struct sembuf few[8];
	auto_kfree struct sembuf *many = NULL;
	struct op_list l = { .ops = few, .n = n };
	struct ipc_obj *o;
	struct ipc_ns *ns;
	long r;

	if (n < 1 || id < 0)
		return -EINVAL;
	if (n > MIN(ipc_limit(task_ipc_ns(t), LIM_SEMOPM), (u64)SEM_HARD))
		return -E2BIG;
	if (n > ARRAY_SIZE(few)) {
		many = kbuf_array(n, sizeof(*many));
		if (!many)
			return -ENOMEM;
		l.ops = many;
	}
	r = copy_in(t, many ? many : few, sops, n * sizeof(few[0]));
	if (r == 0)
		r = ipc_find_lock(t, IPC_SEM, id, &ns, &o);
	if (r < 0)
		return r;
	r = ops_locked(t, ns, to_set(o), &l, deadline);
	mutex_unlock(ipc_lock(ns));
	if (r == 0 && l.alters)
		waitq_wake(&to_set(o)->wq, POLLIN);
	ipc_put(o);
	return r;
}

/* ---- semctl ---- */

static long sem_info(struct task *t, int cmd, gaddr_t buf)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	int mns = (int)ipc_limit(ns, LIM_SEMMNS), opm = (int)ipc_limit(ns, LIM_SEMOPM);
	struct seminfo si = { .semmap = mns, .semmni = (int)ipc_limit(ns, LIM_SEMMNI), .semmns = mns, .semmnu = mns,
			      .semmsl = (int)ipc_limit(ns, LIM_SEMMSL), .semopm = opm, .semume = opm, .semusz = 20,
			      .semvmx = SEMVMX, .semaem = SEMVMX };
	u32 used;
	int high, r;

	mutex_lock(ipc_lock(ns));
	high = ipc_highest_locked(ns, IPC_SEM, &used);
	if (cmd == SEM_INFO) {
		si.semusz = (int)used;
		si.semaem = 0;
		for (int i = 0; i <= high; i++) {
			struct ipc_obj *o = ipc_slot_locked(ns, IPC_SEM, (u32)i);

			if (o)
				si.semaem += (int)to_set(o)->nsems;
		}
	}
	mutex_unlock(ipc_lock(ns));
	r = copy_out(t, buf, &si, sizeof(si));
	return r < 0 ? r : MAX(high, 0);
}

static long sem_stat(struct task *t, int id, int cmd, gaddr_t buf)
{
	struct semid_ds ds = { 0 };
	struct ipc_obj *o;
	struct ipc_ns *ns;
	int ret = ipc_stat_lock(t, IPC_SEM, id, cmd, &ns, &o), r;

	if (ret < 0)
		return ret;
	ipc_fill_perm(o, &ds.sem_perm);
	ds.sem_otime = to_set(o)->otime;
	ds.sem_ctime = to_set(o)->ctime;
	ds.sem_nsems = to_set(o)->nsems;
	ipc_put_unlock(ns, o);
	r = copy_out(t, buf, &ds, sizeof(ds));
	return r < 0 ? r : ret;
}

static long sem_change(struct task *t, int id, int cmd, gaddr_t buf)
{
	struct semid_ds ds = { 0 };
	struct list_head undo;
	struct ipc_obj *o;
	struct ipc_ns *ns;
	int r = cmd == IPC_SET ? copy_in(t, &ds, buf, sizeof(ds)) : 0;

	if (r == 0)
		r = ipc_change_lock(t, IPC_SEM, id, &ns, &o);
	if (r < 0)
		return r;
	list_init(&undo);
	if (r == 0 && cmd == IPC_SET) {
		ipc_set_perm(o, &ds.sem_perm);
		to_set(o)->ctime = ipc_seconds(t->kernel);
	} else if (r == 0) {
		ipc_remove_locked(ns, IPC_SEM, o);
		undo_take(ns, NULL, to_set(o), &undo);
	}
	mutex_unlock(ipc_lock(ns));
	if (r == 0 && cmd == IPC_RMID) {
		waitq_wake(&to_set(o)->wq, POLLIN);
		ipc_put(o);
	}
	undo_free(&undo);
	ipc_put(o);
	return r;
}

/* A new value forgets what processes meant to undo. */
static void forget_adj(struct ipc_ns *ns, struct sem_set *s, u32 num)
{
	struct sem_undo *u;

	list_for_each(u, ipc_undo_list(ns), node)
		if (u->set == s)
			u->adj[num] = 0;
}

static long count_waiting(struct sem_set *s, u32 num, bool zero)
{
	struct sem_wait *w;
	long n = 0;

	list_for_each(w, &s->waiting, node)
		n += w->num == num && w->zero == zero;
	return n;
}

static long sem_one(struct task *t, int id, int num, int cmd, gaddr_t arg)
{
	s32 val = (s32)arg.v;
	struct ipc_obj *o;
	struct ipc_ns *ns;
	struct sem_set *s;
	long r;

	if (cmd == SETVAL && (val < 0 || val > SEMVMX))
		return -ERANGE;
	r = ipc_find_lock(t, IPC_SEM, id, &ns, &o);
	if (r < 0)
		return r;
	s = to_set(o);
	r = num < 0 || (u32)num >= s->nsems ? -EINVAL : ipc_permit(t, o, cmd == SETVAL ? 0222 : 0444);
	if (r == 0) {
		switch (cmd) {
		case GETVAL: r = s->sem[num].val; break;
		case GETPID: r = s->sem[num].pid; break;
		case GETNCNT: r = count_waiting(s, (u32)num, false); break;
		case GETZCNT: r = count_waiting(s, (u32)num, true); break;
		default:
			s->sem[num].val = val;
			s->sem[num].pid = t->tg->tgid;
			s->ctime = ipc_seconds(t->kernel);
			forget_adj(ns, s, (u32)num);
			break;
		}
	}
	mutex_unlock(ipc_lock(ns));
	if (r == 0 && cmd == SETVAL)
		waitq_wake(&s->wq, POLLIN);
	ipc_put(o);
	return r > 0 && cmd == GETPID ? pid_nr(t, (int)r) : r;
}

static int set_all(struct task *t, struct ipc_ns *ns, struct sem_set *s, const u16 *vals)
{
	for (u32 i = 0; i < s->nsems; i++)
		if (vals[i] > SEMVMX)
			return -ERANGE;
	for (u32 i = 0; i < s->nsems; i++) {
		s->sem[i].val = vals[i];
		s->sem[i].pid = t->tg->tgid;
		forget_adj(ns, s, i);
	}
	s->ctime = ipc_seconds(t->kernel);
	return 0;
}

static long sem_all(struct task *t, int id, int cmd, gaddr_t arg)
{
	auto_kfree u16 *vals = NULL;
	struct ipc_obj *o;
	struct ipc_ns *ns;
	struct sem_set *s;
	int r = ipc_find_lock(t, IPC_SEM, id, &ns, &o);

	if (r < 0)
		return r;
	s = to_set(o);
	r = ipc_permit(t, o, cmd == SETALL ? 0222 : 0444);
	mutex_unlock(ipc_lock(ns));
	if (r == 0) {
		vals = kbuf_array(s->nsems, sizeof(*vals));
		r = vals ? 0 : -ENOMEM;
	}
	if (r == 0 && cmd == SETALL)
		r = copy_in(t, vals, arg, s->nsems * sizeof(*vals));
	if (r == 0) {
		mutex_lock(ipc_lock(ns));
		if (o->gone)
			r = -EIDRM;
		else if (cmd == SETALL)
			r = set_all(t, ns, s, vals);
		for (u32 i = 0; i < s->nsems && cmd == GETALL; i++)
			vals[i] = (u16)s->sem[i].val;
		mutex_unlock(ipc_lock(ns));
		waitq_wake(&s->wq, POLLIN);
	}
	if (r == 0 && cmd == GETALL)
		r = copy_out(t, arg, vals, s->nsems * sizeof(*vals));
	ipc_put(o);
	return r;
}

void sem_show(struct task *t, struct strbuf *out)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	u32 used;
	int high;

	strbuf_puts(out, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	mutex_lock(ipc_lock(ns));
	high = ipc_highest_locked(ns, IPC_SEM, &used);
	for (int i = 0; i <= high; i++) {
		struct ipc_obj *o = ipc_slot_locked(ns, IPC_SEM, (u32)i);
		const struct sem_set *s = o ? to_set(o) : NULL;

		if (s)
			strbuf_printf(out, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lld %10lld\n", o->key, o->id, o->mode,
				      s->nsems, o->uid, o->gid, o->cuid, o->cgid, (long long)s->otime,
				      (long long)s->ctime);
	}
	mutex_unlock(ipc_lock(ns));
}

long sem_ctl(struct task *t, int id, int num, int cmd, gaddr_t arg)
{
	switch (cmd) {
	case IPC_INFO:
	case SEM_INFO:
		return sem_info(t, cmd, arg);
	case IPC_STAT:
	case SEM_STAT:
	case IPC_SEM_STAT_ANY:
		return sem_stat(t, id, cmd, arg);
	case IPC_SET:
	case IPC_RMID:
		return sem_change(t, id, cmd, arg);
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
	case SETVAL:
		return sem_one(t, id, num, cmd, arg);
	case GETALL:
	case SETALL:
		return sem_all(t, id, cmd, arg);
	default:
		return -EINVAL;
	}
}
