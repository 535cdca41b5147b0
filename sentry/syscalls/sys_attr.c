/*
 * sys_attr.c - attributes: chmod, chown, utime families, umask, xattrs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <utime.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/vfs.h"

/* Nanoseconds that are none: refused only once the file is found. */
#define BAD_TIME 0x80000000u

/* Apply to what an open descriptor stands for: pipes and sockets have no attributes to keep, anonymous inodes refuse them. */
static long set_fd(struct task *t, struct file *f, const struct iattr *at)
{
	enum file_anon kind = file_anon(f);

	if (at->valid & BAD_TIME)
		return -EINVAL;
	if (f->inode && S_ISLNK(f->inode->mode) && (at->valid & IATTR_MODE))
		return -EOPNOTSUPP;
	if (f->path.dentry)
		return vfs_setattr(t, &f->path, at);
	if (f->inode)
		return inode_setattr(t, f->inode, at);
	return kind == ANON_INODE || kind == ANON_PIDFD ? -EOPNOTSUPP : 0;
}

/* ---- mode and owner ---- */

static long set_name(struct task *t, const struct sysargs *a, int i, int dirfd, u32 at_flags,
                     const struct iattr *at)
{
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	u32 look = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
	           (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	int r = path_arg(t, a, i, name);

	if (r == 0 && !*name && (at_flags & AT_EMPTY_PATH) && dirfd != AT_FDCWD) {
		auto_file *f = fd_get_path(t, dirfd);

		return f ? set_fd(t, f, at) : -EBADF;
	}
	if (r == 0)
		r = vfs_lookup(t, dirfd, name, look, &p);
	if (r == 0 && (at->valid & IATTR_MODE) && S_ISLNK(path_inode(&p)->mode))
		r = -EOPNOTSUPP;
	if (r == 0 && (at->valid & BAD_TIME))
		r = -EINVAL;
	return r < 0 ? r : vfs_setattr(t, &p, at);
}

static struct iattr mode_attr(u32 mode)
{
	return (struct iattr){ .valid = IATTR_MODE, .mode = mode & 07777 };
}

long sys_chmod(struct task *t, const struct sysargs *a)
{
	struct iattr at = mode_attr(arg_u32(a, 1));

	return set_name(t, a, 0, AT_FDCWD, 0, &at);
}

long sys_fchmodat(struct task *t, const struct sysargs *a)
{
	struct iattr at = mode_attr(arg_u32(a, 2));

	return set_name(t, a, 1, arg_fd(a, 0), 0, &at);
}

long sys_fchmodat2(struct task *t, const struct sysargs *a)
{
	struct iattr at = mode_attr(arg_u32(a, 2));

	if (arg_u32(a, 3) & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return set_name(t, a, 1, arg_fd(a, 0), arg_u32(a, 3), &at);
}

long sys_fchmod(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct iattr at = mode_attr(arg_u32(a, 1));

	return f ? set_fd(t, f, &at) : -EBADF;
}

/* -1 leaves an id as it is; one that the user namespace does not have becomes -1 and is refused later. */
static struct iattr owner_attr(struct task *t, u32 uid, u32 gid)
{
	return (struct iattr){
		.valid = (uid != ID_NONE ? IATTR_UID : 0) | (gid != ID_NONE ? IATTR_GID : 0),
		.uid = user_ns_uid(task_user_ns(t), uid), .gid = user_ns_gid(task_user_ns(t), gid),
	};
}

long sys_chown(struct task *t, const struct sysargs *a)
{
	struct iattr at = owner_attr(t, arg_u32(a, 1), arg_u32(a, 2));

	return set_name(t, a, 0, AT_FDCWD, 0, &at);
}

long sys_lchown(struct task *t, const struct sysargs *a)
{
	struct iattr at = owner_attr(t, arg_u32(a, 1), arg_u32(a, 2));

	return set_name(t, a, 0, AT_FDCWD, AT_SYMLINK_NOFOLLOW, &at);
}

long sys_fchownat(struct task *t, const struct sysargs *a)
{
	struct iattr at = owner_attr(t, arg_u32(a, 2), arg_u32(a, 3));

	if (arg_u32(a, 4) & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return set_name(t, a, 1, arg_fd(a, 0), arg_u32(a, 4), &at);
}

long sys_fchown(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct iattr at = owner_attr(t, arg_u32(a, 1), arg_u32(a, 2));

	return f ? set_fd(t, f, &at) : -EBADF;
}

long sys_umask(struct task *t, const struct sysargs *a)
{
	return fs_set_umask(t->fs, arg_u32(a, 0));
}

/* ---- times ---- */

static const struct iattr both_now = { .valid = IATTR_ATIME_NOW | IATTR_MTIME_NOW };

static int one_time(const struct timespec *ts, u32 now_bit, u32 set_bit, u32 *valid, ktime_t *ret)
{
	if (ts->tv_nsec == UTIME_NOW) {
		*valid |= now_bit;
		return 0;
	}
	if (ts->tv_nsec == UTIME_OMIT)
		return 0;
	if (ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	/* Seconds beyond what the file systems here can keep are clipped to it. */
	*ret = MAX(MIN(ts->tv_sec, INT64_MAX / NSEC_PER_SEC - 1), INT64_MIN / NSEC_PER_SEC + 1) * NSEC_PER_SEC +
	       ts->tv_nsec;
	*valid |= set_bit;
	return 0;
}

static int time_attr(const struct timespec ts[2], struct iattr *at)
{
	int r;

	*at = (struct iattr){ 0 };
	r = one_time(&ts[0], IATTR_ATIME_NOW, IATTR_ATIME, &at->valid, &at->atime);
	if (r == 0)
		r = one_time(&ts[1], IATTR_MTIME_NOW, IATTR_MTIME, &at->valid, &at->mtime);
	return r;
}

long sys_utimensat(struct task *t, const struct sysargs *a)
{
	struct timespec ts[2];
	struct iattr at = both_now;
	u32 flags = arg_u32(a, 3);
	int r = 0;

	if (arg_addr(a, 2).v) {
		r = copy_in(t, ts, arg_addr(a, 2), sizeof(ts));
		if (r == 0)
			r = time_attr(ts, &at);
		if (r == 0 && at.valid == 0)
			return 0;
	}
	if (r == -EINVAL)
		at.valid = BAD_TIME;
	else if (r < 0)
		return r;
	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (arg_addr(a, 1).v == 0 && arg_fd(a, 0) != AT_FDCWD) {
		auto_file *f = fd_get(t, arg_fd(a, 0));

		if (flags)
			return -EINVAL;
		return f ? set_fd(t, f, &at) : -EBADF;
	}
	return set_name(t, a, 1, arg_fd(a, 0), flags, &at);
}

static long do_timevals(struct task *t, const struct sysargs *a, int i, int dirfd)
{
	struct iattr at = both_now;
	struct timeval tv[2];
	struct timespec ts[2];

	if (arg_addr(a, i + 1).v) {
		int r = copy_in(t, tv, arg_addr(a, i + 1), sizeof(tv));

		if (r < 0)
			return r;
		for (int n = 0; n < 2; n++) {
			if (tv[n].tv_usec < 0 || tv[n].tv_usec >= 1000000)
				return -EINVAL;
			ts[n] = (struct timespec){ tv[n].tv_sec, tv[n].tv_usec * 1000 };
		}
		r = time_attr(ts, &at);
		if (r < 0)
			return r;
	}
	if (arg_addr(a, i).v == 0 && dirfd != AT_FDCWD) {
		auto_file *f = fd_get(t, dirfd);

		return f ? set_fd(t, f, &at) : -EBADF;
	}
	return set_name(t, a, i, dirfd, 0, &at);
}

long sys_utimes(struct task *t, const struct sysargs *a) { return do_timevals(t, a, 0, AT_FDCWD); }
long sys_futimesat(struct task *t, const struct sysargs *a) { return do_timevals(t, a, 1, arg_fd(a, 0)); }

long sys_utime(struct task *t, const struct sysargs *a)
{
	struct iattr at = both_now;
	struct utimbuf u;

	if (arg_addr(a, 1).v) {
		struct timespec ts[2] = { 0 };
		int r = copy_in(t, &u, arg_addr(a, 1), sizeof(u));

		if (r < 0)
			return r;
		ts[0].tv_sec = u.actime;
		ts[1].tv_sec = u.modtime;
		r = time_attr(ts, &at);
		if (r < 0)
			return r;
	}
	return set_name(t, a, 0, AT_FDCWD, 0, &at);
}
