/*
 * regs.h - the general registers of an application thread.
 *
 * Order and meaning are Linux's struct user_regs_struct (ptrace, core files).
 * orig_ax is the call number while a call is in progress, else -1.
 */
#pragma once
#include "platform/base/compiler.h"

struct user_regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	u64 ax, cx, dx, si, di, orig_ax;
	u64 ip, cs, flags, sp, ss;
	u64 fs_base, gs_base;
	u64 ds, es, fs, gs;
};

/* FLAGS bits that a signal frame may choose (Linux: FIX_EFLAGS). */
#define X86_FLAGS_USER 0x50dd5ull
