/*
 * gofer_int.h - what the files of this directory share.
 *
 * An inode here (struct ginode) is a host inode by (super, dev, ino): names that are hard
 * links meet in one.  It owns one gofer handle, which pins the host inode, so
 * the numbers cannot be reused while it lives.
 *
 * What may be believed without asking:
 *   names       a struct gname says what a name in a directory is (or that there
 *               is nothing).  Kept only while the directory is watched by the
 *               gofer; an event removes it.  vfs's own cached names are
 *               believed (revalidate) exactly as long as the gname agrees.
 *   attributes  the fields of struct inode, while g->fresh.  Kept only if the
 *               changes would be told (g->coherent), or for ATTR_NS, the time that
 *               telling takes anyway.  With a file open its size and times come
 *               from fstat of the donated descriptor.
 *   access      asked for when somebody is to be judged who is neither the owner nor capable (default lists: when
 *   control     something is made in a directory); then kept, the usual "there is none" too, while changes of
 *   lists       attributes are told.
 * An answer of the gofer is only cached if nothing was invalidated since the
 * question was sent (stamps: dir->names_seq, g->inval, c->changes).
 *
 * Locks: i.mu, then g->fd_mu, then c->mu.  No call to the gofer is made with
 *        c->mu held, and no reference is dropped under it.
 */
#pragma once
#include "platform/base/hash.h"
#include "sentry/fs/gofer/gofer.h"
#include "sentry/fs/gofer/rpc.h"

#define GOFER_AHEAD 32                  /* names looked up in one go */
#define GOFER_AHEAD_KEPT 128

struct gofer_conn {
	struct ref ref;                         /* its maker's, its thread's and one of each super block */
	struct kernel *kernel;                  /* immutable */
	struct gofer_rpc rpc;
	hostfd_t inval_sock;                    /* immutable: read by its thread */
	struct hash_key key;                    /* immutable */
	struct mutex mu;                        /* RANK_RPC: all below, and fields of ginodes marked c->mu */
	struct htable inodes;                   /* ginode.node, by dev and ino */
	struct htable names;                    /* gname.node, by directory and name */
	struct list_head name_lru;              /* gname.lru, oldest first */
	struct list_head idle;                  /* ginode.idle: descriptors kept without need, oldest first */
	u32 nidle;
	u32 idle_max;                           /* immutable */
	u64 changes;                            /* invalidations and changes of our own so far */
	struct ginode *ahead[GOFER_AHEAD_KEPT]; /* references: found ahead, maybe wanted soon */
	u32 ahead_next;
};

struct gsuper {
	struct super sb;
	struct gofer_conn *c;                   /* immutable */
	u32 root_handle;                        /* immutable */
	bool readonly;                          /* immutable */
};

/* Contents of a directory at one moment. */
struct glist {
	struct ref ref;
	u32 n, cap;
	struct glist_entry { u64 ino; u32 name; u8 type, len; } *e;     /* [cap]; name = offset in text */
	char *text;
	u32 text_len, text_cap;
};

struct ginode {
	struct inode i;
	struct gofer_conn *c;                   /* immutable */
	u64 dev;                                /* immutable: the host's */
	u32 handle;                             /* immutable */
	char *target;                           /* symlinks: set once */

	struct hnode node;                      /* c->mu */
	bool watched;                           /* c->mu: a directory whose changes are told */
	bool coherent;                          /* c->mu: changes of attributes are told */
	s64 asked;                              /* c->mu: when the attributes were (monotonic ns) */
	bool fresh;                             /* c->mu: the attributes are as on the host */
	bool mode_stale;                        /* c->mu: not only size and times may have changed */
	u64 inval;                              /* c->mu: times fresh was taken away */
	struct list_head names;                 /* c->mu: gname.of_dir */
	u64 names_seq;                          /* c->mu: changes of names */
	struct glist *list;                     /* c->mu: contents as of list_seq; a reference */
	u64 list_seq;                           /* c->mu */
	u32 ahead_at;                           /* c->mu: where in the listing the last name was missed, plus 1 */
	u32 ahead_types;                        /* c->mu: DT_* bits of the names missed so far */
	struct list_head idle;                  /* c->mu */

	u64 blocks;                             /* i.mu */
	u32 blksize, attributes;                /* i.mu */
	bool has_btime;                         /* i.mu */
	_Atomic bool handle_gone;               /* given back early: the host has removed the file */
	_Atomic bool unlinked;                  /* no name is left: its handle goes back at once, unless it is small */

	_Atomic s64 own_at, notice_at;          /* host's real time: notice.c */

	struct mutex fd_mu;                     /* RANK_MAPPABLE */
	hostfd_t rfd, wfd;                      /* fd_mu: donated, for reading and for both */
	u32 nread, nwrite;                      /* fd_mu: files that use them */
};

struct gname {
	struct hnode node;                      /* c->mu */
	struct list_head lru, of_dir;           /* c->mu */
	struct ginode *dir;                     /* c->mu; borrowed: it purges its names when it goes */
	u64 dev, ino;                           /* 0, 0: there is nothing of that name */
	u8 len;
	char name[];
};

static inline struct ginode *ginode_of(struct inode *i) { return container_of(i, struct ginode, i); }
static inline struct gsuper *gsuper_of(struct super *sb) { return container_of(sb, struct gsuper, sb); }

/* ---- conn.c ---- */
void gconn_unref(struct gofer_conn *c);

/* ---- cache.c ---- */
int gcache_init(struct gofer_conn *c) must_check;
void gcache_done(struct gofer_conn *c);

/*
 * The inode of @n, whose handle is taken over: known already or new.  @watched: its
 * directory is.  @changes: c->changes before the gofer was asked.
 * @may_lock: no inode lock is held.
 */
int ginode_get(struct gsuper *gs, const struct gw_node *n, bool watched, u64 changes, bool may_lock,
               struct ginode **ret) must_check;
/* Its release op. */
void ginode_release(struct inode *i);
/* Take over attributes that were asked for when g->inval was @inval; ignored if that has moved on. */
void ginode_apply(struct ginode *g, const struct gw_attr *a, u64 inval) EXCLUDES(g->i.mu);
/* The same for those of a descriptor, in which the owner is the one known before; else forget. */
void ginode_apply_data(struct ginode *g, const struct gw_attr *a, u64 inval) EXCLUDES(g->i.mu);
/* The access control list that was asked for when g->inval was @inval: @a is borrowed, NULL for none. */
void ginode_keep_acl(struct ginode *g, enum acl_type type, struct posix_acl *a, u64 inval);
/* The attributes are no longer as on the host. */
void ginode_stale(struct ginode *g);
u64 ginode_inval(struct ginode *g);
u64 gconn_changes(struct gofer_conn *c);

/* May the fields be believed as they are? */
bool ginode_valid(struct ginode *g);

enum gname_answer { GNAME_UNKNOWN, GNAME_NOTHING, GNAME_KNOWN };
/* What @name in @dir is: *ret (a reference) if KNOWN; KNOWN with NULL: not in memory any more. */
enum gname_answer gname_find(struct ginode *dir, const char *name, size_t len, struct ginode **ret);
/* Does the cache say that it is @g (NULL: nothing)? *ret_stale: but its mode may have changed. */
bool gname_agrees(struct ginode *dir, const char *name, size_t len, struct ginode *g, bool *ret_stale);
bool gname_known(struct ginode *dir, const char *name, size_t len);
u64 gdir_names_seq(struct ginode *dir, bool *ret_watched);
/* Remember an answer unless names changed since @seq. @g NULL: there is nothing. */
void gname_learn(struct ginode *dir, const char *name, size_t len, struct ginode *g, u64 seq);
/* We changed it ourselves: @g is there now (NULL: nothing is). The directory's attributes are stale. */
void gname_set(struct ginode *dir, const char *name, size_t len, struct ginode *g);
/* What is there now is not known. */
void gname_forget(struct ginode *dir, const char *name, size_t len);
void gdir_set_watched(struct ginode *dir, bool watched);
/* An event from the gofer. */
void gcache_event(void *conn, const struct gw_event *ev, const char *name);
/* Nothing is believed any more. */
void gcache_forget_all(struct gofer_conn *c);

/* ---- notice.c ---- */
#define GNOTICE_MAX 8
/* The directories that an event is about and that may be watched, and what the name stood for before it. */
struct gnotice {
	struct { struct ginode *dir, *child; } v[GNOTICE_MAX];  /* references; child may be NULL */
	u32 n;
};
/* Every inode of @dev and @ino in a super with watches, referenced, to @ret. */
void gcache_each_locked(struct gofer_conn *c, u64 dev, u64 ino, struct gnotice *ret);
/* Around the cache's own handling of an event. */
void gnotice_begin(struct gofer_conn *c, const struct gw_event *ev, const char *name, struct gnotice *ret);
void gnotice_end(struct gnotice *no, const struct gw_event *ev, const char *name);
/* We change @g: before, if it is done without the gofer, and after. */
void gnotice_mine_begins(struct ginode *g);
void gnotice_mine(struct ginode *g);
void g_watched(struct inode *i);

/* ---- dir.c ---- */
struct glist *glist_ref(struct glist *l);
void glist_unref(struct glist *l);
int gdir_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;
struct glist *gdir_kept(struct ginode *dir) must_check;         /* a listing that is still true, or NULL; a reference */
/* Where @name is in @l, or -1. @hint: where it may be. */
int glist_find(const struct glist *l, const char *name, size_t len, u32 hint);

/* ---- ahead.c ---- */
/* @g, which the caller holds, is not kept any longer: its last name is gone. */
void gahead_drop(struct ginode *g);
void gahead_drop_all(struct gofer_conn *c);
enum ahead { AHEAD_UNKNOWN, AHEAD_NOTHING, AHEAD_FOUND };
/*
 * @name in @dir is not cached.  NOTHING: a listing says that it does not exist.  FOUND:
 * it was fetched together with its neighbours.  UNKNOWN: ask for it alone.
 */
enum ahead gdir_ahead(struct task *t, struct ginode *dir, const char *name, size_t len, struct ginode **ret);

/* ---- file.c ---- */
int gfile_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;
/* fstat of a donated descriptor, with the owner as known before: true; false = there is none. */
bool gfile_stat(struct ginode *g, struct gw_attr *ret);
bool gfile_in_use(struct ginode *g);            /* some file is open on it */
/* Take over a descriptor that came with create (@g NULL: close it). */
void gfile_keep(struct ginode *g, hostfd_t fd);
/* Set the size by descriptor: 1, 0 = none is open for writing, or -errno. */
int gfile_truncate(struct ginode *g, u64 size) must_check;
bool gfile_let_go(struct ginode *g);            /* close what is kept, unless a file is open on it */
void gfile_done(struct ginode *g);              /* close what is kept */

/* ---- inode.c, names.c, xattr.c ---- */
extern const struct inode_ops gofer_dir_ops, gofer_node_ops, gofer_link_ops;
int g_getattr(struct task *t, struct inode *i, struct kstat *ret) must_check;
int g_setattr(struct task *t, struct inode *i, const struct iattr *a) must_check;
int g_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;
bool g_revalidate(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *i, bool attrs);
/* GW_WALK_* of a walk for @t. */
u32 gwalk_flags(struct task *t);
int g_lookup(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret) must_check;
int g_create(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, struct inode **ret) must_check;
int g_tmpfile(struct task *t, struct inode *dir, u32 mode, struct inode **ret) must_check;
int g_mkdir(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, struct inode **ret) must_check;
int g_mknod(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, u32 major, u32 minor,
            struct inode **ret) must_check;
int g_symlink(struct task *t, struct inode *dir, const char *name, size_t len, const char *target,
              struct inode **ret) must_check;
int g_link(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *target) must_check;
int g_unlink(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim) must_check;
int g_rmdir(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim) must_check;
int g_rename(struct task *t, struct inode *odir, const char *oname, size_t olen, struct inode *victim,
             struct inode *ndir, const char *nname, size_t nlen, struct inode *target, u32 flags) must_check;
ssize_t g_readlink(struct task *t, struct inode *i, char *buf, size_t cap) must_check;
ssize_t g_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t cap) must_check;
int g_setxattr(struct task *t, struct inode *i, const char *name, const void *v, size_t n, int flags) must_check;
ssize_t g_listxattr(struct task *t, struct inode *i, char *buf, size_t cap) must_check;
int g_removexattr(struct task *t, struct inode *i, const char *name) must_check;
int g_get_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl **ret);
int g_set_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl *a);
