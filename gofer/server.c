/* server.c - see server.h. */
#include "gofer/server.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "platform/host/doorbell.h"

#define MAX_NODES 9000u
#define SPARE_FDS 200u

static const struct {
	int (*fn)(struct call *c);
	size_t req, rep;
} table[GW_OP_MAX] = {
#define GMSG(nr, name, req, rep) [nr] = { h_##name, sizeof(struct req), sizeof(struct rep) },
#include "gofer/proto/msg.def"
#undef GMSG
};

int server_init(struct server *s, const struct gofer_config *cfg, const char *fdlinks_prefix, int ifd)
{
	u32 cap = cfg->max_nodes ? cfg->max_nodes : MAX_NODES;
	struct rlimit nofile;
	int r;

	/* Some descriptors stay for roots, sockets and files on their way to the client. */
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0 && nofile.rlim_cur < cap + SPARE_FDS)
		cap = nofile.rlim_cur > 2 * SPARE_FDS ? (u32)nofile.rlim_cur - SPARE_FDS : SPARE_FDS;
	s->cfg = cfg;
	r = path_fdlinks(&s->links, fdlinks_prefix);
	if (r == 0)
		r = fdmap_init(&s->map, cap);
	if (r == 0)
		r = watches_init(&s->watches, ifd);
	if (r == 0)
		r = doorbell_memory(GW_BELL_SIZE, &s->bell);
	return r;
}

ssize_t server_handle(struct server *s, const u8 *in, size_t len, u8 *out, int *ret_fd)
{
	const struct gw_hdr *h = (const void *)in;
	struct gw_hdr *rh = (void *)out;
	struct call c = { .s = s, .donate = -1 };
	size_t fixed;
	int r;

	*ret_fd = -1;
	if (len < sizeof(*h) || h->size != len || h->op >= GW_OP_MAX || !table[h->op].fn)
		return -EPROTO;
	if (len - sizeof(*h) < table[h->op].req)
		return -EPROTO;
	fixed = sizeof(*rh) + table[h->op].rep;
	memset(out, 0, fixed);
	c.req = in + sizeof(*h);
	c.tail = in + sizeof(*h) + table[h->op].req;
	c.tail_len = len - sizeof(*h) - table[h->op].req;
	c.rep = out + sizeof(*rh);
	c.rep_tail = out + fixed;
	c.rep_tail_cap = MIN((size_t)GW_TAIL_MAX, SERVER_BUF - fixed);
	r = table[h->op].fn(&c);
	if (h->op == GW_OP_close)
		return 0;
	*rh = (struct gw_hdr){ .op = h->op, .tag = h->tag, .err = r < 0 ? r : 0 };
	rh->size = (u32)(r < 0 ? sizeof(*rh) : fixed + c.rep_tail_len);
	*ret_fd = c.donate;
	return rh->size;
}

struct fdnode *call_node(struct call *c, u32 handle)
{
	return fdmap_get(&c->s->map, handle);
}

struct fdnode *call_dir(struct call *c, u32 handle, int *ret_err)
{
	struct fdnode *n = fdmap_get(&c->s->map, handle);

	if (!n) {
		*ret_err = -EBADF;
	} else if (n->type != S_IFDIR >> 12) {
		call_put(c, n);
		*ret_err = -ENOTDIR;
		n = NULL;
	}
	return n;
}

void call_put(struct call *c, struct fdnode *n)
{
	int fd, watch;

	if (!n)
		return;
	fd = fdmap_put(&c->s->map, n, &watch);
	watch_put(&c->s->watches, watch);
	if (fd >= 0)
		close(fd);
}

bool call_readonly(const struct call *c, const struct fdnode *n)
{
	return c->s->cfg->roots[n->root].readonly;
}

int call_name(const struct call *c, size_t at, size_t len, char ret[GW_NAME_MAX + 1])
{
	if (at > c->tail_len || len > c->tail_len - at)
		return -EINVAL;
	if (len > GW_NAME_MAX)
		return -ENAMETOOLONG;
	if (!gw_name_ok((const char *)c->tail + at, len))
		return -EINVAL;
	memcpy(ret, c->tail + at, len);
	ret[len] = '\0';
	return 0;
}

bool call_reply(struct call *c, const void *p, size_t n)
{
	if (n > c->rep_tail_cap - c->rep_tail_len)
		return false;
	memcpy(c->rep_tail + c->rep_tail_len, p, n);
	c->rep_tail_len += n;
	return true;
}

static bool watch_node(struct call *c, struct fdnode *n, const struct gw_attr *a)
{
	int slot = watch_add(&c->s->watches, &c->s->links, n->fd, a->dev, a->ino);

	if (slot < 0)
		return false;
	/* Two calls may watch one node at once; the second gives its reference back. */
	if (!__sync_bool_compare_and_swap(&n->watch, -1, slot))
		watch_put(&c->s->watches, slot);
	return true;
}

bool call_watch(struct call *c, struct fdnode *n)
{
	struct gw_attr a;

	if (__atomic_load_n(&n->watch, __ATOMIC_ACQUIRE) >= 0)
		return true;
	return path_stat(n->fd, &a) == 0 && watch_node(c, n, &a);
}

int call_new_node(struct call *c, int fd, u16 root, bool watch, bool known, struct gw_node *ret)
{
	struct fdnode *n;
	int r = known ? 0 : path_stat(fd, &ret->attr);

	if (r == 0)
		r = fdmap_add(&c->s->map, fd, root, ret->attr.mode, &ret->handle);
	if (r < 0) {
		close(fd);
		return r;
	}
	if (!watch || !S_ISDIR(ret->attr.mode))
		return 0;
	n = fdmap_get(&c->s->map, ret->handle);
	if (n && watch_node(c, n, &ret->attr)) {
		ret->flags |= GW_NODE_WATCHED;
		/* Again, now that nothing is missed. */
		r = path_stat(n->fd, &ret->attr);
	}
	call_put(c, n);
	return r;
}
