/*
 * sys_fd.c - descriptors: dup, fcntl, flock, and the ioctls that all files share.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <asm/sockios.h>
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/pipe/pipe.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/clonefile.h"
#include "sentry/vfs/dnotify.h"
#include "sentry/vfs/fasync.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/lease.h"
#include "sentry/vfs/vfs.h"

long sys_dup(struct task *t, const struct sysargs *a)
{
	return fd_dup_min(t, arg_fd(a, 0), 0, false);
}

long sys_dup2(struct task *t, const struct sysargs *a)
{
	int fd = arg_fd(a, 0);

	if (fd == arg_fd(a, 1)) {
		auto_file *f = fd_get_path(t, fd);

		return f ? fd : -EBADF;
	}
	return fd_dup_to(t, fd, arg_fd(a, 1), false);
}

long sys_dup3(struct task *t, const struct sysargs *a)
{
	if ((arg_u32(a, 2) & ~(u32)O_CLOEXEC) || arg_fd(a, 0) == arg_fd(a, 1))
		return -EINVAL;
	return fd_dup_to(t, arg_fd(a, 0), arg_fd(a, 1), arg_u32(a, 2) & O_CLOEXEC);
}

/* ---- fcntl ---- */

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)
#define LX_F_DUPFD_QUERY 1027
#define LX_F_CREATED_QUERY 1028

static long set_fl(struct task *t, struct file *f, int fd, u32 flags)
{
	int r;

	if ((flags & O_NOATIME) && !(file_flags(f) & O_NOATIME) && f->inode && !inode_owner_or_capable(t, f->inode))
		return -EPERM;
	if ((flags & O_DIRECT) && !file_is_pipe(f) && !(f->inode && S_ISREG(f->inode->mode)))
		return -EINVAL;
	r = fasync_set(t, f, fd, flags & O_ASYNC);
	return r < 0 ? r : file_set_flags(f, flags, SETFL_MASK);
}

static long lock_call(struct task *t, struct file *f, int cmd, gaddr_t arg)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	struct lx_flock fl;
	int r = copy_in(t, &fl, arg, sizeof(fl));

	if (r < 0)
		return r;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK) {
		r = file_get_lock(t, f, &fl, ofd);
		return r < 0 ? r : copy_out(t, arg, &fl, sizeof(fl));
	}
	return file_set_lock(t, f, &fl, ofd, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

/* How long what is written will live: kept with the inode, and of no effect. */
static long write_hint(struct task *t, struct file *f, int cmd, gaddr_t arg)
{
	u64 hint = f->inode ? __atomic_load_n(&f->inode->write_hint, __ATOMIC_RELAXED) : 0;

	if (cmd == F_GET_RW_HINT)
		return copy_out(t, arg, &hint, sizeof(hint));
	if (f->inode && !inode_owner_or_capable(t, f->inode))
		return -EPERM;
	if (copy_in(t, &hint, arg, sizeof(hint)) < 0)
		return -EFAULT;
	if (hint > RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	if (f->inode)
		__atomic_store_n(&f->inode->write_hint, (u8)hint, __ATOMIC_RELAXED);
	return 0;
}

static long dup_query(struct task *t, struct file *f, int fd)
{
	auto_file *other = fd_get_path(t, fd);

	return other ? other == f : -EBADF;
}

/* Commands that an O_PATH descriptor takes too; -ENOSYS: it is another one. */
static long fcntl_any(struct task *t, struct file *f, int fd, int cmd, u64 arg)
{
	int r;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return fd_dup_min(t, fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		r = fd_get_cloexec(t, fd);
		return r < 0 ? r : r ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_set_cloexec(t, fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return file_flags(f);
	case LX_F_CREATED_QUERY:
		return (f->kind & FILE_CREATED) != 0;
	case LX_F_DUPFD_QUERY:
		return dup_query(t, f, (int)arg);
	default:
		return -ENOSYS;
	}
}

long sys_fcntl(struct task *t, const struct sysargs *a)
{
	int fd = arg_fd(a, 0), cmd = arg_s32(a, 1);
	auto_file *f = fd_get_path(t, fd);
	u64 arg = arg_u64(a, 2);
	long r;

	if (!f)
		return -EBADF;
	r = fcntl_any(t, f, fd, cmd, arg);
	if (r != -ENOSYS)
		return r;
	if (f->kind & FILE_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return set_fl(t, f, fd, (u32)arg);
	case F_GETLK: case F_SETLK: case F_SETLKW:
	case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
		return lock_call(t, f, cmd, GADDR(arg));
	case F_SETOWN: case F_GETOWN: case F_SETSIG: case F_GETSIG: case F_SETOWN_EX: case F_GETOWN_EX:
	case LX_F_GETOWNER_UIDS:
		return fowner_fcntl(t, f, cmd, arg);
	case F_SETLEASE:
		return lease_set(t, f, fd, arg);
	case F_GETLEASE:
		return lease_get(t, f);
	case F_NOTIFY:
		return dnotify_set(t, f, fd, arg);
	case F_GET_RW_HINT: case F_SET_RW_HINT:
		return write_hint(t, f, cmd, GADDR(arg));
	case F_SETPIPE_SZ:
		return file_is_pipe(f) ? pipe_set_size(t, f, (u32)arg) : -EBADF;
	case F_GETPIPE_SZ:
		return file_is_pipe(f) ? pipe_get_size(f) : -EBADF;
	case F_ADD_SEALS:
		return tmpfs_add_seals(f, (u32)arg);
	case F_GET_SEALS:
		return tmpfs_get_seals(f);
	default:
		return -EINVAL;
	}
}

long sys_flock(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));

	return file_flock(t, f, arg_s32(a, 1));
}

/* ---- ioctl ---- */

static long set_nonblock(struct task *t, struct file *f, gaddr_t arg)
{
	int on, r = copy_in(t, &on, arg, sizeof(on));

	return r < 0 ? r : file_set_flags(f, on ? O_NONBLOCK : 0, O_NONBLOCK);
}

static long set_async(struct task *t, struct file *f, int fd, gaddr_t arg)
{
	int on, r = copy_in(t, &on, arg, sizeof(on));

	if (r < 0)
		return r;
	if (!on == !(file_flags(f) & O_ASYNC))
		return 0;
	return f->kind & FILE_ASYNC ? fasync_set(t, f, fd, on) : -ENOTTY;
}

/* The owner by ioctl: sockets have it. */
static long owner_ioctl(struct task *t, struct file *f, bool set, gaddr_t arg)
{
	int who = set ? 0 : fowner_get(t, f), r;

	if (!set)
		return copy_out(t, arg, &who, sizeof(who));
	r = copy_in(t, &who, arg, sizeof(who));
	return r < 0 ? r : fowner_set(t, f, who);
}

static long bytes_left(struct task *t, struct file *f, gaddr_t arg)
{
	s64 pos = file_lseek(t, f, 0, SEEK_CUR);
	struct kstat st;
	int n, r = inode_getattr(t, f->inode, &st);

	if (r < 0)
		return r;
	n = (int)((s64)st.size - MAX(pos, 0));
	return copy_out(t, arg, &n, sizeof(n));
}

static long block_size(struct task *t, struct file *f, gaddr_t arg)
{
	struct kstat st = { 0 };
	int n, r = f->inode ? inode_getattr(t, f->inode, &st) : 0;

	if (r < 0)
		return r;
	n = st.blksize ? (int)st.blksize : (int)PAGE_SIZE;
	return copy_out(t, arg, &n, sizeof(n));
}

/* FIOQSIZE: the bytes that are kept of what has any. */
static long size_of(struct task *t, struct file *f, gaddr_t arg)
{
	struct kstat st;
	s64 n;
	int r;

	if (!f->inode || !(S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode)))
		return -ENOTTY;
	r = inode_getattr(t, f->inode, &st);
	n = (s64)st.blocks * 512;
	return r < 0 ? r : copy_out(t, arg, &n, sizeof(n));
}

static long clone_range(struct task *t, struct file *f, gaddr_t arg)
{
	struct file_clone_range c;
	int r = copy_in(t, &c, arg, sizeof(c));

	return r < 0 ? r : clonefile(t, (int)c.src_fd, f);
}

/* The flags of chattr(1): files of a tmpfs have them, and here none is ever set. */
static long chattr_flags(struct task *t, struct file *f, bool set, gaddr_t arg)
{
	u32 flags = 0;

	if (!f->inode || f->inode->sb->magic != TMPFS_MAGIC || !(S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode)))
		return -ENOTTY;
	if (!set)
		return copy_out(t, arg, &flags, sizeof(flags));
	if (copy_in(t, &flags, arg, sizeof(flags)) < 0)
		return -EFAULT;
	if (!inode_owner_or_capable(t, f->inode))
		return -EPERM;
	return flags ? -EOPNOTSUPP : 0;
}

long sys_ioctl(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	u32 cmd = arg_u32(a, 1);
	gaddr_t arg = arg_addr(a, 2);

	if (!f)
		return -EBADF;
	if ((f->kind & FILE_NO_IOCTL) && !landlock_ioctl_free(cmd))
		return -EACCES;
	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec(t, arg_fd(a, 0), true);
	case FIONCLEX:
		return fd_set_cloexec(t, arg_fd(a, 0), false);
	case FIONBIO:
		return set_nonblock(t, f, arg);
	case FIOASYNC:
		return set_async(t, f, arg_fd(a, 0), arg);
	case FIOSETOWN: case SIOCSPGRP: case FIOGETOWN: case SIOCGPGRP:
		if (socket_of(f))
			return owner_ioctl(t, f, cmd == FIOSETOWN || cmd == SIOCSPGRP, arg);
		break;
	case FIONREAD:
		if (f->inode && S_ISREG(f->inode->mode))
			return bytes_left(t, f, arg);
		break;
	case FIGETBSZ:
		return block_size(t, f, arg);
	case FIOQSIZE:
		return size_of(t, f, arg);
	case FICLONE:
		return clonefile(t, (int)arg.v, f);
	case FICLONERANGE:
		return clone_range(t, f, arg);
	case FS_IOC_GETFLAGS: case FS_IOC_SETFLAGS:
		return chattr_flags(t, f, cmd == FS_IOC_SETFLAGS, arg);
	case FS_IOC_FIEMAP:
		return -EOPNOTSUPP;
	default:
		break;
	}
	return file_ioctl(t, f, cmd, arg);
}
