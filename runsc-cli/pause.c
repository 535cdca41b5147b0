/*
 * pause.c - stop and continue all processes of a sandbox.
 *
 * The sentry is stopped first: from then on no stub can fork or be answered, so the list of
 * stubs is complete, and those that wait for the sentry go on waiting.  Continuing goes the other way round.
 * Stubs are found by their pid namespace, which is the sandbox's own.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/container.h"
#include "runsc-cli/setup/sys.h"

static int pid_ns_of(s32 pid, ino_t *ret)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

static void signal_if_inside(s32 pid, ino_t ns, int sig)
{
	int fd = setup_pidfd_open(pid);
	ino_t its;

	if (fd < 0)
		return;
	/* The pidfd came first: what is looked at now is what will be signalled, or nothing. */
	if (pid_ns_of(pid, &its) == 0 && its == ns)
		(void)setup_pidfd_signal(fd, sig);
	close(fd);
}

static int signal_stubs(struct container *c, int sig)
{
	ino_t ns;
	struct dirent *e;
	DIR *d;
	int r = pid_ns_of(c->sentry.pid, &ns);

	if (r < 0)
		return r;
	d = opendir("/proc");
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		u64 pid;

		if (str_to_u64(e->d_name, 10, &pid) == 0 && pid <= INT32_MAX && (s32)pid != c->sentry.pid)
			signal_if_inside((s32)pid, ns, sig);
	}
	closedir(d);
	return 0;
}

static int await_state(struct container *c, bool stopped)
{
	for (int i = 0; i < 1000; i++) {
		char s = proc_state(&c->sentry);

		if (!s)
			return -ESRCH;
		if ((s == 'T') == stopped)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

int container_stop(struct container *c, bool stop)
{
	int r;

	/* One kernel cannot be stopped for some of its processes. */
	if (*c->sandbox)
		return -EOPNOTSUPP;
	if (!stop) {
		r = signal_stubs(c, SIGCONT);
		if (r == 0)
			r = proc_kill(&c->sentry, SIGCONT);
		return r < 0 ? r : await_state(c, false);
	}
	r = proc_kill(&c->sentry, SIGSTOP);
	if (r == 0)
		r = await_state(c, true);
	return r < 0 ? r : signal_stubs(c, SIGSTOP);
}
