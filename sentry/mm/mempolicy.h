/*
 * mempolicy.h - memory policies (numa(7)) on a machine with one node: kept and told, where every one means the same.
 *
 * A task has one (task->mempolicy, inherited by clone, kept by exec), and a vma (vma->policy), which splits with it.
 * A policy is a small value: copied, compared, without a lifetime.  What a mask says about nodes above
 * the first 64 is checked and then of no consequence, as no caller is ever told more than that.
 */
#pragma once
#include <linux/mempolicy.h>
#include "platform/base/compiler.h"

struct task;

struct mempolicy {
	u64 nodes;                              /* what get_mempolicy(2) tells: the asked for if the flags say so, or node 0 */
	u32 mode;                               /* MPOL_* with MPOL_F_*; MPOL_DEFAULT: there is none, and nodes is 0 */
};

/* A mask of nodes as a caller gave it. */
struct node_mask {
	u64 first;                              /* its first 64 bits */
	bool empty;
};

#define MPOL_FLAGS ((u32)(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING))
#define MPOL_MAX_NODES 1024u                    /* bits a mask may have set; Linux' MAX_NUMNODES here */

/* Split and check a mode: -EINVAL. */
int mempolicy_check_mode(u32 mode) must_check;
/* The policy that @mode (checked) makes with @m, or -EINVAL. */
int mempolicy_make(u32 mode, const struct node_mask *m, struct mempolicy *ret) must_check;

/*
 * mbind(2) on page-aligned [start, end), which is not empty.  -EFAULT: not all of it is mapped (or, for the default
 * policy, nothing is); -ENOMEM.
 */
int mm_set_policy(struct task *t, u64 start, u64 end, const struct mempolicy *p) must_check;
/* What holds at @addr; *ret_readable: a page can be had there. -EFAULT. */
int mm_get_policy(struct task *t, u64 addr, struct mempolicy *ret, bool *ret_readable) must_check;
/* set_mempolicy_home_node(2) on node 0: do all policies in the range take one? -EOPNOTSUPP, -ENOENT (none there). */
int mm_check_home_node(struct task *t, u64 start, u64 end) must_check;
