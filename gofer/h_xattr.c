/*
 * h_xattr.c - extended attributes.
 *
 * Only what a container may own is stored: user.*, file capabilities and POSIX
 * ACLs.  trusted.* and the host's security labels don't exist here.
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>
#include "gofer/server.h"

static bool allowed(const char *name)
{
	return (strncmp(name, "user.", 5) == 0 && name[5]) ||
	       strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

/* The name and the node of a request. */
static int begin(struct call *c, bool write, char name[GW_NAME_MAX + 1], struct fdnode **ret)
{
	const struct gw_xattr_req *q = c->req;
	struct fdnode *n;

	if (q->name_len == 0 || q->name_len > GW_NAME_MAX || q->name_len > c->tail_len ||
	    memchr(c->tail, '\0', q->name_len))
		return -EINVAL;
	memcpy(name, c->tail, q->name_len);
	name[q->name_len] = '\0';
	if (!allowed(name))
		return -EOPNOTSUPP;
	n = call_node(c, q->handle);
	if (!n)
		return -EBADF;
	if (write && call_readonly(c, n)) {
		call_put(c, n);
		return -EROFS;
	}
	*ret = n;
	return 0;
}

int h_getxattr(struct call *c)
{
	const struct gw_xattr_req *q = c->req;
	char name[GW_NAME_MAX + 1];
	struct fdnode *n;
	ssize_t len;
	int r = begin(c, false, name, &n);

	if (r < 0)
		return r;
	len = path_getxattr(&c->s->links, n->fd, name, c->rep_tail, MIN((size_t)q->size, c->rep_tail_cap));
	call_put(c, n);
	if (len < 0)
		return (int)len;
	/* With size 0 the value isn't there, only its length: told as that many zeros would be wasteful. */
	if (q->size == 0)
		return call_reply(c, &(u64){ (u64)len }, sizeof(u64)) ? 0 : -EIO;
	c->rep_tail_len = (size_t)len;
	return 0;
}

int h_setxattr(struct call *c)
{
	const struct gw_xattr_req *q = c->req;
	char name[GW_NAME_MAX + 1];
	struct fdnode *n;
	int r = begin(c, true, name, &n);

	if (r < 0)
		return r;
	if (q->size != c->tail_len - q->name_len || q->size > 65536 ||
	    (q->flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE)))
		r = -EINVAL;
	else
		r = path_setxattr(&c->s->links, n->fd, name, c->tail + q->name_len, q->size, (int)q->flags);
	call_put(c, n);
	return r;
}

int h_listxattr(struct call *c)
{
	const struct gw_handle_req *q = c->req;
	struct fdnode *n = call_node(c, q->handle);
	char *list = (char *)c->rep_tail;
	ssize_t len;

	if (!n)
		return -EBADF;
	len = path_listxattr(&c->s->links, n->fd, list, c->rep_tail_cap);
	call_put(c, n);
	if (len < 0)
		return (int)len;
	for (ssize_t at = 0; at < len;) {
		size_t one = strnlen(list + at, (size_t)(len - at)) + 1;

		if (allowed(list + at)) {
			memmove(list + c->rep_tail_len, list + at, one);
			c->rep_tail_len += one;
		}
		at += (ssize_t)one;
	}
	return 0;
}

int h_removexattr(struct call *c)
{
	char name[GW_NAME_MAX + 1];
	struct fdnode *n;
	int r = begin(c, true, name, &n);

	if (r < 0)
		return r;
	r = path_removexattr(&c->s->links, n->fd, name);
	call_put(c, n);
	return r;
}
