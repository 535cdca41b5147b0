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
/* prop: 0 private, 1 shared, 2 slave, 3 unbindable. */
int mount_set_propagation(struct task *t, const struct path *at, int prop, bool recursive) must_check;
