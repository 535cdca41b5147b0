/*
 * sys_numa.c - memory policies (numa(7)) on a machine with one node, where every policy means the same.
 */
#include <errno.h>
#include <linux/mempolicy.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"

#define MODE_FLAGS ((u32)(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING))
#define BOTH_NODES ((u32)(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
#define LX_MPOL_LAST 6                  /* MPOL_WEIGHTED_INTERLEAVE */
#define MAX_NODES 1024u

/* Read a mask of nodes: -EINVAL if it names one that does not exist. *ret_empty: it names none. */
static int node_mask(struct task *t, gaddr_t addr, u64 maxnode, bool *ret_empty)
{
	u64 bits = maxnode ? maxnode - 1 : 0, word;

	*ret_empty = true;
	if (!addr.v || !bits)
		return 0;
	if (bits > 4096 * 8)
		return -EINVAL;
	for (u64 at = 0; at < bits; at += 64) {
		if (copy_in(t, &word, gaddr_add(addr, at / 8), sizeof(word)) < 0)
			return -EFAULT;
		if (bits - at < 64)
			word &= (1ull << (bits - at)) - 1;
		if (at ? word : word & ~1ull)
			return -EINVAL;
		*ret_empty &= !word;
	}
	return 0;
}

static int check_policy(struct task *t, u32 mode, gaddr_t mask, u64 maxnode)
{
	u32 kind = mode & ~MODE_FLAGS;
	bool empty;
	int r;

	if (kind > LX_MPOL_LAST || (mode & BOTH_NODES) == BOTH_NODES)
		return -EINVAL;
	r = node_mask(t, mask, maxnode, &empty);
	if (r < 0)
		return r;
	if ((kind == MPOL_DEFAULT || kind == MPOL_LOCAL) && !empty)
		return -EINVAL;
	return (kind == MPOL_BIND || kind == MPOL_INTERLEAVE) && empty ? -EINVAL : 0;
}

long sys_set_mempolicy(struct task *t, const struct sysargs *a)
{
	return check_policy(t, arg_u32(a, 0), arg_addr(a, 1), arg_u64(a, 2));
}

long sys_mbind(struct task *t, const struct sysargs *a)
{
	u64 addr = arg_u64(a, 0), len = arg_u64(a, 1);
	u32 flags = arg_u32(a, 5);
	int r;

	if ((flags & ~(u32)MPOL_MF_VALID) || (addr & (PAGE_SIZE - 1)))
		return -EINVAL;
	r = check_policy(t, arg_u32(a, 2), arg_addr(a, 3), arg_u64(a, 4));
	if (r < 0)
		return r;
	len = ALIGN_UP(len, PAGE_SIZE);
	if (addr + len < addr)
		return -EINVAL;
	return len && mm_check_mapped(t->mm, addr, len) < 0 ? -EFAULT : 0;
}

/* The default policy, on node 0. */
long sys_get_mempolicy(struct task *t, const struct sysargs *a)
{
	gaddr_t mode = arg_addr(a, 0), mask = arg_addr(a, 1);
	u64 maxnode = arg_u64(a, 2), flags = arg_u64(a, 4), word;
	s32 zero = 0;

	if (flags & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
		return -EINVAL;
	if (mask.v && maxnode < 1)
		return -EINVAL;
	if ((flags & MPOL_F_MEMS_ALLOWED) && (flags & (MPOL_F_NODE | MPOL_F_ADDR)))
		return -EINVAL;
	if ((flags & MPOL_F_ADDR) && mm_check_mapped(t->mm, arg_u64(a, 3) & PAGE_MASK, PAGE_SIZE) < 0)
		return -EFAULT;
	if (!(flags & MPOL_F_ADDR) && arg_u64(a, 3))
		return -EINVAL;
	if ((flags & MPOL_F_NODE) && !(flags & MPOL_F_ADDR))
		return -EINVAL;         /* only under MPOL_INTERLEAVE */
	if (mode.v && copy_out(t, mode, &zero, sizeof(zero)) < 0)
		return -EFAULT;
	for (u64 at = 0; mask.v && at + 1 < MIN(maxnode, (u64)MAX_NODES); at += 64) {
		word = at == 0 && (flags & MPOL_F_MEMS_ALLOWED) ? 1 : 0;
		if (copy_out(t, gaddr_add(mask, at / 8), &word, sizeof(word)) < 0)
			return -EFAULT;
	}
	return 0;
}

/* There is nowhere to migrate to. */
long sys_migrate_pages(struct task *t, const struct sysargs *a)
{
	bool empty;
	int r = node_mask(t, arg_addr(a, 2), arg_u64(a, 1), &empty);

	if (r == 0)
		r = node_mask(t, arg_addr(a, 3), arg_u64(a, 1), &empty);
	return r;
}
