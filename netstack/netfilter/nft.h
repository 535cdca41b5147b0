/*
 * nft.h - nf_tables' tables, chains and rules, as iptables-nft makes them.
 *
 * A batch works on a copy of the state (rules are shared by reference and immutable but for counters) and is put in
 * force as a whole.  A rule keeps its expressions as the guest sent them, for it to read back, and is compiled
 * to the same programs as iptables' tables (nft_expr.c), one a table.
 *
 * Locks: the state in force is guarded by nf->cfg_mu and never changed in place; a batch is its owner's.
 */
#pragma once
#include "netstack/netfilter/nf_int.h"

#define NFT_NAME     64
#define NFT_TABLES   32
#define NFT_CHAINS   1024       /* in all */
#define NFT_RULES    8192
#define NFT_BLOB_MAX 3072       /* bytes of one rule's expressions: they fit a datagram of a dump */
#define NFT_EXPRS    64         /* of one rule */
#define NFT_DEPTH    16         /* jumps within jumps, as in Linux */
#define NFT_JUMPS    4          /* of one rule; the first ends it, and all are followed whenever a jump is added */

struct nft_rule {
	struct ref ref;
	u64 handle;
	u32 id;                         /* in the batch that made it */
	u32 len, info_len, udata_len, compat_len, nexprs;
	u8 *blob;                       /* NFTA_LIST_ELEM after NFTA_LIST_ELEM */
	u8 *info;                       /* data of xt matches and targets, each 8-aligned */
	u8 *udata, *compat;             /* attributes' payload, told as they came */
	struct nf_counter counter;
	bool counted, jumps;            /* jumps: it may name chains */
};

struct nft_chain {
	struct list_head node;
	char name[NFT_NAME];
	u64 handle;
	bool base, nat;
	u32 hook, policy, flags;
	s32 prio;
	char type[16];
	struct nft_rule *pol;           /* counts what meets the policy; NULL: nobody asked */
	struct nft_rule **rule;
	u32 n, cap;
	/* while compiling */
	u32 start, hooks, refs;
	u8 depth;
	bool grey, seen;
};

struct nft_table {
	struct list_head node;
	char name[NFT_NAME];
	u8 family;                      /* AF_INET, AF_INET6 */
	u32 flags;
	u64 handle;
	struct list_head chains;
	bool changed;                   /* in this batch */
	struct nf_prog *prog;           /* a reference; NULL: nothing to run */
};

struct nft {
	u32 gen;
	u64 next_handle;
	u32 ntables, nchains, nrules;
	struct list_head tables;
};

struct nft_batch { struct stack *s; struct nft *n; };

struct nft_chain *nft_chain_find(struct nft_table *t, const char *name);
void nft_rule_unref(struct nft_rule *r);
/* nft_expr.c: a rule of @attrs (expressions), checked as far as it can be alone. -EOPNOTSUPP: more than NFT_JUMPS. */
int nft_rule_new(const u8 *exprs, u32 len, struct nft_rule **ret) must_check;
/* The program of @t: -EINVAL, -ENOENT (chain, extension), -ELOOP, -EMLINK (too deep), -ENOMEM. */
int nft_compile(struct stack *s, struct nft_table *t, struct nf_prog **ret) must_check;
/* One rule, as far as it can be checked without the others (rings and depth are the whole table's). */
int nft_check(struct stack *s, struct nft_table *t, struct nft_chain *c, struct nft_rule *rule) must_check;
/* The chain that @r's @i-th jump names; false: it has no more. */
bool nft_rule_jump(const struct nft_rule *r, u32 i, char name[NFT_NAME]) must_check;
bool nft_rule_names(const struct nft_rule *r, const char *chain);       /* a jump there */
int nft_stages(struct stack *s, struct nf_build *b) must_check;
void nft_free(struct nft *n);

/* Attributes: payload of @type, at least @min bytes; NULL: not there. */
const u8 *nft_attr(const u8 *p, u32 len, u16 type, u32 min, u32 *ret_len);
/* A string of less than @cap bytes. */
bool nft_attr_str(const u8 *p, u32 len, u16 type, char *dst, u32 cap) must_check;
/* The next NFTA_LIST_ELEM of a list, or NULL. */
const u8 *nft_next_elem(const u8 **p, u32 *left, u32 *ret_len);
