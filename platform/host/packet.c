/*
 * packet.c - moving frames through a packet socket that was donated.
 */
#include "platform/host/packet.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

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

int host_poll_wait(const hostfd_t *fds, u32 n, s64 deadline)
{
	struct pollfd p[HOST_POLL_MAX];
	struct timespec now, left = { 0 };
	int r, bits = 0;
	s64 ns;

	for (u32 i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fds[i].fd, .events = POLLIN };
	if (deadline != INT64_MAX) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ns = deadline - ((s64)now.tv_sec * 1000000000 + now.tv_nsec);
		if (ns > 0)
			left = (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
	}
	r = ppoll(p, n, deadline == INT64_MAX ? NULL : &left, NULL);
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	if (r == 0)
		return -ETIMEDOUT;
	for (u32 i = 0; i < n; i++)
		if (p[i].revents)
			bits |= 1 << i;
	return bits;
}

int host_event_new(hostfd_t *ret)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	ret->fd = fd;
	return 0;
}

void host_event_set(hostfd_t fd)
{
	u64 one = 1;
	ssize_t r = write(fd.fd, &one, sizeof(one));

	(void)r;        /* -EAGAIN: it is set already, more than often enough */
}

void host_event_clear(hostfd_t fd)
{
	u64 n;
	ssize_t r = read(fd.fd, &n, sizeof(n));

	(void)r;
}
