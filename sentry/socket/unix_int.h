/*
 * unix_int.h - AF_UNIX sockets inside (unix(7)).
 *
 * struct unix_sock is the connection end; struct unix_socket the file over it.  Peers
 * and queued packets hold the former, descriptors the latter, so that closing
 * the last descriptor is seen by the peer although it still refers to us.
 *
 * Files:  unix.c       create, release, poll
 *         unix_addr.c  names: bind, lookup, the abstract table
 *         unix_conn.c  listen, connect, accept, shutdown
 *         unix_xfer.c  sending and receiving
 *         unix_oob.c   the urgent byte of a stream (MSG_OOB)
 *         unix_opt.c   options
 *         unix_scm.c   descriptors and credentials in flight
 *         unix_gc.c    cycles of sockets in flight
 *
 * Locks:  u->mu (RANK_FILE) guards what is marked mu.  Two ends are locked only by
 *         mutex_lock_pair().  Nothing is sent, woken up or released under table->mu (LEAF).
 *         References to sockets are dropped without any u->mu held.
 * Life:   u->ref: the file, the peer pointer, packets from it (wmem), names.  A socket in
 *         a listener's backlog has no file yet: the backlog entry holds it.
 */
#pragma once
#include <sys/un.h>
#include "platform/base/hash.h"
#include "platform/base/list.h"
#include "sentry/socket/socket.h"

struct cred;
struct tgroup;

#define UNIX_MAX_DGRAM_QLEN 10
#define UNIX_PKT_OVERHEAD   576         /* what Linux charges for an skb, about */

struct unix_addr {                      /* immutable */
	struct ref ref;
	u32 len;                        /* of name, family included */
	struct sockaddr_un name;
};

struct unix_cred {
	int pid;
	u32 uid, gid;
	struct tgroup *tg;                      /* a reference or NULL */
	const struct cred *who;                 /* a reference; NULL in packets: for SO_PEERGROUPS */
};

enum unix_state { UNIX_CLOSE, UNIX_LISTEN, UNIX_ESTABLISHED, UNIX_DEAD };

struct unix_sock {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	int type;                               /* immutable */
	u64 net;                                /* immutable: number of its network namespace */
	u64 ino;                                /* immutable: socket:[n] */
	struct waitq wq;                        /* the file's */
	struct waitq peer_wait;                 /* POLLOUT: room in rq or the backlog, for others */
	struct waiter peer_waiter;              /* on peer->peer_wait while polled and the peer is full */
	struct unix_sock *waited;               /* mu; a reference: where peer_waiter is queued */
	_Atomic u32 wmem;                       /* bytes sent and not yet received */
	u32 sndbuf;                             /* copy of the file's option, atomic */
	bool no_rights;                         /* SO_PASSRIGHTS is off; atomic */
	bool wants_cred;                        /* SO_PASSCRED or SO_PASSPIDFD is on; atomic */

	struct mutex mu;                        /* RANK_FILE */
	enum unix_state state;
	struct unix_sock *peer;                 /* a reference */
	struct unix_addr *addr;                 /* a reference; NULL = unnamed. Set once, under mu: unix_addr_of() */
	struct path path;                       /* where bound, counted */
	struct hnode abstract;                  /* guarded by table->mu; hashed says if linked */
	bool hashed;
	int shutdown;                           /* 1 = no more receiving, 2 = no more sending */
	int err;                                /* positive errno for SO_ERROR */
	struct list_head rq;                    /* unix_pkt.node */
	u32 rq_len; u64 rq_bytes;
	struct unix_pkt *oob;                   /* in rq: the last urgent byte, until it is read or passed */
	s32 peek_off;                           /* SO_PEEK_OFF; < 0 is off */
	struct list_head backlog;               /* of a listener: unix_sock.backlog_node */
	struct list_head backlog_node;          /* guarded by the listener's mu */
	u32 backlog_len, backlog_max;
	struct unix_cred cred;                  /* who made us (or listened): what the peer sees */
	struct unix_cred peer_cred;             /* SO_PEERCRED */
	u32 inflight;                           /* guarded by table->mu: packets that carry our file */
	struct list_head inflight_node;         /* guarded by table->mu */
	u32 gc_at;                              /* one more than its place among the candidates, or 0. Whoever collects */
	struct file *file;                      /* guarded by table->mu: borrowed; NULL once released */
};

struct unix_socket {
	struct socket s;
	struct unix_sock *u;                    /* immutable, a reference */
};

struct unix_pkt {
	struct list_head node;                  /* guarded by the receiver's mu */
	struct unix_sock *from;                 /* a reference: whose wmem it is charged to, and whose name the reader is told */
	struct unix_cred cred;
	struct file **files;                    /* owned array of references */
	int nfiles;
	u32 len, off, charge;
	bool peeked;                            /* an empty one was looked at: SO_PEEK_OFF goes on behind it */
	ktime_t stamp;                          /* CLOCK_REALTIME */
	u8 data[];
};

struct unix_table {
	struct mutex mu;                        /* RANK_LEAF */
	struct hash_key key;                    /* immutable */
	struct htable abstract GUARDED_BY(mu);
	u64 inflight GUARDED_BY(mu);            /* descriptors of all kinds in all queues */
	struct list_head inflight_socks GUARDED_BY(mu);
	struct list_head doomed GUARDED_BY(mu); /* packets whose files somebody is dropping */
	bool draining GUARDED_BY(mu);
	bool collecting GUARDED_BY(mu);         /* unix_gc() is at work */
	u32 gc_skip GUARDED_BY(mu);             /* as many more calls of it do nothing */
};

/* Of a stream, a packet without bytes was an urgent one that MSG_OOB has read: the mark stays. */
static inline u32 unix_pkt_left(const struct unix_pkt *p) { return p->len - p->off; }

/* To compare with: no reference, and no lock is needed. */
static inline const struct unix_sock *unix_peek_peer(const struct unix_sock *u) { return __atomic_load_n(&u->peer, __ATOMIC_RELAXED); }

/* The name that @u has for the rest of its life, or NULL: none yet. No lock is needed. */
static inline struct unix_addr *unix_addr_of(const struct unix_sock *u) { return __atomic_load_n(&u->addr, __ATOMIC_ACQUIRE); }
static inline void unix_addr_set(struct unix_sock *u, struct unix_addr *a) { __atomic_store_n(&u->addr, a, __ATOMIC_RELEASE); }

static inline struct unix_sock *unix_of(struct socket *s) { return container_of(s, struct unix_socket, s)->u; }

/* unix.c */
struct unix_sock *unix_sock_new(struct task *t, int type) must_check;
struct unix_sock *unix_ref(struct unix_sock *u);
void unix_unref(struct unix_sock *u);                   /* NULL is fine */
/* A file over @u; its reference is taken over if that succeeds. */
int unix_file_new(struct task *t, struct unix_sock *u, u32 flags, struct socket **ret) must_check;
/* Nobody can use @u any more: tell the peer, empty the queues. */
void unix_sock_kill(struct unix_sock *u);
int unix_table_get(struct kernel *k, struct unix_table **ret) must_check;
void unix_wake_all(struct unix_sock *u, u32 async);     /* state changed: everybody look; ASYNC_* of vfs/fasync.h */
void unix_forget_wait(struct unix_sock *u);             /* peer_waiter off its queue */

/* unix_addr.c */
int unix_bind(struct task *t, struct socket *s, const void *name, u32 len) must_check;
int unix_autobind(struct task *t, struct unix_sock *u) must_check;
/* 0 if @name could be that of a socket, or -EINVAL. */
int unix_name_check(const void *name, u32 len) must_check;
/* SIOCUNIXFILE: a descriptor (O_PATH) for where @u is bound. */
int unix_bound_file(struct task *t, struct unix_sock *u) must_check;
/* The socket that @name means now, with a reference; checks @type. */
int unix_find(struct task *t, const void *name, u32 len, int type, struct unix_sock **ret) must_check;
/* Do @t's landlock layers keep it from @to's abstract name?  to->mu held. */
bool unix_out_of_reach(struct task *t, struct unix_sock *to);
void unix_unbind(struct unix_sock *u);
struct unix_addr *unix_addr_ref(struct unix_addr *a);
void unix_addr_unref(struct unix_addr *a);
int unix_getname(struct socket *s, bool peer, void *name);
int unix_addr_put(const struct unix_addr *a, void *name);       /* bytes */

/* unix_conn.c */
int unix_listen(struct task *t, struct socket *s, int backlog) must_check;
int unix_connect(struct task *t, struct socket *s, const void *name, u32 len, bool nonblock) must_check;
int unix_accept(struct task *t, struct socket *s, u32 flags, struct socket **ret) must_check;
int unix_shutdown(struct task *t, struct socket *s, int how) must_check;
void unix_marry(struct unix_sock *a, struct unix_sock *b);      /* connected to each other: socketpair */

/* unix_xfer.c */
ssize_t unix_sendmsg(struct task *t, struct socket *s, struct sock_msg *m) must_check;
void unix_msg_done(struct sock_msg *m);
ssize_t unix_recvmsg(struct task *t, struct socket *s, struct sock_msg *m) must_check;
bool unix_peer_full(struct unix_sock *u, struct unix_sock *to);

/* The packet behind @p, or NULL. u->mu held. */
struct unix_pkt *unix_pkt_next(struct unix_sock *u, struct unix_pkt *p);
/* Out of the queue, to be freed with those of @done. u->mu held. */
void unix_pkt_unqueue(struct unix_sock *u, struct unix_pkt *p, struct list_head *done);

/* unix_oob.c: u->mu held */
struct unix_pkt *unix_oob_pass(struct unix_sock *u, struct unix_pkt *p, bool peek, bool inl, bool taken,
			       struct list_head *done);
ssize_t unix_oob_recv(struct unix_sock *u, struct sock_msg *m, bool inl, struct list_head *done) must_check;
bool unix_at_mark(struct unix_sock *u);

/* unix_opt.c */
int unix_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n) must_check;
int unix_getsockopt(struct task *t, struct socket *s, int level, int opt, void *v, size_t cap) must_check;

/* unix_scm.c */
struct unix_scm { struct unix_cred cred; bool own_cred; struct file **files; int nfiles; };     /* own_cred: in the message */
int unix_scm_parse(struct task *t, const u8 *ctl, size_t len, struct unix_scm *ret) must_check;
void unix_scm_done(struct unix_scm *scm);
int unix_scm_inflight(struct task *t, struct unix_scm *scm) must_check; /* count them in: -ETOOMANYREFS */
void unix_scm_landed(struct kernel *k, struct file **files, int n);     /* and out again */
void unix_cred_of(struct task *t, struct unix_cred *ret);
void unix_cred_own(struct task *t, struct unix_cred *ret);             /* of a socket: with groups */
void unix_cred_copy(struct unix_cred *to, const struct unix_cred *from);
void unix_cred_done(struct unix_cred *c);
void unix_pkt_free(struct unix_pkt *p);
/* Free packets that may carry descriptors of sockets that carry descriptors ...: without recursion. */
void unix_pkts_doom(struct kernel *k, struct list_head *pkts);
struct unix_sock *unix_of_file(struct file *f);         /* borrowed; NULL: not a unix socket */

/* unix_gc.c */
void unix_gc(struct kernel *k);
