/*
 * netlink.c - AF_NETLINK sockets as files: ports, the queue of replies, dispatch of requests.
 *
 * The kernel's end is the only peer.  What a request changes is told to the members of its group;
 * changes by other ways (ioctls, router advertisements, neighbours that come and go) are not.
 * NETLINK_KOBJECT_UEVENT is quiet: a sandbox has no devices that appear.
 *
 * Locks: ns->mu (RANK_FILE) guards the queue, the dump and the destination; it is held while a
 * datagram is copied out, so that a fault loses nothing.  The table's mu (LEAF) guards ports.
 * Life: as struct socket; in the table while it has a port.
 */
#include "sentry/socket/netlink.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/ioctl.h>
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/vfs/fasync.h"

#define MSG_BYTES_MAX (128 * 1024)      /* largest datagram taken from the guest */
#define ROUTE_GROUPS 39         /* RTNLGRP_MAX */
#define OTHER_GROUPS 32
#define WORDS_MAX 256                   /* of an error's explanation */
#define MEMBERS_MAX 64                  /* that are told of one change */

struct nl_pkt {
	struct list_head node;
	u8 *data;
	u32 len;
	u32 group;                      /* multicast to it, or 0 */
};

struct nl_sock {
	struct socket s;
	struct waitq wq;
	int (*request)(struct nl_req *q);       /* immutable */
	struct netlink_table *table;            /* immutable */
	struct list_head node;                  /* guarded by table->mu */
	_Atomic u32 portid;                     /* set once under table->mu; 0: none yet */
	struct mutex mu;                        /* RANK_FILE */
	struct list_head rq GUARDED_BY(mu);
	u32 rq_bytes GUARDED_BY(mu);
	int err GUARDED_BY(mu);                 /* told once; positive */
	u32 dst_pid GUARDED_BY(mu), dst_groups GUARDED_BY(mu);
	u64 groups GUARDED_BY(mu);
	struct nl_dump dump GUARDED_BY(mu);
	bool dumping GUARDED_BY(mu);
	struct filter *filter GUARDED_BY(mu);   /* SO_ATTACH_FILTER, or NULL */
	bool pktinfo, cap_ack, strict, ext_ack, no_enobufs, bcast_error, all_nsid;      /* single words */
};

static struct nl_sock *to_nl(struct socket *s) { return container_of(s, struct nl_sock, s); }

void netlink_table_init(struct netlink_table *nt)
{
	mutex_init(&nt->mu, RANK_LEAF);
	list_init(&nt->socks);
}

/* ---- ports ---- */

static bool port_used(struct netlink_table *nt, int proto, u32 port) REQUIRES(nt->mu)
{
	struct nl_sock *n;

	list_for_each(n, &nt->socks, node)
		if (n->s.proto == proto && atomic_load(&n->portid) == port)
			return true;
	return false;
}

/* Take @port, or any when it is 0. */
static int take_port(struct task *t, struct nl_sock *ns, u32 port)
{
	struct netlink_table *nt = ns->table;
	bool any = port == 0;
	int r = 0;

	if (any)
		port = (u32)pid_nr(t, t->tg->tgid);
	mutex_lock(&nt->mu);
	if (atomic_load(&ns->portid)) {
		r = any || atomic_load(&ns->portid) == port ? 0 : -EINVAL;
		goto out;
	}
	while (any && port_used(nt, ns->s.proto, port)) {
		rand_bytes(&port, sizeof(port));
		port |= 0x80000000u;            /* no process has such a number */
	}
	if (port_used(nt, ns->s.proto, port)) {
		r = -EADDRINUSE;
		goto out;
	}
	atomic_store(&ns->portid, port);
	list_add_tail(&ns->node, &nt->socks);
out:
	mutex_unlock(&nt->mu);
	return r;
}

static int nl_name_in(const void *name, u32 len, struct sockaddr_nl *nl)
{
	if (len < sizeof(*nl))
		return -EINVAL;
	memcpy(nl, name, sizeof(*nl));
	return nl->nl_family == AF_NETLINK ? 0 : -EINVAL;
}

static int nl_bind(struct task *t, struct socket *s, const void *name, u32 len)
{
	struct nl_sock *ns = to_nl(s);
	struct sockaddr_nl nl;
	int r = nl_name_in(name, len, &nl);

	if (r == 0 && !nl.nl_pid && atomic_load(&ns->portid))
		r = -EINVAL;            /* not the one that it has */
	if (r == 0)
		r = take_port(t, ns, nl.nl_pid);
	if (r < 0)
		return r;
	mutex_lock(&ns->mu);
	ns->groups = (ns->groups & ~(u64)UINT32_MAX) | nl.nl_groups;
	mutex_unlock(&ns->mu);
	return 0;
}

static int nl_connect(struct task *t, struct socket *s, const void *name, u32 len, bool nonblock)
{
	struct nl_sock *ns = to_nl(s);
	struct sockaddr_nl nl = { 0 };
	u16 family;
	int r = 0;

	(void)nonblock;
	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, name, sizeof(family));
	if (family != AF_UNSPEC) {
		r = nl_name_in(name, len, &nl);
		if (r == 0 && (nl.nl_pid || nl.nl_groups) && !net_capable(t, ns->s.net, CAP_NET_ADMIN))
			r = -EPERM;
		if (r == 0)
			r = take_port(t, ns, 0);
	}
	if (r < 0)
		return r;
	mutex_lock(&ns->mu);
	ns->dst_pid = nl.nl_pid;
	ns->dst_groups = nl.nl_groups;
	mutex_unlock(&ns->mu);
	return 0;
}

static int nl_getname(struct socket *s, bool peer, void *name)
{
	struct nl_sock *ns = to_nl(s);
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };

	mutex_lock(&ns->mu);
	nl.nl_pid = peer ? ns->dst_pid : atomic_load(&ns->portid);
	nl.nl_groups = peer ? ns->dst_groups : (u32)ns->groups;
	mutex_unlock(&ns->mu);
	memcpy(name, &nl, sizeof(nl));
	return sizeof(nl);
}

/* ---- replies ---- */

/* Queue a copy of @len bytes; a reader that is too slow is told ENOBUFS. */
static void enqueue_for(struct nl_sock *ns, const void *data, u32 len, u32 group) REQUIRES(ns->mu)
{
	struct nl_pkt *p;

	if (ns->filter)
		len = MIN(len, net_filter_run(ns->filter, data, len));
	if (!len)
		return;
	if (ns->rq_bytes + len > ns->s.opt.rcvbuf)
		goto lost;
	p = knew(struct nl_pkt);
	if (!p)
		goto lost;
	p->data = kbuf_alloc(len);
	if (!p->data) {
		kfree(p);
		goto lost;
	}
	memcpy(p->data, data, len);
	p->len = len;
	p->group = group;
	list_add_tail(&p->node, &ns->rq);
	ns->rq_bytes += len;
	return;
lost:
	if (!ns->no_enobufs)
		ns->err = ENOBUFS;
}

static void enqueue(struct nl_sock *ns, const void *data, u32 len) REQUIRES(ns->mu)
{
	enqueue_for(ns, data, len, 0);
}

bool netlink_is(struct file *f)
{
	struct socket *s = socket_of(f);

	return s && s->family == AF_NETLINK;
}

void netlink_post(struct file *f, const void *data, u32 len)
{
	struct nl_sock *ns = to_nl(socket_of(f));

	mutex_lock(&ns->mu);
	enqueue(ns, data, len);
	mutex_unlock(&ns->mu);
	waitq_wake(&ns->wq, POLLIN | POLLRDNORM | ASYNC_IN);
}

/* Tell every socket of @proto that is a member of @group.  No lock held. */
static void multicast(struct netlink_table *nt, int proto, const struct nl_pkt *p)
{
	struct nl_sock *n, *hit[MEMBERS_MAX];
	int cnt = 0;

	mutex_lock(&nt->mu);
	list_for_each(n, &nt->socks, node)
		if (n->s.proto == proto && cnt < MEMBERS_MAX && ref_get_unless_zero(&n->s.f.ref))
			hit[cnt++] = n;
	mutex_unlock(&nt->mu);
	for (int i = 0; i < cnt; i++) {
		bool member;

		mutex_lock(&hit[i]->mu);
		member = hit[i]->groups >> (p->group - 1) & 1;
		if (member)
			enqueue_for(hit[i], p->data, p->len, p->group);
		mutex_unlock(&hit[i]->mu);
		if (member)
			waitq_wake(&hit[i]->wq, POLLIN | POLLRDNORM | ASYNC_IN);
		file_unref(&hit[i]->s.f);
	}
}

/* What a request has changed, until nothing is locked any more. */
static void keep_note(struct list_head *notes, const struct nl_req *q)
{
	struct nl_pkt *p = q->note_group ? knew(struct nl_pkt) : NULL;

	if (!p)
		return;
	p->data = kbuf_alloc(q->note->len);
	if (!p->data) {
		kfree(p);
		return;
	}
	memcpy(p->data, q->note->p, q->note->len);
	p->len = q->note->len;
	p->group = q->note_group;
	list_add_tail(&p->node, notes);
}

static void tell_notes(struct netlink_table *nt, int proto, struct list_head *notes)
{
	struct nl_pkt *p, *next;

	list_for_each_safe(p, next, notes, node) {
		multicast(nt, proto, p);
		kfree(p->data);
		kfree(p);
	}
}

static void drop_code(struct nl_dump *d)
{
	kfree(d->code);
	d->code = NULL;
}

/* The next datagram of a dump, when all before it has been read. */
static void dump_more(struct nl_sock *ns) REQUIRES(ns->mu)
{
	struct nl_dump *d = &ns->dump;
	u8 *room;

	if (!ns->dumping || !list_empty(&ns->rq))
		return;
	room = kbuf_alloc(NL_DGRAM);
	if (!room) {
		ns->err = ENOBUFS;
		ns->dumping = false;
		drop_code(d);
		return;
	}
	struct nl_buf b = { .p = room, .cap = NL_DGRAM };

	/* A message that does not fit an empty datagram would never: it ends the dump. */
	if (d->fill(d, &b) == 0 || b.len == 0)
		ns->dumping = false;
	if (b.len)
		enqueue(ns, room, b.len);
	if (!ns->dumping) {
		s32 err = d->err;
		bool words = d->why && ns->ext_ack;

		b = (struct nl_buf){ .p = room, .cap = NL_DGRAM };
		nl_begin(&b, NLMSG_DONE, NLM_F_MULTI | d->flags | (words ? NLM_F_ACK_TLVS : 0), d->seq, d->portid, &err, sizeof(err));
		if (words)
			nl_attr_str(&b, NLMSGERR_ATTR_MSG, d->why);
		(void)nl_end(&b);
		enqueue(ns, room, b.len);
		drop_code(d);
	}
	kfree(room);
}

/* NLMSG_ERROR for @h, which lies before its @len - 16 bytes of body; error 0 is an acknowledgement. */
static void acknowledge(struct nl_sock *ns, const struct nlmsghdr *h, const u8 *msg, int error, const struct nl_ext *x)
	REQUIRES(ns->mu)
{
	bool cut = !error || ns->cap_ack, words = error && ns->ext_ack && (x->msg || x->at);
	u32 echo = cut ? sizeof(*h) : h->nlmsg_len;
	struct nl_buf b = { .cap = NLMSG_HDRLEN + sizeof(s32) + NLMSG_ALIGN(echo) + (words ? WORDS_MAX : 0) };
	u16 flags = (cut ? NLM_F_CAPPED : 0) | (words ? NLM_F_ACK_TLVS : 0);
	u8 *fixed = kbuf_alloc(sizeof(s32) + echo);
	s32 e = error;

	b.p = kbuf_alloc(b.cap);
	if (b.p && fixed) {
		memcpy(fixed, &e, sizeof(e));
		memcpy(fixed + sizeof(e), msg, echo);
		nl_begin(&b, NLMSG_ERROR, flags, h->nlmsg_seq, atomic_load(&ns->portid), fixed, sizeof(e) + echo);
		if (words && x->msg)
			nl_attr_str(&b, NLMSGERR_ATTR_MSG, x->msg);
		if (words && x->at)
			nl_attr_u32(&b, NLMSGERR_ATTR_OFFS, x->at);
		if (nl_end(&b))
			enqueue(ns, b.p, b.len);
	} else {
		ns->err = ENOBUFS;
	}
	kfree(b.p);
	kfree(fixed);
}

static int one_request(struct task *t, struct nl_sock *ns, const struct nlmsghdr *h, const u8 *msg,
		       struct nl_batch *batch, const struct nl_targets *targets, struct list_head *notes, struct nl_ext *ret_ext)
	REQUIRES(ns->mu)
{
	u8 *room = kbuf_alloc(2 * NL_DGRAM);
	struct nl_buf b = { .p = room, .cap = NL_DGRAM }, note = { .p = room + NL_DGRAM, .cap = NL_DGRAM };
	struct nl_dump d = { .seq = h->nlmsg_seq, .portid = atomic_load(&ns->portid) };
	struct nl_req q = {
		.t = t, .st = net_stack(ns->s.net), .net = ns->s.net, .h = *h, .body = msg + NLMSG_HDRLEN,
		.len = h->nlmsg_len - NLMSG_HDRLEN, .portid = d.portid, .strict = ns->strict,
		.reply = &b, .dump = &d, .note = &note, .batch = batch, .targets = targets,
	};
	int r;

	if (!room)
		return -ENOBUFS;
	r = ns->request(&q);
	*ret_ext = q.ext;
	keep_note(notes, &q);
	d.st = q.st;
	if (r == NL_DUMP && ns->dumping) {
		drop_code(&d);
		r = -EBUSY;
	} else if (r == NL_DUMP) {
		ns->dump = d;
		ns->dumping = true;
		dump_more(ns);
	} else if (r == 0 && b.len) {
		enqueue(ns, room, b.len);
	}
	kfree(room);
	return r;
}

static void requests(struct task *t, struct nl_sock *ns, const u8 *buf, u32 len, const struct nl_targets *targets,
		     struct list_head *notes) REQUIRES(ns->mu)
{
	const u8 *const first = buf;
	struct nl_batch batch = { 0 };

	while (len >= NLMSG_HDRLEN) {
		struct nl_ext x = { 0 };
		struct nlmsghdr h;
		u32 step;
		int r = 0;

		/* To check a batch of rules may take long. */
		if (buf != first) {
			mutex_let_others();
			if (task_killed(t))
				break;
		}
		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > len)
			break;
		if ((h.nlmsg_flags & NLM_F_REQUEST) && h.nlmsg_type >= NLMSG_MIN_TYPE)
			r = one_request(t, ns, &h, buf, &batch, targets, notes, &x);
		if (r < 0 || ((h.nlmsg_flags & NLM_F_ACK) && r != NL_DUMP))
			acknowledge(ns, &h, buf, r, &x);
		step = MIN((u32)NLMSG_ALIGN(h.nlmsg_len), len);
		buf += step;
		len -= step;
	}
	nft_abort(batch.nft);
}

/* ---- messages ---- */

static int check_dest(struct task *t, struct nl_sock *ns, const struct sock_msg *m)
{
	struct sockaddr_nl nl = { 0 };
	int r;

	if (m->namelen) {
		r = nl_name_in(m->name, m->namelen, &nl);
		if (r < 0)
			return r;
	} else {
		mutex_lock(&ns->mu);
		nl.nl_pid = ns->dst_pid;
		nl.nl_groups = ns->dst_groups;
		mutex_unlock(&ns->mu);
	}
	if ((nl.nl_pid || nl.nl_groups) && !net_capable(t, ns->s.net, CAP_NET_ADMIN))
		return -EPERM;
	return nl.nl_pid ? -ECONNREFUSED : 0;
}

static ssize_t nl_sendmsg(struct task *t, struct socket *s, struct sock_msg *m)
{
	struct nl_sock *ns = to_nl(s);
	struct nl_targets targets = { .n = 0 };
	struct list_head notes;
	size_t len = m->b->left;
	ssize_t n = 0;
	u8 *buf;
	int r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	r = check_dest(t, ns, m);
	if (r == 0 && !atomic_load(&ns->portid))
		r = take_port(t, ns, 0);
	if (r < 0)
		return r;
	if (len > MSG_BYTES_MAX || len + 32 > s->opt.sndbuf)
		return -EMSGSIZE;
	if (!len)
		return -ENODATA;
	buf = kbuf_alloc(len);
	if (!buf)
		return -ENOBUFS;
	n = iobuf_get(m->b, buf, len);
	if (n != (ssize_t)len) {
		kfree(buf);
		return -EFAULT;
	}
	list_init(&notes);
	if (s->proto == NETLINK_ROUTE)
		netlink_targets_find(t, buf, (u32)len, &targets);
	mutex_lock(&ns->mu);
	requests(t, ns, buf, (u32)len, &targets, &notes);
	mutex_unlock(&ns->mu);
	netlink_targets_done(&targets);
	kfree(buf);
	tell_notes(ns->table, s->proto, &notes);
	waitq_wake(&ns->wq, POLLIN | POLLRDNORM | ASYNC_IN);
	return n;
}

/* Copy the first datagram; it stays where it is after a fault. */
static ssize_t take_first(struct nl_sock *ns, struct sock_msg *m, u32 *ret_group) REQUIRES(ns->mu)
{
	struct nl_pkt *p;
	size_t n;
	ssize_t r;

	if (ns->err) {
		r = -ns->err;
		ns->err = 0;
		return r;
	}
	if (list_empty(&ns->rq))
		return -EAGAIN;
	p = list_first(&ns->rq, struct nl_pkt, node);
	n = MIN((size_t)p->len, m->b->left);
	r = n ? iobuf_put(m->b, p->data, n) : 0;
	if (r != (ssize_t)n)
		return -EFAULT;
	if (n < p->len)
		m->ret_flags |= MSG_TRUNC;
	*ret_group = p->group;
	if (m->flags & MSG_TRUNC)
		r = (ssize_t)p->len;
	if (!(m->flags & MSG_PEEK)) {
		list_del_init(&p->node);
		ns->rq_bytes -= p->len;
		kfree(p->data);
		kfree(p);
		dump_more(ns);
	}
	return r;
}

static ssize_t nl_recvmsg(struct task *t, struct socket *s, struct sock_msg *m)
{
	struct nl_sock *ns = to_nl(s);
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	u32 group = 0;
	ssize_t r;

	(void)t;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	mutex_lock(&ns->mu);
	r = take_first(ns, m, &group);
	mutex_unlock(&ns->mu);
	if (r < 0)
		return r;
	from.nl_groups = group && group <= 32 ? 1u << (group - 1) : 0;
	memcpy(m->name, &from, sizeof(from));
	m->namelen = sizeof(from);
	if (s->opt.passcred) {
		struct ucred kernel = { 0 };

		cmsg_put(m->out, SOL_SOCKET, SCM_CREDENTIALS, &kernel, sizeof(kernel));
	}
	if (ns->pktinfo) {
		struct nl_pktinfo info = { .group = group };

		cmsg_put(m->out, SOL_NETLINK, NETLINK_PKTINFO, &info, sizeof(info));
	}
	return r;
}

/* ---- options ---- */

static bool *flag_of(struct nl_sock *ns, int opt)
{
	switch (opt) {
	case NETLINK_PKTINFO:
		return &ns->pktinfo;
	case NETLINK_BROADCAST_ERROR:
		return &ns->bcast_error;
	case NETLINK_NO_ENOBUFS:
		return &ns->no_enobufs;
	case NETLINK_CAP_ACK:
		return &ns->cap_ack;
	case NETLINK_EXT_ACK:
		return &ns->ext_ack;
	case NETLINK_GET_STRICT_CHK:
		return &ns->strict;
	case NETLINK_LISTEN_ALL_NSID:
		return &ns->all_nsid;
	default:
		return NULL;
	}
}

static int set_filter(struct task *t, struct nl_sock *ns, bool attach, const void *v, size_t n)
{
	struct filter *f = NULL, *old;
	size_t bytes = 0;
	u8 *code = NULL;
	int r = attach ? sockopt_filter_in(t, v, n, &code, &bytes) : 0;

	if (r == 0 && attach)
		r = net_filter_new(code, bytes, &f);
	kfree(code);
	if (r < 0)
		return r;
	mutex_lock(&ns->mu);
	old = f;
	if (ns->s.opt.lock_filter) {
		r = -EPERM;
	} else {
		old = ns->filter;
		ns->filter = f;
		r = attach || old ? 0 : -ENOENT;
	}
	mutex_unlock(&ns->mu);
	kfree(old);
	return r;
}

static int nl_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n)
{
	struct nl_sock *ns = to_nl(s);
	bool *flag = flag_of(ns, opt);
	u32 val = 0;

	if (level == SOL_SOCKET && (opt == SO_ATTACH_FILTER || opt == SO_DETACH_FILTER))
		return set_filter(t, ns, opt == SO_ATTACH_FILTER, v, n);
	if (level == SOL_SOCKET)
		return sockopt_set(t, s, opt, v, n);
	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (n >= sizeof(val))
		memcpy(&val, v, sizeof(val));
	if (opt == NETLINK_LISTEN_ALL_NSID && !net_capable(t, s->net, CAP_NET_BROADCAST))
		return -EPERM;
	if (flag) {
		*flag = val != 0;
		return 0;
	}
	if (opt != NETLINK_ADD_MEMBERSHIP && opt != NETLINK_DROP_MEMBERSHIP)
		return -ENOPROTOOPT;
	if (val == 0 || val > (s->proto == NETLINK_ROUTE ? ROUTE_GROUPS : OTHER_GROUPS))
		return -EINVAL;
	mutex_lock(&ns->mu);
	if (opt == NETLINK_ADD_MEMBERSHIP)
		ns->groups |= (u64)1 << (val - 1);
	else
		ns->groups &= ~((u64)1 << (val - 1));
	mutex_unlock(&ns->mu);
	return 0;
}

/* Whole words, as many as fit; nothing for who never was in a group. */
static int put_groups(u64 groups, u32 count, void *v, size_t cap)
{
	size_t n = groups ? MIN(cap & ~(size_t)3, count > 32 ? sizeof(groups) : sizeof(u32)) : 0;

	memcpy(v, &groups, n);
	return (int)n;
}

static int nl_getsockopt(struct task *t, struct socket *s, int level, int opt, void *v, size_t cap)
{
	struct nl_sock *ns = to_nl(s);
	bool *flag = flag_of(ns, opt);
	u64 groups;
	int val;

	(void)t;
	if (level == SOL_SOCKET && opt == SO_ERROR) {
		mutex_lock(&ns->mu);
		val = ns->err;
		ns->err = 0;
		mutex_unlock(&ns->mu);
	} else if (level == SOL_SOCKET) {
		return sockopt_get(s, opt, v, cap);
	} else if (level == SOL_NETLINK && opt == NETLINK_LIST_MEMBERSHIPS) {
		mutex_lock(&ns->mu);
		groups = ns->groups;
		mutex_unlock(&ns->mu);
		return put_groups(groups, s->proto == NETLINK_ROUTE ? ROUTE_GROUPS : OTHER_GROUPS, v, cap);
	} else if (level == SOL_NETLINK && flag) {
		val = *flag;
	} else {
		return -ENOPROTOOPT;
	}
	if (level == SOL_NETLINK && cap < sizeof(val))
		return -EINVAL;
	memcpy(v, &val, MIN(cap, sizeof(val)));
	return (int)MIN(cap, sizeof(val));
}

static u32 nl_poll(struct socket *s)
{
	struct nl_sock *ns = to_nl(s);
	u32 ev = POLLOUT | POLLWRNORM | POLLWRBAND;

	mutex_lock(&ns->mu);
	if (!list_empty(&ns->rq))
		ev |= POLLIN | POLLRDNORM;
	if (ns->err)
		ev |= POLLERR;
	mutex_unlock(&ns->mu);
	return ev;
}

static void nl_release(struct socket *s)
{
	struct nl_sock *ns = to_nl(s);
	struct nl_pkt *p, *next;

	mutex_lock(&ns->table->mu);
	list_del_init(&ns->node);
	mutex_unlock(&ns->table->mu);
	list_for_each_safe(p, next, &ns->rq, node) {
		kfree(p->data);
		kfree(p);
	}
	kfree(ns->filter);
	drop_code(&ns->dump);
	socket_done(s);
	kfree(ns);
}

static const struct sock_ops nl_ops = {
	.family = AF_NETLINK,
	.bind = nl_bind,
	.connect = nl_connect,
	.getname = nl_getname,
	.sendmsg = nl_sendmsg,
	.recvmsg = nl_recvmsg,
	.setsockopt = nl_setsockopt,
	.getsockopt = nl_getsockopt,
	.poll = nl_poll,
	.release = nl_release,
};

/* Events of one's own making: not in a sandbox. */
static int uevent_request(struct nl_req *q)
{
	(void)q;
	return -EPERM;
}

int netlink_create(struct task *t, int type, int proto, struct file **ret)
{
	int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct netlink_table *nt = net_netlink(task_net(t));
	struct nl_sock *ns;

	if (kind != SOCK_RAW && kind != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (!nt)
		return -EAFNOSUPPORT;
	if (proto != NETLINK_ROUTE && proto != NETLINK_KOBJECT_UEVENT && proto != NETLINK_SOCK_DIAG &&
	    proto != NETLINK_NETFILTER && proto != NETLINK_GENERIC)
		return -EPROTONOSUPPORT;
	ns = knew(struct nl_sock);
	if (!ns)
		return -ENOMEM;
	waitq_init(&ns->wq);
	mutex_init(&ns->mu, RANK_FILE);
	list_init(&ns->rq);
	list_init(&ns->node);
	ns->table = nt;
	ns->request = proto == NETLINK_ROUTE ? netlink_route : proto == NETLINK_SOCK_DIAG ? netlink_sock_diag :
		      proto == NETLINK_NETFILTER ? netlink_netfilter : proto == NETLINK_GENERIC ? netlink_generic : uevent_request;
	socket_init(t, &ns->s, &nl_ops, AF_NETLINK, kind, proto, (u32)type, &ns->wq);
	*ret = &ns->s.f;
	return 0;
}
