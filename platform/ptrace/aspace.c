/*
 * aspace.c - processes and threads of stubs, and copies to and from them.
 *
 * An address space is a process; its first thread is never let go before the
 * process, since its id is how the host finds the memory: it stays stopped (PT_PARKED) when
 * its context is freed.  All are siblings, children of the sentry (CLONE_PARENT).
 */
#include "platform/ptrace/pt.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/host/process.h"

#define FORK_FLAGS (CLONE_PARENT | SIGCHLD)
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

struct pt_as *pt_as_alloc(struct pt *p)
{
	struct pt_as *as = knew(struct pt_as);

	if (!as)
		return NULL;
	as->base.p = &p->base;
	ref_init(&as->base.ref);
	return as;
}

/* Takes over a reference on @as. */
struct pt_ctx *pt_ctx_alloc(struct pt *p, struct pt_as *as)
{
	struct pt_ctx *c = knew(struct pt_ctx);

	if (!c)
		return NULL;
	c->base.p = &p->base;
	c->base.as = &as->base;
	c->resume.fn = pt_resume_fn;
	list_init(&c->resume.node);
	list_init(&c->event);
	return c;
}

struct clone_req {
	struct pt_req q;
	struct pt_ctx *parent, *child;
	u64 flags;
	int result;
};

static void clone_fn(struct pt *p, struct pt_req *q)
{
	struct clone_req *r = container_of(q, struct clone_req, q);
	struct pt_ctx *c = r->child;
	long v = 0;
	int st;

	r->parent->new_child = 0;
	r->result = pt_inject(p, r->parent, SYS_clone, (const u64[6]){ r->flags }, &v);
	if (r->result == 0 && v < 0)
		r->result = (int)v;
	if (r->result < 0 || r->parent->new_child <= 0) {
		r->result = r->result < 0 ? r->result : -EAGAIN;
		return;
	}
	c->tid = r->parent->new_child;
	if (waitpid(c->tid, &st, __WALL) != c->tid || !WIFSTOPPED(st) || (u32)c->tid >= TIDMAP_MAX) {
		kill(c->tid, SIGKILL);
		r->result = -EAGAIN;
		return;
	}
	tidmap_set(&p->by_tid, (u32)c->tid, c);
	if (!(r->flags & CLONE_VM))
		memcpy(c->rseq, r->parent->rseq, sizeof(c->rseq));
	c->regs = r->parent->regs;
	c->regs.ax = 0;
	c->dirty = true;
}

static int do_clone(struct pt_ctx *parent, struct pt_ctx *child, u64 flags)
{
	struct clone_req r = { .q.fn = clone_fn, .parent = parent, .child = child, .flags = flags };

	pt_call(ctx_pt(parent), &r.q);
	return r.result;
}

/* A new process: a fork of @from. *ret_as has one reference more, its context's. */
static int new_process(struct pt *p, struct pt_ctx *from, struct aspace **ret_as, struct ctx **ret_ctx)
{
	struct pt_as *as = pt_as_alloc(p);
	struct pt_ctx *c = as ? pt_ctx_alloc(p, as) : NULL;
	int r = c ? pt_reserve(p) : -ENOMEM;

	if (r == 0) {
		r = do_clone(from, c, FORK_FLAGS);
		if (r < 0)
			pt_unreserve(p);
	}
	if (r < 0) {
		kfree(c);
		kfree(as);
		return r;
	}
	as->pid = c->tid;
	aspace_ref(&as->base);
	*ret_as = &as->base;
	*ret_ctx = &c->base;
	return 0;
}

int pt_as_new(struct platform *base, struct aspace **ret_as, struct ctx **ret_ctx)
{
	struct pt *p = to_pt(base);
	int r = new_process(p, p->zygote, ret_as, ret_ctx);

	if (r == 0)
		to_pt_ctx(*ret_ctx)->regs = (struct user_regs){ .cs = 0x33, .ss = 0x2b, .flags = 0x202 };
	return r;
}

int pt_as_fork(struct ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx)
{
	return new_process(to_pt(parent->p), to_pt_ctx(parent), ret_as, ret_ctx);
}

int pt_ctx_clone(struct ctx *base, struct ctx **ret)
{
	struct pt_ctx *parent = to_pt_ctx(base);
	struct pt *p = ctx_pt(parent);
	struct pt_ctx *c = pt_ctx_alloc(p, to_pt_as(base->as));
	int r = c ? pt_reserve(p) : -ENOMEM;

	if (r == 0) {
		r = do_clone(parent, c, THREAD_FLAGS);
		if (r < 0)
			pt_unreserve(p);
	}
	if (r < 0) {
		kfree(c);
		return r;
	}
	aspace_ref(base->as);
	*ret = &c->base;
	return 0;
}

void pt_ctx_start(struct ctx *base)
{
	struct pt_ctx *c = to_pt_ctx(base);

	pt_post(ctx_pt(c), c, &(struct trap){ .kind = TRAP_START });
}

void pt_ctx_again(struct ctx *base)
{
	struct pt_ctx *c = to_pt_ctx(base);

	pt_post(ctx_pt(c), c, &(struct trap){ .kind = TRAP_AGAIN });
}

struct ctx_req { struct pt_req q; struct pt_ctx *c; };

static void retire_fn(struct pt *p, struct pt_req *q)
{
	struct pt_ctx *c = container_of(q, struct ctx_req, q)->c;
	long unused;

	if (c->rseq[1])
		(void)!pt_inject(p, c, SYS_rseq, (const u64[6]){ c->rseq[0], c->rseq[1], 1, c->rseq[3] }, &unused);
	c->rseq[1] = 0;
}

int pt_retire(struct ctx *base, gaddr_t word)
{
	struct ctx_req r = { .q.fn = retire_fn, .c = to_pt_ctx(base) };
	u32 zero = 0;

	/* First: once the word is clear the area's memory may go, and the kernel would find nothing there. */
	pt_call(ctx_pt(r.c), &r.q);
	if (pt_copy_out(base->as, word, &zero, sizeof(zero)) != sizeof(zero))
		return -EFAULT;
	return pt_futex_wake(base, word, 1, true);
}

static void free_fn(struct pt *p, struct pt_req *q)
{
	struct pt_ctx *c = container_of(q, struct ctx_req, q)->c;
	struct pt_as *as = to_pt_as(c->base.as);
	long unused;

	if (c->tid == as->pid) {
		c->state = PT_PARKED;
		as->parked = c;
	} else if (!c->dead) {
		/* Does not return: "the thread is gone" is success.  One that cannot get there stays stopped. */
		(void)!pt_inject(p, c, SYS_exit, (const u64[6]){ 0 }, &unused);
		tidmap_take(&p->by_tid, (u32)c->tid, NULL);
	}
}

void pt_ctx_free(struct ctx *base)
{
	struct ctx_req r = { .q.fn = free_fn, .c = to_pt_ctx(base) };
	struct aspace *as = base->as;
	bool leader = r.c->tid == to_pt_as(as)->pid;

	pt_call(ctx_pt(r.c), &r.q);
	pt_unreserve(ctx_pt(r.c));
	if (!leader)
		kfree(r.c);             /* a parked one goes with its address space */
	aspace_unref(as);
}

struct release_req { struct pt_req q; struct pt_as *as; };

void pt_as_gone(struct pt_as *as)
{
	kfree(as->parked);
	kfree(as);
}

static void release_fn(struct pt *p, struct pt_req *q)
{
	struct pt_as *as = container_of(q, struct release_req, q)->as;

	(void)p;
	if (atomic_load(&as->dead)) {
		pt_as_gone(as);
		return;
	}
	as->released = true;
	kill(as->pid, SIGKILL);
}

void pt_as_release(struct aspace *base)
{
	struct release_req r = { .q.fn = release_fn, .as = to_pt_as(base) };

	pt_call(to_pt(base->p), &r.q);
}

/* ---- memory ---- */

typedef ssize_t vm_fn(pid_t, const struct iovec *, unsigned, const struct iovec *, unsigned);

/* Page by page once a range fails as a whole. */
static size_t copy_vm(struct pt_as *as, vm_fn *fn, void *local, u64 remote, size_t n)
{
	size_t done = 0, want = n;

	while (done < n && !atomic_load(&as->dead)) {
		struct iovec l = { (u8 *)local + done, want };
		struct iovec r = { (void *)(remote + done), want };
		ssize_t k = fn(as->pid, &l, 1, &r, 1);

		if (k > 0)
			done += (size_t)k;
		if (k != (ssize_t)want && want <= 4096 - ((remote + done) & 4095))
			break;
		want = k == (ssize_t)want ? n - done : MIN(n - done, 4096 - ((remote + done) & 4095));
	}
	return done;
}

size_t pt_copy_in(struct aspace *base, void *dst, gaddr_t src, size_t n)
{
	return copy_vm(to_pt_as(base), host_vm_readv, dst, src.v, n);
}

size_t pt_copy_out(struct aspace *base, gaddr_t dst, const void *src, size_t n)
{
	return copy_vm(to_pt_as(base), host_vm_writev, (void *)(uintptr_t)src, dst.v, n);
}

struct resident_req { struct pt_req q; struct pt_ctx *c; u64 addr; size_t n; u8 *vec; int result; };

static void resident_fn(struct pt *p, struct pt_req *q)
{
	struct resident_req *r = container_of(q, struct resident_req, q);
	u64 at = p->stub + PT_STUB_DATA;
	long got = 0;

	_Static_assert(PT_STUB_DATA + RESIDENT_MAX <= PT_STUB_TITLE, "one page");
	r->result = pt_inject(p, r->c, SYS_mincore, (const u64[6]){ r->addr, r->n * 4096, at }, &got);
	if (r->result == 0)
		r->result = (int)got;
	if (r->result == 0 && pt_copy_in(r->c->base.as, r->vec, GADDR(at), r->n) != r->n)
		r->result = -ESRCH;
}

int pt_resident(struct ctx *base, gaddr_t addr, size_t n, u8 *vec)
{
	struct resident_req r = { .q.fn = resident_fn, .c = to_pt_ctx(base), .addr = addr.v, .n = n, .vec = vec };

	if (addr.v >= to_pt(base->p)->stub)
		return -EINVAL;
	pt_call(to_pt(base->p), &r.q);
	return r.result;
}

struct cas_req { struct pt_req q; struct pt_ctx *c; u64 addr; u32 *val, new_val; int result; };

static void cas_fn(struct pt *p, struct pt_req *q)
{
	struct cas_req *r = container_of(q, struct cas_req, q);

	r->result = pt_inject_cas(p, r->c, r->addr, r->val, r->new_val);
}

int pt_cas_u32(struct ctx *base, gaddr_t addr, u32 *val, u32 new_val)
{
	struct cas_req r = {
		.q.fn = cas_fn, .c = to_pt_ctx(base), .addr = addr.v, .val = val, .new_val = new_val,
	};

	if (addr.v % 4 || addr.v >= to_pt(base->p)->stub)
		return -EFAULT;
	pt_call(to_pt(base->p), &r.q);
	return r.result;
}

struct wake_req { struct pt_req q; struct pt_ctx *c; u64 args[6]; long result; };

static void wake_fn(struct pt *p, struct pt_req *q)
{
	struct wake_req *r = container_of(q, struct wake_req, q);
	int e = pt_inject(p, r->c, SYS_futex, r->args, &r->result);

	if (e < 0)
		r->result = e;
}

int pt_futex_wake(struct ctx *base, gaddr_t addr, int n, bool shared)
{
	struct wake_req r = {
		.q.fn = wake_fn, .c = to_pt_ctx(base),
		.args = { addr.v, shared ? FUTEX_WAKE : FUTEX_WAKE | FUTEX_PRIVATE_FLAG, (u64)n },
	};

	pt_call(to_pt(base->p), &r.q);
	return r.result < 0 ? (int)r.result : 0;
}

void pt_interrupt(struct ctx *base)
{
	struct pt_ctx *c = to_pt_ctx(base);

	if (!atomic_load(&to_pt_as(base->as)->dead))
		syscall(SYS_tgkill, to_pt_as(base->as)->pid, c->tid, PT_SIGNAL);
}
