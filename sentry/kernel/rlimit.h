/*
 * rlimit.h - resource limits of a process (getrlimit(2)).
 */
#pragma once
#include "platform/base/compiler.h"

struct task;
struct tgroup;
struct rlimit64_g;

/*
 * Read *ret_old and, if @lim, set.  -EINVAL: no such resource, or soft above
 * hard; -EPERM: raising the hard limit without CAP_SYS_RESOURCE.
 */
int rlimit_change(struct task *by, struct tgroup *tg, u32 resource, const struct rlimit64_g *lim,
		  struct rlimit64_g *ret_old) must_check;
