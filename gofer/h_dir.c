/* h_dir.c - link, unlink, rename: entries that come and go. */
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/inotify.h>
#include "gofer/server.h"

/* Two nodes may meet in one call only if they were reached from one root, and it can be written. */
static int same_root(const struct call *c, const struct fdnode *a, const struct fdnode *b)
{
	if (a->root != b->root)
		return -EXDEV;
	return call_readonly(c, a) ? -EROFS : 0;
}

int h_link(struct call *c)
{
	const struct gw_link_req *q = c->req;
	struct gw_attr_rep *rep = (void *)c->rep;
	char name[GW_NAME_MAX + 1];
	struct fdnode *dir, *target;
	u32 expected;
	int r = call_name(c, 0, c->tail_len, name);

	if (r < 0)
		return r;
	dir = call_dir(c, q->dir, &r);
	if (!dir)
		return r;
	target = call_node(c, q->target);
	r = target ? same_root(c, dir, target) : -EBADF;
	if (r == 0 && target->type == S_IFDIR >> 12)
		r = -EPERM;
	if (r == 0) {
		expected = watch_expect(&c->s->watches, dir->watch, IN_CREATE, name);
		r = path_link(&c->s->links, target->fd, dir->fd, name);
		if (r < 0)
			watch_unexpect(&c->s->watches, expected);
		else
			r = path_stat(target->fd, &rep->attr);
	}
	call_put(c, target);
	call_put(c, dir);
	return r;
}

int h_unlink(struct call *c)
{
	const struct gw_unlink_req *q = c->req;
	char name[GW_NAME_MAX + 1];
	struct fdnode *dir;
	u32 expected;
	int r = call_name(c, 0, c->tail_len, name);

	if (r < 0)
		return r;
	dir = call_dir(c, q->dir, &r);
	if (!dir)
		return r;
	if (call_readonly(c, dir)) {
		r = -EROFS;
	} else {
		expected = watch_expect(&c->s->watches, dir->watch, IN_DELETE, name);
		r = path_unlink(dir->fd, name, q->rmdir != 0);
		if (r < 0)
			watch_unexpect(&c->s->watches, expected);
	}
	call_put(c, dir);
	return r;
}

/* Events that a rename causes: a move, or two when they change places. */
struct moves { u32 token[4]; };

static void expect_moves(struct watches *w, const struct fdnode *od, const char *oname, const struct fdnode *nd,
                         const char *nname, bool exchange, struct moves *ret)
{
	ret->token[0] = watch_expect(w, od->watch, IN_MOVED_FROM, oname);
	ret->token[1] = watch_expect(w, nd->watch, IN_MOVED_TO, nname);
	ret->token[2] = watch_expect(w, exchange ? nd->watch : -1, IN_MOVED_FROM, nname);
	ret->token[3] = watch_expect(w, exchange ? od->watch : -1, IN_MOVED_TO, oname);
}

static int rename_known(struct call *c, const struct fdnode *od, const char *oname, const struct fdnode *nd,
                        const char *nname, u32 flags)
{
	struct watches *w = &c->s->watches;
	struct moves m;
	int r;

	expect_moves(w, od, oname, nd, nname, flags & RENAME_EXCHANGE, &m);
	r = path_rename(od->fd, oname, nd->fd, nname, flags);
	for (size_t i = 0; r < 0 && i < ARRAY_SIZE(m.token); i++)
		watch_unexpect(w, m.token[i]);
	return r;
}

int h_rename(struct call *c)
{
	const struct gw_rename_req *q = c->req;
	char oname[GW_NAME_MAX + 1], nname[GW_NAME_MAX + 1];
	struct fdnode *odir, *ndir;
	int r = call_name(c, 0, q->oname_len, oname);

	if (r == 0)
		r = call_name(c, q->oname_len, c->tail_len - q->oname_len, nname);
	if (r == 0 && (q->flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)))
		r = -EINVAL;
	if (r < 0)
		return r;
	odir = call_dir(c, q->odir, &r);
	if (!odir)
		return r;
	ndir = call_dir(c, q->ndir, &r);
	if (ndir) {
		r = same_root(c, odir, ndir);
		if (r == 0)
			r = rename_known(c, odir, oname, ndir, nname, q->flags);
		call_put(c, ndir);
	}
	call_put(c, odir);
	return r;
}
