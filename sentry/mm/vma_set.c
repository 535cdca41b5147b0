/*
 * vma_set.c - the ordered set of vmas: find, cut, insert, merge.
 *
 * See vma_int.h for the invariants.  Every function here runs under mm->mu and
 * cannot fail: the vmas that it needs were allocated by mm_edit_begin().
 * Totals of struct mm change with the set, in vma_account() alone.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "sentry/mm/vma_int.h"

static struct vma *vma_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct vma, node) : NULL;
}

static bool starts_before(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct vma, node)->start < rb_entry(b, struct vma, node)->start;
}

static bool ends_above(const struct rb_node *n, const void *key)
{
	return rb_entry(n, struct vma, node)->end > *(const u64 *)key;
}

struct vma *vma_find(const struct mm *mm, u64 addr)
{
	return vma_of(rb_find_first(&mm->vmas, &addr, ends_above));
}

struct vma *vma_first(const struct mm *mm)
{
	return vma_of(rb_first(&mm->vmas));
}

struct vma *vma_next(const struct vma *v)
{
	return vma_of(rb_next(&v->node));
}

struct vma *vma_prev(const struct vma *v)
{
	return vma_of(rb_prev(&v->node));
}

struct vma *vma_at(const struct mm *mm, u64 addr)
{
	struct vma *v = vma_find(mm, addr);

	return v && v->start <= addr ? v : NULL;
}

u64 vma_gap_start(const struct vma *v)
{
	if (!(v->flags & MAP_GROWSDOWN))
		return v->start;
	return v->start > GUARD_GAP ? v->start - GUARD_GAP : 0;
}

bool mm_range_free(const struct mm *mm, u64 start, u64 end)
{
	struct vma *v = vma_find(mm, start);

	return !v || v->start >= end;
}

u64 mm_mapped_until(const struct mm *mm, u64 start, u64 end)
{
	u64 at = start;

	for (struct vma *v = vma_find(mm, start); v && v->start <= at; v = vma_next(v)) {
		at = v->end;
		if (at >= end)
			return end;
	}
	return at;
}

bool mm_count_ok(const struct mm *mm, u32 more)
{
	return mm->nvmas + more <= MAX_MAP_COUNT;
}

static void vma_account(struct mm *mm, const struct vma *v, bool add)
{
	u64 n = add ? v->end - v->start : v->start - v->end;    /* modulo 2^64 */

	mm->total_vm += n;
	if (v->flags & MAP_GROWSDOWN)
		mm->stack_vm += n;
	else if ((v->prot & PROT_WRITE) && !(v->flags & MAP_SHARED))
		mm->data_vm += n;
	if (v->madvise & VMA_LOCKED)
		mm->locked_vm += n;
	mm->nvmas += add ? 1 : -1u;
}

static void vma_link(struct mm *mm, struct vma *v)
{
	rb_add(&mm->vmas, &v->node, starts_before);
	vma_account(mm, v, true);
}

static void vma_unlink(struct vma_edit *e, struct vma *v)
{
	vma_account(e->mm, v, false);
	rb_erase(&e->mm->vmas, &v->node);
	v->next_gone = e->gone;
	e->gone = v;
}

static struct vma *take_spare(struct vma_edit *e)
{
	BUG_ON(e->nspare == 0);
	return e->spare[--e->nspare];
}

/* Make @at a boundary. */
static void vma_cut(struct vma_edit *e, u64 at)
{
	struct vma *v = vma_at(e->mm, at), *hi;

	if (!v || v->start == at)
		return;
	hi = take_spare(e);
	*hi = *v;
	hi->start = at;
	hi->offset += at - v->start;
	if (hi->file)
		file_ref(hi->file);
	vma_account(e->mm, v, false);
	v->end = at;
	vma_account(e->mm, v, true);
	vma_link(e->mm, hi);
}

static bool can_merge(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->prot != b->prot || a->flags != b->flags || a->file != b->file ||
	    a->name != b->name || a->madvise != b->madvise ||
	    a->policy.mode != b->policy.mode || a->policy.nodes != b->policy.nodes)
		return false;
	return !a->file || a->offset + (a->end - a->start) == b->offset;
}

/* Join @v with the one after it, if they are alike.  True if they were. */
static bool merge_next(struct vma_edit *e, struct vma *v)
{
	struct vma *n = vma_next(v);

	if (!n || !can_merge(v, n))
		return false;
	vma_unlink(e, n);
	vma_account(e->mm, v, false);
	v->end = n->end;
	vma_account(e->mm, v, true);
	return true;
}

/* Join what can be joined at the boundaries within [start, end], both included. */
static void vma_merge(struct vma_edit *e, u64 start, u64 end)
{
	struct vma *v = vma_find(e->mm, start ? start - 1 : 0);

	while (v && v->start <= end)
		if (!merge_next(e, v))
			v = vma_next(v);
}

void vma_carve(struct vma_edit *e, u64 start, u64 end)
{
	struct vma *v, *next;

	vma_cut(e, start);
	vma_cut(e, end);
	for (v = vma_find(e->mm, start); v && v->start < end; v = next) {
		next = vma_next(v);
		vma_unlink(e, v);
	}
	mm_gap_freed(e->mm, end);
}

void vma_insert(struct vma_edit *e, const struct vma *tmpl)
{
	struct vma *v = take_spare(e);

	BUG_ON(tmpl->start >= tmpl->end || !mm_range_free(e->mm, tmpl->start, tmpl->end));
	*v = *tmpl;
	v->next_gone = NULL;
	if (v->file)
		file_ref(v->file);
	vma_link(e->mm, v);
	vma_merge(e, v->start, v->end);
}

void vma_change(struct vma_edit *e, u64 start, u64 end, void (*fn)(struct vma *v, u64 arg), u64 arg)
{
	vma_cut(e, start);
	vma_cut(e, end);
	for (struct vma *v = vma_find(e->mm, start); v && v->start < end; v = vma_next(v)) {
		vma_account(e->mm, v, false);
		fn(v, arg);
		vma_account(e->mm, v, true);
	}
	vma_merge(e, start, end);
}

int mm_edit_begin(struct vma_edit *e, struct mm *mm, u32 nspare)
{
	BUG_ON(nspare > VMA_MAX_SPARES);
	*e = (struct vma_edit){ .mm = mm };
	for (; e->nspare < nspare; e->nspare++) {
		e->spare[e->nspare] = knew(struct vma);
		if (!e->spare[e->nspare]) {
			while (e->nspare)
				kfree(take_spare(e));
			return -ENOMEM;
		}
	}
	mutex_lock(&mm->mu);
	return 0;
}

void vma_free_all(struct vma *gone)
{
	while (gone) {
		struct vma *v = gone;

		gone = v->next_gone;
		file_unref(v->file);
		kfree(v);
	}
}

void mm_edit_end(struct vma_edit *e)
{
	mutex_unlock(&e->mm->mu);
	while (e->nspare)
		kfree(take_spare(e));
	vma_free_all(e->gone);
	e->gone = NULL;
}

void mm_free_vmas(struct mm *mm)
{
	struct vma_edit e = { .mm = mm };
	struct vma *v;

	while ((v = vma_first(mm)))
		vma_unlink(&e, v);
	vma_free_all(e.gone);
}
