/*
 * legacy_parse.c - a blob of iptables entries, checked and made a program.
 *
 * Every byte is hostile.  Sizes and offsets are checked before they are followed: entries and matches fill their
 * places exactly, a jump leads to the head of a chain (what follows an ERROR entry, as iptables lays them out),
 * jumps form no loop, and every rule knows from which hooks it can be reached, which extensions insist on.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include "platform/base/alloc.h"
#include "netstack/netfilter/legacy.h"

#define HEAD sizeof(struct xt_entry_target)     /* and of a match: size, name, revision */

const struct ipt_layout ipt_layout[2] = {
	{ sizeof(struct ipt_entry), offsetof(struct ipt_entry, target_offset), offsetof(struct ipt_entry, next_offset),
	  offsetof(struct ipt_entry, counters) },
	{ sizeof(struct ip6t_entry), offsetof(struct ip6t_entry, target_offset), offsetof(struct ip6t_entry, next_offset),
	  offsetof(struct ip6t_entry, counters) },
};

/* One entry, taken apart. */
struct ent {
	u32 off, to, next;              /* in the blob; to and next from its begin */
	u32 matches;
	u32 hooks;                      /* from where it can be reached */
	s32 verdict;                    /* of a standard target */
	u32 height;                     /* of a chain's head: jumps below it */
	bool standard, error, plain;    /* plain: neither header nor matches ask for anything */
	bool go, grey, headed;
};

struct parse {
	struct stack *s;
	const struct nf_tabdef *def;
	const struct ipt_new *n;
	bool v6;
	u8 *blob;
	struct ent *e;
	struct nf_prog *g;
};

static u16 get16(const u8 *p) { u16 v; memcpy(&v, p, sizeof(v)); return v; }

static bool all_zero(const u8 *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

/* ---- sizes ---- */

static int check_flags(struct parse *q, const u8 *b, struct ent *e)
{
	if (q->v6) {
		const struct ip6t_ip6 *ip = (const struct ip6t_ip6 *)b;

		if ((ip->flags & ~IP6T_F_MASK) || (ip->invflags & ~IP6T_INV_MASK))
			return -EINVAL;
		e->go = ip->flags & IP6T_F_GOTO;
	} else {
		const struct ipt_ip *ip = (const struct ipt_ip *)b;

		if ((ip->flags & ~IPT_F_MASK) || (ip->invflags & ~IPT_INV_MASK))
			return -EINVAL;
		e->go = ip->flags & IPT_F_GOTO;
	}
	return 0;
}

/* Does the header ask for nothing?  A goto flag does not count. */
static bool header_plain(struct parse *q, const u8 *b)
{
	struct ip6t_ip6 ip6;
	struct ipt_ip ip;

	if (q->v6) {
		memcpy(&ip6, b, sizeof(ip6));
		ip6.flags &= (u8)~IP6T_F_GOTO;
		return all_zero((const u8 *)&ip6, sizeof(ip6));
	}
	memcpy(&ip, b, sizeof(ip));
	ip.flags &= (u8)~IPT_F_GOTO;
	return all_zero((const u8 *)&ip, sizeof(ip));
}

static int check_target(struct parse *q, const u8 *b, struct ent *e)
{
	const struct xt_entry_target *t = (const struct xt_entry_target *)(b + e->to);
	u32 size = get16(b + e->to);

	(void)q;
	if (size < HEAD || e->to + size > e->next || t->u.user.name[XT_EXTENSION_MAXNAMELEN - 1])
		return -EINVAL;
	e->standard = t->u.user.name[0] == 0;
	e->error = strcmp(t->u.user.name, XT_ERROR_TARGET) == 0;
	if (e->standard) {
		if (ALIGN_UP(e->to + (u32)sizeof(struct xt_standard_target), 8u) != e->next)
			return -EINVAL;
		memcpy(&e->verdict, b + e->to + offsetof(struct xt_standard_target, verdict), sizeof(s32));
	}
	if (e->error && ALIGN_UP(e->to + (u32)sizeof(struct xt_error_target), 8u) != e->next)
		return -EINVAL;
	return 0;
}

static int check_entry(struct parse *q, u32 off, struct ent *e)
{
	const struct ipt_layout *l = &ipt_layout[q->v6];
	const u8 *b = q->blob + off;
	u32 at;
	int r;

	if (off % 8 || q->n->size - off < l->entry + HEAD)
		return -EINVAL;
	e->off = off;
	e->to = get16(b + l->target_offset);
	e->next = get16(b + l->next_offset);
	if (e->to < l->entry || e->to % 8 || e->next % 8 || e->next > q->n->size - off || e->to + HEAD > e->next)
		return -EINVAL;
	for (at = l->entry; at < e->to; e->matches++) {
		const struct xt_entry_match *m = (const struct xt_entry_match *)(b + at);
		u32 size;

		if (e->to - at < HEAD)
			return -EINVAL;
		size = get16(b + at);
		if (size < HEAD || size % 8 || size > e->to - at || m->u.user.name[XT_EXTENSION_MAXNAMELEN - 1])
			return -EINVAL;
		at += size;
	}
	r = check_flags(q, b, e);
	if (r == 0)
		r = check_target(q, b, e);
	e->plain = e->matches == 0 && header_plain(q, b);
	return r;
}

static int check_entries(struct parse *q, u32 *ret_exprs)
{
	u32 off = 0, i, exprs = 0;
	int r;

	for (i = 0; i < q->n->num; i++) {
		if (off >= q->n->size)
			return -EINVAL;
		r = check_entry(q, off, &q->e[i]);
		if (r < 0)
			return r;
		off += q->e[i].next;
		exprs += q->e[i].matches + 3;
	}
	*ret_exprs = exprs;
	return off == q->n->size && q->e[i - 1].error ? 0 : -EINVAL;
}

/* ---- chains ---- */

/* The entry that begins at @off, or -EINVAL. */
static int index_of(const struct parse *q, u32 off)
{
	u32 lo = 0, hi = q->n->num;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (q->e[mid].off == off)
			return (int)mid;
		if (q->e[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -EINVAL;
}

static bool is_jump(const struct ent *e)
{
	return e->standard && e->verdict >= 0 && (u32)e->verdict != e->off + e->next;
}

/* A jump's destination, or -EINVAL. */
static int destination(const struct parse *q, const struct ent *e)
{
	int t = index_of(q, (u32)e->verdict);

	return t > 0 && q->e[t - 1].error ? t : -EINVAL;
}

/* All that can be reached from the chain at @head, @depth jumps below @hook. */
static int walk(struct parse *q, u32 head, u32 hook, u32 depth)
{
	struct ent *h = &q->e[head];
	u32 height = 0;

	if (h->grey || depth > NF_DEPTH)
		return -ELOOP;
	if (h->headed && (h->hooks >> hook & 1))
		return depth + h->height > NF_DEPTH ? -ELOOP : 0;
	h->grey = true;
	for (u32 i = head; i < q->n->num && !q->e[i].error; i++) {
		struct ent *e = &q->e[i];

		e->hooks |= 1u << hook;
		if (is_jump(e)) {
			int t = destination(q, e), r = t < 0 ? -ELOOP : walk(q, (u32)t, hook, depth + 1);

			if (r < 0)
				return r;
			height = MAX(height, q->e[t].height + 1);
		} else if (e->standard && e->verdict >= 0) {
			continue;
		}
		if (e->standard && e->plain && (e->verdict < 0 || e->go))
			break;
	}
	h->grey = false;
	h->headed = true;
	h->height = MAX(h->height, height);
	return 0;
}

static int find_bases(struct parse *q)
{
	bool trivial = true;

	for (u32 h = 0; h < NF_HOOKS; h++) {
		struct nf_base *b = &q->g->base[h];
		int start, policy, r;

		if (!(q->def->hooks >> h & 1))
			continue;
		start = index_of(q, q->n->hook_entry[h]);
		policy = index_of(q, q->n->underflow[h]);
		if (start < 0 || policy < 0)
			return -EINVAL;
		if (!q->e[policy].standard || !q->e[policy].plain ||
		    (q->e[policy].verdict != -NF_DROP - 1 && q->e[policy].verdict != -NF_ACCEPT - 1))
			return -EINVAL;
		*b = (struct nf_base){ true, (u32)start, (u32)policy };
		q->g->hooks |= 1u << h;
		trivial = trivial && start == policy && q->e[policy].verdict == -NF_ACCEPT - 1;
		r = walk(q, (u32)start, h, 0);
		if (r < 0)
			return r;
		q->e[policy].hooks |= 1u << h;
	}
	q->g->trivial = trivial;
	return 0;
}

/* ---- what the header asks for ---- */

/* Words of 8 bytes: the name of a link is zero-padded. */
static bool name_in(const struct nic *n, const char *want, const u8 *mask)
{
	static const char none[NET_IFNAMSIZ];
	const char *is = n ? n->name : none;

	for (int i = 0; i < NET_IFNAMSIZ; i++)
		if ((u8)(is[i] ^ want[i]) & mask[i])
			return false;
	return true;
}

static bool addr_in(const u8 *is, const void *want, const void *mask, size_t n)
{
	const u8 *w = want, *m = mask;

	for (size_t i = 0; i < n; i++)
		if ((is[i] & m[i]) != w[i])
			return false;
	return true;
}

static enum nf_verdict header4(struct nf_pkt *k, const struct nf_expr *x)
{
	const struct ipt_ip *ip = x->data;
	const struct pktbuf *p = k->p;
	u8 inv = ip->invflags;

	if (addr_in(p->src.b + 12, &ip->src, &ip->smsk, 4) == !!(inv & IPT_INV_SRCIP) ||
	    addr_in(p->dst.b + 12, &ip->dst, &ip->dmsk, 4) == !!(inv & IPT_INV_DSTIP) ||
	    name_in(k->in, ip->iniface, ip->iniface_mask) == !!(inv & IPT_INV_VIA_IN) ||
	    name_in(k->out, ip->outiface, ip->outiface_mask) == !!(inv & IPT_INV_VIA_OUT))
		return NF_V_BREAK;
	if (ip->proto && (p->proto == ip->proto) == !!(inv & IPT_INV_PROTO))
		return NF_V_BREAK;
	if ((ip->flags & IPT_F_FRAG) && k->frag == !!(inv & IPT_INV_FRAG))
		return NF_V_BREAK;
	return NF_V_CONT;
}

static enum nf_verdict header6(struct nf_pkt *k, const struct nf_expr *x)
{
	const struct ip6t_ip6 *ip = x->data;
	const struct pktbuf *p = k->p;
	u8 inv = ip->invflags;

	if (addr_in(p->src.b, &ip->src, &ip->smsk, 16) == !!(inv & IP6T_INV_SRCIP) ||
	    addr_in(p->dst.b, &ip->dst, &ip->dmsk, 16) == !!(inv & IP6T_INV_DSTIP) ||
	    name_in(k->in, ip->iniface, ip->iniface_mask) == !!(inv & IP6T_INV_VIA_IN) ||
	    name_in(k->out, ip->outiface, ip->outiface_mask) == !!(inv & IP6T_INV_VIA_OUT))
		return NF_V_BREAK;
	if ((ip->flags & IP6T_F_PROTO) && ip->proto && (p->proto == ip->proto) == !!(inv & IP6T_INV_PROTO))
		return NF_V_BREAK;
	if ((ip->flags & IP6T_F_TOS) && (p->tos == ip->tos) == !!(inv & IP6T_INV_TOS))
		return NF_V_BREAK;
	return NF_V_CONT;
}

static u16 proto_of(const struct parse *q, const u8 *b)
{
	if (q->v6) {
		const struct ip6t_ip6 *ip = (const struct ip6t_ip6 *)b;

		return ip->flags & IP6T_F_PROTO && !(ip->invflags & IP6T_INV_PROTO) ? ip->proto : 0;
	}
	return ((const struct ipt_ip *)b)->invflags & IPT_INV_PROTO ? 0 : ((const struct ipt_ip *)b)->proto;
}

/* ---- the program ---- */

static struct nf_expr *next_expr(struct nf_prog *g, struct nf_rule *r)
{
	r->n++;
	return &g->expr[g->nexprs++];
}

static int put_verdict(struct parse *q, const struct ent *e, struct nf_expr *x)
{
	int t;

	x->eval = nf_eval_verdict;
	if (e->error)
		x->arg = NF_ARG(NF_V_DROP, 0);
	else if (e->verdict == XT_RETURN)
		x->arg = NF_ARG(NF_V_RETURN, 0);
	else if (e->verdict == -NF_DROP - 1)
		x->arg = NF_ARG(NF_V_DROP, 0);
	else if (e->verdict == -NF_ACCEPT - 1)
		x->arg = NF_ARG(NF_V_ACCEPT, 0);
	else if (e->verdict < 0)
		return -EINVAL;
	else if (!is_jump(e))
		x->arg = NF_ARG(NF_V_CONT, 0);
	else {
		t = destination(q, e);
		if (t < 0)
			return t;
		x->arg = NF_ARG(e->go ? NF_V_GOTO : NF_V_JUMP, t);
	}
	return 0;
}

static int bind_one(struct parse *q, const struct xt_place *w, bool target, const u8 *at, struct nf_rule *rule)
{
	const struct xt_entry_match *m = (const struct xt_entry_match *)at;
	struct nf_expr x = { 0 };
	u32 size = get16(at);
	int r = xt_bind(w, target, m->u.user.name, m->u.user.revision, at + HEAD, size - (u32)HEAD, &x, &q->g->needs_ct);

	if (r < 0) {
		kfree(x.state);
		return r;
	}
	*next_expr(q->g, rule) = x;
	return 0;
}

static int compile_rule(struct parse *q, u32 i)
{
	const struct ipt_layout *l = &ipt_layout[q->v6];
	struct ent *e = &q->e[i];
	const u8 *b = q->blob + e->off;
	struct xt_place w = { .s = q->s, .v6 = q->v6, .table = q->def->name, .hooks = e->hooks,
			      .proto = proto_of(q, b) };
	struct nf_rule *rule = &q->g->rule[i];
	struct nf_expr *x;
	int r;

	rule->first = q->g->nexprs;
	if (!e->plain || !header_plain(q, b)) {
		x = next_expr(q->g, rule);
		x->eval = q->v6 ? header6 : header4;
		x->data = b;
	}
	for (u32 at = l->entry; at < e->to; at += get16(b + at)) {
		r = bind_one(q, &w, false, b + at, rule);
		if (r < 0)
			return r;
	}
	x = next_expr(q->g, rule);
	x->eval = nf_eval_count;
	x->data = &q->g->counter[i];
	if (!e->standard && !e->error)
		return bind_one(q, &w, true, b + e->to, rule);
	return put_verdict(q, e, next_expr(q->g, rule));
}

int nf_legacy_parse(struct stack *s, bool v6, const struct nf_tabdef *def, const struct ipt_new *n, u8 *blob,
		    struct nf_prog **ret)
{
	struct parse q = { .s = s, .def = def, .n = n, .v6 = v6, .blob = blob };
	u32 exprs = 0, i;
	int r = -EINVAL;

	if (n->num == 0 || n->num > n->size / (ipt_layout[v6].entry + HEAD))
		goto out;
	r = -ENOMEM;
	q.e = kbuf_array(n->num, sizeof(*q.e));
	if (!q.e)
		goto out;
	r = check_entries(&q, &exprs);
	if (r < 0)
		goto out;
	r = -ENOMEM;
	q.g = nf_prog_new(n->num, exprs);
	if (!q.g)
		goto out;
	q.g->blob = blob;
	blob = NULL;
	q.g->counter = kbuf_array(n->num, sizeof(*q.g->counter));
	if (!q.g->counter)
		goto out;
	q.g->nrules = n->num;
	q.g->v6 = v6;
	r = find_bases(&q);
	for (i = 0; i < n->num && r == 0; i++)
		r = compile_rule(&q, i);
out:
	kfree(q.e);
	kfree(blob);
	if (r < 0)
		nf_prog_unref(q.g);
	else
		*ret = q.g;
	return r;
}
