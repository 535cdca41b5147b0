/*
 * conn.c - the connection, its thread that hears of changes, and super blocks.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/host/hostfile.h"
#include "platform/host/hthread.h"
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/kernel/kernel.h"

#define GOFERFS_MAGIC 0xef53            /* programs know ext4's */
#define THREAD_STACK (128 * 1024)
#define IDLE_MIN 64u
#define IDLE_MAX 4096u
#define NAMES_KEPT 6000                 /* each may hold an inode, and so a descriptor in the gofer */

void gconn_unref(struct gofer_conn *c)
{
	if (!ref_put(&c->ref))
		return;
	grpc_done(&c->rpc);
	host_close(c->inval_sock);
	gcache_done(c);
	kfree(c);
}

void gofer_put(struct gofer_conn *c)
{
	if (!c)
		return;
	gahead_drop_all(c);     /* they hold super blocks, and those the connection */
	gconn_unref(c);
}

static void *events_main(void *arg)
{
	struct gofer_conn *c = arg;
	void *buf = kbuf_alloc(GW_MSG_MAX);
	int r;

	do
		r = buf ? grpc_recv_events(c->inval_sock.fd, buf, gcache_event, c) : -ENOMEM;
	while (r > 0);
	/* Nobody tells of changes any more: nothing cached could be believed. */
	atomic_store(&c->rpc.broken, true);
	gcache_forget_all(c);
	kfree(buf);
	log_debug("gofer: no more events: %d", r);
	gconn_unref(c);
	return NULL;
}

/* Descriptors that may be kept without need: a tree that is read again and again ought to fit. */
static u32 idle_max(void)
{
	struct rlimit n;

	return getrlimit(RLIMIT_NOFILE, &n) < 0 ? IDLE_MIN : (u32)MIN(MAX(n.rlim_cur / 4, IDLE_MIN), IDLE_MAX);
}

static int connect_to(struct kernel *k, const hostfd_t *socks, int n, bool late, struct gofer_conn **ret)
{
	struct gofer_conn *c;
	int r;

	if (n < 2 || n - 1 > GRPC_MAX_CHAN)
		return -EINVAL;
	c = knew(struct gofer_conn);
	if (!c)
		return -ENOMEM;
	c->kernel = k;
	c->inval_sock = socks[0];
	ref_init(&c->ref);
	c->idle_max = late ? IDLE_MIN : idle_max();     /* getrlimit is not among our host calls */
	grpc_init(&c->rpc, socks + 1, (u32)n - 1);
	r = late ? 0 : grpc_bell(&c->rpc);
	if (r == 0)
		r = gcache_init(c);
	ref_get(&c->ref);                               /* the thread's */
	if (r == 0)
		r = hthread_start(events_main, c, THREAD_STACK, HTHREAD_NO_SIGNALS);
	if (r < 0) {
		kfree(c);
		return r;
	}
	*ret = c;
	return 0;
}

int gofer_connect(struct kernel *k, const hostfd_t *socks, int n, struct gofer_conn **ret)
{
	return connect_to(k, socks, n, false, ret);
}

int gofer_connect_late(struct kernel *k, const hostfd_t *socks, int n, struct gofer_conn **ret)
{
	return connect_to(k, socks, n, true, ret);
}

bool gofer_is_broken(struct gofer_conn *c)
{
	return atomic_load(&c->rpc.broken);
}

/* ---- super blocks ---- */

static int g_statfs(struct task *t, struct super *sb, struct statfs *ret)
{
	struct gsuper *gs = gsuper_of(sb);
	struct gw_statfs_rep s;
	int r = grpc_statfs(&gs->c->rpc, gs->root_handle, &s);

	(void)t;
	if (r < 0)
		return r;
	*ret = (struct statfs){
		.f_type = (__fsword_t)s.type, .f_bsize = (__fsword_t)s.bsize, .f_blocks = s.blocks,
		.f_bfree = s.bfree, .f_bavail = s.bavail, .f_files = s.files, .f_ffree = s.ffree,
		.f_namelen = (__fsword_t)s.namelen, .f_frsize = (__fsword_t)s.frsize,
	};
	return 0;
}

static void g_super_release(struct super *sb)
{
	struct gsuper *gs = gsuper_of(sb);
	struct gofer_conn *c = gs->c;

	kfree(gs);
	gconn_unref(c);
}

static const struct super_ops gofer_super_ops = {
	.fstype = "gofer", .statfs = g_statfs, .release = g_super_release,
};

int goferfs_new(struct kernel *k, struct gofer_conn *conn, u32 root_index, bool readonly,
                struct super **ret_sb, struct inode **ret_root)
{
	struct gsuper *gs = knew(struct gsuper);
	u64 changes = gconn_changes(conn);
	struct ginode *root;
	struct gw_node n;
	int r;

	if (!gs)
		return -ENOMEM;
	super_init(&gs->sb, &gofer_super_ops, k, GOFERFS_MAGIC);
	gs->c = conn;
	ref_get(&conn->ref);
	gs->sb.source = "none";
	gs->sb.slow_lookup = true;
	gs->sb.dcache.max = NAMES_KEPT;
	r = grpc_mount(&conn->rpc, root_index, &n);
	if (r == 0) {
		gs->readonly = readonly || (n.flags & GW_ROOT_READONLY);
		gs->root_handle = n.handle;
		r = ginode_get(gs, &n, false, changes, true, &root);
	}
	if (r < 0) {
		super_unref(&gs->sb);
		return r;
	}
	*ret_sb = &gs->sb;
	*ret_root = &root->i;
	return 0;
}
