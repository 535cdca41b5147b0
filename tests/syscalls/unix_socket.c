/* AF_UNIX sockets: streams, datagrams, packets, descriptors, names. */
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "tests/lib/harness.h"

static struct sockaddr_un name(const char *path, socklen_t *len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path + (path[0] == '@'), path + (path[0] == '@'));
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@'));
	return a;
}

static int bound(int type, const char *path)
{
	socklen_t len;
	struct sockaddr_un a = name(path, &len);
	int s = socket(AF_UNIX, type, 0);

	REQUIRE_OK(s);
	REQUIRE_OK(bind(s, (struct sockaddr *)&a, len));
	return s;
}

static int connect_to(int s, const char *path)
{
	socklen_t len;
	struct sockaddr_un a = name(path, &len);

	return connect(s, (struct sockaddr *)&a, len);
}

TEST(stream_pairs_carry_bytes_both_ways)
{
	char buf[16] = "";
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_EQ(write(s[0], "abc", 3), 3);
	EXPECT_EQ(write(s[0], "def", 3), 3);
	EXPECT_EQ(read(s[1], buf, 4), 4);
	EXPECT_STR(buf, "abcd");
	EXPECT_EQ(send(s[1], "xyz", 3, 0), 3);
	EXPECT_EQ(recv(s[0], buf, 2, MSG_PEEK), 2);
	EXPECT_EQ(recv(s[0], buf, 16, 0), 3);
	EXPECT_EQ(recv(s[0], buf, 16, MSG_DONTWAIT) < 0 ? errno : 0, EAGAIN);
	EXPECT_EQ(recv(s[1], buf, 16, 0), 2);
	EXPECT_ERR(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
	EXPECT_ERR(socketpair(AF_UNIX, 7, 0, s), ESOCKTNOSUPPORT);
	EXPECT_ERR(socketpair(AF_UNIX, SOCK_STREAM, 99, s), EPROTONOSUPPORT);
	EXPECT_ERR(socket(999, SOCK_STREAM, 0), EAFNOSUPPORT);
	EXPECT_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD_PTR), EFAULT);
}

TEST(closing_and_shutdown_are_seen_by_the_peer)
{
	struct pollfd f = { .events = POLLIN | POLLOUT };
	char c;
	int s[2];

	signal(SIGPIPE, SIG_IGN);
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_OK(shutdown(s[0], SHUT_WR));
	EXPECT_EQ(read(s[1], &c, 1), 0);
	EXPECT_ERR(write(s[0], "x", 1), EPIPE);
	EXPECT_EQ(write(s[1], "y", 1), 1);
	EXPECT_EQ(read(s[0], &c, 1), 1);
	close(s[1]);
	EXPECT_EQ(read(s[0], &c, 1), 0);
	f.fd = s[0];
	EXPECT_EQ(poll(&f, 1, 0), 1);
	EXPECT_EQ(f.revents & (POLLIN | POLLHUP), POLLIN | POLLHUP);
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_EQ(write(s[0], "lost", 4), 4);
	close(s[1]);
	EXPECT_ERR(read(s[0], &c, 1), ECONNRESET);
	EXPECT_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_ERR(shutdown(0, SHUT_WR), ENOTSOCK);
	EXPECT_ERR(shutdown(s[0], 9), EINVAL);
}

TEST(datagrams_keep_their_borders)
{
	char buf[16];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	EXPECT_EQ(send(s[0], "one", 3, 0), 3);
	EXPECT_EQ(send(s[0], "", 0, 0), 0);
	EXPECT_EQ(send(s[0], "three", 5, 0), 5);
	EXPECT_EQ(recv(s[1], buf, 16, 0), 3);
	EXPECT_EQ(recv(s[1], buf, 16, 0), 0);
	EXPECT_EQ(recv(s[1], buf, 2, MSG_TRUNC), 5);
	EXPECT_ERR(recv(s[1], buf, 2, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(send(s[0], "cut here", 8, 0), 8);
	EXPECT_EQ(recv(s[1], buf, 3, 0), 3);
	EXPECT_ERR(recv(s[1], buf, 3, MSG_DONTWAIT), EAGAIN);
	EXPECT_ERR(recv(s[1], BAD_PTR, 3, MSG_DONTWAIT), EAGAIN);
}

TEST(seqpackets_are_ordered_and_end)
{
	char buf[16];
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	EXPECT_EQ(send(s[0], "a", 1, 0), 1);
	EXPECT_EQ(send(s[0], "bc", 2, 0), 2);
	EXPECT_EQ(recv(s[1], buf, 16, 0), 1);
	EXPECT_EQ(recv(s[1], buf, 16, 0), 2);
	close(s[0]);
	EXPECT_EQ(recv(s[1], buf, 16, 0), 0);
}

TEST(servers_accept_by_path)
{
	struct sockaddr_un a;
	struct stat st;
	socklen_t len = sizeof(a);
	char buf[8] = "";
	int l = bound(SOCK_STREAM, "sock"), c, status;
	pid_t pid;

	EXPECT_OK(stat("sock", &st));
	EXPECT(S_ISSOCK(st.st_mode));
	EXPECT_ERR(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "sock"), ECONNREFUSED);
	EXPECT_OK(listen(l, 5));
	pid = fork();
	if (pid == 0) {
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		EXPECT_OK(connect_to(c, "sock"));
		EXPECT_ERR(connect_to(c, "sock"), EISCONN);
		EXPECT_EQ(write(c, "hello", 5), 5);
		EXPECT_EQ(read(c, buf, 8), 2);
		_exit(test_failures);
	}
	c = accept4(l, (struct sockaddr *)&a, &len, SOCK_CLOEXEC);
	REQUIRE_OK(c);
	EXPECT_EQ(len, sizeof(sa_family_t));
	EXPECT_EQ(fcntl(c, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(read(c, buf, 8), 5);
	EXPECT_STR(buf, "hello");
	len = sizeof(a);
	EXPECT_OK(getsockname(c, (struct sockaddr *)&a, &len));
	EXPECT_STR(a.sun_path, "sock");
	EXPECT_EQ(write(c, "ok", 2), 2);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_OK(unlink("sock"));
	EXPECT_ERR(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "sock"), ENOENT);
}

TEST(binding_and_connecting_check_their_names)
{
	socklen_t len;
	struct sockaddr_un a = name("sock", &len);
	int s = bound(SOCK_STREAM, "sock");

	EXPECT_ERR(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, len), EADDRINUSE);
	a = name("other", &len);
	EXPECT_ERR(bind(s, (struct sockaddr *)&a, len), EINVAL);
	a = name("no/sock", &len);
	EXPECT_ERR(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, len), ENOENT);
	a.sun_family = AF_INET;
	EXPECT_ERR(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, len), EINVAL);
	EXPECT_ERR(bind(s, (struct sockaddr *)&a, 1), EINVAL);
	EXPECT_ERR(bind(0, (struct sockaddr *)&a, len), ENOTSOCK);
	EXPECT_ERR(bind(BAD_FD, (struct sockaddr *)&a, len), EBADF);
	put_file("plain", "");
	EXPECT_ERR(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "plain"), ECONNREFUSED);
	EXPECT_OK(listen(s, 1));
	EXPECT_ERR(connect_to(socket(AF_UNIX, SOCK_DGRAM, 0), "sock"), EPROTOTYPE);
	EXPECT_ERR(listen(socket(AF_UNIX, SOCK_DGRAM, 0), 1), EOPNOTSUPP);
	EXPECT_ERR(listen(socket(AF_UNIX, SOCK_STREAM, 0), 1), EINVAL);
	EXPECT_ERR(accept(socket(AF_UNIX, SOCK_STREAM, 0), NULL, NULL), EINVAL);
	EXPECT_ERR(send(socket(AF_UNIX, SOCK_STREAM, 0), "x", 1, MSG_NOSIGNAL), ENOTCONN);
	EXPECT_ERR(send(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, MSG_NOSIGNAL), ENOTCONN);
	EXPECT_ERR(getpeername(s, (struct sockaddr *)&a, &len), ENOTCONN);
}

TEST(abstract_names_vanish_with_their_socket)
{
	struct sockaddr_un a = { 0 };
	socklen_t len = sizeof(a);
	char abstract[32];
	int l, c;

	snprintf(abstract, sizeof(abstract), "@csb-%d", getpid());
	l = bound(SOCK_STREAM, abstract);
	EXPECT_OK(listen(l, 1));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_OK(connect_to(c, abstract));
	EXPECT_OK(getpeername(c, (struct sockaddr *)&a, &len));
	EXPECT_EQ(a.sun_path[0], 0);
	EXPECT_EQ(len, offsetof(struct sockaddr_un, sun_path) + strlen(abstract));
	close(l);
	EXPECT_ERR(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), abstract), ECONNREFUSED);
	c = socket(AF_UNIX, SOCK_DGRAM, 0);
	a.sun_family = AF_UNIX;
	EXPECT_OK(bind(c, (struct sockaddr *)&a, sizeof(sa_family_t)));         /* autobind */
	len = sizeof(a);
	EXPECT_OK(getsockname(c, (struct sockaddr *)&a, &len));
	EXPECT_EQ(len, sizeof(sa_family_t) + 6);
}

TEST(named_datagrams_tell_their_sender)
{
	struct sockaddr_un a, from;
	socklen_t len, flen = sizeof(from);
	char buf[8] = "";
	int r = bound(SOCK_DGRAM, "r"), s = bound(SOCK_DGRAM, "s");

	a = name("r", &len);
	EXPECT_EQ(sendto(s, "hi", 2, 0, (struct sockaddr *)&a, len), 2);
	EXPECT_EQ(recvfrom(r, buf, 8, 0, (struct sockaddr *)&from, &flen), 2);
	EXPECT_STR(from.sun_path, "s");
	a = name("none", &len);
	EXPECT_ERR(sendto(s, "x", 1, 0, (struct sockaddr *)&a, len), ENOENT);
	EXPECT_OK(connect_to(s, "r"));
	EXPECT_EQ(send(s, "c", 1, 0), 1);
	close(r);
	EXPECT_ERR(send(s, "c", 1, MSG_NOSIGNAL), ECONNREFUSED);
}

static ssize_t send_fds(int s, const int *fds, size_t n, const char *text)
{
	char ctl[CMSG_SPACE(sizeof(int) * 8)] = { 0 };
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl };
	struct cmsghdr *c;

	m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	return sendmsg(s, &m, 0);
}

static ssize_t recv_fds(int s, int *fds, size_t *n, size_t room, int *flags)
{
	char ctl[CMSG_SPACE(sizeof(int) * 8)] = { 0 }, buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = room };
	ssize_t r = recvmsg(s, &m, *flags);
	struct cmsghdr *c = r >= 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*n = 0;
	*flags = m.msg_flags;
	if (c && c->cmsg_type == SCM_RIGHTS) {
		*n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), *n * sizeof(int));
	}
	return r;
}

TEST(descriptors_travel)
{
	int s[2], p[2], got[8], flags = MSG_CMSG_CLOEXEC;
	char c = 0;
	size_t n;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(send_fds(s[0], p, 2, "two"), 3);
	close(p[0]);
	EXPECT_EQ(recv_fds(s[1], got, &n, CMSG_SPACE(sizeof(int) * 8), &flags), 3);
	EXPECT_EQ(n, 2);
	EXPECT_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(write(p[1], "x", 1), 1);
	EXPECT_EQ(read(got[0], &c, 1), 1);
	EXPECT_EQ(c, 'x');
	flags = 0;
	EXPECT_EQ(send_fds(s[0], p + 1, 1, "no room"), 7);
	EXPECT_EQ(recv_fds(s[1], got, &n, 0, &flags), 7);
	EXPECT_EQ(n, 0);
	EXPECT(flags & MSG_CTRUNC);
	EXPECT_ERR(send_fds(s[0], (int[]){ BAD_FD }, 1, "bad"), EBADF);
	/* One read takes bytes up to the end of a message with descriptors, and no further. */
	EXPECT_EQ(write(s[0], "a", 1), 1);
	EXPECT_EQ(send_fds(s[0], p + 1, 1, "b"), 1);
	EXPECT_EQ(write(s[0], "c", 1), 1);
	flags = 0;
	EXPECT_EQ(recv_fds(s[1], got, &n, CMSG_SPACE(sizeof(int)), &flags), 2);
	EXPECT_EQ(n, 1);
	flags = 0;
	EXPECT_EQ(recv_fds(s[1], got, &n, CMSG_SPACE(sizeof(int)), &flags), 1);
	EXPECT_EQ(n, 0);
}

TEST(descriptors_in_flight_are_closed_with_the_socket)
{
	int s[2], p[2];
	char c;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(send_fds(s[0], p + 1, 1, "w"), 1);
	close(p[1]);
	EXPECT_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(p[0], &c, 1), EAGAIN);
	close(s[0]);
	close(s[1]);
	EXPECT_OK(fcntl(p[0], F_SETFL, 0));
	EXPECT_EQ(read(p[0], &c, 1), 0);
}

TEST(credentials_are_known)
{
	char ctl[CMSG_SPACE(sizeof(struct ucred))] = { 0 }, buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	struct ucred *u, uc;
	socklen_t len = sizeof(uc);
	int s[2], on = 1;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &uc, &len));
	EXPECT_EQ(uc.pid, getpid());
	EXPECT_EQ(uc.uid, getuid());
	EXPECT_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	EXPECT_EQ(write(s[0], "x", 1), 1);
	EXPECT_EQ(recvmsg(s[1], &m, 0), 1);
	REQUIRE(CMSG_FIRSTHDR(&m));
	EXPECT_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, SCM_CREDENTIALS);
	u = (struct ucred *)CMSG_DATA(CMSG_FIRSTHDR(&m));
	EXPECT_EQ(u->pid, getpid());
}

TEST(options_can_be_asked)
{
	socklen_t len = sizeof(int);
	struct timeval tv = { 0, 10000 };
	int s[2], v = -1;
	char c;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
	EXPECT_EQ(v, SOCK_STREAM);
	EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &v, &len));
	EXPECT_EQ(v, AF_UNIX);
	EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &v, &len));
	EXPECT_EQ(v, 0);
	EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_ACCEPTCONN, &v, &len));
	EXPECT_EQ(v, 0);
	EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, &len));
	EXPECT(v > 0);
	EXPECT_ERR(getsockopt(s[0], SOL_SOCKET, 9999, &v, &len), ENOPROTOOPT);
	EXPECT_ERR(getsockopt(0, SOL_SOCKET, SO_TYPE, &v, &len), ENOTSOCK);
	EXPECT_OK(fcntl(s[0], F_SETFL, 0));
	EXPECT_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	EXPECT_ERR(read(s[0], &c, 1), EAGAIN);
	EXPECT_EQ(write(s[1], "abc", 3), 3);
	EXPECT_OK(ioctl(s[0], FIONREAD, &v));
	EXPECT_EQ(v, 3);
}

TEST(a_full_stream_blocks_or_says_eagain)
{
	static char block[65536];
	size_t sent = 0, got = 0;
	ssize_t n;
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	while ((n = write(s[0], block, sizeof(block))) > 0)
		sent += (size_t)n;
	EXPECT_EQ(errno, EAGAIN);
	EXPECT(sent > 4096);
	struct pollfd f = { .fd = s[0], .events = POLLOUT };
	EXPECT_EQ(poll(&f, 1, 0), 0);
	while ((n = read(s[1], block, sizeof(block))) > 0)
		got += (size_t)n;
	EXPECT_EQ(got, sent);
	EXPECT_EQ(poll(&f, 1, -1), 1);
}

TEST(many_messages_at_once)
{
	struct mmsghdr m[3] = { 0 };
	struct iovec v[3];
	char text[3][8] = { "one", "two", "three" }, in[3][8] = { "" };
	int s[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	for (int i = 0; i < 3; i++) {
		v[i] = (struct iovec){ text[i], strlen(text[i]) };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	EXPECT_EQ(sendmmsg(s[0], m, 3, 0), 3);
	for (int i = 0; i < 3; i++)
		v[i] = (struct iovec){ in[i], 8 };
	EXPECT_EQ(recvmmsg(s[1], m, 3, MSG_DONTWAIT, NULL), 3);
	EXPECT_EQ(m[2].msg_len, 5);
	EXPECT_STR(in[2], "three");
}

TEST(an_accept_waits_and_is_interruptible)
{
	int l = bound(SOCK_STREAM, "sock"), c;
	pid_t me = getpid();

	EXPECT_OK(listen(l, 1));
	EXPECT_OK(fcntl(l, F_SETFL, O_NONBLOCK));
	EXPECT_ERR(accept(l, NULL, NULL), EAGAIN);
	EXPECT_OK(fcntl(l, F_SETFL, 0));
	if (fork() == 0) {
		wait_until_asleep(me);
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(connect_to(c, "sock"));
	}
	EXPECT_OK(accept(l, NULL, NULL));
	wait(NULL);
}

TEST_MAIN()
