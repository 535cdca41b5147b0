/*
 * gofer_rig.h - a gofer process on a temporary directory, for unit tests.
 *
 * rig_start() forks the server (jailed when asked for and root); rig_stop() checks that it
 * ends by itself once its sockets are closed.
 */
#pragma once
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gofer/gofer.h"
#include "sentry/fs/gofer/rpc.h"

/* A sanitizer makes calls and threads of its own: no jail, no namespaces for what is not a single thread. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RIG_INSTRUMENTED 1
#else
#define RIG_INSTRUMENTED 0
#endif

static u32 rig_nodes = 600;
static void (*rig_before)(void);        /* what the gofer's process does first, or NULL */

struct rig {
	char dir[64];
	pid_t pid;
	int socks[GOFER_CTL + 1];       /* [0] invalidations */
	struct gofer_rpc rpc;
	struct gw_node root;
};

static inline void rig_child(struct rig *g, int pairs[][2], bool readonly, bool jail)
{
	struct gofer_root root = { .readonly = readonly };
	struct gofer_config cfg = {
		.roots = &root, .nroots = 1, .inval_fd = pairs[0][1], .nctl = GOFER_CTL, .log_fd = jail ? 2 : -1,
		.jail = jail, .max_nodes = rig_nodes,
	};

	for (int i = 0; i <= GOFER_CTL; i++)
		close(pairs[i][0]);
	if (rig_before)
		rig_before();
	if (jail && unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		_exit(9);
	root.dirfd = open(g->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < GOFER_CTL; i++)
		cfg.ctl_fds[i] = pairs[i + 1][1];
	_exit(gofer_main(&cfg) ? 8 : 0);
}

static inline void rig_start_as(struct rig *g, bool readonly, bool jail)
{
	int pairs[GOFER_CTL + 1][2];
	hostfd_t ctl[GOFER_CTL];

	memset(g, 0, sizeof(*g));
	strcpy(g->dir, "/tmp/gofer-test-XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	assert_int_equal(chmod(g->dir, 0755), 0);
	assert_int_equal(gofer_sockets(pairs, GOFER_CTL + 1), 0);
	g->pid = fork();
	assert_true(g->pid >= 0);
	if (g->pid == 0)
		rig_child(g, pairs, readonly, jail);
	for (int i = 0; i <= GOFER_CTL; i++) {
		close(pairs[i][1]);
		g->socks[i] = pairs[i][0];
		if (i)
			ctl[i - 1] = HOSTFD(pairs[i][0]);
	}
	grpc_init(&g->rpc, ctl, GOFER_CTL);
	assert_int_equal(grpc_mount(&g->rpc, 0, &g->root), 0);
}

static inline int rig_wait(struct rig *g)
{
	int status = -1;

	for (int i = 0; i < 6000; i++) {
		if (waitpid(g->pid, &status, WNOHANG) == g->pid)
			return status;
		usleep(10000);
	}
	kill(g->pid, SIGKILL);
	waitpid(g->pid, &status, 0);
	return status;
}

static inline void rig_close(struct rig *g)
{
	grpc_done(&g->rpc);
	close(g->socks[0]);
}

static inline void rig_remove(struct rig *g)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", g->dir);
	assert_int_equal(system(cmd), 0);
}

static inline void rig_stop(struct rig *g)
{
	rig_close(g);
	assert_int_equal(rig_wait(g), 0);
	rig_remove(g);
}

/* The host's name of a file in the tree; a few at once. */
static inline const char *rig_path(struct rig *g, const char *name)
{
	static char buf[4][256];
	static int turn;
	char *p = buf[turn++ % 4];

	snprintf(p, 256, "%s/%s", g->dir, name);
	return p;
}

static inline void rig_write(struct rig *g, const char *name, const char *text)
{
	int fd = open(rig_path(g, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}
