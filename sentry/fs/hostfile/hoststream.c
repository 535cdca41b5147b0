/* hoststream.c - see hoststream.h. */
#include "sentry/fs/hostfile/hoststream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"
#include "platform/host/hostio.h"

#define EVENTS (POLLIN | POLLOUT | POLLRDHUP | POLLPRI)         /* the same bits as EPOLL* */

static bool has_waiters(struct waitq *q)
{
	bool some;

	mutex_lock(&q->mu);
	some = !list_empty(&q->waiters);
	mutex_unlock(&q->mu);
	return some;
}

static void host_event(struct hostpoll_item *it, u32 events)
{
	struct hoststream *h = container_of(it, struct hoststream, item);

	mutex_lock(&h->mu);
	if (h->armed && !has_waiters(&h->wq)) {
		h->armed = false;
		hostpoll_arm(h->kernel, it, 0);
	}
	mutex_unlock(&h->mu);
	waitq_wake(&h->wq, events);
}

int hoststream_init(struct hoststream *h, struct kernel *k, hostfd_t fd, bool watch)
{
	int r;

	h->kernel = k;
	h->fd = fd;
	mutex_init(&h->mu, RANK_FILE);
	waitq_init(&h->wq);
	h->item.fd = fd;
	h->item.fn = host_event;
	list_init(&h->item.node);
	r = watch ? hostpoll_add(k, &h->item) : -EPERM;
	h->watched = r == 0;
	if (r == 0 || r == -EPERM)
		return 0;
	h->fd = HOSTFD_NONE;
	return r;
}

void hoststream_done(struct hoststream *h)
{
	if (h->watched)
		hostpoll_del(h->kernel, &h->item);
	host_close(h->fd);
	kfree(h->pend);
}

/* What is true already is told, too: called with the waiter queued, nothing is missed. */
void hoststream_arm(struct hoststream *h)
{
	mutex_lock(&h->mu);
	if (h->watched && !h->armed && has_waiters(&h->wq)) {
		h->armed = true;
		hostpoll_arm(h->kernel, &h->item, EVENTS);
	}
	mutex_unlock(&h->mu);
}

u32 hoststream_poll(struct hoststream *h)
{
	u32 ev;
	int r;

	hoststream_arm(h);
	r = hostio_poll(h->fd, EVENTS, 0);
	mutex_lock(&h->mu);
	ev = (r < 0 ? POLLERR : (u32)r) | (h->pend ? POLLIN : 0);
	mutex_unlock(&h->mu);
	return ev | (ev & POLLIN ? POLLRDNORM : 0) | (ev & POLLOUT ? POLLWRNORM : 0);
}

ssize_t hoststream_take(struct hoststream *h, struct iobuf *b)
{
	ssize_t n = 0;

	mutex_lock(&h->mu);
	if (h->pend) {
		n = iobuf_put(b, h->pend + h->pend_off, h->pend_len);
		if (n > 0) {
			h->pend_off += (size_t)n;
			h->pend_len -= (size_t)n;
		}
		if (!h->pend_len) {
			kfree(h->pend);
			h->pend = NULL;
		}
	}
	mutex_unlock(&h->mu);
	return n;
}

void hoststream_keep(struct hoststream *h, const u8 *p, size_t n)
{
	u8 *copy = kbuf_alloc(n);

	if (!copy)
		return;
	memcpy(copy, p, n);
	mutex_lock(&h->mu);
	if (!h->pend) {
		h->pend = copy;
		h->pend_off = 0;
		h->pend_len = n;
		copy = NULL;
	}
	mutex_unlock(&h->mu);
	kfree(copy);            /* two readers faulted at once: order is lost anyway */
}
