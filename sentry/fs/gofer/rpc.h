/*
 * rpc.h - calls to the gofer: one typed function a message.
 *
 * Knows sockets and packets, no inode.  A call takes one of a few control
 * sockets (its lock is held from send to receive), so as many calls run at once
 * as there are sockets, and no thread waits for another's reply; one of them goes by doorbell, which the first
 * that finds it free takes.  The gofer is hostile
 * here: lengths, tags, names and descriptors of replies are checked; the first
 * lie or the end of the gofer breaks the connection for good (-EIO).
 *
 * Locks: bell.mu, chan[i].mu (RANK_RPC), pend_mu (RANK_LEAF).
 */
#pragma once
#include "gofer/proto/wire.h"
#include "platform/base/lock.h"
#include <sys/types.h>

#define GRPC_MAX_CHAN 8

struct gofer_rpc {
	struct {
		struct mutex mu;                /* RANK_RPC */
		int sock;                       /* immutable */
		u32 tag;                        /* guarded by mu */
	} chan[GRPC_MAX_CHAN];
	u32 nchan;                              /* immutable */
	struct {
		struct mutex mu;                /* RANK_RPC */
		u8 *mem;                        /* immutable: GW_BELL_SIZE shared with the gofer; NULL: no bell */
		int sock;                       /* immutable: descriptors come here */
		u32 tag;                        /* guarded by mu */
	} bell;
	_Atomic u32 turn;                       /* whom to wait for when all are busy */
	_Atomic bool broken;
	_Atomic u64 ncalls;                     /* for tests and statistics */
	struct mutex pend_mu;                   /* RANK_LEAF */
	u32 npend;                              /* guarded by pend_mu */
	u32 pend[GW_CLOSE_MAX];                 /* handles to be closed with the next batch */
};

/* Sockets are taken over. */
void grpc_init(struct gofer_rpc *r, const hostfd_t *socks, u32 n);
/*
 * Exchange the last socket for a doorbell (platform/host/doorbell.h), if the host has that: threads that have it
 * prefer it.  Before the first call, in the thread that will make others.
 */
int grpc_bell(struct gofer_rpc *r) must_check;
void grpc_done(struct gofer_rpc *r);

int grpc_mount(struct gofer_rpc *r, u32 root, struct gw_node *ret) must_check;
/* One name in @dir; ret->err says why there is none (its directory is told as watched or not). @flags: GW_WALK_*. */
int grpc_lookup(struct gofer_rpc *r, u32 dir, const char *name, size_t len, u32 flags, struct gw_node *ret,
                bool *ret_dir_watched) must_check;
/*
 * Walk @n names (GW_WALK_MAX at most) down from, or side by side in, @dir.
 * Returns how many nodes were told (>= 1), the last of which has err set when the walk stopped there.
 */
int grpc_walk(struct gofer_rpc *r, u32 dir, const char *const *names, u32 n, u32 flags,
              struct gw_node *nodes, bool *ret_dir_watched) must_check;
int grpc_getattr(struct gofer_rpc *r, u32 h, bool watch, struct gw_attr *ret, bool *ret_watched) must_check;
/* getattr of a directory that is watched from now on, with closes (GW_EV_CLOSED). */
int grpc_watch(struct gofer_rpc *r, u32 h, struct gw_attr *ret, bool *ret_watched) must_check;
int grpc_setattr(struct gofer_rpc *r, const struct gw_setattr_req *q, struct gw_attr *ret) must_check;
/* flags: GW_OPEN_*. *ret_fd is a regular file. */
int grpc_open(struct gofer_rpc *r, u32 h, u32 flags, struct gw_attr *ret, hostfd_t *ret_fd) must_check;

/*
 * One batch of entries after *cookie: @fn gets each.  *cookie moves on.  1 = there is
 * more, 0 = that was the end, or -errno (of fn too).
 */
typedef int grpc_entry_fn(void *arg, const char *name, size_t len, u64 ino, u8 type);
int grpc_readdir(struct gofer_rpc *r, u32 dir, s64 *cookie, bool *ret_watched, void *buf,
                 grpc_entry_fn *fn, void *arg) must_check;
#define GRPC_DIR_BUF GW_TAIL_MAX        /* bytes at @buf */

struct grpc_make { u32 dir, mode, uid, gid; const char *name; size_t len; };
int grpc_create(struct gofer_rpc *r, const struct grpc_make *m, struct gw_node *ret, hostfd_t *ret_fd) must_check;
int grpc_tmpfile(struct gofer_rpc *r, const struct grpc_make *m, struct gw_node *ret, hostfd_t *ret_fd) must_check;
int grpc_mkdir(struct gofer_rpc *r, const struct grpc_make *m, struct gw_node *ret) must_check;
int grpc_mknod(struct gofer_rpc *r, const struct grpc_make *m, u32 major, u32 minor, struct gw_node *ret) must_check;
int grpc_symlink(struct gofer_rpc *r, const struct grpc_make *m, const char *target, struct gw_node *ret) must_check;
int grpc_link(struct gofer_rpc *r, u32 dir, const char *name, size_t len, u32 target, struct gw_attr *ret) must_check;
int grpc_unlink(struct gofer_rpc *r, u32 dir, const char *name, size_t len, bool rmdir) must_check;
int grpc_rename(struct gofer_rpc *r, u32 odir, const char *oname, size_t olen,
                u32 ndir, const char *nname, size_t nlen, u32 flags) must_check;
ssize_t grpc_readlink(struct gofer_rpc *r, u32 h, char *buf, size_t cap) must_check;

ssize_t grpc_getxattr(struct gofer_rpc *r, u32 h, const char *name, void *buf, size_t cap) must_check;
int grpc_setxattr(struct gofer_rpc *r, u32 h, const char *name, const void *v, size_t n, int flags) must_check;
ssize_t grpc_listxattr(struct gofer_rpc *r, u32 h, char *buf, size_t cap) must_check;
int grpc_removexattr(struct gofer_rpc *r, u32 h, const char *name) must_check;
int grpc_statfs(struct gofer_rpc *r, u32 h, struct gw_statfs_rep *ret) must_check;
int grpc_fsync(struct gofer_rpc *r, u32 h, bool data_only) must_check;
int grpc_fallocate(struct gofer_rpc *r, u32 h, int mode, s64 off, s64 len) must_check;

/* Give a handle back with the next batch; @now: at once (the last hold on a deleted file). */
void grpc_close(struct gofer_rpc *r, u32 h, bool now);
void grpc_flush_closes(struct gofer_rpc *r);

/*
 * Receive one packet of invalidations from @sock into @buf (GW_MSG_MAX, aligned to 8) and
 * call @fn for each event.  0 = the gofer is gone, 1, or -errno.
 */
typedef void grpc_event_fn(void *arg, const struct gw_event *ev, const char *name);
int grpc_recv_events(int sock, void *buf, grpc_event_fn *fn, void *arg) must_check;
