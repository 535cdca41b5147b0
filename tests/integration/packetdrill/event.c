/*
 * event.c - poll, epoll, pipes and splice for the adapter.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "tests/integration/packetdrill/rig.h"

static u64 deadline(struct rig *r, int timeout_ms)
{
	return timeout_ms < 0 ? NET_NEVER : atomic_load(&r->now) + (u64)timeout_ms * 1000000;
}

int rig_poll(void *u, struct pollfd *p, nfds_t n, int timeout)
{
	struct rig *r = u;
	u64 end = deadline(r, timeout), seen;
	nfds_t i;
	int k;

	for (;;) {
		seen = rig_seen(r);
		k = 0;
		for (i = 0; i < n; i++) {
			struct rig_sock *s = rig_get(r, p[i].fd);
			u32 ev = s ? ep_poll(s->ep) : POLLNVAL;

			p[i].revents = (short)(ev & ((u32)(u16)p[i].events | POLLERR | POLLHUP | POLLNVAL));
			k += p[i].revents != 0;
		}
		if (k || timeout == 0 || !rig_wait(r, seen, end))
			return k;
	}
}

int rig_epoll_create(void *u, int size)
{
	struct rig *r = u;
	int fd = open("/dev/null", O_RDWR);

	(void)size;
	if (fd < 0 || fd >= RIG_FDS)
		abort();
	r->epoll[fd] = calloc(1, sizeof(**r->epoll));
	return fd;
}

int rig_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *ev)
{
	struct rig *r = u;
	struct rig_epoll *e = r->epoll[epfd];
	struct rig_sock *s = rig_get(r, fd);
	int i, at = -1, spare = -1;

	if (!e || !s)
		return rig_err(-EBADF);
	for (i = 0; i < 16; i++) {
		if (e->item[i].used && e->item[i].fd == fd)
			at = i;
		if (!e->item[i].used)
			spare = i;
	}
	if (op == EPOLL_CTL_ADD ? at >= 0 || spare < 0 : at < 0)
		return rig_err(op == EPOLL_CTL_ADD ? -EEXIST : -ENOENT);
	if (op == EPOLL_CTL_DEL) {
		e->item[at].used = false;
		return 0;
	}
	at = at < 0 ? spare : at;
	e->item[at].used = true;
	e->item[at].fd = fd;
	e->item[at].ev = *ev;
	atomic_fetch_or(&s->edge, 0x80000000u);
	return 0;
}

int rig_epoll_wait(void *u, int epfd, struct epoll_event *ev, int max, int timeout)
{
	struct rig *r = u;
	struct rig_epoll *e = r->epoll[epfd];
	u64 end = deadline(r, timeout), seen;
	int i, n = 0;

	if (!e)
		return rig_err(-EBADF);
	for (;;) {
		seen = rig_seen(r);
		for (i = 0; i < 16 && n < max; i++) {
			struct rig_sock *s = e->item[i].used ? rig_get(r, e->item[i].fd) : NULL;
			u32 want = e->item[i].ev.events | EPOLLERR | EPOLLHUP, edge, now;

			if (!s || !e->item[i].ev.events)
				continue;
			now = ep_poll(s->ep) & want;
			edge = atomic_load(&s->edge);
			if (!now || ((want & EPOLLET) && !(edge & (want | 0x80000000u))))
				continue;
			atomic_store(&s->edge, 0);
			if (want & EPOLLONESHOT)
				e->item[i].ev.events = 0;       /* till EPOLL_CTL_MOD */
			ev[n].events = now;
			ev[n++].data = e->item[i].ev.data;
		}
		if (n || timeout == 0 || !rig_wait(r, seen, end))
			return n;
	}
}

int rig_pipe(void *u, int fd[2])
{
	(void)u;
	return pipe(fd);
}

ssize_t rig_splice(void *u, int in, loff_t *in_off, int out, loff_t *out_off, size_t n, unsigned flags)
{
	u8 buf[65536];
	ssize_t r;

	if (!rig_get(u, in) && !rig_get(u, out))
		return splice(in, in_off, out, out_off, n, flags);
	if (rig_get(u, in) && ep_atmark(rig_get(u, in)->ep) > 0)
		return 0;               /* splice stops at the urgent byte */
	r = rig_read(u, in, buf, MIN(n, sizeof(buf)));
	return r > 0 ? rig_write(u, out, buf, (size_t)r) : r;
}
