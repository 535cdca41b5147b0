/*
 * cgroup.h - the host's control groups around a sandbox's processes, v1 and v2.
 *
 * Whatever layout there is is taken as it is: each mounted hierarchy gets
 * the container's directory, limits are written where their file exists, and a container is not made without a limit that
 * was asked for: only a group that has none to enforce is passed over with a warning.  The directories made are
 * kept in struct container, so that delete removes exactly those.
 */
#pragma once
#include "runsc-cli/container.h"

/* Which directories @s->cgroups_path means: saved before they are made, so that a killed launcher leaves none. */
int cgroup_name(struct cli *cli, struct container *c, const struct oci_spec *s) must_check;
/* Make those and write the limits. 0 or -errno. */
int cgroup_create(struct cli *cli, struct container *c, const struct oci_spec *s) must_check;
/* Move a process into all of them; it may then run wherever they let it, not only where the launcher was pinned. */
int cgroup_join(struct cli *cli, struct container *c, pid_t pid) must_check;
/*
 * exec --cgroup=@where, "[CONTROLLER,...:]PATH": move a process below the container's group, into one that is there. @pid 0: is it?
 */
int cgroup_join_below(struct cli *cli, struct container *c, const char *where, pid_t pid) must_check;
/* Shares of v1 (2 to 262144) as the weight of v2 (1 to 10000); anything else: the default, 100. */
u32 cgroup_weight(s64 shares);
/* Write limits (update). The first that could not be written: -errno, told in cli->err; the others are. */
int cgroup_limit(struct cli *cli, struct container *c, const struct oci_resources *r) must_check;
/* Somebody else may have frozen them, and in a frozen one nobody dies. */
void cgroup_thaw(struct container *c);
/* Kill what is left inside and remove the directories. */
void cgroup_remove(struct cli *cli, struct container *c);
/* A number from a file of one of the directories; false if there is none. */
bool cgroup_read(struct container *c, const char *file, u64 *ret);
