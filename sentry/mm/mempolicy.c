/*
 * mempolicy.c - see mempolicy.h.
 */
#include "sentry/mm/mempolicy.h"

#include <errno.h>

#include "sentry/kernel/task.h"
#include "sentry/mm/vma_int.h"

#define BOTH_NODES ((u32)(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
#define LX_PREFERRED_MANY 5
#define LX_LAST 6                               /* MPOL_WEIGHTED_INTERLEAVE */

int mempolicy_check_mode(u32 mode)
{
	u32 kind = mode & ~MPOL_FLAGS;

	if (kind > LX_LAST || (mode & BOTH_NODES) == BOTH_NODES)
		return -EINVAL;
	if ((mode & MPOL_F_NUMA_BALANCING) && kind != MPOL_BIND && kind != LX_PREFERRED_MANY)
		return -EINVAL;
	return 0;
}

/* A relative mask is folded on what there is and so always names node 0; others must do so themselves. */
int mempolicy_make(u32 mode, const struct node_mask *m, struct mempolicy *ret)
{
	u32 kind = mode & ~MPOL_FLAGS;

	if (kind == MPOL_DEFAULT || kind == MPOL_LOCAL) {
		if (!m->empty || (kind == MPOL_LOCAL && (mode & BOTH_NODES)))
			return -EINVAL;
		*ret = (struct mempolicy){ .mode = kind };
		return 0;
	}
	if (m->empty) {
		if (kind != MPOL_PREFERRED || (mode & BOTH_NODES))
			return -EINVAL;
		*ret = (struct mempolicy){ .mode = MPOL_LOCAL };
		return 0;
	}
	if (!(m->first & 1) && !(mode & MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	*ret = (struct mempolicy){ .mode = mode, .nodes = mode & BOTH_NODES ? m->first : 1 };
	return 0;
}

static void set_policy(struct vma *v, u64 arg)
{
	v->policy = *(const struct mempolicy *)(uintptr_t)arg;
}

int mm_set_policy(struct task *t, u64 start, u64 end, const struct mempolicy *p)
{
	struct mm *mm = t->mm;
	struct vma_edit e;
	bool missing;
	int r;

	r = mm_edit_begin(&e, mm, 2);
	if (r < 0)
		return r;
	missing = p->mode == MPOL_DEFAULT ? mm_range_free(mm, start, end) : mm_mapped_until(mm, start, end) < end;
	if (missing)
		r = -EFAULT;
	else if (!mm_count_ok(mm, 2))
		r = -ENOMEM;
	else
		vma_change(&e, start, end, set_policy, (u64)(uintptr_t)p);
	mm_edit_end(&e);
	return r;
}

int mm_get_policy(struct task *t, u64 addr, struct mempolicy *ret, bool *ret_readable)
{
	const struct vma *v;

	mutex_lock(&t->mm->mu);
	v = vma_at(t->mm, addr);
	if (v) {
		*ret = v->policy;
		*ret_readable = v->prot & PROT_RWX;
	}
	mutex_unlock(&t->mm->mu);
	return v ? 0 : -EFAULT;
}

int mm_check_home_node(struct task *t, u64 start, u64 end)
{
	int r = -ENOENT;

	mutex_lock(&t->mm->mu);
	for (struct vma *v = vma_find(t->mm, start); v && v->start < end; v = vma_next(v)) {
		u32 kind = v->policy.mode & ~MPOL_FLAGS;

		if (kind == MPOL_DEFAULT)
			continue;
		r = 0;
		if (kind != MPOL_BIND && kind != LX_PREFERRED_MANY) {
			r = -EOPNOTSUPP;
			break;
		}
	}
	mutex_unlock(&t->mm->mu);
	return r;
}
