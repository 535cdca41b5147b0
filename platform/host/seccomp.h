/*
 * seccomp.h - a seccomp filter from a table of host calls.
 *
 * A row is one host call with at most three conditions that must all hold;
 * several rows for one call are alternatives.  Rows are tried in order, so frequent
 * calls come first.  Everything else raises SIGSYS in the caller (or the action given)
 * and is not executed; foreign architectures and x32 numbers kill the process.
 */
#pragma once
#include "platform/base/compiler.h"

enum hc_op {
	HC_EQ32,                /* the low half equals: for arguments that are an int to the kernel */
	HC_EQ,                  /* all 64 bits equal */
	HC_NOBITS,              /* no bit of the mask is set */
};

struct hc_cond { u8 arg, op; u64 val; };

struct hc_row {
	u32 nr;
	u32 nconds;
	struct hc_cond cond[3];
};

/* For tables: HC(name, ANY, "why"), HC(prctl, IF1(EQ32(0, PR_SET_NAME)), "why"). */
#define ANY                .nconds = 0
#define IF1(a)             .nconds = 1, .cond = { a }
#define IF2(a, b)          .nconds = 2, .cond = { a, b }
#define IF3(a, b, c)       .nconds = 3, .cond = { a, b, c }
#define EQ32(i, v)         { (i), HC_EQ32, (u32)(v) }
#define EQ(i, v)           { (i), HC_EQ, (v) }
#define NOBITS(i, m)       { (i), HC_NOBITS, (m) }

struct sock_filter;
#define HC_MAX_INSNS 1024
/* Instructions written to out[cap], or -E2BIG.  @deny: SECCOMP_RET_*. */
int hc_compile(const struct hc_row *rows, size_t n, u32 deny, struct sock_filter *out, size_t cap) must_check;
/* Compile and install on every thread of this process; no_new_privs must be set. 0 or -errno. */
int hc_install(const struct hc_row *rows, size_t n) must_check;
/* Distinct calls in a table: what the posture test publishes. */
size_t hc_count(const struct hc_row *rows, size_t n);
