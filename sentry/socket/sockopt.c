/*
 * sockopt.c - SOL_SOCKET options whose meaning does not depend on the family (socket(7)).
 *
 * Single words are stored without a lock: a racing reader sees the old or the new value, as on Linux.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/time.h>
#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"

#include "sentry/kernel/cred.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/socket/net.h"
#include "sentry/socket/socket.h"
#include "sentry/time/ktime.h"

#define BUF_MAX      212992             /* net.core.{r,w}mem_max */
#define SNDBUF_MIN   4608
#define RCVBUF_MIN   2304
#define OPT_PASSPIDFD 76
#define OPT_CNX_ADVICE 53
#define OPT_BUF_LOCK 72
#define OPT_RCVMARK 75
#define OPT_RCVPRIORITY 82
#define OPT_RCVTIMEO_NEW 66
#define OPT_SNDTIMEO_NEW 67

static int int_value(const void *v, size_t n, int *ret)
{
	if (n < sizeof(int))
		return -EINVAL;
	__builtin_memcpy(ret, v, sizeof(int));
	return 0;
}

static void set_sndbuf(struct socket *s, u32 v) { s->opt.sndbuf = MAX(v * 2, (u32)SNDBUF_MIN); }
static void set_rcvbuf(struct socket *s, u32 v) { s->opt.rcvbuf = MAX(v * 2, (u32)RCVBUF_MIN); }

static int set_timeo(s64 *dst, const void *v, size_t n)
{
	struct timeval tv;

	if (n < sizeof(tv))
		return -EINVAL;
	__builtin_memcpy(&tv, v, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		*dst = 1;               /* Linux: never wait */
	else if (tv.tv_sec >= INT64_MAX / NSEC_PER_SEC)
		*dst = 0;
	else
		*dst = tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * 1000;
	return 0;
}

#define FILTER_INSN      8u             /* sizeof(struct sock_filter) */
#define FILTER_INSNS_MAX 4096

int sockopt_filter_in(struct task *t, const void *v, size_t n, u8 **ret, size_t *ret_bytes)
{
	struct { u16 len; u8 pad[6]; u64 insns; } prog;
	int r;

	*ret = NULL;
	if (n != sizeof(prog))
		return -EINVAL;
	__builtin_memcpy(&prog, v, sizeof(prog));
	if (prog.len == 0 || prog.len > FILTER_INSNS_MAX)
		return -EINVAL;
	*ret_bytes = prog.len * FILTER_INSN;
	*ret = kbuf_alloc(*ret_bytes);
	if (!*ret)
		return -ENOMEM;
	r = copy_in(t, *ret, GADDR(prog.insns), *ret_bytes);
	if (r < 0) {
		kfree(*ret);
		*ret = NULL;
	}
	return r;
}

static int set_linger(struct socket *s, const void *v, size_t n)
{
	struct linger l;

	if (n < sizeof(l))
		return -EINVAL;
	__builtin_memcpy(&l, v, sizeof(l));
	s->opt.linger_on = l.l_onoff != 0;
	if (l.l_onoff)
		s->opt.linger = l.l_linger;
	return 0;
}

static bool *flag_of(struct socket *s, int opt)
{
	switch (opt) {
	case SO_REUSEADDR: return &s->opt.reuseaddr;
	case SO_KEEPALIVE: return &s->opt.keepalive;
	case SO_BROADCAST: return &s->opt.broadcast;
	case SO_OOBINLINE: return &s->opt.oobinline;
	case SO_DONTROUTE: return &s->opt.dontroute;
	case SO_PASSCRED: return &s->opt.passcred;
	case SO_PASSSEC: return &s->opt.passsec;
	case OPT_PASSPIDFD: return &s->opt.passpidfd;
	case SO_TIMESTAMP: return &s->opt.timestamp;
	case SO_TIMESTAMPNS: return &s->opt.timestampns;
	case SO_RXQ_OVFL: return &s->opt.rxq_ovfl;
	case SO_WIFI_STATUS: return &s->opt.wifi;
	case SO_NOFCS: return &s->opt.nofcs;
	case SO_SELECT_ERR_QUEUE: return &s->opt.select_err;
	case SO_LOCK_FILTER: return &s->opt.lock_filter;
	case SO_PREFER_BUSY_POLL: return &s->opt.busy;
	case OPT_RCVMARK: return &s->opt.rcvmark;
	case OPT_RCVPRIORITY: return &s->opt.rcvprio;
	default: return NULL;
	}
}

/* What may not be set by everybody, or not be taken back. */
static int flag_allowed(struct task *t, struct socket *s, int opt, int val, bool now)
{
	if (opt == SO_LOCK_FILTER && now && !val)
		return -EPERM;
	return opt == SO_PREFER_BUSY_POLL && val && !net_capable(t, s->net, CAP_NET_ADMIN) ? -EPERM : 0;
}

/* What means nothing to these families: checked as Linux does, and forgotten. */
static int set_other(struct socket *s, int opt, int val)
{
	switch (opt) {
	case SO_NO_CHECK: case SO_BSDCOMPAT: case OPT_CNX_ADVICE:
		return 0;
	case SO_BUSY_POLL:
		return val < 0 ? -EINVAL : 0;
	case SO_REUSEPORT:
		return val ? -EOPNOTSUPP : 0;
	case SO_DETACH_FILTER:
		return -ENOENT;
	case OPT_BUF_LOCK:
		if (val & ~3)
			return -EINVAL;
		s->opt.buf_lock = (u8)val;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int sockopt_no_bpf(struct task *t, const void *v, size_t n)
{
	struct file *f;
	int fd;

	if (n != sizeof(fd))
		return -EINVAL;
	__builtin_memcpy(&fd, v, sizeof(fd));
	f = fd_get(t, fd);
	if (!f)
		return -EBADF;
	file_unref(f);
	return -EINVAL;
}

int sockopt_set(struct task *t, struct socket *s, int opt, const void *v, size_t n)
{
	bool *flag = flag_of(s, opt);
	int val, r;

	if (opt == SO_RCVTIMEO || opt == OPT_RCVTIMEO_NEW)
		return set_timeo(&s->opt.rcvtimeo, v, n);
	if (opt == SO_SNDTIMEO || opt == OPT_SNDTIMEO_NEW)
		return set_timeo(&s->opt.sndtimeo, v, n);
	if (opt == SO_LINGER)
		return set_linger(s, v, n);
	if (opt == SO_ATTACH_BPF || opt == SO_ATTACH_REUSEPORT_EBPF)
		return sockopt_no_bpf(t, v, n);
	r = int_value(v, n, &val);
	if (r == 0 && flag)
		r = flag_allowed(t, s, opt, val, *flag);
	if (r < 0)
		return r;
	if (flag) {
		*flag = val != 0;
		return 0;
	}
	switch (opt) {
	case SO_SNDBUFFORCE:
	case SO_RCVBUFFORCE:
		if (!net_capable(t, s->net, CAP_NET_ADMIN))
			return -EPERM;
		val = MAX(val, 0);
		if (opt == SO_SNDBUFFORCE)
			set_sndbuf(s, MIN((u32)val, INT32_MAX / 2));
		else
			set_rcvbuf(s, MIN((u32)val, INT32_MAX / 2));
		return 0;
	case SO_SNDBUF:
		set_sndbuf(s, MIN((u32)val, (u32)BUF_MAX));
		return 0;
	case SO_RCVBUF:
		set_rcvbuf(s, MIN((u32)val, (u32)BUF_MAX));
		return 0;
	case SO_RCVLOWAT:
		s->opt.rcvlowat = val < 0 ? INT32_MAX : MAX(val, 1);
		return 0;
	case SO_PRIORITY:
		if ((val < 0 || val > 6) && !net_capable(t, s->net, CAP_NET_ADMIN))
			return -EPERM;
		s->opt.priority = val;
		return 0;
	case SO_DEBUG:
		return val && !net_capable(t, s->net, CAP_NET_ADMIN) ? -EACCES : 0;
	case SO_MARK:
		if (!net_capable(t, s->net, CAP_NET_ADMIN) && !net_capable(t, s->net, CAP_NET_RAW))
			return -EPERM;
		s->opt.mark = (u32)val;
		return 0;
	default:
		return set_other(s, opt, val);
	}
}

static int put(void *v, size_t cap, const void *src, size_t n)
{
	n = MIN(n, cap);
	__builtin_memcpy(v, src, n);
	return (int)n;
}

static int put_int(void *v, size_t cap, int val) { return put(v, cap, &val, sizeof(val)); }

static int put_timeo(void *v, size_t cap, s64 ns)
{
	struct timeval tv = { .tv_sec = ns / NSEC_PER_SEC, .tv_usec = ns % NSEC_PER_SEC / 1000 };

	return put(v, cap, &tv, sizeof(tv));
}

/* All that was asked for, or nothing. */
static int put_peername(struct socket *s, void *v, size_t cap)
{
	u8 name[SOCK_NAME_MAX];
	int r = s->ops->getname ? s->ops->getname(s, true, name) : -EOPNOTSUPP;

	if (r < 0)
		return -ENOTCONN;
	return (size_t)r < cap ? -EINVAL : put(v, cap, name, (size_t)r);
}

int sockopt_get(struct socket *s, int opt, void *v, size_t cap)
{
	struct linger l = { .l_onoff = s->opt.linger_on, .l_linger = s->opt.linger };
	u64 cookie = s->f.anon_ino;
	bool *flag = flag_of(s, opt);

	if (flag)
		return put_int(v, cap, *flag);
	switch (opt) {
	case SO_TYPE: return put_int(v, cap, s->type);
	case SO_DOMAIN: return put_int(v, cap, s->family);
	case SO_PROTOCOL: return put_int(v, cap, s->proto);
	case SO_SNDBUF: return put_int(v, cap, (int)s->opt.sndbuf);
	case SO_RCVBUF: return put_int(v, cap, (int)s->opt.rcvbuf);
	case SO_RCVLOWAT: return put_int(v, cap, s->opt.rcvlowat);
	case SO_SNDLOWAT: return put_int(v, cap, 1);
	case SO_PRIORITY: return put_int(v, cap, s->opt.priority);
	case SO_DEBUG:
	case SO_REUSEPORT:
	case SO_NO_CHECK:
	case SO_BSDCOMPAT:
	case SO_ACCEPTCONN:
	case SO_INCOMING_NAPI_ID:
	case SO_BUSY_POLL: return put_int(v, cap, 0);
	case SO_MARK: return put_int(v, cap, (int)s->opt.mark);
	case SO_BPF_EXTENSIONS: return put_int(v, cap, 64);
	case OPT_BUF_LOCK: return put_int(v, cap, s->opt.buf_lock);
	case SO_MAX_PACING_RATE: return put(v, cap, &(u64){ UINT64_MAX }, cap < sizeof(u64) ? sizeof(u32) : sizeof(u64));
	case SO_PEERNAME: return put_peername(s, v, cap);
	case SO_PEERGROUPS: return -ENODATA;
	case SO_NETNS_COOKIE: return cap < sizeof(u64) ? -EINVAL : put(v, cap, &(u64){ net_ns_number(s->net) }, sizeof(u64));
	case SO_INCOMING_CPU: return put_int(v, cap, -1);
	case SO_LINGER: return put(v, cap, &l, sizeof(l));
	case SO_COOKIE: return cap < sizeof(cookie) ? -EINVAL : put(v, cap, &cookie, sizeof(cookie));
	case SO_RCVTIMEO:
	case OPT_RCVTIMEO_NEW: return put_timeo(v, cap, s->opt.rcvtimeo);
	case SO_SNDTIMEO:
	case OPT_SNDTIMEO_NEW: return put_timeo(v, cap, s->opt.sndtimeo);
	default: return -ENOPROTOOPT;
	}
}
