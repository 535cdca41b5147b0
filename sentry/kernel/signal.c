/*
 * signal.c - sending signals, and who takes them; see signal.h.
 *
 * A signal is prepared (stop and continue signals cancel each other, ignored
 * ones are dropped), queued in the task or the process, and given to a thread
 * that does not block it.  A fatal one ends the whole process at once, so that
 * a thread blocked anywhere dies without looking at its queue.
 *
 * t->attention is the cheap answer to "must this task look at its signals?".
 * It is recomputed under tg->mu whenever a queue, a mask or the stop state changes.
 */
#include "sentry/kernel/coredump.h"
#include "sentry/kernel/signal.h"

#include <errno.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task_int.h"
#include "sentry/kernel/user_ns.h"

#define SIG_SYNCHRONOUS (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | \
			 SIGBIT(SIGFPE) | SIGBIT(SIGSYS))
#define SIG_STOPS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define HANDLER_DFL 0
#define HANDLER_IGN 1

bool signal_default_ignores(int sig)
{
	return sig == SIGCONT || sig == SIGCHLD || sig == SIGWINCH || sig == SIGURG;
}

bool signal_default_stops(int sig)
{
	return (SIGBIT(sig) & SIG_STOPS) != 0;
}

static s32 sender_level(struct task *t)
{
	return t->tg->pid_ns ? (s32)t->tg->pid_ns->level + 1 : 1;
}

void siginfo_user(struct lx_siginfo *si, struct task *from, int sig, int code)
{
	*si = (struct lx_siginfo){ .signo = sig, .code = code };
	si->rt.pid = from->tg->tgid;
	si->rt.uid = task_cred(from)->uid;
	si->pad = sender_level(from);
}

/* Which of them hold a sender, or a child. */
static bool names_process(const struct lx_siginfo *si)
{
	if (si->code == SI_USER || si->code == SI_QUEUE || si->code == SI_TKILL || si->code == SI_MESGQ)
		return true;
	return si->signo == SIGCHLD && si->code > 0;
}

void signal_info_in(struct task *t, struct lx_siginfo *si)
{
	si->pad = sender_level(t);
	if (!names_process(si))
		return;
	si->rt.pid = pid_from_nr(t, si->rt.pid);
	si->rt.uid = user_ns_uid(task_user_ns(t), si->rt.uid);
}

void signal_info_out(struct task *t, struct lx_siginfo *si)
{
	si->pad = 0;
	if (!names_process(si))
		return;
	si->rt.pid = pid_nr(t, si->rt.pid);
	si->rt.uid = user_ns_show_uid(task_user_ns(t), si->rt.uid);
}

void siginfo_kernel(struct lx_siginfo *si, int sig, int code)
{
	*si = (struct lx_siginfo){ .signo = sig, .code = code };
}

/* ---- queues ---- */

void sigpending_init(struct sigpending *p)
{
	p->set = 0;
	p->count = 0;
	list_init(&p->queue);
}

void sigpending_flush(struct sigpending *p, sigmask_t set)
{
	struct sigqueue *q, *n;

	p->set &= ~set;
	list_for_each_safe(q, n, &p->queue, node) {
		if (!(set & SIGBIT(q->info.signo)))
			continue;
		list_del_init(&q->node);
		p->count--;
		kfree(q);
	}
}

static void flush_all(struct tgroup *tg, sigmask_t set) REQUIRES(tg->mu)
{
	struct task *t;

	sigpending_flush(&tg->pending, set);
	list_for_each(t, &tg->threads, thread_node)
		sigpending_flush(&t->pending, set);
}

/* 0, or -EAGAIN when a queued signal with data cannot be kept. */
static int enqueue(struct tgroup *tg, struct sigpending *p, int sig, const struct lx_siginfo *info)
	REQUIRES(tg->mu)
{
	bool forced = !info || sig < SIGRTMIN;
	struct sigqueue *q = NULL;

	if (sig < SIGRTMIN && (p->set & SIGBIT(sig)))
		return 0;
	if (p->count < tg->rlim[RLIMIT_SIGPENDING].cur || (forced && p->count < 64))
		q = knew(struct sigqueue);
	if (q) {
		if (info)
			q->info = *info;
		else
			siginfo_kernel(&q->info, sig, SI_KERNEL);
		q->info.signo = sig;
		list_add_tail(&q->node, &p->queue);
		p->count++;
	} else if (sig >= SIGRTMIN && info && info->code != SI_USER) {
		return -EAGAIN;
	}
	p->set |= SIGBIT(sig);
	return 0;
}

/* Take the first instance of @sig from @p. */
static void take_one(struct sigpending *p, int sig, struct lx_siginfo *ret)
{
	struct sigqueue *q, *first = NULL;
	bool more = false;

	list_for_each(q, &p->queue, node) {
		if (q->info.signo != sig)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = q;
	}
	if (!more)
		p->set &= ~SIGBIT(sig);
	if (!first) {
		siginfo_kernel(ret, sig, SI_USER);
		return;
	}
	*ret = first->info;
	list_del_init(&first->node);
	p->count--;
	kfree(first);
}

static int next_signal(sigmask_t set)
{
	if (set & SIG_SYNCHRONOUS)
		set &= SIG_SYNCHRONOUS;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

int signal_dequeue_locked(struct task *t, sigmask_t set, struct lx_siginfo *ret)
{
	struct tgroup *tg = t->tg;
	int sig = next_signal(t->pending.set & set);

	if (sig) {
		take_one(&t->pending, sig, ret);
	} else {
		sig = next_signal(tg->pending.set & set);
		if (sig)
			take_one(&tg->pending, sig, ret);
	}
	if (sig && ret->code == SI_TIMER)
		ptimers_signal_dequeued_locked(tg, ret);
	task_attention_locked(t);
	return sig;
}

int signal_dequeue(struct task *t, sigmask_t set, struct lx_siginfo *ret)
{
	int sig;

	mutex_lock(&t->tg->mu);
	sig = signal_dequeue_locked(t, set, ret);
	mutex_unlock(&t->tg->mu);
	if (sig)
		signal_info_out(t, ret);
	return sig;
}

bool signal_peek(struct task *x, bool shared, u64 nth, struct lx_siginfo *ret)
{
	struct sigqueue *q;
	bool found = false;

	mutex_lock(&x->tg->mu);
	list_for_each(q, shared ? &x->tg->pending.queue : &x->pending.queue, node) {
		if (nth-- > 0)
			continue;
		*ret = q->info;
		found = true;
		break;
	}
	mutex_unlock(&x->tg->mu);
	return found;
}

sigmask_t signal_pending_mask(struct task *t)
{
	sigmask_t set;

	mutex_lock(&t->tg->mu);
	set = t->pending.set | t->tg->pending.set;
	mutex_unlock(&t->tg->mu);
	return set;
}

/* ---- who must look ---- */

void task_attention_locked(struct task *t)
{
	struct tgroup *tg = t->tg;
	sigmask_t set = t->pending.set | tg->pending.set;
	bool a = atomic_load(&t->killed) || t->stop_pending || ptrace_trap_pending_locked(t) || atomic_load(&tg->freeze) ||
		 (set && (set & ~signal_blocked_locked(t)));

	atomic_store(&t->attention, a);
}

bool signal_pending(struct task *t)
{
	return atomic_load(&t->attention);
}

bool task_killed(struct task *t)
{
	return atomic_load(&t->killed);
}

/* Called with tg->mu held, which also keeps t->ctx in place. */
void task_kick(struct task *t)
{
	task_wake(t);
	if (atomic_load(&t->in_app) && t->ctx)
		ctx_interrupt(t->ctx);
}

void task_kill_locked(struct task *t)
{
	if (t->exiting)
		return;
	atomic_store(&t->killed, true);
	atomic_store(&t->attention, true);
	task_kick(t);
}

void tgroup_exit_locked(struct tgroup *tg, int wstatus, struct task *except)
{
	struct task *t;

	if (tg->group_exit)
		return;
	tg->group_exit = true;
	tg->exit_code = wstatus;
	tg->stop_signal = 0;
	list_for_each(t, &tg->threads, thread_node)
		if (t != except)
			task_kill_locked(t);
}

void tgroup_kill(struct tgroup *tg)
{
	mutex_lock(&tg->mu);
	overdue_watch_locked(tg);
	tgroup_exit_locked(tg, SIGKILL, NULL);
	mutex_unlock(&tg->mu);
}

void tgroup_exit(struct tgroup *tg, int wstatus)
{
	mutex_lock(&tg->mu);
	tgroup_exit_locked(tg, wstatus, NULL);
	mutex_unlock(&tg->mu);
}

/* ---- sending ---- */

static bool is_ignored(struct tgroup *tg, struct task *t, int sig, bool forced) REQUIRES(tg->mu)
{
	u64 h = tg->sighand->act[sig - 1].handler;

	if (t && ptrace_on(t->pt) && sig != SIGKILL)
		return false;
	/* A blocked signal may get a handler before it is unblocked. */
	if (t && ((signal_blocked_locked(t) | t->waiting_for) & SIGBIT(sig)))
		return false;
	if (tg->unkillable && h == HANDLER_DFL && !(forced && (SIGBIT(sig) & SIG_UNBLOCKABLE)))
		return true;
	return h == HANDLER_IGN || (h == HANDLER_DFL && signal_default_ignores(sig));
}

static bool wants(struct task *t, int sig)
{
	if (t->exiting || (signal_blocked_locked(t) & SIGBIT(sig)))
		return false;
	return sig == SIGKILL || !t->in_stop;
}

/* The thread that is to take a process signal: one that is not busy with another, if possible. */
static struct task *choose(struct tgroup *tg, int sig) REQUIRES(tg->mu)
{
	struct task *t, *found = NULL;

	list_for_each(t, &tg->threads, thread_node) {
		if (!wants(t, sig))
			continue;
		if (!atomic_load(&t->attention))
			return t;
		if (!found)
			found = t;
	}
	return found;
}

static bool is_fatal(struct tgroup *tg, int sig, bool forced) REQUIRES(tg->mu)
{
	u64 h = tg->sighand->act[sig - 1].handler;

	if (h != HANDLER_DFL || signal_default_ignores(sig) || signal_default_stops(sig))
		return false;
	/* The thread that gets it writes the core file first. */
	if (coredump_wanted_locked(tg, sig))
		return false;
	return !tg->unkillable || (forced && sig == SIGKILL);
}

/* Wake whoever is to act on the newly queued @sig; @t NULL: any thread. */
static void hand_over(struct tgroup *tg, struct task *t, int sig, bool forced) REQUIRES(tg->mu)
{
	struct task *w;

	waitq_wake(&tg->signal_wq, POLLIN);
	list_for_each(w, &tg->threads, thread_node)
		if ((w->waiting_for & SIGBIT(sig)) && (!t || t == w))
			task_wake(w);
	if (t)
		w = wants(t, sig) ? t : NULL;
	else
		w = choose(tg, sig);
	if (!w)
		return;
	if (is_fatal(tg, sig, forced) && (sig == SIGKILL || !ptrace_on(w->pt))) {
		overdue_watch_locked(tg);
		tgroup_exit_locked(tg, sig, NULL);
		return;
	}
	atomic_store(&w->attention, true);
	task_kick(w);
}

/* The first process of a pid namespace obeys those who look into it from outside. */
static bool from_above(const struct tgroup *tg, const struct lx_siginfo *info)
{
	return info->pad && tg->pid_ns && (u32)info->pad - 1 < tg->pid_ns->level;
}

int signal_send_locked(struct tgroup *tg, struct task *t, int sig, const struct lx_siginfo *info)
{
	bool forced = !info || from_above(tg, info);
	int r;

	if (sig == SIGKILL && tg->group_exit)
		overdue_watch_locked(tg);
	if (sig == 0 || tg->group_exit || tg->nthreads == 0 || (t && t->exiting))
		return 0;
	if (signal_default_stops(sig)) {
		flush_all(tg, SIGBIT(SIGCONT));
	} else if (sig == SIGCONT) {
		flush_all(tg, SIG_STOPS);
		signal_continue_locked(tg);
	}
	if (is_ignored(tg, t ? t : tg->leader, sig, forced))
		return 0;
	r = enqueue(tg, t ? &t->pending : &tg->pending, sig, info);
	if (r < 0)
		return r;
	hand_over(tg, t, sig, forced);
	return 0;
}

int signal_send_task(struct task *to, int sig, const struct lx_siginfo *info)
{
	int r;

	mutex_lock(&to->tg->mu);
	r = signal_send_locked(to->tg, to, sig, info);
	mutex_unlock(&to->tg->mu);
	return r;
}

int signal_send_tgroup(struct tgroup *to, int sig, const struct lx_siginfo *info)
{
	int r;

	mutex_lock(&to->mu);
	r = signal_send_locked(to, NULL, sig, info);
	mutex_unlock(&to->mu);
	return r;
}

void signal_force(struct task *t, const struct lx_siginfo *info)
{
	struct tgroup *tg = t->tg;
	int sig = info->signo;
	struct lx_sigaction *a;

	mutex_lock(&tg->mu);
	a = &tg->sighand->act[sig - 1];
	if (a->handler == HANDLER_IGN || (signal_blocked_locked(t) & SIGBIT(sig)))
		a->handler = HANDLER_DFL;
	t->blocked &= ~SIGBIT(sig);
	if (a->handler == HANDLER_DFL && !ptrace_on(t->pt))
		tg->unkillable = false;
	(void)!signal_send_locked(tg, t, sig, info);
	task_attention_locked(t);
	mutex_unlock(&tg->mu);
}

/* ---- masks ---- */

sigmask_t signal_blocked_locked(struct task *t)
{
	own_mask_recall_locked(t);
	return t->blocked;
}

sigmask_t signal_mask(struct task *t)
{
	sigmask_t m;

	mutex_lock(&t->tg->mu);
	m = t->mask_lent ? ctx_lent_mask(t->ctx) & ~SIG_UNBLOCKABLE : t->blocked;
	mutex_unlock(&t->tg->mu);
	return m;
}

/* Process signals that this thread has just blocked, or leaves behind, go to another. */
void signal_retarget_locked(struct task *t, sigmask_t which)
{
	struct tgroup *tg = t->tg;
	struct task *x;

	which &= tg->pending.set;
	if (which == 0)
		return;
	list_for_each(x, &tg->threads, thread_node) {
		if (x == t || x->exiting || (which & ~signal_blocked_locked(x)) == 0)
			continue;
		which &= x->blocked;
		atomic_store(&x->attention, true);
		task_kick(x);
		if (which == 0)
			return;
	}
}

static void set_mask_locked(struct task *t, sigmask_t mask)
{
	sigmask_t newly = (mask & ~SIG_UNBLOCKABLE) & ~signal_blocked_locked(t);

	t->blocked = mask & ~SIG_UNBLOCKABLE;
	signal_retarget_locked(t, newly);
	task_attention_locked(t);
}

void signal_set_mask(struct task *t, sigmask_t mask)
{
	mutex_lock(&t->tg->mu);
	set_mask_locked(t, mask);
	mutex_unlock(&t->tg->mu);
}

void signal_swap_mask(struct task *t, sigmask_t mask)
{
	mutex_lock(&t->tg->mu);
	t->saved_blocked = signal_blocked_locked(t);
	t->restore_blocked = true;
	set_mask_locked(t, mask);
	mutex_unlock(&t->tg->mu);
}

int signal_wait(struct task *t, sigmask_t set, s64 deadline, struct lx_siginfo *ret)
{
	struct tgroup *tg = t->tg;
	int sig, r = 0;

	mutex_lock(&tg->mu);
	t->waiting_for = set;
	mutex_unlock(&tg->mu);
	for (;;) {
		sig = signal_dequeue(t, set, ret);
		if (sig || r < 0)
			break;
		r = task_sleep(t, deadline);
	}
	mutex_lock(&tg->mu);
	t->waiting_for = 0;
	mutex_unlock(&tg->mu);
	if (sig)
		return sig;
	return r == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

void signal_action_masks(struct task *t, sigmask_t *ret_ignored, sigmask_t *ret_caught)
{
	struct tgroup *tg = t->tg;
	sigmask_t ign = 0, cgt = 0;

	mutex_lock(&tg->mu);
	for (int sig = 1; sig <= NSIG_GUEST; sig++) {
		u64 h = tg->sighand->act[sig - 1].handler;

		if (h == HANDLER_IGN)
			ign |= SIGBIT(sig);
		else if (h != HANDLER_DFL)
			cgt |= SIGBIT(sig);
	}
	mutex_unlock(&tg->mu);
	*ret_ignored = ign;
	*ret_caught = cgt;
}

/* ---- handlers ---- */

struct sighand *sighand_new(void)
{
	struct sighand *sh = knew(struct sighand);

	if (sh)
		ref_init(&sh->ref);
	return sh;
}

void sighand_unref(struct sighand *sh)
{
	if (ref_put(&sh->ref))
		kfree(sh);
}

void signal_action(struct task *t, int sig, const struct lx_sigaction *act, struct lx_sigaction *ret_old)
{
	struct tgroup *tg = t->tg;
	struct task *x;

	mutex_lock(&tg->mu);
	*ret_old = tg->sighand->act[sig - 1];
	if (act) {
		tg->sighand->act[sig - 1] = *act;
		if (act->handler == HANDLER_IGN ||
		    (act->handler == HANDLER_DFL && signal_default_ignores(sig))) {
			flush_all(tg, SIGBIT(sig));
			ptimers_signal_lost_locked(tg);
			list_for_each(x, &tg->threads, thread_node)
				task_attention_locked(x);
		}
	}
	mutex_unlock(&tg->mu);
}

int signal_reset_for_exec(struct task *t)
{
	struct tgroup *tg = t->tg;
	struct sighand *fresh = sighand_new(), *old;

	if (!fresh)
		return -ENOMEM;
	mutex_lock(&tg->mu);
	old = tg->sighand;
	for (int i = 0; i < NSIG_GUEST; i++)
		if (old->act[i].handler == HANDLER_IGN)
			fresh->act[i].handler = HANDLER_IGN;
	tg->sighand = fresh;
	t->altstack = (struct lx_sigaltstack){ .flags = SS_DISABLE };
	mutex_unlock(&tg->mu);
	sighand_unref(old);
	return 0;
}
