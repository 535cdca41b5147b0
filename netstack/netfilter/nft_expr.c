/*
 * nft_expr.c - nf_tables' expressions: from netlink attributes to a program.
 *
 * What iptables-nft emits: payload, meta, cmp, bitwise, range, immediate, counter, limit, and xtables' matches and
 * targets as they are.  Registers are words of nf_pkt.reg; every load and compare is checked to lie inside when the
 * rule is compiled.  Numbers in attributes are big-endian.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include "platform/base/alloc.h"
#include "netstack/netfilter/nft.h"

#define DATA_MAX 64

struct nft_op {
	struct mutex mu;                /* RANK_LEAF: limit */
	u32 reg, dreg, len, off, key;
	bool set, invert;
	u8  cmp;
	u8  a[DATA_MAX], b[DATA_MAX];
	u64 prev, credit, cap, cost;
};

/* ---- attributes ---- */

struct attr { u16 len, type; };

const u8 *nft_attr(const u8 *p, u32 len, u16 type, u32 min, u32 *ret_len)
{
	while (len >= sizeof(struct attr)) {
		struct attr a;
		u32 step;

		memcpy(&a, p, sizeof(a));
		if (a.len < sizeof(a) || a.len > len)
			return NULL;
		if ((a.type & 0x3fff) == type && a.len - sizeof(a) >= min) {
			if (ret_len)
				*ret_len = (u32)(a.len - sizeof(a));
			return p + sizeof(a);
		}
		step = MIN(ALIGN_UP((u32)a.len, 4u), len);
		p += step;
		len -= step;
	}
	return NULL;
}

bool nft_attr_str(const u8 *p, u32 len, u16 type, char *dst, u32 cap)
{
	u32 n = 0;
	const u8 *v = nft_attr(p, len, type, 1, &n);

	if (!v)
		return false;
	n = (u32)strnlen((const char *)v, n);
	if (n == 0 || n >= cap)
		return false;
	memset(dst, 0, cap);
	memcpy(dst, v, n);
	return true;
}

static bool get_u32(const u8 *p, u32 len, u16 type, u32 *ret)
{
	const u8 *v = nft_attr(p, len, type, 4, NULL);

	if (v)
		*ret = get_be32(v);
	return v != NULL;
}

/* A register's first word; @n bytes fit behind it. */
static int reg_of(const u8 *p, u32 len, u16 type, u32 n, u32 *ret)
{
	u32 r;

	if (!get_u32(p, len, type, &r))
		return -EINVAL;
	if (r >= NFT_REG_1 && r <= NFT_REG_4)
		r *= 4;
	else if (r >= NFT_REG32_00 && r <= NFT_REG32_15)
		r = r - NFT_REG32_00 + 4;
	else
		return -EINVAL;
	if (n == 0 || n > DATA_MAX || r * 4 + n > NF_REGS * 4)
		return -ERANGE;
	*ret = r;
	return 0;
}

static int data_of(const u8 *p, u32 len, u16 type, u8 *dst, u32 *ret_n)
{
	u32 nl, n;
	const u8 *nest = nft_attr(p, len, type, 4, &nl), *v;

	v = nest ? nft_attr(nest, nl, NFTA_DATA_VALUE, 1, &n) : NULL;
	if (!v || n > DATA_MAX)
		return -EINVAL;
	memcpy(dst, v, n);
	*ret_n = n;
	return 0;
}

/* ---- evaluation ---- */

static u8 *reg_at(struct nf_pkt *k, u32 r) { return (u8 *)&k->reg[r]; }

static enum nf_verdict cmp_eval(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct nft_op *o = e->state;
	int d = memcmp(reg_at(k, o->reg), o->a, o->len);
	bool ok = o->cmp == NFT_CMP_EQ ? d == 0 : o->cmp == NFT_CMP_NEQ ? d != 0 : o->cmp == NFT_CMP_LT ? d < 0 :
		  o->cmp == NFT_CMP_LTE ? d <= 0 : o->cmp == NFT_CMP_GT ? d > 0 : d >= 0;

	return ok ? NF_V_CONT : NF_V_BREAK;
}

static enum nf_verdict range_eval(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct nft_op *o = e->state;
	bool in = memcmp(reg_at(k, o->reg), o->a, o->len) >= 0 && memcmp(reg_at(k, o->reg), o->b, o->len) <= 0;

	return in != o->invert ? NF_V_CONT : NF_V_BREAK;
}

static enum nf_verdict bitwise_eval(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct nft_op *o = e->state;
	u8 t[DATA_MAX];

	for (u32 i = 0; i < o->len; i++)
		t[i] = (u8)((reg_at(k, o->reg)[i] & o->a[i]) ^ o->b[i]);
	memcpy(reg_at(k, o->dreg), t, o->len);
	return NF_V_CONT;
}

static enum nf_verdict payload_eval(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct nft_op *o = e->state;
	u32 words = (o->len + 3) / 4;

	k->reg[o->dreg + words - 1] = 0;
	if (o->key == NFT_PAYLOAD_NETWORK_HEADER) {
		if (o->off + o->len > k->p->len)
			return NF_V_BREAK;
		pkt_copy(k->p, o->off, reg_at(k, o->dreg), o->len);
	} else if (!nf_l4(k, reg_at(k, o->dreg), o->off, o->len)) {
		return NF_V_BREAK;
	}
	return NF_V_CONT;
}

static enum nf_verdict meta_eval(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct nft_op *o = e->state;
	const struct nic *n = o->key == NFT_META_IIFNAME || o->key == NFT_META_IIF ? k->in : k->out;
	u32 *r = &k->reg[o->dreg];

	if (o->set) {
		k->p->mark = k->reg[o->reg];
		return NF_V_CONT;
	}
	switch (o->key) {
	case NFT_META_LEN: *r = k->p->len; break;
	case NFT_META_MARK: *r = k->p->mark; break;
	case NFT_META_IIF: case NFT_META_OIF:
		*r = n ? n->ifindex : 0;
		break;
	case NFT_META_IIFNAME: case NFT_META_OIFNAME:
		memset(r, 0, NET_IFNAMSIZ);
		if (n)
			memcpy(r, n->name, NET_IFNAMSIZ);
		break;
	case NFT_META_L4PROTO: *r = 0; *(u8 *)r = k->p->proto; break;
	case NFT_META_NFPROTO: *r = 0; *(u8 *)r = k->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4; break;
	default:
		if (!(k->p->flags & PKT_OWNED))
			return NF_V_BREAK;
		*r = o->key == NFT_META_SKUID ? k->p->uid : k->p->gid;
	}
	return NF_V_CONT;
}

static enum nf_verdict limit_eval(struct nf_pkt *k, const struct nf_expr *e)
{
	struct nft_op *o = e->state;
	u64 now, cost = o->set ? o->cost * k->p->len : o->cost;
	bool ok;

	mutex_lock(&o->mu);
	now = stack_now(k->s);          /* with the lock held: time does not go back */
	o->credit = MIN(o->cap, o->credit + (now - o->prev));
	o->prev = now;
	ok = o->credit >= cost;
	if (ok)
		o->credit -= cost;
	mutex_unlock(&o->mu);
	return ok != o->invert ? NF_V_CONT : NF_V_BREAK;
}

static enum nf_verdict load_eval(struct nf_pkt *k, const struct nf_expr *e)
{
	const struct nft_op *o = e->state;

	memcpy(reg_at(k, o->dreg), o->a, o->len);
	return NF_V_CONT;
}

/* ---- from attributes ---- */

struct comp {
	struct stack *s;
	struct nft_table *t;
	struct nft_chain *c;
	struct nft_rule *r;
	struct nf_prog *g;
	u32 info;                       /* how much of r->info is taken */
	u16 proto;
	bool needs_ct;
};

static int op_cmp(const u8 *p, u32 n, struct nft_op *o, struct nf_expr *e)
{
	u32 op;
	int r = data_of(p, n, NFTA_CMP_DATA, o->a, &o->len);

	if (r == 0)
		r = reg_of(p, n, NFTA_CMP_SREG, o->len, &o->reg);
	if (r < 0 || !get_u32(p, n, NFTA_CMP_OP, &op) || op > NFT_CMP_GTE)
		return r < 0 ? r : -EINVAL;
	o->cmp = (u8)op;
	e->eval = cmp_eval;
	return 0;
}

static int op_range(const u8 *p, u32 n, struct nft_op *o, struct nf_expr *e)
{
	u32 op, len;
	int r = data_of(p, n, NFTA_RANGE_FROM_DATA, o->a, &o->len);

	if (r == 0)
		r = data_of(p, n, NFTA_RANGE_TO_DATA, o->b, &len);
	if (r == 0)
		r = reg_of(p, n, NFTA_RANGE_SREG, o->len, &o->reg);
	if (r < 0 || len != o->len || !get_u32(p, n, NFTA_RANGE_OP, &op) || op > NFT_RANGE_NEQ)
		return r < 0 ? r : -EINVAL;
	o->invert = op == NFT_RANGE_NEQ;
	e->eval = range_eval;
	return 0;
}

static int op_bitwise(const u8 *p, u32 n, struct nft_op *o, struct nf_expr *e)
{
	u32 op = NFT_BITWISE_BOOL, a, b, len;
	int r;

	if (!get_u32(p, n, NFTA_BITWISE_LEN, &len) || len > DATA_MAX)
		return -EINVAL;
	(void)!get_u32(p, n, NFTA_BITWISE_OP, &op);
	if (op != NFT_BITWISE_BOOL)
		return -EOPNOTSUPP;
	o->len = len;
	r = data_of(p, n, NFTA_BITWISE_MASK, o->a, &a);
	if (r == 0)
		r = data_of(p, n, NFTA_BITWISE_XOR, o->b, &b);
	if (r == 0 && (a != len || b != len))
		r = -EINVAL;
	if (r == 0)
		r = reg_of(p, n, NFTA_BITWISE_SREG, len, &o->reg);
	if (r == 0)
		r = reg_of(p, n, NFTA_BITWISE_DREG, len, &o->dreg);
	e->eval = bitwise_eval;
	return r;
}

static int op_payload(const u8 *p, u32 n, struct nft_op *o, struct nf_expr *e)
{
	if (nft_attr(p, n, NFTA_PAYLOAD_SREG, 4, NULL))
		return -EOPNOTSUPP;
	if (!get_u32(p, n, NFTA_PAYLOAD_BASE, &o->key) || !get_u32(p, n, NFTA_PAYLOAD_OFFSET, &o->off) ||
	    !get_u32(p, n, NFTA_PAYLOAD_LEN, &o->len) || o->off > 255 || o->len > 16)
		return -EINVAL;
	if (o->key != NFT_PAYLOAD_NETWORK_HEADER && o->key != NFT_PAYLOAD_TRANSPORT_HEADER)
		return -EOPNOTSUPP;
	e->eval = payload_eval;
	return reg_of(p, n, NFTA_PAYLOAD_DREG, ALIGN_UP(o->len, 4u), &o->dreg);
}

static int op_meta(const u8 *p, u32 n, struct nft_op *o, struct nf_expr *e)
{
	if (!get_u32(p, n, NFTA_META_KEY, &o->key))
		return -EINVAL;
	e->eval = meta_eval;
	if (nft_attr(p, n, NFTA_META_SREG, 4, NULL)) {
		o->set = true;
		return o->key == NFT_META_MARK ? reg_of(p, n, NFTA_META_SREG, 4, &o->reg) : -EOPNOTSUPP;
	}
	switch (o->key) {
	case NFT_META_IIFNAME: case NFT_META_OIFNAME:
		return reg_of(p, n, NFTA_META_DREG, NET_IFNAMSIZ, &o->dreg);
	case NFT_META_LEN: case NFT_META_MARK: case NFT_META_IIF: case NFT_META_OIF: case NFT_META_L4PROTO:
	case NFT_META_NFPROTO: case NFT_META_SKUID: case NFT_META_SKGID:
		return reg_of(p, n, NFTA_META_DREG, 4, &o->dreg);
	default:
		return -EOPNOTSUPP;
	}
}

static int op_limit(struct comp *c, const u8 *p, u32 n, struct nft_op *o, struct nf_expr *e)
{
	const u8 *rate = nft_attr(p, n, NFTA_LIMIT_RATE, 8, NULL), *unit = nft_attr(p, n, NFTA_LIMIT_UNIT, 8, NULL);
	u32 burst = 0, type = NFT_LIMIT_PKTS, flags = 0;
	u64 per, secs, whole;

	if (!rate || !unit)
		return -EINVAL;
	per = (u64)get_be32(rate) << 32 | get_be32(rate + 4);
	secs = (u64)get_be32(unit) << 32 | get_be32(unit + 4);
	(void)!get_u32(p, n, NFTA_LIMIT_BURST, &burst);
	(void)!get_u32(p, n, NFTA_LIMIT_TYPE, &type);
	(void)!get_u32(p, n, NFTA_LIMIT_FLAGS, &flags);
	if (!per || !secs || mul_overflows(secs, (u64)1000000000, &whole))
		return -EOVERFLOW;
	if (type > NFT_LIMIT_PKT_BYTES || (flags & ~NFT_LIMIT_F_INV))
		return -EOPNOTSUPP;
	o->set = type == NFT_LIMIT_PKT_BYTES;
	o->cost = MAX(whole / per, 1u);
	if (!burst && !o->set)
		burst = 5;
	o->cap = o->set ? whole : 0;
	if (mul_overflows(o->cost, (u64)burst, &whole) || add_overflows(o->cap, whole, &o->cap))
		return -EOVERFLOW;
	o->invert = flags & NFT_LIMIT_F_INV;
	o->credit = o->cap;
	o->prev = stack_now(c->s);
	mutex_init(&o->mu, RANK_LEAF);
	e->eval = limit_eval;
	return 0;
}

static int op_verdict(struct comp *c, const u8 *v, u32 vl, struct nf_expr *e)
{
	struct nft_chain *to;
	char name[NFT_NAME];
	u32 code;

	if (!get_u32(v, vl, NFTA_VERDICT_CODE, &code))
		return -EINVAL;
	e->eval = nf_eval_verdict;
	switch ((s32)code) {
	case NF_ACCEPT: e->arg = NF_ARG(NF_V_ACCEPT, 0); return 0;
	case NF_DROP: e->arg = NF_ARG(NF_V_DROP, 0); return 0;
	case NFT_CONTINUE: e->arg = NF_ARG(NF_V_CONT, 0); return 0;
	case NFT_BREAK: e->arg = NF_ARG(NF_V_BREAK, 0); return 0;
	case NFT_RETURN: e->arg = NF_ARG(NF_V_RETURN, 0); return 0;
	case NFT_JUMP: case NFT_GOTO:
		break;
	default:
		return -EINVAL;
	}
	to = nft_attr_str(v, vl, NFTA_VERDICT_CHAIN, name, sizeof(name)) ? nft_chain_find(c->t, name) : NULL;
	if (!to)
		return -ENOENT;
	if (to->base)
		return -EOPNOTSUPP;
	e->arg = NF_ARG((s32)code == NFT_GOTO ? NF_V_GOTO : NF_V_JUMP, to->start);
	return 0;
}

static int op_immediate(struct comp *c, const u8 *p, u32 n, struct nft_op *o, struct nf_expr *e)
{
	u32 reg, nl, vl;
	const u8 *nest = nft_attr(p, n, NFTA_IMMEDIATE_DATA, 4, &nl), *v;
	int r;

	if (!nest || !get_u32(p, n, NFTA_IMMEDIATE_DREG, &reg))
		return -EINVAL;
	if (reg == NFT_REG_VERDICT) {
		v = nft_attr(nest, nl, NFTA_DATA_VERDICT, 4, &vl);
		return v ? op_verdict(c, v, vl, e) : -EINVAL;
	}
	r = data_of(p, n, NFTA_IMMEDIATE_DATA, o->a, &o->len);
	e->eval = load_eval;
	return r < 0 ? r : reg_of(p, n, NFTA_IMMEDIATE_DREG, o->len, &o->dreg);
}

static int op_xt(struct comp *c, bool target, const u8 *p, u32 n, struct nf_expr *e)
{
	struct xt_place w = { .s = c->s, .v6 = c->t->family == AF_INET6, .nft = true, .hooks = c->c->hooks,
			      .table = c->c->nat || !c->c->base ? "nat" : "filter", .proto = c->proto };
	u32 rev, len = 0, at = c->info;
	char name[30];

	if (!nft_attr_str(p, n, NFTA_MATCH_NAME, name, sizeof(name)) || !get_u32(p, n, NFTA_MATCH_REV, &rev) || rev > 255)
		return -EINVAL;
	(void)!nft_attr(p, n, NFTA_MATCH_INFO, 0, &len);
	c->info += ALIGN_UP(len, 8u);
	return xt_bind(&w, target, name, (u8)rev, c->r->info + at, len, e, &c->needs_ct);
}

/* One expression of @c->r. */
static int one(struct comp *c, const u8 *elem, u32 len, struct nf_expr *e)
{
	u32 n = 0;
	const u8 *p = nft_attr(elem, len, NFTA_EXPR_DATA, 0, &n);
	struct nft_op *o;
	char name[32];
	int r;

	memset(e, 0, sizeof(*e));
	if (!nft_attr_str(elem, len, NFTA_EXPR_NAME, name, sizeof(name)))
		return -EINVAL;
	if (strcmp(name, "counter") == 0) {
		e->eval = nf_eval_count;
		e->data = &c->r->counter;
		return 0;
	}
	if (!p)
		return -EINVAL;
	if (strcmp(name, "match") == 0 || strcmp(name, "target") == 0)
		return op_xt(c, name[0] == 't', p, n, e);
	o = e->state = knew(struct nft_op);
	if (!o)
		return -ENOMEM;
	if (strcmp(name, "cmp") == 0)
		r = op_cmp(p, n, o, e);
	else if (strcmp(name, "range") == 0)
		r = op_range(p, n, o, e);
	else if (strcmp(name, "bitwise") == 0)
		r = op_bitwise(p, n, o, e);
	else if (strcmp(name, "payload") == 0)
		r = op_payload(p, n, o, e);
	else if (strcmp(name, "meta") == 0)
		r = op_meta(p, n, o, e);
	else if (strcmp(name, "limit") == 0)
		r = op_limit(c, p, n, o, e);
	else if (strcmp(name, "immediate") == 0)
		r = op_immediate(c, p, n, o, e);
	else
		r = -ENOENT;
	return r;
}

/* The next NFTA_LIST_ELEM, or NULL. */
const u8 *nft_next_elem(const u8 **p, u32 *left, u32 *ret_len)
{
	struct attr a;
	const u8 *at = *p;
	u32 step;

	if (*left < sizeof(a))
		return NULL;
	memcpy(&a, at, sizeof(a));
	if (a.len < sizeof(a) || a.len > *left)
		return NULL;
	step = MIN(ALIGN_UP((u32)a.len, 4u), *left);
	*p += step;
	*left -= step;
	*ret_len = (u32)(a.len - sizeof(a));
	return at + sizeof(a);
}

static u16 rule_proto(const struct nft_rule *r)
{
	u32 proto = 0, flags = 0;

	if (!r->compat || !get_u32(r->compat, r->compat_len, NFTA_RULE_COMPAT_PROTO, &proto))
		return 0;
	(void)!get_u32(r->compat, r->compat_len, NFTA_RULE_COMPAT_FLAGS, &flags);
	return flags & NFT_RULE_COMPAT_F_INV ? 0 : (u16)proto;
}

static int add_rule(struct comp *c, struct nft_rule *r, struct nf_rule *to)
{
	const u8 *p = r->blob, *elem;
	u32 left = r->len, len;
	int x;

	c->r = r;
	c->info = 0;
	c->proto = rule_proto(r);
	to->first = c->g->nexprs;
	while ((elem = nft_next_elem(&p, &left, &len))) {
		struct nf_expr *e = &c->g->expr[c->g->nexprs++];

		x = one(c, elem, len, e);
		if (x < 0)
			return x;
		to->n++;
	}
	return 0;
}

int nft_rule_new(const u8 *exprs, u32 len, struct nft_rule **ret)
{
	const u8 *p = exprs, *elem, *data;
	u32 left = len, n, dn, in, at = 0;
	char chain[NFT_NAME];
	struct nft_rule *r;

	if (len > NFT_BLOB_MAX)
		return -EMSGSIZE;
	r = knew(struct nft_rule);
	if (!r)
		return -ENOMEM;
	ref_init(&r->ref);
	r->blob = kbuf_alloc(len + 8);
	r->info = kbuf_alloc(2 * len + 8 * NFT_EXPRS);
	if (!r->blob || !r->info) {
		nft_rule_unref(r);
		return -ENOMEM;
	}
	memcpy(r->blob, exprs, len);
	r->len = len;
	while ((elem = nft_next_elem(&p, &left, &n))) {
		char name[32];

		if (++r->nexprs > NFT_EXPRS || !nft_attr_str(elem, n, NFTA_EXPR_NAME, name, sizeof(name))) {
			nft_rule_unref(r);
			return -EINVAL;
		}
		data = nft_attr(elem, n, NFTA_EXPR_DATA, 0, &dn);
		if (data && strcmp(name, "counter") == 0) {
			const u8 *b = nft_attr(data, dn, NFTA_COUNTER_BYTES, 8, NULL), *k = nft_attr(data, dn, NFTA_COUNTER_PACKETS, 8, NULL);

			r->counted = true;
			if (b && k) {
				r->counter.bytes = (u64)get_be32(b) << 32 | get_be32(b + 4);
				r->counter.packets = (u64)get_be32(k) << 32 | get_be32(k + 4);
			}
		} else if (data && (strcmp(name, "match") == 0 || strcmp(name, "target") == 0)) {
			const u8 *info = nft_attr(data, dn, NFTA_MATCH_INFO, 0, &in);

			if (info) {
				memcpy(r->info + at, info, in);
				at += ALIGN_UP(in, 8u);
			}
		}
	}
	r->info_len = at;
	r->jumps = true;
	if (nft_rule_jump(r, NFT_JUMPS, chain)) {
		nft_rule_unref(r);
		return -EOPNOTSUPP;
	}
	r->jumps = nft_rule_jump(r, 0, chain);
	*ret = r;
	return 0;
}

bool nft_rule_jump(const struct nft_rule *r, u32 i, char name[NFT_NAME])
{
	const u8 *p = r->blob, *elem, *d, *nest, *v;
	u32 left = r->len, n, dn, nl, vl;

	while (r->jumps && (elem = nft_next_elem(&p, &left, &n))) {
		d = nft_attr(elem, n, NFTA_EXPR_DATA, 4, &dn);
		nest = d ? nft_attr(d, dn, NFTA_IMMEDIATE_DATA, 4, &nl) : NULL;
		v = nest ? nft_attr(nest, nl, NFTA_DATA_VERDICT, 4, &vl) : NULL;
		if (v && nft_attr_str(v, vl, NFTA_VERDICT_CHAIN, name, NFT_NAME) && i-- == 0)
			return true;
	}
	return false;
}

bool nft_rule_names(const struct nft_rule *r, const char *chain)
{
	char name[NFT_NAME];

	for (u32 i = 0; nft_rule_jump(r, i, name); i++)
		if (strcmp(name, chain) == 0)
			return true;
	return false;
}

int nft_check(struct stack *s, struct nft_table *t, struct nft_chain *c, struct nft_rule *rule)
{
	struct comp x = { .s = s, .t = t, .c = c, .g = nf_prog_new(1, rule->nexprs) };
	u32 was = c->hooks;
	int r;

	if (!x.g)
		return -ENOMEM;
	if (c->base)
		c->hooks = 1u << c->hook;
	r = add_rule(&x, rule, &x.g->rule[0]);
	c->hooks = was;
	nf_prog_unref(x.g);
	return r;
}

/* ---- a table ---- */

static struct nft_chain *chain_at(struct nft_table *t, u32 start)
{
	struct nft_chain *c;

	list_for_each(c, &t->chains, node)
		if (!c->base && c->start == start)
			return c;
	return NULL;
}

/* Hooks that reach @c and jumps below it; rings and depth. */
static int reach(struct nft_table *t, struct nf_prog *g, struct nft_chain *c, u32 hook, u32 depth)
{
	u32 deepest = 0;

	if (c->grey)
		return -ELOOP;
	if (depth > NFT_DEPTH || (c->seen && depth + c->depth > NFT_DEPTH))
		return -EMLINK;
	if (c->seen && (c->hooks >> hook & 1))
		return 0;
	c->grey = true;
	c->hooks |= 1u << hook;
	for (u32 i = 0; i < c->n; i++) {
		const struct nf_rule *r = &g->rule[c->start + i];

		for (u32 j = r->first; j < r->first + r->n; j++) {
			struct nft_chain *to;
			int x;

			if (g->expr[j].eval != nf_eval_verdict || (g->expr[j].arg & 0xff) < NF_V_JUMP ||
			    (g->expr[j].arg & 0xff) == NF_V_RETURN)
				continue;
			to = chain_at(t, g->expr[j].arg >> 8);
			x = to ? reach(t, g, to, hook, depth + 1) : -ENOENT;
			if (x < 0)
				return x;
			deepest = MAX(deepest, to->depth + 1u);
		}
	}
	c->grey = false;
	c->seen = true;
	c->depth = (u8)MAX(deepest, c->depth);
	return 0;
}

static void hold(struct nf_prog *g, struct nft_rule *r)
{
	ref_get(&r->ref);
	((struct nft_rule **)g->keep)[g->nkeep++] = r;
}

/* What is behind the last rule: the policy, or the way back. */
static void end_chain(struct nf_prog *g, struct nft_chain *c, u32 at)
{
	struct nf_expr *e = &g->expr[g->nexprs];

	g->rule[at] = (struct nf_rule){ g->nexprs++, 1 };
	if (c->pol) {
		*e++ = (struct nf_expr){ .eval = nf_eval_count, .data = &c->pol->counter };
		g->rule[at].n++;
		g->nexprs++;
		hold(g, c->pol);
	}
	*e = (struct nf_expr){ .eval = nf_eval_verdict };
	e->arg = NF_ARG(!c->base ? NF_V_RETURN : c->policy == NF_DROP ? NF_V_DROP : NF_V_ACCEPT, 0);
}

static int compile_once(struct comp *x)
{
	struct nft_table *t = x->t;
	struct nf_prog *g = x->g;
	struct nft_chain *c;
	int r = 0;

	list_for_each(c, &t->chains, node) {
		x->c = c;
		for (u32 i = 0; i < c->n; i++) {
			hold(g, c->rule[i]);
			r = add_rule(x, c->rule[i], &g->rule[c->start + i]);
			if (r < 0)
				return r;
		}
		end_chain(g, c, c->start + c->n);
		if (c->base) {
			g->base[c->hook] = (struct nf_base){ true, c->start, c->start + c->n };
			g->hooks |= 1u << c->hook;
			g->trivial = g->trivial && c->n == 0 && c->policy != NF_DROP;
		}
	}
	list_for_each(c, &t->chains, node)
		if (c->base && r == 0)
			r = reach(t, g, c, c->hook, 0);
	return r;
}

static struct nf_prog *room_for(struct nft_table *t, u32 nrules, u32 nexprs)
{
	struct nf_prog *g = nf_prog_new(nrules, nexprs);

	if (!g)
		return NULL;
	g->nrules = nrules;
	g->v6 = t->family == AF_INET6;
	g->trivial = true;
	g->drop = (void (*)(void *))nft_rule_unref;
	g->keep = kbuf_array(MAX(nrules, 1u), sizeof(void *));
	if (!g->keep) {
		nf_prog_unref(g);
		return NULL;
	}
	return g;
}

/* Twice: where a chain can be reached from, on which extensions insist, is known after the first time. */
int nft_compile(struct stack *s, struct nft_table *t, struct nf_prog **ret)
{
	struct comp x = { .s = s, .t = t };
	u32 nrules = 0, nexprs = 0;
	struct nft_chain *c;
	int r = 0;

	list_for_each(c, &t->chains, node) {
		c->start = nrules;
		nrules += c->n + 1;
		nexprs += 2;
		c->hooks = c->base ? 1u << c->hook : 0;
		c->seen = c->grey = false;
		c->depth = 0;
		for (u32 i = 0; i < c->n; i++)
			nexprs += c->rule[i]->nexprs;
	}
	for (int pass = 0; pass < 2 && r == 0; pass++) {
		nf_prog_unref(x.g);
		x.g = room_for(t, nrules, nexprs);
		r = x.g ? compile_once(&x) : -ENOMEM;
	}
	if (r < 0) {
		nf_prog_unref(x.g);
		return r;
	}
	x.g->needs_ct = x.needs_ct;
	*ret = x.g;
	return 0;
}
