/*
 * overlay_int.h - one tree made of several: private to sentry/fs/overlay.
 *
 * super.c   making, options        lookup.c  nodes and names
 * copyup.c  from lower to upper    dirops.c  create .. rename, whiteouts
 * file.c    open files             list.c    merged directories
 * attr.c    attributes, xattrs     work.c    changes that are whole or not there
 *
 * An onode stands for the visible object of one name: its upper inode, if it has one,
 * and otherwise the first lower one; a directory without the opaque mark merges all
 * its lower directories.  A character device 0:0 is a whiteout.  Formats are those of
 * Linux's overlayfs, so layers can be exchanged with it: marks are trusted.overlay.*, or
 * user.overlay.* (its option userxattr) where the layer is a host directory.
 *
 * What is not copied up knows its parent and name; those cannot change before it is
 * copied up, since rename copies first and directories with lower parts are
 * not renamed (-EXDEV, as on Linux without redirect_dir).
 *
 * Locks: inode.mu of an onode has RANK_OVERLAY; ovl->copy_mu (RANK_COPYUP) makes
 * copies one at a time; both are outer to the locks of the layers' inodes.
 */
#pragma once
#include "sentry/vfs/inode.h"

/* Names of the extended attributes that are marks. */
struct ovl_marks { const char *prefix, *opaque; };

struct overlay {
	struct super sb;
	struct mutex copy_mu;           /* RANK_COPYUP */
	struct super *backing;          /* immutable: whose statfs is shown; a reference */
	struct inode *work;             /* immutable: a directory of the upper layer's super, or NULL; a reference */
	const struct ovl_marks *marks;  /* immutable */
	_Atomic u64 work_seq;           /* names in work */
	bool writable;                  /* immutable */
	bool many;                      /* immutable: more than one lower layer */
};

struct onode {
	struct inode i;
	_Atomic(struct inode *) upper;  /* a reference; set once, under copy_mu */
	struct inode **lower;           /* immutable: references; for files only [0] matters */
	u32 nlower;                     /* immutable */
	struct onode *parent;           /* immutable: a reference; NULL: root */
	char *name;                     /* immutable: in parent */
	size_t len;
};

static inline struct onode *onode_of(struct inode *i) { return container_of(i, struct onode, i); }
static inline struct overlay *overlay_of(struct inode *i) { return container_of(i->sb, struct overlay, sb); }
static inline struct inode *onode_upper(struct onode *n) { return atomic_load(&n->upper); }

/* The layer's inode that is visible now: borrowed, valid while the onode is. */
static inline struct inode *onode_real(struct onode *n)
{
	struct inode *u = onode_upper(n);

	return u ? u : n->lower[0];
}

static inline bool is_whiteout(const struct inode *i)
{
	return S_ISCHR(i->mode) && i->rdev_major == 0 && i->rdev_minor == 0;
}

/* lookup.c: @upper is referenced; @lower's references and the array are taken, on error too. */
int onode_new(struct task *t, struct overlay *ov, struct onode *parent, const char *name, size_t len,
              struct inode *upper, struct inode **lower, u32 nlower, struct onode **ret) must_check;
int ovl_lookup(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret);
bool ovl_revalidate(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *i, bool attrs);
/* Would the name be seen if the upper layer had nothing there? */
int lower_has(struct task *t, struct onode *dir, const char *name, size_t len, bool *ret) must_check;
/* The upper layer's own entry: 0 with *ret NULL if there is none. */
int upper_entry(struct task *t, struct onode *dir, const char *name, size_t len, struct inode **ret) must_check;
/* Mode, owner and links as the layer has them. */
int onode_refresh(struct task *t, struct onode *n) must_check;

/* copyup.c: 0 when @n has an upper inode.  @data false: content is to be thrown away. */
int ovl_copy_up(struct task *t, struct onode *n, bool data) must_check;

/* work.c */
struct ovl_make {
	u32 mode;
	const char *target;             /* symlinks */
	u32 major, minor;
	struct inode *link;             /* instead of all that: one more name of this; borrowed */
};

struct draft {
	struct inode *dir;              /* borrowed: where it is now */
	struct inode *made;             /* a reference */
	const char *name;
	size_t len;
	char temp[24];
};

#define auto_draft cleanup_with(ovl_draft_done) struct draft

/* The caller holds dir->mu. */
int ovl_make_entry(struct task *t, struct inode *dir, const char *name, size_t len, const struct ovl_make *m,
                   struct inode **ret) must_check;
/* In the work directory; without one at its place already: @name in @udir. */
int ovl_draft(struct task *t, struct overlay *ov, struct inode *udir, const char *name, size_t len,
              const struct ovl_make *m, struct draft *ret) must_check;
/* To its place, where @old (or nothing: NULL) is; that goes. */
int ovl_draft_place(struct task *t, struct draft *d, struct inode *udir, const char *name, size_t len,
                    struct inode *old) must_check;
/* The lists that it is to have, in the place of what it inherited where it was made. */
struct acl_heritage;
int ovl_draft_acls(struct task *t, struct draft *d, const struct acl_heritage *want) must_check;
int ovl_draft_drop(struct task *t, struct draft *d) must_check;       /* remove it again */
void ovl_draft_done(struct draft *d);

/* file.c, list.c */
int ovl_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret);
int ovl_open_dir(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret);
/* -ENOTEMPTY if the merged directory shows anything. */
int ovl_check_empty(struct task *t, struct onode *dir) must_check;
/* Remove the whiteouts of an upper directory that is to go. */
int ovl_clear_whiteouts(struct task *t, struct inode *upper_dir) must_check;
/* Remove what is in a directory, one level deep and whiteouts below that. */
int ovl_clear_dir(struct task *t, struct inode *upper_dir) must_check;

extern const struct inode_ops ovl_dir_ops, ovl_file_ops;

/* attr.c */
int ovl_getattr(struct task *t, struct inode *i, struct kstat *ret);
int ovl_setattr(struct task *t, struct inode *i, const struct iattr *a);
ssize_t ovl_readlink(struct task *t, struct inode *i, char *buf, size_t cap);
ssize_t ovl_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t cap);
int ovl_setxattr(struct task *t, struct inode *i, const char *name, const void *v, size_t n, int flags);
ssize_t ovl_listxattr(struct task *t, struct inode *i, char *buf, size_t cap);
int ovl_removexattr(struct task *t, struct inode *i, const char *name);
int ovl_get_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl **ret);
int ovl_set_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl *a);
void ovl_release(struct inode *i);
