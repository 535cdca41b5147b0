/*
 * netlink.c - AF_NETLINK: ports, dumps, errors, truncation, broken requests.
 */
#include "tests/lib/harness.h"

#include <ifaddrs.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/param.h>
#include <sys/socket.h>

static int route_socket(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); }

struct link_request { struct nlmsghdr h; struct ifinfomsg m; };

static ssize_t ask_link(int fd, uint16_t type, uint16_t flags, int index)
{
	struct link_request q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 7 },
		.m.ifi_index = index,
	};

	return send(fd, &q, sizeof(q), 0);
}

/* The error of the NLMSG_ERROR that comes next; 1 if something else came. */
static int next_error(int fd)
{
	union { struct nlmsghdr h; char room[8192]; } u;
	struct nlmsgerr e;
	ssize_t n = recv(fd, &u, sizeof(u), 0);

	if (n < (ssize_t)NLMSG_LENGTH(sizeof(e)) || u.h.nlmsg_type != NLMSG_ERROR)
		return 1;
	memcpy(&e, NLMSG_DATA(&u.h), sizeof(e));
	return e.error;
}

TEST(only_some_kinds_and_protocols_exist)
{
	EXPECT_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	EXPECT_ERR(socket(AF_NETLINK, SOCK_RAW, 99), EPROTONOSUPPORT);
	EXPECT_ERR(socket(AF_NETLINK, SOCK_RAW, -1), EPROTONOSUPPORT);
	EXPECT(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT) >= 0);
}

TEST(the_first_socket_has_the_port_of_its_process)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK }, got = { 0 };
	socklen_t len = sizeof(got);
	int a = route_socket(), b = route_socket();

	EXPECT_EQ(bind(a, (void *)&nl, sizeof(nl)), 0);
	EXPECT_EQ(getsockname(a, (void *)&got, &len), 0);
	EXPECT_EQ(len, sizeof(got));
	EXPECT_EQ(got.nl_pid, getpid());
	EXPECT_EQ(bind(b, (void *)&nl, sizeof(nl)), 0);
	EXPECT_EQ(getsockname(b, (void *)&got, &len), 0);
	EXPECT(got.nl_pid != 0 && got.nl_pid != (uint32_t)getpid());
	nl.nl_pid = 12345678;
	EXPECT_ERR(bind(a, (void *)&nl, sizeof(nl)), EINVAL);
	nl.nl_pid = (uint32_t)getpid();
	EXPECT_ERR(bind(route_socket(), (void *)&nl, sizeof(nl)), EADDRINUSE);
	EXPECT_ERR(bind(a, (void *)&nl, 4), EINVAL);
	nl.nl_family = AF_INET;
	EXPECT_ERR(bind(a, (void *)&nl, sizeof(nl)), EINVAL);
}

TEST(a_dump_of_links_has_lo_and_ends)
{
	int fd = route_socket(), lo = 0, done = 0;
	union { struct nlmsghdr h; char room[32768]; } u;

	EXPECT_EQ(ask_link(fd, RTM_GETLINK, NLM_F_DUMP, 0), sizeof(struct link_request));
	while (!done) {
		struct sockaddr_nl from = { 0 };
		socklen_t fl = sizeof(from);
		ssize_t n = recvfrom(fd, &u, sizeof(u), 0, (void *)&from, &fl);
		struct nlmsghdr *h = &u.h;

		EXPECT(n > 0);
		if (n <= 0)
			return;
		EXPECT_EQ(fl, sizeof(from));
		EXPECT_EQ(from.nl_pid, 0);
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			struct ifinfomsg *m = NLMSG_DATA(h);

			EXPECT_EQ(h->nlmsg_seq, 7);
			EXPECT(h->nlmsg_flags & NLM_F_MULTI);
			if (h->nlmsg_type == NLMSG_DONE)
				done = 1;
			else if (m->ifi_index == 1 && (m->ifi_flags & IFF_LOOPBACK))
				lo++;
		}
	}
	EXPECT_EQ(lo, 1);
	EXPECT_ERR(recv(fd, &u, sizeof(u), MSG_DONTWAIT), EAGAIN);
}

TEST(peek_tells_the_length_and_takes_nothing)
{
	int fd = route_socket();
	char room[32768], c;
	ssize_t full, n;

	EXPECT_EQ(ask_link(fd, RTM_GETLINK, 0, 1), sizeof(struct link_request));
	full = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);
	EXPECT(full > (ssize_t)sizeof(struct link_request));
	EXPECT_EQ(recv(fd, &c, 1, MSG_PEEK), 1);
	n = recv(fd, room, sizeof(room), 0);
	EXPECT_EQ(n, full);
	EXPECT_EQ(((struct nlmsghdr *)(void *)room)->nlmsg_len, full);
}

TEST(a_fault_loses_no_message)
{
	int fd = route_socket();
	char room[32768];

	EXPECT_EQ(ask_link(fd, RTM_GETLINK, 0, 1), sizeof(struct link_request));
	EXPECT_ERR(syscall(SYS_recvfrom, fd, 8L, 4096L, MSG_PEEK, NULL, NULL), EFAULT);
	EXPECT(recv(fd, room, sizeof(room), MSG_DONTWAIT) > 0);
}

TEST(what_is_not_there_is_an_error_message)
{
	int fd = route_socket();

	EXPECT_EQ(ask_link(fd, RTM_GETLINK, 0, 99999), sizeof(struct link_request));
	EXPECT_EQ(next_error(fd), -ENODEV);
	EXPECT_EQ(ask_link(fd, RTM_GETLINK, 0, 0), sizeof(struct link_request));
	EXPECT_EQ(next_error(fd), -EINVAL);
	EXPECT_EQ(ask_link(fd, 0x3fe, 0, 0), sizeof(struct link_request));
	EXPECT_EQ(next_error(fd), -EOPNOTSUPP);
}

TEST(an_acknowledgement_comes_when_asked_for)
{
	int fd = route_socket();
	struct nlmsghdr h = { .nlmsg_len = sizeof(h), .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK };

	EXPECT_EQ(send(fd, &h, sizeof(h), 0), sizeof(h));
	EXPECT_EQ(next_error(fd), 0);
	h.nlmsg_flags = NLM_F_REQUEST;
	EXPECT_EQ(send(fd, &h, sizeof(h), 0), sizeof(h));
	EXPECT_ERR(recv(fd, &h, sizeof(h), MSG_DONTWAIT), EAGAIN);
}

TEST(broken_messages_are_passed_over)
{
	int fd = route_socket();
	struct link_request q = { .h = { .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	static const uint32_t lens[] = { 0, 1, 15, 4096, 0x7fffffff, 0xffffffff };
	char c;

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		q.h.nlmsg_len = lens[i];
		EXPECT_EQ(send(fd, &q, sizeof(q), 0), sizeof(q));
		EXPECT_ERR(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
	}
	EXPECT_EQ(send(fd, &q, 5, 0), 5);
	EXPECT_ERR(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(a_user_may_ask_but_not_change)
{
	int fd = route_socket();

	EXPECT_EQ(setresuid(1000, 1000, 1000), 0);
	EXPECT_EQ(ask_link(fd, RTM_NEWLINK, 0, 1), sizeof(struct link_request));
	EXPECT_EQ(next_error(fd), -EPERM);
	EXPECT_EQ(ask_link(fd, RTM_GETLINK, 0, 1), sizeof(struct link_request));
	EXPECT_EQ(next_error(fd), 1);
}

TEST(poll_tells_of_a_reply)
{
	int fd = route_socket();
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT);
	EXPECT_EQ(ask_link(fd, RTM_GETLINK, 0, 1), sizeof(struct link_request));
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLIN | POLLOUT);
}

TEST(an_event_socket_is_quiet)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	char c = 0;

	EXPECT_ERR(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(send(fd, &c, 1, 0), 1);
	EXPECT_ERR(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(getifaddrs_has_the_loopback_address)
{
	struct ifaddrs *all, *i;
	int found = 0;

	EXPECT_EQ(getifaddrs(&all), 0);
	for (i = all; i; i = i->ifa_next) {
		struct sockaddr_in *in = (void *)i->ifa_addr;

		if (in && in->sin_family == AF_INET && in->sin_addr.s_addr == htonl(INADDR_LOOPBACK))
			found = strcmp(i->ifa_name, "lo") == 0;
	}
	EXPECT(found);
	EXPECT_EQ(if_nametoindex("lo"), 1);
}

/* The type of the next message of a socket that was told of a change; 0: nothing. */
struct diag_request { struct nlmsghdr h; struct inet_diag_req_v2 r; };

/* The attribute @type of the message, or NULL. */
static const struct rtattr *diag_attr(const struct nlmsghdr *h, int type)
{
	const struct rtattr *a = (const void *)((const char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(struct inet_diag_msg)));
	long n = (long)h->nlmsg_len - (long)NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct inet_diag_msg)));

	for (; RTA_OK(a, n); a = RTA_NEXT(a, n))
		if (a->rta_type == type)
			return a;
	return NULL;
}

TEST(a_socket_dump_has_the_extras_asked_for)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct diag_request q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << TCP_ESTABLISHED,
		       .idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_CONG - 1) |
				    1 << (INET_DIAG_SKMEMINFO - 1) },
	};
	static union { struct nlmsghdr h; char room[65536]; } u;
	socklen_t len = sizeof(sa);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), fd, a, hits = 0, done = 0;
	struct tcp_info ti;

	EXPECT_OK(bind(l, (void *)&sa, sizeof(sa)));
	EXPECT_OK(listen(l, 1));
	EXPECT_OK(getsockname(l, (void *)&sa, &len));
	EXPECT_OK(connect(c, (void *)&sa, sizeof(sa)));
	EXPECT((a = accept(l, NULL, NULL)) >= 0);
	EXPECT_EQ(send(c, "hello", 5, 0), 5);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	if (fd < 0)
		SKIP("no sock_diag");
	EXPECT_EQ(send(fd, &q, sizeof(q), 0), sizeof(q));
	while (!done) {
		ssize_t n = recv(fd, &u, sizeof(u), 0);

		EXPECT(n > 0);
		for (struct nlmsghdr *h = &u.h; n > 0 && NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n)) {
			const struct inet_diag_msg *m = NLMSG_DATA(h);
			const struct rtattr *at;

			done = done || h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || m->id.idiag_dport != sa.sin_port)
				continue;
			hits++;
			at = diag_attr(h, INET_DIAG_INFO);
			EXPECT(at && RTA_PAYLOAD(at) >= 192);
			memset(&ti, 0, sizeof(ti));
			memcpy(&ti, RTA_DATA(at), MIN(RTA_PAYLOAD(at), sizeof(ti)));
			EXPECT_EQ(ti.tcpi_state, TCP_ESTABLISHED);
			EXPECT(ti.tcpi_snd_cwnd >= 10 && ti.tcpi_snd_mss >= 500);
			at = diag_attr(h, INET_DIAG_CONG);
			EXPECT(at && RTA_PAYLOAD(at) >= 4 && strnlen(RTA_DATA(at), 16) < 16);
			at = diag_attr(h, INET_DIAG_SKMEMINFO);
			EXPECT(at && RTA_PAYLOAD(at) >= 32);
			EXPECT(!diag_attr(h, INET_DIAG_VEGASINFO) && diag_attr(h, INET_DIAG_SHUTDOWN));
		}
	}
	EXPECT_EQ(hits, 1);
	close(a);
	close(c);
	close(l);
	close(fd);
}

static int next_change(int fd, struct sockaddr_nl *from)
{
	union { struct nlmsghdr h; char room[8192]; } u;
	socklen_t n = sizeof(*from);

	if (recvfrom(fd, &u, sizeof(u), MSG_DONTWAIT, (void *)from, &n) < 0)
		return 0;
	return u.h.nlmsg_type;
}

struct addr_request { struct nlmsghdr h; struct ifaddrmsg m; struct rtattr a; struct in_addr in; };

TEST(members_of_groups_are_told_of_changes)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR }, from = { 0 };
	struct addr_request q = {
		.h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_NEWADDR, .nlmsg_seq = 3,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.m = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 },
		.a = { sizeof(q.a) + sizeof(q.in), IFA_LOCAL }, .in.s_addr = htonl(0x0a070707),
	};
	struct link_request up = {
		.h = { .nlmsg_len = sizeof(up), .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.m = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};
	int ask, hear, deaf, t, seen = 0;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("no network namespaces");
	ask = route_socket();
	hear = route_socket();
	deaf = route_socket();
	EXPECT_OK(bind(hear, (void *)&nl, sizeof(nl)));
	nl.nl_groups = RTMGRP_NEIGH;
	EXPECT_OK(bind(deaf, (void *)&nl, sizeof(nl)));
	EXPECT_EQ(send(ask, &up, sizeof(up), 0), sizeof(up));
	EXPECT_EQ(next_error(ask), 0);
	for (int i = 0; i < 20 && (t = next_change(hear, &from)); i++)
		if (t == RTM_NEWLINK && from.nl_groups == RTMGRP_LINK && from.nl_pid == 0)
			seen |= 1;
	EXPECT_EQ(send(ask, &q, sizeof(q), 0), sizeof(q));
	EXPECT_EQ(next_error(ask), 0);
	for (int i = 0; i < 20 && (t = next_change(hear, &from)); i++)
		if (t == RTM_NEWADDR && from.nl_groups == RTMGRP_IPV4_IFADDR)
			seen |= 2;
	q.h.nlmsg_type = RTM_DELADDR;
	q.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	EXPECT_EQ(send(ask, &q, sizeof(q), 0), sizeof(q));
	EXPECT_EQ(next_error(ask), 0);
	for (int i = 0; i < 20 && (t = next_change(hear, &from)); i++)
		if (t == RTM_DELADDR)
			seen |= 4;
	EXPECT_EQ(send(ask, &q, sizeof(q), 0), sizeof(q));      /* not there any more: nobody is told */
	EXPECT_EQ(next_error(ask), -EADDRNOTAVAIL);
	EXPECT_EQ(next_change(hear, &from), 0);
	EXPECT_EQ(seen, 7);
	EXPECT_EQ(next_change(deaf, &from), 0);
}

TEST_MAIN()
