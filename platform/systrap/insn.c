/*
 * insn.c - lengths of instructions (Intel SDM volume 2, appendix A; 64-bit mode only).
 *
 * What is rare in compiled code (x87, VEX, privileged, string I/O) is unknown, which
 * ends the search of who asks.  No memory beyond p[0..n) is read.
 */
#include "platform/systrap/insn.h"

enum { NONE = 0, MODRM = 1, IMM8 = 2, IMMZ = 4, IMM16 = 8, IMMV = 16, BAD = 32 };

struct insn {
	const u8 *p;
	size_t n, at;
	bool wide, opsize;
};

static u32 one_byte(u8 op)
{
	if (op < 0x40)
		return (op & 7) < 4 ? MODRM : (op & 7) == 4 ? IMM8 : (op & 7) == 5 ? IMMZ : BAD;
	if (op >= 0x50 && op <= 0x5f)
		return NONE;
	if ((op >= 0x70 && op <= 0x7f) || (op >= 0xb0 && op <= 0xb7) || (op >= 0xe0 && op <= 0xe3))
		return IMM8;
	if (op >= 0xb8 && op <= 0xbf)
		return IMMV;
	if ((op >= 0x84 && op <= 0x8b) || (op >= 0xd0 && op <= 0xd3))
		return MODRM;
	if ((op >= 0x90 && op <= 0x99) || (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf))
		return NONE;
	switch (op) {
	case 0x63: case 0x8d: case 0x8f: case 0xf6: case 0xf7: case 0xfe: case 0xff:
		return MODRM;
	case 0x68: case 0xa9: case 0xe8: case 0xe9:
		return IMMZ;
	case 0x69: case 0x81: case 0xc7:
		return MODRM | IMMZ;
	case 0x6a: case 0xa8: case 0xeb:
		return IMM8;
	case 0x6b: case 0x80: case 0x83: case 0xc0: case 0xc1: case 0xc6:
		return MODRM | IMM8;
	case 0xc2:
		return IMM16;
	case 0xc3: case 0xc9: case 0xcc:
		return NONE;
	}
	return BAD;
}

static u32 two_byte(u8 op)
{
	if (op >= 0x80 && op <= 0x8f)
		return IMMZ;
	if (op == 0x05 || op == 0x0b || op == 0xa2 || (op >= 0xc8 && op <= 0xcf))
		return NONE;
	if (op == 0x70 || op == 0xba || op == 0xc6 || op == 0xa4 || op == 0xac)
		return MODRM | IMM8;
	if ((op >= 0x10 && op <= 0x1f) || (op >= 0x28 && op <= 0x2f) || (op >= 0x40 && op <= 0x76) ||
	    (op >= 0x90 && op <= 0x9f) || (op >= 0xd0 && op <= 0xfe))
		return MODRM;
	switch (op) {
	case 0x7e: case 0x7f: case 0xa3: case 0xab: case 0xae: case 0xaf: case 0xb0: case 0xb1:
	case 0xb3: case 0xb6: case 0xb7: case 0xb8: case 0xbb: case 0xbc: case 0xbd: case 0xbe:
	case 0xbf: case 0xc0: case 0xc1:
		return MODRM;
	}
	return BAD;
}

static void modrm(struct insn *i)
{
	u8 m = i->at < i->n ? i->p[i->at] : 0, mod = m >> 6, rm = m & 7;

	i->at++;
	if (mod == 3)
		return;
	if (rm == 4) {
		u8 sib = i->at < i->n ? i->p[i->at] : 0;

		i->at++;
		if (mod == 0 && (sib & 7) == 5)
			i->at += 4;
	} else if (rm == 5 && mod == 0) {
		i->at += 4;
	}
	i->at += mod == 1 ? 1 : mod == 2 ? 4 : 0;
}

static bool prefix(u8 b)
{
	return b == 0x66 || b == 0xf2 || b == 0xf3 || b == 0x2e || b == 0x3e || b == 0x26 || b == 0x36 ||
	       b == 0x64 || b == 0x65 || b == 0xf0;
}

/* Past the prefixes; i->at is at the opcode. */
static void prefixes(struct insn *i)
{
	while (i->at < i->n && prefix(i->p[i->at]))
		i->opsize |= i->p[i->at++] == 0x66;
	if (i->at < i->n && (i->p[i->at] & 0xf0) == 0x40)
		i->wide = i->p[i->at++] & 8;
}

u32 insn_length(const u8 *p, size_t n)
{
	struct insn i = { .p = p, .n = n };
	u32 kind;
	u8 op;

	prefixes(&i);
	if (i.at + 2 > n)
		return i.at < n && one_byte(p[i.at]) == NONE ? (u32)i.at + 1 : 0;
	op = p[i.at++];
	kind = op == 0x0f ? two_byte(p[i.at++]) : one_byte(op);
	if (kind & BAD)
		return 0;
	/* test is the one of its group that has an immediate */
	if ((op == 0xf6 || op == 0xf7) && i.at < n && (p[i.at] >> 3 & 7) < 2)
		kind |= op == 0xf6 ? IMM8 : IMMZ;
	if (kind & MODRM)
		modrm(&i);
	if (kind & IMM8)
		i.at += 1;
	if (kind & IMM16)
		i.at += 2;
	if (kind & IMMZ)
		i.at += i.opsize && op != 0xe8 && op != 0xe9 ? 2 : 4;
	if (kind & IMMV)
		i.at += i.wide ? 8 : i.opsize ? 2 : 4;
	return i.at <= n && i.at <= 15 ? (u32)i.at : 0;
}

u32 insn_padding(const u8 *p, size_t n)
{
	struct insn i = { .p = p, .n = n };
	u32 len = insn_length(p, n);

	prefixes(&i);
	if (!len || i.at >= n)
		return 0;
	if (p[i.at] == 0x90 || (p[i.at] == 0xcc && i.at == 0))
		return len;
	return p[i.at] == 0x0f && i.at + 1 < n && p[i.at + 1] == 0x1f ? len : 0;
}
