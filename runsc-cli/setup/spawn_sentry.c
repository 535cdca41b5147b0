/*
 * spawn_sentry.c - fork the sentry and take everything from it.
 *
 * Order, and why: the user namespace comes first, because it gives the rights to make and empty
 * the others without any right on the host; the id is mapped by the launcher, as only it may;
 * then the root is exchanged for an empty read-only tmpfs, and last the
 * capabilities go, after which nothing of this can be undone.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/procs.h"
#include "runsc-cli/setup/sys.h"

static noreturn_fn void fail(const struct boot_config *cfg, const char *what, int code)
{
	char text[256];

	snprintf(text, sizeof(text), "%cthe sandbox cannot jail itself: %s: %s", BOOT_SYNC_ERROR, what, strerror(-code));
	(void)!send(cfg->sync_fd, text, strlen(text), MSG_NOSIGNAL);
	_exit(1);
}

static void wait_for(const struct boot_config *cfg, char want)
{
	char c = 0;
	ssize_t n;

	do {
		n = recv(cfg->sync_fd, &c, 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n != 1 || c != want)
		_exit(1);       /* the launcher has given up; it says why */
}

static void empty_root(const struct boot_config *cfg)
{
	const char *what = "";
	int r = setup_empty_root(&what);

	if (r < 0)
		fail(cfg, what, r);
}

static void null_stdio(const struct boot_config *cfg)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail(cfg, "/dev/null", -errno);
	for (int i = 0; i < 3; i++)
		(void)dup2(fd, i);
}

static int cmp_int(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void close_others(const struct boot_config *cfg)
{
	int keep[15 + CTL_EXTRA_FDS] = { 0, 1, 2, cfg->sync_fd, cfg->ctl_fd, cfg->tty_fd, cfg->gofer_inval, cfg->log_fd,
	               cfg->stdio[0], cfg->stdio[1], cfg->stdio[2],
	               cfg->gofer_ctl[0], cfg->gofer_ctl[1], cfg->gofer_ctl[2], cfg->gofer_ctl[3] };
	size_t n = 15;
	unsigned from = 0;

	_Static_assert(BOOT_GOFER_CTL == 4, "keep[] names each");
	for (u32 i = 0; i < cfg->process->nextra; i++)
		keep[n++] = cfg->extra[i];
	qsort(keep, n, sizeof(keep[0]), cmp_int);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < 0 || (unsigned)keep[i] < from)
			continue;
		if ((unsigned)keep[i] > from)
			setup_close_range(from, (unsigned)keep[i] - 1);
		from = (unsigned)keep[i] + 1;
	}
	setup_close_range(from, ~0u);
}

static void reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s < 65; s++)
		(void)sigaction(s, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void drop_rights(const struct boot_config *cfg)
{
	struct rlimit no_core = { 0, 0 }, nofile;
	int r;

	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0) {
		nofile.rlim_cur = nofile.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &nofile);
	}
	umask(0077);
	r = setup_drop_caps();
	if (r < 0)
		fail(cfg, "drop capabilities", r);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(cfg, "no_new_privs", -errno);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		fail(cfg, "clear dumpable", -errno);
}

/* Those of our control groups, which only now are known; at most @max. */
static u32 count_cpus(u32 max)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return MAX(MIN(max, (u32)CPU_COUNT(&set)), 1u);
}

/*
 * The filter cannot look into what clone3 is given, and a further user namespace needs no right. Where /proc/sys is
 * read-only (a container) there stays only the filter, which lets through nothing that such a namespace would be good for.
 */
static void no_more_user_namespaces(void)
{
	int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, "0", 1);
		close(fd);
	}
}

static noreturn_fn void sentry_child(const struct boot_config *cfg, bool own_net)
{
	struct boot_config placed;

	(void)prctl(PR_SET_NAME, "sentry");
	setup_forget_env();
	reset_signals();
	null_stdio(cfg);
	/* Early: our copy of the launcher's end of the sync socket would hide its death from us. */
	close_others(cfg);
	if (setsid() < 0 && errno != EPERM)
		fail(cfg, "setsid", -errno);
	if (unshare(CLONE_NEWNS | (own_net ? CLONE_NEWNET : 0) | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		fail(cfg, "unshare namespaces", -errno);
	wait_for(cfg, BOOT_SYNC_MAPPED);
	/* Raw calls: libc's would signal threads that do not exist. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		fail(cfg, "setgroups", -errno);
	if (syscall(SYS_setresgid, SENTRY_ID, SENTRY_ID, SENTRY_ID) < 0)
		fail(cfg, "setresgid", -errno);
	if (syscall(SYS_setresuid, SENTRY_ID, SENTRY_ID, SENTRY_ID) < 0)
		fail(cfg, "setresuid", -errno);
	no_more_user_namespaces();
	empty_root(cfg);
	drop_rights(cfg);
	(void)!send(cfg->sync_fd, (char[]){ BOOT_SYNC_JAILED }, 1, MSG_NOSIGNAL);
	wait_for(cfg, BOOT_SYNC_GO);
	placed = *cfg;
	placed.ncpus = count_cpus(cfg->ncpus);
	_exit(boot_main(&placed));
}

/*
 * Into @ns before the sentry is forked: from inside its user namespace it may not.  A child of ours goes there to do that, as whoever
 * is root of a user namespace only could not return.  The sentry is our child all the same. Its pid, or -errno.
 */
static pid_t fork_in_net(struct cli *cli, int ns, const struct boot_config *cfg, int *ret_pidfd)
{
	int told[2], r = -ECHILD, status = 0;
	pid_t mid;

	if (pipe2(told, O_CLOEXEC) < 0)
		return -errno;
	mid = setup_fork(0, NULL);
	if (mid == 0) {
		if (setns(ns, CLONE_NEWNET) < 0)
			_exit(errno);
		r = setup_fork(CLONE_PARENT | CLONE_NEWUSER | CLONE_NEWPID, NULL);
		if (r == 0)
			sentry_child(cfg, false);
		(void)!write(told[1], &r, sizeof(r));
		_exit(0);
	}
	close(told[1]);
	if (mid < 0)
		r = mid;
	else if (read(told[0], &r, sizeof(r)) != sizeof(r))
		r = -ECHILD;
	close(told[0]);
	while (mid > 0 && waitpid(mid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return err_sys(&cli->err, -WEXITSTATUS(status), "linux.namespaces: cannot join the network namespace");
	if (r > 0)
		*ret_pidfd = setup_pidfd_open(r);
	return r;
}

pid_t spawn_sentry(struct cli *cli, const struct boot_config *cfg, int netns, int *ret_pidfd)
{
	pid_t pid = netns >= 0 ? fork_in_net(cli, netns, cfg, ret_pidfd) : setup_fork(CLONE_NEWUSER | CLONE_NEWPID, ret_pidfd);

	if (pid == 0)
		sentry_child(cfg, true);
	if (pid < 0 && cli->err.code)
		return pid;
	if (pid == -EPERM || pid == -ENOSPC || pid == -EUSERS)
		return err_sys(&cli->err, pid, "cannot make a user namespace (is user.max_user_namespaces 0, or "
		               "kernel.unprivileged_userns_clone off? see csandbox doctor)");
	if (pid < 0)
		return err_sys(&cli->err, pid, "cannot fork the sentry");
	return pid;
}

static int write_map(struct cli *cli, pid_t pid, const char *file, const char *text)
{
	char path[64];
	int fd, r = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		r = err_sys(&cli->err, -errno, "%s: cannot write \"%s\"", path, text);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Is there an @id in our own user namespace?  @file: uid_map or gid_map. */
static bool have_id(const char *file, u32 id)
{
	char path[64];
	u32 in, out, n;
	bool hit = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/%s", file);
	f = fopen(path, "re");
	while (f && !hit && fscanf(f, "%u %u %u", &in, &out, &n) == 3)
		hit = id >= in && id - in < n;
	if (f)
		fclose(f);
	return hit;
}

/* An id that is nobody's; who is not root of the host and has none to give gives his own. */
static u32 outer_id(const char *file, u32 own)
{
	return own || (cli_rootless() && !have_id(file, SENTRY_ID)) ? own : SENTRY_ID;
}

int map_sentry_ids(struct cli *cli, pid_t pid)
{
	u32 uid = outer_id("uid_map", geteuid()), gid = outer_id("gid_map", geteuid() ? getegid() : 0);
	char text[64];
	int r = 0;

	if (geteuid())
		r = write_map(cli, pid, "setgroups", "deny");
	snprintf(text, sizeof(text), "%d %u 1", SENTRY_ID, uid);
	if (r == 0)
		r = write_map(cli, pid, "uid_map", text);
	snprintf(text, sizeof(text), "%d %u 1", SENTRY_ID, gid);
	return r < 0 ? r : write_map(cli, pid, "gid_map", text);
}
