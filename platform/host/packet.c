/*
 * packet.c - moving frames through a packet socket that was donated.
 */
#include "platform/host/packet.h"

#include <errno.h>
#include <poll.h>

ssize_t host_readv(hostfd_t fd, const struct iovec *iov, int n)
{
	ssize_t r;

	do {
		r = readv(fd.fd, iov, n);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t host_writev(hostfd_t fd, const struct iovec *iov, int n)
{
	ssize_t r;

	do {
		r = writev(fd.fd, iov, n);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int host_poll_wait(hostfd_t fd, short events)
{
	struct pollfd p = { .fd = fd.fd, .events = events };
	int r;

	do {
		r = poll(&p, 1, -1);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}
