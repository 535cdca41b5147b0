/*
 * net.c - the stack's clock, randomness and thread.
 */
#include "sentry/socket/net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "platform/host/futex.h"
#include "platform/host/packet.h"
#include "sentry/kernel/kernel.h"
#include "sentry/socket/netlink.h"

#define NET_STACK_SIZE (128 * 1024)

struct net {
	struct kernel *kernel;          /* immutable */
	struct stack *stack;            /* immutable */
	struct netlink_table netlink;
	_Atomic u32 kicked;             /* futex: the thread has something to run */
};

static u64 net_now(void *ctx) { return (u64)ktime_mono(((struct net *)ctx)->kernel); }
static u64 net_real(void *ctx) { return (u64)ktime_real(((struct net *)ctx)->kernel); }

static void net_random(void *ctx, void *buf, size_t n)
{
	(void)ctx;
	rand_bytes(buf, n);
}

static void net_kick(void *ctx)
{
	struct net *n = ctx;

	if (!atomic_exchange(&n->kicked, 1))
		host_futex_wake(&n->kicked, 1);
}

static const struct stack_ops ops = {
	.now = net_now, .realtime = net_real, .random = net_random, .kick = net_kick,
};

static void *net_main(void *arg)
{
	struct net *n = arg;

	for (;;) {
		u64 next;

		atomic_store(&n->kicked, 0);
		next = stack_run(n->stack);
		/* The stack's clock has the kernel's offset; the futex's has not. */
		(void)host_futex_wait(&n->kicked, 0, next == NET_NEVER ? INT64_MAX
				      : (s64)next - n->kernel->mono_offset);
	}
	return NULL;
}

static int add_lo(struct stack *s, struct ipaddr ip, u8 plen)
{
	struct addr_info a = {
		.ifindex = 1, .ip = ip, .peer = ip, .plen = plen, .scope = RT_SCOPE_HOST,
		.flags = IFA_F_PERMANENT, .valid_s = UINT32_MAX, .preferred_s = UINT32_MAX, .label = "lo",
	};
	int r = addr_add(s, &a);

	return r == -EEXIST ? 0 : r;
}

static int raise_lo(struct stack *s)
{
	struct ipaddr v4 = { { [10] = 0xff, 0xff, 127, 0, 0, 1 } }, v6 = { { [15] = 1 } };
	int r = link_set_flags(s, 1, IFF_UP, IFF_UP);

	if (r == 0)
		r = add_lo(s, v4, 8);
	if (r == 0)
		r = add_lo(s, v6, 128);
	return r;
}

static int start_thread(void *(*fn)(void *), void *arg)
{
	pthread_attr_t at;
	pthread_t th;
	int r;

	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, NET_STACK_SIZE);
	pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&th, &at, fn, arg);
	pthread_attr_destroy(&at);
	return -r;
}

int net_start(struct kernel *k)
{
	struct net *n = knew(struct net);
	int r;

	if (!n)
		return -ENOMEM;
	n->kernel = k;
	netlink_table_init(&n->netlink);
	r = stack_new(&ops, n, &n->stack);
	if (r == 0)
		r = raise_lo(n->stack);
	if (r < 0) {
		kfree(n);
		return r;
	}
	r = start_thread(net_main, n);
	if (r == 0)
		k->net = n;
	return r;
}

struct stack *net_stack(struct kernel *k) { return k->net ? k->net->stack : NULL; }
struct netlink_table *net_netlink(struct kernel *k) { return k->net ? &k->net->netlink : NULL; }

/* ---- links over descriptors ---- */

#define RX_BUDGET 64

struct fd_port {
	struct net *net;                /* immutable */
	hostfd_t fd;                    /* immutable */
	u32 ifindex;                    /* immutable once the thread runs */
};

static ssize_t port_readv(void *ctx, const struct iovec *iov, int n)
{
	return host_readv(((struct fd_port *)ctx)->fd, iov, n);
}

static ssize_t port_writev(void *ctx, const struct iovec *iov, int n)
{
	return host_writev(((struct fd_port *)ctx)->fd, iov, n);
}

static const struct link_fd_ops port_ops = { .readv = port_readv, .writev = port_writev };

static void *port_main(void *arg)
{
	struct fd_port *p = arg;

	for (;;) {
		if (host_poll_wait(p->fd, POLLIN) < 0)
			return NULL;
		while (link_fd_rx(p->net->stack, p->ifindex, RX_BUDGET) == RX_BUDGET)
			;
		/* What came in is dealt with in this thread. */
		(void)stack_run(p->net->stack);
		net_kick(p->net);
	}
}

int net_add_link(struct kernel *k, const struct link_cfg *cfg, hostfd_t fd)
{
	struct fd_port *p = knew(struct fd_port);
	int r;

	if (!p)
		return -ENOMEM;
	p->net = k->net;
	p->fd = fd;
	r = link_add_fd(k->net->stack, cfg, &port_ops, p, true);
	if (r < 0) {
		kfree(p);
		return r;
	}
	p->ifindex = (u32)r;
	r = start_thread(port_main, p);
	return r < 0 ? r : (int)p->ifindex;
}
