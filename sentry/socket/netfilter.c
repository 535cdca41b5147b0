/*
 * netfilter.c - iptables' socket options (SOL_IP and SOL_IPV6, 64 to 69), SO_ORIGINAL_DST, and /proc/net/ip_tables_*.
 *
 * A table comes and goes as one value of up to NF_BLOB_MAX bytes, which only callers with CAP_NET_ADMIN over
 * the socket's namespace may send or ask for.
 */
#include "sentry/socket/netfilter.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/inet.h"
#include "sentry/socket/net.h"
#include "sentry/socket/socket.h"

#define BASE         64         /* IPT_BASE_CTL, IP6T_BASE_CTL */
#define LAST         69
#define ORIGINAL_DST 80

bool netfilter_opt(const struct socket *s, int level, int opt)
{
	bool v4 = s->family == AF_INET && level == IPPROTO_IP, v6 = s->family == AF_INET6 && level == IPPROTO_IPV6;

	if (opt == ORIGINAL_DST)
		return v4 || v6 || (s->family == AF_INET6 && level == IPPROTO_IP);
	/* 66 and 67 are IPV6_RECVTCLASS and IPV6_TCLASS: asking for revisions has other numbers there. */
	if (v6 && (opt == BASE + 2 || opt == BASE + 3))
		return false;
	return (v4 || v6) && opt >= BASE && opt <= (v6 ? LAST : BASE + 3);
}

int netfilter_optlen(struct task *t, const struct socket *s, int opt)
{
	if (opt == ORIGINAL_DST)
		return SOCK_NAME_MAX;
	return net_capable(t, s->net, CAP_NET_ADMIN) ? (int)NF_BLOB_MAX + 4096 : -EPERM;
}

int netfilter_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n)
{
	struct nf_old_counters old;
	int r;

	if (opt == ORIGINAL_DST)
		return -ENOPROTOOPT;
	if (!net_capable(t, s->net, CAP_NET_ADMIN))
		return -EPERM;
	r = nf_setsockopt(net_stack(s->net), level == IPPROTO_IPV6, opt, v, n, &old);
	/* The table is replaced: that the caller does not get to know its old counters changes nothing. */
	if (r == 0 && old.p)
		(void)!copy_out(t, GADDR(old.to), old.p, old.len);
	kfree(old.p);
	return r;
}

static int original_dst(struct socket *s, int level, void *v, size_t n)
{
	int family = level == IPPROTO_IPV6 ? AF_INET6 : AF_INET;
	size_t want = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	u8 name[SOCK_NAME_MAX] = { 0 };
	struct net_sa sa;
	int r;

	if (n < want)
		return -EINVAL;
	r = nf_original_dst(inet_ep(s), &sa);
	if (r < 0)
		return r;
	if (sa.family != family)
		return -ENOENT;
	r = inet_sa_out(family, &sa, false, name);
	if (r < 0)
		return r;
	memcpy(v, name, want);
	return (int)want;
}

int netfilter_getsockopt(struct task *t, struct socket *s, int level, int opt, void *v, size_t n)
{
	int r;

	if (opt == ORIGINAL_DST)
		return original_dst(s, level, v, n);
	if (!net_capable(t, s->net, CAP_NET_ADMIN))
		return -EPERM;
	r = nf_getsockopt(net_stack(s->net), level == IPPROTO_IPV6, opt, v, n);
	return r < 0 ? r : (int)n;
}

void net_show_tables(struct net *n, struct strbuf *out, bool v6, int what)
{
	struct stack *st = net_stack(n);
	const char *name;

	for (unsigned i = 0; st && (name = nf_name(st, v6, (enum nf_names)what, i)); i++)
		strbuf_printf(out, "%s\n", name);
}
