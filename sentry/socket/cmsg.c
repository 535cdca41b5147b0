/*
 * cmsg.c - control messages towards the guest (cmsg(3)), with Linux's rules for too little room.
 *
 * Descriptor numbers are reserved while the buffer is filled and published only
 * when the guest has been told, so a faulting recvmsg() leaks nothing.
 */
#include <errno.h>

#include "sentry/kernel/fdtable.h"
#include "sentry/socket/socket.h"

#define HDR sizeof(struct cmsghdr)

void cmsg_put(struct cmsg_out *c, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = { .cmsg_level = level, .cmsg_type = type };
	size_t room = c ? c->cap - c->len : 0, n = HDR + len;

	if (!c)
		return;
	if (room < HDR) {
		c->trunc = true;
		return;
	}
	if (n > room) {
		c->trunc = true;
		n = room;
	}
	h.cmsg_len = n;
	__builtin_memcpy(c->buf + c->len, &h, HDR);
	__builtin_memcpy(c->buf + c->len + HDR, data, n - HDR);
	n = MIN(ALIGN_UP(HDR + len, sizeof(long)), room);
	c->len += n;
}

void cmsg_put_rights(struct task *t, struct cmsg_out *c, struct file **files, int n)
{
	int numbers[SOCK_FDS_MAX], first = c->nfds, done = 0;
	size_t room = c->cap - c->len, fit = room > HDR ? (room - HDR) / sizeof(int) : 0;

	while (done < n && done < SOCK_FDS_MAX && (size_t)done < fit) {
		int fd = fd_reserve(t, 0, c->cloexec);

		if (fd < 0)
			break;
		numbers[done] = fd;
		c->fds[first + done].fd = fd;
		c->fds[first + done].file = files[done];
		done++;
	}
	c->nfds += done;
	if (done)
		cmsg_put(c, SOL_SOCKET, SCM_RIGHTS, numbers, (size_t)done * sizeof(int));
	if (done < n)
		c->trunc = true;
	for (; done < n; done++)
		file_unref(files[done]);
}

void cmsg_put_fd(struct task *t, struct cmsg_out *c, int level, int type, struct file *f)
{
	int fd = -1;

	if (c->cap - c->len >= HDR + sizeof(int))
		fd = fd_reserve(t, 0, true);
	if (fd < 0) {
		c->trunc = true;
		file_unref(f);
		return;
	}
	c->fds[c->nfds].fd = fd;
	c->fds[c->nfds++].file = f;
	cmsg_put(c, level, type, &fd, sizeof(fd));
}

void cmsg_finish(struct task *t, struct cmsg_out *c, bool told)
{
	for (int i = 0; i < c->nfds; i++) {
		if (told)
			fd_publish(t, c->fds[i].fd, c->fds[i].file);
		else
			fd_unreserve(t, c->fds[i].fd);
		file_unref(c->fds[i].file);
	}
	c->nfds = 0;
}
