/*
 * poll.c - see poll.h.
 *
 * The files are asked once without queueing (most calls find something); only
 * then is a waiter queued on each and everything asked again, so that no
 * change between the question and the sleep is lost.
 */
#include "sentry/vfs/poll.h"

#include "sentry/core/errno.h"

static int ask_all(struct task *t, struct poll_entry *e, size_t n)
{
	int ready = 0;

	for (size_t i = 0; i < n; i++) {
		if (e[i].f)
			e[i].revents = file_poll_for(t, e[i].f, &e[i].wq) & e[i].events;
		if (e[i].revents)
			ready++;
	}
	return ready;
}

static void queue_all(struct task *t, struct poll_entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		task_waiter_init(&e[i].tw, t, e[i].events);
		if (e[i].f)
			waitq_add(e[i].wq, &e[i].tw.w);
	}
}

void poll_leave(struct poll_entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (e[i].f)
			waitq_del(e[i].wq, &e[i].tw.w);
}

/* Set the call aside.  0: it must sleep. */
static int wait_parked(struct task *t, struct poll_entry *e, size_t n, ktime_t deadline, struct park_kept *keep)
{
	long r;

	queue_all(t, e, n);
	task_park_with(t, keep, deadline);
	r = ask_all(t, e, n);
	r = task_park_result(t, r ? r : -EAGAIN);
	return r == -EAGAIN ? 0 : (int)r;
}

int poll_wait(struct task *t, struct poll_entry *e, size_t n, ktime_t deadline, struct park_kept *keep)
{
	int r = ask_all(t, e, n);

	if (r || deadline <= ktime_mono(t->kernel))
		return r;
	if (n && keep && task_can_park(t)) {
		r = wait_parked(t, e, n, deadline, keep);
		if (r)
			return r;
	}
	queue_all(t, e, n);
	for (;;) {
		int s;

		r = ask_all(t, e, n);
		if (r)
			break;
		s = task_sleep(t, deadline);
		if (s < 0) {
			r = ask_all(t, e, n);
			if (!r && s != -ETIMEDOUT)
				r = s;
			break;
		}
	}
	poll_leave(e, n);
	return r;
}
