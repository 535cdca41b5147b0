/*
 * inet_names.c - names that bind, connect and sendto take or refuse, who may be told of what by control
 * messages, and what a socket is after an error.
 */
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include "tests/lib/inet.h"

static struct name ip4_name(uint32_t a, uint16_t port)
{
	struct name n = any_name(AF_INET, port);

	n.in.sin_addr.s_addr = htonl(a);
	return n;
}

static struct name ip6_name(const char *a, uint16_t port)
{
	struct name n = any_name(AF_INET6, port);

	REQUIRE(inet_pton(AF_INET6, a, &n.in6.sin6_addr) == 1);
	return n;
}

/* ---- bind ---- */

TEST(who_is_bound_to_a_group_can_send)
{
	struct name group = ip4_name(0xefff0102, 0), to, from = { .len = sizeof(from.ss) };
	int u = socket(AF_INET, SOCK_DGRAM, 0), r = lo_socket(AF_INET, SOCK_DGRAM);
	char c;

	to = own_name(r);
	REQUIRE_OK(bind(u, &group.sa, group.len));
	REQUIRE(sendto(u, "a", 1, 0, &to.sa, to.len) == 1);
	REQUIRE(recvfrom(r, &c, 1, 0, &from.sa, &from.len) == 1);
	EXPECT_EQ(ntohl(from.in.sin_addr.s_addr), INADDR_LOOPBACK);
	EXPECT_OK(connect(u, &to.sa, to.len));
	EXPECT_EQ(send(u, "a", 1, 0), 1);
}

TEST(a_broadcast_address_can_be_bound)
{
	struct name n = ip4_name(0x7fffffff, 0), to;
	int u = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
	char c;

	REQUIRE_OK(bind(u, &n.sa, n.len));
	to = own_name(u);
	EXPECT_EQ(to.in.sin_addr.s_addr, n.in.sin_addr.s_addr);
	EXPECT_ERR(sendto(s, "a", 1, 0, &to.sa, to.len), EACCES);
	REQUIRE_OK(set_int(s, SOL_SOCKET, SO_BROADCAST, 1));
	REQUIRE(sendto(s, "a", 1, 0, &to.sa, to.len) == 1);
	EXPECT_EQ(recv(u, &c, 1, 0), 1);
	to = lo_name(AF_INET, 9);
	EXPECT_EQ(sendto(u, "a", 1, 0, &to.sa, to.len), 1);
}

TEST(a_group_of_a_link_needs_the_link)
{
	struct name n = ip6_name("ff02::1234", 0);

	EXPECT_ERR(bind(socket(AF_INET6, SOCK_DGRAM, 0), &n.sa, n.len), EINVAL);
	EXPECT_ERR(bind(socket(AF_INET6, SOCK_STREAM, 0), &n.sa, n.len), EINVAL);
	n.in6.sin6_scope_id = 1;
	EXPECT_OK(bind(socket(AF_INET6, SOCK_DGRAM, 0), &n.sa, n.len));
}

TEST(a_netlink_port_is_bound_once)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	socklen_t n = sizeof(nl);
	int fd = socket(AF_NETLINK, SOCK_RAW, 0);

	REQUIRE_OK(bind(fd, (void *)&nl, sizeof(nl)));
	REQUIRE_OK(getsockname(fd, (void *)&nl, &n));
	EXPECT_OK(bind(fd, (void *)&nl, sizeof(nl)));
	nl.nl_pid = 0;
	EXPECT_ERR(bind(fd, (void *)&nl, sizeof(nl)), EINVAL);
}

/* ---- connect and sendto ---- */

TEST(streams_of_ipv6_connect_to_names_of_ipv6)
{
	struct name n = lo_name(AF_INET, 9);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	EXPECT_ERR(connect(fd, &n.sa, sizeof(n.in)), EINVAL);
	EXPECT_ERR(connect(fd, &n.sa, sizeof(n.in6)), EAFNOSUPPORT);
}

TEST(short_names_of_no_family)
{
	struct name n = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT_ERR(sendto(fd, "a", 1, 0, &n.sa, 2), EINVAL);
	EXPECT_ERR(sendto(fd, "a", 1, 0, &n.sa, 15), EINVAL);
}

TEST(packet_sockets_do_not_connect)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = 1 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		SKIP("no packet sockets");
	EXPECT_ERR(connect(fd, (void *)&ll, 4), EOPNOTSUPP);
	EXPECT_ERR(connect(fd, (void *)&ll, sizeof(ll)), EOPNOTSUPP);
}

TEST(the_port_of_a_raw_socket_is_its_protocol)
{
	int r4 = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), r6 = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	struct name n = lo_name(AF_INET6, 9), m = lo_name(AF_INET, 0);
	struct icmp6_hdr h = { .icmp6_type = 200 };

	if (r4 < 0 || r6 < 0)
		SKIP("no raw sockets");
	EXPECT_EQ(own_port(r4), IPPROTO_ICMP);
	EXPECT_EQ(own_port(r6), IPPROTO_ICMPV6);
	EXPECT_ERR(sendto(r6, &h, sizeof(h), 0, &n.sa, n.len), EINVAL);
	EXPECT_ERR(sendto(r6, &h, sizeof(h), 0, &m.sa, m.len), EINVAL);
	EXPECT_ERR(connect(r6, &m.sa, m.len), EAFNOSUPPORT);
	n.in6.sin6_port = htons(IPPROTO_ICMPV6);
	EXPECT_EQ(sendto(r6, &h, sizeof(h), 0, &n.sa, n.len), (ssize_t)sizeof(h));
	n.in6.sin6_port = 0;
	EXPECT_EQ(sendto(r6, &h, sizeof(h), 0, &n.sa, n.len), (ssize_t)sizeof(h));
}

TEST(protocols_that_there_are_not)
{
	EXPECT_ERR(socket(AF_INET, SOCK_STREAM, 256), EPROTONOSUPPORT);
	EXPECT_ERR(socket(AF_INET, SOCK_DGRAM, 262), EPROTONOSUPPORT);
	EXPECT_ERR(socket(AF_INET, SOCK_STREAM, 1000), EINVAL);
}

BOTH(a_connection_that_was_refused_leaves_a_new_socket)
{
	struct name n = dead_name(af, SOCK_STREAM);
	int fd = socket(af, SOCK_STREAM | SOCK_NONBLOCK, 0);

	EXPECT_ERR(connect(fd, &n.sa, n.len), EINPROGRESS);
	EXPECT_EQ(poll_for(fd, POLLOUT) & POLLERR, POLLERR);
	EXPECT_ERR(connect(fd, &n.sa, n.len), ECONNREFUSED);
	EXPECT_EQ(poll_now(fd), POLLOUT | POLLHUP);
}

TEST(an_empty_request_has_no_data)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, 0);

	EXPECT_ERR(send(fd, "", 0, 0), ENODATA);
}

/* ---- flags and control messages ---- */

BOTH(a_probe_sends_nothing)
{
	int fd[2];
	char c;

	udp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "abc", 3, 0x10), 3);                      /* MSG_PROBE */
	EXPECT_ERR(recv(fd[1], &c, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(a_flag_that_is_the_kernels_own)
{
	struct msghdr m = { 0 };
	int fd[2];

	udp_pair(AF_INET, fd);
	EXPECT_ERR(recvmsg(fd[1], &m, (int)0x80000000), EINVAL);
	EXPECT_ERR(sendmsg(fd[0], &m, (int)0x80000000), EINVAL);
}

/* What sending one byte with one control message gives. */
static int send_with(int af, int level, int type, const void *data, size_t n)
{
	union { struct cmsghdr h; char room[64]; } u = { .h = { .cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(n) } };
	struct iovec v = { "a", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = CMSG_SPACE(n) };
	int fd[2], r;

	udp_pair(af, fd);
	memcpy(CMSG_DATA(&u.h), data, n);
	r = (int)sendmsg(fd[0], &m, 0);
	r = r < 0 ? -errno : r;
	close(fd[0]);
	close(fd[1]);
	return r;
}

TEST(control_messages_of_other_levels_are_passed_over)
{
	int v = 7;
	short seg = 100;

	EXPECT_EQ(send_with(AF_INET, IPPROTO_IPV6, IPV6_HOPLIMIT, &v, 4), 1);
	EXPECT_EQ(send_with(AF_INET, IPPROTO_IPV6, 99, &v, 1), 1);
	EXPECT_EQ(send_with(AF_INET6, IPPROTO_IP, IP_TTL, &v, 4), 1);
	EXPECT_EQ(send_with(AF_INET6, IPPROTO_IP, 99, &v, 1), 1);
	EXPECT_EQ(send_with(AF_INET, IPPROTO_IP, IP_TTL, &v, 4), 1);
	EXPECT_EQ(send_with(AF_INET, IPPROTO_IP, IP_TTL, &v, 2), -EINVAL);
	EXPECT_EQ(send_with(AF_INET, IPPROTO_TCP, 3, &v, 1), 1);
	EXPECT_EQ(send_with(AF_INET, IPPROTO_UDP, 99, &v, 4), -EINVAL);
	EXPECT_EQ(send_with(AF_INET, IPPROTO_UDP, UDP_SEGMENT, &v, 4), -EINVAL);
	EXPECT_EQ(send_with(AF_INET, IPPROTO_UDP, UDP_SEGMENT, &seg, 2), 1);
	EXPECT_EQ(send_with(AF_INET6, IPPROTO_IPV6, IPV6_2292HOPLIMIT, &v, 4), 1);
	EXPECT_EQ(send_with(AF_INET6, IPPROTO_IPV6, 99, &v, 4), -EINVAL);
}

BOTH(control_messages_of_the_socket_level)
{
	int v = 1;
	long when = 0;

	EXPECT_EQ(send_with(af, SOL_SOCKET, SCM_RIGHTS, &v, 4), 1);     /* nothing is passed */
	EXPECT_EQ(send_with(af, SOL_SOCKET, SO_PRIORITY, &v, 4), 1);
	EXPECT_EQ(send_with(af, SOL_SOCKET, SO_PRIORITY, &v, 2), -EINVAL);
	EXPECT_EQ(send_with(af, SOL_SOCKET, SO_TXTIME, &when, 8), -EINVAL);     /* not asked for */
	EXPECT_EQ(send_with(af, SOL_SOCKET, 99, &v, 4), -EINVAL);
}

TEST(requests_about_interfaces)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq q = { .ifr_name = "nope0" };

	EXPECT_ERR(ioctl(fd, SIOCGIFMTU, &q), ENODEV);
	EXPECT_ERR(ioctl(fd, 0x8960, &q), ENOTTY);
	strcpy(q.ifr_name, "lo");
	EXPECT_ERR(ioctl(fd, SIOCGMIIPHY, &q), EOPNOTSUPP);
}

TEST_MAIN()
