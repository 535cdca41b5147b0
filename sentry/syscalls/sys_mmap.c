/*
 * sys_mmap.c - the calls that shape an address space; semantics live in sentry/mm.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include "platform/base/overflow.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/file.h"

#define PAGE_TOP 0x7ffffffff000ul               /* TASK_SIZE_MAX */

long sys_mmap(struct task *t, const struct sysargs *a)
{
	int flags = arg_s32(a, 3);
	u64 off = arg_u64(a, 5);
	auto_file *f = NULL;

	if (off & ~PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		f = fd_get(t, arg_fd(a, 4));
		if (!f)
			return -EBADF;
		if (flags & MAP_HUGETLB)
			return -EINVAL;
	} else if (flags & MAP_HUGETLB) {
		return -ENOMEM;                 /* as on a host without reserved huge pages */
	}
	return mm_mmap(t, arg_addr(a, 0), arg_u64(a, 1), (int)arg_u32(a, 2), flags, f, f ? off : 0);
}

long sys_munmap(struct task *t, const struct sysargs *a)
{
	return mm_munmap(t, arg_addr(a, 0), arg_u64(a, 1));
}

long sys_mprotect(struct task *t, const struct sysargs *a)
{
	u64 prot = arg_u64(a, 2);

	/* The argument is a long: high bits are no protection. */
	return mm_mprotect(t, arg_addr(a, 0), arg_u64(a, 1), prot >> 31 ? 0x40000000 : (int)prot);
}

long sys_pkey_mprotect(struct task *t, const struct sysargs *a)
{
	return arg_s32(a, 3) == -1 ? sys_mprotect(t, a) : -EINVAL;
}

long sys_pkey_alloc(struct task *t, const struct sysargs *a)
{
	(void)t;
	return arg_u64(a, 0) || (arg_u64(a, 1) & ~3ul) ? -EINVAL : -ENOSPC;
}

long sys_pkey_free(struct task *t, const struct sysargs *a)
{
	(void)t;
	(void)a;
	return -EINVAL;
}

long sys_mremap(struct task *t, const struct sysargs *a)
{
	u64 flags = arg_u64(a, 3);

	if (flags >> 31)
		return -EINVAL;
	return mm_mremap(t, arg_addr(a, 0), arg_u64(a, 1), arg_u64(a, 2), (int)flags, arg_addr(a, 4));
}

long sys_remap_file_pages(struct task *t, const struct sysargs *a)
{
	if (arg_u64(a, 2))
		return -EINVAL;
	return mm_remap_file_pages(t, arg_addr(a, 0), arg_u64(a, 1), arg_u64(a, 3), arg_s32(a, 4));
}

long sys_brk(struct task *t, const struct sysargs *a)
{
	return mm_brk(t, arg_addr(a, 0));
}

long sys_madvise(struct task *t, const struct sysargs *a)
{
	return mm_madvise(t, arg_addr(a, 0), arg_u64(a, 1), arg_s32(a, 2));
}

long sys_msync(struct task *t, const struct sysargs *a)
{
	return mm_msync(t, arg_addr(a, 0), arg_u64(a, 1), arg_s32(a, 2));
}

long sys_mseal(struct task *t, const struct sysargs *a)
{
	return arg_u64(a, 2) ? -EINVAL : mm_mseal(t, arg_addr(a, 0), arg_u64(a, 1));
}

long sys_mincore(struct task *t, const struct sysargs *a)
{
	u64 start = arg_u64(a, 0), len = arg_u64(a, 1), pages;
	gaddr_t vec = arg_addr(a, 2);

	if (start & ~PAGE_MASK)
		return -EINVAL;
	if (!range_ok(start, len, PAGE_TOP))
		return -ENOMEM;
	pages = (len + PAGE_SIZE - 1) / PAGE_SIZE;
	if (!range_ok(vec.v, pages, PAGE_TOP))
		return -EFAULT;
	return mm_mincore(t, start, start + pages * PAGE_SIZE, vec);
}

long sys_mlock(struct task *t, const struct sysargs *a)
{
	return mm_mlock(t, arg_addr(a, 0), arg_u64(a, 1), VMA_LOCKED);
}

long sys_mlock2(struct task *t, const struct sysargs *a)
{
	u32 flags = arg_u32(a, 2);

	if (flags & ~(u32)MLOCK_ONFAULT)
		return -EINVAL;
	return mm_mlock(t, arg_addr(a, 0), arg_u64(a, 1), VMA_LOCKED | (flags ? VMA_LOCKONFAULT : 0));
}

long sys_munlock(struct task *t, const struct sysargs *a)
{
	return mm_mlock(t, arg_addr(a, 0), arg_u64(a, 1), 0);
}

long sys_mlockall(struct task *t, const struct sysargs *a)
{
	int flags = arg_s32(a, 0);

	if (flags == 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	return mm_mlockall(t, flags);
}

long sys_munlockall(struct task *t, const struct sysargs *a)
{
	(void)a;
	return mm_mlockall(t, 0);
}
