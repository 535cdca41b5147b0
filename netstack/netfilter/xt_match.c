/*
 * xt_match.c - iptables' matches that look at the packet alone; their data is Linux' (linux/netfilter/xt_*.h).
 *
 * Data comes from the guest and is only read; every length and count in it is checked before it is used.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_iprange.h>
#include <linux/netfilter/xt_length.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_pkttype.h>
#include <linux/netfilter/xt_statistic.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include "platform/base/alloc.h"
#include "netstack/core/rtnl.h"
#include "netstack/netfilter/nf_int.h"
#include "netstack/wire/tcp.h"

static enum nf_verdict match_if(bool yes) { return yes ? NF_V_CONT : NF_V_BREAK; }

static bool in_range(u16 v, const u16 r[2], bool invert) { return (v >= r[0] && v <= r[1]) != invert; }

/* ---- transports ---- */

/* Is option @want among the options? A header that lies matches nothing, and is dropped as Linux does. */
static enum nf_verdict has_option(struct nf_pkt *k, u8 want, u8 hlen, bool invert)
{
	u8 o[TCP_HLEN_MAX];
	u32 n = hlen < TCP_HLEN ? 0 : hlen - TCP_HLEN, i = 0;

	if (hlen < TCP_HLEN || !nf_l4(k, o, TCP_HLEN, n))
		return NF_V_DROP;
	while (i < n) {
		if (o[i] == want)
			return match_if(!invert);
		i += o[i] < 2 || i + 1 >= n || o[i + 1] == 0 ? 1 : o[i + 1];
	}
	return match_if(invert);
}

static enum nf_verdict tcp_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_tcp *x = e->data;
	u8 b[TCP_HLEN];

	if (k->frag)
		return NF_V_BREAK;
	if (!nf_l4(k, b, 0, sizeof(b)))
		return NF_V_DROP;
	if (!in_range(get_be16(b), x->spts, x->invflags & XT_TCP_INV_SRCPT) ||
	    !in_range(get_be16(b + 2), x->dpts, x->invflags & XT_TCP_INV_DSTPT) ||
	    ((b[13] & x->flg_mask) == x->flg_cmp) == !!(x->invflags & XT_TCP_INV_FLAGS))
		return NF_V_BREAK;
	return x->option ? has_option(k, x->option, (u8)((b[12] >> 4) * 4), x->invflags & XT_TCP_INV_OPTION) : NF_V_CONT;
}

static int tcp_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_tcp *x = data;

	(void)w;
	(void)e;
	return x->invflags & ~XT_TCP_INV_MASK ? -EINVAL : 0;
}

static enum nf_verdict udp_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_udp *x = e->data;
	u8 b[8];

	if (k->frag)
		return NF_V_BREAK;
	if (!nf_l4(k, b, 0, sizeof(b)))
		return NF_V_DROP;
	return match_if(in_range(get_be16(b), x->spts, x->invflags & XT_UDP_INV_SRCPT) &&
			in_range(get_be16(b + 2), x->dpts, x->invflags & XT_UDP_INV_DSTPT));
}

static int udp_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_udp *x = data;

	(void)w;
	(void)e;
	return x->invflags & ~XT_UDP_INV_MASK ? -EINVAL : 0;
}

/* IPv4 has a type (255) that means any; IPv6 has not. */
static enum nf_verdict icmp_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct ipt_icmp *x = e->data;
	bool hit;
	u8 b[2];

	if (k->frag)
		return NF_V_BREAK;
	if (!nf_l4(k, b, 0, sizeof(b)))
		return NF_V_DROP;
	hit = (!k->v6 && x->type == 0xff) || (b[0] == x->type && b[1] >= x->code[0] && b[1] <= x->code[1]);
	return match_if(hit != !!(x->invflags & IPT_ICMP_INV));
}

static int icmp_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct ipt_icmp *x = data;

	(void)w;
	(void)e;
	return x->invflags & ~IPT_ICMP_INV ? -EINVAL : 0;
}

static bool port_hit(const struct xt_multiport_v1 *x, u16 src, u16 dst)
{
	for (u32 i = 0; i < x->count; i++) {
		u16 lo = x->ports[i], hi = x->pflags[i] ? x->ports[++i] : lo;

		if (x->flags != XT_MULTIPORT_DESTINATION && src >= lo && src <= hi)
			return true;
		if (x->flags != XT_MULTIPORT_SOURCE && dst >= lo && dst <= hi)
			return true;
	}
	return false;
}

static enum nf_verdict multiport_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_multiport_v1 *x = e->data;
	u8 b[4];

	if (k->frag)
		return NF_V_BREAK;
	if (!nf_l4(k, b, 0, sizeof(b)))
		return NF_V_DROP;
	return match_if(port_hit(x, get_be16(b), get_be16(b + 2)) != !!x->invert);
}

static int multiport_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_multiport_v1 *x = data;

	(void)e;
	if (w->proto != IPPROTO_TCP && w->proto != IPPROTO_UDP && w->proto != IPPROTO_UDPLITE &&
	    w->proto != IPPROTO_SCTP && w->proto != IPPROTO_DCCP)
		return -EINVAL;
	if (x->flags > XT_MULTIPORT_EITHER || x->count > XT_MULTI_PORTS)
		return -EINVAL;
	for (u32 i = 0; i < x->count; i++)      /* the last one begins no range */
		if (x->pflags[i] && ++i >= x->count)
			return -EINVAL;
	return 0;
}

/* ---- the rest of the packet ---- */

static enum nf_verdict mark_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_mark_mtinfo1 *x = e->data;

	return match_if(((k->p->mark & x->mask) == x->mark) != !!x->invert);
}

static enum nf_verdict comment_match(struct nf_pkt *k, const struct nf_expr *e)
{
	(void)k;
	(void)e;
	return NF_V_CONT;
}

static enum nf_verdict length_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_length_info *x = e->data;

	return match_if((k->p->len >= x->min && k->p->len <= x->max) != !!x->invert);
}

static enum nf_verdict pkttype_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_pkttype_info *x = e->data;
	int type = k->p->pkttype;

	if (k->p->flags & PKT_LOOPED)
		type = ip_is_multicast(&k->p->dst) ? 2 : 0;
	return match_if((type == x->pkttype) != !!x->invert);
}

static int cmp_ip(const struct ipaddr *a, const union nf_inet_addr *b)
{
	return memcmp(ip_wire(a), b, ip_wire_len(a));
}

static enum nf_verdict iprange_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_iprange_mtinfo *x = e->data;
	const struct pktbuf *p = k->p;

	if ((x->flags & IPRANGE_SRC) &&
	    (cmp_ip(&p->src, &x->src_min) >= 0 && cmp_ip(&p->src, &x->src_max) <= 0) == !!(x->flags & IPRANGE_SRC_INV))
		return NF_V_BREAK;
	if ((x->flags & IPRANGE_DST) &&
	    (cmp_ip(&p->dst, &x->dst_min) >= 0 && cmp_ip(&p->dst, &x->dst_max) <= 0) == !!(x->flags & IPRANGE_DST_INV))
		return NF_V_BREAK;
	return NF_V_CONT;
}

static bool owner_in(u32 id, u32 lo, u32 hi) { return id >= lo && id <= hi; }

static enum nf_verdict owner_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_owner_match_info *x = e->data;
	const struct pktbuf *p = k->p;

	if (!(p->flags & PKT_OWNED))
		return match_if((x->match ^ x->invert) == 0);
	if (x->match & x->invert & XT_OWNER_SOCKET)
		return NF_V_BREAK;
	if ((x->match & XT_OWNER_UID) && owner_in(p->uid, x->uid_min, x->uid_max) == !!(x->invert & XT_OWNER_UID))
		return NF_V_BREAK;
	if ((x->match & XT_OWNER_GID) && owner_in(p->gid, x->gid_min, x->gid_max) == !!(x->invert & XT_OWNER_GID))
		return NF_V_BREAK;
	return NF_V_CONT;
}

static int owner_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_owner_match_info *x = data;

	(void)w;
	(void)e;
	/* A packet keeps its sender's groups but for the first one no more than a moment. */
	return x->match & ~(XT_OWNER_MASK & ~XT_OWNER_SUPPL_GROUPS) ? -EINVAL : 0;
}

static u32 type_bit(struct nf_pkt *k, const struct ipaddr *ip, u32 flags)
{
	struct nic *n = k->in ? k->in : k->out ? k->out : k->s->lo;
	int type = addr_type(k->s, n, ip);

	if (ip_is_loopback(ip))
		type = RTN_LOCAL;
	if (type == RTN_LOCAL && (flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT)) &&
	    addr_nic(k->s, ip) != (flags & XT_ADDRTYPE_LIMIT_IFACE_IN ? k->in : k->out))
		type = RTN_UNICAST;
	return 1u << type;
}

static enum nf_verdict addrtype_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_addrtype_info_v1 *x = e->data;
	bool hit = true;

	if (x->source)
		hit = !!(x->source & type_bit(k, &k->p->src, x->flags)) != !!(x->flags & XT_ADDRTYPE_INVERT_SOURCE);
	if (hit && x->dest)
		hit = !!(x->dest & type_bit(k, &k->p->dst, x->flags)) != !!(x->flags & XT_ADDRTYPE_INVERT_DEST);
	return match_if(hit);
}

static int addrtype_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_addrtype_info_v1 *x = data;
	u32 in = 1u << NF_PRE | 1u << NF_IN, out = 1u << NF_POST | 1u << NF_OUT, lim = x->flags;

	(void)e;
	if ((lim & XT_ADDRTYPE_LIMIT_IFACE_IN) && (lim & XT_ADDRTYPE_LIMIT_IFACE_OUT))
		return -EINVAL;
	if ((w->hooks & in && lim & XT_ADDRTYPE_LIMIT_IFACE_OUT) || (w->hooks & out && lim & XT_ADDRTYPE_LIMIT_IFACE_IN))
		return -EINVAL;
	return 0;
}

/* ---- with a memory ---- */

struct limit { struct mutex mu; u64 prev, credit, cap, cost; };

static int limit_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_rateinfo *x = data;
	struct limit *l;
	u64 cost = (u64)x->avg * (1000000000 / XT_LIMIT_SCALE), cap;

	if (x->burst == 0 || (u64)x->avg * x->burst > UINT32_MAX || mul_overflows(cost, (u64)x->burst, &cap))
		return -ERANGE;
	l = knew(struct limit);
	if (!l)
		return -ENOMEM;
	mutex_init(&l->mu, RANK_LEAF);
	l->prev = stack_now(w->s);
	l->cost = cost;
	l->cap = l->credit = cap;
	e->state = l;
	return 0;
}

static enum nf_verdict limit_match(struct nf_pkt *k, const struct nf_expr *e)
{
	struct limit *l = e->state;
	u64 now;
	bool ok;

	mutex_lock(&l->mu);
	now = stack_now(k->s);          /* with the lock held: time does not go back */
	l->credit = MIN(l->cap, l->credit + (now - l->prev));
	l->prev = now;
	ok = l->credit >= l->cost;
	if (ok)
		l->credit -= l->cost;
	mutex_unlock(&l->mu);
	return match_if(ok);
}

struct nth { _Atomic u32 count; };

static int statistic_check(const struct xt_place *w, const void *data, struct nf_expr *e)
{
	const struct xt_statistic_info *x = data;
	struct nth *n;

	(void)w;
	if (x->mode > XT_STATISTIC_MODE_MAX || (x->flags & ~XT_STATISTIC_MASK))
		return -EINVAL;
	n = knew(struct nth);
	if (!n)
		return -ENOMEM;
	n->count = x->u.nth.count;
	e->state = n;
	return 0;
}

static enum nf_verdict statistic_match(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct xt_statistic_info *x = e->data;
	struct nth *n = e->state;
	bool hit;

	if (x->mode == XT_STATISTIC_MODE_RANDOM) {
		hit = (stack_rand32(k->s) & 0x7fffffff) < x->u.random.probability;
	} else {
		u32 was = atomic_load(&n->count), next;

		do
			next = was == x->u.nth.every ? 0 : was + 1;
		while (!atomic_compare_exchange_weak(&n->count, &was, next));
		hit = next == 0;
	}
	return match_if(hit != !!(x->flags & XT_STATISTIC_INVERT));
}

#define OUT_HOOKS (1u << NF_OUT | 1u << NF_POST)

const struct xt_ext xt_matches[] = {
	{ .name = "tcp", .family = XT_ANY, .proto = IPPROTO_TCP, .size = sizeof(struct xt_tcp), .check = tcp_check, .eval = tcp_match },
	{ .name = "udp", .family = XT_ANY, .proto = IPPROTO_UDP, .size = sizeof(struct xt_udp), .check = udp_check, .eval = udp_match },
	{ .name = "icmp", .family = XT_V4, .proto = IPPROTO_ICMP, .size = sizeof(struct ipt_icmp), .check = icmp_check, .eval = icmp_match },
	{ .name = "icmp6", .family = XT_V6, .proto = IPPROTO_ICMPV6, .size = sizeof(struct ipt_icmp), .check = icmp_check, .eval = icmp_match },
	{ .name = "multiport", .rev = 1, .family = XT_ANY, .size = sizeof(struct xt_multiport_v1), .check = multiport_check, .eval = multiport_match },
	{ .name = "mark", .rev = 1, .family = XT_ANY, .size = sizeof(struct xt_mark_mtinfo1), .eval = mark_match },
	{ .name = "comment", .family = XT_ANY, .size = sizeof(struct xt_comment_info), .eval = comment_match },
	{ .name = "length", .family = XT_ANY, .size = sizeof(struct xt_length_info), .eval = length_match },
	{ .name = "pkttype", .family = XT_ANY, .size = sizeof(struct xt_pkttype_info), .eval = pkttype_match },
	{ .name = "iprange", .rev = 1, .family = XT_ANY, .size = sizeof(struct xt_iprange_mtinfo), .eval = iprange_match },
	{ .name = "owner", .rev = 1, .family = XT_ANY, .hooks = OUT_HOOKS, .size = sizeof(struct xt_owner_match_info), .check = owner_check, .eval = owner_match },
	{ .name = "addrtype", .rev = 1, .family = XT_ANY, .size = sizeof(struct xt_addrtype_info_v1), .check = addrtype_check, .eval = addrtype_match },
	{ .name = "limit", .family = XT_ANY, .size = sizeof(struct xt_rateinfo), .check = limit_check, .eval = limit_match },
	{ .name = "statistic", .family = XT_ANY, .size = sizeof(struct xt_statistic_info), .check = statistic_check, .eval = statistic_match },
};
const unsigned xt_nmatches = ARRAY_SIZE(xt_matches);
