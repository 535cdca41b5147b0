/*
 * sys_stat.c - stat and its forms, statx, access, statfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/vfs.h"

/* struct stat of the x86-64 ABI is the host's. */
static int put_stat(struct task *t, gaddr_t dst, const struct kstat *k)
{
	struct stat st = {
		.st_dev = makedev(k->dev_major, k->dev_minor),
		.st_ino = k->ino,
		.st_nlink = k->nlink,
		.st_mode = k->mode,
		.st_uid = user_ns_show_uid(task_user_ns(t), k->uid),
		.st_gid = user_ns_show_gid(task_user_ns(t), k->gid),
		.st_rdev = makedev(k->rdev_major, k->rdev_minor),
		.st_size = (off_t)k->size,
		.st_blksize = k->blksize,
		.st_blocks = (blkcnt_t)k->blocks,
		.st_atim = ktime_to_timespec(k->atime),
		.st_mtim = ktime_to_timespec(k->mtime),
		.st_ctim = ktime_to_timespec(k->ctime),
	};

	return copy_out(t, dst, &st, sizeof(st));
}

/* *place, if wanted: where it is, if it is anywhere. */
static int stat_fd(struct task *t, int fd, struct kstat *ret, struct path *place)
{
	auto_file *f = fd_get_path(t, fd);

	if (!f)
		return -EBADF;
	if (place && f->path.dentry) {
		*place = f->path;
		path_get(place);
	}
	return file_getattr(t, f, ret);
}

static int stat_name(struct task *t, int dirfd, const char *name, u32 at_flags, struct kstat *ret,
                     struct path *place)
{
	u32 look = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
	           (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	int r;

	/* fstat by another name; the descriptor may be one without a place. */
	if (!*name && (at_flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD)
		return stat_fd(t, dirfd, ret, place);
	r = vfs_lookup(t, dirfd, name, look, place);
	return r < 0 ? r : inode_getattr(t, path_inode(place), ret);
}

static long do_stat(struct task *t, const struct sysargs *a, int name_arg, int dirfd, u32 at_flags)
{
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	struct kstat k;
	int r = path_arg(t, a, name_arg, name);

	if (r == 0)
		r = stat_name(t, dirfd, name, at_flags, &k, &p);
	return r < 0 ? r : put_stat(t, arg_addr(a, name_arg + 1), &k);
}

long sys_stat(struct task *t, const struct sysargs *a) { return do_stat(t, a, 0, AT_FDCWD, 0); }
long sys_lstat(struct task *t, const struct sysargs *a) { return do_stat(t, a, 0, AT_FDCWD, AT_SYMLINK_NOFOLLOW); }

long sys_fstat(struct task *t, const struct sysargs *a)
{
	struct kstat k;
	int r = stat_fd(t, arg_fd(a, 0), &k, NULL);

	return r < 0 ? r : put_stat(t, arg_addr(a, 1), &k);
}

long sys_newfstatat(struct task *t, const struct sysargs *a)
{
	u32 flags = arg_u32(a, 3);

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	/* A NULL name with AT_EMPTY_PATH is "" since Linux 6.11. */
	if ((flags & AT_EMPTY_PATH) && arg_addr(a, 1).v == 0) {
		auto_path p = { 0 };
		struct kstat k;
		int r = stat_name(t, arg_fd(a, 0), "", flags, &k, &p);

		return r < 0 ? r : put_stat(t, arg_addr(a, 2), &k);
	}
	return do_stat(t, a, 1, arg_fd(a, 0), flags);
}

/* ---- statx ---- */

#define PID_FS_MAGIC 0x50494446
#define ST_VALID     0x20
#define LX_STATX_MNT_ID        0x1000u
#define LX_STATX_MNT_ID_UNIQUE 0x4000u

static struct statx_timestamp xtime(ktime_t t)
{
	struct timespec ts = ktime_to_timespec(t);

	return (struct statx_timestamp){ .tv_sec = ts.tv_sec, .tv_nsec = (u32)ts.tv_nsec };
}

static int put_statx(struct task *t, gaddr_t dst, const struct kstat *k, const struct path *p, u32 want)
{
	struct statx x = {
		.stx_mask = STATX_BASIC_STATS | (k->has_btime ? STATX_BTIME : 0),
		.stx_blksize = k->blksize,
		.stx_attributes = k->attributes,
		.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT,
		.stx_nlink = k->nlink,
		.stx_uid = user_ns_show_uid(task_user_ns(t), k->uid),
		.stx_gid = user_ns_show_gid(task_user_ns(t), k->gid),
		.stx_mode = (u16)k->mode,
		.stx_ino = k->ino,
		.stx_size = k->size,
		.stx_blocks = k->blocks,
		.stx_atime = xtime(k->atime),
		.stx_mtime = xtime(k->mtime),
		.stx_ctime = xtime(k->ctime),
		.stx_rdev_major = k->rdev_major,
		.stx_rdev_minor = k->rdev_minor,
		.stx_dev_major = k->dev_major,
		.stx_dev_minor = k->dev_minor,
	};

	if (k->has_btime)
		x.stx_btime = xtime(k->btime);
	if (p->mnt) {
		bool unique = want & LX_STATX_MNT_ID_UNIQUE;

		x.stx_mask |= unique ? LX_STATX_MNT_ID_UNIQUE : LX_STATX_MNT_ID;
		x.stx_mnt_id = unique ? mount_unique_id(p->mnt) : (u64)mount_id(p->mnt);
		if (path_is_mount_root(p))
			x.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	}
	return copy_out(t, dst, &x, sizeof(x));
}

long sys_statx(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	u32 flags = arg_u32(a, 2);
	struct kstat k;
	int r;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (arg_u32(a, 3) & STATX__RESERVED))
		return -EINVAL;
	name[0] = 0;
	r = (flags & AT_EMPTY_PATH) && arg_addr(a, 1).v == 0 ? 0 : path_arg(t, a, 1, name);
	if (r == 0)
		r = stat_name(t, arg_fd(a, 0), name, flags, &k, &p);
	return r < 0 ? r : put_statx(t, arg_addr(a, 4), &k, &p, arg_u32(a, 3));
}

/* ---- access ---- */

static long do_access(struct task *t, const struct sysargs *a, int name_arg, int dirfd, u32 at_flags)
{
	char name[PATH_MAX] no_init;
	int mode = arg_s32(a, name_arg + 1), r;

	if (mode & ~7)
		return -EINVAL;
	if (at_flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = path_arg(t, a, name_arg, name);
	return r < 0 ? r : vfs_access(t, dirfd, name, mode, at_flags);
}

long sys_access(struct task *t, const struct sysargs *a) { return do_access(t, a, 0, AT_FDCWD, 0); }
long sys_faccessat(struct task *t, const struct sysargs *a) { return do_access(t, a, 1, arg_fd(a, 0), 0); }
long sys_faccessat2(struct task *t, const struct sysargs *a) { return do_access(t, a, 1, arg_fd(a, 0), arg_u32(a, 3)); }

/* ---- statfs ---- */

long sys_statfs(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	struct statfs st;
	int r = path_arg(t, a, 0, name);

	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, name, LOOKUP_FOLLOW, &p);
	if (r == 0)
		r = vfs_statfs(t, path_inode(&p)->sb, mount_flags(p.mnt), &st);
	return r < 0 ? r : copy_out(t, arg_addr(a, 1), &st, sizeof(st));
}

long sys_ustat(struct task *t, const struct sysargs *a)
{
	struct { s32 tfree; u64 tinode; char fname[6], fpack[6]; } out = { 0 };
	struct statfs st;
	int r = vfs_statfs_dev(t, arg_u32(a, 0), &st);

	if (r < 0)
		return r;
	out.tfree = (s32)st.f_bfree;
	out.tinode = st.f_ffree;
	return copy_out(t, arg_addr(a, 1), &out, sizeof(out));
}

long sys_fstatfs(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get_path(t, arg_fd(a, 0));
	static const u32 magic[] = { [ANON_INODE] = ANON_INODE_FS_MAGIC, [ANON_PIPE] = PIPEFS_MAGIC,
				     [ANON_SOCKET] = SOCKFS_MAGIC, [ANON_PIDFD] = PID_FS_MAGIC };
	struct statfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namelen = 255, .f_flags = ST_VALID };
	int r = 0;

	if (!f)
		return -EBADF;
	st.f_type = magic[file_anon(f)];
	if (f->inode)
		r = vfs_statfs(t, f->inode->sb, f->path.mnt ? mount_flags(f->path.mnt) : 0, &st);
	return r < 0 ? r : copy_out(t, arg_addr(a, 1), &st, sizeof(st));
}
