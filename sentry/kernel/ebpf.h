/*
 * ebpf.h - extended BPF (RFC 9669) as far as programs of control groups for devices need it: a checker and an interpreter.
 *
 * A program reads a small context and computes; it has no stack, maps or calls, and jumps forward only.
 */
#pragma once
#include "platform/base/compiler.h"

struct bpf_insn;

/* What such a program is asked about: struct bpf_cgroup_dev_ctx. */
struct ebpf_dev_ctx { u32 access_type, major, minor; };

/*
 * 0, or as Linux's verifier: -EINVAL (an instruction that is unknown, cannot be reached, or leaves the program), -EACCES (a
 * register without a value, a context that is not read as it is).  What Linux would take and this does not is -EINVAL, too.
 * @reads: it may read the context.
 */
int ebpf_check(const struct bpf_insn *p, u32 n, bool reads) must_check;
/* R0 of a checked program, which always ends. */
u64 ebpf_run(const struct bpf_insn *p, const struct ebpf_dev_ctx *ctx);
