/*
 * hostio.c - see hostio.h.
 *
 * RWF_NOWAIT is refused by some kinds (ttys, some FIFOs, old kernels).  There we
 * poll first and then move no more than a pipe takes at once: it can only
 * block if another process takes the data between the two calls.
 */
#include "platform/host/hostio.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "platform/host/hostfile.h"

static ssize_t neg(ssize_t r) { return r < 0 ? -errno : r; }

ssize_t hostio_read_nowait(hostfd_t fd, void *buf, size_t n)
{
	struct iovec iov = { .iov_base = buf, .iov_len = n };
	ssize_t r;
	int ev;

	do
		r = neg(preadv2(fd.fd, &iov, 1, -1, RWF_NOWAIT));
	while (r == -EINTR);
	if (r != -EOPNOTSUPP && r != -EINVAL && r != -ENOSYS)
		return r;
	ev = hostio_poll(fd, POLLIN, 0);
	if (ev < 0)
		return ev;
	if (!ev)
		return -EAGAIN;
	return host_read(fd, buf, n);
}

ssize_t hostio_write_nowait(hostfd_t fd, const void *buf, size_t n)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = n };
	ssize_t r;
	int ev;

	do
		r = neg(pwritev2(fd.fd, &iov, 1, -1, RWF_NOWAIT));
	while (r == -EINTR);
	if (r != -EOPNOTSUPP && r != -EINVAL && r != -ENOSYS)
		return r;
	ev = hostio_poll(fd, POLLOUT, 0);
	if (ev < 0)
		return ev;
	if (!ev)
		return -EAGAIN;
	return host_write(fd, buf, MIN(n, (size_t)PIPE_BUF));
}

int hostio_poll(hostfd_t fd, u32 events, int ms)
{
	struct pollfd p = { .fd = fd.fd, .events = (short)events };
	int r;

	do
		r = poll(&p, 1, ms);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : (u16)p.revents;
}

int hostio_ioctl(hostfd_t fd, unsigned long cmd, void *arg) { return (int)neg(ioctl(fd.fd, cmd, arg)); }

int hostio_epoll_new(hostfd_t *ret)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = HOSTFD(fd);
	return 0;
}

int hostio_epoll_ctl(hostfd_t ep, int op, hostfd_t fd, u32 events, void *data)
{
	struct epoll_event ev = { .events = events, .data = { .ptr = data } };

	return (int)neg(epoll_ctl(ep.fd, op, fd.fd, &ev));
}

int hostio_epoll_wait(hostfd_t ep, struct epoll_event *ev, int n, int ms)
{
	int r;

	do
		r = (int)neg(epoll_wait(ep.fd, ev, n, ms));
	while (r == -EINTR);
	return r;
}
