/*
 * nat.c - address translation: what a new connection is bound to, and the packets of bound ones.
 *
 * A binding changes the reply tuple of a connection that is not confirmed yet; the translation of every packet
 * follows from the two tuples.  A port is kept when nobody has it, else searched from a keyed hash or at random;
 * without a rule a source port may still change, so that two connections never look alike.
 */
#include <errno.h>
#include <netinet/in.h>
#include <net/if.h>
#include "netstack/core/route.h"
#include "netstack/core/rtnl.h"
#include "netstack/netfilter/nf_int.h"

#define TRIES 128

static bool has_ports(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE || proto == IPPROTO_DCCP ||
	       proto == IPPROTO_SCTP || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static bool is_icmp(u8 proto) { return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6; }

/* Would a connection with orig-like tuple @t collide with somebody's replies? */
static bool taken(struct stack *s, const struct nfct_tuple *t, const struct nfct *ct)
{
	struct nfct_tuple inv;

	return !nfct_invert(t, &inv) || nfct_used(s, &inv, ct);
}

static u32 hash_of(struct stack *s, const struct nfct_tuple *t)
{
	struct { struct ipaddr src, dst; u32 proto; } k = { t->src, t->dst, t->proto };

	return (u32)siphash(&s->key_port, &k, sizeof(k));
}

/* An address between the two, by what is not being changed. */
static void pick_addr(struct stack *s, struct nfct_tuple *t, const struct nat_range *r, int manip)
{
	struct ipaddr *at = manip == MANIP_SRC ? &t->src : &t->dst;
	struct ipaddr was = *at;
	u64 lo, hi, span, v;

	if (!(r->flags & NAT_MAP_IPS))
		return;
	if (r->flags & NAT_NETMAP) {
		for (int i = 0; i < 16; i++) {
			u8 host = (u8)(r->min_ip.b[i] ^ r->max_ip.b[i]);

			at->b[i] = (u8)((r->min_ip.b[i] & ~host) | (was.b[i] & host));
		}
		return;
	}
	*at = r->min_ip;
	if (ip_eq(&r->min_ip, &r->max_ip))
		return;
	/* Ranges differ in their last 64 bits, IPv4's in 32: enough to spread. */
	lo = (u64)get_be32(r->min_ip.b + 8) << 32 | get_be32(r->min_ip.b + 12);
	hi = (u64)get_be32(r->max_ip.b + 8) << 32 | get_be32(r->max_ip.b + 12);
	if (hi <= lo)
		return;
	span = hi - lo + 1;
	v = lo + (span ? hash_of(s, t) % span : hash_of(s, t));
	put_be32(at->b + 8, (u32)(v >> 32));
	put_be32(at->b + 12, (u32)v);
}

/* Which ports may be tried when the one at hand is taken. */
static bool port_span(const struct nat_range *r, int manip, u8 proto, u16 now, u32 *ret_min, u32 *ret_n)
{
	u32 max;

	if (r->flags & NAT_PORTS) {
		*ret_min = MIN(r->min_port, r->max_port);
		max = MAX(r->min_port, r->max_port);
	} else if (is_icmp(proto)) {
		*ret_min = 0;
		max = 65535;
	} else if (manip == MANIP_DST) {
		return false;           /* a destination port without a range stays */
	} else if (now < 512) {
		*ret_min = 1;
		max = 511;
	} else if (now < 1024) {
		*ret_min = 600;
		max = 1023;
	} else {
		*ret_min = 1024;
		max = 65535;
	}
	*ret_n = max - *ret_min + 1;
	return true;
}

static void pick_port(struct stack *s, struct nfct_tuple *t, const struct nat_range *r, int manip, const struct nfct *ct)
{
	u16 *port = manip == MANIP_SRC || is_icmp(t->proto) ? &t->sport : &t->dport;
	u32 min, n, off;

	if (is_icmp(t->proto) && manip == MANIP_DST)
		return;
	if (!port_span(r, manip, t->proto, *port, &min, &n))
		return;
	if (r->flags & NAT_OFFSET)
		off = (u16)(*port - r->base_port);
	else if (r->flags & (NAT_RANDOM | NAT_RANDOM_FULLY))
		off = stack_rand32(s);
	else
		off = hash_of(s, t) + (manip == MANIP_SRC ? 0 : *port);
	for (u32 i = 0; i < MIN(n, (u32)TRIES); i++) {
		*port = (u16)(min + (off + i) % n);
		if (n == 1 || !taken(s, t, ct))
			return;
	}
}

static void unique(struct stack *s, struct nfct_tuple *t, const struct nat_range *r, int manip, const struct nfct *ct)
{
	u16 port;

	pick_addr(s, t, r, manip);
	if (!has_ports(t->proto))
		return;
	port = manip == MANIP_SRC || is_icmp(t->proto) ? t->sport : t->dport;
	if (!(r->flags & (NAT_RANDOM | NAT_RANDOM_FULLY))) {
		if (!(r->flags & NAT_PORTS) && !taken(s, t, ct))
			return;
		if ((r->flags & NAT_PORTS) && !(r->flags & NAT_OFFSET) && port >= r->min_port && port <= r->max_port &&
		    (r->min_port == r->max_port || !taken(s, t, ct)))
			return;
	}
	pick_port(s, t, r, manip, ct);
}

enum nf_verdict nat_setup(struct nf_pkt *k, const struct nat_range *r, int manip)
{
	u32 done = manip == MANIP_SRC ? CT_SRC_NAT_DONE : CT_DST_NAT_DONE;
	struct nfct *ct = k->p->ct;
	struct nfct_tuple now, new;

	if (!ct || (ct->status & done))
		return NF_V_ACCEPT;
	if (ct->status & CT_CONFIRMED)
		return NF_V_ACCEPT;
	if (!nfct_invert(&ct->side[CT_REPLY].t, &now))
		return NF_V_DROP;
	new = now;
	unique(k->s, &new, r, manip, ct);
	if (memcmp(&new, &now, sizeof(new)) != 0) {
		struct nfct_tuple reply;

		if (!nfct_invert(&new, &reply))
			return NF_V_DROP;
		ct->side[CT_REPLY].t = reply;
		ct->status |= manip == MANIP_SRC ? CT_SRC_NAT : CT_DST_NAT;
	}
	ct->status |= done;
	return NF_V_ACCEPT;
}

/* The link's first global address, better one of the destination's net; failing that, what we would send from. */
static bool masquerade_as(struct nf_pkt *k, struct ipaddr *ret)
{
	struct stack *s = k->s;
	struct nicaddr *x, *best = NULL;

	if (k->v6)
		return addr_pick(s, k->out, &k->p->dst, ret);
	mutex_lock(&s->cfg_mu);
	list_for_each(x, &s->addrs, node) {
		if (x->nic != k->out || !ip_is4(&x->a.ip) || x->a.scope != RT_SCOPE_UNIVERSE)
			continue;
		if (!best || (!ip_in_prefix(&k->p->dst, &best->a.ip, best->a.plen) &&
			      ip_in_prefix(&k->p->dst, &x->a.ip, x->a.plen)))
			best = x;
	}
	if (best)
		*ret = best->a.ip;
	mutex_unlock(&s->cfg_mu);
	return best || addr_pick(s, k->out, &k->p->dst, ret);
}

enum nf_verdict nat_masquerade(struct nf_pkt *k, struct nat_range r)
{
	struct ipaddr ip;

	if (!k->out || !masquerade_as(k, &ip))
		return NF_V_DROP;
	r.flags |= NAT_MAP_IPS;
	r.min_ip = r.max_ip = ip;
	return nat_setup(k, &r, MANIP_SRC);
}

enum nf_verdict nat_redirect(struct nf_pkt *k, struct nat_range r)
{
	struct ipaddr ip = { { [15] = 1 } };

	if (k->hook == NF_OUT) {
		if (!k->v6)
			ip = ip_from4n(0x7f000001);
	} else if (!k->in || !addr_pick(k->s, k->in, &k->p->src, &ip)) {
		return NF_V_DROP;
	}
	r.flags |= NAT_MAP_IPS;
	r.min_ip = r.max_ip = ip;
	return nat_setup(k, &r, MANIP_DST);
}

/* ---- packets ---- */

static u32 wanted(const struct nfct *ct, int manip, int dir)
{
	u32 bit = manip == MANIP_SRC ? CT_SRC_NAT : CT_DST_NAT;

	/* What was done to one direction is undone to the other. */
	return ct->status & (dir == CT_REPLY ? bit ^ CT_NAT_MASK : bit);
}

/* An ICMP error, and the packet in it, which went the other way. */
static enum nf_verdict translate_error(struct nf_pkt *k, struct nfct *ct, int dir, int manip)
{
	struct nfct_tuple to;

	if (!nf_rewrite_inner(k->p, &ct->side[!dir].t, manip == MANIP_SRC ? MANIP_DST : MANIP_SRC))
		return NF_V_DROP;
	if (!nfct_invert(&ct->side[!dir].t, &to))
		return NF_V_DROP;
	return nf_rewrite(k->p, &to, manip) ? NF_V_CONT : NF_V_DROP;
}

static enum nf_verdict ask_rules(struct nf_pkt *k, const struct nf_hooklist *h, int manip)
{
	static const struct nat_range none;
	u32 done = manip == MANIP_SRC ? CT_SRC_NAT_DONE : CT_DST_NAT_DONE;
	struct nfct *ct = k->p->ct;

	for (u32 i = 0; i < h->nnat && !(ct->status & done); i++)
		if (nf_run(h->nat[i], k->hook, k) == NF_V_DROP)
			return NF_V_DROP;
	/* Nobody cared: bound to what it is. */
	return ct->status & done ? NF_V_ACCEPT : nat_setup(k, &none, manip);
}

enum nf_verdict nat_packet(struct nf_pkt *k, const struct nf_hooklist *h)
{
	int manip = nf_manip(k->hook), dir = nfct_dir(k->p->ctinfo);
	struct nfct *ct = k->p->ct;
	struct nfct_tuple to;

	if (!ct || k->p->ctinfo == CT_UNTRACKED)
		return NF_V_CONT;
	if (nfct_is_icmp_error(k->p))
		return wanted(ct, manip, dir) ? translate_error(k, ct, dir, manip) : NF_V_CONT;
	if (k->p->ctinfo == CT_NEW && !(ct->status & (manip == MANIP_SRC ? CT_SRC_NAT_DONE : CT_DST_NAT_DONE)) &&
	    !(ct->status & CT_CONFIRMED) && ask_rules(k, h, manip) == NF_V_DROP)
		return NF_V_DROP;
	if (!wanted(ct, manip, dir))
		return NF_V_CONT;
	if (!nfct_invert(&ct->side[!dir].t, &to))
		return NF_V_DROP;
	return nf_rewrite(k->p, &to, manip) ? NF_V_CONT : NF_V_DROP;
}
