/* session.c - see session.h. */
#include "runsc-cli/session.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/host/shed.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/sys.h"

/* The second message, or the end of the sandbox. */
static int read_exit(int sock)
{
	struct ctl_exit e = { .wstatus = SIGKILL };
	struct ctl_hdr h;
	void *reply = NULL;
	int got[CTL_MAX_FDS];
	size_t ngot;

	if (ctl_recv(sock, 0, &h, &reply, got, &ngot) == 0 && h.len >= sizeof(e))
		memcpy(&e, reply, sizeof(e));
	kfree(reply);
	return WIFEXITED(e.wstatus) ? WEXITSTATUS(e.wstatus) : 128 + WTERMSIG(e.wstatus);
}

static void pass_winsize(struct session *x)
{
	struct ctl_winsize w = { .pid = x->pid };
	struct winsize ws;

	if (ioctl(x->tty, TIOCGWINSZ, &ws) < 0)
		return;
	w.rows = ws.ws_row;
	w.cols = ws.ws_col;
	(void)!container_call(x->c, CTL_WINSIZE, &w, sizeof(w), NULL, 0);
}

/*
 * With a terminal, be its session's leader: the host's kernel tells the
 * controlling process of changes of size, and only it.
 */
int session_signals(struct session *x)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	x->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (x->tty >= 0) {
		(void)setsid();
		(void)ioctl(x->tty, TIOCSCTTY, 0);
		pass_winsize(x);
	}
	return x->sigfd;
}

void session_keep_only(const struct session *x)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), keep[] = { x->sock, x->tty, x->c->dirfd };
	unsigned from = 3;

	for (int i = 0; i < 3 && null >= 0; i++)
		(void)dup2(null, i);
	for (;;) {
		unsigned next = ~0u;

		for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
			if (keep[i] >= 0 && (unsigned)keep[i] >= from)
				next = MIN(next, (unsigned)keep[i]);
		if (next > from)
			setup_close_range(from, next == ~0u ? next : next - 1);
		if (next == ~0u)
			return;
		from = next + 1;
	}
}

int session_wait(struct session *x)
{
	host_shed();
	for (;;) {
		struct pollfd pf[] = { { .fd = x->sock, .events = POLLIN }, { .fd = x->sigfd, .events = POLLIN } };
		struct signalfd_siginfo si;

		if (poll(pf, ARRAY_SIZE(pf), -1) < 0 && errno != EINTR)
			return 255;
		if (pf[0].revents)
			return read_exit(x->sock);
		if (!pf[1].revents || read(x->sigfd, &si, sizeof(si)) != sizeof(si))
			continue;
		if (si.ssi_signo == SIGWINCH && x->tty >= 0) {
			pass_winsize(x);
		} else if (si.ssi_signo != SIGHUP || x->tty < 0) {
			struct ctl_signal s = { .pid = x->pid, .sig = (s32)si.ssi_signo };

			(void)!container_call(x->c, CTL_SIGNAL, &s, sizeof(s), NULL, 0);
		}
	}
}
