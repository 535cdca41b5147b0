/*
 * poll.c - see poll.h.
 *
 * The files are asked once without queueing (most calls find something); only
 * then is a waiter queued on each and everything asked again, so that no
 * change between the question and the sleep is lost.
 */
#include "sentry/vfs/poll.h"

#include "platform/base/alloc.h"
#include "sentry/core/errno.h"

#define PARK_MAX 32u            /* files of a call that is set aside rather than asleep */

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

/* Set the call aside.  0: it must sleep. */
static int wait_parked(struct task *t, struct poll_entry *e, size_t n, ktime_t deadline)
{
	struct park_wait *w = kbuf_array(n, sizeof(*w));
	u32 interest[PARK_MAX], k = 0;
	long r;

	if (!w)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!e[i].f)
			continue;
		w[k] = (struct park_wait){ .file = file_ref(e[i].f), .wq = e[i].wq };
		interest[k++] = e[i].events;
	}
	task_park_on_many(t, w, k, interest, deadline);
	r = ask_all(t, e, n);
	r = task_park_result(t, r ? r : -EAGAIN);
	return r == -EAGAIN ? 0 : (int)r;
}

int poll_wait(struct task *t, struct poll_entry *e, size_t n, ktime_t deadline)
{
	int r = ask_all(t, e, n);

	if (r || deadline <= ktime_mono(t->kernel))
		return r;
	if (n && n <= PARK_MAX && task_can_park(t)) {
		r = wait_parked(t, e, n, deadline);
		if (r)
			return r;
	}
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
