/*
 * vma_int.h - the vma set: what the files of sentry/mm share.
 *
 * A set of non-empty, page-aligned ranges, ordered by start, never
 * overlapping, with no two neighbours that vma_merge() would join.
 *
 * A change is made in three steps, so that committing it cannot fail and no
 * lock of lower rank is taken under mm->mu: mm_edit_begin() allocates the vmas that
 * splits may need and takes mm->mu; the change asks the platform first and
 * edits the set only when that worked; mm_edit_end() drops mm->mu and only then
 * frees what was removed, since the last reference to a file may close it.
 */
#pragma once
#include <sys/mman.h>
#include "sentry/mm/mm.h"
#include "sentry/vfs/file.h"

#define GUARD_GAP (256 * PAGE_SIZE)             /* kept free below MAP_GROWSDOWN maps */
#define PROT_RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define VMA_MAX_SPARES 6

struct vma_edit {
	struct mm *mm;
	struct vma *spare[VMA_MAX_SPARES];
	u32 nspare;
	struct vma *gone;                       /* removed, linked by next_gone */
};

/* @nspare: two for each range cut out or changed, one for each vma inserted. -ENOMEM: nothing held. */
int mm_edit_begin(struct vma_edit *e, struct mm *mm, u32 nspare) must_check NO_TSA;
void mm_edit_end(struct vma_edit *e) NO_TSA;

/* Lookups and edits: mm->mu is held. */
struct vma *vma_find(const struct mm *mm, u64 addr);            /* the first that ends above @addr */
struct vma *vma_first(const struct mm *mm);
struct vma *vma_next(const struct vma *v);
struct vma *vma_prev(const struct vma *v);
/* The one that holds @addr, or NULL. */
struct vma *vma_at(const struct mm *mm, u64 addr);
/* Where @v begins for those who look for room: below a growing one a gap stays. */
u64 vma_gap_start(const struct vma *v);
bool mm_range_free(const struct mm *mm, u64 start, u64 end);
/* How far, from @start, memory is mapped without a hole; at most @end. */
u64 mm_mapped_until(const struct mm *mm, u64 start, u64 end);

/* Cut [start, end) out of the set. */
void vma_carve(struct vma_edit *e, u64 start, u64 end);
/* A copy of @tmpl (its file referenced again), which must not overlap any; merged with neighbours. */
void vma_insert(struct vma_edit *e, const struct vma *tmpl);
/* Change prot, flags and madvise of everything in [start, end) by @fn; holes are skipped. */
void vma_change(struct vma_edit *e, u64 start, u64 end, void (*fn)(struct vma *v, u64 arg), u64 arg);
/* May the set grow by @more vmas (vm.max_map_count)? */
bool mm_count_ok(const struct mm *mm, u32 more);

void vma_free_all(struct vma *gone);            /* a next_gone list; without mm->mu */
void mm_free_vmas(struct mm *mm);               /* the whole set, when mm dies */

/* gap.c: top-down below mmap_base, else above it; 0 = no room. */
u64 mm_find_gap(struct mm *mm, u64 len);
void mm_gap_freed(struct mm *mm, u64 end);      /* a range that ended at @end became free */

/* limits.c.  Read before mm->mu is taken, as the limits have a lock of lower rank. */
struct mm_limits { u64 as, data, memlock; bool lock_any; };
void mm_limits_get(struct task *t, struct mm_limits *ret);
/* -ENOMEM when @more bytes would exceed RLIMIT_AS or, if private and writable, RLIMIT_DATA. */
int mm_may_expand(const struct mm *mm, const struct mm_limits *l, u64 more, int prot, u32 flags) must_check;
/* -EPERM (may not lock at all) or @over (too much). */
int mm_may_lock(const struct mm *mm, const struct mm_limits *l, u64 more, int over) must_check;

/*
 * What the host is told of a vma's flags.  A shared map that can never be written is a private one there: it shows the same, and stays
 * harmless if the stub has lied about what became of it and asks for its address, as that of another map, to be made writable.
 */
static inline int vma_host_flags(u32 flags)
{
	if ((flags & MAP_SHARED) && (flags & VMA_NOWRITE))
		flags ^= MAP_SHARED | MAP_PRIVATE;
	return (int)(flags & (MAP_SHARED | MAP_PRIVATE | MAP_NORESERVE));
}

/* The platform's verdict on one change. */
int mm_apply1(struct ctx *c, const struct as_op *op) must_check;

/* Make what is locked in [start, end) present; the vmas are as they are to be, the context has a frame.  mlock.c. */
int mm_populate_locked(struct mm *mm, struct ctx *c, u64 start, u64 end);

/* The length rounded up to pages; false when the end would wrap. */
bool mm_round_range(u64 addr, u64 len, u64 *ret_end) must_check;
/* Is any of it sealed? mm->mu is held. */
bool mm_any_sealed(const struct mm *mm, u64 start, u64 end);
/* Is memory of protection @old (the same, for a new map) not to get @prot (PR_SET_MDWE)?  mm->mu is held. */
bool mm_denies_exec(const struct mm *mm, int old, int prot);
/* Unmap [start, end) on the platform and in the set. */
int mm_unmap_locked(struct vma_edit *e, struct ctx *c, u64 start, u64 end) must_check;
