/* path.c - see path.h: the only file of the gofer that makes host calls with names. */
#include "gofer/path.h"
#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static long ret_errno(long r)
{
	return r < 0 ? -errno : r;
}

/* openat2 may give up with EAGAIN when the tree moves under it. */
static int open_beneath(int dirfd, const char *name, u64 flags, mode_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	long r;

	for (int tries = 0; tries < 64; tries++) {
		r = ret_errno(syscall(SYS_openat2, dirfd, name, &how, sizeof(how)));
		if (r != -EAGAIN && r != -EINTR)
			break;
	}
	return (int)r;
}

/* An entry of /proc/self/fd as a name, and as a path. */
struct fdname { char s[16]; };
struct fdpath { char s[64]; };

static struct fdname fdname(int fd)
{
	struct fdname n;

	snprintf(n.s, sizeof(n.s), "%d", fd);
	return n;
}

static struct fdpath fdpath(const struct fdlinks *l, int fd)
{
	struct fdpath p;

	snprintf(p.s, sizeof(p.s), "%s/%d", l->prefix, fd);
	return p;
}

int path_fdlinks(struct fdlinks *ret, const char *prefix)
{
	int fd = open(prefix, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = (struct fdlinks){ fd, prefix };
	return 0;
}

int path_lookup(int dirfd, const char *name)
{
	return open_beneath(dirfd, name, O_PATH, 0);
}

int path_create(int dirfd, const char *name, mode_t mode)
{
	return open_beneath(dirfd, name, O_RDWR | O_CREAT | O_EXCL, mode & 07777);
}

int path_tmpfile(int dirfd, mode_t mode)
{
	return open_beneath(dirfd, ".", O_RDWR | O_TMPFILE, mode & 07777);
}

static s64 ns_of(const struct statx_timestamp *t)
{
	s64 ns;

	if (mul_overflows(t->tv_sec, (s64)1000000000, &ns) || add_overflows(ns, (s64)t->tv_nsec, &ns))
		return t->tv_sec < 0 ? INT64_MIN + 1 : INT64_MAX;
	return ns;
}

int path_stat(int fd, struct gw_attr *ret)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_STATX_SYNC_AS_STAT,
	          STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -errno;
	*ret = (struct gw_attr){
		.dev = makedev(x.stx_dev_major, x.stx_dev_minor), .ino = x.stx_ino,
		.size = x.stx_size, .blocks = x.stx_blocks,
		.atime = ns_of(&x.stx_atime), .mtime = ns_of(&x.stx_mtime), .ctime = ns_of(&x.stx_ctime),
		.btime = x.stx_mask & STATX_BTIME ? ns_of(&x.stx_btime) : GW_TIME_NONE,
		.mode = x.stx_mode, .nlink = x.stx_nlink, .uid = x.stx_uid, .gid = x.stx_gid,
		.blksize = x.stx_blksize, .rdev_major = x.stx_rdev_major, .rdev_minor = x.stx_rdev_minor,
		.attributes = (u32)(x.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)),
	};
	return 0;
}

int path_reopen(const struct fdlinks *l, int fd, int flags)
{
	int r;

	do
		r = openat(l->dirfd, fdname(fd).s, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* By the descriptor itself a call costs half of what it does through /proc; older hosts cannot. */
static bool not_here(long r)
{
	return r == -ENOSYS || r == -EINVAL || r == -EPERM;
}

int path_hold(const struct fdlinks *l, int fd)
{
	long r = ret_errno(syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLOEXEC));

	return not_here(r) ? path_reopen(l, fd, O_PATH) : (int)r;
}

int path_mkdir(int dirfd, const char *name, mode_t mode)
{
	return (int)ret_errno(mkdirat(dirfd, name, mode & 07777));
}

int path_mknod(int dirfd, const char *name, mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:                   /* 0:0, an overlay's whiteout: opens nothing */
		return (int)ret_errno(mknodat(dirfd, name, mode & (S_IFMT | 07777), 0));
	default:
		return -EPERM;
	}
}

int path_symlink(const char *target, int dirfd, const char *name)
{
	return (int)ret_errno(symlinkat(target, dirfd, name));
}

/* AT_EMPTY_PATH wants a capability that a rootless gofer may lack; the link in /proc doesn't. */
int path_link(const struct fdlinks *l, int fd, int dirfd, const char *name)
{
	return (int)ret_errno(linkat(l->dirfd, fdname(fd).s, dirfd, name, AT_SYMLINK_FOLLOW));
}

int path_unlink(int dirfd, const char *name, bool dir)
{
	return (int)ret_errno(unlinkat(dirfd, name, dir ? AT_REMOVEDIR : 0));
}

int path_rename(int odir, const char *oname, int ndir, const char *nname, u32 flags)
{
	/* Directly: the C library makes another call when there are no flags. */
	return (int)ret_errno(syscall(SYS_renameat2, odir, oname, ndir, nname, flags));
}

ssize_t path_readlink(int fd, char *buf, size_t cap)
{
	return ret_errno(readlinkat(fd, "", buf, cap));
}

int path_chmod(const struct fdlinks *l, int fd, mode_t mode)
{
	long r = ret_errno(syscall(__NR_fchmodat2, fd, "", mode & 07777, AT_EMPTY_PATH));

	return (int)(not_here(r) ? ret_errno(fchmodat(l->dirfd, fdname(fd).s, mode & 07777, 0)) : r);
}

int path_chown(int fd, u32 uid, u32 gid)
{
	return (int)ret_errno(fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

int path_utimes(const struct fdlinks *l, int fd, const struct timespec ts[2])
{
	long r = ret_errno(utimensat(fd, "", ts, AT_EMPTY_PATH));

	return (int)(not_here(r) ? ret_errno(utimensat(l->dirfd, fdname(fd).s, ts, 0)) : r);
}

int path_truncate(const struct fdlinks *l, int fd, u64 size)
{
	int w = path_reopen(l, fd, O_WRONLY), r;

	if (w < 0)
		return w;
	r = (int)ret_errno(ftruncate(w, (off_t)size));
	close(w);
	return r;
}

int path_statfs(int fd, struct statfs *ret)
{
	return (int)ret_errno(fstatfs(fd, ret));
}

ssize_t path_getxattr(const struct fdlinks *l, int fd, const char *name, void *buf, size_t cap)
{
	return ret_errno(getxattr(fdpath(l, fd).s, name, buf, cap));
}

int path_setxattr(const struct fdlinks *l, int fd, const char *name, const void *v, size_t n, int flags)
{
	return (int)ret_errno(setxattr(fdpath(l, fd).s, name, v, n, flags));
}

ssize_t path_listxattr(const struct fdlinks *l, int fd, char *buf, size_t cap)
{
	return ret_errno(listxattr(fdpath(l, fd).s, buf, cap));
}

int path_removexattr(const struct fdlinks *l, int fd, const char *name)
{
	return (int)ret_errno(removexattr(fdpath(l, fd).s, name));
}

int path_watch(const struct fdlinks *l, int inotify_fd, int fd, u32 mask)
{
	return (int)ret_errno(inotify_add_watch(inotify_fd, fdpath(l, fd).s, mask));
}
