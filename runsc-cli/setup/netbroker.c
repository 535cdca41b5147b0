/*
 * netbroker.c - see netbroker.h; the protocol is platform/host/netop.h.
 *
 * The broker makes sockets for the sandbox, and does to them what the sentry's filter forbids: give them addresses,
 * connect them, change them.  It keeps nothing between requests: the socket comes with each, and is looked at
 * (family, kind) before anything is done, since the sentry is taken for hostile.  It can make no raw or packet
 * socket, and options are those of a list.  It cannot judge addresses: with --network=host the guest
 * reaches what a process of that namespace reaches, abstract UNIX sockets and netlink excepted.
 */
#include "runsc-cli/setup/netbroker.h"
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "platform/host/netop.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/helper.h"

#define HEAD offsetof(struct netop, data)

static const struct hc_row calls[] = {
#define HC(name, rule, why) { .nr = SYS_##name, rule },
#include "syscall-tables/hostcalls-netbroker.def"
#undef HC
};

static const int sol_socket[] = {
	SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE, SO_DONTROUTE, SO_LINGER, SO_SNDBUF,
	SO_RCVBUF, SO_RCVLOWAT, SO_PRIORITY, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_ERROR, SO_TYPE, SO_DOMAIN, SO_PROTOCOL,
	SO_ACCEPTCONN, SO_INCOMING_CPU, SO_COOKIE, SO_MEMINFO, SO_NO_CHECK,
};
static const int sol_tcp[] = {
	TCP_NODELAY, TCP_MAXSEG, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT, TCP_LINGER2,
	TCP_DEFER_ACCEPT, TCP_WINDOW_CLAMP, TCP_INFO, TCP_QUICKACK, TCP_CONGESTION, TCP_USER_TIMEOUT, TCP_FASTOPEN,
	TCP_FASTOPEN_CONNECT, TCP_NOTSENT_LOWAT,
};
static const int sol_ip[] = {
	IP_TOS, IP_TTL, IP_RECVTOS, IP_RECVTTL, IP_PKTINFO, IP_RECVERR, IP_MTU_DISCOVER, IP_MTU, IP_FREEBIND,
	IP_BIND_ADDRESS_NO_PORT, IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_ADD_MEMBERSHIP,
	IP_DROP_MEMBERSHIP, IP_MULTICAST_ALL, IP_RECVORIGDSTADDR, IP_OPTIONS,
};
static const int sol_ip6[] = {
	IPV6_V6ONLY, IPV6_UNICAST_HOPS, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_TCLASS, IPV6_RECVTCLASS,
	IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, IPV6_RECVERR,
	IPV6_MTU_DISCOVER, IPV6_MTU, IPV6_DONTFRAG,
};

static bool in_list(const int *v, size_t n, int opt)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == opt)
			return true;
	return false;
}

static bool option_ok(int level, int opt)
{
	switch (level) {
	case SOL_SOCKET: return in_list(sol_socket, ARRAY_SIZE(sol_socket), opt);
	case IPPROTO_TCP: return in_list(sol_tcp, ARRAY_SIZE(sol_tcp), opt);
	case IPPROTO_IP: return in_list(sol_ip, ARRAY_SIZE(sol_ip), opt);
	case IPPROTO_IPV6: return in_list(sol_ip6, ARRAY_SIZE(sol_ip6), opt);
	}
	return false;
}

static int get_int(int fd, int opt)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, opt, &v, &n) < 0 ? -1 : v;
}

/* A socket that we could have made. */
static bool socket_ok(int fd)
{
	int domain = get_int(fd, SO_DOMAIN), type = get_int(fd, SO_TYPE);

	return (domain == AF_INET || domain == AF_INET6) && (type == SOCK_STREAM || type == SOCK_DGRAM);
}

static int do_socket(const struct netop *n, int *ret_fd)
{
	bool six = n->a == AF_INET6;
	int fd;

	if (n->a != AF_INET && n->a != AF_INET6)
		return -EAFNOSUPPORT;
	if (n->b == SOCK_RAW)
		return -EPERM;
	if (!(n->b == SOCK_STREAM && (n->c == 0 || n->c == IPPROTO_TCP)) &&
	    !(n->b == SOCK_DGRAM && (n->c == 0 || n->c == IPPROTO_UDP || n->c == (six ? IPPROTO_ICMPV6 : IPPROTO_ICMP))))
		return n->b == SOCK_STREAM || n->b == SOCK_DGRAM ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
	fd = socket(n->a, n->b | SOCK_NONBLOCK | SOCK_CLOEXEC, n->c);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int do_get(struct netop *n, int fd)
{
	socklen_t len = sizeof(n->data);

	if (n->op == NETOP_NAME) {
		if ((n->a ? getpeername : getsockname)(fd, (struct sockaddr *)n->data, &len) < 0)
			return -errno;
	} else {
		if (!option_ok(n->a, n->b))
			return -ENOPROTOOPT;
		len = (socklen_t)MIN(MAX(n->c, 0), (s32)sizeof(n->data));
		if (getsockopt(fd, n->a, n->b, n->data, &len) < 0)
			return -errno;
	}
	n->len = MIN((u32)len, (u32)sizeof(n->data));
	return 0;
}

static int perform(struct netop *n, int fd)
{
	const struct sockaddr *sa = (const struct sockaddr *)n->data;
	u32 len = n->len;
	int r;

	if (fd < 0 || !socket_ok(fd))
		return -ENOTSOCK;
	n->len = 0;
	switch (n->op) {
	case NETOP_BIND: r = bind(fd, sa, len); break;
	case NETOP_CONNECT: r = connect(fd, sa, len); break;
	case NETOP_LISTEN: r = listen(fd, n->a); break;
	case NETOP_SHUTDOWN: r = shutdown(fd, n->a); break;
	case NETOP_SETOPT:
		if (!option_ok(n->a, n->b))
			return -ENOPROTOOPT;
		r = setsockopt(fd, n->a, n->b, n->data, len);
		break;
	case NETOP_GETOPT:
	case NETOP_NAME:
		return do_get(n, fd);
	default:
		return -EINVAL;
	}
	return r < 0 ? -errno : 0;
}

union fd_ctl {
	struct cmsghdr h;
	char room[CMSG_SPACE(sizeof(int))];
};

/* A request and the socket that came with it, or -1.  false: it is none; ends when the sandbox does. */
static bool receive(int sock, struct netop *n, int *ret_fd)
{
	struct iovec iov = { n, sizeof(*n) };
	union fd_ctl ctl;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = CMSG_LEN(sizeof(int)) };
	struct cmsghdr *h;
	ssize_t r;

	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		_exit(0);
	*ret_fd = -1;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(h), sizeof(*ret_fd));
	return (size_t)r >= HEAD && n->len <= sizeof(n->data) && (size_t)r == HEAD + n->len;
}

static void answer(int sock, const struct netop *n, int fd)
{
	struct iovec iov = { (void *)n, HEAD + n->len };
	union fd_ctl ctl = { .h = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&ctl.h), &fd, sizeof(fd));
		m.msg_control = &ctl;
		m.msg_controllen = sizeof(ctl);
	}
	if (sendmsg(sock, &m, MSG_NOSIGNAL) < 0 && errno != EINTR)
		_exit(0);
}

static void broker_main(int sock)
{
	for (;;) {
		struct netop n = { 0 };
		int fd, made = -1, r = -EINVAL;

		if (receive(sock, &n, &fd)) {
			if (n.op == NETOP_SOCKET) {
				r = do_socket(&n, &made);
				n.len = 0;
			} else {
				r = perform(&n, fd);
			}
		}
		if (r < 0)
			n.len = 0;
		n.a = r;
		answer(sock, &n, made);
		if (fd >= 0)
			close(fd);
		if (made >= 0)
			close(made);
	}
}

int netbroker_start(struct cli *cli, struct container *c, const struct oci_spec *s, int ns, int ctl)
{
	const struct helper h = {
		.name = "net-broker", .op = CTL_HOSTNET, .ns = ns, .calls = calls, .ncalls = ARRAY_SIZE(calls),
		.caps = s->process.cap_bnd & (1ull << CAP_NET_BIND_SERVICE), .main = broker_main,
	};

	return helper_start(cli, c, &h, ctl);
}
