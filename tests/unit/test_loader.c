/*
 * test_loader.c - programs, scripts and broken files through load_program().
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/auxv.h>

#include "tests/unit/fake_exec.h"

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[5];
	char interp[16];
	u8 pad[12000];
};

static struct image good_image(void)
{
	struct image im = { .interp = "/ld.so" };

	memcpy(im.eh.e_ident, ELFMAG, SELFMAG);
	im.eh.e_ident[EI_CLASS] = ELFCLASS64;
	im.eh.e_type = ET_DYN;
	im.eh.e_machine = EM_X86_64;
	im.eh.e_entry = 0x1234;
	im.eh.e_phoff = offsetof(struct image, ph);
	im.eh.e_phentsize = sizeof(Elf64_Phdr);
	im.eh.e_phnum = 2;
	im.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 0x1800, .p_memsz = 0x1800,
				 .p_align = 0x1000 };
	im.ph[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x1800, .p_vaddr = 0x2800,
				 .p_filesz = 0x100, .p_memsz = 0x3000, .p_align = 0x1000 };
	return im;
}

static int load(const char *path, struct exec_image *ret)
{
	char *argv[] = { (char *)"one", (char *)"two", NULL }, *envp[] = { (char *)"A=b", NULL };
	struct exec_args a = { .path = path, .argv = argv, .argc = 2, .envp = envp, .envc = 1 };

	return load_program(&fake.task, &a, ret);
}

static u64 word_at(u64 addr)
{
	u64 v;

	memcpy(&v, fake.stack + sizeof(fake.stack) - (fake.stack_top - addr), 8);
	return v;
}

static const char *string_at(u64 addr)
{
	return (const char *)fake.stack + sizeof(fake.stack) - (fake.stack_top - addr);
}

static u64 aux_value(const struct mm *mm, u64 type)
{
	for (u32 i = 0; i < mm->auxv_n; i += 2)
		if (mm->auxv[i] == type)
			return mm->auxv[i + 1];
	return ~0ul;
}

static void a_program_gets_its_maps_stack_and_registers(void **state)
{
	(void)state;
	struct image im = good_image();
	struct exec_image x;

	fake_reset();
	fake_add("/bin/prog", &im, sizeof(im), 0755);
	assert_int_equal(load("/bin/prog", &x), 0);
	u64 base = x.mm->code_start, sp = fake.ctx.regs.sp;

	assert_int_equal(fake.ctx.regs.ip, base + 0x1234);
	assert_int_equal(fake.ctx.regs.flags, 0x200);
	assert_int_equal(sp % 16, 0);
	/* text, data, bss, stack */
	assert_int_equal(fake.nops, 4);
	assert_int_equal(fake.op[0].addr.v, base);
	assert_int_equal(fake.op[0].len, 0x2000);
	assert_int_equal(fake.op[1].addr.v, base + 0x2000);
	assert_int_equal(fake.op[1].offset, 0x1000);
	assert_int_equal(fake.op[2].addr.v, base + 0x3000);
	assert_int_equal(fake.op[2].len, 0x3000);
	assert_int_equal(fake.op[2].file.fd, -1);
	assert_int_equal(word_at(sp), 2);
	assert_string_equal(string_at(word_at(sp + 8)), "one");
	assert_string_equal(string_at(word_at(sp + 16)), "two");
	assert_int_equal(word_at(sp + 24), 0);
	assert_string_equal(string_at(word_at(sp + 32)), "A=b");
	assert_int_equal(word_at(sp + 40), 0);
	assert_int_equal(word_at(sp + 48), x.mm->auxv[0]);
	assert_int_equal(aux_value(x.mm, AT_PHDR), base + offsetof(struct image, ph));
	assert_int_equal(aux_value(x.mm, AT_PHNUM), 2);
	assert_int_equal(aux_value(x.mm, AT_BASE), 0);
	assert_int_equal(aux_value(x.mm, AT_SECURE), 0);
	assert_string_equal(string_at(aux_value(x.mm, AT_EXECFN)), "/bin/prog");
	assert_string_equal(string_at(aux_value(x.mm, AT_PLATFORM)), "x86_64");
	assert_string_equal(x.comm, "prog");
	assert_true(x.mm->brk_start >= base + 0x6000);
	assert_string_equal(string_at(x.mm->arg_start), "one");
	assert_int_equal(x.mm->env_end - x.mm->env_start, 4);
	exec_image_done(&x);
	assert_true(fake_all_closed());
}

static void layout_is_random_unless_asked_otherwise(void **state)
{
	(void)state;
	struct image im = good_image();
	u64 base[4], sp[4];

	for (int i = 0; i < 4; i++) {
		struct exec_image x;

		fake_reset()->personality = i >= 2 ? PER_NO_RANDOMIZE : 0;
		fake_add("/bin/prog", &im, sizeof(im), 0755);
		assert_int_equal(load("/bin/prog", &x), 0);
		base[i] = x.mm->code_start;
		sp[i] = fake.ctx.regs.sp;
		exec_image_done(&x);
	}
	assert_true(base[0] != base[1] && sp[0] != sp[1]);
	assert_true(base[2] == base[3] && sp[2] == sp[3]);
}

static void an_interpreter_starts_first(void **state)
{
	(void)state;
	struct image im = good_image(), ld = good_image();
	struct exec_image x;

	fake_reset();
	im.eh.e_phnum = 3;
	im.ph[2] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(struct image, interp), .p_filesz = 7 };
	fake_add("/bin/prog", &im, sizeof(im), 0755);
	assert_int_equal(load("/bin/prog", &x), -ENOENT);
	fake_add("/ld.so", &ld, sizeof(ld), 0755);
	assert_int_equal(load("/bin/prog", &x), 0);
	u64 at = aux_value(x.mm, AT_BASE);

	assert_true(at != 0 && at < x.mm->mmap_base && at != x.mm->code_start);
	assert_int_equal(fake.ctx.regs.ip, at + 0x1234);
	assert_int_equal(aux_value(x.mm, AT_ENTRY), x.mm->code_start + 0x1234);
	exec_image_done(&x);

	ld.eh.e_machine = EM_386;
	assert_int_equal(load("/bin/prog", &x), -ELIBBAD);
	im.interp[6] = 'x';
	assert_int_equal(load("/bin/prog", &x), -ENOEXEC);
	im.ph[2].p_filesz = 5000;
	assert_int_equal(load("/bin/prog", &x), -ENOEXEC);
	fake.as.refs = 0;
	assert_true(fake_all_closed());
}

static void scripts_put_their_interpreter_in_front(void **state)
{
	(void)state;
	struct image im = good_image();
	const char s1[] = "#! /bin/s2 -x y \nrest", s2[] = "#!/bin/prog", loop[] = "#!/bin/loop\n";
	struct exec_image x;

	fake_reset();
	fake_add("/bin/prog", &im, sizeof(im), 0755);
	fake_add("/bin/s1", s1, sizeof(s1) - 1, 0755);
	fake_add("/bin/s2", s2, sizeof(s2) - 1, 0755);
	fake_add("/bin/loop", loop, sizeof(loop) - 1, 0755);
	assert_int_equal(load("/bin/s1", &x), 0);
	u64 sp = fake.ctx.regs.sp;

	/* prog s2 "-x y" s1 two */
	assert_int_equal(word_at(sp), 5);
	assert_string_equal(string_at(word_at(sp + 8)), "/bin/prog");
	assert_string_equal(string_at(word_at(sp + 16)), "/bin/s2");
	assert_string_equal(string_at(word_at(sp + 24)), "-x y");
	assert_string_equal(string_at(word_at(sp + 32)), "/bin/s1");
	assert_string_equal(string_at(word_at(sp + 40)), "two");
	assert_string_equal(x.comm, "s1");
	exec_image_done(&x);
	assert_int_equal(load("/bin/loop", &x), -ELOOP);
	fake.as.refs = 0;
	assert_true(fake_all_closed());
}

static int parse(const char *line, char **interp, char **arg)
{
	static char buf[SCRIPT_BUF];

	memset(buf, 0, sizeof(buf));
	memcpy(buf, line, MIN(strlen(line), sizeof(buf)));
	return script_parse(buf, interp, arg);
}

static void script_lines_are_read_as_linux_reads_them(void **state)
{
	(void)state;
	char *i, *a, line[600];

	assert_int_equal(parse("#!/bin/sh\n", &i, &a), 0);
	assert_string_equal(i, "/bin/sh");
	assert_null(a);
	assert_int_equal(parse("#! \t/bin/sh \t\n", &i, &a), 0);
	assert_string_equal(i, "/bin/sh");
	assert_null(a);
	assert_int_equal(parse("#!/usr/bin/env python3 -u  \n", &i, &a), 0);
	assert_string_equal(i, "/usr/bin/env");
	assert_string_equal(a, "python3 -u");
	assert_int_equal(parse("#!\n", &i, &a), -ENOEXEC);
	assert_int_equal(parse("#!   \n", &i, &a), -ENOEXEC);
	assert_int_equal(parse("echo\n", &i, &a), -ENOEXEC);
	/* A name that may have been cut is refused; a cut argument is not. */
	memset(line, 'a', sizeof(line));
	memcpy(line, "#!/", 3);
	line[599] = 0;
	assert_int_equal(parse(line, &i, &a), -ENOEXEC);
	line[255] = ' ';
	assert_int_equal(parse(line, &i, &a), 0);
	assert_int_equal(strlen(i), 253);
	assert_null(a);
	line[255] = 0;
	assert_int_equal(parse(line, &i, &a), 0);
	line[255] = 'a';
	line[20] = ' ';
	assert_int_equal(parse(line, &i, &a), 0);
	assert_int_equal(strlen(i), 18);
	assert_int_equal(strlen(a), 255 - 21);
}

static void set_id_programs_change_credentials(void **state)
{
	(void)state;
	struct image im = good_image();
	struct fake_file *ff;
	struct exec_image x;

	fake_reset();
	fake.cred.uid = fake.cred.euid = fake.cred.suid = fake.cred.fsuid = 1000;
	fake.cred.gid = fake.cred.egid = fake.cred.sgid = fake.cred.fsgid = 1000;
	ff = fake_add("/bin/su", &im, sizeof(im), 04755);
	assert_int_equal(load("/bin/su", &x), 0);
	assert_true(x.secure);
	assert_int_equal(x.cred->euid, 0);
	assert_int_equal(x.cred->uid, 1000);
	assert_int_equal(x.cred->cap_eff, fake.cred.cap_bnd);
	assert_int_equal(aux_value(x.mm, AT_SECURE), 1);
	assert_false(x.mm->dumpable);
	exec_image_done(&x);
	ff->f.path.mnt = (struct mount *)ff;
	fake.mount_flags = MNT_NOSUID;
	assert_int_equal(load("/bin/su", &x), 0);
	assert_false(x.secure);
	exec_image_done(&x);
	fake.mount_flags = MNT_NOEXEC;
	assert_int_equal(load("/bin/su", &x), -EACCES);
}

static void arguments_have_limits(void **state)
{
	(void)state;
	static char big[MAX_ARG_STRLEN + 1];
	struct image im = good_image();
	char *argv[41], *envp[] = { NULL };
	struct exec_args a = { .path = "/bin/prog", .argv = argv, .argc = 1, .envp = envp };
	struct exec_image x;

	fake_reset();
	fake_add("/bin/prog", &im, sizeof(im), 0755);
	memset(big, 'x', sizeof(big) - 1);
	for (int i = 0; i < 40; i++)
		argv[i] = big;
	argv[1] = NULL;
	assert_int_equal(load_program(&fake.task, &a, &x), -E2BIG);
	big[MAX_ARG_STRLEN - 1] = 0;
	assert_int_equal(load_program(&fake.task, &a, &x), 0);
	exec_image_done(&x);
	argv[1] = big;
	argv[40] = NULL;
	a.argc = 40;                            /* 5 MiB against a quarter of 8 MiB */
	assert_int_equal(load_program(&fake.task, &a, &x), -E2BIG);
	a.argc = 0;
	argv[0] = NULL;
	assert_int_equal(load_program(&fake.task, &a, &x), 0);
	assert_int_equal(word_at(fake.ctx.regs.sp), 1);
	exec_image_done(&x);
}

static void expect(struct image *im, int want)
{
	struct exec_image x;

	fake_reset();
	fake_add("/bin/prog", im, sizeof(*im), 0755);
	assert_int_equal(load("/bin/prog", &x), want);
	fake.as.refs = 0;
	assert_true(fake_all_closed());
}

static void broken_programs_are_refused(void **state)
{
	(void)state;
	struct image im;

#define BREAK(what, want) do { im = good_image(); what; expect(&im, want); } while (0)
	BREAK(im.eh.e_ident[0] = 0, -ENOEXEC);
	BREAK(im.eh.e_machine = EM_AARCH64, -ENOEXEC);
	BREAK(im.eh.e_type = ET_REL, -ENOEXEC);
	BREAK(im.eh.e_phentsize = 32, -ENOEXEC);
	BREAK(im.eh.e_phnum = 0, -ENOEXEC);
	BREAK(im.eh.e_phnum = 2000, -ENOEXEC);
	BREAK(im.eh.e_phoff = ~0ul - 10, -ENOEXEC);
	BREAK(im.eh.e_phoff = sizeof(im), -ENOEXEC);
	BREAK(im.ph[0].p_filesz = 0x2000, -EINVAL);
	BREAK(im.ph[1].p_memsz = ~0ul, -EINVAL);
	BREAK(im.ph[1].p_vaddr = ~0ul - 0x7ff, -EINVAL);
	BREAK(im.ph[1].p_vaddr = 0x2801, -EINVAL);
	BREAK(im.ph[1].p_offset = ~0ul - 0x7ff, -EINVAL);
	BREAK(im.ph[0].p_type = im.ph[1].p_type = PT_NULL, -EINVAL);
	/* Too high, at the bottom of the address space, or far too large for it. */
	BREAK((im.eh.e_type = ET_EXEC, im.ph[0].p_vaddr = 0x7ffffff00000), -ENOMEM);
	BREAK(im.eh.e_type = ET_EXEC, -ENOMEM);
	BREAK(im.ph[1].p_memsz = 0x7ffff0000000, -ENOMEM);
#undef BREAK
	fake_reset();
	fake_add("/bin/prog", "", 0, 0755);
	fake_add("/bin/noexec", "x", 1, 0644);
	struct exec_image x;

	assert_int_equal(load("/bin/prog", &x), -ENOEXEC);
	assert_int_equal(load("/bin/noexec", &x), -EACCES);
	assert_int_equal(load("/bin/none", &x), -ENOENT);
}

static void failed_allocations_leave_nothing_behind(void **state)
{
	(void)state;
	struct image im = good_image();
	int fails = 0, r = -ENOMEM;

	for (u64 n = 1; r == -ENOMEM; n++) {
		struct exec_image x;

		fake_reset();
		fake_add("/bin/prog", &im, sizeof(im), 0755);
		u64 before = alloc_live();

		alloc_fail_nth(n);
		r = load("/bin/prog", &x);
		alloc_fail_nth(0);
		if (r == 0)
			exec_image_done(&x);
		else
			fails++;
		assert_int_equal(alloc_live(), before);
	}
	assert_int_equal(r, 0);
	assert_true(fails > 5);
}

static void the_vdso_tells_the_time(void **state)
{
	(void)state;
	struct mm_piece p[2];
	struct timespec a, b;
	u64 n;

	fake_reset();
	fake.kernel.mono_offset = -5 * NSEC_PER_SEC;
	assert_int_equal(vdso_new(&fake.kernel), 0);
	n = vdso_pages(&fake.kernel);
	assert_true(n >= 2);
	u8 *at = mmap(NULL, n * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	vdso_pieces(&fake.kernel, (u64)at, p);
	for (int i = 0; i < 2; i++)
		assert_ptr_equal(mmap((void *)p[i].addr, p[i].len, p[i].prot, MAP_PRIVATE | MAP_FIXED,
				      p[i].fd.fd, (off_t)p[i].fd_offset), (void *)p[i].addr);
	const Elf64_Ehdr *eh = (void *)p[1].addr;
	int (*gettime)(clockid_t, struct timespec *) = NULL;

	assert_memory_equal(eh->e_ident, ELFMAG, SELFMAG);
	/* The dynamic symbols follow the headers; find the one by its name. */
	const Elf64_Phdr *ph = (void *)(p[1].addr + eh->e_phoff);
	const Elf64_Dyn *d = NULL;
	const Elf64_Sym *sym = NULL;
	const char *str = NULL;
	const u32 *hash = NULL;

	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			d = (void *)(p[1].addr + ph[i].p_vaddr);
	for (; d->d_tag; d++) {
		if (d->d_tag == DT_SYMTAB)
			sym = (void *)(p[1].addr + d->d_un.d_ptr);
		if (d->d_tag == DT_STRTAB)
			str = (void *)(p[1].addr + d->d_un.d_ptr);
		if (d->d_tag == DT_HASH)
			hash = (void *)(p[1].addr + d->d_un.d_ptr);
	}
	for (u32 i = 0; i < hash[1]; i++)
		if (strcmp(str + sym[i].st_name, "__vdso_clock_gettime") == 0)
			gettime = (int (*)(clockid_t, struct timespec *))(p[1].addr + sym[i].st_value);
	assert_non_null(gettime);
	clock_gettime(CLOCK_REALTIME, &a);
	assert_int_equal(gettime(CLOCK_REALTIME, &b), 0);
	assert_true(b.tv_sec - a.tv_sec <= 1 && b.tv_sec >= a.tv_sec);
	assert_int_equal(gettime(1000, &b), -EINVAL);

	/* With the host's vDSO behind it, offsets are added. */
	struct { u64 gettime, getcpu; s64 mono, real; u32 ncpus; } *data =
		mmap((void *)p[0].addr, PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	data->gettime = (u64)clock_gettime;
	data->mono = -5 * NSEC_PER_SEC - 1;
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(gettime(CLOCK_MONOTONIC, &b), 0);
	assert_true(a.tv_sec - b.tv_sec == 5 || a.tv_sec - b.tv_sec == 4 || a.tv_sec - b.tv_sec == 6);
	assert_true(b.tv_nsec >= 0 && b.tv_nsec < NSEC_PER_SEC);
	munmap(at, n * PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_gets_its_maps_stack_and_registers),
		cmocka_unit_test(layout_is_random_unless_asked_otherwise),
		cmocka_unit_test(an_interpreter_starts_first),
		cmocka_unit_test(scripts_put_their_interpreter_in_front),
		cmocka_unit_test(script_lines_are_read_as_linux_reads_them),
		cmocka_unit_test(set_id_programs_change_credentials),
		cmocka_unit_test(arguments_have_limits),
		cmocka_unit_test(broken_programs_are_refused),
		cmocka_unit_test(failed_allocations_leave_nothing_behind),
		cmocka_unit_test(the_vdso_tells_the_time),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
