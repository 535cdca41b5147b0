/*
 * sys_dir.c - names: getdents, mkdir, rename, link, unlink, symlink, readlink,
 * mknod, and where a process is: chdir, chroot, getcwd.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/vfs.h"

/* ---- getdents ---- */

#define DENTS_MAX (256u << 10)

struct dents {
	struct dir_ctx c;
	u8 *buf;
	size_t cap, len;
	bool old;               /* getdents(2): the type is the last byte of a record */
	bool too_small;         /* not even the first entry fits */
};

struct lx_dirent64 { u64 ino; s64 off; u16 reclen; u8 type; char name[]; } __attribute__((packed));
struct lx_dirent { u64 ino; s64 off; u16 reclen; char name[]; } __attribute__((packed));

static bool put_dent(struct dir_ctx *c, const char *name, size_t len, u64 ino, unsigned type, s64 next)
{
	struct dents *d = container_of(c, struct dents, c);
	size_t head = d->old ? sizeof(struct lx_dirent) + 1 : sizeof(struct lx_dirent64);
	size_t n = ALIGN_UP(head + len + 1, 8);
	u8 *p = d->buf + d->len;

	if (n > d->cap - d->len) {
		d->too_small = d->len == 0;
		return false;
	}
	memset(p, 0, n);
	if (d->old) {
		struct lx_dirent e = { .ino = ino, .off = next, .reclen = (u16)n };

		memcpy(p, &e, sizeof(e));
		memcpy(p + sizeof(e), name, len);
		p[n - 1] = (u8)type;
	} else {
		struct lx_dirent64 e = { .ino = ino, .off = next, .reclen = (u16)n, .type = (u8)type };

		memcpy(p, &e, sizeof(e));
		memcpy(p + sizeof(e), name, len);
	}
	d->len += n;
	return true;
}

static long do_getdents(struct task *t, const struct sysargs *a, bool old)
{
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct dents d = { .c.emit = put_dent, .cap = MIN(arg_u32(a, 2), DENTS_MAX), .old = old };
	long r;

	if (!f)
		return -EBADF;
	if (f->path.dentry && path_is_deleted(&f->path))
		return f->ops->readdir ? -ENOENT : -ENOTDIR;
	d.buf = kbuf_alloc(MAX(d.cap, 1));
	if (!d.buf)
		return -ENOMEM;
	r = file_readdir(t, f, &d.c);
	if (r >= 0 && d.too_small)
		r = -EINVAL;
	if (r >= 0)
		r = copy_out(t, arg_addr(a, 1), d.buf, d.len);
	kfree(d.buf);
	return r < 0 ? r : (long)d.len;
}

long sys_getdents(struct task *t, const struct sysargs *a) { return do_getdents(t, a, true); }
long sys_getdents64(struct task *t, const struct sysargs *a) { return do_getdents(t, a, false); }

/* ---- making and removing ---- */

static long do_mkdir(struct task *t, const struct sysargs *a, int i, int dirfd)
{
	char name[PATH_MAX] no_init;
	int r = path_arg(t, a, i, name);

	return r < 0 ? r : vfs_mkdir(t, dirfd, name, arg_u32(a, i + 1));
}

long sys_mkdir(struct task *t, const struct sysargs *a) { return do_mkdir(t, a, 0, AT_FDCWD); }
long sys_mkdirat(struct task *t, const struct sysargs *a) { return do_mkdir(t, a, 1, arg_fd(a, 0)); }

static long do_mknod(struct task *t, const struct sysargs *a, int i, int dirfd)
{
	char name[PATH_MAX] no_init;
	u32 mode = arg_u32(a, i + 1), dev = arg_u32(a, i + 2);
	int r = vfs_mknod_type(mode);

	if (r == 0)
		r = path_arg(t, a, i, name);
	if (r < 0)
		return r;
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		dev = 0;
	return vfs_mknod(t, dirfd, name, mode, (dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00));
}

long sys_mknod(struct task *t, const struct sysargs *a) { return do_mknod(t, a, 0, AT_FDCWD); }
long sys_mknodat(struct task *t, const struct sysargs *a) { return do_mknod(t, a, 1, arg_fd(a, 0)); }

static long do_unlink(struct task *t, const struct sysargs *a, int i, int dirfd, bool dir)
{
	char name[PATH_MAX] no_init;
	int r = path_arg(t, a, i, name);

	if (r < 0)
		return r;
	return dir ? vfs_rmdir(t, dirfd, name) : vfs_unlink(t, dirfd, name);
}

long sys_unlink(struct task *t, const struct sysargs *a) { return do_unlink(t, a, 0, AT_FDCWD, false); }
long sys_rmdir(struct task *t, const struct sysargs *a) { return do_unlink(t, a, 0, AT_FDCWD, true); }

long sys_unlinkat(struct task *t, const struct sysargs *a)
{
	if (arg_u32(a, 2) & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	return do_unlink(t, a, 1, arg_fd(a, 0), arg_u32(a, 2) & AT_REMOVEDIR);
}

static long do_symlink(struct task *t, const struct sysargs *a, int dirfd, int i)
{
	char target[PATH_MAX] no_init, name[PATH_MAX] no_init;
	int r = path_arg(t, a, 0, target);

	if (r == 0)
		r = *target ? path_arg(t, a, i, name) : -ENOENT;
	return r < 0 ? r : vfs_symlink(t, target, dirfd, name);
}

long sys_symlink(struct task *t, const struct sysargs *a) { return do_symlink(t, a, AT_FDCWD, 1); }
long sys_symlinkat(struct task *t, const struct sysargs *a) { return do_symlink(t, a, arg_fd(a, 1), 2); }

/* ---- two names ---- */

/* What one has opened oneself, as one still is, one may link (Linux 6.10). */
static int may_link_fd(struct task *t, int fd)
{
	auto_file *f = fd_get_path(t, fd);

	if (!f)
		return -EBADF;
	return f->cred == task_cred(t) || capable(t, CAP_DAC_READ_SEARCH) ? 0 : -ENOENT;
}

static long do_link(struct task *t, const struct sysargs *a, int oi, int odirfd, int ni, int ndirfd, u32 flags)
{
	char from[PATH_MAX] no_init, to[PATH_MAX] no_init;
	int r;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = path_arg(t, a, oi, from);
	if (r == 0)
		r = path_arg(t, a, ni, to);
	if (r == 0 && (flags & AT_EMPTY_PATH) && *from != '/' && odirfd != AT_FDCWD)
		r = may_link_fd(t, odirfd);
	return r < 0 ? r : vfs_link(t, odirfd, from, ndirfd, to, flags);
}

long sys_link(struct task *t, const struct sysargs *a) { return do_link(t, a, 0, AT_FDCWD, 1, AT_FDCWD, 0); }

long sys_linkat(struct task *t, const struct sysargs *a)
{
	return do_link(t, a, 1, arg_fd(a, 0), 3, arg_fd(a, 2), arg_u32(a, 4));
}

static long do_rename(struct task *t, const struct sysargs *a, int oi, int odirfd, int ni, int ndirfd, u32 flags)
{
	char from[PATH_MAX] no_init, to[PATH_MAX] no_init;
	int r;

	if (flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		return -EINVAL;
	r = path_arg(t, a, oi, from);
	if (r == 0)
		r = path_arg(t, a, ni, to);
	return r < 0 ? r : vfs_rename(t, odirfd, from, ndirfd, to, flags);
}

long sys_rename(struct task *t, const struct sysargs *a) { return do_rename(t, a, 0, AT_FDCWD, 1, AT_FDCWD, 0); }

long sys_renameat(struct task *t, const struct sysargs *a)
{
	return do_rename(t, a, 1, arg_fd(a, 0), 3, arg_fd(a, 2), 0);
}

long sys_renameat2(struct task *t, const struct sysargs *a)
{
	return do_rename(t, a, 1, arg_fd(a, 0), 3, arg_fd(a, 2), arg_u32(a, 4));
}

static long do_readlink(struct task *t, const struct sysargs *a, int i, int dirfd, u32 look)
{
	char name[PATH_MAX] no_init, text[PATH_MAX] no_init;
	auto_path p = { 0 };
	ssize_t n;
	int r;

	if (arg_s32(a, i + 2) <= 0)
		return -EINVAL;
	r = path_arg(t, a, i, name);
	if (r == 0)
		r = vfs_lookup(t, dirfd, name, look, &p);
	if (r < 0)
		return r;
	n = vfs_readlink(t, &p, text, MIN((size_t)arg_s32(a, i + 2), sizeof(text)));
	if (n == -EINVAL && !*name)
		return -ENOENT;
	if (n < 0)
		return n;
	r = copy_out(t, arg_addr(a, i + 1), text, (size_t)n);
	return r < 0 ? r : n;
}

long sys_readlink(struct task *t, const struct sysargs *a) { return do_readlink(t, a, 0, AT_FDCWD, 0); }
long sys_readlinkat(struct task *t, const struct sysargs *a) { return do_readlink(t, a, 1, arg_fd(a, 0), LOOKUP_EMPTY); }

/* ---- where a process is ---- */

static int may_enter(struct task *t, const struct path *p)
{
	if (!S_ISDIR(path_inode(p)->mode))
		return -ENOTDIR;
	return inode_permission(t, path_inode(p), X_OK);
}

long sys_chdir(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	int r = path_arg(t, a, 0, name);

	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
	if (r == 0)
		r = may_enter(t, &p);
	if (r == 0)
		fs_set_cwd(t->fs, &p);
	return r;
}

long sys_fchdir(struct task *t, const struct sysargs *a)
{
	auto_file *f = fd_get_path(t, arg_fd(a, 0));
	int r;

	if (!f)
		return -EBADF;
	if (!f->path.dentry)
		return -ENOTDIR;
	r = may_enter(t, &f->path);
	if (r == 0)
		fs_set_cwd(t->fs, &f->path);
	return r;
}

long sys_chroot(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	int r = path_arg(t, a, 0, name);

	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
	if (r == 0)
		r = may_enter(t, &p);
	if (r == 0 && !self_capable(t, CAP_SYS_CHROOT))
		r = -EPERM;
	if (r == 0)
		fs_set_root(t->fs, &p);
	return r;
}

long sys_getcwd(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path p = fs_cwd(t->fs);
	ssize_t n;
	int r;

	if (path_is_deleted(&p))
		return -ENOENT;
	n = vfs_cwd_name(t, &p, name, sizeof(name));
	if (n < 0)
		return n;
	if ((size_t)n + 1 > arg_size(a, 1))
		return -ERANGE;
	r = copy_out(t, arg_addr(a, 0), name, (size_t)n + 1);
	return r < 0 ? r : n + 1;
}

/* No file system here gives handles: as one that cannot be exported. */
long sys_name_to_handle_at(struct task *t, const struct sysargs *a)
{
	struct { u32 bytes; s32 type; } h;
	u32 flags = arg_u32(a, 4), look;
	char name[PATH_MAX] no_init;
	auto_path p = { 0 };
	int r;

	if (flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | 0x200 | 1))
		return -EINVAL;
	look = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	r = path_arg(t, a, 1, name);
	if (r == 0)
		r = vfs_lookup(t, arg_fd(a, 0), name, look, &p);
	if (r < 0)
		return r;
	if (copy_in(t, &h, arg_addr(a, 2), sizeof(h)) < 0)
		return -EFAULT;
	return h.bytes > 128 ? -EINVAL : -EOPNOTSUPP;
}
