/* Sockets: what random sequences of calls found to be told in another order, at another time or not at all. */
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "tests/lib/harness.h"

#define OPT_RCVPRIORITY 82
#define OPT_UNIX_INQ    84
#define OPT_SIOCUNIXFILE 0x89e0

static struct sockaddr_un path_name(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int bind_path(int s, const char *path)
{
	struct sockaddr_un a = path_name(path);

	return bind(s, (void *)&a, sizeof(a));
}

static void pair(int type, int s[2]) { REQUIRE_OK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s)); }

/* The orders below are those of Linux 6.17 and later, which this option tells. */
static bool recent(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), on = 1, r = setsockopt(s, SOL_SOCKET, OPT_UNIX_INQ, &on, sizeof(on));

	close(s);
	return r == 0;
}

static void set(int s, int level, int opt, int v) { REQUIRE_OK(setsockopt(s, level, opt, &v, sizeof(v))); }

TEST(a_datagram_comes_from_whatever_its_sender_is_called_when_it_is_read)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	char buf[8];
	int s[2];

	pair(SOCK_DGRAM, s);
	REQUIRE(send(s[0], "one", 3, 0) == 3);
	REQUIRE(send(s[0], "two", 3, 0) == 3);
	EXPECT_EQ(recvfrom(s[1], buf, sizeof(buf), 0, (void *)&a, &len), 3);
	EXPECT_EQ(len, 0);
	REQUIRE_OK(bind_path(s[0], "late"));
	close(s[0]);
	len = sizeof(a);
	EXPECT_EQ(recvfrom(s[1], buf, sizeof(buf), 0, (void *)&a, &len), 3);
	EXPECT_EQ(len, offsetof(struct sockaddr_un, sun_path) + 5);
	EXPECT(strcmp(a.sun_path, "late") == 0);
}

TEST(so_do_the_bytes_of_a_stream)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	char buf[8];
	int s[2];

	pair(SOCK_STREAM, s);
	REQUIRE(send(s[0], "one", 3, 0) == 3);
	REQUIRE_OK(bind_path(s[0], "late"));
	EXPECT_EQ(recvfrom(s[1], buf, sizeof(buf), 0, (void *)&a, &len), 3);
	EXPECT(len > 2 && strcmp(a.sun_path, "late") == 0);
}

TEST(binding_a_second_time_says_first_what_is_wrong_with_the_path)
{
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	REQUIRE_OK(bind_path(s, "first"));
	EXPECT_ERR(bind_path(s, "first"), EADDRINUSE);
	EXPECT_ERR(bind_path(s, "no/such"), ENOENT);
	EXPECT_ERR(bind_path(s, "second"), EINVAL);
	EXPECT_ERR(access("second", F_OK), ENOENT);
}

TEST(SIOCUNIXFILE_gives_a_place_where_a_socket_is_bound)
{
	struct stat a, b;
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), fd;

	EXPECT_ERR(ioctl(s, OPT_SIOCUNIXFILE, 0), ENOENT);
	REQUIRE_OK(bind_path(s, "here"));
	fd = ioctl(s, OPT_SIOCUNIXFILE, 0);
	REQUIRE(fd >= 0);
	REQUIRE_OK(fstat(fd, &a));
	REQUIRE_OK(stat("here", &b));
	EXPECT(S_ISSOCK(a.st_mode) && a.st_ino == b.st_ino);
	EXPECT_ERR(read(fd, &a, 1), EBADF);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static ssize_t send_rights(int s, int fd, const void *name, socklen_t namelen)
{
	struct iovec iov = { "x", 1 };
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u = { 0 };
	struct msghdr m = { .msg_name = (void *)name, .msg_namelen = namelen, .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(s, &m, 0);
}

TEST(a_stream_looks_at_control_messages_before_it_refuses_a_name)
{
	struct sockaddr_un a = path_name("any");
	int s[2];

	pair(SOCK_STREAM, s);
	EXPECT_ERR(send_rights(s[0], -1, &a, sizeof(a)), EBADF);
	EXPECT_ERR(send_rights(s[0], s[0], &a, sizeof(a)), EISCONN);
}

/* Bytes, or -1; the credentials that came along, or { -1, 7, 7 }. */
static ssize_t recv_cred(int s, char *buf, size_t cap, struct ucred *ret)
{
	struct iovec iov = { buf, cap };
	union { char buf[128]; struct cmsghdr align; } u = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	ssize_t n = recvmsg(s, &m, 0);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	*ret = (struct ucred){ -1, 7, 7 };
	if (c && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(ret, CMSG_DATA(c), sizeof(*ret));
	return n;
}

TEST(who_sent_is_not_known_of_what_was_sent_before_anybody_asked)
{
	struct ucred c;
	char buf[16];
	int s[2];

	pair(SOCK_STREAM, s);
	REQUIRE(send(s[0], "old", 3, 0) == 3);
	set(s[1], SOL_SOCKET, SO_PASSCRED, 1);
	REQUIRE(send(s[0], "new", 3, 0) == 3);
	EXPECT_EQ(recv_cred(s[1], buf, sizeof(buf), &c), 3);
	EXPECT_EQ(c.pid, 0);
	EXPECT_EQ(c.uid, 65534);
	EXPECT_EQ(c.gid, 65534);
	EXPECT_EQ(recv_cred(s[1], buf, sizeof(buf), &c), 3);
	EXPECT_EQ(c.pid, getpid());
	EXPECT_EQ(c.uid, getuid());
}

TEST(the_end_of_a_stream_has_credentials_of_zeros)
{
	struct ucred c;
	char buf[16];
	int s[2];

	pair(SOCK_STREAM, s);
	set(s[1], SOL_SOCKET, SO_PASSCRED, 1);
	close(s[0]);
	EXPECT_EQ(recv_cred(s[1], buf, sizeof(buf), &c), 0);
	EXPECT_EQ(c.pid, 0);
	EXPECT_EQ(c.uid, 0);
	EXPECT_EQ(c.gid, 0);
}

TEST(a_read_that_waits_for_all_ends_where_the_sender_changes)
{
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	char buf[16];
	int s[2];

	pair(SOCK_STREAM, s);
	REQUIRE(send(s[0], "old", 3, 0) == 3);
	set(s[1], SOL_SOCKET, SO_PASSCRED, 1);
	REQUIRE(send(s[0], "new", 3, 0) == 3);
	iov = (struct iovec){ buf, 6 };
	EXPECT_EQ(recvmsg(s[1], &m, MSG_WAITALL), 3);
	EXPECT(m.msg_flags & MSG_CTRUNC);
}

TEST(a_seqpacket_socket_that_wants_credentials_gets_a_name_when_it_sends)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	int s[2];

	pair(SOCK_SEQPACKET, s);
	set(s[0], SOL_SOCKET, SO_PASSCRED, 1);
	REQUIRE(send(s[0], "x", 1, 0) == 1);
	REQUIRE_OK(getpeername(s[1], (void *)&a, &len));
	EXPECT_EQ(len, offsetof(struct sockaddr_un, sun_path) + 6);
}

TEST(connecting_to_what_is_no_name_gives_the_socket_none)
{
	struct sockaddr_un a = { .sun_family = AF_INET };
	socklen_t len = sizeof(a);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	set(s, SOL_SOCKET, SO_PASSCRED, 1);
	EXPECT_ERR(connect(s, (void *)&a, sizeof(a)), EINVAL);
	REQUIRE_OK(getsockname(s, (void *)&a, &len));
	EXPECT_EQ(len, offsetof(struct sockaddr_un, sun_path));
}

TEST(recvmmsg_tells_a_pending_error_before_it_reads)
{
	struct iovec iov;
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	char buf[8];
	int s[2];

	iov = (struct iovec){ buf, sizeof(buf) };
	pair(SOCK_STREAM, s);
	REQUIRE(send(s[0], "here", 4, 0) == 4);
	REQUIRE(send(s[1], "lost", 4, 0) == 4);
	close(s[0]);
	EXPECT_ERR(recvmmsg(s[1], &m, 1, 0, NULL), ECONNRESET);
	EXPECT_EQ(recvmmsg(s[1], &m, 1, 0, NULL), 1);
	EXPECT_EQ(m.msg_len, 4);
}

TEST(a_datagram_that_cannot_be_sent_says_so_in_order)
{
	struct sockaddr_un a = path_name("none");
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (!recent())
		SKIP("another order before Linux 6.14");
	EXPECT_ERR(send(s, "x", 1, 0), ENOTCONN);
	EXPECT_OK(shutdown(s, SHUT_WR));
	EXPECT_ERR(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_ERR(sendto(s, "x", 1, MSG_NOSIGNAL, (void *)&a, sizeof(a)), EPIPE);
}

TEST(an_address_of_no_bytes_is_too_short_for_a_datagram)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT_ERR(send(s, "x", 1, 0), EDESTADDRREQ);
	EXPECT_ERR(sendto(s, "x", 1, 0, (void *)&a, 0), EINVAL);
}

TEST(SO_RCVPRIORITY_tells_the_priority_of_a_datagram)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	union { char buf[64]; struct cmsghdr align; } u = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	int s = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	u_int32_t got = 0;

	if (setsockopt(s, SOL_SOCKET, OPT_RCVPRIORITY, &on, sizeof(on)) < 0)
		SKIP("no SO_RCVPRIORITY before Linux 6.14");
	REQUIRE_OK(bind(s, (void *)&a, sizeof(a)));
	REQUIRE_OK(getsockname(s, (void *)&a, &len));
	set(s, SOL_SOCKET, SO_PRIORITY, 5);
	REQUIRE(sendto(s, "x", 1, 0, (void *)&a, len) == 1);
	REQUIRE(recvmsg(s, &m, 0) == 1);
	REQUIRE(CMSG_FIRSTHDR(&m) != NULL);
	EXPECT_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, SO_PRIORITY);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	EXPECT_EQ(got, 5);
}

/* A listener on 127.0.0.1. */
static int listening(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	REQUIRE_OK(bind(l, (void *)a, sizeof(*a)));
	REQUIRE_OK(listen(l, 5));
	REQUIRE_OK(getsockname(l, (void *)a, &len));
	return l;
}

static void reset(int s)
{
	struct linger l = { 1, 0 };

	REQUIRE_OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	close(s);
}

static void wait_for(int s, short what)
{
	struct pollfd p = { s, what, 0 };

	do
		REQUIRE(poll(&p, 1, -1) == 1);
	while (!(p.revents & what));
}

TEST(a_connection_that_was_reset_is_accepted_with_the_name_of_who_did_it)
{
	struct sockaddr_in a, me, peer;
	socklen_t len = sizeof(me);
	int l = listening(&a), c = socket(AF_INET, SOCK_STREAM, 0), s;
	char byte;

	REQUIRE_OK(connect(c, (void *)&a, sizeof(a)));
	REQUIRE_OK(getsockname(c, (void *)&me, &len));
	wait_for(l, POLLIN);
	reset(c);
	len = sizeof(peer);
	s = accept(l, (void *)&peer, &len);
	REQUIRE(s >= 0);
	EXPECT_EQ(len, sizeof(peer));
	EXPECT_EQ(peer.sin_port, me.sin_port);
	wait_for(s, POLLERR);
	EXPECT_ERR(getpeername(s, (void *)&peer, &len), ENOTCONN);
	EXPECT_ERR(read(s, &byte, 1), ECONNRESET);
}

TEST(the_end_of_a_connection_is_read_before_an_error_that_came_after_it)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(int);
	int l = listening(&a), c = socket(AF_INET, SOCK_STREAM, 0), s, err = 0;
	char byte;

	REQUIRE_OK(connect(c, (void *)&a, sizeof(a)));
	s = accept(l, NULL, NULL);
	REQUIRE(s >= 0);
	close(c);
	wait_for(s, POLLRDHUP);
	REQUIRE(send(s, "x", 1, MSG_NOSIGNAL) == 1);    /* the answer is a reset */
	wait_for(s, POLLERR);
	EXPECT_EQ(read(s, &byte, 1), 0);
	REQUIRE_OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_EQ(err, EPIPE);
}

TEST(a_stream_may_be_bound_to_the_broadcast_address)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_BROADCAST) };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT_OK(bind(s, (void *)&a, sizeof(a)));
	EXPECT_OK(listen(s, 1));
}

static struct sockaddr_in6 mapped(u_int32_t ip, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((u_int16_t)port) };

	a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 0xff;
	ip = htonl(ip);
	memcpy(a.sin6_addr.s6_addr + 12, &ip, 4);
	return a;
}

TEST(a_socket_that_began_with_IPv4_does_not_go_to_IPv6)
{
	struct sockaddr_in6 v4 = mapped(INADDR_LOOPBACK, 9), v6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) }, far = mapped(0x0a010203, 9);
	int s = socket(AF_INET6, SOCK_DGRAM, 0), v4only = socket(AF_INET, SOCK_DGRAM, 0);

	v6.sin6_addr = in6addr_loopback;
	if (s < 0 || connect(s, (void *)&v6, sizeof(v6)) < 0)
		SKIP("no IPv6");
	close(s);
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	REQUIRE_OK(connect(s, (void *)&v4, sizeof(v4)));
	EXPECT_ERR(connect(s, (void *)&v6, sizeof(v6)), EAFNOSUPPORT);
	EXPECT_ERR(sendto(s, "x", 1, 0, (void *)&v6, sizeof(v6)), EAFNOSUPPORT);
	EXPECT_ERR(bind(s, (void *)&far, sizeof(far)), EINVAL);
	EXPECT_ERR(sendto(v4only, "x", 1, 0, (void *)&v6, sizeof(v6)), EAFNOSUPPORT);
	s = socket(AF_INET6, SOCK_DGRAM, 0);            /* who began with IPv6 does */
	REQUIRE_OK(connect(s, (void *)&v6, sizeof(v6)));
	EXPECT_OK(connect(s, (void *)&v4, sizeof(v4)));
	EXPECT_OK(connect(s, (void *)&v6, sizeof(v6)));
	set(s = socket(AF_INET6, SOCK_DGRAM, 0), IPPROTO_IPV6, IPV6_V6ONLY, 1);
	v4.sin6_port = 0;
	EXPECT_ERR(sendto(s, "x", 1, 0, (void *)&v4, sizeof(v4)), ENETUNREACH);
}

TEST(nor_is_one_that_is_bound_to_any_address_of_IPv4_called_otherwise)
{
	struct sockaddr_in6 a = mapped(INADDR_ANY, 0), b = { 0 };
	socklen_t len = sizeof(b);
	int s = socket(AF_INET6, SOCK_DGRAM, 0);

	if (s < 0)
		SKIP("no IPv6");
	REQUIRE_OK(bind(s, (void *)&a, sizeof(a)));
	REQUIRE_OK(getsockname(s, (void *)&b, &len));
	EXPECT(memcmp(&a.sin6_addr, &b.sin6_addr, 16) == 0);
}

TEST(a_listener_keeps_the_error_of_a_connection_that_it_tried_before)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), closed = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), err = 0;

	REQUIRE_OK(bind(s, (void *)&a, sizeof(a)));     /* a port on which nobody listens */
	REQUIRE_OK(getsockname(s, (void *)&a, &len));
	EXPECT_ERR(connect(closed, (void *)&a, sizeof(a)), EINPROGRESS);
	wait_for(closed, POLLERR);
	a.sin_family = AF_UNSPEC;
	REQUIRE_OK(connect(closed, (void *)&a, sizeof(a)));
	REQUIRE_OK(listen(closed, 1));
	EXPECT_ERR(accept(closed, NULL, NULL), EAGAIN);
	len = sizeof(err);
	REQUIRE_OK(getsockopt(closed, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_EQ(err, ECONNREFUSED);
}

TEST(a_datagram_socket_gets_a_port_even_if_the_name_to_connect_to_is_too_short)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	EXPECT_ERR(connect(s, (void *)&a, 15), EINVAL);
	REQUIRE_OK(getsockname(s, (void *)&a, &len));
	EXPECT(a.sin_port != 0);
}

TEST_MAIN()
