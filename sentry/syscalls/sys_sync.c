/*
 * sys_sync.c - sizes and durability: truncate, fallocate, fsync, advice.
 */
#include <errno.h>
#include <fcntl.h>
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/vfs.h"

long sys_truncate(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	int r = path_arg(t, a, 0, name);

	if (r < 0)
		return r;
	if (arg_long(a, 1) < 0)
		return -EINVAL;
	r = vfs_lookup(t, AT_FDCWD, name, LOOKUP_FOLLOW, &p);
	return r < 0 ? r : vfs_truncate(t, &p, arg_u64(a, 1));
}

long sys_ftruncate(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	if (arg_long(a, 1) < 0)
		return -EINVAL;
	return f ? file_truncate(t, f, arg_u64(a, 1)) : -EBADF;
}

long sys_fallocate(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	return f ? file_fallocate(t, f, arg_s32(a, 1), arg_long(a, 2), arg_long(a, 3)) : -EBADF;
}

static long do_fsync(struct task *t, const struct sysargs *a, bool data_only)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	return f ? file_fsync(t, f, data_only) : -EBADF;
}

long sys_fsync(struct task *t, const struct sysargs *a) { return do_fsync(t, a, false); }
long sys_fdatasync(struct task *t, const struct sysargs *a) { return do_fsync(t, a, true); }

/* What the host has not written yet is the host's to write: durability is fsync's promise. */
long sys_sync(struct task *t, const struct sysargs *a)
{
	(void)t;
	(void)a;
	return 0;
}

long sys_syncfs(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	int r;

	if (!f)
		return -EBADF;
	r = file_fsync(t, f, false);
	return r == -EINVAL ? 0 : r;
}

long sys_sync_file_range(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	s64 off = arg_long(a, 1), n = arg_long(a, 2), end;

	if (!f)
		return -EBADF;
	if ((arg_u32(a, 3) & ~7u) || off < 0 || n < 0 || add_overflows(off, n, &end))
		return -EINVAL;
	if (!f->inode || S_ISCHR(f->inode->mode) || S_ISFIFO(f->inode->mode) || S_ISSOCK(f->inode->mode))
		return -ESPIPE;
	return arg_u32(a, 3) & SYNC_FILE_RANGE_WAIT_AFTER ? file_fsync(t, f, true) : 0;
}

long sys_fadvise64(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	if (!f)
		return -EBADF;
	if (f->kind & FILE_STREAM)
		return -ESPIPE;
	if (arg_long(a, 2) < 0 || arg_s32(a, 3) < 0 || arg_s32(a, 3) > 5)
		return -EINVAL;
	return 0;
}

long sys_readahead(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	if (!f || (f->flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	return f->inode && S_ISREG(f->inode->mode) ? 0 : -EINVAL;
}

/* Every page of the file that is in the range is called cached: the host's page cache cannot be asked. */
long sys_cachestat(struct task *t, const struct sysargs *a)
{
	struct { u64 cache, dirty, writeback, evicted, recently; } st = { 0 };
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct { u64 off, len; } range;
	struct kstat k;
	u64 end;
	int r;

	if (!f)
		return -EBADF;
	if (copy_in(t, &range, arg_addr(a, 1), sizeof(range)) < 0)
		return -EFAULT;
	if (!f->inode || !S_ISREG(f->inode->mode))
		return -EOPNOTSUPP;
	if (arg_u32(a, 3))
		return -EINVAL;
	r = inode_getattr(t, f->inode, &k);
	if (r < 0)
		return r;
	if (range.len == 0 || add_overflows(range.off, range.len, &end))
		end = UINT64_MAX;
	end = MIN(end, k.size);
	if (end > range.off)
		st.cache = (end - 1) / 4096 - range.off / 4096 + 1;
	return copy_out(t, arg_addr(a, 2), &st, sizeof(st));
}
