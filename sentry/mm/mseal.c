/*
 * mseal.c - mseal(2): memory whose mapping stays as it is until the process execs or ends.
 *
 * The seal is a flag of the vma, copied by fork and kept by splits.  Every call that changes
 * mappings asks: mm_any_sealed() before it does anything, or its own walk of the set.
 */
#include <errno.h>
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

bool mm_any_sealed(const struct mm *mm, u64 start, u64 end)
{
	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		if (v->flags & VMA_SEALED)
			return true;
	return false;
}

static void set_seal(struct vma *v, u64 arg unused_ok)
{
	v->flags |= VMA_SEALED;
}

int mm_mseal(struct task *t, gaddr_t addr, u64 len)
{
	struct mm *mm = t->mm;
	struct vma_edit e;
	u64 end;
	int r;

	if ((addr.v & ~PAGE_MASK) || !mm_round_range(addr.v, len, &end) || (len && end == addr.v))
		return -EINVAL;
	if (end == addr.v)
		return 0;
	r = mm_edit_begin(&e, mm, 2);
	if (r < 0)
		return r;
	if (mm_mapped_until(mm, addr.v, end) < end || !mm_count_ok(mm, 2))
		r = -ENOMEM;
	else
		vma_change(&e, addr.v, end, set_seal, 0);
	mm_edit_end(&e);
	return r;
}
