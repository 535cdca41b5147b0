/*
 * ptrace_regs.c - registers and memory of a stopped tracee, read and written by its own worker.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/kernel/ptrace_regs.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

#define USER_AREA 912                   /* sizeof(struct user) */
#define FX_SIZE 512
#define FX_SW 464                       /* software-reserved: in a frame magic and size, then the features */
#define USER_TOP (1ull << 47)

static long get_general(struct task *x, struct pt_request *q)
{
	size_t n = MIN(q->size, sizeof(struct user_regs));

	memcpy(q->buf, x->pt->regs, n);
	return (long)n;
}

static long set_general(struct task *x, struct pt_request *q)
{
	struct user_regs r = *x->pt->regs;

	memcpy(&r, q->buf, MIN(q->size, sizeof(r)));
	if (r.fs_base >= USER_TOP || r.gs_base >= USER_TOP)
		return -EIO;
	/* Selectors are not the tracer's to choose. */
	r.cs = x->pt->regs->cs;
	r.ss = x->pt->regs->ss;
	r.ds = x->pt->regs->ds;
	r.es = x->pt->regs->es;
	r.fs = x->pt->regs->fs;
	r.gs = x->pt->regs->gs;
	*x->pt->regs = r;
	x->pt->regs_set = true;
	return 0;
}

long task_fetch_fp(struct task *x, u8 *buf, size_t cap)
{
	long n = ctx_get_fp(x->ctx, buf, cap);
	u32 size;
	u64 features;

	if (n < 0 || n < FX_SIZE)
		return n < 0 ? n : -EIO;
	memcpy(&size, buf + FX_SW + 4, sizeof(size));
	memcpy(&features, buf + FX_SW + 8, sizeof(features));
	memset(buf + FX_SW, 0, FX_SIZE - FX_SW);
	memcpy(buf + FX_SW, &features, sizeof(features));
	/* After the state a frame has a second magic, of 4 bytes. */
	return size > FX_SIZE && size - 4 <= (u64)n ? (long)size - 4 : FX_SIZE;
}

static long get_fp(struct task *x, struct pt_request *q)
{
	size_t cap = platform_fp_size(x->kernel->platform);
	auto_kfree u8 *buf = kbuf_alloc(cap);
	long n = buf ? task_fetch_fp(x, buf, cap) : -ENOMEM;

	if (n < 0)
		return n;
	n = MIN(n, (long)q->size);
	memcpy(q->buf, buf, (size_t)n);
	return n;
}

/* What is not written stays: the frame is read, overwritten but for the software's bytes, and set. */
static long set_fp(struct task *x, struct pt_request *q)
{
	size_t cap = platform_fp_size(x->kernel->platform);
	auto_kfree u8 *buf = kbuf_alloc(cap);
	const u8 *src = q->buf;
	size_t n = q->size;
	long have;

	if (!buf)
		return -ENOMEM;
	have = ctx_get_fp(x->ctx, buf, cap);
	if (have < FX_SIZE)
		return -EIO;
	n = MIN(n, (size_t)have);
	memcpy(buf, src, MIN(n, (size_t)FX_SW));
	if (n > FX_SIZE)
		memcpy(buf + FX_SIZE, src + FX_SIZE, n - FX_SIZE);
	return ctx_set_fp(x->ctx, buf, (size_t)have);
}

static long poke(struct task *x, struct pt_request *q)
{
	return mm_poke(x, GADDR(q->addr), q->buf, q->size);
}

static long ask(struct task *t, struct task *x, long (*fn)(struct task *, struct pt_request *), u64 addr, void *buf,
		size_t n)
{
	struct pt_request q = { .fn = fn, .addr = addr, .buf = buf, .size = n, .by = t };

	return ptrace_ask(x, &q);
}

long ptrace_get_regs(struct task *t, struct task *x, struct user_regs *ret)
{
	return ask(t, x, get_general, 0, ret, sizeof(*ret));
}

long ptrace_set_regs(struct task *t, struct task *x, const struct user_regs *r)
{
	struct user_regs copy = *r;

	return ask(t, x, set_general, 0, &copy, sizeof(copy));
}

long ptrace_get_set(struct task *t, struct task *x, u32 type, void *buf, size_t cap)
{
	switch (type) {
	case NT_PRSTATUS:
		return ask(t, x, get_general, 0, buf, cap);
	case NT_PRFPREG:
		return ask(t, x, get_fp, 0, buf, MIN(cap, (size_t)FX_SIZE));
	case NT_X86_XSTATE:
		return ask(t, x, get_fp, 0, buf, cap);
	}
	return -EINVAL;
}

long ptrace_set_set(struct task *t, struct task *x, u32 type, void *buf, size_t n)
{
	switch (type) {
	case NT_PRSTATUS:
		return ask(t, x, set_general, 0, buf, n);
	case NT_PRFPREG:
		return ask(t, x, set_fp, 0, buf, MIN(n, (size_t)FX_SIZE));
	case NT_X86_XSTATE:
		return n < FX_SIZE ? -EFAULT : ask(t, x, set_fp, 0, buf, n);
	}
	return -EINVAL;
}

long ptrace_poke(struct task *t, struct task *x, u64 addr, u64 word)
{
	return ptrace_poke_bytes(t, x, addr, &word, sizeof(word));
}

long ptrace_poke_bytes(struct task *t, struct task *x, u64 addr, void *buf, size_t n)
{
	return ask(t, x, poke, addr, buf, n) < 0 ? -EIO : 0;
}

/* The user area: registers, then what no tracer should rely on; debug registers read as 0. */
long ptrace_peek_user(struct task *t, struct task *x, u64 off, u64 *ret)
{
	struct user_regs r;
	long e;

	if ((off & 7) || off >= USER_AREA)
		return -EIO;
	*ret = 0;
	e = ptrace_get_regs(t, x, &r);
	if (e >= 0 && off < sizeof(r))
		memcpy(ret, (u8 *)&r + off, sizeof(*ret));
	return e < 0 ? e : 0;
}

long ptrace_poke_user(struct task *t, struct task *x, u64 off, u64 word)
{
	struct user_regs r;
	long e;

	if ((off & 7) || off >= sizeof(r))
		return -EIO;
	e = ptrace_get_regs(t, x, &r);
	if (e < 0)
		return e;
	memcpy((u8 *)&r + off, &word, sizeof(word));
	return ptrace_set_regs(t, x, &r);
}
