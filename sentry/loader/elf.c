/*
 * elf.c - ELF header and program headers, checked (elf(5), Linux: fs/binfmt_elf.c).
 *
 * Every address that leaves here lies below ELF_ADDR_MAX and every size fits
 * behind its address, so later arithmetic cannot wrap.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include "platform/base/overflow.h"
#include "sentry/loader/elf_int.h"

#define PAGE 4096ul

int elf_check_header(const Elf64_Ehdr *eh)
{
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	/* As Linux: e_ident's class is not looked at, the machine and the entry size are. */
	if (eh->e_machine != EM_X86_64 || (eh->e_type != ET_EXEC && eh->e_type != ET_DYN))
		return -ENOEXEC;
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum < 1 || eh->e_phnum > ELF_MAX_PHDRS)
		return -ENOEXEC;
	return 0;
}

static int prot_of(u32 flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
		(flags & PF_X ? PROT_EXEC : 0);
}

static int add_load(const Elf64_Ehdr *eh, const Elf64_Phdr *p, struct elf_info *ret)
{
	struct elf_seg *s = &ret->seg[ret->nseg];
	u64 end;

	if (p->p_memsz == 0)
		return 0;
	if (p->p_filesz > p->p_memsz || p->p_vaddr >= ELF_ADDR_MAX ||
	    !range_ok(p->p_vaddr, p->p_memsz, ELF_ADDR_MAX))
		return -EINVAL;
	/* The file offset must be congruent with the address, and a mappable one. */
	if (p->p_filesz && ((p->p_vaddr ^ p->p_offset) & (PAGE - 1)))
		return -EINVAL;
	if (add_overflows(p->p_offset, p->p_filesz, &end) || end > INT64_MAX - PAGE)
		return -EINVAL;
	*s = (struct elf_seg){ p->p_vaddr, p->p_offset, p->p_filesz, p->p_memsz, prot_of(p->p_flags) };
	if (eh->e_phoff >= p->p_offset && eh->e_phoff - p->p_offset < p->p_filesz)
		ret->phdr = p->p_vaddr + (eh->e_phoff - p->p_offset);
	ret->lo = MIN(ret->lo, ALIGN_DOWN(p->p_vaddr, PAGE));
	ret->hi = MAX(ret->hi, ALIGN_UP(p->p_vaddr + p->p_memsz, PAGE));
	if (p->p_align > ret->align && (p->p_align & (p->p_align - 1)) == 0)
		ret->align = p->p_align;
	ret->nseg++;
	return 0;
}

int elf_parse(const Elf64_Ehdr *eh, const Elf64_Phdr *ph, struct elf_info *ret)
{
	struct elf_seg *seg = ret->seg;
	int r = elf_check_header(eh);

	if (r < 0)
		return r;
	*ret = (struct elf_info){
		.dyn = eh->e_type == ET_DYN, .entry = eh->e_entry, .phnum = eh->e_phnum,
		.lo = UINT64_MAX, .align = PAGE, .seg = seg,
	};
	for (u32 i = 0; i < eh->e_phnum; i++) {
		switch (ph[i].p_type) {
		case PT_LOAD:
			r = add_load(eh, &ph[i], ret);
			if (r < 0)
				return r;
			break;
		case PT_INTERP:
			if (ret->interp_len)
				break;          /* the first one counts */
			if (ph[i].p_filesz < 2 || ph[i].p_filesz > PATH_MAX)
				return -ENOEXEC;
			ret->interp_off = ph[i].p_offset;
			ret->interp_len = ph[i].p_filesz;
			break;
		case PT_GNU_STACK:
			ret->stack = ph[i].p_flags & PF_X ? ELF_STACK_EXEC : ELF_STACK_NOEXEC;
			break;
		}
	}
	if (ret->nseg == 0)
		return -EINVAL;
	/* A larger alignment than the address space could only fail later. */
	if (ret->align > (1ul << 40))
		ret->align = PAGE;
	return 0;
}
