/* h_attr.c - getattr, setattr, open, readlink, statfs, fsync, fallocate: calls on one inode. */
#include <errno.h>
#include <time.h>
#include <unistd.h>
#include "gofer/server.h"

int h_getattr(struct call *c)
{
	const struct gw_handle_req *q = c->req;
	struct gw_attr_rep *rep = (void *)c->rep;
	struct fdnode *n = call_node(c, q->handle);
	int r;

	if (!n)
		return -EBADF;
	if ((q->flags & GW_GETATTR_WATCH) && n->type == S_IFDIR >> 12 && call_watch(c, n))
		rep->flags |= GW_NODE_WATCHED;
	if ((q->flags & GW_GETATTR_CLOSES) && (rep->flags & GW_NODE_WATCHED))
		watch_closes(&c->s->watches, &c->s->links, n->fd);
	r = path_stat(n->fd, &rep->attr);
	call_put(c, n);
	return r;
}

static struct timespec time_of(const struct gw_setattr_req *q, u32 set, u32 now, s64 ns)
{
	if (q->valid & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (!(q->valid & set))
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	ns -= ns == INT64_MIN;
	return (struct timespec){
		.tv_sec = ns / 1000000000 - (ns % 1000000000 < 0),
		.tv_nsec = ns % 1000000000 + (ns % 1000000000 < 0 ? 1000000000 : 0),
	};
}

/* The owner first: chown sheds set-id bits that the mode may bring. */
static int setattr(struct call *c, const struct gw_setattr_req *q, struct fdnode *n)
{
	const struct fdlinks *l = &c->s->links;
	int r = 0;

	if (q->valid & (GW_SET_UID | GW_SET_GID))
		r = path_chown(n->fd, q->valid & GW_SET_UID ? q->uid : UINT32_MAX,
		               q->valid & GW_SET_GID ? q->gid : UINT32_MAX);
	if (r == 0 && (q->valid & GW_SET_SIZE)) {
		if (n->type != S_IFREG >> 12 || q->size > INT64_MAX)
			return -EINVAL;
		r = path_truncate(l, n->fd, q->size);
	}
	if (r == 0 && (q->valid & GW_SET_MODE))
		r = n->type == S_IFLNK >> 12 ? -EOPNOTSUPP : path_chmod(l, n->fd, q->mode);
	if (r == 0 && (q->valid & (GW_SET_ATIME | GW_SET_MTIME | GW_SET_ATIME_NOW | GW_SET_MTIME_NOW))) {
		struct timespec ts[2] = {
			time_of(q, GW_SET_ATIME, GW_SET_ATIME_NOW, q->atime),
			time_of(q, GW_SET_MTIME, GW_SET_MTIME_NOW, q->mtime),
		};

		r = path_utimes(l, n->fd, ts);
	}
	return r;
}

int h_setattr(struct call *c)
{
	const struct gw_setattr_req *q = c->req;
	struct gw_attr_rep *rep = (void *)c->rep;
	struct fdnode *n;
	int r;

	if (q->valid & ~(u32)GW_SET_ALL)
		return -EINVAL;
	n = call_node(c, q->handle);
	if (!n)
		return -EBADF;
	r = call_readonly(c, n) ? -EROFS : setattr(c, q, n);
	if (r == 0)
		r = path_stat(n->fd, &rep->attr);
	call_put(c, n);
	return r;
}

int h_open(struct call *c)
{
	const struct gw_handle_req *q = c->req;
	struct gw_attr_rep *rep = (void *)c->rep;
	struct fdnode *n;
	int fd, r, flags = q->flags & GW_OPEN_WRITE ? O_RDWR : O_RDONLY;

	if ((q->flags & ~(u32)(GW_OPEN_READ | GW_OPEN_WRITE | GW_OPEN_TRUNC)) ||
	    ((q->flags & GW_OPEN_TRUNC) && !(q->flags & GW_OPEN_WRITE)))
		return -EINVAL;
	n = call_node(c, q->handle);
	if (!n)
		return -EBADF;
	if (n->type != S_IFREG >> 12)
		fd = -EINVAL;           /* devices, FIFOs and sockets are never opened on the host */
	else if ((q->flags & GW_OPEN_WRITE) && call_readonly(c, n))
		fd = -EROFS;
	else
		fd = path_reopen(&c->s->links, n->fd, flags | (q->flags & GW_OPEN_TRUNC ? O_TRUNC : 0));
	call_put(c, n);
	if (fd < 0)
		return fd;
	r = path_stat(fd, &rep->attr);
	if (r < 0)
		close(fd);
	else
		c->donate = fd;
	return r;
}

int h_readlink(struct call *c)
{
	const struct gw_handle_req *q = c->req;
	struct fdnode *n = call_node(c, q->handle);
	char buf[4096];
	ssize_t len;

	if (!n)
		return -EBADF;
	len = n->type == S_IFLNK >> 12 ? path_readlink(n->fd, buf, sizeof(buf)) : -EINVAL;
	call_put(c, n);
	if (len < 0)
		return (int)len;
	return call_reply(c, buf, (size_t)len) ? 0 : -EIO;
}

int h_statfs(struct call *c)
{
	const struct gw_handle_req *q = c->req;
	struct gw_statfs_rep *rep = (void *)c->rep;
	struct fdnode *n = call_node(c, q->handle);
	struct statfs s;
	int r;

	if (!n)
		return -EBADF;
	r = path_statfs(n->fd, &s);
	call_put(c, n);
	if (r < 0)
		return r;
	*rep = (struct gw_statfs_rep){
		.type = (u64)s.f_type, .bsize = (u64)s.f_bsize, .blocks = s.f_blocks,
		.bfree = s.f_bfree, .bavail = s.f_bavail, .files = s.f_files, .ffree = s.f_ffree,
		.namelen = (u64)s.f_namelen, .frsize = (u64)s.f_frsize, .flags = (u64)s.f_flags,
	};
	return 0;
}

/* Open a regular file or directory again for one call. */
static int reopen_for(struct call *c, u32 handle, bool write, u32 types, int *ret_fd)
{
	struct fdnode *n = call_node(c, handle);
	int fd;

	if (!n)
		return -EBADF;
	if (!(types & 1u << n->type))
		fd = -EINVAL;
	else if (write && call_readonly(c, n))
		fd = -EROFS;
	else
		fd = path_reopen(&c->s->links, n->fd, write ? O_RDWR : O_RDONLY);
	call_put(c, n);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int h_fsync(struct call *c)
{
	const struct gw_handle_req *q = c->req;
	int fd, r = reopen_for(c, q->handle, false, 1u << (S_IFREG >> 12) | 1u << (S_IFDIR >> 12), &fd);

	if (r < 0)
		return r;
	r = (q->flags & GW_FSYNC_DATA ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int h_fallocate(struct call *c)
{
	const struct gw_fallocate_req *q = c->req;
	int fd, r = reopen_for(c, q->handle, true, 1u << (S_IFREG >> 12), &fd);

	if (r < 0)
		return r;
	r = fallocate(fd, (int)q->mode, q->off, q->len) < 0 ? -errno : 0;
	close(fd);
	return r;
}
