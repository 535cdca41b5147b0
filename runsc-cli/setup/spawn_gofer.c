/*
 * spawn_gofer.c - fork the gofer into its own namespaces.
 *
 * A container that asks for a user namespace has its files served from inside it (ids.h).  Without root the gofer gets a user namespace in which the caller is root, so that it owns the
 * caller's files and nobody else's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/* A tree of its own, so that nobody else's mount changes with it. */
static int detach(int fd)
{
	int tree = (int)syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	int e = -errno;

	close(fd);
	return tree < 0 ? e : tree;
}

static int map_ids(const struct root_src *r, int fd)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (u64)r->idmap };

	return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (r->idmap_rec ? AT_RECURSIVE : 0), &a, sizeof(a)) < 0 ? -errno : 0;
}

/* The launcher hears why, @sync. */
static int refuse(int sync, int code, const char *what, const char *path)
{
	char text[PATH_MAX + 256];

	snprintf(text, sizeof(text), "cannot %s%s%s: %s", what, *path ? " " : "", path, strerror(-code));
	log_error("gofer: %s", text);
	(void)!send(sync, text, strlen(text), MSG_NOSIGNAL);
	return code;
}

static int open_root(const struct root_src *src, bool own_tree, int sync, struct gofer_root *ret)
{
	int r;

	*ret = (struct gofer_root){ roots_open(src), src->readonly };
	if (ret->dirfd < 0)
		return refuse(sync, ret->dirfd, "open again (was it replaced while the container was being made?)", src->path);
	if (src->idmap < 0 && !own_tree)
		return 0;
	ret->dirfd = detach(ret->dirfd);
	if (ret->dirfd < 0)
		return refuse(sync, ret->dirfd, "clone the mount of", src->path);
	r = src->idmap >= 0 ? map_ids(src, ret->dirfd) : 0;
	return r < 0 ? refuse(sync, r, "map the ids (uidMappings; does its file system allow that?) of", src->path) : 0;
}

static int open_roots(const struct roots *roots, int sync, struct gofer_root *gr)
{
	const char *what;
	int r = 0;

	for (u32 i = 0; i < roots->n && r == 0; i++)
		r = open_root(&roots->v[i], roots->ids.ns_fd >= 0, sync, &gr[i]);
	if (r < 0 || roots->ids.ns_fd < 0)
		return r;
	r = ids_enter(&roots->ids, &what);
	return r < 0 ? refuse(sync, r, what, "") : 0;
}

static int gofer_child(const struct roots *roots, int socks[][2], int nsocks, int log_fd, int sync)
{
	struct gofer_root gr[ROOTS_MAX];
	struct gofer_config cfg = {
		.roots = gr, .nroots = (int)roots->n, .inval_fd = socks[0][1], .nctl = nsocks - 1,
		.log_fd = log_fd, .hold_fd = roots->lock_fd, .jail = true,
	};
	uid_t uid = geteuid();
	gid_t gid = getegid();

	(void)prctl(PR_SET_NAME, "gofer");
	setup_forget_env();
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
	if (open_roots(roots, sync, gr) < 0)
		return 1;
	(void)!send(sync, "", 1, MSG_NOSIGNAL);       /* well */
	close(sync);
	for (int i = 0; i < nsocks; i++) {
		close(socks[i][0]);
		if (i)
			cfg.ctl_fds[i - 1] = socks[i][1];
	}
	return gofer_main(&cfg) < 0;
}

/* One packet: nothing to say, or why not. */
static int await(struct cli *cli, int sync)
{
	char text[PATH_MAX + 256];
	ssize_t n;

	do {
		n = recv(sync, text, sizeof(text) - 1, 0);
	} while (n < 0 && errno == EINTR);
	text[MAX(n, 0)] = 0;
	if (n == 1)
		return 0;
	return err_set(&cli->err, -EIO, "the gofer %s", n > 0 ? text : "ended while it started; --debug --log FILE tells more");
}

pid_t spawn_gofer(struct cli *cli, const struct roots *roots, int socks[][2], int nsocks, int log_fd)
{
	int sync[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0)
		return err_sys(&cli->err, -errno, "cannot make a socket pair");
	pid = setup_fork(geteuid() == 0 ? CLONE_NEWPID : 0, NULL);
	if (pid == 0) {
		close(sync[0]);
		_exit(gofer_child(roots, socks, nsocks, log_fd, sync[1]));
	}
	close(sync[1]);
	r = pid > 0 ? await(cli, sync[0]) : err_sys(&cli->err, pid, "cannot fork the gofer");
	close(sync[0]);
	if (r < 0 && pid > 0) {
		(void)kill(pid, SIGKILL);       /* our child, not yet waited for */
		(void)waitpid(pid, NULL, 0);
	}
	return r < 0 ? r : pid;
}
