/*
 * nf_int.h - rules: how they are kept, what they see, what they say.
 *
 * A program (struct nf_prog) is a flat array of rules; a rule is a run of expressions, each of which lets the
 * packet pass on, does not match, or gives a verdict.  Both front ends compile to it: iptables' matches and
 * targets (xt_*.c) and nf_tables' expressions (nft_*.c) are kinds of expressions.  A jump names a rule's
 * index; jumps form no loop and are at most NF_DEPTH deep (checked when a program is made).
 *
 * A snapshot (struct nf_snap) says for each family and hook which programs run, by priority.  Programs
 * and snapshots are immutable but for counters and what an expression keeps in its state.
 */
#pragma once
#include "platform/base/ref.h"
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/core/stack.h"

#define NF_DEPTH  64            /* jumps within jumps */
#define NF_STEPS  (1u << 18)    /* rules that one packet may meet at one hook: a diamond of jumps ends */
#define NF_REGS   20            /* nf_tables' registers, 4 bytes each; the first four are the verdict's */

enum nf_verdict {
	NF_V_CONT,              /* the next expression, or rule */
	NF_V_BREAK,             /* the rule does not match */
	NF_V_ACCEPT, NF_V_DROP, NF_V_JUMP, NF_V_GOTO, NF_V_RETURN,
};

struct nf_counter { _Atomic u64 packets, bytes; };

/* A packet at a hook. */
struct nf_pkt {
	struct stack *s;
	struct pktbuf *p;               /* its IP header in front */
	struct nic *in, *out;           /* NULL: none */
	u8  hook;
	bool v6;
	bool frag;                      /* not the first fragment: no transport header */
	u32 target;                     /* of NF_V_JUMP, NF_V_GOTO: a rule's index */
	u32 reg[NF_REGS];
};

struct nf_expr {
	enum nf_verdict (*eval)(struct nf_pkt *k, const struct nf_expr *e);
	const void *data;               /* in what the program keeps; 8-aligned */
	void *state;                    /* its own, freed with the program; or NULL */
	u32 arg;
};

struct nf_rule { u32 first, n; };       /* expressions */

struct nf_base { bool there; u32 start, policy; };      /* rules where a hook begins and what an empty stack returns to */

struct nf_prog {
	struct ref ref;
	bool v6, needs_ct;
	bool trivial;                   /* nothing but policies that accept */
	u32 hooks;                      /* bits of base[].there */
	struct nf_base base[NF_HOOKS];
	struct nf_rule *rule;
	struct nf_expr *expr;
	struct nf_counter *counter;     /* one a rule (iptables), or NULL */
	u32 nrules, nexprs;
	void *blob;                     /* what data pointers point into */
	void **keep;                    /* or these, given back by drop() */
	u32 nkeep;
	void (*drop)(void *);
};

struct nf_prog *nf_prog_new(u32 nrules, u32 nexprs) must_check;
void nf_prog_unref(struct nf_prog *g);
static inline struct nf_prog *nf_prog_ref(struct nf_prog *g) { ref_get(&g->ref); return g; }
/* Run a packet from base chain @h: NF_V_ACCEPT or NF_V_DROP. */
enum nf_verdict nf_run(struct nf_prog *g, enum nf_hook h, struct nf_pkt *k);
enum nf_verdict nf_eval_count(struct nf_pkt *k, const struct nf_expr *e);      /* state unused, data: a counter */
enum nf_verdict nf_eval_verdict(struct nf_pkt *k, const struct nf_expr *e);    /* arg: verdict | target << 8 */
#define NF_ARG(v, target) ((u32)(v) | (u32)(target) << 8)

enum nf_stage { NF_S_CHAIN, NF_S_CT, NF_S_NAT, NF_S_CONFIRM };
struct nf_stagent { s32 prio; u8 kind; struct nf_prog *prog; };        /* prog: a reference; of CHAIN only */

#define NF_SNAP_MAX 64          /* stages at one hook */
struct nf_hooklist {
	u32 n, nnat;
	struct nf_stagent *stage;       /* by priority */
	struct nf_prog **nat;           /* what NAT asks about new connections, by priority */
};
struct nf_snap { struct ref ref; struct nf_hooklist h[2][NF_HOOKS]; };

/* Look through all tables again and put the result in force; cfg_mu held.  -ENOMEM: nothing changed. */
int nf_rebuild(struct stack *s) must_check;
/* One program's hook for the snapshot that is being made. */
struct nf_build;
int nf_build_add(struct nf_build *b, struct nf_prog *g, enum nf_hook h, s32 prio, bool nat) must_check;

/* nat.c */
enum {                          /* as NF_NAT_RANGE_* */
	NAT_MAP_IPS = 1, NAT_PORTS = 2, NAT_RANDOM = 4, NAT_PERSISTENT = 8, NAT_RANDOM_FULLY = 16, NAT_OFFSET = 32,
	NAT_NETMAP = 64,
};
struct nat_range { u32 flags; struct ipaddr min_ip, max_ip; u16 min_port, max_port, base_port; };
enum { MANIP_SRC, MANIP_DST };
static inline int nf_manip(enum nf_hook h) { return h == NF_PRE || h == NF_OUT ? MANIP_DST : MANIP_SRC; }
/* Bind the new connection of @k. */
enum nf_verdict nat_setup(struct nf_pkt *k, const struct nat_range *r, int manip);
enum nf_verdict nat_masquerade(struct nf_pkt *k, struct nat_range r);
enum nf_verdict nat_redirect(struct nf_pkt *k, struct nat_range r);
/* The stage: ask the rules about a new connection, translate the packet. */
enum nf_verdict nat_packet(struct nf_pkt *k, const struct nf_hooklist *h);

/* mangle.c */
/* Make @manip's address and port those of @to; false: headers too long or no memory. */
bool nf_rewrite(struct pktbuf *p, const struct nfct_tuple *to, int manip) must_check;
bool nf_rewrite_inner(struct pktbuf *p, const struct nfct_tuple *to, int manip) must_check;

/* reject.c: Linux' numbers are translated by the front ends. */
enum { REJ_TCP_RESET = 0x100 };
/* @what: REJ_TCP_RESET, or code of Destination Unreachable. */
enum nf_verdict nf_reject(struct nf_pkt *k, u32 what);

/* ---- xt extensions ---- */

/* Where an extension stands, for its check. */
struct xt_place {
	struct stack *s;
	bool v6, nft;                   /* nft: only "nat" among the tables matters */
	const char *table;
	u32 hooks;                      /* bits: from where the rule can be reached */
	u16 proto;                      /* of the rule; 0: any, or an inverted one */
};

enum { XT_V4 = 1, XT_V6 = 2, XT_ANY = 3 };
struct xt_ext {
	const char *name;
	u8  rev, family;
	bool needs_ct;
	u8  proto;                      /* the rule must name it; 0: any */
	u16 size;                       /* of the data; checked with padding to 8 */
	u32 hooks;                      /* where it may stand; 0: everywhere */
	const char *table;              /* only there; NULL: anywhere */
	int (*check)(const struct xt_place *w, const void *data, struct nf_expr *e);    /* NULL: nothing to check */
	enum nf_verdict (*eval)(struct nf_pkt *k, const struct nf_expr *e);
};

/* 0, -ENOENT (no such extension), -EINVAL ...; fills @e.  *ret_ct: it needs conntrack. */
int xt_bind(const struct xt_place *w, bool target, const char *name, u8 rev, const void *data, u32 size,
	    struct nf_expr *e, bool *ret_ct) must_check;
/* The newest revision of @name; -ENOENT: none, -EPROTONOSUPPORT: not @rev. */
int xt_revision(bool v6, bool target, const char *name, u8 rev) must_check;
const char *xt_name(bool v6, bool target, unsigned i);  /* the i-th, or NULL */
extern const struct xt_ext xt_matches[], xt_ct_matches[];
extern const unsigned xt_nmatches, xt_nct_matches;

/* Transport header bytes; false: too short or a fragment. */
static inline bool nf_l4(const struct nf_pkt *k, void *dst, u32 off, u32 n)
{
	u32 at = k->p->l4_off + off;

	if (k->frag || at > k->p->len || k->p->len - at < n)
		return false;
	pkt_copy(k->p, at, dst, n);
	return true;
}
