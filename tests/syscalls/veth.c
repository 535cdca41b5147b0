/*
 * veth.c - pairs of links (RTM_NEWLINK of kind "veth"): making, carriers, moving to other network namespaces, deleting, what passes.
 * Root, in a network namespace of its own.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/net_namespace.h>
#include <linux/veth.h>
#include <sched.h>
#include <sys/prctl.h>
#include "tests/lib/rtlink.h"

/* The message that makes a pair; @ns: a descriptor of where the second one goes, or -1. */
static void pair_message(const char *a, const char *b, int ns)
{
	struct ifinfomsg m = { 0 };
	uint32_t info, data, peer, fd = (uint32_t)ns;

	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr_text(IFLA_IFNAME, a);
	info = attr(IFLA_LINKINFO, "", 0);
	attr_text(IFLA_INFO_KIND, "veth");
	data = attr(IFLA_INFO_DATA, "", 0);
	peer = attr(VETH_INFO_PEER, &m, sizeof(m));
	attr_text(IFLA_IFNAME, b);
	if (ns >= 0)
		attr(IFLA_NET_NS_FD, &fd, 4);
	nest_end(peer);
	nest_end(data);
	nest_end(info);
}

static int make_pair(int fd, const char *a, const char *b, int ns)
{
	pair_message(a, b, ns);
	return ask(fd);
}

static int move(int fd, const char *name, int type, uint32_t v, const char *as)
{
	struct ifinfomsg m = { .ifi_index = index_of(fd, name) };

	begin(RTM_NEWLINK, 0, &m, sizeof(m));
	attr(type, &v, 4);
	if (as)
		attr_text(IFLA_IFNAME, as);
	return ask(fd);
}

static int add_address(int fd, const char *name, uint32_t ip)
{
	struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = (unsigned)index_of(fd, name) };

	ip = htonl(ip);
	begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr(IFA_LOCAL, &ip, 4);
	return ask(fd);
}

/* Another network namespace: its descriptor, and a socket of rtnetlink in it.  We stay where we are. */
static int other_network(int *ret_fd)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there;

	REQUIRE(here >= 0);
	REQUIRE_OK(unshare(CLONE_NEWNET));
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	REQUIRE(there >= 0);
	*ret_fd = route_socket();
	REQUIRE_OK(setns(here, CLONE_NEWNET));
	close(here);
	return there;
}

static int bound_udp(uint32_t ip)
{
	struct name n = any_name(AF_INET, 999);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	n.in.sin_addr.s_addr = htonl(ip);
	REQUIRE(s >= 0);
	REQUIRE_OK(bind(s, &n.sa, n.len));
	return s;
}

TEST(a_pair_is_made_and_shown)
{
	struct link a, b;
	int fd, ia, ib;

	own_network();
	fd = route_socket();
	EXPECT_EQ(make_pair(fd, "one", "two", -1), 0);
	ia = look(fd, "one", &a);
	ib = look(fd, "two", &b);
	EXPECT(ia > 1 && ib > 1);
	EXPECT(ia == ib + 1);
	EXPECT_EQ(a.link, ib);
	EXPECT_EQ(b.link, ia);
	EXPECT_EQ(a.nsid, -1);
	EXPECT_STR(a.kind, "veth");
	EXPECT_EQ(a.mtu, 1500);
	EXPECT_EQ(a.flags, IFF_BROADCAST | IFF_MULTICAST);
	EXPECT_EQ(a.operstate, 2);
	EXPECT_EQ(make_pair(fd, "one", "three", -1), EEXIST);
	EXPECT_EQ(make_pair(fd, "three", "two", -1), EEXIST);
	EXPECT_EQ(index_of(fd, "three"), 0);
	EXPECT_EQ(make_pair(fd, "a/b", "c", -1), EINVAL);
	EXPECT_EQ(make_pair(fd, "c", "a b", -1), EINVAL);
	EXPECT_EQ(make_pair(fd, "sixteen-letters-", "c", -1), ERANGE);
	EXPECT_EQ(make_pair(fd, "x%d", "x%d", -1), 0);
	EXPECT(index_of(fd, "x0") && index_of(fd, "x1"));
	close(fd);
}

TEST(settings_that_are_refused)
{
	struct ifinfomsg m = { 0 };
	uint32_t info, small = 67, large = 65536;
	int fd;

	own_network();
	fd = route_socket();
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	EXPECT_EQ(ask(fd), EOPNOTSUPP);
	begin(RTM_NEWLINK, 0, &m, sizeof(m));
	EXPECT_EQ(ask(fd), ENODEV);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	info = attr(IFLA_LINKINFO, "", 0);
	attr_text(IFLA_INFO_KIND, "nonesuch");
	nest_end(info);
	EXPECT_EQ(ask(fd), EOPNOTSUPP);
	pair_message("one", "two", -1);
	attr(IFLA_MTU, &small, 4);
	EXPECT_EQ(ask(fd), EINVAL);
	pair_message("one", "two", -1);
	attr(IFLA_MTU, &large, 4);
	EXPECT_EQ(ask(fd), EINVAL);
	pair_message("one", "two", -1);
	attr(IFLA_ADDRESS, "\1\2\3\4\5\6", 6);
	EXPECT_EQ(ask(fd), EADDRNOTAVAIL);
	pair_message("one", "two", -1);
	attr(IFLA_ADDRESS, "\2\2\3", 3);
	EXPECT_EQ(ask(fd), EINVAL);
	EXPECT_EQ(index_of(fd, "one"), 0);
	EXPECT_EQ(make_pair(fd, "one", "two", -1), 0);
	m.ifi_index = index_of(fd, "one");
	begin(RTM_NEWLINK, 0, &m, sizeof(m));
	attr(IFLA_MTU, &small, 4);
	EXPECT_EQ(ask(fd), EINVAL);
	begin(RTM_NEWLINK, 0, &m, sizeof(m));
	attr_text(IFLA_IFNAME, "two");
	EXPECT_EQ(ask(fd), EEXIST);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	EXPECT_EQ(ask(fd), EEXIST);
	EXPECT_EQ(delete(fd, "lo"), EOPNOTSUPP);
	EXPECT_EQ(move(fd, "lo", IFLA_NET_NS_PID, (uint32_t)getpid(), NULL), 0);
	close(fd);
}

/* Linux works the state out a moment later. */
static int state_of(int fd, const char *name, int want)
{
	struct link l;

	for (int i = 0; i < 5000; i++) {
		(void)look(fd, name, &l);
		if (l.operstate == want)
			break;
		usleep(1000);
	}
	return l.operstate;
}

TEST(a_carrier_needs_both_ends)
{
	struct link l;
	int fd;

	own_network();
	fd = route_socket();
	EXPECT_EQ(make_pair(fd, "one", "two", -1), 0);
	EXPECT_EQ(set_flags(fd, "one", IFF_UP), 0);
	EXPECT_EQ(state_of(fd, "one", 3), 3);
	(void)look(fd, "one", &l);
	EXPECT_EQ(l.flags & (IFF_UP | IFF_RUNNING | 0x10000), IFF_UP);
	EXPECT_EQ(l.carrier, 0);
	EXPECT_EQ(set_flags(fd, "two", IFF_UP), 0);
	EXPECT_EQ(state_of(fd, "one", 6), 6);
	EXPECT_EQ(state_of(fd, "two", 6), 6);
	(void)look(fd, "one", &l);
	EXPECT_EQ(l.flags & (IFF_UP | IFF_RUNNING | 0x10000), IFF_UP | IFF_RUNNING | 0x10000);
	EXPECT_EQ(l.carrier, 1);
	close(fd);
}

TEST(datagrams_pass_between_namespaces)
{
	struct name to = any_name(AF_INET, 999);
	int fd, fd2, there, here, s, d;
	struct link l;
	char buf[16];

	own_network();
	fd = route_socket();
	there = other_network(&fd2);
	EXPECT_EQ(make_pair(fd, "one", "two", there), 0);
	EXPECT(look(fd, "one", &l) > 1);
	EXPECT_EQ(l.nsid, 0);
	EXPECT_EQ(l.link, index_of(fd2, "two"));
	EXPECT_EQ(index_of(fd, "two"), 0);
	EXPECT_EQ(add_address(fd, "one", 0x0a090001), 0);
	EXPECT_EQ(add_address(fd2, "two", 0x0a090002), 0);
	EXPECT_EQ(set_flags(fd, "one", IFF_UP), 0);
	EXPECT_EQ(set_flags(fd2, "two", IFF_UP), 0);
	s = bound_udp(0x0a090001);
	here = open("/proc/self/ns/net", O_RDONLY);
	REQUIRE_OK(setns(there, CLONE_NEWNET));
	d = bound_udp(0x0a090002);
	REQUIRE_OK(setns(here, CLONE_NEWNET));
	to.in.sin_addr.s_addr = htonl(0x0a090002);
	EXPECT_EQ(sendto(s, "hello", 5, 0, &to.sa, to.len), 5);
	EXPECT_EQ(recvfrom(d, buf, sizeof(buf), 0, &to.sa, &to.len), 5);
	EXPECT_EQ(ntohl(to.in.sin_addr.s_addr), 0x0a090001);
	EXPECT_EQ(sendto(d, "you", 3, 0, &to.sa, to.len), 3);
	EXPECT_EQ(recv(s, buf, sizeof(buf), 0), 3);
	EXPECT_EQ(delete(fd, "one"), 0);
	EXPECT_EQ(index_of(fd, "one"), 0);
	EXPECT_EQ(index_of(fd2, "two"), 0);
}

TEST(a_link_moves_and_begins_anew_there)
{
	int fd, fd2, there, i;
	struct link l;

	own_network();
	fd = route_socket();
	there = other_network(&fd2);
	EXPECT_EQ(make_pair(fd, "one", "two", -1), 0);
	EXPECT_EQ(add_address(fd, "two", 0x0a090002), 0);
	EXPECT_EQ(set_flags(fd, "two", IFF_UP), 0);
	i = index_of(fd, "two");
	EXPECT_EQ(move(fd, "two", IFLA_NET_NS_FD, 9999, NULL), EBADF);
	EXPECT_EQ(move(fd, "two", IFLA_NET_NS_FD, (uint32_t)fd, NULL), EINVAL);
	EXPECT_EQ(move(fd, "two", IFLA_NET_NS_PID, 0x7fffff, NULL), ESRCH);
	EXPECT_EQ(move(fd, "lo", IFLA_NET_NS_FD, (uint32_t)there, NULL), EINVAL);
	EXPECT_EQ(move(fd, "two", IFLA_NET_NS_FD, (uint32_t)there, "eth7"), 0);
	EXPECT_EQ(index_of(fd, "two"), 0);
	EXPECT_EQ(look(fd2, "eth7", &l), i);
	EXPECT_EQ(l.flags, IFF_BROADCAST | IFF_MULTICAST);
	EXPECT_EQ(l.link, index_of(fd, "one"));
	EXPECT_EQ(l.nsid, 0);
	EXPECT_EQ(make_pair(fd2, "eth7", "x", -1), EEXIST);
	EXPECT_EQ(delete(fd2, "eth7"), 0);
	EXPECT_EQ(index_of(fd, "one"), 0);
	/* Its own name is as good as any, and only then it is renamed. */
	EXPECT_EQ(make_pair(fd, "three", "four", -1), 0);
	EXPECT_EQ(move(fd, "four", IFLA_NET_NS_FD, (uint32_t)there, "lo"), EEXIST);
	EXPECT(index_of(fd2, "four"));
	EXPECT_EQ(make_pair(fd, "four", "five", -1), 0);
	EXPECT_EQ(move(fd, "four", IFLA_NET_NS_FD, (uint32_t)there, NULL), EEXIST);
	EXPECT_EQ(move(fd, "four", IFLA_NET_NS_FD, (uint32_t)there, "six"), 0);
	EXPECT(index_of(fd2, "six"));
	close(there);
}

TEST(a_process_names_where_to_go)
{
	int fd, p[2], q[2];
	char c = 0;
	pid_t pid;

	own_network();
	fd = route_socket();
	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(q));
	pid = fork();
	if (pid == 0) {
		_exit(unshare(CLONE_NEWNET) < 0 || write(p[1], "x", 1) != 1 || read(q[0], &c, 1) != 1 ||
		      !if_nametoindex("two"));
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(make_pair(fd, "one", "two", -1), 0);
	EXPECT_EQ(move(fd, "two", IFLA_NET_NS_PID, (uint32_t)pid, NULL), 0);
	EXPECT_EQ(write(q[1], "x", 1), 1);
	EXPECT_EQ(waitpid(pid, &p[0], 0), pid);
	EXPECT_EQ(p[0], 0);
	/* The namespace has ended, and both links with it, a little later. */
	for (int i = 0; i < 10000 && index_of(fd, "one"); i++)
		usleep(1000);
	EXPECT_EQ(index_of(fd, "one"), 0);
	close(fd);
}

TEST(a_namespace_has_a_number)
{
	struct rtgenmsg m = { 0 };
	int fd, fd2, there;
	uint32_t v;
	int32_t id = 77;

	own_network();
	fd = route_socket();
	there = other_network(&fd2);
	v = (uint32_t)there;
	for (int made = 0; made < 2; made++) {
		begin(RTM_GETNSID, 0, &m, sizeof(m));
		sent.h.nlmsg_flags = NLM_F_REQUEST;
		attr(NETNSA_FD, &v, 4);
		EXPECT_EQ(send(fd, &sent, sent.h.nlmsg_len, 0), sent.h.nlmsg_len);
		EXPECT(recv(fd, &got, sizeof(got), 0) > 0);
		EXPECT_EQ(got.h.nlmsg_type, RTM_NEWNSID);
		memcpy(&id, got.room + NLMSG_SPACE(sizeof(m)) + NLA_HDRLEN, 4);
		EXPECT_EQ(id, made - 1);
		if (!made) {
			EXPECT_EQ(make_pair(fd, "one", "two", there), 0);
			EXPECT(index_of(fd, "one"));
		}
	}
	begin(RTM_GETNSID, 0, &m, sizeof(m));
	EXPECT_EQ(ask(fd), EINVAL);
}

static int user_network(int *ret_ns)
{
	int p[2], q[2];
	char path[64], c;
	pid_t pid;

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(q));
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(unshare(CLONE_NEWNET) < 0 || write(p[1], "x", 1) != 1 || read(q[0], &c, 1) != 1);
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	*ret_ns = open(path, O_RDONLY);
	REQUIRE(*ret_ns >= 0);
	EXPECT_EQ(write(q[1], "x", 1), 1);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
	return 0;
}

TEST(both_namespaces_must_be_ours_to_change)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	int ns, fd;

	own_network();
	user_network(&ns);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		SKIP("no user namespaces");
	fd = route_socket();
	EXPECT_EQ(make_pair(fd, "one", "two", ns), EPERM);
	EXPECT_EQ(index_of(fd, "one"), 0);
	EXPECT_EQ(make_pair(fd, "one", "two", -1), 0);
	EXPECT_EQ(move(fd, "two", IFLA_NET_NS_FD, (uint32_t)ns, NULL), EPERM);
	EXPECT(index_of(fd, "two"));
	REQUIRE_OK(syscall(SYS_capset, &h, none));
	EXPECT_EQ(make_pair(fd, "three", "four", -1), EPERM);
	EXPECT_EQ(delete(fd, "one"), EPERM);
}

TEST(listeners_hear_of_both_ends)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd, ear, made = 0, gone = 0;

	own_network();
	fd = route_socket();
	ear = route_socket();
	REQUIRE_OK(bind(ear, (void *)&nl, sizeof(nl)));
	EXPECT_EQ(make_pair(fd, "one", "two", -1), 0);
	EXPECT_EQ(delete(fd, "two"), 0);
	while (made < 2 || gone < 2) {
		ssize_t n = recv(ear, &got, sizeof(got), 0);
		struct nlmsghdr *h = &got.h;

		REQUIRE(n > 0);
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			made += h->nlmsg_type == RTM_NEWLINK;
			gone += h->nlmsg_type == RTM_DELLINK;
		}
	}
	EXPECT_EQ(gone, 2);
}

TEST_MAIN()
