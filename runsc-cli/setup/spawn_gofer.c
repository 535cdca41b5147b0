/*
 * spawn_gofer.c - fork the gofer into its own namespaces.
 *
 * Without root the gofer gets a user namespace in which the caller is root, so that it owns the
 * caller's files and nobody else's.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "gofer/gofer.h"
#include "platform/base/log.h"
#include "runsc-cli/setup/procs.h"
#include "runsc-cli/setup/sys.h"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		log_error("gofer: cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void map_caller_to_root(uid_t uid, gid_t gid)
{
	char text[64];

	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", uid);
	write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "0 %u 1", gid);
	write_file("/proc/self/gid_map", text);
}

static void null_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3 && fd >= 0; i++)
		(void)dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static int gofer_child(const struct roots *roots, int socks[][2], int nsocks, int log_fd)
{
	struct gofer_root gr[ROOTS_MAX];
	struct gofer_config cfg = {
		.roots = gr, .nroots = (int)roots->n, .inval_fd = socks[0][1], .nctl = nsocks - 1,
		.log_fd = log_fd, .hold_fd = roots->lock_fd, .jail = true,
	};
	uid_t uid = geteuid();
	gid_t gid = getegid();

	(void)prctl(PR_SET_NAME, "gofer");
	null_stdio();
	if (unshare((uid ? CLONE_NEWUSER : 0) | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) {
		log_error("gofer: cannot make namespaces: %s", strerror(errno));
		return 1;
	}
	if (uid)
		map_caller_to_root(uid, gid);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		log_error("gofer: cannot make its mounts private: %s", strerror(errno));
		return 1;
	}
	for (u32 i = 0; i < roots->n; i++) {
		gr[i] = (struct gofer_root){ roots_open(&roots->v[i]), roots->v[i].readonly };
		if (gr[i].dirfd < 0) {
			log_error("gofer: %s was replaced while the container was being made: %s", roots->v[i].path,
			          strerror(-gr[i].dirfd));
			return 1;
		}
	}
	for (int i = 0; i < nsocks; i++) {
		close(socks[i][0]);
		if (i)
			cfg.ctl_fds[i - 1] = socks[i][1];
	}
	return gofer_main(&cfg) < 0;
}

pid_t spawn_gofer(struct cli *cli, const struct roots *roots, int socks[][2], int nsocks, int log_fd)
{
	pid_t pid = setup_fork(geteuid() == 0 ? CLONE_NEWPID : 0, NULL);

	if (pid == 0)
		_exit(gofer_child(roots, socks, nsocks, log_fd));
	if (pid < 0)
		return err_sys(&cli->err, pid, "cannot fork the gofer");
	return pid;
}
