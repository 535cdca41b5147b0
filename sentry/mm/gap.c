/*
 * gap.c - choosing an address: the highest gap below mmap_base that is large
 * enough, as Linux's top-down layout does.
 *
 * The set is walked downwards.  So that a process with thousands of maps does
 * not pay for all of them each time, the walk starts at gap_top: every gap
 * above it (and below mmap_base) has at most gap_hole bytes.
 */
#include "sentry/mm/vma_int.h"

/* Walk down from @top.  The address, or 0; *hole grows to the largest gap passed over. */
static u64 gap_below(const struct mm *mm, u64 top, u64 len, u64 *hole)
{
	struct vma *next = vma_find(mm, top), *prev;
	u64 end = top;

	if (next && vma_gap_start(next) < end)
		end = vma_gap_start(next);
	prev = next ? vma_prev(next) : rb_last(&mm->vmas) ?
		rb_entry(rb_last(&mm->vmas), struct vma, node) : NULL;
	for (;;) {
		u64 floor = prev ? MAX(prev->end, mm->lo) : mm->lo;

		if (end > floor && end - floor >= len)
			return end - len;
		if (end > floor)
			*hole = MAX(*hole, end - floor);
		if (!prev || prev->start <= mm->lo)
			return 0;
		end = vma_gap_start(prev);
		prev = vma_prev(prev);
	}
}

u64 mm_find_gap(struct mm *mm, u64 len)
{
	bool cached = len > mm->gap_hole && mm->gap_top <= mm->mmap_base;
	u64 hole = cached ? mm->gap_hole : 0;
	u64 addr;

	if (len == 0 || len > mm->hi - mm->lo)
		return 0;
	addr = gap_below(mm, cached ? mm->gap_top : mm->mmap_base, len, &hole);
	if (addr) {
		mm->gap_top = addr;
		mm->gap_hole = hole;
		return addr;
	}
	return gap_below(mm, mm->hi, len, &hole);
}

void mm_gap_freed(struct mm *mm, u64 end)
{
	struct vma *v = vma_find(mm, end);
	u64 top = v ? v->start : mm->hi;

	if (end > mm->gap_top)
		mm->gap_top = MIN(MAX(mm->gap_top, top), mm->mmap_base);
}
