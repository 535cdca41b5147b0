/*
 * conntrack.h - connections as netfilter knows them: two tuples, a state, a lifetime.
 *
 * A connection is made by its first packet at PREROUTING or OUTPUT and hangs from that packet
 * (p->ct) until the packet has passed POSTROUTING or INPUT: only then is it entered in the table
 * ("confirmed"), so a dropped packet leaves nothing.  NAT changes the reply tuple before that.
 *
 * Bounded by net.netfilter.nf_conntrack_max; when full, a connection that never got an answer makes
 * room, else the packet is dropped.  Each has a timer that is only set again when it fires
 * (core/timer.h), so an idle table has no work.
 *
 * Locks: table mu (RANK_STACK) guards the buckets and everything in a connection that has no other word.
 * References: table and timer together hold one, each packet one.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/base/ref.h"
#include "netstack/api.h"
#include "netstack/core/timer.h"

struct pktbuf;
struct stack;

#define NFCT_BUCKETS 4096

/* ICMP: sport is the identifier, dport is type << 8 | code. */
struct nfct_tuple {
	struct ipaddr src, dst;
	u16 sport, dport;
	u8  proto;
};

/* Linux' bits (IPS_*). */
enum {
	CT_SEEN_REPLY = 1 << 1, CT_ASSURED = 1 << 2, CT_CONFIRMED = 1 << 3,
	CT_SRC_NAT = 1 << 4, CT_DST_NAT = 1 << 5, CT_NAT_MASK = CT_SRC_NAT | CT_DST_NAT,
	CT_SRC_NAT_DONE = 1 << 7, CT_DST_NAT_DONE = 1 << 8, CT_DYING = 1 << 9,
};

/* What a packet is to its connection (p->ctinfo); without a connection: 0 invalid, or CT_UNTRACKED. */
enum { CT_ESTABLISHED, CT_RELATED, CT_NEW, CT_IS_REPLY, CT_UNTRACKED = 7 };

enum { CT_ORIG, CT_REPLY };

struct nfct_side {
	struct list_head node;          /* in the bucket of its tuple */
	struct nfct_tuple t;            /* the reply's is changed by NAT before it is confirmed */
	u8 dir;                         /* immutable */
};

struct nfct {
	struct nfct_side side[2];
	struct ref ref;
	struct stack *stack;            /* immutable */
	struct ntimer timer;
	u64 expires;
	_Atomic u32 status;             /* CT_* */
	_Atomic u32 mark;
	u64 born;
	u8  state;                      /* of TCP; ctproto.c */
	u8  fin_dir;                    /* who sent the first FIN */
};

struct nfct_table {
	struct mutex mu;                /* RANK_STACK */
	struct list_head *bucket;       /* NULL until first used */
	u32 n;
};

void nfct_unref(struct nfct *ct);
static inline struct nfct *nfct_ref(struct nfct *ct) { ref_get(&ct->ref); return ct; }
static inline int nfct_dir(u8 info) { return info >= CT_IS_REPLY ? CT_REPLY : CT_ORIG; }

int nfct_init(struct stack *s) must_check;      /* once; cheap when done already */
void nfct_done(struct stack *s);

/* What a packet's tuple is; false: none (INVALID). */
bool nfct_tuple_of(struct pktbuf *p, u32 l4, u8 proto, const struct ipaddr *src, const struct ipaddr *dst,
		   struct nfct_tuple *ret) must_check;
bool nfct_invert(const struct nfct_tuple *t, struct nfct_tuple *ret) must_check;

/* PREROUTING and OUTPUT: find or make the connection of @p; it stays without when it is INVALID. */
void nfct_in(struct stack *s, struct pktbuf *p, bool check_csum);
/* POSTROUTING and INPUT: enter it. False: drop it. */
bool nfct_confirm(struct stack *s, struct pktbuf *p) must_check;
/* Is @t some connection's tuple?  Takes the table's lock. */
bool nfct_used(struct stack *s, const struct nfct_tuple *t, const struct nfct *but) must_check;
/* Which connection has it, with a reference, or NULL. */
struct nfct *nfct_find(struct stack *s, const struct nfct_tuple *t, int *ret_dir) must_check;
void nfct_forget(struct pktbuf *p);             /* the packet leaves its connection */

/* ctproto.c */
enum {
	TCT_NONE, TCT_SYN_SENT, TCT_SYN_RECV, TCT_ESTABLISHED, TCT_FIN_WAIT, TCT_CLOSE_WAIT, TCT_LAST_ACK,
	TCT_TIME_WAIT, TCT_CLOSE, TCT_SYN_SENT2, TCT_MAX,
};
/*
 * A packet of @ct in direction @dir: state and lifetime.  0; 1: the connection is over and the packet begins another
 * one; -1: it belongs to nothing (INVALID).  table mu held.
 */
int nfct_packet(struct stack *s, struct nfct *ct, int dir, struct pktbuf *p) must_check;
/* Headers that no honest packet has. */
bool nfct_sane(struct pktbuf *p, bool check_csum) must_check;
bool nfct_is_icmp_error(const struct pktbuf *p) must_check;
/* Where the packet that an ICMP error quotes has its transport header, and its addresses. False: not there. */
struct nfct_inner { u32 ip, l4; u8 proto; struct ipaddr src, dst; };
bool nfct_inner(struct pktbuf *p, struct nfct_inner *ret) must_check;
