/*
 * netlink_genl.c - generic netlink: its controller (GENL_ID_CTRL), the only family that there is.
 *
 * Programs ask it for the number of the family they would like to talk to, and take -ENOENT for a kernel without.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <string.h>
#include "sentry/socket/netlink.h"

#define CTRL_VERSION 2
#define CTRL_NAME    "nlctrl"

/* Of the commands that the controller has. */
static const struct { u32 id, flags; } commands[] = {
	{ CTRL_CMD_GETFAMILY, GENL_CMD_CAP_DO | GENL_CMD_CAP_DUMP | GENL_CMD_CAP_HASPOL },
};

static bool put_family(struct nl_buf *b, u16 flags, u32 seq, u32 portid)
{
	const struct genlmsghdr g = { .cmd = CTRL_CMD_NEWFAMILY, .version = CTRL_VERSION };
	const u16 id = GENL_ID_CTRL;
	u32 ops, op, groups, group;

	nl_begin(b, GENL_ID_CTRL, flags, seq, portid, &g, sizeof(g));
	nl_attr_str(b, CTRL_ATTR_FAMILY_NAME, CTRL_NAME);
	nl_attr(b, CTRL_ATTR_FAMILY_ID, &id, sizeof(id));
	nl_attr_u32(b, CTRL_ATTR_VERSION, CTRL_VERSION);
	nl_attr_u32(b, CTRL_ATTR_HDRSIZE, 0);
	nl_attr_u32(b, CTRL_ATTR_MAXATTR, 0);
	ops = nl_nest(b, CTRL_ATTR_OPS);
	for (u16 i = 0; i < ARRAY_SIZE(commands); i++) {
		op = nl_nest(b, (u16)(i + 1));
		nl_attr_u32(b, CTRL_ATTR_OP_ID, commands[i].id);
		nl_attr_u32(b, CTRL_ATTR_OP_FLAGS, commands[i].flags);
		nl_nest_end(b, op);
	}
	nl_nest_end(b, ops);
	groups = nl_nest(b, CTRL_ATTR_MCAST_GROUPS);
	group = nl_nest(b, 1);
	nl_attr_u32(b, CTRL_ATTR_MCAST_GRP_ID, GENL_ID_CTRL);
	nl_attr_str(b, CTRL_ATTR_MCAST_GRP_NAME, "notify");
	nl_nest_end(b, group);
	nl_nest_end(b, groups);
	return nl_end(b);
}

static int dump_families(struct nl_dump *d, struct nl_buf *b)
{
	return put_family(b, NLM_F_MULTI, d->seq, d->portid) ? 0 : 1;
}

/* What the controller would say of the attributes: names end with a zero, numbers are whole. */
static int check(struct nl_req *q, const u8 **name, u32 *name_len, const u8 **id)
{
	const u8 *any_id;
	u32 len;

	*name = nl_find(q, sizeof(struct genlmsghdr), CTRL_ATTR_FAMILY_NAME, 0, name_len);
	any_id = nl_find(q, sizeof(struct genlmsghdr), CTRL_ATTR_FAMILY_ID, 0, &len);
	*id = any_id && len >= sizeof(u16) ? any_id : NULL;
	if (*name && !memchr(*name, 0, MIN(*name_len, (u32)GENL_NAMSIZ))) {
		q->ext.at = (u32)(*name - q->body) - NLA_HDRLEN + NLMSG_HDRLEN;
		return nl_refuse(q, -EINVAL, "Attribute failed policy validation");
	}
	if (any_id && !*id) {
		q->ext.at = (u32)(any_id - q->body) - NLA_HDRLEN + NLMSG_HDRLEN;
		return nl_refuse(q, -ERANGE, "Attribute failed policy validation");
	}
	return *name || *id ? 0 : -EINVAL;
}

static int get_family(struct nl_req *q)
{
	const u8 *name, *id;
	u32 len = 0;
	u16 n;
	int r;

	if (q->h.nlmsg_flags & NLM_F_DUMP) {
		q->dump->fill = dump_families;
		return NL_DUMP;
	}
	r = check(q, &name, &len, &id);
	if (r < 0)
		return r;
	if (name) {
		r = strcmp((const char *)name, CTRL_NAME) != 0 ? -ENOENT : 0;
	} else {
		memcpy(&n, id, sizeof(n));
		r = n != GENL_ID_CTRL ? -ENOENT : 0;
	}
	if (r == 0)
		(void)put_family(q->reply, 0, q->h.nlmsg_seq, q->portid);
	return r;
}

int netlink_generic(struct nl_req *q)
{
	struct genlmsghdr g;

	if (q->h.nlmsg_type != GENL_ID_CTRL)
		return -ENOENT;
	if (!nl_fixed(q, &g, sizeof(g), sizeof(g)))
		return -EINVAL;
	return g.cmd == CTRL_CMD_GETFAMILY ? get_family(q) : -EOPNOTSUPP;
}
