/*
 * seccomp.h - linux.seccomp of config.json, and as a program.
 */
#pragma once
#include "runsc-cli/oci/json.h"

struct sock_filter;

#define OCI_SECCOMP_NONE (~0u)          /* no errnoRet was given */

struct oci_sc_arg { u32 index; u64 value, value_two; const char *op; };
struct oci_sc_rule {
	const char **names;
	u32 nnames, action, errno_ret;          /* action: SCMP_ACT_*, without the errno */
	struct oci_sc_arg *args;
	u32 nargs;
};
struct oci_seccomp {
	u32 action, errno_ret;
	struct oci_sc_rule *rules;
	u32 nrules;
};

/* The object at @lin: 1 found (*ret from the document's pool), 0 absent, -errno. */
int parse_seccomp(const struct jnode *lin, struct oci_seccomp **ret) must_check;
/*
 * As runc has it made by libseccomp, for x86-64 alone: *ret (kfree) and its length.
 * 0 or -errno with the error set.
 */
int seccomp_compile(const struct oci_seccomp *s, struct sock_filter **ret, u32 *ret_n, struct err *err) must_check;
