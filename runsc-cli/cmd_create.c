/*
 * cmd_create.c - create, start, run.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/foreground.h"
#include "runsc-cli/setup/console.h"
#include "runsc-cli/setup/launch.h"

#define CREATE_OPTS(o) \
	{ "bundle", 'b', OPT_STR, &(o).bundle, "DIR", "directory with config.json (.)" }, \
	{ "console-socket", 0, OPT_STR, &(o).console_socket, "PATH", "unix socket that gets the terminal" }, \
	{ "pid-file", 0, OPT_STR, &(o).pid_file, "FILE", "write the sandbox's process id there" }, \
	{ "preserve-fds", 0, OPT_U32, &(o).preserve_fds, "N", "pass descriptors 3 to N + 2" }, \
	{ "pidfd-socket", 0, OPT_STR, &(o).pidfd_socket, "PATH", "unix socket that gets a pidfd of the sandbox" }, \
	{ "no-pivot", 0, OPT_ACCEPT, NULL, NULL, "accepted" }, \
	{ "no-new-keyring", 0, OPT_ACCEPT, NULL, NULL, "accepted" }, \
	{ "no-subreaper", 0, OPT_ACCEPT, NULL, NULL, "accepted" }

int cmd_create(struct cli *cli, int argc, char **argv)
{
	struct launch_opts o = { .bundle = ".", .detach = true };
	const struct opt opts[] = { CREATE_OPTS(o), { NULL, 0, 0, NULL, NULL, NULL } };
	struct launched l;
	const char *id;
	int r = opts_parse(cli, opts, argc, argv, "create [options] CONTAINER-ID");

	if (r < 0)
		return r;
	id = opts_id(cli, argc, argv, r);
	if (!id)
		return -EINVAL;
	r = launch_create(cli, id, &o, &l);
	if (r == 0)
		launched_done(&l);
	return r;
}

int cmd_start(struct cli *cli, int argc, char **argv)
{
	const struct opt opts[] = { { NULL, 0, 0, NULL, NULL, NULL } };
	struct container c;
	struct oci_spec s;
	enum status st;
	const char *id;
	int r = opts_parse(cli, opts, argc, argv, "start CONTAINER-ID");

	if (r < 0)
		return r;
	id = opts_id(cli, argc, argv, r);
	if (!id)
		return -EINVAL;
	r = container_open(cli, id, true, &c);
	if (r < 0)
		return r;
	st = container_status(&c);
	if (st == ST_RUNNING || st == ST_PAUSED)
		r = err_set(&cli->err, -EBUSY, "cannot start an already running container");
	else if (st == ST_STOPPED)
		r = err_set(&cli->err, -ESRCH, "cannot start a container that has stopped");
	else
		r = container_spec(cli, &c, &s);
	if (r == 0) {
		r = launch_start(cli, &c, &s);
		spec_done(&s);
	}
	container_close(&c);
	return r;
}

/* The exit status of the sandbox's process is that of the container. */
static int wait_sentry(struct cli *cli, struct launched *l, int sigfd)
{
	int status;

	if (l->master >= 0)
		console_proxy(l->master, l->sentry_pidfd);
	foreground_wait(&l->c, 0, sigfd, l->sentry_pidfd);
	while (waitpid(l->c.sentry.pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(&cli->err, -errno, "cannot wait for the sandbox");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_in_foreground(struct cli *cli, const char *id, const struct launch_opts *o, bool keep)
{
	struct launched l;
	int sigfd = foreground_signals(), r, code;

	r = launch_create(cli, id, o, &l);
	if (r < 0)
		return r;
	/* So that `state`, `exec` and `kill` get at it while we wait. */
	close(l.c.lockfd);
	l.c.lockfd = -1;
	r = launch_start(cli, &l.c, &l.spec);
	if (r == 0 && o->detach) {
		launched_done(&l);
		return 0;
	}
	code = r < 0 ? r : wait_sentry(cli, &l, sigfd);
	if (!keep || r < 0) {
		struct cli quiet = *cli;

		(void)!launch_delete(&quiet, &l.c, true);
	}
	launched_done(&l);
	return code;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	struct launch_opts o = { .bundle = "." };
	bool keep = false;
	const struct opt opts[] = {
		CREATE_OPTS(o),
		{ "detach", 'd', OPT_FLAG, &o.detach, NULL, "return once it has started" },
		{ "keep", 0, OPT_FLAG, &keep, NULL, "do not delete the container at its end" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	const char *id;
	int r = opts_parse(cli, opts, argc, argv, "run [options] CONTAINER-ID");

	if (r < 0)
		return r;
	id = opts_id(cli, argc, argv, r);
	if (!id)
		return -EINVAL;
	o.keep_master = !o.detach && !o.console_socket;
	return run_in_foreground(cli, id, &o, keep);
}
