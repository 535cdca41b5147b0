/*
 * lock.c - mutexes on a futex word, and the rank check of debug builds.
 *
 * The word is 0 (free), 1 (held) or 2 (held, and somebody may sleep), so an
 * uncontended lock and unlock make no host call.  A contended lock spins for
 * a moment first: critical sections here are short.
 *
 * With CONFIG_LOCKDEP each thread keeps a stack of what it holds, and taking
 * a lock out of order ends the process at once, with both ranks named, even
 * if this run would not have deadlocked.
 */
#include "platform/base/lock.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"

#define SPINS 64

#ifdef CONFIG_LOCKDEP

#define MAX_HELD 32

struct held_locks {
	unsigned int n;
	unsigned int first;     /* those before it are of no account: see dep_apart() */
	const struct mutex *mu[MAX_HELD];
};

static _Thread_local struct held_locks held;

static const char *rank_name(u32 rank)
{
	static const char *const names[] = {
#define X(r) #r,
		LOCK_RANKS(X)
#undef X
	};

	return rank < RANK_COUNT ? names[rank] : "?";
}

/*
 * The ranks from here on may not be held when @rank is taken.  Some nest: the order is that of epolls watching epolls,
 * which epoll_ctl keeps free of loops, and that of overlays upon overlays, where the outer one was made later.
 */
static u32 refused_from(u32 rank)
{
	switch (rank) {
	case RANK_EPOLL:
	case RANK_WAITQ:
	case RANK_COPYUP:
		return rank + 1;
	case RANK_OVERLAY:
		return RANK_COPYUP + 1;
	default:
		return rank;
	}
}

/* @pair: @mu may equal the rank of the newest lock. */
static void dep_acquire(const struct mutex *mu, bool pair)
{
	u32 top = 0;

	for (unsigned int i = 0; i < held.n; i++) {
		if (held.mu[i] == mu)
			log_error("lock %s taken twice by one thread", rank_name(mu->rank));
		BUG_ON(held.mu[i] == mu);
		if (i >= held.first)
			top = MAX(top, held.mu[i]->rank);
	}
	if (held.n > held.first && top >= MAX(refused_from(mu->rank), mu->rank + pair)) {
		log_error("lock %s taken while holding %s", rank_name(mu->rank), rank_name(top));
		bug(__FILE__, __LINE__, "lock order");
	}
}

/* What is taken from now on has no order with what is held: mutex_before_sleep() says why it may. Returns what to set afterwards. */
static unsigned int dep_apart(void)
{
	unsigned int before = held.first;

	held.first = held.n;
	return before;
}

static void dep_together(unsigned int before)
{
	BUG_ON(held.n != held.first);
	held.first = before;
}

static void dep_push(const struct mutex *mu)
{
	BUG_ON(held.n >= MAX_HELD);
	held.mu[held.n++] = mu;
}

static void dep_release(const struct mutex *mu)
{
	for (unsigned int i = held.n; i-- > 0;) {
		if (held.mu[i] != mu)
			continue;
		for (; i + 1 < held.n; i++)
			held.mu[i] = held.mu[i + 1];
		held.n--;
		return;
	}
	bug(__FILE__, __LINE__, "unlock of a lock that this thread does not hold");
}

#else

static void dep_acquire(const struct mutex *mu unused_ok, bool pair unused_ok) { }
static unsigned int dep_apart(void) { return 0; }
static void dep_together(unsigned int before unused_ok) { }
static void dep_push(const struct mutex *mu unused_ok) { }
static void dep_release(const struct mutex *mu unused_ok) { }

#endif

void mutex_init(struct mutex *mu, enum lock_rank rank)
{
	atomic_init(&mu->state, 0);
	mu->rank = rank;
}

static void futex_wait(_Atomic u32 *word, u32 val)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0);
}

static void futex_wake_one(_Atomic u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool try_take(struct mutex *mu)
{
	u32 old = 0;

	return atomic_compare_exchange_strong_explicit(&mu->state, &old, 1, memory_order_acquire,
						       memory_order_relaxed);
}

/* What this thread must let go of before it sleeps: see lock.h. */
static _Thread_local void (*before_sleep)(void *);
static _Thread_local void *before_sleep_arg;

void mutex_before_sleep(void (*fn)(void *), void *arg)
{
	before_sleep = fn;
	before_sleep_arg = arg;
}

/* Once: a lock that is waited for in there is waited for without it, as it may be this one again and again. */
static void call_before_sleep(void)
{
	void (*fn)(void *) = before_sleep;
	unsigned int before;

	if (!fn)
		return;
	before_sleep = NULL;
	before = dep_apart();
	fn(before_sleep_arg);
	dep_together(before);
	before_sleep = fn;
}

static void take_slow(struct mutex *mu)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(&mu->state, memory_order_relaxed) == 0 && try_take(mu))
			return;
		__builtin_ia32_pause();
	}
	call_before_sleep();
	while (atomic_exchange_explicit(&mu->state, 2, memory_order_acquire) != 0)
		futex_wait(&mu->state, 2);
}

static void take(struct mutex *mu, bool pair)
{
	dep_acquire(mu, pair);
	if (unlikely(!try_take(mu)))
		take_slow(mu);
	dep_push(mu);
}

void mutex_lock(struct mutex *mu) NO_TSA
{
	take(mu, false);
}

bool mutex_trylock(struct mutex *mu)
{
	/* No order check: a trylock cannot wait, so it cannot deadlock. */
	if (!try_take(mu))
		return false;
	dep_push(mu);
	return true;
}

void mutex_unlock(struct mutex *mu) NO_TSA
{
	dep_release(mu);
	if (unlikely(atomic_exchange_explicit(&mu->state, 0, memory_order_release) == 2))
		futex_wake_one(&mu->state);
}

void mutex_let_others(void) { call_before_sleep(); }

/* Who sleeps for the lock needs a moment to come; he gets no more than this. */
#define BREATHS 200

void mutex_breathe(struct mutex *mu) NO_TSA
{
	bool wanted = atomic_load_explicit(&mu->state, memory_order_relaxed) == 2;

	mutex_unlock(mu);
	mutex_let_others();
	for (int i = 0; wanted && i < BREATHS && atomic_load_explicit(&mu->state, memory_order_relaxed) == 0; i++)
		(void)sched_yield();
	mutex_lock(mu);
}

void mutex_lock_pair(struct mutex *a, struct mutex *b)
{
	if (a == b) {
		take(a, false);
		return;
	}
	if ((uintptr_t)a > (uintptr_t)b) {
		struct mutex *t = a;

		a = b;
		b = t;
	}
	take(a, false);
	take(b, true);
}

void mutex_unlock_pair(struct mutex *a, struct mutex *b)
{
	mutex_unlock(a);
	if (a != b)
		mutex_unlock(b);
}
