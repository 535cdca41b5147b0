/*
 * cmd_exec.c - exec: a further process in a running container.
 *
 * A host process stands for the guest's: it holds the control connection, exits
 * with the guest's status, passes signals on, and when it is killed the
 * sentry sees the connection end and kills the guest's process.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "platform/host/shed.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/foreground.h"
#include "runsc-cli/session.h"
#include "runsc-cli/setup/cgroup.h"
#include "runsc-cli/setup/console.h"
#include "runsc-cli/setup/exec_send.h"
#include "runsc-cli/setup/launch.h"
#include "runsc-cli/setup/preserve.h"
#include "runsc-cli/setup/sys.h"

struct exec_opts {
	const char *process, *cwd, *user, *console_socket, *pid_file, *pidfd_socket;
	struct strv env, caps, gids, cgroups;
	u32 preserve_fds;
	bool tty, detach, no_new_privs, ignore_paused;
};

/* "UID[:GID]": numbers, as OCI has no other. */
static int apply_user(struct cli *cli, const char *user, struct oci_process *p)
{
	const char *colon = strchr(user, ':');
	char uid[32];
	u64 n;

	snprintf(uid, sizeof(uid), "%.*s", (int)(colon ? MIN(colon - user, 31) : 31), user);
	if (str_to_u64(uid, 10, &n) < 0 || n >= UINT32_MAX)
		return cli_usage(cli, "--user: \"%s\" is not UID[:GID] in numbers", user);
	p->uid = (u32)n;
	if (colon) {
		if (str_to_u64(colon + 1, 10, &n) < 0 || n >= UINT32_MAX)
			return cli_usage(cli, "--user: \"%s\" is not UID[:GID] in numbers", user);
		p->gid = (u32)n;
	}
	return 0;
}

static int apply_gids(struct cli *cli, struct pool *pool, const struct strv *gids, struct oci_process *p)
{
	u32 *v = pool_alloc(pool, (size_t)p->ngroups + gids->n + 1, sizeof(*v));
	u64 n;

	if (!v)
		return err_set(&cli->err, -ENOMEM, "no memory");
	if (p->ngroups)
		memcpy(v, p->groups, p->ngroups * sizeof(*v));
	p->groups = v;
	for (u32 i = 0; i < (u32)gids->n; i++) {
		if (str_to_u64(gids->v[i], 10, &n) < 0 || n >= UINT32_MAX)
			return cli_usage(cli, "--additional-gids: \"%s\" is no group id", gids->v[i]);
		v[p->ngroups++] = (u32)n;
	}
	return 0;
}

static int apply_env(struct cli *cli, struct pool *pool, const struct strv *env, struct oci_process *p)
{
	const char **v = pool_alloc(pool, (size_t)p->nenv + env->n + 1, sizeof(*v));

	if (!v)
		return err_set(&cli->err, -ENOMEM, "no memory");
	if (p->nenv)
		memcpy(v, p->env, p->nenv * sizeof(*v));
	for (u32 i = 0; i < env->n; i++) {
		if (!strchr(env->v[i], '=') || env->v[i][0] == '=')
			return cli_usage(cli, "--env: \"%s\" is not of the form NAME=value", env->v[i]);
		v[p->nenv + i] = env->v[i];
	}
	p->env = v;
	p->nenv += env->n;
	return 0;
}

/* From --process, or the container's own process with another command. */
static int make_process(struct cli *cli, struct container *c, const struct exec_opts *o, int argc, char **argv,
                        struct oci_spec *s, struct oci_process *p)
{
	int r = 0;

	if (o->process) {
		r = spec_load_process(&s->pool, o->process, p, &cli->err);
		if (r == 0 && o->tty)
			p->terminal = true;
		p->personality = s->process.personality;
		return r;
	}
	if (argc == 0)
		return cli_usage(cli, "exec: process args cannot be empty: give a command or --process");
	*p = s->process;
	p->args = (const char **)argv;
	p->nargs = (u32)argc;
	p->terminal = o->tty;
	p->console_height = p->console_width = 0;
	if (o->cwd)
		p->cwd = o->cwd;
	if (p->cwd[0] != '/')
		return cli_usage(cli, "--cwd: \"%s\" must be an absolute path", p->cwd);
	if (o->no_new_privs)
		p->no_new_privs = true;
	for (u32 i = 0; i < o->caps.n; i++) {
		int cap = cap_by_name(o->caps.v[i]);

		if (cap < 0)
			return cli_usage(cli, "--cap: \"%s\" is no capability", o->caps.v[i]);
		p->cap_bnd |= 1ull << cap;
		p->cap_prm |= 1ull << cap;
		p->cap_eff |= 1ull << cap;
		if (p->cap_inh) /* as runc: config.json has to have begun with it */
			p->cap_amb |= p->cap_inh & 1ull << cap;
	}
	if (o->user)
		r = apply_user(cli, o->user, p);
	if (r == 0)
		r = apply_gids(cli, &s->pool, &o->gids, p);
	(void)c;
	return r < 0 ? r : apply_env(cli, &s->pool, &o->env, p);
}

/* A process that stays behind for a detached exec, or beside a terminal proxy. */
static pid_t spawn_waiter(struct session *x, int *ret_pidfd)
{
	pid_t pid = setup_fork(0, ret_pidfd);

	if (pid == 0) {
		session_keep_only(x);
		(void)prctl(PR_SET_NAME, "csandbox-exec");
		(void)session_signals(x);
		_exit(session_wait(x));
	}
	return pid;
}

static int open_terminal(struct cli *cli, const struct exec_opts *o, const struct oci_process *p, int *master, int *slave)
{
	int r;

	if (o->detach && !o->console_socket)
		return err_set(&cli->err, -EINVAL, "cannot allocate tty if the runtime will detach without setting "
		               "console socket; give --console-socket");
	r = console_open(cli, (u16)p->console_height, (u16)p->console_width, master, slave);
	if (r == 0 && !o->console_socket)
		console_foreground(*slave);
	if (r == 0 && o->console_socket) {
		r = console_send(cli, o->console_socket, *master);
		close(*master);
		*master = -1;
	}
	return r;
}

/* Move the process that stands for the guest's to the groups asked for; @pid 0: could it be? */
static int join_groups(struct cli *cli, const struct exec_opts *o, struct container *c, pid_t pid)
{
	int r = 0;

	for (u32 i = 0; i < o->cgroups.n && r == 0; i++)
		r = cgroup_join_below(cli, c, o->cgroups.v[i], pid);
	return r;
}

/* Tell whoever asked about the process that stands for the guest's. */
static int announce(struct cli *cli, const struct exec_opts *o, struct container *c, pid_t pid, int pidfd)
{
	int r = join_groups(cli, o, c, pid);

	if (r == 0 && o->pidfd_socket)
		r = console_send_pidfd(cli, o->pidfd_socket, pidfd);
	if (r == 0 && o->pid_file)
		r = write_pid_file(cli, o->pid_file, pid);
	return r;
}

static int finish(struct cli *cli, const struct exec_opts *o, struct session *x, int master)
{
	int pidfd = -1, status, r = 0;
	pid_t pid;

	if (!o->detach && master < 0 && x->tty < 0) {
		pidfd = o->pidfd_socket ? setup_pidfd_open(getpid()) : -1;
		r = announce(cli, o, x->c, getpid(), pidfd);
		(void)session_signals(x);
		return r < 0 ? r : session_wait(x);
	}
	pid = spawn_waiter(x, &pidfd);
	if (pid < 0)
		return err_sys(&cli->err, pid, "cannot fork");
	r = announce(cli, o, x->c, pid, pidfd);
	close(x->sock);
	if (x->tty >= 0)
		close(x->tty);
	if (r < 0) {
		/* The guest's process goes with it. */
		(void)setup_pidfd_signal(pidfd, SIGKILL);
		(void)waitpid(pid, &status, 0);
	}
	if (o->detach || r < 0)
		return r;
	if (master >= 0)
		console_proxy(master, pidfd);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int do_exec(struct cli *cli, struct container *c, const struct exec_opts *o, int argc, char **argv)
{
	int master = -1, fds[3 + CTL_EXTRA_FDS] = { 0, 1, 2 }, r;
	struct session x = { .c = c, .tty = -1, .sigfd = -1 };
	enum status st = container_status(c);
	struct oci_process p;
	struct oci_spec s;

	/* A paused sandbox takes the connection and answers when it goes on. */
	if (st != ST_RUNNING && st != ST_CREATED && !(st == ST_PAUSED && o->ignore_paused))
		return st == ST_PAUSED ? err_set(&cli->err, -EBUSY, "cannot exec in a paused container (use csandbox resume)")
		                       : err_set(&cli->err, -ESRCH, "cannot exec in a container that is %s", status_name(st));
	r = preserved_fds(cli, o->preserve_fds, fds + 3);
	if (r == 0)
		r = join_groups(cli, o, c, 0);  /* before anything runs */
	if (r == 0)
		r = container_spec(cli, c, &s);
	if (r < 0)
		return r;
	r = make_process(cli, c, o, argc, argv, &s, &p);
	if (r == 0 && p.terminal)
		r = open_terminal(cli, o, &p, &master, &x.tty);
	if (r == 0) {
		x.sock = container_connect(c);
		if (x.sock < 0)
			r = err_sys(&cli->err, x.sock, "container \"%s\" does not answer", c->id);
	}
	if (r == 0) {
		const int *from = fds;

		if (p.terminal) {
			fds[2] = x.tty;
			from = fds + 2;
		}
		r = exec_send(cli, x.sock, CTL_EXEC, &p, from, (size_t)(fds + 3 + o->preserve_fds - from), o->preserve_fds);
		if (r >= 0) {
			x.pid = r;
			r = finish(cli, o, &x, master);
		}
	}
	spec_done(&s);
	return r;
}

int cmd_exec(struct cli *cli, int argc, char **argv)
{
	struct exec_opts o = { 0 };
	const struct opt opts[] = {
		{ "process", 'p', OPT_STR, &o.process, "FILE", "process.json" },
		{ "console-socket", 0, OPT_STR, &o.console_socket, "PATH", "unix socket that gets the terminal" },
		{ "pid-file", 0, OPT_STR, &o.pid_file, "FILE", "write the id of the host process there" },
		{ "detach", 'd', OPT_FLAG, &o.detach, NULL, "return once it has started" },
		{ "tty", 't', OPT_FLAG, &o.tty, NULL, "give it a terminal" },
		{ "cwd", 0, OPT_STR, &o.cwd, "DIR", "working directory" },
		{ "env", 'e', OPT_STRV, &o.env, "NAME=VALUE", "add to the environment" },
		{ "user", 'u', OPT_STR, &o.user, "UID[:GID]", "who it runs as" },
		{ "additional-gids", 'g', OPT_STRV, &o.gids, "GID", "add a supplementary group" },
		{ "cap", 'c', OPT_STRV, &o.caps, "CAP", "add a capability" },
		{ "no-new-privs", 0, OPT_FLAG, &o.no_new_privs, NULL, "set no_new_privs" },
		{ "preserve-fds", 0, OPT_U32, &o.preserve_fds, "N", "pass descriptors 3 to N + 2" },
		{ "pidfd-socket", 0, OPT_STR, &o.pidfd_socket, "PATH", "unix socket that gets a pidfd of the host process" },
		{ "process-label", 0, OPT_ACCEPT_ARG, NULL, "LABEL", "accepted" },
		{ "apparmor", 0, OPT_ACCEPT_ARG, NULL, "PROFILE", "accepted" },
		{ "cgroup", 0, OPT_STRV, &o.cgroups, "[CTRL,..:]PATH", "control group of the host process, below the container's" },
		{ "ignore-paused", 0, OPT_FLAG, &o.ignore_paused, NULL, "in a paused container: wait until it is resumed" },
		{ "no-subreaper", 0, OPT_ACCEPT, NULL, NULL, "accepted" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	struct container c;
	int at = opts_parse(cli, opts, argc, argv, "exec [options] CONTAINER-ID COMMAND [ARG...]"), r;

	if (at < 0)
		return at;
	if (at >= argc)
		return cli_usage(cli, "exec: container id cannot be empty");
	r = container_open(cli, argv[at], false, &c);
	if (r < 0)
		return 255;
	at++;
	if (at < argc && strcmp(argv[at], "--") == 0)
		at++;
	r = do_exec(cli, &c, &o, argc - at, argv + at);
	container_close(&c);
	return r < 0 ? 255 : r;
}
