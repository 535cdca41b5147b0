/*
 * systemd.h - a container's control group as a scope of systemd's (--systemd-cgroup).
 *
 * Where systemd runs the tree of control groups is its own: a group made behind its back loses its controllers when
 * systemd next looks, and with them the limits.  So the manager (of the host, or of the user) is asked on its private
 * socket for a transient scope with Delegate=, which holds the first process, and is told of the limits that it knows; cgroup_limit() then
 * writes all of them, as in any group.  The unified hierarchy only.  One connection for each call: commands are short-lived.
 *
 * Source: org.freedesktop.systemd1(5), systemd.resource-control(5), CONTROL_GROUP_INTERFACE.
 */
#pragma once
#include <sys/types.h>
#include "runsc-cli/cli.h"
#include "runsc-cli/oci/spec.h"

#define UNIT_NAME_MAX 256               /* bytes, with the NUL: UNIT_NAME_MAX of systemd's unit-name.h */

struct scope {
	char unit[UNIT_NAME_MAX], slice[UNIT_NAME_MAX];
};

/* Does systemd manage this host's control groups? */
bool systemd_runs(void);
/* cgroupsPath "SLICE:PREFIX:NAME" ("" = system.slice:csandbox:@id) as PREFIX-NAME.scope in SLICE. 0 or -EINVAL. */
int systemd_scope_name(struct cli *cli, const char *want, const char *id, struct scope *ret) must_check;
/* Start @s with the process @pid in it and the limits @r; it is there when this returns. @where: the manager's socket, NULL: ours. */
int systemd_start(struct cli *cli, const char *where, const struct scope *s, pid_t pid, const struct oci_resources *r) must_check;
/* Tell it of new limits. 0 or -errno. */
int systemd_update(struct cli *cli, const char *where, const char *unit, const struct oci_resources *r) must_check;
/* Stop it and forget a failure; one that is gone is as good. */
void systemd_stop(struct cli *cli, const char *where, const char *unit);
