/*
 * neigh.c - the neighbour table: states, queue of waiting packets, probes.
 *
 * RFC 4861's state machine serves ARP too.  One timer a table, set to the
 * nearest deadline of its entries.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "netstack/core/ipaddr.h"
#include "netstack/core/neigh.h"
#include "netstack/core/nic.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"

#define SEC             1000000000ull
#define REACHABLE_NS    (30 * SEC)
#define DELAY_NS        (5 * SEC)
#define RETRANS_NS      SEC
#define PROBES_MAX      3

static void on_timer(struct ntimer *t);

int neightab_init(struct neightab *t, struct nic *n)
{
	mutex_init(&t->mu, RANK_STACK);
	t->timer.fn = on_timer;
	return timers_reserve(&n->stack->timers);
}

void neightab_done(struct neightab *t, struct nic *n)
{
	bool was = ntimer_cancel(&n->stack->timers, &t->timer);

	(void)was;
	neigh_flush(n);
	kfree(t->bucket);
	timers_unreserve(&n->stack->timers);
}

static struct list_head *bucket_of(struct neightab *t, const struct ipaddr *ip)
{
	u32 h = get_be32(ip->b + 12) * 0x9e3779b1u;

	return &t->bucket[h >> 26];
}

static struct neigh *find_locked(struct neightab *t, const struct ipaddr *ip)
{
	struct neigh *e;

	if (!t->bucket)
		return NULL;
	list_for_each(e, bucket_of(t, ip), node)
		if (ip_eq(&e->ip, ip))
			return e;
	return NULL;
}

static void free_locked(struct neightab *t, struct neigh *e)
{
	list_del_init(&e->node);
	pkt_purge(&e->queue);
	t->n--;
	kfree(e);
}

/* Full: the entry used longest ago makes room, permanent ones aside. */
static bool evict_locked(struct neightab *t)
{
	struct neigh *e, *old = NULL;
	int i;

	for (i = 0; i < NEIGH_BUCKETS; i++)
		list_for_each(e, &t->bucket[i], node)
			if (!(e->state & NUD_PERMANENT) && (!old || e->used < old->used))
				old = e;
	if (old)
		free_locked(t, old);
	return old != NULL;
}

static struct neigh *create_locked(struct neightab *t, const struct ipaddr *ip, u64 now)
{
	struct neigh *e;
	int i;

	if (!t->bucket) {
		t->bucket = kbuf_array(NEIGH_BUCKETS, sizeof(*t->bucket));
		if (!t->bucket)
			return NULL;
		for (i = 0; i < NEIGH_BUCKETS; i++)
			list_init(&t->bucket[i]);
	}
	if (t->n >= NEIGH_MAX && !evict_locked(t))
		return NULL;
	e = knew(struct neigh);
	if (!e)
		return NULL;
	e->ip = *ip;
	e->used = e->confirmed = now;
	e->due = NET_NEVER;
	list_init(&e->queue);
	list_add(&e->node, bucket_of(t, ip));
	t->n++;
	return e;
}

static void arm_locked(struct nic *n, struct neigh *e, u64 due)
{
	bool fresh;

	e->due = due;
	fresh = ntimer_set_before(&n->stack->timers, &n->neigh.timer, due);
	(void)fresh;    /* the table lives as long as the stack: no reference to take */
}

static void solicit(struct nic *n, const struct ipaddr *ip, const u8 *mac)
{
	if (ip_is4(ip))
		arp_request(n, ip, mac);
	else
		ndp_solicit(n, ip, mac ? ip : NULL);
}

static void queue_locked(struct neigh *e, struct pktbuf *p)
{
	if (e->nqueue >= NEIGH_QUEUE_MAX) {
		struct pktbuf *old = list_first(&e->queue, struct pktbuf, node);

		list_del_init(&old->node);
		pkt_free(old);
		e->nqueue--;
	}
	list_add_tail(&p->node, &e->queue);
	e->nqueue++;
}

bool neigh_resolve(struct nic *n, const struct ipaddr *ip, struct pktbuf *p, u8 mac[6])
{
	struct neightab *t = &n->neigh;
	u64 now = stack_now(n->stack);
	bool ok = false, ask = false;
	struct neigh *e;

	mutex_lock(&t->mu);
	e = find_locked(t, ip);
	if (!e)
		e = create_locked(t, ip, now);
	if (!e) {
		mutex_unlock(&t->mu);
		pkt_free(p);
		return false;
	}
	e->used = now;
	if (e->state == NUD_REACHABLE && now - e->confirmed > REACHABLE_NS)
		e->state = NUD_STALE;
	if (e->state == NUD_STALE) {
		e->state = NUD_DELAY;
		e->probes = 0;
		arm_locked(n, e, now + DELAY_NS);
	}
	if (e->state & NUD_VALID) {
		memcpy(mac, e->mac, 6);
		ok = true;
	} else {
		queue_locked(e, p);
		if (e->state != NUD_INCOMPLETE) {
			e->state = NUD_INCOMPLETE;
			e->probes = 1;
			ask = true;
			arm_locked(n, e, now + RETRANS_NS);
		}
	}
	mutex_unlock(&t->mu);
	if (ask)
		solicit(n, ip, NULL);
	return ok;
}

/* Apply news to an entry; true when the waiting packets may go. */
static bool apply_locked(struct nic *n, struct neigh *e, const struct neigh_news *w, u64 now)
{
	bool changed = w->mac && memcmp(e->mac, w->mac, 6) != 0, was = e->state & NUD_VALID;

	if (e->state & NUD_PERMANENT)
		return false;
	if (w->set_router)
		e->router = w->is_router;
	if (!was) {
		if (!w->mac)
			return false;
		memcpy(e->mac, w->mac, 6);
		e->state = w->solicited ? NUD_REACHABLE : NUD_STALE;
	} else if (changed && !w->override) {
		if (e->state == NUD_REACHABLE)
			e->state = NUD_STALE;
		return false;
	} else {
		if (changed)
			memcpy(e->mac, w->mac, 6);
		if (w->solicited)
			e->state = NUD_REACHABLE;
		else if (changed)
			e->state = NUD_STALE;
	}
	if (e->state == NUD_REACHABLE)
		e->confirmed = now;
	e->probes = 0;
	if (e->state & (NUD_REACHABLE | NUD_STALE))
		e->due = NET_NEVER;
	(void)n;
	return true;
}

void neigh_update(struct nic *n, const struct neigh_news *w)
{
	struct neightab *t = &n->neigh;
	u64 now = stack_now(n->stack);
	struct list_head ready;
	struct neigh *e;
	u8 mac[6];

	list_init(&ready);
	mutex_lock(&t->mu);
	e = find_locked(t, &w->ip);
	if (!e && w->create && w->mac)
		e = create_locked(t, &w->ip, now);
	if (e && apply_locked(n, e, w, now)) {
		memcpy(mac, e->mac, 6);
		list_splice_tail_init(&e->queue, &ready);
		e->nqueue = 0;
	}
	mutex_unlock(&t->mu);
	while (!list_empty(&ready)) {
		struct pktbuf *p = list_first(&ready, struct pktbuf, node);

		list_del_init(&p->node);
		nic_tx_mac(n, p, mac, ip_is4(&w->ip) ? 0x0800 : 0x86dd);
	}
}

void neigh_confirm(struct nic *n, const struct ipaddr *ip)
{
	struct neigh *e;

	mutex_lock(&n->neigh.mu);
	e = find_locked(&n->neigh, ip);
	if (e && (e->state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE))) {
		e->state = NUD_REACHABLE;
		e->confirmed = stack_now(n->stack);
		e->due = NET_NEVER;
	}
	mutex_unlock(&n->neigh.mu);
}

/* What an entry whose deadline passed does next: 0 nothing, 1 ask everybody, 2 ask it. */
static int step_locked(struct neigh *e, u64 now, struct list_head *failed)
{
	e->due = NET_NEVER;
	if (e->state == NUD_DELAY) {
		e->state = NUD_PROBE;
		e->probes = 0;
	}
	if (e->state != NUD_INCOMPLETE && e->state != NUD_PROBE)
		return 0;
	if (e->probes >= PROBES_MAX) {
		e->state = NUD_FAILED;
		list_splice_tail_init(&e->queue, failed);
		e->nqueue = 0;
		return 0;
	}
	e->probes++;
	e->due = now + RETRANS_NS;
	return e->state == NUD_PROBE ? 2 : 1;
}

static void unreachable(struct nic *n, struct list_head *failed)
{
	while (!list_empty(failed)) {
		struct pktbuf *p = list_first(failed, struct pktbuf, node);

		list_del_init(&p->node);
		icmp_host_unreach(n, p);
		pkt_free(p);
	}
}

static void on_timer(struct ntimer *timer)
{
	struct neightab *t = container_of(timer, struct neightab, timer);
	struct nic *n = container_of(t, struct nic, neigh);
	u64 now = stack_now(n->stack), next = NET_NEVER;
	struct { struct ipaddr ip; u8 mac[6]; bool uni; } ask[16];
	struct list_head failed;
	struct neigh *e;
	int i, nask = 0;

	list_init(&failed);
	mutex_lock(&t->mu);
	for (i = 0; t->bucket && i < NEIGH_BUCKETS; i++)
		list_for_each(e, &t->bucket[i], node) {
			if (e->due <= now && nask < (int)ARRAY_SIZE(ask)) {
				int what = step_locked(e, now, &failed);

				if (what) {
					ask[nask].ip = e->ip;
					ask[nask].uni = what == 2;
					memcpy(ask[nask++].mac, e->mac, 6);
				}
			}
			next = MIN(next, e->due);
		}
	if (next != NET_NEVER) {
		bool fresh = ntimer_set_before(&n->stack->timers, timer, MAX(next, now + 1));

		(void)fresh;
	}
	mutex_unlock(&t->mu);
	for (i = 0; i < nask; i++)
		solicit(n, &ask[i].ip, ask[i].uni ? ask[i].mac : NULL);
	unreachable(n, &failed);
}

void neigh_flush(struct nic *n)
{
	struct neigh *e, *x;
	int i;

	mutex_lock(&n->neigh.mu);
	for (i = 0; n->neigh.bucket && i < NEIGH_BUCKETS; i++)
		list_for_each_safe(e, x, &n->neigh.bucket[i], node)
			free_locked(&n->neigh, e);
	mutex_unlock(&n->neigh.mu);
}

int neigh_set(struct stack *s, const struct neigh_info *i)
{
	struct nic *n = nic_by_index(s, i->ifindex);
	struct neigh *e;

	if (!n)
		return -ENODEV;
	mutex_lock(&n->neigh.mu);
	e = find_locked(&n->neigh, &i->ip);
	if (!e)
		e = create_locked(&n->neigh, &i->ip, stack_now(s));
	if (e) {
		memcpy(e->mac, i->mac, 6);
		e->state = i->state ? i->state : NUD_PERMANENT;
		e->confirmed = stack_now(s);
		e->due = NET_NEVER;
	}
	mutex_unlock(&n->neigh.mu);
	return e ? 0 : -ENOMEM;
}

int neigh_del(struct stack *s, const struct neigh_info *i)
{
	struct nic *n = nic_by_index(s, i->ifindex);
	struct neigh *e;

	if (!n)
		return -ENODEV;
	mutex_lock(&n->neigh.mu);
	e = find_locked(&n->neigh, &i->ip);
	if (e)
		free_locked(&n->neigh, e);
	mutex_unlock(&n->neigh.mu);
	return e ? 0 : -ENOENT;
}

static bool nth_of_nic(struct nic *n, unsigned *i, struct neigh_info *ret)
{
	struct neigh *e;
	bool hit = false;
	int b;

	mutex_lock(&n->neigh.mu);
	for (b = 0; !hit && n->neigh.bucket && b < NEIGH_BUCKETS; b++)
		list_for_each(e, &n->neigh.bucket[b], node)
			if ((*i)-- == 0) {
				ret->ifindex = n->ifindex;
				ret->ip = e->ip;
				memcpy(ret->mac, e->mac, 6);
				ret->state = e->state;
				hit = true;
				break;
			}
	mutex_unlock(&n->neigh.mu);
	return hit;
}

int neigh_nth(struct stack *s, unsigned i, struct neigh_info *ret)
{
	struct link_info l = { 0 };

	while (link_next(s, l.ifindex, &l) == 0) {
		struct nic *n = nic_by_index(s, l.ifindex);

		if (n && nth_of_nic(n, &i, ret))
			return 0;
	}
	return -ENOENT;
}
