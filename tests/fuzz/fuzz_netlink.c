/*
 * fuzz_netlink.c - a hostile guest at AF_NETLINK: rtnetlink, sock_diag and nf_tables requests, dumps, groups.
 *
 * The input is a list of calls on three sockets of a namespace of their own: send (one or more messages,
 * with headers that are put right or not), receive, options.  Replies must be well-formed: a chain of
 * messages whose attributes fill them.  The task has every capability, so that changes are reached.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "sentry/core/iobuf.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/socket/netlink.h"

#define SOCKS 5

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct task *the_task(void)
{
	struct kernel *k = knew(struct kernel);
	struct task *t = knew(struct task);
	struct cred *c = cred_new();

	must(k && t && c);
	k->nsset = nsset_new();
	atomic_store(&k->ns_max[NS_NET], 64);        /* one an input, and those that end later */
	must(k->nsset && net_start(k) == 0);
	c->cap_prm = c->cap_eff = ~0ull;
	t->kernel = k;
	t->cred = c;
	t->tg = knew(struct tgroup);
	t->tg->tgid = 7;
	mutex_init(&t->tg->mu, RANK_TGROUP);
	t->nsset = nsset_new();
	t->files = fdtable_new();               /* nothing in it: links go nowhere else */
	mutex_init(&k->mu, RANK_KERNEL);
	k->pids = pid_table_new();
	must(t->files && k->pids);
	return t;
}

static ssize_t lose(void *ctx, const struct iovec *iov, int n)
{
	ssize_t all = 0;

	(void)ctx;
	while (n-- > 0)
		all += (ssize_t)iov[n].iov_len;
	return all;
}

static ssize_t nothing(void *ctx, const struct iovec *iov, int n)
{
	(void)ctx;
	(void)iov;
	(void)n;
	return -EAGAIN;
}

/* Something for dumps to tell of: a link, addresses, sockets in several states. */
static void furnish(struct stack *s, struct ep **e)
{
	static const struct link_fd_ops io = { nothing, lose };
	struct link_cfg c = { .name = "eth0", .arphrd = ARPHRD_ETHER, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 1 } };
	struct addr_info a = { .ip = { { [10] = 0xff, 0xff, 10, 0, 0, 1 } }, .plen = 24, .valid_s = UINT32_MAX,
			       .preferred_s = UINT32_MAX };
	struct net_sa sa = { .family = AF_INET, .port = 80, .ip = a.ip };
	int r = link_add_fd(s, &c, &io, NULL, false);

	must(r > 0 && link_set_flags(s, 1, IFF_UP, IFF_UP) == 0 && link_set_flags(s, (u32)r, IFF_UP, IFF_UP) == 0);
	a.ifindex = (u32)r;
	a.peer = a.ip;
	must(addr_add(s, &a) == 0);
	for (int i = 0; i < 3; i++)
		must(ep_new(s, AF_INET, i == 2 ? SOCK_DGRAM : SOCK_STREAM, 0, NULL, NULL, &e[i]) == 0);
	must(ep_bind(e[0], &sa) == 0 && ep_listen(e[0], 4) == 0 && ep_bind(e[2], &sa) == 0);
	r = ep_connect(e[1], &sa);
	(void)r;
}

/* What a reader of netlink(7) relies on. */
static void check_reply(const u8 *p, size_t n)
{
	while (n) {
		struct nlmsghdr h;

		must(n >= sizeof(h));
		memcpy(&h, p, sizeof(h));
		must(h.nlmsg_len >= sizeof(h) && h.nlmsg_len <= n);
		must(h.nlmsg_type == NLMSG_ERROR || h.nlmsg_type == NLMSG_DONE || h.nlmsg_type >= NLMSG_MIN_TYPE);
		h.nlmsg_len = MIN((u32)NLMSG_ALIGN(h.nlmsg_len), (u32)n);
		p += h.nlmsg_len;
		n -= h.nlmsg_len;
	}
}

static void receive(struct task *t, struct socket *s, u8 flags, size_t room)
{
	static u8 buf[140000];
	struct iobuf b;
	struct sock_msg m = { .b = &b, .flags = (flags & 1 ? MSG_PEEK : 0) | (flags & 2 ? MSG_TRUNC : 0) };
	ssize_t r;

	room = flags & 4 ? room : sizeof(buf);
	iobuf_kernel(&b, buf, room);
	r = s->ops->recvmsg(t, s, &m);
	if (r > 0 && (size_t)r <= room && !(m.ret_flags & MSG_TRUNC))
		check_reply(buf, (size_t)r);
}

/* Types and flags that exist, lengths that are right: random bytes seldom are. */
static void repair(u8 *p, size_t n, const u8 *a, int proto)
{
	struct nlmsghdr h = { .nlmsg_len = (u32)n, .nlmsg_seq = a[3], .nlmsg_pid = 0 };

	if (n < sizeof(h))
		return;
	h.nlmsg_type = proto == NETLINK_SOCK_DIAG ? SOCK_DIAG_BY_FAMILY : proto == NETLINK_GENERIC ? (u16)(16 + (a[0] & 1)) : proto == NETLINK_NETFILTER ?
		       (u16)((a[0] & 32 ? 0xb00 : 0xa00) + a[0] % 32) : (u16)(RTM_BASE + a[0] % 32);
	h.nlmsg_flags = (u16)(NLM_F_REQUEST | (a[1] & 4) | (u32)a[2] << 8);
	memcpy(p, &h, sizeof(h));
}

static void call(struct task *t, struct file **f, const u8 *a, const u8 *p, size_t n)
{
	struct socket *s = socket_of(f[(a[0] >> 4) % SOCKS]);
	struct sock_msg m = { 0 };
	u8 buf[512];
	struct iobuf b;
	ssize_t r = 0;

	memcpy(buf, p, n);
	switch (a[0] & 7) {
	case 0: case 1: case 2: case 3:
		if (a[0] & 3)
			repair(buf, n, a + 1, s->proto);
		iobuf_kernel(&b, buf, n);
		m.b = &b;
		r = s->ops->sendmsg(t, s, &m);
		break;
	case 4: case 5:
		receive(t, s, a[1], a[2] * 16u);
		break;
	case 6:
		r = s->ops->setsockopt(t, s, SOL_NETLINK, a[1] & 15, a + 2, sizeof(u32));
		break;
	default:
		r = a[1] & 1 ? s->ops->bind(t, s, buf, (u32)n) :
		    s->ops->getsockopt(t, s, SOL_NETLINK, a[1] >> 1 & 15, buf, n);
	}
	(void)r;
	(void)s->ops->poll(s);
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	static const int protos[SOCKS] = { NETLINK_ROUTE, NETLINK_ROUTE, NETLINK_SOCK_DIAG, NETLINK_NETFILTER, NETLINK_GENERIC };
	static struct task *t;
	struct file *f[SOCKS];
	struct ep *e[3];
	struct ns *ns;
	int i;

	if (!t) {
		must(alloc_init(1ull << 32) == 0);
		t = the_task();
	}
	must(net_ns_new(t->kernel, NULL, &ns) == 0);
	t->nsset->of[NS_NET] = ns;
	furnish(net_stack(net_of_ns(ns)), e);
	for (i = 0; i < SOCKS; i++)
		must(netlink_create(t, SOCK_RAW, protos[i], &f[i]) == 0);
	while (n >= 8) {
		size_t len = MIN((size_t)p[5] * 2, MIN(n - 8, (size_t)512));

		call(t, f, p, p + 8, len);
		p += 8 + len;
		n -= 8 + len;
	}
	/* Every dump ends. */
	for (i = 0; i < 20000 && (socket_of(f[0])->ops->poll(socket_of(f[0])) & POLLIN); i++)
		receive(t, socket_of(f[0]), 0, 0);
	must(i < 20000);
	for (i = 0; i < SOCKS; i++)
		file_unref(f[i]);
	for (i = 0; i < 3; i++)
		ep_close(e[i]);
	t->nsset->of[NS_NET] = NULL;
	ns_unref(ns);
	return 0;
}
