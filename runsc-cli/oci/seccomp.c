/*
 * seccomp.c - a profile as the program that the guest's calls are judged by.
 *
 * libseccomp makes it, as for runc, so that rules mean what they mean there: a rule whose action is the default
 * one is left out; arguments must all hold, unless one is named twice, and then each stands alone; names that
 * x86-64 has not are skipped.  As runc does, a call newer than every one the profile names gives ENOSYS
 * instead of the default error, so that programs try an older one.
 */
#include "runsc-cli/oci/seccomp.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "platform/base/alloc.h"

static u32 with_errno(u32 action, u32 e)
{
	if (action == SCMP_ACT_ERRNO(0))
		return SCMP_ACT_ERRNO(e == OCI_SECCOMP_NONE ? EPERM : e);
	if (action == SCMP_ACT_TRACE(0))
		return SCMP_ACT_TRACE(e == OCI_SECCOMP_NONE ? EPERM : e);
	return action;
}

static struct scmp_arg_cmp cmp_of(const struct oci_sc_arg *a)
{
	static const struct { const char *name; enum scmp_compare op; } ops[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE }, { "SCMP_CMP_LT", SCMP_CMP_LT }, { "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ }, { "SCMP_CMP_GE", SCMP_CMP_GE }, { "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};
	struct scmp_arg_cmp c = { .arg = a->index, .op = SCMP_CMP_EQ, .datum_a = a->value, .datum_b = a->value_two };

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i].name, a->op) == 0)
			c.op = ops[i].op;
	return c;
}

static int add_rule(scmp_filter_ctx ctx, u32 action, int nr, const struct oci_sc_rule *rule)
{
	struct scmp_arg_cmp c[6];
	bool twice = false;
	int r = 0;

	for (u32 i = 0; i < rule->nargs; i++)
		for (u32 j = 0; j < i; j++)
			twice |= rule->args[i].index == rule->args[j].index;
	if (!twice) {
		for (u32 i = 0; i < rule->nargs; i++)
			c[i] = cmp_of(&rule->args[i]);
		return seccomp_rule_add_array(ctx, action, nr, rule->nargs, c);
	}
	for (u32 i = 0; i < rule->nargs && r == 0; i++) {
		c[0] = cmp_of(&rule->args[i]);
		r = seccomp_rule_add_array(ctx, action, nr, 1, c);
	}
	return r;
}

static int add_rules(scmp_filter_ctx ctx, const struct oci_seccomp *s, u32 def, int *ret_last, struct err *err)
{
	for (u32 i = 0; i < s->nrules; i++) {
		const struct oci_sc_rule *rule = &s->rules[i];
		u32 action = with_errno(rule->action, rule->errno_ret);

		for (u32 k = 0; k < rule->nnames; k++) {
			int nr = seccomp_syscall_resolve_name(rule->names[k]), r;

			if (nr < 0)
				continue;       /* another architecture's, or newer than libseccomp */
			*ret_last = MAX(*ret_last, nr);
			if (action == def)
				continue;
			r = add_rule(ctx, action, nr, rule);
			if (r < 0 && r != -EEXIST)
				return err_set(err, r, "linux.seccomp.syscalls[%u]: a rule for %s cannot be made: %s", i,
				               rule->names[k], strerror(-r));
		}
	}
	return 0;
}

static bool permissive(u32 action)
{
	return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG || action == SCMP_ACT_TRACE(0);
}

/* The program out of libseccomp, after room for @head instructions. */
static int export(scmp_filter_ctx ctx, u32 head, struct sock_filter **ret, u32 *ret_n)
{
	int fd = memfd_create("seccomp", MFD_CLOEXEC), r;
	off_t n;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	n = lseek(fd, 0, SEEK_END);
	if (r == 0 && (n <= 0 || (size_t)n % sizeof(**ret) || (size_t)n / sizeof(**ret) + head > BPF_MAXINSNS))
		r = -E2BIG;
	if (r == 0) {
		*ret = kbuf_array((size_t)n / sizeof(**ret) + head, sizeof(**ret));
		if (!*ret || pread(fd, *ret + head, (size_t)n, 0) != n)
			r = -ENOMEM;
	}
	close(fd);
	*ret_n = (u32)((size_t)n / sizeof(**ret)) + head;
	return r;
}

int seccomp_compile(const struct oci_seccomp *s, struct sock_filter **ret, u32 *ret_n, struct err *err)
{
	u32 def = with_errno(s->action, s->errno_ret), head = 0;
	scmp_filter_ctx ctx = seccomp_init(def);
	int last = -1, r;

	if (!ctx)
		return err_set(err, -EINVAL, "linux.seccomp: libseccomp does not take the default action");
	*ret = NULL;
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);       /* a binary tree: judged often */
	r = add_rules(ctx, s, def, &last, err);
	if (r == 0 && !permissive(s->action) && s->errno_ret != ENOSYS && last >= 0)
		head = 3;
	if (r == 0) {
		r = export(ctx, head, ret, ret_n);
		if (r < 0)
			(void)err_sys(err, r, "linux.seccomp: cannot make the program");
	}
	seccomp_release(ctx);
	if (r < 0) {
		kfree(*ret);
		return r;
	}
	if (head) {
		const struct sock_filter newer[3] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (u32)last, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		};

		memcpy(*ret, newer, sizeof(newer));
	}
	return 0;
}
