/*
 * netlink_dump.c - the table of local routes, and what sock_diag(7) tells of those sockets that a program chooses.
 */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include "tests/lib/inet.h"

static void own_net(bool up)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("no network namespace");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= up ? IFF_UP : 0;
	REQUIRE_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
}

static int nl_socket(int proto)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, proto);

	if (fd < 0)
		SKIP("no such netlink");
	return fd;
}

/* ---- routes ---- */

static char lines[64][256];
static int count;

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static void tell(const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	char dst[64] = "-", src[64] = "-";
	unsigned table = m->rtm_table, oif = 0, metric = 0;
	const struct rtattr *a = RTM_RTA(m);
	long n = (long)RTM_PAYLOAD(h);

	for (; RTA_OK(a, n); a = RTA_NEXT(a, n)) {
		if (a->rta_type == RTA_DST)
			inet_ntop(m->rtm_family, RTA_DATA(a), dst, sizeof(dst));
		if (a->rta_type == RTA_PREFSRC)
			inet_ntop(m->rtm_family, RTA_DATA(a), src, sizeof(src));
		if (a->rta_type == RTA_TABLE)
			memcpy(&table, RTA_DATA(a), 4);
		if (a->rta_type == RTA_OIF)
			memcpy(&oif, RTA_DATA(a), 4);
		if (a->rta_type == RTA_PRIORITY)
			memcpy(&metric, RTA_DATA(a), 4);
	}
	REQUIRE(count < 64);
	snprintf(lines[count++], sizeof(lines[0]), "%s/%d type %d scope %d proto %d src %s dev %u table %u metric %u", dst, m->rtm_dst_len,
		 m->rtm_type, m->rtm_scope, m->rtm_protocol, src, oif, table, metric);
}

/* All routes of a table (0: of all), sorted, one a line. */
static const char *routes(int family, unsigned table)
{
	struct { struct nlmsghdr h; struct rtmsg m; } q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.m = { .rtm_family = (unsigned char)family, .rtm_table = (unsigned char)table },
	};
	static union { struct nlmsghdr h; char room[65536]; } u;
	static char all[64 * 257];
	int fd = nl_socket(NETLINK_ROUTE), one = 1;
	bool done = false;

	count = 0;
	REQUIRE_OK(setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one)));
	REQUIRE(send(fd, &q, sizeof(q), 0) == sizeof(q));
	while (!done) {
		ssize_t n = recv(fd, &u, sizeof(u), 0);

		REQUIRE(n > 0);
		for (struct nlmsghdr *h = &u.h; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			done = done || h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			if (h->nlmsg_type == RTM_NEWROUTE)
				tell(h);
		}
	}
	close(fd);
	qsort(lines, (size_t)count, sizeof(lines[0]), by_text);
	all[0] = 0;
	for (int i = 0; i < count; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s\n", lines[i]);
	return all;
}

static void add_address(int family, const char *ip, int plen, const char *brd)
{
	struct { struct nlmsghdr h; struct ifaddrmsg m; char room[64]; } q = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)), .nlmsg_type = RTM_NEWADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.m = { .ifa_family = (unsigned char)family, .ifa_prefixlen = (unsigned char)plen, .ifa_index = 1 },
	};
	struct { struct nlmsghdr h; struct nlmsgerr e; char room[256]; } ack;
	int fd = nl_socket(NETLINK_ROUTE), size = family == AF_INET ? 4 : 16;

	for (int i = 0; i < 2; i++) {
		struct rtattr *a = (void *)((char *)&q + q.h.nlmsg_len);

		if (i && !brd)
			break;
		a->rta_type = i ? IFA_BROADCAST : IFA_LOCAL;
		a->rta_len = (unsigned short)RTA_LENGTH(size);
		REQUIRE(inet_pton(family, i ? brd : ip, RTA_DATA(a)) == 1);
		q.h.nlmsg_len += RTA_ALIGN(a->rta_len);
	}
	REQUIRE(send(fd, &q, q.h.nlmsg_len, 0) > 0);
	REQUIRE(recv(fd, &ack, sizeof(ack), 0) > 0);
	EXPECT_EQ(ack.e.error, 0);
	close(fd);
}

#define LO4 "127.0.0.0/8 type 2 scope 254 proto 2 src 127.0.0.1 dev 1 table 255 metric 0\n" \
	"127.0.0.1/32 type 2 scope 254 proto 2 src 127.0.0.1 dev 1 table 255 metric 0\n" \
	"127.255.255.255/32 type 3 scope 253 proto 2 src 127.0.0.1 dev 1 table 255 metric 0\n"

TEST(local_routes_are_told)
{
	own_net(true);
	EXPECT_STR(routes(AF_INET, RT_TABLE_LOCAL), LO4);
	EXPECT_STR(routes(AF_INET, RT_TABLE_MAIN), "");
	EXPECT_STR(routes(AF_INET, 0), LO4);
	EXPECT_STR(routes(AF_INET6, RT_TABLE_LOCAL), "::1/128 type 2 scope 0 proto 2 src - dev 1 table 255 metric 0\n");
	add_address(AF_INET, "10.1.0.1", 24, NULL);
	EXPECT_STR(routes(AF_INET, RT_TABLE_LOCAL),
		   "10.1.0.0/24 type 2 scope 254 proto 2 src 10.1.0.1 dev 1 table 255 metric 0\n"
		   "10.1.0.1/32 type 2 scope 254 proto 2 src 10.1.0.1 dev 1 table 255 metric 0\n"
		   "10.1.0.255/32 type 3 scope 253 proto 2 src 10.1.0.1 dev 1 table 255 metric 0\n" LO4);
	add_address(AF_INET, "10.2.0.1", 32, NULL);
	add_address(AF_INET, "10.3.0.0", 31, NULL);
	EXPECT_STR(routes(AF_INET, RT_TABLE_LOCAL),
		   "10.1.0.0/24 type 2 scope 254 proto 2 src 10.1.0.1 dev 1 table 255 metric 0\n"
		   "10.1.0.1/32 type 2 scope 254 proto 2 src 10.1.0.1 dev 1 table 255 metric 0\n"
		   "10.1.0.255/32 type 3 scope 253 proto 2 src 10.1.0.1 dev 1 table 255 metric 0\n"
		   "10.2.0.1/32 type 2 scope 254 proto 2 src 10.2.0.1 dev 1 table 255 metric 0\n"
		   "10.3.0.0/31 type 2 scope 254 proto 2 src 10.3.0.0 dev 1 table 255 metric 0\n"
		   "10.3.0.0/32 type 2 scope 254 proto 2 src 10.3.0.0 dev 1 table 255 metric 0\n" LO4);
}

/* ---- sockets ---- */

struct op { unsigned char code, yes; unsigned short no; };
struct host { unsigned char family, plen; int port; unsigned char addr[16]; };

/* How many sockets are told, or what is said against the question. */
static int matches(int family, int proto, unsigned states, uint16_t sport, const void *code, size_t n)
{
	static union { struct nlmsghdr h; char room[65536]; } u;
	struct { struct nlmsghdr h; struct inet_diag_req_v2 r; struct rtattr a; char code[512]; } q = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.r)), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = (unsigned char)family, .sdiag_protocol = (unsigned char)proto, .idiag_states = states,
		       .id.idiag_sport = htons(sport) },
		.a = { (unsigned short)RTA_LENGTH(n), INET_DIAG_REQ_BYTECODE },
	};
	int fd = nl_socket(NETLINK_SOCK_DIAG), k = 0, r = -1;

	if (code) {
		memcpy(q.code, code, n);
		q.h.nlmsg_len += RTA_ALIGN(q.a.rta_len);
	}
	REQUIRE(send(fd, &q, q.h.nlmsg_len, 0) > 0);
	while (r < 0) {
		ssize_t len = recv(fd, &u, sizeof(u), 0);

		REQUIRE(len > 0);
		for (struct nlmsghdr *h = &u.h; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				k++;
			if (h->nlmsg_type == NLMSG_DONE) {
				memcpy(&r, NLMSG_DATA(h), 4);
				r = r < 0 ? r : k;
				goto done;
			}
			if (h->nlmsg_type == NLMSG_ERROR) {
				r = ((struct nlmsgerr *)NLMSG_DATA(h))->error;
				goto done;
			}
		}
	}
done:
	close(fd);
	return r;
}

#define OPS(...) (struct op[]){ __VA_ARGS__ }, sizeof((struct op[]){ __VA_ARGS__ })
#define ALL 0xfff
#define PORT(c, p) { c, 8, 12 }, { 0, 0, p }

static int bound(int family, int type, const char *ip, uint16_t port)
{
	struct name n = any_name(family, port);
	int fd = socket(family, type, 0);

	inet_pton(family, ip, family == AF_INET ? (void *)&n.in.sin_addr : (void *)&n.in6.sin6_addr);
	REQUIRE_OK(bind(fd, &n.sa, n.len));
	if (type == SOCK_STREAM)
		REQUIRE_OK(listen(fd, 1));
	return fd;
}

TEST(a_program_chooses_by_port)
{
	struct name n;
	int c, l;

	own_net(true);
	bound(AF_INET, SOCK_STREAM, "127.0.0.1", 1000);
	l = bound(AF_INET, SOCK_STREAM, "0.0.0.0", 1001);
	bound(AF_INET, SOCK_STREAM, "0.0.0.0", 1002);
	bound(AF_INET, SOCK_DGRAM, "0.0.0.0", 1000);
	c = socket(AF_INET, SOCK_STREAM, 0);
	n = lo_name(AF_INET, 1001);
	REQUIRE_OK(connect(c, &n.sa, n.len));
	REQUIRE(accept(l, NULL, NULL) >= 0);            /* both ends are there now */
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, NULL, 0), 5);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, 1 << 10, 0, NULL, 0), 3);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 1001, NULL, 0), 2);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS(PORT(INET_DIAG_BC_S_EQ, 1001))), 2);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS(PORT(INET_DIAG_BC_D_EQ, 1001))), 1);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, 1 << 10, 0, OPS(PORT(INET_DIAG_BC_S_GE, 1001))), 2);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, 1 << 10, 0, OPS(PORT(INET_DIAG_BC_S_LE, 1000))), 1);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS(PORT(INET_DIAG_BC_D_GE, 1))), 2);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, 1 << 10, 0, OPS(PORT(INET_DIAG_BC_D_LE, 1))), 3);
	EXPECT_EQ(matches(AF_INET, IPPROTO_UDP, ALL, 0, OPS(PORT(INET_DIAG_BC_S_EQ, 1000))), 1);
	/* Both: the first, if it is true, is followed by the second. */
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, 1 << 10, 0, OPS({ INET_DIAG_BC_S_GE, 8, 20 }, { 0, 0, 1001 },
								{ INET_DIAG_BC_S_LE, 8, 12 }, { 0, 0, 1001 })), 1);
	/* Either: behind the first one that is true a jump to the end. */
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, 1 << 10, 0, OPS({ INET_DIAG_BC_S_EQ, 8, 12 }, { 0, 0, 1000 }, { INET_DIAG_BC_JMP, 4, 12 },
								{ INET_DIAG_BC_S_EQ, 8, 12 }, { 0, 0, 1002 })), 2);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS({ INET_DIAG_BC_NOP, 4, 0 })), 5);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS({ INET_DIAG_BC_JMP, 4, 8 })), 0);
}

/* A condition on an end: family, bits, port, address. */
static int hosts(int family, int code, struct host h)
{
	struct { struct op o; struct host h; } c = { { (unsigned char)code, 0, 0 }, h };
	unsigned char len = (unsigned char)(12 + (h.family == AF_INET ? 4 : h.family == AF_INET6 ? 16 : 0));

	c.o.yes = len;
	c.o.no = len + 4;
	return matches(family, IPPROTO_TCP, 1 << 10, 0, &c, len);
}

TEST(a_program_chooses_by_address)
{
	own_net(true);
	bound(AF_INET, SOCK_STREAM, "127.0.0.1", 1000);
	bound(AF_INET, SOCK_STREAM, "127.0.0.2", 1000);
	bound(AF_INET, SOCK_STREAM, "127.1.0.2", 1001);
	bound(AF_INET6, SOCK_STREAM, "::1", 1000);
	bound(AF_INET6, SOCK_STREAM, "::ffff:127.0.0.3", 1000);
	EXPECT_EQ(hosts(AF_INET, INET_DIAG_BC_S_COND, (struct host){ AF_INET, 32, -1, { 127, 0, 0, 2 } }), 1);
	EXPECT_EQ(hosts(AF_INET, INET_DIAG_BC_S_COND, (struct host){ AF_INET, 16, -1, { 127, 0, 9, 9 } }), 2);
	EXPECT_EQ(hosts(AF_INET, INET_DIAG_BC_S_COND, (struct host){ AF_INET, 13, -1, { 127, 7, 9, 9 } }), 3);
	EXPECT_EQ(hosts(AF_INET, INET_DIAG_BC_S_COND, (struct host){ AF_INET, 16, 1001, { 127, 0, 9, 9 } }), 0);
	EXPECT_EQ(hosts(AF_INET, INET_DIAG_BC_S_COND, (struct host){ AF_UNSPEC, 0, 1000, { 0 } }), 2);
	EXPECT_EQ(hosts(AF_INET, INET_DIAG_BC_S_COND, (struct host){ AF_INET6, 0, -1, { 0 } }), 0);
	EXPECT_EQ(hosts(AF_INET, INET_DIAG_BC_D_COND, (struct host){ AF_INET, 32, -1, { 0 } }), 3);
	EXPECT_EQ(hosts(AF_INET6, INET_DIAG_BC_S_COND, (struct host){ AF_INET6, 128, -1, { [15] = 1 } }), 1);
	EXPECT_EQ(hosts(AF_INET6, INET_DIAG_BC_S_COND, (struct host){ AF_INET, 24, 1000, { 127, 0, 0, 9 } }), 1);
	EXPECT_EQ(hosts(AF_INET6, INET_DIAG_BC_S_COND, (struct host){ AF_INET, 33, -1, { 0 } }), -EINVAL);
	EXPECT_EQ(hosts(AF_INET6, INET_DIAG_BC_S_COND, (struct host){ 77, 0, -1, { 0 } }), -EINVAL);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS({ INET_DIAG_BC_DEV_COND, 8, 12 }, { 0, 0, 0 })), 3);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS({ INET_DIAG_BC_DEV_COND, 8, 12 }, { 1, 0, 0 })), 0);
}

TEST(a_program_without_sense_is_refused)
{
	own_net(true);
	bound(AF_INET, SOCK_STREAM, "127.0.0.1", 1000);
#define REFUSED(...) EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS(__VA_ARGS__)), -EINVAL)
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, "", 0), -EINVAL);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, "\0\4", 2), -EINVAL);
	REFUSED({ 99, 4, 8 });
	REFUSED({ INET_DIAG_BC_NOP, 0, 0 });            /* for ever */
	REFUSED({ INET_DIAG_BC_NOP, 8, 0 });            /* beyond the end */
	REFUSED({ INET_DIAG_BC_NOP, 5, 0 });
	REFUSED({ INET_DIAG_BC_JMP, 4, 0 });            /* for ever */
	REFUSED({ INET_DIAG_BC_JMP, 4, 12 });
	REFUSED({ INET_DIAG_BC_JMP, 4, 6 });
	REFUSED({ INET_DIAG_BC_S_EQ, 4, 8 });
	REFUSED({ INET_DIAG_BC_S_EQ, 8, 12 });          /* without a port */
	REFUSED({ INET_DIAG_BC_JMP, 4, 8 }, PORT(INET_DIAG_BC_S_EQ, 1));         /* into an instruction */
	REFUSED({ INET_DIAG_BC_S_COND, 12, 16 }, { AF_INET, 32, 0 }, { 0, 0, 0 });
	REFUSED({ INET_DIAG_BC_S_COND, 8, 12 }, { AF_INET, 32, 0 });
	REFUSED({ INET_DIAG_BC_DEV_COND, 4, 8 });
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, OPS({ INET_DIAG_BC_JMP, 4, 4 })), 1);
}

/* One question about a connection by its ends; what is answered: 0, or an error. */
static int ask_one(int type, int c, const unsigned cookie[2], struct inet_diag_msg *ret)
{
	struct { struct nlmsghdr h; struct inet_diag_req_v2 r; } q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = (unsigned short)type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.r = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ALL,
		       .id.idiag_cookie = { cookie[0], cookie[1] } },
	};
	union { struct nlmsghdr h; char room[4096]; } u;
	struct name own = own_name(c), peer = { .len = sizeof(peer.ss) };
	int fd = nl_socket(NETLINK_SOCK_DIAG), r = 1;

	if (getpeername(c, &peer.sa, &peer.len) < 0)
		memset(&peer, 0, sizeof(peer));
	q.r.id.idiag_sport = own.in.sin_port;
	q.r.id.idiag_dport = peer.in.sin_port;
	q.r.id.idiag_src[0] = own.in.sin_addr.s_addr;
	q.r.id.idiag_dst[0] = peer.in.sin_addr.s_addr;
	REQUIRE(send(fd, &q, sizeof(q), 0) == sizeof(q));
	while (r > 0) {
		REQUIRE(recv(fd, &u, sizeof(u), 0) > 0);
		if (u.h.nlmsg_type == NLMSG_ERROR)
			r = ((struct nlmsgerr *)NLMSG_DATA(&u.h))->error;
		else
			memcpy(ret, NLMSG_DATA(&u.h), sizeof(*ret));
	}
	close(fd);
	return r;
}

static const unsigned any_cookie[2] = { ~0u, ~0u };
static int the_one;

static void plain_user(void)
{
	struct inet_diag_msg m;

	REQUIRE_OK(setgid(65534));
	REQUIRE_OK(setuid(65534));
	EXPECT_EQ(ask_one(SOCK_DESTROY, the_one, any_cookie, &m), -EPERM);
}

TEST(a_connection_is_found_and_broken_off)
{
	struct inet_diag_msg m = { 0 };
	int l, fd[2];
	char c;

	own_net(true);
	tcp_pair(AF_INET, fd);
	l = lo_listener(AF_INET, 1);
	EXPECT_EQ(ask_one(SOCK_DIAG_BY_FAMILY, fd[0], any_cookie, &m), 0);
	EXPECT_EQ(m.idiag_state, 1);
	EXPECT_EQ(m.id.idiag_sport, own_name(fd[0]).in.sin_port);
	EXPECT_EQ(ask_one(SOCK_DIAG_BY_FAMILY, fd[0], m.id.idiag_cookie, &m), 0);
	EXPECT_EQ(ask_one(SOCK_DIAG_BY_FAMILY, fd[1], m.id.idiag_cookie, &m), -ENOENT);
	EXPECT_EQ(ask_one(SOCK_DIAG_BY_FAMILY, l, any_cookie, &m), 0);
	EXPECT_EQ(m.idiag_state, 10);
	the_one = fd[0];
	EXPECT_EQ(in_child(plain_user), 0);
	EXPECT_EQ(send(fd[0], "x", 1, 0), 1);
	EXPECT_EQ(ask_one(SOCK_DESTROY, fd[0], any_cookie, &m), 0);
	EXPECT_EQ(get_int(fd[0], SOL_SOCKET, SO_ERROR), ECONNABORTED);
	EXPECT_ERR(recv(fd[1], &c, 1, 0) == 1 ? recv(fd[1], &c, 1, 0) : -1, ECONNRESET);
	EXPECT_EQ(ask_one(SOCK_DESTROY, l, any_cookie, &m), 0);
	EXPECT_ERR(accept(l, NULL, NULL), EINVAL);
	EXPECT_EQ(matches(AF_INET, IPPROTO_TCP, ALL, 0, NULL, 0), 0);
}

TEST_MAIN()
