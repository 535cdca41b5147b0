/*
 * net.c - the stack's clock, randomness and thread.
 */
#include "sentry/socket/net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "platform/host/futex.h"
#include "sentry/kernel/kernel.h"

#define NET_STACK_SIZE (128 * 1024)

struct net {
	struct kernel *kernel;          /* immutable */
	struct stack *stack;            /* immutable */
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

int net_start(struct kernel *k)
{
	struct net *n = knew(struct net);
	pthread_attr_t at;
	pthread_t th;
	int r;

	if (!n)
		return -ENOMEM;
	n->kernel = k;
	r = stack_new(&ops, n, &n->stack);
	if (r == 0)
		r = raise_lo(n->stack);
	if (r < 0) {
		kfree(n);
		return r;
	}
	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, NET_STACK_SIZE);
	pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&th, &at, net_main, n);
	pthread_attr_destroy(&at);
	if (r)
		return -r;
	k->net = n;
	return 0;
}

struct stack *net_stack(struct kernel *k) { return k->net ? k->net->stack : NULL; }
