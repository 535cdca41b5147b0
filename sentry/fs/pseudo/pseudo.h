/*
 * pseudo.h - directories of tables and files of text: what proc and sysfs are made of.
 *
 * A directory is a const table of entries, and may add entries that come and go
 * (processes, descriptors).  A file's text is made anew when it is read from its
 * start, so one reader sees one moment.  Nodes are made by lookup and hold what they
 * show (a process, a number); the super block caches no names.
 */
#pragma once
#include "sentry/vfs/vfs.h"

struct cgroup;
struct cred;
struct pseudo_node;
struct strbuf;
struct tgroup;

/*
 * Who opened a file.  A descriptor may be handed to somebody who may do more, so where writing needs a right
 * the opener must have it.  Borrowed from the file.
 */
struct pseudo_opener {
	const struct cred *cred;
	struct cgroup *cgroup_root;                     /* of its cgroup namespace; NULL: not a file of a control group */
};

struct pseudo_dir {
	const struct pseudo_entry *entries;
	size_t n;
	/* Further entries: emit those with cookie >= c->pos; cookies start at PSEUDO_DYNAMIC. NULL: none. */
	int (*list)(struct task *t, struct pseudo_node *dir, struct dir_ctx *c);
	/* -ENOENT if there is none. */
	int (*find)(struct task *t, struct pseudo_node *dir, const char *name, size_t len,
	            struct inode **ret);
	bool sized;                                     /* its size is the number of these */
};
#define PSEUDO_DYNAMIC 1000

struct pseudo_entry {
	const char *name;
	u32 mode;                                       /* with type bits */
	/* Files: the text. Links: the target. 0 or -errno. */
	int (*show)(struct task *t, struct pseudo_node *n, struct strbuf *out);
	/* What was written, NUL-terminated. 0 or -errno. NULL: reading only. */
	int (*store)(struct task *t, struct pseudo_node *n, char *text, size_t len);
	/* The same, of files where it counts who opened them; instead of store. */
	int (*store_as)(struct task *t, const struct pseudo_opener *by, struct pseudo_node *n, char *text);
	long (*ioctl)(struct task *t, struct pseudo_node *n, u32 cmd, gaddr_t arg);     /* NULL: -ENOTTY */
	int (*follow)(struct task *t, struct pseudo_node *n, struct path *ret);         /* magic links */
	int (*permit)(struct task *t, struct pseudo_node *n);                           /* to open or read; NULL: mode bits */
	int (*open)(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags,
	            struct file **ret);                                                 /* a kind of its own */
	/* As inode_ops.permission; NULL: mode bits, which capabilities override. */
	int (*permission)(struct task *t, struct pseudo_node *n, int mask);
	const struct pseudo_dir *dir;                   /* directories */
	const char *text;                               /* show NULL: this constant */
};

struct pseudo_node {
	struct inode inode;
	const struct pseudo_entry *e;                   /* immutable */
	struct tgroup *tg;                              /* immutable; a reference, or NULL */
	struct task *task;                              /* immutable; a reference, or NULL */
	struct cgroup *cg;                              /* immutable; a reference, or NULL: its owner and mode may be changed then */
	u64 arg;                                        /* immutable: descriptor, cpu number... */
};

/* A node in @sb; takes its own references on @tg and @task. The owner is @uid:@gid. */
struct inode *pseudo_new(struct super *sb, const struct pseudo_entry *e, u64 ino, struct tgroup *tg,
                         struct task *task, u64 arg, u32 uid, u32 gid) must_check;
/* The same for a file of a control group, which has a reference to it. */
struct inode *pseudo_new_cgroup(struct super *sb, const struct pseudo_entry *e, struct cgroup *cg, u32 uid, u32 gid) must_check;
struct pseudo_node *to_pseudo(struct inode *i);
/* Number of an entry below a directory: the same each time it is looked up. */
u64 pseudo_ino(u64 dir, const char *name, size_t len);
/* A super block of pseudo nodes whose root is @root. */
int pseudo_mount(struct kernel *k, const struct super_ops *ops, u32 magic,
                 const struct pseudo_entry *root, struct super **ret_sb, struct inode **ret_root) must_check;
void pseudo_super_release(struct super *sb);
/* list op helper: "N" style entries; false = full. */
bool pseudo_emit(struct dir_ctx *c, struct pseudo_node *dir, const char *name, u32 mode, s64 next);
