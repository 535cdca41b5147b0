/*
 * preload.c - the entry point, the table, and calls past it.
 *
 * packetdrill reads TCP_INFO for its checks with getsockopt() and sends files
 * with sendfile() directly; the runner preloads this object, so that those
 * reach the stack too when the descriptor is one of ours.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include "tests/integration/packetdrill/iface.h"

int getsockopt(int fd, int level, int opt, void *val, socklen_t *len)
{
	int (*real)(int, int, int, void *, socklen_t *);

	if (rig_get(rig_it, fd))
		return rig_getsockopt(rig_it, fd, level, opt, val, len);
	*(void **)&real = dlsym(RTLD_NEXT, "getsockopt");
	return real(fd, level, opt, val, len);
}

ssize_t sendfile(int out, int in, off_t *off, size_t n)
{
	ssize_t (*real)(int, int, off_t *, size_t), r;
	static char buf[1 << 20];

	if (!rig_get(rig_it, out)) {
		*(void **)&real = dlsym(RTLD_NEXT, "sendfile");
		return real(out, in, off, n);
	}
	n = MIN(n, sizeof(buf));
	r = off ? pread(in, buf, n, *off) : read(in, buf, n);
	if (r <= 0)
		return r;
	r = rig_write(rig_it, out, buf, (size_t)r);
	if (r > 0 && off)
		*off += r;
	return r;
}

static void op_free(void *u) { rig_free(u); }

static ssize_t op_readv(void *u, int fd, const struct iovec *v, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n };

	return rig_recvmsg(u, fd, &m, 0);
}

static ssize_t op_writev(void *u, int fd, const struct iovec *v, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)v, .msg_iovlen = (size_t)n };

	return rig_sendmsg(u, fd, &m, 0);
}

static ssize_t op_recvfrom(void *u, int fd, void *buf, size_t n, int flags, struct sockaddr *a,
			   socklen_t *alen)
{
	struct iovec v = { buf, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_name = a, .msg_namelen = alen ? *alen : 0 };
	ssize_t r = rig_recvmsg(u, fd, &m, flags);

	if (alen)
		*alen = m.msg_namelen;
	return r;
}

static ssize_t op_recv(void *u, int fd, void *buf, size_t n, int flags)
{
	return op_recvfrom(u, fd, buf, n, flags, NULL, NULL);
}

static ssize_t op_sendto(void *u, int fd, const void *buf, size_t n, int flags,
			 const struct sockaddr *a, socklen_t alen)
{
	struct iovec v = { (void *)buf, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_name = (void *)a, .msg_namelen = alen };

	return rig_sendmsg(u, fd, &m, flags);
}

static ssize_t op_send(void *u, int fd, const void *buf, size_t n, int flags)
{
	return op_sendto(u, fd, buf, n, flags, NULL, 0);
}

void packetdrill_interface_init(const char *flags, struct pd_iface *ifc)
{
	(void)flags;
	unsetenv("LD_PRELOAD");         /* not for the script's commands */
	*ifc = (struct pd_iface){
		.userdata = rig_new(), .free = op_free, .socket = rig_socket, .bind = rig_bind,
		.listen = rig_listen, .accept = rig_accept, .connect = rig_connect, .read = rig_read,
		.readv = op_readv, .recv = op_recv, .recvfrom = op_recvfrom, .recvmsg = rig_recvmsg,
		.write = rig_write, .writev = op_writev, .send = op_send, .sendto = op_sendto,
		.sendmsg = rig_sendmsg, .fcntl = rig_fcntl, .ioctl = rig_ioctl, .close = rig_close,
		.shutdown = rig_shutdown, .getsockopt = rig_getsockopt, .setsockopt = rig_setsockopt,
		.poll = rig_poll, .netdev_send = rig_netdev_send, .netdev_receive = rig_netdev_receive,
		.usleep = rig_usleep, .gettimeofday = rig_gettimeofday, .epoll_create = rig_epoll_create,
		.epoll_ctl = rig_epoll_ctl, .epoll_wait = rig_epoll_wait, .pipe = rig_pipe,
		.splice = rig_splice,
	};
}
