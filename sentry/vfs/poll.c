/*
 * poll.c - see poll.h.
 *
 * The files are asked once without queueing (most calls find something); only
 * then is a waiter queued on each and everything asked again, so that no
 * change between the question and the sleep is lost.
 */
#include "sentry/vfs/poll.h"

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

int poll_wait(struct task *t, struct poll_entry *e, size_t n, ktime_t deadline)
{
	int r = ask_all(t, e, n);

	if (r || deadline <= ktime_mono(t->kernel))
		return r;
	for (size_t i = 0; i < n; i++) {
		task_waiter_init(&e[i].tw, t, e[i].events);
		if (e[i].f)
			waitq_add(e[i].wq, &e[i].tw.w);
	}
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
	for (size_t i = 0; i < n; i++)
		if (e[i].f)
			waitq_del(e[i].wq, &e[i].tw.w);
	return r;
}
