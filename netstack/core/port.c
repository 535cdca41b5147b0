/*
 * port.c - the port table: conflicts as Linux judges them, and look-ups.
 */
#include <errno.h>
#include "netstack/core/ep.h"
#include "netstack/core/port.h"
#include "netstack/core/reserved.h"
#include "netstack/core/stack.h"

void porttab_init(struct porttab *t)
{
	int p, i;

	for (p = 0; p < PORT_PROTOS; p++)
		for (i = 0; i < PORT_BUCKETS; i++) {
			mutex_init(&t->b[p][i].mu, RANK_STACK);
			list_init(&t->b[p][i].binds);
			list_init(&t->b[p][i].kids);
		}
}

static struct portbucket *bucket_of(struct stack *s, u8 proto, u16 port)
{
	return &s->ports.b[proto][port % PORT_BUCKETS];
}

/* Can a packet match both addresses? */
static bool addrs_meet(const struct bindnode *a, const struct bindnode *b)
{
	bool any_a = ip_is_any(&a->laddr), any_b = ip_is_any(&b->laddr);
	bool only6_a = !ip_is4(&a->laddr) && (!any_a || (a->flags & BIND_V6ONLY));
	bool only6_b = !ip_is4(&b->laddr) && (!any_b || (b->flags & BIND_V6ONLY));

	if ((ip_is4(&a->laddr) && only6_b) || (ip_is4(&b->laddr) && only6_a))
		return false;
	return any_a || any_b || ip_eq(&a->laddr, &b->laddr);
}

/* As in Linux all of IPv4 is in the way of a socket for both families, even when that is connected by IPv6. */
static bool meets_dual(const struct bindnode *n, const struct bindnode *o)
{
	return !(n->flags & BIND_V6) && ip_is_any(&n->laddr) && (o->flags & BIND_DUAL);
}

/* May @n, which is about to be bound, not be beside @o?  A TIME_WAIT is nobody's.  @chosen: nobody asked for this port. */
static bool conflict(const struct bindnode *n, const struct bindnode *o, u16 port, bool chosen)
{
	if (o == n || o->lport != port || ((n->flags | o->flags) & BIND_SERVICE))
		return false;
	if (n->ifindex && o->ifindex && n->ifindex != o->ifindex)
		return false;
	/* What a program did not ask for by number it shares with nobody, whatever it allows. */
	if (chosen && n->proto == PORT_TCP)
		return addrs_meet(n, o) || meets_dual(n, o);
	if ((n->flags & o->flags & BIND_REUSEADDR) &&
	    (n->proto == PORT_UDP || !(o->flags & BIND_LISTEN)))
		return false;
	if ((n->flags & o->flags & BIND_REUSEPORT) && (n->uid == o->uid || !o->ep))
		return false;
	return addrs_meet(n, o) || meets_dual(n, o);
}

static bool free_locked(struct portbucket *b, const struct bindnode *n, u16 port, bool chosen)
{
	struct bindnode *o;

	list_for_each(o, &b->binds, node)
		if (conflict(n, o, port, chosen))
			return false;
	list_for_each(o, &b->kids, node)
		if (conflict(n, o, port, chosen))
			return false;
	return true;
}

static bool is_dual(const struct bindnode *n) { return (n->flags & (BIND_V6 | BIND_V6ONLY)) == BIND_V6; }

static bool claim(struct stack *s, struct bindnode *n, u16 port, bool chosen)
{
	struct portbucket *b = bucket_of(s, n->proto, port);
	bool ok;

	mutex_lock(&b->mu);
	ok = free_locked(b, n, port, chosen);
	if (ok) {
		n->lport = port;
		n->flags |= is_dual(n) && ip_is_any(&n->laddr) && !ip_is4(&n->laddr) ? BIND_DUAL : 0u;
		n->hashed = true;
		list_add_tail(&n->node, &b->binds);
	}
	mutex_unlock(&b->mu);
	if (ok)
		ep_ref(n->ep);
	return ok;
}

/*
 * As in Linux, connections of TCP take even ports (of the range) while there are any, and bind() odd ones: so who connects to a port
 * that was bound a moment ago and is free again is refused, and never meets itself there.
 */
enum { PARITY_CONNECT = 0, PARITY_BIND = 1 };

/* Ports to choose from; IP_LOCAL_PORT_RANGE narrows them, where it lies inside.  True: it has a say. */
static bool port_range(const struct stack *s, const struct bindnode *n, u32 *lo, u32 *count)
{
	u32 own = n->ep->o.port_range, first, last, low;
	s32 both[2];

	sysctl_pair(s->sysctl.port_range, both);
	low = first = (u32)both[0];
	last = (u32)both[1];
	if ((own & 0xffff) >= first && (own & 0xffff) <= last)
		low = own & 0xffff;
	if (own >> 16 >= first && own >> 16 <= last)
		last = MAX(own >> 16, low);
	*lo = low;
	*count = last - low + 1;
	return own != 0;
}

int port_bind(struct stack *s, struct bindnode *n, u16 port)
{
	u32 lo, range, i, at, parity;

	if (port)
		return claim(s, n, port, false) ? 0 : -EADDRINUSE;
	port_range(s, n, &lo, &range);
	at = stack_rand32(s) % range;
	for (parity = 0; parity < 2; parity++)
		for (i = 0; i < range; i++, at = at + 1 == range ? 0 : at + 1)
			if ((n->proto == PORT_UDP || ((at + parity) & 1) == PARITY_BIND) && !port_reserved(s, lo + at) &&
			    claim(s, n, (u16)(lo + at), true))
				return 0;
	return -EADDRINUSE;
}

void port_bind_kid(struct stack *s, struct bindnode *n)
{
	struct portbucket *b = bucket_of(s, n->proto, n->lport);

	if (n->ep)
		ep_ref(n->ep);
	n->flags |= BIND_KID;
	list_init(&n->node);
	mutex_lock(&b->mu);
	n->hashed = true;
	list_add_tail(&n->node, &b->kids);
	mutex_unlock(&b->mu);
}

void port_unbind(struct stack *s, struct bindnode *n)
{
	struct portbucket *b = bucket_of(s, n->proto, n->lport);
	bool was;

	mutex_lock(&b->mu);
	was = n->hashed;
	if (was) {
		list_del_init(&n->node);
		n->hashed = false;
	}
	mutex_unlock(&b->mu);
	if (was)
		ep_unref(n->ep);
}

void port_rekey(struct stack *s, struct bindnode *n, const struct ipaddr *laddr,
		const struct ipaddr *raddr, u16 rport, u32 flags)
{
	struct portbucket *b = bucket_of(s, n->proto, n->lport);

	mutex_lock(&b->mu);
	n->laddr = *laddr;
	n->raddr = *raddr;
	n->rport = rport;
	n->flags = flags;
	mutex_unlock(&b->mu);
}

int port_listen(struct stack *s, struct bindnode *n)
{
	struct portbucket *b = bucket_of(s, n->proto, n->lport);
	struct bindnode *o;
	int r = 0;

	mutex_lock(&b->mu);
	list_for_each(o, &b->binds, node) {
		if (o == n || o->lport != n->lport || !(o->flags & BIND_LISTEN) || !addrs_meet(n, o) ||
		    ((n->flags | o->flags) & BIND_SERVICE))
			continue;
		if (n->ifindex && o->ifindex && n->ifindex != o->ifindex)
			continue;
		if (!((n->flags & o->flags & BIND_REUSEPORT) && n->uid == o->uid))
			r = -EADDRINUSE;
	}
	if (r == 0)
		n->flags |= BIND_LISTEN;
	mutex_unlock(&b->mu);
	return r;
}

/* A port that only other connect()s use may serve another destination. */
static bool auto_ok_locked(struct portbucket *b, u16 port)
{
	struct bindnode *o;

	list_for_each(o, &b->binds, node)
		if (o->lport == port && !(o->flags & BIND_AUTO))
			return false;
	list_for_each(o, &b->kids, node)
		if (o->lport == port)
			return false;
	return true;
}

static bool unused_locked(struct portbucket *b, u16 port)
{
	struct bindnode *o;

	list_for_each(o, &b->binds, node)
		if (o->lport == port)
			return false;
	list_for_each(o, &b->kids, node)
		if (o->lport == port)
			return false;
	return true;
}

static bool auto_claim(struct stack *s, struct bindnode *n, u16 port, bool share)
{
	struct portbucket *b = bucket_of(s, n->proto, port);
	bool ok;

	mutex_lock(&b->mu);
	ok = share ? auto_ok_locked(b, port) : unused_locked(b, port);
	if (ok) {
		n->lport = port;
		n->flags |= BIND_AUTO | (is_dual(n) && !n->ep->addr_bound && !ip_is4(&n->laddr) ? BIND_DUAL : 0u);
		n->hashed = true;
		list_add_tail(&n->node, &b->binds);
	}
	mutex_unlock(&b->mu);
	if (ok)
		ep_ref(n->ep);
	return ok;
}

/* Now and then a few ports are passed over, so that counting connections tells less about their number. */
static u32 odd_step(struct stack *s)
{
	u32 r = stack_rand32(s);

	return r % 16 ? 0 : (r >> 16) % 16;
}

/*
 * RFC 6056, algorithm 4: a keyed hash of where to, and a counter that destinations share at random.  Without the
 * counter every connection would walk past the ports of those before it that are in TIME_WAIT.
 */
int port_auto(struct stack *s, struct bindnode *n, bool (*ok)(struct bindnode *n, u16 port))
{
	struct { struct ipaddr l, r; u16 rport; u8 pad[6]; } k = { n->laddr, n->raddr, n->rport, { 0 } };
	u32 lo, range, i, at;
	bool any_parity = port_range(s, n, &lo, &range);        /* as in Linux */
	u64 h = siphash(&s->key_port, &k, sizeof(k));
	_Atomic u32 *turn = &s->ports.turn[(h >> 32) % PORT_TURNS];
	u32 pass;

	/* Free ports of both parities, and then shared ones. */
	for (pass = 0; pass < 4; pass++) {
		bool share = pass >= 2;

		at = ((u32)h + atomic_load_explicit(turn, memory_order_relaxed)) % range;
		for (i = 0; i < range; i++, at = at + 1 == range ? 0 : at + 1) {
			u16 port = (u16)(lo + at);

			if ((any_parity ? pass & 1 : ((at + pass) & 1) != PARITY_CONNECT) || port_reserved(s, port) ||
			    (share && !ok(n, port)))
				continue;
			if (!auto_claim(s, n, port, share))
				continue;
			if (ok(n, port)) {
				atomic_fetch_add_explicit(turn, i + 1 + odd_step(s), memory_order_relaxed);
				return 0;
			}
			port_unbind(s, n);
		}
	}
	return -EADDRNOTAVAIL;
}

/* How well a binding fits a packet; -1: not at all. */
static int score(const struct bindnode *n, const struct port_key *k)
{
	int sc = n->flags & BIND_SERVICE ? 32 : 0;

	if (n->lport != k->lport)
		return -1;
	if (ip_is_any(&n->laddr)) {
		if (ip_is4(&n->laddr) && !ip_is4(&k->laddr))
			return -1;
		if (!ip_is4(&n->laddr) && ip_is4(&k->laddr) && (n->flags & BIND_V6ONLY))
			return -1;
		sc += ip_is4(&n->laddr) ? 1 : 0;
	} else if (ip_eq(&n->laddr, &k->laddr)) {
		sc += 4;
	} else {
		return -1;
	}
	if (n->rport) {
		if (n->rport != k->rport || !ip_eq(&n->raddr, &k->raddr))
			return -1;
		sc += 8;
	}
	if (n->ifindex) {
		if (n->ifindex != k->ifindex)
			return -1;
		sc += 4;
	}
	return sc;
}

/* Of equally good SO_REUSEPORT sockets the flow's hash chooses one. */
static struct bindnode *choose(struct stack *s, struct portbucket *b, const struct port_key *k,
			       bool listen, int best, u32 nbest)
{
	struct { struct ipaddr l, r; u32 ports; u32 pad; } h = {
		k->laddr, k->raddr, (u32)k->lport << 16 | k->rport, 0 };
	u32 pick = (u32)siphash(&s->key_hash, &h, sizeof(h)) % nbest;
	struct bindnode *n;

	list_for_each(n, &b->binds, node)
		if ((!listen || (n->flags & BIND_LISTEN)) && score(n, k) == best &&
		    (n->flags & BIND_REUSEPORT) && pick-- == 0)
			return n;
	return NULL;
}

struct ep *port_lookup(struct stack *s, enum port_proto proto, const struct port_key *k, bool listen)
{
	struct portbucket *b = bucket_of(s, proto, k->lport);
	struct bindnode *n, *hit = NULL;
	struct ep *e = NULL;
	u32 nreuse = 0;
	int best = -1;

	mutex_lock(&b->mu);
	list_for_each(n, &b->binds, node) {
		int sc = listen && !(n->flags & BIND_LISTEN) ? -1 : score(n, k);

		if (sc < 0 || sc < best)
			continue;
		if (sc > best) {
			best = sc;
			nreuse = 0;
			hit = n;
		}
		if (n->flags & BIND_REUSEPORT)
			nreuse++;
		else
			hit = n;        /* the one that bound last, as Linux */
	}
	if (hit && nreuse > 1 && (hit->flags & BIND_REUSEPORT))
		hit = choose(s, b, k, listen, best, nreuse);
	if (hit)
		e = ep_ref(hit->ep);
	mutex_unlock(&b->mu);
	return e;
}

int port_lookup_all(struct stack *s, enum port_proto proto, const struct port_key *k,
		    struct ep **ret, int max)
{
	struct portbucket *b = bucket_of(s, proto, k->lport);
	struct bindnode *n;
	int cnt = 0;

	mutex_lock(&b->mu);
	list_for_each(n, &b->binds, node)
		if (score(n, k) >= 0 && cnt < max)
			ret[cnt++] = ep_ref(n->ep);
	mutex_unlock(&b->mu);
	return cnt;
}
