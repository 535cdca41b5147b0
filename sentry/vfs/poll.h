/*
 * poll.h - waiting for several files at once: what poll(2) and select(2) are made of.
 *
 * An entry names a file by a reference that the caller owns (NULL: the entry is skipped,
 * or already has its answer in revents).  Entries live for one call.
 */
#pragma once
#include "sentry/kernel/task.h"
#include "sentry/vfs/file.h"

struct poll_entry {
	struct file *f;                 /* owned by the maker of the entry */
	u32 events;                     /* POLL* bits wanted; poll(2) adds ERR and HUP */
	u32 revents;                    /* out: those that are true */
	struct task_waiter tw;          /* poll.c's, like the next */
	struct waitq *wq;
};

/*
 * How many entries have something to tell; waits for the first until @deadline.
 * Entries that come with revents set (POLLNVAL) count.  0 after the deadline, or -ERESTARTSYS.  @keep, if not NULL, holds the entries, and calls
 * poll_leave() when it is to leave; then -EPARKED is possible, and it is the task's.
 */
int poll_wait(struct task *t, struct poll_entry *e, size_t n, ktime_t deadline, struct park_kept *keep) must_check;
void poll_leave(struct poll_entry *e, size_t n);
