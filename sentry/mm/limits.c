/*
 * limits.c - what RLIMIT_AS, RLIMIT_DATA and RLIMIT_MEMLOCK still allow.
 *
 * Linux counts the main stack only as far as it has grown; ours is mapped
 * whole, so stack_reserve is left out of the sum.
 */
#include <errno.h>
#include <linux/capability.h>
#include "platform/base/overflow.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

void mm_limits_get(struct task *t, struct mm_limits *ret)
{
	ret->as = task_rlimit(t, RLIMIT_AS);
	ret->data = task_rlimit(t, RLIMIT_DATA);
	ret->memlock = task_rlimit(t, RLIMIT_MEMLOCK);
	ret->lock_any = capable(t, CAP_IPC_LOCK);
}

int mm_may_expand(const struct mm *mm, const struct mm_limits *l, u64 more, int prot, u32 flags)
{
	u64 vm = mm->total_vm - MIN(mm->total_vm, mm->stack_reserve);

	if (size_add(vm, more) > l->as)
		return -ENOMEM;
	if ((prot & PROT_WRITE) && !(flags & (MAP_SHARED | MAP_GROWSDOWN)) &&
	    size_add(mm->data_vm, more) > l->data)
		return -ENOMEM;
	return 0;
}

int mm_may_lock(const struct mm *mm, const struct mm_limits *l, u64 more, int over)
{
	if (l->lock_any)
		return 0;
	if (l->memlock == 0)
		return -EPERM;
	return size_add(mm->locked_vm, more) > l->memlock ? over : 0;
}

bool mm_round_range(u64 addr, u64 len, u64 *ret_end)
{
	u64 n;

	return !align_up_overflows(len, PAGE_SIZE, &n) && !add_overflows(addr, n, ret_end);
}
