/*
 * h_walk.c - mount, walk, readdir, close, bell: from names to handles.
 *
 * A walk goes down (each name in the directory before it) or looks up
 * siblings (each name in the first directory).  It ends early at the first name that is missing, or
 * that is no directory when names remain.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "gofer/server.h"

int h_mount(struct call *c)
{
	const struct gw_mount_req *q = c->req;
	struct gw_node_rep *rep = (void *)c->rep;
	const struct gofer_root *root;
	int fd, r;

	if (q->version != GW_VERSION)
		return -EPROTO;
	if (q->root >= (u32)c->s->cfg->nroots)
		return -ENOENT;
	root = &c->s->cfg->roots[q->root];
	fd = fcntl(root->dirfd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = call_new_node(c, fd, (u16)q->root, true, false, &rep->node);
	if (r == 0 && root->readonly)
		rep->node.flags |= GW_ROOT_READONLY;
	return r;
}

/* Asked after the watch is there: nothing is missed. */
static bool has_no_acl(struct call *c, u32 handle)
{
	struct fdnode *n = call_node(c, handle);
	ssize_t r = n ? path_getxattr(&c->s->links, n->fd, "system.posix_acl_access", NULL, 0) : -EBADF;

	call_put(c, n);
	return r == -ENODATA || r == -EOPNOTSUPP;
}

/* Look @name up in @dir: a node, or why not in ret->err.  Directories are watched: they are about to be entered. */
static void walk_one(struct call *c, const struct fdnode *dir, const char *name, bool acl, struct gw_node *ret)
{
	int fd;

	memset(ret, 0, sizeof(*ret));
	fd = path_lookup(dir->fd, name);
	if (fd == -EMFILE)
		fd = -ENFILE;           /* the client knows what to do about that one */
	ret->err = fd < 0 ? fd : call_new_node(c, fd, dir->root, true, false, ret);
	if (ret->err < 0) {
		s32 err = ret->err;

		memset(ret, 0, sizeof(*ret));
		ret->err = err;
	} else if (acl && !S_ISLNK(ret->attr.mode) && has_no_acl(c, ret->handle)) {
		ret->flags |= GW_NODE_NO_ACL;
	}
}

/* The next length-prefixed name of a walk. */
static int next_name(const struct call *c, size_t *at, char name[GW_NAME_MAX + 1])
{
	size_t len;
	int r;

	if (*at >= c->tail_len)
		return -EINVAL;
	len = c->tail[*at];
	r = call_name(c, *at + 1, len, name);
	*at += 1 + len;
	return r;
}

/* Names are all checked before any is used. */
static int check_names(const struct call *c, unsigned n)
{
	char name[GW_NAME_MAX + 1];
	size_t at = 0;
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++)
		r = next_name(c, &at, name);
	return r == 0 && at != c->tail_len ? -EINVAL : r;
}

int h_walk(struct call *c)
{
	const struct gw_walk_req *q = c->req;
	struct gw_walk_rep *rep = (void *)c->rep;
	bool siblings = q->flags & GW_WALK_SIBLINGS;
	char name[GW_NAME_MAX + 1];
	struct gw_node node;
	struct fdnode *dir;
	size_t at = 0;
	int r;

	if (q->n == 0 || q->n > GW_WALK_MAX || (q->flags & ~(GW_WALK_SIBLINGS | GW_WALK_ACL)))
		return -EINVAL;
	r = check_names(c, q->n);
	if (r < 0)
		return r;
	dir = call_dir(c, q->dir, &r);
	if (!dir)
		return r;
	if (call_watch(c, dir))
		rep->flags |= GW_NODE_WATCHED;
	for (unsigned i = 0; i < q->n; i++) {
		if (next_name(c, &at, name) < 0)
			break;
		walk_one(c, dir, name, q->flags & GW_WALK_ACL, &node);
		if (!call_reply(c, &node, sizeof(node)))
			break;          /* cannot happen: GW_WALK_MAX nodes fit */
		rep->n++;
		if (siblings)
			continue;
		if (node.err < 0 || !S_ISDIR(node.attr.mode))
			break;
		call_put(c, dir);
		dir = call_dir(c, node.handle, &r);
		if (!dir)
			break;
	}
	call_put(c, dir);
	return 0;
}

/* As many entries as fit into the reply; false when one did not. */
static bool put_entries(struct call *c, const char *buf, ssize_t len, struct gw_readdir_rep *rep)
{
	static const u8 zeros[8];

	for (ssize_t at = 0; at < len;) {
		const struct dirent64 *d = (const void *)(buf + at);
		size_t n = strlen(d->d_name);
		struct gw_dirent e = { .ino = d->d_ino, .type = d->d_type, .namelen = (u8)n };

		at += d->d_reclen;
		if (gw_name_ok(d->d_name, n)) {
			if (sizeof(e) + GW_PAD8(n) > c->rep_tail_cap - c->rep_tail_len)
				return false;
			if (!call_reply(c, &e, sizeof(e)) || !call_reply(c, d->d_name, n) ||
			    !call_reply(c, zeros, GW_PAD8(n) - n))
				return false;
			rep->n++;
		}
		rep->next = d->d_off;
	}
	return true;
}

int h_readdir(struct call *c)
{
	const struct gw_readdir_req *q = c->req;
	struct gw_readdir_rep *rep = (void *)c->rep;
	_Alignas(8) char buf[16384];
	struct fdnode *dir;
	ssize_t got;
	int fd, r = 0;

	dir = call_dir(c, q->dir, &r);
	if (!dir)
		return r;
	if (call_watch(c, dir))
		rep->flags |= GW_NODE_WATCHED;
	fd = path_reopen(&c->s->links, dir->fd, O_RDONLY | O_DIRECTORY);
	call_put(c, dir);
	if (fd < 0)
		return fd;
	rep->next = q->cookie;
	if (q->cookie && lseek(fd, q->cookie, SEEK_SET) < 0)
		r = -errno;
	while (r == 0) {
		got = getdents64(fd, buf, sizeof(buf));
		if (got < 0)
			r = -errno;
		else if (got == 0)
			rep->flags |= GW_DIR_END;
		if (got <= 0 || !put_entries(c, buf, got, rep))
			break;
	}
	close(fd);
	return r;
}

int h_close(struct call *c)
{
	const struct gw_close_req *q = c->req;

	if (q->n > GW_CLOSE_MAX || c->tail_len != q->n * sizeof(u32))
		return -EINVAL;
	for (u32 i = 0; i < q->n; i++) {
		u32 h;

		memcpy(&h, c->tail + i * sizeof(h), sizeof(h));
		call_put(c, fdmap_close(&c->s->map, h));
	}
	return 0;
}

/* The thread that serves this socket goes on with the doorbell whose listener came along (main.c). */
int h_bell(struct call *c)
{
	if (atomic_exchange(&c->s->bell_given, true))
		return -EBUSY;
	c->donate = fcntl(c->s->bell.fd, F_DUPFD_CLOEXEC, 0);
	return c->donate < 0 ? -errno : 0;
}

int h_inval(struct call *c)
{
	(void)c;
	return -EPROTO;                 /* only a gofer sends it */
}
