/*
 * hook.c - the hooks: which rules are in force, and a packet's way through those of one hook.
 *
 * Stages stand in the order of Linux' priorities: raw, conntrack, mangle, destination NAT, filter, source NAT,
 * and last the entering of new connections.  A table that has nothing but accepting policies is not there at
 * all, so that looking at the tables (which makes them) costs nothing afterwards; connections are tracked and
 * translated as long as some rule asks for it, as in Linux.
 */
#include <errno.h>
#include <netinet/in.h>
#include "platform/base/alloc.h"
#include "netstack/core/rtnl.h"
#include "netstack/ip/ip.h"
#include "netstack/netfilter/legacy.h"
#include "netstack/netfilter/nf_int.h"
#include "netstack/netfilter/nft.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"

#define PRIO_CT      (-200)
#define PRIO_DSTNAT  (-100)
#define PRIO_SRCNAT  100
#define PRIO_CONFIRM INT32_MAX

void nf_init(struct stack *s)
{
	mutex_init(&s->nf.snap_mu, RANK_LEAF);
	mutex_init(&s->nf.cfg_mu, RANK_STACK);
	mutex_init(&s->nf.ct.mu, RANK_STACK);
	list_init(&s->nf.tables);
}

/* ---- snapshots ---- */

static void snap_unref(struct nf_snap *n)
{
	if (!n || !ref_put(&n->ref))
		return;
	for (int f = 0; f < 2; f++)
		for (int h = 0; h < NF_HOOKS; h++) {
			struct nf_hooklist *l = &n->h[f][h];

			for (u32 i = 0; i < l->n; i++)
				nf_prog_unref(l->stage[i].prog);
			for (u32 i = 0; i < l->nnat; i++)
				nf_prog_unref(l->nat[i]);
			kfree(l->stage);
			kfree(l->nat);
		}
	kfree(n);
}

static struct nf_snap *snap_get(struct stack *s)
{
	struct nf_snap *n;

	mutex_lock(&s->nf.snap_mu);
	n = s->nf.snap;
	if (n)
		ref_get(&n->ref);
	mutex_unlock(&s->nf.snap_mu);
	return n;
}

struct nf_build {
	struct nf_snap *snap;
	s32 nat_prio[2][NF_HOOKS][NF_SNAP_MAX];
	bool ct[2], nat[2];
};

static int add_stage(struct nf_hooklist *l, s32 prio, enum nf_stage kind, struct nf_prog *g)
{
	u32 i;

	if (!l->stage)
		l->stage = kbuf_array(NF_SNAP_MAX, sizeof(*l->stage));
	if (!l->stage)
		return -ENOMEM;
	if (l->n == NF_SNAP_MAX)
		return -ENOSPC;
	for (i = l->n++; i && l->stage[i - 1].prio > prio; i--)
		l->stage[i] = l->stage[i - 1];
	l->stage[i] = (struct nf_stagent){ prio, kind, g ? nf_prog_ref(g) : NULL };
	return 0;
}

static int add_nat(struct nf_build *b, struct nf_prog *g, enum nf_hook h, s32 prio)
{
	struct nf_hooklist *l = &b->snap->h[g->v6][h];
	s32 *pr = b->nat_prio[g->v6][h];
	u32 i;

	if (!l->nat)
		l->nat = kbuf_array(NF_SNAP_MAX, sizeof(*l->nat));
	if (!l->nat)
		return -ENOMEM;
	if (l->nnat == NF_SNAP_MAX)
		return -ENOSPC;
	for (i = l->nnat++; i && pr[i - 1] > prio; i--) {
		l->nat[i] = l->nat[i - 1];
		pr[i] = pr[i - 1];
	}
	l->nat[i] = nf_prog_ref(g);
	pr[i] = prio;
	return 0;
}

int nf_build_add(struct nf_build *b, struct nf_prog *g, enum nf_hook h, s32 prio, bool nat)
{
	b->ct[g->v6] |= g->needs_ct || nat;
	b->nat[g->v6] |= nat;
	return nat ? add_nat(b, g, h, prio) : add_stage(&b->snap->h[g->v6][h], prio, NF_S_CHAIN, g);
}

/* What conntrack and NAT need of the hooks. */
static int add_ct(struct nf_build *b, int f)
{
	struct nf_hooklist *h = b->snap->h[f];
	int r = add_stage(&h[NF_PRE], PRIO_CT, NF_S_CT, NULL);

	if (r == 0)
		r = add_stage(&h[NF_OUT], PRIO_CT, NF_S_CT, NULL);
	if (r == 0)
		r = add_stage(&h[NF_IN], PRIO_CONFIRM, NF_S_CONFIRM, NULL);
	if (r == 0)
		r = add_stage(&h[NF_POST], PRIO_CONFIRM, NF_S_CONFIRM, NULL);
	if (r < 0 || !b->nat[f])
		return r;
	r = add_stage(&h[NF_PRE], PRIO_DSTNAT, NF_S_NAT, NULL);
	if (r == 0)
		r = add_stage(&h[NF_OUT], PRIO_DSTNAT, NF_S_NAT, NULL);
	if (r == 0)
		r = add_stage(&h[NF_IN], PRIO_SRCNAT, NF_S_NAT, NULL);
	if (r == 0)
		r = add_stage(&h[NF_POST], PRIO_SRCNAT, NF_S_NAT, NULL);
	return r;
}

static void publish(struct stack *s, struct nf_snap *n, u32 mask)
{
	struct nf_snap *old;

	mutex_lock(&s->nf.snap_mu);
	old = s->nf.snap;
	s->nf.snap = n;
	atomic_store(&s->nf.mask, mask);
	mutex_unlock(&s->nf.snap_mu);
	snap_unref(old);
}

int nf_rebuild(struct stack *s)
{
	struct nf_build *b = knew(struct nf_build);
	u32 mask = 0;
	int r = -ENOMEM;

	if (!b)
		return r;
	b->snap = knew(struct nf_snap);
	if (!b->snap)
		goto out;
	ref_init(&b->snap->ref);
	r = nf_legacy_stages(s, b);
	if (r == 0)
		r = nft_stages(s, b);
	for (int f = 0; f < 2 && r == 0; f++) {
		if (b->ct[f]) {
			r = nfct_init(s);
			if (r == 0)
				r = add_ct(b, f);
		}
		for (int h = 0; h < NF_HOOKS; h++)
			if (b->snap->h[f][h].n)
				mask |= 1u << (h + NF_HOOKS * f);
	}
	if (r < 0)
		snap_unref(b->snap);
	else
		publish(s, b->snap, mask);
out:
	kfree(b);
	return r;
}

void nf_done(struct stack *s)
{
	publish(s, NULL, 0);
	nf_legacy_done(s);
	nft_free(s->nf.nft);
	s->nf.nft = NULL;
	nfct_done(s);
}

/* ---- a packet ---- */

static enum nf_verdict stage(struct nf_pkt *k, const struct nf_hooklist *l, const struct nf_stagent *g)
{
	switch (g->kind) {
	case NF_S_CT:
		nfct_in(k->s, k->p, k->hook == NF_PRE);
		return NF_V_ACCEPT;
	case NF_S_NAT:
		return nat_packet(k, l);
	case NF_S_CONFIRM:
		return nfct_confirm(k->s, k->p) ? NF_V_ACCEPT : NF_V_DROP;
	default:
		return nf_run(g->prog, k->hook, k);
	}
}

static bool run_hook(struct nf_pkt *k)
{
	struct nf_snap *n = snap_get(k->s);
	const struct nf_hooklist *l;
	bool ok = true;

	if (!n)
		return true;
	l = &n->h[k->v6][k->hook];
	for (u32 i = 0; ok && i < l->n; i++)
		ok = stage(k, l, &l->stage[i]) != NF_V_DROP;
	snap_unref(n);
	return ok;
}

bool nf_pass(struct stack *s, enum nf_hook h, struct nic *in, struct nic *out, struct pktbuf *p)
{
	struct nf_pkt k = { .s = s, .p = p, .in = in, .out = out, .hook = (u8)h, .v6 = !ip_is4(&p->dst) };

	if (!k.v6 && p->len >= IP4_HLEN) {
		u8 off[2];

		pkt_copy(p, 6, off, 2);
		k.frag = get_be16(off) & IP4_OFFMASK;
	} else if (k.v6) {
		k.frag = p->proto == IP6_NH_FRAGMENT;
	}
	if (run_hook(&k)) {
		if (h == NF_IN)
			nfct_forget(p);
		return true;
	}
	pkt_free(p);
	return false;
}

/* ---- our own packets ---- */

static void push_header(struct pktbuf *p, const struct ip_tx *t)
{
	struct ip4_hdr h = { .tos = t->tos, .ttl = t->ttl, .proto = t->proto, .hlen = IP4_HLEN };
	struct ip6_hdr h6 = { .tclass = t->tos, .nh = t->proto, .hlim = t->ttl, .flow = t->flowlabel };

	if (ip_is4(&t->dst)) {
		h.len = (u16)(p->len + IP4_HLEN);
		h.frag = t->df ? IP4_DF : 0;
		memcpy(h.src, t->src.b + 12, 4);
		memcpy(h.dst, t->dst.b + 12, 4);
		ip4_emit(pkt_push(p, IP4_HLEN), &h);
		p->l4_off = IP4_HLEN;
	} else {
		h6.plen = (u16)p->len;
		memcpy(h6.src, t->src.b, 16);
		memcpy(h6.dst, t->dst.b, 16);
		ip6_emit(pkt_push(p, IP6_HLEN), &h6);
		p->l4_off = IP6_HLEN;
	}
	p->src = t->src;
	p->dst = t->dst;
	p->proto = t->proto;
	p->ttl = t->ttl;
	p->tos = t->tos;
}

/* OUTPUT, another route if that changed the destination, POSTROUTING. */
static int local_out(struct stack *s, struct rt *rt, struct pktbuf *p)
{
	struct nf_pkt k = { .s = s, .p = p, .out = rt->nic, .hook = NF_OUT, .v6 = !ip_is4(&p->dst) };
	struct ipaddr was = p->dst;
	int r;

	if (nf_on(&s->nf, k.v6, NF_OUT) && !run_hook(&k))
		return -EPERM;
	if (!ip_eq(&was, &p->dst)) {
		r = rt_lookup(s, &p->dst, &p->src, 0, RT_NO_SRC_CHECK, rt);
		if (r < 0)
			return r;
		k.out = rt->nic;
	}
	k.hook = NF_POST;
	return !nf_on(&s->nf, k.v6, NF_POST) || run_hook(&k) ? 0 : -EPERM;
}

int nf_output(struct stack *s, struct rt *rt, struct pktbuf *p, struct ip_tx *t)
{
	u32 hl = ip_is4(&t->dst) ? IP4_HLEN : IP6_HLEN;
	int r;

	if (p->len + hl > 65535)
		return 0;               /* too long, which the caller tells */
	push_header(p, t);
	r = local_out(s, rt, p);
	if (r < 0) {
		/* For a stream a packet that is not let through is a loss like any other. */
		r = t->proto == IPPROTO_TCP ? -ENOBUFS : r;
		pkt_free(p);
		return r;
	}
	pkt_pull(p, hl);
	t->src = p->src;
	t->dst = p->dst;
	t->tos = p->tos;
	t->ttl = p->ttl;
	return 0;
}

int nf_output_raw(struct stack *s, struct rt *rt, struct pktbuf *p)
{
	struct ip4_hdr h;
	int r;

	if (!pkt_may_pull(p, IP4_HLEN) || ip4_parse(pkt_data(p), p->len, &h) < 0) {
		pkt_free(p);
		return -EINVAL;
	}
	p->src = ip_from4(h.src);
	p->dst = ip_from4(h.dst);
	p->proto = h.proto;
	p->tos = h.tos;
	p->ttl = h.ttl;
	p->l4_off = h.hlen;
	r = local_out(s, rt, p);
	if (r < 0)
		pkt_free(p);
	return r;
}
