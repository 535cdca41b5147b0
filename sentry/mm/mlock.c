/*
 * mlock.c - mlock(2) and its family, msync(2).
 *
 * The sandbox's memory is never pinned on the host: locks are counted against
 * RLIMIT_MEMLOCK and shown, and pages are made present where Linux would.
 */
#include <errno.h>
#include "platform/base/overflow.h"
#include "platform/platform.h"
#include "sentry/core/errno.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

static void set_lock(struct vma *v, u64 how)
{
	v->madvise = (v->madvise & ~(VMA_LOCKED | VMA_LOCKONFAULT)) | (u32)how;
}

static u64 locked_bytes(const struct mm *mm, u64 start, u64 end)
{
	u64 n = 0;

	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		if (v->madvise & VMA_LOCKED)
			n += MIN(v->end, end) - MAX(v->start, start);
	return n;
}

/* Locked memory is there from the start, unless VMA_LOCKONFAULT: private memory to be written as it will be then. */
int mm_populate_locked(struct mm *mm, struct ctx *c, u64 start, u64 end)
{
	int r = 0;

	for (struct vma *v = vma_find(mm, start); v && v->start < end && r == 0; v = vma_next(v)) {
		bool write = (v->prot & PROT_WRITE) && (!(v->flags & MAP_SHARED) || !(v->prot & PROT_READ));
		/* Of a stack no more than Linux would have grown. */
		u64 at = MAX(v->flags & MAP_GROWSDOWN ? MIN(v->start + mm->stack_reserve, v->end) : v->start, start);
		struct as_op op = {
			.kind = AS_ADVISE, .addr = GADDR(at), .len = MIN(v->end, end) - at, .file = HOSTFD_NONE,
			.advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ,
		};

		if ((v->madvise & (VMA_LOCKED | VMA_LOCKONFAULT)) != VMA_LOCKED || v->prot == PROT_EXEC || at >= MIN(v->end, end))
			continue;
		r = v->prot ? mm_apply1(c, &op) : -EFAULT;
	}
	return r;
}

/* mlock(2)'s words for what went wrong when pages were made present. */
static int posix_error(int r) { return r == -EFAULT ? -ENOMEM : r == -ENOMEM ? -EAGAIN : r; }

int mm_mlock(struct task *t, gaddr_t addr, u64 len, u32 how)
{
	struct mm *mm = t->mm;
	struct mm_limits lim;
	struct vma_edit e;
	u64 start = addr.v & PAGE_MASK, end, until;
	int r;

	mm_limits_get(t, &lim);
	if (how && !lim.lock_any && lim.memlock == 0)
		return -EPERM;
	/* As Linux does: a length that wraps is a short one. */
	len = ALIGN_UP(len + (addr.v - start), PAGE_SIZE);
	if (add_overflows(start, len, &end))
		return how && !lim.lock_any && len > lim.memlock ? -ENOMEM : -EINVAL;
	if (start == end)
		return 0;
	if (how == VMA_LOCKED && !ctx_has_frame(t->ctx))
		return -ENEEDFRAME;
	r = mm_edit_begin(&e, mm, 2);
	if (r < 0)
		return r;
	if (how)
		r = mm_may_lock(mm, &lim, (end - start) - locked_bytes(mm, start, end), -ENOMEM);
	if (r == 0 && !mm_count_ok(mm, 2))
		r = -ENOMEM;
	if (r == 0) {
		until = mm_mapped_until(mm, start, end);
		if (until > start)
			vma_change(&e, start, until, set_lock, how);
		r = until < end ? -ENOMEM : how == VMA_LOCKED ? posix_error(mm_populate_locked(mm, t->ctx, start, end)) : 0;
	}
	mm_edit_end(&e);
	return r;
}

/* What cannot be made present is left as it is. The end of the vma at or above @at. */
static u64 populate_next(struct mm *mm, struct ctx *c, u64 at)
{
	struct vma *v = vma_find(mm, at);

	if (!v)
		return mm->hi;
	(void)mm_populate_locked(mm, c, v->start, v->end);
	return v->end;
}

int mm_mlockall(struct task *t, int flags)
{
	struct mm *mm = t->mm;
	u32 how = VMA_LOCKED | (flags & MCL_ONFAULT ? VMA_LOCKONFAULT : 0);
	struct mm_limits lim;
	struct vma_edit e;
	int r;

	mm_limits_get(t, &lim);
	if (flags && !lim.lock_any && lim.memlock == 0)
		return -EPERM;
	if ((flags & MCL_CURRENT) && how == VMA_LOCKED && !ctx_has_frame(t->ctx))
		return -ENEEDFRAME;
	r = mm_edit_begin(&e, mm, 2);
	if (r < 0)
		return r;
	if ((flags & MCL_CURRENT) && !lim.lock_any && mm->total_vm > lim.memlock)
		r = -ENOMEM;
	if (r == 0) {
		mm->lock_future = flags & MCL_FUTURE ? how : 0;
		if (flags == 0 || (flags & MCL_CURRENT))
			vma_change(&e, mm->lo, mm->hi, set_lock, flags ? how : 0);
		if ((flags & MCL_CURRENT) && how == VMA_LOCKED)
			for (u64 at = mm->lo; at < mm->hi; )
				at = populate_next(mm, t->ctx, at);
	}
	mm_edit_end(&e);
	return r;
}

int mm_check_mapped(struct mm *mm, u64 addr, u64 len)
{
	u64 end = addr + len, until;

	mutex_lock(&mm->mu);
	until = mm_mapped_until(mm, addr, end);
	mutex_unlock(&mm->mu);
	return until < end ? -ENOMEM : 0;
}

/* The next shared file map to flush at or above *at: a reference, with *at moved behind it. */
static struct file *next_to_sync(struct mm *mm, u64 *at, u64 end, int flags, int *err)
{
	struct file *f = NULL;

	mutex_lock(&mm->mu);
	for (struct vma *v = vma_find(mm, *at); *at < end && !f; v = vma_next(v)) {
		if (!v || v->start >= end) {
			*err = -ENOMEM;
			*at = end;
			break;
		}
		if (v->start > *at)
			*err = -ENOMEM;
		*at = MIN(v->end, end);
		if ((flags & MS_INVALIDATE) && (v->madvise & VMA_LOCKED)) {
			*err = -EBUSY;
			*at = end;
			break;
		}
		if ((flags & MS_SYNC) && v->file && (v->flags & MAP_SHARED) && !(v->flags & VMA_NOWRITE))
			f = file_ref(v->file);
	}
	mutex_unlock(&mm->mu);
	return f;
}

int mm_msync(struct task *t, gaddr_t addr, u64 len, int flags)
{
	u64 at = addr.v, end;
	struct file *f;
	int err = 0;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || (at & ~PAGE_MASK) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	if (add_overflows(at, ALIGN_UP(len, PAGE_SIZE), &end))
		return -ENOMEM;
	while (at < end && (f = next_to_sync(t->mm, &at, end, flags, &err))) {
		int r = file_fsync(t, f, true);

		file_unref(f);
		/* Kinds without backing store have nothing to write. */
		if (r < 0 && r != -EINVAL)
			return r;
	}
	return err;
}
