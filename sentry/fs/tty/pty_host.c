/*
 * pty_host.c - a terminal whose master side is a descriptor of the host. See pty.h.
 *
 * The engine gave us the slave of a host pty (or made us one by a console
 * socket).  It is set raw: all editing and all signals are the guest line discipline's.
 * The host watcher (hostpoll.h) tells of typed bytes; what the guest writes goes out at once,
 * and waits in the output ring only while the host takes no more.  No byte, no wake-up.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "platform/host/hostfile.h"
#include "platform/host/hostio.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/tty/pty.h"
#include "sentry/kernel/kernel.h"
#include "sentry/vfs/fasync.h"

#define PIECE 1024

static void arm(struct pty *p, u32 events) REQUIRES(p->mu)
{
	if (p->host_armed == events)
		return;
	p->host_armed = events;
	hostpoll_arm(p->kernel, &p->item, events);
}

void pty_host_flush(struct pty *p)
{
	const u8 *src;
	size_t len;

	while ((src = ntty_out_peek(&p->n, &len))) {
		ssize_t n = hostio_write_nowait(p->hostfd, src, len);

		if (n == -EAGAIN) {
			arm(p, p->host_armed | EPOLLOUT);
			return;
		}
		/* A host terminal that is gone swallows what is written; its hangup comes by itself. */
		ntty_out_drop(&p->n, n < 0 ? len : (size_t)n);
	}
	arm(p, p->host_armed & ~(u32)EPOLLOUT);
}

/* Is there room for what may be typed? */
static size_t room(const struct pty *p) { return NTTY_IN - 1 - (p->n.head - p->n.tail); }

void pty_host_resume(struct pty *p)
{
	if (!(p->host_armed & EPOLLIN) && room(p) >= PIECE)
		arm(p, p->host_armed | EPOLLIN);
}

/* Take what was typed, as long as there is room for it. False: the host side has hung up. */
static bool take_input(struct pty *p)
{
	u8 buf[PIECE];

	for (;;) {
		bool fits;
		ssize_t n;

		mutex_lock(&p->mu);
		fits = room(p) >= PIECE || !ntty_readable(&p->n, 1);
		if (!fits)
			arm(p, p->host_armed & ~(u32)EPOLLIN);
		mutex_unlock(&p->mu);
		if (!fits)
			return true;
		n = hostio_read_nowait(p->hostfd, buf, sizeof(buf));
		if (n == -EAGAIN)
			return true;
		if (n <= 0)
			return false;
		(void)pty_input(p, buf, (size_t)n);
	}
}

static void host_event(struct hostpoll_item *it, u32 events)
{
	struct pty *p = container_of(it, struct pty, item);
	bool alive = true, room_now;

	if (events & EPOLLOUT) {
		mutex_lock(&p->mu);
		pty_host_flush(p);
		room_now = ntty_out_room(&p->n) >= 8;
		mutex_unlock(&p->mu);
		if (room_now)
			waitq_wake(&p->slave_wq, POLLOUT | POLLWRNORM | ASYNC_SPACE);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		alive = take_input(p);
	if (!alive || (events & EPOLLHUP)) {
		bool was_open;

		mutex_lock(&p->mu);
		arm(p, 0);
		was_open = p->master_open;
		mutex_unlock(&p->mu);
		if (was_open)
			pty_master_gone(p);
	}
}

void pty_host_done(struct pty *p)
{
	hostpoll_del(p->kernel, &p->item);
	host_close(p->hostfd);
}

/* *ret_onlcr: as it was, for ours. */
static int set_raw(hostfd_t fd, bool *ret_onlcr)
{
	struct termios tio;
	int r = hostio_ioctl(fd, TCGETS, &tio);

	if (r < 0)
		return r;
	*ret_onlcr = !(tio.c_oflag & OPOST) || (tio.c_oflag & ONLCR);    /* raw already: somebody else's doing */
	cfmakeraw(&tio);
	r = hostio_ioctl(fd, TCSETS, &tio);
	/* A tty knows no RWF_NOWAIT. The launcher owns this description and restores it. */
	return r < 0 ? r : host_set_nonblock(fd, true);
}

int tty_from_host(struct kernel *k, hostfd_t fd, u32 uid, struct file **ret)
{
	struct winsize ws = { 0 };
	struct inode *i;
	bool onlcr;
	struct pty *p;
	int r = set_raw(fd, &onlcr);

	if (r < 0)
		return r;
	r = pty_new(k, &p);
	if (r < 0)
		return r;
	if (!onlcr)
		p->n.tio.oflag &= ~(u32)ONLCR;
	p->host = true;
	p->hostfd = fd;
	p->master_open = true;
	p->item.fd = fd;
	p->item.fn = host_event;
	list_init(&p->item.node);
	if (hostio_ioctl(fd, TIOCGWINSZ, &ws) == 0)
		p->ws = (struct lx_winsize){ ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel };
	r = devpts_inode(p, &i);
	if (r == 0) {
		i->uid = uid;
		r = pty_open_slave(NULL, p, NULL, i, O_RDWR | O_NOCTTY, ret);
		inode_unref(i);
	}
	if (r == 0) {
		r = hostpoll_add(k, &p->item);
		if (r < 0)
			file_unref(*ret);
	}
	if (r < 0) {
		p->host = false;                /* the descriptor stays the caller's */
		pty_master_gone(p);
		pty_unref(p);
		return r;
	}
	mutex_lock(&p->mu);
	arm(p, EPOLLIN);
	mutex_unlock(&p->mu);
	return 0;                               /* our reference is the host side's: it never closes before the sandbox ends */
}
