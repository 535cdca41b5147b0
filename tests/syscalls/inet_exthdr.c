/*
 * inet_exthdr.c - extension headers of IPv6 (RFC 3542 and RFC 2292): set, told, sent by message, and what arrives over loopback.
 */
#include "tests/lib/inet.h"

enum { O_PKTOPTIONS = 6, O_2292HOP = 3, O_2292DST = 4, O_2292RT = 5 };

/* An option of a kind that everybody passes over, with n bytes of data. */
#define PASS(n) 0x1e, (n)
#define HOP 0, 0, PASS(4), 1, 2, 3, 4
#define DST 0, 0, PASS(4), 5, 6, 7, 8
#define SRH 0, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define SET(fd, opt, ...) setsockopt(fd, IPPROTO_IPV6, opt, (unsigned char[]){ __VA_ARGS__ }, sizeof((unsigned char[]){ __VA_ARGS__ }))

static int udp(void) { return lo_socket(AF_INET6, SOCK_DGRAM); }

static void hex(char *s, size_t room, const unsigned char *b, size_t n)
{
	s[0] = 0;
	for (size_t i = 0; i < n && 2 * i + 3 <= room; i++)
		snprintf(s + 2 * i, 3, "%02x", b[i]);
}

static const char *shown(int fd, int opt)
{
	static char s[100];
	unsigned char b[64];
	socklen_t n = sizeof(b);

	if (getsockopt(fd, IPPROTO_IPV6, opt, b, &n) < 0)
		return strerror(errno);
	hex(s, sizeof(s), b, n);
	return s;
}

/* The control messages of a datagram: "type:hex " each, what is longer than 24 bytes with its length only. */
static const char *take(int fd, size_t room, int *flags)
{
	static char s[400], data[70000];
	static _Alignas(struct cmsghdr) char buf[8192];
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = room };
	size_t at = 0;

	REQUIRE(poll_for(fd, POLLIN) == POLLIN);
	REQUIRE_OK(recvmsg(fd, &m, 0));
	if (flags)
		*flags = m.msg_flags;
	s[0] = 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h && at < sizeof(s) - 100; h = CMSG_NXTHDR(&m, h)) {
		size_t n = h->cmsg_len - CMSG_LEN(0);
		unsigned char *d = CMSG_DATA(h);

		at += (size_t)snprintf(s + at, sizeof(s) - at, "%s%d:", at ? " " : "", h->cmsg_type);
		if (n > 24)
			at += (size_t)snprintf(s + at, sizeof(s) - at, "%zu", n);
		else
			hex(s + at, sizeof(s) - at, d, n);
		at = strlen(s);
	}
	return s;
}

struct part { int type; const unsigned char *p; size_t n; };

static ssize_t send_parts(int fd, const struct name *to, const struct part *parts, int count)
{
	static _Alignas(struct cmsghdr) char buf[8192];
	struct iovec v = { (char[]){ 'x' }, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = buf,
			    .msg_name = (void *)&to->ss, .msg_namelen = to->len };

	memset(buf, 0, sizeof(buf));
	for (int i = 0; i < count; i++) {
		struct cmsghdr *h = (struct cmsghdr *)(buf + m.msg_controllen);

		h->cmsg_len = CMSG_LEN(parts[i].n);
		h->cmsg_level = IPPROTO_IPV6;
		h->cmsg_type = parts[i].type;
		memcpy(CMSG_DATA(h), parts[i].p, parts[i].n);
		m.msg_controllen += CMSG_SPACE(parts[i].n);
	}
	return sendmsg(fd, &m, 0);
}

#define BYTES(...) (const unsigned char[]){ __VA_ARGS__ }, sizeof((unsigned char[]){ __VA_ARGS__ })

TEST(what_is_set_is_told_again)
{
	unsigned char b[64];
	socklen_t n = 3;
	int fd = udp();

	EXPECT_STR(shown(fd, IPV6_HOPOPTS), "");
	EXPECT_OK(SET(fd, IPV6_HOPOPTS, HOP));
	EXPECT_OK(SET(fd, IPV6_DSTOPTS, DST, 1, 1, 1, 1, 1, 1, 1, 1));
	EXPECT_OK(SET(fd, IPV6_RTHDRDSTOPTS, 0, 1, PASS(12), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
	EXPECT_OK(SET(fd, IPV6_RTHDR, SRH));
	EXPECT_STR(shown(fd, IPV6_HOPOPTS), "00001e0401020304");
	EXPECT_STR(shown(fd, IPV6_DSTOPTS), "00001e0405060708");
	EXPECT_STR(shown(fd, IPV6_RTHDRDSTOPTS), "00011e0c0102030405060708090a0b0c");
	EXPECT_STR(shown(fd, IPV6_RTHDR), "000204000000000000000000000000000000000000000001");
	EXPECT_OK(getsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, b, &n));
	EXPECT_EQ(n, 3);
	EXPECT_OK(SET(fd, IPV6_HOPOPTS, 0, 0, PASS(4), 9, 9, 9, 9));
	EXPECT_STR(shown(fd, IPV6_HOPOPTS), "00001e0409090909");
	EXPECT_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_HOPOPTS, b, 0));
	EXPECT_STR(shown(fd, IPV6_HOPOPTS), "");
	EXPECT_STR(shown(fd, IPV6_DSTOPTS), "00001e0405060708");
}

TEST(what_has_no_shape_is_refused)
{
	static unsigned char big[2056] = { 0, 254 };
	int fd = udp();

	EXPECT_ERR(SET(fd, IPV6_HOPOPTS, 0, 0, 1), EINVAL);
	EXPECT_ERR(SET(fd, IPV6_HOPOPTS, 0, 0, 1, 4, 0, 0, 0), EINVAL);
	EXPECT_ERR(SET(fd, IPV6_HOPOPTS, 0, 1, 1, 4, 0, 0, 0, 0), EINVAL);
	EXPECT_ERR(setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, big, 2048), EINVAL);
	EXPECT_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, big, 2040));
	EXPECT_ERR(SET(fd, IPV6_RTHDR, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), EINVAL);
	EXPECT_ERR(SET(fd, IPV6_RTHDR, 0, 0, 2, 0, 0, 0, 0, 0), EINVAL);
	EXPECT_ERR(SET(fd, IPV6_RTHDR, 0, 2, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), EINVAL);
	EXPECT_ERR(SET(fd, IPV6_RTHDR, 0, 2, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), EINVAL);
	EXPECT_ERR(SET(fd, IPV6_RTHDR, 0, 0, 4, 0, 0, 0, 0, 0), EINVAL);
	EXPECT_OK(SET(fd, IPV6_RTHDR, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 6, 0, 0, 0, 0, 0, 0));
	EXPECT_ERR(SET(fd, IPV6_RTHDR, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 7, 0, 0, 0, 0, 0, 0), EINVAL);
	EXPECT_OK(SET(fd, IPV6_HOPOPTS, 0, 0, 0x1e, 9, 1, 2, 3, 4));   /* what is in it is the receiver's business */
	EXPECT_ERR(setsockopt(fd, IPPROTO_IPV6, IPV6_HOPOPTS, BAD_PTR, 8), EFAULT);
}

static void plain_user(void)
{
	struct name to = lo_name(AF_INET6, 9);
	int fd;

	REQUIRE_OK(setgid(65534));
	REQUIRE_OK(setuid(65534));
	fd = udp();
	EXPECT_ERR(SET(fd, IPV6_HOPOPTS, HOP), EPERM);
	EXPECT_ERR(SET(fd, IPV6_HOPOPTS, 1), EPERM);
	EXPECT_ERR(SET(fd, IPV6_DSTOPTS, DST), EPERM);
	EXPECT_ERR(SET(fd, IPV6_RTHDRDSTOPTS, DST), EPERM);
	EXPECT_OK(SET(fd, IPV6_RTHDR, SRH));
	EXPECT_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0));
	EXPECT_ERR(send_parts(fd, &to, &(struct part){ IPV6_HOPOPTS, BYTES(HOP) }, 1), EPERM);
	EXPECT_ERR(send_parts(fd, &to, &(struct part){ IPV6_DSTOPTS, BYTES(DST) }, 1), EPERM);
	EXPECT_ERR(send_parts(fd, &to, &(struct part){ IPV6_DSTOPTS, BYTES(0, 1, 0) }, 1), EINVAL);
	EXPECT_ERR(send_parts(fd, &to, &(struct part){ O_2292DST, BYTES(DST) }, 1), EPERM);
}

TEST(options_need_a_capability) { EXPECT_EQ(in_child(plain_user), 0); }

static int receiver(void)
{
	int fd = udp();

	EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1));
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1));
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_RECVRTHDR, 1));
	return fd;
}

TEST(options_of_a_socket_arrive)
{
	int a = udp(), b = receiver(), flags;
	struct name to = own_name(b);

	EXPECT_OK(SET(a, IPV6_HOPOPTS, HOP));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:11001e0401020304");
	EXPECT_OK(SET(a, IPV6_DSTOPTS, DST));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:3c001e0401020304 59:11001e0405060708");
	/* Those before a routing header go with one only. */
	EXPECT_OK(SET(a, IPV6_RTHDRDSTOPTS, 0, 0, PASS(4), 9, 9, 9, 9));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 4096, &flags), "54:3c001e0401020304 59:11001e0405060708");
	EXPECT_EQ(flags, 0);
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 20, &flags), "54:3c001e04");
	EXPECT_EQ(flags, MSG_CTRUNC);
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	take(b, 0, &flags);
	EXPECT_EQ(flags, MSG_CTRUNC);
	EXPECT_OK(connect(a, &to.sa, to.len));
	EXPECT_EQ(send(a, "x", 1, 0), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:3c001e0401020304 59:11001e0405060708");
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, IPV6_HOPOPTS, NULL, 0));
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, IPV6_DSTOPTS, NULL, 0));
	EXPECT_EQ(send(a, "x", 1, 0), 1);
	EXPECT_STR(take(b, 4096, &flags), "");
	EXPECT_EQ(flags, 0);
}

TEST(options_of_a_message_take_their_place)
{
	int a = udp(), b = receiver();
	struct name to = own_name(b);
	struct part two[] = { { IPV6_DSTOPTS, BYTES(DST) }, { IPV6_HOPOPTS, BYTES(HOP) } };
	struct part twice[] = { { IPV6_HOPOPTS, BYTES(HOP) }, { O_2292HOP, BYTES(HOP) } };

	EXPECT_OK(SET(a, IPV6_HOPOPTS, 0, 0, PASS(4), 9, 9, 9, 9));
	EXPECT_EQ(send_parts(a, &to, two, 1), 1);
	EXPECT_STR(take(b, 4096, NULL), "59:11001e0405060708");
	EXPECT_EQ(send_parts(a, &to, two, 2), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:3c001e0401020304 59:11001e0405060708");
	EXPECT_ERR(send_parts(a, &to, twice, 2), EINVAL);
	EXPECT_ERR(send_parts(a, &to, &(struct part){ IPV6_HOPOPTS, BYTES(0, 1, PASS(4), 1, 2, 3, 4) }, 1), EINVAL);
	EXPECT_ERR(send_parts(a, &to, &(struct part){ IPV6_HOPOPTS, BYTES(0) }, 1), EINVAL);
	EXPECT_ERR(send_parts(a, &to, &(struct part){ IPV6_RTHDR, BYTES(SRH) }, 1), EINVAL);
	EXPECT_ERR(send_parts(a, &to, &(struct part){ IPV6_RTHDR, BYTES(0, 0, 0) }, 1), EINVAL);
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:11001e0409090909");
}

TEST(the_old_options_tell_the_same)
{
	int a = udp(), b = udp();
	struct name to = own_name(b);
	struct part two[] = { { O_2292HOP, BYTES(HOP) }, { O_2292DST, BYTES(DST) } };

	EXPECT_OK(set_int(b, IPPROTO_IPV6, O_2292HOP, 1));
	EXPECT_OK(set_int(b, IPPROTO_IPV6, O_2292DST, 1));
	EXPECT_OK(set_int(b, IPPROTO_IPV6, O_2292RT, 1));
	EXPECT_EQ(send_parts(a, &to, two, 2), 1);
	EXPECT_STR(take(b, 4096, NULL), "3:3c001e0401020304 4:11001e0405060708");
	EXPECT_OK(set_int(b, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1));
	EXPECT_EQ(send_parts(a, &to, two, 2), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:3c001e0401020304 3:3c001e0401020304 4:11001e0405060708");
}

TEST(control_messages_may_be_kept)
{
	_Alignas(struct cmsghdr) unsigned char buf[CMSG_SPACE(8) * 2] = { 0 };
	struct cmsghdr *h = (struct cmsghdr *)buf;
	int a = udp(), b = receiver();
	struct name to = own_name(b);

	h->cmsg_len = CMSG_LEN(8);
	h->cmsg_level = IPPROTO_IPV6;
	h->cmsg_type = IPV6_HOPOPTS;
	memcpy(CMSG_DATA(h), (unsigned char[]){ HOP }, 8);
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, O_PKTOPTIONS, buf, CMSG_SPACE(8)));
	EXPECT_STR(shown(a, IPV6_HOPOPTS), "00001e0401020304");
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:11001e0401020304");
	h->cmsg_type = IPV6_DSTOPTS;
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, O_PKTOPTIONS, buf, CMSG_SPACE(8)));
	EXPECT_STR(shown(a, IPV6_HOPOPTS), "");
	h->cmsg_len = 400;
	EXPECT_ERR(setsockopt(a, IPPROTO_IPV6, O_PKTOPTIONS, buf, CMSG_SPACE(8)), EINVAL);
	EXPECT_STR(shown(a, IPV6_DSTOPTS), "00001e0401020304");
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, O_PKTOPTIONS, buf, 0));
	EXPECT_STR(shown(a, IPV6_DSTOPTS), "");
}

/* A header of n bytes: options of 255 bytes, and one that fills it up. */
static void long_header(unsigned char *h, int n)
{
	int at = 2;

	memset(h, 7, (size_t)n);
	h[0] = 0;
	h[1] = (unsigned char)(n / 8 - 1);
	for (; n - at >= 259; at += 257) {
		h[at] = 0x1e;
		h[at + 1] = 255;
	}
	h[at] = 0x1e;
	h[at + 1] = (unsigned char)(n - at - 2);
}

TEST(long_headers_arrive_whole)
{
	static unsigned char h[2040];
	int a = udp(), b = receiver();
	struct name to = own_name(b);

	long_header(h, 2040);
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, IPV6_HOPOPTS, h, sizeof(h)));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 8192, NULL), "54:2040");
	long_header(h, 1024);
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, IPV6_DSTOPTS, h, 1024));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 8192, NULL), "54:2040 59:1024");
}

TEST(pieces_carry_what_they_share)
{
	static char big[65528];
	int a = udp(), b = receiver();
	struct name to = own_name(b);

	EXPECT_OK(set_int(a, SOL_SOCKET, SO_SNDBUF, 212992));
	EXPECT_OK(set_int(b, SOL_SOCKET, SO_RCVBUF, 212992));
	EXPECT_OK(SET(a, IPV6_HOPOPTS, HOP));
	EXPECT_OK(SET(a, IPV6_DSTOPTS, DST));
	EXPECT_EQ(sendto(a, big, 65527, 0, &to.sa, to.len), -1);
	EXPECT_ERR(sendto(a, big, 65512, 0, &to.sa, to.len), EMSGSIZE);
	EXPECT_EQ(sendto(a, big, 65503, 0, &to.sa, to.len), 65503);
	EXPECT_STR(take(b, 8192, NULL), "54:3c001e0401020304 59:11001e0405060708");
}

TEST(what_must_be_known_and_is_not_is_dropped)
{
	int a = udp(), b = receiver();
	struct name to = own_name(b);

	EXPECT_OK(SET(a, IPV6_HOPOPTS, 0, 0, 0x5e, 4, 1, 2, 3, 4));            /* drop the packet */
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(SET(a, IPV6_HOPOPTS, 0, 0, 1, 4, 0, 0, 1, 0));               /* padding that is not empty */
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(SET(a, IPV6_HOPOPTS, 0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));      /* more than is ever needed */
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(SET(a, IPV6_HOPOPTS, 0, 2, PASS(0), PASS(0), PASS(0), PASS(0), PASS(0), PASS(0), PASS(0), PASS(0), PASS(0), 1, 2, 0, 0));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(SET(a, IPV6_HOPOPTS, 0, 0, 0x1e, 5, 1, 2, 3, 4));            /* longer than its header */
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, IPV6_HOPOPTS, NULL, 0));
	EXPECT_OK(SET(a, IPV6_RTHDR, SRH));                                    /* we are nobody's segment */
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_OK(setsockopt(a, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0));
	EXPECT_OK(SET(a, IPV6_HOPOPTS, 0, 0, 1, 4, 0, 0, 0, 0));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	EXPECT_STR(take(b, 4096, NULL), "54:1100010400000000");
}

/* ICMP says so: parameter problem, an option that nobody knows, and where. */
TEST(an_option_that_must_be_told_is_told)
{
	int a = udp(), b = receiver(), raw = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	struct name to = own_name(b);
	unsigned char m[400];
	ssize_t n;

	REQUIRE(raw >= 0);
	EXPECT_OK(SET(a, IPV6_DSTOPTS, 0, 0, 0x9e, 4, 1, 2, 3, 4));
	EXPECT_EQ(sendto(a, "x", 1, 0, &to.sa, to.len), 1);
	do
		n = recv(raw, m, sizeof(m), 0);
	while (n > 0 && !(m[0] == 4 && n >= 48 + 10 && !memcmp(m + 8 + 48, (uint16_t[]){ own_name(a).in.sin_port }, 2)));
	REQUIRE(n > 0);
	EXPECT_EQ(m[1], 2);
	EXPECT_EQ(m[7], 42);
	EXPECT_EQ(m[14], 60);
}

TEST(a_connection_carries_options)
{
	static char big[100000], in[100000];
	int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET6, SOCK_STREAM, 0), a, mss, status;
	struct name n = lo_name(AF_INET6, 0);
	size_t got = 0;
	pid_t pid;

	REQUIRE_OK(set_int(c, IPPROTO_TCP, TCP_MAXSEG, 1200));
	REQUIRE_OK(bind(l, &n.sa, n.len));
	EXPECT_OK(SET(l, IPV6_DSTOPTS, DST));
	REQUIRE_OK(listen(l, 4));
	n = own_name(l);
	REQUIRE_OK(connect(c, &n.sa, n.len));
	a = accept(l, NULL, NULL);
	REQUIRE(a >= 0);
	EXPECT_STR(shown(a, IPV6_DSTOPTS), "00001e0405060708");
	EXPECT_STR(shown(c, IPV6_DSTOPTS), "");
	mss = get_int(c, IPPROTO_TCP, TCP_MAXSEG);
	EXPECT_OK(SET(c, IPV6_HOPOPTS, HOP));
	EXPECT_EQ(get_int(c, IPPROTO_TCP, TCP_MAXSEG), mss - 8);
	EXPECT_OK(SET(c, IPV6_DSTOPTS, 0, 1, PASS(12), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
	EXPECT_EQ(get_int(c, IPPROTO_TCP, TCP_MAXSEG), mss - 24);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	pid = fork();
	if (pid == 0)
		_exit(send(c, big, sizeof(big), 0) != sizeof(big) || recv(c, in, 5, MSG_WAITALL) != 5);
	while (got < sizeof(in)) {
		ssize_t r = recv(a, in + got, sizeof(in) - got, 0);

		REQUIRE(r > 0);
		got += (size_t)r;
	}
	EXPECT(memcmp(in, big, sizeof(in)) == 0);
	EXPECT_EQ(send(a, "hello", 5, 0), 5);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST_MAIN()
