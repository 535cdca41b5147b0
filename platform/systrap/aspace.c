/*
 * aspace.c - stub processes and their threads: making, changing, copying, ending.
 *
 * An address space is one host process; a context is one host thread in one
 * slot of it.  New ones are cloned by the stub itself on command, appear in
 * notify.c's register_child() and wait there for their first command.
 *
 * Life of struct systrap_as: freed when no reference is left and the process
 * has been reaped, whichever comes last.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "platform/host/futex.h"
#include "platform/host/process.h"


/*
 * Numbers for files on their way into a stub.  A table of 64 descriptors need not grow; growing one that
 * threads share costs the host a grace period of its RCU, milliseconds.  So there are groups of numbers, the lowest first, each
 * one command's while it lasts: were two in flight with the same, what the one is given could be what the other maps.
 */
#define FILES_A_COMMAND (SLOT_CALLS / 2)        /* each is closed again */
#define FILE_GROUPS     64u
#define FILE_FIRST      4u

struct systrap_as *as_alloc(struct systrap *p)
{
	struct systrap_as *as = knew(struct systrap_as);

	if (!as)
		return NULL;
	if (slots_init(as) < 0) {
		kfree(as);
		return NULL;
	}
	as->base.p = &p->base;
	ref_init(&as->base.ref);
	mutex_init(&as->mu, RANK_PLATFORM);
	list_init(&as->ctxs);
	list_init(&as->settled);
	return as;
}

void as_put(struct systrap_as *as, u32 what)
{
	if ((atomic_fetch_or(&as->over, what) | what) != (AS_RELEASED | AS_REAPED))
		return;
	atomic_fetch_sub(&to_systrap(as->base.p)->nparked, as->nparked);
	mail_unmap(as);
	views_free(as);
	kfree(atomic_load(&as->sites));
	kfree(as->used);
	kfree(as);
}

void systrap_as_release(struct aspace *base)
{
	struct systrap_as *as = to_as(base);

	lane_leave(as);
	if (!as->pid)
		atomic_fetch_or(&as->over, AS_REAPED);
	else if (!atomic_load(&as->dead))
		kill(as->pid, SIGKILL);
	as_put(as, AS_RELEASED);
}

struct systrap_ctx *ctx_alloc(struct systrap *p, struct systrap_as *as, u32 slot)
{
	struct systrap_ctx *c = knew(struct systrap_ctx);

	if (!c)
		return NULL;
	c->base.p = &p->base;
	c->base.as = aspace_ref(&as->base);
	c->slot = slot;
	c->view.file = HOSTFD_NONE;
	atomic_store(&c->state, CTX_TRAPPED);   /* no worker may be told of it before it has an owner */
	list_init(&c->pending);
	list_init(&c->event);
	mutex_lock(&as->mu);
	slot_use(as, slot);
	list_add_tail(&c->node, &as->ctxs);
	mutex_unlock(&as->mu);
	return c;
}

void ctx_forget_tid(struct systrap_ctx *c)
{
	if (c->tid)
		tidmap_take(&ctx_systrap(c)->by_tid, (u32)c->tid, c);
}

static void ctx_destroy(struct systrap_ctx *c, bool slot_is_free)
{
	struct systrap_as *as = to_as(c->base.as);

	as_file_done(c);
	views_forget(c);
	mutex_lock(&as->mu);
	list_del_init(&c->node);
	if (slot_is_free)
		slot_drop(as, c->slot);
	mutex_unlock(&as->mu);
	ctx_forget_tid(c);
	aspace_unref(c->base.as);
	kfree(c);
}

/*
 * The thread still returns to user mode, into the stub, after the application was told that it has ended and
 * may have unmapped its stack with the rseq area: the host would kill the process.  So that is forgotten
 * first, and only then the word is cleared; by a futex call, which can fault.
 */
int systrap_retire(struct ctx *base, gaddr_t word)
{
	struct systrap_ctx *c = to_ctx(base);
	struct stub_call calls[2], wake = {
		SYS_futex, { word.v, FUTEX_WAKE_OP, 1, 0, word.v, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_LT, 0) },
	};
	bool area = c->rseq[1] && !c->rseq[2];
	u32 n = 0, done = 0, zero = 0;
	int r;

	if (!c->framed)
		return -EPERM;
	if (area)
		calls[n++] = (struct stub_call){ SYS_rseq, { c->rseq[0], c->rseq[1], 1, c->rseq[3] } };
	if (word.v % 4 == 0)
		calls[n++] = wake;
	r = n ? command_calls(c, calls, NULL, n, &done) : 0;
	if (area && done > 0)
		c->rseq[1] = 0;
	/* It lied about its area, and is not to be parked. */
	if (area && !done && r < 0 && r != -ESRCH && word.v % 4 == 0)
		r = command_calls(c, &wake, NULL, 1, &done);
	/* As Linux does: stored, but no futex. */
	if (word.v % 4 && systrap_copy_out(base->as, word, &zero, sizeof(zero)) != sizeof(zero))
		r = -EFAULT;
	return r;
}

void systrap_ctx_free(struct ctx *base)
{
	struct systrap_ctx *c = to_ctx(base);
	struct systrap *p = ctx_systrap(c);
	bool gone = atomic_load(&to_as(base->as)->dead);
	/* The first thread stays: without it the host no longer finds the memory by the process's number. */
	bool told = c->framed && !gone && (c->notif_id || c->by_mail) && c->tid != to_as(base->as)->pid;
	u64 id = c->notif_id;

	/* Before the thread may end or be used again: its number can be, at once. */
	ctx_forget_tid(c);
	(void)mail_cool(p, c);
	mail_forget(c);
	workers_forget(c);
	/* A thread in a frameless call stays where it is until its process ends. */
	if (told && c->by_mail) {
		mutex_lock(&to_as(base->as)->mu);
		id = mail_answer(c, CMD_EXIT, false);
		mutex_unlock(&to_as(base->as)->mu);
	}
	if (told && slot_park(c)) {
		told = false;           /* the slot stays its */
		id = 0;
	}
	if (told && id)
		notify_send(p, id, CMD_EXIT, 0);
	ctx_destroy(c, told);
}

void systrap_ctx_start(struct ctx *base)
{
	struct trap trap = { .kind = TRAP_START };

	workers_post(to_systrap(base->p), to_ctx(base), &trap);
}

/* ---- new processes and threads ---- */

static void pending_add(struct systrap *p, struct systrap_ctx *child, const struct systrap_ctx *parent)
{
	child->cookie = rand_u64();
	child->maker = to_as(parent->base.as);
	atomic_fetch_add(&p->w.running, 1);
	mutex_lock(&p->lanes->mu);
	list_add_tail(&child->pending, &p->lanes->pending);
	mutex_unlock(&p->lanes->mu);
}

/* The child never registered: forget it. False if it has registered after all. */
static bool pending_cancel(struct systrap *p, struct systrap_ctx *child)
{
	bool queued;

	mutex_lock(&p->lanes->mu);
	queued = !list_empty(&child->pending);
	list_del_init(&child->pending);
	mutex_unlock(&p->lanes->mu);
	if (queued)
		atomic_fetch_sub(&p->w.running, 1);
	return queued;
}

/*
 * @parent's stub has answered with the child's id @r (its word). Wait for the child itself.  The
 * reaper ends the wait when that id, the child's process, or the parent's dies
 * (pending_died); a stub that lies about the id hangs only itself, and is killable.
 */
static int await_child(struct systrap_ctx *parent, struct systrap_ctx *child, long r)
{
	struct systrap *p = ctx_systrap(child);
	bool stray = false;

	if (r > 0 && r < (long)TIDMAP_MAX) {
		mutex_lock(&p->lanes->mu);
		child->expect = (pid_t)r;
		for (size_t i = 0; i < ARRAY_SIZE(p->lanes->strays); i++)
			if (p->lanes->strays[i] == (pid_t)r) {
				p->lanes->strays[i] = 0;
				stray = true;
			}
		mutex_unlock(&p->lanes->mu);
		atomic_store(&parent->awaits_child, true);
		if (!stray)
			workers_await(p, &child->registered);
		atomic_store(&parent->awaits_child, false);
		if (atomic_load(&child->registered) == CHILD_REGISTERED)
			return 0;
	}
	(void)pending_cancel(p, child);
	if (atomic_load(&child->registered) == CHILD_REGISTERED)
		kill(child->tid, SIGKILL);      /* came after all, and nobody wants it */
	return r < 0 ? (int)r : -EAGAIN;
}

static int fork_reserved(struct systrap_ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx)
{
	struct systrap *p = ctx_systrap(parent);
	struct systrap_as *as = as_alloc(p);
	struct systrap_ctx *c;
	int r;

	if (!as)
		return -ENOMEM;
	r = slots_copy(as, to_as(parent->base.as));
	if (!r)
		r = sites_copy(as, to_as(parent->base.as));
	if (r < 0)
		goto drop_as;
	c = ctx_alloc(p, as, parent->slot);
	r = -ENOMEM;
	if (!c)
		goto drop_as;
	pending_add(p, c, parent);
	r = await_child(parent, c, command_clone(parent, CMD_FORK, CLONE_FLAGS_PROCESS, c->cookie, 0));
	if (r < 0)
		goto drop_ctx;
	memcpy(c->rseq, parent->rseq, sizeof(c->rseq));     /* a fork inherits it, a thread does not */
	frame_inherit(c, parent, parent->frame, parent->k.fpstate);
	*ret_as = &as->base;
	*ret_ctx = &c->base;
	return 0;
drop_ctx:
	ctx_destroy(c, true);
drop_as:
	aspace_unref(&as->base);
	return r;
}

static int fork_from(struct systrap_ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx)
{
	struct systrap *p = ctx_systrap(parent);
	int r = workers_reserve(p);

	if (r < 0)
		return r;
	r = fork_reserved(parent, ret_as, ret_ctx);
	if (r < 0)
		workers_unreserve(p);
	return r;
}

int systrap_as_fork(struct ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx)
{
	struct systrap_as *as = to_as(parent->as);
	int r;

	busy_lock(to_systrap(parent->p), &as->changing);
	r = fork_from(to_ctx(parent), ret_as, ret_ctx);
	if (!r)
		lane_settle(*ret_as, as);
	busy_unlock(&as->changing);
	return r;
}

int as_from_zygote(struct systrap *p, struct aspace **ret_as, struct ctx **ret_ctx)
{
	return fork_from(p->zygote, ret_as, ret_ctx);
}

static int as_new_in(struct systrap *p, struct aspace **ret_as, struct ctx **ret_ctx)
{
	int r;

	if (spare_take(p, ret_as, ret_ctx))
		return 0;
	busy_lock(p, &p->zygote_busy);
	r = as_from_zygote(p, ret_as, ret_ctx);
	busy_unlock(&p->zygote_busy);
	return r;
}

int systrap_as_new(struct platform *base, struct aspace **ret_as, struct ctx **ret_ctx)
{
	struct systrap *first = to_systrap(base), *p = lane_choose(first), *other = first->lanes->lane[p == first];
	int r = as_new_in(p, ret_as, ret_ctx);

	if (r < 0 && other)
		r = as_new_in(other, ret_as, ret_ctx);
	if (!r)
		lane_settle(*ret_as, NULL);
	return r;
}

/* A parked thread if there is one, else a new one that the parent's stub clones. */
static int clone_reserved(struct systrap_ctx *parent, struct ctx **ret)
{
	struct systrap_ctx *c = slot_unpark(parent);
	struct systrap_as *as = to_as(parent->base.as);
	struct systrap *p = ctx_systrap(parent);
	u32 slot = 0;
	int r;

	if (c) {
		*ret = &c->base;
		return 0;
	}
	r = slot_claim(parent, &slot);
	if (r < 0)
		return r;
	c = ctx_alloc(p, as, slot);
	if (!c) {
		mutex_lock(&as->mu);
		slot_drop(as, slot);
		mutex_unlock(&as->mu);
		return -ENOMEM;
	}
	pending_add(p, c, parent);
	r = await_child(parent, c, command_clone(parent, CMD_CLONE, CLONE_FLAGS_THREAD, c->cookie,
					 ctx_slot(c)));
	if (r < 0) {
		ctx_destroy(c, true);
		return r;
	}
	frame_inherit(c, parent, parent->frame + (ctx_slot(c) - ctx_slot(parent)),
		      parent->k.fpstate + (ctx_slot(c) - ctx_slot(parent)));
	*ret = &c->base;
	return 0;
}

int systrap_ctx_clone(struct ctx *parent, struct ctx **ret)
{
	struct systrap *p = to_systrap(parent->p);
	int r = workers_reserve(p);

	if (r < 0)
		return r;
	r = clone_reserved(to_ctx(parent), ret);
	if (r < 0)
		workers_unreserve(p);
	return r;
}

/* ---- memory ---- */

static bool in_range(const struct systrap *p, u64 addr, u64 len)
{
	u64 end;

	return !add_overflows(addr, len, &end) && end <= p->stub && !(addr % 4096) && len;
}

u64 as_file_number(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);

	if (c->file_number)
		return c->file_number;
	mutex_lock(&as->mu);
	for (u32 g = 0; !c->file_number && g < FILE_GROUPS; g++)
		if (!(as->file_groups >> g & 1)) {
			as->file_groups |= 1ull << g;
			c->file_number = FILE_FIRST + g * FILES_A_COMMAND;
		}
	mutex_unlock(&as->mu);
	return c->file_number;
}

void as_file_done(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);

	if (!c->file_number)
		return;
	mutex_lock(&as->mu);
	as->file_groups &= ~(1ull << (c->file_number - FILE_FIRST) / FILES_A_COMMAND);
	mutex_unlock(&as->mu);
	c->file_number = 0;
}

/* The host calls that make one change; 0 if it is not allowed. */
static u32 build_calls(struct systrap_ctx *c, const struct as_op *op, struct stub_call *call,
		       hostfd_t *file, u32 at)
{
	bool has_file = op->kind == AS_MAP && op->file.fd >= 0;
	u64 first = has_file ? as_file_number(c) : 1, fd = has_file ? first + at / 2 : (u64)-1;

	file[0] = has_file ? op->file : HOSTFD_NONE;
	file[1] = HOSTFD_NONE;
	if (!first || !in_range(ctx_systrap(c), op->addr.v, op->len))
		return 0;
	switch (op->kind) {
	case AS_MAP:
		call[0] = (struct stub_call){ SYS_mmap, { op->addr.v, op->len, (u64)op->prot,
			(u64)(op->flags | MAP_FIXED | (has_file ? 0 : MAP_ANONYMOUS)), fd, op->offset } };
		if (!has_file)
			return 1;
		call[1] = (struct stub_call){ SYS_close, { fd } };
		return 2;
	case AS_UNMAP:
		call[0] = (struct stub_call){ SYS_munmap, { op->addr.v, op->len } };
		return 1;
	case AS_PROTECT:
		call[0] = (struct stub_call){ SYS_mprotect, { op->addr.v, op->len, (u64)op->prot } };
		return 1;
	case AS_MOVE:
		if (!in_range(ctx_systrap(c), op->new_addr.v, op->new_len))
			return 0;
		if (op->new_addr.v == op->addr.v)
			call[0] = (struct stub_call){ SYS_mremap, { op->addr.v, op->len, op->new_len } };
		else
			call[0] = (struct stub_call){ SYS_mremap, { op->addr.v, op->len, op->new_len,
				(u64)(op->flags | MREMAP_MAYMOVE | MREMAP_FIXED), op->new_addr.v } };
		return 1;
	case AS_ADVISE:
		call[0] = (struct stub_call){ SYS_madvise, { op->addr.v, op->len, (u64)op->advice } };
		return 1;
	}
	return 0;
}

int systrap_apply(struct ctx *base, const struct as_op *ops, size_t n, size_t *ret_done)
{
	struct systrap_ctx *c = to_ctx(base);
	size_t i = 0;
	int r = 0;

	for (size_t k = 0; k < n; k++)
		if (in_range(ctx_systrap(c), ops[k].addr.v, ops[k].len))
			sites_before(c, &ops[k]);
	while (i < n && r == 0) {
		struct stub_call calls[SLOT_CALLS];
		hostfd_t files[SLOT_CALLS];
		u32 op_end[SLOT_CALLS];
		u32 k = 0, batch = 0, done;

		while (i + batch < n && k + 2 <= SLOT_CALLS) {
			u32 m = build_calls(c, &ops[i + batch], calls + k, files + k, k);

			if (!m) {
				as_file_done(c);
				return -EINVAL;
			}
			k += m;
			op_end[batch++] = k;
		}
		r = command_calls(c, calls, files, k, &done);
		for (u32 b = 0; b < batch && op_end[b] <= done; b++)
			i++;
	}
	if (ret_done)
		*ret_done = i;
	return r;
}

typedef ssize_t vm_fn(pid_t, const struct iovec *, unsigned, const struct iovec *, unsigned);

/* process_vm_* stops at a bad page but may give up a whole range first: go page by page then. */
static size_t copy_vm(struct systrap_as *as, vm_fn *fn, void *local, u64 remote, size_t n)
{
	size_t done = 0, want = n;

	if (atomic_load(&as->dead))
		return 0;
	workers_worked(n);
	while (done < n) {
		struct iovec l = { (u8 *)local + done, want };
		struct iovec r = { (void *)(remote + done), want };
		ssize_t k = fn(as->pid, &l, 1, &r, 1);

		if (k > 0)
			done += (size_t)k;
		if (k == (ssize_t)want) {
			want = n - done;
			continue;
		}
		if (want <= 4096 - ((remote + done) & 4095))
			break;
		want = MIN(n - done, 4096 - ((remote + done) & 4095));
	}
	return done;
}

size_t systrap_copy_in(struct aspace *base, void *dst, gaddr_t src, size_t n)
{
	return copy_vm(to_as(base), host_vm_readv, dst, src.v, n);
}

size_t systrap_copy_out(struct aspace *base, gaddr_t dst, const void *src, size_t n)
{
	return copy_vm(to_as(base), host_vm_writev, (void *)(uintptr_t)src, dst.v, n);
}

size_t systrap_copy_pieces(struct aspace *base, gaddr_t at, const struct iovec *v, size_t n, size_t bytes, bool out)
{
	struct systrap_as *as = to_as(base);
	struct iovec r = { (void *)at.v, bytes };
	vm_fn *fn = out ? host_vm_writev : host_vm_readv;

	if (atomic_load(&as->dead))
		return 0;
	workers_worked(bytes);
	return fn(as->pid, v, (unsigned)n, &r, 1) == (ssize_t)bytes ? bytes : 0;
}

int systrap_resident(struct ctx *base, gaddr_t addr, size_t n, u8 *vec)
{
	struct systrap_ctx *c = to_ctx(base);
	struct stub_call call = { SYS_mincore, { addr.v, n * 4096, ctx_slot(c) + SLOT_VEC } };
	u32 done;
	int r;

	_Static_assert(sizeof(struct slot) <= SLOT_VEC && SLOT_VEC + RESIDENT_MAX <= SLOT_SIZE / 4, "below the frame and the handler's stack");
	if (!in_range(ctx_systrap(c), addr.v, n * 4096))
		return -EINVAL;
	r = command_calls(c, &call, NULL, 1, &done);
	return r ? r : slot_read(c, SLOT_VEC, vec, n);
}

int systrap_cas_u32(struct ctx *base, gaddr_t addr, u32 *val, u32 new_val)
{
	struct systrap_ctx *c = to_ctx(base);
	struct { u64 addr; u32 old, new_val; } args = { addr.v, *val, new_val };
	u32 found;

	/* Probe by writing nothing: a bad address must not fault in the stub. */
	if (addr.v % 4 || !in_range(ctx_systrap(c), addr.v & ~4095ull, 4096) ||
	    systrap_copy_in(base->as, &found, addr, 4) != 4)
		return -EFAULT;
	if (slot_write(c, offsetof(struct slot, cas_addr), &args, sizeof(args)) < 0 ||
	    command_simple(c, CMD_CAS) < 0 ||
	    slot_read(c, offsetof(struct slot, cas_old), &found, 4) < 0)
		return -EFAULT;
	*val = found;
	return 0;
}

int systrap_futex_wake(struct ctx *base, gaddr_t addr, int n, bool shared)
{
	struct systrap_ctx *c = to_ctx(base);
	struct stub_call call = {
		SYS_futex, { addr.v, shared ? FUTEX_WAKE : FUTEX_WAKE | FUTEX_PRIVATE_FLAG, (u64)n },
	};

	if (command_put_calls(c, &call, 1) < 0)
		return -ESRCH;
	return command_simple(c, CMD_WAKE) < 0 ? -ESRCH : 0;
}
