/*
 * socket.h - what all sockets have in common, and what a family supplies.
 *
 * A socket is a struct file.  The family embeds struct socket first and gives
 * a const sock_ops; the verbs below wait, honour SO_RCVTIMEO and SO_SNDTIMEO and
 * raise SIGPIPE, the ops of a family never wait.
 *
 * Life:  as struct file: the last file_unref() runs ops->release, which frees the family's object.
 * Locks: none of its own; opt fields are single words, read and written atomically.
 *        A family guards its state by its own lock of rank FILE or SOCK.
 */
#pragma once
#include <sys/socket.h>
#include "sentry/vfs/file.h"

struct socket;
struct task;
struct kernel;
struct net;

#define SOCK_NAME_MAX 128               /* sizeof(struct sockaddr_storage) */
#define SOCK_2292PKTOPTIONS 6           /* IPV6_2292PKTOPTIONS, the same */
#define SOCK_FLOWLABEL_MGR 32           /* IPV6_FLOWLABEL_MGR, whose header (linux/in6.h) quarrels with the C library's */
#define SOCK_FDS_MAX  253               /* SCM_MAX_FD */

/* Control messages on their way to the guest, as put_cmsg() of Linux lays them out. */
struct cmsg_out {
	u8 *buf;                        /* kernel memory of cap bytes */
	size_t cap, len;
	bool trunc;                     /* MSG_CTRUNC */
	bool cloexec;                   /* MSG_CMSG_CLOEXEC */
	int nfds;                       /* descriptors reserved, told in buf, not yet published */
	struct { int fd; struct file *file; } fds[SOCK_FDS_MAX + 2];
};

void cmsg_put(struct cmsg_out *c, int level, int type, const void *data, size_t len);
/* Reserve numbers for @files (references taken over) and tell them. */
void cmsg_put_rights(struct task *t, struct cmsg_out *c, struct file **files, int n);
/* One descriptor that can also be refused: SCM_PIDFD. Takes the reference. */
void cmsg_put_fd(struct task *t, struct cmsg_out *c, int level, int type, struct file *f);
/* The guest has (or has not) been told: publish the descriptors or take the numbers back. */
void cmsg_finish(struct task *t, struct cmsg_out *c, bool told);

struct sock_msg {
	struct iobuf *b;
	u32 flags;                      /* MSG_* of the call */
	u32 namelen;                    /* send: 0 = none; recv: length of the source, 0 = none */
	u8 name[SOCK_NAME_MAX];         /* sockaddr, zeroed beyond namelen */
	const u8 *ctl;                  /* send: control messages as the guest laid them out */
	size_t ctl_len;
	struct cmsg_out *out;           /* recv: NULL = no room offered */
	u32 ret_flags;                  /* recv: MSG_TRUNC, MSG_CTRUNC ... */
	bool boundary;                  /* recv: MSG_WAITALL ends here */
	bool no_wait;                   /* send: -EAGAIN is the answer, not a reason to wait */
	size_t copied;                  /* recv: what earlier ops of this call have given */
	void *prepared;                 /* family's own, made by the first send op; freed by msg_done */
	struct waitq *wait_on;          /* -EAGAIN: this queue tells of room, not the socket's own */
	struct file *wait_hold;         /* a reference that keeps wait_on, or NULL */
};

/*
 * What a family can do.  >= 0 or -errno; -EAGAIN means wait on f->wq (or m->wait_on).
 * NULL is -EOPNOTSUPP unless said otherwise.
 */
struct sock_ops {
	int family;
	int (*bind)(struct task *, struct socket *, const void *name, u32 len);
	/* May wait itself unless @nonblock. */
	int (*connect)(struct task *, struct socket *, const void *name, u32 len, bool nonblock);
	int (*listen)(struct task *, struct socket *, int backlog);
	int (*accept)(struct task *, struct socket *, u32 flags, struct socket **ret);
	int (*getname)(struct socket *, bool peer, void *name);                 /* bytes */
	int (*accepted_from)(struct socket *, void *name);      /* the peer that may have gone: bytes. Getname */
	ssize_t (*sendmsg)(struct task *, struct socket *, struct sock_msg *);
	void (*msg_done)(struct sock_msg *);                                    /* nothing to free */
	ssize_t (*recvmsg)(struct task *, struct socket *, struct sock_msg *);
	int (*shutdown)(struct task *, struct socket *, int how);
	int (*setsockopt)(struct task *, struct socket *, int level, int opt, const void *v, size_t n);
	int (*getsockopt)(struct task *, struct socket *, int level, int opt, void *v, size_t cap);  /* bytes */
	long (*ioctl)(struct task *, struct socket *, u32 cmd, gaddr_t arg);    /* -ENOTTY */
	u32 (*poll)(struct socket *);                                           /* required */
	int (*map)(struct socket *, u64 off, u64 len, struct mapping *ret);     /* -ENODEV */
	void (*release)(struct socket *);                                       /* required: socket_done, kfree */
};

/* Values of SOL_SOCKET that mean the same in every family. */
struct sock_opts {
	s64 rcvtimeo, sndtimeo;         /* ns; 0 = for ever */
	u32 sndbuf, rcvbuf;             /* as told: doubled already */
	s32 rcvlowat, priority, linger; /* linger: seconds, stays when it is switched off */
	bool linger_on, reuseaddr, reuseport, keepalive, broadcast, oobinline, dontroute;
	bool passcred, passpidfd, passsec, timestamp, timestampns, inq;
	bool rxq_ovfl, wifi, nofcs, select_err, lock_filter, rcvmark, rcvprio, busy;     /* kept and shown */
	u8 buf_lock;
	u32 mark;
};

struct socket {
	struct file f;
	const struct sock_ops *ops;     /* immutable */
	struct kernel *kernel;          /* immutable */
	struct net *net;                /* immutable: a reference, or NULL */
	int family, type, proto;        /* immutable */
	struct sock_opts opt;
};

/* @wq is the family's; it outlives the file. @flags: SOCK_NONBLOCK, SOCK_CLOEXEC is the caller's. */
void socket_init(struct task *t, struct socket *s, const struct sock_ops *ops, int family, int type,
		 int proto, u32 flags, struct waitq *wq);
void socket_done(struct socket *s);             /* for release ops */
struct socket *socket_of(struct file *f);       /* NULL: not a socket */
bool inet_at_mark(struct file *f);              /* a TCP socket whose next byte is urgent: splice() ends there */

/* The family table. @type with SOCK_NONBLOCK. */
int socket_create(struct task *t, int family, int type, int proto, struct file **ret) must_check;
int socket_pair(struct task *t, int family, int type, int proto, struct file **a, struct file **b) must_check;

int socket_connect(struct task *t, struct socket *s, const void *name, u32 len) must_check;
int socket_accept(struct task *t, struct socket *s, u32 flags, struct file **ret) must_check;
ssize_t socket_send(struct task *t, struct socket *s, struct sock_msg *m) must_check;
ssize_t socket_recv(struct task *t, struct socket *s, struct sock_msg *m) must_check;

/* SOL_SOCKET options of struct sock_opts; -ENOPROTOOPT for the rest. get: bytes. */
int sockopt_set(struct task *t, struct socket *s, int opt, const void *v, size_t n) must_check;
int sockopt_get(struct socket *s, int opt, void *v, size_t cap) must_check;
/* An option whose value is the descriptor of an eBPF program, of which there are none: what is wrong with it. */
/* The instructions of SO_ATTACH_FILTER, which the guest gives as a length and a pointer: kfree(). */
int sockopt_filter_in(struct task *t, const void *v, size_t n, u8 **ret, size_t *ret_bytes) must_check;
int sockopt_no_bpf(struct task *t, const void *v, size_t n) must_check;

/* Deadline of a wait that may last @ns (0 = for ever). */
ktime_t sock_deadline(struct kernel *k, s64 ns);
/* What a wait that ended with @r gives: -EAGAIN after a timeout, EINTR instead of a restart if timed. */
int sock_wait_error(int r, s64 ns);

/* AF_UNIX */
int unix_create(struct task *t, int type, int proto, struct file **ret) must_check;
int unix_pair(struct task *t, int type, int proto, struct file **a, struct file **b) must_check;

/* AF_INET, AF_INET6, AF_PACKET */
int inet_create(struct task *t, int type, int proto, struct file **ret) must_check;
int inet6_create(struct task *t, int type, int proto, struct file **ret) must_check;
int packet_create(struct task *t, int type, int proto, struct file **ret) must_check;
