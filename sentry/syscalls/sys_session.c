/*
 * sys_session.c - process groups and sessions.
 */
#include <errno.h>
#include <linux/capability.h>

#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/session.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

/* A number that means nothing here finds nobody, but 0 would be the caller. */
static int pid_arg(struct task *t, int nr)
{
	int pid = pid_from_nr(t, nr);

	return nr > 0 && pid == 0 ? INT32_MAX : pid;
}

static long shown(struct task *t, int r)
{
	return r < 0 ? r : pid_nr(t, r);
}

/* Descriptors of the terminal stay open: whoever still uses it learns by SIGHUP. */
long sys_vhangup(struct task *t, const struct sysargs *a unused_ok)
{
	if (!capable(t, CAP_SYS_TTY_CONFIG))
		return -EPERM;
	session_vhangup(t);
	return 0;
}

long sys_setsid(struct task *t, const struct sysargs *a unused_ok)
{
	int r = session_setsid(t);

	return r < 0 ? r : pid_nr(t, r);
}

long sys_setpgid(struct task *t, const struct sysargs *a)
{
	int pid = arg_s32(a, 0), pgid = arg_s32(a, 1);

	/* Group 0 is that of the process's own number: a negative one, too. */
	if ((pgid ? pgid : pid) < 0)
		return -EINVAL;
	return session_setpgid(t, pid_arg(t, pid), pid_arg(t, pgid));
}

long sys_getpgid(struct task *t, const struct sysargs *a)
{
	return shown(t, session_id_of(t, pid_arg(t, arg_s32(a, 0)), false));
}

long sys_getpgrp(struct task *t, const struct sysargs *a unused_ok)
{
	return shown(t, session_id_of(t, 0, false));
}

long sys_getsid(struct task *t, const struct sysargs *a)
{
	return shown(t, session_id_of(t, pid_arg(t, arg_s32(a, 0)), true));
}
