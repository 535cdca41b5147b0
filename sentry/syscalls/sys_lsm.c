/*
 * sys_lsm.c - which security modules there are, and what they know of the caller: capabilities and landlock, which keep no labels.
 */
#include <errno.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"

#define LX_LSM_CAPABILITY 100
#define LX_LSM_LANDLOCK   110
#define LX_LSM_SINGLE     1u

struct lx_lsm_ctx { u64 id, flags, len, ctx_len; };

long sys_lsm_list_modules(struct task *t, const struct sysargs *a)
{
	static const u64 ids[] = { LX_LSM_CAPABILITY, LX_LSM_LANDLOCK };
	u32 have, need = sizeof(ids);

	if (arg_u32(a, 2))
		return -EINVAL;
	if (copy_in(t, &have, arg_addr(a, 1), sizeof(have)) < 0 || copy_out(t, arg_addr(a, 1), &need, sizeof(need)) < 0)
		return -EFAULT;
	if (have < need)
		return -E2BIG;
	return copy_out(t, arg_addr(a, 0), ids, need) < 0 ? -EFAULT : (long)ARRAY_SIZE(ids);
}

long sys_lsm_get_self_attr(struct task *t, const struct sysargs *a)
{
	struct lx_lsm_ctx c;
	u32 size, flags = arg_u32(a, 3);

	if (!arg_u32(a, 0) || !arg_addr(a, 2).v)
		return -EINVAL;
	if (copy_in(t, &size, arg_addr(a, 2), sizeof(size)) < 0)
		return -EFAULT;
	if (flags) {
		if (flags != LX_LSM_SINGLE || !arg_addr(a, 1).v)
			return -EINVAL;
		if (copy_in(t, &c, arg_addr(a, 1), sizeof(c)) < 0)
			return -EFAULT;
		if (!c.id)
			return -EINVAL;
	}
	size = 0;
	return copy_out(t, arg_addr(a, 2), &size, sizeof(size)) < 0 ? -EFAULT : -EOPNOTSUPP;
}

long sys_lsm_set_self_attr(struct task *t, const struct sysargs *a)
{
	u32 size = arg_u32(a, 2);
	struct lx_lsm_ctx c;

	if (arg_u32(a, 3) || size < sizeof(c))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_in(t, &c, arg_addr(a, 1), sizeof(c)) < 0)
		return -EFAULT;
	if (c.len > size || c.ctx_len > size - sizeof(c) || c.len < sizeof(c) + c.ctx_len)
		return -EINVAL;
	return -EOPNOTSUPP;
}
