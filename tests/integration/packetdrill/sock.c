/*
 * sock.c - socket calls of a script on netstack/api.h, blocking where Linux blocks.
 *
 * A socket's number is a real descriptor of /dev/null, so that it collides with
 * nothing.  Caller's memory is copied by process_vm_readv(), since scripts pass
 * bad pointers on purpose.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include "netstack/core/ipaddr.h"
#include "tests/integration/packetdrill/rig.h"

struct rig_sock *rig_get(struct rig *r, int fd)
{
	return r && fd >= 0 && fd < RIG_FDS ? r->sock[fd] : NULL;
}

/* --------------------------------------------------------------- addresses */

static int from_sockaddr(const struct sockaddr *a, socklen_t n, struct net_sa *ret)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	memset(ret, 0, sizeof(*ret));
	if (n < sizeof(a->sa_family))
		return -EINVAL;
	ret->family = a->sa_family;
	if (a->sa_family == AF_INET && n >= sizeof(*v4)) {
		ret->port = ntohs(v4->sin_port);
		ret->ip = ip_from4(&v4->sin_addr);
	} else if (a->sa_family == AF_INET6 && n >= 24) {
		ret->port = ntohs(v6->sin6_port);
		ret->ip = ip_from6(&v6->sin6_addr);
	} else if (a->sa_family == AF_INET || a->sa_family == AF_INET6) {
		return -EINVAL;
	}
	return 0;
}

static void to_sockaddr(const struct net_sa *s, struct sockaddr *a, socklen_t *n)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(s->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(s->port) };

	if (!a || !n)
		return;
	memcpy(&v4.sin_addr, s->ip.b + 12, 4);
	memcpy(&v6.sin6_addr, s->ip.b, 16);
	if (s->family == AF_INET) {
		memcpy(a, &v4, sizeof(v4));
		*n = sizeof(v4);
	} else if (s->family == AF_INET6) {
		memcpy(a, &v6, sizeof(v6));
		*n = sizeof(v6);
	} else {
		*n = 0;
	}
}

/* ------------------------------------------------------------------ birth */

static int install(struct rig *r, struct rig_sock *s)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0 || fd >= RIG_FDS)
		abort();
	r->sock[fd] = s;
	return fd;
}

int rig_socket(void *u, int domain, int type, int proto)
{
	struct rig *r = u;
	struct rig_sock *s = calloc(1, sizeof(*s));
	int e;

	rig_sysctls(r);
	s->type = type & 0xf;
	s->flags = O_RDWR | (type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
	s->edge = 0x80000000u;
	e = ep_new(r->stack, domain, s->type, proto, rig_ready, s, &s->ep);
	if (e < 0) {
		free(s);
		return rig_err(e);
	}
	return install(r, s);
}

int rig_close(void *u, int fd)
{
	struct rig *r = u;
	struct rig_sock *s = rig_get(r, fd);
	int i, k;

	if (s) {
		r->sock[fd] = NULL;
		for (i = 0; i < RIG_FDS; i++)
			for (k = 0; r->epoll[i] && k < 16; k++)
				if (r->epoll[i]->item[k].used && r->epoll[i]->item[k].fd == fd)
					r->epoll[i]->item[k].used = false;
		ep_set_ready(s->ep, NULL, NULL);
		ep_close(s->ep);
		free(s);
	} else if (fd >= 0 && fd < RIG_FDS && r->epoll[fd]) {
		free(r->epoll[fd]);
		r->epoll[fd] = NULL;
	}
	return close(fd);
}

int rig_bind(void *u, int fd, const struct sockaddr *a, socklen_t n)
{
	struct rig_sock *s = rig_get(u, fd);
	struct net_sa sa;
	int e = from_sockaddr(a, n, &sa);

	if (!s)
		return rig_err(-ENOTSOCK);
	return rig_err(e < 0 ? e : ep_bind(s->ep, &sa));
}

int rig_listen(void *u, int fd, int backlog)
{
	struct rig_sock *s = rig_get(u, fd);

	rig_sysctls(u);
	return rig_err(s ? ep_listen(s->ep, backlog) : -ENOTSOCK);
}

/* When a call that sleeps must give up, by the socket's timeout. */
static u64 until(struct rig *r, u64 timeo)
{
	return timeo ? atomic_load(&r->now) + timeo : NET_NEVER;
}

int rig_accept(void *u, int fd, struct sockaddr *a, socklen_t *n)
{
	struct rig *r = u;
	struct rig_sock *s = rig_get(r, fd), *c;
	struct net_sa peer;
	struct ep *e = NULL;
	u64 seen, end;
	int k;

	rig_sysctls(r);
	if (!s)
		return rig_err(-ENOTSOCK);
	end = until(r, ep_rcvtimeo(s->ep));
	for (;;) {
		seen = rig_seen(r);
		k = ep_accept(s->ep, &peer, &e);
		if (k != -EAGAIN || (s->flags & O_NONBLOCK) || !rig_wait(r, seen, end))
			break;
	}
	if (k < 0)
		return rig_err(k);
	c = calloc(1, sizeof(*c));
	c->ep = e;
	c->type = s->type;
	c->flags = O_RDWR;
	c->edge = 0x80000000u;
	ep_set_ready(e, rig_ready, c);
	to_sockaddr(&peer, a, n);
	return install(r, c);
}

/* What a connect() under way comes to: waits, or tells -EINPROGRESS. */
static int finish_connect(struct rig *r, struct rig_sock *s)
{
	u64 end = until(r, ep_sndtimeo(s->ep)), seen;
	u32 ev;

	if (s->flags & O_NONBLOCK)
		return -EINPROGRESS;
	for (;;) {
		seen = rig_seen(r);
		ev = ep_poll(s->ep);
		if (ev & (POLLOUT | POLLERR | POLLHUP))
			return ep_error(s->ep);
		if (!rig_wait(r, seen, end))
			return -EINPROGRESS;
	}
}

int rig_connect(void *u, int fd, const struct sockaddr *a, socklen_t n)
{
	struct rig *r = u;
	struct rig_sock *s = rig_get(r, fd);
	struct net_sa sa;
	int e = from_sockaddr(a, n, &sa);

	rig_sysctls(r);
	if (!s)
		return rig_err(-ENOTSOCK);
	if (e == 0)
		e = ep_connect(s->ep, &sa);
	if (e == -EINPROGRESS)
		e = finish_connect(r, s);
	return rig_err(e);
}

/* --------------------------------------------------------------- transfer */

struct user_io { struct net_io io; const struct iovec *iov; size_t n, i, off; bool to_user; };

static int user_copy(struct net_io *io, void *kbuf, size_t n)
{
	struct user_io *x = container_of(io, struct user_io, io);
	u8 *k = kbuf;

	while (n) {
		const struct iovec *v = &x->iov[x->i];
		size_t step = MIN(n, v->iov_len - x->off);
		struct iovec l = { k, step }, m = { (u8 *)v->iov_base + x->off, step };
		ssize_t got;

		if (step == 0) {
			x->i++;
			x->off = 0;
			continue;
		}
		got = x->to_user ? process_vm_writev(getpid(), &l, 1, &m, 1, 0) :
				   process_vm_readv(getpid(), &l, 1, &m, 1, 0);
		if (got != (ssize_t)step)
			return -EFAULT;
		k += step;
		n -= step;
		x->off += step;
	}
	return 0;
}

static size_t total(const struct msghdr *m)
{
	size_t n = 0, i;

	for (i = 0; i < m->msg_iovlen; i++)
		n += m->msg_iov[i].iov_len;
	return n;
}

/* MSG_FASTOPEN of a blocking socket waits for the handshake when there was no cookie. */
static ssize_t send_wait(struct rig *r, struct rig_sock *s, struct net_msg *nm, bool block)
{
	u64 end = until(r, ep_sndtimeo(s->ep)), seen;
	ssize_t e, done = 0;

	for (;;) {
		seen = rig_seen(r);
		e = ep_send(s->ep, nm);
		if (e > 0) {
			done += e;
			nm->io->len -= (size_t)e;
			if (!nm->io->len || !block || s->type != SOCK_STREAM)
				return done;
			nm->flags &= ~(u32)MSG_FASTOPEN;
			continue;
		}
		if (e == -EINPROGRESS && !block && nm->taken)
			return (ssize_t)nm->taken;
		if ((e != -EAGAIN && e != -EINPROGRESS) || !block)
			return done ? done : e;
		if (e == -EINPROGRESS) {
			size_t taken = nm->taken;

			e = finish_connect(r, s);
			if (e < 0)
				return e;
			done += (ssize_t)taken;
			nm->io->len -= taken;
			if (!nm->io->len)
				return done;
			nm->flags &= ~(u32)MSG_FASTOPEN;
			nm->name = NULL;
			continue;
		}
		if (!rig_wait(r, seen, end))
			return done ? done : e;
	}
}

ssize_t rig_sendmsg(void *u, int fd, const struct msghdr *m, int flags)
{
	struct rig_sock *s = rig_get(u, fd);
	struct user_io x = { { .len = total(m), .copy = user_copy }, m->msg_iov, m->msg_iovlen, 0, 0, false };
	struct net_msg nm = { .io = &x.io, .flags = (u32)flags, .ctl = m->msg_control,
			      .ctl_len = m->msg_controllen };
	struct net_sa sa;
	int e;

	rig_sysctls(u);
	if (!s)
		return rig_err(-ENOTSOCK);
	if (m->msg_name && m->msg_namelen) {
		e = from_sockaddr(m->msg_name, m->msg_namelen, &sa);
		if (e < 0)
			return rig_err(e);
		nm.name = &sa;
	}
	if (s->flags & O_NONBLOCK)
		nm.flags |= MSG_DONTWAIT;
	return rig_err(send_wait(u, s, &nm, !(nm.flags & MSG_DONTWAIT)));
}

ssize_t rig_recvmsg(void *u, int fd, struct msghdr *m, int flags)
{
	struct rig *r = u;
	struct rig_sock *s = rig_get(r, fd);
	struct user_io x = { { .len = total(m), .copy = user_copy }, m->msg_iov, m->msg_iovlen, 0, 0, true };
	struct net_sa sa = { 0 };
	struct net_msg nm = { .io = &x.io, .flags = (u32)flags, .name = &sa, .ctl = m->msg_control,
			      .ctl_len = m->msg_controllen };
	bool block = s && !(s->flags & O_NONBLOCK) && !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE));
	u64 seen, end;
	ssize_t e;

	if (!s)
		return rig_err(-ENOTSOCK);
	end = until(r, ep_rcvtimeo(s->ep));
	for (;;) {
		seen = rig_seen(r);
		nm.ctl_len = m->msg_controllen;
		e = ep_recv(s->ep, &nm);
		if (e != -EAGAIN || !block || !rig_wait(r, seen, end))
			break;
	}
	if (e >= 0) {
		to_sockaddr(&sa, m->msg_name, &m->msg_namelen);
		m->msg_controllen = nm.ctl_len;
		m->msg_flags = (int)nm.ret_flags;
	}
	return rig_err(e);
}

ssize_t rig_read(void *u, int fd, void *buf, size_t n)
{
	struct iovec v = { buf, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return rig_get(u, fd) ? rig_recvmsg(u, fd, &m, 0) : read(fd, buf, n);
}

ssize_t rig_write(void *u, int fd, const void *buf, size_t n)
{
	struct iovec v = { (void *)buf, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return rig_get(u, fd) ? rig_sendmsg(u, fd, &m, 0) : write(fd, buf, n);
}

/* ---------------------------------------------------------------- options */

int rig_getsockopt(void *u, int fd, int level, int opt, void *val, socklen_t *len)
{
	struct rig_sock *s = rig_get(u, fd);
	size_t n = *len;
	int e;

	if (!s)
		return rig_err(-ENOTSOCK);
	e = ep_getsockopt(s->ep, level, opt, val, &n);
	*len = (socklen_t)n;
	return rig_err(e);
}

int rig_setsockopt(void *u, int fd, int level, int opt, const void *val, socklen_t len)
{
	struct rig_sock *s = rig_get(u, fd);

	rig_sysctls(u);
	return rig_err(s ? ep_setsockopt(s->ep, level, opt, val, len) : -ENOTSOCK);
}

int rig_shutdown(void *u, int fd, int how)
{
	struct rig_sock *s = rig_get(u, fd);

	return rig_err(s ? ep_shutdown(s->ep, how) : -ENOTSOCK);
}

int rig_fcntl(void *u, int fd, int cmd, ...)
{
	struct rig_sock *s = rig_get(u, fd);
	va_list ap;
	int arg;

	va_start(ap, cmd);
	arg = va_arg(ap, int);
	va_end(ap);
	if (!s)
		return fcntl(fd, cmd, arg);
	if (cmd == F_GETFL)
		return s->flags;
	if (cmd != F_SETFL)
		return rig_err(-EINVAL);
	s->flags = O_RDWR | (arg & O_NONBLOCK);
	return 0;
}

int rig_ioctl(void *u, int fd, unsigned long req, ...)
{
	struct rig_sock *s = rig_get(u, fd);
	va_list ap;
	long v;
	int *arg;

	va_start(ap, req);
	arg = va_arg(ap, int *);
	va_end(ap);
	if (!s)
		return ioctl(fd, req, arg);
	switch (req) {
	case FIONREAD:
		v = ep_inq(s->ep);
		break;
	case SIOCOUTQ:
		v = ep_outq(s->ep);
		break;
	case SIOCOUTQNSD:
		v = ep_outq_unsent(s->ep);
		break;
	case SIOCATMARK:
		v = ep_atmark(s->ep);
		break;
	default:
		v = -ENOTTY;
	}
	if (v >= 0)
		*arg = (int)v;
	return rig_err(v < 0 ? v : 0);
}
