/*
 * loader_int.h - what the files of sentry/loader share: one exec in the making.
 *
 * struct exec_build lives on the stack of load_program(); everything it owns
 * is freed there, whatever happens.
 */
#pragma once
#include "sentry/kernel/task.h"
#include "sentry/loader/elf_int.h"
#include "sentry/loader/loader.h"
#include "sentry/vfs/vfs.h"

#define PER_NO_RANDOMIZE 0x0040000u             /* ADDR_NO_RANDOMIZE */
#define PER_READ_IMPLIES_EXEC 0x0400000u

/* A file with its checked headers. */
struct elf_file {
	struct file *f;                         /* a reference */
	Elf64_Ehdr eh;
	struct elf_info info;                   /* .seg owned */
	u64 bias;                               /* added to every address */
};

/* Bytes to zero once everything is mapped: the rest of a segment's last file page. */
struct elf_zero { u64 addr, len; bool writable; };

struct exec_build {
	struct task *t;
	struct elf_file prog, interp;           /* interp.f NULL: none */
	char **argv;                            /* owned array; strings owned by args or scripts */
	int argc;
	char **envp;                            /* borrowed */
	int envc;
	const char *execfn;                     /* borrowed: AT_EXECFN */
	bool hidden;                            /* no interpreter could open it by that name */
	char *scripts[16];                      /* owned: strings that "#!" lines added */
	int nscripts;
	struct mm *mm;
	struct ctx *ctx;
	const struct cred *cred;                /* borrowed: who the program will be */
	bool secure;
	bool random;                            /* randomise the layout */
	u64 stack_size;
	int stack_prot;
	u64 sp;
};

/* loader.c */
int exec_read(struct task *t, struct file *f, void *buf, size_t n, u64 off) must_check;  /* all of it or -EIO */
ssize_t exec_read_some(struct task *t, struct file *f, void *buf, size_t n, u64 off) must_check;
/* Open for execution: a regular file that @t may execute, on a mount that allows it. */
int exec_open(struct task *t, const char *path, struct file **ret) must_check;
int exec_check(struct task *t, struct file *f) must_check;

/* elf_file.c */
int elf_file_read(struct task *t, struct file *f, struct elf_file *ret) must_check;     /* takes a reference */
void elf_file_done(struct elf_file *ef);
/* The interpreter that @ef asks for, opened and read: -ENOENT, -ELIBBAD...; ret->f stays NULL without one. */
int elf_file_interp(struct task *t, const struct elf_file *ef, struct elf_file *ret) must_check;

/* elf_map.c: choose places, map program, interpreter, stack and vdso in one batch. */
int exec_layout(struct exec_build *b) must_check;
int exec_map(struct exec_build *b) must_check;

/* stack.c */
#define MAX_ARG_STRLEN 131072u
int exec_check_args(struct exec_build *b) must_check;   /* -E2BIG */
int exec_write_stack(struct exec_build *b) must_check;
u64 exec_args_size(const struct exec_build *b);         /* upper bound of what the stack will hold */

/* exec_cred.c: *ret NULL = nothing changes. */
int exec_cred(struct task *t, struct file *f, struct cred **ret, bool *ret_secure) must_check;

/* vdso.c */
u64 vdso_pages(struct kernel *k);                       /* data page included; 0 = there is none */
void vdso_pieces(struct kernel *k, u64 base, struct mm_piece p[2]);     /* data at base, code behind it */
