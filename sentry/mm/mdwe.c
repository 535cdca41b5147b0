/*
 * mdwe.c - memory-deny-write-execute (PR_SET_MDWE): what a process may no longer make executable.
 *
 * Once asked for it stays, for this address space and, but for MDWE_NO_INHERIT, for those that fork and exec make of it.
 */
#include <errno.h>
#include "sentry/mm/vma_int.h"

u32 mm_mdwe(struct mm *mm)
{
	u32 r;

	mutex_lock(&mm->mu);
	r = mm->mdwe;
	mutex_unlock(&mm->mu);
	return r;
}

int mm_set_mdwe(struct mm *mm, u32 bits)
{
	int r = 0;

	mutex_lock(&mm->mu);
	if (mm->mdwe && mm->mdwe != bits)
		r = -EPERM;
	else
		mm->mdwe = bits;
	mutex_unlock(&mm->mu);
	return r;
}

u32 mm_mdwe_inherited(u32 bits)
{
	return bits & MDWE_NO_INHERIT ? 0 : bits;
}

bool mm_denies_exec(const struct mm *mm, int old, int prot)
{
	return (mm->mdwe & MDWE_REFUSE_GAIN) && (prot & PROT_EXEC) && ((prot & PROT_WRITE) || !(old & PROT_EXEC));
}
