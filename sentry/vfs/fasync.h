/*
 * fasync.h - who is told by signal about an open file: F_SETOWN, O_ASYNC, SIGIO, SIGURG (fcntl(2)).
 *
 * A file that has been given an owner, a signal, or O_ASYNC has a struct fowner (file->owner).  Kinds that know
 * O_ASYNC (FILE_ASYNC) say in the events of waitq_wake() what a signal would tell (ASYNC_*, beside POLL*): the
 * owner's waiter hears those bits only.  Leases and dnotify name the owner themselves (fowner_tell()).
 *
 * Waiters run under locks that signals may not be sent under, so what they hear is queued in the kernel's
 * struct sigio and sent by whoever comes first: the end of the call that caused it (so that a
 * process that writes to itself has the signal when write(2) returns), or the timer thread.
 *
 * Life:  the file holds one reference, each queued event another.
 * Locks: fo->mu (RANK_LEAF) guards the owner; sigio->mu (RANK_LEAF) the queue; sigio->flush_mu (RANK_FPOS)
 *        is held while events are sent, so that nobody returns before what it caused is sent.
 */
#pragma once
#include <signal.h>
#include "platform/base/waitq.h"
#include "sentry/vfs/file.h"

/* In waitq_wake(), beside POLL* (which end below bit 16). */
#define ASYNC_IN    (1u << 16)          /* POLL_IN */
#define ASYNC_OUT   (1u << 17)          /* POLL_OUT */
#define ASYNC_SPACE (1u << 18)          /* POLL_OUT, to those who found no room since the last one */
#define ASYNC_ERR   (1u << 19)          /* POLL_ERR */
#define ASYNC_HUP   (1u << 20)          /* POLL_HUP */
#define ASYNC_URG   (1u << 21)          /* SIGURG */

#define LX_F_GETOWNER_UIDS 17           /* fcntl(2); not in every libc */

struct kernel;
struct landlock;
struct task;
struct tgroup;

struct fowner {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	struct file *file;                      /* immutable: borrowed; for the waiter, which goes before it */
	struct waiter w;                        /* on file->wq, if the kind knows O_ASYNC */
	struct mutex mu;                        /* RANK_LEAF: all below */
	int type;                               /* F_OWNER_* */
	struct task *task;                      /* F_OWNER_TID: a reference, or NULL */
	struct tgroup *tg;                      /* F_OWNER_PID: a reference, or NULL */
	int pgid;                               /* F_OWNER_PGRP; 0: none */
	u32 uid, euid;                          /* of who said so */
	struct landlock *by;                    /* the same one's layers: a reference, or NULL */
	struct tgroup *by_tg;                   /* with by: the same one's process, which they do not keep from itself; a reference */
	int sig;                                /* F_SETSIG; 0: SIGIO, without information */
	bool on;                                /* O_ASYNC */
	bool no_room;                           /* atomic: no room was found: ASYNC_SPACE is due */
	int fd;                                 /* by which O_ASYNC was set */
};

void sigio_init(struct kernel *k);
/* Send what is queued: at the end of each call, without any lock. */
void sigio_flush(struct kernel *k);
bool sigio_pending(struct kernel *k);

/* fcntl(2): F_SETOWN, F_GETOWN, F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG, F_GETOWNER_UIDS. */
long fowner_fcntl(struct task *t, struct file *f, int cmd, u64 arg) must_check;
int fowner_set(struct task *t, struct file *f, int who) must_check;     /* F_SETOWN */
int fowner_get(struct task *t, struct file *f);                         /* F_GETOWN */
/* The caller's process, or process group @pgid, unless the file has an owner. */
int fowner_default(struct task *t, struct file *f, int pgid) must_check;
void fowner_clear(struct file *f);              /* nobody, and no F_SETSIG */
/* O_ASYNC on or off, by descriptor @fd. 0; the flag does not change if the kind does not know it. */
int fasync_set(struct task *t, struct file *f, int fd, bool on) must_check;
/* Tell the owner, if any: @reason is POLL_*. May be called with any lock but those of rank LEAF and later. */
void fowner_tell(struct file *f, int fd, int reason);
/* A kind found no room for more: the next ASYNC_SPACE is to be told. */
void fasync_no_room(struct file *f);
void fowner_file_gone(struct file *f);          /* from file_unref() */
