/*
 * hostinet.c - see hostinet.h: the guest's socket is one of the host, made and named by the broker.
 *
 * The sentry holds the descriptor and moves bytes through it; whatever names an address, changes the socket
 * or makes one is asked of the broker (platform/host/netop.h), which has the list of what is allowed.
 * Options and errors are the host's.
 *
 * Locks: the broker is asked under net's lock (RANK_RPC).  Waiting, and what a faulting reader could
 *        not take: fs/hostfile/hoststream.h.
 */
#include "sentry/socket/hostinet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"
#include "platform/host/hostio.h"
#include "platform/host/netop.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/hostfile/hoststream.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/inet.h"
#include "sentry/socket/net.h"

#define CHUNK  (64u << 10)
#define SEND_FLAGS (MSG_OOB | MSG_MORE | MSG_DONTROUTE | MSG_CONFIRM)

struct host_socket {
	struct socket s;
	struct hoststream io;                   /* pend: of streams only */
};

static const struct sock_ops hostinet_ops;

static struct host_socket *hs_of(struct socket *s) { return container_of(s, struct host_socket, s); }

static u32 hi_poll(struct socket *s) { return hoststream_poll(&hs_of(s)->io); }

/* ---- what the broker does ---- */

static int ask(struct host_socket *hs, struct netop *n)
{
	return net_ask_broker(net_first(hs->s.kernel), n, hs->io.fd, NULL);
}

static int ask_addr(struct host_socket *hs, u32 op, const void *name, u32 len)
{
	struct netop n = { .op = op, .len = MIN(len, (u32)SOCK_NAME_MAX) };

	memcpy(n.data, name, n.len);
	return ask(hs, &n);
}

static int hi_bind(struct task *t, struct socket *s, const void *name, u32 len)
{
	struct sockaddr_in in = { 0 };          /* both families have the port in the same place */

	memcpy(&in, name, MIN((size_t)len, sizeof(in)));
	if (len >= 4 && in.sin_port && ntohs(in.sin_port) < 1024 && !net_capable(t, net_first(t->kernel), CAP_NET_BIND_SERVICE))
		return -EACCES;
	return ask_addr(hs_of(s), NETOP_BIND, name, len);
}

static int hi_connect(struct task *t, struct socket *s, const void *name, u32 len, bool nonblock)
{
	s64 timeo = s->opt.sndtimeo;
	struct netop n = { .op = NETOP_GETOPT, .a = SOL_SOCKET, .b = SO_ERROR, .c = sizeof(int) };
	int r = ask_addr(hs_of(s), NETOP_CONNECT, name, len), err = 0;

	if (nonblock || (r != -EINPROGRESS && r != -EALREADY))
		return r;
	r = file_wait(t, &s->f, POLLOUT, sock_deadline(s->kernel, timeo));
	if (r == -ETIMEDOUT)
		return -EINPROGRESS;
	if (r < 0)
		return sock_wait_error(r, timeo);
	r = ask(hs_of(s), &n);
	memcpy(&err, n.data, sizeof(err));
	return r < 0 ? r : -err;
}

static int hi_listen(struct task *t unused_ok, struct socket *s, int backlog)
{
	struct netop n = { .op = NETOP_LISTEN, .a = backlog };

	return ask(hs_of(s), &n);
}

static int hi_getname(struct socket *s, bool peer, void *name)
{
	struct netop n = { .op = NETOP_NAME, .a = peer };
	int r = ask(hs_of(s), &n);

	if (r < 0)
		return r;
	n.len = MIN(n.len, (u32)SOCK_NAME_MAX);
	memcpy(name, n.data, n.len);
	return (int)n.len;
}

static int hi_shutdown(struct task *t unused_ok, struct socket *s, int how)
{
	struct netop n = { .op = NETOP_SHUTDOWN, .a = how };

	return ask(hs_of(s), &n);
}

static bool is_timeout(int level, int opt)
{
	return level == SOL_SOCKET && (opt == SO_RCVTIMEO || opt == SO_SNDTIMEO || opt == 66 || opt == 67);
}

static int hi_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t len)
{
	struct netop n = { .op = NETOP_SETOPT, .a = level, .b = opt, .len = (u32)MIN(len, (size_t)NETOP_DATA) };

	if (is_timeout(level, opt))             /* waiting is ours */
		return sockopt_set(t, s, opt, v, len);
	if (len > NETOP_DATA)
		return -EINVAL;
	memcpy(n.data, v, n.len);
	return ask(hs_of(s), &n);
}

static int hi_getsockopt(struct task *t unused_ok, struct socket *s, int level, int opt, void *v, size_t cap)
{
	struct netop n = { .op = NETOP_GETOPT, .a = level, .b = opt, .c = (s32)MIN(cap, (size_t)NETOP_DATA) };
	int r;

	if (is_timeout(level, opt))
		return sockopt_get(s, opt, v, cap);
	r = ask(hs_of(s), &n);
	if (r < 0)
		return r;
	cap = MIN(cap, (size_t)n.len);
	memcpy(v, n.data, cap);
	return (int)cap;
}

/* ---- bytes ---- */

/* Control messages of the address families only. Bytes in @to. */
static size_t copy_ctl(const struct sock_msg *m, u8 *to, size_t cap)
{
	size_t at = 0, used = 0;

	while (m->ctl_len - at >= sizeof(struct cmsghdr)) {
		struct cmsghdr h;
		size_t full;

		memcpy(&h, m->ctl + at, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > m->ctl_len - at)
			break;
		full = CMSG_ALIGN(h.cmsg_len);
		if ((h.cmsg_level == IPPROTO_IP || h.cmsg_level == IPPROTO_IPV6) && used + full <= cap) {
			memcpy(to + used, m->ctl + at, h.cmsg_len);
			used += full;
		}
		at += MIN(full, m->ctl_len - at);
	}
	return used;
}

static ssize_t hi_sendmsg(struct task *t unused_ok, struct socket *s, struct sock_msg *m)
{
	struct host_socket *hs = hs_of(s);
	bool stream = s->type == SOCK_STREAM;
	size_t want = MIN(m->b->left, (size_t)CHUNK);
	u8 ctl[512] __attribute__((aligned(8))) = { 0 };
	auto_kfree u8 *buf = kbuf_alloc(MAX(want, (size_t)1));
	struct iovec iov = { .iov_base = buf };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = 0;

	if (!buf)
		return -ENOBUFS;
	if (!stream && m->b->left > CHUNK)
		return -EMSGSIZE;
	if (want)
		n = iobuf_peek(m->b, buf, want);
	if (n < 0 || (!stream && (size_t)n < want))
		return n < 0 ? n : -EFAULT;
	iov.iov_len = (size_t)n;
	if (m->namelen) {
		h.msg_name = m->name;
		h.msg_namelen = m->namelen;
	}
	h.msg_controllen = m->ctl ? copy_ctl(m, ctl, sizeof(ctl)) : 0;
	h.msg_control = h.msg_controllen ? ctl : NULL;
	n = host_sendmsg(hs->io.fd, &h, (int)(m->flags & SEND_FLAGS));
	if (n == -EAGAIN)
		hoststream_arm(&hs->io);
	if (n > 0)
		iobuf_advance(m->b, (size_t)n);
	return n;
}

static void tell_ctl(struct sock_msg *m, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c && m->out; c = CMSG_NXTHDR(h, c))
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			cmsg_put(m->out, c->cmsg_level, c->cmsg_type, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
}

static ssize_t hi_recvmsg(struct task *t unused_ok, struct socket *s, struct sock_msg *m)
{
	struct host_socket *hs = hs_of(s);
	bool stream = s->type == SOCK_STREAM;
	u32 flags = m->flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE | (stream ? 0 : MSG_TRUNC));
	size_t want = MIN(m->b->left, (size_t)CHUNK), got;
	u8 ctl[512] __attribute__((aligned(8)));
	auto_kfree u8 *buf = kbuf_alloc(MAX(want, (size_t)1));
	struct iovec iov = { buf, want };
	struct msghdr h = { .msg_name = m->name, .msg_namelen = SOCK_NAME_MAX, .msg_iov = &iov, .msg_iovlen = 1,
	                    .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	ssize_t n, put = 0;

	if (!buf)
		return -ENOBUFS;
	if (stream && !flags) {
		n = hoststream_take(&hs->io, m->b);
		if (n != 0)
			return n;
	}
	n = host_recvmsg(hs->io.fd, &h, (int)flags);
	if (n == -EAGAIN)
		hoststream_arm(&hs->io);
	if (n < 0)
		return n;
	got = MIN((size_t)n, want);
	if (got)
		put = iobuf_put(m->b, buf, got);
	if (put >= 0 && (size_t)put < got && stream && !flags)
		hoststream_keep(&hs->io, buf + put, got - (size_t)put);
	else if (put < 0 && stream && !flags)
		hoststream_keep(&hs->io, buf, got);
	if (put < 0 || (!stream && (size_t)put < got))
		return put < 0 ? put : -EFAULT;
	tell_ctl(m, &h);
	m->ret_flags |= (u32)h.msg_flags & (MSG_TRUNC | MSG_CTRUNC | MSG_OOB | MSG_ERRQUEUE);
	m->namelen = stream ? 0 : h.msg_namelen;
	return stream ? put : n;
}

static long hi_ioctl(struct task *t, struct socket *s, u32 cmd, gaddr_t arg)
{
	s32 n = 0;
	int r;

	if (cmd != FIONREAD)
		return netdev_ioctl(t, cmd, arg);
	r = hostio_ioctl(hs_of(s)->io.fd, FIONREAD, &n);
	return r < 0 ? r : copy_out(t, arg, &n, sizeof(n));
}

/* ---- life ---- */

static int wrap(struct task *t, hostfd_t fd, int family, int type, int proto, u32 flags, struct host_socket **ret)
{
	struct host_socket *hs = knew(struct host_socket);
	int r;

	if (!hs) {
		host_close(fd);
		return -ENOMEM;
	}
	r = hoststream_init(&hs->io, t->kernel, fd, true);
	if (r < 0) {
		host_close(fd);
		kfree(hs);
		return r;
	}
	socket_init(t, &hs->s, &hostinet_ops, family, type, proto, flags, &hs->io.wq);
	*ret = hs;
	return 0;
}

static int hi_accept(struct task *t, struct socket *s, u32 flags, struct socket **ret)
{
	struct host_socket *hs;
	hostfd_t fd;
	int r = host_accept(hs_of(s)->io.fd, &fd);

	if (r == -EAGAIN)
		hoststream_arm(&hs_of(s)->io);
	if (r == 0)
		r = wrap(t, fd, s->family, s->type, s->proto, flags, &hs);
	if (r == 0)
		*ret = &hs->s;
	return r;
}

static void hi_release(struct socket *s)
{
	struct host_socket *hs = hs_of(s);

	hoststream_done(&hs->io);
	socket_done(s);
	kfree(hs);
}

static const struct sock_ops hostinet_ops = {
	.family = AF_INET,
	.bind = hi_bind,
	.connect = hi_connect,
	.listen = hi_listen,
	.accept = hi_accept,
	.getname = hi_getname,
	.sendmsg = hi_sendmsg,
	.recvmsg = hi_recvmsg,
	.shutdown = hi_shutdown,
	.setsockopt = hi_setsockopt,
	.getsockopt = hi_getsockopt,
	.ioctl = hi_ioctl,
	.poll = hi_poll,
	.release = hi_release,
};

int hostinet_create(struct task *t, int family, int type, int proto, struct file **ret)
{
	int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), r;
	struct netop n = { .op = NETOP_SOCKET, .a = family, .b = kind, .c = proto };
	struct host_socket *hs;
	hostfd_t fd = HOSTFD_NONE;

	r = net_ask_broker(task_net(t), &n, HOSTFD_NONE, &fd);
	if (r < 0 || fd.fd < 0)
		return r < 0 ? r : -ENETDOWN;
	if (!proto)
		proto = kind == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	r = wrap(t, fd, family, kind, proto, (u32)type, &hs);
	if (r == 0)
		*ret = &hs->s.f;
	return r;
}
