/*
 * pty_io.c - moving bytes through pseudo terminals. See pty.h.
 *
 * Readers and writers wait here (FILE_OWN_WAIT): VMIN and VTIME are theirs to
 * mind, and a background process is stopped (SIGTTIN, SIGTTOU) before each try.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <termios.h>

#include "sentry/fs/tty/pty.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/fasync.h"

#define PIECE 512

static struct pty *pty_of(struct file *f) { return pty_file_of(f)->pty; }

static void send_signals(struct pty *p, u64 sigs)
{
	for (int sig = 1; sigs; sig++, sigs >>= 1)
		if (sigs & 1)
			session_tty_signal(&p->link, sig);
}

/* What the slave wrote is on its way to the master's reader. mu held. */
static void output_added(struct pty *p) REQUIRES(p->mu)
{
	if (p->host)
		pty_host_flush(p);
}

void pty_tell_flow(struct pty *p, bool was)
{
	if (!p->packet || was == p->n.stopped)
		return;
	p->packet_status &= (u8)~(TIOCPKT_START | TIOCPKT_STOP);
	p->packet_status |= p->n.stopped ? TIOCPKT_STOP : TIOCPKT_START;
}

size_t pty_input(struct pty *p, const u8 *buf, size_t len)
{
	u32 async = 0, echo = 0, canon, head, ohead;
	u64 sigs = 0;
	size_t n;
	bool was;

	mutex_lock(&p->mu);
	canon = p->n.canon;
	head = p->n.head;
	ohead = p->n.ohead;
	was = p->n.stopped;
	n = ntty_input(&p->n, buf, len, &sigs);
	pty_tell_flow(p, was);
	if ((sigs & (SIGBIT(SIGINT) | SIGBIT(SIGQUIT) | SIGBIT(SIGTSTP))) && p->packet &&
	    !(p->n.tio.lflag & NOFLSH))
		p->packet_status |= TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE;
	if (p->n.tio.lflag & ICANON ? p->n.canon != canon : p->n.head != head)
		async = ASYNC_IN;
	if (p->n.ohead != ohead)
		echo = ASYNC_IN;
	output_added(p);
	mutex_unlock(&p->mu);
	send_signals(p, sigs);
	waitq_wake(&p->slave_wq, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | async);
	waitq_wake(&p->master_wq, POLLIN | POLLRDNORM | echo);
	return n;
}

/* ---- the slave ---- */

/* One try: bytes into @buf; -EAGAIN: not yet. */
static ssize_t slave_try(struct pty *p, u8 *buf, size_t len, u32 min)
{
	bool eof;
	ssize_t n;

	mutex_lock(&p->mu);
	if (ntty_readable(&p->n, min)) {
		n = (ssize_t)ntty_read(&p->n, buf, len, &eof);
		if (n == 0 && !eof)
			n = -EAGAIN;
		if (p->host)
			pty_host_resume(p);
	} else {
		n = p->hungup ? 0 : -EAGAIN;
	}
	mutex_unlock(&p->mu);
	if (n >= 0)
		waitq_wake(&p->master_wq, POLLOUT | POLLWRNORM | ASYNC_SPACE);
	return n;
}

struct read_mode { bool canon; u32 min; ktime_t time; };

static struct read_mode read_mode(struct pty *p, size_t want)
{
	struct read_mode m;

	mutex_lock(&p->mu);
	m.canon = p->n.tio.lflag & ICANON;
	m.min = m.canon ? 1 : p->n.tio.cc[VMIN];
	m.time = m.canon ? 0 : p->n.tio.cc[VTIME] * (NSEC_PER_SEC / 10);
	mutex_unlock(&p->mu);
	m.min = (u32)MIN((size_t)m.min, want);
	return m;
}

/* When the wait for the (next) byte ends. */
static ktime_t read_deadline(struct pty *p, const struct read_mode *m, bool have_some)
{
	if (m->time && (m->min == 0 || have_some))
		return ktime_add(ktime_mono(p->kernel), m->time);
	return m->min == 0 ? 0 : KTIME_MAX;
}

static bool raw_has_some(struct pty *p)
{
	bool some;

	mutex_lock(&p->mu);
	some = ntty_readable(&p->n, 1);
	mutex_unlock(&p->mu);
	return some;
}

/* Wait until a try succeeds. 0 bytes: end of file, or VTIME is over. */
static ssize_t slave_read_wait(struct task *t, struct pty *p, u8 *buf, size_t len, bool nonblock)
{
	struct read_mode m = read_mode(p, len);
	ktime_t deadline = read_deadline(p, &m, false);
	struct task_waiter tw;
	ssize_t n;

	if (nonblock) {
		n = slave_try(p, buf, len, 1);
		return n == -EAGAIN && deadline == 0 ? 0 : n;   /* MIN and TIME of zero never wait anyway */
	}
	task_waiter_init(&tw, t, POLLIN | POLLHUP);
	waitq_add(&p->slave_wq, &tw.w);
	for (;;) {
		n = session_tty_check(t, &p->link, SIGTTIN);
		if (n < 0)
			break;
		n = slave_try(p, buf, len, m.min);
		if (n != -EAGAIN)
			break;
		if (m.time && m.min && raw_has_some(p))
			deadline = read_deadline(p, &m, true);
		if (deadline == 0) {
			n = 0;
			break;
		}
		n = task_sleep(t, deadline);
		if (n == -ETIMEDOUT) {
			n = slave_try(p, buf, len, 1);
			n = n == -EAGAIN ? 0 : n;
			break;
		}
		if (n < 0)
			break;
	}
	waitq_del(&p->slave_wq, &tw.w);
	return n;
}

static ssize_t slave_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	bool nonblock = file_flags(f) & O_NONBLOCK;
	struct pty *p = pty_of(f);
	u8 buf[PIECE];
	ssize_t n, put, total = 0;

	(void)pos;
	if (!b->left)
		return 0;
	n = session_tty_check(t, &p->link, SIGTTIN);
	if (n < 0)
		return n;
	n = slave_read_wait(t, p, buf, MIN(b->left, sizeof(buf)), nonblock);
	while (n > 0) {
		bool line_end = buf[n - 1] == '\n';

		put = iobuf_put(b, buf, (size_t)n);
		if (put < 0)
			return total ? total : put;
		total += put;
		/* A longer line or more raw input that is there already. */
		if (put < n || n < PIECE || line_end || !b->left)
			break;
		n = slave_try(p, buf, MIN(b->left, sizeof(buf)), 1);
	}
	return total ? total : n;
}

static int write_allowed(struct task *t, struct pty *p)
{
	bool tostop;

	mutex_lock(&p->mu);
	tostop = p->n.tio.lflag & TOSTOP;
	mutex_unlock(&p->mu);
	return tostop ? session_tty_check(t, &p->link, SIGTTOU) : 0;
}

static ssize_t slave_put(struct pty *p, const u8 *buf, size_t len)
{
	ssize_t n = -EIO;

	mutex_lock(&p->mu);
	if (!p->hungup) {
		n = (ssize_t)ntty_write(&p->n, buf, len);
		output_added(p);
		if (n == 0)
			n = -EAGAIN;
	}
	mutex_unlock(&p->mu);
	if (n > 0)
		waitq_wake(&p->master_wq, POLLIN | POLLRDNORM | ASYNC_IN);
	return n;
}

static ssize_t slave_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	bool nonblock = file_flags(f) & O_NONBLOCK;
	struct pty *p = pty_of(f);
	struct task_waiter tw;
	u8 buf[PIECE];
	ssize_t n, got, total = 0;

	(void)pos;
	n = write_allowed(t, p);
	if (n < 0)
		return n;
	task_waiter_init(&tw, t, POLLOUT | POLLHUP | POLLERR);
	waitq_add(&p->slave_wq, &tw.w);
	while (b->left) {
		got = iobuf_peek(b, buf, MIN(b->left, sizeof(buf)));
		if (got <= 0) {
			n = got;
			break;
		}
		n = slave_put(p, buf, (size_t)got);
		if (n > 0) {
			iobuf_advance(b, (size_t)n);
			total += n;
			continue;
		}
		if (n == -EAGAIN)
			fasync_no_room(f);
		if (n != -EAGAIN || nonblock)
			break;
		n = task_sleep(t, KTIME_MAX);
		if (n < 0)
			break;
	}
	waitq_del(&p->slave_wq, &tw.w);
	return total ? total : n;
}

static u32 slave_poll(struct file *f)
{
	struct pty *p = pty_of(f);
	u32 ev = 0, min;

	mutex_lock(&p->mu);
	min = p->n.tio.cc[VTIME] ? 1 : p->n.tio.cc[VMIN];
	if (ntty_readable(&p->n, min))
		ev |= POLLIN | POLLRDNORM;
	if (ntty_out_room(&p->n) >= 8)
		ev |= POLLOUT | POLLWRNORM;
	if (p->hungup)
		ev = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
	mutex_unlock(&p->mu);
	return ev;
}

/* ---- the master ---- */

static bool slaves_gone(const struct pty *p) { return p->slave_seen && !p->nslaves; }

static ssize_t master_try(struct pty *p, struct iobuf *b) REQUIRES(p->mu)
{
	const u8 *src;
	size_t len;
	ssize_t n;
	u8 zero = 0;

	if (p->packet && p->packet_status) {
		n = iobuf_put(b, &p->packet_status, 1);
		if (n > 0)
			p->packet_status = 0;
		return n;
	}
	src = ntty_out_peek(&p->n, &len);
	if (!src)
		return slaves_gone(p) ? -EIO : -EAGAIN;
	if (p->packet) {
		n = iobuf_put(b, &zero, 1);
		if (n <= 0)
			return n;
	}
	n = 0;
	while (src && b->left) {
		ssize_t put = iobuf_put(b, src, len);

		if (put <= 0)
			return n ? n : put;
		ntty_out_drop(&p->n, (size_t)put);
		n += put;
		src = ntty_out_peek(&p->n, &len);
	}
	return n + p->packet;
}

static ssize_t master_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	bool nonblock = file_flags(f) & O_NONBLOCK;
	struct pty *p = pty_of(f);
	struct task_waiter tw;
	ssize_t n;

	(void)pos;
	if (!b->left)
		return 0;
	task_waiter_init(&tw, t, POLLIN | POLLHUP | POLLPRI);
	waitq_add(&p->master_wq, &tw.w);
	for (;;) {
		mutex_lock(&p->mu);
		n = master_try(p, b);
		mutex_unlock(&p->mu);
		if (n != -EAGAIN || nonblock)
			break;
		n = task_sleep(t, KTIME_MAX);
		if (n < 0)
			break;
	}
	waitq_del(&p->master_wq, &tw.w);
	if (n > 0)
		waitq_wake(&p->slave_wq, POLLOUT | POLLWRNORM | ASYNC_SPACE);
	return n;
}

static ssize_t master_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	bool nonblock = file_flags(f) & O_NONBLOCK;
	struct pty *p = pty_of(f);
	struct task_waiter tw;
	u8 buf[PIECE];
	ssize_t n = 0, got, total = 0;

	(void)pos;
	task_waiter_init(&tw, t, POLLOUT | POLLHUP);
	waitq_add(&p->master_wq, &tw.w);
	while (b->left) {
		got = iobuf_peek(b, buf, MIN(b->left, sizeof(buf)));
		if (got <= 0) {
			n = got;
			break;
		}
		n = (ssize_t)pty_input(p, buf, (size_t)got);
		if (n > 0) {
			iobuf_advance(b, (size_t)n);
			total += n;
			continue;
		}
		fasync_no_room(f);
		n = nonblock ? -EAGAIN : task_sleep(t, KTIME_MAX);
		if (n < 0)
			break;
	}
	waitq_del(&p->master_wq, &tw.w);
	return total ? total : n;
}

static u32 master_poll(struct file *f)
{
	struct pty *p = pty_of(f);
	size_t len;
	u32 ev = 0;

	mutex_lock(&p->mu);
	if (ntty_out_peek(&p->n, &len))
		ev |= POLLIN | POLLRDNORM;
	if (p->packet && p->packet_status)
		ev |= POLLIN | POLLRDNORM | POLLPRI;
	if (p->n.head - p->n.tail < NTTY_IN - 1 || !ntty_readable(&p->n, 1))
		ev |= POLLOUT | POLLWRNORM;
	if (slaves_gone(p))
		ev |= POLLHUP;
	mutex_unlock(&p->mu);
	return ev;
}

/* Whoever asks for signals and has not said to whom gets them for the foreground group, or itself. */
static int pty_async(struct task *t, struct file *f)
{
	struct pty *p = pty_of(f);
	int pgid;

	mutex_lock(&t->kernel->mu);
	pgid = p->link.fg_pgid;
	mutex_unlock(&t->kernel->mu);
	return fowner_default(t, f, pgid);
}

const struct file_ops pty_slave_ops = {
	.name = "tty",
	.read = slave_read,
	.write = slave_write,
	.poll = slave_poll,
	.ioctl = pty_ioctl,
	.async = pty_async,
	.release = pty_file_release,
};

const struct file_ops pty_master_ops = {
	.name = "ptmx",
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = pty_ioctl,
	.async = pty_async,
	.release = pty_file_release,
};
