/*
 * brk.c - brk(2): the heap is an anonymous map named [heap] that the sentry places.
 */
#include <errno.h>
#include "platform/base/overflow.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

static int grow(struct vma_edit *e, struct task *t, const struct mm_limits *lim, u64 from, u64 to)
{
	struct mm *mm = e->mm;
	struct vma v = {
		.start = from, .end = to, .prot = PROT_READ | PROT_WRITE, .flags = MAP_PRIVATE,
		.name = "[heap]", .madvise = mm->lock_future,
	};
	struct as_op op = {
		.kind = AS_MAP, .addr = GADDR(from), .len = to - from, .prot = v.prot,
		.flags = MAP_PRIVATE, .file = HOSTFD_NONE,
	};
	struct vma *next = vma_find(mm, from);
	int r;

	if (!range_ok(from, to - from, mm->hi) || (next && vma_gap_start(next) < to + PAGE_SIZE) ||
	    !mm_count_ok(mm, 1))
		return -ENOMEM;
	r = mm_may_expand(mm, lim, to - from, v.prot, v.flags);
	if (r == 0 && (v.madvise & VMA_LOCKED))
		r = mm_may_lock(mm, lim, to - from, -EAGAIN);
	if (r == 0)
		r = mm_apply1(t->ctx, &op);
	if (r < 0)
		return r;
	vma_insert(e, &v);
	(void)mm_populate_locked(mm, t->ctx, from, to);
	return 0;
}

static int move_break(struct vma_edit *e, struct task *t, const struct mm_limits *lim, u64 want)
{
	struct mm *mm = e->mm;
	u64 from = ALIGN_UP(mm->brk, PAGE_SIZE), to;

	if (want < mm->brk_start || align_up_overflows(want, PAGE_SIZE, &to))
		return -ENOMEM;
	if (lim->data != RLIM64_INFINITY &&
	    size_add(want - mm->brk_start, mm->data_end - mm->data_start) > lim->data)
		return -ENOMEM;
	if (to > from)
		return grow(e, t, lim, from, to);
	return to < from ? mm_unmap_locked(e, t->ctx, to, from) : 0;
}

long mm_brk(struct task *t, gaddr_t addr)
{
	struct mm *mm = t->mm;
	struct mm_limits lim;
	struct vma_edit e;
	long r;

	mm_limits_get(t, &lim);
	if (mm_edit_begin(&e, mm, 3) < 0) {
		mutex_lock(&mm->mu);
		r = (long)mm->brk;
		mutex_unlock(&mm->mu);
		return r;
	}
	if (move_break(&e, t, &lim, addr.v) == 0)
		mm->brk = addr.v;
	r = (long)mm->brk;
	mm_edit_end(&e);
	return r;
}
