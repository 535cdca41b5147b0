/*
 * watch.h - inotify watches on the directories whose names the client caches.
 *
 * A watch is shared by all nodes of one directory and told to the client as
 * (dev, ino).  A directory is watched *before* it is looked into, so that
 * no change falls between.  When watches or instances run out the directory is just not
 * watched, and the client asks every time.
 *
 * Own changes would come back as events; those of a name that we made, moved or
 * removed ourselves are announced with watch_expect() and swallowed (they can't
 * have been merged with somebody else's, as one of a kind can't follow itself). Other kinds are passed on.
 *
 * The kernel frees the watches of an inotify instance after two grace periods, 15 ms
 * and more, for which its last holder's exit waits, and with it whoever waits for the
 * sandbox's end.  So the last holder is not the gofer (watches_bury()): a socket that lies
 * in its own queue, with the instance beside it, belongs to the kernel's collector.
 * While a thread waits in a call on the instance it holds it, too: it waits on an epoll.
 *
 * Locks: w->mu (RANK_LEAF) guards the slots and the expected events.
 */
#pragma once
#include "gofer/path.h"
#include "platform/base/lock.h"

#define WATCH_MAX 8192u
#define WATCH_EXPECT 256u

struct watch {
	int wd;                 /* -1: free, or the kernel dropped it */
	u32 refs;               /* nodes */
	u32 next;               /* in its bucket, or in the free list */
	u64 dev, ino;           /* immutable while in use */
};

struct watch_expected { u64 hash; u32 slot, mask; s64 when; };

struct watches {
	struct mutex mu;                        /* RANK_LEAF */
	int ifd, ready;                         /* immutable; inotify, and an epoll of it alone */
	int grave[2];                           /* immutable; a pair of sockets */
	struct watch *slot;                     /* [WATCH_MAX] */
	u32 *bucket;                            /* by wd */
	u32 free_head, fresh;                   /* slots from fresh on were never used nor touched */
	struct watch_expected expected[WATCH_EXPECT];
	u32 next_expected;
};

int watches_init(struct watches *w, int ifd) must_check;        /* @ifd: of jail_inotify(), or < 0: none */
/* The process is about to end: the caller ends it next.  No other call returns. */
void watches_bury(struct watches *w);
/* Watch the directory @fd; returns its slot or -1. */
int watch_add(struct watches *w, const struct fdlinks *l, int fd, u64 dev, u64 ino);
/* Tell of closes after writing in it as well: it is watched already. */
void watch_closes(struct watches *w, const struct fdlinks *l, int fd);
void watch_put(struct watches *w, int slot);            /* -1 is fine */

/* An event that our own call is about to cause in @slot (-1: none). Returns a token for watch_unexpect(). */
u32 watch_expect(struct watches *w, int slot, u32 mask, const char *name);
void watch_unexpect(struct watches *w, u32 token);      /* the call failed */

/* Body of the thread that tells the client: returns when the client is gone. */
void watch_serve(struct watches *w, int inval_fd);
