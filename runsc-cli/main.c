/*
 * main.c - the command line: global options, then one command of cmd.def.
 *
 * Options and output follow runc, because engines drive it.  An error is one
 * line on stderr and, with --log, one record in runc's format.
 */
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "runsc-cli/cli.h"
#include "runsc-cli/version.h"

const struct command commands[] = {
#define C(nm, a, h) { #nm, a, h, cmd_##nm },
#include "runsc-cli/cmd.def"
#undef C
	{ NULL, NULL, NULL, NULL }
};

/* Address space for everything the sentry will ever allocate: inherited by fork. */
#define ARENA_BYTES ((size_t)64 << 30)

int cli_usage(struct cli *cli, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(&cli->err, -EINVAL, "%s", text);
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_msg(cli->debug ? LOG_WARN : LOG_DEBUG, "%s", text);
}

int cli_log_setup(struct cli *cli)
{
	struct log_config c = { .fd = 2, .level = cli->debug ? LOG_DEBUG : cli->strace ? LOG_INFO : LOG_WARN };
	int r = 0;

	c.json = strcmp(cli->log_format, "json") == 0;
	if (cli->log) {
		int fd = open(cli->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

		if (fd >= 0)
			c.fd = fd;
		else
			r = err_sys(&cli->err, -errno, "--log: cannot open %s", cli->log);
		if (fd < 0)
			cli->log = NULL;        /* stderr has it, once */
	}
	cli->log_fd = fcntl(c.fd, F_DUPFD_CLOEXEC, 10); /* not 2: a container's stdio is moved about */
	if (cli->log_fd >= 0)
		c.fd = cli->log_fd;
	log_setup(&c);
	return r;
}

static void print_version(void)
{
	printf("csandbox version " CSANDBOX_VERSION "\nspec: %s\n", CSANDBOX_OCI_VERSION);
}

static void print_help(const struct opt *globals)
{
	printf("csandbox - run containers, each on a kernel of its own in user space\n\n"
	       "usage: csandbox [global options] COMMAND [options] [arguments]\n\ncommands:\n");
	for (const struct command *c = commands; c->name; c++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", c->name, c->args);
		printf("  %-38s %s\n", left, c->help);
	}
	printf("\nglobal options:\n");
	opts_print(globals);
	printf("  %-34s %s\n", "    --help", "print this text");
}

static int run_command(struct cli *cli, int argc, char **argv)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, argv[0]) == 0)
			return c->fn(cli, argc, argv);
	return cli_usage(cli, "No help topic for '%s': there is no such command; see csandbox --help", argv[0]);
}

/* runc: text goes to stderr as well, whatever --log says. */
static void report(struct cli *cli)
{
	log_error("%s", cli->err.msg);
	if (cli->log)
		fprintf(stderr, "csandbox: %s\n", cli->err.msg);
}

static int check_globals(struct cli *cli)
{
	if (strcmp(cli->log_format, "text") != 0 && strcmp(cli->log_format, "json") != 0)
		return cli_usage(cli, "--log-format: unknown format \"%s\"; use text or json", cli->log_format);
	if (strcmp(cli->network, "none") != 0 && strcmp(cli->network, "sandbox") != 0 &&
	    strcmp(cli->network, "host") != 0)
		return cli_usage(cli, "--network: \"%s\" is none of none, sandbox, host", cli->network);
	if (strcmp(cli->link, "auto") != 0 && strcmp(cli->link, "packet") != 0 && strcmp(cli->link, "xdp") != 0)
		return cli_usage(cli, "--link: \"%s\" is none of auto, packet, xdp", cli->link);
	if (strcmp(cli->overlay, "none") != 0 && strcmp(cli->overlay, "memory") != 0 &&
	    strncmp(cli->overlay, "dir=", 4) != 0)
		return cli_usage(cli, "--overlay: \"%s\" is none of none, memory, dir=PATH", cli->overlay);
	if (strcmp(cli->overlay, "dir=") == 0)
		return cli_usage(cli, "--overlay=dir: give the directory, dir=PATH");
	if (cli->root[0] != '/')
		return cli_usage(cli, "--root: \"%s\" must be an absolute path", cli->root);
	return 0;
}

/* As runc finds out: root only of a user namespace, as rootless engines make one, is not root of the host. */
bool cli_rootless(void)
{
	const char *user = getenv("USER");
	u32 in = 0, out = 0, n = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");
	bool whole = !f || (fscanf(f, "%u %u %u", &in, &out, &n) == 3 && in == 0 && out == 0 && n == UINT32_MAX);

	if (f)
		fclose(f);
	return geteuid() || (!whole && (!user || strcmp(user, "root") != 0));
}

/* Who cannot have a directory in /run has one of his own. @buf: for it. */
static const char *default_root(char *buf, size_t cap)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (!run || run[0] != '/' || !cli_rootless() || snprintf(buf, cap, "%s/csandbox", run) >= (int)cap)
		return "/run/csandbox";
	return buf;
}

int main(int argc, char **argv)
{
	char root[PATH_MAX];
	struct cli cli = {
		.root = default_root(root, sizeof(root)), .log_format = "text", .rootless = "auto",
		.platform = "systrap", .network = "sandbox", .link = "auto", .overlay = "none",
	};
	bool version = false;
	const struct opt globals[] = {
		{ "root", 0, OPT_STR, &cli.root, "DIR", "state of containers (/run/csandbox, without root $XDG_RUNTIME_DIR/csandbox)" },
		{ "log", 0, OPT_STR, &cli.log, "FILE", "append log lines there" },
		{ "log-format", 0, OPT_STR, &cli.log_format, "text|json", "format of log lines" },
		{ "debug", 0, OPT_FLAG, &cli.debug, NULL, "log more" },
		{ "systemd-cgroup", 0, OPT_FLAG, &cli.systemd_cgroup, NULL, "the control group is a scope of systemd's; cgroupsPath is SLICE:PREFIX:NAME" },
		{ "rootless", 0, OPT_STR, &cli.rootless, "auto|true|false", "accepted" },
		{ "criu", 0, OPT_ACCEPT_ARG, NULL, "PATH", "accepted" },
		{ "platform", 0, OPT_STR, &cli.platform, "systrap|ptrace", "how application code runs" },
		{ "network", 0, OPT_STR, &cli.network, "sandbox|none|host", "a stack of its own; loopback only; the host kernel's sockets" },
		{ "link", 0, OPT_STR, &cli.link, "auto|packet|xdp", "what carries the sandbox's frames" },
		{ "allow-host-network", 0, OPT_FLAG, &cli.allow_host_network, NULL, "bundles may use the host's own network" },
		{ "overlay", 0, OPT_STR, &cli.overlay, "none|memory|dir=PATH", "keep writes to the root in memory, or in PATH" },
		{ "strace", 0, OPT_FLAG, &cli.strace, NULL, "log every system call of the container" },
		{ "version", 'v', OPT_FLAG, &version, NULL, "print the version" },
		{ NULL, 0, 0, NULL, NULL, NULL }
	};
	int i, r;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(globals);
		return 0;
	}
	r = alloc_init(ARENA_BYTES);
	if (r < 0) {
		fprintf(stderr, "csandbox: cannot reserve address space: %s; is there a limit (ulimit -v)?\n", strerror(-r));
		return 1;
	}
	i = opts_parse(&cli, globals, argc, argv, "[global options] COMMAND");
	if (i >= 0 && version) {
		print_version();
		return 0;
	}
	if (i >= 0 && i < argc)
		r = check_globals(&cli);
	else
		r = i < 0 ? i : cli_usage(&cli, "a command is missing; see csandbox --help");
	if (cli_log_setup(&cli) < 0 && r == 0)
		r = cli.err.code;
	if (r == 0) {
		log_debug("%s, version " CSANDBOX_VERSION, argv[i]);
		r = run_command(&cli, argc - i, argv + i);
	}
	if (r == -ECANCELED && !cli.err.code)
		return 0;
	if (cli.err.code)
		report(&cli);
	return r < 0 ? 1 : r;
}
