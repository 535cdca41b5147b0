/*
 * signal_frame.c - x86-64 signal frames: built for a handler, undone by rt_sigreturn(2).
 *
 * The layout is Linux's struct rt_sigframe, since unwinders and handlers read
 * it: return address, ucontext, siginfo, and above them the extended state,
 * 64-byte aligned.  A frame that comes back is hostile input: selectors and
 * flags are forced to harmless values, the rest can only hurt its own process.
 */
#include <errno.h>
#include <stddef.h>

#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task_int.h"

#define UC_FP_XSTATE         0x1
#define UC_SIGCONTEXT_SS     0x2
#define UC_STRICT_RESTORE_SS 0x4
#define USER_CS 0x33
#define USER_DS 0x2b
#define REDZONE 128
#define SA_RESTORER_FLAG 0x04000000
#define SS_AUTODISARM_FLAG ((s32)(1u << 31))
#define FLAGS_CLEARED 0x10500ull        /* RF, DF, TF: off in a handler */
#define XSTATE_MAGIC1 0x46505853u
#define XSTATE_MAGIC2 0x46505845u
#define XSTATE_MIN 576                  /* legacy area and header */
#define FXSAVE_SIZE 512
#define FXSAVE_SW 464                   /* software-reserved bytes: magic1, extended_size, ... */

struct lx_sigcontext {
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2;
	u64 fpstate;
	u64 reserved[8];
};

struct lx_ucontext {
	u64 flags, link;
	struct lx_sigaltstack stack;
	struct lx_sigcontext mc;
	sigmask_t mask;
};

struct rt_sigframe {
	u64 pretcode;
	struct lx_ucontext uc;
	struct lx_siginfo info;
};
_Static_assert(sizeof(struct lx_sigcontext) == 256, "sigcontext");
_Static_assert(sizeof(struct lx_ucontext) == 304, "ucontext");
_Static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");

static bool within(const struct lx_sigaltstack *ss, u64 sp)
{
	return sp > ss->sp && sp - ss->sp <= ss->size;
}

bool sigstack_is_on(const struct lx_sigaltstack *ss, u64 sp)
{
	return !(ss->flags & SS_AUTODISARM_FLAG) && ss->size != 0 && within(ss, sp);
}

static void save_regs(struct task *t, const struct user_regs *r, sigmask_t mask, struct lx_sigcontext *mc)
{
	*mc = (struct lx_sigcontext){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13,
		.r14 = r->r14, .r15 = r->r15, .di = r->di, .si = r->si, .bp = r->bp, .bx = r->bx,
		.dx = r->dx, .ax = r->ax, .cx = r->cx, .sp = r->sp, .ip = r->ip, .flags = r->flags,
		.cs = (u16)r->cs, .ss = (u16)r->ss,
		.err = t->fault_err, .trapno = t->fault_trapno, .cr2 = t->fault_addr,
		.oldmask = mask,
	};
}

/*
 * Copy the extended state below @sp. The address it got; 0 when it cannot be written.
 */
static u64 put_fpstate(struct task *t, u64 sp)
{
	size_t cap = platform_fp_size(t->kernel->platform);
	u8 *buf = kbuf_alloc(cap);
	long n;

	if (!buf)
		return 0;
	sp = ALIGN_DOWN(sp - cap, 64ull);
	n = ctx_get_fp(t->ctx, buf, cap);
	if (n < 0 || copy_out_late(t, GADDR(sp), buf, (size_t)n) < 0)
		sp = 0;
	kfree(buf);
	return sp;
}

/* Where the frame goes, and the extended state above it. false: does not fit. */
static bool place_frame(struct task *t, const struct user_regs *r, const struct lx_sigaction *act,
			u64 *ret_sp, u64 *ret_fp)
{
	const struct lx_sigaltstack *ss = &t->altstack;
	bool nested = sigstack_is_on(ss, r->sp), entering = false;
	u64 sp = r->sp - REDZONE;

	if ((act->flags & SA_ONSTACK) && !nested && ss->size != 0) {
		sp = ss->sp + ss->size;
		entering = true;
	}
	/* Look first: a frame that would leave the alternate stack must not be written at all. */
	if ((nested || entering) &&
	    !within(ss, ALIGN_DOWN(ALIGN_DOWN(sp - platform_fp_size(t->kernel->platform), 64ull) -
				   sizeof(struct rt_sigframe), 16ull) - 8))
		return false;
	*ret_fp = put_fpstate(t, sp);
	if (*ret_fp == 0)
		return false;
	*ret_sp = ALIGN_DOWN(*ret_fp - sizeof(struct rt_sigframe), 16ull) - 8;
	return true;
}

int sigframe_setup(struct task *t, struct user_regs *r, const struct lx_siginfo *info,
		   const struct lx_sigaction *act, sigmask_t old_mask, struct sigframe_at *ret)
{
	struct rt_sigframe f = { 0 };
	u64 sp, fp;

	if (!(act->flags & SA_RESTORER_FLAG) || !place_frame(t, r, act, &sp, &fp))
		return -EFAULT;
	f.pretcode = act->restorer;
	f.uc.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	f.uc.stack = t->altstack;
	save_regs(t, r, old_mask, &f.uc.mc);
	f.uc.mc.fpstate = fp;
	f.uc.mask = old_mask;
	f.info = *info;
	if (copy_out_late(t, GADDR(sp), &f, sizeof(f)) < 0)
		return -EFAULT;
	*ret = (struct sigframe_at){ GADDR(sp + offsetof(struct rt_sigframe, uc)), fp, { 0 } };
	__builtin_memcpy(ret->stack, &f.uc.stack, sizeof(ret->stack));
	if (t->altstack.flags & SS_AUTODISARM_FLAG) {
		ret->uc = GADDR(0);     /* its end sets the stack */
		t->altstack = (struct lx_sigaltstack){ .flags = SS_DISABLE };
	}
	r->di = (u64)info->signo;
	r->ax = 0;
	r->si = sp + offsetof(struct rt_sigframe, info);
	r->dx = sp + offsetof(struct rt_sigframe, uc);
	r->ip = act->handler;
	r->sp = sp;
	r->cs = USER_CS;
	r->ss = USER_DS;
	r->orig_ax = (u64)-1;
	r->flags &= ~FLAGS_CLEARED;
	return ctx_set_fp(t->ctx, NULL, 0);
}

/* ---- rt_sigreturn ---- */

/* What a sigreturn reads, in one copy if the extended state lies where we put it. */
struct returned {
	u64 base;
	size_t n;
	u8 *b;
};

static int read_returned(struct task *t, const struct returned *f, void *dst, u64 addr, size_t n)
{
	u64 off = addr - f->base;

	if (off > f->n || n > f->n - off)
		return copy_in(t, dst, GADDR(addr), n);
	__builtin_memcpy(dst, f->b + off, n);
	return 0;
}

static int get_fpstate(struct task *t, const struct returned *f, u64 addr)
{
	size_t cap = platform_fp_size(t->kernel->platform), n = FXSAVE_SIZE;
	struct { u32 magic1, extended_size; u64 features; u32 xstate_size; } sw;
	u32 magic2;
	u8 *buf;
	int r = -EFAULT;

	if (addr == 0)
		return ctx_set_fp(t->ctx, NULL, 0);
	buf = kbuf_alloc(MAX(cap, (size_t)FXSAVE_SIZE));
	if (!buf)
		return -ENOMEM;
	if (read_returned(t, f, buf, addr, FXSAVE_SIZE) < 0)
		goto out;
	__builtin_memcpy(&sw, buf + FXSAVE_SW, sizeof(sw));
	if (sw.magic1 == XSTATE_MAGIC1 && sw.xstate_size >= XSTATE_MIN && sw.xstate_size <= cap - sizeof(magic2) &&
	    sw.xstate_size <= sw.extended_size) {
		if (read_returned(t, f, buf + FXSAVE_SIZE, addr + FXSAVE_SIZE, sw.xstate_size + sizeof(magic2) - FXSAVE_SIZE) < 0)
			goto out;
		__builtin_memcpy(&magic2, buf + sw.xstate_size, sizeof(magic2));
		if (magic2 == XSTATE_MAGIC2)
			n = sw.xstate_size + sizeof(magic2);
	}
	r = ctx_set_fp(t->ctx, buf, n);
out:
	kfree(buf);
	return r;
}

static void load_regs(struct user_regs *r, const struct lx_sigcontext *mc)
{
	r->r8 = mc->r8;
	r->r9 = mc->r9;
	r->r10 = mc->r10;
	r->r11 = mc->r11;
	r->r12 = mc->r12;
	r->r13 = mc->r13;
	r->r14 = mc->r14;
	r->r15 = mc->r15;
	r->di = mc->di;
	r->si = mc->si;
	r->bp = mc->bp;
	r->bx = mc->bx;
	r->dx = mc->dx;
	r->ax = mc->ax;
	r->cx = mc->cx;
	r->sp = mc->sp;
	r->ip = mc->ip;
	r->flags = (r->flags & ~X86_FLAGS_USER) | (mc->flags & X86_FLAGS_USER);
	r->cs = USER_CS;
	r->ss = USER_DS;
	r->orig_ax = (u64)-1;
}

static int restore(struct task *t, struct user_regs *r, const struct returned *f)
{
	struct lx_ucontext uc;

	if (read_returned(t, f, &uc, f->base + offsetof(struct rt_sigframe, uc), sizeof(uc)) < 0)
		return -EFAULT;
	load_regs(r, &uc.mc);
	if (ctx_set_regs(t->ctx, r) < 0 || get_fpstate(t, f, uc.mc.fpstate) < 0)
		return -EFAULT;
	signal_set_mask(t, uc.mask);
	/* Errors of the stack are ignored, as by Linux. */
	(void)!sigstack_set(t, &uc.stack, r->sp);
	return 0;
}

int sigframe_restore(struct task *t)
{
	size_t n = sizeof(struct rt_sigframe) + 8 + 64 + platform_fp_size(t->kernel->platform);
	struct returned f = { .b = kbuf_alloc(n) };
	struct user_regs regs;
	int r = -EFAULT;

	if (!f.b)
		return -ENOMEM;
	if (ctx_get_regs(t->ctx, &regs) == 0) {
		f.base = regs.sp - 8;           /* the handler's ret has popped pretcode */
		f.n = copy_in_some(t, f.b, GADDR(f.base), n);
		r = restore(t, &regs, &f);
	}
	kfree(f.b);
	return r;
}

int sigstack_set(struct task *t, const struct lx_sigaltstack *ss, u64 sp)
{
	s32 mode = ss->flags & ~SS_AUTODISARM_FLAG;

	if (sigstack_is_on(&t->altstack, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack = (struct lx_sigaltstack){ .flags = ss->flags };
		return 0;
	}
	if (ss->size < 2048)
		return -ENOMEM;
	t->altstack = (struct lx_sigaltstack){ .sp = ss->sp, .flags = ss->flags, .size = ss->size };
	return 0;
}
