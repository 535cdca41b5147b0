/*
 * sys_poll.c - poll, ppoll, select, pselect6.
 *
 * All become a table of poll_entry.  A call that a signal ends is restarted with
 * the time that is left: poll through restart_syscall, the others by the
 * timeout argument that they have updated (sigset: see signal_swap_mask).
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/time.h>

#include "platform/base/alloc.h"
#include "platform/base/overflow.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/sigset_arg.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/poll.h"

#define FEW 16                          /* entries that live on the stack */
#define SELECT_MAX 65536                /* numbers beyond are open in nobody */

struct poll_table {
	struct poll_entry few[FEW], *e;
	struct pollfd pfew[FEW], *p;
	size_t n;
};

struct select_sets {
	u64 *in[3], *out[3];            /* NULL: the guest gave none */
	gaddr_t addr[3];
	u64 store_few[6 * 16], *store;
	size_t words;
};

/* All that a call has read of its caller's memory, once, though it may be set aside and made again. */
struct poll_call {
	struct park_kept kept;
	struct poll_table pt;
	struct select_sets s;           /* select's */
};

static void table_done(struct poll_table *pt)
{
	for (size_t i = 0; i < pt->n; i++)
		file_unref(pt->e[i].f);
	if (pt->e != pt->few)
		kfree(pt->e);
	if (pt->p != pt->pfew)
		kfree(pt->p);
}

static int table_init(struct poll_table *pt, size_t n)
{
	pt->n = 0;
	pt->e = pt->few;
	pt->p = pt->pfew;
	if (n > FEW) {
		pt->e = kbuf_array(n, sizeof(*pt->e));
		pt->p = pt->e ? kbuf_array(n, sizeof(*pt->p)) : NULL;
		if (!pt->p) {
			kfree(pt->e);
			pt->e = pt->few;
			pt->p = pt->pfew;
			return -ENOMEM;
		}
	} else {
		__builtin_memset(pt->few, 0, sizeof(pt->few));
	}
	pt->n = n;
	return 0;
}

static void call_leave(struct park_kept *k)
{
	struct poll_call *c = container_of(k, struct poll_call, kept);

	poll_leave(c->pt.e, c->pt.n);
}

static void call_free(struct park_kept *k)
{
	struct poll_call *c = container_of(k, struct poll_call, kept);

	table_done(&c->pt);
	if (c->s.store != c->s.store_few)
		kfree(c->s.store);
	kfree(c);
}

/* *@ret_again: it has been read already. NULL: no memory. */
static struct poll_call *call_get(struct task *t, bool *ret_again)
{
	struct park_kept *k = task_call_kept(t);
	struct poll_call *c = k ? container_of(k, struct poll_call, kept) : kbuf_alloc(sizeof(*c));

	*ret_again = k;
	if (k || !c)
		return c;
	c->kept = (struct park_kept){ .leave = call_leave, .free = call_free };
	c->pt.n = 0;
	c->pt.e = c->pt.few;
	c->pt.p = c->pt.pfew;
	c->s.store = c->s.store_few;
	return c;
}

static int poll_read(struct task *t, struct poll_table *pt, gaddr_t fds, u32 n)
{
	int r;

	if (n > task_rlimit(t, RLIMIT_NOFILE))
		return -EINVAL;
	r = table_init(pt, n);
	if (r == 0)
		r = copy_in(t, pt->p, fds, n * sizeof(*pt->p));
	for (size_t i = 0; i < n && r == 0; i++) {
		if (pt->p[i].fd < 0)
			continue;
		pt->e[i].events = (u16)pt->p[i].events | POLLERR | POLLHUP;
		pt->e[i].f = fd_get(t, pt->p[i].fd);
		if (!pt->e[i].f)
			pt->e[i].revents = POLLNVAL;
	}
	return r;
}

static int do_poll(struct task *t, gaddr_t fds, u32 n, ktime_t deadline)
{
	bool again;
	struct poll_call *c = call_get(t, &again);
	int ready, r;

	if (!c)
		return -ENOMEM;
	ready = again ? 0 : poll_read(t, &c->pt, fds, n);
	if (ready == 0)
		ready = poll_wait(t, c->pt.e, c->pt.n, deadline, &c->kept);
	if (ready == -EPARKED)
		return ready;
	if (ready == 0 && signal_pending(t))
		ready = -ERESTARTSYS;           /* also one that the call's own mask lets in */
	if (ready >= 0) {
		for (size_t i = 0; i < c->pt.n; i++)
			c->pt.p[i].revents = (short)c->pt.e[i].revents;
		r = copy_out_late(t, fds, c->pt.p, c->pt.n * sizeof(*c->pt.p));
		if (r < 0)
			ready = r;
	}
	call_free(&c->kept);
	return ready;
}

static long poll_restart(struct task *t)
{
	long r = do_poll(t, GADDR(t->restart_data[0]), (u32)t->restart_data[1], (ktime_t)t->restart_data[2]);

	return r == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : r;
}

long sys_poll(struct task *t, const struct sysargs *a)
{
	int ms = arg_s32(a, 2);
	ktime_t deadline = KTIME_MAX;
	long r;

	if (ms >= 0)
		deadline = ms ? task_call_deadline(t, ktime_add(ktime_mono(t->kernel), ms * 1000000ll)) : 0;
	r = do_poll(t, arg_addr(a, 0), arg_u32(a, 1), deadline);
	if (r != -ERESTARTSYS)
		return r;
	t->restart_fn = poll_restart;
	t->restart_data[0] = arg_addr(a, 0).v;
	t->restart_data[1] = arg_u32(a, 1);
	t->restart_data[2] = (u64)deadline;
	return -ERESTART_RESTARTBLOCK;
}

static ktime_t time_left(struct task *t, ktime_t deadline)
{
	return MAX(deadline - ktime_mono(t->kernel), 0);
}

/* Tell how much of the timeout is left; a fault here is nobody's business (Linux ignores it too). */
static void put_left(struct task *t, gaddr_t addr, ktime_t deadline, bool timeval)
{
	struct timespec ts;
	struct timeval tv;

	if (!addr.v || (t->personality & STICKY_TIMEOUTS))
		return;
	ts = ktime_to_timespec(deadline ? time_left(t, deadline) : 0);
	tv = (struct timeval){ .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };
	if (timeval)
		(void)!copy_out_late(t, addr, &tv, sizeof(tv));
	else
		(void)!copy_out_late(t, addr, &ts, sizeof(ts));
}

long sys_ppoll(struct task *t, const struct sysargs *a)
{
	ktime_t deadline = task_call_deadline(t, KTIME_MAX);
	long r = 0;

	if (!task_call_again(t)) {
		r = timeout_arg(t, arg_addr(a, 2), &deadline);
		if (r == 0)
			r = sigset_arg_use(t, arg_addr(a, 3), arg_size(a, 4));
	}
	if (r < 0)
		return r;
	r = do_poll(t, arg_addr(a, 0), arg_u32(a, 1), deadline);
	if (r != -EPARKED)
		put_left(t, arg_addr(a, 2), deadline, false);
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

/* ---- select ---- */

#define SEL_IN  (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SEL_OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SEL_EX  POLLPRI

/* Timeout and sets are mostly neighbours on the caller's stack: one copy for all of them. */
#define NEAR_MAX 1024u
struct near { u64 lo; size_t n; u8 b[NEAR_MAX]; };

static void near_copy_in(struct task *t, struct near *c, const struct sysargs *a)
{
	u64 lo = UINT64_MAX, hi = 0, end;
	u32 nfds = arg_u32(a, 0);

	c->n = 0;
	for (int i = 1; i <= 4; i++) {
		u64 at = arg_addr(a, i).v;

		if (!at)
			continue;
		if (nfds > NEAR_MAX || add_overflows(at, i == 4 ? sizeof(struct timeval) : ((size_t)nfds + 63) / 64 * 8, &end))
			return;
		lo = MIN(lo, at);
		hi = MAX(hi, end);
	}
	if (lo >= hi || hi - lo > NEAR_MAX)
		return;
	c->lo = lo;
	c->n = copy_in_some(t, c->b, GADDR(lo), hi - lo);
}

static int near_in(struct task *t, const struct near *c, void *dst, gaddr_t at, size_t n)
{
	if (at.v < c->lo || at.v - c->lo > c->n || n > c->n - (at.v - c->lo))
		return copy_in(t, dst, at, n);
	memcpy(dst, c->b + (at.v - c->lo), n);
	return 0;
}

static int sets_copy_in(struct task *t, struct select_sets *s, const struct sysargs *a, const struct near *c, int n)
{
	s->words = ((size_t)n + 63) / 64;
	s->store = s->store_few;
	if (s->words > 16) {
		s->store = kbuf_array(6 * s->words, sizeof(u64));
		if (!s->store)
			return -ENOMEM;
	} else {
		__builtin_memset(s->store_few, 0, sizeof(s->store_few));
	}
	for (int i = 0; i < 3; i++) {
		int r;

		s->addr[i] = arg_addr(a, i + 1);
		s->in[i] = s->store + (size_t)(2 * i) * s->words;
		s->out[i] = s->in[i] + s->words;
		if (!s->addr[i].v)
			continue;
		r = near_in(t, c, s->in[i], s->addr[i], s->words * 8);
		if (r < 0)
			return r;
	}
	return 0;
}

static u32 wanted(const struct select_sets *s, int fd)
{
	static const u32 bits[3] = { SEL_IN, SEL_OUT, SEL_EX };
	u32 ev = 0;

	for (int i = 0; i < 3; i++)
		if (s->in[i][fd / 64] >> (fd % 64) & 1)
			ev |= bits[i];
	return ev;
}

/* Turn what poll found into bits. The number of bits. */
static int sets_fill(struct select_sets *s, const struct poll_table *pt)
{
	static const u32 bits[3] = { SEL_IN, SEL_OUT, SEL_EX };
	int count = 0;

	for (size_t k = 0; k < pt->n; k++) {
		int fd = pt->p[k].fd;

		for (int i = 0; i < 3; i++) {
			if (!(s->in[i][fd / 64] >> (fd % 64) & 1) || !(pt->e[k].revents & bits[i]))
				continue;
			s->out[i][fd / 64] |= 1ull << (fd % 64);
			count++;
		}
	}
	return count;
}

static int table_of_sets(struct task *t, struct poll_table *pt, struct select_sets *s, int n)
{
	size_t used = 0;
	int r;

	for (int fd = 0; fd < n; fd++)
		used += wanted(s, fd) != 0;
	r = table_init(pt, used);
	if (r < 0)
		return r;
	used = 0;
	for (int fd = 0; fd < n; fd++) {
		u32 ev = wanted(s, fd);

		if (!ev)
			continue;
		pt->p[used].fd = fd;
		pt->e[used].events = ev;
		pt->e[used].f = fd_get(t, fd);
		if (!pt->e[used++].f)
			r = -EBADF;
	}
	return r;
}

/* @near is not looked at when the call is made again. */
static long do_select(struct task *t, const struct sysargs *a, const struct near *near, ktime_t deadline)
{
	int n = arg_s32(a, 0);
	struct poll_call *c;
	bool again;
	long r = 0;

	if (n < 0)
		return -EINVAL;
	c = call_get(t, &again);
	if (!c)
		return -ENOMEM;
	if (!again) {
		n = (int)MIN((u64)n, MIN(task_rlimit(t, RLIMIT_NOFILE), (u64)SELECT_MAX));
		r = sets_copy_in(t, &c->s, a, near, n);
		if (r == 0)
			r = table_of_sets(t, &c->pt, &c->s, n);
	}
	if (r == 0)
		r = poll_wait(t, c->pt.e, c->pt.n, deadline, &c->kept);
	if (r == -EPARKED)
		return r;
	if (r > 0)
		r = sets_fill(&c->s, &c->pt);
	else if (r == 0 && signal_pending(t))
		r = -ERESTARTSYS;
	for (int i = 0; i < 3 && r >= 0; i++) {
		if (c->s.addr[i].v && copy_out_late(t, c->s.addr[i], c->s.out[i], c->s.words * 8) < 0)
			r = -EFAULT;
	}
	call_free(&c->kept);
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

static int select_timeout(struct task *t, const struct sysargs *a, const struct near *near, ktime_t *ret)
{
	struct timeval tv;
	ktime_t rel;
	int r;

	if (!arg_addr(a, 4).v)
		return 0;
	r = near_in(t, near, &tv, arg_addr(a, 4), sizeof(tv));
	if (r < 0)
		return r;
	if (tv.tv_sec < 0 || tv.tv_usec < 0)
		return -EINVAL;
	/* Linux normalises microseconds beyond a second. */
	rel = tv.tv_sec > INT_MAX || tv.tv_usec > 1000000ll * INT_MAX ? KTIME_MAX :
		(tv.tv_sec * 1000000ll + tv.tv_usec) * 1000;
	*ret = rel && rel != KTIME_MAX ? ktime_add(ktime_mono(t->kernel), rel) : rel;
	return 0;
}

long sys_select(struct task *t, const struct sysargs *a)
{
	ktime_t deadline = task_call_deadline(t, KTIME_MAX);
	struct near near no_init;
	long r = 0;

	if (!task_call_again(t)) {
		near_copy_in(t, &near, a);
		r = select_timeout(t, a, &near, &deadline);
	}
	if (r < 0)
		return r;
	r = do_select(t, a, &near, deadline);
	if (r != -EPARKED)
		put_left(t, arg_addr(a, 4), deadline, true);
	return r;
}

static int pselect_args(struct task *t, const struct sysargs *a, struct near *near, ktime_t *ret_deadline)
{
	struct { gaddr_t set; u64 size; } sig = { GADDR(0), 0 };
	struct timespec ts;
	int r = 0;

	if (arg_addr(a, 5).v)
		r = copy_in(t, &sig, arg_addr(a, 5), sizeof(sig));
	if (r < 0)
		return r;
	near_copy_in(t, near, a);
	if (arg_addr(a, 4).v) {
		r = near_in(t, near, &ts, arg_addr(a, 4), sizeof(ts));
		if (r == 0)
			r = timeout_of(t, &ts, ret_deadline);
	}
	return r < 0 ? r : sigset_arg_use(t, sig.set, sig.size);
}

long sys_pselect6(struct task *t, const struct sysargs *a)
{
	ktime_t deadline = task_call_deadline(t, KTIME_MAX);
	struct near near no_init;
	long r = task_call_again(t) ? 0 : pselect_args(t, a, &near, &deadline);

	if (r < 0)
		return r;
	r = do_select(t, a, &near, deadline);
	if (r != -EPARKED)
		put_left(t, arg_addr(a, 4), deadline, false);
	return r;
}
