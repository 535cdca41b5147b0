/*
 * sys_xattr.c - the twelve calls of xattr(7): by name, by link, by descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/vfs.h"

#define NAME_MAX_X 255
#define VALUE_MAX  65536u

/* Which object argument 0 names. */
enum by { BY_NAME, BY_LINK, BY_FD };

static int find_object(struct task *t, const struct sysargs *a, enum by by, struct path *ret)
{
	char name[PATH_MAX] no_init;
	int r;

	if (by == BY_FD) {
		auto_file *f = fd_get(t, arg_fd(a, 0));

		if (!f)
			return -EBADF;
		if (!f->path.dentry)
			return -EOPNOTSUPP;
		*ret = f->path;
		path_get(ret);
		return 0;
	}
	r = path_arg(t, a, 0, name);
	return r < 0 ? r : vfs_lookup(t, AT_FDCWD, name, by == BY_NAME ? LOOKUP_FOLLOW : 0, ret);
}

static int name_arg(struct task *t, const struct sysargs *a, char buf[NAME_MAX_X + 1])
{
	ssize_t n = copy_in_str(t, buf, arg_addr(a, 1), NAME_MAX_X + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static long do_set(struct task *t, const struct sysargs *a, enum by by)
{
	char name[NAME_MAX_X + 1];
	auto_kfree void *value = NULL;
	auto_path p = { 0 };
	size_t n = arg_size(a, 3);
	int r;

	if (arg_u32(a, 4) & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	r = name_arg(t, a, name);
	if (r < 0)
		return r;
	if (n > VALUE_MAX)
		return -E2BIG;
	value = kbuf_alloc(MAX(n, 1));
	if (!value)
		return -ENOMEM;
	r = n ? copy_in(t, value, arg_addr(a, 2), n) : 0;
	if (r == 0)
		r = find_object(t, a, by, &p);
	return r < 0 ? r : vfs_setxattr(t, &p, name, value, n, arg_s32(a, 4));
}

static long do_get(struct task *t, const struct sysargs *a, enum by by)
{
	char name[NAME_MAX_X + 1];
	auto_kfree void *value = NULL;
	auto_path p = { 0 };
	size_t cap = MIN(arg_size(a, 3), (size_t)VALUE_MAX);
	ssize_t n;
	int r = name_arg(t, a, name);

	if (r == 0)
		r = find_object(t, a, by, &p);
	if (r < 0)
		return r;
	value = kbuf_alloc(MAX(cap, 1));
	if (!value)
		return -ENOMEM;
	n = vfs_getxattr(t, &p, name, value, cap);
	if (n > 0 && cap > 0)
		r = copy_out(t, arg_addr(a, 2), value, (size_t)n);
	return r < 0 ? r : n;
}

static long do_list(struct task *t, const struct sysargs *a, enum by by)
{
	auto_kfree char *list = NULL;
	auto_path p = { 0 };
	size_t cap = MIN(arg_size(a, 2), (size_t)VALUE_MAX);
	ssize_t n;
	int r = find_object(t, a, by, &p);

	if (r < 0)
		return r;
	list = kbuf_alloc(MAX(cap, 1));
	if (!list)
		return -ENOMEM;
	n = vfs_listxattr(t, &p, list, cap);
	if (n > 0 && cap > 0)
		r = copy_out(t, arg_addr(a, 1), list, (size_t)n);
	return r < 0 ? r : n;
}

static long do_remove(struct task *t, const struct sysargs *a, enum by by)
{
	char name[NAME_MAX_X + 1];
	auto_path p = { 0 };
	int r = name_arg(t, a, name);

	if (r == 0)
		r = find_object(t, a, by, &p);
	return r < 0 ? r : vfs_removexattr(t, &p, name);
}

long sys_setxattr(struct task *t, const struct sysargs *a) { return do_set(t, a, BY_NAME); }
long sys_lsetxattr(struct task *t, const struct sysargs *a) { return do_set(t, a, BY_LINK); }
long sys_fsetxattr(struct task *t, const struct sysargs *a) { return do_set(t, a, BY_FD); }
long sys_getxattr(struct task *t, const struct sysargs *a) { return do_get(t, a, BY_NAME); }
long sys_lgetxattr(struct task *t, const struct sysargs *a) { return do_get(t, a, BY_LINK); }
long sys_fgetxattr(struct task *t, const struct sysargs *a) { return do_get(t, a, BY_FD); }
long sys_listxattr(struct task *t, const struct sysargs *a) { return do_list(t, a, BY_NAME); }
long sys_llistxattr(struct task *t, const struct sysargs *a) { return do_list(t, a, BY_LINK); }
long sys_flistxattr(struct task *t, const struct sysargs *a) { return do_list(t, a, BY_FD); }
long sys_removexattr(struct task *t, const struct sysargs *a) { return do_remove(t, a, BY_NAME); }
long sys_lremovexattr(struct task *t, const struct sysargs *a) { return do_remove(t, a, BY_LINK); }
long sys_fremovexattr(struct task *t, const struct sysargs *a) { return do_remove(t, a, BY_FD); }
