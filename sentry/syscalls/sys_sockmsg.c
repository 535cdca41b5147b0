/*
 * sys_sockmsg.c - sendto, sendmsg, sendmmsg, recvfrom, recvmsg, recvmmsg.
 *
 * A receive tells the guest about descriptors before they are published, so
 * that a fault in between takes them back (see cmsg.c).
 */
#include <errno.h>
#include <stddef.h>

#include "platform/base/alloc.h"
#include "sentry/core/iobuf.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/sigset_arg.h"
#include "sentry/syscalls/sockarg.h"
#include "sentry/syscalls/syscall.h"

#define CTL_MAX    (64u << 10)          /* control messages a call may send */
#define CTL_ROOM   4096                 /* and receive */
#define VLEN_MAX   1024

struct lx_msghdr {
	gaddr_t name;
	s32 namelen, pad;
	gaddr_t iov;
	u64 iovlen;
	gaddr_t control;
	u64 controllen;
	u32 flags, pad2;
};
struct lx_mmsghdr { struct lx_msghdr hdr; u32 len, pad; };
_Static_assert(sizeof(struct lx_msghdr) == 56 && sizeof(struct lx_mmsghdr) == 64, "msghdr");

long sys_sendto(struct task *t, const struct sysargs *a)
{
	struct iobuf b;
	struct sock_msg m = { .b = &b, .flags = arg_u32(a, 3) };
	auto_file *f = NULL;
	struct socket *s;
	int r = sockarg_get(t, arg_fd(a, 0), &f, &s);

	if (r < 0)
		return r;
	if (arg_addr(a, 4).v) {
		r = sockarg_name_in(t, arg_addr(a, 4), arg_s32(a, 5), m.name);
		if (r < 0)
			return r;
		m.namelen = arg_u32(a, 5);
		/* An address of no bytes is one, and too short, where there is use for one. */
		if (!m.namelen && s->type != SOCK_STREAM && (s->family == AF_INET || s->family == AF_INET6 || s->family == AF_PACKET))
			return -EINVAL;
	}
	iobuf_user(&b, t, arg_addr(a, 1), MIN(arg_size(a, 2), MAX_RW_COUNT));
	return socket_send(t, s, &m);
}

long sys_recvfrom(struct task *t, const struct sysargs *a)
{
	struct iobuf b;
	struct sock_msg m = { .b = &b, .flags = arg_u32(a, 3) };
	auto_file *f = NULL;
	struct socket *s;
	ssize_t n;
	int r = sockarg_call_get(t, arg_fd(a, 0), &f, &s);

	if (r < 0)
		return r;
	iobuf_user(&b, t, arg_addr(a, 1), MIN(arg_size(a, 2), MAX_RW_COUNT));
	b.parks = true;
	n = socket_recv(t, s, &m);
	if (n >= 0 && arg_addr(a, 4).v) {
		r = sockarg_name_out(t, arg_addr(a, 4), arg_addr(a, 5), m.name, m.namelen);
		if (r < 0)
			return r;
	}
	return n;
}

/* ---- sendmsg ---- */

static int msghdr_in(struct task *t, gaddr_t addr, struct lx_msghdr *h)
{
	int r = copy_in(t, h, addr, sizeof(*h));

	if (r < 0)
		return r;
	if (h->namelen < 0)
		return -EINVAL;
	h->namelen = MIN(h->namelen, SOCK_NAME_MAX);
	return h->iovlen > VLEN_MAX ? -EMSGSIZE : 0;
}

#define MSG_CMSG_COMPAT 0x80000000u     /* the kernel's own: refused before anything else */

static int get(struct task *t, const struct sysargs *a, u32 flags, struct file **ret_file, struct socket **ret)
{
	return flags & MSG_CMSG_COMPAT ? -EINVAL : sockarg_get(t, arg_fd(a, 0), ret_file, ret);
}

static ssize_t do_sendmsg(struct task *t, struct socket *s, gaddr_t addr, u32 flags)
{
	auto_kfree struct giovec *iov = NULL;
	auto_kfree u8 *ctl = NULL;
	struct lx_msghdr h;
	struct iobuf b;
	struct sock_msg m = { .b = &b, .flags = flags };
	ssize_t n = msghdr_in(t, addr, &h);

	if (n < 0)
		return n;
	if (h.name.v && h.namelen) {
		n = sockarg_name_in(t, h.name, h.namelen, m.name);
		if (n < 0)
			return n;
		m.namelen = (u32)h.namelen;
	}
	n = iov_copy_in(t, h.iov, h.iovlen, &iov);
	if (n < 0)
		return n;
	if (h.controllen > INT32_MAX || (h.controllen && h.controllen > CTL_MAX))
		return -ENOBUFS;
	if (h.controllen) {
		ctl = kbuf_alloc(h.controllen);
		if (!ctl)
			return -ENOBUFS;
		n = copy_in(t, ctl, h.control, h.controllen);
		if (n < 0)
			return n;
	}
	m.ctl = ctl;
	m.ctl_len = h.controllen;
	iobuf_user_iov(&b, t, iov, h.iovlen);
	return socket_send(t, s, &m);
}

long sys_sendmsg(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	struct socket *s;
	int r = get(t, a, arg_u32(a, 2), &f, &s);

	return r < 0 ? r : do_sendmsg(t, s, arg_addr(a, 1), arg_u32(a, 2));
}

static gaddr_t nth(gaddr_t vec, u32 i) { return gaddr_add(vec, i * sizeof(struct lx_mmsghdr)); }

static int put_len(struct task *t, gaddr_t mmsg, ssize_t n)
{
	u32 len = (u32)n;

	return copy_out(t, gaddr_add(mmsg, offsetof(struct lx_mmsghdr, len)), &len, sizeof(len));
}

long sys_sendmmsg(struct task *t, const struct sysargs *a)
{
	u32 vlen = MIN(arg_u32(a, 2), (u32)VLEN_MAX), i;
	auto_file *f = NULL;
	struct socket *s;
	ssize_t n = get(t, a, arg_u32(a, 3), &f, &s);

	if (n < 0)
		return n;
	for (i = 0; i < vlen; i++) {
		n = do_sendmsg(t, s, nth(arg_addr(a, 1), i), arg_u32(a, 3));
		if (n < 0)
			break;
		n = put_len(t, nth(arg_addr(a, 1), i), n);
		if (n < 0)
			break;
	}
	return i ? (long)i : n;
}

/* ---- recvmsg ---- */

/* What the guest is told besides the bytes. */
static int msghdr_out(struct task *t, gaddr_t addr, const struct lx_msghdr *h, struct sock_msg *m)
{
	u32 flags = m->ret_flags;
	u64 ctl_len = m->out ? m->out->len : 0;
	int r;

	if (m->out && m->out->trunc)
		flags |= MSG_CTRUNC;
	if (m->flags & MSG_CMSG_CLOEXEC)
		flags |= MSG_CMSG_CLOEXEC;
	if (h->name.v) {
		r = copy_out(t, h->name, m->name, MIN((u32)h->namelen, m->namelen));
		if (r == 0)
			r = copy_out(t, gaddr_add(addr, offsetof(struct lx_msghdr, namelen)), &m->namelen, 4);
		if (r < 0)
			return r;
	}
	if (ctl_len) {
		r = copy_out(t, h->control, m->out->buf, ctl_len);
		if (r < 0)
			return r;
	}
	r = copy_out(t, gaddr_add(addr, offsetof(struct lx_msghdr, controllen)), &ctl_len, sizeof(ctl_len));
	return r < 0 ? r : copy_out(t, gaddr_add(addr, offsetof(struct lx_msghdr, flags)), &flags, sizeof(flags));
}

static ssize_t do_recvmsg(struct task *t, struct socket *s, gaddr_t addr, u32 flags)
{
	auto_kfree struct giovec *iov = NULL;
	struct lx_msghdr h;
	struct iobuf b;
	struct sock_msg m = { .b = &b, .flags = flags };
	struct cmsg_out out;
	u64 room[CTL_ROOM / 8];
	ssize_t n = msghdr_in(t, addr, &h);
	int r;

	if (n < 0)
		return n;
	n = iov_copy_in(t, h.iov, h.iovlen, &iov);
	if (n < 0)
		return n;
	iobuf_user_iov(&b, t, iov, h.iovlen);
	out.buf = (u8 *)room;
	out.cap = h.control.v ? MIN(h.controllen, sizeof(room)) : 0;
	out.len = 0;
	out.trunc = false;
	out.nfds = 0;
	out.cloexec = flags & MSG_CMSG_CLOEXEC;
	m.out = &out;
	n = socket_recv(t, s, &m);
	r = n < 0 ? (int)n : msghdr_out(t, addr, &h, &m);
	cmsg_finish(t, &out, r >= 0);
	return r < 0 ? r : n;
}

long sys_recvmsg(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	struct socket *s;
	int r = get(t, a, arg_u32(a, 2), &f, &s);

	return r < 0 ? r : do_recvmsg(t, s, arg_addr(a, 1), arg_u32(a, 2));
}

/* recvmmsg(2) tells an error of the socket's before it reads anything. */
static int pending_error(struct task *t, struct socket *s)
{
	int err = 0;
	int r = s->ops->getsockopt ? s->ops->getsockopt(t, s, SOL_SOCKET, SO_ERROR, &err, sizeof(err)) : -ENOPROTOOPT;

	return r < 0 ? 0 : -err;
}

long sys_recvmmsg(struct task *t, const struct sysargs *a)
{
	u32 vlen = MIN(arg_u32(a, 2), (u32)VLEN_MAX), flags = arg_u32(a, 3), i;
	auto_file *f = NULL;
	ktime_t deadline;
	struct socket *s;
	ssize_t n = flags & MSG_CMSG_COMPAT ? -EINVAL : timeout_arg(t, arg_addr(a, 4), &deadline);

	if (n == 0)
		n = sockarg_get(t, arg_fd(a, 0), &f, &s);
	if (n == 0 && !(flags & MSG_ERRQUEUE))
		n = pending_error(t, s);
	if (n < 0)
		return n;
	for (i = 0; i < vlen; i++) {
		n = do_recvmsg(t, s, nth(arg_addr(a, 1), i), flags & ~(u32)MSG_WAITFORONE);
		if (n < 0)
			break;
		n = put_len(t, nth(arg_addr(a, 1), i), n);
		if (n < 0)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* Linux looks at the timeout after each message only. */
		if (deadline != KTIME_MAX && deadline <= ktime_mono(t->kernel)) {
			i++;
			break;
		}
	}
	return i ? (long)i : n;
}
