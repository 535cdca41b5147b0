/*
 * seccomp_bpf.c - see seccomp_bpf.h.
 *
 * The program comes from an application; after bpf_check() every jump goes
 * forward and stays inside, so running it is bounded by its length.
 */
#include "sentry/kernel/seccomp_bpf.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>

static bool jump_ok(const struct sock_filter *i, u32 pc, u32 n)
{
	if (BPF_OP(i->code) == BPF_JA)
		return i->k < n - pc - 1;
	return (u32)i->jt < n - pc - 1 && (u32)i->jf < n - pc - 1;
}

static bool insn_ok(const struct sock_filter *i, u32 pc, u32 n)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return (i->k & 3) == 0 && i->k < sizeof(struct seccomp_data);
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_NEG:
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return i->k < BPF_MEMWORDS;
	case BPF_ALU | BPF_DIV | BPF_K:
		return i->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return i->k < 32;
	}
	if (BPF_CLASS(i->code) == BPF_ALU && BPF_OP(i->code) <= BPF_XOR && BPF_OP(i->code) != BPF_NEG &&
	    BPF_OP(i->code) != BPF_MOD)
		return (i->code & ~(BPF_CLASS(0xff) | BPF_OP(0xff) | BPF_X)) == 0;
	if (BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) <= BPF_JSET)
		return (i->code & ~(BPF_CLASS(0xff) | BPF_OP(0xff) | BPF_X)) == 0 && jump_ok(i, pc, n);
	return false;
}

bool bpf_check(const struct sock_filter *f, u32 n)
{
	for (u32 pc = 0; pc < n; pc++)
		if (!insn_ok(&f[pc], pc, n))
			return false;
	return n > 0 && BPF_CLASS(f[n - 1].code) == BPF_RET;
}

static u32 alu(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return b ? a / b : 0;
	case BPF_OR:  return a | b;
	case BPF_AND: return a & b;
	case BPF_LSH: return a << (b & 31);
	case BPF_RSH: return a >> (b & 31);
	case BPF_XOR: return a ^ b;
	}
	return -a;                      /* BPF_NEG */
}

static bool holds(u16 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	}
	return (a & b) != 0;            /* BPF_JSET */
}

static u32 load(const struct seccomp_data *d, u32 off)
{
	u32 v;

	memcpy(&v, (const char *)d + off, sizeof(v));
	return v;
}

u32 bpf_run(const struct sock_filter *f, u32 n, const struct seccomp_data *d)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

	for (u32 pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];
		u32 b = BPF_SRC(i->code) == BPF_X ? x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_ABS)
				a = load(d, i->k);
			else if (BPF_MODE(i->code) == BPF_MEM)
				a = mem[i->k];
			else
				a = BPF_MODE(i->code) == BPF_IMM ? i->k : (u32)sizeof(*d);
			break;
		case BPF_LDX:
			if (BPF_MODE(i->code) == BPF_MEM)
				x = mem[i->k];
			else
				x = BPF_MODE(i->code) == BPF_IMM ? i->k : (u32)sizeof(*d);
			break;
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_STX:
			mem[i->k] = x;
			break;
		case BPF_ALU:
			/* A division by zero in X ends the program with 0, as on Linux. */
			if (BPF_OP(i->code) == BPF_DIV && b == 0)
				return 0;
			a = alu(BPF_OP(i->code), a, b);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += holds(BPF_OP(i->code), a, b) ? i->jt : i->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		}
	}
	return 0;
}
