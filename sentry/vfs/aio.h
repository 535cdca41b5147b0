/*
 * aio.h - native asynchronous I/O (io_setup(2) and its kin): contexts and their requests.
 *
 * A context collects the results of requests until they are fetched.  Reads, writes and
 * syncs are done while they are submitted, as Linux does for everything but O_DIRECT on
 * disks; a poll request stays until its file is ready.
 *
 * Life:  a context hangs from its mm, and goes with io_destroy or the mm; calls in progress
 *        hold references.  A request belongs to its context from aio_req_new() on.
 */
#pragma once
#include "sentry/time/ktime.h"
#include "sentry/vfs/file.h"

struct kernel;
struct mm;
struct aio_ring;
struct aio_req;

#define AIO_MAX_NR 65536u               /* fs.aio-max-nr: the sizes of all contexts together */

/* A context for @nr requests; its name is the address of a page of the caller, which must have a frame. */
int aio_setup(struct task *t, u32 nr, gaddr_t *ret_id) must_check;
/* -EINVAL: there is none. Needs a frame. */
int aio_destroy(struct task *t, gaddr_t id) must_check;
/* All contexts of a dying address space. */
void aio_exit(struct mm *mm);

struct aio_ring *aio_find(struct task *t, gaddr_t id) must_check;      /* counted, or NULL */
void aio_unref(struct aio_ring *r);                                     /* NULL is fine */
static inline void aio_unref_p(struct aio_ring **r) { aio_unref(*r); }
#define auto_aio cleanup_with(aio_unref_p) struct aio_ring

/* Room for one result: -EAGAIN if the context is full, -EINVAL if it is being destroyed. */
int aio_req_new(struct aio_ring *r, u64 data, u64 obj, struct aio_req **ret) must_check;
/* Exactly one of these follows. */
void aio_req_drop(struct aio_req *q);
void aio_req_done(struct aio_req *q, s64 res);
void aio_req_poll(struct aio_req *q, struct file *f, u32 events);       /* @f is referenced */

/* -EINPROGRESS: the poll request submitted as @obj ends now, and says so as usual; -EINVAL: there is none. */
int aio_cancel(struct aio_ring *r, u64 obj) must_check;
/*
 * Hand out at least @min and at most @max results (struct io_event at @dst).  How many; fewer
 * after the deadline (0: don't wait) or a signal; with none, -ERESTARTSYS for a signal.
 */
long aio_fetch(struct task *t, struct aio_ring *r, long min, long max, gaddr_t dst, ktime_t deadline) must_check;
