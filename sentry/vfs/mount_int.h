/*
 * mount_int.h - mounts as vfs sees them inside: private to sentry/vfs.
 *
 * A mount shows the tree below @root, a dentry of @sb, at the place @point of
 * its @parent.  All mounts of all namespaces form one forest under one lock,
 * vfs->mu (RANK_MOUNT); the walk takes it only at dentries with nmounts > 0.
 *
 * Life: a namespace's list holds one reference to each of its mounts, each
 *       child one to its parent; paths hold the rest.  Unmounting takes the
 *       mount out of the tree; who still holds it can go on using it.  What a locked mount covers
 *       stays covered then: it stays among the children of its parent, which holds the reference to it from now on.
 */
#pragma once
#include "platform/base/hash.h"
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
	bool internal;                          /* immutable: of one file of the kernel's own (mount_alone) */
	u32 locked_flags;                       /* immutable once in a tree: those that may not be taken away */

	/* guarded by vfs->mu */
	struct mount *parent;                   /* a reference; NULL: root of a namespace, or in no tree */
	struct dentry *point;                   /* a reference; in parent */
	struct list_head children, sibling;     /* sibling: in parent->children, newest first */
	struct hnode place;                     /* in vfs->places, while there is a parent */
	struct mount *was_in;                   /* a reference; once out of the tree, until it is dropped */
	struct mnt_ns *ns;                      /* borrowed; NULL: in no tree */
	struct list_head ns_node;
	int group;                              /* of peers (propagate.c); 0: not shared */
	struct list_head peers;                 /* the ring of its group */
	struct mount *master;                   /* borrowed: one of the group that it follows */
	struct list_head slaves, slave_node;
	bool unbindable;
	u64 stamp, queued;                      /* propagate.c's, for the operation at hand, like the rest: */
	struct list_head prop_node, victim_node;
	struct mount *prop_src;
	bool victim;                            /* is to go */
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
	u64 places_key;                         /* immutable */
	struct htable places;                   /* guarded by mu: what has a parent, by (parent, point); one at most each */
	int next_id, next_group;                /* guarded by mu */
	u64 stamp;                              /* guarded by mu: number of the operation at hand */
	struct mutex locks_mu;                  /* RANK_FILE: every advisory lock, see lock.c */
	struct mutex notify_mu;                 /* RANK_NOTIFY: every inotify mark and queue, see inotify.c */
	struct list_head inotify_users;         /* guarded by notify_mu: how many of them each user has */
	struct list_head anon_locks;            /* guarded by locks_mu: lock.c's */
	struct list_head lock_waiters;          /* guarded by locks_mu: for deadlock detection */
};

#define MOUNTS_MAX 100000       /* per namespace, as fs.mount-max */

/* How a copy stands to its original: a peer (or slave of the same master), unless */
#define COPY_SLAVE           1u         /* its slave */
#define COPY_MAKE_SHARED     2u         /* and member of a group in any case */
#define COPY_SHARED_TO_SLAVE 4u         /* its slave, if it is shared */
#define COPY_UNBINDABLE      8u         /* those too */
#define COPY_NAMES           16u        /* and the names of mount namespaces */

/* mount.c, for propagate.c. Mounts to be dropped after the lock go to @gone. */
int mount_copy_tree_locked(struct vfs *v, struct mount *from, u32 how, struct mnt_ns *ns, struct user_ns *owner,
                           struct mount **ret) must_check;
void mount_dissolve_locked(struct mount *top, struct list_head *gone);
struct mount *mount_child_locked(struct mount *m, const struct dentry *at);
/* At a place where something may be mounted: that comes to lie on @m. */
void mount_link_below_locked(struct mount *m, struct mount *parent, struct dentry *point);
void mount_relink_locked(struct mount *m, struct mount *parent, struct dentry *point);
/* @m's successor in a walk through the tree at @top; NULL: that was all. */
struct mount *mount_next_locked(struct mount *m, const struct mount *top);
struct mount *mount_past_locked(struct mount *m, const struct mount *top);      /* without what lies below @m */

/* propagate.c */
void prop_init(struct mount *m);
void prop_leave_locked(struct mount *m);
void prop_set_locked(struct vfs *v, struct mount *m, enum propagation prop);
void prop_copied_locked(struct vfs *v, struct mount *m, struct mount *from, u32 how);
int prop_from_locked(const struct mount *m);    /* the group of this namespace that a slave follows, 0: none */
/* @m is about to be mounted at (@dest, @point): its copies go to @fresh, and to their places by prop_commit_locked(). */
int prop_mount_locked(struct vfs *v, struct mount *m, struct mount *dest, struct dentry *point,
                      struct list_head *fresh, struct list_head *gone) must_check;
void prop_commit_locked(struct list_head *fresh, struct dentry *point);
bool prop_has_unbindable_locked(struct mount *top);
/* @m is to be unmounted: is a copy of it in use?  The tree at @top is: its copies go. */
bool prop_busy_locked(struct vfs *v, struct mount *m);
void prop_umount_locked(struct vfs *v, struct mount *top, struct list_head *gone);

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
/* A file that stands for a namespace. */
bool nsfs_is(const struct inode *i);
const char *nsfs_text(const struct inode *i, char *buf, size_t cap);    /* such as net:[4026531840] */
/* The mount namespace that @i is a name of, or NULL. */
const struct ns *nsfs_mnt_ns(const struct inode *i);
/* A mount namespace may hold the names of younger ones only, or they would keep each other. */
bool nsfs_may_bind(const struct inode *i, const struct mnt_ns *into);
