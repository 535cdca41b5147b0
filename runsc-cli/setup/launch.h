/*
 * launch.h - from a bundle to the two processes of a sandbox.
 *
 * All privileged work is done here, by one thread, before the sentry has any.
 * Sentry and gofer are forks of the launcher, not execs: they share its pages and start at once.
 */
#pragma once
#include "runsc-cli/container.h"

struct launch_opts {
	const char *bundle;             /* directory with config.json */
	const char *console_socket;     /* or NULL */
	const char *pid_file;           /* or NULL */
	const char *pidfd_socket;       /* or NULL */
	u32 preserve_fds;
	bool keep_master;               /* foreground with a terminal: give the master back */
	bool detach;
};

struct launched {
	struct container c;             /* open and locked */
	struct oci_spec spec;
	int sentry_pidfd;
	int master;                     /* -1, or with keep_master */
};

/* Make the container; on failure nothing is left of it. */
int launch_create(struct cli *cli, const char *id, const struct launch_opts *o, struct launched *ret) must_check;
/* Tell it to start, and run the hooks around that. */
int launch_start(struct cli *cli, struct container *c, const struct oci_spec *s) must_check;
/* End its processes and remove everything (kill first: --force). */
int launch_delete(struct cli *cli, struct container *c, bool force) must_check;
void launched_done(struct launched *l);

int write_pid_file(struct cli *cli, const char *file, pid_t pid) must_check;
