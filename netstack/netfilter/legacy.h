/*
 * legacy.h - iptables' tables (linux/netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h).
 *
 * A table is a blob of entries that the guest sends whole (SET_REPLACE).  The blob is checked from end to end
 * and kept; the program made of it points into it (legacy_parse.c).  A table appears when it is first asked for.
 */
#pragma once
#include "netstack/netfilter/nf_int.h"

struct nf_build;

struct nf_tabdef {
	const char *name;
	u32 hooks;                      /* bits */
	s32 prio;
	bool nat;
};

struct nf_table {
	struct list_head node;          /* guarded by nf->cfg_mu, like all that changes */
	const struct nf_tabdef *def;
	bool v6;
	struct nf_prog *prog;
	u32 size, num;                  /* of the blob: bytes, entries */
	u32 hook_entry[NF_HOOKS], underflow[NF_HOOKS];
};

/* The fixed part of struct ipt_entry or ip6t_entry: where what is. */
struct ipt_layout { u32 entry, target_offset, next_offset, counters; };
extern const struct ipt_layout ipt_layout[2];

struct ipt_new {                        /* what SET_REPLACE says of a blob */
	u32 num, size;
	u32 hook_entry[NF_HOOKS], underflow[NF_HOOKS];
};
/* Takes @blob, also when it fails.  -EINVAL, -ELOOP, -ENOENT (no such extension), -ENOMEM. */
int nf_legacy_parse(struct stack *s, bool v6, const struct nf_tabdef *def, const struct ipt_new *n, u8 *blob,
		    struct nf_prog **ret) must_check;

int nf_legacy_stages(struct stack *s, struct nf_build *b) must_check;
void nf_legacy_done(struct stack *s);
