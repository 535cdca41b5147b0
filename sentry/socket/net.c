/*
 * net.c - the stack's clock, randomness and the thread that runs its timers; namespaces.
 */
#include "sentry/socket/net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "platform/host/futex.h"
#include "platform/host/hthread.h"
#include "platform/host/netop.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net_rx.h"
#include "sentry/socket/netlink.h"

#define NET_STACK_SIZE (128 * 1024)
#define NET_IDS NS_NET_MAX
#define TRIM_NS (2 * NSEC_PER_SEC)      /* how long packets' memory is kept for the next ones */

struct net {
	struct ns ns;
	struct kernel *kernel;          /* immutable */
	struct net_runner *runner;      /* immutable */
	struct list_head node;          /* guarded by runner->mu */
	struct stack *stack;            /* immutable */
	struct netlink_table netlink;
	struct mutex broker_mu;         /* RANK_RPC: one request at a time */
	u64 nsid[NET_IDS];              /* guarded by runner->mu: numbers of other namespaces; 0: free */
	hostfd_t broker;                /* HOSTFD_NONE: sockets are the stack's.  Changes before the first process only */
};

struct net_runner {
	_Atomic u32 kicked;             /* futex: the thread has something to run */
	_Atomic u64 due;                /* when it will wake by itself, on the stacks' clock; 0 while it runs */
	struct mutex mu;                /* RANK_LEAF */
	struct list_head nets GUARDED_BY(mu);   /* not referenced */
};

struct net *net_of_ns(struct ns *ns) { return ns ? container_of(ns, struct net, ns) : NULL; }

static u64 net_now(void *ctx) { return (u64)ktime_mono(((struct net *)ctx)->kernel); }
static u64 net_real(void *ctx) { return (u64)ktime_real(((struct net *)ctx)->kernel); }

static void net_random(void *ctx, void *buf, size_t n)
{
	(void)ctx;
	rand_bytes(buf, n);
}

static void net_kick(void *ctx)
{
	struct net_runner *r = ((struct net *)ctx)->runner;

	if (!atomic_exchange(&r->kicked, 1))
		host_futex_wake(&r->kicked, 1);
}

static bool net_hold(void *ctx) { return ref_get_unless_zero(&((struct net *)ctx)->ns.ref); }
static void net_drop(void *ctx) { net_unref(ctx); }

static const struct stack_ops ops = {
	.now = net_now, .realtime = net_real, .random = net_random, .kick = net_kick, .hold = net_hold, .drop = net_drop,
};

/* The one after @prev (NULL: the first) with a reference; NULL at the end. */
static struct net *next_net(struct net_runner *r, struct net *prev)
{
	struct list_head *at;
	struct net *n = NULL;

	mutex_lock(&r->mu);
	at = prev ? prev->node.next : r->nets.next;
	for (; at != &r->nets; at = at->next) {
		n = list_entry(at, struct net, node);
		if (ref_get_unless_zero(&n->ns.ref))
			break;
		n = NULL;
	}
	mutex_unlock(&r->mu);
	return n;
}

void net_run(struct net *n)
{
	u64 next = stack_run(n->stack);

	/* The timers told only us when they are due next. */
	if (next < atomic_load_explicit(&n->runner->due, memory_order_relaxed))
		net_kick(n);
}

static void *net_main(void *arg)
{
	struct kernel *k = arg;
	struct net_runner *r = k->net_runner;
	u64 trim_at = 0;

	for (;;) {
		struct net *n, *after;
		u64 next = NET_NEVER;
		bool trim = (u64)ktime_mono(k) >= trim_at, spare = false;

		atomic_store(&r->kicked, 0);
		atomic_store(&r->due, 0);
		for (n = next_net(r, NULL); n; n = after) {
			u64 due = stack_run(n->stack);

			next = MIN(next, due);
			spare |= trim && stack_trim(n->stack);
			after = next_net(r, n);
			net_unref(n);
		}
		if (trim)
			trim_at = (u64)ktime_mono(k) + TRIM_NS;
		if (!trim || spare)
			next = MIN(next, trim_at);
		atomic_store(&r->due, next);
		/* The stack's clock has the kernel's offset; the futex's has not. */
		(void)host_futex_wait(&r->kicked, 0, next == NET_NEVER ? INT64_MAX
				      : (s64)next - k->mono_offset);
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

int net_thread(void *(*fn)(void *), void *arg)
{
	return hthread_start(fn, arg, NET_STACK_SIZE, HTHREAD_TAKES_SIGNALS);
}

/* ---- namespaces ---- */

static void release(struct ns *ns)
{
	struct net *n = container_of(ns, struct net, ns);

	mutex_lock(&n->runner->mu);
	list_del_init(&n->node);
	mutex_unlock(&n->runner->mu);
	stack_free(n->stack);
	ns_done(ns);
	kfree(n);
}

int net_ns_new(struct kernel *k, struct user_ns *owner, struct ns **ret)
{
	struct net *n;
	int r;

	if (!k->net_runner)
		return -EINVAL;         /* as without CONFIG_NET_NS */
	n = knew(struct net);
	if (!n)
		return -ENOMEM;
	n->kernel = k;
	n->runner = k->net_runner;
	netlink_table_init(&n->netlink);
	list_init(&n->node);
	mutex_init(&n->broker_mu, RANK_RPC);
	n->broker = HOSTFD_NONE;
	r = stack_new(&ops, n, &n->stack);
	if (r < 0) {
		kfree(n);
		return r;
	}
	r = ns_init(&n->ns, k, NS_NET, owner, release);
	if (r < 0) {
		stack_free(n->stack);
		kfree(n);
		return r;
	}
	mutex_lock(&n->runner->mu);
	list_add_tail(&n->node, &n->runner->nets);
	mutex_unlock(&n->runner->mu);
	*ret = &n->ns;
	return 0;
}

int net_start(struct kernel *k)
{
	struct net_runner *run = knew(struct net_runner);
	struct ns *ns = NULL;
	int r;

	if (!run)
		return -ENOMEM;
	mutex_init(&run->mu, RANK_LEAF);
	list_init(&run->nets);
	k->net_runner = run;
	r = net_ns_new(k, k->user_ns, &ns);
	if (r == 0)
		r = raise_lo(net_of_ns(ns)->stack);
	if (r == 0)
		r = net_thread(net_main, k);
	if (r == 0)
		r = net_rx_new(k, net_of_ns(ns));
	if (r == 0)
		k->nsset->of[NS_NET] = ns;
	else
		ns_unref(ns);
	return r;
}

struct net *task_net(struct task *t) { return t->nsset ? net_of_ns(t->nsset->of[NS_NET]) : NULL; }
struct net *net_first(struct kernel *k) { return net_of_ns(k->nsset->of[NS_NET]); }

struct net *net_ref(struct net *n)
{
	if (n)
		ns_ref(&n->ns);
	return n;
}

void net_unref(struct net *n)
{
	if (n)
		ns_unref(&n->ns);
}

u64 net_ns_number(const struct net *n) { return n ? n->ns.ino : 0; }

static bool lives(struct net_runner *r, u64 number) REQUIRES(r->mu)
{
	struct net *n;

	list_for_each(n, &r->nets, node)
		if (n->ns.ino == number)
			return true;
	return false;
}

int net_nsid(struct net *n, const void *peer, bool give)
{
	struct net_runner *r = n->runner;
	struct net *other;
	u64 number = 0;
	int id = -1;

	mutex_lock(&r->mu);
	list_for_each(other, &r->nets, node)
		if (other == peer)
			number = other->ns.ino;
	for (int i = 0; i < NET_IDS && number && id < 0; i++)
		if (n->nsid[i] == number)
			id = i;
	for (int i = 0; i < NET_IDS && number && id < 0 && give; i++)
		if (!n->nsid[i] || !lives(r, n->nsid[i])) {
			n->nsid[i] = number;
			id = i;
		}
	mutex_unlock(&r->mu);
	return id;
}

struct stack *net_stack(struct net *n) { return n ? n->stack : NULL; }
struct netlink_table *net_netlink(struct net *n) { return n ? &n->netlink : NULL; }

bool net_capable(struct task *t, const struct net *n, int cap)
{
	return ns_capable(t, n ? n->ns.owner : NULL, cap);
}

bool net_has_broker(const struct net *n) { return n && n->broker.fd >= 0; }

int net_use_broker(struct net *n, hostfd_t fd)
{
	if (!n || n->broker.fd >= 0)
		return -EBUSY;
	n->broker = fd;
	return 0;
}

int net_ask_broker(struct net *n, struct netop *op, hostfd_t pass, hostfd_t *ret_fd)
{
	int r;

	mutex_lock(&n->broker_mu);
	r = host_netop(n->broker, op, pass, ret_fd);
	mutex_unlock(&n->broker_mu);
	return r;
}
