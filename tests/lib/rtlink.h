/*
 * rtlink.h - messages of rtnetlink about links: to lay them out, to ask, and to see what there is.
 */
#pragma once
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include "tests/lib/ownnet.h"

static union { struct nlmsghdr h; char room[2048]; } sent;
static union { struct nlmsghdr h; char room[65536]; } got;

__attribute__((unused)) static void begin(int type, int flags, const void *body, size_t n)
{
	memset(&sent, 0, sizeof(sent));
	sent.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(n);
	sent.h.nlmsg_type = (uint16_t)type;
	sent.h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(NLMSG_DATA(&sent.h), body, n);
}

__attribute__((unused)) static uint32_t attr(int type, const void *v, size_t n)
{
	struct nlattr a = { .nla_type = (uint16_t)type, .nla_len = (uint16_t)(NLA_HDRLEN + n) };
	uint32_t at = (uint32_t)NLMSG_ALIGN(sent.h.nlmsg_len);

	memcpy(sent.room + at, &a, sizeof(a));
	memcpy(sent.room + at + NLA_HDRLEN, v, n);
	sent.h.nlmsg_len = at + (uint32_t)NLA_ALIGN(a.nla_len);
	return at;
}

__attribute__((unused)) static void attr_text(int type, const char *s) { attr(type, s, strlen(s) + 1); }

__attribute__((unused)) static void nest_end(uint32_t at)
{
	uint16_t len = (uint16_t)(sent.h.nlmsg_len - at);

	memcpy(sent.room + at, &len, sizeof(len));
}

/* 0 or the error that is answered. */
__attribute__((unused)) static int ask(int fd)
{
	struct nlmsgerr e;

	REQUIRE(send(fd, &sent, sent.h.nlmsg_len, 0) == (ssize_t)sent.h.nlmsg_len);
	REQUIRE(recv(fd, &got, sizeof(got), 0) >= (ssize_t)NLMSG_LENGTH(sizeof(e)));
	REQUIRE(got.h.nlmsg_type == NLMSG_ERROR);
	memcpy(&e, NLMSG_DATA(&got.h), sizeof(e));
	return -e.error;
}

__attribute__((unused)) static int route_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	REQUIRE(fd >= 0);
	return fd;
}

struct link {
	unsigned flags, mtu, link, master;
	unsigned char mac[6];
	int nsid, operstate, carrier;
	char kind[16];
};

__attribute__((unused)) static void take_attr(struct link *l, const struct nlattr *a)
{
	const void *v = (const char *)a + NLA_HDRLEN;
	const struct nlattr *in = v;

	if (a->nla_type == IFLA_MTU)
		memcpy(&l->mtu, v, 4);
	else if (a->nla_type == IFLA_MASTER)
		memcpy(&l->master, v, 4);
	else if (a->nla_type == IFLA_ADDRESS)
		memcpy(l->mac, v, 6);
	else if (a->nla_type == IFLA_LINK)
		memcpy(&l->link, v, 4);
	else if (a->nla_type == IFLA_LINK_NETNSID)
		memcpy(&l->nsid, v, 4);
	else if (a->nla_type == IFLA_OPERSTATE)
		l->operstate = *(const unsigned char *)v;
	else if (a->nla_type == IFLA_CARRIER)
		l->carrier = *(const unsigned char *)v;
	else if ((a->nla_type & NLA_TYPE_MASK) == IFLA_LINKINFO && in->nla_type == IFLA_INFO_KIND)
		snprintf(l->kind, sizeof(l->kind), "%s", (const char *)(in + 1));
}

/* Its index, or 0. */
__attribute__((unused)) static int look(int fd, const char *name, struct link *l)
{
	struct ifinfomsg m = { 0 };
	uint32_t off = NLMSG_LENGTH(sizeof(m));

	memset(l, 0, sizeof(*l));
	l->nsid = -1;
	begin(RTM_GETLINK, 0, &m, sizeof(m));
	sent.h.nlmsg_flags = NLM_F_REQUEST;
	attr_text(IFLA_IFNAME, name);
	REQUIRE(send(fd, &sent, sent.h.nlmsg_len, 0) == (ssize_t)sent.h.nlmsg_len);
	REQUIRE(recv(fd, &got, sizeof(got), 0) > (ssize_t)off);
	if (got.h.nlmsg_type != RTM_NEWLINK)
		return 0;
	memcpy(&m, NLMSG_DATA(&got.h), sizeof(m));
	l->flags = m.ifi_flags;
	while (off + NLA_HDRLEN <= got.h.nlmsg_len) {
		const struct nlattr *a = (const struct nlattr *)(const void *)(got.room + off);

		take_attr(l, a);
		off += (uint32_t)NLA_ALIGN(a->nla_len);
	}
	return m.ifi_index;
}

__attribute__((unused)) static int index_of(int fd, const char *name)
{
	struct link l;

	return look(fd, name, &l);
}

__attribute__((unused)) static int set_flags(int fd, const char *name, unsigned flags)
{
	struct ifinfomsg m = { .ifi_index = index_of(fd, name), .ifi_flags = flags, .ifi_change = IFF_UP };

	begin(RTM_NEWLINK, 0, &m, sizeof(m));
	return ask(fd);
}

__attribute__((unused)) static int delete(int fd, const char *name)
{
	struct ifinfomsg m = { .ifi_index = index_of(fd, name) };

	begin(RTM_DELLINK, 0, &m, sizeof(m));
	return ask(fd);
}
