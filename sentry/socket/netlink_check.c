/*
 * netlink_check.c - is a request of rtnetlink(7) one that Linux would look at?
 *
 * The lengths of attributes (-ERANGE), and what NETLINK_GET_STRICT_CHK asks for: headers that are whole, zeros in
 * what a question does not use, no attribute that it ignores.  The words are Linux' own, as ip(8) shows them.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "sentry/socket/netlink.h"

enum { OBJ_LINK = RTM_NEWLINK >> 2, OBJ_ADDR = RTM_NEWADDR >> 2, OBJ_ROUTE = RTM_NEWROUTE >> 2, OBJ_NEIGH = RTM_NEWNEIGH >> 2,
       OBJ_RULE = RTM_NEWRULE >> 2 };

static int object_of(const struct nl_req *q) { return q->h.nlmsg_type >> 2; }

static size_t header_of(const struct nl_req *q)
{
	switch (object_of(q)) {
	case OBJ_LINK: return sizeof(struct ifinfomsg);
	case OBJ_ADDR: return sizeof(struct ifaddrmsg);
	case OBJ_NEIGH: return sizeof(struct ndmsg);
	default: return sizeof(struct rtmsg);   /* rules' is as long */
	}
}

int nl_refuse(struct nl_req *q, int error, const char *why)
{
	q->ext.msg = why;
	return error;
}

/* The attribute at *@off of the body, which moves on; false: no more, or none that is whole. */
static bool next_attr(const struct nl_req *q, u32 *off, struct nlattr *ret, u32 *at)
{
	if (*off > q->len || q->len - *off < NLA_HDRLEN)
		return false;
	memcpy(ret, q->body + *off, sizeof(*ret));
	if (ret->nla_len < NLA_HDRLEN || ret->nla_len > q->len - *off)
		return false;
	*at = *off;
	*off += (u32)NLA_ALIGN(ret->nla_len);
	ret->nla_type &= NLA_TYPE_MASK;
	return true;
}

/* ---- lengths ---- */

struct attr_len { u8 object, family; u16 type, least, most; };  /* family 0: any; most 0: no limit */

static const struct attr_len lengths[] = {
	{ OBJ_LINK, 0, IFLA_IFNAME, 0, 15 }, { OBJ_LINK, 0, IFLA_ALT_IFNAME, 0, 127 }, { OBJ_LINK, 0, IFLA_MTU, 4, 0 },
	{ OBJ_LINK, 0, IFLA_TXQLEN, 4, 0 }, { OBJ_LINK, 0, IFLA_GROUP, 4, 0 }, { OBJ_LINK, 0, IFLA_EXT_MASK, 4, 0 },
	{ OBJ_ADDR, AF_INET, IFA_LOCAL, 4, 0 }, { OBJ_ADDR, AF_INET, IFA_ADDRESS, 4, 0 }, { OBJ_ADDR, AF_INET, IFA_BROADCAST, 4, 0 },
	{ OBJ_ADDR, AF_INET, IFA_LABEL, 0, 15 }, { OBJ_ADDR, AF_INET6, IFA_LOCAL, 16, 0 }, { OBJ_ADDR, AF_INET6, IFA_ADDRESS, 16, 0 },
	{ OBJ_ADDR, 0, IFA_CACHEINFO, sizeof(struct ifa_cacheinfo), 0 }, { OBJ_ADDR, 0, IFA_FLAGS, 4, 0 },
	{ OBJ_ROUTE, AF_INET, RTA_DST, 4, 0 }, { OBJ_ROUTE, AF_INET, RTA_GATEWAY, 4, 0 }, { OBJ_ROUTE, AF_INET, RTA_PREFSRC, 4, 0 },
	{ OBJ_ROUTE, AF_INET6, RTA_GATEWAY, 16, 0 }, { OBJ_ROUTE, AF_INET6, RTA_PREFSRC, 16, 0 }, { OBJ_ROUTE, 0, RTA_OIF, 4, 0 },
	{ OBJ_ROUTE, 0, RTA_IIF, 4, 0 }, { OBJ_ROUTE, 0, RTA_PRIORITY, 4, 0 }, { OBJ_ROUTE, 0, RTA_TABLE, 4, 0 },
	{ OBJ_NEIGH, 0, NDA_IFINDEX, 4, 0 }, { OBJ_NEIGH, 0, NDA_FLAGS_EXT, 4, 0 },
};

/* @n bytes at @p, of which a zero at the end does not count where there is a limit (names). */
static bool fits(const struct attr_len *l, const u8 *p, u32 n)
{
	if (l->most && n && !p[n - 1])
		n--;
	return n >= l->least && (!l->most || n <= l->most);
}

int netlink_check_lengths(struct nl_req *q)
{
	u32 off = (u32)NLMSG_ALIGN(header_of(q)), at;
	u8 family = q->len ? q->body[0] : 0;
	struct nlattr a;

	while (next_attr(q, &off, &a, &at))
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			const struct attr_len *l = &lengths[i];

			if (l->object != object_of(q) || (l->family && l->family != family) || l->type != a.nla_type ||
			    fits(l, q->body + at + NLA_HDRLEN, a.nla_len - NLA_HDRLEN))
				continue;
			q->ext.at = NLMSG_HDRLEN + at;
			return nl_refuse(q, -ERANGE, "Attribute failed policy validation");
		}
	return 0;
}

/* ---- strict questions ---- */

#define BIT(n) (UINT64_C(1) << (n))

struct strict {
	u8 object, family;              /* family 0: any other */
	bool dump;
	u16 last;                       /* attribute that there is */
	u64 allowed;                    /* attributes */
	u8 zero[4];                     /* bytes of the header that are to be zero, from and to, twice; 0, 0: none */
	const char *header, *values, *attrs;
};

static const struct strict strict[] = {
	{ OBJ_LINK, 0, true, IFLA_MAX, BIT(IFLA_EXT_MASK) | BIT(IFLA_MASTER) | BIT(IFLA_LINKINFO) | BIT(IFLA_TARGET_NETNSID),
	  { 1, 4, 8, 16 }, "Invalid header for link dump", "Invalid values in header for link dump request",
	  "Unsupported attribute in link dump request" },
	{ OBJ_LINK, 0, false, IFLA_MAX, BIT(IFLA_EXT_MASK) | BIT(IFLA_IFNAME) | BIT(IFLA_ALT_IFNAME) | BIT(IFLA_TARGET_NETNSID),
	  { 1, 4, 8, 16 }, "Invalid header for get link", "Invalid values in header for get link request",
	  "Unsupported attribute in get link request" },
	{ OBJ_ADDR, AF_INET6, true, IFA_MAX, BIT(IFA_TARGET_NETNSID), { 1, 4, 0, 0 }, "ipv6: Invalid header for address dump request",
	  "ipv6: Invalid values in header for address dump request", "ipv6: Unsupported attribute in dump request" },
	{ OBJ_ADDR, 0, true, IFA_MAX, BIT(IFA_TARGET_NETNSID), { 1, 4, 0, 0 }, "ipv4: Invalid header for address dump request",
	  "ipv4: Invalid values in header for address dump request", "ipv4: Unsupported attribute in dump request" },
	{ OBJ_ROUTE, 0, true, RTA_MAX, BIT(RTA_TABLE) | BIT(RTA_OIF), { 1, 4, 6, 7 }, "Invalid header for FIB dump request",
	  "Invalid values in header for FIB dump request", "Unsupported attribute in dump request" },
	{ OBJ_ROUTE, AF_INET, false, RTA_MAX, BIT(RTA_IIF) | BIT(RTA_OIF) | BIT(RTA_SRC) | BIT(RTA_DST) | BIT(RTA_IP_PROTO) |
	  BIT(RTA_SPORT) | BIT(RTA_DPORT) | BIT(RTA_MARK) | BIT(RTA_UID), { 4, 8, 0, 0 }, "ipv4: Invalid header for route get request",
	  "ipv4: Invalid values in header for route get request", "ipv4: Unsupported attribute in route get request" },
	{ OBJ_NEIGH, 0, true, NDA_MAX, BIT(NDA_IFINDEX) | BIT(NDA_MASTER), { 1, 4, 8, 10 }, "Invalid header for neighbor dump request",
	  "Invalid values in header for neighbor dump request", "Unsupported attribute in neighbor dump request" },
	{ OBJ_RULE, 0, true, 0, 0, { 1, 12, 0, 0 }, "Invalid header for fib rule dump request",
	  "Invalid values in header for fib rule dump request", "Invalid data after header in fib rule dump request" },
};

static bool zeros(const struct nl_req *q, u8 from, u8 to)
{
	while (from < to)
		if (q->body[from++])
			return false;
	return true;
}

static int check_attrs(struct nl_req *q, const struct strict *s)
{
	u32 off = (u32)NLMSG_ALIGN(header_of(q)), at, used = 0;
	struct nlattr a;

	if (!s->last)
		return q->len > off ? nl_refuse(q, -EINVAL, s->attrs) : 0;
	while (next_attr(q, &off, &a, &at)) {
		if (a.nla_type > s->last) {
			q->ext.at = NLMSG_HDRLEN + at;
			return nl_refuse(q, -EINVAL, "Unknown attribute type");
		}
		used |= a.nla_type && (a.nla_type > 63 || !(s->allowed >> a.nla_type & 1));
	}
	if (off < q->len)
		return nl_refuse(q, -EINVAL, "bytes leftover after parsing attributes");
	return used ? nl_refuse(q, -EINVAL, s->attrs) : 0;
}

/* An address that is asked for is a whole one. */
static int check_route_get(struct nl_req *q)
{
	struct rtmsg m;

	if (!nl_fixed(q, &m, sizeof(m), sizeof(m)) || m.rtm_family != AF_INET)
		return 0;
	return (m.rtm_dst_len && m.rtm_dst_len != 32) || (m.rtm_src_len && m.rtm_src_len != 32) ?
		       nl_refuse(q, -EINVAL, "ipv4: Invalid values in header for route get request") : 0;
}

int netlink_check_strict(struct nl_req *q)
{
	bool dump = q->h.nlmsg_flags & NLM_F_DUMP;
	u8 family = q->len ? q->body[0] : 0;
	struct ifinfomsg link;
	const struct strict *s = strict;
	int r;

	while (s < strict + ARRAY_SIZE(strict) &&
	       (s->object != object_of(q) || s->dump != dump || (s->family && s->family != family)))
		s++;
	if (s == strict + ARRAY_SIZE(strict))
		return 0;
	if (q->len < header_of(q))
		return nl_refuse(q, -EINVAL, s->header);
	if (!zeros(q, s->zero[0], s->zero[1]) || !zeros(q, s->zero[2], s->zero[3]))
		return nl_refuse(q, -EINVAL, s->values);
	if (dump && s->object == OBJ_LINK && nl_fixed(q, &link, sizeof(link), sizeof(link)) && link.ifi_index)
		return nl_refuse(q, -EINVAL, "Filter by device index not supported for link dumps");
	r = check_attrs(q, s);
	return r == 0 && !dump && s->object == OBJ_ROUTE ? check_route_get(q) : r;
}
