/*
 * core.c - what of an address space belongs into a core file (core(5), coredump_filter 0x33).
 *
 * Anonymous memory and private copies of files whole; of a program's file its first page, by which debuggers know it.
 * Which pages of a file were changed can't be had, so what may not be written counts as unchanged.
 */
#include <errno.h>
#include <sys/mman.h>

#include "platform/base/alloc.h"
#include "sentry/mm/core.h"
#include "sentry/mm/vma_int.h"
#include "sentry/vfs/inode.h"

static u64 part(const struct vma *v)
{
	const struct inode *i = v->file ? v->file->inode : NULL;
	u64 n = v->end - v->start;

	if ((v->madvise & VMA_DONTDUMP) || !(v->prot & PROT_RWX))
		return 0;
	if (!v->file)
		return n;
	if (v->flags & MAP_SHARED)
		return i && S_ISREG(i->mode) && i->nlink == 0 ? n : 0;
	if (v->prot & PROT_WRITE)
		return n;
	return v->offset == 0 && (v->prot & PROT_READ) ? PAGE_SIZE : 0;
}

int mm_core_list(struct mm *mm, struct mm_core **ret, u32 *ret_n)
{
	struct mm_core *all;
	u32 n = 0, cap;

	mutex_lock(&mm->mu);
	cap = mm->nvmas;
	mutex_unlock(&mm->mu);
	all = kbuf_array(cap + 16, sizeof(*all));
	if (!all)
		return -ENOMEM;
	mutex_lock(&mm->mu);
	for (struct vma *v = vma_first(mm); v && n < cap + 16; v = vma_next(v))
		all[n++] = (struct mm_core){ v->start, v->end, part(v), v->prot, v->file ? file_ref(v->file) : NULL, v->offset };
	mutex_unlock(&mm->mu);
	*ret = all;
	*ret_n = n;
	return 0;
}

void mm_core_free(struct mm_core *all, u32 n)
{
	for (u32 i = 0; i < n; i++)
		file_unref(all[i].file);
	kfree(all);
}
