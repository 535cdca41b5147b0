/*
 * unix_xfer.c - AF_UNIX: packets from sender to receiver. See unix_int.h.
 *
 * A stream is a queue of packets whose borders the reader does not see, but for
 * descriptors (never two sets in one read) and, if it asked, credentials.
 *
 * Flow control is Linux's: what is queued is charged to the sender's SO_SNDBUF
 * until received; a datagram receiver that is not connected back takes 10 packets.
 */
#include <errno.h>
#include <fcntl.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/pidfd.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/socket/unix_int.h"
#include "sentry/vfs/fasync.h"

#define STREAM_CHUNK 65536u
#define OPT_SCM_PIDFD 4
#define OPT_SCM_INQ 84

/* ---- sending ---- */

static void prepared_free(struct unix_scm *scm)
{
	unix_scm_done(scm);
	kfree(scm);
}

void unix_msg_done(struct sock_msg *m)
{
	prepared_free(m->prepared);
	m->prepared = NULL;
}

/* Control messages are parsed once a call and go with its first packet. */
static int prepare(struct task *t, struct sock_msg *m)
{
	struct unix_scm *scm;
	int r;

	if (m->prepared)
		return 0;
	scm = knew(struct unix_scm);
	if (!scm)
		return -ENOMEM;
	r = unix_scm_parse(t, m->ctl, m->ctl_len, scm);
	if (r < 0) {
		kfree(scm);
		return r;
	}
	m->prepared = scm;
	return 0;
}

/* A packet with the next @len bytes of @m, which stay there until it is queued. */
static int pkt_new(struct unix_sock *u, struct sock_msg *m, u32 len, struct unix_pkt **ret)
{
	struct unix_pkt *p = kbuf_alloc(sizeof(*p) + len);
	ssize_t got;

	if (!p)
		return -ENOBUFS;
	list_init(&p->node);
	if (len) {
		got = iobuf_peek(m->b, p->data, len);
		if (got != (ssize_t)len && (got <= 0 || u->type != SOCK_STREAM)) {
			kfree(p);
			return -EFAULT;
		}
		len = (u32)got;
	}
	p->len = len;
	p->charge = len + UNIX_PKT_OVERHEAD;
	p->stamp = ktime_real(u->kernel);
	*ret = p;
	return 0;
}

static bool wants_cred(struct unix_sock *u) { return __atomic_load_n(&u->wants_cred, __ATOMIC_RELAXED); }

/*
 * Everything that cannot fail; the receiver's mu is held.  As on Linux who sent it is only noted if it was said, if one
 * of the two wants to be told, or if the receiver is yet to be accepted.
 */
static void enqueue(struct unix_sock *u, struct unix_sock *to, struct unix_pkt *p, struct unix_scm *scm)
{
	p->from = unix_ref(u);
	p->cred = (struct unix_cred){ .uid = ID_NONE, .gid = ID_NONE };
	if (scm->own_cred || wants_cred(u) || wants_cred(to) || !__atomic_load_n(&to->file, __ATOMIC_RELAXED))
		unix_cred_copy(&p->cred, &scm->cred);
	p->files = scm->files;
	p->nfiles = scm->nfiles;
	scm->files = NULL;
	scm->nfiles = 0;
	atomic_fetch_add(&u->wmem, p->charge);
	list_add_tail(&p->node, &to->rq);
	to->rq_len++;
	to->rq_bytes += p->len;
}

static bool wmem_full(struct unix_sock *u)
{
	return atomic_load(&u->wmem) >= __atomic_load_n(&u->sndbuf, __ATOMIC_RELAXED);
}

/* Where a stream's bytes go: a reference. */
static int stream_target(struct unix_sock *u, struct unix_sock **to)
{
	int r = 0;

	mutex_lock(&u->mu);
	if (!u->peer)
		r = -ENOTCONN;
	else if (u->shutdown & 2)
		r = -EPIPE;
	else
		*to = unix_ref(u->peer);
	mutex_unlock(&u->mu);
	return r;
}

static ssize_t stream_send(struct task *t, struct unix_sock *u, struct sock_msg *m)
{
	struct unix_sock *to = NULL;
	struct unix_scm *scm = m->prepared;
	struct unix_pkt *p;
	u32 len, half, events = POLLIN | POLLRDNORM | ASYNC_IN;
	bool urgent = m->flags & MSG_OOB, refused;
	int r = stream_target(u, &to);

	if (r < 0)
		return r;
	if (!m->b->left)
		goto out;
	r = -EAGAIN;
	if (wmem_full(u))
		goto out;
	half = MAX(__atomic_load_n(&u->sndbuf, __ATOMIC_RELAXED) / 2, 128u) - 64;
	len = (u32)MIN(m->b->left, (size_t)MIN(half, STREAM_CHUNK));
	/* The urgent byte, the last one, goes alone. */
	if (urgent && m->b->left > 1) {
		len = (u32)MIN(m->b->left - 1, (size_t)len);
		urgent = false;
	}
	r = pkt_new(u, m, len, &p);
	if (r < 0)
		goto out;
	r = scm->nfiles ? unix_scm_inflight(t, scm) : 0;
	if (r < 0) {
		kfree(p);
		goto out;
	}
	mutex_lock(&to->mu);
	refused = scm->nfiles && __atomic_load_n(&to->no_rights, __ATOMIC_RELAXED);
	if (to->state == UNIX_DEAD || (to->shutdown & 1) || refused) {
		mutex_unlock(&to->mu);
		if (scm->nfiles)
			unix_scm_landed(u->kernel, scm->files, scm->nfiles);
		kfree(p);
		r = refused ? -EPERM : -EPIPE;
		goto out;
	}
	len = p->len;
	enqueue(u, to, p, scm);
	if (urgent) {
		to->oob = p;
		events |= POLLPRI | ASYNC_URG;
	}
	mutex_unlock(&to->mu);
	iobuf_advance(m->b, len);
	waitq_wake(&to->wq, events);
	r = (int)len;
out:
	unix_unref(to);
	return r;
}

bool unix_peer_full(struct unix_sock *u, struct unix_sock *to)
{
	return unix_peek_peer(to) != u &&
		__atomic_load_n(&to->rq_len, __ATOMIC_RELAXED) > UNIX_MAX_DGRAM_QLEN;
}

/* Where a datagram goes: the name in the call, or the peer. A reference. */
static int dgram_target(struct task *t, struct unix_sock *u, struct sock_msg *m, struct unix_sock **ret)
{
	int r = 0;

	if (m->namelen && u->type == SOCK_DGRAM)
		return unix_find(t, m->name, m->namelen, u->type, ret);
	mutex_lock(&u->mu);
	if (!u->peer)
		r = u->type == SOCK_DGRAM || u->state != UNIX_DEAD ? -ENOTCONN : -EPIPE;
	else
		*ret = unix_ref(u->peer);
	mutex_unlock(&u->mu);
	return r;
}

/* The connected receiver has died: the next send is refused, later ones find no peer. */
static int dgram_peer_dead(struct unix_sock *u, struct unix_sock *to)
{
	struct list_head pkts = LIST_INIT(pkts);
	bool ours = false;

	mutex_lock(&u->mu);
	if (u->type == SOCK_DGRAM && u->peer == to) {
		u->peer = NULL;
		ours = true;
		list_splice_tail_init(&u->rq, &pkts);   /* as Linux does, what it had sent is lost */
		u->rq_len = 0;
		u->rq_bytes = 0;
	}
	mutex_unlock(&u->mu);
	unix_forget_wait(u);
	if (ours) {
		unix_pkts_doom(u->kernel, &pkts);
		waitq_wake(&u->peer_wait, POLLOUT);
		unix_unref(to);
	}
	return u->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
}

static int dgram_queue(struct task *t, struct unix_sock *u, struct unix_sock *to, struct unix_pkt *p,
		       struct sock_msg *m)
{
	struct unix_scm *scm = m->prepared;
	int r = scm->nfiles ? unix_scm_inflight(t, scm) : 0;

	if (r < 0)
		return r;
	mutex_lock(&to->mu);
	if (to->peer && to->peer != u && u->type == SOCK_DGRAM)
		r = -EPERM;
	else if (to->state == UNIX_DEAD)
		r = -ECONNRESET;
	else if (to->shutdown & 1)
		r = -EPIPE;
	else if (u->type == SOCK_DGRAM && unix_peek_peer(u) != to && unix_out_of_reach(t, to))
		r = -EPERM;
	else if (scm->nfiles && __atomic_load_n(&to->no_rights, __ATOMIC_RELAXED))
		r = -EPERM;
	else if (unix_peer_full(u, to))
		r = -EAGAIN;
	else
		enqueue(u, to, p, scm);
	mutex_unlock(&to->mu);
	if (r < 0 && scm->nfiles)
		unix_scm_landed(u->kernel, scm->files, scm->nfiles);
	return r;
}

static int take_error(struct unix_sock *u)
{
	int r;

	mutex_lock(&u->mu);
	r = -u->err;
	u->err = 0;
	mutex_unlock(&u->mu);
	return r;
}

/* What is wrong with a datagram, in Linux's order, before anything is looked for. */
static int dgram_ready(struct task *t, struct unix_sock *u, struct sock_msg *m)
{
	int r = m->namelen && u->type == SOCK_DGRAM ? unix_name_check(m->name, m->namelen) : 0;

	return r == 0 && wants_cred(u) && !unix_addr_of(u) ? unix_autobind(t, u) : r;
}

static ssize_t dgram_send(struct task *t, struct unix_sock *u, struct sock_msg *m)
{
	size_t len = m->b->left;
	struct unix_sock *to = NULL;
	struct unix_pkt *p = NULL;
	int r;

	r = dgram_ready(t, u, m);
	if (r < 0)
		return r;
	if (len > __atomic_load_n(&u->sndbuf, __ATOMIC_RELAXED) - 32)
		return -EMSGSIZE;
	r = take_error(u);
	if (r < 0 || (u->shutdown & 2))
		return r < 0 ? r : -EPIPE;
	r = dgram_target(t, u, m, &to);
	if (r < 0)
		return r;
	r = -EAGAIN;
	if (wmem_full(u))
		goto out;
	r = pkt_new(u, m, (u32)len, &p);
	if (r < 0)
		goto out;
	r = dgram_queue(t, u, to, p, m);
	if (r == -EAGAIN) {
		/* Wait at the receiver; its file keeps the queue, and it may be gone already. */
		struct unix_table *ut = u->kernel->unix_sockets;

		mutex_lock(&ut->mu);
		if (to->file && ref_get_unless_zero(&to->file->ref)) {
			m->wait_hold = to->file;
			m->wait_on = &to->peer_wait;
		}
		mutex_unlock(&ut->mu);
	}
	if (r == -ECONNRESET)
		r = dgram_peer_dead(u, to);
	if (r < 0) {
		kfree(p);
		goto out;
	}
	iobuf_advance(m->b, len);
	waitq_wake(&to->wq, POLLIN | POLLRDNORM | ASYNC_IN);
	r = (int)len;
out:
	unix_unref(to);
	return r;
}

ssize_t unix_sendmsg(struct task *t, struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	int r;

	if (u->type == SOCK_SEQPACKET) {        /* as in Linux an error is told before anything else */
		r = take_error(u);
		if (r < 0 || u->state != UNIX_ESTABLISHED)
			return r < 0 ? r : -ENOTCONN;
	}
	r = prepare(t, m);
	if (r < 0)
		return r;
	if ((m->flags & MSG_OOB) && (u->type != SOCK_STREAM || !m->b->left))
		return -EOPNOTSUPP;
	if (u->type == SOCK_STREAM && m->namelen)
		return u->state == UNIX_ESTABLISHED ? -EISCONN : -EOPNOTSUPP;
	return u->type == SOCK_STREAM ? stream_send(t, u, m) : dgram_send(t, u, m);
}

/* ---- receiving ---- */

static void tell_cred(struct task *t, struct socket *s, struct sock_msg *m, const struct unix_cred *c)
{
	struct user_ns *u = task_user_ns(t);
	struct ucred uc = {
		.pid = c->pid ? pid_nr(t, c->pid) : 0,
		.uid = c->uid == ID_NONE ? ID_OVERFLOW : user_ns_show_uid(u, c->uid),
		.gid = c->gid == ID_NONE ? ID_OVERFLOW : user_ns_show_gid(u, c->gid),
	};

	if (m->out && s->opt.passcred)
		cmsg_put(m->out, SOL_SOCKET, SCM_CREDENTIALS, &uc, sizeof(uc));
}

static void tell_pidfd(struct task *t, struct socket *s, struct sock_msg *m, const struct unix_cred *c)
{
	struct file *f;

	if (!m->out || !s->opt.passpidfd)
		return;
	/* Want of room is told even if there is nothing to tell. */
	if (m->out->cap - m->out->len < CMSG_LEN(sizeof(int)))
		m->out->trunc = true;
	else if (c->tg && pidfd_file(t, c->tg, 0, &f) == 0)
		cmsg_put_fd(t, m->out, SOL_SOCKET, OPT_SCM_PIDFD, f);
}

static void tell_stamp(struct socket *s, struct sock_msg *m, ktime_t stamp)
{
	struct timespec ts = ktime_to_timespec(stamp);
	struct { s64 sec, usec; } tv = { ts.tv_sec, ts.tv_nsec / 1000 };

	if (s->opt.timestampns)
		cmsg_put(m->out, SOL_SOCKET, SO_TIMESTAMPNS, &ts, sizeof(ts));
	else if (s->opt.timestamp)
		cmsg_put(m->out, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof(tv));
}

/* Hand the guest (new references to, if only peeked at) the files of @files. */
static void tell_files(struct task *t, struct unix_sock *u, struct sock_msg *m, struct file **files, int n,
		       bool peek)
{
	if (!n)
		return;
	if (peek) {
		for (int i = 0; i < n; i++)
			file_ref(files[i]);
	} else {
		unix_scm_landed(u->kernel, files, n);
	}
	if (m->out) {
		cmsg_put_rights(t, m->out, files, n);
		return;
	}
	m->ret_flags |= MSG_CTRUNC;
	for (int i = 0; i < n; i++)
		file_unref(files[i]);
}

/* Has the packet's sender room again because of us? */
static void uncharge(struct unix_pkt *p, u32 n)
{
	struct unix_sock *from = p->from;
	u32 old = atomic_fetch_sub(&from->wmem, n);
	u64 limit = __atomic_load_n(&from->sndbuf, __ATOMIC_RELAXED);

	p->charge -= n;
	if ((u64)old * 4 > limit && (u64)(old - n) * 4 <= limit)
		waitq_wake(&from->wq, POLLOUT | POLLWRNORM | ASYNC_SPACE);
}

/* Nothing to read. A datagram socket tells that it is shut only to those who would wait. */
static int empty_reason(struct socket *s, struct unix_sock *u, u32 flags) REQUIRES(u->mu)
{
	int err = u->err;

	if (err) {
		u->err = 0;
		return -err;
	}
	if (u->type == SOCK_DGRAM && ((flags & MSG_DONTWAIT) || (file_flags(&s->f) & O_NONBLOCK)))
		return -EAGAIN;
	return u->shutdown & 1 ? 0 : -EAGAIN;
}

/* What one receive takes along besides bytes. */
struct taken {
	struct unix_cred cred;
	bool has_cred;
	struct file **files;
	int nfiles;
	bool own_files;                         /* detached from the packet: free the array */
	struct list_head done;                  /* packets that are used up */
};

static bool same_cred(const struct unix_cred *a, const struct unix_cred *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* Copy the list of a packet's files for a peek, with references. */
static void peek_files(struct taken *tk, struct unix_pkt *p)
{
	struct file **copy = kbuf_array((size_t)p->nfiles, sizeof(*copy));

	if (!copy)
		return;
	for (int i = 0; i < p->nfiles; i++)
		copy[i] = file_ref(p->files[i]);
	tk->files = copy;
	tk->nfiles = p->nfiles;
	tk->own_files = true;
}

static void take_files(struct taken *tk, struct unix_pkt *p)
{
	tk->files = p->files;
	tk->nfiles = p->nfiles;
	tk->own_files = true;
	p->files = NULL;
	p->nfiles = 0;
}

/* SO_PEEK_OFF moves with what is looked at and what is taken. */
static void peek_moves(struct unix_sock *u, bool peek, u32 n) REQUIRES(u->mu)
{
	if (u->peek_off < 0)
		return;
	if (peek)
		u->peek_off = (s32)MIN((u32)u->peek_off + n, (u32)INT32_MAX);
	else
		u->peek_off = u->peek_off > (s32)n ? u->peek_off - (s32)n : 0;
}

static u32 peek_from(struct unix_sock *u, bool peek) REQUIRES(u->mu)
{
	return peek && u->peek_off > 0 ? (u32)u->peek_off : 0;
}

/* What the sender is called by now, which need not be what it was when it sent: 0, it has no name. */
static u32 sender_name(const struct unix_pkt *p, void *name)
{
	const struct unix_addr *a = unix_addr_of(p->from);

	return a ? (u32)unix_addr_put(a, name) : 0;
}

/* The credentials and files of @p, of which bytes were read. */
static void take_rest(struct taken *tk, struct sock_msg *m, struct unix_pkt *p)
{
	if (!tk->has_cred) {
		unix_cred_copy(&tk->cred, &p->cred);
		tk->has_cred = true;
		if (!m->copied)
			m->namelen = sender_name(p, m->name);
	}
	if (!p->nfiles)
		return;
	m->boundary = true;
	if (m->flags & MSG_PEEK)
		peek_files(tk, p);
	else
		take_files(tk, p);
}

/* Bytes from the head of the stream. u->mu held; the copy to the guest happens under it. */
static ssize_t stream_take(struct socket *s, struct unix_sock *u, struct sock_msg *m, struct taken *tk)
	REQUIRES(u->mu)
{
	bool peek = m->flags & MSG_PEEK, want_cred = s->opt.passcred || s->opt.passpidfd;
	struct unix_pkt *p = list_first(&u->rq, struct unix_pkt, node), *next;
	u32 skip = peek_from(u, peek);
	ssize_t total = 0, n;

	for (; p; p = next) {
		if (p == u->oob || !unix_pkt_left(p)) {
			p = unix_oob_pass(u, p, peek, s->opt.oobinline, total || m->copied, &tk->done);
			if (!p) {
				m->boundary = total || m->copied;
				break;
			}
		}
		next = unix_pkt_next(u, p);
		if (skip && skip >= unix_pkt_left(p)) {
			skip -= unix_pkt_left(p);
			continue;
		}
		if (tk->has_cred && want_cred && !same_cred(&p->cred, &tk->cred)) {
			m->boundary = true;
			break;
		}
		if (total && p->nfiles && tk->nfiles)
			break;
		n = iobuf_put(m->b, p->data + p->off + skip, unix_pkt_left(p) - skip);
		if (n < 0)
			return total ? total : n;
		skip = 0;
		take_rest(tk, m, p);
		total += n;
		peek_moves(u, peek, (u32)n);
		if (!peek) {
			p->off += (u32)n;
			u->rq_bytes -= (u64)n;
			if (unix_pkt_left(p))
				break;
			unix_pkt_unqueue(u, p, &tk->done);
		}
		if (m->b->left == 0 || m->boundary)
			break;
	}
	return total || tk->has_cred || m->copied ? total : empty_reason(s, u, m->flags);
}

/* The datagram that is due: with SO_PEEK_OFF, *@off is where in it. NULL: none. */
static struct unix_pkt *dgram_at(struct unix_sock *u, bool peek, u32 *off) REQUIRES(u->mu)
{
	struct unix_pkt *p = list_first(&u->rq, struct unix_pkt, node);

	*off = peek_from(u, peek);
	while (p && peek && u->peek_off >= 0 && *off >= p->len && (*off || p->peeked)) {
		*off -= p->len;
		p = unix_pkt_next(u, p);
	}
	if (p && peek)
		p->peeked = true;
	return p;
}

static ssize_t dgram_take(struct socket *s, struct unix_sock *u, struct sock_msg *m,
			  struct taken *tk, ktime_t *ret_stamp)
	REQUIRES(u->mu)
{
	bool peek = m->flags & MSG_PEEK;
	ssize_t n = 0;
	u32 off, len;
	struct unix_pkt *p = u->err ? NULL : dgram_at(u, peek, &off);       /* an error comes before what is there */

	if (!p)
		return empty_reason(s, u, m->flags);
	len = p->len - off;
	if (len && m->b->left) {
		n = iobuf_put(m->b, p->data + off, len);
		if (n < 0)
			return n;
	}
	if ((u32)n < len)
		m->ret_flags |= MSG_TRUNC;
	unix_cred_copy(&tk->cred, &p->cred);
	tk->has_cred = true;
	m->namelen = sender_name(p, m->name);
	*ret_stamp = p->stamp;
	peek_moves(u, peek, peek ? (u32)n : p->len);
	if (peek && p->nfiles)
		peek_files(tk, p);
	if (!peek) {
		if (p->nfiles)
			take_files(tk, p);
		unix_pkt_unqueue(u, p, &tk->done);
	}
	return m->flags & MSG_TRUNC ? (ssize_t)len : n;
}

/* After the lock: control messages, and what the senders get back. */
static void finish_take(struct task *t, struct socket *s, struct sock_msg *m, struct taken *tk, ssize_t n,
			ktime_t stamp)
{
	struct unix_sock *u = unix_of(s);
	struct unix_pkt *p, *next;
	/* The end of a stream has credentials, too: zeros, as on Linux. */
	bool told = n >= 0 && (tk->has_cred || (u->type == SOCK_STREAM && !m->copied && !(m->flags & MSG_OOB)));

	if (told) {
		if (stamp && m->out)
			tell_stamp(s, m, stamp);
		tell_cred(t, s, m, &tk->cred);
		if (m->out && !m->out->cap && s->opt.passsec)
			m->out->trunc = true;   /* nowhere to tell a label, not that there is one */
	}
	if (tk->nfiles && (m->flags & MSG_PEEK)) {
		/* peek_files() has taken the references already. */
		if (m->out) {
			cmsg_put_rights(t, m->out, tk->files, tk->nfiles);
		} else {
			m->ret_flags |= MSG_CTRUNC;
			for (int i = 0; i < tk->nfiles; i++)
				file_unref(tk->files[i]);
		}
	} else {
		tell_files(t, u, m, tk->files, tk->nfiles, false);
	}
	if (told)
		tell_pidfd(t, s, m, &tk->cred);
	if (tk->own_files)
		kfree(tk->files);
	unix_cred_done(&tk->cred);
	list_for_each_safe(p, next, &tk->done, node) {
		list_del_init(&p->node);
		uncharge(p, p->charge);
		/* Of an urgent byte that nobody read. */
		if (p->nfiles)
			unix_scm_landed(u->kernel, p->files, p->nfiles);
		unix_pkt_free(p);
	}
}

static int recv_check(struct unix_sock *u) REQUIRES(u->mu)
{
	if (u->type == SOCK_STREAM && u->state != UNIX_ESTABLISHED)
		return -EINVAL;
	if (u->type == SOCK_SEQPACKET && u->state != UNIX_ESTABLISHED)
		return -ENOTCONN;
	return 0;
}

ssize_t unix_recvmsg(struct task *t, struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	struct taken tk = { 0 };
	ktime_t stamp = 0;
	bool was_full = false;
	ssize_t n;
	int left;

	list_init(&tk.done);
	mutex_lock(&u->mu);
	n = u->type == SOCK_SEQPACKET ? recv_check(u) : 0;
	if (n == 0)
		n = m->flags & MSG_OOB ? unix_oob_recv(u, m, s->opt.oobinline, &tk.done) : recv_check(u);
	if (n == 0 && list_empty(&u->rq)) {
		n = empty_reason(s, u, m->flags);
	} else if (n == 0) {
		was_full = u->rq_len > UNIX_MAX_DGRAM_QLEN;
		n = u->type == SOCK_STREAM ? stream_take(s, u, m, &tk) : dgram_take(s, u, m, &tk, &stamp);
	}
	left = (int)u->rq_bytes;
	mutex_unlock(&u->mu);
	finish_take(t, s, m, &tk, n, stamp);
	if (n >= 0 && s->opt.inq && m->out && !(m->flags & MSG_OOB))
		cmsg_put(m->out, SOL_SOCKET, OPT_SCM_INQ, &left, sizeof(left));
	if (was_full && u->type != SOCK_STREAM && !(m->flags & MSG_PEEK))
		waitq_wake(&u->peer_wait, POLLOUT | POLLWRNORM);
	return n;
}
