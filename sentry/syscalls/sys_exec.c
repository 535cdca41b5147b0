/*
 * sys_exec.c - execve and execveat: arguments out of the application's memory.
 *
 * All strings go into one growing buffer, with the limits of Linux: 128 KiB a
 * string, a quarter of the stack limit (at most 6 MiB) in all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/exec.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/vfs.h"

#define MAX_STRING (128u << 10)
#define MAX_TOTAL  (6u << 20)
#define PTR_CHUNK  64

struct arg_buf {
	char *p;
	size_t len, cap, limit;                 /* limit: strings and pointers together */
	u32 *off;                               /* of each string, argv's then envp's */
	size_t n, ncap;
};

static int grow(struct arg_buf *b, size_t want)
{
	size_t cap = MAX(b->cap * 2, want);
	char *p;

	if (want > b->limit)
		return -E2BIG;
	p = kbuf_realloc(b->p, cap);
	if (!p)
		return -ENOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

static int add_string(struct task *t, struct arg_buf *b, u64 addr)
{
	size_t room = 256;
	ssize_t n;
	int r;

	if (b->n == b->ncap) {
		u32 *off = kbuf_realloc(b->off, (b->ncap + 256) * sizeof(*off));

		if (!off)
			return -ENOMEM;
		b->off = off;
		b->ncap += 256;
	}
	for (;;) {
		if (b->cap - b->len < room) {
			r = grow(b, b->len + room);
			if (r < 0)
				return r;
		}
		room = MIN(b->cap - b->len, (size_t)MAX_STRING);
		n = copy_in_str(t, b->p + b->len, GADDR(addr), room);
		if (n != -ENAMETOOLONG)
			break;
		if (room >= MAX_STRING)
			return -E2BIG;
		room = MIN(room * 4, (size_t)MAX_STRING);
	}
	if (n < 0)
		return (int)n;
	b->off[b->n++] = (u32)b->len;
	b->len += (size_t)n + 1;
	if (b->len + b->n * sizeof(u64) > b->limit)
		return -E2BIG;
	return 0;
}

/* All strings of one vector. Their number, or -errno.  A null vector is an empty one. */
static int add_vector(struct task *t, struct arg_buf *b, gaddr_t vec)
{
	u64 ptr[PTR_CHUNK];
	int count = 0, r;

	while (vec.v) {
		size_t got = copy_in_some(t, ptr, vec, sizeof(ptr)) / sizeof(u64);

		if (got == 0)
			return -EFAULT;
		for (size_t i = 0; i < got; i++) {
			if (ptr[i] == 0)
				return count;
			r = add_string(t, b, ptr[i]);
			if (r < 0)
				return r;
			count++;
		}
		vec = gaddr_add(vec, got * sizeof(u64));
	}
	return 0;
}

static int read_args(struct task *t, struct arg_buf *b, gaddr_t argv, gaddr_t envp, struct exec_args *ret)
{
	int argc = add_vector(t, b, argv), envc;
	char **v;

	if (argc < 0)
		return argc;
	envc = add_vector(t, b, envp);
	if (envc < 0)
		return envc;
	v = kbuf_array((size_t)argc + (size_t)envc + 2, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (int i = 0; i < argc; i++)
		v[i] = b->p + b->off[i];
	for (int i = 0; i < envc; i++)
		v[argc + 1 + i] = b->p + b->off[argc + i];
	ret->argv = v;
	ret->argc = argc;
	ret->envp = v + argc + 1;
	ret->envc = envc;
	return 0;
}

static long do_exec(struct task *t, struct exec_args *x, gaddr_t argv, gaddr_t envp)
{
	u64 stack = task_rlimit(t, RLIMIT_STACK) / 4;
	struct arg_buf b = { .limit = MAX(MIN(stack, (u64)MAX_TOTAL), (u64)MAX_STRING) };
	int r = read_args(t, &b, argv, envp, x);

	if (r == 0)
		r = task_exec(t, x);
	kfree(x->argv);
	kfree(b.off);
	kfree(b.p);
	return r < 0 ? r : -ENOFRAME_RESULT;
}

long sys_execve(struct task *t, const struct sysargs *a)
{
	auto_kfree char *path = NULL;
	struct exec_args x = { 0 };
	int r = copy_in_path(t, arg_addr(a, 0), &path);

	if (r < 0)
		return r;
	x.path = path;
	return do_exec(t, &x, arg_addr(a, 1), arg_addr(a, 2));
}

/* The program that @dirfd and @path name, and under which name a script will see it. */
static int find_program(struct task *t, int dirfd, const char *path, u32 flags, struct file **ret,
			char *name, size_t cap)
{
	u32 lookup = (flags & AT_SYMLINK_NOFOLLOW) ? 0 : LOOKUP_FOLLOW;
	auto_path p = { 0 };
	int r;

	if (path[0] == '\0') {
		if (!(flags & AT_EMPTY_PATH))
			return -ENOENT;
		*ret = fd_get_path(t, dirfd);
		if (!*ret)
			return -EBADF;
		snprintf(name, cap, "/dev/fd/%d", dirfd);
		return 0;
	}
	r = vfs_lookup(t, dirfd, path, lookup, &p);
	if (r < 0)
		return r;
	if ((path_inode(&p)->mode & S_IFMT) == S_IFLNK)
		return -ELOOP;
	if (!S_ISREG(path_inode(&p)->mode))     /* opening a pipe would wait */
		return -EACCES;
	if (path[0] == '/' || dirfd == AT_FDCWD)
		snprintf(name, cap, "%s", path);
	else
		snprintf(name, cap, "/dev/fd/%d/%s", dirfd, path);
	return vfs_open_path(t, &p, O_RDONLY, true, ret);
}

long sys_execveat(struct task *t, const struct sysargs *a)
{
	auto_kfree char *path = NULL;
	auto_file *f = NULL;
	struct exec_args x = { 0 };
	char name[4096 + 32];
	u32 flags = arg_u32(a, 4);
	int dirfd = arg_fd(a, 0), r;

	if (flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	r = copy_in_path(t, arg_addr(a, 1), &path);
	if (r < 0)
		return r;
	x.path = path;
	if ((flags & AT_SYMLINK_NOFOLLOW) || (path[0] != '/' && dirfd != AT_FDCWD)) {
		r = find_program(t, dirfd, path, flags, &f, name, sizeof(name));
		if (r < 0)
			return r;
		x.file = f;
		x.path = name;
		x.hidden = path[0] != '/' && dirfd != AT_FDCWD && fd_get_cloexec(t, dirfd) > 0;
	}
	return do_exec(t, &x, arg_addr(a, 2), arg_addr(a, 3));
}
