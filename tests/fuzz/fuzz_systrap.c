/*
 * fuzz_systrap.c - what a hostile stub can tell the sentry: notifications and frames.
 *
 * An input is a command's list of calls, then a row of notifications, each answered with
 * whatever memory the stub has just then.  The kernel's side is played here: ioctl, kill and
 * process_vm_* are ours, and the stub's memory is an array.  Checked: a call runs on the host
 * (CONTINUE) only if it equals the next one of the list, or is the one clone that was asked for; nobody but
 * the stub is killed; and what a frame says is read and written inside the stub's memory only.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "platform/base/alloc.h"
#include "platform/systrap/systrap.h"

#define STUB    0x7fff40000000ull
#define SLOTS   4
#define PID     9
#define OWNER   10      /* the thread with a command in progress */
#define OTHER   11
#define STRANGE 12      /* a child that has not registered */
#define COOKIE  0x1122334455667788ull

struct input { const u8 *p; size_t n; };

static struct systrap *p;
static struct systrap_as *as;
static struct systrap_ctx *owner, *other, *child;
static u8 memory[SLOTS * SLOT_SIZE];
static _Alignas(4096) u8 shared[MAIL_WIN_OFF + sizeof(struct window)];    /* the owner's mailbox and window */
static struct seccomp_notif now;
static bool killed;

static u64 take(struct input *in, size_t n)
{
	u64 v = 0;

	n = MIN(n, in->n);
	memcpy(&v, in->p, n);
	in->p += n;
	in->n -= n;
	return v;
}

/* ---- the kernel ---- */

static void check_continue(void)
{
	u32 i = atomic_load(&owner->next_call);
	bool same = now.pid == OWNER && now.data.instruction_pointer - STUB < STUB_TEXT_MAX;

	/* The host's own, for the application: it names memory of the process that makes it. */
	if (now.data.nr == SYS_rseq && now.data.instruction_pointer - STUB >= STUB_TEXT_MAX)
		return;
	if (now.data.nr == SYS_clone) {
		same &= now.data.args[0] == owner->clone_flags;
	} else {
		same &= i > 0 && i <= owner->ncalls && owner->calls[i - 1].nr == (u64)(u32)now.data.nr;
		same = same && memcmp(owner->calls[i - 1].a, now.data.args, sizeof(now.data.args)) == 0;
	}
	if (!same)
		abort();
}

int ioctl(int fd, unsigned long what, ...)
{
	struct seccomp_notif_resp *r;
	va_list ap;

	(void)fd;
	va_start(ap, what);
	r = va_arg(ap, void *);
	va_end(ap);
	if (what == SECCOMP_IOCTL_NOTIF_RECV)
		memcpy(r, &now, sizeof(now));
	else if (what == SECCOMP_IOCTL_NOTIF_SEND && (r->flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE))
		check_continue();
	return 0;
}

int kill(pid_t pid, int sig)
{
	if ((pid != PID && pid != (pid_t)now.pid) || sig != SIGKILL)
		abort();
	killed = true;
	return 0;
}

/* syscall(2), with the arguments that any call may have.  All threads live; what else comes here is the host's. */
long any_call(long nr, long a, long b, long c, long d, long e, long f) __asm__("syscall");

long any_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long r;

	if (nr == SYS_tgkill)
		return (pid_t)a == PID && ((pid_t)b == OWNER || (pid_t)b == OTHER) ? 0 : -1;
	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	if (r < 0 && r >= -4095) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

static ssize_t copy(const struct iovec *local, unsigned long ln, const struct iovec *remote, unsigned long rn, bool in)
{
	const u64 base = STUB + STUB_SLOTS_OFF;
	ssize_t total = 0;

	if (ln > rn)
		abort();
	for (unsigned long i = 0; i < rn && i < ln; i++) {
		u64 at = (u64)remote[i].iov_base;

		if (at < base || at - base > sizeof(memory) || remote[i].iov_len > sizeof(memory) - (at - base))
			break;
		if (in)
			memcpy(local[i].iov_base, memory + (at - base), remote[i].iov_len);
		else
			memcpy(memory + (at - base), local[i].iov_base, remote[i].iov_len);
		total += (ssize_t)remote[i].iov_len;
	}
	errno = EFAULT;
	return total ? total : -1;
}

ssize_t process_vm_readv(pid_t pid, const struct iovec *l, unsigned long ln, const struct iovec *r, unsigned long rn,
			 unsigned long flags)
{
	(void)pid, (void)flags;
	return copy(l, ln, r, rn, true);
}

ssize_t process_vm_writev(pid_t pid, const struct iovec *l, unsigned long ln, const struct iovec *r, unsigned long rn,
			  unsigned long flags)
{
	(void)pid, (void)flags;
	return copy(l, ln, r, rn, false);
}

/* ---- the sentry ---- */

static struct systrap_ctx *thread(pid_t tid, u32 slot)
{
	struct systrap_ctx *c = ctx_alloc(p, as, slot);

	if (!c)
		abort();
	c->tid = tid;
	atomic_store(&c->state, CTX_RUNNING);
	return c;
}

static void begin(void)
{
	static struct aspace *keep;

	if (!p) {
		if (alloc_init((size_t)1 << 30) < 0)
			abort();
		p = knew(struct systrap);
		p->base.ops = NULL;
		p->stub = STUB;
		p->xstate_size = 2696;
		p->xfeatures = 0x2e7;
		p->mxcsr_mask = 0xffff;
		p->by_pid = knew(struct tidmap);
		if (!lanes_init(p) || tidmap_init(&p->by_tid) < 0 || tidmap_init(p->by_pid) < 0)
			abort();
		workers_init(&p->w);
		as = as_alloc(p);
		as->pid = PID;
		as->nslots = SLOTS;
		keep = aspace_ref(&as->base);
		(void)keep;
		owner = thread(OWNER, 0);
		other = thread(OTHER, 1);
		child = thread(0, 2);
	}
	for (u32 i = 0; i < 64; i++)
		tidmap_take(&p->by_tid, i, NULL);
	tidmap_set(&p->by_tid, OWNER, owner);
	tidmap_set(&p->by_tid, OTHER, other);
	list_init(&p->lanes->pending);
	child->cookie = COOKIE;
	child->tid = 0;
	list_add_tail(&child->pending, &p->lanes->pending);
	atomic_store(&child->registered, 0);
	owner->mail = (struct mail *)shared;
	window_open(owner, shared);
	atomic_store(&owner->state, CTX_RUNNING);
	atomic_store(&other->state, CTX_RUNNING);
	memset(shared, 0, sizeof(shared));
	memset(memory, 0, sizeof(memory));
	killed = false;
}

static u64 some_number(struct input *in)
{
	static const u32 common[] = { STUBCALL_NR, STUBCALL_NR, SYS_mmap, SYS_clone, SYS_munmap, SYS_read, SYS_mprotect };
	u64 x = take(in, 1);

	return x < 0xf0 ? common[x % ARRAY_SIZE(common)] : take(in, 4);
}

static void command(struct input *in)
{
	u8 how = (u8)take(in, 1);

	owner->ncalls = how & 3;
	atomic_store(&owner->next_call, 0);
	for (u32 i = 0; i < owner->ncalls; i++) {
		owner->calls[i].nr = some_number(in);
		owner->files[i] = i ? HOSTFD_NONE : (hostfd_t){ 5 };
		for (u32 k = 0; k < 6; k++)
			owner->calls[i].a[k] = take(in, 1);
	}
	owner->clone_flags = CLONE_FLAGS_PROCESS;
	atomic_store(&owner->may_clone, (how & 4) != 0);
	atomic_store(&owner->in_command, (how & 8) != 0);
}

/* A call's data: no more than came, no more than fits, whatever is asked for. */
static void serve_data(struct input *in, struct systrap_ctx *c)
{
	static u8 buf[16384];
	const void *from;
	size_t n = systrap_data_in(&c->base, GADDR(take(in, 8)), &from);

	if (n > sizeof(c->in.b))
		abort();
	if (n)
		memcpy(buf, from, n);
	for (u64 k = take(in, 1) % 8; k; k--)
		if (systrap_data_out(&c->base, GADDR(take(in, 8)), buf, take(in, 2) % sizeof(buf)) && !c->win)
			abort();
}

/* A trap with or without a frame: all that the sentry may do with it before it resumes the thread. */
static void serve(struct input *in, struct systrap_ctx *c)
{
	static u8 fp[8192];
	struct user_regs r;

	if (atomic_load(&c->state) != CTX_TRAPPED)
		abort();
	if (systrap_get_regs(&c->base, &r) == 0) {
		r.flags = take(in, 8);
		r.ip = take(in, 8);
		if (systrap_set_regs(&c->base, &r) < 0)
			abort();
		if (systrap_get_fp(&c->base, fp, sizeof(fp)) > (long)systrap_fp_size(&p->base))
			abort();
		(void)!systrap_set_fp(&c->base, fp, take(in, 2) % sizeof(fp));
	}
	serve_data(in, c);
	ctx_resume(c);
}

/* What lies in the mailbox and at the window's start is the application's; then the wait call for it. */
static void mail(struct input *in)
{
	size_t n = MIN(in->n, sizeof(struct mail)), w = MIN(in->n - n, (size_t)take(in, 2) % 2048);
	struct systrap_ctx *c;
	struct trap t;

	n = MIN(n, in->n);
	memcpy(shared, in->p, n);
	in->p += n, in->n -= n;
	w = MIN(w, in->n);
	memcpy(shared + MAIL_WIN_OFF, in->p, w);
	in->p += w, in->n -= w;
	if (take(in, 1) & 7)
		owner->mail->state = MAIL_POSTED;
	memset(&now, 0, sizeof(now));
	now.pid = OWNER;
	c = mail_waited(p, owner, 7, &t);
	if (c && !killed)
		serve(in, c);
}

static void notification(struct input *in)
{
	u8 how = (u8)take(in, 1);
	struct systrap_ctx *c;
	struct trap t;
	u32 i = atomic_load(&owner->next_call);

	memset(&now, 0, sizeof(now));
	now.id = 7;
	now.pid = OWNER + how % 3;
	now.data.instruction_pointer = how & 4 ? STUB + take(in, 2) : take(in, 8);
	if ((how & 8) && i < owner->ncalls) {
		now.data.nr = (int)owner->calls[i].nr;
		memcpy(now.data.args, owner->calls[i].a, sizeof(now.data.args));
		now.data.args[take(in, 1) % 6] += take(in, 1);
	} else {
		now.data.nr = (int)some_number(in);
		for (u32 k = 0; k < 6; k++)
			now.data.args[k] = take(in, k < 2 ? 2 : 1);
		if (how & 16)   /* a frame somewhere near a slot */
			now.data.args[1] = STUB + STUB_SLOTS_OFF + (now.data.args[1] << 2);
		if (how & 32)
			now.data.args[1] = COOKIE;
		if (how & 64)
			now.data.args[0] = CLONE_FLAGS_PROCESS;
	}
	c = notify_receive(p, &t);
	if (c && !killed)
		serve(in, c);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	u64 at;

	begin();
	command(&in);
	while (in.n > 0 && !killed) {
		if (atomic_load(&owner->state) == CTX_TRAPPED)
			atomic_store(&owner->state, CTX_RUNNING);       /* the owner goes on with its command's result */
		at = take(&in, 2) % (sizeof(memory) - 64);
		memcpy(memory + at, in.p, MIN(in.n, 64u));
		if (in.n && in.p[0] == 0xee)
			mail(&in);
		else
			notification(&in);
		if (child->tid && (child->tid != (pid_t)now.pid && child->tid != STRANGE))
			abort();
	}
	return 0;
}
