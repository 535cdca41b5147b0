/*
 * net.c - see net.h.
 *
 * k->net is set once under kernel->mu and never changes after.
 */
#include "sentry/socket/net.h"

#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>

#include "netstack/api.h"
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "platform/host/futex.h"
#include "sentry/kernel/kernel.h"

#define LO_INDEX 1

struct net {
	struct kernel *kernel;                  /* immutable */
	struct stack *stack;                    /* immutable */
	_Atomic u32 kicks;                      /* futex: counted up by whoever wants stack_run() soon */
};

static u64 net_now(void *ctx) { return (u64)ktime_mono(((struct net *)ctx)->kernel); }
static u64 net_real(void *ctx) { return (u64)ktime_real(((struct net *)ctx)->kernel); }
static void net_random(void *ctx unused_ok, void *buf, size_t n) { rand_bytes(buf, n); }

static void net_kick(void *ctx)
{
	struct net *n = ctx;

	atomic_fetch_add(&n->kicks, 1);
	host_futex_wake(&n->kicks, 1);
}

static const struct stack_ops net_ops = {
	.now = net_now, .realtime = net_real, .random = net_random, .kick = net_kick,
};

static void *net_thread(void *arg)
{
	struct net *n = arg;

	for (;;) {
		u32 seen = atomic_load(&n->kicks);
		u64 next = stack_run(n->stack);
		ktime_t at = KTIME_MAX;

		/* The stack's clock has the sandbox's offset; the futex wants the host's. */
		if (next < (u64)INT64_MAX)
			at = (ktime_t)next - n->kernel->mono_offset;
		(void)host_futex_wait(&n->kicks, seen, at);
	}
	return NULL;
}

static int start_thread(struct net *n)
{
	sigset_t all, old;
	pthread_attr_t at;
	pthread_t th;
	int r = pthread_attr_init(&at);

	if (r)
		return -r;
	(void)pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&at, 256 << 10);
	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&th, &at, net_thread, n);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&at);
	return -r;
}

static int net_new(struct kernel *k, struct net **ret)
{
	struct net *n = knew(struct net);
	int r;

	if (!n)
		return -ENOMEM;
	n->kernel = k;
	r = stack_new(&net_ops, n, &n->stack);
	if (r < 0)
		goto free_net;
	r = link_set_flags(n->stack, LO_INDEX, IFF_UP, IFF_UP);
	if (r == 0)
		r = start_thread(n);
	if (r < 0)
		goto free_stack;
	*ret = n;
	return 0;

free_stack:
	stack_free(n->stack);
free_net:
	kfree(n);
	return r;
}

int net_stack(struct kernel *k, struct stack **ret)
{
	int r = 0;

	mutex_lock(&k->mu);
	if (!k->net)
		r = net_new(k, &k->net);
	if (r == 0)
		*ret = k->net->stack;
	mutex_unlock(&k->mu);
	return r;
}
