/*
 * signal_send.c - signals to process groups and to everybody, and the permission to send.
 *
 * Walks hold kernel->mu throughout, so that a process being forked is either
 * reached or was made by a parent that was (Linux: tasklist_lock).
 */
#include <errno.h>
#include <linux/capability.h>

#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task_int.h"
#include "sentry/vfs/landlock.h"

static bool same_session(const struct task *a, const struct task *b)
{
	return a->tg->session && a->tg->session == b->tg->session;
}

int signal_may_send(struct task *from, struct task *to, int sig)
{
	const struct cred *c = task_cred(from), *tc;
	bool ok;

	if (from->tg == to->tg)
		return 0;
	tc = task_cred_get(to);
	ok = cred_ns_capable(c, tc->user_ns, CAP_KILL) || c->euid == tc->suid || c->euid == tc->uid || c->uid == tc->suid || c->uid == tc->uid;
	ok = ok || (sig == SIGCONT && same_session(from, to));
	ok = ok && !landlock_scoped(c->landlock, tc->landlock, LL_SCOPE_SIGNAL);
	cred_unref(tc);
	return ok ? 0 : -EPERM;
}

/* A reference to a task that stands for @tg, or NULL. */
static struct task *any_task(struct tgroup *tg)
{
	struct task *t;

	mutex_lock(&tg->mu);
	t = tg->leader ? task_ref(tg->leader) : NULL;
	mutex_unlock(&tg->mu);
	return t;
}

void signal_visit_tgroup(struct tgroup *tg, signal_visitor *fn, void *arg)
{
	struct task *any = any_task(tg);

	if (!any)
		return;
	fn(arg, tg, any);
	task_unref(any);
}

void signal_visit_pgrp(struct kernel *k, int pgid, signal_visitor *fn, void *arg)
{
	mutex_lock(&k->mu);
	for (struct tgroup *tg = pid_next_tgroup_locked(k, 1); tg; tg = pid_next_tgroup_locked(k, tg->tgid + 1))
		if (tg->pgid == pgid)
			signal_visit_tgroup(tg, fn, arg);
	mutex_unlock(&k->mu);
}

static int send_checked_locked(struct task *from, struct tgroup *tg, int sig,
			       const struct lx_siginfo *info)
{
	struct task *to = any_task(tg);
	int r;

	if (!to)
		return -ESRCH;
	r = signal_may_send(from, to, sig);
	if (r == 0)
		r = signal_send_tgroup(tg, sig, info);
	task_unref(to);
	return r;
}

/* @pgid 0: everybody but init and the sender. */
static int send_many(struct task *from, int pgid, int sig, const struct lx_siginfo *info)
{
	struct kernel *k = from->kernel;
	int r = -ESRCH, one;
	bool ok = false;

	mutex_lock(&k->mu);
	for (struct tgroup *tg = pid_next_tgroup_locked(k, 1); tg;
	     tg = pid_next_tgroup_locked(k, tg->tgid + 1)) {
		if (pgid != 0 ? tg->pgid != pgid :
		    (tg == from->tg || pid_nr_in_locked(from->tg->pid_ns, tg->tgid) <= 1))
			continue;
		one = send_checked_locked(from, tg, sig, info);
		ok |= one == 0;
		if (one != -EPERM || pgid != 0 || r == -ESRCH)
			r = one;
	}
	mutex_unlock(&k->mu);
	return ok ? 0 : r;
}

int signal_send_pgrp(struct task *from, int pgid, int sig, const struct lx_siginfo *info)
{
	return send_many(from, pgid, sig, info);
}

int signal_send_all(struct task *from, int sig, const struct lx_siginfo *info)
{
	return send_many(from, 0, sig, info);
}

void signal_pgrp_locked(struct kernel *k, int pgid, int sig)
{
	for (struct tgroup *tg = pid_next_tgroup_locked(k, 1); tg;
	     tg = pid_next_tgroup_locked(k, tg->tgid + 1))
		if (tg->pgid == pgid)
			(void)!signal_send_tgroup(tg, sig, NULL);
}
