/*
 * advise.c - madvise(2).
 *
 * Advice that changes what a program can see goes to the platform (AS_ADVISE): contents
 * dropped, what fork copies, huge pages, pages made present.  Mere hints are
 * checked and then forgotten.  The common case, one range whose contents are dropped, the application
 * carries out itself (ctx_pass).
 */
#include <errno.h>
#include <fcntl.h>
#include "platform/platform.h"
#include "sentry/core/errno.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

/* Newer than the C library's headers. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

enum advice_kind { ADV_UNKNOWN, ADV_HINT, ADV_PASS, ADV_FORBIDDEN };

/* MADV_MERGEABLE is -EINVAL, as on a Linux without KSM: there is no /sys/kernel/mm/ksm. */
static enum advice_kind classify(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return ADV_HINT;
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
		return ADV_PASS;
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		return ADV_FORBIDDEN;
	default:
		return ADV_UNKNOWN;
	}
}

/* Would it change, by dropping, sealed memory that may not be written? */
static bool breaks_seal(const struct vma *v, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_DONTFORK:
	case MADV_WIPEONFORK:
	case MADV_GUARD_INSTALL:
		return (v->flags & VMA_SEALED) && !(v->flags & MAP_SHARED) && !(v->prot & PROT_WRITE);
	default:
		return false;
	}
}

/* May @v get this advice? */
static int check_vma(const struct vma *v, int advice)
{
	bool private_anon = !v->file && !(v->flags & MAP_SHARED);

	if (breaks_seal(v, advice))
		return -EPERM;
	switch (advice) {
	case MADV_DONTNEED:
		return v->madvise & VMA_LOCKED ? -EINVAL : 0;
	case MADV_FREE:
		return private_anon && !(v->madvise & VMA_LOCKED) ? 0 : -EINVAL;
	case MADV_WIPEONFORK:
		return private_anon ? 0 : -EINVAL;
	case MADV_REMOVE:
		if ((v->madvise & VMA_LOCKED) || !v->file)
			return -EINVAL;
		return (v->flags & MAP_SHARED) && !(v->flags & VMA_NOWRITE) ? 0 : -EACCES;
	case MADV_GUARD_INSTALL:
		return v->madvise & VMA_LOCKED || v->flags & VMA_DONTEXPAND ? -EINVAL : 0;
	case MADV_COLD:
	case MADV_PAGEOUT:
		return v->madvise & VMA_LOCKED ? -EINVAL : 0;
	default:
		return 0;
	}
}

/* Contents are dropped, and the vmas stay as they are: as right if another change comes first. */
static bool drops(int advice) { return advice == MADV_DONTNEED || advice == MADV_FREE; }

static void set_advice(struct vma *v, u64 advice)
{
	switch (advice) {
	case MADV_DONTFORK:
		v->madvise |= VMA_DONTFORK;
		break;
	case MADV_DOFORK:
		v->madvise &= ~VMA_DONTFORK;
		break;
	case MADV_WIPEONFORK:
		v->madvise |= VMA_WIPEONFORK;
		break;
	case MADV_KEEPONFORK:
		v->madvise &= ~VMA_WIPEONFORK;
		break;
	case MADV_DONTDUMP:
		v->madvise |= VMA_DONTDUMP;
		break;
	case MADV_DODUMP:
		v->madvise &= ~VMA_DONTDUMP;
		break;
	}
}

/* The mapped parts of [start, end), one by one; a hole makes it -ENOMEM in the end. */
static int advise_locked(struct vma_edit *e, struct ctx *c, u64 start, u64 end, int advice)
{
	bool pass = classify(advice) == ADV_PASS;
	int r = 0, hole = 0, code;

	if (!mm_count_ok(e->mm, 2))
		return -EAGAIN;
	for (u64 at = start; at < end; ) {
		struct vma *v = vma_find(e->mm, at);
		u64 stop;

		if (!v || v->start >= end)
			return -ENOMEM;
		if (v->start > at)
			hole = -ENOMEM;
		at = MAX(at, v->start);
		r = check_vma(v, advice);
		if (r < 0)
			return r;
		code = v->prot & PROT_EXEC;
		/* One request for a run of neighbours that all may. */
		for (stop = MIN(v->end, end); stop < end; stop = MIN(v->end, end)) {
			v = vma_next(v);
			if (!v || v->start != stop || check_vma(v, advice) < 0)
				break;
			code |= v->prot & PROT_EXEC;
		}
		/* Without a frame nothing was done yet: all in one by the application itself, or again with one. */
		if (pass && !ctx_has_frame(c)) {
			if (at == start && stop == end && !code && drops(advice) && ctx_pass(c))
				return -ENOFRAME_RESULT;
			return -ENEEDFRAME;
		}
		if (pass) {
			struct as_op op = {
				.kind = AS_ADVISE, .addr = GADDR(at), .len = stop - at,
				.advice = advice, .file = HOSTFD_NONE,
			};

			r = mm_apply1(c, &op);
			if (r < 0)
				return r;
		}
		at = stop;
	}
	return hole;
}

/* As a whole, and for good: it may have pages that nobody can reach, which the set of vmas does not show. */
static void mark_guarded(struct mm *mm, u64 start, u64 end)
{
	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		v->madvise |= VMA_GUARDED;
}

int mm_madvise(struct task *t, gaddr_t addr, u64 len, int advice)
{
	enum advice_kind kind = classify(advice);
	struct vma_edit e;
	u64 end;
	int r;

	if (kind == ADV_UNKNOWN)
		return -EINVAL;
	if ((addr.v & ~PAGE_MASK) || !mm_round_range(addr.v, len, &end) || (len && end == addr.v))
		return -EINVAL;
	if (end == addr.v)
		return 0;
	if (kind == ADV_FORBIDDEN)
		return -EPERM;
	r = mm_edit_begin(&e, t->mm, 2);
	if (r < 0)
		return -EAGAIN;
	if (advice == MADV_GUARD_INSTALL && ctx_has_frame(t->ctx))
		mark_guarded(t->mm, addr.v, end);
	r = advise_locked(&e, t->ctx, addr.v, end, advice);
	if (r == 0 || r == -ENOMEM)
		vma_change(&e, addr.v, end, set_advice, (u64)advice);
	mm_edit_end(&e);
	return r;
}
