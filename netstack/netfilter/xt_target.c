/*
 * xt_target.c - iptables' targets, and the list of all extensions by name and revision.
 *
 * LOG matches the rule and writes nothing: a sandbox has no kernel log (syslog(2) says so), and Linux does not
 * log for other network namespaces than the first either.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>
#include "platform/base/alloc.h"
#include "netstack/netfilter/nf_int.h"
#include "netstack/wire/icmp.h"

/* ---- NAT ---- */

static void range_from4(const struct nf_nat_ipv4_range *o, struct nat_range *r)
{
	*r = (struct nat_range){ .flags = o->flags, .min_ip = ip_from4(&o->min_ip), .max_ip = ip_from4(&o->max_ip),
				 .min_port = __builtin_bswap16(o->min.all), .max_port = __builtin_bswap16(o->max.all) };
}

/* Kept in the expression's state, in one form. */
static int keep_range(const struct nat_range *r, struct nf_expr *e)
{
	struct nat_range *c;

	if (r->flags & ~127u)
		return -EINVAL;
	c = knew(struct nat_range);
	if (!c)
		return -ENOMEM;
	*c = *r;
	e->state = c;
	return 0;
}

static int nat_check0(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct nf_nat_ipv4_multi_range_compat *x = data;
	struct nat_range r;

	(void)w;
	if (x->rangesize != 1)
		return -EINVAL;
	range_from4(x->range, &r);
	return keep_range(&r, e);
}

static int nat_check_range(const struct xt_place *w, const struct nf_nat_range *x, u16 base, struct nf_expr *e)
{
	struct nat_range r = { .flags = x->flags, .min_port = __builtin_bswap16(x->min_proto.all),
			       .max_port = __builtin_bswap16(x->max_proto.all), .base_port = __builtin_bswap16(base) };

	r.min_ip = w->v6 ? ip_from6(&x->min_addr) : ip_from4(&x->min_addr);
	r.max_ip = w->v6 ? ip_from6(&x->max_addr) : ip_from4(&x->max_addr);
	/* An IPv6 address that reads as IPv4 would be one here. */
	if (w->v6 && (r.flags & NAT_MAP_IPS) && (ip_is4(&r.min_ip) || ip_is4(&r.max_ip)))
		return -EINVAL;
	return keep_range(&r, e);
}

static int nat_check1(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	return nat_check_range(w, data, 0, e);
}

static int nat_check2(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct nf_nat_range2 *x = data;
	struct nf_nat_range o;

	memcpy(&o, x, sizeof(o));
	return nat_check_range(w, &o, x->base_proto.all, e);
}

static int masq_check4(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct nf_nat_ipv4_multi_range_compat *x = data;

	return x->range[0].flags & NF_NAT_RANGE_MAP_IPS ? -EINVAL : nat_check0(w, data, e);
}

static int masq_check6(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct nf_nat_range *x = data;

	return x->flags & NF_NAT_RANGE_MAP_IPS ? -EINVAL : nat_check1(w, data, e);
}

static int netmap_check4(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct nf_nat_ipv4_multi_range_compat *x = data;
	int r = x->range[0].flags & NF_NAT_RANGE_MAP_IPS ? nat_check0(w, data, e) : -EINVAL;

	if (r == 0)
		((struct nat_range *)e->state)->flags |= NAT_NETMAP;
	return r;
}

static int netmap_check6(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct nf_nat_range *x = data;
	int r = x->flags & NF_NAT_RANGE_MAP_IPS ? nat_check1(w, data, e) : -EINVAL;

	if (r == 0)
		((struct nat_range *)e->state)->flags |= NAT_NETMAP;
	return r;
}

static enum nf_verdict dnat(struct nf_pkt *k, const struct nf_expr *e) { return nat_setup(k, e->state, MANIP_DST); }
static enum nf_verdict snat(struct nf_pkt *k, const struct nf_expr *e) { return nat_setup(k, e->state, MANIP_SRC); }

static enum nf_verdict masquerade(struct nf_pkt *k, const struct nf_expr *e)
{
	return nat_masquerade(k, *(const struct nat_range *)e->state);
}

static enum nf_verdict redirect(struct nf_pkt *k, const struct nf_expr *e)
{
	return nat_redirect(k, *(const struct nat_range *)e->state);
}

static enum nf_verdict netmap(struct nf_pkt *k, const struct nf_expr *e)
{
	return nat_setup(k, e->state, nf_manip(k->hook));
}

/* ---- filter and mangle ---- */

static int reject_check4(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	static const u8 codes[] = { 0, 1, 2, 3, 0, 9, 10, 0, 13 };     /* by enum ipt_reject_with */
	const struct ipt_reject_info *x = data;
	u32 with = x->with;

	if (with > IPT_ICMP_ADMIN_PROHIBITED || with == IPT_ICMP_ECHOREPLY)
		return -EINVAL;
	if (with == IPT_TCP_RESET && w->proto != IPPROTO_TCP)
		return -EINVAL;
	e->arg = with == IPT_TCP_RESET ? (u32)REJ_TCP_RESET : codes[with];
	return 0;
}

static int reject_check6(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	static const u8 codes[] = { 0, 1, 2, 3, 4, 0, 0, 5, 6 };       /* by enum ip6t_reject_with */
	const struct ip6t_reject_info *x = data;

	if (x->with > IP6T_ICMP6_REJECT_ROUTE || x->with == IP6T_ICMP6_ECHOREPLY)
		return -EINVAL;
	if (x->with == IP6T_TCP_RESET && w->proto != IPPROTO_TCP)
		return -EINVAL;
	e->arg = x->with == IP6T_TCP_RESET ? (u32)REJ_TCP_RESET : codes[x->with];
	return 0;
}

static enum nf_verdict reject(struct nf_pkt *k, const struct nf_expr *e) { return nf_reject(k, e->arg); }

static enum nf_verdict go_on(struct nf_pkt *k, const struct nf_expr *e)
{
	(void)k;
	(void)e;
	return NF_V_CONT;
}

static int log_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_log_info *x = data;

	(void)w;
	(void)e;
	return x->level >= 8 || x->prefix[sizeof(x->prefix) - 1] ? -EINVAL : 0;
}

static enum nf_verdict set_mark(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_mark_tginfo2 *x = e->data;

	k->p->mark = (k->p->mark & ~x->mask) ^ x->mark;
	return NF_V_CONT;
}

static enum nf_verdict set_connmark(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_connmark_tginfo1 *x = e->data;
	struct nfct *ct = k->p->ct;

	if (!ct)
		return NF_V_CONT;
	if (x->mode == XT_CONNMARK_SET)
		ct->mark = (ct->mark & ~x->ctmask) ^ x->ctmark;
	else if (x->mode == XT_CONNMARK_SAVE)
		ct->mark = (ct->mark & ~x->ctmask) ^ (k->p->mark & x->nfmask);
	else
		k->p->mark = (k->p->mark & ~x->nfmask) ^ (ct->mark & x->ctmask);
	return NF_V_CONT;
}

static int connmark_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_connmark_tginfo1 *x = data;

	(void)w;
	(void)e;
	return x->mode > XT_CONNMARK_RESTORE ? -EINVAL : 0;
}

static enum nf_verdict notrack(struct nf_pkt *k, const struct nf_expr *e)
{
	(void)e;
	if (!k->p->ct)
		k->p->ctinfo = CT_UNTRACKED;
	return NF_V_CONT;
}

/* Zones, helpers and events: not here. */
static int ct_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_ct_target_info *x = data;

	(void)w;
	(void)e;
	return x->flags & XT_CT_NOTRACK && !(x->flags & ~(XT_CT_NOTRACK | XT_CT_NOTRACK_ALIAS)) && !x->zone ? 0 : -EINVAL;
}

#define H(h)  (1u << NF_##h)
#define SRC   (H(POST) | H(IN))
#define DST   (H(PRE) | H(OUT))
#define NAT4  sizeof(struct nf_nat_ipv4_multi_range_compat)
#define NAT6  sizeof(struct nf_nat_range)
#define NAT2  sizeof(struct nf_nat_range2)
#define NATTAB .table = "nat", .needs_ct = true
static const struct xt_ext targets[] = {
	{ .name = "DNAT", .rev = 0, .family = XT_V4, NATTAB, .hooks = DST, .size = NAT4, .check = nat_check0, .eval = dnat },
	{ .name = "DNAT", .rev = 1, .family = XT_ANY, NATTAB, .hooks = DST, .size = NAT6, .check = nat_check1, .eval = dnat },
	{ .name = "DNAT", .rev = 2, .family = XT_ANY, NATTAB, .hooks = DST, .size = NAT2, .check = nat_check2, .eval = dnat },
	{ .name = "SNAT", .rev = 0, .family = XT_V4, NATTAB, .hooks = SRC, .size = NAT4, .check = nat_check0, .eval = snat },
	{ .name = "SNAT", .rev = 1, .family = XT_ANY, NATTAB, .hooks = SRC, .size = NAT6, .check = nat_check1, .eval = snat },
	{ .name = "SNAT", .rev = 2, .family = XT_ANY, NATTAB, .hooks = SRC, .size = NAT2, .check = nat_check2, .eval = snat },
	{ .name = "MASQUERADE", .family = XT_V4, NATTAB, .hooks = H(POST), .size = NAT4, .check = masq_check4, .eval = masquerade },
	{ .name = "MASQUERADE", .family = XT_V6, NATTAB, .hooks = H(POST), .size = NAT6, .check = masq_check6, .eval = masquerade },
	{ .name = "REDIRECT", .family = XT_V4, NATTAB, .hooks = DST, .size = NAT4, .check = nat_check0, .eval = redirect },
	{ .name = "REDIRECT", .family = XT_V6, NATTAB, .hooks = DST, .size = NAT6, .check = nat_check1, .eval = redirect },
	{ .name = "NETMAP", .family = XT_V4, NATTAB, .hooks = SRC | DST, .size = NAT4, .check = netmap_check4, .eval = netmap },
	{ .name = "NETMAP", .family = XT_V6, NATTAB, .hooks = SRC | DST, .size = NAT6, .check = netmap_check6, .eval = netmap },
	{ .name = "REJECT", .family = XT_V4, .table = "filter", .hooks = H(IN) | H(FWD) | H(OUT), .size = sizeof(struct ipt_reject_info),
	  .check = reject_check4, .eval = reject },
	{ .name = "REJECT", .family = XT_V6, .table = "filter", .hooks = H(IN) | H(FWD) | H(OUT), .size = sizeof(struct ip6t_reject_info),
	  .check = reject_check6, .eval = reject },
	{ .name = "LOG", .family = XT_ANY, .size = sizeof(struct xt_log_info), .check = log_check, .eval = go_on },
	{ .name = "MARK", .rev = 2, .family = XT_ANY, .size = sizeof(struct xt_mark_tginfo2), .eval = set_mark },
	{ .name = "CONNMARK", .rev = 1, .family = XT_ANY, .needs_ct = true, .size = sizeof(struct xt_connmark_tginfo1),
	  .check = connmark_check, .eval = set_connmark },
	{ .name = "NOTRACK", .family = XT_ANY, .table = "raw", .size = 0, .eval = notrack },
	{ .name = "CT", .rev = 0, .family = XT_ANY, .table = "raw", .size = sizeof(struct xt_ct_target_info), .check = ct_check, .eval = notrack },
	{ .name = "CT", .rev = 1, .family = XT_ANY, .table = "raw", .size = sizeof(struct xt_ct_target_info_v1), .check = ct_check, .eval = notrack },
	{ .name = "CT", .rev = 2, .family = XT_ANY, .table = "raw", .size = sizeof(struct xt_ct_target_info_v1), .check = ct_check, .eval = notrack },
};

/* ---- by name ---- */

static const struct xt_ext *nth(bool target, unsigned i)
{
	if (target)
		return i < ARRAY_SIZE(targets) ? &targets[i] : NULL;
	if (i < xt_nmatches)
		return &xt_matches[i];
	i -= xt_nmatches;
	return i < xt_nct_matches ? &xt_ct_matches[i] : NULL;
}

const char *xt_name(bool v6, bool target, unsigned i)
{
	const struct xt_ext *x;

	for (unsigned at = 0; (x = nth(target, at)); at++)
		if ((x->family & (v6 ? XT_V6 : XT_V4)) && i-- == 0)
			return x->name;
	return NULL;
}

int xt_revision(bool v6, bool target, const char *name, u8 rev)
{
	const struct xt_ext *x;
	bool exact = false;
	int best = -1;

	for (unsigned i = 0; (x = nth(target, i)); i++) {
		if (!(x->family & (v6 ? XT_V6 : XT_V4)) || strcmp(x->name, name) != 0)
			continue;
		best = MAX(best, (int)x->rev);
		exact |= x->rev == rev;
	}
	return best < 0 ? -ENOENT : exact ? best : -EPROTONOSUPPORT;
}

int xt_bind(const struct xt_place *w, bool target, const char *name, u8 rev, const void *data, u32 size,
	    struct nf_expr *e, bool *ret_ct)
{
	const struct xt_ext *x;
	unsigned i;

	for (i = 0; (x = nth(target, i)); i++)
		if ((x->family & (w->v6 ? XT_V6 : XT_V4)) && x->rev == rev && strcmp(x->name, name) == 0)
			break;
	if (!x)
		return -ENOENT;
	if (ALIGN_UP((u32)x->size, 8u) != ALIGN_UP(size, 8u) || size < x->size)
		return -EINVAL;
	if (x->table && (!w->nft || strcmp(x->table, "nat") == 0) && strcmp(x->table, w->table) != 0)
		return -EINVAL;
	if (x->hooks && (w->hooks & ~x->hooks))
		return -EINVAL;
	if (x->proto && x->proto != w->proto)
		return -EINVAL;
	e->eval = x->eval;
	e->data = data;
	e->state = NULL;
	e->arg = 0;
	*ret_ct |= x->needs_ct;
	return x->check ? x->check(w, data, e) : 0;
}
