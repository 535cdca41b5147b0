/*
 * task_clone.c - a new thread or process from a running task (clone(2)).
 *
 * Everything that can fail is made first: the platform's context and address
 * space, the shared or copied parts, the numbers.  Then the child appears in the
 * tables under kernel->mu in one step, and only then may its context run.
 *
 * A vfork child is a further context in the parent's address space; the parent
 * sleeps until it executes a program or exits.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>

#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/ipc/keys.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/clone.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/pidfd.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/sched.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/unshare.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/vfs.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#endif
#define CLONE_NEWTIME_FLAG 0x80ull

static int check_flags(struct task *t, const struct clone_req *q)
{
	u64 f = q->flags;

	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_FS) && (f & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if ((f & CLONE_THREAD) && (f & (CLONE_NEWUSER | CLONE_NEWPID)))
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & CLONE_DETACHED))
		return -EINVAL;
	if ((f & CLONE_PARENT) && t->tg->unkillable)
		return -EINVAL;
	if (f & CLONE_NEWTIME_FLAG)
		return -EINVAL;
	if ((f & CLONE_NEWIPC) && (f & CLONE_SYSVSEM))
		return f & CLONE_NEWUSER || self_capable(t, CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
	/* A process is in one pid namespace, its threads too. */
	if ((f & CLONE_THREAD) && task_pid_ns_for_children(t) != t->tg->pid_ns)
		return -EINVAL;
	return 0;
}

struct nproc_count { u32 uid; u64 n; };

static int count_thread(void *arg, struct tgroup *tg)
{
	struct nproc_count *c = arg;

	mutex_lock(&tg->mu);
	if (tg->leader && tg->leader->cred->uid == c->uid)
		c->n += tg->nthreads;
	mutex_unlock(&tg->mu);
	return 0;
}

/*
 * The sandbox's limit is checked again when the number is given; here, so that nothing is built in vain.
 * RLIMIT_NPROC counts the real user's threads; the sandbox's root is exempt.
 */
static int check_nproc(struct task *t)
{
	u64 limit = task_rlimit(t, RLIMIT_NPROC);
	struct nproc_count c = { .uid = t->cred->uid };
	u32 now, max;

	pid_count(t->kernel, &now, &max);
	if (max && now >= max)
		return -EAGAIN;
	if (limit >= PID_MAX || c.uid == 0 || capable(t, CAP_SYS_RESOURCE) || capable(t, CAP_SYS_ADMIN))
		return 0;
	tgroup_for_each(t->kernel, count_thread, &c);
	return c.n >= limit ? -EAGAIN : 0;
}

static int share_parts(struct task *t, struct task *n, u64 flags)
{
	struct ns_parts p;
	int r;

	n->files = (flags & CLONE_FILES) ? fdtable_ref(t->files) : fdtable_copy(t->files);
	if (!n->files)
		return -ENOMEM;
	n->fs = (flags & CLONE_FS) ? fs_ref(t->fs) : fs_copy(t->fs);
	if (!n->fs)
		return -ENOMEM;
	r = ns_parts_make(t, flags, n->fs, &p);
	if (r < 0)
		return r;
	n->cred = p.cred ? p.cred : cred_ref(t->cred);
	keys_inherit(t, n, flags & CLONE_THREAD);
	n->nsset = p.set ? p.set : nsset_ref(t->nsset);
	n->mnt_ns = p.mnt ? p.mnt : mnt_ns_ref(t->mnt_ns);
	return 0;
}

static void inherit(struct task *t, struct task *n, const struct clone_req *q)
{
	u64 f = q->flags;

	memcpy(n->comm, t->comm, sizeof(n->comm));
	n->blocked = signal_mask(t);
	n->altstack = t->altstack;
	if ((f & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
		n->altstack = (struct lx_sigaltstack){ .flags = SS_DISABLE };
	n->timer_slack = n->timer_slack_def = atomic_load(&t->timer_slack);
	seccomp_inherit(n, t);
	n->personality = t->personality;
	n->mempolicy = t->mempolicy;
	n->nice = t->nice;
	n->ioprio = t->ioprio;
	if (!t->sched_reset_on_fork) {
		n->sched_policy = t->sched_policy;
		n->sched_prio = t->sched_prio;
	}
	n->cpu_mask[0] = t->cpu_mask[0];
	n->cpu_mask[1] = t->cpu_mask[1];
	if (f & CLONE_CHILD_SETTID)
		n->set_child_tid = q->child_tid;
	if (f & CLONE_CHILD_CLEARTID)
		n->clear_child_tid = q->child_tid;
}

static struct sighand *inherit_handlers(struct task *t, u64 flags)
{
	struct sighand *from, *sh;

	if (flags & CLONE_SIGHAND) {
		ref_get(&t->tg->sighand->ref);
		return t->tg->sighand;
	}
	sh = sighand_new();
	if (!sh)
		return NULL;
	mutex_lock(&t->tg->mu);
	from = t->tg->sighand;
	memcpy(sh->act, from->act, sizeof(sh->act));
	mutex_unlock(&t->tg->mu);
	for (int i = 0; (flags & CLONE_CLEAR_SIGHAND) && i < NSIG_GUEST; i++)
		if (sh->act[i].handler != (u64)(uintptr_t)SIG_IGN)
			sh->act[i] = (struct lx_sigaction){ 0 };
	return sh;
}

static struct tgroup *new_process(struct task *t, const struct clone_req *q)
{
	struct tgroup *tg = tgroup_new(t->kernel), *from = t->tg;

	if (!tg)
		return NULL;
	tg->sighand = inherit_handlers(t, q->flags);
	if (!tg->sighand) {
		tgroup_unref(tg);
		return NULL;
	}
	mutex_lock(&from->mu);
	memcpy(tg->rlim, from->rlim, sizeof(tg->rlim));
	tg->dumpable = from->dumpable;
	tg->container = from->container;
	tg->oom_score_adj = from->oom_score_adj;
	mutex_unlock(&from->mu);
	tg->exit_signal = (q->flags & CLONE_PARENT) ? from->exit_signal : q->exit_signal;
	return tg;
}

/* The platform's side: context, address space, registers. */
static int make_context(struct task *t, struct task *n, const struct clone_req *q)
{
	struct user_regs regs;
	struct aspace *as;
	struct ctx *c;
	int r;

	if (q->flags & CLONE_VM) {
		r = ctx_clone(t->ctx, &c);
		if (r < 0)
			return r;
		n->mm = mm_ref(t->mm);
	} else {
		r = aspace_fork(t->ctx, &as, &c);
		if (r < 0)
			return r;
		r = mm_fork(t, as, c, &n->mm);
		if (r < 0)
			goto fail;
	}
	if (q->stack_top.v != 0 || (q->flags & CLONE_SETTLS)) {
		r = ctx_get_regs(c, &regs);
		if (r < 0)
			goto fail;
		if (q->stack_top.v != 0)
			regs.sp = q->stack_top.v;
		if (q->flags & CLONE_SETTLS)
			regs.fs_base = q->tls.v;
		r = ctx_set_regs(c, &regs);
		if (r < 0)
			goto fail;
	}
	n->ctx = c;
	ctx_set_owner(c, n);
	return 0;
fail:
	ctx_free(c);
	return r;
}

static int make_vfork(struct task *t, struct task *n)
{
	struct vfork_done *vd = knew(struct vfork_done);

	if (!vd)
		return -ENOMEM;
	ref_init(&vd->ref);
	ref_get(&vd->ref);              /* one for each side */
	vd->parent = task_ref(t);
	n->vfork_done = vd;
	return 0;
}

/* What may refuse one more: its control group, and the numbers. */
static int count_and_number_locked(struct task *n, struct tgroup *parent, struct pid_ns *ns, const struct clone_req *q)
{
	int pid = cgroup_add_task(n->tg, parent, q->cgroup);

	if (pid < 0)
		return pid;
	pid = pid_alloc_locked(n->kernel, ns, q->want_tid, q->nwant);
	if (pid < 0)
		cgroup_drop_task(n->tg);
	return pid;
}

/* Link the finished child into the tables; nothing fails after this. */
static int publish(struct task *t, struct task *n, const struct clone_req *q)
{
	struct kernel *k = t->kernel;
	struct tgroup *tg = n->tg, *parent = t->tg;
	bool thread = tg == parent;
	struct pid_ns *ns;
	int pid;

	mutex_lock(&k->mu);
	mutex_lock(&parent->mu);
	if (parent->group_exit || task_killed(t) || (thread && parent->execing)) {
		pid = -EINTR;
		goto out;
	}
	ns = thread ? tg->pid_ns : task_pid_ns_for_children(n);
	pid = count_and_number_locked(n, parent, ns, q);
	if (pid < 0)
		goto out;
	n->tid = pid;
	atomic_fetch_add(&k->nforks, 1);
	seccomp_follow_locked(n, t);
	pid_set_task_locked(k, pid, task_ref(n));
	if (thread) {
		tgroup_add_thread_locked(tg, n);
		if (tg->stop_signal) {
			n->stop_pending = true;
			atomic_store(&n->attention, true);
		}
	}
	if ((tg->pending.set & ~n->blocked) != 0)
		atomic_store(&n->attention, true);
	if (thread && t->mask_lent)
		own_mask_lend_locked(n);
	mutex_unlock(&parent->mu);
	if (!thread) {
		tg->tgid = pid;
		tg->pid_ns = pid_ns_of(ns_ref(&ns->ns));
		pid_set_tgroup_locked(k, pid, tgroup_ref(tg));
		if (ns->level > 0 && pid_nr_in_locked(ns, pid) == 1) {
			ns->init = tg;
			tg->unkillable = true;
		}
		mutex_lock(&tg->mu);
		tgroup_add_thread_locked(tg, n);
		tgroup_cpu_new_image_locked(tg, NULL, n->mm->as);
		cpulimit_set_locked(tg);
		mutex_unlock(&tg->mu);
		tgroup_join_locked(tg, parent->pgid, parent->session);
		tg->parent = (q->flags & CLONE_PARENT) ? parent->parent : parent;
		if (tg->parent)
			list_add_tail(&tg->sibling, &tg->parent->children);
	}
	mutex_unlock(&k->mu);
	if (q->cgroup)
		cgroup_tell(q->cgroup);
	return pid;
out:
	mutex_unlock(&parent->mu);
	mutex_unlock(&k->mu);
	return pid;
}

/* A child that never ran. */
static void discard(struct task *n)
{
	struct ctx *c = n->ctx;

	if (n->vfork_done) {
		vfork_done_unref(n->vfork_done);
		vfork_done_unref(n->vfork_done);
	}
	task_drop_shared(n);
	if (c) {
		ctx_set_owner(c, NULL);
		ctx_free(c);
	}
	seccomp_unref(n->seccomp);
	task_unref(n);
}

static int build(struct task *t, const struct clone_req *q, struct task **ret)
{
	struct tgroup *tg = (q->flags & CLONE_THREAD) ? tgroup_ref(t->tg) : new_process(t, q);
	struct task *n;
	int r;

	if (!tg)
		return -ENOMEM;
	n = task_new(t->kernel, tg);
	tgroup_unref(tg);               /* the task has its own */
	if (!n)
		return -ENOMEM;
	inherit(t, n, q);
	r = share_parts(t, n, q->flags);
	if (r == 0 && (q->flags & CLONE_VFORK))
		r = make_vfork(t, n);
	if (r == 0)
		r = make_context(t, n, q);
	if (r < 0) {
		discard(n);
		return r;
	}
	*ret = n;
	return 0;
}

static void wait_vfork(struct task *t, struct vfork_done *vd)
{
	cgroup_enter_frozen(t);
	while (!atomic_load(&vd->done))
		if (task_sleep_killable(t, KTIME_MAX) < 0)
			break;
	cgroup_leave_frozen(t);
	vfork_done_unref(vd);
}

/* The number is told through pidfd only if the child exists; a bad address loses only the fd. */
static int publish_pidfd(struct task *t, struct task *n, const struct clone_req *q, int fd)
{
	struct file *f;
	int r = pidfd_file(t, n->tg, 0, &f);

	if (r < 0) {
		fd_unreserve(t, fd);
		return r;
	}
	fd_publish(t, fd, f);
	file_unref(f);
	return copy_out(t, q->pidfd, &fd, sizeof(fd));
}

long task_clone(struct task *t, const struct clone_req *q)
{
	struct vfork_done *vd;
	struct task *n;
	int r, fd = -1, pid, nr, event;

	r = check_flags(t, q);
	if (r == 0)
		r = check_nproc(t);
	if (r == 0 && t->sched_policy == SCHED_DEADLINE_POLICY && !t->sched_reset_on_fork)
		r = -EAGAIN;
	if (r < 0)
		return r;
	if (q->flags & CLONE_PIDFD) {
		fd = fd_reserve(t, 0, true);
		if (fd < 0)
			return fd;
		r = copy_out(t, q->pidfd, &fd, sizeof(fd));
		if (r < 0)
			goto unreserve;
	}
	r = build(t, q, &n);
	if (r < 0)
		goto unreserve;
	vd = n->vfork_done;
	r = pid = publish(t, n, q);
	if (r < 0) {
		discard(n);
		goto unreserve;
	}
	if (fd >= 0)
		(void)!publish_pidfd(t, n, q, fd);
	nr = pid_nr(t, pid);
	if (q->flags & CLONE_PARENT_SETTID)
		(void)!copy_out(t, q->parent_tid, &nr, sizeof(nr));
	event = t->pt ? ptrace_clone(t, n, q->flags, q->exit_signal) : 0;
	/* The context keeps the creation reference. */
	ctx_start(n->ctx);
	if (event)
		ptrace_event(t, event, (u64)nr);
	if (vd) {
		wait_vfork(t, vd);
		if (t->pt)
			ptrace_event(t, PTRACE_EVENT_VFORK_DONE, (u64)nr);
	}
	return nr;
unreserve:
	if (fd >= 0)
		fd_unreserve(t, fd);
	return r;
}
