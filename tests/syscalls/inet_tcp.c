/*
 * inet_tcp.c - TCP sockets from birth to death, over loopback: which call gives which errno.
 */
#include "tests/lib/inet.h"

TEST(socket_refuses_what_does_not_exist)
{
	EXPECT_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	EXPECT_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
	EXPECT_ERR(socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	EXPECT_ERR(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	EXPECT_ERR(socket(AF_INET6, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	EXPECT_ERR(socket(AF_INET, 0, 0), ESOCKTNOSUPPORT);
	EXPECT_ERR(socket(AF_INET, 11, 0), EINVAL);
	EXPECT_ERR(socket(AF_INET, SOCK_STREAM | 0x100, 0), EINVAL);
	EXPECT_ERR(socket(AF_INET, SOCK_STREAM, 4000), EINVAL);
	EXPECT_ERR(socket(AF_INET, SOCK_STREAM, -1), EINVAL);
	EXPECT_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	EXPECT_ERR(socket(AF_INET6, SOCK_RAW, 0), EPROTONOSUPPORT);
	EXPECT_ERR(socket(250, SOCK_STREAM, 0), EAFNOSUPPORT);
	EXPECT_ERR(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
	EXPECT_ERR(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }), EOPNOTSUPP);
}

BOTH(socket_flags_are_seen)
{
	int fd = socket(af, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	REQUIRE(fd >= 0);
	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_DOMAIN), af);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
}

BOTH(bind_errors)
{
	struct name n = lo_name(af, 0), far = lo_name(af, 0);
	int fd = socket(af, SOCK_STREAM, 0), other, file = open("/", O_RDONLY);

	EXPECT_ERR(bind(fd, &n.sa, n.len == 16 ? 15 : 23), EINVAL);
	EXPECT_ERR(bind(fd, &n.sa, 1), EINVAL);
	EXPECT_ERR(bind(fd, &n.sa, 0), EINVAL);
	EXPECT_ERR(bind(fd, &n.sa, (socklen_t)-1), EINVAL);
	EXPECT_ERR(bind(fd, &n.sa, 4096), EINVAL);
	EXPECT_ERR(bind(fd, BAD_PTR, n.len), EFAULT);
	EXPECT_ERR(bind(BAD_FD, &n.sa, n.len), EBADF);
	EXPECT_ERR(bind(file, &n.sa, n.len), ENOTSOCK);
	n.sa.sa_family = AF_UNIX;
	EXPECT_ERR(bind(fd, &n.sa, n.len), EAFNOSUPPORT);
	n.sa.sa_family = (sa_family_t)af;
	if (af == AF_INET)
		far.in.sin_addr.s_addr = htonl(0xc0000201);
	else
		inet_pton(AF_INET6, "2001:db8::1", &far.in6.sin6_addr);
	EXPECT_ERR(bind(fd, &far.sa, far.len), EADDRNOTAVAIL);
	EXPECT_OK(bind(fd, &n.sa, n.len));
	EXPECT(own_port(fd) != 0);
	EXPECT_ERR(bind(fd, &n.sa, n.len), EINVAL);
	other = socket(af, SOCK_STREAM, 0);
	n = own_name(fd);
	EXPECT_ERR(bind(other, &n.sa, n.len), EADDRINUSE);
	n = any_name(af, own_port(fd));
	EXPECT_ERR(bind(other, &n.sa, n.len), EADDRINUSE);
}

TEST(bind_takes_unspec_for_any_in_ipv4)
{
	struct name n = any_name(AF_INET, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0);

	n.sa.sa_family = AF_UNSPEC;
	EXPECT_OK(bind(fd, &n.sa, n.len));
	EXPECT_EQ(own_name(fd).sa.sa_family, AF_INET);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	n.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	EXPECT_ERR(bind(fd, &n.sa, n.len), EAFNOSUPPORT);
	n = lo_name(AF_INET, 0);
	EXPECT_ERR(bind(six, &n.sa, n.len), EINVAL);
	EXPECT_ERR(bind(six, &n.sa, sizeof(n.in6)), EAFNOSUPPORT);
}

static void bind_low(void)
{
	struct name n = lo_name(AF_INET, 77);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (setuid(1000) < 0)
		_exit(9);
	EXPECT_ERR(bind(fd, &n.sa, n.len), EACCES);
	n = lo_name(AF_INET, 0);
	EXPECT_OK(bind(fd, &n.sa, n.len));
}

TEST(low_ports_need_a_capability)
{
	if (atoi(get_file("/proc/sys/net/ipv4/ip_unprivileged_port_start")) <= 77)
		SKIP("low ports are free here");
	EXPECT_EQ(in_child(bind_low), 0);
}

TEST(ipv6_link_local_needs_a_scope)
{
	struct name n = any_name(AF_INET6, 0);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	inet_pton(AF_INET6, "fe80::1", &n.in6.sin6_addr);
	EXPECT_ERR(bind(fd, &n.sa, n.len), EINVAL);
	EXPECT_ERR(connect(fd, &n.sa, n.len), EINVAL);
	n.in6.sin6_scope_id = 77777;
	EXPECT_ERR(bind(fd, &n.sa, n.len), ENODEV);
}

TEST(dual_stack_takes_both_families)
{
	struct name n = any_name(AF_INET6, 0), peer = { .len = sizeof(peer.ss) };
	int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), a, other;

	EXPECT_OK(set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 0));
	REQUIRE_OK(bind(l, &n.sa, n.len));
	EXPECT_ERR(set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL);
	REQUIRE_OK(listen(l, 2));
	other = socket(AF_INET, SOCK_STREAM, 0);
	n = any_name(AF_INET, own_port(l));
	EXPECT_ERR(bind(other, &n.sa, n.len), EADDRINUSE);
	n = lo_name(AF_INET, own_port(l));
	REQUIRE_OK(connect(c, &n.sa, n.len));
	a = accept(l, &peer.sa, &peer.len);
	REQUIRE(a >= 0);
	EXPECT_EQ(peer.len, sizeof(peer.in6));
	EXPECT_EQ(peer.sa.sa_family, AF_INET6);
	EXPECT(IN6_IS_ADDR_V4MAPPED(&peer.in6.sin6_addr));
	EXPECT_EQ(peer.in6.sin6_port, own_name(c).in.sin_port);
	n = own_name(a);
	EXPECT(IN6_IS_ADDR_V4MAPPED(&n.in6.sin6_addr));
}

TEST(v6only_leaves_the_ipv4_port_free)
{
	struct name n = any_name(AF_INET6, 0);
	int l = socket(AF_INET6, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT_OK(set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	REQUIRE_OK(bind(l, &n.sa, n.len));
	REQUIRE_OK(listen(l, 2));
	n = any_name(AF_INET, own_port(l));
	EXPECT_OK(bind(other, &n.sa, n.len));
	EXPECT_OK(listen(other, 2));
}

BOTH(connect_errors)
{
	struct name n = dead_name(af, SOCK_STREAM), bad = n;
	int fd = socket(af, SOCK_STREAM, 0);

	EXPECT_ERR(connect(fd, &n.sa, n.len == 16 ? 15 : 23), EINVAL);
	EXPECT_ERR(connect(fd, &n.sa, 1), EINVAL);
	EXPECT_ERR(connect(fd, BAD_PTR, n.len), EFAULT);
	bad.sa.sa_family = AF_UNIX;
	EXPECT_ERR(connect(fd, &bad.sa, bad.len), EAFNOSUPPORT);
	EXPECT_ERR(connect(fd, &n.sa, n.len), ECONNREFUSED);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), 0);
	EXPECT_ERR(connect(fd, &n.sa, n.len), ECONNREFUSED);
	bad = own_name(fd);
	EXPECT_ERR(getpeername(fd, &bad.sa, &bad.len), ENOTCONN);
	EXPECT_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_ERR(shutdown(fd, SHUT_WR), ENOTCONN);
}

TEST(connect_to_broadcast_and_multicast_is_refused)
{
	struct name n = lo_name(AF_INET, 9);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	n.in.sin_addr.s_addr = htonl(INADDR_BROADCAST);
	EXPECT_ERR(connect(fd, &n.sa, n.len), ENETUNREACH);
	n.in.sin_addr.s_addr = htonl(0xe0000001);
	EXPECT_ERR(connect(fd, &n.sa, n.len), ENETUNREACH);
}

TEST(connect_to_any_is_loopback)
{
	for (int i = 0; i < 2; i++) {
		int af = i ? AF_INET6 : AF_INET, l = lo_listener(af, 2), c = socket(af, SOCK_STREAM, 0);
		struct name n = any_name(af, own_port(l)), p = { .len = sizeof(p.ss) };

		EXPECT_OK(connect(c, &n.sa, n.len));
		EXPECT_OK(getpeername(c, &p.sa, &p.len));
		n = own_name(l);
		EXPECT_EQ(memcmp(&n.ss, &p.ss, n.len), 0);
	}
}

BOTH(connect_twice)
{
	int l = lo_listener(af, 4), fd = socket(af, SOCK_STREAM, 0);
	struct name n = own_name(l);

	EXPECT_OK(connect(fd, &n.sa, n.len));
	EXPECT_ERR(connect(fd, &n.sa, n.len), EISCONN);
	EXPECT_ERR(listen(fd, 4), EINVAL);
	EXPECT_ERR(connect(l, &n.sa, n.len), EISCONN);
	EXPECT_ERR(accept(fd, NULL, NULL), EINVAL);
}

BOTH(connect_unspec_disconnects)
{
	int l = lo_listener(af, 4), fd = socket(af, SOCK_STREAM, 0), a;
	struct name n = own_name(l), none = any_name(af, 0), p = { .len = sizeof(p.ss) };
	char c;

	none.sa.sa_family = AF_UNSPEC;
	EXPECT_OK(connect(fd, &n.sa, n.len));
	a = accept(l, NULL, NULL);
	EXPECT_OK(connect(fd, &none.sa, none.len));
	EXPECT_ERR(getpeername(fd, &p.sa, &p.len), ENOTCONN);
	EXPECT_ERR(recv(a, &c, 1, 0), ECONNRESET);
	EXPECT_OK(connect(fd, &n.sa, n.len));
	EXPECT(accept(l, NULL, NULL) >= 0);
}

BOTH(nonblocking_connect_is_in_progress_and_then_done)
{
	int l = lo_listener(af, 4), fd = socket(af, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct name n = own_name(l);

	EXPECT_ERR(connect(fd, &n.sa, n.len), EINPROGRESS);
	EXPECT_EQ(poll_for(fd, POLLOUT), POLLOUT);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), 0);
	EXPECT_OK(connect(fd, &n.sa, n.len));
	EXPECT_ERR(connect(fd, &n.sa, n.len), EISCONN);
}

BOTH(nonblocking_connect_is_in_progress_and_then_refused)
{
	int fd = socket(af, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct name n = dead_name(af, SOCK_STREAM);

	EXPECT_ERR(connect(fd, &n.sa, n.len), EINPROGRESS);
	EXPECT_EQ(poll_for(fd, POLLOUT), POLLOUT | POLLERR | POLLHUP);
	EXPECT_EQ(poll_now(fd), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), 0);
	EXPECT_ERR(connect(fd, &n.sa, n.len), ECONNABORTED);
	EXPECT_ERR(connect(fd, &n.sa, n.len), EINPROGRESS);
	EXPECT_EQ(poll_for(fd, POLLOUT), POLLOUT | POLLERR | POLLHUP);
	EXPECT_ERR(connect(fd, &n.sa, n.len), ECONNREFUSED);
}

BOTH(connect_to_itself_is_a_simultaneous_open)
{
	int fd = lo_socket(af, SOCK_STREAM);
	struct name n = own_name(fd);
	char b[4] = "";

	EXPECT_OK(connect(fd, &n.sa, n.len));
	EXPECT_EQ(send(fd, "me", 2, 0), 2);
	EXPECT_EQ(recv(fd, b, 4, 0), 2);
	EXPECT_STR(b, "me");
}

BOTH(listen_and_accept_errors)
{
	int fd = socket(af, SOCK_STREAM, 0), u = socket(af, SOCK_DGRAM, 0);
	struct name n = { .len = sizeof(n.ss) };
	socklen_t neg = (socklen_t)-1;
	int l = lo_listener(af, 3), c = socket(af, SOCK_STREAM, 0);

	EXPECT_ERR(accept(fd, NULL, NULL), EINVAL);
	EXPECT_ERR(accept(u, NULL, NULL), EOPNOTSUPP);
	EXPECT_ERR(listen(u, 1), EOPNOTSUPP);
	EXPECT_ERR(accept4(l, NULL, NULL, 0x10), EINVAL);
	EXPECT_OK(listen(fd, -1));
	EXPECT(own_port(fd) != 0);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	EXPECT_OK(listen(fd, 5));
	EXPECT_ERR(getpeername(fd, &n.sa, &n.len), ENOTCONN);
	EXPECT_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_ERR(recv(fd, &neg, 1, 0), ENOTCONN);
	fcntl(l, F_SETFL, O_NONBLOCK);
	EXPECT_ERR(accept(l, NULL, NULL), EAGAIN);
	n = own_name(l);
	EXPECT_OK(connect(c, &n.sa, n.len));
	EXPECT_EQ(poll_for(l, POLLIN), POLLIN);
	EXPECT_ERR(accept(l, &n.sa, &neg), EINVAL);
}

BOTH(accept_tells_the_peer)
{
	int l = lo_listener(af, 4), c = socket(af, SOCK_STREAM, 0), a;
	struct name n = own_name(l), p = { .len = sizeof(p.ss) }, q;

	fcntl(l, F_SETFL, O_NONBLOCK);
	EXPECT_OK(connect(c, &n.sa, n.len));
	EXPECT_EQ(poll_for(l, POLLIN), POLLIN);
	a = accept4(l, &p.sa, &p.len, SOCK_CLOEXEC);
	REQUIRE(a >= 0);
	q = own_name(c);
	EXPECT_EQ(p.len, q.len);
	EXPECT_EQ(memcmp(&p.ss, &q.ss, q.len), 0);
	q = own_name(a);
	EXPECT_EQ(memcmp(&n.ss, &q.ss, q.len), 0);
	EXPECT_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(a, F_GETFL) & O_NONBLOCK, 0);
	EXPECT_EQ(get_int(a, SOL_SOCKET, SO_ACCEPTCONN), 0);
	/* A short buffer gets the beginning, and the whole length. */
	p.len = 3;
	memset(&p.ss, 0x55, sizeof(p.ss));
	EXPECT_OK(getpeername(a, &p.sa, &p.len));
	EXPECT_EQ(p.len, q.len);
	EXPECT_EQ(((unsigned char *)&p.ss)[3], 0x55);
	EXPECT_ERR(getsockname(a, BAD_PTR, &p.len), EFAULT);
	EXPECT_ERR(getsockname(a, &p.sa, BAD_PTR), EFAULT);
}

BOTH(accept_gives_connections_that_closed_already)
{
	int l = lo_listener(af, 4), c = socket(af, SOCK_STREAM, 0), a;
	struct name n = own_name(l);
	char b[8];

	EXPECT_OK(connect(c, &n.sa, n.len));
	EXPECT_EQ(send(c, "bye", 3, 0), 3);
	close(c);
	a = accept(l, NULL, NULL);
	REQUIRE(a >= 0);
	EXPECT_EQ(recv(a, b, 8, 0), 3);
	EXPECT_EQ(recv(a, b, 8, 0), 0);
}

BOTH(half_close)
{
	int fd[2];
	char b[8];

	tcp_pair(af, fd);
	EXPECT_ERR(shutdown(fd[0], 3), EINVAL);
	EXPECT_ERR(shutdown(fd[0], -1), EINVAL);
	EXPECT_OK(shutdown(fd[0], SHUT_WR));
	EXPECT_ERR(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 0);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 0);
	EXPECT_EQ(poll_now(fd[1]), POLLIN | POLLOUT | POLLRDHUP);
	EXPECT_EQ(send(fd[1], "back", 4, 0), 4);
	EXPECT_EQ(recv(fd[0], b, 8, 0), 4);
	EXPECT_OK(shutdown(fd[0], SHUT_WR));
	EXPECT_OK(shutdown(fd[1], SHUT_WR));
	EXPECT_EQ(poll_for(fd[1], POLLHUP), POLLHUP);
	EXPECT_EQ(poll_now(fd[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	EXPECT_ERR(send(fd[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

BOTH(shutdown_of_reading)
{
	int fd[2];
	char b[8];

	tcp_pair(af, fd);
	EXPECT_EQ(send(fd[1], "abc", 3, 0), 3);
	EXPECT_EQ(poll_for(fd[0], POLLIN), POLLIN);
	EXPECT_OK(shutdown(fd[0], SHUT_RD));
	EXPECT_EQ(poll_now(fd[0]), POLLIN | POLLOUT | POLLRDHUP);
	EXPECT_EQ(recv(fd[0], b, 8, 0), 3);
	EXPECT_EQ(recv(fd[0], b, 8, 0), 0);
	/* What comes later is taken all the same. */
	EXPECT_EQ(send(fd[1], "de", 2, 0), 2);
	EXPECT_EQ(recv(fd[0], b, 8, MSG_WAITALL), 2);
	EXPECT_EQ(recv(fd[0], b, 8, 0), 0);
	EXPECT_EQ(send(fd[0], "still", 5, 0), 5);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 5);
}

BOTH(shutdown_wakes_accept)
{
	int l = lo_listener(af, 4), status;
	pid_t pid = fork();

	if (pid == 0) {
		EXPECT_ERR(accept(l, NULL, NULL), EINVAL);
		_exit(test_failures != 0);
	}
	wait_until_asleep(pid);
	EXPECT_OK(shutdown(l, SHUT_RD));
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

BOTH(close_with_unread_data_resets)
{
	int fd[2];
	char c;

	tcp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "abc", 3, 0), 3);
	EXPECT_EQ(poll_for(fd[1], POLLIN), POLLIN);
	close(fd[1]);
	EXPECT_EQ(poll_for(fd[0], POLLIN) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
	EXPECT_ERR(recv(fd[0], &c, 1, 0), ECONNRESET);
	EXPECT_EQ(recv(fd[0], &c, 1, 0), 0);
	EXPECT_ERR(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

BOTH(linger_of_zero_resets)
{
	struct linger lg = { 1, 0 };
	int fd[2];
	char c;

	tcp_pair(af, fd);
	EXPECT_OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)));
	close(fd[0]);
	EXPECT_EQ(poll_for(fd[1], POLLIN), POLLIN | POLLERR | POLLHUP);
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, SO_ERROR), ECONNRESET);
	EXPECT_EQ(recv(fd[1], &c, 1, 0), 0);
}

BOTH(what_came_before_a_reset_can_be_read)
{
	struct linger lg = { 1, 0 };
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char b[8];
	int fd[2];

	tcp_pair(af, fd);
	EXPECT_OK(getpeername(fd[1], (struct sockaddr *)&sa, &len));
	EXPECT_EQ(send(fd[0], "data", 4, 0), 4);
	EXPECT_OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)));
	close(fd[0]);
	EXPECT(poll_for(fd[1], POLLHUP) & POLLHUP);
	len = sizeof(sa);
	EXPECT_ERR(getpeername(fd[1], (struct sockaddr *)&sa, &len), ENOTCONN);
	EXPECT_OK(getsockname(fd[1], (struct sockaddr *)&sa, &len));
	EXPECT_EQ(recv(fd[1], b, 1, MSG_DONTWAIT), 1);
	EXPECT_EQ(recv(fd[1], b, sizeof(b), 0), 3);
	EXPECT_ERR(recv(fd[1], b, sizeof(b), 0), ECONNRESET);
	EXPECT_EQ(recv(fd[1], b, sizeof(b), 0), 0);
}

BOTH(a_connection_that_both_ended_has_no_peer)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd[2];
	char c;

	tcp_pair(af, fd);
	EXPECT_OK(shutdown(fd[0], SHUT_WR));
	EXPECT_EQ(recv(fd[1], &c, 1, 0), 0);
	EXPECT_OK(getpeername(fd[0], (struct sockaddr *)&sa, &len));
	EXPECT_OK(getpeername(fd[1], (struct sockaddr *)&sa, &len));
	EXPECT_OK(shutdown(fd[1], SHUT_WR));
	EXPECT_EQ(recv(fd[0], &c, 1, 0), 0);
	EXPECT_ERR(getpeername(fd[0], (struct sockaddr *)&sa, &len), ENOTCONN);
	EXPECT(poll_for(fd[1], POLLHUP) & POLLHUP);
	EXPECT_ERR(getpeername(fd[1], (struct sockaddr *)&sa, &len), ENOTCONN);
}

BOTH(linger_waits_for_the_peer_and_sends_all)
{
	struct linger lg = { 1, 10 };
	static char b[200000];
	ssize_t n, sum = 0;
	int fd[2], status;
	pid_t pid;

	tcp_pair(af, fd);
	pid = fork();
	if (pid == 0) {
		close(fd[1]);
		EXPECT_OK(setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)));
		EXPECT_EQ(send(fd[0], b, sizeof(b), 0), sizeof(b));
		close(fd[0]);
		_exit(test_failures != 0);
	}
	close(fd[0]);
	while ((n = recv(fd[1], b, sizeof(b), 0)) > 0)
		sum += n;
	EXPECT_EQ(sum, sizeof(b));
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

BOTH(reset_kills_pending_send)
{
	struct linger lg = { 1, 0 };
	static char b[1 << 20];
	int fd[2], status;
	pid_t pid;

	tcp_pair(af, fd);
	pid = fork();
	if (pid == 0) {
		ssize_t n;

		close(fd[1]);
		do
			n = send(fd[0], b, sizeof(b), MSG_NOSIGNAL);
		while (n > 0);
		EXPECT(errno == ECONNRESET || errno == EPIPE);
		_exit(test_failures != 0);
	}
	close(fd[0]);
	wait_until_asleep(pid);
	EXPECT_OK(setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &lg, sizeof(lg)));
	close(fd[1]);
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

static void on_pipe(int sig) { (void)sig; }

BOTH(sigpipe_comes_with_epipe)
{
	struct sigaction sa = { .sa_handler = on_pipe };
	sigset_t set, was;
	int fd[2];

	tcp_pair(af, fd);
	sigaction(SIGPIPE, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &was);
	EXPECT_OK(shutdown(fd[0], SHUT_WR));
	EXPECT_ERR(send(fd[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_OK(sigpending(&was));
	EXPECT_EQ(sigismember(&was, SIGPIPE), 0);
	EXPECT_ERR(write(fd[0], "x", 1), EPIPE);
	EXPECT_OK(sigpending(&was));
	EXPECT_EQ(sigismember(&was, SIGPIPE), 1);
}

BOTH(reuseaddr_rules)
{
	int a = socket(af, SOCK_STREAM, 0), b = socket(af, SOCK_STREAM, 0), c = socket(af, SOCK_STREAM, 0);
	struct name n = lo_name(af, 0);

	EXPECT_OK(set_int(a, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEADDR, 1));
	REQUIRE_OK(bind(a, &n.sa, n.len));
	n = own_name(a);
	EXPECT_OK(bind(b, &n.sa, n.len));
	EXPECT_ERR(bind(c, &n.sa, n.len), EADDRINUSE);
	EXPECT_OK(listen(a, 1));
	EXPECT_ERR(listen(b, 1), EADDRINUSE);
	EXPECT_OK(set_int(c, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_ERR(bind(c, &n.sa, n.len), EADDRINUSE);
}

BOTH(reuseport_rules)
{
	int a = socket(af, SOCK_STREAM, 0), b = socket(af, SOCK_STREAM, 0), c = socket(af, SOCK_STREAM, 0);
	struct name n = lo_name(af, 0);

	EXPECT_OK(set_int(a, SOL_SOCKET, SO_REUSEPORT, 1));
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEPORT, 1));
	REQUIRE_OK(bind(a, &n.sa, n.len));
	n = own_name(a);
	EXPECT_OK(listen(a, 1));
	EXPECT_OK(bind(b, &n.sa, n.len));
	EXPECT_OK(listen(b, 1));
	EXPECT_ERR(bind(c, &n.sa, n.len), EADDRINUSE);
	EXPECT_OK(set_int(c, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_ERR(bind(c, &n.sa, n.len), EADDRINUSE);
}

BOTH(time_wait_keeps_the_port)
{
	int l = lo_listener(af, 4), c = socket(af, SOCK_STREAM, 0), a, b = socket(af, SOCK_STREAM, 0);
	struct name n = own_name(l);
	char x;

	REQUIRE_OK(connect(c, &n.sa, n.len));
	a = accept(l, NULL, NULL);
	close(a);                       /* the listener's side closes first */
	EXPECT_EQ(recv(c, &x, 1, 0), 0);
	close(c);
	close(l);
	sleep_ms(50);
	EXPECT_ERR(bind(b, &n.sa, n.len), EADDRINUSE);
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_ERR(bind(b, &n.sa, n.len), EADDRINUSE);
	close(b);
	/* The old sockets must have had it as well. */
	l = socket(af, SOCK_STREAM, 0);
	n = lo_name(af, 0);
	EXPECT_OK(set_int(l, SOL_SOCKET, SO_REUSEADDR, 1));
	REQUIRE_OK(bind(l, &n.sa, n.len));
	REQUIRE_OK(listen(l, 4));
	n = own_name(l);
	c = socket(af, SOCK_STREAM, 0);
	REQUIRE_OK(connect(c, &n.sa, n.len));
	a = accept(l, NULL, NULL);
	close(a);
	EXPECT_EQ(recv(c, &x, 1, 0), 0);
	close(c);
	close(l);
	sleep_ms(50);
	b = socket(af, SOCK_STREAM, 0);
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEADDR, 1));
	EXPECT_OK(bind(b, &n.sa, n.len));
	EXPECT_OK(listen(b, 4));
}

BOTH(rcvtimeo_ends_recv_and_accept)
{
	struct timeval tv = { 0, 20000 }, got;
	socklen_t n = sizeof(got);
	int l = lo_listener(af, 4), fd[2];
	char c;

	tcp_pair(af, fd);
	EXPECT_OK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	EXPECT_OK(getsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &got, &n));
	EXPECT_EQ(got.tv_usec, 20000);
	EXPECT_ERR(recv(fd[0], &c, 1, 0), EAGAIN);
	EXPECT_OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	EXPECT_ERR(accept(l, NULL, NULL), EAGAIN);
	tv.tv_usec = 1000000;
	EXPECT_ERR(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
	EXPECT_ERR(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, 8), EINVAL);
}

BOTH(sndtimeo_ends_send)
{
	struct timeval tv = { 0, 50000 };
	static char b[1 << 20];
	ssize_t n;
	int fd[2];

	tcp_pair(af, fd);
	EXPECT_OK(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	do
		n = send(fd[0], b, sizeof(b), 0);
	while (n > 0);
	EXPECT_EQ(n, -1);
	EXPECT_EQ(errno, EAGAIN);
}

/* So who connects to a port that was bound a moment ago never meets itself there. */
BOTH(bound_ports_are_odd_and_connecting_ones_even)
{
	int l = lo_listener(af, 64);
	struct name n = own_name(l), own;

	for (int i = 0; i < 40; i++) {
		int fd = socket(af, SOCK_STREAM, 0);

		REQUIRE_OK(connect(fd, &n.sa, n.len));
		own = own_name(fd);
		EXPECT_EQ(ntohs(af == AF_INET ? own.in.sin_port : own.in6.sin6_port) & 1, 0);
		fd = lo_socket(af, SOCK_STREAM);
		own = own_name(fd);
		EXPECT_EQ(ntohs(af == AF_INET ? own.in.sin_port : own.in6.sin6_port) & 1, 1);
	}
}

TEST_MAIN()
