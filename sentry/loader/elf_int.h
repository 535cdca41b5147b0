/*
 * elf_int.h - a program file as numbers: the part of the loader that meets hostile bytes.
 *
 * Nothing here touches a task, a file or an address space, so that it can be fuzzed alone.
 */
#pragma once
#include <elf.h>
#include "platform/base/compiler.h"

#define ELF_MAX_PHDRS (65536 / sizeof(Elf64_Phdr))
#define ELF_ADDR_MAX 0x7ffffffff000ul           /* TASK_SIZE_MAX */

enum elf_stack { ELF_STACK_DEFAULT, ELF_STACK_NOEXEC, ELF_STACK_EXEC };

struct elf_seg {                                /* one PT_LOAD; sizes as in the file */
	u64 vaddr, off, filesz, memsz;
	int prot;
};

struct elf_info {
	bool dyn;                               /* ET_DYN: may go anywhere */
	u64 entry;
	u64 phdr;                               /* virtual address of the program headers, or 0 */
	u32 phnum;
	u64 lo, hi;                             /* span of all segments, page-rounded */
	u64 align;                              /* largest p_align, at least a page */
	u64 interp_off, interp_len;             /* PT_INTERP with its NUL; len 0 = none */
	enum elf_stack stack;
	u32 nseg;
	struct elf_seg *seg;                    /* the caller's array of phnum elements */
};

/* Is it an x86-64 program with a usable header table?  0 or -ENOEXEC. */
int elf_check_header(const Elf64_Ehdr *eh) must_check;
/* Fill @ret (with .seg set to room for eh->e_phnum).  0, -ENOEXEC, -EINVAL. */
int elf_parse(const Elf64_Ehdr *eh, const Elf64_Phdr *ph, struct elf_info *ret) must_check;

/*
 * "#!interpreter arg" in the first SCRIPT_BUF bytes of a file, zero-filled
 * after its end.  0 with both strings terminated inside @buf (*ret_arg NULL:
 * none), or -ENOEXEC.
 */
#define SCRIPT_BUF 256
int script_parse(char buf[SCRIPT_BUF], char **ret_interp, char **ret_arg) must_check;
