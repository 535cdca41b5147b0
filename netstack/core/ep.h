/*
 * ep.h - what every endpoint has: identity, options, error, datagram queue.
 *
 * TCP, UDP, raw, ping and packet endpoints embed struct ep first and supply
 * ep_ops; ep.c does what they share and calls through the table.
 *
 * Life: ep_new() gives the owner one reference; port table, connection table,
 * timers and running look-ups hold others.  ep_close() drops the owner's.
 * Locks: mu guards everything without a word.  rd_mu (RANK_FILE) is held by a
 * reader over its copies: only its holder takes from the head of a receive
 * queue.
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/base/ref.h"
#include "netstack/api.h"
#include "netstack/core/ipaddr.h"
#include "netstack/core/pktbuf.h"
#include "netstack/core/port.h"
#include "netstack/core/route.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip4opt.h"
#include "netstack/ip/ip6ext.h"

struct ep;

/* What a kind of endpoint can do; NULL means -EOPNOTSUPP unless said otherwise. */
struct ep_ops {
	const char *name;
	size_t size;
	int  (*init)(struct ep *e);                             /* NULL: nothing */
	int  (*bind)(struct ep *e, const struct net_sa *sa);
	int  (*connect)(struct ep *e, const struct net_sa *sa);
	int  (*listen)(struct ep *e, int backlog);
	int  (*accept)(struct ep *e, struct net_sa *peer, struct ep **ret);
	int  (*shutdown)(struct ep *e, int how);
	u32  (*poll)(struct ep *e);                             /* e->mu held */
	ssize_t (*send)(struct ep *e, struct net_msg *m);
	ssize_t (*recv)(struct ep *e, struct net_msg *m);
	int  (*setsockopt)(struct ep *e, int level, int opt, const void *val, size_t len);
	int  (*getsockopt)(struct ep *e, int level, int opt, void *val, size_t *len);
	long (*inq)(struct ep *e);
	long (*outq)(struct ep *e, bool unsent);
	bool (*closed)(const struct ep *e);                     /* had a peer, and has none. e->mu held; NULL: never */
	void (*info)(struct ep *e, struct ep_info *i);          /* NULL: generic */
	void (*icmp_err)(struct ep *e, struct pktbuf *inner, int err, bool hard, u32 info);
	int  (*abort)(struct ep *e, int err);                   /* as if the peer had gone: @err, positive, is told; no lock held */
	void (*close)(struct ep *e);                            /* owner lets go; no lock held */
	void (*release)(struct ep *e);                          /* last reference */
	void (*rekey)(struct ep *e);                            /* NULL: nothing */
};

struct sockopts {
	bool reuseaddr, reuseport, broadcast, keepalive, oobinline, linger_on, dontroute;
	bool no_check, v6only, hdrincl, freebind, transparent, recverr, recverr6;
	bool timestamp, timestampns, laststamp, pktinfo, recvttl, recvtos, recvopts, origdst;
	bool pktinfo6, recvhlim, recvtclass, mc_loop, mc_loop6, mc_all, autoflow, minttl_set, bind_noport;
	bool service;                   /* ep_bind_service() */
	bool rxq_ovfl, recvfragsize, rcvbuf_locked, sndbuf_locked, busy, debug, select_err, zerocopy;
	bool retopts, passsec, recvcsum, rfc4884, mc_all6, dontfrag6, recvpathmtu, recvrthdr, recvhopopts;
	bool recvdstopts, flowinfo_send, recvflow, nodefrag, ra, ra_isolate;
	bool autoflow_set, opktinfo6, ohlim, ohopopts, odstopts, orthdr;      /* IPV6_2292* */
	bool wifi, nofcs, rcvmark, rcvprio, stamp_new, txtime, txrehash_off;
	bool paced;                     /* SO_MAX_PACING_RATE was set once */
	bool peek_off_on;
	int incoming_cpu;
	u32 linger_s, mark, priority, bound_if, mc_if;
	u32 rcvbuf, sndbuf, rcvlowat, busy_poll;
	u32 port_range;                 /* IP_LOCAL_PORT_RANGE: low, and high << 16; 0: none */
	u32 uc_if, uc_if6;              /* IP_UNICAST_IF, IPV6_UNICAST_IF: 0: none */
	s32 txtime_clock;
	u32 txtime_flags;
	u16 addr_prefs;                 /* IPV6_PREFER_SRC_TMP, _PUBLIC, _COA */
	u64 rcvtimeo, sndtimeo;         /* ns; 0 for ever */
	u64 pacing;                     /* SO_MAX_PACING_RATE: bytes a second, UINT64_MAX: none */
	u32 tsflags, bind_phc;          /* SO_TIMESTAMPING: SOF_TIMESTAMPING_* */
	s16 ttl, hlim, mc_hlim6;        /* -1: default */
	u8  mc_ttl, tos, tclass, pmtudisc, pmtudisc6, minttl;
	struct ipaddr mc_src;
	u32 peek_off;
};

struct filter;
struct mcmember;

struct ep {
	const struct ep_ops *ops;       /* immutable, like stack, family, type, proto */
	struct ref ref;
	struct stack *stack;
	u16 family, type, proto;
	u64 cookie;

	struct mutex rd_mu;             /* RANK_FILE */
	struct mutex mu;                /* RANK_SOCK */

	ep_ready_fn *ready;
	void *opaque;
	bool owned;                     /* the owner has not closed it */
	u8 shut;                        /* 1 receive, 2 send */
	bool nospace;                   /* a sender met a full buffer */
	int err;                        /* pending SO_ERROR, positive */

	struct ipaddr laddr, raddr;     /* raddr any: not connected */
	u16 lport, rport;
	bool addr_bound, connected, filter_locked;
	u8  patience;                   /* dgram_behind() may still ask for time that often */
	struct bindnode bind;
	struct rt rt;                   /* cached route to raddr */
	struct sockopts o;
	struct filter *filter;          /* NULL: none */
	struct ip4_opts *opts4;         /* IP_OPTIONS; NULL: none */
	struct ip6_sticky *ext6;        /* IPV6_HOPOPTS and its likes, a reference; NULL: none */

	struct list_head dgrams;        /* received datagrams */
	u32 rmem, drops;
	struct list_head errq;          /* error queue */
	u32 nerrq;
	u32 tskey;                      /* SOF_TIMESTAMPING_OPT_ID: the number before the first, or TCP's sequence number */
	_Atomic u32 wmem;
	u32 nmembers;
	u64 last_stamp;
	struct list_head labels;        /* leases; flowlabel.h */
	u32 flowlabel;                  /* of what is sent to the peer; 0: none was asked for */
	struct list_head members;       /* struct mcmember: multicast groups, nmembers */

	struct list_head all_node, kind_node;   /* guarded by stack->eps_mu */
	_Atomic u32 uid, gid;
	_Atomic u64 ino;
};

struct ep *ep_alloc(struct stack *s, const struct ep_ops *ops, int family, int type, int proto)
	must_check;
static inline struct ep *ep_ref(struct ep *e) { ref_get(&e->ref); return e; }
struct ep *ep_unref(struct ep *e);      /* NULL is fine; returns NULL */
void ep_list(struct ep *e);             /* whole now: others may find it in the stack's list */
void ep_unlist(struct ep *e);           /* out of the stack's lists */

/* Whose it is, and its mark: what rules ask of a packet that @e sends. */
static inline void ep_sign(const struct ep *e, struct pktbuf *p)
{
	p->mark = e->o.mark;
	p->priority = e->o.priority;
	p->uid = atomic_load_explicit(&e->uid, memory_order_relaxed);
	p->gid = atomic_load_explicit(&e->gid, memory_order_relaxed);
	p->flags |= PKT_OWNED;
}

extern const struct ep_ops tcp_ops, udp_ops, raw_ops, ping_ops, packet_ops;

/* Beyond the table. */
int tcp_connect_result(struct ep *e);
void tcp_opts_changed(struct ep *e);            /* what the IP header takes of a segment; mu held */
int tcp_atmark(struct ep *e);
/* Where a stream's stamps are counted from: what is queued last, or the first byte not acknowledged.  mu held. */
int tcp_tskey(struct ep *e, bool from_queued) must_check;
int packet_name(struct ep *e, bool peer, struct net_sa *ret);

/* e->mu held in all of these. */
static inline void ep_wake(struct ep *e, u32 events)
{
	if (e->ready)
		e->ready(e->opaque, events);
}
void ep_set_err(struct ep *e, int err);         /* positive errno; wakes */
int ep_take_err(struct ep *e);                  /* 0 or -errno, cleared */
/* Check a bind address against family and configuration; *ret_addr gets the address. */
int ep_check_bind(struct ep *e, const struct net_sa *sa, struct ipaddr *ret_addr) must_check;
/* Normalise a destination (family, scope, any = loopback); *ret_oif from scope and options. */
int ep_check_dst(struct ep *e, const struct net_sa *sa, struct ipaddr *ret, u32 *ret_oif)
	must_check;
/* The cached route of a connected endpoint, looked up again when stale. */
int ep_route(struct ep *e) must_check;
u32 ep_bind_flags(const struct ep *e);
void ep_fill_name(const struct ep *e, const struct ipaddr *ip, u16 port, struct net_sa *ret);

/* dgram.c: the receive queue that UDP, raw and packet share, and what UDP and raw do alike to send. */
/* Queue @p (taken) or drop it when the buffer is full; mu held. */
bool dgram_queue(struct ep *e, struct pktbuf *p);
/* The same after the socket's filter has seen it; @hdr bytes in front are for the filter only. */
bool dgram_filter_queue(struct ep *e, struct pktbuf *p, u32 hdr);
/* When the queue is half full and its reader reads: ask who receives to let it run.  mu held. */
void dgram_behind(struct ep *e);
ssize_t dgram_recv(struct ep *e, struct net_msg *m,
		   void (*fill)(struct ep *e, struct pktbuf *p, struct net_msg *m));
ssize_t errq_recv(struct ep *e, struct net_msg *m);
void errq_add(struct ep *e, struct pktbuf *payload, int err, u8 origin, u8 type, u8 code,
	      u32 info, const struct ipaddr *offender, const struct net_sa *dst);
void errq_zerocopy(struct ep *e, u32 id);
/* A timestamp of now for what was sent: @what is SCM_TSTAMP_*.  mu held. */
void errq_stamp(struct ep *e, struct pktbuf *payload, u32 what, u32 id);
u32 dgram_poll(struct ep *e);
/* What SIOCINQ tells: the length of the next one.  SIOCOUTQ: 0, links take datagrams at once. */
long dgram_inq(struct ep *e);
long dgram_outq(struct ep *e, bool unsent);
struct send_ctl;
struct ip_tx;
/* TOS, TTL, multicast loop and fragmentation of one message to @t->dst: the socket's, and what @c overrides.  mu held. */
void dgram_out_opts(struct ep *e, const struct send_ctl *c, struct ip_tx *t);
int dgram_label(struct ep *e, const struct net_msg *m, const struct send_ctl *c, u32 *ret) must_check;
/* What one message carries in its IP header beside the usual. */
struct dgram_hdrs {
	struct ip4_opts opts;
	struct ipaddr end;              /* where a source route ends */
	u8 room[IP4OPT_MAX];
	struct ip6_ext ext;
	struct ip6_sticky *held;
};
/* Those of a message to @t->dst; *ret_via is where it goes first.  dgram_hdrs_done() afterwards, whatever happens.  mu held. */
void dgram_hdrs(struct ep *e, const struct send_ctl *c, struct ip_tx *t, struct dgram_hdrs *h, struct ipaddr *ret_via);
/* Into @t, whose source is known now and which @h must outlive. */
void dgram_hdrs_put(struct ep *e, struct dgram_hdrs *h, struct ip_tx *t);
void dgram_hdrs_done(struct dgram_hdrs *h);
static inline u32 dgram_hdrs_len(const struct dgram_hdrs *h) { return h->opts.len + ip6ext_len(&h->ext); }
/* Copy the caller's message into a fresh packet of at most 64 KiB. */
int dgram_gather(struct ep *e, struct net_io *io, size_t len, struct pktbuf **ret) must_check;

struct epmsg_out { u8 *buf; size_t room, used; bool trunc; };

/* tstamp.c: SO_TIMESTAMPING */
int tstamp_set(struct ep *e, int opt, const void *val, size_t len) must_check;
/* A datagram of @e left, by @flags (SOF_TIMESTAMPING_TX_*); @payload is borrowed.  mu held. */
void tstamp_sent(struct ep *e, struct pktbuf *payload, u32 flags);
/* SCM_TIMESTAMPING, when it was asked for. */
void tstamp_put(const struct ep *e, u64 stamp, struct epmsg_out *c);

/* cmsg.c */
void epmsg_put(struct epmsg_out *c, int level, int type, const void *data, size_t len);
/* Options that a datagram's control messages override. */
struct send_ctl {
	struct ipaddr src;
	u32 oif, mark;
	s16 ttl;
	int tos;                /* -1: not given */
	u16 gso_size;
	bool has_src, dontfrag, has_flow, has_opts4;
	u32 flow;               /* label: IPV6_FLOWINFO */
	u32 tsflags;            /* SOF_TIMESTAMPING_TX_* */
	struct ip4_opts opts4;  /* IP_RETOPTS */
	struct ip6_ext ext;     /* into the control messages */
};
int epmsg_parse(struct ep *e, const struct net_msg *m, struct send_ctl *ret) must_check;
/* The same of IPV6_2292PKTOPTIONS, which TCP takes as well. */
int epmsg_parse_sticky(struct ep *e, const struct net_msg *m, struct send_ctl *ret) must_check;
void epmsg_fill(struct ep *e, struct pktbuf *p, struct net_msg *m);

/* sockopt.c: levels SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6 for everyone. */
int epopt_set(struct ep *e, int level, int opt, const void *val, size_t len) must_check;
int epopt_get(struct ep *e, int level, int opt, void *val, size_t *len) must_check;
/* ipopt.c */
bool ipopt_is_mcast(int level, int opt);
int ipopt_int(const void *val, size_t len, int *ret) must_check;
int ipopt_set4(struct ep *e, int opt, const void *val, size_t len) must_check;
int ipopt_set6(struct ep *e, int opt, const void *val, size_t len) must_check;
int ipopt_get4(struct ep *e, int opt, void *val, size_t *len) must_check;
int ipopt_get6(struct ep *e, int opt, void *val, size_t *len) must_check;
int epopt_int(const void *val, size_t len, int *ret) must_check;
/* hdropt.c: what stands in IP headers */
int hdropt_set4(struct ep *e, const void *val, size_t len, bool net_raw) must_check;
int hdropt_get4(struct ep *e, void *val, size_t *len) must_check;
int hdropt_set6(struct ep *e, int opt, const void *val, size_t len) must_check;
int hdropt_get6(struct ep *e, int opt, void *val, size_t *len) must_check;
/* IPV6_2292PKTOPTIONS: control messages that say what every packet carries. */
int hdropt_set6_all(struct ep *e, const void *val, size_t len, bool net_raw) must_check;
/* IPV6_RECVHOPOPTS and its likes, and those of RFC 2292, whose numbers are others. */
void hdropt_fill6(const struct ep *e, const struct pktbuf *p, struct epmsg_out *c);
void hdropt_fill6_old(const struct ep *e, const struct pktbuf *p, struct epmsg_out *c);
void hdropt_fill4(const struct ep *e, const struct pktbuf *p, struct epmsg_out *c);
int epopt_put(void *val, size_t *len, const void *src, size_t n) must_check;
int epopt_put_int(void *val, size_t *len, int v) must_check;

/* filter.c: SO_ATTACH_FILTER */
int filter_attach(struct ep *e, const void *insns, size_t len) must_check;
int filter_detach(struct ep *e) must_check;
/* How many bytes of a packet its filter keeps, 0: drop it.  mu held. */
u32 filter_run(const struct ep *e, const struct pktbuf *p);
/* What a program that is not its filter says of a packet for @e. */
u32 filter_run_for(const struct filter *f, const struct ep *e, const struct pktbuf *p);

/* mcast.c: group membership of endpoints and links. */
int mc_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len) must_check;
void mc_leave_all(struct ep *e);
/* The i-th group that @n joined for endpoints. */
bool mc_nth_group(struct nic *n, unsigned i, struct ipaddr *ret);
/* Source filter of a membership; mu held. */
bool mc_ep_source_ok(struct ep *e, struct nic *n, const struct ipaddr *g, const struct ipaddr *src);
bool mc_nic_joined(struct nic *n, const struct ipaddr *group);
/* Does this endpoint want a packet to @group that came in on @n?  mu held. */
bool mc_ep_wants(struct ep *e, struct nic *n, const struct ipaddr *group);
