/*
 * inet.c - AF_INET, AF_INET6 and AF_PACKET sockets over the netstack's endpoints.
 *
 * Lends the caller's buffers, and turns readiness into wake-ups.  All
 * protocol behaviour and all options are the endpoint's.
 *
 * Locks: none held when calling the stack (see netstack/api.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/hostinet.h"
#include "sentry/socket/inet.h"
#include "sentry/socket/net.h"
#include "sentry/socket/netfilter.h"
#include "sentry/socket/socket.h"
#include "sentry/vfs/fasync.h"

#define MUCH             32768

struct inet_socket {
	struct socket s;
	struct ep *ep;                          /* immutable, owned */
	struct waitq wq;
	struct mutex ring_mu;                   /* RANK_FILE */
	struct packet_mem *ring GUARDED_BY(ring_mu);
};

static const struct sock_ops inet_ops;

static struct inet_socket *is_of(struct socket *s) { return container_of(s, struct inet_socket, s); }
static struct ep *ep_of(struct socket *s) { return is_of(s)->ep; }
struct ep *inet_ep(struct socket *s) { return ep_of(s); }

static void inet_ready(void *opaque, u32 events)
{
	u32 async = events & POLLERR ? ASYNC_ERR : events & POLLHUP ? ASYNC_HUP : events & POLLIN ? ASYNC_IN : 0;

	if (events & POLLPRI)
		async |= ASYNC_URG;
	if (events & POLLOUT)
		async |= ASYNC_SPACE;
	waitq_wake(&((struct inet_socket *)opaque)->wq, events | async);
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
	int r = inet_sa_in(s->family, name, len, &sa);

	if (r < 0)
		return r;
	if (s->family == AF_PACKET)
		return ep_bind(ep_of(s), &sa);
	if (s->family == AF_INET6 && len < SA_IN6_OLD)
		return -EINVAL;
	/* Linux lets an IPv4 socket bind to AF_UNSPEC if that means any address. */
	if (sa.family == AF_UNSPEC && s->family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, name, sizeof(in));
		if (in.sin_addr.s_addr)
			return -EAFNOSUPPORT;
		in.sin_family = AF_INET;
		r = inet_sa_in(AF_INET, &in, sizeof(in), &sa);
		if (r < 0)
			return r;
	}
	if (sa.family != s->family)
		return -EAFNOSUPPORT;
	if (sa.port && sa.port < first_free_port(s) && s->type != SOCK_RAW && !net_capable(t, s->net, CAP_NET_BIND_SERVICE)) {
		r = ep_bind_addr(ep_of(s), &sa);
		return r < 0 ? r : -EACCES;
	}
	return ep_bind(ep_of(s), &sa);
}

static int inet_connect(struct task *t, struct socket *s, const void *name, u32 len, bool nonblock)
{
	s64 timeo = s->opt.sndtimeo;
	struct net_sa sa;
	int r = s->family == AF_PACKET ? -EOPNOTSUPP : inet_sa_in(s->family, name, len, &sa);

	if (r == 0 && s->family == AF_INET6 && s->type == SOCK_STREAM && sa.family == AF_INET)
		r = len < SA_IN6_OLD ? -EINVAL : -EAFNOSUPPORT;
	if (r < 0 && s->type == SOCK_STREAM && len >= sizeof(sa_family_t)) {
		/* The state of a stream comes first: it may have another error to tell, or success. */
		int first = ep_connect_start(ep_of(s), &(struct net_sa){ .family = UINT16_MAX });

		return first == -EAFNOSUPPORT ? r : first;
	}
	if (r < 0 && s->type == SOCK_DGRAM && len >= sizeof(sa_family_t))       /* a port it gets anyway */
		return ep_connect_start(ep_of(s), &(struct net_sa){ .family = UINT16_MAX }) == -EAGAIN ? -EAGAIN : r;
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
	is->wq.by_net = true;
	mutex_init(&is->ring_mu, RANK_FILE);
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
	ep_set_ident(e, task_cred(t)->fsuid, task_cred(t)->fsgid, is->s.f.anon_ino);
	*ret = &is->s;
	return 0;
}

static int inet_getname(struct socket *s, bool peer, void *name)
{
	struct net_sa sa;
	int r = ep_name(ep_of(s), peer, &sa);

	return r < 0 ? r : inet_sa_out(s->family, &sa, false, name);
}

static int inet_accepted_from(struct socket *s, void *name)
{
	struct net_sa sa;

	ep_peer_was(ep_of(s), &sa);
	return inet_sa_out(s->family, &sa, false, name);
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

static size_t pieces_from_caller(struct net_io *io, const struct iovec *v, size_t n)
{
	ssize_t r = iobuf_get_pieces(container_of(io, struct lent, io)->b, v, n);

	return (size_t)MAX(r, 0);
}

static size_t pieces_to_caller(struct net_io *io, const struct iovec *v, size_t n)
{
	ssize_t r = iobuf_put_pieces(container_of(io, struct lent, io)->b, v, n);

	return (size_t)MAX(r, 0);
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

	if (s->family == AF_INET && s->type != SOCK_STREAM && m->namelen < sizeof(struct sockaddr_in))
		return -EINVAL;
	if (s->family == AF_INET && m->namelen >= sizeof(struct sockaddr_in) && !m->name[0] && !m->name[1])
		memcpy(m->name, &family, sizeof(family));
	r = inet_sa_in(s->family, m->name, m->namelen, ret);
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
	struct lent l = { .io = { m->b->left, copy_from_caller, pieces_from_caller }, .b = m->b };
	struct net_msg nm = { .io = &l.io, .flags = m->flags, .ctl = (void *)m->ctl, .ctl_len = m->ctl_len,
			      .net_raw = m->ctl_len && net_capable(t, s->net, CAP_NET_RAW) };
	size_t before = m->b->done;
	struct net_sa sa;
	ssize_t n;

	if (m->namelen >= 2 && s->type == SOCK_STREAM && (m->flags & MSG_FASTOPEN) && !m->name[0] && !m->name[1])
		return -EOPNOTSUPP;     /* AF_UNSPEC */
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
	m->no_wait = s->type != SOCK_STREAM;    /* datagrams wait for nothing: it was a port that none is left of */
	if (n >= MUCH)
		s->kernel->receive->look(s->kernel);    /* ACKs, most likely, and more may go then */
	return n;
}

/* A long read that would take what there is and come back for the rest: that may lie at the links. */
static void look_first(struct socket *s, const struct sock_msg *m)
{
	long n, had = 0;

	if (s->type != SOCK_STREAM || m->b->left < MUCH)
		return;
	while ((n = ep_inq(ep_of(s))) >= MUCH && n > had && (size_t)n < m->b->left) {
		s->kernel->receive->look(s->kernel);
		had = n;
	}
}

static ssize_t inet_recvmsg(struct task *t unused_ok, struct socket *s, struct sock_msg *m)
{
	struct lent l = { .io = { m->b->left, copy_to_caller, pieces_to_caller }, .b = m->b };
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
	look_first(s, m);
	n = ep_recv(ep_of(s), &nm);
	if (n < 0) {
		settle(m->b, before, n);
		return n;
	}
	if (nm.ctl)
		m->out->len += nm.ctl_len;
	m->ret_flags |= nm.ret_flags;
	if (s->type != SOCK_STREAM && sa.family != AF_UNSPEC)
		m->namelen = (u32)inet_sa_out(s->family, &sa, true, m->name);
	return n;
}

/* ---- options and the rest ---- */

static bool net_admin(struct task *t, struct socket *s, bool raw_too)
{
	return net_capable(t, s->net, CAP_NET_ADMIN) || (raw_too && net_capable(t, s->net, CAP_NET_RAW));
}

/* Options that need a capability; what is wrong with the value is the stack's business. */
static int sockopt_allowed(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n)
{
	u32 bound = 0;
	size_t len = sizeof(bound);
	int val = 0;

	if (n >= sizeof(val))
		memcpy(&val, v, sizeof(val));
	if ((level == IPPROTO_IP && opt == IP_TRANSPARENT) || (level == IPPROTO_IPV6 && opt == IPV6_TRANSPARENT))
		return val && !net_admin(t, s, true) ? -EPERM : 0;
	if (level == IPPROTO_IPV6 && (opt == IPV6_HOPOPTS || opt == IPV6_DSTOPTS || opt == IPV6_RTHDRDSTOPTS))
		return net_capable(t, s->net, CAP_NET_RAW) ? 0 : -EPERM;
	if (level != SOL_SOCKET)
		return 0;
	switch (opt) {
	case SO_SNDBUFFORCE: case SO_RCVBUFFORCE:
		return net_admin(t, s, false) ? 0 : -EPERM;
	case SO_MARK:
		return net_admin(t, s, true) ? 0 : -EPERM;
	case SO_PREFER_BUSY_POLL: case SO_BUSY_POLL_BUDGET:
		return val > 0 && !net_admin(t, s, false) ? -EPERM : 0;
	case SO_TXTIME:
		return val != CLOCK_MONOTONIC && n == 8 && !net_admin(t, s, false) ? -EPERM : 0;
	case SO_PRIORITY:
		return (val < 0 || val > 6) && !net_admin(t, s, true) ? -EPERM : 0;
	case SO_DEBUG:
		return val && !net_admin(t, s, false) ? -EACCES : 0;
	case SO_BINDTODEVICE: case SO_BINDTOIFINDEX:
		/* Who is bound may not move without CAP_NET_RAW. */
		if (ep_getsockopt(ep_of(s), SOL_SOCKET, SO_BINDTOIFINDEX, &bound, &len) < 0)
			bound = 0;
		return bound && !net_capable(t, s->net, CAP_NET_RAW) ? -EPERM : 0;
	default:
		return 0;
	}
}

/* Options whose value points to a program: the stack gets the instructions. */
static int attach_filter(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n)
{
	size_t bytes;
	u8 *b;
	int r = sockopt_filter_in(t, v, n, &b, &bytes);

	if (r == 0)
		r = ep_setsockopt(ep_of(s), level, opt, b, bytes);
	kfree(b);
	return r;
}

/* The kernel's choice of a label is told where the request was; as in Linux a fault there is no error. */
static int lease_label(struct task *t, struct socket *s, const void *v, size_t n)
{
	const struct flow_caller who = {
		.pid = (u32)t->tid, .uid = task_cred(t)->euid, .admin = net_capable(t, s->net, CAP_NET_ADMIN),
	};
	u8 req[sizeof(struct in6_flowlabel_req)];
	int r;

	memcpy(req, v, MIN(n, sizeof(req)));
	r = ep_flowlabel(ep_of(s), req, n, &who);
	if (r == 0 && t->call_nr == SYS_setsockopt && memcmp(req, v, sizeof(req)) != 0)
		(void)!copy_out(t, GADDR(t->call_args[3]), req, sizeof(req));
	return r;
}

static int inet_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n)
{
	int r = sockopt_allowed(t, s, level, opt, v, n);

	if (r < 0)
		return r;
	if (netfilter_opt(s, level, opt))
		return netfilter_setsockopt(t, s, level, opt, v, n);
	if (level == IPPROTO_IPV6 && opt == SOCK_FLOWLABEL_MGR && s->family == AF_INET6)
		return lease_label(t, s, v, n);
	if (level == IPPROTO_IP && opt == IP_OPTIONS)
		return ep_set_ip_options(ep_of(s), v, n, net_capable(t, s->net, CAP_NET_RAW));
	if (level == IPPROTO_IPV6 && opt == SOCK_2292PKTOPTIONS)
		return ep_set_ip6_options(ep_of(s), v, n, net_capable(t, s->net, CAP_NET_RAW));
	if ((level == SOL_SOCKET && opt == SO_ATTACH_FILTER) || (level == SOL_PACKET && opt == PACKET_FANOUT_DATA))
		return attach_filter(t, s, level, opt, v, n);
	if (level == SOL_SOCKET && (opt == SO_ATTACH_BPF || opt == SO_ATTACH_REUSEPORT_EBPF))
		return sockopt_no_bpf(t, v, n);
	if (level == SOL_PACKET && opt == PACKET_RX_RING && s->family == AF_PACKET) {
		mutex_lock(&is_of(s)->ring_mu);
		r = packet_ring_set(ep_of(s), &is_of(s)->ring, v, n);
		mutex_unlock(&is_of(s)->ring_mu);
		return r;
	}
	r = ep_setsockopt(ep_of(s), level, opt, v, n);
	if (level == SOL_SOCKET) {
		s->opt.rcvtimeo = (s64)ep_rcvtimeo(ep_of(s));
		s->opt.sndtimeo = (s64)ep_sndtimeo(ep_of(s));
	}
	return r;
}

static int inet_getsockopt(struct task *t, struct socket *s, int level, int opt, void *v, size_t cap)
{
	int r;

	if (netfilter_opt(s, level, opt))
		return netfilter_getsockopt(t, s, level, opt, v, cap);
	if (level == SOL_SOCKET && (opt == SO_PEERNAME || opt == SO_NETNS_COOKIE))
		return sockopt_get(s, opt, v, cap);
	r = ep_getsockopt(ep_of(s), level, opt, v, &cap);
	return r < 0 ? r : (int)cap;
}

static u32 inet_poll(struct socket *s) { return ep_poll(ep_of(s)); }

static void inet_release(struct socket *s)
{
	struct inet_socket *is = is_of(s);

	ep_set_ready(is->ep, NULL, NULL);
	ep_close(is->ep);
	packet_mem_free(is->ring);
	socket_done(s);
	kfree(is);
}

static int inet_map(struct socket *s, u64 off, u64 len, struct mapping *ret)
{
	struct inet_socket *is = is_of(s);
	int r;

	if (s->family != AF_PACKET)
		return -ENODEV;
	mutex_lock(&is->ring_mu);
	r = packet_mem_map(is->ring, off, len, ret);
	mutex_unlock(&is->ring_mu);
	return r;
}

bool inet_at_mark(struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->ops == &inet_ops && s->type == SOCK_STREAM && ep_atmark(inet_ep(s));
}

static const struct sock_ops inet_ops = {
	.family = AF_INET,
	.bind = inet_bind,
	.connect = inet_connect,
	.listen = inet_listen,
	.accept = inet_accept,
	.getname = inet_getname,
	.accepted_from = inet_accepted_from,
	.sendmsg = inet_sendmsg,
	.recvmsg = inet_recvmsg,
	.shutdown = inet_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.ioctl = inet_ioctl,
	.poll = inet_poll,
	.map = inet_map,
	.release = inet_release,
};

static int make(struct task *t, int family, int type, int proto, struct file **ret)
{
	int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), r;
	struct inet_socket *is = NULL;
	struct stack *stack = net_stack(task_net(t));

	if (!stack)
		return -EAFNOSUPPORT;
	if ((kind == SOCK_RAW || family == AF_PACKET) && !net_capable(t, task_net(t), CAP_NET_RAW))
		return -EPERM;
	if (net_has_broker(task_net(t)) && family != AF_PACKET)
		return hostinet_create(t, family, type, proto, ret);
	r = inet_wrap(t, NULL, family, kind, proto, (u32)type, &is);
	if (r < 0)
		return r;
	r = ep_new(stack, family, kind, proto, inet_ready, is, &is->ep);
	if (r < 0) {
		socket_done(&is->s);
		kfree(is);
		return r;
	}
	if (family == AF_PACKET)
		;
	else if (!is->s.proto && kind == SOCK_STREAM)
		is->s.proto = IPPROTO_TCP;
	else if (!is->s.proto && kind == SOCK_DGRAM)
		is->s.proto = IPPROTO_UDP;
	ep_set_ident(is->ep, task_cred(t)->fsuid, task_cred(t)->fsgid, is->s.f.anon_ino);
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

int packet_create(struct task *t, int type, int proto, struct file **ret)
{
	return make(t, AF_PACKET, type, proto, ret);
}
