/*
 * sys_prctl.c - prctl(2), arch_prctl(2), personality(2).
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <string.h>

#include "platform/arch/x86_64/regs.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#define LX_PR_SET_MDWE 65
#define LX_PR_GET_MDWE 66
#define LX_PR_GET_MEMORY_MERGE 68
#define ARCH_SET_GS_CODE 0x1001
#define ARCH_SET_FS_CODE 0x1002
#define ARCH_GET_FS_CODE 0x1003
#define ARCH_GET_GS_CODE 0x1004
#define ARCH_GET_CPUID_CODE 0x1011
#define ARCH_SET_CPUID_CODE 0x1012

static long set_name(struct task *t, gaddr_t addr)
{
	char name[16] = { 0 };
	ssize_t n = copy_in_str(t, name, addr, sizeof(name));

	/* A longer name is cut, not refused. */
	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	name[15] = '\0';
	task_set_comm(t, name);
	return 0;
}

static long set_dumpable(struct task *t, u64 v)
{
	if (v > 1)
		return -EINVAL;
	task_set_dumpable(t, v != 0);
	return 0;
}

/* Edit one field of the credentials: a private copy, published. */
static long edit_cred(struct task *t, void (*fn)(struct cred *c, u64 v), u64 v)
{
	struct cred *c = cred_dup(task_cred(t));

	if (!c)
		return -ENOMEM;
	fn(c, v);
	task_set_cred(t, c);
	return 0;
}

static void edit_drop_bound(struct cred *c, u64 cap) { c->cap_bnd &= ~(1ull << cap); }
static void edit_amb_raise(struct cred *c, u64 cap) { c->cap_amb |= 1ull << cap; }
static void edit_amb_lower(struct cred *c, u64 cap) { c->cap_amb &= ~(1ull << cap); }
static void edit_amb_clear(struct cred *c, u64 v unused_ok) { c->cap_amb = 0; }
static void edit_bits(struct cred *c, u64 v) { c->securebits = (u32)v; }

static long capbset(struct task *t, int op, u64 cap)
{
	if (op == PR_CAPBSET_READ)
		return cap > CAP_LAST_CAP ? -EINVAL : (long)(task_cred(t)->cap_bnd >> cap & 1);
	if (!self_capable(t, CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	return edit_cred(t, edit_drop_bound, cap);
}

static long ambient(struct task *t, u64 op, u64 cap, u64 arg4, u64 arg5)
{
	const struct cred *c = task_cred(t);

	if (arg4 || arg5)
		return -EINVAL;
	if (op == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : edit_cred(t, edit_amb_clear, 0);
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
		return (c->cap_amb >> cap) & 1;
	case PR_CAP_AMBIENT_LOWER:
		return edit_cred(t, edit_amb_lower, cap);
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->cap_prm >> cap & 1) || !(c->cap_inh >> cap & 1) ||
		    (c->securebits & SECBIT_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		return edit_cred(t, edit_amb_raise, cap);
	}
	return -EINVAL;
}

static long set_securebits(struct task *t, u64 v)
{
	u32 old = task_cred(t)->securebits;

	/* Locked bits stay, locks stay locked, unknown bits do not exist. */
	if (((old & SECURE_ALL_LOCKS) >> 1) & (old ^ v))
		return -EPERM;
	if ((old & SECURE_ALL_LOCKS & ~v) || (v & ~(u64)(SECURE_ALL_LOCKS | SECURE_ALL_BITS)))
		return -EPERM;
	if (!self_capable(t, CAP_SETPCAP))
		return -EPERM;
	return edit_cred(t, edit_bits, v);
}

static long set_keepcaps(struct task *t, u64 v)
{
	u32 bits = task_cred(t)->securebits;

	if (v > 1)
		return -EINVAL;
	if (bits & SECBIT_KEEP_CAPS_LOCKED)
		return -EPERM;
	return edit_cred(t, edit_bits, v ? bits | SECBIT_KEEP_CAPS : bits & ~(u32)SECBIT_KEEP_CAPS);
}

static long put_int(struct task *t, gaddr_t addr, s32 v)
{
	return copy_out(t, addr, &v, sizeof(v));
}

static long set_seccomp(struct task *t, u64 mode, u64 prog)
{
	if (mode == SECCOMP_MODE_STRICT)
		return seccomp_set_strict(t);
	if (mode == SECCOMP_MODE_FILTER)
		return seccomp_set_filter(t, 0, GADDR(prog));
	return -EINVAL;
}

/* A name for anonymous memory is only shown in /proc/PID/maps: checked, not kept. */
static long set_vma_name(struct task *t, const u64 *v)
{
	char name[80];
	ssize_t n;

	if (v[1] != PR_SET_VMA_ANON_NAME || (v[2] & ~PAGE_MASK))
		return -EINVAL;
	if (!v[4])
		return 0;
	n = copy_in_str(t, name, GADDR(v[4]), sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	for (ssize_t i = 0; i < n; i++)
		if (name[i] < 0x20 || name[i] > 0x7e || strchr("\\`$[]", name[i]))
			return -EINVAL;
	return 0;
}

static long credential_ops(struct task *t, int op, const u64 *v)
{
	switch (op) {
	case PR_SET_NO_NEW_PRIVS:
		if (v[1] != 1 || v[2] || v[3] || v[4])
			return -EINVAL;
		t->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return v[1] || v[2] || v[3] || v[4] ? -EINVAL : t->no_new_privs;
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return capbset(t, op, v[1]);
	case PR_CAP_AMBIENT:
		return ambient(t, v[1], v[2], v[3], v[4]);
	case PR_SET_SECUREBITS:
		return set_securebits(t, v[1]);
	case PR_GET_SECUREBITS:
		return task_cred(t)->securebits;
	case PR_SET_KEEPCAPS:
		return set_keepcaps(t, v[1]);
	case PR_GET_KEEPCAPS:
		return (task_cred(t)->securebits & SECBIT_KEEP_CAPS) != 0;
	case PR_SET_SECCOMP:
		return set_seccomp(t, v[1], v[2]);
	case PR_GET_SECCOMP:
		return t->seccomp_mode;
	}
	return -EINVAL;
}

static long set_mdwe(struct task *t, const u64 *v)
{
	if (v[2] || v[3] || v[4] || (v[1] & ~(u64)(MDWE_REFUSE_GAIN | MDWE_NO_INHERIT)) || v[1] == MDWE_NO_INHERIT)
		return -EINVAL;
	return mm_set_mdwe(t->mm, (u32)v[1]);
}

static long process_ops(struct task *t, int op, const u64 *v)
{
	switch (op) {
	case PR_SET_NAME:
		return set_name(t, GADDR(v[1]));
	case PR_GET_NAME:
		return copy_out(t, GADDR(v[1]), t->comm, sizeof(t->comm));
	case PR_SET_DUMPABLE:
		return set_dumpable(t, v[1]);
	case PR_GET_DUMPABLE:
		return t->tg->dumpable;
	case PR_SET_PDEATHSIG:
		if (v[1] > NSIG_GUEST)
			return -EINVAL;
		t->pdeath_signal = (int)v[1];
		return 0;
	case PR_GET_PDEATHSIG:
		return put_int(t, GADDR(v[1]), t->pdeath_signal);
	case PR_SET_CHILD_SUBREAPER:
		tgroup_set_subreaper(t->tg, v[1] != 0);
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_int(t, GADDR(v[1]), t->tg->is_subreaper);
	case PR_SET_TIMERSLACK:
		t->timer_slack = (long)v[1] <= 0 ? atomic_load(&t->timer_slack_def) : v[1];
		return 0;
	case PR_GET_TIMERSLACK:
		return (long)MIN(atomic_load(&t->timer_slack), (u64)INT64_MAX);
	case PR_SET_MM:
		return task_set_mm(t, v[1], v[2]);
	case PR_SET_VMA:
		return set_vma_name(t, v);
	case PR_GET_TID_ADDRESS:
		return copy_out(t, GADDR(v[1]), &t->clear_child_tid.v, 8);
	case LX_PR_SET_MDWE:
		return set_mdwe(t, v);
	case LX_PR_GET_MDWE:
		return v[1] || v[2] || v[3] || v[4] ? -EINVAL : (long)mm_mdwe(t->mm);
	}
	return -EINVAL;
}

/* Switches whose effect is on the host's side or has no use here: the default is told and kept. */
static long fixed_ops(struct task *t, int op, const u64 *v)
{
	switch (op) {
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return v[1] == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_TSC:
		return put_int(t, GADDR(v[1]), PR_TSC_ENABLE);
	case PR_SET_TSC:
		return v[1] == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_UNALIGN:
	case PR_SET_UNALIGN:
	case PR_GET_FPEMU:
	case PR_GET_FPEXC:
	case PR_GET_ENDIAN:
		return -EINVAL;
	case PR_MCE_KILL_GET:
		return v[1] || v[2] || v[3] || v[4] ? -EINVAL : PR_MCE_KILL_DEFAULT;
	case PR_MCE_KILL:
		return v[1] > PR_MCE_KILL_SET || v[3] || v[4] || (v[1] == PR_MCE_KILL_CLEAR && v[2]) || v[2] > PR_MCE_KILL_DEFAULT ?
			-EINVAL : 0;
	case PR_GET_THP_DISABLE:
		return v[1] || v[2] || v[3] || v[4] ? -EINVAL : 0;
	case PR_SET_THP_DISABLE:
		return v[2] || v[3] || v[4] ? -EINVAL : 0;
	case PR_SET_PTRACER:
		return 0;
	case PR_GET_SPECULATION_CTRL:
		return v[2] || v[3] || v[4] ? -EINVAL : v[1] > PR_SPEC_L1D_FLUSH ? -ENODEV : -EINVAL;
	case PR_SET_SYSCALL_USER_DISPATCH:
		return v[1] == 0 && !v[2] && !v[3] && !v[4] ? 0 : -EINVAL;
	case LX_PR_GET_MEMORY_MERGE:
		return v[1] || v[2] || v[3] || v[4] ? -EINVAL : 0;
	case PR_GET_IO_FLUSHER:
		return capable(t, CAP_SYS_RESOURCE) ? 0 : -EPERM;
	}
	return -EINVAL;
}

long sys_prctl(struct task *t, const struct sysargs *a)
{
	int op = arg_s32(a, 0);

	switch (op) {
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
	case PR_SET_SECUREBITS:
	case PR_GET_SECUREBITS:
	case PR_SET_KEEPCAPS:
	case PR_GET_KEEPCAPS:
	case PR_SET_SECCOMP:
	case PR_GET_SECCOMP:
		return credential_ops(t, op, a->v);
	case PR_SET_NAME:
	case PR_GET_NAME:
	case PR_SET_DUMPABLE:
	case PR_GET_DUMPABLE:
	case PR_SET_PDEATHSIG:
	case PR_GET_PDEATHSIG:
	case PR_SET_CHILD_SUBREAPER:
	case PR_GET_CHILD_SUBREAPER:
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
	case PR_SET_MM:
	case PR_SET_VMA:
	case PR_GET_TID_ADDRESS:
	case LX_PR_SET_MDWE:
	case LX_PR_GET_MDWE:
		return process_ops(t, op, a->v);
	}
	return fixed_ops(t, op, a->v);
}

/* Base registers are set natively where the platform can; others come here with a frame. */
static long set_base(struct task *t, u64 code, u64 addr)
{
	struct user_regs r;
	int err;

	if (!task_has_frame(t))
		return -EINVAL;
	if (addr >> 47)
		return -EPERM;
	err = task_get_regs(t, &r);
	if (err < 0)
		return err;
	if (code == ARCH_SET_FS_CODE)
		r.fs_base = addr;
	else
		r.gs_base = addr;
	return task_set_regs(t, &r);
}

static long get_base(struct task *t, u64 code, gaddr_t addr)
{
	struct user_regs r;

	if (!task_has_frame(t) || task_get_regs(t, &r) < 0)
		return -EINVAL;
	return copy_out(t, addr, code == ARCH_GET_FS_CODE ? &r.fs_base : &r.gs_base, 8);
}

long sys_arch_prctl(struct task *t, const struct sysargs *a)
{
	switch (arg_u32(a, 0)) {
	case ARCH_SET_FS_CODE:
	case ARCH_SET_GS_CODE:
		return set_base(t, arg_u32(a, 0), arg_u64(a, 1));
	case ARCH_GET_FS_CODE:
	case ARCH_GET_GS_CODE:
		return get_base(t, arg_u32(a, 0), arg_addr(a, 1));
	case ARCH_GET_CPUID_CODE:
		return 1;
	case ARCH_SET_CPUID_CODE:
		return -ENODEV;
	}
	return -EINVAL;
}

long sys_personality(struct task *t, const struct sysargs *a)
{
	u32 old = t->personality, p = arg_u32(a, 0);

	if (p != 0xffffffff)
		t->personality = p;
	return old;
}
