/*
 * sys_landlock.c - landlock_create_ruleset, landlock_add_rule, landlock_restrict_self.
 */
#include <errno.h>
#include <linux/capability.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/vfs.h"

#define CREATE_VERSION 1u
#define CREATE_ERRATA  2u
enum { RULE_PATH = 1, RULE_PORT };

struct lx_ruleset { u64 fs, net, scoped; };
struct lx_beneath { u64 access; s32 fd; } __attribute__((packed));
struct lx_port { u64 access, port; };

static int attr_in(struct task *t, gaddr_t from, size_t n, struct lx_ruleset *ret)
{
	if (!from.v)
		return -EFAULT;
	if (n < sizeof(ret->fs))
		return -EINVAL;
	return n > PAGE_SIZE ? -E2BIG : copy_struct_in(t, ret, sizeof(*ret), from, n);
}

/* What there is, by flag. */
static long tell(const struct sysargs *a)
{
	if (arg_addr(a, 0).v || arg_size(a, 1))
		return -EINVAL;
	switch (arg_u32(a, 2)) {
	case CREATE_VERSION: return LANDLOCK_ABI;
	case CREATE_ERRATA: return LANDLOCK_ERRATA;
	default: return -EINVAL;
	}
}

long sys_landlock_create_ruleset(struct task *t, const struct sysargs *a)
{
	struct landlock_handled h;
	struct lx_ruleset x;
	auto_file *f = NULL;
	int r;

	if (arg_u32(a, 2))
		return tell(a);
	r = attr_in(t, arg_addr(a, 0), arg_size(a, 1), &x);
	if (r < 0)
		return r;
	if ((x.fs & ~(u64)LL_FS_ALL) || (x.net & ~(u64)LL_NET_ALL) || (x.scoped & ~(u64)LL_SCOPE_ALL))
		return -EINVAL;
	if (!x.fs && !x.net && !x.scoped)
		return -ENOMSG;
	h = (struct landlock_handled){ .fs = (u32)x.fs, .net = (u32)x.net, .scoped = (u32)x.scoped };
	r = landlock_set_new(t, &h, &f);
	return r < 0 ? r : fd_install(t, f, true);
}

static int set_arg(struct task *t, int fd, struct file **ret)
{
	auto_file *f = fd_get(t, fd);

	if (!f)
		return -EBADF;
	if (!is_landlock_set(f))
		return -EBADFD;
	*ret = f;
	f = NULL;
	return 0;
}

static long add_beneath(struct task *t, struct file *set, gaddr_t from)
{
	struct lx_beneath x;
	auto_file *f = NULL;

	if (copy_in(t, &x, from, sizeof(x)) < 0)
		return -EFAULT;
	if (!x.access)
		return -ENOMSG;
	if (x.access & ~(u64)landlock_handled(set).fs)
		return -EINVAL;
	f = fd_get_path(t, x.fd);
	if (!f)
		return -EBADF;
	if (!f->path.dentry)
		return -EBADFD;
	return landlock_add_path(set, &f->path, (u32)x.access);
}

static long add_port(struct task *t, struct file *set, gaddr_t from)
{
	struct lx_port x;

	if (copy_in(t, &x, from, sizeof(x)) < 0)
		return -EFAULT;
	if (!x.access)
		return -ENOMSG;
	if ((x.access & ~(u64)landlock_handled(set).net) || x.port > 65535)
		return -EINVAL;
	return landlock_add_port(set, (u16)x.port, (u32)x.access);
}

long sys_landlock_add_rule(struct task *t, const struct sysargs *a)
{
	auto_file *set = NULL;
	int r;

	if (arg_u32(a, 3))
		return -EINVAL;
	r = set_arg(t, arg_fd(a, 0), &set);
	if (r < 0)
		return r;
	switch (arg_s32(a, 1)) {
	case RULE_PATH:
		return add_beneath(t, set, arg_addr(a, 2));
	case RULE_PORT:
		return add_port(t, set, arg_addr(a, 2));
	}
	return -EINVAL;
}

long sys_landlock_restrict_self(struct task *t, const struct sysargs *a)
{
	auto_file *set = NULL;
	int r;

	if (!t->no_new_privs && !self_capable(t, CAP_SYS_ADMIN))
		return -EPERM;
	if (arg_u32(a, 1))
		return -EINVAL;
	r = set_arg(t, arg_fd(a, 0), &set);
	return r < 0 ? r : landlock_restrict(t, set);
}
