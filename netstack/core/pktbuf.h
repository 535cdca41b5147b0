/*
 * pktbuf.h - packets in memory: a header area and references to data blocks.
 *
 * A pktbuf has one owner.  Its bytes are hdr[hdr_off..] followed by the
 * fragments; data blocks are shared by reference and never written once a
 * second reference exists, except that the appender of a block may fill bytes
 * that no reference covers yet.  Headers are pushed into hdr[] on the way out;
 * a packet from a link has everything in fragments, and pkt_may_pull() makes
 * the front contiguous.
 *
 * Pool: recycled packets and blocks of one stack (kbuf_alloc() zeroes, which
 * would double the cost of a 64 KiB block).  pool->mu is LEAF.  What a veth carried to another stack may outlive
 * its own: pkt_pool_end() only says that nothing is kept any more, and the last that comes back frees the pool.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/base/ref.h"
#include "netstack/api.h"

#define PKT_HDR_MAX     192
#define PKT_FRAGS       18

enum pblock_class { PBLOCK_TINY, PBLOCK_SMALL, PBLOCK_MID, PBLOCK_BIG, PBLOCK_CLASSES };
#define PBLOCK_TINY_CAP  288u
#define PBLOCK_SMALL_CAP 1984u
#define PBLOCK_MID_CAP   16320u
#define PBLOCK_BIG_CAP   65536u

struct pblock {
	struct ref ref;
	u32 cap;
	u32 used;                       /* appender's fill mark */
	enum pblock_class cls;
	struct pkt_pool *pool;          /* immutable */
	struct pblock *next_free;       /* guarded by pool->mu */
	u8 data[];
};

struct pkt_pool {
	struct mutex mu;                /* RANK_LEAF */
	struct list_head pkts;
	u32 npkts, low_pkts;
	struct pblock *blocks[PBLOCK_CLASSES];
	u32 nblocks[PBLOCK_CLASSES];
	u32 low_blocks[PBLOCK_CLASSES]; /* the fewest since pkt_pool_trim(): what nobody needed */
	_Atomic s64 live_bytes;         /* blocks handed out */
	u32 live;                       /* packets and blocks handed out */
	bool ended;
};

struct pfrag { struct pblock *b; u32 off, len; };

enum {
	PKT_CSUM_OK = 1,                /* transport checksum verified, or the link vouches */
	PKT_CSUM_PARTIAL = 2,           /* still to be filled in, from csum_start */
	PKT_LOOPED = 4,                 /* never was on a wire */
	PKT_MCAST = 8, PKT_BCAST = 16,
	PKT_NO_TAP = 32,                /* packet sockets have seen it */
	PKT_ICMP_QUOTED = 64,           /* already caused an error message */
	PKT_OWNED = 128,                /* uid and gid are its sender's */
	PKT_DEFRAG = 256,               /* put together from fragments */
};
enum { GSO_NONE, GSO_TCP4, GSO_TCP6, GSO_UDP };

struct nfct;
struct nic;

struct pktbuf {
	struct list_head node;
	struct pkt_pool *pool;
	u32 len;                        /* all bytes */
	u32 truesize;                   /* what a receive buffer is charged */
	u16 hdr_off, hdr_len;
	u16 nfrags;
	u16 flags;                      /* PKT_* */
	u16 gso_size;                   /* 0: not a super-frame */
	u8  gso_type;
	u8  proto, ttl, tos;            /* of the IP header, once parsed */
	u8  pkttype;                    /* PACKET_HOST ... */
	u8  ctinfo;                     /* what it is to ct; netfilter/conntrack.h */
	u16 csum_start, csum_off;       /* from the first byte; pushes and pulls move it */
	u16 l4_off;                     /* transport header, from the first byte */
	u16 ethertype;
	u32 flow;                       /* hash, for the choice of a queue */
	u32 mark, priority;
	u32 uid, gid;                   /* PKT_OWNED */
	struct nfct *ct;                /* a reference, or NULL */
	struct pblock *ext;             /* what it came with: struct ip4_opts, or an IPv6 header and its extensions; or NULL */
	u32 ifindex;                    /* where it came in */
	u32 sender;                     /* low half of the packet socket's cookie that made it, or 0 */
	u32 flowlabel;
	struct nic *nic;                /* in: arrival; out: departure */
	u64 stamp;                      /* realtime ns of arrival, 0 = not taken */
	struct ipaddr src, dst;
	u16 sport, dport;
	u32 seq, end_seq, tsval;        /* TCP queues */
	u8  tcp_flags;
	u8  ll_src[6];
	u8  hdr[PKT_HDR_MAX];
	struct pfrag frag[PKT_FRAGS];
};

struct pkt_pool *pkt_pool_new(void) must_check;
void pkt_pool_end(struct pkt_pool *p);
/* Free what was not needed since the last call; is anything left? */
bool pkt_pool_trim(struct pkt_pool *p);

struct pblock *pblock_new(struct pkt_pool *p, size_t cap) must_check;   /* cap <= PBLOCK_BIG_CAP */
void pblock_unref(struct pblock *b);
static inline struct pblock *pblock_ref(struct pblock *b) { ref_get(&b->ref); return b; }

struct pktbuf *pkt_new(struct pkt_pool *p) must_check;
/* A packet with a copy of @n bytes. */
struct pktbuf *pkt_from(struct pkt_pool *p, const void *buf, size_t n) must_check;
/* A packet with @n writable bytes in one fragment; *ret_data points to them. */
struct pktbuf *pkt_room(struct pkt_pool *p, size_t n, u8 **ret_data) must_check;
struct pktbuf *pkt_clone(const struct pktbuf *p) must_check;
void pkt_free(struct pktbuf *p);                                        /* NULL is fine */
void pkt_purge(struct list_head *q);

static inline void pkt_drop_ext(struct pktbuf *p)
{
	if (unlikely(p->ext))
		pblock_unref(p->ext);
	p->ext = NULL;
}

u8 *pkt_push(struct pktbuf *p, size_t n);               /* n bytes in front; headers only */
/* The same of any length, by a block that takes what is in hdr as well; false when there is no memory or it gets too long. */
bool pkt_push_block(struct pktbuf *p, const void *src, size_t n) must_check;
void pkt_pull(struct pktbuf *p, size_t n);              /* drop n <= len bytes in front */
void pkt_trim(struct pktbuf *p, size_t len);            /* keep the first len bytes */
void pkt_into_hdr(struct pktbuf *p, size_t n);          /* the first n bytes: hdr_len < n <= PKT_HDR_MAX and <= len */
bool pkt_may_pull(struct pktbuf *p, size_t n) must_check;       /* first n bytes contiguous */
u8 *pkt_data(struct pktbuf *p);
/* Take a reference to a part of a block; false when there is no slot left. */
bool pkt_add_frag(struct pktbuf *p, struct pblock *b, u32 off, u32 len) must_check;
void pkt_copy(const struct pktbuf *p, size_t off, void *dst, size_t n);
u64 pkt_csum(const struct pktbuf *p, size_t off, size_t n);
/* Fill at most @max iovecs from offset @off; how many. */
int pkt_iov(const struct pktbuf *p, struct iovec *iov, int max);
/* Finish a PKT_CSUM_PARTIAL checksum in software; false when out of memory. */
bool pkt_csum_finish(struct pktbuf *p) must_check;
/* Bytes [off, off+n) as a packet of references (segmentation, fragmentation). */
struct pktbuf *pkt_slice(const struct pktbuf *p, size_t off, size_t n) must_check;
