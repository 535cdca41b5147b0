/*
 * hoststream.h - a host descriptor that guests wait for and read: what standard streams and host sockets share.
 *
 * Waiting: nothing blocks here.  Who wants to be woken is queued on wq before it asks; hoststream_poll() and
 * hoststream_arm() then arm the watcher, which disarms itself at the first event that nobody waits for.
 * Bytes read from the host that a faulting reader could not take are kept for the next one.
 *
 * Locks: h->mu (RANK_FILE) guards armed and pend.
 */
#pragma once
#include "sentry/core/iobuf.h"
#include "platform/base/waitq.h"
#include "sentry/fs/hostfile/hostpoll.h"

struct hoststream {
	struct kernel *kernel;                  /* immutable */
	hostfd_t fd;                            /* immutable, owned; HOSTFD_NONE: taken away again */
	bool watched;                           /* immutable: else always ready */
	struct waitq wq;
	struct hostpoll_item item;
	struct mutex mu;                        /* RANK_FILE */
	bool armed GUARDED_BY(mu);
	u8 *pend GUARDED_BY(mu);                /* owned; NULL = nothing */
	size_t pend_off, pend_len;              /* guarded by mu */
};

/* @watch false: a file that is always ready, as those are that the host cannot watch.  On failure @fd stays the caller's. */
int hoststream_init(struct hoststream *h, struct kernel *k, hostfd_t fd, bool watch) must_check;
void hoststream_done(struct hoststream *h);
void hoststream_arm(struct hoststream *h);
u32 hoststream_poll(struct hoststream *h);      /* POLL* bits now */
/* What an earlier reader left: bytes, 0 = nothing, -EFAULT. */
ssize_t hoststream_take(struct hoststream *h, struct iobuf *b) must_check;
void hoststream_keep(struct hoststream *h, const u8 *p, size_t n);
