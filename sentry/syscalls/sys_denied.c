/*
 * sys_denied.c - calls that nobody in a sandbox may make, whatever capabilities he has there.
 *
 * They change the machine (modules, kexec, swap, ports), not the sandbox; the answer is
 * that of Linux to those who may not, which programs expect in a container.
 */
#include <errno.h>
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

long sys_eperm(struct task *t unused_ok, const struct sysargs *a unused_ok)
{
	return -EPERM;
}

/* Port numbers and levels are checked first, as Linux does. */
long sys_ioperm(struct task *t unused_ok, const struct sysargs *a)
{
	u64 from = arg_u64(a, 0), n = arg_u64(a, 1), end;

	return add_overflows(from, n, &end) || n == 0 || end > 65536 ? -EINVAL : -EPERM;
}

long sys_iopl(struct task *t unused_ok, const struct sysargs *a)
{
	return arg_u32(a, 0) > 3 ? -EINVAL : arg_u32(a, 0) == 0 ? 0 : -EPERM;
}

/* As with kernel.perf_event_paranoid = 3. */
long sys_perf_event_open(struct task *t unused_ok, const struct sysargs *a unused_ok)
{
	return -EACCES;
}
