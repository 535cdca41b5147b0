/*
 * nft.c - nf_tables' state and the batches that change it.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include "platform/base/alloc.h"
#include "netstack/netfilter/nft.h"

/* ---- life ---- */

void nft_rule_unref(struct nft_rule *r)
{
	if (!r || !ref_put(&r->ref))
		return;
	kfree(r->blob);
	kfree(r->info);
	kfree(r->udata);
	kfree(r->compat);
	kfree(r);
}

static void chain_free(struct nft_chain *c)
{
	for (u32 i = 0; i < c->n; i++)
		nft_rule_unref(c->rule[i]);
	nft_rule_unref(c->pol);
	kfree(c->rule);
	kfree(c);
}

static void table_free(struct nft_table *t)
{
	struct nft_chain *c, *n;

	list_for_each_safe(c, n, &t->chains, node)
		chain_free(c);
	nf_prog_unref(t->prog);
	kfree(t);
}

void nft_free(struct nft *n)
{
	struct nft_table *t, *x;

	if (!n)
		return;
	list_for_each_safe(t, x, &n->tables, node)
		table_free(t);
	kfree(n);
}

static struct nft *nft_new(void)
{
	struct nft *n = knew(struct nft);

	if (n) {
		list_init(&n->tables);
		n->gen = 1;
		n->next_handle = 1;
	}
	return n;
}

static struct nft_chain *chain_copy(const struct nft_chain *o)
{
	struct nft_chain *c = knew(struct nft_chain);

	if (!c)
		return NULL;
	*c = *o;
	list_init(&c->node);
	c->cap = o->n;
	c->rule = o->n ? kbuf_array(o->n, sizeof(*c->rule)) : NULL;
	if (o->n && !c->rule) {
		kfree(c);
		return NULL;
	}
	if (c->pol)
		ref_get(&c->pol->ref);
	for (u32 i = 0; i < o->n; i++) {
		c->rule[i] = o->rule[i];
		ref_get(&c->rule[i]->ref);
	}
	return c;
}

static struct nft_table *table_copy(const struct nft_table *o)
{
	struct nft_table *t = knew(struct nft_table);
	struct nft_chain *c, *k;

	if (!t)
		return NULL;
	*t = *o;
	list_init(&t->node);
	list_init(&t->chains);
	t->changed = false;
	if (t->prog)
		nf_prog_ref(t->prog);
	list_for_each(c, &o->chains, node) {
		k = chain_copy(c);
		if (!k) {
			table_free(t);
			return NULL;
		}
		list_add_tail(&k->node, &t->chains);
	}
	return t;
}

static struct nft *nft_copy(const struct nft *o)
{
	struct nft *n = nft_new();
	struct nft_table *t, *k;

	if (!n || !o)
		return n;
	n->gen = o->gen;
	n->next_handle = o->next_handle;
	n->ntables = o->ntables;
	n->nchains = o->nchains;
	n->nrules = o->nrules;
	list_for_each(t, &o->tables, node) {
		k = table_copy(t);
		if (!k) {
			nft_free(n);
			return NULL;
		}
		list_add_tail(&k->node, &n->tables);
	}
	return n;
}

/* ---- batches ---- */

int nft_begin(struct stack *s, struct nft_batch **ret)
{
	struct nft_batch *b = knew(struct nft_batch);

	if (!b)
		return -ENOMEM;
	b->s = s;
	mutex_lock(&s->nf.cfg_mu);
	b->n = nft_copy(s->nf.nft);
	mutex_unlock(&s->nf.cfg_mu);
	if (!b->n) {
		kfree(b);
		return -ENOMEM;
	}
	*ret = b;
	return 0;
}

void nft_abort(struct nft_batch *b)
{
	if (!b)
		return;
	nft_free(b->n);
	kfree(b);
}

static int compile_changed(struct nft_batch *b)
{
	struct nft_table *t;
	struct nf_prog *g;
	int r;

	list_for_each(t, &b->n->tables, node) {
		if (!t->changed)
			continue;
		r = nft_compile(b->s, t, &g);
		if (r < 0)
			return r;
		nf_prog_unref(t->prog);
		t->prog = g;
	}
	return 0;
}

int nft_commit(struct nft_batch *b)
{
	struct stack *s = b->s;
	struct nft *old;
	int r = compile_changed(b);

	if (r == 0) {
		mutex_lock(&s->nf.cfg_mu);
		old = s->nf.nft;
		if (old ? old->gen != b->n->gen : b->n->gen != 1) {
			r = -ERESTART;          /* somebody was faster */
		} else {
			b->n->gen++;
			s->nf.nft = b->n;
			r = nf_rebuild(s);
			if (r < 0)
				s->nf.nft = old;
			else
				b->n = old;
		}
		mutex_unlock(&s->nf.cfg_mu);
	}
	nft_abort(b);
	return r;
}

int nft_stages(struct stack *s, struct nf_build *b)
{
	struct nft_table *t;
	struct nft_chain *c;
	int r = 0;

	if (!s->nf.nft)
		return 0;
	list_for_each(t, &s->nf.nft->tables, node) {
		if (!t->prog || t->prog->trivial)
			continue;
		list_for_each(c, &t->chains, node)
			if (c->base && r == 0)
				r = nf_build_add(b, t->prog, (enum nf_hook)c->hook, c->prio, c->nat);
	}
	return r;
}

/* ---- finding ---- */

static struct nft_table *table_find(struct nft *n, u8 family, const char *name)
{
	struct nft_table *t;

	list_for_each(t, &n->tables, node)
		if (t->family == family && strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

struct nft_chain *nft_chain_find(struct nft_table *t, const char *name)
{
	struct nft_chain *c;

	list_for_each(c, &t->chains, node)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static u64 get64(const u8 *v) { return (u64)get_be32(v) << 32 | get_be32(v + 4); }

/* What a message names. */
struct change {
	struct nft_batch *b;
	struct nft *n;
	u8 family;
	u16 flags;
	const u8 *p;
	u32 len;
	struct nft_table *t;
	struct nft_chain *c;
};

static int find_table(struct change *x, u16 attr)
{
	char name[NFT_NAME];

	if (!nft_attr_str(x->p, x->len, attr, name, sizeof(name)))
		return -EINVAL;
	x->t = table_find(x->n, x->family, name);
	return x->t ? 0 : -ENOENT;
}

/* ---- tables ---- */

static int new_table(struct change *x)
{
	struct nft_table *t;
	int r = find_table(x, NFTA_TABLE_NAME);

	if (r != -ENOENT)
		return r < 0 ? r : x->flags & NLM_F_EXCL ? -EEXIST : 0;
	if (x->n->ntables >= NFT_TABLES)
		return -ENOSPC;
	t = knew(struct nft_table);
	if (!t)
		return -ENOMEM;
	list_init(&t->chains);
	t->family = x->family;
	t->handle = x->n->next_handle++;
	t->changed = true;
	if (!nft_attr_str(x->p, x->len, NFTA_TABLE_NAME, t->name, sizeof(t->name))) {
		kfree(t);
		return -EINVAL;
	}
	list_add_tail(&t->node, &x->n->tables);
	x->n->ntables++;
	return 0;
}

static void drop_chain(struct change *x, struct nft_chain *c)
{
	x->n->nrules -= c->n;
	x->n->nchains--;
	list_del_init(&c->node);
	chain_free(c);
}

static void drop_table(struct change *x, struct nft_table *t)
{
	struct nft_chain *c, *n;

	list_for_each_safe(c, n, &t->chains, node)
		drop_chain(x, c);
	list_del_init(&t->node);
	x->n->ntables--;
	table_free(t);
}

static int del_table(struct change *x)
{
	struct nft_table *t, *n;
	int r;

	if (nft_attr(x->p, x->len, NFTA_TABLE_NAME, 1, NULL)) {
		r = find_table(x, NFTA_TABLE_NAME);
		if (r == 0)
			drop_table(x, x->t);
		return r;
	}
	list_for_each_safe(t, n, &x->n->tables, node)
		if (x->family == AF_UNSPEC || t->family == x->family)
			drop_table(x, t);
	return 0;
}

/* ---- chains ---- */

static int base_of(struct change *x, struct nft_chain *c)
{
	struct nft_chain *o;
	u32 nl;
	const u8 *nest = nft_attr(x->p, x->len, NFTA_CHAIN_HOOK, 4, &nl), *num, *prio;

	if (!nest)
		return 0;
	num = nft_attr(nest, nl, NFTA_HOOK_HOOKNUM, 4, NULL);
	prio = nft_attr(nest, nl, NFTA_HOOK_PRIORITY, 4, NULL);
	if (!num || !prio || get_be32(num) >= NF_HOOKS)
		return -EINVAL;
	c->base = true;
	c->hook = get_be32(num);
	c->prio = (s32)get_be32(prio);
	if (!nft_attr_str(x->p, x->len, NFTA_CHAIN_TYPE, c->type, sizeof(c->type)))
		memcpy(c->type, "filter", sizeof("filter"));
	c->nat = strcmp(c->type, "nat") == 0;
	if (!c->nat && strcmp(c->type, "filter") != 0 && strcmp(c->type, "route") != 0)
		return -ENOENT;
	if (c->nat && c->hook == NF_FWD)
		return -EOPNOTSUPP;
	/* A program has one chain at a hook. */
	list_for_each(o, &x->t->chains, node)
		if (o->base && o->hook == c->hook)
			return -EOPNOTSUPP;
	c->policy = NF_ACCEPT;
	return 0;
}

static int set_chain(struct change *x, struct nft_chain *c)
{
	u32 nl;
	const u8 *policy = nft_attr(x->p, x->len, NFTA_CHAIN_POLICY, 4, NULL);
	const u8 *nest = nft_attr(x->p, x->len, NFTA_CHAIN_COUNTERS, 8, &nl), *b, *k;

	if (policy) {
		if (!c->base)
			return -EOPNOTSUPP;
		if (get_be32(policy) > NF_ACCEPT)
			return -EINVAL;
		c->policy = get_be32(policy);
	}
	if (nest) {
		b = nft_attr(nest, nl, NFTA_COUNTER_BYTES, 8, NULL);
		k = nft_attr(nest, nl, NFTA_COUNTER_PACKETS, 8, NULL);
		if (!b || !k || !c->base)
			return -EINVAL;
		nft_rule_unref(c->pol);
		c->pol = knew(struct nft_rule);
		if (!c->pol)
			return -ENOMEM;
		ref_init(&c->pol->ref);
		c->pol->counter.bytes = get64(b);
		c->pol->counter.packets = get64(k);
	}
	return 0;
}

static int find_chain(struct change *x, u16 attr)
{
	char name[NFT_NAME];

	if (!nft_attr_str(x->p, x->len, attr, name, sizeof(name)))
		return -EINVAL;
	x->c = nft_chain_find(x->t, name);
	return x->c ? 0 : -ENOENT;
}

static struct nft_chain *chain_by_handle(struct nft_table *t, const u8 *h)
{
	struct nft_chain *c;

	list_for_each(c, &t->chains, node)
		if (c->handle == get64(h))
			return c;
	return NULL;
}

static bool jumped_to(struct change *x, const struct nft_chain *to)
{
	struct nft_chain *c;

	list_for_each(c, &x->t->chains, node)
		for (u32 i = 0; i < c->n; i++)
			if (nft_rule_names(c->rule[i], to->name))
				return true;
	return false;
}

static int rename_chain(struct change *x, struct nft_chain *c, const char *name)
{
	if (c->base || nft_chain_find(x->t, name))
		return -EEXIST;
	if (jumped_to(x, c))
		return -EOPNOTSUPP;     /* rules keep the name they were sent with */
	memcpy(c->name, name, sizeof(c->name));
	return 0;
}

static int new_chain(struct change *x)
{
	const u8 *h = nft_attr(x->p, x->len, NFTA_CHAIN_HANDLE, 8, NULL);
	struct nft_chain *c;
	char name[NFT_NAME];
	int r = find_table(x, NFTA_CHAIN_TABLE);

	if (r < 0)
		return r;
	x->t->changed = true;
	if (h) {
		c = chain_by_handle(x->t, h);
		if (!c)
			return -ENOENT;
		if (nft_attr_str(x->p, x->len, NFTA_CHAIN_NAME, name, sizeof(name)) && strcmp(name, c->name) != 0)
			return rename_chain(x, c, name);
		return set_chain(x, c);
	}
	r = find_chain(x, NFTA_CHAIN_NAME);
	if (r == 0)
		return x->flags & NLM_F_EXCL ? -EEXIST : x->flags & NLM_F_REPLACE ? -EOPNOTSUPP : set_chain(x, x->c);
	if (r != -ENOENT)
		return r;
	if (x->n->nchains >= NFT_CHAINS)
		return -ENOSPC;
	c = knew(struct nft_chain);
	if (!c)
		return -ENOMEM;
	if (!nft_attr_str(x->p, x->len, NFTA_CHAIN_NAME, c->name, sizeof(c->name)))
		r = -EINVAL;
	else
		r = base_of(x, c);
	if (r == 0)
		r = set_chain(x, c);
	if (r < 0) {
		chain_free(c);
		return r;
	}
	c->handle = x->n->next_handle++;
	list_add_tail(&c->node, &x->t->chains);
	x->n->nchains++;
	return 0;
}

static int del_chain(struct change *x)
{
	const u8 *h = nft_attr(x->p, x->len, NFTA_CHAIN_HANDLE, 8, NULL);
	int r = find_table(x, NFTA_CHAIN_TABLE);

	if (r < 0)
		return r;
	x->t->changed = true;
	if (h)
		x->c = chain_by_handle(x->t, h);
	else
		r = find_chain(x, NFTA_CHAIN_NAME);
	if (r < 0 || !x->c)
		return r < 0 ? r : -ENOENT;
	if (((x->flags & NLM_F_NONREC) && x->c->n) || jumped_to(x, x->c))
		return -EBUSY;
	drop_chain(x, x->c);
	return 0;
}

/* ---- rules ---- */

static int keep(u8 **to, u32 *to_len, const struct change *x, u16 attr, u32 max)
{
	u32 n = 0;
	const u8 *v = nft_attr(x->p, x->len, attr, 1, &n);

	if (!v)
		return 0;
	if (n > max)
		return -EINVAL;
	*to = kbuf_alloc(n);
	if (!*to)
		return -ENOMEM;
	memcpy(*to, v, n);
	*to_len = n;
	return 0;
}

/* Index of the rule with that handle or, in this batch, id; -ENOENT. */
static int rule_at(const struct nft_chain *c, const u8 *handle, const u8 *id)
{
	for (u32 i = 0; i < c->n; i++)
		if (handle ? c->rule[i]->handle == get64(handle) : c->rule[i]->id && c->rule[i]->id == get_be32(id))
			return (int)i;
	return -ENOENT;
}

static int insert(struct nft_chain *c, u32 at, struct nft_rule *r)
{
	if (c->n == c->cap) {
		struct nft_rule **a = kbuf_realloc(c->rule, (c->cap + 16) * sizeof(*a));

		if (!a)
			return -ENOMEM;
		c->rule = a;
		c->cap += 16;
	}
	memmove(c->rule + at + 1, c->rule + at, (c->n - at) * sizeof(*c->rule));
	c->rule[at] = r;
	c->n++;
	return 0;
}

static void take_out(struct change *x, struct nft_chain *c, u32 at)
{
	nft_rule_unref(c->rule[at]);
	c->n--;
	x->n->nrules--;
	memmove(c->rule + at, c->rule + at + 1, (c->n - at) * sizeof(*c->rule));
}

static int make_rule(struct change *x, struct nft_rule **ret)
{
	u32 n = 0;
	const u8 *e = nft_attr(x->p, x->len, NFTA_RULE_EXPRESSIONS, 0, &n), *id;
	int r = nft_rule_new(e ? e : x->p, e ? n : 0, ret);

	if (r < 0)
		return r;
	r = keep(&(*ret)->udata, &(*ret)->udata_len, x, NFTA_RULE_USERDATA, 256);
	if (r == 0)
		r = keep(&(*ret)->compat, &(*ret)->compat_len, x, NFTA_RULE_COMPAT, 64);
	id = nft_attr(x->p, x->len, NFTA_RULE_ID, 4, NULL);
	(*ret)->id = id ? get_be32(id) : 0;
	(*ret)->handle = x->n->next_handle++;
	if (r < 0)
		nft_rule_unref(*ret);
	return r;
}

/* Where it goes: *ret_at; *ret_old: the one in whose place. */
static int place(struct change *x, u32 *ret_at, int *ret_old)
{
	const u8 *h = nft_attr(x->p, x->len, NFTA_RULE_HANDLE, 8, NULL);
	const u8 *pos = nft_attr(x->p, x->len, NFTA_RULE_POSITION, 8, NULL);
	const u8 *pid = nft_attr(x->p, x->len, NFTA_RULE_POSITION_ID, 4, NULL);
	int at;

	*ret_old = -1;
	if (h) {
		*ret_old = rule_at(x->c, h, NULL);
		if (*ret_old < 0)
			return -ENOENT;
		if (x->flags & NLM_F_EXCL)
			return -EEXIST;
		*ret_at = (u32)*ret_old;
		return x->flags & NLM_F_REPLACE ? 0 : -EOPNOTSUPP;
	}
	if (pos || pid) {
		at = rule_at(x->c, pos, pid);
		if (at < 0)
			return at;
		*ret_at = (u32)at + !!(x->flags & NLM_F_APPEND);
		return 0;
	}
	*ret_at = x->flags & NLM_F_APPEND ? x->c->n : 0;
	return 0;
}

/* No ring below @c? Its rules' jumps, by name. */
static int no_ring(struct nft_table *t, struct nft_chain *c, u32 depth)
{
	struct nft_chain *to;
	char name[NFT_NAME];
	int x = 0;

	if (c->grey)
		return -ELOOP;
	if (c->seen)
		return 0;
	if (depth > NFT_DEPTH)
		return -EMLINK;
	c->grey = true;
	for (u32 i = 0; i < c->n && x == 0; i++)
		for (u32 k = 0; x == 0 && nft_rule_jump(c->rule[i], k, name); k++) {
			to = nft_chain_find(t, name);
			x = to ? no_ring(t, to, depth + 1) : -ENOENT;
		}
	c->grey = false;
	c->seen = true;
	return x;
}

/* A jump that closes a ring is told where it was asked for; what no hook reaches may go round, as in Linux. */
static int check_rule(struct change *x, struct nft_rule *rule)
{
	struct nft_chain *c;
	char name[NFT_NAME];
	int r = nft_check(x->b->s, x->t, x->c, rule);

	if (r < 0 || !nft_rule_jump(rule, 0, name))
		return r;
	list_for_each(c, &x->t->chains, node)
		c->seen = c->grey = false;
	list_for_each(c, &x->t->chains, node)
		if (c->base && r == 0)
			r = no_ring(x->t, c, 0);
	return r;
}

static int new_rule(struct change *x)
{
	struct nft_rule *rule;
	int r = find_table(x, NFTA_RULE_TABLE), old = -1;
	u32 at = 0;

	if (r == 0)
		r = find_chain(x, NFTA_RULE_CHAIN);
	if (r == 0)
		r = place(x, &at, &old);
	if (r < 0)
		return r;
	if (x->n->nrules >= NFT_RULES)
		return -ENOSPC;
	r = make_rule(x, &rule);
	if (r < 0)
		return r;
	r = insert(x->c, at, rule);
	if (r < 0) {
		nft_rule_unref(rule);
		return r;
	}
	x->n->nrules++;
	x->t->changed = true;
	r = check_rule(x, rule);
	if (r < 0)
		take_out(x, x->c, at);
	else if (old >= 0)
		take_out(x, x->c, at + 1);
	return r;
}

static int del_rule(struct change *x)
{
	const u8 *h = nft_attr(x->p, x->len, NFTA_RULE_HANDLE, 8, NULL), *id = nft_attr(x->p, x->len, NFTA_RULE_ID, 4, NULL);
	int r = find_table(x, NFTA_RULE_TABLE), at;

	if (r < 0)
		return r;
	x->t->changed = true;
	if (!nft_attr(x->p, x->len, NFTA_RULE_CHAIN, 1, NULL)) {
		list_for_each(x->c, &x->t->chains, node)
			while (x->c->n)
				take_out(x, x->c, x->c->n - 1);
		return 0;
	}
	r = find_chain(x, NFTA_RULE_CHAIN);
	if (r < 0)
		return r;
	if (!h && !id) {
		while (x->c->n)
			take_out(x, x->c, x->c->n - 1);
		return 0;
	}
	at = rule_at(x->c, h, id);
	if (at < 0)
		return at;
	take_out(x, x->c, (u32)at);
	return 0;
}

int nft_change(struct nft_batch *b, u8 family, u16 msg, u16 flags, const void *attrs, size_t len)
{
	struct change x = { .b = b, .n = b->n, .family = family, .flags = flags, .p = attrs, .len = (u32)len };

	if (family != AF_INET && family != AF_INET6 && !(msg == NFT_MSG_DELTABLE && family == AF_UNSPEC))
		return -EOPNOTSUPP;
	switch (msg) {
	case NFT_MSG_NEWTABLE: return new_table(&x);
	case NFT_MSG_DELTABLE: return del_table(&x);
	case NFT_MSG_NEWCHAIN: return new_chain(&x);
	case NFT_MSG_DELCHAIN: return del_chain(&x);
	case NFT_MSG_NEWRULE: return new_rule(&x);
	case NFT_MSG_DELRULE: return del_rule(&x);
	default: return -EOPNOTSUPP;
	}
}
