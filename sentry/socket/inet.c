/*
 * inet.c - AF_INET and AF_INET6 sockets over the netstack's endpoints.
 *
 * Translates names between the guest's sockaddr_in, sockaddr_in6 and the stack's
 * net_sa, lends the caller's buffers, and turns readiness into wake-ups.  All
 * protocol behaviour and all options are the endpoint's.
 *
 * Locks: none held when calling the stack (see netstack/api.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/inet.h"
#include "sentry/socket/net.h"
#include "sentry/socket/socket.h"

#define SA_IN6_OLD     24               /* sockaddr_in6 before sin6_scope_id */

struct inet_socket {
	struct socket s;
	struct ep *ep;                          /* immutable, owned */
	struct waitq wq;
};

static const struct sock_ops inet_ops;

static struct inet_socket *is_of(struct socket *s) { return container_of(s, struct inet_socket, s); }
static struct ep *ep_of(struct socket *s) { return is_of(s)->ep; }
struct ep *inet_ep(struct socket *s) { return ep_of(s); }

static void inet_ready(void *opaque, u32 events)
{
	waitq_wake(&((struct inet_socket *)opaque)->wq, events);
}

/* ---- names ---- */

static const u8 v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* 0 or -errno: -EINVAL too short for a socket of @own's family, -EAFNOSUPPORT of another family. */
static int name_in(int own, const void *name, u32 len, struct net_sa *ret)
{
	struct sockaddr_in6 in6 = { 0 };
	struct sockaddr_in in;
	sa_family_t family;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, name, sizeof(family));
	memset(ret, 0, sizeof(*ret));
	ret->family = family;
	if (family != AF_UNSPEC && family != AF_INET && len < (own == AF_INET ? sizeof(in) : SA_IN6_OLD))
		return -EINVAL;
	switch (family) {
	case AF_UNSPEC:
		return 0;
	case AF_INET:
		if (len < sizeof(in))
			return -EINVAL;
		memcpy(&in, name, sizeof(in));
		ret->port = ntohs(in.sin_port);
		memcpy(ret->ip.b, v4_prefix, sizeof(v4_prefix));
		memcpy(ret->ip.b + sizeof(v4_prefix), &in.sin_addr, 4);
		return 0;
	case AF_INET6:
		if (len < SA_IN6_OLD)
			return -EINVAL;
		memcpy(&in6, name, MIN((size_t)len, sizeof(in6)));
		ret->port = ntohs(in6.sin6_port);
		ret->flowinfo = in6.sin6_flowinfo;
		ret->scope = in6.sin6_scope_id;
		memcpy(ret->ip.b, &in6.sin6_addr, 16);
		return 0;
	default:
		return -EAFNOSUPPORT;
	}
}

/* As a socket of @family shows it. Bytes. */
static int name_out(int family, const struct net_sa *sa, void *name)
{
	if (family == AF_INET) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(sa->port) };

		memcpy(&in.sin_addr, sa->ip.b + 12, 4);
		memcpy(name, &in, sizeof(in));
		return sizeof(in);
	}
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(sa->port), .sin6_flowinfo = sa->flowinfo,
		.sin6_scope_id = sa->scope,
	};

	memcpy(&in6.sin6_addr, sa->ip.b, 16);
	memcpy(name, &in6, sizeof(in6));
	return sizeof(in6);
}

/* ---- verbs ---- */

/* Ports below it need CAP_NET_BIND_SERVICE. */
static u64 first_free_port(struct socket *s)
{
	char text[32];
	u64 v = 1024;

	if (stack_sysctl_get(net_stack(s->net), "ipv4/ip_unprivileged_port_start", text, sizeof(text)) >= 0)
		(void)!str_to_u64(text, 10, &v);
	return v;
}

static int inet_bind(struct task *t, struct socket *s, const void *name, u32 len)
{
	struct net_sa sa;
	int r = name_in(s->family, name, len, &sa);

	if (r < 0)
		return r;
	if (s->family == AF_INET6 && len < SA_IN6_OLD)
		return -EINVAL;
	/* Linux lets an IPv4 socket bind to AF_UNSPEC if that means any address. */
	if (sa.family == AF_UNSPEC && s->family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, name, sizeof(in));
		if (in.sin_addr.s_addr)
			return -EAFNOSUPPORT;
		in.sin_family = AF_INET;
		r = name_in(AF_INET, &in, sizeof(in), &sa);
		if (r < 0)
			return r;
	}
	if (sa.family != s->family)
		return -EAFNOSUPPORT;
	if (sa.port && sa.port < first_free_port(s) && s->type != SOCK_RAW && !net_capable(t, s->net, CAP_NET_BIND_SERVICE))
		return -EACCES;
	return ep_bind(ep_of(s), &sa);
}

static int inet_connect(struct task *t, struct socket *s, const void *name, u32 len, bool nonblock)
{
	s64 timeo = s->opt.sndtimeo;
	struct net_sa sa;
	int r = name_in(s->family, name, len, &sa);

	if (r < 0)
		return r;
	if (nonblock)
		return ep_connect_start(ep_of(s), &sa);
	r = ep_connect(ep_of(s), &sa);
	if (r != -EINPROGRESS && r != -EALREADY)
		return r;
	r = file_wait(t, &s->f, POLLOUT, sock_deadline(s->kernel, timeo));
	if (r == -ETIMEDOUT)
		return -EINPROGRESS;
	return r < 0 ? sock_wait_error(r, timeo) : ep_connect_result(ep_of(s));
}

static int inet_listen(struct task *t unused_ok, struct socket *s, int backlog)
{
	return ep_listen(ep_of(s), backlog);
}

static int inet_wrap(struct task *t, struct ep *e, int family, int type, int proto, u32 flags,
		     struct inet_socket **ret)
{
	struct inet_socket *is = knew(struct inet_socket);

	if (!is)
		return -ENOMEM;
	waitq_init(&is->wq);
	is->ep = e;
	socket_init(t, &is->s, &inet_ops, family, type, proto, flags, &is->wq);
	*ret = is;
	return 0;
}

static int inet_accept(struct task *t, struct socket *s, u32 flags, struct socket **ret)
{
	struct inet_socket *is;
	struct net_sa peer;
	struct ep *e;
	int r = ep_accept(ep_of(s), &peer, &e);

	if (r < 0)
		return r;
	r = inet_wrap(t, e, s->family, s->type, s->proto, flags, &is);
	if (r < 0) {
		ep_close(e);
		return r;
	}
	/* Its stack is the listener's, wherever the caller is now. */
	net_unref(is->s.net);
	is->s.net = net_ref(s->net);
	is->s.opt.rcvtimeo = (s64)ep_rcvtimeo(e);
	is->s.opt.sndtimeo = (s64)ep_sndtimeo(e);
	ep_set_ready(e, inet_ready, is);
	ep_set_ident(e, task_cred(t)->fsuid, is->s.f.anon_ino);
	*ret = &is->s;
	return 0;
}

static int inet_getname(struct socket *s, bool peer, void *name)
{
	struct net_sa sa;
	int r = ep_name(ep_of(s), peer, &sa);

	return r < 0 ? r : name_out(s->family, &sa, name);
}

static int inet_shutdown(struct task *t unused_ok, struct socket *s, int how)
{
	return how < SHUT_RD || how > SHUT_RDWR ? -EINVAL : ep_shutdown(ep_of(s), how);
}

/* ---- bytes ---- */

struct lent {                                   /* the caller's buffer, as the stack sees it */
	struct net_io io;
	struct iobuf *b;
};

static int copy_from_caller(struct net_io *io, void *kbuf, size_t n)
{
	struct iobuf *b = container_of(io, struct lent, io)->b;
	ssize_t got = n ? iobuf_get(b, kbuf, n) : 0;

	if (got == (ssize_t)n)
		return 0;
	if (got > 0)
		iobuf_rewind(b, (size_t)got);
	return -EFAULT;
}

static int copy_to_caller(struct net_io *io, void *kbuf, size_t n)
{
	struct iobuf *b = container_of(io, struct lent, io)->b;
	ssize_t put = n ? iobuf_put(b, kbuf, n) : 0;

	if (put == (ssize_t)n)
		return 0;
	if (put > 0)
		iobuf_rewind(b, (size_t)put);
	return -EFAULT;
}

/* The cursor stands where the stack says, not where a copy that was given up got to. */
static void settle(struct iobuf *b, size_t before, ssize_t n)
{
	size_t want = before + (size_t)MAX(n, 0);

	if (b->done > want)
		iobuf_rewind(b, b->done - want);
}

/* The destination of a datagram. AF_UNSPEC: IPv4 takes it for AF_INET, IPv6 for no destination. */
static int dest_in(struct socket *s, struct sock_msg *m, struct net_sa *ret)
{
	sa_family_t family = AF_INET;
	int r;

	if (s->family == AF_INET && m->namelen >= sizeof(struct sockaddr_in) && !m->name[0] && !m->name[1])
		memcpy(m->name, &family, sizeof(family));
	r = name_in(s->family, m->name, m->namelen, ret);
	return r == -EAFNOSUPPORT && s->family == AF_INET6 && s->type == SOCK_DGRAM ? -EINVAL : r;
}

/* A send that connects as well (Fast Open) left with @taken bytes: wait, and go on without. */
static ssize_t fastopen_rest(struct task *t, struct socket *s, struct sock_msg *m, size_t taken)
{
	s64 timeo = s->opt.sndtimeo;
	int r;

	if ((m->flags & MSG_DONTWAIT) || (file_flags(&s->f) & O_NONBLOCK))
		return taken ? (ssize_t)taken : -EINPROGRESS;
	r = file_wait(t, &s->f, POLLOUT, sock_deadline(s->kernel, timeo));
	if (r < 0)
		return r == -ETIMEDOUT ? -EINPROGRESS : sock_wait_error(r, timeo);
	r = ep_error(ep_of(s));
	if (r < 0)
		return r;
	m->flags &= ~(u32)MSG_FASTOPEN;
	m->namelen = 0;
	return taken || !m->b->left ? (ssize_t)taken : s->ops->sendmsg(t, s, m);
}

static ssize_t inet_sendmsg(struct task *t, struct socket *s, struct sock_msg *m)
{
	struct lent l = { .io = { .len = m->b->left, .copy = copy_from_caller }, .b = m->b };
	struct net_msg nm = { .io = &l.io, .flags = m->flags, .ctl = (void *)m->ctl, .ctl_len = m->ctl_len };
	size_t before = m->b->done;
	struct net_sa sa;
	ssize_t n;

	if (m->namelen && (s->type != SOCK_STREAM || (m->flags & MSG_FASTOPEN))) {
		n = dest_in(s, m, &sa);
		if (n < 0)
			return n;
		nm.name = sa.family == AF_UNSPEC ? NULL : &sa;
	}
	if (file_flags(&s->f) & O_NONBLOCK)
		nm.flags |= MSG_DONTWAIT;
	n = ep_send(ep_of(s), &nm);
	if (n == -EINPROGRESS && s->type == SOCK_STREAM) {
		settle(m->b, before, (ssize_t)nm.taken);
		return fastopen_rest(t, s, m, nm.taken);
	}
	settle(m->b, before, n);
	return n;
}

static ssize_t inet_recvmsg(struct task *t unused_ok, struct socket *s, struct sock_msg *m)
{
	struct lent l = { .io = { .len = m->b->left, .copy = copy_to_caller }, .b = m->b };
	struct net_sa sa = { 0 };
	struct net_msg nm = { .io = &l.io, .flags = m->flags, .name = &sa };
	size_t before = m->b->done;
	ssize_t n;

	if (file_flags(&s->f) & O_NONBLOCK)
		nm.flags |= MSG_DONTWAIT;
	if (m->out && m->out->cap > m->out->len) {
		nm.ctl = m->out->buf + m->out->len;
		nm.ctl_len = m->out->cap - m->out->len;
	}
	n = ep_recv(ep_of(s), &nm);
	if (n < 0) {
		settle(m->b, before, n);
		return n;
	}
	if (nm.ctl)
		m->out->len += nm.ctl_len;
	m->ret_flags |= nm.ret_flags;
	if (s->type != SOCK_STREAM && sa.family != AF_UNSPEC)
		m->namelen = (u32)name_out(s->family, &sa, m->name);
	return n;
}

/* ---- options and the rest ---- */

static int inet_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n)
{
	int r;

	if (level == SOL_SOCKET && (opt == SO_SNDBUFFORCE || opt == SO_RCVBUFFORCE || opt == SO_MARK) &&
	    !net_capable(t, s->net, CAP_NET_ADMIN))
		return -EPERM;
	r = ep_setsockopt(ep_of(s), level, opt, v, n);
	if (level == SOL_SOCKET) {
		s->opt.rcvtimeo = (s64)ep_rcvtimeo(ep_of(s));
		s->opt.sndtimeo = (s64)ep_sndtimeo(ep_of(s));
	}
	return r;
}

static int inet_getsockopt(struct task *t unused_ok, struct socket *s, int level, int opt, void *v, size_t cap)
{
	int r = ep_getsockopt(ep_of(s), level, opt, v, &cap);

	return r < 0 ? r : (int)cap;
}

static u32 inet_poll(struct socket *s) { return ep_poll(ep_of(s)); }

static void inet_release(struct socket *s)
{
	struct inet_socket *is = is_of(s);

	ep_set_ready(is->ep, NULL, NULL);
	ep_close(is->ep);
	socket_done(s);
	kfree(is);
}

static const struct sock_ops inet_ops = {
	.family = AF_INET,
	.bind = inet_bind,
	.connect = inet_connect,
	.listen = inet_listen,
	.accept = inet_accept,
	.getname = inet_getname,
	.sendmsg = inet_sendmsg,
	.recvmsg = inet_recvmsg,
	.shutdown = inet_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.ioctl = inet_ioctl,
	.poll = inet_poll,
	.release = inet_release,
};

static int make(struct task *t, int family, int type, int proto, struct file **ret)
{
	int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), r;
	struct inet_socket *is = NULL;
	struct stack *stack = net_stack(task_net(t));

	if (!stack)
		return -EAFNOSUPPORT;
	if (kind == SOCK_RAW && !net_capable(t, task_net(t), CAP_NET_RAW))
		return -EPERM;
	r = inet_wrap(t, NULL, family, kind, proto, (u32)type, &is);
	if (r < 0)
		return r;
	r = ep_new(stack, family, kind, proto, inet_ready, is, &is->ep);
	if (r < 0) {
		socket_done(&is->s);
		kfree(is);
		return r;
	}
	if (!is->s.proto && kind == SOCK_STREAM)
		is->s.proto = IPPROTO_TCP;
	else if (!is->s.proto && kind == SOCK_DGRAM)
		is->s.proto = IPPROTO_UDP;
	ep_set_ident(is->ep, task_cred(t)->fsuid, is->s.f.anon_ino);
	*ret = &is->s.f;
	return 0;
}

int inet_create(struct task *t, int type, int proto, struct file **ret)
{
	return make(t, AF_INET, type, proto, ret);
}

int inet6_create(struct task *t, int type, int proto, struct file **ret)
{
	return make(t, AF_INET6, type, proto, ret);
}
