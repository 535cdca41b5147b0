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

/* As with kernel.perf_event_paranoid = 3. */
long sys_perf_event_open(struct task *t unused_ok, const struct sysargs *a unused_ok)
{
	return -EACCES;
}
