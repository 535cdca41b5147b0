/*
 * task_wait.c - wait4(2) and waitid(2): which child, which event; see wait.h.
 *
 * Children belong to the process, not to the thread that made them, so
 * __WNOTHREAD finds what any thread's children are.  A child is examined and,
 * unless WNOWAIT is given, consumed under kernel->mu: two waiters never get the same event.
 */
#include "sentry/kernel/wait.h"

#include <errno.h>
#include <sys/wait.h>

#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/rusage.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/user_ns.h"

static bool eligible(const struct wait_req *q, const struct tgroup *c)
{
	if (q->which == CHILD_PID && c->tgid != q->id)
		return false;
	if (q->which == CHILD_PGID && c->pgid != q->id)
		return false;
	if (q->options & __WALL)
		return true;
	/* "Clone" children are those that do not report by SIGCHLD. */
	return (c->exit_signal != SIGCHLD) == ((q->options & __WCLONE) != 0);
}

static void fill(struct task *t, struct wait_req *q, struct tgroup *c, int code, int status)
{
	const struct cred *cred = c->leader ? task_cred_get(c->leader) : NULL;

	q->pid = pid_nr_in_locked(t->tg->pid_ns, c->tgid);
	q->code = code;
	q->status = status;
	q->uid = cred ? user_ns_show_uid(task_user_ns(t), cred->uid) : 0;
	cred_unref(cred);
	rusage_of_both(c, &q->ru);
}

/* A stop or continue of a live child.  True when *q was filled. */
static bool try_job_event(struct task *t, struct wait_req *q, struct tgroup *c)
{
	bool stop = false, cont = false, keep = q->options & WNOWAIT;
	int sig;

	mutex_lock(&c->mu);
	sig = c->stop_signal;
	if ((q->options & WSTOPPED) && c->stopped && !c->stop_reported) {
		stop = true;
		c->stop_reported = !keep;
	} else if ((q->options & WCONTINUED) && c->continued) {
		cont = true;
		c->continued = keep;
	}
	mutex_unlock(&c->mu);
	if (stop)
		fill(t, q, c, CLD_STOPPED, (sig << 8) | 0x7f);
	if (cont)
		fill(t, q, c, CLD_CONTINUED, 0xffff);
	return stop || cont;
}

/* A reaped child adds its times, and those of its own reaped children, to the parent's. */
static void reap(struct task *t, const struct rusage *ru)
{
	mutex_lock(&t->tg->mu);
	rusage_add(&t->tg->child_rusage, ru);
	mutex_unlock(&t->tg->mu);
}

/*
 * Look once.  > 0: found; 0: there are children to wait for; -ECHILD.
 * *ret_dead gets a reaped child's reference, dropped without the lock.
 */
static int look(struct task *t, struct wait_req *q, struct tgroup **ret_dead, struct task **ret_gone)
{
	struct tgroup *c;
	int r = -ECHILD;

	mutex_lock(&t->kernel->mu);
	list_for_each(c, &t->tg->children, sibling) {
		if (!eligible(q, c))
			continue;
		r = 0;
		if (c->zombie && (q->options & WEXITED)) {
			int st = c->wstatus;

			fill(t, q, c, (st & 0x7f) == 0 ? CLD_EXITED : (st & 0x80) ? CLD_DUMPED : CLD_KILLED, st);
			if (!(q->options & WNOWAIT)) {
				reap(t, &q->ru);
				*ret_dead = tgroup_release_locked(c);
			}
			r = q->pid;
			break;
		}
		if (!c->zombie && try_job_event(t, q, c)) {
			r = q->pid;
			break;
		}
	}
	if (r <= 0 && !list_empty(&t->tg->tracees)) {
		int traced = ptrace_wait_locked(t, q, ret_gone);

		r = traced == 1 ? q->pid : traced == 0 ? 0 : r;
	}
	mutex_unlock(&t->kernel->mu);
	return r;
}

/* @parks: ... and be queued then, for the call to be set aside. */
static int look_once(struct task *t, struct wait_req *q, bool parks)
{
	struct tgroup *dead = NULL;
	struct task *gone = NULL;
	int r;

	if (parks) {
		t->park.id = q->id;
		task_park_on(t, &(struct park_on){ .wq = &t->tg->wait_children, .interest = POLLIN, .deadline = KTIME_MAX });
	}
	r = look(t, q, &dead, &gone);
	if (parks) {
		r = (int)task_park_result(t, r ? r : -EAGAIN);
		r = r == -EAGAIN ? 0 : r;
	}
	tgroup_unref(dead);
	task_unref(gone);
	return r;
}

int task_wait(struct task *t, struct wait_req *q)
{
	struct task_waiter tw;
	int r = look_once(t, q, false);

	if (r != 0 || (q->options & WNOHANG))
		return r;
	if (q->parks && task_can_park(t))
		r = look_once(t, q, true);
	if (r != 0)
		return r;
	task_waiter_init(&tw, t, POLLIN);
	waitq_add(&t->tg->wait_children, &tw.w);
	for (;;) {
		r = look_once(t, q, false);
		if (r != 0)
			break;
		r = task_sleep(t, KTIME_MAX);
		if (r < 0)
			break;
	}
	waitq_del(&t->tg->wait_children, &tw.w);
	return r;
}
