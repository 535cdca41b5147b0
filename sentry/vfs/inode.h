/*
 * inode.h - files and directories by identity, and what a file system supplies.
 *
 * A file system embeds struct inode first in its own node and fills in a const
 * inode_ops.  The fields below are the truth for file systems that live in the sentry
 * (tmpfs, proc, devpts); for the gofer client they are a cache that getattr refreshes.
 *
 * Life:  inode_init() gives one reference; dentries, files and calls hold the
 *        rest; the last unref runs ops->release, which frees the embedding object.
 * Locks: i->mu (RANK_INODE) guards attributes and, for directories, contents.
 *        Directory-changing ops are called by vfs with dir->mu held (rename: both
 *        parents, in address order); lookup, getattr and others without.
 */
#pragma once
#include <linux/magic.h>
#include <sys/stat.h>
#include "platform/base/hash.h"
#include "sentry/vfs/file.h"

struct super;
struct iattr;
struct kernel;
struct statfs;
struct flock_state;
struct inotify_marks;
struct leases;
struct pipe;
struct pid_ns;
struct posix_acl;

/* statx's content; mask says what is valid. */
struct kstat {
	u64 ino, size, blocks;
	u32 mode, nlink, uid, gid, blksize;
	u32 dev_major, dev_minor, rdev_major, rdev_minor;
	ktime_t atime, mtime, ctime, btime;
	u32 attributes;                 /* STATX_ATTR_* */
	bool has_btime;
};

#define IATTR_MODE  0x01
#define IATTR_UID   0x02
#define IATTR_GID   0x04
#define IATTR_SIZE  0x08
#define IATTR_ATIME 0x10            /* to .atime */
#define IATTR_MTIME 0x20
#define IATTR_ATIME_NOW 0x40
#define IATTR_MTIME_NOW 0x80

struct iattr {
	u32 valid;                      /* IATTR_* */
	u32 mode, uid, gid;
	u64 size;
	ktime_t atime, mtime;
};

enum acl_type { ACL_ACCESS, ACL_DEFAULT, ACL_TYPES };           /* posix_acl.h */

/*
 * Names are single components without '/' and NUL, at most 255 bytes, never
 * "." or "..".  Permission checks that depend only on modes are made by vfs
 * (perm.c) before the call.  *ret gets a new reference.
 */
struct inode_ops {
	/* Directories. NULL: -ENOTDIR for lookup, -EPERM for the changing ones. */
	int (*lookup)(struct task *, struct inode *dir, const char *name, size_t len, struct inode **ret);
	int (*create)(struct task *, struct inode *dir, const char *name, size_t len, u32 mode,
	              struct inode **ret);                      /* a regular file that must not exist */
	int (*tmpfile)(struct task *, struct inode *dir, u32 mode, struct inode **ret);   /* O_TMPFILE: no name; NULL: -EOPNOTSUPP */
	int (*mkdir)(struct task *, struct inode *dir, const char *name, size_t len, u32 mode, struct inode **ret);
	int (*mknod)(struct task *, struct inode *dir, const char *name, size_t len, u32 mode,
	             u32 major, u32 minor, struct inode **ret);
	int (*symlink)(struct task *, struct inode *dir, const char *name, size_t len, const char *target,
	               struct inode **ret);
	int (*link)(struct task *, struct inode *dir, const char *name, size_t len, struct inode *target);
	int (*unlink)(struct task *, struct inode *dir, const char *name, size_t len, struct inode *victim);
	int (*rmdir)(struct task *, struct inode *dir, const char *name, size_t len, struct inode *victim);
	/* @target NULL if the new name does not exist. flags: RENAME_NOREPLACE is done by vfs; EXCHANGE, WHITEOUT here. */
	int (*rename)(struct task *, struct inode *odir, const char *oname, size_t olen, struct inode *victim,
	              struct inode *ndir, const char *nname, size_t nlen, struct inode *target, u32 flags);
	/* Symbolic links. */
	ssize_t (*readlink)(struct task *, struct inode *, char *buf, size_t cap);      /* bytes; -EINVAL */
	int (*follow)(struct task *, struct inode *, struct path *ret);                 /* magic links (/proc/PID/fd/N): a place; NULL = by text */
	/* Everything. */
	int (*open)(struct task *, struct inode *, const struct path *, u32 flags, struct file **ret);  /* required unless a link */
	int (*getattr)(struct task *, struct inode *, struct kstat *ret);               /* NULL: the fields */
	int (*setattr)(struct task *, struct inode *, const struct iattr *);            /* NULL: -EPERM */
	int (*permission)(struct task *, struct inode *, int mask);                     /* NULL: mode bits */
	int (*truncate_open)(struct task *, struct inode *);                            /* O_TRUNC; NULL: setattr size 0 */
	ssize_t (*getxattr)(struct task *, struct inode *, const char *name, void *buf, size_t cap);  /* -EOPNOTSUPP */
	int (*setxattr)(struct task *, struct inode *, const char *name, const void *v, size_t n, int flags);
	ssize_t (*listxattr)(struct task *, struct inode *, char *buf, size_t cap);
	int (*removexattr)(struct task *, struct inode *, const char *name);
	/* Where inode.acl[] says unknown: *ret is a reference, or NULL if there is no list. */
	int (*get_acl)(struct task *, struct inode *, enum acl_type, struct posix_acl **ret);
	/* @acl (borrowed) is valid; NULL removes; a default one is for directories only. NULL: -EOPNOTSUPP, here are no lists. */
	int (*set_acl)(struct task *, struct inode *, enum acl_type, struct posix_acl *acl);
	/*
	 * May a cached name still be trusted?  Called by the walk on cached entries
	 * (inode NULL: a negative one).  NULL: always.  false = look up again.
	 * @attrs: what it names will be looked at as well, not only its type and identity.
	 */
	bool (*revalidate)(struct task *, struct inode *dir, const char *name, size_t len, struct inode *, bool attrs);
	/* It, or an entry of it, is about to be watched (inotify): see that changes by others are told. NULL: there are none. */
	void (*watched)(struct inode *);
	void (*release)(struct inode *);                                                /* required */
};

struct inode {
	const struct inode_ops *ops;            /* immutable */
	struct super *sb;                       /* immutable */
	struct ref ref;
	u64 ino;                                /* immutable */
	struct mutex wr_mu;                     /* RANK_IWRITE: vfs holds it around write, truncate, fallocate */
	struct mutex mu;                        /* RANK_INODE */
	u32 mode, uid, gid, nlink;              /* guarded by mu (type bits of mode immutable) */
	_Atomic(struct posix_acl *) acl[ACL_TYPES];     /* guarded by sb->acl_mu; NULL may be believed without (posix_acl.h) */
	u32 rdev_major, rdev_minor;             /* immutable */
	u64 size;                               /* guarded by mu */
	u64 blocks;                             /* guarded by mu: st_blocks */
	ktime_t atime, mtime, ctime, btime;     /* guarded by mu */
	struct flock_state *flocks;             /* vfs/lock.c: NULL until used */
	struct inotify_marks *marks;            /* vfs/inotify.c: NULL until used */
	struct leases *leases;                  /* vfs/lease.c: NULL until used */
	struct pipe *fifo;                      /* guarded by mu: open FIFO, see vfs/fifo.c */
	void *unix_bound;                       /* guarded by mu: AF_UNIX socket bound here */
	u8 write_hint;                          /* atomic: F_SET_RW_HINT */
	_Atomic bool linkable;                  /* made by O_TMPFILE: may get its first name */
	_Atomic u32 readers;                    /* files open for reading only (regular ones) */
	_Atomic s32 writers;                    /* > 0: files open for writing (exec is ETXTBSY); < 0: processes that run it (and writing is) */
};

/* A file is open for writing; one runs as a program. false: ETXTBSY, as the other is the case. */
bool inode_add_writer(struct inode *i) must_check;
void inode_drop_writer(struct inode *i);
bool inode_deny_writers(struct inode *i) must_check;
void inode_allow_writers(struct inode *i);

struct super_ops {
	const char *fstype;                                     /* "tmpfs", as in /proc/mounts */
	int (*statfs)(struct task *, struct super *, struct statfs *ret);       /* NULL: zeros with magic */
	void (*show_options)(struct super *, struct strbuf *);  /* each with a comma before it; NULL: none beyond ro/rw */
	void (*release)(struct super *);                        /* required; frees the embedding object */
};

/* Names of one file system: vfs/dentry.c. */
struct dcache {
	struct mutex mu;                        /* RANK_DCACHE: all below, and every dentry of the super */
	struct htable names;
	struct hash_key key;                    /* immutable */
	struct list_head lru;                   /* hashed dentries, oldest first */
	u32 count;
	u32 max;                                /* names kept when nobody holds them; set before use */
	struct dentry *root;                    /* borrowed; NULL when nothing refers to the root */
};

struct super {
	const struct super_ops *ops;            /* immutable */
	struct ref ref;                         /* inodes and mounts hold it */
	u32 magic;                              /* statfs f_type; immutable */
	u32 dev_minor;                          /* st_dev = makedev(0, dev_minor); immutable */
	bool nodcache;                          /* immutable: never cache names (proc) */
	bool slow_lookup;                       /* immutable: O_EXCL tries create(), which refuses what exists, before lookup() */
	u32 depth;                              /* immutable: overlays upon each other that a guest made, this one counted */
	struct kernel *kernel;                  /* immutable */
	const char *source;                     /* immutable: first column of /proc/mounts */
	struct pid_ns *pid_ns;                  /* immutable: whose numbers proc shows; a reference, or NULL */
	u32 proc_gid;                           /* immutable: proc's options (fs/proc/options.c) */
	u8 proc_hide;
	bool proc_pids_only;
	struct dcache dcache;
	struct mutex rename_mu;                 /* RANK_MOUNT: moves of directories between parents */
	struct mutex acl_mu;                    /* RANK_LEAF: acl[] of its inodes */
	_Atomic u32 nmarks;                     /* inodes watched by inotify */
	_Atomic u32 nmounts;                    /* the last one to go empties dcache */
};

/* Is its lookup's answer the last word, so that nothing can be made (proc, sysfs)? Unlike devpts, which looks for names anew, too. */
static inline bool super_knows_all_names(const struct super *sb) { return sb->nodcache && sb->magic != DEVPTS_SUPER_MAGIC; }
void super_init(struct super *sb, const struct super_ops *ops, struct kernel *k, u32 magic);
struct super *super_ref(struct super *sb);
void super_unref(struct super *sb);

/* Takes a reference on @sb; times = now. */
void inode_init(struct inode *i, const struct inode_ops *ops, struct super *sb, u64 ino, u32 mode,
                u32 uid, u32 gid);
void inode_done(struct inode *i);               /* for release ops */
struct inode *inode_ref(struct inode *i);
struct inode *inode_unref(struct inode *i);     /* NULL is fine; returns NULL */
static inline void inode_unref_p(struct inode **p) { inode_unref(*p); }
#define auto_inode cleanup_with(inode_unref_p) struct inode

int inode_getattr(struct task *t, struct inode *i, struct kstat *ret) must_check;
void inode_fields(struct inode *i, struct kstat *ret);          /* what the fields say */
/* Mode bits, capabilities, read-only mounts are the walk's. mask: R_OK|W_OK|X_OK. */
int inode_permission(struct task *t, struct inode *i, int mask) must_check;
/* What @c may do by mode bits and capabilities, of a node without an access list. */
int inode_mode_permission(const struct cred *c, const struct inode *i, int mask) must_check;
/* For new nodes of @dir: the caller's fsuid and fsgid, or the group of a set-gid directory (kept on in directories). */
void inode_new_owner(struct task *t, struct inode *dir, u32 *mode, u32 *ret_uid, u32 *ret_gid);
/* Now, as the attributes of file systems that live here record it. */
ktime_t inode_now(struct inode *i);
/* relatime (or what the mount says) after a read; only for file systems that live here. */
void inode_touch_atime(struct inode *i, u32 mnt_flags);
/* Owner of @i, or CAP_FOWNER. */
bool inode_owner_or_capable(struct task *t, struct inode *i);
/* Apply to the fields as Linux's setattr_copy: for file systems that live here. i->mu held. */
void inode_apply_attr(struct inode *i, const struct iattr *a) REQUIRES(i->mu);
