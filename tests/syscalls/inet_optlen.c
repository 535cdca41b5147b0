/*
 * inet_optlen.c - options of sockets: which kind of socket has them, how long a value may be, what it may say.
 */
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <time.h>
#include "tests/lib/inet.h"

#define PORT_RANGE 51                   /* IP_LOCAL_PORT_RANGE */
#define RANGE(lo, hi) ((int)((uint32_t)(hi) << 16 | (lo)))

/* Whole-namespace tests: every port is free, and "lo" is up. */
static void own_net(void)
{
	struct ifreq q = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("no network namespaces");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	q.ifr_flags = IFF_UP | IFF_RUNNING;
	REQUIRE_OK(ioctl(fd, SIOCSIFFLAGS, &q));
	close(fd);
}

static int set_n(int fd, int level, int opt, int v, socklen_t n)
{
	char buf[64] = { 0 };

	memcpy(buf, &v, sizeof(v));
	return setsockopt(fd, level, opt, buf, n);
}

static socklen_t get_len(int fd, int level, int opt, socklen_t n)
{
	char buf[64];

	return getsockopt(fd, level, opt, buf, &n) < 0 ? (socklen_t)-errno : n;
}

/* ---- IP_LOCAL_PORT_RANGE ---- */

BOTH(a_port_range_is_four_bytes_in_order)
{
	int fd = socket(af, SOCK_STREAM, 0);

	EXPECT_EQ(get_int(fd, IPPROTO_IP, PORT_RANGE), 0);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, PORT_RANGE, RANGE(40000, 40001), 2), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, PORT_RANGE, RANGE(40000, 40001), 8), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, PORT_RANGE, RANGE(40002, 40001), 4), EINVAL);
	EXPECT_OK(set_n(fd, IPPROTO_IP, PORT_RANGE, RANGE(40000, 40001), 4));
	EXPECT_EQ(get_int(fd, IPPROTO_IP, PORT_RANGE), RANGE(40000, 40001));
	EXPECT_OK(set_n(fd, IPPROTO_IP, PORT_RANGE, RANGE(0, 40001), 4));
	EXPECT_OK(set_n(fd, IPPROTO_IP, PORT_RANGE, RANGE(40002, 0), 4));
	EXPECT_OK(set_n(fd, IPPROTO_IP, PORT_RANGE, 0, 4));
	EXPECT_EQ(get_int(fd, IPPROTO_IP, PORT_RANGE), 0);
}

/* A socket bound to a port of its own choice in the range, or -errno. */
static int bind_in(int af, int type, int range)
{
	struct name n = lo_name(af, 0);
	int fd = socket(af, type, 0);

	REQUIRE_OK(set_int(fd, IPPROTO_IP, PORT_RANGE, range));
	return bind(fd, &n.sa, n.len) < 0 ? -errno : fd;
}

static void ports_of_a_range_run_out(int af, int type)
{
	unsigned seen = 0;

	own_net();
	for (int i = 0; i < 8; i++) {
		int fd = bind_in(af, type, RANGE(40000, 40007));

		REQUIRE_OK(fd);
		EXPECT(own_port(fd) >= 40000 && own_port(fd) <= 40007);
		seen |= 1u << (own_port(fd) & 7);
	}
	EXPECT_EQ(seen, 0xff);
	EXPECT_EQ(bind_in(af, type, RANGE(40000, 40007)), -EADDRINUSE);
	/* One end only. */
	EXPECT(own_port(bind_in(af, type, RANGE(60990, 0))) >= 60990);
	EXPECT(own_port(bind_in(af, type, RANGE(0, 32790))) <= 32790);
	/* Outside of what the sysctl allows it has no say. */
	EXPECT(own_port(bind_in(af, type, RANGE(100, 101))) >= 32768);
}

BOTH(tcp_ports_of_a_range_run_out) { ports_of_a_range_run_out(af, SOCK_STREAM); }
BOTH(udp_ports_of_a_range_run_out) { ports_of_a_range_run_out(af, SOCK_DGRAM); }

BOTH(connections_take_ports_of_their_range)
{
	struct name n;
	int l, c[2], fd;

	own_net();
	l = lo_listener(af, 8);
	n = own_name(l);
	for (int i = 0; i < 2; i++) {
		c[i] = socket(af, SOCK_STREAM, 0);
		REQUIRE_OK(set_int(c[i], IPPROTO_IP, PORT_RANGE, RANGE(41000, 41001)));
		REQUIRE_OK(connect(c[i], &n.sa, n.len));
	}
	EXPECT_EQ(own_port(c[0]) + own_port(c[1]), 41000 + 41001);
	fd = socket(af, SOCK_STREAM, 0);
	REQUIRE_OK(set_int(fd, IPPROTO_IP, PORT_RANGE, RANGE(41000, 41001)));
	EXPECT_ERR(connect(fd, &n.sa, n.len), EADDRNOTAVAIL);
}

BOTH(a_bind_that_waits_for_connect_takes_a_port_of_the_range)
{
	struct name n, any = lo_name(af, 0);
	int l, fd;

	own_net();
	l = lo_listener(af, 8);
	n = own_name(l);
	fd = socket(af, SOCK_STREAM, 0);
	REQUIRE_OK(set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
	REQUIRE_OK(set_int(fd, IPPROTO_IP, PORT_RANGE, RANGE(42000, 42000)));
	REQUIRE_OK(bind(fd, &any.sa, any.len));
	EXPECT_EQ(own_port(fd), 0);
	REQUIRE_OK(connect(fd, &n.sa, n.len));
	EXPECT_EQ(own_port(fd), 42000);
}

BOTH(a_datagram_socket_that_finds_no_port_may_try_again)
{
	struct name n = lo_name(af, 9);
	int fd;

	own_net();
	REQUIRE_OK(bind_in(af, SOCK_DGRAM, RANGE(43000, 43000)));
	fd = socket(af, SOCK_DGRAM, 0);
	REQUIRE_OK(set_int(fd, IPPROTO_IP, PORT_RANGE, RANGE(43000, 43000)));
	EXPECT_ERR(connect(fd, &n.sa, n.len), EAGAIN);
	EXPECT_ERR(sendto(fd, "a", 1, 0, &n.sa, n.len), EAGAIN);
}

/* ---- lengths ---- */

TEST(options_of_ip_take_nothing_for_zero)
{
	static const int zero[] = { IP_TOS, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVERR, IP_MTU_DISCOVER };
	static const int not[] = { IP_TTL, IP_FREEBIND, IP_TRANSPARENT, IP_MINTTL, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_ALL };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++) {
		EXPECT_OK(set_n(fd, IPPROTO_IP, zero[i], 1, 4));
		EXPECT_OK(set_n(fd, IPPROTO_IP, zero[i], 1, 0));
		EXPECT_EQ(get_int(fd, IPPROTO_IP, zero[i]), 0);
	}
	for (size_t i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		EXPECT_ERR(set_n(fd, IPPROTO_IP, not[i], 1, 0), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, 90, 1, 0), ENOPROTOOPT);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, IP_MULTICAST_ALL, 2, 4), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, 26, 2, 4), EINVAL);            /* IP_RECVERR_RFC4884 */
	EXPECT_OK(set_n(fd, IPPROTO_IP, IP_OPTIONS, 0, 0));
}

TEST(options_of_ipv6_want_an_int_mostly)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_STREAM, 0);

	EXPECT_OK(set_n(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1, 4));
	EXPECT_OK(set_n(fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1, 2));
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_DONTFRAG), 0);
	EXPECT_ERR(set_n(fd, IPPROTO_IPV6, IPV6_RECVERR, 1, 2), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 2, 4), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IPV6, IPV6_MTU, 1279, 4), EINVAL);
	EXPECT_OK(set_n(fd, IPPROTO_IPV6, IPV6_MTU, 1280, 4));
	EXPECT_ERR(set_n(fd, IPPROTO_IPV6, 90, 1, 2), ENOPROTOOPT);
	EXPECT_ERR(set_n(t, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, 4), ENOPROTOOPT);
	EXPECT_ERR(set_n(t, IPPROTO_IPV6, IPV6_MULTICAST_IF, 0, 4), ENOPROTOOPT);
	EXPECT_ERR(set_n(t, IPPROTO_IPV6, IPV6_CHECKSUM, 2, 4), ENOPROTOOPT);
	EXPECT_OK(set_n(t, IPPROTO_IPV6, IPV6_TCLASS, 0x47, 4));
	EXPECT_EQ(get_int(t, IPPROTO_IPV6, IPV6_TCLASS), 0x44);         /* ECN is TCP's */
}

TEST(names_of_lengths_of_socket_options)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT_EQ(get_len(fd, SOL_SOCKET, SO_COOKIE, 4), (socklen_t)-EINVAL);
	EXPECT_EQ(get_len(fd, SOL_SOCKET, SO_COOKIE, 8), 8);
	EXPECT_EQ(get_len(fd, SOL_SOCKET, 71, 8), 8);                   /* SO_NETNS_COOKIE */
	EXPECT_EQ(get_len(fd, SOL_SOCKET, SO_TYPE, 2), 2);
	EXPECT_ERR(set_n(fd, SOL_SOCKET, SO_TXTIME, 1, 4), EINVAL);
	EXPECT_ERR(set_n(fd, SOL_SOCKET, SO_DETACH_FILTER, 0, 2), EINVAL);
	EXPECT_ERR(set_n(fd, SOL_SOCKET, SO_DETACH_FILTER, 0, 4), ENOENT);
	EXPECT_ERR(set_n(fd, SOL_SOCKET, SO_ATTACH_BPF, -1, 4), EBADF);
	EXPECT_ERR(set_n(fd, SOL_SOCKET, SO_ATTACH_BPF, fd, 4), EINVAL);
}

/* ---- kinds ---- */

TEST(raw_sockets_have_options_of_their_own)
{
	int r4 = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), r6 = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	if (r4 < 0 || r6 < 0)
		SKIP("no raw sockets");
	EXPECT_EQ(get_int(r4, SOL_SOCKET, SO_REUSEADDR), 1);
	EXPECT_EQ(get_int(r4, SOL_SOCKET, SO_PEEK_OFF), -EOPNOTSUPP);
	EXPECT_ERR(set_int(r4, SOL_SOCKET, SO_ZEROCOPY, 1), EOPNOTSUPP);
	EXPECT_OK(set_int(r4, IPPROTO_IP, IP_NODEFRAG, 1));
	EXPECT_EQ(get_int(r4, IPPROTO_IP, IP_NODEFRAG), 1);
	EXPECT_EQ(get_int(r4, SOL_RAW, 5), -ENOPROTOOPT);
	EXPECT_EQ(get_int(r4, IPPROTO_IPV6, IPV6_CHECKSUM), -EOPNOTSUPP);
	EXPECT_EQ(get_int(r6, IPPROTO_IP, IP_TTL), -ENOPROTOOPT);
	EXPECT_ERR(set_int(r6, IPPROTO_IP, IP_TTL, 5), ENOPROTOOPT);
	EXPECT_ERR(set_int(r6, IPPROTO_IPV6, IPV6_CHECKSUM, 2), EINVAL);
	EXPECT_EQ(get_int(r6, SOL_RAW, IPV6_CHECKSUM), 2);
	EXPECT_ERR(set_int(r6, IPPROTO_IPV6, IPV6_V6ONLY, 0), EINVAL);
	EXPECT_OK(set_int(r4, IPPROTO_IP, IP_ROUTER_ALERT, 1));
	EXPECT_ERR(set_int(r4, IPPROTO_IP, IP_ROUTER_ALERT, 1), EADDRINUSE);
	EXPECT_EQ(get_int(r4, IPPROTO_IP, IP_ROUTER_ALERT), 1);
	EXPECT_ERR(set_int(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_IP, IP_ROUTER_ALERT, 1), EINVAL);
}

TEST(packet_sockets_keep_what_linux_keeps)
{
	static const int opts[] = { PACKET_COPY_THRESH, PACKET_TIMESTAMP, PACKET_TX_HAS_OFF, PACKET_QDISC_BYPASS };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		SKIP("no packet sockets");
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++) {
		EXPECT_EQ(get_int(fd, SOL_PACKET, opts[i]), 0);
		EXPECT_OK(set_int(fd, SOL_PACKET, opts[i], 1));
		EXPECT_EQ(get_int(fd, SOL_PACKET, opts[i]), 1);
		EXPECT_ERR(set_n(fd, SOL_PACKET, opts[i], 1, 8), EINVAL);
	}
	EXPECT_ERR(set_n(fd, SOL_PACKET, PACKET_VERSION, 0, 8), EINVAL);
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_TTL), -ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_NODELAY), -ENOPROTOOPT);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1), EOPNOTSUPP);
}

TEST(a_level_that_is_not_the_sockets)
{
	int t4 = socket(AF_INET, SOCK_STREAM, 0), t6 = socket(AF_INET6, SOCK_STREAM, 0);

	EXPECT_EQ(get_int(t4, IPPROTO_IPV6, IPV6_V6ONLY), -EOPNOTSUPP);
	EXPECT_ERR(set_int(t4, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
	EXPECT_EQ(get_int(t4, IPPROTO_UDP, 1), -EOPNOTSUPP);
	EXPECT_EQ(get_int(t6, IPPROTO_UDP, 1), -ENOPROTOOPT);
	EXPECT_EQ(get_int(t6, IPPROTO_IP, IP_TTL), 64);
}

TEST(options_of_tcp_say_what_they_keep)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 64));
	EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 127);
	EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 255));
	EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 367);
	EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, -1));
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 2), EINVAL);
	EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1));
	EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS), 1);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_THIN_DUPACK, 2), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, 1), EPERM);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_RECVFRAGSIZE, 1), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, IP_MULTICAST_IF, 0, 4), EINVAL);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, 0, 12), EPROTO);
	EXPECT_ERR(set_n(fd, IPPROTO_TCP, TCP_ULP, 0, 0), EINVAL);
	EXPECT_EQ(get_len(fd, IPPROTO_IP, IP_PKTOPTIONS, 32), 0);
}

/* ---- values ---- */

TEST(an_interface_for_unicast_must_exist)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), lo = (int)htonl(1);

	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(0x7ffffff0)), EADDRNOTAVAIL);
	EXPECT_ERR(set_n(fd, IPPROTO_IP, IP_UNICAST_IF, lo, 8), EINVAL);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_UNICAST_IF, lo));
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_UNICAST_IF), lo);
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_UNICAST_IF), 0);
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_IF, lo));
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_UNICAST_IF), lo);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_UNICAST_IF, 0));
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 1));
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_UNICAST_IF, lo), EINVAL);
}

TEST(preferred_source_addresses)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES), 0x500);
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 1));
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES), 0x401);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 3), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 0x808), EINVAL);
}

TEST(who_is_bound_to_an_address_of_ipv6_has_no_other)
{
	int fd = lo_socket(AF_INET6, SOCK_DGRAM);
	struct name n = any_name(AF_INET6, 0);

	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	REQUIRE_OK(bind(fd, &n.sa, n.len));
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
}

TEST(the_path_mtu_of_a_connection)
{
	struct { struct sockaddr_in6 to; uint32_t mtu; } m;
	int fd[2], u = socket(AF_INET6, SOCK_DGRAM, 0);
	socklen_t n = sizeof(m);

	EXPECT_ERR(getsockopt(u, IPPROTO_IPV6, IPV6_PATHMTU, &m, &n), ENOTCONN);
	udp_pair(AF_INET6, fd);
	n = sizeof(m) - 1;
	EXPECT_ERR(getsockopt(fd[0], IPPROTO_IPV6, IPV6_PATHMTU, &m, &n), EINVAL);
	n = sizeof(m);
	EXPECT_OK(getsockopt(fd[0], IPPROTO_IPV6, IPV6_PATHMTU, &m, &n));
	EXPECT_EQ((int)m.mtu, get_int(fd[0], IPPROTO_IPV6, IPV6_MTU));
	EXPECT_EQ(get_int(fd[0], IPPROTO_IP, IP_MTU), get_int(fd[0], IPPROTO_IPV6, IPV6_MTU));
	EXPECT_EQ(get_int(fd[0], IPPROTO_IPV6, 1), AF_INET6);           /* IPV6_ADDRFORM */
	EXPECT_EQ(get_int(u, IPPROTO_IPV6, 1), -ENOTCONN);
	EXPECT_ERR(set_int(u, IPPROTO_IPV6, 1, AF_INET6), EINVAL);
}

BOTH(the_peer_as_an_option)
{
	char buf[64];
	socklen_t n = 16;
	int fd[2], u = socket(af, SOCK_STREAM, 0);

	EXPECT_ERR(getsockopt(u, SOL_SOCKET, SO_PEERNAME, buf, &n), ENOTCONN);
	tcp_pair(af, fd);
	EXPECT_OK(getsockopt(fd[0], SOL_SOCKET, SO_PEERNAME, buf, &n));
	EXPECT_EQ(n, 16);
	EXPECT_EQ(memcmp(buf, &(uint16_t){ (uint16_t)af }, 2), 0);
	EXPECT_EQ(memcmp(buf + 2, &(uint16_t){ htons(own_port(fd[1])) }, 2), 0);
	n = sizeof(buf);
	EXPECT_ERR(getsockopt(fd[0], SOL_SOCKET, SO_PEERNAME, buf, &n), EINVAL);
	EXPECT(get_int(fd[0], SOL_SOCKET, SO_INCOMING_CPU) >= 0);
}

TEST(a_raw_peer_has_no_name_without_a_port)
{
	struct name n = lo_name(AF_INET, 0), got = { .len = sizeof(got.ss) };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	if (fd < 0)
		SKIP("no raw sockets");
	REQUIRE_OK(connect(fd, &n.sa, n.len));
	EXPECT_ERR(getpeername(fd, &got.sa, &got.len), ENOTCONN);
}

TEST(transmit_times_are_of_some_clocks)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct { int clock; uint32_t flags; } t = { CLOCK_TAI, 1 }, got;
	socklen_t n = sizeof(got);

	EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)));
	EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_TXTIME, &got, &n));
	EXPECT_EQ(memcmp(&t, &got, sizeof(t)), 0);
	t.flags = 4;
	EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)), EINVAL);
}

TEST(hints_are_checked)
{
	int u = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT_OK(set_int(u, SOL_SOCKET, SO_BUSY_POLL, 50));
	EXPECT_EQ(get_int(u, SOL_SOCKET, SO_BUSY_POLL), 50);
	EXPECT_ERR(set_int(u, SOL_SOCKET, SO_BUSY_POLL, -1), EINVAL);
	EXPECT_ERR(set_int(u, SOL_SOCKET, SO_BUSY_POLL_BUDGET, 65536), EINVAL);
	EXPECT_ERR(set_int(u, SOL_SOCKET, SO_ZEROCOPY, 2), EINVAL);
	EXPECT_EQ(get_int(t, SOL_SOCKET, 74), 1);                       /* SO_TXREHASH */
	EXPECT_ERR(set_int(t, SOL_SOCKET, 74, 2), EINVAL);
	EXPECT_OK(set_int(t, SOL_SOCKET, 74, 0));
	EXPECT_EQ(get_int(t, SOL_SOCKET, 74), 0);
	EXPECT_EQ(get_int(u, SOL_SOCKET, 74), -EOPNOTSUPP);
	EXPECT_OK(set_int(u, SOL_SOCKET, SO_WIFI_STATUS, 1));
	EXPECT_EQ(get_int(u, SOL_SOCKET, SO_WIFI_STATUS), 1);
	EXPECT_OK(set_int(u, SOL_SOCKET, SO_SNDBUFFORCE, -1));
	EXPECT_EQ(get_int(u, SOL_SOCKET, SO_SNDBUF), 4608);
}

static void as_nobody(void)
{
	REQUIRE_OK(setresgid(65534, 65534, 65534));
	REQUIRE_OK(setresuid(65534, 65534, 65534));
}

TEST(hints_that_are_not_for_everybody)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct { int clock; uint32_t flags; } t = { CLOCK_TAI, 0 };

	as_nobody();
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, 1), EPERM);
	EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)), EPERM);
	t.clock = CLOCK_MONOTONIC;
	EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)));
}

/* ---- what is told with a datagram ---- */

/* The one control message that came with a datagram of @fd[1]: its type; its data go to @data. */
static int one_cmsg(int fd, int level, void *data, size_t n)
{
	union { struct cmsghdr h; char room[128]; } u = { 0 };
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u) };

	REQUIRE_OK(recvmsg(fd, &m, 0));
	if (m.msg_controllen < sizeof(u.h) || u.h.cmsg_level != level)
		return -1;
	memcpy(data, CMSG_DATA(&u.h), n);
	return u.h.cmsg_type;
}

BOTH(stamps_under_their_new_numbers)
{
	long when[2];
	int fd[2];

	udp_pair(af, fd);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, 63, 1));                   /* SO_TIMESTAMP_NEW */
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, 63), 1);
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, SO_TIMESTAMP), 0);
	REQUIRE_OK(send(fd[0], "a", 1, 0));
	EXPECT_EQ(one_cmsg(fd[1], SOL_SOCKET, when, sizeof(when)), 63);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, 64, 1));                   /* SO_TIMESTAMPNS_NEW */
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, 64), 1);
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, SO_TIMESTAMPNS), 0);
	REQUIRE_OK(send(fd[0], "a", 1, 0));
	EXPECT_EQ(one_cmsg(fd[1], SOL_SOCKET, when, sizeof(when)), 64);
	EXPECT(when[0] > 1000000000);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, SO_TIMESTAMP, 1));
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, 63), 0);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, SO_TIMESTAMPNS, 0));       /* takes both away */
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, SO_TIMESTAMP), 0);
}

BOTH(the_mark_of_who_sent)
{
	uint32_t mark = 0;
	int fd[2];

	udp_pair(af, fd);
	if (set_int(fd[0], SOL_SOCKET, SO_MARK, 0x1234) < 0 || set_int(fd[1], SOL_SOCKET, 75, 1) < 0)
		SKIP("no marks");
	REQUIRE_OK(send(fd[0], "a", 1, 0));
	EXPECT_EQ(one_cmsg(fd[1], SOL_SOCKET, &mark, sizeof(mark)), SO_MARK);
	EXPECT_EQ(mark, 0x1234);
}

TEST(packet_info_in_the_older_numbers)
{
	struct in6_pktinfo i = { 0 };
	int fd[2], hops = 0;

	udp_pair(AF_INET6, fd);
	EXPECT_OK(set_int(fd[1], IPPROTO_IPV6, IPV6_2292PKTINFO, 1));
	EXPECT_EQ(get_int(fd[1], IPPROTO_IPV6, IPV6_2292PKTINFO), 1);
	EXPECT_EQ(get_int(fd[1], IPPROTO_IPV6, IPV6_RECVPKTINFO), 0);
	REQUIRE_OK(send(fd[0], "a", 1, 0));
	EXPECT_EQ(one_cmsg(fd[1], IPPROTO_IPV6, &i, sizeof(i)), IPV6_2292PKTINFO);
	EXPECT_EQ(memcmp(&i.ipi6_addr, &in6addr_loopback, 16), 0);
	EXPECT_OK(set_int(fd[1], IPPROTO_IPV6, IPV6_2292PKTINFO, 0));
	EXPECT_OK(set_int(fd[1], IPPROTO_IPV6, IPV6_2292HOPLIMIT, 1));
	REQUIRE_OK(send(fd[0], "a", 1, 0));
	EXPECT_EQ(one_cmsg(fd[1], IPPROTO_IPV6, &hops, sizeof(hops)), IPV6_2292HOPLIMIT);
	EXPECT_EQ(hops, 64);
}

TEST_MAIN()
