/*
 * sched.c - see sched.h.
 */
#include "sentry/kernel/sched.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>

#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"

void sched_all_cpus(struct kernel *k, u64 ret[2])
{
	u32 n = k->ncpus;

	ret[0] = n >= 64 ? ~0ull : (1ull << n) - 1;
	ret[1] = n <= 64 ? 0 : n >= 128 ? ~0ull : (1ull << (n - 64)) - 1;
}

int sched_begin(struct task *t, const struct sched_start *s)
{
	bool rt = s->policy == SCHED_FIFO || s->policy == SCHED_RR;
	u64 all[2];

	if (s->policy < 0 || s->policy > SCHED_DEADLINE_POLICY || s->nice < -20 || s->nice > 19 || s->ioprio < 0 ||
	    (rt ? s->prio < 1 || s->prio > 99 : s->prio != 0))
		return -EINVAL;
	sched_all_cpus(t->kernel, all);
	if (s->cpus[0] || s->cpus[1]) {
		all[0] &= s->cpus[0];
		all[1] &= s->cpus[1];
		if (!all[0] && !all[1])
			return -EINVAL;
		memcpy(t->cpu_mask, all, sizeof(all));
	}
	t->sched_policy = s->policy;
	t->sched_prio = s->prio;
	t->sched_reset_on_fork = s->reset_on_fork;
	t->nice = rt ? 0 : s->nice;
	t->ioprio = s->ioprio;
	memcpy(t->sched_dl, s->deadline, sizeof(t->sched_dl));
	if (s->policy == SCHED_DEADLINE_POLICY && !t->sched_dl[2])
		t->sched_dl[2] = t->sched_dl[1];
	return 0;
}

static int set_one(struct task *t, struct task *x, int nice)
{
	const struct cred *c = task_cred(t), *xc = task_cred_get(x);
	bool ok = c->euid == xc->uid || c->euid == xc->euid || capable(t, CAP_SYS_NICE);

	cred_unref(xc);
	if (!ok)
		return -EPERM;
	nice = MAX(-20, MIN(19, nice));
	if (nice < x->nice && !capable(t, CAP_SYS_NICE) && (u64)(20 - nice) > task_rlimit(x, RLIMIT_NICE))
		return -EACCES;
	x->nice = nice;
	return 0;
}

int sched_set_nice(struct task *t, int pid, int nice)
{
	auto_task *x = pid == 0 ? task_ref(t) : task_find_nr(t, pid);

	return x ? set_one(t, x, nice) : -ESRCH;
}

struct prio_walk {
	struct task *t;
	int which, who;
	int nice;                               /* or the I/O priority */
	bool set, io;
	long result;
};

static int set_one_ioprio(struct task *t, struct task *x, int ioprio)
{
	const struct cred *c = task_cred(t), *xc = task_cred_get(x);
	bool ok = c->euid == xc->uid || c->uid == xc->uid || capable(t, CAP_SYS_NICE);

	cred_unref(xc);
	if (ok)
		x->ioprio = ioprio;
	return ok ? 0 : -EPERM;
}

#define IOPRIO_BE (2 << 13)             /* best effort */

static void visit_ioprio(struct prio_walk *w, struct task *x)
{
	long v = x->ioprio;

	if (w->which != PRIO_PROCESS && v >> 13 == 0)
		v = IOPRIO_BE | (x->nice + 20) / 5;
	w->result = w->result < 0 ? v : MIN(w->result, v);
}

static void visit(struct prio_walk *w, struct task *x)
{
	if (w->io && !w->set) {
		visit_ioprio(w, x);
	} else if (w->set) {
		int r = w->io ? set_one_ioprio(w->t, x, w->nice) : set_one(w->t, x, w->nice);

		if (w->result == -ESRCH || r < 0)
			w->result = r;
	} else {
		w->result = MAX(w->result, 20l - x->nice);
	}
}

static int visit_task(void *arg, struct task *x)
{
	struct prio_walk *w = arg;
	const struct cred *c;
	bool match = true;

	if (w->which == PRIO_USER) {
		c = task_cred_get(x);
		match = (int)c->uid == w->who;
		cred_unref(c);
	}
	if (match)
		visit(w, x);
	return 0;
}

static int visit_process(void *arg, struct tgroup *tg)
{
	struct prio_walk *w = arg;

	if (w->which == PRIO_PGRP && tg->pgid != w->who)
		return 0;
	return tgroup_for_each_task(tg, visit_task, w);
}

static long walk(struct prio_walk *w)
{
	struct kernel *k = w->t->kernel;

	w->result = -ESRCH;
	if (w->which == PRIO_PROCESS) {
		auto_task *x = w->who == 0 ? task_ref(w->t) : task_find_nr(w->t, w->who);

		if (x)
			visit(w, x);
		return w->result;
	}
	if (w->which != PRIO_PGRP && w->which != PRIO_USER)
		return -EINVAL;
	if (w->who != 0)
		w->who = w->which == PRIO_PGRP ? pid_from_nr(w->t, w->who) :
			 (int)user_ns_uid(task_user_ns(w->t), (u32)w->who);
	else
		w->who = w->which == PRIO_PGRP ? w->t->tg->pgid : (int)task_cred(w->t)->uid;
	(void)!tgroup_for_each(k, visit_process, w);
	return w->result;
}

long sched_get_priority(struct task *t, int which, int who)
{
	struct prio_walk w = { .t = t, .which = which, .who = who };

	return walk(&w);
}

long sched_set_priority(struct task *t, int which, int who, int nice)
{
	struct prio_walk w = { .t = t, .which = which, .who = who, .nice = nice, .set = true };

	return walk(&w);
}

long sched_get_ioprio(struct task *t, int which, int who)
{
	struct prio_walk w = { .t = t, .which = which, .who = who, .io = true };

	return walk(&w);
}

long sched_set_ioprio(struct task *t, int which, int who, int ioprio)
{
	struct prio_walk w = { .t = t, .which = which, .who = who, .nice = ioprio, .set = true, .io = true };

	return walk(&w);
}
