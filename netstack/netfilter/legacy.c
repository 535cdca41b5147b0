/*
 * legacy.c - iptables' socket options: what a table is, replacing it, its counters, which extensions there are.
 *
 * A new table is parsed without a lock and exchanged under nf->cfg_mu, where it is all or nothing.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include "platform/base/alloc.h"
#include "netstack/netfilter/legacy.h"

#define H(h) (1u << NF_##h)
static const struct nf_tabdef defs[] = {
	{ "filter",   H(IN) | H(FWD) | H(OUT), 0, false },
	{ "nat",      H(PRE) | H(IN) | H(OUT) | H(POST), 0, true },
	{ "mangle",   H(PRE) | H(IN) | H(FWD) | H(OUT) | H(POST), -150, false },
	{ "raw",      H(PRE) | H(OUT), -300, false },
	{ "security", H(IN) | H(FWD) | H(OUT), 50, false },
};

static const struct nf_tabdef *def_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++)
		if (strcmp(defs[i].name, name) == 0)
			return &defs[i];
	return NULL;
}

static struct nf_table *find_locked(struct stack *s, bool v6, const char *name)
{
	struct nf_table *t;

	list_for_each(t, &s->nf.tables, node)
		if (t->v6 == v6 && strcmp(t->def->name, name) == 0)
			return t;
	return NULL;
}

/* ---- a table nobody has filled ---- */

static void put_entry(u8 *b, bool v6, bool error, u32 size)
{
	const struct ipt_layout *l = &ipt_layout[v6];
	struct xt_standard_target t = { .verdict = -NF_ACCEPT - 1 };
	u16 to = (u16)l->entry, next = (u16)size;

	memcpy(b + l->target_offset, &to, sizeof(to));
	memcpy(b + l->next_offset, &next, sizeof(next));
	t.target.u.user.target_size = (u16)(size - l->entry);
	if (error) {
		t.verdict = 0;
		memcpy(t.target.u.user.name, XT_ERROR_TARGET, sizeof(XT_ERROR_TARGET));
		memcpy(b + to + sizeof(t.target), XT_ERROR_TARGET, sizeof(XT_ERROR_TARGET));
		memcpy(b + to, &t.target, sizeof(t.target));
	} else {
		memcpy(b + to, &t, sizeof(t));
	}
}

static int make_default(struct stack *s, bool v6, const struct nf_tabdef *def, struct nf_table **ret)
{
	u32 std = ipt_layout[v6].entry + (u32)sizeof(struct xt_standard_target);
	u32 err = ipt_layout[v6].entry + ALIGN_UP((u32)sizeof(struct xt_error_target), 8u), off = 0;
	struct ipt_new n = { .num = (u32)__builtin_popcount(def->hooks) + 1 };
	struct nf_table *t;
	u8 *blob;
	int r;

	n.size = std * (n.num - 1) + err;
	blob = kbuf_alloc(n.size);
	if (!blob)
		return -ENOMEM;
	for (u32 h = 0; h < NF_HOOKS; h++)
		if (def->hooks >> h & 1) {
			put_entry(blob + off, v6, false, std);
			n.hook_entry[h] = n.underflow[h] = off;
			off += std;
		}
	put_entry(blob + off, v6, true, err);
	t = knew(struct nf_table);
	if (!t) {
		kfree(blob);
		return -ENOMEM;
	}
	r = nf_legacy_parse(s, v6, def, &n, blob, &t->prog);
	if (r < 0) {
		kfree(t);
		return r;
	}
	t->def = def;
	t->v6 = v6;
	t->size = n.size;
	t->num = n.num;
	memcpy(t->hook_entry, n.hook_entry, sizeof(n.hook_entry));
	memcpy(t->underflow, n.underflow, sizeof(n.underflow));
	*ret = t;
	return 0;
}

static void table_free(struct nf_table *t)
{
	nf_prog_unref(t->prog);
	kfree(t);
}

/* The table exists from now on.  No lock held. */
static int touch(struct stack *s, bool v6, const char *name)
{
	const struct nf_tabdef *def = def_of(name);
	struct nf_table *t;
	bool there;
	int r;

	if (!def)
		return -ENOENT;
	mutex_lock(&s->nf.cfg_mu);
	there = find_locked(s, v6, name) != NULL;
	mutex_unlock(&s->nf.cfg_mu);
	if (there)
		return 0;
	r = make_default(s, v6, def, &t);
	if (r < 0)
		return r;
	mutex_lock(&s->nf.cfg_mu);
	there = find_locked(s, v6, name) != NULL;
	if (!there)
		list_add_tail(&t->node, &s->nf.tables);
	mutex_unlock(&s->nf.cfg_mu);
	if (there)
		table_free(t);
	return 0;
}

int nf_legacy_stages(struct stack *s, struct nf_build *b)
{
	struct nf_table *t;
	int r = 0;

	list_for_each(t, &s->nf.tables, node)
		for (u32 h = 0; h < NF_HOOKS && r == 0 && !t->prog->trivial; h++)
			if (t->prog->hooks >> h & 1)
				r = nf_build_add(b, t->prog, (enum nf_hook)h, t->def->prio, t->def->nat);
	return r;
}

void nf_legacy_done(struct stack *s)
{
	struct nf_table *t, *n;

	list_for_each_safe(t, n, &s->nf.tables, node) {
		list_del_init(&t->node);
		table_free(t);
	}
}

/* ---- options ---- */

static int get_info(struct stack *s, bool v6, struct ipt_getinfo *i, size_t len)
{
	struct nf_table *t;
	int r;

	if (len != sizeof(*i))
		return -EINVAL;
	i->name[sizeof(i->name) - 1] = 0;
	r = touch(s, v6, i->name);
	if (r < 0)
		return r;
	mutex_lock(&s->nf.cfg_mu);
	t = find_locked(s, v6, i->name);
	if (t) {
		i->valid_hooks = t->def->hooks;
		memcpy(i->hook_entry, t->hook_entry, sizeof(i->hook_entry));
		memcpy(i->underflow, t->underflow, sizeof(i->underflow));
		i->num_entries = t->num;
		i->size = t->size;
	}
	mutex_unlock(&s->nf.cfg_mu);
	return t ? 0 : -ENOENT;
}

static struct xt_counters counter_at(const struct nf_prog *g, u32 i)
{
	return (struct xt_counters){ atomic_load(&g->counter[i].packets), atomic_load(&g->counter[i].bytes) };
}

static int get_entries(struct stack *s, bool v6, struct ipt_get_entries *g, size_t len)
{
	const struct ipt_layout *l = &ipt_layout[v6];
	u8 *b = (u8 *)g + offsetof(struct ipt_get_entries, entrytable);
	struct nf_table *t;
	int r;

	if (len < sizeof(*g) || len != sizeof(*g) + (size_t)g->size)
		return -EINVAL;
	g->name[sizeof(g->name) - 1] = 0;
	r = touch(s, v6, g->name);
	if (r < 0)
		return r;
	mutex_lock(&s->nf.cfg_mu);
	t = find_locked(s, v6, g->name);
	if (!t || t->size != g->size) {
		r = t ? -EAGAIN : -ENOENT;
	} else {
		u32 off = 0;
		u16 next;

		memcpy(b, t->prog->blob, t->size);
		for (u32 i = 0; i < t->num; i++, off += next) {
			struct xt_counters c = counter_at(t->prog, i);

			memcpy(b + off + l->counters, &c, sizeof(c));
			memcpy(&next, b + off + l->next_offset, sizeof(next));
		}
	}
	mutex_unlock(&s->nf.cfg_mu);
	return r;
}

static int get_revision(bool v6, bool target, struct xt_get_revision *x, size_t len)
{
	int r;

	if (len != sizeof(*x))
		return -EINVAL;
	x->name[sizeof(x->name) - 1] = 0;
	if (target && (strcmp(x->name, XT_STANDARD_TARGET) == 0 || strcmp(x->name, XT_ERROR_TARGET) == 0))
		return x->revision ? -EPROTONOSUPPORT : 0;
	r = xt_revision(v6, target, x->name, x->revision);
	return r < 0 ? r : 0;
}

int nf_getsockopt(struct stack *s, bool v6, int opt, void *val, size_t len)
{
	if (opt == IPT_SO_GET_INFO)
		return get_info(s, v6, val, len);
	if (opt == IPT_SO_GET_ENTRIES)
		return get_entries(s, v6, val, len);
	if (opt == (v6 ? IP6T_SO_GET_REVISION_MATCH : IPT_SO_GET_REVISION_MATCH))
		return get_revision(v6, false, val, len);
	if (opt == (v6 ? IP6T_SO_GET_REVISION_TARGET : IPT_SO_GET_REVISION_TARGET))
		return get_revision(v6, true, val, len);
	return -ENOPROTOOPT;
}

/* The exchange; what was in force comes back in *g, its counters in *ret_old. cfg_mu held. */
static int swap_locked(struct stack *s, struct nf_table *t, const struct ipt_new *n, u32 num_counters,
		       struct nf_prog **g, struct xt_counters **ret_old)
{
	struct nf_prog *old = t->prog;
	int r;

	if (num_counters != t->num)
		return -EAGAIN;
	*ret_old = kbuf_array(t->num, sizeof(**ret_old));
	if (!*ret_old)
		return -ENOMEM;
	t->prog = *g;
	r = nf_rebuild(s);
	if (r < 0) {
		t->prog = old;
		return r;
	}
	*g = old;
	for (u32 i = 0; i < t->num; i++)
		(*ret_old)[i] = counter_at(old, i);
	t->size = n->size;
	t->num = n->num;
	memcpy(t->hook_entry, n->hook_entry, sizeof(n->hook_entry));
	memcpy(t->underflow, n->underflow, sizeof(n->underflow));
	return 0;
}

static int replace(struct stack *s, bool v6, const void *val, size_t len, struct nf_old_counters *ret)
{
	struct xt_counters *old = NULL;
	struct ipt_replace h;
	struct nf_prog *g = NULL;
	struct nf_table *t;
	struct ipt_new n;
	u8 *blob;
	int r;

	if (len < sizeof(h))
		return -EINVAL;
	memcpy(&h, val, sizeof(h));
	if (h.num_counters >= INT32_MAX / sizeof(struct xt_counters) || h.size > NF_BLOB_MAX)
		return -ENOMEM;
	if (h.num_counters == 0 || len - sizeof(h) < h.size || h.size == 0)
		return -EINVAL;
	h.name[sizeof(h.name) - 1] = 0;
	r = touch(s, v6, h.name);
	if (r < 0)
		return r;
	if (h.valid_hooks != def_of(h.name)->hooks)
		return -EINVAL;
	blob = kbuf_alloc(h.size);
	if (!blob)
		return -ENOMEM;
	memcpy(blob, (const u8 *)val + sizeof(h), h.size);
	n = (struct ipt_new){ .num = h.num_entries, .size = h.size };
	memcpy(n.hook_entry, h.hook_entry, sizeof(n.hook_entry));
	memcpy(n.underflow, h.underflow, sizeof(n.underflow));
	r = nf_legacy_parse(s, v6, def_of(h.name), &n, blob, &g);
	if (r < 0)
		return r;
	mutex_lock(&s->nf.cfg_mu);
	t = find_locked(s, v6, h.name);
	r = t ? swap_locked(s, t, &n, h.num_counters, &g, &old) : -ENOENT;
	mutex_unlock(&s->nf.cfg_mu);
	nf_prog_unref(g);
	if (r < 0) {
		kfree(old);
		return r;
	}
	*ret = (struct nf_old_counters){ old, h.num_counters * sizeof(*old), (u64)(uintptr_t)h.counters };
	return 0;
}

static int add_counters(struct stack *s, bool v6, const void *val, size_t len)
{
	struct xt_counters_info h;
	const struct xt_counters *c = (const void *)((const u8 *)val + sizeof(h));
	struct nf_table *t;
	int r = 0;

	if (len < sizeof(h))
		return -EINVAL;
	memcpy(&h, val, sizeof(h));
	if ((len - sizeof(h)) / sizeof(*c) != h.num_counters || (len - sizeof(h)) % sizeof(*c))
		return -EINVAL;
	h.name[sizeof(h.name) - 1] = 0;
	mutex_lock(&s->nf.cfg_mu);
	t = find_locked(s, v6, h.name);
	if (!t || t->num != h.num_counters)
		r = t ? -EINVAL : -ENOENT;
	for (u32 i = 0; r == 0 && i < t->num; i++) {
		atomic_fetch_add(&t->prog->counter[i].packets, c[i].pcnt);
		atomic_fetch_add(&t->prog->counter[i].bytes, c[i].bcnt);
	}
	mutex_unlock(&s->nf.cfg_mu);
	return r;
}

int nf_setsockopt(struct stack *s, bool v6, int opt, const void *val, size_t len, struct nf_old_counters *ret)
{
	*ret = (struct nf_old_counters){ 0 };
	if (opt == IPT_SO_SET_REPLACE)
		return replace(s, v6, val, len, ret);
	if (opt == IPT_SO_SET_ADD_COUNTERS)
		return add_counters(s, v6, val, len);
	return -ENOPROTOOPT;
}

const char *nf_name(struct stack *s, bool v6, enum nf_names what, unsigned i)
{
	struct nf_table *t;
	const char *name = NULL;

	if (what != NF_NAMES_TABLES)
		return xt_name(v6, what == NF_NAMES_TARGETS, i);
	mutex_lock(&s->nf.cfg_mu);
	list_for_each(t, &s->nf.tables, node)
		if (t->v6 == v6 && i-- == 0) {
			name = t->def->name;
			break;
		}
	mutex_unlock(&s->nf.cfg_mu);
	return name;
}

/* ---- SO_ORIGINAL_DST ---- */

int nf_original_dst(struct ep *e, struct net_sa *ret)
{
	struct nfct_tuple t = { .src = e->laddr, .dst = e->raddr, .sport = e->lport, .dport = e->rport,
				.proto = (u8)e->proto };
	struct nfct *ct;
	int dir = 0;

	if (e->type == SOCK_STREAM)
		t.proto = IPPROTO_TCP;
	if (t.proto != IPPROTO_TCP && t.proto != IPPROTO_SCTP)
		return -ENOPROTOOPT;
	ct = nfct_find(e->stack, &t, &dir);
	if (!ct)
		return -ENOENT;
	*ret = (struct net_sa){ .family = ip_is4(&e->raddr) ? AF_INET : AF_INET6, .ip = ct->side[CT_ORIG].t.dst,
				.port = ct->side[CT_ORIG].t.dport };
	nfct_unref(ct);
	return 0;
}
