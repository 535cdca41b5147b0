/*
 * net_rx.c - who receives from the links.
 *
 * To wake a thread costs more than to take a frame in, so what comes should wake the thread that needs it.
 * The links have one owner at a time:
 *
 *   RX_THREAD  the receiving thread sleeps at the links, as long as nobody else has reason to
 *   RX_TASK    a task that waits for a socket sleeps at the links in its stead (task_block.c), or
 *              one that found nothing to read looks for itself
 *   RX_NONE    frames came a moment ago: the next task that waits takes over, and the thread
 *              only looks in every millisecond, lest a busy task leave frames lying
 *
 * The thread goes back to the links when a tick brought no frame, and sleeps for good when a task has been
 * waiting at them for QUIET_TICKS; that task wakes it when it leaves.  With several tasks asleep for the
 * network, the thread receives for all: a task that went away with its own frame would leave the others'.
 *
 * A sandbox that did not get the CPU for some milliseconds finds hundreds of frames. Taken in at once they would overflow a
 * socket for datagrams before its reader runs, so whoever receives waits a tick when a reader falls behind
 * (stack_rx_behind()). The others must not suffer: waiting is limited to a part of the time, see hold().
 */
#include "sentry/socket/net_rx.h"

#include <errno.h>
#include <stdatomic.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/host/futex.h"
#include "platform/host/packet.h"
#include "sentry/kernel/kernel.h"
#include "sentry/socket/net.h"

#define RX_BUDGET   16              /* frames at a time: what they carry should still be in the cache when it is read */
#define TICK_NS     1000000
#define QUIET_TICKS 100
#define HOLD_MAX_NS 20000000        /* wait no longer in one go ... */
#define HOLD_PART   3               /* ... and one part in so many of the time beyond that */

enum rx_owner { RX_NONE, RX_THREAD, RX_TASK };
enum rx_word { THREAD_CALLED, THREAD_TICKS, THREAD_ASLEEP };

struct net_rx {
	struct kernel *kernel;          /* immutable */
	struct net *net;                /* immutable, borrowed: the first namespace stays */
	hostfd_t fd[HOST_POLL_MAX];     /* [0] ends a wait; then the links: written before they count, -1 by the owner */
	u32 ifindex[HOST_POLL_MAX];
	_Atomic u32 n;                  /* in fd[] */
	_Atomic u32 owner;              /* enum rx_owner: who may touch the links */
	_Atomic u32 word;               /* futex of the thread: enum rx_word */
	_Atomic u32 frames;             /* taken in so far, by anybody */
	_Atomic s32 asleep;             /* tasks that sleep for the network and do not receive */
	s64 hold_ns, hold_mark;         /* of the links' owner: how long it may wait, as of when */
	bool running;                   /* the thread exists; of the control loop, which adds links */
};

static ssize_t port_readv(void *ctx, const struct iovec *iov, int n)
{
	return host_readv(*(hostfd_t *)ctx, iov, n);
}

/* Without a descriptor nothing leaves: the link is there to be looked at. */
static ssize_t port_writev(void *ctx, const struct iovec *iov, int n)
{
	const hostfd_t *fd = ctx;
	ssize_t all = 0;

	for (int i = 0; i < n && fd->fd < 0; i++)
		all += (ssize_t)iov[i].iov_len;
	return all ? all : host_writev(*fd, iov, n);
}

static const struct link_fd_ops port_ops = { .readv = port_readv, .writev = port_writev };

static bool own(struct net_rx *n, enum rx_owner who)
{
	u32 none = RX_NONE;

	return atomic_load_explicit(&n->owner, memory_order_relaxed) == RX_NONE &&
	       atomic_compare_exchange_strong(&n->owner, &none, who);
}

/* Take in what is there.  The caller owns the links. */
static u32 take_in(struct net_rx *n)
{
	u32 links = atomic_load(&n->n), got = 0;

	for (u32 i = 1; i < links; i++) {
		int r = link_fd_rx(net_stack(n->net), n->ifindex[i], RX_BUDGET);

		if (r == -ENODEV)
			n->fd[i].fd = -1;       /* the link is gone, and poll() would never end */
		got += (u32)MAX(r, 0);
	}
	if (got) {
		atomic_fetch_add_explicit(&n->frames, got, memory_order_relaxed);
		net_run(n->net);
	}
	return got;
}

static s64 tick_from_now(struct net_rx *n)
{
	return ktime_mono(n->kernel) - n->kernel->mono_offset + TICK_NS;
}

/* Should frames wait a tick, for a reader that is behind?  The caller owns the links. */
static bool hold(struct net_rx *n)
{
	s64 now;

	if (!stack_rx_behind(net_stack(n->net)))
		return false;
	now = ktime_mono(n->kernel);
	n->hold_ns = MIN(n->hold_ns + (now - n->hold_mark) / HOLD_PART, HOLD_MAX_NS);
	n->hold_mark = now;
	if (n->hold_ns < TICK_NS)
		return false;
	n->hold_ns -= TICK_NS;
	return true;
}

/* ---- the thread ---- */

/* Sleep for good while a task waits at the links. */
static void sleep_deep(struct net_rx *n)
{
	u32 ticks = THREAD_TICKS;

	if (!atomic_compare_exchange_strong(&n->word, &ticks, THREAD_ASLEEP))
		return;
	while (atomic_load(&n->owner) == RX_TASK && atomic_load(&n->word) == THREAD_ASLEEP)
		(void)host_futex_wait(&n->word, THREAD_ASLEEP, INT64_MAX);
	atomic_store(&n->word, THREAD_TICKS);
}

/* Until the links need the thread. */
static void watch(struct net_rx *n)
{
	u32 seen = atomic_load(&n->frames), now, quiet = 0;

	while (atomic_load(&n->owner) == RX_TASK || atomic_load(&n->asleep) == 0) {
		(void)host_futex_wait(&n->word, THREAD_TICKS, tick_from_now(n));
		if (atomic_exchange(&n->word, THREAD_TICKS) == THREAD_CALLED)
			continue;
		now = atomic_load(&n->frames);
		quiet = now == seen ? quiet + 1 : 0;
		seen = now;
		if (atomic_load(&n->owner) != RX_TASK) {
			if (quiet)
				return;
		} else if (quiet >= QUIET_TICKS) {
			sleep_deep(n);
			quiet = QUIET_TICKS - 2;        /* a task that only left for its timer is back soon */
		}
	}
}

static int sleep_at_links(struct net_rx *n, s64 deadline)
{
	int r = host_poll_wait(n->fd, atomic_load(&n->n), deadline);

	if (r > 0 && (r & 1))
		host_event_clear(n->fd[0]);
	return r > 0 ? r > 1 : r;
}

static void *rx_main(void *arg)
{
	struct net_rx *n = arg;

	for (;;) {
		bool held = false;
		int r;

		if (!own(n, RX_THREAD)) {
			watch(n);
			continue;
		}
		r = sleep_at_links(n, INT64_MAX);
		while (r > 0 && take_in(n) >= RX_BUDGET && !(held = hold(n)))
			;
		atomic_store(&n->word, THREAD_TICKS);
		atomic_store(&n->owner, RX_NONE);
		if (r < 0)
			return NULL;
		if (held)
			(void)host_futex_wait(&n->word, THREAD_TICKS, tick_from_now(n));
		if (r > 0)
			watch(n);
	}
}

static void call_thread(struct net_rx *n)
{
	if (atomic_exchange(&n->word, THREAD_CALLED) != THREAD_CALLED)
		host_futex_wake(&n->word, 1);
}

/* ---- tasks ---- */

static bool rx_begin(struct kernel *k)
{
	struct net_rx *n = k->net_rx;

	return atomic_load_explicit(&n->n, memory_order_relaxed) > 1 && atomic_load(&n->asleep) == 0 &&
	       own(n, RX_TASK);
}

static int rx_wait(struct kernel *k, s64 deadline)
{
	struct net_rx *n = k->net_rx;
	s64 tick;
	int r;

	if (!hold(n))
		return sleep_at_links(n, deadline);
	tick = tick_from_now(n);
	r = host_poll_wait(n->fd, 1, MIN(tick, deadline));      /* until woken, or the tick */
	if (r > 0)
		host_event_clear(n->fd[0]);
	return r == -ETIMEDOUT && tick < deadline ? 0 : MIN(r, 0);
}

static void rx_receive(struct kernel *k) { take_in(k->net_rx); }

static void rx_end(struct kernel *k)
{
	struct net_rx *n = k->net_rx;

	atomic_store(&n->owner, RX_NONE);
	if (atomic_load(&n->asleep) > 0 || atomic_load(&n->word) == THREAD_ASLEEP)
		call_thread(n);
}

static void rx_poke(struct kernel *k) { host_event_set(k->net_rx->fd[0]); }

static void rx_asleep(struct kernel *k, int d)
{
	struct net_rx *n = k->net_rx;

	/* Who goes to sleep while a task receives relies on that task, which may leave: rx_end() calls the thread. */
	atomic_fetch_add(&n->asleep, d);
	if (d > 0 && atomic_load(&n->owner) == RX_NONE && atomic_load(&n->n) > 1)
		call_thread(n);
}

static const struct receive_ops receive_ops = {
	.begin = rx_begin, .wait = rx_wait, .receive = rx_receive, .end = rx_end, .poke = rx_poke, .asleep = rx_asleep,
};

/* ---- set-up ---- */

int net_rx_new(struct kernel *k, struct net *n)
{
	struct net_rx *rx = knew(struct net_rx);
	int r;

	if (!rx)
		return -ENOMEM;
	rx->kernel = k;
	rx->net = n;
	r = host_event_new(&rx->fd[0]);
	if (r < 0) {
		kfree(rx);
		return r;
	}
	atomic_store(&rx->n, 1);
	k->net_rx = rx;
	k->receive = &receive_ops;
	return 0;
}

int net_add_link(struct kernel *k, const struct link_cfg *cfg, hostfd_t fd)
{
	struct net_rx *rx = k->net_rx;
	u32 i = atomic_load(&rx->n);
	hostfd_t *port;
	int r, e = 0;

	if (i == HOST_POLL_MAX)
		return -ENOSPC;
	port = knew(hostfd_t);
	if (!port)
		return -ENOMEM;
	*port = fd;
	r = link_add_fd(net_stack(rx->net), cfg, &port_ops, port, true);
	if (r < 0) {
		kfree(port);
		return r;
	}
	if (fd.fd < 0)
		return r;
	rx->fd[i] = fd;
	rx->ifindex[i] = (u32)r;
	atomic_store(&rx->n, i + 1);
	host_event_set(rx->fd[0]);      /* who sleeps at the others looks again */
	if (!rx->running) {
		e = net_thread(rx_main, rx);
		rx->running = e == 0;
	}
	return e < 0 ? e : r;
}
