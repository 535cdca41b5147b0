/*
 * callsite.c - what the platform may do to call sites that trap often (platform.h, aspace_patch()).
 *
 * Only ordinary code is touched: a private file mapping that is executable and
 * not writable.  The page for the platform is a map of its own, "[callsites]",
 * the highest free page below the code, where nothing grows towards it.
 */
#include <errno.h>
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

#define REACH ((1ull << 30) - (16ull << 20))

static bool is_code(const struct vma *v)
{
	return v && v->file && !(v->flags & MAP_SHARED) && v->prot == (PROT_READ | PROT_EXEC);
}

/* The highest free page below the map @v; 0: none in reach of it. */
static u64 room_below(const struct mm *mm, const struct vma *v)
{
	u64 site = v->start;

	for (;;) {
		const struct vma *prev = vma_prev(v);
		u64 end = vma_gap_start(v), floor = MAX(prev ? prev->end : 0, mm->lo);

		if (end > floor && end - floor >= PAGE_SIZE)
			return site - end < REACH ? end - PAGE_SIZE : 0;
		if (!prev)
			return 0;
		v = prev;
	}
}

/* Map a page for the platform below the code at @site. Its address, or 0. */
static u64 make_room(struct task *t, u64 site)
{
	struct as_op op = {
		.kind = AS_MAP, .len = PAGE_SIZE, .prot = PROT_READ | PROT_EXEC, .flags = MAP_PRIVATE,
		.file = HOSTFD_NONE,
	};
	struct vma page = { .prot = op.prot, .flags = MAP_PRIVATE, .name = "[callsites]" };
	struct mm *mm = t->mm;
	struct vma_edit e;
	struct vma *v;

	if (mm_edit_begin(&e, mm, 1) < 0)
		return 0;
	v = vma_at(mm, site);
	if (v && mm_count_ok(mm, 1))
		page.start = room_below(mm, v);
	page.end = page.start + PAGE_SIZE;
	op.addr = GADDR(page.start);
	if (page.start && mm_apply1(t->ctx, &op) == 0)
		vma_insert(&e, &page);
	else
		page.start = 0;
	mm_edit_end(&e);
	return page.start;
}

void mm_hot_site(struct task *t, u64 site)
{
	struct mm *mm = t->mm;
	struct vma *v;
	u64 room;
	bool code;

	mutex_lock(&mm->mu);
	v = vma_at(mm, site);
	code = is_code(v) && site - v->start >= 16 && v->end - site >= 256;
	mutex_unlock(&mm->mu);
	if (!code || aspace_patch(t->ctx, site, GADDR(0)) != -ENOSPC)
		return;
	room = make_room(t, site);
	if (room)
		(void)aspace_patch(t->ctx, site, GADDR(room));
}
