/*
 * inet_mcast.c - multicast over the loopback interface: joining, delivery, loops, sources.
 */
#include "tests/lib/inet.h"

#define GROUP4 "239.77.1.2"
#define GROUP6 "ff11::77:2"

static struct name group(int af, uint16_t port)
{
	struct name n = any_name(af, port);

	if (af == AF_INET)
		inet_pton(AF_INET, GROUP4, &n.in.sin_addr);
	else
		inet_pton(AF_INET6, GROUP6, &n.in6.sin6_addr);
	return n;
}

static int membership(int fd, int af, bool join, unsigned ifindex)
{
	struct name g = group(af, 0);

	if (af == AF_INET) {
		struct ip_mreqn m = { .imr_multiaddr = g.in.sin_addr, .imr_ifindex = (int)ifindex };

		return setsockopt(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m, sizeof(m));
	}
	struct ipv6_mreq m = { .ipv6mr_multiaddr = g.in6.sin6_addr, .ipv6mr_interface = ifindex };

	return setsockopt(fd, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &m, sizeof(m));
}

/* A sender whose multicasts go out over loopback. */
static int sender(int af)
{
	struct ip_mreqn m = { .imr_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(af, SOCK_DGRAM, 0);

	REQUIRE(fd >= 0);
	if (af == AF_INET)
		REQUIRE_OK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)));
	else
		REQUIRE_OK(set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, m.imr_ifindex));
	return fd;
}

static int any_socket(int af)
{
	struct name n = any_name(af, 0);
	int fd = socket(af, SOCK_DGRAM, 0);

	REQUIRE_OK(bind(fd, &n.sa, n.len));
	return fd;
}

TEST(members_receive_until_they_leave)
{
	const int af = AF_INET;           /* IPv6 has no multicast route on loopback */
	int r = any_socket(af), s = sender(af);
	unsigned lo = if_nametoindex("lo");
	struct name g = group(af, own_port(r));
	char c;

	EXPECT_OK(membership(r, af, true, lo));
	EXPECT_ERR(membership(r, af, true, lo), EADDRINUSE);
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(r, &c, 1, 0), 1);
	EXPECT_OK(membership(r, af, false, lo));
	EXPECT_ERR(membership(r, af, false, lo), EADDRNOTAVAIL);
	EXPECT_EQ(sendto(s, "b", 1, 0, &g.sa, g.len), 1);
	EXPECT_ERR(recv(r, &c, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_ERR(membership(r, af, true, 99999), ENODEV);
}

TEST(a_socket_bound_to_the_group_receives)
{
	const int af = AF_INET;           /* IPv6 has no multicast route on loopback */
	int r = socket(af, SOCK_DGRAM, 0), s = sender(af);
	struct name g = group(af, 0);
	char c;

	REQUIRE_OK(bind(r, &g.sa, g.len));
	EXPECT_OK(membership(r, af, true, if_nametoindex("lo")));
	g = group(af, own_port(r));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(r, &c, 1, 0), 1);
	g = lo_name(af, own_port(r));
	(void)sendto(s, "b", 1, 0, &g.sa, g.len);
	EXPECT_ERR(recv(r, &c, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(every_member_gets_a_copy)
{
	const int af = AF_INET;           /* IPv6 has no multicast route on loopback */
	int a = socket(af, SOCK_DGRAM, 0), b = socket(af, SOCK_DGRAM, 0), s = sender(af);
	struct name n = any_name(af, 0), g;
	char c;

	EXPECT_OK(set_int(a, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEADDR, 1));
	REQUIRE_OK(bind(a, &n.sa, n.len));
	n = any_name(af, own_port(a));
	REQUIRE_OK(bind(b, &n.sa, n.len));
	EXPECT_OK(membership(a, af, true, if_nametoindex("lo")));
	EXPECT_OK(membership(b, af, true, if_nametoindex("lo")));
	g = group(af, own_port(a));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(a, &c, 1, 0), 1);
	EXPECT_EQ(recv(b, &c, 1, 0), 1);
}

TEST(multicast_all_off_wants_own_membership)
{
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), s = sender(AF_INET);
	struct name n = any_name(AF_INET, 0), g;
	char c;

	EXPECT_OK(set_int(a, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEADDR, 1));
	REQUIRE_OK(bind(a, &n.sa, n.len));
	n = any_name(AF_INET, own_port(a));
	REQUIRE_OK(bind(b, &n.sa, n.len));
	EXPECT_OK(membership(a, AF_INET, true, if_nametoindex("lo")));
	g = group(AF_INET, own_port(a));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(a, &c, 1, 0), 1);
	EXPECT_EQ(recv(b, &c, 1, 0), 1);                /* the default: whoever joined */
	EXPECT_OK(set_int(b, IPPROTO_IP, IP_MULTICAST_ALL, 0));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(a, &c, 1, 0), 1);
	EXPECT_ERR(recv(b, &c, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(sources_are_filtered)
{
	int r = any_socket(AF_INET), s = sender(AF_INET);
	struct name g = group(AF_INET, own_port(r)), me = lo_name(AF_INET, 0);
	struct ip_mreq_source m = { .imr_multiaddr = g.in.sin_addr, .imr_interface = me.in.sin_addr,
				    .imr_sourceaddr = me.in.sin_addr };
	char c;

	REQUIRE_OK(bind(s, &me.sa, me.len));
	EXPECT_OK(setsockopt(r, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m)));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(r, &c, 1, 0), 1);
	EXPECT_OK(setsockopt(r, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &m, sizeof(m)));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_ERR(recv(r, &c, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_OK(membership(r, AF_INET, true, if_nametoindex("lo")));
	EXPECT_OK(setsockopt(r, IPPROTO_IP, IP_BLOCK_SOURCE, &m, sizeof(m)));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_ERR(recv(r, &c, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_OK(setsockopt(r, IPPROTO_IP, IP_UNBLOCK_SOURCE, &m, sizeof(m)));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(r, &c, 1, 0), 1);
}

TEST(generic_requests_join_as_well)
{
	const int af = AF_INET;           /* IPv6 has no multicast route on loopback */
	int r = any_socket(af), s = sender(af), level = af == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct group_req q = { .gr_interface = if_nametoindex("lo") };
	struct name g = group(af, own_port(r));
	char c;

	memcpy(&q.gr_group, &g.ss, g.len);
	EXPECT_OK(setsockopt(r, level, MCAST_JOIN_GROUP, &q, sizeof(q)));
	EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
	EXPECT_EQ(recv(r, &c, 1, 0), 1);
	EXPECT_OK(setsockopt(r, level, MCAST_LEAVE_GROUP, &q, sizeof(q)));
	EXPECT_ERR(setsockopt(r, level, MCAST_JOIN_GROUP, &q, 8), EINVAL);
}

BOTH(bad_groups_are_refused)
{
	int fd = any_socket(af), t = socket(af, SOCK_STREAM, 0);

	if (af == AF_INET) {
		struct ip_mreqn m = { .imr_ifindex = (int)if_nametoindex("lo") };

		m.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
		EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), EINVAL);
		EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, 4), EINVAL);
		m.imr_ifindex = 99999;
		EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)), EADDRNOTAVAIL);
	} else {
		struct ipv6_mreq m = { .ipv6mr_multiaddr = in6addr_loopback };

		EXPECT_ERR(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof(m)), EINVAL);
		EXPECT_ERR(setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, 4), EINVAL);
		EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, 99999), ENODEV);
	}
	EXPECT_ERR(membership(t, af, true, if_nametoindex("lo")), EPROTO);
}

TEST(the_ttl_of_multicasts_is_their_own)
{
	const int af = AF_INET;           /* IPv6 has no multicast route on loopback */
	int r = any_socket(af), s = sender(af), level = af == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct name g = group(af, own_port(r));
	_Alignas(struct cmsghdr) char ctl[64];
	char b;
	struct iovec iov = { &b, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl };
	int ttl = -1;

	EXPECT_OK(membership(r, af, true, if_nametoindex("lo")));
	EXPECT_OK(set_int(r, level, af == AF_INET ? IP_RECVTTL : IPV6_RECVHOPLIMIT, 1));
	EXPECT_OK(set_int(s, level, af == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS, 99));
	for (int want = 1; want < 8; want += 6) {
		EXPECT_OK(set_int(s, level, af == AF_INET ? IP_MULTICAST_TTL : IPV6_MULTICAST_HOPS, want));
		EXPECT_EQ(sendto(s, "a", 1, 0, &g.sa, g.len), 1);
		m.msg_controllen = sizeof(ctl);
		EXPECT_EQ(recvmsg(r, &m, 0), 1);
		REQUIRE(CMSG_FIRSTHDR(&m));
		memcpy(&ttl, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(ttl));
		EXPECT_EQ(ttl, want);
	}
}

TEST_MAIN()
