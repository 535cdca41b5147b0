/*
 * frag.h - reassembly of IPv4 and IPv6 fragments (RFC 791, 8200, 5722, 8900).
 *
 * Bounded twice: bytes in the whole table, and bytes and datagrams from one
 * source, so that one peer cannot keep others from being reassembled.
 * Overlaps kill the datagram.  Entries die after 30 s (60 s for IPv6).
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "netstack/api.h"
#include "netstack/core/timer.h"

#define FRAG_BUCKETS    64
#define FRAG_MEM_MAX    (4u << 20)      /* whole table */
#define FRAG_SRC_MEM    (1u << 20)      /* one source */
#define FRAG_SRC_MAX    64              /* datagrams of one source */
#define FRAG_PIECES_MAX 128             /* of one datagram */

struct stack;
struct pktbuf;

struct fragtab {
	struct mutex mu;                /* RANK_STACK */
	struct list_head bucket[FRAG_BUCKETS];
	struct list_head lru;
	u32 mem, n;
	struct ntimer timer;
};

struct frag_in {
	struct ipaddr src, dst;
	u32 id;
	u8  proto;              /* IPv4: part of the key */
	u32 off, len;           /* of this piece; bytes */
	u32 hdr;                /* bytes in front of the piece in the packet */
	bool more;
};

int fragtab_init(struct stack *s) must_check;
void fragtab_done(struct stack *s);
/*
 * Takes @p.  NULL: kept or dropped.  Else the whole datagram: the payload
 * only, with src, dst, proto, ttl, tos and nic of its first fragment.
 */
struct pktbuf *frag_add(struct stack *s, struct pktbuf *p, const struct frag_in *f) must_check;
