/*
 * core.h - the maps of a process as a core file shows them.
 */
#pragma once
#include "platform/base/compiler.h"

struct file;
struct mm;

struct mm_core {
	u64 start, end, dump;                   /* dump: bytes from start whose content belongs into the file */
	int prot;
	struct file *file;                      /* a reference, or NULL */
	u64 offset;
};

int mm_core_list(struct mm *mm, struct mm_core **ret, u32 *ret_n) must_check;
void mm_core_free(struct mm_core *all, u32 n);
