/*
 * nf_blob.h - iptables' blobs for tests: chains of rules, laid out as iptables lays them out.
 *
 * blob_begin(), then for each hook of the table blob_hook(), rules, blob_policy(); user chains by blob_chain() and
 * rules behind all hooks; blob_end().  The whole is what SET_REPLACE takes.
 */
#pragma once
#include "tests/unit/net_rig.h"
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#define BLOB_ACCEPT (-NF_ACCEPT - 1)
#define BLOB_DROP   (-NF_DROP - 1)

struct blob {
	bool v6;
	u32 len, at;            /* at: the entry that is open */
	union { struct ipt_replace h; u8 b[8192]; } u;
};

static inline u8 *blob_room(struct blob *x, u32 n)
{
	u8 *p = x->u.b + sizeof(x->u.h) + x->len;

	assert_true(x->len + n < sizeof(x->u.b) - sizeof(x->u.h));
	memset(p, 0, n);
	x->len += n;
	__asm__("" : "+r"(p));          /* gcc would take it for a part of the header's last field */
	return p;
}

static inline void blob_begin(struct blob *x, bool v6, const char *table)
{
	memset(x, 0, sizeof(*x));
	x->v6 = v6;
	memcpy(x->u.h.name, table, strlen(table));
}

static inline u32 blob_esize(const struct blob *x)
{
	return x->v6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry);
}

/* An entry for @proto (0: any); matches and a target follow. */
static inline void blob_rule(struct blob *x, u8 proto)
{
	u8 *p;

	x->at = x->len;
	p = blob_room(x, blob_esize(x));
	x->u.h.num_entries++;
	if (x->v6) {
		struct ip6t_entry *e = (struct ip6t_entry *)p;

		e->ipv6.proto = proto;
		e->ipv6.flags = proto ? IP6T_F_PROTO : 0;
	} else {
		((struct ipt_entry *)p)->ip.proto = proto;
	}
}

static inline void *blob_match(struct blob *x, const char *name, u8 rev, u32 size)
{
	u32 all = (u32)sizeof(struct xt_entry_match) + ALIGN_UP(size, 8u);
	struct xt_entry_match *m = (struct xt_entry_match *)blob_room(x, all);

	m->u.match_size = (u16)all;
	memcpy(m->u.user.name, name, strlen(name));
	m->u.user.revision = rev;
	return m->data;
}

static inline void *blob_target(struct blob *x, const char *name, u8 rev, u32 size)
{
	u32 all = (u32)sizeof(struct xt_entry_target) + ALIGN_UP(size, 8u), to = x->len - x->at;
	struct xt_entry_target *t = (struct xt_entry_target *)blob_room(x, all);
	u8 *e = x->u.b + sizeof(x->u.h) + x->at;
	u16 *off = (u16 *)(e + (x->v6 ? offsetof(struct ip6t_entry, target_offset) : offsetof(struct ipt_entry, target_offset)));

	t->u.target_size = (u16)all;
	memcpy(t->u.user.name, name, strlen(name));
	t->u.user.revision = rev;
	off[0] = (u16)to;
	off[1] = (u16)(x->len - x->at);
	return t->data;
}

static inline void blob_verdict(struct blob *x, int v) { *(int *)blob_target(x, "", 0, sizeof(int)) = v; }

static inline void blob_hook(struct blob *x, u32 hook)
{
	x->u.h.valid_hooks |= 1u << hook;
	x->u.h.hook_entry[hook] = x->len;
}

static inline void blob_policy(struct blob *x, u32 hook, int v)
{
	x->u.h.underflow[hook] = x->len;
	blob_rule(x, 0);
	blob_verdict(x, v);
}

/* The head of a user chain; where its first rule will be. */
static inline u32 blob_chain(struct blob *x, const char *name)
{
	blob_rule(x, 0);
	memcpy(blob_target(x, XT_ERROR_TARGET, 0, XT_FUNCTION_MAXNAMELEN), name, strlen(name));
	return x->len;
}

static inline void blob_end(struct blob *x)
{
	blob_chain(x, XT_ERROR_TARGET);
	x->u.h.size = x->len;
}

static inline u32 blob_entries_now(struct stack *s, bool v6, const char *table)
{
	struct ipt_getinfo i = { .name = "" };

	memcpy(i.name, table, strlen(table));
	assert_int_equal(nf_getsockopt(s, v6, IPT_SO_GET_INFO, &i, sizeof(i)), 0);
	return i.num_entries;
}

static inline int blob_set(struct blob *x, struct stack *s)
{
	struct nf_old_counters old;
	int r;

	x->u.h.num_counters = blob_entries_now(s, x->v6, x->u.h.name);
	r = nf_setsockopt(s, x->v6, IPT_SO_SET_REPLACE, x->u.b, sizeof(x->u.h) + x->len, &old);
	kfree(old.p);
	return r;
}

/* Rules with a port. */
static inline void blob_tcp(struct blob *x, u16 dport)
{
	struct xt_tcp *m;

	blob_rule(x, IPPROTO_TCP);
	m = blob_match(x, "tcp", 0, sizeof(*m));
	m->spts[1] = 65535;
	m->dpts[0] = m->dpts[1] = dport;
}

static inline void blob_udp(struct blob *x, u16 dport)
{
	struct xt_udp *m;

	blob_rule(x, IPPROTO_UDP);
	m = blob_match(x, "udp", 0, sizeof(*m));
	m->spts[1] = 65535;
	m->dpts[0] = m->dpts[1] = dport;
}

/* Revision 1's range, for both families. */
static inline void blob_nat(struct blob *x, const char *target, const struct ipaddr *to, u16 port)
{
	struct nf_nat_range *r = blob_target(x, target, 1, sizeof(*r));

	r->flags = NF_NAT_RANGE_MAP_IPS | (port ? NF_NAT_RANGE_PROTO_SPECIFIED : 0);
	memcpy(&r->min_addr, x->v6 ? to->b : to->b + 12, x->v6 ? 16 : 4);
	r->max_addr = r->min_addr;
	r->min_proto.all = r->max_proto.all = (u16)(port << 8 | port >> 8);
}

static inline void blob_masquerade(struct blob *x)
{
	if (x->v6)
		blob_target(x, "MASQUERADE", 0, sizeof(struct nf_nat_range));
	else
		((struct nf_nat_ipv4_multi_range_compat *)
		 blob_target(x, "MASQUERADE", 0, sizeof(struct nf_nat_ipv4_multi_range_compat)))->rangesize = 1;
}
