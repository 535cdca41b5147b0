/* AF_UNIX sockets: streams, datagrams, packets, names, descriptors and credentials in flight. */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include "tests/lib/harness.h"

static struct sockaddr_un named(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, path);
	return a;
}

static int listener(int type, const char *path)
{
	struct sockaddr_un a = named(path);
	int s = socket(AF_UNIX, type, 0);

	REQUIRE(s >= 0);
	REQUIRE_OK(bind(s, (void *)&a, sizeof(a)));
	REQUIRE_OK(listen(s, 5));
	return s;
}

static int client(int type, const char *path)
{
	struct sockaddr_un a = named(path);
	int s = socket(AF_UNIX, type, 0);

	REQUIRE(s >= 0);
	REQUIRE_OK(connect(s, (void *)&a, sizeof(a)));
	return s;
}

static ssize_t send_fd(int s, int fd, const char *text)
{
	struct iovec iov = { (void *)text, strlen(text) };
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(s, &m, 0);
}

static int recv_fd(int s, char *text, size_t cap, int flags, int *ret_flags)
{
	struct iovec iov = { text, cap };
	union { char buf[CMSG_SPACE(sizeof(int) * 4)]; struct cmsghdr align; } u = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *c;
	ssize_t n = recvmsg(s, &m, flags);
	int fd = -1;

	REQUIRE(n >= 0);
	text[n] = 0;
	*ret_flags = m.msg_flags;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

TEST(a_pair_talks_both_ways)
{
	char buf[16];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_EQ(write(s[0], "hello", 5), 5);
	EXPECT_EQ(send(s[0], "world", 5, 0), 5);
	EXPECT_EQ(recv(s[1], buf, 3, MSG_PEEK), 3);
	EXPECT_EQ(recv(s[1], buf, sizeof(buf), 0), 10);
	EXPECT(!memcmp(buf, "helloworld", 10));
	EXPECT_ERR(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(write(s[1], "x", 1), 1);
	EXPECT_EQ(read(s[0], buf, 1), 1);
	close(s[0]);
	EXPECT_EQ(read(s[1], buf, 1), 0);
	EXPECT_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void write_to_closed(void)
{
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	close(s[0]);
	(void)!write(s[1], "x", 1);
}

TEST(writing_to_a_closed_peer_is_sigpipe)
{
	EXPECT_EQ(in_child(write_to_closed), 128 + SIGPIPE);
}

TEST(unread_data_at_close_resets_the_peer)
{
	char c;
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_EQ(write(s[0], "x", 1), 1);
	close(s[1]);
	EXPECT_ERR(read(s[0], &c, 1), ECONNRESET);
	EXPECT_EQ(read(s[0], &c, 1), 0);
}

TEST(streams_connect_by_name)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	int l = listener(SOCK_STREAM, "sock"), c = client(SOCK_STREAM, "sock"), s;
	struct stat st;
	char buf[8];

	REQUIRE_OK(stat("sock", &st));
	EXPECT(S_ISSOCK(st.st_mode));
	EXPECT_EQ(write(c, "early", 5), 5);
	s = accept4(l, (void *)&a, &len, SOCK_CLOEXEC);
	REQUIRE(s >= 0);
	EXPECT_EQ(len, 2);
	EXPECT_EQ(a.sun_family, AF_UNIX);
	EXPECT_EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(read(s, buf, sizeof(buf)), 5);
	len = sizeof(a);
	REQUIRE_OK(getpeername(c, (void *)&a, &len));
	EXPECT_STR(a.sun_path, "sock");
	EXPECT_EQ(len, 2 + 4 + 1);
	len = sizeof(a);
	REQUIRE_OK(getsockname(s, (void *)&a, &len));
	EXPECT_STR(a.sun_path, "sock");
	EXPECT_ERR(connect(c, (void *)&a, sizeof(a)), EISCONN);
	close(l);
	EXPECT_ERR(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, len), ECONNREFUSED);
	EXPECT_ERR(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, len), EADDRINUSE);
	unlink("sock");
	EXPECT_ERR(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, len), ENOENT);
}

TEST(abstract_names_vanish_with_their_socket)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = 2 + 12;
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path + 1, 20, "csb-%08d", getpid());
	REQUIRE_OK(bind(l, (void *)&a, len));
	EXPECT_ERR(bind(c, (void *)&a, len), EADDRINUSE);
	EXPECT_ERR(connect(c, (void *)&a, len), ECONNREFUSED);
	REQUIRE_OK(listen(l, 1));
	EXPECT_OK(connect(c, (void *)&a, len));
	close(l);
	EXPECT_ERR(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, len), ECONNREFUSED);
}

TEST(autobind_makes_an_abstract_name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	REQUIRE_OK(bind(s, (void *)&a, 2));
	REQUIRE_OK(getsockname(s, (void *)&a, &len));
	EXPECT_EQ(len, 2 + 6);
	EXPECT_EQ(a.sun_path[0], 0);
}

static void *connect_late(void *arg)
{
	sleep_ms(50);
	*(int *)arg = client(SOCK_STREAM, "sock");
	return NULL;
}

TEST(accept_waits_and_honours_its_timeout)
{
	struct timeval tv = { .tv_usec = 20000 };
	int l = listener(SOCK_STREAM, "sock"), c = -1;
	pthread_t th;

	REQUIRE(pthread_create(&th, NULL, connect_late, &c) == 0);
	EXPECT_OK(accept(l, NULL, NULL));
	pthread_join(th, NULL);
	EXPECT(c >= 0);
	EXPECT_OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	EXPECT_ERR(accept(l, NULL, NULL), EAGAIN);
	EXPECT_OK(fcntl(l, F_SETFL, O_NONBLOCK));
	EXPECT_ERR(accept(l, NULL, NULL), EAGAIN);
}

TEST(a_full_backlog_refuses_nonblocking_clients)
{
	struct sockaddr_un a = named("sock");
	int l = socket(AF_UNIX, SOCK_STREAM, 0), n = 0;

	REQUIRE_OK(bind(l, (void *)&a, sizeof(a)));
	REQUIRE_OK(listen(l, 2));
	for (;; n++) {
		int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (connect(c, (void *)&a, sizeof(a)) < 0)
			break;
	}
	EXPECT_EQ(errno, EAGAIN);
	EXPECT_EQ(n, 3);
}

TEST(shutdown_closes_one_direction)
{
	struct pollfd p;
	char c;
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_OK(shutdown(s[0], SHUT_WR));
	EXPECT_EQ(read(s[1], &c, 1), 0);
	EXPECT_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_EQ(write(s[1], "y", 1), 1);
	EXPECT_EQ(read(s[0], &c, 1), 1);
	p = (struct pollfd){ .fd = s[1], .events = POLLIN | POLLOUT | POLLRDHUP };
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN | POLLOUT | POLLRDHUP);
	EXPECT_OK(shutdown(s[1], SHUT_WR));
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	EXPECT_ERR(shutdown(s[0], 7), EINVAL);
}

TEST(datagrams_keep_their_borders_and_names)
{
	struct sockaddr_un a = named("a"), b = named("b"), from;
	socklen_t len = sizeof(from);
	int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buf[16];

	REQUIRE_OK(bind(x, (void *)&a, sizeof(a)));
	REQUIRE_OK(bind(y, (void *)&b, sizeof(b)));
	EXPECT_EQ(sendto(x, "one", 3, 0, (void *)&b, sizeof(b)), 3);
	EXPECT_EQ(sendto(x, "second", 6, 0, (void *)&b, sizeof(b)), 6);
	EXPECT_EQ(sendto(x, "", 0, 0, (void *)&b, sizeof(b)), 0);
	EXPECT_EQ(recvfrom(y, buf, sizeof(buf), 0, (void *)&from, &len), 3);
	EXPECT_STR(from.sun_path, "a");
	EXPECT_EQ(recv(y, buf, 2, MSG_TRUNC), 6);
	EXPECT_EQ(recv(y, buf, sizeof(buf), 0), 0);
	EXPECT_ERR(send(x, "x", 1, 0), ENOTCONN);
	EXPECT_OK(connect(x, (void *)&b, sizeof(b)));
	EXPECT_EQ(send(x, "x", 1, 0), 1);
	close(y);
	EXPECT_ERR(send(x, "x", 1, 0), ECONNREFUSED);
	EXPECT_ERR(sendto(x, "x", 1, 0, (void *)&b, sizeof(b)), ECONNREFUSED);
}

TEST(a_receiver_queues_eleven_datagrams_of_strangers)
{
	struct sockaddr_un a = named("a");
	struct pollfd p;
	int x = socket(AF_UNIX, SOCK_DGRAM, 0), y = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), n = 0;
	char c;

	REQUIRE_OK(bind(x, (void *)&a, sizeof(a)));
	REQUIRE_OK(connect(y, (void *)&a, sizeof(a)));
	while (send(y, "x", 1, 0) == 1)
		n++;
	EXPECT_EQ(errno, EAGAIN);
	EXPECT_EQ(n, 11);
	p = (struct pollfd){ .fd = y, .events = POLLOUT };
	EXPECT_EQ(poll(&p, 1, 0), 0);
	EXPECT_EQ(read(x, &c, 1), 1);
	EXPECT_EQ(poll(&p, 1, -1), 1);
	EXPECT_EQ(send(y, "x", 1, 0), 1);
}

TEST(seqpackets_are_connected_messages)
{
	char buf[8];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	EXPECT_EQ(write(s[0], "abc", 3), 3);
	EXPECT_EQ(write(s[0], "de", 2), 2);
	EXPECT_EQ(read(s[1], buf, 2), 2);
	EXPECT_EQ(read(s[1], buf, sizeof(buf)), 2);
	EXPECT(!memcmp(buf, "de", 2));
	close(s[0]);
	EXPECT_EQ(read(s[1], buf, sizeof(buf)), 0);
	EXPECT_ERR(listen(socket(AF_UNIX, SOCK_DGRAM, 0), 1), EOPNOTSUPP);
}

TEST(a_sender_waits_for_room)
{
	static char big[1 << 20], got[1 << 20];
	size_t n = 0;
	int s[2];

	memset(big, 'q', sizeof(big));
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	if (fork() == 0) {
		EXPECT_EQ(write(s[0], big, sizeof(big)), sizeof(big));
		_exit(test_failures);
	}
	close(s[0]);
	for (;;) {
		ssize_t r = read(s[1], got + n, sizeof(got) - n < 70000 ? sizeof(got) - n : 70000);

		if (r <= 0)
			break;
		n += (size_t)r;
	}
	EXPECT_EQ(n, sizeof(big));
	EXPECT(!memcmp(big, got, n));
	wait(NULL);
}

TEST(waitall_collects)
{
	char buf[10];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	if (fork() == 0) {
		for (int i = 0; i < 10; i++) {
			sleep_ms(2);
			(void)!write(s[0], "x", 1);
		}
		_exit(0);
	}
	EXPECT_EQ(recv(s[1], buf, 10, MSG_WAITALL), 10);
	wait(NULL);
}

TEST(descriptors_travel)
{
	char text[16];
	int s[2], p[2], fd, flags;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(write(s[0], "before", 6), 6);
	EXPECT_EQ(send_fd(s[0], p[1], "fd"), 2);
	EXPECT_EQ(write(s[0], "after", 5), 5);
	close(p[1]);
	fd = recv_fd(s[1], text, 15, MSG_CMSG_CLOEXEC, &flags);
	EXPECT(fd >= 0);
	EXPECT_STR(text, "beforefd");
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(write(fd, "ok", 2), 2);
	EXPECT_EQ(read(p[0], text, 15), 2);
	close(fd);
	EXPECT_EQ(read(p[0], text, 15), 0);
	EXPECT_EQ(recv_fd(s[1], text, 15, 0, &flags), -1);
	EXPECT_STR(text, "after");
}

TEST(descriptors_without_room_are_dropped)
{
	char text[16];
	int s[2], p[2];
	struct iovec iov = { text, 15 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(send_fd(s[0], p[1], "fd"), 2);
	close(p[1]);
	EXPECT_EQ(recvmsg(s[1], &m, 0), 2);
	EXPECT_EQ(m.msg_flags, MSG_CTRUNC);
	EXPECT_EQ(read(p[0], text, 1), 0);
	EXPECT_ERR(send_fd(s[0], BAD_FD, "x"), EBADF);
}

TEST(closing_a_socket_closes_what_is_in_flight)
{
	char c;
	int s[2], p[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(send_fd(s[0], p[1], "fd"), 2);
	close(p[1]);
	close(s[1]);
	close(s[0]);
	EXPECT_EQ(read(p[0], &c, 1), 0);
}

TEST(a_cycle_of_sockets_in_flight_is_collected)
{
	char c;
	int a[2], p[2], x[2];

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
	EXPECT_EQ(send_fd(a[0], p[1], "p"), 1);
	EXPECT_EQ(send_fd(a[0], a[0], "0"), 1);
	EXPECT_EQ(send_fd(a[0], a[1], "1"), 1);
	close(p[1]);
	close(a[0]);
	close(a[1]);
	/* Linux collects when the next socket is closed. */
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, x));
	close(x[0]);
	close(x[1]);
	EXPECT_EQ(read(p[0], &c, 1), 0);
}

TEST(long_chains_in_flight_end_without_recursion)
{
	int prev = -1, s[2];

	for (int i = 0; i < 400; i++) {
		REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
		if (prev >= 0) {
			if (send_fd(s[0], prev, "x") != 1)
				break;
			close(prev);
		}
		close(s[0]);
		prev = s[1];
	}
	EXPECT_OK(close(prev));
}

TEST(credentials_are_told)
{
	union { char buf[256]; struct cmsghdr align; } u = { 0 };
	struct ucred uc;
	socklen_t len = sizeof(uc);
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	struct cmsghdr *cm;
	int s[2], one = 1;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &uc, &len));
	EXPECT_EQ(uc.pid, getpid());
	EXPECT_EQ(uc.uid, getuid());
	EXPECT_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	EXPECT_EQ(write(s[0], "x", 1), 1);
	EXPECT_EQ(recvmsg(s[1], &m, 0), 1);
	cm = CMSG_FIRSTHDR(&m);
	REQUIRE(cm != NULL);
	EXPECT_EQ(cm->cmsg_type, SCM_CREDENTIALS);
	memcpy(&uc, CMSG_DATA(cm), sizeof(uc));
	EXPECT_EQ(uc.pid, getpid());
	EXPECT_EQ(uc.gid, getgid());
}

TEST(options_have_values)
{
	int v, s = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = sizeof(v);

	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len));
	EXPECT_EQ(v, SOCK_STREAM);
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &v, &len));
	EXPECT_EQ(v, AF_UNIX);
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, &v, &len));
	EXPECT_EQ(v, 0);
	v = 20000;
	EXPECT_OK(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, len));
	EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_SNDBUF, &v, &len));
	EXPECT_EQ(v, 40000);
	EXPECT_ERR(getsockopt(s, SOL_SOCKET, 12345, &v, &len), ENOPROTOOPT);
	EXPECT_ERR(getsockopt(s, IPPROTO_TCP, 1, &v, &len), EOPNOTSUPP);
	EXPECT_ERR(getsockopt(0, SOL_SOCKET, SO_TYPE, &v, &len), ENOTSOCK);
	EXPECT_ERR(socket(AF_UNIX, 9, 0), ESOCKTNOSUPPORT);
	EXPECT_ERR(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
	EXPECT_ERR(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
}

TEST(fionread_and_poll_see_data)
{
	struct pollfd p;
	int n, s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	p = (struct pollfd){ .fd = s[1], .events = POLLIN | POLLOUT };
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT);
	EXPECT_EQ(write(s[0], "abcd", 4), 4);
	EXPECT_OK(ioctl(s[1], FIONREAD, &n));
	EXPECT_EQ(n, 4);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN | POLLOUT);
	p = (struct pollfd){ .fd = socket(AF_UNIX, SOCK_STREAM, 0), .events = POLLIN | POLLOUT };
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT | POLLHUP);
}

TEST(an_epoll_tells_of_new_connections)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int l = listener(SOCK_STREAM, "sock"), e = epoll_create1(0);

	REQUIRE_OK(epoll_ctl(e, EPOLL_CTL_ADD, l, &ev));
	EXPECT_EQ(epoll_wait(e, &ev, 1, 0), 0);
	client(SOCK_STREAM, "sock");
	EXPECT_EQ(epoll_wait(e, &ev, 1, -1), 1);
	EXPECT_EQ(epoll_wait(e, &ev, 1, 0), 0);
	client(SOCK_STREAM, "sock");
	EXPECT_EQ(epoll_wait(e, &ev, 1, -1), 1);
}

TEST(many_messages_in_one_call)
{
	struct mmsghdr m[4] = { 0 };
	struct iovec iov[4];
	char buf[4][8];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ "abcdefg", (size_t)i + 1 };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	EXPECT_EQ(sendmmsg(s[0], m, 4, 0), 4);
	for (int i = 0; i < 4; i++)
		iov[i] = (struct iovec){ buf[i], 8 };
	EXPECT_EQ(recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL), 4);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(m[i].msg_len, i + 1);
	EXPECT_ERR(recvmmsg(s[1], m, 4, MSG_DONTWAIT, NULL), EAGAIN);
}

static void quit(int sig)
{
	(void)sig;
}

TEST(a_signal_ends_a_timed_receive)
{
	struct sigaction sa = { .sa_handler = quit, .sa_flags = SA_RESTART };
	struct timeval tv = { .tv_sec = 50 };
	pid_t me = getpid();
	char c;
	int s[2];

	sigaction(SIGUSR1, &sa, NULL);
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	REQUIRE_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	if (fork() == 0) {
		wait_until_asleep(me);
		kill(me, SIGUSR1);
		_exit(0);
	}
	EXPECT_ERR(recv(s[0], &c, 1, 0), EINTR);
	wait(NULL);
}

TEST(bad_buffers_lose_nothing)
{
	char buf[8];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_ERR(send(s[0], BAD_PTR, 4, 0), EFAULT);
	EXPECT_EQ(write(s[0], "abcd", 4), 4);
	EXPECT_ERR(recv(s[1], BAD_PTR, 4, 0), EFAULT);
	EXPECT_EQ(recv(s[1], buf, 8, 0), 4);
	EXPECT_ERR(sendmsg(s[0], BAD_PTR, 0), EFAULT);
	EXPECT_ERR(connect(s[0], BAD_PTR, 16), EFAULT);
}

TEST_MAIN()
