/*
 * nf.h - netfilter as the rest of the stack sees it: hooks in the path of a packet.
 *
 * Hooks stand where Linux has them.  Each costs one load and one branch while no rule
 * wants it (struct nf.mask); the work is in hook.c.  A hook may rewrite the packet's
 * addresses and ports (NAT): p->src and p->dst are right again when it returns.
 *
 * Locks: nf->cfg_mu (RANK_STACK) guards tables, nf->ct.mu (RANK_STACK) connections; neither is
 * held when a rule runs, and both may be taken with an endpoint's lock held.
 * nf->snap_mu (LEAF) guards the pointer to the rules in force, which are
 * immutable (but for counters) and kept alive by references.
 */
#pragma once
#include <stdatomic.h>
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "netstack/netfilter/conntrack.h"

struct ip_tx;
struct nic;
struct nf_snap;
struct nft;
struct pktbuf;
struct rt;
struct stack;

/* Linux' numbers (NF_INET_*). */
enum nf_hook { NF_PRE, NF_IN, NF_FWD, NF_OUT, NF_POST, NF_HOOKS };

struct nf {
	_Atomic u32 mask;               /* bit hook + NF_HOOKS * v6: somebody wants it */
	struct mutex snap_mu;           /* RANK_LEAF */
	struct nf_snap *snap;           /* guarded by snap_mu; NULL: no rules */
	struct mutex cfg_mu;            /* RANK_STACK */
	struct list_head tables;        /* struct nf_table: iptables', guarded by cfg_mu */
	struct nft *nft;                /* nf_tables', guarded by cfg_mu; NULL until used */
	struct nfct_table ct;
};

void nf_init(struct stack *s);
void nf_done(struct stack *s);

static inline bool nf_bits(const struct nf *nf, bool v6, u32 hooks)
{
	return unlikely(atomic_load_explicit(&nf->mask, memory_order_relaxed) >> (v6 ? NF_HOOKS : 0) & hooks);
}
static inline bool nf_on(const struct nf *nf, bool v6, enum nf_hook h) { return nf_bits(nf, v6, 1u << h); }
static inline bool nf_out_on(const struct nf *nf, bool v6) { return nf_bits(nf, v6, 1u << NF_OUT | 1u << NF_POST); }

/*
 * A packet with its IP header in front (src, dst, proto, l4_off set) is at hook @h.  True: it goes on;
 * false: it is gone.
 */
bool nf_pass(struct stack *s, enum nf_hook h, struct nic *in, struct nic *out, struct pktbuf *p) must_check;
/*
 * A packet of our own, its transport header in front, is at OUTPUT and POSTROUTING: *@rt and *@t are where
 * it goes then.  0, or -errno and the packet is gone.
 */
int nf_output(struct stack *s, struct rt *rt, struct pktbuf *p, struct ip_tx *t) must_check;
/* The same for one that has its IPv4 header (IP_HDRINCL). */
int nf_output_raw(struct stack *s, struct rt *rt, struct pktbuf *p) must_check;
/* The first @n bytes, ours to write, or NULL. */
u8 *nf_pull(struct pktbuf *p, size_t n);
