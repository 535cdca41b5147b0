/*
 * filter.c - classic BPF programs on sockets (SO_ATTACH_FILTER).
 *
 * A program is checked once: jumps go forward and stay inside, memory cells
 * exist and are written before they are read as far as zeroes go (they start
 * as zero), divisors are not zero, the last instruction returns.  So running
 * one ends after at most its length.  A load outside the packet drops it.
 *
 * Offsets from SKF_AD_OFF are what Linux knows of a packet beside its bytes;
 * loads relative to the network or link header are not there and drop.
 */
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"

struct filter {
	u32 n;
	struct sock_filter code[];
};

static bool jump_ok(const struct sock_filter *f, u32 i, u32 n)
{
	if (BPF_OP(f->code) == BPF_JA)
		return f->code == (BPF_JMP | BPF_JA) && f->k < n - i - 1;
	switch (f->code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ: case BPF_JMP | BPF_JGT: case BPF_JMP | BPF_JGE: case BPF_JMP | BPF_JSET:
		return f->jt < n - i - 1 && f->jf < n - i - 1;
	default:
		return false;
	}
}

static bool insn_ok(const struct sock_filter *f, u32 i, u32 n)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS:
		return f->k < (u32)SKF_AD_OFF || f->k < (u32)SKF_AD_OFF + SKF_AD_MAX;
	case BPF_LD | BPF_W | BPF_IND: case BPF_LD | BPF_H | BPF_IND: case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN: case BPF_LDX | BPF_W | BPF_LEN: case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_LD | BPF_IMM: case BPF_LDX | BPF_IMM: case BPF_RET | BPF_K: case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX: case BPF_MISC | BPF_TXA: case BPF_ALU | BPF_NEG:
		return true;
	case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM: case BPF_ST: case BPF_STX:
		return f->k < BPF_MEMWORDS;
	case BPF_ALU | BPF_DIV | BPF_K: case BPF_ALU | BPF_MOD | BPF_K:
		return f->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K: case BPF_ALU | BPF_RSH | BPF_K:
		return f->k < 32;
	}
	if (BPF_CLASS(f->code) == BPF_JMP)
		return jump_ok(f, i, n);
	return BPF_CLASS(f->code) == BPF_ALU && BPF_OP(f->code) <= BPF_XOR && f->code <= 0xff;
}

int net_filter_new(const void *insns, size_t len, struct filter **ret)
{
	u32 i, n = (u32)(len / sizeof(struct sock_filter));
	struct filter *f;

	if (n == 0 || n > BPF_MAXINSNS || len % sizeof(struct sock_filter))
		return -EINVAL;
	f = kbuf_alloc(sizeof(*f) + len);
	if (!f)
		return -ENOMEM;
	f->n = n;
	memcpy(f->code, insns, len);
	for (i = 0; i < n && insn_ok(&f->code[i], i, n); i++)
		;
	if (i < n || BPF_CLASS(f->code[n - 1].code) != BPF_RET) {
		kfree(f);
		return -EINVAL;
	}
	*ret = f;
	return 0;
}

int filter_attach(struct ep *e, const void *insns, size_t len)
{
	struct filter *f, *old;
	int r = e->type == SOCK_STREAM ? -ENOPROTOOPT : net_filter_new(insns, len, &f);        /* no part of TCP looks at one */

	if (r < 0)
		return r;
	mutex_lock(&e->mu);
	old = f;
	if (!e->filter_locked) {
		old = e->filter;
		e->filter = f;
	}
	mutex_unlock(&e->mu);
	kfree(old);
	return old == f ? -EPERM : 0;
}

int filter_detach(struct ep *e)
{
	struct filter *old = NULL;
	int r = -EPERM;

	mutex_lock(&e->mu);
	if (!e->filter_locked) {
		old = e->filter;
		e->filter = NULL;
		r = old ? 0 : -ENOENT;
	}
	mutex_unlock(&e->mu);
	kfree(old);
	return r;
}

/* What a program looks at: a packet of an endpoint, or bare bytes. */
struct seen { const struct ep *e; const struct pktbuf *p; const u8 *bytes; u32 len; };

static bool ancillary(const struct seen *s, u32 off, u32 *ret)
{
	const struct pktbuf *p = s->p;

	*ret = 0;
	if (!p)
		return true;
	switch (off) {
	case SKF_AD_PROTOCOL: *ret = p->ethertype; return true;
	case SKF_AD_PKTTYPE: *ret = p->pkttype; return true;
	case SKF_AD_IFINDEX: *ret = p->ifindex; return true;
	case SKF_AD_MARK: *ret = p->mark; return true;
	case SKF_AD_HATYPE: *ret = p->nic ? p->nic->arphrd : 0; return p->nic;
	case SKF_AD_RXHASH: *ret = p->flow; return true;
	case SKF_AD_PAY_OFFSET: *ret = p->l4_off; return true;
	case SKF_AD_RANDOM: *ret = stack_rand32(s->e->stack); return true;
	default: *ret = 0; return true; /* queue, CPU, VLAN tag: none */
	}
}

/* Bytes at @off in network order; false: outside. */
static bool load(const struct seen *s, u32 off, u32 size, u32 *ret)
{
	u8 b[4] = { 0 };
	u32 i, v = 0;

	if (off >= (u32)SKF_AD_OFF && off < (u32)SKF_AD_OFF + SKF_AD_MAX)
		return ancillary(s, off - (u32)SKF_AD_OFF, ret);
	if (off > s->len || s->len - off < size)
		return false;
	if (s->p)
		pkt_copy(s->p, off, b, size);
	else
		memcpy(b, s->bytes + off, size);
	for (i = 0; i < size; i++)
		v = v << 8 | b[i];
	*ret = v;
	return true;
}

static u32 size_of(u16 code) { return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1; }

/* false: division by zero */
static bool alu(u16 code, u32 *a, u32 b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: *a += b; return true;
	case BPF_SUB: *a -= b; return true;
	case BPF_MUL: *a *= b; return true;
	case BPF_OR: *a |= b; return true;
	case BPF_AND: *a &= b; return true;
	case BPF_XOR: *a ^= b; return true;
	case BPF_LSH: *a <<= b & 31; return true;
	case BPF_RSH: *a >>= b & 31; return true;
	case BPF_NEG: *a = -*a; return true;
	case BPF_DIV: *a = b ? *a / b : 0; return b != 0;
	default: *a = b ? *a % b : 0; return b != 0;
	}
}

static bool jump(const struct sock_filter *f, u32 a, u32 b)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	default: return (a & b) != 0;
	}
}

struct regs { u32 a, x, mem[BPF_MEMWORDS]; };

static bool load_insn(const struct seen *s, const struct sock_filter *f, struct regs *r)
{
	bool to_x = BPF_CLASS(f->code) == BPF_LDX;
	u32 v = 0;

	switch (BPF_MODE(f->code)) {
	case BPF_IMM: v = f->k; break;
	case BPF_MEM: v = r->mem[f->k]; break;
	case BPF_LEN: v = s->len; break;
	case BPF_MSH:
		if (!load(s, f->k, 1, &v))
			return false;
		v = (v & 15) * 4;
		break;
	case BPF_IND:
		if (r->x + f->k < r->x || !load(s, r->x + f->k, size_of(f->code), &v))
			return false;
		break;
	default:
		if (!load(s, f->k, size_of(f->code), &v))
			return false;
	}
	*(to_x ? &r->x : &r->a) = v;
	return true;
}

static u32 run(const struct filter *prog, const struct seen *s)
{
	struct regs r = { 0 };
	u32 i;

	for (i = 0; i < prog->n; i++) {
		const struct sock_filter *f = &prog->code[i];
		u32 b = BPF_SRC(f->code) == BPF_X ? r.x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_LD: case BPF_LDX:
			if (!load_insn(s, f, &r))
				return 0;
			break;
		case BPF_ST:
			r.mem[f->k] = r.a;
			break;
		case BPF_STX:
			r.mem[f->k] = r.x;
			break;
		case BPF_ALU:
			if (!alu(f->code, &r.a, b))
				return 0;
			break;
		case BPF_JMP:
			if (f->code == (BPF_JMP | BPF_JA))
				i += f->k;
			else
				i += jump(f, r.a, b) ? f->jt : f->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? r.a : f->k;
		default:
			if (BPF_MISCOP(f->code) == BPF_TAX)
				r.x = r.a;
			else
				r.a = r.x;
		}
	}
	return 0;
}

u32 filter_run(const struct ep *e, const struct pktbuf *p)
{
	return e->filter ? run(e->filter, &(struct seen){ .e = e, .p = p, .len = p->len }) : UINT32_MAX;
}

u32 net_filter_run(const struct filter *f, const void *p, u32 len)
{
	return run(f, &(struct seen){ .bytes = p, .len = len });
}

u32 filter_run_for(const struct filter *f, const struct ep *e, const struct pktbuf *p)
{
	return run(f, &(struct seen){ .e = e, .p = p, .len = p->len });
}
