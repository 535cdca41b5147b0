/* channel.c - see channel.h. */
#include "gofer/proto/channel.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union one_fd {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

int gchan_send(int sock, const struct iovec *iov, size_t n, int pass_fd)
{
	union one_fd ctl;
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t r;

	if (pass_fd >= 0) {
		struct cmsghdr *c;

		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = sizeof(ctl.buf);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* gchan_recv() gave room for one descriptor; the kernel drops any more. */
static int take_fd(struct msghdr *m)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len == CMSG_LEN(sizeof(int)) && fd < 0)
			memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

ssize_t gchan_recv(int sock, struct iovec *iov, size_t n, int *ret_fd)
{
	union one_fd ctl;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t r;
	int fd = -1;

	do {
		if (ret_fd) {
			m.msg_control = ctl.buf;
			m.msg_controllen = CMSG_LEN(sizeof(int));       /* CMSG_SPACE() has room for two */
		}
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (ret_fd)
		fd = take_fd(&m);
	if (fd < 0 && (m.msg_flags & MSG_CTRUNC))
		fd = -EMFILE;
	if (m.msg_flags & MSG_TRUNC) {
		if (fd >= 0)
			close(fd);
		return -EMSGSIZE;
	}
	if (ret_fd)
		*ret_fd = fd;
	return r;
}
