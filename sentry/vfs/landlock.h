/*
 * landlock.h - what a program forbids itself and its children (landlock(7)): files by directory, TCP ports, and to
 * reach, by a signal or an abstract name, those who have not forbidden themselves as much.
 *
 * A ruleset (a descriptor) names the rights it handles and grants some of them below places; restrict_self makes
 * of its rules an immutable layer over those that the task has already.  What any layer handles and does not
 * grant is denied.  Layers hang from the credentials, so clone, exec and changes of ids keep them.
 *
 * A rule means a file by its dentry, whose inode it keeps; files are compared by super block and number.
 */
#pragma once
#include "platform/base/compiler.h"

struct cred;
struct dentry;
struct file;
struct inode;
struct landlock;
struct path;
struct task;

#define LANDLOCK_ABI    6
/* What Linux had wrong: 1 only TCP has ports, 2 signals within a process are free, 4 directories moved out of a mount. */
#define LANDLOCK_ERRATA 7u

#define LL_EXECUTE     0x0001u
#define LL_WRITE_FILE  0x0002u
#define LL_READ_FILE   0x0004u
#define LL_READ_DIR    0x0008u
#define LL_REMOVE_DIR  0x0010u
#define LL_REMOVE_FILE 0x0020u
#define LL_MAKE_CHAR   0x0040u
#define LL_MAKE_DIR    0x0080u
#define LL_MAKE_REG    0x0100u
#define LL_MAKE_SOCK   0x0200u
#define LL_MAKE_FIFO   0x0400u
#define LL_MAKE_BLOCK  0x0800u
#define LL_MAKE_SYM    0x1000u
#define LL_REFER       0x2000u
#define LL_TRUNCATE    0x4000u
#define LL_IOCTL_DEV   0x8000u
#define LL_FS_ALL      0xffffu
#define LL_ON_FILES    (LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV)

#define LL_BIND_TCP    0x1u
#define LL_CONNECT_TCP 0x2u
#define LL_NET_ALL     0x3u

#define LL_SCOPE_ABSTRACT 0x1u          /* sockets with abstract names */
#define LL_SCOPE_SIGNAL   0x2u
#define LL_SCOPE_ALL      0x3u

/* ---- landlock_set.c: rulesets ---- */
struct landlock_handled { u32 fs, net, scoped; };
int landlock_set_new(struct task *t, const struct landlock_handled *h, struct file **ret) must_check;
bool is_landlock_set(const struct file *f);
/*
 * @access is among what is handled.  -EBADFD: a file that only the kernel mounts.  -EINVAL: rights of directories on another
 * kind.  -E2BIG: too many rules.
 */
int landlock_add_path(struct file *set, const struct path *p, u32 access) must_check;
int landlock_add_port(struct file *set, u16 port, u32 access) must_check;
struct landlock_handled landlock_handled(const struct file *set);
/* One more layer for @t. -E2BIG: it has 16. */
int landlock_restrict(struct task *t, struct file *set) must_check;

/* ---- landlock.c: layers, and the questions asked of them ---- */
struct landlock *landlock_ref(struct landlock *l);              /* NULL is fine */
void landlock_unref(struct landlock *l);
/* 0 or -EACCES. */
int landlock_path(struct task *t, const struct path *p, u32 access) must_check;
/* Open @p with O_* @flags. *ret_denied: FILE_NO_TRUNCATE, FILE_NO_IOCTL, for what the file is not to do later. */
int landlock_open(struct task *t, const struct path *p, u32 flags, u32 *ret_denied) must_check;
/* Is ioctl @cmd free on a device opened with FILE_NO_IOCTL?  Those that no driver answers are. */
bool landlock_ioctl_free(u32 cmd);
/* Make a node of type @mode in a directory. */
int landlock_make(struct task *t, const struct path *dir, u32 mode) must_check;
int landlock_remove(struct task *t, const struct path *dir, bool is_dir) must_check;
/*
 * link (@remove false) or rename @moved from @from to @to, where @over (may be NULL) is replaced, or goes the other way (@exchange).
 * -EACCES, or -EXDEV: a copy might be allowed.
 */
struct landlock_move {
	const struct path *from, *to;           /* directories */
	struct inode *moved, *over;
	bool remove, exchange;
};
int landlock_move(struct task *t, const struct landlock_move *m) must_check;
/* The tree of mounts is not for those whose files are restricted: -EPERM. */
int landlock_mounts(struct task *t) must_check;
/* May a task with @by look into one with @of? */
bool landlock_may_trace(const struct cred *by, const struct cred *of);
/* @access: LL_*_TCP. 0 or -EACCES. */
int landlock_port(struct task *t, u16 port, u32 access) must_check;
/* Is @to, of a task or socket, out of reach for @from?  @scope: LL_SCOPE_*. NULL: no layers. */
bool landlock_scoped(const struct landlock *from, const struct landlock *to, u32 scope);
