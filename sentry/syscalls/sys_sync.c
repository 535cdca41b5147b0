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
	int r = arg_long(a, 1) < 0 ? -EINVAL : path_arg(t, a, 0, name);

	if (r < 0)
		return r;
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
	return arg_u32(a, 3) & SYNC_FILE_RANGE_WAIT_AFTER && f->ops->fsync ? file_fsync(t, f, true) : 0;
}

long sys_fadvise64(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	if (!f)
		return -EBADF;
	if (file_is_fifo(f))
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

#define EXTENTS_MAX 65536u              /* looked at; beyond, all is called cached */

/* The pages of @f in [off, end) that are no hole. */
static u64 pages_there(struct task *t, struct file *f, u64 off, u64 end)
{
	u64 next = 0, n = 0;            /* the first page that was not counted */

	for (u32 i = 0; off < end; i++) {
		s64 d = (s64)off, h = (s64)end;

		if (f->ops->lseek && i < EXTENTS_MAX) {
			d = f->ops->lseek(t, f, d, SEEK_DATA);
			if (d == -ENXIO)
				break;
			d = d < (s64)off ? (s64)off : d;
			h = f->ops->lseek(t, f, d, SEEK_HOLE);
			h = h <= d ? (s64)end : h;
		}
		off = MIN((u64)h, end);
		if ((u64)d >= off)
			break;
		next = MAX(next, (u64)d / 4096);
		n += (off - 1) / 4096 + 1 - MIN(next, (off - 1) / 4096 + 1);
		next = (off - 1) / 4096 + 1;
	}
	return n;
}

/* What files that are kept in memory have there is known; of others the host's page cache cannot be asked, and what is no hole is called cached. */
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
	if (f->inode && (file_flags(f) & O_ACCMODE) == O_RDONLY && !inode_owner_or_capable(t, f->inode) &&
	    inode_permission(t, f->inode, W_OK) < 0)
		return -EPERM;
	if (arg_u32(a, 3))
		return -EINVAL;
	if (f->inode && S_ISREG(f->inode->mode)) {
		r = inode_getattr(t, f->inode, &k);
		if (r < 0)
			return r;
		/* As on Linux, what wraps is an empty range. */
		end = range.len ? range.off + range.len : UINT64_MAX;
		st.cache = pages_there(t, f, range.off, MIN(end, k.size));
	}
	return copy_out(t, arg_addr(a, 2), &st, sizeof(st));
}
