/*
 * lock.h - sleeping mutexes with ranks.
 *
 * A thread may only take a lock of strictly greater rank than those it holds
 * (checked in builds with CONFIG_LOCKDEP); two of one rank only through
 * mutex_lock_pair(), which orders by address, or where epolls nest (EPOLL, WAITQ) or overlays do.  The list below is the lock
 * order of the whole sentry, outermost first.  No lock is held across
 * task_sleep().
 */
#pragma once
#include <stdatomic.h>
#include "platform/base/compiler.h"

#define LOCK_RANKS(X) \
	X(FPOS)     /* position of one open file: reading proc takes all */ \
	X(MOUNT)    /* mount table, rename                         */ \
	X(KERNEL)   /* pid tables, family tree, sessions           */ \
	X(TGROUP)   /* signals, job control, timers of one process */ \
	X(TASK)     /* one thread's own fields                     */ \
	X(FS)       /* cwd, root, umask                            */ \
	X(FDTABLE)  /* descriptor numbers                          */ \
	X(IWRITE)   /* writers of one regular file                 */ \
	X(OVERLAY)  /* INODE of an overlay, outer to its layers'    */ \
	X(COPYUP)   /* copies of one overlay to its upper layer    */ \
	X(INODE)    /* directory contents, attributes              */ \
	X(DCACHE)   /* name cache of one super block               */ \
	X(EPOLLNEST) /* adding an epoll to an epoll               */ \
	X(EPOLL)    /* one epoll instance                          */ \
	X(FILE)     /* struct file and what embeds it: pipes, ttys, unix sockets */ \
	X(MM)       /* vma set                                     */ \
	X(MAPPABLE) /* backing of mappings                         */ \
	X(SOCK)     /* netstack endpoint                           */ \
	X(STACK)    /* netstack tables                             */ \
	X(RPC)      /* gofer channel                               */ \
	X(TIMER)    /* timer queue                                 */ \
	X(NOTIFY)   /* inotify: marks and queues                   */ \
	X(WAITQ)    /* list of waiters: callbacks run under it     */ \
	X(READY)    /* epoll's ready list, taken from callbacks    */ \
	X(PLATFORM) /* address spaces, workers                     */ \
	X(LEAF)     /* takes nothing but memory, never blocks      */ \
	X(SLAB)     /* one class of the arena                      */ \
	X(ARENA)    /* the arena's pages                           */

enum lock_rank {
#define X(r) RANK_##r,
	LOCK_RANKS(X)
#undef X
	RANK_COUNT
};

struct CAPABILITY("mutex") mutex {
	_Atomic u32 state;      /* 0 free, 1 held, 2 held with waiters */
	u32 rank;               /* immutable */
};

#define MUTEX_INIT(r) { 0, RANK_##r }

void mutex_init(struct mutex *mu, enum lock_rank rank);
void mutex_lock(struct mutex *mu) ACQUIRES(mu);
bool mutex_trylock(struct mutex *mu) must_check NO_TSA;
void mutex_unlock(struct mutex *mu) RELEASES(mu);
/* In the middle of long work under a lock, with what it guards in order: let others have it, and do what mutex_before_sleep() says. */
void mutex_breathe(struct mutex *mu) REQUIRES(mu);

/* Take two locks of one rank in address order; the same lock twice is taken once. */
void mutex_lock_pair(struct mutex *a, struct mutex *b) NO_TSA;
void mutex_unlock_pair(struct mutex *a, struct mutex *b) NO_TSA;

/*
 * A thread on which others depend even while it waits for a lock (systrap's receiver of traps, whose next
 * trap may be what the lock's holder waits for) names what to do first.  It may take locks whose holders
 * do not wait for such a thread: a wait inside it does not call it again.
 */
void mutex_before_sleep(void (*fn)(void *), void *arg);
/* Just that: for a thread that is about to work for long. */
void mutex_let_others(void);
