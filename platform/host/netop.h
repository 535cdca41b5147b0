/*
 * netop.h - asking the broker (runsc-cli/setup/netbroker.c) for what the sentry may not do itself: host sockets.
 *
 * One packet each way over a SOCK_SEQPACKET pair.  The broker keeps nothing: a request that is about a
 * socket brings it along.  Moving bytes, accept4 and poll need no broker.
 */
#pragma once
#include <sys/socket.h>
#include "platform/base/compiler.h"

enum netop_kind {
	NETOP_SOCKET = 1,       /* a domain, b type, c protocol: a non-blocking socket comes back */
	NETOP_BIND,             /* data: a sockaddr */
	NETOP_CONNECT,          /* data: a sockaddr; -EINPROGRESS */
	NETOP_LISTEN,           /* a backlog */
	NETOP_SETOPT,           /* a level, b option, data */
	NETOP_GETOPT,           /* a level, b option, c room; data comes back */
	NETOP_NAME,             /* a: 0 own, 1 peer; data comes back */
	NETOP_SHUTDOWN,         /* a: SHUT_* */
};

#define NETOP_DATA 512

struct netop {
	u32 op;
	s32 a, b, c;            /* answer: a is the result */
	u32 len;                /* of data */
	u8 data[NETOP_DATA];
};

/* Ask and wait for the answer, in @n itself: n->a.  *ret_fd (may be NULL): a descriptor that came back, or none. */
int host_netop(hostfd_t broker, struct netop *n, hostfd_t pass, hostfd_t *ret_fd) must_check;

/* On sockets of the host; none ever waits. -errno. */
ssize_t host_sendmsg(hostfd_t fd, const struct msghdr *m, int flags) must_check;
ssize_t host_recvmsg(hostfd_t fd, struct msghdr *m, int flags) must_check;
int host_accept(hostfd_t fd, hostfd_t *ret) must_check;
