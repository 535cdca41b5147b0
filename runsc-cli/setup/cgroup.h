/*
 * cgroup.h - the host's control groups around a sandbox's processes, v1 and v2.
 *
 * Whatever layout there is is taken as it is: each mounted hierarchy gets
 * the container's directory, limits are written where their file exists, and a container is not made without a limit that
 * was asked for: only a group that has none to enforce is passed over with a warning.  The directories made are
 * kept in struct container, so that delete removes exactly those.  With --systemd-cgroup, on the unified hierarchy, the one
 * directory is that of a scope of systemd's (systemd.h), which makes and removes it.
 */
#pragma once
#include "runsc-cli/container.h"

/* Which directories, or scope, @s->cgroups_path means: saved before they are made, so that a killed launcher leaves none. */
int cgroup_name(struct cli *cli, struct container *c, const struct oci_spec *s) must_check;
/* Make those and write the limits. @pid: the first process, which systemd wants for a scope. 0 or -errno. */
int cgroup_create(struct cli *cli, struct container *c, const struct oci_spec *s, pid_t pid) must_check;
/* Move a process into all of them; it may then run wherever they let it, not only where the launcher was pinned. */
int cgroup_join(struct cli *cli, struct container *c, pid_t pid) must_check;
/*
 * exec --cgroup=@where, "[CONTROLLER,...:]PATH": move a process below the container's group, into one that is there. @pid 0: is it?
 */
int cgroup_join_below(struct cli *cli, struct container *c, const char *where, pid_t pid) must_check;
/* Shares of v1 (2 to 262144) as the weight of v2 (1 to 10000); anything else: the default, 100. */
u32 cgroup_weight(s64 shares);
/* v1's block weight (10 to 1000) as v2's. */
u32 cgroup_io_weight(s64 weight);
/* The host's limit of processes for a limit of tasks; -1: none; RES_UNSET: not asked for. */
s64 cgroup_pids(s64 limit);
/* v1 limits memory and swap together, v2 swap alone: bytes of swap, -1, or RES_UNSET. */
s64 cgroup_swap(const struct oci_resources *r);
/* New limits (update): told to systemd if it is its scope, and written. */
int cgroup_update(struct cli *cli, struct container *c, const struct oci_resources *r) must_check;
/* Write limits. The first that could not be written: -errno, told in cli->err; the others are. */
int cgroup_limit(struct cli *cli, struct container *c, const struct oci_resources *r) must_check;
/* Somebody else may have frozen them, and in a frozen one nobody dies. */
void cgroup_thaw(struct container *c);
/* Kill what is left inside and remove the directories. */
void cgroup_remove(struct cli *cli, struct container *c);
/* A number from a file of one of the directories; false if there is none. */
bool cgroup_read(struct container *c, const char *file, u64 *ret);
