/*
 * loader.h - from a program file to a ready address space (execve(2), elf(5)).
 *
 * load_program() resolves "#!" scripts and the ELF interpreter, makes a new
 * address space from the platform's pool and maps everything into it, so the caller
 * can still fail without harm to the old one.  The parser treats the
 * file as hostile: every size and offset is checked before use.
 */
#pragma once
#include "sentry/mm/mm.h"

struct exec_args;
struct cred;

struct exec_image {
	struct mm *mm;                          /* new; owned by the image until taken */
	struct ctx *ctx;                        /* its first context, registers set */
	struct file *exe;                       /* the ELF file, referenced: /proc/PID/exe */
	char comm[16];
	bool secure;                            /* set-id or capabilities changed: AT_SECURE */
	struct cred *cred;                      /* new credentials after set-uid bits, or NULL = unchanged */
};

/* 0 or -errno as execve(2) lists them (ENOEXEC, EACCES, ELIBBAD, E2BIG, ENOENT of the interpreter, ...). */
int load_program(struct task *t, const struct exec_args *a, struct exec_image *ret) must_check;
void exec_image_done(struct exec_image *im);    /* frees what was not taken */

/* Boot, once the platform and the clock offsets are there: make k->vdso.  Without it guests have none. */
int vdso_new(struct kernel *k) must_check;
