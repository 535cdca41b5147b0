/*
 * inet_msg.c - what sendmsg and recvmsg carry beside data: flags and control messages.
 */
#include <poll.h>
#include "tests/lib/inet.h"
#include <sys/mman.h>
#include <sys/time.h>

struct ctl {
	struct msghdr m;
	struct iovec iov;
	char data[256];
	_Alignas(struct cmsghdr) char buf[512];
};

static ssize_t recv_ctl(int fd, struct ctl *c, size_t room, int flags)
{
	memset(c, 0, sizeof(*c));
	c->iov = (struct iovec){ c->data, sizeof(c->data) };
	c->m = (struct msghdr){ .msg_iov = &c->iov, .msg_iovlen = 1, .msg_control = c->buf,
				.msg_controllen = room };
	return recvmsg(fd, &c->m, flags);
}

static void *find_ctl(struct ctl *c, int level, int type)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&c->m); h; h = CMSG_NXTHDR(&c->m, h))
		if (h->cmsg_level == level && h->cmsg_type == type)
			return CMSG_DATA(h);
	return NULL;
}

static int ctl_int(struct ctl *c, int level, int type)
{
	void *p = find_ctl(c, level, type);
	int v;

	if (!p)
		return -1;
	memcpy(&v, p, sizeof(v));
	return v;
}

/* Send one byte with one control message. */
static ssize_t send_ctl(int fd, const struct name *to, int level, int type, const void *v, size_t n)
{
	struct ctl c = { .data = "x" };
	struct cmsghdr *h = (struct cmsghdr *)c.buf;

	c.iov = (struct iovec){ c.data, 1 };
	c.m = (struct msghdr){ .msg_iov = &c.iov, .msg_iovlen = 1, .msg_control = c.buf,
			       .msg_controllen = CMSG_SPACE(n) };
	if (to) {
		c.m.msg_name = (void *)&to->ss;
		c.m.msg_namelen = to->len;
	}
	h->cmsg_len = CMSG_LEN(n);
	h->cmsg_level = level;
	h->cmsg_type = type;
	memcpy(CMSG_DATA(h), v, n);
	return sendmsg(fd, &c.m, 0);
}

BOTH(peek_leaves_the_data)
{
	char b[8];
	int fd[2];

	tcp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "hello", 5, 0), 5);
	EXPECT_EQ(poll_for(fd[1], POLLIN), POLLIN);
	EXPECT_EQ(recv(fd[1], b, 2, MSG_PEEK), 2);
	EXPECT_EQ(recv(fd[1], b, 8, MSG_PEEK), 5);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 5);
	EXPECT_ERR(recv(fd[1], b, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	udp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "hello", 5, 0), 5);
	EXPECT_EQ(recv(fd[1], b, 2, MSG_PEEK), 2);
	EXPECT_EQ(recv(fd[1], b, 2, MSG_PEEK | MSG_TRUNC), 5);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 5);
}

BOTH(trunc_tells_of_a_lost_tail)
{
	struct ctl c;
	int fd[2];
	char b[300];

	udp_pair(af, fd);
	memset(b, 'a', sizeof(b));
	EXPECT_EQ(send(fd[0], b, 300, 0), 300);
	EXPECT_EQ(recv_ctl(fd[1], &c, 0, 0), 256);
	EXPECT_EQ(c.m.msg_flags, MSG_TRUNC);
	EXPECT_EQ(send(fd[0], b, 300, 0), 300);
	EXPECT_EQ(recv_ctl(fd[1], &c, 0, MSG_TRUNC), 300);
	EXPECT_EQ(c.m.msg_flags, MSG_TRUNC);
	EXPECT_EQ(send(fd[0], b, 30, 0), 30);
	EXPECT_EQ(recv_ctl(fd[1], &c, 0, MSG_TRUNC), 30);
	EXPECT_EQ(c.m.msg_flags, 0);
}

/* On TCP MSG_TRUNC throws data away instead of copying it. */
BOTH(trunc_discards_stream_data)
{
	char b[8] = "........";
	int fd[2];

	tcp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "abcdef", 6, 0), 6);
	EXPECT_EQ(poll_for(fd[1], POLLIN), POLLIN);
	EXPECT_EQ(recv(fd[1], b, 3, MSG_TRUNC), 3);
	EXPECT_EQ(b[0], '.');
	EXPECT_EQ(recv(fd[1], NULL, 2, MSG_TRUNC), 2);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 1);
	EXPECT_EQ(b[0], 'f');
}

BOTH(dontwait_does_not_wait)
{
	static char big[1 << 20];
	bool full = false;
	int fd[2];
	ssize_t n;

	tcp_pair(af, fd);
	EXPECT_ERR(recv(fd[1], big, 1, MSG_DONTWAIT), EAGAIN);
	/* Until it stays full: acknowledgements on their way make room again. */
	for (int i = 0; i < 5000 && !full; i++) {
		do
			n = send(fd[0], big, sizeof(big), MSG_DONTWAIT);
		while (n > 0);
		EXPECT_EQ(n, -1);
		EXPECT_EQ(errno, EAGAIN);
		full = !(poll_now(fd[0]) & POLLOUT);
	}
	EXPECT(full);
	udp_pair(af, fd);
	EXPECT_ERR(recv(fd[1], big, 1, MSG_DONTWAIT), EAGAIN);
}

BOTH(waitall_waits_for_all_or_the_end)
{
	int fd[2], status;
	char b[16];
	pid_t pid;

	tcp_pair(af, fd);
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		EXPECT_EQ(recv(fd[1], b, 6, MSG_WAITALL), 6);
		EXPECT_EQ(recv(fd[1], b, 6, MSG_WAITALL), 2);
		_exit(test_failures != 0);
	}
	close(fd[1]);
	wait_until_asleep(pid);
	EXPECT_EQ(send(fd[0], "abc", 3, 0), 3);
	wait_until_asleep(pid);
	EXPECT_EQ(send(fd[0], "def", 3, 0), 3);
	EXPECT_EQ(send(fd[0], "gh", 2, 0), 2);
	wait_until_asleep(pid);
	close(fd[0]);
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

BOTH(a_stream_is_sent_although_a_name_is_given)
{
	struct name bad = any_name(af, 0);
	int fd[2];
	char c;

	tcp_pair(af, fd);
	bad.sa.sa_family = AF_UNIX;
	EXPECT_EQ(sendto(fd[0], "x", 1, 0, &bad.sa, bad.len), 1);
	bad.len = sizeof(bad.ss);
	EXPECT_EQ(recvfrom(fd[1], &c, 1, 0, &bad.sa, &bad.len), 1);
	EXPECT_EQ(bad.len, 0);
}

BOTH(urgent_data)
{
	int fd[2], at = -1;
	char b[8];

	tcp_pair(af, fd);
	EXPECT_ERR(recv(fd[1], b, 1, MSG_OOB), EINVAL);
	EXPECT_EQ(send(fd[0], "abX", 3, MSG_OOB), 3);
	EXPECT_EQ(send(fd[0], "cd", 2, 0), 2);
	EXPECT_EQ(poll_for(fd[1], POLLPRI), POLLPRI);
	EXPECT_OK(ioctl(fd[1], SIOCATMARK, &at));
	EXPECT_EQ(at, 0);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 2);
	EXPECT_OK(ioctl(fd[1], SIOCATMARK, &at));
	EXPECT_EQ(at, 1);
	EXPECT_EQ(recv(fd[1], b, 1, MSG_OOB), 1);
	EXPECT_EQ(b[0], 'X');
	EXPECT_ERR(recv(fd[1], b, 1, MSG_OOB), EINVAL);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 2);
}

TEST(pktinfo_tells_and_chooses_the_address)
{
	int a = lo_socket(AF_INET, SOCK_DGRAM), b = socket(AF_INET, SOCK_DGRAM, 0);
	struct in_pktinfo in, *got;
	struct name any = any_name(AF_INET, 0), to;
	struct ctl c;

	REQUIRE_OK(bind(b, &any.sa, any.len));
	EXPECT_OK(set_int(b, IPPROTO_IP, IP_PKTINFO, 1));
	to = lo_name(AF_INET, own_port(b));
	to.in.sin_addr.s_addr = htonl(0x7f000005);
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_EQ(recv_ctl(b, &c, 256, 0), 1);
	got = find_ctl(&c, IPPROTO_IP, IP_PKTINFO);
	REQUIRE(got);
	EXPECT_EQ(got->ipi_ifindex, if_nametoindex("lo"));
	EXPECT_EQ(got->ipi_addr.s_addr, htonl(0x7f000005));
	EXPECT_EQ(got->ipi_spec_dst.s_addr, htonl(0x7f000005));
	/* Send from an address of our choice. */
	memset(&in, 0, sizeof(in));
	in.ipi_spec_dst.s_addr = htonl(0x7f000007);
	to = lo_name(AF_INET, own_port(a));
	EXPECT_EQ(send_ctl(b, &to, IPPROTO_IP, IP_PKTINFO, &in, sizeof(in)), 1);
	any.len = sizeof(any.ss);
	EXPECT_EQ(recvfrom(a, c.data, 8, 0, &any.sa, &any.len), 1);
	EXPECT_EQ(any.in.sin_addr.s_addr, htonl(0x7f000007));
	in.ipi_spec_dst.s_addr = htonl(0xc0000201);
	EXPECT_ERR(send_ctl(b, &to, IPPROTO_IP, IP_PKTINFO, &in, sizeof(in)), ENETUNREACH);
	EXPECT_ERR(send_ctl(b, &to, IPPROTO_IP, IP_PKTINFO, &in, 4), EINVAL);
	in.ipi_spec_dst.s_addr = 0;
	in.ipi_ifindex = 99999;
	EXPECT_ERR(send_ctl(b, &to, IPPROTO_IP, IP_PKTINFO, &in, sizeof(in)), ENODEV);
}

TEST(pktinfo6_tells_and_chooses_the_interface)
{
	int a = lo_socket(AF_INET6, SOCK_DGRAM), b = socket(AF_INET6, SOCK_DGRAM, 0);
	struct in6_pktinfo in, *got;
	struct name any = any_name(AF_INET6, 0), to;
	struct ctl c;

	REQUIRE_OK(bind(b, &any.sa, any.len));
	EXPECT_OK(set_int(b, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	to = lo_name(AF_INET6, own_port(b));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_EQ(recv_ctl(b, &c, 256, 0), 1);
	got = find_ctl(&c, IPPROTO_IPV6, IPV6_PKTINFO);
	REQUIRE(got);
	EXPECT_EQ(got->ipi6_ifindex, if_nametoindex("lo"));
	EXPECT_EQ(memcmp(&got->ipi6_addr, &in6addr_loopback, 16), 0);
	memset(&in, 0, sizeof(in));
	in.ipi6_ifindex = if_nametoindex("lo");
	to = lo_name(AF_INET6, own_port(a));
	EXPECT_EQ(send_ctl(b, &to, IPPROTO_IPV6, IPV6_PKTINFO, &in, sizeof(in)), 1);
	in.ipi6_ifindex = 99999;
	EXPECT_ERR(send_ctl(b, &to, IPPROTO_IPV6, IPV6_PKTINFO, &in, sizeof(in)), ENODEV);
	in.ipi6_ifindex = 0;
	inet_pton(AF_INET6, "2001:db8::1", &in.ipi6_addr);
	EXPECT_ERR(send_ctl(b, &to, IPPROTO_IPV6, IPV6_PKTINFO, &in, sizeof(in)), EINVAL);
	EXPECT_ERR(send_ctl(b, &to, IPPROTO_IPV6, IPV6_PKTINFO, &in, 4), EINVAL);
}

TEST(ttl_and_tos_are_told)
{
	unsigned char *tos;
	int fd[2], ttl = 17, bad = 0;
	struct ctl c;

	udp_pair(AF_INET, fd);
	EXPECT_OK(set_int(fd[1], IPPROTO_IP, IP_RECVTTL, 1));
	EXPECT_OK(set_int(fd[1], IPPROTO_IP, IP_RECVTOS, 1));
	EXPECT_OK(set_int(fd[0], IPPROTO_IP, IP_TTL, 33));
	EXPECT_OK(set_int(fd[0], IPPROTO_IP, IP_TOS, 0x10));
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	EXPECT_EQ(ctl_int(&c, IPPROTO_IP, IP_TTL), 33);
	tos = find_ctl(&c, IPPROTO_IP, IP_TOS);
	EXPECT(tos && *tos == 0x10);
	/* A message may override it. */
	EXPECT_EQ(send_ctl(fd[0], NULL, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	EXPECT_EQ(ctl_int(&c, IPPROTO_IP, IP_TTL), 17);
	EXPECT_ERR(send_ctl(fd[0], NULL, IPPROTO_IP, IP_TTL, &bad, sizeof(bad)), EINVAL);
	EXPECT_ERR(send_ctl(fd[0], NULL, IPPROTO_IP, IP_TTL, &ttl, 1), EINVAL);
	ttl = 0x28;
	EXPECT_EQ(send_ctl(fd[0], NULL, IPPROTO_IP, IP_TOS, &ttl, sizeof(ttl)), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	tos = find_ctl(&c, IPPROTO_IP, IP_TOS);
	EXPECT(tos && *tos == 0x28);
	EXPECT_ERR(send_ctl(fd[0], NULL, IPPROTO_IP, 777, &ttl, 4), EINVAL);
	EXPECT_ERR(send_ctl(fd[0], NULL, SOL_SOCKET, 777, &ttl, 4), EINVAL);
	EXPECT_EQ(send_ctl(fd[0], NULL, 777, 1, &ttl, 4), 1);
}

TEST(hop_limit_and_class_are_told)
{
	int fd[2], v = 17;
	struct ctl c;

	udp_pair(AF_INET6, fd);
	EXPECT_OK(set_int(fd[1], IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
	EXPECT_OK(set_int(fd[1], IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
	EXPECT_OK(set_int(fd[0], IPPROTO_IPV6, IPV6_UNICAST_HOPS, 33));
	EXPECT_OK(set_int(fd[0], IPPROTO_IPV6, IPV6_TCLASS, 0x10));
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	EXPECT_EQ(ctl_int(&c, IPPROTO_IPV6, IPV6_HOPLIMIT), 33);
	EXPECT_EQ(ctl_int(&c, IPPROTO_IPV6, IPV6_TCLASS), 0x10);
	EXPECT_EQ(send_ctl(fd[0], NULL, IPPROTO_IPV6, IPV6_HOPLIMIT, &v, sizeof(v)), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	EXPECT_EQ(ctl_int(&c, IPPROTO_IPV6, IPV6_HOPLIMIT), 17);
	EXPECT_EQ(send_ctl(fd[0], NULL, IPPROTO_IPV6, IPV6_TCLASS, &v, sizeof(v)), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	EXPECT_EQ(ctl_int(&c, IPPROTO_IPV6, IPV6_TCLASS), 17);
	v = 256;
	EXPECT_ERR(send_ctl(fd[0], NULL, IPPROTO_IPV6, IPV6_HOPLIMIT, &v, sizeof(v)), EINVAL);
}

BOTH(timestamps_are_told)
{
	struct timespec *ns;
	struct timeval *us;
	struct ctl c;
	int fd[2];

	udp_pair(af, fd);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, SO_TIMESTAMP, 1));
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	us = find_ctl(&c, SOL_SOCKET, SO_TIMESTAMP);
	EXPECT(us && llabs(us->tv_sec - time(NULL)) < 100);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, SO_TIMESTAMPNS, 1));
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, SO_TIMESTAMPNS), 1);
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, SO_TIMESTAMP), 0);
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 256, 0), 1);
	ns = find_ctl(&c, SOL_SOCKET, SO_TIMESTAMPNS);
	EXPECT(ns && llabs(ns->tv_sec - time(NULL)) < 100);
	EXPECT(!find_ctl(&c, SOL_SOCKET, SO_TIMESTAMP));
}

BOTH(too_little_room_for_control_is_ctrunc)
{
	struct ctl c;
	int fd[2];

	udp_pair(af, fd);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, SO_TIMESTAMP, 1));
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, CMSG_LEN(4), 0), 1);
	EXPECT_EQ(c.m.msg_flags, MSG_CTRUNC);
	EXPECT_EQ(c.m.msg_controllen, CMSG_LEN(4));
	EXPECT_EQ(((struct cmsghdr *)c.buf)->cmsg_len, CMSG_LEN(4));
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(recv_ctl(fd[1], &c, 0, 0), 1);
	EXPECT_EQ(c.m.msg_flags, MSG_CTRUNC);
	EXPECT_EQ(c.m.msg_controllen, 0);
}

BOTH(broken_control_messages_are_refused)
{
	struct ctl c = { .data = "x" };
	struct cmsghdr *h = (struct cmsghdr *)c.buf;
	int fd[2];

	udp_pair(af, fd);
	c.iov = (struct iovec){ c.data, 1 };
	c.m = (struct msghdr){ .msg_iov = &c.iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = 64 };
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SO_MARK;
	h->cmsg_len = 3;
	EXPECT_ERR(sendmsg(fd[0], &c.m, 0), EINVAL);
	h->cmsg_len = 65;
	EXPECT_ERR(sendmsg(fd[0], &c.m, 0), EINVAL);
	c.m.msg_controllen = 5;         /* not even a header: nothing */
	EXPECT_EQ(sendmsg(fd[0], &c.m, 0), 1);
	c.m.msg_controllen = 64;
	c.m.msg_control = BAD_PTR;
	EXPECT_ERR(sendmsg(fd[0], &c.m, 0), EFAULT);
	c.m.msg_control = NULL;
	c.m.msg_controllen = 0;
	c.m.msg_iovlen = 1025;
	EXPECT_ERR(sendmsg(fd[0], &c.m, 0), EMSGSIZE);
	c.m.msg_iovlen = 1;
	c.m.msg_name = c.data;
	c.m.msg_namelen = (socklen_t)-1;
	EXPECT_ERR(sendmsg(fd[0], &c.m, 0), EINVAL);
	EXPECT_ERR(recvmsg(fd[0], &c.m, MSG_DONTWAIT), EINVAL);
}

BOTH(mmsg_moves_many)
{
	struct mmsghdr m[4] = { 0 };
	struct iovec iov[4];
	char b[4][8] = { "a", "bb", "ccc", "dddd" };
	struct timespec ts = { 0, 20000000 };
	int fd[2];

	udp_pair(af, fd);
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ b[i], (size_t)i + 1 };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	EXPECT_EQ(sendmmsg(fd[0], m, 4, 0), 4);
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(m[i].msg_len, i + 1);
		iov[i].iov_len = 8;
	}
	EXPECT_EQ(recvmmsg(fd[1], m, 3, 0, NULL), 3);
	EXPECT_EQ(m[2].msg_len, 3);
	EXPECT_EQ(recvmmsg(fd[1], m, 4, MSG_WAITFORONE, NULL), 1);
	EXPECT_ERR(recvmmsg(fd[1], m, 4, MSG_DONTWAIT, NULL), EAGAIN);
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(recvmmsg(fd[1], m, 4, MSG_DONTWAIT, &ts), 1);
	EXPECT_EQ(sendmmsg(fd[0], m, 0, 0), 0);
	m[1].msg_hdr.msg_iov = BAD_PTR;
	EXPECT_EQ(sendmmsg(fd[0], m, 4, 0), 1);
	ts.tv_nsec = 1000000000;
	EXPECT_ERR(recvmmsg(fd[1], m, 4, 0, &ts), EINVAL);
}

BOTH(a_fault_takes_nothing)
{
	struct iovec iov[2] = { { NULL, 2 }, { BAD_PTR, 2 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	char b[8];
	int fd[2];

	iov[0].iov_base = b;
	tcp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "abcd", 4, 0), 4);
	EXPECT_EQ(poll_for(fd[1], POLLIN), POLLIN);
	EXPECT_ERR(recv(fd[1], BAD_PTR, 4, 0), EFAULT);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 4);
	EXPECT_ERR(send(fd[0], BAD_PTR, 4, 0), EFAULT);
	EXPECT_ERR(recv(fd[1], b, 8, MSG_DONTWAIT), EAGAIN);
	udp_pair(af, fd);
	EXPECT_ERR(sendmsg(fd[0], &m, 0), EFAULT);
	EXPECT_ERR(recv(fd[1], b, 8, MSG_DONTWAIT), EAGAIN);
}

BOTH(more_holds_a_small_segment)
{
	int fd[2];
	char b[16];

	tcp_pair(af, fd);
	EXPECT_EQ(send(fd[0], "ab", 2, MSG_MORE), 2);
	EXPECT_EQ(send(fd[0], "cd", 2, 0), 2);
	EXPECT_EQ(recv(fd[1], b, 16, 0), 4);
}

BOTH(peek_off_is_only_for_some)
{
	int fd[2];
	char b[8];

	udp_pair(af, fd);
	EXPECT_EQ(get_int(fd[1], SOL_SOCKET, SO_PEEK_OFF), -1);
	EXPECT_OK(set_int(fd[1], SOL_SOCKET, SO_PEEK_OFF, 1));
	EXPECT_EQ(send(fd[0], "abcd", 4, 0), 4);
	EXPECT_EQ(recv(fd[1], b, 2, MSG_PEEK), 2);
	EXPECT_EQ(b[0], 'b');
	EXPECT_EQ(recv(fd[1], b, 8, MSG_PEEK), 1);
	EXPECT_EQ(b[0], 'd');
	EXPECT_EQ(recv(fd[1], b, 8, 0), 4);
}

/* Long reads and writes into a hole: what fits is moved, and nothing is lost or comes twice. */
BOTH(long_transfers_that_run_into_a_hole)
{
	enum { ROOM = 150000, ALL = 300000 };
	static unsigned char want[ALL], got[ALL];
	size_t edge = (ROOM + 4095) / 4096 * 4096, sent = 0, have = 0;
	unsigned char *m = mmap(NULL, edge + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd[2], big = 1 << 20, on = 1;
	ssize_t n;

	REQUIRE(m != MAP_FAILED && mprotect(m + edge, 4096, PROT_NONE) == 0);
	for (size_t i = 0; i < ALL; i++)
		want[i] = (unsigned char)(i * 7 + i / 1000);
	tcp_pair(af, fd);
	EXPECT_OK(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big)));
	EXPECT_OK(setsockopt(fd[1], SOL_SOCKET, SO_RCVBUF, &big, sizeof(big)));
	EXPECT_OK(setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	while (sent < 120000) {
		/* From the end of the room, so that half of it is not there. */
		memcpy(m + edge - 60000, want + sent, 60000);
		n = send(fd[0], m + edge - 60000, 120000, 0);
		REQUIRE(n > 0 && n <= 60000);
		sent += (size_t)n;
	}
	while (have < sent) {
		n = recv(fd[1], m + edge - 30000, 90000, 0);
		if (n < 0) {            /* not one piece fitted: Linux gives up on the whole of it */
			EXPECT_EQ(errno, EFAULT);
			n = recv(fd[1], m, 30000, 0);
			REQUIRE(n > 0);
			memcpy(got + have, m, (size_t)n);
		} else {
			REQUIRE(n > 0 && n <= 30000);
			memcpy(got + have, m + edge - 30000, (size_t)n);
		}
		have += (size_t)n;
	}
	EXPECT_EQ(have, sent);
	EXPECT_EQ(memcmp(want, got, sent), 0);
}

TEST(peeking_goes_on_where_it_ended)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
		int l = socket(AF_INET, types[i], 0), c = socket(AF_INET, types[i], 0), r = l, zero = 0, v;
		socklen_t n = sizeof(a);
		char buf[16];

		REQUIRE_OK(bind(l, (void *)&a, sizeof(a)));
		REQUIRE_OK(getsockname(l, (void *)&a, &n));
		if (types[i] == SOCK_STREAM)
			REQUIRE_OK(listen(l, 1));
		REQUIRE_OK(connect(c, (void *)&a, sizeof(a)));
		if (types[i] == SOCK_STREAM)
			r = accept(l, NULL, NULL);
		if (setsockopt(r, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)) < 0)
			SKIP("no SO_PEEK_OFF of TCP before Linux 6.9");
		EXPECT_EQ(send(c, "abcdef", 6, 0), 6);
		EXPECT_EQ(recv(r, buf, 4, MSG_PEEK), 4);
		EXPECT_EQ(recv(r, buf, 4, MSG_PEEK), 2);
		EXPECT_EQ(buf[0], 'e');
		EXPECT_ERR(recv(r, buf, 4, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
		EXPECT_EQ(recv(r, buf, 4, 0), 4);
		EXPECT_EQ(buf[0], 'a');
		n = sizeof(v);
		EXPECT_OK(getsockopt(r, SOL_SOCKET, SO_PEEK_OFF, &v, &n));
		EXPECT_EQ(v, 2);
	}
}

TEST(a_socket_whose_connection_was_refused_is_as_new)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in wrong = { .sin_family = AF_INET6, .sin_port = htons(5) };
	int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd p = { s, POLLIN | POLLRDHUP | POLLOUT, 0 };
	socklen_t n = sizeof(a);
	char c;

	REQUIRE_OK(bind(l, (void *)&a, sizeof(a)));
	REQUIRE_OK(getsockname(l, (void *)&a, &n));
	EXPECT_ERR(connect(s, (void *)&a, sizeof(a)), ECONNREFUSED);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT | POLLHUP);
	EXPECT_ERR(recv(s, &c, 1, 0), ENOTCONN);
	EXPECT_ERR(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
	REQUIRE_OK(listen(l, 1));
	EXPECT_OK(connect(s, (void *)&a, sizeof(a)));
	EXPECT_EQ(send(s, "x", 1, 0), 1);
	EXPECT_ERR(sendto(u, "x", 1, 0, (void *)&wrong, sizeof(wrong)), EAFNOSUPPORT);
	p = (struct pollfd){ u, POLLWRBAND, 0 };
	EXPECT_EQ(poll(&p, 1, 0), 1);
}

TEST_MAIN()
