/*
 * netlink_msg.c - laying out and taking apart netlink messages (netlink(7)).
 */
#include <errno.h>
#include <string.h>
#include "sentry/socket/netlink.h"

/* Room for @n bytes, padded with zeros to the next message or attribute; NULL when full. */
static u8 *reserve(struct nl_buf *b, size_t n)
{
	u8 *p = b->p + b->len;

	if (b->full || n > b->cap || NLMSG_ALIGN(n) > b->cap - b->len) {
		b->full = true;
		return NULL;
	}
	memset(p, 0, NLMSG_ALIGN(n));
	b->len += (u32)NLMSG_ALIGN(n);
	return p;
}

void nl_begin(struct nl_buf *b, u16 type, u16 flags, u32 seq, u32 portid, const void *fixed, size_t n)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq, .nlmsg_pid = portid };
	u8 *p;

	b->start = b->len;
	b->full = false;
	p = reserve(b, sizeof(h) + n);
	if (!p)
		return;
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), fixed, n);
}

void nl_attr(struct nl_buf *b, u16 type, const void *v, size_t n)
{
	struct nlattr a = { .nla_len = (u16)(NLA_HDRLEN + n), .nla_type = type };
	u8 *p = reserve(b, NLA_HDRLEN + n);

	if (!p)
		return;
	memcpy(p, &a, sizeof(a));
	memcpy(p + NLA_HDRLEN, v, n);
}

void nl_attr_u8(struct nl_buf *b, u16 type, u8 v) { nl_attr(b, type, &v, sizeof(v)); }
void nl_attr_u32(struct nl_buf *b, u16 type, u32 v) { nl_attr(b, type, &v, sizeof(v)); }
void nl_attr_str(struct nl_buf *b, u16 type, const char *s) { nl_attr(b, type, s, strlen(s) + 1); }

u32 nl_nest(struct nl_buf *b, u16 type)
{
	u32 at = b->len;

	nl_attr(b, type, "", 0);
	return at;
}

void nl_nest_end(struct nl_buf *b, u32 at)
{
	u16 len = (u16)(b->len - at);

	if (!b->full)
		memcpy(b->p + at, &len, sizeof(len));
}

bool nl_end(struct nl_buf *b)
{
	u32 len = b->len - b->start;

	if (b->full) {
		b->len = b->start;
		return false;
	}
	memcpy(b->p + b->start, &len, sizeof(len));
	return true;
}

const void *nl_find(const struct nl_req *q, size_t fixed, u16 type, size_t min, u32 *ret_len)
{
	u32 off = (u32)NLMSG_ALIGN(fixed);

	while (off <= q->len && q->len - off >= NLA_HDRLEN) {
		struct nlattr a;

		memcpy(&a, q->body + off, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > q->len - off)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type && (size_t)a.nla_len >= min + NLA_HDRLEN) {
			if (ret_len)
				*ret_len = (u32)(a.nla_len - NLA_HDRLEN);
			return q->body + off + NLA_HDRLEN;
		}
		off += (u32)NLA_ALIGN(a.nla_len);
	}
	return NULL;
}

bool nl_fixed(const struct nl_req *q, void *dst, size_t n, size_t min)
{
	memset(dst, 0, n);
	memcpy(dst, q->body, MIN((size_t)q->len, n));
	return q->len >= min;
}

bool nl_find_u32(const struct nl_req *q, size_t fixed, u16 type, u32 *ret)
{
	const void *p = nl_find(q, fixed, type, sizeof(*ret), NULL);

	if (p)
		memcpy(ret, p, sizeof(*ret));
	return p != NULL;
}

bool nl_find_name(const struct nl_req *q, size_t fixed, u16 type, char ret[NET_IFNAMSIZ])
{
	u32 len;
	const char *p = nl_find(q, fixed, type, 1, &len);

	if (!p || strnlen(p, len) >= NET_IFNAMSIZ || !*p)
		return false;
	memset(ret, 0, NET_IFNAMSIZ);
	memcpy(ret, p, strnlen(p, len));
	return true;
}

bool nl_within(const struct nl_req *q, size_t fixed, u16 type, struct nl_req *ret)
{
	u32 len;
	const u8 *p = nl_find(q, fixed, type, 0, &len);

	if (!p)
		return false;
	*ret = *q;
	ret->body = p;
	ret->len = len;
	return true;
}
