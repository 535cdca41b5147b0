/*
 * inet_flowlabel.c - IPv6 flow labels: leases (IPV6_FLOWLABEL_MGR), labels of what is sent, labels told to the receiver.
 *
 * Each test has a network namespace of its own, as leases are shared by all sockets of one.
 */
#include "tests/lib/inet.h"
#include "tests/lib/ownnet.h"

/* linux/in6.h quarrels with the C library's header. */
struct flow_req {
	struct in6_addr dst;
	uint32_t label;
	uint8_t action, share;
	uint16_t flags, expires, linger;
	uint32_t pad;
};
enum { MGR = 32, SEND = 33, FLOWINFO = 11, AUTO = 70 };
enum { GET, PUT, RENEW };
enum { CREATE = 1, EXCL = 2, REFLECT = 4 };
enum { S_NONE, S_EXCL, S_PROCESS, S_USER, S_ANY = 255 };

static struct flow_req request(int action, uint32_t label, int share, int flags)
{
	struct flow_req q = { .action = (uint8_t)action, .label = htonl(label), .share = (uint8_t)share, .flags = (uint16_t)flags };

	q.dst.s6_addr[0] = 0xfd;
	q.dst.s6_addr[15] = 1;
	return q;
}

static int mgr(int fd, int action, uint32_t label, int share, int flags)
{
	struct flow_req q = request(action, label, share, flags);

	return setsockopt(fd, IPPROTO_IPV6, MGR, &q, sizeof(q));
}

TEST(leases_are_counted)
{
	int fd;

	own_network();
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	EXPECT_ERR(mgr(fd, GET, 1, S_ANY, 0), ENOENT);
	EXPECT_ERR(mgr(fd, PUT, 1, 0, 0), ESRCH);
	EXPECT_ERR(mgr(fd, RENEW, 1, S_EXCL, 0), ESRCH);
	EXPECT_OK(mgr(fd, GET, 1, S_ANY, CREATE));
	EXPECT_OK(mgr(fd, GET, 1, S_ANY, 0));
	EXPECT_OK(mgr(fd, GET, 1, S_ANY, CREATE));
	EXPECT_ERR(mgr(fd, GET, 1, S_ANY, CREATE | EXCL), EEXIST);
	EXPECT_ERR(mgr(fd, GET, 1, S_EXCL, CREATE), EPERM);
	EXPECT_OK(mgr(fd, RENEW, 1, S_ANY, 0));
	EXPECT_OK(mgr(fd, PUT, 1, 0, 0));
	EXPECT_OK(mgr(fd, PUT, 1, 0, 0));
	EXPECT_OK(mgr(fd, PUT, 1, 0, 0));
	EXPECT_ERR(mgr(fd, PUT, 1, 0, 0), ESRCH);
	/* It lingers. */
	EXPECT_ERR(mgr(fd, GET, 1, S_EXCL, CREATE), EPERM);
	EXPECT_ERR(mgr(fd, GET, 1, S_ANY, 0), ENOENT);
	EXPECT_OK(mgr(socket(AF_INET6, SOCK_STREAM, 0), GET, 1, S_ANY, CREATE));
}

TEST(requests_that_are_refused)
{
	struct flow_req q;
	int fd;

	own_network();
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	q = request(GET, 1, S_ANY, CREATE);
	EXPECT_ERR(setsockopt(fd, IPPROTO_IPV6, MGR, &q, sizeof(q) - 1), EINVAL);
	EXPECT_ERR(setsockopt(socket(AF_INET, SOCK_DGRAM, 0), IPPROTO_IPV6, MGR, &q, sizeof(q)), ENOPROTOOPT);
	EXPECT_ERR(mgr(fd, 3, 1, S_ANY, CREATE), EINVAL);
	EXPECT_ERR(mgr(fd, GET, 0x1fffff, S_ANY, CREATE), EINVAL);
	EXPECT_ERR(mgr(fd, GET, 1, S_NONE, CREATE), EINVAL);
	EXPECT_ERR(mgr(fd, GET, 1, 9, CREATE), EINVAL);
	EXPECT_ERR(mgr(fd, PUT, 1, 0, REFLECT), ENOPROTOOPT);
	EXPECT_ERR(mgr(socket(AF_INET6, SOCK_STREAM, 0), PUT, 1, 0, REFLECT), ESRCH);
	EXPECT_ERR(mgr(fd, GET, 1, S_ANY, REFLECT), EPERM);
	memset(&q.dst, 0, sizeof(q.dst));
	EXPECT_ERR(setsockopt(fd, IPPROTO_IPV6, MGR, &q, sizeof(q)), EINVAL);
	q = request(GET, 1, S_ANY, CREATE);
	q.action = PUT;
	EXPECT_ERR(getsockopt(fd, IPPROTO_IPV6, MGR, &q, &(socklen_t){ sizeof(q) }), EINVAL);
	q.action = GET;
	EXPECT_ERR(getsockopt(fd, IPPROTO_IPV6, MGR, &q, &(socklen_t){ 8 }), EINVAL);
	EXPECT_OK(getsockopt(fd, IPPROTO_IPV6, AUTO, &q, &(socklen_t){ 4 }));
}

TEST(whose_a_label_is)
{
	int fd;

	own_network();
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	EXPECT_OK(mgr(fd, GET, 2, S_EXCL, CREATE));
	EXPECT_ERR(mgr(fd, GET, 2, S_ANY, CREATE), EPERM);
	EXPECT_ERR(mgr(fd, GET, 2, S_EXCL, CREATE), EPERM);
	EXPECT_OK(mgr(fd, GET, 3, S_USER, CREATE));
	EXPECT_OK(mgr(fd, GET, 3, S_USER, 0));
	EXPECT_ERR(mgr(fd, GET, 3, S_PROCESS, 0), EPERM);
	EXPECT_OK(mgr(fd, GET, 4, S_PROCESS, CREATE));
	EXPECT_OK(mgr(fd, GET, 4, S_PROCESS, 0));
	if (fork() == 0) {
		EXPECT_ERR(mgr(fd, GET, 4, S_PROCESS, 0), EPERM);
		EXPECT_OK(mgr(fd, GET, 3, S_USER, 0));
		REQUIRE_OK(setuid(12345));
		EXPECT_ERR(mgr(fd, GET, 3, S_USER, 0), EPERM);
		_exit(test_failures ? TEST_EXIT_FAIL : 0);
	}
	int status;

	REQUIRE_OK(wait(&status));
	EXPECT_EQ(status, 0);
}

TEST(the_kernel_chooses_a_label)
{
	struct flow_req q = request(GET, 0, S_EXCL, CREATE);
	int fd;

	own_network();
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	EXPECT_OK(setsockopt(fd, IPPROTO_IPV6, MGR, &q, sizeof(q)));
	EXPECT(q.label != 0 && !(ntohl(q.label) & ~0xfffffu));
	EXPECT_OK(mgr(fd, PUT, ntohl(q.label), 0, 0));
}

/* The flow information that came with the next datagram: label and class, 0 for none. */
static uint32_t flow_of_next(int fd)
{
	char b[8], c[128];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	uint32_t flow = 0;

	REQUIRE_OK(recvmsg(fd, &m, 0));
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == FLOWINFO)
			memcpy(&flow, CMSG_DATA(h), 4);
	return ntohl(flow);
}

static ssize_t send_with(int fd, uint32_t label)
{
	char c[CMSG_SPACE(4)] = "";
	struct iovec v = { c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	*h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(4), .cmsg_level = IPPROTO_IPV6, .cmsg_type = FLOWINFO };
	label = htonl(label);
	memcpy(CMSG_DATA(h), &label, 4);
	return sendmsg(fd, &m, 0);
}

TEST(labels_of_datagrams)
{
	struct name n, peer = { .len = sizeof(peer.ss) };
	int to, fd;

	own_network();
	to = lo_socket(AF_INET6, SOCK_DGRAM);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	n = own_name(to);
	REQUIRE_OK(connect(fd, &n.sa, n.len));
	EXPECT_OK(set_int(to, IPPROTO_IPV6, FLOWINFO, 1));
	/* One by itself, in the upper half or not, and then none. */
	EXPECT_EQ(send(fd, "x", 1, 0), 1);
	EXPECT(flow_of_next(to) != 0);
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, AUTO, 0));
	EXPECT_EQ(send(fd, "x", 1, 0), 1);
	EXPECT_EQ(flow_of_next(to), 0);
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, 0x20));
	EXPECT_EQ(send(fd, "x", 1, 0), 1);
	EXPECT_EQ(flow_of_next(to), 0x20u << 20);
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, 0));
	/* One that is leased, by a control message and by the name. */
	EXPECT_OK(mgr(fd, GET, 7, S_EXCL, CREATE));
	EXPECT_EQ(send_with(fd, 7), 1);
	EXPECT_EQ(flow_of_next(to), 7);
	EXPECT_ERR(send_with(fd, 8), EINVAL);
	n.in6.sin6_flowinfo = htonl(7);
	EXPECT_EQ(sendto(fd, "x", 1, 0, &n.sa, n.len), 1);
	EXPECT_EQ(flow_of_next(to), 0);
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, SEND, 1));
	EXPECT_EQ(sendto(fd, "x", 1, 0, &n.sa, n.len), 1);
	EXPECT_EQ(flow_of_next(to), 7);
	/* Of a connection. */
	REQUIRE_OK(connect(fd, &n.sa, n.len));
	EXPECT_EQ(send(fd, "x", 1, 0), 1);
	EXPECT_EQ(flow_of_next(to), 7);
	EXPECT_OK(getpeername(fd, &peer.sa, &peer.len));
	EXPECT_EQ(peer.in6.sin6_flowinfo, htonl(7));
	n.in6.sin6_flowinfo = htonl(9);
	EXPECT_ERR(connect(fd, &n.sa, n.len), EINVAL);
	EXPECT_ERR(sendto(fd, "x", 1, 0, &n.sa, n.len), EINVAL);
}

TEST(what_is_known_of_a_label)
{
	struct flow_req q = request(GET, 7, S_EXCL, CREATE);
	socklen_t len = sizeof(q);
	struct name n;
	int fd;

	own_network();
	n = lo_name(AF_INET6, 5000);
	n.in6.sin6_flowinfo = htonl(7);
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	q.linger = 100;
	EXPECT_OK(setsockopt(fd, IPPROTO_IPV6, MGR, &q, sizeof(q)));
	EXPECT_ERR(getsockopt(fd, IPPROTO_IPV6, MGR, &q, &len), ENOENT);
	EXPECT_OK(set_int(fd, IPPROTO_IPV6, SEND, 1));
	REQUIRE_OK(connect(fd, &n.sa, n.len));
	EXPECT_OK(getsockopt(fd, IPPROTO_IPV6, MGR, &q, &len));
	EXPECT_EQ(len, sizeof(q));
	EXPECT_EQ(q.label, htonl(7));
	EXPECT_EQ(q.share, S_EXCL);
	EXPECT_EQ(q.linger, 100);
	EXPECT_EQ(q.dst.s6_addr[0], 0xfd);
}

TEST_MAIN()
