/*
 * conn.c - sending and receiving one control message with its descriptors.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"

int ctl_send(int sock, u32 op, s32 result, const void *payload, size_t n, const int *fds, size_t nfds)
{
	struct ctl_hdr h = { .magic = CTL_MAGIC, .op = op, .result = result, .len = (u32)n };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)payload, n } };
	union { char buf[CMSG_SPACE(CTL_MAX_FDS * sizeof(int))]; struct cmsghdr align; } c = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n ? 2 : 1 };

	if (n > CTL_MAX || nfds > CTL_MAX_FDS)
		return -E2BIG;
	if (nfds) {
		struct cmsghdr *cm;

		m.msg_control = c.buf;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, nfds * sizeof(int));
	}
	while (sendmsg(sock, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void take_fds(struct msghdr *m, int fds[CTL_MAX_FDS], size_t *ret_nfds)
{
	*ret_nfds = 0;
	for (int i = 0; i < CTL_MAX_FDS; i++)
		fds[i] = -1;
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (*ret_nfds < CTL_MAX_FDS)
				fds[(*ret_nfds)++] = fd;
			else
				close(fd);
		}
	}
}

static void drop_fds(int fds[CTL_MAX_FDS])
{
	for (int i = 0; i < CTL_MAX_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

/* The size of the message at the head of the queue. */
static ssize_t peek_size(int sock, int flags)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do {
		n = recvmsg(sock, &m, MSG_PEEK | MSG_TRUNC | flags);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return n ? n : -EPIPE;
}

int ctl_recv(int sock, int flags, struct ctl_hdr *ret_hdr, void **ret_payload, int fds[CTL_MAX_FDS],
             size_t *ret_nfds)
{
	union { char buf[CMSG_SPACE(CTL_MAX_FDS * sizeof(int))]; struct cmsghdr align; } c;
	struct iovec iov[2];
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	struct ctl_hdr h;
	ssize_t n = peek_size(sock, flags);
	char *buf;

	if (n < 0)
		return (int)n;
	if ((size_t)n > CTL_MAX + sizeof(h) || (size_t)n < sizeof(h))
		return -EPROTO;
	buf = kbuf_alloc((size_t)n - sizeof(h) + 1);    /* terminated, for error texts */
	if (!buf)
		return -ENOMEM;
	iov[0] = (struct iovec){ &h, sizeof(h) };
	iov[1] = (struct iovec){ buf, (size_t)n - sizeof(h) };
	do {
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | flags);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		int e = n < 0 ? -errno : -EPIPE;

		kfree(buf);
		return e;
	}
	take_fds(&m, fds, ret_nfds);
	if ((size_t)n < sizeof(h) || h.magic != CTL_MAGIC || h.len != (size_t)n - sizeof(h)) {
		drop_fds(fds);
		kfree(buf);
		return -EPROTO;
	}
	*ret_hdr = h;
	*ret_payload = buf;
	return 0;
}
