/*
 * api.h - all that the outside sees of the TCP/IP stack.
 *
 * A struct stack is one network namespace: links, addresses, routes,
 * neighbours and endpoints.  It owns no thread and no descriptor.  Its owner
 *  - gives it a clock, random bytes and a kick (struct stack_ops);
 *  - calls stack_run() when kicked and when the returned deadline is reached;
 *  - feeds frames by stack_rx() or link_fd_rx().
 * An endpoint (struct ep) is what a socket is made of.  No verb ever sleeps:
 * -EAGAIN or -EINPROGRESS, and the readiness callback tells when to try again.
 *
 * Errors are -errno as Linux gives them.  Option values, control messages and
 * struct tcp_info have Linux' layout, in kernel memory; ports are in host
 * order.  Constants (AF_*, SOCK_*, MSG_*, SO_*, POLL*) are libc's = Linux'.
 *
 * Locks: verbs take the endpoint's lock (RANK_SOCK) and table locks
 * (RANK_STACK); ep_recv() also a reader lock of RANK_FILE that is held while
 * the caller's copy function runs, and copies are never made under RANK_SOCK.
 * So: call with nothing of RANK_FILE or later held, and copy functions may
 * fault (RANK_MM).  Callbacks run under RANK_SOCK: they may take RANK_RPC and
 * later only (a waitq_wake() is fine) and never call back into the stack.
 */
#pragma once
#include <sys/types.h>
#include <sys/uio.h>
#include "platform/base/compiler.h"

struct stack;
struct ep;

/* An IPv6 address; IPv4 is ::ffff:a.b.c.d everywhere in the stack. */
struct ipaddr { u8 b[16]; };

#define NET_IFNAMSIZ 16
#define NET_NEVER    UINT64_MAX

/* A socket address of any family that the stack knows. */
struct net_sa {
	u16 family;             /* AF_INET, AF_INET6, AF_PACKET; AF_UNSPEC: none */
	u16 port;               /* host order; AF_PACKET: ethertype, host order */
	u32 scope;              /* interface index: sin6_scope_id, sll_ifindex */
	u32 flowinfo;
	struct ipaddr ip;       /* IPv4 mapped */
	u16 ll_hatype;          /* AF_PACKET only, from here */
	u8  ll_pkttype, ll_halen;
	u8  ll_addr[8];
};

/* ------------------------------------------------------------------ stack */

struct stack_ops {
	u64  (*now)(void *ctx);                         /* monotonic ns */
	u64  (*realtime)(void *ctx);                    /* ns since 1970 */
	void (*random)(void *ctx, void *buf, size_t n);
	void (*kick)(void *ctx);                        /* call stack_run() soon; takes LEAF only */
	/*
	 * For links between stacks: keep the stack alive until drop(); false: it is about to end.  hold() takes nothing, drop()
	 * may end the stack.  NULL: the owner sees to it.
	 */
	bool (*hold)(void *ctx);
	void (*drop)(void *ctx);
};

/* A new stack with a loopback link ("lo", index 1, down as Linux makes it). */
int stack_new(const struct stack_ops *ops, void *ctx, struct stack **ret) must_check;
/* All endpoints closed by their owners, no thread inside. */
void stack_free(struct stack *s);
/* Run what is due; returns the next deadline on the monotonic clock, or NET_NEVER. */
u64 stack_run(struct stack *s);
/* Give memory back that packets have not needed since the last call; true: there is more, call again in a few seconds. */
bool stack_trim(struct stack *s);
/* One frame arrives on link @ifindex (tests, fuzzers). */
void stack_rx(struct stack *s, u32 ifindex, const void *frame, size_t len);

/* sysctl by its path under net/, e.g. "ipv4/tcp_rmem"; values as text, as in /proc. */
int stack_sysctl_get(struct stack *s, const char *name, char *buf, size_t cap) must_check;
int stack_sysctl_set(struct stack *s, const char *name, const char *val) must_check;
/* i-th sysctl name or NULL. */
const char *stack_sysctl_name(unsigned i);

/* Counters as in /proc/net/snmp, netstat: "Ip" "InReceives" ...; NULL group ends. */
struct stack_counter { const char *group, *name; u64 value; };
int stack_counter(struct stack *s, unsigned i, struct stack_counter *ret) must_check;

/* ------------------------------------------------------------------ links */

enum {                                          /* what a link can carry for us */
	LINK_F_CSUM = 1,                        /* finishes transport checksums */
	LINK_F_TSO4 = 2, LINK_F_TSO6 = 4,       /* TCP super-frames */
	LINK_F_USO  = 8,                        /* UDP super-frames */
	LINK_F_RXCSUM = 16,                     /* vouches for checksums of what it brings */
};

struct link_cfg {
	char name[NET_IFNAMSIZ];
	u16  arphrd;                    /* ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_NONE */
	u8   mac[6];
	u32  mtu;
	u32  features;                  /* LINK_F_* */
	u32  ifindex;                   /* 0: the next free one */
};

struct link_info {
	u32  ifindex, flags;            /* IFF_* */
	u32  mtu, features;
	u16  arphrd;
	u8   mac[6];
	char name[NET_IFNAMSIZ];
	u32  txqlen;
	const char *kind;               /* rtnetlink's, of links that can be made and deleted; or NULL */
	u32  master;                    /* ifindex of the bridge that it is a port of, 0: none */
	const char *slave_kind;         /* ... and that one's kind */
	u32  link;                      /* ifindex of the other end, 0: none */
	const void *link_ctx;           /* ... and whose stack that is in (stack_new()'s); to be compared only */
	u64  rx_packets, rx_bytes, rx_errors, rx_dropped;
	u64  tx_packets, tx_bytes, tx_errors, tx_dropped, multicast;
};

/* How an fd-backed link reaches its descriptor: the owner's wrappers, -errno. */
struct link_fd_ops {
	ssize_t (*readv)(void *ctx, const struct iovec *iov, int n);
	ssize_t (*writev)(void *ctx, const struct iovec *iov, int n);
};

/*
 * A link over a packet socket or TAP descriptor; with @vnet every frame has a
 * struct virtio_net_hdr (10 bytes) in front.  Returns the index or -errno.
 */
int link_add_fd(struct stack *s, const struct link_cfg *cfg, const struct link_fd_ops *io,
		void *io_ctx, bool vnet) must_check;
/* Read up to @budget frames; how many were read (< budget: would block), or -errno. */
int link_fd_rx(struct stack *s, u32 ifindex, int budget);
/*
 * Since the last time asked, did what came fill more than half of a datagram socket whose reader reads?  Frames
 * wait better where they are (a packet socket holds thousands) than they are dropped at a full socket.
 */
bool stack_rx_behind(struct stack *s);

/*
 * A link whose wire is in the owner's hands, as behind /dev/net/tun: what the stack sends is read, what is written
 * arrives.  @cfg's name may have one %d; arphrd NONE: bare IP packets, ETHER: frames (TAP).  Returns the index or
 * -errno: -EBUSY, the name is taken; -ENOSPC, too many.  @ready (under RANK_NOTIFY) says that there is something to read.
 */
struct tun;
struct net_io;
int link_add_tun(struct stack *s, const struct link_cfg *cfg, void (*ready)(void *opaque), void *opaque,
		 struct tun **ret) must_check;
/*
 * One packet, behind struct tun_pi (@pi) and @vnet bytes of struct virtio_net_hdr (10 to 20, 0: none).
 * Bytes of all, -EAGAIN, -EFAULT; writing: -EINVAL, -EIO (the link is down).
 */
ssize_t tun_read(struct tun *t, bool pi, size_t vnet, struct net_io *io) must_check;
ssize_t tun_write(struct tun *t, bool pi, size_t vnet, struct net_io *io) must_check;
bool tun_readable(struct tun *t);
void tun_set_features(struct tun *t, u32 features);     /* LINK_F_* that the reader takes */
void tun_info(struct tun *t, struct link_info *ret);
void tun_close(struct tun *t);                          /* the link is gone, with its addresses and routes */

/*
 * Two links that are each other's wire, in one stack or in two (link/veth.c), both down.  Names may have one %d; a MAC of zeros: any.  The second
 * one is made first.  *ret_index of the two; -EEXIST: a name or an index is taken; -ENOSPC: too many.
 */
int link_add_veth(struct stack *const st[2], const struct link_cfg cfg[2], u32 ret_index[2]) must_check;
/*
 * Into another stack, as it is called, or as @name (may have one %d; or NULL) where somebody there is called so: it goes down and loses its addresses, its index stays if nobody there
 * has it (*ret_index).  The caller sees to it that both live.  -EINVAL: a link of this kind stays where it is; -EEXIST.
 */
int link_move(struct stack *s, u32 ifindex, struct stack *to, const char *name, u32 *ret_index) must_check;
bool link_name_ok(const char *name);

/* A bridge of links of the stack (link/bridge.c): its index or -errno.  A MAC of zeros: that of a port, until it is set. */
int link_add_bridge(struct stack *s, const struct link_cfg *cfg) must_check;
/* From now on it is a port of @master (0: of none).  -EINVAL: loopback, or no such bridge; -ELOOP: bridges are no ports; -EOPNOTSUPP; -EXFULL. */
int link_set_master(struct stack *s, u32 ifindex, u32 master) must_check;
/* The @i-th address that bridges have learned; -ENOENT ends. */
struct fdb_info { u32 ifindex, master; u8 mac[6]; };
int fdb_get(struct stack *s, u32 i, struct fdb_info *ret) must_check;

int link_get(struct stack *s, u32 ifindex, struct link_info *ret) must_check;
int link_by_name(struct stack *s, const char *name, struct link_info *ret) must_check;
/* The first link with an index greater than @after (0: the first); -ENODEV ends. */
int link_next(struct stack *s, u32 after, struct link_info *ret) must_check;
/* Set the flags in @mask (IFF_UP, IFF_PROMISC, ...) to @flags. */
int link_set_flags(struct stack *s, u32 ifindex, u32 flags, u32 mask) must_check;
int link_set_mtu(struct stack *s, u32 ifindex, u32 mtu) must_check;
int link_set_mac(struct stack *s, u32 ifindex, const u8 mac[6]) must_check;
int link_set_name(struct stack *s, u32 ifindex, const char *name) must_check;
int link_del(struct stack *s, u32 ifindex) must_check;

/* The i-th multicast group of a link, and how many sockets joined it; -ENOENT ends. */
int link_group_nth(struct stack *s, u32 ifindex, unsigned i, struct ipaddr *ret, u32 *ret_users) must_check;

/* -------------------------------------------- addresses, routes, neighbours */

struct addr_info {
	u32 ifindex;
	struct ipaddr ip, peer, brd;    /* peer = ip when there is none; brd zero: none */
	u8  plen;                       /* in its own family: 0-32 or 0-128 */
	u8  scope;                      /* RT_SCOPE_* */
	u32 flags;                      /* IFA_F_* */
	u32 valid_s, preferred_s;       /* UINT32_MAX: for ever; addr_add: valid 0 is that, too */
	char label[NET_IFNAMSIZ];
};

int addr_add(struct stack *s, const struct addr_info *a) must_check;     /* -EEXIST */
int addr_del(struct stack *s, const struct addr_info *a) must_check;     /* -EADDRNOTAVAIL */
/* New lifetimes in seconds (valid > 0), from now on: -EINVAL, -EADDRNOTAVAIL. */
int addr_set_life(struct stack *s, u32 ifindex, const struct ipaddr *ip, u32 valid, u32 preferred) must_check;
/* The i-th address, lifetimes as they are now; -ENOENT ends. */
int addr_nth(struct stack *s, unsigned i, struct addr_info *ret) must_check;
bool addr_is_local(struct stack *s, const struct ipaddr *ip);

struct route_info {
	u16 family;
	u8  plen, table, proto, scope, type, tos;       /* RT_TABLE_*, RTPROT_*, RT_SCOPE_*, RTN_* */
	bool has_gw, has_src;
	struct ipaddr dst, gw, src;                     /* dst has plen bits */
	u32 ifindex, metric, mtu, flags;                /* flags: RTNH_F_ONLINK */
};

int route_add(struct stack *s, const struct route_info *r, bool replace) must_check;
int route_del(struct stack *s, const struct route_info *r) must_check;   /* -ESRCH */
int route_nth(struct stack *s, unsigned i, struct route_info *ret) must_check;
/* Where a packet to @dst would go (RTM_GETROUTE, connect on UDP). */
int route_query(struct stack *s, const struct ipaddr *dst, const struct ipaddr *src, u32 oif,
		struct route_info *ret) must_check;

struct neigh_info {
	u32 ifindex;
	struct ipaddr ip;
	u8  mac[6];
	u16 state;                      /* NUD_* */
};

int neigh_set(struct stack *s, const struct neigh_info *n) must_check;
int neigh_del(struct stack *s, const struct neigh_info *n) must_check;
int neigh_nth(struct stack *s, unsigned i, struct neigh_info *ret) must_check;

/* -------------------------------------------------------------- endpoints */

/* Events are POLL* bits that just became true; see the lock rules above. */
typedef void ep_ready_fn(void *opaque, u32 events);

/* @type without SOCK_NONBLOCK/CLOEXEC.  Permission (raw, packet) is the caller's business. */
int ep_new(struct stack *s, int family, int type, int proto, ep_ready_fn *fn, void *opaque,
	   struct ep **ret) must_check;
/* The owner lets go; TCP goes on closing by itself (SO_LINGER honoured, never waits). */
void ep_close(struct ep *e);
/* (Re)direct readiness: for accepted endpoints.  No callback with the old pair runs afterwards. */
void ep_set_ready(struct ep *e, ep_ready_fn *fn, void *opaque);
/* What /proc/net/tcp and sock_diag tell of the owner, and what privilege SO_MARK etc. see. */
void ep_set_ident(struct ep *e, u32 uid, u32 gid, u64 ino);

int ep_bind(struct ep *e, const struct net_sa *sa) must_check;
/* Is the address one that ep_bind() would take? */
int ep_bind_addr(struct ep *e, const struct net_sa *sa) must_check;
/*
 * For what the owner itself serves inside the stack (a resolver): @sa goes to @e before any other
 * binding, and other endpoints can bind the port as if @e were not there.
 */
int ep_bind_service(struct ep *e, const struct net_sa *sa) must_check;
/* 0, -EINPROGRESS (wait for POLLOUT), -EALREADY, -EISCONN ... AF_UNSPEC disconnects. */
int ep_connect(struct ep *e, const struct net_sa *sa) must_check;
/* As a non-blocking connect(2): TCP says -EINPROGRESS even when the outcome is known already. */
int ep_connect_start(struct ep *e, const struct net_sa *sa) must_check;
/* What came of it: 0, -errno, or -EINPROGRESS. */
int ep_connect_result(struct ep *e) must_check;
int ep_listen(struct ep *e, int backlog) must_check;
/* -EAGAIN when nobody waits.  The new endpoint has no readiness callback yet. */
int ep_accept(struct ep *e, struct net_sa *peer, struct ep **ret) must_check;
int ep_shutdown(struct ep *e, int how) must_check;      /* SHUT_* */
u32 ep_poll(struct ep *e);                              /* POLL* bits true now */
int ep_error(struct ep *e);                             /* take SO_ERROR: 0 or -errno */
int ep_name(struct ep *e, bool peer, struct net_sa *ret) must_check;
void ep_peer_was(struct ep *e, struct net_sa *ret);       /* whom it was accepted from, though that may have gone */

/*
 * The caller's buffers, copied in order.  copy() moves @n bytes between the
 * next place of the caller's memory and @kbuf (towards kbuf when sending); it
 * returns 0 or -EFAULT.  It never sees more than @len bytes in all.
 */
struct net_io {
	size_t len;
	int (*copy)(struct net_io *io, void *kbuf, size_t n);
	/* The same for @n pieces one after the other, whose bytes moved it returns: all, or those before a fault.  NULL: copy() does it. */
	size_t (*copy_pieces)(struct net_io *io, const struct iovec *v, size_t n);
};

struct net_msg {
	struct net_io *io;
	u32 flags;              /* MSG_* of the call */
	struct net_sa *name;    /* send: destination or NULL; recv: filled when not NULL */
	void *ctl;              /* control messages, struct cmsghdr as Linux; NULL: none */
	size_t ctl_len;         /* send: bytes there; recv: room, then bytes used */
	u32 ret_flags;          /* recv: MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE */
	size_t taken;           /* send: bytes that left in a SYN, with -EINPROGRESS (see ep_send) */
	bool net_raw;           /* send: the sender has CAP_NET_RAW, which some options need */
};

/*
 * Bytes taken, or -errno.  Streams may take less than asked when their buffer
 * fills.  A fault after some bytes returns those bytes; else -EFAULT, and nothing
 * is lost.  -EPIPE: the caller raises SIGPIPE unless MSG_NOSIGNAL.
 *
 * MSG_FASTOPEN with a name, and the first send after a connect() that TCP_FASTOPEN_CONNECT
 * put off, connect as well: -EINPROGRESS and m->taken.  A caller that may not wait answers
 * with m->taken when it is not zero; one that may (without MSG_DONTWAIT) waits as for connect
 * and sends the rest.
 */
ssize_t ep_send(struct ep *e, struct net_msg *m) must_check;
/* Bytes given (0: end of stream, or an empty datagram).  MSG_PEEK, MSG_TRUNC honoured. */
ssize_t ep_recv(struct ep *e, struct net_msg *m) must_check;

/*
 * Any level; @len is the caller's optlen, checked here.  One thing differs from
 * setsockopt(2): the value of SO_ATTACH_FILTER is the array of instructions itself.
 */
int ep_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len) must_check;
/* In: room at @val; out: bytes written. */
int ep_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len) must_check;

/* IP_OPTIONS and IPV6_2292PKTOPTIONS, of which some need CAP_NET_RAW; by ep_setsockopt() they are set as without. */
int ep_set_ip_options(struct ep *e, const void *val, size_t len, bool net_raw) must_check;
int ep_set_ip6_options(struct ep *e, const void *val, size_t len, bool net_raw) must_check;

/*
 * IPV6_FLOWLABEL_MGR: @val is a struct in6_flowlabel_req, whose label is filled in.  Who asks: a label may be
 * one process's or one user's.
 */
struct flow_caller { u32 pid, uid; bool admin; };
int ep_flowlabel(struct ep *e, void *val, size_t len, const struct flow_caller *who) must_check;

/*
 * A receive ring for a packet socket (PACKET_RX_RING): geometry and access to its memory, which the
 * owner keeps until the ring is taken away (@c NULL) or the endpoint closed.  -EBUSY, -EINVAL.
 */
struct packet_ring_ops {
	void (*write)(void *ctx, u64 off, const void *buf, size_t n);
	u32  (*read32)(void *ctx, u64 off);
};
struct packet_ring_cfg {
	const struct packet_ring_ops *ops;
	void *ctx;
	u32 block_size, block_nr, frame_size, frame_nr;
};
int ep_packet_ring(struct ep *e, const struct packet_ring_cfg *c) must_check;

/* Socket filters for sockets that are not endpoints (netlink): the instructions, checked; kfree() ends one.  -EINVAL, -ENOMEM. */
struct filter;
int net_filter_new(const void *insns, size_t len, struct filter **ret) must_check;
/* How many of the @len bytes it keeps; 0: drop them. */
u32 net_filter_run(const struct filter *f, const void *p, u32 len);

/* SO_RCVTIMEO and SO_SNDTIMEO: ns, 0 = for ever. */
u64 ep_rcvtimeo(struct ep *e);
u64 ep_sndtimeo(struct ep *e);

long ep_inq(struct ep *e);              /* FIONREAD / SIOCINQ, or -errno */
long ep_outq(struct ep *e);             /* SIOCOUTQ */
long ep_outq_unsent(struct ep *e);      /* SIOCOUTQNSD */
int  ep_atmark(struct ep *e);           /* SIOCATMARK */
u64  ep_last_stamp(struct ep *e);       /* SIOCGSTAMP: ns since 1970 of the last datagram, 0 = none; from now on they are taken */

/* One row of /proc/net/{tcp,udp,raw,packet}[6], sock_diag. */
struct ep_info {
	u16 family, type, proto;
	u8  state;                      /* TCP_ESTABLISHED ... (1-12) */
	u8  timer;                      /* 0 none 1 rexmit 2 keepalive 3 time wait 4 probe */
	u8  shutdown;                   /* 1 receive, 2 send */
	struct net_sa local, remote;
	u32 ifindex, uid, mark;
	u64 ino, cookie;
	u64 timer_ns;                   /* until it fires */
	u32 retrans, rqueue, wqueue, backlog;
	u32 drops;
	u32 rcvbuf, sndbuf, rmem, wmem; /* SO_MEMINFO */
	u8  tos, tclass;
	bool port_chosen;               /* nobody asked for that port */
	char cong[16];                  /* TCP_CONGESTION, or empty */
	u32 tcp_info_len;               /* 0: none */
	u64 tcp_info[40];               /* TCP_INFO */
};

/* Break off what the endpoint with this cookie does, which sees ECONNABORTED.  -ENOENT, -EOPNOTSUPP. */
int ep_destroy(struct stack *s, u64 cookie) must_check;
/* fn returns non-zero to stop.  Called without locks. */
typedef int ep_dump_fn(void *arg, const struct ep_info *i);
/* @proto: IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW (raw sockets), 0 = packet sockets. */
int ep_dump(struct stack *s, int proto, ep_dump_fn *fn, void *arg);

/* -------------------------------------------------------------- netfilter */

#define NF_BLOB_MAX (4u << 20)          /* bytes of one table's entries */

/* What SET_REPLACE hands back: the replaced table's counters, and where the caller wants them. */
struct nf_old_counters { void *p; size_t len; u64 to; };       /* p: kfree() */

/*
 * iptables' options of level SOL_IP or SOL_IPV6 (@v6), layouts as in linux/netfilter_ipv4/ip_tables.h; the caller has
 * CAP_NET_ADMIN.  get: @val holds what the caller put there and takes the answer.  -ENOPROTOOPT: no such option.
 */
int nf_setsockopt(struct stack *s, bool v6, int opt, const void *val, size_t len, struct nf_old_counters *ret) must_check;
int nf_getsockopt(struct stack *s, bool v6, int opt, void *val, size_t len) must_check;
/* SO_ORIGINAL_DST: where the connection of @e went before it was redirected.  -ENOENT, -ENOPROTOOPT. */
int nf_original_dst(struct ep *e, struct net_sa *ret) must_check;
/* /proc/net/ip_tables_*: the i-th name, or NULL. */
enum nf_names { NF_NAMES_TABLES, NF_NAMES_MATCHES, NF_NAMES_TARGETS };
const char *nf_name(struct stack *s, bool v6, enum nf_names what, unsigned i);
/* Connections that are tracked: nf_conntrack_count. */
u32 nf_conntrack_count(struct stack *s);

/*
 * nf_tables (linux/netfilter/nf_tables.h): a batch is a copy of the state that is changed message by message
 * (NFT_MSG_*; @attrs are netlink attributes, hostile) and put in force by nft_commit(), which also ends it: 0,
 * -ERESTART (somebody else was faster), or what is wrong with the whole.
 */
struct nft_batch;
int nft_begin(struct stack *s, struct nft_batch **ret) must_check;
int nft_change(struct nft_batch *b, u8 family, u16 msg, u16 flags, const void *attrs, size_t len) must_check;
int nft_commit(struct nft_batch *b) must_check;
void nft_abort(struct nft_batch *b);            /* NULL is fine */
u32 nft_generation(struct stack *s);

/* What a look at the state is limited to: names empty, family 0 (AF_UNSPEC): all. */
struct nft_filter { u8 family; char table[64], chain[64]; };
/*
 * The @pos-th table, chain or rule (NFT_MSG_NEWTABLE, _NEWCHAIN, _NEWRULE) as attributes; *ret_family is whose it is.
 * Bytes; 0: @f does not want it; -ENOENT ends; -EMSGSIZE.
 */
ssize_t nft_nth(struct stack *s, u16 what, u32 pos, const struct nft_filter *f, u8 *buf, size_t cap, u8 *ret_family)
	must_check;
/* Which revisions of an xtables extension there are: the newest, or -ENOENT, -EPROTONOSUPPORT. */
int nft_compat(bool v6, bool target, const char *name, u32 rev) must_check;
