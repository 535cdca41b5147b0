/*
 * cli.h - what every command shares: global options, option parsing, the list of commands.
 *
 * A command is one function in one cmd_*.c with its options in a table; the help
 * text and the parser read the same table.  Commands return the exit status or -errno
 * with the reason in cli->err; main.c prints and logs it as runc does.
 */
#pragma once
#include "platform/base/compiler.h"
#include "runsc-cli/oci/err.h"

struct cli {
	const char *root;               /* --root: state of all containers */
	const char *log;                /* --log, or NULL */
	int log_fd;                     /* where log lines go: inherited by the sandbox */
	const char *log_format;         /* "text" or "json" */
	bool debug, systemd_cgroup, strace;
	const char *rootless;           /* "auto", "true", "false" */
	const char *platform;           /* "systrap", "ptrace" */
	const char *network;            /* "sandbox", "none", "host" */
	const char *link;               /* "auto", "packet", "xdp": what carries frames */
	bool allow_host_network;        /* --network=sandbox: the host's own, for bundles that ask for it */
	const char *overlay;            /* "none", "memory", "dir=PATH" */
	struct err err;
};

enum opt_kind {
	OPT_FLAG,                       /* bool * */
	OPT_STR,                        /* const char ** */
	OPT_STRV,                       /* struct strv *: may be given many times */
	OPT_U32,                        /* u32 * */
	OPT_ACCEPT,                     /* a flag without effect here */
	OPT_ACCEPT_ARG,                 /* with an argument */
};

#define STRV_MAX 256
struct strv { const char *v[STRV_MAX]; u32 n; };

struct opt {
	const char *name;               /* long name; the end of a table has NULL */
	char brief;                     /* one-letter name or 0 */
	enum opt_kind kind;
	void *dst;
	const char *arg, *help;         /* arg: its name in the help, for kinds that take one */
};

struct command {
	const char *name, *args, *help;
	int (*fn)(struct cli *cli, int argc, char **argv);      /* argv[0] = the command's name */
};
extern const struct command commands[];         /* cmd.def; ends with NULL */

/*
 * Parse options at the head of argv[1..]; "--" ends them, as does the first other word (so that a
 * command's own arguments stay untouched).  The index of the first word left, or -EINVAL; -ECANCELED after --help.
 */
int opts_parse(struct cli *cli, const struct opt *o, int argc, char **argv, const char *usage) must_check;
void opts_print(const struct opt *o);
/* Exactly one container id after the options: the id, or NULL with the error set. */
const char *opts_id(struct cli *cli, int argc, char **argv, int at) must_check;

/* --overlay=memory, dir=PATH: nothing below the root file system is written to, by anybody. */
static inline bool cli_overlay(const struct cli *cli)
{
	return cli->overlay[0] != 'n';
}

static inline bool cli_overlay_dir(const struct cli *cli)
{
	return cli->overlay[0] == 'd';
}

/* A usage error. */
int cli_usage(struct cli *cli, const char *fmt, ...) printf_like(2, 3);
/* A warning: stderr with --debug, always the log. */
/* Is the caller not root of the host, though maybe of a user namespace? */
bool cli_rootless(void) must_check;
void cli_note(struct cli *cli, const char *fmt, ...) printf_like(2, 3);
int cli_log_setup(struct cli *cli) must_check;

#define C(name, args, help) int cmd_##name(struct cli *cli, int argc, char **argv);
#include "runsc-cli/cmd.def"
#undef C
