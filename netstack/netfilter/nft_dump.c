/*
 * nft_dump.c - nf_tables' state as netlink attributes.
 *
 * A rule's expressions are told as they were sent, but for the values of its counter.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include "netstack/netfilter/nft.h"

struct out { u8 *p; size_t len, cap; bool full; };

static u8 *put(struct out *o, u16 type, const void *v, size_t n)
{
	size_t all = 4 + n, room = ALIGN_UP(all, (size_t)4);
	u16 h[2] = { (u16)all, type };
	u8 *p = o->p + o->len;

	if (o->full || room > o->cap - o->len) {
		o->full = true;
		return NULL;
	}
	memset(p, 0, room);
	memcpy(p, h, sizeof(h));
	if (n)
		memcpy(p + 4, v, n);
	o->len += room;
	return p;
}

static void put32(struct out *o, u16 type, u32 v) { v = __builtin_bswap32(v); put(o, type, &v, sizeof(v)); }
static void put64(struct out *o, u16 type, u64 v) { v = __builtin_bswap64(v); put(o, type, &v, sizeof(v)); }
static void put_str(struct out *o, u16 type, const char *s) { put(o, type, s, strlen(s) + 1); }

static size_t nest(struct out *o, u16 type)
{
	size_t at = o->len;

	put(o, type | 0x8000, NULL, 0);
	return at;
}

static void nest_end(struct out *o, size_t at)
{
	u16 n = (u16)(o->len - at);

	if (!o->full)
		memcpy(o->p + at, &n, sizeof(n));
}

static void put_table(struct out *o, const struct nft_table *t)
{
	struct nft_chain *c;
	u32 use = 0;

	list_for_each(c, &t->chains, node)
		use++;
	put_str(o, NFTA_TABLE_NAME, t->name);
	put32(o, NFTA_TABLE_FLAGS, t->flags);
	put32(o, NFTA_TABLE_USE, use);
	put64(o, NFTA_TABLE_HANDLE, t->handle);
}

static u32 uses(const struct nft_table *t, const struct nft_chain *to)
{
	struct nft_chain *c;
	u32 n = to->n;

	list_for_each(c, &t->chains, node)
		for (u32 i = 0; !to->base && i < c->n; i++)
			n += nft_rule_names(c->rule[i], to->name);
	return n;
}

static void put_chain(struct out *o, const struct nft_table *t, const struct nft_chain *c)
{
	size_t at;

	put_str(o, NFTA_CHAIN_TABLE, t->name);
	put_str(o, NFTA_CHAIN_NAME, c->name);
	put64(o, NFTA_CHAIN_HANDLE, c->handle);
	if (c->base) {
		at = nest(o, NFTA_CHAIN_HOOK);
		put32(o, NFTA_HOOK_HOOKNUM, c->hook);
		put32(o, NFTA_HOOK_PRIORITY, (u32)c->prio);
		nest_end(o, at);
		put32(o, NFTA_CHAIN_POLICY, c->policy);
		put_str(o, NFTA_CHAIN_TYPE, c->type);
		put32(o, NFTA_CHAIN_FLAGS, 1);
	}
	if (c->pol) {
		at = nest(o, NFTA_CHAIN_COUNTERS);
		put64(o, NFTA_COUNTER_BYTES, atomic_load(&c->pol->counter.bytes));
		put64(o, NFTA_COUNTER_PACKETS, atomic_load(&c->pol->counter.packets));
		nest_end(o, at);
	}
	put32(o, NFTA_CHAIN_USE, uses(t, c));
}

/* The counter's place in a copy of the expressions at @p. */
static void fill_counter(u8 *p, u32 len, const struct nft_rule *r)
{
	u64 bytes = __builtin_bswap64(atomic_load(&r->counter.bytes)), packets = __builtin_bswap64(atomic_load(&r->counter.packets));
	const u8 *elem;
	u32 n, dn;

	while ((elem = nft_next_elem((const u8 **)&p, &len, &n))) {
		char name[32];
		const u8 *d, *b, *k;

		if (!nft_attr_str(elem, n, NFTA_EXPR_NAME, name, sizeof(name)) || strcmp(name, "counter") != 0)
			continue;
		d = nft_attr(elem, n, NFTA_EXPR_DATA, 0, &dn);
		b = d ? nft_attr(d, dn, NFTA_COUNTER_BYTES, 8, NULL) : NULL;
		k = d ? nft_attr(d, dn, NFTA_COUNTER_PACKETS, 8, NULL) : NULL;
		if (b && k) {
			memcpy((u8 *)b, &bytes, 8);
			memcpy((u8 *)k, &packets, 8);
		}
	}
}

static void put_rule(struct out *o, const struct nft_table *t, const struct nft_chain *c, const struct nft_rule *r)
{
	u8 *p;

	put_str(o, NFTA_RULE_TABLE, t->name);
	put_str(o, NFTA_RULE_CHAIN, c->name);
	put64(o, NFTA_RULE_HANDLE, r->handle);
	p = put(o, NFTA_RULE_EXPRESSIONS | 0x8000, r->blob, r->len);
	if (p)
		fill_counter(p + 4, r->len, r);
	if (r->compat)
		put(o, NFTA_RULE_COMPAT | 0x8000, r->compat, r->compat_len);
	if (r->udata)
		put(o, NFTA_RULE_USERDATA, r->udata, r->udata_len);
}

static bool wanted(const struct nft_filter *f, const struct nft_table *t, const struct nft_chain *c)
{
	if ((f->family && f->family != t->family) || (f->table[0] && strcmp(f->table, t->name) != 0))
		return false;
	return !c || !f->chain[0] || strcmp(f->chain, c->name) == 0;
}

/* The @pos-th of its kind; cfg_mu held. */
static bool put_nth(struct stack *s, u16 what, u32 pos, const struct nft_filter *f, struct out *o, u8 *ret_family)
{
	struct nft_table *t;
	struct nft_chain *c;

	list_for_each(t, &s->nf.nft->tables, node) {
		*ret_family = t->family;
		if (what == NFT_MSG_NEWTABLE) {
			if (pos-- == 0) {
				if (wanted(f, t, NULL))
					put_table(o, t);
				return true;
			}
			continue;
		}
		list_for_each(c, &t->chains, node) {
			if (what == NFT_MSG_NEWCHAIN) {
				if (pos-- == 0) {
					if (wanted(f, t, c))
						put_chain(o, t, c);
					return true;
				}
			} else if (pos < c->n) {
				if (wanted(f, t, c))
					put_rule(o, t, c, c->rule[pos]);
				return true;
			} else {
				pos -= c->n;
			}
		}
	}
	return false;
}

ssize_t nft_nth(struct stack *s, u16 what, u32 pos, const struct nft_filter *f, u8 *buf, size_t cap, u8 *ret_family)
{
	struct out o = { .p = buf, .cap = cap };
	bool there;

	mutex_lock(&s->nf.cfg_mu);
	there = s->nf.nft && put_nth(s, what, pos, f, &o, ret_family);
	mutex_unlock(&s->nf.cfg_mu);
	if (!there)
		return -ENOENT;
	return o.full ? -EMSGSIZE : (ssize_t)o.len;
}

u32 nft_generation(struct stack *s)
{
	u32 gen;

	mutex_lock(&s->nf.cfg_mu);
	gen = s->nf.nft ? s->nf.nft->gen : 1;
	mutex_unlock(&s->nf.cfg_mu);
	return gen;
}

int nft_compat(bool v6, bool target, const char *name, u32 rev)
{
	return rev > 255 ? -EPROTONOSUPPORT : xt_revision(v6, target, name, (u8)rev);
}
