/*
 * sys_socket.c - making, naming and connecting sockets, and their options.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/net.h>
#include <netinet/in.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/netfilter.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/sockarg.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/landlock.h"

#define OPTLEN_MAX 65536
#define TYPE_MASK  0xf

static int socket_in(struct file *f, struct file **ret_file, struct socket **ret)
{
	struct socket *s;

	if (!f)
		return -EBADF;
	s = socket_of(f);
	if (!s) {
		file_unref(f);
		return -ENOTSOCK;
	}
	*ret_file = f;
	*ret = s;
	return 0;
}

int sockarg_get(struct task *t, int fd, struct file **ret_file, struct socket **ret)
{
	return socket_in(fd_get(t, fd), ret_file, ret);
}

int sockarg_call_get(struct task *t, int fd, struct file **ret_file, struct socket **ret)
{
	return socket_in(task_call_file(t, fd), ret_file, ret);
}

int sockarg_name_in(struct task *t, gaddr_t addr, s32 len, u8 name[SOCK_NAME_MAX])
{
	if (len < 0 || len > SOCK_NAME_MAX)
		return -EINVAL;
	__builtin_memset(name, 0, SOCK_NAME_MAX);
	return len ? copy_in(t, name, addr, (size_t)len) : 0;
}

int sockarg_name_out(struct task *t, gaddr_t addr, gaddr_t lenp, const void *name, u32 len)
{
	s32 room;
	int r = copy_in(t, &room, lenp, sizeof(room));

	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	r = copy_out(t, addr, name, MIN((u32)room, len));
	return r < 0 ? r : copy_out(t, lenp, &len, sizeof(len));
}

static bool bad_type(u32 type) { return type & ~(u32)(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK); }

long sys_socket(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	u32 type = arg_u32(a, 1);
	int r;

	if (bad_type(type))
		return -EINVAL;
	r = socket_create(t, arg_s32(a, 0), (int)type, arg_s32(a, 2), &f);
	return r < 0 ? r : fd_install(t, f, type & SOCK_CLOEXEC);
}

long sys_socketpair(struct task *t, const struct sysargs *a)
{
	auto_file *x = NULL, *y = NULL;
	u32 type = arg_u32(a, 1);
	int fd[2], r;

	if (bad_type(type))
		return -EINVAL;
	r = socket_pair(t, arg_s32(a, 0), (int)type, arg_s32(a, 2), &x, &y);
	if (r < 0)
		return r;
	r = fd[0] = fd_reserve(t, 0, type & SOCK_CLOEXEC);
	if (r < 0)
		return r;
	r = fd[1] = fd_reserve(t, 0, type & SOCK_CLOEXEC);
	if (r < 0)
		goto unreserve_first;
	r = copy_out(t, arg_addr(a, 3), fd, sizeof(fd));
	if (r < 0)
		goto unreserve_both;
	fd_publish(t, fd[0], x);
	fd_publish(t, fd[1], y);
	return 0;

unreserve_both:
	fd_unreserve(t, fd[1]);
unreserve_first:
	fd_unreserve(t, fd[0]);
	return r;
}

/* landlock's word on a TCP port: for IPv4 and IPv6 sockets of streams. */
static int may_use_port(struct task *t, const struct socket *s, const u8 *name, u32 len, u32 access)
{
	u16 family, port;
	u32 need = s->family == AF_INET6 ? 24 : sizeof(struct sockaddr_in);

	if (!task_cred(t)->landlock || s->type != SOCK_STREAM || (s->family != AF_INET && s->family != AF_INET6) ||
	    len < sizeof(family) || (s->proto && s->proto != IPPROTO_TCP))
		return 0;
	memcpy(&family, name, sizeof(family));
	/* Connecting to nobody is hanging up. What is of another family or too short the socket refuses itself. */
	if (family != s->family && !(family == AF_UNSPEC && access == LL_BIND_TCP && s->family == AF_INET))
		return 0;
	if (len < need || (family == AF_UNSPEC && memcmp(name + 4, &(struct in_addr){ INADDR_ANY }, 4) != 0))
		return 0;
	memcpy(&port, name + 2, sizeof(port));
	return landlock_port(t, ntohs(port), access);
}

long sys_bind(struct task *t, const struct sysargs *a)
{
	u8 name[SOCK_NAME_MAX];
	auto_file *f = NULL;
	struct socket *s;
	int r = sockarg_get(t, arg_fd(a, 0), &f, &s);

	if (r == 0)
		r = sockarg_name_in(t, arg_addr(a, 1), arg_s32(a, 2), name);
	if (r == 0)
		r = may_use_port(t, s, name, arg_u32(a, 2), LL_BIND_TCP);
	if (r < 0)
		return r;
	return s->ops->bind ? s->ops->bind(t, s, name, arg_u32(a, 2)) : -EOPNOTSUPP;
}

long sys_connect(struct task *t, const struct sysargs *a)
{
	u8 name[SOCK_NAME_MAX];
	auto_file *f = fd_get(t, arg_fd(a, 0));
	struct socket *s;
	int r;

	if (!f)
		return -EBADF;
	r = sockarg_name_in(t, arg_addr(a, 1), arg_s32(a, 2), name);    /* before it is known to be a socket, unlike bind */
	if (r < 0)
		return r;
	s = socket_of(f);
	r = s ? may_use_port(t, s, name, arg_u32(a, 2), LL_CONNECT_TCP) : -ENOTSOCK;
	return r < 0 ? r : socket_connect(t, s, name, arg_u32(a, 2));
}

long sys_listen(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	struct socket *s;
	int r = sockarg_get(t, arg_fd(a, 0), &f, &s);

	if (r < 0)
		return r;
	return s->ops->listen ? s->ops->listen(t, s, arg_s32(a, 1)) : -EOPNOTSUPP;
}

/* Of a connection that has just been accepted: who may be gone by now has a name nevertheless. */
static int name_of_peer(struct socket *s, void *name)
{
	return s->ops->accepted_from ? s->ops->accepted_from(s, name) : s->ops->getname(s, true, name);
}

static long do_accept(struct task *t, const struct sysargs *a, u32 flags)
{
	auto_file *f = fd_get(t, arg_fd(a, 0)), *got = NULL;
	u8 name[SOCK_NAME_MAX] = { 0 };
	struct socket *s;
	int r, fd, len;

	if (!f)
		return -EBADF;
	if (flags & ~(u32)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	s = socket_of(f);
	if (!s)
		return -ENOTSOCK;
	fd = fd_reserve(t, 0, flags & SOCK_CLOEXEC);
	if (fd < 0)
		return fd;
	r = socket_accept(t, s, flags, &got);
	if (r == 0 && arg_addr(a, 1).v) {
		len = name_of_peer(socket_of(got), name);
		r = len < 0 ? -ECONNABORTED : sockarg_name_out(t, arg_addr(a, 1), arg_addr(a, 2), name, (u32)len);
	}
	if (r < 0) {
		fd_unreserve(t, fd);
		return r;
	}
	fd_publish(t, fd, got);
	return fd;
}

long sys_accept(struct task *t, const struct sysargs *a) { return do_accept(t, a, 0); }
long sys_accept4(struct task *t, const struct sysargs *a) { return do_accept(t, a, arg_u32(a, 3)); }

long sys_shutdown(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	struct socket *s;
	int r = sockarg_get(t, arg_fd(a, 0), &f, &s);

	if (r < 0)
		return r;
	return s->ops->shutdown ? s->ops->shutdown(t, s, arg_s32(a, 1)) : -EOPNOTSUPP;
}

static long do_getname(struct task *t, const struct sysargs *a, bool peer)
{
	u8 name[SOCK_NAME_MAX] = { 0 };
	auto_file *f = NULL;
	struct socket *s;
	int r = sockarg_get(t, arg_fd(a, 0), &f, &s);

	if (r == 0)
		r = s->ops->getname ? s->ops->getname(s, peer, name) : -EOPNOTSUPP;
	return r < 0 ? r : sockarg_name_out(t, arg_addr(a, 1), arg_addr(a, 2), name, (u32)r);
}

long sys_getsockname(struct task *t, const struct sysargs *a) { return do_getname(t, a, false); }
long sys_getpeername(struct task *t, const struct sysargs *a) { return do_getname(t, a, true); }

/* Bytes that an option's value may have: tables of rules are long, and not for everybody. */
static int longest(struct task *t, struct socket *s, int level, int opt)
{
	return netfilter_opt(s, level, opt) ? netfilter_optlen(t, s, opt) : OPTLEN_MAX;
}

static bool flowlabel_opt(const struct socket *s, int level, int opt)
{
	return s->family == AF_INET6 && level == IPPROTO_IPV6 && opt == SOCK_FLOWLABEL_MGR;
}

long sys_setsockopt(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	auto_kfree u8 *big = NULL;
	u64 small[16];
	void *v = small;
	struct socket *s;
	s32 len = arg_s32(a, 4);
	int r;

	r = sockarg_get(t, arg_fd(a, 0), &f, &s);
	if (r == 0 && len < 0)
		r = -EINVAL;
	if (r == 0)
		r = longest(t, s, arg_s32(a, 1), arg_s32(a, 2));
	if (r < 0)
		return r;
	len = MIN(len, r);
	if ((size_t)len > sizeof(small)) {
		v = big = kbuf_alloc((size_t)len);
		if (!v)
			return -ENOBUFS;
	}
	r = copy_in(t, v, arg_addr(a, 3), (size_t)len);
	if (r < 0)
		return r;
	return s->ops->setsockopt ? s->ops->setsockopt(t, s, arg_s32(a, 1), arg_s32(a, 2), v, (size_t)len)
		: -ENOPROTOOPT;
}

long sys_getsockopt(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	auto_kfree u8 *big = NULL;
	u64 small[16];
	void *v = small;
	struct socket *s;
	s32 len;
	int r = sockarg_get(t, arg_fd(a, 0), &f, &s);

	if (r == 0)
		r = copy_in(t, &len, arg_addr(a, 4), sizeof(len));
	if (r < 0)
		return r;
	if (len < 0)
		return -EINVAL;
	r = longest(t, s, arg_s32(a, 1), arg_s32(a, 2));
	if (r < 0)
		return r;
	len = MIN(len, r);
	if ((size_t)len > sizeof(small)) {
		v = big = kbuf_alloc((size_t)len);
		if (!v)
			return -ENOBUFS;
	}
	/* Some options of packet sockets (PACKET_HDRLEN), flow labels and iptables' read what the caller put there. */
	if ((s->family == AF_PACKET || flowlabel_opt(s, arg_s32(a, 1), arg_s32(a, 2)) || netfilter_opt(s, arg_s32(a, 1), arg_s32(a, 2))) && copy_in(t, v, arg_addr(a, 3), (size_t)len) < 0)
		return -EFAULT;
	r = s->ops->getsockopt ? s->ops->getsockopt(t, s, arg_s32(a, 1), arg_s32(a, 2), v, (size_t)len)
		: -ENOPROTOOPT;
	if (r == -ERANGE && len >= (s32)sizeof(len)) {         /* SO_PEERGROUPS: the length needed is told */
		__builtin_memcpy(&len, v, sizeof(len));
		return copy_out(t, arg_addr(a, 4), &len, sizeof(len)) < 0 ? -EFAULT : -ERANGE;
	}
	if (r < 0)
		return r;
	len = r;
	r = copy_out(t, arg_addr(a, 3), v, (size_t)len);
	return r < 0 ? r : copy_out(t, arg_addr(a, 4), &len, sizeof(len));
}
