/*
 * fuzz_elf.c - any bytes as a program: load_program() refuses them or maps only what a platform allows.
 *
 * The first byte chooses whether the rest is the program or the interpreter of a good one.
 */
#include <stdlib.h>

#include "tests/unit/fake_exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	char interp[8];
	u8 pad[4096];
} good = {
	.eh = {
		.e_ident = ELFMAG, .e_type = ET_DYN, .e_machine = EM_X86_64, .e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
	},
	.ph = {
		{ .p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 4096, .p_memsz = 9000 },
		{ .p_type = PT_INTERP, .p_offset = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), .p_filesz = 4 },
	},
	.interp = "/ld",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	char *argv[] = { (char *)"x", NULL }, *envp[] = { NULL };
	struct exec_args a = { .path = "/x", .argv = argv, .argc = 1, .envp = envp };
	struct exec_image im;

	if (!ready && alloc_init((size_t)1 << 30) < 0)
		abort();
	ready = true;
	if (size < 1)
		return 0;
	fake_reset();
	if (data[0] & 1) {
		fake_add("/x", &good, sizeof(good), 0755);
		fake_add("/ld", data + 1, size - 1, 0755);
	} else {
		fake_add("/x", data + 1, size - 1, 0755);
		fake_add("/ld", &good, sizeof(good), 0755);
	}
	if (load_program(&fake.task, &a, &im) == 0)
		exec_image_done(&im);
	else
		fake.as.refs = 0;
	if (!fake_all_closed())
		abort();
	return 0;
}
