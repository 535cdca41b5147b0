/*
 * patharg.h - path arguments, read into the caller's stack: no allocation.
 */
#pragma once
#include <errno.h>
#include <limits.h>
#include "sentry/core/usercopy.h"
#include "sentry/syscalls/syscall.h"

/* 0, -EFAULT or -ENAMETOOLONG. */
static inline int must_check path_arg(struct task *t, const struct sysargs *a, int i, char buf[PATH_MAX])
{
	ssize_t n = copy_in_str(t, buf, arg_addr(a, i), PATH_MAX);

	return n < 0 ? (int)n : 0;
}
