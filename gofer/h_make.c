/*
 * h_make.c - create, tmpfile, mkdir, mknod, symlink: a new entry that belongs to whom
 * the client says.
 *
 * The gofer creates as root with no more permission than asked for, then gives the
 * entry its owner, then its mode (chown sheds set-id bits).  What could not
 * be given its attributes is removed again.
 */
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "gofer/server.h"

struct making {
	const struct gw_make_req *q;
	struct fdnode *dir;
	char name[GW_NAME_MAX + 1];
	u32 expected;                   /* token of watch_expect() */
};

static int begin(struct call *c, struct making *m)
{
	int r;

	m->q = c->req;
	r = call_name(c, 0, m->q->name_len, m->name);
	if (r < 0)
		return r;
	m->dir = call_dir(c, m->q->dir, &r);
	if (!m->dir)
		return r;
	if (call_readonly(c, m->dir)) {
		call_put(c, m->dir);
		return -EROFS;
	}
	m->expected = watch_expect(&c->s->watches, m->dir->watch, IN_CREATE, m->name);
	return 0;
}

/* Owner and mode of the new @fd, which is of type @type or not ours; its attributes with them. */
static int dress(struct call *c, const struct gw_make_req *q, int fd, u32 type, struct gw_attr *ret)
{
	int r = path_stat(fd, ret);

	if (r == 0 && (ret->mode & S_IFMT) != type)
		r = -ESTALE;
	if (r == 0 && (ret->uid != q->uid || ret->gid != q->gid)) {
		r = path_chown(fd, q->uid, q->gid);
		if (r == 0)
			r = path_stat(fd, ret);
	}
	if (r == 0 && !S_ISLNK(ret->mode) && (ret->mode & 07777) != (q->mode & 07777)) {
		r = path_chmod(&c->s->links, fd, q->mode & 07777);
		if (r == 0)
			r = path_stat(fd, ret);
	}
	return r;
}

/* @made: what the creating call returned; @fd: an open new file, or -1 to look it up. */
static int finish(struct call *c, struct making *m, int made, int fd, u32 type)
{
	struct gw_node_rep *rep = (void *)c->rep;
	int node_fd, r = made;

	if (r < 0) {
		watch_unexpect(&c->s->watches, m->expected);
		call_put(c, m->dir);
		return r;
	}
	node_fd = fd >= 0 ? path_hold(&c->s->links, fd) : path_lookup(m->dir->fd, m->name);
	r = node_fd < 0 ? node_fd : dress(c, m->q, node_fd, type, &rep->node.attr);
	if (r < 0) {
		if (node_fd >= 0)
			close(node_fd);
	} else {
		r = call_new_node(c, node_fd, m->dir->root, true, true, &rep->node);
	}
	/* ESTALE: somebody on the host put something else there meanwhile. */
	if (r < 0 && r != -ESTALE && path_unlink(m->dir->fd, m->name, type == S_IFDIR) < 0)
		r = -EIO;
	call_put(c, m->dir);
	return r;
}

int h_create(struct call *c)
{
	struct making m;
	int r = begin(c, &m), fd;

	if (r < 0)
		return r;
	if (c->tail_len != m.q->name_len) {
		watch_unexpect(&c->s->watches, m.expected);
		call_put(c, m.dir);
		return -EINVAL;
	}
	fd = path_create(m.dir->fd, m.name, m.q->mode & 0777);
	r = finish(c, &m, fd, fd, S_IFREG);
	if (r == 0)
		c->donate = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}

/* A file without a name (O_TMPFILE): h_link() may give it one. */
int h_tmpfile(struct call *c)
{
	struct gw_node_rep *rep = (void *)c->rep;
	const struct gw_make_req *q = c->req;
	struct fdnode *dir;
	int fd, node_fd, r;

	if (q->name_len || c->tail_len)
		return -EINVAL;
	dir = call_dir(c, q->dir, &r);
	if (!dir)
		return r;
	fd = call_readonly(c, dir) ? -EROFS : path_tmpfile(dir->fd, q->mode & 0777);
	r = fd < 0 ? fd : dress(c, q, fd, S_IFREG, &rep->node.attr);
	node_fd = r < 0 ? r : path_hold(&c->s->links, fd);
	if (node_fd >= 0)
		r = call_new_node(c, node_fd, dir->root, false, true, &rep->node);
	else
		r = node_fd;
	call_put(c, dir);
	if (r == 0)
		c->donate = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}

int h_mkdir(struct call *c)
{
	struct making m;
	int r = begin(c, &m);

	if (r < 0)
		return r;
	return finish(c, &m, path_mkdir(m.dir->fd, m.name, m.q->mode & 0777), -1, S_IFDIR);
}

int h_mknod(struct call *c)
{
	const struct gw_make_req *q = c->req;
	struct making m;
	int r;

	if (q->rdev_major || q->rdev_minor)
		return -EPERM;
	r = begin(c, &m);
	if (r < 0)
		return r;
	r = path_mknod(m.dir->fd, m.name, q->mode & (S_IFMT | 0777));
	return finish(c, &m, r, -1, q->mode & S_IFMT ? q->mode & S_IFMT : S_IFREG);
}

int h_symlink(struct call *c)
{
	const struct gw_make_req *q = c->req;
	char target[4096];
	struct making m;
	size_t n;
	int r;

	if (q->name_len > c->tail_len)
		return -EINVAL;
	n = c->tail_len - q->name_len;
	if (n == 0 || n >= sizeof(target))
		return n ? -ENAMETOOLONG : -ENOENT;
	for (size_t i = 0; i < n; i++) {
		target[i] = (char)c->tail[q->name_len + i];
		if (target[i] == '\0')
			return -EINVAL;
	}
	target[n] = '\0';
	r = begin(c, &m);
	if (r < 0)
		return r;
	return finish(c, &m, path_symlink(target, m.dir->fd, m.name), -1, S_IFLNK);
}
