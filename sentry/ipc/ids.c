/*
 * ids.c - keys, identifiers and permissions of System V objects. See ipc.h.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/task.h"

struct ipc_ns {
	struct ns ns;
	struct mutex mu;                        /* RANK_FILE */
	struct ipc_ids ids[IPC_KINDS] GUARDED_BY(mu);
	struct list_head undo GUARDED_BY(mu);
	struct mqfs *mqfs GUARDED_BY(mu);       /* its root is a reference of ours; NULL until used */
	_Atomic u64 limit[IPC_LIMITS];
};

/* Objects that attachments and open queues still hold live on, out of reach. */
static void release(struct ns *ns)
{
	struct ipc_ns *i = container_of(ns, struct ipc_ns, ns);

	mq_forget_all(i);
	sem_forget_all(i);
	for (int kind = 0; kind < IPC_KINDS; kind++) {
		struct ipc_ids *ids = &i->ids[kind];

		for (u32 s = 0; s < ids->n; s++)
			ipc_put(ids->slot[s]);
		kfree(ids->slot);
	}
	ns_done(ns);
	kfree(i);
}

int ipc_ns_new(struct kernel *k, struct user_ns *owner, struct ns **ret)
{
	struct ipc_ns *i = knew(struct ipc_ns);
	int r;

	if (!i)
		return -ENOMEM;
	r = ns_init(&i->ns, k, NS_IPC, owner, release);
	if (r < 0) {
		kfree(i);
		return r;
	}
	mutex_init(&i->mu, RANK_FILE);
	list_init(&i->undo);
	ipc_limits_init(i);
	*ret = &i->ns;
	return 0;
}

struct ipc_ns *task_ipc_ns(struct task *t)
{
	return ipc_ns_of(t->nsset->of[NS_IPC]);
}

struct ipc_ns *ipc_ns_of(struct ns *ns) { return container_of(ns, struct ipc_ns, ns); }

void ipc_ns_hold(struct ipc_ns *ns) { ns_ref(&ns->ns); }
void ipc_ns_drop(struct ipc_ns *ns) { ns_unref(&ns->ns); }
struct mutex *ipc_lock(struct ipc_ns *ns) { return &ns->mu; }
struct user_ns *ipc_owner(struct ipc_ns *ns) { return ns->ns.owner; }
_Atomic u64 *ipc_limits(struct ipc_ns *ns) { return ns->limit; }
struct list_head *ipc_undo_list(struct ipc_ns *ns) { return &ns->undo; }
struct mqfs **ipc_mqfs(struct ipc_ns *ns) { return &ns->mqfs; }

void ipc_put(struct ipc_obj *o)
{
	if (o && ref_put(&o->ref))
		o->free(o);
}

void ipc_put_unlock(struct ipc_ns *ns, struct ipc_obj *o)
{
	mutex_unlock(&ns->mu);
	ipc_put(o);
}

/* ---- permissions ---- */

int ipc_permit(struct task *t, const struct ipc_obj *o, u32 want)
{
	const struct cred *c = task_cred(t);
	u32 mode = o->mode, need = (want >> 6 | want >> 3 | want) & 7;

	if (c->euid == o->uid || c->euid == o->cuid)
		mode >>= 6;
	else if (cred_in_group(c, o->gid) || cred_in_group(c, o->cgid))
		mode >>= 3;
	return need & ~mode && !ns_capable(t, task_ipc_ns(t)->ns.owner, CAP_IPC_OWNER) ? -EACCES : 0;
}

static int ipc_may_change(struct task *t, const struct ipc_obj *o)
{
	const struct cred *c = task_cred(t);

	return c->euid == o->uid || c->euid == o->cuid || ns_capable(t, task_ipc_ns(t)->ns.owner, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

void ipc_fill_perm(const struct ipc_obj *o, struct ipc_perm *ret)
{
	*ret = (struct ipc_perm){
		.__key = o->key, .uid = o->uid, .gid = o->gid, .cuid = o->cuid, .cgid = o->cgid,
		.mode = (unsigned short)o->mode, .__seq = (unsigned short)((u32)o->id / IPC_SLOTS_MAX),
	};
}

void ipc_set_perm(struct ipc_obj *o, const struct ipc_perm *p)
{
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = (o->mode & ~0777u) | (p->mode & 0777);
}

/* ---- the table ---- */

static struct ipc_obj *find_key(struct ipc_ids *ids, s32 key)
{
	for (u32 i = 0; i < ids->n; i++)
		if (ids->slot[i] && ids->slot[i]->key == key)
			return ids->slot[i];
	return NULL;
}

static int grow(struct ipc_ids *ids, u32 need)
{
	struct ipc_obj **more;
	u32 n = MIN(MAX(ids->n * 2, MAX(need, 16u)), IPC_SLOTS_MAX);

	if (need > IPC_SLOTS_MAX)
		return -ENOSPC;
	more = kbuf_realloc(ids->slot, n * sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(more + ids->n, 0, (n - ids->n) * sizeof(*more));
	ids->slot = more;
	ids->n = n;
	return 0;
}

/* In the first free slot; or with the id that was asked for, or what is free above it. */
static int insert(struct ipc_ns *ns, enum ipc_kind kind, struct ipc_obj *o)
{
	static const enum ipc_limit max[IPC_KINDS] = { LIM_SHMMNI, LIM_SEMMNI, LIM_MSGMNI };
	static const enum ipc_limit next[IPC_KINDS] = { LIM_SHM_NEXT, LIM_SEM_NEXT, LIM_MSG_NEXT };
	struct ipc_ids *ids = &ns->ids[kind];
	u64 want = ipc_limit(ns, next[kind]);
	u32 i = want == UINT64_MAX ? 0 : (u32)want % IPC_SLOTS_MAX;
	int r;

	if (ids->used >= ipc_limit(ns, max[kind]))
		return -ENOSPC;
	while (i < ids->n && ids->slot[i])
		i++;
	if (i >= ids->n) {
		r = grow(ids, i + 1);
		if (r < 0)
			return r;
	}
	if (want == UINT64_MAX) {
		o->id = (int)(i + IPC_SLOTS_MAX * ids->seq);
		ids->seq = (ids->seq + 1) % IPC_SEQ_MAX;
	} else {
		o->id = (int)(i + ((u32)want - (u32)want % IPC_SLOTS_MAX));
		ns->limit[next[kind]] = UINT64_MAX;
	}
	ids->slot[i] = o;
	ids->used++;
	return o->id;
}

static int get_existing(struct task *t, const struct ipc_get *g, struct ipc_obj *o)
{
	int r;

	if ((g->flags & IPC_CREAT) && (g->flags & IPC_EXCL))
		return -EEXIST;
	r = ipc_permit(t, o, (u32)g->flags & 0666);
	if (r == 0)
		r = g->check(o, g->arg);
	return r < 0 ? r : o->id;
}

int ipc_get(struct task *t, const struct ipc_get *g)
{
	const struct cred *c = task_cred(t);
	struct ipc_obj *o = NULL, *old = NULL;
	struct ipc_ns *ns = task_ipc_ns(t);
	int r;

	if (g->key != IPC_PRIVATE) {
		mutex_lock(&ns->mu);
		old = find_key(&ns->ids[g->kind], g->key);
		r = old ? get_existing(t, g, old) : -ENOENT;
		mutex_unlock(&ns->mu);
		if (old || !(g->flags & IPC_CREAT))
			return r;
	}
	r = g->make(t, g->arg, &o);
	if (r < 0)
		return r;
	ref_init(&o->ref);
	o->key = g->key;
	o->uid = o->cuid = c->euid;
	o->gid = o->cgid = c->egid;
	o->mode = (u32)g->flags & 0777;
	mutex_lock(&ns->mu);
	/* Somebody may have been faster with the same key. */
	old = g->key != IPC_PRIVATE ? find_key(&ns->ids[g->kind], g->key) : NULL;
	r = old ? get_existing(t, g, old) : insert(ns, g->kind, o);
	mutex_unlock(&ns->mu);
	if (old || r < 0)
		ipc_put(o);
	return r;
}

int ipc_find_lock(struct task *t, enum ipc_kind kind, int id, struct ipc_ns **ret_ns, struct ipc_obj **ret)
{
	struct ipc_ids *ids;
	struct ipc_obj *o;
	struct ipc_ns *ns = task_ipc_ns(t);
	u32 slot = (u32)id % IPC_SLOTS_MAX;

	if (id < 0)
		return -EINVAL;
	mutex_lock(&ns->mu);
	ids = &ns->ids[kind];
	o = slot < ids->n ? ids->slot[slot] : NULL;
	if (!o || o->id != id) {
		mutex_unlock(&ns->mu);
		return o ? -EIDRM : -EINVAL;
	}
	ref_get(&o->ref);
	*ret_ns = ns;
	*ret = o;
	return 0;
}

/* By slot number. */
static int ipc_nth_lock(struct task *t, enum ipc_kind kind, int slot, struct ipc_ns **ret_ns, struct ipc_obj **ret)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	struct ipc_obj *o;

	mutex_lock(&ns->mu);
	o = slot < 0 ? NULL : ipc_slot_locked(ns, kind, (u32)slot % IPC_SLOTS_MAX);
	if (!o) {
		mutex_unlock(&ns->mu);
		return -EINVAL;
	}
	ref_get(&o->ref);
	*ret_ns = ns;
	*ret = o;
	return 0;
}

int ipc_stat_lock(struct task *t, enum ipc_kind kind, int id, int cmd, struct ipc_ns **ret_ns, struct ipc_obj **ret)
{
	static const int any[IPC_KINDS] = {
		[IPC_MSG] = IPC_MSG_STAT_ANY, [IPC_SHM] = IPC_SHM_STAT_ANY, [IPC_SEM] = IPC_SEM_STAT_ANY,
	};
	int r = cmd == IPC_STAT ? ipc_find_lock(t, kind, id, ret_ns, ret) : ipc_nth_lock(t, kind, id, ret_ns, ret);

	if (r < 0)
		return r;
	r = cmd == any[kind] ? 0 : ipc_permit(t, *ret, 0444);
	if (r < 0) {
		ipc_put_unlock(*ret_ns, *ret);
		return r;
	}
	return cmd == IPC_STAT ? 0 : (*ret)->id;
}

int ipc_change_lock(struct task *t, enum ipc_kind kind, int id, struct ipc_ns **ret_ns, struct ipc_obj **ret)
{
	int r = ipc_find_lock(t, kind, id, ret_ns, ret);

	if (r < 0)
		return r;
	r = ipc_may_change(t, *ret);
	if (r < 0)
		ipc_put_unlock(*ret_ns, *ret);
	return r;
}

s64 ipc_seconds(struct kernel *k)
{
	return ktime_real(k) / NSEC_PER_SEC;
}

void ipc_remove_locked(struct ipc_ns *ns, enum ipc_kind kind, struct ipc_obj *o)
{
	struct ipc_ids *ids = &ns->ids[kind];

	ids->slot[(u32)o->id % IPC_SLOTS_MAX] = NULL;
	ids->used--;
	o->gone = true;
	o->key = IPC_PRIVATE;
}

struct ipc_obj *ipc_slot_locked(struct ipc_ns *ns, enum ipc_kind kind, u32 slot)
{
	return slot < ns->ids[kind].n ? ns->ids[kind].slot[slot] : NULL;
}

int ipc_highest_locked(struct ipc_ns *ns, enum ipc_kind kind, u32 *ret_used)
{
	int high = (int)ns->ids[kind].n - 1;

	while (high >= 0 && !ns->ids[kind].slot[high])
		high--;
	*ret_used = ns->ids[kind].used;
	return high;
}
