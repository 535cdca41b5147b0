/*
 * task_park.c - a call that waits without a worker.
 *
 * A wait in task_sleep() keeps a worker, and to wake it costs two switches between threads, often an idle CPU's wake-up, too.
 * A call that has done nothing when it must wait can be set aside instead.  Its handler queues the task
 * (task_park_on) and ends with -EPARKED; the worker lets go of task and context (task_park).  Whoever wakes the task
 * hands the context to the platform (ctx_again), and the next free worker calls the handler once more, from its
 * beginning, with the same arguments and the same file, whatever the descriptor means by then (task_call_file).
 *
 * Who owns the task meanwhile is decided by wake_word alone: NONE -> PARKED by the owner, who is none from then on; whoever
 * changes PARKED to DUE must call ctx_again().  As in task_sleep(), the waiter is queued before the condition is looked
 * at for the last time, and the task is parked before the signals are, so nothing that comes at any moment is missed.
 */
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task_int.h"
#include "sentry/vfs/file.h"

#define LUCK_MAX 4

bool task_can_park(const struct task *t) { return t->park.may; }

void task_park_on(struct task *t, const struct park_on *on)
{
	t->park.file = on->file ? file_ref(on->file) : NULL;
	t->park.wq = on->wq;
	t->park.deadline = on->deadline;
	task_waiter_init(&t->park.tw, t, on->interest);
	t->park.tw.w.exclusive = on->exclusive;
	waitq_add(on->wq, &t->park.tw.w);
}

void task_park_with(struct task *t, struct park_kept *k, ktime_t deadline)
{
	t->park.kept = k;
	t->park.deadline = deadline;
}

static void leave_queues(struct task *t)
{
	if (t->park.kept)
		t->park.kept->leave(t->park.kept);
	waitq_del(t->park.wq, &t->park.tw.w);
	t->park.wq = NULL;
}

/* The handler has no use for it, or will not be called. */
static void drop(struct task *t)
{
	t->park.file = file_unref(t->park.file);
	if (t->park.kept)
		t->park.kept->free(t->park.kept);
	t->park.kept = NULL;
}

/* Should it rather sit at the links, as nobody does?  What it waits for comes from there. */
static bool must_receive(const struct task *t)
{
	return t->by_net && t->net_luck >= 0 && t->kernel->receive && t->kernel->receive->wanted(t->kernel);
}

void task_net_luck(struct task *t, bool by_frame)
{
	t->net_luck = MAX(-LUCK_MAX, MIN(LUCK_MAX, t->net_luck + (by_frame ? 1 : -1)));
}

long task_park_result(struct task *t, long r)
{
	bool signals = r == -EAGAIN && signal_pending(t);

	if (r == -EAGAIN && !signals && !must_receive(t))
		return -EPARKED;
	leave_queues(t);
	t->park.file = file_unref(t->park.file);
	t->park.kept = NULL;                            /* its caller has it */
	return signals ? -ERESTARTSYS : r;
}

struct file *task_call_file(struct task *t, int fd)
{
	struct file *f = t->park.file;

	if (!f)
		return fd_get(t, fd);
	t->park.file = NULL;
	return f;
}

struct park_kept *task_call_kept(struct task *t)
{
	struct park_kept *k = t->park.kept;

	t->park.kept = NULL;
	return k;
}

bool task_call_again(const struct task *t) { return t->park.again; }

ktime_t task_call_deadline(const struct task *t, ktime_t from_now)
{
	return t->park.again ? t->park.deadline : from_now;
}

void task_park_timer(struct ktimer *tm) { task_wake(container_of(tm, struct task, park.tm)); }

void task_park(struct task *t)
{
	const struct receive_ops *rx = t->by_net ? t->kernel->receive : NULL;
	enum wake how = rx ? WAKE_NET_PARKED : WAKE_PARKED;
	struct ctx *c = t->ctx;
	u32 none = WAKE_NONE;

	task_account(t, false);
	t->nvcsw++;
	atomic_store(&t->state, TASK_SLEEPING);
	if (t->park.deadline != KTIME_MAX)
		ktimer_arm(t->kernel, &t->park.tm, t->park.deadline);
	if (rx)
		t->park.frames = rx->frames(t->kernel);
	ctx_rest(c);
	task_count_asleep(t, how, 1);
	if (atomic_compare_exchange_strong(&t->wake_word, &none, how)) {
		if (signal_pending(t))
			task_wake(t);
		return;
	}
	task_count_asleep(t, how, -1);  /* woken since */
	ctx_again(c);
}

void task_unpark(struct task *t)
{
	atomic_store(&t->state, TASK_RUNNING);
	t->acct_mark = ktime_mono(t->kernel);
	if (t->park.deadline != KTIME_MAX)
		(void)ktimer_cancel(t->kernel, &t->park.tm);
	if (t->by_net && t->kernel->receive)
		task_net_luck(t, t->kernel->receive->frames(t->kernel) != t->park.frames);
	leave_queues(t);
	atomic_store(&t->wake_word, WAKE_NONE);         /* what it told is looked at next */
	t->park.again = true;
}

void task_park_done(struct task *t)
{
	t->park.again = t->park.may = false;
	if (!t->park.waits)
		drop(t);
}
