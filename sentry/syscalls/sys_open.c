/*
 * sys_open.c - open, openat, openat2, creat, close, close_range, memfd_create.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include "sentry/fs/fs.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/vfs.h"

/* The number is reserved first: a file is not created for want of one. */
static long do_open(struct task *t, int dirfd, const char *name, u32 flags, u32 mode, u32 resolve)
{
	auto_file *f = NULL;
	int fd = fd_reserve(t, 0, flags & O_CLOEXEC), r;

	if (fd < 0)
		return fd;
	r = vfs_open(t, dirfd, name, flags, mode, resolve, &f);
	if (r < 0) {
		fd_unreserve(t, fd);
		return r;
	}
	fd_publish(t, fd, f);
	return fd;
}

static long open_arg(struct task *t, const struct sysargs *a, int i, int dirfd, u32 flags, u32 mode)
{
	char name[PATH_MAX] no_init;
	int r = vfs_open_flags(flags);

	if (r == 0)
		r = path_arg(t, a, i, name);
	return r < 0 ? r : do_open(t, dirfd, name, flags, mode & 07777, 0);
}

long sys_open(struct task *t, const struct sysargs *a)
{
	return open_arg(t, a, 0, AT_FDCWD, arg_u32(a, 1), arg_u32(a, 2));
}

long sys_creat(struct task *t, const struct sysargs *a)
{
	return open_arg(t, a, 0, AT_FDCWD, O_CREAT | O_WRONLY | O_TRUNC, arg_u32(a, 1));
}

long sys_openat(struct task *t, const struct sysargs *a)
{
	return open_arg(t, a, 1, arg_fd(a, 0), arg_u32(a, 2), arg_u32(a, 3));
}

static int copy_in_how(struct task *t, gaddr_t p, size_t size, struct open_how *how)
{
	if (size < sizeof(*how))
		return -EINVAL;
	return size > PAGE_SIZE ? -E2BIG : copy_struct_in(t, how, sizeof(*how), p, size);
}

static int resolve_flags(u64 resolve, u32 *ret)
{
	static const struct { u64 from; u32 to; } map[] = {
		{ RESOLVE_NO_XDEV, LOOKUP_NO_XDEV }, { RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGICLINKS },
		{ RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS }, { RESOLVE_BENEATH, LOOKUP_BENEATH },
		{ RESOLVE_IN_ROOT, LOOKUP_IN_ROOT },
	};

	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		if (resolve & map[i].from)
			*ret |= map[i].to;
		resolve &= ~map[i].from;
	}
	if (resolve & ~(u64)RESOLVE_CACHED)
		return -EINVAL;
	if ((*ret & LOOKUP_BENEATH) && (*ret & LOOKUP_IN_ROOT))
		return -EINVAL;
	return resolve & RESOLVE_CACHED ? -EAGAIN : 0;
}

long sys_openat2(struct task *t, const struct sysargs *a)
{
	const u64 known = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |
	                  O_ASYNC | O_DIRECT | 0100000 | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC |
	                  O_PATH | O_TMPFILE;
	char name[PATH_MAX] no_init;
	struct open_how how;
	u32 resolve;
	int r = copy_in_how(t, arg_addr(a, 2), arg_size(a, 3), &how);

	if (r < 0)
		return r;
	if ((how.flags & ~known) || (how.mode & ~07777ull))
		return -EINVAL;
	if (how.mode && !(how.flags & O_CREAT) && (how.flags & O_TMPFILE) != O_TMPFILE)
		return -EINVAL;
	if ((how.flags & O_PATH) && (how.flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
		return -EINVAL;
	r = resolve_flags(how.resolve, &resolve);
	if (r == 0)
		r = vfs_open_flags((u32)how.flags);
	if (r == 0)
		r = path_arg(t, a, 1, name);
	return r < 0 ? r : do_open(t, arg_fd(a, 0), name, (u32)how.flags, (u32)how.mode, resolve);
}

/* The number is free whatever flush said, so the call must not be repeated. */
long sys_close(struct task *t, const struct sysargs *a)
{
	int r = fd_close(t, arg_fd(a, 0));

	return r == -ERESTARTSYS ? -EINTR : r;
}

#define CLOSE_UNSHARE 2u
#define CLOSE_CLOEXEC 4u

long sys_close_range(struct task *t, const struct sysargs *a)
{
	u32 lo = arg_u32(a, 0), hi = arg_u32(a, 1), flags = arg_u32(a, 2);

	if ((flags & ~(CLOSE_UNSHARE | CLOSE_CLOEXEC)) || lo > hi)
		return -EINVAL;
	if (flags & CLOSE_UNSHARE) {
		int r = fd_unshare(t);

		if (r < 0)
			return r;
	}
	return fd_close_range(t, lo, hi, flags & CLOSE_CLOEXEC);
}

#define LX_MFD_NOEXEC_SEAL 8u
#define LX_MFD_EXEC        16u
#define MFD_KNOWN          (MFD_CLOEXEC | MFD_ALLOW_SEALING | LX_MFD_NOEXEC_SEAL | LX_MFD_EXEC)

long sys_memfd_create(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	char name[256] = "memfd:";
	u32 flags = arg_u32(a, 1), seals = F_SEAL_SEAL;
	ssize_t n;
	int r;

	if ((flags & ~MFD_KNOWN) || ((flags & LX_MFD_NOEXEC_SEAL) && (flags & LX_MFD_EXEC)))
		return -EINVAL;
	n = copy_in_str(t, name + 6, arg_addr(a, 0), sizeof(name) - 6);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	if (flags & LX_MFD_NOEXEC_SEAL)
		seals = 0x20;           /* F_SEAL_EXEC; sealing is allowed then */
	else if (flags & MFD_ALLOW_SEALING)
		seals = 0;
	r = tmpfs_anon_file(t, name, 0, seals, &f);
	return r < 0 ? r : fd_install(t, f, flags & MFD_CLOEXEC);
}
