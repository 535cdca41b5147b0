/*
 * cmd_kill.c - kill, delete, pause, resume.
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/ctl/ctl.h"
#include "runsc-cli/setup/launch.h"

static const struct { const char *name; int nr; } signals[] = {
	{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "ILL", SIGILL }, { "TRAP", SIGTRAP },
	{ "ABRT", SIGABRT }, { "IOT", SIGABRT }, { "BUS", SIGBUS }, { "FPE", SIGFPE }, { "KILL", SIGKILL },
	{ "USR1", SIGUSR1 }, { "SEGV", SIGSEGV }, { "USR2", SIGUSR2 }, { "PIPE", SIGPIPE }, { "ALRM", SIGALRM },
	{ "TERM", SIGTERM }, { "STKFLT", SIGSTKFLT }, { "CHLD", SIGCHLD }, { "CLD", SIGCHLD }, { "CONT", SIGCONT },
	{ "STOP", SIGSTOP }, { "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "URG", SIGURG },
	{ "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM }, { "PROF", SIGPROF },
	{ "WINCH", SIGWINCH }, { "IO", SIGIO }, { "POLL", SIGIO }, { "PWR", SIGPWR }, { "SYS", SIGSYS },
};

static int parse_signal(struct cli *cli, const char *s)
{
	const char *name = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
	u64 n;

	if (str_to_u64(s, 10, &n) == 0 && n <= 64)
		return (int)n;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (strcasecmp(signals[i].name, name) == 0)
			return signals[i].nr;
	if (strncasecmp(name, "RTMIN", 5) == 0) {
		if (!name[5])
			return 34;
		if (name[5] == '+' && str_to_u64(name + 6, 10, &n) == 0 && n <= 30)
			return 34 + (int)n;
	}
	return cli_usage(cli, "unknown signal \"%s\"; use a name like TERM or a number up to 64", s);
}

static int send_signal(struct cli *cli, struct container *c, int sig, bool all)
{
	struct ctl_signal s = { .sig = sig, .all = all };
	enum status st;
	int r;

	/* Whatever state the sandbox is in, and without asking it: its death is its processes' death. */
	if (sig == SIGKILL && proc_alive(&c->sentry) && proc_kill(&c->sentry, SIGKILL) == 0)
		return 0;
	st = container_status(c);
	if (st == ST_STOPPED || st == ST_CREATING)
		return all ? 0 : err_set(&cli->err, -ESRCH, "container not running");
	if (sig == 0)
		return 0;               /* only: is it there? */
	if (st == ST_CREATED) {
		/* There is no process to take it yet; runc's waiting init dies of most signals. */
		r = sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT
		    ? proc_kill(&c->sentry, SIGKILL) : 0;
	} else if (st == ST_PAUSED) {
		/* Taken when it goes on: no reply comes before. */
		int sock = container_connect(c);

		r = sock < 0 ? sock : ctl_send(sock, CTL_SIGNAL, 0, &s, sizeof(s), NULL, 0);
		if (sock >= 0)
			close(sock);
	} else {
		r = container_call(c, CTL_SIGNAL, &s, sizeof(s), NULL, 0);
	}
	if (r == -ESRCH || r == -ECONNREFUSED || r == -EPIPE)
		return err_set(&cli->err, -ESRCH, "container not running");
	return r < 0 ? err_sys(&cli->err, r, "cannot send signal %d to container \"%s\"", sig, c->id) : 0;
}

int cmd_kill(struct cli *cli, int argc, char **argv)
{
	bool all = false;
	const struct opt opts[] = {
		{ "all", 'a', OPT_FLAG, &all, NULL, "to every process of the container" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	struct container c;
	int at = opts_parse(cli, opts, argc, argv, "kill [options] CONTAINER-ID [SIGNAL]"), sig, r;

	if (at < 0)
		return at;
	if (at >= argc || argc - at > 2)
		return cli_usage(cli, "kill: give a container id and perhaps a signal");
	sig = parse_signal(cli, argc - at == 2 ? argv[at + 1] : "TERM");
	if (sig < 0)
		return sig;
	r = container_open(cli, argv[at], false, &c);
	if (r < 0)
		return r;
	r = send_signal(cli, &c, sig, all);
	container_close(&c);
	return r;
}

int cmd_delete(struct cli *cli, int argc, char **argv)
{
	bool force = false;
	const struct opt opts[] = {
		{ "force", 'f', OPT_FLAG, &force, NULL, "kill it first if it runs; no error if it does not exist" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	int at = opts_parse(cli, opts, argc, argv, "delete [options] CONTAINER-ID..."), r = 0;

	if (at < 0)
		return at;
	if (at >= argc)
		return cli_usage(cli, "delete: container id cannot be empty");
	for (; at < argc && r == 0; at++) {
		struct container c;

		r = container_open(cli, argv[at], true, &c);
		if (r == -ENOENT && force) {
			cli->err.code = r = 0;
			continue;
		}
		if (r < 0)
			break;
		/* Created but never started: runc deletes that as well. */
		if (!force && container_status(&c) == ST_CREATED)
			r = launch_delete(cli, &c, true);
		else
			r = launch_delete(cli, &c, force);
		container_close(&c);
	}
	return r;
}

static int freeze(struct cli *cli, int argc, char **argv, bool on)
{
	const struct opt opts[] = { { NULL, 0, 0, NULL, NULL, NULL } };
	struct container c;
	enum status st;
	const char *id;
	int r = opts_parse(cli, opts, argc, argv, on ? "pause CONTAINER-ID" : "resume CONTAINER-ID");

	if (r < 0)
		return r;
	id = opts_id(cli, argc, argv, r);
	if (!id)
		return -EINVAL;
	r = container_open(cli, id, true, &c);
	if (r < 0)
		return r;
	st = container_status(&c);
	if (st == ST_STOPPED || st == ST_CREATING)
		r = err_set(&cli->err, -ESRCH, "container not running");
	else if (on && st == ST_PAUSED)
		r = err_set(&cli->err, -EBUSY, "container already paused");
	else if (!on && st != ST_PAUSED)
		r = err_set(&cli->err, -EINVAL, "container not paused");
	else if ((r = container_stop(&c, on)) == -EOPNOTSUPP)
		err_set(&cli->err, r, "container \"%s\" is in the sandbox of \"%s\": only that can be %s, with all of them", id,
		        c.sandbox, on ? "paused" : "resumed");
	else if (r < 0)
		err_sys(&cli->err, r, "cannot %s container \"%s\"", on ? "pause" : "resume", id);
	container_close(&c);
	return r;
}

int cmd_pause(struct cli *cli, int argc, char **argv)
{
	return freeze(cli, argc, argv, true);
}

int cmd_resume(struct cli *cli, int argc, char **argv)
{
	return freeze(cli, argc, argv, false);
}
