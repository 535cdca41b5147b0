/*
 * undo.c - rt_sigreturn without the sentry, for the handler that it started last (own_calls.h).
 *
 * The frame on the application's stack becomes the host's own, through which the stub's handler returns, in
 * the order of what may fail: nothing is undone by halves, and in doubt the sentry sees the call.
 * What the host would not accept of the extended state stays its own; the rest can only hurt its thread.
 */
#include <stddef.h>
#include <ucontext.h>
#include "platform/systrap/stub/stub.h"

#define FP_MXCSR   24           /* in the legacy area, which */
#define FP_SW      464          /* ends in the kernel's own words, up to */
#define FP_HEADER  512          /* a bitmap of the components, and what must be 0, up to */
#define FP_REST    576
#define MXCSR_MASK 0xffbf       /* where the processor does not say */

struct sw_bytes { uint32_t magic1, extended_size; uint64_t xfeatures, xstate_size, pad[3]; };

/* The kernel's ucontext: the C library's has a longer mask. */
struct ucontext_head {
	uint64_t flags, link, stack[3], reg[FRAME_NREGS], segments, err, trapno, oldmask, cr2, fpstate, reserved[8], mask;
};
_Static_assert(offsetof(struct ucontext_head, reg) == FRAME_REGS && sizeof(struct ucontext_head) == 304, "ucontext");

static int load_fp(char *fp, const char *from)
{
	const struct sw_bytes *own = (const struct sw_bytes *)(fp + FP_SW);
	uint32_t *mxcsr = (uint32_t *)(fp + FP_MXCSR), known = mxcsr[1] ? mxcsr[1] : MXCSR_MASK;
	uint64_t size = own->xstate_size, components;
	struct sw_bytes sw;
	uint32_t magic2;

	if (stub_copy(&sw, from + FP_SW, sizeof(sw)) || stub_copy(&components, from + FP_HEADER, sizeof(components)))
		return 0;
	if (sw.magic1 != own->magic1 || sw.extended_size != own->extended_size || sw.xfeatures != own->xfeatures ||
	    sw.xstate_size != size || size < FP_REST)
		return 0;
	if (stub_copy(&magic2, from + size, sizeof(magic2)) || magic2 != *(uint32_t *)(fp + size))
		return 0;
	if (stub_copy(fp, from, FP_SW) || stub_copy(fp + FP_REST, from + FP_REST, size - FP_REST))
		return 0;
	mxcsr[0] &= known;
	mxcsr[1] = known;
	*(uint64_t *)(fp + FP_HEADER) = components & own->xfeatures;
	return 1;
}

int stub_undo(struct window *w, ucontext_t *uc)
{
	greg_t *reg = uc->uc_mcontext.gregs;
	struct ucontext_head h;
	uint64_t lent;

	if (!w->frame_lent.uc || w->frame_lent.uc != (uint64_t)reg[REG_RSP])
		return 0;
	lent = __atomic_load_n(&w->mask, __ATOMIC_RELAXED);
	if (!(lent & WIN_MASK_LENT) || stub_copy(&h, (void *)w->frame_lent.uc, sizeof(h)) || h.fpstate != w->frame_lent.fpstate)
		return 0;
	for (int i = 0; i < 3; i++)
		if (h.stack[i] != w->frame_lent.stack[i])
			return 0;
	if (!load_fp((char *)uc->uc_mcontext.fpregs, (char *)h.fpstate))
		return 0;
	h.mask = (h.mask & ~(1ull << WIN_MASK_NEVER)) | WIN_MASK_LENT;
	if (!__atomic_compare_exchange_n(&w->mask, &lent, h.mask, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return 0;
	for (unsigned i = 0; i < FRAME_NREGS; i++)
		reg[i] = (greg_t)h.reg[i];
	w->frame_lent.uc = 0;
	return 1;
}
