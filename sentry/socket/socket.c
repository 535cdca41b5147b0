/*
 * socket.c - the family table, and the verbs of all sockets: who waits, for how long.
 *
 * The ops of a family answer at once.  A verb queues itself on the socket (or on
 * the queue that the op named, e.g. that of a full receiver), tries again and sleeps.
 */
#include "sentry/socket/net.h"
#include "sentry/socket/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "sentry/kernel/task.h"
#include "sentry/socket/inet.h"
#include "sentry/socket/netlink.h"
#include "sentry/vfs/fasync.h"

#define TYPE_MAX   11                   /* Linux: SOCK_MAX */
#define FAMILY_MAX 46

static const struct file_ops socket_fops;

/* Families that exist; any other is -EAFNOSUPPORT. */
struct family {
	int family;
	int (*create)(struct task *t, int type, int proto, struct file **ret);
	int (*pair)(struct task *t, int type, int proto, struct file **a, struct file **b);    /* -EOPNOTSUPP */
};

static const struct family families[] = {
	{ AF_UNIX, unix_create, unix_pair },
	{ AF_INET, inet_create, NULL },
	{ AF_INET6, inet6_create, NULL },
	{ AF_NETLINK, netlink_create, NULL },
	{ AF_PACKET, packet_create, NULL },
};

static const struct family *family_find(int family)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i].family == family)
			return &families[i];
	return NULL;
}

int socket_create(struct task *t, int family, int type, int proto, struct file **ret)
{
	const struct family *fm = family_find(family);

	if (family >= 0 && family < FAMILY_MAX && (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) >= TYPE_MAX)
		return -EINVAL;
	return fm ? fm->create(t, type, proto, ret) : -EAFNOSUPPORT;
}

int socket_pair(struct task *t, int family, int type, int proto, struct file **a, struct file **b)
{
	const struct family *fm = family_find(family);
	auto_file *f = NULL;
	int r;

	if (fm && fm->pair)
		return fm->pair(t, type, proto, a, b);
	/* Whether there could be such a socket at all is asked first. */
	r = socket_create(t, family, type, proto, &f);
	return r < 0 ? r : -EOPNOTSUPP;
}

void socket_init(struct task *t, struct socket *s, const struct sock_ops *ops, int family, int type,
		 int proto, u32 flags, struct waitq *wq)
{
	file_init(&s->f, &socket_fops, O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0),
		  FILE_STREAM | FILE_OWN_WAIT | FILE_ASYNC, NULL, NULL, task_cred(t));
	s->f.anon_name = "socket:";
	s->f.anon_ino = kernel_next_ino(t->kernel);
	s->f.wq = wq;
	s->ops = ops;
	s->kernel = t->kernel;
	s->net = net_ref(task_net(t));
	s->family = family;
	s->type = type;
	s->proto = proto;
	s->opt = (struct sock_opts){ .sndbuf = 212992, .rcvbuf = 212992, .rcvlowat = 1 };
}

void socket_done(struct socket *s)
{
	net_unref(s->net);
	file_done(&s->f);
}

struct socket *socket_of(struct file *f)
{
	return f->ops == &socket_fops ? container_of(f, struct socket, f) : NULL;
}

/* ---- waiting ---- */

ktime_t sock_deadline(struct kernel *k, s64 ns)
{
	return ns ? ktime_add(ktime_mono(k), ns) : KTIME_MAX;
}

int sock_wait_error(int r, s64 ns)
{
	if (r == -ETIMEDOUT)
		return -EAGAIN;
	return r == -ERESTARTSYS && ns ? -EINTR : r;
}

static bool is_nonblock(struct socket *s, const struct sock_msg *m)
{
	return (m && (m->flags & MSG_DONTWAIT)) || (file_flags(&s->f) & O_NONBLOCK);
}

int socket_connect(struct task *t, struct socket *s, const void *name, u32 len)
{
	if (!s->ops->connect)
		return -EOPNOTSUPP;
	fasync_no_room(&s->f);          /* being connected is told, too */
	return s->ops->connect(t, s, name, len, is_nonblock(s, NULL));
}

int socket_accept(struct task *t, struct socket *s, u32 flags, struct file **ret)
{
	s64 timeo = s->opt.rcvtimeo;
	struct task_waiter tw;
	struct socket *got;
	ktime_t deadline;
	int r;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	r = s->ops->accept(t, s, flags, &got);
	if (r == -EAGAIN && !is_nonblock(s, NULL)) {
		deadline = sock_deadline(s->kernel, timeo);
		task_waiter_init(&tw, t, POLLIN | POLLERR | POLLHUP);
		tw.w.exclusive = true;
		waitq_add(s->f.wq, &tw.w);
		while ((r = s->ops->accept(t, s, flags, &got)) == -EAGAIN) {
			r = sock_wait_error(task_sleep(t, deadline), timeo);
			if (r < 0)
				break;
		}
		waitq_del(s->f.wq, &tw.w);
		/* We may have been woken in place of another, and not have been able to take. */
		if (r < 0 && (s->ops->poll(s) & POLLIN))
			waitq_wake(s->f.wq, POLLIN | POLLRDNORM);
	}
	if (r == 0)
		*ret = &got->f;
	return r;
}

static void drop_hold(struct sock_msg *m)
{
	m->wait_hold = file_unref(m->wait_hold);
	m->wait_on = NULL;
}

/* The op said -EAGAIN: queue where it told us to, try once more, sleep. */
static ssize_t send_wait(struct task *t, struct socket *s, struct sock_msg *m, ktime_t deadline)
{
	for (;;) {
		struct waitq *q = m->wait_on ? m->wait_on : s->f.wq;
		struct file *hold = m->wait_hold;
		struct task_waiter tw;
		bool slept = false;
		ssize_t n;

		m->wait_on = NULL;
		m->wait_hold = NULL;
		task_waiter_init(&tw, t, POLLOUT | POLLERR | POLLHUP);
		waitq_add(q, &tw.w);
		n = s->ops->sendmsg(t, s, m);
		if (n == -EAGAIN) {
			n = sock_wait_error(task_sleep(t, deadline), s->opt.sndtimeo);
			slept = n == 0;
		}
		waitq_del(q, &tw.w);
		file_unref(hold);
		if (!slept)
			return n;
	}
}

ssize_t socket_send(struct task *t, struct socket *s, struct sock_msg *m)
{
	bool nonblock = is_nonblock(s, m);
	s64 timeo = s->opt.sndtimeo;
	ktime_t deadline = 0;
	ssize_t n, total = 0;

	if (!s->ops->sendmsg)
		return -EOPNOTSUPP;
	for (;;) {
		n = s->ops->sendmsg(t, s, m);
		if (n == -EAGAIN)
			fasync_no_room(&s->f);
		if (n == -EAGAIN && !nonblock && !m->no_wait) {
			drop_hold(m);
			if (!deadline)
				deadline = sock_deadline(s->kernel, timeo);
			n = send_wait(t, s, m, deadline);
		}
		if (n < 0)
			break;
		total += n;
		if (s->type != SOCK_STREAM || m->b->left == 0 || n == 0)
			break;
	}
	drop_hold(m);
	if (m->prepared)
		s->ops->msg_done(m);
	if (total || n >= 0)
		return total;
	if (n == -EPIPE && s->type == SOCK_STREAM && !(m->flags & MSG_NOSIGNAL))
		(void)signal_send_task(t, SIGPIPE, NULL);
	return n;
}

/* recvmsg for a call that may be set aside when there is nothing. */
static ssize_t recv_parked(struct task *t, struct socket *s, struct sock_msg *m)
{
	ssize_t n = s->ops->recvmsg(t, s, m);

	if (n != -EAGAIN)
		return n;
	task_park_on(t, &(struct park_on){ .file = &s->f, .wq = s->f.wq, .interest = POLLIN | POLLRDHUP | POLLERR | POLLHUP,
					   .deadline = KTIME_MAX });
	return task_park_result(t, s->ops->recvmsg(t, s, m));
}

ssize_t socket_recv(struct task *t, struct socket *s, struct sock_msg *m)
{
	/* Set aside: it was to wait, without a limit, when the call began. */
	bool again = m->b->parks && task_call_again(t), queued = false;
	bool nonblock = !again && (is_nonblock(s, m) || (m->flags & (MSG_ERRQUEUE | MSG_OOB)));
	size_t want = m->flags & MSG_WAITALL ? m->b->left : MIN((size_t)s->opt.rcvlowat, m->b->left);
	s64 timeo = again ? 0 : s->opt.rcvtimeo;
	bool parks = m->b->parks && !nonblock && !timeo && task_can_park(t);
	struct task_waiter tw;
	ktime_t deadline = 0;
	ssize_t n, total = 0;

	if (!s->ops->recvmsg)
		return -EOPNOTSUPP;
	for (;;) {
		n = parks && !total && !queued ? recv_parked(t, s, m) : s->ops->recvmsg(t, s, m);
		if (n > 0) {
			total += n;
			m->copied = (size_t)total;
			if ((size_t)total >= want || (m->flags & MSG_PEEK) || s->type != SOCK_STREAM ||
			    m->boundary || m->b->left == 0)
				break;
			continue;
		}
		if (n != -EAGAIN || nonblock)
			break;
		if (!queued) {
			queued = true;
			deadline = sock_deadline(s->kernel, timeo);
			task_waiter_init(&tw, t, POLLIN | POLLRDHUP | POLLERR | POLLHUP);
			waitq_add(s->f.wq, &tw.w);
			continue;
		}
		n = sock_wait_error(task_sleep(t, deadline), timeo);
		if (n < 0)
			break;
	}
	if (queued)
		waitq_del(s->f.wq, &tw.w);
	return total ? total : MIN(n, 0);
}

/* ---- as a file ---- */

static ssize_t socket_fop_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct sock_msg m = { .b = b };

	(void)pos;
	return b->left ? socket_recv(t, socket_of(f), &m) : 0;
}

static ssize_t socket_fop_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct sock_msg m = { .b = b };

	(void)pos;
	return socket_send(t, socket_of(f), &m);
}

static u32 socket_fop_poll(struct file *f)
{
	struct socket *s = socket_of(f);
	u32 ev = s->ops->poll(s);

	if (!(ev & POLLOUT))
		fasync_no_room(f);
	return ev;
}

static long socket_fop_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct socket *s = socket_of(f);
	long r = s->ops->ioctl ? s->ops->ioctl(t, s, cmd, arg) : -ENOTTY;

	return r == -ENOTTY ? netdev_ioctl(t, cmd, arg) : r;
}

static int socket_fop_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags,
			  struct mapping *ret)
{
	struct socket *s = socket_of(f);

	(void)t;
	(void)prot;
	(void)flags;
	return s->ops->map ? s->ops->map(s, off, len, ret) : -ENODEV;
}

static void socket_fop_release(struct file *f)
{
	struct socket *s = socket_of(f);

	s->ops->release(s);
}

static const struct file_ops socket_fops = {
	.name = "socket",
	.read = socket_fop_read,
	.write = socket_fop_write,
	.poll = socket_fop_poll,
	.ioctl = socket_fop_ioctl,
	.map = socket_fop_map,
	.release = socket_fop_release,
};
