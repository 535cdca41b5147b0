/*
 * xt_ct.c - iptables' matches that look at a packet's connection: conntrack (revisions 1 to 3), state, connmark.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>
#include "netstack/netfilter/nf_int.h"

static enum nf_verdict match_if(bool yes) { return yes ? NF_V_CONT : NF_V_BREAK; }

/* The packet's bit among the states. */
static u32 state_bit(const struct pktbuf *p)
{
	if (p->ct)
		return XT_CONNTRACK_STATE_BIT(p->ctinfo);
	return p->ctinfo == CT_UNTRACKED ? (u32)XT_CONNTRACK_STATE_UNTRACKED : XT_CONNTRACK_STATE_INVALID;
}

static bool addr_in(const struct ipaddr *a, const union nf_inet_addr *want, const union nf_inet_addr *mask)
{
	const u8 *x = ip_wire(a), *w = (const u8 *)want, *m = (const u8 *)mask;

	for (size_t i = 0; i < ip_wire_len(a); i++)
		if ((x[i] ^ w[i]) & m[i])
			return false;
	return true;
}

/* All revisions as the newest: ports as ranges in host order. */
static void widen(const struct nf_expr *e, struct xt_conntrack_mtinfo3 *x)
{
	memset(x, 0, sizeof(*x));
	if (e->arg == 3) {
		memcpy(x, e->data, sizeof(*x));
		return;
	}
	memcpy(x, e->data, offsetof(struct xt_conntrack_mtinfo1, state_mask));
	if (e->arg == 1) {
		const struct xt_conntrack_mtinfo1 *o = e->data;

		x->state_mask = o->state_mask;
		x->status_mask = o->status_mask;
	} else {
		const struct xt_conntrack_mtinfo2 *o = e->data;

		x->state_mask = o->state_mask;
		x->status_mask = o->status_mask;
	}
	x->origsrc_port = x->origsrc_port_high = __builtin_bswap16(x->origsrc_port);
	x->origdst_port = x->origdst_port_high = __builtin_bswap16(x->origdst_port);
	x->replsrc_port = x->replsrc_port_high = __builtin_bswap16(x->replsrc_port);
	x->repldst_port = x->repldst_port_high = __builtin_bswap16(x->repldst_port);
}

/* One test: false when it was asked for and does not hold. */
static bool holds(const struct xt_conntrack_mtinfo3 *x, u16 what, bool is)
{
	return !(x->match_flags & what) || is != !!(x->invert_flags & what);
}

static bool port_in(u16 v, u16 lo, u16 hi) { return v >= lo && v <= hi; }

static bool tuples_hold(const struct xt_conntrack_mtinfo3 *x, const struct nfct *ct)
{
	const struct nfct_tuple *o = &ct->side[CT_ORIG].t, *r = &ct->side[CT_REPLY].t;

	return holds(x, XT_CONNTRACK_PROTO, o->proto == x->l4proto) &&
	       holds(x, XT_CONNTRACK_ORIGSRC, addr_in(&o->src, &x->origsrc_addr, &x->origsrc_mask)) &&
	       holds(x, XT_CONNTRACK_ORIGDST, addr_in(&o->dst, &x->origdst_addr, &x->origdst_mask)) &&
	       holds(x, XT_CONNTRACK_REPLSRC, addr_in(&r->src, &x->replsrc_addr, &x->replsrc_mask)) &&
	       holds(x, XT_CONNTRACK_REPLDST, addr_in(&r->dst, &x->repldst_addr, &x->repldst_mask)) &&
	       holds(x, XT_CONNTRACK_ORIGSRC_PORT, port_in(o->sport, x->origsrc_port, x->origsrc_port_high)) &&
	       holds(x, XT_CONNTRACK_ORIGDST_PORT, port_in(o->dport, x->origdst_port, x->origdst_port_high)) &&
	       holds(x, XT_CONNTRACK_REPLSRC_PORT, port_in(r->sport, x->replsrc_port, x->replsrc_port_high)) &&
	       holds(x, XT_CONNTRACK_REPLDST_PORT, port_in(r->dport, x->repldst_port, x->repldst_port_high));
}

static enum nf_verdict conntrack_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct nfct *ct = k->p->ct;
	struct xt_conntrack_mtinfo3 x;
	u32 bit = state_bit(k->p);

	widen(e, &x);
	if (ct && ct->status & CT_SRC_NAT)
		bit |= XT_CONNTRACK_STATE_SNAT;
	if (ct && ct->status & CT_DST_NAT)
		bit |= XT_CONNTRACK_STATE_DNAT;
	if (!holds(&x, XT_CONNTRACK_STATE, (x.state_mask & bit) != 0))
		return NF_V_BREAK;
	if (!ct)
		return match_if(x.match_flags & XT_CONNTRACK_STATE);
	if (!holds(&x, XT_CONNTRACK_DIRECTION, nfct_dir(k->p->ctinfo) == CT_ORIG) || !tuples_hold(&x, ct))
		return NF_V_BREAK;
	if (!holds(&x, XT_CONNTRACK_STATUS, x.status_mask & ct->status ||
					    (!(x.status_mask & ~0u) && !ct->status)))
		return NF_V_BREAK;
	if (x.match_flags & XT_CONNTRACK_EXPIRES) {
		u64 now = stack_now(k->s), left = ct->expires > now ? (ct->expires - now) / 1000000000 : 0;

		if ((left >= x.expires_min && left <= x.expires_max) == !!(x.invert_flags & XT_CONNTRACK_EXPIRES))
			return NF_V_BREAK;
	}
	return NF_V_CONT;
}

static int rev1(const struct xt_place *w, const void *d, struct nf_expr *e) { (void)w; (void)d; e->arg = 1; return 0; }
static int rev2(const struct xt_place *w, const void *d, struct nf_expr *e) { (void)w; (void)d; e->arg = 2; return 0; }
static int rev3(const struct xt_place *w, const void *d, struct nf_expr *e) { (void)w; (void)d; e->arg = 3; return 0; }

static enum nf_verdict state_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_state_info *x = e->data;

	return match_if(x->statemask & state_bit(k->p));
}

static enum nf_verdict connmark_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_connmark_mtinfo1 *x = e->data;

	return match_if(k->p->ct && ((k->p->ct->mark & x->mask) == x->mark) != !!x->invert);
}

const struct xt_ext xt_ct_matches[] = {
	{ .name = "conntrack", .rev = 1, .family = XT_ANY, .needs_ct = true, .size = sizeof(struct xt_conntrack_mtinfo1), .check = rev1, .eval = conntrack_match },
	{ .name = "conntrack", .rev = 2, .family = XT_ANY, .needs_ct = true, .size = sizeof(struct xt_conntrack_mtinfo2), .check = rev2, .eval = conntrack_match },
	{ .name = "conntrack", .rev = 3, .family = XT_ANY, .needs_ct = true, .size = sizeof(struct xt_conntrack_mtinfo3), .check = rev3, .eval = conntrack_match },
	{ .name = "state", .family = XT_ANY, .needs_ct = true, .size = sizeof(struct xt_state_info), .eval = state_match },
	{ .name = "connmark", .rev = 1, .family = XT_ANY, .needs_ct = true, .size = sizeof(struct xt_connmark_mtinfo1), .eval = connmark_match },
};
const unsigned xt_nct_matches = ARRAY_SIZE(xt_ct_matches);
