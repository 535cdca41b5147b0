/* console.c - see console.h. */
#include "runsc-cli/setup/console.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

int console_open(struct cli *cli, u16 rows, u16 cols, int *ret_master, int *ret_slave)
{
	struct winsize ws = { .ws_row = rows, .ws_col = cols };
	int m = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), s;

	if (m < 0)
		return err_sys(&cli->err, -errno, "cannot open a pseudo-terminal (is /dev/ptmx there?)");
	if (unlockpt(m) < 0 || (s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
		int e = -errno;

		close(m);
		return err_sys(&cli->err, e, "cannot open the slave of a pseudo-terminal");
	}
	if (rows || cols)
		(void)ioctl(m, TIOCSWINSZ, &ws);
	*ret_master = m;
	*ret_slave = s;
	return 0;
}

void console_foreground(int slave)
{
	struct termios t;

	if (tcgetattr(slave, &t) == 0) {
		t.c_oflag &= ~(tcflag_t)ONLCR;
		(void)tcsetattr(slave, TCSANOW, &t);
	}
}

/* @option: which one names the socket; @name: told along with the descriptor. */
static int send_fd(struct cli *cli, const char *option, const char *name, const char *socket_path, int fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c = { 0 };
	struct iovec iov = { (char *)name, strlen(name) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	int s, r = 0;

	if (strlen(socket_path) >= sizeof(a.sun_path))
		return err_set(&cli->err, -ENAMETOOLONG, "--%s: the path has more than 107 bytes", option);
	memcpy(a.sun_path, socket_path, strlen(socket_path) + 1);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_sys(&cli->err, -errno, "cannot make a socket");
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0 || sendmsg(s, &m, MSG_NOSIGNAL) < 0)
		r = err_sys(&cli->err, -errno, "--%s: cannot send the descriptor to %s", option, socket_path);
	close(s);
	return r;
}

int console_send(struct cli *cli, const char *socket_path, int master)
{
	return send_fd(cli, "console-socket", "/dev/ptmx", socket_path, master);
}

int console_send_pidfd(struct cli *cli, const char *socket_path, int pidfd)
{
	return send_fd(cli, "pidfd-socket", "pidfd", socket_path, pidfd);
}

struct proxy {
	int master, done_fd, sigfd;
	bool in_open, raw;
	struct termios saved;
	sigset_t old_mask;
};

static void copy_size(int master)
{
	struct winsize ws;

	if (ioctl(0, TIOCGWINSZ, &ws) == 0)
		(void)ioctl(master, TIOCSWINSZ, &ws);
}

static bool write_all(int fd, const char *buf, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, buf, n);

		if (w < 0 && (errno == EINTR || errno == EAGAIN)) {
			struct pollfd pf = { .fd = fd, .events = POLLOUT };

			(void)poll(&pf, 1, -1);
			continue;
		}
		if (w <= 0)
			return false;
		buf += w;
		n -= (size_t)w;
	}
	return true;
}

/* False at the end of @from or when @to takes no more. */
static bool pump(int from, int to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	return n > 0 && write_all(to, buf, (size_t)n);
}

static void proxy_begin(struct proxy *p)
{
	struct termios t;
	sigset_t winch;

	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	sigprocmask(SIG_BLOCK, &winch, &p->old_mask);
	p->sigfd = signalfd(-1, &winch, SFD_CLOEXEC | SFD_NONBLOCK);
	p->in_open = true;
	if (tcgetattr(0, &p->saved) == 0) {
		t = p->saved;
		cfmakeraw(&t);
		t.c_oflag = p->saved.c_oflag;   /* what comes has no carriage returns: console_foreground() */
		p->raw = tcsetattr(0, TCSADRAIN, &t) == 0;
		copy_size(p->master);
	}
}

static void proxy_end(struct proxy *p)
{
	if (p->raw)
		(void)tcsetattr(0, TCSADRAIN, &p->saved);
	if (p->sigfd >= 0)
		close(p->sigfd);
	sigprocmask(SIG_SETMASK, &p->old_mask, NULL);
}

void console_proxy(int master, int done_fd)
{
	struct proxy p = { .master = master, .done_fd = done_fd };
	bool done = false;

	proxy_begin(&p);
	for (;;) {
		struct pollfd pf[] = {
			{ .fd = master, .events = POLLIN },
			{ .fd = p.in_open ? 0 : -1, .events = POLLIN },
			{ .fd = p.sigfd, .events = POLLIN },
			{ .fd = done ? -1 : done_fd, .events = POLLIN },
		};
		int n = poll(pf, ARRAY_SIZE(pf), done ? 0 : -1);

		if (n < 0 && errno != EINTR)
			break;
		if (n == 0 && done)     /* over, and nothing is left to show */
			break;
		if (pf[0].revents && !pump(master, 1))
			break;
		if (pf[1].revents && !pump(0, master))
			p.in_open = false;
		if (pf[2].revents) {
			struct signalfd_siginfo si;

			if (read(p.sigfd, &si, sizeof(si)) > 0)
				copy_size(master);
		}
		if (pf[3].revents)
			done = true;
	}
	proxy_end(&p);
}
