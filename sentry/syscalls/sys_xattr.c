/*
 * sys_xattr.c - the calls of xattr(7): by name, by link, by descriptor; and the four that take any of these (*at).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/vfs.h"

#define NAME_MAX_X 255
#define VALUE_MAX  65536u

/* struct xattr_args */
struct lx_xattr_args { u64 value; u32 size, flags; };

/* Which object a call is about: @path from @dirfd, or the descriptor @dirfd itself. */
struct object { int dirfd; bool fd; gaddr_t path; u32 look; };

static int find_object(struct task *t, const struct object *o, struct path *ret)
{
	char name[PATH_MAX] no_init;
	ssize_t n;

	if (o->fd) {
		auto_file *f = fd_get(t, o->dirfd);

		if (!f)
			return -EBADF;
		if (!f->path.dentry)
			return vfs_proxy_place(t, f, ret);
		*ret = f->path;
		path_get(ret);
		return 0;
	}
	n = copy_in_str(t, name, o->path, PATH_MAX);
	return n < 0 ? (int)n : vfs_lookup(t, o->dirfd, name, o->look, ret);
}

static int name_arg(struct task *t, gaddr_t from, char buf[NAME_MAX_X + 1])
{
	ssize_t n = copy_in_str(t, buf, from, NAME_MAX_X + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static long do_set(struct task *t, const struct object *o, gaddr_t name_at, gaddr_t from, size_t n, u32 flags)
{
	char name[NAME_MAX_X + 1];
	auto_kfree void *value = NULL;
	auto_path p = { 0 };
	int r;

	if (flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	r = name_arg(t, name_at, name);
	if (r < 0)
		return r;
	if (n > VALUE_MAX)
		return -E2BIG;
	value = kbuf_alloc(MAX(n, 1));
	if (!value)
		return -ENOMEM;
	r = n ? copy_in(t, value, from, n) : 0;
	if (r == 0)
		r = find_object(t, o, &p);
	return r < 0 ? r : vfs_setxattr(t, &p, name, value, n, (int)flags);
}

static long do_get(struct task *t, const struct object *o, gaddr_t name_at, gaddr_t to, size_t size)
{
	char name[NAME_MAX_X + 1];
	auto_kfree void *value = NULL;
	auto_path p = { 0 };
	size_t cap = MIN(size, (size_t)VALUE_MAX);
	ssize_t n;
	int r = name_arg(t, name_at, name);

	if (r == 0)
		r = find_object(t, o, &p);
	if (r < 0)
		return r;
	value = kbuf_alloc(MAX(cap, 1));
	if (!value)
		return -ENOMEM;
	n = vfs_getxattr(t, &p, name, value, cap);
	if (n > 0 && cap > 0)
		r = copy_out(t, to, value, (size_t)n);
	return r < 0 ? r : n;
}

static long do_list(struct task *t, const struct object *o, gaddr_t to, size_t size)
{
	auto_kfree char *list = NULL;
	auto_path p = { 0 };
	size_t cap = MIN(size, (size_t)VALUE_MAX);
	ssize_t n;
	int r = find_object(t, o, &p);

	if (r < 0)
		return r;
	list = kbuf_alloc(MAX(cap, 1));
	if (!list)
		return -ENOMEM;
	n = vfs_listxattr(t, &p, list, cap);
	if (n > 0 && cap > 0)
		r = copy_out(t, to, list, (size_t)n);
	return r < 0 ? r : n;
}

static long do_remove(struct task *t, const struct object *o, gaddr_t name_at)
{
	char name[NAME_MAX_X + 1];
	auto_path p = { 0 };
	int r = name_arg(t, name_at, name);

	if (r == 0)
		r = find_object(t, o, &p);
	return r < 0 ? r : vfs_removexattr(t, &p, name);
}

static struct object by_name(const struct sysargs *a)
{
	return (struct object){ .dirfd = AT_FDCWD, .path = arg_addr(a, 0), .look = LOOKUP_FOLLOW };
}

static struct object by_link(const struct sysargs *a)
{
	return (struct object){ .dirfd = AT_FDCWD, .path = arg_addr(a, 0) };
}

static struct object by_fd(const struct sysargs *a)
{
	return (struct object){ .dirfd = arg_fd(a, 0), .fd = true };
}

/* Arguments 0 to 2 of the *at calls. An empty name, or none, is the descriptor itself, if that is asked for. */
static int by_at(struct task *t, const struct sysargs *a, struct object *ret)
{
	u32 flags = arg_u32(a, 2);
	char first = 0;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	*ret = (struct object){ .dirfd = arg_fd(a, 0), .path = arg_addr(a, 1) };
	ret->look = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	if (!(flags & AT_EMPTY_PATH))
		return 0;
	if (ret->path.v && copy_in(t, &first, ret->path, 1) < 0)
		return -EFAULT;
	ret->fd = !first && ret->dirfd >= 0;
	return !ret->path.v && ret->dirfd < 0 ? -EFAULT : 0;
}

static int args_at(struct task *t, const struct sysargs *a, struct lx_xattr_args *ret)
{
	size_t n = arg_size(a, 5);

	if (n < sizeof(*ret))
		return -EINVAL;
	return n > PAGE_SIZE ? -E2BIG : copy_struct_in(t, ret, sizeof(*ret), arg_addr(a, 4), n);
}

long sys_setxattrat(struct task *t, const struct sysargs *a)
{
	struct lx_xattr_args x;
	struct object o;
	int r = args_at(t, a, &x);

	if (r == 0)
		r = by_at(t, a, &o);
	return r < 0 ? r : do_set(t, &o, arg_addr(a, 3), GADDR(x.value), x.size, x.flags);
}

long sys_getxattrat(struct task *t, const struct sysargs *a)
{
	struct lx_xattr_args x;
	struct object o;
	int r = args_at(t, a, &x);

	if (r == 0 && x.flags)
		r = -EINVAL;
	if (r == 0)
		r = by_at(t, a, &o);
	return r < 0 ? r : do_get(t, &o, arg_addr(a, 3), GADDR(x.value), x.size);
}

long sys_listxattrat(struct task *t, const struct sysargs *a)
{
	struct object o;
	int r = by_at(t, a, &o);

	return r < 0 ? r : do_list(t, &o, arg_addr(a, 3), arg_size(a, 4));
}

long sys_removexattrat(struct task *t, const struct sysargs *a)
{
	struct object o;
	int r = by_at(t, a, &o);

	return r < 0 ? r : do_remove(t, &o, arg_addr(a, 3));
}

long sys_setxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_name(a);

	return do_set(t, &o, arg_addr(a, 1), arg_addr(a, 2), arg_size(a, 3), arg_u32(a, 4));
}

long sys_getxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_name(a);

	return do_get(t, &o, arg_addr(a, 1), arg_addr(a, 2), arg_size(a, 3));
}

long sys_listxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_name(a);

	return do_list(t, &o, arg_addr(a, 1), arg_size(a, 2));
}

long sys_removexattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_name(a);

	return do_remove(t, &o, arg_addr(a, 1));
}

long sys_lsetxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_link(a);

	return do_set(t, &o, arg_addr(a, 1), arg_addr(a, 2), arg_size(a, 3), arg_u32(a, 4));
}

long sys_lgetxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_link(a);

	return do_get(t, &o, arg_addr(a, 1), arg_addr(a, 2), arg_size(a, 3));
}

long sys_llistxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_link(a);

	return do_list(t, &o, arg_addr(a, 1), arg_size(a, 2));
}

long sys_lremovexattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_link(a);

	return do_remove(t, &o, arg_addr(a, 1));
}

long sys_fsetxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_fd(a);

	return do_set(t, &o, arg_addr(a, 1), arg_addr(a, 2), arg_size(a, 3), arg_u32(a, 4));
}

long sys_fgetxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_fd(a);

	return do_get(t, &o, arg_addr(a, 1), arg_addr(a, 2), arg_size(a, 3));
}

long sys_flistxattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_fd(a);

	return do_list(t, &o, arg_addr(a, 1), arg_size(a, 2));
}

long sys_fremovexattr(struct task *t, const struct sysargs *a)
{
	struct object o = by_fd(a);

	return do_remove(t, &o, arg_addr(a, 1));
}
