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
 * Who only sleeps at the links can be deposed (own()) by a task that is about to sleep itself: that one was
 * busy a moment ago, and the next frame is for it more likely than for a server that has idled for long.  The deposed one
 * wakes with the next frame or call, finds its ticket void, and sleeps elsewhere.  A task that has taken in SERVES
 * batches for others while it slept leaves by itself: they are for somebody who runs, and who looks when it must
 * wait, or has sent much (rx_look()).  So one worker does all for a bulk transfer: two would take turns on one CPU, or
 * the receiver would wait for that CPU behind the very sender it should answer.
 *
 * The thread goes back to the links when a tick brought no frame, and sleeps for good when a task has been
 * waiting at them for QUIET_TICKS; that task wakes it when it leaves.
 *
 * Whether tasks receive while others are asleep for the network is decided by what that paid lately (pays).  A task that takes
 * frames in for others, or is called away from the links by them, loses more than it saves, and one that went
 * away with its own frame may leave those of others lying until the next tick.  Then the thread receives for
 * several sleepers, until it has done so for a while.
 *
 * A sandbox that did not get the CPU for some milliseconds finds hundreds of frames. Taken in at once they would overflow a
 * socket for datagrams before its reader runs, so whoever receives waits a tick when a reader falls behind
 * (stack_rx_behind()). The others must not suffer: waiting is limited to a part of the time, see hold().
 */
#include "sentry/socket/net_rx.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/host/futex.h"
#include "platform/host/packet.h"
#include "platform/host/xdp.h"
#include "sentry/kernel/kernel.h"
#include "sentry/socket/net.h"

#define RX_BUDGET   16              /* frames at a time: what they carry should still be in the cache when it is read */
#define TICK_NS     1000000
#define NAP_NS      50000
#define QUIET_TICKS 100
#define HOLD_MAX_NS 20000000        /* wait no longer in one go ... */
#define PAYS_MAX    16              /* of what receiving by tasks paid; each batch of frames is worth 1 */
#define PAYS_MIN    (-512)          /* where it falls at once when it becomes negative */
#define SERVES      4               /* batches that a task takes in for others: who needs so many takes them in itself */
#define PAYS_OTHERS 4               /* lost by a batch that woke others */
#define PAYS_LATE   8               /* ... that had lain there while they slept */
#define HOLD_PART   3               /* ... and one part in so many of the time beyond that */

/* The owner's word: who, whether it only sleeps there (then it may be taken from it), and how often it changed hands. */
enum rx_owner { RX_NONE, RX_THREAD, RX_TASK, RX_WHO = 3, RX_SLEEPS = 4, RX_TURN = 8 };
enum rx_word { THREAD_CALLED, THREAD_TICKS, THREAD_ASLEEP };

struct net_rx {
	struct kernel *kernel;          /* immutable */
	struct net *net;                /* immutable, borrowed: the first namespace stays */
	hostfd_t fd[HOST_POLL_MAX];     /* [0] ends a wait; then the links: written before they count, -1 by the owner */
	u32 ifindex[HOST_POLL_MAX];
	_Atomic u32 n;                  /* in fd[] */
	_Atomic u32 owner;              /* enum rx_owner: who may touch the links */
	_Atomic u32 pollers;            /* who sleeps in sleep_at(): the owner, and those it was taken from */
	_Atomic u32 word;               /* futex of the thread: enum rx_word */
	_Atomic u32 frames;             /* taken in so far, by anybody */
	_Atomic s32 asleep;             /* tasks that sleep for the network and do not receive */
	_Atomic s32 pays;               /* tasks should receive for sleepers too, as long as it is not negative */
	u32 served;                     /* of a task that owns the links: batches that were not for it */
	u32 look;                       /* of the links' owner: frames that the next look takes in */
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

static ssize_t xdp_readv(void *ctx, const struct iovec *iov, int n) { return host_xdp_readv(ctx, iov, n); }
static ssize_t xdp_writev(void *ctx, const struct iovec *iov, int n) { return host_xdp_writev(ctx, iov, n); }

static const struct link_fd_ops xdp_ops = { .readv = xdp_readv, .writev = xdp_writev };

static enum rx_owner owner(struct net_rx *n) { return atomic_load(&n->owner) & RX_WHO; }

/* Become the owner; the ticket that shows it, or 0.  @take: from one who sleeps there, too. */
static u32 own(struct net_rx *n, enum rx_owner who, bool take)
{
	u32 old = atomic_load_explicit(&n->owner, memory_order_relaxed), mine;

	if ((old & RX_WHO) != RX_NONE && !(take && (old & RX_SLEEPS)))
		return 0;
	mine = ((old & ~(RX_TURN - 1u)) + RX_TURN) | who;
	return atomic_compare_exchange_strong(&n->owner, &old, mine) ? mine : 0;
}

/* False: it was taken from us. */
static bool disown(struct net_rx *n, u32 ticket)
{
	return atomic_compare_exchange_strong(&n->owner, &ticket, ticket & ~(RX_TURN - 1u));
}

static void paid(struct net_rx *n, s32 d)
{
	s32 was = atomic_load_explicit(&n->pays, memory_order_relaxed), v = MIN(was + d, PAYS_MAX);

	if (v < 0 && d < 0)
		v = PAYS_MIN;
	else if (v >= 0 && was < 0)
		v = PAYS_MAX;
	atomic_store_explicit(&n->pays, v, memory_order_relaxed);
}

static bool tasks_receive(struct net_rx *n) { return atomic_load_explicit(&n->pays, memory_order_relaxed) >= 0; }

/* Take in what is there, at most @budget frames a link.  The caller owns the links. */
static u32 take_in(struct net_rx *n, int budget)
{
	u32 links = atomic_load(&n->n), got = 0;

	for (u32 i = 1; i < links; i++) {
		int r = link_fd_rx(net_stack(n->net), n->ifindex[i], budget);

		if (r == -ENODEV || r == -EBADFD)       /* the latter: a TAP */
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
	while (owner(n) == RX_TASK && atomic_load(&n->word) == THREAD_ASLEEP)
		(void)host_futex_wait(&n->word, THREAD_ASLEEP, INT64_MAX);
	atomic_store(&n->word, THREAD_TICKS);
}

/* Until the links need the thread. */
static void watch(struct net_rx *n)
{
	u32 seen = atomic_load(&n->frames), now, quiet = 0;

	while (owner(n) == RX_TASK || atomic_load(&n->asleep) == 0 || tasks_receive(n)) {
		(void)host_futex_wait(&n->word, THREAD_TICKS, tick_from_now(n));
		if (atomic_exchange(&n->word, THREAD_TICKS) == THREAD_CALLED) {
			if (atomic_load(&n->asleep) > 0 && owner(n) == RX_NONE)
				return;
			continue;
		}
		now = atomic_load(&n->frames);
		quiet = now == seen ? quiet + 1 : 0;
		seen = now;
		if (owner(n) != RX_TASK) {
			if (quiet)
				return;
		} else if (quiet >= QUIET_TICKS) {
			sleep_deep(n);
			quiet = QUIET_TICKS - 2;        /* a task that only left for its timer is back soon */
		}
	}
}

/* The call has been heard.  It may have been for who owns the links by now, or has come to sleep here since. */
static void clear_call(struct net_rx *n, u32 mine)
{
	u32 now;

	host_event_clear(n->fd[0]);
	now = atomic_load(&n->owner);
	if (atomic_load(&n->pollers) || ((now & RX_WHO) == RX_TASK && (now & ~(u32)RX_SLEEPS) != mine))
		host_event_set(n->fd[0]);
}

/*
 * Sleep at the first @links descriptors and @also: as receive_ops.wait.  A call is for all who sleep here: it stays
 * until the last has heard it.  @mine: the owner's ticket; @stealable: others may take the links meanwhile, and only once
 * we are counted, so that whoever may be called is the owner or among the pollers.
 */
static int sleep_at(struct net_rx *n, u32 mine, bool stealable, u32 links, s64 deadline, hostfd_t also)
{
	hostfd_t fd[HOST_POLL_MAX];
	u32 others;
	int r, bits = 0;

	memcpy(fd, n->fd, links * sizeof(fd[0]));
	fd[links] = also;
	atomic_fetch_add(&n->pollers, 1);
	if (stealable)
		atomic_store(&n->owner, mine | RX_SLEEPS);
	r = host_poll_wait(fd, links + (also.fd >= 0), deadline);
	others = atomic_fetch_sub(&n->pollers, 1) - 1;
	if (r <= 0)
		return r;
	if ((r & 1) && !others)
		clear_call(n, mine);
	else if (r & 1)
		(void)host_futex_wait(&n->pollers, others, tick_from_now(n) - TICK_NS + NAP_NS);      /* and do not spin until then */
	if (r & (1 << links))
		bits |= RECEIVE_ALSO;
	if (r & ((1 << links) - 2))
		bits |= RECEIVE_FRAME;
	return bits;
}

/* As sleep_at(), by the owner, from whom others may take the links meanwhile: then *@ticket is 0. */
static int sleep_stealable(struct net_rx *n, u32 *ticket, u32 links, s64 deadline, hostfd_t also)
{
	u32 asleep = *ticket | RX_SLEEPS;
	int r;

	r = sleep_at(n, *ticket, true, links, deadline, also);
	if (!atomic_compare_exchange_strong(&n->owner, &asleep, *ticket))
		*ticket = own(n, *ticket & RX_WHO, false);
	return r;
}

/* One batch, by the thread.  @late: it was there before the thread came, when that many were @asleep. */
static u32 take_in_for_all(struct net_rx *n, bool late, s32 asleep)
{
	u32 got = take_in(n, RX_BUDGET);

	if (got)
		paid(n, late && atomic_load(&n->asleep) < asleep ? -PAYS_LATE : 1);
	return got;
}

static void *rx_main(void *arg)
{
	struct net_rx *n = arg;

	for (;;) {
		bool held = false;
		bool late;
		s32 asleep = atomic_load(&n->asleep);
		u32 ticket = own(n, RX_THREAD, false);
		int r;

		if (!ticket) {
			watch(n);
			continue;
		}
		r = sleep_at(n, ticket, false, atomic_load(&n->n), 0, HOSTFD_NONE);
		late = r > 0;
		if (r == -ETIMEDOUT)
			r = sleep_stealable(n, &ticket, atomic_load(&n->n), INT64_MAX, HOSTFD_NONE);
		if (!ticket) {
			watch(n);
			continue;
		}
		while (r > 0 && take_in_for_all(n, late, asleep) >= RX_BUDGET && !(held = hold(n)))
			;
		atomic_store(&n->word, THREAD_TICKS);
		(void)disown(n, ticket);
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

static bool may_receive(struct net_rx *n)
{
	return atomic_load_explicit(&n->n, memory_order_relaxed) > 1 && (atomic_load(&n->asleep) == 0 || tasks_receive(n));
}

static u32 rx_frames(struct kernel *k) { return atomic_load_explicit(&k->net_rx->frames, memory_order_relaxed); }

static bool rx_wanted(struct kernel *k)
{
	struct net_rx *n = k->net_rx;
	u32 now = atomic_load_explicit(&n->owner, memory_order_relaxed);

	return may_receive(n) &&
	       ((now & RX_WHO) == RX_NONE || (now & RX_SLEEPS));
}

static u32 rx_begin(struct kernel *k)
{
	struct net_rx *n = k->net_rx;
	u32 ticket;

	if (!may_receive(n))
		return 0;
	ticket = own(n, RX_TASK, true);
	if (ticket)
		n->served = 0;
	return ticket;
}

static int rx_wait(struct kernel *k, u32 *ticket, s64 deadline, hostfd_t also)
{
	struct net_rx *n = k->net_rx;
	s64 tick;
	int r;

	if (!hold(n)) {
		r = sleep_stealable(n, ticket, atomic_load(&n->n), deadline, also);
		if (r == 0)
			paid(n, -1);
		else if (!*ticket && (r & RECEIVE_FRAME))
			paid(n, -PAYS_OTHERS);
		return *ticket || r < 0 ? r : -EAGAIN;
	}
	tick = tick_from_now(n);
	r = sleep_at(n, *ticket, false, 1, MIN(tick, deadline), also);          /* until woken, or the tick */
	return r == -ETIMEDOUT && tick < deadline ? 0 : r;
}

static bool rx_receive(struct kernel *k)
{
	struct net_rx *n = k->net_rx;
	s32 asleep = atomic_load(&n->asleep);
	bool others;

	if (!take_in(n, RX_BUDGET))
		return true;
	others = atomic_load(&n->asleep) < asleep;
	paid(n, others ? -PAYS_OTHERS : 1);
	return ++n->served < SERVES && (!others || tasks_receive(n));
}

static void rx_end(struct kernel *k, u32 ticket)
{
	struct net_rx *n = k->net_rx;

	if (!disown(n, ticket))
		return;
	if ((atomic_load(&n->asleep) > 0 && !tasks_receive(n)) || atomic_load(&n->word) == THREAD_ASLEEP)
		call_thread(n);
}

/*
 * A task that is busy, and has sent much, looks for what came meanwhile.  Mostly that is one ACK, and to read on until
 * there is nothing costs a call more; what is left there is seen by the next look, the next sleep or the next tick.
 */
static void rx_look(struct kernel *k)
{
	struct net_rx *n = k->net_rx;
	u32 ticket = 0, got;

	if (atomic_load_explicit(&n->n, memory_order_relaxed) > 1 && tasks_receive(n))
		ticket = own(n, RX_TASK, false);
	if (!ticket)
		return;
	got = take_in(n, (int)n->look);
	if (got)
		paid(n, 1);
	n->look = got < n->look ? MAX(got, 1u) : MIN(2 * n->look, (u32)RX_BUDGET);
	rx_end(k, ticket);
}

static void rx_poke(struct kernel *k) { host_event_set(k->net_rx->fd[0]); }

static void rx_asleep(struct kernel *k, int d)
{
	struct net_rx *n = k->net_rx;

	/* Who goes to sleep while a task receives relies on that task, which may leave: rx_end() calls the thread. */
	atomic_fetch_add(&n->asleep, d);
	if (d > 0 && owner(n) == RX_NONE && atomic_load(&n->n) > 1 && (!tasks_receive(n) || atomic_load(&n->word) == THREAD_ASLEEP))
		call_thread(n);
}

static const struct receive_ops receive_ops = {
	.wanted = rx_wanted, .frames = rx_frames, .begin = rx_begin, .wait = rx_wait, .receive = rx_receive, 
	.end = rx_end, .look = rx_look, .poke = rx_poke, .asleep = rx_asleep,
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
	atomic_store(&rx->pays, PAYS_MAX);
	rx->look = RX_BUDGET;
	k->net_rx = rx;
	k->receive = &receive_ops;
	return 0;
}

int net_add_link(struct kernel *k, const struct link_cfg *cfg, hostfd_t fd, struct host_xdp *xdp)
{
	struct net_rx *rx = k->net_rx;
	u32 i = atomic_load(&rx->n);
	hostfd_t *port = NULL;
	int r, e = 0;

	if (i == HOST_POLL_MAX - 1)
		return -ENOSPC;
	if (xdp) {
		r = link_add_fd(net_stack(rx->net), cfg, &xdp_ops, xdp, false);
	} else {
		port = knew(hostfd_t);
		if (!port)
			return -ENOMEM;
		*port = fd;
		r = link_add_fd(net_stack(rx->net), cfg, &port_ops, port, true);
	}
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
