/*
 * regs.c - registers and extended state of a trapped context.
 */
#include "platform/ptrace/pt.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include "platform/base/alloc.h"

#define SW_OFFSET 464                   /* of the software bytes in the legacy area */
#define XCR0_OFFSET 464                 /* there, in ptrace's layout */
#define HEADER 512
#define FP_MAGIC1 0x46505853u
#define FP_MAGIC2 0x46505845u
#define FP_MAX 16384u

/* Linux: struct _fpx_sw_bytes. */
struct sw_bytes { u32 magic1, extended_size; u64 xfeatures; u32 xstate_size, pad[7]; };

int pt_get_regs(struct ctx *base, struct user_regs *r)
{
	*r = to_pt_ctx(base)->regs;
	r->orig_ax = (u64)-1;
	return 0;
}

int pt_set_regs(struct ctx *base, const struct user_regs *r)
{
	struct pt_ctx *c = to_pt_ctx(base);
	struct user_regs n = *r;

	if (n.fs_base >= PT_USER_END || n.gs_base >= PT_USER_END)
		return -EPERM;
	n.cs = 0x33;
	n.ss = 0x2b;
	n.ds = c->regs.ds;
	n.es = c->regs.es;
	n.fs = c->regs.fs;
	n.gs = c->regs.gs;
	n.flags = (r->flags & X86_FLAGS_USER) | 0x202;
	n.orig_ax = (u64)-1;
	c->regs = n;
	c->dirty = true;
	return 0;
}

size_t pt_fp_size(const struct platform *base) { return to_pt(base)->xsize + 4; }

struct fp_req { struct pt_req q; struct pt_ctx *c; void *buf; bool set; int result; };

static void fp_fn(struct pt *p, struct pt_req *q)
{
	struct fp_req *r = container_of(q, struct fp_req, q);
	struct iovec iov = { r->buf, p->xsize };

	if (r->c->dead)
		r->result = -ESRCH;
	else if (ptrace(r->set ? PTRACE_SETREGSET : PTRACE_GETREGSET, r->c->tid, NT_X86_XSTATE, &iov) < 0)
		r->result = -errno;
}

static int transfer(struct pt_ctx *c, void *buf, bool set)
{
	struct fp_req r = { .q.fn = fp_fn, .c = c, .buf = buf, .set = set };

	pt_call(ctx_pt(c), &r.q);
	return r.result;
}

long pt_get_fp(struct ctx *base, void *buf, size_t cap)
{
	struct pt *p = to_pt(base->p);
	struct sw_bytes sw = {
		.magic1 = FP_MAGIC1, .extended_size = p->xsize + 4, .xfeatures = p->xfeatures,
		.xstate_size = p->xsize,
	};
	const u32 magic2 = FP_MAGIC2;
	int r;

	if (cap < pt_fp_size(base->p))
		return -ENOSPC;
	r = transfer(to_pt_ctx(base), buf, false);
	if (r < 0)
		return r;
	memcpy((u8 *)buf + SW_OFFSET, &sw, sizeof(sw));
	memcpy((u8 *)buf + p->xsize, &magic2, sizeof(magic2));
	return (long)pt_fp_size(base->p);
}

/* What the host's PTRACE_SETREGSET accepts, whatever the guest's frame says. */
static void sanitise(const struct pt *p, u8 *fp, size_t given)
{
	u64 bv = 3;
	u32 mxcsr;

	memcpy(&mxcsr, fp + 24, 4);
	mxcsr &= p->mxcsr_mask;
	memcpy(fp + 24, &mxcsr, 4);
	if (given >= HEADER + 64)
		memcpy(&bv, fp + HEADER, 8);
	else
		memset(fp + HEADER, 0, p->xsize - HEADER);
	bv &= p->xfeatures;
	memset(fp + HEADER, 0, 64);
	memcpy(fp + HEADER, &bv, 8);
	memset(fp + SW_OFFSET, 0, sizeof(struct sw_bytes));
	memcpy(fp + XCR0_OFFSET, &p->xfeatures, 8);
}

int pt_set_fp(struct ctx *base, const void *buf, size_t n)
{
	static const u16 fcw = 0x37f;
	static const u32 mxcsr = 0x1f80;
	struct pt *p = to_pt(base->p);
	auto_kfree u8 *fp = kbuf_alloc(p->xsize);

	if (!fp)
		return -ENOMEM;
	if (buf && n < HEADER)
		return -EINVAL;
	if (buf) {
		memcpy(fp, buf, MIN(n, p->xsize));
	} else {
		memcpy(fp, &fcw, sizeof(fcw));
		memcpy(fp + 24, &mxcsr, sizeof(mxcsr));
		n = p->xsize;
	}
	sanitise(p, fp, n);
	return transfer(to_pt_ctx(base), fp, true);
}

int pt_learn_xstate(struct pt *p, pid_t tid)
{
	auto_kfree u8 *fp = kbuf_alloc(FP_MAX);
	struct iovec iov = { fp, FP_MAX };
	u32 mask;

	if (!fp)
		return -ENOMEM;
	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return -errno;
	if (iov.iov_len < HEADER + 64)
		return -ENOTSUP;
	p->xsize = (u32)iov.iov_len;
	memcpy(&p->xfeatures, fp + XCR0_OFFSET, 8);
	memcpy(&mask, fp + 28, 4);
	p->mxcsr_mask = mask ? mask : 0xffbf;
	return 0;
}
