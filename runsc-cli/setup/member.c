/* member.c - see member.h. */
#include "runsc-cli/setup/member.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/session.h"
#include "runsc-cli/setup/sys.h"

/* containerd's CRI plugin says which container is a pod's first, and which belong to it. */
#define ANN_TYPE    "io.kubernetes.cri.container-type"
#define ANN_SANDBOX "io.kubernetes.cri.sandbox-id"

static const char *annotation(const struct oci_spec *s, const char *key)
{
	for (u32 i = 0; i < s->nannotations; i++)
		if (strcmp(s->annotations[i].key, key) == 0)
			return s->annotations[i].value;
	return NULL;
}

/* The first container of the sandbox in which @c lives, in place of @c. */
static int to_first(struct cli *cli, struct container *c)
{
	struct container first;
	int r;

	if (!*c->sandbox)
		return 0;
	r = container_open(cli, c->sandbox, false, &first);
	if (r < 0)
		return r;
	container_close(c);
	*c = first;
	return 0;
}

static int by_annotation(struct cli *cli, const struct oci_spec *s, struct container *ret)
{
	const char *type = annotation(s, ANN_TYPE), *id = annotation(s, ANN_SANDBOX);
	struct cli quiet = *cli;

	if (!type || !id || strcmp(type, "container") != 0)
		return 0;
	/* A pod whose first container another runtime made is none of ours. */
	if (container_open(&quiet, id, false, ret) < 0)
		return 0;
	/* Its process may take a while to die after its socket has: the status knows of both. */
	if (to_first(&quiet, ret) < 0 || container_status(ret) == ST_STOPPED) {
		container_close(ret);
		return err_set(&cli->err, -ESRCH, "the pod's sandbox \"%s\" has stopped", id);
	}
	return 1;
}

static int by_netns(struct cli *cli, const struct oci_spec *s, struct container *ret)
{
	struct stat st = { 0 };
	struct dirent *e;
	int r = 0;
	DIR *d;

	for (u32 i = 0; i < s->nns; i++)
		if (!strcmp(s->ns[i].type, "network") && *s->ns[i].path && stat(s->ns[i].path, &st) < 0)
			return err_sys(&cli->err, -errno, "linux.namespaces: network: %s", s->ns[i].path);
	d = st.st_ino ? opendir(cli->root) : NULL;
	while (d && r == 0 && (e = readdir(d))) {
		struct cli quiet = *cli;

		if (e->d_name[0] == '.' || container_open(&quiet, e->d_name, false, ret) < 0)
			continue;
		if (ret->netns == st.st_ino && container_status(ret) != ST_STOPPED && to_first(&quiet, ret) == 0)
			r = 1;
		else
			container_close(ret);
	}
	if (d)
		closedir(d);
	return r;
}

/* container_open() keeps the name that it is given: ours must outlive the directory's listing. */
static int keep_id(struct cli *cli, struct container *c)
{
	c->id = pool_strdup(&c->pool, c->id);
	return c->id ? 1 : err_set(&cli->err, -ENOMEM, "no memory");
}

int member_of(struct cli *cli, const struct oci_spec *s, struct container *ret)
{
	int r = by_annotation(cli, s, ret);

	if (r == 0 && strcmp(cli->network, "sandbox") == 0)
		r = by_netns(cli, s, ret);
	if (r == 1)
		r = keep_id(cli, ret);
	return r;
}

u32 member_own_ns(const struct oci_spec *s)
{
	static const struct { const char *type; u32 flag; } kinds[] = {
		{ "pid", CLONE_NEWPID }, { "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP },
	};
	u32 own = 0;

	for (u32 i = 0; i < s->nns; i++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			if (!strcmp(s->ns[i].type, kinds[k].type) && !*s->ns[i].path)
				own |= kinds[k].flag;
	return own;
}

/* ---- the keeper ---- */

static noreturn_fn void fail(int sync, const char *text)
{
	char buf[1024];

	snprintf(buf, sizeof(buf), "%c%s", BOOT_SYNC_ERROR, text);
	(void)!send(sync, buf, strlen(buf), MSG_NOSIGNAL);
	_exit(1);
}

static void wait_for(int sync, char want)
{
	char c = 0;
	ssize_t n;

	do {
		n = recv(sync, &c, 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n != 1 || c != want)
		_exit(1);       /* the launcher has given up; it says why */
}

/* Whoever looks for the container's network by our id must not find the host's. */
static void enter_net(const struct container *sandbox, int sync)
{
	char path[64];
	int ns;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", sandbox->sentry.pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0) {
		if (geteuid() == 0)
			fail(sync, "cannot enter the network namespace of the sandbox");
	}
	if (ns >= 0)
		close(ns);
}

static int ask(int sock, const struct boot_config *cfg, char *text, size_t cap)
{
	int fds[CTL_MAX_FDS] = { cfg->ctl_fd, cfg->gofer_inval }, got[CTL_MAX_FDS], r;
	size_t nfds = MEMBER_FD_CTL, ngot;
	long n = boot_config_pack(cfg, NULL, 0);
	void *buf = n > 0 ? kbuf_alloc((size_t)n) : NULL, *reply = NULL;
	struct ctl_hdr h;

	if (!buf)
		return n < 0 ? (int)n : -ENOMEM;
	for (int i = 0; i < BOOT_GOFER_CTL; i++)
		fds[nfds++] = cfg->gofer_ctl[i];
	if (cfg->tty_fd >= 0)
		fds[nfds++] = cfg->tty_fd;
	for (int i = 0; i < 3 && cfg->tty_fd < 0; i++)
		fds[nfds++] = cfg->stdio[i];
	for (u32 i = 0; i < cfg->process->nextra; i++)
		fds[nfds++] = cfg->extra[i];
	n = boot_config_pack(cfg, buf, (size_t)n);
	r = n < 0 ? (int)n : ctl_send(sock, CTL_MEMBER, 0, buf, (size_t)n, fds, nfds);
	kfree(buf);
	if (r == 0)
		r = ctl_recv(sock, 0, &h, &reply, got, &ngot);
	if (r == 0 && h.result < 0) {
		r = h.result;
		snprintf(text, cap, "%s", h.len ? (char *)reply : "");
	}
	kfree(reply);
	return r;
}

static noreturn_fn void keeper(struct container *c, const struct container *sandbox, const struct boot_config *cfg)
{
	struct container first = *sandbox;
	struct session x = { .c = c, .tty = cfg->tty_fd, .sigfd = -1 };
	char text[900] = "";
	int sync = cfg->sync_fd, r;

	(void)prctl(PR_SET_NAME, "csandbox-init");
	(void)send(sync, (char[]){ BOOT_SYNC_JAILED }, 1, MSG_NOSIGNAL);
	wait_for(sync, BOOT_SYNC_GO);
	x.sock = container_connect(&first);
	r = x.sock < 0 ? x.sock : ask(x.sock, cfg, text, sizeof(text));
	if (r < 0 && !*text)
		snprintf(text, sizeof(text), "the sandbox of \"%s\" cannot take this container: %s", first.id, strerror(-r));
	if (r < 0)
		fail(sync, text);
	enter_net(sandbox, sync);
	(void)send(sync, (char[]){ BOOT_SYNC_READY }, 1, MSG_NOSIGNAL);
	wait_for(sync, BOOT_SYNC_COMMIT);
	session_keep_only(&x);
	(void)session_signals(&x);
	_exit(session_wait(&x));
}

pid_t spawn_keeper(struct cli *cli, struct container *c, const struct container *sandbox, const struct boot_config *cfg,
                   int peer, int *ret_pidfd)
{
	pid_t pid = setup_fork(0, ret_pidfd);

	if (pid == 0) {
		close(peer);            /* would hide the launcher's death */
		close(c->lockfd);
		keeper(c, sandbox, cfg);
	}
	return pid < 0 ? err_sys(&cli->err, pid, "cannot fork") : pid;
}
