/*
 * inet.h - loopback sockets for the tests of AF_INET and AF_INET6.
 *
 * Everything is on loopback with ports that the kernel chooses, so that tests
 * run beside each other and need nothing of the host.  BOTH(name) makes a test
 * of a function that takes the family.
 */
#pragma once
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "tests/lib/harness.h"

struct name {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage ss;
	};
};

/* For IPv4 and for IPv6: name##_v4, name##_v6. */
#define BOTH(tname) \
	static void tname(int af); \
	TEST(tname##_v4) { tname(AF_INET); } \
	TEST(tname##_v6) { tname(AF_INET6); } \
	static void tname(int af)

__attribute__((unused)) static struct name any_name(int af, uint16_t port)
{
	struct name n = { .len = af == AF_INET ? sizeof(n.in) : sizeof(n.in6) };

	n.sa.sa_family = (sa_family_t)af;
	n.in.sin_port = htons(port);            /* at the same place in both */
	return n;
}

__attribute__((unused)) static struct name lo_name(int af, uint16_t port)
{
	struct name n = any_name(af, port);

	if (af == AF_INET)
		n.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		n.in6.sin6_addr = in6addr_loopback;
	return n;
}

__attribute__((unused)) static struct name own_name(int fd)
{
	struct name n = { .len = sizeof(n.ss) };

	REQUIRE_OK(getsockname(fd, &n.sa, &n.len));
	return n;
}

__attribute__((unused)) static uint16_t own_port(int fd) { return ntohs(own_name(fd).in.sin_port); }

/* A socket bound to loopback; @type may have SOCK_NONBLOCK. */
__attribute__((unused)) static int lo_socket(int af, int type)
{
	struct name n = lo_name(af, 0);
	int fd = socket(af, type, 0);

	REQUIRE(fd >= 0);
	REQUIRE_OK(bind(fd, &n.sa, n.len));
	return fd;
}

__attribute__((unused)) static int lo_listener(int af, int backlog)
{
	int fd = lo_socket(af, SOCK_STREAM);

	REQUIRE_OK(listen(fd, backlog));
	return fd;
}

/* A connected pair of TCP sockets: fd[0] connected, fd[1] accepted. */
__attribute__((unused)) static void tcp_pair(int af, int fd[2])
{
	int l = lo_listener(af, 4);
	struct name n = own_name(l);

	fd[0] = socket(af, SOCK_STREAM, 0);
	REQUIRE(fd[0] >= 0);
	REQUIRE_OK(connect(fd[0], &n.sa, n.len));
	fd[1] = accept(l, NULL, NULL);
	REQUIRE(fd[1] >= 0);
	close(l);
}

/* Two UDP sockets that are connected to each other. */
__attribute__((unused)) static void udp_pair(int af, int fd[2])
{
	struct name a, b;

	fd[0] = lo_socket(af, SOCK_DGRAM);
	fd[1] = lo_socket(af, SOCK_DGRAM);
	a = own_name(fd[0]);
	b = own_name(fd[1]);
	REQUIRE_OK(connect(fd[0], &b.sa, b.len));
	REQUIRE_OK(connect(fd[1], &a.sa, a.len));
}

/* A loopback port where nobody listens. */
__attribute__((unused)) static struct name dead_name(int af, int type)
{
	int fd = lo_socket(af, type);
	struct name n = own_name(fd);

	close(fd);
	return n;
}

__attribute__((unused)) static int get_int(int fd, int level, int opt)
{
	int v = -12345;
	socklen_t n = sizeof(v);

	if (getsockopt(fd, level, opt, &v, &n) < 0)
		return -errno;
	return v;
}

__attribute__((unused)) static int set_int(int fd, int level, int opt, int v)
{
	return setsockopt(fd, level, opt, &v, sizeof(v));
}

/* Events that are true within ten seconds of waiting for @want. */
__attribute__((unused)) static int poll_for(int fd, int want)
{
	struct pollfd p = { .fd = fd, .events = (short)want };

	return poll(&p, 1, 10000) < 0 ? -errno : p.revents;
}

/* Events that are true now, of all. */
__attribute__((unused)) static int poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}
