/*
 * seccomp.c - see seccomp.h.
 *
 * Written out by hand because the program is simple and a start-up must not
 * pay for a general compiler (libseccomp: 0.3 ms; this: 5 us).
 */
#include "platform/host/seccomp.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

struct prog {
	struct sock_filter *f;
	size_t n, cap;
};

static void emit(struct prog *p, u16 code, u32 k, u8 jt, u8 jf)
{
	if (p->n < p->cap)
		p->f[p->n] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
	p->n++;
}

#define LOAD(off) emit(p, BPF_LD | BPF_W | BPF_ABS, (u32)(off), 0, 0)

/* Two instructions on one half of an argument; a failing test jumps @fail instructions on. */
static void emit_half(struct prog *p, size_t off, bool mask, u32 val, u8 fail)
{
	LOAD(off);
	if (mask)
		emit(p, BPF_JMP | BPF_JSET | BPF_K, val, fail, 0);
	else
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, val, 0, fail);
}

static u8 cond_insns(const struct hc_cond *c)
{
	if (c->op == HC_EQ32 || (c->op == HC_NOBITS && !(c->val >> 32)))
		return 2;
	return 4;
}

static void emit_cond(struct prog *p, const struct hc_cond *c, u8 after)
{
	size_t lo = offsetof(struct seccomp_data, args) + 8u * c->arg;
	u8 n = cond_insns(c);

	/* @after: instructions from the end of this condition to the next row. */
	emit_half(p, lo, c->op == HC_NOBITS, (u32)c->val, (u8)(after + n - 2));
	if (n == 4)
		emit_half(p, lo + 4, c->op == HC_NOBITS, (u32)(c->val >> 32), after);
}

static void emit_row(struct prog *p, const struct hc_row *r)
{
	u8 body = 1, after;

	for (u32 i = 0; i < r->nconds; i++)
		body += cond_insns(&r->cond[i]);
	/* Conditions overwrite the accumulator, so their rows end with a reload of the number. */
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->nr, 0, (u8)(r->nconds ? body + 1 : body));
	after = body;
	for (u32 i = 0; i < r->nconds; i++) {
		after -= cond_insns(&r->cond[i]);
		emit_cond(p, &r->cond[i], after);
	}
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	if (r->nconds)
		LOAD(offsetof(struct seccomp_data, nr));
}

int hc_compile(const struct hc_row *rows, size_t n, u32 deny, struct sock_filter *out, size_t cap)
{
	struct prog prog = { .f = out, .cap = cap }, *p = &prog;

	LOAD(offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	LOAD(offsetof(struct seccomp_data, nr));
	emit(p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	for (size_t i = 0; i < n; i++)
		emit_row(p, &rows[i]);
	emit(p, BPF_RET | BPF_K, deny, 0, 0);
	return p->n <= cap ? (int)p->n : -E2BIG;
}

int hc_install(const struct hc_row *rows, size_t n)
{
	struct sock_filter f[HC_MAX_INSNS];
	struct sock_fprog prog = { .filter = f };
	int r = hc_compile(rows, n, SECCOMP_RET_TRAP, f, ARRAY_SIZE(f));

	if (r < 0)
		return r;
	prog.len = (unsigned short)r;
	r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
	if (r < 0)
		return -errno;
	return r == 0 ? 0 : -EBUSY;     /* > 0: that thread could not be brought along */
}

size_t hc_count(const struct hc_row *rows, size_t n)
{
	size_t distinct = 0;

	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < i && rows[j].nr != rows[i].nr)
			j++;
		distinct += j == i;
	}
	return distinct;
}
