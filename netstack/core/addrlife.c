/*
 * addrlife.c - lifetimes of addresses (RFC 4862, 5.5.3 and 5.5.4): preferred, deprecated, gone.
 *
 * A deprecated address is not chosen for new connections while there is another; an address whose valid lifetime
 * ends is taken away with its route.  One timer for all of them, at the next deadline.
 * Everything under stack->cfg_mu; the timer lets go of it to remove what has expired.
 */
#include <errno.h>
#include "netstack/core/ipaddr.h"
#include "netstack/core/nic.h"
#include "netstack/core/route.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"

#define NS_S      1000000000ull
#define TWO_HOURS 7200u

static u64 deadline(u64 since, u32 s) { return s == UINT32_MAX ? NET_NEVER : since + s * NS_S; }

static u32 left(u64 since, u32 s, u64 now)
{
	u64 d = deadline(since, s);

	return d == NET_NEVER ? UINT32_MAX : d > now ? (u32)((d - now + NS_S - 1) / NS_S) : 0;
}

void addr_life_left(const struct nicaddr *x, u64 now, struct addr_info *ret)
{
	ret->valid_s = left(x->since, x->a.valid_s, now);
	ret->preferred_s = left(x->since, x->a.preferred_s, now);
}

/* The lifetimes of @x begin now.  cfg_mu held. */
void addr_life_begin_locked(struct stack *s, struct nicaddr *x)
{
	u64 due = NET_NEVER;
	bool fresh;

	x->since = stack_now(s);
	if (x->a.preferred_s)
		x->a.flags &= ~(u32)IFA_F_DEPRECATED;
	else
		x->a.flags |= IFA_F_DEPRECATED;
	if (x->a.valid_s == UINT32_MAX)
		x->a.flags |= IFA_F_PERMANENT;
	else
		x->a.flags &= ~(u32)IFA_F_PERMANENT;
	if (!(x->a.flags & IFA_F_DEPRECATED))
		due = deadline(x->since, x->a.preferred_s);
	due = MIN(due, deadline(x->since, x->a.valid_s));
	if (due != NET_NEVER) {
		fresh = ntimer_set_before(&s->timers, &s->addr_timer, due);
		(void)fresh;
	}
	stack_changed(s);
}

int addr_set_life(struct stack *s, u32 ifindex, const struct ipaddr *ip, u32 valid, u32 preferred)
{
	struct nicaddr *x;

	if (!valid || preferred > valid)
		return -EINVAL;
	mutex_lock(&s->cfg_mu);
	x = addr_find_locked(s, ifindex, ip);
	if (x) {
		x->a.valid_s = valid;
		x->a.preferred_s = preferred;
		addr_life_begin_locked(s, x);
	}
	mutex_unlock(&s->cfg_mu);
	return x ? 0 : -EADDRNOTAVAIL;
}

bool addr_advertised(struct stack *s, u32 ifindex, const struct ipaddr *ip, u32 valid, u32 preferred)
{
	struct nicaddr *x;
	u32 rest;

	mutex_lock(&s->cfg_mu);
	x = addr_find_locked(s, ifindex, ip);
	if (x && !(x->a.flags & IFA_F_PERMANENT)) {
		rest = left(x->since, x->a.valid_s, stack_now(s));
		/* 5.5.3 e: an advertisement that anybody may forge does not shorten a life below two hours. */
		if (valid > TWO_HOURS || valid > rest)
			rest = valid;
		else if (rest > TWO_HOURS)
			rest = TWO_HOURS;
		x->a.valid_s = rest;
		x->a.preferred_s = MIN(preferred, rest);
		addr_life_begin_locked(s, x);
	}
	mutex_unlock(&s->cfg_mu);
	return x != NULL;
}

/* Deprecate what is due; an address to take away is copied to *@ret.  The next deadline. */
static u64 scan_locked(struct stack *s, u64 now, struct addr_info *ret, bool *found)
{
	u64 next = NET_NEVER, d;
	struct nicaddr *x;

	list_for_each(x, &s->addrs, node) {
		d = deadline(x->since, x->a.valid_s);
		if (d <= now) {
			*ret = x->a;
			*found = true;
			return now;
		}
		next = MIN(next, d);
		if (x->a.flags & IFA_F_DEPRECATED)
			continue;
		d = deadline(x->since, x->a.preferred_s);
		if (d <= now) {
			x->a.flags |= IFA_F_DEPRECATED;
			stack_changed(s);
		} else {
			next = MIN(next, d);
		}
	}
	return next;
}

static void on_timer(struct ntimer *t)
{
	struct stack *s = container_of(t, struct stack, addr_timer);
	struct addr_info gone;
	bool found, fresh;
	u64 next;
	int r;

	do {
		found = false;
		mutex_lock(&s->cfg_mu);
		next = scan_locked(s, stack_now(s), &gone, &found);
		if (!found && next != NET_NEVER) {
			fresh = ntimer_set_before(&s->timers, t, next);
			(void)fresh;
		}
		mutex_unlock(&s->cfg_mu);
		if (found) {
			r = addr_del(s, &gone);
			(void)r;        /* somebody was faster */
		}
	} while (found);
}

int addr_life_init(struct stack *s)
{
	s->addr_timer.fn = on_timer;
	return timers_reserve(&s->timers);
}

void addr_life_done(struct stack *s)
{
	bool was = ntimer_cancel(&s->timers, &s->addr_timer);

	(void)was;
	timers_unreserve(&s->timers);
}
