/*
 * inet_ipopts.c - IPv4 options: IP_OPTIONS, IP_RETOPTS and IP_RECVOPTS, and what becomes of them on their way over loopback.
 */
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include "tests/lib/inet.h"

#define LO 127, 0, 0, 1
#define RR3 7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define SET(fd, ...) setsockopt(fd, IPPROTO_IP, IP_OPTIONS, (unsigned char[]){ __VA_ARGS__ }, sizeof((unsigned char[]){ __VA_ARGS__ }))

static int udp(void) { return lo_socket(AF_INET, SOCK_DGRAM); }

/* What IP_OPTIONS tells, as hex digits. */
static const char *shown(int fd)
{
	static char s[100];
	unsigned char b[64];
	socklen_t n = sizeof(b);

	memset(b, 0xee, sizeof(b));
	if (getsockopt(fd, IPPROTO_IP, IP_OPTIONS, b, &n) < 0)
		return strerror(errno);
	s[0] = 0;
	for (unsigned i = 0; i < n && i < sizeof(b); i++)
		snprintf(s + 2 * i, 3, "%02x", b[i]);
	return s;
}

/* The options that a message came with, as hex; @times: what is not the same in each run is shown as t. */
struct got { char opts[100], ret[100]; int flags; };

static void hex(char *s, const unsigned char *b, size_t n)
{
	s[0] = 0;
	for (size_t i = 0; i < n && i < 48; i++)
		snprintf(s + 2 * i, 3, "%02x", b[i]);
}

static struct got take(int fd, size_t room)
{
	_Alignas(struct cmsghdr) char buf[256];
	char data[2048];
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = room };
	struct got g = { "-", "-", 0 };

	REQUIRE(poll_for(fd, POLLIN) == POLLIN);
	REQUIRE_OK(recvmsg(fd, &m, 0));
	g.flags = m.msg_flags;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != IPPROTO_IP)
			continue;
		if (h->cmsg_type == IP_RECVOPTS)
			hex(g.opts, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
		if (h->cmsg_type == IP_RETOPTS)
			hex(g.ret, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
	}
	return g;
}

static ssize_t send_opts(int fd, const struct name *to, const void *o, size_t n)
{
	_Alignas(struct cmsghdr) char buf[256] = { 0 };
	struct iovec v = { (char[]){ 'x' }, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = CMSG_SPACE(n),
			    .msg_name = (void *)&to->ss, .msg_namelen = to->len };
	struct cmsghdr *h = (struct cmsghdr *)buf;

	h->cmsg_len = CMSG_LEN(n);
	h->cmsg_level = IPPROTO_IP;
	h->cmsg_type = IP_RETOPTS;
	memcpy(CMSG_DATA(h), o, n);
	return sendmsg(fd, &m, 0);
}

TEST(what_is_set_is_told_again_padded)
{
	int fd = udp();

	EXPECT_STR(shown(fd), "");
	EXPECT_OK(SET(fd, RR3));
	EXPECT_STR(shown(fd), "070f0400000000000000000000000000");
	EXPECT_OK(SET(fd, 1, 1, 1));
	EXPECT_STR(shown(fd), "01010100");
	EXPECT_OK(SET(fd, 0, 7, 7, 7));
	EXPECT_STR(shown(fd), "00000000");
	EXPECT_OK(SET(fd, 1));
	EXPECT_STR(shown(fd), "01000000");
	EXPECT_OK(SET(fd, 68, 12, 5, 0, 9, 9, 9, 9, 8, 8, 8, 8));
	EXPECT_STR(shown(fd), "440c05000000000008080808");
	EXPECT_OK(SET(fd, 68, 12, 5, 1, 9, 9, 9, 9, 8, 8, 8, 8));
	EXPECT_STR(shown(fd), "440c05010000000000000000");
	EXPECT_OK(SET(fd, 68, 12, 5, 3, LO, 8, 8, 8, 8));
	EXPECT_STR(shown(fd), "440c05037f00000100000000");
	EXPECT_OK(SET(fd, 68, 12, 5, 3, 1, 2, 3, 4, 8, 8, 8, 8));
	EXPECT_STR(shown(fd), "440c05030102030408080808");
	EXPECT_OK(SET(fd, 131, 11, 4, 10, 1, 1, 1, 10, 2, 2, 2));
	EXPECT_STR(shown(fd), "830b040a0101010a02020200");
	EXPECT_OK(SET(fd, 137, 7, 4, 10, 1, 1, 1));
	EXPECT_STR(shown(fd), "8907040a01010100");
	EXPECT_OK(SET(fd, 148, 4, 0, 0));
	EXPECT_STR(shown(fd), "94040000");
	EXPECT_OK(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0));
	EXPECT_STR(shown(fd), "");
}

TEST(what_has_no_shape_is_refused)
{
	static unsigned char long_one[44] = { 1 };
	int fd = udp();

	memset(long_one, 1, sizeof(long_one));
	EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, long_one, 41), EINVAL);
	EXPECT_OK(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, long_one, 40));
	EXPECT_ERR(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, BAD_PTR, 4), EFAULT);
	EXPECT_ERR(SET(fd, 7), EINVAL);
	EXPECT_ERR(SET(fd, 7, 3), EINVAL);
	EXPECT_ERR(SET(fd, 7, 3, 3), EINVAL);
	EXPECT_OK(SET(fd, 7, 3, 4));
	EXPECT_ERR(SET(fd, 7, 5, 4, 0, 0), EINVAL);
	EXPECT_ERR(SET(fd, 7, 9, 4, 0, 0, 0, 0, 0), EINVAL);
	EXPECT_ERR(SET(fd, RR3, 7, 3, 4), EINVAL);
	EXPECT_ERR(SET(fd, 68, 3, 5), EINVAL);
	EXPECT_ERR(SET(fd, 68, 8, 4, 0, 0, 0, 0, 0), EINVAL);
	EXPECT_ERR(SET(fd, 68, 8, 5, 1, 0, 0, 0, 0), EINVAL);
	EXPECT_ERR(SET(fd, 68, 4, 5, 0xf0), EINVAL);
	EXPECT_OK(SET(fd, 68, 4, 5, 0xe0));
	EXPECT_ERR(SET(fd, 68, 4, 5, 0xe0, 68, 4, 5, 0xe0), EINVAL);
	EXPECT_ERR(SET(fd, 131, 7, 8, 1, 2, 3, 4), EINVAL);
	EXPECT_ERR(SET(fd, 131, 6, 4, 1, 2, 3), EINVAL);
	EXPECT_ERR(SET(fd, 131, 3, 4), EINVAL);
	EXPECT_ERR(SET(fd, 131, 8, 4, 1, 2, 3, 4, 5), EINVAL);
	EXPECT_ERR(SET(fd, 131, 7, 4, 1, 2, 3, 4, 137, 7, 4, 1, 2, 3, 4), EINVAL);
	EXPECT_ERR(SET(fd, 148, 3, 0), EINVAL);
	EXPECT_OK(SET(fd, 148, 4, 0, 1));
	EXPECT_ERR(SET(fd, 1, 9, 1), EINVAL);
	EXPECT_ERR(SET(fd, 9, 0, 1), EINVAL);
	EXPECT_STR(shown(fd), "94040001");
}

static void plain_user(void)
{
	int fd;

	REQUIRE_OK(setgid(65534));
	REQUIRE_OK(setuid(65534));
	fd = udp();
	EXPECT_ERR(SET(fd, 9, 4, 1, 1), EINVAL);
	EXPECT_ERR(SET(fd, 68, 12, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0), EINVAL);
	EXPECT_OK(SET(fd, RR3));
	EXPECT_OK(SET(fd, 148, 4, 0, 0));
	EXPECT_ERR(SET(fd, 7, 3, 3), EINVAL);
	EXPECT_ERR(SET(fd, 9, 4, 1, 1, 7, 3, 3), EINVAL);
}

TEST(options_of_no_known_kind_need_a_capability)
{
	int fd = udp();

	EXPECT_OK(SET(fd, 9, 4, 1, 1));
	EXPECT_STR(shown(fd), "09040101");
	EXPECT_OK(SET(fd, 130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_OK(SET(fd, 68, 12, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_EQ(in_child(plain_user), 0);
}

TEST(a_short_room_gets_a_part)
{
	unsigned char b[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
	socklen_t n = 6;
	int fd = udp();

	EXPECT_OK(SET(fd, RR3));
	EXPECT_OK(getsockopt(fd, IPPROTO_IP, IP_OPTIONS, b, &n));
	EXPECT_EQ(n, 6);
	EXPECT_EQ(b[5], 0);
	EXPECT_EQ(b[6], 9);
	n = 0;
	EXPECT_OK(getsockopt(fd, IPPROTO_IP, IP_OPTIONS, b, &n));
	EXPECT_EQ(n, 0);
}

TEST(a_route_is_recorded_on_the_way)
{
	int a = udp(), b = udp();
	struct name to = own_name(b);
	struct got g;

	EXPECT_OK(set_int(b, IPPROTO_IP, IP_RECVOPTS, 1));
	EXPECT_OK(SET(a, RR3));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 256);
	EXPECT_STR(g.opts, "070f0c7f0000017f0000010000000000");
	EXPECT_STR(g.ret, "-");
	EXPECT_OK(set_int(b, IPPROTO_IP, IP_RETOPTS, 1));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 256);
	EXPECT_STR(g.ret, "070f0c7f0000017f0000010000000000");
	EXPECT_EQ(g.flags, 0);
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 20);
	EXPECT_EQ(g.flags, MSG_CTRUNC);
	/* A room for one address: it is full when it is sent. */
	EXPECT_OK(SET(a, 7, 7, 4, 0, 0, 0, 0));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	EXPECT_STR(take(b, 256).opts, "0707087f00000100");
	EXPECT_OK(SET(a, 7, 3, 4));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	EXPECT_STR(take(b, 256).opts, "07030400");
	EXPECT_OK(setsockopt(a, IPPROTO_IP, IP_OPTIONS, NULL, 0));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 256);
	EXPECT_STR(g.opts, "-");
	EXPECT_STR(g.ret, "-");
}

/* Digits from @from on, eight of them, that may not be all zero; they become t. */
static void a_time(char *s, size_t from)
{
	REQUIRE(strlen(s) >= from + 8);
	EXPECT(strncmp(s + from, "00000000", 8) != 0);
	memset(s + from, 't', 8);
}

TEST(stamps_are_filled_in)
{
	int a = udp(), b = udp();
	struct name to = own_name(b);
	struct got g;

	EXPECT_OK(set_int(b, IPPROTO_IP, IP_RECVOPTS, 1));
	EXPECT_OK(set_int(b, IPPROTO_IP, IP_RETOPTS, 1));
	EXPECT_OK(SET(a, 68, 16, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 256);
	a_time(g.opts, 8);
	a_time(g.opts, 16);
	EXPECT_STR(g.opts, "44100d00tttttttttttttttt00000000");
	a_time(g.ret, 8);
	a_time(g.ret, 16);
	EXPECT_STR(g.ret, "44100d00tttttttttttttttt00000000");
	EXPECT_OK(SET(a, 68, 20, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 256);
	a_time(g.opts, 16);
	a_time(g.opts, 32);
	EXPECT_STR(g.opts, "441415017f000001tttttttt7f000001tttttttt");
	/* Full: whoever finds no room counts. */
	EXPECT_OK(SET(a, 68, 8, 5, 0, 0, 0, 0, 0));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 256);
	a_time(g.opts, 8);
	EXPECT_STR(g.opts, "44080910tttttttt");
	EXPECT_OK(SET(a, 68, 12, 5, 3, LO, 0, 0, 0, 0));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	g = take(b, 256);
	a_time(g.opts, 16);
	EXPECT_STR(g.opts, "440c0d037f000001tttttttt");
	EXPECT_OK(SET(a, 68, 12, 5, 3, 10, 9, 8, 7, 0, 0, 0, 0));
	EXPECT_OK(sendto(a, "x", 1, 0, &to.sa, to.len));
	EXPECT_STR(take(b, 256).opts, "440c05030a09080700000000");
}

TEST(a_message_may_have_options_of_its_own)
{
	static const unsigned char rr[] = { RR3 }, nops[] = { 1, 1, 1, 1 }, odd[] = { 1, 1, 1, 1, 1 }, bad[] = { 7, 3, 3, 0 };
	unsigned char many[44];
	int a = udp(), b = udp();
	struct name to = own_name(b);

	memset(many, 1, sizeof(many));
	EXPECT_OK(set_int(b, IPPROTO_IP, IP_RECVOPTS, 1));
	EXPECT_OK(SET(a, 148, 4, 0, 0));
	EXPECT_EQ(send_opts(a, &to, rr, sizeof(rr)), 1);
	EXPECT_STR(take(b, 256).opts, "070f0c7f0000017f0000010000000000");
	EXPECT_EQ(send_opts(a, &to, nops, 4), 1);
	EXPECT_STR(take(b, 256).opts, "01010101");
	EXPECT_EQ(send_opts(a, &to, odd, 5), 1);
	EXPECT_STR(take(b, 256).opts, "0101010101000000");
	EXPECT_ERR(send_opts(a, &to, bad, 4), EINVAL);
	EXPECT_EQ(send_opts(a, &to, many, 44), 1);      /* more than fits is cut off */
	EXPECT_EQ(strlen(take(b, 256).opts), 80);
	EXPECT_EQ(send_opts(a, &to, rr, 0), 1);         /* none, not the socket's */
	EXPECT_STR(take(b, 256).opts, "-");
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 256).opts, "94040000");
}

TEST(options_leave_less_room_for_data)
{
	static char big[65508];
	int a = udp(), b = udp(), one = 1;
	struct name to = own_name(b);

	EXPECT_OK(set_int(a, SOL_SOCKET, SO_SNDBUF, 200000));
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_RCVBUF, 200000));
	EXPECT_EQ(sendto(a, big, 65507, 0, &to.sa, to.len), 65507);
	EXPECT_OK(SET(a, RR3));
	EXPECT_ERR(sendto(a, big, 65507, 0, &to.sa, to.len), EMSGSIZE);
	EXPECT_ERR(sendto(a, big, 65492, 0, &to.sa, to.len), EMSGSIZE);
	EXPECT_EQ(sendto(a, big, 65491, 0, &to.sa, to.len), 65491);
	EXPECT_EQ(recv(b, big, sizeof(big), 0), 65507);
	EXPECT_EQ(recv(b, big, sizeof(big), 0), 65491);
	(void)one;
}

TEST(a_source_route_is_not_taken)
{
	int a = udp(), b = udp();
	struct name to = own_name(b);

	EXPECT_OK(set_int(b, IPPROTO_IP, IP_RECVOPTS, 1));
	EXPECT_OK(SET(a, 131, 7, 4, LO));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(SET(a, 137, 7, 4, LO));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(SET(a, 148, 4, 0, 0));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 256).opts, "94040000");
}

TEST(an_echo_brings_options_back)
{
	struct { struct icmphdr h; char data[8]; } m = { .h = { .type = ICMP_ECHO } };
	struct name to = lo_name(AF_INET, 0);
	unsigned char b[256];
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), filter = ~(1 << ICMP_ECHOREPLY);
	char s[100];
	ssize_t n;

	REQUIRE(fd >= 0);
	REQUIRE_OK(setsockopt(fd, 255, 1, &filter, sizeof(filter)));
	m.h.un.echo.id = htons((uint16_t)getpid());
	m.h.checksum = (uint16_t)~(htons(0x0800) + m.h.un.echo.id);
	if ((uint32_t)htons(0x0800) + m.h.un.echo.id > 0xffff)
		m.h.checksum = (uint16_t)~(htons(0x0800) + m.h.un.echo.id + 1);
	EXPECT_OK(SET(fd, 7, 23, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
	REQUIRE_OK(sendto(fd, &m, sizeof(m), 0, &to.sa, to.len));
	for (;;) {
		n = recv(fd, b, sizeof(b), 0);
		if (n < 0 || (n >= 60 && !memcmp(b + (b[0] & 15) * 4 + 4, &m.h.un.echo.id, 2)))
			break;
	}
	REQUIRE(n > 0);
	EXPECT_EQ((b[0] & 15) * 4, 44);
	hex(s, b + 20, 24);
	EXPECT_STR(s, "0717147f0000017f0000017f0000017f0000010000000000");
}

TEST(options_and_a_header_of_ones_own_exclude_each_other)
{
	unsigned char p[24] = { 0x45, 0, 0, 24, 0, 0, 0, 0, 64, 253, 0, 0, LO, LO };
	struct name to = lo_name(AF_INET, 0);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	REQUIRE(fd >= 0);
	EXPECT_EQ(sendto(fd, p, sizeof(p), 0, &to.sa, to.len), sizeof(p));
	EXPECT_OK(SET(fd, 1, 1, 1, 1));
	EXPECT_ERR(sendto(fd, p, sizeof(p), 0, &to.sa, to.len), EINVAL);
	EXPECT_OK(set_int(fd, IPPROTO_IP, IP_HDRINCL, 0));
	EXPECT_EQ(sendto(fd, p, 4, 0, &to.sa, to.len), 4);
}

TEST(a_connection_answers_with_the_options_of_its_syn)
{
	int l = lo_listener(AF_INET, 4), c = socket(AF_INET, SOCK_STREAM, 0), a;
	struct name n = own_name(l);
	char b[8];

	EXPECT_OK(SET(l, 1, 1, 1, 1));
	EXPECT_OK(SET(c, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0));
	REQUIRE_OK(connect(c, &n.sa, n.len));
	a = accept(l, NULL, NULL);
	REQUIRE(a >= 0);
	EXPECT_STR(shown(c), "070b04000000000000000000");
	EXPECT_STR(shown(a), "070b0c7f0000017f00000100");
	EXPECT_STR(shown(l), "01010101");
	EXPECT_EQ(send(c, "hello", 5, 0), 5);
	EXPECT_EQ(recv(a, b, 8, 0), 5);
	EXPECT_EQ(send(a, "hello", 5, 0), 5);
	EXPECT_EQ(recv(c, b, 8, 0), 5);
	/* Without options there are none to answer with. */
	close(c);
	c = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE_OK(connect(c, &n.sa, n.len));
	a = accept(l, NULL, NULL);
	REQUIRE(a >= 0);
	EXPECT_STR(shown(a), "");
}

/* Of each segment's room the options take their part. */
TEST(segments_have_room_for_options)
{
	static char big[200000], in[200000];
	struct name to;
	int fd[3], status;
	size_t n = 0;
	pid_t pid;
	int mss;

	fd[2] = lo_listener(AF_INET, 1);
	to = own_name(fd[2]);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE_OK(set_int(fd[0], IPPROTO_TCP, TCP_MAXSEG, 1000));
	REQUIRE_OK(connect(fd[0], &to.sa, to.len));
	fd[1] = accept(fd[2], NULL, NULL);
	mss = get_int(fd[0], IPPROTO_TCP, TCP_MAXSEG);
	EXPECT_OK(SET(fd[0], RR3));
	EXPECT_EQ(get_int(fd[0], IPPROTO_TCP, TCP_MAXSEG), mss - 16);
	EXPECT_OK(SET(fd[0], 1, 1, 1, 1));
	EXPECT_EQ(get_int(fd[0], IPPROTO_TCP, TCP_MAXSEG), mss - 4);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	pid = fork();
	if (pid == 0)
		_exit(send(fd[0], big, sizeof(big), MSG_WAITALL) != sizeof(big));
	close(fd[0]);
	while (n < sizeof(in)) {
		ssize_t r = recv(fd[1], in + n, sizeof(in) - n, 0);

		REQUIRE(r > 0);
		n += (size_t)r;
	}
	EXPECT(memcmp(in, big, sizeof(in)) == 0);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(mapped_addresses_have_options_of_ipv4)
{
	int a = lo_socket(AF_INET6, SOCK_DGRAM), b = udp();
	struct name to = any_name(AF_INET6, own_port(b));

	close(a);
	a = socket(AF_INET6, SOCK_DGRAM, 0);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.in6.sin6_addr);
	EXPECT_OK(set_int(b, IPPROTO_IP, IP_RECVOPTS, 1));
	EXPECT_OK(SET(a, 148, 4, 0, 0));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 256).opts, "94040000");
}

TEST_MAIN()
