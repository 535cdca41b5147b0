/* AF_UNIX sockets: the urgent byte of streams, SO_PEEK_OFF, groups of the peer, and errors in Linux's order. */
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/sockios.h>
#include "tests/lib/harness.h"

#define OPT_PASSRIGHTS 83
#define OPT_INQ        84

static int sv[2];

static void pair(int type) { REQUIRE_OK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sv)); }

static int ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLPRI, 0 };

	(void)poll(&p, 1, 0);
	return p.revents;
}

static int mark(int fd)
{
	int v = -1;

	REQUIRE_OK(ioctl(fd, SIOCATMARK, &v));
	return v;
}

/* What a receive gives, as text; "-" is EAGAIN, "?" EINVAL, "!" another error. */
static const char *got(int fd, size_t n, int flags)
{
	static char buf[64];
	ssize_t r = recv(fd, buf, n, flags);

	if (r < 0)
		return errno == EAGAIN ? "-" : errno == EINVAL ? "?" : "!";
	buf[r] = 0;
	return buf;
}

static void set(int fd, int opt, int v) { REQUIRE_OK(setsockopt(fd, SOL_SOCKET, opt, &v, sizeof(v))); }

static int get(int fd, int opt)
{
	int v = -12345;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, opt, &v, &n) < 0 ? -errno : v;
}

static void put(const char *s, int flags) { EXPECT_EQ(send(sv[0], s, strlen(s), flags), (long)strlen(s)); }

TEST(an_urgent_byte_is_read_apart)
{
	int n;

	pair(SOCK_STREAM);
	EXPECT_STR(got(sv[1], 9, MSG_OOB), "?");
	EXPECT_ERR(send(sv[0], "", 0, MSG_OOB), EOPNOTSUPP);
	EXPECT_ERR(send(sv[0], BAD_PTR, 3, MSG_OOB), EFAULT);
	put("hello", MSG_OOB);
	put("world", 0);
	EXPECT_EQ(ready(sv[1]), POLLIN | POLLPRI);
	REQUIRE_OK(ioctl(sv[1], FIONREAD, &n));
	EXPECT_EQ(n, 10);
	EXPECT_STR(got(sv[1], 9, MSG_OOB | MSG_PEEK), "o");
	EXPECT_STR(got(sv[1], 9, MSG_OOB), "o");
	EXPECT_STR(got(sv[1], 9, MSG_OOB), "?");
	EXPECT_EQ(ready(sv[1]), POLLIN);
	EXPECT_EQ(mark(sv[1]), 0);
	EXPECT_STR(got(sv[1], 9, 0), "hell");
	EXPECT_EQ(mark(sv[1]), 1);
	EXPECT_STR(got(sv[1], 9, 0), "world");
	EXPECT_EQ(mark(sv[1]), 0);
}

TEST(a_reader_stops_at_the_mark_and_passes_the_byte)
{
	pair(SOCK_STREAM);
	put("hello", MSG_OOB);
	put("world", 0);
	EXPECT_STR(got(sv[1], 20, MSG_PEEK), "hell");
	EXPECT_STR(got(sv[1], 20, MSG_WAITALL), "hell");
	EXPECT_EQ(mark(sv[1]), 1);
	EXPECT_STR(got(sv[1], 20, MSG_PEEK), "world");
	EXPECT_EQ(mark(sv[1]), 1);
	EXPECT_STR(got(sv[1], 20, 0), "world");
	EXPECT_STR(got(sv[1], 9, MSG_OOB), "?");
	put("x", MSG_OOB);
	EXPECT_EQ(mark(sv[1]), 1);
	EXPECT_STR(got(sv[1], 9, MSG_PEEK), "-");
	EXPECT_STR(got(sv[1], 9, 0), "-");
	EXPECT_EQ(ready(sv[1]), 0);
}

TEST(a_later_urgent_byte_makes_the_first_ordinary)
{
	pair(SOCK_STREAM);
	put("abc", MSG_OOB);
	put("def", MSG_OOB);
	EXPECT_STR(got(sv[1], 20, 0), "abcde");
	EXPECT_STR(got(sv[1], 20, MSG_OOB), "f");
	EXPECT_STR(got(sv[1], 20, 0), "-");
	put("hello", MSG_OOB);
	EXPECT_STR(got(sv[1], 20, MSG_OOB), "o");
	put("world", MSG_OOB);
	EXPECT_STR(got(sv[1], 20, 0), "hellworl");
	EXPECT_EQ(mark(sv[1]), 1);
}

TEST(an_inline_urgent_byte_stays_in_the_stream)
{
	pair(SOCK_STREAM);
	set(sv[1], SO_OOBINLINE, 1);
	put("hello", MSG_OOB);
	put("world", 0);
	EXPECT_STR(got(sv[1], 9, MSG_OOB), "?");
	EXPECT_STR(got(sv[1], 20, 0), "hell");
	EXPECT_EQ(mark(sv[1]), 1);
	EXPECT_STR(got(sv[1], 20, MSG_PEEK), "oworld");
	EXPECT_STR(got(sv[1], 20, 0), "oworld");
	EXPECT_EQ(ready(sv[1]), 0);
}

static volatile sig_atomic_t urgs;
static void on_urg(int sig) { (void)sig; urgs++; }

TEST(urgent_bytes_are_told_by_sigurg_and_epoll)
{
	struct epoll_event ev = { .events = EPOLLPRI | EPOLLET };
	int ep = epoll_create1(0);

	pair(SOCK_STREAM);
	signal(SIGURG, on_urg);
	REQUIRE_OK(fcntl(sv[1], F_SETOWN, getpid()));
	REQUIRE_OK(epoll_ctl(ep, EPOLL_CTL_ADD, sv[1], &ev));
	put("a", 0);
	EXPECT_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	EXPECT_EQ(urgs, 0);
	put("b", MSG_OOB);
	EXPECT_EQ(urgs, 1);
	EXPECT_EQ(epoll_wait(ep, &ev, 1, 1000), 1);
	EXPECT_EQ(ev.events, EPOLLPRI);
}

TEST(an_urgent_byte_at_the_end)
{
	pair(SOCK_STREAM);
	put("hello", MSG_OOB);
	shutdown(sv[0], SHUT_WR);
	EXPECT_ERR(send(sv[0], "x", 1, MSG_OOB | MSG_NOSIGNAL), EPIPE);
	EXPECT_STR(got(sv[1], 20, 0), "hell");
	EXPECT_STR(got(sv[1], 20, 0), "");
	EXPECT_STR(got(sv[1], 20, MSG_OOB), "?");
	/* What only marks is not unread data. */
	pair(SOCK_STREAM);
	put("h", MSG_OOB);
	EXPECT_STR(got(sv[1], 1, MSG_OOB), "h");
	close(sv[1]);
	EXPECT_STR(got(sv[0], 1, 0), "");
	pair(SOCK_STREAM);
	put("h", MSG_OOB);
	close(sv[1]);
	EXPECT_STR(got(sv[0], 1, 0), "!");       /* ECONNRESET */;
	/* The byte is gone even if it could not be copied. */
	pair(SOCK_STREAM);
	put("xy", MSG_OOB);
	EXPECT_ERR(recv(sv[1], BAD_PTR, 1, MSG_OOB), EFAULT);
	EXPECT_STR(got(sv[1], 1, MSG_OOB), "?");
	EXPECT_STR(got(sv[1], 9, 0), "x");
}

TEST(datagrams_have_no_urgent_byte)
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
	int v;

	for (int i = 0; i < 2; i++) {
		pair(types[i]);
		EXPECT_ERR(send(sv[0], "a", 1, MSG_OOB), EOPNOTSUPP);
		EXPECT_ERR(recv(sv[0], &v, 1, MSG_OOB), EOPNOTSUPP);
	}
}

TEST(an_urgent_byte_carries_no_descriptors_to_its_reader)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	int p[2];
	char c;

	REQUIRE_OK(pipe2(p, O_NONBLOCK));
	pair(SOCK_STREAM);
	u.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(&u.align), &p[1], sizeof(int));
	EXPECT_EQ(sendmsg(sv[0], &m, MSG_OOB), 1);
	close(p[1]);
	iov.iov_base = &c;
	EXPECT_EQ(recvmsg(sv[1], &m, MSG_OOB), 1);
	EXPECT_EQ(m.msg_flags, MSG_OOB);
	EXPECT_EQ(m.msg_controllen, 0);
	EXPECT_STR(got(sv[1], 1, 0), "-");      /* the mark goes, and the descriptor with it */
	EXPECT_EQ(read(p[0], &c, 1), 0);
}

TEST(peeking_goes_on_where_it_ended_in_a_stream)
{
	pair(SOCK_STREAM);
	EXPECT_EQ(get(sv[1], SO_PEEK_OFF), -1);
	set(sv[1], SO_PEEK_OFF, 0);
	put("abcdef", 0);
	put("ghijkl", 0);
	EXPECT_STR(got(sv[1], 4, MSG_PEEK), "abcd");
	EXPECT_EQ(get(sv[1], SO_PEEK_OFF), 4);
	EXPECT_STR(got(sv[1], 4, MSG_PEEK), "efgh");
	EXPECT_STR(got(sv[1], 20, MSG_PEEK), "ijkl");
	EXPECT_STR(got(sv[1], 20, MSG_PEEK), "-");
	EXPECT_STR(got(sv[1], 3, 0), "abc");
	EXPECT_EQ(get(sv[1], SO_PEEK_OFF), 9);
	set(sv[1], SO_PEEK_OFF, 2);
	EXPECT_STR(got(sv[1], 3, MSG_PEEK), "fgh");
	set(sv[1], SO_PEEK_OFF, INT32_MAX);
	EXPECT_STR(got(sv[1], 3, MSG_PEEK), "-");
	set(sv[1], SO_PEEK_OFF, -1);
	EXPECT_STR(got(sv[1], 3, MSG_PEEK), "def");
	EXPECT_EQ(get(sv[1], SO_PEEK_OFF), -1);
	set(sv[1], SO_PEEK_OFF, INT32_MIN);
	EXPECT_STR(got(sv[1], 20, 0), "defghijkl");
}

TEST(peeking_goes_on_where_it_ended_in_datagrams)
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 2; i++) {
		pair(types[i]);
		set(sv[1], SO_PEEK_OFF, 0);
		put("abcdef", 0);
		put("", 0);
		put("gh", 0);
		EXPECT_STR(got(sv[1], 4, MSG_PEEK), "abcd");
		EXPECT_STR(got(sv[1], 4, MSG_PEEK), "ef");
		EXPECT_STR(got(sv[1], 4, MSG_PEEK), "");
		EXPECT_STR(got(sv[1], 4, MSG_PEEK), "gh");
		EXPECT_STR(got(sv[1], 4, MSG_PEEK), "-");
		EXPECT_STR(got(sv[1], 4, 0), "abcd");
		EXPECT_EQ(get(sv[1], SO_PEEK_OFF), 2);
	}
}

TEST(the_groups_of_a_peer_are_told)
{
	gid_t mine[] = { 5, 6, 7 }, g[8] = { 0 };
	socklen_t n = sizeof(g);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	REQUIRE_OK(setgroups(3, mine));
	pair(SOCK_STREAM);
	REQUIRE_OK(setgroups(0, NULL));
	EXPECT_OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERGROUPS, g, &n));
	EXPECT_EQ(n, 12);
	EXPECT_EQ(g[2], 7);
	n = 4;
	EXPECT_ERR(getsockopt(sv[0], SOL_SOCKET, SO_PEERGROUPS, g, &n), ERANGE);
	EXPECT_EQ(n, 12);
	EXPECT_ERR(getsockopt(s, SOL_SOCKET, SO_PEERGROUPS, g, &n), ENODATA);
	n = sizeof(g);
	EXPECT_ERR(getsockopt(sv[0], SOL_SOCKET, SO_PEERGROUPS, BAD_PTR, &n), EFAULT);
}

TEST(rights_can_be_refused)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	int off = 0;

	pair(SOCK_STREAM);
	if (setsockopt(sv[1], SOL_SOCKET, OPT_PASSRIGHTS, &off, sizeof(off)) < 0)
		SKIP("no SO_PASSRIGHTS before Linux 6.16");
	u.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	EXPECT_ERR(sendmsg(sv[0], &m, 0), EPERM);
	set(sv[1], OPT_PASSRIGHTS, 1);
	EXPECT_EQ(sendmsg(sv[0], &m, 0), 1);
}

TEST(a_stream_tells_what_is_left)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } u;
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	int one = 1, two = 2;

	pair(SOCK_STREAM);
	if (setsockopt(sv[1], SOL_SOCKET, OPT_INQ, &one, sizeof(one)) < 0)
		SKIP("no SO_INQ before Linux 6.17");
	EXPECT_ERR(setsockopt(sv[1], SOL_SOCKET, OPT_INQ, &two, sizeof(two)), EINVAL);
	put("abcd", 0);
	EXPECT_EQ(recvmsg(sv[1], &m, 0), 1);
	EXPECT_EQ(u.align.cmsg_type, OPT_INQ);
	memcpy(&one, CMSG_DATA(&u.align), sizeof(one));
	EXPECT_EQ(one, 3);
}

TEST(empty_sends_leave_nothing_in_a_stream)
{
	pair(SOCK_STREAM);
	EXPECT_EQ(send(sv[0], "", 0, 0), 0);
	EXPECT_EQ(ready(sv[1]), 0);
	EXPECT_STR(got(sv[1], 9, 0), "-");
}

TEST(a_receive_waits_for_the_low_water_mark)
{
	pair(SOCK_STREAM);
	REQUIRE_OK(fcntl(sv[1], F_SETFL, 0));
	set(sv[1], SO_RCVLOWAT, 4);
	put("ab", 0);
	if (fork() == 0) {
		usleep(20000);
		(void)!write(sv[0], "cdef", 4);
		_exit(0);
	}
	EXPECT_STR(got(sv[1], 20, 0), "abcdef");
}

static int named(int type, const char *name, bool bound)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, name);
	REQUIRE(s >= 0);
	if (bound)
		REQUIRE_OK(bind(s, (void *)&a, sizeof(a)));
	return s;
}

static int to(int s, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, name);
	return connect(s, (void *)&a, sizeof(a));
}

TEST(connecting_asks_in_linuxs_order)
{
	struct sockaddr_un none = { .sun_family = AF_UNIX };
	int l = named(SOCK_STREAM, "l", true), a = named(SOCK_STREAM, "a", false), b = named(SOCK_STREAM, "b", false);

	EXPECT_ERR(connect(a, (void *)&none, 2), EINVAL);
	EXPECT_OK(bind(a, (void *)&none, 2));
	EXPECT_OK(bind(a, (void *)&none, 2));           /* it has a name: nothing to do */
	REQUIRE_OK(listen(l, 0));
	EXPECT_OK(to(a, "l"));
	EXPECT_ERR(to(a, "l"), EAGAIN);                 /* the backlog is full, then: it is connected */
	EXPECT_ERR(to(b, "l"), EAGAIN);
	EXPECT_ERR(to(a, "nosuch"), ENOENT);
	REQUIRE_OK(listen(l, 5));
	EXPECT_ERR(to(a, "l"), EISCONN);
	EXPECT_ERR(to(l, "l"), EINVAL);
	shutdown(b, SHUT_RDWR);
	EXPECT_ERR(send(b, "x", 1, 0), ENOTCONN);
}

TEST(peers_credentials_are_those_of_who_listened_or_made_a_pair)
{
	struct ucred c = { 0 };
	socklen_t n = sizeof(c);
	int l = named(SOCK_STREAM, "l", true), d = named(SOCK_DGRAM, "d", true), e = named(SOCK_DGRAM, "e", false);

	REQUIRE_OK(listen(l, 5));
	EXPECT_OK(getsockopt(l, SOL_SOCKET, SO_PEERCRED, &c, &n));
	EXPECT_EQ(c.pid, getpid());
	REQUIRE_OK(to(e, "d"));
	EXPECT_OK(getsockopt(e, SOL_SOCKET, SO_PEERCRED, &c, &n));
	EXPECT_EQ(c.pid, 0);
	EXPECT_EQ(c.uid, (uid_t)-1);
	close(d);
}

TEST(datagram_sockets_tell_of_shutdown_only_who_waits)
{
	pair(SOCK_DGRAM);
	REQUIRE_OK(shutdown(sv[1], SHUT_RD));
	EXPECT_STR(got(sv[1], 9, 0), "-");
	REQUIRE_OK(fcntl(sv[1], F_SETFL, 0));
	EXPECT_STR(got(sv[1], 9, MSG_DONTWAIT), "-");
	EXPECT_STR(got(sv[1], 9, 0), "");
}

TEST(seqpackets_count_all_their_bytes)
{
	int n;

	pair(SOCK_SEQPACKET);
	put("abc", 0);
	put("defg", 0);
	REQUIRE_OK(ioctl(sv[1], FIONREAD, &n));
	EXPECT_EQ(n, 7);
	EXPECT_STR(got(sv[1], 9, MSG_ERRQUEUE), "abc");
}

TEST(a_full_path_is_told_with_its_terminator)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char back[120];
	socklen_t n = sizeof(back);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(a.sun_path, 'p', sizeof(a.sun_path));
	REQUIRE_OK(bind(s, (void *)&a, sizeof(a)));
	EXPECT_OK(getsockname(s, (void *)back, &n));
	EXPECT_EQ(n, 111);
	EXPECT_EQ(back[110], 0);
}

/* One byte with descriptor @fd, which is closed then. */
static ssize_t send_with(int fd, int flags)
{
	char byte = 'x', room[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	ssize_t r;

	*c = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	r = sendmsg(sv[0], &m, flags);
	close(fd);
	return r;
}

/* More than may be in flight: each has landed, however its byte was passed. */
TEST(descriptors_with_an_urgent_byte_that_is_passed_over_are_no_longer_in_flight)
{
	struct rlimit lim = { 32, 32 };

	pair(SOCK_STREAM);
	REQUIRE_OK(setrlimit(RLIMIT_NOFILE, &lim));
	if (getuid() == 0)
		REQUIRE_OK(setuid(65534));
	for (int i = 0; i < 100; i++) {
		REQUIRE(send_with(socket(AF_UNIX, SOCK_DGRAM, 0), MSG_OOB) == 1);
		if (i % 2)
			EXPECT_STR(got(sv[1], 9, MSG_OOB), "x");
		EXPECT_STR(got(sv[1], 9, 0), "-");
	}
	/* Whoever looks through what is in flight finds only what there is. */
	for (int i = 0; i < 20; i++)
		REQUIRE(send_with(socket(AF_UNIX, SOCK_DGRAM, 0), 0) == 1);
}

static struct ucred peer(void)
{
	struct ucred c = { -1, 0, 0 };
	socklen_t n = sizeof(c);

	REQUIRE_OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &c, &n));
	return c;
}

static void look_from_inside(void)
{
	REQUIRE(getpid() == 1);
	EXPECT_EQ(peer().pid, 0);
	EXPECT_EQ(peer().uid, 65534);
	EXPECT_EQ(peer().gid, 65534);
}

TEST(a_peer_is_told_as_its_asker_numbers_it)
{
	pair(SOCK_STREAM);
	EXPECT_EQ(peer().pid, getpid());
	EXPECT_EQ(peer().uid, getuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
		SKIP("no user namespaces");
	EXPECT_EQ(peer().uid, 65534);
	EXPECT_EQ(in_child(look_from_inside), 0);
}

TEST_MAIN()
