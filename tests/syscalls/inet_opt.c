/*
 * inet_opt.c - options of IPv4 and IPv6 sockets: defaults, what is kept, what is refused.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include "tests/lib/inet.h"
#include <linux/filter.h>
#include <netinet/ip_icmp.h>
#include <netinet/icmp6.h>

struct opt { int level, opt, first, set, get; };

/* Each: its value at first, what is set, what is then read. */
static void check_opts(int fd, const struct opt *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int v = get_int(fd, o[i].level, o[i].opt);

		if (v != o[i].first)
			FAIL("level %d option %d starts as %d, not %d", o[i].level, o[i].opt, v, o[i].first);
		if (set_int(fd, o[i].level, o[i].opt, o[i].set) < 0)
			FAIL("level %d option %d: set: errno %d", o[i].level, o[i].opt, errno);
		v = get_int(fd, o[i].level, o[i].opt);
		if (v != o[i].get)
			FAIL("level %d option %d reads %d, not %d", o[i].level, o[i].opt, v, o[i].get);
	}
}

#define CHECK(fd, ...) \
	do { \
		static const struct opt o_[] = { __VA_ARGS__ }; \
		check_opts(fd, o_, sizeof(o_) / sizeof(o_[0])); \
	} while (0)

BOTH(socket_level_options_of_tcp)
{
	CHECK(socket(af, SOCK_STREAM, 0),
	      { SOL_SOCKET, SO_REUSEADDR, 0, 5, 1 }, { SOL_SOCKET, SO_REUSEPORT, 0, 1, 1 },
	      { SOL_SOCKET, SO_KEEPALIVE, 0, 1, 1 }, { SOL_SOCKET, SO_BROADCAST, 0, 1, 1 },
	      { SOL_SOCKET, SO_OOBINLINE, 0, 1, 1 }, { SOL_SOCKET, SO_DONTROUTE, 0, 1, 1 },
	      { SOL_SOCKET, SO_PRIORITY, 0, 3, 3 }, { SOL_SOCKET, SO_MARK, 0, 7, 7 },
	      { SOL_SOCKET, SO_RCVLOWAT, 1, 100, 100 }, { SOL_SOCKET, SO_RCVLOWAT, 100, 0, 1 },
	      { SOL_SOCKET, SO_TIMESTAMP, 0, 1, 1 }, { SOL_SOCKET, SO_ZEROCOPY, 0, 1, 1 });
}

BOTH(socket_level_options_of_udp)
{
	CHECK(socket(af, SOCK_DGRAM, 0),
	      { SOL_SOCKET, SO_NO_CHECK, 0, 1, 1 }, { SOL_SOCKET, SO_RXQ_OVFL, 0, 1, 1 },
	      { SOL_SOCKET, SO_PEEK_OFF, -1, 4, 4 }, { SOL_SOCKET, SO_INCOMING_CPU, -1, 0, 0 },
	      { SOL_SOCKET, SO_SELECT_ERR_QUEUE, 0, 1, 1 }, { SOL_SOCKET, SO_LOCK_FILTER, 0, 1, 1 },
	      { SOL_SOCKET, SO_BUSY_POLL, 0, 0, 0 });
}

TEST(ip_level_options)
{
	CHECK(socket(AF_INET, SOCK_DGRAM, 0),
	      { IPPROTO_IP, IP_TOS, 0, 0x10, 0x10 }, { IPPROTO_IP, IP_TTL, 64, 7, 7 },
	      { IPPROTO_IP, IP_TTL, 7, -1, 64 }, { IPPROTO_IP, IP_MULTICAST_TTL, 1, 9, 9 },
	      { IPPROTO_IP, IP_MULTICAST_TTL, 9, -1, 1 }, { IPPROTO_IP, IP_MULTICAST_LOOP, 1, 0, 0 },
	      { IPPROTO_IP, IP_MULTICAST_ALL, 1, 0, 0 }, { IPPROTO_IP, IP_PKTINFO, 0, 1, 1 },
	      { IPPROTO_IP, IP_RECVTTL, 0, 1, 1 }, { IPPROTO_IP, IP_RECVTOS, 0, 1, 1 },
	      { IPPROTO_IP, IP_RECVOPTS, 0, 1, 1 }, { IPPROTO_IP, IP_RETOPTS, 0, 1, 1 },
	      { IPPROTO_IP, IP_RECVERR, 0, 1, 1 }, { IPPROTO_IP, IP_MTU_DISCOVER, 1, 3, 3 },
	      { IPPROTO_IP, IP_FREEBIND, 0, 1, 1 }, { IPPROTO_IP, IP_TRANSPARENT, 0, 1, 1 },
	      { IPPROTO_IP, IP_MINTTL, 0, 5, 5 }, { IPPROTO_IP, IP_RECVORIGDSTADDR, 0, 1, 1 },
	      { IPPROTO_IP, IP_PASSSEC, 0, 1, 1 });
}

TEST(ip_level_options_more)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);
	unsigned char byte = 3;
	socklen_t n = 1;

	CHECK(fd, { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0, 1, 1 }, { IPPROTO_IP, IP_RECVFRAGSIZE, 0, 1, 1 },
	      { IPPROTO_IP, IP_CHECKSUM, 0, 1, 1 });
	/* One byte is enough for these, both ways. */
	EXPECT_OK(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &byte, 1));
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_MULTICAST_TTL), 3);
	byte = 99;
	EXPECT_OK(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &byte, &n));
	EXPECT_EQ(n, 1);
	EXPECT_EQ(byte, 3);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_TTL, 0), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_TTL, 256), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, 256), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, 6), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, -1), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_HDRINCL, 1), ENOPROTOOPT);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_NODEFRAG, 1), ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_NODEFRAG), 0);
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_MTU), -ENOTCONN);
	EXPECT_ERR(set_int(fd, IPPROTO_IP, 150, 1), ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, IPPROTO_IP, 150), -ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, 1234, 1), -EOPNOTSUPP);
	EXPECT_ERR(set_int(fd, 1234, 1, 1), ENOPROTOOPT);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
	EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 0), EINVAL);
	EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_TTL, BAD_PTR, 4), EFAULT);
	EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, (socklen_t)-1), EINVAL);
	/* ECN bits of TOS belong to TCP. */
	EXPECT_OK(set_int(t, IPPROTO_IP, IP_TOS, 0xff));
	EXPECT_EQ(get_int(t, IPPROTO_IP, IP_TOS), 0xfc);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_TOS, 0xff));
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_TOS), 0xff);
	/* Priority follows TOS. */
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_TOS, 0x10));
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_PRIORITY), 6);
}

TEST(ipv6_level_options)
{
	CHECK(socket(AF_INET6, SOCK_DGRAM, 0),
	      { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 7, 7 }, { IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7, -1, 64 },
	      { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, 9, 9 }, { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9, -1, 1 },
	      { IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, 0, 0 }, { IPPROTO_IPV6, IPV6_V6ONLY, 0, 1, 1 },
	      { IPPROTO_IPV6, IPV6_RECVPKTINFO, 0, 1, 1 }, { IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0, 1, 1 },
	      { IPPROTO_IPV6, IPV6_RECVTCLASS, 0, 1, 1 }, { IPPROTO_IPV6, IPV6_TCLASS, 0, 0x20, 0x20 },
	      { IPPROTO_IPV6, IPV6_TCLASS, 0x20, -1, 0 }, { IPPROTO_IPV6, IPV6_RECVERR, 0, 1, 1 },
	      { IPPROTO_IPV6, IPV6_MTU_DISCOVER, 1, 2, 2 }, { IPPROTO_IPV6, IPV6_DONTFRAG, 0, 1, 1 },
	      { IPPROTO_IPV6, IPV6_RECVRTHDR, 0, 1, 1 }, { IPPROTO_IPV6, IPV6_RECVHOPOPTS, 0, 1, 1 },
	      { IPPROTO_IPV6, IPV6_RECVDSTOPTS, 0, 1, 1 }, { IPPROTO_IPV6, IPV6_RECVPATHMTU, 0, 1, 1 },
	      { IPPROTO_IPV6, IPV6_FREEBIND, 0, 1, 1 }, { IPPROTO_IPV6, IPV6_TRANSPARENT, 0, 1, 1 },
	      { IPPROTO_IPV6, 33, 0, 1, 1 }, { IPPROTO_IPV6, 70, 1, 0, 0 }, { IPPROTO_IPV6, 29, 1, 0, 0 },
	      { IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 0, 1, 1 }, { IPPROTO_IPV6, IPV6_MINHOPCOUNT, 0, 5, 5 },
	      { IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 0, 1, 1 });
}

TEST(ipv6_level_options_more)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -2), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, 256), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 9), EINVAL);
	EXPECT_ERR(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, "", 1), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, 222, 1), ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, 222), -ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_MTU), -ENOTCONN);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_TTL, 9));          /* for its IPv4 side */
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_TTL), 9);
}

TEST(tcp_options)
{
	CHECK(socket(AF_INET, SOCK_STREAM, 0),
	      { IPPROTO_TCP, TCP_NODELAY, 0, 1, 1 }, { IPPROTO_TCP, TCP_CORK, 0, 1, 1 },
	      { IPPROTO_TCP, TCP_KEEPIDLE, 7200, 10, 10 }, { IPPROTO_TCP, TCP_KEEPINTVL, 75, 11, 11 },
	      { IPPROTO_TCP, TCP_KEEPCNT, 9, 3, 3 }, { IPPROTO_TCP, TCP_SYNCNT, 6, 2, 2 },
	      { IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 5000, 5000 }, { IPPROTO_TCP, TCP_LINGER2, 60, 5, 5 },
	      { IPPROTO_TCP, TCP_QUICKACK, 1, 0, 0 }, { IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, 40000, 40000 });
}

TEST(tcp_options_more)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char name[16] = "";
	socklen_t n = sizeof(name);

	EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_MAXSEG), 536);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 10), EINVAL);
	EXPECT_OK(set_int(fd, IPPROTO_TCP, TCP_MAXSEG, 1000));
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 128), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_SYNCNT, 0), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, 999, 1), ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, IPPROTO_TCP, 999), -ENOPROTOOPT);
	EXPECT_ERR(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, "", 1), EINVAL);
	EXPECT_ERR(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), ENOENT);
	EXPECT_OK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n));
	EXPECT_EQ(n, 16);
	EXPECT_STR(name, "reno");
}

BOTH(tcp_info_of_a_connection)
{
	struct tcp_info ti;
	socklen_t n = sizeof(ti);
	int fd[2], l = lo_listener(af, 7);

	tcp_pair(af, fd);
	memset(&ti, 0x55, sizeof(ti));
	EXPECT_OK(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &n));
	EXPECT_EQ(ti.tcpi_state, TCP_ESTABLISHED);
	EXPECT(ti.tcpi_snd_mss > 500);
	EXPECT_EQ(ti.tcpi_snd_cwnd, 10);
	n = 1;
	EXPECT_OK(getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, &ti, &n));
	EXPECT_EQ(n, 1);
	n = sizeof(ti);
	EXPECT_OK(getsockopt(l, IPPROTO_TCP, TCP_INFO, &ti, &n));
	EXPECT_EQ(ti.tcpi_state, TCP_LISTEN);
}

BOTH(accepted_sockets_inherit)
{
	int l = lo_listener(af, 4), c = socket(af, SOCK_STREAM, 0), a;
	struct name n = own_name(l);

	EXPECT_OK(set_int(l, IPPROTO_TCP, TCP_NODELAY, 1));
	EXPECT_OK(set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1));
	EXPECT_OK(set_int(l, IPPROTO_TCP, TCP_KEEPIDLE, 77));
	EXPECT_OK(set_int(l, SOL_SOCKET, SO_MARK, 3));
	EXPECT_OK(set_int(l, SOL_SOCKET, SO_RCVBUF, 20000));
	REQUIRE_OK(connect(c, &n.sa, n.len));
	a = accept(l, NULL, NULL);
	EXPECT_EQ(get_int(a, IPPROTO_TCP, TCP_NODELAY), 1);
	EXPECT_EQ(get_int(a, SOL_SOCKET, SO_KEEPALIVE), 1);
	EXPECT_EQ(get_int(a, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	EXPECT_EQ(get_int(a, SOL_SOCKET, SO_MARK), 3);
	EXPECT_EQ(get_int(a, SOL_SOCKET, SO_RCVBUF), 40000);
}

BOTH(buffers_are_doubled_and_bounded)
{
	int fd = socket(af, SOCK_DGRAM, 0);

	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_RCVBUF, 30000));
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_RCVBUF), 60000);
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_SNDBUF, 30000));
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_SNDBUF), 60000);
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_RCVBUF, 1));
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_RCVBUF), 2304);
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_SNDBUF, 1));
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_SNDBUF), 4608);
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_RCVBUF, INT_MAX));
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 5000000));
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_RCVBUF), 10000000);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_ERROR, 1), ENOPROTOOPT);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_SNDLOWAT, 2), ENOPROTOOPT);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, 9999, 2), ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, 9999), -ENOPROTOOPT);
	EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, "", 1), EINVAL);
}

static void without_privileges(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (setuid(1000) < 0)
		_exit(9);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 5000), EPERM);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_MARK, 5), EPERM);
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_PRIORITY, 7), EPERM);
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_PRIORITY, 6));
	EXPECT_ERR(set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1), EPERM);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 0));
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_DEBUG, 1), EACCES);
	EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), EPERM);
	EXPECT_ERR(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
	EXPECT_ERR(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
}

TEST(some_options_need_capabilities)
{
	EXPECT_EQ(in_child(without_privileges), 0);
}

BOTH(bind_to_device)
{
	int fd = socket(af, SOCK_DGRAM, 0);
	char name[32] = "x";
	socklen_t n = sizeof(name);

	EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
	EXPECT_EQ(n, 0);
	EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nosuch", 7), ENODEV);
	EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	n = sizeof(name);
	EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
	EXPECT_EQ(n, 3);
	EXPECT_STR(name, "lo");
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX), if_nametoindex("lo"));
	n = 3;
	EXPECT_ERR(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n), EINVAL);
	EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX), 0);
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 99999));
	EXPECT_ERR(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, -1), EINVAL);
}

BOTH(bound_devices_share_a_port)
{
	int a = socket(af, SOCK_DGRAM, 0), b = socket(af, SOCK_DGRAM, 0), s = socket(af, SOCK_DGRAM, 0);
	struct name n = any_name(af, 0), to;
	char c;

	EXPECT_OK(setsockopt(a, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	REQUIRE_OK(bind(a, &n.sa, n.len));
	to = lo_name(af, own_port(a));
	EXPECT_EQ(sendto(s, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_EQ(recv(a, &c, 1, 0), 1);
	n = any_name(af, own_port(a));
	EXPECT_ERR(bind(b, &n.sa, n.len), EADDRINUSE);
	EXPECT_OK(setsockopt(b, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	EXPECT_ERR(bind(b, &n.sa, n.len), EADDRINUSE);
}

TEST(freebind_takes_any_address)
{
	struct name n = lo_name(AF_INET, 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	n.in.sin_addr.s_addr = htonl(0xc0000201);
	EXPECT_ERR(bind(fd, &n.sa, n.len), EADDRNOTAVAIL);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_FREEBIND, 1));
	EXPECT_OK(bind(fd, &n.sa, n.len));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1));
	EXPECT_OK(bind(fd, &n.sa, n.len));
	EXPECT_OK(listen(fd, 1));
}

TEST(filters_are_attached_and_detached)
{
	struct sock_filter all[] = { { BPF_RET | BPF_K, 0, 0, 0xffff } }, none[] = { { BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_filter bad[] = { { BPF_JMP | BPF_JA, 0, 0, 77 } };
	struct sock_fprog p = { 1, all };
	int fd[2];
	char c;

	udp_pair(AF_INET, fd);
	EXPECT_ERR(setsockopt(fd[1], SOL_SOCKET, SO_DETACH_FILTER, &c, 4), ENOENT);
	EXPECT_OK(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	EXPECT_EQ(send(fd[0], "a", 1, 0), 1);
	EXPECT_EQ(recv(fd[1], &c, 1, 0), 1);
	p.filter = none;
	EXPECT_OK(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	EXPECT_EQ(send(fd[0], "b", 1, 0), 1);
	EXPECT_ERR(recv(fd[1], &c, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_OK(setsockopt(fd[1], SOL_SOCKET, SO_DETACH_FILTER, &p, 4));
	EXPECT_EQ(send(fd[0], "c", 1, 0), 1);
	EXPECT_EQ(recv(fd[1], &c, 1, 0), 1);
	EXPECT_EQ(c, 'c');
	p.filter = bad;
	EXPECT_ERR(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), EINVAL);
	p.len = 0;
	EXPECT_ERR(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), EINVAL);
	EXPECT_ERR(setsockopt(fd[1], SOL_SOCKET, SO_ATTACH_FILTER, &p, 4), EINVAL);
}

TEST(raw_sockets_ping_themselves)
{
	struct { struct icmphdr h; char data[8]; } m = { .h = { .type = ICMP_ECHO, .un.echo = { 77, 1 } } };
	struct name to = lo_name(AF_INET, 0), from = { .len = sizeof(from.ss) };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), i;
	uint32_t f = ~(1u << ICMP_ECHOREPLY);
	unsigned char buf[256];
	uint32_t sum = 0;
	uint16_t *w = (uint16_t *)&m;

	REQUIRE(fd >= 0);
	EXPECT_OK(setsockopt(fd, 255, 1, &f, sizeof(f)));
	for (i = 0; i < (int)sizeof(m) / 2; i++)
		sum += w[i];
	sum = (sum >> 16) + (sum & 0xffff);
	m.h.checksum = (uint16_t)~(sum + (sum >> 16));
	EXPECT_EQ(sendto(fd, &m, sizeof(m), 0, &to.sa, to.len), sizeof(m));
	EXPECT_EQ(recvfrom(fd, buf, sizeof(buf), 0, &from.sa, &from.len), 20 + sizeof(m));
	EXPECT_EQ(buf[0], 0x45);
	EXPECT_EQ(buf[9], IPPROTO_ICMP);
	EXPECT_EQ(buf[20], ICMP_ECHOREPLY);
	EXPECT_EQ(from.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	EXPECT_EQ(from.in.sin_port, 0);
	EXPECT_EQ(get_int(fd, IPPROTO_IP, IP_HDRINCL), 0);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_HDRINCL, 1));
	EXPECT_ERR(send(fd, "x", 1, 0), EDESTADDRREQ);
	EXPECT_ERR(sendto(fd, "x", 1, 0, &to.sa, to.len), EINVAL);
}

TEST(raw_ipv6_fills_the_checksum)
{
	struct { struct icmp6_hdr h; char data[8]; } m = { .h = { .icmp6_type = ICMP6_ECHO_REQUEST } };
	struct name to = lo_name(AF_INET6, 0);
	int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), u = socket(AF_INET6, SOCK_RAW, 200);
	struct icmp6_filter f;
	unsigned char buf[256];

	REQUIRE(fd >= 0);
	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
	EXPECT_OK(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof(f)));
	EXPECT_EQ(sendto(fd, &m, sizeof(m), 0, &to.sa, to.len), sizeof(m));
	EXPECT_EQ(recv(fd, buf, sizeof(buf), 0), sizeof(m));
	EXPECT_EQ(buf[0], ICMP6_ECHO_REPLY);
	EXPECT_EQ(get_int(fd, IPPROTO_IPV6, IPV6_CHECKSUM), 2);
	EXPECT_ERR(set_int(fd, IPPROTO_IPV6, IPV6_CHECKSUM, 4), EINVAL);
	EXPECT_EQ(get_int(u, IPPROTO_IPV6, IPV6_CHECKSUM), -1);
	EXPECT_OK(set_int(u, IPPROTO_IPV6, IPV6_CHECKSUM, 4));
	EXPECT_ERR(set_int(u, IPPROTO_IPV6, IPV6_CHECKSUM, 3), EINVAL);
	EXPECT_ERR(sendto(u, "abc", 3, 0, &to.sa, to.len), EINVAL);
	EXPECT_EQ(sendto(u, "abcdef", 6, 0, &to.sa, to.len), 6);
	EXPECT_EQ(recv(u, buf, sizeof(buf), 0), 6);
}

TEST(raw_protocols_get_their_packets)
{
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), r = socket(AF_INET, SOCK_RAW, 199);
	unsigned char p[24] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 199, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1, 'd', 'a', 't', 'a' };
	struct name to = lo_name(AF_INET, 0);
	unsigned char buf[64];

	EXPECT_EQ(sendto(s, p, 24, 0, &to.sa, to.len), 24);
	EXPECT_EQ(recv(r, buf, sizeof(buf), 0), 24);
	EXPECT_EQ(buf[3], 24);                          /* length and source are filled in */
	EXPECT_EQ(buf[12], 127);
	EXPECT_EQ(memcmp(buf + 20, "data", 4), 0);
	EXPECT_EQ(get_int(s, IPPROTO_IP, IP_HDRINCL), 1);
	EXPECT_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(pairs_are_refused_after_the_kind_is_checked)
{
	int fd[2], u = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT_ERR(socketpair(AF_INET, SOCK_STREAM, IPPROTO_TCP, fd), EOPNOTSUPP);
	EXPECT_ERR(socketpair(AF_INET, SOCK_DGRAM, IPPROTO_TCP, fd), EPROTONOSUPPORT);
	EXPECT_ERR(socketpair(AF_INET, SOCK_STREAM, IPPROTO_ICMP, fd), EPROTONOSUPPORT);
	EXPECT_ERR(socketpair(AF_INET, 75, 0, fd), EINVAL);
	EXPECT_ERR(socketpair(0, SOCK_STREAM, 0, fd), EAFNOSUPPORT);
	EXPECT_ERR(ioctl(u, SIOCATMARK, fd), ENOTTY);
}

BOTH(options_of_other_families_are_told_apart)
{
	static const int unix_only[] = { SO_PASSCRED, SO_PASSSEC };
	int s = socket(af, SOCK_STREAM, 0), u = socket(af, SOCK_DGRAM, 0);
	struct ucred c = { 1, 1, 1 };
	struct timeval tv = { 3, 0 };
	socklen_t n = sizeof(c);
	char buf[64];

	for (int i = 0; i < 2; i++) {
		EXPECT_ERR(set_int(s, SOL_SOCKET, unix_only[i], 1), EOPNOTSUPP);
		EXPECT_ERR(getsockopt(u, SOL_SOCKET, unix_only[i], buf, &n), EOPNOTSUPP);
	}
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c, &n));
	EXPECT_EQ(n, sizeof(c));
	EXPECT_EQ(c.pid, 0);
	EXPECT_EQ(c.uid, (uid_t)-1);
	EXPECT_ERR(getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, buf, &n), ENODATA);
	EXPECT_ERR(getsockopt(s, SOL_SOCKET, 77, buf, &n), ENODATA);            /* SO_PEERPIDFD */
	EXPECT_EQ(get_int(s, SOL_SOCKET, SO_BPF_EXTENSIONS), 64);
	EXPECT_OK(setsockopt(s, SOL_SOCKET, 66, &tv, sizeof(tv)));             /* SO_RCVTIMEO_NEW */
	n = sizeof(tv);
	tv.tv_sec = 0;
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, &n));
	EXPECT_EQ(tv.tv_sec, 3);
	EXPECT_EQ(get_int(u, SOL_SOCKET, 72), 0);                               /* SO_BUF_LOCK */
	EXPECT_OK(set_int(u, SOL_SOCKET, SO_RCVBUF, 8192));
	EXPECT_EQ(get_int(u, SOL_SOCKET, 72), 2);
	EXPECT_ERR(set_int(u, SOL_SOCKET, 72, 4), EINVAL);
	EXPECT_OK(set_int(u, SOL_SOCKET, 72, 1));
	EXPECT_EQ(get_int(u, SOL_SOCKET, 72), 1);
	n = sizeof(buf);
	EXPECT_ERR(getsockopt(u, IPPROTO_UDP, 77, buf, &n), ENOPROTOOPT);
}

TEST(small_answers_of_ip_options)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);
	char buf[64];
	socklen_t n = sizeof(buf);

	EXPECT_OK(getsockopt(u, IPPROTO_IP, IP_MULTICAST_IF, buf, &n));
	EXPECT_EQ(n, 4);
	EXPECT_EQ(get_int(u, IPPROTO_IP, IP_HDRINCL), 0);
	EXPECT_ERR(set_int(u, IPPROTO_IP, IP_HDRINCL, 1), ENOPROTOOPT);
	EXPECT_EQ(get_int(u, IPPROTO_IP, 52), 0);       /* IP_PROTOCOL is for raw sockets */
	EXPECT_EQ(get_int(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), IPPROTO_IP, 52), IPPROTO_ICMP);
	EXPECT_ERR(set_int(s, IPPROTO_IP, IP_MULTICAST_TTL, 2), EINVAL);
	EXPECT_EQ(get_int(s, IPPROTO_IP, IP_MULTICAST_TTL), 1);
}

TEST_MAIN()
