/*
 * vfs.h - names, mounts and the verbs on paths that syscalls use.
 *
 * Paths are walked from a task's root and working directory (struct fs) through
 * mounts, as in Linux's namei: symlinks at most 40, ".." stopped at the root,
 * trailing slashes require a directory.  All verbs take (dirfd-relative)
 * start points as Linux's *at calls do and do the permission checks.
 */
#pragma once
#include "sentry/vfs/inode.h"

struct kernel;
struct mnt_ns;
struct ns;
struct user_ns;
struct fs;

/* Before any other call of this directory, once a kernel: kernel->vfs. */
int vfs_init(struct kernel *k) must_check;

/* Working directory, root and umask; shared by CLONE_FS. */
struct fs {
	struct ref ref;
	struct mutex mu;                        /* RANK_FS */
	struct path cwd, root GUARDED_BY(mu);
	u32 umask GUARDED_BY(mu);
};
struct fs *fs_new(const struct path *root, const struct path *cwd, u32 umask) must_check;
struct fs *fs_copy(struct fs *from) must_check;
struct fs *fs_ref(struct fs *fs);
void fs_unref(struct fs *fs);
struct path fs_root(struct fs *fs);             /* counted */
struct path fs_cwd(struct fs *fs);              /* counted */
void fs_set_root(struct fs *fs, const struct path *p);
void fs_set_cwd(struct fs *fs, const struct path *p);
void fs_replace(struct fs *fs, const struct path *from, const struct path *to);         /* pivot_root */
u32 fs_umask(struct fs *fs);
u32 fs_set_umask(struct fs *fs, u32 mask);      /* the old one */

void path_get(const struct path *p);
void path_put(struct path *p);                  /* drops both and clears */
#define auto_path cleanup_with(path_put) struct path
bool path_is_deleted(const struct path *p);
bool path_is_mount_root(const struct path *p);
struct inode *path_inode(const struct path *p); /* borrowed; never NULL for a positive place */

#define LOOKUP_FOLLOW     0x001                 /* follow a final symlink */
#define LOOKUP_DIRECTORY  0x002                 /* the result must be a directory */
#define LOOKUP_EMPTY      0x004                 /* AT_EMPTY_PATH: "" means dirfd itself */
#define LOOKUP_NO_XDEV    0x010                 /* openat2's RESOLVE_* */
#define LOOKUP_NO_MAGICLINKS 0x020
#define LOOKUP_NO_SYMLINKS 0x040
#define LOOKUP_BENEATH    0x080
#define LOOKUP_IN_ROOT    0x100

/* Walk @name from @dirfd (AT_FDCWD or a guest fd). *ret is a counted place. */
int vfs_lookup(struct task *t, int dirfd, const char *name, u32 flags, struct path *ret) must_check;
/* open(2): flags are the guest's O_*, resolve the LOOKUP_* of openat2. */
int vfs_open(struct task *t, int dirfd, const char *name, u32 flags, u32 mode, u32 resolve,
             struct file **ret) must_check;
/* Open a place already found (exec, /proc, coredumps): permission checked unless @nocheck. */
int vfs_open_path(struct task *t, const struct path *p, u32 flags, bool nocheck, struct file **ret) must_check;
/* What opening a FIFO means, in every file system; made by sentry/fs/pipe. */
int fifo_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;

int vfs_mkdir(struct task *t, int dirfd, const char *name, u32 mode) must_check;
int vfs_mknod_type(u32 mode) must_check;        /* what is wrong with it, before the name is looked at */
int vfs_mknod(struct task *t, int dirfd, const char *name, u32 mode, u32 major, u32 minor) must_check;
int vfs_symlink(struct task *t, const char *target, int dirfd, const char *name) must_check;
int vfs_link(struct task *t, int odirfd, const char *oname, int ndirfd, const char *nname, u32 at_flags) must_check;
int vfs_unlink(struct task *t, int dirfd, const char *name) must_check;
int vfs_rmdir(struct task *t, int dirfd, const char *name) must_check;
int vfs_rename(struct task *t, int odirfd, const char *oname, int ndirfd, const char *nname, u32 flags) must_check;
int vfs_setattr(struct task *t, const struct path *p, const struct iattr *a) must_check;
int inode_setattr(struct task *t, struct inode *i, const struct iattr *a) must_check;   /* fchmod of a file without place */
int vfs_truncate(struct task *t, const struct path *p, u64 size) must_check;
/* By st_dev, as ustat(2) asks: of what is mounted where @t is. -EINVAL: nothing. */
int vfs_statfs_dev(struct task *t, u32 dev, struct statfs *ret) must_check;
int vfs_statfs(struct task *t, struct super *sb, u32 mnt_flags, struct statfs *ret) must_check;
/* Extended attributes; cap 0 asks for the size. */
ssize_t vfs_getxattr(struct task *t, const struct path *p, const char *name, void *buf, size_t cap) must_check;
int vfs_setxattr(struct task *t, const struct path *p, const char *name, const void *v, size_t n,
                 int flags) must_check;
int vfs_removexattr(struct task *t, const struct path *p, const char *name) must_check;
ssize_t vfs_listxattr(struct task *t, const struct path *p, char *buf, size_t cap) must_check;
int vfs_access(struct task *t, int dirfd, const char *name, int mode, u32 at_flags) must_check;
ssize_t vfs_readlink(struct task *t, const struct path *p, char *buf, size_t cap) must_check;
/*
 * Absolute name of a place as seen from @t's root (outside of it: from the root of its own mounts; " (deleted)" appended).
 * Bytes or -ENAMETOOLONG/-ERANGE.  For getcwd(2) with "(unreachable)" before what is outside.
 */
ssize_t vfs_path_name(struct task *t, const struct path *p, char *buf, size_t cap) must_check;
ssize_t vfs_cwd_name(struct task *t, const struct path *p, char *buf, size_t cap) must_check;
/*
 * A place for an open file that has none (a pipe, host stdio, a memfd), as
 * Linux's pipefs and shmem give one: what following /proc/PID/fd/N leads to.
 * Opening it there opens the same object anew.
 */
int vfs_proxy_place(struct task *t, struct file *f, struct path *ret) must_check;
/* Is there such an open at all? Told before the name is looked at. */
int vfs_open_flags(u32 flags) must_check;
#define LX_LARGEFILE 0100000    /* what a 64-bit kernel adds for F_GETFL */
bool vfs_is_proxy(const struct inode *i);
/* Create the socket node for bind(2): returns its place; the caller stores unix_bound. */
int vfs_bind_socket(struct task *t, const char *name, u32 mode, struct path *ret) must_check;
/* A file of O_PATH for @p. */
int vfs_open_place(struct task *t, const struct path *p, struct file **ret) must_check;

/* ---- mounts (mount.c) ---- */
#define MNT_READONLY 0x01
#define MNT_NOSUID   0x02
#define MNT_NODEV    0x04
#define MNT_NOEXEC   0x08
#define MNT_NOATIME  0x10
#define MNT_RELATIME 0x20
#define MNT_NODIRATIME 0x40
#define MNT_NOSYMFOLLOW 0x80
#define MNT_LOCKABLE (MNT_READONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC)

/* A fresh namespace whose root is @sb's root directory @root. */
int mnt_ns_new(struct kernel *k, struct super *sb, struct inode *root, u32 flags, struct mnt_ns **ret) must_check;
struct mnt_ns *mnt_ns_ref(struct mnt_ns *ns);
void mnt_ns_unref(struct mnt_ns *ns);
/* CLONE_NEWNS: @fs is moved along. */
int mnt_ns_copy(struct task *t, struct mnt_ns *from, struct user_ns *owner, struct fs *fs, struct mnt_ns **ret) must_check;
struct ns *mnt_ns_common(struct mnt_ns *ns);
struct mnt_ns *mnt_ns_of(struct ns *ns);
/* How often its mounts have changed, and who waits for it to happen (POLLPRI). */
u64 mnt_ns_changes(struct mnt_ns *ns);
struct waitq *mnt_ns_wq(struct mnt_ns *ns);
/* May @t change the mounts of its namespace? */
bool mount_may_admin(struct task *t);
/* Places and files that stand for namespaces (nsfs.c); @ns is referenced. */
int nsfs_place(struct task *t, struct ns *ns, struct path *ret) must_check;
struct ns *nsfs_ns(struct file *f);             /* borrowed; NULL: not one */
struct path mnt_ns_root(struct mnt_ns *ns);     /* counted */
/* Mount @sb (root directory @root; @source for /proc/mounts) at a place. */
int mount_add(struct task *t, const struct path *at, struct super *sb, struct inode *root, u32 flags,
              const char *source) must_check;
int mount_bind(struct task *t, const struct path *from, const struct path *at, bool recursive, u32 flags) must_check;
int mount_remount(struct task *t, const struct path *at, u32 flags) must_check;
int mount_umount(struct task *t, const struct path *at, u32 umount_flags) must_check;
u32 mount_flags(const struct mount *m);
int mount_id(const struct mount *m);            /* as in mountinfo, fdinfo and statx */
u64 mount_unique_id(const struct mount *m);     /* never used again: STATX_MNT_ID_UNIQUE, statmount(2) */
/* /proc/PID/{mounts,mountinfo,mountstats}. kind: 0, 1, 2. */
int mounts_show(struct task *t, struct mnt_ns *ns, struct fs *fs, int kind, struct strbuf *out) must_check;

/* Make a file system by type name as mount(2) does (tmpfs, proc, sysfs, devtmpfs, devpts, mqueue, cgroup...). */
struct fstype {
	const char *name;
	bool nodev;                             /* in /proc/filesystems */
	/* @opts: comma-separated mount data or NULL. *ret_root counted; *ret_sb counted. */
	int (*make)(struct task *t, struct kernel *k, const char *source, const char *opts,
	            struct super **ret_sb, struct inode **ret_root);
};
const struct fstype *fstype_find(const char *name);     /* table in sentry/fs/fstypes.c */
const struct fstype *fstype_at(size_t i);               /* the i-th row, NULL after the last */
