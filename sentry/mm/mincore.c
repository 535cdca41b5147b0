/*
 * mincore.c - mincore(2): which pages of an address space are there.
 *
 * The host knows, and the application's own stub asks it (aspace_resident()); what it answers is about the caller's memory
 * alone.  As on Linux who could not write to a mapped file learns nothing of its pages: all are said to be there.  So it is
 * for the gofer's files, too, as the host takes every stub for a stranger.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"
#include "sentry/vfs/inode.h"

/* May @t know which pages of @f are in memory? */
static bool may_tell(struct task *t, struct file *f)
{
	return inode_owner_or_capable(t, f->inode) || inode_permission(t, f->inode, W_OK) == 0;
}

/* The pages of one vma from @at on, at most up to @end: their number, in @vec. */
static long piece(struct task *t, u64 at, u64 end, u8 *vec)
{
	auto_file *f = NULL;
	struct mm *mm = t->mm;
	struct vma *v;
	size_t n = 0;
	int r;

	mutex_lock(&mm->mu);
	v = vma_at(mm, at);
	if (v) {
		n = MIN((MIN(v->end, end) - at) / PAGE_SIZE, (u64)RESIDENT_MAX);
		f = v->file ? file_ref(v->file) : NULL;
	}
	mutex_unlock(&mm->mu);
	if (!n)
		return -ENOMEM;
	if (f && !may_tell(t, f)) {
		memset(vec, 1, n);
		return (long)n;
	}
	r = aspace_resident(t->ctx, GADDR(at), n, vec);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		vec[i] &= 1;
	return (long)n;
}

int mm_mincore(struct task *t, u64 start, u64 end, gaddr_t to)
{
	u8 *vec = kbuf_alloc(RESIDENT_MAX);
	int r = 0;

	if (!vec)
		return -EAGAIN;
	while (start < end && r == 0) {
		long n = piece(t, start, end, vec);

		r = n < 0 ? (int)n : copy_out(t, to, vec, (size_t)n);
		if (r == 0) {
			start += (u64)n * PAGE_SIZE;
			to = gaddr_add(to, (u64)n);
		}
	}
	kfree(vec);
	return r;
}
