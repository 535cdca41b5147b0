/*
 * hostpoll.h - readiness of the few host descriptors the guest can see (stdio, terminals).
 *
 * One thread per kernel sits in epoll_wait without a timeout.  An item is
 * armed only while somebody cares, and edge-triggered, so a descriptor that
 * nobody waits for costs nothing and a ready one that nobody drains costs one wake-up.
 *
 * Locks: hp->mu (LEAF) guards the list of items.  fn runs on the thread with
 *        only run_mu (MOUNT, the outermost rank) held, so it may take any lock but must not sleep;
 *        hostpoll_del() returns after a running fn, so it is not called from fn.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"

struct kernel;

struct hostpoll_item {
	struct list_head node;                                  /* guarded by hp->mu */
	hostfd_t fd;                                            /* immutable; borrowed */
	void (*fn)(struct hostpoll_item *it, u32 events);       /* immutable; EPOLL* bits */
};

/* Watch @it, not armed.  -EPERM: this kind of file is always ready (regular files). */
int hostpoll_add(struct kernel *k, struct hostpoll_item *it) must_check;
/* Tell of @events (and HUP, ERR) from now, present ones included; 0 disarms. */
void hostpoll_arm(struct kernel *k, struct hostpoll_item *it, u32 events);
void hostpoll_del(struct kernel *k, struct hostpoll_item *it);
