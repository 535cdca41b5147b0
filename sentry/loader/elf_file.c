/*
 * elf_file.c - read and check the headers of a program and of its interpreter.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/loader/loader_int.h"

void elf_file_done(struct elf_file *ef)
{
	kfree(ef->info.seg);
	ef->info.seg = NULL;
	ef->f = file_unref(ef->f);
}

int elf_file_read(struct task *t, struct file *f, struct elf_file *ret)
{
	struct elf_file ef = { 0 };
	Elf64_Phdr *ph;
	int r;

	r = exec_read(t, f, &ef.eh, sizeof(ef.eh), 0);
	if (r < 0)
		return r == -EIO ? -ENOEXEC : r;
	r = elf_check_header(&ef.eh);
	if (r < 0)
		return r;
	ph = kbuf_array(ef.eh.e_phnum, sizeof(*ph));
	ef.info.seg = kbuf_array(ef.eh.e_phnum, sizeof(*ef.info.seg));
	r = ph && ef.info.seg ? exec_read(t, f, ph, ef.eh.e_phnum * sizeof(*ph), ef.eh.e_phoff) : -ENOMEM;
	if (r == -EIO)
		r = -ENOEXEC;
	if (r == 0)
		r = elf_parse(&ef.eh, ph, &ef.info);
	kfree(ph);
	if (r < 0) {
		kfree(ef.info.seg);
		return r;
	}
	ef.f = file_ref(f);
	*ret = ef;
	return 0;
}

int elf_file_interp(struct task *t, const struct elf_file *ef, struct elf_file *ret)
{
	char name[PATH_MAX];
	auto_file *f = NULL;
	int r;

	if (!ef->info.interp_len)
		return 0;
	r = exec_read(t, ef->f, name, ef->info.interp_len, ef->info.interp_off);
	if (r < 0)
		return r;
	if (name[ef->info.interp_len - 1] != '\0')
		return -ENOEXEC;
	r = exec_open(t, name, &f);
	if (r < 0)
		return r;
	r = elf_file_read(t, f, ret);
	return r == -ENOEXEC || r == -EINVAL ? -ELIBBAD : r;
}
