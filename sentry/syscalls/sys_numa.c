/*
 * sys_numa.c - memory policies (numa(7)) on a machine with one node: kept, checked and told.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mempolicy.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"

#define LX_WEIGHTED_INTERLEAVE 6

/* Word @i of a mask of @bits bits, without what is above them. */
static int mask_word(struct task *t, gaddr_t addr, u64 bits, u64 i, u64 *ret)
{
	u64 word;

	if (copy_in(t, &word, gaddr_add(addr, i * 8), sizeof(word)) < 0)
		return -EFAULT;
	if (bits - i * 64 < 64)
		word &= (1ull << (bits - i * 64)) - 1;
	*ret = word;
	return 0;
}

/* Read a mask of nodes, from its end as Linux does: -EINVAL if it names one that no machine has. */
static int read_mask(struct task *t, gaddr_t addr, u64 maxnode, struct node_mask *ret)
{
	u64 bits = maxnode - 1, word = 0;
	int r;

	*ret = (struct node_mask){ .empty = true };
	if (!addr.v || !bits)
		return 0;
	if (bits > PAGE_SIZE * 8)
		return -EINVAL;
	for (u64 i = (bits - 1) / 64 + 1; i-- > 0;) {
		r = mask_word(t, addr, bits, i, &word);
		if (r < 0)
			return r;
		if (word && i >= MPOL_MAX_NODES / 64)
			return -EINVAL;
		ret->empty &= !word;
	}
	ret->first = word;
	return 0;
}

long sys_set_mempolicy(struct task *t, const struct sysargs *a)
{
	u32 mode = arg_u32(a, 0);
	struct node_mask mask;
	int r = mempolicy_check_mode(mode);

	if (r == 0)
		r = read_mask(t, arg_addr(a, 1), arg_u64(a, 2), &mask);
	return r < 0 ? r : mempolicy_make(mode, &mask, &t->mempolicy);
}

/* Where the pages are already. */
long sys_mbind(struct task *t, const struct sysargs *a)
{
	u64 addr = arg_u64(a, 0), len = ALIGN_UP(arg_u64(a, 1), PAGE_SIZE);
	u32 mode = arg_u32(a, 2), flags = arg_u32(a, 5);
	struct mempolicy p;
	struct node_mask mask;
	int r = mempolicy_check_mode(mode);

	if (r == 0)
		r = read_mask(t, arg_addr(a, 3), arg_u64(a, 4), &mask);
	if (r < 0)
		return r;
	if (flags & ~(u32)MPOL_MF_VALID)
		return -EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) && !capable(t, CAP_SYS_NICE))
		return -EPERM;
	if ((addr & (PAGE_SIZE - 1)) || addr + len < addr)
		return -EINVAL;
	if (!len)
		return 0;
	r = mempolicy_make(mode, &mask, &p);
	return r < 0 ? r : mm_set_policy(t, addr, addr + len, &p);
}

/* The node that an interleaving task would use next, or that a page is on: the one there is. */
static int tell_node(u64 flags, const struct mempolicy *p, bool readable)
{
	u32 kind = p->mode & ~MPOL_FLAGS;

	if (flags & MPOL_F_ADDR)
		return readable ? 0 : -EFAULT;
	return kind == MPOL_INTERLEAVE || kind == LX_WEIGHTED_INTERLEAVE ? 0 : -EINVAL;
}

static int find_policy(struct task *t, u64 addr, u64 flags, struct mempolicy *ret)
{
	bool readable = false;
	int r = 0;

	if (flags & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		*ret = (struct mempolicy){ .nodes = 1 };
		return flags & (MPOL_F_NODE | MPOL_F_ADDR) ? -EINVAL : 0;
	}
	if (!(flags & MPOL_F_ADDR) && addr)
		return -EINVAL;
	*ret = t->mempolicy;
	if (flags & MPOL_F_ADDR)
		r = mm_get_policy(t, addr, ret, &readable);
	if (r == 0 && (flags & MPOL_F_NODE)) {
		r = tell_node(flags, ret, readable);
		ret->mode = 0;
	}
	return r;
}

long sys_get_mempolicy(struct task *t, const struct sysargs *a)
{
	gaddr_t mode = arg_addr(a, 0), mask = arg_addr(a, 1);
	u64 maxnode = arg_u64(a, 2), bytes;
	struct mempolicy p;
	int r;

	if (mask.v && maxnode < 1)
		return -EINVAL;
	r = find_policy(t, arg_u64(a, 3), arg_u64(a, 4), &p);
	if (r < 0)
		return r;
	if (mode.v && copy_out(t, mode, &p.mode, sizeof(p.mode)) < 0)
		return -EFAULT;
	bytes = ALIGN_UP(maxnode - 1, 64ul) / 8;
	if (!mask.v || !bytes)
		return 0;
	if (bytes > PAGE_SIZE)
		return -EINVAL;
	if (zero_out(t, gaddr_add(mask, sizeof(p.nodes)), bytes - sizeof(p.nodes)) < 0)
		return -EFAULT;
	return copy_out(t, mask, &p.nodes, sizeof(p.nodes)) < 0 ? -EFAULT : 0;
}

/* A mask for pages: -EINVAL if it names a node that does not exist. */
static int check_nodes(struct task *t, gaddr_t addr, u64 maxnode)
{
	struct node_mask m;
	int r = read_mask(t, addr, maxnode, &m);

	return r < 0 ? r : m.empty || m.first == 1 ? 0 : -EINVAL;
}

/* There is nowhere to migrate to. */
long sys_migrate_pages(struct task *t, const struct sysargs *a)
{
	int r = check_nodes(t, arg_addr(a, 2), arg_u64(a, 1));

	return r < 0 ? r : check_nodes(t, arg_addr(a, 3), arg_u64(a, 1));
}

long sys_set_mempolicy_home_node(struct task *t, const struct sysargs *a)
{
	u64 addr = arg_u64(a, 0), len = arg_u64(a, 1), end;

	if ((addr & (PAGE_SIZE - 1)) || arg_u64(a, 2) || arg_u64(a, 3))
		return -EINVAL;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (add_overflows(addr, len, &end))
		return -EINVAL;
	return len ? mm_check_home_node(t, addr, end) : 0;
}

static int whose_pages(struct task *t, int pid, struct mm **ret)
{
	auto_task *x = pid ? task_find_nr(t, pid) : task_ref(t);

	if (!x)
		return -ESRCH;
	if (x->tg != t->tg && !task_may_access(t, x))
		return -EPERM;
	*ret = task_mm_get(x);
	return *ret ? 0 : -EINVAL;
}

static int tell_pages(struct task *t, const struct sysargs *a, struct mm *mm)
{
	u64 n = arg_u64(a, 1);

	for (u64 i = 0; i < n; i++) {
		u64 page;
		s32 node = 0, status;

		if (copy_in(t, &page, gaddr_add(arg_addr(a, 2), i * 8), sizeof(page)) < 0)
			return -EFAULT;
		if (arg_addr(a, 3).v && copy_in(t, &node, gaddr_add(arg_addr(a, 3), i * 4), sizeof(node)) < 0)
			return -EFAULT;
		if (node)
			return -ENODEV;
		status = mm_check_mapped(mm, page & PAGE_MASK, PAGE_SIZE) < 0 ? -EFAULT : 0;
		if (copy_out(t, gaddr_add(arg_addr(a, 4), i * 4), &status, sizeof(status)) < 0)
			return -EFAULT;
		if (i % 1024 == 1023 && task_killed(t))
			return -EINTR;
	}
	return 0;
}

/* All is where it can be. */
long sys_move_pages(struct task *t, const struct sysargs *a)
{
	u32 flags = arg_u32(a, 5);
	struct mm *mm;
	int r;

	if (flags & ~(u32)(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if ((flags & MPOL_MF_MOVE_ALL) && !capable(t, CAP_SYS_NICE))
		return -EPERM;
	r = whose_pages(t, arg_s32(a, 0), &mm);
	if (r < 0)
		return r;
	r = tell_pages(t, a, mm);
	mm_unref(mm);
	return r;
}
