/*
 * mount_ops.h - what mount(2), pivot_root(2) and the new mount calls need
 * beyond vfs.h: detached trees, moves, propagation types.
 *
 * A detached tree (fsmount, open_tree) lives in a namespace of its own and
 * dies with it; mount_attach() moves it into the tree of a task.
 */
#pragma once
#include <sys/mount.h>
#include "sentry/vfs/vfs.h"

/* In no tree yet; one reference, which mount_attach hands to the namespace. @was: where the caller saw it, NULL: in none. */
struct mount *mount_new(struct super *sb, struct dentry *root, u32 flags, const char *source) must_check;
int mount_attach(struct task *t, struct mount *m, const struct mnt_ns *was, const struct path *at) must_check;

int mount_clone(struct task *t, const struct path *from, bool recursive, struct mnt_ns **ret) must_check;
int mount_new_ns(struct task *t, struct super *sb, struct inode *root, u32 flags, const char *source,
                 struct mnt_ns **ret) must_check;

int mount_move(struct task *t, const struct path *from, const struct path *to) must_check;
int mount_pivot(struct task *t, const struct path *root, const struct path *new,
                const struct path *put_old) must_check;
struct mount_attrs { u32 set, clear; int prop; };       /* MNT_*; prop -1: as it is */
int mount_set_attr(struct task *t, const struct path *at, const struct mount_attrs *a, bool recursive) must_check;
/* A descriptor for a detached tree, whose reference is taken over on success: an O_PATH file of its root. mountfd.c */
int mountfd_new(struct task *t, struct mnt_ns *ns, struct file **ret) must_check;
/* The detached tree that @p is the root of: a reference, or NULL. */
struct mnt_ns *mount_detached_root(const struct path *p) must_check;
/* ---- statmount(2), listmount(2): statmount.c ---- */
#define STATMOUNT_SB_BASIC       0x01u
#define STATMOUNT_MNT_BASIC      0x02u
#define STATMOUNT_PROPAGATE_FROM 0x04u
#define STATMOUNT_MNT_ROOT       0x08u
#define STATMOUNT_MNT_POINT      0x10u
#define STATMOUNT_FS_TYPE        0x20u
#define STATMOUNT_MNT_NS_ID      0x40u
#define MOUNT_LIST_ROOT UINT64_MAX              /* LSMT_ROOT: from the caller's root */

struct lx_statmount {
	u32 size, mnt_opts;
	u64 mask;
	u32 sb_dev_major, sb_dev_minor;
	u64 sb_magic;
	u32 sb_flags, fs_type;
	u64 mnt_id, mnt_parent_id;
	u32 mnt_id_old, mnt_parent_id_old;
	u64 mnt_attr, mnt_propagation, mnt_peer_group, mnt_master, propagate_from;
	u32 mnt_root, mnt_point;
	u64 mnt_ns_id;
	u64 rest[49];
};
_Static_assert(sizeof(struct lx_statmount) == 512, "statmount's size");

/* The strings that the offsets mean go to @out. -ENOENT, -EPERM. */
int mount_stat(struct task *t, u64 id, u64 mask, struct lx_statmount *ret, struct strbuf *out) must_check;
/* Ids of the mounts below @id's, itself left out, in order; after (reverse: before) @after, 0: all. How many; *ret is the caller's to free. */
long mount_list(struct task *t, u64 id, u64 after, bool reverse, u64 **ret) must_check;
/* prop: 0 private, 1 shared, 2 slave, 3 unbindable. */
int mount_set_propagation(struct task *t, const struct path *at, int prop, bool recursive) must_check;
