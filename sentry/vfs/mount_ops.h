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

/* In no tree yet; one reference, which mount_attach hands to the namespace. */
struct mount *mount_new(struct super *sb, struct dentry *root, u32 flags, const char *source) must_check;
int mount_attach(struct task *t, struct mount *m, const struct path *at) must_check;

int mount_clone(struct task *t, const struct path *from, bool recursive, struct mnt_ns **ret) must_check;
int mount_new_ns(struct task *t, struct super *sb, struct inode *root, u32 flags, const char *source,
                 struct mnt_ns **ret) must_check;
struct mount *mnt_ns_root_mount(struct mnt_ns *ns);     /* borrowed; NULL once it was attached elsewhere */

int mount_move(struct task *t, const struct path *from, const struct path *to) must_check;
int mount_pivot(struct task *t, const struct path *root, const struct path *new,
                const struct path *put_old) must_check;
struct mount_attrs { u32 set, clear; int prop; };       /* MNT_*; prop -1: as it is */
int mount_set_attr(struct task *t, const struct path *at, const struct mount_attrs *a, bool recursive) must_check;
/* A descriptor for a detached tree, whose reference is taken over on success: an O_PATH file of its root. mountfd.c */
int mountfd_new(struct task *t, struct mnt_ns *ns, struct file **ret) must_check;
/* The detached tree that @p is the root of: a reference, or NULL. */
struct mnt_ns *mount_detached_root(const struct path *p) must_check;
/* prop: 0 private, 1 shared, 2 slave, 3 unbindable. */
int mount_set_propagation(struct task *t, const struct path *at, int prop, bool recursive) must_check;
