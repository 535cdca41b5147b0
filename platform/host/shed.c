/* shed.c - see shed.h. */
#include "platform/host/shed.h"
#include <elf.h>
#include <malloc.h>
#include <sys/mman.h>
#include "platform/base/compiler.h"

#define STACK_DEPTH ((u64)1 << 20)
#define PAGE 4096ull

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* Segments that cannot be written hold what is in the file; those with relocations do not. */
static void shed_image(void)
{
	const Elf64_Ehdr *image = (const void *)__ehdr_start;
	const Elf64_Phdr *ph = (const void *)(__ehdr_start + image->e_phoff);

	for (u32 i = 0; i < image->e_phnum; i++) {
		u64 at = (u64)(uintptr_t)image + ph[i].p_vaddr, end = at + ph[i].p_filesz;

		if (ph[i].p_type != PT_LOAD || (ph[i].p_flags & PF_W))
			continue;
		at = ALIGN_UP(at, PAGE);
		end &= ~(PAGE - 1);
		if (at < end)
			(void)!madvise((void *)at, end - at, MADV_DONTNEED);
	}
}

/* Nothing else is mapped so close below a stack: what is not there is passed over. */
static void shed_stack(void)
{
	u64 end = ((u64)(uintptr_t)__builtin_frame_address(0) & ~(PAGE - 1)) - PAGE;

	(void)!madvise((void *)(end - STACK_DEPTH), STACK_DEPTH, MADV_DONTNEED);
}

void host_shed(void)
{
	(void)malloc_trim(0);
	shed_stack();
	shed_image();
}
