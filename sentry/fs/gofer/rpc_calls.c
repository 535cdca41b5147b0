/* rpc_calls.c - the typed calls of rpc.h: fill in a request, check the reply. */
#include "sentry/fs/gofer/rpc.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "platform/base/alloc.h"
#include "sentry/fs/gofer/rpc_int.h"

#define PART(p, n) { (void *)(p), n }

/* A node must have a handle and a type. */
static int check_node(struct gofer_rpc *r, const struct gw_node *n)
{
	if (n->err > 0 || n->err < -4095)
		return grpc_break(r, "a node has a strange error");
	if (n->err == 0 && (n->handle == 0 || !(n->attr.mode & S_IFMT)))
		return grpc_break(r, "a node without handle or type");
	return 0;
}

int grpc_mount(struct gofer_rpc *r, u32 root, struct gw_node *ret)
{
	struct gw_mount_req q = { .root = root, .version = GW_VERSION };
	struct gw_node_rep rep;
	struct exchange x = {
		.op = GW_OP_mount, .req = { PART(&q, sizeof(q)) }, .nreq = 1, .rep = &rep, .rep_len = sizeof(rep),
	};
	int rc = grpc_exchange(r, &x);

	if (rc == 0)
		rc = rep.node.err ? grpc_break(r, "mount has no node") : check_node(r, &rep.node);
	if (rc == 0)
		*ret = rep.node;
	return rc;
}

static int walk_exchange(struct gofer_rpc *r, struct exchange *x, u32 dir, u32 n, u32 flags,
                         struct gw_node *nodes, bool *ret_dir_watched)
{
	struct gw_walk_req q = { .dir = dir, .n = (u16)n, .flags = (u16)flags };
	struct gw_walk_rep rep;
	int rc;

	x->op = GW_OP_walk;
	x->req[0] = (struct iovec)PART(&q, sizeof(q));
	x->rep = &rep;
	x->rep_len = sizeof(rep);
	x->tail = nodes;
	x->tail_cap = n * sizeof(*nodes);
	rc = grpc_exchange(r, x);
	if (rc < 0)
		return rc;
	if (rep.n == 0 || rep.n > n || x->tail_len != rep.n * sizeof(*nodes) || ((flags & GW_WALK_SIBLINGS) && rep.n != n))
		return grpc_break(r, "walk tells another number of nodes");
	for (u32 i = 0; i < rep.n && rc == 0; i++)
		rc = check_node(r, &nodes[i]);
	*ret_dir_watched = rep.flags & GW_NODE_WATCHED;
	return rc < 0 ? rc : (int)rep.n;
}

int grpc_lookup(struct gofer_rpc *r, u32 dir, const char *name, size_t len, u32 flags, struct gw_node *ret,
                bool *ret_dir_watched)
{
	u8 n = (u8)len;
	struct exchange x = { .req = { { 0 }, PART(&n, 1), PART(name, len) }, .nreq = 3 };
	int rc;

	if (len > GW_NAME_MAX)
		return -ENAMETOOLONG;
	rc = walk_exchange(r, &x, dir, 1, flags, ret, ret_dir_watched);
	return rc < 0 ? rc : 0;
}

int grpc_walk(struct gofer_rpc *r, u32 dir, const char *const *names, u32 n, u32 flags,
              struct gw_node *nodes, bool *ret_dir_watched)
{
	u8 buf[GW_WALK_MAX * (GW_NAME_MAX + 1)];
	struct exchange x = { .nreq = 2 };
	size_t len = 0;

	if (n == 0 || n > GW_WALK_MAX)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		size_t one = strlen(names[i]);

		if (one > GW_NAME_MAX)
			return -ENAMETOOLONG;
		buf[len++] = (u8)one;
		memcpy(buf + len, names[i], one);
		len += one;
	}
	x.req[1] = (struct iovec)PART(buf, len);
	return walk_exchange(r, &x, dir, n, flags, nodes, ret_dir_watched);
}

/* Requests of a handle and flags whose reply is attributes. */
static int call_attr(struct gofer_rpc *r, u16 op, const void *q, size_t qlen, struct gw_attr_rep *rep, hostfd_t *fd)
{
	struct exchange x = {
		.op = op, .req = { PART(q, qlen) }, .nreq = 1, .rep = rep, .rep_len = sizeof(*rep), .fd = fd,
	};

	return grpc_exchange(r, &x);
}

static int getattr(struct gofer_rpc *r, u32 h, u32 flags, struct gw_attr *ret, bool *ret_watched)
{
	struct gw_handle_req q = { .handle = h, .flags = flags };
	struct gw_attr_rep rep;
	int rc = call_attr(r, GW_OP_getattr, &q, sizeof(q), &rep, NULL);

	if (rc == 0) {
		*ret = rep.attr;
		*ret_watched = rep.flags & GW_NODE_WATCHED;
	}
	return rc;
}

int grpc_getattr(struct gofer_rpc *r, u32 h, bool watch, struct gw_attr *ret, bool *ret_watched)
{
	return getattr(r, h, watch ? GW_GETATTR_WATCH : 0, ret, ret_watched);
}

int grpc_watch(struct gofer_rpc *r, u32 h, struct gw_attr *ret, bool *ret_watched)
{
	return getattr(r, h, GW_GETATTR_WATCH | GW_GETATTR_CLOSES, ret, ret_watched);
}

int grpc_setattr(struct gofer_rpc *r, const struct gw_setattr_req *q, struct gw_attr *ret)
{
	struct gw_attr_rep rep;
	int rc = call_attr(r, GW_OP_setattr, q, sizeof(*q), &rep, NULL);

	if (rc == 0)
		*ret = rep.attr;
	return rc;
}

int grpc_open(struct gofer_rpc *r, u32 h, u32 flags, struct gw_attr *ret, hostfd_t *ret_fd)
{
	struct gw_handle_req q = { .handle = h, .flags = flags };
	struct gw_attr_rep rep;
	int rc = call_attr(r, GW_OP_open, &q, sizeof(q), &rep, ret_fd);

	if (rc == 0)
		*ret = rep.attr;
	return rc;
}

int grpc_readdir(struct gofer_rpc *r, u32 dir, s64 *cookie, bool *ret_watched, void *buf,
                 grpc_entry_fn *fn, void *arg)
{
	struct gw_readdir_req q = { .dir = dir, .cookie = *cookie };
	struct gw_readdir_rep rep;
	struct exchange x = {
		.op = GW_OP_readdir, .req = { PART(&q, sizeof(q)) }, .nreq = 1,
		.rep = &rep, .rep_len = sizeof(rep), .tail = buf, .tail_cap = GRPC_DIR_BUF,
	};
	int rc = grpc_exchange(r, &x);
	size_t at = 0;

	for (u32 i = 0; rc == 0 && i < rep.n; i++) {
		struct gw_dirent e;
		const char *name = (const char *)buf + at + sizeof(e);

		if (x.tail_len - at < sizeof(e))
			return grpc_break(r, "a directory entry is cut off");
		memcpy(&e, (u8 *)buf + at, sizeof(e));
		at += sizeof(e);
		if (x.tail_len - at < GW_PAD8(e.namelen) || !gw_name_ok(name, e.namelen))
			return grpc_break(r, "a directory entry has no proper name");
		at += GW_PAD8(e.namelen);
		rc = fn(arg, name, e.namelen, e.ino, e.type);
	}
	if (rc < 0)
		return rc;
	if (rep.n == 0 && !(rep.flags & GW_DIR_END))
		return grpc_break(r, "an empty batch that is not the last");
	*ret_watched = rep.flags & GW_NODE_WATCHED;
	*cookie = rep.next;
	return !(rep.flags & GW_DIR_END);
}

/* create, mkdir, mknod, symlink. */
static int call_make(struct gofer_rpc *r, u16 op, const struct grpc_make *m, u32 major, u32 minor,
                     const char *target, struct gw_node *ret, hostfd_t *fd)
{
	struct gw_make_req q = {
		.dir = m->dir, .mode = m->mode, .uid = m->uid, .gid = m->gid,
		.rdev_major = major, .rdev_minor = minor, .name_len = (u32)m->len,
	};
	struct gw_node_rep rep;
	struct exchange x = {
		.op = op, .req = { PART(&q, sizeof(q)), PART(m->name, m->len) }, .nreq = 2,
		.rep = &rep, .rep_len = sizeof(rep), .fd = fd, .may_lack_fd = true,
	};
	int rc;

	if (target) {
		x.req[2] = (struct iovec)PART(target, strlen(target));
		x.nreq = 3;
	}
	rc = grpc_exchange(r, &x);
	if (rc == 0)
		rc = rep.node.err ? grpc_break(r, "a new node with an error") : check_node(r, &rep.node);
	if (rc == 0)
		*ret = rep.node;
	return rc;
}

int grpc_create(struct gofer_rpc *r, const struct grpc_make *m, struct gw_node *ret, hostfd_t *ret_fd)
{
	return call_make(r, GW_OP_create, m, 0, 0, NULL, ret, ret_fd);
}

int grpc_tmpfile(struct gofer_rpc *r, const struct grpc_make *m, struct gw_node *ret, hostfd_t *ret_fd)
{
	return call_make(r, GW_OP_tmpfile, m, 0, 0, NULL, ret, ret_fd);
}

int grpc_mkdir(struct gofer_rpc *r, const struct grpc_make *m, struct gw_node *ret)
{
	return call_make(r, GW_OP_mkdir, m, 0, 0, NULL, ret, NULL);
}

int grpc_mknod(struct gofer_rpc *r, const struct grpc_make *m, u32 major, u32 minor, struct gw_node *ret)
{
	return call_make(r, GW_OP_mknod, m, major, minor, NULL, ret, NULL);
}

int grpc_symlink(struct gofer_rpc *r, const struct grpc_make *m, const char *target, struct gw_node *ret)
{
	return call_make(r, GW_OP_symlink, m, 0, 0, target, ret, NULL);
}

int grpc_link(struct gofer_rpc *r, u32 dir, const char *name, size_t len, u32 target, struct gw_attr *ret)
{
	struct gw_link_req q = { .dir = dir, .target = target };
	struct gw_attr_rep rep;
	struct exchange x = {
		.op = GW_OP_link, .req = { PART(&q, sizeof(q)), PART(name, len) }, .nreq = 2,
		.rep = &rep, .rep_len = sizeof(rep),
	};
	int rc = grpc_exchange(r, &x);

	if (rc == 0)
		*ret = rep.attr;
	return rc;
}

/* Requests whose reply says only that it was done. */
static int call_done(struct gofer_rpc *r, struct exchange *x)
{
	struct gw_empty rep;

	x->rep = &rep;
	x->rep_len = sizeof(rep);
	return grpc_exchange(r, x);
}

int grpc_unlink(struct gofer_rpc *r, u32 dir, const char *name, size_t len, bool rmdir)
{
	struct gw_unlink_req q = { .dir = dir, .rmdir = rmdir };
	struct exchange x = { .op = GW_OP_unlink, .req = { PART(&q, sizeof(q)), PART(name, len) }, .nreq = 2 };

	return call_done(r, &x);
}

int grpc_rename(struct gofer_rpc *r, u32 odir, const char *oname, size_t olen,
                u32 ndir, const char *nname, size_t nlen, u32 flags)
{
	struct gw_rename_req q = { .odir = odir, .ndir = ndir, .flags = flags, .oname_len = (u32)olen };
	struct exchange x = {
		.op = GW_OP_rename, .req = { PART(&q, sizeof(q)), PART(oname, olen), PART(nname, nlen) }, .nreq = 3,
	};

	return call_done(r, &x);
}

ssize_t grpc_readlink(struct gofer_rpc *r, u32 h, char *buf, size_t cap)
{
	struct gw_handle_req q = { .handle = h };
	char target[4096];
	struct exchange x = {
		.op = GW_OP_readlink, .req = { PART(&q, sizeof(q)) }, .nreq = 1,
		.tail = target, .tail_cap = sizeof(target),
	};
	int rc = call_done(r, &x);

	if (rc < 0)
		return rc;
	if (memchr(target, '\0', x.tail_len))
		return grpc_break(r, "a link with a NUL");
	memcpy(buf, target, MIN(cap, x.tail_len));
	return (ssize_t)MIN(cap, x.tail_len);
}

ssize_t grpc_getxattr(struct gofer_rpc *r, u32 h, const char *name, void *buf, size_t cap)
{
	struct gw_xattr_req q = {
		.handle = h, .name_len = (u32)strlen(name), .size = (u32)MIN(cap, (size_t)65536),
	};
	u64 size;
	struct exchange x = {
		.op = GW_OP_getxattr, .req = { PART(&q, sizeof(q)), PART(name, q.name_len) }, .nreq = 2,
		.tail = cap ? buf : &size, .tail_cap = cap ? q.size : sizeof(size),
	};
	int rc = call_done(r, &x);

	if (rc < 0)
		return rc;
	if (cap)
		return (ssize_t)x.tail_len;
	if (x.tail_len != sizeof(size) || size > 65536)
		return grpc_break(r, "an attribute without proper size");
	return (ssize_t)size;
}

int grpc_setxattr(struct gofer_rpc *r, u32 h, const char *name, const void *v, size_t n, int flags)
{
	struct gw_xattr_req q = {
		.handle = h, .flags = (u32)flags, .name_len = (u32)strlen(name), .size = (u32)n,
	};
	struct exchange x = {
		.op = GW_OP_setxattr, .req = { PART(&q, sizeof(q)), PART(name, q.name_len), PART(v, n) }, .nreq = 3,
	};

	return n > 65536 ? -E2BIG : call_done(r, &x);
}

ssize_t grpc_listxattr(struct gofer_rpc *r, u32 h, char *buf, size_t cap)
{
	struct gw_handle_req q = { .handle = h };
	auto_kfree char *list = kbuf_alloc(GW_TAIL_MAX);
	struct exchange x = {
		.op = GW_OP_listxattr, .req = { PART(&q, sizeof(q)) }, .nreq = 1,
		.tail = list, .tail_cap = GW_TAIL_MAX,
	};
	int rc = list ? call_done(r, &x) : -ENOMEM;

	if (rc < 0)
		return rc;
	if (x.tail_len && list[x.tail_len - 1] != '\0')
		return grpc_break(r, "a list of attributes without its end");
	if (cap && x.tail_len > cap)
		return -ERANGE;
	if (cap)
		memcpy(buf, list, x.tail_len);
	return (ssize_t)x.tail_len;
}

int grpc_removexattr(struct gofer_rpc *r, u32 h, const char *name)
{
	struct gw_xattr_req q = { .handle = h, .name_len = (u32)strlen(name) };
	struct exchange x = {
		.op = GW_OP_removexattr, .req = { PART(&q, sizeof(q)), PART(name, q.name_len) }, .nreq = 2,
	};

	return call_done(r, &x);
}

int grpc_statfs(struct gofer_rpc *r, u32 h, struct gw_statfs_rep *ret)
{
	struct gw_handle_req q = { .handle = h };
	struct exchange x = {
		.op = GW_OP_statfs, .req = { PART(&q, sizeof(q)) }, .nreq = 1, .rep = ret, .rep_len = sizeof(*ret),
	};

	return grpc_exchange(r, &x);
}

int grpc_fsync(struct gofer_rpc *r, u32 h, bool data_only)
{
	struct gw_handle_req q = { .handle = h, .flags = data_only ? GW_FSYNC_DATA : 0 };
	struct exchange x = { .op = GW_OP_fsync, .req = { PART(&q, sizeof(q)) }, .nreq = 1 };

	return call_done(r, &x);
}

int grpc_fallocate(struct gofer_rpc *r, u32 h, int mode, s64 off, s64 len)
{
	struct gw_fallocate_req q = { .handle = h, .mode = (u32)mode, .off = off, .len = len };
	struct exchange x = { .op = GW_OP_fallocate, .req = { PART(&q, sizeof(q)) }, .nreq = 1 };

	return call_done(r, &x);
}
