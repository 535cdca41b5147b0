/*
 * mapquery.h - one map of an address space, asked for by address (ioctl(2) PROCMAP_QUERY of /proc/PID/maps).
 */
#pragma once
#include "platform/base/compiler.h"

struct mm;
struct task;

/* As Linux lays it out. */
struct lx_procmap_query {
	u64 size, query_flags, query_addr;              /* in */
	u64 vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	u32 dev_major, dev_minor;
	u32 vma_name_size, build_id_size;               /* in and out */
	u64 vma_name_addr, build_id_addr;               /* in */
};

#define LX_PROCMAP_QUERY 0xc0686611u                    /* _IOWR('f', 17, struct lx_procmap_query) */

/* @arg is of @reader's memory. 0 or -errno; build ids are never found. */
long mm_query_map(struct task *reader, struct mm *mm, gaddr_t arg) must_check;
