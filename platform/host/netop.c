/*
 * netop.c - see netop.h.
 */
#include "platform/host/netop.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

union fd_ctl {
	struct cmsghdr h;
	char room[CMSG_SPACE(sizeof(int))];
};

#define HEAD offsetof(struct netop, data)

ssize_t host_sendmsg(hostfd_t fd, const struct msghdr *m, int flags)
{
	ssize_t n;

	do
		n = sendmsg(fd.fd, m, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t host_recvmsg(hostfd_t fd, struct msghdr *m, int flags)
{
	ssize_t n;

	do
		n = recvmsg(fd.fd, m, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int host_accept(hostfd_t fd, hostfd_t *ret)
{
	int r;

	do
		r = accept4(fd.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*ret = HOSTFD(r);
	return 0;
}

static int send_request(int sock, const struct netop *n, int pass)
{
	struct iovec iov = { (void *)n, HEAD + n->len };
	union fd_ctl ctl = { .h = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (pass >= 0) {
		memcpy(CMSG_DATA(&ctl.h), &pass, sizeof(pass));
		m.msg_control = &ctl;
		m.msg_controllen = sizeof(ctl);
	}
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int host_netop(hostfd_t broker, struct netop *n, hostfd_t pass, hostfd_t *ret_fd)
{
	struct iovec iov = { n, sizeof(*n) };
	union fd_ctl ctl;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = CMSG_LEN(sizeof(int)) };
	struct cmsghdr *h;
	ssize_t r;
	int fd;

	r = n->len > NETOP_DATA ? -EINVAL : send_request(broker.fd, n, pass.fd);
	if (r < 0)
		return r == -EPIPE ? -ENETDOWN : (int)r;
	do
		r = recvmsg(broker.fd, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < (ssize_t)HEAD || n->len > NETOP_DATA || (size_t)r < HEAD + n->len)
		return r < 0 ? -errno : -ENETDOWN;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)) && ret_fd) {
		memcpy(&fd, CMSG_DATA(h), sizeof(fd));
		*ret_fd = HOSTFD(fd);
	}
	return n->a;
}
