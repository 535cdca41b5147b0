/*
 * window.c - the sentry's side of a window: data of calls, frames and commands that need no copy by the host.
 *
 * A thread with a mailbox also has a window, if its slot is one of the first
 * (layout.h).  The stub puts there what a posted call points to and every frame that it reports; we
 * put there what a command needs, what changed in the frame, and results that the stub writes to
 * the application's memory before it goes on.
 *
 * The memory is the application's to change at any time.  What comes in is copied once, when its turn
 * is ours (window_take(), window_frame(), systrap_get_fp()), and then validated as ever; nothing that we wrote is read back.
 *
 * Locks: none; a window belongs to the owner of its context.
 */
#include "platform/systrap/systrap.h"

#include <string.h>

/* From a receiver that spins, on another CPU: more crosses between their caches no faster than the host copies it. */
#define FAR_MAX 1024u
#define OUT_WORDS (sizeof(((struct window *)0)->out) / 8)

void window_open(struct systrap_ctx *c, void *mail_memory)
{
	if (c->slot >= MAIL_WINDOWS)
		return;
	c->win = (struct window *)((u8 *)mail_memory + MAIL_WIN_OFF) + c->slot;
	c->win->pid = c->win->tid = 0;
	c->win->mask = 0;
	c->win->frame_lent.uc = 0;
}

void systrap_tell_ids(struct ctx *base, u32 pid, u32 tid)
{
	struct systrap_ctx *c = to_ctx(base);

	if (pid && c->win)
		c->told = c->win;
	if (!c->told)
		return;
	__atomic_store_n(&c->told->pid, pid, __ATOMIC_RELAXED);
	__atomic_store_n(&c->told->tid, tid, __ATOMIC_RELAXED);
}

bool systrap_lend_mask(struct ctx *base, u64 mask)
{
	struct systrap_ctx *c = to_ctx(base);

	if (!c->win)
		return false;
	c->told = c->win;
	__atomic_store_n(&c->told->mask, mask | WIN_MASK_LENT, __ATOMIC_RELEASE);
	return true;
}

u64 systrap_lent_mask(const struct ctx *base)
{
	return __atomic_load_n(&((const struct systrap_ctx *)base)->told->mask, __ATOMIC_SEQ_CST);
}

u64 systrap_recall_mask(struct ctx *base)
{
	return __atomic_exchange_n(&to_ctx(base)->told->mask, 0, __ATOMIC_SEQ_CST);
}

void systrap_lend_frame(struct ctx *base, const struct sigframe_at *f)
{
	struct systrap_ctx *c = to_ctx(base);

	if (!c->told)
		return;
	if (f)
		c->told->frame_lent = (struct win_frame){ f->uc.v, f->fpstate, { f->stack[0], f->stack[1], f->stack[2] } };
	else
		__atomic_store_n(&c->told->frame_lent.uc, 0, __ATOMIC_RELAXED);
}

void window_take(struct systrap_ctx *c, u32 len)
{
	if (!c->win)
		return;
	c->takes_data = true;
	c->in.len = MIN(len, (u32)sizeof(c->in.b));
	if (!c->in.len)
		return;
	c->in.addr = *(volatile u64 *)&c->win->in_addr;
	memcpy(c->in.b, c->win->in, c->in.len);
}

size_t systrap_data_in(const struct ctx *base, gaddr_t src, const void **ret)
{
	const struct systrap_ctx *c = to_ctx(base);
	u64 off;

	off = src.v - c->in.addr;
	if (off >= c->in.len)
		return 0;
	*ret = c->in.b + off;
	return c->in.len - off;
}

bool systrap_takes_data(const struct ctx *base)
{
	const struct systrap_ctx *c = to_ctx(base);

	return c->win && (c->takes_data || c->framed);
}

bool systrap_data_out(struct ctx *base, gaddr_t dst, const void *src, size_t n)
{
	struct systrap_ctx *c = to_ctx(base);
	u64 *o = c->win ? c->win->out + c->out_used : NULL;
	size_t words = (n + 7) / 8;

	/* The end mark needs a word too. */
	if (!systrap_takes_data(base) || !dst.v || n > (c->by_mail && !c->framed ? FAR_MAX : sizeof(c->win->out)) ||
	    words + 3 > OUT_WORDS - c->out_used)
		return false;
	o[0] = dst.v;
	o[1] = n;
	memcpy(o + 2, src, n);
	c->out_used += (u32)words + 2;
	return true;
}

void window_put_view(struct systrap_ctx *c, gaddr_t dst, u32 src, u32 n)
{
	c->win->out[0] = dst.v;
	c->win->out[1] = n | (u64)src << 32;
	c->out_used = OUT_WORDS - 3;            /* full: the stub looks no further */
}

bool window_end(struct systrap_ctx *c)
{
	bool any = c->out_used != 0;

	c->takes_data = false;
	if (!c->win)
		return false;
	if (any)
		c->win->out[c->out_used] = 0;
	c->out_used = 0;
	c->in.len = 0;
	return any;
}

void window_frame(struct systrap_ctx *c, struct kframe *ret_k, u64 ret_bases[2])
{
	const struct window *w = c->win;

	_Static_assert(sizeof(*ret_k) == FRAME_HEAD && offsetof(struct kframe, r8) == FRAME_REGS &&
		       offsetof(struct kframe, cs) - offsetof(struct kframe, r8) == 8 * FRAME_NREGS, "layout.h");
	memcpy(ret_k, w->frame, sizeof(*ret_k));
	ret_bases[0] = w->fs_base;
	ret_bases[1] = w->gs_base;
	c->win_fp = *(volatile const u32 *)&w->fp_len == systrap_fp_size(c->base.p);
	c->win_changed = 0;
}

void window_put_regs(struct systrap_ctx *c)
{
	memcpy((u8 *)c->win->frame + FRAME_REGS, &c->k.r8, 8 * FRAME_NREGS);
	c->win_changed |= WIN_REGS;
}

void window_put_bases(struct systrap_ctx *c, u64 fs, u64 gs)
{
	c->win->fs_base = fs;
	c->win->gs_base = gs;
	c->win_changed |= WIN_BASES;
}

bool window_put_fp(struct systrap_ctx *c, const void *fp, size_t n)
{
	if (!c->win || n > WIN_FP_MAX)
		return false;
	memcpy(c->win->fp, fp, n);
	c->win->fp_len = (u32)n;
	c->win_changed |= WIN_FP;
	c->win_fp = true;
	return true;
}

bool window_get_fp(const struct systrap_ctx *c, void *buf, size_t n)
{
	if (!c->win || !c->win_fp || n > WIN_FP_MAX)
		return false;
	memcpy(buf, c->win->fp, n);
	return true;
}

bool window_put_calls(struct systrap_ctx *c, const struct stub_call *calls, u32 n)
{
	if (!c->win)
		return false;
	memcpy(c->win->calls, calls, n * sizeof(*calls));
	c->win->ncalls = n;
	return true;
}

void window_flush(struct systrap_ctx *c)
{
	if (!c->win)
		return;
	if (window_end(c))
		c->win_changed |= WIN_DATA;
	c->win->changed = c->win_changed;
	c->win_changed = 0;
}
