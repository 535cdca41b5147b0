/*
 * stack.c - the life of a stack and its main entry points.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/core/stack.h"
#include "netstack/link/link.h"

u32 stack_rand32(struct stack *s)
{
	u32 v;

	s->ops->random(s->ctx, &v, sizeof(v));
	return v;
}

bool ratelimit_ok(struct stack *s, struct ratelimit *r, u32 per_sec)
{
	u64 now = stack_now(s), full = 1000000000ull, cost;
	bool ok;

	if (per_sec == 0)
		return false;
	cost = full / per_sec;
	mutex_lock(&r->mu);
	if (r->stamp == 0)
		r->tokens = full;
	else
		r->tokens = MIN(full, r->tokens + (now - r->stamp));
	r->stamp = now;
	ok = r->tokens >= cost;
	if (ok)
		r->tokens -= cost;
	mutex_unlock(&r->mu);
	return ok;
}

static int add_loopback(struct stack *s)
{
	struct link_cfg c = { .name = "lo", .arphrd = ARPHRD_LOOPBACK, .mtu = 65536, .ifindex = 1 };
	int r;

	c.features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_USO | LINK_F_RXCSUM;
	s->lo = nic_create(s, &c, &loopback_ops, NULL, &r);
	return s->lo ? 0 : r;
}

static void lists_init(struct stack *s)
{
	mutex_init(&s->cfg_mu, RANK_STACK);
	mutex_init(&s->eps_mu, RANK_STACK);
	mutex_init(&s->icmp_limit.mu, RANK_LEAF);
	mutex_init(&s->chal_limit.mu, RANK_LEAF);
	list_init(&s->nics);
	list_init(&s->dead_nics);
	list_init(&s->addrs);
	list_init(&s->routes);
	list_init(&s->pmtus);
	list_init(&s->eps);
	list_init(&s->raws);
	list_init(&s->packets);
	list_init(&s->fanouts);
}

int stack_new(const struct stack_ops *ops, void *ctx, struct stack **ret)
{
	struct stack *s = kbuf_alloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->ops = ops;
	s->ctx = ctx;
	ops->random(ctx, &s->key_isn, sizeof(s->key_isn));
	ops->random(ctx, &s->key_port, sizeof(s->key_port));
	ops->random(ctx, &s->key_hash, sizeof(s->key_hash));
	ops->random(ctx, &s->key_cookie, sizeof(s->key_cookie));
	s->pool = pkt_pool_new();
	if (!s->pool) {
		kfree(s);
		return -ENOMEM;
	}
	timers_init(&s->timers, ops->kick, ctx);
	sysctl_init(&s->sysctl);
	lists_init(s);
	s->next_ifindex = 2;
	s->ip_id = stack_rand32(s);
	backlog_init(&s->backlog);
	porttab_init(&s->ports);
	nf_init(s);
	flowlabels_init(s);
	tfo_init(s);
	r = conntab_init(&s->conns);
	if (r < 0)
		goto free_stack;
	r = fragtab_init(s);
	if (r < 0)
		goto free_conns;
	r = addr_life_init(s);
	if (r < 0)
		goto free_frags;
	r = add_loopback(s);
	if (r < 0)
		goto free_life;
	*ret = s;
	return 0;

free_life:
	addr_life_done(s);
free_frags:
	fragtab_done(s);
free_conns:
	conntab_done(&s->conns);
free_stack:
	timers_done(&s->timers);
	pkt_pool_end(s->pool);
	kfree(s);
	return r;
}

static void free_nic_list(struct list_head *l)
{
	struct nic *n, *t;

	list_for_each_safe(n, t, l, node) {
		if (n->ops->free)
			n->ops->free(n);
		neightab_done(&n->neigh, n);
		mc_nic_done(n);
		kfree(n);
	}
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
	nics_stack_ends(s);             /* nothing comes from other stacks any more */
	tcp_stack_done(s);
	backlog_done(&s->backlog);
	nf_done(s);
	free_nic_list(&s->nics);
	free_nic_list(&s->dead_nics);
	route_tables_done(s);
	addr_life_done(s);
	fragtab_done(s);
	conntab_done(&s->conns);
	flowlabels_done(s);
	tfo_done(s);
	timers_done(&s->timers);
	pkt_pool_end(s->pool);
	kfree(atomic_load(&s->reserved_ports));
	kfree(s);
}

u64 stack_run(struct stack *s)
{
	u64 next;

	if (unlikely(atomic_load_explicit(&s->norphans, memory_order_relaxed)))
		nics_reap(s);
	backlog_drain(s);
	next = timers_run(&s->timers, stack_now(s));
	backlog_drain(s);
	return next;
}

bool stack_trim(struct stack *s) { return pkt_pool_trim(s->pool); }

void stack_rx(struct stack *s, u32 ifindex, const void *frame, size_t len)
{
	struct nic *n = nic_by_index(s, ifindex);
	struct pktbuf *p;

	if (!n || len > 2 * PBLOCK_BIG_CAP)
		return;
	p = pkt_from(s->pool, frame, len);
	if (p)
		nic_rx(n, p);
	backlog_drain(s);
}

bool stack_rx_behind(struct stack *s)
{
	return atomic_load_explicit(&s->rx_behind, memory_order_relaxed) && atomic_exchange(&s->rx_behind, false);
}

int link_fd_rx(struct stack *s, u32 ifindex, int budget)
{
	struct nic *n = nic_by_index(s, ifindex);
	int r;

	if (!n)
		return -ENODEV;
	if (!n->ops->poll)
		return -EOPNOTSUPP;
	r = n->ops->poll(n, budget);
	backlog_drain(s);
	return r;
}
