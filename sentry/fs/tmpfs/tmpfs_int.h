/*
 * tmpfs_int.h - one file system in memory (tmpfs(5)): private to sentry/fs/tmpfs.
 *
 * super.c  options, limits, statfs      dir.c   entries, create .. rename
 * file.c   content of regular files     xattr.c extended attributes
 * node.c   nodes and their attributes   anon.c  memfds and other unlinked files
 *
 * A directory is a table of entries by name and a tree of them by cookie; an
 * entry owns a reference to its node.  All tables of one tmpfs are guarded by
 * ts->mu (RANK_LEAF), held for moments, so that a removal can look into its victim.
 * Content of a regular file is guarded by its inode's mu: a small one lives in
 * the arena (data), a large or mapped one in a memfd of its own (fd), for good.
 */
#pragma once
#include <fcntl.h>
#include "platform/base/hash.h"
#include "platform/base/rbtree.h"
#include "sentry/vfs/inode.h"

#define TMPFS_SMALL (64u << 10)         /* bytes that a file may have in the arena */
#define DIRENT_SIZE 20                  /* what an entry adds to the size of a directory, as on Linux */

struct tmpfs {
	struct super sb;
	struct mutex mu;                /* RANK_LEAF: entries, counters */
	struct hash_key key;            /* immutable */
	u64 max_blocks, max_inodes;     /* immutable; 4 KiB blocks; 0 = no limit */
	u64 unasked;                    /* immutable: what both are when the mount does not say */
	u64 blocks, inodes;             /* guarded by mu: in use */
	u64 ino_base;                   /* immutable: keeps numbers apart from those of other layers */
	u32 root_mode, root_uid, root_gid;      /* immutable: options */
};

struct tentry {
	struct hnode by_name;
	struct rb_node by_cookie;
	union {
		s64 cookie;
		struct tentry *next;    /* once the directory is being released */
	};
	struct tnode *node;             /* a reference */
	u32 len;
	char name[];
};

struct txattr {
	struct list_head node;
	char *name;
	void *value;
	size_t size;
};

struct tnode {
	struct inode i;
	/* directories: guarded by ts->mu */
	struct htable names;
	struct rb_root order;
	s64 next_cookie;
	struct tnode *up;               /* borrowed: the directory that it is entered in, or NULL */
	/* regular files: guarded by i.mu */
	u8 *data;                       /* cap bytes; those at and after i.size are zero */
	size_t cap;
	hostfd_t fd;                    /* HOSTFD_NONE while small */
	u64 charged;                    /* blocks counted in ts->blocks */
	u32 seals;
	char *anon_name;                /* immutable: unlinked files only */
	/* symlinks */
	char *target;                   /* immutable */
	struct list_head xattrs;        /* guarded by i.mu */
	size_t xattr_bytes;
};

static inline struct tnode *tnode_of(struct inode *i) { return container_of(i, struct tnode, i); }
static inline struct tmpfs *tmpfs_of(struct inode *i) { return container_of(i->sb, struct tmpfs, sb); }

/* node.c: -ENOSPC when the limit of inodes is reached. */
int tnode_new(struct tmpfs *ts, u32 mode, u32 uid, u32 gid, struct tnode **ret) must_check;
void tmpfs_node_release(struct inode *i);
extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops, tmpfs_link_ops, tmpfs_special_ops;
int tmpfs_setattr(struct task *t, struct inode *i, const struct iattr *a) must_check;
void tmpfs_dir_done(struct tnode *n);           /* release of a directory */

/* file.c */
extern const struct file_ops tmpfs_reg_ops;
int tmpfs_file_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret);
int tmpfs_resize_locked(struct tnode *n, u64 size) must_check REQUIRES(n->i.mu);
void tmpfs_file_done(struct tnode *n);
/* Move the content to a memfd (before it is mapped or sealed). */
int tmpfs_promote_locked(struct tnode *n) must_check REQUIRES(n->i.mu);
/* Reserve blocks up to @want in all for @n. 0 or -ENOSPC. */
int tmpfs_charge_locked(struct tnode *n, u64 want) must_check REQUIRES(n->i.mu);

/* dir.c */
int tmpfs_dir_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret);

/* xattr.c */
ssize_t tmpfs_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t cap);
int tmpfs_setxattr(struct task *t, struct inode *i, const char *name, const void *v, size_t n, int flags);
ssize_t tmpfs_listxattr(struct task *t, struct inode *i, char *buf, size_t cap);
int tmpfs_removexattr(struct task *t, struct inode *i, const char *name);
void tmpfs_xattr_done(struct tnode *n);
