/*
 * sys_session.c - process groups and sessions.
 */
#include <errno.h>

#include "sentry/kernel/session.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

long sys_setsid(struct task *t, const struct sysargs *a unused_ok)
{
	return session_setsid(t);
}

long sys_setpgid(struct task *t, const struct sysargs *a)
{
	return session_setpgid(t, arg_s32(a, 0), arg_s32(a, 1));
}

long sys_getpgid(struct task *t, const struct sysargs *a)
{
	return session_id_of(t, arg_s32(a, 0), false);
}

long sys_getpgrp(struct task *t, const struct sysargs *a unused_ok)
{
	return session_id_of(t, 0, false);
}

long sys_getsid(struct task *t, const struct sysargs *a)
{
	return session_id_of(t, arg_s32(a, 0), true);
}
