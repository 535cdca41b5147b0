/*
 * mount_int.h - mounts as vfs sees them inside: private to sentry/vfs.
 *
 * A mount shows the tree below @root, a dentry of @sb, at the place @point of
 * its @parent.  All mounts of all namespaces form one forest under one lock,
 * vfs->mu (RANK_MOUNT); the walk takes it only at dentries with nmounts > 0.
 *
 * Life: a namespace's list holds one reference to each of its mounts, each
 *       child one to its parent; paths hold the rest.  Unmounting takes the
 *       mount out of the tree; who still holds it can go on using it.
 */
#pragma once
#include "platform/base/list.h"
#include "sentry/kernel/ns.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/vfs.h"

enum propagation { PROP_PRIVATE, PROP_SHARED, PROP_SLAVE, PROP_UNBINDABLE };

struct mount {
	struct ref ref;
	struct super *sb;                       /* immutable; a reference */
	struct dentry *root;                    /* immutable; a reference */
	int id;                                 /* immutable */
	char *source;                           /* immutable; owned */
	_Atomic u32 flags;                      /* MNT_* */
	u32 locked_flags;                       /* immutable once in a tree: those that may not be taken away */

	/* guarded by vfs->mu */
	struct mount *parent;                   /* a reference; NULL: root of a namespace, or in no tree */
	struct dentry *point;                   /* a reference; in parent */
	struct list_head children, sibling;     /* sibling: in parent->children, newest first */
	struct mnt_ns *ns;                      /* borrowed; NULL: in no tree */
	struct list_head ns_node;
	enum propagation prop;
	bool locked;                            /* came from a more privileged namespace: stays where it is */
	struct mount *copy_of;                  /* while a tree is copied, under one hold of the lock */
};

struct mnt_ns {
	struct ns ns;
	struct kernel *kernel;                  /* immutable */
	struct mount *root;                     /* guarded by vfs->mu; a reference */
	struct list_head mounts;                /* guarded by vfs->mu; in order of mounting */
	u32 count;                              /* guarded by vfs->mu */
	_Atomic u64 changes;                    /* written under vfs->mu */
	struct waitq wq;                        /* POLLPRI: changes has grown */
	bool detached;                          /* immutable: a tree on its way (open_tree, fsmount) */
};

struct vfs {
	struct mutex mu;                        /* RANK_MOUNT */
	int next_id;                            /* guarded by mu */
	struct mutex locks_mu;                  /* RANK_FILE: every advisory lock, see lock.c */
	struct mutex notify_mu;                 /* RANK_NOTIFY: every inotify mark and queue, see inotify.c */
	struct list_head lock_waiters;          /* guarded by locks_mu: for deadlock detection */
};

#define MOUNTS_MAX 100000       /* per namespace, as fs.mount-max */

/* In no tree yet; one reference. */
struct mount *mount_new(struct super *sb, struct dentry *root, u32 flags, const char *source) must_check;
/* A mount in no tree whose root is @i (NULL: -ENOMEM); it and the super live as long as the place. */
int mount_alone(struct super *sb, struct inode *i, struct path *ret) must_check;
struct mount *mount_ref(struct mount *m);
struct mount *mount_unref(struct mount *m);     /* NULL is fine; returns NULL */

/* If something is mounted on *p, the topmost root there instead. True if *p changed. */
bool mount_cross(struct path *p);
/* From the root of a mount to the place it is mounted on. False at the top. */
bool mount_up(struct path *p);
struct vfs *mount_vfs(const struct mount *m);
/* Names in @buf, or "": the place as seen from @root (v->mu held), and what of its file system it shows. */
const char *mount_point_name_locked(const struct mount *m, const struct path *root, char *buf, size_t cap);
const char *mount_root_name(const struct mount *m, char *buf, size_t cap);
/* A mount namespace may hold only older ones, or they would keep each other. */
bool nsfs_may_bind(const struct inode *i, const struct mnt_ns *into);
