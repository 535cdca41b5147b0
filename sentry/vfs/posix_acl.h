/*
 * posix_acl.h - POSIX access control lists: acl(5).
 *
 * An inode has up to two lists: the access list, and, if it is a directory, the default one, which new entries
 * inherit.  Ids are those of the first user namespace; a list is immutable once anybody else sees it.  A list that was
 * found valid has its entries in the order of their tags, one USER_OBJ, GROUP_OBJ and OTHER each, and a MASK if anybody is
 * named.  The mode's group bits are the mask, so a list without them grants nothing that the mode doesn't.
 *
 * inode.acl[] says what is known:  NULL         no list, which is what nearly all inodes cost: one test
 *                                  ACL_UNKNOWN  ask ops->get_acl (files of the host, overlays)
 *                                  else         the list, with a reference
 * Locks: super.acl_mu (RANK_LEAF) guards the pointers.
 */
#pragma once
#include "platform/base/ref.h"
#include "sentry/vfs/inode.h"

struct cred;
struct user_ns;

#define ACL_UNKNOWN ((struct posix_acl *)1)
#define ACL_MAX_BYTES 65536             /* of an extended attribute */

enum acl_tag {
	ACL_USER_OBJ = 0x01, ACL_USER = 0x02, ACL_GROUP_OBJ = 0x04, ACL_GROUP = 0x08, ACL_MASK = 0x10, ACL_OTHER = 0x20,
};

struct acl_entry { u16 tag, perm; u32 id; };            /* id: of USER and GROUP; ID_NONE: of nobody here */

struct posix_acl {
	struct ref ref;
	u32 n;
	struct acl_entry e[];
};

struct posix_acl *acl_ref(struct posix_acl *a);         /* NULL is fine, here and below */
void acl_unref(struct posix_acl *a);
static inline void acl_unref_p(struct posix_acl **a) { acl_unref(*a); }
#define auto_acl cleanup_with(acl_unref_p) struct posix_acl

/* ---- lists (posix_acl.c) ---- */

/*
 * The extended attribute's bytes, whose ids are those of @u.  *ret is NULL if there are no entries.  -EOPNOTSUPP (version),
 * -EINVAL (length, tags, ids that @u doesn't know), -ENOMEM.  The list may be invalid yet.
 */
int acl_parse(const struct user_ns *u, const void *bytes, size_t n, struct posix_acl **ret) must_check;
/* The same for what the gofer tells: ids without a name here stand for nobody. */
int acl_parse_host(const void *bytes, size_t n, struct posix_acl **ret) must_check;
size_t acl_size(const struct posix_acl *a);
void acl_format(const struct user_ns *u, const struct posix_acl *a, void *bytes);       /* acl_size() of them */
bool acl_valid(const struct posix_acl *a);
/* What it says about the nine mode bits of *mode.  true: and that is all it says. */
bool acl_to_mode(const struct posix_acl *a, u32 *mode);
/* 0 or -EACCES for @c; the owner's class is not asked about if he isn't @c. */
int acl_check(const struct posix_acl *a, const struct cred *c, u32 uid, u32 gid, int mask) must_check;
/* The list after chmod(2): a new one. NULL: no memory. */
struct posix_acl *acl_chmod(const struct posix_acl *a, u32 mode) must_check;
/* What is made with *mode in a directory with this default list gets: a new one, and what it leaves of *mode. NULL: no memory. */
struct posix_acl *acl_for_new(const struct posix_acl *dir_default, u32 *mode) must_check;

/* What a new entry gets from its directory's default list. */
struct acl_heritage { struct posix_acl *acl[ACL_TYPES]; };
void acl_heritage_done(struct acl_heritage *h);
#define auto_heritage cleanup_with(acl_heritage_done) struct acl_heritage

/* ---- inodes (inode_acl.c) ---- */

/* The list, a reference, or NULL. Asks the file system if it is not known. */
int inode_get_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl **ret) must_check;
/* What is known from now on; the reference is taken. */
void inode_keep_acl(struct inode *i, enum acl_type type, struct posix_acl *a);
/* Both are unknown, but for a symlink, which has none. */
void inode_forget_acls(struct inode *i);
void inode_acls_done(struct inode *i);
/* Does chmod or a new list leave the set-gid bit alone?  Not if the caller is a stranger to the group. */
bool inode_keeps_setgid(struct task *t, struct inode *i);
/* The whole set_acl op of file systems that live here, and what their chmod does to the list: 0 or -ENOMEM. */
int inode_set_acl_here(struct task *t, struct inode *i, enum acl_type type, struct posix_acl *a);
int inode_acl_chmod(struct inode *i, u32 mode) must_check REQUIRES(i->mu);

/* @to gets what @from has. */
int inode_copy_acl(struct task *t, struct inode *from, struct inode *to, enum acl_type type) must_check;

/* ---- making ---- */
/* The umask's part of *mode, for what is to be made in @dir: none if that has a default list. */
int acl_umask(struct task *t, struct inode *dir, u32 *mode) must_check;
/* What is to be made in @dir with *mode inherits *ret, and keeps of *mode what that allows. */
int acl_inherit(struct task *t, struct inode *dir, u32 *mode, struct acl_heritage *ret) must_check;

/* ---- extended attributes ---- */
/* Which list @name is, or -1. */
int acl_type_of(const char *name);
extern const char *const acl_xattr_name[ACL_TYPES];
ssize_t acl_getxattr(struct task *t, struct inode *i, enum acl_type type, void *buf, size_t cap);
int acl_setxattr(struct task *t, struct inode *i, enum acl_type type, const void *v, size_t n);
