/*
 * insn.h - how long is an x86-64 instruction?  Enough of an answer for compiled code around system calls.
 */
#pragma once
#include "platform/base/compiler.h"

/* Length of the instruction at @p, of which @n bytes can be read; 0: unknown, or longer than that. */
u32 insn_length(const u8 *p, size_t n);
/* The same, if it is one that does nothing (nop of any length, or int3 as padding); else 0. */
u32 insn_padding(const u8 *p, size_t n);
