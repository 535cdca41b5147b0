/*
 * ebpf.c - see ebpf.h.
 *
 * The program comes from an application.  ebpf_check() goes over it once: as jumps go forward only, every way to an
 * instruction is known when it is reached, and what registers hold there is what all ways agree on.  So a checked
 * program reads nothing but its context and ends after as many steps as it has instructions.
 */
#include "sentry/kernel/ebpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "platform/base/alloc.h"

#define NREGS 10                        /* R10, the stack's, holds nothing here */

enum kind { NOTHING, NUMBER, CONTEXT };

/* What is known when an instruction is reached. */
struct known {
	bool reached, inside;           /* inside: the second half of a wide one */
	u8 reg[NREGS];                  /* enum kind */
};

static bool is_jump(const struct bpf_insn *i) { return BPF_CLASS(i->code) == BPF_JMP || BPF_CLASS(i->code) == BPF_JMP32; }
static bool is_wide(const struct bpf_insn *i) { return i->code == (BPF_LD | BPF_IMM | BPF_DW); }

/* The way from one instruction to @to: what both ways to it know remains. */
static int arrive(struct known *k, u32 n, u64 to, const struct known *from)
{
	struct known *at;

	if (to >= n)
		return -EINVAL;
	at = &k[to];
	if (at->inside)
		return -EINVAL;
	for (u32 r = 0; r < NREGS; r++)
		at->reg[r] = !at->reached || at->reg[r] == from->reg[r] ? from->reg[r] : NOTHING;
	at->reached = true;
	return 0;
}

static int check_regs(const struct bpf_insn *i)
{
	return i->dst_reg < NREGS && i->src_reg < NREGS ? 0 : -EINVAL;
}

static bool alu_known(const struct bpf_insn *i)
{
	switch (BPF_OP(i->code)) {
	case BPF_NEG:
		return BPF_SRC(i->code) == BPF_K && !i->src_reg && !i->imm;
	case BPF_ADD: case BPF_SUB: case BPF_MUL: case BPF_OR: case BPF_AND: case BPF_XOR: case BPF_MOV:
		return true;
	case BPF_DIV: case BPF_MOD:
		return BPF_SRC(i->code) == BPF_X || i->imm != 0;
	case BPF_LSH: case BPF_RSH: case BPF_ARSH:
		return BPF_SRC(i->code) == BPF_X || (u32)i->imm < (BPF_CLASS(i->code) == BPF_ALU64 ? 64u : 32u);
	}
	return false;
}

static int check_alu(const struct bpf_insn *i, struct known *now)
{
	bool x = BPF_SRC(i->code) == BPF_X, mov = BPF_OP(i->code) == BPF_MOV;
	u8 src = x ? now->reg[i->src_reg] : NUMBER;

	if (!alu_known(i) || i->off || (x ? i->imm : i->src_reg) != 0)
		return -EINVAL;
	if (src == NOTHING || (!mov && now->reg[i->dst_reg] != NUMBER))
		return -EACCES;
	/* The context may be given to another register, whole. */
	if (src == CONTEXT && !(mov && BPF_CLASS(i->code) == BPF_ALU64))
		return -EACCES;
	now->reg[i->dst_reg] = src;
	return 0;
}

static int check_load(const struct bpf_insn *i, struct known *now)
{
	u32 size = BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : BPF_SIZE(i->code) == BPF_B ? 1 : 0;
	u32 off = (u16)i->off;

	if (BPF_MODE(i->code) != BPF_MEM || i->imm)
		return -EINVAL;
	/* access_type may be read in parts. */
	if (now->reg[i->src_reg] != CONTEXT || !size || off % size || off + size > sizeof(struct ebpf_dev_ctx) ||
	    (off >= 4 && size != 4))
		return -EACCES;
	now->reg[i->dst_reg] = NUMBER;
	return 0;
}

static int check_wide(const struct bpf_insn *p, u32 n, u32 pc, struct known *k, struct known *now)
{
	const struct bpf_insn *i = &p[pc];

	if (pc + 1 >= n || i->src_reg || i->off || k[pc + 1].reached || p[pc + 1].code || p[pc + 1].dst_reg || p[pc + 1].src_reg ||
	    p[pc + 1].off)
		return -EINVAL;
	k[pc + 1].inside = true;
	now->reg[i->dst_reg] = NUMBER;
	return 0;
}

static int check_jump(const struct bpf_insn *i, u32 n, u32 pc, struct known *k, const struct known *now)
{
	bool x = BPF_SRC(i->code) == BPF_X;
	u8 op = BPF_OP(i->code);
	int r;

	if (op == BPF_CALL || op == BPF_EXIT || i->off < 0 || op > BPF_JSLE)
		return -EINVAL;
	if (op == BPF_JA) {
		if (BPF_CLASS(i->code) != BPF_JMP || x || i->imm || i->dst_reg || i->src_reg)
			return -EINVAL;
		return arrive(k, n, (u64)pc + 1 + (u16)i->off, now);
	}
	if ((x ? i->imm : i->src_reg) != 0)
		return -EINVAL;
	if (now->reg[i->dst_reg] != NUMBER || (x && now->reg[i->src_reg] != NUMBER))
		return -EACCES;
	r = arrive(k, n, (u64)pc + 1 + (u16)i->off, now);
	return r < 0 ? r : arrive(k, n, (u64)pc + 1, now);
}

static int check_one(const struct bpf_insn *p, u32 n, u32 pc, struct known *k)
{
	const struct bpf_insn *i = &p[pc];
	struct known now = k[pc];
	int r = check_regs(i);

	if (r == 0 && !now.reached)
		r = -EINVAL;
	if (r < 0)
		return r;
	if (i->code == (BPF_JMP | BPF_EXIT))
		return i->dst_reg || i->src_reg || i->off || i->imm ? -EINVAL : now.reg[BPF_REG_0] == NUMBER ? 0 : -EACCES;
	if (is_jump(i))
		return check_jump(i, n, pc, k, &now);
	if (is_wide(i))
		r = check_wide(p, n, pc, k, &now);
	else if (BPF_CLASS(i->code) == BPF_LDX)
		r = check_load(i, &now);
	else if (BPF_CLASS(i->code) == BPF_ALU || BPF_CLASS(i->code) == BPF_ALU64)
		r = check_alu(i, &now);
	else
		r = -EINVAL;
	return r < 0 ? r : arrive(k, n, (u64)pc + (is_wide(i) ? 2 : 1), &now);
}

int ebpf_check(const struct bpf_insn *p, u32 n, bool reads)
{
	auto_kfree struct known *k = n ? kbuf_array(n, sizeof(*k)) : NULL;
	int r = 0;

	if (!k)
		return n ? -ENOMEM : -EINVAL;
	memset(k, 0, n * sizeof(*k));
	k[0].reached = true;
	k[0].reg[BPF_REG_1] = reads ? CONTEXT : NOTHING;
	for (u32 pc = 0; pc < n && r == 0; pc++)
		if (!k[pc].inside)
			r = check_one(p, n, pc, k);
	return r;
}

/* ---- running ---- */

static u64 shift(u8 op, u64 a, u64 b, bool wide)
{
	u32 by = (u32)b & (wide ? 63 : 31);

	if (op == BPF_LSH)
		return a << by;
	if (op == BPF_RSH)
		return (wide ? a : (u32)a) >> by;
	return wide ? (u64)((s64)a >> by) : (u64)(u32)((s32)(u32)a >> by);
}

static u64 alu(u8 op, u64 a, u64 b, bool wide)
{
	if (!wide) {
		a = (u32)a;
		b = (u32)b;
	}
	switch (op) {
	case BPF_ADD: return a + b;
	case BPF_SUB: return a - b;
	case BPF_MUL: return a * b;
	case BPF_DIV: return b ? a / b : 0;
	case BPF_MOD: return b ? a % b : a;
	case BPF_OR:  return a | b;
	case BPF_AND: return a & b;
	case BPF_XOR: return a ^ b;
	case BPF_MOV: return b;
	case BPF_NEG: return -a;
	}
	return shift(op, a, b, wide);
}

static bool holds(u8 op, u64 a, u64 b, bool wide)
{
	s64 sa = wide ? (s64)a : (s32)(u32)a, sb = wide ? (s64)b : (s32)(u32)b;

	if (!wide) {
		a = (u32)a;
		b = (u32)b;
	}
	switch (op) {
	case BPF_JEQ:  return a == b;
	case BPF_JNE:  return a != b;
	case BPF_JGT:  return a > b;
	case BPF_JGE:  return a >= b;
	case BPF_JLT:  return a < b;
	case BPF_JLE:  return a <= b;
	case BPF_JSET: return (a & b) != 0;
	case BPF_JSGT: return sa > sb;
	case BPF_JSGE: return sa >= sb;
	case BPF_JSLT: return sa < sb;
	case BPF_JSLE: return sa <= sb;
	}
	return true;                    /* BPF_JA */
}

static u64 load(const struct bpf_insn *i, const struct ebpf_dev_ctx *ctx)
{
	const u8 *p = (const u8 *)ctx + i->off;
	u64 v = 0;

	memcpy(&v, p, BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : 1);
	return v;
}

u64 ebpf_run(const struct bpf_insn *p, const struct ebpf_dev_ctx *ctx)
{
	u64 reg[NREGS] = { 0 };

	for (const struct bpf_insn *i = p; i->code != (BPF_JMP | BPF_EXIT); i++) {
		u64 *dst = &reg[i->dst_reg], src = BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (u64)(s64)i->imm;
		bool wide = BPF_CLASS(i->code) == BPF_ALU64 || BPF_CLASS(i->code) == BPF_JMP;

		if (is_jump(i)) {
			i += holds(BPF_OP(i->code), *dst, src, wide) ? i->off : 0;
		} else if (is_wide(i)) {
			*dst = (u32)i->imm | (u64)(u32)i[1].imm << 32;
			i++;
		} else if (BPF_CLASS(i->code) == BPF_LDX) {
			*dst = load(i, ctx);
		} else {
			*dst = alu(BPF_OP(i->code), *dst, src, wide);
			*dst = wide ? *dst : (u32)*dst;
		}
	}
	return reg[BPF_REG_0];
}
