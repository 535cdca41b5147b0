/* foreground.c - see foreground.h. */
#include "runsc-cli/foreground.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "platform/host/shed.h"
#include "runsc-cli/ctl/ctl.h"

int foreground_signals(void)
{
	static const int pass[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM, SIGTSTP,
	                            SIGTTIN, SIGTTOU };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(pass); i++)
		sigaddset(&set, pass[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void foreground_wait(struct container *c, s32 pid, int sigfd, int done_fd)
{
	host_shed();
	for (;;) {
		struct pollfd pf[] = { { .fd = done_fd, .events = POLLIN }, { .fd = sigfd, .events = POLLIN } };
		struct signalfd_siginfo si;

		if (poll(pf, ARRAY_SIZE(pf), -1) < 0 && errno != EINTR)
			return;
		if (pf[0].revents)
			return;
		if (pf[1].revents && read(sigfd, &si, sizeof(si)) == sizeof(si)) {
			struct ctl_signal s = { .pid = pid, .sig = (s32)si.ssi_signo };

			(void)!container_call(c, CTL_SIGNAL, &s, sizeof(s), NULL, 0);
		}
	}
}
