/*
 * mprotect.c - mprotect(2).
 *
 * As on Linux, what comes before the first hole or forbidden vma is changed
 * even when the call then fails.
 */
#include <errno.h>
#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

#define PROT_SEM_ 0x8                           /* accepted, means nothing on x86 */
#define PER_READ_IMPLIES_EXEC 0x0400000u

static void set_prot(struct vma *v, u64 prot)
{
	v->prot = (int)prot;
}

/* May all of [start, end) get @prot?  *ret_end: as far as it may.  0, -ENOMEM, -EPERM or -EACCES. */
static int check_range(const struct mm *mm, u64 start, u64 end, int prot, u64 *ret_end)
{
	u64 at = start;

	for (struct vma *v = vma_find(mm, start); at < end; v = vma_next(v)) {
		*ret_end = at;
		if (!v || v->start > at)
			return -ENOMEM;
		if (v->flags & VMA_SEALED)
			return -EPERM;
		if (((prot & PROT_WRITE) && (v->flags & VMA_NOWRITE)) ||
		    ((prot & PROT_EXEC) && (v->flags & VMA_NOEXEC)) || mm_denies_exec(mm, v->prot, prot))
			return -EACCES;
		at = v->end;
	}
	*ret_end = end;
	return 0;
}

/* Memory that becomes private and writable begins to count towards RLIMIT_DATA. */
static u64 newly_data(const struct mm *mm, u64 start, u64 end, int prot)
{
	u64 n = 0;

	if (!(prot & PROT_WRITE))
		return 0;
	for (struct vma *v = vma_find(mm, start); v && v->start < end; v = vma_next(v))
		if (!(v->prot & PROT_WRITE) && !(v->flags & (MAP_SHARED | MAP_GROWSDOWN)))
			n += MIN(v->end, end) - MAX(v->start, start);
	return n;
}

static int protect_locked(struct vma_edit *e, struct ctx *c, const struct mm_limits *lim, u64 start,
			  u64 end, int prot)
{
	struct mm *mm = e->mm;
	struct as_op op = { .kind = AS_PROTECT, .file = HOSTFD_NONE, .prot = prot };
	int r, verdict = check_range(mm, start, end, prot, &end);

	if (end == start)
		return verdict;
	/* A split may add two; the limit is checked before the first effect. */
	if (!mm_count_ok(mm, 2))
		return -ENOMEM;
	if (mm->data_vm + newly_data(mm, start, end, prot) > lim->data && newly_data(mm, start, end, prot))
		return -ENOMEM;
	op.addr = GADDR(start);
	op.len = end - start;
	r = mm_apply1(c, &op);
	if (r < 0)
		return r;
	vma_change(e, start, end, set_prot, (u64)prot);
	if (prot & PROT_WRITE)
		(void)mm_populate_locked(mm, c, start, end);
	return verdict;
}

int mm_mprotect(struct task *t, gaddr_t addr, u64 len, int prot)
{
	int grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	u64 start = addr.v, end;
	struct mm_limits lim;
	struct vma_edit e;
	int r;

	prot &= ~(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || (start & ~PAGE_MASK))
		return -EINVAL;
	if (len == 0)
		return 0;
	if (!mm_round_range(start, len, &end) || end <= start)
		return -ENOMEM;
	if (prot & ~(PROT_RWX | PROT_SEM_))
		return -EINVAL;
	prot &= PROT_RWX;
	if ((prot & PROT_READ) && (t->personality & PER_READ_IMPLIES_EXEC))
		prot |= PROT_EXEC;
	mm_limits_get(t, &lim);
	r = mm_edit_begin(&e, t->mm, 2);
	if (r < 0)
		return r;
	if (grows) {
		struct vma *v = vma_find(t->mm, start);

		if (!v || v->start >= end)
			r = -ENOMEM;
		else if (grows == PROT_GROWSUP || !(v->flags & MAP_GROWSDOWN))
			r = -EINVAL;
		else
			start = v->start;
	}
	if (r == 0)
		r = protect_locked(&e, t->ctx, &lim, start, end, prot);
	mm_edit_end(&e);
	return r;
}
