/*
 * frame.c - the registers of a trapped context.
 *
 * A frame is read once when it is reported and written back, if changed, once when
 * the context is resumed; between the two only the copy counts.  All of it is the
 * application's to forge, which harms nobody but itself.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/uio.h>
#include "platform/base/alloc.h"
#include "platform/host/process.h"

#define FP_MAGIC1 0x46505853u
#define FP_MAGIC2 0x46505845u
#define FP_MAX 16384u

/* struct _fpx_sw_bytes, at byte 464 of the legacy area. */
struct sw_bytes {
	u32 magic1, extended_size;
	u64 xfeatures;
	u32 xstate_size, pad[7];
};
#define SW_OFFSET 464

static void trap_of_signal(struct systrap_ctx *c, int sig, struct trap *ret)
{
	const struct kframe *k = &c->k;

	memset(ret, 0, sizeof(*ret));
	if (sig == STUB_SIGNAL) {
		ret->kind = TRAP_INTERRUPT;
		return;
	}
	if (sig == SIGSYS && k->info.arch == AUDIT_ARCH_X86_64) {
		const u64 args[6] = { k->di, k->si, k->dx, k->r10, k->r8, k->r9 };

		ret->kind = TRAP_SYSCALL;
		ret->nr = k->ax;
		memcpy(ret->args, args, sizeof(args));
		ret->ip = k->ip;
		return;
	}
	if (sig == SIGTRAP && site_int3(to_as(c->base.as), k->ip - 1)) {
		ret->kind = TRAP_INTERRUPT;     /* a site that is being patched: again */
		c->k.ip--;
		c->regs_dirty = true;
		return;
	}
	ret->kind = TRAP_FAULT;
	if (sig == SIGSYS) {
		/* int 0x80 where Linux has no 32-bit entry: a general protection fault. */
		c->k.ip -= 2;
		c->regs_dirty = true;
		ret->fault.signo = SIGSEGV;
		ret->fault.code = SI_KERNEL;
		ret->fault.trapno = 13;
		ret->fault.err = 0x80 * 8 + 2;
		return;
	}
	ret->fault.signo = sig;
	ret->fault.code = k->info.code;
	ret->fault.addr = k->info.addr;
	ret->fault.trapno = k->trapno;
	ret->fault.err = k->err;
}

/* A slot's address in gs is the stub's (mail.c): the application's is then 0. */
static bool own_gs(const struct systrap_ctx *c, u64 gs)
{
	return gs - slot_addr(ctx_systrap(c), 0) < SLOT_MAX * SLOT_SIZE;
}

static bool read_frame(struct systrap_ctx *c, u64 uc, u64 bases[2])
{
	struct iovec local[2] = { { bases, 16 }, { &c->k, sizeof(c->k) } };
	struct iovec remote[2] = { { (void *)ctx_slot(c), 16 }, { (void *)uc, sizeof(c->k) } };

	return host_vm_readv(to_as(c->base.as)->pid, local, 2, remote, 2) == (ssize_t)(16 + sizeof(c->k));
}

bool frame_fetch(struct systrap_ctx *c, u64 uc, int sig, struct trap *ret)
{
	u64 bases[2];

	if (sig < 1 || sig > 31)
		return false;
	if (c->win)
		window_frame(c, &c->k, bases);
	else if (!read_frame(c, uc, bases))
		return false;
	c->frame = uc;
	c->fs_base = bases[0];
	c->gs_base = own_gs(c, bases[1]) ? 0 : bases[1];
	(void)site_of_ip(to_as(c->base.as), &c->k.ip);
	c->framed = true;
	c->regs_dirty = c->ax_dirty = c->bases_dirty = false;
	trap_of_signal(c, sig, ret);
	return true;
}

int frame_flush(struct systrap_ctx *c)
{
	struct aspace *as = c->base.as;
	u64 at = c->frame + offsetof(struct kframe, r8), n = offsetof(struct kframe, cs) - offsetof(struct kframe, r8);
	u64 gs = c->gs_base || !to_as(as)->mail ? c->gs_base : ctx_slot(c);
	u64 bases[3] = { c->fs_base, gs, 1 };
	const void *what = &c->k.r8;
	int r = 0;

	if (c->win) {
		if (c->regs_dirty || c->ax_dirty)
			window_put_regs(c);
		if (c->bases_dirty)
			window_put_bases(c, c->fs_base, gs);
		window_flush(c);
		goto clean;
	}
	if (!c->regs_dirty && c->ax_dirty) {
		at = c->frame + offsetof(struct kframe, ax);
		n = sizeof(c->k.ax);
		what = &c->k.ax;
	}
	if (!c->regs_dirty && !c->ax_dirty)
		r = c->bases_dirty ? slot_write(c, 0, bases, sizeof(bases)) : 0;
	else if (c->bases_dirty)
		r = slot_write2(c, at, what, n, 0, bases, sizeof(bases));
	else if (systrap_copy_out(as, GADDR(at), what, n) != n)
		r = -ESRCH;
clean:
	c->regs_dirty = c->ax_dirty = c->bases_dirty = false;
	return r;
}

int systrap_get_regs(struct ctx *base, struct user_regs *r)
{
	struct systrap_ctx *c = to_ctx(base);
	const struct kframe *k = &c->k;

	if (!c->framed)
		return -EPERM;
	*r = (struct user_regs){
		.r15 = k->r15, .r14 = k->r14, .r13 = k->r13, .r12 = k->r12, .bp = k->bp, .bx = k->bx,
		.r11 = k->r11, .r10 = k->r10, .r9 = k->r9, .r8 = k->r8, .ax = k->ax, .cx = k->cx,
		.dx = k->dx, .si = k->si, .di = k->di, .orig_ax = (u64)-1, .ip = k->ip, .cs = 0x33,
		.flags = k->flags, .sp = k->sp, .ss = 0x2b, .fs_base = c->fs_base, .gs_base = c->gs_base,
	};
	return 0;
}

int systrap_set_regs(struct ctx *base, const struct user_regs *r)
{
	struct systrap_ctx *c = to_ctx(base);
	struct kframe *k = &c->k;

	if (!c->framed)
		return -EPERM;
	k->r15 = r->r15, k->r14 = r->r14, k->r13 = r->r13, k->r12 = r->r12;
	k->bp = r->bp, k->bx = r->bx, k->r11 = r->r11, k->r10 = r->r10, k->r9 = r->r9, k->r8 = r->r8;
	k->ax = r->ax, k->cx = r->cx, k->dx = r->dx, k->si = r->si, k->di = r->di;
	k->ip = r->ip, k->sp = r->sp;
	k->flags = (r->flags & X86_FLAGS_USER) | 0x202;
	c->regs_dirty = true;
	if (c->fs_base != r->fs_base || c->gs_base != r->gs_base) {
		c->fs_base = r->fs_base;
		c->gs_base = r->gs_base;
		c->bases_dirty = true;
	}
	return 0;
}

int frame_learn_xstate(struct systrap *p, struct systrap_ctx *c)
{
	struct sw_bytes sw;
	u32 mask;

	if (systrap_copy_in(c->base.as, &sw, GADDR(c->k.fpstate + SW_OFFSET), sizeof(sw)) != sizeof(sw) ||
	    systrap_copy_in(c->base.as, &mask, GADDR(c->k.fpstate + 28), sizeof(mask)) != sizeof(mask))
		return -EFAULT;
	if (sw.magic1 != FP_MAGIC1 || sw.xstate_size < 576 || sw.xstate_size > FP_MAX)
		return -ENOTSUP;
	p->xstate_size = sw.xstate_size;
	p->xfeatures = sw.xfeatures;
	p->mxcsr_mask = mask ? mask : 0xffbf;
	return 0;
}

bool frame_copy_fp(const struct systrap_ctx *from, u64 to)
{
	struct systrap *p = ctx_systrap(from);
	size_t n = p->xstate_size + 4;
	auto_kfree u8 *fp = kbuf_alloc(n);
	struct sw_bytes sw;

	if (!fp || (!window_get_fp(from, fp, n) &&
		    systrap_copy_in(from->base.as, fp, GADDR(from->k.fpstate), n) != n))
		return false;
	memcpy(&sw, fp + SW_OFFSET, sizeof(sw));
	return sw.magic1 == FP_MAGIC1 && sw.xstate_size == p->xstate_size &&
	       systrap_copy_out(from->base.as, GADDR(to), fp, n) == n;
}

void frame_inherit(struct systrap_ctx *c, const struct systrap_ctx *parent, u64 frame, u64 fpstate)
{
	c->k = parent->k;
	c->frame = frame;
	c->k.fpstate = fpstate;
	c->fs_base = parent->fs_base;
	c->gs_base = parent->gs_base;
	c->framed = true;
	c->k.ax = 0;
	c->regs_dirty = true;
	/* Changes made to the parent since its trap are in the copy only. */
	c->bases_dirty = true;
}

size_t systrap_fp_size(const struct platform *base) { return to_systrap(base)->xstate_size + 4; }

long systrap_get_fp(struct ctx *base, void *buf, size_t cap)
{
	struct systrap_ctx *c = to_ctx(base);
	size_t n = systrap_fp_size(base->p);

	if (!c->framed)
		return -EPERM;
	if (cap < n)
		return -ENOSPC;
	if (!window_get_fp(c, buf, n) && systrap_copy_in(base->as, buf, GADDR(c->k.fpstate), n) != n)
		return -EFAULT;
	return (long)n;
}

/* Whatever the guest's frame said, the host's sigreturn gets a header that it accepts. */
static void sanitise(struct systrap *p, u8 *fp, size_t given)
{
	struct sw_bytes sw;
	u64 xstate_bv, zero[7] = { 0 };
	u32 mxcsr, magic2 = FP_MAGIC2;

	memcpy(&mxcsr, fp + 24, 4);
	mxcsr &= p->mxcsr_mask;
	memcpy(fp + 24, &mxcsr, 4);
	if (given < 576) {
		memset(fp + 512, 0, p->xstate_size - 512);
		xstate_bv = 3;
	} else {
		memcpy(&xstate_bv, fp + 512, 8);
	}
	xstate_bv &= p->xfeatures;
	memcpy(fp + 512, &xstate_bv, 8);
	memcpy(fp + 520, zero, sizeof(zero));
	memset(&sw, 0, sizeof(sw));
	sw.magic1 = FP_MAGIC1;
	sw.extended_size = p->xstate_size + 4;
	sw.xfeatures = p->xfeatures;
	sw.xstate_size = p->xstate_size;
	memcpy(fp + SW_OFFSET, &sw, sizeof(sw));
	memcpy(fp + p->xstate_size, &magic2, 4);
}

int systrap_set_fp(struct ctx *base, const void *buf, size_t n)
{
	struct systrap_ctx *c = to_ctx(base);
	struct systrap *p = to_systrap(base->p);
	size_t size = systrap_fp_size(base->p);
	auto_kfree u8 *fp = kbuf_alloc(size);
	static const u16 fcw = 0x37f;
	static const u32 mxcsr = 0x1f80;
	int r = 0;

	if (!c->framed)
		return -EPERM;
	if (!fp)
		return -ENOMEM;
	if (buf) {
		if (n < 512)
			return -EINVAL;
		memcpy(fp, buf, MIN(n, size));
	} else {
		memcpy(fp, &fcw, 2);
		memcpy(fp + 24, &mxcsr, 4);
		n = size;
	}
	sanitise(p, fp, n);
	if (!window_put_fp(c, fp, size) && systrap_copy_out(base->as, GADDR(c->k.fpstate), fp, size) != size)
		r = -EFAULT;
	return r;
}
