/*
 * netlink_ack.c - what rtnetlink says of requests that it refuses: errors, words (NETLINK_EXT_ACK), how much of the
 * request comes back (NETLINK_CAP_ACK), strictness (NETLINK_GET_STRICT_CHK); generic netlink; filters on sockets.
 */
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include "tests/lib/ownnet.h"

static char sent[1024], got[65536];
static struct nlmsghdr *const req = (struct nlmsghdr *)sent, *const ans = (struct nlmsghdr *)got;

static int netlink(int proto, bool words, bool strict)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, proto), w = words, s = strict;

	REQUIRE(fd >= 0);
	REQUIRE_OK(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &w, sizeof(w)));
	REQUIRE_OK(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &s, sizeof(s)));
	return fd;
}

static void begin(int type, int flags, const void *body, size_t n)
{
	memset(sent, 0, sizeof(sent));
	req->nlmsg_len = (uint32_t)NLMSG_LENGTH(n);
	req->nlmsg_type = (uint16_t)type;
	req->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	req->nlmsg_seq = 5;
	memcpy(NLMSG_DATA(req), body, n);
}

static void attr(int type, const void *v, size_t n)
{
	struct nlattr *a = (struct nlattr *)(sent + NLMSG_ALIGN(req->nlmsg_len));

	a->nla_type = (uint16_t)type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + n);
	memcpy(a + 1, v, n);
	req->nlmsg_len = (uint32_t)NLMSG_ALIGN(req->nlmsg_len) + NLA_ALIGN(a->nla_len);
}

/* The answer's length; it is in got[]. */
static ssize_t ask(int fd)
{
	if (send(fd, sent, req->nlmsg_len, 0) != (ssize_t)req->nlmsg_len)
		return -1;
	return recv(fd, got, sizeof(got), 0);
}

/* The explanation in an error or at the end of a dump, or "". */
static const char *words(uint32_t *ret_at)
{
	const struct nlmsgerr *e = NLMSG_DATA(ans);
	bool error = ans->nlmsg_type == NLMSG_ERROR, capped = ans->nlmsg_flags & NLM_F_CAPPED;
	size_t skip = !error ? sizeof(int) : sizeof(*e) + (capped ? 0 : NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN);
	const char *p = (const char *)NLMSG_DATA(ans) + skip, *end = got + ans->nlmsg_len, *text = "";

	*ret_at = 0;
	while ((ans->nlmsg_flags & NLM_F_ACK_TLVS) && end - p >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)p;

		if (a->nla_type == NLMSGERR_ATTR_MSG)
			text = (const char *)(a + 1);
		else if (a->nla_type == NLMSGERR_ATTR_OFFS)
			memcpy(ret_at, a + 1, sizeof(*ret_at));
		p += NLA_ALIGN(a->nla_len);
	}
	return text;
}

/* What is asked last is refused with an error and words; in a dump the error is told at its end. */
static void refused(const char *file, int line, int fd, int error, const char *why, uint32_t at)
{
	bool dump = (req->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	ssize_t n = ask(fd);
	uint32_t where;
	int e = 0;

	if (n < (ssize_t)NLMSG_LENGTH(sizeof(e)) || ans->nlmsg_type != (dump ? NLMSG_DONE : NLMSG_ERROR)) {
		test_fail(file, line, "%zd bytes of type %x", n, ans->nlmsg_type);
		return;
	}
	memcpy(&e, NLMSG_DATA(ans), sizeof(e));
	if (e != -error)
		test_fail(file, line, "error %d, not %d", -e, error);
	if (strcmp(words(&where), why) != 0)
		test_fail(file, line, "it says \"%s\", not \"%s\"", words(&where), why);
	if (where != at)
		test_fail(file, line, "at %u, not %u", where, at);
}
#define REFUSED(fd, error, why, at) refused(__FILE__, __LINE__, fd, error, why, at)

static const struct ifinfomsg no_link, lo = { .ifi_index = 1 }, far_link = { .ifi_index = 9999 };
static const uint32_t one = 1;

TEST(strict_questions_about_links)
{
	struct ifinfomsg flags = { .ifi_flags = 1 };
	int fd;

	own_network();
	fd = netlink(NETLINK_ROUTE, true, true);
	begin(RTM_GETLINK, 0, &lo, 8);
	REFUSED(fd, EINVAL, "Invalid header for get link", 0);
	begin(RTM_GETLINK, 0, &lo, sizeof(lo));
	attr(IFLA_MTU, &one, 4);
	REFUSED(fd, EINVAL, "Unsupported attribute in get link request", 0);
	begin(RTM_GETLINK, 0, &lo, sizeof(lo));
	attr(900, &one, 4);
	REFUSED(fd, EINVAL, "Unknown attribute type", 32);
	begin(RTM_GETLINK, 0, &no_link, sizeof(no_link));
	attr(IFLA_IFNAME, "averyveryverylongname", 22);
	REFUSED(fd, ERANGE, "Attribute failed policy validation", 32);
	begin(RTM_GETLINK, NLM_F_DUMP, &lo, sizeof(lo));
	REFUSED(fd, EINVAL, "Filter by device index not supported for link dumps", 0);
	begin(RTM_GETLINK, NLM_F_DUMP, &flags, sizeof(flags));
	REFUSED(fd, EINVAL, "Invalid values in header for link dump request", 0);
	begin(RTM_GETLINK, NLM_F_DUMP, &no_link, sizeof(no_link));
	attr(IFLA_MTU, &one, 4);
	REFUSED(fd, EINVAL, "Unsupported attribute in link dump request", 0);
	begin(RTM_GETLINK, NLM_F_DUMP, &no_link, 1);
	REFUSED(fd, EINVAL, "Invalid header for link dump", 0);
	begin(RTM_GETLINK, 0, &far_link, sizeof(far_link));
	REFUSED(fd, ENODEV, "", 0);
	begin(RTM_GETLINK, 0, &lo, sizeof(lo));
	attr(IFLA_IFNAME, "lo", 3);
	sent[32] = 3;
	REFUSED(fd, EINVAL, "bytes leftover after parsing attributes", 0);
}

TEST(strict_questions_about_the_rest)
{
	struct ifaddrmsg a = { .ifa_family = AF_INET, .ifa_prefixlen = 3 };
	struct rtmsg r = { .rtm_family = AF_INET, .rtm_dst_len = 8 };
	struct ndmsg n = { .ndm_family = AF_INET, .ndm_state = 1, .ndm_ifindex = 1 };
	uint32_t table = 77, dst = htonl(INADDR_LOOPBACK);
	int fd;

	own_network();
	fd = netlink(NETLINK_ROUTE, true, true);
	begin(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
	REFUSED(fd, EINVAL, "ipv4: Invalid values in header for address dump request", 0);
	begin(RTM_GETADDR, NLM_F_DUMP, &a, 1);
	REFUSED(fd, EINVAL, "ipv4: Invalid header for address dump request", 0);
	a = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_index = 99 };
	begin(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
	REFUSED(fd, ENODEV, "", 0);
	begin(RTM_GETROUTE, NLM_F_DUMP, &r, sizeof(r));
	REFUSED(fd, EINVAL, "Invalid values in header for FIB dump request", 0);
	r.rtm_dst_len = 0;
	begin(RTM_GETROUTE, NLM_F_DUMP, &r, sizeof(r));
	attr(RTA_TABLE, &table, 4);
	REFUSED(fd, ENOENT, "ipv4: FIB table does not exist", 0);
	begin(RTM_GETROUTE, NLM_F_DUMP, &r, sizeof(r));
	attr(RTA_PRIORITY, &table, 4);
	REFUSED(fd, EINVAL, "Unsupported attribute in dump request", 0);
	r.rtm_dst_len = 24;
	begin(RTM_GETROUTE, 0, &r, sizeof(r));
	attr(RTA_DST, &dst, 4);
	REFUSED(fd, EINVAL, "ipv4: Invalid values in header for route get request", 0);
	r.rtm_dst_len = 32;
	begin(RTM_GETROUTE, 0, &r, sizeof(r));
	attr(RTA_DST, &dst, 2);
	REFUSED(fd, ERANGE, "Attribute failed policy validation", 28);
	begin(RTM_GETNEIGH, NLM_F_DUMP, &n, sizeof(n));
	REFUSED(fd, EINVAL, "Invalid values in header for neighbor dump request", 0);
	n.ndm_state = 0;
	begin(RTM_GETNEIGH, 0, &n, sizeof(n));
	attr(NDA_DST, &dst, 4);
	REFUSED(fd, ENOENT, "Neighbour entry not found", 0);
	begin(RTM_GETRULE, NLM_F_DUMP, &r, 1);
	REFUSED(fd, EINVAL, "Invalid header for fib rule dump request", 0);
}

TEST(addresses_that_are_refused)
{
	struct ifaddrmsg a = { .ifa_family = AF_INET, .ifa_prefixlen = 40, .ifa_index = 1 };
	struct ifa_cacheinfo life = { .ifa_prefered = 5, .ifa_valid = 3 };
	uint32_t ip = htonl(0x0a010101);
	int fd, new = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;

	own_network();
	fd = netlink(NETLINK_ROUTE, true, false);
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, &ip, 4);
	REFUSED(fd, EINVAL, "ipv4: Invalid prefix length", 0);
	a.ifa_prefixlen = 24;
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	REFUSED(fd, EINVAL, "ipv4: Local address is not supplied", 0);
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, &ip, 2);
	REFUSED(fd, ERANGE, "Attribute failed policy validation", 24);
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, &ip, 4);
	attr(IFA_CACHEINFO, &life, sizeof(life));
	REFUSED(fd, EINVAL, "ipv4: address lifetime invalid", 0);
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, &ip, 4);
	REFUSED(fd, 0, "", 0);
	REFUSED(fd, EEXIST, "ipv4: Address already assigned", 0);
	begin(RTM_DELADDR, NLM_F_ACK, &a, sizeof(a));
	attr(IFA_LOCAL, &ip, 4);
	REFUSED(fd, 0, "", 0);
	REFUSED(fd, EADDRNOTAVAIL, "ipv4: Address not found", 0);
	a.ifa_index = 99;
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, &ip, 4);
	REFUSED(fd, ENODEV, "ipv4: Device not found", 0);
	begin(RTM_NEWADDR, new, &a, 4);
	REFUSED(fd, EINVAL, "Invalid header length", 0);
}

TEST(routes_neighbours_and_links_that_are_refused)
{
	struct rtmsg r = { .rtm_family = AF_INET, .rtm_dst_len = 40, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST,
			   .rtm_protocol = RTPROT_BOOT };
	struct ndmsg n = { .ndm_family = AF_INET, .ndm_ifindex = 1, .ndm_state = NUD_PERMANENT };
	uint32_t dst = htonl(0x0b010100), gw = htonl(0x0c000001);
	int fd, new = NLM_F_ACK | NLM_F_CREATE;

	own_network();
	fd = netlink(NETLINK_ROUTE, true, false);
	begin(RTM_NEWROUTE, new, &r, sizeof(r));
	attr(RTA_DST, &dst, 4);
	REFUSED(fd, EINVAL, "Invalid prefix length", 0);
	r.rtm_dst_len = 16;
	begin(RTM_NEWROUTE, new, &r, sizeof(r));
	attr(RTA_DST, &dst, 4);
	attr(RTA_OIF, &one, 4);
	REFUSED(fd, EINVAL, "Invalid prefix for given prefix length", 0);
	r.rtm_dst_len = 24;
	begin(RTM_NEWROUTE, new, &r, sizeof(r));
	attr(RTA_DST, &dst, 4);
	attr(RTA_GATEWAY, &gw, 4);
	REFUSED(fd, ENETUNREACH, "Nexthop has invalid gateway", 0);
	begin(RTM_NEWROUTE, new, &r, sizeof(r));
	attr(RTA_DST, &dst, 4);
	attr(RTA_OIF, &one, 2);
	REFUSED(fd, ERANGE, "Attribute failed policy validation", 36);
	begin(RTM_NEWNEIGH, new, &n, sizeof(n));
	REFUSED(fd, EINVAL, "Network address not specified", 0);
	begin(RTM_NEWNEIGH, new, &n, sizeof(n));
	attr(NDA_DST, &dst, 2);
	REFUSED(fd, EINVAL, "Invalid network address", 0);
	n.ndm_ifindex = 99;
	begin(RTM_NEWNEIGH, new, &n, sizeof(n));
	attr(NDA_DST, &dst, 4);
	REFUSED(fd, ENODEV, "", 0);
	begin(RTM_SETLINK, NLM_F_ACK, &lo, sizeof(lo));
	attr(IFLA_MTU, &one, 2);
	REFUSED(fd, ERANGE, "Attribute failed policy validation", 32);
	begin(RTM_DELLINK, NLM_F_ACK, &far_link, sizeof(far_link));
	REFUSED(fd, ENODEV, "", 0);
	begin(RTM_DELLINK, NLM_F_ACK, &no_link, sizeof(no_link));
	REFUSED(fd, EINVAL, "", 0);
}

/* The error, positive, that a request comes to; words differ from version to version. */
static int error_of(int fd)
{
	const struct nlmsgerr *e = NLMSG_DATA(ans);

	REQUIRE(ask(fd) >= (ssize_t)NLMSG_LENGTH(sizeof(*e)));
	REQUIRE(ans->nlmsg_type == NLMSG_ERROR);
	return -e->error;
}

static void begin_addr(int type, struct ifaddrmsg a, int attr_type, uint32_t ip)
{
	ip = htonl(ip);
	begin(type, NLM_F_ACK | (type == RTM_NEWADDR ? NLM_F_CREATE : 0), &a, sizeof(a));
	attr(attr_type, &ip, sizeof(ip));
}

TEST(an_address_is_deleted_by_what_is_named_of_it)
{
	struct ifaddrmsg a = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 }, wide = a, far = a;
	int fd;

	wide.ifa_prefixlen = 16;
	far.ifa_prefixlen = 40;
	far.ifa_index = 99;
	own_network();
	fd = netlink(NETLINK_ROUTE, false, false);
	begin_addr(RTM_NEWADDR, a, IFA_LOCAL, 0x0a010102);
	EXPECT_EQ(error_of(fd), 0);
	begin_addr(RTM_NEWADDR, a, IFA_LOCAL, 0x0a020101);
	EXPECT_EQ(error_of(fd), 0);
	begin_addr(RTM_DELADDR, far, IFA_LOCAL, 0x0a010102);
	EXPECT_EQ(error_of(fd), ENODEV);
	begin_addr(RTM_DELADDR, wide, IFA_ADDRESS, 0x0a010102);
	EXPECT_EQ(error_of(fd), EADDRNOTAVAIL);
	begin_addr(RTM_DELADDR, a, IFA_ADDRESS, 0x0a02014d);     /* in its network */
	EXPECT_EQ(error_of(fd), 0);
	begin_addr(RTM_DELADDR, a, IFA_LOCAL, 0x0a020101);
	EXPECT_EQ(error_of(fd), EADDRNOTAVAIL);
	begin_addr(RTM_DELADDR, wide, IFA_LOCAL, 0x0a010102);   /* a length counts only with a network */
	EXPECT_EQ(error_of(fd), 0);
}

TEST(addresses_of_IPv6_that_no_link_has)
{
	struct ifaddrmsg a = { .ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_index = 1 };
	uint8_t any[16] = { 0 }, group[16] = { 0xff, 2, [15] = 1 }, ip[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 1 };
	int fd, new = NLM_F_ACK | NLM_F_CREATE;

	own_network();
	fd = netlink(NETLINK_ROUTE, false, false);
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, ip, 16);
	if (error_of(fd) != 0)
		SKIP("no IPv6");
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, any, 16);
	EXPECT_EQ(error_of(fd), EADDRNOTAVAIL);
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, group, 16);
	EXPECT_EQ(error_of(fd), EADDRNOTAVAIL);
	a.ifa_index = 99;
	a.ifa_prefixlen = 200;
	begin(RTM_NEWADDR, new, &a, sizeof(a));
	attr(IFA_LOCAL, ip, 16);
	EXPECT_EQ(error_of(fd), ENODEV);
}

TEST(families_without_neighbours_and_addresses)
{
	struct ndmsg n = { .ndm_family = AF_PACKET, .ndm_ifindex = 1, .ndm_state = NUD_PERMANENT };
	struct ifaddrmsg a = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
	uint32_t ip = htonl(0x0b010101);
	int fd;

	own_network();
	fd = netlink(NETLINK_ROUTE, false, false);
	begin(RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE, &n, sizeof(n));
	attr(NDA_DST, &ip, sizeof(ip));
	EXPECT_EQ(error_of(fd), EAFNOSUPPORT);
	begin(RTM_GETNEIGH, 0, &n, sizeof(n));
	attr(NDA_DST, &ip, sizeof(ip));
	EXPECT_EQ(error_of(fd), EINVAL);        /* of a state */
	n.ndm_state = 0;
	begin(RTM_GETNEIGH, 0, &n, sizeof(n));
	attr(NDA_DST, &ip, sizeof(ip));
	EXPECT_EQ(error_of(fd), EAFNOSUPPORT);
	n.ndm_ifindex = 0;
	begin(RTM_GETNEIGH, 0, &n, sizeof(n));
	EXPECT_EQ(error_of(fd), EINVAL);
	begin_addr(RTM_NEWADDR, a, IFA_LOCAL, 0x0a010102);
	EXPECT_EQ(error_of(fd), 0);
	a.ifa_family = AF_PACKET;               /* has no addresses of its own: all there are */
	begin(RTM_GETADDR, NLM_F_DUMP, &a, sizeof(a));
	REQUIRE(ask(fd) > 0);
	EXPECT_EQ(ans->nlmsg_type, RTM_NEWADDR);
}

TEST(how_much_of_a_request_comes_back)
{
	int fd, on = 1;

	own_network();
	fd = netlink(NETLINK_ROUTE, false, true);
	begin(RTM_GETLINK, 0, &lo, 8);
	/* No words for who has not asked for them, and the whole request. */
	EXPECT_EQ(ask(fd), NLMSG_LENGTH(sizeof(struct nlmsgerr)) + 8);
	EXPECT_EQ(ans->nlmsg_flags, 0);
	REQUIRE_OK(setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)));
	EXPECT_EQ(ask(fd), NLMSG_LENGTH(sizeof(struct nlmsgerr)));
	EXPECT_EQ(ans->nlmsg_flags, NLM_F_CAPPED);
	REQUIRE_OK(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)));
	EXPECT_EQ(ask(fd), NLMSG_LENGTH(sizeof(struct nlmsgerr)) + NLA_HDRLEN + 28);
	EXPECT_EQ(ans->nlmsg_flags, NLM_F_CAPPED | NLM_F_ACK_TLVS);
}

TEST(generic_netlink_knows_its_controller)
{
	struct genlmsghdr g = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	uint16_t id = 0;
	const char *name = NULL;
	int fd = netlink(NETLINK_GENERIC, true, false);

	begin(GENL_ID_CTRL, 0, &g, sizeof(g));
	attr(CTRL_ATTR_FAMILY_NAME, "nlctrl", 7);
	REQUIRE(ask(fd) > (ssize_t)NLMSG_LENGTH(sizeof(g)));
	EXPECT_EQ(ans->nlmsg_type, GENL_ID_CTRL);
	for (char *p = got + NLMSG_LENGTH(sizeof(g)); p < got + ans->nlmsg_len;) {
		struct nlattr *a = (struct nlattr *)p;

		if (a->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&id, a + 1, sizeof(id));
		if (a->nla_type == CTRL_ATTR_FAMILY_NAME)
			name = (char *)(a + 1);
		p += NLA_ALIGN(a->nla_len);
	}
	EXPECT_EQ(id, GENL_ID_CTRL);
	EXPECT_STR(name ? name : "", "nlctrl");
	begin(GENL_ID_CTRL, 0, &g, sizeof(g));
	attr(CTRL_ATTR_FAMILY_NAME, "no-such-family", 15);
	REFUSED(fd, ENOENT, "", 0);
	begin(GENL_ID_CTRL, 0, &g, sizeof(g));
	attr(CTRL_ATTR_FAMILY_NAME, "nlctrl", 6);
	REFUSED(fd, EINVAL, "Attribute failed policy validation", 20);
	begin(GENL_ID_CTRL, 0, &g, sizeof(g));
	attr(CTRL_ATTR_FAMILY_ID, &id, 1);
	REFUSED(fd, ERANGE, "Attribute failed policy validation", 20);
	begin(GENL_ID_CTRL, 0, &g, sizeof(g));
	REFUSED(fd, EINVAL, "", 0);
	begin(GENL_ID_CTRL, 0, &g, 2);
	REFUSED(fd, EINVAL, "", 0);
	begin(1000, 0, &g, sizeof(g));
	REFUSED(fd, ENOENT, "", 0);
	g.cmd = 99;
	begin(GENL_ID_CTRL, 0, &g, sizeof(g));
	REFUSED(fd, EOPNOTSUPP, "", 0);
}

static int attach(int fd, struct sock_filter *f, unsigned short n)
{
	struct sock_fprog p = { n, f };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p));
}

TEST(filters_see_what_comes)
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) }, some[] = { BPF_STMT(BPF_RET | BPF_K, 20) };
	struct sock_filter no_errors[] = {      /* the type is in the machine's order, the load in the network's */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NLMSG_ERROR << 8, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_filter outside[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 1 << 20), BPF_STMT(BPF_RET | BPF_K, 100) };
	int fd;

	own_network();
	fd = netlink(NETLINK_ROUTE, false, false);
	EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &one, 4), ENOENT);
	EXPECT_ERR(attach(fd, none, 0), EINVAL);
	EXPECT_OK(attach(fd, none, 1));
	begin(RTM_GETLINK, NLM_F_ACK, &lo, sizeof(lo));
	EXPECT_EQ(send(fd, sent, req->nlmsg_len, 0), req->nlmsg_len);
	EXPECT_ERR(recv(fd, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	EXPECT_OK(attach(fd, outside, 2));
	EXPECT_EQ(send(fd, sent, req->nlmsg_len, 0), req->nlmsg_len);
	EXPECT_ERR(recv(fd, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	EXPECT_OK(attach(fd, some, 1));
	EXPECT_EQ(ask(fd), 20);
	EXPECT_EQ(recv(fd, got, sizeof(got), 0), 20);
	EXPECT_OK(attach(fd, no_errors, 4));
	EXPECT_EQ(send(fd, sent, req->nlmsg_len, 0), req->nlmsg_len);
	EXPECT(recv(fd, got, sizeof(got), 0) > 100);
	EXPECT_ERR(recv(fd, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, 4));
	EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &one, 4), EPERM);
	EXPECT_ERR(attach(fd, none, 1), EPERM);
}

TEST_MAIN()
