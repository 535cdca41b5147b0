/*
 * gofer.h - the file system whose files live on the host, behind a gofer.
 *
 * What the rest of the sentry may do with it: connect once, then make one
 * super block for each root that the gofer was given.
 */
#pragma once
#include "sentry/vfs/inode.h"

struct kernel;
struct gofer_conn;

/*
 * @socks, taken over on success: [0] carries invalidations, [1..n-1] control (gofer/gofer.h's
 * gofer_sockets()).  Starts one thread.  Before the sentry's own filter.
 */
int gofer_connect(struct kernel *k, const hostfd_t *socks, int n, struct gofer_conn **ret) must_check;
/* The same once the filter is there: this gofer has no doorbell, and is asked by its sockets alone. */
int gofer_connect_late(struct kernel *k, const hostfd_t *socks, int n, struct gofer_conn **ret) must_check;
/* The maker wants no more super blocks; it goes with the last of them, and when the gofer has gone. NULL is fine. */
void gofer_put(struct gofer_conn *c);
/* Has the gofer gone? Every call fails with EIO then. */
bool gofer_is_broken(struct gofer_conn *c);

/* Both results are counted. The root may be a file (bind mount of a file). */
int goferfs_new(struct kernel *k, struct gofer_conn *conn, u32 root_index, bool readonly,
                struct super **ret_sb, struct inode **ret_root) must_check;
