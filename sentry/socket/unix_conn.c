/*
 * unix_conn.c - AF_UNIX: listen, connect, accept, shutdown. See unix_int.h.
 *
 * connect() makes the server's end at once and queues it at the listener, so
 * the client can write before accept().
 */
#include <errno.h>
#include <fcntl.h>

#include "sentry/kernel/task.h"
#include "sentry/socket/unix_int.h"
#include "sentry/vfs/fasync.h"

#define SOMAXCONN_GUEST 4096

int unix_listen(struct task *t, struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	struct unix_cred old = { 0 }, old_peer = { 0 };
	int r = 0;

	if (u->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	mutex_lock(&u->mu);
	if (!u->addr || (u->state != UNIX_CLOSE && u->state != UNIX_LISTEN)) {
		r = -EINVAL;
	} else {
		u->state = UNIX_LISTEN;
		u->backlog_max = (u32)backlog > SOMAXCONN_GUEST ? SOMAXCONN_GUEST : (u32)backlog;
		old = u->cred;
		unix_cred_own(t, &u->cred);
		/* So on Linux: a listener is its own peer. */
		old_peer = u->peer_cred;
		unix_cred_copy(&u->peer_cred, &u->cred);
	}
	mutex_unlock(&u->mu);
	unix_cred_done(&old);
	unix_cred_done(&old_peer);
	if (r == 0)
		waitq_wake(&u->peer_wait, POLLOUT);
	return r;
}

void unix_marry(struct unix_sock *a, struct unix_sock *b)
{
	a->peer = unix_ref(b);
	b->peer = unix_ref(a);
	unix_cred_copy(&a->peer_cred, &b->cred);
	unix_cred_copy(&b->peer_cred, &a->cred);
	if (a->type != SOCK_DGRAM)
		a->state = b->state = UNIX_ESTABLISHED;
}

/* ---- connect ---- */

/* Point a datagram socket at @to (NULL: at nobody). */
static int dgram_connect(struct task *t, struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *old;
	struct list_head pkts;
	bool lost = false;

	list_init(&pkts);
	if (to) {
		bool refused;

		mutex_lock(&to->mu);
		refused = (to->peer && to->peer != u) || (unix_peek_peer(u) != to && unix_out_of_reach(t, to));
		mutex_unlock(&to->mu);
		if (refused)
			return -EPERM;
	}
	mutex_lock(&u->mu);
	old = u->peer;
	u->peer = to ? unix_ref(to) : NULL;
	if (old && old != to) {
		lost = !list_empty(&u->rq);
		list_splice_tail_init(&u->rq, &pkts);
		u->rq_len = 0;
		u->rq_bytes = 0;
	}
	mutex_unlock(&u->mu);
	unix_forget_wait(u);
	if (old && old != to) {
		bool was_us;

		mutex_lock(&old->mu);
		was_us = lost && old->peer == u;
		if (was_us)
			old->err = ECONNRESET;
		mutex_unlock(&old->mu);
		if (was_us)
			unix_wake_all(old, ASYNC_ERR);
		unix_pkts_doom(u->kernel, &pkts);
		waitq_wake(&u->peer_wait, POLLOUT);
	}
	unix_unref(old);
	waitq_wake(&u->wq, POLLOUT);
	return 0;
}

static int may_connect(const struct unix_sock *u)
{
	if (u->state == UNIX_ESTABLISHED)
		return -EISCONN;
	return u->state == UNIX_CLOSE ? 0 : -EINVAL;
}

/* Queue @n, the server's end, at listener @l. -EAGAIN: its backlog is full. */
static int try_connect(struct task *t, struct unix_sock *u, struct unix_sock *l, struct unix_sock *n)
{
	int r;

	mutex_lock_pair(&u->mu, &l->mu);
	/* In Linux's order: a full backlog is told before that one is connected already. */
	if (l->state != UNIX_LISTEN || (l->shutdown & 1))
		r = -ECONNREFUSED;
	else if (l->backlog_len > l->backlog_max)
		r = -EAGAIN;
	else
		r = may_connect(u);
	if (r == 0 && unix_out_of_reach(t, l))
		r = -EPERM;
	if (r == 0) {
		struct unix_cred own = n->cred;         /* n was made by the client: it is the peer's view of us */

		n->cred = (struct unix_cred){ 0 };
		unix_cred_copy(&n->cred, &l->cred);
		n->peer_cred = own;
		unix_cred_copy(&u->peer_cred, &l->cred);
		unix_addr_set(n, unix_addr_ref(l->addr));
		n->no_rights = l->no_rights;
		n->wants_cred = l->wants_cred;
		n->peer = unix_ref(u);
		u->peer = unix_ref(n);
		n->state = u->state = UNIX_ESTABLISHED;
		list_add_tail(&n->backlog_node, &l->backlog);
		l->backlog_len++;
	}
	mutex_unlock_pair(&u->mu, &l->mu);
	return r;
}

static int stream_connect(struct task *t, struct socket *s, struct unix_sock *l, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *n = unix_sock_new(t, u->type);
	s64 timeo = s->opt.sndtimeo;
	ktime_t deadline = sock_deadline(s->kernel, timeo);
	struct task_waiter tw;
	int r;

	if (!n)
		return -ENOMEM;
	task_waiter_init(&tw, t, POLLOUT | POLLHUP | POLLERR);
	waitq_add(&l->peer_wait, &tw.w);
	while ((r = try_connect(t, u, l, n)) == -EAGAIN && !nonblock) {
		r = sock_wait_error(task_sleep(t, deadline), timeo);
		if (r < 0)
			break;
	}
	waitq_del(&l->peer_wait, &tw.w);
	if (r < 0) {
		unix_unref(n);
		return r;
	}
	waitq_wake(&l->wq, POLLIN | POLLRDNORM | ASYNC_IN);
	return 0;
}

int unix_connect(struct task *t, struct socket *s, const void *name, u32 len, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to;
	const struct sockaddr *sa = name;
	int r;

	if (len < sizeof(sa->sa_family))
		return -EINVAL;
	if (u->type == SOCK_DGRAM && sa->sa_family == AF_UNSPEC)
		return dgram_connect(t, u, NULL);
	r = unix_name_check(name, len);
	if (r == 0 && u->wants_cred && !unix_addr_of(u))
		r = unix_autobind(t, u);
	if (r < 0)
		return r;
	r = unix_find(t, name, len, u->type, &to);
	if (r < 0)
		return r;
	r = u->type == SOCK_DGRAM ? dgram_connect(t, u, to) : stream_connect(t, s, to, nonblock);
	unix_unref(to);
	return r;
}

int unix_accept(struct task *t, struct socket *s, u32 flags, struct socket **ret)
{
	struct unix_sock *u = unix_of(s), *n = NULL;
	int r;

	if (u->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	mutex_lock(&u->mu);
	if (u->state != UNIX_LISTEN) {
		r = -EINVAL;
	} else if (list_empty(&u->backlog)) {
		r = (u->shutdown & 1) && !(file_flags(&s->f) & O_NONBLOCK) ? -EINVAL : -EAGAIN;
	} else {
		n = list_first(&u->backlog, struct unix_sock, backlog_node);
		list_del_init(&n->backlog_node);
		u->backlog_len--;
		r = 0;
	}
	mutex_unlock(&u->mu);
	if (r < 0)
		return r;
	waitq_wake(&u->peer_wait, POLLOUT);
	r = unix_file_new(t, n, flags, ret);
	if (r < 0) {
		unix_sock_kill(n);
		unix_unref(n);
		return r;
	}
	(*ret)->opt.passcred = s->opt.passcred;
	(*ret)->opt.passpidfd = s->opt.passpidfd;
	(*ret)->opt.passsec = s->opt.passsec;
	__atomic_store_n(&n->wants_cred, s->opt.passcred || s->opt.passpidfd, __ATOMIC_RELAXED);
	return 0;
}

int unix_shutdown(struct task *t, struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s), *peer = NULL;
	int mine, theirs;

	(void)t;
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	mine = how + 1;                         /* SHUT_RD 1, SHUT_WR 2, both 3 */
	theirs = (mine & 1) << 1 | (mine & 2) >> 1;
	mutex_lock(&u->mu);
	u->shutdown |= mine;
	if (u->peer && u->type != SOCK_DGRAM)
		peer = unix_ref(u->peer);
	mutex_unlock(&u->mu);
	unix_wake_all(u, mine == 3 ? ASYNC_HUP : mine & 1 ? ASYNC_IN : 0);
	if (peer) {
		mutex_lock(&peer->mu);
		peer->shutdown |= theirs;
		mutex_unlock(&peer->mu);
		unix_wake_all(peer, theirs == 3 ? ASYNC_HUP : theirs & 1 ? ASYNC_IN : 0);
		unix_unref(peer);
	}
	return 0;
}
