/*
 * stack.c - the first stack of a program: argc, argv, envp, the auxiliary vector.
 *
 * From the top, as Linux lays it out: a null word, the program's name, environment
 * and argument strings; then, 16-byte aligned, platform string and random bytes; then the vectors
 * that the program's stack pointer points to.  Built in one buffer, copied at once.
 */
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include "platform/base/alloc.h"
#include "platform/base/overflow.h"
#include "platform/base/rand.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/loader/loader_int.h"

#define AUX_MAX 24u                             /* pairs */
#define PLATFORM_NAME "x86_64"

/* Linux: bprm_stack_limits(): a quarter of the stack, at least 128 KiB, at most 6 MiB. */
static u64 arg_limit(struct task *t)
{
	u64 limit = task_rlimit(t, RLIMIT_STACK) / 4;

	return MAX(MIN(limit, (6ul << 20)), 131072ul);
}

static u64 strings_size(const struct exec_build *b)
{
	u64 n = strlen(b->execfn) + 1;

	for (int i = 0; i < b->argc; i++)
		n += strlen(b->argv[i]) + 1;
	for (int i = 0; i < b->envc; i++)
		n += strlen(b->envp[i]) + 1;
	return n;
}

static u64 vectors_size(const struct exec_build *b)
{
	return 8 * (1 + ((u64)b->argc + 1) + ((u64)b->envc + 1) + 2 * AUX_MAX);
}

u64 exec_args_size(const struct exec_build *b)
{
	return strings_size(b) + vectors_size(b) + 3 * PAGE_SIZE;       /* alignment, random, platform */
}

int exec_check_args(struct exec_build *b)
{
	u64 limit = arg_limit(b->t), ptrs = ((u64)MAX(b->argc, 1) + (u64)b->envc) * 8;

	for (int i = 0; i < b->argc; i++)
		if (strlen(b->argv[i]) >= MAX_ARG_STRLEN)
			return -E2BIG;
	for (int i = 0; i < b->envc; i++)
		if (strlen(b->envp[i]) >= MAX_ARG_STRLEN)
			return -E2BIG;
	return limit <= ptrs || strings_size(b) > limit - ptrs ? -E2BIG : 0;
}

static void aux_add(struct mm *mm, u64 type, u64 value)
{
	BUG_ON(mm->auxv_n + 2 > 2 * AUX_MAX);
	mm->auxv[mm->auxv_n++] = type;
	mm->auxv[mm->auxv_n++] = value;
}

/* Host facts that are true for the guest as well: it runs on the same processor and host kernel. */
static void fill_auxv(struct exec_build *b, u64 random, u64 execfn, u64 platform)
{
	const struct elf_info *pi = &b->prog.info;
	struct mm *mm = b->mm;

	mm->auxv_n = 0;
	if (mm->vdso_base)
		aux_add(mm, AT_SYSINFO_EHDR, mm->vdso_base);
	if (getauxval(AT_MINSIGSTKSZ))
		aux_add(mm, AT_MINSIGSTKSZ, getauxval(AT_MINSIGSTKSZ));
	aux_add(mm, AT_HWCAP, getauxval(AT_HWCAP));
	aux_add(mm, AT_PAGESZ, PAGE_SIZE);
	aux_add(mm, AT_CLKTCK, 100);
	aux_add(mm, AT_PHDR, pi->phdr ? pi->phdr + b->prog.bias : 0);
	aux_add(mm, AT_PHENT, sizeof(Elf64_Phdr));
	aux_add(mm, AT_PHNUM, pi->phnum);
	aux_add(mm, AT_BASE, b->interp.f ? b->interp.info.lo + b->interp.bias : 0);
	aux_add(mm, AT_FLAGS, 0);
	aux_add(mm, AT_ENTRY, pi->entry + b->prog.bias);
	aux_add(mm, AT_UID, user_ns_show_uid(b->cred->user_ns, b->cred->uid));
	aux_add(mm, AT_EUID, user_ns_show_uid(b->cred->user_ns, b->cred->euid));
	aux_add(mm, AT_GID, user_ns_show_gid(b->cred->user_ns, b->cred->gid));
	aux_add(mm, AT_EGID, user_ns_show_gid(b->cred->user_ns, b->cred->egid));
	aux_add(mm, AT_SECURE, b->secure);
	aux_add(mm, AT_RANDOM, random);
	aux_add(mm, AT_HWCAP2, getauxval(AT_HWCAP2));
	aux_add(mm, AT_EXECFN, execfn);
	aux_add(mm, AT_PLATFORM, platform);
	aux_add(mm, AT_NULL, 0);
}

/* A buffer that holds [top - size, top). */
struct image { u8 *p; u64 top, size, at; };

static u64 push(struct image *m, const void *data, u64 n)
{
	BUG_ON(n > m->at - (m->top - m->size));
	m->at -= n;
	memcpy(m->p + (m->at - (m->top - m->size)), data, n);
	return m->at;
}

static u64 push_strings(struct image *m, char **s, int n)
{
	for (int i = n - 1; i >= 0; i--)
		push(m, s[i], strlen(s[i]) + 1);
	return m->at;
}

/* Addresses of @n strings that lie one after the other from @at, then a null. */
static u64 *put_pointers(u64 *v, u64 at, char **s, int n)
{
	for (int i = 0; i < n; i++) {
		*v++ = at;
		at += strlen(s[i]) + 1;
	}
	*v++ = 0;
	return v;
}

static void build(struct exec_build *b, struct image *m)
{
	static const u64 null;
	struct mm *mm = b->mm;
	u64 execfn, platform, random, bytes[2], *v;
	size_t nvec;

	push(m, &null, sizeof(null));
	execfn = push(m, b->execfn, strlen(b->execfn) + 1);
	mm->env_end = execfn;
	mm->env_start = mm->arg_end = push_strings(m, b->envp, b->envc);
	mm->arg_start = push_strings(m, b->argv, b->argc);
	m->at = ALIGN_DOWN(m->at - (b->random ? rand_below(8192) : 0), 16ul);
	platform = push(m, PLATFORM_NAME, sizeof(PLATFORM_NAME));
	rand_bytes(bytes, sizeof(bytes));
	random = push(m, bytes, sizeof(bytes));

	fill_auxv(b, random, execfn, platform);
	nvec = 1 + ((size_t)b->argc + 1) + ((size_t)b->envc + 1) + mm->auxv_n;
	m->at = ALIGN_DOWN(m->at - 8 * nvec, 16ul);
	v = (u64 *)(void *)(m->p + (m->at - (m->top - m->size)));
	*v++ = (u64)b->argc;
	v = put_pointers(v, mm->arg_start, b->argv, b->argc);
	v = put_pointers(v, mm->env_start, b->envp, b->envc);
	memcpy(v, mm->auxv, mm->auxv_n * sizeof(u64));
	b->sp = m->at;
}

int exec_write_stack(struct exec_build *b)
{
	struct image m = { .top = b->mm->stack_top, .size = ALIGN_UP(exec_args_size(b), PAGE_SIZE) };
	u64 used;
	int r = 0;

	m.at = m.top;
	if (m.size > b->stack_size)
		return -E2BIG;
	m.p = kbuf_alloc(m.size);
	if (!m.p)
		return -ENOMEM;
	build(b, &m);
	used = m.top - m.at;
	if (mm_copy_out(b->mm, GADDR(m.at), m.p + (m.size - used), used) < used)
		r = -EFAULT;
	else
		aspace_set_title(b->mm->as, b->argv, b->argc);
	kfree(m.p);
	return r;
}
