/*
 * ptrace_regs.h - what a tracer reads and writes of a stopped tracee; -ESRCH if it is not stopped.
 */
#pragma once
#include "sentry/kernel/ptrace.h"

/*
 * Of @x itself, which has a frame: in the layout of NT_X86_XSTATE, where the features stand first in the software's bytes.
 * @cap: platform_fp_size(). Its length, or -errno.
 */
long task_fetch_fp(struct task *x, u8 *buf, size_t cap) must_check;
long ptrace_get_regs(struct task *t, struct task *x, struct user_regs *ret) must_check;
long ptrace_set_regs(struct task *t, struct task *x, const struct user_regs *r) must_check;
/* Register sets by NT_*: bytes, -EINVAL. */
long ptrace_get_set(struct task *t, struct task *x, u32 type, void *buf, size_t cap) must_check;
long ptrace_set_set(struct task *t, struct task *x, u32 type, void *buf, size_t n) must_check;
long ptrace_poke(struct task *t, struct task *x, u64 addr, u64 word) must_check;
/* Bytes of any pages but shared ones; -EIO. */
long ptrace_poke_bytes(struct task *t, struct task *x, u64 addr, void *buf, size_t n) must_check;
long ptrace_peek_user(struct task *t, struct task *x, u64 off, u64 *ret) must_check;
long ptrace_poke_user(struct task *t, struct task *x, u64 off, u64 word) must_check;
