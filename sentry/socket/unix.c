/*
 * unix.c - AF_UNIX: making and ending sockets, readiness, ioctls. See unix_int.h.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/socket/unix_int.h"
#include "sentry/vfs/fasync.h"

#define SIOCUNIXFILE 0x89e0             /* linux/un.h */

static const struct sock_ops unix_ops;

int unix_table_get(struct kernel *k, struct unix_table **ret)
{
	struct unix_table *ut;

	mutex_lock(&k->mu);
	ut = k->unix_sockets;
	if (!ut) {
		ut = knew(struct unix_table);
		if (ut) {
			mutex_init(&ut->mu, RANK_LEAF);
			hash_key_init(&ut->key);
			htable_init(&ut->abstract);
			list_init(&ut->inflight_socks);
			list_init(&ut->doomed);
			k->unix_sockets = ut;
		}
	}
	mutex_unlock(&k->mu);
	if (!ut)
		return -ENOMEM;
	*ret = ut;
	return 0;
}

static bool peer_has_room(struct waiter *w, u32 events)
{
	struct unix_sock *u = container_of(w, struct unix_sock, peer_waiter);

	return waitq_wake(&u->wq, events);
}

struct unix_sock *unix_sock_new(struct task *t, int type)
{
	struct unix_sock *u = knew(struct unix_sock);

	if (!u)
		return NULL;
	ref_init(&u->ref);
	u->kernel = t->kernel;
	u->type = type;
	u->net = net_ns_number(task_net(t));
	waitq_init(&u->wq);
	waitq_init(&u->peer_wait);
	u->peer_waiter.fn = peer_has_room;
	u->peer_waiter.interest = ~0u;
	list_init(&u->peer_waiter.node);
	mutex_init(&u->mu, RANK_FILE);
	list_init(&u->rq);
	list_init(&u->backlog);
	list_init(&u->backlog_node);
	list_init(&u->inflight_node);
	u->backlog_max = UNIX_MAX_DGRAM_QLEN;
	u->sndbuf = 212992;
	u->peek_off = -1;
	unix_cred_own(t, &u->cred);
	return u;
}

struct unix_sock *unix_ref(struct unix_sock *u)
{
	ref_get(&u->ref);
	return u;
}

void unix_unref(struct unix_sock *u)
{
	if (!u || !ref_put(&u->ref))
		return;
	unix_addr_unref(u->addr);
	unix_cred_done(&u->cred);
	unix_cred_done(&u->peer_cred);
	kfree(u);
}

int unix_file_new(struct task *t, struct unix_sock *u, u32 flags, struct socket **ret)
{
	struct unix_socket *us = knew(struct unix_socket);

	if (!us)
		return -ENOMEM;
	socket_init(t, &us->s, &unix_ops, AF_UNIX, u->type, 0, flags, &u->wq);
	us->u = u;
	u->ino = us->s.f.anon_ino;
	mutex_lock(&u->kernel->unix_sockets->mu);
	u->file = &us->s.f;
	mutex_unlock(&u->kernel->unix_sockets->mu);
	*ret = &us->s;
	return 0;
}

void unix_wake_all(struct unix_sock *u, u32 async)
{
	waitq_wake(&u->wq, POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR | POLLRDNORM | POLLWRNORM | async);
	waitq_wake(&u->peer_wait, POLLOUT | POLLHUP | POLLERR);
}

void unix_forget_wait(struct unix_sock *u)
{
	struct unix_sock *w;

	mutex_lock(&u->mu);
	w = u->waited;
	u->waited = NULL;
	mutex_unlock(&u->mu);
	if (!w)
		return;
	waitq_del(&w->peer_wait, &u->peer_waiter);
	unix_unref(w);
}

/* Our end is gone: what a connected peer notices. */
static void tell_peer(struct unix_sock *peer, bool lost_data)
{
	mutex_lock(&peer->mu);
	peer->shutdown = 3;
	if (lost_data)
		peer->err = ECONNRESET;
	mutex_unlock(&peer->mu);
	unix_wake_all(peer, ASYNC_HUP);
}

/* Is there anything but the mark of an urgent byte that was read (or, as on Linux, an empty packet)? */
static bool unread(struct unix_sock *u) REQUIRES(u->mu)
{
	struct unix_pkt *p;

	if (list_empty(&u->rq))
		return false;
	p = list_first(&u->rq, struct unix_pkt, node);
	return unix_pkt_left(p) || unix_pkt_next(u, p);
}

void unix_sock_kill(struct unix_sock *u)
{
	struct list_head pkts, embryos;
	struct unix_sock *peer, *e, *next;
	bool lost;

	list_init(&pkts);
	list_init(&embryos);
	unix_unbind(u);
	mutex_lock(&u->mu);
	lost = unread(u) || !list_empty(&u->backlog);
	u->state = UNIX_DEAD;
	u->shutdown = 3;
	peer = u->peer;
	u->peer = NULL;
	list_splice_tail_init(&u->rq, &pkts);
	u->rq_len = 0;
	u->rq_bytes = 0;
	u->oob = NULL;
	list_splice_tail_init(&u->backlog, &embryos);
	u->backlog_len = 0;
	mutex_unlock(&u->mu);
	unix_forget_wait(u);
	unix_wake_all(u, 0);
	if (peer && u->type != SOCK_DGRAM)
		tell_peer(peer, lost);
	unix_unref(peer);
	/* Connected but never accepted: as if accepted and closed with data unread. */
	list_for_each_safe(e, next, &embryos, backlog_node) {
		struct unix_sock *client;

		list_del_init(&e->backlog_node);
		mutex_lock(&e->mu);
		client = e->peer ? unix_ref(e->peer) : NULL;
		mutex_unlock(&e->mu);
		unix_sock_kill(e);
		if (client)
			tell_peer(client, true);
		unix_unref(client);
		unix_unref(e);
	}
	unix_pkts_doom(u->kernel, &pkts);
}

static void unix_release(struct socket *s)
{
	struct unix_socket *us = container_of(s, struct unix_socket, s);
	struct unix_sock *u = us->u;
	struct unix_table *ut = u->kernel->unix_sockets;

	mutex_lock(&ut->mu);
	u->file = NULL;
	mutex_unlock(&ut->mu);
	unix_sock_kill(u);
	socket_done(s);
	kfree(us);
	unix_gc(u->kernel);
	unix_unref(u);
}

/* ---- readiness ---- */

static bool writable(struct unix_sock *u)
{
	return (u64)atomic_load(&u->wmem) * 4 <= __atomic_load_n(&u->sndbuf, __ATOMIC_RELAXED);
}

/* Queue for room at a full receiver, so that poll on our side hears of it. */
static bool wait_for_peer(struct unix_sock *u, struct unix_sock *peer)
{
	struct unix_sock *old = NULL;
	bool add = false;

	mutex_lock(&u->mu);
	if (u->waited != peer && u->peer == peer) {
		old = u->waited;
		u->waited = unix_ref(peer);
		add = true;
	}
	mutex_unlock(&u->mu);
	if (old) {
		waitq_del(&old->peer_wait, &u->peer_waiter);
		unix_unref(old);
	}
	if (add)
		waitq_add(&peer->peer_wait, &u->peer_waiter);
	return unix_peer_full(u, peer);
}

static u32 unix_poll(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *peer = NULL;
	bool stream = u->type != SOCK_DGRAM;
	u32 ev = 0;

	mutex_lock(&u->mu);
	if (u->err)
		ev |= POLLERR;
	if (u->shutdown == 3)
		ev |= POLLHUP;
	if (u->shutdown & 1)
		ev |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (!list_empty(&u->rq) || !list_empty(&u->backlog))
		ev |= POLLIN | POLLRDNORM;
	if (u->oob)
		ev |= POLLPRI;
	if (stream && u->state == UNIX_CLOSE)
		ev |= POLLHUP;
	if (u->type != SOCK_STREAM && u->peer)
		peer = unix_ref(u->peer);
	if (u->state != UNIX_LISTEN && writable(u))
		ev |= POLLOUT | POLLWRNORM | POLLWRBAND;
	mutex_unlock(&u->mu);
	if (peer && (ev & POLLOUT) && unix_peer_full(u, peer) && wait_for_peer(u, peer))
		ev &= ~(u32)(POLLOUT | POLLWRNORM | POLLWRBAND);
	unix_unref(peer);
	return ev;
}

static long unix_ioctl(struct task *t, struct socket *s, u32 cmd, gaddr_t arg)
{
	struct unix_sock *u = unix_of(s);
	int val = 0;

	switch (cmd) {
	case FIONREAD:
		mutex_lock(&u->mu);
		if (u->state == UNIX_LISTEN) {
			val = -EINVAL;
		} else if (u->type != SOCK_DGRAM) {
			val = (int)u->rq_bytes;
		} else if (!list_empty(&u->rq)) {
			val = (int)list_first(&u->rq, struct unix_pkt, node)->len;
		}
		mutex_unlock(&u->mu);
		if (val < 0)
			return val;
		break;
	case TIOCOUTQ:
		val = (int)atomic_load(&u->wmem);
		break;
	case SIOCATMARK:
		if (u->type != SOCK_STREAM)
			return -EOPNOTSUPP;
		mutex_lock(&u->mu);
		val = unix_at_mark(u);
		mutex_unlock(&u->mu);
		break;
	case SIOCUNIXFILE:
		return unix_bound_file(t, u);
	default:
		return -ENOTTY;
	}
	return copy_out(t, arg, &val, sizeof(val));
}

static const struct sock_ops unix_ops = {
	.family = AF_UNIX,
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.sendmsg = unix_sendmsg,
	.msg_done = unix_msg_done,
	.recvmsg = unix_recvmsg,
	.shutdown = unix_shutdown,
	.setsockopt = unix_setsockopt,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.poll = unix_poll,
	.release = unix_release,
};

/* ---- making ---- */

static int check_kind(int *type, int proto)
{
	int kind = *type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (proto && proto != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (kind == SOCK_RAW)                   /* Linux: an old name for datagrams */
		*type = (*type & ~SOCK_RAW) | SOCK_DGRAM;
	else if (kind != SOCK_STREAM && kind != SOCK_DGRAM && kind != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	return 0;
}

static int unix_make(struct task *t, int type, struct socket **ret)
{
	struct unix_table *ut;
	struct unix_sock *u;
	int r = unix_table_get(t->kernel, &ut);

	if (r < 0)
		return r;
	u = unix_sock_new(t, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC));
	if (!u)
		return -ENOMEM;
	r = unix_file_new(t, u, (u32)type, ret);
	if (r < 0)
		unix_unref(u);
	return r;
}

int unix_create(struct task *t, int type, int proto, struct file **ret)
{
	struct socket *s;
	int r = check_kind(&type, proto);

	if (r == 0)
		r = unix_make(t, type, &s);
	if (r == 0)
		*ret = &s->f;
	return r;
}

int unix_pair(struct task *t, int type, int proto, struct file **a, struct file **b)
{
	struct socket *x, *y;
	int r = check_kind(&type, proto);

	if (r == 0)
		r = unix_make(t, type, &x);
	if (r < 0)
		return r;
	r = unix_make(t, type, &y);
	if (r < 0) {
		file_unref(&x->f);
		return r;
	}
	unix_marry(unix_of(x), unix_of(y));
	*a = &x->f;
	*b = &y->f;
	return 0;
}
