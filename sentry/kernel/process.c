/*
 * process.c - a process from nothing: the first one, and those of `exec` (see process_args).
 *
 * The task is made whole before it is in any table; a failure leaves nothing.
 */
#include <errno.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/sched.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/loader/loader.h"
#include "sentry/vfs/vfs.h"

static struct task *make_task(struct kernel *k, struct process_args *a)
{
	struct tgroup *tg = tgroup_new(k);
	struct task *t = NULL;

	if (!tg)
		goto fail;
	tg->sighand = sighand_new();
	if (tg->sighand)
		t = task_new(k, tg);
	tgroup_unref(tg);
	if (!t)
		goto fail;
	memcpy(tg->rlim, a->rlim, sizeof(tg->rlim));
	tg->exit_signal = SIGCHLD;
	tg->oom_score_adj = a->oom_score_adj;
	tg->exec_leader = true;
	if (!a->cred->user_ns)
		a->cred->user_ns = user_ns_ref(k->user_ns);
	t->nsset = a->nsset ? a->nsset : nsset_ref(k->nsset);
	tg->pid_ns = pid_ns_of(ns_ref(t->nsset->of[NS_PID]));
	tg->container = a->container;
	t->cred = a->cred;
	t->personality = a->personality;
	t->fs = a->fs;
	t->mnt_ns = a->mnt_ns;
	t->files = a->files;
	seccomp_give(t, a->seccomp, 0);
	t->no_new_privs = a->no_new_privs;
	return t;
fail:
	cred_unref(a->cred);
	fs_unref(a->fs);
	mnt_ns_unref(a->mnt_ns);
	nsset_unref(a->nsset);
	fdtable_unref(NULL, a->files);
	return NULL;
}

static int load(struct task *t, const struct exec_args *ea)
{
	struct exec_image im = { 0 };
	int r;

	r = load_program(t, ea, &im);
	if (r < 0)
		return r;
	if (im.cred)
		task_set_cred(t, im.cred);
	t->mm = im.mm;
	t->ctx = im.ctx;
	memcpy(t->comm, im.comm, sizeof(t->comm));
	ctx_set_owner(t->ctx, t);
	im.cred = NULL;
	im.mm = NULL;
	im.ctx = NULL;
	exec_image_done(&im);
	return 0;
}

/* Its own session and group, in the tables. It is nobody's child: its parent is outside, as with runc. */
static int enter_tables(struct task *t, struct process_args *a, struct session *s)
{
	struct kernel *k = t->kernel;
	struct tgroup *tg = t->tg;
	auto_cgroup *cg = cgroup_for_exec(k);
	bool first;
	int pid;

	mutex_lock(&k->mu);
	pid = cgroup_add_task(tg, NULL, cg);
	if (pid < 0)
		goto out;
	pid = pid_alloc_locked(k, tg->pid_ns, &a->pid, a->pid != 0);
	if (pid < 0) {
		cgroup_drop_task(tg);
		goto out;
	}
	first = pid == 1 || (tg->pid_ns->level > 0 && pid_nr_in_locked(tg->pid_ns, pid) == 1);
	t->tid = pid;
	tg->tgid = pid;
	atomic_fetch_add(&k->nforks, 1);
	s->sid = pid;
	pid_set_task_locked(k, pid, task_ref(t));
	pid_set_tgroup_locked(k, pid, tgroup_ref(tg));
	mutex_lock(&tg->mu);
	tgroup_add_thread_locked(tg, t);
	tgroup_cpu_new_image_locked(tg, NULL, t->mm->as);
	cpulimit_set_locked(tg);
	tg->unkillable = first;
	mutex_unlock(&tg->mu);
	tgroup_join_locked(tg, pid, s);
	if (first)
		tg->pid_ns->init = tg;
	if (pid == 1)
		k->init = tg;
out:
	mutex_unlock(&k->mu);
	return pid;
}

static void discard(struct task *t)
{
	struct ctx *c = t->ctx;

	task_drop_shared(t);
	if (c) {
		ctx_set_owner(c, NULL);
		ctx_free(c);
	}
	task_unref(t);
}

int process_create(struct kernel *k, struct process_args *a, int *ret_pid)
{
	struct task *t = make_task(k, a);
	struct session *s;
	int r;

	if (!t)
		return -ENOMEM;
	s = session_new(k, 0, t->tg);
	r = s ? 0 : -ENOMEM;
	if (r == 0 && a->sched)
		r = sched_begin(t, a->sched);
	if (r == 0)
		r = load(t, &a->exec);
	if (r == 0)
		r = enter_tables(t, a, s);
	if (r < 0) {
		session_unref(s);
		discard(t);
		return r;
	}
	if (a->ctty)
		session_tty_attach(s, a->ctty, r);
	session_unref(s);
	*ret_pid = r;
	if (!a->hold)
		ctx_start(t->ctx);
	return 0;
}

int process_release(struct kernel *k, int pid)
{
	auto_task *t = task_find(k, pid);

	if (!t)
		return -ESRCH;
	ctx_start(t->ctx);
	return 0;
}
