/*
 * inet_udp.c - UDP sockets over loopback: names, errors, datagrams, the error queue.
 */
#include "tests/lib/inet.h"
#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>

BOTH(datagrams_keep_their_borders_and_names)
{
	int a = lo_socket(af, SOCK_DGRAM), b = lo_socket(af, SOCK_DGRAM);
	struct name to = own_name(b), from = { .len = sizeof(from.ss) }, want = own_name(a);
	char buf[16];

	EXPECT_EQ(sendto(a, "one", 3, 0, &to.sa, to.len), 3);
	EXPECT_EQ(sendto(a, "", 0, 0, &to.sa, to.len), 0);
	EXPECT_EQ(sendto(a, "three", 5, 0, &to.sa, to.len), 5);
	EXPECT_EQ(recvfrom(b, buf, 16, 0, &from.sa, &from.len), 3);
	EXPECT_EQ(from.len, want.len);
	EXPECT_EQ(memcmp(&from.ss, &want.ss, want.len), 0);
	EXPECT_EQ(recv(b, buf, 16, 0), 0);
	EXPECT_EQ(recv(b, buf, 2, 0), 2);               /* the rest is lost */
	EXPECT_ERR(recv(b, buf, 16, MSG_DONTWAIT), EAGAIN);
}

BOTH(send_errors)
{
	static char big[70000];
	int a = lo_socket(af, SOCK_DGRAM);
	struct name to = own_name(a);

	EXPECT_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
	EXPECT_ERR(write(a, "x", 1), EDESTADDRREQ);
	EXPECT_ERR(sendto(a, big, sizeof(big), 0, &to.sa, to.len), EMSGSIZE);
	EXPECT_ERR(sendto(a, "x", 1, 0, &to.sa, to.len == 16 ? 15 : 23), EINVAL);
	EXPECT_ERR(sendto(a, BAD_PTR, 1, 0, &to.sa, to.len), EFAULT);
	if (af == AF_INET)
		EXPECT_ERR(sendto(a, "x", 1, MSG_OOB, &to.sa, to.len), EOPNOTSUPP);
	to.in.sin_port = 0;
	EXPECT_ERR(sendto(a, "x", 1, 0, &to.sa, to.len), EINVAL);
	to.sa.sa_family = AF_UNIX;
	to.in.sin_port = htons(9);
	EXPECT_ERR(sendto(a, "x", 1, 0, &to.sa, to.len), af == AF_INET ? EAFNOSUPPORT : EINVAL);
	EXPECT_ERR(shutdown(a, SHUT_RDWR), ENOTCONN);
	EXPECT_ERR(recv(a, big, 1, MSG_OOB | MSG_DONTWAIT), EAGAIN);
}

BOTH(the_biggest_datagram_arrives)
{
	size_t max = af == AF_INET ? 65507 : 65527;
	static char big[65536], got[65536];
	int fd[2];

	udp_pair(af, fd);
	memset(big, 0x5a, sizeof(big));
	EXPECT_EQ(send(fd[0], big, max, 0), max);
	EXPECT_ERR(send(fd[0], big, max + 1, 0), EMSGSIZE);
	EXPECT_EQ(recv(fd[1], got, sizeof(got), 0), max);
	EXPECT_EQ(memcmp(big, got, max), 0);
}

BOTH(a_first_send_binds)
{
	int a = socket(af, SOCK_DGRAM, 0), b = lo_socket(af, SOCK_DGRAM);
	struct name to = own_name(b), me;

	EXPECT_EQ(own_port(a), 0);
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	me = own_name(a);
	EXPECT(me.in.sin_port != 0);
	if (af == AF_INET)
		EXPECT_EQ(me.in.sin_addr.s_addr, 0);
	else
		EXPECT(IN6_IS_ADDR_UNSPECIFIED(&me.in6.sin6_addr));
}

BOTH(connect_chooses_the_address_and_filters)
{
	int a = socket(af, SOCK_DGRAM, 0), b = lo_socket(af, SOCK_DGRAM), c = lo_socket(af, SOCK_DGRAM);
	struct name nb = own_name(b), none = any_name(af, 0), na, p = { .len = sizeof(p.ss) };
	char buf[8];

	EXPECT_ERR(getpeername(a, &p.sa, &p.len), ENOTCONN);
	EXPECT_OK(connect(a, &nb.sa, nb.len));
	na = own_name(a);
	EXPECT(na.in.sin_port != 0);
	EXPECT_OK(getpeername(a, &p.sa, &p.len));
	EXPECT_EQ(memcmp(&p.ss, &nb.ss, nb.len), 0);
	EXPECT_EQ(sendto(c, "no", 2, 0, &na.sa, na.len), 2);
	EXPECT_EQ(sendto(b, "yes", 3, 0, &na.sa, na.len), 3);
	EXPECT_EQ(recv(a, buf, 8, 0), 3);
	/* Another connect moves it; a destination of one send does not. */
	p = own_name(c);
	EXPECT_OK(connect(a, &p.sa, p.len));
	EXPECT_EQ(sendto(c, "now", 3, 0, &na.sa, na.len), 3);
	EXPECT_EQ(recv(a, buf, 8, 0), 3);
	EXPECT_EQ(sendto(a, "b", 1, 0, &nb.sa, nb.len), 1);
	EXPECT_EQ(recv(b, buf, 8, 0), 1);
	none.sa.sa_family = AF_UNSPEC;
	EXPECT_OK(connect(a, &none.sa, none.len));
	EXPECT_ERR(getpeername(a, &p.sa, &p.len), ENOTCONN);
	EXPECT_EQ(own_port(a), 0);
	EXPECT_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
	EXPECT(own_port(a) != 0);
}

BOTH(port_unreachable_is_an_error_of_connected_sockets)
{
	struct name n = dead_name(af, SOCK_DGRAM);
	int a = socket(af, SOCK_DGRAM, 0), b = socket(af, SOCK_DGRAM, 0);
	char c;

	EXPECT_OK(connect(a, &n.sa, n.len));
	EXPECT_EQ(send(a, "x", 1, 0), 1);
	EXPECT_EQ(poll_for(a, POLLIN) & POLLERR, POLLERR);
	EXPECT_ERR(recv(a, &c, 1, 0), ECONNREFUSED);
	EXPECT_EQ(poll_now(a), POLLOUT);
	EXPECT_EQ(send(a, "x", 1, 0), 1);
	EXPECT_EQ(poll_for(a, POLLIN) & POLLERR, POLLERR);
	EXPECT_ERR(send(a, "x", 1, 0), ECONNREFUSED);
	EXPECT_EQ(send(a, "x", 1, 0), 1);
	EXPECT_EQ(poll_for(a, POLLIN) & POLLERR, POLLERR);
	EXPECT_EQ(get_int(a, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	EXPECT_EQ(get_int(a, SOL_SOCKET, SO_ERROR), 0);
	EXPECT_EQ(sendto(b, "x", 1, 0, &n.sa, n.len), 1);
	sleep_ms(20);
	EXPECT_ERR(recv(b, &c, 1, MSG_DONTWAIT), EAGAIN);
}

static ssize_t recv_err(int fd, struct sock_extended_err *ee, struct name *off, struct name *dst, int *flags)
{
	char buf[64], ctl[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &dst->ss, .msg_namelen = sizeof(dst->ss), .msg_iov = &iov,
			    .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(fd, &m, MSG_ERRQUEUE);
	struct cmsghdr *c;

	memset(ee, 0, sizeof(*ee));
	if (n < 0)
		return -errno;
	*flags = m.msg_flags;
	dst->len = m.msg_namelen;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
			memcpy(ee, CMSG_DATA(c), sizeof(*ee));
			memcpy(&off->ss, CMSG_DATA(c) + sizeof(*ee), c->cmsg_len - CMSG_LEN(sizeof(*ee)));
		}
	return n;
}

BOTH(recverr_queues_icmp_errors)
{
	struct name n = dead_name(af, SOCK_DGRAM), off = { .len = 0 }, dst;
	struct name lo = lo_name(af, 0);
	int a = socket(af, SOCK_DGRAM, 0), flags = 0;
	struct sock_extended_err ee;

	EXPECT_ERR(recv(a, &n, 1, MSG_ERRQUEUE), EAGAIN);
	EXPECT_OK(set_int(a, af == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, af == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1));
	EXPECT_EQ(sendto(a, "quote", 5, 0, &n.sa, n.len), 5);
	EXPECT_EQ(poll_for(a, POLLIN) & POLLERR, POLLERR);
	EXPECT_EQ(recv_err(a, &ee, &off, &dst, &flags), 5);
	EXPECT_EQ(flags, MSG_ERRQUEUE);
	EXPECT_EQ(ee.ee_errno, ECONNREFUSED);
	EXPECT_EQ(ee.ee_origin, af == AF_INET ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6);
	EXPECT_EQ(ee.ee_type, af == AF_INET ? ICMP_DEST_UNREACH : 1);
	EXPECT_EQ(ee.ee_code, af == AF_INET ? ICMP_PORT_UNREACH : 4);
	EXPECT_EQ(memcmp(&dst.ss, &n.ss, n.len), 0);
	if (af == AF_INET)
		EXPECT_EQ(off.in.sin_addr.s_addr, lo.in.sin_addr.s_addr);
	else
		EXPECT_EQ(memcmp(&off.in6.sin6_addr, &lo.in6.sin6_addr, 16), 0);
	EXPECT_EQ(recv_err(a, &ee, &off, &dst, &flags), -EAGAIN);
	EXPECT_EQ(poll_now(a), POLLOUT);
	EXPECT_EQ(get_int(a, SOL_SOCKET, SO_ERROR), 0);
}

BOTH(recverr_tells_of_datagrams_too_big)
{
	static char big[70000];
	struct name to, off = { .len = 0 }, dst;
	int fd[2], flags = 0, disc = af == AF_INET ? IP_PMTUDISC_DO : IPV6_PMTUDISC_DO;
	int level = af == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	struct sock_extended_err ee;

	udp_pair(af, fd);
	to = own_name(fd[1]);
	EXPECT_OK(set_int(fd[0], level, af == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, disc));
	EXPECT_EQ(get_int(fd[0], level, af == AF_INET ? IP_MTU : IPV6_MTU), af == AF_INET ? 65535 : 65536);
	EXPECT_OK(set_int(fd[0], level, af == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1));
	if (af == AF_INET6) {
		EXPECT_ERR(send(fd[0], big, 65500, 0), EMSGSIZE);
		EXPECT_EQ(recv_err(fd[0], &ee, &off, &dst, &flags), 0);
		EXPECT_EQ(ee.ee_errno, EMSGSIZE);
		EXPECT_EQ(ee.ee_origin, SO_EE_ORIGIN_LOCAL);
		EXPECT_EQ(ee.ee_info, 65536);
		EXPECT_EQ(memcmp(&dst.in6.sin6_addr, &to.in6.sin6_addr, 16), 0);
	}
	EXPECT_ERR(send(fd[0], big, sizeof(big), 0), EMSGSIZE);
	EXPECT_EQ(recv_err(fd[0], &ee, &off, &dst, &flags), af == AF_INET ? -EAGAIN : 0);
}

BOTH(shutdown_of_a_connected_socket)
{
	int fd[2];
	char c;

	udp_pair(af, fd);
	EXPECT_ERR(shutdown(fd[0], 7), EINVAL);
	EXPECT_OK(shutdown(fd[0], SHUT_WR));
	EXPECT_ERR(send(fd[0], "x", 1, 0), EPIPE);
	EXPECT_OK(shutdown(fd[0], SHUT_RD));
	EXPECT_EQ(recv(fd[0], &c, 1, 0), 0);
	EXPECT_EQ(poll_now(fd[0]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
}

BOTH(reuse_rules)
{
	int a = socket(af, SOCK_DGRAM, 0), b = socket(af, SOCK_DGRAM, 0), c = socket(af, SOCK_DGRAM, 0);
	struct name n = lo_name(af, 0);

	REQUIRE_OK(bind(a, &n.sa, n.len));
	n = own_name(a);
	EXPECT_ERR(bind(a, &n.sa, n.len), EINVAL);
	EXPECT_ERR(bind(b, &n.sa, n.len), EADDRINUSE);
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_ERR(bind(b, &n.sa, n.len), EADDRINUSE);
	EXPECT_OK(set_int(a, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_OK(bind(b, &n.sa, n.len));
	EXPECT_OK(set_int(c, SOL_SOCKET, SO_REUSEPORT, 1));
	EXPECT_ERR(bind(c, &n.sa, n.len), EADDRINUSE);
}

BOTH(reuseport_spreads_over_sockets)
{
	int r[4], hits = 0;
	struct name n = lo_name(af, 0);
	char c;

	for (int i = 0; i < 4; i++) {
		r[i] = socket(af, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		EXPECT_OK(set_int(r[i], SOL_SOCKET, SO_REUSEPORT, 1));
		REQUIRE_OK(bind(r[i], &n.sa, n.len));
		n = own_name(r[i]);
	}
	for (int i = 0; i < 200; i++) {
		int s = socket(af, SOCK_DGRAM, 0);

		EXPECT_EQ(sendto(s, "x", 1, 0, &n.sa, n.len), 1);
		close(s);
	}
	for (int i = 0; i < 4; i++) {
		int k = 0;

		while (recv(r[i], &c, 1, 0) == 1)
			k++;
		EXPECT(k > 0);
		hits += k;
	}
	EXPECT_EQ(hits, 200);
}

TEST(a_dual_stack_socket_speaks_both)
{
	struct name any = any_name(AF_INET6, 0), to, from = { .len = sizeof(from.ss) };
	int six = socket(AF_INET6, SOCK_DGRAM, 0), four = lo_socket(AF_INET, SOCK_DGRAM);
	char c;

	EXPECT_OK(set_int(six, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	REQUIRE_OK(bind(six, &any.sa, any.len));
	to = lo_name(AF_INET, own_port(six));
	EXPECT_EQ(sendto(four, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_EQ(recvfrom(six, &c, 1, 0, &from.sa, &from.len), 1);
	EXPECT(IN6_IS_ADDR_V4MAPPED(&from.in6.sin6_addr));
	EXPECT_EQ(sendto(six, "y", 1, 0, &from.sa, from.len), 1);
	EXPECT_EQ(recv(four, &c, 1, 0), 1);
	to = own_name(four);            /* a sockaddr_in works as well */
	EXPECT_EQ(sendto(six, "y", 1, 0, &to.sa, to.len), 1);
	EXPECT_EQ(recv(four, &c, 1, 0), 1);
	EXPECT_OK(connect(six, &to.sa, to.len));
	EXPECT_EQ(send(six, "z", 1, 0), 1);
	EXPECT_EQ(recv(four, &c, 1, 0), 1);
}

TEST(v6only_knows_no_ipv4)
{
	struct name to = own_name(lo_socket(AF_INET, SOCK_DGRAM));
	int six = socket(AF_INET6, SOCK_DGRAM, 0);

	EXPECT_OK(set_int(six, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	EXPECT_ERR(sendto(six, "y", 1, 0, &to.sa, to.len), ENETUNREACH);
	EXPECT_ERR(connect(six, &to.sa, to.len), EAFNOSUPPORT);
}

TEST(other_addresses_of_loopback_are_spoken_to_from_the_first)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000002) };
	int a = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(to);

	REQUIRE_OK(connect(a, (struct sockaddr *)&to, sizeof(to)));
	REQUIRE_OK(getsockname(a, (struct sockaddr *)&to, &len));
	EXPECT_EQ(ntohl(to.sin_addr.s_addr), 0x7f000001);
}

TEST(broadcast_needs_the_option)
{
	struct name n = lo_name(AF_INET, 9);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	n.in.sin_addr.s_addr = htonl(0x7fffffff);
	EXPECT_ERR(sendto(fd, "x", 1, 0, &n.sa, n.len), EACCES);
	EXPECT_ERR(connect(fd, &n.sa, n.len), EACCES);
	EXPECT_OK(set_int(fd, SOL_SOCKET, SO_BROADCAST, 1));
	EXPECT_OK(connect(fd, &n.sa, n.len));
}

BOTH(inq_is_the_next_datagram)
{
	int fd[2], n = -1;

	udp_pair(af, fd);
	EXPECT_OK(ioctl(fd[1], FIONREAD, &n));
	EXPECT_EQ(n, 0);
	EXPECT_EQ(send(fd[0], "abc", 3, 0), 3);
	EXPECT_EQ(send(fd[0], "defgh", 5, 0), 5);
	EXPECT_OK(ioctl(fd[1], FIONREAD, &n));
	EXPECT_EQ(n, 3);
	EXPECT_ERR(ioctl(fd[1], FIONREAD, BAD_PTR), EFAULT);
}

BOTH(cork_and_more_make_one_datagram)
{
	int fd[2], v = -1;
	char buf[32];

	udp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "ab", 2, MSG_MORE), 2);
	EXPECT_EQ(send(fd[0], "cd", 2, MSG_MORE), 2);
	EXPECT_ERR(recv(fd[1], buf, 32, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(send(fd[0], "ef", 2, 0), 2);
	EXPECT_EQ(recv(fd[1], buf, 32, 0), 6);
	EXPECT_EQ(memcmp(buf, "abcdef", 6), 0);
	EXPECT_OK(set_int(fd[0], IPPROTO_UDP, UDP_CORK, 1));
	EXPECT_EQ(get_int(fd[0], IPPROTO_UDP, UDP_CORK), 1);
	EXPECT_EQ(send(fd[0], "xy", 2, 0), 2);
	EXPECT_EQ(send(fd[0], "z", 1, 0), 1);
	EXPECT_OK(ioctl(fd[1], FIONREAD, &v));
	EXPECT_EQ(v, 0);
	EXPECT_OK(set_int(fd[0], IPPROTO_UDP, UDP_CORK, 0));
	EXPECT_EQ(recv(fd[1], buf, 32, 0), 3);
}

BOTH(segment_cuts_a_send_into_datagrams)
{
	char buf[64], data[25];
	int fd[2];

	udp_pair(af, fd);
	memset(data, 'a', sizeof(data));
	EXPECT_ERR(set_int(fd[0], IPPROTO_UDP, 103, -1), EINVAL);
	EXPECT_ERR(set_int(fd[0], IPPROTO_UDP, 103, 65536), EINVAL);
	EXPECT_OK(set_int(fd[0], IPPROTO_UDP, 103, 10));
	EXPECT_EQ(get_int(fd[0], IPPROTO_UDP, 103), 10);
	EXPECT_EQ(send(fd[0], data, 25, 0), 25);
	EXPECT_EQ(recv(fd[1], buf, 64, 0), 10);
	EXPECT_EQ(recv(fd[1], buf, 64, 0), 10);
	EXPECT_EQ(recv(fd[1], buf, 64, 0), 5);
	EXPECT_EQ(send(fd[0], data, 10, 0), 10);
	EXPECT_EQ(recv(fd[1], buf, 64, 0), 10);
}

/* With UDP_GRO the pieces may come together, and a control message tells their size. */
BOTH(gro_gives_pieces_together)
{
	char buf[64], data[25], ctl[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl };
	int fd[2], size = -1;
	ssize_t n, sum = 0;

	udp_pair(af, fd);
	memset(data, 'a', sizeof(data));
	EXPECT_OK(set_int(fd[1], IPPROTO_UDP, 104, 1));
	EXPECT_OK(set_int(fd[0], IPPROTO_UDP, 103, 10));
	EXPECT_EQ(send(fd[0], data, 25, 0), 25);
	m.msg_controllen = sizeof(ctl);
	n = recvmsg(fd[1], &m, 0);
	EXPECT_EQ(n, 25);
	REQUIRE(CMSG_FIRSTHDR(&m));
	EXPECT_EQ(CMSG_FIRSTHDR(&m)->cmsg_level, IPPROTO_UDP);
	EXPECT_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, 104);
	memcpy(&size, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(size));
	EXPECT_EQ(size, 10);
	sum += n;
	EXPECT_EQ(sum, 25);
}

BOTH(the_receive_buffer_is_bounded)
{
	static char b[1000];
	int fd[2], sent, got = 0;

	udp_pair(af, fd);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, SO_RCVBUF, 10000));
	for (sent = 0; sent < 500; sent++)
		EXPECT_EQ(send(fd[0], b, sizeof(b), 0), sizeof(b));
	while (recv(fd[1], b, sizeof(b), MSG_DONTWAIT) > 0)
		got++;
	EXPECT(got > 0 && got < 100);
	EXPECT_EQ(send(fd[0], b, 1, 0), 1);
	EXPECT_EQ(recv(fd[1], b, sizeof(b), 0), 1);
}

BOTH(accept_and_listen_are_not_for_udp)
{
	int fd = lo_socket(af, SOCK_DGRAM);

	EXPECT_ERR(listen(fd, 1), EOPNOTSUPP);
	EXPECT_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
	EXPECT_EQ(get_int(fd, IPPROTO_TCP, TCP_NODELAY), af == AF_INET ? -EOPNOTSUPP : -ENOPROTOOPT);
	EXPECT_ERR(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1), ENOPROTOOPT);
}

TEST_MAIN()
