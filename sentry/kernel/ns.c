/*
 * ns.c - namespaces: counting, sets, unshare and setns; see ns.h.
 */
#include "sentry/kernel/ns.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>

#include "platform/base/alloc.h"
#include "sentry/ipc/ipc.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/socket/net.h"
#include "sentry/vfs/vfs.h"

/* Those that a kernel starts with have Linux's numbers. */
static const struct { const char *name; u64 flag; u64 first_ino; } kinds[NS_KINDS] = {
	[NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP, 4026531835 },
	[NS_IPC] = { "ipc", CLONE_NEWIPC, 4026531839 },
	[NS_MNT] = { "mnt", CLONE_NEWNS, 4026531841 },
	[NS_NET] = { "net", CLONE_NEWNET, 4026531840 },
	[NS_PID] = { "pid", CLONE_NEWPID, 4026531836 },
	[NS_TIME] = { "time", 0x80, 4026531834 },
	[NS_USER] = { "user", CLONE_NEWUSER, 4026531837 },
	[NS_UTS] = { "uts", CLONE_NEWUTS, 4026531838 },
};
#define INO_BASE 4026532000ull          /* of later ones */

int ns_init(struct ns *ns, struct kernel *k, enum ns_kind kind, struct user_ns *owner,
	    void (*release)(struct ns *))
{
	u32 max = atomic_load(&k->ns_max[kind]);
	u32 had = atomic_fetch_add(&k->nns[kind], 1);

	if (had >= max) {
		atomic_fetch_sub(&k->nns[kind], 1);
		return -ENOSPC;
	}
	ref_init(&ns->ref);
	ns->kind = kind;
	ns->kernel = k;
	ns->owner = owner ? user_ns_ref(owner) : NULL;
	ns->release = release;
	ns->ino = atomic_fetch_or(&k->ns_kinds_made, 1u << kind) & (1u << kind) ?
		INO_BASE + atomic_fetch_add(&k->next_ns, 1) : kinds[kind].first_ino;
	return 0;
}

void ns_done(struct ns *ns)
{
	atomic_fetch_sub(&ns->kernel->nns[ns->kind], 1);
	user_ns_unref(ns->owner);
}

const char *ns_name(enum ns_kind kind) { return kinds[kind].name; }
u64 ns_flag(enum ns_kind kind) { return kinds[kind].flag; }

/* ---- the one without content: time ---- */

static void plain_release(struct ns *ns)
{
	ns_done(ns);
	kfree(ns);
}

static int plain_new(struct kernel *k, enum ns_kind kind, struct user_ns *owner, struct ns **ret)
{
	struct ns *ns = knew(struct ns);
	int r;

	if (!ns)
		return -ENOMEM;
	r = ns_init(ns, k, kind, owner, plain_release);
	if (r < 0)
		kfree(ns);
	else
		*ret = ns;
	return r;
}

/* ---- sets ---- */

struct nsset *nsset_new(void)
{
	struct nsset *s = knew(struct nsset);

	if (s)
		ref_init(&s->ref);
	return s;
}

struct nsset *nsset_ref(struct nsset *s)
{
	ref_get(&s->ref);
	return s;
}

void nsset_unref(struct nsset *s)
{
	if (!s || !ref_put(&s->ref))
		return;
	for (int i = 0; i < NS_KINDS; i++)
		ns_unref(s->of[i]);
	kfree(s);
}

int nsset_first(struct kernel *k, struct nsset **ret)
{
	struct nsset *s = nsset_new();
	int r;

	if (!s)
		return -ENOMEM;
	r = uts_first(k, &s->of[NS_UTS]);
	if (r == 0)
		r = pid_ns_first(k, &s->of[NS_PID]);
	if (r == 0)
		r = ipc_ns_new(k, k->user_ns, &s->of[NS_IPC]);
	if (r == 0)
		r = cgroup_ns_new(k, k->cgroups.root, k->user_ns, &s->of[NS_CGROUP]);
	if (r == 0)
		r = plain_new(k, NS_TIME, k->user_ns, &s->of[NS_TIME]);
	if (r < 0)
		nsset_unref(s);
	else
		*ret = s;
	return r;
}

/* Its root is where the caller is. */
static int cgroup_ns_here(struct task *t, struct user_ns *owner, struct ns **ret)
{
	auto_cgroup *here = tgroup_cgroup(t->tg);

	return cgroup_ns_new(t->kernel, here, owner, ret);
}

static int make_one(struct task *t, enum ns_kind kind, struct user_ns *owner, struct ns **ret)
{
	struct kernel *k = t->kernel;

	switch (kind) {
	case NS_UTS:
		return uts_copy(k, task_uts(t), owner, ret);
	case NS_IPC:
		return ipc_ns_new(k, owner, ret);
	case NS_NET:
		return net_ns_new(k, owner, ret);
	case NS_PID:
		return pid_ns_new(t, owner, ret);
	case NS_CGROUP:
		return cgroup_ns_here(t, owner, ret);
	default:
		return plain_new(k, kind, owner, ret);
	}
}

int nsset_copy(struct task *t, u64 flags, const struct cred *cred, struct nsset **ret)
{
	struct nsset *s = nsset_new();
	int r = 0;

	if (!s)
		return -ENOMEM;
	for (int i = 0; i < NS_KINDS && r == 0; i++) {
		struct ns *old = t->nsset->of[i];

		if ((flags & kinds[i].flag) && i != NS_MNT && i != NS_USER)
			r = make_one(t, (enum ns_kind)i, cred->user_ns, &s->of[i]);
		else if (old)
			s->of[i] = ns_ref(old);
	}
	if (r < 0)
		nsset_unref(s);
	else
		*ret = s;
	return r;
}

struct ns *task_ns_get(struct task *t, enum ns_kind kind)
{
	struct ns *ns = NULL;

	if (kind == NS_USER) {
		const struct cred *c = task_cred_get(t);

		ns = ns_ref(&c->user_ns->ns);
		cred_unref(c);
		return ns;
	}
	mutex_lock(&t->mu);
	if (kind == NS_MNT)
		ns = t->mnt_ns ? ns_ref(mnt_ns_common(t->mnt_ns)) : NULL;
	else if (t->nsset && t->nsset->of[kind])
		ns = ns_ref(t->nsset->of[kind]);
	mutex_unlock(&t->mu);
	return ns;
}

/* ---- setns ---- */

struct joining {
	struct nsset *set;              /* to be published; NULL: unchanged */
	struct cred *cred;
	struct mnt_ns *mnt;             /* a reference */
	struct fs *fs;
};

static struct cred *cred_of(struct task *t, struct joining *j)
{
	if (!j->cred)
		j->cred = cred_dup(task_cred(t));
	return j->cred;
}

/* May capabilities as they will be (@j->cred) hold over @ns? */
static bool may_join(struct task *t, struct joining *j, const struct ns *ns)
{
	const struct cred *c = j->cred ? j->cred : task_cred(t);

	return cred_ns_capable(c, ns->owner, CAP_SYS_ADMIN) && cred_ns_capable(c, c->user_ns, CAP_SYS_ADMIN);
}

static int join_user(struct task *t, struct joining *j, struct ns *ns)
{
	struct user_ns *u = container_of(ns, struct user_ns, ns);

	if (u == task_user_ns(t) || !tgroup_is_single(t->tg) || atomic_load(&t->fs->ref.n) > 1)
		return -EINVAL;
	if (!ns_capable(t, u, CAP_SYS_ADMIN))
		return -EPERM;
	if (!cred_of(t, j))
		return -ENOMEM;
	cred_enter_user_ns(j->cred, u);
	return 0;
}

static int join_mnt(struct task *t, struct joining *j, struct ns *ns)
{
	struct path root;

	if (atomic_load(&t->fs->ref.n) > 1)
		return -EINVAL;
	if (!may_join(t, j, ns) || !self_capable(t, CAP_SYS_CHROOT))
		return -EPERM;
	j->mnt = mnt_ns_ref(mnt_ns_of(ns));
	root = mnt_ns_root(j->mnt);
	j->fs = fs_new(&root, &root, fs_umask(t->fs));
	path_put(&root);
	return j->fs ? 0 : -ENOMEM;
}

static int join_other(struct task *t, struct joining *j, struct ns *ns)
{
	if (!may_join(t, j, ns))
		return -EPERM;
	if (ns->kind == NS_PID && !pid_ns_within(ns, t->tg))
		return -EINVAL;
	if (ns->kind == NS_TIME && !tgroup_is_single(t->tg))
		return -EINVAL;
	if (!j->set && nsset_copy(t, 0, task_cred(t), &j->set) < 0)
		return -ENOMEM;
	ns_unref(j->set->of[ns->kind]);
	j->set->of[ns->kind] = ns_ref(ns);
	return 0;
}

static void publish(struct task *t, struct joining *j)
{
	struct nsset *old_set = t->nsset;
	struct mnt_ns *old_mnt = t->mnt_ns;
	struct fs *old_fs = t->fs;

	mutex_lock(&t->mu);
	if (j->set)
		t->nsset = j->set;
	if (j->mnt) {
		t->mnt_ns = j->mnt;
		t->fs = j->fs;
	}
	mutex_unlock(&t->mu);
	if (j->set)
		nsset_unref(old_set);
	if (j->mnt) {
		mnt_ns_unref(old_mnt);
		fs_unref(old_fs);
	}
	if (j->cred)
		task_set_cred(t, j->cred);
}

int task_setns(struct task *t, struct ns *const *list, int n)
{
	struct joining j = { 0 };
	int r = 0;

	/* The user namespace first: its capabilities decide about the others. */
	for (int i = 0; i < n && r == 0; i++)
		if (list[i]->kind == NS_USER)
			r = join_user(t, &j, list[i]);
	for (int i = 0; i < n && r == 0; i++)
		if (list[i]->kind == NS_MNT)
			r = join_mnt(t, &j, list[i]);
		else if (list[i]->kind != NS_USER)
			r = join_other(t, &j, list[i]);
	if (r == 0) {
		publish(t, &j);
		return 0;
	}
	nsset_unref(j.set);
	cred_unref(j.cred);
	mnt_ns_unref(j.mnt);
	if (j.fs)
		fs_unref(j.fs);
	return r;
}
