/*
 * helper.c - see helper.h.
 *
 * A helper keeps a socket, a network namespace and memory.  Everything else goes: files, ids, rights, names of other
 * processes.  It ends when its socket does, so with the sandbox, however that ends.
 */
#include "runsc-cli/setup/helper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/cgroup.h"
#include "runsc-cli/setup/procs.h"
#include "runsc-cli/setup/sys.h"

#define SOCK 3

static int set_caps(u64 caps)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ (u32)caps, (u32)caps, 0 }, { (u32)(caps >> 32), (u32)(caps >> 32), 0 },
	};

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

static int change_ids(u64 caps)
{
	int r = setup_drop_bounding();

	if (r < 0)
		return r;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, SENTRY_ID, SENTRY_ID, SENTRY_ID) < 0 ||
	    syscall(SYS_setresuid, SENTRY_ID, SENTRY_ID, SENTRY_ID) < 0)
		return -errno;
	r = set_caps(caps);
	if (r == 0 && (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	               prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
		r = -errno;
	return r;
}

static int jail(const struct helper *h, int sock)
{
	const char *what;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), r;

	for (int i = 0; i < 3; i++)
		if (fd < 0 || dup2(fd, i) < 0)
			return -EBADF;
	if ((h->ns >= 0 && setns(h->ns, CLONE_NEWNET) < 0) ||
	    unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return -errno;
	if (sock != SOCK && dup2(sock, SOCK) < 0)
		return -errno;
	setup_close_range(SOCK + 1, ~0u);
	(void)setsid();
	r = setup_empty_root(&what);
	if (r == 0)
		r = change_ids(h->caps);
	return r < 0 ? r : hc_install(h->calls, h->ncalls);
}

static noreturn_fn void child(const struct helper *h, int sock)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	(void)prctl(PR_SET_NAME, h->name);
	setup_forget_env();
	for (int s = 1; s < 65; s++)
		(void)sigaction(s, &dfl, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (jail(h, sock) == 0)
		h->main(SOCK);
	_exit(1);
}

static int give(int ctl, u32 op, int fd)
{
	int fds[CTL_MAX_FDS], r = ctl_send(ctl, op, 0, NULL, 0, &fd, 1);
	void *payload = NULL;
	struct ctl_hdr h;
	size_t nfds;

	if (r == 0)
		r = ctl_recv(ctl, 0, &h, &payload, fds, &nfds);
	if (r < 0)
		return r;
	kfree(payload);
	return h.result;
}

int helper_start(struct cli *cli, struct container *c, const struct helper *h, int ctl)
{
	int pair[2], r;
	pid_t pid;

	if (geteuid() != 0)
		return err_set(&cli->err, -EPERM, "the %s needs root", h->name);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(&cli->err, -errno, "cannot make a socket pair");
	pid = setup_fork(CLONE_NEWPID, NULL);
	if (pid == 0) {
		close(pair[0]);
		child(h, pair[1]);
	}
	close(pair[1]);
	r = pid < 0 ? pid : give(ctl, h->op, pair[0]);
	close(pair[0]);
	if (r < 0)
		return err_sys(&cli->err, r, "cannot start the %s", h->name);
	return cgroup_join(cli, c, pid);
}
