/*
 * sys_seccomp.c - seccomp(2): the guest's own filters.
 */
#include <errno.h>
#include <linux/seccomp.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

static long action_available(struct task *t, gaddr_t addr)
{
	u32 action;

	if (copy_in(t, &action, addr, sizeof(action)) < 0)
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	}
	return -EOPNOTSUPP;
}

static long notif_sizes(struct task *t, gaddr_t addr)
{
	struct seccomp_notif_sizes s = {
		.seccomp_notif = sizeof(struct seccomp_notif),
		.seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
		.seccomp_data = sizeof(struct seccomp_data),
	};

	return copy_out(t, addr, &s, sizeof(s));
}

long sys_seccomp(struct task *t, const struct sysargs *a)
{
	u32 op = arg_u32(a, 0), flags = arg_u32(a, 1);
	gaddr_t arg = arg_addr(a, 2);

	switch (op) {
	case SECCOMP_SET_MODE_STRICT:
		return flags || arg.v ? -EINVAL : seccomp_set_strict(t);
	case SECCOMP_SET_MODE_FILTER:
		return seccomp_set_filter(t, flags, arg);
	case SECCOMP_GET_ACTION_AVAIL:
		return flags ? -EINVAL : action_available(t, arg);
	case SECCOMP_GET_NOTIF_SIZES:
		return flags ? -EINVAL : notif_sizes(t, arg);
	}
	return -EINVAL;
}
