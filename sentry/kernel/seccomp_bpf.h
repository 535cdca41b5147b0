/*
 * seccomp_bpf.h - classic BPF as seccomp(2) uses it: a checker and an interpreter.
 */
#pragma once
#include "platform/base/compiler.h"

struct sock_filter;
struct seccomp_data;

/* Only known instructions, forward jumps inside, loads inside seccomp_data, and a return at the end. */
bool bpf_check(const struct sock_filter *f, u32 n) must_check;
/* A checked program always ends. */
u32 bpf_run(const struct sock_filter *f, u32 n, const struct seccomp_data *d);
