/*
 * task_exec.c - execve(2): from one program to another in the same process.
 *
 * The new image is complete before anything of the old one is touched.  Then the other
 * threads die (a non-leader that executes takes over the leader's id), and
 * the task moves into the new address space and context.
 */
#include "sentry/kernel/exec.h"

#include <errno.h>
#include <string.h>

#include "platform/platform.h"
#include "sentry/ipc/keys.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/rusage.h"
#include "sentry/kernel/task_int.h"
#include "sentry/loader/loader.h"
#include "sentry/vfs/vfs.h"

static u32 others_alive(struct tgroup *tg)
{
	u32 n;

	mutex_lock(&tg->mu);
	n = tg->nthreads - 1;
	mutex_unlock(&tg->mu);
	return n;
}

/* Become the leader: the dead leader gives up its id and place. */
static void take_leadership(struct task *t)
{
	struct kernel *k = t->kernel;
	struct tgroup *tg = t->tg;
	struct task *old, *held, *mine, *traced;

	mutex_lock(&k->mu);
	mine = pid_clear_task_locked(k, t->tid);
	held = pid_clear_task_locked(k, tg->tgid);
	pid_uncount_locked(k);
	cgroup_drop_task(tg);
	mutex_lock(&tg->mu);
	old = tg->leader;
	list_del_init(&old->thread_node);
	tg->leader = t;
	t->tid = tg->tgid;
	mutex_unlock(&tg->mu);
	pid_set_task_locked(k, t->tid, mine);
	traced = ptrace_replaced_locked(old);
	mutex_unlock(&k->mu);
	atomic_store(&old->state, TASK_DEAD);
	task_unref(traced);
	task_unref(held);
}

/* End all other threads.  -EAGAIN: the process is ending, or another thread executes. */
static int de_thread(struct task *t)
{
	struct tgroup *tg = t->tg;
	struct task *x;
	int r = 0;

	mutex_lock(&tg->mu);
	if (tg->group_exit || tg->execing) {
		mutex_unlock(&tg->mu);
		return -EAGAIN;
	}
	tg->execing = t;
	list_for_each(x, &tg->threads, thread_node)
		if (x != t)
			task_kill_locked(x);
	mutex_unlock(&tg->mu);
	while (others_alive(tg) > 0 && r == 0)
		r = task_sleep_killable(t, KTIME_MAX);
	mutex_lock(&tg->mu);
	tg->execing = NULL;
	mutex_unlock(&tg->mu);
	if (r < 0)
		return -EINTR;
	if (tg->leader != t)
		take_leadership(t);
	return 0;
}

/* Descriptors shared with a vfork parent or CLONE_FILES peers become our own. */
static int unshare_files(struct task *t)
{
	struct fdtable *copy, *old = t->files;

	if (!fdtable_is_shared(old))
		return 0;
	copy = fdtable_copy(old);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&t->mu);
	t->files = copy;
	mutex_unlock(&t->mu);
	fdtable_unref(t, old);
	return 0;
}

static int unshare_for_exec(struct task *t)
{
	int r = unshare_files(t);

	if (r == 0)
		r = signal_reset_for_exec(t);
	if (r == 0)
		fdtable_close_on_exec(t, t->files);
	return r;
}

/* @im->cred NULL: the program changes nothing. */
static void change_cred(struct task *t, struct exec_image *im)
{
	struct tgroup *tg = t->tg;
	const struct cred *old = t->cred;

	if (im->cred && (old->euid != im->cred->euid || old->egid != im->cred->egid))
		t->pdeath_signal = 0;
	mutex_lock(&tg->mu);
	tg->dumpable = im->mm->dumpable;
	tg->did_exec = true;
	mutex_unlock(&tg->mu);
	if (im->cred)
		task_set_cred(t, im->cred);
	im->cred = NULL;
	keys_exec(t);
}

/* Into the new address space and context. */
static void switch_image(struct task *t, struct exec_image *im)
{
	struct mm *old_mm = t->mm;
	struct ctx *old_ctx = t->ctx;

	ctx_set_owner(im->ctx, t);
	mutex_lock(&t->mu);
	t->mm = im->mm;
	memcpy(t->comm, im->comm, sizeof(t->comm));
	mutex_unlock(&t->mu);
	mutex_lock(&t->tg->mu);
	tgroup_cpu_new_image_locked(t->tg, old_mm ? old_mm->as : NULL, im->mm->as);
	own_mask_recall_locked(t);
	t->ctx = im->ctx;
	mutex_unlock(&t->tg->mu);
	im->mm = NULL;
	im->ctx = NULL;
	if (old_ctx) {
		ctx_set_owner(old_ctx, NULL);
		ctx_free(old_ctx);
	}
	if (old_mm) {
		rusage_image_ends(t->tg, old_mm);
		mm_unref(old_mm);
	}
}

int task_exec(struct task *t, const struct exec_args *a)
{
	struct exec_image im = { 0 };
	int old_tid = t->tid, r;

	r = load_program(t, a, &im);
	if (r < 0)
		return r;
	r = de_thread(t);
	if (r < 0)
		goto out;
	r = unshare_for_exec(t);
	if (r < 0) {
		/* The threads are gone: there is no way back. */
		tgroup_exit(t->tg, SIGKILL);
		goto out;
	}
	task_release_memory(t);
	change_cred(t, &im);
	switch_image(t, &im);
	ptimers_delete_all(t->tg);
	t->robust_list = GADDR(0);
	t->robust_len = 0;
	t->clear_child_tid = GADDR(0);
	t->set_child_tid = GADDR(0);
	t->restart_fn = NULL;
	t->fault_addr = t->fault_trapno = t->fault_err = 0;
	mutex_lock(&t->kernel->mu);
	t->tg->exit_signal = SIGCHLD;
	mutex_unlock(&t->kernel->mu);
	if (t->pt)
		ptrace_exec(t, old_tid);
	t->personality &= ~0x0400000u;          /* READ_IMPLIES_EXEC is never inherited on x86-64 */
out:
	exec_image_done(&im);
	return r;
}
