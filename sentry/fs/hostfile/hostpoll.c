/*
 * hostpoll.c - see hostpoll.h.
 *
 * The thread starts with the first item and lives as long as the sandbox.
 * An event names its item by address; it is honoured only if the item
 * is still in the list, so an event that raced with hostpoll_del() is dropped.
 */
#include "sentry/fs/hostfile/hostpoll.h"

#include <errno.h>
#include <sys/epoll.h>

#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/host/hostfile.h"
#include "platform/host/hostio.h"
#include "platform/host/hthread.h"
#include "sentry/kernel/kernel.h"

struct hostpoll {
	hostfd_t ep;                            /* immutable */
	struct mutex run_mu;                    /* RANK_MOUNT: held while an fn runs */
	struct mutex mu;                        /* RANK_LEAF */
	struct list_head items GUARDED_BY(mu);
};

static bool still_there(struct hostpoll *hp, const struct hostpoll_item *it)
{
	struct hostpoll_item *p;
	bool found = false;

	mutex_lock(&hp->mu);
	list_for_each(p, &hp->items, node) {
		if (p == it) {
			found = true;
			break;
		}
	}
	mutex_unlock(&hp->mu);
	return found;
}

static void *hostpoll_thread(void *arg)
{
	struct hostpoll *hp = arg;
	struct epoll_event ev;

	for (;;) {
		int n = hostio_epoll_wait(hp->ep, &ev, 1, -1);

		if (n < 0) {
			log_error("waiting for host descriptors: errno %d", -n);
			return NULL;
		}
		if (n == 0)
			continue;
		mutex_lock(&hp->run_mu);
		if (still_there(hp, ev.data.ptr)) {
			struct hostpoll_item *it = ev.data.ptr;

			it->fn(it, ev.events);
		}
		mutex_unlock(&hp->run_mu);
	}
}

/* Made on first use, under kernel->mu so that it happens once. */
static int hostpoll_get(struct kernel *k, struct hostpoll **ret)
{
	struct hostpoll *hp;
	int r = 0;

	mutex_lock(&k->mu);
	hp = k->hostpoll;
	if (hp)
		goto out;
	hp = knew(struct hostpoll);
	if (!hp) {
		r = -ENOMEM;
		goto out;
	}
	mutex_init(&hp->run_mu, RANK_MOUNT);
	mutex_init(&hp->mu, RANK_LEAF);
	list_init(&hp->items);
	r = hostio_epoll_new(&hp->ep);
	if (r < 0)
		goto fail;
	r = hthread_start(hostpoll_thread, hp, 128 << 10, HTHREAD_NO_SIGNALS);
	if (r < 0) {
		host_close(hp->ep);
		goto fail;
	}
	k->hostpoll = hp;
out:
	mutex_unlock(&k->mu);
	if (r == 0)
		*ret = hp;
	return r;
fail:
	mutex_unlock(&k->mu);
	kfree(hp);
	return r;
}

int hostpoll_add(struct kernel *k, struct hostpoll_item *it)
{
	struct hostpoll *hp = NULL;
	int r = hostpoll_get(k, &hp);

	if (r < 0)
		return r;
	mutex_lock(&hp->mu);
	list_add_tail(&it->node, &hp->items);
	mutex_unlock(&hp->mu);
	/* HUP and ERR cannot be masked, so a dead descriptor may tell once, at once. */
	r = hostio_epoll_ctl(hp->ep, EPOLL_CTL_ADD, it->fd, EPOLLET, it);
	if (r < 0) {
		mutex_lock(&hp->mu);
		list_del_init(&it->node);
		mutex_unlock(&hp->mu);
	}
	return r;
}

void hostpoll_arm(struct kernel *k, struct hostpoll_item *it, u32 events)
{
	int r = hostio_epoll_ctl(k->hostpoll->ep, EPOLL_CTL_MOD, it->fd, events | EPOLLET, it);

	if (r < 0)
		log_ratelimited("arming a host descriptor: errno %d", -r);
}

void hostpoll_del(struct kernel *k, struct hostpoll_item *it)
{
	struct hostpoll *hp = k->hostpoll;

	(void)!hostio_epoll_ctl(hp->ep, EPOLL_CTL_DEL, it->fd, 0, NULL);
	mutex_lock(&hp->mu);
	list_del_init(&it->node);
	mutex_unlock(&hp->mu);
	mutex_lock(&hp->run_mu);
	mutex_unlock(&hp->run_mu);
}
